//! Readers of other crates that panic on a damaged file.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

use super::damaged;
use crate::Result;

thread_local! {
    /// Whether this thread reads a file.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`; a panic in it becomes the error of a damaged file.
///
/// The crates for HDF5, electron microscopes and TIFF give errors for nearly all
/// damage, but sizes in a header may still overflow in them where overflow is
/// checked. What they have half read is dropped, and nothing else shares it.
pub(super) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    static QUIET: Once = Once::new();
    // The message would go to stderr beside the error.
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !READING.get() {
                usual(info);
            }
        }));
    });
    let before = READING.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(read));
    READING.set(before);
    outcome.unwrap_or_else(|_| Err(damaged(path, "sizes in it cannot be")))
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
        assert!(!READING.get());
    }
}
