//! Harmonic family: circular harmonics of the surroundings, which tell apart what
//! no autocorrelation can (inversion domains, homometric structures, chirality).
//!
//! For the angular order `m` and ring `k` the kernel is `b_k(|d|) exp(-i m phi(d))`
//! on the disc of the pixels with `|d| <= R`, made zero-mean and of unit norm, where
//! `b_k` is a Gaussian of standard deviation `0.7 R / K` about `(k + 0.7) R / K` (k =
//! 0 .. K-1) and `phi` is measured so that `row = |d| sin(phi)`, `col = |d| cos(phi)`.
//! In the disc's centre, which has no angle, kernels of `m > 0` are 0. With `n` and
//! `sigma` the number and the standard deviation of the disc's pixels,
//!
//! `a_mk(x) = sum over d of I(x + d) kernel(d) / (sqrt(n) sigma(x))`
//!
//! is a correlation coefficient. A channel is the largest
//! `Re(a_mk exp(2 pi i q / Q))`, q = 0 .. Q-1, of the [inner sites](super::inner_sites)
//! in a site's window, or their [power mean](power_mean); `m = 0` has the two signs only.

mod folded;
pub mod power_mean;

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::FLAT_SHARE;
use super::inner_sites::{self, InnerSites, norms};
use super::rounding::{self, EPS, Rounding, Subject};
use super::traits::{Choose, Common, Measure, SMALL_WINDOW};
use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};
pub(crate) use folded::{Class, Folded};

/// What becomes of the projections in a site's window.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The largest counts.
    #[default]
    Maximum,
    /// All count, large ones far more: see [`power_mean`].
    PowerMean {
        /// Standard deviation of the Gaussian weights, px.
        width: f64,
    },
}

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Radius of the disc, px.
    pub radius: usize,
    /// Half size of the window whose inner sites are pooled, px; the power mean's follows
    /// from its width.
    pub window: Extent,
    /// Angular orders.
    pub orders: Vec<usize>,
    /// Number of rings.
    pub rings: usize,
    /// Number of phases of each order above 0.
    pub angles: usize,
    /// Distance of neighbouring inner sites, px.
    pub inner_stride: usize,
    /// How projections are pooled.
    #[serde(default)]
    pub pool: Pool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            radius: 14,
            window: Extent::square(14),
            orders: vec![0, 1, 2, 3, 4, 6],
            rings: 3,
            angles: 12,
            inner_stride: 2,
            pool: Pool::default(),
        }
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "radius and window"
    }

    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        inner_sites::smaller(self.radius, self.window, shape, enough)
    }

    fn common(&mut self) -> Common<'_> {
        Common {
            window: Some(&mut self.window),
            radius: Some(&mut self.radius),
            inner_stride: Some(&mut self.inner_stride),
            ..Default::default()
        }
    }

    /// With either pooling.
    fn small(&self) -> Vec<Self> {
        let pooled = |pool| Self {
            radius: 6,
            window: SMALL_WINDOW,
            orders: vec![0, 2, 3],
            rings: 2,
            angles: 4,
            inner_stride: 4,
            pool,
        };
        vec![pooled(Pool::Maximum), pooled(Pool::PowerMean { width: 3.0 })]
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        super::checks::at_least("radius", self.radius, 2)?;
        super::checks::at_least("rings", self.rings, 1)?;
        super::checks::at_least("angles", self.angles, 1)?;
        if self.orders.is_empty() {
            return Err(Error::parameter("orders", "none", "give at least one, for example 1,2,3"));
        }
        for (i, order) in self.orders.iter().enumerate() {
            // An order turns once in two pixels on the rim, at most.
            if *order > 3 * self.radius {
                let reason = format!("a disc of radius {} px shows no such order", self.radius);
                return Err(Error::parameter("orders", order, reason));
            }
            if self.orders[..i].contains(order) {
                return Err(Error::parameter("orders", order, "it is listed twice"));
            }
        }
        let Params { radius, rings, angles, .. } = *self;
        let margin = Extent::square(radius);
        let (window, width) = match self.pool {
            Pool::Maximum => (self.window, None),
            Pool::PowerMean { width } => {
                power_mean::check(width, (radius, self.inner_stride), shape)?;
                (power_mean::window(width, radius, self.inner_stride.max(1)), Some(width))
            }
        };
        let inner = InnerSites::new(shape, margin, self.inner_stride.max(1), window);
        let family = Family { radius, rings, angles, orders: self.orders.clone(), inner, width };
        // Each score is kept once.
        inner_sites::check_pooling(self.inner_stride, 1, family.channels())?;
        Ok(family)
    }
}

/// The family ready to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Radius of the disc, px.
    pub radius: usize,
    /// Number of rings.
    pub rings: usize,
    /// Number of phases, Q.
    pub angles: usize,
    /// Angular orders.
    pub orders: Vec<usize>,
    /// The inner sites and their pooling.
    pub inner: InnerSites,
    /// Standard deviation of the weights of a power mean, px; none for the maximum.
    pub width: Option<f64>,
}

/// The kernel of one order and ring, `[2R + 1, 2R + 1]`: real and imaginary part.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Angular order.
    pub order: usize,
    /// Real part, even under a change of sign of the rows.
    pub re: Array2<f64>,
    /// Imaginary part, odd under it; 0 for order 0.
    pub im: Array2<f64>,
}

impl Family {
    /// Whether the pixel at `(row, col)` from the centre belongs to the disc.
    pub fn in_disc(&self, row: isize, col: isize) -> bool {
        (row * row + col * col) as usize <= self.radius * self.radius
    }

    /// Pixels of the disc.
    pub fn disc(&self) -> Vec<[isize; 2]> {
        let reach = self.radius as isize;
        let all = (-reach..=reach).flat_map(|r| (-reach..=reach).map(move |c| [r, c]));
        all.filter(|&[r, c]| self.in_disc(r, c)).collect()
    }

    /// All kernels, order by order, ring by ring.
    pub fn kernels(&self) -> Vec<Kernel> {
        let places = self.orders.iter().flat_map(|&m| (0..self.rings).map(move |k| (m, k)));
        places.map(|(order, ring)| self.kernel(order, ring)).collect()
    }

    fn kernel(&self, order: usize, ring: usize) -> Kernel {
        let disc = self.disc();
        let width = self.radius as f64 / self.rings as f64;
        let value = |&[r, c]: &[isize; 2]| -> [f64; 2] {
            if order > 0 && r == 0 && c == 0 {
                return [0.0; 2];
            }
            let (r, c) = (r as f64, c as f64);
            let from_ring = (r.hypot(c) - (ring as f64 + 0.7) * width) / (0.7 * width);
            let height = (-from_ring * from_ring / 2.0).exp();
            let (sin, cos) = (order as f64 * r.atan2(c)).sin_cos();
            [height * cos, -height * sin]
        };
        let mut values: Vec<[f64; 2]> = disc.iter().map(value).collect();
        let n = values.len() as f64;
        let sum = |part: usize| values.iter().map(|v| v[part]).sum::<f64>();
        let mean = [sum(0) / n, sum(1) / n];
        values.iter_mut().for_each(|v| *v = [v[0] - mean[0], v[1] - mean[1]]);
        let norm = values.iter().map(|v| v[0] * v[0] + v[1] * v[1]).sum::<f64>().sqrt();
        let scale = if norm > 1e-9 { 1.0 / norm } else { 0.0 };
        let side = 2 * self.radius + 1;
        let (mut re, mut im) = (Array2::zeros((side, side)), Array2::zeros((side, side)));
        for ([r, c], v) in disc.iter().zip(values) {
            let at = (self.radius.wrapping_add_signed(*r), self.radius.wrapping_add_signed(*c));
            (re[at], im[at]) = (v[0] * scale, if order > 0 { v[1] * scale } else { 0.0 });
        }
        Kernel { order, re, im }
    }

    /// Cosine and sine of the phases of `order`: a channel is the largest
    /// `cos re(a) - sin im(a)`.
    pub fn phases(&self, order: usize) -> Vec<[f64; 2]> {
        let phase = |q: usize| {
            let (sin, cos) = (std::f64::consts::TAU * q as f64 / self.angles as f64).sin_cos();
            [cos, sin]
        };
        match order {
            0 => vec![[1.0, 0.0], [-1.0, 0.0]],
            _ => (0..self.angles).map(phase).collect(),
        }
    }

    /// Correlation coefficients of all kernels with the disc at pixel `(row, col)`.
    fn coefficients(
        &self,
        kernels: &[Kernel],
        image: ArrayView2<'_, f64>,
        (row, col): (usize, usize),
        variance: f64,
    ) -> Vec<[f64; 2]> {
        let disc = self.disc();
        let pixel =
            |&[r, c]: &[isize; 2]| image[(row.wrapping_add_signed(r), col.wrapping_add_signed(c))];
        let n = disc.len() as f64;
        let mean = disc.iter().map(pixel).sum::<f64>() / n;
        let own = disc.iter().map(|d| (pixel(d) - mean).powi(2)).sum::<f64>() / n;
        if own < FLAT_SHARE * variance {
            return vec![[0.0; 2]; kernels.len()];
        }
        let norm = (n * own).sqrt();
        let of = |kernel: &Kernel| {
            let part = |weights: &Array2<f64>| {
                let weight = |&[r, c]: &[isize; 2]| {
                    weights
                        [(self.radius.wrapping_add_signed(r), self.radius.wrapping_add_signed(c))]
                };
                disc.iter().map(|d| (pixel(d) - mean) * weight(d)).sum::<f64>() / norm
            };
            [part(&kernel.re), part(&kernel.im)]
        };
        kernels.iter().map(of).collect()
    }
}

impl Measure for Family {
    /// Sites of a power mean go to the border, where they pool the inner sites there are.
    fn margin(&self) -> Extent {
        match self.width {
            Some(_) => Extent::default(),
            None => self.inner.margin(),
        }
    }

    fn reach(&self, _stride: usize) -> Extent {
        self.inner.margin()
    }

    fn channels(&self) -> usize {
        let phases = |&order: &usize| if order == 0 { 2 } else { self.angles };
        self.orders.iter().map(phases).sum::<usize>().saturating_mul(self.rings)
    }

    fn channel_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for &m in &self.orders {
            let phases = if m == 0 { 2 } else { self.angles };
            for ring in 1..=self.rings {
                let degrees = |q: usize| ((36_000 * q) as f64 / phases as f64).round() / 100.0;
                let name = |q| format!("harmonic m={m} ring {ring} phase {} deg", degrees(q));
                names.extend((0..phases).map(name));
            }
        }
        names
    }

    fn tile_size(&self, _stride: usize) -> Extent {
        inner_sites::TILE
    }

    /// A product for each pixel of the disc and part, at the inner sites that lie in the sites'
    /// cells.
    fn operations(&self, sites: &SiteGrid) -> Option<f64> {
        let step = self.inner.grid.stride;
        let inner = sites.len() as f64 * (sites.stride as f64 / step as f64).powi(2);
        Some(2.0 * inner * self.disc().len() as f64 * self.part_count() as f64)
    }

    fn check(&self, grid: &SiteGrid) -> Result<()> {
        self.inner.check(grid)
    }

    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        let variance = image.var(0.0);
        let kernels = self.kernels();
        let sites = &self.inner.grid;
        let mut scores = Array2::zeros((sites.len(), self.channels()));
        for (i, mut scores) in scores.rows_mut().into_iter().enumerate() {
            let at = (sites.row(i / sites.count.cols), sites.col(i % sites.count.cols));
            let found = self.coefficients(&kernels, image, at, variance);
            let phases = |(kernel, [re, im]): (&Kernel, [f64; 2])| {
                let phases = self.phases(kernel.order).into_iter();
                phases.map(move |[cos, sin]| cos * re - sin * im).collect::<Vec<_>>()
            };
            let all = kernels.iter().zip(found).flat_map(phases);
            scores.iter_mut().zip(all).for_each(|(to, v)| *to = v);
        }
        match self.width {
            None => self.inner.largest(scores.view(), grid, 1),
            Some(width) => {
                let counts = self.counts(mask, 0..sites.count.rows, 0..sites.count.cols);
                power_mean::by_definition(&self.inner, scores.view(), &counts, grid, width)
            }
        }
    }

    /// Sums over a quarter of the disc, of four pixels each that four operations bring
    /// together. Their sizes come to `kappa + sqrt(1 + mu^2)` at most, a kernel's norm being 1:
    /// kappa says how far zero and the centre are from the disc's mean, and mu how far the
    /// first mean is, in its standard deviations. The norm is a sum of squares about the first
    /// mean, `1 + mu^2` times as large, and its root.
    /// A projection takes real and imaginary part, and four more operations. The maximum is
    /// off by no more than the worst inner site of the window, and so is a power mean except
    /// for its own sums. A disc that is just about flat may be flat for one and not for the
    /// other.
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, .. } = subject;
        let reach: Vec<usize> = (0..=self.radius).map(|r| self.reach(r)).collect();
        let rows = self.inner.rows_of(band, sites.grid());
        let Folded { quarter, .. } = self.folded();
        let terms = quarter.len();
        let loss = |place, own, [mean, variance]: [f64; 2]| {
            let first = self.first_mean(&quarter, image, place);
            let [zero, centre, first] =
                [0.0, f64::from(own), first].map(|from| (mean - from).abs() / variance.sqrt());
            let size = 1.0 + first * first;
            let norm = (rounding::sum(terms) + 4.0 * EPS) * size;
            let (off, doubt) = (variance / FLAT_SHARE - 1.0, (2.0 * norm).min(0.5));
            if off.abs() <= doubt {
                return 1.0;
            }
            if off < 0.0 {
                // Both say 0.
                return 8.0 * EPS;
            }
            let part = (rounding::sum(terms) + 4.0 * EPS) * (size.sqrt() + zero + centre);
            2.0 * (2.0_f64.sqrt() * part + norm / 2.0 + 10.0 * EPS)
        };
        let bounds: Vec<f64> = norms::each(image, &self.inner, rows.clone(), &reach, loss);
        let reason = format!(
            "2 eps ((sqrt({terms} terms) + 4) (sqrt(2) (kappa + sqrt(1 + mu^2)) + (1 + mu^2) / 2) + \
             10), the worst of the window"
        );
        let worst = self.inner.worst(&bounds, &rows, band, sites.grid());
        match self.width {
            None => Rounding::of_sites(reason, worst),
            Some(_) => power_mean::rounding(&self.inner, &reason, worst),
        }
    }
}

impl Family {
    /// The first mean of the disc at `(row, col)`, from some positions of its `quarter`: see
    /// [`first_step`](Self::first_step).
    fn first_mean(
        &self,
        quarter: &[[usize; 2]],
        image: ArrayView2<'_, f32>,
        (row, col): (usize, usize),
    ) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for &[r, c] in quarter.iter().step_by(self.first_step()) {
            // Pixels on the axes are met twice, the centre four times.
            let share = if r == 0 { 0.5 } else { 1.0 } * if c == 0 { 0.5 } else { 1.0 };
            for row in [row - r, row + r] {
                for col in [col - c, col + c] {
                    sum += share * f64::from(image[(row, col)]);
                }
            }
            count += 4.0 * share;
        }
        sum / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_no_mean_and_norm_one() {
        let family = Params::default().plan(Extent::square(64)).unwrap();
        assert_eq!(family.channels(), 186);
        assert_eq!(family.channel_names().len(), 186);
        for kernel in family.kernels() {
            let norm: f64 = kernel.re.iter().chain(&kernel.im).map(|v| v * v).sum();
            assert!((norm - 1.0).abs() < 1e-12);
            assert!(kernel.re.sum().abs() < 1e-12 && kernel.im.sum().abs() < 1e-12);
            let flipped = kernel.im.slice(ndarray::s![..;-1, ..]);
            assert!((&flipped + &kernel.im).iter().all(|v| v.abs() < 1e-12), "odd");
        }
    }
}
