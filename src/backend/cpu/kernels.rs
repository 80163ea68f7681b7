//! The families' kernels, and the tables of a band that they need.

use std::ops::Range;

use ndarray::{ArrayView2, s};

use super::inner::{self, InnerMaps, Phased};
use super::polar::{self, Wanted};
use super::{glide, harmonic, intensity, maximum, pool, power_spectrum, translation};
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
}

/// Buffers of one thread, grown once and used again.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) scores: Vec<f32>,
    translation: translation::Scratch,
    pool: pool::Scratch,
    maximum: maximum::Scratch,
    power_spectrum: power_spectrum::Scratch,
    intensity: intensity::Scratch,
}

/// Sources and kernels of the families of `plan`.
pub(super) fn kernels<'a>(
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
) -> (Vec<Source<'a>>, Vec<Kernel<'a>>) {
    let mut sources = Vec::new();
    let kernels = plan.families.iter().map(|family| kernel(image, plan, family, &mut sources));
    let kernels = kernels.collect();
    (sources, kernels)
}

fn kernel<'a>(
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    family: &'a Family,
    sources: &mut Vec<Source<'a>>,
) -> Kernel<'a> {
    let grid = &plan.grid;
    let mut ranked = |polar, inner, wanted, top| {
        let (source, channels) = polar_source(image, sources, (polar, inner), &wanted);
        Kernel::Ranked(Ranked { source, inner, channels, top })
    };
    match family {
        Family::Translation(family) => {
            sources.push(Source::Translation(family));
            let kernel = translations(image, family, grid);
            Kernel::Translation { kernel, source: sources.len() - 1 }
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
            let kernel = power_spectrum::Kernel::new(family, grid, plan.deviation);
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
) -> translation::Kernel<'a> {
    let (own, shared) = (family.margin(), grid.margin);
    let part = s![shared.rows - own.rows.., shared.cols - own.cols..];
    translation::Kernel::new(image.slice_move(part), family, grid)
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
                let (rows, tiles) = (band.rows.clone(), plan.tiles(band));
                Table::Translation(Maps::new(image, family, &plan.grid, rows, tiles))
            }
            Self::Polar(kernel) => {
                Table::Inner(kernel.maps(kernel.inner.rows_of(band, &plan.grid)))
            }
            Self::Glide(kernel) => {
                Table::Inner(kernel.maps(kernel.family.inner.rows_of(band, &plan.grid)))
            }
            Self::Harmonic(kernel) => {
                Table::Inner(kernel.maps(kernel.family.inner.rows_of(band, &plan.grid)))
            }
            Self::Pixels => {
                Table::Pixels(Phased::new(image, plan.pixel_rows(band), plan.grid.stride))
            }
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
        Job { image, plan, sources, tables }: Job<'_, '_>,
        (index, tile): (usize, &Tile),
        scratch: &mut Scratch,
        scores: &mut [f32],
        pitch: usize,
    ) {
        match (self, self.source().map(|source| (&sources[source], &tables[source]))) {
            (Self::Translation { kernel, .. }, Some((_, Table::Translation(maps)))) => {
                let tile = &maps.tiles[index];
                kernel.scores(tile, &maps.norms, &mut scratch.translation, scores, pitch);
            }
            (Self::Ranked(ranked), Some((_, Table::Inner(maps)))) => {
                let Ranked { inner, channels, top, .. } = ranked;
                let (channels, top) = (channels.clone(), *top);
                let ranked = pool::Ranked { maps, inner, grid: &plan.grid, channels, top };
                ranked.pool(tile, &mut scratch.pool, scores, pitch);
            }
            (Self::Harmonic { .. }, Some((Source::Harmonic(kernel), Table::Inner(maps)))) => {
                let scratch = &mut scratch.maximum;
                maximum::pool(kernel, maps, &plan.grid, tile, scratch, scores, pitch);
            }
            (Self::PowerSpectrum { kernel, .. }, Some((_, Table::Pixels(pixels)))) => {
                kernel.scores(pixels, tile, &mut scratch.power_spectrum, scores, pitch);
            }
            (Self::Intensity(family), _) => {
                let scratch = &mut scratch.intensity;
                intensity::scores(image, family, &plan.grid, tile, scratch, scores, pitch);
            }
            _ => unreachable!("a kernel knows its source"),
        }
    }

    /// The source of its table, where it needs one.
    fn source(&self) -> Option<usize> {
        match self {
            Self::Ranked(ranked) => Some(ranked.source),
            Self::Translation { source, .. }
            | Self::Harmonic { source }
            | Self::PowerSpectrum { source, .. } => Some(*source),
            Self::Intensity(_) => None,
        }
    }
}

/// Bytes of the tables for one row of sites, about.
pub(super) fn bytes_per_site_row(plan: &Plan) -> u64 {
    let stride = plan.grid.stride;
    let of_maps = |inner: &Inner, channels: usize| {
        let rows = stride.div_ceil(inner.grid.stride);
        rows * channels * inner::pitch(inner)
    };
    let values = |family: &Family| match family {
        // A mean and an inverse norm per pixel at most.
        Family::Translation(_) => 2 * stride * plan.shape.cols,
        Family::Rotation(family) => of_maps(&family.inner, family.folds.len()),
        Family::Reflection(family) => of_maps(&family.inner, family.axes),
        Family::Glide(family) => of_maps(&family.inner, family.glides.len()),
        Family::Harmonic(family) => of_maps(&family.inner, 2 * family.orders.len() * family.rings),
        Family::PowerSpectrum(_) => stride * plan.shape.cols,
        Family::Intensity(_) => 0,
    };
    (size_of::<f32>() * plan.families.iter().map(values).sum::<usize>()) as u64
}

/// Multiply-adds of the tables for one row of sites, and of spectra, about.
pub(super) fn work_per_site_row(plan: &Plan) -> u64 {
    let stride = plan.grid.stride;
    let inner_sites = |inner: &Inner| {
        let grid = &inner.grid;
        stride.div_ceil(grid.stride) * grid.count.cols
    };
    // A sample has 20, and about 10 products.
    let squares = |inner: &Inner, polar: &Polar| inner_sites(inner) * polar.len() * 30;
    let work = |family: &Family| match family {
        Family::Translation(_) | Family::Intensity(_) => 0,
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
            plan.grid.count.cols * full.area() * (full.rows + full.cols) / 2
        }
    };
    plan.families.iter().map(work).sum::<usize>() as u64
}
