//! One page.

use std::io;

use ndarray::{Array2, ArrayView3, Axis, ShapeError};
use tiff::decoder::{BufferLayoutPreference, Decoder, DecodingResult, DecodingSampleType, Limits};
use tiff::tags::{CompressionMethod, PhotometricInterpretation, PlanarConfiguration, Tag};
use tiff::{ColorType, TiffError, TiffResult, TiffUnsupportedError};

use super::calibration::{self, imagej, text};
use super::palette::Palette;
use super::source::Source;
use crate::calibration::Calibration;
use crate::io::read::{Entry, Image, MAX_COMPRESSION, Pixels, colour};
use crate::micrograph::Pixel;

/// What the tags of one page say.
pub(super) struct Page {
    kind: ColorType,
    shape: [usize; 3],
    layout: BufferLayoutPreference,
    dtype: &'static str,
    compressed: bool,
    planar: bool,
    white_is_zero: bool,
    palette: Option<Palette>,
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
        let subfile: Option<u32> = decoder.find_tag_unsigned(Tag::NewSubfileType)?;
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
        let frames = imagej(description, "images")?.trim().parse().ok()?;
        let offsets: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripOffsets).ok()??;
        let start = *offsets.first()?;
        let end = start.checked_add(self.layout.complete_len as u64)?;
        let contiguous = offsets.iter().all(|offset| (start..end).contains(offset));
        let plain = !self.compressed && matches!(self.kind, ColorType::Gray(8 | 16 | 32));
        (frames > 1 && contiguous && plain).then_some(Stack { frames, start })
    }

    /// Bytes of one frame, once it is unpacked.
    pub(super) fn bytes(&self) -> u64 {
        self.layout.complete_len as u64
    }

    /// How many frames lie behind its directory.
    pub(super) fn frames(&self) -> usize {
        self.stack.as_ref().map_or(1, |stack| stack.frames)
    }

    /// How many bytes of pixels a byte of the file can hold.
    pub(super) fn most_compression(&self) -> u64 {
        if self.compressed { MAX_COMPRESSION } else { 1 }
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

pub(super) fn misshapen(error: ShapeError) -> TiffError {
    io::Error::other(error).into()
}
