//! Files written byte by byte, so that no test reads what the same library wrote.

use std::path::PathBuf;

use half::f16;
use ndarray::Array2;
use stemseg_files::read::Pixels;
use tempfile::TempDir;

/// A folder that goes away with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// An element type: numpy's code, and test values that need all its bytes.
pub(crate) trait Element: Copy {
    const CODE: &'static str;
    fn bytes(self, big_endian: bool) -> Vec<u8>;
    fn sample(index: usize) -> Self;
}

macro_rules! elements {
    ($($element:ty, $code:literal, $sample:expr;)*) => {$(
        impl Element for $element {
            const CODE: &'static str = $code;
            fn bytes(self, big_endian: bool) -> Vec<u8> {
                if big_endian { self.to_be_bytes().to_vec() } else { self.to_le_bytes().to_vec() }
            }
            fn sample(index: usize) -> Self {
                let sample: fn(usize) -> Self = $sample;
                sample(index)
            }
        }
    )*};
}
elements! {
    u8, "u1", |i| u8::MAX.wrapping_sub((i as u8).wrapping_mul(3));
    i8, "i1", |i| i8::MIN.wrapping_add((i as i8).wrapping_mul(3));
    u16, "u2", |i| u16::MAX.wrapping_sub((i as u16).wrapping_mul(257).wrapping_add(1));
    i16, "i2", |i| i16::MIN.wrapping_add((i as i16).wrapping_mul(257).wrapping_add(1));
    u32, "u4", |i| u32::MAX.wrapping_sub((i as u32).wrapping_mul(0x0102_0305));
    i32, "i4", |i| i32::MIN.wrapping_add((i as i32).wrapping_mul(0x0102_0305));
    u64, "u8", |i| u64::MAX.wrapping_sub((i as u64).wrapping_mul(0x0102_0304_0506_0709));
    i64, "i8", |i| i64::MIN.wrapping_add((i as i64).wrapping_mul(0x0102_0304_0506_0709));
    f16, "f2", |i| f16::from_f32(0.1 * i as f32 - 0.37);
    f32, "f4", |i| 0.1 * i as f32 - 0.37;
    f64, "f8", |i| 0.1 * i as f64 - 0.37;
}

/// Runs `$check::<T>($args)` for every element type.
macro_rules! for_every_element {
    ($check:ident($($arg:expr),*)) => {
        $crate::for_every_element!(
            [u8 i8 u16 i16 u32 i32 u64 i64 half::f16 f32 f64] $check($($arg),*)
        )
    };
    ([$($element:ty)*] $check:ident $args:tt) => {
        $($crate::for_every_element!(@one $check, $element, $args);)*
    };
    (@one $check:ident, $element:ty, ($($arg:expr),*)) => { $check::<$element>($($arg),*) };
}
pub(crate) use for_every_element;

/// `count` test values from number `from` on.
pub(crate) fn samples<T: Element>(from: usize, count: usize) -> Vec<T> {
    (from..from + count).map(T::sample).collect()
}

pub(crate) fn bytes<T: Element>(values: &[T], big_endian: bool) -> Vec<u8> {
    values.iter().flat_map(|value| value.bytes(big_endian)).collect()
}

pub(crate) fn image<T>(rows: usize, cols: usize, values: Vec<T>) -> Pixels
where
    Pixels: From<Array2<T>>,
{
    Array2::from_shape_vec((rows, cols), values).unwrap().into()
}

/// An npy file; `descr` and `shape` as Python writes them.
pub(crate) fn npy(version: u8, descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header =
        format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}          \n");
    let mut file = b"\x93NUMPY".to_vec();
    file.extend([version, 0]);
    match version {
        1 => file.extend((header.len() as u16).to_le_bytes()),
        _ => file.extend((header.len() as u32).to_le_bytes()),
    }
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

/// A zip archive of stored members.
pub(crate) fn stored_zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A value of a TIFF tag.
#[derive(Clone)]
pub(crate) enum Value {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Rational(u32, u32),
    Double(f64),
    Text(Vec<u8>),
}

/// One page: its tags, the pieces of its data, and the tags (273 and 279 for
/// strips, 324 and 325 for tiles) that say where they are.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) tags: Vec<(u16, Value)>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) place_tags: [u16; 2],
}

impl Page {
    /// A grey page in one strip; `format` is 1 for unsigned, 2 signed, 3 float.
    pub(crate) fn grey(rows: u32, cols: u32, bits: u16, format: u16, data: Vec<u8>) -> Self {
        let tags = vec![
            (256, Value::Long(vec![cols])),
            (257, Value::Long(vec![rows])),
            (258, Value::Short(vec![bits])),
            (259, Value::Short(vec![1])),
            (262, Value::Short(vec![1])),
            (277, Value::Short(vec![1])),
            (278, Value::Long(vec![rows])),
            (339, Value::Short(vec![format])),
        ];
        Self { tags, pieces: vec![data], place_tags: [273, 279] }
    }

    /// The same page with tag `tag` set to `value`.
    pub(crate) fn with(mut self, tag: u16, value: Value) -> Self {
        self.tags.retain(|(other, _)| *other != tag);
        self.tags.push((tag, value));
        self
    }

    pub(crate) fn text(self, tag: u16, text: impl AsRef<[u8]>) -> Self {
        self.with(tag, Value::Text([text.as_ref(), b"\0"].concat()))
    }
}

/// The bytes of a TIFF or BigTIFF: each directory is followed by its values and
/// its pixels.
pub(crate) fn tiff(big_endian: bool, big: bool, pages: &[Page]) -> Vec<u8> {
    let number = |value: u64, width: usize| match big_endian {
        true => value.to_be_bytes()[8 - width..].to_vec(),
        false => value.to_le_bytes()[..width].to_vec(),
    };
    let word = if big { 8 } else { 4 };
    let mut file = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    file.extend(number(if big { 43 } else { 42 }, 2));
    if big {
        file.extend([number(8, 2), number(0, 2)].concat());
    }
    file.extend(number(file.len() as u64 + word as u64, word));
    for (index, page) in pages.iter().enumerate() {
        let start = file.len();
        // The first pass finds out how long the directory and its values are.
        let mut data_start = 0;
        for _ in 0..2 {
            file.truncate(start);
            directory(&mut file, page, data_start, word, &number);
            data_start = file.len();
        }
        file.extend(page.pieces.concat());
        if index + 1 < pages.len() {
            let end = start + if big { 8 } else { 2 } + (page.tags.len() + 2) * (4 + 2 * word);
            let next = number(file.len() as u64, word);
            file[end..end + word].copy_from_slice(&next);
        }
    }
    file
}

fn directory(
    file: &mut Vec<u8>,
    page: &Page,
    data_start: usize,
    word: usize,
    number: &impl Fn(u64, usize) -> Vec<u8>,
) {
    let mut offset = data_start as u32;
    let offsets = page.pieces.iter().map(|piece| {
        offset += piece.len() as u32;
        offset - piece.len() as u32
    });
    let lengths = page.pieces.iter().map(|piece| piece.len() as u32);
    let mut tags = page.tags.clone();
    tags.push((page.place_tags[0], Value::Long(offsets.collect())));
    tags.push((page.place_tags[1], Value::Long(lengths.collect())));
    tags.sort_by_key(|(tag, _)| *tag);

    let start = file.len();
    file.extend(number(tags.len() as u64, if word == 8 { 8 } else { 2 }));
    let mut values = Vec::new();
    let values_start = file.len() + tags.len() * (4 + 2 * word) + word;
    assert!(values_start > start);
    for (tag, value) in &tags {
        let (kind, count, mut payload) = match value {
            Value::Short(list) => {
                (3, list.len(), list.iter().flat_map(|&v| number(v.into(), 2)).collect())
            }
            Value::Long(list) => {
                (4, list.len(), list.iter().flat_map(|&v| number(v.into(), 4)).collect())
            }
            Value::Rational(above, below) => {
                (5, 1, [number((*above).into(), 4), number((*below).into(), 4)].concat())
            }
            Value::Double(value) => (12, 1, number(value.to_bits(), 8)),
            Value::Text(text) => (2, text.len(), text.clone()),
        };
        file.extend(
            [number((*tag).into(), 2), number(kind, 2), number(count as u64, word)].concat(),
        );
        if payload.len() <= word {
            payload.resize(word, 0);
            file.extend(payload);
        } else {
            file.extend(number((values_start + values.len()) as u64, word));
            values.extend(payload);
        }
    }
    file.extend(number(0, word));
    file.extend(values);
}
