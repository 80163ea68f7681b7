//! Films: a recording in, a labelled film and its kinetics out.
//!
//! ```text
//! frames --Source--> some of them --Fit--> one Model for all
//!   |                                        |
//!   +--Registration--> drift                 |
//!   +--Stream: memberships, averaged along time, in the specimen's frame--> labels
//!                                                 Account: areas, boundaries, domains
//! ```
//!
//! Frames are streamed: what is in memory does not depend on their number. What is finished lies in
//! [`NAME.unfinished`](Stopped::place) until all is, where a stopped film goes on from.

mod account;
mod compute;
mod finish;
mod fit;
mod follow;
mod labels;
mod pictures;
mod source;
mod stream;
mod tables;
mod work;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stemseg::pipeline::frames::Frames;
use stemseg::wording::Text;
use stemseg::{Error, Model, Result};
use stemseg_files::read::natural_order;
use stemseg_files::write::{LabelFrames, ResultFolder};
use stemseg_report::overlay::Style;

use crate::applied::Applied;
use crate::batch::images::{Images, Search};
use crate::batch::sweep_beside;
use crate::devices::Devices;
use crate::method::Method;
use crate::observer::Observer;
use crate::request::Request;
use crate::result::formats::Format;

pub use fit::Fit;
pub use labels::LabelKinetics;
pub use source::Status;

use account::{Account, Units};
use source::Source;
use stream::{Sink, Stream};
use tables::Scales;
use work::Work;

/// What is wanted of a film.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SeriesRequest {
    /// Files, folders and patterns of frames, in whatever order: files are taken in the natural
    /// order of their names. Settings are those of a fit to several images; `resume` goes on with an
    /// unfinished film.
    pub request: Request,
    /// Which frames the model is fitted to.
    pub fit: Fit,
    /// Whether the drift of the specimen is found, and labels are put into its frame: yes by
    /// default.
    pub register: bool,
    /// Standard deviation, in frames, of what memberships are averaged under along time; 0 for
    /// none.
    pub smooth_time: f64,
    /// Whether centroids follow patterns that change slowly: no by default.
    pub adapt: bool,
    /// Time between frames, s, for or instead of what the file says.
    pub interval_s: Option<f64>,
    /// Whether the confidence of all pixels is written, as `confidence.npy`.
    pub confidence: bool,
    /// Whether the memberships of all pixels in all patterns are written, as `memberships.npy`.
    pub memberships: bool,
    /// Whether `overlay.png`, which plays the film, and `sheet.png` are drawn: yes by default.
    pub overlay: bool,
    /// Longest film that is drawn whole: of others `overlay.png` has as many frames, evenly spread.
    pub shown: usize,
}

impl SeriesRequest {
    /// Standard deviation of the averages along time unless told otherwise, frames.
    pub const SMOOTH_TIME: f64 = 1.0;
    /// Largest standard deviation, frames.
    pub const MOST_SMOOTH_TIME: f64 = 50.0;

    /// A film of the images of `request`, with defaults for the rest.
    pub fn new(request: Request) -> Self {
        Self {
            request,
            fit: Fit::Auto,
            register: true,
            smooth_time: Self::SMOOTH_TIME,
            adapt: false,
            interval_s: None,
            confidence: false,
            memberships: false,
            overlay: true,
            shown: 200,
        }
    }

    /// Checks what can be checked without a frame.
    fn check(&self, applied: Option<&Applied>) -> Result<()> {
        let Self { request, smooth_time, interval_s, .. } = self;
        match applied {
            Some(applied) => request.check(applied)?,
            None => request.check(&request.settings)?,
        }
        if request.settings.clusters.len() > 1 {
            let numbers: Vec<String> =
                request.settings.clusters.iter().map(usize::to_string).collect();
            let reason = "a film has one number of patterns; give one, or auto";
            return Err(Error::parameter("clusters", numbers.join(","), reason));
        }
        let refused = [
            (Format::Hspy, "hspy", "films are written as tiff and npy, which HyperSpy reads too"),
            (Format::Roi, "roi", "outlines are those of a single image"),
            (Format::GeoJson, "geojson", "outlines are those of a single image"),
            (Format::Svg, "svg", "outlines are those of a single image"),
        ];
        for (format, name, reason) in refused {
            if request.output.formats.contains(&format) {
                return Err(Error::parameter("format", name, reason));
            }
        }
        if request.output.overlay != Style::Tint {
            let reason = "films are tinted; leave it out";
            return Err(Error::parameter("overlay", "lines", reason));
        }
        if !(0.0..=Self::MOST_SMOOTH_TIME).contains(smooth_time) {
            let reason = format!("give 0 to {} frames", Self::MOST_SMOOTH_TIME);
            return Err(Error::parameter("smooth-time", smooth_time, reason));
        }
        if let Some(interval) = interval_s.filter(|s| !(*s > 0.0 && s.is_finite())) {
            return Err(Error::parameter(
                "interval",
                interval,
                "give a time above 0, such as 0.5s",
            ));
        }
        Ok(())
    }
}

/// What became of a film.
#[derive(Debug)]
#[non_exhaustive]
pub enum Series {
    /// It is done.
    Done(Finished),
    /// It was stopped.
    Stopped(Stopped),
}

/// A film that is done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// The result folder.
    pub place: PathBuf,
    /// Its summary.json.
    pub summary: Value,
}

/// A film that was stopped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// The folder with what is finished; nothing where no frame is.
    pub place: Option<PathBuf>,
    /// How many frames are, from the first on.
    pub done: usize,
    /// How many there are.
    pub frames: usize,
}

/// Labels the frames of a film, by a model that is fitted to some of them, or by `applied`.
///
/// # Errors
/// What is wrong with the request, the files, the device, or the place of the result. A run that is
/// stopped is [`Series::Stopped`].
pub fn series(
    wanted: &SeriesRequest,
    applied: Option<&Applied>,
    observer: &dyn Observer,
) -> Result<Series> {
    wanted.check(applied)?;
    observer.stage("read");
    let method: &dyn Method = match applied {
        Some(applied) => applied,
        None => &wanted.request.settings,
    };
    let request = &wanted.request;
    let (files, target) = files(request, method)?;
    let work_place = Work::place(&target);
    sweep_beside([&*target], &|note| observer.note(None, &Text::literal(note)));
    let mut source = Source::open(&files, &request.input)?;
    let planned = finish::names(wanted, &target);
    let folder = ResultFolder::create(&target, request.output.force, &planned)?;
    let asked = asked(wanted, applied, &source);
    let mut work = Work::open(work_place, &asked, request.resume, request.output.force)?;
    let frames = source.frames();
    let outcome = labelled(wanted, applied, method, &mut source, &mut work, observer);
    match outcome {
        Ok(film) => {
            observer.stage("write");
            let finished = finish::finish(wanted, &mut source, work, folder, film, observer)?;
            Ok(Series::Done(finished))
        }
        Err(Error::Interrupted) => {
            let done = work.done.len();
            let place = match done {
                0 => {
                    work.remove()?;
                    None
                }
                _ => Some(work.folder().to_path_buf()),
            };
            Ok(Series::Stopped(Stopped { place, done, frames }))
        }
        Err(error) => {
            // Nothing is there to go on with; what is wrong matters more than what is left over.
            if work.done.is_empty() {
                let _ = work.remove();
            }
            Err(error)
        }
    }
}

/// All that is known of a labelled film.
pub(crate) struct Film {
    pub(crate) model: Model,
    pub(crate) account: Account,
    pub(crate) scales: Scales,
    /// Period of the crystals, px.
    pub(crate) period: Option<f64>,
    pub(crate) fitted: Vec<usize>,
    pub(crate) device: stemseg::backend::DeviceInfo,
    pub(crate) remarks: stemseg::remarks::Remarks,
}

/// Labels all frames that `work` does not have.
fn labelled(
    wanted: &SeriesRequest,
    applied: Option<&Applied>,
    method: &dyn Method,
    source: &mut Source,
    work: &mut Work,
    observer: &dyn Observer,
) -> Result<Film> {
    let request = &wanted.request;
    let devices = Devices::open(request, &method.families())?;
    let mut remarks = devices.remarks.clone();
    devices.remarks.notes.iter().for_each(|note| observer.note(None, note));
    devices.remarks.warnings.iter().for_each(|warning| observer.warning(None, warning));
    let (model, fitted) = model(wanted, applied, source, work, (&devices, observer))?;
    let frames = Frames::new(&model, source.shape())?;
    let period = model.parameters.sampling.map(|sampling| sampling.period);
    let interval = wanted.interval_s.or(source.film().interval_s());
    let scales = Scales { size: source.pixel_size(), interval };
    let (count, (rows, cols)) = (source.frames(), source.shape());
    let patterns = model.clusters();
    let kind = request.output.label_type_for(patterns as u16);
    let units = Units {
        patterns,
        period: period.unwrap_or(frames.whole().spacing() * 2.0),
        interval,
        pixel: scales.size.map(|size| size.rows * size.cols),
    };
    let mut labels = LabelFrames::open(&work.path(work::LABELS), [count, rows, cols], kind)?;
    let mut account = Account::new(units, &work.path(work::DOMAINS))?;
    for line in work.done.clone() {
        observer.check()?;
        let map = line.confidence.is_some().then(|| labels.read(line.frame)).transpose()?;
        account.add(line, map)?;
    }
    if !work.done.is_empty() {
        let note = format!("goes on after {} of {count} frames", work.done.len());
        observer.note(None, &note.into());
    }
    let array = |wanted: bool, name: &str, shape: &[usize]| {
        wanted.then(|| work.array::<f32>(name, shape)).transpose()
    };
    let confidence = array(wanted.confidence, work::CONFIDENCE, &[count, rows, cols])?;
    let memberships = array(wanted.memberships, work::MEMBERSHIPS, &[count, patterns, rows, cols])?;
    let budget = match request.memory {
        Some(bytes) => bytes,
        None => frames.whole().usual_memory(stemseg::memory::available(), 0)?,
    };
    let stream = Stream {
        frames: &frames,
        devices: &devices,
        observer,
        registered: wanted.register.then_some(period),
        smooth_time: wanted.smooth_time,
        adapt: wanted.adapt,
        budget,
        count,
    };
    observer.stage("frames");
    let mut sink = Sink { work, account: &mut account, labels, confidence, memberships };
    let (frames_before, before) = (sink.work.done.len(), devices.work());
    let streamed = stream.run(source, &mut sink);
    if let Some((work, before)) = devices.work().zip(before) {
        let frames = compute::work_done(sink.work.done.len() - frames_before, work.since(before));
        observer.detail(&frames);
    }
    account.finish()?;
    if matches!(streamed, Err(Error::Interrupted)) && !work.done.is_empty() {
        tables::write(&work.path(work::KINETICS), &account, scales)?;
    }
    streamed?;
    let device = devices.info();
    finish::remark(&account, &mut remarks);
    remarks.notes.iter().for_each(|note| observer.note(None, note));
    Ok(Film { model, account, scales, period, fitted, device, remarks })
}

/// The model that labels the film, with the frames that it was fitted to: the one that was given,
/// the one that an unfinished film has, or one that is fitted now.
fn model(
    wanted: &SeriesRequest,
    applied: Option<&Applied>,
    source: &mut Source,
    work: &Work,
    (devices, observer): (&Devices, &dyn Observer),
) -> Result<(Model, Vec<usize>)> {
    let (path, fitted) = (work.path(work::MODEL), work.path(work::FITTED));
    if work.has(work::MODEL) {
        let frames = std::fs::read(&fitted).ok();
        let frames = frames.and_then(|text| serde_json::from_slice(&text).ok());
        return Ok((Model::load(&path)?, frames.unwrap_or_default()));
    }
    let (model, frames) = match applied {
        Some(applied) => (applied.model().clone(), Vec::new()),
        None => {
            let settings = &wanted.request.settings;
            let memory = wanted.request.memory;
            // The source is read in the fit, which starts over on another device.
            let source = std::cell::RefCell::new(source);
            let done = devices.run(|backend| {
                wanted.fit.model(&mut source.borrow_mut(), settings, (backend, memory), observer)
            })?;
            if let Some(warning) = done.warning {
                observer.warning(None, &warning);
            }
            let fit::Fitted { model, frames, remarks } = done.result;
            remarks.notes.iter().for_each(|note| observer.note(None, note));
            remarks.warnings.iter().for_each(|warning| observer.warning(None, warning));
            (model, frames)
        }
    };
    work::write_json(&fitted, &frames)?;
    model.save(&path)?;
    // As whoever goes on with the film reads it.
    Ok((Model::load(&path)?, frames))
}

/// The files of the film, in their order, and the place of its result.
fn files(request: &Request, method: &dyn Method) -> Result<(Vec<PathBuf>, PathBuf)> {
    let besides = request.besides(method);
    let search = Search {
        given: &request.images,
        recursive: false,
        out: request.output.place.as_deref(),
        besides: &besides,
    };
    let Images { images, .. } = Images::find(&search)?;
    let mut files: Vec<PathBuf> = images.into_iter().map(|image| image.file).collect();
    files.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
    let target = match &request.output.place {
        Some(place) => place.clone(),
        None => place_of(&request.images, &files),
    };
    Ok((files, target))
}

/// Where the result goes: next to the file, next to the folder of frames, or in the folder of files
/// under the name of the first.
fn place_of(given: &[PathBuf], files: &[PathBuf]) -> PathBuf {
    let first = files.first().map_or(Path::new("film"), PathBuf::as_path);
    let named = match given {
        [one] if one.is_dir() && files.first() != Some(one) => {
            // `.` and `..` have no name of their own.
            std::fs::canonicalize(one).unwrap_or_else(|_| one.clone())
        }
        _ => first.to_path_buf(),
    };
    named.with_extension("stemseg")
}

/// What decides what a film becomes: where it differs, an unfinished film is another.
fn asked(wanted: &SeriesRequest, applied: Option<&Applied>, source: &Source) -> Value {
    let stamp = |path: &Path| {
        let found = std::fs::metadata(path).ok();
        let modified = found.as_ref().and_then(|found| found.modified().ok());
        let seconds = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        json!({
            "path": path.display().to_string(),
            "bytes": found.map(|found| found.len()),
            "modified_s": seconds.map(|time| time.as_secs_f64()),
        })
    };
    let SeriesRequest { request, fit, register, smooth_time, adapt, interval_s, .. } = wanted;
    json!({
        "stemseg_version": env!("CARGO_PKG_VERSION"),
        "files": source.film().files().map(stamp).collect::<Vec<_>>(),
        "input": format!("{:?}", request.input),
        "settings": format!("{:?}", request.settings),
        "model": applied.and_then(Method::model).map(|model| model.sha256),
        "fit": format!("{fit:?}"),
        "register": register,
        "smooth_time": smooth_time,
        "adapt": adapt,
        "interval_s": interval_s,
        "label_type": request.output.label_type,
        "confidence": wanted.confidence,
        "memberships": wanted.memberships,
    })
}
