//! HDF5, the container of several formats.

use std::path::Path;

use hdf5_pure::{AttrValue, DType, Dataset, Datatype, DatatypeByteOrder, File, Group};

use super::{Format, Images, damaged, failed, file_size};
use crate::{Error, Result};

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Whether a file that starts with `head` is HDF5, perhaps after a user's block.
pub(super) fn is_hdf5(head: &[u8]) -> bool {
    [0, 512].iter().any(|&start| head.get(start..).is_some_and(|h| h.starts_with(SIGNATURE)))
}

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
        is_hdf5(head)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        open(path)?;
        let reason = "is an HDF5 file of another kind than those that are read \
                      (Velox EMD, NCEM EMD, HyperSpy); save the image as TIFF or npy";
        Err(Error::unreadable(path, reason))
    }
}

/// The crate's error as this library's.
pub(super) fn unreadable(path: &Path, error: hdf5_pure::Error) -> Error {
    match error {
        hdf5_pure::Error::Io(error) => failed(path, error),
        error => damaged(path, error),
    }
}

/// A text attribute of a group.
pub(super) fn text(group: &Group, name: &str) -> Option<String> {
    match group.attrs().ok()?.remove(name)? {
        AttrValue::String(text)
        | AttrValue::AsciiString(text)
        | AttrValue::VarLenString(text)
        | AttrValue::VarLenAsciiString(text) => Some(text),
        AttrValue::StringSized { value, .. } | AttrValue::AsciiStringSized { value, .. } => {
            Some(value)
        }
        _ => None,
    }
    .map(|text| text.trim_end_matches('\0').trim().to_owned())
    .filter(|text| !text.is_empty())
}

/// A number among the attributes of a group.
pub(super) fn number(group: &Group, name: &str) -> Option<f64> {
    Some(match group.attrs().ok()?.remove(name)? {
        AttrValue::F32(value) => value.into(),
        AttrValue::F64(value) => value,
        AttrValue::I8(value) => value.into(),
        AttrValue::I16(value) => value.into(),
        AttrValue::I32(value) => value.into(),
        AttrValue::I64(value) => value as f64,
        AttrValue::U8(value) => value.into(),
        AttrValue::U16(value) => value.into(),
        AttrValue::U32(value) => value.into(),
        AttrValue::U64(value) => value as f64,
        _ => return None,
    })
}

/// How the elements of a dataset are stored.
pub(super) struct Element {
    /// Type of a number as numpy spells it, or of what no number is.
    pub(super) dtype: String,
    /// Numbers of an element that is a colour, else 1.
    pub(super) channels: usize,
    pub(super) big_endian: bool,
}

/// The elements of `dataset`.
pub(super) fn element(dataset: &Dataset) -> Option<Element> {
    let (dtype, channels) = numpy_name(&dataset.dtype().ok()?);
    let big_endian = is_big_endian(&dataset.datatype().ok()?);
    Some(Element { dtype, channels, big_endian })
}

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
