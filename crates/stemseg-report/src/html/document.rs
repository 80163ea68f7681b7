//! The frame of a page: head, theme, styles, the script. Nothing is loaded from
//! elsewhere, and the page says so to the browser (its content security policy).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::parts::foreign;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What a page is about.
pub(super) struct Heading<'a> {
    /// Name of the image's file.
    pub(super) name: &'a str,
    /// What came of it, in a word or two.
    pub(super) what: &'a str,
}

/// The whole page around `body`.
pub(super) fn document(heading: &Heading<'_>, body: &Markup) -> Markup {
    around(heading, &html! {}, body)
}

/// What stands before and after the body of a page with `meta` near its beginning, for bodies
/// that are written piece by piece.
pub(super) fn halves(heading: &Heading<'_>, meta: &Markup) -> [String; 2] {
    // Text from elsewhere is escaped, and cannot hold it.
    const BODY: &str = "<!-- body -->";
    let page = around(heading, meta, &html! { (PreEscaped(BODY)) }).into_string();
    let (before, after) = page.split_once(BODY).expect("the page has a body");
    [before, after].map(str::to_owned)
}

fn around(heading: &Heading<'_>, meta: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                (meta)
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                title { (heading.name) " – " (heading.what) }
                // Browsers ask a server for an icon otherwise.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header.page {
                    div {
                        p.kicker { "stemseg report" }
                        h1 { (foreign(heading.name)) }
                        p.what { (heading.what) }
                    }
                    (themes())
                }
                main { (body) }
                footer {
                    "stemseg " (env!("CARGO_PKG_VERSION"))
                    " · Unsupervised segmentation of STEM micrographs by local symmetry"
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// The choice of light and dark; styles alone act on it.
fn themes() -> Markup {
    let themes = [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")];
    html! {
        fieldset.choice {
            legend.hidden { "Colours of the page" }
            @for (id, name) in themes {
                label {
                    input type="radio" name="theme" id=(format!("theme-{id}")) checked[id == "auto"];
                    span { (name) }
                }
            }
        }
    }
}

/// Pictures from the page itself, its own styles, and its one script.
fn policy() -> String {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
         script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}
