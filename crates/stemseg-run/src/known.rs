//! Known lattices as they are given.

use stemseg_crystals::KnownLattice;

use crate::length::Length;

/// One or two lengths with a unit, then `square`, `rectangular` or `hexagonal`, or the angle between
/// the two in degrees: `0.316nm,hexagonal`, `0.41nm,0.56nm,rectangular`, `0.5nm,0.6nm,97.5`.
///
/// # Errors
/// In words, for what is none.
pub fn known_lattice(text: &str) -> Result<KnownLattice, String> {
    const EXAMPLES: &str = "give 0.316nm,hexagonal, 0.39nm,square, 0.41nm,0.56nm,rectangular or \
                            0.5nm,0.6nm,97.5 (degrees), for example";
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let Some((kind, lengths)) = parts.split_last().filter(|(_, lengths)| !lengths.is_empty())
    else {
        return Err(format!("'{text}' is not a lattice; {EXAMPLES}"));
    };
    let in_nm = |text: &&str| match Length::parse(text)? {
        Length::Nanometres(nm) if nm > 0.0 => Ok(nm),
        Length::Nanometres(_) => Err(format!("{text} is not above 0")),
        Length::Pixels(_) => Err(format!("'{text}' has no unit of length; {EXAMPLES}")),
    };
    let lengths = lengths.iter().map(in_nm).collect::<Result<Vec<f64>, String>>()?;
    let (gamma_deg, equal) = match *kind {
        "square" => (90.0, true),
        "hexagonal" => (120.0, true),
        "rectangular" => (90.0, false),
        angle => match angle.trim_end_matches("deg").trim().parse::<f64>() {
            Ok(angle) if angle > 0.0 && angle < 180.0 => (angle, false),
            _ => {
                return Err(format!(
                    "'{angle}' is neither a kind of lattice nor an angle; {EXAMPLES}"
                ));
            }
        },
    };
    match (&lengths[..], equal) {
        (&[a_nm], true) => Ok(KnownLattice { a_nm, b_nm: a_nm, gamma_deg }),
        (&[a_nm, b_nm], false) => Ok(KnownLattice { a_nm, b_nm, gamma_deg }),
        (_, true) => Err(format!("a {kind} lattice has one length; {EXAMPLES}")),
        (_, false) => Err(format!("'{text}' needs two lengths; {EXAMPLES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lattices_have_lengths_and_a_kind_or_an_angle() {
        let lattice = |a_nm, b_nm, gamma_deg| Ok(KnownLattice { a_nm, b_nm, gamma_deg });
        assert_eq!(known_lattice("0.316nm,hexagonal"), lattice(0.316, 0.316, 120.0));
        assert_eq!(known_lattice("500 pm, square"), lattice(0.5, 0.5, 90.0));
        assert_eq!(known_lattice("4A,0.5nm,rectangular"), lattice(0.4, 0.5, 90.0));
        assert_eq!(known_lattice("0.5nm,0.6nm,97.5"), lattice(0.5, 0.6, 97.5));
        for (wrong, words) in [
            ("", "is not a lattice"),
            ("hexagonal", "is not a lattice"),
            ("3.1,hexagonal", "no unit"),
            ("0nm,square", "not above 0"),
            ("0.3nm,0.4nm,square", "one length"),
            ("0.3nm,rectangular", "two lengths"),
            ("0.3nm,0.4nm,cubic", "neither a kind"),
            ("0.3nm,0.4nm,180", "neither a kind"),
        ] {
            let said = known_lattice(wrong).unwrap_err();
            assert!(said.contains(words), "{wrong}: {said}");
        }
    }
}
