//! The micrograph under its labels, with a slider between the two.

use maud::{Markup, html};

use super::Content;
use super::parts::{chip, section as section_of};
use crate::number::percent;
use crate::overlay::scale_bar;

/// Labels next to the picture; more are in the table alone.
const MOST_CHIPS: usize = 32;

pub(super) fn section(content: Content<'_>) -> Markup {
    let (rows, cols) = content.micrograph.shape;
    let body = html! {
        figure.viewer style=(format!("--divide:50%;--strength:45%;--ratio:{cols}/{rows}")) {
            div.stage {
                img.grey src=(content.micrograph.grey) alt=(format!("the micrograph {}", content.name()));
                div.over {
                    img.tint src=(content.pictures.tint) alt="its labels in colour";
                    img.lines src=(content.pictures.lines) alt="";
                }
                span.tag.left { "micrograph" }
                span.tag.right { "labels" }
                (scale(content))
                input.divide type="range" min="0" max="100" step="0.5" value="50"
                    aria-label="Divide between the micrograph on the left and its labels on the right";
            }
            div.aside {
                figcaption.legend {
                    @for area in content.summary.labels.iter().take(MOST_CHIPS) {
                        span { (chip(area.area.label)) span { (percent(area.area.fraction)) } }
                    }
                    @if content.summary.labels.len() > MOST_CHIPS {
                        span { (content.summary.labels.len() - MOST_CHIPS) " more in the table" }
                    }
                }
                fieldset.choice {
                    legend.hidden { "How labels are shown" }
                    @for (id, name) in [("tint", "Tint"), ("lines", "Lines"), ("both", "Both")] {
                        label {
                            input type="radio" name="layers" id=(format!("show-{id}")) checked[id == "both"];
                            span { (name) }
                        }
                    }
                }
                label.slider {
                    span { "Strength of the tint" }
                    input.strength type="range" min="0" max="100" step="1" value="45";
                }
            }
        }
    };
    section_of("picture", "Segmentation", &body)
}

/// A scale bar, as long as it says whatever the size on the screen.
fn scale(content: Content<'_>) -> Markup {
    let width = content.micrograph.pixel_size.map(|s| s.cols * content.micrograph.shape.1 as f64);
    let bar = width.and_then(|width| scale_bar::fitting(width).zip(Some(width)));
    html! {
        @if let Some(((length, words), width)) = bar {
            div.scale style=(format!("width:{:.3}%", 100.0 * length / width)) { span { (words) } }
        }
    }
}
