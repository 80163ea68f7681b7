//! An image that is in memory already.

use std::path::Path;

use ndarray::{ArrayView2, s};
use sha2::{Digest, Sha256};
use stemseg::image::micrograph::{Micrograph, Pixel, Screening};
use stemseg::remarks::Remarks;
use stemseg::{Error, Result};
use stemseg_files::read::Stamps;
use stemseg_report::summary::Checksummed;

use super::read::{Read, What, hexadecimal};
use super::{Input as Options, no_data};

/// What stands for the format of an image that comes from no file.
pub(crate) const ARRAY: &str = "array";

/// A type of pixels that has a checksum.
pub trait Element: Pixel {
    /// As numpy spells it.
    const DTYPE: &'static str;

    /// Appends its bytes, the least first.
    fn append(self, to: &mut Vec<u8>);
}

macro_rules! elements {
    ($($element:ty = $name:literal,)*) => {$(
        impl Element for $element {
            const DTYPE: &'static str = $name;
            fn append(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
elements! {
    u8 = "uint8", i8 = "int8", u16 = "uint16", i16 = "int16", u32 = "uint32", i32 = "int32",
    u64 = "uint64", i64 = "int64", half::f16 = "float16", f32 = "float32", f64 = "float64",
}

impl Read {
    /// The image `pixels` `[rows, cols]`, which results name `name`. Pixels where `mask`
    /// `[rows, cols]` is true do not count. Of `options` those of files and masks in files have no
    /// meaning here. Nothing is copied but the pixels at mean 0 and variance 1.
    ///
    /// # Errors
    /// [`Error::Image`] for pixels that cannot be segmented, and a mask of another shape;
    /// [`Error::Parameter`] for a region beyond the image.
    pub fn of_array<T: Element>(
        pixels: ArrayView2<'_, T>,
        mask: Option<ArrayView2<'_, bool>>,
        name: &Path,
        options: &Options,
    ) -> Result<Self> {
        let (rows, cols) = pixels.dim();
        if let Some(mask) = mask.as_ref().filter(|mask| mask.dim() != pixels.dim()) {
            return Err(Error::Image(format!(
                "the mask has {} x {} pixels, but the image has {rows} x {cols}; they must agree",
                mask.nrows(),
                mask.ncols()
            )));
        }
        let roi = options.part_of((rows, cols))?;
        let part = |view: ArrayView2<'_, bool>| match &roi {
            Some((r, c)) => view.slice(s![r.clone(), c.clone()]).to_owned(),
            None => view.to_owned(),
        };
        let mask = mask.map(part);
        let taken = match &roi {
            Some((r, c)) => pixels.slice(s![r.clone(), c.clone()]),
            None => pixels,
        };
        let (non_finite, outliers) = (options.non_finite, options.outliers);
        let screening = Screening { mask, non_finite, outliers };
        let (micrograph, sha256) =
            rayon::join(|| Micrograph::screened(taken, screening), || checksum(pixels));
        let micrograph = micrograph?.with_pixel_size(options.pixel_size);
        let mut remarks = Remarks::default();
        no_data::remark(&mut remarks, &micrograph, options);
        let what = What { path: name, format: ARRAY, dtype: T::DTYPE };
        let summary = what.summary(&micrograph, options, roi, (sha256, Checksummed::Pixels));
        let files = Stamps::of([])?;
        Ok(Self::new(micrograph, T::DTYPE, summary, remarks, files))
    }
}

/// As [`Pixels::sha256`](stemseg_files::read::Pixels::sha256).
fn checksum<T: Element>(pixels: ArrayView2<'_, T>) -> String {
    let (rows, cols) = pixels.dim();
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {rows} {cols}\n", T::DTYPE));
    let mut bytes = Vec::new();
    for row in pixels.outer_iter() {
        bytes.clear();
        row.iter().for_each(|value| value.append(&mut bytes));
        hasher.update(&bytes);
    }
    hexadecimal(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use stemseg_files::read::Pixels;

    use super::*;
    use crate::region;

    #[test]
    fn an_array_is_what_a_file_of_it_would_be() {
        let pixels = Array2::from_shape_fn((40, 60), |(r, c)| ((r * 31 + c * 17) % 251) as u16);
        let mask = Array2::from_shape_fn((40, 60), |(r, _)| r < 3);
        let region = Some(region("2:,:50").unwrap());
        let options = Options { region, ..Options::default() };
        let read =
            Read::of_array(pixels.t().t(), Some(mask.view()), "a.npy".as_ref(), &options).unwrap();
        assert_eq!(read.micrograph.shape(), (38, 50));
        assert_eq!((read.summary.masked, read.summary.roi), (50, Some([2, 40, 0, 50])));
        assert_eq!(read.sha256().unwrap(), hexadecimal(&Pixels::from(pixels.clone()).sha256()));
        let short = mask.slice(s![1.., ..]);
        let error = Read::of_array(pixels.view(), Some(short), "a".as_ref(), &options).unwrap_err();
        assert!(error.to_string().contains("39 x 60"), "{error}");
    }
}
