//! What a band needs of the device's memory, and how high bands may be.

use super::device::Device;
use super::session::IN_FLIGHT;
use super::{centred, glide, harmonic, pixels, polar};
use crate::Result;
use crate::descriptor::Family;
use crate::descriptor::translation::Norms;
use crate::plan::{Components, Plan};

/// Bytes for a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    /// The largest buffer of its own.
    largest: u64,
    /// All of its own together, with what lies on the way to and from the device.
    all: u64,
}

impl Need {
    /// For bands of `rows` site rows on `device`.
    fn new(device: &Device, plan: &Plan, rows: usize) -> Self {
        let limit = device.binding_limit();
        let rows = rows.min(plan.sites().grid().count.rows);
        let sites = (rows * plan.sites().grid().count.cols) as u64;
        let channels = plan.channels() as u64;
        let features = match plan.params().components {
            Components::Count(count) => channels.min(count as u64),
            Components::Variance(_) => channels,
        };
        let descriptors = 4 * sites * channels;
        let weights = 4 * sites;
        let norms = plan.families().iter().map(|family| match family {
            Family::Translation(family) => {
                4 * Norms::<f32>::most_values(family, plan.sites().grid(), rows) as u64
            }
            _ => 0,
        });
        let norms = norms.max().unwrap_or(0);
        let maps = (0..plan.families().len()).map(|i| maps(device, plan, i, rows));
        let (largest_maps, maps) =
            maps.fold((0, 0), |(most, sum), (largest, all)| (largest.max(most), sum + all));
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
            largest: descriptors.max(norms).max(largest_maps).max(pixels).max(weights),
            all: descriptors + maps + 2 * norms + pixels + weights + 4 * sites * features + on_way,
        }
    }
}

/// Bytes of the largest buffer, and of all, for the scores at inner sites that family
/// `of` needs for bands of `rows` site rows.
fn maps(device: &Device, plan: &Plan, of: usize, rows: usize) -> (u64, u64) {
    match &plan.families()[of] {
        Family::Harmonic(family) => {
            let bytes = harmonic::bytes(family, rows, plan.sites().grid().stride);
            (bytes, bytes)
        }
        Family::Centred(family) => centred::bytes(device, family, plan, rows),
        Family::Rotation(_) | Family::Reflection(_) => {
            polar::bytes(device, plan, of, rows).unwrap_or_default()
        }
        Family::Glide(family) => glide::bytes(device, family, plan, rows),
        _ => (0, 0),
    }
}

/// Most site rows of a band whose buffers fit the device and, together, about
/// `budget` bytes; at least one row of tiles.
pub(super) fn band_rows(device: &Device, plan: &Plan, budget: u64) -> Result<usize> {
    let limit = device.binding_limit();
    let tile = plan.sites().tile().rows;
    let least = Need::new(device, plan, tile);
    if least.largest > limit {
        let (block, need) = (tile.min(plan.sites().grid().count.rows), least.largest);
        return Err(device.error(format!(
            "{block} rows of sites need a buffer of {need} bytes but the device binds {limit}; \
             give a larger `stride`, fewer channels, or use `device = cpu`"
        )));
    }
    let fits = |tiles: usize| {
        let need = Need::new(device, plan, tiles * tile);
        need.largest <= limit && need.all <= budget
    };
    let (mut fitting, mut beyond) = (1, plan.sites().grid().count.rows.div_ceil(tile) + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    Ok(fitting * tile)
}
