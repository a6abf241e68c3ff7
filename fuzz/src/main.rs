//! libFuzzer over the target that `FUZZ_TARGET` names. Its arguments are libFuzzer's own.
//!
//! `FUZZ_TARGET=list` prints the names of all targets; with `FUZZ_SEEDS=DIRECTORY` the seeds of the target are written
//! there and nothing is run.
#![no_main]

use std::{
    env,
    io::{self, Write},
    path::Path,
    process::exit,
    sync::OnceLock,
};
use strongroom::fuzzing::Target;
use strongroom_fuzz::{target, targets, write_seeds};

static TARGET: OnceLock<Target> = OnceLock::new();

fn choose() {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    if name == "list" {
        let names: String = targets().iter().map(|target| format!("{}\n", target.name)).collect();
        exit(i32::from(io::stdout().write_all(names.as_bytes()).is_err()));
    }
    let Some(found) = target(&name) else {
        eprintln!("FUZZ_TARGET={name:?} is no target; FUZZ_TARGET=list prints them");
        exit(2);
    };
    if let Some(directory) = env::var_os("FUZZ_SEEDS") {
        let written = write_seeds(&found, Path::new(&directory));
        if let Err(error) = &written {
            eprintln!("{}: {error}", Path::new(&directory).display());
        }
        exit(i32::from(written.is_err()));
    }
    TARGET.get_or_init(|| found);
}

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});
