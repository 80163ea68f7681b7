//! Buffers that tasks take turns in using.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers, made when first needed and then kept: to touch fresh memory costs
/// more than most of the arithmetic done in it.
#[derive(Debug, Default)]
pub(super) struct BufferPool<T>(Mutex<Vec<T>>);

impl<T: Default> BufferPool<T> {
    /// Calls `work` with a buffer that no other task has meanwhile.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = lock(&self.0).pop();
        let mut buffer = taken.unwrap_or_default();
        let result = work(&mut buffer);
        lock(&self.0).push(buffer);
        result
    }
}

/// Pools of all kinds of buffers, which outlive an image: each kernel asks for its own.
#[derive(Debug, Default)]
pub(super) struct BufferPools(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl BufferPools {
    /// The pool of buffers of this type.
    pub(super) fn of<T: Default + Send + 'static>(&self) -> Arc<BufferPool<T>> {
        let new = || Arc::new(BufferPool::<T>::default()) as Arc<dyn Any + Send + Sync>;
        let pool = lock(&self.0).entry(TypeId::of::<T>()).or_insert_with(new).clone();
        pool.downcast().unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_by_their_type() {
        let pools = BufferPools::default();
        pools.of::<Vec<f32>>().with(|buffer| buffer.push(1.0));
        assert_eq!(pools.of::<Vec<f64>>().with(|buffer| buffer.len()), 0);
        let kept = pools.of::<Vec<f32>>();
        kept.with(|one| {
            assert_eq!(*one, [1.0]);
            kept.with(|other| assert!(other.is_empty(), "one is in use"));
        });
    }
}
