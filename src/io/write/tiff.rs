//! Label maps and other maps as TIFF, calibrated for ImageJ/Fiji, HyperSpy and
//! DigitalMicrograph.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ndarray::ArrayView2;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, Gray32Float};
use tiff::encoder::{
    Compression, DeflateLevel, DirectoryEncoder, Rational, TiffEncoder, TiffKindStandard, TiffValue,
};
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{TiffError, TiffResult};

use crate::micrograph::PixelSize;
use crate::{Error, Result};

/// Most labels for 8 bits; one value is spare, as a mark in other programs.
const MOST_IN_U8: u16 = 254;

/// Bytes of a strip before compression, about.
const STRIP_BYTES: usize = 1 << 18;

type Tags<'a, 'w> = DirectoryEncoder<'a, &'w mut BufWriter<File>, TiffKindStandard>;

/// Writes `labels` `[rows, cols]`: 8 bits with a colour table from `palette`
/// (label 0 black), or plain 16 bits above 254 labels. The stored values are
/// the labels.
///
/// # Errors
/// [`Error::Io`] with the path, also for an image without pixels.
pub fn write_labels_tiff(
    path: &Path,
    labels: ArrayView2<'_, u16>,
    palette: impl Fn(usize) -> [u8; 3],
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let most = labels.iter().copied().max().unwrap_or(0);
    if most > MOST_IN_U8 {
        let range = format!("min=0.0\nmax={most}.0\n");
        return encode::<Gray16>(path, labels, pixel_size, &range, |_| Ok(()));
    }
    let small = labels.mapv(|label| label as u8);
    encode::<Gray8>(path, small.view(), pixel_size, "", |tags| {
        let kind = PhotometricInterpretation::RGBPalette.to_u16();
        tags.write_tag(Tag::PhotometricInterpretation, kind)?;
        tags.write_tag(Tag::ColorMap, &colour_map(palette)[..])
    })
}

/// Writes `map` `[rows, cols]` (a confidence, a score) as 32-bit floats.
///
/// # Errors
/// [`Error::Io`] with the path, also for an image without pixels.
pub fn write_map_tiff(
    path: &Path,
    map: ArrayView2<'_, f32>,
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let finite = map.iter().copied().filter(|v| v.is_finite());
    let (low, high) =
        finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let range = if low < high { format!("min={low}\nmax={high}\n") } else { String::new() };
    encode::<Gray32Float>(path, map, pixel_size, &range, |_| Ok(()))
}

/// Writes `counts` `[rows, cols]` (an image) as 16-bit integers.
///
/// # Errors
/// [`Error::Io`] with the path, also for an image without pixels.
pub fn write_counts_tiff(
    path: &Path,
    counts: ArrayView2<'_, u16>,
    pixel_size: Option<PixelSize>,
) -> Result<()> {
    let most = counts.iter().copied().max().unwrap_or(0);
    let range = format!("min=0.0\nmax={most}.0\n");
    encode::<Gray16>(path, counts, pixel_size, &range, |_| Ok(()))
}

/// All reds, all greens, all blues, 16 bits each. ImageJ takes the high byte.
fn colour_map(palette: impl Fn(usize) -> [u8; 3]) -> Vec<u16> {
    let colours: Vec<[u8; 3]> =
        (0..256).map(|label| if label == 0 { [0; 3] } else { palette(label) }).collect();
    (0..3).flat_map(|c| colours.iter().map(move |rgb| u16::from(rgb[c]) * 257)).collect()
}

/// Writes one image; `display` goes into ImageJ's description, `finish` may set
/// further tags.
fn encode<C: ColorType>(
    path: &Path,
    image: ArrayView2<'_, C::Inner>,
    pixel_size: Option<PixelSize>,
    display: &str,
    finish: impl FnOnce(&mut Tags<'_, '_>) -> TiffResult<()>,
) -> Result<()>
where
    C::Inner: Clone,
    [C::Inner]: TiffValue,
{
    let mut out = BufWriter::new(File::create(path).map_err(Error::io(path))?);
    let write = || -> TiffResult<()> {
        let (rows, cols) = image.dim();
        let level = Compression::Deflate(DeflateLevel::Fast);
        let mut file = TiffEncoder::new(&mut out)?.with_compression(level);
        let mut page = file.new_image::<C>(u32::try_from(cols)?, u32::try_from(rows)?)?;
        let strip = STRIP_BYTES / (cols * size_of::<C::Inner>());
        page.rows_per_strip(u32::try_from(strip.clamp(1, rows))?)?;
        let tags = page.encoder();
        tags.write_tag(Tag::Software, concat!("stemseg ", env!("CARGO_PKG_VERSION")))?;
        describe(tags, pixel_size, display)?;
        finish(tags)?;
        let values = image.as_standard_layout();
        page.write_data(values.as_slice().unwrap_or_default())
    };
    write().map_err(|error| match error {
        TiffError::IoError(error) => Error::io(path)(error),
        other => Error::io(path)(std::io::Error::other(other)),
    })?;
    out.flush().map_err(Error::io(path))
}

/// ImageJ's description and the calibration in the ways ImageJ (pixels per
/// unit) and DigitalMicrograph (private tags, which HyperSpy needs too) know.
fn describe(tags: &mut Tags<'_, '_>, size: Option<PixelSize>, display: &str) -> TiffResult<()> {
    let calibration =
        size.and_then(|s| Some((s, rational(1.0 / s.cols)?, rational(1.0 / s.rows)?)));
    let unit = if calibration.is_some() { "unit=nm\n" } else { "" };
    let description = format!("ImageJ=1.54f\n{unit}{display}");
    tags.write_tag(Tag::ImageDescription, description.as_str())?;
    let Some((size, per_nm_x, per_nm_y)) = calibration else {
        return Ok(());
    };
    // ResolutionUnit is none already: the encoder's default.
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

#[cfg(test)]
#[path = "tiff_tests.rs"]
mod tests;
