//! [`ResultFolder`]: a result folder that appears whole or not at all, and that replaces
//! an earlier one without touching what stemseg did not make.

mod exchange;
mod manifest;
mod parents;
mod recover;
mod staging;
mod sync;

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use self::manifest::{FILES, Manifest, SUMMARY, VERSION};
use self::parents::Parents;
use self::staging::Staging;
use self::sync::{sync_folder, sync_tree};
use super::unfinished::Unfinished;
use stemseg::{Error, Result};

pub use self::recover::sweep;
pub use self::sync::sync_file;

/// A result in the making: a hidden folder next to the target, put into place by
/// [`commit`](Self::commit), removed when dropped before that.
///
/// The hidden folder is locked while the process lives, so that no two runs make one
/// result, and so that what a killed run left is known as such.
#[derive(Debug)]
pub struct ResultFolder {
    target: PathBuf,
    force: bool,
    staging: Staging,
    /// As long as nothing but what this run made lies in `staging`.
    unfinished: Option<Unfinished>,
    /// Dropped after `staging`, which lies in them.
    _parents: Parents,
}

impl ResultFolder {
    /// Starts a result that will become `target`; missing parents are made.
    ///
    /// With `force` an existing target will be replaced, but only an empty folder or a whole
    /// result: one with a `summary.json` that lists all its files, each of which is there.
    /// What else lies in it stays. `planned` are the names in it that are known before, so
    /// that something of the user's that has one of them is noticed now.
    ///
    /// # Errors
    /// [`Error::Exists`] for an existing target without `force`, [`Error::Busy`] where
    /// another run is making it, [`Error::Parameter`] for one that `force` must not replace
    /// and for a path without a name, [`Error::Io`] where the parent cannot be written.
    pub fn create(target: &Path, force: bool, planned: &[String]) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::parameter(
                "out",
                target.display(),
                "this is not the name of a new folder; give one, such as result",
            ));
        };
        // Absolute, so that a change of the working directory does no harm;
        // rebuilt from its parts, since a trailing slash would look through links.
        let target = std::path::absolute(target).map_err(Error::io(target))?;
        let parent = parent_of(&target).to_path_buf();
        let target = parent.join(name);
        check_target(&target, force)?;
        // Dropped last to first: the folders above after what lies in them.
        let (parents, real, staging) = Parents::of(&parent, || {
            // Without links and `..`: `result/../result` would lose its way once
            // the earlier result is moved aside.
            let real = fs::canonicalize(&parent).map_err(Error::io(&parent))?.join(name);
            // What a killed run left is put back by this: look again.
            let staging = Staging::claim(&real).map_err(|error| as_given(error, &target))?;
            Ok((real, staging))
        })?;
        if let Some(earlier) = check_target(&target, force)? {
            let guests = earlier.guests(&target)?;
            if let Some(guest) = manifest::in_the_way(&guests, planned) {
                return Err(in_the_way(&target, guest));
            }
        }
        let new = staging.new_path();
        fs::create_dir(&new).map_err(|error| Error::io(&parent)(error.kind().into()))?;
        let hidden = new.parent().unwrap_or(&new);
        let unfinished = Some(Unfinished::new(hidden, &parents.made()));
        Ok(Self { target: real, force, staging, unfinished, _parents: parents })
    }

    /// What was found of killed runs and put back, in words.
    pub fn notes(&self) -> &[String] {
        self.staging.notes()
    }

    /// Where the folder will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where to write the file `name` (`labels.tif`, `k2/labels.tif`) until the
    /// commit; its sub-folder is made.
    ///
    /// # Panics
    /// If `name` leads out of the folder (absolute, or with `..`).
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        let name = name.as_ref();
        assert!(
            name.components().all(|part| matches!(part, Component::Normal(_))),
            "{} leads out of the result folder",
            name.display()
        );
        let path = self.staging.new_path().join(name);
        if let Some(folder) = path.parent() {
            // Writing the file reports the same trouble with a better name.
            let _ = fs::create_dir_all(folder);
        }
        path
    }

    /// Names of all files and folders that are below the sub-folder `part` by now, with
    /// `summary.json`, which is about to be written there; those of folders end with `/`.
    ///
    /// # Errors
    /// [`Error::Io`] where a folder cannot be listed.
    pub fn files(&self, part: &str) -> Result<Vec<String>> {
        Manifest::of(&self.staging.new_path().join(part))?.with(SUMMARY).names()
    }

    /// Writes `summary` as `summary.json`, with all files of the result under `files` (and
    /// the version of stemseg, if it is not in it), puts the result into place and gives its
    /// path.
    ///
    /// What an earlier result holds in addition to its own files is moved into the new one; then
    /// the two change places, in one step where the system can, and the files of the
    /// earlier one are deleted.
    ///
    /// # Errors
    /// [`Error::Exists`] if the target appeared meanwhile, [`Error::Parameter`] if something
    /// of the user's has the name of a new file, [`Error::Io`] if something could not be
    /// written to the disk or renamed. The earlier result, if any, is then as it was, or
    /// the message says where it is and the next run brings it back.
    pub fn commit(mut self, summary: &mut Map<String, Value>) -> Result<PathBuf> {
        let new = self.staging.new_path();
        self.finish(&new, summary).map_err(|error| self.named(error))?;
        match check_target(&self.target, self.force)? {
            None => exchange::rename_new(&new, &self.target).map_err(|source| {
                let path = self.target.clone();
                match source.kind() {
                    ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => Error::Exists(path),
                    _ => Error::Io { path, source },
                }
            })?,
            Some(earlier) => self.replace(&earlier)?,
        }
        sync_folder(parent_of(&self.target));
        Ok(self.target.clone())
    }

    /// Writes `summary.json`, and waits until all of the result is on the disk.
    fn finish(&self, new: &Path, summary: &mut Map<String, Value>) -> Result<()> {
        summary.entry(VERSION).or_insert_with(|| env!("CARGO_PKG_VERSION").into());
        summary.insert(FILES.into(), self.files("")?.into());
        let path = new.join(SUMMARY);
        fs::write(&path, format!("{:#}\n", Value::from(summary.clone())))
            .map_err(Error::io(path))?;
        sync_tree(new)
    }

    /// `error` with the path that a file in the making will have, instead of the hidden one:
    /// the user knows the former.
    pub fn named(&self, error: Error) -> Error {
        match error {
            Error::Io { path, source } => Error::Io { path: self.final_path(&path), source },
            Error::Unreadable { path, reason } => {
                Error::Unreadable { path: self.final_path(&path), reason }
            }
            other => other,
        }
    }

    fn final_path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.staging.new_path()) {
            Ok(rest) if rest.as_os_str().is_empty() => self.target.clone(),
            Ok(rest) => self.target.join(rest),
            Err(_) => path.to_path_buf(),
        }
    }

    /// Puts the new result in the place of the `earlier` one.
    fn replace(&mut self, earlier: &Manifest) -> Result<()> {
        // From here on it may hold what is the user's.
        self.unfinished = None;
        let (new, target) = (self.staging.new_path(), self.target.clone());
        let guests = earlier.guests(&target)?;
        if let Some(guest) = Manifest::of(&new)?.collision(&guests) {
            return Err(in_the_way(&target, guest));
        }
        let marker = self.staging.marker();
        fs::write(&marker, "what is in here may be the user's\n").map_err(Error::io(&target))?;
        self.staging.keep(true);
        let moved = exchange::carry(&target, &new, &guests).map_err(|(guest, source)| {
            let message = format!("{}: {source}", guest.display());
            Error::Io { path: target.clone(), source: io::Error::new(source.kind(), message) }
        });
        let switched = moved.and_then(|()| {
            same_permissions(&target, &new);
            sync_folder(&new);
            let aside = self.staging.old_path();
            exchange::switch(&new, &target, &aside).map_err(Error::io(&target))
        });
        match switched {
            Ok(aside) => self.discard(earlier, &aside),
            Err(error) => {
                // Where not all is back, the next run tries again.
                let back = exchange::carry_back(&new, &target, &guests);
                self.staging.keep(!back);
                Err(error)
            }
        }
    }

    /// Deletes the `earlier` result at `aside`.
    fn discard(&mut self, earlier: &Manifest, aside: &Path) -> Result<()> {
        sync_folder(parent_of(&self.target));
        let failed = |error: &dyn std::fmt::Display| {
            let place = aside.display();
            let message = format!(
                "the new result is there, but the earlier one, now {place}, cannot be removed: {error}"
            );
            Error::io(&self.target)(io::Error::other(message))
        };
        // What came between the first look and the exchange.
        let late = earlier.guests(aside)?;
        exchange::carry(aside, &self.target, &late).map_err(|(_, error)| failed(&error))?;
        match earlier.delete(aside) {
            Ok(true) => {}
            Ok(false) => return Err(failed(&"something else is in it")),
            Err(error) => return Err(failed(&error)),
        }
        self.staging.keep(false);
        Ok(())
    }
}

/// Puts a file at `path` that appears whole or not at all, in the place of one that may be
/// there; `write` gets it to fill. Of several processes that do so one waits for the other,
/// so that `write` may take over what is there.
///
/// # Errors
/// [`Error::Io`] with the path, [`Error::Busy`] where another process takes minutes, and those
/// of `write`; an earlier file is then as it was.
pub fn replace_file(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(120);
    let begun = Instant::now();
    let staging = loop {
        match Staging::claim(path) {
            Err(Error::Busy(_)) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            claimed => break claimed?,
        }
    };
    let new = staging.new_path();
    let mut file = File::create(&new).map_err(Error::io(path))?;
    write(&mut file)?;
    file.sync_all().map_err(Error::io(path))?;
    drop(file);
    fs::rename(&new, path).map_err(Error::io(path))?;
    sync_folder(parent_of(path));
    Ok(())
}

/// The folder that `path` lies in.
fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// What is at `path` (links not followed), if anything.
fn kind_of(path: &Path) -> Result<Option<FileType>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path)(error)),
    }
}

/// Fails unless `target` is free, or may be replaced under `force`: then gives what of
/// it is the result.
fn check_target(target: &Path, force: bool) -> Result<Option<Manifest>> {
    let Some(kind) = kind_of(target)? else {
        return Ok(None);
    };
    if !force {
        return Err(Error::Exists(target.to_path_buf()));
    }
    let why = if kind.is_symlink() {
        "this is a link".to_owned()
    } else if !kind.is_dir() {
        "this is a file".to_owned()
    } else if fs::read_dir(target).map_err(Error::io(target))?.next().is_none() {
        return Ok(Some(Manifest::default()));
    } else {
        match Manifest::read(target)? {
            Err(why) => why,
            Ok(manifest) => match manifest.lacks(target)? {
                Some(why) => why,
                None => return Ok(Some(manifest)),
            },
        }
    };
    Err(Error::parameter(
        "out",
        target.display(),
        format!(
            "`force = true` replaces only whole results of stemseg, and {why}; \
             give another `out` folder, or remove it yourself"
        ),
    ))
}

fn in_the_way(target: &Path, guest: &Path) -> Error {
    let guest = guest.display();
    let reason = format!(
        "{guest} in it is not part of the earlier result and has the name of something in the \
         new one; rename it, or give another `out` folder"
    );
    Error::parameter("out", target.display(), reason)
}

/// The path as the user gave it, not without its links.
fn as_given(error: Error, target: &Path) -> Error {
    match error {
        Error::Busy(_) => Error::Busy(target.to_path_buf()),
        other => other,
    }
}

/// Lets those who could read and write the earlier folder do the same with the new one.
fn same_permissions(earlier: &Path, new: &Path) {
    if let Ok(found) = fs::metadata(earlier) {
        // A nicety: many file systems have none.
        let _ = fs::set_permissions(new, found.permissions());
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
