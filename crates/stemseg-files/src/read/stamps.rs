//! [`Stamps`]: files as they were when reading began, to notice those that change.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use stemseg::{Error, Result};

/// Files, and what tells each from one that was written to or replaced.
#[derive(Debug, Clone, Default)]
pub struct Stamps(Vec<(PathBuf, Stamp)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device, file number, and the time of the last change, which cannot be set back.
    #[cfg(unix)]
    node: [i64; 4],
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            node: node(&metadata),
        })
    }
}

#[cfg(unix)]
fn node(metadata: &std::fs::Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt;
    [metadata.dev() as i64, metadata.ino() as i64, metadata.ctime(), metadata.ctime_nsec()]
}

impl Stamps {
    /// Of files that are there.
    ///
    /// # Errors
    /// [`Error::Io`] with the path of one that is not.
    pub fn of(files: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let mut stamps = Self::default();
        files.into_iter().try_for_each(|file| stamps.add(file))?;
        Ok(stamps)
    }

    /// Adds a file.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) fn add(&mut self, file: PathBuf) -> Result<()> {
        let stamp = Stamp::of(&file).map_err(Error::io(&file))?;
        self.0.push((file, stamp));
        Ok(())
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, stamp)| stamp.length).sum()
    }

    /// Checks that all files are as they were.
    ///
    /// # Errors
    /// [`Error::Unreadable`] that names the first that is not.
    pub fn check(&self) -> Result<()> {
        match self.0.iter().find(|(path, stamp)| Stamp::of(path).ok() != Some(*stamp)) {
            None => Ok(()),
            Some((path, _)) => Err(Error::unreadable(
                path,
                "changed while it was read; wait until nothing writes to it, then try again",
            )),
        }
    }

    /// What came of reading the files, or that one of them changed meanwhile: whatever else
    /// was found in it then means nothing.
    pub(super) fn while_unchanged<T>(&self, read: Result<T>) -> Result<T> {
        self.check().and(read)
    }
}
