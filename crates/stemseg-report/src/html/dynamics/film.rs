//! The film next to its simulation, and what the equation leaves.

use maud::{Markup, html};
use ndarray::{Array2, ArrayView2, Axis};

use super::DynamicsContent;
use crate::embed;
use crate::html::parts::{ramp, section};
use crate::maps::{Map, palette};
use crate::number::significant;

/// Frames that are shown.
const SHOWN: usize = 4;

pub(super) fn whole_section(content: &DynamicsContent<'_>) -> Markup {
    let residuals = &content.found.residuals;
    let shows = residuals.iter().any(|value| value.is_finite());
    let body = html! {
        @if content.film.is_line() { (line(content)) } @else { (frames(content)) }
        @if shows {
            h3 { "What the equation leaves" }
            div.maps { (map(&Map::new("error of Phi_t a frame", residuals.view()))) }
            p.note {
                @if content.film.is_line() { "Time goes down, x to the right. " }
                "Root mean square where samples are; white: nothing changes there."
            }
        }
    };
    section("film", "Film and simulation", &body)
}

/// A film of a line: time goes down.
fn line(content: &DynamicsContent<'_>) -> Markup {
    let [frames, _, cols] = content.film.dim();
    let film = Array2::from_shape_fn((frames, cols), |(t, c)| content.film.frame(t)[(0, c)]);
    html! {
        div.maps {
            (map(&of("film", film.view())))
            @if let Some(simulated) = &content.found.simulated {
                (map(&of("simulation", simulated.index_axis(Axis(1), 0))))
            }
        }
        p.note { "Time goes down, x to the right." }
    }
}

/// Some frames, the film's above those of the simulation.
fn frames(content: &DynamicsContent<'_>) -> Markup {
    let count = content.film.dim()[0];
    let shown: Vec<usize> = (0..SHOWN).map(|i| i * (count - 1) / (SHOWN - 1)).collect();
    html! {
        div.maps {
            @for &frame in &shown { (map(&of(&format!("film, frame {frame}"), content.film.frame(frame)))) }
        }
        @if let Some(simulated) = &content.found.simulated {
            div.maps {
                @for &frame in &shown {
                    (map(&of(&format!("simulation, frame {frame}"), simulated.index_axis(Axis(0), frame))))
                }
            }
        }
    }
}

/// Values between 0 and 1.
fn of(title: &str, values: ArrayView2<'_, f32>) -> Map {
    let mut map = Map::new(title, values);
    map.range = [0.0, 1.0];
    map
}

fn map(map: &Map) -> Markup {
    let uri = embed::indexed(map.values.ncols(), &map.indices(), &palette());
    let [low, high] = map.range.map(|value| significant(f64::from(value), 3));
    html! {
        figure.map {
            figcaption { (map.title) }
            img src=(uri) alt=(format!("map of {}", map.title));
            (ramp(&low, &high))
        }
    }
}
