//! The steps of a fit to several images. What each image gives, and what is made of that, are
//! values that can be written, sent to another machine, and read: an image is described where it
//! is.
//!
//! ```text
//! Kind --Kind::first, Kind::other--> Planned, of each image
//! Planned::sums   --Sums::tree-->    Sums of all
//! Planned::sites  --Learnt::new-->   Learnt: what tells the patterns apart
//! Planned::points --Centres::new-->  Centres: where the patterns lie
//! Planned::cover  --Learnt::model--> Model
//! ```

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::{Planned, Succession, in_succession};
use crate::backend::Backend;
use crate::cluster::kmeans::{self, Pairs, SUBSAMPLE};
use crate::cluster::split::Field;
use crate::image::micrograph::{Micrograph, PixelSize};
use crate::image::sampling::Sampling;
use crate::labels::label_map::Numbering;
use crate::lattice::Repetition;
use crate::model::{self, Learned, Like, Model, Scale};
use crate::pipeline::fit::{self, Basis, Found, Number};
use crate::pipeline::label::Apart;
use crate::pipeline::{Clusters, Describing};
use crate::plan::{Order, Outline, Params, Plan, Reduce, automatic};
use crate::progress::Progress;
use crate::reduce::pca::{Moments, Pca};
use crate::{Error, Result};

/// What computes, and what is told how far it is.
pub type On<'a> = (&'a dyn Backend, &'a dyn Progress);

/// Share of an image that a pattern covers where it is there.
const THERE: f64 = 0.002;

/// What all images have in common: it follows from the first of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kind {
    params: Params,
    repetition: Repetition,
    shape: (usize, usize),
    pixel_size: Option<PixelSize>,
}

impl Kind {
    /// Of images of which the first is `micrograph`, described like that.
    pub fn new(micrograph: &Micrograph, plan: &Plan, repetition: Repetition) -> Self {
        Self {
            params: plan.params().clone(),
            repetition,
            shape: micrograph.shape(),
            pixel_size: micrograph.pixel_size(),
        }
    }

    /// What is computed for the first image.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn first<'a>(&self, micrograph: &'a Micrograph) -> Result<Planned<'a>> {
        let plan = Plan::new(self.params.clone(), micrograph)?;
        Ok(Planned { micrograph, plan, repetition: self.repetition })
    }

    /// What is computed for another, resampled so that crystals repeat as they do in the first.
    ///
    /// # Errors
    /// As [`Plan::new`]; [`Error::Parameter`] where crystals of both differ by their pixel sizes.
    pub fn other<'a>(&self, micrograph: &'a Micrograph) -> Result<Planned<'a>> {
        let own = automatic::period(micrograph);
        let mut params = self.params.clone();
        if let Some(fitted) = params.sampling {
            let sizes = self.pixel_size.zip(micrograph.pixel_size());
            match model::period(fitted.period, sizes, own, Scale::Auto)? {
                Like::Period(period) => params.sampling = Some(Sampling { period, ..fitted }),
                Like::Other { model, image } => {
                    let reason = format!(
                        "crystals repeat every {model:.3} nm in the first, but every {image:.3} nm in \
                         another; check the pixel sizes"
                    );
                    return Err(Error::parameter("images", "of different kinds", reason));
                }
            }
        }
        let plan = Plan::new(params, micrograph)?;
        Ok(Planned { micrograph, plan, repetition: Repetition::new(own, None) })
    }

    /// The plan of the first image, as if all its pixels were there: its channels and parameters.
    fn plan(&self) -> Result<Plan> {
        Plan::new(self.params.clone(), Outline::new(self.shape, 1.0))
    }
}

/// Sums over the sites of images, from which components follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    moments: Moments,
    /// Sites of the images' grids.
    sites: usize,
}

impl Sums {
    /// Those of these images and of the `other` ones.
    ///
    /// # Panics
    /// Where the channels are not as many.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        self.moments.merge(&other.moments);
        self.sites += other.sites;
        self
    }

    /// Those of all images, from those of `each`: of neighbours in pairs, of these in pairs, and
    /// so on. Sums are rounded, so whoever adds them up in this order has the same bits.
    pub fn tree(mut each: Vec<Self>) -> Option<Self> {
        while each.len() > 1 {
            let mut parts = each.into_iter();
            let mut pairs = Vec::with_capacity(parts.len().div_ceil(2));
            while let Some(part) = parts.next() {
                pairs.push(match parts.next() {
                    Some(other) => part.merged(&other),
                    None => part,
                });
            }
            each = pairs;
        }
        each.pop()
    }
}

/// Components of the sites of an image, on a grid so coarse that those of all images are few.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sites(Option<Field>);

/// Features of the active sites of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Points {
    /// `[active sites, q]`.
    features: Array2<f32>,
    /// Which of them lie near each other, where that decides.
    pairs: Pairs,
}

/// What patterns cover in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cover {
    /// Pixels of each, and their share of the image, 0 to 1, `[k]`.
    pixels: Vec<u64>,
    fractions: Vec<f64>,
    /// How far they lie apart, `[k, k]`.
    separations: Option<Array2<f64>>,
}

impl Planned<'_> {
    fn described<T>(
        &self,
        backend: &dyn Backend,
        give: impl FnOnce(&mut Describing<'_>) -> Result<T>,
    ) -> Result<T> {
        let pixels = self.plan.image(self.micrograph)?;
        give(&mut Describing::new(pixels.view(), &self.plan, backend)?)
    }

    /// First step: sums over the sites.
    ///
    /// # Errors
    /// What the backend reports; [`Error::Interrupted`]; [`Error::Parameter`] where pixels are marked, which
    /// are those of one image.
    pub fn sums(&self, (backend, progress): On<'_>) -> Result<Sums> {
        if let Some(mark) = self.plan.params().marks.first() {
            let reason = "marks belong to one image; segment it by itself";
            return Err(Error::parameter("mark", mark, reason));
        }
        let moments = self.described(backend, |sites| sites.moments(progress))?;
        Ok(Sums { moments, sites: self.plan.sites().grid().len() })
    }

    /// Second step: the sites in the components that follow from the `sums` of all images.
    ///
    /// # Errors
    /// As [`sums`](Self::sums), and as [`Pca::new`].
    pub fn sites(&self, sums: &Sums, (backend, progress): On<'_>) -> Result<Sites> {
        if self.plan.params().reduce == Reduce::Pca {
            return Ok(Sites(None));
        }
        let basis = Basis::new(&sums.moments, &self.plan)?;
        let mut field = basis.field(&self.plan, sums.sites);
        self.described(backend, |sites| sites.field(&mut field, &basis.pca, progress))?;
        Ok(Sites(Some(field)))
    }

    /// Third step: the active sites in the features that tell the patterns apart.
    ///
    /// # Errors
    /// As [`sums`](Self::sums).
    pub fn points(&self, learnt: &Learnt, (backend, progress): On<'_>) -> Result<Points> {
        let features = self.described(backend, |sites| sites.features(&learnt.pca, progress))?;
        let active = self.plan.sites().keep_active(&features);
        let pairs = fit::pairs(&self.plan);
        let features = active.slice(s![.., learnt.number.columns.clone()]).to_owned();
        Ok(Points { features, pairs })
    }

    /// Fourth step: what the patterns cover of the image whose `points` these are.
    ///
    /// # Errors
    /// What the backend reports.
    pub fn cover(
        &self,
        points: &Points,
        learnt: &Learnt,
        centres: &Centres,
        backend: &dyn Backend,
    ) -> Result<Cover> {
        let clusters = centres.centroids.nrows();
        let points = points.features.view();
        let own = kmeans::assign(points, centres.centroids.clone(), backend)?;
        let found = Clusters {
            points,
            clustering: &own,
            within_variance: &centres.within_variance,
            numbering: &Numbering::Given((1..=clusters as u16).collect()),
            gaps: Apart::Measured(learnt.number.clarities.as_ref()),
            held: &[],
            pattern_of: None,
        };
        let labelled = found.label(&self.plan, self.micrograph.absent(), Some(&self.repetition));
        let mut cover = Cover {
            pixels: vec![0; clusters],
            fractions: vec![0.0; clusters],
            separations: labelled.gaps.separations().map(|all| all.to_owned()),
        };
        for area in &labelled.map.areas {
            let cluster = usize::from(area.label) - 1;
            (cover.pixels[cluster], cover.fractions[cluster]) = (area.pixels, area.fraction);
        }
        Ok(cover)
    }
}

/// What tells the patterns of all images apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    pca: Pca,
    number: Number,
}

impl Learnt {
    /// From the `sums` of all images and the `sites` of each, in their order.
    ///
    /// # Errors
    /// As [`Pca::of_blocks`]; [`Error::Image`] where nothing varies; [`Error::Parameter`] where
    /// several numbers of patterns are wanted; [`Error::Interrupted`].
    pub fn new(
        kind: &Kind,
        sums: &Sums,
        sites: Vec<Sites>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let plan = kind.plan()?;
        let fields: Vec<Field> = sites.into_iter().filter_map(|sites| sites.0).collect();
        let found = match plan.params().reduce {
            Reduce::Pca => {
                let pca = Pca::of_blocks(&sums.moments, plan.components(), &plan.blocks())?;
                Found::of_components(pca, &plan)
            }
            Reduce::Maf => {
                let basis = Basis::new(&sums.moments, &plan)?;
                Found::new(&Field::beside(fields), &basis, &plan, progress)?
            }
        };
        let Ok([number]) = <[Number; 1]>::try_from(found.numbers) else {
            let wanted = plan.params().clusters.len();
            return Err(Error::parameter("clusters", wanted, "give one number; a model has one"));
        };
        Ok(Self { pca: found.pca, number })
    }

    /// The model of patterns that `cover` the images like that, in their order, numbered in the
    /// order of `succession`.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn model(
        &self,
        kind: &Kind,
        centres: &Centres,
        cover: &[Cover],
        succession: Succession,
    ) -> Result<Model> {
        let plan = kind.plan()?;
        let clusters = centres.centroids.nrows();
        let mut pixels = vec![0; clusters];
        // The image in which each appears.
        let mut appears = vec![usize::MAX; clusters];
        let mut separations: Option<Array2<f64>> = None;
        for (place, of_image) in cover.iter().enumerate() {
            for cluster in 0..clusters {
                pixels[cluster] += of_image.pixels[cluster];
                if of_image.fractions[cluster] >= THERE {
                    appears[cluster] = appears[cluster].min(place);
                }
            }
            if let Some(of_image) = &of_image.separations {
                let all = separations.get_or_insert_with(|| Array2::zeros(of_image.dim()));
                all.zip_mut_with(of_image, |most, &own| *most = most.max(own));
            }
        }
        let by_size = Numbering::Order(plan.params().order).labels(&pixels);
        let labels = match (succession, plan.params().order) {
            (Succession::Time, Order::Size) => in_succession(&by_size, &appears),
            _ => by_size,
        };
        let mut by_label: Vec<usize> = (0..clusters).collect();
        by_label.sort_by_key(|&cluster| labels[cluster]);
        let separations = separations.map(|all| {
            let of = |(one, other): (usize, usize)| all[(by_label[one], by_label[other])];
            Array2::from_shape_fn(all.dim(), of)
        });
        let all = pixels.iter().sum::<u64>().max(1) as f64;
        let model = Model::of(Learned {
            plan: &plan,
            pca: &self.pca,
            columns: self.number.columns.clone(),
            centroids: &centres.centroids,
            within_variance: &centres.within_variance,
            labels: &labels,
            fractions: pixels.iter().map(|&pixels| pixels as f64 / all).collect(),
            separations,
            period: kind.repetition.period_px,
            pixel_size: kind.pixel_size,
        });
        model.relabelled(&plan.params().relabel)
    }
}

/// Where the patterns of all images lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Centres {
    /// Their mean features, `[k, q]`.
    centroids: Array2<f64>,
    /// Variance of each feature about these, pooled, `[q]`.
    within_variance: Array1<f64>,
}

impl Centres {
    /// From the `points` of each image, in their order.
    ///
    /// # Errors
    /// As [`kmeans::cluster`].
    pub fn new(
        kind: &Kind,
        learnt: &Learnt,
        points: &[&Points],
        (backend, progress): On<'_>,
    ) -> Result<Self> {
        let (sample, pairs) = sample(points);
        let with = (&pairs, &kind.params);
        let (clustering, within_variance) =
            fit::clusters_by(sample.view(), &learnt.number, with, backend, progress)?;
        Ok(Self { centroids: clustering.centroids, within_variance })
    }
}

/// Points of all images, `[N, q]`, evenly taken where they are many; else with what lies near each
/// other in an image.
fn sample(points: &[&Points]) -> (Array2<f32>, Pairs) {
    let all: usize = points.iter().map(|points| points.features.nrows()).sum();
    let every = all.div_ceil(SUBSAMPLE).max(1);
    let some: Vec<ArrayView2<'_, f32>> =
        points.iter().map(|points| points.features.slice(s![..;every, ..])).collect();
    let mut pairs = Pairs::default();
    let mut first = 0;
    for points in points.iter().filter(|_| every == 1) {
        pairs.extend(&points.pairs, first);
        first += points.features.nrows();
    }
    (concatenate(Axis(0), &some).expect("all have the same features"), pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_of_the_points_that_are_taken() {
        let points = |sites: usize| {
            let mut pairs = Pairs::default();
            pairs.extend(&Pairs::between([[0, sites - 1]]), 0);
            Points { features: Array2::zeros((sites, 2)), pairs }
        };
        let (few, more) = (points(3), points(5));
        let (sample, pairs) = super::sample(&[&few, &more]);
        assert_eq!(sample.dim(), (8, 2));
        assert_eq!(pairs, Pairs::between([[0, 2], [3, 7]]));
        // A first image with more points than are taken of all.
        let (sample, pairs) = super::sample(&[&points(SUBSAMPLE + 1), &few]);
        assert!(sample.nrows() < SUBSAMPLE);
        assert_eq!(pairs, Pairs::default());
    }

    #[test]
    fn sums_are_added_in_pairs() {
        let of = |value: f64| Sums {
            moments: Moments {
                count: 1,
                sum: Array1::from_elem(1, value),
                products: Array2::zeros((1, 1)),
            },
            sites: 10,
        };
        // 1 is lost next to 2^53, unless it has met another before.
        let large = 2.0_f64.powi(53);
        let all = Sums::tree(vec![of(large), of(0.0), of(1.0), of(1.0), of(0.0)]).unwrap();
        assert_eq!(all.moments.sum[0], large + 2.0);
        assert_eq!((all.moments.count, all.sites), (5, 50));
        assert_eq!(Sums::tree(Vec::new()), None);
    }
}
