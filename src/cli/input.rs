//! The image, with its mask and region.

use std::fmt::Write;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use stemseg::io::read::{self, ImageFile};
use stemseg::micrograph::{Micrograph, Screening};
use stemseg::remarks::Remarks;
use stemseg::report::summary::{Input, NonFiniteFound, OutliersFound};
use stemseg::{Error, Result};

use super::args::InputArgs;
use super::no_data;

/// A micrograph and what is to be said of it.
pub(super) struct Read {
    pub(super) micrograph: Micrograph,
    /// Type of the pixels that were read, as numpy spells it; luma is float32.
    pub(super) dtype: &'static str,
    pub(super) summary: Input,
    pub(super) remarks: Remarks,
    /// The files that the image comes from.
    pub(super) files: Vec<PathBuf>,
}

/// Reads the image and everything that belongs to it.
pub(super) fn read(file: &Path, args: &InputArgs) -> Result<Read> {
    let loaded = read::read_frame(file, args.image, args.frame)?;
    let size = args.pixel_size.or(loaded.entry.pixel_size());
    let (rows, cols) = loaded.pixels.shape();
    let roi = match args.roi {
        Some([r, c]) => Some((r.of("rows", rows)?, c.of("columns", cols)?)),
        None => None,
    };
    let mask = match &args.mask {
        Some(path) => Some(mask(path, args.mask_invert, (rows, cols))?),
        None => None,
    };
    let dtype = loaded.pixels.dtype();
    let (pixels, mask) = match &roi {
        Some((r, c)) => (
            loaded.pixels.crop(r.clone(), c.clone())?,
            mask.map(|m| m.slice(ndarray::s![r.clone(), c.clone()]).to_owned()),
        ),
        None => (loaded.pixels, mask),
    };
    let screening = Screening { mask, non_finite: args.non_finite(), outliers: args.outliers() };
    let micrograph =
        pixels.to_micrograph(screening).map_err(|e| with_path(file, e))?.with_pixel_size(size);

    let files = loaded.files;
    let mut remarks = Remarks { notes: loaded.notes, ..Default::default() };
    no_data::remark(&mut remarks, &micrograph, args);
    if let (Some(unit), None) = (other_unit(&loaded.entry), size) {
        remarks.note(format!("the image is calibrated in {unit}, so lengths and areas are in px"));
    }
    let excluded = micrograph.excluded();
    let summary = Input {
        path: file.to_path_buf(),
        format: loaded.format,
        shape: micrograph.shape().into(),
        dtype: loaded.entry.dtype,
        image: args.image,
        frame: loaded.frame,
        roi: roi.map(|(r, c)| [r.start, r.end, c.start, c.end]),
        mask: args.mask.clone(),
        mask_sha256: args.mask.as_ref().map(std::slice::from_ref).map(checksum).transpose()?,
        mask_inverted: args.mask_invert,
        masked: excluded.masked,
        non_finite: NonFiniteFound {
            rule: args.non_finite(),
            pixels: excluded.non_finite + micrograph.replaced(),
        },
        outliers: OutliersFound {
            rule: args.outliers(),
            pixels: excluded.outliers,
            constant: excluded.constant,
        },
        pixel_size_nm: micrograph.pixel_size(),
        sha256: String::new(),
    };
    Ok(Read { micrograph, dtype, summary, remarks, files })
}

/// The unit of an image that is calibrated, but not as a length.
fn other_unit(entry: &read::Entry) -> Option<&'static str> {
    entry.calibration.filter(|c| c.pixel_size().is_none()).map(|c| c.unit.name())
}

/// The pixels of a file that is no stack.
pub(super) fn single(path: &Path) -> Result<read::Pixels> {
    let mut file = ImageFile::open(path)?;
    let image = file.choose(None)?;
    match file.entries()[image].frames() {
        Some(frames) => Err(Error::unreadable(
            path,
            format!(
                "is a stack of {frames} frames, where a single image is needed; save one frame"
            ),
        )),
        None => Ok(file.load(image, 0)?.0),
    }
}

/// The mask in a file, true where a pixel does not count.
fn mask(path: &Path, inverted: bool, shape: (usize, usize)) -> Result<ndarray::Array2<bool>> {
    let (mask, those) = match inverted {
        false => (single(path)?.to_mask(), "do not count"),
        true => (single(path)?.to_inverted_mask(), "count with --mask-invert"),
    };
    match mask.dim() == shape {
        true if mask.iter().all(|&masked| masked) => Err(Error::unreadable(
            path,
            format!("the mask leaves no pixel; its non-zero pixels are those that {those}"),
        )),
        true => Ok(mask),
        false => Err(Error::unreadable(
            path,
            format!(
                "the mask has {} x {} pixels but the image {} x {}; they must agree",
                mask.nrows(),
                mask.ncols(),
                shape.0,
                shape.1
            ),
        )),
    }
}

/// Names the file in an error about its pixels.
pub(super) fn with_path(path: &Path, error: Error) -> Error {
    match error {
        Error::Image(reason) => Error::unreadable(path, reason),
        other => other,
    }
}

/// SHA-256 of the files, one after the other, hexadecimal.
pub(super) fn checksum(files: &[PathBuf]) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        let mut file = std::fs::File::open(path).map_err(Error::io(path))?;
        loop {
            match file.read(&mut buffer).map_err(Error::io(path))? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_of_all_files_one_after_the_other() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let parts = [file("a", "ab"), file("b", "c")];
        let sum = checksum(&parts).unwrap();
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(checksum(&[file("abc", "abc")]).unwrap(), sum);
        let missing = place.path().join("missing");
        assert!(checksum(&[missing]).unwrap_err().to_string().contains("missing"));
    }
}
