//! Cross-correlation of two real images, and where it is largest.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use stemseg_numerics::fourier::{Complex32, Fft, forward_single};

/// Transforms of images of one shape.
pub(crate) struct Fourier {
    shape: (usize, usize),
    along: Arc<dyn Fft<f32>>,
    down: Arc<dyn Fft<f32>>,
}

impl std::fmt::Debug for Fourier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fourier").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Fourier {
    pub(crate) fn new(shape: (usize, usize)) -> Self {
        Self { shape, along: forward_single(shape.1), down: forward_single(shape.0) }
    }

    /// The cross spectrum of `one` and `other`, `F(one) conj F(other)`, turned: `[cols, rows]`. Its
    /// inverse transform at `s` is `sum over x of one(x + s) other(x)`.
    pub(crate) fn cross(&self, one: ArrayView2<'_, f32>, other: ArrayView2<'_, f32>) -> Spectrum {
        let (rows, cols) = self.shape;
        // Both at once, as real and imaginary part.
        let mut both = Array2::from_shape_fn((rows, cols), |at| Complex32::new(one[at], other[at]));
        lines(&mut both, &self.along);
        let mut turned = both.t().as_standard_layout().into_owned();
        drop(both);
        lines(&mut turned, &self.down);
        let back = |k: usize, n: usize| if k == 0 { 0 } else { n - k };
        // Of the two, one half each of the values at k and -k.
        let cross = Array2::from_shape_fn((cols, rows), |(c, r)| {
            let here = turned[(c, r)];
            let there = turned[(back(c, cols), back(r, rows))].conj();
            let (a, b) = ((here + there) * 0.5, (here - there) * Complex32::new(0.0, -0.5));
            a * b.conj()
        });
        Spectrum(cross)
    }
}

/// Transforms each row.
fn lines(image: &mut Array2<Complex32>, fft: &Arc<dyn Fft<f32>>) {
    image.axis_chunks_iter_mut(Axis(0), 16).into_par_iter().for_each(|mut rows| {
        let values = rows.as_slice_mut().expect("rows lie in memory as they are");
        fft.process(values);
    });
}

/// A cross spectrum, `[cols, rows]`.
pub(crate) struct Spectrum(Array2<Complex32>);

impl Spectrum {
    /// The place, to a fraction of a pixel, where the correlation is largest within `reach` px of
    /// `near`: by the transform at ever finer places (Guizar-Sicairos, Thurman and Fienup, Opt.
    /// Lett. 33, 156, 2008), and a parabola at the end.
    pub(crate) fn peak(&self, near: [f64; 2], reach: f64) -> [f64; 2] {
        let whole = near.map(f64::round);
        let steps = reach.ceil().max(1.0) as i32;
        let mut place = self.largest(whole, 1.0, steps, &|at| {
            (at[0] - near[0]).hypot(at[1] - near[1]) <= reach.max(1.0)
        });
        for step in [0.25, 0.0625] {
            place = self.largest(place, step, 4, &|_| true);
        }
        self.parabola(place, 0.0625)
    }

    /// The correlation at `2 n + 1` places a `step` apart along both axes around `centre`,
    /// `[rows, cols]`.
    fn around(&self, centre: [f64; 2], step: f64, n: i32) -> Array2<f32> {
        let (cols, rows) = self.0.dim();
        let along = phases(cols, centre[1], step, n);
        let down = phases(rows, centre[0], step, n);
        // [places along, rows]
        let half: Vec<Vec<Complex32>> = along
            .par_iter()
            .map(|phases| {
                let mut sum = vec![Complex32::default(); rows];
                for (phase, line) in phases.iter().zip(self.0.outer_iter()) {
                    sum.iter_mut().zip(line).for_each(|(sum, value)| *sum += phase * value);
                }
                sum
            })
            .collect();
        Array2::from_shape_fn((down.len(), along.len()), |(r, c)| {
            down[r].iter().zip(&half[c]).map(|(phase, value)| (phase * value).re).sum()
        })
    }

    fn largest(
        &self,
        centre: [f64; 2],
        step: f64,
        n: i32,
        allowed: &dyn Fn([f64; 2]) -> bool,
    ) -> [f64; 2] {
        let values = self.around(centre, step, n);
        let place = |(r, c): (usize, usize)| {
            [
                centre[0] + step * (r as f64 - f64::from(n)),
                centre[1] + step * (c as f64 - f64::from(n)),
            ]
        };
        let mut best = (centre, f32::NEG_INFINITY);
        for (at, &value) in values.indexed_iter() {
            if value > best.1 && allowed(place(at)) {
                best = (place(at), value);
            }
        }
        best.0
    }

    /// The top of the parabolas through the values at `place` and a `step` to either side.
    fn parabola(&self, place: [f64; 2], step: f64) -> [f64; 2] {
        let values = self.around(place, step, 1).mapv(f64::from);
        let top = |before: f64, here: f64, after: f64| {
            let bend = before - 2.0 * here + after;
            if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-1.0, 1.0) } else { 0.0 }
        };
        [
            place[0] + step * top(values[(0, 1)], values[(1, 1)], values[(2, 1)]),
            place[1] + step * top(values[(1, 0)], values[(1, 1)], values[(1, 2)]),
        ]
    }
}

/// `exp(2 pi i k x)` of the frequencies `k` of `size` values at the places `x`.
fn phases(size: usize, centre: f64, step: f64, n: i32) -> Vec<Vec<Complex32>> {
    let frequency = |k: usize| {
        let signed = if 2 * k > size { k as f64 - size as f64 } else { k as f64 };
        std::f64::consts::TAU * signed / size as f64
    };
    let at = |place: f64| {
        let phase = |k: usize| {
            let (sin, cos) = (frequency(k) * place).sin_cos();
            Complex32::new(cos as f32, sin as f32)
        };
        (0..size).map(phase).collect()
    };
    (-n..=n).map(|i| at(centre + step * f64::from(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_spot_is_found_where_it_was_moved_to() {
        let spot = |row: f64, col: f64| {
            Array2::from_shape_fn((48, 63), |(r, c)| {
                let squared = (r as f64 - row).powi(2) + (c as f64 - col).powi(2);
                (-squared / 18.0).exp() as f32
            })
        };
        let fourier = Fourier::new((48, 63));
        for moved in [[0.0, 0.0], [3.3, -4.61], [-0.127, 0.5]] {
            let (one, other) = (spot(24.0 + moved[0], 30.0 + moved[1]), spot(24.0, 30.0));
            let found = fourier.cross(one.view(), other.view()).peak([0.0, 0.0], 8.0);
            let off = (found[0] - moved[0]).hypot(found[1] - moved[1]);
            assert!(off < 2e-3, "{moved:?}: {found:?}");
        }
    }
}
