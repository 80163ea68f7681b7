//! The scenes by name.

use serde::Serialize;

use super::groups::PlaneGroup;
use stemseg::{Error, Result};

/// Most grains: as many as there are labels of 8 bits.
const MOST_GRAINS: usize = 254;

/// Grains of a polycrystal, unless said otherwise.
const GRAINS: usize = 6;

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scene {
    /// Two grains of fcc, seen along \[110\] and turned by 26 degrees.
    TiltBoundary,
    /// A square lattice next to a hexagonal one.
    SquareHexagonal,
    /// An oblique inclusion in a rectangular lattice.
    RectangularOblique,
    /// L1_2-like precipitates in fcc: the same columns, every fourth brighter.
    OrderedPrecipitates,
    /// Precipitates on the matrix' lattice, with another motif.
    CoherentPrecipitates,
    /// A twin lamella and a band of stacking faults in fcc along \[110\].
    Twins,
    /// Grains of fcc along \[110\] in a Voronoi tessellation.
    Polycrystal {
        /// How many, 2 to 254.
        grains: usize,
    },
    /// The edge of a specimen: crystal, amorphous layer, vacuum.
    CrystalEdge,
    /// A polar crystal and its inverse.
    InversionDomains,
    /// One crystal of a plane group, with a random motif.
    PlaneGroup(&'static PlaneGroup),
    /// Two phases on one lattice, each of a plane group, with random motifs.
    PlaneGroups(&'static PlaneGroup, &'static PlaneGroup),
}

/// Name and description of each scene, and the lattice it is drawn with.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Lattice parameter, unless said otherwise, px.
    pub(super) cell: f64,
    /// Standard deviation of a column, relative to the lattice parameter.
    pub(super) width: f64,
}

const fn kind(name: &'static str, about: &'static str, cell: f64, width: f64) -> Kind {
    Kind { name, about, cell, width }
}

static KINDS: [Kind; 11] = [
    kind("tilt-boundary", "two grains of fcc along [110], turned by 26 degrees", 18.0, 0.125),
    kind("square-hexagonal", "a square lattice next to a hexagonal one", 12.0, 0.19),
    kind("rectangular-oblique", "an oblique inclusion in a rectangular lattice", 15.0, 0.15),
    kind("ordered-precipitates", "L1_2-like precipitates in fcc along [001]", 22.0, 0.1),
    kind(
        "coherent-precipitates",
        "precipitates on the matrix' lattice, with another motif",
        20.0,
        0.1,
    ),
    kind("twins", "fcc along [110] with a twin lamella and a band of stacking faults", 20.0, 0.12),
    kind("polycrystal", "grains of fcc along [110]", 18.0, 0.125),
    kind("crystal-edge", "a crystal, its amorphous surface, vacuum", 13.0, 0.175),
    kind("inversion-domains", "a polar honeycomb and its inverse", 20.0, 0.115),
    kind(
        "plane-group",
        "one crystal of a plane group: plane-group p4gm",
        30.0,
        super::motif::WIDTH,
    ),
    kind(
        "plane-groups",
        "two plane groups on one lattice: plane-groups p4mm p4",
        30.0,
        super::motif::WIDTH,
    ),
];

impl Scene {
    /// The scene `name`. `groups` are the symbols of plane groups for the scenes
    /// that have them, `grains` the number of grains for the polycrystal.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown scene (listing those there are), for
    /// too many or too few groups, and for what the scene does not have.
    pub fn new(name: &str, groups: &[String], grains: Option<usize>) -> Result<Self> {
        let group = |i: usize| PlaneGroup::of(&groups[i]);
        let scene = match (name, groups.len()) {
            ("tilt-boundary", 0) => Self::TiltBoundary,
            ("square-hexagonal", 0) => Self::SquareHexagonal,
            ("rectangular-oblique", 0) => Self::RectangularOblique,
            ("ordered-precipitates", 0) => Self::OrderedPrecipitates,
            ("coherent-precipitates", 0) => Self::CoherentPrecipitates,
            ("twins", 0) => Self::Twins,
            ("polycrystal", 0) => Self::Polycrystal { grains: grains.unwrap_or(GRAINS) },
            ("crystal-edge", 0) => Self::CrystalEdge,
            ("inversion-domains", 0) => Self::InversionDomains,
            ("plane-group", 1) => Self::PlaneGroup(group(0)?),
            ("plane-groups", 2) => Self::PlaneGroups(group(0)?, group(1)?),
            _ => return Err(misnamed(name, groups)),
        };
        match (scene, grains) {
            (Self::Polycrystal { grains }, _) if !(2..=MOST_GRAINS).contains(&grains) => {
                let reason = format!("there can be 2 to {MOST_GRAINS}");
                Err(Error::parameter("grains", grains, reason))
            }
            (Self::Polycrystal { .. }, _) | (_, None) => Ok(scene),
            (_, Some(grains)) => {
                Err(Error::parameter("grains", grains, "only the scene polycrystal has them"))
            }
        }
    }

    /// Names of the scenes, each with a line about it.
    pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
        KINDS.iter().map(|kind| (kind.name, kind.about))
    }

    /// The name with the plane groups, as a file name: `plane-groups-p4mm-p4`.
    pub fn name(&self) -> String {
        let name = self.kind().name;
        match self {
            Self::PlaneGroup(group) => format!("{name}-{}", group.symbol),
            Self::PlaneGroups(one, two) => format!("{name}-{}-{}", one.symbol, two.symbol),
            _ => name.to_owned(),
        }
    }

    pub(super) fn kind(&self) -> &'static Kind {
        &KINDS[match self {
            Self::TiltBoundary => 0,
            Self::SquareHexagonal => 1,
            Self::RectangularOblique => 2,
            Self::OrderedPrecipitates => 3,
            Self::CoherentPrecipitates => 4,
            Self::Twins => 5,
            Self::Polycrystal { .. } => 6,
            Self::CrystalEdge => 7,
            Self::InversionDomains => 8,
            Self::PlaneGroup(_) => 9,
            Self::PlaneGroups(..) => 10,
        }]
    }
}

/// What is wrong with a scene that does not exist in this form.
fn misnamed(name: &str, groups: &[String]) -> Error {
    let given = [&[name.to_owned()], groups].concat().join(" ");
    let reason = match name {
        "plane-group" => "give one plane group, for example plane-group p4gm".to_owned(),
        "plane-groups" => "give two plane groups, for example plane-groups p4mm p4".to_owned(),
        _ if KINDS.iter().any(|kind| kind.name == name) => {
            format!("only plane-group and plane-groups take plane groups; give {name} alone")
        }
        _ => {
            let all: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            format!("no such scene; there are {}", all.join(", "))
        }
    };
    Error::parameter("scene", given, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_its_scene() {
        for (name, _) in Scene::list() {
            let groups: &[&str] = match name {
                "plane-group" => &["p4g"],
                "plane-groups" => &["p6mm", "p3"],
                _ => &[],
            };
            let groups: Vec<String> = groups.iter().map(|&g| g.to_owned()).collect();
            let scene = Scene::new(name, &groups, None).unwrap();
            assert_eq!(scene.kind().name, name);
            assert!(scene.name().starts_with(name));
        }
        let p4g = Scene::PlaneGroup(PlaneGroup::of("p4g").unwrap());
        assert_eq!(p4g.name(), "plane-group-p4gm");
    }

    #[test]
    fn what_a_scene_has_not_is_refused() {
        let message = |name, groups: &[&str], grains| {
            let groups: Vec<String> = groups.iter().map(|&g| g.to_owned()).collect();
            Scene::new(name, &groups, grains).unwrap_err().to_string()
        };
        assert!(message("tilt", &[], None).contains("inversion-domains"));
        assert!(message("twins", &["p4"], None).contains("give twins alone"));
        assert!(message("plane-group", &[], None).contains("one plane group"));
        assert!(message("plane-groups", &["p4"], None).contains("two plane groups"));
        assert!(message("plane-groups", &["p4", "p5"], None).contains("no such plane group"));
        assert!(message("twins", &[], Some(3)).contains("only the scene polycrystal"));
        for grains in [0, 1, 255] {
            assert!(message("polycrystal", &[], Some(grains)).contains("2 to 254"));
        }
    }
}
