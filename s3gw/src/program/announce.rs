//! What the operator and the service manager are told, by both programs.

use std::{
    io::{self, Write},
    net::SocketAddr,
};
use strongroom::store::{FirstStart, RootCredentials};

/// On standard error at the first start: where the key file is, and what to log in with.
/// `endpoint` is that of S3, if it is served.
pub fn first_start(first: &FirstStart, credentials: &RootCredentials, endpoint: Option<SocketAddr>) {
    let mut text = String::from("This is a new store.\n");
    if let Some(key_file) = &first.key_file {
        text.push_str(&format!(
            "\nIts key is in {}\nBack this file up, apart from the store: without it nothing in the store can be read \
             again,\nand whoever has both can read everything.\n",
            key_file.display()
        ));
    }
    if let Some(endpoint) = endpoint {
        text.push_str(&format!(
            "\nS3 endpoint and root credentials, ready to copy:\n  export AWS_ENDPOINT_URL=http://{endpoint}\n"
        ));
        if first.credentials_are_new {
            text.push_str(&format!(
                "  export AWS_ACCESS_KEY_ID={}\n  export AWS_SECRET_ACCESS_KEY={}\n  export AWS_DEFAULT_REGION=us-east-1\n\
             They are kept sealed in the store; to choose your own, set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD.\n",
                credentials.access_key,
                credentials.secret_key.as_str()
            ));
        } else {
            text.push_str("  (credentials: MINIO_ROOT_USER and MINIO_ROOT_PASSWORD, as set)\n");
        }
    }
    // Nothing depends on it being read.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The one line on standard output, `ready: ` before what is ready, and READY for the service manager.
///
/// # Errors
/// When standard output is closed: whoever waits for the line would wait for ever.
pub fn ready(what: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("ready: {what}\n").as_bytes()).and_then(|()| out.flush())?;
    notify(sd_notify::NotifyState::Ready);
    Ok(())
}

/// Tells the service manager that the end has begun.
pub fn stopping() {
    notify(sd_notify::NotifyState::Stopping);
}

fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("the service manager was not told: {error}");
    }
}
