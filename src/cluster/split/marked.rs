//! Patterns of which some sites are marked: each mark whose site has another pattern takes with it
//! what looks like its surroundings, and all patterns are refined from there with the marks held.

use std::collections::VecDeque;

use ndarray::{Array1, Array2};

use super::Tree;
use super::refine::{self, OUTSIDE, Points, Refined};
use crate::cluster::levels::CORE;
use crate::labels::regions::Held;

/// Rounds of refining: marks may change patterns a lot.
const ROUNDS: usize = 6;

impl Tree<'_> {
    /// The sites of `before` `[rows, cols]`, with [`OUTSIDE`] where there are none, as this number of
    /// `patterns`, those of the `held` sites fixed; nothing where one has no sites left, or none differs.
    pub(crate) fn marked(
        &self,
        before: Array2<u16>,
        patterns: usize,
        held: &[Held],
    ) -> Option<Refined> {
        let sums = self.whole.as_ref()?;
        let points = Points::new(self.field, sums, &before)?;
        let labels = grown(&points, before, held, CORE / self.field.scale() as f64);
        refine::refined(self.field, sums, labels, (patterns, ROUNDS), held)
    }
}

/// `labels` where each mark has what lies about it and looks more like it than like what it had;
/// surroundings reach `radius` sites.
fn grown(points: &Points, mut labels: Array2<u16>, held: &[Held], radius: f64) -> Array2<u16> {
    let before = labels.clone();
    let near = |one: (usize, usize), other: (usize, usize)| {
        let away = |a: usize, b: usize| a.abs_diff(b) as f64;
        away(one.0, other.0).hypot(away(one.1, other.1)) <= radius
    };
    // What marks of a pattern see in regions that were this other one.
    let seen = |pattern: usize, was: u16| {
        let marks = held.iter().filter(|h| h.pattern == pattern && before[h.site] == was);
        let marks: Vec<(usize, usize)> = marks.map(|h| h.site).collect();
        points.mean(|at| before[at] == was && marks.iter().any(|&mark| near(mark, at)))
    };
    for mark in held {
        let (was, now) = (labels[mark.site], mark.pattern as u16);
        if was == OUTSIDE || was == now {
            continue;
        }
        let of_rest = seen(usize::from(was), before[mark.site])
            .or_else(|| points.mean(|at| before[at] == before[mark.site]));
        let Some((own, rest)) = seen(mark.pattern, before[mark.site]).zip(of_rest) else {
            continue;
        };
        for at in region(&labels, mark.site) {
            if points.nearer(at, &own, &rest) {
                labels[at] = now;
            }
        }
        labels[mark.site] = now;
    }
    labels
}

/// The sites of the region of `labels` that `site` lies in.
fn region(labels: &Array2<u16>, site: (usize, usize)) -> Vec<(usize, usize)> {
    let own = labels[site];
    let mut reached = labels.mapv(|_| false);
    let (mut front, mut all) = (VecDeque::from([site]), Vec::new());
    reached[site] = true;
    while let Some((r, c)) = front.pop_front() {
        all.push((r, c));
        for at in [(r.wrapping_sub(1), c), (r, c.wrapping_sub(1)), (r, c + 1), (r + 1, c)] {
            if labels.get(at) == Some(&own) && !reached[at] {
                reached[at] = true;
                front.push_back(at);
            }
        }
    }
    all
}

impl Points {
    /// Mean of the points of the sites that `counts` `[q]`; nothing where there are none.
    fn mean(&self, counts: impl Fn((usize, usize)) -> bool) -> Option<Array1<f64>> {
        let mut sum = Array1::<f64>::zeros(self.values.ncols());
        let mut count = 0.0;
        for (&at, point) in self.own.iter().zip(self.values.outer_iter()) {
            if counts((at / self.cols, at % self.cols)) {
                sum.zip_mut_with(&point, |to, &v| *to += f64::from(v));
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    /// Whether the point of a site lies nearer to `one` than to the `other`.
    fn nearer(&self, (row, col): (usize, usize), one: &Array1<f64>, other: &Array1<f64>) -> bool {
        let Ok(point) = self.own.binary_search(&(row * self.cols + col)) else { return false };
        let away = |from: &Array1<f64>| -> f64 {
            let terms = self.values.row(point).into_iter().zip(from);
            terms.map(|(&p, &f)| (f64::from(p) - f).powi(2)).sum()
        };
        away(one) < away(other)
    }
}
