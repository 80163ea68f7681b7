//! The frames of a film, labelled by one model: each is described by itself, and between its
//! sites and its labels there is room for what frames know of each other, their drift and their
//! order in time.
//!
//! ```text
//! frame --Frames::memberships--> at its own sites --shifted--> at the specimen's sites
//!       --averaged along time by the caller--> Frames::map --> labels in the specimen's frame
//! ```
//!
//! Nothing but memberships is moved and averaged, never pixels: a pixel between two others would
//! have less noise, and its descriptors others than the model knows.

use ndarray::{ArcArray2, Array2, Array3, ArrayView3, Axis};
use rayon::prelude::*;

use super::Describing;
use crate::backend::Backend;
use crate::cluster::gap::Mixing;
use crate::image::micrograph::Micrograph;
use crate::labels::label_map::{FrameMap, on_grid};
use crate::labels::regions::{self, Smoothing};
use crate::model::Model;
use crate::plan::{Labels, Outline, Plan, automatic};
use crate::progress::Progress;
use crate::reduce::pca::Pca;
use crate::{Error, Result};

/// What labels frames of one size by one model.
#[derive(Debug)]
pub struct Frames {
    model: Model,
    pca: Pca,
    centroids: Array2<f64>,
    /// Which pattern each of them is, or is a part of, and whether there are parts.
    pattern_of: Vec<usize>,
    merged: bool,
    variance: f64,
    mixing: Mixing,
    smoothing: Smoothing,
    least: f64,
    /// Of a frame all of whose pixels are there: that of the specimen.
    whole: Plan,
}

/// What the sites of a frame say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SiteMemberships {
    /// How much each site belongs to each pattern, averaged over its surroundings, 0 to 1,
    /// `[k, site rows, site cols]`.
    pub maps: Array3<f32>,
    /// Mean of the squared distance of the active sites from the nearest centroid, in what it is
    /// on average where the model was fitted: well above 1 where the frame shows what no pattern
    /// of the model is.
    pub strangeness: f64,
}

/// What surely belongs to each pattern in a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Surely {
    /// Mean features of these sites, `[k, q]`; 0 where there are none.
    pub means: Array2<f64>,
    /// How many sites, `[k]`.
    pub counts: Vec<usize>,
}

/// Averaged membership from which on a site surely belongs to a pattern.
const SURELY: f32 = 0.9;

impl Frames {
    /// For frames of `shape`, rows and columns, px.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn new(model: &Model, shape: (usize, usize)) -> Result<Self> {
        let whole = Plan::new(model.parameters.clone(), Outline::new(shape, 1.0))?;
        let (smooth, least) = match whole.params().labels {
            Labels::Nearest => (0.0, 0.0),
            Labels::Interpolated { smooth, least_confidence } => (smooth, least_confidence),
        };
        let within = &model.within_variance;
        let pattern_of: Vec<usize> =
            model.labels().iter().map(|&label| usize::from(label) - 1).collect();
        Ok(Self {
            pca: model.pca(),
            centroids: model.centroids(),
            variance: within.iter().sum::<f64>() / within.len().max(1) as f64,
            mixing: model.gaps().merged(&pattern_of).mixing(1.0),
            merged: model.clusters() < model.patterns.len(),
            pattern_of,
            smoothing: automatic::smoothing(smooth, whole.sites().grid().stride),
            least,
            whole,
            model: model.clone(),
        })
    }

    /// The plan of a frame all of whose pixels are there.
    pub fn whole(&self) -> &Plan {
        &self.whole
    }

    /// What is computed of a frame. Crystals repeat in it as in those that the model was fitted
    /// to, so nothing is looked for.
    ///
    /// # Errors
    /// As [`Plan::new`], for a frame that lacks too many pixels.
    pub fn plan(&self, frame: &Micrograph) -> Result<Plan> {
        Plan::new(self.model.parameters.clone(), frame)
    }

    /// The memberships of the sites of `frame`, for which [`plan`](Self::plan) made `plan`.
    ///
    /// # Errors
    /// As [`segment`](super::segment).
    pub fn memberships(
        &self,
        frame: &Micrograph,
        plan: &Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
    ) -> Result<SiteMemberships> {
        let features = self.features(frame, plan, backend, progress)?;
        Ok(self.scored(&features, plan, &self.centroids))
    }

    /// The same under other `centroids` `[k, q]`, and what surely belongs to each pattern.
    ///
    /// # Errors
    /// As [`segment`](super::segment); [`Error::Parameter`] for a model whose patterns were merged:
    /// what surely belongs to one of them has no one mean.
    ///
    /// # Panics
    /// For other numbers of patterns or features than those of the model.
    pub fn memberships_near(
        &self,
        frame: &Micrograph,
        plan: &Plan,
        centroids: &Array2<f64>,
        (backend, progress): (&dyn Backend, &dyn Progress),
    ) -> Result<(SiteMemberships, Surely)> {
        assert_eq!(centroids.dim(), self.centroids.dim(), "centroids of the model's patterns");
        if self.merged {
            let reason = "patterns that were merged cannot follow changes; take the model before";
            return Err(Error::parameter("model", "merged", reason));
        }
        let features = self.features(frame, plan, backend, progress)?;
        let found = self.scored(&features, plan, centroids);
        let surely = surely(&features, plan, &found.maps);
        Ok((found, surely))
    }

    /// Features of all sites of a frame, `[sites, q]`.
    fn features(
        &self,
        frame: &Micrograph,
        plan: &Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>> {
        let image = plan.image(frame)?;
        Describing::new(image.view(), plan, backend)?.features(&self.pca, progress)
    }

    fn scored(
        &self,
        features: &Array2<f32>,
        plan: &Plan,
        centroids: &Array2<f64>,
    ) -> SiteMemberships {
        let points = plan.sites().keep_active(features);
        let scores = regions::scores(points.view(), centroids, self.variance);
        let strangeness = self.strangeness(&scores);
        let scores = regions::merged(scores.view(), &self.pattern_of);
        let mut maps = on_grid(scores.view(), plan.sites());
        self.smoothing.average(&mut maps);
        SiteMemberships { maps, strangeness }
    }

    /// The centroids of the model's patterns, `[k, q]`.
    pub fn centroids(&self) -> &Array2<f64> {
        &self.centroids
    }

    /// Standard deviation of a feature about the centroids, where the model was fitted.
    pub fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }

    /// See [`SiteMemberships::strangeness`], from scores `[k, sites]`.
    fn strangeness(&self, scores: &Array2<f32>) -> f64 {
        let highest = scores.axis_iter(Axis(1)).map(|scores| {
            let highest = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
            f64::from(highest)
        });
        let mean = highest.sum::<f64>() / scores.ncols().max(1) as f64;
        mean / (-0.5 * regions::STEEPNESS * self.centroids.ncols().max(1) as f64)
    }

    /// Memberships `[k, site rows, site cols]` of a frame at the specimen's sites, where the
    /// specimen lies `drift` `[rows, cols]` px further down and right in the frame: between sites
    /// by cubic convolution (Keys, IEEE Trans. Acoust. 29, 1153, 1981), beyond the last by that.
    pub fn shifted(&self, maps: ArrayView3<'_, f32>, drift: [f64; 2]) -> Array3<f32> {
        let spacing = self.whole.spacing();
        let (_, rows, cols) = maps.dim();
        let down = Taps::new(rows, drift[0] / spacing);
        let along = Taps::new(cols, drift[1] / spacing);
        let mut shifted = Array3::zeros(maps.dim());
        shifted.outer_iter_mut().into_par_iter().zip(maps.outer_iter()).for_each(
            |(mut to, map)| {
                let mut moved = Array2::<f32>::zeros(map.dim());
                for (mut to, taps) in moved.outer_iter_mut().zip(&down.0) {
                    taps.iter().for_each(|(weight, row)| to.scaled_add(*weight, &map.row(*row)));
                }
                for (mut to, line) in to.outer_iter_mut().zip(moved.outer_iter()) {
                    for (to, taps) in to.iter_mut().zip(&along.0) {
                        let sum: f32 = taps.iter().map(|(weight, col)| weight * line[*col]).sum();
                        *to = sum.clamp(0.0, 1.0);
                    }
                }
            },
        );
        shifted
    }

    /// The labels that averaged memberships `[k, site rows, site cols]` at the specimen's sites
    /// give; pixels under `absent` `[rows, cols]` have none.
    pub fn map(&self, maps: Array3<f32>, absent: Option<ArcArray2<bool>>) -> FrameMap {
        let mut scores = maps;
        regions::sharpen(&mut scores);
        self.smoothing.confine(&mut scores, &[]);
        FrameMap::new(scores, &self.whole, (self.least, self.mixing.clone()), absent)
    }
}

/// Of the sites of a frame, with their `features` `[sites, q]` and memberships `maps`
/// `[k, site rows, site cols]`.
fn surely(features: &Array2<f32>, plan: &Plan, maps: &Array3<f32>) -> Surely {
    let (patterns, _, cols) = maps.dim();
    let mut means = Array2::<f64>::zeros((patterns, features.ncols()));
    let mut counts = vec![0_usize; patterns];
    for ((row, col), number) in plan.sites().active_numbers().indexed_iter() {
        let own = (0..patterns).find(|&k| maps[(k, row, col)] >= SURELY);
        if let (Some(k), Some(_)) = (own, number) {
            counts[k] += 1;
            let site = features.row(row * cols + col);
            means.row_mut(k).iter_mut().zip(site).for_each(|(sum, &v)| *sum += f64::from(v));
        }
    }
    for (mut mean, &count) in means.outer_iter_mut().zip(&counts) {
        mean /= count.max(1) as f64;
    }
    Surely { means, counts }
}

/// What each site is made of where a line of sites is shifted: weights, and where they apply.
struct Taps(Vec<[(f32, usize); 4]>);

impl Taps {
    fn new(sites: usize, shift: f64) -> Self {
        let whole = shift.floor();
        let t = (shift - whole) as f32;
        // Keys' kernel with a = -1/2.
        let weights = [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ];
        let last = sites.saturating_sub(1) as f64;
        let at = |site: usize| {
            let tap = |(before, weight): (usize, f32)| {
                let place = site as f64 + whole + before as f64 - 1.0;
                (weight, place.clamp(0.0, last) as usize)
            };
            let [a, b, c, d] = weights;
            [tap((0, a)), tap((1, b)), tap((2, c)), tap((3, d))]
        };
        Self((0..sites).map(at).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Segmenter;
    use crate::backend::cpu::Cpu;
    use crate::image::rows;
    use crate::progress::Silent;

    /// Rows of atoms to the left of column `at`, slanted ones to the right.
    fn frame(at: usize) -> Micrograph {
        let pixels = Array2::from_shape_fn((160, 200), |(row, col)| {
            let along = if col < at { row } else { row + col };
            let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 5000.0;
            let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
            wave(along) + wave(col) + noise
        });
        Micrograph::screened(pixels.view(), Default::default()).unwrap()
    }

    fn model() -> Model {
        let found = Segmenter::auto().clusters(2);
        let first = frame(120);
        let (plan, repetition) = found.plan(&first).unwrap();
        let planned = super::super::many::Planned { micrograph: &first, plan, repetition };
        super::super::many::fit(&[planned], &Cpu::new(), &Silent).unwrap()
    }

    #[test]
    fn a_frame_that_does_not_drift_is_labelled_as_an_image() {
        let (model, image) = (model(), frame(80));
        let expected = model.predict(&image).unwrap();
        let frames = Frames::new(&model, image.shape()).unwrap();
        let plan = frames.plan(&image).unwrap();
        let sites = frames.memberships(&image, &plan, &Cpu::new(), &Silent).unwrap();
        let map = frames.map(frames.shifted(sites.maps.view(), [0.0, 0.0]), None);
        assert_eq!(rows::collect(&map), expected.labels());
        let (confidence, known) = (rows::collect(&map.confidence()), expected.confidence());
        let off = confidence.iter().zip(&known).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-5);
        // What is sure of one pattern is not in the other, and shares add up.
        let shares = [1, 2].map(|label| rows::collect(&map.membership(label)));
        let labels = expected.labels();
        for ((at, &label), &sure) in labels.indexed_iter().zip(&confidence) {
            assert!((shares[usize::from(label) - 1][at] - sure).abs() < 1e-5, "{at:?}");
            assert!((shares[0][at] + shares[1][at] - 1.0).abs() < 1e-4, "{at:?}");
        }
        assert!((0.2..2.0).contains(&sites.strangeness), "{}", sites.strangeness);
        // Where the model was fitted, what surely belongs to a pattern lies at its centroid.
        let (same, surely) = frames
            .memberships_near(&image, &plan, frames.centroids(), (&Cpu::new(), &Silent))
            .unwrap();
        assert_eq!(same, frames.memberships(&image, &plan, &Cpu::new(), &Silent).unwrap());
        assert!(surely.counts.iter().all(|count| *count > 100), "{:?}", surely.counts);
        let away = (&surely.means - frames.centroids()).mapv(|d| d * d).sum_axis(Axis(1));
        let between =
            (&frames.centroids().row(0) - &frames.centroids().row(1)).mapv(|d| d * d).sum();
        assert!(away.iter().all(|away| *away < 0.05 * between), "{away} {between}");
    }

    #[test]
    fn labels_follow_the_specimen_and_absent_pixels_have_none() {
        let model = model();
        let (image, drift) = (frame(120), [0.0, 13.0]);
        let frames = Frames::new(&model, image.shape()).unwrap();
        let plan = frames.plan(&image).unwrap();
        let sites = frames.memberships(&image, &plan, &Cpu::new(), &Silent).unwrap();
        let boundary = |drift: [f64; 2], absent| {
            let map = frames.map(frames.shifted(sites.maps.view(), drift), absent);
            let labels = rows::collect(&map);
            (labels.row(80).iter().filter(|&&label| label == 1).count(), labels)
        };
        let (still, _) = boundary([0.0, 0.0], None);
        let absent = Array2::from_shape_fn(image.shape(), |(_, col)| col >= 187).into_shared();
        let (moved, labels) = boundary(drift, Some(absent));
        assert!((still as f64 - moved as f64 - 13.0).abs() <= 1.0, "{still} {moved}");
        assert!(labels.indexed_iter().all(|((_, col), &label)| (label == 0) == (col >= 187)));
    }

    #[test]
    fn taps_shift_cubics_exactly_and_sum_to_one() {
        let line: Vec<f32> = (0..40).map(|x| (x as f32 - 20.0).powi(2) * 1e-2).collect();
        for shift in [0.0, 0.25, -3.6, 7.0] {
            for (site, taps) in Taps::new(40, shift).0.iter().enumerate().take(30).skip(6) {
                let value: f32 = taps.iter().map(|(weight, at)| weight * line[*at]).sum();
                let expected = (site as f32 + shift as f32 - 20.0).powi(2) * 1e-2;
                assert!((value - expected).abs() < 1e-4, "{shift} {site}: {value} {expected}");
            }
        }
        let beyond: f32 = Taps::new(3, 100.0).0[1].iter().map(|(weight, _)| weight).sum();
        assert!((beyond - 1.0).abs() < 1e-6);
    }
}
