//! From peaks of a spectrum to the lattice that has them.

use crate::plane::{Vector, area, combined, coordinates, length, minus, reduced};
use crate::spectrum::{BEYOND_LOBES, FEWEST_PERIODS, Peak, Spectrum};
use crate::window::Piece;

/// Strongest peaks that are tried as spanning vectors, with their sums and differences.
const TRIED: usize = 12;
/// How much more of the power a lattice of half as large a reciprocal cell must have.
const FINER: f64 = 0.02;
/// Fewest periods squared that a reciprocal cell covers: a finer one has peaks by chance.
const LEAST_AREA: f64 = 12.0;
/// Highest order of a wave along an axis.
const ORDERS: i32 = 8;
/// Smallest sine of the angle of two waves that are not along one line.
const APART: f64 = 0.12;
/// Share of the power of all waves, and how many times the noise, that waves between those of a
/// lattice must have to belong to it: a crystal nearby has some too.
const BETWEEN_SHARE: f64 = 0.005;
const BETWEEN_NOISE: f64 = 25.0;
/// How many times the noise a wave has that may be more.
const WITH_NOISE: f64 = 4.0;
/// Largest number of cells in the true cell that superlattices are looked for in, and fewest periods
/// across the piece between two of its waves.
const MOST_CELLS: usize = 5;
const LEAST_STEP: f64 = 4.0;
/// Share of the strongest wave's power from which on the side lobes of others count.
const WITH_LOBES: f64 = 1e-3;

/// A lattice as its waves show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Indexed {
    /// Two waves that span the reciprocal lattice, cycles per px.
    pub(crate) basis: [Vector; 2],
    /// Share of the power of the peaks that it has.
    pub(crate) share: f64,
}

/// What the peaks of a spectrum show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shown {
    /// Nothing stands out of the noise.
    Nothing,
    /// Waves along one line alone, of which this is the first.
    Fringes(Vector),
    /// A lattice.
    Lattice(Indexed),
}

/// What the `peaks` of a `piece` show.
pub(crate) fn shown(peaks: &[Peak], piece: &Piece<'_>) -> Shown {
    let Some(first) = peaks.first() else { return Shown::Nothing };
    let total: f64 = peaks.iter().map(|peak| peak.power).sum();
    let candidates = candidates(peaks, piece);
    let mut best: Option<(f64, Indexed)> = None;
    for (i, &u) in candidates.iter().enumerate() {
        for &v in &candidates[..i] {
            let size = covered(piece, [u, v]);
            if area(u, v).abs() < APART * length(u) * length(v) || size < LEAST_AREA {
                continue;
            }
            let basis = [v, u];
            let share =
                matched(peaks, basis, piece).map(|(peak, _)| peak.power).sum::<f64>() / total;
            let score = share + FINER * size.log2();
            if best.is_none_or(|(known, _)| score > known + 1e-9) {
                best = Some((score, Indexed { basis, share }));
            }
        }
    }
    match best {
        Some((_, found)) => Shown::Lattice(settled(found, peaks, piece)),
        None => Shown::Fringes(fringes(first.wave, peaks)),
    }
}

/// The shortest wave along the line of the strongest.
fn fringes(first: Vector, peaks: &[Peak]) -> Vector {
    let along = peaks
        .iter()
        .filter(|peak| area(first, peak.wave).abs() < APART * length(first) * length(peak.wave));
    let shortest = along.min_by(|a, b| length(a.wave).total_cmp(&length(b.wave)));
    shortest.map_or(first, |peak| peak.wave)
}

/// Waves that may span the lattice.
fn candidates(peaks: &[Peak], piece: &Piece<'_>) -> Vec<Vector> {
    let strong: Vec<Vector> = peaks.iter().take(TRIED).map(|peak| peak.wave).collect();
    let mut all = strong.clone();
    for (i, &u) in strong.iter().take(TRIED / 2).enumerate() {
        for &v in &strong[..i] {
            all.push(minus(u, v));
            all.push([u[0] + v[0], u[1] + v[1]]);
        }
    }
    all.retain(|&wave| piece.periods(wave) >= FEWEST_PERIODS);
    all
}

/// Area of a reciprocal cell, in periods across the piece squared.
fn covered(piece: &Piece<'_>, [u, v]: [Vector; 2]) -> f64 {
    let [rr, rc, cc] = piece.moments;
    12.0 * (rr * cc - rc * rc).max(0.0).sqrt() * area(u, v).abs()
}

/// Peaks that lie on the lattice of `basis`, with their orders.
fn matched<'a>(
    peaks: &'a [Peak],
    basis: [Vector; 2],
    piece: &'a Piece<'_>,
) -> impl Iterator<Item = (&'a Peak, [f64; 2])> {
    peaks.iter().filter_map(move |peak| {
        let orders = coordinates(basis, peak.wave).map(f64::round);
        let away = piece.periods(minus(peak.wave, combined(basis, orders)));
        // The spanning waves are a fraction of a period off themselves.
        let allowed = (0.6 + 0.1 * (orders[0].abs() + orders[1].abs())).min(1.2);
        (orders != [0.0; 2] && away <= allowed).then_some((peak, orders))
    })
}

/// The same lattice by all of its peaks: by least squares, weighted with their power.
fn settled(mut found: Indexed, peaks: &[Peak], piece: &Piece<'_>) -> Indexed {
    for _ in 0..4 {
        let (mut hh, mut hk, mut kk) = (0.0, 0.0, 0.0);
        let (mut h, mut k) = ([0.0; 2], [0.0; 2]);
        for (peak, [i, j]) in matched(peaks, found.basis, piece) {
            let w = peak.power.sqrt();
            (hh, hk, kk) = (hh + w * i * i, hk + w * i * j, kk + w * j * j);
            for axis in [0, 1] {
                h[axis] += w * i * peak.wave[axis];
                k[axis] += w * j * peak.wave[axis];
            }
        }
        let whole = hh * kk - hk * hk;
        if whole <= 1e-9 * hh * kk {
            break;
        }
        found.basis[0] = [0, 1].map(|axis| (kk * h[axis] - hk * k[axis]) / whole);
        found.basis[1] = [0, 1].map(|axis| (hh * k[axis] - hk * h[axis]) / whole);
    }
    let total: f64 = peaks.iter().map(|peak| peak.power).sum();
    let share = matched(peaks, found.basis, piece).map(|(peak, _)| peak.power).sum::<f64>() / total;
    Indexed { basis: reduced(found.basis), share }
}

/// Orders `[h, k]` of the waves of `basis` that the pixels can show, each with its opposite once,
/// moved by `offset`.
pub(crate) fn orders(basis: [Vector; 2], offset: [f64; 2]) -> Vec<[f64; 2]> {
    let mut all = Vec::new();
    for h in -ORDERS..=ORDERS {
        for k in -ORDERS..=ORDERS {
            let order = [f64::from(h) + offset[0], f64::from(k) + offset[1]];
            let wave = combined(basis, order);
            let half = wave[1] > 0.0 || (wave[1] == 0.0 && wave[0] > 0.0);
            if half && wave.iter().all(|x| x.abs() < 0.48) {
                all.push(order);
            }
        }
    }
    all
}

/// The finest lattice whose waves are there: those of an ordered crystal lie between those of its
/// columns, and are weak.
pub(crate) fn with_order(
    basis: [Vector; 2],
    spectrum: &Spectrum,
    piece: &Piece<'_>,
) -> [Vector; 2] {
    let mut basis = basis;
    for _ in 0..3 {
        let Some(finer) = finer(basis, spectrum, piece) else { break };
        basis = finer;
    }
    basis
}

fn finer(basis: [Vector; 2], spectrum: &Spectrum, piece: &Piece<'_>) -> Option<[Vector; 2]> {
    let own = orders(basis, [0.0; 2]);
    let whole: f64 = own.iter().map(|&order| spectrum.about(combined(basis, order))).sum();
    // As far out as the lattice's own waves that carry something.
    let reach = own.iter().map(|&order| combined(basis, order));
    let reach = reach.filter(|&wave| spectrum.about(wave) > BETWEEN_NOISE * spectrum.floor(wave));
    let reach = reach.map(length).fold(0.0, f64::max);
    let strong = strong(basis, &own, spectrum);
    let mut best: Option<(f64, [Vector; 2])> = None;
    for cells in 2..=MOST_CELLS {
        for offset in offsets(cells) {
            let finer = spanned(basis, offset, cells);
            let steps = finer.map(|wave| piece.periods(wave));
            if covered(piece, finer) < LEAST_AREA || steps[0].min(steps[1]) < LEAST_STEP {
                continue;
            }
            let offsets = (1..cells).map(|m| offset.map(|x| x * m as f64));
            let waves = offsets.flat_map(|offset| orders(basis, offset));
            let waves = waves.map(|order| combined(basis, order)).filter(|w| length(*w) <= reach);
            let share = between(waves, basis, (spectrum, piece), &strong) / whole;
            // What fewer cells have is not had again by more.
            if share > BETWEEN_SHARE && best.is_none_or(|(known, _)| share > 1.5 * known) {
                best = Some((share, finer));
            }
        }
    }
    best.map(|(_, finer)| finer)
}

/// Steps between the waves of a lattice, of which this number leads from one to the next.
fn offsets(cells: usize) -> Vec<[f64; 2]> {
    let n = cells as i32;
    let mut all: Vec<[f64; 2]> = Vec::new();
    let multiples = |[i, j]: [i32; 2]| (1..n).map(move |m| [(m * i) % n, (m * j) % n]);
    let mut known: Vec<[i32; 2]> = Vec::new();
    for i in 0..n {
        for j in 0..n {
            // Only what takes all steps to come back.
            let returns = (1..n).any(|m| (m * i) % n == 0 && (m * j) % n == 0);
            if !returns && !known.contains(&[i, j]) {
                known.extend(multiples([i, j]));
                all.push([i, j].map(|x| f64::from(x) / f64::from(n)));
            }
        }
    }
    all
}

/// Vectors that span the lattice of `basis` with waves `offset` between.
fn spanned(basis: [Vector; 2], offset: [f64; 2], cells: usize) -> [Vector; 2] {
    let step = combined(basis, offset);
    let expected = area(basis[0], basis[1]).abs() / cells as f64;
    // One of these has the right area with the step.
    let partners = (-2..=2).flat_map(|i| (-2..=2).map(move |j| [f64::from(i), f64::from(j)]));
    let partner = partners
        .map(|order| combined(basis, order))
        .find(|&other| (area(step, other).abs() / expected - 1.0).abs() < 1e-6);
    reduced([step, partner.unwrap_or(basis[0])])
}

/// The waves of a lattice whose side lobes count.
fn strong(basis: [Vector; 2], orders: &[[f64; 2]], spectrum: &Spectrum) -> Vec<Peak> {
    let peak = |order: &[f64; 2]| {
        let wave = combined(basis, *order);
        Peak { wave, power: spectrum.about(wave) }
    };
    let mut all: Vec<Peak> = orders.iter().map(peak).collect();
    let most = all.iter().map(|peak| peak.power).fold(0.0, f64::max);
    all.retain(|peak| peak.power >= WITH_LOBES * most);
    all
}

/// Power of `waves` between those of a lattice, beyond noise and side lobes, where they stand out; 0
/// otherwise.
fn between(
    waves: impl Iterator<Item = Vector>,
    basis: [Vector; 2],
    (spectrum, piece): (&Spectrum, &Piece<'_>),
    strong: &[Peak],
) -> f64 {
    let (mut power, mut noise, mut strongest) = (0.0, 0.0, 0.0_f64);
    // Most are noise, and need no closer look.
    let stands = |wave: &Vector| spectrum.about(*wave) > WITH_NOISE * spectrum.floor(*wave);
    let waves = waves.filter(|&wave| piece.periods(wave) >= FEWEST_PERIODS).filter(stands);
    for wave in waves {
        let lobes = BEYOND_LOBES * BEYOND_LOBES * spectrum.lobes(wave, strong);
        let floor = local_floor(wave, basis, (spectrum, piece));
        let own = (spectrum.about(wave) - lobes).max(0.0);
        power += own;
        noise += floor;
        strongest = strongest.max(own / floor);
    }
    // The largest of four values of noise is twice its mean.
    let stands = strongest > BETWEEN_NOISE && power > 6.0 * noise;
    if stands { power - 2.0 * noise } else { 0.0 }
}

/// Power near a wave, but off it: displaced scan rows put some of a strong reflection's all along
/// the waves of the same columns.
fn local_floor(
    wave: Vector,
    basis: [Vector; 2],
    (spectrum, piece): (&Spectrum, &Piece<'_>),
) -> f64 {
    let step = 2.5 / (12.0 * piece.moments[0]).sqrt();
    let limit = 0.25 * length(basis[0]).min(length(basis[1]));
    let mut values: Vec<f64> = (-4..=4)
        .filter(|&k: &i32| k != 0)
        .map(|k| f64::from(k) * step)
        .filter(|by| by.abs() < limit)
        .map(|by| spectrum.about([wave[0] + by, wave[1]]))
        .collect();
    values.sort_by(f64::total_cmp);
    let median = values.get(values.len() / 2).copied().unwrap_or(0.0);
    median.max(spectrum.floor(wave))
}
