//! A child process that does not outlive its test.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A process whose output goes to a log file; killed, by its pid, when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs in `log`, which is appended to.
    pub fn spawn(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `ready` says so; panics with the log when the process ends or the time is over.
    pub fn wait_until(&mut self, what: &str, limit: Duration, mut ready: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !ready(self) {
            assert!(!self.has_ended(), "the process ended before {what}; its log:\n{}", self.log());
            assert!(begun.elapsed() < limit, "no {what} within {limit:?}; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once, and waits for it.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port on the loopback address that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether something listens on that loopback port.
pub fn is_listening(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// The program named by the variable, else the one built into `target/tools`, else the one on the path. When there is
/// none, says so and returns `None`, so that the test is skipped; under `CI=true` that is a failure.
pub fn find_tool(name: &str, variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    // The root of the workspace, also for tests of its other packages.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().filter(|parent| parent.join("Cargo.lock").exists()).unwrap_or(here);
    let built = root.join("target/tools").join(name);
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).map(|directory| directory.join(name)).collect::<Vec<_>>());
    let found = named.into_iter().chain([built]).chain(on_path).find(|path| path.is_file());
    if found.is_none() {
        let how = format!("no `{name}`: run tests/tools/build.sh, or name the program by {variable}");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{how}");
        println!("SKIPPED: {how}");
    }
    found
}
