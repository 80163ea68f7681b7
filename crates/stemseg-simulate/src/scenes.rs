//! The scenes, one function each.

use libm::sqrt;

use super::crystal::{Column, Crystal};
use super::groups::PlaneGroup;
use super::lattice::{Basis, Lattice, Vector, vector};
use super::motif;
use super::region::Packing;
use super::scene::Scene;
use super::specimen::{Layout, MARGIN, Specimen, Stage, is_near};
use super::{Phase, random};
use stemseg::Result;

/// Builds what `scene` names.
pub(super) fn build(scene: &Scene, stage: &mut Stage<'_>) -> Result<Specimen> {
    Ok(match *scene {
        Scene::TiltBoundary => tilt_boundary(stage),
        Scene::SquareHexagonal => square_hexagonal(stage),
        Scene::RectangularOblique => rectangular_oblique(stage),
        Scene::OrderedPrecipitates => ordered_precipitates(stage),
        Scene::CoherentPrecipitates => coherent_precipitates(stage),
        Scene::Twins => twins(stage),
        Scene::Polycrystal { grains } => polycrystal(stage, grains),
        Scene::CrystalEdge => crystal_edge(stage),
        Scene::InversionDomains => inversion_domains(stage),
        Scene::PlaneGroup(group) => plane_group(stage, group)?,
        Scene::PlaneGroups(one, two) => plane_groups(stage, [one, two])?,
    })
}

/// fcc along \[110\]: a centred rectangle `a` x `a / sqrt(2)`.
pub(super) fn fcc_110(a: f64) -> Crystal {
    let half = vector(a / 2.0, a / sqrt(8.0));
    Crystal::new(Basis::new(half, vector(-half.x, half.y)), &[(0.0, 0.0, 1.0)])
}

fn tilt_boundary(stage: &mut Stage<'_>) -> Specimen {
    const HALF: f64 = 13.0;
    let (layout, middle) = (stage.upright_boundary(), stage.tilt());
    let parts = [("left grain", HALF), ("right grain", -HALF)].map(|(name, turn)| {
        let crystal = fcc_110(stage.cell).turned(middle + turn).at(stage.origin());
        (name.to_owned(), "c2mm", crystal)
    });
    stage.crystals(parts.into(), layout, 0.42 * stage.cell)
}

/// The same area for each column, so the same mean.
fn square_hexagonal(stage: &mut Stage<'_>) -> Specimen {
    let a = stage.cell;
    let wider = a * sqrt(2.0 / sqrt(3.0));
    let layout = stage.upright_boundary();
    let parts = [
        ("square", "p4mm", Lattice::Square.primitive(a)),
        ("hexagonal", "p6mm", Lattice::Hexagonal.primitive(wider)),
    ]
    .map(|(name, group, lattice)| {
        let crystal = Crystal::new(lattice, &[(0.0, 0.0, 1.0)]);
        (name.to_owned(), group, crystal.turned(stage.tilt()).at(stage.origin()))
    });
    stage.crystals(parts.into(), layout, 0.68 * a)
}

/// One lattice vector and the distance of the rows in common.
fn rectangular_oblique(stage: &mut Stage<'_>) -> Specimen {
    let a = stage.cell;
    let across = vector(0.88 * a, 0.0).turned(72.0);
    let (tilt, origin) = (stage.tilt(), stage.origin());
    let layout = stage.inclusions(1, [0.3, 0.32], tilt);
    let parts = [("rectangular", "p2mm", vector(0.0, across.y)), ("oblique", "p2", across)].map(
        |(name, group, second)| {
            let crystal = Crystal::new(Basis::new(vector(a, 0.0), second), &[(0.0, 0.0, 1.0)]);
            (name.to_owned(), group, crystal.turned(tilt).at(origin))
        },
    );
    stage.crystals(parts.into(), layout, 0.6 * a)
}

/// The same columns and mean: only the order differs.
fn ordered_precipitates(stage: &mut Stage<'_>) -> Specimen {
    const BRIGHT: f64 = 1.0;
    const DARK: f64 = 0.5;
    let cell = Lattice::Square.primitive(stage.cell);
    let half = Lattice::Square.primitive(stage.cell / 2.0);
    let mixed = Crystal::new(half, &[(0.0, 0.0, (BRIGHT + 3.0 * DARK) / 4.0)]);
    let motif = [(0.0, 0.0, BRIGHT), (0.5, 0.0, DARK), (0.0, 0.5, DARK), (0.5, 0.5, DARK)];
    precipitates(stage, "p4mm", mixed, Crystal::new(cell, &motif))
}

/// The same bright columns and mean; the weaker ones lie elsewhere.
fn coherent_precipitates(stage: &mut Stage<'_>) -> Specimen {
    const WEAK: f64 = 0.55;
    let cell = Lattice::Square.primitive(stage.cell);
    let matrix = Crystal::new(cell, &[(0.0, 0.0, 1.0), (0.5, 0.5, WEAK)]);
    let other = Crystal::new(cell, &[(0.0, 0.0, 1.0), (0.5, 0.0, WEAK)]);
    precipitates(stage, "p2mm", matrix, other)
}

fn precipitates(
    stage: &mut Stage<'_>,
    group: &'static str,
    matrix: Crystal,
    precipitate: Crystal,
) -> Specimen {
    let (tilt, origin) = (stage.tilt(), stage.origin());
    let layout = stage.inclusions(5, [0.1, 0.19], tilt);
    let parts = [("matrix", "p4mm", matrix), ("precipitate", group, precipitate)]
        .map(|(name, group, crystal)| (name.to_owned(), group, crystal.turned(tilt).at(origin)));
    stage.crystals(parts.into(), layout, 0.3 * stage.cell)
}

/// fcc built from (111) layers, each shifted by a third of the spacing against
/// the one before: always to the same side, to the other in a twin, to and fro
/// where every layer is a stacking fault (that is hcp). Boundaries are planes.
fn twins(stage: &mut Stage<'_>) -> Specimen {
    // Spacing in the layers and of the layers.
    let (along, apart) = (stage.cell * sqrt(6.0) / 4.0, stage.cell / sqrt(3.0));
    let tilt = 8.0 + stage.tilt();
    let (u, normal) = (vector(1.0, 0.0).turned(tilt), vector(0.0, 1.0).turned(tilt));
    let origin = stage.centre();
    let size = stage.size();
    let layers = size.rows as f64 / apart;
    let layer = |share: f64| (layers * share).round() as i64;
    let shift = stage.geometry.between(-0.04, 0.04);
    let twin = layer(shift - 0.28)..layer(shift - 0.04);
    let faults = layer(shift + 0.14)..layer(shift + 0.32);
    let kind = move |layer: i64| {
        usize::from(twin.contains(&layer)) + 2 * usize::from(faults.contains(&layer))
    };
    let step = |layer: i64| match kind(layer) {
        0 => 1,
        1 => -1,
        _ => 1 - 2 * layer.rem_euclid(2),
    };
    let reach = (size.rows + size.cols) as f64 / 2.0 + MARGIN;
    let (most, widest) = ((reach / apart) as i64, (reach / along) as i64);
    let mut columns = Vec::new();
    let mut thirds = 0;
    for layer in -most..=most {
        let start = origin + normal * (layer as f64 * apart) + u * (along / 3.0 * thirds as f64);
        let row = (-widest..=widest).map(|i| start + u * (along * i as f64));
        let row = row.filter(|&place| is_near(place, size));
        columns.extend(row.map(|at| Column { at, weight: 1.0 }));
        thirds = (thirds + step(layer)).rem_euclid(3);
    }
    let layout: Layout =
        Box::new(move |place: Vector| kind(((place - origin).dot(normal) / apart).floor() as i64));
    let phase = |name: &str, group, across| {
        Phase::crystal(name.to_owned(), group, &Basis::new(u * along, across))
    };
    let phases = vec![
        phase("matrix", "c2mm", normal * apart + u * (along / 3.0)),
        phase("twin", "c2mm", normal * apart - u * (along / 3.0)),
        phase("stacking faults", "p2mg", normal * (2.0 * apart)),
    ];
    Specimen { phases, layout, columns, thickness: Box::new(|_| 1.0) }
}

/// Orientations spread evenly over the half turn after which fcc along \[110\]
/// repeats.
fn polycrystal(stage: &mut Stage<'_>, grains: usize) -> Specimen {
    let size = stage.size();
    let mut seeds: Vec<Vector> = Vec::new();
    while seeds.len() < grains {
        // The farthest of some candidates, so that no grain is tiny.
        let candidates = (0..24).map(|_| {
            let place =
                |random: &mut random::Random, side: usize| side as f64 * random.between(0.05, 0.95);
            let seed = vector(
                place(&mut stage.geometry, size.cols),
                place(&mut stage.geometry, size.rows),
            );
            let near = seeds.iter().map(|&other| (seed - other).length());
            (near.fold(f64::INFINITY, f64::min), seed)
        });
        let farthest = candidates.max_by(|one, two| one.0.total_cmp(&two.0));
        seeds.extend(farthest.map(|(_, seed)| seed));
    }
    let mut angles: Vec<f64> =
        (0..grains).map(|i| 5.0 + 180.0 * i as f64 / grains as f64).collect();
    stage.geometry.shuffle(&mut angles);
    let warp = stage.warp();
    let layout: Layout = Box::new(move |place| {
        let place = warp.apply(place);
        let distances = seeds.iter().map(|&seed| (place - seed).dot(place - seed)).enumerate();
        distances.min_by(|one, two| one.1.total_cmp(&two.1)).map_or(0, |(grain, _)| grain)
    });
    let grain = |angle: f64| {
        let crystal = fcc_110(stage.cell).turned(angle).at(stage.origin());
        (format!("grain at {angle:.1} degrees"), "c2mm", crystal)
    };
    let parts = angles.into_iter().map(grain).collect();
    stage.crystals(parts, layout, 0.42 * stage.cell)
}

/// Vacuum above, an amorphous layer, the crystal below.
fn crystal_edge(stage: &mut Stage<'_>) -> Specimen {
    /// Level of vacuum, relative to the specimen's background.
    const VACUUM: f64 = 0.12;
    let (size, width) = (stage.size(), stage.width);
    let height = size.rows as f64;
    let (surface_warp, inner_warp) = (stage.warp(), stage.warp());
    let normal = vector(0.0, 1.0).turned(stage.tilt());
    let centre = stage.centre();
    let depth =
        move |place: Vector| (surface_warp.apply(place) - centre).dot(normal) + 0.22 * height;
    let surface = depth.clone();
    let layout: Layout = Box::new(move |place| {
        let inner = (inner_warp.apply(place) - centre).dot(normal) - 0.06 * height;
        if surface(place) < 0.0 { 2 } else { usize::from(inner < 0.0) }
    });
    let lattice = Lattice::Hexagonal.primitive(stage.cell);
    let crystal = Crystal::new(lattice, &[(0.0, 0.0, 1.0)]).turned(stage.tilt()).at(stage.origin());
    let mut columns = stage.fill(std::slice::from_ref(&crystal), &layout, 0.5 * stage.cell);
    amorphous(stage, &layout, 0.56 * stage.cell, &mut columns);
    let phases = vec![
        Phase::crystal("crystal".to_owned(), "p6mm", &crystal.lattice),
        Phase::without_lattice("amorphous"),
        Phase::without_lattice("vacuum"),
    ];
    let thickness = Box::new(move |place| {
        let inside = (depth(place) / (2.0 * width) + 0.5).clamp(0.0, 1.0);
        VACUUM + (1.0 - VACUUM) * inside * inside * (3.0 - 2.0 * inside)
    });
    Specimen { phases, layout, columns, thickness }
}

/// Random columns in phase 1 wherever there is room, `apart` px from each other
/// and from those there are.
fn amorphous(stage: &mut Stage<'_>, layout: &Layout, apart: f64, columns: &mut Vec<Column>) {
    let size = stage.size();
    let mut packing = Packing::new(size, apart);
    columns.iter().for_each(|column| packing.insert(column.at));
    let (width, height) = (size.cols as f64 + 2.0 * MARGIN, size.rows as f64 + 2.0 * MARGIN);
    let tries = 8.0 * width * height / (apart * apart);
    for _ in 0..tries as usize {
        let random = &mut stage.motif;
        let at = vector(random.unit() * width - MARGIN, random.unit() * height - MARGIN);
        let weight = random.between(0.25, 0.8);
        if layout(at) == 1 && packing.has_room(at) {
            packing.insert(at);
            columns.push(Column { at, weight });
        }
    }
}

/// A honeycomb of heavy and light columns (as MoS2), and the same exchanged.
fn inversion_domains(stage: &mut Stage<'_>) -> Specimen {
    const LIGHT: f64 = 0.45;
    let (tilt, origin) = (stage.tilt(), stage.origin());
    let layout = stage.inclusions(1, [0.29, 0.31], tilt);
    let lattice = Lattice::Hexagonal.primitive(stage.cell);
    let light = [("domain", 2.0 / 3.0, 1.0 / 3.0), ("inverse", 1.0 / 3.0, 2.0 / 3.0)];
    let parts = light.map(|(name, u, v)| {
        let crystal = Crystal::new(lattice, &[(0.0, 0.0, 1.0), (u, v, LIGHT)]);
        (name.to_owned(), "p3m1", crystal.turned(tilt).at(origin))
    });
    stage.crystals(parts.into(), layout, 0.5 * stage.cell)
}

fn plane_group(stage: &mut Stage<'_>, group: &'static PlaneGroup) -> Result<Specimen> {
    let crystal = motif::single(group, stage.cell, &mut stage.motif)?;
    let crystal = crystal.turned(stage.tilt()).at(stage.origin());
    let parts = vec![(group.symbol.to_owned(), group.symbol, crystal)];
    Ok(stage.crystals(parts, Box::new(|_| 0), 2.0 * stage.width))
}

/// Two phases without a step between them: one lattice, in one orientation.
fn plane_groups(stage: &mut Stage<'_>, groups: [&'static PlaneGroup; 2]) -> Result<Specimen> {
    let crystals = motif::pair(groups, stage.cell, &mut stage.motif)?;
    let (tilt, origin) = (stage.tilt(), stage.origin());
    let layout = stage.upright_boundary();
    let parts = groups.into_iter().zip(crystals).map(|(group, crystal)| {
        (group.symbol.to_owned(), group.symbol, crystal.turned(tilt).at(origin))
    });
    Ok(stage.crystals(parts.collect(), layout, 2.6 * stage.width))
}
