//! [`Pixels`]: one image in the type that the file stores.

use std::ops::Range;

use ndarray::{Array2, Axis, AxisDescription, Slice};
use sha2::{Digest, Sha256};

use super::colour;
use stemseg::image::micrograph::{Micrograph, Pixel, Screening};
use stemseg::{Error, Result};

/// Everything that has to be said once per element type, from one table.
macro_rules! define_pixels {
    ($($variant:ident($element:ty) = $name:literal,)*) => {
        /// A 2-D image `[rows, cols]` in the file's own element type, always in
        /// row-major order. Booleans are held in `U8` as 0 and 1.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Pixels {
            $(
                #[doc = concat!("`", $name, "` pixels.")]
                $variant(Array2<$element>),
            )*
        }

        $(
            impl From<Array2<$element>> for Pixels {
                fn from(array: Array2<$element>) -> Self {
                    Self::$variant(row_major(array))
                }
            }
        )*

        impl Pixels {
            /// Element type as numpy spells it.
            pub fn dtype(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }
        }

        /// True where [`Pixels`] can hold `dtype` (numpy's spelling).
        pub(super) fn is_real(dtype: &str) -> bool {
            dtype == "bool" || [$($name),*].contains(&dtype)
        }

        /// Evaluates `$body` with the array of `$pixels`, whatever its type.
        macro_rules! with_array {
            ($pixels:expr, $array:ident => $body:expr) => {
                match $pixels {
                    $(Pixels::$variant($array) => $body,)*
                }
            };
        }

        /// Evaluates `$body` with `$type` standing for the type that numpy calls
        /// `$dtype`, or `$other` where there is none.
        macro_rules! with_type {
            ($dtype:expr, $type:ident => $body:expr, _ => $other:expr) => {
                match $dtype {
                    $($name => {
                        type $type = $element;
                        $body
                    })*
                    _ => $other,
                }
            };
        }
    };
}

define_pixels! {
    U8(u8) = "uint8",
    I8(i8) = "int8",
    U16(u16) = "uint16",
    I16(i16) = "int16",
    U32(u32) = "uint32",
    I32(i32) = "int32",
    U64(u64) = "uint64",
    I64(i64) = "int64",
    F16(half::f16) = "float16",
    F32(f32) = "float32",
    F64(f64) = "float64",
}
pub(super) use {with_array, with_type};

/// True where elements are pixels, or complex numbers that have a modulus.
pub(super) fn is_number(dtype: &str) -> bool {
    is_real(dtype) || ["complex64", "complex128"].contains(&dtype)
}

impl Pixels {
    /// `(rows, cols)`.
    pub fn shape(&self) -> (usize, usize) {
        with_array!(self, array => array.dim())
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> u64 {
        fn of<T>(array: &Array2<T>) -> u64 {
            (array.len() * size_of::<T>()) as u64
        }
        with_array!(self, array => of(array))
    }

    /// The part of the image inside `rows` and `cols`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the part is empty or leaves the image.
    pub fn crop(&self, rows: Range<usize>, cols: Range<usize>) -> Result<Self> {
        let (height, width) = self.shape();
        let fits = |range: &Range<usize>, size| range.start < range.end && range.end <= size;
        if !fits(&rows, height) || !fits(&cols, width) {
            return Err(Error::parameter(
                "crop",
                format!("rows {rows:?}, columns {cols:?}"),
                format!(
                    "the image has {height} x {width} pixels; \
                     give rows within 0..{height} and columns within 0..{width}"
                ),
            ));
        }
        let part = |axis: AxisDescription| {
            Slice::from(if axis.axis == Axis(0) { rows.clone() } else { cols.clone() })
        };
        Ok(with_array!(self, array => array.slice_each_axis(part).to_owned().into()))
    }

    /// The micrograph with these pixels.
    ///
    /// # Errors
    /// Those of [`Micrograph::screened`].
    pub fn to_micrograph(&self, screening: Screening) -> Result<Micrograph> {
        with_array!(self, array => Micrograph::screened(array.view(), screening))
    }

    /// SHA-256 of the pixels: the element type as numpy spells it, the numbers of rows and
    /// columns as in `uint16 512 640` with a line feed, then the values row by row, their
    /// least byte first.
    pub fn sha256(&self) -> [u8; 32] {
        let (rows, cols) = self.shape();
        let mut hasher = Sha256::new();
        hasher.update(format!("{} {rows} {cols}\n", self.dtype()));
        let mut bytes = Vec::new();
        with_array!(self, array => for row in array.outer_iter() {
            bytes.clear();
            row.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            hasher.update(&bytes);
        });
        hasher.finalize().into()
    }

    /// Share of the pixels that have the largest finite value of all, 0 to 1; 0 where all have the
    /// same, or none is finite.
    pub fn share_at_largest(&self) -> f64 {
        with_array!(self, array => {
            let finite = || array.iter().map(|pixel| pixel.to_f64()).filter(|v| v.is_finite());
            let (least, most) = finite()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| (l.min(v), m.max(v)));
            match least < most {
                true => finite().filter(|v| *v == most).count() as f64 / array.len().max(1) as f64,
                false => 0.0,
            }
        })
    }

    /// The values as f64, rounded for integers beyond 2^53.
    pub fn to_f64(&self) -> Array2<f64> {
        with_array!(self, array => array.map(|pixel| pixel.to_f64()))
    }

    /// The image as a mask `[rows, cols]`: true where a pixel is not zero. NaN is
    /// not zero, as in numpy, so it masks its pixel rather than letting it count.
    pub fn to_mask(&self) -> Array2<bool> {
        with_array!(self, array => array.map(|pixel| pixel.to_f64() != 0.0))
    }

    /// The image as a mask `[rows, cols]` whose pixels that are not zero are those that
    /// count: true where a pixel is zero, or NaN.
    pub fn to_inverted_mask(&self) -> Array2<bool> {
        let out = |value: f64| value == 0.0 || value.is_nan();
        with_array!(self, array => array.map(|pixel| out(pixel.to_f64())))
    }
}

/// Column-major files would otherwise pass their memory order on to every array
/// that is derived from them.
fn row_major<T: Clone>(array: Array2<T>) -> Array2<T> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

/// The image `[rows, cols, channels]` of elements that numpy calls `dtype`, from
/// bytes in either order: colour becomes grey, complex numbers their modulus.
/// `None` where there are more or fewer, or where `dtype` is no such element.
pub(super) fn from_bytes(
    dtype: &str,
    bytes: &[u8],
    big_endian: bool,
    shape: [usize; 3],
) -> Option<(Pixels, Vec<String>)> {
    macro_rules! values {
        ($element:ty) => {{
            let value = |bytes: &[u8]| {
                let mut value = [0; size_of::<$element>()];
                value.copy_from_slice(bytes);
                match big_endian {
                    true => <$element>::from_be_bytes(value),
                    false => <$element>::from_le_bytes(value),
                }
            };
            bytes.chunks_exact(size_of::<$element>()).map(value).collect::<Vec<_>>()
        }};
    }
    let [rows, cols, _] = shape;
    match dtype {
        "bool" => from_bytes("uint8", bytes, big_endian, shape),
        "complex64" => modulus(&values!(f32), [rows, cols]),
        "complex128" => modulus(&values!(f64), [rows, cols]),
        _ => with_type!(dtype, T => colour::from_samples(values!(T), shape).ok(), _ => None),
    }
}

/// The moduli of complex numbers that are stored as `[rows, cols, 2]`, real part
/// first, with a note; `None` where there are more or fewer.
fn modulus<T>(parts: &[T], shape: [usize; 2]) -> Option<(Pixels, Vec<String>)>
where
    T: Pixel + num_traits::Float,
    Pixels: From<Array2<T>>,
{
    // The standard library's hypot neither overflows nor underflows.
    let modulus = |part: &[T]| part[0].hypot(part[1]);
    let moduli = parts.chunks_exact(2).map(modulus).collect();
    let pixels = Array2::from_shape_vec(shape, moduli).ok()?;
    Some((pixels.into(), vec!["the values are complex: their modulus was taken".into()]))
}
