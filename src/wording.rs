//! [`Text`]: sentences that name settings, which each front end spells in its own way.
//!
//! A library speaks of the setting `stride`, a command line of the option `--stride`, Python of
//! a keyword. So messages mark the settings that they name, by backticks: "give a smaller
//! `` `stride` ``, or `` `device = cpu` ``". Shown plainly the marks are gone ("give a smaller
//! stride, or device = cpu"), and a front end [spells](Text::spelled) each setting as its users
//! write it.

use std::fmt;

use serde::{Serialize, Serializer};

/// The settings that messages may name. Other words between backticks are left as they are.
pub const SETTINGS: [&str; 72] = [
    "angles",
    "axes",
    "border",
    "boundary-phases",
    "check",
    "clusters",
    "compare",
    "components",
    "descriptor",
    "device",
    "fit",
    "folds",
    "force",
    "format",
    "frame",
    "glide-period",
    "grains",
    "image",
    "inner-stride",
    "interval",
    "jobs",
    "known-lattice",
    "labels",
    "lattice",
    "mark",
    "mask",
    "mask-invert",
    "max-points",
    "memory",
    "merge",
    "min-confidence",
    "nan",
    "no-lattices",
    "numbers",
    "order",
    "orders",
    "out",
    "outliers",
    "overlay",
    "overlay-alpha",
    "pair-spacing",
    "pair-width",
    "patch",
    "period",
    "pixel-size",
    "pool",
    "pool-top",
    "pool-width",
    "preset",
    "radius",
    "recursive",
    "reduce",
    "register",
    "restarts",
    "resume",
    "rings",
    "roi",
    "save",
    "scale",
    "seed",
    "size",
    "smooth",
    "smooth-time",
    "spectrum",
    "spectrum-scale",
    "strain-reference",
    "stride",
    "table",
    "terms",
    "translations",
    "variance",
    "window",
];

/// A setting that a message names, with a value where it suggests one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// One of [`SETTINGS`].
    pub name: &'static str,
    /// The value, as on a command line.
    pub value: Option<String>,
}

/// Plainly: the name, `name = value`.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => f.write_str(self.name),
            Some(value) => write!(f, "{} = {value}", self.name),
        }
    }
}

/// Words that may name settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    Setting(Setting),
}

impl Text {
    /// Words that name no setting, whatever they look like: names of files, what users gave.
    pub fn literal(words: impl fmt::Display) -> Self {
        Self(vec![Piece::Words(words.to_string())])
    }

    /// The same with more after it.
    #[must_use]
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    /// The words with their marks: what they can be made of again.
    pub fn marked(&self) -> String {
        self.spelled(&|setting| format!("`{setting}`"))
    }

    /// The words, each setting as `spell` writes it.
    pub fn spelled(&self, spell: &dyn Fn(&Setting) -> String) -> String {
        let words = |piece: &Piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Setting(setting) => spell(setting),
        };
        self.0.iter().map(words).collect()
    }

    /// Whether the plain words contain `part`.
    pub fn contains(&self, part: &str) -> bool {
        self.to_string().contains(part)
    }
}

/// The plain words.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Words(words) => f.write_str(words),
            Piece::Setting(setting) => setting.fmt(f),
        })
    }
}

/// What is marked by backticks, and is one of [`SETTINGS`], names a setting.
impl From<&str> for Text {
    fn from(marked: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = marked;
        let mut from = 0;
        while let Some(start) = rest[from..].find('`').map(|at| from + at) {
            let inner = &rest[start + 1..];
            match inner.find('`').and_then(|end| Some((end, setting(&inner[..end])?))) {
                Some((end, setting)) => {
                    pieces.push(Piece::Words(rest[..start].to_owned()));
                    pieces.push(Piece::Setting(setting));
                    (rest, from) = (&inner[end + 1..], 0);
                }
                None => from = start + 1,
            }
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Self(pieces)
    }
}

impl From<String> for Text {
    fn from(marked: String) -> Self {
        Self::from(&*marked)
    }
}

impl From<&String> for Text {
    fn from(marked: &String) -> Self {
        Self::from(&**marked)
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, plain: &&str) -> bool {
        let said = self.to_string();
        said == *plain
    }
}

/// As its plain words.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `name` or `name = value`.
fn setting(marked: &str) -> Option<Setting> {
    let (name, value) = match marked.split_once(" = ") {
        None => (marked, None),
        Some((name, value)) => (name, Some(value.to_owned())),
    };
    let name = SETTINGS.into_iter().find(|known| *known == name)?;
    Some(Setting { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(setting: &Setting) -> String {
        match &setting.value {
            None => format!("--{}", setting.name),
            Some(value) => format!("--{} {value}", setting.name),
        }
    }

    #[test]
    fn settings_are_spelled_as_the_front_end_likes() {
        let text = Text::from("give a smaller `stride`, or `device = cpu`");
        assert_eq!(text, "give a smaller stride, or device = cpu");
        assert_eq!(text.spelled(&option), "give a smaller --stride, or --device cpu");
        assert_eq!(Text::from(text.marked()), text);
        assert_eq!(serde_json::json!(text), "give a smaller stride, or device = cpu");
        let longer = Text::from("`mask`: ").and(text).and("; `force`");
        assert_eq!(
            longer.spelled(&option),
            "--mask: give a smaller --stride, or --device cpu; --force"
        );
    }

    #[test]
    fn only_settings_are_taken_for_settings() {
        for words in ["", "`", "a `b` c", "``stride", "`stride", "`no = 1` and `", "stride"] {
            let text = Text::from(words);
            assert_eq!((text.to_string().as_str(), &*text.spelled(&option)), (words, words));
        }
        let text = Text::from("file `a` of `stride`");
        assert_eq!(text.spelled(&option), "file `a` of --stride");
        let literal = Text::literal("`stride`.tif").and(": no `stride`");
        assert_eq!(literal.spelled(&option), "`stride`.tif: no --stride");
    }

    #[test]
    fn the_list_has_an_order() {
        assert!(SETTINGS.is_sorted());
    }
}
