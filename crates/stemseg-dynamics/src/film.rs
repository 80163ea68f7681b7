//! A film as it is looked at: values between 0 and 1, some of them absent.

use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::{Error, LEAST_FRAMES, Result};

/// Least pixels along an axis.
const LEAST_PIXELS: usize = 16;
/// Most whole numbers that are taken for labels.
const MOST_LABELS: usize = 256;

/// A film `Phi(t, row, column)`, or `u(t, x)` as a film of one row.
#[derive(Debug, Clone)]
pub struct Film {
    /// `[frames, rows, columns]`, finite.
    values: Array3<f32>,
    /// Which values the film does not have; they hold a neighbour's.
    absent: Option<Array3<bool>>,
    labels: bool,
    notes: Vec<String>,
}

impl Film {
    /// A film `[frames, rows, columns]`. Values that are not finite are absent. Whole numbers are
    /// taken for labels: `label`, or else the one whose area changes most, becomes 1, others
    /// become 0, and where there are others than 0 and 1, 0 is absent (unlabelled).
    ///
    /// # Errors
    /// [`Error::Film`] for less than 5 frames or 16 pixels along an axis, and where all values are
    /// absent; [`Error::Parameter`] for a label that is not there.
    pub fn new(values: Array3<f32>, label: Option<u16>) -> Result<Self> {
        let (frames, rows, cols) = values.dim();
        if frames < LEAST_FRAMES {
            return Err(Error::Film(format!(
                "the film has {frames} frames; {LEAST_FRAMES} or more are needed to find how it moves"
            )));
        }
        if cols < LEAST_PIXELS || (rows != 1 && rows < LEAST_PIXELS) {
            return Err(Error::Film(format!(
                "a frame of the film has {rows}x{cols} px; give {LEAST_PIXELS} px or more along each axis"
            )));
        }
        let mut film = Self { values, absent: None, labels: false, notes: Vec::new() };
        film.read_labels(label)?;
        film.leave_out()?;
        if !film.labels {
            film.check_range();
        }
        Ok(film)
    }

    /// A film `[frames, columns]` of a line.
    ///
    /// # Errors
    /// As [`Film::new`].
    pub fn of_line(values: Array2<f32>, label: Option<u16>) -> Result<Self> {
        Self::new(values.insert_axis(Axis(1)), label)
    }

    /// Whole numbers become 0 and 1.
    fn read_labels(&mut self, label: Option<u16>) -> Result<()> {
        let Some(all) = whole_numbers(&self.values) else {
            return match label {
                None => Ok(()),
                Some(label) => Err(Error::parameter(
                    "label",
                    label,
                    "the film holds no labels, but values between; leave it out",
                )),
            };
        };
        self.labels = true;
        if let Some(label) = label
            && !all.contains(&label)
        {
            let most = all.iter().max().copied().unwrap_or(0);
            return Err(Error::parameter(
                "label",
                label,
                format!("no pixel of the film has it; the largest is {most}"),
            ));
        }
        if all.iter().all(|&number| number <= 1) && label.is_none_or(|label| label == 1) {
            self.notes.push("the film holds labels; they are taken as 0 and 1".into());
            return Ok(());
        }
        let taken = label.unwrap_or_else(|| self.most_changing(&all));
        let unlabelled = all.iter().any(|&number| number > 1);
        let (one, nothing) = (f32::from(taken), unlabelled && taken != 0);
        self.values.mapv_inplace(|value| match value {
            value if value == one => 1.0,
            value if nothing && value == 0.0 => f32::NAN,
            value if value.is_finite() => 0.0,
            _ => f32::NAN,
        });
        self.notes.push(format!(
            "the film holds labels; label {taken} is taken as 1 and the others as 0"
        ));
        Ok(())
    }

    /// The label above 0 whose area differs most between the first and the last third.
    fn most_changing(&self, labels: &[u16]) -> u16 {
        let frames = self.values.len_of(Axis(0));
        let third = (frames / 3).max(1);
        let share = |frames: std::ops::Range<usize>, label: u16| {
            let part = self.values.slice(ndarray::s![frames, .., ..]);
            part.iter().filter(|value| **value == f32::from(label)).count() as i64
        };
        let change =
            |&&label: &&u16| (share(frames - third..frames, label) - share(0..third, label)).abs();
        labels.iter().filter(|&&label| label > 0).rev().max_by_key(change).copied().unwrap_or(1)
    }

    /// Marks what is not finite, and fills it by the nearest value before it in its row.
    fn leave_out(&mut self) -> Result<()> {
        let count = self.values.iter().filter(|value| !value.is_finite()).count();
        if count == 0 {
            return Ok(());
        }
        if count == self.values.len() {
            return Err(Error::Film("no value of the film is finite".into()));
        }
        self.absent = Some(self.values.mapv(|value| !value.is_finite()));
        for mut row in self.values.rows_mut() {
            let first = row.iter().copied().find(|value| value.is_finite());
            let mut last = first.unwrap_or(0.0);
            for value in &mut row {
                match value.is_finite() {
                    true => last = *value,
                    false => *value = last,
                }
            }
        }
        let share = 100.0 * count as f64 / self.values.len() as f64;
        self.notes.push(format!("{share:.2} % of the values are not finite; they are left out"));
        Ok(())
    }

    fn check_range(&mut self) {
        let (low, high) = self.range();
        if low < 0.0 || high > 1.0 {
            self.notes.push(format!(
                "values reach from {low:.3} to {high:.3}; memberships lie within 0 and 1, and coefficients of \
                 powers of Phi depend on that"
            ));
        }
    }

    /// Smallest and largest value.
    pub fn range(&self) -> (f32, f32) {
        let fold = |(low, high): (f32, f32), &value: &f32| (low.min(value), high.max(value));
        self.values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), fold)
    }

    /// `[frames, rows, columns]`.
    pub fn dim(&self) -> [usize; 3] {
        let (frames, rows, cols) = self.values.dim();
        [frames, rows, cols]
    }

    /// Whether it has a single row: `u(t, x)`.
    pub fn is_line(&self) -> bool {
        self.values.len_of(Axis(1)) == 1
    }

    /// Whether it was labels.
    pub fn was_labels(&self) -> bool {
        self.labels
    }

    /// What a user should know of it.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Values of frame `frame`, `[rows, columns]`; absent ones hold a neighbour's.
    pub fn frame(&self, frame: usize) -> ArrayView2<'_, f32> {
        self.values.index_axis(Axis(0), frame)
    }

    /// Which pixels of frame `frame` are absent.
    pub(crate) fn absent(&self, frame: usize) -> Option<ArrayView2<'_, bool>> {
        self.absent.as_ref().map(|absent| absent.index_axis(Axis(0), frame))
    }
}

/// The whole numbers that occur, where there is nothing else, sorted.
fn whole_numbers(values: &Array3<f32>) -> Option<Vec<u16>> {
    let mut seen = vec![false; 1 << 16];
    let mut count = 0;
    for &value in values.iter().filter(|value| value.is_finite()) {
        if value.fract() != 0.0 || !(0.0..=65535.0).contains(&value) {
            return None;
        }
        let seen = &mut seen[value as usize];
        count += usize::from(!*seen);
        *seen = true;
        if count > MOST_LABELS {
            return None;
        }
    }
    let all = seen.iter().enumerate().filter(|(_, seen)| **seen).map(|(label, _)| label as u16);
    // One value alone says nothing of what the others would be.
    (count > 1).then(|| all.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;

    fn ramp(frames: usize) -> Array3<f32> {
        Array3::from_shape_fn((frames, 16, 20), |(t, _, c)| (c as f32 / 40.0) + 0.01 * t as f32)
    }

    #[test]
    fn few_frames_and_few_pixels_are_refused() {
        let error = Film::new(ramp(4), None).unwrap_err().to_string();
        assert_eq!(error, "the film has 4 frames; 5 or more are needed to find how it moves");
        let error = Film::new(ramp(6).slice(s![.., ..8, ..]).to_owned(), None).unwrap_err();
        assert!(error.to_string().contains("8x20 px; give 16 px or more"), "{error}");
        assert!(Film::new(ramp(5), None).is_ok());
        let nothing = Array3::from_elem((5, 16, 16), f32::NAN);
        assert!(Film::new(nothing, None).unwrap_err().to_string().contains("no value"));
    }

    #[test]
    fn what_is_not_finite_is_absent_and_filled() {
        let mut values = ramp(5);
        values[(2, 3, 0)] = f32::NAN;
        values[(2, 3, 5)] = f32::INFINITY;
        let film = Film::new(values.clone(), None).unwrap();
        assert_eq!(film.frame(2)[(3, 0)], values[(2, 3, 1)]);
        assert_eq!(film.frame(2)[(3, 5)], values[(2, 3, 4)]);
        assert!(film.absent(2).unwrap()[(3, 5)] && !film.absent(2).unwrap()[(3, 6)]);
        assert!(
            film.notes()[0].contains("0.12 % of the values are not finite"),
            "{:?}",
            film.notes()
        );
    }

    #[test]
    fn values_beyond_0_and_1_are_told_of() {
        let film = Film::new(ramp(5).mapv(|v| 3.0 * v - 0.2), None).unwrap();
        assert!(film.notes()[0].contains("values reach from -0.200"), "{:?}", film.notes());
        assert!(Film::new(ramp(5), None).unwrap().notes().is_empty());
    }

    #[test]
    fn labels_become_0_and_1() {
        let front = |t: usize, c: usize| u8::from(c < 5 + t);
        let of = |map: &dyn Fn(u8) -> f32| {
            Array3::from_shape_fn((6, 16, 20), |(t, _, c)| map(front(t, c)))
        };
        let film = Film::new(of(&f32::from), None).unwrap();
        assert!(film.was_labels() && film.notes()[0].contains("taken as 0 and 1"));
        // Label 2 grows; 0 is unlabelled.
        let mut values = of(&|inside| 1.0 + f32::from(inside));
        values[(0, 0, 0)] = 0.0;
        let film = Film::new(values.clone(), Some(2)).unwrap();
        assert_eq!((film.frame(5)[(0, 9)], film.frame(5)[(0, 10)]), (1.0, 0.0));
        assert!(film.absent(0).unwrap()[(0, 0)]);
        assert!(film.notes()[0].contains("label 2 is taken as 1"), "{:?}", film.notes());
        let film = Film::new(values.clone(), Some(1)).unwrap();
        assert_eq!((film.frame(5)[(0, 9)], film.frame(5)[(0, 10)]), (0.0, 1.0));
        let error = Film::new(values, Some(7)).unwrap_err().to_string();
        assert_eq!(error, "label = 7: no pixel of the film has it; the largest is 2");
        assert!(Film::new(ramp(5), Some(1)).unwrap_err().to_string().contains("holds no labels"));
    }

    #[test]
    fn of_several_labels_that_which_changes_most_is_taken() {
        let values = Array3::from_shape_fn((6, 16, 20), |(t, _, c)| match c {
            c if c < 3 => 1.0,
            c if c < 6 + t => 2.0,
            c if c < 15 - t / 4 => 3.0,
            _ => 4.0,
        });
        let film = Film::new(values, None).unwrap();
        let taken = film.frame(0).iter().filter(|v| **v == 1.0).count();
        assert_eq!(taken, 9 * 16);
    }
}
