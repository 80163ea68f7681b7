//! Arrays in HDF5 files as images.

use std::path::{Path, PathBuf};

use hdf5_pure::{ChunkIndex, Dataset, Error as Theirs, FormatError, Group, Layout};
use ndarray::Array2;

use super::hdf5::{self, Element, unreadable};
use super::mean::Gaps;
use super::signal::check_element;
use super::{Entry, Image, Images, MAX_COMPRESSION, check_size, damaged, file_size, pixels};
use stemseg::sites::blocks;
use stemseg::{Error, Result};

/// Bytes of a stack that are unpacked at once where its frames are interleaved, about.
const WINDOW: u64 = 1 << 25;

/// Bytes that a chunk may have beyond four times those of its array: an array that is
/// to grow may be smaller than its chunks, which are a few megabytes then.
const SPARE: u64 = 1 << 26;

/// What a byte of the file may hold of metadata, text that is padded by zeros, and what
/// they may have anyway.
const METADATA_COMPRESSION: u64 = 64;
const METADATA: u64 = 1 << 24;

/// An array of a file: how it is stored, or why it is not read.
pub(super) struct Array {
    pub(super) shape: Vec<u64>,
    pub(super) element: Element,
    store: Result<Dataset, String>,
    /// Frames lie along the last axis: the pixels of all frames alternate.
    interleaved: bool,
}

impl Array {
    /// The array `name` of `group`; one that is stored in a way that is not read is
    /// one without a shape.
    pub(super) fn open(path: &Path, group: &Group, name: &str) -> Result<Self> {
        let missing = |error: &Theirs| {
            matches!(error, Theirs::Format(FormatError::PathNotFound(_)) | Theirs::NotADataset(_))
        };
        match group.dataset(name) {
            Ok(dataset) => Self::new(path, dataset),
            // The crate passes over links that name a path.
            Err(error) if missing(&error) => Ok(Self::refused(format!(
                "has no array {name:?}, or a link to another place in its stead, which is not \
                 read; save the array itself"
            ))),
            Err(error) => Self::or_refused(path, Err(error)),
        }
    }

    pub(super) fn new(path: &Path, dataset: Dataset) -> Result<Self> {
        Self::or_refused(path, Self::describe(dataset))
    }

    /// With frames along its last axis.
    pub(super) fn interleaved(self) -> Self {
        Self { interleaved: true, ..self }
    }

    /// Why it is not read.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.store.as_ref().err().map(String::as_str)
    }

    /// One that is not read, with the reason.
    pub(super) fn refused(reason: String) -> Self {
        let element = Element { dtype: "unknown".into(), channels: 1, big_endian: false };
        Self { shape: Vec::new(), element, store: Err(reason), interleaved: false }
    }

    fn or_refused(path: &Path, found: Result<Self, Theirs>) -> Result<Self> {
        found.or_else(|error| match hdf5::not_read(&error) {
            Some(reason) => Ok(Self::refused(reason)),
            None => Err(unreadable(path, error)),
        })
    }

    fn describe(dataset: Dataset) -> Result<Self, Theirs> {
        let reason = match dataset.layout()? {
            Layout::Virtual => Some(hdf5::of_layout("a virtual dataset of other files")),
            Layout::Chunked { index: ChunkIndex::BTreeV2, .. } => {
                Some(hdf5::of_layout("chunks in a B-tree of version 2"))
            }
            Layout::Chunked { chunk_shape, .. } => large_chunks(&dataset, &chunk_shape)?,
            _ => None,
        };
        if let Some(reason) = reason {
            return Ok(Self::refused(reason));
        }
        let (shape, element) = (dataset.shape()?, hdf5::element(&dataset)?);
        Ok(Self { shape, element, store: Ok(dataset), interleaved: false })
    }

    /// The dataset, after its size was compared with that of the file.
    fn checked(&self, path: &Path, entry: &Entry) -> Result<&Dataset> {
        check_element(path, &entry.dtype)?;
        let dataset = match &self.store {
            Ok(dataset) => dataset,
            Err(reason) => return Err(Error::unreadable(path, reason.clone())),
        };
        // Elements may be larger than they seem.
        let size = dataset.element_size().ok();
        let count = size.and_then(|size| product(&self.shape, size));
        let one = entry.bytes().map_or(u64::MAX, |(_, one)| one.max(size.unwrap_or(0)));
        // One chunk is unpacked in addition to the image.
        let chunk = dataset.chunk_shape().ok().flatten().and_then(|c| product(&c, size?));
        let available = file_size(path)?.saturating_mul(MAX_COMPRESSION);
        check_size(path, count, available, one.saturating_add(chunk.unwrap_or(0)))?;
        Ok(dataset)
    }

    /// Frame `frame` of the image that `entry` describes.
    pub(super) fn load(&self, path: &Path, entry: &Entry, frame: usize) -> Result<Image> {
        let stack = entry.frames().is_some();
        let dataset = self.checked(path, entry)?;
        let lengths = &entry.shape[usize::from(stack)..];
        let shape = [lengths[0], lengths[1], self.element.channels];
        let bytes = match (stack, self.interleaved) {
            (true, true) => {
                let mut image = Vec::new();
                self.for_each_block(path, dataset, |_, bytes, size| {
                    let frames = entry.shape[0];
                    let of_frame = |pixel: &[u8]| pixel[frame * size..][..size].to_vec();
                    image.extend(bytes.chunks_exact(frames * size).flat_map(of_frame));
                    Ok(())
                })?;
                Ok(image)
            }
            (true, false) => dataset.read_raw_rows(frame as u64, 1),
            (false, _) => dataset.read_raw(),
        };
        let bytes = bytes.map_err(|error| unreadable(path, error))?;
        self.pixels(path, entry, &bytes, shape)
    }

    /// The mean over frames that are interleaved.
    pub(super) fn mean(&self, path: &Path, entry: &Entry) -> Result<Option<Image>> {
        let (true, &[frames, rows, cols]) = (self.interleaved, &entry.shape[..]) else {
            return Ok(None);
        };
        let dataset = self.checked(path, entry)?;
        let (mut means, mut notes) = (Vec::with_capacity(rows * cols), Vec::new());
        let mut gaps = Gaps::default();
        self.for_each_block(path, dataset, |rows, bytes, _| {
            let (values, said) = self.pixels(path, entry, bytes, [rows, cols * frames, 1])?;
            let values = values.to_f64();
            let pixels = values.exact_chunks((1, frames));
            means.extend(pixels.into_iter().map(|pixel| gaps.mean(pixel.iter())));
            notes = said;
            Ok(())
        })?;
        notes.extend(gaps.note());
        let means = Array2::from_shape_vec((rows, cols), means);
        Ok(Some((means.map_err(|error| damaged(path, error))?.into(), notes)))
    }

    /// Unpacks some rows after the others: calls `each` with their number, their bytes
    /// and the bytes of an element.
    fn for_each_block(
        &self,
        path: &Path,
        dataset: &Dataset,
        mut each: impl FnMut(usize, &[u8], usize) -> Result<()>,
    ) -> Result<()> {
        let fail = |error| unreadable(path, error);
        let size = dataset.element_size().map_err(fail)?;
        let row_bytes = product(&self.shape[1..], size).unwrap_or(u64::MAX).max(1);
        let chunk = dataset.chunk_shape().map_err(fail)?.and_then(|chunk| chunk.first().copied());
        let at_once = rows_at_once(row_bytes, chunk.unwrap_or(1));
        let rows = usize::try_from(self.shape[0]).map_err(|error| damaged(path, error))?;
        let size = usize::try_from(size).map_err(|error| damaged(path, error))?;
        for rows in blocks(0..rows, at_once) {
            let bytes =
                dataset.read_raw_rows(rows.start as u64, rows.len() as u64).map_err(fail)?;
            each(rows.len(), &bytes, size)?;
        }
        Ok(())
    }

    fn pixels(&self, path: &Path, entry: &Entry, bytes: &[u8], shape: [usize; 3]) -> Result<Image> {
        pixels::from_bytes(&entry.dtype, bytes, self.element.big_endian, shape)
            .ok_or_else(|| damaged(path, "an array of another size than it says"))
    }
}

/// The arrays of an open file.
pub(super) struct Arrays {
    pub(super) path: PathBuf,
    pub(super) arrays: Vec<Array>,
    pub(super) entries: Vec<Entry>,
}

impl Images for Arrays {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        self.arrays[entry].load(&self.path, &self.entries[entry], frame)
    }

    fn mean(&mut self, entry: usize) -> Result<Option<Image>> {
        self.arrays[entry].mean(&self.path, &self.entries[entry])
    }
}

/// How many rows of a stack are unpacked at once: whole chunks, unless they are large.
fn rows_at_once(row_bytes: u64, chunk_rows: u64) -> usize {
    let rows = (WINDOW / row_bytes).max(1);
    let whole = match chunk_rows.max(1) {
        chunk if chunk.saturating_mul(row_bytes) <= 8 * WINDOW => (rows / chunk).max(1) * chunk,
        _ => rows,
    };
    usize::try_from(whole).unwrap_or(usize::MAX)
}

fn product(lengths: &[u64], element: u64) -> Option<u64> {
    lengths.iter().try_fold(element, |all, &length| all.checked_mul(length))
}

/// The refusal of chunks that would take far more memory than what they hold.
fn large_chunks(dataset: &Dataset, chunk: &[u64]) -> Result<Option<String>, Theirs> {
    let (shape, element) = (dataset.shape()?, dataset.element_size()?);
    let array = product(&shape, element).unwrap_or(u64::MAX);
    let bytes = product(chunk, element).unwrap_or(u64::MAX);
    let most = array.saturating_mul(4).saturating_add(SPARE);
    Ok((bytes > most).then(|| {
        format!(
            "has chunks of {bytes} bytes for an array of {array} bytes, more than the {most} that \
             are unpacked for it; store it in smaller chunks (h5repack), or copy or export it again"
        )
    }))
}

/// The bytes of a dataset of metadata, which are compared with the size of the file
/// before they are read; nothing where they cannot be.
pub(super) fn small(path: &Path, dataset: &Dataset) -> Result<Option<Vec<u8>>> {
    let size = || -> Result<_, Theirs> {
        let bytes = product(&dataset.shape()?, dataset.element_size()?);
        let chunk = dataset.chunk_shape()?;
        Ok((bytes, chunk.map_or(Ok(None), |chunk| large_chunks(dataset, &chunk))?))
    };
    let Ok((bytes, large)) = size() else { return Ok(None) };
    if let Some(reason) = large {
        return Err(Error::unreadable(path, format!("{reason} (its metadata)")));
    }
    let most = file_size(path)?.saturating_mul(METADATA_COMPRESSION).saturating_add(METADATA);
    check_size(path, bytes, most, 0)?;
    Ok(dataset.read_raw().ok())
}
