//! The crate's one error type.

use std::fmt;

/// Result with the crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why no equation was looked for, or none simulated. Sentences mark the settings that they name
/// by backticks, as in the crate `stemseg`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The film cannot be used as it is; says why, the limit, and what to do.
    Film(String),
    /// A setting is outside what is possible.
    Parameter {
        /// The setting.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The limit it broke, and what to do.
        reason: String,
    },
    /// The caller asked to stop.
    Interrupted,
}

impl Error {
    /// An [`Error::Parameter`].
    pub(crate) fn parameter(
        name: &'static str,
        value: impl fmt::Display,
        reason: impl fmt::Display,
    ) -> Self {
        Self::Parameter { name, value: value.to_string(), reason: reason.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Film(words) => f.write_str(words),
            Self::Parameter { name, value, reason } => write!(f, "{name} = {value}: {reason}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {}
