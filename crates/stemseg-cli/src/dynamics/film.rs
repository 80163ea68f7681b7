//! How a film is read.

use std::path::Path;

use ndarray::{Array2, Array3, Axis};
use stemseg::wording::Text;
use stemseg::{Error, Progress, Result};
use stemseg_dynamics::{Film, Units};
use stemseg_files::read::{Entry, ImageFile, Planes};

use super::Args;
use crate::progress::Bar;
use crate::spelling;

/// Bytes that the values of a film may take.
const MOST_BYTES: u64 = 1 << 34;

/// The film with its units, where they are known.
pub(super) fn read(args: &Args, mut file: ImageFile, bar: &Bar) -> Result<(Film, Option<Units>)> {
    if let Some(planes) = Planes::open(&args.file)? {
        return memberships(args, planes, bar);
    }
    let number = file.choose(args.image)?;
    let entry = file.entries()[number].clone();
    check_size(args, &entry.shape)?;
    match entry.frames() {
        Some(frames) => {
            unused(args, &[("dx", args.dx.is_some()), ("dt", args.dt.is_some())], "a stack")?;
            let film = stack(args, &mut file, number, frames, bar)?;
            Ok((film, stack_units(args, &entry)))
        }
        None if is_picture(&args.file) => {
            let reason =
                "a picture is no film; give a stack, or u(t, x) as an array of numbers (npy)";
            Err(Error::unreadable(&args.file, reason))
        }
        None => {
            let interval = args.frame_interval.is_some();
            let given = [("pixel-size", args.pixel_size.is_some()), ("frame-interval", interval)];
            unused(args, &given, "an array u(t, x)")?;
            let (pixels, notes) = file.load(number, 0)?;
            notes.iter().for_each(|note| bar.note(note));
            let values: Array2<f32> = pixels.to_f64().mapv(|value| value as f32);
            let film = Film::of_line(values, args.label).map_err(error(&args.file))?;
            Ok((film, line_units(args)?))
        }
    }
}

/// Whether it is a format of pictures, whose values are shades and whose rows are no times.
fn is_picture(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["png", "jpg", "jpeg"].iter().any(|picture| extension.eq_ignore_ascii_case(picture))
}

/// Refuses a film `[frames, rows, cols]` that takes too much memory.
fn check_size(args: &Args, shape: &[usize]) -> Result<()> {
    let bytes = shape.iter().fold(4, |product: u64, &n| product.saturating_mul(n as u64));
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let reason = format!("the film takes {} GiB as f32; give one of at most 16 GiB", bytes >> 30);
    Err(Error::unreadable(&args.file, reason))
}

/// The memberships in one pattern, of a film that has those in several.
fn memberships(args: &Args, mut planes: Planes, bar: &Bar) -> Result<(Film, Option<Units>)> {
    unused(args, &[("dx", args.dx.is_some()), ("dt", args.dt.is_some())], "a stack")?;
    let [frames, patterns, rows, cols] = planes.shape();
    check_size(args, &[frames, rows, cols])?;
    let pattern = match args.label {
        Some(label) if (1..=patterns).contains(&usize::from(label)) => usize::from(label) - 1,
        Some(label) => {
            let reason =
                format!("the film has memberships in {patterns} patterns; give 1 to {patterns}");
            return Err(Error::parameter("label", label, reason));
        }
        None => changing(&mut planes)?,
    };
    if args.label.is_none() && patterns > 1 {
        bar.note(&format!("Phi is the membership in pattern {}, which changes most", pattern + 1));
    }
    let mut film = Array3::zeros((frames, rows, cols));
    for (frame, mut out) in film.outer_iter_mut().enumerate() {
        bar.step(frame as u64, frames as u64)?;
        let (pixels, _) = planes.load(frame, pattern)?;
        out.zip_mut_with(&pixels.to_f64(), |out, &value| *out = value as f32);
    }
    let film = Film::new(film, None).map_err(error(&args.file))?;
    Ok((film, stack_units(args, &Entry::default())))
}

/// Share by which another pattern must change more to be taken: of two that replace each other, the
/// first is.
const MORE: f64 = 0.01;

/// The pattern whose mean membership changes most from the first frame to the last.
fn changing(planes: &mut Planes) -> Result<usize> {
    let [frames, patterns, ..] = planes.shape();
    let mut most = (0, -1.0);
    if frames == 0 {
        return Ok(0);
    }
    for pattern in 0..patterns {
        let mut mean = |frame| -> Result<f64> {
            let values = planes.load(frame, pattern)?.0.to_f64();
            let there = values.iter().filter(|value| value.is_finite());
            let (count, sum) = there.fold((0_u64, 0.0), |(n, sum), value| (n + 1, sum + value));
            Ok(sum / count.max(1) as f64)
        };
        let change = (mean(frames - 1)? - mean(0)?).abs();
        if change > (1.0 + MORE) * most.1 {
            most = (pattern, change);
        }
    }
    Ok(most.0)
}

/// Refuses options that the film has no use for.
fn unused(args: &Args, given: &[(&'static str, bool)], what: &str) -> Result<()> {
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::parameter(
            name,
            "given",
            format!("{} is {what}, which has no such setting; leave it out", args.file.display()),
        )),
        None => Ok(()),
    }
}

fn stack(
    args: &Args,
    file: &mut ImageFile,
    number: usize,
    frames: usize,
    bar: &Bar,
) -> Result<Film> {
    let mut film: Option<Array3<f32>> = None;
    for frame in 0..frames {
        bar.step(frame as u64, frames as u64)?;
        let (pixels, notes) = file.load(number, frame)?;
        if frame == 0 {
            notes.iter().for_each(|note| bar.note(note));
        }
        let (rows, cols) = pixels.shape();
        let film = film.get_or_insert_with(|| Array3::zeros((frames, rows, cols)));
        if film.dim() != (frames, rows, cols) {
            return Err(Error::unreadable(&args.file, "frames are of different sizes"));
        }
        let values = pixels.to_f64();
        film.index_axis_mut(Axis(0), frame)
            .zip_mut_with(&values, |out, &value| *out = value as f32);
    }
    let film = film.ok_or_else(|| Error::unreadable(&args.file, "it has no frames"))?;
    Film::new(film, args.label).map_err(error(&args.file))
}

/// Units of a stack: nm and s, as far as these are known.
fn stack_units(args: &Args, entry: &Entry) -> Option<Units> {
    let size = args.pixel_size.or(entry.pixel_size());
    let interval = args.frame_interval.or(entry.frame_interval_s.filter(|s| *s > 0.0));
    if size.is_none() && interval.is_none() {
        return None;
    }
    let (x, y) = size.map_or((1.0, 1.0), |size| (size.cols, size.rows));
    let lengths = if size.is_some() { "nm" } else { "px" };
    let times = if interval.is_some() { "s" } else { "frames" };
    let (t, name) = (interval.unwrap_or(1.0), format!("{lengths}, {times}"));
    Some(Units { x, y, t, name, first: false })
}

/// Units of an array: those of `--dx` and `--dt`, in which the equation is given first.
fn line_units(args: &Args) -> Result<Option<Units>> {
    match (args.dx, args.dt) {
        (None, None) => Ok(None),
        (x, t) => {
            let x = x.unwrap_or(1.0);
            let name = match (args.dx, args.dt) {
                (Some(_), None) => "units of dx, frames",
                (None, _) => "px, units of dt",
                _ => "units of dx, units of dt",
            };
            Ok(Some(Units { x, y: x, t: t.unwrap_or(1.0), name: name.into(), first: true }))
        }
    }
}

/// An error of the search as one of the program, with the file's name.
pub(crate) fn error(file: &Path) -> impl Fn(stemseg_dynamics::Error) -> Error {
    move |error| match error {
        stemseg_dynamics::Error::Parameter { name, value, reason } => {
            Error::Parameter { name, value, reason }
        }
        stemseg_dynamics::Error::Interrupted => Error::Interrupted,
        other => Error::unreadable(file, spelling::words(&Text::from(&*other.to_string()))),
    }
}
