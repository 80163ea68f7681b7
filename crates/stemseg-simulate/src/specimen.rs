//! What a scene consists of before it is looked at: phases, where they lie, and
//! the atom columns.

use super::crystal::{Column, Crystal};
use super::lattice::{Vector, vector};
use super::random::Random;
use super::region::{Packing, Warp};
use super::{Boundary, Phase, Settings};
use stemseg::sites::Extent;

/// Columns this far outside the image are there too, px: what the jitter of the
/// scan and the width of a column can bring into it.
pub(super) const MARGIN: f64 = 32.0;

/// Whether a place lies in the image or at most [`MARGIN`] outside.
pub(super) fn is_near(place: Vector, size: Extent) -> bool {
    let near = |v: f64, side: usize| v > -MARGIN && v < side as f64 + MARGIN;
    near(place.x, size.cols) && near(place.y, size.rows)
}

/// Index of the phase at a place.
pub(super) type Layout = Box<dyn Fn(Vector) -> usize + Send + Sync>;

/// A specimen with its true phases.
pub(super) struct Specimen {
    pub(super) phases: Vec<Phase>,
    pub(super) layout: Layout,
    pub(super) columns: Vec<Column>,
    /// Share of the background's level at a place.
    pub(super) thickness: Box<dyn Fn(Vector) -> f64 + Send + Sync>,
}

/// What a scene is built from.
pub(super) struct Stage<'a> {
    pub(super) settings: &'a Settings,
    /// Lattice parameter, px.
    pub(super) cell: f64,
    /// Standard deviation of a column, px.
    pub(super) width: f64,
    /// For the shapes of the phases, and for their motifs.
    pub(super) geometry: Random,
    pub(super) motif: Random,
}

impl Stage<'_> {
    pub(super) fn size(&self) -> Extent {
        self.settings.size
    }

    pub(super) fn centre(&self) -> Vector {
        vector(self.size().cols as f64 / 2.0, self.size().rows as f64 / 2.0)
    }

    /// A small angle, degrees: no specimen lies quite straight.
    pub(super) fn tilt(&mut self) -> f64 {
        self.geometry.between(-9.0, 9.0)
    }

    /// A place for a crystal's origin.
    pub(super) fn origin(&mut self) -> Vector {
        let side = 4.0 * self.cell;
        let offset = vector(self.geometry.between(0.0, side), self.geometry.between(0.0, side));
        self.centre() + offset
    }

    pub(super) fn warp(&mut self) -> Warp {
        Warp::new(self.settings.boundary, self.size(), &mut self.geometry)
    }

    /// 0 to the left and 1 to the right of a steep boundary near the middle.
    pub(super) fn upright_boundary(&mut self) -> Layout {
        let centre = self.centre();
        let shift = self.geometry.between(-0.06, 0.06) * self.size().cols as f64;
        let normal = vector(1.0, 0.0).turned(self.geometry.between(-14.0, 14.0));
        let warp = self.warp();
        Box::new(move |place| usize::from((warp.apply(place) - centre).dot(normal) > shift))
    }

    /// 1 in inclusions, 0 around them; with straight boundaries they have facets
    /// turned by `degrees`.
    pub(super) fn inclusions(&mut self, count: usize, radii: [f64; 2], degrees: f64) -> Layout {
        let warp = self.warp();
        let facets = (self.settings.boundary == Boundary::Straight).then_some(degrees);
        let size = self.size();
        let inclusions =
            super::region::Inclusions::new(count, radii, facets, warp, size, &mut self.geometry);
        Box::new(move |place| usize::from(inclusions.hold(place)))
    }

    /// The crystals where the layout has them. A column is left out where it
    /// would be nearer than `apart` px to one of an earlier crystal.
    pub(super) fn fill(&self, crystals: &[Crystal], layout: &Layout, apart: f64) -> Vec<Column> {
        let mut packing = Packing::new(self.size(), apart);
        let mut columns = Vec::new();
        for (phase, crystal) in crystals.iter().enumerate() {
            let first = columns.len();
            let here =
                crystal.over(self.size(), MARGIN).filter(|column| layout(column.at) == phase);
            columns.extend(here.filter(|column| packing.has_room(column.at)));
            columns[first..].iter().for_each(|column: &Column| packing.insert(column.at));
        }
        columns
    }

    /// A specimen of crystals, each with its name and plane group.
    pub(super) fn crystals(
        &self,
        parts: Vec<(String, &'static str, Crystal)>,
        layout: Layout,
        apart: f64,
    ) -> Specimen {
        let mut phases = Vec::new();
        let mut crystals = Vec::new();
        for (name, group, crystal) in parts {
            phases.push(Phase::crystal(name, group, &crystal.lattice));
            crystals.push(crystal);
        }
        let columns = self.fill(&crystals, &layout, apart);
        Specimen { phases, layout, columns, thickness: Box::new(|_| 1.0) }
    }
}
