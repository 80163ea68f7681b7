//! In `summary.json`: what a known lattice says of pixels and scan.

use serde::Serialize;
use stemseg::image::micrograph::PixelSize;
use stemseg_crystals::{Calibration, Crystals, KnownLattice};

/// Relative difference from the file's pixel sizes from which on these are wrong.
const WRONG: f64 = 0.02;

/// What a known lattice says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibrated {
    /// The lattice.
    pub known: KnownLattice,
    /// What follows, in a sentence.
    pub says: String,
    /// What it says; nothing where no label has it.
    #[serde(flatten)]
    pub found: Option<ByLattice>,
}

/// What the lattice of a label says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByLattice {
    /// The label.
    pub label: u16,
    /// Width of a pixel, nm, and its standard error.
    pub pixel_width_nm: f64,
    /// See [`pixel_width_nm`](Self::pixel_width_nm).
    pub pixel_width_nm_error: f64,
    /// Height of a pixel, nm, and its standard error.
    pub pixel_height_nm: f64,
    /// See [`pixel_height_nm`](Self::pixel_height_nm).
    pub pixel_height_nm_error: f64,
    /// By how much the rows' direction is more than a right angle from the columns', degrees, and its
    /// standard error.
    pub skew_deg: f64,
    /// See [`skew_deg`](Self::skew_deg).
    pub skew_deg_error: f64,
    /// How much longer the scan makes one direction than another, relative.
    pub distortion: f64,
    /// See [`Calibration::affine_nm`].
    pub affine_nm: [[f64; 2]; 2],
    /// Whether the sizes in the file are more than 2 % off; nothing where it has none.
    pub file_is_wrong: Option<bool>,
}

impl Calibrated {
    /// By the `crystals` of an image whose pixels have this size in its file.
    pub fn new(crystals: &Crystals, known: KnownLattice, size: Option<PixelSize>) -> Self {
        let pixel = size.map(|size| [size.rows, size.cols]);
        let of = |found: Calibration| {
            let off = size.map(|size| {
                let (width, height) = (found.width_nm, found.height_nm);
                let off = |own: f64, file: f64| (own / file - 1.0).abs();
                off(width.value, size.cols).max(off(height.value, size.rows))
            });
            ByLattice {
                label: found.label,
                pixel_width_nm: found.width_nm.value,
                pixel_width_nm_error: found.width_nm.error,
                pixel_height_nm: found.height_nm.value,
                pixel_height_nm_error: found.height_nm.error,
                skew_deg: found.skew_deg.value,
                skew_deg_error: found.skew_deg.error,
                distortion: found.distortion,
                affine_nm: found.affine_nm,
                file_is_wrong: off.map(|off| off > WRONG),
            }
        };
        let found = Calibration::new(crystals, &known, pixel).map(of);
        Self { known, says: says(&known, found.as_ref()), found }
    }
}

fn says(known: &KnownLattice, found: Option<&ByLattice>) -> String {
    let KnownLattice { a_nm, b_nm, gamma_deg } = known;
    let Some(found) = found else {
        return format!(
            "no label has a lattice of {a_nm} nm, {b_nm} nm and {gamma_deg} degrees within 10 % of \
                 distortion, so nothing is calibrated by it"
        );
    };
    let number = crate::with_error;
    let (width, height) = (
        number(found.pixel_width_nm, found.pixel_width_nm_error),
        number(found.pixel_height_nm, found.pixel_height_nm_error),
    );
    let skew = number(found.skew_deg, found.skew_deg_error);
    let what = format!(
        "by the lattice of label {} a pixel is {width} nm wide and {height} nm high, and the scan is skewed by \
             {skew} degrees",
        found.label
    );
    let give = format!("{:.6}nmx{:.6}nm", found.pixel_height_nm, found.pixel_width_nm);
    match found.file_is_wrong {
        Some(false) => format!("{what}; the sizes in the file are right within 2 %"),
        Some(true) => {
            format!("{what}; the sizes in the file are wrong by more than 2 %: take {give}")
        }
        None => format!("{what}; the file has no size: take {give}"),
    }
}
