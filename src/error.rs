//! The library's one error type.
//!
//! A message names the thing (file, parameter), its value, the limit it broke and what to do
//! about it. Settings in it are marked (see [`crate::wording`]), so that each front end spells
//! them in its own way.

use std::path::PathBuf;
use std::{fmt, io};

use crate::wording::{SETTINGS, Setting, Text};

/// Result with the library's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the library. Reasons mark the settings that they name, as in
/// [`Text`]'s `From<&str>`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read, created or renamed.
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file's content is not an image that stemseg can read.
    Unreadable {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it, and what would be read.
        reason: String,
    },
    /// The pixels cannot be segmented as they are (not finite, constant, empty).
    Image(String),
    /// A parameter is outside what is possible; names it, its value and the limit.
    Parameter {
        /// The parameter, as in [`SETTINGS`] where a user sets it.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The limit it broke, and what to do.
        reason: String,
    },
    /// The image is too small for the patch and window.
    TooSmall(String),
    /// No adapter fits the device that was asked for.
    NoDevice(String),
    /// The device failed, or lacks what a kernel needs.
    Device {
        /// The adapter's name.
        device: String,
        /// What failed, with the need and the limit where there is one.
        reason: String,
    },
    /// The device failed: it could not be opened, was lost, or ran out of memory.
    DeviceFailed {
        /// The adapter's name.
        device: String,
        /// What happened, as far as the driver says.
        reason: String,
    },
    /// The device computed something wrong.
    DeviceWrong {
        /// The adapter's name.
        device: String,
        /// The kernel or stage that it was.
        stage: &'static str,
        /// What was found, and what should have been.
        reason: String,
    },
    /// The machine refused what a run needs, memory or threads; says what to do.
    Machine(String),
    /// The result exists already.
    Exists(PathBuf),
    /// Another process is making it.
    Busy(PathBuf),
    /// The caller asked to stop (Ctrl-C).
    Interrupted,
}

impl Error {
    /// The sentence, in which settings can be spelled.
    pub fn text(&self) -> Text {
        match self {
            Self::Io { path, source } => Text::literal(path.display()).and(": ").and(said(source)),
            Self::Unreadable { path, reason } => {
                Text::literal(path.display()).and(": ").and(reason)
            }
            Self::Parameter { name, value, reason } => {
                let setting = SETTINGS.contains(name) && !value.contains('`');
                let mark = if setting { "`" } else { "" };
                Text::from(format!("{mark}{name} = {value}{mark}: ")).and(reason)
            }
            Self::Image(words)
            | Self::TooSmall(words)
            | Self::NoDevice(words)
            | Self::Machine(words) => Text::from(words),
            Self::Device { device, reason } => {
                Text::literal(format!("device {device}: ")).and(reason)
            }
            Self::DeviceFailed { device, reason } => {
                let failed = Text::literal(format!("device {device} failed: "));
                failed.and(reason).and("; `device = cpu` does without it")
            }
            Self::DeviceWrong { device, stage, reason } => {
                let what = format!("device {device} gave a wrong result in stage {stage}: ");
                let advice = "; its driver or memory may be faulty: `device = cpu` does without it";
                Text::literal(what).and(reason).and(advice)
            }
            Self::Exists(path) => {
                let advice =
                    " exists already; give `force = true` to replace it, or another `out` folder";
                Text::literal(path.display()).and(advice)
            }
            Self::Busy(path) => {
                let advice = " is being made by another run of stemseg; wait until that is done, or \
                              give another `out` folder";
                Text::literal(path.display()).and(advice)
            }
            Self::Interrupted => Text::from("interrupted"),
        }
    }

    /// The sentence, each setting as `spell` writes it.
    pub fn spelled(&self, spell: &dyn Fn(&Setting) -> String) -> String {
        self.text().spelled(spell)
    }

    /// An [`Error::Io`] for `path`, made for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// An [`Error::Unreadable`] for `path`.
    pub fn unreadable(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Unreadable { path: path.into(), reason: reason.to_string() }
    }

    /// An [`Error::Parameter`].
    pub fn parameter(
        name: &'static str,
        value: impl std::fmt::Display,
        reason: impl std::fmt::Display,
    ) -> Self {
        Self::Parameter { name, value: value.to_string(), reason: reason.to_string() }
    }

    /// True where the caller can mend it (wrong input, parameters or places), false
    /// where a run that was asked for correctly failed on the way: the same for one kind of
    /// fault, whether it comes while reading, computing or writing.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Device { .. } | Self::DeviceFailed { .. } | Self::DeviceWrong { .. } => false,
            Self::Interrupted | Self::Machine(_) => false,
            Self::Io { source, .. } => !is_fault(source),
            _ => true,
        }
    }
}

/// Whether the machine failed, and not what the caller gave: names, places and rights are
/// the caller's, disks and limits the machine's.
fn is_fault(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let given = [
        Kind::NotFound,
        Kind::PermissionDenied,
        Kind::AlreadyExists,
        Kind::NotADirectory,
        Kind::IsADirectory,
        Kind::DirectoryNotEmpty,
        Kind::ReadOnlyFilesystem,
        Kind::InvalidFilename,
        Kind::InvalidInput,
    ];
    // Circles of links have no kind of their own in stable Rust.
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ELOOP) {
        return false;
    }
    !given.contains(&error.kind())
}

/// The sentence, plainly.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What the operating system said, and what to do about it.
fn said(error: &io::Error) -> Text {
    use io::ErrorKind as Kind;
    let advice = match error.kind() {
        Kind::StorageFull => "make room on the disk, or give another `out` folder",
        Kind::QuotaExceeded => "make room within the quota, or give another `out` folder",
        Kind::FileTooLarge => "raise the limit on the size of files (ulimit -f), or write less",
        Kind::OutOfMemory => "end other programs, or raise the limit on memory (ulimit -v)",
        _ => return Text::literal(error),
    };
    Text::literal(error).and("; ").and(advice)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_fault_is_on_one_side() {
        let of = |number| Error::io("image.npy")(io::Error::from_raw_os_error(number));
        use libc::*;
        for number in [ENOSPC, EDQUOT, EFBIG, EIO, ENOMEM, EMFILE, ENFILE, EAGAIN, ESTALE] {
            assert!(!of(number).is_usage(), "{}", of(number));
        }
        for number in [ENOENT, EACCES, EPERM, EROFS, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG] {
            assert!(of(number).is_usage(), "{}", of(number));
        }
        assert!(of(ENOSPC).to_string().contains("make room"));
    }
}
