//! `summary.csv`: a line for each image and number of clusters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use stemseg::{Error, Result};
use stemseg_files::write::replace_file;

use super::images::Image;
use crate::result::earlier::Earlier;

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Segmented in this run.
    Done,
    /// An earlier result is there: what this run would have made, or the message says why
    /// there is no newer one.
    Kept,
    /// Something is wrong with it.
    Failed,
    /// The run ended before.
    NotDone,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Kept => "kept",
            Self::Failed => "failed",
            Self::NotDone => "not done",
        }
    }
}

/// The lines of one image.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) status: Status,
    /// What went wrong.
    pub(super) message: String,
    /// One for each number of clusters.
    pub(super) facts: Vec<Facts>,
}

impl Record {
    /// Of an image that has no result.
    pub(super) fn without_result(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), facts: Vec::new() }
    }

    /// Of a result with this summary.json.
    pub(super) fn of(status: Status, summary: &Value) -> Self {
        let parts = match summary.get("results").and_then(Value::as_array) {
            Some(results) => results.iter().map(Facts::of).collect(),
            None => vec![Facts::of(summary)],
        };
        Self { status, message: String::new(), facts: parts }
    }
}

/// What the table says of one label map.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// In the order of [`COLUMNS`] from `k` on.
    columns: [String; 12],
    /// Shares of labels 1, 2 and on, percent.
    areas: Vec<f64>,
}

pub(super) const FILE: &str = "file";
pub(super) const RESULT: &str = "result";
const UNLABELLED: &str = "unlabelled_percent";

/// The columns before those of the labels.
const COLUMNS: [&str; 16] = [
    FILE,
    RESULT,
    "status",
    "message",
    "k",
    "k_source",
    "period_px",
    "period_source",
    "warnings",
    "device",
    "seconds",
    "rows",
    "cols",
    "nm_per_row",
    "nm_per_col",
    "confidence",
];

impl Facts {
    fn of(summary: &Value) -> Self {
        let plain = |pointer: &str| match summary.pointer(pointer) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let number = |pointer: &str| summary.pointer(pointer).and_then(Value::as_f64);
        let rounded = |value: Option<f64>, digits: usize| {
            value.map_or(String::new(), |value| format!("{value:.digits$}"))
        };
        let columns = [
            plain("/kmeans/clusters"),
            source(summary).to_owned(),
            rounded(number("/lattice/period_px"), 2),
            plain("/lattice/period_source"),
            codes(summary),
            plain("/device/name"),
            rounded(number("/timings_ms/total").map(|ms| ms / 1000.0), 3),
            plain("/input/shape/0"),
            plain("/input/shape/1"),
            plain("/input/pixel_size_nm/rows"),
            plain("/input/pixel_size_nm/cols"),
            rounded(number("/confidence/mean"), 4),
        ];
        let labels = summary.pointer("/labels").and_then(Value::as_array);
        let share = |label: &Value| 100.0 * label["fraction"].as_f64().unwrap_or(f64::NAN);
        Self { columns, areas: labels.into_iter().flatten().map(share).collect() }
    }

    /// What no label covers, percent.
    fn unlabelled(&self) -> f64 {
        // Rounding leaves a little, of either sign.
        let rest = 100.0 - self.areas.iter().sum::<f64>();
        if rest.abs() < 1e-9 { 0.0 } else { rest }
    }
}

/// Where the number of patterns comes from.
fn source(summary: &Value) -> &'static str {
    match summary.get("choice") {
        Some(Value::Null) => "given",
        Some(_) => "chosen",
        // No summary of one result.
        None => "",
    }
}

/// The codes of all warnings, each once.
fn codes(summary: &Value) -> String {
    let warnings = summary.get("warnings").and_then(Value::as_array);
    let code = |warning: &Value| Some(warning.get("code")?.as_str()?.to_owned());
    let codes: BTreeSet<String> = warnings.into_iter().flatten().filter_map(code).collect();
    codes.into_iter().collect::<Vec<_>>().join(";")
}

/// Where the table goes.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
}

impl Table {
    /// Checks that a table can be written at `path`, as far as that shows before.
    ///
    /// # Errors
    /// [`Error::Io`] where nothing can be written, [`Error::Parameter`] for a file that is
    /// no such table.
    pub(super) fn at(path: PathBuf) -> Result<Self> {
        // Through links: it is the table that is replaced.
        let path = path.canonicalize().or_else(|_| std::path::absolute(&path));
        let path = path.map_err(Error::io("the working directory"))?;
        check(&path)?;
        let there = path.ancestors().skip(1).find(|folder| folder.exists());
        let folder = there.unwrap_or(Path::new("/"));
        tempfile::tempfile_in(folder).map_err(|e| Error::io(folder)(e.kind().into()))?;
        Ok(Self { path })
    }

    /// Writes the lines of all images, in their order, and after them those of an earlier
    /// table whose images are none of these and whose results are there; gives the place.
    ///
    /// An image that has no result of this run, but has one there, gets the line of that: the
    /// table says what there is, the message why there is nothing newer.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; an earlier table is then as it was.
    pub(super) fn write(&self, lines: &[(&Image, &Record)]) -> Result<&Path> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let failed = |error: io::Error| Error::io(&self.path)(error);
        fs::create_dir_all(folder).map_err(failed)?;
        // What is there is read while no other run can write.
        replace_file(&self.path, |file| {
            check(&self.path)?;
            let mut rows: Vec<Row> = lines
                .iter()
                .flat_map(|(image, record)| {
                    let standing = standing(image, record);
                    rows(image, standing.as_ref().unwrap_or(record))
                })
                .collect();
            let cells = |column: &str| rows.iter().map(|row| row[column].clone()).collect();
            let (files, results): (HashSet<String>, HashSet<String>) = (cells(FILE), cells(RESULT));
            let mut others = earlier(&self.path);
            others.retain(|row| !files.contains(&row[FILE]) && !results.contains(&row[RESULT]));
            rows.extend(others);
            write(file, &rows).map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(error) => failed(error),
                other => failed(io::Error::other(format!("{other:?}"))),
            })
        })?;
        Ok(&self.path)
    }

    /// Its place.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All its lines as they are now, those of other runs among them.
    pub(super) fn lines(&self) -> Vec<Line> {
        read(&self.path).into_iter().map(Line).collect()
    }
}

/// The cells of a line by their column.
type Row = BTreeMap<String, String>;

/// What a line of the table says.
pub(super) struct Line(Row);

impl Line {
    /// The text in `column`, as it was before spreadsheets were thought of; empty for none.
    pub(super) fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", |cell| as_it_was(cell))
    }

    /// The number in `column`, if there is one.
    pub(super) fn number(&self, column: &str) -> Option<f64> {
        self.text(column).parse().ok()
    }

    /// Shares of labels 1, 2 and on, percent.
    pub(super) fn areas(&self) -> Vec<f64> {
        (1..).map_while(|label| self.number(&area_column(label))).collect()
    }
}

/// The earlier result of an image that has none of this run.
fn standing(image: &Image, record: &Record) -> Option<Record> {
    let none = matches!(record.status, Status::Failed | Status::NotDone);
    let earlier = none.then(|| Earlier::load(&image.target)).flatten()?;
    let kept = Record::of(Status::Kept, earlier.summary());
    earlier.is_of(&image.file).then(|| Record { message: record.message.clone(), ..kept })
}

/// The lines of an image.
fn rows(image: &Image, record: &Record) -> Vec<Row> {
    let has_result = matches!(record.status, Status::Done | Status::Kept);
    let none = [Facts::default()];
    let facts = if record.facts.is_empty() { &none[..] } else { &record.facts };
    let row = |facts: &Facts| {
        let result = has_result.then(|| image.target.display().to_string());
        let percent = |value: f64| format!("{value:.4}");
        let about = [
            image.file.display().to_string(),
            result.unwrap_or_default(),
            record.status.word().to_owned(),
            record.message.clone(),
        ];
        let cells = about.into_iter().chain(facts.columns.iter().cloned());
        let named = COLUMNS.into_iter().map(str::to_owned).zip(cells);
        let rest = has_result.then(|| (UNLABELLED.to_owned(), percent(facts.unlabelled())));
        let areas = (1..).map(area_column).zip(facts.areas.iter().map(|&share| percent(share)));
        let all = named.chain(rest).chain(areas);
        all.map(|(column, text)| (column, harmless(&text).into_owned())).collect()
    };
    facts.iter().map(row).collect()
}

/// The lines of the table at `path`; none where there is no table.
fn read(path: &Path) -> Vec<Row> {
    let Ok(mut table) = csv::ReaderBuilder::new().flexible(true).from_path(path) else {
        return Vec::new();
    };
    let header: Vec<String> =
        table.headers().map_or(Vec::new(), |names| names.iter().map(str::to_owned).collect());
    let cells = |record: csv::StringRecord| -> Row {
        header.iter().cloned().zip(record.iter().map(str::to_owned)).collect()
    };
    table.records().filter_map(Result::ok).map(cells).collect()
}

/// The lines of the table at `path` whose results are there.
fn earlier(path: &Path) -> Vec<Row> {
    let mut rows = read(path);
    rows.retain(|row| row.get(RESULT).is_some_and(|result| !result.is_empty()));
    // Paths are as they were given: from another folder they lead nowhere, and say nothing.
    let there = |row: &Row| {
        let cell = &row[RESULT];
        Path::new(cell).exists() || Path::new(as_it_was(cell)).exists()
    };
    let from_here = rows.iter().any(there);
    rows.retain(|row| there(row) || !(from_here || Path::new(&row[RESULT]).is_absolute()));
    rows
}

fn write(to: impl Write, rows: &[Row]) -> Result<(), csv::Error> {
    let has = |column: &String| rows.iter().any(|row| row.contains_key(column));
    let areas = (1..).map(area_column).take_while(has);
    let columns = COLUMNS.into_iter().chain([UNLABELLED]).map(str::to_owned);
    let header: Vec<String> = columns.chain(areas).collect();
    let mut table = csv::Writer::from_writer(io::BufWriter::new(to));
    table.write_record(&header)?;
    for row in rows {
        let cell = |column: &String| row.get(column).map_or("", String::as_str);
        table.write_record(header.iter().map(cell))?;
    }
    Ok(table.flush()?)
}

fn area_column(label: usize) -> String {
    format!("area_{label}_percent")
}

/// A cell that spreadsheets show as it is: texts that they would take for formulas get an
/// apostrophe before them, numbers stay numbers.
fn harmless(text: &str) -> Cow<'_, str> {
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

/// Refuses to replace what is not a table.
fn check(path: &Path) -> Result<()> {
    if !path.exists() || is_table(path) {
        return Ok(());
    }
    let reason = "it is not a table of stemseg, and is not replaced; give another `table` file";
    Err(Error::parameter("table", path.display(), reason))
}

/// Whether a file begins as a table does, of this version or another.
fn is_table(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let Ok(file) = fs::File::open(path) else { return false };
    let mut header = String::new();
    let read = io::BufReader::new(file.take(1 << 20)).read_line(&mut header);
    read.is_ok() && header.starts_with(&COLUMNS[..4].join(","))
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
