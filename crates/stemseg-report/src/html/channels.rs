//! Which channels tell the patterns apart.

use maud::{Markup, html};
use plotters::prelude::*;

use super::Content;
use super::parts::{bar, ramp, section as section_of};
use super::plot::{Axis, Drawing, square};
use crate::number::{minus, significant};
use stemseg::descriptor::Translation;
use stemseg::image::micrograph::PixelSize;
use stemseg::pipeline::{Patterns, Segmentation};

/// Channels that are listed.
const MOST_BARS: usize = 10;

/// Translations from which a map of them is worth a look.
const LEAST_MAPPED: usize = 9;

/// The frame of the best translation: dark in either theme, on the lightest colour.
const FRAME: RGBColor = RGBColor(27, 29, 33);

/// A channel with its separability.
struct Channel {
    name: String,
    value: f64,
}

/// The section; nothing where no channel separates anything (one pattern).
pub(super) fn section(content: Content<'_>) -> Markup {
    let values = content.patterns.separability.to_vec();
    if values.iter().all(|&value| value <= 0.0) {
        return html! {};
    }
    let best = best(&content, &values);
    let highest = best.first().map_or(1.0, |channel| channel.value);
    let maps = &content.pictures.channels;
    let body = html! {
        div.beside {
            (translations_figure(&content))
            figure {
                ol.bars {
                    @for channel in &best {
                        li {
                            span { (channel.name) }
                            (bar(channel.value / highest))
                            span.number { (significant(channel.value, 3)) }
                        }
                    }
                }
                figcaption {
                    "The best channels by Fisher's separability: the sum of squares between the patterns over "
                    "that within them."
                }
            }
        }
        @if !maps.is_empty() {
            h3 { "The best channels that differ from one another" }
            div.maps { @for map in maps { (map.figure()) } }
        }
    };
    section_of("channels", "Channels", &body)
}

/// The best channels; a translation stands for its opposite too.
fn best(content: &Content<'_>, values: &[f64]) -> Vec<Channel> {
    let names = content.found.plan.channel_names();
    let translations = content.found.plan.translations();
    let mut order: Vec<usize> = (0..values.len()).filter(|&c| values[c] > 0.0).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut listed: Vec<usize> = Vec::new();
    for channel in order {
        let back = translations[channel].map(Translation::opposite);
        let opposite = |&other: &usize| back.is_some() && back == translations[other];
        if listed.len() < MOST_BARS && !listed.iter().any(opposite) {
            listed.push(channel);
        }
    }
    let name = |channel: usize| match translations[channel] {
        Some(t) => {
            let t_px = minus(&t.to_string());
            let scale = content.found.plan.frame().scale;
            format!("± {t_px} px{}", in_nm(t, content.micrograph.pixel_size, scale))
        }
        None => names[channel].clone(),
    };
    listed.into_iter().map(|c| Channel { name: name(c), value: values[c] }).collect()
}

/// Length of a translation, where the file is calibrated; `scale` px of what was described
/// are one of the image.
fn in_nm(t: Translation, pixel_size: Option<PixelSize>, scale: f64) -> String {
    let length = |size: PixelSize| {
        (f64::from(t.rows) * size.rows).hypot(f64::from(t.cols) * size.cols) / scale
    };
    pixel_size.map_or(String::new(), |size| format!(", {} nm", significant(length(size), 3)))
}

/// Separability over the translations, where there are enough of them, and the highest of it.
pub(super) fn translations(found: &Segmentation, patterns: &Patterns) -> Option<(Drawing, f64)> {
    let translations = found.plan.translations();
    let values = patterns.separability.iter();
    let mut cells: Vec<(Translation, f64)> =
        translations.iter().zip(values).filter_map(|(t, &value)| Some(((*t)?, value))).collect();
    // Of centred pairs one stands for both.
    let opposites = cells.iter().map(|&(t, value)| (t.opposite(), value));
    let new: Vec<_> = opposites.filter(|(t, _)| !translations.contains(&Some(*t))).collect();
    cells.extend(new);
    let highest = cells.iter().map(|cell| cell.1).fold(f64::MIN_POSITIVE, f64::max);
    (cells.len() >= LEAST_MAPPED).then(|| (translation_map(&cells, highest), highest))
}

/// The map of them with what it shows.
fn translations_figure(content: &Content<'_>) -> Markup {
    let Some((map, highest)) = translations(content.found, content.patterns) else {
        return html! {};
    };
    html! {
        figure {
            (map)
            (ramp("0", &significant(highest, 3)))
            figcaption {
                "Separability of each translation. The best one is framed."
                @if content.found.plan.frame().scale != 1.0 { " Lengths are px of the resampled image." }
            }
        }
    }
}

fn translation_map(cells: &[(Translation, f64)], highest: f64) -> Drawing {
    let half = 0.5 * step(cells);
    let reach = cells.iter().map(|(t, _)| t.rows.abs().max(t.cols.abs())).max().unwrap_or(0);
    let end = f64::from(reach) + half;
    let signed = |v: f64| if v.abs() < 0.5 { "0".into() } else { minus(&format!("{v:+.0}")) };
    let (along, down) = (|v: &f64| signed(*v), |v: &f64| signed(-v));
    let x = Axis { range: -end..end, title: "columns / px", labels: 7, format: &along };
    // Rows count downwards, as in the image.
    let y = Axis { range: -end..end, title: "rows / px", labels: 7, format: &down };
    let corners = |t: &Translation| {
        let (x, y) = (f64::from(t.cols), -f64::from(t.rows));
        [(x - half, y + half), (x + half, y - half)]
    };
    square("Separability over the translations", x, y, |chart| {
        let cell = |(t, value): &(Translation, f64)| {
            let [r, g, b] =
                colorous::VIRIDIS.eval_continuous((value / highest).clamp(0.0, 1.0)).as_array();
            Rectangle::new(corners(t), RGBColor(r, g, b).filled())
        };
        chart.draw_series(cells.iter().map(cell))?;
        let best = cells.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        chart.draw_series(best.map(|(t, _)| {
            let [(left, top), (right, bottom)] = corners(t);
            let frame = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
            PathElement::new(frame, FRAME.stroke_width(6))
        }))?;
        Ok(())
    })
}

/// Distance of neighbouring translations along an axis, px.
fn step(cells: &[(Translation, f64)]) -> f64 {
    let least = |along: fn(&Translation) -> i32| {
        let mut values: Vec<i32> = cells.iter().map(|(t, _)| along(t)).collect();
        values.sort_unstable();
        values.dedup();
        values.windows(2).map(|pair| pair[1] - pair[0]).min()
    };
    let steps = [least(|t| t.rows), least(|t| t.cols)];
    f64::from(steps.into_iter().flatten().min().unwrap_or(1))
}
