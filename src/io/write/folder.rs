//! [`ResultFolder`]: a result folder that appears whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, FileType, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use crate::{Error, Result};

/// The file, and the key in it, by which a folder is known as a result.
const MARKER: (&str, &str) = ("summary.json", "stemseg_version");

/// Name of the earlier result inside the hidden folder it waits in.
const ASIDE: &str = "earlier";

/// A result in the making: a hidden folder beside the target, renamed into
/// place by [`commit`](Self::commit), removed when dropped before that.
#[derive(Debug)]
pub struct ResultFolder {
    target: PathBuf,
    force: bool,
    temporary: TempDir,
    /// Dropped after `temporary`, which lies in them.
    _parents: NewFolders,
}

impl ResultFolder {
    /// Starts a result that will become `target`; missing parents are made.
    ///
    /// With `force` an existing target will be replaced, but only an empty
    /// folder or a result: one with a `summary.json` that holds the key
    /// `stemseg_version`, or one of nothing but such folders `k2`, `k3`, ...
    ///
    /// # Errors
    /// [`Error::Exists`] for an existing target without `force`,
    /// [`Error::Parameter`] for one that `force` must not delete and for a path
    /// without a name, [`Error::Io`] where the parent cannot be written.
    pub fn create(target: &Path, force: bool) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::parameter(
                "out",
                target.display(),
                "this names no folder to make; give a name such as result",
            ));
        };
        // Absolute, so that a change of the working directory does no harm;
        // rebuilt from its parts, since a trailing slash would look through links.
        let target = std::path::absolute(target).map_err(Error::io(target))?;
        let parent = target.parent().unwrap_or(Path::new("/")).to_path_buf();
        let target = parent.join(name);
        check_target(&target, force)?;
        let parents = NewFolders::create(&parent)?;
        // Without links and `..`: `result/../result` would lose its way once
        // the earlier result is moved aside.
        let target = fs::canonicalize(&parent).map_err(Error::io(&parent))?.join(name);
        let temporary = hidden_folder(&target, "tmp")?;
        Ok(Self { target, force, temporary, _parents: parents })
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
        let path = self.temporary.path().join(name);
        if let Some(folder) = path.parent() {
            // Writing the file reports the same trouble with a better name.
            let _ = fs::create_dir_all(folder);
        }
        path
    }

    /// Puts the result into place and gives its path. An earlier result is
    /// moved aside first, and deleted once the new one is there.
    ///
    /// # Errors
    /// [`Error::Exists`] if the target appeared meanwhile, [`Error::Io`] if
    /// something could not be written to the disk or renamed. The earlier
    /// result, if any, is then back in its place, or the message says where.
    pub fn commit(self) -> Result<PathBuf> {
        sync_tree(self.temporary.path())?;
        check_target(&self.target, self.force)?;
        let aside = move_aside(&self.target)?;
        put_in_place(self.temporary.path(), &self.target, aside)?;
        // The folder has left this name: nothing to clean up there any more.
        let _ = self.temporary.keep();
        Ok(self.target)
    }
}

/// Folders that were made for a result, the deepest first. Those that are still
/// empty when this is dropped are removed: the result did not come.
#[derive(Debug)]
struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Makes `folder` and its parents where they are missing.
    fn create(folder: &Path) -> Result<Self> {
        let missing = folder.ancestors().take_while(|f| !f.exists()).map(Path::to_path_buf);
        let new = Self(missing.collect());
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        Ok(new)
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Refused for a folder that holds something.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A fresh hidden folder `.NAME.KIND-XXXX` beside `target`, on its filesystem.
fn hidden_folder(target: &Path, kind: &str) -> Result<TempDir> {
    let parent = target.parent().unwrap_or(Path::new("/"));
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // Names have at most 255 bytes, of which a character takes up to four.
    let name: String = name.chars().take(50).collect();
    let prefix = format!(".{name}.{kind}-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // tempfile's own 0700 would hide the result from the user's group;
        // the umask still applies.
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    // The kind alone: tempfile's message holds the hidden name.
    builder.tempdir_in(parent).map_err(|error| Error::io(parent)(error.kind().into()))
}

/// Moves `target`, if there is one, into a hidden folder of its own.
fn move_aside(target: &Path) -> Result<Option<TempDir>> {
    if kind_of(target)?.is_none() {
        return Ok(None);
    }
    let aside = hidden_folder(target, "old")?;
    fs::rename(target, aside.path().join(ASIDE)).map_err(Error::io(target))?;
    Ok(Some(aside))
}

/// Renames `from` to `target` and deletes what was moved `aside`, or moves that
/// back.
fn put_in_place(from: &Path, target: &Path, aside: Option<TempDir>) -> Result<()> {
    let Err(source) = fs::rename(from, target) else {
        if let Some(parent) = target.parent() {
            sync_folder(parent);
        }
        return Ok(());
    };
    let Some(aside) = aside else {
        let appeared = matches!(kind_of(target), Ok(Some(_)));
        let path = target.to_path_buf();
        return Err(if appeared { Error::Exists(path) } else { Error::Io { path, source } });
    };
    if fs::rename(aside.path().join(ASIDE), target).is_ok() {
        return Err(Error::Io { path: target.to_path_buf(), source });
    }
    let kept = aside.keep().join(ASIDE);
    let message = format!("{source}; the earlier result is now in {}", kept.display());
    Err(Error::Io { path: target.to_path_buf(), source: io::Error::new(source.kind(), message) })
}

/// What is at `path` (links not followed), if anything.
fn kind_of(path: &Path) -> Result<Option<FileType>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found.file_type())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path)(error)),
    }
}

/// Fails unless `target` is free, or may be deleted under `force`.
fn check_target(target: &Path, force: bool) -> Result<()> {
    let Some(kind) = kind_of(target)? else {
        return Ok(());
    };
    if !force {
        return Err(Error::Exists(target.to_path_buf()));
    }
    let what = if kind.is_symlink() {
        "this is a link"
    } else if !kind.is_dir() {
        "this is a file"
    } else if !is_result(target)? {
        "this folder holds something else"
    } else {
        return Ok(());
    };
    Err(Error::parameter(
        "out",
        target.display(),
        format!(
            "--force deletes only what stemseg made, and {what}; \
             give another --out, or remove it yourself"
        ),
    ))
}

/// True for an empty folder, a result, and a list of results.
///
/// Results lie beside their images by default, so one result among other
/// things is no reason to delete its neighbours: a list may hold nothing but
/// `k2`, `k3`, ... and reports.
fn is_result(folder: &Path) -> Result<bool> {
    if has_marker(folder) {
        return Ok(true);
    }
    let mut all_results = true;
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let kind = entry.file_type().map_err(Error::io(entry.path()))?;
        all_results &= if kind.is_dir() {
            is_list_item(&entry.file_name()) && has_marker(&entry.path())
        } else {
            kind.is_file() && is_report(&entry.path())
        };
    }
    Ok(all_results)
}

/// True for `k2`, `k15`, ...
fn is_list_item(name: &OsStr) -> bool {
    let count = name.to_str().and_then(|name| name.strip_prefix('k'));
    count.is_some_and(|count| count.parse::<u32>().is_ok())
}

/// True for what may lie beside the items of a list: reports, and the litter
/// of file managers. No format that could be someone's image.
fn is_report(path: &Path) -> bool {
    let ends = |ending: &str| path.extension().is_some_and(|e| e == ending);
    path.file_name().is_some_and(|name| name == ".DS_Store")
        || ["html", "json", "csv", "svg"].into_iter().any(ends)
}

fn has_marker(folder: &Path) -> bool {
    let (file, key) = MARKER;
    let Ok(text) = fs::read(folder.join(file)) else {
        return false;
    };
    serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|v| v.get(key).is_some())
}

/// Waits until the files below `folder` are on the disk, so that the rename
/// cannot overtake them and a full disk is noticed.
fn sync_tree(folder: &Path) -> Result<()> {
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
                batch.iter().map(|path| scope.spawn(move || sync_file(path))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            waiting.into_iter().map(join).collect::<Result<Vec<()>>>()
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
fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
