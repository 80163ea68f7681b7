//! Where the boundary is, frame by frame: an independent look at how fast it moves.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::Serialize;

use crate::bump::bump;
use crate::film::Film;
use crate::weak::{columns_by, rows_by};

/// Share of the lines of an image that the boundary must cross just once.
const CROSSED: f64 = 0.3;

/// Along what a boundary's place is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Along {
    /// Columns: mean over rows.
    X,
    /// Rows: mean over columns.
    Y,
    /// Neither: the side of a square as large as what lies above the level.
    Area,
}

/// The place of the boundary in each frame, px.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Front {
    /// Along what it is measured.
    pub along: Along,
    /// Place in each frame, px; none where it cannot be told.
    pub places: Vec<Option<f64>>,
    /// Speed, px a frame: slope of the line through the places.
    pub speed: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

/// The value half-way between what is low and what is high.
pub(crate) fn level(film: &Film) -> f64 {
    let [frames, ..] = film.dim();
    let mut values: Vec<f32> = Vec::new();
    for frame in [0, frames / 2, frames - 1] {
        values.extend(film.frame(frame).iter());
    }
    values.sort_by(f32::total_cmp);
    let at = |share: f64| f64::from(values[((values.len() - 1) as f64 * share) as usize]);
    0.5 * (at(0.02) + at(0.98))
}

/// Follows the boundary at `level` through the images `[rows, columns]` of a film, each smoothed
/// over `half` px to both sides.
pub(crate) fn follow<'a>(
    frames: usize,
    image: impl Fn(usize) -> ArrayView2<'a, f32> + Sync,
    level: f64,
    half: usize,
) -> Option<Front> {
    let smooth: Vec<Array2<f64>> =
        (0..frames).into_par_iter().map(|frame| smoothed(image(frame), half)).collect();
    let (rows, cols) = smooth.first()?.dim();
    let across = |along: Along, count: usize| {
        let line = |frame: usize, number: usize| match along {
            Along::X => crossing(smooth[frame].row(number).iter().copied(), level),
            _ => crossing(smooth[frame].column(number).iter().copied(), level),
        };
        // Lines that are crossed once, always in one direction.
        let whole: Vec<usize> = (0..count)
            .filter(|&number| {
                let first = line(0, number).map(|(_, falls)| falls);
                first.is_some()
                    && (1..frames).all(|frame| line(frame, number).map(|(_, falls)| falls) == first)
            })
            .collect();
        let enough = whole.len() as f64 >= CROSSED * count as f64 && !whole.is_empty();
        enough.then(|| {
            let mean = |frame: usize| {
                let sum: f64 = whole.iter().filter_map(|&n| line(frame, n)).map(|(at, _)| at).sum();
                Some(sum / whole.len() as f64)
            };
            (along, whole.len(), (0..frames).map(mean).collect::<Vec<_>>())
        })
    };
    let by_rows = across(Along::X, rows);
    let by_cols = if rows > 1 { across(Along::Y, cols) } else { None };
    let best = match (by_rows, by_cols) {
        // The one that more of its lines see; where both see all, the columns.
        (Some(x), Some(y)) if y.1 * rows > x.1 * cols => Some(y),
        (Some(x), _) => Some(x),
        (None, y) => y,
    };
    let (along, places) = match best {
        Some((along, _, places)) => (along, places),
        None => {
            let side = |image: &Array2<f64>| {
                let above = image.iter().filter(|value| **value > level).count();
                Some((above as f64).sqrt())
            };
            (Along::Area, smooth.iter().map(side).collect())
        }
    };
    let (speed, deviation) = slope(&places)?;
    Some(Front { along, places, speed, deviation })
}

/// `image` under a bump of half width `half`.
pub(crate) fn smoothed(image: ArrayView2<'_, f32>, half: usize) -> Array2<f64> {
    let (rows, cols) = image.dim();
    let values: Vec<f64> = image.iter().map(|&value| f64::from(value)).collect();
    let [kernel, ..] = bump(half);
    let along = rows_by(&values, cols, &kernel);
    let both = if rows > 1 { columns_by(&along, cols, &kernel) } else { along };
    Array2::from_shape_vec((rows, cols), both).unwrap_or_else(|_| Array2::zeros((rows, cols)))
}

/// Where a line crosses `level`, if it does so once, and whether it falls there.
fn crossing(line: impl Iterator<Item = f64>, level: f64) -> Option<(f64, bool)> {
    let mut found = None;
    let mut before: Option<f64> = None;
    for (at, value) in line.enumerate() {
        if let Some(before) = before
            && (before >= level) != (value >= level)
        {
            if found.is_some() {
                return None;
            }
            let place = at as f64 - 1.0 + (before - level) / (before - value);
            found = Some((place, before >= level));
        }
        before = Some(value);
    }
    found
}

/// Slope of the line through the places by least squares, with its standard deviation.
fn slope(places: &[Option<f64>]) -> Option<(f64, f64)> {
    let known: Vec<(f64, f64)> =
        places.iter().enumerate().filter_map(|(t, place)| Some((t as f64, (*place)?))).collect();
    if known.len() < 3 {
        return None;
    }
    let count = known.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| known.iter().map(of).sum::<f64>() / count;
    let (time, place) = (mean(&|k| k.0), mean(&|k| k.1));
    let spread = mean(&|k| (k.0 - time).powi(2));
    let speed = mean(&|k| (k.0 - time) * (k.1 - place)) / spread;
    let rest = mean(&|k| (k.1 - place - speed * (k.0 - time)).powi(2));
    Some((speed, (rest / spread / (count - 2.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase_field::{Equation, Settings, simulate};

    fn of(settings: &Settings) -> Front {
        let film = Film::new(simulate(settings).unwrap(), None).unwrap();
        follow(settings.frames, |frame| film.frame(frame), level(&film), 3).unwrap()
    }

    #[test]
    fn a_carried_boundary_has_its_speed() {
        let front = of(&Settings::new(Equation::Advection { x: 1.25, y: 0.0 }));
        assert_eq!(front.along, Along::X);
        assert!((front.speed - 1.25).abs() < 1e-3, "{}", front.speed);
    }

    #[test]
    fn the_side_of_a_shrinking_disc_shrinks() {
        let front = of(&Settings::new(Equation::Curvature { mobility: 2.0 }));
        assert_eq!(front.along, Along::Area);
        // The area falls by 2 pi times the mobility in a frame, the side by half of that over itself.
        let side = front.places[20].unwrap();
        let right = -2.0 * std::f64::consts::PI / side;
        assert!((front.speed / right - 1.0).abs() < 0.05, "{} for {right}", front.speed);
    }

    #[test]
    fn a_line_that_is_crossed_twice_tells_nothing() {
        assert_eq!(crossing([1.0, 0.0, 0.0].into_iter(), 0.5), Some((0.5, true)));
        assert_eq!(crossing([1.0, 0.0, 1.0].into_iter(), 0.5), None);
        assert_eq!(crossing([0.0, 0.2, 0.1].into_iter(), 0.5), None);
    }

    #[test]
    fn a_slope_has_the_deviation_of_its_residuals() {
        let exact: Vec<Option<f64>> = (0..9).map(|t| Some(2.0 - 0.5 * f64::from(t))).collect();
        let (speed, deviation) = slope(&exact).unwrap();
        assert!((speed + 0.5).abs() < 1e-14 && deviation < 1e-12);
        assert!(slope(&[Some(1.0), None, Some(2.0)]).is_none());
    }
}
