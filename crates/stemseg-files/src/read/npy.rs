//! numpy's npy and npz.
//!
//! The header is parsed here: npyz multiplies the declared shape unchecked (a
//! panic where overflow is checked), and its parser recurses as deep as the file
//! likes. npyz does the element types and the archive.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use ndarray::{ArrayD, Ix2, Ix3, IxDyn, ShapeBuilder};
use npyz::npz::{NpzArchive, array_name_from_file_name};
use npyz::zip::CompressionMethod;
use npyz::{DType, Deserialize, Endianness, TypeChar, TypeRead, TypeStr};

use super::pixels::{self, is_number, with_array, with_type};
use super::{
    Entry, Format, Image, Images, MAX_COMPRESSION, Pixels, check_size, colour, failed, file_size,
    open, zspy,
};
use stemseg::image::micrograph::Pixel;
use stemseg::{Error, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Above what a plain array needs (numpy itself stops at 10,000).
const MAX_HEADER: usize = 1 << 16;

/// As many axes as an array of numpy can have.
const MAX_AXES: usize = 64;

/// One array in a file.
pub(super) struct Npy;

impl Format for Npy {
    fn name(&self) -> &'static str {
        "npy"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let fail = |error| failed(path, error);
        let mut file = BufReader::new(open(path)?);
        let header = Header::read(&mut file).map_err(fail)?;
        let start = file.stream_position().map_err(fail)?;
        let entries = [header.entry("")];
        Ok(Box::new(Array { path: path.into(), header, start, entries }))
    }
}

/// An open array.
struct Array {
    path: PathBuf,
    header: Header,
    /// Offset of the first element.
    start: u64,
    entries: [Entry; 1],
}

impl Images for Array {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, _entry: usize, frame: usize) -> Result<Image> {
        let fail = |error| failed(&self.path, error);
        let stored = file_size(&self.path)?.saturating_sub(self.start);
        self.header.check(&self.path, stored)?;
        let mut file = BufReader::new(open(&self.path)?);
        let start = self.start.saturating_add(self.header.skip(frame));
        file.seek(SeekFrom::Start(start)).map_err(fail)?;
        self.header.read_image(file, frame).map_err(fail)
    }
}

/// A zip archive of arrays.
pub(super) struct Npz;

impl Format for Npz {
    fn name(&self) -> &'static str {
        "npz"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
    }

    fn claims(&self, path: &Path) -> bool {
        !zspy::is_zspy(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let mut archive = open_archive(path)?;
        let members = members(path, &mut archive)?;
        if members.is_empty() {
            return Err(Error::unreadable(
                path,
                "is a zip archive without any .npy array; unpack it and give one image file",
            ));
        }
        let entry = |(index, name): &(usize, String)| {
            let mut member = archive.zip_archive().by_index(*index).map_err(io::Error::from)?;
            Ok(Header::read(&mut member)?.entry(name))
        };
        let entries = members.iter().map(entry).collect::<io::Result<_>>();
        let entries = entries.map_err(|error| failed(path, error))?;
        let members = members.into_iter().map(|(index, _)| index).collect();
        Ok(Box::new(Arrays { path: path.into(), archive, members, entries }))
    }
}

/// An open archive.
struct Arrays {
    path: PathBuf,
    archive: Archive,
    /// Place of each array in the archive.
    members: Vec<usize>,
    entries: Vec<Entry>,
}

impl Images for Arrays {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let path = &self.path;
        let fail = |error| failed(path, error);
        let member = self.archive.zip_archive().by_index(self.members[entry]);
        let mut member = BufReader::new(member.map_err(|error| fail(error.into()))?);
        let header = Header::read(&mut member).map_err(fail)?;
        // The archive's own figures may lie as well; the file's length cannot.
        let packed = member.get_ref().compressed_size().min(file_size(path)?);
        let most = match member.get_ref().compression() {
            CompressionMethod::Stored => packed,
            _ => packed.saturating_mul(MAX_COMPRESSION),
        };
        header.check(path, member.get_ref().size().min(most))?;
        io::copy(&mut member.by_ref().take(header.skip(frame)), &mut io::sink()).map_err(fail)?;
        header.read_image(member, frame).map_err(fail)
    }
}

type Archive = NpzArchive<BufReader<File>>;

fn open_archive(path: &Path) -> Result<Archive> {
    NpzArchive::new(BufReader::new(open(path)?)).map_err(|error| failed(path, error))
}

/// Place in the archive and name of each array, in the order of the archive.
fn members(path: &Path, archive: &mut Archive) -> Result<Vec<(usize, String)>> {
    let zip = archive.zip_archive();
    let mut members = Vec::new();
    for index in 0..zip.len() {
        let member = zip.by_index_raw(index).map_err(|error| failed(path, error.into()))?;
        members.extend(array_name_from_file_name(member.name()).map(|name| (index, name.into())));
    }
    Ok(members)
}

/// What the axes of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `[rows, cols]`, or what is no image.
    Image,
    /// `[rows, cols, 1]`.
    OneChannel,
    /// `[rows, cols, 3 or 4]`.
    Colour,
    /// `[frames, rows, cols]`.
    Frames,
}

/// What stands before the elements of an array.
struct Header {
    /// `None` for structured elements.
    element: Option<TypeStr>,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads up to the first element.
    fn read(reader: &mut impl Read) -> io::Result<Self> {
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
            Some(descr) => Some(descr.split(['\'', '"']).next()?.parse().ok()?),
            None => None,
        };
        (fortran || order.starts_with("False")).then_some(Self { element, fortran, shape })
    }

    fn entry(&self, name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            shape: self.shape.clone(),
            dtype: self.dtype(),
            colour: self.layout() == Layout::Colour,
            ..Entry::default()
        }
        .with_axes_by_length()
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
        let Some(element) = &self.element else {
            return "structured".into();
        };
        let kind = match element.type_char() {
            TypeChar::Bool => return "bool".into(),
            TypeChar::Int => "int",
            TypeChar::Uint => "uint",
            TypeChar::Float => "float",
            TypeChar::Complex => "complex",
            _ => return element.to_string(),
        };
        format!("{kind}{}", 8 * element.size_field())
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
        let element = self.element.as_ref()?.size_field();
        lengths.iter().try_fold(element, |bytes, &length| bytes.checked_mul(length as u64))
    }

    /// Bytes between the header and frame `frame`; in column-major order frames
    /// are interleaved, so that none can be skipped.
    fn skip(&self, frame: usize) -> u64 {
        let frame_bytes = self.bytes(self.image_shape()).unwrap_or(0);
        if self.fortran { 0 } else { frame as u64 * frame_bytes }
    }

    /// Refuses elements that are no pixels, and more of them than `stored` bytes.
    fn check(&self, path: &Path, stored: u64) -> Result<()> {
        let dtype = self.dtype();
        if !is_number(&dtype) {
            let advice = match &*dtype {
                "complex256" => "save them as complex128, or their modulus (numpy.abs)",
                "float128" => "save them as float64 (numpy.float64)",
                _ => "save a plain array of integers or floats",
            };
            let reason = format!("holds {dtype} elements, which are no pixel values; {advice}");
            return Err(Error::unreadable(path, reason));
        }
        let image = self.bytes(self.image_shape()).unwrap_or(u64::MAX);
        check_size(path, self.bytes(&self.shape), stored, image)
    }

    /// Image `frame` from a reader that was moved by [`skip`](Self::skip).
    fn read_image(&self, reader: impl Read, frame: usize) -> io::Result<Image> {
        // As bytes, booleans need no case of their own.
        let dtype = self.dtype().replace("bool", "uint8");
        if dtype.starts_with("complex") {
            return self.read_moduli(reader, frame);
        }
        with_type!(&*dtype, T => self.read_as::<T>(reader, frame), _ => Err(invalid(dtype)))
    }

    fn read_as<T>(&self, reader: impl Read, frame: usize) -> io::Result<Image>
    where
        T: Deserialize + Pixel + Pod + PartialEq,
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
        let size = element.size_field() as usize;
        let (lanes, wanted) = self.lanes(frame);
        let mut bytes = vec![0; rows * cols * size];
        if lanes == 1 {
            reader.read_exact(&mut bytes)?;
        } else {
            let mut all = vec![0; lanes * size];
            for pixel in bytes.chunks_exact_mut(size) {
                reader.read_exact(&mut all)?;
                pixel.copy_from_slice(&all[wanted * size..][..size]);
            }
        }
        let shape = if self.fortran { [cols, rows, 1] } else { [rows, cols, 1] };
        let big_endian = element.endianness() == Endianness::Big;
        let image = pixels::from_bytes(&self.dtype(), &bytes, big_endian, shape);
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

    /// The elements of one image in the order of the file, whose frames are
    /// interleaved where it is column-major.
    fn read_elements<T: Deserialize + Pod>(
        &self,
        mut reader: impl Read,
        frame: usize,
    ) -> io::Result<Vec<T>> {
        let plain = self.element.clone().ok_or_else(|| invalid("structured elements"))?;
        let plain = match plain.type_char() {
            TypeChar::Bool => "|u1".parse().map_err(io::Error::other)?,
            _ => plain,
        };
        let decoder = T::reader(&DType::Plain(plain)).map_err(io::Error::other)?;
        let (lanes, wanted) = self.lanes(frame);
        let count: usize = self.image_shape().iter().product();
        if lanes == 1 && self.is_native(size_of::<T>()) {
            let mut values = vec![T::zeroed(); count];
            reader.read_exact(bytemuck::cast_slice_mut(&mut values))?;
            return Ok(values);
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            for lane in 0..lanes {
                let value = decoder.read_one(&mut reader)?;
                if lane == wanted {
                    values.push(value);
                }
            }
        }
        Ok(values)
    }

    /// Whether elements of `size` bytes are in the file as they are in memory.
    fn is_native(&self, size: usize) -> bool {
        let own = if cfg!(target_endian = "little") { Endianness::Little } else { Endianness::Big };
        self.element.as_ref().is_some_and(|element| {
            let order = element.endianness();
            element.size_field() == size as u64 && (order == own || order == Endianness::Irrelevant)
        })
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
