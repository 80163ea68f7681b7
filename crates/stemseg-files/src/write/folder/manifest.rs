//! [`Manifest`]: which files and folders of a result stemseg made.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use walkdir::{DirEntry, WalkDir};

use super::kind_of;
use stemseg::{Error, Result};

/// The file that lists the others, itself included.
pub(super) const SUMMARY: &str = "summary.json";

/// The key by which a summary is known to be stemseg's, and that of the list.
pub(super) const VERSION: &str = "stemseg_version";
pub(super) const FILES: &str = "files";

/// What a result consists of, as paths below its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Manifest {
    /// Everything that lies below `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let mut all = Self::default();
        for entry in walk(folder, |_| true) {
            let (entry, path) = entry?;
            let set = if entry.file_type().is_dir() { &mut all.folders } else { &mut all.files };
            set.insert(path);
        }
        Ok(all)
    }

    /// The list in the summary of a result, with what it says of itself in `Err`: why it is
    /// none that could be trusted to name what may be deleted.
    ///
    /// # Errors
    /// In the outer result where the file cannot be read.
    pub(super) fn read(folder: &Path) -> Result<Result<Self, String>> {
        let path = folder.join(SUMMARY);
        match kind_of(&path)? {
            None => return Ok(Err(format!("this folder has no {SUMMARY}"))),
            // A link could lead to the list of another folder, a pipe would never end.
            Some(kind) if !kind.is_file() => {
                return Ok(Err(format!("its {SUMMARY} is not a file")));
            }
            Some(_) => {}
        }
        let text = fs::read(&path).map_err(Error::io(&path))?;
        Ok(serde_json::from_slice(&text).map_or(Err(not_of_stemseg()), |value| Self::parse(&value)))
    }

    fn parse(summary: &Value) -> Result<Self, String> {
        if !summary.get(VERSION).is_some_and(Value::is_string) {
            return Err(not_of_stemseg());
        }
        let mut all = Self::default();
        for name in summary.get(FILES).and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            let path = Path::new(name);
            // Rebuilt from its parts: no `..`, nothing absolute, no drive.
            let within = path.components().all(|part| matches!(part, Component::Normal(_)));
            if !within || name.is_empty() {
                return Err(format!("its {SUMMARY} lists '{name}', which is not a path within it"));
            }
            let set = if name.ends_with('/') { &mut all.folders } else { &mut all.files };
            set.insert(path.components().collect());
        }
        if !all.files.contains(Path::new(SUMMARY)) {
            let reason = "does not list all files of the result, as those of earlier versions";
            return Err(format!("its {SUMMARY} {reason}"));
        }
        Ok(all)
    }

    /// What `folder` lacks of it, or has of another kind, in words.
    ///
    /// # Errors
    /// Where something cannot be looked at.
    pub(super) fn lacks(&self, folder: &Path) -> Result<Option<String>> {
        for path in self.folders.iter().chain(&self.files) {
            let name = path.display();
            let is_folder = self.folders.contains(path);
            let parents = path.ancestors().skip(1).filter(|parent| *parent != Path::new(""));
            if parents.into_iter().any(|parent| !self.folders.contains(parent)) {
                return Ok(Some(format!("its {SUMMARY} lists {name} but not the folder of it")));
            }
            match kind_of(&folder.join(path))? {
                None => return Ok(Some(format!("{name} of its {SUMMARY} is missing"))),
                Some(kind) if is_folder && kind.is_dir() => {}
                Some(kind) if !is_folder && kind.is_file() => {}
                Some(_) => {
                    let word = if is_folder { "folder" } else { "file" };
                    return Ok(Some(format!("{name} of its {SUMMARY} is not a {word} any more")));
                }
            }
        }
        Ok(None)
    }

    fn contains(&self, path: &Path) -> bool {
        self.files.contains(path) || self.folders.contains(path)
    }

    /// The uppermost things in `folder` that are not of the result: the user's.
    ///
    /// # Errors
    /// Where a folder cannot be listed.
    pub(super) fn guests(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut guests = Vec::new();
        let own = |path: &Path, is_folder: bool| match is_folder {
            true => self.folders.contains(path),
            false => self.files.contains(path),
        };
        for entry in walk(folder, |below| self.folders.contains(below)) {
            let (entry, path) = entry?;
            let kind = entry.file_type();
            if kind.is_symlink() || !own(&path, kind.is_dir()) {
                guests.push(path);
            }
        }
        Ok(guests)
    }

    /// The first of `guests` that is in the way of what the result holds.
    pub(super) fn collision<'a>(&self, guests: &'a [PathBuf]) -> Option<&'a Path> {
        let in_the_way = |guest: &&PathBuf| {
            self.contains(guest) || guest.ancestors().any(|above| self.files.contains(above))
        };
        guests.iter().find(in_the_way).map(PathBuf::as_path)
    }

    /// Deletes what is of the result, file by file, and then the folders that nothing is
    /// left in; the summary last, so that whoever goes on with it finds the list.
    ///
    /// True if `folder` itself is gone.
    ///
    /// # Errors
    /// Where something cannot be deleted.
    pub(super) fn delete(&self, folder: &Path) -> Result<bool> {
        let summary = Path::new(SUMMARY);
        let entries = walk(folder, |below| self.folders.contains(below));
        // From the end: what is in a folder comes before it.
        for (entry, path) in entries.collect::<Result<Vec<_>>>()?.into_iter().rev() {
            let kind = entry.file_type();
            let gone = match (kind.is_dir(), kind.is_file()) {
                (true, _) if self.folders.contains(&path) => remove_folder(entry.path()),
                (_, true) if self.files.contains(&path) && path != summary => {
                    fs::remove_file(entry.path())
                }
                _ => Ok(()),
            };
            gone.map_err(Error::io(entry.path()))?;
        }
        let names = fs::read_dir(folder).map_err(Error::io(folder))?;
        let names: Vec<_> = names.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
        if names.iter().any(|name| name != SUMMARY) {
            return Ok(false);
        }
        if self.files.contains(summary) && !names.is_empty() {
            let path = folder.join(SUMMARY);
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        Ok(fs::remove_dir(folder).is_ok())
    }

    /// As `summary.json` has it: folders end with a slash.
    ///
    /// # Errors
    /// For a name that is no Unicode, which JSON cannot hold.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let name = |path: &Path, end: &str| {
            let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
            let failed = || Error::io(path)(ErrorKind::InvalidFilename.into());
            Ok(parts.ok_or_else(failed)?.join("/") + end)
        };
        let files = self.files.iter().map(|path| name(path, ""));
        let folders = self.folders.iter().map(|path| name(path, "/"));
        let mut names = files.chain(folders).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    /// The same with one file more.
    pub(super) fn with(mut self, file: &str) -> Self {
        self.files.insert(file.into());
        self
    }
}

/// A file that `guests` must not have the name of, where it is known before it is made:
/// the first guest that is in the way of one of `planned`.
pub(super) fn in_the_way<'a>(guests: &'a [PathBuf], planned: &[String]) -> Option<&'a Path> {
    let blocks = |guest: &&PathBuf| planned.iter().any(|name| Path::new(name).starts_with(guest));
    guests.iter().find(blocks).map(PathBuf::as_path)
}

fn not_of_stemseg() -> String {
    format!("its {SUMMARY} was not written by stemseg")
}

/// Removes a folder, unless there is something in it.
fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}

fn below(folder: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_path_buf()
}

/// What is below `folder`, each with its path below it; links are not followed, and
/// folders are entered where `enter` says so of their path.
fn walk<'a>(
    folder: &'a Path,
    enter: impl Fn(&Path) -> bool + 'a,
) -> impl Iterator<Item = Result<(DirEntry, PathBuf)>> + 'a {
    let mut entries = WalkDir::new(folder).min_depth(1).follow_links(false).into_iter();
    std::iter::from_fn(move || {
        let entry = match entries.next()? {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                return Some(Err(Error::io(path)(error.into())));
            }
        };
        let path = below(folder, entry.path());
        if entry.file_type().is_dir() && !enter(&path) {
            entries.skip_current_dir();
        }
        Some(Ok((entry, path)))
    })
}
