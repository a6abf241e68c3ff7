//! What an attacker, or a decaying disk, does to a simulated disk: flip, put back, swap, make unreadable.
//!
//! All of it is beneath the rules: durable at once, seen by open handles, not counted, and done with the power off
//! too.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    sync::Arc,
};

use nix::errno::Errno;

use super::{
    SimDisk,
    content::{Content, PAGE_BYTES},
    state::State,
    tree::Ino,
};

/// A copy of a file, or of a directory with all in it, to be put back later.
#[derive(Clone, Debug)]
pub struct Image {
    kind: ImageKind,
}

#[derive(Clone, Debug)]
enum ImageKind {
    File(Arc<Content>),
    Dir(BTreeMap<String, Image>),
}

impl SimDisk {
    /// Inverts the bits of one byte of a file.
    ///
    /// # Errors
    /// `NotFound` and the like for the path; `InvalidInput` for an offset behind the end.
    pub fn flip_byte(&self, path: &str, offset: u64) -> io::Result<()> {
        self.tamper(path, |content| {
            let byte = content.byte(offset).ok_or(ErrorKind::InvalidInput)?;
            content.patch(offset, &[!byte]);
            Ok(())
        })
    }

    /// Overwrites bytes of a file, and extends it if need be.
    ///
    /// # Errors
    /// `NotFound` and the like for the path.
    pub fn patch(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.tamper(path, |content| {
            content.patch(offset, bytes);
            Ok(())
        })
    }

    /// Sets the length of a file, durably; what else was not synced is durable then too.
    ///
    /// # Errors
    /// `NotFound` and the like for the path.
    pub fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        self.tamper(path, |content| {
            content.set_len(len);
            *content = content.settled();
            Ok(())
        })
    }

    /// Makes a 4 KiB page of a file unreadable (EIO) until it is written and synced. `page` counts from 0.
    ///
    /// # Errors
    /// `NotFound` and the like for the path; `InvalidInput` for a page behind the end.
    pub fn make_unreadable(&self, path: &str, page: u64) -> io::Result<()> {
        self.tamper(path, |content| {
            content.byte(page.saturating_mul(PAGE_BYTES)).ok_or(ErrorKind::InvalidInput)?;
            content.make_unreadable(page);
            Ok(())
        })
    }

    /// Exchanges the contents of two files.
    ///
    /// # Errors
    /// `NotFound` and the like for the paths.
    pub fn swap(&self, one: &str, other: &str) -> io::Result<()> {
        let (first, second) = (self.snapshot(one)?, self.snapshot(other)?);
        self.restore(one, &second)?;
        self.restore(other, &first)
    }

    /// Copies a file, or a directory with all in it (`""` is the whole disk), as programs see it now.
    ///
    /// # Errors
    /// `NotFound` and the like for the path.
    pub fn snapshot(&self, path: &str) -> io::Result<Image> {
        let state = self.state();
        image(&state, state.names.resolve(path)?)
    }

    /// Puts a copy back, here or elsewhere: what is at `path` becomes what was copied, durably. Open handles of files
    /// that are there see the old content again.
    ///
    /// # Errors
    /// `NotFound` when the parent does not exist; `IsADirectory` or `NotADirectory` when the kinds differ.
    pub fn restore(&self, path: &str, image: &Image) -> io::Result<()> {
        let mut state = self.state();
        restore(&mut state, path, image)
    }

    fn tamper(&self, path: &str, run: impl FnOnce(&mut Content) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state();
        let ino = state.names.resolve_file(path)?;
        let mut outcome = Ok(());
        state.change(ino, |content, _| outcome = run(content))?;
        outcome
    }
}

fn image(state: &State, ino: Ino) -> io::Result<Image> {
    let kind = match state.names.cached().entries(ino) {
        Some(entries) => {
            let images = entries.iter().map(|(name, ino)| Ok((name.clone(), image(state, *ino)?)));
            ImageKind::Dir(images.collect::<io::Result<_>>()?)
        }
        None => {
            let node = state.nodes.get(&ino).ok_or(Errno::ENOENT)?;
            ImageKind::File(Arc::new(node.content.settled()))
        }
    };
    Ok(Image { kind })
}

fn restore(state: &mut State, path: &str, image: &Image) -> io::Result<()> {
    match &image.kind {
        ImageKind::File(content) => {
            match state.names.resolve_file(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let ino = state.create(path)?;
                    state.close(ino);
                    sync_parent(state, path)?;
                }
                Err(error) => return Err(error),
                Ok(_) => {}
            }
            let ino = state.names.resolve_file(path)?;
            state.change(ino, |old, _| *old = Content::clone(content))
        }
        ImageKind::Dir(images) => {
            if state.names.resolve(path).is_err() {
                state.create_dir(path)?;
                sync_parent(state, path)?;
            }
            for entry in state.list(path)? {
                if !images.contains_key(&entry.name) {
                    remove_all(state, &join(path, &entry.name), entry.is_dir)?;
                }
            }
            for (name, image) in images {
                restore(state, &join(path, name), image)?;
            }
            state.sync_dir(path)
        }
    }
}

fn remove_all(state: &mut State, path: &str, is_dir: bool) -> io::Result<()> {
    if !is_dir {
        return state.remove_file(path);
    }
    for entry in state.list(path)? {
        remove_all(state, &join(path, &entry.name), entry.is_dir)?;
    }
    state.names.remove_dir(path)
}

fn sync_parent(state: &mut State, path: &str) -> io::Result<()> {
    state.sync_dir(path.rsplit_once('/').map_or("", |(parent, _)| parent))
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}
