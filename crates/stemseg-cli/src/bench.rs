//! `stemseg bench`: how long each stage takes on this machine, and how well images
//! with true labels are segmented.

mod accuracy;
mod args;
mod earlier;
mod kernels;
mod table;

use ndarray::Array2;
use stemseg::backend::{self, Backend, Check, DeviceChoice};
use stemseg::image::micrograph::{Micrograph, NonFinite, PixelSize, Screening};
use stemseg::sites::Extent;
use stemseg::{Progress, Result};
use stemseg_bench::timing;
use stemseg_files::read;
use stemseg_simulate::{Scene, Settings, simulate};

use super::out_of_memory::AtWork;
use super::progress::Bar;
use super::{Failure, print, print_words};
pub(super) use args::Args;
use earlier::Earlier;

/// Electrons in a pixel of the simulated image, and grains of its polycrystal.
const DOSE: f64 = 80.0;
const GRAINS: usize = 5;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    args.check()?;
    let earlier = args.compare.as_deref().map(Earlier::read).transpose()?;
    let bar = Bar::new(&args.talk);
    if let Some(folder) = &args.accuracy.accuracy {
        return accuracy::run(folder, args, &bar);
    }
    let _at_work = args.image.as_deref().map(AtWork::new);
    let (images, pixel_size) = images(args, &bar)?;
    let first = Micrograph::new(images[0].view(), None, NonFinite::Fail)?;
    let settings = args.settings(&first.with_pixel_size(pixel_size))?;
    if args.kernels {
        return kernels::run(&images, &settings.params, args, &bar);
    }
    if let Some(warning) = earlier.as_ref().and_then(|e| e.warning(&settings.params)) {
        bar.note(warning);
    }
    let backends = backends(&args.device, &bar)?;
    let report = timing::run(&images, &backends, &settings, &bar)?;
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&format!("{:#}", serde_json::json!(report))),
        (false, true) => Ok(()),
        (false, false) => print_words(&table::table(&report, earlier.as_ref())),
    }
}

/// The images: the file's pixels with their size, or simulated ones, the same on every
/// machine.
fn images(args: &Args, progress: &dyn Progress) -> Result<(Vec<Array2<f32>>, Option<PixelSize>)> {
    let Some(path) = &args.image else {
        let simulated = args.size.iter().map(|&size| simulated(size, progress));
        return Ok((simulated.collect::<Result<_>>()?, None));
    };
    let loaded = read::read(path, None)?;
    let micrograph = loaded
        .pixels
        .to_micrograph(Screening { non_finite: NonFinite::Mean, ..Default::default() })
        .and_then(|micrograph| micrograph.standardised().map(|pixels| pixels.to_owned()));
    let image = micrograph.map_err(|e| stemseg_run::with_path(path, e))?;
    Ok((vec![image], args.pixel_size.or(loaded.entry.pixel_size())))
}

fn simulated(size: usize, progress: &dyn Progress) -> Result<Array2<f32>> {
    let scene = Scene::new("polycrystal", &[], Some(GRAINS))?;
    let size = Extent::square(size);
    let settings = Settings { size, dose: Some(DOSE), ..Default::default() };
    Ok(simulate(&scene, &settings, progress)?.image)
}

/// The devices, each once.
fn backends(choices: &[DeviceChoice], bar: &Bar) -> Result<Vec<Box<dyn Backend>>> {
    let mut backends: Vec<Box<dyn Backend>> = Vec::new();
    for choice in choices {
        // What is timed is the device alone.
        let (backend, remarks) = backend::open(choice, Check::Off, &[])?;
        bar.remarks(&remarks);
        match backends.iter().any(|there| there.device() == backend.device()) {
            true => {
                bar.note(&format!("{} is listed twice; it is timed once", backend.device().name))
            }
            false => backends.push(backend),
        }
    }
    Ok(backends)
}
