//! The page of a film: a slider through frames, curves of areas, positions and velocities, maps.

use maud::{Markup, html};
use plotters::element::{Circle, PathElement};
use plotters::style::{Color, RGBColor};

use super::document;
use super::parts::{foreign, list, section};
use super::plot::{Axis, plot};
use super::run::command;
use crate::colours;
use crate::number::significant;
use stemseg::remarks::{Remarks, Warning};

/// What a page of a film tells of.
#[derive(Debug, Clone)]
pub struct FilmPage<'a> {
    /// Name of the film's file.
    pub name: &'a str,
    /// How many patterns there are, in words, and the like.
    pub facts: Vec<(String, String)>,
    /// What is to be said of it.
    pub remarks: &'a Remarks,
    /// Frames for the slider: words, and a picture as a data URI.
    pub frames: Vec<(String, String)>,
    /// What the curves run along: `frame`, `time / s`.
    pub along: &'a str,
    /// Areas, positions and velocities.
    pub plots: Vec<Plot>,
    /// Maps.
    pub pictures: Vec<Picture>,
    /// The words of the command line that made it.
    pub command: &'a [String],
}

/// Curves over time.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Heading.
    pub title: String,
    /// What the vertical axis measures.
    pub axis: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// The label whose colour it has.
    pub label: usize,
    /// Place, value and error, where that is known.
    pub points: Vec<(f64, f64, Option<f64>)>,
}

/// A picture with words.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Heading.
    pub title: String,
    /// A data URI.
    pub uri: String,
    /// What is to be seen.
    pub words: String,
}

/// The page, as HTML.
pub fn film(page: &FilmPage<'_>) -> String {
    let heading = document::Heading { name: page.name, what: "film" };
    let body = html! {
        (section("facts", "Film", &list(&page.facts)))
        @if !page.remarks.warnings.is_empty() || !page.remarks.notes.is_empty() {
            (section("notes", "Notes", &notes(page.remarks)))
        }
        @if !page.frames.is_empty() { (section("frames", "Frames", &slider(&page.frames))) }
        @for (number, plot) in page.plots.iter().enumerate() {
            @if let Some(drawn) = curves(plot, page.along) {
                (section(&format!("curves-{number}"), &plot.title, &drawn))
            }
        }
        @for (number, picture) in page.pictures.iter().enumerate() {
            (section(&format!("map-{number}"), &picture.title, &map(picture)))
        }
        @if !page.command.is_empty() { (section("run", "Command", &command(page.command))) }
    };
    document::document(&heading, &body).into_string()
}

fn notes(remarks: &Remarks) -> Markup {
    let warning = |warning: &Warning| warning.text.to_string();
    html! {
        ul {
            @for text in remarks.warnings.iter().map(warning) { li { strong { "Warning: " } (foreign(&text)) } }
            @for text in &remarks.notes { li { (foreign(&text.to_string())) } }
        }
    }
}

fn slider(frames: &[(String, String)]) -> Markup {
    html! {
        div.film {
            input type="range" min="0" max=(frames.len() - 1) value="0" hidden aria-label="Frame";
            @for (words, uri) in frames {
                figure { img src=(uri) alt=(words) loading="lazy"; }
            }
        }
    }
}

fn map(picture: &Picture) -> Markup {
    html! {
        figure.map {
            img src=(picture.uri) alt=(picture.title);
            figcaption { (picture.words) }
        }
    }
}

/// What holds these spans, with room on both sides.
fn range(spans: impl Iterator<Item = (f64, f64)>) -> std::ops::Range<f64> {
    let widest = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = spans.fold(widest, |all, span| (all.0.min(span.0), all.1.max(span.1)));
    let room = if low < high { 0.04 * (high - low) } else { 0.5 };
    low - room..high + room
}

/// A plot of curves; nothing where none has two points.
fn curves(wanted: &Plot, along: &str) -> Option<Markup> {
    let points = || wanted.curves.iter().flat_map(|curve| &curve.points);
    let finite = || points().filter(|(x, y, _)| x.is_finite() && y.is_finite());
    if finite().count() < 2 {
        return None;
    }
    let x = range(finite().map(|(x, ..)| (*x, *x)));
    let y = range(finite().map(|(_, y, error)| {
        let error = error.filter(|error| error.is_finite()).unwrap_or(0.0);
        (y - error, y + error)
    }));
    let value = |value: &f64| significant(*value, 3);
    let x = Axis { range: x, title: along, labels: 8, format: &value };
    let y = Axis { range: y, title: &wanted.axis, labels: 6, format: &value };
    let drawn = plot(&wanted.title, x, y, |chart| {
        for curve in &wanted.curves {
            let [r, g, b] = colours::colour(curve.label);
            let colour = RGBColor(r, g, b);
            let there: Vec<_> = curve.points.iter().filter(|p| p.1.is_finite()).collect();
            let bars = there.iter().filter_map(|p| {
                let error = p.2.filter(|error| error.is_finite())?;
                let bar = vec![(p.0, p.1 - error), (p.0, p.1 + error)];
                Some(PathElement::new(bar, colour.mix(0.4).stroke_width(3)))
            });
            chart.draw_series(bars)?;
            let line: Vec<(f64, f64)> = there.iter().map(|p| (p.0, p.1)).collect();
            if line.len() <= 120 {
                chart.draw_series(line.iter().map(|&at| Circle::new(at, 6, colour.filled())))?;
            }
            chart.draw_series([PathElement::new(line, colour.stroke_width(4))])?;
        }
        Ok(())
    });
    Some(html! {
        figure {
            (drawn)
            figcaption {
                @for curve in &wanted.curves {
                    @let [r, g, b] = colours::colour(curve.label);
                    span.chip { span.swatch style=(format!("background:rgb({r} {g} {b})")) {} (curve.name) } " "
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_frames_curves_and_maps_and_nothing_foreign() {
        let remarks = Remarks { notes: vec!["a <b> note".into()], ..Remarks::default() };
        let curve = |label| Curve {
            name: format!("pattern {label}"),
            label,
            points: (0..9).map(|t| (f64::from(t), f64::from(t * t), Some(1.0))).collect(),
        };
        let one = Curve { points: vec![(0.0, 1.0, None)], ..curve(1) };
        let plot = |title: &str, curves| Plot { title: title.into(), axis: "%".into(), curves };
        let page = FilmPage {
            name: "a<script>.tif",
            facts: vec![("frames".into(), "9".into())],
            remarks: &remarks,
            frames: vec![
                ("frame 0".into(), "data:,a".into()),
                ("frame 8".into(), "data:,b".into()),
            ],
            along: "time / s",
            plots: vec![plot("Areas", vec![curve(1), curve(2)]), plot("Nothing", vec![one])],
            pictures: vec![Picture {
                title: "Velocities".into(),
                uri: "data:,c".into(),
                words: "red".into(),
            }],
            command: &["stemseg".into(), "series".into()],
        };
        let html = film(&page);
        for part in ["data:,a", "data:,b", "data:,c", "Areas", "pattern 2", "time / s", "max=\"1\""]
        {
            assert!(html.contains(part), "{part}");
        }
        assert!(!html.contains("Nothing"), "a curve of one point is not drawn");
        assert!(!html.contains("<b>") && !html.contains("a<script>"));
        assert!(
            !html.contains("http://") && !html.contains("https://") || html.contains("www.w3.org")
        );
    }
}
