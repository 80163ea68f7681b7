//! Waiting until things are on the disk.

use std::fs::{self, OpenOptions};
use std::path::Path;

use stemseg::threads::{Beside, beside};
use stemseg::{Error, Result};

/// Waits until the files below `folder` are on the disk, so that the rename
/// cannot overtake them and a full disk is noticed.
pub(super) fn sync_tree(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        match path.is_dir() {
            true => sync_tree(&path)?,
            false => files.push(path),
        }
    }
    // Together: a disk takes about as long for several files as for one.
    for batch in files.chunks(16) {
        std::thread::scope(|scope| {
            let waiting: Vec<_> =
                batch.iter().map(|path| beside(scope, move || sync_file(path))).collect();
            waiting.into_iter().map(Beside::join).collect::<Result<Vec<()>>>()
        })?;
    }
    sync_folder(folder);
    Ok(())
}

/// Waits until a file is on the disk. Done as soon as it is written, others can
/// be written meanwhile.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn sync_file(path: &Path) -> Result<()> {
    // Windows flushes only what is open for writing.
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|file| file.sync_all()).map_err(Error::io(path))
}

/// Many network filesystems and Windows cannot sync a folder: no error then.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}
