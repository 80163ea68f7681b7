//! How far a run is, and whether it shall go on.

use crate::Result;

/// Told by the pipeline what it does; asked whether to stop.
///
/// The library prints nothing: a front end shows the progress as it likes.
pub trait Progress: Sync {
    /// A stage begins (`describe`, `cluster`, ...).
    fn stage(&self, _name: &str) {}

    /// `done` of `total` steps of the stage are finished. Also checks for a stop.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    fn step(&self, _done: u64, _total: u64) -> Result<()> {
        self.check()
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) to stop the run.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Shows nothing and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// Asks whether to go on but does not show what a stage tells of itself: for one
/// of many runs.
pub struct Unseen<'p>(pub &'p dyn Progress);

impl Progress for Unseen<'_> {
    fn check(&self) -> Result<()> {
        self.0.check()
    }
}
