//! [`Staging`]: the hidden folder next to a target in which it is made.
//!
//! It has one name for each target, so that making the folder keeps two runs apart, and
//! holds a file that the system locks for as long as the process lives. Whoever gets the
//! lock of a folder that is there already has found what a killed run left.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::recover;
use super::{kind_of, parent_of};
use stemseg::{Error, Result};

/// The file that is locked; it says whose folder it is in.
const LOCK: &str = "lock";
/// What is made.
pub(super) const NEW: &str = "new";
/// What it replaces, from when it has left its name to when it is deleted.
pub(super) const OLD: &str = "old";
/// There as long as things of the user may be in here.
pub(super) const REPLACING: &str = "replacing";

/// Between the target's name and what tells targets apart.
const KIND: &str = ".tmp-";
/// Digits of what tells them apart.
const DIGITS: usize = 10;

/// A hidden folder that is locked, removed when dropped.
#[derive(Debug)]
pub(super) struct Staging {
    folder: PathBuf,
    /// Nothing on file systems that have no locks.
    lock: Option<File>,
    /// Set where it holds what is not to be deleted.
    kept: bool,
    /// What was found of killed runs, in words.
    notes: Vec<String>,
}

/// In the locked file.
#[derive(Serialize, Deserialize)]
struct Owner {
    made_by: String,
    target: OsString,
}

/// A way to lock a file, as [`File::try_lock`].
pub(super) type TryLock = dyn Fn(&File) -> Result<(), TryLockError>;

/// What comes of trying to take a hidden folder.
enum Taken {
    Mine(Staging),
    /// Another process has it.
    Held,
    /// It cannot be told who has it, or it holds what cannot be moved out of it.
    Unusable,
    /// It went away meanwhile.
    Gone,
}

/// What comes of trying a lock.
enum Lock {
    Got(File),
    Held,
    /// The file system has none.
    Unknown,
    Gone,
}

impl Staging {
    /// Takes the hidden folder of `target`, whose parent exists. What a killed run left in
    /// it is put back or deleted first.
    ///
    /// # Errors
    /// [`Error::Busy`] where another run has it, [`Error::Io`] where nothing can be written.
    pub(super) fn claim(target: &Path) -> Result<Self> {
        Self::claim_with(target, &File::try_lock)
    }

    /// The same with a way to lock files.
    pub(super) fn claim_with(target: &Path, lock: &TryLock) -> Result<Self> {
        let mut number = 0;
        loop {
            match take(&hidden(target, number), target, lock)? {
                Taken::Mine(staging) => return Ok(staging),
                Taken::Held => return Err(Error::Busy(target.to_path_buf())),
                Taken::Unusable => number += 1,
                Taken::Gone => {}
            }
        }
    }

    /// Where what is made lies.
    pub(super) fn new_path(&self) -> PathBuf {
        self.folder.join(NEW)
    }

    /// Where what it replaces goes.
    pub(super) fn old_path(&self) -> PathBuf {
        self.folder.join(OLD)
    }

    /// The file that says that things of the user may be in here.
    pub(super) fn marker(&self) -> PathBuf {
        self.folder.join(REPLACING)
    }

    /// Whether everything in it is left where it is, for the next run to put back.
    pub(super) fn keep(&mut self, keep: bool) {
        self.kept = keep;
    }

    /// What was found of killed runs, in words.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.kept {
            // Made by this run, every file of it.
            let new = self.new_path();
            let _ = fs::remove_dir_all(&new).or_else(|_| fs::remove_file(&new));
            let _ = fs::remove_file(self.marker());
        }
        release(&self.folder, self.lock.take());
    }
}

/// Removes a hidden folder, unless there is something in it besides the lock.
pub(super) fn release(folder: &Path, lock: Option<File>) {
    let only_lock = |name: OsString| name == LOCK;
    let empty = fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| only_lock(entry.file_name())))
    });
    if empty {
        // While it is locked: whoever opens it later finds that it has no name any more.
        let _ = fs::remove_file(folder.join(LOCK));
        drop(lock);
        let _ = fs::remove_dir(folder);
    }
}

/// The hidden folder of `target`, or another one where that is of no use.
fn hidden(target: &Path, number: usize) -> PathBuf {
    let name = target.file_name().unwrap_or_default();
    let digest = Sha256::digest(name.as_encoded_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    // Names have at most 255 bytes, of which a character takes up to four.
    let short: String = name.to_string_lossy().chars().take(50).collect();
    let more = if number > 0 { format!("-{number}") } else { String::new() };
    parent_of(target).join(format!(".{short}{KIND}{}{more}", &digest[..DIGITS]))
}

/// Whether a name could be that of a hidden folder.
pub(super) fn is_hidden_name(name: &str) -> bool {
    let Some((_, end)) = name.strip_prefix('.').and_then(|name| name.rsplit_once(KIND)) else {
        return false;
    };
    let (digest, number) = end.split_once('-').unwrap_or((end, "0"));
    digest.len() == DIGITS
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        && number.parse::<usize>().is_ok()
}

fn take(folder: &Path, target: &Path, lock: &TryLock) -> Result<Taken> {
    // The kind alone: the message would be about a hidden name.
    let failed = |error: std::io::Error| Error::io(parent_of(target))(error.kind().into());
    let fresh = match fs::create_dir(folder) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(failed(error)),
    };
    if !fresh && !kind_of(folder)?.is_some_and(|kind| kind.is_dir()) {
        return Ok(Taken::Unusable);
    }
    let locked = try_lock(folder, true, lock).map_err(|error| {
        let _ = fs::remove_dir(folder);
        failed(error)
    });
    let mut lock = match locked? {
        Lock::Got(file) => Some(file),
        Lock::Held => return Ok(Taken::Held),
        Lock::Gone => return Ok(Taken::Gone),
        Lock::Unknown if fresh => None,
        Lock::Unknown => return Ok(Taken::Unusable),
    };
    let Ok(Ok(notes)) = recover::settle(folder, target) else {
        // What is in it is of use to somebody.
        return Ok(Taken::Unusable);
    };
    if let Some(file) = &mut lock {
        let made_by = format!("stemseg {}", env!("CARGO_PKG_VERSION"));
        let target = target.file_name().unwrap_or_default().to_owned();
        let owner = serde_json::to_vec(&Owner { made_by, target }).unwrap_or_default();
        if let Err(error) = file.set_len(0).and_then(|()| file.write_all(&owner)) {
            release(folder, lock);
            return Err(failed(error));
        }
    }
    Ok(Taken::Mine(Staging { folder: folder.to_path_buf(), lock, kept: false, notes }))
}

/// Locks the file in a hidden folder; `create` where it is to be made.
fn try_lock(folder: &Path, create: bool, lock: &TryLock) -> std::io::Result<Lock> {
    let path = folder.join(LOCK);
    if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Ok(Lock::Unknown);
    }
    let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(&path);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Lock::Gone),
        Err(error) => return Err(error),
    };
    match lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Lock::Held),
        Err(TryLockError::Error(_)) => return Ok(Lock::Unknown),
    }
    // Its last owner may have removed it before it gave the lock back.
    let there = same_file::Handle::from_path(&path);
    let same = there.is_ok_and(|there| {
        let ours = file.try_clone().and_then(same_file::Handle::from_file);
        ours.is_ok_and(|ours| ours == there)
    });
    Ok(if same { Lock::Got(file) } else { Lock::Gone })
}

/// A hidden folder that a killed run left, locked, with the target that it is of.
pub(super) fn leftover(folder: &Path) -> Option<(File, PathBuf)> {
    let Ok(Lock::Got(lock)) = try_lock(folder, false, &File::try_lock) else {
        return None;
    };
    let text = fs::read(folder.join(LOCK)).ok()?;
    let target = match serde_json::from_slice::<Owner>(&text) {
        Ok(owner) => parent_of(folder).join(owner.target),
        // Killed before it was written: there is nothing else in it, then.
        Err(_) if text.is_empty() => {
            release(folder, Some(lock));
            return None;
        }
        Err(_) => return None,
    };
    // Whoever renames or copies such a folder has not made it a leftover of that target.
    let number = folder.file_name()?.to_str()?.rsplit_once(KIND)?.1.split_once('-');
    let number = number.map_or(Some(0), |(_, number)| number.parse().ok())?;
    (hidden(&target, number) == folder).then_some((lock, target))
}
