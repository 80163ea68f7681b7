//! Samples of an equation: its left side and its terms under bumps in space and time.

use rayon::prelude::*;
use stemseg_numerics::linear::Mat;

use super::{Averages, middles};
use crate::bump::{bump, dot};
use crate::term::{Factor, Term};

/// Blocks of time, and blocks of space within each, that are held out one by one.
const BLOCKS: [usize; 2] = [6, 4];
/// Most samples that are taken.
const MOST_SAMPLES: usize = 40_000;
/// Share of the strongest change above which a place counts as one where something changes.
const ACTIVE: f64 = 0.05;

/// Samples where something changes.
pub(crate) struct Samples {
    pub(crate) terms: Vec<Term>,
    /// `Phi_t` of each sample.
    pub(crate) left: Vec<f64>,
    /// Terms of each sample, `[sample][term]`.
    pub(crate) right: Vec<f64>,
    /// Frame, row and column of the middle of each.
    pub(crate) at: Vec<[usize; 3]>,
    /// Block of each.
    pub(crate) block: Vec<usize>,
    /// Sums of each block.
    pub(crate) moments: Vec<Moments>,
    /// Places and times that were looked at.
    pub(crate) looked: usize,
    /// Mean square of what changes: gradients times the half width of a bump.
    pub(crate) activity: f64,
    /// Sums of squares and products of the gradients: xx, xy, yy.
    pub(crate) gradients: [f64; 3],
    /// How many bumps fit side by side where something changes.
    pub(crate) independent: f64,
}

/// Sums of products over samples.
#[derive(Clone)]
pub(crate) struct Moments {
    /// Of terms with terms.
    pub(crate) right: Mat<f64>,
    /// Of terms with the left side.
    pub(crate) mixed: Vec<f64>,
    /// Of the left side with itself.
    pub(crate) left: f64,
    /// The share of noise in `right`.
    pub(crate) right_noise: Mat<f64>,
    /// The share of noise in `left`.
    pub(crate) left_noise: f64,
    pub(crate) count: usize,
}

impl Moments {
    pub(crate) fn zero(terms: usize) -> Self {
        Self {
            right: Mat::zeros(terms, terms),
            mixed: vec![0.0; terms],
            left: 0.0,
            right_noise: Mat::zeros(terms, terms),
            left_noise: 0.0,
            count: 0,
        }
    }

    /// Adds `times` the sums of another.
    pub(crate) fn add(&mut self, other: &Self, times: f64) {
        let terms = self.mixed.len();
        for a in 0..terms {
            for b in 0..terms {
                self.right[(b, a)] += times * other.right[(b, a)];
                self.right_noise[(b, a)] += times * other.right_noise[(b, a)];
            }
        }
        self.mixed.iter_mut().zip(&other.mixed).for_each(|(sum, part)| *sum += times * part);
        self.left += times * other.left;
        self.left_noise += times * other.left_noise;
        self.count = (self.count as f64 + times * other.count as f64).max(0.0) as usize;
    }
}

impl Samples {
    /// Samples of `terms` under bumps of half width `time` frames; `drift` is a velocity `[x, y]`
    /// in px a frame with which everything is carried, besides what `terms` say.
    pub(crate) fn new(averages: &Averages, time: usize, terms: &[Term], drift: [f64; 2]) -> Self {
        let frames = averages.frames.len();
        let [still, moving, _] = bump(time);
        let starts = middles(frames, time, (time / 4).max(1));
        let numbers: Vec<usize> = terms.iter().filter_map(|&term| averages.channel(term)).collect();
        let parts: Vec<Part> = starts
            .into_par_iter()
            .map(|middle| Part::new(averages, middle, time, &numbers, [&still, &moving], drift))
            .collect();
        let threshold = ACTIVE * high(parts.iter().flat_map(|part| part.activity.iter().copied()));
        let active = |change: f64| change > threshold && change > 0.0;
        let count = parts.iter().flat_map(|part| &part.activity).filter(|a| active(**a)).count();
        let every = count.div_ceil(MOST_SAMPLES).max(1);
        let mut samples = Self {
            terms: terms.to_vec(),
            left: Vec::new(),
            right: Vec::new(),
            at: Vec::new(),
            block: Vec::new(),
            moments: Vec::new(),
            looked: parts.iter().map(|part| part.places.len()).sum(),
            activity: 0.0,
            gradients: [0.0; 3],
            independent: 0.0,
        };
        let mut places = Vec::new();
        let mut met = 0;
        for part in &parts {
            for (i, &place) in part.places.iter().enumerate() {
                if !active(part.activity[i]) {
                    continue;
                }
                met += 1;
                if !(met - 1_usize).is_multiple_of(every) {
                    continue;
                }
                samples.left.push(part.left[i]);
                samples
                    .right
                    .extend_from_slice(&part.right[i * terms.len()..(i + 1) * terms.len()]);
                let (row, col) = (place / averages.cols.len(), place % averages.cols.len());
                samples.at.push([part.middle, averages.rows[row], averages.cols[col]]);
                samples.activity += part.activity[i] * part.activity[i];
                let [x, y] = part.gradients[i];
                let products = [x * x, x * y, y * y];
                samples.gradients.iter_mut().zip(products).for_each(|(sum, p)| *sum += p);
                places.push(place);
            }
        }
        samples.activity /= samples.left.len().max(1) as f64;
        samples.independent = independent(averages, time, count, parts.len());
        samples.block = blocks(&samples.at);
        samples.sum(averages, time, &numbers, &places, [&still, &moving]);
        samples
    }

    /// Sums over each block, with their shares of noise.
    fn sum(
        &mut self,
        averages: &Averages,
        time: usize,
        numbers: &[usize],
        places: &[usize],
        [still, moving]: [&[f64]; 2],
    ) {
        let count = self.block.iter().max().map_or(0, |last| last + 1);
        let terms = self.terms.len();
        let noise = [dot(moving, moving), dot(still, still)];
        self.moments = (0..count)
            .into_par_iter()
            .map(|block| {
                let mut moments = Moments::zero(terms);
                let own = (0..self.left.len()).filter(|&i| self.block[i] == block);
                let mut weights = Weights::new(averages);
                for i in own {
                    let row = &self.right[i * terms..(i + 1) * terms];
                    let left = self.left[i];
                    moments.left += left * left;
                    moments.count += 1;
                    for (a, x) in row.iter().enumerate() {
                        moments.mixed[a] += x * left;
                        for (b, y) in row[..=a].iter().enumerate() {
                            moments.right[(a, b)] += x * y;
                        }
                    }
                    weights.add(self.at[i][0], time, places[i]);
                }
                weights.noise(averages, numbers, noise, &mut moments);
                for a in 0..terms {
                    for b in 0..a {
                        moments.right[(b, a)] = moments.right[(a, b)];
                        moments.right_noise[(b, a)] = moments.right_noise[(a, b)];
                    }
                }
                moments
            })
            .collect();
    }
}

/// How many bumps fit side by side where `count` of the samples of `times` middles change.
fn independent(averages: &Averages, time: usize, count: usize, times: usize) -> f64 {
    let step = |at: &[usize]| match at {
        [first, second, ..] => (second - first) as f64,
        _ => f64::INFINITY,
    };
    // The integral of a bump is about 0.7 of its half width.
    let share = |step: f64, half: usize| (step / (0.7 * half as f64)).min(1.0);
    let space = averages.space;
    let rows = if averages.rows.len() == 1 { 1.0 } else { share(step(&averages.rows), space) };
    let frames = if times == 1 { 1.0 } else { share((time / 4).max(1) as f64, time) };
    count as f64 * rows * share(step(&averages.cols), space) * frames
}

/// Samples about one frame.
struct Part {
    middle: usize,
    places: Vec<usize>,
    left: Vec<f64>,
    /// `[place][term]`.
    right: Vec<f64>,
    /// How much changes: gradients in space and time, times the half widths of the bump.
    activity: Vec<f64>,
    /// By x and y.
    gradients: Vec<[f64; 2]>,
}

impl Part {
    fn new(
        averages: &Averages,
        middle: usize,
        time: usize,
        numbers: &[usize],
        [still, moving]: [&[f64]; 2],
        drift: [f64; 2],
    ) -> Self {
        let range = middle - time..=middle + time;
        let sum = |kernel: &[f64], channel: usize, place: usize| -> f64 {
            kernel
                .iter()
                .zip(range.clone())
                .map(|(weight, frame)| weight * averages.at(frame, channel, place))
                .sum()
        };
        let gradients: Vec<usize> = [Factor::X, Factor::Y]
            .into_iter()
            .filter_map(|factor| averages.channel(Term::new(0, factor)))
            .collect();
        let mut part = Self {
            middle,
            places: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            activity: Vec::new(),
            gradients: Vec::new(),
        };
        for place in 0..averages.places() {
            if !range.clone().all(|frame| averages.present(frame, place)) {
                continue;
            }
            let mut left = sum(moving, 0, place);
            let mut activity = (left * time as f64).powi(2);
            let mut both = [0.0; 2];
            for (axis, (&channel, velocity)) in gradients.iter().zip(drift).enumerate() {
                let gradient = sum(still, channel, place);
                both[axis] = gradient;
                left += velocity * gradient;
                activity += (gradient * averages.space as f64).powi(2);
            }
            part.places.push(place);
            part.left.push(left);
            part.right.extend(numbers.iter().map(|&channel| sum(still, channel, place)));
            part.activity.push(activity.sqrt());
            part.gradients.push(both);
        }
        part
    }
}

/// The value that one in a hundred exceeds.
fn high(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    if all.is_empty() {
        return 0.0;
    }
    let at = (all.len() - 1) * 99 / 100;
    *all.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Blocks of about equal size: of time, and within these of space along the longer side of where
/// the samples are.
fn blocks(at: &[[usize; 3]]) -> Vec<usize> {
    let extent = |axis: usize| {
        let all = || at.iter().map(|place| place[axis]);
        all().max().unwrap_or(0) - all().min().unwrap_or(0)
    };
    let axis = if extent(1) > extent(2) { 1 } else { 2 };
    let mut times: Vec<usize> = at.iter().map(|place| place[0]).collect();
    times.sort_unstable();
    times.dedup();
    let wanted = BLOCKS[0].min(times.len().max(1));
    // Few times: more blocks of space.
    let across = (BLOCKS[0] * BLOCKS[1] / wanted).min(12);
    let mut order: Vec<usize> = (0..at.len()).collect();
    order.sort_by_key(|&i| at[i]);
    let mut block = vec![0; at.len()];
    let mut number = 0;
    for part in parts(&order, wanted, |i| at[i][0]) {
        let mut own = part.to_vec();
        own.sort_by_key(|&i| (at[i][axis], at[i]));
        for small in parts(&own, across, |i| at[i][axis]) {
            small.iter().for_each(|&i| block[i] = number);
            number += 1;
        }
    }
    block
}

/// Cuts sorted numbers into `count` parts of about equal size, never between equal keys.
fn parts(sorted: &[usize], count: usize, key: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut out = Vec::new();
    let mut begin = 0;
    for part in 1..=count {
        let mut end = (sorted.len() * part / count).max(begin);
        while end > begin && end < sorted.len() && key(sorted[end]) == key(sorted[end - 1]) {
            end += 1;
        }
        if end > begin {
            out.push(&sorted[begin..end]);
        }
        begin = end;
    }
    out
}

/// How often each average of a frame enters the samples of a block.
struct Weights {
    places: usize,
    /// `[frame][place]`.
    of: Vec<f64>,
}

impl Weights {
    fn new(averages: &Averages) -> Self {
        let places = averages.places();
        Self { places, of: vec![0.0; places * averages.frames.len()] }
    }

    /// A sample at `place` about `middle`.
    fn add(&mut self, middle: usize, time: usize, place: usize) {
        let share = 1.0 / (2 * time + 1) as f64;
        for frame in middle - time..=middle + time {
            self.of[frame * self.places + place] += share;
        }
    }

    /// Adds the shares of noise: variances of averages, from their differences in time, times
    /// the squared norm of the bump in time.
    fn noise(
        &self,
        averages: &Averages,
        numbers: &[usize],
        [moving, still]: [f64; 2],
        moments: &mut Moments,
    ) {
        let (differences, frames) = (&averages.differences, averages.frames.len());
        let difference = |first: usize, channel: usize, place: usize| -> f64 {
            let weights = differences.weights.iter().enumerate();
            weights.map(|(i, weight)| weight * averages.at(first + i, channel, place)).sum()
        };
        let mut of = vec![0.0; numbers.len()];
        for frame in 0..frames {
            let first = differences.first(frame, frames);
            for place in 0..self.places {
                let weight = self.of[frame * self.places + place];
                if weight == 0.0 {
                    continue;
                }
                let own = difference(first, 0, place);
                moments.left_noise += weight * moving * own * own;
                for (of, &channel) in of.iter_mut().zip(numbers) {
                    *of = difference(first, channel, place);
                }
                for (a, x) in of.iter().enumerate() {
                    for (b, y) in of[..=a].iter().enumerate() {
                        moments.right_noise[(a, b)] += weight * still * x * y;
                    }
                }
            }
        }
    }
}
