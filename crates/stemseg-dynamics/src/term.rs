//! Terms of an equation: a power of `Phi` times one derivative expression.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Highest power of `Phi` that a term may have.
pub const MOST_POWER: u8 = 5;

/// What stands next to the power of `Phi`. x counts columns and y rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// Nothing: the term is the power alone.
    One,
    /// `Phi_x`.
    X,
    /// `Phi_y`.
    Y,
    /// `Phi_xx`.
    XX,
    /// `Phi_xy`.
    XY,
    /// `Phi_yy`.
    YY,
    /// `Phi_x^2`.
    SquareX,
    /// `Phi_y^2`.
    SquareY,
    /// `|grad Phi|`: the boundary moves along its normal.
    Slope,
    /// `kappa |grad Phi|`, kappa the curvature div(grad Phi / |grad Phi|): curvature flow.
    Curvature,
}

impl Factor {
    const ALL: [Self; 10] = [
        Self::One,
        Self::X,
        Self::Y,
        Self::XX,
        Self::XY,
        Self::YY,
        Self::SquareX,
        Self::SquareY,
        Self::Slope,
        Self::Curvature,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::One => "",
            Self::X => "Phi_x",
            Self::Y => "Phi_y",
            Self::XX => "Phi_xx",
            Self::XY => "Phi_xy",
            Self::YY => "Phi_yy",
            Self::SquareX => "Phi_x^2",
            Self::SquareY => "Phi_y^2",
            Self::Slope => "|grad Phi|",
            Self::Curvature => "kappa |grad Phi|",
        }
    }

    const fn latex(self) -> &'static str {
        match self {
            Self::One => "",
            Self::X => r"\Phi_{x}",
            Self::Y => r"\Phi_{y}",
            Self::XX => r"\Phi_{xx}",
            Self::XY => r"\Phi_{xy}",
            Self::YY => r"\Phi_{yy}",
            Self::SquareX => r"\Phi_{x}^{2}",
            Self::SquareY => r"\Phi_{y}^{2}",
            Self::Slope => r"|\nabla\Phi|",
            Self::Curvature => r"\kappa\,|\nabla\Phi|",
        }
    }
}

/// Derivatives of a film at one place, in whatever unit its terms are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Jet {
    pub(crate) value: f64,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) xx: f64,
    pub(crate) xy: f64,
    pub(crate) yy: f64,
}

/// One term: `Phi^power` times a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// Power of `Phi`, at most [`MOST_POWER`].
    pub power: u8,
    /// What it is multiplied by.
    pub factor: Factor,
}

impl Term {
    /// A term.
    pub const fn new(power: u8, factor: Factor) -> Self {
        Self { power, factor }
    }

    /// How many derivatives by x and y it has: its coefficient has the unit of this power of a
    /// length over a time.
    pub const fn orders(self) -> [u8; 2] {
        match self.factor {
            Factor::One => [0, 0],
            Factor::X | Factor::Slope => [1, 0],
            Factor::Y => [0, 1],
            Factor::XX | Factor::SquareX | Factor::Curvature => [2, 0],
            Factor::XY => [1, 1],
            Factor::YY | Factor::SquareY => [0, 2],
        }
    }

    /// What it counts where equations of equal error are compared: products and squares more
    /// than a power or a derivative by itself.
    pub const fn complexity(self) -> u32 {
        match (self.power, self.factor) {
            (_, Factor::One)
            | (0, Factor::X | Factor::Y | Factor::XX | Factor::XY | Factor::YY) => 2,
            (0, Factor::Slope) => 3,
            _ => 4,
        }
    }

    /// Whether it needs rows as well as columns.
    pub(crate) const fn needs_rows(self) -> bool {
        matches!(
            self.factor,
            Factor::Y | Factor::XY | Factor::YY | Factor::SquareY | Factor::Curvature
        )
    }

    /// Whether it reads lengths along x and y in one unit.
    pub(crate) const fn needs_square_pixels(self) -> bool {
        matches!(self.factor, Factor::Slope | Factor::Curvature)
    }

    /// Its value at one place.
    pub(crate) fn at(self, jet: &Jet) -> f64 {
        let slope = |jet: &Jet| libm::hypot(jet.x, jet.y);
        let factor = match self.factor {
            Factor::One => 1.0,
            Factor::X => jet.x,
            Factor::Y => jet.y,
            Factor::XX => jet.xx,
            Factor::XY => jet.xy,
            Factor::YY => jet.yy,
            Factor::SquareX => jet.x * jet.x,
            Factor::SquareY => jet.y * jet.y,
            Factor::Slope => slope(jet),
            Factor::Curvature => {
                let square = jet.x * jet.x + jet.y * jet.y;
                let along =
                    jet.x * jet.x * jet.yy - 2.0 * jet.x * jet.y * jet.xy + jet.y * jet.y * jet.xx;
                if square > 1e-12 { along / square } else { 0.0 }
            }
        };
        factor * jet.value.powi(i32::from(self.power))
    }

    /// The term in LaTeX.
    pub fn latex(self) -> String {
        let power = match (self.power, self.factor) {
            (0, Factor::One) => "1".to_owned(),
            (0, _) => String::new(),
            (1, _) => r"\Phi".to_owned(),
            (power, _) => format!(r"\Phi^{{{power}}}"),
        };
        match (power.is_empty(), self.factor) {
            (_, Factor::One) => power,
            (true, factor) => factor.latex().to_owned(),
            (false, factor) => format!(r"{power}\,{}", factor.latex()),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = match (self.power, self.factor) {
            (0, Factor::One) => "1".to_owned(),
            (0, _) => String::new(),
            (1, _) => "Phi".to_owned(),
            (power, _) => format!("Phi^{power}"),
        };
        let space = if power.is_empty() || self.factor == Factor::One { "" } else { " " };
        write!(f, "{power}{space}{}", self.factor.name())
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Term {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes; `u` is taken for `Phi`, and spaces do not matter.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain =
            |text: &str| -> String { text.chars().filter(|c| *c != ' ' && *c != '*').collect() };
        let spelled = |text: &str| {
            let text = plain(text);
            if text.contains("Phi") { text } else { text.replace('u', "Phi") }
        };
        let wanted = spelled(text);
        let mut all =
            (0..=MOST_POWER).flat_map(|power| Factor::ALL.map(|factor| Self::new(power, factor)));
        all.find(|term| plain(&term.to_string()) == wanted).ok_or_else(|| {
            format!(
                "there is no term {text:?}; terms are a power of Phi up to Phi^{MOST_POWER} times nothing, \
                 Phi_x, Phi_y, Phi_xx, Phi_xy, Phi_yy, Phi_x^2, Phi_y^2, |grad Phi| or kappa |grad Phi|, \
                 for example Phi^2 Phi_x"
            )
        })
    }
}

/// The terms that are tried by default: powers of `Phi` from 0 to 3 times derivatives of order 0
/// to 2, squares of first derivatives, and `|grad Phi|`. Without `rows` those by x alone.
pub fn library(rows: bool, square_pixels: bool) -> Vec<Term> {
    let powers = |factor: Factor| (0..=3).map(move |power| Term::new(power, factor));
    let derivatives = [Factor::One, Factor::X, Factor::Y, Factor::XX, Factor::XY, Factor::YY];
    let products = derivatives.into_iter().flat_map(powers);
    let others = [Factor::SquareX, Factor::SquareY, Factor::Slope].map(|f| Term::new(0, f));
    products
        .chain(others)
        .filter(|term| {
            (rows || !term.needs_rows()) && (square_pixels || !term.needs_square_pixels())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_is_read_as_it_is_written() {
        for power in 0..=MOST_POWER {
            for factor in Factor::ALL {
                let term = Term::new(power, factor);
                assert_eq!(term.to_string().parse(), Ok(term), "{term}");
            }
        }
        assert_eq!("u^2 u_x".parse(), Ok(Term::new(2, Factor::X)));
        assert_eq!("1".parse(), Ok(Term::new(0, Factor::One)));
        let error = "Phi_z".parse::<Term>().unwrap_err();
        assert!(error.contains("there is no term \"Phi_z\""), "{error}");
    }

    #[test]
    fn the_library_has_all_products() {
        assert_eq!(library(true, true).len(), 27);
        assert_eq!(library(false, true).len(), 14);
        assert_eq!(library(true, false).len(), 26);
    }

    #[test]
    fn curvature_of_a_cone_is_one_over_its_radius() {
        // Phi = -r at (3, 4): gradient of length 1, levels are circles of radius 5.
        let (x, y, r) = (3.0, 4.0, 5.0_f64);
        let second = |a: f64, b: f64, same: f64| -(same / r - a * b / (r * r * r));
        let jet = Jet {
            value: -r,
            x: -x / r,
            y: -y / r,
            xx: second(x, x, 1.0),
            xy: second(x, y, 0.0),
            yy: second(y, y, 1.0),
        };
        let got = Term::new(0, Factor::Curvature).at(&jet);
        assert!((got + 1.0 / r).abs() < 1e-14, "{got}");
    }
}
