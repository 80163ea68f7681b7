//! An image at full size, a half, a quarter and so on, written in one pass.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;
use serde_json::json;

use super::restored::Restore;
use super::write_json;
use stemseg::image::rows::Rows;

/// Side of a chunk, px; even, so that no block of 2 x 2 lies in two strips.
pub(super) const CHUNK: usize = 512;

/// How hard chunks are packed: the least, for speed.
const LEVEL: u32 = 1;

/// A value of a pixel.
pub(super) trait Cell:
    Restore + Copy + Default + PartialEq + Send + Sync + Into<f64>
{
    /// Its type as Zarr spells it.
    const DTYPE: &'static str;
    /// Appends its bytes, the least first.
    fn append(self, to: &mut Vec<u8>);
}

macro_rules! cells {
    ($($cell:ty = $dtype:literal),*) => {$(
        impl Cell for $cell {
            const DTYPE: &'static str = $dtype;

            fn append(self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }
        }
    )*};
}
cells!(u8 = "|u1", i8 = "|i1", u16 = "<u2", i16 = "<i2", u32 = "<u4", i32 = "<i4", f32 = "<f4");

/// Mean of up to four pixels.
pub(super) fn mean<T: Cell>(block: &[T]) -> T {
    T::restore(block.iter().map(|&v| v.into()).sum::<f64>() / block.len() as f64)
}

/// The most frequent of up to four pixels, of several the first.
pub(super) fn largest_share<T: Cell>(block: &[T]) -> T {
    let count = |value: &T| block.iter().filter(|v| *v == value).count();
    let most = block.iter().map(count).max();
    block.iter().copied().find(|v| Some(count(v)) == most).unwrap_or_default()
}

/// The arrays of one image, and of each the strip of rows that is not yet written.
pub(super) struct Pyramid<T> {
    levels: Vec<Level<T>>,
    reduce: fn(&[T]) -> T,
}

/// One size of the image.
struct Level<T> {
    /// Where its chunks lie: `ROW/COLUMN`, of a film `FRAME/ROW/COLUMN`.
    folder: PathBuf,
    /// Of a film, the number of its frames and the frame that is written.
    frames: Option<(usize, usize)>,
    /// Rows and columns.
    shape: (usize, usize),
    /// A row of chunks, `[rows of a chunk, cols]`.
    strip: Array2<T>,
    /// Columns of a chunk.
    width: usize,
    /// Rows of the strip that are there.
    filled: usize,
    /// Rows of the image before the strip.
    written: usize,
}

impl<T: Cell> Pyramid<T> {
    /// Of the arrays `below/0`, `below/1` and on for an image of `shape`, down to a
    /// single chunk; blocks of 2 x 2 pixels become one by `reduce`.
    pub(super) fn new(below: &Path, shape: (usize, usize), reduce: fn(&[T]) -> T) -> Self {
        let halved = |&(rows, cols): &(usize, usize)| {
            let smaller = (rows.div_ceil(2), cols.div_ceil(2));
            (rows.max(cols) > CHUNK).then_some(smaller)
        };
        let shapes = std::iter::successors(Some(shape), halved).enumerate();
        let level = |(number, shape): (usize, _)| Level::new(below.join(number.to_string()), shape);
        Self { levels: shapes.map(level).collect(), reduce }
    }

    /// The same of a film of this number of frames, each of which is a chunk along time.
    pub(super) fn of_film(
        below: &Path,
        frames: usize,
        shape: (usize, usize),
        reduce: fn(&[T]) -> T,
    ) -> io::Result<Self> {
        let mut film = Self::new(below, shape, reduce);
        film.levels.iter_mut().for_each(|level| level.frames = Some((frames, 0)));
        film.levels.iter().try_for_each(Level::store_metadata)?;
        Ok(film)
    }

    /// Writes a frame of a film.
    pub(super) fn fill_frame(&mut self, frame: usize, image: &dyn Rows<T>) -> io::Result<()> {
        for level in &mut self.levels {
            level.frames = level.frames.map(|(frames, _)| (frames, frame));
            (level.filled, level.written) = (0, 0);
        }
        self.fill_strips(image)
    }

    /// Number of sizes.
    pub(super) fn levels(&self) -> usize {
        self.levels.len()
    }

    /// Writes all of them.
    pub(super) fn fill(&mut self, image: &dyn Rows<T>) -> io::Result<()> {
        self.levels.iter().try_for_each(Level::store_metadata)?;
        self.fill_strips(image)
    }

    fn fill_strips(&mut self, image: &dyn Rows<T>) -> io::Result<()> {
        let rows = image.shape().0;
        for first in (0..rows).step_by(CHUNK) {
            let level = &mut self.levels[0];
            level.filled = CHUNK.min(rows - first);
            let mut strip = level.strip.slice_mut(s![..level.filled, ..]);
            strip.outer_iter_mut().into_par_iter().enumerate().for_each(|(line, mut to)| {
                image.fill(first + line, to.as_slice_mut().expect("rows are contiguous"));
            });
            self.pass_on(0)?;
        }
        Ok(())
    }

    /// Writes the strip of `number` if it is complete, after its half has gone into
    /// the strip of the next size.
    fn pass_on(&mut self, number: usize) -> io::Result<()> {
        let (larger, smaller) = self.levels.split_at_mut(number + 1);
        let level = &mut larger[number];
        if !level.is_complete() {
            return Ok(());
        }
        if let Some(next) = smaller.first_mut() {
            let half = level.filled.div_ceil(2);
            let mut to = next.strip.slice_mut(s![next.filled..next.filled + half, ..]);
            let from = level.strip.slice(s![..level.filled, ..]);
            let blocks = from.axis_chunks_iter(Axis(0), 2).into_par_iter();
            let lines = to.outer_iter_mut().into_par_iter().zip(blocks);
            lines.for_each(|(to, block)| halve(&block, to, self.reduce));
            next.filled += half;
        }
        level.write()?;
        match smaller.is_empty() {
            true => Ok(()),
            false => self.pass_on(number + 1),
        }
    }
}

/// One row of blocks, `[1 or 2, cols]`, to `[cols / 2]`, rounded up.
fn halve<T: Cell>(block: &ArrayView2<'_, T>, mut to: ArrayViewMut1<'_, T>, reduce: fn(&[T]) -> T) {
    for (to, block) in to.iter_mut().zip(block.axis_chunks_iter(Axis(1), 2)) {
        let mut values = [T::default(); 4];
        let count = block.len();
        values.iter_mut().zip(&block).for_each(|(to, &v)| *to = v);
        *to = reduce(&values[..count]);
    }
}

impl<T: Cell> Level<T> {
    fn new(folder: PathBuf, shape: (usize, usize)) -> Self {
        let chunk = (shape.0.clamp(1, CHUNK), shape.1.clamp(1, CHUNK));
        let strip = Array2::default((chunk.0, shape.1));
        Self { folder, frames: None, shape, strip, width: chunk.1, filled: 0, written: 0 }
    }

    fn store_metadata(&self) -> io::Result<()> {
        let frames = self.frames.map(|(frames, _)| frames);
        let shape = frames.into_iter().chain([self.shape.0, self.shape.1]);
        let chunks = frames.map(|_| 1).into_iter().chain([self.strip.nrows(), self.width]);
        let metadata = json!({
            "zarr_format": 2,
            "shape": shape.collect::<Vec<usize>>(),
            "chunks": chunks.collect::<Vec<usize>>(),
            "dtype": T::DTYPE,
            "compressor": { "id": "zlib", "level": LEVEL },
            "fill_value": 0,
            "order": "C",
            "filters": null,
            "dimension_separator": "/",
        });
        fs::create_dir_all(&self.folder)?;
        write_json(&self.folder.join(".zarray"), &metadata)
    }

    fn is_complete(&self) -> bool {
        self.filled == CHUNK || self.written + self.filled == self.shape.0
    }

    /// Writes the strip as a row of chunks, each of full size.
    fn write(&mut self) -> io::Result<()> {
        self.strip.slice_mut(s![self.filled.., ..]).fill(T::default());
        let of_frame = self.frames.map(|(_, frame)| self.folder.join(frame.to_string()));
        let row = (self.written / CHUNK).to_string();
        let folder = of_frame.as_ref().unwrap_or(&self.folder).join(row);
        fs::create_dir_all(&folder)?;
        let chunks = self.strip.axis_chunks_iter(Axis(1), self.width).into_par_iter();
        chunks.enumerate().try_for_each(|(col, chunk)| self.write_chunk(&folder, col, &chunk))?;
        self.written += self.filled;
        self.filled = 0;
        Ok(())
    }

    /// Writes a chunk, unless all of it has the value that chunks which are not there have.
    fn write_chunk(&self, folder: &Path, col: usize, chunk: &ArrayView2<'_, T>) -> io::Result<()> {
        if chunk.iter().all(|value| *value == T::default()) {
            return Ok(());
        }
        let mut full = Array2::default((self.strip.nrows(), self.width));
        full.slice_mut(s![.., ..chunk.ncols()]).assign(chunk);
        let mut bytes = Vec::with_capacity(full.len() * size_of::<T>());
        full.iter().for_each(|value: &T| value.append(&mut bytes));
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL));
        packed.write_all(&bytes)?;
        fs::write(folder.join(col.to_string()), packed.finish()?)
    }
}
