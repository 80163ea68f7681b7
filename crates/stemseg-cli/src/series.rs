//! `stemseg series`: a recording in, a labelled film and its kinetics out.

mod args;

use serde_json::Value;
use stemseg_report::visible;
use stemseg_run::series::{Finished, Series, Stopped, series};

use super::progress::Bar;
use super::segment::terminal::Terminal;
use super::{Failure, print, print_words};
pub(super) use args::Args;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = &Bar::new(&args.talk);
    let terminal = Terminal { bar, talk: &args.talk };
    let (request, applied) = (args.request()?, args.applied()?);
    let outcome = series(&request, applied.as_ref(), &terminal);
    bar.finish();
    match outcome? {
        Series::Done(film) => match (args.talk.json, args.talk.quiet) {
            (true, _) => print(&format!("{:#}", film.summary)),
            (false, true) => Ok(()),
            (false, false) => print_words(&words(&film)),
        },
        Series::Stopped(Stopped { place: Some(place), done, frames, .. }) => {
            Err(Failure::Stopped(format!(
                "{done} of {frames} frames are done, in {}; --resume goes on",
                visible::path(&place)
            )))
        }
        _ => Err(Failure::Interrupted),
    }
}

/// The result for people.
fn words(film: &Finished) -> String {
    let summary = &film.summary;
    let frames = &summary["series"]["frames"];
    let count = |status: &str| frames[status].as_u64().unwrap_or_default();
    let all = summary["input"]["shape"][0].as_u64().unwrap_or_default();
    let mut lines = vec![format!("{all} frames, {} patterns", summary["patterns"])];
    let bad: Vec<String> = ["partial", "nan", "saturated", "blank"]
        .iter()
        .filter(|status| count(status) > 0)
        .map(|status| format!("{} {status}", count(status)))
        .collect();
    if !bad.is_empty() {
        lines.push(bad.join(", "));
    }
    let boundaries = summary["boundaries"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.extend(boundaries.iter().filter_map(boundary));
    lines.push(visible::path(&film.place));
    lines.join("\n")
}

/// How fast a boundary moved.
fn boundary(boundary: &Value) -> Option<String> {
    let number = |name: &str| boundary[name].as_f64();
    let with_error = |mean: f64, error: Option<f64>, unit: &str| match error {
        Some(error) => format!("{mean:.3} \u{b1} {error:.3} {unit}"),
        None => format!("{mean:.3} {unit}"),
    };
    let px = number("velocity_px_per_frame")?;
    let mut words = with_error(px, number("velocity_error_px_per_frame"), "px a frame");
    if let Some(nm) = number("velocity_nm_per_s") {
        words += &format!(" ({})", with_error(nm, number("velocity_error_nm_per_s"), "nm/s"));
    }
    let labels = &boundary["labels"];
    Some(format!("boundary {} | {} moves by {words}", labels[0], labels[1]))
}
