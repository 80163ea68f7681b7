//! Licences and sources of all dependencies, and whether a version was yanked, against
//! `deny.toml`. Advisories are a database of their own, which no registry serves: for them
//! there is `cargo deny check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

/// Where dependencies may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![Trial::test("licences::a_wrong_one_is_noticed", wrong)];
    match packages() {
        Ok((packages, missing)) => {
            let all = packages.clone();
            trials.push(Trial::test("licences::are_allowed", move || allowed(&all)));
            trials.push(Trial::test("licences::none_is_yanked", move || current(&packages)));
            if let Some(kind) = missing {
                let rest = Trial::test("licences::of_other_platforms", || Ok(()));
                trials.push(rest.with_ignored_flag(true).with_kind(kind));
            }
        }
        Err(failed) => trials.push(Trial::test("licences::are_allowed", || Err(failed))),
    }
    trials
}

#[derive(Debug, Clone, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// `deny.toml`, as far as it is checked here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    name: String,
    allow: Vec<String>,
}

/// All dependencies, of this platform alone (with the reason) where the others' are not here.
fn packages() -> Result<(Vec<Package>, Option<&'static str>), Failed> {
    if let Ok(packages) = metadata(&[]) {
        return Ok((packages, None));
    }
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output()?;
    let host = String::from_utf8(host.stdout)?;
    let packages = metadata(&["--filter-platform", host.trim()])?;
    Ok((packages, Some("not here; cargo fetch --locked gets them")))
}

fn metadata(more: &[&str]) -> Result<Vec<Package>, Failed> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let value: Value = serde_json::from_slice(&output.stdout)?;
    Ok(serde_json::from_value(value["packages"].clone())?)
}

impl Rules {
    fn read() -> Result<Self, Failed> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
        Ok(toml::from_str(&std::fs::read_to_string(path)?)?)
    }

    /// What is wrong with a dependency.
    fn objection(&self, package: &Package) -> Option<String> {
        let Package { name, version, license, source } = package;
        let about = format!("{name} {version}");
        // What is here has no source.
        if source.as_deref().is_some_and(|source| source != REGISTRY) {
            return Some(format!("{about} comes from {source:?}"));
        }
        let Some(license) = license else { return Some(format!("{about} names no licence")) };
        // Older crates write MIT/Apache-2.0.
        let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else {
            return Some(format!("{about} has a licence that is no expression: {license}"));
        };
        let excepted = self.licenses.exceptions.iter().filter(|e| e.name == *name);
        let allowed: Vec<&String> =
            self.licenses.allow.iter().chain(excepted.flat_map(|e| &e.allow)).collect();
        let is_allowed = |asked: &LicenseReq| allowed.iter().any(|a| **a == asked.to_string());
        (!expression.evaluate(is_allowed)).then(|| format!("{about} is under {license}"))
    }
}

fn allowed(packages: &[Package]) -> Result<(), Failed> {
    let rules = Rules::read()?;
    let objections: Vec<String> = packages.iter().filter_map(|p| rules.objection(p)).collect();
    if packages.len() < 100 || !objections.is_empty() {
        return Err(format!("{} packages: {}", packages.len(), objections.join("; ")).into());
    }
    Ok(())
}

/// The yanked versions, according to the registry's index as cargo keeps it: as far
/// as it was fetched, and as of then.
fn current(packages: &[Package]) -> Result<(), Failed> {
    let mut yanked = Vec::new();
    let mut known = 0;
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let versions = index(&package.name)?;
        known += usize::from(versions.contains_key(&package.version));
        if versions.get(&package.version) == Some(&true) {
            yanked.push(format!("{} {}", package.name, package.version));
        }
    }
    // A check that knows nothing would pass whatever there is.
    if known * 2 < packages.len() {
        return Err(format!("the index knows {known} of {} packages", packages.len()).into());
    }
    if !yanked.is_empty() {
        return Err(format!("yanked: {}; cargo update replaces them", yanked.join(", ")).into());
    }
    Ok(())
}

/// The versions of a crate in the kept index, and whether each was yanked.
fn index(name: &str) -> Result<BTreeMap<String, bool>, Failed> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(dirs::home_dir()?.join(".cargo"))).ok_or("no CARGO_HOME")?;
    let place = match name.len() {
        1 | 2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    };
    let mut versions = BTreeMap::new();
    for registry in std::fs::read_dir(home.join("registry/index"))? {
        let path = registry?.path().join(".cache").join(place.to_lowercase());
        let Ok(bytes) = std::fs::read(path) else { continue };
        // A head, then version and line of the index in turn, with zeros between them.
        for line in bytes.split(|&byte| byte == 0).filter(|part| part.starts_with(b"{")) {
            let line: Value = serde_json::from_slice(line)?;
            let version = line["vers"].as_str().ok_or("a line without a version")?;
            let yanked = line["yanked"].as_bool().unwrap_or(false);
            versions.insert(version.to_owned(), yanked);
        }
    }
    Ok(versions)
}

/// Licences and sources that must be objected to.
fn wrong() -> Result<(), Failed> {
    let rules = Rules::read()?;
    let package = |name: &str, license: Option<&str>, source: &str| Package {
        name: name.into(),
        version: "1.0.0".into(),
        license: license.map(str::to_owned),
        source: Some(source.into()),
    };
    for (name, license, source, good) in [
        ("a", Some("MIT/Apache-2.0"), REGISTRY, true),
        ("a", Some("GPL-3.0-only OR MIT"), REGISTRY, true),
        ("option-ext", Some("MPL-2.0"), REGISTRY, true),
        ("a", Some("MPL-2.0"), REGISTRY, false),
        ("a", Some("GPL-3.0-only"), REGISTRY, false),
        ("a", Some("MIT AND AGPL-3.0-only"), REGISTRY, false),
        ("a", Some("as you like"), REGISTRY, false),
        ("a", None, REGISTRY, false),
        ("a", Some("MIT"), "git+https://example.org/a", false),
    ] {
        let objection = rules.objection(&package(name, license, source));
        if objection.is_none() != good {
            return Err(format!("{name} under {license:?}: {objection:?}").into());
        }
    }
    Ok(())
}
