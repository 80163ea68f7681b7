//! The `stemseg` command, one file per subcommand, which turns its arguments into a checked job
//! and runs it; see `stemseg --help`. The program is [`run()`]; other front ends of stemseg, such
//! as the Python module, run it too, and make [requests](request()) of options.

mod args;
mod bench;
mod descriptor;
mod devices;
mod dynamics;
#[cfg(test)]
mod fuzz;
mod generate;
mod info;
mod out_of_memory;
mod parse;
mod progress;
mod request;
mod segment;
mod series;
mod settings;
mod signals;
mod simulate;
mod spelling;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::sync::OnceLock;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use stemseg::{Error, threads};
use stemseg_report::visible::visible;

pub use self::devices::devices;
pub use self::out_of_memory::Careful;
use self::progress::Bar;
pub use self::request::{Refused, request};

const AFTER_HELP: &str = "\
Examples:
  stemseg segment grain.npy                   label map, with as many patterns as the image shows
  stemseg segment grain.npy -k 2,3 --out r    two and three patterns, in r/k2 and r/k3
  stemseg apply --model grain.stemseg b.npy   the same patterns and labels in another image
  stemseg refine grain.stemseg --mark 9,40=2  corrected where the label of a pixel is known
  stemseg relabel grain.stemseg --merge 2+3   two of its patterns taken for one
  stemseg series film.tif -k 2                a labelled film, and how fast its boundaries move
  stemseg info grain.npy --lattice            what the file holds, and the crystal lattices in it
  stemseg devices                             the GPUs, and the one that is used
  stemseg verify grain.npy                    whether the GPU gives the CPU's result
  stemseg simulate tilt-boundary              a micrograph with its true label map
  stemseg dynamics memberships.npy            the equation of motion in a segmented film
  stemseg bench --image grain.npy             how long each stage takes with this image

Exit codes: 0 done; 1 a run failed (memory, threads, disk, device, one image of several, a
comparison that does not hold); 2 wrong use or unusable input; 130 after Ctrl-C.";

/// Segment atomic-resolution STEM micrographs by local symmetry: no training, on any GPU or none.
#[derive(Parser)]
#[command(name = "stemseg", version, after_help = AFTER_HELP, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Segment(Box<segment::Args>),
    Apply(Box<segment::ApplyArgs>),
    Refine(Box<segment::RefineArgs>),
    Relabel(Box<segment::RelabelArgs>),
    Series(Box<series::Args>),
    Verify(Box<verify::Args>),
    Info(Box<info::Args>),
    Dynamics(Box<dynamics::Args>),
    Simulate(Box<simulate::Args>),
    Bench(Box<bench::Args>),
    Devices(devices::Args),
    Completions(generate::CompletionArgs),
    Man(generate::ManArgs),
}

/// The whole command line, for what is generated from it.
fn command() -> clap::Command {
    let unlike = |arg: clap::Arg| if of_a_fit(&arg) { arg.conflicts_with("like") } else { arg };
    let brief = |command: clap::Command| command.mut_args(only_in_long_help);
    Cli::command()
        .mut_subcommand("segment", |segment| brief(segment.mut_args(unlike)))
        .mut_subcommand("apply", brief)
        .mut_subcommand("refine", |refine| brief(segment::refine_arguments(refine)))
        .mut_subcommand("relabel", |relabel| brief(segment::relabel_arguments(relabel)))
        // A film takes all frames.
        .mut_subcommand("series", |series| {
            brief(series.mut_args(unlike)).mut_arg("frame", |arg| arg.hide(true))
        })
        .mut_subcommand("verify", brief)
        .mut_subcommand("bench", brief)
}

/// Whether it is an option of a fit, whatever families there are.
fn of_a_fit(arg: &clap::Arg) -> bool {
    let heading = arg.get_help_heading().unwrap_or_default();
    let headings = ["Settings", "Descriptor", "Clustering", "Label map"];
    arg.get_id() == "clusters" || headings.iter().any(|own| heading.starts_with(own))
}

/// Refuses options of a fit together with a `--model` that is a result: what `--like` has by its name,
/// clap cannot know of a value.
fn check_model(command: &mut clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(segment) = matches.subcommand_matches("segment") else { return Ok(()) };
    let model = segment.get_one::<std::path::PathBuf>("model");
    if model.is_none_or(|model| segment::together(model).is_some()) {
        return Ok(());
    }
    let given = |arg: &&clap::Arg| {
        let source = segment.value_source(arg.get_id().as_str());
        of_a_fit(arg) && source == Some(clap::parser::ValueSource::CommandLine)
    };
    let Some(own) = command.find_subcommand("segment") else { return Ok(()) };
    let Some(arg) = own.get_arguments().find(given).map(ToString::to_string) else { return Ok(()) };
    let words = format!("the argument '--model <RESULT>' cannot be used with '{arg}'");
    Err(command.error(clap::error::ErrorKind::ArgumentConflict, words))
}

/// Hides from `-h`, which fits a screen, what is not needed every day.
fn only_in_long_help(arg: clap::Arg) -> clap::Arg {
    const HEADINGS: [&str; 4] = ["Descriptor", "Clustering", "Label map", "Pictures and report"];
    const ARGS: [&str; 14] = [
        "boundary_phases",
        "check",
        "known_lattice",
        "labels",
        "least_region",
        "marks",
        "mask_invert",
        "merge",
        "nan",
        "no_lattices",
        "outliers",
        "reduce",
        "strain_reference",
        "table",
    ];
    let heading = arg.get_help_heading().unwrap_or_default();
    let rare = HEADINGS.iter().any(|rare| heading.starts_with(rare))
        || ARGS.contains(&arg.get_id().as_str())
        || arg.is_hide_short_help_set();
    arg.hide_short_help(rare)
}

/// Why a command did not do what was asked.
pub(crate) enum Failure {
    /// Wrong use or unusable input: exit code 2.
    Usage(anyhow::Error),
    /// The run went wrong on the way, or the machine did: exit code 1.
    Run(anyhow::Error),
    /// Ctrl-C: exit code 130.
    Interrupted,
    /// Ctrl-C after something was done, in words: exit code 130.
    Stopped(String),
}

impl From<stemseg::Error> for Failure {
    fn from(error: stemseg::Error) -> Self {
        match error {
            stemseg::Error::Interrupted => Self::Interrupted,
            e if e.is_usage() => Self::Usage(anyhow::anyhow!(spelling::error(&e))),
            e => Self::Run(anyhow::anyhow!(spelling::error(&e))),
        }
    }
}

/// The words of the command line, the program's name first.
static WORDS: OnceLock<Vec<OsString>> = OnceLock::new();

/// The words of the command line that is run, the program's name first.
pub(crate) fn words() -> &'static [OsString] {
    WORDS.get().map_or(&[], Vec::as_slice)
}

/// The program: parses the `words` of a command line, the program's name first, runs the command,
/// reports, and gives the exit code. For a process of its own: signals and the memory that is put
/// aside are the program's, and arguments that are refused end it.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    signals::quiet_drivers();
    out_of_memory::prepare();
    signals::errors_for_signals();
    let words = WORDS.get_or_init(|| words.into_iter().collect());
    let mut command = command();
    let parsed = command.try_get_matches_from_mut(words).and_then(|matches| {
        check_model(&mut command, &matches)?;
        Cli::from_arg_matches(&matches)
    });
    let command = parsed.unwrap_or_else(|error| refuse(&error)).command;
    let (code, error) = match prepared(&command).and_then(|()| carry_out(&command)) {
        Ok(()) => return 0,
        Err(Failure::Usage(error)) => (2, error),
        Err(Failure::Run(error)) => (1, error),
        Err(Failure::Interrupted) => (130, anyhow::anyhow!("interrupted; nothing was written")),
        Err(Failure::Stopped(words)) => (130, anyhow::anyhow!("interrupted; {words}")),
    };
    // Where even stderr is gone, the exit code is all there is to say.
    // Names of files are in it: whatever they hold, it stays one line.
    let _ = writeln!(std::io::stderr(), "stemseg: {}", visible(&error.to_string()));
    code
}

/// Ends the program as [`clap`] does, with what was wrong with the arguments, or with the
/// help that they ask for.
fn refuse(error: &clap::Error) -> ! {
    let hostile = |word: &OsString| {
        let word = word.to_string_lossy();
        visible(&word) != word
    };
    if !error.use_stderr() || !words().iter().any(hostile) {
        error.exit();
    }
    // Without clap's colours, which could not be told from those of an argument.
    let _ = writeln!(std::io::stderr(), "{}", visible_lines(&error.render().to_string()));
    std::process::exit(error.exit_code())
}

/// Lines for people, in which nothing from elsewhere may change how they are shown.
pub(crate) fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Prints lines for people to stdout, as [`print`]. Names within them that may hold line
/// breaks go through [`visible`] before.
pub(crate) fn print_words(text: &str) -> Result<(), Failure> {
    print(&visible_lines(text))
}

/// Starts the threads that `command` computes with.
fn prepared(command: &Command) -> Result<(), Failure> {
    let talk = match command {
        Command::Segment(args) => &args.run.talk,
        Command::Apply(args) => &args.run.talk,
        Command::Refine(args) => &args.run.talk,
        Command::Relabel(args) => &args.run.talk,
        Command::Dynamics(args) => &args.talk,
        Command::Series(args) => &args.talk,
        Command::Simulate(args) => &args.talk,
        Command::Verify(args) => &args.talk,
        Command::Info(args) => &args.talk,
        Command::Bench(args) => &args.talk,
        Command::Completions(_) | Command::Man(_) | Command::Devices(_) => return Ok(()),
    };
    if let Some(note) = threads::start()? {
        Bar::new(talk).note(&note);
    }
    Ok(())
}

fn carry_out(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Segment(args) => segment::run(args),
        Command::Apply(args) => segment::apply(args),
        Command::Refine(args) => segment::refine(args),
        Command::Relabel(args) => segment::relabel(args),
        Command::Dynamics(args) => dynamics::run(args),
        Command::Series(args) => series::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Info(args) => info::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Completions(args) => generate::completions(args),
        Command::Man(args) => generate::man(args),
        Command::Devices(args) => devices::run(args),
    }
}

/// Prints to stdout as it is; a reader that has gone away is not an error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    Ok(to_stdout(text)?)
}

/// The same, for those who tell the library of it.
pub(crate) fn to_stdout(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Without its kind: advice about disks would be wrong.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("stdout")(std::io::Error::other(e.to_string())))
        }
        _ => Ok(()),
    }
}
