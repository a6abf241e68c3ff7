//! The `user.sse.*` attributes of one file: asked for by name, because listings leave them out.

use super::{failure::Failure, show};
use serde::Serialize;
use std::{collections::BTreeMap, io, path::Path};

/// All that there may be, in the order shown.
const NAMES: [&str; 7] = ["algorithm", "key-id", "generation", "status", "sealed-dek", "rotated-at", "rotate"];
/// Longest value that the kernel hands out.
const VALUE_LIMIT_BYTES: usize = 64 << 10;

#[derive(Serialize)]
struct Answer {
    file: String,
    attributes: BTreeMap<String, String>,
}

/// Reads them all and shows them.
pub fn show(file: &Path, json: bool) -> Result<String, Failure> {
    let mut found = Vec::new();
    for name in NAMES.map(|name| format!("user.sse.{name}")) {
        match get(file, &name) {
            Ok(value) => found.push((name, String::from_utf8_lossy(&value).into_owned())),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(Failure::io(&file.display().to_string(), error)),
        }
    }
    if found.is_empty() {
        return Err(Failure::said(format!(
            "{} has no user.sse.* attributes; name a file, a directory or a bucket inside a Strongroom mount",
            file.display()
        )));
    }
    if json {
        let file = file.display().to_string();
        return show::json(&Answer { file, attributes: found.into_iter().collect() });
    }
    Ok(found.into_iter().map(|(name, value)| format!("{name}={}\n", show::clean(&value))).collect())
}

fn get(file: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut value = vec![0; VALUE_LIMIT_BYTES];
    let len = rustix::fs::getxattr(file, name, value.as_mut_slice())?;
    value.truncate(len);
    Ok(value)
}

/// Attributes that later versions have, and file systems that have none.
fn is_absent(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(nix::errno::Errno::from_raw);
    matches!(code, Some(nix::errno::Errno::ENODATA | nix::errno::Errno::EOPNOTSUPP))
}
