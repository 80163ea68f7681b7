//! Pixels that take another label than the sites give them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{LabelMap, UNLABELLED, areas};
use crate::image::rows::Rows;

/// Pixels of a row that take a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRun {
    /// Their row.
    pub row: usize,
    /// Their columns.
    pub cols: Range<usize>,
    /// Their label.
    pub label: u16,
}

/// All of them, by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Edits(BTreeMap<usize, Vec<LabelRun>>);

impl Edits {
    /// Those of a row.
    pub(super) fn of_row(&self, row: usize) -> &[LabelRun] {
        self.0.get(&row).map_or(&[], Vec::as_slice)
    }

    /// Writes the labels of a row's into `to` `[cols]`.
    pub(super) fn fill(&self, row: usize, to: &mut [u16]) {
        for run in self.of_row(row) {
            to[run.cols.clone()].fill(run.label);
        }
    }
}

impl LabelMap {
    /// Gives the pixels of `runs` other labels, and the sites among them; of runs that overlap the
    /// last counts. How sure a pixel is becomes its membership in its new label, where that is
    /// known, else 0. Labels keep their numbers, even where nothing is left of one.
    ///
    /// # Panics
    /// For a run outside the image, and for a label that the map does not have.
    pub fn give(&mut self, runs: Vec<LabelRun>) {
        let (rows, cols) = self.shape();
        for run in runs {
            assert!(run.row < rows && run.cols.end <= cols, "{run:?} lies in {rows} x {cols} px");
            let known = self.label_of.contains(&run.label);
            assert!(known, "{} is one of the labels {:?}", run.label, self.label_of);
            self.edits.0.entry(run.row).or_default().push(run);
        }
        let site_rows = middles(&self.cells.rows, self.sites.nrows());
        let site_cols = middles(&self.cells.cols, self.sites.ncols());
        let mut line = vec![UNLABELLED; cols];
        for (i, row) in site_rows.iter().enumerate() {
            let Some(row) = row.filter(|&row| !self.edits.of_row(row).is_empty()) else { continue };
            line.fill(UNLABELLED);
            self.edits.fill(row, &mut line);
            for (j, col) in site_cols.iter().enumerate() {
                let label = col.map_or(UNLABELLED, |col| line[col]);
                if label != UNLABELLED && self.sites[(i, j)] != UNLABELLED {
                    self.sites[(i, j)] = label;
                    self.filled[(i, j)] = label;
                }
            }
        }
        // By label, of which `sizes` has the clusters' order.
        let by_label = self.sizes(self.label_of.len());
        let sizes: Vec<u64> =
            self.label_of.iter().map(|&label| by_label[usize::from(label) - 1]).collect();
        self.areas = areas(&self.label_of, &sizes, rows * cols);
    }
}

/// Of each of `sites`, the middle one of the pixels that are nearest to it along an axis.
fn middles(nearest: &[Option<usize>], sites: usize) -> Vec<Option<usize>> {
    let mut own: Vec<Option<(usize, usize)>> = vec![None; sites];
    for (pixel, site) in nearest.iter().enumerate() {
        if let Some(site) = *site {
            let first = own[site].map_or(pixel, |(first, _)| first);
            own[site] = Some((first, pixel));
        }
    }
    own.into_iter().map(|range| range.map(|(first, last)| (first + last) / 2)).collect()
}
