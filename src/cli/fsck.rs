//! `fsck`: by the daemon that holds the store, or here.

use super::{
    args::FsckArgs,
    client::Client,
    failure::{Failure, Outcome},
    show,
};
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};
use strongroom::{
    admin::{FsckError, FsckFinding, FsckReport, Severity, control::FsckRequest, fsck_closed},
    store::StoreOptions,
};

/// How often progress is shown.
const SHOW_INTERVAL: Duration = Duration::from_millis(200);

/// Checks a store and shows the report.
pub fn run(arg: &FsckArgs, json: bool) -> Result<Outcome, Failure> {
    let accepts = arg.accept_catalog_loss || !arg.accept_loss.is_empty();
    let report: FsckReport = match Client::find(&arg.store)? {
        Some(_) if accepts => {
            return Err(Failure::said(
                "losses are accepted only while no daemon holds the store; stop the daemon and run this again",
            ));
        }
        Some(client) => client.post("/v1/fsck", &FsckRequest::default())?,
        None => {
            let mut options = StoreOptions::from_environment(arg.store.clone(), false)?;
            options.accept_loss = arg.accept_catalog_loss;
            let mut progress = Progress::new();
            let outcome = fsck_closed(options, &arg.accept_loss, &mut |bucket, bytes| progress.show(bucket, bytes));
            progress.clear();
            outcome.map_err(|error| match error {
                FsckError::Open(error) => super::target::refused(error),
                error @ FsckError::NoSuchBucket(_) => Failure::said(error.to_string()),
            })?
        }
    };
    show::print(&if json { show::json(&report)? } else { text(&report) })?;
    Ok(if report.clean { Outcome::Done } else { Outcome::Problems })
}

/// One line on standard error that is written over, when somebody looks.
struct Progress {
    shown: Option<Instant>,
    wanted: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: None, wanted: io::stderr().is_terminal() }
    }

    fn show(&mut self, bucket: &str, bytes: u64) {
        if self.wanted && self.shown.is_none_or(|shown| shown.elapsed() >= SHOW_INTERVAL) {
            let _ = write!(io::stderr(), "\r\x1b[Kchecking {}: {}", show::clean(bucket), show::size(bytes));
            self.shown = Some(Instant::now());
        }
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// A report for people: what is wrong, one line each, then what that means.
fn text(report: &FsckReport) -> String {
    let mut text: String = report.findings.iter().map(line).collect();
    for name in &report.accepted {
        text.push_str(&format!("accepted: what {} lost; it may be written again\n", show::clean(name)));
    }
    for path in &report.unknown {
        text.push_str(&format!("unknown: {} belongs to nothing in this store; it was left alone\n", show::clean(path)));
    }
    let checked = &report.checked;
    text.push_str(&format!(
        "{}: {} buckets, {} files, {} of content opened, {} on disk checked\n",
        if report.clean { "clean" } else { "problems found" },
        checked.buckets,
        checked.files,
        show::size(checked.content_bytes),
        show::size(checked.disk_bytes),
    ));
    if report.findings.iter().any(|finding| finding.severity == Severity::Lost) {
        text.push_str(
            "what is named as lost cannot be read: restore those objects from a backup, or remove them. A bucket that is \
             read-only because of a loss is let to be written again by `strongroom fsck --accept-loss BUCKET STORE`\n",
        );
    }
    text
}

fn line(finding: &FsckFinding) -> String {
    let mut line = match finding.severity {
        Severity::Lost => "lost".to_owned(),
        Severity::Redundant => "redundant".to_owned(),
        Severity::Repaired => "repaired".to_owned(),
    };
    if let Some(bucket) = &finding.bucket {
        line.push_str(&format!(": bucket {}", show::clean(bucket)));
    }
    if let Some(file) = &finding.file {
        line.push_str(&format!(": {}", show::clean(file)));
    }
    if let (Some(offset), Some(len)) = (finding.offset, finding.len) {
        line.push_str(&format!(" at {offset}+{len}"));
    }
    line.push_str(&format!(": {}", show::clean(&finding.what)));
    if !finding.objects.is_empty() {
        let keys: Vec<String> = finding.objects.iter().map(|key| show::clean(key)).collect();
        line.push_str(&format!("; concerns {}", keys.join(", ")));
        if let Some((start, end)) = finding.object_range {
            line.push_str(&format!(" (bytes {start}-{end})"));
        }
    }
    line.push('\n');
    line
}
