//! The table of all images, `summary.csv`: a line for each image and number of clusters. Or Parquet,
//! where its file ends in that.

mod csv_file;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(not(feature = "parquet"))]
#[path = "table/parquet_left_out.rs"]
mod parquet_file;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
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

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Integer,
    Number,
}

/// The columns before those of the labels.
const COLUMNS: [(&str, Type); 16] = [
    (FILE, Type::Text),
    (RESULT, Type::Text),
    ("status", Type::Text),
    ("message", Type::Text),
    ("k", Type::Integer),
    ("k_source", Type::Text),
    ("period_px", Type::Number),
    ("period_source", Type::Text),
    ("warnings", Type::Text),
    ("device", Type::Text),
    ("seconds", Type::Number),
    ("rows", Type::Integer),
    ("cols", Type::Integer),
    ("nm_per_row", Type::Number),
    ("nm_per_col", Type::Number),
    ("confidence", Type::Number),
];

/// Names of the columns that tell a table from other files, of this version or another.
fn first_columns() -> [&'static str; 4] {
    std::array::from_fn(|column| COLUMNS[column].0)
}

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
    format: Format,
}

/// How tables are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
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
        let format = Format::of(&path)?;
        format.check(&path)?;
        let there = path.ancestors().skip(1).find(|folder| folder.exists());
        let folder = there.unwrap_or(Path::new("/"));
        tempfile::tempfile_in(folder).map_err(|e| Error::io(folder)(e.kind().into()))?;
        Ok(Self { path, format })
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
            self.format.check(&self.path)?;
            let mut rows: Vec<Row> = lines
                .iter()
                .flat_map(|(image, record)| {
                    let standing = standing(image, record);
                    rows(image, standing.as_ref().unwrap_or(record))
                })
                .collect();
            let cells = |column: &str| rows.iter().map(|row| same(&row[column])).collect();
            let (files, results): (HashSet<String>, HashSet<String>) = (cells(FILE), cells(RESULT));
            let mut others = self.format.read(&self.path);
            others.retain(|row| row.get(RESULT).is_some_and(|result| !result.is_empty()));
            retain_there(&mut others);
            others.retain(|row| {
                !files.contains(&same(&row[FILE])) && !results.contains(&same(&row[RESULT]))
            });
            rows.extend(others);
            self.format.write(file, &rows).map_err(failed)
        })?;
        Ok(&self.path)
    }

    /// Its place.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All its lines as they are now, those of other runs among them.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.format.read(&self.path).into_iter().map(Line).collect()
    }
}

impl Format {
    /// The one that a file of this name has.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one that this build leaves out.
    fn of(path: &Path) -> Result<Self> {
        match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
            true => parquet_file::check(path).map(|()| Self::Parquet),
            false => Ok(Self::Csv),
        }
    }

    /// Refuses to replace what is not a table of this format.
    fn check(self, path: &Path) -> Result<()> {
        if !path.exists() || (path.is_file() && self.is_table(path)) {
            return Ok(());
        }
        let reason = "it is not a table of stemseg, and is not replaced; give another `table` file";
        Err(Error::parameter("table", path.display(), reason))
    }

    fn is_table(self, path: &Path) -> bool {
        match self {
            Self::Csv => csv_file::is_table(path),
            Self::Parquet => parquet_file::is_table(path),
        }
    }

    /// The lines of the table at `path`; none where there is none.
    fn read(self, path: &Path) -> Vec<Row> {
        match self {
            Self::Csv => csv_file::read(path),
            Self::Parquet => parquet_file::read(path),
        }
    }

    fn write(self, to: &mut fs::File, rows: &[Row]) -> io::Result<()> {
        let has = |column: &String| rows.iter().any(|row| row.contains_key(column));
        let areas = (1..).map(area_column).take_while(has).map(|name| (name, Type::Number));
        let named = COLUMNS.into_iter().chain([(UNLABELLED, Type::Number)]);
        let columns: Vec<(String, Type)> =
            named.map(|(name, kind)| (name.to_owned(), kind)).chain(areas).collect();
        match self {
            Self::Csv => csv_file::write(to, &columns, rows),
            Self::Parquet => parquet_file::write(to, &columns, rows),
        }
    }
}

/// The cells of a line by their column, as text, whatever they are stored as.
type Row = BTreeMap<String, String>;

/// What a line of the table says.
pub(super) struct Line(Row);

impl Line {
    /// The text in `column`; empty for none.
    pub(super) fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
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
        let named = COLUMNS.into_iter().map(|(name, _)| name.to_owned()).zip(cells);
        let rest = has_result.then(|| (UNLABELLED.to_owned(), percent(facts.unlabelled())));
        let areas = (1..).map(area_column).zip(facts.areas.iter().map(|&share| percent(share)));
        named.chain(rest).chain(areas).collect()
    };
    facts.iter().map(row).collect()
}

/// A path as two lines that may say it differently are compared: what a CSV file says of a name that
/// begins with an apostrophe is not certain.
fn same(path: &str) -> String {
    csv_file::harmless(path).into_owned()
}

/// Keeps lines whose results are there.
fn retain_there(rows: &mut Vec<Row>) {
    // Paths are as they were given: from another folder they lead nowhere, and say nothing.
    let there = |row: &Row| {
        let cell = &row[RESULT];
        Path::new(cell).exists() || Path::new(&same(cell)).exists()
    };
    let from_here = rows.iter().any(there);
    rows.retain(|row| there(row) || !(from_here || Path::new(&row[RESULT]).is_absolute()));
}

fn area_column(label: usize) -> String {
    format!("area_{label}_percent")
}

#[cfg(test)]
#[path = "table/tests.rs"]
mod tests;
