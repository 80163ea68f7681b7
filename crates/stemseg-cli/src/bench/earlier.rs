//! The report of an earlier run, to compare with.

use std::path::Path;

use serde_json::Value;
use stemseg::{Error, Result};
use stemseg_bench::timing::Row;

/// What `--json` printed then.
pub(super) struct Earlier(Value);

impl Earlier {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Unreadable`] for what no `stemseg bench` wrote.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::unreadable(path, "there is no such file; check the name and the folder")
            }
            _ => Error::io(path)(error),
        })?;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(report) if report["rows"].is_array() => Ok(Self(report)),
            _ => Err(Error::unreadable(
                path,
                "it is not what 'stemseg bench --json' prints; make it again",
            )),
        }
    }

    /// A word of warning where it was measured with other parameters.
    pub(super) fn warning(&self, parameters: &impl serde::Serialize) -> Option<&'static str> {
        let same = serde_json::json!(parameters) == self.0["parameters"];
        (!same).then_some("the earlier run had other parameters, so its times cannot be compared")
    }

    /// How many times faster than then the stage of `row` is now.
    pub(super) fn ratio(&self, row: &Row) -> Option<f64> {
        let now = serde_json::json!(row);
        let same = |then: &&Value| {
            ["stage", "size", "sites", "channels"].iter().all(|key| then[key] == now[key])
                && ["kind", "name"].iter().all(|key| then["device"][key] == now["device"][key])
        };
        let then = self.0["rows"].as_array()?.iter().find(same)?;
        Some(then["median_ms"].as_f64()? / row.median_ms)
    }
}
