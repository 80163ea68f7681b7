//! [`Remarks`]: what a reader of a result has to know.
//!
//! A note says what was done; a warning says why the result may be wrong. Programs read
//! [`Code`], people read the text, and both the numbers that it rests on.

pub mod warnings;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::wording::Text;

/// What is to be said of a run, in the order in which it came up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remarks {
    /// What was done or decided, a sentence each.
    pub notes: Vec<Text>,
    /// Why the result may be wrong.
    pub warnings: Vec<Warning>,
}

impl Remarks {
    /// Adds a note.
    pub fn note(&mut self, note: impl Into<Text>) {
        self.notes.push(note.into());
    }

    /// Adds a warning.
    pub fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// Adds what `others` hold.
    pub fn extend(&mut self, others: Self) {
        self.notes.extend(others.notes);
        self.warnings.extend(others.warnings);
    }
}

/// Why a result may be wrong, or mean something else than it seems to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// What kind of warning it is; stable from version to version.
    pub code: Code,
    /// One sentence for people: what was found, and what to do about it.
    pub text: Text,
    /// The numbers behind it, by name; the unit is part of the name (`period_px`).
    pub numbers: BTreeMap<&'static str, f64>,
}

/// The kinds of warnings. In `summary.json` they are spelled `like-this`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// No crystal lattice was found in the image, or in most of it.
    NoLattice,
    /// The pixel size is none that an image of atomic resolution can have.
    PixelSize,
    /// The period is none that atomic columns can have, given the pixel size.
    Period,
    /// A setting is far from what the lattices in the image ask for.
    Settings,
    /// A pattern has hardly any of the image.
    SmallPattern,
    /// A pattern lies in strips that are narrower than sites can tell.
    Slivers,
    /// Patterns pass into one another without a gap.
    NoGap,
    /// Labels follow the rows of the scan, or the side where it starts.
    ScanRows,
    /// The scan stretches or shears the image.
    ScanDistortion,
    /// A good part of the image holds no data.
    NoData,
    /// The device failed on the way, and another one went on.
    DeviceFailed,
}

impl Code {
    /// The code as `summary.json` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLattice => "no-lattice",
            Self::PixelSize => "pixel-size",
            Self::Period => "period",
            Self::Settings => "settings",
            Self::SmallPattern => "small-pattern",
            Self::Slivers => "slivers",
            Self::NoGap => "no-gap",
            Self::ScanRows => "scan-rows",
            Self::ScanDistortion => "scan-distortion",
            Self::NoData => "no-data",
            Self::DeviceFailed => "device-failed",
        }
    }
}

impl Warning {
    /// A warning without numbers.
    pub fn new(code: Code, text: impl Into<Text>) -> Self {
        Self { code, text: text.into(), numbers: BTreeMap::new() }
    }

    /// The same about one of several things, which the text names first.
    #[must_use]
    pub fn of(self, what: &str) -> Self {
        Self { text: Text::literal(what).and(": ").and(self.text), ..self }
    }

    /// The same with one number more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.numbers.insert(name, value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_find_code_text_and_numbers() {
        let warning = Warning::new(Code::NoLattice, "nothing repeats").with("share", 0.25);
        let expected = serde_json::json!({
            "code": "no-lattice", "text": "nothing repeats", "numbers": { "share": 0.25 }
        });
        assert_eq!(serde_json::json!(warning), expected);
        use Code::*;
        for code in [
            NoLattice,
            PixelSize,
            Period,
            Settings,
            SmallPattern,
            Slivers,
            NoGap,
            ScanRows,
            ScanDistortion,
            NoData,
            DeviceFailed,
        ] {
            assert_eq!(serde_json::json!(code), code.name());
        }
    }
}
