//! The committed table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::compiler::Statistics;

/// Numbers of each kernel, and the driver they are of.
pub(crate) struct Table {
    driver: String,
    rows: Vec<String>,
    of: BTreeMap<String, Statistics>,
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/compiled.csv"))
}

impl Table {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        let mut lines = text.lines();
        let driver = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        let row = |line: &str| {
            let (name, numbers) = line.split_once(',').unwrap();
            let numbers: Vec<u64> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
            (name.to_owned(), Statistics::of(numbers.try_into().unwrap()))
        };
        let rows: Vec<_> = lines.skip(1).map(row).collect();
        Self {
            driver: driver.to_owned(),
            rows: rows.iter().map(|(name, _)| name.clone()).collect(),
            of: rows.into_iter().collect(),
        }
    }

    pub(crate) fn write(driver: &str, found: &[(String, Statistics)]) {
        let row = |(name, statistics): &(String, Statistics)| {
            let numbers = statistics.numbers().map(|number| number.to_string());
            format!("{name},{}\n", numbers.join(","))
        };
        let rows: String = found.iter().map(row).collect();
        let head = Statistics::NAMES.join(",");
        std::fs::write(path(), format!("# {driver}\nkernel,{head}\n{rows}")).unwrap();
    }

    /// The hardware and the driver.
    pub(crate) fn driver(&self) -> &str {
        &self.driver
    }

    /// The kernels in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.rows.clone()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Statistics> {
        self.of.get(name)
    }
}
