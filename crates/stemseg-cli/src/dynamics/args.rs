//! The arguments of `stemseg dynamics`, and what they mean.

use std::path::PathBuf;

use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};
use stemseg_dynamics::term::Term;
use stemseg_dynamics::{Options, Units};
use stemseg_run::length;

use crate::args::TalkArgs;
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  stemseg dynamics film.stemseg/memberships.npy --label 2
  stemseg dynamics film.npy --pixel-size 0.02nm --frame-interval 0.5
  stemseg dynamics wave.npy --dx 1 --dt 0.02

The result is a folder FILM.dynamics/: look at report.html in it.";

const AFTER_HELP: &str = "\
A film is a stack of memberships Phi(frame, row, column) between 0 and 1, what series --save soft writes
(memberships.npy, with --label N for pattern N), or an array u(t, x). A stack of labels is taken as 0 and 1.
x counts columns and y rows.

The result is a folder FILM.dynamics/:
  equation.json    terms, coefficients, errors, all that was found
  equation.txt     the same in words; equation.tex: the equation in LaTeX
  report.html      coefficients, choice of the terms, boundary, film next to its simulation
  simulated.npy    the equation, simulated from the first frame

Examples:
  stemseg dynamics film.stemseg/memberships.npy --label 2
  stemseg dynamics film.npy --pixel-size 0.02nm --frame-interval 0.5
  stemseg dynamics wave.npy --dx 1 --dt 0.02 --terms Phi,Phi^2,Phi^3,Phi_x,Phi_xx
  stemseg dynamics film.npy --terms +Phi^4,Phi_x^2 --out more";

/// Find the equation of motion in a segmented film.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The film, recognised by content (see FORMATS.md).
    #[arg(value_name = "FILM")]
    pub(super) file: PathBuf,

    /// Film of a file that holds several, counted from 0.
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true, help_heading = "Input")]
    pub(super) image: Option<usize>,

    /// Pixel size of a stack, if the file has none or a wrong one (0.015nm, 0.15Ax0.16A).
    #[arg(long, value_name = "LENGTH", value_parser = length::pixel_size, allow_hyphen_values = true, help_heading = "Input")]
    pub(super) pixel_size: Option<PixelSize>,

    /// Time between the frames of a stack, s.
    ///
    /// If the file has none or a wrong one.
    #[arg(long, value_name = "S", value_parser = parse::number, allow_negative_numbers = true, help_heading = "Input")]
    pub(super) frame_interval: Option<f64>,

    /// Distance of two columns of an array u(t, x), in any unit.
    #[arg(long, value_name = "X", value_parser = parse::number, allow_negative_numbers = true, help_heading = "Input")]
    pub(super) dx: Option<f64>,

    /// Time between two rows of an array u(t, x), in any unit.
    #[arg(long, value_name = "T", value_parser = parse::number, allow_negative_numbers = true, help_heading = "Input")]
    pub(super) dt: Option<f64>,

    /// Label of a stack of labels that is taken as 1, or pattern of memberships in several [default: what
    /// changes most].
    #[arg(long, value_name = "N", value_parser = parse::whole::<u16>, allow_negative_numbers = true, help_heading = "Input")]
    pub(super) label: Option<u16>,

    /// Known velocity of the whole film, px a frame: X,Y.
    #[arg(long, default_value = "0,0", value_name = "X,Y", value_parser = parse::pair, allow_hyphen_values = true, help_heading = "Equation")]
    drift: [f64; 2],

    /// Terms to try, such as Phi^2,Phi_xx; +Phi^4: in addition.
    ///
    /// A term is a power of Phi up to Phi^5 times nothing, Phi_x, Phi_y, Phi_xx, Phi_xy, Phi_yy, Phi_x^2,
    /// Phi_y^2, |grad Phi| or kappa |grad Phi| (kappa: the curvature). The usual ones are powers from 0 to 3
    /// times derivatives of order 0 to 2, squares of first derivatives, and |grad Phi|.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, help_heading = "Equation")]
    terms: Option<String>,

    /// Seed of the resampling.
    #[arg(long, default_value = "0", value_name = "N", value_parser = parse::whole::<u64>, allow_negative_numbers = true, help_heading = "Equation")]
    pub(super) seed: u64,

    /// Folder for the result [default: FILM.dynamics next to the film].
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    out: Option<PathBuf>,

    /// Replace an earlier result: only the files that its summary.json lists.
    #[arg(long, help_heading = "Output")]
    pub(super) force: bool,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

impl Args {
    /// Refuses numbers that no film has.
    pub(super) fn check(&self) -> Result<()> {
        let positive = |name, value: Option<f64>| match value {
            Some(value) if value <= 0.0 => {
                Err(Error::parameter(name, value, "give a number above 0"))
            }
            _ => Ok(()),
        };
        positive("frame-interval", self.frame_interval)?;
        positive("dx", self.dx)?;
        positive("dt", self.dt)?;
        self.terms().map(drop)
    }

    /// The folder for the result.
    pub(super) fn target(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let mut name = self.file.clone();
            let stem = name.file_stem().unwrap_or_default().to_os_string();
            let mut folder = stem;
            folder.push(".dynamics");
            name.set_file_name(folder);
            name
        })
    }

    /// Terms, and whether they come in addition.
    fn terms(&self) -> Result<Option<(Vec<Term>, bool)>> {
        let Some(text) = &self.terms else { return Ok(None) };
        let (list, more) = match text.trim().strip_prefix('+') {
            Some(list) => (list, true),
            None => (text.trim(), false),
        };
        let terms: Result<Vec<Term>, String> =
            list.split(',').map(|term| term.trim().trim_start_matches('+').parse()).collect();
        let terms = terms.map_err(|reason| Error::parameter("terms", text, reason))?;
        Ok(Some((terms, more)))
    }

    /// What is looked for.
    pub(super) fn options(&self, units: Option<Units>) -> Result<Options> {
        let mut options =
            Options { drift: self.drift, units, seed: self.seed, ..Options::default() };
        match self.terms()? {
            Some((terms, true)) => options.more_terms = terms,
            Some((terms, false)) => options.terms = Some(terms),
            None => {}
        }
        Ok(options)
    }
}
