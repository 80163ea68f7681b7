//! Patterns that are hardly there, or are not patterns.

use ndarray::{Array2, ArrayView2};

use crate::cluster::gap::Gaps;
use crate::labels::distance;
use crate::labels::label_map::{Area, LabelMap, UNLABELLED};
use crate::lattice::Repetition;
use crate::plan::automatic;
use crate::remarks::{Code, Warning};

/// Share of the image below which a pattern is small.
const SMALL: f64 = 0.005;
/// Trust in a gap (see [`Gaps::trust`]) below which there is none.
const GAP: f64 = 0.5;
/// Half the width of a sliver, periods: that of a region without a core.
const SLIVER: f64 = automatic::CORE / automatic::PERIOD;
/// Share of what is to be known of labels that rows tell, and that columns must not.
const ALONG: f64 = 0.6;
const ACROSS: f64 = 0.1;
/// Share of the columns within which the beam settles after its way back.
const SETTLING: f64 = 0.25;

/// Warnings about a `map` of sites `spacing` px of the image apart, whose labels lie as far apart as `gaps`
/// says (by label), in an image that repeats like that.
pub fn patterns(
    map: &LabelMap,
    spacing: f64,
    gaps: &Gaps,
    repetition: Option<&Repetition>,
) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = map.areas.iter().filter_map(small).collect();
    if let Some(period) = repetition.and_then(|repetition| repetition.period_px) {
        let sites = period / spacing;
        let slivers = |area: &Area| sliver(map.sites.view(), area, (period, sites));
        warnings.extend(map.areas.iter().filter_map(slivers));
    }
    warnings.extend(no_gap(map, gaps));
    warnings.extend(along_the_scan(map.sites.view(), map, gaps));
    warnings
}

fn small(area: &Area) -> Option<Warning> {
    if area.fraction >= SMALL {
        return None;
    }
    let (label, share) = (area.label, 100.0 * area.fraction);
    let text = format!(
        "pattern {label} covers {share:.2} % of the image, less than {} %: it may be a few stray sites rather than \
         a pattern, and may vanish with fewer patterns (`clusters`)",
        100.0 * SMALL
    );
    let warning = Warning::new(Code::SmallPattern, text);
    Some(warning.with("label", f64::from(label)).with("share_of_image", area.fraction))
}

/// Of a pattern most of which lies in strips; `period` in px of the image and in sites.
fn sliver(
    sites: ArrayView2<'_, u16>,
    area: &Area,
    (period, spacing): (f64, f64),
) -> Option<Warning> {
    let radius = (SLIVER * spacing) as f32;
    let own = sites.mapv(|label| label == area.label);
    // The image may go on beyond its border, and what is masked is not known.
    let depth = distance::distance(&sites.mapv(|l| l != area.label && l != UNLABELLED))?;
    let away = distance::distance(&depth.mapv(|depth| depth > radius));
    // As wide as that are the regions that lie within the radius of their cores.
    let wide = |at: (usize, usize)| away.as_ref().is_some_and(|away| away[at] <= radius + 1.0);
    let all = own.iter().filter(|&&own| own).count();
    let thin = own.indexed_iter().filter(|(at, own)| **own && !wide(*at)).count();
    if 2 * thin <= all {
        return None;
    }
    let share = thin as f64 / all as f64;
    let (label, width) = (area.label, 2.0 * SLIVER * period);
    let text = format!(
        "pattern {label} lies in strips: {:.0} % of it is narrower than {width:.0} px, {:.1} periods, within \
         which sites see both sides; it may be the boundary between others rather than a pattern",
        100.0 * share,
        2.0 * SLIVER
    );
    let warning = Warning::new(Code::Slivers, text).with("label", f64::from(label));
    Some(warning.with("share_in_strips", share).with("width_px", width))
}

/// Pairs of labels without a gap, by the largest label's number.
fn without_gap(map: &LabelMap, gaps: &Gaps) -> Vec<(usize, usize)> {
    let labels = map.areas.len();
    let pairs = (0..labels).flat_map(|other| (0..other).map(move |one| (one, other)));
    pairs.filter(|&(one, other)| gaps.trust(one, other) < GAP).collect()
}

fn no_gap(map: &LabelMap, gaps: &Gaps) -> Option<Warning> {
    /// Pairs that are named.
    const MOST: usize = 6;
    let pairs = without_gap(map, gaps);
    let label = |place: usize| map.areas[place].label;
    let separation = |&(one, other): &(usize, usize)| gaps.separation(one, other);
    let least = pairs.iter().map(separation).min_by(f64::total_cmp)?;
    let named = pairs.iter().take(MOST);
    let mut names: Vec<String> =
        named.map(|&(one, other)| format!("{} and {}", label(one), label(other))).collect();
    if pairs.len() > MOST {
        names.push(format!("{} more pairs", pairs.len() - MOST));
    }
    let text = format!(
        "patterns {} lie close together (separation {least:.1}, where two crystals that are told apart easily have \
         {:.1} and more): the boundary may be a cut through one crystal that bends, drifts or changes in thickness",
        names.join(", "),
        Gaps::CLEAR
    );
    let warning = Warning::new(Code::NoGap, text).with("pairs", pairs.len() as f64);
    Some(warning.with("least_separation", least))
}

/// Of labels without a gap that the row, or the column, of a site tells.
fn along_the_scan(sites: ArrayView2<'_, u16>, map: &LabelMap, gaps: &Gaps) -> Option<Warning> {
    // Lamellae and layers lie along rows too, but there is a gap between them.
    if without_gap(map, gaps).is_empty() {
        return None;
    }
    let (rows, cols) = (told(sites), told(sites.t()));
    let text = if rows >= ALONG && cols <= ACROSS {
        format!(
            "labels follow the scan rows, which predict {:.0} % of them: drift or a jump of the scan may be \
             what differs, not the crystal",
            100.0 * rows
        )
    } else if cols >= ALONG && rows <= ACROSS && settles(sites) {
        format!(
            "labels follow the pixel columns near the side of the image, which predict {:.0} % of them: where the beam \
             has not settled after flyback, the scan is distorted, not the crystal",
            100.0 * cols
        )
    } else {
        return None;
    };
    let warning = Warning::new(Code::ScanRows, text);
    Some(warning.with("share_told_by_rows", rows).with("share_told_by_columns", cols))
}

/// How much of what is to be known of the labels (their entropy) the rows tell, 0 to 1.
fn told(sites: ArrayView2<'_, u16>) -> f64 {
    let labels = usize::from(sites.iter().copied().max().unwrap_or(0)) + 1;
    let counts: Array2<f64> = {
        let mut counts = Array2::zeros((sites.nrows(), labels));
        for ((row, _), &label) in sites.indexed_iter().filter(|(_, l)| **l != UNLABELLED) {
            counts[(row, usize::from(label))] += 1.0;
        }
        counts
    };
    // Sum of n log(N / n).
    let entropy = |counts: ndarray::ArrayView1<'_, f64>| -> f64 {
        let all = counts.sum();
        counts.iter().filter(|&&n| n > 0.0).map(|&n| n * (all / n).ln()).sum()
    };
    let whole = entropy(counts.sum_axis(ndarray::Axis(0)).view());
    let within: f64 = counts.outer_iter().map(entropy).sum();
    if whole > 0.0 { 1.0 - within / whole } else { 0.0 }
}

/// Whether a label lies along the left or the right side alone.
fn settles(sites: ArrayView2<'_, u16>) -> bool {
    let cols = sites.ncols();
    let largest = sites.iter().copied().max().unwrap_or(0);
    (1..=largest).any(|label| {
        let mut at = sites.indexed_iter().filter(|(_, l)| **l == label).map(|((_, c), _)| c);
        let Some(first) = at.next() else { return false };
        let (left, right) = at.fold((first, first), |(l, r), c| (l.min(c), r.max(c)));
        let narrow = (right - left) as f64 <= SETTLING * cols as f64;
        narrow && (left == 0 || right + 1 == cols)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_tell_labels_that_follow_them() {
        let map = |label: &dyn Fn(usize, usize) -> bool| {
            Array2::from_shape_fn((60, 80), |(r, c)| 1 + u16::from(label(r, c)))
        };
        let bands = map(&|r, _| r / 7 % 2 == 0);
        assert!(told(bands.view()) > 0.99 && told(bands.t()) < 0.05);
        let checks = map(&|r, c| (r / 10 + c / 10) % 2 == 0);
        assert!(told(checks.view()) < 0.01 && told(checks.t()) < 0.01);
        let side = map(&|_, c| c < 9);
        assert!(settles(side.view()) && told(side.t()) > 0.99);
        assert!(!settles(map(&|_, c| (20..29).contains(&c)).view()));
        assert_eq!(told(Array2::<u16>::ones((4, 4)).view()), 0.0);
    }

    #[test]
    fn strips_are_told_from_regions() {
        let area = Area { label: 2, pixels: 1, fraction: 0.1 };
        let of = |second: &dyn Fn(usize, usize) -> bool| {
            let sites = Array2::from_shape_fn((60, 80), |(r, c)| 1 + u16::from(second(r, c)));
            sliver(sites.view(), &area, (16.0, 2.0))
        };
        assert!(of(&|r, _| r > 30).is_none(), "a half");
        assert!(of(&|r, c| (20..30).contains(&r) && (20..32).contains(&c)).is_none(), "a domain");
        assert!(of(&|r, _| r < 3).is_none(), "what goes on beyond the border");
        let strip = of(&|r, _| (30..33).contains(&r)).expect("a strip");
        assert_eq!((strip.code, strip.numbers["share_in_strips"]), (Code::Slivers, 1.0));
        assert!(of(&|r, c| (30..33).contains(&r) || (r > 55 && c > 76)).is_some());
    }

    #[test]
    fn small_patterns_are_named() {
        let of = |fraction| small(&Area { label: 3, pixels: 9, fraction });
        assert_eq!(of(0.006), None);
        let warning = of(0.004).expect("a warning");
        assert!(warning.text.contains("pattern 3 covers 0.40 % of the image"), "{warning:?}");
    }
}
