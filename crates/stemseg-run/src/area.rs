//! Areas as they are given: px, or with a unit where the image is calibrated.

use stemseg::image::calibration::Unit;
use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};

use crate::length::longest_number;

/// A number of px, or an area: `200`, `200px`, `4nm2`, `40 A^2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area {
    /// Pixels.
    Pixels(f64),
    /// Square nanometres.
    SquareNanometres(f64),
}

impl Area {
    /// A finite area from 0 on.
    ///
    /// # Errors
    /// In words, for what is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some((number, unit)) = longest_number(text).filter(|(number, _)| number.is_finite())
        else {
            return Err(format!(
                "'{text}' is neither a number of px, such as 200, nor an area, such as 4nm2"
            ));
        };
        if number < 0.0 {
            return Err(format!("{text} is negative; give an area of 0 or more"));
        }
        let unit = unit.trim();
        if ["", "px", "px2", "px^2", "px²"].contains(&unit) {
            return Ok(Self::Pixels(number));
        }
        let squared = ["^2", "²", "2"].iter().find_map(|power| unit.strip_suffix(power));
        match squared.and_then(Unit::parse) {
            Some((Unit::Nanometre, factor)) => Ok(Self::SquareNanometres(number * factor * factor)),
            _ => Err(format!("'{unit}' is not a unit of area; give px, nm2, A2, pm2 or um2")),
        }
    }

    /// In px of an image with pixels of `size`; `option` is for messages.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a unit without a `size`.
    pub fn pixels(self, option: &'static str, size: Option<PixelSize>) -> Result<f64> {
        match (self, size) {
            (Self::Pixels(pixels), _) => Ok(pixels),
            (Self::SquareNanometres(area), Some(size)) => Ok(area / (size.rows * size.cols)),
            (Self::SquareNanometres(area), None) => Err(Error::parameter(
                option,
                format!("{area}nm2"),
                "the image has no pixel size in nm; give px, or the pixel size, for example \
                 `pixel-size = 0.02nm`",
            )),
        }
    }
}

/// What is smaller is no region, in px of an image with pixels of `size`; nothing where that is
/// not asked for, or cannot be said.
pub(crate) fn least_region_px(least: Option<Area>, size: Option<PixelSize>) -> Option<f64> {
    least?.pixels("least-region", size).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_have_units_of_length_squared() {
        for (text, area) in [
            ("200", Area::Pixels(200.0)),
            (" 12.5 px", Area::Pixels(12.5)),
            ("3px^2", Area::Pixels(3.0)),
            ("4nm2", Area::SquareNanometres(4.0)),
            ("4 nm²", Area::SquareNanometres(4.0)),
            ("100A^2", Area::SquareNanometres(100.0 * 0.1 * 0.1)),
            ("1e-6um2", Area::SquareNanometres(1e-6 * 1e3 * 1e3)),
        ] {
            assert_eq!(Area::parse(text), Ok(area), "{text}");
        }
        for (text, words) in [
            ("-3", "negative"),
            ("4nm", "not a unit of area"),
            ("4s2", "not a unit of area"),
            ("much", "neither"),
            ("inf", "neither"),
            ("", "neither"),
        ] {
            let message = Area::parse(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
    }

    #[test]
    fn areas_become_px_of_both_sides() {
        let size = Some(PixelSize { rows: 0.02, cols: 0.05 });
        let pixels = |text: &str, size| Area::parse(text).unwrap().pixels("least-region", size);
        assert!((pixels("4nm2", size).unwrap() - 4000.0).abs() < 1e-9);
        assert_eq!(pixels("40", None).unwrap(), 40.0);
        let message = pixels("4nm2", None).unwrap_err().to_string();
        assert!(
            message.contains("least-region = 4nm2") && message.contains("pixel-size"),
            "{message}"
        );
    }
}
