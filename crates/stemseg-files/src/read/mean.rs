//! The mean over the frames of a stack: at each pixel of those that have a value there.

use ndarray::{Array2, Zip};

/// Sums of frames, without the pixels that are NaN or infinite.
pub(super) struct Mean {
    sums: Array2<f64>,
    frames: u32,
    /// Of each pixel how many frames have no value there; nothing while all have.
    missing: Option<Array2<u32>>,
}

/// Pixels that not every frame has a value of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// How many some frames have.
    pub(super) some: usize,
    /// How many no frame has.
    pub(super) all: usize,
}

impl Mean {
    /// Of no frames yet, `[rows, cols]` px each.
    pub(super) fn new(shape: (usize, usize)) -> Self {
        Self { sums: Array2::zeros(shape), frames: 0, missing: None }
    }

    /// Takes one frame more, unless it has another size.
    pub(super) fn add(&mut self, frame: &Array2<f64>) -> Option<()> {
        if frame.dim() != self.sums.dim() {
            return None;
        }
        self.frames += 1;
        if self.missing.is_none() && frame.iter().all(|v| v.is_finite()) {
            self.sums += frame;
            return Some(());
        }
        let missing = self.missing.get_or_insert_with(|| Array2::zeros(frame.dim()));
        Zip::from(&mut self.sums).and(missing).and(frame).for_each(|sum, missing, &v| {
            match v.is_finite() {
                true => *sum += v,
                false => *missing += 1,
            }
        });
        Some(())
    }

    /// The mean, NaN where no frame has a value.
    pub(super) fn finish(self) -> (Array2<f64>, Gaps) {
        let (mut mean, frames, mut gaps) = (self.sums, f64::from(self.frames), Gaps::default());
        match self.missing {
            None => mean /= frames,
            Some(missing) => Zip::from(&mut mean).and(&missing).for_each(|sum, &missing| {
                let there = frames - f64::from(missing);
                *sum = if there > 0.0 { *sum / there } else { f64::NAN };
                gaps.some += usize::from(missing > 0 && there > 0.0);
                gaps.all += usize::from(there == 0.0);
            }),
        }
        (mean, gaps)
    }
}

impl Gaps {
    /// The mean of those of `values` that are finite, NaN where none is, counted.
    pub(super) fn mean<'v>(&mut self, values: impl Iterator<Item = &'v f64>) -> f64 {
        let add = |(sum, there, all): (f64, usize, usize), v: &f64| match v.is_finite() {
            true => (sum + v, there + 1, all + 1),
            false => (sum, there, all + 1),
        };
        let (sum, there, all) = values.fold((0.0, 0, 0), add);
        self.some += usize::from(0 < there && there < all);
        self.all += usize::from(there == 0);
        if there == 0 { f64::NAN } else { sum / there as f64 }
    }

    /// What is to be said of them, if there are any.
    pub(super) fn note(self) -> Option<String> {
        (self != Self::default()).then(|| {
            format!(
                "not every frame has a value (NaN) everywhere: {} pixels are the mean of those that have \
                 one, {} have none",
                self.some, self.all
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_mean_is_that_of_the_frames_with_a_value() {
        let nan = f64::NAN;
        let frames =
            [array![[1.0, 2.0, nan]], array![[3.0, nan, nan]], array![[8.0, 6.0, f64::INFINITY]]];
        let mut mean = Mean::new((1, 3));
        frames.iter().for_each(|frame| mean.add(frame).unwrap());
        assert_eq!(mean.add(&array![[1.0]]), None);
        let (mean, gaps) = mean.finish();
        assert_eq!((mean[(0, 0)], mean[(0, 1)]), (4.0, 4.0));
        assert!(mean[(0, 2)].is_nan());
        assert_eq!(gaps, Gaps { some: 1, all: 1 });
        // The same, pixel by pixel.
        let mut counted = Gaps::default();
        let column = |col: usize| frames.iter().map(move |frame| &frame[(0, col)]);
        let means = [0, 1, 2].map(|col| counted.mean(column(col)));
        assert_eq!((means[0], means[1], means[2].is_nan()), (4.0, 4.0, true));
        assert_eq!(counted, gaps);
        assert_eq!(Gaps::default().note(), None);
    }
}
