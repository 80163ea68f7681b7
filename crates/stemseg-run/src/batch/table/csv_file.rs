//! The table as CSV, whose cells spreadsheets show as they are.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read};
use std::path::Path;

use super::{Row, Type, first_columns};

/// Whether a file begins as a table does, of this version or another.
pub(super) fn is_table(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut header = String::new();
    let read = BufReader::new(file.take(1 << 20)).read_line(&mut header);
    read.is_ok() && header.starts_with(&first_columns().join(","))
}

/// The lines of the table at `path`; none where there is no table.
pub(super) fn read(path: &Path) -> Vec<Row> {
    let Ok(mut table) = csv::ReaderBuilder::new().flexible(true).from_path(path) else {
        return Vec::new();
    };
    let header: Vec<String> =
        table.headers().map_or(Vec::new(), |names| names.iter().map(str::to_owned).collect());
    let cells = |record: csv::StringRecord| -> Row {
        let cells = record.iter().map(|cell| as_it_was(cell).to_owned());
        header.iter().cloned().zip(cells).collect()
    };
    table.records().filter_map(Result::ok).map(cells).collect()
}

/// Writes a line for each of `rows`, below the names of `columns`.
pub(super) fn write(to: &mut File, columns: &[(String, Type)], rows: &[Row]) -> io::Result<()> {
    let said = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    };
    let mut table = csv::Writer::from_writer(BufWriter::new(to));
    table.write_record(columns.iter().map(|(name, _)| name)).map_err(said)?;
    for row in rows {
        let cell = |name: &String| row.get(name).map_or(Cow::Borrowed(""), |text| harmless(text));
        let cells: Vec<Cow<'_, str>> = columns.iter().map(|(name, _)| cell(name)).collect();
        table.write_record(cells.iter().map(|cell| cell.as_bytes())).map_err(said)?;
    }
    table.flush()
}

/// A cell that spreadsheets show as it is: texts that they would take for formulas get an
/// apostrophe before them, numbers stay numbers.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    // The wide ones are what some spreadsheets make plain ones of.
    const FORMULAS: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let is_number = || {
        let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        text.chars().all(plain) && text.parse::<f64>().is_ok()
    };
    match text.starts_with(FORMULAS) && !is_number() {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// What [`harmless`] made a cell of.
fn as_it_was(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| harmless(text) == cell).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_spreadsheet_would_compute_gets_an_apostrophe() {
        let rows = [
            ("=1+1.tif", "'=1+1.tif"),
            ("+a", "'+a"),
            ("-a", "'-a"),
            ("@sum(1)", "'@sum(1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\u{ff1d}1+1", "'\u{ff1d}1+1"),
            ("-1+cmd|'/c calc'!A1", "'-1+cmd|'/c calc'!A1"),
            ("-inf", "'-inf"),
            ("-1.5e-3", "-1.5e-3"),
            ("-4", "-4"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
            ("", ""),
        ];
        for (text, cell) in rows {
            assert_eq!(harmless(text), cell);
            assert_eq!(harmless(cell), cell, "once is enough");
            assert_eq!(as_it_was(cell), text.trim_start_matches('\''));
        }
    }
}
