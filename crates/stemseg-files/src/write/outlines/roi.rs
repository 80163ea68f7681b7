//! Regions of interest of ImageJ and Fiji, as their *ROI Manager* opens them: a zip of files in
//! the format of `ij.io.RoiEncoder`, big-endian.
//!
//! A region without holes is a polygon along corners of pixels, as the magic wand traces it. One with
//! holes, and one too large for 16 bits, is a composite: a path of floats. Each is in the group of
//! its label, and drawn in its colour.

use std::io::{Cursor, Write};
use std::path::Path;

use stemseg::{Error, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{OutlinedRegion, Outlines, Ring, save};

/// Bytes of the header, and of the second one.
const HEADER: usize = 64;
/// The first version that has groups.
const VERSION: u16 = 228;
/// Kinds of regions: a rectangle, of which composites are a kind, and a traced polygon.
const RECTANGLE: u8 = 1;
const TRACED: u8 = 8;
/// Segments of a path.
const MOVE_TO: f32 = 0.0;
const LINE_TO: f32 = 1.0;
const CLOSE: f32 = 4.0;
/// ImageJ reads coordinates with a sign.
const MOST: u32 = i16::MAX as u32;

/// Writes the regions as `NUMBER-LABEL.roi` in a zip.
///
/// # Errors
/// [`Error::Io`] where the system refuses.
pub fn write_rois(path: &Path, outlines: &Outlines<'_>) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    zipped(&mut bytes, outlines).map_err(Error::io(path))?;
    save(path, bytes.get_ref())
}

fn zipped(to: &mut Cursor<Vec<u8>>, outlines: &Outlines<'_>) -> std::io::Result<()> {
    let mut zip = ZipWriter::new(to);
    // The same regions give the same bytes, whatever the day.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    for region in &outlines.regions {
        let name = format!("{:05}-label-{}", region.region, region.label);
        zip.start_file(format!("{name}.roi"), options)?;
        zip.write_all(&encoded(region, &name))?;
    }
    zip.finish()?;
    Ok(())
}

/// A region as a file of its own.
fn encoded(region: &OutlinedRegion, name: &str) -> Vec<u8> {
    let corners = region.rings.iter().flatten();
    let [top, left] = [0, 1].map(|axis| corners.clone().map(|c| c[axis]).min().unwrap_or(0));
    let [bottom, right] = [0, 1].map(|axis| corners.clone().map(|c| c[axis]).max().unwrap_or(0));
    let polygon = match &region.rings[..] {
        [ring] if ring.len() <= usize::from(u16::MAX) && bottom.max(right) <= MOST => Some(ring),
        _ => None,
    };
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(b"Iout");
    put(&mut bytes, 4, VERSION.to_be_bytes());
    bytes[6] = if polygon.is_some() { TRACED } else { RECTANGLE };
    for (at, side) in [(8, top), (10, left), (12, bottom), (14, right)] {
        put(&mut bytes, at, (side.min(MOST) as u16).to_be_bytes());
    }
    let [r, g, b] = region.colour;
    put(&mut bytes, 40, [u8::MAX, r, g, b]);
    match polygon {
        Some(ring) => {
            put(&mut bytes, 16, (ring.len() as u16).to_be_bytes());
            for (axis, from) in [(1, left), (0, top)] {
                let places = ring.iter().map(|corner| (corner[axis] - from) as u16);
                bytes.extend(places.flat_map(u16::to_be_bytes));
            }
        }
        None => {
            let path = path(&region.rings);
            put(&mut bytes, 36, (path.len() as u32).to_be_bytes());
            bytes.extend(path.into_iter().flat_map(f32::to_be_bytes));
        }
    }
    let second = bytes.len();
    put(&mut bytes, 60, (second as u32).to_be_bytes());
    bytes.resize(second + HEADER, 0);
    let units: Vec<u16> = name.encode_utf16().collect();
    put(&mut bytes, second + 16, ((second + HEADER) as u32).to_be_bytes());
    put(&mut bytes, second + 20, (units.len() as u32).to_be_bytes());
    bytes[second + 30] = u8::try_from(region.label).unwrap_or(0);
    bytes.extend(units.into_iter().flat_map(u16::to_be_bytes));
    bytes
}

/// Segments of all rings, x before y.
fn path(rings: &[Ring]) -> Vec<f32> {
    let mut path = Vec::new();
    for ring in rings {
        for (i, [row, col]) in ring.iter().enumerate() {
            path.extend([if i == 0 { MOVE_TO } else { LINE_TO }, *col as f32, *row as f32]);
        }
        path.push(CLOSE);
    }
    path
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::tests::{ring_and_pixel, written};
    use super::*;

    fn short(bytes: &[u8], at: usize) -> u16 {
        u16::from_be_bytes([bytes[at], bytes[at + 1]])
    }

    fn int(bytes: &[u8], at: usize) -> usize {
        u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    /// The rings of a file after the rules of `ij.io.RoiDecoder`, as x and y.
    fn decoded(bytes: &[u8]) -> Vec<Vec<[f32; 2]>> {
        assert_eq!(&bytes[..4], b"Iout");
        let (top, left) = (short(bytes, 8) as f32, short(bytes, 10) as f32);
        if bytes[6] == TRACED {
            let count = short(bytes, 16) as usize;
            let at = |axis: usize, i: usize| short(bytes, HEADER + 2 * (axis * count + i)) as f32;
            return vec![(0..count).map(|i| [left + at(0, i), top + at(1, i)]).collect()];
        }
        assert_eq!(bytes[6], RECTANGLE);
        let float = |i: usize| f32::from_bits(int(bytes, HEADER + 4 * i) as u32);
        let (mut rings, mut i) = (Vec::new(), 0);
        while i < int(bytes, 36) {
            match float(i) {
                CLOSE => i += 1,
                kind => {
                    if kind == MOVE_TO {
                        rings.push(Vec::new());
                    }
                    rings.last_mut().unwrap().push([float(i + 1), float(i + 2)]);
                    i += 3;
                }
            }
        }
        rings
    }

    fn as_points(rings: &[Ring]) -> Vec<Vec<[f32; 2]>> {
        let point = |corner: &[u32; 2]| [corner[1] as f32, corner[0] as f32];
        rings.iter().map(|ring| ring.iter().map(point).collect()).collect()
    }

    #[test]
    fn regions_read_back_by_the_rules_of_imagej() {
        let mut zip = zip::ZipArchive::new(Cursor::new(written(write_rois))).unwrap();
        let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["00001-label-1.roi", "00002-label-2.roi"]);
        for (name, region) in names.iter().zip(ring_and_pixel().regions) {
            let mut bytes = Vec::new();
            zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(decoded(&bytes), as_points(&region.rings));
            assert_eq!(bytes[40..44], [255, 230, 159, region.label as u8]);
            let second = int(&bytes, 60);
            assert_eq!(u16::from(bytes[second + 30]), region.label);
            let (from, units) = (int(&bytes, second + 16), int(&bytes, second + 20));
            let units: Vec<u16> = (0..units).map(|i| short(&bytes, from + 2 * i)).collect();
            assert_eq!(String::from_utf16(&units).unwrap() + ".roi", *name);
            let sides = [8, 10, 12, 14].map(|at| short(&bytes, at));
            assert_eq!(sides, if region.label == 1 { [0, 1, 3, 4] } else { [1, 2, 2, 3] });
        }
    }

    #[test]
    fn what_16_bits_do_not_hold_becomes_a_path() {
        let mut region = ring_and_pixel().regions.remove(1);
        region.rings = vec![vec![[0, 0], [0, 40_000], [1, 40_000], [1, 0]]];
        let bytes = encoded(&region, "large");
        assert_eq!(bytes[6], RECTANGLE);
        assert_eq!(decoded(&bytes), as_points(&region.rings));
        // A staircase of many corners.
        let stairs = (0..33_000).flat_map(|i| [[i % 3000, i / 3], [i % 3000 + 1, i / 3]]);
        region.rings = vec![stairs.collect()];
        assert_eq!(decoded(&encoded(&region, "many")), as_points(&region.rings));
    }
}
