//! What stands behind `-o`, in the words of mount(8).

use nix::mount::MsFlags;

/// A word of `-o` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Not an option of ours.
    #[error(
        "unknown mount option {0:?}; known are ro, rw, allow_other, noallow_other, dev, nodev, suid, nosuid, exec, noexec, sync, dirsync, noatime"
    )]
    Unknown(String),
}

/// Mount options. The kernel always checks permissions by itself (`default_permissions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MountOptions {
    /// No changes through the mount (S3 still makes them).
    pub read_only: bool,
    /// Whether other users may enter; `None`: if the system lets us.
    pub allow_other: Option<bool>,
    /// Device files work.
    pub dev: bool,
    /// Setuid and setgid bits work.
    pub suid: bool,
    /// Programs cannot be run.
    pub noexec: bool,
    /// Every write waits for the disk.
    pub sync: bool,
    /// Every change of a directory waits for the disk.
    pub dirsync: bool,
}

impl MountOptions {
    /// Adds a list of options separated by commas; a later word overrides an earlier one.
    ///
    /// # Errors
    /// [`OptionError::Unknown`] names the first word that is not known.
    pub fn parse(&mut self, list: &str) -> Result<(), OptionError> {
        for word in list.split(',').filter(|word| !word.is_empty()) {
            match word {
                "ro" => self.read_only = true,
                "rw" => self.read_only = false,
                "allow_other" => self.allow_other = Some(true),
                "noallow_other" => self.allow_other = Some(false),
                "dev" => self.dev = true,
                "nodev" => self.dev = false,
                "suid" => self.suid = true,
                "nosuid" => self.suid = false,
                "exec" => self.noexec = false,
                "noexec" => self.noexec = true,
                "sync" => self.sync = true,
                "async" => self.sync = false,
                "dirsync" => self.dirsync = true,
                // What is always so, and what mount(8) and fstab(5) say to others than us.
                "defaults" | "default_permissions" | "noatime" | "auto" | "noauto" | "nofail" | "_netdev" => {}
                other if other.starts_with("x-") => {}
                other => return Err(OptionError::Unknown(other.to_owned())),
            }
        }
        Ok(())
    }

    /// As flags of mount(2).
    pub(super) fn flags(self) -> MsFlags {
        let mut flags = MsFlags::MS_NOATIME;
        for (set, flag) in [
            (self.read_only, MsFlags::MS_RDONLY),
            (!self.dev, MsFlags::MS_NODEV),
            (!self.suid, MsFlags::MS_NOSUID),
            (self.noexec, MsFlags::MS_NOEXEC),
            (self.sync, MsFlags::MS_SYNCHRONOUS),
            (self.dirsync, MsFlags::MS_DIRSYNC),
        ] {
            flags.set(flag, set);
        }
        flags
    }

    /// As words for fusermount3, which takes no `dev` or `suid` from ordinary users and says so.
    pub(super) fn words(self) -> Vec<&'static str> {
        let mut words = vec!["default_permissions", "noatime"];
        for (set, word) in [
            (self.read_only, "ro"),
            (self.allow_other == Some(true), "allow_other"),
            (self.dev, "dev"),
            (self.suid, "suid"),
            (self.noexec, "noexec"),
            (self.sync, "sync"),
            (self.dirsync, "dirsync"),
        ] {
            if set {
                words.push(word);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_words_override_earlier_ones() {
        let mut options = MountOptions::default();
        options.parse("ro,allow_other,,x-systemd.requires=network.target").unwrap();
        options.parse("rw,noexec").unwrap();
        let expected = MountOptions { allow_other: Some(true), noexec: true, ..MountOptions::default() };
        assert_eq!(options, expected);
    }

    #[test]
    fn an_unknown_word_is_named() {
        let error = MountOptions::default().parse("ro,writeback").unwrap_err();
        assert_eq!(error, OptionError::Unknown("writeback".to_owned()));
        assert!(error.to_string().contains("writeback"));
    }

    #[test]
    fn devices_and_setuid_do_not_work_unless_asked_for() {
        let flags = MountOptions::default().flags();
        assert!(flags.contains(MsFlags::MS_NODEV | MsFlags::MS_NOSUID));
        assert!(!flags.contains(MsFlags::MS_RDONLY));
    }
}
