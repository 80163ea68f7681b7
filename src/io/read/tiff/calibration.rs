//! Pixel sizes in TIFF tags.

use tiff::decoder::Decoder;
use tiff::decoder::ifd::Value;
use tiff::tags::{Tag, Type, ValueBuffer};

use super::Source;
use crate::micrograph::PixelSize;

/// DigitalMicrograph's tags: unit and scale, x before y.
const DM_UNITS: [u16; 2] = [65003, 65004];
const DM_SCALES: [u16; 2] = [65009, 65010];

const CENTIMETRE: u64 = 3;

/// Above this, in nm, a resolution in cm is one for printing.
const LARGEST_FROM_CM: f64 = 1e3;

/// The pixel size of the current page: as DigitalMicrograph writes it, as ImageJ
/// does, as OME does, or as a resolution in cm. Resolutions in inches are for
/// printing.
pub(super) fn pixel_size(decoder: &mut Decoder<Source>, description: &str) -> Option<PixelSize> {
    let scales = DM_SCALES.map(|tag| number(decoder, Tag::from_u16_exhaustive(tag)));
    let units = DM_UNITS.map(|tag| text(decoder, Tag::from_u16_exhaustive(tag)));
    let scale = |axis: usize| Some(scales[axis]? * nanometres(units[axis].as_deref()?)?);
    let resolution = [Tag::XResolution, Tag::YResolution].map(|tag| number(decoder, tag));
    let per = |unit: f64, axis: usize| Some(unit / resolution[axis]?);
    let in_cm = number(decoder, Tag::ResolutionUnit) == Some(CENTIMETRE as f64);

    size(scale(0), scale(1))
        .or_else(|| {
            let x = nanometres(imagej(description, "unit")?)?;
            let y = imagej(description, "yunit").map_or(Some(x), nanometres)?;
            size(per(x, 0), per(y, 1))
        })
        .or_else(|| size(ome(description, "X"), ome(description, "Y")))
        .or_else(|| size(per(1e7, 0), per(1e7, 1)).filter(|size| in_cm && is_small(size)))
}

fn size(x: Option<f64>, y: Option<f64>) -> Option<PixelSize> {
    let valid = |length: &f64| length.is_finite() && *length > 0.0;
    Some(PixelSize { rows: y.filter(valid)?, cols: x.filter(valid)? })
}

fn is_small(size: &PixelSize) -> bool {
    size.rows < LARGEST_FROM_CM && size.cols < LARGEST_FROM_CM
}

/// The value of `key` in ImageJ's description, which has one `key=value` a line.
pub(super) fn imagej<'a>(description: &'a str, key: &str) -> Option<&'a str> {
    if !description.starts_with("ImageJ=") {
        return None;
    }
    description.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// `PhysicalSizeX` or `Y` of OME-XML, in nm.
fn ome(description: &str, axis: &str) -> Option<f64> {
    let attribute = |name: String| {
        let (_, rest) = description.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0)
    };
    let value: f64 = attribute(format!("PhysicalSize{axis}"))?.parse().ok()?;
    // µm is the default of the OME schema.
    let unit = attribute(format!("PhysicalSize{axis}Unit")).unwrap_or("µm");
    Some(value * nanometres(unit)?)
}

/// The length of a unit in nm, in the spellings that instruments and ImageJ use
/// (which escapes what is not ASCII).
fn nanometres(unit: &str) -> Option<f64> {
    let unit = unit.trim().replace("\\u00B5", "µ").replace("\\u00C5", "Å");
    Some(match &*unit {
        "pm" | "picometer" | "picometre" => 1e-3,
        "A" | "Å" | "\u{212b}" | "angstrom" | "Angstrom" | "angstroms" => 0.1,
        "nm" | "nanometer" | "nanometre" | "nanometers" | "nanometres" => 1.0,
        "um" | "µm" | "\u{3bc}m" | "µ" | "micron" | "microns" | "micrometer" | "micrometre" => {
            1e3
        }
        "mm" => 1e6,
        "m" => 1e9,
        _ => return None,
    })
}

/// A text tag; what is not UTF-8 is Latin-1, as DigitalMicrograph writes it.
pub(super) fn text(decoder: &mut Decoder<Source>, tag: Tag) -> Option<String> {
    let mut value = ValueBuffer::empty(Type::ASCII);
    decoder.image_ifd().find_tag_buf(tag, &mut value).ok()??;
    let bytes = value.as_bytes().split(|&byte| byte == 0).next()?;
    Some(match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    })
}

/// A tag that holds one number, of whatever type.
pub(super) fn number(decoder: &mut Decoder<Source>, tag: Tag) -> Option<f64> {
    Some(match decoder.find_tag(tag).ok()?? {
        Value::Rational(above, below) => f64::from(above) / f64::from(below),
        Value::SRational(above, below) => f64::from(above) / f64::from(below),
        Value::Float(value) => f64::from(value),
        Value::Double(value) => value,
        value => value.into_u64().ok()? as f64,
    })
}
