//! What several sections are made of.

use maud::{Markup, html};

use crate::colours;
use crate::number::percent;
use crate::visible::visible;

/// A section with a heading.
pub(super) fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby=(format!("{id}-title")) {
            h2 id=(format!("{id}-title")) { (title) }
            (body)
        }
    }
}

/// The colour of a label, and its number.
pub(super) fn chip(label: u16) -> Markup {
    let [r, g, b] = colours::colour(usize::from(label));
    html! {
        span.chip {
            span.swatch style=(format!("background:rgb({r} {g} {b})")) {}
            (label)
        }
    }
}

/// The colours of maps, from the value `low` to `high`.
pub(super) fn ramp(low: &str, high: &str) -> Markup {
    html! {
        div.ramp {
            span.colours {}
            span { (low) }
            span { (high) }
        }
    }
}

/// A bar of `share` (0 to 1) of the full length.
pub(super) fn bar(share: f64) -> Markup {
    html! {
        span.bar { span style=(format!("width:{:.2}%", 100.0 * share.clamp(0.0, 1.0))) {} }
    }
}

/// One bar with the share of each label, 0 to 1.
pub(super) fn areas(shares: impl Iterator<Item = (u16, f64)>) -> Markup {
    let width = |share: f64| format!("width:{:.3}%", 100.0 * share);
    html! {
        div.areas {
            @for (label, share) in shares {
                @let [r, g, b] = colours::colour(usize::from(label));
                span title=(format!("{label}: {}", percent(share)))
                    style=(format!("{};background:rgb({r} {g} {b})", width(share))) {}
            }
        }
    }
}

/// Text that may hold what a file said: isolated, so that words written from right to left
/// do not turn what stands next to them.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// Names and what they stand for.
pub(super) fn list(entries: &[(String, String)]) -> Markup {
    html! {
        dl.list {
            @for (name, value) in entries {
                div { dt { (name) } dd { (foreign(value)) } }
            }
        }
    }
}
