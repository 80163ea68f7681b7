//! How much memory a run takes beside the image itself, and how it keeps within
//! a budget.
//!
//! What grows with the image is one set of features and labels per site.
//! Descriptors are made tile by tile, norm maps and scores of inner sites band by band, so the rest of
//! the budget only says how much of that is done, or kept, at once.

use bytesize::ByteSize;

use crate::backend::cpu;
use crate::plan::{Components, DEFAULT_BUDGET, Plan};
use crate::{Error, Result};

/// Most that is taken unless told otherwise, bytes.
const MOST_BY_DEFAULT: u64 = 2 << 30;

/// Buffers of the standard library, the pictures, the stacks of threads, bytes.
const REST: u64 = 32 << 20;

/// A quarter of the memory that is free now, at most 2 GiB; 1 GiB where the
/// system does not tell. Bytes.
pub fn default_budget() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return DEFAULT_BUDGET };
    system.refresh_memory();
    // Containers may have less than the machine.
    let within = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    match system.available_memory().min(within) {
        0 => DEFAULT_BUDGET,
        free => (free / 4).min(MOST_BY_DEFAULT),
    }
}

impl Plan {
    /// The plan within `bytes` beside the image, as f32, itself. The result does
    /// not depend on it.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the sites' features alone need more, with how much.
    pub fn within(mut self, bytes: u64) -> Result<Self> {
        let least = self.least_memory();
        if bytes < least {
            let reason = format!(
                "the features and labels of {} sites, and one tile, need {}; give at least that, \
                 or a larger --stride",
                self.grid.len(),
                ByteSize(least).display().iec()
            );
            return Err(Error::parameter("memory", ByteSize(bytes).display().iec(), reason));
        }
        self.budget = bytes - self.fixed_memory();
        Ok(self)
    }

    /// The least that [`within`](Self::within) accepts, bytes.
    pub fn least_memory(&self) -> u64 {
        // A tile on one thread: its scores, pixels and norms; a sum of products.
        let channels = self.channels() as u64;
        let pixels = self.tile.full().area() * self.grid.stride * self.grid.stride;
        let scores = 4 * (self.tile.area() as u64 * channels + 4 * pixels as u64);
        let tile = scores + cpu::task(self);
        // A band, and as much again for what is kept of others.
        let tables = cpu::least_tables(self);
        self.fixed_memory() + 4 * tile.max(8 * channels * channels).max(tables)
    }

    /// What is kept of every site, and what does not depend on bands, bytes.
    fn fixed_memory(&self) -> u64 {
        let features = match self.components() {
            Components::Count(count) => count.min(self.channels()),
            // Not known before; more than a few explain noise.
            Components::Variance(_) => self.channels().min(32),
        };
        // Features as they come and as k-means has them, once more for masks;
        // labels of two iterations, distances, memberships, maps of the sites.
        let copies = if self.active.is_some() { 3 } else { 2 };
        let site = 4 * (copies * features + 8);
        REST + (self.grid.len() * site) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;

    #[test]
    fn a_budget_too_small_says_what_is_needed() {
        let plan =
            Plan::new(Params { stride: 1, ..Default::default() }, (2000, 2000), None).unwrap();
        let least = plan.least_memory();
        let error = plan.clone().within(least - 1).unwrap_err().to_string();
        assert!(error.starts_with("memory = ") && error.contains("MiB"), "{error}");
        assert!(
            plan.clone().within(least).unwrap().budget < plan.within(2 * least).unwrap().budget
        );
    }

    #[test]
    fn this_machine_has_some_memory() {
        assert!((1 << 20..=MOST_BY_DEFAULT).contains(&default_budget()));
    }
}
