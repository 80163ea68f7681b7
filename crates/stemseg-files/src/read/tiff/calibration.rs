//! Calibrations in TIFF tags.

use std::io::{Read, Seek, SeekFrom};

use tiff::decoder::Decoder;
use tiff::decoder::ifd::Value;
use tiff::tags::{Tag, Type, ValueBuffer};

use super::imagej;
use super::source::Source;
use stemseg::image::calibration::{Calibration, seconds};

/// DigitalMicrograph's tags: unit and scale, x before y before frames.
const DM_UNITS: [u16; 3] = [65003, 65004, 65005];
const DM_SCALES: [u16; 3] = [65009, 65010, 65011];

/// Text of FEI's SEMs, in sections of `key=value` lines; sizes in m.
const FEI: [u16; 2] = [34680, 34682];

/// Where Olympus' settings stand in the file.
const SIS: u16 = 33560;

const CENTIMETRE: u64 = 3;

/// Above this, in nm, a resolution in cm is one for printing.
const LARGEST_FROM_CM: f64 = 1e3;

/// What the current page says: as DigitalMicrograph writes it, as ImageJ, FEI or Olympus
/// do, or as a resolution in cm. Resolutions in inches are for printing.
pub(super) fn of_page(decoder: &mut Decoder<Source>, description: &str) -> Option<Calibration> {
    let scales = DM_SCALES.map(|tag| number(decoder, Tag::from_u16_exhaustive(tag)));
    let units = DM_UNITS.map(|tag| text(decoder, Tag::from_u16_exhaustive(tag)));
    let dm = |axis: usize| Some((scales[axis]?, units[axis].as_deref()?));
    let resolution = [Tag::XResolution, Tag::YResolution].map(|tag| number(decoder, tag));
    let per = |axis: usize| Some(1.0 / resolution[axis]?);
    let in_cm = number(decoder, Tag::ResolutionUnit) == Some(CENTIMETRE as f64);

    both(dm(1), dm(0))
        .or_else(|| {
            let x = imagej::value(description, "unit")?;
            let y = imagej::value(description, "yunit").unwrap_or(x);
            let size = Calibration::new((per(1)?, y), (per(0)?, x))?;
            (x.trim() != "cm" || is_no_print(size)).then_some(size)
        })
        .or_else(|| fei(decoder))
        .or_else(|| sis(decoder))
        .or_else(|| {
            let size = Calibration::new((per(1)?, "cm"), (per(0)?, "cm"))?;
            (in_cm && is_no_print(size)).then_some(size)
        })
}

/// Whether a size in cm is not one for printing.
fn is_no_print(size: Calibration) -> bool {
    size.rows < LARGEST_FROM_CM && size.cols < LARGEST_FROM_CM
}

fn both(rows: Option<(f64, &str)>, cols: Option<(f64, &str)>) -> Option<Calibration> {
    Calibration::new(rows?, cols?)
}

/// Time between frames, s: as DigitalMicrograph or ImageJ write it.
pub(super) fn frame_interval(decoder: &mut Decoder<Source>, description: &str) -> Option<f64> {
    let step = number(decoder, Tag::from_u16_exhaustive(DM_SCALES[2]));
    let unit = text(decoder, Tag::from_u16_exhaustive(DM_UNITS[2]));
    let imagej = |key| imagej::value(description, key)?.trim().parse::<f64>().ok();
    step.zip(unit)
        .and_then(|(step, unit)| seconds(step, &unit))
        .or_else(|| seconds(imagej("finterval")?, "s"))
        .or_else(|| seconds(1.0 / imagej("fps")?, "s"))
}

/// A size in FEI's text.
fn fei(decoder: &mut Decoder<Source>) -> Option<Calibration> {
    let settings = FEI.iter().find_map(|tag| text(decoder, Tag::from_u16_exhaustive(*tag)))?;
    let value = |key: &str| -> Option<f64> {
        let line = |line: &str| line.trim().strip_prefix(key)?.strip_prefix('=')?.parse().ok();
        settings.lines().find_map(line)
    };
    Calibration::new((value("PixelHeight")?, "m"), (value("PixelWidth")?, "m"))
}

/// A size in Olympus' settings (the layout is that of tifffile's reader of them).
fn sis(decoder: &mut Decoder<Source>) -> Option<Calibration> {
    /// Bytes before the list of blocks, whose number is the last of them.
    const HEADER: usize = 60;
    let place = number(decoder, Tag::from_u16_exhaustive(SIS))? as u64;
    let header: [u8; HEADER] = bytes(decoder, place)?;
    let count = i16::from_le_bytes([header[HEADER - 2], header[HEADER - 1]]);
    let blocks = u64::try_from(count).ok().filter(|_| header.starts_with(b"SIS0"))?;
    for block in 0..blocks {
        // Kind, count, offset; kind 1 is that of the calibration.
        let block: [u8; 8] = bytes(decoder, place.checked_add(HEADER as u64 + 8 * block)?)?;
        if block[..2] != [1, 0] {
            continue;
        }
        let place = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
        let exponent: [u8; 2] = bytes(decoder, u64::from(place) + 10)?;
        let step = |decoder: &mut Decoder<Source>, at: u64| -> Option<f64> {
            Some(f64::from_le_bytes(bytes(decoder, u64::from(place) + at)?))
        };
        let unit = 10_f64.powi(i16::from_le_bytes(exponent).into());
        let (x, y) = (step(decoder, 12)?, step(decoder, 20)?);
        return Calibration::new((y * unit, "m"), (x * unit, "m"));
    }
    None
}

/// Bytes at `place` in the file.
fn bytes<const N: usize>(decoder: &mut Decoder<Source>, place: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    decoder.inner().seek(SeekFrom::Start(place)).ok()?;
    decoder.inner().read_exact(&mut bytes).ok()?;
    Some(bytes)
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
