use ndarray::Array2;

use super::*;

const SCALES: Scales = Scales { smoothing_px: 6.0, resolution_px: 6.0 };
/// For labels that have stairs of pixels.
const STAIRS: Scales = Scales { smoothing_px: 8.0, resolution_px: 4.0 };

/// Label 1 where `inside` (px, towards the inside) is above 0, else 2, and how sure pixels are of it.
pub(crate) fn parted(
    shape: (usize, usize),
    inside: impl Fn(f64, f64) -> f64,
) -> (Array2<u16>, Array2<f32>) {
    let at = |(r, c): (usize, usize)| inside(r as f64, c as f64);
    let labels = Array2::from_shape_fn(shape, |place| if at(place) > 0.0 { 1 } else { 2 });
    let sure =
        Array2::from_shape_fn(shape, |place| (1.0 / (1.0 + (-at(place).abs() / 3.0).exp())) as f32);
    (labels, sure)
}

fn lines(
    (labels, sure): &(Array2<u16>, Array2<f32>),
    known: bool,
    size: Option<PixelSize>,
) -> Vec<BoundaryLine> {
    let regions = Regions::new(&labels.view(), None, size);
    let view = sure.view();
    let sure = known.then_some(&view as &dyn Rows<f32>);
    regions.boundary_lines(sure, if known { SCALES } else { STAIRS }, size).lines
}

fn turned(one: f64, other: f64) -> f64 {
    let away = (one - other).rem_euclid(180.0);
    away.min(180.0 - away)
}

#[test]
fn straight_lines_of_all_angles_have_their_length_and_normal() {
    for degrees in 0..180 {
        let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
        // Up is to lower rows.
        let map = parted((161, 201), |r, c| (80.3 - r) * sin + (c - 99.6) * cos);
        // From border to border, half a pixel beyond the centres: up to the left where the normal
        // goes up to the right, and down to the right.
        let across = if cos >= 0.0 { [100.1, 100.9] } else { [100.9, 100.1] };
        let ends = [[80.8, across[0]], [80.2, across[1]]];
        let whole: f64 = ends.map(|[r, c]| (r / cos.abs()).min(c / sin.abs())).iter().sum();
        for known in [true, false] {
            let found = lines(&map, known, None);
            assert_eq!(found.len(), 1);
            let line = &found[0];
            assert_eq!((line.labels, line.ends), ([1, 2], Some([End::Border; 2])));
            let normal = line.normal_deg.unwrap();
            // Sides of pixels along the axes end at the border itself, others within a pixel of it.
            let within = if degrees % 90 == 0 { 0.001 } else { 0.01 };
            let longer = line.px.length / whole - 1.0;
            assert!(longer.abs() < within, "{degrees} {known}: {longer}");
            assert!(
                turned(normal, f64::from(degrees)) < if known { 0.02 } else { 0.3 },
                "{degrees} {known}: {normal}"
            );
            let rough = line.px.roughness.unwrap();
            assert!(rough < if known { 0.02 } else { 0.3 }, "{degrees} {known}: {rough}");
            assert!(line.px.curvature_abs.unwrap() < if known { 1e-4 } else { 2e-3 }, "{line:?}");
            assert!(line.straightness.unwrap() > 0.999);
        }
    }
}

#[test]
fn circles_have_their_length_and_curvature_and_no_normal() {
    for radius in [6.0, 10.0, 20.3, 40.0, 80.0] {
        for (sign, labels) in [(1.0, [1, 2]), (-1.0, [1, 2])] {
            // A disc of label 1, then one of label 2.
            let map = parted((180, 190), |r, c| sign * (radius - (r - 90.2).hypot(c - 94.7)));
            for known in [true, false] {
                let found = lines(&map, known, None);
                assert_eq!(found.len(), 1);
                let line = &found[0];
                assert!(line.closed && line.ends.is_none() && line.labels == labels);
                let off = line.px.length / (TAU * radius) - 1.0;
                assert!(off.abs() < 0.01, "{radius} {known}: {off}");
                let curvature = line.px.curvature.unwrap() * radius * sign;
                assert!((curvature - 1.0).abs() < 0.03, "{radius} {known}: {curvature}");
                let modulus = line.px.curvature_abs.unwrap() * radius;
                assert!((0.97..1.2).contains(&modulus), "{radius} {known}: {modulus}");
                assert!(!known || modulus < 1.03, "{radius}: {modulus}");
                assert!(line.normal_deg.is_none() && line.straightness.unwrap() < 0.2);
                if let Some(rough) = line.px.roughness {
                    assert!(rough < if known { 0.03 } else { 0.2 }, "{radius} {known}: {rough}");
                }
            }
        }
    }
}

#[test]
fn half_a_disc_at_the_border_is_bent_towards_the_lower_label() {
    let map = parted((120, 200), |r, c| (r + 0.5).hypot(c - 99.6) - 50.0);
    let line = &lines(&map, true, None)[0];
    assert!((line.px.length / (50.0 * PI) - 1.0).abs() < 0.01, "{}", line.px.length);
    let curvature = line.px.curvature.unwrap() * 50.0;
    assert!((curvature + 1.0).abs() < 0.05, "{curvature}");
}

#[test]
fn roughness_is_that_of_waves_shorter_than_the_form() {
    let wave = |c: f64, length: f64| (c * TAU / length).sin();
    for (length, share) in [(20.0, 0.9..1.1), (28.0, 0.9..1.1), (300.0, 0.0..0.15)] {
        let map = parted((80, 600), |r, c| 40.3 - r + 1.5 * wave(c, length) + 0.1 * c.sin());
        let line = &lines(&map, true, None)[0];
        let rough = line.px.roughness.unwrap() / (1.5 / 2.0_f64.sqrt());
        assert!(share.contains(&rough), "{length}: {rough}");
        // Waves of a circle's radius.
        let map = parted((400, 400), |r, c| {
            let turn = (r - 200.0).atan2(c - 200.0);
            150.0 - (r - 200.0).hypot(c - 200.0)
                + 1.5 * wave(turn * 150.0, TAU * 150.0 / (TAU * 150.0 / length).round())
        });
        let line = &lines(&map, true, None)[0];
        let rough = line.px.roughness.unwrap() / (1.5 / 2.0_f64.sqrt());
        assert!(share.contains(&rough), "circle, {length}: {rough}");
    }
}

#[test]
fn lengths_angles_and_bends_are_those_of_the_specimen_where_pixels_are_no_squares() {
    let size = Some(PixelSize { rows: 0.1, cols: 0.2 });
    let map = parted((200, 200), |r, c| c - r - 0.3);
    let line = &lines(&map, true, size)[0];
    // Down the boundary 2 nm to the right for each 1 nm: its normal goes up twice as much.
    assert!(turned(line.normal_deg.unwrap(), 2.0_f64.atan().to_degrees()) < 0.05);
    let nm = line.nm.unwrap();
    assert!((nm.length / line.px.length - (0.05_f64 / 2.0).sqrt()).abs() < 1e-3);
    // The same of a line that is bent.
    let map = parted((200, 200), |r, c| c - r - 20.0 * ((r + c) * PI / 398.0).sin() + 12.0);
    let line = &lines(&map, true, size)[0];
    assert!(turned(line.normal_deg.unwrap(), 2.0_f64.atan().to_degrees()) < 1.0, "{line:?}");
    assert!(line.straightness.unwrap() < 0.99, "{line:?}");
    // An ellipse of pixels is a disc of 5 nm.
    let map = parted((200, 200), |r, c| 5.0 * 10.0 - ((r - 100.0) * 1.0).hypot((c - 100.0) * 2.0));
    let line = &lines(&map, true, size)[0];
    let nm = line.nm.unwrap();
    assert!((nm.length / (TAU * 5.0) - 1.0).abs() < 0.01, "{}", nm.length);
    assert!((nm.curvature.unwrap() * 5.0 - 1.0).abs() < 0.03, "{nm:?}");
    assert!(line.normal_deg.is_none());
}

#[test]
fn regions_of_few_pixels_and_maps_of_one_label_are_told_as_they_are() {
    let sure = Array2::ones((3, 4));
    assert!(lines(&(Array2::ones((3, 4)), sure.clone()), true, None).is_empty());
    assert!(lines(&(Array2::zeros((3, 4)), sure.clone()), true, None).is_empty());
    assert!(lines(&(Array2::zeros((0, 4)), Array2::ones((0, 4))), true, None).is_empty());
    let mut labels = Array2::ones((3, 4));
    labels[(1, 1)] = 2;
    let found = lines(&(labels.clone(), sure.clone()), true, None);
    assert!(found.len() == 1 && found[0].closed);
    assert!((2.0..4.1).contains(&found[0].px.length), "{found:?}");
    assert!(found[0].px.roughness.is_none());
    labels[(0, 3)] = 2;
    let found = lines(&(labels, sure), true, None);
    assert_eq!(found.iter().map(|line| line.regions).collect::<Vec<_>>(), [[1, 2], [1, 3]]);
    assert_eq!(found[0].ends, Some([End::Border; 2]));
    let all = found.iter().flat_map(|line| &line.points).flatten();
    assert!(all.into_iter().all(|x| x.is_finite()));
}

#[test]
fn lines_are_the_same_whatever_the_threads() {
    let map = parted((200, 190), |r, c| ((r / 9.0).sin() + (c / 7.0).cos()) * 4.0 + (r * c).sin());
    let once = lines(&map, true, None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| lines(&map, true, None)), once);
    assert!(once.len() > 10);
}
