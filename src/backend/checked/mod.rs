//! A backend whose work is looked over: what comes back has to be possible, and a sample
//! of it, or all, is computed once more on the CPU.
//!
//! What is checked of each stage:
//!
//! | stage | of all | of a sample, or of all with [`Check::All`] |
//! | --- | --- | --- |
//! | descriptors | finite | sites against the CPU's |
//! | moments | finite, number of sites, against projections of the same descriptors | sums against the CPU's |
//! | features | finite, as many as sites | sites against the CPU's, from pixels to features |
//! | k-means | labels below k, numbers and sums of clusters against the labels | points: the label is that of the nearest centroid |
//!
//! The GPU backend itself counts the workgroups that ran (`gpu/ledger.rs`), so that no
//! dispatch is missing; what remains is wrong arithmetic and memory, for which the sample
//! is. Bounds are those of [`crate::verify`].

mod assign;
mod evidence;
mod session;
mod window;

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::ArrayView2;

use super::cpu::Cpu;
use super::{Assign, Backend, Describe, DeviceInfo, DeviceWork};
use crate::plan::Plan;
use crate::verify::Stage;
use crate::{Error, Result};
pub(crate) use assign::{TERMS, cluster_sums};

/// How much of what a device computes is computed once more on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// Nothing is checked.
    Off,
    /// What costs next to nothing, and a sample.
    #[default]
    On,
    /// All of it.
    All,
}

/// How many times the bound of [`crate::verify`] a value may be off where the CPU saw
/// only its surroundings: sums begin elsewhere there.
const SLACK: f64 = 4.0;

/// A backend, and what looks over its work.
pub struct Checked<B> {
    inner: B,
    watch: Watch,
}

impl<B: Backend> Checked<B> {
    /// Looks over what `inner` does.
    pub fn new(inner: B, check: Check) -> Self {
        let name = inner.device().name.clone();
        let (cpu, distrusted) = (Cpu::new(), AtomicBool::new(false));
        Self { inner, watch: Watch { name, check, cpu, distrusted } }
    }
}

impl<B: Backend> Backend for Checked<B> {
    fn device(&self) -> &DeviceInfo {
        self.inner.device()
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        self.inner.band_rows(plan, budget)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        let inner = self.watch.heard(self.inner.upload(image, plan))?;
        if self.watch.check == Check::Off {
            return Ok(inner);
        }
        Ok(Box::new(session::Session::new(inner, &self.watch, image, plan)))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        let inner = self.watch.heard(self.inner.assigner(points))?;
        if self.watch.check == Check::Off {
            return Ok(inner);
        }
        Ok(Box::new(assign::Points::new(inner, &self.watch, points)))
    }

    fn usable(&self) -> bool {
        self.inner.usable() && !self.watch.distrusted.load(Ordering::Relaxed)
    }

    fn work(&self) -> Option<DeviceWork> {
        self.inner.work()
    }
}

/// What all checks of a backend share.
struct Watch {
    /// Of the device.
    name: String,
    check: Check,
    cpu: Cpu,
    /// Set once the device was wrong.
    distrusted: AtomicBool,
}

impl Watch {
    /// Takes note of a device that was found wrong by itself.
    fn heard<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(Error::DeviceWrong { .. }) = &result {
            self.distrusted.store(true, Ordering::Relaxed);
        }
        result
    }

    /// The device was wrong in `stage`.
    fn wrong(&self, stage: &'static str, reason: impl Into<String>) -> Error {
        self.distrusted.store(true, Ordering::Relaxed);
        Error::DeviceWrong { device: self.name.clone(), stage, reason: reason.into() }
    }

    /// An error if `holds` does not.
    fn require(
        &self,
        holds: bool,
        stage: &'static str,
        reason: impl FnOnce() -> String,
    ) -> Result<()> {
        if holds { Ok(()) } else { Err(self.wrong(stage, reason())) }
    }

    /// An error if a stage is farther off than `slack` times its bound.
    fn agrees(&self, stage: &Stage, slack: f64) -> Result<()> {
        // Not so either where one of them is not a number.
        let within = stage.passed || stage.worst <= slack * stage.bound;
        self.require(within, stage.name, || {
            let Stage { place, pair: [own, got], bound, .. } = stage;
            format!(
                "{place}: {got} instead of {own}, where rounding explains {:.1e}",
                slack * bound
            )
        })
    }
}

#[cfg(test)]
mod tests;
