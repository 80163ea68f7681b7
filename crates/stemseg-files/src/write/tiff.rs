//! Label maps and other maps as TIFF, calibrated for ImageJ/Fiji, HyperSpy and
//! DigitalMicrograph.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bytemuck::Pod;
use flate2::write::ZlibEncoder;
use rayon::prelude::*;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, Gray32, Gray32Float};
use tiff::encoder::{DirectoryEncoder, Rational, TiffEncoder, TiffKind};
use tiff::tags::{CompressionMethod, PhotometricInterpretation, ResolutionUnit, Tag};
use tiff::{TiffError, TiffResult};

use super::label_type::{LabelType, Labels, most_of};
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::{self, Rows};
use stemseg::sites::blocks;
use stemseg::{Error, Result};

/// Number of the last colour of a table.
const MOST_COLOURS: u16 = 255;

/// Bytes of a strip before compression, about.
const STRIP_BYTES: usize = 1 << 18;

type Tags<'a, 'w, K> = DirectoryEncoder<'a, &'w mut BufWriter<File>, K>;

/// Strips that are compressed at once.
const STRIPS: usize = 64;

/// Most bytes of values in a classic TIFF, whose offsets have 32 bits; deflate
/// may add a little, tags come to a few kilobytes.
const MOST_CLASSIC: u64 = (1 << 32) - (1 << 24);

/// Writes `labels` `[rows, cols]` as integers of the type `kind` with a colour table
/// from `palette` (label 0 black). The stored values are the labels.
///
/// In 8 bits it is the table of a palette image. A wider grey image has the same
/// table of 256 colours, which ImageJ spreads over the range of the labels, and
/// others ignore.
///
/// # Errors
/// [`Error::Io`] with the path, also for an image without pixels;
/// [`Error::Parameter`] for labels that `kind` does not hold.
pub fn write_labels_tiff(
    path: &Path,
    labels: &dyn Rows<u16>,
    kind: LabelType,
    palette: impl Fn(usize) -> [u8; 3],
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let most = most_of(labels);
    kind.check(most)?;
    let shown = most.max(MOST_COLOURS);
    let range = format!("min=0.0\nmax={shown}.0\n");
    let colours = colour_map(palette, shown);
    let labels = Labels(labels);
    match kind {
        LabelType::U8 => encode::<Gray8>(path, &labels, pixel_size, "", Some(&colours)),
        LabelType::U16 => encode::<Gray16>(path, &labels, pixel_size, &range, Some(&colours)),
        LabelType::U32 => encode::<Gray32>(path, &labels, pixel_size, &range, Some(&colours)),
    }
}

/// Writes `map` `[rows, cols]` (a confidence, a score) as 32-bit floats.
///
/// # Errors
/// [`Error::Io`] with the path, also for an image without pixels.
pub fn write_map_tiff(
    path: &Path,
    map: &dyn Rows<f32>,
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let widen = |range: &mut (f32, f32), line: &[f32]| {
        for &v in line.iter().filter(|v| v.is_finite()) {
            *range = (range.0.min(v), range.1.max(v));
        }
    };
    let none = || (f32::INFINITY, f32::NEG_INFINITY);
    let (low, high) = rows::fold(map, none, widen, |a, b| (a.0.min(b.0), a.1.max(b.1)));
    let range = if low < high { format!("min={low}\nmax={high}\n") } else { String::new() };
    encode::<Gray32Float>(path, map, pixel_size, &range, None)
}

/// Writes `counts` `[rows, cols]` (an image) as 16-bit integers.
///
/// # Errors
/// [`Error::Io`] with the path, also for an image without pixels.
pub fn write_counts_tiff(
    path: &Path,
    counts: &dyn Rows<u16>,
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let range = format!("min=0.0\nmax={}.0\n", most_of(counts));
    encode::<Gray16>(path, counts, pixel_size, &range, None)
}

/// All reds, all greens, all blues, 16 bits each; ImageJ takes the high byte. The
/// 256 colours stand for values from 0 to `shown`: ImageJ shows the value `v` in
/// colour number `v * 256 / (shown + 1)`, rounded.
fn colour_map(palette: impl Fn(usize) -> [u8; 3], shown: u16) -> Vec<u16> {
    let step = (f64::from(shown) + 1.0) / 256.0;
    let label = |colour: usize| (colour as f64 * step).round() as usize;
    let colours: Vec<[u8; 3]> =
        (0..256).map(|c| if c == 0 { [0; 3] } else { palette(label(c)) }).collect();
    (0..3).flat_map(|c| colours.iter().map(move |rgb| u16::from(rgb[c]) * 257)).collect()
}

/// Writes one image; `display` goes into ImageJ's description, `colours` is a
/// colour table. Above 4 GiB it is a BigTIFF.
fn encode<C: ColorType>(
    path: &Path,
    image: &dyn Rows<C::Inner>,
    pixel_size: Option<PixelSize>,
    display: &str,
    colours: Option<&[u16]>,
) -> Result<()>
where
    C::Inner: Pod + Default,
{
    let mut out = BufWriter::new(File::create(path).map_err(Error::io(path))?);
    let (rows, cols) = image.shape();
    if rows == 0 || cols == 0 {
        let empty = format!("an image of {rows} x {cols} pixels cannot be a TIFF");
        return Err(Error::io(path)(std::io::Error::other(empty)));
    }
    let bytes = rows as u64 * cols as u64 * size_of::<C::Inner>() as u64;
    let done = match bytes <= MOST_CLASSIC {
        true => TiffEncoder::new(&mut out)
            .and_then(|mut file| page::<C, _>(&mut file, image, pixel_size, display, colours)),
        false => TiffEncoder::new_big(&mut out)
            .and_then(|mut file| page::<C, _>(&mut file, image, pixel_size, display, colours)),
    };
    done.map_err(|error| failed(path, error))?;
    out.flush().map_err(Error::io(path))
}

fn failed(path: &Path, error: TiffError) -> Error {
    match error {
        TiffError::IoError(error) => Error::io(path)(error),
        other => Error::io(path)(std::io::Error::other(other)),
    }
}

fn page<C: ColorType, K: TiffKind>(
    file: &mut TiffEncoder<&mut BufWriter<File>, K>,
    image: &dyn Rows<C::Inner>,
    pixel_size: Option<PixelSize>,
    display: &str,
    colours: Option<&[u16]>,
) -> TiffResult<()>
where
    C::Inner: Pod + Default,
{
    page_with::<C, K>(file, image, pixel_size, display, |tags| {
        let Some(colours) = colours else { return Ok(()) };
        if C::BITS_PER_SAMPLE == [8] {
            let kind = PhotometricInterpretation::RGBPalette.to_u16();
            tags.write_tag(Tag::PhotometricInterpretation, kind)?;
        }
        tags.write_tag(Tag::ColorMap, colours)
    })
}

/// A page with other tags than those that all have.
fn page_with<C: ColorType, K: TiffKind>(
    file: &mut TiffEncoder<&mut BufWriter<File>, K>,
    image: &dyn Rows<C::Inner>,
    pixel_size: Option<PixelSize>,
    display: &str,
    others: impl FnOnce(&mut Tags<'_, '_, K>) -> TiffResult<()>,
) -> TiffResult<()>
where
    C::Inner: Pod + Default,
{
    let (rows, cols) = image.shape();
    let mut tags = file.image_directory()?;
    let strip = (STRIP_BYTES / (cols * size_of::<C::Inner>()).max(1)).clamp(1, rows.max(1));
    tags.write_tag(Tag::ImageWidth, u32::try_from(cols)?)?;
    tags.write_tag(Tag::ImageLength, u32::try_from(rows)?)?;
    tags.write_tag(Tag::RowsPerStrip, u32::try_from(strip)?)?;
    tags.write_tag(Tag::SamplesPerPixel, 1_u16)?;
    tags.write_tag(Tag::BitsPerSample, C::BITS_PER_SAMPLE)?;
    tags.write_tag(Tag::SampleFormat, C::SAMPLE_FORMAT[0].to_u16())?;
    tags.write_tag(Tag::Compression, CompressionMethod::Deflate.to_u16())?;
    tags.write_tag(Tag::PhotometricInterpretation, C::TIFF_VALUE.to_u16())?;
    tags.write_tag(Tag::ResolutionUnit, ResolutionUnit::None.to_u16())?;
    tags.write_tag(Tag::Software, concat!("stemseg ", env!("CARGO_PKG_VERSION")))?;
    describe(&mut tags, pixel_size, display)?;
    others(&mut tags)?;
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    // A batch bounds how much waits for the file.
    for batch in blocks(0..rows, strip * STRIPS) {
        let strips: Vec<_> = blocks(batch, strip).collect();
        let strips: Vec<Vec<u8>> =
            strips.into_par_iter().map(|rows| deflated(image, rows)).collect::<Result<_, _>>()?;
        for bytes in &strips {
            offsets.push(K::convert_offset(tags.write_data(&bytes[..])?)?);
            sizes.push(K::convert_offset(bytes.len() as u64)?);
        }
    }
    tags.write_tag(Tag::StripOffsets, K::convert_slice(&offsets))?;
    tags.write_tag(Tag::StripByteCounts, K::convert_slice(&sizes))?;
    tags.finish()
}

/// Some rows of an image, compressed. The tiff crate (0.11) compresses only images
/// that are there as a whole: its `write_strip` writes them as they are.
fn deflated<T: Pod + Default>(
    image: &dyn Rows<T>,
    rows: std::ops::Range<usize>,
) -> std::io::Result<Vec<u8>> {
    let cols = image.shape().1;
    let mut values = vec![T::default(); rows.len() * cols];
    rows.zip(values.chunks_exact_mut(cols)).for_each(|(row, to)| image.fill(row, to));
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytemuck::cast_slice(&values))?;
    encoder.finish()
}

/// ImageJ's description and the calibration in the ways ImageJ (pixels per
/// unit) and DigitalMicrograph (private tags, which HyperSpy needs too) know.
fn describe<K: TiffKind>(
    tags: &mut Tags<'_, '_, K>,
    size: Option<PixelSize>,
    display: &str,
) -> TiffResult<()> {
    let calibration =
        size.and_then(|s| Some((s, rational(1.0 / s.cols)?, rational(1.0 / s.rows)?)));
    let unit = if calibration.is_some() { "unit=nm\n" } else { "" };
    let description = format!("ImageJ=1.54f\n{unit}{display}");
    tags.write_tag(Tag::ImageDescription, description.as_str())?;
    let Some((size, per_nm_x, per_nm_y)) = calibration else {
        tags.write_tag(Tag::XResolution, Rational { n: 1, d: 1 })?;
        return tags.write_tag(Tag::YResolution, Rational { n: 1, d: 1 });
    };
    tags.write_tag(Tag::XResolution, per_nm_x)?;
    tags.write_tag(Tag::YResolution, per_nm_y)?;
    for (unit, origin, scale, nm) in
        [(65003, 65006, 65009, size.cols), (65004, 65007, 65010, size.rows)]
    {
        tags.write_tag(Tag::Unknown(unit), "nm")?;
        tags.write_tag(Tag::Unknown(origin), 0.0_f64)?;
        tags.write_tag(Tag::Unknown(scale), nm)?;
    }
    Ok(())
}

/// The last continued fraction of `value` whose parts fit 32 bits: exact for
/// 50 or 12.8, else good to about 1e-17 of 1. `None` where none is near.
fn rational(value: f64) -> Option<Rational> {
    let limit = f64::from(u32::MAX);
    let (mut n, mut d) = ((0.0, 1.0), (1.0, 0.0));
    let mut rest = value;
    loop {
        let whole = rest.floor();
        let next = (whole * n.1 + n.0, whole * d.1 + d.0);
        // Written so that NaN ends the loop.
        if !(next.0 <= limit && next.1 <= limit) {
            break;
        }
        (n, d) = ((n.1, next.0), (d.1, next.1));
        if (n.1 / d.1 - value).abs() <= value * f64::EPSILON {
            break;
        }
        rest = 1.0 / (rest - whole);
    }
    let good = n.1 > 0.0 && d.1 > 0.0 && (n.1 / d.1 / value - 1.0).abs() < 1e-6;
    good.then_some(Rational { n: n.1 as u32, d: d.1 as u32 })
}

mod hyperstack;
mod maps;

pub use hyperstack::{Stack, write_labels_hyperstack};
pub use maps::write_maps_tiff;

#[cfg(test)]
#[path = "tiff_tests.rs"]
mod tests;
