//! The plots of a page one by one, as SVG files for papers and slides: on white, in the colours of
//! the light page, with fonts that any program has.

use std::fmt::Write;

use maud::html;
use stemseg::pipeline::{Patterns, Segmentation};

use super::channels::translations;
use super::choice::bars;
use super::features::{scatter, scree};
use super::plot::{Drawing, TEXT, WIDTH};
use crate::number::significant;

/// What roles are on white: the first colours of style.css.
pub(super) const COLOURS: [(&str, &str); 5] = [
    ("#010101", "#1b1d21"),
    ("#020202", "#5d626b"),
    ("#030303", "#e2e3e0"),
    ("#040404", "#0b6a9f"),
    ("#050505", "#ffffff"),
];

/// Fonts of most systems, of one width.
const FONTS: &str = "Arial, Helvetica, Liberation Sans, sans-serif";

/// Room at the left for the upper part of an upright title, which a page lets hang over.
const LEFT: u32 = 30;

/// Room for the colours of a map and their ends below it.
const RAMP: u32 = 110;

/// Steps of colour in the bar below a map.
const STEPS: usize = 10;

/// Names of all figures that there may be.
pub const FIGURES: [&str; 4] =
    ["number-of-patterns.svg", "scree.svg", "sites-by-features.svg", "translations.svg"];

/// A plot as a file.
pub struct Figure {
    /// Name of the file: one of [`FIGURES`].
    pub name: &'static str,
    /// The file.
    pub svg: String,
}

/// The plots of a result, those that its page has.
pub fn figures(found: &Segmentation, patterns: &Patterns) -> Vec<Figure> {
    let [choice, components, sites, map] = FIGURES;
    let mut figures = Vec::new();
    let mut add = |name, drawing: &Drawing, highest: Option<f64>| {
        figures.push(Figure { name, svg: standalone(drawing, highest) });
    };
    let chosen = found.choice.as_ref().map(|choice| (choice, choice.measures()));
    if let Some((chosen, measures)) = chosen.filter(|(_, measures)| !measures.is_empty()) {
        add(choice, &bars(chosen, &measures), None);
    }
    if !found.pca.report.skipped {
        add(components, &scree(found), None);
    }
    if found.features.ncols() > 1 {
        add(sites, &scatter(found, patterns), None);
    }
    // Of a single pattern no channel separates anything.
    if patterns.separability.iter().any(|&value| value > 0.0)
        && let Some((drawing, highest)) = translations(found, patterns)
    {
        add(map, &drawing, Some(highest));
    }
    figures
}

/// A drawing as a file of its own, above the colours of a map from 0 to `highest` where it is one.
fn standalone(drawing: &Drawing, highest: Option<f64>) -> String {
    let (head, body) = drawing.svg.split_once('>').expect("plotters draws an svg element");
    let body = body.trim_end().strip_suffix("</svg>").unwrap_or(body);
    let height: u32 = height(head);
    let whole = height + highest.map_or(0, |_| RAMP);
    let (colour, role) = (|(_, colour)| colour, |(role, _)| role);
    let resolved = COLOURS
        .into_iter()
        .fold(body.to_owned(), |svg, pair| svg.replace(role(pair), colour(pair)));
    // Bars and cells without seams.
    let resolved = resolved.replace("<rect ", "<rect shape-rendering=\"crispEdges\" ");
    let resolved =
        resolved.replace("font-family=\"sans-serif\"", &format!("font-family=\"{FONTS}\""));
    let title = html! { title { (drawing.words) } }.into_string();
    let ramp = highest.map_or(String::new(), |highest| ramp(height, highest));
    let width = LEFT + WIDTH;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg width=\"{width}\" height=\"{whole}\" \
         viewBox=\"-{LEFT} 0 {width} {whole}\" xmlns=\"http://www.w3.org/2000/svg\">\n{title}\n\
         <rect x=\"-{LEFT}\" width=\"{width}\" height=\"{whole}\" fill=\"#ffffff\"/>\n{}\n{ramp}</svg>\n",
        resolved.trim()
    )
}

/// The height that the beginning of an svg element says.
fn height(head: &str) -> u32 {
    let text = head.split_once("height=\"").and_then(|(_, rest)| rest.split_once('"'));
    text.and_then(|(number, _)| number.parse().ok()).expect("plotters gives a height")
}

/// The colours of a map from 0 to `highest`, below `top`.
fn ramp(top: u32, highest: f64) -> String {
    const SIDE: u32 = 120;
    let width = f64::from(WIDTH - SIDE - 28) / STEPS as f64;
    let mut svg = String::new();
    for step in 0..STEPS {
        let [r, g, b] = colorous::VIRIDIS.eval_rational(step, STEPS).as_array();
        let (x, y) = (f64::from(SIDE) + step as f64 * width, top + 18);
        // Writing to text cannot fail.
        let _ = writeln!(
            svg,
            "<rect shape-rendering=\"crispEdges\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"24\" \
             fill=\"#{r:02x}{g:02x}{b:02x}\"/>"
        );
    }
    let ink = COLOURS[1].1;
    // As plotters says the size of its text.
    let size = f64::from(TEXT) / 1.24;
    for (x, anchor, text) in
        [(SIDE, "start", "0".to_owned()), (WIDTH - 28, "end", significant(highest, 3))]
    {
        let y = top + 76;
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-family=\"{FONTS}\" font-size=\"{size:.1}\" \
             fill=\"{ink}\">{text}</text>"
        );
    }
    svg
}
