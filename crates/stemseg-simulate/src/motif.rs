//! Random motifs that have the symmetry of a plane group and no more.

use libm::sqrt;

use super::crystal::{Column, Crystal};
use super::groups::PlaneGroup;
use super::lattice::{Basis, Lattice, vector};
use super::random::Random;
use super::similarity::Spectrum;
use stemseg::{Error, Result};

/// Standard deviation of a column, relative to the lattice parameter.
pub(super) const WIDTH: f64 = 0.055;
/// Least distance of columns in standard deviations: two Gaussians merge at 2.
const APART: f64 = 3.1;
/// Least distance, relative to that of as many columns on a square lattice.
const SPREAD: f64 = 0.6;
/// Places that are tried for an orbit before the motif is begun anew.
const TRIES: usize = 200;
/// Motifs that are drawn before giving up.
const DRAWS: usize = 2000;
/// A symmetry that the group has not must stay below this correlation.
const MOST_ACCIDENTAL: f64 = 0.8;
/// Two phases must stay below this correlation with each other.
const MOST_ALIKE: f64 = 0.6;
/// Weight of the least bright kind of column; the brightest has 1.
const FAINTEST: f64 = 0.4;

/// A crystal of `group` with the lattice parameter `a` px.
pub(super) fn single(group: &PlaneGroup, a: f64, random: &mut Random) -> Result<Crystal> {
    let found = (0..DRAWS).find_map(|_| draw_exact(group, group.lattice, a, random));
    found.ok_or_else(|| {
        let reason = format!("no motif found in {DRAWS} draws; give another `seed`");
        Error::parameter("group", group.symbol, reason)
    })
}

/// Crystals of two groups on one common lattice with the parameter `a` px, of
/// the same mean, and correlated by less than 0.6 at every shift.
pub(super) fn pair(groups: [&PlaneGroup; 2], a: f64, random: &mut Random) -> Result<[Crystal; 2]> {
    let symbols = || format!("{} {}", groups[0].symbol, groups[1].symbol);
    let Some(lattice) = groups[0].lattice.common(groups[1].lattice) else {
        let needs =
            groups.map(|group| format!("{} needs a {} lattice", group.symbol, group.lattice));
        let reason = format!("no common lattice: {}, and no lattice is both", needs.join(", "));
        return Err(Error::parameter("groups", symbols(), reason));
    };
    for _ in 0..DRAWS {
        let [Some(one), Some(other)] = groups.map(|group| draw_exact(group, lattice, a, random))
        else {
            continue;
        };
        let spectra = [&one, &other].map(|crystal| Spectrum::new(crystal, WIDTH * a));
        if spectra[0].best_match(&spectra[1]) < MOST_ALIKE {
            return Ok(levelled(one, other));
        }
    }
    let reason = format!(
        "in {DRAWS} draws no two motifs were found that correlate by less than {MOST_ALIKE}; \
         give another `seed`"
    );
    Err(Error::parameter("groups", symbols(), reason))
}

/// The same mean for both, and 1 for the brightest column.
fn levelled(one: Crystal, other: Crystal) -> [Crystal; 2] {
    let factor = one.density() / other.density();
    let other = other.brightened(factor);
    let most = one.brightest().max(other.brightest());
    [one, other].map(|crystal| crystal.brightened(1.0 / most))
}

/// A motif whose columns are apart, unless it has more symmetry than its group.
fn draw_exact(group: &PlaneGroup, on: Lattice, a: f64, random: &mut Random) -> Option<Crystal> {
    draw(group, on, a, random).filter(|crystal| is_exact(crystal, group, on, a))
}

/// Columns on general positions, each orbit of a weight of its own. Groups with
/// many positions have one orbit and a column on the origin; the others more
/// orbits, since few equal columns are always too symmetric.
fn draw(group: &PlaneGroup, on: Lattice, a: f64, random: &mut Random) -> Option<Crystal> {
    let cell = on.cell(group.lattice, a);
    let lattice = on.primitive(a);
    let order = group.order();
    let (general, on_origin) = match order {
        1 => (4, false),
        2 => (3, false),
        3 | 4 => (2, false),
        _ => (1, true),
    };
    let kinds = general + usize::from(on_origin);
    let count = (general * order) as f64;
    let apart = (APART * WIDTH * a).max(SPREAD * sqrt(lattice.area() / count));
    let mut columns = Vec::new();
    for (kind, weight) in weights(kinds, random).into_iter().enumerate() {
        let tries = if on_origin && kind == 0 { 1 } else { TRIES };
        let orbit = (0..tries).find_map(|_| {
            let (x, y) =
                if on_origin && kind == 0 { (0.0, 0.0) } else { (random.unit(), random.unit()) };
            let new = orbit(group, cell, lattice, (x, y), weight);
            fits(&new, &columns, lattice, apart).then_some(new)
        })?;
        columns.extend(orbit);
    }
    Some(Crystal { lattice, columns, origin: vector(0.0, 0.0) })
}

/// Weights from 1 down to the faintest in equal steps, mixed.
fn weights(kinds: usize, random: &mut Random) -> Vec<f64> {
    let step = (1.0 - FAINTEST) / (kinds.max(2) - 1) as f64;
    let mut weights: Vec<f64> = (0..kinds).map(|kind| 1.0 - step * kind as f64).collect();
    random.shuffle(&mut weights);
    weights
}

/// The different columns in a primitive cell that the symmetry makes of one.
fn orbit(
    group: &PlaneGroup,
    cell: Basis,
    lattice: Basis,
    (x, y): (f64, f64),
    weight: f64,
) -> Vec<Column> {
    let mut orbit: Vec<Column> = Vec::new();
    for (u, v) in group.orbit(x, y) {
        let at = lattice.reduced(cell.at(u, v));
        let same = |other: &Column| lattice.distance(at - other.at) < 1e-6 * lattice.a.length();
        if !orbit.iter().any(same) {
            orbit.push(Column { at, weight });
        }
    }
    orbit
}

/// Whether columns of `new` are `apart` px from each other and from the `old`.
fn fits(new: &[Column], old: &[Column], lattice: Basis, apart: f64) -> bool {
    new.iter().enumerate().all(|(i, column)| {
        let free = |other: &Column| lattice.distance(column.at - other.at) >= apart;
        new[..i].iter().chain(old).all(free)
    })
}

/// True where no symmetry of the lattice that the group lacks is nearly one of
/// the crystal, and no other translation.
fn is_exact(crystal: &Crystal, group: &PlaneGroup, on: Lattice, a: f64) -> bool {
    let own = Spectrum::new(crystal, WIDTH * a);
    let apart = APART * WIDTH * a;
    if own.best_other_translation(0.8 * apart) >= MOST_ACCIDENTAL {
        return false;
    }
    let parts = group.linear_parts(on.cell(group.lattice, a));
    let whole = full_group(on);
    whole.linear_parts(on.cell(whole.lattice, a)).iter().all(|part| {
        let probes = [vector(1.0, 0.0), vector(0.0, 1.0)];
        let equals = |known: &dyn Fn(_) -> _| {
            probes.iter().all(|&probe| (part(probe) - known(probe)).length() < 1e-9)
        };
        parts.iter().any(|known| equals(known))
            || own.best_match(&Spectrum::new(&crystal.mapped(part), WIDTH * a)) < MOST_ACCIDENTAL
    })
}

/// The group of a lattice with one column in its cell.
fn full_group(lattice: Lattice) -> &'static PlaneGroup {
    let number = match lattice {
        Lattice::Oblique => 2,
        Lattice::Rectangular => 6,
        Lattice::CentredRectangular => 9,
        Lattice::Square => 11,
        Lattice::Hexagonal => 17,
    };
    &super::groups::PLANE_GROUPS[number - 1]
}

#[cfg(test)]
mod tests {
    use super::super::groups::PLANE_GROUPS;
    use super::super::random::Stream;
    use super::*;

    const A: f64 = 30.0;

    fn random(seed: u64) -> Random {
        Random::new(seed, Stream::Motif)
    }

    fn group(symbol: &str) -> &'static PlaneGroup {
        PlaneGroup::of(symbol).unwrap()
    }

    #[test]
    fn columns_are_resolved_and_of_several_weights() {
        for (group, seed) in PLANE_GROUPS.iter().flat_map(|group| (0..4).map(move |s| (group, s))) {
            let crystal = single(group, A, &mut random(seed)).unwrap();
            let columns = &crystal.columns;
            for (i, one) in columns.iter().enumerate() {
                let near = columns[..i].iter().map(|two| crystal.lattice.distance(one.at - two.at));
                let nearest = near.fold(f64::INFINITY, f64::min);
                assert!(nearest >= 3.0 * WIDTH * A, "{}, seed {seed}: {nearest}", group.symbol);
            }
            assert!(columns.iter().any(|c| c.weight != columns[0].weight), "{}", group.symbol);
            assert_eq!(crystal.brightest(), 1.0);
        }
    }

    #[test]
    fn a_motif_with_more_symmetry_is_no_example_of_its_group() {
        let exact = |symbol: &str, motif: &[(f64, f64, f64)]| {
            let group = group(symbol);
            let crystal = Crystal::new(group.lattice.primitive(A), motif);
            is_exact(&crystal, group, group.lattice, A)
        };
        let two_fold = [(0.2, 0.1, 1.0), (0.8, 0.9, 1.0), (0.35, 0.4, 0.5), (0.65, 0.6, 0.5)];
        assert!(exact("p2", &two_fold));
        assert!(!exact("p1", &two_fold));
        // Nearly a lattice with half the cell.
        assert!(!exact("p2", &[(0.0, 0.0, 1.0), (0.5, 0.0, 0.9)]));
        // A mirror through the origin makes p4mm of p4.
        let quarter = [(0.1, 0.25), (0.75, 0.1), (0.9, 0.75), (0.25, 0.9)];
        let turned = quarter.map(|(u, v)| (u, v, 0.6));
        let mirrored = quarter.map(|(u, v)| (-u, v, 0.6));
        assert!(!exact("p4", &[&turned[..], &mirrored].concat()));
        assert!(exact("p4mm", &[&turned[..], &mirrored, &[(0.0, 0.0, 1.0)]].concat()));
    }

    #[test]
    fn pairs_differ_and_have_the_same_mean() {
        for (i, one) in PLANE_GROUPS.iter().enumerate() {
            for two in PLANE_GROUPS[i..].iter().step_by(2) {
                let Ok([first, second]) = pair([one, two], A, &mut random(i as u64)) else {
                    assert_eq!(one.lattice.common(two.lattice), None);
                    continue;
                };
                let [a, b] = [&first, &second].map(|crystal| Spectrum::new(crystal, WIDTH * A));
                let both = format!("{} {}", one.symbol, two.symbol);
                assert!(a.best_match(&b) < 0.6, "{both}");
                assert!((first.density() / second.density() - 1.0).abs() < 1e-12, "{both}");
                assert!((first.brightest().max(second.brightest()) - 1.0).abs() < 1e-12, "{both}");
                assert_eq!(first.lattice, second.lattice);
            }
        }
    }

    #[test]
    fn groups_without_a_common_lattice_are_refused() {
        let error = pair([group("pm"), group("p3")], A, &mut random(0)).unwrap_err().to_string();
        assert!(
            error.contains("pm needs a rectangular lattice, p3 needs a hexagonal lattice"),
            "{error}"
        );
    }
}
