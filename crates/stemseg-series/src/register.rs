//! The drift of the specimen: where it lies in each frame, relative to the first.
//!
//! Each frame is compared with what was seen of the specimen so far, the mean of the frames before
//! in the specimen's own coordinates, those long past counting less. Crystals are periodic:
//! what is far apart correlates, so that a growing crystal would draw the whole specimen with it. So
//! pixels count by how well the frame agrees with what was there before, within a period around
//! them, and what changes counts little:
//!
//! 1. cross-correlation near the drift of the frame before, to half a period;
//! 2. agreement of the frame, moved there, with the mean: `r = G(f m) / sqrt(G(f^2) G(m^2))`;
//! 3. cross-correlation of both under weights `max(r, 0)^4`, to a fraction of a pixel.
//!
//! Brightness and contrast that change slowly across the frame are taken off first: they stay
//! where the detector is. Drift within a frame and rotation are not looked for.

use ndarray::{Array2, ArrayView2, Zip, s};

use crate::blur::blur;
use crate::fourier::Fourier;

/// How much of the mean stays when a frame is added: about ten frames count.
const MEMORY: f32 = 0.9;
/// Pixels to a period, at least, of the reduced frames that are compared.
const PIXELS: f64 = 6.0;
/// Period where none is known, px.
const UNKNOWN: f64 = 16.0;
/// Periods that brightness may change within, and contrast.
const BACKGROUND: f64 = 1.0;
const CONTRAST: f64 = 2.0;
/// How much of a period a specimen may move between two frames: farther, another unit cell is as
/// near.
const REACH: f64 = 0.5;
/// Periods from the border of a frame within which it fades.
const FADE: f64 = 2.0;
/// How much rarer pixels count whose surroundings agree less.
const POWER: i32 = 4;
/// How often steps 2 and 3 are done.
const ROUNDS: usize = 1;
/// Least mean agreement of a frame that is added to the mean.
const AGREES: f64 = 0.15;

/// Where the specimen lies in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Drift {
    /// How far down and right the specimen lies of where it was in the first frame, px.
    pub shift: [f64; 2],
    /// How well the frame agrees with those before, -1 to 1, on average over its pixels.
    pub agreement: f64,
}

/// The frames so far, as they show the specimen.
#[derive(Debug)]
pub struct Registration {
    /// Pixels of a frame to one of those that are compared, along each axis.
    factor: usize,
    /// Period, px of what is compared.
    period: f64,
    shape: (usize, usize),
    fourier: Fourier,
    /// Fades towards the border.
    border: Array2<f32>,
    /// Sum of the frames, flattened, in the specimen's coordinates, and of their weights.
    sum: Array2<f32>,
    weight: Array2<f32>,
    /// Where the specimen lies in the last frame, px of what is compared.
    last: [f64; 2],
    started: bool,
}

impl Registration {
    /// For frames of `shape`, rows and columns, with crystals of this `period`, px.
    pub fn new((rows, cols): (usize, usize), period: Option<f64>) -> Self {
        let period = period.unwrap_or(UNKNOWN);
        let factor = ((period / PIXELS) as usize).clamp(1, (rows.min(cols) / 32).max(1));
        let shape = (rows / factor, cols / factor);
        let period = period / factor as f64;
        let fade = (FADE * period).min(shape.0.min(shape.1) as f64 / 4.0);
        let along = |place: usize, size: usize| {
            let inside = (place + 1).min(size - place) as f64;
            let share = (inside / fade).min(1.0);
            0.5 - 0.5 * (std::f64::consts::PI * share).cos()
        };
        let border =
            Array2::from_shape_fn(shape, |(r, c)| (along(r, shape.0) * along(c, shape.1)) as f32);
        Self {
            factor,
            period,
            shape,
            fourier: Fourier::new(shape),
            border,
            sum: Array2::zeros(shape),
            weight: Array2::zeros(shape),
            last: [0.0; 2],
            started: false,
        }
    }

    /// Where the specimen lies in the next `frame` `[rows, cols]`; pixels under `absent`, of the
    /// same shape, do not count. The first frame lies where it lies.
    ///
    /// # Panics
    /// For a frame of another shape.
    pub fn add(
        &mut self,
        frame: ArrayView2<'_, f32>,
        absent: Option<ArrayView2<'_, bool>>,
    ) -> Drift {
        let counts = self.counts(absent);
        let flat = self.flattened(frame, &counts);
        let weights = &self.border * &counts;
        if !self.started {
            self.started = true;
            self.remember(&flat, &weights, [0.0; 2]);
            return Drift { shift: [0.0; 2], agreement: 1.0 };
        }
        let mean = self.mean();
        let seen = self.seen();
        let mut shift = self.last;
        let mut agreement = None;
        for round in 0..=ROUNDS {
            // Both where the specimen lies now, to whole pixels: a window that stays with the
            // frame would draw the shift towards nothing.
            let whole = shift.map(f64::round);
            let near = [shift[0] - whole[0], shift[1] - whole[1]];
            let there = moved_whole(&flat, whole);
            let mut both = moved_whole(&weights, whole) * &seen;
            let reach = match round {
                0 => REACH * self.period,
                _ => {
                    let agrees = self.agreement(&there, &mean, &both);
                    agreement = Some(weighted_mean(&agrees, &both));
                    Zip::from(&mut both)
                        .and(&agrees)
                        .for_each(|w, &r| *w *= r.max(0.0).powi(POWER));
                    1.0
                }
            };
            let spectrum = self.fourier.cross((&there * &both).view(), (&mean * &both).view());
            let found = spectrum.peak(near, reach);
            shift = [whole[0] + found[0], whole[1] + found[1]];
        }
        let agreement = agreement.unwrap_or_default();
        if agreement >= AGREES {
            self.last = shift;
            self.remember(&flat, &weights, shift);
        }
        let factor = self.factor as f64;
        Drift { shift: self.last.map(|shift| shift * factor), agreement }
    }

    /// Where the specimen is taken to lie in a frame that shows nothing: where it was before.
    pub fn skip(&self) -> Drift {
        let factor = self.factor as f64;
        Drift { shift: self.last.map(|shift| shift * factor), agreement: 0.0 }
    }

    /// 1 for reduced pixels that count.
    fn counts(&self, absent: Option<ArrayView2<'_, bool>>) -> Array2<f32> {
        let Some(absent) = absent else { return Array2::ones(self.shape) };
        let f = self.factor;
        Array2::from_shape_fn(self.shape, |(r, c)| {
            let block = absent.slice(s![r * f..(r + 1) * f, c * f..(c + 1) * f]);
            if block.iter().any(|&out| out) { 0.0 } else { 1.0 }
        })
    }

    /// The frame, reduced, without slow changes of brightness and contrast.
    fn flattened(&self, frame: ArrayView2<'_, f32>, counts: &Array2<f32>) -> Array2<f32> {
        let f = self.factor;
        let reduced = Array2::from_shape_fn(self.shape, |(r, c)| {
            let block = frame.slice(s![r * f..(r + 1) * f, c * f..(c + 1) * f]);
            block.sum() / (f * f) as f32
        });
        let mut flat = reduced * counts;
        let there = blur(counts.clone(), BACKGROUND * self.period);
        let slow = blur(flat.clone(), BACKGROUND * self.period);
        Zip::from(&mut flat).and(&slow).and(&there).and(counts).for_each(|v, &slow, &there, &n| {
            *v = n * (*v - slow / there.max(1e-6));
        });
        let squares = blur(flat.mapv(|v| v * v), CONTRAST * self.period);
        let floor = 0.1 * squares.mean().unwrap_or_default() + f32::MIN_POSITIVE;
        Zip::from(&mut flat).and(&squares).for_each(|v, &square| *v /= (square + floor).sqrt());
        // Noise from pixel to pixel says nothing of the specimen.
        blur(flat, 1.0_f64.max(self.period / 8.0))
    }

    /// The mean of the frames so far, 0 where there was none.
    fn mean(&self) -> Array2<f32> {
        let mut mean = self.sum.clone();
        Zip::from(&mut mean)
            .and(&self.weight)
            .for_each(|v, &n| *v = if n > 1e-3 { *v / n } else { 0.0 });
        mean
    }

    /// How much is known of each pixel of the specimen, 0 to 1.
    fn seen(&self) -> Array2<f32> {
        let most = self.weight.fold(f32::MIN_POSITIVE, |most, &n| most.max(n));
        self.weight.mapv(|n| (3.0 * n / most).min(1.0))
    }

    fn agreement(
        &self,
        one: &Array2<f32>,
        other: &Array2<f32>,
        weights: &Array2<f32>,
    ) -> Array2<f32> {
        let sum = |a: &Array2<f32>, b: &Array2<f32>| {
            let mut products = a * b;
            products.zip_mut_with(weights, |v, &w| *v *= if w > 0.0 { 1.0 } else { 0.0 });
            blur(products, self.period)
        };
        let (mut both, first, second) = (sum(one, other), sum(one, one), sum(other, other));
        Zip::from(&mut both).and(&first).and(&second).for_each(|v, &a, &b| {
            *v = if a > 1e-6 && b > 1e-6 { (*v / (a * b).sqrt()).clamp(-1.0, 1.0) } else { 0.0 };
        });
        both
    }

    /// Adds a frame that was found there to the mean.
    fn remember(&mut self, flat: &Array2<f32>, weights: &Array2<f32>, shift: [f64; 2]) {
        let (flat, weights) = (moved(flat, shift), moved(weights, shift));
        self.sum *= MEMORY;
        self.weight *= MEMORY;
        Zip::from(&mut self.sum).and(&mut self.weight).and(&flat).and(&weights).for_each(
            |sum, weight, &value, &w| {
                let w = w.clamp(0.0, 1.0);
                *sum += value * w;
                *weight += w;
            },
        );
    }
}

fn weighted_mean(values: &Array2<f32>, weights: &Array2<f32>) -> f64 {
    let mut sums = (0.0, 0.0);
    for (&v, &w) in values.iter().zip(weights) {
        sums.0 += f64::from(v) * f64::from(w);
        sums.1 += f64::from(w);
    }
    if sums.1 > 0.0 { sums.0 / sums.1 } else { 0.0 }
}

/// What `image` has `shift` whole pixels further down and right, 0 where that is outside.
fn moved_whole(image: &Array2<f32>, shift: [f64; 2]) -> Array2<f32> {
    let (rows, cols) = image.dim();
    let [down, right] = shift.map(|shift| shift as isize);
    let mut moved = Array2::zeros((rows, cols));
    let range = |shift: isize, size: usize| {
        let first = (-shift).max(0) as usize;
        let end = (size as isize - shift).clamp(0, size as isize) as usize;
        first..end.max(first)
    };
    let (to_rows, to_cols) = (range(down, rows), range(right, cols));
    if to_rows.is_empty() || to_cols.is_empty() || to_rows.end > rows || to_cols.end > cols {
        return moved;
    }
    let from = |to: &std::ops::Range<usize>, shift: isize| {
        (to.start as isize + shift) as usize..(to.end as isize + shift) as usize
    };
    let part = image.slice(s![from(&to_rows, down), from(&to_cols, right)]);
    moved.slice_mut(s![to_rows, to_cols]).assign(&part);
    moved
}

/// Pixels on either side that interpolation takes into account.
const TAPS: i32 = 4;

/// The same for any shift, along one axis after the other, by Lanczos' windowed sinc of four lobes:
/// shorter kernels draw waves of a few pixels towards whole shifts, which adds up from frame to
/// frame.
fn moved(image: &Array2<f32>, shift: [f64; 2]) -> Array2<f32> {
    let mut image = image.clone();
    for axis in 0..2 {
        let whole = shift[axis].floor();
        let weights = lanczos(shift[axis] - whole);
        let mut sum = Array2::zeros(image.dim());
        for (tap, weight) in (1 - TAPS..=TAPS).zip(weights) {
            let mut by = [0.0; 2];
            by[axis] = whole + f64::from(tap);
            sum.scaled_add(weight, &moved_whole(&image, by));
        }
        image = sum;
    }
    image
}

/// Weights of the values around a place `t` px, 0 to 1, behind one of them.
fn lanczos(t: f64) -> Vec<f32> {
    let sinc = |x: f64| match x.abs() < 1e-9 {
        true => 1.0,
        false => (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x),
    };
    let weight = |tap: i32| {
        let x = f64::from(tap) - t;
        sinc(x) * sinc(x / f64::from(TAPS))
    };
    let weights: Vec<f64> = (1 - TAPS..=TAPS).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    /// Uniform noise of deviation 1.
    fn noise(seed: u64, shape: (usize, usize)) -> Array2<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_simple_fn(shape, || {
            (f64::from(random.next_u32()) / f64::from(u32::MAX) - 0.5) as f32 * 12_f32.sqrt()
        })
    }

    /// Two crystals of period 10 and 11 px that meet at column `front` of the specimen, which lies
    /// `shift` px down and right, under brightness that stays with the frame.
    fn frame(front: f64, shift: [f64; 2], seed: u64) -> Array2<f32> {
        let shape = (128, 140);
        let wave = |x: f64, period: f64| (x * std::f64::consts::TAU / period).cos();
        let noise = noise(seed, shape);
        Array2::from_shape_fn(shape, |(r, c)| {
            let (y, x) = (r as f64 - shift[0], c as f64 - shift[1]);
            let signal = match x < front {
                true => wave(y, 11.0) + wave(0.5 * y + 0.866 * x, 11.0),
                false => wave(y + 0.1 * x, 10.0) + wave(x - 0.1 * y, 10.0),
            };
            (signal + 0.03 * c as f64) as f32 + 0.7 * noise[(r, c)]
        })
    }

    #[test]
    fn drift_is_found_while_a_crystal_grows() {
        let mut registration = Registration::new((128, 140), Some(10.0));
        let drift = |t: f64| [0.31 * t, -0.47 * t + 0.6 * (0.7 * t).sin()];
        let start = drift(0.0);
        let mut worst: f64 = 0.0;
        for t in 0..24 {
            let time = f64::from(t);
            let found =
                registration.add(frame(40.0 + 2.5 * time, drift(time), t as u64).view(), None);
            let true_drift = [drift(time)[0] - start[0], drift(time)[1] - start[1]];
            let off = (found.shift[0] - true_drift[0]).hypot(found.shift[1] - true_drift[1]);
            worst = worst.max(off);
            assert!(found.agreement > 0.3, "{t}: {found:?}");
        }
        // The hundredth part of a period and a half.
        assert!(worst < 0.15, "{worst}");
    }

    #[test]
    fn a_frame_of_noise_moves_nothing() {
        let mut registration = Registration::new((128, 140), Some(10.0));
        registration.add(frame(60.0, [0.0; 2], 0).view(), None);
        let there = registration.add(frame(60.0, [1.5, -2.0], 1).view(), None);
        assert!((there.shift[0] - 1.5).hypot(there.shift[1] + 2.0) < 0.1, "{there:?}");
        let lost = registration.add(noise(9, (128, 140)).view(), None);
        assert_eq!(lost.shift, there.shift);
        assert!(lost.agreement < AGREES, "{lost:?}");
        assert_eq!(registration.skip().shift, there.shift);
        let back = registration.add(frame(60.0, [2.0, -3.0], 2).view(), None);
        assert!((back.shift[0] - 2.0).hypot(back.shift[1] + 3.0) < 0.1, "{back:?}");
    }

    #[test]
    fn absent_pixels_do_not_count() {
        let mut registration = Registration::new((128, 140), Some(10.0));
        registration.add(frame(60.0, [0.0; 2], 0).view(), None);
        let mut half = frame(60.0, [1.2, 0.8], 1);
        half.slice_mut(s![70.., ..]).fill(500.0);
        let absent = Array2::from_shape_fn(half.dim(), |(r, _)| r >= 70);
        let found = registration.add(half.view(), Some(absent.view()));
        assert!((found.shift[0] - 1.2).hypot(found.shift[1] - 0.8) < 0.15, "{found:?}");
    }

    #[test]
    fn an_image_is_moved_by_whole_pixels_and_fractions() {
        let image = Array2::from_shape_fn((9, 11), |(r, c)| (r * 20 + c) as f32);
        let whole = moved_whole(&image, [2.0, -3.0]);
        assert_eq!((whole[(0, 3)], whole[(6, 10)], whole[(7, 5)]), (40.0, 167.0, 0.0));
        assert_eq!(moved_whole(&image, [50.0, 0.0]).sum(), 0.0);
        let wave = |r: f64, c: f64| ((1.2 * r + 0.3).sin() + (1.1 * c).cos()) as f32;
        let image = Array2::from_shape_fn((30, 31), |(r, c)| wave(r as f64, c as f64));
        let part = moved(&image, [0.4, -2.75]);
        for (r, c) in [(10, 10), (15, 20), (20, 12)] {
            let expected = wave(r as f64 + 0.4, c as f64 - 2.75);
            assert!((part[(r, c)] - expected).abs() < 0.02, "{r} {c}");
        }
    }
}
