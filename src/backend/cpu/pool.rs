//! Buffers that tasks take turns in using.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers, made when first needed and then kept: to touch fresh memory costs
/// more than most of the arithmetic done in it.
#[derive(Debug, Default)]
pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    /// Calls `work` with a buffer that no other task has meanwhile.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = self.lock().pop();
        let mut buffer = taken.unwrap_or_default();
        let result = work(&mut buffer);
        self.lock().push(buffer);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
