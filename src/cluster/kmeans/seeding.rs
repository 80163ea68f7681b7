//! Where k-means starts: greedy k-means++ (Arthur & Vassilvitskii 2007, section
//! "greedy" of the extended version; the variant that scikit-learn uses).

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rayon::prelude::*;

use super::{CHUNK, Points};
use crate::Result;
use crate::progress::Progress;

/// `count` different rows of `points` `[N, q]` in their order, or nothing where
/// there are no more.
pub(super) fn subsample(
    points: ArrayView2<'_, f32>,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Array2<f32>> {
    let total = points.nrows();
    if total <= count {
        return None;
    }
    // Selection sampling (Knuth, TAOCP 3.4.2, algorithm S).
    let mut chosen = Vec::with_capacity(count);
    for i in 0..total {
        if uniform(rng) * (total - i) as f64 <= (count - chosen.len()) as f64
            && chosen.len() < count
        {
            chosen.push(i);
        }
    }
    Some(points.select(Axis(0), &chosen))
}

/// Centroids `[k, q]` to start from. The first is any point; each further one
/// is the best of `2 + ln k` points drawn with a chance proportional to their
/// squared distance from the nearest centroid so far.
pub(super) fn greedy_plus_plus(
    columns: &Columns,
    clusters: usize,
    rng: &mut ChaCha8Rng,
    progress: &dyn Progress,
) -> Result<Array2<f64>> {
    let total = columns.points;
    let trials = 2 + (clusters as f64).ln() as usize;
    let mut chosen = vec![((uniform(rng) * total as f64) as usize).min(total - 1)];
    let mut nearest = vec![f64::INFINITY; total];
    nearer(columns, chosen[0], &vec![f64::INFINITY; total], &mut nearest);
    // Two buffers change hands: fresh memory would cost more than the sums.
    let (mut trial, mut best) = (nearest.clone(), nearest.clone());
    while chosen.len() < clusters {
        progress.check()?;
        let draws: Vec<usize> = (0..trials).map(|_| draw(&nearest, rng)).collect();
        let mut least: Option<(f64, usize)> = None;
        for candidate in draws {
            nearer(columns, candidate, &nearest, &mut trial);
            let potential = ordered_sum(&trial);
            if least.is_none_or(|(least, _)| potential < least) {
                least = Some((potential, candidate));
                std::mem::swap(&mut trial, &mut best);
            }
        }
        if let Some((_, candidate)) = least {
            chosen.push(candidate);
            std::mem::swap(&mut nearest, &mut best);
        }
    }
    let features = columns.values.len();
    Ok(Array2::from_shape_fn((clusters, features), |(c, f)| columns.values[f][chosen[c]].into()))
}

/// Squared distance to the nearer of point `candidate` and what was nearest,
/// into `distances`.
fn nearer(columns: &Columns, candidate: usize, nearest: &[f64], distances: &mut [f64]) {
    let centre: Vec<f64> = columns.row(candidate);
    let chunks = distances.par_chunks_mut(CHUNK).zip(nearest.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(i, (distances, nearest))| {
        let at = i * CHUNK..i * CHUNK + distances.len();
        distances.fill(0.0);
        for (column, &centre) in columns.values.iter().zip(&centre) {
            add_squares(&column[at.clone()], centre, distances);
        }
        distances.iter_mut().zip(nearest).for_each(|(d, nearest)| *d = d.min(*nearest));
    });
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn add_squares(column: &[f32], centre: f64, distances: &mut [f64]) {
    for (distance, &v) in distances.iter_mut().zip(column) {
        let d = f64::from(v) - centre;
        *distance += d * d;
    }
}

/// Points by feature, `[q][N]`: for loops over points.
pub(super) struct Columns {
    values: Vec<Vec<f32>>,
    points: usize,
}

impl Columns {
    pub(super) fn new(points: Points<'_>) -> Self {
        let column = |f: usize| points.values.iter().skip(f).step_by(points.features).copied();
        let values = (0..points.features).into_par_iter().map(|f| column(f).collect()).collect();
        Self { values, points: points.len() }
    }

    fn row(&self, i: usize) -> Vec<f64> {
        self.values.iter().map(|column| column[i].into()).collect()
    }
}

/// A point drawn with a chance proportional to its weight.
fn draw(weights: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let sums: Vec<f64> = weights.par_chunks(CHUNK).map(|c| c.iter().sum()).collect();
    let mut rest = uniform(rng) * sums.iter().sum::<f64>();
    // The chunk in which the sum passes the target, then the point in it.
    let mut first = 0;
    for sum in &sums {
        if *sum > 0.0 && *sum >= rest {
            break;
        }
        rest -= sum;
        first += CHUNK;
    }
    let mut sum = 0.0;
    // Points of weight 0 are never drawn: the sum must pass the target.
    let passes = |w: &f64| {
        sum += w;
        *w > 0.0 && sum >= rest
    };
    let last = || weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
    let within = weights.get(first..).unwrap_or_default();
    within.iter().position(passes).map_or_else(last, |i| first + i)
}

/// A sum whose order does not depend on the number of threads.
fn ordered_sum(values: &[f64]) -> f64 {
    let partial: Vec<f64> = values.par_chunks(CHUNK).map(|c| c.iter().sum()).collect();
    partial.iter().sum()
}

pub(super) fn squared_distance(point: &[f32], centre: &[f64]) -> f64 {
    point.iter().zip(centre).map(|(&p, c)| (f64::from(p) - c).powi(2)).sum()
}

/// Uniform in [0, 1), 53 bits: the same on every platform.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (-53_f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn a_subsample_has_distinct_rows_in_order() {
        let points = Array2::from_shape_fn((1000, 1), |(i, _)| i as f32);
        let sample = subsample(points.view(), 100, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        assert_eq!(sample.nrows(), 100);
        assert!(sample.column(0).to_vec().is_sorted_by(|a, b| a < b));
        assert!(subsample(points.view(), 1000, &mut ChaCha8Rng::seed_from_u64(1)).is_none());
    }

    #[test]
    fn seeds_fall_into_separate_clusters() {
        let points = Array2::from_shape_fn((300, 2), |(i, d)| (i / 100 * 50 + i % 7 * d) as f32);
        let points = Points { values: points.as_slice().unwrap(), features: 2 };
        for seed in 0..20 {
            let seeds = greedy_plus_plus(
                &Columns::new(points),
                3,
                &mut ChaCha8Rng::seed_from_u64(seed),
                &Silent,
            )
            .unwrap();
            let mut which: Vec<i32> = seeds.column(0).iter().map(|v| (v / 50.0) as i32).collect();
            which.sort_unstable();
            assert_eq!(which, [0, 1, 2], "seed {seed}");
        }
    }

    #[test]
    fn points_of_no_weight_are_not_drawn() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..200 {
            assert_eq!(draw(&[0.0, 0.0, 2.0, 0.0], &mut rng), 2);
        }
    }
}
