//! Sizes of grains in an image that cuts some of them off.
//!
//! Regions that touch the border are larger than they look, and large ones touch it more often.
//! So only those inside count, each by how much more often one of its size would be cut: with
//! bounding boxes of `h x w` in an image of `H x W`, by `H W / ((H - h) (W - w))` (Miles and
//! Lantuejoul; see Serra, Image Analysis and Mathematical Morphology, 1982, chapter 8).

use serde::Serialize;

use crate::{Region, Regions, Shape};

/// Nanometres squared of a millimetre squared.
const NM2_PER_MM2: f64 = 1e12;

/// Sizes of grains, corrected for the border, in px or nm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sizes {
    /// Mean of the equivalent diameters.
    pub mean_equivalent_diameter: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// Mean of the areas.
    pub mean_area: f64,
}

/// The grains of one label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Grains {
    /// The label.
    pub label: u16,
    /// Number of regions.
    pub regions: usize,
    /// Number of those that do not touch the border.
    pub inside: usize,
    /// Sizes of these, px; nothing where there is none.
    pub px: Option<Sizes>,
    /// The same, nm, where the size of a pixel is known.
    pub nm: Option<Sizes>,
    /// ASTM grain size number by the planimetric method (E112: those inside and half of the others
    /// in the label's area), where the size of a pixel is known.
    pub astm_grain_size: Option<f64>,
}

impl Grains {
    /// The grains of `label`.
    pub fn new(regions: &Regions, label: u16) -> Self {
        let all: Vec<&Region> = regions.of(label).collect();
        let inside: Vec<(&Region, f64)> = all
            .iter()
            .filter(|region| !region.touches_border)
            .map(|region| (*region, weight(region, regions.shape())))
            .collect();
        Self {
            label,
            regions: all.len(),
            inside: inside.len(),
            px: Sizes::of(&inside, |region| Some(region.shape)),
            nm: Sizes::of(&inside, |region| region.shape_nm),
            astm_grain_size: astm(&all, inside.len()),
        }
    }

    /// Of all labels of `regions`, the lowest first.
    pub fn all(regions: &Regions) -> Vec<Self> {
        let mut labels: Vec<u16> = regions.all().iter().map(|region| region.label).collect();
        labels.dedup();
        labels.into_iter().map(|label| Self::new(regions, label)).collect()
    }
}

impl Sizes {
    /// Of regions, each with its weight.
    fn of(regions: &[(&Region, f64)], shape: impl Fn(&Region) -> Option<Shape>) -> Option<Self> {
        let shapes: Vec<(Shape, f64)> = regions
            .iter()
            .map(|&(region, weight)| Some((shape(region)?, weight)))
            .collect::<Option<_>>()?;
        let total: f64 = shapes.iter().map(|(_, weight)| weight).sum();
        if shapes.is_empty() {
            return None;
        }
        let mean = |of: &dyn Fn(&Shape) -> f64| {
            shapes.iter().map(|(shape, weight)| weight * of(shape)).sum::<f64>() / total
        };
        let average = mean(&|shape| shape.equivalent_diameter);
        let variance = mean(&|shape| (shape.equivalent_diameter - average).powi(2));
        let mean_area = mean(&|shape| shape.area);
        Some(Self { mean_equivalent_diameter: average, deviation: variance.sqrt(), mean_area })
    }
}

/// How many grains of the size of `region` there are to one that lies inside.
fn weight(region: &Region, (rows, cols): (usize, usize)) -> f64 {
    let [top, left, bottom, right] = region.bbox_px;
    let fits = |whole: usize, own: usize| (whole - own) as f64 / whole as f64;
    1.0 / (fits(rows, bottom - top) * fits(cols, right - left))
}

fn astm(all: &[&Region], inside: usize) -> Option<f64> {
    let area: f64 = all.iter().map(|region| Some(region.shape_nm?.area)).sum::<Option<f64>>()?;
    let grains = inside as f64 + 0.5 * (all.len() - inside) as f64;
    (area > 0.0).then(|| (grains / area * NM2_PER_MM2).log2() - 2.954)
}
