//! What a band needs of the device's memory, and how high bands may be.

use super::device::Device;
use super::pixels;
use super::session::{IN_FLIGHT, missing};
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
    /// For bands of `rows` site rows, where a binding holds `limit`.
    fn new(plan: &Plan, rows: usize, limit: u64) -> Self {
        let rows = rows.min(plan.grid.count.rows);
        let sites = (rows * plan.grid.count.cols) as u64;
        let channels = plan.channels() as u64;
        let features = match plan.params.components {
            Components::Count(count) => channels.min(count as u64),
            Components::Variance(_) => channels,
        };
        let descriptors = 4 * sites * channels;
        let weights = 4 * sites;
        let norms = plan.families.iter().map(|family| match family {
            Family::Translation(family) => {
                4 * Norms::<f32>::most_values(family, &plan.grid, rows) as u64
            }
            // Refused before.
            _ => 0,
        });
        let norms = norms.max().unwrap_or(0);
        // Bands have rows of their own only where the image is too large to stay.
        let mut pixels = pixels::bytes(plan, plan.shape.rows);
        if pixels > limit {
            let margin = plan.grid.margin.rows;
            pixels = pixels::bytes(plan, (rows - 1) * plan.grid.stride + 2 * margin + 1);
        } else {
            pixels = 0;
        }
        let on_way = IN_FLIGHT as u64 * (2 * norms + pixels + weights + 4 * sites * features);
        Self {
            largest: descriptors.max(norms).max(pixels).max(weights),
            all: descriptors + 2 * norms + pixels + weights + 4 * sites * features + on_way,
        }
    }
}

/// Most site rows of a band whose buffers fit the device and, together, about
/// `budget` bytes; at least one row of tiles.
pub(super) fn band_rows(device: &Device, plan: &Plan, budget: u64) -> Result<usize> {
    let other = plan.families.iter().find(|f| !matches!(f, Family::Translation(_)));
    other.map_or(Ok(()), |family| Err(missing(device, family)))?;
    let limit = device.binding_limit();
    let tile = plan.tile.rows;
    let least = Need::new(plan, tile, limit);
    if least.largest > limit {
        let (block, need) = (tile.min(plan.grid.count.rows), least.largest);
        return Err(device.error(format!(
            "{block} rows of sites need a buffer of {need} bytes but the device binds {limit}; \
             give a larger --stride, fewer channels, or use --device cpu"
        )));
    }
    let fits = |tiles: usize| {
        let need = Need::new(plan, tiles * tile, limit);
        need.largest <= limit && need.all <= budget
    };
    let (mut fitting, mut beyond) = (1, plan.grid.count.rows.div_ceil(tile) + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    Ok(fitting * tile)
}
