//! Several maps of one image as the channels of a hyperstack of ImageJ, each with its name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use tiff::TiffResult;
use tiff::encoder::colortype::Gray32Float;
use tiff::encoder::{TiffEncoder, TiffKind};
use tiff::tags::Tag;

use super::{MOST_CLASSIC, failed, page_with};
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};

/// ImageJ's private tags: how long its parts are, and the parts.
const LENGTHS: Tag = Tag::Unknown(50838);
const PARTS: Tag = Tag::Unknown(50839);

/// Writes maps `[rows, cols]` with their names as 32-bit floats. Above 4 GiB it is a BigTIFF.
///
/// # Errors
/// [`Error::Io`] with the path, also where there is no map or one has no pixels.
pub fn write_maps_tiff(
    path: &Path,
    maps: &[(&str, &dyn Rows<f32>)],
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let pixels = maps.iter().map(|(_, map)| map.shape().0 * map.shape().1);
    if maps.is_empty() || pixels.clone().any(|pixels| pixels == 0) {
        let empty = "maps without pixels cannot be a TIFF";
        return Err(Error::io(path)(std::io::Error::other(empty)));
    }
    let bytes = pixels.sum::<usize>() as u64 * size_of::<f32>() as u64;
    let mut out = BufWriter::new(File::create(path).map_err(Error::io(path))?);
    let done = match bytes <= MOST_CLASSIC {
        true => TiffEncoder::new(&mut out).and_then(|mut file| all(&mut file, maps, pixel_size)),
        false => {
            TiffEncoder::new_big(&mut out).and_then(|mut file| all(&mut file, maps, pixel_size))
        }
    };
    done.map_err(|error| failed(path, error))?;
    out.flush().map_err(Error::io(path))
}

fn all<K: TiffKind>(
    file: &mut TiffEncoder<&mut BufWriter<File>, K>,
    maps: &[(&str, &dyn Rows<f32>)],
    pixel_size: Option<PixelSize>,
) -> TiffResult<()> {
    let count = maps.len();
    let display =
        format!("images={count}\nchannels={count}\nhyperstack=true\nmode=grayscale\nloop=false\n");
    let (lengths, parts) = labels(maps.iter().map(|(name, _)| *name));
    for (number, (_, map)) in maps.iter().enumerate() {
        // ImageJ reads what the first page says alone.
        let display = if number == 0 { &*display } else { "" };
        page_with::<Gray32Float, K>(file, *map, pixel_size, display, |tags| {
            if number == 0 {
                tags.write_tag(LENGTHS, &*lengths)?;
                tags.write_tag(PARTS, &*parts)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The names of the pages, as ImageJ stores them: lengths of a header and of each name, and the
/// header with what follows, of which it is in the order of bytes of the file.
fn labels<'a>(names: impl Iterator<Item = &'a str>) -> (Vec<u32>, Vec<u8>) {
    let names: Vec<Vec<u8>> = names
        .map(|name| name.encode_utf16().flat_map(|unit| unit.to_ne_bytes()).collect())
        .collect();
    // Four letters as a number: the other way round in files whose low bytes come first.
    let word = |letters: &[u8; 4]| u32::from_be_bytes(*letters).to_ne_bytes();
    let mut parts = Vec::new();
    parts.extend(word(b"IJIJ"));
    parts.extend(word(b"labl"));
    parts.extend((names.len() as u32).to_ne_bytes());
    let header = parts.len() as u32;
    let lengths = std::iter::once(header).chain(names.iter().map(|name| name.len() as u32));
    let lengths = lengths.collect();
    parts.extend(names.concat());
    (lengths, parts)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::read::ImageFile;

    #[test]
    fn maps_come_back_in_their_order() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("maps.tif");
        let map = |k: f32| Array2::from_shape_fn((30, 41), |(r, c)| k + (r * 41 + c) as f32);
        let (one, mut other) = (map(0.5), map(-7.0));
        other[(3, 4)] = f32::NAN;
        let pixel_size = Some(PixelSize { rows: 0.02, cols: 0.025 });
        let (a, b) = (one.view(), other.view());
        write_maps_tiff(&path, &[("exx", &a), ("rotation", &b)], pixel_size).unwrap();
        let file = ImageFile::open(&path).unwrap();
        let size = file.entries()[0].pixel_size().unwrap();
        assert!((size.rows - 0.02).abs() < 1e-9 && (size.cols - 0.025).abs() < 1e-9);
        assert!(write_maps_tiff(&path, &[], None).is_err());
        let names = std::fs::read(&path).unwrap();
        let utf16: Vec<u8> = "rotation".encode_utf16().flat_map(u16::to_ne_bytes).collect();
        assert!(names.windows(utf16.len()).any(|part| part == utf16));
    }
}
