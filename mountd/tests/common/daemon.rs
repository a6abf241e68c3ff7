//! The program itself, run on folders of one test, and ended by its process id whatever the test does.

#![allow(dead_code)]

use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const START_TIME: Duration = Duration::from_secs(60);
const END_TIME: Duration = Duration::from_secs(60);

/// Store, mount point and configuration of a test.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["mnt", "config"] {
            fs::DirBuilder::new().mode(0o700).create(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn mnt(&self) -> PathBuf {
        self.folder.path().join("mnt")
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The program with these arguments before store and mount point, and an environment without any KMS.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_at(arguments, &self.mnt())
    }

    /// The same with another mount point.
    pub fn command_at(&self, arguments: &[&str], point: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-mountd"));
        command.args(arguments).arg(self.store()).arg(point);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MINIO_") {
                command.env_remove(name);
            }
        }
        command.env_remove("NOTIFY_SOCKET");
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"] {
            command.env(name, self.path().join("config"));
        }
        command
    }

    /// Starts it and waits for the ready line.
    pub fn start(&self, arguments: &[&str]) -> Daemon {
        self.start_command(self.command(arguments))
    }

    /// The same with a command that was changed.
    pub fn start_command(&self, mut command: Command) -> Daemon {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (said, line) = channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(&mut stdout);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let _ = said.send(line);
            let mut rest = String::new();
            let _ = reader.read_to_string(&mut rest);
            assert_eq!(rest, "", "standard output holds one line");
        });
        let (told, errors) = channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            let _ = told.send(text);
        });
        let ready = line.recv_timeout(START_TIME).unwrap_or_default();
        let mut daemon = Daemon { child, mnt: self.mnt(), ready, errors: Some(errors), over: false };
        if daemon.ready.is_empty() {
            daemon.signal(Signal::SIGKILL);
            panic!("it did not start: {}", daemon.stderr());
        }
        daemon
    }

    /// Runs it where it must refuse, and returns what it says.
    pub fn refused(&self, arguments: &[&str]) -> String {
        refusal(self.command(arguments))
    }
}

/// Runs a command that must end by itself with a failure, and returns what it says.
pub fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it should have refused: {text}");
    assert!(output.stdout.is_empty());
    text
}

/// A daemon that is ready.
pub struct Daemon {
    child: Child,
    mnt: PathBuf,
    /// Its line on standard output.
    pub ready: String,
    errors: Option<std::sync::mpsc::Receiver<String>>,
    over: bool,
}

impl Daemon {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.over = true;
                return status;
            }
            assert!(begun.elapsed() < END_TIME, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as an operator does, and checks that it ends well.
    pub fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        let text = self.stderr();
        assert!(status.success(), "{status}: {text}");
        text
    }

    /// Ends it as a crash does; the dead mount stays.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }

    /// What it said on standard error; to be asked after its end.
    pub fn stderr(&mut self) -> String {
        self.errors.take().and_then(|errors| errors.recv_timeout(END_TIME).ok()).unwrap_or_default()
    }

    /// Port of its S3 endpoint, from the ready line.
    pub fn port(&self) -> u16 {
        self.ready.trim().rsplit_once(':').unwrap().1.parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.child.kill();
            let _ = self.child.wait();
            // A test that kills on purpose leaves the dead mount to the next daemon; one that fails must not.
            let _ = umount2(&self.mnt, MntFlags::MNT_DETACH);
        }
    }
}
