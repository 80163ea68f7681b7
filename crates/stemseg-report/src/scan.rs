//! What is said of a scan that distorts the image.

use serde_json::Value;
use stemseg::remarks::{Code, Warning};
use stemseg_crystals::ScanDistortion;

/// The warning that the scan is distorted.
pub fn warning(found: &ScanDistortion) -> Warning {
    let text = format!(
        "the scan makes everything {} % longer along {:.0} degrees than across that, as {} crystals that are turned \
         against each other say alike; lattices, angles and areas are off by as much (scan_distortion in \
         summary.json has what puts it right)",
        crate::with_error(100.0 * found.stretch, 100.0 * found.stretch_error),
        found.direction_deg,
        found.labels.len()
    );
    Warning::new(Code::ScanDistortion, text)
        .with("stretch", found.stretch)
        .with("stretch_error", found.stretch_error)
        .with("direction_deg", found.direction_deg)
}

/// The same of the results in a `summary.json`; of several numbers of patterns the first that says so.
pub fn warning_of(summary: &Value) -> Option<Warning> {
    let several = summary["results"].as_array().map(Vec::as_slice);
    let results = several.unwrap_or(std::slice::from_ref(summary));
    let found = |result: &Value| serde_json::from_value(result["scan_distortion"].clone()).ok();
    results.iter().find_map(found).as_ref().map(warning)
}
