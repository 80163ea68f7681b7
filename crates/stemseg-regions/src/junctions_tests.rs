use ndarray::Array2;
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;

use super::*;
use crate::lines::{BoundaryLines, End};

const SCALES: Scales = Scales { smoothing_px: 6.0, resolution_px: 6.0 };

/// Sectors about a point that begin at these angles, counter-clockwise from the right in degrees, and
/// how sure pixels are of them; labels from 1 on, `wide` px where they are equally so.
fn sectors(begin: [f64; 3], at: Point, wide: f64) -> (Array2<u16>, Array2<f32>) {
    let shape = (180, 200);
    let part = |(r, c): (usize, usize)| {
        let [down, right] = [r as f64 - at[0], c as f64 - at[1]];
        let turn = (-down).atan2(right).to_degrees();
        let own = (0..3).find(|&i| {
            let open = (begin[(i + 1) % 3] - begin[i]).rem_euclid(360.0);
            (turn - begin[i]).rem_euclid(360.0) < open
        });
        let own = own.unwrap();
        let far = down.hypot(right);
        let to = |begin: f64| {
            let away = (turn - begin + 180.0).rem_euclid(360.0) - 180.0;
            if away.abs() < 90.0 { far * away.abs().to_radians().sin() } else { far }
        };
        let near = to(begin[own]).min(to(begin[(own + 1) % 3]));
        (own as u16 + 1, near)
    };
    let labels = Array2::from_shape_fn(shape, |place| part(place).0);
    let sure =
        Array2::from_shape_fn(shape, |place| (1.0 / (1.0 + (-part(place).1 / wide).exp())) as f32);
    (labels, sure)
}

fn found(
    (labels, sure): &(Array2<u16>, Array2<f32>),
    size: Option<PixelSize>,
) -> (Regions, BoundaryLines) {
    let regions = Regions::new(&labels.view(), None, size);
    let view = sure.view();
    let lines = regions.boundary_lines(Some(&view as &dyn Rows<f32>), SCALES, size);
    (regions, lines)
}

#[test]
fn three_half_lines_meet_at_their_angles() {
    for begin in
        [[10.0, 130.0, 250.0], [0.0, 90.0, 180.0], [33.0, 190.0, 230.0], [71.0, 95.0, 300.0]]
    {
        let at = [88.3, 101.6];
        let map = sectors(begin, at, 3.0);
        let (_, lines) = found(&map, None);
        assert_eq!((lines.lines.len(), lines.triple_points.len()), (3, 1), "{begin:?}");
        let point = &lines.triple_points[0];
        assert!(distance(point.at_px, at) < 0.5, "{begin:?}: {:?}", point.at_px);
        let mut whole = 0.0;
        for sector in &point.sectors {
            let own = usize::from(sector.label) - 1;
            let open = (begin[(own + 1) % 3] - begin[own]).rem_euclid(360.0);
            let angle = sector.angle_deg.unwrap();
            assert!((angle - open).abs() < 1.0, "{begin:?}: {angle} of {open}");
            assert!(sector.angle_deg_error.unwrap() < 1.0, "{sector:?}");
            whole += angle;
        }
        assert!((whole - 360.0).abs() < 1e-9);
        let ends = lines.lines.iter().flat_map(|line| line.ends.unwrap());
        assert_eq!(ends.filter(|end| *end == End::TriplePoint(1)).count(), 3);
        // Lines go all the way.
        for line in &lines.lines {
            let ends = line.ends.unwrap();
            let own = if ends[0] == End::Border { line.points.len() - 1 } else { 0 };
            assert_eq!(line.points[own], point.at_px);
            assert!(point.lines.contains(&line.line));
        }
    }
}

#[test]
fn each_sector_lies_between_its_lines() {
    let (regions, lines) = found(&sectors([20.0, 100.0, 210.0], [90.0, 100.0], 3.0), None);
    let point = &lines.triple_points[0];
    for (i, sector) in point.sectors.iter().enumerate() {
        assert_eq!(regions.all()[sector.region as usize - 1].label, sector.label);
        for number in [point.lines[i], point.lines[(i + 1) % 3]] {
            assert!(lines.lines[number as usize - 1].regions.contains(&sector.region));
        }
    }
}

#[test]
fn angles_are_those_of_the_specimen_where_pixels_are_no_squares() {
    let size = Some(PixelSize { rows: 0.1, cols: 0.2 });
    // Up, and down to both sides at 45 degrees in px: at atan(1/2) in nm.
    let (_, lines) = found(&sectors([90.0, 225.0, 315.0], [90.2, 99.7], 3.0), size);
    let down = 0.5_f64.atan().to_degrees();
    for sector in &lines.triple_points[0].sectors {
        let expected = if sector.label == 2 { 180.0 - 2.0 * down } else { 90.0 + down };
        assert!((sector.angle_deg.unwrap() - expected).abs() < 1.0, "{sector:?}");
    }
}

#[test]
fn short_lines_have_no_direction_and_meet_in_the_corner() {
    let labels = ndarray::array![[1_u16, 1, 2], [1, 1, 2], [3, 3, 3]];
    let (_, lines) = found(&(labels, Array2::ones((3, 3))), None);
    let point = &lines.triple_points[0];
    assert_eq!(point.at_px, [1.5, 1.5]);
    assert!(point.sectors.iter().all(|s| s.angle_deg.is_none() && s.angle_deg_error.is_none()));
    // Clockwise from the line that goes up.
    let labels: Vec<u16> = point.sectors.iter().map(|sector| sector.label).collect();
    assert_eq!((&point.lines[..], &labels[..]), (&[1, 3, 2][..], &[2, 3, 1][..]));
}

#[test]
fn four_regions_meet_in_one_point_and_what_has_no_label_makes_none() {
    let labels = ndarray::array![[1_u16, 2], [3, 4]];
    let (_, lines) = found(&(labels, Array2::ones((2, 2))), None);
    assert_eq!(lines.triple_points[0].lines.len(), 4);
    let labels = ndarray::array![[1_u16, 2], [3, 0]];
    let (_, lines) = found(&(labels, Array2::ones((2, 2))), None);
    assert!(lines.triple_points.is_empty());
    assert!(lines.lines.iter().all(|line| line.ends == Some([End::Border; 2])));
}

#[test]
fn errors_hold_how_noisy_lines_are() {
    // Half lines that wander as memberships averaged over the resolution do.
    let mut squares = (0.0, 0.0, 0);
    for seed in 0..40_u32 {
        let begin = [15.0, 130.0, 255.0];
        let map = sectors(begin, [88.3, 101.6], 3.0);
        let wander = |r: f64, c: f64| {
            (1..9)
                .map(|i| {
                    let phase = f64::from((seed * 8 + i).wrapping_mul(2_654_435_761) >> 8);
                    let (sin, cos) = (phase * 1.7).sin_cos();
                    (phase + (r * sin + c * cos) * TAU / 38.0).sin()
                })
                .sum::<f64>()
                * 0.45
        };
        let shape = map.0.dim();
        let near = |r: usize, c: usize| {
            let (down, right) = (wander(r as f64, c as f64), wander(r as f64 + 999.0, c as f64));
            let bound = |x: f64, most: usize| x.round().clamp(0.0, most as f64 - 1.0) as usize;
            (bound(r as f64 + down, shape.0), bound(c as f64 + right, shape.1))
        };
        let moved = Array2::from_shape_fn(shape, |(r, c)| map.0[near(r, c)]);
        let (_, lines) = found(&(moved, Array2::zeros(shape)), None);
        for point in &lines.triple_points {
            for sector in &point.sectors {
                let own = usize::from(sector.label) - 1;
                let open = (begin[(own + 1) % 3] - begin[own]).rem_euclid(360.0);
                let Some((angle, error)) = sector.angle_deg.zip(sector.angle_deg_error) else {
                    continue;
                };
                squares.0 += (angle - open).powi(2);
                squares.1 += error * error;
                squares.2 += 1;
            }
        }
    }
    let (off, said, count) = squares;
    let ratio = (off / said).sqrt();
    assert!(count > 60 && (0.5..1.5).contains(&ratio), "{count}: {ratio}");
}
