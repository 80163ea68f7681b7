//! The arguments of `stemseg series`, and the request that they make.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::Result;
use stemseg::model::Scale;
use stemseg_run::series::{Fit, SeriesRequest};
use stemseg_run::{Applied, Request};

use crate::args::{InputArgs, TalkArgs};
use crate::parse::{self, Clusters};
use crate::segment::formats::FormatArgs;
use crate::segment::report_args::ReportArgs;
use crate::segment::run_args::{DeviceArgs, PlaceArgs};
use crate::settings::{Preset, SettingsArgs};

const EXAMPLES: &str = "\
Examples:
  stemseg series film.tif -k 2
  stemseg series frames -k 2 --interval 0.5s --out film
  stemseg series film.dm4 --like first.stemseg --resume

The result is a folder: look at report.html, overlay.png and kinetics.csv in it.";

const AFTER_HELP: &str = "\
The result is a folder NAME.stemseg/ next to the film:
  labels.npy          [frames, rows, cols], in the frame of the specimen; 0 what is not seen
  labels.tif          the same as a hyperstack for Fiji; --format ome-zarr: NAME.ome.zarr, with the film
  kinetics.csv        of each frame: drift, areas, boundaries and how fast they move
  domains.csv         connected domains through the frames: births, deaths, merges, splits
  overlay.png         the film tinted by label, animated; sheet.png: some frames of it
  report.html         area curves, velocities, a slider through frames
  summary.json        parameters, device, mean velocities, notes
  model.json          the patterns, for stemseg apply and --like
A label means the same in all frames: one model is fitted to some of them and applied to all.
Frames are streamed: memory does not grow with the film. What is finished lies in
NAME.stemseg.unfinished/ until all is; --resume goes on from there.

Examples:
  stemseg series film.tif -k 2
  stemseg series 'frames/*.dm4' -k 2 --interval 0.5s
  stemseg series film.ser -k 3 --fit 0,120,240 --register off --smooth-time 0
  stemseg series film.npy -k 2 --format npy,tiff,ome-zarr --save soft
  stemseg series later.tif --like film.stemseg";

/// Segment the frames of a film, with one set of labels, and measure what moves.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Stack, folder of frames, files, or file name patterns in quotes ('frames/*.tif').
    ///
    /// Files are taken in the natural order of their names (frame2 before frame10).
    #[arg(value_name = "FILM", required = true)]
    files: Vec<PathBuf>,

    /// Number of patterns, or auto to find it.
    ///
    /// auto takes as many as the frames that are fitted to show, up to 8; auto:6 up to 6.
    #[arg(short = 'k', long, value_name = "auto|K", value_delimiter = ',', default_value = "auto", value_parser = parse::clusters, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<Clusters>,

    /// Find the patterns of an earlier result; nothing is fitted.
    #[arg(long, value_name = "RESULT", help_heading = None)]
    like: Option<PathBuf>,

    #[command(flatten)]
    film: FilmArgs,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// Go on with an unfinished film.
    ///
    /// Its result is the same as without the pause. With --force another one is started over.
    #[arg(long, help_heading = "Output")]
    resume: bool,

    /// Also write confidence, or soft (memberships), joined by commas.
    ///
    /// confidence: confidence.npy [frames, rows, cols], how sure each pixel is of its label, 0 to 1. soft:
    /// memberships.npy [frames, k, rows, cols], how much each pixel belongs to each pattern, 0 to 1.
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        value_enum,
        hide_possible_values = true,
        help_heading = "Output"
    )]
    save: Vec<Save>,

    #[command(flatten)]
    report: ReportArgs,

    #[command(flatten)]
    formats: FormatArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

/// What only films have.
#[derive(clap::Args)]
#[command(next_help_heading = "Film")]
struct FilmArgs {
    /// Frames to fit to: auto, first, all, how many, or a list.
    ///
    /// auto takes frames spread over the film, and adds those that show what these do not. A number is of frames
    /// evenly spread; a list is such as 0,40,80, and a single frame is given with a comma (40,).
    #[arg(long, value_name = "FRAMES", default_value = "auto", value_parser = fit, allow_hyphen_values = true)]
    fit: Fit,

    /// Find the drift of the specimen (auto), or do not (off).
    ///
    /// Where it is found, labels lie in the frame of the specimen.
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "HOW",
        hide_possible_values = true
    )]
    register: Register,

    /// Average along time, standard deviation in frames; 0 for none.
    #[arg(long, value_name = "N", default_value_t = SeriesRequest::SMOOTH_TIME, value_parser = parse::number, allow_negative_numbers = true)]
    smooth_time: f64,

    /// Let the patterns follow slow changes of focus, thickness and tilt.
    ///
    /// After each frame, the centroid of a pattern goes a twentieth of the way to the mean of what surely belongs
    /// to it; it stays where it would come nearer to another pattern. kinetics.csv says how far each has moved, in
    /// standard deviations.
    #[arg(long, hide_short_help = true)]
    adapt: bool,

    /// Leave out overlay.png, which plays the film, and sheet.png.
    #[arg(long, hide_short_help = true)]
    no_overlay: bool,

    /// Time between frames, if the file has none or a wrong one (0.5s, 40ms).
    #[arg(long, value_name = "TIME", value_parser = interval, allow_hyphen_values = true)]
    interval: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Register {
    Auto,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Save {
    Confidence,
    Soft,
}

/// Which frames are fitted to.
fn fit(text: &str) -> Result<Fit, String> {
    let number = |text: &str| parse::whole::<usize>(text);
    match text.trim() {
        "auto" => Ok(Fit::Auto),
        "first" => Ok(Fit::First),
        "all" => Ok(Fit::All),
        list if list.contains(',') => {
            let frames = list.split(',').filter(|part| !part.trim().is_empty()).map(number);
            frames.collect::<Result<Vec<usize>, String>>().map(Fit::Frames)
        }
        text => number(text).map(Fit::Count).map_err(|_| {
            format!("'{text}' is none of auto, first, all, a number of frames, and a list of them (0,40,80)")
        }),
    }
}

/// A time, s.
fn interval(text: &str) -> Result<f64, String> {
    const UNITS: [(&str, f64); 5] =
        [("ms", 1e-3), ("us", 1e-6), ("\u{b5}s", 1e-6), ("min", 60.0), ("s", 1.0)];
    let text = text.trim();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let parsed = unit.and_then(|(unit, seconds)| {
        let number = text[..text.len() - unit.len()].trim().parse::<f64>().ok()?;
        Some(number * seconds)
    });
    match parsed {
        Some(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err(format!("'{text}' is not a time above 0; give 0.5s, 40ms or 2min, for example")),
    }
}

impl Args {
    /// The request that they make.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`].
    pub(super) fn request(&self) -> Result<SeriesRequest> {
        let mut request = Request::new(&self.files);
        request.input = self.input.input();
        self.device.choose(&mut request);
        self.place.choose(&mut request);
        self.formats.choose(&mut request.output);
        self.report.choose(&mut request.output);
        request.resume = self.resume;
        request.settings = self.settings.settings(parse::numbers(&self.clusters)?, Preset::Auto)?;
        let mut wanted = SeriesRequest::new(request);
        wanted.fit = self.film.fit.clone();
        wanted.register = matches!(self.film.register, Register::Auto);
        wanted.smooth_time = self.film.smooth_time;
        wanted.interval_s = self.film.interval;
        wanted.adapt = self.film.adapt;
        wanted.overlay = !self.film.no_overlay;
        wanted.confidence = self.save.contains(&Save::Confidence);
        wanted.memberships = self.save.contains(&Save::Soft);
        Ok(wanted)
    }

    /// The model that labels the film, where nothing is to be fitted.
    ///
    /// # Errors
    /// As [`Applied::load`].
    pub(super) fn applied(&self) -> Result<Option<Applied>> {
        self.like.as_deref().map(|place| Applied::load(place, Scale::Auto)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_to_fit_to_and_times_are_read() {
        assert_eq!(fit("auto"), Ok(Fit::Auto));
        assert_eq!(fit("12"), Ok(Fit::Count(12)));
        assert_eq!(fit("0, 40,80"), Ok(Fit::Frames(vec![0, 40, 80])));
        assert_eq!(fit("40,"), Ok(Fit::Frames(vec![40])));
        assert!(fit("some").unwrap_err().contains("'some' is none of"));
        assert!(fit("1,x").is_err());
        for (text, seconds) in [("0.5s", 0.5), ("40ms", 0.04), ("2 min", 120.0), ("3us", 3e-6)] {
            assert!((interval(text).unwrap() / seconds - 1.0).abs() < 1e-12, "{text}");
        }
        for wrong in ["", "5", "-1s", "0s", "infs", "s"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
