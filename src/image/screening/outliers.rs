//! Pixels far outside the range of all others.
//!
//! *Far*: let `e = |v - median|`, and `R` twice what 95 % of the pixels stay below (about
//! four standard deviations of a normal distribution). Values of one kind follow each
//! other closely; where between `R` and the next larger `e` there is nothing for a factor
//! of 2, what lies beyond is none of their kind. Where outliers of all sizes leave no such
//! gap, they are those that the others do not reach even if their tail falls off no faster
//! than exponentially, as it does between two of their upper quantiles: the value that
//! less than one pixel in a thousand such images would exceed, and twice `R`. Counts at low dose, pulse
//! heights and a few bright columns thus have no outliers; where 95 % of the pixels are
//! equal, there is no range to be outside of.
//!
//! *Sharp*: what a probe sees is blurred. Connected pixels that are far are outliers where
//! they end at once at nine in ten of their sides: the last pixel has at least half the
//! strength of the region (the `e` that a tenth of its pixels have, or more), the next one
//! at most a quarter of the last one's. So do hot pixels, rows and columns, parts of them,
//! sentinels, marks drawn into the image. A single heavy column, a bright particle, and
//! columns cut off at the largest value fade.
//!
//! Median and quantiles are those of a sample (65,536 pixels, always the same), so that the
//! rest is two passes over the image. Up to 5 % of the pixels may be outliers.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::flood::{self, Region, flood};
use super::{beside, median, sample};
use crate::image::micrograph::Pixel;

/// Fewest pixels that have a range.
const LEAST: usize = 256;
/// Share of the pixels beyond the bulk, and how many times its reach the range begins at.
const TAIL: f64 = 0.05;
const RANGE: f64 = 2.0;
/// Shares of the pixels beyond two quantiles from which the tail is followed.
const TAILS: [[f64; 2]; 4] = [[0.1, 0.05], [0.05, 0.025], [0.02, 0.01], [0.01, 0.005]];
/// Pixels of an image that may lie beyond the end of its tail.
const EXPECTED: f64 = 1e-3;
/// Classes to a factor of 2, and their number: any two floats fit.
const CLASSES: usize = 16;
const MOST: usize = CLASSES * 2100;
/// Least share of the region's strength at a sharp side, largest share of that beyond it,
/// and share of such sides.
const FULL: f64 = 0.5;
const SHARP: f64 = 0.25;
const SIDES: f64 = 0.9;

/// Rows and columns of the outliers, row by row.
pub(super) fn find<T: Pixel>(
    pixels: ArrayView2<'_, T>,
    absent: Option<&Array2<bool>>,
) -> Vec<(usize, usize)> {
    let mut values = sample(pixels, absent);
    if values.len() < LEAST {
        return Vec::new();
    }
    let Some(middle) = median(&mut values) else { return Vec::new() };
    values.iter_mut().for_each(|v| *v = (*v - middle).abs());
    values.sort_unstable_by(f64::total_cmp);
    let mut image = Image { pixels, absent, middle, furthest: Vec::new() };
    let range = RANGE * beyond(&values, TAIL);
    if range <= 0.0 || !range.is_finite() {
        return Vec::new();
    }
    image.furthest = image.rows();
    let least = image.gap(range).min(tail_end(&values, pixels.len()).max(2.0 * range));
    image.sharp(least)
}

/// What all but this share of the sorted `values` stay below or at.
fn beyond(values: &[f64], share: f64) -> f64 {
    values[((1.0 - share) * (values.len() - 1) as f64) as usize]
}

/// Where an exponential tail through two quantiles of the sorted `values` ends, for the
/// flattest of [`TAILS`].
fn tail_end(values: &[f64], pixels: usize) -> f64 {
    let end = |[near, far]: [f64; 2]| {
        let (from, to) = (beyond(values, near), beyond(values, far));
        let steepness = (to - from) / (near / far).ln();
        to + steepness * (pixels as f64 * far / EXPECTED).ln().max(0.0)
    };
    TAILS.into_iter().map(end).fold(0.0, f64::max)
}

struct Image<'a, T> {
    pixels: ArrayView2<'a, T>,
    absent: Option<&'a Array2<bool>>,
    middle: f64,
    /// How far from the middle the furthest pixel of each row is.
    furthest: Vec<f64>,
}

impl<T: Pixel> Image<'_, T> {
    /// How far a pixel's value is from the middle of all, with its sign; nothing where it
    /// is absent or not finite.
    fn away(&self, at: (usize, usize)) -> Option<f64> {
        let away = self.pixels[at].to_f64() - self.middle;
        (away.is_finite() && self.absent.is_none_or(|absent| !absent[at])).then_some(away)
    }

    /// How far from the middle of all the furthest pixel of each row is, absent or not: of most rows that
    /// is all there is to know.
    fn rows(&self) -> Vec<f64> {
        let furthest = |row: ArrayView1<'_, T>| {
            // Several at once.
            let mut most = [0.0_f64; 8];
            let take = |most: &mut f64, pixel: T| {
                let away = (pixel.to_f64() - self.middle).abs();
                *most = if away > *most && away < f64::INFINITY { away } else { *most };
            };
            match row.to_slice() {
                Some(row) => {
                    let (chunks, rest) = row.as_chunks::<8>();
                    for chunk in chunks {
                        most.iter_mut().zip(chunk).for_each(|(most, &pixel)| take(most, pixel));
                    }
                    rest.iter().for_each(|&pixel| take(&mut most[0], pixel));
                }
                None => row.iter().for_each(|&pixel| take(&mut most[0], pixel)),
            }
            most.into_iter().fold(0.0, f64::max)
        };
        self.pixels.outer_iter().into_par_iter().map(furthest).collect()
    }

    /// The least distance from the middle after which, going up from `range`, no pixel lies
    /// for a factor of 2; infinite where there is no such gap.
    fn gap(&self, range: f64) -> f64 {
        let class = |e: f64| ((e / range).log2() * CLASSES as f64) as usize;
        let of_row = |mut counts: Vec<bool>, row: usize| {
            if self.furthest[row] < range {
                return counts;
            }
            for col in 0..self.pixels.ncols() {
                let away = self.away((row, col)).map_or(0.0, f64::abs);
                if away >= range {
                    let class = class(away).min(MOST);
                    counts.resize(counts.len().max(class + 1), false);
                    counts[class] = true;
                }
            }
            counts
        };
        let or = |mut a: Vec<bool>, b: Vec<bool>| {
            a.resize(a.len().max(b.len()), false);
            a.iter_mut().zip(b).for_each(|(a, b)| *a |= b);
            a
        };
        let rows = (0..self.pixels.nrows()).into_par_iter();
        let there = rows.fold(Vec::new, of_row).reduce(Vec::new, or);
        let mut last = 0;
        for (class, _) in there.iter().enumerate().filter(|(_, there)| **there) {
            if class >= last + CLASSES {
                return range * 2.0_f64.powf(class as f64 / CLASSES as f64);
            }
            last = class + 1;
        }
        f64::INFINITY
    }

    /// The pixels of connected ones at `least` or further from the middle whose sides are
    /// sharp, row by row.
    fn sharp(&self, least: f64) -> Vec<(usize, usize)> {
        const FAR: u8 = 1;
        const TAKEN: u8 = 2;
        let (rows, cols) = self.pixels.dim();
        let of_row = |row: usize| {
            let far = move |col: &usize| self.away((row, *col)).is_some_and(|e| e.abs() >= least);
            let cols = if self.furthest[row] >= least { 0..cols } else { 0..0 };
            cols.filter(far).map(move |col| (row, col)).collect::<Vec<_>>()
        };
        let far: Vec<_> = (0..rows).into_par_iter().flat_map_iter(of_row).collect();
        if far.is_empty() {
            return far;
        }
        let mut state = Array2::zeros((rows, cols));
        far.iter().for_each(|&at| state[at] = FAR);
        let mut found = Vec::new();
        for &start in &far {
            let region = flood(&mut state, TAKEN, start, usize::MAX, |s, at| s[at] == FAR);
            if self.is_sharp(&region, |at| state[at] != 0) {
                found.extend(flood::pixels(&region));
            }
        }
        found.sort_unstable();
        found
    }

    /// Whether values fall off at once at the sides of a region of pixels that are `far`.
    fn is_sharp(&self, region: &Region, far: impl Fn((usize, usize)) -> bool) -> bool {
        let mut all: Vec<f64> = flood::pixels(region).filter_map(|at| self.away(at)).collect();
        all.iter_mut().for_each(|e| *e = e.abs());
        all.sort_unstable_by(f64::total_cmp);
        let most = all.len().saturating_sub(1);
        let Some(&strength) = all.get((0.9 * most as f64).ceil() as usize) else { return false };
        let (mut sides, mut sharp) = (0_u32, 0_u32);
        for at in flood::pixels(region) {
            let Some(own) = self.away(at) else { continue };
            let around = beside(at, self.pixels.dim()).filter_map(|(_, next)| next);
            for away in around.filter(|&next| !far(next)).filter_map(|next| self.away(next)) {
                sides += 1;
                let ends = away * own.signum() <= SHARP * own.abs();
                sharp += u32::from(ends && own.abs() >= FULL * strength);
            }
        }
        f64::from(sharp) >= SIDES * f64::from(sides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which pixels are meant.
    type Where<'a> = &'a dyn Fn((usize, usize)) -> bool;

    fn outliers<T: Pixel>(image: &Array2<T>) -> Vec<(usize, usize)> {
        find(image.view(), None)
    }

    /// Evenly spread numbers from 0 to 1, the same every time.
    struct Random(u64);

    impl Random {
        fn unit(&mut self) -> f64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) as f64 + 0.5) / f64::from(1_u32 << 31)
        }

        fn exponential(&mut self) -> f64 {
            -self.unit().ln()
        }

        /// Events before exponential waiting times add up to `mean`.
        fn poisson(&mut self, mean: f64) -> u16 {
            let (mut count, mut time) = (0, self.exponential());
            while time < mean {
                count += 1;
                time += self.exponential();
            }
            count
        }
    }

    const SIDE: usize = 200;

    fn square(value: impl FnMut((usize, usize)) -> f64) -> Array2<f64> {
        Array2::from_shape_fn((SIDE, SIDE), value)
    }

    /// A lattice of bright columns under noise.
    fn crystal(seed: u64) -> Array2<f64> {
        let mut random = Random(seed);
        let wave = |x: usize| (x as f64 * std::f64::consts::TAU / 9.0).cos();
        square(|(r, c)| f64::from(random.poisson(20.0 * (1.0 + wave(r)) * (1.0 + wave(c)))))
    }

    #[test]
    fn images_have_none() {
        assert_eq!(outliers(&crystal(1)), []);
        let mut random = Random(2);
        for mean in [0.002, 0.01, 0.03, 0.06, 0.1, 0.3, 1.0, 3.0] {
            // Single electrons, and what a detector makes of them.
            let counts = square(|_| f64::from(random.poisson(mean)));
            assert_eq!(outliers(&counts), [], "{mean} counts a pixel");
            let pulses = square(|_| {
                let count = random.poisson(mean);
                (0..count).map(|_| random.exponential()).sum::<f64>()
            });
            assert_eq!(outliers(&pulses), [], "pulses, {mean} a pixel");
        }
        assert_eq!(outliers(&square(|_| 3.0)), []);
        assert_eq!(outliers(&square(|(r, c)| ((r + c) % 2) as f64)), [], "two values");
        assert_eq!(
            outliers(&square(|at| f64::from(u8::from(at == (9, 9))))),
            [],
            "no range at all"
        );
        assert_eq!(outliers(&Array2::<u8>::zeros((3, 3))), []);
    }

    #[test]
    fn single_atoms_and_saturated_columns_are_none() {
        let mut random = Random(3);
        for (width, height) in [(0.7, 400.0), (1.0, 100.0), (1.5, 60.0), (3.0, 1000.0)] {
            // Atoms at any place between pixels; columns cut off at the largest value.
            let atoms: Vec<_> =
                (0..3).map(|_| [random.unit(), random.unit()].map(|x| 180.0 * x + 10.0)).collect();
            let mut noise = Random(4);
            let image = square(|(r, c)| {
                let atom = |[y, x]: &[f64; 2]| {
                    let square = (r as f64 - y).powi(2) + (c as f64 - x).powi(2);
                    height * (-square / (2.0 * width * width)).exp()
                };
                f64::from(noise.poisson(10.0)) + atoms.iter().map(atom).sum::<f64>()
            });
            assert_eq!(outliers(&image), [], "width {width}, height {height}");
            let clipped = image.mapv(|v| v.min(0.6 * height) as u16);
            assert_eq!(outliers(&clipped), [], "width {width}, cut off");
        }
    }

    #[test]
    fn pixels_far_outside_are_found_alone_and_in_lines() {
        let plain = crystal(5);
        let cases: [(&str, Where<'_>); 7] = [
            ("a pixel", &|at| at == (77, 140)),
            ("two pixels", &|(r, c)| r == 30 && (c == 41 || c == 42)),
            ("rows", &|(r, _)| (100..103).contains(&r)),
            ("a column", &|(_, c)| c == 0),
            ("part of a row", &|(r, c)| r == 55 && (20..90).contains(&c)),
            ("a cross", &|(r, c)| r == 80 || (120..124).contains(&c)),
            ("many", &|(r, c)| (r * 57 + c * 31) % 499 == 3),
        ];
        for (name, out) in cases {
            for value in [-9999.0, 65535.0, 4_294_967_295.0] {
                let image = square(|at| if out(at) { value } else { plain[at] });
                let expected: Vec<_> =
                    plain.indexed_iter().map(|(at, _)| at).filter(|&at| out(at)).collect();
                assert_eq!(outliers(&image), expected, "{name} at {value}");
                let again = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                assert_eq!(again.install(|| outliers(&image)), expected, "{name} on one thread");
            }
        }
    }

    #[test]
    fn hot_pixels_of_all_strengths_leave_the_strong_ones_none() {
        let mut image = crystal(6);
        // From the range of the image to a hundred times that, without a gap.
        let strengths: Vec<f64> = (0..60).map(|i| 100.0 * 1.08_f64.powi(i)).collect();
        for (i, &strength) in strengths.iter().enumerate() {
            image[(3 * i + 5, (41 * i) % 190 + 5)] = strength;
        }
        let found = outliers(&image);
        let least = found.iter().map(|&at| image[at]).fold(f64::INFINITY, f64::min);
        assert!(least < 1000.0, "those from {least} on");
        assert!(found.iter().all(|&at| image[at] > 150.0));
    }

    #[test]
    fn what_is_absent_is_not_looked_at() {
        let mut image = crystal(7);
        let absent = Array2::from_shape_fn(image.dim(), |(r, _)| r < 60);
        image.slice_mut(ndarray::s![..60, ..]).fill(f64::NAN);
        image.slice_mut(ndarray::s![..20, ..]).fill(-1e30);
        image[(120, 33)] = 1e6;
        assert_eq!(find(image.view(), Some(&absent)), [(120, 33)]);
    }
}
