//! Lines along which regions of two labels meet, at sub-pixel, and what they are like.
//!
//! A line crosses from pixel to pixel where the memberships in both labels are equal, and ends where
//! a third region begins, at the border of the image, or at pixels without a label. Two lengths part
//! what is seen at different scales, as profiles of surfaces are parted into form and roughness
//! (ISO 21920-2): stairs and the noise of single pixels are shorter than [`Scales::smoothing_px`] and
//! belong to neither; what is longer than [`BoundaryLine::form_px`] is the line's form, which has
//! normals and curvature; how far the line strays from its form is its roughness.

use std::collections::BTreeMap;
use std::f64::consts::{PI, TAU};

use rayon::prelude::*;
use serde::Serialize;
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;
use stemseg::pipeline::Patterns;
use stemseg::plan::{Labels, Plan, automatic};

use crate::chains::{Chain, chains};
use crate::junctions::{Junctions, Straight, TriplePoint};
use crate::outline::Corner;
use crate::path::{Path, Piece, angle, distance, dot, minus, unit};
use crate::sides::sides;
use crate::{Point, Regions};

/// Reach of the pieces that lines are smoothed by, in distances of sites, between which they are
/// smooth or have stairs.
const SMOOTHING: f64 = 2.0;
const STAIRS: f64 = 8.0;
/// Its least, px: it holds the noise of single pixels.
const LEAST_SMOOTHING: f64 = 4.0;
/// Reach of the pieces that forms consist of, in terms of the smoothing and of the resolution, and
/// the share of a line that it takes at most: pieces of circles are an eighth of them to both sides.
const FORM_BY_SMOOTHING: f64 = 4.0;
const FORM_BY_RESOLUTION: f64 = 8.0;
const FORM_OF_OPEN: f64 = 0.25;
const FORM_OF_CLOSED: f64 = 0.125;
/// Pieces to a form's reach: more say nothing new.
const PIECES: f64 = 12.0;
/// How much longer than the smoothing the form must be for roughness to be told from it.
const ROUGH: f64 = 1.5;
/// How much of a line must go along one direction for that to be said of all of it.
const DIRECTED: f64 = 0.5;
/// How far points may be from a straight line, in terms of its length, for it to be fitted as one.
const STRAIGHT: f64 = 0.01;

/// At which lengths lines are looked at, px.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scales {
    /// Lines are smoothed by quadratic curves fitted to what lies up to this far to both sides.
    pub smoothing_px: f64,
    /// Distance over which places of a line depend on each other: standard deviation of the Gaussian
    /// that memberships were averaged under.
    pub resolution_px: f64,
}

impl Scales {
    /// Of labels that are interpolated between sites with this distance, from memberships averaged
    /// under a Gaussian of this standard deviation, both px.
    pub fn interpolated(sites_px: f64, averaged_px: f64) -> Self {
        let smoothing_px = (SMOOTHING * sites_px).max(LEAST_SMOOTHING);
        Self { smoothing_px, resolution_px: averaged_px.max(smoothing_px / 2.0) }
    }

    /// Of labels that are those of the nearest site, which lie this far apart, px: lines have stairs
    /// as high as that.
    pub fn nearest(sites_px: f64) -> Self {
        let smoothing_px = (STAIRS * sites_px).max(LEAST_SMOOTHING);
        Self { smoothing_px, resolution_px: smoothing_px / 2.0 }
    }
}

/// Where a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum End {
    /// At the border of the image or at pixels without a label.
    Border,
    /// At the triple point of this number.
    TriplePoint(u32),
}

/// How long, rough and bent a line is, in px or nm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Course {
    /// Length along the smoothed line.
    pub length: f64,
    /// Root mean square of its distances from its form; nothing where it is too short to have both.
    pub roughness: Option<f64>,
    /// Mean curvature of its form, positive where the region of the lower label bulges: `1 / r` for
    /// a disc of that. The turn of the tangent over the length; nothing for a few pixels.
    pub curvature: Option<f64>,
    /// Mean of the curvature's modulus.
    pub curvature_abs: Option<f64>,
}

/// A line along which two regions meet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BoundaryLine {
    /// Its number, from 1: by regions.
    pub line: u32,
    /// Labels of its sides, the lower first: that is to the right, as displayed, of whoever goes
    /// from point to point.
    pub labels: [u16; 2],
    /// Numbers of the regions, in the same order.
    pub regions: [u32; 2],
    /// The smoothed line. The first point is not repeated where it is closed.
    pub points: Vec<Point>,
    /// Whether it comes back to where it begins.
    pub closed: bool,
    /// Where it begins and ends, unless it is closed.
    pub ends: Option<[End; 2]>,
    /// Its form is made of quadratic curves fitted to what lies up to this far to both sides, px.
    pub form_px: f64,
    /// Angle of its mean normal, counter-clockwise from the right as displayed, 0 to 180 degrees, in
    /// terms of nm where pixels have a size; nothing where it goes in all directions.
    pub normal_deg: Option<f64>,
    /// How much of it goes along one direction: 1 for a straight line, 0 for a circle.
    pub straightness: Option<f64>,
    /// Its course in px.
    pub px: Course,
    /// The same in nm, where the size of a pixel is known.
    pub nm: Option<Course>,
}

/// All lines of a label map, and the points at which they meet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BoundaryLines {
    /// Of each two regions that meet, in the order of their numbers.
    pub lines: Vec<BoundaryLine>,
    /// Where three regions or more meet, from top to bottom.
    pub triple_points: Vec<TriplePoint>,
    /// At which lengths they were looked at.
    pub scales: Scales,
}

impl BoundaryLines {
    /// Of a result: the lines along which its `regions` meet, where its memberships are equal.
    pub fn new(
        regions: &Regions,
        plan: &Plan,
        Patterns { map, memberships, .. }: &Patterns,
        pixel_size: Option<PixelSize>,
    ) -> Self {
        let stride = plan.sites().grid().stride;
        // In px of the image that was read.
        let apart = stride as f64 / plan.frame().scale;
        match plan.params().labels {
            Labels::Interpolated { smooth, .. } => {
                let averaged = automatic::smoothing(smooth, stride).sigma * apart;
                let scales = Scales::interpolated(apart, averaged);
                regions.boundary_lines(Some(&map.confidence(memberships)), scales, pixel_size)
            }
            Labels::Nearest => regions.boundary_lines(None, Scales::nearest(apart), pixel_size),
        }
    }
}

impl Regions {
    /// The lines along which regions meet. `confidence` `[rows, cols]` is the membership of each
    /// pixel in its label as it changes steadily between sites; without it, lines go half-way
    /// between pixels. Memory grows with the length of the lines, not with the image.
    ///
    /// # Panics
    /// Where the confidence has another shape.
    pub fn boundary_lines(
        &self,
        confidence: Option<&dyn Rows<f32>>,
        scales: Scales,
        pixel_size: Option<PixelSize>,
    ) -> BoundaryLines {
        assert!(
            confidence.is_none_or(|confidence| confidence.shape() == self.shape()),
            "regions and confidence have one shape"
        );
        let chains = chains(&sides(&self.connected, confidence));
        let smoothed = |chain: &Chain| {
            Path::new(chain.points.clone(), chain.closed).smoothed(scales.smoothing_px)
        };
        let paths: Vec<Path> = chains.par_iter().map(smoothed).collect();
        let size = pixel_size.map_or([1.0; 2], |size| [size.rows, size.cols]);
        let junctions = Junctions::new(&chains, &paths, scales, size);
        let triple_points = junctions.triple_points(self);
        let places: BTreeMap<Corner, (u32, Point)> = junctions
            .corners()
            .zip(&triple_points)
            .map(|(corner, point)| (corner, (point.triple_point, point.at_px)))
            .collect();
        let line = |(i, (chain, path)): (usize, (&Chain, Path))| {
            self.line(i as u32 + 1, chain, path, &places, (scales, pixel_size))
        };
        let lines = chains.par_iter().zip(paths).enumerate().map(line).collect();
        BoundaryLines { lines, triple_points, scales }
    }

    fn line(
        &self,
        line: u32,
        chain: &Chain,
        path: Path,
        places: &BTreeMap<Corner, (u32, Point)>,
        (scales, pixel_size): (Scales, Option<PixelSize>),
    ) -> BoundaryLine {
        let form = Form::new(&path, chain.closed, scales);
        let size = pixel_size.map_or([1.0; 2], |size| [size.rows, size.cols]);
        let ends = (!chain.closed).then(|| {
            chain.ends.map(|[corner, _]| match places.get(&corner) {
                Some(&(number, _)) => End::TriplePoint(number),
                None => End::Border,
            })
        });
        let main = form.main(size);
        let directed = main.filter(|(_, share)| *share >= DIRECTED);
        let directed = directed.map(|(along, _)| straight(&path, size).unwrap_or(along));
        let points = match chain.closed {
            true => path.points,
            false => with_ends(path, chain.ends.map(|[corner, _]| (corner, places.get(&corner)))),
        };
        let course = |size: Point| {
            let curvature = form.curvature(size, chain.closed);
            Course {
                length: length(&points, size, chain.closed),
                roughness: form.roughness(size),
                curvature: curvature.map(|[signed, _]| signed),
                curvature_abs: curvature.map(|[_, modulus]| modulus),
            }
        };
        let (px, nm) = (course([1.0; 2]), pixel_size.map(|_| course(size)));
        BoundaryLine {
            line,
            labels: chain.regions.map(|region| self.all()[region as usize - 1].label),
            regions: chain.regions,
            closed: chain.closed,
            ends,
            form_px: form.half,
            normal_deg: directed.map(|along| (along.to_degrees() + 90.0).rem_euclid(180.0)),
            straightness: main.map(|(_, share)| share),
            px,
            nm,
            points,
        }
    }
}

/// Angle of the straight line through a path, counter-clockwise from the right, radians, in pixels of
/// this size; nothing where it is not straight.
fn straight(path: &Path, size: Point) -> Option<f64> {
    let all = Straight::of(path, 0.0..f64::INFINITY, path.points[0])?;
    let along = [all.along[0] * size[0], all.along[1] * size[1]];
    (all.spread <= STRAIGHT * all.length).then(|| angle(along))
}

/// Where a corner of pixels is: their centres are at whole numbers.
pub(crate) fn place([row, col]: Corner) -> Point {
    [f64::from(row) - 0.5, f64::from(col) - 0.5]
}

/// The points of an open path with those at its ends: triple points, or where it goes on straight to
/// the border.
fn with_ends(path: Path, ends: [(Corner, Option<&(u32, Point)>); 2]) -> Vec<Point> {
    let last = path.points.len() - 1;
    // The points at each end and next to it.
    let pairs = [[0, 1.min(last)], [last, last.saturating_sub(1)]];
    let [first, end] = [0, 1].map(|end| {
        let (corner, triple) = (place(ends[end].0), ends[end].1);
        let [at, before] = pairs[end].map(|i| path.points[i]);
        match (triple, unit(minus(at, before))) {
            (Some(&(_, at)), _) => at,
            (None, None) => corner,
            (None, Some(on)) => {
                let way = dot(minus(corner, at), on).max(0.0);
                [at[0] + way * on[0], at[1] + way * on[1]]
            }
        }
    });
    std::iter::once(first).chain(path.points).chain([end]).collect()
}

fn length(points: &[Point], size: Point, closed: bool) -> f64 {
    let sized = |point: Point| [point[0] * size[0], point[1] * size[1]];
    let back = points.first().filter(|_| closed);
    let next = points.iter().skip(1).chain(back);
    points.iter().zip(next).map(|(a, b)| distance(sized(*a), sized(*b))).sum()
}

/// The form of a line, as pieces along it.
struct Form {
    /// How far each piece reaches to both sides, px.
    half: f64,
    /// From each piece to the next: the way, px, and both tangents.
    steps: Vec<(f64, [Point; 2])>,
    /// How far points are from it, px, each with the tangent there; nothing where the line is too
    /// short for that to be told.
    away: Option<Vec<[Point; 2]>>,
}

impl Form {
    fn new(path: &Path, closed: bool, scales: Scales) -> Self {
        let longest = (FORM_BY_SMOOTHING * scales.smoothing_px)
            .max(FORM_BY_RESOLUTION * scales.resolution_px);
        let share = if closed { FORM_OF_CLOSED } else { FORM_OF_OPEN };
        let half = longest.min(share * path.length);
        let reach = half.max(scales.smoothing_px.min(path.length));
        let count = path.points.len();
        let step = ((reach / PIECES) * count as f64 / path.length.max(1.0)) as usize;
        let step = step.clamp(1, count);
        let pieces: Vec<(usize, Piece)> = path.pieces(reach, step).collect();
        let tangent = |piece: &Piece| unit(piece.along).unwrap_or([0.0, 1.0]);
        let back = pieces.first().filter(|_| closed && count > 2);
        let next = pieces.iter().skip(1).chain(back);
        let steps = pieces.iter().zip(next).map(|((i, one), (j, other))| {
            let way = if j > i { path.way[*j] - path.way[*i] } else { path.length - path.way[*i] };
            (way, [tangent(one), tangent(other)])
        });
        let steps = steps.collect();
        let away = (half >= ROUGH * scales.smoothing_px).then(|| {
            // Points are so near to the middle of a piece that it is straight there.
            let of_piece = |(i, piece): &(usize, Piece)| {
                let (at, along) = (piece.at, tangent(piece));
                let own = i.saturating_sub(step / 2)..(i + step.div_ceil(2)).min(count);
                own.map(move |point| [minus(path.points[point], at), along])
            };
            pieces.iter().flat_map(of_piece).collect()
        });
        Self { half: reach, steps, away }
    }

    /// Angle of its mean direction, counter-clockwise from the right, radians, in pixels of this
    /// size, and how much goes along it.
    fn main(&self, size: Point) -> Option<(f64, f64)> {
        let (mut whole, mut cos, mut sin) = (0.0, 0.0, 0.0);
        for (way, tangents) in &self.steps {
            for tangent in tangents {
                let along = [tangent[0] * size[0], tangent[1] * size[1]];
                let (length, turn) = (way * along[0].hypot(along[1]), 2.0 * angle(along));
                whole += length;
                cos += length * turn.cos();
                sin += length * turn.sin();
            }
        }
        (whole > 0.0).then(|| (0.5 * sin.atan2(cos), sin.hypot(cos) / whole))
    }

    /// Mean curvature towards the right, and that of its modulus, in pixels of this size.
    fn curvature(&self, size: Point, closed: bool) -> Option<[f64; 2]> {
        let (mut whole, mut turn, mut turned) = (0.0, 0.0, 0.0);
        for (way, tangents) in &self.steps {
            let [one, other] = tangents.map(|t| [t[0] * size[0], t[1] * size[1]]);
            whole += way * 0.5 * (one[0].hypot(one[1]) + other[0].hypot(other[1]));
            // Clockwise, by less than half a turn.
            let step = (angle(one) - angle(other) + PI).rem_euclid(TAU) - PI;
            turn += step;
            turned += step.abs();
        }
        let enough = closed || self.steps.iter().map(|(way, _)| way).sum::<f64>() >= self.half;
        (whole > 0.0 && enough).then(|| [turn / whole, turned / whole])
    }

    /// Root mean square of the distances of points from it, in pixels of this size.
    fn roughness(&self, size: Point) -> Option<f64> {
        let away = self.away.as_ref()?;
        let across = |[off, along]: &[Point; 2]| {
            // The normal of the line on the specimen.
            let normal = [along[1] * size[1], -along[0] * size[0]];
            dot([off[0] * size[0], off[1] * size[1]], normal).powi(2) / dot(normal, normal)
        };
        Some((away.iter().map(across).sum::<f64>() / away.len() as f64).sqrt())
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
