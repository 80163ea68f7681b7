//! The figures of the report one by one, in the folder `figures`: plots as SVG, maps as PNG.

use std::path::Path;

use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::{Error, Result};
use stemseg_report::html::{FIGURES, figures};
use stemseg_report::maps::{self, Map};

/// The folder that they are in.
pub(super) const FOLDER: &str = "figures";

/// The map of confidence, which every result has.
const CONFIDENCE: &str = "confidence.png";

/// The maps of strain, where they are wanted.
const STRAIN: &str = "strain.png";

/// The name of a file that is there whatever is found.
pub(super) fn always() -> String {
    format!("{FOLDER}/{CONFIDENCE}")
}

/// Names of all files that there may be.
pub(super) fn all() -> impl Iterator<Item = String> {
    let maps = [CONFIDENCE, STRAIN];
    FIGURES.into_iter().chain(maps).map(|name| format!("{FOLDER}/{name}"))
}

/// Writes those of a result into `folder`, with maps of strain where there are any.
pub(super) fn write(
    folder: &Path,
    (found, patterns): (&Segmentation, &Patterns),
    strain: &[Map],
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(Error::io(&path))
    };
    for figure in figures(found, patterns) {
        write(figure.name, figure.svg.as_bytes())?;
    }
    let confidence = maps::confidence(found, patterns);
    write(CONFIDENCE, &maps::sheet("Confidence", &[confidence]).png())?;
    match strain.is_empty() {
        true => Ok(()),
        false => write(STRAIN, &maps::sheet("Strain", strain).png()),
    }
}
