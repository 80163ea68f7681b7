//! The steps of one image: it is read, computed by a method, and written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use ndarray::ArrayView2;
use serde_json::{Value, json};
use stemseg::backend::{Backend, DeviceInfo};
use stemseg::image::micrograph::Micrograph;
use stemseg::lattice::Repetition;
use stemseg::pipeline::{self, Also, Segmentation};
use stemseg::plan::{Components, Reduce};
use stemseg::remarks::{Remarks, Warning};
use stemseg::sites::Band;
use stemseg::threads::beside;
use stemseg::wording::Text;
use stemseg::{Error, Plan, Progress, Result, memory};
use stemseg_files::write::{NpyRows, ResultFolder};
use stemseg_report::scan;
use stemseg_report::summary::Overlay;

use crate::area::least_region_px;
use crate::batch::images::Image;
use crate::devices::{Devices, Done};
use crate::input::read::{Read, read_within, with_path};
use crate::method::{Method, Prepared};
use crate::notes::notes;
use crate::observer::{AtWork, Observer, Segmented};
use crate::result::earlier::{Earlier, Wanted};
use crate::result::names::{Names, planned};
use crate::result::symmetry_maps;
use crate::result::write::Writing;
use crate::{Request, Save, tidy};

/// What all images of a run share.
pub(crate) struct Shared<'a> {
    pub(crate) request: &'a Request,
    pub(crate) method: &'a dyn Method,
    pub(crate) observer: &'a dyn Observer,
    /// Whether there are several images.
    pub(crate) batch: bool,
    /// How many are computed at a time.
    pub(crate) jobs: usize,
    /// All files that are read.
    pub(crate) files: &'a [PathBuf],
}

/// An image that was read, with a place for its result.
pub(crate) struct Opened {
    file: PathBuf,
    input: Read,
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
pub(crate) enum Opening {
    /// It is to be segmented.
    Opened(Box<Opened>),
    /// It has been, with the same outcome.
    Kept(Earlier),
}

/// An image that was segmented.
pub(crate) struct Computed {
    opened: Opened,
    found: Segmentation,
    device: DeviceInfo,
    /// What is to be said once the result is there.
    warnings: Vec<Warning>,
}

/// A result that is in its place.
pub(crate) struct Written {
    pub(crate) place: PathBuf,
    pub(crate) summary: Value,
    pub(crate) segmented: Segmented,
}

impl Opened {
    /// Reads an image and checks all that can be checked before computing.
    pub(crate) fn read(shared: &Shared<'_>, image: &Image) -> Result<Opening> {
        let (request, started) = (shared.request, Instant::now());
        let Image { file, target } = image;
        let _at_work = AtWork::new(shared.observer, file);
        spare(shared.files, target)?;
        let earlier = request.resume.then(|| Earlier::load(target)).flatten();
        // Before anything is read: what is in its way, or another run that makes it.
        let place = || {
            let planned = planned(&request.output, file, &shared.method.clusters());
            ResultFolder::create(target, request.output.force, &planned)
        };
        let folder = earlier.is_none().then(place).transpose()?;
        let memory = request.memory_of_each(shared.jobs);
        let input = read_within(memory, file, &request.input);
        let mut input = input.map_err(|error| shared.of_several_jobs(error))?;
        let read = started.elapsed();
        // Nothing is looked for, and nothing said, of an image that shows nothing.
        input.micrograph.standardised().map_err(|error| with_path(file, error))?;
        if let Some(least) = request.least_region {
            least.pixels("least-region", input.summary.pixel_size_nm)?;
        }
        let (plan, remarks, repetition) = shared.plan(&input.micrograph)?;
        if let Some(mark) = plan.params().marks.first().filter(|_| shared.batch) {
            return Err(Error::parameter("mark", mark, "marks belong to one image; give one"));
        }
        input.remarks.extend(remarks);
        if let Some(earlier) = earlier {
            input.summary.sha256 = input.sha256()?;
            match difference(shared, file, &input, &plan, &earlier) {
                None => return Ok(Opening::Kept(earlier)),
                Some(_) if request.output.force => {}
                Some(words) => {
                    let reason = format!(
                        "the result there is another ({words}); give `force = true` to replace it, \
                         or another `out` folder"
                    );
                    return Err(Error::parameter("resume", target.display(), reason));
                }
            }
        }
        let folder = folder.map_or_else(place, Ok)?;
        let tell = |note: &String| shared.observer.note(None, &Text::literal(note));
        folder.notes().iter().for_each(tell);
        let file = file.clone();
        Ok(Opening::Opened(Box::new(Self {
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

    /// Segments the image on `devices`, by the method of the run.
    pub(crate) fn compute(mut self, shared: &Shared<'_>, devices: &Devices) -> Result<Computed> {
        self.taken(shared);
        let observer = shared.observer;
        let file = self.file.clone();
        let _at_work = AtWork::new(observer, &file);
        let note = |note: &Text| observer.note(Some(&file), note);
        self.input.remarks.notes.iter().for_each(note);
        let mut said_later = self.input.remarks.warnings.clone();
        self.input.remarks.extend(devices.remarks.clone());
        let work = |backend: &dyn Backend| {
            explain(&self.plan, backend, observer)?;
            let found = self.segment(shared, backend)?;
            if shared.request.output.saves(Save::Maps) {
                self.write_maps(&found.plan, backend, observer)?;
            }
            Ok(found)
        };
        let (done, sha256) = std::thread::scope(|scope| {
            let sha256 = beside(scope, || self.input.sha256());
            (devices.run(work), sha256.join())
        });
        let Done { result: mut found, device, warning } = done?;
        let size = self.input.summary.pixel_size_nm;
        let absorbed = tidy::absorb(&mut found, shared.request.least_region, size)?;
        if let Some(warning) = warning {
            observer.warning(Some(&file), &warning);
            self.input.remarks.warn(warning);
        }
        self.input.summary.sha256 = sha256?;
        for text in notes(&found, absorbed) {
            note(&text);
            self.input.remarks.note(text);
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
        Ok(Computed { opened: self, found, device, warnings: said_later })
    }

    /// Ends its waiting for other images.
    fn taken(&mut self, shared: &Shared<'_>) {
        if shared.batch {
            self.started += self.ready.elapsed();
        }
    }

    /// Symmetry maps of the families, with the device that is at hand.
    fn write_maps(
        &self,
        plan: &Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
    ) -> Result<()> {
        let (micrograph, size) = (&self.input.micrograph, self.input.summary.pixel_size_nm);
        let folder = self.folder.path("maps");
        symmetry_maps::write(&folder, micrograph, size, (plan, backend), progress)
            .map_err(|error| self.folder.named(error))
    }

    fn segment(&self, shared: &Shared<'_>, backend: &dyn Backend) -> Result<Segmentation> {
        let output = &shared.request.output;
        let count = self.plan.sites().grid().count;
        let shape = [count.rows, count.cols, self.plan.channels()];
        let create = || NpyRows::create(&self.folder.path("descriptors.npy"), shape);
        let rows = output.saves(Save::Descriptors).then(create).transpose();
        let mut rows = rows.map_err(|error| self.folder.named(error))?;
        let mut write = rows.as_mut().map(|rows| {
            |band: &Band, values: ArrayView2<'_, f32>| {
                let shape = (band.rows.len(), band.cols, values.ncols());
                rows.write(values.to_shape(shape).expect("one row of values for each site").view())
            }
        });
        let descriptors = write.as_mut().map(|write| write as pipeline::DescriptorSink<'_>);
        let (channel_maps, repetition) = (output.report, Some(self.repetition));
        let also = Also { descriptors, channel_maps, repetition, refinable: false };
        let (micrograph, plan) = (&self.input.micrograph, self.plan.clone());
        let found = shared
            .method
            .segment(micrograph, plan, backend, shared.observer, also)
            .map_err(|error| self.folder.named(with_path(&self.file, error)))?;
        rows.map_or(Ok(()), NpyRows::finish).map_err(|error| self.folder.named(error))?;
        Ok(found)
    }
}

impl Computed {
    /// Writes the result.
    pub(crate) fn write(mut self, shared: &Shared<'_>) -> Result<Written> {
        self.opened.taken(shared);
        let Self { opened, found, device, warnings } = self;
        let Opened { file, input, repetition, folder, started, read, .. } = opened;
        let _at_work = AtWork::new(shared.observer, &file);
        let options = &shared.request.output;
        let model = shared.method.model();
        let input = &input;
        let least_region = shared.request.least_region;
        let writing =
            Writing { options, input, repetition, model, least_region, device, started, read };
        let summary = writing.write(&found, &folder, shared.observer);
        let mut summary = summary.map_err(|error| folder.named(error))?;
        let place = folder.commit(&mut summary)?;
        let warning = |warning| shared.observer.warning(Some(&file), warning);
        let summary = Value::from(summary);
        warnings.iter().chain(&scan::warning_of(&summary)).for_each(warning);
        let Writing { device, input, .. } = writing;
        let pixel_size = input.summary.pixel_size_nm;
        let segmented = Segmented::new(found, device, pixel_size, started.elapsed());
        Ok(Written { place, summary, segmented })
    }
}

impl Shared<'_> {
    /// The plan for an image, within the memory that was given, what is to be said about it,
    /// and how the image repeats.
    ///
    /// # Errors
    /// As [`Method::prepare`], [`Plan::within`] and [`Plan::usual_memory`].
    fn plan(&self, micrograph: &Micrograph) -> Result<(Plan, Remarks, Repetition)> {
        let Prepared { plan, remarks, repetition } = self.method.prepare(micrograph)?;
        let others = if self.batch { plan.neighbours() } else { 0 };
        let budget = match self.request.memory_of_each(self.jobs) {
            Some(bytes) => bytes,
            None => {
                let available = memory::available().map(|bytes| bytes / self.jobs as u64);
                plan.usual_memory(available, others)?
            }
        };
        let plan = plan.within(budget, others).map_err(|error| self.of_several_jobs(error))?;
        Ok((plan, remarks, repetition))
    }

    /// An error about the memory of one of several jobs, which says that they share it.
    fn of_several_jobs(&self, error: Error) -> Error {
        match error {
            Error::Parameter { name: "memory", value, reason } if self.jobs > 1 => {
                let reason = format!("{reason}; {} `jobs` share what is given", self.jobs);
                Error::Parameter { name: "memory", value, reason }
            }
            other => other,
        }
    }
}

/// In what an earlier result differs from the one that would be made now.
fn difference(
    run: &Shared<'_>,
    file: &Path,
    input: &Read,
    plan: &Plan,
    earlier: &Earlier,
) -> Option<String> {
    let output = &run.request.output;
    let Names { own, shared } = Names::of(output, file, plan.params().clusters.len() > 1);
    let kind = |&k: &usize| output.label_type_for(k.try_into().unwrap_or(u16::MAX));
    let numbers = match plan.params().clusters.is_empty() {
        true => vec![plan.params().most_clusters],
        false => plan.params().clusters.clone(),
    };
    let label_types = numbers.iter().map(|k| json!(kind(k))).collect();
    let params = json!(plan.params());
    let overlay = output.overlay_options(input.summary.pixel_size_nm);
    let overlay = json!(Overlay::from(&overlay));
    let input = &input.summary;
    let model = run.method.model();
    let files = own;
    let least_region = least_region_px(run.request.least_region, input.pixel_size_nm);
    let strain_reference = output.saves(Save::Strain).then(|| json!(output.strain_reference));
    let known_lattice = output.known_lattice.map(|known| json!(known));
    let wanted = Wanted {
        input,
        params,
        model,
        least_region,
        known_lattice,
        strain_reference,
        label_types,
        overlay,
        files,
        shared,
    };
    earlier.difference(&wanted)
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
                "{} lies in it, and a run does not write where it reads; give another `out` folder",
                file.display()
            ),
        )),
        _ => Ok(()),
    }
}

/// Says what was decided and why.
fn explain(plan: &Plan, backend: &dyn Backend, observer: &dyn Observer) -> Result<()> {
    let (grid, device) = (plan.sites().grid(), backend.device());
    let bands = pipeline::bands(plan, backend)?.len();
    observer.detail(&format!("device: {} ({}, {})", device.name, device.kind, device.backend));
    let from_border = match grid.margin.rows + grid.margin.cols {
        0 => "up to the border".to_owned(),
        _ => format!("{} px from the border, since patch and window must fit", grid.margin),
    };
    let resampled = match plan.params().sampling {
        Some(_) => format!(" of the {} px that the image is resampled to", plan.sites().shape()),
        None => String::new(),
    };
    observer.detail(&format!(
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
    observer.detail(&format!("descriptor: {}; PCA keeps {kept}{factors}", names.join(" + ")));
    observer.detail(&format!(
        "memory: {} for bands and tiles; {bands} {}",
        ByteSize(plan.budget()).display().iec(),
        if bands == 1 { "band" } else { "bands" }
    ));
    Ok(())
}
