//! The library's one error type.
//!
//! A message names the thing (file, parameter), its value, the limit it broke
//! and what to do about it, so that the binary can print it as it stands.

use std::io;
use std::path::PathBuf;

/// Result with the library's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read, created or renamed.
    #[error("{}: {}", path.display(), in_words(source))]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file's content is not an image that stemseg can read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it, and what would be read.
        reason: String,
    },
    /// The pixels cannot be segmented as they are (not finite, constant, empty).
    #[error("{0}")]
    Image(String),
    /// A parameter is outside what is possible; names it, its value and the limit.
    #[error("{name} = {value}: {reason}")]
    Parameter {
        /// The parameter, spelled as on the command line without dashes.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The limit it broke, and what to do.
        reason: String,
    },
    /// The image is too small for the patch and window.
    #[error("{0}")]
    TooSmall(String),
    /// No adapter fits the device that was asked for.
    #[error("{0}")]
    NoDevice(String),
    /// The device failed, or lacks what a kernel needs.
    #[error("device {device}: {reason}")]
    Device {
        /// The adapter's name.
        device: String,
        /// What failed, with the need and the limit where there is one.
        reason: String,
    },
    /// The device failed: it could not be opened, was lost, or ran out of memory.
    #[error("device {device} failed: {reason}; --device cpu does without it")]
    DeviceFailed {
        /// The adapter's name.
        device: String,
        /// What happened, as far as the driver says.
        reason: String,
    },
    /// The device computed something wrong.
    #[error(
        "device {device} gave a wrong result in stage {stage}: {reason}; its driver or memory may be \
         faulty: --device cpu does without it"
    )]
    DeviceWrong {
        /// The adapter's name.
        device: String,
        /// The kernel or stage that it was.
        stage: &'static str,
        /// What was found, and what should have been.
        reason: String,
    },
    /// The machine refused what a run needs, memory or threads; says what to do.
    #[error("{0}")]
    Machine(String),
    /// The result exists already.
    #[error("{} exists already; give --force to replace it or --out for another place", .0.display())]
    Exists(PathBuf),
    /// Another process is making it.
    #[error("{} is being made by another run of stemseg; wait until that is done, or give another --out", .0.display())]
    Busy(PathBuf),
    /// The caller asked to stop (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
}

impl Error {
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

/// What the operating system said, and what to do about it.
fn in_words(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let advice = match error.kind() {
        Kind::StorageFull => "make room on the disk, or give another --out",
        Kind::QuotaExceeded => "make room within the quota, or give another --out",
        Kind::FileTooLarge => "raise the limit on the size of files (ulimit -f), or write less",
        Kind::OutOfMemory => "end other programs, or raise the limit on memory (ulimit -v)",
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
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
