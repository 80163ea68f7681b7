//! Threads where the system gives them, and the same work without them where it does not.
//!
//! Limits on a user's processes (`ulimit -u`), on a container's, and on address space refuse
//! threads at any time; a run then goes on with those that there are.

use std::io;
use std::sync::Mutex;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use rayon::ThreadPoolBuilder;

use crate::{Error, Result};

/// Starts the threads that all computing shares, as many as the machine has cores (or
/// `RAYON_NUM_THREADS` says), or as many as the system gives; to be called once, before
/// anything is computed. A note says where there are fewer.
///
/// # Errors
/// [`Error::Machine`] where there is not one.
pub fn start() -> Result<Option<String>> {
    let wanted = match std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()) {
        None | Some(0) => std::thread::available_parallelism().map_or(1, usize::from),
        Some(count) => count,
    };
    // A pool that all share can be tried once only, so that others are tried before.
    let fits = |count: usize| ThreadPoolBuilder::new().num_threads(count).build();
    let mut count = wanted;
    let begun = loop {
        match fits(count) {
            Ok(_) if count == wanted => break ThreadPoolBuilder::new().build_global(),
            Ok(_) => break ThreadPoolBuilder::new().num_threads(count).build_global(),
            Err(_) if count > 1 => count /= 2,
            Err(error) => break Err(error),
        }
    };
    match begun {
        Ok(()) if count == wanted => Ok(None),
        Ok(()) => Ok(Some(format!(
            "the system gives {count} of {wanted} threads: the run takes longer, but its result is the same"
        ))),
        Err(error) => Err(Error::Machine(format!(
            "not a single thread could be started ({}); end other programs, or raise the limit on \
             processes (ulimit -u) or on memory (ulimit -v)",
            cause(&error)
        ))),
    }
}

/// What the system said.
fn cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// Work on a thread of its own, or done already.
#[derive(Debug)]
pub enum Beside<'scope, T> {
    /// The thread.
    Running(ScopedJoinHandle<'scope, T>),
    /// What came of it: the system refused a thread.
    Done(T),
}

impl<T> Beside<'_, T> {
    /// Waits for what comes of the work; a panic in it goes on here.
    pub fn join(self) -> T {
        match self {
            Self::Done(done) => done,
            Self::Running(thread) => {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }
    }
}

/// Does `work` on a thread of its own, or here and now where the system refuses one.
///
/// ```
/// let sum = std::thread::scope(|scope| {
///     let sum = stemseg::threads::beside(scope, || (1..=10).sum::<u32>());
///     sum.join()
/// });
/// assert_eq!(sum, 55);
/// ```
pub fn beside<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Beside<'scope, T> {
    match try_beside(scope, work) {
        Ok(thread) => Beside::Running(thread),
        Err((_, work)) => Beside::Done(work()),
    }
}

/// Starts `work` on a thread of its own.
///
/// # Errors
/// What the system said, and the work, where it refuses a thread.
pub fn try_beside<'scope, T: Send + 'scope, W: FnOnce() -> T + Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: W,
) -> Result<ScopedJoinHandle<'scope, T>, (io::Error, W)> {
    // A refused thread takes what it was given with it.
    let work = std::sync::Arc::new(Mutex::new(Some(work)));
    let take = |from: &Mutex<Option<W>>| from.lock().ok().and_then(|mut work| work.take());
    let there = work.clone();
    let begun = Builder::new().spawn_scoped(scope, move || {
        let work = take(&there).expect("nobody else takes the work of a thread that runs");
        drop(there);
        work()
    });
    begun.map_err(|error| (error, take(&work).expect("a thread that was refused took nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_with_or_without_a_thread() {
        let done = std::sync::atomic::AtomicUsize::new(0);
        let work = || done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            beside(scope, work).join();
            Beside::Done(work()).join();
        });
        assert_eq!(done.into_inner(), 2);
    }
}
