//! Every decoder and parser of the core, as a function over any bytes, with seeds made by the encoders.
//!
//! Not for programs: the package `strongroom-fuzz` runs these under libFuzzer, and a test here runs them over their
//! seeds and over seeds with damage. A target panics when a promise is broken: bytes that decode are encoded to the
//! same bytes again where the format is canonical, else to a record that decodes to the same; nothing panics.

mod checked;
mod crypt;
mod fixture;
mod kms;
mod log;
mod records;
mod store;

pub use checked::{Checked, with_crc};
pub use fixture::{BUCKET, Fixture, fixture};

/// One decoder.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, with the room in front.
    pub name: &'static str,
    /// Feeds it any bytes.
    pub run: fn(&[u8]),
    /// Bytes that it takes, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of the core.
#[must_use]
pub fn targets() -> Vec<Target> {
    [
        records::TARGETS,
        log::TARGETS,
        crypt::TARGETS,
        kms::TARGETS,
        store::TARGETS,
        crate::bucket::fuzzing::TARGETS,
        crate::fs::fuzzing::TARGETS,
        crate::tree::fuzzing::TARGETS,
    ]
    .concat()
}

/// Runs a target over its seeds, over every prefix of each, and over each with one byte changed.
pub fn exercise(target: &Target) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    (target.run)(&[]);
    for seed in &seeds {
        (target.run)(seed);
        let step = seed.len() / 200 + 1;
        for at in (0..seed.len()).step_by(step) {
            (target.run)(seed.get(..at).unwrap_or_default());
            for change in [1, 0x80, 0xff] {
                let mut damaged = seed.clone();
                if let Some(byte) = damaged.get_mut(at) {
                    *byte ^= change;
                }
                (target.run)(&damaged);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decoder_takes_its_seeds_and_any_damage() {
        for target in targets() {
            exercise(&target);
        }
    }

    #[test]
    fn names_of_targets_are_unique() {
        let mut names: Vec<_> = targets().iter().map(|target| target.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
