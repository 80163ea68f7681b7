//! One image on its way: read, computed, written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use ndarray::ArrayView2;
use stemseg::backend::{Backend, DeviceInfo};
use stemseg::channel_maps::{ChannelMap, channel_maps};
use stemseg::io::write::{NpyRows, ResultFolder};
use stemseg::pipeline::{self, Segmentation};
use stemseg::plan::Components;
use stemseg::sites::Band;
use stemseg::{Error, Plan, Result};

use super::args::{Args, Save};
use super::maps;
use super::output::Output;
use crate::cli::progress::Bar;
use crate::cli::{Failure, input};

/// An image that was read, with a place for its result.
pub(super) struct Job {
    file: PathBuf,
    input: input::Read,
    plan: Plan,
    folder: ResultFolder,
    started: Instant,
    read: Duration,
}

/// An image that was segmented.
pub(super) struct Computed {
    job: Job,
    found: Segmentation,
    /// Maps of the best channels for each result, and how long they took.
    maps: (Vec<Vec<ChannelMap>>, Duration),
    device: DeviceInfo,
}

impl Job {
    /// Reads `file` and checks all that can be checked before computing.
    pub(super) fn read(args: &Args, file: &Path) -> Result<Self, Failure> {
        let started = Instant::now();
        let input = input::read(file, &args.input)?;
        let read = started.elapsed();
        let plan = args.plan(&input.micrograph)?;
        let target = args.target(file);
        args.all_files().try_for_each(|file| spare(file, &target))?;
        let folder = ResultFolder::create(&target, args.force)?;
        Ok(Self { file: file.to_path_buf(), input, plan, folder, started, read })
    }

    /// Segments the image on `backend`; `why` is a word on its choice.
    pub(super) fn compute(
        mut self,
        args: &Args,
        backend: &dyn Backend,
        why: Option<&str>,
        bar: &Bar,
    ) -> Result<Computed, Failure> {
        self.input.notes.iter().for_each(|note| bar.note(note));
        self.input.notes.extend(why.map(str::to_owned));
        explain(&self.plan, backend, bar)?;
        let (found, sha256) = std::thread::scope(|scope| {
            let sha256 = scope.spawn(|| input::checksum(&self.file));
            (self.segment(args, backend, bar), sha256.join())
        });
        let found = found?;
        if args.saves(Save::Maps) {
            self.write_maps(&found.plan, backend, bar)?;
        }
        self.input.summary.sha256 =
            sha256.map_err(|_| anyhow::anyhow!("the checksum failed")).map_err(Failure::Run)??;
        if found.pca.report.skipped {
            let channels = found.plan.channels();
            let note = format!("PCA was not needed: all {channels} channels are features");
            bar.note(&note);
            self.input.notes.push(note);
        }
        let begun = Instant::now();
        let maps = match args.report.wanted() {
            true => channel_maps(&self.input.micrograph, &found, backend, bar)?,
            false => Vec::new(),
        };
        let maps = (maps, begun.elapsed());
        Ok(Computed { job: self, found, maps, device: backend.device().clone() })
    }

    /// Symmetry maps of the families, with the device that is at hand.
    fn write_maps(&self, plan: &Plan, backend: &dyn Backend, bar: &Bar) -> Result<(), Failure> {
        let (micrograph, size) = (&self.input.micrograph, self.input.summary.pixel_size_nm);
        let folder = self.folder.path("maps");
        maps::write(&folder, micrograph, size, (plan, backend), bar).map_err(Failure::in_run)
    }

    fn segment(
        &self,
        args: &Args,
        backend: &dyn Backend,
        bar: &Bar,
    ) -> Result<Segmentation, Failure> {
        let count = self.plan.grid.count;
        let shape = [count.rows, count.cols, self.plan.channels()];
        let create = || NpyRows::create(&self.folder.path("descriptors.npy"), shape);
        let rows = args.saves(Save::Descriptors).then(create).transpose();
        let mut rows = rows.map_err(Failure::in_run)?;
        let mut write = rows.as_mut().map(|rows| {
            |band: &Band, values: ArrayView2<'_, f32>| {
                let shape = (band.rows.len(), band.cols, values.ncols());
                rows.write(values.to_shape(shape).expect("one row of values for each site").view())
            }
        });
        let sink = write.as_mut().map(|write| write as pipeline::DescriptorSink<'_>);
        let (micrograph, plan) = (&self.input.micrograph, self.plan.clone());
        let found = pipeline::segment(micrograph, plan, backend, bar, sink)
            .map_err(|e| input::with_path(&self.file, e))?;
        rows.map_or(Ok(()), NpyRows::finish).map_err(Failure::in_run)?;
        Ok(found)
    }
}

impl Computed {
    /// Writes the result; gives the text of its summary.json, and the result in a
    /// few words.
    pub(super) fn write(self, args: &Args, bar: &Bar) -> Result<(String, String), Failure> {
        let Self { job: Job { input, folder, started, read, .. }, found, maps, device } = self;
        let output = Output { args, input, device, started, read, maps };
        let summary = output.write(&found, &folder, bar).map_err(Failure::in_run)?;
        let place = folder.commit().map_err(Failure::in_run)?;
        Ok((summary, output.in_words(&found, &place)))
    }
}

/// Refuses to replace a folder that holds one of the run's own files.
fn spare(file: &Path, target: &Path) -> Result<()> {
    let (Ok(full), Ok(folder)) = (file.canonicalize(), target.canonicalize()) else {
        return Ok(());
    };
    match folder.is_dir() && full.starts_with(&folder) {
        true => Err(Error::parameter(
            "out",
            target.display(),
            format!("{} lies in it and would be deleted; give another --out", file.display()),
        )),
        false => Ok(()),
    }
}

/// Says what was decided and why (`--verbose`).
fn explain(plan: &Plan, backend: &dyn Backend, bar: &Bar) -> Result<(), Failure> {
    let (grid, device) = (&plan.grid, backend.device());
    let bands = pipeline::bands(plan, backend)?.len();
    bar.detail(&format!("device: {} ({}, {})", device.name, device.kind, device.backend));
    bar.detail(&format!(
        "sites: {} rows x {} columns every {} px, {} px from the border, since patch and window must fit",
        grid.count.rows, grid.count.cols, grid.stride, grid.margin
    ));
    let names: Vec<String> =
        plan.families.iter().map(|f| format!("{} ({} channels)", f.name(), f.channels())).collect();
    let kept = match plan.params.components {
        Components::Count(count) => format!("{count} features"),
        Components::Variance(share) => format!("features for {} % of the variance", 100.0 * share),
    };
    bar.detail(&format!("descriptor: {}; PCA keeps {kept}", names.join(" + ")));
    bar.detail(&format!(
        "memory: {} for bands and tiles; {bands} {}",
        ByteSize(plan.budget).display().iec(),
        if bands == 1 { "band" } else { "bands" }
    ));
    Ok(())
}
