//! Units, and what a pixel of an image measures.

use serde::Serialize;

use crate::image::micrograph::PixelSize;

/// What the axes of an image are measured in, once units are brought to one of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Lengths, nm.
    #[serde(rename = "nm")]
    Nanometre,
    /// Spatial frequencies, 1/nm: a diffraction pattern or a Fourier transform.
    #[serde(rename = "1/nm")]
    PerNanometre,
    /// Angles, mrad: a diffraction pattern.
    #[serde(rename = "mrad")]
    Milliradian,
}

impl Unit {
    /// The unit and the factor that leads to it from the unit that a file names,
    /// in the spellings of instruments and programs.
    pub fn parse(name: &str) -> Option<(Self, f64)> {
        // ImageJ escapes what is not ASCII, NCEM's programs write [n_m].
        let name = name.trim().trim_start_matches('[').trim_end_matches(']');
        let name = name.replace("\\u00B5", "µ").replace("\\u00C5", "Å").replace('_', "");
        let name = name.trim();
        if let Some(length) = nanometres(name) {
            return Some((Self::Nanometre, length));
        }
        let below = name.strip_prefix('1').and_then(|rest| rest.trim_start().strip_prefix('/'));
        let power = ["^-1", "-1", "⁻¹"].iter().find_map(|power| name.strip_suffix(power));
        if let Some(length) = below.or(power).and_then(|unit| nanometres(unit.trim())) {
            return Some((Self::PerNanometre, 1.0 / length));
        }
        Some((Self::Milliradian, milliradians(name)?))
    }

    /// As it is written: `nm`, `1/nm`, `mrad`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanometre => "nm",
            Self::PerNanometre => "1/nm",
            Self::Milliradian => "mrad",
        }
    }
}

/// The length of a unit in nm.
fn nanometres(name: &str) -> Option<f64> {
    Some(match name {
        "pm" | "picometer" | "picometre" => 1e-3,
        "A" | "Å" | "\u{212b}" | "angstrom" | "Angstrom" | "angstroms" | "Ang" => 0.1,
        "nm" | "nanometer" | "nanometre" | "nanometers" | "nanometres" => 1.0,
        "um" | "µm" | "\u{3bc}m" | "µ" | "\u{3bc}" | "micron" | "microns" | "micrometer"
        | "micrometre" => 1e3,
        "mm" | "millimeter" | "millimetre" => 1e6,
        "cm" | "centimeter" | "centimetre" => 1e7,
        "m" | "meters" | "metres" | "meter" | "metre" => 1e9,
        _ => return None,
    })
}

fn milliradians(name: &str) -> Option<f64> {
    Some(match name {
        "mrad" | "milliradian" | "milliradians" => 1.0,
        "rad" | "radian" | "radians" => 1e3,
        "deg" | "°" | "degree" | "degrees" => 1e3_f64.to_radians(),
        _ => return None,
    })
}

/// What neighbouring pixels of an image are apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibration {
    /// Distance of neighbouring rows.
    pub rows: f64,
    /// Distance of neighbouring columns.
    pub cols: f64,
    /// What both are measured in.
    pub unit: Unit,
}

impl Calibration {
    /// From the step along each axis and its unit as the file names it; nothing
    /// where a unit is unknown, the axes measure different things, or a step is
    /// not above 0 (some programs count an axis downwards, so its sign is ignored).
    pub fn new(rows: (f64, &str), cols: (f64, &str)) -> Option<Self> {
        let step = |(step, unit): (f64, &str)| {
            let (unit, factor) = Unit::parse(unit)?;
            Some((unit, step.abs() * factor))
        };
        let ((unit, rows), (other, cols)) = (step(rows)?, step(cols)?);
        let valid = |step: f64| step.is_finite() && step > 0.0;
        (unit == other && valid(rows) && valid(cols)).then_some(Self { rows, cols, unit })
    }

    /// The size of a pixel, where the axes are lengths.
    pub fn pixel_size(&self) -> Option<PixelSize> {
        (self.unit == Unit::Nanometre).then_some(PixelSize { rows: self.rows, cols: self.cols })
    }
}

impl From<PixelSize> for Calibration {
    fn from(size: PixelSize) -> Self {
        Self { rows: size.rows, cols: size.cols, unit: Unit::Nanometre }
    }
}

/// A step in time in seconds, from the unit that a file names; nothing where that is no
/// unit of time or the step is not above 0.
pub fn seconds(step: f64, unit: &str) -> Option<f64> {
    let factor = match unit.trim() {
        "s" | "sec" | "second" | "seconds" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "\u{3bc}s" => 1e-6,
        "ns" => 1e-9,
        "min" => 60.0,
        _ => return None,
    };
    Some(step * factor).filter(|step| step.is_finite() && *step > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_in_many_spellings() {
        let length = |name: &str| match Unit::parse(name) {
            Some((Unit::Nanometre, factor)) => Some(factor),
            _ => None,
        };
        for (names, nm) in [
            (&["nm", "n_m", "[n_m]", " nm ", "nanometer"][..], 1.0),
            (&["A", "Å", "\u{212b}", "\\u00C5", "angstrom"], 0.1),
            (&["um", "µm", "\u{3bc}m", "\\u00B5m", "micron", "u_m"], 1e3),
            (&["cm"], 1e7),
            (&["m"], 1e9),
            (&["pm"], 1e-3),
        ] {
            for name in names {
                assert_eq!(length(name), Some(nm), "{name}");
            }
        }
        for name in ["1/nm", "1 / nm", "nm^-1", "nm-1", "1/ nm"] {
            assert_eq!(Unit::parse(name), Some((Unit::PerNanometre, 1.0)), "{name}");
        }
        assert_eq!(Unit::parse("1 / µm"), Some((Unit::PerNanometre, 1e-3)));
        assert_eq!(Unit::parse("1/A"), Some((Unit::PerNanometre, 10.0)));
        assert_eq!(Unit::parse("mrad"), Some((Unit::Milliradian, 1.0)));
        for name in ["", "[]", "px", "pixel", "inch", "eV", "s", "µnn", "1/s", "1"] {
            assert_eq!(Unit::parse(name), None, "{name}");
        }
    }

    #[test]
    fn steps_in_time() {
        assert_eq!(seconds(2.5, "s"), Some(2.5));
        assert_eq!(seconds(40.0, "ms"), Some(0.04));
        assert_eq!(seconds(1.0, "nm"), None);
        assert_eq!(seconds(0.0, "s"), None);
    }

    #[test]
    fn axes_may_have_different_units_of_one_kind() {
        let found = Calibration::new((2.0, "A"), (1.0, "nm")).unwrap();
        assert_eq!(found.pixel_size(), Some(PixelSize { rows: 0.2, cols: 1.0 }));
        let pattern = Calibration::new((2.0, "1/m"), (-4.0, "1/m")).unwrap();
        assert_eq!((pattern.unit, pattern.cols), (Unit::PerNanometre, 4e-9));
        assert_eq!(pattern.pixel_size(), None);
        for (rows, cols) in [
            ((1.0, "nm"), (1.0, "1/nm")),
            ((0.0, "nm"), (1.0, "nm")),
            ((1.0, "nm"), (f64::NAN, "nm")),
            ((1.0, "nm"), (1.0, "eV")),
        ] {
            assert_eq!(Calibration::new(rows, cols), None);
        }
    }
}
