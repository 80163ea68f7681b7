//! Runs of equal labels along rows, joined to regions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;

use crate::Region;
use crate::shape::Shape;

/// Rows whose runs are made at once.
const BLOCK: usize = 64;

/// Pixels of a row with one label.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    row: usize,
    /// First column, and the one after the last.
    start: usize,
    end: usize,
    label: u16,
    /// Sum of the confidence.
    confidence: f64,
}

/// The runs of a label map, each with the number of its region.
#[derive(Debug, Clone, PartialEq)]
pub struct Connected {
    runs: Vec<Run>,
    /// Of each run, the number of its region, from 1; 0 of those without a label.
    numbers: Vec<u32>,
    /// Sides of pixels that numbers share, the lower first.
    sides: BTreeMap<(u32, u32), u64>,
    /// Numbers next to what has no label.
    cut: BTreeSet<u32>,
    confident: bool,
}

impl Connected {
    /// Of `labels` `[rows, cols]`; `confidence` is summed up.
    pub(crate) fn new(labels: &dyn Rows<u16>, confidence: Option<&dyn Rows<f32>>) -> Self {
        let (rows, cols) = labels.shape();
        assert!(
            confidence.is_none_or(|confidence| confidence.shape() == (rows, cols)),
            "labels and confidence have one shape"
        );
        let of_block = |first: usize| {
            let (mut line, mut sure) = (vec![0; cols], vec![0.0; cols]);
            let mut runs = Vec::new();
            for row in first..rows.min(first + BLOCK) {
                labels.fill(row, &mut line);
                if let Some(confidence) = confidence {
                    confidence.fill(row, &mut sure);
                }
                let mut start = 0;
                for piece in line.chunk_by(|a, b| a == b) {
                    let end = start + piece.len();
                    let sum = sure[start..end].iter().map(|&v| f64::from(v)).sum();
                    runs.push(Run { row, start, end, label: piece[0], confidence: sum });
                    start = end;
                }
            }
            runs
        };
        let blocks: Vec<usize> = (0..rows).step_by(BLOCK).collect();
        let runs: Vec<Run> = blocks.into_par_iter().flat_map_iter(of_block).collect();
        let pairs = vertical(&runs);
        let mut parents = Parents::new(runs.len());
        for &(above, below) in &pairs {
            if runs[above].label == runs[below].label {
                parents.join(above, below);
            }
        }
        let roots: Vec<usize> = (0..runs.len()).map(|run| parents.root(run)).collect();
        let mut connected = Self {
            numbers: numbers(&runs, &roots),
            runs,
            sides: BTreeMap::new(),
            cut: BTreeSet::new(),
            confident: confidence.is_some(),
        };
        for &(above, below) in &pairs {
            let (a, b) = (connected.runs[above], connected.runs[below]);
            let shared = a.end.min(b.end) - a.start.max(b.start);
            connected.touch(above, below, shared as u64);
        }
        for run in 1..connected.runs.len() {
            if connected.runs[run].row == connected.runs[run - 1].row {
                connected.touch(run - 1, run, 1);
            }
        }
        connected
    }

    /// Takes note that two runs share this many sides of pixels.
    fn touch(&mut self, one: usize, other: usize, sides: u64) {
        let (a, b) = (self.numbers[one], self.numbers[other]);
        match (a.min(b), a.max(b)) {
            (0, 0) => {}
            (0, number) => {
                self.cut.insert(number);
            }
            (a, b) if a == b => {}
            pair => *self.sides.entry(pair).or_default() += sides,
        }
    }

    /// Sides of pixels that regions share, by their numbers, the lower first.
    pub(crate) fn sides(&self) -> &BTreeMap<(u32, u32), u64> {
        &self.sides
    }

    /// All runs: their row, their columns and the number of their region, 0 without a label.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, Range<usize>, u32)> {
        let runs = self.runs.iter().zip(&self.numbers);
        runs.map(|(run, &number)| (run.row, run.start..run.end, number))
    }

    /// The regions of an image of this `shape`, in the order of their numbers.
    pub(crate) fn regions(
        &self,
        shape: (usize, usize),
        pixel_size: Option<PixelSize>,
    ) -> Vec<Region> {
        let count = self.numbers.iter().copied().max().unwrap_or(0) as usize;
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); count];
        for (run, &number) in self.runs.iter().zip(&self.numbers) {
            if number > 0 {
                runs[number as usize - 1].push(*run);
            }
        }
        let mut neighbours: Vec<Vec<u32>> = vec![Vec::new(); count];
        for &(a, b) in self.sides.keys() {
            neighbours[a as usize - 1].push(b);
            neighbours[b as usize - 1].push(a);
        }
        neighbours.iter_mut().for_each(|numbers| numbers.sort_unstable());
        let region = |(i, (runs, neighbours)): (usize, (Vec<Run>, Vec<u32>))| {
            self.region(i as u32 + 1, &runs, neighbours, shape, pixel_size)
        };
        let all: Vec<_> = runs.into_iter().zip(neighbours).enumerate().collect();
        all.into_par_iter().map(region).collect()
    }

    fn region(
        &self,
        number: u32,
        runs: &[Run],
        neighbours: Vec<u32>,
        (rows, cols): (usize, usize),
        pixel_size: Option<PixelSize>,
    ) -> Region {
        let area: u64 = runs.iter().map(|run| (run.end - run.start) as u64).sum();
        let n = area as f64;
        // Of a run: the number of pixels, and the sum of their columns.
        let row_sum: f64 = runs.iter().map(|run| (run.row * (run.end - run.start)) as f64).sum();
        let col_sum: f64 = runs.iter().map(|run| columns(run.start, run.end)).sum();
        let centroid = [row_sum / n, col_sum / n];
        let bbox = [
            runs.iter().map(|run| run.row).min().unwrap_or(0),
            runs.iter().map(|run| run.start).min().unwrap_or(0),
            runs.iter().map(|run| run.row + 1).max().unwrap_or(0),
            runs.iter().map(|run| run.end).max().unwrap_or(0),
        ];
        let border = bbox[0] == 0 || bbox[1] == 0 || bbox[2] == rows || bbox[3] == cols;
        let sure: f64 = runs.iter().map(|run| run.confidence).sum();
        let places: Vec<_> = runs.iter().map(|run| (run.row, run.start, run.end)).collect();
        Region {
            region: number,
            label: runs[0].label,
            area_px: area,
            centroid_px: centroid,
            bbox_px: bbox,
            touches_border: border || self.cut.contains(&number),
            neighbours,
            confidence: self.confident.then_some(sure / n),
            shape: Shape::of(&places, centroid, [1.0; 2]),
            shape_nm: pixel_size.map(|size| Shape::of(&places, centroid, [size.rows, size.cols])),
        }
    }

    /// The number of each pixel's region, `[rows, cols]`.
    pub(crate) fn numbers(&self, (rows, cols): (usize, usize)) -> Array2<u32> {
        self.numbers_in([0, 0, rows, cols])
    }

    /// The same of a part of the image.
    pub(crate) fn numbers_in(&self, [top, left, bottom, right]: [usize; 4]) -> Array2<u32> {
        let mut all = Array2::zeros((bottom - top, right - left));
        let first = self.runs.partition_point(|run| run.row < top);
        let last = self.runs.partition_point(|run| run.row < bottom);
        for (run, &number) in self.runs[first..last].iter().zip(&self.numbers[first..last]) {
            let (start, end) = (run.start.max(left), run.end.min(right));
            if start < end {
                let place = ndarray::s![run.row - top, start - left..end - left];
                all.slice_mut(place).fill(number);
            }
        }
        all
    }
}

/// Sum of the columns from `start` to before `end`.
fn columns(start: usize, end: usize) -> f64 {
    (end - start) as f64 * (start + end - 1) as f64 / 2.0
}

/// Pairs of runs in neighbouring rows that share a side of a pixel, the upper first.
fn vertical(runs: &[Run]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let lines: Vec<&[Run]> = runs.chunk_by(|a, b| a.row == b.row).collect();
    let mut first = 0;
    for line in lines.windows(2) {
        let [above, below] = line else { continue };
        let (mut i, mut j) = (0, 0);
        while i < above.len() && j < below.len() {
            if above[i].start < below[j].end && below[j].start < above[i].end {
                pairs.push((first + i, first + above.len() + j));
            }
            // The one that ends first meets nothing further.
            if above[i].end <= below[j].end { i += 1 } else { j += 1 }
        }
        first += above.len();
    }
    pairs
}

/// The number of each run's region, from 1: by label, the largest first, of equals the one
/// that begins first; 0 for what has no label.
fn numbers(runs: &[Run], roots: &[usize]) -> Vec<u32> {
    let mut areas = BTreeMap::<usize, usize>::new();
    for (run, &root) in runs.iter().zip(roots).filter(|(run, _)| run.label > 0) {
        *areas.entry(root).or_default() += run.end - run.start;
    }
    let mut order: Vec<(usize, usize)> = areas.into_iter().collect();
    order.sort_by_key(|&(root, area)| (runs[root].label, std::cmp::Reverse(area), root));
    let number: BTreeMap<usize, u32> = order.into_iter().map(|(root, _)| root).zip(1..).collect();
    roots.iter().map(|root| number.get(root).copied().unwrap_or(0)).collect()
}

/// Which runs belong together (union by the lower number, with paths halved).
struct Parents(Vec<usize>);

impl Parents {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (a, b) = (self.root(one), self.root(other));
        self.0[a.max(b)] = a.min(b);
    }
}
