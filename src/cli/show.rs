//! Answers, for people and for programs.

use super::failure::Failure;
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
};
use strongroom::admin::{BucketStatus, StoreStatus, control::BucketLine};

/// Writes to standard output. A reader that went away ends the command quietly, as with other tools.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|e| Failure::io("writing to standard output", e)),
    }
}

/// One JSON document and a line's end.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Failure::said(format!("encoding JSON: {e}")))?;
    text.push('\n');
    Ok(text)
}

/// Bytes in the largest unit that leaves a number above one.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10;
    let mut name = "B";
    for unit in UNITS {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        name = unit;
    }
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Columns, each as wide as its widest cell; the last one is not filled.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What comes from the disk may hold anything: control characters never reach a terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A status for people.
pub fn status(status: &StoreStatus) -> String {
    let reason = status.reason.as_ref().map(|reason| format!(": {}", clean(reason))).unwrap_or_default();
    let mut rows = vec![
        vec!["store".to_owned(), status.store_id.clone()],
        vec!["state".to_owned(), format!("{}{reason}", status.state)],
        vec!["version".to_owned(), format!("{} (format {})", status.version, status.format.version)],
        vec!["default key".to_owned(), status.default_key.clone()],
    ];
    for endpoint in &status.kms.endpoints {
        let detail = endpoint.detail.as_ref().map(|detail| format!(" ({})", clean(detail))).unwrap_or_default();
        let line = format!("{} at {}: {}{detail}", status.kms.kind, endpoint.endpoint, endpoint.state);
        rows.push(vec!["KMS".to_owned(), line]);
    }
    if let Some(space) = &status.space {
        let (free, total) = (size(space.available_bytes), size(space.total_bytes));
        let line = format!("{free} free of {total}, {} in reserve", size(space.reserve_bytes));
        rows.push(vec!["space".to_owned(), line]);
    }
    let memory = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), size);
    let (resident, budget) = (memory(status.memory.resident_bytes), memory(status.memory.budget_bytes));
    rows.push(vec!["memory".to_owned(), format!("{resident} resident, budget {budget}")]);
    rows.push(vec!["held by".to_owned(), format!("process {} for {} s", status.process_id, status.uptime_secs)]);
    let mut text = table(&rows);
    if status.buckets.is_empty() {
        text.push_str("\nno buckets; make one with `strongroom bucket create STORE NAME`\n");
        return text;
    }
    let heading = ["bucket", "state", "files", "bytes", "key", "generation"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(status.buckets.iter().map(bucket_row));
    text.push('\n');
    text.push_str(&table(&rows));
    text
}

fn bucket_row(bucket: &BucketStatus) -> Vec<String> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let reason = bucket.reason.as_ref().map(|reason| format!(" ({})", clean(reason))).unwrap_or_default();
    vec![
        bucket.name.clone(),
        format!("{}{reason}", bucket.state),
        known(bucket.inodes.map(|inodes| inodes.to_string())),
        known(bucket.bytes.map(size)),
        bucket.key_name.clone(),
        known(bucket.generation.map(|generation| generation.to_string())),
    ]
}

/// Buckets for people: one name a line, then key and owner.
pub fn buckets(buckets: &[BucketLine]) -> String {
    let rows = buckets
        .iter()
        .map(|bucket| vec![bucket.name.clone(), bucket.key_name.clone(), format!("{}:{}", bucket.uid, bucket.gid)]);
    table(&rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_one_digit_behind_the_point() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, (5 << 30) + (1 << 29), u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.5 GiB", "15.9 EiB"]);
    }

    #[test]
    fn nothing_from_a_disk_controls_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
