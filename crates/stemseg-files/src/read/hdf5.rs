//! HDF5, the container of several formats.

use std::collections::HashMap;
use std::path::Path;

use hdf5_pure::{
    AttrValue, DType, Dataset, Datatype, DatatypeByteOrder, File, FloatingPointLayout, FormatError,
    Group,
};

use super::{Format, Images, damaged, failed, file_size};
use crate::features::Feature;
use stemseg::{Error, Result};

/// Opens a file; its content is read when it is asked for.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = File::open_streaming(path).map_err(|error| unreadable(path, error))?;
    let superblock = file.superblock();
    let end = superblock.base_address.get().saturating_add(superblock.eof_address);
    match end > file_size(path)? {
        true => Err(failed(path, std::io::ErrorKind::UnexpectedEof.into())),
        false => Ok(file),
    }
}

/// HDF5 files of other kinds: refused, but with the right words.
pub(super) struct Other;

impl Format for Other {
    fn name(&self) -> &'static str {
        "HDF5"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        super::is_hdf5(head)
    }

    fn is_read(&self) -> bool {
        false
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        open(path)?;
        let kinds = match (Feature::Vendor.is_on(), Feature::Hspy.is_on()) {
            (true, true) => "those that are read (Velox EMD, NCEM EMD, HyperSpy)".to_owned(),
            (true, false) => "EMD (Velox, NCEM)".to_owned(),
            (false, _) => {
                let missing = Feature::Vendor.missing("reads EMD files (Velox, NCEM)");
                format!("HyperSpy's, and {missing}")
            }
        };
        let reason =
            format!("is an HDF5 file of another kind than {kinds}; save the image as TIFF or npy");
        Err(Error::unreadable(path, reason))
    }
}

/// Whether an HDF5 file says that HyperSpy wrote it.
pub(super) fn is_hspy(path: &Path) -> bool {
    open(path).is_ok_and(|file| {
        Attributes::of(&file.root()).text("file_format").is_some_and(|name| name == "HyperSpy")
    })
}

/// The crate's error as this library's: a part of HDF5 that is not read is not damage.
pub(super) fn unreadable(path: &Path, error: hdf5_pure::Error) -> Error {
    match (not_read(&error), error) {
        (_, hdf5_pure::Error::Io(error)) => failed(path, error),
        (Some(reason), _) => Error::unreadable(path, reason),
        (None, error) => damaged(path, error),
    }
}

/// Why something is not read that need not be damaged.
pub(super) fn not_read(error: &hdf5_pure::Error) -> Option<String> {
    let hdf5_pure::Error::Format(error) = error else { return None };
    Some(match error {
        // Version 5 came with HDF5 2.0.
        FormatError::InvalidLayoutVersion(version @ 5..=9) => {
            of_layout(&format!("the data layout of version {version}, of HDF5 2.0"))
        }
        // The crate takes a link that names a path for an object without an address.
        FormatError::OffsetOverflow { offset: u64::MAX, .. } => {
            of_layout("a link to another place")
        }
        FormatError::UnsupportedVersion(version) => {
            of_layout(&format!("the file layout of version {version}"))
        }
        FormatError::UnsupportedVirtualLayout => of_layout("a virtual dataset of other files"),
        FormatError::UnsupportedExternalStorage => of_layout("pixels in other files"),
        FormatError::UnsupportedSohmReference | FormatError::UnsupportedFilteredHeapObject => {
            of_layout("shared or packed headers")
        }
        FormatError::UnsupportedFilter(id) => {
            format!("is packed by HDF5's filter {id}, which is not read; {SAVE}")
        }
        _ => return None,
    })
}

/// What to do with a file that is valid but not read.
const SAVE: &str =
    "save it with gzip or unpacked, in the layout that h5py writes by default (libver='earliest')";

/// The refusal of a layout of HDF5.
pub(super) fn of_layout(what: &str) -> String {
    format!("is stored in a layout of HDF5 that is not read ({what}); {SAVE}")
}

/// The attributes of a group or a dataset.
#[derive(Debug, Default)]
pub(super) struct Attributes(HashMap<String, AttrValue>);

impl Attributes {
    pub(super) fn of(group: &Group) -> Self {
        Self(group.attrs().unwrap_or_default())
    }

    pub(super) fn of_dataset(dataset: &Dataset) -> Self {
        Self(dataset.attrs().unwrap_or_default())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.0.get(name)?.as_str()?.trim_end_matches('\0').trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let value = self.0.get(name)?;
        value.as_f64().or_else(|| value.as_i64().map(|value| value as f64))
    }
}

/// How the elements of a dataset are stored.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Type of a number as numpy spells it, or of what no number is.
    pub(super) dtype: String,
    /// Numbers of an element that is a colour, else 1.
    pub(super) channels: usize,
    pub(super) big_endian: bool,
}

/// The elements of `dataset`.
pub(super) fn element(dataset: &Dataset) -> Result<Element, hdf5_pure::Error> {
    let datatype = dataset.datatype()?;
    let big_endian = is_big_endian(&datatype);
    if matches!(datatype, Datatype::FloatingPoint { size: 2, layout: HALF, .. }) {
        return Ok(Element { dtype: "float16".into(), channels: 1, big_endian });
    }
    let (dtype, channels) = numpy_name(&dataset.dtype()?);
    Ok(Element { dtype, channels, big_endian })
}

/// IEEE 754's binary16, for which the crate has no name.
const HALF: FloatingPointLayout = FloatingPointLayout {
    bit_offset: 0,
    bit_precision: 16,
    exponent_location: 10,
    exponent_size: 5,
    mantissa_location: 0,
    mantissa_size: 10,
    exponent_bias: 15,
};

/// numpy's name of an element and its channels.
fn numpy_name(dtype: &DType) -> (String, usize) {
    let plain = |name: &str| (name.to_owned(), 1);
    match dtype {
        DType::U8 => plain("uint8"),
        DType::U16 => plain("uint16"),
        DType::U32 => plain("uint32"),
        DType::U64 => plain("uint64"),
        DType::I8 => plain("int8"),
        DType::I16 => plain("int16"),
        DType::I32 => plain("int32"),
        DType::I64 => plain("int64"),
        DType::F32 => plain("float32"),
        DType::F64 => plain("float64"),
        DType::Enum(names) if names.len() == 2 && names.iter().any(|n| n == "TRUE") => {
            plain("bool")
        }
        DType::Compound(members) => compound_name(members),
        other => (other.to_string(), 1),
    }
}

/// Colours have members R, G, B and perhaps A; complex numbers two of one float type.
fn compound_name(members: &[(String, DType)]) -> (String, usize) {
    let alike = members.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let names: String = members.iter().map(|(name, _)| &**name).collect();
    match (&*names, members.first().map(|(_, dtype)| dtype)) {
        ("RGB" | "RGBA", Some(dtype @ (DType::U8 | DType::U16))) if alike => {
            (numpy_name(dtype).0, members.len())
        }
        (_, Some(DType::F32)) if alike && members.len() == 2 => ("complex64".into(), 1),
        (_, Some(DType::F64)) if alike && members.len() == 2 => ("complex128".into(), 1),
        _ => ("structured".into(), 1),
    }
}

fn is_big_endian(datatype: &Datatype) -> bool {
    match datatype {
        Datatype::FixedPoint { byte_order, .. } | Datatype::FloatingPoint { byte_order, .. } => {
            *byte_order == DatatypeByteOrder::BigEndian
        }
        Datatype::Compound { members, .. } => {
            members.first().is_some_and(|member| is_big_endian(&member.datatype))
        }
        _ => false,
    }
}
