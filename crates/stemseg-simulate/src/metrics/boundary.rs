//! Measures of where labels change.

use ndarray::ArrayView2;
use rstar::RTree;

use super::NO_DATA;
use stemseg::cluster::overlaps::Overlaps;
use stemseg::{Error, Result};

/// Row and column of a pixel.
type Pixel = [i64; 2];

/// How well the boundaries of two label maps agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundaryAgreement {
    /// Share of the found [boundary] within the tolerance of a true one.
    pub precision: f64,
    /// Share of the true boundary within the tolerance of a found one.
    pub recall: f64,
    /// Harmonic mean of both (the BF score of Csurka and others 2013, for the
    /// boundaries of all labels together); 1 where neither map has a boundary.
    pub f1: f64,
    /// Mean distance of a boundary pixel of either map from the nearest of the
    /// other, px; nothing where one map alone has a boundary.
    pub displacement: Option<f64>,
}

impl BoundaryAgreement {
    /// Of two label maps `[rows, cols]`; boundaries up to `tolerance` px from each
    /// other are the same.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the shapes differ, and for a tolerance below 0.
    pub fn new(
        truth: ArrayView2<'_, u16>,
        found: ArrayView2<'_, u16>,
        tolerance: f64,
    ) -> Result<Self> {
        Overlaps::check_shapes(truth, found)?;
        if tolerance.is_nan() || tolerance < 0.0 {
            return Err(Error::parameter(
                "tolerance",
                tolerance,
                "it is a distance of 0 px or more",
            ));
        }
        let (truth, found) = (boundary(truth), boundary(found));
        if truth.is_empty() || found.is_empty() {
            let same = truth.is_empty() && found.is_empty();
            let share = if same { 1.0 } else { 0.0 };
            let displacement = same.then_some(0.0);
            return Ok(Self { precision: share, recall: share, f1: share, displacement });
        }
        let (to_truth, to_found) = (distances(&found, &truth), distances(&truth, &found));
        let within = |distances: &[f64]| {
            distances.iter().filter(|&&d| d <= tolerance).count() as f64 / distances.len() as f64
        };
        let (precision, recall) = (within(&to_truth), within(&to_found));
        let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
        let sum: f64 = to_truth.iter().chain(&to_found).sum();
        let displacement = Some(sum / (to_truth.len() + to_found.len()) as f64);
        Ok(Self { precision, recall, f1, displacement })
    }
}

/// Pixels whose right or lower neighbour has another label; where either is [`NO_DATA`], there
/// is no boundary.
pub fn boundary(labels: ArrayView2<'_, u16>) -> Vec<Pixel> {
    let other = |l: u16, label: u16| l != label && l != NO_DATA && label != NO_DATA;
    let differs = |&((r, c), &label): &((usize, usize), &u16)| {
        [(r, c + 1), (r + 1, c)].iter().any(|&at| labels.get(at).is_some_and(|&l| other(l, label)))
    };
    labels.indexed_iter().filter(differs).map(|((r, c), _)| [r as i64, c as i64]).collect()
}

/// Distance of each of the pixels `from` to the nearest of `to`, px.
fn distances(from: &[Pixel], to: &[Pixel]) -> Vec<f64> {
    let tree = RTree::bulk_load(to.to_vec());
    let nearest = |pixel: &Pixel| tree.nearest_neighbor_iter_with_distance_2(*pixel).next();
    from.iter().filter_map(nearest).map(|(_, squared)| (squared as f64).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn halves(at: usize) -> Array2<u16> {
        Array2::from_shape_fn((10, 40), |(_, c)| u16::from(c >= at))
    }

    fn compare(truth: &Array2<u16>, found: &Array2<u16>, tolerance: f64) -> BoundaryAgreement {
        BoundaryAgreement::new(truth.view(), found.view(), tolerance).unwrap()
    }

    #[test]
    fn a_boundary_is_where_labels_change_to_the_right_or_below() {
        let labels = array![[1, 1, 2], [1, 1, 2], [3, 3, 3]];
        assert_eq!(boundary(labels.view()), [[0, 1], [1, 0], [1, 1], [1, 2]]);
    }

    #[test]
    fn a_displaced_boundary() {
        let (truth, found) = (halves(20), halves(23).mapv(|label| 5 - label));
        let strict = compare(&truth, &found, 2.9);
        assert_eq!((strict.precision, strict.recall, strict.f1), (0.0, 0.0, 0.0));
        assert_eq!(strict.displacement, Some(3.0));
        assert_eq!(compare(&truth, &found, 3.0).f1, 1.0);
    }

    #[test]
    fn a_boundary_too_many() {
        let truth = halves(20);
        let found = Array2::from_shape_fn((10, 40), |(_, c)| u16::from((20..30).contains(&c)));
        let agreement = compare(&truth, &found, 1.0);
        assert_eq!((agreement.precision, agreement.recall), (0.5, 1.0));
        assert!((agreement.f1 - 2.0 / 3.0).abs() < 1e-15);
        // Ten found pixels lie on the true boundary, ten 10 px away; the true ten are found.
        assert!((agreement.displacement.unwrap() - 100.0 / 30.0).abs() < 1e-12);
    }

    #[test]
    fn distances_are_euclidean() {
        assert_eq!(distances(&[[0, 0], [3, 4]], &[[3, 4], [100, 0]]), [5.0, 0.0]);
    }

    #[test]
    fn maps_without_boundary() {
        let (one, two) = (Array2::zeros((10, 40)), halves(20));
        let none = compare(&one, &one, 1.0);
        assert_eq!((none.f1, none.displacement), (1.0, Some(0.0)));
        for agreement in [compare(&one, &two, 1.0), compare(&two, &one, 1.0)] {
            assert_eq!((agreement.f1, agreement.displacement), (0.0, None));
        }
    }
}
