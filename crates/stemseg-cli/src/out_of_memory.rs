//! The end of a run that is refused memory.
//!
//! Limits on address space (`ulimit -v`) and a system without overcommitment make
//! allocations fail, anywhere. Rust's own answer is to abort, which leaves a hidden folder
//! behind; this one says what happened in a sentence, removes what the run made, and ends
//! with the exit code of a failed run.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytesize::ByteSize;
use stemseg::memory;
use stemseg_files::write::remove_unfinished;

/// The system's allocator, which ends the run where it has nothing more to give; for programs to
/// name as theirs.
#[derive(Debug)]
pub struct Careful;

/// Let go at the end, so that there is memory to say why.
static RESERVE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

const RESERVED: usize = 1 << 20;

/// Set by the thread that ends the run.
static ENDING: AtomicBool = AtomicBool::new(false);

/// The images that are at work.
static AT_WORK: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this thread ends the run.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

#[expect(unsafe_code, reason = "the trait of allocators is unsafe")]
// SAFETY: every call goes to the system's allocator with the arguments as they came. What it
// gives is handed on, or the process ends.
unsafe impl GlobalAlloc for Careful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the rules of `GlobalAlloc::alloc`.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the rules of `GlobalAlloc::alloc_zeroed`.
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the rules of `GlobalAlloc::realloc`.
        given(unsafe { System.realloc(ptr, layout, size) }, size)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the rules of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// `memory`, unless it was refused to one who does not expect that.
fn given(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() && !memory::may_be_refused() {
        end(size);
    }
    memory
}

/// Says that `size` bytes were refused, removes what the run made, and ends the process.
#[cold]
fn end(size: usize) -> ! {
    if ENDS.get() {
        // Not even the reserve was enough.
        exit();
    }
    if ENDING.swap(true, Ordering::Relaxed) {
        // Another thread ends the run.
        loop {
            std::thread::park();
        }
    }
    ENDS.set(true);
    if let Ok(mut reserve) = RESERVE.try_lock() {
        drop(std::mem::take(&mut *reserve));
    }
    let mut stderr = std::io::stderr();
    let line = if stderr.is_terminal() { "\r\x1b[2K" } else { "" };
    // One piece, so that nothing comes between.
    let _ = stderr.write_all(format!("{line}stemseg: {}\n", words(size)).as_bytes());
    remove_unfinished();
    exit();
}

fn words(size: usize) -> String {
    let size = ByteSize(size as u64).display().iec();
    let at_work = AT_WORK.try_lock().map(|all| all.clone()).unwrap_or_default();
    let names: Vec<String> = at_work.iter().map(|path| path.display().to_string()).collect();
    let whose = if names.is_empty() { String::new() } else { format!("{}: ", names.join(", ")) };
    format!(
        "{whose}there is not enough memory: {size} more were refused; give less --memory, a --roi or \
         fewer --jobs, end other programs, or raise the limit (ulimit -v)"
    )
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the C library's own exit would run what other libraries left it")]
fn exit() -> ! {
    // SAFETY: it ends the process and touches no memory.
    unsafe { libc::_exit(1) }
}

#[cfg(not(unix))]
fn exit() -> ! {
    std::process::exit(1)
}

/// Puts memory aside for the end; to be called first.
pub(crate) fn prepare() {
    let mut reserve = RESERVE.lock().unwrap_or_else(PoisonError::into_inner);
    *reserve = Vec::with_capacity(RESERVED);
}

/// An image that is at work as long as this lives, to be named where memory runs out.
pub(super) struct AtWork(PathBuf);

impl AtWork {
    pub(super) fn new(image: &Path) -> Self {
        at_work(image, true);
        Self(image.to_path_buf())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        at_work(&self.0, false);
    }
}

/// Says that work on `image` begins, or ends.
pub(super) fn at_work(image: &Path, begins: bool) {
    let mut all = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    match (begins, all.iter().position(|path| path == image)) {
        (true, _) => all.push(image.to_path_buf()),
        (false, Some(at)) => drop(all.remove(at)),
        (false, None) => {}
    }
}
