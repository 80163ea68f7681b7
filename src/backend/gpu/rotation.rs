//! Launcher of rotations: scores of polar samples, see `polar.rs`, pooled by rank.

use super::launch::{Bytes, GpuFamily, Launch, Measured, Setup};
use super::shaders::Wgsl;
use super::{polar, rank_pooling};
use crate::Result;
use crate::descriptor::rotation::Family;

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] = &[polar::WGSL, rank_pooling::WGSL];

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        let scores = polar::source(setup)?;
        rank_pooling::launcher(setup, &self.inner, scores, self.pool_top)
    }

    fn bytes(&self, measured: Measured<'_>) -> Bytes {
        polar::bytes(measured)
    }
}
