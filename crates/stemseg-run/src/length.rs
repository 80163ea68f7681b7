//! Lengths as they are given: px, or with a unit where the image is calibrated.

use stemseg::descriptor::Translation;
use stemseg::image::calibration::Unit;
use stemseg::image::micrograph::PixelSize;
use stemseg::sites::Extent;
use stemseg::{Error, Result};

/// Larger than any image, px.
const MOST: f64 = (1 << 20) as f64;

/// Bytes of the longest number that is looked for.
const LONGEST: usize = 400;

/// A number with or without a unit: `20`, `20px`, `0.4nm`, `12A`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Pixels.
    Pixels(f64),
    /// Nanometres.
    Nanometres(f64),
}

/// The longest start of `text` that is a number, since 1e-9m has letters in it, and what follows.
pub(crate) fn longest_number(text: &str) -> Option<(f64, &str)> {
    let number = |end: usize| text.get(..end)?.trim().parse::<f64>().ok();
    let longest = text.len().min(LONGEST);
    (1..=longest).rev().find_map(|end| Some((number(end)?, &text[end..])))
}

impl Length {
    /// A finite length, of whatever sign.
    ///
    /// # Errors
    /// In words, for what is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let found = longest_number(text);
        let Some((number, unit)) = found.filter(|(number, _)| number.is_finite()) else {
            return Err(format!(
                "'{text}' is neither a number of px, such as 20, nor a length, such as 0.4nm"
            ));
        };
        match (unit.trim(), Unit::parse(unit)) {
            ("" | "px", _) => Ok(Self::Pixels(number)),
            (_, Some((Unit::Nanometre, factor))) => Ok(Self::Nanometres(number * factor)),
            (unit, _) => Err(format!("'{unit}' is not a unit of length; give px, nm, A, pm or um")),
        }
    }

    /// The same from 0 on, in whole px where it has no unit.
    fn parse_size(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match Self::parse(text) {
            _ if text.starts_with('-') => {
                Err(format!("{text} is negative; give a length of 0 or more"))
            }
            Ok(Self::Pixels(size)) if size > MOST => {
                Err(format!("{text} px is larger than any image"))
            }
            Ok(Self::Pixels(size)) if size.fract() != 0.0 => Err(format!(
                "'{text}' is not a whole number of px; give one, or a length with a unit such as 0.4nm"
            )),
            other => other,
        }
    }

    /// In px that are `pixel` nm long; `option` and its `text` are for messages.
    fn pixels(self, option: &'static str, text: &str, pixel: Option<f64>) -> Result<f64> {
        let refuse = |reason: String| Err(Error::parameter(option, text, reason));
        match (self, pixel) {
            (Self::Pixels(size), _) => Ok(size),
            (Self::Nanometres(_), None) => refuse(
                "the image has no pixel size in nm; give px, or the pixel size, for example `pixel-size = 0.02nm`"
                    .into(),
            ),
            (Self::Nanometres(length), Some(pixel)) => match length / pixel {
                size if size.abs() > MOST => {
                    refuse(format!("it is {size:.3e} px of {pixel} nm, larger than any image"))
                }
                size => Ok(size),
            },
        }
    }

    /// In whole px; a length above 0 must not become 0.
    fn whole(self, option: &'static str, text: &str, pixel: Option<f64>) -> Result<usize> {
        let size = self.pixels(option, text, pixel)?;
        match size.round() {
            0.0 if size > 0.0 => {
                let pixel = pixel.unwrap_or_default();
                let reason =
                    format!("it is less than half a pixel, which is {pixel} nm; give more");
                Err(Error::parameter(option, text, reason))
            }
            whole => Ok(whole as usize),
        }
    }
}

/// A length that has no direction: it is measured along the finer axis where
/// pixels are not square, so that it is no shorter anywhere.
#[derive(Debug, Clone)]
pub enum Span {
    /// However many: the limits are checked where they are known.
    Pixels(usize),
    /// A length.
    Length {
        /// As it was given, for messages.
        text: String,
        /// What it is.
        length: Length,
    },
}

impl From<usize> for Span {
    fn from(pixels: usize) -> Self {
        Self::Pixels(pixels)
    }
}

/// `N`, or a length.
///
/// # Errors
/// In words, for what is neither.
pub fn span(text: &str) -> Result<Span, String> {
    match text.trim().parse() {
        Ok(pixels) => Ok(Span::Pixels(pixels)),
        Err(_) => Ok(Span::Length { text: text.into(), length: Length::parse_size(text)? }),
    }
}

impl Span {
    /// In px of an image with pixels of `size`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a unit without a `size`, and for what is no px or too many.
    pub fn pixels(&self, option: &'static str, size: Option<PixelSize>) -> Result<usize> {
        match self {
            Self::Pixels(pixels) => Ok(*pixels),
            Self::Length { text, length } => {
                length.whole(option, text, size.map(|size| size.rows.min(size.cols)))
            }
        }
    }
}

/// A length without direction that may be any part of a px; see [`Span`].
///
/// # Errors
/// [`Error::Parameter`] for a unit without a `size`.
pub(crate) fn fraction(
    given: &Option<Length>,
    option: &'static str,
    size: Option<PixelSize>,
) -> Result<Option<f64>> {
    let finer = size.map(|size| size.rows.min(size.cols));
    let pixels = |length: &Length| match *length {
        Length::Pixels(pixels) => Ok(pixels),
        Length::Nanometres(nm) => length.pixels(option, &format!("{nm} nm"), finer),
    };
    given.as_ref().map(pixels).transpose()
}

/// Half sizes along both axes.
#[derive(Debug, Clone)]
pub struct Spans {
    text: String,
    rows: Length,
    cols: Length,
}

impl From<Extent> for Spans {
    fn from(extent: Extent) -> Self {
        let length = |pixels: usize| Length::Pixels(pixels as f64);
        let text = format!("{}x{}", extent.rows, extent.cols);
        Self { text, rows: length(extent.rows), cols: length(extent.cols) }
    }
}

/// `N` or `ROWSxCOLS`, each a number of px or a length.
///
/// # Errors
/// In words, for what is none of these.
pub fn spans(text: &str) -> Result<Spans, String> {
    // What has no unit is px, and px has an x in it.
    let plain = text.replace("px", "");
    let (rows, cols) = plain.split_once(['x', 'X']).unwrap_or((&plain, &plain));
    Ok(Spans {
        text: text.into(),
        rows: Length::parse_size(rows)?,
        cols: Length::parse_size(cols)?,
    })
}

impl Spans {
    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In px of an image with pixels of `size`; a single length gives more px along
    /// the finer axis.
    ///
    /// # Errors
    /// As [`Span::pixels`].
    pub fn pixels(&self, option: &'static str, size: Option<PixelSize>) -> Result<Extent> {
        Ok(Extent {
            rows: self.rows.whole(option, &self.text, size.map(|size| size.rows))?,
            cols: self.cols.whole(option, &self.text, size.map(|size| size.cols))?,
        })
    }
}

/// Translations of row and column lengths in px of an image with pixels of `size`.
///
/// # Errors
/// As [`Span::pixels`].
pub(crate) fn translations(
    list: &[[Length; 2]],
    size: Option<PixelSize>,
) -> Result<Vec<Translation>> {
    let pixels = |length: Length, pixel: Option<f64>| {
        let text = match length {
            Length::Pixels(size) => format!("{size}"),
            Length::Nanometres(size) => format!("{size}nm"),
        };
        Ok(length.pixels("translations", &text, pixel)?.round() as i32)
    };
    let one = |&[rows, cols]: &[Length; 2]| {
        Ok(Translation {
            rows: pixels(rows, size.map(|size| size.rows))?,
            cols: pixels(cols, size.map(|size| size.cols))?,
        })
    };
    list.iter().map(one).collect()
}

/// Periods along `axes` evenly spread axes, in px: a length is as many px along an
/// axis as its direction makes of it where pixels are not square.
///
/// # Errors
/// As [`Span::pixels`].
pub(crate) fn periods(given: &[Length], axes: usize, size: Option<PixelSize>) -> Result<Vec<f64>> {
    let square = size.is_none_or(|size| size.rows == size.cols);
    let spread: Vec<Length> = match given {
        &[Length::Nanometres(length)] if !square => vec![Length::Nanometres(length); axes],
        given => given.to_vec(),
    };
    let one = |(axis, length): (usize, &Length)| {
        // Rows grow with the sine, as in the definition of the axes.
        let (sin, cos) = (std::f64::consts::PI * axis as f64 / axes.max(1) as f64).sin_cos();
        let pixel = size.map(|size| (size.rows * sin).hypot(size.cols * cos));
        length.pixels("glide-period", &format!("{length:?}"), pixel)
    };
    spread.iter().enumerate().map(one).collect()
}

/// Sizes of pixels whose areas are numbers still, nm.
const PIXEL_NM: std::ops::RangeInclusive<f64> = 1e-12..=1e9;

/// A size of pixels: a length, or `ROWSxCOLS`.
///
/// # Errors
/// In words, for what is not a length with a unit, and for one that no pixel can have.
pub fn pixel_size(text: &str) -> Result<PixelSize, String> {
    let Spans { rows, cols, .. } = spans_of_pixels(text)?;
    let length = |length: Length| match length {
        Length::Nanometres(length) if PIXEL_NM.contains(&length) => Ok(length),
        Length::Nanometres(_) => Err(format!("'{text}' is not a pixel size; give 1e-12nm to 1m")),
        Length::Pixels(_) => Err(format!("'{text}' has no unit; give 0.015nm, for example")),
    };
    Ok(PixelSize { rows: length(rows)?, cols: length(cols)? })
}

fn spans_of_pixels(text: &str) -> Result<Spans, String> {
    let (rows, cols) = text.split_once(['x', 'X']).unwrap_or((text, text));
    Ok(Spans { text: text.into(), rows: Length::parse(rows)?, cols: Length::parse(cols)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Option<PixelSize> = Some(PixelSize { rows: 0.02, cols: 0.04 });

    fn extent(text: &str, size: Option<PixelSize>) -> Result<Extent> {
        spans(text).unwrap().pixels("patch", size)
    }

    #[test]
    fn numbers_are_px() {
        for text in ["20", "20px", " 20 ", "2e1", "20x20", "20pxx20px"] {
            assert_eq!(extent(text, None).unwrap(), Extent::square(20), "{text}");
        }
        assert_eq!(extent("20x12", SIZE).unwrap(), Extent { rows: 20, cols: 12 });
        assert!(spans("-3").unwrap_err().contains("negative"));
        assert!(spans("3x-1").unwrap_err().contains("negative"));
        assert!(spans("1.5").unwrap_err().contains("whole number"));
        assert!(spans("9999999").unwrap_err().contains("larger than any image"));
        for text in ["", "nm", "x", "3x", "inf", "nan", "1e999", "twenty"] {
            assert!(spans(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_become_px_along_each_axis() {
        assert_eq!(extent("0.4nm", SIZE).unwrap(), Extent { rows: 20, cols: 10 });
        assert_eq!(extent("4A", SIZE).unwrap(), Extent { rows: 20, cols: 10 });
        assert_eq!(extent("400pmx0.0004um", SIZE).unwrap(), Extent { rows: 20, cols: 10 });
        assert_eq!(extent("4e-10m", SIZE).unwrap(), Extent { rows: 20, cols: 10 });
        assert_eq!(extent("0.4nmx7", SIZE).unwrap(), Extent { rows: 20, cols: 7 });
        assert_eq!(extent("0nm", SIZE).unwrap(), Extent::square(0));
        assert_eq!(span("0.4nm").unwrap().pixels("radius", SIZE).unwrap(), 20, "the finer axis");
        let words = |text: &str, size| extent(text, size).unwrap_err().to_string();
        assert!(words("0.4nm", None).contains("pixel-size = 0.02nm"));
        assert!(words("0.4nm", None).contains("patch = 0.4nm"));
        assert!(words("0.009nm", SIZE).contains("less than half a pixel"));
        assert!(words("1m", SIZE).contains("larger than any image"));
        for text in ["1 1/nm", "3s", "3mrad", "4 furlongs"] {
            assert!(spans(text).unwrap_err().contains("not a unit of length"), "{text}");
        }
    }

    #[test]
    fn translations_and_periods() {
        let list = [[Length::Pixels(3.0), Length::Nanometres(-0.4)]];
        assert_eq!(translations(&list, SIZE).unwrap(), [Translation { rows: 3, cols: -10 }]);
        assert!(translations(&list, None).unwrap_err().to_string().contains("pixel-size = 0.02nm"));
        // Two axes: along the columns, along the rows.
        let period = [Length::Nanometres(0.4)];
        let found = periods(&period, 2, SIZE).unwrap();
        assert!((found[0] - 10.0).abs() < 1e-12 && (found[1] - 20.0).abs() < 1e-12, "{found:?}");
        let square = Some(PixelSize { rows: 0.1, cols: 0.1 });
        let found = periods(&period, 10, square).unwrap();
        assert!(found.len() == 1 && (found[0] - 4.0).abs() < 1e-12, "{found:?}");
        assert_eq!(periods(&[Length::Pixels(7.5)], 10, None).unwrap(), [7.5]);
    }

    #[test]
    fn sizes_of_pixels() {
        let size = |rows, cols| Ok(PixelSize { rows, cols });
        assert_eq!(pixel_size("0.015nm"), size(0.015, 0.015));
        assert_eq!(pixel_size("0.2Ax15pm"), size(0.2 * 0.1, 15.0 * 1e-3));
        for (text, word) in [
            ("0.015", "no unit"),
            ("0nm", "not a pixel size"),
            ("1e300m", "not a pixel size"),
            ("-1nm", "not a pixel size"),
            ("1/nm", "not a unit"),
        ] {
            let message = pixel_size(text).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
