//! A part of an image, as two Python slices.

use std::ops::Range;

use stemseg::{Error, Result};

/// Slices of rows and columns.
pub type Region = [Slice; 2];

/// One axis of a region: `start:end` as in Python, either may be left out or
/// count from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    start: Option<i64>,
    end: Option<i64>,
}

impl From<Range<usize>> for Slice {
    fn from(range: Range<usize>) -> Self {
        let bound = |index: usize| i64::try_from(index).ok();
        Self { start: bound(range.start), end: bound(range.end) }
    }
}

/// `ROWS,COLS`, each a slice (`100:600,:-20`).
///
/// # Errors
/// In words, for what is not that.
pub fn region(text: &str) -> Result<[Slice; 2], String> {
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
    pub fn of(self, axis: &str, length: usize) -> Result<Range<usize>> {
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
}
