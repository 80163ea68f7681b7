//! [`FrameMap`]: the labels of one frame of a film.

use ndarray::{ArcArray2, Array3};

use super::interpolated::Interpolated;
use super::places;
use crate::cluster::gap::Mixing;
use crate::image::rows::Rows;
use crate::plan::Plan;

/// Labels of the pixels of one frame, interpolated between sites whose scores are known. The
/// numbers of the patterns are given, so nothing is counted or sorted.
#[derive(Debug)]
pub struct FrameMap {
    interpolated: Interpolated,
    shape: (usize, usize),
    /// True where a pixel is absent, `[rows, cols]`.
    absent: Option<ArcArray2<bool>>,
}

/// How sure the pixels of a [`FrameMap`] are of their labels.
#[derive(Debug)]
pub struct Confidence<'a>(&'a FrameMap);

/// The membership of the pixels of a [`FrameMap`] in one pattern.
#[derive(Debug)]
pub struct Membership<'a> {
    map: &'a FrameMap,
    pattern: usize,
}

impl FrameMap {
    /// Of `scores` `[k, site rows, site cols]` at the sites of `plan`, already made into
    /// regions; pixels under `absent` have no label, nor have those that are less sure of theirs
    /// than `least`.
    pub(crate) fn new(
        scores: Array3<f32>,
        plan: &Plan,
        (least, mixing): (f64, Mixing),
        absent: Option<ArcArray2<bool>>,
    ) -> Self {
        let image = plan.frame().image;
        let interpolated =
            Interpolated::new(scores, places(plan.sites(), plan.frame()), least, mixing);
        Self { interpolated, shape: (image.rows, image.cols), absent }
    }

    /// How sure each pixel is of its label, 0 to 1; 0 where it has none.
    pub fn confidence(&self) -> Confidence<'_> {
        Confidence(self)
    }

    /// How much each pixel belongs to the pattern of `label`, from 1, 0 to 1; 0 where it is absent.
    ///
    /// # Panics
    /// For a label that the model does not have.
    pub fn membership(&self, label: u16) -> Membership<'_> {
        let pattern = usize::from(label) - 1;
        assert!(pattern < self.interpolated.scores.dim().0, "a label of the model");
        Membership { map: self, pattern }
    }

    fn blank<T: Copy>(&self, row: usize, to: &mut [T], nothing: T) {
        if let Some(absent) = &self.absent {
            let absent = absent.row(row);
            to.iter_mut().zip(absent).filter(|(_, out)| **out).for_each(|(to, _)| *to = nothing);
        }
    }
}

impl Rows<u16> for FrameMap {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn fill(&self, row: usize, to: &mut [u16]) {
        self.interpolated.labels(row, to);
        self.blank(row, to, super::UNLABELLED);
    }
}

impl Rows<f32> for Confidence<'_> {
    fn shape(&self) -> (usize, usize) {
        self.0.shape
    }

    fn fill(&self, row: usize, to: &mut [f32]) {
        self.0.interpolated.memberships(row, to);
        self.0.blank(row, to, 0.0);
    }
}

impl Rows<f32> for Membership<'_> {
    fn shape(&self) -> (usize, usize) {
        self.map.shape
    }

    fn fill(&self, row: usize, to: &mut [f32]) {
        let Self { map, pattern } = *self;
        let scores = map.interpolated.between_sites(&map.interpolated.scores, row);
        for (to, scores) in to.iter_mut().zip(scores.columns()) {
            let highest = scores.fold(f32::NEG_INFINITY, |most, &score| most.max(score));
            // Relative to the highest, so that no likelihood is beyond numbers.
            let relative: Vec<f32> = scores.iter().map(|score| score - highest).collect();
            *to = map.interpolated.share(&relative, pattern);
        }
        map.blank(row, to, 0.0);
    }
}
