//! How many crates the method needs, and that none of the program's compiles C.

use std::collections::BTreeSet;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

/// Most crates that the method may need, itself included.
const MOST: usize = 140;

/// Crates with which build scripts run a compiler of C, or assemble.
const COMPILERS: [&str; 5] = ["cc", "cmake", "bindgen", "nasm-rs", "autotools"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("crates::the_method_needs_few", few),
        Trial::test("crates::none_compiles_c", no_c),
        Trial::test("crates::a_compiler_is_noticed", noticed),
    ]
}

/// Names and versions, as `cargo tree` gives them.
fn tree(arguments: &[&str]) -> Result<BTreeSet<String>, Failed> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--no-dedupe"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// Those of `packages` that compile C.
fn compilers(packages: &BTreeSet<String>) -> Vec<&String> {
    let is_one = |package: &&String| {
        let name = package.split(' ').next().unwrap_or_default();
        COMPILERS.contains(&name)
    };
    packages.iter().filter(is_one).collect()
}

fn few() -> Result<(), Failed> {
    let packages = tree(&["--package", "stemseg", "--edges", "normal"])?;
    if !packages.iter().any(|package| package.starts_with("wgpu ")) {
        return Err(format!("no wgpu in the tree of the method: {packages:?}").into());
    }
    match packages.len() {
        count if count > MOST => {
            Err(format!("the method needs {count} crates, more than {MOST}: {packages:#?}").into())
        }
        _ => Ok(()),
    }
}

fn no_c() -> Result<(), Failed> {
    let packages = tree(&["--workspace", "--edges", "normal,build"])?;
    match compilers(&packages)[..] {
        [] => Ok(()),
        ref found => Err(format!(
            "{found:?} is in the tree; `cargo tree --workspace --edges normal,build --invert cc` \
             says what needs a compiler of C"
        )
        .into()),
    }
}

/// Criterion, which only benchmarks need, assembles a few lines.
fn noticed() -> Result<(), Failed> {
    let packages = tree(&["--workspace", "--edges", "normal,build,dev"])?;
    match compilers(&packages).is_empty() {
        true => Err("cc is no longer noticed where criterion brings it".into()),
        false => Ok(()),
    }
}
