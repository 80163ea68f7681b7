//! Values of arguments.

use std::ops::Range;
use std::path::Path;

use stemseg::{Error, Result};
use stemseg_files::read::Frame;

use super::length::Length;

/// A whole number; what must be at least 1 is checked where the limit is known.
pub(super) fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is not a whole number of 0 or more"))
}

/// A frame of a stack, or the mean over all.
pub(super) fn frame(text: &str) -> Result<Frame, String> {
    match text.trim() {
        "mean" => Ok(Frame::Mean),
        text => text
            .parse()
            .map(Frame::Number)
            .map_err(|_| format!("'{text}' is neither a number of 0 or more nor 'mean'")),
    }
}

/// A number of jobs, 1 at least.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    match whole(text)? {
        0 => Err("give 1 at least".into()),
        jobs => Ok(jobs),
    }
}

/// A finite number; its limits are checked where they are known.
pub(super) fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("'{text}' is not a number")),
    }
}

/// An amount of memory, bytes.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let size: Result<bytesize::ByteSize, _> = text.parse();
    size.map(|size| size.as_u64())
        .map_err(|_| format!("'{text}' is no amount of memory; give for example 512MiB or 2GB"))
}

/// A share of the variance: above 0, at most 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("give a share above 0 and up to 1, for example 0.9".into()),
    }
}

/// A share of 0 to 1.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a share of 0 to 1, for example 0.9".into()),
    }
}

/// One axis of a region: `start:end` as in Python, either may be left out or
/// count from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    start: Option<i64>,
    end: Option<i64>,
}

/// `ROWS,COLS`, each a slice.
pub(super) fn region(text: &str) -> Result<[Slice; 2], String> {
    let slice = |part: &str| {
        let bound = |b: &str| match b.trim() {
            "" => Ok(None),
            b => b.parse::<i64>().map(Some).map_err(|_| format!("'{b}' is not a whole number")),
        };
        let (start, end) =
            part.split_once(':').ok_or("each slice needs a colon, for example 100:600,0:512")?;
        Ok::<_, String>(Slice { start: bound(start)?, end: bound(end)? })
    };
    let (rows, cols) =
        text.split_once(',').ok_or("give rows and columns, for example 100:600,0:512")?;
    Ok([slice(rows)?, slice(cols)?])
}

impl Slice {
    /// The indices it selects of `length`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if it reaches beyond the image or selects nothing.
    pub(super) fn of(self, axis: &str, length: usize) -> Result<Range<usize>> {
        let index = |i: i64| if i < 0 { i + length as i64 } else { i };
        let (start, end) = (self.start.map_or(0, index), self.end.map_or(length as i64, index));
        if start < 0 || start >= end || end > length as i64 {
            return Err(Error::parameter(
                "roi",
                format!("{axis} {}:{}", show(self.start), show(self.end)),
                format!(
                    "the image has {length} {axis}; the slice must select some and not go beyond them"
                ),
            ));
        }
        Ok(start as usize..end as usize)
    }
}

fn show(bound: Option<i64>) -> String {
    bound.map_or(String::new(), |b| b.to_string())
}

/// Translations from a file: a numpy array `[n, 2]` in px, or text with a row and a
/// column shift on each line, px or lengths with a unit (separated by a comma or
/// spaces; # begins a comment).
///
/// # Errors
/// [`Error::Unreadable`] naming the line.
pub(super) fn translations(path: &Path) -> Result<Vec<[Length; 2]>> {
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
    let values = super::input::single(path)?.to_f64();
    if values.ncols() != 2 || !values.iter().all(is_whole) {
        return Err(Error::unreadable(
            path,
            "it must be an array [n, 2] of row and column shifts in whole px",
        ));
    }
    let one = |row: ndarray::ArrayView1<'_, f64>| [row[0], row[1]].map(Length::Pixels);
    Ok(values.rows().into_iter().map(one).collect())
}

/// A number of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clusters {
    /// What the image shows.
    Auto,
    Number(usize),
}

/// A number of patterns, or `auto`.
pub(super) fn clusters(text: &str) -> Result<Clusters, String> {
    match text.trim() {
        "auto" => Ok(Clusters::Auto),
        number => whole(number).map(Clusters::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_count_like_python() {
        let [rows, cols] = region("10:-10,:50").unwrap();
        assert_eq!(rows.of("rows", 100).unwrap(), 10..90);
        assert_eq!(cols.of("columns", 60).unwrap(), 0..50);
        assert!(cols.of("columns", 40).is_err(), "beyond the image");
        assert!(region("5:5,:").unwrap()[0].of("rows", 10).is_err(), "empty");
        assert!(region("5,6").is_err());
    }

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
