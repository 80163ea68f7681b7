//! Patterns of which some sites are marked: refined from those there were, with the marks held.

use ndarray::Array2;

use super::Tree;
use super::refine::{self, Refined};
use crate::labels::regions::Held;

/// Rounds of refining: marks may change patterns a lot.
const ROUNDS: usize = 6;

impl Tree<'_> {
    /// The sites of `labels` `[rows, cols]`, with [`OUTSIDE`](super::OUTSIDE) where there are none, as this number of
    /// `patterns`, those of the `held` sites fixed; nothing where one has no sites left, or none differs.
    pub(crate) fn marked(
        &self,
        mut labels: Array2<u16>,
        patterns: usize,
        held: &[Held],
    ) -> Option<Refined> {
        let sums = self.whole.as_ref()?;
        for mark in held.iter().filter(|mark| self.field.present[mark.site]) {
            labels[mark.site] = mark.pattern as u16;
        }
        refine::refined(self.field, sums, labels, (patterns, ROUNDS), held)
    }
}
