//! `stemseg simulate`: a micrograph or a film whose true label maps are known, or a film whose
//! equation is.

mod args;
mod film;
mod output;

use serde_json::Value;
use stemseg_files::write::ResultFolder;
use stemseg_run::sweep_beside;
use stemseg_simulate::{Scene, simulate};

use super::progress::Bar;
use super::{Failure, print, print_words};
pub(super) use args::Args;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if args.list {
        let lines: Vec<String> = Scene::list()
            .chain([(
                "film",
                "a film of phases that move (--motion), or of a known equation (--equation)",
            )])
            .map(|(name, about)| format!("{name:24}{about}"))
            .collect();
        return print(&lines.join("\n"));
    }
    if args.is_film()? {
        return film::run(args);
    }
    let (scene, settings) = (args.scene()?, args.settings());
    let bar = Bar::new(&args.talk);
    let target = args.target(&scene);
    sweep_beside([&*target], &|note| bar.note(note));
    let folder = ResultFolder::create(&target, args.force, &output::Output::planned(args))?;
    let simulated = simulate(&scene, &settings, &bar)?;
    bar.detail(&format!(
        "lattice parameter: {} px; {} phases",
        simulated.cell,
        simulated.phases.len()
    ));

    let output = output::Output { args, scene, settings, simulated };
    let summary = output.write(&folder, &bar);
    let mut summary = summary.map_err(|error| folder.named(error))?;
    let place = folder.commit(&mut summary)?;
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&format!("{:#}", Value::from(summary))),
        (false, true) => Ok(()),
        (false, false) => print_words(&output.in_words(&place)),
    }
}
