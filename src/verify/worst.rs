//! The difference that is closest to its bound, or farthest beyond it.

use super::Stage;

/// Of many pairs of values, each with its bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worst {
    values: u64,
    /// Difference by bound; below 0 before the first pair.
    ratio: f64,
    difference: f64,
    bound: f64,
    pair: [f64; 2],
    /// Indices of the pair.
    at: (usize, usize),
}

impl Default for Worst {
    fn default() -> Self {
        let pair = [f64::NAN; 2];
        Self { values: 0, ratio: -1.0, difference: 0.0, bound: 0.0, pair, at: (0, 0) }
    }
}

impl Worst {
    /// Takes in a pair that may be `bound` apart; says whether it is the worst so far.
    pub(super) fn add(&mut self, pair: [f64; 2], bound: f64, at: (usize, usize)) -> bool {
        self.values += 1;
        let difference = (pair[0] - pair[1]).abs();
        let ratio = if difference == 0.0 { 0.0 } else { difference / bound };
        // A value or a bound that is not finite explains nothing.
        let finite = ratio.is_finite() && bound.is_finite();
        let (ratio, difference) =
            if finite { (ratio, difference) } else { (f64::INFINITY, difference) };
        if ratio <= self.ratio {
            return false;
        }
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        *self = Self { values: self.values, ratio, difference, bound, pair, at };
        true
    }

    /// The stage that this is the outcome of.
    pub(super) fn stage(
        &self,
        name: &'static str,
        reason: String,
        place: impl Fn((usize, usize)) -> String,
    ) -> Stage {
        Stage {
            name,
            values: self.values,
            worst: self.difference,
            place: place(self.at),
            pair: self.pair,
            bound: self.bound,
            reason,
            passed: self.ratio <= 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_the_share_of_the_bound() {
        let mut worst = Worst::default();
        assert!(worst.add([1.0, 1.5], 2.0, (0, 0)));
        assert!(worst.add([1.0, 1.1], 0.2, (0, 1)));
        assert!(!worst.add([4.0, 5.0], 3.0, (0, 2)));
        let stage = worst.stage("one", String::new(), |at| format!("{at:?}"));
        assert_eq!((stage.values, stage.bound, &*stage.place), (3, 0.2, "(0, 1)"));
        assert!(stage.passed);
        worst.add([1.0, 1.3], 0.2, (0, 3));
        assert!(!worst.stage("one", String::new(), |_| String::new()).passed);
    }

    #[test]
    fn what_is_not_finite_does_not_pass() {
        let pairs = [([f64::NAN, 0.0], 1.0), ([0.0, f64::INFINITY], 1.0), ([0.0, 0.1], f64::NAN)];
        for (pair, bound) in pairs {
            let mut worst = Worst::default();
            worst.add(pair, bound, (0, 0));
            assert!(!worst.stage("one", String::new(), |_| String::new()).passed, "{pair:?}");
        }
        let mut worst = Worst::default();
        worst.add([0.5, 0.5], 0.0, (0, 0));
        assert!(worst.stage("one", String::new(), |_| String::new()).passed, "equal");
    }
}
