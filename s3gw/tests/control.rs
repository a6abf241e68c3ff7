//! The control socket, spoken to as the command-line tool does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    sync::Arc,
};
use strongroom::{
    admin::control::{BucketLine, BucketList, ErrorReply},
    bucket::MemoryStore,
    clock::SystemClock,
    crypt::KernelEntropy,
    fs::{Catalog, CatalogParts, DEFAULT_WINDOW_POOL_BYTES, MemoryHost},
};
use strongroom_s3gw::{Administration, Control};

struct Told;

impl Administration for Told {
    fn status(&self) -> Result<serde_json::Value, String> {
        Ok(serde_json::json!({ "ready": true }))
    }

    fn fsck(&self, accept_loss: &[String]) -> Result<serde_json::Value, String> {
        if accept_loss.is_empty() { Ok(serde_json::json!({ "problems": [] })) } else { Err("no such loss".to_owned()) }
    }
}

fn call(socket: &Path, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn buckets_status_and_fsck_are_reached_by_this_user_only() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("strongroom/test.sock");
    let catalog = Catalog::open(CatalogParts {
        meta: MemoryStore::new(),
        host: Arc::new(MemoryHost::default()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(KernelEntropy),
        window_pool_bytes: DEFAULT_WINDOW_POOL_BYTES,
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let bind = || Control::bind(&socket, Arc::clone(&catalog), "key".to_owned(), Arc::new(Told));
    let control = {
        let _within = runtime.enter();
        // The socket of a daemon that was killed is replaced.
        std::fs::create_dir(socket.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        bind().unwrap()
    };
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    let served = runtime.spawn(control.serve(async { drop(stopped.await) }));

    assert_eq!(call(&socket, "GET", "/v1/status", ""), (200, "{\"ready\":true}".to_owned()));
    let (status, made) = call(&socket, "POST", "/v1/buckets", "{\"name\":\"photos\"}");
    assert_eq!(status, 201, "{made}");
    let made: BucketLine = serde_json::from_str(&made).unwrap();
    assert_eq!((made.name.as_str(), made.key_name.as_str()), ("photos", "key"));
    assert_eq!(call(&socket, "POST", "/v1/buckets", "{\"name\":\"photos\"}").0, 409);
    for bad in ["{\"name\":\"minio\"}", "{\"name\":\"A\"}", "{\"other\":1}", "nonsense"] {
        let (status, error) = call(&socket, "POST", "/v1/buckets", bad);
        assert_eq!(status, 400, "{bad}: {error}");
        assert!(!serde_json::from_str::<ErrorReply>(&error).unwrap().error.is_empty());
    }
    let listed: BucketList = serde_json::from_str(&call(&socket, "GET", "/v1/buckets", "").1).unwrap();
    assert_eq!(listed.buckets, [made]);
    assert_eq!(call(&socket, "DELETE", "/v1/buckets/photos", "").0, 204);
    assert_eq!(call(&socket, "DELETE", "/v1/buckets/photos", "").0, 404);
    assert_eq!(call(&socket, "POST", "/v1/fsck", "").0, 200);
    assert_eq!(call(&socket, "POST", "/v1/fsck", "{\"accept_loss\":[\"photos\"]}").0, 500);
    assert_eq!(call(&socket, "GET", "/v1/nothing", "").0, 404);
    assert_eq!(call(&socket, "POST", "/v1/fsck", &"x".repeat(100_000)).0, 413);

    stop.send(()).unwrap();
    runtime.block_on(served).unwrap();
    assert!(!socket.exists());
}
