//! What killed runs left: put back, or deleted.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, SUMMARY};
use super::staging::{self, NEW, OLD, REPLACING};
use super::{exchange, kind_of};
use stemseg::{Error, Result};

/// Tidies up after killed runs whose results were to lie in the folder `place`, and says
/// what was done that somebody should know of.
///
/// Earlier results that had lost their names get them back, and what the user had put into
/// results returns to them; half-made results are deleted. What a run that goes on holds
/// is left alone, as is everything on file systems without locks.
///
/// What cannot be put back is among what is said, too.
pub fn sweep(place: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    // What cannot be listed is said when a result is made there.
    let Ok(entries) = fs::read_dir(place) else { return notes };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !name.starts_with('.') {
            continue;
        }
        let folder = entry.path();
        if staging::is_hidden_name(&name) {
            // Removed by this where it is empty: killed before there was a lock.
            if fs::remove_dir(&folder).is_ok() {
                continue;
            }
            if let Some((lock, target)) = staging::leftover(&folder) {
                let settled = settle(&folder, &target);
                notes.extend(
                    settled
                        .unwrap_or_else(|error| Err(stays(&folder, &target, &error.to_string())))
                        .unwrap_or_else(|why| vec![why]),
                );
                staging::release(&folder, Some(lock));
            }
        }
    }
    notes
}

/// Puts back what a locked hidden folder holds of the user, and deletes what it holds of
/// the run that left it; gives what there is to say of it, or in `Err` why something
/// is still in it.
pub(super) fn settle(folder: &Path, target: &Path) -> Result<Result<Vec<String>, String>> {
    let (new, old, marker) = (folder.join(NEW), folder.join(OLD), folder.join(REPLACING));
    let replacing = kind_of(&marker)?.is_some();
    let mut notes = Vec::new();
    if kind_of(&old)?.is_some() && kind_of(target)?.is_none() {
        exchange::rename_new(&old, target).map_err(Error::io(target))?;
        notes.push(brought_back(target));
    }
    for (part, replacing) in [(old, true), (new, replacing)] {
        match kind_of(&part)? {
            None => {}
            Some(kind) if kind.is_dir() => {
                let manifest = match Manifest::read(&part)? {
                    Ok(manifest) => manifest,
                    // The list goes last: here is nothing of the result any more.
                    Err(_) if replacing && kind_of(&part.join(SUMMARY))?.is_none() => {
                        Manifest::default()
                    }
                    Err(why) if replacing => {
                        return Ok(Err(stays(folder, target, &why)));
                    }
                    // Half made: all of it is of the run that was killed.
                    Err(_) => {
                        fs::remove_dir_all(&part).map_err(Error::io(&part))?;
                        continue;
                    }
                };
                match give_back(&part, target, &manifest)? {
                    Ok(words) => notes.extend(words),
                    Err(why) => return Ok(Err(stays(folder, target, &why))),
                }
            }
            Some(_) => fs::remove_file(&part).map_err(Error::io(&part))?,
        }
    }
    if replacing {
        fs::remove_file(&marker).map_err(Error::io(&marker))?;
    }
    Ok(Ok(notes))
}

/// Moves what `part` holds in addition to its result to `target`, and deletes the result.
fn give_back(
    part: &Path,
    target: &Path,
    manifest: &Manifest,
) -> Result<Result<Option<String>, String>> {
    let guests = manifest.guests(part)?;
    if !guests.is_empty() && kind_of(target)?.is_none() {
        exchange::rename_new(part, target).map_err(Error::io(target))?;
        return Ok(Ok(Some(brought_back(target))));
    }
    let moved: Vec<PathBuf> = match exchange::carry(part, target, &guests) {
        Ok(()) => guests,
        Err((path, error)) => return Ok(Err(format!("{}: {error}", path.display()))),
    };
    manifest.delete(part)?;
    let name = |path: &PathBuf| path.display().to_string();
    let names = moved.iter().map(name).collect::<Vec<_>>().join(", ");
    Ok(Ok((!moved.is_empty()).then(|| {
        format!(
            "{}: {names} had been moved by a run that was killed, and is back",
            target.display()
        )
    })))
}

fn brought_back(target: &Path) -> String {
    format!(
        "{}: the earlier result, which a run that was killed had moved aside, is back",
        target.display()
    )
}

fn stays(folder: &Path, target: &Path, why: &str) -> String {
    format!(
        "{}: a run that was killed left things in {} that cannot be put back ({why}); move \
         them where they belong and remove that folder",
        target.display(),
        folder.display()
    )
}
