//! The families' kernels, and the tables of a band that they need.

use std::ops::Range;

use ndarray::{ArrayView2, s};

use super::inner::{self, InnerMaps, Phased};
use super::polar::{self, Wanted};
use super::pool::Pool;
use super::vector::LANES;
use super::{
    centred, glide, harmonic, intensity, maximum, pooling, power_mean, power_spectrum, translation,
};
use crate::descriptor::Family;
use crate::descriptor::inner::Inner;
use crate::descriptor::polar::Polar;
use crate::descriptor::translation::{Family as Translations, Maps};
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid, Tile};

/// What makes tables of a band; families may share one.
pub(super) enum Source<'a> {
    Translation(&'a Translations),
    Polar(polar::Kernel<'a>),
    Glide(glide::Kernel<'a>),
    Harmonic(harmonic::Kernel<'a>),
    /// The pixels by the stride of the sites.
    Pixels,
}

/// What kernels need to know of a band.
pub(super) enum Table {
    Translation(Maps),
    Inner(InnerMaps),
    Pixels(Phased),
}

/// The kernel of one family.
pub(super) enum Kernel<'a> {
    Translation { kernel: translation::Kernel<'a>, source: usize },
    Centred(centred::Kernel<'a>),
    Ranked(Ranked<'a>),
    Harmonic { source: usize },
    PowerSpectrum { kernel: power_spectrum::Kernel<'a>, source: usize },
    Intensity(&'a crate::descriptor::intensity::Family),
}

/// A family that pools ranked scores.
pub(super) struct Ranked<'a> {
    source: usize,
    inner: &'a Inner,
    /// Its channels in the maps of the source.
    channels: Range<usize>,
    top: usize,
}

/// What the kernels of all families are given.
#[derive(Clone, Copy)]
pub(super) struct Job<'j, 'a> {
    pub(super) image: ArrayView2<'a, f32>,
    pub(super) plan: &'a Plan,
    pub(super) sources: &'j [Source<'a>],
    /// One for each source.
    pub(super) tables: &'j [Table],
    pub(super) scratch: &'j Scratch,
}

/// Buffers of all tasks.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    translation: translation::Scratch,
    others: Pool<Buffers>,
}

/// Buffers of one task, grown once and used again.
#[derive(Debug, Default)]
struct Buffers {
    centred: centred::Scratch,
    pooling: pooling::Scratch,
    maximum: maximum::Scratch,
    power_mean: power_mean::Scratch,
    power_spectrum: power_spectrum::Scratch,
    intensity: intensity::Scratch,
}

/// Sources and kernels of the families of `plan`.
pub(super) fn kernels<'a>(
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    scratch: &'a Scratch,
) -> (Vec<Source<'a>>, Vec<Kernel<'a>>) {
    let mut sources = Vec::new();
    let each = |family| kernel(image, plan, family, (&mut sources, scratch));
    let kernels = plan.families().iter().map(each).collect();
    (sources, kernels)
}

fn kernel<'a>(
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    family: &'a Family,
    (sources, scratch): (&mut Vec<Source<'a>>, &'a Scratch),
) -> Kernel<'a> {
    let grid = plan.sites().grid();
    let mut ranked = |polar, inner, wanted, top| {
        let (source, channels) = polar_source(image, sources, (polar, inner), &wanted);
        Kernel::Ranked(Ranked { source, inner, channels, top })
    };
    match family {
        Family::Translation(family) => {
            sources.push(Source::Translation(family));
            let kernel = translations(image, family, grid, &scratch.translation);
            Kernel::Translation { kernel, source: sources.len() - 1 }
        }
        Family::Centred(family) => {
            let mask = plan.sites().mask().map(|mask| mask.view());
            Kernel::Centred(centred::Kernel::new(image, mask, family, grid))
        }
        Family::Rotation(family) => {
            ranked(&family.polar, &family.inner, Wanted::Rotation(family), family.pool_top)
        }
        Family::Reflection(family) => {
            ranked(&family.polar, &family.inner, Wanted::Reflection(family), family.pool_top)
        }
        Family::Glide(family) => {
            sources.push(Source::Glide(glide::Kernel::new(image, family)));
            let (source, inner) = (sources.len() - 1, &family.inner);
            let channels = 0..family.glides.len();
            Kernel::Ranked(Ranked { source, inner, channels, top: family.pool_top })
        }
        Family::Harmonic(family) => {
            sources.push(Source::Harmonic(harmonic::Kernel::new(image, family)));
            Kernel::Harmonic { source: sources.len() - 1 }
        }
        Family::PowerSpectrum(family) => {
            sources.push(Source::Pixels);
            let kernel = power_spectrum::Kernel::new(family, grid, plan.deviation());
            Kernel::PowerSpectrum { kernel, source: sources.len() - 1 }
        }
        Family::Intensity(family) => Kernel::Intensity(family),
    }
}

/// The kernel of translations, which has the first site at its family's own margin:
/// sites that keep a larger one are those of the image without its edges.
pub(super) fn translations<'a>(
    image: ArrayView2<'a, f32>,
    family: &'a Translations,
    grid: &'a SiteGrid,
    scratch: &'a translation::Scratch,
) -> translation::Kernel<'a> {
    let (own, shared) = (family.margin(), grid.margin);
    let part = s![shared.rows - own.rows.., shared.cols - own.cols..];
    translation::Kernel::new(image.slice_move(part), family, grid, scratch)
}

/// The source of polar samples that has these, or a new one; with the channels of
/// what is wanted.
fn polar_source<'a>(
    image: ArrayView2<'a, f32>,
    sources: &mut Vec<Source<'a>>,
    (polar, inner): (&Polar, &Inner),
    wanted: &Wanted<'_>,
) -> (usize, Range<usize>) {
    let same = |source: &Source<'_>| matches!(source, Source::Polar(kernel) if kernel.samples(polar, inner));
    let index = sources.iter().position(same).unwrap_or_else(|| {
        sources.push(Source::Polar(polar::Kernel::new(image, *polar, *inner)));
        sources.len() - 1
    });
    match &mut sources[index] {
        Source::Polar(kernel) => (index, kernel.add(wanted)),
        _ => unreachable!("it was looked for among those of polar samples"),
    }
}

impl Source<'_> {
    /// The table of `band`.
    pub(super) fn table(&self, image: ArrayView2<'_, f32>, plan: &Plan, band: &Band) -> Table {
        match self {
            Self::Translation(family) => {
                let (rows, tiles) = (band.rows.clone(), plan.sites().tiles(band));
                Table::Translation(Maps::new(image, family, plan.sites().grid(), rows, tiles))
            }
            Self::Polar(kernel) => {
                Table::Inner(kernel.maps(kernel.inner.rows_of(band, plan.sites().grid())))
            }
            Self::Glide(kernel) => {
                Table::Inner(kernel.maps(kernel.family.inner.rows_of(band, plan.sites().grid())))
            }
            Self::Harmonic(kernel) => {
                Table::Inner(kernel.maps(kernel.family.inner.rows_of(band, plan.sites().grid())))
            }
            Self::Pixels => Table::Pixels(Phased::new(
                image,
                plan.sites().pixel_rows(band),
                plan.sites().grid().stride,
            )),
        }
    }
}

impl Table {
    /// Its bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Translation(maps) => maps.bytes(),
            Self::Inner(maps) => maps.bytes(),
            Self::Pixels(pixels) => pixels.bytes(),
        }
    }
}

impl Kernel<'_> {
    /// Writes the scores of `tile`, number `index` of its band, into `scores`, one
    /// channel each `pitch` values, the sites of a channel row by row.
    pub(super) fn scores(
        &self,
        job: Job<'_, '_>,
        (index, tile): (usize, &Tile),
        scores: &mut [f32],
        pitch: usize,
    ) {
        let Job { image, plan, sources, tables, scratch } = job;
        let source = self.source().map(|source| (&sources[source], &tables[source]));
        // Translations take buffers of their own, task by task.
        if let (Self::Translation { kernel, .. }, Some((_, Table::Translation(maps)))) =
            (self, source)
        {
            return kernel.scores(&maps.tiles[index], &maps.norms, scores, pitch);
        }
        scratch.others.with(|buffers| match (self, source) {
            (Self::Ranked(ranked), Some((_, Table::Inner(maps)))) => {
                let Ranked { inner, channels, top, .. } = ranked;
                let (channels, top) = (channels.clone(), *top);
                let ranked =
                    pooling::Ranked { maps, inner, grid: plan.sites().grid(), channels, top };
                ranked.pool(tile, &mut buffers.pooling, scores, pitch);
            }
            (Self::Harmonic { .. }, Some((Source::Harmonic(kernel), Table::Inner(maps)))) => {
                let grid = plan.sites().grid();
                if kernel.family.width.is_none() {
                    let buffers = &mut buffers.maximum;
                    return maximum::pool(kernel, maps, grid, tile, buffers, scores, pitch);
                }
                let (mask, place) = (plan.sites().mask().map(|mask| mask.view()), (grid, tile));
                power_mean::pool(kernel, mask, maps, place, &mut buffers.power_mean, scores, pitch);
            }
            (Self::PowerSpectrum { kernel, .. }, Some((_, Table::Pixels(pixels)))) => {
                kernel.scores(pixels, tile, &mut buffers.power_spectrum, scores, pitch);
            }
            (Self::Centred(kernel), _) => {
                kernel.scores(tile, &mut buffers.centred, scores, pitch);
            }
            (Self::Intensity(family), _) => {
                let buffers = &mut buffers.intensity;
                intensity::scores(image, family, plan.sites().grid(), tile, buffers, scores, pitch);
            }
            _ => unreachable!("a kernel knows its source"),
        });
    }

    /// The source of its table, where it needs one.
    fn source(&self) -> Option<usize> {
        match self {
            Self::Ranked(ranked) => Some(ranked.source),
            Self::Translation { source, .. }
            | Self::Harmonic { source }
            | Self::PowerSpectrum { source, .. } => Some(*source),
            Self::Centred(_) | Self::Intensity(_) => None,
        }
    }
}

/// Most bytes of the tables of a band of `rows` site rows that are not norm maps,
/// with the pixels that are copied for one of them while it is made.
pub(super) fn bytes_of_inner(plan: &Plan, rows: usize) -> u64 {
    let stride = plan.sites().grid().stride;
    let pixels = |rows: usize, stride: usize| {
        let row = (plan.sites().shape().cols.div_ceil(stride) + 2 * LANES) * stride;
        rows.min(plan.sites().shape().rows) * row
    };
    // Rows of sites, and how far windows and surroundings reach.
    let extent = |margin: usize| rows.saturating_sub(1) * stride + 2 * margin + 1;
    let maps = |inner: &Inner, channels: usize| {
        let rows = (extent(inner.window.rows) / inner.grid.stride + 1).min(inner.grid.count.rows);
        let copied = pixels(extent(inner.margin().rows), inner.grid.stride);
        (rows * channels * inner::pitch(inner), copied)
    };
    // Values that stay, and those that are there only meanwhile.
    let values = |family: &Family| match family {
        Family::Translation(_) | Family::Centred(_) | Family::Intensity(_) => (0, 0),
        Family::Rotation(family) => maps(&family.inner, family.folds.len()),
        Family::Reflection(family) => maps(&family.inner, family.axes),
        Family::Glide(family) => maps(&family.inner, family.glides.len()),
        Family::Harmonic(family) => maps(&family.inner, 2 * family.orders.len() * family.rings),
        Family::PowerSpectrum(_) => (pixels(extent(plan.sites().reach().rows), stride), 0),
    };
    let all: Vec<(usize, usize)> = plan.families().iter().map(values).collect();
    let stay: usize = all.iter().map(|(stay, _)| stay).sum();
    let meanwhile = all.iter().map(|(_, meanwhile)| *meanwhile).max().unwrap_or(0);
    (size_of::<f32>() * (stay + meanwhile)) as u64
}

/// Bytes of the buffers of a task, about, beside its scores and the pixels of its tile.
pub(super) fn bytes_of_task(plan: &Plan) -> u64 {
    let bytes = |family: &Family| match family {
        Family::Centred(family) => centred::bytes(family, plan.sites().grid(), plan.sites().tile()),
        _ => 0,
    };
    plan.families().iter().map(bytes).sum()
}

/// Most site rows whose tables are within `budget` bytes, about.
pub(super) fn rows_within(plan: &Plan, budget: u64) -> u64 {
    let translations = plan.families().iter().filter(|f| matches!(f, Family::Translation(_)));
    // A mean and an inverse norm per pixel at most.
    let per_pixel = 2 * size_of::<f32>() * translations.count();
    let norms = plan.sites().grid().stride * plan.sites().shape().cols * per_pixel;
    let fits = |rows: usize| (rows * norms) as u64 + bytes_of_inner(plan, rows) <= budget;
    let (mut fitting, mut beyond) = (0, plan.sites().grid().count.rows + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting as u64
}

/// Multiply-adds of the tables for one row of sites, and of spectra, about.
pub(super) fn work_per_site_row(plan: &Plan) -> u64 {
    let stride = plan.sites().grid().stride;
    let inner_sites = |inner: &Inner| {
        let grid = &inner.grid;
        stride.div_ceil(grid.stride) * grid.count.cols
    };
    // A sample has 20, and about 10 products.
    let squares = |inner: &Inner, polar: &Polar| inner_sites(inner) * polar.len() * 30;
    let work = |family: &Family| match family {
        Family::Translation(_) | Family::Intensity(_) => 0,
        Family::Centred(family) => {
            // Pixels are read twice, cells down and along.
            let (cell, taps) = (stride * stride, 2 * family.cells(stride) + 1);
            plan.sites().grid().count.cols * family.halves.len() * (10 * cell + 20 * taps)
        }
        Family::Rotation(family) => squares(&family.inner, &family.polar),
        Family::Reflection(family) => squares(&family.inner, &family.polar),
        Family::Glide(family) => {
            squares(&family.inner, &family.polar) * (1 + 2 * family.glides.len())
        }
        Family::Harmonic(family) => {
            let products = family.radius * family.radius * family.orders.len() * family.rings;
            2 * inner_sites(&family.inner) * products
        }
        Family::PowerSpectrum(family) => {
            let full = family.window.full();
            plan.sites().grid().count.cols * full.area() * (full.rows + full.cols) / 2
        }
    };
    plan.families().iter().map(work).sum::<usize>() as u64
}
