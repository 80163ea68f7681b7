//! Where the phases lie: boundaries, inclusions, and what keeps the columns of
//! two phases from overlapping where they meet.

use std::f64::consts::TAU;

use libm::{ceil, sin};

use super::Boundary;
use super::lattice::{Vector, vector};
use super::random::Random;
use stemseg::sites::Extent;

/// A smooth displacement of the plane that makes straight boundaries curved.
#[derive(Debug, Clone)]
pub(super) struct Warp(Vec<Wave>);

#[derive(Debug, Clone, Copy)]
struct Wave {
    /// Direction and frequency, rad/px.
    frequency: Vector,
    phase: f64,
    /// Direction and size of the displacement, px.
    displacement: Vector,
}

impl Warp {
    /// Wavelengths and amplitudes relative to the smaller side of the image:
    /// what bends a boundary, and what makes it rough.
    const WAVES: [(f64, f64); 5] =
        [(0.9, 0.025), (0.6, 0.02), (0.4, 0.014), (0.17, 0.005), (0.11, 0.003)];

    pub(super) fn new(boundary: Boundary, size: Extent, random: &mut Random) -> Self {
        let side = size.rows.min(size.cols) as f64;
        let waves = Self::WAVES.map(|(length, amplitude)| Wave {
            frequency: vector(TAU / (length * side), 0.0).turned(random.between(0.0, 360.0)),
            phase: random.between(0.0, TAU),
            displacement: vector(amplitude * side, 0.0).turned(random.between(0.0, 360.0)),
        });
        match boundary {
            Boundary::Straight => Self(Vec::new()),
            Boundary::Curved => Self(waves.to_vec()),
        }
    }

    pub(super) fn apply(&self, place: Vector) -> Vector {
        self.0.iter().fold(place, |moved, wave| {
            moved + wave.displacement * sin(wave.frequency.dot(place) + wave.phase)
        })
    }
}

/// Inclusions: discs, or squares along the lattice where boundaries are straight.
#[derive(Debug, Clone)]
pub(super) struct Inclusions {
    /// Centres and radii, px.
    discs: Vec<(Vector, f64)>,
    warp: Warp,
    /// Direction of the squares' edges, degrees; `None` for discs.
    facets: Option<f64>,
}

impl Inclusions {
    /// Up to `count` that do not touch, with radii from `radii` of the smaller
    /// side; one alone lies in the middle.
    pub(super) fn new(
        count: usize,
        radii: [f64; 2],
        facets: Option<f64>,
        warp: Warp,
        size: Extent,
        random: &mut Random,
    ) -> Self {
        const TRIES: usize = 400;
        let (width, height) = (size.cols as f64, size.rows as f64);
        let side = width.min(height);
        let mut discs: Vec<(Vector, f64)> = Vec::new();
        for _ in 0..TRIES {
            let radius = side * random.between(radii[0], radii[1]);
            let place = |random: &mut Random, length: f64| match count {
                1 => length * random.between(0.46, 0.54),
                _ => random.between(0.8 * radius, length - 0.8 * radius),
            };
            let centre = vector(place(random, width), place(random, height));
            let free = |&(other, taken): &(Vector, f64)| {
                (centre - other).length() > 1.25 * (radius + taken)
            };
            if discs.len() < count && discs.iter().all(free) {
                discs.push((centre, radius));
            }
        }
        Self { discs, warp, facets }
    }

    pub(super) fn hold(&self, place: Vector) -> bool {
        let place = self.warp.apply(place);
        self.discs.iter().any(|&(centre, radius)| match self.facets {
            None => (place - centre).length() < radius,
            Some(degrees) => {
                let offset = (place - centre).turned(-degrees);
                // A square of the disc's area.
                offset.x.abs().max(offset.y.abs()) < 0.886 * radius
            }
        })
    }
}

/// Places of columns, for finding whether a further one has room: buckets as
/// large as the least distance, each a linked list.
pub(super) struct Packing {
    apart: f64,
    width: usize,
    height: usize,
    /// Index of the last place in each bucket, and of the one before each place.
    last: Vec<u32>,
    before: Vec<u32>,
    places: Vec<Vector>,
}

impl Packing {
    const NONE: u32 = u32::MAX;
    /// Buckets around the image, for columns outside it.
    const AROUND: f64 = 8.0;

    /// For columns that stay `apart` px from each other.
    pub(super) fn new(size: Extent, apart: f64) -> Self {
        let buckets =
            |length: usize| ceil(length as f64 / apart) as usize + 2 * Self::AROUND as usize;
        let (width, height) = (buckets(size.cols), buckets(size.rows));
        let last = vec![Self::NONE; width * height];
        Self { apart, width, height, last, before: Vec::new(), places: Vec::new() }
    }

    /// Column and row of the bucket of a place.
    fn bucket(&self, place: Vector) -> (usize, usize) {
        let index = |v: f64, count: usize| {
            ((v / self.apart + Self::AROUND).max(1.0) as usize).min(count - 2)
        };
        (index(place.x, self.width), index(place.y, self.height))
    }

    pub(super) fn has_room(&self, place: Vector) -> bool {
        let (column, row) = self.bucket(place);
        (row - 1..=row + 1).flat_map(|j| (column - 1..=column + 1).map(move |i| (i, j))).all(
            |(i, j)| {
                let mut at = self.last[j * self.width + i];
                while at != Self::NONE {
                    if (self.places[at as usize] - place).length() < self.apart {
                        return false;
                    }
                    at = self.before[at as usize];
                }
                true
            },
        )
    }

    pub(super) fn insert(&mut self, place: Vector) {
        let (column, row) = self.bucket(place);
        let last = &mut self.last[row * self.width + column];
        self.before.push(*last);
        *last = self.places.len() as u32;
        self.places.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::*;

    const SIZE: Extent = Extent { rows: 100, cols: 160 };

    #[test]
    fn room_is_what_no_place_within_the_distance_takes() {
        let mut random = Random::new(1, Stream::Geometry);
        let mut packing = Packing::new(SIZE, 7.0);
        let mut taken: Vec<Vector> = Vec::new();
        for _ in 0..3000 {
            let place = vector(random.between(-40.0, 200.0), random.between(-40.0, 140.0));
            let free = taken.iter().all(|&other| (other - place).length() >= 7.0);
            assert_eq!(packing.has_room(place), free, "{place:?}");
            if free {
                packing.insert(place);
                taken.push(place);
            }
        }
        assert!(taken.len() > 300);
    }

    #[test]
    fn only_curved_boundaries_are_warped() {
        let mut random = Random::new(1, Stream::Geometry);
        let place = vector(31.0, 64.0);
        assert_eq!(Warp::new(Boundary::Straight, SIZE, &mut random).apply(place), place);
        let moved = Warp::new(Boundary::Curved, SIZE, &mut random).apply(place) - place;
        assert!(moved.length() > 0.1 && moved.length() < 10.0, "{moved:?}");
    }

    #[test]
    fn inclusions_are_apart_and_have_their_size() {
        for facets in [None, Some(20.0)] {
            let mut random = Random::new(4, Stream::Geometry);
            let straight = Warp::new(Boundary::Straight, SIZE, &mut random);
            let one = Inclusions::new(1, [0.3, 0.3], facets, straight, SIZE, &mut random);
            let inside = (0..SIZE.area())
                .filter(|i| one.hold(vector((i % SIZE.cols) as f64, (i / SIZE.cols) as f64)))
                .count();
            let expected = std::f64::consts::PI * 30.0 * 30.0;
            assert!((inside as f64 / expected - 1.0).abs() < 0.02, "{inside} for {expected}");
        }
    }
}
