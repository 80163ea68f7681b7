//! The image as its file has it.

use rayon::prelude::*;

use stemseg::image::micrograph::Micrograph;
use stemseg::image::rows::Rows;

/// Element type of the image in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredAs {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
}

/// Largest span of integers that come back exactly: a pixel is an f32 of 24 bits, of
/// which the last is rounded twice.
const EXACT: f64 = (1 << 21) as f64;

impl StoredAs {
    /// The type of the file where its values can be told exactly, else f32.
    pub(super) fn of(micrograph: &Micrograph, dtype: &str) -> Self {
        let exact = || span(micrograph) < EXACT;
        match dtype {
            "uint8" => Self::U8,
            "int8" => Self::I8,
            "uint16" => Self::U16,
            "int16" => Self::I16,
            "uint32" if exact() => Self::U32,
            "int32" if exact() => Self::I32,
            _ => Self::F32,
        }
    }
}

/// Largest value minus least, in the file's units.
fn span(micrograph: &Micrograph) -> f64 {
    let pixels = micrograph.pixels();
    let rows: Vec<_> = pixels.outer_iter().collect();
    let ends = rows.into_par_iter().map(|row| {
        row.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, m), &v| (l.min(v), m.max(v)))
    });
    let none = || (f32::INFINITY, f32::NEG_INFINITY);
    let (least, most) = ends.reduce(none, |a, b| (a.0.min(b.0), a.1.max(b.1)));
    (f64::from(most) - f64::from(least)) * micrograph.deviation()
}

/// The values of the file, from those at mean 0 and variance 1.
pub(super) struct Restored<'a>(pub(super) &'a Micrograph);

/// A type that values are restored to.
pub(super) trait Restore {
    /// The nearest value of this type.
    fn restore(value: f64) -> Self;
}

macro_rules! restore {
    ($($integer:ty),*) => {$(
        impl Restore for $integer {
            fn restore(value: f64) -> Self {
                value.round() as Self
            }
        }
    )*};
}
restore!(u8, i8, u16, i16, u32, i32);

impl Restore for f32 {
    fn restore(value: f64) -> Self {
        value as Self
    }
}

impl<T: Restore> Rows<T> for Restored<'_> {
    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    fn fill(&self, row: usize, to: &mut [T]) {
        let (mean, deviation) = (self.0.mean(), self.0.deviation());
        let values = self.0.pixels();
        to.iter_mut().zip(values.row(row)).for_each(|(to, &v)| {
            *to = T::restore(mean + deviation * f64::from(v));
        });
    }
}
