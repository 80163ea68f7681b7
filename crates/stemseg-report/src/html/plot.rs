//! Plots as SVG, drawn by plotters in colours that stand for roles: the styles of the
//! page give each role its colour in light and dark.

use std::ops::Range;

use maud::{Markup, PreEscaped, Render, html};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What is read.
pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
/// Axes and their numbers.
pub(super) const MUTED: RGBColor = RGBColor(2, 2, 2);
/// Lines behind the data.
pub(super) const RULE: RGBColor = RGBColor(3, 3, 3);
/// Data without a colour of their own.
pub(super) const ACCENT: RGBColor = RGBColor(4, 4, 4);
/// The background.
pub(super) const PAPER: RGBColor = RGBColor(5, 5, 5);

/// Size of text. Coordinates are whole numbers, so plots are drawn at twice the size
/// that they are shown in.
pub(super) const TEXT: u32 = 32;

/// Room for the numbers and the title of an axis.
const AXIS: u32 = 92;

/// Room at the other two sides, for a number that ends an axis.
const MARGIN: u32 = 28;

/// Width of a plot.
pub(super) const WIDTH: u32 = 1000;

/// Height of a plot that is not a map.
const HEIGHT: u32 = 680;

/// One axis of a plot.
pub(super) struct Axis<'a> {
    pub(super) range: Range<f64>,
    pub(super) title: &'a str,
    /// Numbers along it, about.
    pub(super) labels: usize,
    pub(super) format: &'a dyn Fn(&f64) -> String,
}

pub(super) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What a plot's drawing gives.
pub(super) type Drawn =
    Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>>;

/// A plot as SVG, in the colours of roles. As it is rendered, it is part of a page.
pub(super) struct Drawing {
    /// What is to be seen.
    pub(super) words: String,
    pub(super) svg: String,
}

impl Render for Drawing {
    fn render(&self) -> Markup {
        html! {
            div.plot role="img" aria-label=(self.words) { (PreEscaped(&self.svg)) }
        }
    }
}

/// A plot with its axes; `paint` draws the data. `words` say what is to be seen.
pub(super) fn plot(
    words: &str,
    x: Axis<'_>,
    y: Axis<'_>,
    paint: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Drawing {
    svg(words, HEIGHT, |root| draw(root, (x, y), false, paint))
}

/// The same with a square for the data, and no lines behind them.
pub(super) fn square(
    words: &str,
    x: Axis<'_>,
    y: Axis<'_>,
    paint: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Drawing {
    svg(words, WIDTH, |root| draw(root, (x, y), true, paint))
}

/// Text in the middle of a point.
pub(super) fn centred() -> TextStyle<'static> {
    TextStyle::from(("sans-serif", TEXT)).pos(Pos::new(HPos::Center, VPos::Center)).color(&INK)
}

fn svg(
    words: &str,
    height: u32,
    paint: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Drawn,
) -> Drawing {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let drawn = paint(&root).and_then(|()| root.present());
    drop(root);
    drawn.expect("memory takes any drawing");
    Drawing { words: words.to_owned(), svg }
}

fn draw(
    root: &DrawingArea<SVGBackend<'_>, Shift>,
    (x, y): (Axis<'_>, Axis<'_>),
    bare: bool,
    paint: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Drawn {
    let mut builder = ChartBuilder::on(root);
    builder.margin_top(MARGIN).margin_right(MARGIN);
    builder.x_label_area_size(AXIS).y_label_area_size(AXIS + MARGIN);
    let mut chart = builder.build_cartesian_2d(x.range, y.range)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().light_line_style(TRANSPARENT).bold_line_style(RULE.stroke_width(2));
    if bare {
        mesh.disable_mesh();
    }
    let text = TextStyle::from(("sans-serif", TEXT));
    mesh.axis_style(MUTED.stroke_width(2))
        .label_style(text.color(&MUTED))
        .axis_desc_style(text.color(&INK))
        .x_labels(x.labels)
        .y_labels(y.labels)
        .x_label_formatter(x.format)
        .y_label_formatter(y.format)
        .x_desc(x.title)
        .y_desc(y.title)
        .draw()?;
    paint(&mut chart)
}
