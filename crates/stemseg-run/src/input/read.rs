//! The image, with its mask and region.

use std::fmt::Write;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};
use stemseg::image::micrograph::{Micrograph, Screening};
use stemseg::remarks::Remarks;
use stemseg::{Error, Result, memory};
use stemseg_files::read::{self, Frame, ImageFile, Pixels, Stamps};
use stemseg_report::summary::{Checksummed, Input, NonFiniteFound, OutliersFound};

use super::{Input as Options, Mask, Part, no_data};

/// A micrograph and what is to be said of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Read {
    /// The image.
    pub micrograph: Micrograph,
    /// Type of the pixels that were read, as numpy spells it; luma is float32.
    pub dtype: &'static str,
    /// What summary.json says of it.
    pub summary: Input,
    /// What is to be said of it.
    pub remarks: Remarks,
    /// The files that the image comes from.
    files: Stamps,
}

impl Read {
    pub(super) fn new(
        micrograph: Micrograph,
        dtype: &'static str,
        summary: Input,
        remarks: Remarks,
        files: Stamps,
    ) -> Self {
        Self { micrograph, dtype, summary, remarks, files }
    }

    /// The checksum that `summary` says it has; takes it where that was not done when the
    /// image was read.
    ///
    /// # Errors
    /// Where a file cannot be read again, or is not what it was.
    pub fn sha256(&self) -> Result<String> {
        match self.summary.sha256.is_empty() {
            true => checksum(&self.files),
            false => Ok(self.summary.sha256.clone()),
        }
    }
}

/// Reads the image in `file`, and everything that belongs to it.
///
/// # Errors
/// [`Error::Unreadable`], [`Error::Parameter`] and [`Error::Image`] for files, options and
/// pixels that cannot be read or do not fit each other; [`Error::Io`].
pub fn read(file: &Path, options: &Options) -> Result<Read> {
    read_within(None, file, options)
}

/// The same within as many bytes as `memory` says.
pub(crate) fn read_within(memory: Option<u64>, file: &Path, options: &Options) -> Result<Read> {
    let open = ImageFile::open(file)?;
    if let Some(bytes) = memory {
        let need = memory::REST + open.memory(options.image, options.frame)?;
        if bytes < need {
            return Err(memory::too_little(bytes, "the pixels while they are read", need));
        }
    }
    let loaded = open.read(options.image, options.frame)?;
    let size = options.pixel_size.or(loaded.entry.pixel_size());
    let (rows, cols) = loaded.pixels.shape();
    let roi = options.part_of((rows, cols))?;
    let (mask, mask_sha256) = match &options.mask {
        Some(given) => {
            let (mask, files) = mask(given, (rows, cols))?;
            (Some(mask), Some(checksum(&files)?))
        }
        None => (None, None),
    };
    let files = loaded.stamps;
    let sha256_of = checksummed(&loaded.pixels, loaded.frame, &files);
    let sha256 = match sha256_of {
        // While the image is computed.
        Checksummed::Files => String::new(),
        Checksummed::Pixels => hexadecimal(&loaded.pixels.sha256()),
    };
    let dtype = loaded.pixels.dtype();
    let (pixels, mask) = match &roi {
        Some((r, c)) => (
            loaded.pixels.crop(r.clone(), c.clone())?,
            mask.map(|m| m.slice(ndarray::s![r.clone(), c.clone()]).to_owned()),
        ),
        None => (loaded.pixels, mask),
    };
    let screening = Screening { mask, non_finite: options.non_finite, outliers: options.outliers };
    let micrograph =
        pixels.to_micrograph(screening).map_err(|e| with_path(file, e))?.with_pixel_size(size);

    let mut remarks = Remarks { notes: loaded.notes, ..Default::default() };
    no_data::remark(&mut remarks, &micrograph, options);
    if let (Some(unit), None) = (other_unit(&loaded.entry), size) {
        remarks.note(format!("the image is calibrated in {unit}, so lengths and areas are in px"));
    }
    let what = What { path: file, format: loaded.format, dtype: &loaded.entry.dtype };
    let summary = Input {
        image: options.image,
        frame: loaded.frame,
        mask: options.mask.as_ref().map(|mask| mask.file.clone()),
        mask_sha256,
        mask_inverted: options.mask.as_ref().is_some_and(|mask| mask.inverted),
        ..what.summary(&micrograph, options, roi, (sha256, sha256_of))
    };
    Ok(Read { micrograph, dtype, summary, remarks, files })
}

/// What an image is called and made of.
pub(super) struct What<'a> {
    /// Its file, or what results name it.
    pub(super) path: &'a Path,
    pub(super) format: &'static str,
    /// Type of its pixels, as numpy spells it.
    pub(super) dtype: &'a str,
}

impl What<'_> {
    /// What summary.json says of `micrograph`, the rows and columns `roi` of this, with its checksum,
    /// where nothing was chosen in a file.
    pub(super) fn summary(
        &self,
        micrograph: &Micrograph,
        options: &Options,
        roi: Option<Part>,
        (sha256, sha256_of): (String, Checksummed),
    ) -> Input {
        let excluded = micrograph.excluded();
        Input {
            path: self.path.to_path_buf(),
            format: self.format,
            shape: micrograph.shape().into(),
            dtype: self.dtype.to_owned(),
            image: None,
            frame: None,
            roi: roi.map(|(r, c)| [r.start, r.end, c.start, c.end]),
            mask: None,
            mask_sha256: None,
            mask_inverted: false,
            masked: excluded.masked,
            non_finite: NonFiniteFound {
                rule: options.non_finite,
                pixels: excluded.non_finite + micrograph.replaced(),
            },
            outliers: OutliersFound {
                rule: options.outliers,
                pixels: excluded.outliers,
                constant: excluded.constant,
            },
            pixel_size_nm: micrograph.pixel_size(),
            sha256,
            sha256_of,
        }
    }
}

/// The unit of an image that is calibrated, but not as a length.
fn other_unit(entry: &read::Entry) -> Option<&'static str> {
    entry.calibration.filter(|c| c.pixel_size().is_none()).map(|c| c.unit.name())
}

/// The pixels of a file that is not a stack.
///
/// # Errors
/// [`Error::Unreadable`] for one that is, and for what is not an image.
pub fn single_image(path: &Path) -> Result<read::Pixels> {
    only_image(path, ImageFile::open(path)?)
}

fn only_image(path: &Path, mut file: ImageFile) -> Result<read::Pixels> {
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

/// The mask in a file, true where a pixel does not count, with the file as it was.
pub(crate) fn mask(given: &Mask, shape: (usize, usize)) -> Result<(ndarray::Array2<bool>, Stamps)> {
    let Mask { file: path, inverted } = given;
    let file = ImageFile::open(path)?;
    let files = file.stamps().clone();
    let pixels = only_image(path, file)?;
    let (mask, those) = match *inverted {
        false => (pixels.to_mask(), "do not count"),
        true => (pixels.to_inverted_mask(), "count with `mask-invert = true`"),
    };
    match mask.dim() == shape {
        true if mask.iter().all(|&masked| masked) => Err(Error::unreadable(
            path,
            format!("the mask leaves no pixel; its non-zero pixels are those that {those}"),
        )),
        true => Ok((mask, files)),
        false => Err(Error::unreadable(
            path,
            format!(
                "the mask has {} x {} pixels, but the image has {} x {}; they must agree",
                mask.nrows(),
                mask.ncols(),
                shape.0,
                shape.1
            ),
        )),
    }
}

/// Names the file in an error about its pixels.
pub fn with_path(path: &Path, error: Error) -> Error {
    match error {
        Error::Image(reason) => Error::unreadable(path, reason),
        other => other,
    }
}

/// What the checksum is of: the files, unless they are far larger than the image that was
/// taken from them.
fn checksummed(pixels: &Pixels, frame: Option<Frame>, files: &Stamps) -> Checksummed {
    // About what is read in a tenth of a second.
    const SMALL: u64 = 64 << 20;
    let image = pixels.bytes();
    match frame {
        // All of the stack was read.
        Some(Frame::Mean) => Checksummed::Files,
        _ if files.bytes() <= SMALL + 2 * image => Checksummed::Files,
        _ => Checksummed::Pixels,
    }
}

/// SHA-256 of the files in succession, hexadecimal.
///
/// # Errors
/// Where one cannot be read, or is not what it was when the stamps were taken.
fn checksum(files: &Stamps) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files.files() {
        let mut file = std::fs::File::open(path).map_err(Error::io(path))?;
        loop {
            match file.read(&mut buffer).map_err(Error::io(path))? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
    }
    files.check()?;
    Ok(hexadecimal(&hasher.finalize()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_checksum_is_of_all_files_one_after_the_other() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let checksum = |files: Vec<PathBuf>| checksum(&Stamps::of(files)?);
        let sum = checksum(vec![file("a", "ab"), file("b", "c")]).unwrap();
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(checksum(vec![file("abc", "abc")]).unwrap(), sum);
        let missing = place.path().join("missing");
        assert!(checksum(vec![missing]).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn of_a_small_part_of_a_large_file_the_pixels_are_summed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("stack");
        let file = std::fs::File::create(&path).unwrap();
        let pixels = Pixels::U16(ndarray::array![[1, 2, 258], [3, 4, 5]]);
        let of = |bytes: u64, frame| {
            file.set_len(bytes).unwrap();
            checksummed(&pixels, frame, &Stamps::of([path.clone()]).unwrap())
        };
        assert_eq!(of(64 << 20, Some(Frame::Number(0))), Checksummed::Files);
        assert_eq!(of(65 << 20, Some(Frame::Number(0))), Checksummed::Pixels);
        assert_eq!(of(65 << 20, Some(Frame::Mean)), Checksummed::Files, "all of it was read");
        // hashlib.sha256(b"uint16 2 3\n" + numpy.array(..., "<u2").tobytes())
        let expected = "8d8c34202d17ec35338360378c765a6f31a69dae1fedd7f277658d5159db688d";
        assert_eq!(hexadecimal(&pixels.sha256()), expected);
    }

    #[test]
    fn a_file_that_changes_before_its_checksum_is_taken_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("image.npy");
        std::fs::write(&path, "one").unwrap();
        let files = Stamps::of([path.clone()]).unwrap();
        assert!(checksum(&files).is_ok());
        // Another file of the same length under the same name.
        let other = place.path().join("other");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        let error = checksum(&files).unwrap_err().to_string();
        assert!(error.contains("image.npy: changed while it was read"), "{error}");
    }
}
