//! One period for the whole image, whatever its magnification.

use ndarray::{Array2, ArrayView2, CowArray, Zip};

use super::{FINER, LEAST, Lattice, WHOLE, length};
use crate::image::gaussian::counted;

/// Times that the image is halved: lattices are found up to about 45 px in each.
const HALVINGS: u32 = 3;
/// A coarser image must have so much more of lattices than a finer one.
const CLEARER: f64 = 1.25;
/// How many times as long a period must be that only a coarser image shows, and how clear
/// the coarser image's lattices must be compared with the finer one's.
const LONGER: f64 = 1.5;
const AS_CLEAR: f64 = 0.8;
/// Length of a lattice vector, px, below which it may be a multiple of one that whole pixels do not
/// show, and how many times as long that is at most.
const SHORT: f64 = 8.0;
const SHORTER: f64 = 0.75;
/// Least share of the windows with a lattice that have this period or a longer one: what an
/// ordered phase has, whose cell is a multiple of the others'.
const SHARE: f64 = 0.15;
/// Periods that differ by a smaller share are one.
const SAME: f64 = 0.05;

/// What repeats in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Period {
    /// The longest of the shortest lattice vectors that a good part of the image has, px.
    pub length: f64,
    /// [`Lattice::reflections`] of the crystal that has it.
    pub reflections: f64,
    /// The shortest lattice vector in the image, px.
    pub shortest: f64,
    /// Share of the image's windows that have a lattice, times its strength.
    pub clarity: f64,
    /// Share of the image's windows that have a lattice.
    pub share: f64,
}

/// What repeats in an image, as [`survey`] finds it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// The crystal lattices, the one that most windows have first; lengths in px.
    pub lattices: Vec<Lattice>,
    /// One period for the whole image; nothing where nothing repeats.
    pub period: Option<Period>,
}

impl Survey {
    /// Takes these in place of what is known, where nothing is or they are `better`.
    fn take(&mut self, lattices: Vec<Lattice>, better: fn(&Period, &Period) -> bool) {
        let Some(period) = of(&lattices) else { return };
        if self.period.is_none_or(|known| better(&period, &known)) {
            *self = Self { lattices, period: Some(period) };
        }
    }
}

/// What repeats in `image` `[rows, cols]` (any mean and variance). Pixels where `mask`
/// `[rows, cols]` is true are left out, and windows of which they are most do not vote.
///
/// The image is looked at as it is, halved again and again, and between its pixels, and
/// what shows its lattices best counts.
pub fn survey(image: ArrayView2<'_, f32>, mask: Option<ArrayView2<'_, bool>>) -> Survey {
    let mut best = Survey::default();
    best.take(WHOLE.lattices(image, mask), better);
    for look in FINER {
        // Nothing can be clearer than that all windows have the same lattice.
        let may = |known: Period| CLEARER * known.clarity < 1.0 || known.shortest < SHORT;
        if best.period.is_none_or(may) {
            best.take(look.lattices(image, mask), shows);
        }
    }
    let (mut reduced, mut reduced_mask) = (CowArray::from(image), mask.map(CowArray::from));
    for halvings in 1..=HALVINGS {
        (reduced, reduced_mask) = match reduced_mask {
            Some(mask) => {
                let (reduced, mask) = halved_but(reduced.view(), mask.view());
                (reduced.into(), Some(mask.into()))
            }
            None => (halved(reduced.view()).into(), None),
        };
        // Too small to be looked at, and all that come after.
        if reduced.nrows().min(reduced.ncols()) < LEAST {
            break;
        }
        let found = WHOLE.lattices(reduced.view(), reduced_mask.as_ref().map(|mask| mask.view()));
        let times = f64::from(2_u32.pow(halvings));
        best.take(found.into_iter().map(|lattice| lattice.enlarged(times)).collect(), better);
    }
    best
}

/// Period of the crystals in `image`, as [`survey`] finds it.
pub fn period(image: ArrayView2<'_, f32>, mask: Option<ArrayView2<'_, bool>>) -> Option<Period> {
    survey(image, mask).period
}

/// Whether one look shows lattices better than another by far.
fn clearer(one: &Period, other: &Period) -> bool {
    one.clarity > CLEARER * other.clarity
}

/// Whether a look between the pixels shows the lattices better than one at whole pixels.
fn shows(between: &Period, whole: &Period) -> bool {
    // At whole pixels a short period is seen where some number of it falls on one.
    let multiple = whole.shortest < SHORT && between.shortest < SHORTER * whole.shortest;
    clearer(between, whole) || (multiple && between.clarity > AS_CLEAR * whole.clarity)
}

/// Whether a coarser image shows the lattices better than a finer one.
fn better(coarser: &Period, finer: &Period) -> bool {
    // Where the coarser image has lost the shortest, a longer one may be a moire of its pixels.
    let same = (coarser.shortest / finer.shortest - 1.0).abs() < SAME;
    let as_clear = coarser.clarity > AS_CLEAR * finer.clarity;
    clearer(coarser, finer) || (same && as_clear && coarser.length > LONGER * finer.length)
}

/// The period of which `SHARE` of the windows with a lattice have it or a longer one.
fn of(lattices: &[Lattice]) -> Option<Period> {
    let period = |lattice: &Lattice| length(lattice.vectors[0]);
    let mut longest: Vec<&Lattice> = lattices.iter().collect();
    longest.sort_by(|a, b| period(b).total_cmp(&period(a)));
    let all: f64 = lattices.iter().map(|l| l.share).sum();
    let mut share = 0.0;
    let found = longest.iter().find(|lattice| {
        share += lattice.share;
        share >= SHARE * all
    })?;
    let length = period(found);
    // Grains have the same period, and windows across a boundary almost: the crystal is
    // the one of most windows.
    let same = |lattice: &&Lattice| (period(lattice) / length - 1.0).abs() < SAME;
    let most = lattices.iter().filter(same).max_by(|a, b| a.share.total_cmp(&b.share))?;
    let shortest = period(longest.last()?);
    let clarity = lattices.iter().map(|l| l.share * l.strength).sum();
    Some(Period { length, reflections: most.reflections, shortest, clarity, share: all })
}

/// Means of two by two pixels.
fn halved(image: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut means = Array2::zeros((image.nrows() / 2, image.ncols() / 2));
    Zip::from(&mut means)
        .and(image.exact_chunks((2, 2)))
        .par_for_each(|mean, of| *mean = (of[(0, 0)] + of[(0, 1)] + of[(1, 0)] + of[(1, 1)]) / 4.0);
    means
}

/// Means of those of two by two pixels that are not masked, and where all of them are.
fn halved_but(
    image: ArrayView2<'_, f32>,
    mask: ArrayView2<'_, bool>,
) -> (Array2<f32>, Array2<bool>) {
    let (values, counts) = counted(image, mask);
    let [sums, counts] = [values, counts].map(|values| halved(values.view()));
    let mean = |(sum, count): (&f32, &f32)| if *count > 0.0 { sum / count } else { 0.0 };
    let means = sums.iter().zip(&counts).map(mean).collect();
    let means = Array2::from_shape_vec(sums.dim(), means).expect("as many as there are sums");
    (means, counts.mapv(|count| count == 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crystal(period: f64, size: usize) -> Array2<f32> {
        let wave = |x: f64| (x * std::f64::consts::TAU / period).cos();
        Array2::from_shape_fn((size, size), |(r, c)| {
            let (r, c) = (r as f64, c as f64);
            (wave(r) + wave(0.3 * r + 0.954 * c) + 0.3 * wave(2.0 * r)) as f32
        })
    }

    #[test]
    fn a_period_is_found_at_any_magnification() {
        for expected in [6.0, 9.5, 20.0, 43.0, 90.0] {
            let image = crystal(expected, 700);
            let found = period(image.view(), None).expect("a crystal").length;
            let ratio = found / expected;
            assert!((0.93..1.12).contains(&ratio), "{found} instead of {expected}");
        }
        assert_eq!(period(Array2::<f32>::ones((300, 300)).view(), None), None);
    }

    #[test]
    fn a_period_near_the_sampling_limit_is_found_between_the_pixels() {
        for expected in [2.25, 2.6, 3.1, 4.3] {
            // Without harmonics, of which the pixels would make others.
            let wave = |x: f64| (x * std::f64::consts::TAU / expected).cos();
            let image = Array2::from_shape_fn((300, 300), |(r, c)| {
                let (r, c) = (r as f64, c as f64);
                (wave(0.96 * r - 0.28 * c) + wave(0.28 * r + 0.96 * c)) as f32
            });
            let found = period(image.view(), None).expect("a crystal").length;
            let ratio = found / expected;
            assert!((0.97..1.12).contains(&ratio), "{found} instead of {expected}");
        }
    }

    #[test]
    fn a_lattice_in_a_twentieth_of_the_image_is_found() {
        for expected in [3.0, 9.0, 16.0] {
            let wave = |x: usize| (x as f64 * std::f64::consts::TAU / expected).cos() as f32;
            let mut state = 7_u64;
            let image = Array2::from_shape_fn((512, 512), |(r, c)| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let noise = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
                let inside = (200..316).contains(&r) && (120..236).contains(&c);
                noise + if inside { 0.5 * (wave(r) + wave(c)) } else { 0.0 }
            });
            let found = period(image.view(), None).expect("a lattice").length;
            let ratio = found / expected;
            assert!((0.95..1.12).contains(&ratio), "{found} instead of {expected}");
        }
    }

    #[test]
    fn what_is_masked_changes_no_period() {
        let image = crystal(13.0, 400);
        let plain = period(image.view(), None).unwrap();
        // Stripes of other waves, a corner, single pixels; two thirds of the image are left.
        let mask = Array2::from_shape_fn((400, 400), |(r, c)| {
            (r / 20) % 5 == 0 || r + c < 150 || (r * 31 + c * 17) % 97 == 0
        });
        let other = Array2::from_shape_fn((400, 400), |(r, c)| ((r / 4 + c / 4) % 2) as f32 * 40.0);
        let spoilt =
            Array2::from_shape_fn((400, 400), |at| if mask[at] { other[at] } else { image[at] });
        let found = period(spoilt.view(), Some(mask.view())).unwrap();
        assert!((found.length / plain.length - 1.0).abs() < 0.02, "{found:?} {plain:?}");
        assert!((found.reflections / plain.reflections - 1.0).abs() < 0.1, "{found:?} {plain:?}");
        let without = period(spoilt.view(), None).map_or(0.0, |period| period.length);
        assert!((without / plain.length - 1.0).abs() > 0.1, "{without}");
        let nothing = Array2::from_elem((400, 400), true);
        assert_eq!(period(spoilt.view(), Some(nothing.view())), None);
    }

    #[test]
    fn an_ordered_phase_is_found_whose_period_only_a_coarser_image_shows() {
        let wave = |x: usize, period: f64| (x as f64 * std::f64::consts::TAU / period).cos();
        let image = Array2::from_shape_fn((700, 700), |(r, c)| {
            let ordered = if c < 300 { 0.5 * (wave(r, 64.0) + wave(c, 64.0)) } else { 0.0 };
            (wave(r, 32.0) + wave(c, 32.0) + ordered) as f32
        });
        let found = period(image.view(), None).expect("a crystal");
        assert!(
            (found.length - 64.0).abs() < 2.0 && (found.shortest - 32.0).abs() < 1.0,
            "{found:?}"
        );
    }

    #[test]
    fn images_of_any_size_have_a_period_or_none() {
        for size in [(1, 1), (2, 2), (3, 200), (31, 64), (32, 33), (70, 40)] {
            assert_eq!(period(Array2::<f32>::zeros(size).view(), None), None, "{size:?}");
        }
    }

    #[test]
    fn an_ordered_phase_counts_from_a_good_part_on() {
        let lattice = |period: f64, share: f64| Lattice {
            vectors: [[0.0, period], [period, 0.0]],
            share,
            strength: 0.8,
            reflections: 2.0,
        };
        let of = |lattices: &[Lattice]| of(lattices).map(|period| period.length);
        assert_eq!(of(&[lattice(11.0, 0.7), lattice(22.0, 0.25)]), Some(22.0));
        assert_eq!(of(&[lattice(11.0, 0.8), lattice(22.0, 0.1)]), Some(11.0));
        assert_eq!(of(&[]), None);
        // Two grains, and windows that hold both.
        let mixed = Lattice { reflections: 5.0, ..lattice(11.1, 0.2) };
        let found = super::of(&[lattice(11.0, 0.5), lattice(11.05, 0.3), mixed]).unwrap();
        assert_eq!((found.length, found.reflections, found.shortest), (11.1, 2.0, 11.0));
    }
}
