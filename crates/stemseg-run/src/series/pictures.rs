//! The pictures of a film: `overlay.png`, which plays it, `sheet.png`, `report.html`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use stemseg::{Error, Progress, Result};
use stemseg_files::write::LabelFrames;
use stemseg_report::film::{Animation, Drawn, Palette, sheet, space_time, velocity_map};
use stemseg_report::html::{Curve, FilmPage, Picture, Plot, film as page};
use stemseg_report::overlay::OverlayOptions;
use stemseg_series::kinetics::Pair;

use super::account::Measured;
use super::source::Source;
use super::tables::{Along, boundary};
use super::{Film, SeriesRequest};

/// Frames on the sheet, and in the report.
const ON_SHEET: usize = 12;
const IN_REPORT: usize = 40;
/// Rows of the space-time picture at most.
const MOST_ROWS: usize = 1000;

/// Names of the pictures.
pub(super) const OVERLAY: &str = "overlay.png";
pub(super) const SHEET: &str = "sheet.png";
pub(super) const REPORT: &str = "report.html";

/// A value where there is one, and its error where that is known.
type WithError = Option<(f64, Option<f64>)>;

/// Draws the film and writes what shows it, each to where `place` says.
///
/// # Errors
/// [`Error::Io`]; those of reading frames; [`Error::Interrupted`].
pub(super) fn write(
    wanted: &SeriesRequest,
    source: &mut Source,
    labels: &mut LabelFrames,
    film: &Film,
    place: &dyn Fn(&str) -> std::path::PathBuf,
    progress: &dyn Progress,
) -> Result<()> {
    let output = &wanted.request.output;
    let palette =
        Palette::new(film.model.clusters(), output.alpha.unwrap_or(OverlayOptions::ALPHA));
    if !(wanted.overlay || output.report) {
        return Ok(());
    }
    // Without the film itself, those of the report.
    let most = if wanted.overlay { wanted.shown.max(2) } else { IN_REPORT };
    let shown = spread(film.account.frames.len(), most);
    let (on_sheet, in_report) = (spread(shown.len(), ON_SHEET), spread(shown.len(), IN_REPORT));
    let path = place(OVERLAY);
    let mut animation = None;
    let (mut small, mut slides) = (Vec::new(), Vec::new());
    progress.stage("draw");
    for (number, &frame) in shown.iter().enumerate() {
        progress.step(number as u64, shown.len() as u64)?;
        let measured = &film.account.frames[frame];
        let words = words(measured, film.scales.interval);
        let image = seen(source, measured, false)?;
        let drawn = Drawn::new(image.view(), labels.read(frame)?.view(), &words, &palette)?;
        if wanted.overlay && animation.is_none() {
            let file = BufWriter::new(File::create(&path).map_err(Error::io(&path))?);
            let milliseconds = if shown.len() > 60 { 50 } else { 120 };
            let new = Animation::new(file, drawn.shape(), shown.len(), milliseconds, &palette);
            animation = Some(new.map_err(Error::io(&path))?);
        }
        if let Some(animation) = &mut animation {
            animation.add(&drawn).map_err(Error::io(&path))?;
        }
        if output.report && in_report.contains(&number) {
            slides.push((words, drawn.uri(&palette)));
        }
        if on_sheet.contains(&number) {
            small.push(drawn);
        }
    }
    if let Some(animation) = animation {
        animation.finish().map_err(Error::io(&path))?;
        let path = place(SHEET);
        std::fs::write(&path, sheet(&small, &palette)).map_err(Error::io(&path))?;
    }
    if output.report {
        let html = report(wanted, source, labels, film, slides)?;
        let path = place(REPORT);
        std::fs::write(&path, html).map_err(Error::io(&path))?;
    }
    Ok(())
}

/// `count` of `all`, evenly spread, with the first and the last.
fn spread(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    let last = all.saturating_sub(1) as f64;
    let steps = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| (i as f64 * last / steps).round() as usize).collect()
}

/// A frame in words.
fn words(frame: &Measured, interval: Option<f64>) -> String {
    let line = &frame.line;
    let time = interval.map_or(String::new(), |s| format!("  {:.4} s", s * line.frame as f64));
    let status = match line.status {
        super::Status::Ok => String::new(),
        other => format!("  {}", other.name()),
    };
    format!("frame {}{time}{status}", line.frame)
}

/// The pixels of a frame in the specimen's coordinates, 0 where it does not show it: of mean 0 and
/// variance 1, or in the `units` of the file.
pub(super) fn seen(source: &mut Source, frame: &Measured, units: bool) -> Result<Array2<f32>> {
    let shape = source.shape();
    let Some(micrograph) = source.read(frame.line.frame)?.micrograph else {
        return Ok(Array2::zeros(shape));
    };
    let [down, right] = frame.line.drift.map(|drift| drift.round() as i64);
    let pixels = micrograph.pixels();
    let (mean, deviation) = match units {
        true => (micrograph.mean() as f32, micrograph.deviation() as f32),
        false => (0.0, 1.0),
    };
    Ok(Array2::from_shape_fn(shape, |(r, c)| {
        let at = (r as i64 + down, c as i64 + right);
        let inside = at.0 >= 0 && at.1 >= 0;
        let value = inside.then(|| pixels.get((at.0 as usize, at.1 as usize))).flatten();
        value.map_or(0.0, |value| mean + deviation * value)
    }))
}

fn report(
    wanted: &SeriesRequest,
    source: &Source,
    labels: &mut LabelFrames,
    film: &Film,
    slides: Vec<(String, String)>,
) -> Result<String> {
    let Film { account, scales, .. } = film;
    let name = source.film().files().next().and_then(Path::file_name).unwrap_or_default();
    let name = name.to_string_lossy();
    let pairs = account.pairs();
    let main = pairs.iter().copied().max_by(|a, b| length(film, *a).total_cmp(&length(film, *b)));
    let mut pictures = Vec::new();
    if let Some(pair) = main {
        pictures.extend(velocities(film, pair));
        pictures.push(along_a_line(film, pair, labels, source.shape())?);
    }
    let (rows, cols) = source.shape();
    let value = |value: Option<f64>, unit: &str| {
        value.map_or("not known".to_owned(), |value| format!("{value:.6} {unit}"))
    };
    let facts = [
        ("frames", account.frames.len().to_string()),
        ("size", format!("{rows} x {cols} px")),
        ("pixel", value(scales.nm(), "nm")),
        ("time between frames", value(scales.interval, "s")),
        ("patterns", film.model.clusters().to_string()),
        ("fitted to", format!("{} frames", film.fitted.len())),
        ("device", film.device.name.clone()),
    ];
    let along = if scales.interval.is_some() { "time / s" } else { "frame" };
    Ok(page(&FilmPage {
        name: &name,
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        remarks: &film.remarks,
        frames: slides,
        along,
        plots: plots(film, &pairs),
        pictures,
        command: &wanted.request.output.command,
    }))
}

/// Length of a boundary, summed over frames.
fn length(film: &Film, pair: Pair) -> f64 {
    let of = |frame: &Measured| boundary(frame, pair).map_or(0.0, |boundary| boundary.length);
    film.account.frames.iter().map(of).sum()
}

fn plots(film: &Film, pairs: &[Pair]) -> Vec<Plot> {
    let Film { account, scales, .. } = film;
    let at = |frame: &Measured| frame.line.frame as f64 * scales.interval.unwrap_or(1.0);
    let frames =
        || account.frames.iter().filter(|frame| frame.areas.iter().skip(1).any(|a| *a > 0));
    let area = |label: usize| {
        let share = |frame: &Measured| {
            let seen: u64 = frame.areas.iter().skip(1).sum();
            100.0 * frame.areas[label] as f64 / seen.max(1) as f64
        };
        let points = frames().map(|frame| (at(frame), share(frame), None)).collect();
        Curve { name: label.to_string(), label, points }
    };
    let nm = scales.nm().unwrap_or(1.0);
    let nm_per_s = scales.nm_per_s().unwrap_or(1.0);
    let (unit, speed) = match (scales.nm(), scales.nm_per_s()) {
        (Some(_), Some(_)) => ("nm", "nm/s"),
        (Some(_), None) => ("nm", "px a frame"),
        (None, _) => ("px", "px a frame"),
    };
    let curve = |number: usize, pair: Pair, of: &dyn Fn(&Measured) -> WithError| {
        let points = frames().filter_map(|frame| of(frame).map(|(v, e)| (at(frame), v, e)));
        let name = format!("{} | {}", pair.0, pair.1);
        Curve { name, label: number + 1, points: points.collect() }
    };
    let positions = pairs.iter().enumerate().map(|(number, &pair)| {
        let along = Along::of(account, pair);
        curve(number, pair, &|frame| Some((nm * along.at(boundary(frame, pair)?), None)))
    });
    let moving = pairs.iter().enumerate().map(|(number, &pair)| {
        curve(number, pair, &|frame| {
            let velocity = frame.velocities.iter().find(|velocity| velocity.pair == pair)?;
            Some((nm_per_s * velocity.mean, velocity.error.map(|error| nm_per_s * error)))
        })
    });
    let plot =
        |title: &str, axis: String, curves: Vec<Curve>| Plot { title: title.into(), axis, curves };
    let drift = |axis: usize, name: &str| Curve {
        name: name.into(),
        label: axis + 1,
        points: account.frames.iter().map(|f| (at(f), f.line.drift[axis], None)).collect(),
    };
    vec![
        plot(
            "Areas",
            "share of what is seen / %".into(),
            (1..=film.model.clusters()).map(area).collect(),
        ),
        plot(
            "Positions of boundaries",
            format!("along the mean normal / {unit}"),
            positions.collect(),
        ),
        plot("Velocities of boundaries", format!("along the normal / {speed}"), moving.collect()),
        plot("Drift", "px".into(), vec![drift(0, "down"), drift(1, "right")]),
    ]
}

/// How fast the boundary moved where.
fn velocities(film: &Film, pair: Pair) -> Option<Picture> {
    let squares = film.account.swept.squares.get(&pair)?;
    let moved: Vec<((usize, usize), f64)> = squares
        .iter()
        .filter(|(_, (_, length))| *length > 0.0)
        .map(|(&at, &(area, length))| (at, area / length))
        .collect();
    let rows = squares.keys().map(|at| at.0).max()? + 1;
    let cols = squares.keys().map(|at| at.1).max()? + 1;
    let mut map = Array2::from_elem((rows, cols), None);
    for &(at, velocity) in &moved {
        map[at] = Some(velocity);
    }
    // Of squares that a boundary hardly touched the velocity is anything.
    let mut sizes: Vec<f64> = moved.iter().map(|(_, velocity)| velocity.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let most = *sizes.get(sizes.len() * 9 / 10)?;
    let (scale, unit) = match film.scales.nm_per_s() {
        Some(nm) => (nm, "nm/s"),
        None => (1.0, "px a frame"),
    };
    Some(Picture {
        title: format!("Velocity of the boundary {} | {}", pair.0, pair.1),
        uri: velocity_map(map.view(), most),
        words: format!(
            "Mean over the film in squares of {} px: red where pattern {} grows, blue where it shrinks, full \
             colour at {:.3} {unit}; grey where the boundary never was.",
            film.account.swept.side,
            pair.0,
            scale * most
        ),
    })
}

/// Labels along a line across the boundary, frame by frame.
fn along_a_line(
    film: &Film,
    pair: Pair,
    labels: &mut LabelFrames,
    shape: (usize, usize),
) -> Result<Picture> {
    let along = Along::of(&film.account, pair);
    let direction = along.direction();
    let (mut sum, mut weight) = ([0.0; 2], 0.0);
    for boundary in film.account.frames.iter().filter_map(|frame| boundary(frame, pair)) {
        weight += boundary.length;
        for (sum, at) in sum.iter_mut().zip(boundary.position) {
            *sum += boundary.length * at;
        }
    }
    let centre = sum.map(|sum| sum / f64::max(weight, f64::MIN_POSITIVE));
    let inside = |t: f64| {
        let at = [centre[0] + t * direction[0], centre[1] + t * direction[1]].map(f64::round);
        let there =
            at[0] >= 0.0 && at[1] >= 0.0 && at[0] < shape.0 as f64 && at[1] < shape.1 as f64;
        there.then_some((at[0] as usize, at[1] as usize))
    };
    let most = (shape.0 + shape.1) as i64;
    let line: Vec<(usize, usize)> = (-most..most).filter_map(|t| inside(t as f64)).collect();
    let frames = spread(film.account.frames.len(), MOST_ROWS);
    let mut picture = Array2::zeros((frames.len(), line.len().max(1)));
    for (mut row, &frame) in picture.outer_iter_mut().zip(&frames) {
        let map = labels.read(frame)?;
        row.iter_mut().zip(&line).for_each(|(to, &at)| *to = map[at]);
    }
    let view: ArrayView2<'_, u16> = picture.view();
    Ok(Picture {
        title: format!("Space and time across the boundary {} | {}", pair.0, pair.1),
        uri: space_time(view),
        words: format!(
            "Labels along a line through row {:.0}, column {:.0} along the boundary's mean normal, {} px long, from \
             left to right; one row for each frame, the first at the top.",
            centre[0],
            centre[1],
            line.len()
        ),
    })
}
