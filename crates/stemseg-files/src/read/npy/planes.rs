//! Films of several values a pixel: arrays `[frames, planes, rows, cols]`.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::header::{Header, MAGIC};
use super::{Array, Images};
use crate::read::{Image, failed, open};
use stemseg::{Error, Result};

/// A NumPy file with an array `[frames, planes, rows, cols]` in the order of C, such as the memberships
/// of a film: a plane for each pattern. Planes are read one by one.
pub struct Planes {
    array: Array,
    shape: [usize; 4],
}

impl Planes {
    /// Opens the file; nothing where it is no NumPy file of four axes.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; [`Error::Unreadable`] where the header is broken or the order is
    /// that of Fortran, in which planes cannot be read one by one.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let fail = |error| failed(path, error);
        let mut file = BufReader::new(open(path)?);
        if !is_npy(&mut file).map_err(fail)? {
            return Ok(None);
        }
        let mut header = Header::read(&mut file).map_err(fail)?;
        let start = file.stream_position().map_err(fail)?;
        let Some(shape) = header.merge_leading_axes() else { return Ok(None) };
        if header.is_fortran() {
            let reason = "is in the order of Fortran; save numpy.ascontiguousarray of it";
            return Err(Error::unreadable(path, reason));
        }
        let entries = [header.entry("")];
        Ok(Some(Self { array: Array { path: path.into(), header, start, entries }, shape }))
    }

    /// `[frames, planes, rows, cols]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// A plane of a frame, and what there is to say of it.
    ///
    /// # Errors
    /// As [`ImageFile::load`](crate::read::ImageFile::load).
    ///
    /// # Panics
    /// Where there is no such frame or plane.
    pub fn load(&mut self, frame: usize, plane: usize) -> Result<Image> {
        let [frames, planes, ..] = self.shape;
        assert!(frame < frames && plane < planes, "{frame}, {plane} of {:?}", self.shape);
        self.array.load(0, frame * planes + plane)
    }
}

/// Whether the file begins as such files do; goes back to where it was.
fn is_npy(file: &mut BufReader<File>) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == MAGIC)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array4};

    use super::*;
    use crate::write::write_npy;

    #[test]
    fn planes_are_those_of_the_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.npy");
        let film = Array4::from_shape_fn((3, 2, 5, 7), |(t, k, r, c)| {
            (1000 * t + 100 * k + 10 * r + c) as f32
        });
        write_npy(&path, film.view()).unwrap();
        let mut planes = Planes::open(&path).unwrap().unwrap();
        assert_eq!(planes.shape(), [3, 2, 5, 7]);
        for (t, k) in [(0, 0), (0, 1), (2, 0), (2, 1)] {
            let (pixels, _) = planes.load(t, k).unwrap();
            let expected = film.slice(ndarray::s![t, k, .., ..]).mapv(f64::from);
            assert_eq!(pixels.to_f64(), expected, "{t} {k}");
        }
    }

    #[test]
    fn what_has_other_axes_has_no_planes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.npy");
        write_npy(&path, Array2::<f32>::zeros((4, 4)).view()).unwrap();
        assert!(Planes::open(&path).unwrap().is_none());
        std::fs::write(&path, b"text").unwrap();
        assert!(Planes::open(&path).unwrap().is_none());
        assert!(Planes::open(&folder.path().join("missing.npy")).is_err());
    }
}
