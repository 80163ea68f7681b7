//! How the result came about: the facts in short, parameters, device, times, and
//! what it takes to have it again.

use maud::{Markup, html};
use serde_json::Value;

use super::parts::{bar, foreign, list, section as section_of};
use super::{Content, boundaries};
use crate::number::{count, significant, time};
use crate::summary::{Checksummed, Summary, TimingsMs};

/// What one wants to know first.
pub(super) fn facts(content: Content<'_>) -> Markup {
    let summary = content.summary;
    let [rows, cols] = summary.input.shape;
    let mut facts = vec![("Image", format!("{rows} × {cols} px"))];
    if let Some(size) = summary.input.pixel_size_nm {
        let side = |px: usize, nm: f64| significant(px as f64 * nm, 3);
        facts.push(("Field", format!("{} × {} nm", side(rows, size.rows), side(cols, size.cols))));
    }
    let descriptors = &summary.descriptors;
    facts.push(("Sites", count(descriptors.sites as u64)));
    let features = content.found.features.ncols();
    facts.push(("Dimensions", format!("{} → {features}", descriptors.channels)));
    facts.push(("Confidence", significant(summary.confidence.mean, 3)));
    let (px, nm) = boundaries::total(summary);
    let length = match nm {
        Some(nm) => format!("{} nm", significant(nm, 3)),
        None => format!("{} px", significant(px, 3)),
    };
    facts.push(("Boundaries", length));
    facts.push(("Computed in", time(computing(&summary.timings_ms))));
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// What speaks against the result.
pub(super) fn warnings(summary: &Summary) -> Markup {
    html! {
        @if !summary.warnings.is_empty() {
            ul.warnings {
                @for warning in &summary.warnings { li { strong { "Warning: " } (foreign(&warning.text.to_string())) } }
            }
        }
    }
}

/// What was done or decided.
pub(super) fn notes(summary: &Summary) -> Markup {
    html! {
        @if !summary.notes.is_empty() {
            ul.notes { @for note in &summary.notes { li { (foreign(&note.to_string())) } } }
        }
    }
}

pub(super) fn section(content: Content<'_>) -> Markup {
    let summary = content.summary;
    let device = &summary.device;
    let device = [("name", &device.name), ("kind", &device.kind), ("through", &device.backend)]
        .map(|(name, value)| (name.to_owned(), value.clone()));
    let body = html! {
        div.beside {
            div { h3 { "Parameters" } (list(&parameters(summary))) }
            div {
                h3 { "Device" }
                (list(&device))
                h3 { "Times" }
                (times(&summary.timings_ms))
            }
        }
        h3 { "To have it again" }
        @if !content.command.is_empty() { (command(content.command)) }
        (list(&input(summary)))
        p.note {
            "The same version gives the same labels from the same file on the same kind of device. In addition to this "
            "page, summary.json holds all numbers, and overlay.png, features.png and channels.png the pictures."
        }
    };
    section_of("run", "Run", &body)
}

/// The command line as a shell takes it. It breaks between words alone, not at hyphens.
pub(super) fn command(words: &[String]) -> Markup {
    // No argument can hold the one thing that cannot be quoted, a zero.
    let quoted = words.iter().filter_map(|word| shlex::try_quote(word).ok());
    html! {
        pre.command { code { @for word in quoted { span { (foreign(&word)) } " " } } }
    }
}

/// Where the pixels came from.
fn input(summary: &Summary) -> Vec<(String, String)> {
    let input = &summary.input;
    let mut entries = vec![
        ("version", format!("stemseg {}", summary.stemseg_version)),
        ("file", input.path.display().to_string()),
        (
            match input.sha256_of {
                Checksummed::Files => "SHA-256",
                Checksummed::Pixels => "SHA-256 of the pixels",
            },
            input.sha256.clone(),
        ),
        ("format", format!("{}, {}", input.format, input.dtype)),
    ];
    if let Some(size) = input.pixel_size_nm {
        let (rows, cols) = (significant(size.rows, 4), significant(size.cols, 4));
        let text = if rows == cols { format!("{rows} nm") } else { format!("{rows} × {cols} nm") };
        entries.push(("pixel size", text));
    }
    entries.extend(input.image.map(|image| ("image of the file", image.to_string())));
    entries
        .extend(input.roi.map(|[r, s, c, d]| ("region", format!("rows {r}:{s}, columns {c}:{d}"))));
    entries.extend(input.mask.as_ref().map(|mask| ("mask", mask.display().to_string())));
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The parameters as they were used, flat.
fn parameters(summary: &Summary) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    let value = serde_json::to_value(&summary.parameters).expect("parameters have string keys");
    for (name, value) in value.as_object().into_iter().flatten() {
        let families = value.as_array().filter(|_| name == "families");
        for family in families.into_iter().flatten() {
            let title = family["family"].as_str().unwrap_or_default();
            for (name, value) in family.as_object().into_iter().flatten() {
                if name != "family" {
                    flatten(&format!("{title} {name}"), value, &mut entries);
                }
            }
        }
        if families.is_none() {
            flatten(name, value, &mut entries);
        }
    }
    entries
}

/// Adds a parameter; what is not set is left out.
fn flatten(name: &str, value: &Value, entries: &mut Vec<(String, String)>) {
    /// Values of a list that are shown.
    const MOST: usize = 12;
    let text = match value {
        Value::Null => return,
        Value::Array(list) if list.is_empty() => return,
        Value::Array(list) if list.len() > MOST => format!("{} of them", list.len()),
        Value::Array(list) => list.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            if let (2, Some(rows), Some(cols)) =
                (fields.len(), fields.get("rows"), fields.get("cols"))
            {
                // Half sizes, all of them.
                if rows == cols {
                    format!("± {rows} px")
                } else {
                    format!("± {rows} × {cols} px")
                }
            } else {
                let inner =
                    |(key, value): (&String, &Value)| (format!("{name} {key}"), value.clone());
                let inner: Vec<_> = fields.iter().map(inner).collect();
                return inner.iter().for_each(|(name, value)| flatten(name, value, entries));
            }
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    entries.push((name.replace('_', " "), text));
}

/// The stages of the computation.
fn stages(times: &TimingsMs) -> [(&'static str, f64); 9] {
    [
        ("read", times.read),
        ("describe", times.describe),
        ("PCA", times.pca),
        ("cluster", times.cluster),
        ("upsample", times.upsample),
        ("separability", times.separability),
        ("channel maps", times.maps),
        ("lattices", times.lattices),
        ("write", times.write),
    ]
}

/// From the image in memory to the labels, ms.
fn computing(times: &TimingsMs) -> f64 {
    times.describe + times.pca + times.cluster + times.upsample
}

fn times(times: &TimingsMs) -> Markup {
    let stages = stages(times);
    let longest = stages.iter().map(|stage| stage.1).fold(f64::MIN_POSITIVE, f64::max);
    html! {
        ul.bars {
            @for (name, ms) in stages {
                li { span { (name) } (bar(ms / longest)) span.number { (time(ms)) } }
            }
        }
        p.note { (time(times.total)) " in total, until this page was written." }
    }
}
