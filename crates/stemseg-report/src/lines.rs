//! The lines of boundaries in `summary.json`.

use serde::Serialize;
use stemseg_regions::junctions::TriplePoint;
use stemseg_regions::lines::BoundaryLines;

/// How many lines and triple points there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinesFound {
    /// Number of the lines along which two regions meet.
    pub lines: usize,
    /// Number of the points at which three regions meet, or four.
    pub triple_points: usize,
    /// Lines are smoothed by curves through what lies up to this far to both sides, px.
    pub smoothing_px: f64,
    /// Distance over which places of a line depend on each other, px. Dihedral angles are those of
    /// straight lines from 1.5 to 5.5 times as far from the triple point.
    pub resolution_px: f64,
    /// The triple points.
    #[serde(skip)]
    pub points: Vec<TriplePoint>,
}

impl From<&BoundaryLines> for LinesFound {
    fn from(BoundaryLines { lines, triple_points, scales, .. }: &BoundaryLines) -> Self {
        Self {
            lines: lines.len(),
            triple_points: triple_points.len(),
            smoothing_px: scales.smoothing_px,
            resolution_px: scales.resolution_px,
            points: triple_points.clone(),
        }
    }
}
