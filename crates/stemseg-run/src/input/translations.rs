//! Lists of translations in files.

use std::path::Path;

use stemseg::{Error, Result};

use super::read::single_image;
use crate::length::Length;

/// Translations from a file: a numpy array `[n, 2]` in px, or text with a row and a
/// column shift on each line, px or lengths with a unit (separated by a comma or
/// spaces; # begins a comment).
///
/// # Errors
/// [`Error::Unreadable`] naming the line.
pub fn translations(path: &Path) -> Result<Vec<[Length; 2]>> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::unreadable(path, "there is no such file; check the name and the folder")
        }
        _ => Error::io(path)(error),
    })?;
    if !metadata.is_file() {
        return Err(Error::unreadable(path, "is not a regular file; give a list of translations"));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.contains('\0') => from_text(path, text),
        _ => from_array(path),
    }
}

fn from_text(path: &Path, text: &str) -> Result<Vec<[Length; 2]>> {
    let mut list = Vec::new();
    // Windows editors begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let fields: Vec<&str> =
            line.split(|c: char| c == ',' || c.is_whitespace()).filter(|f| !f.is_empty()).collect();
        let shifts: Option<Vec<Length>> = fields.iter().map(|field| shift(field)).collect();
        match shifts.as_deref() {
            Some([]) => {}
            Some(&[rows, cols]) => list.push([rows, cols]),
            _ => {
                return Err(Error::unreadable(
                    path,
                    format!(
                        "line {}: '{}' is not a row and a column shift in whole px, or with units",
                        number + 1,
                        line.trim()
                    ),
                ));
            }
        }
    }
    Ok(list)
}

/// A length with a unit, or whole px.
fn shift(field: &str) -> Option<Length> {
    Length::parse(field).ok().filter(|length| match length {
        Length::Pixels(shift) => is_whole(shift),
        Length::Nanometres(_) => true,
    })
}

fn is_whole(shift: &f64) -> bool {
    shift.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(shift)
}

fn from_array(path: &Path) -> Result<Vec<[Length; 2]>> {
    let values = single_image(path)?.to_f64();
    if values.ncols() != 2 || !values.iter().all(is_whole) {
        return Err(Error::unreadable(
            path,
            "it must be an array [n, 2] of row and column shifts in whole px",
        ));
    }
    let one = |row: ndarray::ArrayView1<'_, f64>| [row[0], row[1]].map(Length::Pixels);
    Ok(values.rows().into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations_in_text() {
        let path = Path::new("list.txt");
        let list = from_text(path, "# shifts\n0 6\n-3, 0.2nm\n\n").unwrap();
        let (px, nm) = (Length::Pixels, Length::Nanometres);
        assert_eq!(list, [[px(0.0), px(6.0)], [px(-3.0), nm(0.2)]]);
        assert!(from_text(path, "1 2.5\n").is_err(), "not whole");
        let error = from_text(path, "1 2\n3\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
