//! Readers of other crates that panic on a damaged file.

use std::path::Path;

use super::damaged;
use stemseg::{Result, panics};

/// Runs `read`; a panic in it becomes the error of a damaged file.
///
/// The crates for HDF5, electron microscopes and TIFF give errors for nearly all
/// damage, but sizes in a header may still overflow in them where overflow is
/// checked. What they have half read is dropped, and nothing else shares it.
pub(super) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::caught(read).unwrap_or_else(|_| Err(damaged(path, "sizes in it cannot be")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_of_the_file() {
        let read = || -> Result<()> { panic!("attempt to multiply with overflow") };
        let said = guarded(Path::new("a.emd"), read).unwrap_err().to_string();
        assert!(said.starts_with("a.emd: is damaged"), "{said}");
        assert_eq!(guarded(Path::new("a.emd"), || Ok(3)).unwrap(), 3);
    }
}
