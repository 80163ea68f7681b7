//! What stands before the elements of an array, and the elements.

use std::io::{self, Read};
use std::path::Path;

use bytemuck::Pod;
use ndarray::{ArrayD, Ix2, Ix3, IxDyn, ShapeBuilder};

use super::super::pixels::{self, is_number, with_array, with_type};
use super::super::{Entry, Image, Pixels, check_size, colour};
use super::element::Element;
use stemseg::image::micrograph::Pixel;
use stemseg::{Error, Result};

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Above what a plain array needs (numpy itself stops at 10,000).
const MAX_HEADER: usize = 1 << 16;

/// As many axes as an array of numpy can have.
const MAX_AXES: usize = 64;

/// Elements that are read at once where those of one frame are picked out.
const BLOCK: usize = 1 << 16;

/// What the axes of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `[rows, cols]`, or what is not an image.
    Image,
    /// `[rows, cols, 1]`.
    OneChannel,
    /// `[rows, cols, 3 or 4]`.
    Colour,
    /// `[frames, rows, cols]`.
    Frames,
}

/// What stands before the elements of an array.
pub(super) struct Header {
    /// `None` for structured elements.
    element: Option<Element>,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads up to the first element.
    pub(super) fn read(reader: &mut impl Read) -> io::Result<Self> {
        let mut start = [0; 8];
        reader.read_exact(&mut start)?;
        if !start.starts_with(MAGIC) {
            return Err(invalid("an array without the mark of npy"));
        }
        let mut length = [0; 4];
        let length_bytes = match start[6] {
            1 => 2,
            2 | 3 => 4,
            version => return Err(invalid(format!("npy version {version}"))),
        };
        reader.read_exact(&mut length[..length_bytes])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(invalid(format!("a header of {length} bytes")));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        Self::parse(&String::from_utf8_lossy(&text)).ok_or_else(|| invalid("a malformed header"))
    }

    /// From Python's dictionary of `descr`, `fortran_order` and `shape`.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let (_, rest) = text.rsplit_once(key)?;
            Some(rest.trim_start_matches(['\'', '"']).trim_start().strip_prefix(':')?.trim_start())
        };
        let order = value("fortran_order")?;
        let fortran = order.starts_with("True");
        let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
        let lengths = shape.split(',').map(|length| length.trim().trim_end_matches('L'));
        let lengths = lengths.filter(|length| !length.is_empty()).map(|length| length.parse().ok());
        let shape = lengths.collect::<Option<Vec<_>>>()?;
        if shape.len() > MAX_AXES {
            return None;
        }
        let descr = value("descr")?;
        let element = match descr.strip_prefix(['\'', '"']) {
            Some(descr) => Some(Element::parse(descr.split(['\'', '"']).next()?)?),
            None => None,
        };
        (fortran || order.starts_with("False")).then_some(Self { element, fortran, shape })
    }

    pub(super) fn entry(&self, name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            shape: self.shape.clone(),
            dtype: self.dtype(),
            colour: self.layout() == Layout::Colour,
            ..Entry::default()
        }
        .with_axes_by_length()
    }

    /// Makes one axis of the first two of four; the shape with all of them, or nothing where there are not
    /// four or they are too long.
    pub(super) fn merge_leading_axes(&mut self) -> Option<[usize; 4]> {
        let shape: [usize; 4] = self.shape[..].try_into().ok()?;
        let [frames, planes, rows, cols] = shape;
        self.shape = vec![frames.checked_mul(planes)?, rows, cols];
        Some(shape)
    }

    /// Whether columns lie together in the file.
    pub(super) fn is_fortran(&self) -> bool {
        self.fortran
    }

    /// What the axes are. Nothing names them, so their lengths decide.
    fn layout(&self) -> Layout {
        let &[rows, cols, last] = &self.shape[..] else { return Layout::Image };
        if last == 1 && rows > 1 && cols > 1 {
            return Layout::OneChannel;
        }
        let dtype = self.dtype();
        let as_colour = dtype.starts_with("float") || ["uint8", "uint16"].contains(&&*dtype);
        match (3..=4).contains(&last) && rows > last && cols > last && as_colour {
            true => Layout::Colour,
            false => Layout::Frames,
        }
    }

    /// The element type as numpy spells it.
    fn dtype(&self) -> String {
        self.element.as_ref().map_or("structured", |element| &element.dtype).to_owned()
    }

    /// Lengths of one image: without the axis of the frames, or the one of a single channel.
    fn image_shape(&self) -> &[usize] {
        match self.layout() {
            Layout::Image | Layout::Colour => &self.shape,
            Layout::Frames => &self.shape[1..],
            Layout::OneChannel => &self.shape[..2],
        }
    }

    /// Bytes of an element times `lengths`, `None` where that overflows.
    fn bytes(&self, lengths: &[usize]) -> Option<u64> {
        let element = self.element.as_ref()?.size;
        lengths.iter().try_fold(element, |bytes, &length| bytes.checked_mul(length as u64))
    }

    /// Bytes between the header and frame `frame`; in column-major order frames
    /// are interleaved, so that none can be skipped.
    pub(super) fn skip(&self, frame: usize) -> u64 {
        let frame_bytes = self.bytes(self.image_shape()).unwrap_or(0);
        if self.fortran { 0 } else { frame as u64 * frame_bytes }
    }

    /// Refuses elements that are not pixels, and more of them than `stored` bytes.
    pub(super) fn check(&self, path: &Path, stored: u64) -> Result<()> {
        let dtype = self.dtype();
        if !is_number(&dtype) {
            let advice = match &*dtype {
                "complex256" => "save them as complex128, or their modulus (numpy.abs)",
                "float128" => "save them as float64 (numpy.float64)",
                _ => "save a plain array of integers or floats",
            };
            let reason = format!("holds {dtype} elements, which are not pixel values; {advice}");
            return Err(Error::unreadable(path, reason));
        }
        let image = self.bytes(self.image_shape()).unwrap_or(u64::MAX);
        check_size(path, self.bytes(&self.shape), stored, image)
    }

    /// Image `frame` from a reader that was moved by [`skip`](Self::skip).
    pub(super) fn read_image(&self, reader: impl Read, frame: usize) -> io::Result<Image> {
        // As bytes, booleans need no case of their own.
        let dtype = self.dtype().replace("bool", "uint8");
        if dtype.starts_with("complex") {
            return self.read_moduli(reader, frame);
        }
        with_type!(&*dtype, T => self.read_as::<T>(reader, frame), _ => Err(invalid(dtype)))
    }

    fn read_as<T>(&self, reader: impl Read, frame: usize) -> io::Result<Image>
    where
        T: Pixel + Pod + PartialEq,
        Pixels: From<ndarray::Array2<T>>,
    {
        let shape = IxDyn(self.image_shape()).set_f(self.fortran);
        let values = self.read_elements::<T>(reader, frame)?;
        let array = ArrayD::from_shape_vec(shape, values).map_err(io::Error::other)?;
        if self.layout() == Layout::Colour {
            let image = array.view().into_dimensionality::<Ix3>().map_err(io::Error::other)?;
            return Ok(colour::to_grey(image));
        }
        let image = array.into_dimensionality::<Ix2>().map_err(io::Error::other)?;
        Ok((image.into(), vec![]))
    }

    /// The moduli of one image of complex numbers.
    fn read_moduli(&self, mut reader: impl Read, frame: usize) -> io::Result<Image> {
        let &[rows, cols] = self.image_shape() else {
            return Err(invalid(format!("complex numbers of shape {:?}", self.shape)));
        };
        let element = self.element.as_ref().ok_or_else(|| invalid("structured elements"))?;
        let mut bytes = vec![0; rows * cols * element.size as usize];
        self.read_bytes(element, &mut reader, frame, &mut bytes)?;
        let shape = if self.fortran { [cols, rows, 1] } else { [rows, cols, 1] };
        let image = pixels::from_bytes(&element.dtype, &bytes, element.big_endian, shape);
        let (pixels, notes) = image.ok_or_else(|| invalid("an array of another size"))?;
        match self.fortran {
            true => Ok((with_array!(pixels, array => array.reversed_axes().into()), notes)),
            false => Ok((pixels, notes)),
        }
    }

    /// How many frames are interleaved element by element, and which of them is wanted.
    fn lanes(&self, frame: usize) -> (usize, usize) {
        match self.shape[..] {
            [frames, _, _] if self.fortran && self.layout() == Layout::Frames => (frames, frame),
            _ => (1, 0),
        }
    }

    /// The elements of one image in the order of the file.
    fn read_elements<T: Pod>(&self, mut reader: impl Read, frame: usize) -> io::Result<Vec<T>> {
        let element = self.element.as_ref().ok_or_else(|| invalid("structured elements"))?;
        let mut values = vec![T::zeroed(); self.image_shape().iter().product()];
        self.read_bytes(element, &mut reader, frame, bytemuck::cast_slice_mut(&mut values))?;
        element.to_native(&mut values);
        Ok(values)
    }

    /// The bytes of one image as the file has them, without those of the frames that are
    /// interleaved with it where it is column-major.
    fn read_bytes(
        &self,
        element: &Element,
        reader: &mut impl Read,
        frame: usize,
        to: &mut [u8],
    ) -> io::Result<()> {
        let (lanes, wanted) = self.lanes(frame);
        if lanes == 1 {
            return reader.read_exact(to);
        }
        let size = element.size as usize;
        let total = to.len() / size * lanes;
        let mut block = vec![0; BLOCK.min(total) * size];
        let mut pixels = to.chunks_exact_mut(size);
        for first in (0..total).step_by(BLOCK) {
            let count = BLOCK.min(total - first);
            reader.read_exact(&mut block[..count * size])?;
            let next = (wanted + lanes - first % lanes) % lanes;
            for (at, pixel) in (next..count).step_by(lanes).zip(pixels.by_ref()) {
                pixel.copy_from_slice(&block[at * size..][..size]);
            }
        }
        Ok(())
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
