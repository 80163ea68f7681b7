//! Maps: one value for each site, in the colours of viridis.

mod sheet;

use ndarray::{Array2, ArrayView2, s};

use crate::number;
use stemseg::maps::channels::ChannelMap;
use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::plan::Reduce;

pub use sheet::{Sheet, sheet};

/// Longest side of a map, in values; more sites are averaged in blocks.
const LONGEST: usize = 320;

/// Features that are shown, at most.
const MOST_FEATURES: usize = 12;

/// Values on a grid with a title and the range that their colours span.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// What is shown.
    pub title: String,
    /// `[rows, cols]`; NaN where there is none.
    pub values: Array2<f32>,
    /// Values of the first and the last colour; those beyond take the same.
    pub range: [f32; 2],
}

impl Map {
    /// A map of `values` `[rows, cols]` (NaN where there is none), reduced where they
    /// are many. Colours span the 1 and 99 percentiles.
    pub fn new(title: impl Into<String>, values: ArrayView2<'_, f32>) -> Self {
        let values = reduced(values);
        let range = range(&values);
        Self { title: title.into(), values, range }
    }

    /// Colour of each value as an index of [`palette`], row by row.
    pub(super) fn indices(&self) -> Vec<u8> {
        let [low, high] = self.range;
        let index = |&value: &f32| match value.is_nan() {
            true => 0,
            false if low >= high => 128,
            false => 1 + (254.0 * ((value - low) / (high - low)).clamp(0.0, 1.0)).round() as u8,
        };
        self.values.iter().map(index).collect()
    }
}

/// White for what has no value, then 255 colours from low to high: viridis, whose
/// steps look equal to everyone and in grey.
pub(super) fn palette() -> Vec<[u8; 3]> {
    let colour = |index: usize| match index.checked_sub(1) {
        None => [255; 3],
        Some(step) => colorous::VIRIDIS.eval_rational(step, 255).as_array(),
    };
    (0..256).map(colour).collect()
}

/// How sure the label of each site is, from 0 to 1.
pub fn confidence(found: &Segmentation, patterns: &Patterns) -> Map {
    let mut map = Map::new("confidence of the sites", sites(found, patterns).view());
    map.range = [0.0, 1.0];
    map
}

/// Membership of each site, `[rows, cols]`; NaN where it is masked.
fn sites(found: &Segmentation, patterns: &Patterns) -> Array2<f32> {
    let mut memberships = patterns.memberships.iter();
    let count = found.plan.sites().grid().count;
    let mut value = |site| match found.plan.sites().is_active(site) {
        true => memberships.next().copied().unwrap_or(f32::NAN),
        false => f32::NAN,
    };
    let values = (0..count.area()).map(&mut value).collect();
    Array2::from_shape_vec((count.rows, count.cols), values).expect("one value for each site")
}

/// The features of `found` at its sites, with the variance that each explains.
pub fn features(found: &Segmentation) -> Vec<Map> {
    let (count, report) = (found.plan.sites().grid().count, &found.pca.report);
    let names = report.skipped.then(|| found.plan.channel_names());
    let map = |feature: usize| {
        let share = 100.0 * report.explained_variance_ratio[feature];
        let of = match found.plan.params().reduce {
            Reduce::Pca => "of the variance",
            Reduce::Maf => "of what is smooth",
        };
        let title = match &names {
            Some(names) => names[feature].clone(),
            None => format!("feature {}: {share:.1} % {of}", feature + 1),
        };
        let column = found.features.column(feature);
        let mut values = column.to_owned();
        for (site, value) in values.iter_mut().enumerate() {
            *value = if found.plan.sites().is_active(site) { *value } else { f32::NAN };
        }
        let values = values.to_shape((count.rows, count.cols)).expect("one value for each site");
        Map::new(title, values.view())
    };
    (0..found.features.ncols().min(MOST_FEATURES)).map(map).collect()
}

/// Channels as they were mapped, with the separability of each of all channels `[D]`.
pub fn channels(
    maps: &[ChannelMap],
    names: &[String],
    separability: ndarray::ArrayView1<'_, f64>,
) -> Vec<Map> {
    let map = |map: &ChannelMap| {
        let value = number::significant(separability[map.channel], 3);
        let name = number::minus(&names[map.channel]);
        Map::new(format!("{name}: separability {value}"), map.values.view())
    };
    maps.iter().map(map).collect()
}

/// Means of square blocks, so that neither side is longer than [`LONGEST`].
fn reduced(values: ArrayView2<'_, f32>) -> Array2<f32> {
    let (rows, cols) = values.dim();
    let factor = rows.max(cols).div_ceil(LONGEST).max(1);
    if factor == 1 {
        return values.to_owned();
    }
    Array2::from_shape_fn((rows.div_ceil(factor), cols.div_ceil(factor)), |(r, c)| {
        let along = |first: usize, size: usize| first * factor..size.min((first + 1) * factor);
        let block = values.slice(s![along(r, rows), along(c, cols)]);
        let there = block.iter().filter(|v| !v.is_nan());
        let (sum, count) = there.fold((0.0, 0_u32), |(sum, n), &v| (sum + f64::from(v), n + 1));
        (sum / f64::from(count)) as f32
    })
}

/// The 1 and 99 percentiles of what is no NaN; 0 and 0 where there is nothing.
fn range(values: &Array2<f32>) -> [f32; 2] {
    let mut values: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let Some(last) = values.len().checked_sub(1) else { return [0.0; 2] };
    let mut at = |share: f64| {
        *values.select_nth_unstable_by((share * last as f64).round() as usize, f32::total_cmp).1
    };
    [at(0.01), at(0.99)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_span_the_percentiles() {
        let mut values = Array2::from_shape_fn((50, 40), |(r, c)| (40 * r + c) as f32);
        values[(0, 0)] = -1e9;
        values[(1, 1)] = f32::NAN;
        let map = Map::new("a ramp", values.view());
        assert!((map.range[0] - 20.0).abs() < 2.0 && (map.range[1] - 1979.0).abs() < 2.0);
        let indices = map.indices();
        assert_eq!((indices[0], indices[41], indices[1999]), (1, 0, 255));
        assert!(indices[1000].abs_diff(128) <= 1);
    }

    #[test]
    fn constant_and_missing_values_have_a_colour() {
        let constant = Map::new("", Array2::from_elem((3, 3), 0.5).view());
        assert_eq!(constant.indices(), [128; 9]);
        let nothing = Map::new("", Array2::from_elem((3, 3), f32::NAN).view());
        assert_eq!((nothing.indices(), nothing.range), (vec![0; 9], [0.0; 2]));
    }

    #[test]
    fn many_sites_are_averaged() {
        let mut values = Array2::from_elem((2, 641), 1.0_f32);
        values[(0, 0)] = 5.0;
        values[(1, 0)] = f32::NAN;
        let map = Map::new("", values.view());
        assert_eq!(map.values.dim(), (1, 214));
        assert!((map.values[(0, 0)] - 9.0 / 5.0).abs() < 1e-6, "five values of which one is 5");
        assert_eq!(map.values[(0, 213)], 1.0);
        let few = Map::new("", Array2::zeros((320, 7)).view());
        assert_eq!(few.values.dim(), (320, 7));
    }

    #[test]
    fn the_colours_grow_lighter() {
        let lightness = |c: &[u8; 3]| 2 * u32::from(c[0]) + 7 * u32::from(c[1]) + u32::from(c[2]);
        let palette = palette();
        assert_eq!((palette.len(), palette[0]), (256, [255; 3]));
        assert!(palette[1..].windows(2).all(|pair| lightness(&pair[0]) <= lightness(&pair[1]) + 3));
        assert_eq!((palette[1], palette[255]), ([68, 1, 84], [253, 231, 37]));
    }
}
