//! What is on the disk of results that are not whole yet, for a program that has to end at
//! once.
//!
//! Whatever ends by an error or a panic drops its [`ResultFolder`](super::ResultFolder), which
//! removes them. Where memory is refused there is no way back through the callers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Each hidden folder, and the folders that were made for it, the deepest first.
static UNFINISHED: Mutex<Vec<(PathBuf, Vec<PathBuf>)>> = Mutex::new(Vec::new());

/// A folder that is on the list while this lives, and removed by [`remove_unfinished`].
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    pub(super) fn new(folder: &Path, parents: &[PathBuf]) -> Self {
        list(|all| all.push((folder.to_path_buf(), parents.to_vec())));
        Self(folder.to_path_buf())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        list(|all| all.retain(|(folder, _)| *folder != self.0));
    }
}

fn list<T>(change: impl FnOnce(&mut Vec<(PathBuf, Vec<PathBuf>)>) -> T) -> T {
    change(&mut UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Removes all result folders in the making, and the empty folders that were made for them:
/// for a program that ends without dropping them.
pub fn remove_unfinished() {
    // Another thread may still write into them, though not for long.
    const TRIES: usize = 20;
    // Nothing waits for a lock here, whose owner may be the very thread that ends.
    let Ok(folders) = UNFINISHED.try_lock().map(|mut all| std::mem::take(&mut *all)) else {
        return;
    };
    for (folder, parents) in folders.iter().rev() {
        for _ in 0..TRIES {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => break,
            }
        }
        for parent in parents {
            // Refused for a folder that holds something.
            let _ = fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ResultFolder;
    use super::*;

    #[test]
    fn results_in_the_making_are_known_until_they_are_whole_or_dropped() {
        let place = tempfile::tempdir().unwrap();
        let known = |folder: &Path| list(|all| all.iter().any(|(f, _)| f == folder));
        let result = ResultFolder::create(&place.path().join("a"), false, &[]).unwrap();
        let hidden = result.path("x").ancestors().nth(2).unwrap().to_path_buf();
        assert!(known(&hidden));
        result.commit(&mut Default::default()).unwrap();
        assert!(!known(&hidden));
    }
}
