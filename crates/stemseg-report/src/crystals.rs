//! The crystals in `summary.json`.

use serde::Serialize;
use stemseg::labels::boundary::Boundary;
use stemseg_crystals::{Common, Crystals, Interface, Numbers, Pattern};

/// What repeats in the regions of a label.
#[derive(Debug, Clone, Serialize)]
pub struct LabelLattice {
    /// The label.
    pub label: u16,
    /// The lattice, or why there is none.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Number of the regions that have it, and of those that have a lattice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<[usize; 2]>,
    /// Share of the label's pixels in regions that have it, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The lattice that its regions have.
    #[serde(skip)]
    pub common: Option<Common>,
}

impl LabelLattice {
    /// Of each label, the lowest first.
    pub fn all(crystals: &Crystals) -> Vec<Self> {
        let of = |pattern: &Pattern| {
            let found = pattern.found.as_ref();
            let common = found.ok();
            Self {
                label: pattern.label,
                numbers: Numbers::new(found.map(Into::into).map_err(|e| *e)),
                regions: common.map(|common| common.regions),
                share: common.map(|common| common.share),
                common: common.cloned(),
            }
        };
        crystals.patterns.iter().map(of).collect()
    }
}

/// The boundary between two labels.
#[derive(Debug, Clone, Serialize)]
pub struct LabelBoundary {
    /// The labels, and how long it is.
    #[serde(flatten)]
    pub boundary: Boundary,
    /// Its direction, and how the crystals on both sides are related, where that was looked at.
    #[serde(flatten)]
    pub interface: Option<Interface>,
}
