//! [`FrameFile`]: a NumPy file that is filled frame by frame, in any order and by several runs.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use ndarray::{Array, Array2, ArrayView, ArrayView2, Dimension, IxDyn};

use super::label_type::{LabelType, most_of};
use super::npy::{NpyValue, header};
use stemseg::{Error, Result};

/// A NumPy file `[frames, ...]` of its full size, whose frames are 0 until they are written. Other
/// programs read it at any time.
#[derive(Debug)]
pub struct FrameFile<T> {
    path: PathBuf,
    file: File,
    /// Where the first frame begins.
    start: u64,
    /// Axes of a frame.
    shape: Vec<usize>,
    frames: usize,
    value: PhantomData<T>,
}

impl<T: NpyValue> FrameFile<T> {
    /// Opens the file for an array of `shape`, frames first; makes it where it is not there, or
    /// is of another kind.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn open(path: &Path, shape: &[usize]) -> Result<Self> {
        let head = header::<T>(shape);
        let start = head.len() as u64;
        let values = shape.iter().product::<usize>() as u64;
        let size = start + values * size_of::<T>() as u64;
        let fail = || Error::io(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(fail())?;
        let mut there = vec![0; head.len()];
        let same = file.read_exact(&mut there).is_ok()
            && there == head
            && file.metadata().is_ok_and(|found| found.len() == size);
        if !same {
            let begin = |file: &mut File| {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&head)?;
                // Holes, where the file system has them.
                file.set_len(size)
            };
            begin(&mut file).map_err(fail())?;
        }
        let (frames, shape) = (shape[0], shape[1..].to_vec());
        Ok(Self { path: path.into(), file, start, shape, frames, value: PhantomData })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    ///
    /// # Panics
    /// For a frame that is not one of the array, or of another shape.
    pub fn write<D: Dimension>(&mut self, frame: usize, values: ArrayView<'_, T, D>) -> Result<()> {
        assert!(frame < self.frames && values.shape() == self.shape, "a frame of the array");
        let values = values.as_standard_layout();
        let values = values.as_slice().expect("in standard layout");
        let bytes = bytemuck::cast_slice(values);
        let place = SeekFrom::Start(self.start + (frame * bytes.len()) as u64);
        let write = |file: &mut File| file.seek(place).and_then(|_| file.write_all(bytes));
        write(&mut self.file).map_err(Error::io(&self.path))
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    ///
    /// # Panics
    /// For a frame that is not one of the array.
    pub fn read(&mut self, frame: usize) -> Result<Array<T, IxDyn>> {
        assert!(frame < self.frames, "a frame of the array");
        let mut values = vec![T::zeroed(); self.shape.iter().product()];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        let place = SeekFrom::Start(self.start + (frame * bytes.len()) as u64);
        let read = self.file.seek(place).and_then(|_| self.file.read_exact(bytes));
        read.map_err(Error::io(&self.path))?;
        Ok(Array::from_shape_vec(IxDyn(&self.shape), values).expect("a value for each place"))
    }

    /// Waits until the disk has all of it.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }
}

/// The label maps of a film as one array `[frames, rows, cols]` of integers of any type.
#[derive(Debug)]
pub enum LabelFrames {
    /// 8 bits.
    U8(FrameFile<u8>),
    /// 16 bits.
    U16(FrameFile<u16>),
    /// 32 bits.
    U32(FrameFile<u32>),
}

impl LabelFrames {
    /// As [`FrameFile::open`], of the type `kind`.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn open(path: &Path, shape: [usize; 3], kind: LabelType) -> Result<Self> {
        Ok(match kind {
            LabelType::U8 => Self::U8(FrameFile::open(path, &shape)?),
            LabelType::U16 => Self::U16(FrameFile::open(path, &shape)?),
            LabelType::U32 => Self::U32(FrameFile::open(path, &shape)?),
        })
    }

    /// Writes the labels `[rows, cols]` of a frame.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; [`Error::Parameter`] for labels that do not fit.
    ///
    /// # Panics
    /// As [`FrameFile::write`].
    pub fn write(&mut self, frame: usize, labels: ArrayView2<'_, u16>) -> Result<()> {
        match self {
            Self::U8(file) => {
                LabelType::U8.check(most_of(&labels))?;
                file.write(frame, labels.mapv(|label| label as u8).view())
            }
            Self::U16(file) => file.write(frame, labels),
            Self::U32(file) => file.write(frame, labels.mapv(u32::from).view()),
        }
    }

    /// Reads the labels `[rows, cols]` of a frame.
    ///
    /// # Errors
    /// As [`FrameFile::read`].
    ///
    /// # Panics
    /// As [`FrameFile::read`].
    pub fn read(&mut self, frame: usize) -> Result<Array2<u16>> {
        let labels = match self {
            Self::U8(file) => file.read(frame)?.mapv(u16::from),
            Self::U16(file) => file.read(frame)?,
            Self::U32(file) => file.read(frame)?.mapv(|label| label as u16),
        };
        Ok(labels.into_dimensionality().expect("rows and columns"))
    }

    /// As [`FrameFile::sync`].
    ///
    /// # Errors
    /// As [`FrameFile::sync`].
    pub fn sync(&self) -> Result<()> {
        match self {
            Self::U8(file) => file.sync(),
            Self::U16(file) => file.sync(),
            Self::U32(file) => file.sync(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::write_npy;
    use ndarray::{Array3, Axis};

    #[test]
    fn frames_written_in_any_order_by_several_runs_make_the_whole_array() {
        let place = tempfile::tempdir().unwrap();
        let (whole, by_frames) = (place.path().join("w.npy"), place.path().join("f.npy"));
        let all = Array3::from_shape_fn((4, 3, 5), |(t, r, c)| (100 * t + 10 * r + c) as u16);
        write_npy(&whole, all.view()).unwrap();
        for order in [[2, 0], [3, 1]] {
            let mut file = FrameFile::<u16>::open(&by_frames, &[4, 3, 5]).unwrap();
            for frame in order {
                file.write(frame, all.index_axis(Axis(0), frame)).unwrap();
            }
            assert_eq!(file.read(order[0]).unwrap(), all.index_axis(Axis(0), order[0]).into_dyn());
        }
        assert_eq!(std::fs::read(&whole).unwrap(), std::fs::read(&by_frames).unwrap());
        // Of another shape or type it begins anew.
        let mut file = FrameFile::<u8>::open(&by_frames, &[2, 2, 2]).unwrap();
        assert_eq!(file.read(1).unwrap(), Array2::<u8>::zeros((2, 2)).into_dyn());
    }

    #[test]
    fn labels_come_back_in_every_type_that_holds_them() {
        let place = tempfile::tempdir().unwrap();
        let labels = Array2::from_shape_fn((2, 3), |(r, c)| (100 * r + 7 * c) as u16);
        for kind in [LabelType::U8, LabelType::U16, LabelType::U32] {
            let path = place.path().join(format!("{kind:?}.npy"));
            let mut file = LabelFrames::open(&path, [3, 2, 3], kind).unwrap();
            file.write(1, labels.view()).unwrap();
            assert_eq!(file.read(1).unwrap(), labels);
            assert_eq!(file.read(2).unwrap().sum(), 0);
            file.sync().unwrap();
            let large = file.write(0, labels.mapv(|label| label + 300).view());
            assert_eq!(large.is_err(), kind == LabelType::U8);
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = FrameFile::<u8>::open(Path::new("/no/such/f.npy"), &[1, 1]).unwrap_err();
        assert!(error.to_string().contains("/no/such/f.npy"));
    }
}
