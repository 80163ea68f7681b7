//! `stemseg info`: what is in a file.

mod output;

use std::path::PathBuf;

use stemseg::lattice::{self, Lattice};
use stemseg::{Error, Progress};
use stemseg_files::read::{ImageFile, Statistics};

use super::args::{InputArgs, TalkArgs};
use super::out_of_memory::AtWork;
use super::progress::Bar;
use super::{Failure, print, print_words};

const AFTER_HELP: &str = "\
Without --stats and --lattice only headers are read, which is fast even for huge files. Images are
numbered from 0, as for --image. What is not an image, such as a spectrum, is listed with the reason.

Examples:
  stemseg info grain.emd
  stemseg info scan.ser --stats --json
  stemseg info grain.tif --lattice --json";

/// List the images in a file, with their sizes, types and calibration.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The file, recognised by content (see FORMATS.md).
    #[arg(value_name = "IMAGE")]
    file: PathBuf,

    #[command(flatten)]
    input: InputArgs,

    /// Smallest, largest and mean value of each image over all its frames (--image: of that one).
    #[arg(long)]
    stats: bool,

    /// Find the crystal lattices in the image that segment takes by default, or in that of --image.
    #[arg(long)]
    lattice: bool,

    #[command(flatten)]
    pub(super) talk: TalkArgs,
}

impl Args {
    /// Refuses options that only change which pixels are read where none are.
    fn check(&self) -> Result<(), Error> {
        let unused = [
            ("frame", self.input.frame.is_some()),
            ("roi", self.input.roi.is_some()),
            ("mask", self.input.mask.is_some()),
            ("pixel-size", self.input.pixel_size.is_some()),
        ];
        match unused.iter().find(|(_, given)| *given) {
            Some((option, _)) if !self.lattice => Err(Error::parameter(
                option,
                "given",
                "only --lattice uses it; leave it out, or add --lattice",
            )),
            _ => Ok(()),
        }
    }
}

/// What was found in a file.
struct Found {
    file: ImageFile,
    /// The only image to be shown.
    only: Option<usize>,
    /// Of each entry that is an image.
    statistics: Vec<Option<Statistics>>,
    lattices: Option<Vec<Lattice>>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    args.check()?;
    let bar = Bar::new(&args.talk);
    let _at_work = AtWork::new(&args.file);
    let mut file = ImageFile::open(&args.file)?;
    let only = args.input.image;
    if only.is_some() {
        file.choose(only)?;
    }
    let statistics = match args.stats {
        true => statistics(&mut file, only, &bar)?,
        false => vec![None; file.entries().len()],
    };
    let lattices = match args.lattice {
        true => {
            let read = stemseg_run::read(&args.file, &args.input.input())?;
            bar.remarks(&read.remarks);
            let (pixels, mask) = (read.micrograph.pixels(), read.micrograph.mask());
            Some(lattice::survey(pixels, mask.map(|mask| mask.view())).lattices)
        }
        false => None,
    };
    bar.finish();
    let found = Found { file, only, statistics, lattices };
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&output::json(&found)),
        (false, true) => Ok(()),
        (false, false) => print_words(&output::words(&args.file, &found)),
    }
}

/// Of each image that is shown.
fn statistics(
    file: &mut ImageFile,
    only: Option<usize>,
    bar: &Bar,
) -> Result<Vec<Option<Statistics>>, Error> {
    bar.stage("stats");
    let shown: Vec<bool> = file
        .entries()
        .iter()
        .enumerate()
        .map(|(number, entry)| entry.is_readable() && only.is_none_or(|only| only == number))
        .collect();
    let one = |(number, shown)| match shown {
        true => file.statistics(number, bar).map(Some),
        false => Ok(None),
    };
    shown.into_iter().enumerate().map(one).collect()
}
