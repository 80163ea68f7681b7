//! The recipe for a descriptor family in CONTRIBUTING.md, against the family that was made
//! after it: its trials in all other modules say that the recipe is enough, these that it is
//! all there is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use stemseg::descriptor::FamilyParams;

/// The family's name for users, for files and in code.
const NAMES: [&str; 3] = ["peak-to-peak", "peak_to_peak", "PeakToPeak"];

/// Where the list of families is.
const LIST: &str = "src/descriptor/list.rs";

/// What code consists of; the recipe's trials speak of the family too.
const CODE: [&str; 5] = ["src", "shaders", "crates", "tests", "benches"];
const TRIALS: &str = "tests/suite/recipe.rs";
/// What a command writes, as the recipe says.
const TABLE: &str = "tests/reference/compiled.csv";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("recipe::names_all_files_of_the_family", names_all_files),
        Trial::test("recipe::takes_one_line_of_the_list", one_line),
        Trial::test("recipe::only_tests_have_the_family", only_tests),
    ]
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> Result<String, Failed> {
    let path = root().join(path);
    std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()).into())
}

/// The files that the recipe has one write, for the family.
fn of_recipe() -> Result<BTreeSet<String>, Failed> {
    let text = read("CONTRIBUTING.md")?;
    let (_, recipe) = text.split_once("## Recipe: a descriptor family").ok_or("no recipe")?;
    let recipe = recipe.split("\n## ").next().unwrap_or(recipe);
    let quoted = recipe.split('`').skip(1).step_by(2);
    let files = quoted.filter(|path| path.contains("/NAME.") && !path.contains(['*', ' ']));
    Ok(files.map(|path| path.replace("NAME", NAMES[1])).collect())
}

/// The files that speak of the family.
fn of_family() -> Result<BTreeSet<String>, Failed> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = CODE.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root())?.to_string_lossy().replace('\\', "/");
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let speaks = NAMES.iter().any(|own| text.contains(own) || name.contains(own));
            if speaks && name != TRIALS && name != TABLE {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

fn names_all_files() -> Result<(), Failed> {
    let (mut recipe, family) = (of_recipe()?, of_family()?);
    if recipe.len() != 4 {
        return Err(format!("not four files: {recipe:?}").into());
    }
    recipe.insert(LIST.into());
    match recipe == family {
        true => Ok(()),
        false => Err(format!("the recipe names {recipe:?}, the family is {family:?}").into()),
    }
}

fn one_line() -> Result<(), Failed> {
    let list = read(LIST)?;
    let lines: Vec<&str> =
        list.lines().filter(|line| NAMES.iter().any(|own| line.contains(own))).collect();
    match (lines.len(), FamilyParams::from_name(NAMES[0])) {
        (1, Ok(family)) if family.name() == NAMES[0] => Ok(()),
        (_, family) => Err(format!("{lines:?}, {family:?}").into()),
    }
}

/// The feature is not a default, and nothing but the package's own tests asks for it.
fn only_tests() -> Result<(), Failed> {
    let manifest: toml::Table = read("Cargo.toml")?.parse()?;
    let features = manifest["features"].as_table().ok_or("no features")?;
    let asks = |value: &toml::Value| format!("{value:?}").contains("toy-family");
    if features.iter().any(|(name, needs)| name == "default" && asks(needs)) {
        return Err("the family is a default".into());
    }
    for entry in std::fs::read_dir(root().join("crates"))? {
        let manifest = entry?.path().join("Cargo.toml");
        if std::fs::read_to_string(&manifest)?.contains("toy-family") {
            return Err(format!("{} asks for the family", manifest.display()).into());
        }
    }
    match asks(&manifest["dependencies"]) || !asks(&manifest["dev-dependencies"]) {
        true => Err("the family is not one of tests alone".into()),
        false => Ok(()),
    }
}
