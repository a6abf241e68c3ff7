//! Speaks with the daemon that holds a store, over its control socket.

use super::failure::Failure;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use strongroom::admin::control::{ErrorReply, socket_path};
use tokio::{net::UnixStream, runtime::Runtime};

/// Most bytes of an answer: a report of thousands of buckets stays well below.
const ANSWER_LIMIT_BYTES: usize = 256 << 20;
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The daemon.
pub struct Client {
    runtime: Runtime,
    socket: PathBuf,
}

impl Client {
    /// The daemon of a store; `None` when none listens. A socket without a listener is a dead daemon's.
    pub fn find(store: &Path) -> Result<Option<Self>, Failure> {
        // A store that is not there is met by whoever opens it.
        let Ok(socket) = socket_path(store, &|name| std::env::var_os(name)) else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = Self { runtime: runtime.map_err(|e| Failure::io("starting a runtime", e))?, socket };
        match client.runtime.block_on(UnixStream::connect(&client.socket)) {
            Ok(_) => Ok(Some(client)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => {
                let what = format!(
                    "the daemon's control socket {}: {error}; run this command as the user of the daemon, or as root",
                    client.socket.display()
                );
                Err(Failure::said(what))
            }
        }
    }

    /// Asks for `path`, and reads the answer.
    pub fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, Failure> {
        parse(&self.call(Method::GET, path, Bytes::new())?)
    }

    /// Sends `body` to `path`, and reads the answer. There is no time limit: a check may take hours.
    pub fn post<A: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<A, Failure> {
        let body = serde_json::to_vec(body).map_err(|e| Failure::said(format!("encoding a request: {e}")))?;
        parse(&self.call(Method::POST, path, body.into())?)
    }

    /// Removes what is at `path`.
    pub fn delete(&self, path: &str) -> Result<(), Failure> {
        self.call(Method::DELETE, path, Bytes::new()).map(drop)
    }

    fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        let (status, answer) = self
            .runtime
            .block_on(self.converse(method, path, body))
            .map_err(|e| Failure::said(format!("the daemon at {}: {e}; look at its log", self.socket.display())))?;
        if status.is_success() {
            return Ok(answer);
        }
        let said = serde_json::from_slice::<ErrorReply>(&answer).map(|reply| reply.error);
        Err(Failure::said(said.unwrap_or_else(|_| format!("the daemon answered {status}; look at its log"))))
    }

    async fn converse(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = tokio::time::timeout(CONNECT_TIME, UnixStream::connect(&self.socket)).await??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "strongroom")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        // Drives the connection beside the exchange.
        let driver = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_LIMIT_BYTES).collect().await?.to_bytes();
        driver.abort();
        Ok((status, answer))
    }
}

fn parse<A: DeserializeOwned>(answer: &[u8]) -> Result<A, Failure> {
    serde_json::from_slice(answer).map_err(|e| {
        Failure::said(format!("the daemon's answer was not understood ({e}); are it and this tool of one version?"))
    })
}
