//! Random numbers that are the same on every platform: integers from ChaCha,
//! everything else from `libm`, whose results do not depend on the machine.
//!
//! (`rand_distr` takes its functions from std wherever another crate switches
//! on num-traits' `std`, as here.)

use libm::{cos, exp, floor, lgamma, log, sqrt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a random number is for: each use has a stream of its own, so that a
/// change of one leaves the others.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    /// Where the phases lie and how they are turned.
    Geometry,
    /// Positions and weights of columns.
    Motif,
    /// Displacement of a row by the scan.
    Scan,
    /// Counts in the pixels of a row.
    Counts(usize),
}

/// A seeded source of random numbers.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(match stream {
            Stream::Geometry => 0,
            Stream::Motif => 1,
            Stream::Scan => 2,
            Stream::Counts(row) => 16 + row as u64,
        });
        Self(source)
    }

    /// Uniform in [0, 1), 53 bits.
    pub(super) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..count.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Mixes `values` (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }

    /// Normal, mean 0 and deviation 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = sqrt(-2.0 * log(1.0 - self.unit()));
        radius * cos(std::f64::consts::TAU * self.unit())
    }

    /// Poisson of mean `mean`.
    pub(super) fn poisson(&mut self, mean: f64) -> f64 {
        if mean < 10.0 { self.poisson_small(mean) } else { self.poisson_large(mean) }
    }

    /// By inversion: steps up the distribution function.
    fn poisson_small(&mut self, mean: f64) -> f64 {
        let mut rest = self.unit();
        let (mut count, mut chance) = (0.0, exp(-mean));
        // Rounding leaves up to 1e-15 over: the chance is then exhausted first.
        while rest >= chance && chance > 0.0 {
            rest -= chance;
            count += 1.0;
            chance *= mean / count;
        }
        count
    }

    /// Transformed rejection with a squeeze: algorithm PTRS of Hörmann, The
    /// transformed rejection method for generating Poisson random variables,
    /// Insurance: Mathematics and Economics 12 (1993) 39. Names as there.
    fn poisson_large(&mut self, mu: f64) -> f64 {
        let b = 0.931 + 2.53 * sqrt(mu);
        let a = -0.059 + 0.02483 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let squeeze = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.unit() - 0.5;
            let v = self.unit();
            let us = 0.5 - u.abs();
            let k = floor((2.0 * a / us + b) * u + mu + 0.43);
            if us >= 0.07 && v <= squeeze {
                return k;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let hat = log(v * inverse_alpha / (a / (us * us) + b));
            if hat <= k * log(mu) - mu - lgamma(k + 1.0) {
                return k;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean, variance and third central moment of `count` draws.
    fn moments(count: usize, mut draw: impl FnMut() -> f64) -> [f64; 3] {
        let values: Vec<f64> = (0..count).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / count as f64;
        let central = |n| values.iter().map(|v| (v - mean).powi(n)).sum::<f64>() / count as f64;
        [mean, central(2), central(3)]
    }

    #[test]
    fn poisson_has_all_three_moments_equal_to_its_mean() {
        let mut random = Random::new(5, Stream::Scan);
        for mean in [0.0, 0.3, 4.0, 9.9, 10.1, 60.0, 1e4] {
            let count = 200_000;
            let [first, second, third] = moments(count, || random.poisson(mean));
            let scale = 5.0 / (count as f64).sqrt();
            assert!((first - mean).abs() <= scale * mean.sqrt(), "{mean}: mean {first}");
            let error = scale * (2.0 * mean * mean + mean).sqrt();
            assert!((second - mean).abs() <= error, "{mean}: variance {second}");
            let error = scale * (15.0 * mean.powi(3) + 24.0 * mean * mean + mean).sqrt();
            assert!((third - mean).abs() <= error, "{mean}: third moment {third}");
        }
    }

    #[test]
    fn poisson_probabilities_are_right_on_both_sides_of_the_switch() {
        let mut random = Random::new(6, Stream::Scan);
        for mean in [9.99_f64, 10.01] {
            let mut counts = [0_u32; 40];
            (0..400_000).for_each(|_| counts[(random.poisson(mean) as usize).min(39)] += 1);
            let mut chance = (-mean).exp();
            for (k, &count) in counts.iter().enumerate().take(25) {
                let expected = 400_000.0 * chance;
                let error = 5.0 * expected.sqrt() + 3.0;
                assert!(
                    (f64::from(count) - expected).abs() < error,
                    "P({k}; {mean}): {count} for {expected}"
                );
                chance *= mean / (k + 1) as f64;
            }
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut random = Random::new(7, Stream::Motif);
        let [mean, variance, third] = moments(200_000, || random.normal());
        assert!(mean.abs() < 0.012 && (variance - 1.0).abs() < 0.016 && third.abs() < 0.045);
    }

    #[test]
    fn streams_differ() {
        let first = |stream| Random::new(0, stream).unit();
        let all =
            [Stream::Geometry, Stream::Motif, Stream::Scan, Stream::Counts(0), Stream::Counts(1)];
        let values = all.map(first);
        assert!((0..5).all(|i| !values[..i].contains(&values[i])), "{values:?}");
    }
}
