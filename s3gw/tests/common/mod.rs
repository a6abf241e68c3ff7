//! A gateway over a store in memory, and a small client that signs by itself, so that the library's own reading of the
//! signature is not tested against itself.
#![allow(dead_code)]

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use strongroom::{
    bucket::MemoryStore,
    clock::SystemClock,
    crypt::KernelEntropy,
    fs::{Catalog, CatalogParts, DEFAULT_WINDOW_POOL_BYTES, MemoryHost},
};
use strongroom_s3gw::{Gateway, GatewayOptions, GatewayParts};
use tokio::sync::oneshot;

pub const ACCESS_KEY: &str = "tester";
pub const SECRET_KEY: &str = "correct horse battery";
pub const KEY_NAME: &str = "test-key";

/// A gateway that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub catalog: Arc<Catalog>,
    pub ready: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Self {
        let catalog = Catalog::open(CatalogParts {
            meta: MemoryStore::new(),
            host: Arc::new(MemoryHost::default()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(KernelEntropy),
            window_pool_bytes: DEFAULT_WINDOW_POOL_BYTES,
        })
        .unwrap();
        let ready = Arc::new(AtomicBool::new(true));
        let is_ready = Arc::clone(&ready);
        let parts = GatewayParts {
            catalog: Arc::clone(&catalog),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned().into(),
            default_key: KEY_NAME.to_owned(),
            ready: Arc::new(move || is_ready.load(Ordering::Relaxed)),
        };
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let options = GatewayOptions { domains: vec!["s3.test".to_owned()] };
                Gateway::new(parts, &options).serve(listener, async { drop(stopped.await) }).await;
            });
        });
        Self { address: told.recv().unwrap(), catalog, ready, stop: Some(stop), thread: Some(thread) }
    }

    /// With a bucket called `bucket`.
    pub fn with_bucket() -> Self {
        let server = Self::start();
        assert_eq!(server.send(Ask::put("/bucket", b"")).status, 200);
        server
    }

    /// Signs and sends.
    pub fn send(&self, ask: Ask) -> Reply {
        self.exchange(ask.signed(self.address))
    }

    /// Sends as it is.
    pub fn exchange(&self, ask: Ask) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\n", ask.method, ask.target());
        for (name, value) in &ask.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !ask.headers.contains_key("host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        if !ask.no_length && !ask.headers.contains_key("content-length") {
            head.push_str(&format!("content-length: {}\r\n", ask.body.len()));
        }
        head.push_str("connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(&ask.body);
        if ask.hang_up {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw);
        Reply::parse(&raw)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send(Ask::new("GET", path))
    }

    pub fn put(&self, path: &str, body: &[u8]) -> Reply {
        let reply = self.send(Ask::put(path, body));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A request. The path is sent as it is: percent-encode what needs it.
#[derive(Clone)]
pub struct Ask {
    pub method: &'static str,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub no_length: bool,
    pub hang_up: bool,
    pub access_key: String,
    pub region: String,
    pub payload: Option<String>,
    pub unsigned: Vec<String>,
    pub skew: i64,
}

impl Ask {
    pub fn new(method: &'static str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: BTreeMap::new(),
            body: Vec::new(),
            no_length: false,
            hang_up: false,
            access_key: ACCESS_KEY.to_owned(),
            region: "us-east-1".to_owned(),
            payload: None,
            unsigned: Vec::new(),
            skew: 0,
        }
    }

    pub fn put(path: &str, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::new("PUT", path) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    fn canonical_query(&self) -> String {
        let mut pairs: Vec<String> = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        pairs.join("&")
    }

    pub fn signed(mut self, address: SocketAddr) -> Self {
        let stamp = stamp(self.skew);
        let payload = self.payload.clone().unwrap_or_else(|| hex(&Sha256::digest(&self.body)));
        self.headers.entry("host".to_owned()).or_insert_with(|| address.to_string());
        self.headers.insert("x-amz-date".to_owned(), stamp.clone());
        self.headers.insert("x-amz-content-sha256".to_owned(), payload.clone());
        let signed: BTreeMap<_, _> = self.headers.iter().filter(|(name, _)| !self.unsigned.contains(name)).collect();
        let names = signed.keys().map(|name| name.as_str()).collect::<Vec<_>>().join(";");
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request =
            format!("{}\n{}\n{}\n{lines}\n{names}\n{payload}", self.method, self.path, self.canonical_query());
        let signature = sign(&self.region, &stamp, &request);
        let scope = format!("{}/{}/{}/s3/aws4_request", self.access_key, &stamp[..8], self.region);
        let value = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}");
        self.headers.insert("authorization".to_owned(), value);
        self
    }

    /// With the signature in the query.
    pub fn presigned(mut self, address: SocketAddr, expires: u32) -> Self {
        let stamp = stamp(self.skew);
        let scope = format!("{}%2F{}%2F{}%2Fs3%2Faws4_request", self.access_key, &stamp[..8], self.region);
        let more = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Date={stamp}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host"
        );
        self.query = if self.query.is_empty() { more } else { format!("{}&{more}", self.query) };
        let request = format!(
            "{}\n{}\n{}\nhost:{address}\n\nhost\nUNSIGNED-PAYLOAD",
            self.method,
            self.path,
            self.canonical_query()
        );
        let signature = sign(&self.region, &stamp, &request);
        self.query = format!("{}&X-Amz-Signature={signature}", self.query);
        self
    }
}

fn sign(region: &str, stamp: &str, canonical: &str) -> String {
    let day = &stamp[..8];
    let mut key = mac(format!("AWS4{SECRET_KEY}").as_bytes(), day.as_bytes());
    for part in [region, "s3", "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    hex(&mac(&key, format!("AWS4-HMAC-SHA256\n{stamp}\n{day}/{region}/s3/aws4_request\n{hash}").as_bytes()))
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `YYYYMMDDTHHMMSSZ`, off by some seconds.
fn stamp(skew: i64) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + skew;
    let (days, seconds) = (now.div_euclid(86_400), now.rem_euclid(86_400));
    // Days to a date, by the civil calendar (years begin in March).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year_of_era + era * 400 + carry;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Reply {
    fn parse(raw: &[u8]) -> Self {
        let mut raw = raw;
        loop {
            let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
            let head = std::str::from_utf8(&raw[..end]).unwrap();
            let mut lines = head.split("\r\n");
            let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            let headers: BTreeMap<String, String> = lines
                .map(|line| line.split_once(':').unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let rest = &raw[end + 4..];
            if status == 100 {
                raw = rest;
                continue;
            }
            assert!(
                !headers.contains_key("transfer-encoding"),
                "a reply of known length is never chunked: {headers:?}"
            );
            return Self { status, headers, body: rest.to_vec() };
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }

    pub fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        text.split(&open).skip(1).map(|part| part.split(&close).next().unwrap().to_owned()).collect()
    }

    pub fn code(&self) -> String {
        self.element("Code")
    }
}
