//! A build without Parquet.

use std::fs::File;
use std::io;
use std::path::Path;

use stemseg::{Error, Result};

use super::{Row, Type};

/// Refuses a table in Parquet.
pub(super) fn check(path: &Path) -> Result<()> {
    let reason = "this stemseg was built without the feature parquet, which writes Parquet; give a `table` \
                  file that ends in .csv";
    Err(Error::parameter("table", path.display(), reason))
}

pub(super) fn is_table(_path: &Path) -> bool {
    false
}

pub(super) fn read(_path: &Path) -> Vec<Row> {
    Vec::new()
}

pub(super) fn write(_to: &mut File, _columns: &[(String, Type)], _rows: &[Row]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
