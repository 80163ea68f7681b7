//! Regions that are too small go to their neighbours.

use stemseg::Result;
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;
use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::wording::Text;
use stemseg_regions::Regions;

use crate::area::Area;

/// In `found`, of an image with pixels of `size`, gives regions below `least` to neighbours; a
/// sentence on each result in which there were any.
pub(crate) fn absorb(
    found: &mut Segmentation,
    least: Option<Area>,
    size: Option<PixelSize>,
) -> Result<Vec<Text>> {
    let Some(least) = least else { return Ok(Vec::new()) };
    let least = least.pixels("least-region", size)?;
    let several = found.results.len() > 1;
    let note = |patterns: &mut Patterns| {
        let of =
            if several { format!("k = {}: ", patterns.map.areas.len()) } else { String::new() };
        Some(Text::from(of + &absorb_in(patterns, least)?))
    };
    Ok(found.results.iter_mut().filter_map(note).collect())
}

/// The same in one result.
fn absorb_in(patterns: &mut Patterns, least: f64) -> Option<String> {
    let regions = Regions::new(&patterns.map, None, None);
    let labels = regions.absorbed(least);
    let changes = regions.changes(&labels);
    if changes.is_empty() {
        return None;
    }
    let gone = regions.all().iter().zip(&labels).filter(|(region, label)| region.label != **label);
    let (mut count, mut pixels) = (0, 0);
    for (region, _) in gone {
        (count, pixels) = (count + 1, pixels + region.area_px);
    }
    let before = patterns.map.sites.clone();
    patterns.map.give(changes);
    patterns.memberships = match patterns.map.memberships() {
        Some(memberships) => memberships,
        None => {
            // Nothing is known of how much a site belongs to the label that it was given.
            let sites = before.iter().zip(&patterns.map.sites).filter(|(before, _)| **before > 0);
            let kept = sites.zip(&patterns.memberships);
            kept.map(|((before, after), &own)| if before == after { own } else { 0.0 }).collect()
        }
    };
    let (rows, cols) = patterns.map.shape();
    let share = 100.0 * pixels as f64 / (rows * cols) as f64;
    let (noun, verb) = if count == 1 { ("region", "was") } else { ("regions", "were") };
    Some(format!(
        "{count} {noun} of less than {least:.0} px {verb} given to neighbours: {share:.2} % of the image"
    ))
}
