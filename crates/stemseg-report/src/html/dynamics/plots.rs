//! Plots of an equation: coefficients, the Pareto front, the boundary.

use std::ops::Range;

use maud::{Markup, html};
use plotters::prelude::*;
use stemseg_dynamics::{Along, Answer};

use crate::html::parts::section;
use crate::html::plot::{ACCENT, Axis, INK, MUTED, plot};
use crate::number::significant;

/// The range of some numbers with room around them.
fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let room = 0.06 * (high - low).max(1e-3 * high.abs()).max(1e-9);
    low - room..high + room
}

/// Numbers at whole places alone.
fn whole(value: &f64) -> String {
    match value.fract().abs() < 1e-6 {
        true => format!("{value:.0}"),
        false => String::new(),
    }
}

/// Each coefficient with its deviation and what the second way says, all relative to itself.
pub(super) fn coefficients(answer: &Answer) -> Markup {
    let terms = &answer.written.terms;
    let relative = |i: usize, value: f64| value / terms[i].coefficient;
    let deviation = |i: usize| (terms[i].std / terms[i].coefficient).abs();
    let seconds: Vec<(usize, f64)> = answer
        .second_ways
        .iter()
        .flat_map(|way| {
            way.coefficients.iter().enumerate().map(|(i, &value)| (i, relative(i, value)))
        })
        .collect();
    let bars = (0..terms.len()).flat_map(|i| [1.0 - 2.0 * deviation(i), 1.0 + 2.0 * deviation(i)]);
    let name = |at: &f64| match (at.fract().abs() < 1e-6, terms.get((*at - 1.0) as usize)) {
        (true, Some(c)) if *at >= 1.0 => c.term.to_string(),
        _ => String::new(),
    };
    let format = |value: &f64| significant(*value, 3);
    let last = terms.len() as f64;
    let x = Axis { range: 0.4..last + 0.6, title: "term", labels: terms.len() + 1, format: &name };
    let y = Axis {
        range: range(bars.chain(seconds.iter().map(|s| s.1)).chain([0.9, 1.1])),
        title: "relative to itself",
        labels: 5,
        format: &format,
    };
    let drawing =
        plot("coefficients with their deviations", x, y, |chart| {
            for i in 0..terms.len() {
                let at = (i + 1) as f64;
                let ends = [1.0 - 2.0 * deviation(i), 1.0 + 2.0 * deviation(i)];
                chart.draw_series([PathElement::new(
                    ends.map(|end| (at, end)),
                    ACCENT.stroke_width(6),
                )])?;
            }
            chart.draw_series(
                (1..=terms.len()).map(|i| Circle::new((i as f64, 1.0), 12, ACCENT.filled())),
            )?;
            chart.draw_series(seconds.iter().map(|&(i, value)| {
                TriangleMarker::new((i as f64 + 1.15, value), 14, INK.filled())
            }))?;
            Ok(())
        });
    html! {
        figure {
            (drawing)
            figcaption {
                "Coefficients (circles) with two standard deviations to both sides"
                @if !answer.second_ways.is_empty() { "; triangles: the same terms fitted to the smoothed film" }
                "."
            }
        }
    }
}

/// Error against the number of terms, with what noise makes of it.
pub(super) fn pareto(answer: &Answer) -> Markup {
    let log = |value: f64| value.max(1e-12).log10();
    let points: Vec<(f64, f64)> =
        answer.pareto.iter().map(|c| (c.size as f64, log(c.error))).collect();
    let noise: Vec<(f64, f64)> =
        answer.pareto.iter().map(|c| (c.size as f64, log(c.noise_error))).collect();
    let zero = log(answer.zero_model_error);
    let all = points.iter().chain(&noise).map(|p| p.1).chain([zero]);
    let power = |value: &f64| significant(10_f64.powf(*value), 2);
    let last = points.len() as f64;
    let x =
        Axis { range: -0.3..last + 0.4, title: "terms", labels: points.len() + 1, format: &whole };
    let y = Axis { range: range(all), title: "error of Phi_t a frame", labels: 6, format: &power };
    let drawing = plot("error against number of terms", x, y, |chart| {
        chart.draw_series([PathElement::new(noise.clone(), MUTED.stroke_width(4))])?;
        let line: Vec<(f64, f64)> =
            std::iter::once((0.0, zero)).chain(points.iter().copied()).collect();
        chart.draw_series([PathElement::new(line.clone(), INK.stroke_width(3))])?;
        chart.draw_series(line.into_iter().map(|at| Circle::new(at, 7, INK.filled())))?;
        let chosen = answer.pareto.iter().zip(&points).filter(|(c, _)| c.recommended);
        chart.draw_series(chosen.map(|(_, &at)| Circle::new(at, 16, ACCENT.filled())))?;
        Ok(())
    });
    html! {
        figure {
            (drawing)
            figcaption {
                "Error in held-out blocks of the best equation of each size; 0 terms: nothing moves. The grey line \
                 is what noise alone makes of it, the large circle the equation that is recommended."
            }
        }
    }
}

/// The boundary in the film and in the simulated film, and how far these differ.
pub(super) fn front(answer: &Answer) -> Markup {
    let Some(front) = &answer.front else { return html! {} };
    let points = |places: &[Option<f64>]| -> Vec<(f64, f64)> {
        places.iter().enumerate().filter_map(|(t, place)| Some((t as f64, (*place)?))).collect()
    };
    let measured = points(&front.places);
    let simulated = answer.forward.as_ref().and_then(|forward| forward.front.as_ref());
    let predicted = simulated
        .filter(|simulated| simulated.along == front.along)
        .map_or(Vec::new(), |simulated| points(&simulated.places));
    let title = match front.along {
        Along::X => "place along x, px",
        Along::Y => "place along y, px",
        Along::Area => "side of the area, px",
    };
    let format = |value: &f64| significant(*value, 3);
    let last = front.places.len() as f64;
    let x = || Axis { range: -0.02 * last..1.02 * last, title: "frame", labels: 6, format: &whole };
    let all = measured.iter().chain(&predicted).map(|p| p.1);
    let y = Axis { range: range(all), title, labels: 6, format: &format };
    let drawing = plot("place of the boundary in each frame", x(), y, |chart| {
        let step = measured.len().div_ceil(150).max(1);
        let dots = measured.iter().step_by(step).map(|&at| Circle::new(at, 8, MUTED.filled()));
        chart.draw_series(dots)?;
        chart.draw_series([PathElement::new(predicted.clone(), ACCENT.stroke_width(6))])?;
        Ok(())
    });
    let body = html! {
        div.beside {
            figure {
                (drawing)
                figcaption {
                    "The boundary in the film (circles): " (significant(front.speed, 4)) " +- "
                    (significant(front.deviation, 2)) " px a frame"
                    @if let Some(simulated) = simulated {
                        "; in the simulated film (line): " (significant(simulated.speed, 4))
                    }
                    "."
                }
            }
            @if answer.forward.is_some() { (errors(answer, x())) }
        }
    };
    section("boundary", "Boundary", &body)
}

/// Difference of the simulated film, frame by frame.
fn errors(answer: &Answer, x: Axis<'_>) -> Markup {
    let Some(forward) = &answer.forward else { return html! {} };
    let line = |values: &[f64]| -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(t, &value)| (t as f64, value)).collect()
    };
    let (own, still) = (line(&forward.error), line(&forward.still));
    let format = |value: &f64| significant(*value, 2);
    let all = own.iter().chain(&still).map(|p| p.1).chain([0.0]);
    let y = Axis { range: range(all), title: "difference", labels: 5, format: &format };
    let drawing = plot("difference of the simulated film", x, y, |chart| {
        chart.draw_series([PathElement::new(still.clone(), MUTED.stroke_width(4))])?;
        chart.draw_series([PathElement::new(own.clone(), ACCENT.stroke_width(6))])?;
        Ok(())
    });
    html! {
        figure {
            (drawing)
            figcaption {
                "Root mean square difference between the film and its simulation from the first frame (in colour), \
                 and between the film and its first frame (grey)."
            }
        }
    }
}
