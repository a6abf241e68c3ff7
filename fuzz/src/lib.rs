//! The fuzz targets of all packages, found by name.

use std::{fs, io, path::Path};
use strongroom::fuzzing::Target;

/// All targets, in the order in which they run.
#[must_use]
pub fn targets() -> Vec<Target> {
    [strongroom::fuzzing::targets(), strongroom_s3gw::fuzzing::targets(), strongroom_mountd::fuzzing::targets()]
        .concat()
}

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    targets().into_iter().find(|target| target.name == name)
}

/// Writes the seeds of a target into a directory, one a file.
///
/// # Errors
/// Those of the file system.
pub fn write_seeds(target: &Target, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        fs::write(directory.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parser_of_the_adapters_takes_its_seeds_and_any_damage() {
        for target in targets() {
            if target.name.starts_with("s3gw-") || target.name.starts_with("mountd-") {
                strongroom::fuzzing::exercise(&target);
            }
        }
    }

    #[test]
    fn a_target_is_found_by_its_name_and_writes_its_seeds() {
        let directory = std::env::temp_dir().join(format!("strongroom-fuzz-{}", std::process::id()));
        let found = target("log-batch").unwrap();
        write_seeds(&found, &directory).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), (found.seeds)().len());
        fs::remove_dir_all(&directory).unwrap();
        assert!(target("nothing").is_none());
    }
}
