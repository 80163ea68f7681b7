//! Maps of the channels that tell patterns apart best.

use std::collections::BTreeSet;

use ndarray::{Array2, ArrayView1, s};

use crate::Result;
use crate::backend::Backend;
use crate::descriptor::Translation;
use crate::image::micrograph::Micrograph;
use crate::pipeline::{Describing, Patterns};
use crate::plan::{Params, Plan};
use crate::progress::{Progress, Unseen};
use crate::sites::Extent;

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

/// Some channels at the sites of a grid.
struct Sampled {
    /// Number of site rows and columns.
    count: (usize, usize),
    /// `[channels, sites]`; NaN at masked sites.
    values: Array2<f32>,
}

/// For each of `results` the best channels that are not alike, best first; none where no
/// channel separates anything.
///
/// # Errors
/// What the backend reports, and [`Error::Interrupted`](crate::Error::Interrupted).
pub(crate) fn channel_maps(
    sites: Describing<'_>,
    micrograph: &Micrograph,
    results: &[Patterns],
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Vec<Vec<ChannelMap>>> {
    let candidates: Vec<Vec<usize>> = results.iter().map(candidates).collect();
    let all: BTreeSet<usize> = candidates.iter().flatten().copied().collect();
    let all: Vec<usize> = all.into_iter().collect();
    if all.is_empty() {
        return Ok(vec![Vec::new(); results.len()]);
    }
    let translations = sites.plan().translations();
    let Sampled { count, values } = sample(&all, sites, micrograph, backend, progress)?;
    let row_of = |channel: usize| {
        let at = all.binary_search(&channel).expect("a candidate was described");
        values.row(at)
    };
    let map = |channel: usize| {
        let values = row_of(channel).to_shape(count).expect("one value for each site").to_owned();
        ChannelMap { channel, values }
    };
    let maps = |candidates: Vec<usize>| {
        unlike(&candidates, &translations, row_of).into_iter().map(map).collect()
    };
    Ok(candidates.into_iter().map(maps).collect())
}

/// `channels` at some of the sites: those of a coarser grid.
fn sample(
    channels: &[usize],
    mut sites: Describing<'_>,
    micrograph: &Micrograph,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Sampled> {
    let (plan, image) = (sites.plan(), sites.image());
    let every = plan.sites().map_step();
    if let Some(values) = sites.mapped(channels)? {
        return Ok(Sampled::new(values, plan, every));
    }
    if every == 1 || sites.keeps() {
        return every_nth(channels, &mut sites, every, progress);
    }
    // What the device holds makes room first.
    drop(sites);
    let plan = coarser(plan, every, micrograph)?;
    every_nth(channels, &mut Describing::new(image, &plan, backend)?, 1, progress)
}

/// The channels of largest separability, best first.
fn candidates(patterns: &Patterns) -> Vec<usize> {
    let value = &patterns.separability;
    let mut channels: Vec<usize> = (0..value.len()).filter(|&c| value[c] > 0.0).collect();
    channels.sort_by(|&a, &b| value[b].total_cmp(&value[a]));
    channels.truncate(CANDIDATES);
    channels
}

/// The plan with `times` the stride.
fn coarser(plan: &Plan, times: usize, micrograph: &Micrograph) -> Result<Plan> {
    let stride = plan.params().stride * times;
    let params = Params { stride, clusters: vec![1], ..plan.params().clone() };
    Ok(Plan::new(params, micrograph)?.with_budget(plan.budget()))
}

/// Values of `channels` at each `every`-th site of both axes.
fn every_nth(
    channels: &[usize],
    sites: &mut Describing<'_>,
    every: usize,
    progress: &dyn Progress,
) -> Result<Sampled> {
    let plan = sites.plan();
    let cols = plan.sites().grid().count.cols;
    let count = (plan.sites().grid().count.rows.div_ceil(every), cols.div_ceil(every));
    let mut values = Array2::zeros((channels.len(), count.0 * count.1));
    // Low bands: what is described is used while it is in the cache.
    sites.each(&plan.sites().bands(1), &Unseen(progress), |band, described| {
        for row in band.rows.clone().filter(|row| row % every == 0) {
            let first = (row - band.rows.start) * cols;
            let line = described.slice(s![first..first + cols; every, ..]);
            let to = row / every * count.1;
            let mut values = values.slice_mut(s![.., to..to + count.1]);
            for (mut values, &channel) in values.rows_mut().into_iter().zip(channels) {
                values.assign(&line.column(channel));
            }
        }
        Ok(())
    })?;
    Ok(Sampled::new(values, plan, every))
}

impl Sampled {
    /// Of the `values` `[channels, sites]` at each `every`-th site of `plan` along both axes.
    fn new(mut values: Array2<f32>, plan: &Plan, every: usize) -> Self {
        let Extent { rows, cols } = plan.sites().grid().count;
        let count = (rows.div_ceil(every), cols.div_ceil(every));
        for (i, mut values) in values.columns_mut().into_iter().enumerate() {
            let site = i / count.1 * every * cols + i % count.1 * every;
            if !plan.sites().is_active(site) {
                values.fill(f32::NAN);
            }
        }
        Self { count, values }
    }
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
    use crate::backend::Describe;
    use crate::backend::cpu::Cpu;
    use crate::descriptor::{FamilyParams, intensity, translation};
    use crate::image::micrograph::NonFinite;
    use crate::pipeline::{self, Also, Segmentation};
    use crate::progress::Silent;
    use crate::sites::LONGEST_MAP;

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
        let plan = Plan::new(params, &micrograph).unwrap();
        let also = Also { channel_maps: true, ..Default::default() };
        let found = pipeline::segment(&micrograph, plan, &Cpu::new(), &Silent, also).unwrap();
        (micrograph, found)
    }

    #[test]
    fn the_best_channels_are_mapped_as_they_were_described() {
        let (micrograph, found) = found(vec![2]);
        let [maps] = found.channel_maps.as_slice() else { panic!("one result") };
        let best = found.results[0].separability.iter().copied().fold(0.0, f64::max);
        assert_eq!(found.results[0].separability[maps[0].channel], best);
        // Every channel of the whole run, by hand.
        let backend = Cpu::new();
        let mut session = backend.upload(micrograph.standardised().unwrap(), &found.plan).unwrap();
        let mut all = Array2::zeros((found.plan.sites().grid().len(), found.plan.channels()));
        let bands = pipeline::bands(&found.plan, &backend).unwrap();
        for band in bands {
            session.describe(&band, all.slice_mut(s![band.sites(), ..])).unwrap();
        }
        for map in maps {
            for (site, value) in map.values.iter().enumerate() {
                match found.plan.sites().is_active(site) {
                    true => assert!((value - all[(site, map.channel)]).abs() < 1e-5, "{site}"),
                    false => assert!(value.is_nan(), "{site}"),
                }
            }
        }
        assert!(maps.iter().any(|map| map.values.iter().any(|v| v.is_nan())), "a masked site");
    }

    /// Where descriptors are kept, as those of intensity are.
    #[test]
    fn many_kept_sites_are_mapped_by_some_of_them() {
        let image = Array2::from_shape_fn((40, 2 * LONGEST_MAP + 80), |(row, col)| {
            let along = if col < LONGEST_MAP { row } else { col };
            (along * along % 23 + usize::from(col < LONGEST_MAP) * row % 3) as f32
        });
        let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail).unwrap();
        let intensity = intensity::Params { patch: Extent::square(4) };
        let families = vec![FamilyParams::Intensity(intensity)];
        let params = Params { families, stride: 2, clusters: vec![2], ..Default::default() };
        let plan = Plan::new(params, &micrograph).unwrap();
        let image = micrograph.standardised().unwrap();
        let backend = Cpu::new();
        let all = |session: &mut dyn Describe| {
            let mut all = Array2::zeros((plan.sites().grid().len(), plan.channels()));
            session.describe(&plan.sites().whole(), all.view_mut()).unwrap();
            all
        };
        let mut session = backend.upload(image, &plan).unwrap();
        assert!(!session.keeps());
        let expected = all(&mut *session);
        assert!(!session.keeps() && session.mapped(&[0]).unwrap().is_some(), "some of them");
        session.accumulate(&plan.sites().whole()).unwrap();
        assert!(session.keeps(), "all that were summed");
        assert_eq!(all(&mut *session), expected, "bit for bit");
        let cols = plan.sites().grid().count.cols;
        assert_eq!(plan.sites().map_step(), 2);
        drop(session);
        let mut sites = Describing::new(image, &plan, &backend).unwrap();
        sites.all(&Silent, |_, _| Ok(())).unwrap();
        let found = sample(&[0, 1], sites, &micrograph, &backend, &Silent).unwrap();
        assert_eq!(found.count, (plan.sites().grid().count.rows.div_ceil(2), cols.div_ceil(2)));
        for ((channel, i), &value) in found.values.indexed_iter() {
            let (row, col) = (i / found.count.1, i % found.count.1);
            assert_eq!(value, expected[(2 * (row * cols + col), channel)], "{row} {col}");
        }
    }

    #[test]
    fn opposite_translations_are_shown_once() {
        let (_, found) = found(vec![2]);
        let maps = &found.channel_maps[0];
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
        let (_, found) = found(vec![1, 2]);
        let maps = &found.channel_maps;
        assert_eq!(maps.len(), 2);
        assert!(maps[0].is_empty() && !maps[1].is_empty());
    }

    #[test]
    fn many_sites_become_few_that_are_among_them() {
        let (micrograph, found) = found(vec![2]);
        let grid = *found.plan.sites().grid();
        let coarse = coarser(&found.plan, 3, &micrograph).unwrap();
        assert_eq!(coarse.sites().grid().stride, 3 * grid.stride);
        assert_eq!(coarse.sites().grid().margin, grid.margin);
    }
}
