//! The lattice of a pattern: what its regions agree on.

use serde::Serialize;
use stemseg::image::micrograph::PixelSize;
use stemseg_numerics::linear::{Mat, solve};
use stemseg_regions::{Region, Regions};

use crate::average::Average;
use crate::cell::{Cell, Reciprocal};
use crate::lattice::{Lattice, Without};
use crate::plane::{Vector, area, combined, coordinates, length, minus};
use crate::plane_group::PlaneGroups;

/// How far spanning waves of regions may differ and be those of one lattice, relative.
const ALIKE: f64 = 0.03;
/// Share of a label's pixels in regions that were looked at and have a lattice, from which on it is
/// the label's.
const LEAST_SHARE: f64 = 0.5;

/// What repeats in the regions of a label.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pattern {
    /// The label.
    pub label: u16,
    /// The lattice that its regions have, or why there is none.
    pub found: Result<Common, Without>,
}

/// The lattice that most regions of a label have.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Common {
    /// The unit cell: the mean of the regions', weighted with their errors.
    pub cell: Cell,
    /// The averaged cell of the largest region.
    pub average: Average,
    /// The plane groups that the largest region may have.
    pub plane_groups: Option<PlaneGroups>,
    /// Number of the regions that have it, and of those that have a lattice.
    pub regions: [usize; 2],
    /// Share of the pixels of the label that lie in regions that have it.
    pub share: f64,
}

impl Pattern {
    /// Of each label of `regions`, whose lattices these are, the lowest first.
    pub(crate) fn all(
        regions: &Regions,
        lattices: &[Result<Lattice, Without>],
        pixel_size: Option<PixelSize>,
    ) -> Vec<Self> {
        let pairs: Vec<_> = regions.all().iter().zip(lattices).collect();
        let of = |own: &[(&Region, &Result<Lattice, Without>)]| Self {
            label: own[0].0.label,
            found: common(own, pixel_size),
        };
        pairs.chunk_by(|one, other| one.0.label == other.0.label).map(of).collect()
    }
}

/// What the regions of a label, the largest first, have in common.
fn common(
    own: &[(&Region, &Result<Lattice, Without>)],
    pixel_size: Option<PixelSize>,
) -> Result<Common, Without> {
    let pixels = |region: &Region| region.area_px as f64;
    let all: f64 = own.iter().map(|(region, _)| pixels(region)).sum();
    let told = own.iter().filter(|(_, found)| **found != Err(Without::TooSmall));
    let told: f64 = told.map(|(region, _)| pixels(region)).sum();
    let found: Vec<(&Region, &Lattice)> =
        own.iter().filter_map(|(region, found)| Some((*region, found.as_ref().ok()?))).collect();
    let with: f64 = found.iter().map(|(region, _)| pixels(region)).sum();
    let reason = own.iter().filter_map(|(_, found)| found.as_ref().err().copied());
    let reason = reason.min_by_key(|reason| *reason == Without::TooSmall);
    let Some((_, first)) = found.first().filter(|_| with >= LEAST_SHARE * told) else {
        return Err(reason.unwrap_or(Without::TooSmall));
    };
    let base = first.cell.reciprocal();
    let alike: Vec<(&Region, Reciprocal)> = found
        .iter()
        .filter_map(|(region, lattice)| {
            Some((*region, aligned(&base, &lattice.cell.reciprocal())?))
        })
        .collect();
    let share = alike.iter().map(|(region, _)| pixels(region)).sum::<f64>() / all;
    let each: Vec<Reciprocal> = alike.iter().map(|(_, reciprocal)| *reciprocal).collect();
    let cell = match each.len() {
        1 => first.cell,
        _ => Cell::new(mean(&each).unwrap_or(base), pixel_size),
    };
    let regions = [alike.len(), found.len()];
    let (average, plane_groups) = (first.average.clone(), first.plane_groups.clone());
    Ok(Common { cell, average, plane_groups, regions, share })
}

/// `other` in waves that are those of `base`, where both are one lattice.
pub(crate) fn aligned(base: &Reciprocal, other: &Reciprocal) -> Option<Reciprocal> {
    let whole = base.basis.map(|wave| coordinates(other.basis, wave).map(f64::round));
    let near = |(&wave, order): (&Vector, &[f64; 2])| {
        length(minus(wave, combined(other.basis, *order))) <= ALIKE * length(wave)
    };
    let same = base.basis.iter().zip(&whole).all(near) && area(whole[0], whole[1]).abs() == 1.0;
    // Direct vectors by the inverse of the transpose.
    same.then(|| other.by(crate::plane::reciprocal(whole)))
}

/// The mean, weighted with the inverse of the covariances; its own is larger where they differ by
/// more than that.
fn mean(all: &[Reciprocal]) -> Option<Reciprocal> {
    let identity = Mat::from_fn(4, 4, |i, j| if i == j { 1.0 } else { 0.0 });
    let of = |covariance: &[[f64; 4]; 4]| {
        let matrix = Mat::from_fn(4, 4, |i, j| covariance[i][j]);
        solve(&matrix, identity.as_ref())
    };
    let flat = |basis: &[Vector; 2]| Mat::from_fn(4, 1, |i, _| basis[i / 2][i % 2]);
    let weights: Vec<Mat<f64>> = all.iter().map(|own| of(&own.covariance)).collect();
    let mut sum = Mat::from_fn(4, 4, |_, _| 0.0);
    let mut right = Mat::from_fn(4, 1, |_, _| 0.0);
    for (own, weight) in all.iter().zip(&weights) {
        sum += weight;
        right += weight * &flat(&own.basis);
    }
    let solution = solve(&sum, right.as_ref());
    let mut squares = 0.0;
    for (own, weight) in all.iter().zip(&weights) {
        let away = &flat(&own.basis) - &solution;
        squares += (away.transpose() * weight * &away)[(0, 0)];
    }
    let times = (squares / (4.0 * (all.len() as f64 - 1.0))).max(1.0);
    let covariance = solve(&sum, identity.as_ref());
    let found = Reciprocal {
        basis: [0, 1].map(|i| [0, 1].map(|axis| solution[(2 * i + axis, 0)])),
        covariance: std::array::from_fn(|i| std::array::from_fn(|j| times * covariance[(i, j)])),
    };
    found.basis.iter().flatten().all(|x| x.is_finite()).then_some(found)
}

/// A lattice in numbers, as files have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Numbers {
    /// `found`, or why there is no lattice: `too-small`, `no-lattice`, `fringes`, `several`.
    pub status: &'static str,
    /// The same in a sentence, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Distance of fringes, px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spacing_px: Option<f64>,
    /// What a lattice has.
    #[serde(flatten)]
    pub cell: Option<CellNumbers>,
}

/// A unit cell in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "those of `Cell`, each with its standard error")]
#[non_exhaustive]
pub struct CellNumbers {
    pub lattice_type: &'static str,
    /// [`Cell::departure`].
    pub departure: f64,
    pub a_px: f64,
    pub a_px_error: f64,
    pub b_px: f64,
    pub b_px_error: f64,
    pub a_nm: Option<f64>,
    pub a_nm_error: Option<f64>,
    pub b_nm: Option<f64>,
    pub b_nm_error: Option<f64>,
    pub gamma_deg: f64,
    pub gamma_deg_error: f64,
    pub orientation_deg: f64,
    pub orientation_deg_error: f64,
    /// [`Cell::vectors_px`].
    pub vectors_px: [Vector; 2],
    /// [`Cell::conventional_px`]: the lengths of its sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conventional_px: Option<[f64; 2]>,
    /// Number of columns in the cell, where it can be told.
    pub columns: Option<usize>,
    /// The plane group, where reflections leave no doubt: [`PlaneGroups::sure`].
    pub plane_group: Option<&'static str>,
    /// Those that it may be, the likeliest first, with what each weighs next to the others.
    pub plane_groups: Vec<PlaneGroupNumbers>,
}

/// A plane group in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "see `PlaneGroups::groups`")]
#[non_exhaustive]
pub struct PlaneGroupNumbers {
    pub symbol: &'static str,
    pub weight: f64,
}

/// What is told of a lattice: of a region's or of a pattern's.
#[derive(Debug, Clone, Copy)]
pub struct Repeating<'a> {
    cell: &'a Cell,
    average: &'a Average,
    plane_groups: Option<&'a PlaneGroups>,
}

impl<'a> From<&'a Common> for Repeating<'a> {
    fn from(Common { cell, average, plane_groups, .. }: &'a Common) -> Self {
        Self { cell, average, plane_groups: plane_groups.as_ref() }
    }
}

impl<'a> From<&'a Lattice> for Repeating<'a> {
    fn from(Lattice { cell, average, plane_groups, .. }: &'a Lattice) -> Self {
        Self { cell, average, plane_groups: plane_groups.as_ref() }
    }
}

impl CellNumbers {
    /// Of what repeats.
    pub fn new(Repeating { cell, average, plane_groups }: Repeating<'_>) -> Self {
        let [a, b] = cell.lengths_px;
        let nm = |i: usize| cell.lengths_nm.map(|lengths| lengths[i]);
        Self {
            lattice_type: cell.lattice_type.name(),
            departure: cell.departure,
            a_px: a.value,
            a_px_error: a.error,
            b_px: b.value,
            b_px_error: b.error,
            a_nm: nm(0).map(|a| a.value),
            a_nm_error: nm(0).map(|a| a.error),
            b_nm: nm(1).map(|b| b.value),
            b_nm_error: nm(1).map(|b| b.error),
            gamma_deg: cell.gamma_deg.value,
            gamma_deg_error: cell.gamma_deg.error,
            orientation_deg: cell.orientation_deg.value,
            orientation_deg_error: cell.orientation_deg.error,
            vectors_px: cell.vectors_px,
            conventional_px: cell.conventional_px().map(|sides| sides.map(length)),
            columns: average.columns(),
            plane_group: plane_groups.and_then(PlaneGroups::sure),
            plane_groups: plane_groups.map_or_else(Vec::new, |all| {
                let number = |&(symbol, weight): &_| PlaneGroupNumbers { symbol, weight };
                all.groups.iter().map(number).collect()
            }),
        }
    }
}

impl Numbers {
    /// Of a lattice, or of none.
    pub fn new(found: Result<Repeating<'_>, Without>) -> Self {
        match found {
            Ok(repeating) => Self {
                status: "found",
                reason: None,
                spacing_px: None,
                cell: Some(CellNumbers::new(repeating)),
            },
            Err(without) => Self {
                status: without.name(),
                reason: Some(without.words().to_owned()),
                spacing_px: match without {
                    Without::Fringes { spacing_px, .. } => Some(spacing_px),
                    _ => None,
                },
                cell: None,
            },
        }
    }
}
