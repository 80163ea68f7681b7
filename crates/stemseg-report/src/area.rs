//! Areas as people read them: in a unit that suits, and with no more digits than are known.

/// Units by their size in nm, and as they are written in plain text and on a page.
const UNITS: [(f64, &str, &str); 6] = [
    (1e-6, "fm^2", "fm²"),
    (1e-3, "pm^2", "pm²"),
    (1.0, "nm^2", "nm²"),
    (1e3, "um^2", "µm²"),
    (1e6, "mm^2", "mm²"),
    (1e9, "m^2", "m²"),
];

/// An area from which on the next larger unit is taken, in the smaller one.
const NEXT: f64 = 1e4;

/// Significant digits, at most: calibrations of microscopes are no better.
const MOST_DIGITS: i32 = 4;

/// An area, and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The area, nm^2.
    pub nm2: f64,
    /// How far it may be off, nm^2; 0 where it is exact.
    pub uncertainty_nm2: f64,
}

impl Area {
    /// In plain text: `12.3 nm^2`.
    pub fn plain(self) -> String {
        let (number, unit) = self.parts();
        format!("{number} {}", unit.1)
    }

    /// On a page: `12.3 nm²`.
    pub(super) fn typeset(self) -> String {
        let (number, unit) = self.parts();
        format!("{} {}", super::number::minus(&number), unit.2)
    }

    fn parts(self) -> (String, &'static (f64, &'static str, &'static str)) {
        let in_unit = |unit: f64, nm2: f64| nm2 / (unit * unit);
        let fits = |unit: &&(f64, &str, &str)| in_unit(unit.0, self.nm2) < NEXT;
        let unit = UNITS.iter().find(fits).unwrap_or(&UNITS[UNITS.len() - 1]);
        (digits(in_unit(unit.0, self.nm2), in_unit(unit.0, self.uncertainty_nm2)), unit)
    }
}

/// `value` rounded to the first digit that `uncertainty` leaves open, but to one digit at
/// least and [`MOST_DIGITS`] at most.
fn digits(value: f64, uncertainty: f64) -> String {
    if !value.is_finite() || value <= 0.0 {
        return format!("{value:.0}");
    }
    let power = |value: f64| value.log10().floor() as i32;
    let open = if uncertainty > 0.0 { power(uncertainty) } else { i32::MIN };
    let last = open.clamp(power(value) - MOST_DIGITS + 1, power(value));
    let step = 10_f64.powi(last);
    let rounded = (value / step).round() * step;
    match rounded {
        // Beyond all units, as where a pixel size is wrong.
        r if !(0.01..10.0 * NEXT).contains(&r) => {
            format!("{r:.*e}", usize::try_from(power(value) - last).unwrap_or(0))
        }
        r => format!("{r:.*}", usize::try_from(-last).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_and_digits_are_those_that_the_boundary_allows() {
        let cases = [
            (12.3456, 0.0, "12.35 nm^2"),
            (12.3456, 0.04, "12.35 nm^2"),
            (12.3456, 0.4, "12.3 nm^2"),
            (12.3456, 4.0, "12 nm^2"),
            (12.3456, 40.0, "10 nm^2"),
            (0.000_012, 0.0, "12.00 pm^2"),
            (0.0042, 0.000_1, "4200 pm^2"),
            (0.03, 0.01, "0.03 nm^2"),
            (9_876.0, 500.0, "9900 nm^2"),
            (25_000.0, 700.0, "0.0250 um^2"),
            (3.1e8, 1e6, "310 um^2"),
            (7e-10, 0.0, "700.0 fm^2"),
            (2.5e19, 0.0, "25.00 m^2"),
            (0.0, 0.0, "0 fm^2"),
        ];
        for (nm2, uncertainty_nm2, expected) in cases {
            let found = Area { nm2, uncertainty_nm2 }.plain();
            assert_eq!(found, expected, "{nm2} +- {uncertainty_nm2}");
        }
        assert_eq!(Area { nm2: 3.1e8, uncertainty_nm2: 1e6 }.typeset(), "310 µm²");
        assert_eq!(Area { nm2: 2.5e26, uncertainty_nm2: 1e25 }.plain(), "2.5e8 m^2");
        assert_eq!(Area { nm2: 4.7e-20, uncertainty_nm2: 2e-21 }.plain(), "4.7e-8 fm^2");
    }
}
