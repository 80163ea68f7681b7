//! `stemseg segment`: one micrograph in, label maps out.

mod args;
mod output;

use std::path::Path;
use std::time::Instant;

use bytesize::ByteSize;
use ndarray::ArrayView2;
use stemseg::io::write::{NpyRows, ResultFolder};
use stemseg::pipeline::{self, Segmentation};
use stemseg::plan::Components;
use stemseg::sites::Band;
use stemseg::{Error, Plan, Result, backend};

use super::progress::Bar;
use super::{Failure, input, print};
pub(super) use args::Args;
use args::Save;

/// Runs the command. Whatever is wrong with input and parameters shows before
/// anything is computed or written.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = Bar::new(&args.talk);
    let mut input = input::read(&args.input)?;
    let read = started.elapsed();
    let plan = args.plan(&input.micrograph)?;
    let (backend, why) = backend::open(&args.device)?;
    input.notes.extend(why);
    let target = args.target();
    args.files().try_for_each(|file| spare(file, &target))?;
    let folder = ResultFolder::create(&target, args.force)?;
    input.notes.iter().for_each(|note| bar.note(note));
    explain(&plan, &*backend, &bar)?;

    let (found, sha256) = std::thread::scope(|scope| {
        let sha256 = scope.spawn(|| input::checksum(&args.input.file));
        let found = compute(args, &input, &plan, &*backend, &folder, &bar);
        (found, sha256.join())
    });
    let found = found?;
    input.summary.sha256 =
        sha256.map_err(|_| anyhow::anyhow!("the checksum failed")).map_err(Failure::Run)??;

    if found.pca.report.skipped {
        let note = format!("PCA was not needed: all {} channels are features", plan.channels());
        bar.note(&note);
        input.notes.push(note);
    }
    let output = output::Output { args, input, device: backend.device().clone(), started, read };
    let summary = output.write(&found, &folder, &bar).map_err(Failure::in_run)?;
    let place = folder.commit().map_err(Failure::in_run)?;
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&summary),
        (false, true) => Ok(()),
        (false, false) => print(&output.in_words(&found, &place)),
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
fn explain(plan: &Plan, backend: &dyn backend::Backend, bar: &Bar) -> Result<(), Failure> {
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

fn compute(
    args: &Args,
    image: &input::Read,
    plan: &Plan,
    backend: &dyn backend::Backend,
    folder: &ResultFolder,
    bar: &Bar,
) -> Result<Segmentation, Failure> {
    let mut rows = match args.saves(Save::Descriptors) {
        true => Some(descriptors(&folder.path("descriptors.npy"), plan).map_err(Failure::in_run)?),
        false => None,
    };
    let mut write = rows.as_mut().map(|rows| {
        |band: &Band, values: ArrayView2<'_, f32>| {
            let shape = (band.rows.len(), band.cols, values.ncols());
            rows.write(values.to_shape(shape).expect("one row of values for each site").view())
        }
    });
    let sink = write.as_mut().map(|write| write as pipeline::DescriptorSink<'_>);
    let found = pipeline::segment(&image.micrograph, plan.clone(), backend, bar, sink)
        .map_err(|e| input::with_path(&args.input.file, e))?;
    rows.map_or(Ok(()), NpyRows::finish).map_err(Failure::in_run)?;
    Ok(found)
}

fn descriptors(path: &Path, plan: &Plan) -> Result<NpyRows> {
    NpyRows::create(path, [plan.grid.count.rows, plan.grid.count.cols, plan.channels()])
}
