//! Renames that never overwrite, and that put a result into its place.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::kind_of;

/// Renames `from` to `to`, where nothing may be.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where something is there, and what the system says.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match system::rename(from, to, system::Flags::NOREPLACE) {
        Err(error) if system::is_unknown(&error) => {}
        done => return done,
    }
    // Where the system knows no such call, a file could appear between the two.
    match fs::symlink_metadata(to) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// Puts the folder `new` at `target`, and what is there at `aside`: in one step where the
/// system can, so that the name is never without a result. Gives where the earlier one is.
///
/// # Errors
/// What the system says; everything is then where it was, or `target` at `aside`, which
/// [`sweep`](super::sweep) brings back.
pub(super) fn switch(new: &Path, target: &Path, aside: &Path) -> io::Result<PathBuf> {
    match system::rename(new, target, system::Flags::EXCHANGE) {
        Ok(()) => {
            let moved = rename_new(new, aside);
            return Ok(moved.map_or(new, |()| aside).to_path_buf());
        }
        Err(error) if system::is_unknown(&error) => {}
        Err(error) => return Err(error),
    }
    in_two_steps(new, target, aside).map(|()| aside.to_path_buf())
}

pub(super) fn in_two_steps(new: &Path, target: &Path, aside: &Path) -> io::Result<()> {
    rename_new(target, aside)?;
    rename_new(new, target).map_err(|error| match rename_new(aside, target) {
        Ok(()) => error,
        Err(_) => {
            let place = aside.display();
            io::Error::new(error.kind(), format!("{error}; the earlier result is now in {place}"))
        }
    })
}

/// Moves `guests` from one folder to another, under the same names; those in sub-folders
/// too, which are made.
///
/// # Errors
/// The first that cannot be moved, with the reason; those before it are moved.
pub(super) fn carry(
    from: &Path,
    to: &Path,
    guests: &[PathBuf],
) -> Result<(), (PathBuf, io::Error)> {
    guests.iter().try_for_each(|guest| {
        if !to.is_dir() {
            return Err((guest.clone(), ErrorKind::NotFound.into()));
        }
        let place = to.join(guest);
        let parent = place.parent().map_or(Ok(()), fs::create_dir_all);
        parent.and_then(|()| rename_new(&from.join(guest), &place)).map_err(|e| (guest.clone(), e))
    })
}

/// Moves back those of `guests` that are in `from`; true if none is left there.
pub(super) fn carry_back(from: &Path, to: &Path, guests: &[PathBuf]) -> bool {
    let mut all = true;
    for guest in guests {
        let there = !matches!(kind_of(&from.join(guest)), Ok(None));
        all &= !there || carry(from, to, std::slice::from_ref(guest)).is_ok();
    }
    all
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod system {
    use std::io::{self, ErrorKind};
    use std::path::Path;

    use rustix::fs::{CWD, renameat_with};
    use rustix::io::Errno;

    pub(super) use rustix::fs::RenameFlags as Flags;

    pub(super) fn rename(from: &Path, to: &Path, flags: Flags) -> io::Result<()> {
        Ok(renameat_with(CWD, from, CWD, to, flags)?)
    }

    /// Whether this system, or the file system, has no such call.
    pub(super) fn is_unknown(error: &io::Error) -> bool {
        // EINVAL is what file systems say to flags that they do not know.
        error.kind() == ErrorKind::Unsupported
            || [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP]
                .iter()
                .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use std::io::{self, ErrorKind};
    use std::path::Path;

    pub(super) enum Flags {
        NOREPLACE,
        EXCHANGE,
    }

    pub(super) fn rename(_from: &Path, _to: &Path, _flags: Flags) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn is_unknown(error: &io::Error) -> bool {
        error.kind() == ErrorKind::Unsupported
    }
}
