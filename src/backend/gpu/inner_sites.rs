//! Scores at inner sites on the device, and the windows that pool them.

use std::ops::Range;

use wgpu::{Buffer, BufferUsages};

use super::device::Device;
use crate::Result;
use crate::descriptor::inner_sites::InnerSites;
use crate::sites::{Band, SiteGrid};

/// Scores of the inner rows that a band pools, `[channel][row][col]`.
pub(super) struct Maps {
    pub(super) buffer: Buffer,
    /// The inner rows that are there.
    pub(super) rows: Range<usize>,
    /// Inner sites of a row.
    pub(super) cols: usize,
}

/// Bytes of the maps of `channels` scores for a band of `rows` site rows `stride`
/// px apart.
pub(super) fn bytes(inner: &InnerSites, channels: usize, rows: usize, stride: usize) -> u64 {
    4 * (inner.most_rows(rows, stride) * inner.grid.count.cols * channels) as u64
}

/// Inner rows and columns that sites pool, first and one beyond the last.
pub(super) struct Windows<'a> {
    device: &'a Device,
    inner: &'a InnerSites,
    grid: &'a SiteGrid,
    cols: Option<Buffer>,
}

impl<'a> Windows<'a> {
    pub(super) fn new(device: &'a Device, inner: &'a InnerSites, grid: &'a SiteGrid) -> Self {
        Self { device, inner, grid, cols: None }
    }

    /// Rows, counted from the first of `maps`, of each site row of `band`; columns of each
    /// site column.
    pub(super) fn get(&mut self, band: &Band, maps: &Maps) -> Result<[Buffer; 2]> {
        let pair = |range: Range<usize>| [range.start as u32, range.end as u32];
        let row = |i| {
            let range = self.inner.rows(self.grid.row(i));
            pair(range.start - maps.rows.start..range.end - maps.rows.start)
        };
        let values: Vec<[u32; 2]> = band.rows.clone().map(row).collect();
        // To write to a buffer that is in use would end the submission.
        let rows = self.device.upload("row windows", &values, BufferUsages::STORAGE)?;
        let cols = match &self.cols {
            Some(cols) => cols.clone(),
            None => {
                let col = |j| pair(self.inner.cols(self.grid.col(j)));
                let values: Vec<[u32; 2]> = (0..self.grid.count.cols).map(col).collect();
                self.device.upload("column windows", &values, BufferUsages::STORAGE)?
            }
        };
        Ok([rows, self.cols.insert(cols).clone()])
    }
}
