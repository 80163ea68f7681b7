//! An image at full size, a half, a quarter and so on, written in one pass.

use std::num::NonZeroU64;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;
use serde_json::json;
use zarrs::array::{Array, ArrayCreateError, ArrayError, ArrayMetadata, ArrayMetadataV2, Element};
use zarrs::filesystem::FilesystemStore;
use zarrs::metadata::ChunkKeySeparator;
use zarrs::metadata::v2::MetadataV2;
use zarrs::node::meta_key_v2_array;
use zarrs::storage::WritableStorageTraits;

use super::restored::Restore;
use stemseg::image::rows::Rows;

/// Side of a chunk, px; even, so that no block of 2 x 2 lies in two strips.
pub(super) const CHUNK: usize = 512;

/// A value of a pixel.
pub(super) trait Cell:
    Element + Restore + Copy + Default + PartialEq + Send + Sync + Into<f64>
{
    /// Its type as Zarr spells it.
    const DTYPE: &'static str;
}

macro_rules! cells {
    ($($cell:ty = $dtype:literal),*) => {$(
        impl Cell for $cell {
            const DTYPE: &'static str = $dtype;
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
    array: Array<FilesystemStore>,
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
    /// Makes the arrays `below/0`, `below/1` and on for an image of `shape`, down to a
    /// single chunk; blocks of 2 x 2 pixels become one by `reduce`.
    pub(super) fn create(
        store: &Arc<FilesystemStore>,
        below: &str,
        shape: (usize, usize),
        reduce: fn(&[T]) -> T,
    ) -> Result<Self, ArrayCreateError> {
        let halved = |&(rows, cols): &(usize, usize)| {
            let smaller = (rows.div_ceil(2), cols.div_ceil(2));
            (rows.max(cols) > CHUNK).then_some(smaller)
        };
        let shapes = std::iter::successors(Some(shape), halved).enumerate();
        let level = |(number, shape)| Level::create(store, &format!("{below}/{number}"), shape);
        Ok(Self { levels: shapes.map(level).collect::<Result<_, _>>()?, reduce })
    }

    /// Number of sizes.
    pub(super) fn levels(&self) -> usize {
        self.levels.len()
    }

    /// Writes all of them.
    pub(super) fn fill(&mut self, image: &dyn Rows<T>) -> Result<(), ArrayError> {
        self.levels.iter().try_for_each(Level::store_metadata)?;
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
    fn pass_on(&mut self, number: usize) -> Result<(), ArrayError> {
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
    fn create(
        store: &Arc<FilesystemStore>,
        path: &str,
        (rows, cols): (usize, usize),
    ) -> Result<Self, ArrayCreateError> {
        let chunk = (rows.clamp(1, CHUNK), cols.clamp(1, CHUNK));
        let side = |pixels: usize| NonZeroU64::new(pixels as u64).unwrap_or(NonZeroU64::MIN);
        let compressor: MetadataV2 = serde_json::from_value(json!({ "id": "zlib", "level": 1 }))
            .expect("a compressor has an id");
        let metadata = ArrayMetadataV2::new(
            vec![rows as u64, cols as u64],
            vec![side(chunk.0), side(chunk.1)],
            T::DTYPE.into(),
            serde_json::Number::from(0).into(),
            Some(compressor),
            None,
        )
        .with_dimension_separator(ChunkKeySeparator::Slash);
        let array = Array::new_with_metadata(store.clone(), path, ArrayMetadata::V2(metadata))?;
        let strip = Array2::default((chunk.0, cols));
        Ok(Self { array, strip, width: chunk.1, filled: 0, written: 0 })
    }

    /// What [`Array::store_metadata`] stores, without the key `node_type` that zarrs
    /// (0.23) adds to what version 2 of Zarr knows.
    fn store_metadata(&self) -> Result<(), ArrayError> {
        let mut metadata = json!(self.array.metadata());
        metadata.as_object_mut().map(|all| all.shift_remove("node_type"));
        let key = meta_key_v2_array(self.array.path());
        Ok(self.array.storage().set(&key, format!("{metadata:#}").into())?)
    }

    fn is_complete(&self) -> bool {
        let rows = self.array.shape()[0] as usize;
        self.filled == CHUNK || self.written + self.filled == rows
    }

    /// Writes the strip as a row of chunks, each of full size.
    fn write(&mut self) -> Result<(), ArrayError> {
        self.strip.slice_mut(s![self.filled.., ..]).fill(T::default());
        let (height, row) = (self.strip.nrows(), self.written / CHUNK);
        let chunks = self.strip.axis_chunks_iter(Axis(1), self.width).into_par_iter();
        chunks.enumerate().try_for_each(|(col, chunk)| {
            let mut full = Array2::default((height, self.width));
            full.slice_mut(s![.., ..chunk.ncols()]).assign(&chunk);
            let values = full.into_raw_vec_and_offset().0;
            self.array.store_chunk(&[row as u64, col as u64], values)
        })?;
        self.written += self.filled;
        self.filled = 0;
        Ok(())
    }
}
