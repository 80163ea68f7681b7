//! Maps of the channels that tell patterns apart best.

use std::collections::BTreeSet;

use ndarray::{Array2, ArrayView1, Axis, s};

use crate::backend::Backend;
use crate::descriptor::Translation;
use crate::micrograph::Micrograph;
use crate::pipeline::{Patterns, Segmentation};
use crate::plan::{Params, Plan};
use crate::progress::Progress;
use crate::{Result, pipeline};

/// Most sites along the longer side of a map; with more, every second, third, ...
/// of them is described again.
const LONGEST: usize = 240;

/// Most maps for one number of clusters.
const MOST: usize = 6;

/// The best channels from which the maps are chosen.
const CANDIDATES: usize = 32;

/// Two channels whose correlation is above this show the same.
const ALIKE: f64 = 0.8;

/// Sites from which it is taken, about.
const COMPARED: usize = 4000;

/// One channel at the sites of a regular grid, or at some of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelMap {
    /// Which channel.
    pub channel: usize,
    /// Its scores, `[rows, cols]`; NaN at masked sites.
    pub values: Array2<f32>,
}

/// For each result of `found` the best channels that are not alike, best first;
/// none where no channel separates anything. `micrograph` is what was segmented.
///
/// # Errors
/// What the backend reports, and [`Error::Interrupted`](crate::Error::Interrupted).
pub fn channel_maps(
    micrograph: &Micrograph,
    found: &Segmentation,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Vec<Vec<ChannelMap>>> {
    let candidates: Vec<Vec<usize>> = found.results.iter().map(candidates).collect();
    let all: BTreeSet<usize> = candidates.iter().flatten().copied().collect();
    let all: Vec<usize> = all.into_iter().collect();
    if all.is_empty() {
        return Ok(vec![Vec::new(); found.results.len()]);
    }
    let plan = coarser(&found.plan, micrograph)?;
    let values = describe(&all, micrograph, &plan, backend, progress)?;
    let row_of = |channel: usize| {
        let at = all.binary_search(&channel).expect("a candidate was described");
        values.row(at)
    };
    let count = (plan.grid.count.rows, plan.grid.count.cols);
    let map = |channel: usize| {
        let values = row_of(channel).to_shape(count).expect("one value for each site").to_owned();
        ChannelMap { channel, values }
    };
    let translations = found.plan.translations();
    let maps = |candidates: Vec<usize>| {
        unlike(&candidates, &translations, row_of).into_iter().map(map).collect()
    };
    Ok(candidates.into_iter().map(maps).collect())
}

/// The channels of largest separability, best first.
fn candidates(patterns: &Patterns) -> Vec<usize> {
    let value = &patterns.separability;
    let mut channels: Vec<usize> = (0..value.len()).filter(|&c| value[c] > 0.0).collect();
    channels.sort_by(|&a, &b| value[b].total_cmp(&value[a]));
    channels.truncate(CANDIDATES);
    channels
}

/// The plan with as many times the stride as makes few sites of many.
fn coarser(plan: &Plan, micrograph: &Micrograph) -> Result<Plan> {
    let longest = plan.grid.count.rows.max(plan.grid.count.cols);
    let stride = plan.params.stride * longest.div_ceil(LONGEST);
    let params = Params { stride, clusters: vec![1], ..plan.params.clone() };
    Ok(Plan { budget: plan.budget, ..Plan::of(params, micrograph)? })
}

/// Values of `channels` at all sites, `[channels, sites]`; NaN at masked ones.
fn describe(
    channels: &[usize],
    micrograph: &Micrograph,
    plan: &Plan,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Array2<f32>> {
    let image = plan.image(micrograph)?;
    let mut session = backend.upload(image.view(), plan)?;
    let mut values = Array2::zeros((channels.len(), plan.grid.len()));
    let mut buffer = Array2::zeros((0, plan.channels()));
    // Low bands: what is described is used while it is in the cache.
    for band in plan.sample_bands(plan.grid.len()) {
        progress.check()?;
        let described = pipeline::described(&mut *session, &band, &mut buffer)?;
        let mut values = values.slice_mut(s![.., band.sites()]);
        for (mut values, &channel) in values.rows_mut().into_iter().zip(channels) {
            values.assign(&described.column(channel));
        }
    }
    for site in (0..plan.grid.len()).filter(|&site| !plan.is_active(site)) {
        values.index_axis_mut(Axis(1), site).fill(f32::NAN);
    }
    Ok(values)
}

/// Channels in their order without those that are like one before: in their values, or
/// for they are the opposite translation, whose map is the same one displaced.
fn unlike<'v>(
    channels: &[usize],
    translations: &[Option<Translation>],
    values: impl Fn(usize) -> ArrayView1<'v, f32>,
) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    for &channel in channels {
        let back = translations[channel].map(Translation::opposite);
        let alike = |&other: &usize| {
            (back.is_some() && back == translations[other])
                || correlation(values(channel), values(other)).abs() > ALIKE
        };
        if chosen.len() < MOST && !chosen.iter().any(alike) {
            chosen.push(channel);
        }
    }
    chosen
}

/// Pearson correlation over some of the sites where both have a value; 0 where one is
/// constant.
fn correlation(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    // An odd step, which does not keep to a few columns.
    let step = (a.len() / COMPARED) | 1;
    let pairs = a.iter().zip(b).step_by(step).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    let pairs = pairs.filter(|(a, b)| a.is_finite() && b.is_finite());
    let mut sums = [0.0; 6];
    for (a, b) in pairs {
        for (sum, term) in sums.iter_mut().zip([1.0, a, b, a * a, b * b, a * b]) {
            *sum += term;
        }
    }
    let [n, a, b, aa, bb, ab] = sums;
    let variance = (n * aa - a * a) * (n * bb - b * b);
    if variance > 0.0 { (n * ab - a * b) / variance.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;
    use crate::descriptor::{FamilyParams, translation};
    use crate::micrograph::NonFinite;
    use crate::progress::Silent;
    use crate::sites::Extent;

    /// Rows of atoms on the left, columns on the right; the lower edge is masked.
    fn found(clusters: Vec<usize>) -> (Micrograph, Segmentation) {
        let image = Array2::from_shape_fn((90, 140), |(row, col)| {
            let along = if col < 70 { row } else { col };
            (along as f64 * std::f64::consts::TAU / 6.0).cos() as f32
        });
        let mask = Array2::from_shape_fn((90, 140), |(row, _)| row > 68);
        let micrograph = Micrograph::new(image.view(), Some(mask), NonFinite::Fail).unwrap();
        let translation = translation::Params {
            patch: Extent::square(8),
            window: Extent::square(6),
            ..Default::default()
        };
        let params = Params {
            families: vec![FamilyParams::Translation(translation)],
            stride: 2,
            clusters,
            ..Default::default()
        };
        let plan = Plan::of(params, &micrograph).unwrap();
        let found = pipeline::segment(&micrograph, plan, &Cpu::new(), &Silent, None).unwrap();
        (micrograph, found)
    }

    #[test]
    fn the_best_channels_are_mapped_as_they_were_described() {
        let (micrograph, found) = found(vec![2]);
        let maps = channel_maps(&micrograph, &found, &Cpu::new(), &Silent).unwrap();
        let [maps] = maps.as_slice() else { panic!("one result") };
        let best = found.results[0].separability.iter().copied().fold(0.0, f64::max);
        assert_eq!(found.results[0].separability[maps[0].channel], best);
        // Every channel of the whole run, by hand.
        let backend = Cpu::new();
        let mut session = backend.upload(micrograph.standardised().unwrap(), &found.plan).unwrap();
        let mut all = Array2::zeros((found.plan.grid.len(), found.plan.channels()));
        let bands = pipeline::bands(&found.plan, &backend).unwrap();
        for band in bands {
            session.describe(&band, all.slice_mut(s![band.sites(), ..])).unwrap();
        }
        for map in maps {
            for (site, value) in map.values.iter().enumerate() {
                match found.plan.is_active(site) {
                    true => assert!((value - all[(site, map.channel)]).abs() < 1e-5, "{site}"),
                    false => assert!(value.is_nan(), "{site}"),
                }
            }
        }
        assert!(maps.iter().any(|map| map.values.iter().any(|v| v.is_nan())), "a masked site");
    }

    #[test]
    fn opposite_translations_are_shown_once() {
        let (micrograph, found) = found(vec![2]);
        let maps = &channel_maps(&micrograph, &found, &Cpu::new(), &Silent).unwrap()[0];
        assert!((1..=MOST).contains(&maps.len()));
        let flat = |map: &ChannelMap| map.values.flatten().into_owned();
        for (i, a) in maps.iter().enumerate() {
            for b in &maps[..i] {
                let alike = correlation(flat(a).view(), flat(b).view()).abs();
                assert!(alike <= ALIKE, "{} and {}: {alike}", a.channel, b.channel);
                let of = |map: &ChannelMap| found.plan.translations()[map.channel].unwrap();
                assert_ne!(of(a), of(b).opposite());
            }
        }
    }

    #[test]
    fn one_pattern_has_no_channel_that_separates_it() {
        let (micrograph, found) = found(vec![1, 2]);
        let maps = channel_maps(&micrograph, &found, &Cpu::new(), &Silent).unwrap();
        assert_eq!(maps.len(), 2);
        assert!(maps[0].is_empty() && !maps[1].is_empty());
    }

    #[test]
    fn many_sites_become_few_that_are_among_them() {
        let (micrograph, found) = found(vec![2]);
        let mut plan = found.plan.clone();
        plan.grid.count.cols = 2 * LONGEST + 1; // as if the image were wider
        let coarse = coarser(&plan, &micrograph).unwrap();
        assert_eq!(coarse.grid.stride, 3 * plan.grid.stride);
        assert_eq!(coarse.grid.margin, plan.grid.margin);
    }
}
