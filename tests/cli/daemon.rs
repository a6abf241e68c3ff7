//! Through the control socket: what is asked of the daemon, and how its answers are shown.

use super::room::Room;
use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    thread::JoinHandle,
};
use strongroom::admin::control::socket_path;

/// Listens where the daemon of the room's store would, answers calls with what `answer` says, and returns the calls.
/// The first connection of every run only looks whether anybody is there.
fn daemon(room: &Room, status: &'static str, body: &'static str) -> JoinHandle<String> {
    let run = room.path("run").into_os_string();
    let path = socket_path(&room.store(), &|name| (name == "XDG_RUNTIME_DIR").then(|| run.clone())).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = vec![0; 65_536];
            let len = stream.read(&mut bytes).unwrap();
            if len == 0 {
                continue;
            }
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
            let call = String::from_utf8_lossy(&bytes[..len]).into_owned();
            return call.lines().next().unwrap().to_owned();
        }
    })
}

#[test]
fn a_daemon_that_runs_is_asked() {
    let room = Room::with_store();
    let list = r#"{"buckets":[{"name":"far","created_unix_nanos":1,"key_name":"k","uid":5,"gid":6}]}"#;
    let served = daemon(&room, "200 OK", list);
    assert_eq!(room.run(&["bucket", "list", "store"]).done().out, "far  k  5:6\n");
    assert_eq!(served.join().unwrap(), "GET /v1/buckets HTTP/1.1");
    let served = daemon(&room, "204 No Content", "");
    assert_eq!(room.run(&["bucket", "remove", "store", "../x"]).done().out, "removed bucket ../x\n");
    assert_eq!(served.join().unwrap(), "DELETE /v1/buckets/..%2Fx HTTP/1.1");
}

#[test]
fn what_the_daemon_refuses_is_said_in_its_words() {
    let room = Room::with_store();
    let served = daemon(&room, "409 Conflict", r#"{"error":"the bucket exists"}"#);
    room.run(&["bucket", "create", "store", "far"]).refused(&["the bucket exists"]);
    assert_eq!(served.join().unwrap(), "POST /v1/buckets HTTP/1.1");
    let served = daemon(&room, "200 OK", "no json");
    room.run(&["status", "store"]).refused(&["not understood"]);
    served.join().unwrap();
}

#[test]
fn the_socket_of_a_dead_daemon_is_passed_by() {
    let room = Room::with_store();
    let run = room.path("run").into_os_string();
    let path = socket_path(&room.store(), &|name| (name == "XDG_RUNTIME_DIR").then(|| run.clone())).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(UnixListener::bind(path).unwrap());
    room.run(&["status", "store"]).done();
}
