//! Triple points: where three regions meet, and at which angles.
//!
//! Near a triple point memberships hold a share of each of the three, and lines go where averages over
//! all of them lead. So the direction of a line is that of the straight one through what lies a little
//! away ([`UNRESOLVED`], [`FITTED`]). How far that may be off is read off all lines of the image: by
//! how much directions of neighbouring pieces of this length differ, which holds noise as well as
//! bends.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;

use serde::Serialize;

use crate::chains::Chain;
use crate::lines::{Scales, place};
use crate::outline::Corner;
use crate::path::{Path, angle, distance, dot, minus, unit};
use crate::{Point, Regions};

/// How far from a triple point directions are looked at: from where to where, in terms of
/// [`Scales::resolution_px`].
pub const UNRESOLVED: f64 = 1.5;
/// Length that the fitted straight line has where there is room.
pub const FITTED: f64 = 4.0;
/// Share of that length which is enough.
const ENOUGH: f64 = 0.5;
/// Neighbouring pieces from which on their differences alone tell the error.
const MANY: usize = 6;

/// What one region has of a triple point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sector {
    /// Number of the region.
    pub region: u32,
    /// Its label.
    pub label: u16,
    /// The dihedral angle: that between the lines on both sides of the region, degrees, in terms of
    /// nm where pixels have a size; nothing where one of the lines is too short to have a direction.
    pub angle_deg: Option<f64>,
    /// Its standard error.
    pub angle_deg_error: Option<f64>,
}

/// A corner of pixels at which three regions meet, or four.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TriplePoint {
    /// Its number, from 1: from top to bottom.
    pub triple_point: u32,
    /// Where the fitted lines meet; the corner itself where that is not known, or is further from it
    /// than lines are resolved.
    pub at_px: Point,
    /// Numbers of the lines that end here, clockwise as displayed, from the one that leaves upwards
    /// on. A line that begins and ends here is there twice.
    pub lines: Vec<u32>,
    /// The regions between each of these lines and the next.
    pub sectors: Vec<Sector>,
}

/// The end of a line.
#[derive(Debug, Clone, Copy)]
struct Ending {
    chain: usize,
    /// Which of its ends: the first or the last.
    last: bool,
    /// Which way it leaves the corner: up, to the right, down or to the left.
    leaves: usize,
    straight: Option<Straight>,
}

/// A straight line through a piece of a boundary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Straight {
    /// Its middle, px.
    middle: Point,
    /// Its direction, away from the triple point: length 1, px.
    pub(crate) along: Point,
    /// Its length, px, and the root mean square of the distances of points from it.
    pub(crate) length: f64,
    pub(crate) spread: f64,
}

/// Where lines meet.
pub(crate) struct Junctions<'a> {
    chains: &'a [Chain],
    corners: BTreeMap<Corner, Vec<Ending>>,
    scales: Scales,
    size: Point,
    /// Standard error of the direction of a piece of the usual length, radians, where lines hold
    /// enough of these to tell.
    error: Option<f64>,
}

impl<'a> Junctions<'a> {
    /// Of chains, smoothed to `paths`, in pixels of this size.
    pub(crate) fn new(chains: &'a [Chain], paths: &[Path], scales: Scales, size: Point) -> Self {
        let mut corners: BTreeMap<Corner, Vec<Ending>> = BTreeMap::new();
        for (i, chain) in chains.iter().enumerate().filter(|(_, chain)| !chain.closed) {
            for (last, [corner, next]) in [false, true].into_iter().zip(chain.ends) {
                let ending =
                    Ending { chain: i, last, leaves: leaves(corner, next), straight: None };
                corners.entry(corner).or_default().push(ending);
            }
        }
        corners.retain(|_, endings| endings.len() >= 3);
        let mut all = Self { chains, corners, scales, size, error: None };
        all.error = all.error_of_pieces(paths);
        all.fit(paths);
        all
    }

    /// How far lines are not resolved from a triple point, and how long fitted straight lines are, px.
    fn reach(&self) -> [f64; 2] {
        [UNRESOLVED, FITTED].map(|times| times * self.scales.resolution_px)
    }

    /// How much of an end of a line is not resolved, px.
    fn unresolved(&self, corner: Corner) -> f64 {
        if self.corners.contains_key(&corner) { self.reach()[0] } else { 0.0 }
    }

    /// Standard error of the directions of pieces as long as the fitted straight lines: those of
    /// neighbours differ by this times the root of 2, of lines that end in triple points.
    fn error_of_pieces(&self, paths: &[Path]) -> Option<f64> {
        let mut differences = Vec::new();
        for (chain, path) in self.chains.iter().zip(paths).filter(|(chain, _)| !chain.closed) {
            let [start, end] = chain.ends.map(|[corner, _]| self.unresolved(corner));
            if start + end > 0.0 {
                let range = start..path.length - end;
                differences.extend(bends(path, range, self.reach()[1], self.size));
            }
        }
        let squares: f64 = differences.iter().map(|bend| bend * bend).sum();
        let count = differences.len();
        (count >= MANY).then(|| (0.5 * squares / count as f64).sqrt())
    }

    /// Fits straight lines to the ends of lines that are long enough, and puts these in order.
    fn fit(&mut self, paths: &[Path]) {
        let [near, length] = self.reach();
        let mut corners = std::mem::take(&mut self.corners);
        let triple: BTreeSet<Corner> = corners.keys().copied().collect();
        for (corner, endings) in &mut corners {
            for ending in endings.iter_mut() {
                let (chain, path) = (&self.chains[ending.chain], &paths[ending.chain]);
                let [other, _] = chain.ends[usize::from(!ending.last)];
                let free = path.length - if triple.contains(&other) { near } else { 0.0 };
                let reach = near..(near + length).min(free);
                if reach.end - reach.start >= ENOUGH * length {
                    let range = match ending.last {
                        false => reach,
                        true => path.length - reach.end..path.length - reach.start,
                    };
                    ending.straight = Straight::of(path, range, place(*corner));
                }
            }
            endings.sort_by_key(|ending| ending.leaves);
        }
        self.corners = corners;
    }

    /// The corners, as [`triple_points`](Self::triple_points) has them.
    pub(crate) fn corners(&self) -> impl Iterator<Item = Corner> + '_ {
        self.corners.keys().copied()
    }

    /// The triple points, from top to bottom.
    pub(crate) fn triple_points(&self, regions: &Regions) -> Vec<TriplePoint> {
        let of = |(i, (corner, endings)): (usize, (&Corner, &Vec<Ending>))| TriplePoint {
            triple_point: i as u32 + 1,
            at_px: self.meeting(*corner, endings),
            lines: endings.iter().map(|ending| ending.chain as u32 + 1).collect(),
            sectors: self.sectors(endings, regions),
        };
        self.corners.iter().enumerate().map(of).collect()
    }

    /// The point with the least squared distances from the fitted lines.
    fn meeting(&self, corner: Corner, endings: &[Ending]) -> Point {
        let corner = place(corner);
        let (mut sums, mut right) = ([0.0; 3], [0.0; 2]);
        for Straight { middle, along, .. } in endings.iter().filter_map(|ending| ending.straight) {
            let normal = [along[1], -along[0]];
            let off = dot(normal, minus(middle, corner));
            sums[0] += normal[0] * normal[0];
            sums[1] += normal[0] * normal[1];
            sums[2] += normal[1] * normal[1];
            right[0] += off * normal[0];
            right[1] += off * normal[1];
        }
        let [rr, rc, cc] = sums;
        let whole = rr * cc - rc * rc;
        let away =
            [(cc * right[0] - rc * right[1]) / whole, (rr * right[1] - rc * right[0]) / whole];
        let known =
            whole > 0.05 && away[0].hypot(away[1]) <= UNRESOLVED * self.scales.resolution_px;
        if known { [corner[0] + away[0], corner[1] + away[1]] } else { corner }
    }

    /// The regions between the lines, which go clockwise.
    fn sectors(&self, endings: &[Ending], regions: &Regions) -> Vec<Sector> {
        let next = |i: usize| (i + 1) % endings.len();
        let directions: Option<Vec<f64>> = endings
            .iter()
            .map(|ending| {
                let along = ending.straight?.along;
                Some(angle([along[0] * self.size[0], along[1] * self.size[1]]))
            })
            .collect();
        // Clockwise from each to the next; once around, unless noise has exchanged two of them.
        let angles = directions.map(|all| -> Vec<f64> {
            (0..all.len()).map(|i| (all[i] - all[next(i)]).rem_euclid(TAU)).collect()
        });
        let angles = angles.filter(|all| (all.iter().sum::<f64>() - TAU).abs() < 1e-6);
        let sector = |i: usize| {
            let own = &endings[i];
            // A chain has its first region to its right: clockwise of where it leaves.
            let region = self.chains[own.chain].regions[usize::from(own.last)];
            let error = self.error_of(own).zip(self.error_of(&endings[next(i)]));
            let angle = angles.as_ref().map(|all| all[i].to_degrees());
            Sector {
                region,
                label: regions.all()[region as usize - 1].label,
                angle_deg: angle,
                angle_deg_error: angle.and(error).map(|(a, b)| a.hypot(b).to_degrees()),
            }
        };
        (0..endings.len()).map(sector).collect()
    }

    /// Standard error of the direction of a line at its end, radians.
    fn error_of(&self, ending: &Ending) -> Option<f64> {
        let Straight { length, spread, .. } = ending.straight?;
        let usual = FITTED * self.scales.resolution_px;
        Some(match self.error {
            // Of shorter pieces directions are the less certain: by the power 3 / 2 of the length.
            Some(error) => error * (usual / length).max(1.0).powf(1.5),
            // That of a fit to as many independent distances as there are lengths of resolution.
            None => {
                let independent = (length / (2.0 * self.scales.resolution_px)).max(1.0);
                spread * 12.0_f64.sqrt() / (length * independent.sqrt())
            }
        })
    }
}

/// Which way the corner `next` lies: up 0, to the right 1, down 2, to the left 3.
fn leaves(corner: Corner, next: Corner) -> usize {
    match (next[0].cmp(&corner[0]), next[1].cmp(&corner[1])) {
        (std::cmp::Ordering::Less, _) => 0,
        (_, std::cmp::Ordering::Greater) => 1,
        (std::cmp::Ordering::Greater, _) => 2,
        _ => 3,
    }
}

/// By how much the directions of neighbouring pieces of a path differ, radians; the pieces are this
/// long, and lie one next to the other in `range`.
fn bends(path: &Path, range: std::ops::Range<f64>, length: f64, size: Point) -> Vec<f64> {
    let count = ((range.end - range.start) / length).max(0.0) as usize;
    let directions: Vec<f64> = (0..count)
        .filter_map(|i| {
            let start = range.start + i as f64 * length;
            let Straight { along, .. } = Straight::of(path, start..start + length, path.points[0])?;
            Some(angle([along[0] * size[0], along[1] * size[1]]))
        })
        .collect();
    let half = TAU / 2.0;
    let turn = |pair: &[f64]| (pair[1] - pair[0] + half / 2.0).rem_euclid(half) - half / 2.0;
    directions.windows(2).map(turn).collect()
}

impl Straight {
    /// The line with the least squared distances from the points of this `range` of a path, away
    /// from `origin`.
    pub(crate) fn of(path: &Path, range: std::ops::Range<f64>, origin: Point) -> Option<Self> {
        let first = path.way.partition_point(|&way| way < range.start);
        let end = path.way.partition_point(|&way| way <= range.end);
        let points = path.points.get(first..end).filter(|points| points.len() >= 3)?;
        let n = points.len() as f64;
        let middle = [0, 1].map(|axis| points.iter().map(|p| p[axis]).sum::<f64>() / n);
        let [mut rr, mut rc, mut cc] = [0.0; 3];
        for point in points {
            let [r, c] = minus(*point, middle);
            rr += r * r / n;
            rc += r * c / n;
            cc += c * c / n;
        }
        let turn = 0.5 * (2.0 * rc).atan2(rr - cc);
        let along = unit([turn.cos(), turn.sin()])?;
        let away = dot(along, minus(middle, origin));
        let across = (rr + cc) / 2.0 - ((rr - cc) / 2.0).hypot(rc);
        Some(Self {
            middle,
            along: along.map(|x| if away < 0.0 { -x } else { x }),
            length: distance(points[0], points[points.len() - 1]),
            spread: across.max(0.0).sqrt(),
        })
    }
}

#[cfg(test)]
#[path = "junctions_tests.rs"]
mod tests;
