//! The page of a film and its equation of motion.

mod film;
mod plots;

use maud::{Markup, html};
use stemseg_dynamics::{Answer, Film, Found, Verdict, Written};

use super::document::{Heading, document};
use super::parts::{self, section};
use crate::number::{percent, significant};

/// What the page tells of.
#[derive(Debug, Clone, Copy)]
pub struct DynamicsContent<'a> {
    /// Name of the film's file.
    pub name: &'a str,
    /// The film.
    pub film: &'a Film,
    /// What was found.
    pub found: &'a Found,
}

/// The page, as HTML.
pub fn dynamics_page(content: DynamicsContent<'_>) -> String {
    let answer = &content.found.answer;
    let heading = Heading { name: content.name, what: verdict(answer.verdict) };
    let body = html! {
        (facts(&content))
        @if !answer.notes.is_empty() {
            ul.notes { @for note in &answer.notes { li { (note) } } }
        }
        (equation(answer))
        @if !answer.pareto.is_empty() { (choice(answer)) }
        @if answer.front.is_some() { (plots::front(answer)) }
        (film::whole_section(&content))
        (run(answer))
    };
    document(&heading, &body).into_string()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equation => "equation of motion",
        Verdict::NothingMoves => "nothing moves",
        Verdict::NoEquation => "no equation of this library explains the film",
    }
}

fn facts(content: &DynamicsContent<'_>) -> Markup {
    let answer = &content.found.answer;
    let [frames, rows, cols] = content.film.dim();
    let size =
        if content.film.is_line() { format!("{cols} px") } else { format!("{rows} x {cols} px") };
    let share = match answer.zero_model_error > 0.0 {
        true => percent((answer.error / answer.zero_model_error).powi(2).min(1.0)),
        false => "-".into(),
    };
    let front = answer
        .front
        .as_ref()
        .map_or("-".into(), |front| format!("{} px/frame", significant(front.speed, 3)));
    let facts = [
        ("film", format!("{frames} frames of {size}")),
        ("terms", answer.written.terms.len().to_string()),
        ("unexplained", share),
        ("boundary", front),
        ("samples", answer.samples.to_string()),
    ];
    html! { dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}

/// The equation, its coefficients, and why it is the one.
fn equation(answer: &Answer) -> Markup {
    let written = |written: &Written| {
        html! {
            pre.command { (written.equation) }
            p.note { "in " (written.units) }
        }
    };
    let body = html! {
        (written(&answer.written))
        @if let Some(other) = &answer.other_units { (written(other)) }
        @if !answer.written.terms.is_empty() {
            div.beside { (coefficients(answer)) (plots::coefficients(answer)) }
        }
        ol.note { @for reason in &answer.reasons { li { (reason) } } }
    };
    section("equation", "Equation", &body)
}

fn coefficients(answer: &Answer) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { "term" } th.number { "coefficient" } th.number { "deviation" }
                    @for way in &answer.second_ways { th.number { (way.name) } }
                    th { "kept" }
                } }
                tbody {
                    @for (i, c) in answer.written.terms.iter().enumerate() {
                        tr {
                            th { (c.term.to_string()) }
                            td.number { (significant(c.coefficient, 4)) }
                            td.number { (significant(c.std, 2)) }
                            @for way in &answer.second_ways {
                                td.number { (significant(way.coefficients[i], 4)) }
                            }
                            td { (parts::bar(c.kept)) }
                        }
                    }
                }
            }
            p.note {
                "Deviations are those of fits to resampled blocks of space and time; kept is the share of these in \
                 which the best equation of the same size has the term."
            }
        }
    }
}

/// The Pareto front.
fn choice(answer: &Answer) -> Markup {
    let body = html! {
        div.beside {
            (plots::pareto(answer))
            div.scroll {
                table {
                    thead { tr { th.number { "terms" } th.number { "error" } th { "equation" } } }
                    tbody {
                        @for c in &answer.pareto {
                            tr.total[c.recommended] {
                                td.number { (c.size) }
                                td.number { (significant(c.error, 3)) }
                                td { (c.equation) }
                            }
                        }
                    }
                }
            }
        }
    };
    section("choice", "Choice of the terms", &body)
}

fn run(answer: &Answer) -> Markup {
    let library: Vec<String> = answer.library.iter().map(ToString::to_string).collect();
    let mut entries = vec![
        (
            "bumps".to_owned(),
            format!("{} frames and {} px half width", answer.bumps.time, answer.bumps.space),
        ),
        ("terms that were tried".to_owned(), library.join(", ")),
        (
            "root mean square of Phi_t".to_owned(),
            format!("{} a frame", significant(answer.zero_model_error, 3)),
        ),
        ("of it noise".to_owned(), format!("{} a frame", significant(answer.zero_model_noise, 3))),
        ("error of the equation".to_owned(), format!("{} a frame", significant(answer.error, 3))),
    ];
    if answer.drift != [0.0; 2] {
        let [x, y] = answer.drift;
        entries.push(("drift".to_owned(), format!("{x} px a frame along x, {y} along y")));
    }
    section("run", "How it was found", &parts::list(&entries))
}
