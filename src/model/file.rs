//! `model.json`.

use std::io::Write;
use std::path::Path;

use super::{FORMAT, Model};
use crate::{Error, Result};

pub(super) fn load(path: &Path) -> Result<Model> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    parse(&text, path)
}

/// The model in `text`, which is that of `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Model> {
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|e| Error::unreadable(path, format!("it is not JSON: {e}")))?;
    match value["format"].as_u64() {
        Some(version) if version == u64::from(FORMAT) => {}
        Some(version) => return Err(Error::unreadable(path, other_version(version, &value))),
        None => {
            return Err(Error::unreadable(path, "it is not a stemseg model (it has no 'format')"));
        }
    }
    let model: Model = serde_json::from_value(value)
        .map_err(|e| Error::unreadable(path, format!("it is not a whole model: {e}")))?;
    check(&model).map_err(|reason| Error::unreadable(path, reason))?;
    Ok(model)
}

fn other_version(version: u64, value: &serde_json::Value) -> String {
    let by = value["stemseg_version"].as_str().unwrap_or("an unknown version");
    let advice = match version > u64::from(FORMAT) {
        true => "use a newer stemseg",
        false => "fit the model anew",
    };
    format!(
        "it is a model of format {version}, written by stemseg {by}, but this stemseg {} reads format \
         {FORMAT}; {advice}",
        env!("CARGO_PKG_VERSION")
    )
}

pub(super) fn save(model: &Model, path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .map_err(Error::io(path))?;
    file.write_all(text(model).as_bytes()).map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

/// The content of a model's file.
pub(super) fn text(model: &Model) -> String {
    let text = serde_json::to_string_pretty(model).expect("a model has no keys but strings");
    text + "\n"
}

/// Whether the parts of `model` fit together.
fn check(model: &Model) -> Result<(), String> {
    let (d, q, k) = (model.mean.len(), model.components.len(), model.patterns.len());
    let same = |what: &str, got: usize, expected: usize| match got == expected {
        true => Ok(()),
        false => Err(format!("its {what} has {got} values instead of {expected}")),
    };
    model.parameters.check().map_err(|error| format!("its parameters cannot be: {error}"))?;
    same("channels", model.channels.len(), d)?;
    model.components.iter().try_for_each(|c| same("components", c.len(), d))?;
    same("explained_variance", model.explained_variance.len(), q)?;
    same("explained_variance_ratio", model.explained_variance_ratio.len(), q)?;
    same("within_variance", model.within_variance.len(), q)?;
    if k == 0 || q == 0 {
        return Err("it holds no pattern".into());
    }
    let mut last = 0;
    for (i, pattern) in model.patterns.iter().enumerate() {
        same("centroid", pattern.centroid.len(), q)?;
        same("separation", pattern.separation.len(), k)?;
        // Of those that were merged, several have one.
        if ![last, last + 1].contains(&pattern.label) || pattern.label == 0 {
            return Err(format!("pattern {} has the label {}", i + 1, pattern.label));
        }
        last = pattern.label;
    }
    let numbers = model.mean.iter().chain(model.components.iter().flatten());
    let numbers = numbers.chain(model.patterns.iter().flat_map(|p| &p.centroid));
    match numbers.chain(&model.within_variance).all(|v| v.is_finite()) {
        true => Ok(()),
        false => Err("it holds values that are not finite".into()),
    }
}
