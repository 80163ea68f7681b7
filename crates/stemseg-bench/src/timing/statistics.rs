//! What the times of one stage come to.

use std::time::Duration;

/// Of the times of all rounds, ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) median: f64,
    pub(super) min: f64,
    /// Mean absolute deviation from the median.
    pub(super) deviation: f64,
}

impl Statistics {
    /// Of `times`, at least one.
    pub(super) fn of(times: &[Duration]) -> Self {
        let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[half - 1] + sorted[half]) / 2.0,
            _ => sorted[half],
        };
        let deviations: f64 = sorted.iter().map(|time| (time - median).abs()).sum();
        Self { median, min: sorted[0], deviation: deviations / sorted.len() as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_odd_and_even_numbers() {
        let of = |ms: &[u64]| {
            Statistics::of(&ms.iter().copied().map(Duration::from_millis).collect::<Vec<_>>())
        };
        assert_eq!(of(&[9, 1, 2]), Statistics { median: 2.0, min: 1.0, deviation: 8.0 / 3.0 });
        assert_eq!(of(&[4, 2]), Statistics { median: 3.0, min: 2.0, deviation: 1.0 });
        assert_eq!(of(&[7]), Statistics { median: 7.0, min: 7.0, deviation: 0.0 });
    }
}
