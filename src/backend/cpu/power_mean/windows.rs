//! Which inner sites the windows of a tile's sites hold, how those of a row are stored, and the
//! pixels they see.

use std::ops::Range;

use ndarray::s;

use super::super::inner_sites::Phased;
use super::super::vector::LANES;
use super::PowerMeans;

/// Windows of the sites of a tile along one axis.
#[derive(Debug)]
pub(super) struct Windows {
    /// Inner sites that are in any of them.
    pub(super) all: Range<usize>,
    /// Of each site the first inner site and the weights from there on.
    pub(super) sites: Vec<(usize, Vec<f32>)>,
}

impl Windows {
    /// Of sites at `places`, px, that pool the inner sites `range` tells, which lie at
    /// `inner`, px.
    pub(super) fn new(
        places: impl Iterator<Item = usize>,
        range: impl Fn(usize) -> Range<usize>,
        inner: impl Fn(usize) -> usize,
        weights: &[f64],
    ) -> Self {
        let site = |place: usize| {
            let range = range(place);
            let weight = |i: usize| weights[inner(i).abs_diff(place)] as f32;
            (range.start, range.map(weight).collect::<Vec<_>>())
        };
        let sites: Vec<_> = places.map(site).collect();
        let first = sites.first().map_or(0, |site| site.0);
        let end = sites.last().map_or(0, |site| site.0 + site.1.len());
        Self { all: first..end, sites }
    }
}

/// How the inner sites of a row are stored: by what remains of the distance of sites, so that the
/// windows of neighbouring sites stand next to each other.
#[derive(Debug)]
pub(super) struct Layout {
    /// Inner sites from one site to the next, where windows are alike; else 1.
    pub(super) fold: usize,
    /// The inner site that stands first, which may lie before the image's.
    pub(super) first: isize,
    /// Values of one remainder.
    pub(super) line: usize,
    /// Places of the inner sites of a window, relative to the site's number, and their weights,
    /// where windows are alike.
    pub(super) taps: Vec<(usize, f32)>,
}

impl Layout {
    /// Of the windows `cols` of the sites of a tile, whose first one lies at `place`, px.
    pub(super) fn new(kernel: &PowerMeans<'_>, cols: &Windows, place: usize) -> Self {
        let (inner, grid) = (&kernel.family.inner, kernel.plan.sites().grid());
        let step = inner.grid.stride;
        if !grid.stride.is_multiple_of(step) {
            let line = cols.all.len().next_multiple_of(LANES) + LANES;
            return Self { fold: 1, first: cols.all.start as isize, line, taps: Vec::new() };
        }
        let fold = grid.stride / step;
        // Inner sites before and after the image's are in the windows, but do not count.
        let from = place as isize - inner.grid.margin.cols as isize;
        let half = inner.window.cols as isize;
        let first = (from - half).div_euclid(step as isize)
            + isize::from((from - half).rem_euclid(step as isize) > 0);
        let last = (from + half).div_euclid(step as isize);
        let count = (last - first + 1) as usize;
        let line = (cols.sites.len() + count.div_ceil(fold)).next_multiple_of(LANES) + LANES;
        let tap = |t: usize| {
            let distance = (first + t as isize) * step as isize - from;
            (t % fold * line + t / fold, kernel.weights[distance.unsigned_abs()] as f32)
        };
        Self { fold, first, line, taps: (0..count).map(tap).collect() }
    }

    pub(super) fn pitch(&self) -> usize {
        self.fold * self.line
    }

    /// The inner sites of each remainder that are among `all`: where they are stored, by their
    /// numbers.
    pub(super) fn stored(&self, remainder: usize, all: &Range<usize>) -> Range<usize> {
        let from = |end: usize| {
            let before = end as isize - self.first - remainder as isize;
            before.max(0).unsigned_abs().div_ceil(self.fold)
        };
        from(all.start)..from(all.end)
    }
}

/// Copies the pixels that the inner sites of a tile see; of each remainder, where the pixels
/// about its first stored inner site stand.
pub(super) fn take_pixels(
    kernel: &PowerMeans<'_>,
    layout: &Layout,
    (rows, cols): (&Windows, &Windows),
    pixels: &mut Phased,
) -> Vec<Vec<usize>> {
    let grid = &kernel.family.inner.grid;
    let (radius, coefficients) = (kernel.family.radius, &kernel.coefficients);
    let left = grid.col(cols.all.start) - radius;
    let right = grid.col(cols.all.end.max(1) - 1) + radius + 1;
    let image = kernel.image.slice_move(s![.., left..right]);
    pixels.take(image, coefficients.pixels(grid, rows.all.clone()), layout.fold * grid.stride);
    let place = |remainder: usize| {
        let stored = layout.stored(remainder, &cols.all);
        let inner = layout.first + (remainder + stored.start * layout.fold) as isize;
        match stored.is_empty() {
            true => Vec::new(),
            false => coefficients.places(pixels, grid.col(inner.unsigned_abs()) - left),
        }
    };
    (0..layout.fold).map(place).collect()
}
