//! How well a label map agrees with the true one.
//!
//! None of the measures depends on how labels are numbered.

mod boundary;
mod matching;

use ndarray::{Array2, ArrayView2, s};
use schemars::JsonSchema;
use serde::Serialize;

use stemseg::cluster::overlaps::Overlaps;
use stemseg::{Error, Result};

pub use boundary::{BoundaryAgreement, boundary};
pub use matching::{ious, matched_ious, matching, mean_iou};

/// True label of a pixel that holds no data: it does not count in what is compared, but must
/// have got no label, 0.
pub const NO_DATA: u16 = u16::MAX;

/// What is compared, and how strictly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Options {
    /// Pixels along every side that do not count: there labels are extended, not found.
    pub margin: usize,
    /// Distance up to which two boundaries are the same, px.
    pub tolerance: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { margin: 40, tolerance: 5.0 }
    }
}

/// How well two label maps agree.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Scores {
    /// See [`Overlaps::adjusted_rand_index`].
    pub adjusted_rand_index: f64,
    /// See [`mean_iou`].
    pub mean_iou: f64,
    /// Intersection over union of each true label with the found one that stands for it, 0 where
    /// none does.
    pub ious: Vec<f64>,
    /// See [`BoundaryAgreement::f1`].
    pub boundary_f1: f64,
    /// See [`BoundaryAgreement::displacement`].
    pub boundary_displacement: Option<f64>,
    /// Share of the pixels without data that have got a label all the same; nothing where all
    /// hold data.
    pub labelled_without_data: Option<f64>,
}

/// Compares `found` with `truth`, both `[rows, cols]`, where that is not [`NO_DATA`].
///
/// # Errors
/// [`Error::Parameter`] where the shapes differ, where the margin leaves nothing,
/// and for a tolerance below 0.
pub fn score(
    truth: ArrayView2<'_, u16>,
    found: ArrayView2<'_, u16>,
    options: &Options,
) -> Result<Scores> {
    let (rows, cols) = truth.dim();
    Overlaps::check_shapes(truth, found)?;
    let margin = options.margin;
    if margin.saturating_mul(2) >= rows.min(cols) {
        let reason = format!("nothing is left of {rows} x {cols} px; give a smaller one");
        return Err(Error::parameter("margin", margin, reason));
    }
    let inside = s![margin..rows - margin, margin..cols - margin];
    let (truth, found) = (truth.slice(inside), found.slice(inside));
    let mut within = found.to_owned();
    within.zip_mut_with(&truth, |label, &truth| {
        *label = if truth == NO_DATA { truth } else { *label }
    });
    let boundaries = BoundaryAgreement::new(truth, within.view(), options.tolerance)?;
    // In a row, without the pixels that do not count.
    let row = |labels: ArrayView2<'_, u16>| {
        let there = labels.iter().zip(&truth).filter(|(_, truth)| **truth != NO_DATA);
        let row: Vec<u16> = there.map(|(&label, _)| label).collect();
        Array2::from_shape_vec((1, row.len()), row).expect("a row has its length")
    };
    let overlaps = Overlaps::new(row(truth).view(), row(found).view())?;
    Ok(Scores {
        adjusted_rand_index: overlaps.adjusted_rand_index(),
        mean_iou: mean_iou(&overlaps),
        ious: matched_ious(&overlaps),
        boundary_f1: boundaries.f1,
        boundary_displacement: boundaries.displacement,
        labelled_without_data: labelled_without_data(truth, found),
    })
}

fn labelled_without_data(truth: ArrayView2<'_, u16>, found: ArrayView2<'_, u16>) -> Option<f64> {
    let without = || truth.iter().zip(&found).filter(|(truth, _)| **truth == NO_DATA);
    let (all, labelled) = (without().count(), without().filter(|(_, label)| **label > 0).count());
    (all > 0).then(|| labelled as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(rows: usize, cols: usize, at: usize) -> Array2<u16> {
        Array2::from_shape_fn((rows, cols), |(_, c)| u16::from(c >= at))
    }

    #[test]
    fn the_margin_does_not_count() {
        let truth = halves(20, 30, 15);
        let mut found = truth.mapv(|label| 7 - label);
        found.slice_mut(s![..5, ..]).fill(3);
        found.slice_mut(s![.., 25..]).fill(3);
        let options = Options { margin: 5, tolerance: 0.0 };
        let perfect = Scores {
            adjusted_rand_index: 1.0,
            mean_iou: 1.0,
            ious: vec![1.0, 1.0],
            boundary_f1: 1.0,
            boundary_displacement: Some(0.0),
            labelled_without_data: None,
        };
        assert_eq!(score(truth.view(), found.view(), &options).unwrap(), perfect);
        let all = Options { margin: 4, tolerance: 0.0 };
        let less = score(truth.view(), found.view(), &all).unwrap();
        assert!(less.adjusted_rand_index < 1.0 && less.mean_iou < 1.0 && less.boundary_f1 < 1.0);
    }

    #[test]
    fn pixels_without_data_count_by_what_they_get_alone() {
        let mut truth = halves(20, 30, 15);
        let found = truth.mapv(|label| label + 1);
        // Half of them got no label.
        truth.slice_mut(s![..4, ..]).fill(NO_DATA);
        let mut some = found.clone();
        some.slice_mut(s![..2, ..]).fill(0);
        let options = Options { margin: 0, tolerance: 0.0 };
        let scores = score(truth.view(), some.view(), &options).unwrap();
        assert_eq!(scores.labelled_without_data, Some(0.5));
        let (index, off) = (scores.adjusted_rand_index, scores.boundary_displacement);
        assert_eq!((index, off, &scores.ious[..]), (1.0, Some(0.0), &[1.0, 1.0][..]));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let (truth, other) = (halves(20, 30, 15), halves(20, 31, 15));
        let message = |found: &Array2<u16>, margin, tolerance| {
            let options = Options { margin, tolerance };
            score(truth.view(), found.view(), &options).unwrap_err().to_string()
        };
        assert!(message(&other, 0, 1.0).contains("20 x 31 px: the true labels have 20 x 30 px"));
        assert!(message(&truth, 10, 1.0).contains("margin = 10: nothing is left"));
        assert!(message(&truth, usize::MAX, 1.0).contains("nothing is left"));
        assert!(message(&truth, 0, -1.0).contains("tolerance = -1"));
        assert!(message(&truth, 0, f64::NAN).contains("tolerance"));
    }
}
