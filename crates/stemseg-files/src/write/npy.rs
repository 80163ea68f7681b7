//! Arrays as NumPy files: whole ([`write_npy`]) or in bands ([`NpyRows`]).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndarray::{ArrayView, ArrayView3, Dimension};

use super::label_type::{Label, LabelType, most_of};
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};

/// What [`write_npy`] stores; its bytes in memory are its bytes in the file.
pub trait NpyValue: bytemuck::Pod {
    /// numpy's code without the order of bytes: `u2`.
    const CODE: &'static str;
}

macro_rules! values {
    ($($value:ty = $code:literal),*) => {$(
        impl NpyValue for $value {
            const CODE: &'static str = $code;
        }
    )*};
}
values!(u8 = "u1", u16 = "u2", u32 = "u4", f32 = "f4");

/// Writes `array`, of any shape and memory layout, in C order.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_npy<T: NpyValue, D: Dimension>(path: &Path, array: ArrayView<'_, T, D>) -> Result<()> {
    let mut out = begin::<T>(path, array.shape())?;
    write_values(&mut out, array).and_then(|()| out.flush()).map_err(Error::io(path))
}

/// Writes an image row by row, each value turned by `narrow` into what is stored.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_npy_rows<T: Copy + Default, U: NpyValue>(
    path: &Path,
    image: &dyn Rows<T>,
    narrow: impl Fn(T) -> U,
) -> Result<()> {
    let (rows, cols) = image.shape();
    let mut out = begin::<U>(path, &[rows, cols])?;
    let mut line = vec![T::default(); cols];
    let mut stored = Vec::with_capacity(cols);
    for row in 0..rows {
        image.fill(row, &mut line);
        stored.clear();
        stored.extend(line.iter().map(|&v| narrow(v)));
        out.write_all(bytemuck::cast_slice(&stored)).map_err(Error::io(path))?;
    }
    out.flush().map_err(Error::io(path))
}

/// Writes `labels` `[rows, cols]` as integers of the type `kind`.
///
/// # Errors
/// [`Error::Io`] with the path, [`Error::Parameter`] for labels that do not fit.
pub fn write_labels_npy(path: &Path, labels: &dyn Rows<u16>, kind: LabelType) -> Result<()> {
    kind.check(most_of(labels))?;
    match kind {
        LabelType::U8 => write_npy_rows(path, labels, u8::of),
        LabelType::U16 => write_npy_rows(path, labels, u16::of),
        LabelType::U32 => write_npy_rows(path, labels, u32::of),
    }
}

/// A NumPy file of `f32` `[rows, cols, D]` that is written band by band, for
/// arrays that should not be in memory at once.
#[derive(Debug)]
pub struct NpyRows {
    path: PathBuf,
    out: BufWriter<File>,
    shape: [usize; 3],
    written: usize,
}

impl NpyRows {
    /// Makes the file for an array of `shape` `[rows, cols, D]`.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn create(path: &Path, shape: [usize; 3]) -> Result<Self> {
        let out = begin::<f32>(path, &shape)?;
        Ok(Self { path: path.to_path_buf(), out, shape, written: 0 })
    }

    /// Appends the next rows, `[any, cols, D]`.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, also for a band of another width or depth
    /// and for more rows than there should be; nothing of such a band is written.
    pub fn write(&mut self, band: ArrayView3<'_, f32>) -> Result<()> {
        let [rows, cols, depth] = self.shape;
        let (band_rows, band_cols, band_depth) = band.dim();
        if (band_cols, band_depth) != (cols, depth) {
            return Err(self.misfit(format!(
                "a band has {band_cols} columns of {band_depth} values, \
                 but the file {cols} of {depth}"
            )));
        }
        if band_rows > rows - self.written {
            return Err(self.misfit(format!(
                "a band of {band_rows} rows comes after {} of {rows}",
                self.written
            )));
        }
        write_values(&mut self.out, band).map_err(Error::io(&self.path))?;
        self.written += band_rows;
        Ok(())
    }

    /// Closes the file.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, also when rows are missing.
    pub fn finish(mut self) -> Result<()> {
        if self.written != self.shape[0] {
            let (written, rows) = (self.written, self.shape[0]);
            return Err(self.misfit(format!("only {written} of {rows} rows were written")));
        }
        self.out.flush().map_err(Error::io(self.path))
    }

    fn misfit(&self, message: String) -> Error {
        Error::io(&self.path)(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

/// A new file with the header for an array of `shape`.
fn begin<T: NpyValue>(path: &Path, shape: &[usize]) -> Result<BufWriter<File>> {
    let file = File::create(path).map_err(Error::io(path))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&header::<T>(shape)).map_err(Error::io(path))?;
    Ok(out)
}

/// What stands before the values: version 1 of the format, padded so that they begin at a
/// multiple of 64 bytes.
pub(super) fn header<T: NpyValue>(shape: &[usize]) -> Vec<u8> {
    const START: &[u8] = b"\x93NUMPY\x01\x00";
    const ALIGNMENT: usize = 64;
    let order = match size_of::<T>() {
        1 => '|',
        _ if cfg!(target_endian = "big") => '>',
        _ => '<',
    };
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let code = T::CODE;
    let text =
        format!("{{'descr': '{order}{code}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // With the length of the text before it, and a line feed at its end.
    let unpadded = START.len() + size_of::<u16>() + text.len() + 1;
    let length = text.len() + unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    // An array has few axes, so that the length fits.
    let stored = (length as u16 + 1).to_le_bytes();
    [START, &stored, format!("{text:length$}\n").as_bytes()].concat()
}

/// The values in C order. Whole slices at once where they lie so in memory:
/// one value at a time is several times slower.
fn write_values<T: NpyValue, D: Dimension>(
    out: &mut impl Write,
    array: ArrayView<'_, T, D>,
) -> io::Result<()> {
    if let Some(values) = array.as_slice() {
        return out.write_all(bytemuck::cast_slice(values));
    }
    for value in &array {
        out.write_all(bytemuck::bytes_of(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, Array3, Axis, Ix2, arr0};
    use stemseg_testing::npy;

    fn read<T: npy::Element>(path: &Path) -> (Vec<usize>, Vec<T>) {
        let bytes = std::fs::read(path).unwrap();
        let file = npy::Npy::parse(&bytes).unwrap();
        assert!(!file.fortran);
        (file.shape.clone(), file.values().unwrap())
    }

    fn round_trip<T: NpyValue + npy::Element + PartialEq + std::fmt::Debug>(values: [T; 6]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let array = Array::from_shape_vec((2, 3), values.to_vec()).unwrap();
        write_npy(&path, array.view()).unwrap();
        assert_eq!(read(&path), (vec![2, 3], values.to_vec()));
        let [a, b, c, d, e, f] = values;
        write_npy::<T, Ix2>(&path, array.t()).unwrap();
        assert_eq!(read(&path), (vec![3, 2], vec![a, d, b, e, c, f]));
    }

    #[test]
    fn every_type_and_layout_comes_back() {
        round_trip::<u8>([0, 1, 2, 3, 4, 255]);
        round_trip::<u16>([0, 1, 2, 3, 258, 65535]);
        round_trip::<u32>([0, 1, 2, 3, 4, u32::MAX]);
        round_trip::<f32>([0.0, -1.5, 2e-30, f32::INFINITY, 4.0, 0.1]);
    }

    #[test]
    fn no_and_empty_dimensions_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        write_npy(&path, arr0(7_u16).view()).unwrap();
        assert_eq!(read::<u16>(&path), (vec![], vec![7]));
        write_npy(&path, Array3::<f32>::zeros((0, 4, 2)).view()).unwrap();
        assert_eq!(read::<f32>(&path), (vec![0, 4, 2], vec![]));
    }

    #[test]
    fn rows_make_the_whole_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.npy");
        let array = Array::from_shape_fn((7, 5), |(r, c)| (10 * r + c) as u16);
        write_npy_rows(&path, &array.view(), |v| v as u8).unwrap();
        assert_eq!(read(&path), (vec![7, 5], array.iter().map(|&v| v as u8).collect()));
    }

    #[test]
    fn labels_come_back_in_every_type_that_holds_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l.npy");
        let labels = Array::from_shape_vec((1, 3), vec![0_u16, 7, 300]).unwrap();
        write_labels_npy(&path, &labels.view(), LabelType::U16).unwrap();
        assert_eq!(read(&path), (vec![1, 3], vec![0_u16, 7, 300]));
        write_labels_npy(&path, &labels.view(), LabelType::U32).unwrap();
        assert_eq!(read(&path), (vec![1, 3], vec![0_u32, 7, 300]));
        let error = write_labels_npy(&path, &labels.view(), LabelType::U8).unwrap_err();
        assert!(error.to_string().contains("there are 300"), "{error}");
        write_labels_npy(&path, &labels.mapv(|l| l.min(254)).view(), LabelType::U8).unwrap();
        assert_eq!(read(&path), (vec![1, 3], vec![0_u8, 7, 254]));
    }

    #[test]
    fn bands_make_the_whole_array() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, banded) = (folder.path().join("w.npy"), folder.path().join("b.npy"));
        let array = Array3::from_shape_fn((7, 5, 3), |(r, c, d)| (100 * r + 10 * c + d) as f32);
        write_npy(&whole, array.view()).unwrap();
        let mut file = NpyRows::create(&banded, [7, 5, 3]).unwrap();
        for band in array.axis_chunks_iter(Axis(0), 3) {
            file.write(band).unwrap();
        }
        file.finish().unwrap();
        assert_eq!(std::fs::read(whole).unwrap(), std::fs::read(banded).unwrap());
    }

    #[test]
    fn bands_that_do_not_fit_are_refused_and_leave_the_file_usable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.npy");
        let mut file = NpyRows::create(&path, [4, 5, 3]).unwrap();
        for wrong in [(2, 4, 3), (2, 5, 2), (7, 5, 3)] {
            let message = file.write(Array3::zeros(wrong).view()).unwrap_err().to_string();
            assert!(message.contains("b.npy") && message.contains("band"), "{message}");
        }
        file.write(Array3::ones((4, 5, 3)).view()).unwrap();
        assert!(file.write(Array3::zeros((1, 5, 3)).view()).is_err());
        file.finish().unwrap();
        assert_eq!(read::<f32>(&path).1, vec![1.0; 60]);
    }

    #[test]
    fn missing_rows_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = NpyRows::create(&folder.path().join("b.npy"), [3, 1, 1]).unwrap();
        file.write(Array3::zeros((2, 1, 1)).view()).unwrap();
        assert!(file.finish().unwrap_err().to_string().contains("2 of 3 rows"));
    }

    #[test]
    fn errors_name_the_file() {
        let path = Path::new("/no/such/folder/a.npy");
        let error = write_npy(path, arr0(1_u8).view()).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder/a.npy"), "{error}");
    }
}
