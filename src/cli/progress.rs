//! Progress on a terminal, and Ctrl-C.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stemseg::{Error, Progress, Result};

/// Set by Ctrl-C (and SIGTERM).
static STOP: AtomicBool = AtomicBool::new(false);

/// A bar on stderr where that is a terminal, else nothing.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Starts listening for Ctrl-C. `quiet` shows nothing.
    pub(super) fn new(quiet: bool) -> Self {
        // Fails only if a handler is set already, which listens as well.
        let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// Says something that the user should know, on stderr.
    pub(super) fn note(&self, note: &str) {
        self.0.suspend(|| {
            // Where stderr is gone there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "note: {note}");
        });
    }

    /// Takes the bar off the terminal.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn stage(&self, name: &str) {
        self.0.set_message(name.to_owned());
        self.0.set_position(0);
        self.0.tick();
    }

    fn step(&self, done: u64, total: u64) -> Result<()> {
        self.0.set_length(total);
        self.0.set_position(done);
        self.check()
    }

    fn check(&self) -> Result<()> {
        match STOP.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}
