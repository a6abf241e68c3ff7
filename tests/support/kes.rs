//! A real KES server on the loopback address, with keys in files, under a policy that the test chooses.

use std::{fmt::Write as _, fs, path::PathBuf, process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519};
use strongroom::kms::ApiKey;

use super::process::{Process, find_tool, free_port, is_listening};

const START_LIMIT: Duration = Duration::from_secs(20);
const RELOADED: &str = "Reloading configuration after SIGHUP signal completed";

/// What the documented policy grants to an application, and all that Strongroom needs.
pub const DOCUMENTED_PATHS: [&str; 3] = ["/v1/key/create/app-*", "/v1/key/generate/app-*", "/v1/key/decrypt/app-*"];

/// An identity of the server: its API key as text, and the 64 hex digits that policies name.
#[derive(Clone)]
pub struct KesClientKey {
    pub api_key: String,
    pub identity: String,
}

impl KesClientKey {
    /// A new random one.
    pub fn random() -> Self {
        let mut bytes = [0; 33];
        getrandom::fill(&mut bytes[1..]).unwrap();
        let api_key = format!("kes:v1:{}", STANDARD.encode(bytes));
        let identity = ApiKey::parse(&api_key).ok().unwrap().identity();
        Self { api_key, identity }
    }

    /// The key pair behind it, for a certificate of its own.
    pub fn key_pair(&self) -> KeyPair {
        let bytes = STANDARD.decode(self.api_key.strip_prefix("kes:v1:").unwrap()).unwrap();
        let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
        der.extend_from_slice(&bytes[1..]);
        KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), &PKCS_ED25519).unwrap()
    }
}

/// A running KES. Ends when dropped; its keys go with it.
pub struct KesServer {
    binary: PathBuf,
    directory: tempfile::TempDir,
    port: u16,
    process: Process,
    /// May do everything.
    pub admin: KesClientKey,
    /// May do what the policy of the application allows.
    pub app: KesClientKey,
}

impl KesServer {
    /// Starts a server whose policy allows the application these paths. `None`, with a message, when there is no KES
    /// on this machine.
    pub fn start(allow: &[&str]) -> Option<Self> {
        let binary = find_tool("kes", "STRONGROOM_KES")?;
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("keys")).unwrap();
        let (admin, app) = (KesClientKey::random(), KesClientKey::random());
        write_certificates(directory.path());
        let port = free_port();
        write_config(directory.path(), port, &admin, &app, allow);
        let process = spawn(&binary, directory.path(), port);
        Some(Self { binary, directory, port, process, admin, app })
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The CA that vouches for it.
    pub fn ca_path(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    /// The variables that configure Strongroom to use it as the application.
    pub fn environment(&self, default_key: &str) -> Vec<(&'static str, String)> {
        vec![
            ("MINIO_KMS_KES_ENDPOINT", self.endpoint()),
            ("MINIO_KMS_KES_API_KEY", self.app.api_key.clone()),
            ("MINIO_KMS_KES_KEY_NAME", default_key.to_owned()),
            ("MINIO_KMS_KES_CAPATH", self.ca_path().display().to_string()),
        ]
    }

    /// Changes what the application may do; in force on return.
    pub fn allow(&mut self, allow: &[&str]) {
        write_config(self.directory.path(), self.port, &self.admin, &self.app, allow);
        self.reload();
    }

    /// Reads the configuration anew and empties the key cache; done on return.
    pub fn reload(&mut self) {
        let count = |process: &Process| process.log().matches(RELOADED).count();
        let before = count(&self.process);
        self.process.signal(Signal::SIGHUP);
        self.process.wait_until("reload", Duration::from_secs(10), |process| count(process) > before);
    }

    /// Takes a key away, as an operator who disables or deletes it behind the server's back. Effective on return.
    pub fn take_key_away(&mut self, name: &str) {
        fs::rename(self.key_path(name), self.directory.path().join(name)).unwrap();
        self.reload();
    }

    /// Brings back what [`KesServer::take_key_away`] took, over a key made anew in between.
    pub fn put_key_back(&mut self, name: &str) {
        fs::rename(self.directory.path().join(name), self.key_path(name)).unwrap();
        self.reload();
    }

    /// Ends the server; keys and port stay for [`KesServer::restart`].
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// What it wrote, its audit log included.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Stops the server in its tracks: connections stay open, nothing is answered.
    pub fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::SIGCONT);
    }

    /// Starts it again after [`KesServer::stop`].
    pub fn restart(&mut self) {
        self.process = spawn(&self.binary, self.directory.path(), self.port);
    }

    fn key_path(&self, name: &str) -> PathBuf {
        self.directory.path().join("keys").join(name)
    }
}

fn spawn(binary: &std::path::Path, directory: &std::path::Path, port: u16) -> Process {
    let mut command = Command::new(binary);
    command.args(["server", "--config", "kes.yml"]).current_dir(directory);
    let mut process = Process::spawn(&mut command, &directory.join("kes.log"));
    // The port, not TLS: a probe without a certificate would fill the log.
    process.wait_until("open port", START_LIMIT, |_| is_listening(port));
    process
}

fn write_certificates(directory: &std::path::Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(directory.join("ca.crt"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&server_key, &Issuer::new(ca, ca_key)).unwrap();
    fs::write(directory.join("server.crt"), certificate.pem()).unwrap();
    fs::write(directory.join("server.key"), server_key.serialize_pem()).unwrap();
}

fn write_config(directory: &std::path::Path, port: u16, admin: &KesClientKey, app: &KesClientKey, allow: &[&str]) {
    let mut paths = String::new();
    for path in allow {
        writeln!(paths, "    - {path}").unwrap();
    }
    if allow.is_empty() {
        paths.push_str("    - /v1/nothing\n");
    }
    let (admin, app) = (&admin.identity, &app.identity);
    let config = format!(
        "version: v1\n\
         address: 127.0.0.1:{port}\n\
         admin:\n  identity: {admin}\n\
         tls:\n  key: server.key\n  cert: server.crt\n\
         policy:\n  app:\n    allow:\n{paths}    identities:\n    - {app}\n\
         cache:\n  expiry:\n    any: 5m\n    unused: 20s\n    offline: 0s\n\
         log:\n  error: on\n  audit: on\n\
         keystore:\n  fs:\n    path: ./keys\n"
    );
    fs::write(directory.join("kes.yml"), config).unwrap();
}
