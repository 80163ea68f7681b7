//! What a family gives the GPU: scores of inner sites, which families may share, and
//! descriptors of a band.

use std::ops::Range;

use ndarray::ArrayView2;
use wgpu::Buffer;

use super::commands::Commands;
use super::device::Device;
use super::inner_sites::Maps;
use super::pixels;
use crate::Result;
use crate::plan::Plan;
use crate::sites::Band;

/// One band: what every kernel is given.
#[derive(Clone, Copy)]
pub(super) struct Job<'j> {
    pub(super) image: ArrayView2<'j, f32>,
    pub(super) pixels: &'j pixels::Rows,
    pub(super) band: &'j Band,
    /// `[D][sites of the band]`.
    pub(super) descriptors: &'j Buffer,
    /// One for each source.
    pub(super) maps: &'j [Maps],
}

/// Makes the scores of the inner sites that a band pools.
pub(super) trait Score {
    /// The scores, `job.maps` being empty so far.
    fn maps(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<Maps>;
}

/// Makes the descriptors of one family.
pub(super) trait Launch {
    /// Fills the family's channels of `job.descriptors`.
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()>;
}

/// What a launcher is made from, and where it puts the sources of its scores.
pub(super) struct Setup<'a> {
    pub(super) device: &'a Device,
    pub(super) plan: &'a Plan,
    /// Number of the family whose launcher is being made, and its first channel.
    pub(super) family: usize,
    pub(super) channel: usize,
    pub(super) sources: Vec<Box<dyn Score + 'a>>,
    /// Families whose scores are in a source that they share: family, source, channels.
    pub(super) shared: Vec<(usize, usize, Range<usize>)>,
}

impl<'a> Setup<'a> {
    /// Adds a source, and says which it is.
    pub(super) fn source(&mut self, source: impl Score + 'a) -> usize {
        self.sources.push(Box::new(source));
        self.sources.len() - 1
    }
}

/// Bytes of buffers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    /// The largest buffer.
    pub(super) largest: u64,
    /// All together.
    pub(super) all: u64,
}

/// For whom buffers are measured: a family of a plan, and bands of this many site rows.
#[derive(Clone, Copy)]
pub(super) struct Measured<'a> {
    pub(super) device: &'a Device,
    pub(super) plan: &'a Plan,
    /// Number of the family.
    pub(super) family: usize,
    pub(super) rows: usize,
}

/// A family on the GPU. What it needs in addition to descriptors is nothing by default.
pub(super) trait GpuFamily {
    /// Its launcher for an image.
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>>;

    /// Buffers for a band, except for those of [`norms`](Self::norms).
    fn bytes(&self, _measured: Measured<'_>) -> Bytes {
        Bytes::default()
    }

    /// Whether its kernels read pixels by stride phase: see [`pixels`].
    fn by_phase(&self) -> bool {
        false
    }

    /// Bytes of a norm map of a band, of which there are two, made by the host.
    fn norms(&self, _measured: Measured<'_>) -> u64 {
        0
    }
}
