//! Fringes: an image, or a phase of it, that repeats in one direction alone.
//!
//! Its autocorrelation has ridges instead of peaks, and what stands out along a ridge is noise. Its
//! power spectrum has one wave, or multiples of one: the distance of the fringes is one over the
//! length of that wave's vector.

use ndarray::Array2;

use super::autocorrelation::{Autocorrelation, Map};
use super::{Vector, Vote, combined, length};

/// Share of the strongest wave's power from which on another counts.
const COUNTS: f64 = 0.1;
/// How far from a wave its power reaches under the Hann window, waves of the transform.
const REACHES: f64 = 2.5;
/// How far from the wave asked for a peak may be to be its own, periods: two parts of a wave that
/// can both be seen are 0.8 apart.
const NEAR: f64 = 0.4;
/// Highest multiple of the wave that fringes repeat with that may be the strongest.
const MULTIPLES: i32 = 4;

/// How a window repeats.
pub(super) enum Repeats {
    /// In one direction alone. Both vectors are as long as the fringes are apart, one across them
    /// and one along them, since they have no other length.
    Once(Vote),
    /// In two directions, or not at all.
    Otherwise,
    /// If it does, too slowly for a window.
    Slowly,
}

/// How the window with this autocorrelation repeats.
pub(super) fn repeats(map: &Map, transform: &Autocorrelation) -> Repeats {
    let powers = transform.spectrum(map);
    let spectrum = Spectrum { powers: &powers };
    let Some((strongest, most)) = spectrum.strongest() else { return Repeats::Slowly };
    let direction = strongest.map(|x| x / length(strongest));
    let beside = |wave: Vector| {
        let across = wave[0] * direction[1] - wave[1] * direction[0];
        across.abs() > REACHES && length(wave) > REACHES
    };
    if spectrum.waves().any(|(wave, power)| beside(wave) && power >= COUNTS * most) {
        return Repeats::Otherwise;
    }
    let part = |n: &i32| {
        let wave = strongest.map(|x| x / f64::from(*n));
        (length(wave) > REACHES && spectrum.has_peak(wave, COUNTS * most)).then_some(wave)
    };
    let wave = (2..=MULTIPLES).rev().find_map(|n| part(&n)).unwrap_or(strongest);
    let distance = powers.ncols() as f64 / length(wave);
    let across = direction.map(|x| distance * x);
    let along = [-across[1], across[0]];
    let vectors = super::reduced([across, along]);
    let vote = |strength| Repeats::Once(Vote { vectors, strength, reflections: 1.0 });
    map.at(across).map_or(Repeats::Slowly, vote)
}

/// Powers `[size / 2 + 1, size]` of waves, along lines those with as many periods down the columns.
struct Spectrum<'a> {
    powers: &'a Array2<f64>,
}

impl Spectrum<'_> {
    /// All waves, periods in the transform down the columns and along the rows.
    fn waves(&self) -> impl Iterator<Item = (Vector, f64)> {
        let size = self.powers.ncols();
        let signed = move |i: usize| if 2 * i > size { i as f64 - size as f64 } else { i as f64 };
        self.powers
            .indexed_iter()
            .map(move |((along, down), &power)| ([signed(down), along as f64], power))
    }

    /// The power of a whole number of periods near `wave`.
    fn at(&self, wave: Vector) -> f64 {
        let size = self.powers.ncols() as f64;
        let [down, along] = if wave[1].round() < 0.0 { wave.map(|x| -x) } else { wave };
        let [down, along] = [down, along].map(|x| x.round());
        let down = down.rem_euclid(size) as usize;
        self.powers.get((along as usize, down)).copied().unwrap_or_default()
    }

    /// Whether none of the whole numbers of periods around `wave` has more power than it.
    fn is_peak(&self, wave: Vector) -> bool {
        around(wave).all(|other| self.at(other) <= self.at(wave))
    }

    /// Whether there is a peak at `wave` of this power at least.
    fn has_peak(&self, wave: Vector, least: f64) -> bool {
        around(wave.map(f64::round))
            .filter(|&whole| self.at(whole) >= least && self.is_peak(whole))
            .map(|whole| self.between(whole))
            .any(|peak| length([peak[0] - wave[0], peak[1] - wave[1]]) < NEAR)
    }

    /// The strongest wave that is none of the window's own, between whole numbers of periods, and
    /// its power; nothing where that is the slope of a slower one.
    fn strongest(&self) -> Option<(Vector, f64)> {
        let own = |(wave, _): &(Vector, f64)| length(*wave) > REACHES;
        let (wave, most) = self.waves().filter(own).max_by(|a, b| a.1.total_cmp(&b.1))?;
        (most > 0.0 && self.is_peak(wave)).then(|| (self.between(wave), most))
    }

    /// Where the peak at a whole number of periods is between them: the top of a parabola through
    /// the logarithms of its powers, since that of the Hann window's spectrum is close to one.
    fn between(&self, peak: Vector) -> Vector {
        let least = 1e-12 * self.at(peak);
        let shift = |step: Vector| {
            let log = |times| self.at(combined([peak, step], [1.0, times])).max(least).ln();
            let [before, here, after] = [-1.0, 0.0, 1.0].map(log);
            let bend = before + after - 2.0 * here;
            if bend < 0.0 { ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
        };
        [peak[0] + shift([1.0, 0.0]), peak[1] + shift([0.0, 1.0])]
    }
}

/// `wave` and those one period more or fewer in either direction.
fn around(wave: Vector) -> impl Iterator<Item = Vector> {
    (0..9).map(move |at| [wave[0] + f64::from(at / 3 - 1), wave[1] + f64::from(at % 3 - 1)])
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::{REACH, WHOLE, period};
    use super::*;

    /// Fringes in noise `[400, 400]`: their distance, direction, the standard deviation of noise, and
    /// how strong the wave of half the distance is.
    fn image(distance: f64, degrees: f64, noise: f64, half: f64) -> Array2<f32> {
        let mut state = 11_u64;
        let (sin, cos) = degrees.to_radians().sin_cos();
        Array2::from_shape_fn((400, 400), |(r, c)| {
            let at = (r as f64 * sin + c as f64 * cos) / distance;
            let wave = |times: f64| (std::f64::consts::TAU * times * at).cos();
            // Twelve uniform ones, less their mean, are as good as normal.
            let uniform = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f64 / (1 << 24) as f64 - 0.5
            };
            let random: f64 = (0..12).map(uniform).sum();
            (wave(1.0) + half * wave(2.0) + noise * random) as f32
        })
    }

    #[test]
    fn fringes_have_the_distance_between_them() {
        for distance in [4.0, 8.0, 12.57, 25.0, 40.0] {
            for degrees in [0.0, 17.0, 40.0, 90.0] {
                for (noise, half) in [(0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (1.0, 0.2)] {
                    // Pixels do not hold waves of less than 2 px.
                    let half = if distance > 4.0 { half } else { 0.0 };
                    let image = image(distance, degrees, noise, half);
                    let found = period(image.view(), None).map_or(0.0, |period| period.length);
                    let ratio = found / distance;
                    let case = (distance, degrees, noise, half);
                    assert!((0.97..1.03).contains(&ratio), "{found} instead of {case:?}");
                }
            }
        }
    }

    #[test]
    fn the_strongest_wave_may_be_a_multiple() {
        let transform = Autocorrelation::new(96, 1, REACH);
        for (times, strength) in [(2.0, 0.4), (2.0, 0.7), (3.0, 0.5)] {
            let wave = |x: f64| (std::f64::consts::TAU * x / 24.0).cos();
            let window = Array2::from_shape_fn((96, 96), |(r, c)| {
                let at = 0.8 * r as f64 + 0.6 * c as f64;
                wave(times * at) + strength * wave(at)
            });
            let Repeats::Once(vote) = repeats(&transform.of(window.view()), &transform) else {
                panic!("no fringes where the multiple is {times}");
            };
            let found = length(vote.vectors[0]);
            assert!((found / 24.0 - 1.0).abs() < 0.03, "{found}, {times} times, {strength}");
        }
    }

    #[test]
    fn a_lattice_of_one_strong_direction_is_a_lattice() {
        let wave = |x: usize, period: f64| (std::f64::consts::TAU * x as f64 / period).cos();
        let image = Array2::from_shape_fn((300, 300), |(r, c)| {
            (wave(r, 12.0) + 0.5 * wave(c, 17.0)) as f32
        });
        let found = &WHOLE.lattices(image.view(), None)[0];
        assert!(!found.is_fringes() && (length(found.vectors[1]) - 17.0).abs() < 0.3, "{found:?}");
    }
}
