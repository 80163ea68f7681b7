//! `stemseg info`: what is in a file.

use std::path::PathBuf;

use stemseg::lattice::{self, Lattice};

use super::args::{InputArgs, TalkArgs};
use super::progress::Bar;
use super::{Failure, input, print};

const AFTER_HELP: &str = "\
Examples:
  stemseg info grain.npy
  stemseg info grain.tif --lattice --json";

/// Say what is in a file.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The image: npy, npz, TIFF, PNG or JPEG, recognised by content.
    #[arg(value_name = "IMAGE", help_heading = "Input")]
    file: PathBuf,

    #[command(flatten)]
    input: InputArgs,

    /// Estimate the crystal lattices in the image.
    #[arg(long)]
    lattice: bool,

    #[command(flatten)]
    talk: TalkArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = Bar::new(&args.talk);
    let read = input::read(&args.file, &args.input)?;
    read.notes.iter().for_each(|note| bar.note(note));
    let lattices = args.lattice.then(|| lattice::find(read.micrograph.pixels()));
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&json(&read, lattices.as_deref())),
        (false, true) => Ok(()),
        (false, false) => print(&words(&read, lattices.as_deref())),
    }
}

fn json(read: &input::Read, lattices: Option<&[Lattice]>) -> String {
    let input = &read.summary;
    let mut value = serde_json::json!({
        "format": input.format,
        "shape": input.shape,
        "dtype": input.dtype,
        "pixel_size_nm": input.pixel_size_nm,
    });
    if let Some(lattices) = lattices {
        value["lattices"] = serde_json::json!(lattices);
    }
    format!("{value:#}")
}

fn words(read: &input::Read, lattices: Option<&[Lattice]>) -> String {
    let input = &read.summary;
    let [rows, cols] = input.shape;
    let size = input.pixel_size_nm.map_or(String::new(), |size| {
        format!(", {:.4} x {:.4} nm per pixel", size.rows, size.cols)
    });
    let mut lines = vec![format!("{}, {rows} x {cols} px, {}{size}", input.format, input.dtype)];
    match lattices {
        None => {}
        Some([]) => lines.push("no lattice: nothing repeats".into()),
        Some(lattices) => lines.extend(lattices.iter().map(line)),
    }
    lines.join("\n")
}

/// A lattice in words: vectors as rows and columns, lengths, angle.
fn line(lattice: &Lattice) -> String {
    let [a, b] = lattice.vectors;
    let length = |v: [f64; 2]| v[0].hypot(v[1]);
    let angle = ((a[0] * b[0] + a[1] * b[1]) / (length(a) * length(b))).clamp(-1.0, 1.0).acos();
    let vector = |v: [f64; 2]| format!("({:+.2}, {:+.2})", v[0], v[1]);
    format!(
        "lattice: {} and {} px (rows, columns), {:.2} and {:.2} px long, {:.1} deg apart; in {:.0} % of the windows, strength {:.2}",
        vector(a),
        vector(b),
        length(a),
        length(b),
        angle.to_degrees(),
        100.0 * lattice.share,
        lattice.strength
    )
}
