//! The arguments of `stemseg segment` about what one looks at.

use clap::ValueEnum;
use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};
use stemseg_report::overlay::{OverlayOptions, Style};

/// The overlay and the report.
#[derive(clap::Args)]
#[command(next_help_heading = "Pictures and report")]
pub(super) struct ReportArgs {
    /// Labels in overlay.png: as tints, as lines along their boundaries, or both.
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
    /// Whether the report and the maps are to be made.
    pub(super) fn wanted(&self) -> bool {
        !self.no_report
    }

    /// Checks what does not go together.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the strength of a tint that is not drawn.
    pub(super) fn check(&self) -> Result<()> {
        match (self.overlay, self.overlay_alpha) {
            (StyleArg::Lines, Some(alpha)) => Err(Error::parameter(
                "overlay-alpha",
                alpha,
                "--overlay lines draws no tint; leave it out, or give --overlay both",
            )),
            _ => Ok(()),
        }
    }

    /// How the overlay is drawn.
    pub(super) fn overlay(&self, pixel_size: Option<PixelSize>) -> OverlayOptions {
        OverlayOptions {
            style: match self.overlay {
                StyleArg::Tint => Style::Tint,
                StyleArg::Lines => Style::Lines,
                StyleArg::Both => Style::Both,
            },
            alpha: self.overlay_alpha.unwrap_or(OverlayOptions::ALPHA),
            pixel_size,
        }
    }
}
