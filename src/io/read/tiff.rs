//! TIFF: pages, ImageJ's stacks behind one directory, colour, palettes.

mod calibration;
mod palette;
mod source;

use std::io;
use std::path::Path;

use ndarray::{Array2, ArrayView3, Axis, ShapeError};
use tiff::decoder::{BufferLayoutPreference, Decoder, DecodingResult, DecodingSampleType, Limits};
use tiff::tags::{CompressionMethod, PhotometricInterpretation, PlanarConfiguration, Tag};
use tiff::{ColorType, TiffError, TiffResult, TiffUnsupportedError};

use self::calibration::{imagej, pixel_size, text};
use self::palette::Palette;
use self::source::Source;
use super::{
    Entry, Format, MAX_COMPRESSION, Pixels, check_size, colour, damaged, failed, file_size, open,
};
use crate::micrograph::{Pixel, PixelSize};
use crate::{Error, Result};

type Image = (Pixels, Vec<String>);

/// Every page is an entry.
pub(super) struct Tiff;

impl Format for Tiff {
    fn name(&self) -> &'static str {
        "TIFF"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|mark| head.starts_with(*mark))
    }

    fn entries(&self, path: &Path) -> Result<Vec<Entry>> {
        let mut decoder = decoder(path)?;
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let mut entry = match Page::read(&mut decoder, entries.len()) {
                Ok(page) => page.entry(),
                Err(TiffError::IoError(error)) => return Err(failed(path, error)),
                Err(_) => unreadable_entry(),
            };
            // ImageJ describes only the first page.
            let like_first = entries.first().filter(|first| first.shape == entry.shape);
            entry.pixel_size = entry.pixel_size.or(like_first.and_then(|first| first.pixel_size));
            entries.push(entry);
            if !decoder.more_images() {
                break;
            }
        }
        if entries.len() > 1 {
            for (page, entry) in entries.iter_mut().enumerate() {
                entry.name = format!("page {page}");
            }
        }
        Ok(entries)
    }

    fn load(&self, path: &Path, entry: usize, frame: usize) -> Result<(Pixels, Vec<String>)> {
        let mut decoder = decoder(path)?;
        let page = Page::read(&mut decoder, entry).map_err(|error| undecodable(path, error))?;
        let image = page.layout.complete_len as u64;
        let frames = page.stack.as_ref().map_or(1, |stack| stack.frames);
        let ratio = if page.compressed { MAX_COMPRESSION } else { 1 };
        let available = file_size(path)?.saturating_mul(ratio);
        check_size(path, image.checked_mul(frames as u64), available, image)?;
        page.decode(decoder, frame as u64).map_err(|error| undecodable(path, error))
    }
}

/// A page of a kind that is not read; loading it says why.
fn unreadable_entry() -> Entry {
    Entry {
        name: String::new(),
        shape: vec![0, 0],
        dtype: "unsupported".into(),
        colour: false,
        pixel_size: None,
    }
}

/// What the tags of one page say.
struct Page {
    kind: ColorType,
    shape: [usize; 3],
    layout: BufferLayoutPreference,
    dtype: &'static str,
    compressed: bool,
    planar: bool,
    white_is_zero: bool,
    palette: Option<Palette>,
    stack: Option<Stack>,
    pixel_size: Option<PixelSize>,
}

/// Frames that follow each other without directories of their own, which ImageJ
/// does to files above 4 GiB.
struct Stack {
    frames: usize,
    /// Offset of the first frame in the file.
    start: u64,
}

impl Page {
    /// Moves the decoder to page `index`.
    fn read(decoder: &mut Decoder<Source>, index: usize) -> TiffResult<Self> {
        decoder.seek_to_image(index)?;
        let description = text(decoder, Tag::ImageDescription).unwrap_or_default();
        let photometric = decoder.get_tag_unsigned(Tag::PhotometricInterpretation)?;
        let photometric = PhotometricInterpretation::from_u16(photometric);
        let palette = (photometric == Some(PhotometricInterpretation::RGBPalette))
            .then(|| Palette::read(decoder, index, &description))
            .transpose()?;
        let kind = decoder.colortype()?;
        let channels = match kind {
            ColorType::Gray(_) => 1,
            ColorType::Multiband { num_samples: 2, .. } => 2,
            ColorType::RGB(_) | ColorType::YCbCr(_) => 3,
            ColorType::RGBA(_) => 4,
            other => return Err(TiffUnsupportedError::UnsupportedColorType(other).into()),
        };
        let (cols, rows) = decoder.dimensions()?;
        let layout = decoder.image_buffer_layout()?;
        let unknown_type = || TiffUnsupportedError::UnsupportedSampleDepth(kind.bit_depth());
        let compression: Option<u16> = decoder.find_tag_unsigned(Tag::Compression)?;
        let planes: Option<u16> = decoder.find_tag_unsigned(Tag::PlanarConfiguration)?;
        let mut page = Self {
            kind,
            shape: [rows as usize, cols as usize, channels],
            dtype: numpy_name(layout.sample_type.ok_or_else(unknown_type)?),
            layout,
            compressed: compression
                .is_some_and(|method| method != CompressionMethod::None.to_u16()),
            planar: planes == Some(PlanarConfiguration::Planar.to_u16()),
            white_is_zero: photometric == Some(PhotometricInterpretation::WhiteIsZero),
            palette,
            stack: None,
            pixel_size: pixel_size(decoder, &description),
        };
        if index == 0 && !decoder.more_images() {
            page.stack = page.stack(decoder, &description);
        }
        Ok(page)
    }

    /// The stack of which this is the first and only page.
    fn stack(&self, decoder: &mut Decoder<Source>, description: &str) -> Option<Stack> {
        let frames = imagej(description, "images")?.trim().parse().ok()?;
        let offsets: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripOffsets).ok()??;
        let start = *offsets.first()?;
        let end = start.checked_add(self.layout.complete_len as u64)?;
        let contiguous = offsets.iter().all(|offset| (start..end).contains(offset));
        let plain = !self.compressed && matches!(self.kind, ColorType::Gray(8 | 16 | 32));
        (frames > 1 && contiguous && plain).then_some(Stack { frames, start })
    }

    fn entry(&self) -> Entry {
        let [rows, cols, channels] = self.shape;
        let frames = self.stack.as_ref().map(|stack| stack.frames);
        let colour = channels > 1;
        Entry {
            name: String::new(),
            shape: frames
                .into_iter()
                .chain([rows, cols])
                .chain(colour.then_some(channels))
                .collect(),
            dtype: self.dtype.into(),
            colour,
            pixel_size: self.pixel_size,
        }
    }

    /// Pixels and notes of frame `frame`; the size has been checked.
    fn decode(self, decoder: Decoder<Source>, frame: u64) -> TiffResult<Image> {
        let mut limits = Limits::unlimited();
        limits.decoding_buffer_size = self.layout.complete_len;
        let mut decoder = decoder.with_limits(limits);
        if let Some(Stack { start, .. }) = self.stack {
            let length = self.layout.complete_len as u64;
            decoder.inner().shift(start..start + length, frame * length);
        }
        let mut samples = DecodingResult::U8(vec![]);
        decoder.read_image_to_buffer(&mut samples)?;
        if let (DecodingResult::U8(packed), bits @ 1..8) = (&mut samples, self.kind.bit_depth()) {
            *packed = self.unpacked(packed, bits);
        }
        macro_rules! from_samples {
            ($($variant:ident),*) => {
                match samples {
                    $(DecodingResult::$variant(samples) => self.grey(samples)?,)*
                }
            };
        }
        let (pixels, mut notes) =
            from_samples!(U8, I8, U16, I16, U32, I32, U64, I64, F16, F32, F64);
        if self.white_is_zero {
            notes.push("white is 0 in the file: the values were inverted, bright is large".into());
        }
        match self.palette {
            Some(palette) => palette.apply(pixels),
            None => Ok((pixels, notes)),
        }
    }

    fn grey<T: Pixel + PartialEq>(&self, samples: Vec<T>) -> TiffResult<Image>
    where
        Pixels: From<Array2<T>>,
    {
        let [rows, cols, channels] = self.shape;
        if channels == 1 {
            return colour::from_samples(samples, self.shape).map_err(misshapen);
        }
        let view = if self.planar {
            ArrayView3::from_shape((channels, rows, cols), &samples)
                .map(|planes| planes.permuted_axes([1, 2, 0]))
        } else {
            ArrayView3::from_shape(self.shape, &samples)
        };
        let view = view.map_err(misshapen)?;
        if matches!(self.kind, ColorType::YCbCr(_)) {
            let luma = view.index_axis(Axis(2), 0).to_owned();
            return Ok((luma.into(), vec!["colour was reduced to its luma (YCbCr)".into()]));
        }
        Ok(colour::to_grey(view))
    }

    /// One byte per pixel, from rows that start at whole bytes.
    fn unpacked(&self, packed: &[u8], bits: u8) -> Vec<u8> {
        let [_, cols, channels] = self.shape;
        let bits = usize::from(bits);
        let row_bytes = (cols * channels * bits).div_ceil(8);
        let value = |row: &[u8], index: usize| {
            (index * bits..(index + 1) * bits)
                .fold(0, |value, bit| value << 1 | row[bit / 8] >> (7 - bit % 8) & 1)
        };
        let row = |row| (0..cols * channels).map(move |index| value(row, index));
        packed.chunks_exact(row_bytes).flat_map(row).collect()
    }
}

/// numpy's name of a type that the decoder gives.
fn numpy_name(sample: DecodingSampleType) -> &'static str {
    match sample {
        DecodingSampleType::U8 => "uint8",
        DecodingSampleType::I8 => "int8",
        DecodingSampleType::U16 => "uint16",
        DecodingSampleType::I16 => "int16",
        DecodingSampleType::U32 => "uint32",
        DecodingSampleType::I32 => "int32",
        DecodingSampleType::U64 => "uint64",
        DecodingSampleType::I64 => "int64",
        DecodingSampleType::F16 => "float16",
        DecodingSampleType::F32 => "float32",
        DecodingSampleType::F64 => "float64",
    }
}

fn decoder(path: &Path) -> Result<Decoder<Source>> {
    let mut limits = Limits::unlimited();
    // The decoder holds a tag's value as 32 bytes for each that the file has.
    limits.decoding_buffer_size =
        usize::try_from(file_size(path)?).unwrap_or(usize::MAX).saturating_mul(32);
    let decoder =
        Decoder::new(Source::new(open(path)?)).map_err(|error| undecodable(path, error))?;
    Ok(decoder.with_limits(limits))
}

fn misshapen(error: ShapeError) -> TiffError {
    io::Error::other(error).into()
}

fn undecodable(path: &Path, error: TiffError) -> Error {
    match error {
        TiffError::IoError(error) => failed(path, error),
        TiffError::UnsupportedError(feature) => {
            let reason = format!(
                "is a kind of TIFF that is not read ({feature}); export it as grey, uncompressed TIFF"
            );
            Error::unreadable(path, reason)
        }
        error => damaged(path, error),
    }
}
