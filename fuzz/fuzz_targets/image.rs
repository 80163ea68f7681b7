//! cargo-fuzz's target for images; see tests/fuzz/README.md.
#![no_main]

#[path = "../../crates/stemseg-cli/tests/fuzz/targets.rs"]
#[allow(dead_code, reason = "each target uses one")]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("input");
    std::fs::write(&path, bytes).expect("room in the temporary folder");
    targets::image(&path);
});
