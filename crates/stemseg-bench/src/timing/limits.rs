//! What the processor and its memory can do, measured.

use std::hint::black_box;
use std::time::{Duration, Instant};

use multiversion::multiversion;
use rayon::prelude::*;
use serde::Serialize;

use stemseg::Result;
use stemseg::progress::Progress;

/// Upper limits of this machine, all threads together: the best of several
/// attempts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// Multiply-adds in f32 out of registers, each counted as two operations,
    /// 1e9 per s.
    pub gflops: f64,
    /// Bytes that are read and written in copying between buffers larger than
    /// any cache, 1e9 per s.
    pub copy_gigabytes_per_s: f64,
}

/// Attempts, of which the best counts.
const ATTEMPTS: usize = 12;
/// Multiply-adds of one accumulator in one attempt: a ms or two
/// where they stay in registers.
const ROUNDS: usize = 1 << 18;
/// Values of each of the two buffers: 128 MiB.
const BUFFER: usize = 32 << 20;
/// Values that one task copies.
const PIECE: usize = 1 << 18;

impl Limits {
    /// Measures them, in about half a second.
    ///
    /// # Errors
    /// [`Error::Interrupted`](stemseg::Error::Interrupted).
    pub fn measure(progress: &dyn Progress) -> Result<Self> {
        let flops = best(progress, |attempt| {
            let add = |_: rayon::BroadcastContext<'_>| {
                multiply_add(attempt % SHAPES, ROUNDS, black_box(0.5))
            };
            rayon::broadcast(add).iter().sum::<usize>() as f64
        })?;
        let source = vec![1.0_f32; BUFFER];
        let mut target = vec![0.0_f32; BUFFER];
        let bytes = best(progress, |_| {
            target
                .par_chunks_mut(PIECE)
                .zip(source.par_chunks(PIECE))
                .for_each(|(target, source)| target.copy_from_slice(source));
            black_box(&mut target);
            (2 * size_of_val(&source[..])) as f64
        })?;
        Ok(Self { gflops: flops / 1e9, copy_gigabytes_per_s: bytes / 1e9 })
    }
}

/// Most of `work` per second over all attempts; it says how much it did.
fn best(progress: &dyn Progress, mut work: impl FnMut(usize) -> f64) -> Result<f64> {
    let mut best = 0.0_f64;
    for attempt in 0..ATTEMPTS {
        progress.check()?;
        let begun = Instant::now();
        let done = work(attempt);
        let time = begun.elapsed().max(Duration::from_nanos(1));
        best = best.max(done / time.as_secs_f64());
    }
    Ok(best)
}

/// Shapes of [`multiply_add`].
const SHAPES: usize = 4;

/// Multiplies and adds in registers; returns the number of operations. Compilers
/// keep accumulators in registers for some shapes and in memory for others, which
/// is far slower; so there are several shapes, each enough to keep the units busy.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
fn multiply_add(shape: usize, rounds: usize, factor: f32) -> usize {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq" => match shape {
            0 => busy::<16, 10, true>(rounds, factor),
            1 => busy::<8, 20, true>(rounds, factor),
            2 => busy::<8, 16, true>(rounds, factor),
            _ => busy::<16, 12, true>(rounds, factor),
        },
        "x86_64+avx2+fma" => match shape {
            0 => busy::<8, 12, true>(rounds, factor),
            1 => busy::<8, 10, true>(rounds, factor),
            2 => busy::<8, 8, true>(rounds, factor),
            _ => busy::<4, 12, true>(rounds, factor),
        },
        "aarch64+neon" => match shape {
            0 => busy::<4, 16, true>(rounds, factor),
            1 => busy::<4, 20, true>(rounds, factor),
            2 => busy::<4, 24, true>(rounds, factor),
            _ => busy::<4, 12, true>(rounds, factor),
        },
        _ => match shape {
            0 => busy::<4, 12, false>(rounds, factor),
            1 => busy::<4, 10, false>(rounds, factor),
            2 => busy::<4, 8, false>(rounds, factor),
            _ => busy::<8, 8, false>(rounds, factor),
        },
    }
}

#[inline(always)]
fn busy<const LANES: usize, const SUMS: usize, const FUSED: bool>(
    rounds: usize,
    factor: f32,
) -> usize {
    // They stay about 1: neither overflow nor denormals slow anything down. The
    // compiler must not see that all are equal.
    let mut sums = black_box([[1.0_f32; LANES]; SUMS]);
    let term = 1.0 - factor;
    for _ in 0..rounds {
        for sum in &mut sums {
            for value in sum {
                *value = if FUSED { value.mul_add(factor, term) } else { *value * factor + term };
            }
        }
    }
    black_box(sums);
    2 * rounds * LANES * SUMS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_measured() {
        let limits = Limits::measure(&stemseg::Silent).unwrap();
        assert!(limits.gflops > 0.01 && limits.gflops < 1e6, "{limits:?}");
        assert!(limits.copy_gigabytes_per_s > 0.01, "{limits:?}");
    }
}
