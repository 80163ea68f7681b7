//! Borders and corners of one constant value: what is left of a rotation or of a drift
//! correction, bars of information.
//!
//! A region of connected pixels that are exactly equal is such a border where
//! - it has [`LEAST`] pixels or more, of which [`CONTACT`] sides or more lie at the border
//!   of the image, or of what is absent already,
//! - its edge with the image proper is at most twice as long as that: what surrounds a
//!   convex picture has no longer one, while regions that come from noise are ragged,
//! - it is not full of holes: letters leave most of a bar whole, while pixels without a count
//!   that happen to be connected are next to others everywhere,
//! - the picture ends there at full contrast: two and three pixels beyond the edge, values
//!   are half as far from the constant as elsewhere in the image, or further. Vacuum that
//!   was cut off at 0 fades, so it stays what it is, a part of the image.
//!
//! What a border encloses, such as the letters in a bar, belongs to it.

use ndarray::{Array2, ArrayView2};

use super::flood::{self, Region, flood};
use super::{beside, median, sample, towards};
use crate::image::micrograph::Pixel;

/// Fewest pixels of a border, and sides of them at the border of the image.
const LEAST: usize = 64;
const CONTACT: usize = 8;
/// Longest edge, as a multiple of the sides at the border of the image.
const EDGE: usize = 2;
/// Most sides that a region has to what it encloses, as a multiple of its pixels.
const LACE: f64 = 0.75;
/// How far from the constant the picture is where it ends, as a share of how far it is
/// elsewhere.
const CONTRAST: f64 = 0.5;
/// What is enclosed is at most this share of the image.
const ENCLOSED: f64 = 0.01;
/// A frame around a bar around a corner: times that borders are looked for.
const ROUNDS: usize = 8;

// States of pixels; regions have numbers from FIRST on.
const FREE: u8 = 0;
const ABSENT: u8 = 1;
const PICTURE: u8 = 2;
const SEEN: u8 = 3;
const INSIDE: u8 = 4;
const FIRST: u8 = 16;

/// Makes constant borders absent.
pub(super) fn find<T: Pixel>(pixels: ArrayView2<'_, T>, absent: &mut Option<Array2<bool>>) {
    for _ in 0..ROUNDS {
        let found = round(pixels, absent.as_ref());
        if found.is_empty() {
            return;
        }
        let absent = absent.get_or_insert_with(|| Array2::from_elem(pixels.dim(), false));
        found.iter().flat_map(flood::pixels).for_each(|at| absent[at] = true);
    }
}

/// The borders in addition to those that are `absent` already.
fn round<T: Pixel>(pixels: ArrayView2<'_, T>, absent: Option<&Array2<bool>>) -> Vec<Region> {
    let state = match absent {
        Some(absent) => absent.mapv(|out| if out { ABSENT } else { FREE }),
        None => Array2::zeros(pixels.dim()),
    };
    let mut search = Search { pixels, absent, state, sample: Vec::new() };
    let regions = search.regions();
    if regions.is_empty() {
        return regions;
    }
    search.sample = sample(pixels, absent);
    let mut found = Vec::new();
    for region in &regions {
        let edge = search.edge(region);
        if search.ends(region, &edge) {
            found.push(region.clone());
            found.extend(search.enclosed(region));
        }
    }
    found
}

struct Search<'a, T> {
    pixels: ArrayView2<'a, T>,
    absent: Option<&'a Array2<bool>>,
    state: Array2<u8>,
    /// Values all over the image.
    sample: Vec<f64>,
}

/// Sides of a region at the picture: pixels of it, each with the way out; and how many it has at
/// what it encloses.
struct Edge {
    sides: Vec<((usize, usize), [isize; 2])>,
    holes: usize,
}

impl<T: Pixel> Search<'_, T> {
    /// Large regions of equal pixels at the border.
    fn regions(&mut self) -> Vec<Region> {
        let mut regions = Vec::new();
        for start in self.starts() {
            if self.state[start] != FREE || FIRST + regions.len() as u8 == u8::MAX {
                continue;
            }
            let value = self.pixels[start].to_f64();
            let equal = |at: (usize, usize)| self.pixels[at].to_f64() == value;
            // Of most pixels that is all there is to see.
            if !beside(start, self.pixels.dim()).any(|(_, next)| next.is_some_and(equal)) {
                continue;
            }
            let (mark, pixels) = (FIRST + regions.len() as u8, self.pixels);
            let region = flood(&mut self.state, mark, start, usize::MAX, |state, at| {
                state[at] == FREE && pixels[at].to_f64() == value
            });
            let large = flood::size(&region) >= LEAST && self.contact(&region) >= CONTACT;
            match large {
                true => regions.push(region),
                false => flood::pixels(&region).for_each(|at| self.state[at] = SEEN),
            }
        }
        regions
    }

    /// Pixels at the border of the image, or next to absent ones.
    fn starts(&self) -> Vec<(usize, usize)> {
        let (rows, cols) = self.pixels.dim();
        let sides = (0..rows).flat_map(|r| [(r, 0), (r, cols - 1)]);
        let ends = (0..cols).flat_map(|c| [(0, c), (rows - 1, c)]);
        let absent = self.absent.iter().flat_map(|absent| absent.indexed_iter());
        let next = absent.filter(|(_, out)| **out).map(|(at, _)| at);
        let next = next.flat_map(|at| beside(at, (rows, cols)).filter_map(|(_, next)| next));
        sides.chain(ends).chain(next).collect()
    }

    /// Sides of a region at the border of the image, or of what is absent.
    fn contact(&self, region: &Region) -> usize {
        let out = |at: Option<(usize, usize)>| at.is_none_or(|at| self.state[at] == ABSENT);
        let sides = flood::pixels(region).flat_map(|at| beside(at, self.pixels.dim()));
        sides.filter(|(_, next)| out(*next)).count()
    }

    /// Sides of a region beyond which the picture lies: everything else, except for small
    /// parts that are cut off from it.
    fn edge(&mut self, region: &Region) -> Edge {
        let most = (ENCLOSED * self.pixels.len() as f64) as usize;
        let shape = self.pixels.dim();
        let mut edge = Edge { sides: Vec::new(), holes: 0 };
        for at in flood::pixels(region) {
            for (way, next) in beside(at, shape) {
                let Some(next) = next else { continue };
                if matches!(self.state[next], FREE | SEEN) {
                    self.look(next, most);
                }
                match self.state[next] {
                    PICTURE => edge.sides.push((at, way)),
                    INSIDE => edge.holes += 1,
                    _ => {}
                }
            }
        }
        edge
    }

    /// Marks the part of the image that holds `start` if it is larger than `most`.
    fn look(&mut self, start: (usize, usize), most: usize) {
        let mut meets = false;
        let part = flood(&mut self.state, INSIDE, start, most, |state, at| {
            meets |= state[at] == PICTURE;
            matches!(state[at], FREE | SEEN)
        });
        if meets || flood::size(&part) > most {
            flood::pixels(&part).for_each(|at| self.state[at] = PICTURE);
        }
    }

    /// Whether the picture ends at the `edge` of a region, at once and nowhere else.
    fn ends(&self, region: &Region, edge: &Edge) -> bool {
        let Edge { sides, holes } = edge;
        let lace = *holes as f64 > LACE * flood::size(region) as f64;
        if lace || sides.is_empty() || sides.len() > EDGE * self.contact(region) {
            return false;
        }
        let Some(value) = flood::pixels(region).next().map(|at| self.pixels[at].to_f64()) else {
            return false;
        };
        let beyond = |&(at, way): &((usize, usize), [isize; 2])| {
            let steps = [3, 4].map(|steps| towards(at, way, steps, self.pixels.dim()));
            steps.into_iter().flatten()
        };
        let picture = |at: &(usize, usize)| matches!(self.state[*at], FREE | SEEN | PICTURE);
        let there = sides.iter().flat_map(beyond).filter(picture);
        let away = |v: f64| (v - value).abs();
        let mut there: Vec<f64> = there.map(|at| away(self.pixels[at].to_f64())).collect();
        there.retain(|v| v.is_finite());
        if there.len() < sides.len() {
            return false;
        }
        let mut elsewhere = self.sample.clone();
        elsewhere.retain(|&v| v != value);
        elsewhere.iter_mut().for_each(|v| *v = away(*v));
        match (median(&mut there), median(&mut elsewhere)) {
            (Some(there), Some(elsewhere)) => there >= CONTRAST * elsewhere,
            _ => false,
        }
    }

    /// What the picture's side of a region encloses.
    fn enclosed(&mut self, region: &Region) -> Vec<Region> {
        let mut parts = Vec::new();
        for at in flood::pixels(region) {
            for (_, next) in beside(at, self.pixels.dim()) {
                let Some(next) = next.filter(|&next| self.state[next] == INSIDE) else { continue };
                parts.push(flood(&mut self.state, ABSENT, next, usize::MAX, |state, at| {
                    state[at] == INSIDE
                }));
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which pixels are meant.
    type Where<'a> = &'a dyn Fn((usize, usize)) -> bool;

    const ROWS: usize = 150;
    const COLS: usize = 170;

    fn noise((r, c): (usize, usize)) -> u32 {
        let mixed = (r as u32 * 7919 + c as u32 * 104_729 + 1).wrapping_mul(2_654_435_761);
        (mixed ^ (mixed >> 15)).wrapping_mul(2_246_822_519) >> 16
    }

    /// A picture of waves and noise, none of it below 60, where `out` is false.
    fn picture(value: u16, out: impl Fn((usize, usize)) -> bool) -> Array2<u16> {
        let wave = |x: usize| (x as f64 * std::f64::consts::TAU / 11.0).cos();
        Array2::from_shape_fn((ROWS, COLS), |(r, c)| match out((r, c)) {
            true => value,
            false => (100.0 + 20.0 * wave(r) + 20.0 * wave(c)) as u16 + (noise((r, c)) % 16) as u16,
        })
    }

    fn borders(image: &Array2<u16>) -> Option<Array2<bool>> {
        let mut absent = None;
        find(image.view(), &mut absent);
        absent
    }

    #[test]
    fn what_rotations_and_shifts_leave_is_found() {
        let turned = |degrees: f64| {
            move |(r, c): (usize, usize)| {
                let (sin, cos) = degrees.to_radians().sin_cos();
                let (y, x) = (r as f64 - 75.0, c as f64 - 85.0);
                (y * cos - x * sin).abs() > 70.0 || (y * sin + x * cos).abs() > 80.0
            }
        };
        let cases: [(&str, Where<'_>); 6] = [
            ("one row", &|(r, _)| r == 0),
            ("two sides", &|(r, c)| r < 13 || c >= 160),
            ("a frame", &|(r, c)| r < 4 || c < 4 || r >= 146 || c >= 166),
            ("a bar", &|(r, _)| r >= 130),
            ("turned by 10 degrees", &turned(10.0)),
            ("turned by 40 degrees", &turned(40.0)),
        ];
        for (name, out) in cases {
            for value in [0, u16::MAX] {
                let expected = Array2::from_shape_fn((ROWS, COLS), out);
                assert_eq!(borders(&picture(value, out)), Some(expected), "{name} of {value}");
            }
        }
    }

    #[test]
    fn pixels_without_a_count_are_no_border_however_many_there_are() {
        for zeros in [50, 60, 65, 70, 80, 95] {
            let image = Array2::from_shape_fn((ROWS, COLS), |at| {
                let one = noise(at) % 100;
                if one < zeros { 0 } else { 1 + (one % 3) as u16 }
            });
            assert_eq!(borders(&image), None, "{zeros} % without a count");
        }
    }

    #[test]
    fn letters_in_a_bar_and_the_line_above_it_belong_to_it() {
        let bar = |(r, _): (usize, usize)| r >= 125;
        let mut image = picture(0, bar);
        image.row_mut(125).fill(255);
        let letter = |(r, c): (usize, usize)| {
            (132..140).contains(&r) && (c / 3) % 3 == 1 && (10..60).contains(&c)
        };
        image.indexed_iter_mut().filter(|(at, _)| letter(*at)).for_each(|(_, v)| *v = 255);
        let expected = Array2::from_shape_fn((ROWS, COLS), bar);
        assert_eq!(borders(&image), Some(expected));
    }

    #[test]
    fn parts_of_the_image_stay() {
        assert_eq!(borders(&picture(0, |_| false)), None);
        assert_eq!(
            borders(&picture(0, |(r, c)| (40..90).contains(&r) && (40..90).contains(&c))),
            None,
            "inside"
        );
        assert_eq!(
            borders(&picture(0, |(r, _)| (60..64).contains(&r))),
            None,
            "a gap from side to side"
        );
        assert_eq!(borders(&picture(0, |(r, c)| r < 7 && c < 7)), None, "too small");
        // Few counts: nothing but zeros over most of the image, ragged.
        for one_in in [2, 10, 100, 4000] {
            let counts = Array2::from_shape_fn((ROWS, COLS), |at| {
                u16::from(noise(at).is_multiple_of(one_in))
            });
            assert_eq!(borders(&counts), None, "one count in {one_in} pixels");
        }
        assert_eq!(borders(&Array2::zeros((ROWS, COLS))), None);
        assert_eq!(
            borders(&Array2::from_shape_fn((ROWS, COLS), |at| u16::from(at == (70, 80)))),
            None
        );
    }

    #[test]
    fn vacuum_cut_off_at_zero_stays() {
        // A crystal that fades out over a few pixels next to vacuum below the black level.
        for (black, width) in [(40.0, 4.0), (25.0, 8.0), (60.0, 3.0)] {
            let full = picture(0, |_| false);
            let image = Array2::from_shape_fn((ROWS, COLS), |(r, c)| {
                let edge = 90.0 + 6.0 * (r as f64 / 9.0).sin();
                let share = 1.0 / (1.0 + ((c as f64 - edge) / width).exp());
                (20.0 + share * f64::from(full[(r, c)]) - black).max(0.0) as u16
            });
            assert!(image.iter().filter(|&&v| v == 0).count() > 8000);
            assert_eq!(borders(&image), None, "black at {black}, edge of {width} px");
        }
    }
}
