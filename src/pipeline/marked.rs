//! Patterns made anew where pixels are marked: what is known of them counts for more than what their
//! features say, and decides what the patterns are like.

use ndarray::{Array2, s};
use serde::Serialize;

use super::fit::{Evidence, Found};
use super::label::{Apart, Clusters};
use super::{Describing, Patterns};
use crate::backend::Backend;
use crate::cluster::split::OUTSIDE;
use crate::cluster::{confidence, kmeans};
use crate::image::gaussian;
use crate::image::micrograph::Micrograph;
use crate::labels::label_map::Numbering;
use crate::labels::regions::Held;
use crate::lattice::Repetition;
use crate::plan::{Mark, Plan};
use crate::progress::Progress;
use crate::{Error, Result};

/// How far a mark reaches, periods: windows about pixels closer together see much the same.
const REACH: f64 = 0.5;

/// Standard deviation of the Gaussian under which labels are unsure where a mark is wanted, and how far it
/// stays from other marks, periods.
const UNSURE: f64 = 1.5;
const APART: f64 = 2.0;

/// Patterns as marks have them.
pub(super) struct Marked {
    pub(super) found: Found,
    /// Features of all sites, `[sites, q]`.
    pub(super) features: Array2<f32>,
    /// The label of each pattern.
    pub(super) labels: Vec<u16>,
    /// The sites that are marked.
    pub(super) held: Vec<Held>,
}

impl Marked {
    /// The patterns of an image that had those of `before`, which were found in the `evidence`,
    /// under the marks of its plan.
    ///
    /// # Errors
    /// [`Error::Parameter`] for marks that cannot be; what the backend reports.
    pub(super) fn new(
        evidence: &Evidence,
        before: &Patterns,
        sites: &mut Describing<'_>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let plan = sites.plan();
        let marks = &plan.params().marks;
        let mut labels = before.map.label_of.clone();
        let had = labels.len();
        let most = marks.iter().map(|mark| usize::from(mark.label)).max().unwrap_or(0);
        labels.extend((had + 1..=most).map(|label| label as u16));
        for &label in &labels[had..] {
            if !marks.iter().any(|mark| mark.label == label) {
                let reason = format!(
                    "there are {had} patterns without marks, and a new one has the next number: none is \
                     marked with {label}"
                );
                let first = marks.iter().find(|mark| mark.label > label).unwrap_or(&marks[0]);
                return Err(Error::parameter("mark", first, reason));
            }
        }
        let held = held(plan, &labels)?;
        let field = &evidence.field;
        let grid = Array2::from_shape_fn(field.dim(), |cell| {
            let cluster = before.map.cluster_at(field.site_of(cell));
            cluster.map_or(OUTSIDE, |cluster| cluster as u16)
        });
        let on_grid: Vec<Held> =
            held.iter().map(|held| Held { site: field.cell_of(held.site), ..*held }).collect();
        let found = Found::marked(evidence, grid, labels.len(), &on_grid).ok_or_else(|| {
            let reason =
                "patterns that are marked like this do not differ, or one has no sites left";
            Error::parameter("mark", marks[0], reason)
        })?;
        let features = evidence.features(&found, sites, progress)?;
        Ok(Self { found, features, labels, held })
    }

    /// The labels of the image.
    ///
    /// # Errors
    /// What the backend reports.
    pub(super) fn patterns(
        &self,
        plan: &Plan,
        micrograph: &Micrograph,
        backend: &dyn Backend,
        repetition: Option<&Repetition>,
    ) -> Result<Patterns> {
        let number = &self.found.numbers[0];
        let points = plan.sites().keep_active(&self.features);
        let points = points.slice(s![.., number.columns.clone()]);
        let centroids = number.centroids.clone().expect("patterns that are refined have centres");
        let clustering = kmeans::assign(points, centroids, backend)?;
        let points = points.as_standard_layout();
        let within_variance = confidence::within_variance(points.view(), &clustering);
        let clusters = Clusters {
            points: points.view(),
            clustering: &clustering,
            within_variance: &within_variance,
            numbering: &Numbering::Given(self.labels.clone()),
            gaps: Apart::Measured(None),
            held: &self.held,
            pattern_of: None,
        };
        let labelled = clusters.label(plan, micrograph.absent(), repetition);
        let columns = number.columns.clone();
        Ok(labelled.patterns(clustering, within_variance, columns, plan, repetition))
    }
}

/// Where one more mark says most: where labels are unsure over a wide region, not along a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NextMark {
    /// Row of the pixel.
    pub row: usize,
    /// Its column.
    pub col: usize,
    /// Its label, and the next likely one.
    pub labels: [u16; 2],
}

/// Where one more mark says most of `patterns` that were found under `plan`; nothing where there is one pattern,
/// or marks are everywhere.
pub fn next_mark(patterns: &Patterns, plan: &Plan) -> Option<NextMark> {
    let scores = patterns.map.scores()?;
    if scores.dim().0 < 2 {
        return None;
    }
    let period = plan.params().sampling.map_or(plan.spacing(), |sampling| sampling.period);
    let mut unsure = Array2::<f32>::zeros(patterns.map.sites.dim());
    let mut memberships = patterns.memberships.iter();
    for (to, _) in unsure.iter_mut().zip(&patterns.map.sites).filter(|(_, label)| **label > 0) {
        *to = 1.0 - memberships.next()?;
    }
    let wide = gaussian::smoothed(unsure.view(), UNSURE * period / plan.spacing());
    let (grid, scale) = (plan.sites().grid(), plan.frame().scale);
    let along = |margin: usize, site: usize| (margin + site * grid.stride) as f64 / scale;
    let place = |(r, c): (usize, usize)| [along(grid.margin.rows, r), along(grid.margin.cols, c)];
    let far = |site: (usize, usize)| {
        let [row, col] = place(site);
        let away = |mark: &Mark| (row - mark.row as f64).hypot(col - mark.col as f64);
        plan.params().marks.iter().all(|mark| away(mark) > APART * period)
    };
    let free = wide.indexed_iter().filter(|(at, _)| patterns.map.sites[*at] > 0 && far(*at));
    let (site, _) = free.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
    let of_site = scores.slice(s![.., site.0, site.1]);
    let mut order: Vec<usize> = (0..of_site.len()).collect();
    order.sort_by(|&a, &b| of_site[b].total_cmp(&of_site[a]).then(a.cmp(&b)));
    let [row, col] = place(site).map(|px| px.round() as usize);
    let (last_row, last_col) = (plan.frame().image.rows - 1, plan.frame().image.cols - 1);
    let labels = [order[0] as u16 + 1, order[1] as u16 + 1];
    Some(NextMark { row: row.min(last_row), col: col.min(last_col), labels })
}

/// The sites that the marks of `plan` hold, of patterns with these `labels`.
fn held(plan: &Plan, labels: &[u16]) -> Result<Vec<Held>> {
    let frame = plan.frame();
    let period = plan.params().sampling.map_or(plan.spacing(), |sampling| sampling.period);
    let mut all: Vec<(Held, Mark)> = Vec::new();
    for mark in &plan.params().marks {
        let (height, width) = (frame.image.rows, frame.image.cols);
        if mark.row >= height || mark.col >= width {
            let reason = format!("the image has {height} rows and {width} columns");
            return Err(Error::parameter("mark", mark, reason));
        }
        let pattern = labels.iter().position(|&label| label == mark.label);
        let pattern = pattern.expect("labels of all marks are among them");
        for site in about(plan, mark, REACH * period) {
            let known = all.iter().find(|(held, _)| held.site == site);
            if let Some((_, other)) = known.filter(|(held, _)| held.pattern != pattern) {
                let reason = format!(
                    "{other} lies so close that both mark one site; marks of different patterns \
                     stand {:.0} px apart at least",
                    2.0 * REACH * period + plan.spacing()
                );
                return Err(Error::parameter("mark", mark, reason));
            }
            all.push((Held { site, pattern }, *mark));
        }
    }
    Ok(all.into_iter().map(|(held, _)| held).collect())
}

/// The active sites within `reach` px of a mark, or the nearest site.
fn about(plan: &Plan, mark: &Mark, reach: f64) -> Vec<(usize, usize)> {
    let (grid, scale) = (plan.sites().grid(), plan.frame().scale);
    let along = |margin: usize, site: usize| (margin + site * grid.stride) as f64 / scale;
    let away = |(r, c): (usize, usize)| {
        let down = along(grid.margin.rows, r) - mark.row as f64;
        let right = along(grid.margin.cols, c) - mark.col as f64;
        down.hypot(right)
    };
    let all = (0..grid.count.rows).flat_map(|r| (0..grid.count.cols).map(move |c| (r, c)));
    let active = all.filter(|&(r, c)| plan.sites().is_active(r * grid.count.cols + c));
    let mut near: Vec<(f64, (usize, usize))> = active.map(|site| (away(site), site)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let within = near.iter().take_while(|(away, _)| *away <= reach).count();
    near.truncate(within.max(1));
    near.into_iter().map(|(_, site)| site).collect()
}
