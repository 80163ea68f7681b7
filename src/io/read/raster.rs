//! PNG and JPEG.

use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::{
    Entry, Format, Image, Images, MAX_COMPRESSION, check_size, colour, damaged, failed, file_size,
    open,
};
use crate::{Error, Result};

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

impl Raster {
    fn decoder(&self, path: &Path) -> Result<impl ImageDecoder> {
        let mut reader = ImageReader::with_format(BufReader::new(open(path)?), self.format);
        reader.no_limits();
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
        let decoder = self.decoder(path)?;
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
        if self.raster.format == ImageFormat::Jpeg && !ends_properly(path)? {
            return Err(failed(path, ErrorKind::UnexpectedEof.into()));
        }
        let decoder = self.raster.decoder(path)?;
        let shape = shape(&decoder);
        let available = file_size(path)?.saturating_mul(MAX_COMPRESSION);
        check_size(path, Some(decoder.total_bytes()), available, decoder.total_bytes())?;
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

/// Whether the last scan of a JPEG is followed by an end mark: the decoder fills
/// what is missing with grey and says nothing.
fn ends_properly(path: &Path) -> Result<bool> {
    let jpeg = std::fs::read(path).map_err(Error::io(path))?;
    let last = |mark: [u8; 2]| jpeg.windows(2).rposition(|bytes| bytes == mark);
    Ok(last([0xff, 0xd9]) > last([0xff, 0xda]))
}

fn undecodable(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::IoError(error) => failed(path, error),
        error => damaged(path, error),
    }
}
