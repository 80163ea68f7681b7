//! Labels between sites: where the interpolated scores of two patterns are equal.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis, Zip};

use super::{LabelRun, UNLABELLED};
use crate::cluster::gap::Mixing;
use crate::labels::regions;

/// How far the logarithm of a likelihood must lie below that of the best for it to be lost in the
/// rounding of their sum, whatever the number of patterns: `254 exp(-24) < 2^-26`.
const LOST: f32 = 24.0;

/// Share of two scores by which they must differ at all sites around for rounding never to make
/// the lower one the higher in between.
const CLEAR: f32 = 1e-5;

/// Where a row or column of pixels lies: the site before, and the way to the next, 0 to 1.
pub(super) type Place = (usize, f32);

/// Scores of sites, and where the pixels lie between these.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Interpolated {
    /// Logarithms of likelihoods by label from 1 on, `[k, site rows, site cols]`.
    pub(super) scores: Array3<f32>,
    /// Of each pixel row and column.
    rows: Vec<Place>,
    cols: Vec<Place>,
    /// Columns that lie between the same two sites, from the left to the right.
    spans: Vec<Range<usize>>,
    /// Pixels that are less sure of their label have none.
    least: f32,
    /// Share of the membership in each pattern that is one in another.
    mixing: Mixing,
    /// What is known of the pixels between four sites, by the first of these.
    between: Array2<Between>,
}

/// What is known of all pixels between four sites without looking at each: pattern numbers from 1
/// on, 0 where the pixels have to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Between {
    /// The pattern of highest score.
    best: u16,
    /// The same, if the likelihoods of all others are [`LOST`].
    alone: u16,
}

/// Where pixels `scale` sites apart, the first `first` sites behind site 0, lie between
/// `sites` sites.
pub(super) fn between(pixels: usize, sites: usize, scale: f64, first: f64) -> Vec<Place> {
    let at = |x: usize| (x as f64 * scale - first).clamp(0.0, (sites - 1) as f64);
    let split = |at: f64| {
        let before = (at as usize).min(sites.saturating_sub(2));
        (before, (at - before as f64) as f32)
    };
    (0..pixels).map(|x| split(at(x))).collect()
}

impl Interpolated {
    /// Of `scores`, at pixels that lie where [`between`] says; `least` is the least
    /// membership of a label, `mixing` what share of the membership in each
    /// pattern (row) is one in another (column).
    pub(super) fn new(
        scores: Array3<f32>,
        (rows, cols): (Vec<Place>, Vec<Place>),
        least: f64,
        mixing: Mixing,
    ) -> Self {
        let mut spans: Vec<Range<usize>> = Vec::new();
        for cols in cols.chunk_by(|a, b| a.0 == b.0) {
            let start = spans.last().map_or(0, |span| span.end);
            spans.push(start..start + cols.len());
        }
        let between = Between::all(&scores);
        Self { scores, rows, cols, spans, least: least as f32, mixing, between }
    }

    /// Puts the pattern that was `order[i]` in place `i`.
    pub(super) fn reorder(&mut self, order: &[usize]) {
        self.scores = self.scores.select(Axis(0), order);
        self.mixing = self.mixing.reordered(order);
        self.between = Between::all(&self.scores);
    }

    /// What `maps` `[k, site rows, site cols]` are at the pixels of a row, `[k, cols]`.
    pub(super) fn between_sites(&self, maps: &Array3<f32>, row: usize) -> Array2<f32> {
        let line = self.line(maps, row);
        let (patterns, _, sites) = maps.dim();
        let mut values = Array2::zeros((patterns, self.cols.len()));
        let mut at = vec![0.0; patterns];
        for (&(left, along), mut to) in self.cols.iter().zip(values.columns_mut()) {
            interpolate(&line, sites, (left, (left + 1).min(sites - 1), along), &mut at);
            to.iter_mut().zip(&at).for_each(|(to, &value)| *to = value);
        }
        values
    }

    /// Labels of a pixel row.
    pub(super) fn labels(&self, row: usize, to: &mut [u16]) {
        let (patterns, _, sites) = self.scores.dim();
        let between = self.between.row(self.rows[row].0);
        let (mut line, mut scores) = (None, vec![0.0; patterns]);
        for span in &self.spans {
            let (cols, to) = (&self.cols[span.clone()], &mut to[span.clone()]);
            let left = cols[0].0;
            if self.least <= 0.0 && between[left].best > 0 {
                to.fill(between[left].best);
                continue;
            }
            let line = &*line.get_or_insert_with(|| self.line(&self.scores, row));
            let right = (left + 1).min(sites - 1);
            let best = |site: usize| regions::best(line[site..].iter().copied().step_by(sites));
            // Scores are linear in between: what is best at both ends is so all the way.
            if self.least <= 0.0 && best(left) == best(right) {
                to.fill(best(left) as u16 + 1);
                continue;
            }
            for (&(_, along), to) in cols.iter().zip(to) {
                interpolate(line, sites, (left, right, along), &mut scores);
                let best = regions::best(scores.iter().copied());
                let enough = self.least <= 0.0 || self.membership(&scores, best) >= self.least;
                *to = if enough { best as u16 + 1 } else { UNLABELLED };
            }
        }
    }

    /// How sure the pixels of a row are of their label: its share of all likelihoods.
    pub(super) fn memberships(&self, row: usize, to: &mut [f32]) {
        let (patterns, _, sites) = self.scores.dim();
        let between = self.between.row(self.rows[row].0);
        let (mut line, mut scores) = (None, vec![0.0; patterns]);
        for span in &self.spans {
            let (cols, to) = (&self.cols[span.clone()], &mut to[span.clone()]);
            let left = cols[0].0;
            if let Some(best) = usize::from(between[left].alone).checked_sub(1) {
                to.fill(self.mixing.share(best, best));
                continue;
            }
            let line = &*line.get_or_insert_with(|| self.line(&self.scores, row));
            let right = (left + 1).min(sites - 1);
            let alone = |site: usize| alone(line[site..].iter().copied().step_by(sites), LOST);
            // Differences of scores are linear in between: no other counts all the way.
            if let Some(best) = alone(left).filter(|_| alone(left) == alone(right)) {
                to.fill(self.mixing.share(best, best));
                continue;
            }
            for (&(_, along), to) in cols.iter().zip(to) {
                interpolate(line, sites, (left, right, along), &mut scores);
                *to = self.membership(&scores, regions::best(scores.iter().copied()));
            }
        }
    }

    /// How sure the pixels of `run`, in row `row`, are of its label, into the row `to`.
    pub(super) fn membership_in(&self, row: usize, run: &LabelRun, to: &mut [f32]) {
        let line = self.line(&self.scores, row);
        let (patterns, _, sites) = self.scores.dim();
        let mut scores = vec![0.0; patterns];
        for col in run.cols.clone() {
            let (left, along) = self.cols[col];
            interpolate(&line, sites, (left, (left + 1).min(sites - 1), along), &mut scores);
            to[col] = self.membership_in_any(&scores, usize::from(run.label) - 1);
        }
    }

    /// [`membership`](Self::membership) in a pattern that need not be the best: finite, however
    /// far below it is.
    pub(super) fn membership_in_any(&self, scores: &[f32], of: usize) -> f32 {
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match scores[of] == best {
            true => self.membership(scores, of),
            false => {
                let below: Vec<f32> = scores.iter().map(|score| score - best).collect();
                self.share(&below, of)
            }
        }
    }

    /// Membership of the pixels of a row in each pattern, `[k, cols]`.
    pub(super) fn all_memberships(&self, row: usize) -> Array2<f32> {
        let mut all = self.between_sites(&self.scores, row);
        for mut pixel in all.columns_mut() {
            let scores = pixel.to_vec();
            // From the best score on, so that no likelihood is beyond numbers.
            let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let whole: f32 = scores.iter().map(|score| (score - best).exp()).sum();
            let share = |score: f32| (score - best).exp() / whole;
            for (of, to) in pixel.iter_mut().enumerate() {
                let mixed = scores.iter().enumerate();
                *to = mixed.map(|(p, &score)| share(score) * self.mixing.share(p, of)).sum();
            }
        }
        all
    }

    /// Membership in pattern `of`, 0 to 1: of the shares in all likelihoods, whose logarithms
    /// are `scores`, what is one in that pattern.
    pub(super) fn membership(&self, scores: &[f32], of: usize) -> f32 {
        let likelihoods = scores.iter().map(|score| (score - scores[of]).exp());
        let (mut own, mut all) = (0.0, 0.0);
        for (pattern, likelihood) in likelihoods.enumerate() {
            own += likelihood * self.mixing.share(pattern, of);
            all += likelihood;
        }
        own / all
    }

    /// The same of scores of which none is above 0: finite, however far below `of` is.
    pub(super) fn share(&self, scores: &[f32], of: usize) -> f32 {
        let (mut own, mut all) = (0.0, 0.0);
        for (pattern, score) in scores.iter().enumerate() {
            own += score.exp() * self.mixing.share(pattern, of);
            all += score.exp();
        }
        own / all
    }

    /// `maps` along a pixel row at the columns of sites, `[k][sites]`.
    fn line(&self, maps: &Array3<f32>, row: usize) -> Vec<f32> {
        let (above, down) = self.rows[row];
        let (patterns, rows, sites) = maps.dim();
        let below = (above + 1).min(rows - 1);
        let mut line = vec![0.0; patterns * sites];
        for (scores, to) in maps.outer_iter().zip(line.chunks_exact_mut(sites)) {
            for ((to, a), b) in to.iter_mut().zip(scores.row(above)).zip(scores.row(below)) {
                *to = a + down * (b - a);
            }
        }
        line
    }
}

impl Between {
    /// Of `scores` `[k, site rows, site cols]`: `[site rows, site cols]`.
    fn all(scores: &Array3<f32>) -> Array2<Self> {
        let (_, rows, cols) = scores.dim();
        // What each site would have by itself.
        let mut own = Array2::<Self>::default((rows, cols));
        Zip::from(&mut own).and(scores.lanes(Axis(0))).par_for_each(|own, scores| {
            let number = |pattern: Option<usize>| pattern.map_or(0, |pattern| pattern as u16 + 1);
            let scores = scores.iter().copied();
            *own = Self {
                best: number(alone(scores.clone(), 0.0)),
                alone: number(alone(scores, LOST)),
            };
        });
        Array2::from_shape_fn((rows, cols), |(r, c)| {
            let (below, right) = ((r + 1).min(rows - 1), (c + 1).min(cols - 1));
            let around = [(r, c), (r, right), (below, c), (below, right)].map(|at| own[at]);
            let same = |of: fn(&Self) -> u16| {
                let first = of(&around[0]);
                if around.iter().all(|site| of(site) == first) { first } else { 0 }
            };
            Self { best: same(|site| site.best), alone: same(|site| site.alone) }
        })
    }
}

/// The pattern with one of the `scores`, which is above all others by more than rounding between
/// sites is, and by `least`; nothing where none is.
///
/// Where it is by [`LOST`], the likelihoods of all others are lost in the rounding of their sum.
fn alone(scores: impl Iterator<Item = f32> + Clone, least: f32) -> Option<usize> {
    let best = regions::best(scores.clone());
    let highest = scores.clone().nth(best)?;
    let mut others = scores.enumerate().filter(|(pattern, _)| *pattern != best);
    let above = |score: f32| highest - score >= least + CLEAR * (highest.abs() + score.abs());
    others.all(|(_, score)| above(score)).then_some(best)
}

/// Scores `along` the way between two sites of a `line` `[k][sites]`.
fn interpolate(
    line: &[f32],
    sites: usize,
    (left, right, along): (usize, usize, f32),
    scores: &mut [f32],
) {
    for (score, line) in scores.iter_mut().zip(line.chunks_exact(sites)) {
        *score = line[left] + along * (line[right] - line[left]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_lies_where_scores_are_equal() {
        // Pattern 1 falls from 0 to -3 from site 0 to 1, pattern 2 rises from -1 to 0.
        let scores = Array3::from_shape_vec((2, 1, 2), vec![0.0, -3.0, -1.0, 0.0]).unwrap();
        let cols = between(9, 2, 0.125, 0.0);
        let lines = (between(1, 1, 1.0, 0.0), cols);
        let map = Interpolated::new(scores, lines, 0.0, Mixing::none());
        let mut labels = [0; 9];
        map.labels(0, &mut labels);
        // Equal at a quarter of the way, where the first counts.
        assert_eq!(labels, [1, 1, 1, 2, 2, 2, 2, 2, 2]);
        let mut sure = [0.0; 9];
        map.memberships(0, &mut sure);
        assert!((sure[2] - 0.5).abs() < 1e-6 && sure[8] > 0.95, "{sure:?}");
        let map = Interpolated { least: 0.9, ..map };
        map.labels(0, &mut labels);
        assert_eq!(labels, [0, 0, 0, 0, 0, 0, 0, 2, 2]);
        // Half of what is one pattern may as well be the other.
        let mixed = Interpolated { mixing: Mixing::of(Array2::from_elem((2, 2), 0.5)), ..map };
        mixed.memberships(0, &mut sure);
        assert_eq!(sure, [0.5; 9]);
        mixed.labels(0, &mut labels);
        assert_eq!(labels, [0; 9]);
    }

    #[test]
    fn memberships_in_all_patterns_are_those_of_labels_and_add_up() {
        let scores = Array3::from_shape_fn((3, 2, 3), |(k, r, c)| ((5 * k + 3 * r + c) % 7) as f32);
        let lines = (between(4, 2, 0.3, 0.0), between(7, 3, 0.3, 0.0));
        let mixing = Mixing::of(ndarray::array![[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]]);
        let map = Interpolated::new(scores, lines, 0.0, mixing);
        for row in 0..4 {
            let (mut labels, mut sure) = ([0; 7], [0.0; 7]);
            map.labels(row, &mut labels);
            map.memberships(row, &mut sure);
            for (col, all) in map.all_memberships(row).columns().into_iter().enumerate() {
                assert!((all.sum() - 1.0).abs() < 1e-5, "{all}");
                let own = all[usize::from(labels[col]) - 1];
                assert!((own - sure[col]).abs() < 1e-5, "{own} {}", sure[col]);
            }
        }
    }

    #[test]
    fn labels_between_sites_that_agree_are_those_of_every_pixel_looked_at() {
        let wave = |(k, r, c): (usize, usize, usize)| ((7 * k + 3 * r + 5 * (c / 3)) % 11) as f32;
        let scores = Array3::from_shape_fn((3, 5, 9), wave);
        let (rows, cols) = (between(20, 5, 0.24, 0.0), between(40, 9, 0.22, 0.0));
        let short = Interpolated::new(scores, (rows, cols), 0.0, Mixing::none());
        // Any membership is enough, but it has to be worked out.
        let whole = Interpolated { least: f32::MIN_POSITIVE, ..short.clone() };
        let mut seen = [false; 4];
        for row in 0..20 {
            let (mut labels, mut expected) = ([0; 40], [0; 40]);
            short.labels(row, &mut labels);
            whole.labels(row, &mut expected);
            assert_eq!(labels, expected, "{row}");
            labels.iter().for_each(|&label| seen[usize::from(label)] = true);
        }
        assert_eq!(seen, [false, true, true, true]);
    }

    #[test]
    fn memberships_where_one_pattern_is_alone_are_those_of_all_likelihoods() {
        // From far apart to near, and the other way round.
        let far = |k: usize, c: usize| -30.0 * (k as f32 - c as f32 / 4.0).abs();
        let scores = Array3::from_shape_fn((3, 4, 9), |(k, r, c)| far(k, c) - (r * k) as f32);
        let lines = (between(16, 4, 0.2, 0.0), between(90, 9, 0.1, 0.0));
        let mixed =
            Mixing::of(Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 0.8 } else { 0.1 }));
        let map = Interpolated::new(scores, lines, 0.0, mixed);
        let (mut found, mut certain) = ([0.0; 90], 0);
        for row in 0..16 {
            map.memberships(row, &mut found);
            let line = map.line(&map.scores, row);
            for (&(left, along), found) in map.cols.iter().zip(found) {
                let mut scores = [0.0; 3];
                interpolate(&line, 9, (left, left + 1, along), &mut scores);
                let expected = map.membership(&scores, regions::best(scores.iter().copied()));
                assert_eq!(found, expected);
                certain += usize::from(found == 0.8);
            }
        }
        assert!((100..1400).contains(&certain), "{certain}");
    }

    #[test]
    fn pixels_beyond_the_sites_take_the_last() {
        assert_eq!(
            between(6, 3, 0.5, 1.0),
            [(0, 0.0), (0, 0.0), (0, 0.0), (0, 0.5), (1, 0.0), (1, 0.5)]
        );
        assert_eq!(between(3, 1, 0.5, 0.0), [(0, 0.0); 3]);
    }
}
