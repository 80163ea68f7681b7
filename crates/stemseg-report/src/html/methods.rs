//! What a paper says of the run: a paragraph with its numbers, and what to cite.

use maud::{Markup, html};
use stemseg::lattice::Source;
use stemseg::plan::{Labels, Reduce};

use super::Content;
use super::parts::section as section_of;
use crate::number::{count, minus, significant};
use crate::summary::Summary;

/// The paper whose method it builds on.
const PAPER: &str = "N. Wang, C. Freysoldt, S. Zhang, C. H. Liebscher, J. Neugebauer: Segmentation of Static and Dynamic \
                     Atomic-Resolution Microscopy Data Sets with Unsupervised Machine Learning Using Local Symmetry Descriptors. \
                     Microscopy and Microanalysis 27 (2021) 1454";

pub(super) fn section(content: Content<'_>) -> Markup {
    let body = html! {
        p { (paragraph(content)) }
        ol.note {
            li { "stemseg " (content.summary.stemseg_version) ", " (env!("CARGO_PKG_REPOSITORY").trim_start_matches("https://")) }
            li { (PAPER) }
        }
    };
    section_of("methods", "For a paper", &body)
}

/// The sentences, each of what the run did.
fn paragraph(content: Content<'_>) -> String {
    let summary = content.summary;
    let mut sentences = vec![image(summary)];
    sentences.extend(period(summary));
    sentences.push(sites(content));
    sentences.push(patterns(summary));
    sentences.extend(labels(summary));
    sentences.push(result(summary));
    sentences.join(" ")
}

fn image(summary: &Summary) -> String {
    let [rows, cols] = summary.input.shape;
    let size = summary.input.pixel_size_nm.map_or_else(String::new, |size| {
        let [rows, cols] = [size.rows, size.cols].map(|side| significant(side, 4));
        let side = if rows == cols { rows } else { format!("{rows} × {cols}") };
        format!(", {side} nm a pixel")
    });
    let by = match &summary.model {
        None => "without training, by its local symmetry [2]",
        Some(_) => {
            "by the patterns of a model that was fitted to another image, by local symmetry [2]"
        }
    };
    format!("The micrograph ({rows} × {cols} px{size}) was segmented with stemseg [1] {by}.")
}

fn period(summary: &Summary) -> Option<String> {
    let sampling = summary.parameters.sampling?;
    let [own, target] = [sampling.period, sampling.target].map(|px| significant(px, 3));
    let whence = match summary.lattice.map(|lattice| lattice.period_source) {
        Some(Source::Found) => ", found from local autocorrelations",
        Some(Source::Given) => " as given",
        _ => "",
    };
    Some(format!(
        "It was evened out and resampled so that the period of its crystals, {own} px{whence}, became {target} px."
    ))
}

fn sites(content: Content<'_>) -> String {
    let summary = content.summary;
    let descriptors = &summary.descriptors;
    let families =
        joined(&descriptors.families.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
    let features = content.found.features.ncols();
    let into = if features == 1 { "feature" } else { "features" };
    let reduced = match summary.parameters.reduce {
        _ if summary.pca.skipped => String::new(),
        Reduce::Pca => format!(", reduced to {features} {into} by principal component analysis"),
        Reduce::Maf => format!(
            ", reduced to {features} {into} by maximum autocorrelation factors, made region by region"
        ),
    };
    format!(
        "At {} sites, {} px apart, {} channels of {families} were computed{reduced}.",
        count(descriptors.sites as u64),
        summary.parameters.stride,
        count(descriptors.channels as u64),
    )
}

fn patterns(summary: &Summary) -> String {
    let k = summary.kmeans.clusters;
    let patterns = if k == 1 { "pattern" } else { "patterns" };
    let number = match (&summary.choice, &summary.model) {
        (_, Some(_)) => {
            return format!("Each site was assigned to one of {k} {patterns} by its features.");
        }
        (Some(_), None) => "the number of which follows from how clear the cuts between them are",
        (None, None) => "the number of which was given",
    };
    let runs = summary.kmeans.restarts;
    let runs = if runs == 1 { "1 start".to_owned() } else { format!("best of {runs} starts") };
    format!(
        "The sites were grouped into {k} {patterns}, {number}, by k-means ({runs}, seed {}).",
        summary.parameters.seed
    )
}

fn labels(summary: &Summary) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.push(match summary.parameters.labels {
        Labels::Nearest => "Each pixel has the label of the nearest site.".to_owned(),
        Labels::Interpolated { smooth, .. } => {
            let smooth = match smooth {
                0.0 => "were not smoothed".to_owned(),
                1.0 => "were smoothed".to_owned(),
                s => format!("were smoothed (strength {})", significant(s, 3)),
            };
            format!(
                "Logarithms of likelihoods {smooth} and interpolated between sites; a pixel has the label of \
                 the highest."
            )
        }
    });
    if let Labels::Interpolated { least_confidence, .. } = summary.parameters.labels
        && least_confidence > 0.0
    {
        let least = significant(least_confidence, 3);
        sentences.push(format!("Pixels of a confidence below {least} have no label."));
    }
    if let Some(least) = summary.least_region_px {
        sentences.push(format!(
            "Regions of less than {} px were given to neighbours.",
            significant(least, 4)
        ));
    }
    sentences
}

fn result(summary: &Summary) -> String {
    let shares: Vec<String> =
        summary.labels.iter().map(|label| format!("{:.1}", 100.0 * label.area.fraction)).collect();
    let cover = if shares.len() == 1 { "The pattern covers" } else { "The patterns cover" };
    let confidence = minus(&format!("{:.2}", summary.confidence.mean));
    format!("{cover} {} % of the image, at a mean confidence of {confidence}.", joined(&shares))
}

/// `a`, `a and b`, `a, b and c`.
fn joined(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
