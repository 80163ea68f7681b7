//! PNG and JPEG.

use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{
    Entry, Format, Image, Images, MAX_COMPRESSION, check_size, colour, damaged, failed, file_size,
    jpeg, open,
};
use stemseg::{Error, Result};

/// A format that the crate `image` decodes.
#[derive(Clone, Copy)]
pub(super) struct Raster {
    format: ImageFormat,
    name: &'static str,
    magic: &'static [u8],
}

pub(super) static PNG: Raster =
    Raster { format: ImageFormat::Png, name: "PNG", magic: b"\x89PNG\r\n\x1a\n" };

pub(super) static JPEG: Raster =
    Raster { format: ImageFormat::Jpeg, name: "JPEG", magic: b"\xff\xd8\xff" };

/// Bytes that a profile of colours may have once it is unpacked.
const BESIDES: u64 = 8 << 20;

impl Raster {
    /// A decoder that holds no more than an image of `pixels` bytes needs.
    fn decoder(&self, path: &Path, pixels: u64) -> Result<impl ImageDecoder> {
        let mut reader = ImageReader::with_format(BufReader::new(open(path)?), self.format);
        let mut limits = Limits::no_limits();
        // The image and its rows in two forms; of what else is in the file (profiles of
        // colours and texts, which may be packed) no more than a camera writes.
        let most = pixels.saturating_mul(4).saturating_add(file_size(path)?);
        limits.max_alloc = Some(most.saturating_add(BESIDES));
        reader.limits(limits);
        reader.into_decoder().map_err(|error| undecodable(path, error))
    }
}

impl Format for Raster {
    fn name(&self) -> &'static str {
        self.name
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(self.magic)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let decoder = self.decoder(path, declared(path, self.format)?)?;
        let shape = shape(&decoder);
        let kind = decoder.color_type();
        let colour = kind.channel_count() > 1;
        let entries = [Entry {
            shape: shape[..2 + usize::from(colour)].to_vec(),
            dtype: format!("uint{}", 8 * kind.bytes_per_pixel() / kind.channel_count()),
            colour,
            ..Entry::default()
        }];
        Ok(Box::new(Picture { path: path.into(), raster: *self, entries }))
    }
}

/// An open picture.
struct Picture {
    path: PathBuf,
    raster: Raster,
    entries: [Entry; 1],
}

impl Images for Picture {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, _entry: usize, _frame: usize) -> Result<Image> {
        let path = &self.path;
        let decoder = self.raster.decoder(path, declared(path, self.raster.format)?)?;
        let shape = shape(&decoder);
        let available = file_size(path)?.saturating_mul(MAX_COMPRESSION);
        check_size(path, Some(decoder.total_bytes()), available, decoder.total_bytes())?;
        if self.raster.format == ImageFormat::Jpeg
            && jpeg::is_cut_off(&std::fs::read(path).map_err(Error::io(path))?)
        {
            return Err(failed(path, ErrorKind::UnexpectedEof.into()));
        }
        let image = DynamicImage::from_decoder(decoder).map_err(|e| undecodable(path, e))?;
        macro_rules! from_buffers {
            ($($variant:ident),*) => {
                match image {
                    $(DynamicImage::$variant(buffer) => colour::from_samples(buffer.into_raw(), shape),)*
                    _ => return Err(damaged(path, "an unknown colour type")),
                }
            };
        }
        from_buffers!(
            ImageLuma8,
            ImageLumaA8,
            ImageRgb8,
            ImageRgba8,
            ImageLuma16,
            ImageLumaA16,
            ImageRgb16,
            ImageRgba16
        )
        .map_err(|error| damaged(path, error))
    }
}

/// `[rows, cols, channels]`.
fn shape(decoder: &impl ImageDecoder) -> [usize; 3] {
    let (cols, rows) = decoder.dimensions();
    [rows as usize, cols as usize, decoder.color_type().channel_count().into()]
}

/// Bytes of the pixels that the header of a PNG declares, at most; checked against what
/// the file can hold, since its decoder makes room for a row before it gives a size.
fn declared(path: &Path, format: ImageFormat) -> Result<u64> {
    /// Up to the columns and rows in a PNG's first chunk, and with them.
    const BEFORE: usize = 16;
    const WITH: usize = BEFORE + 8;
    if format != ImageFormat::Png {
        return Ok(0);
    }
    let mut head = [0; WITH];
    open(path)?.read_exact(&mut head).map_err(|error| failed(path, error))?;
    let side = |at: usize| u64::from(u32::from_be_bytes([0, 1, 2, 3].map(|i| head[at + i])));
    let pixels = side(BEFORE).checked_mul(side(BEFORE + 4));
    // A byte a pixel is least, RGBA of 16 bit most.
    let available = file_size(path)?.saturating_mul(MAX_COMPRESSION);
    check_size(path, pixels, available, 0)?;
    Ok(pixels.unwrap_or(u64::MAX).saturating_mul(8))
}

fn undecodable(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::IoError(error) => failed(path, error),
        error => damaged(path, error),
    }
}
