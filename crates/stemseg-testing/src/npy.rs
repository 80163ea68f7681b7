//! numpy's files, written and read here byte by byte, so that no test reads what stemseg's own
//! code wrote by that code.

use ndarray::{ArrayD, ShapeBuilder};

/// A number that arrays consist of.
pub trait Element: Copy {
    /// numpy's code without the order of bytes: `u2`.
    const CODE: &'static str;
    /// Appends its bytes, the least first.
    fn append(self, to: &mut Vec<u8>);
    /// From its bytes, the least first.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! elements {
    ($($element:ty = $code:literal),*) => {$(
        impl Element for $element {
            const CODE: &'static str = $code;
            fn append(self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().unwrap())
            }
        }
    )*};
}
elements!(u8 = "u1", i8 = "i1", u16 = "u2", i16 = "i2", u32 = "u4", i32 = "i4");
elements!(u64 = "u8", i64 = "i8", f32 = "f4", f64 = "f8");

/// A file with these values in C order.
pub fn write<T: Element>(shape: &[usize], values: impl IntoIterator<Item = T>) -> Vec<u8> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let order = if size_of::<T>() == 1 { '|' } else { '<' };
    let mut header = format!(
        "{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({lengths}), }}",
        T::CODE
    );
    while (header.len() + 11) % 64 > 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    values.into_iter().for_each(|value| value.append(&mut file));
    file
}

/// A file that is taken apart, of version 1.
pub struct Npy<'a> {
    /// Type with the order of bytes: `<u2`.
    pub descr: &'a str,
    /// Whether columns come first.
    pub fortran: bool,
    pub shape: Vec<usize>,
    data: &'a [u8],
}

impl<'a> Npy<'a> {
    /// # Errors
    /// In words, for what is no such file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let rest = bytes.strip_prefix(b"\x93NUMPY\x01\x00").ok_or("no npy file of version 1")?;
        let (length, rest) = rest.split_first_chunk().ok_or("no header")?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (header, data) = rest.split_at_checked(length).ok_or("a header that is cut off")?;
        if (10 + length) % 16 != 0 || header.last() != Some(&b'\n') {
            return Err("a header without padding".into());
        }
        let header = str::from_utf8(header).map_err(|error| error.to_string())?;
        let between = |start: &str, end: char| {
            let (_, rest) = header.split_once(start).ok_or(format!("no {start} in {header}"))?;
            Ok::<_, String>(rest.split(end).next().unwrap_or_default())
        };
        let lengths = between("'shape': (", ')')?.split(',').map(str::trim);
        let lengths = lengths.filter(|length| !length.is_empty()).map(str::parse);
        let shape = lengths.collect::<Result<_, _>>().map_err(|e| format!("{e} in {header}"))?;
        let fortran = between("'fortran_order': ", ',')? == "True";
        Ok(Self { descr: between("'descr': '", '\'')?, fortran, shape, data })
    }

    /// Its values in the order of the file.
    ///
    /// # Errors
    /// In words, where they are of another type, or more or fewer than the shape says.
    pub fn values<T: Element>(&self) -> Result<Vec<T>, String> {
        let order = if size_of::<T>() == 1 { '|' } else { '<' };
        if self.descr != format!("{order}{}", T::CODE) {
            return Err(format!("{} instead of {order}{}", self.descr, T::CODE));
        }
        let count: usize = self.shape.iter().product();
        if self.data.len() != count * size_of::<T>() {
            return Err(format!("{} bytes for shape {:?}", self.data.len(), self.shape));
        }
        Ok(self.data.chunks_exact(size_of::<T>()).map(T::from_bytes).collect())
    }

    /// Its values as f64, whatever they are.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn to_f64(&self) -> Result<ArrayD<f64>, String> {
        macro_rules! values {
            ($($element:ty),*) => {
                match &self.descr[1..] {
                    $(<$element as Element>::CODE => {
                        let values = self.values::<$element>()?;
                        values.into_iter().map(|value| value as f64).collect::<Vec<_>>()
                    })*
                    "b1" => self.data.iter().map(|&value| f64::from(value)).collect(),
                    other => return Err(format!("{other} is no real type")),
                }
            };
        }
        let values = values!(f32, f64, u8, i8, u16, i16, u32, i32, u64, i64);
        let array = ArrayD::from_shape_vec(self.shape.clone().set_f(self.fortran), values);
        array.map_err(|error| error.to_string())
    }
}
