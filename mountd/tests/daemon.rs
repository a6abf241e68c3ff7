//! The daemon's life over a real store: first start, restart, crash, signals, and what it refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{
    can_mount,
    daemon::{Place, refusal},
    errno, noise, shell,
};
use nix::{
    errno::Errno,
    mount::{MntFlags, umount2},
    sys::signal::Signal,
};
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixDatagram, process::CommandExt},
    path::Path,
    time::Duration,
};

const ANY_PORT: [&str; 2] = ["--s3", "127.0.0.1:0"];

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply.lines().next().unwrap_or_default().to_owned()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// A tree to copy: the same bytes each time.
fn plant(folder: &Path) {
    for index in 0..300_usize {
        let place = folder.join("tree").join((index % 7).to_string());
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(index.to_string()), noise(index as u64, index * 997)).unwrap();
    }
}

#[test]
fn the_first_start_makes_a_store_and_tells_key_file_and_credentials() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let daemon = place.start(&ANY_PORT);
    let mnt = place.mnt();
    assert!(daemon.ready.contains(mnt.to_str().unwrap()), "{}", daemon.ready);
    assert!(daemon.ready.contains("http://127.0.0.1:"), "{}", daemon.ready);
    assert_eq!(get(daemon.port(), "/minio/health/ready"), "HTTP/1.1 200 OK");
    let sockets = || {
        fs::read_dir(place.path().join("config/strongroom"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "sock"))
            .count()
    };
    assert_eq!(sockets(), 1, "the command-line tool has a socket");
    fs::create_dir(mnt.join("photos")).unwrap();
    fs::write(mnt.join("photos/one"), b"content").unwrap();
    let told = daemon.stop();
    let key_file = told.lines().find_map(|line| line.strip_prefix("Its key is in ")).unwrap();
    assert!(Path::new(key_file).is_file() && !Path::new(key_file).starts_with(place.store()));
    assert!(told.contains("Back this file up"));
    assert!(told.contains("AWS_ACCESS_KEY_ID=") && told.contains("AWS_SECRET_ACCESS_KEY="));
    assert_eq!((entries(&mnt), sockets()), (0, 0), "nothing is mounted any more");

    let again = place.start(&["--no-s3"]);
    assert_eq!(fs::read(mnt.join("photos/one")).unwrap(), b"content");
    let told = again.stop();
    assert!(!told.contains("AWS_SECRET_ACCESS_KEY"), "{told}");
}

#[test]
fn a_tree_survives_restart_and_kill() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    plant(place.path());
    let daemon = place.start(&ANY_PORT);
    fs::create_dir(place.mnt().join("bucket")).unwrap();
    shell(place.path(), "cp -a tree mnt/bucket/; diff -r tree mnt/bucket/tree");
    daemon.stop();
    let daemon = place.start(&ANY_PORT);
    shell(place.path(), "diff -r tree mnt/bucket/tree; cp -a tree mnt/bucket/second");
    daemon.kill();
    assert_eq!(errno(fs::read_dir(place.mnt())), Errno::ENOTCONN);
    let daemon = place.start(&ANY_PORT);
    shell(place.path(), "diff -r tree mnt/bucket/tree; diff -r tree mnt/bucket/second");
    let told = daemon.stop();
    assert!(told.contains("killed daemon"), "the dead mount that was cleared is named: {told}");
}

#[test]
fn what_was_written_and_not_closed_is_there_after_sigterm() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let daemon = place.start(&["--no-s3"]);
    fs::create_dir(place.mnt().join("bucket")).unwrap();
    let mut file = File::create(place.mnt().join("bucket/open")).unwrap();
    file.write_all(&noise(1, 200_000)).unwrap();
    // In use: it is detached with a warning, and the daemon ends all the same.
    let told = daemon.stop();
    assert!(told.contains(place.mnt().to_str().unwrap()), "{told}");
    drop(file);
    let daemon = place.start(&["--no-s3"]);
    assert!(fs::read(place.mnt().join("bucket/open")).unwrap() == noise(1, 200_000));
    daemon.stop();
}

#[test]
fn an_interrupt_and_an_unmount_by_others_end_it_as_well() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let mut daemon = place.start(&["--no-s3"]);
    daemon.signal(Signal::SIGINT);
    assert!(daemon.wait().success());
    if nix::unistd::geteuid().is_root() {
        let mut daemon = place.start(&ANY_PORT);
        umount2(&place.mnt(), MntFlags::empty()).unwrap();
        assert!(daemon.wait().success());
    }
    assert_eq!(entries(&place.mnt()), 0);
}

#[test]
fn a_second_signal_does_not_wait_for_requests_under_way() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let mut daemon = place.start(&ANY_PORT);
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port())).unwrap();
    stream.write_all(b"GET /minio/health/ready HTTP/1.1\r\nHost: loc").unwrap();
    daemon.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    let begun = std::time::Instant::now();
    daemon.signal(Signal::SIGTERM);
    daemon.wait();
    assert!(begun.elapsed() < Duration::from_secs(4));
    place.start(&["--no-s3"]).stop();
}

#[test]
fn an_ordinary_user_mounts_through_the_helper() {
    let helper = ["/bin", "/usr/bin"].iter().any(|folder| Path::new(folder).join("fusermount3").exists());
    let open_to_all = fs::metadata("/dev/fuse").is_ok_and(|device| device.permissions().mode() & 0o6 == 0o6);
    if !can_mount() || !nix::unistd::geteuid().is_root() || !helper || !open_to_all {
        println!("skipped: needs root, to become somebody else, fusermount3, and /dev/fuse open to all");
        return;
    }
    let place = Place::new();
    // The build's folder may be closed to others.
    let program = place.path().join("strongroom-mountd");
    fs::copy(env!("CARGO_BIN_EXE_strongroom-mountd"), &program).unwrap();
    shell(place.path(), "chown 65534:65534 . mnt config; chmod 755 . mnt strongroom-mountd");
    let command = || {
        let original = place.command(&["--no-s3"]);
        let mut command = std::process::Command::new(&program);
        command.args(original.get_args()).uid(65_534).gid(65_534);
        for (name, value) in original.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    };
    let as_user = |script: &str| {
        let mut user = std::process::Command::new("sh");
        let output = user.args(["-euc", script]).current_dir(place.path()).uid(65_534).gid(65_534).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let daemon = place.start_command(command());
    assert_eq!(as_user("mkdir mnt/bucket; echo hello > mnt/bucket/file; cat mnt/bucket/file"), "hello\n");
    daemon.kill();
    let daemon = place.start_command(command());
    assert_eq!(as_user("cat mnt/bucket/file"), "hello\n");
    daemon.stop();
    assert_eq!(entries(&place.mnt()), 0);
}

#[test]
fn the_service_manager_is_told() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = place.command(&["--no-s3"]);
    command.env("NOTIFY_SOCKET", place.path().join("notify"));
    let daemon = place.start_command(command);
    let mut buffer = [0; 100];
    let len = socket.recv(&mut buffer).unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..len]).trim(), "READY=1");
    daemon.stop();
    let len = socket.recv(&mut buffer).unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..len]).trim(), "STOPPING=1");
}

#[test]
fn a_store_in_use_is_refused_to_a_second_daemon() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let daemon = place.start(&["--no-s3"]);
    let told = place.refused(&["--no-s3"]);
    assert!(told.contains(place.mnt().to_str().unwrap()) && told.contains("already"), "{told}");
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    let command = place.command_at(&["--no-s3"], &other);
    let told = refusal(command);
    assert!(told.contains("in use"), "{told}");
    assert_eq!(entries(&other), 0);
    daemon.stop();
}

#[test]
fn what_cannot_work_is_refused_before_a_store_is_made() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let untouched = |told: &str| assert!(!place.store().exists(), "{told}");

    let told = place.refused(&["-o", "ro,frobnicate"]);
    assert!(told.contains("frobnicate"), "{told}");
    untouched(&told);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = place.refused(&["--s3", &address]);
    assert!(told.contains(&address) && told.contains("--s3"), "{told}");
    untouched(&told);

    let told = place.refused(&["--s3", "nonsense"]);
    assert!(told.contains("nonsense"), "{told}");
    untouched(&told);

    fs::write(place.mnt().join("file"), b"x").unwrap();
    let told = place.refused(&["--no-s3"]);
    assert!(told.contains("not empty") && told.contains(place.mnt().to_str().unwrap()), "{told}");
    untouched(&told);

    fs::remove_file(place.mnt().join("file")).unwrap();
    fs::remove_dir(place.mnt()).unwrap();
    let told = place.refused(&["--no-s3"]);
    assert!(told.contains("does not exist") && told.contains("mkdir"), "{told}");
    untouched(&told);

    fs::write(place.mnt(), b"x").unwrap();
    let told = place.refused(&["--no-s3"]);
    assert!(told.contains("not a directory"), "{told}");
    untouched(&told);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    fs::write(place.store().join("letter"), b"mine").unwrap();
    let told = place.refused(&["--no-s3"]);
    assert!(told.contains("not a store"), "{told}");
    assert_eq!(entries(&place.store()), 1);
    assert_eq!(fs::read(place.store().join("letter")).unwrap(), b"mine");
}

#[test]
fn without_its_key_file_a_store_says_so_and_stays_shut() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    place.start(&["--no-s3"]).stop();
    let keys = place.path().join("config/strongroom");
    fs::rename(&keys, place.path().join("elsewhere")).unwrap();
    let told = place.refused(&["--no-s3"]);
    assert!(told.contains(".key"), "{told}");
    fs::rename(place.path().join("elsewhere"), &keys).unwrap();
    place.start(&["--no-s3"]).stop();
}
