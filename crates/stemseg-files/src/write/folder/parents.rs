//! [`Parents`]: folders that were made so that a result can lie in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use stemseg::{Error, Result};

/// What this process made and has not removed. Shared by all results of a run: whoever goes
/// last tidies up.
static MADE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The folders above a result. Those that were made for one and are still empty when this is
/// dropped are removed: the result did not come.
#[derive(Debug)]
pub(super) struct Parents(PathBuf);

impl Parents {
    /// Makes `folder` and its parents where they are missing, and lets `fill` put something
    /// into it before anybody finds it empty.
    pub(super) fn of<A, B>(
        folder: &Path,
        fill: impl Fn() -> Result<(A, B)>,
    ) -> Result<(Self, A, B)> {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 0..5;
        loop {
            made.extend(folder.ancestors().take_while(|f| !f.exists()).map(Path::to_path_buf));
            let there = fs::create_dir_all(folder).map_err(Error::io(folder));
            match there.and_then(|()| fill()) {
                Ok((a, b)) => return Ok((Self(folder.to_path_buf()), a, b)),
                // Another process removes what it made and found empty: once more.
                Err(_) if !folder.exists() && tries.next().is_some() => {}
                Err(error) => {
                    remove_empty(folder, &mut made);
                    return Err(error);
                }
            }
        }
    }

    /// Those that were made, the deepest first.
    pub(super) fn made(&self) -> Vec<PathBuf> {
        let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let above = self.0.ancestors().take_while(|folder| made.contains(*folder));
        above.map(Path::to_path_buf).collect()
    }
}

/// Removes `folder` and those above it as far as they were `made` and are empty.
fn remove_empty(folder: &Path, made: &mut BTreeSet<PathBuf>) {
    for folder in folder.ancestors() {
        // Refused for a folder that holds something.
        if !made.contains(folder) || fs::remove_dir(folder).is_err() {
            return;
        }
        made.remove(folder);
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        remove_empty(&self.0, &mut MADE.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
