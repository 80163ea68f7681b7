//! The family on the CPU: its kernel with the norm maps of a band.

use std::sync::Arc;

use ndarray::ArrayView2;

use super::Kernel;
use crate::backend::cpu::inner_sites::InnerMaps;
use crate::backend::cpu::tile_kernel::{self, CpuFamily, Describe, Setup};
use crate::descriptor::translation::{Family, Maps};
use crate::plan::Plan;
use crate::sites::{Band, Tile};

/// A family with its kernel.
struct Correlations<'a> {
    kernel: Kernel<'a>,
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
}

/// The kernel with the norm maps of a band.
struct Normalised<'a> {
    correlations: Arc<Correlations<'a>>,
    maps: Maps,
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn tile_kernel::Kernel<'a> + 'a> {
        let Setup { image, plan, pools, .. } = *setup;
        let kernel = Kernel::new(image, self, plan.sites().grid(), pools);
        Arc::new(Correlations { kernel, image, plan })
    }

    /// A mean and an inverse norm.
    fn norms(&self) -> usize {
        2
    }

    fn worth_keeping(&self) -> bool {
        false
    }
}

impl<'a> tile_kernel::Kernel<'a> for Correlations<'a> {
    fn band(self: Arc<Self>, band: &Band, _: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        let (sites, family) = (self.plan.sites(), self.kernel.family);
        let (rows, tiles) = (band.rows.clone(), sites.tiles(band));
        let maps = Maps::new(self.image, family, sites.grid(), rows, tiles);
        Box::new(Normalised { correlations: self, maps })
    }
}

impl Describe for Normalised<'_> {
    fn bytes(&self) -> u64 {
        self.maps.bytes()
    }

    fn scores(&self, index: usize, _tile: &Tile, out: &mut [f32], pitch: usize) {
        let Maps { tiles, norms } = &self.maps;
        self.correlations.kernel.scores(&tiles[index], norms, out, pitch);
    }
}
