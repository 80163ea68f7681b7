//! One page.

use std::io;

use ndarray::{Array2, ArrayView3, Axis, ShapeError};
use tiff::decoder::{
    BufferLayoutPreference, ChunkType, Decoder, DecodingResult, DecodingSampleType, Limits,
};
use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, PlanarConfiguration, Tag,
};
use tiff::{ColorType, TiffError, TiffResult, TiffUnsupportedError};

use super::calibration::{self, text};
use super::packed::{Packed, unpacked};
use super::palette::Palette;
use super::source::Source;
use super::{imagej, jpeg};
use crate::read::{Entry, Image, MAX_COMPRESSION, Pixels, colour};
use stemseg::image::calibration::Calibration;
use stemseg::image::micrograph::Pixel;

/// What the tags of one page say.
pub(super) struct Page {
    kind: ColorType,
    shape: [usize; 3],
    layout: BufferLayoutPreference,
    dtype: &'static str,
    compression: CompressionMethod,
    /// Bytes of the pixels as they are stored, except for compression: with samples that
    /// are not read, and tiles that reach beyond the image.
    stored: Option<u64>,
    planar: bool,
    white_is_zero: bool,
    /// The last bit of a byte is the first one.
    reversed: bool,
    palette: Option<Palette>,
    packed: Option<Packed>,
    stack: Option<Stack>,
    /// Smaller copy of another page.
    thumbnail: bool,
    calibration: Option<Calibration>,
    frame_interval_s: Option<f64>,
    date: Option<String>,
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
    pub(super) fn read(decoder: &mut Decoder<Source>, index: usize) -> TiffResult<Self> {
        decoder.inner().restore();
        decoder.seek_to_image(index)?;
        let description = text(decoder, Tag::ImageDescription).unwrap_or_default();
        let photometric = decoder.get_tag_unsigned(Tag::PhotometricInterpretation)?;
        let photometric = PhotometricInterpretation::from_u16(photometric);
        let palette = (photometric == Some(PhotometricInterpretation::RGBPalette))
            .then(|| Palette::read(decoder, index, &description))
            .transpose()?;
        let packed = Packed::read(decoder, index)?;
        let kind = decoder.colortype()?;
        let channels = channels(decoder, kind)?;
        let (cols, rows) = decoder.dimensions()?;
        let [rows, cols] = match &packed {
            Some(packed) => packed.size(),
            None => [rows as usize, cols as usize],
        };
        let layout = decoder.image_buffer_layout()?;
        let unknown_type = || TiffUnsupportedError::UnsupportedSampleDepth(kind.bit_depth());
        let compression: Option<u16> = decoder.find_tag_unsigned(Tag::Compression)?;
        let planes: Option<u16> = decoder.find_tag_unsigned(Tag::PlanarConfiguration)?;
        let subfile: Option<u32> = decoder.find_tag_unsigned(Tag::NewSubfileType)?;
        let fill_order: Option<u16> = decoder.find_tag_unsigned(Tag::FillOrder)?;
        let dtype = numpy_name(layout.sample_type.ok_or_else(unknown_type)?);
        let mut page = Self {
            kind,
            shape: [rows, cols, channels],
            dtype: (palette.as_ref().and_then(Palette::dtype))
                .or(packed.as_ref().map(Packed::dtype))
                .unwrap_or(dtype),
            layout,
            compression: compression
                .map_or(CompressionMethod::None, CompressionMethod::from_u16_exhaustive),
            stored: stored(decoder)?,
            planar: planes == Some(PlanarConfiguration::Planar.to_u16()),
            white_is_zero: photometric == Some(PhotometricInterpretation::WhiteIsZero),
            reversed: fill_order == Some(2),
            palette,
            packed,
            stack: None,
            thumbnail: subfile.is_some_and(|flags| flags & 1 == 1),
            calibration: calibration::of_page(decoder, &description),
            frame_interval_s: calibration::frame_interval(decoder, &description),
            date: text(decoder, Tag::DateTime).filter(|date| !date.trim().is_empty()),
        };
        if index == 0 && !decoder.more_images() {
            page.stack = page.stack(decoder, &description);
        }
        Ok(page)
    }

    /// The stack of which this is the first and only page.
    fn stack(&self, decoder: &mut Decoder<Source>, description: &str) -> Option<Stack> {
        let frames = imagej::frames(description)?;
        let offsets: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripOffsets).ok()??;
        let start = *offsets.first()?;
        let length = self.layout.complete_len as u64;
        let end = start.checked_add(length)?;
        let contiguous = offsets.iter().all(|offset| (start..end).contains(offset));
        let plain = !self.is_compressed() && matches!(self.kind, ColorType::Gray(8 | 16 | 32));
        // A frame that was saved alone may have kept the description of its stack.
        let several = decoder.inner().length().saturating_sub(end) >= length;
        (frames > 1 && contiguous && plain && several).then_some(Stack { frames, start })
    }

    fn is_compressed(&self) -> bool {
        self.compression != CompressionMethod::None
    }

    /// Bytes of one frame, once it is unpacked.
    pub(super) fn bytes(&self) -> u64 {
        self.layout.complete_len as u64
    }

    /// Bytes that are stored of all frames, except for compression; `None` beyond 2^64.
    pub(super) fn stored(&self) -> Option<u64> {
        self.stored?.checked_mul(self.frames().unwrap_or(1) as u64)
    }

    /// How many frames lie behind its directory, where these are not pages.
    pub(super) fn frames(&self) -> Option<usize> {
        self.stack.as_ref().map(|stack| stack.frames)
    }

    /// How many bytes of pixels a byte of the file can hold.
    pub(super) fn most_compression(&self) -> u64 {
        if self.is_compressed() { MAX_COMPRESSION } else { 1 }
    }

    /// Limits that let one frame be decoded.
    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::unlimited();
        limits.decoding_buffer_size = self.layout.complete_len;
        limits
    }

    pub(super) fn entry(&self) -> Entry {
        let [rows, cols, channels] = self.shape;
        let frames = self.stack.as_ref().map(|stack| stack.frames);
        let colour = channels > 1;
        Entry {
            name: if self.thumbnail { "thumbnail".into() } else { String::new() },
            shape: frames
                .into_iter()
                .chain([rows, cols])
                .chain(colour.then_some(channels))
                .collect(),
            dtype: self.dtype.into(),
            colour,
            calibration: self.calibration,
            frame_interval_s: self.frame_interval_s,
            date: self.date.clone(),
            ..Entry::default()
        }
    }

    /// Pixels and notes of frame `frame`; the size has been checked.
    pub(super) fn decode(self, decoder: &mut Decoder<Source>, frame: u64) -> TiffResult<Image> {
        if let Some(Stack { start, .. }) = self.stack {
            let length = self.layout.complete_len as u64;
            decoder.inner().shift(start..start + length, frame * length);
        }
        if self.compression == CompressionMethod::ModernJPEG {
            jpeg::check(decoder)?;
        } else if self.reversed {
            decoder.inner().reverse_bits();
        }
        let mut samples = DecodingResult::U8(vec![]);
        decoder.read_image_to_buffer(&mut samples)?;
        if let (DecodingResult::U8(packed), bits @ 1..8) = (&mut samples, self.kind.bit_depth()) {
            let [_, cols, channels] = self.shape;
            *packed = unpacked(packed, cols * channels, bits).map(|value| value as u8).collect();
        }
        macro_rules! from_samples {
            ($($variant:ident),*) => {
                match samples {
                    $(DecodingResult::$variant(samples) => self.grey(samples)?,)*
                }
            };
        }
        let (pixels, mut notes) = match (&self.packed, &samples) {
            (Some(packed), DecodingResult::U8(bytes)) => (packed.unpack(bytes)?, vec![]),
            _ => from_samples!(U8, I8, U16, I16, U32, I32, U64, I64, F16, F32, F64),
        };
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
}

/// Channels of a pixel that are read: grey, grey and alpha, RGB, RGBA.
fn channels(decoder: &mut Decoder<Source>, kind: ColorType) -> TiffResult<usize> {
    let unsupported = || TiffUnsupportedError::UnsupportedColorType(kind).into();
    match kind {
        ColorType::Gray(_) => Ok(1),
        ColorType::RGB(_) | ColorType::YCbCr(_) => Ok(3),
        ColorType::RGBA(_) => Ok(4),
        // Samples without a meaning are a colour where they may be one, as in an array
        // [rows, cols, 3].
        ColorType::Multiband { num_samples, .. } => {
            let extra: Option<Vec<u16>> = decoder.find_tag_unsigned_vec(Tag::ExtraSamples)?;
            let alpha = [ExtraSamples::AssociatedAlpha, ExtraSamples::UnassociatedAlpha];
            let alpha = alpha.map(|kind| kind.to_u16());
            match (num_samples, extra.as_deref()) {
                (2, Some([kind])) if alpha.contains(kind) => Ok(2),
                (3 | 4, _) => Ok(num_samples.into()),
                _ => Err(unsupported()),
            }
        }
        _ => Err(unsupported()),
    }
}

/// Bytes of the strips or tiles of the current page, unpacked; `None` beyond 2^64.
fn stored(decoder: &mut Decoder<Source>) -> TiffResult<Option<u64>> {
    let (cols, rows) = decoder.dimensions()?;
    let (mut cols, mut rows) = (u64::from(cols), u64::from(rows));
    if decoder.get_chunk_type() == ChunkType::Tile {
        let (tile_cols, tile_rows) = decoder.chunk_dimensions();
        let whole = |length: u64, tile: u32| length.checked_next_multiple_of(tile.into());
        (cols, rows) = match (whole(cols, tile_cols), whole(rows, tile_rows)) {
            (Some(cols), Some(rows)) => (cols, rows),
            _ => return Ok(None),
        };
    }
    let samples: Option<u16> = decoder.find_tag_unsigned(Tag::SamplesPerPixel)?;
    let bits = u64::from(decoder.colortype()?.bit_depth()) * u64::from(samples.unwrap_or(1));
    let row = cols.checked_mul(bits).map(|bits| bits.div_ceil(8));
    Ok(row.and_then(|row| row.checked_mul(rows)))
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

pub(super) fn misshapen(error: ShapeError) -> TiffError {
    io::Error::other(error).into()
}
