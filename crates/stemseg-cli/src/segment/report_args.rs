//! The arguments of `stemseg segment` for pictures and the report.

use clap::ValueEnum;
use stemseg_report::overlay::Style;
use stemseg_run::Output;

/// The overlay and the report.
#[derive(clap::Args)]
#[command(next_help_heading = "Pictures and report")]
pub(crate) struct ReportArgs {
    /// How overlay.png shows labels: as tints, as lines along boundaries, or both.
    #[arg(long, value_enum, default_value = "tint", value_name = "STYLE")]
    overlay: StyleArg,

    /// Share of the label's colour in a tinted pixel, 0 to 1 [default: 0.45].
    #[arg(long, value_name = "SHARE", value_parser = opacity, allow_negative_numbers = true)]
    overlay_alpha: Option<f32>,

    /// Leave out report.html, features.png and channels.png.
    #[arg(long)]
    no_report: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StyleArg {
    Tint,
    Lines,
    Both,
}

fn opacity(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a share from 0 to 1, for example 0.3".into()),
    }
}

impl ReportArgs {
    /// Says in `output` what was asked for.
    pub(crate) fn choose(&self, output: &mut Output) {
        output.overlay = match self.overlay {
            StyleArg::Tint => Style::Tint,
            StyleArg::Lines => Style::Lines,
            StyleArg::Both => Style::Both,
        };
        output.alpha = self.overlay_alpha;
        output.report = !self.no_report;
        output.command = command();
    }
}

/// The command line as it was given, with the program's name alone.
fn command() -> Vec<String> {
    let mut words: Vec<String> =
        crate::words().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        *program = "stemseg".into();
    }
    words
}
