//! [`Output`]: what is written, and where. The files of a result folder are named, made and
//! compared here.

mod boundaries;
pub(crate) mod earlier;
mod figures;
pub(crate) mod formats;
mod lattices;
pub(crate) mod names;
mod pages;
mod regions;
pub(crate) mod strain;
pub(crate) mod symmetry_maps;
pub(crate) mod write;

use std::path::PathBuf;

use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};
use stemseg_crystals::KnownLattice;
use stemseg_files::write::LabelType;
use stemseg_report::overlay::{OverlayOptions, Style};

use self::formats::Format;

/// What is written, and where.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Output {
    /// Folder for the result, with several images or a folder for one `NAME.stemseg` each; by
    /// default `NAME.stemseg` next to the image.
    pub place: Option<PathBuf>,
    /// Whether an earlier result is replaced: the files that its summary.json lists, nothing
    /// else. No by default.
    pub force: bool,
    /// Formats of the label map: TIFF and npy by default.
    pub formats: Vec<Format>,
    /// Integers of stored labels; by default 8 bits, and 16 above 254 labels.
    pub label_type: Option<LabelType>,
    /// How labels are shown in `overlay.png`: as tints by default.
    pub overlay: Style,
    /// Share of the label's colour in a tinted pixel, 0 to 1; by default
    /// [`OverlayOptions::ALPHA`].
    pub alpha: Option<f32>,
    /// Whether `report.html`, `features.png` and `channels.png` are written: yes by default.
    pub report: bool,
    /// Whether the lattices of regions are looked for, and how those that touch are related: yes by
    /// default.
    pub lattices: bool,
    /// The words of the command that asked for the run, for the report: none by default.
    pub command: Vec<String>,
    /// What else is written: nothing by default.
    pub save: Vec<Save>,
    /// A lattice that is known, by which the size of pixels and the distortion of the scan are told:
    /// none by default.
    pub known_lattice: Option<KnownLattice>,
    /// Row and column of a pixel, px, in the region that strain is relative to; by default it is
    /// relative to each region's own mean lattice.
    pub strain_reference: Option<[usize; 2]>,
}

/// What else can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Save {
    /// `descriptors.npy`, `[site rows, site columns, D]`.
    Descriptors,
    /// `features.npy`, `[site rows, site columns, q]`.
    Features,
    /// `strain.tif`, five maps `[rows, cols]`: exx, eyy, exy, rotation and error.
    Strain,
    /// The folder `figures` with the figures of the report one by one: plots as SVG, maps as PNG.
    Figures,
    /// The folder `maps` with symmetry scores before pooling, of rotation, reflection and glide.
    Maps,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            place: None,
            force: false,
            formats: vec![Format::Tiff, Format::Npy],
            label_type: None,
            overlay: Style::Tint,
            alpha: None,
            report: true,
            lattices: true,
            command: Vec::new(),
            save: Vec::new(),
            known_lattice: None,
            strain_reference: None,
        }
    }
}

impl Output {
    /// Checks what can be checked without an image, for these families and numbers of patterns.
    ///
    /// # Errors
    /// [`Error::Parameter`] for maps that none of the families has, for the strength of a tint
    /// that is not drawn, for formats that this build leaves out, and for integers that are too small for the labels.
    pub fn check(&self, families: &[&str], clusters: &[usize]) -> Result<()> {
        if self.saves(Save::Maps) {
            symmetry_maps::check(families)?;
        }
        if let (Some(KnownLattice { a_nm, .. }), false) = (self.known_lattice, self.lattices) {
            let reason = "it is held against lattices; leave `no-lattices` out";
            return Err(Error::parameter("known-lattice", format!("{a_nm}nm"), reason));
        }
        if self.saves(Save::Strain) && !self.lattices {
            let reason = "strain is that of lattices; leave `no-lattices` out";
            return Err(Error::parameter("save", "strain", reason));
        }
        if let (Some([row, col]), false) = (self.strain_reference, self.saves(Save::Strain)) {
            let reason = "it belongs to `save = strain`; give that too";
            return Err(Error::parameter("strain-reference", format!("{row},{col}"), reason));
        }
        if let (Style::Lines, Some(alpha)) = (self.overlay, self.alpha) {
            let reason = "`overlay = lines` draws no tint; leave it out, or give `overlay = both`";
            return Err(Error::parameter("overlay-alpha", alpha, reason));
        }
        self.formats.iter().try_for_each(|format| format.check())?;
        let most = clusters.iter().copied().max().unwrap_or(0);
        let most = u16::try_from(most).unwrap_or(u16::MAX);
        self.label_type_for(most).check(most)
    }

    /// Whether `what` is written.
    pub fn saves(&self, what: Save) -> bool {
        self.save.contains(&what)
    }

    /// The integers in which labels up to `most` are stored.
    pub(crate) fn label_type_for(&self, most: u16) -> LabelType {
        self.label_type.unwrap_or(LabelType::least(most))
    }

    /// How the overlay is drawn.
    pub(crate) fn overlay_options(&self, pixel_size: Option<PixelSize>) -> OverlayOptions {
        let alpha = self.alpha.unwrap_or(OverlayOptions::ALPHA);
        OverlayOptions { style: self.overlay, alpha, pixel_size }
    }
}
