//! `stemseg dynamics`: the equation of motion in a segmented film.

mod args;
mod film;
mod output;

use serde_json::Value;
use stemseg::Progress;
use stemseg_files::read::ImageFile;
use stemseg_files::write::ResultFolder;
use stemseg_run::sweep_beside;

use super::out_of_memory::AtWork;
use super::progress::Bar;
use super::{Failure, print, print_words};
pub(super) use args::Args;
pub(super) use film::error as film_error;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    args.check()?;
    let bar = Bar::new(&args.talk);
    let _at_work = AtWork::new(&args.file);
    let file = ImageFile::open(&args.file)?;
    let target = args.target();
    sweep_beside([&*target], &|note| bar.note(note));
    let folder = ResultFolder::create(&target, args.force, &output::planned())?;
    bar.stage("read");
    let (film, units) = film::read(args, file, &bar)?;
    bar.stage("dynamics");
    let options = args.options(units)?;
    let stop = || bar.check().is_err();
    let found = stemseg_dynamics::find(&film, &options, &stop).map_err(film::error(&args.file))?;
    bar.check()?;
    bar.stage("write");
    let written = output::write(&folder, args, &film, &found);
    let mut summary = written.map_err(|error| folder.named(error))?;
    bar.check()?;
    let place = folder.commit(&mut summary)?;
    bar.finish();
    for note in &found.answer.notes {
        bar.note(note);
    }
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&format!("{:#}", Value::from(summary))),
        (false, true) => Ok(()),
        (false, false) => print_words(&output::words(&found.answer, &place)),
    }
}
