//! What is written of a film once all its frames are labelled.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use stemseg::remarks::Remarks;
use stemseg::{Error, Progress, Result};
use stemseg_files::write::{
    LabelFrames, LabelType, OmeZarrFilm, OmeZarrFrame, ResultFolder, Stack,
    write_labels_hyperstack, write_ome_zarr_film,
};
use stemseg_report::colours::colour;
use stemseg_series::kinetics::{Velocity, line};

use super::account::Account;
use super::source::{Source, Status};
use super::tables::{self, Along, boundary};
use super::work::{self, Work};
use super::{Film, Finished, SeriesRequest, pictures};
use crate::result::formats::Format;

/// The labels for Fiji.
const HYPERSTACK: &str = "labels.tif";
/// How many frames a note names.
const NAMED: usize = 8;
/// How much stranger than the median frame one is that shows what the model does not know.
const STRANGE: f64 = 2.0;

/// Names of what the result will hold.
pub(super) fn names(wanted: &SeriesRequest, target: &Path) -> Vec<String> {
    let output = &wanted.request.output;
    let mut names = vec![work::KINETICS, "summary.json"];
    names.extend(
        wanted.overlay.then_some([pictures::OVERLAY, pictures::SHEET]).into_iter().flatten(),
    );
    names.extend(moved(wanted));
    names.extend(output.formats.contains(&Format::Tiff).then_some(HYPERSTACK));
    names.extend(output.report.then_some(pictures::REPORT));
    let zarr = output.formats.contains(&Format::OmeZarr).then(|| zarr_name(target));
    names.into_iter().map(str::to_owned).chain(zarr).collect()
}

/// Name of the OME-Zarr folder in the result at `target`.
fn zarr_name(target: &Path) -> String {
    format!("{}.ome.zarr", target.file_stem().unwrap_or_default().to_string_lossy())
}

/// What is in the unfinished film as it will be in the result.
fn moved(wanted: &SeriesRequest) -> Vec<&'static str> {
    let mut names = vec![work::MODEL, work::DOMAINS];
    names.extend(wanted.request.output.formats.contains(&Format::Npy).then_some(work::LABELS));
    names.extend(wanted.confidence.then_some(work::CONFIDENCE));
    names.extend(wanted.memberships.then_some(work::MEMBERSHIPS));
    names
}

/// Says which frames are not labelled, or are not to be trusted.
pub(super) fn remark(account: &Account, remarks: &mut Remarks) {
    for (status, words) in [
        (Status::Blank, "blank, and not labelled"),
        (Status::Saturated, "saturated, and not labelled"),
        (Status::Partial, "scanned in part; the rest of them is not labelled"),
        (Status::Nan, "in part without data, which is not labelled"),
    ] {
        let found: Vec<usize> = account
            .frames
            .iter()
            .filter(|frame| frame.line.status == status)
            .map(|frame| frame.line.frame)
            .collect();
        if !found.is_empty() {
            remarks.note(format!("{} {words}", frames_in_words(&found)));
        }
    }
    let mut strangeness: Vec<f64> =
        account.frames.iter().filter_map(|frame| frame.line.strangeness).collect();
    strangeness.sort_by(f64::total_cmp);
    let Some(&median) = strangeness.get(strangeness.len() / 2) else { return };
    let strange: Vec<usize> = account
        .frames
        .iter()
        .filter(|frame| frame.line.strangeness.is_some_and(|own| own > STRANGE * median))
        .map(|frame| frame.line.frame)
        .collect();
    if !strange.is_empty() {
        remarks.note(format!(
            "{} unlike the patterns that were fitted; `fit = LIST` with some of them finds what is new there",
            frames_in_words(&strange)
        ));
    }
}

/// "frame 3 is", "frames 3, 4 and 12 more are".
fn frames_in_words(frames: &[usize]) -> String {
    let names: Vec<String> = frames.iter().take(NAMED).map(usize::to_string).collect();
    let names = names.join(", ");
    match frames.len() {
        1 => format!("frame {names} is"),
        count if count > NAMED => format!("frames {names} and {} more are", count - NAMED),
        _ => format!("frames {names} are"),
    }
}

/// Puts the film together from what `work` holds.
///
/// # Errors
/// [`Error::Io`]; [`Error::Interrupted`].
pub(super) fn finish(
    wanted: &SeriesRequest,
    source: &mut Source,
    work: Work,
    folder: ResultFolder,
    film: Film,
    progress: &dyn Progress,
) -> Result<Finished> {
    let written = write(wanted, source, &work, &folder, &film, progress);
    let mut summary = written.map_err(|error| folder.named(error))?;
    let place = folder.commit(&mut summary)?;
    work.remove()?;
    Ok(Finished { place, summary: summary.into() })
}

fn write(
    wanted: &SeriesRequest,
    source: &mut Source,
    work: &Work,
    folder: &ResultFolder,
    film: &Film,
    progress: &dyn Progress,
) -> Result<Map<String, Value>> {
    tables::write(&folder.path(work::KINETICS), &film.account, film.scales)?;
    for name in moved(wanted) {
        progress.check()?;
        link(&work.path(name), &folder.path(name))?;
    }
    let most = film.model.clusters() as u16;
    let kind = wanted.request.output.label_type_for(most);
    let (frames, (rows, cols)) = (source.frames(), source.shape());
    let mut labels = LabelFrames::open(&work.path(work::LABELS), [frames, rows, cols], kind)?;
    if wanted.request.output.formats.contains(&Format::Tiff) {
        let Film { scales, .. } = film;
        let (pixel_size, interval_s) = (scales.size, scales.interval);
        let stack = Stack { frames, most, kind, pixel_size, interval_s };
        let mut frame = |number: usize| {
            progress.check()?;
            labels.read(number)
        };
        write_labels_hyperstack(&folder.path(HYPERSTACK), &stack, colour, &mut frame)?;
    }
    if wanted.request.output.formats.contains(&Format::OmeZarr) {
        let name = zarr_name(folder.target());
        write_zarr(&folder.path(&name), source, &mut labels, film, (kind, progress))?;
    }
    let place = |name: &str| folder.path(name);
    pictures::write(wanted, source, &mut labels, film, &place, progress)?;
    Ok(summary(wanted, source, film))
}

/// Writes the film, as it shows the specimen, with its labels.
fn write_zarr(
    path: &Path,
    source: &mut Source,
    labels: &mut LabelFrames,
    film: &Film,
    (kind, progress): (LabelType, &dyn Progress),
) -> Result<()> {
    let dtype = source.film().entry().dtype.clone();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let properties = |label: u16| {
        let pixels = film.account.frames.iter().map(|frame| frame.areas[usize::from(label)]);
        let all: u64 =
            film.account.frames.iter().map(|frame| frame.areas.iter().sum::<u64>()).sum();
        let share = pixels.sum::<u64>() as f64 / all.max(1) as f64;
        Map::from_iter([("area (percent)".to_owned(), json!(100.0 * share))])
    };
    let content = OmeZarrFilm {
        name: name.trim_end_matches(".ome"),
        frames: source.frames(),
        shape: source.shape(),
        pixel_size: film.scales.size,
        interval_s: film.scales.interval,
        dtype: &dtype,
        kind,
        palette: &colour,
        properties: (1..=film.model.clusters() as u16).map(properties).collect(),
    };
    let mut frame = |number: usize| {
        progress.check()?;
        let pixels = pictures::seen(source, &film.account.frames[number], true)?;
        Ok(OmeZarrFrame { pixels, labels: labels.read(number)? })
    };
    write_ome_zarr_film(path, &content, &mut frame)
}

/// The file under another name: without a copy where the file system can.
fn link(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(drop).map_err(Error::io(to))
}

/// What summary.json says. Nothing in it depends on when or how often the film was stopped.
fn summary(wanted: &SeriesRequest, source: &Source, film: &Film) -> Map<String, Value> {
    let Film { model, account, scales, period, fitted, device, remarks } = film;
    let status =
        |status: Status| account.frames.iter().filter(|frame| frame.line.status == status).count();
    let count = source.frames();
    let (rows, cols) = source.shape();
    let boundaries: Vec<Value> =
        account.pairs().into_iter().map(|pair| of_boundary(account, pair, scales)).collect();
    let summary = json!({
        "stemseg_version": env!("CARGO_PKG_VERSION"),
        "input": {
            "files": source.film().files().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "format": source.film().format(),
            "dtype": source.film().entry().dtype,
            "shape": [count, rows, cols],
            "pixel_size_nm": scales.size,
            "frame_interval_s": scales.interval,
        },
        "series": {
            "fit": fitted,
            "register": wanted.register,
            "smooth_time": wanted.smooth_time,
            "adapt": wanted.adapt,
            "moved": account.frames.last().and_then(|frame| frame.line.moved.clone()),
            "frames": {
                "ok": status(Status::Ok),
                "partial": status(Status::Partial),
                "nan": status(Status::Nan),
                "saturated": status(Status::Saturated),
                "blank": status(Status::Blank),
            },
        },
        "parameters": model.parameters,
        "period_px": period,
        "device": device,
        "patterns": model.clusters(),
        "label_type": wanted.request.output.label_type_for(model.clusters() as u16),
        "boundaries": boundaries,
        "warnings": remarks.warnings,
        "notes": remarks.notes,
    });
    let Value::Object(summary) = summary else { unreachable!("it has names") };
    summary
}

/// A boundary through all of the film.
fn of_boundary(account: &Account, pair: (u16, u16), scales: &tables::Scales) -> Value {
    let velocities = account.swept.velocities();
    let swept: Option<&Velocity> = velocities.iter().find(|velocity| velocity.pair == pair);
    let along = Along::of(account, pair);
    let points: Vec<(f64, f64)> = account
        .frames
        .iter()
        .filter_map(|frame| Some((frame.line.frame as f64, along.at(boundary(frame, pair)?))))
        .collect();
    let in_nm = |px: Option<f64>| px.zip(scales.nm_per_s()).map(|(v, nm)| v * nm);
    let (mean, error) = (swept.map(|v| v.mean), swept.and_then(|v| v.error));
    let fit = line(&points);
    json!({
        "labels": [pair.0, pair.1],
        "frames": points.len(),
        "velocity_px_per_frame": mean,
        "velocity_error_px_per_frame": error,
        "velocity_nm_per_s": in_nm(mean),
        "velocity_error_nm_per_s": in_nm(error),
        "position_slope_px_per_frame": fit.map(|line| line.slope),
        "position_slope_error_px_per_frame": fit.map(|line| line.slope_error),
    })
}
