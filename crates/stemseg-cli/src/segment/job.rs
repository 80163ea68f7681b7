//! One image on its way: read, computed, written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use ndarray::ArrayView2;
use serde_json::{Value, json};
use stemseg::backend::{Backend, DeviceInfo};
use stemseg::lattice::Repetition;
use stemseg::pipeline::{self, Also, Segmentation};
use stemseg::plan::{Components, Reduce};
use stemseg::remarks::{Remarks, Warning};
use stemseg::sites::Band;
use stemseg::threads::beside;
use stemseg::{Error, Plan, Result};
use stemseg_files::write::{NpyRows, ResultFolder};
use stemseg_report::summary::Overlay;

use super::args::{Args, Save};
use super::device::{Devices, Done};
use super::earlier::{Earlier, Wanted};
use super::inputs::Image;
use super::maps;
use super::output::{Output, names, planned};
use crate::out_of_memory::AtWork;
use crate::progress::Bar;
use crate::{Failure, input};

/// What all images of a run share.
pub(super) struct Shared<'a> {
    pub(super) args: &'a Args,
    pub(super) bar: &'a Bar,
    /// Whether there are several images.
    pub(super) batch: bool,
    /// How many are computed at a time.
    pub(super) jobs: usize,
    /// All files that are read.
    pub(super) files: &'a [PathBuf],
}

/// An image that was read, with a place for its result.
pub(super) struct Job {
    file: PathBuf,
    input: input::Read,
    plan: Plan,
    repetition: Repetition,
    folder: ResultFolder,
    /// When its work began, or would have without the time that it waited for other images.
    started: Instant,
    read: Duration,
    /// Since when it waits.
    ready: Instant,
}

/// What comes of reading an image.
pub(super) enum Opened {
    /// It is to be segmented.
    Job(Box<Job>),
    /// It has been, with the same outcome.
    Kept(Earlier),
}

/// An image that was segmented.
pub(super) struct Computed {
    job: Job,
    found: Segmentation,
    device: DeviceInfo,
    /// What is to be said once the result is there.
    warnings: Vec<Warning>,
}

impl Job {
    /// Reads an image and checks all that can be checked before computing.
    pub(super) fn read(shared: &Shared<'_>, image: &Image) -> Result<Opened, Failure> {
        let (args, started) = (shared.args, Instant::now());
        let Image { file, target } = image;
        let _at_work = AtWork::new(file);
        spare(shared.files, target)?;
        let earlier = args.batch.resume.then(|| Earlier::load(target)).flatten();
        // Before anything is read: what is in its way, or another run that makes it.
        let place = || -> Result<ResultFolder> {
            let planned = planned(args, file, args.clusters()?.len() > 1);
            ResultFolder::create(target, args.force, &planned)
        };
        let folder = earlier.is_none().then(place).transpose()?;
        let memory = args.memory_of_each(shared.jobs);
        let input = input::read_within(memory, file, &args.input);
        let mut input = input.map_err(|error| super::args::shared(error, shared.jobs))?;
        let read = started.elapsed();
        // Nothing is looked for, and nothing said, of an image that shows nothing.
        input.micrograph.standardised().map_err(|error| input::with_path(file, error))?;
        let (plan, remarks, repetition) =
            args.plan(&input.micrograph, shared.jobs, shared.batch)?;
        input.remarks.extend(remarks);
        if let Some(earlier) = earlier {
            input.summary.sha256 = input.sha256()?;
            match difference(args, file, &input, &plan, &earlier) {
                None => return Ok(Opened::Kept(earlier)),
                Some(_) if args.force => {}
                Some(words) => {
                    let reason = format!(
                        "the result there is another ({words}); give --force to replace it, \
                         or another --out"
                    );
                    return Err(Error::parameter("resume", target.display(), reason).into());
                }
            }
        }
        let folder = folder.map_or_else(place, Ok)?;
        folder.notes().iter().for_each(|note| shared.bar.note(note));
        let file = file.clone();
        Ok(Opened::Job(Box::new(Self {
            file,
            input,
            plan,
            repetition,
            folder,
            started,
            read,
            ready: Instant::now(),
        })))
    }

    /// Segments the image on `devices`.
    pub(super) fn compute(
        mut self,
        shared: &Shared<'_>,
        devices: &Devices,
    ) -> Result<Computed, Failure> {
        self.taken(shared);
        let (args, bar) = (shared.args, shared.bar);
        let file = self.file.clone();
        let _at_work = AtWork::new(&file);
        let about = bar.about(shared.batch.then_some(&*file));
        about.notes(&self.input.remarks.notes);
        let mut said_later = self.input.remarks.warnings.clone();
        self.input.remarks.extend(devices.remarks.clone());
        let work = |backend: &dyn Backend| {
            explain(&self.plan, backend, bar)?;
            let found = self.segment(args, backend, bar)?;
            if args.saves(Save::Maps) {
                self.write_maps(&found.plan, backend, bar)?;
            }
            Ok(found)
        };
        let (done, sha256) = std::thread::scope(|scope| {
            let sha256 = beside(scope, || self.input.sha256());
            (devices.run(work), sha256.join())
        });
        let Done { result: found, device, warning } = done?;
        if let Some(warning) = warning {
            let remarks = Remarks { warnings: vec![warning], ..Default::default() };
            about.remarks(&remarks);
            self.input.remarks.extend(remarks);
        }
        self.input.summary.sha256 = sha256?;
        if let Some(choice) = &found.choice {
            about.note(&choice.reason);
            self.input.remarks.note(choice.reason.clone());
        }
        if found.pca.report.skipped {
            let channels = found.plan.channels();
            let note = format!("PCA was not needed: all {channels} channels are features");
            about.note(&note);
            self.input.remarks.note(note);
        }
        for result in &found.results {
            let warnings = result.warnings.iter().cloned();
            let warnings = warnings.map(|warning| match found.results.len() {
                1 => warning,
                _ => warning.of(&format!("k = {}", result.map.areas.len())),
            });
            said_later.extend(warnings);
        }
        self.ready = Instant::now();
        Ok(Computed { job: self, found, device, warnings: said_later })
    }

    /// Ends its waiting for other images.
    fn taken(&mut self, shared: &Shared<'_>) {
        if shared.batch {
            self.started += self.ready.elapsed();
        }
    }

    /// Symmetry maps of the families, with the device that is at hand.
    fn write_maps(&self, plan: &Plan, backend: &dyn Backend, bar: &Bar) -> Result<(), Failure> {
        let (micrograph, size) = (&self.input.micrograph, self.input.summary.pixel_size_nm);
        let folder = self.folder.path("maps");
        maps::write(&folder, micrograph, size, (plan, backend), bar)
            .map_err(|error| self.folder.named(error).into())
    }

    fn segment(
        &self,
        args: &Args,
        backend: &dyn Backend,
        bar: &Bar,
    ) -> Result<Segmentation, Failure> {
        let count = self.plan.sites().grid().count;
        let shape = [count.rows, count.cols, self.plan.channels()];
        let create = || NpyRows::create(&self.folder.path("descriptors.npy"), shape);
        let rows = args.saves(Save::Descriptors).then(create).transpose();
        let mut rows = rows.map_err(|error| self.folder.named(error))?;
        let mut write = rows.as_mut().map(|rows| {
            |band: &Band, values: ArrayView2<'_, f32>| {
                let shape = (band.rows.len(), band.cols, values.ncols());
                rows.write(values.to_shape(shape).expect("one row of values for each site").view())
            }
        });
        let descriptors = write.as_mut().map(|write| write as pipeline::DescriptorSink<'_>);
        let (channel_maps, repetition) = (args.report.wanted(), Some(self.repetition));
        let also = Also { descriptors, channel_maps, repetition };
        let (micrograph, plan) = (&self.input.micrograph, self.plan.clone());
        let found = pipeline::segment(micrograph, plan, backend, bar, also)
            .map_err(|error| self.folder.named(input::with_path(&self.file, error)))?;
        rows.map_or(Ok(()), NpyRows::finish).map_err(|error| self.folder.named(error))?;
        Ok(found)
    }
}

impl Computed {
    /// Writes the result; gives its summary.json, and the result in a few words.
    pub(super) fn write(mut self, shared: &Shared<'_>) -> Result<(Value, String), Failure> {
        self.job.taken(shared);
        let Self { job, found, device, warnings } = self;
        let Job { file, input, repetition, folder, started, read, .. } = job;
        let _at_work = AtWork::new(&file);
        let output = Output { args: shared.args, input, repetition, device, started, read };
        let summary = output.write(&found, &folder, shared.bar);
        let mut summary = summary.map_err(|error| folder.named(error))?;
        let place = folder.commit(&mut summary)?;
        let summary = Value::from(summary);
        shared.bar.about(shared.batch.then_some(&*file)).warnings(&warnings);
        let words = match shared.batch {
            true => output.in_a_line(&found, &place),
            false => output.in_words(&found, &place),
        };
        Ok((summary, words))
    }
}

/// In what an earlier result differs from the one that would be made now.
fn difference(
    args: &Args,
    file: &Path,
    input: &input::Read,
    plan: &Plan,
    earlier: &Earlier,
) -> Option<String> {
    let (files, shared) = names(args, file, plan.params().clusters.len() > 1);
    let kind = |&k: &usize| args.formats.label_type(k.try_into().unwrap_or(u16::MAX));
    let numbers = match plan.params().clusters.is_empty() {
        true => vec![stemseg::plan::MOST_CHOSEN],
        false => plan.params().clusters.clone(),
    };
    let label_types = numbers.iter().map(|k| json!(kind(k))).collect();
    let params = json!(plan.params());
    let overlay = args.report.overlay(input.summary.pixel_size_nm);
    let overlay = json!(Overlay::from(&overlay));
    let input = &input.summary;
    earlier.difference(&Wanted { input, params, label_types, overlay, files, shared })
}

/// Refuses to replace a folder that holds one of the run's own files.
fn spare(files: &[PathBuf], target: &Path) -> Result<()> {
    let Ok(folder) = target.canonicalize() else {
        return Ok(());
    };
    let within = |file: &&PathBuf| file.canonicalize().is_ok_and(|file| file.starts_with(&folder));
    match files.iter().find(within) {
        Some(file) if folder.is_dir() => Err(Error::parameter(
            "out",
            target.display(),
            format!(
                "{} lies in it, and a run does not write where it reads; give another --out",
                file.display()
            ),
        )),
        _ => Ok(()),
    }
}

/// Says what was decided and why (`--verbose`).
fn explain(plan: &Plan, backend: &dyn Backend, bar: &Bar) -> Result<(), Failure> {
    let (grid, device) = (plan.sites().grid(), backend.device());
    let bands = pipeline::bands(plan, backend)?.len();
    bar.detail(&format!("device: {} ({}, {})", device.name, device.kind, device.backend));
    let from_border = match grid.margin.rows + grid.margin.cols {
        0 => "up to the border".to_owned(),
        _ => format!("{} px from the border, since patch and window must fit", grid.margin),
    };
    let resampled = match plan.params().sampling {
        Some(_) => format!(" of the {} px that the image is resampled to", plan.sites().shape()),
        None => String::new(),
    };
    bar.detail(&format!(
        "sites: {} rows x {} columns every {} px{resampled}, {from_border}",
        grid.count.rows, grid.count.cols, grid.stride
    ));
    let names: Vec<String> = plan
        .families()
        .iter()
        .map(|f| format!("{} ({} channels)", f.name(), f.channels()))
        .collect();
    let kept = match plan.components() {
        Components::Count(count) => format!("{count} features"),
        Components::Variance(share) => format!("features for {} % of the variance", 100.0 * share),
    };
    let factors = match plan.params().reduce {
        Reduce::Pca => "",
        Reduce::Maf => ", from which come as many autocorrelation factors as patterns",
    };
    bar.detail(&format!("descriptor: {}; PCA keeps {kept}{factors}", names.join(" + ")));
    bar.detail(&format!(
        "memory: {} for bands and tiles; {bands} {}",
        ByteSize(plan.budget()).display().iec(),
        if bands == 1 { "band" } else { "bands" }
    ));
    Ok(())
}
