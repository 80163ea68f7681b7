//! Work on a thread of its own, while the caller's thread looks for Ctrl-C and tells of progress.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use stemseg::{Error, Progress, Result, threads};
use stemseg_run::Observer;

use crate::errors::exception;

/// How often the caller's thread looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(30);

/// Steps that are told of one call: a callback in Python takes longer than many a step.
const LEAST: Duration = Duration::from_millis(20);

/// The stack of the thread that works, as large as a main thread's.
const STACK: usize = 8 << 20;

/// What the worker tells.
enum Event<T> {
    Stage(String),
    Step(u64, u64),
    Done(T),
}

/// Asked by the work whether to go on, and told how far it is.
pub(crate) struct Watch {
    stop: AtomicBool,
    tell: Option<Box<dyn Fn(Told) + Send + Sync>>,
}

/// How far the work is.
enum Told {
    Stage(String),
    Step(u64, u64),
}

impl Progress for Watch {
    fn stage(&self, name: &str) {
        if let Some(tell) = &self.tell {
            tell(Told::Stage(name.to_owned()));
        }
    }

    fn step(&self, done: u64, total: u64) -> Result<()> {
        if let Some(tell) = &self.tell {
            tell(Told::Step(done, total));
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

impl Observer for Watch {}

/// Does `work` on another thread, without the interpreter's lock. `progress` is called as
/// `progress(stage, done, total)`. After Ctrl-C, or an exception from `progress`, the work is told
/// to stop, and waited for where it is `patient`: else it ends by itself.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    patient: bool,
    work: impl FnOnce(&Watch) -> PyResult<T> + Send + 'static,
) -> PyResult<T> {
    begin()?;
    let (sender, receiver) = mpsc::channel();
    let watch = Arc::new(Watch {
        stop: AtomicBool::new(false),
        tell: progress.map(|_| teller(sender.clone())),
    });
    let own = watch.clone();
    let worker = std::thread::Builder::new().name("stemseg".into()).stack_size(STACK);
    let worker = worker.spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(|| work(&own)));
        let done = done.unwrap_or_else(|_| {
            let words = "stemseg failed in a way that it should not; please report it, with the \
                         lines above";
            Err(PyRuntimeError::new_err(words))
        });
        // Where nobody waits any more, it is dropped.
        let _ = sender.send(Event::Done(done));
    });
    worker.map_err(|error| {
        let advice = "end other programs, or raise the limit on processes (ulimit -u)";
        PyRuntimeError::new_err(format!("no thread could be started ({error}); {advice}"))
    })?;
    // The channel is the caller's alone; `detach` asks for what may be looked into by any thread.
    let next = Mutex::new(receiver);
    let mut stage = String::new();
    loop {
        let event = py.detach(|| match next.lock() {
            Ok(receiver) => receiver.recv_timeout(LOOK),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        });
        let told = match event {
            Ok(Event::Done(done)) => return done,
            Ok(Event::Stage(name)) => {
                stage = name;
                call(progress, (&stage, 0, 0))
            }
            Ok(Event::Step(done, total)) => call(progress, (&stage, done, total)),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the work ended without a result"));
            }
        };
        if let Err(error) = told.and_then(|()| py.check_signals()) {
            watch.stop.store(true, Ordering::Relaxed);
            if patient {
                py.detach(|| {
                    let receiver = next.lock();
                    while let Ok(receiver) = &receiver
                        && !matches!(receiver.recv(), Ok(Event::Done(_)) | Err(_))
                    {
                    }
                });
            }
            return Err(error);
        }
    }
}

/// Sends what is told, steps no more often than a callback is worth.
fn teller<T: Send + 'static>(sender: Sender<Event<T>>) -> Box<dyn Fn(Told) + Send + Sync> {
    let state = Mutex::new((sender, None::<std::time::Instant>));
    Box::new(move |told| {
        let Ok(mut state) = state.lock() else { return };
        let event = match told {
            Told::Stage(name) => Event::Stage(name),
            Told::Step(done, total) => {
                let soon = state.1.is_some_and(|last| last.elapsed() < LEAST);
                if soon && done < total {
                    return;
                }
                state.1 = Some(std::time::Instant::now());
                Event::Step(done, total)
            }
        };
        let _ = state.0.send(event);
    })
}

fn call(progress: Option<&Bound<'_, PyAny>>, told: (&str, u64, u64)) -> PyResult<()> {
    progress.map_or(Ok(()), |progress| progress.call1(told).map(drop))
}

/// Starts the threads that all computing shares.
pub(crate) fn begin() -> PyResult<()> {
    static PROCESS: AtomicU32 = AtomicU32::new(0);
    static BEGUN: OnceLock<Result<(), String>> = OnceLock::new();
    let own = std::process::id();
    let begun = BEGUN.get_or_init(|| {
        PROCESS.store(own, Ordering::Relaxed);
        threads::start().map(drop).map_err(|error| error.to_string())
    });
    // A process that was forked has none of the threads, and would wait for them for ever.
    if PROCESS.load(Ordering::Relaxed) != own {
        return Err(PyRuntimeError::new_err(
            "stemseg was used before this process was forked, and its threads are not in the copy; \
             start processes by spawn or forkserver (multiprocessing.set_start_method(\"spawn\"))",
        ));
    }
    begun.clone().map_err(|words| exception(Error::Machine(words)))
}
