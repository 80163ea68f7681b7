//! Scores of reflections: of polar samples, see `polar.rs`, and pooled by rank.

use std::sync::Arc;

use super::polar;
use super::rank_pooling::Ranked;
use super::table_memory::{self, TableMemory};
use super::tile_kernel::{CpuFamily, Kernel, Setup};
use crate::descriptor::reflection::Family;
use crate::plan::Plan;

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn Kernel<'a> + 'a> {
        let scores = polar::source(setup);
        Ranked::kernel(setup, &self.inner, scores, self.pool_top)
    }

    fn tables(&self, plan: &Plan, rows: usize) -> TableMemory {
        TableMemory::maps(plan, rows, &self.inner, self.axes)
    }

    fn work_per_site_row(&self, plan: &Plan) -> usize {
        table_memory::squares(plan, &self.inner, &self.polar)
    }
}
