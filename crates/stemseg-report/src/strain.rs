//! Strain in `summary.json`, and its maps as pictures.

use ndarray::Array2;
use serde::Serialize;
use stemseg::image::rows::Rows;
use stemseg_crystals::strain::{MAPS, Reference, RegionStrain, StrainMaps};
use stemseg_regions::Regions;

use crate::maps::Map;

/// Longest side of a picture, in values.
const LONGEST: usize = 320;

/// How strained the regions are inside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strained {
    /// The region that those of its pattern are compared with; nothing where each is compared with
    /// its own mean lattice.
    pub reference_region: Option<u32>,
    /// Row and column of the pixel that named it.
    pub reference_pixel: Option<[usize; 2]>,
    /// What the regions of each label have that have a lattice, the lowest label first.
    pub labels: Vec<LabelStrain>,
}

/// How strained the regions of a label are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelStrain {
    /// The label.
    pub label: u16,
    /// Number of its regions for which strain is known, and of those that are compared with another.
    pub regions: [usize; 2],
    /// Standard deviation of the Gaussian that strain is averaged under, px: the largest.
    pub sigma_px: f64,
    /// Means over these regions of exx, eyy, exy, and the rotation in degrees.
    pub mean: [f64; 4],
    /// Standard deviations about these means.
    pub deviation: [f64; 4],
    /// Root mean square of the standard errors of a strain.
    pub error: f64,
}

impl Strained {
    /// Of the `regions` with these `maps`, made with this `reference`, the region `at` a pixel.
    pub fn new(
        regions: &Regions,
        maps: &StrainMaps<'_>,
        reference: Reference,
        at: Option<[usize; 2]>,
    ) -> Self {
        let mut labels: Vec<u16> = regions.all().iter().map(|region| region.label).collect();
        labels.sort_unstable();
        labels.dedup();
        let of = |label: u16| {
            let own = regions.all().iter().zip(&maps.of_regions);
            let own = own.filter(|(region, _)| region.label == label);
            LabelStrain::new(label, own.filter_map(|(_, known)| known.as_ref()))
        };
        let reference_region = match reference {
            Reference::Own => None,
            Reference::Region(number) => Some(number),
        };
        Self {
            reference_region,
            reference_pixel: at,
            labels: labels.into_iter().filter_map(of).collect(),
        }
    }
}

impl LabelStrain {
    fn new<'a>(label: u16, regions: impl Iterator<Item = &'a RegionStrain>) -> Option<Self> {
        let (mut own, mut compared, mut sigma_px) = (0, 0, 0.0_f64);
        let (mut count, mut sums, mut squares) = (0.0, [0.0; 5], [0.0; 5]);
        for region in regions {
            let mut any = false;
            // A place stands for as many pixels as lie around it.
            let weight = (region.step() * region.step()) as f64;
            for strain in region.all() {
                any = true;
                count += weight;
                for (k, value) in strain.values().into_iter().enumerate() {
                    sums[k] += weight * value;
                    squares[k] += weight * value * value;
                }
            }
            own += usize::from(any);
            compared += usize::from(any && region.reference != region.region);
            sigma_px = sigma_px.max(region.sigma_px);
        }
        (count > 0.0).then(|| {
            let mean: [f64; 4] = std::array::from_fn(|k| sums[k] / count);
            let deviation =
                std::array::from_fn(|k| (squares[k] / count - mean[k] * mean[k]).max(0.0).sqrt());
            let error = (squares[4] / count).sqrt();
            Self { label, regions: [own, compared], sigma_px, mean, deviation, error }
        })
    }
}

/// The maps but that of errors, from some of the pixels where they are many. Colours span as much
/// below 0 as above.
pub fn maps(strain: &StrainMaps<'_>) -> Vec<Map> {
    let titles = ["exx", "eyy", "exy", "rotation / degrees"];
    let map = |(number, title): (usize, &str)| {
        let rows = strain.map(number);
        let (height, width) = rows.shape();
        let every = height.max(width).div_ceil(LONGEST).max(1);
        let mut values = Array2::zeros((height.div_ceil(every), width.div_ceil(every)));
        let mut line = vec![0.0; width];
        for (row, mut to) in values.outer_iter_mut().enumerate() {
            rows.fill(row * every, &mut line);
            to.iter_mut().zip(line.iter().step_by(every)).for_each(|(to, value)| *to = *value);
        }
        let mut map = Map::new(title, values.view());
        let most = map.range[0].abs().max(map.range[1].abs());
        map.range = [-most, most];
        map
    };
    debug_assert_eq!(titles[..3], MAPS[..3]);
    titles.into_iter().enumerate().map(map).collect()
}
