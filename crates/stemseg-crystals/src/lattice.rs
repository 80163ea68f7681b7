//! [`Lattice`]: what repeats in one region.

use ndarray::{ArrayView2, s};
use stemseg::image::micrograph::PixelSize;
use stemseg_regions::{Region, Regions};

use crate::average::Average;
use crate::cell::{Cell, Reciprocal};
use crate::indexing::{Indexed, Shown, orders, shown, with_order};
use crate::plane::{Vector, area, combined, coordinates, length, reciprocal, reduced};
use crate::plane_group::{PlaneGroups, Reflections};
use crate::refine::{Known, Order, refined};
use crate::spectrum::Spectrum;
use crate::window::{Distances, Piece, Rim, Scene, densest};

/// Fewest pixels, and least distance of the innermost from the end, px, of a region that is looked
/// at.
const LEAST_PIXELS: u64 = 400;
const LEAST_DEPTH: f64 = 6.0;
/// Sides of the parts that a lattice is looked for in, px, the second where the first shows none, and
/// of that by which it is known: what more there is of a region would take memory, and make errors
/// smaller that are far below those of the scan as a whole.
const SIDES: [usize; 2] = [256, 512];
const LARGEST: usize = 768;
/// Fewest periods across the weights: with fewer, reflections overlap, and weak ones that make the
/// true cell are not seen.
const FEWEST_ACROSS: f64 = 5.0;
/// Most pixels at the end of a region that have no weight.
const MOST_RIM: f64 = 12.0;
/// Least share of the power of all peaks that one lattice must have.
const LEAST_SHARE: f64 = 0.6;
/// Waves that are fitted, at most; the least power of one relative to the strongest, and to noise.
const MOST_WAVES: usize = 8;
const LEAST_POWER: f64 = 1e-4;
const BEYOND_NOISE: f64 = 12.0;

/// A lattice found in a region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Lattice {
    /// Its unit cell.
    pub cell: Cell,
    /// The unit cell averaged over the region.
    pub average: Average,
    /// Number of pairs of reflections that it was fitted to.
    pub reflections: usize,
    /// Share of the power of the region's peaks that lie on the lattice, 0 to 1.
    pub share: f64,
    /// Unit cells within the region's weights.
    pub cells: f64,
    /// Plane groups that it may have; nothing where too few reflections tell.
    pub plane_groups: Option<PlaneGroups>,
    /// Orders of the reflections in terms of the cell's reciprocal vectors.
    pub(crate) waves: Vec<Order>,
}

/// Why a region has no lattice.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Without {
    /// Too few pixels, or too few unit cells, to tell.
    TooSmall,
    /// Nothing repeats.
    NoLattice,
    /// It repeats in one direction alone.
    Fringes {
        /// Distance of the fringes, px.
        spacing_px: f64,
        /// Direction across them, counter-clockwise from the right, degrees, 0 to 180.
        across_deg: f64,
    },
    /// No single lattice has most of what repeats.
    Several,
}

impl Without {
    /// Its name, as files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooSmall => "too-small",
            Self::NoLattice => "no-lattice",
            Self::Fringes { .. } => "fringes",
            Self::Several => "several",
        }
    }

    /// What is the case, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::TooSmall => "too small to tell",
            Self::NoLattice => "no lattice",
            Self::Fringes { .. } => "fringes: it repeats in one direction alone",
            Self::Several => "more than one lattice",
        }
    }
}

/// The lattice of `region`, one of `regions` in `image`.
pub(crate) fn of_region(
    image: ArrayView2<'_, f32>,
    regions: &Regions,
    region: &Region,
    pixel_size: Option<PixelSize>,
) -> Result<Lattice, Without> {
    if region.area_px < LEAST_PIXELS {
        return Err(Without::TooSmall);
    }
    let [top, left, bottom, right] = densest(regions, region, LARGEST);
    let numbers = regions.numbers_in([top, left, bottom, right]);
    let distances = Distances::new(&numbers);
    let image = image.slice(s![top..bottom, left..right]);
    let scene = Scene { image, numbers: &numbers, distances: &distances };
    let depth = distances.depth(&numbers, region.region);
    if depth < LEAST_DEPTH {
        return Err(Without::TooSmall);
    }
    let all = [0, 0, bottom - top, right - left];
    let rim = Rim { begins: (0.15 * depth).min(3.0), rises: (0.35 * depth).clamp(3.0, 40.0) };
    let look = |side: usize| {
        // Where a small part reaches out of the large one, another is as good.
        let [r, c, below, after] = densest(regions, region, side);
        let rows = [r, below].map(|at| at.clamp(top, bottom) - top);
        let cols = [c, after].map(|at| at.clamp(left, right) - left);
        let place = [rows[0], cols[0], rows[1], cols[1]];
        Seen::new(Piece::new(scene, region.region, place, rim).ok_or(Without::TooSmall)?)
    };
    let seen = match look(SIDES[0]) {
        Err(_) if all[2].max(all[3]) > SIDES[0] => look(SIDES[1])?,
        seen => seen?,
    };
    seen.refined((scene, region.region, all), (rim, depth), pixel_size)
}

/// A lattice as the spectrum of a part of a region shows it.
struct Seen<'a> {
    piece: Piece<'a>,
    /// Two waves that span the reciprocal lattice, cycles per px.
    basis: [Vector; 2],
    /// Share of the power of the peaks that it has.
    share: f64,
    /// Orders of its strongest waves.
    waves: Vec<Order>,
    /// How far waves reach that stand out of the noise, cycles per px.
    reach: f64,
}

impl<'a> Seen<'a> {
    fn new(piece: Piece<'a>) -> Result<Self, Without> {
        let spectrum = Spectrum::new(&piece);
        let Indexed { basis, share } = match shown(&spectrum.peaks(&piece), &piece) {
            Shown::Nothing => return Err(Without::NoLattice),
            Shown::Fringes(wave) => return Err(fringes(wave)),
            Shown::Lattice(found) if found.share < LEAST_SHARE => return Err(Without::Several),
            Shown::Lattice(found) => found,
        };
        let basis = with_order(basis, &spectrum, &piece);
        let (waves, reach) = strongest(basis, &spectrum);
        match spans(&waves) {
            true => Ok(Self { piece, basis, share, waves, reach }),
            false => Err(Without::NoLattice),
        }
    }

    /// The lattice by all of the region of this number in a scene.
    fn refined(
        self,
        (scene, number, all): (Scene<'a>, u32, [usize; 4]),
        (rim, depth): (Rim, f64),
        pixel_size: Option<PixelSize>,
    ) -> Result<Lattice, Without> {
        let Self { piece, basis, share, waves, reach } = self;
        // What is known to a part of the whole must be known to a part of a period there.
        let basis = match piece.place == all {
            true => basis,
            false => refined(&piece, basis, &waves).ok_or(Without::NoLattice)?.basis,
        };
        // Labels are right to a part of a period.
        let period = length(reciprocal(basis)[0]).max(length(reciprocal(basis)[1]));
        let begins = (0.5 * period).min(MOST_RIM).clamp(rim.begins, (0.3 * depth).max(rim.begins));
        let rim = Rim { begins, ..rim };
        let whole = Piece::new(scene, number, all, rim).ok_or(Without::TooSmall)?;
        let found = refined(&whole, basis, &waves).ok_or(Without::NoLattice)?;
        let across = reduced(found.basis).map(|wave| whole.periods(wave));
        if across[0].min(across[1]) < FEWEST_ACROSS {
            return Err(Without::TooSmall);
        }
        let Known { basis, covariance, noise } =
            Known::new(&whole, &found, &waves).ok_or(Without::NoLattice)?;
        // What was found by its spectrum must be there in the whole region too.
        let least = BEYOND_NOISE * noise * whole.squares / (whole.sum * whole.sum);
        if found.halves.iter().all(|half| half.norm_sqr() < least) {
            return Err(Without::NoLattice);
        }
        let cell = Cell::new(Reciprocal { basis, covariance }, pixel_size);
        let average = Average::new(&piece, cell.vectors_px, reciprocal(cell.vectors_px), noise);
        let cells = whole.sum / cell.area_px();
        let own = reciprocal(cell.vectors_px);
        let plane_groups = PlaneGroups::new(&cell, &Reflections::new(&piece, own, reach));
        let order = |&order: &Order| coordinates(own, combined(basis, order)).map(f64::round);
        let waves: Vec<Order> = waves.iter().map(order).collect();
        let reflections = waves.len();
        Ok(Lattice { cell, average, reflections, share, cells, plane_groups, waves })
    }
}

fn fringes(wave: Vector) -> Without {
    let across_deg = crate::plane::angle(wave).rem_euclid(180.0);
    Without::Fringes { spacing_px: 1.0 / length(wave), across_deg }
}

/// Orders of the strongest waves of a lattice, and how far any reaches that stands out of the noise.
fn strongest(basis: [Vector; 2], spectrum: &Spectrum) -> (Vec<Order>, f64) {
    let power = |order: &Order| spectrum.about(combined(basis, *order));
    let mut all: Vec<(f64, Order)> = orders(basis, [0.0; 2])
        .into_iter()
        .map(|order| (power(&order), order))
        .filter(|&(power, order)| power > BEYOND_NOISE * spectrum.floor(combined(basis, order)))
        .collect();
    let reach = all.iter().map(|(_, order)| length(combined(basis, *order))).fold(0.0, f64::max);
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let least = all.first().map_or(0.0, |first| LEAST_POWER * first.0);
    let strong = all.into_iter().filter(|(power, _)| *power >= least);
    (strong.take(MOST_WAVES).map(|(_, order)| order).collect(), reach)
}

/// Whether waves of these orders go in more than one direction.
fn spans(orders: &[Order]) -> bool {
    orders.iter().any(|&one| orders.iter().any(|&other| area(one, other) != 0.0))
}
