//! What PCA made of the descriptors: its components, and where the sites lie in them.

use maud::{Markup, html};
use plotters::prelude::*;

use super::Content;
use super::parts::section as section_of;
use super::plot::{ACCENT, Axis, Drawing, INK, MUTED, PAPER, centred, plot};
use crate::colours;
use crate::number::{count, percent, significant};
use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::plan::Reduce;

/// Sites in the scatter plot, at most.
const MOST_POINTS: usize = 2500;

/// Labels that are written next to their centroids, at most.
const MOST_CENTROIDS: usize = 24;

pub(super) fn section(content: Content<'_>) -> Markup {
    let maps = &content.micrograph.features;
    let kept = content.found.features.ncols();
    let share = percent(content.found.pca.report.explained_variance_ratio.iter().sum());
    let body = html! {
        div.beside {
            @if !content.found.pca.report.skipped {
                figure {
                    (scree(content.found))
                    figcaption {
                        @match content.found.plan.params().reduce {
                            Reduce::Pca => {
                                "Variance explained by each component. Those in colour are kept: "
                                (kept) " features, " (share) " of the variance. The line is the running total."
                            }
                            Reduce::Maf => {
                                "Autocorrelation factors: how much each varies over the image, relative to how much \
                                 neighbouring sites differ, as a share of the total. The line is the running total."
                            }
                        }
                    }
                }
            }
            @if content.found.features.ncols() > 1 { (scatter_figure(&content)) }
        }
        div.maps { @for map in maps { (map.figure()) } }
        @if maps.len() < content.found.features.ncols() {
            p.note { "The first " (maps.len()) " of " (content.found.features.ncols()) " features." }
        }
    };
    section_of("features", "Features", &body)
}

/// What each component, or factor, explains, and all up to it.
pub(super) fn scree(found: &Segmentation) -> Drawing {
    let (shares, kept) = (&found.pca.report.scree, found.features.ncols());
    let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
    let whole = |component: &f64| match component.fract().abs() < 1e-6 {
        true => format!("{component:.0}"),
        false => String::new(),
    };
    let last = shares.len() as f64;
    let (one, of) = match found.plan.params().reduce {
        Reduce::Pca => ("component", "variance explained"),
        Reduce::Maf => ("factor", "share of what is smooth"),
    };
    let x = Axis { range: 0.4..last + 0.6, title: one, labels: shares.len(), format: &whole };
    let y = Axis { range: 0.0..1.04, title: of, labels: 6, format: &percent };
    let words = format!("{of}, by {one}: the first {}", shares.len());
    plot(&words, x, y, |chart| {
        let bar = |(i, &share): (usize, &f64)| {
            let at = (i + 1) as f64;
            let colour = if i < kept { ACCENT.filled() } else { MUTED.filled() };
            Rectangle::new([(at - 0.36, 0.0), (at + 0.36, share)], colour)
        };
        chart.draw_series(shares.iter().enumerate().map(bar))?;
        let mut sum = 0.0;
        let line: Vec<(f64, f64)> = (1..)
            .zip(shares)
            .map(|(i, share)| {
                sum += share;
                (f64::from(i), sum)
            })
            .collect();
        chart.draw_series([PathElement::new(line.clone(), INK.stroke_width(3))])?;
        chart.draw_series(line.into_iter().map(|at| Circle::new(at, 6, INK.filled())))?;
        Ok(())
    })
}

/// Sites in the plane of two features, in the colours of their labels: of the first two that tell
/// the patterns apart, or of the one that does and another.
pub(super) fn scatter(found: &Segmentation, patterns: &Patterns) -> Drawing {
    let points = points(found, patterns);
    let range = |along: fn((f64, f64)) -> f64| {
        let ends = points.iter().map(|point| along(point.at));
        let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        // A feature that does not vary has an axis too.
        let room = 0.05 * (high - low).max(1e-3 * high.abs()).max(1e-6);
        low - room..high + room
    };
    let format = |value: &f64| significant(*value, 2);
    let [first, second] = plane(found, patterns).map(|feature| format!("feature {}", feature + 1));
    let x = Axis { range: range(|p| p.0), title: &first, labels: 6, format: &format };
    let y = Axis { range: range(|p| p.1), title: &second, labels: 6, format: &format };
    plot("Sites in the plane of two features", x, y, |chart| {
        let dot = |point: &Point| Circle::new(point.at, 4, rgb(point.label).mix(0.6).filled());
        chart.draw_series(points.iter().map(dot))?;
        for Point { at, label } in centroids(found, patterns) {
            chart.draw_series([
                Circle::new(at, 24, PAPER.filled()),
                Circle::new(at, 24, rgb(label).stroke_width(5)),
            ])?;
            chart.draw_series([Text::new(label.to_string(), at, centred())])?;
        }
        Ok(())
    })
}

/// The scatter plot with what it shows.
fn scatter_figure(content: &Content<'_>) -> Markup {
    let total = content.patterns.clustering.labels.len();
    let shown = total.min(MOST_POINTS);
    html! {
        figure {
            (scatter(content.found, content.patterns))
            figcaption {
                "Sites by two of their features, in the colours of their labels"
                @if shown < total { ": " (count(shown as u64)) " of " (count(total as u64)) }
                ". Circles are the means of the patterns."
            }
        }
    }
}

/// The two features that are drawn against each other.
fn plane(found: &Segmentation, patterns: &Patterns) -> [usize; 2] {
    let columns = &patterns.columns;
    let first = columns.start;
    // All features but one are those of other numbers of patterns.
    let other = if first + 1 < found.features.ncols() { first + 1 } else { first - 1 };
    [first, other]
}

/// Something in the plane of two features.
struct Point {
    at: (f64, f64),
    label: u16,
}

/// Some of the active sites.
fn points(found: &Segmentation, patterns: &Patterns) -> Vec<Point> {
    let features = found.plan.sites().keep_active(&found.features);
    let labels = &patterns.clustering.labels;
    let plane = plane(found, patterns);
    let at = |site: usize| {
        let [x, y] = plane.map(|feature| f64::from(features[(site, feature)]));
        (x, y)
    };
    let point =
        |site: usize| Point { at: at(site), label: patterns.map.label_of[labels[site] as usize] };
    let sites: Vec<usize> = match labels.len() {
        few if few <= MOST_POINTS => (0..few).collect(),
        // Steps of the golden ratio: evenly spread, and no label is drawn last.
        many => (0..MOST_POINTS)
            .map(|i| ((i as f64 * 0.618_033_988_749_895).fract() * many as f64) as usize)
            .collect(),
    };
    sites.into_iter().map(point).collect()
}

/// Means of the patterns' sites, those of the first labels.
fn centroids(found: &Segmentation, patterns: &Patterns) -> Vec<Point> {
    let features = found.plan.sites().keep_active(&found.features);
    let plane = plane(found, patterns);
    let mut sums = vec![([0.0; 2], 0.0); patterns.map.label_of.len()];
    for (site, &cluster) in patterns.clustering.labels.iter().enumerate() {
        let (sum, count) = &mut sums[cluster as usize];
        let own = plane.map(|feature| f64::from(features[(site, feature)]));
        sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        *count += 1.0;
    }
    let there = sums.iter().zip(&patterns.map.label_of).filter(|((_, count), _)| *count > 0.0);
    let point = |(&([x, y], count), &label): (&([f64; 2], f64), &u16)| Point {
        at: (x / count, y / count),
        label,
    };
    there.map(point).filter(|point| usize::from(point.label) <= MOST_CENTROIDS).collect()
}

fn rgb(label: u16) -> RGBColor {
    let [r, g, b] = colours::colour(usize::from(label));
    RGBColor(r, g, b)
}
