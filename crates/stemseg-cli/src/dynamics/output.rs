//! What `stemseg dynamics` writes and says.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use stemseg::{Error, Result};
use stemseg_dynamics::{Answer, Film, Found};
use stemseg_files::write::{ResultFolder, write_npy};
use stemseg_report::html::{DynamicsContent, dynamics_page};
use stemseg_report::visible;

use super::Args;

const SIMULATED: &str = "simulated.npy";

/// Names of what a result may hold.
pub(super) fn planned() -> Vec<String> {
    let all =
        ["equation.json", "equation.txt", "equation.tex", "report.html", SIMULATED, "summary.json"];
    all.map(str::to_owned).into()
}

/// Writes all files into `folder` but its summary.json; gives what goes into that.
pub(super) fn write(
    folder: &ResultFolder,
    args: &Args,
    film: &Film,
    found: &Found,
) -> Result<Map<String, Value>> {
    let answer = &found.answer;
    let text = |name: &str, words: String| {
        let path = folder.path(name);
        fs::write(&path, words).map_err(Error::io(path))
    };
    let failed = |e: serde_json::Error| Error::io("equation.json")(std::io::Error::other(e));
    let value = serde_json::to_value(answer).map_err(failed)?;
    text("equation.json", format!("{value:#}\n"))?;
    text("equation.txt", answer.text() + "\n")?;
    text("equation.tex", tex(answer))?;
    let name = args.file.file_name().unwrap_or(args.file.as_os_str());
    let name = visible::path(Path::new(name));
    text("report.html", dynamics_page(DynamicsContent { name: &name, film, found }))?;
    if let Some(simulated) = &found.simulated {
        let path = folder.path(SIMULATED);
        match film.is_line() {
            true => write_npy(&path, simulated.index_axis(ndarray::Axis(1), 0))?,
            false => write_npy(&path, simulated.view())?,
        }
    }
    let [frames, rows, cols] = film.dim();
    let summary = json!({
        "stemseg_version": env!("CARGO_PKG_VERSION"),
        "input": { "path": args.file, "frames": frames, "rows": rows, "cols": cols, "line": film.is_line() },
        "dynamics": value,
    });
    match summary {
        Value::Object(summary) => Ok(summary),
        _ => Ok(Map::new()),
    }
}

/// The equation for a document in LaTeX, in all its units.
fn tex(answer: &Answer) -> String {
    let all = std::iter::once(&answer.written).chain(&answer.other_units);
    all.map(|written| format!("% {}\n\\[ {} \\]\n", written.units, written.latex)).collect()
}

/// The answer in a few lines, for people; notes have been said before.
pub(super) fn words(answer: &Answer, place: &Path) -> String {
    let mut said = answer.clone();
    said.notes.clear();
    format!("{}\n{}", said.text(), visible::path(place))
}
