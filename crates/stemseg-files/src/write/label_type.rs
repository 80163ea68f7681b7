//! [`LabelType`]: the integers in which label maps are stored.

use serde::Serialize;

use stemseg::image::rows::{self, Rows};
use stemseg::{Error, Result};

/// Most labels that 8 bits are chosen for; one value is spare, as a mark in other programs.
const MOST_IN_U8: u16 = 254;

/// Integer type of stored labels. The stored values are the labels, whatever the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LabelType {
    /// 8 bits.
    #[serde(rename = "uint8")]
    U8,
    /// 16 bits.
    #[serde(rename = "uint16")]
    U16,
    /// 32 bits.
    #[serde(rename = "uint32")]
    U32,
}

impl LabelType {
    /// 8 bits for labels up to 254, else 16.
    pub fn least(most: u16) -> Self {
        if most <= MOST_IN_U8 { Self::U8 } else { Self::U16 }
    }

    /// [`least`](Self::least) for the labels of a map.
    pub fn of(labels: &dyn Rows<u16>) -> Self {
        Self::least(most_of(labels))
    }

    /// Fails where labels up to `most` do not fit.
    ///
    /// # Errors
    /// [`Error::Parameter`] with what would do.
    pub fn check(self, most: u16) -> Result<()> {
        match self {
            Self::U8 if most > MOST_IN_U8 => {
                let reason = format!(
                    "8 bits hold {MOST_IN_U8} labels, but there are {most}; give u16, u32 or auto"
                );
                Err(Error::parameter("labels", "u8", reason))
            }
            _ => Ok(()),
        }
    }
}

/// Largest of the values.
pub(super) fn most_of(values: &dyn Rows<u16>) -> u16 {
    let larger = |most: &mut u16, line: &[u16]| *most = line.iter().fold(*most, |a, &b| a.max(b));
    rows::fold(values, || 0, larger, u16::max)
}

/// An integer in which labels are stored.
pub(super) trait Label: Copy + Default + Send + Sync {
    /// The label in this type, which holds it.
    fn of(label: u16) -> Self;
}

impl Label for u8 {
    fn of(label: u16) -> Self {
        label as Self
    }
}

impl Label for u16 {
    fn of(label: u16) -> Self {
        label
    }
}

impl Label for u32 {
    fn of(label: u16) -> Self {
        label.into()
    }
}

/// Labels in whatever integers are asked for, which must hold them.
pub(super) struct Labels<'a>(pub(super) &'a dyn Rows<u16>);

impl<T: Label> Rows<T> for Labels<'_> {
    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    fn fill(&self, row: usize, to: &mut [T]) {
        let mut labels = vec![0; to.len()];
        self.0.fill(row, &mut labels);
        to.iter_mut().zip(labels).for_each(|(to, label)| *to = T::of(label));
    }
}
