//! HyperSpy's zspy: zarr arrays (version 2) in a zip archive or in a folder.

mod archive;

use std::path::{Path, PathBuf};

use archive::Archive;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::signal::{self, Axis};
use super::{
    Entry, Format, Image, Images, MAX_COMPRESSION, check_size, damaged, pixels, zspy_mark,
};
use stemseg::{Error, Result};

/// Bytes that a chunk may have beyond four times those of what it holds.
const SPARE: u64 = 1 << 26;

/// Chunks of an image: each is looked up, whether or not it is stored.
const MOST_CHUNKS: u64 = 1 << 20;

/// Every signal is an entry.
pub(super) struct Zspy;

impl Format for Zspy {
    fn name(&self) -> &'static str {
        "HyperSpy zspy"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(b"PK\x03\x04")
    }

    fn claims(&self, path: &Path) -> bool {
        zspy_mark::is_zspy(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let mut archive = Archive::open(path)?;
        let (mut signals, mut entries) = (Vec::new(), Vec::new());
        for place in archive.signals() {
            let array = archive.json(&format!("{place}/data/.zarray"));
            let array = array.and_then(|array| serde_json::from_value::<Array>(array).ok());
            let array = array.ok_or_else(|| damaged(path, "an array without a description"))?;
            entries.push(entry(&mut archive, &place, &array));
            signals.push((place, array));
        }
        Ok(Box::new(Signals { archive, signals, entries, last: None }))
    }
}

/// What the groups of a signal say of it.
fn entry(archive: &mut Archive, place: &str, array: &Array) -> Entry {
    let axes: Vec<Axis> = (0..array.shape.len())
        .map(|index| {
            let axis = archive.json(&format!("{place}/axis-{index}/.zattrs")).unwrap_or_default();
            Axis {
                step: axis["scale"].as_f64(),
                unit: axis["units"].as_str().unwrap_or_default().to_owned(),
                navigate: axis["navigate"].as_bool(),
            }
        })
        .collect();
    let general = archive.json(&format!("{place}/metadata/General/.zattrs")).unwrap_or_default();
    let text = |key: &str| general[key].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    let own = place.rsplit('/').next().unwrap_or_default();
    let (dtype, channels) = array.element().map_or(("structured".into(), 1), |e| (e.0, e.1));
    Entry {
        name: text("title").unwrap_or_else(|| own.trim_matches('_').to_owned()),
        date: text("date"),
        ..signal::entry(&array.shape, &dtype, channels, &axes, None)
    }
}

/// What `.zarray` says.
#[derive(Debug, Deserialize)]
struct Array {
    shape: Vec<u64>,
    chunks: Vec<u64>,
    dtype: Value,
    compressor: Option<Map<String, Value>>,
    filters: Option<Vec<Value>>,
    order: String,
    #[serde(default)]
    fill_value: Value,
    dimension_separator: Option<String>,
}

impl Array {
    /// numpy's name of its numbers, how many an element has, and whether they are
    /// stored with the first byte last.
    fn element(&self) -> Option<(String, usize, bool)> {
        let members = match &self.dtype {
            Value::String(text) => return number(text).map(|(name, big)| (name, 1, big)),
            Value::Array(members) => members,
            _ => return None,
        };
        let names: String = members.iter().filter_map(|member| member[0].as_str()).collect();
        let types: Vec<&str> = members.iter().filter_map(|member| member[1].as_str()).collect();
        let alike = types.windows(2).all(|pair| pair[0] == pair[1]);
        let (name, big) = number(types.first()?)?;
        (alike && ["RGB", "RGBA"].contains(&&*names)).then_some((name, members.len(), big))
    }

    /// The name of a chunk in its folder.
    fn key(&self, index: &[u64]) -> String {
        let separator = self.dimension_separator.as_deref().unwrap_or(".");
        index.iter().map(u64::to_string).collect::<Vec<_>>().join(separator)
    }
}

/// numpy's name of a type such as `<i8`, and whether its first byte is the largest.
fn number(text: &str) -> Option<(String, bool)> {
    let (order, rest) = text.split_at_checked(1)?;
    let (kind, size) = rest.split_at_checked(1)?;
    let bits = 8 * size.parse::<u32>().ok().filter(|size| *size <= 16)?;
    let name = match kind {
        "b" => "bool".to_owned(),
        "i" => format!("int{bits}"),
        "u" => format!("uint{bits}"),
        "f" => format!("float{bits}"),
        "c" => format!("complex{bits}"),
        _ => return None,
    };
    Some((name, order == ">"))
}

/// An open file.
struct Signals {
    archive: Archive,
    /// Folder of each entry in the archive, and how its array is stored.
    signals: Vec<(String, Array)>,
    entries: Vec<Entry>,
    /// The chunk that was unpacked last, for frames share chunks.
    last: Option<(String, Vec<u8>)>,
}

impl Images for Signals {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let Self { archive, signals, entries, last } = self;
        let (place, array) = &signals[entry];
        let entry = &entries[entry];
        signal::check_element(&archive.path, &entry.dtype)?;
        let slab = Slab::new(archive, array, entry, frame)?;
        let mut image = vec![0; slab.bytes()];
        for index in slab.chunks() {
            let name = format!("{place}/data/{}", array.key(&index));
            if last.as_ref().is_none_or(|(key, _)| *key != name) {
                *last = Some((name.clone(), archive.chunk(&name, array, slab.chunk_bytes)?));
            }
            if let Some((_, chunk)) = last {
                slab.copy(&index, chunk, &mut image);
            }
        }
        let big_endian = array.element().is_some_and(|(_, _, big)| big);
        pixels::from_bytes(&entry.dtype, &image, big_endian, slab.shape)
            .ok_or_else(|| damaged(&archive.path, "an array of another size than it says"))
    }

    fn besides(&self) -> Vec<PathBuf> {
        self.archive.members()
    }
}

/// One image of an array, and the chunks that it lies in.
struct Slab {
    /// The frame, where the array has an axis of frames.
    frame: Option<u64>,
    /// Whether a last axis of length 1 follows the columns.
    trailing: bool,
    /// Rows, columns, channels.
    shape: [usize; 3],
    /// Frames (1 without such an axis), rows and columns of a chunk.
    chunk: [usize; 3],
    /// Bytes of an element with all its channels.
    element: usize,
    chunk_bytes: usize,
}

impl Slab {
    fn new(archive: &Archive, array: &Array, entry: &Entry, frame: usize) -> Result<Self> {
        let path = &archive.path;
        let separated =
            array.dimension_separator.as_deref().is_none_or(|s| [".", "/"].contains(&s));
        let filtered = array.filters.as_ref().is_some_and(|list| !list.is_empty());
        if array.order != "C" || filtered || !separated {
            let reason = "is stored in a way that is not read (column-major or filtered zarr); save it as hspy";
            return Err(Error::unreadable(path, reason));
        }
        let stack = entry.frames().is_some();
        let wrong = || damaged(path, "chunks that do not fit their array");
        let chunk: [u64; 3] = match (&array.chunks[..], stack) {
            (&[rows, cols] | &[rows, cols, 1], false) => [1, rows, cols],
            (&[frames, rows, cols], true) => [frames, rows, cols],
            _ => return Err(wrong()),
        };
        let (all, one) = entry.bytes().ok_or_else(wrong)?;
        let lengths = &entry.shape[usize::from(stack)..];
        let shape = [lengths[0], lengths[1], lengths.get(2).copied().unwrap_or(1)];
        let pixels = (shape[0] as u64).checked_mul(shape[1] as u64);
        let element = pixels.filter(|pixels| *pixels > 0).map_or(0, |pixels| one / pixels);
        let chunk_bytes = chunk.iter().try_fold(element, |all, &length| all.checked_mul(length));
        if chunk.contains(&0) {
            return Err(wrong());
        }
        let available = archive.size.saturating_mul(MAX_COMPRESSION);
        check_size(path, Some(all), available, one)?;
        let most = all.saturating_mul(4).saturating_add(SPARE).min(available);
        check_size(path, chunk_bytes, most, chunk_bytes.unwrap_or(u64::MAX))?;
        let length = |length: u64| usize::try_from(length).map_err(|_| wrong());
        let slab = Self {
            frame: stack.then_some(frame as u64),
            trailing: !stack && array.chunks.len() == 3,
            shape,
            chunk: [length(chunk[0])?, length(chunk[1])?, length(chunk[2])?],
            element: length(element)?,
            chunk_bytes: length(chunk_bytes.unwrap_or(0))?,
        };
        let count = slab.grid()[0].saturating_mul(slab.grid()[1]);
        if count > MOST_CHUNKS {
            let reason = format!(
                "has {count} chunks for an image, more than the {MOST_CHUNKS} that are read; \
                 save it in larger chunks"
            );
            return Err(Error::unreadable(path, reason));
        }
        Ok(slab)
    }

    fn bytes(&self) -> usize {
        self.shape[0] * self.shape[1] * self.element
    }

    /// How many chunks follow along the rows and along the columns of an image.
    fn grid(&self) -> [u64; 2] {
        [0, 1].map(|axis| self.shape[axis].div_ceil(self.chunk[axis + 1]) as u64)
    }

    /// Indices of the chunks that hold a part of the image, in order.
    fn chunks(&self) -> impl Iterator<Item = Vec<u64>> {
        let frame = self.frame.map(|frame| frame / self.chunk[0] as u64);
        let ([rows, cols], last) = (self.grid(), self.trailing.then_some(0));
        let of_row = move |row| {
            let index = move |col| frame.into_iter().chain([row, col]).chain(last).collect();
            (0..cols).map(index)
        };
        (0..rows).flat_map(of_row)
    }

    /// Copies what a chunk holds of the image.
    fn copy(&self, index: &[u64], chunk: &[u8], image: &mut [u8]) {
        let [_, chunk_rows, chunk_cols] = self.chunk;
        let [rows, cols, _] = self.shape;
        let at = &index[index.len() - 2 - usize::from(self.trailing)..];
        let (first_row, first_col) = (at[0] as usize * chunk_rows, at[1] as usize * chunk_cols);
        let frame = self.frame.map_or(0, |frame| frame as usize % self.chunk[0]);
        let width = chunk_cols.min(cols - first_col) * self.element;
        for row in 0..chunk_rows.min(rows - first_row) {
            let from = (frame * chunk_rows + row) * chunk_cols * self.element;
            let to = ((first_row + row) * cols + first_col) * self.element;
            image[to..to + width].copy_from_slice(&chunk[from..from + width]);
        }
    }
}
