//! Text that comes from elsewhere, shown so that it cannot pretend to be something else.
//!
//! A file's name or its metadata may hold escape sequences that rewrite a terminal, line
//! breaks that look like a message of their own, and marks that turn the direction of what
//! follows (<https://trojansource.codes>). They are shown as what they are.

use std::borrow::Cow;
use std::path::Path;

/// `text` with every character that moves, colours, hides or turns text spelled out, as in
/// `\n` and `\u{202e}`; everything else as it is.
///
/// ```
/// assert_eq!(stemseg_report::visible::visible("a\u{1b}[31mb\u{202e}c"), r"a\u{1b}[31mb\u{202e}c");
/// assert_eq!(stemseg_report::visible::visible("grün 晶.tif"), "grün 晶.tif");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_hostile(character) {
            // As Rust writes it: short for line breaks and tabs, else the number.
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// A path as it may be shown; U+FFFD stands for what is no Unicode in it.
pub fn path(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

/// Whether a character changes how others are shown instead of being shown itself: control
/// characters (C0, DEL, C1), line and paragraph separators, and those of the bidirectional
/// algorithm (Unicode Standard Annex 9).
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{2028}' | '\u{2029}' // separators
            | '\u{061c}' | '\u{200e}' | '\u{200f}' // marks
            | '\u{202a}'..='\u{202e}' // embeddings and overrides
            | '\u{2066}'..='\u{2069}') // isolates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_rewrites_what_is_shown_is_spelled_out() {
        let hostile = (0..=0x10_ffff).filter_map(char::from_u32).filter(|&c| is_hostile(c));
        // C0 and DEL, C1, separators, marks, embeddings and overrides, isolates.
        assert_eq!(hostile.clone().count(), 33 + 32 + 2 + 3 + 5 + 4);
        for character in hostile {
            let shown = visible(&format!("a{character}b")).into_owned();
            assert!(shown.starts_with("a\\") && shown.ends_with('b'), "{shown}");
            assert!(!shown.contains(is_hostile), "{character:?}");
        }
        assert_eq!(visible("a\n\tb\u{7f}\u{9b}"), r"a\n\tb\u{7f}\u{9b}");
    }

    #[test]
    fn words_of_any_script_stay() {
        for text in ["C:\\data\\a b.tif", "Grünes Gitter µm²", "שלום", "晶体", "👩‍🔬"]
        {
            assert_eq!(visible(text), text);
        }
        assert_eq!(path(Path::new("a\r.tif")), r"a\r.tif");
    }
}
