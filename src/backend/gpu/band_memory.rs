//! What a band needs of the device's memory, and how high bands may be.

use super::device::Device;
use super::families::on_gpu;
use super::launch::Measured;
use super::pixels;
use super::session::IN_FLIGHT;
use crate::Result;
use crate::plan::{Components, Plan};

/// Bytes for a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BandMemory {
    /// The largest buffer of its own.
    largest: u64,
    /// All of its own together, with what lies on the way to and from the device.
    all: u64,
}

impl BandMemory {
    /// For bands of `rows` site rows on `device`.
    fn new(device: &Device, plan: &Plan, rows: usize) -> Self {
        let limit = device.binding_limit();
        let rows = rows.min(plan.sites().grid().count.rows);
        let sites = (rows * plan.sites().grid().count.cols) as u64;
        let channels = plan.channels() as u64;
        // Those that are kept, not those that a user sees named.
        let features = match plan.components() {
            Components::Count(count) => channels.min(count as u64),
            Components::Variance(_) => channels,
        };
        let descriptors = 4 * sites * channels;
        let weights = 4 * sites;
        let families = || {
            let measured = |family| Measured { device, plan, family, rows };
            plan.families().iter().map(on_gpu).zip((0..).map(measured))
        };
        let norms = families().map(|(family, measured)| family.norms(measured)).max();
        let norms = norms.unwrap_or(0);
        let own = families().map(|(family, measured)| family.bytes(measured));
        let (largest_own, own) =
            own.fold((0, 0), |(most, sum), own| (own.largest.max(most), sum + own.all));
        // Bands have rows of their own only where the image is too large to stay.
        let mut pixels = pixels::bytes(plan, plan.sites().shape().rows);
        if pixels > limit {
            let extent =
                (rows - 1) * plan.sites().grid().stride + 2 * plan.sites().reach().rows + 1;
            pixels = pixels::bytes(plan, extent.min(plan.sites().shape().rows));
        } else {
            pixels = 0;
        }
        let on_way = IN_FLIGHT as u64 * (2 * norms + pixels + weights + 4 * sites * features);
        Self {
            largest: descriptors.max(norms).max(largest_own).max(pixels).max(weights),
            all: descriptors + own + 2 * norms + pixels + weights + 4 * sites * features + on_way,
        }
    }
}

/// Most site rows of a band whose buffers fit the device and, together, about
/// `budget` bytes; at least one row of tiles.
pub(super) fn band_rows(device: &Device, plan: &Plan, budget: u64) -> Result<usize> {
    let limit = device.binding_limit();
    let tile = plan.sites().tile().rows;
    let least = BandMemory::new(device, plan, tile);
    if least.largest > limit {
        let (block, need) = (tile.min(plan.sites().grid().count.rows), least.largest);
        return Err(device.error(format!(
            "{block} rows of sites need a buffer of {need} bytes but the device binds {limit}; \
             give a larger `stride`, fewer channels, or use `device = cpu`"
        )));
    }
    let fits = |tiles: usize| {
        let need = BandMemory::new(device, plan, tiles * tile);
        need.largest <= limit && need.all <= budget
    };
    let (mut fitting, mut beyond) = (1, plan.sites().grid().count.rows.div_ceil(tile) + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    Ok(fitting * tile)
}
