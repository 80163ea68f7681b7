//! `summary.csv`: a line for each image and number of clusters.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use stemseg::{Error, Result};

use super::inputs::Image;

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Segmented in this run.
    Done,
    /// Its earlier result is what this run would have made.
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
    columns: [String; 8],
    /// Shares of labels 1, 2 and on, percent.
    areas: Vec<f64>,
}

/// The columns before those of the labels.
const COLUMNS: [&str; 12] = [
    "file",
    "result",
    "status",
    "message",
    "k",
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
        let path = std::path::absolute(&path).map_err(Error::io(&path))?;
        if path.exists() && !is_table(&path) {
            let reason = "there is something that is no table of stemseg; give another --table";
            return Err(Error::parameter("table", path.display(), reason));
        }
        let there = path.ancestors().skip(1).find(|folder| folder.exists());
        let folder = there.unwrap_or(Path::new("/"));
        tempfile::tempfile_in(folder).map_err(|e| Error::io(folder)(e.kind().into()))?;
        Ok(Self { path })
    }

    /// Writes the lines of all images, in their order; gives the place.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; an earlier table is then as it was.
    pub(super) fn write(&self, lines: &[(&Image, &Record)]) -> Result<&Path> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let failed = |error: io::Error| Error::io(&self.path)(error);
        fs::create_dir_all(folder).map_err(failed)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".summary.csv.");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // tempfile's own 0600 would hide the table from the user's group.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder).map_err(|e| failed(e.kind().into()))?;
        write(&file, lines).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => failed(error),
            other => failed(io::Error::other(format!("{other:?}"))),
        })?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.path).map_err(|e| failed(e.error))?;
        Ok(&self.path)
    }
}

fn write(to: impl Write, lines: &[(&Image, &Record)]) -> Result<(), csv::Error> {
    let facts = || lines.iter().flat_map(|(_, record)| &record.facts);
    let labels = facts().map(|facts| facts.areas.len()).max().unwrap_or(0);
    let mut table = csv::Writer::from_writer(io::BufWriter::new(to));
    let areas = (1..=labels).map(|label| format!("area_{label}_percent"));
    let header = COLUMNS.into_iter().map(str::to_owned);
    table.write_record(header.chain(["unlabelled_percent".to_owned()]).chain(areas))?;
    let none = [Facts::default()];
    for (image, record) in lines {
        let has_result = matches!(record.status, Status::Done | Status::Kept);
        let facts = if record.facts.is_empty() { &none[..] } else { &record.facts };
        for facts in facts {
            let result = has_result.then(|| image.target.display().to_string());
            let percent = |value: f64| format!("{value:.4}");
            let unlabelled = has_result.then(|| percent(facts.unlabelled()));
            let mut line = vec![
                image.file.display().to_string(),
                result.unwrap_or_default(),
                record.status.word().to_owned(),
                record.message.clone(),
            ];
            line.extend(facts.columns.iter().cloned());
            line.push(unlabelled.unwrap_or_default());
            line.extend(facts.areas.iter().map(|&share| percent(share)));
            line.resize(COLUMNS.len() + 1 + labels, String::new());
            table.write_record(&line)?;
        }
    }
    Ok(table.flush()?)
}

/// Whether a file begins as a table does.
fn is_table(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    let mut header = String::new();
    let read = io::BufReader::new(file).read_line(&mut header);
    read.is_ok() && header.starts_with(&COLUMNS.join(","))
}
