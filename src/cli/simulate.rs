//! `stemseg simulate`: a micrograph whose true label map is known.

mod args;
mod output;

use stemseg::io::write::ResultFolder;
use stemseg::simulate::{Scene, simulate};

use super::progress::Bar;
use super::{Failure, print};
pub(super) use args::Args;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if args.list {
        let lines: Vec<String> =
            Scene::list().map(|(name, about)| format!("{name:24}{about}")).collect();
        return print(&lines.join("\n"));
    }
    let (scene, settings) = (args.scene()?, args.settings());
    let bar = Bar::new(&args.talk);
    let folder = ResultFolder::create(&args.target(&scene), args.force)?;
    let simulated = simulate(&scene, &settings, &bar)?;
    bar.detail(&format!(
        "lattice parameter: {} px; {} phases",
        simulated.cell,
        simulated.phases.len()
    ));

    let output = output::Output { args, scene, settings, simulated };
    let summary = output.write(&folder, &bar).map_err(Failure::in_run)?;
    let place = folder.commit().map_err(Failure::in_run)?;
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&summary),
        (false, true) => Ok(()),
        (false, false) => print(&output.in_words(&place)),
    }
}
