//! How well a label map agrees with the true one.
//!
//! None of the measures depends on how labels are numbered.

mod boundary;
mod matching;

use ndarray::{ArrayView2, s};
use schemars::JsonSchema;
use serde::Serialize;

use stemseg::cluster::overlaps::Overlaps;
use stemseg::{Error, Result};

pub use boundary::{BoundaryAgreement, boundary};
pub use matching::{ious, matching, mean_iou};

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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Scores {
    /// See [`Overlaps::adjusted_rand_index`].
    pub adjusted_rand_index: f64,
    /// See [`mean_iou`].
    pub mean_iou: f64,
    /// See [`BoundaryAgreement::f1`].
    pub boundary_f1: f64,
    /// See [`BoundaryAgreement::displacement`].
    pub boundary_displacement: Option<f64>,
}

/// Compares `found` with `truth`, both `[rows, cols]`.
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
    let overlaps = Overlaps::new(truth, found)?;
    let boundaries = BoundaryAgreement::new(truth, found, options.tolerance)?;
    Ok(Scores {
        adjusted_rand_index: overlaps.adjusted_rand_index(),
        mean_iou: mean_iou(&overlaps),
        boundary_f1: boundaries.f1,
        boundary_displacement: boundaries.displacement,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

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
            boundary_f1: 1.0,
            boundary_displacement: Some(0.0),
        };
        assert_eq!(score(truth.view(), found.view(), &options).unwrap(), perfect);
        let all = Options { margin: 4, tolerance: 0.0 };
        let less = score(truth.view(), found.view(), &all).unwrap();
        assert!(less.adjusted_rand_index < 1.0 && less.mean_iou < 1.0 && less.boundary_f1 < 1.0);
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
