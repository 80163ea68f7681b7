//! Regions against the definition, pixel by pixel.
#![allow(missing_docs, reason = "tests explain themselves")]

use std::collections::BTreeSet;

use ndarray::Array2;
use stemseg::image::micrograph::PixelSize;
use stemseg_regions::Regions;
use stemseg_regions::grains::Grains;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Patches of labels 0 to 3.
fn patches(rows: usize, cols: usize, seed: u64) -> Array2<u16> {
    let mut random = Random(seed);
    let coarse =
        Array2::from_shape_fn((rows / 4 + 1, cols / 3 + 3), |_| (4.0 * random.unit()) as u16);
    Array2::from_shape_fn((rows, cols), |(r, c)| coarse[(r / 4, (c + r % 4) / 3)])
}

/// The pixels of each region, by flooding.
fn flooded(labels: &Array2<u16>) -> Vec<BTreeSet<(usize, usize)>> {
    let mut seen = Array2::from_elem(labels.dim(), false);
    let mut all = Vec::new();
    for (start, &label) in labels.indexed_iter() {
        if label == 0 || seen[start] {
            continue;
        }
        let (mut region, mut front) = (BTreeSet::new(), vec![start]);
        seen[start] = true;
        while let Some((r, c)) = front.pop() {
            region.insert((r, c));
            for at in [(r.wrapping_sub(1), c), (r + 1, c), (r, c.wrapping_sub(1)), (r, c + 1)] {
                if labels.get(at) == Some(&label) && !seen[at] {
                    seen[at] = true;
                    front.push(at);
                }
            }
        }
        all.push(region);
    }
    all
}

#[test]
fn regions_are_those_of_flooding() {
    for (rows, cols, seed) in [(37, 53, 1), (130, 40, 2), (1, 60, 3), (60, 1, 4)] {
        let labels = patches(rows, cols, seed);
        let confidence =
            Array2::from_shape_fn((rows, cols), |(r, c)| ((r + 2 * c) % 7) as f32 / 7.0);
        let regions = Regions::new(&labels.view(), Some(&confidence.view()), None);
        let (numbers, flooded) = (regions.numbers(), flooded(&labels));
        assert_eq!(regions.all().len(), flooded.len());
        for pixels in flooded {
            let number = numbers[*pixels.first().unwrap()];
            let region = &regions.all()[number as usize - 1];
            assert!(pixels.iter().all(|&at| numbers[at] == number));
            let n = pixels.len() as f64;
            assert_eq!((region.region, region.area_px), (number, pixels.len() as u64));
            let mean = |of: &dyn Fn((usize, usize)) -> f64| {
                pixels.iter().map(|&at| of(at)).sum::<f64>() / n
            };
            let [row, col] = region.centroid_px;
            assert!((row - mean(&|at| at.0 as f64)).abs() < 1e-9);
            assert!((col - mean(&|at| at.1 as f64)).abs() < 1e-9);
            let sure = mean(&|at| f64::from(confidence[at]));
            assert!((region.confidence.unwrap() - sure).abs() < 1e-6);
            // The ellipse of the same second moments.
            let rr = mean(&|at| (at.0 as f64 - row).powi(2));
            let cc = mean(&|at| (at.1 as f64 - col).powi(2));
            let rc = mean(&|at| (at.0 as f64 - row) * (at.1 as f64 - col));
            let root = ((rr - cc).powi(2) / 4.0 + rc * rc).sqrt();
            let axes =
                [(rr + cc) / 2.0 + root, (rr + cc) / 2.0 - root].map(|v| 4.0 * v.max(0.0).sqrt());
            assert!((region.shape.axis_major_length - axes[0]).abs() < 1e-6);
            assert!((region.shape.axis_minor_length - axes[1]).abs() < 1e-3, "{region:?} {axes:?}");
            assert!(region.shape.solidity > 0.0 && region.shape.solidity <= 1.0);
            // What lies around it.
            let mut neighbours = BTreeSet::new();
            let mut cut = false;
            for &(r, c) in &pixels {
                for at in [(r.wrapping_sub(1), c), (r + 1, c), (r, c.wrapping_sub(1)), (r, c + 1)] {
                    match numbers.get(at) {
                        None | Some(0) => cut = true,
                        Some(&other) if other != number => drop(neighbours.insert(other)),
                        Some(_) => {}
                    }
                }
            }
            assert_eq!(region.touches_border, cut);
            assert_eq!(region.neighbours, neighbours.into_iter().collect::<Vec<_>>());
        }
        let part = regions.numbers_in([rows / 3, cols / 4, rows, cols - cols / 5]);
        let of_all = ndarray::s![rows / 3.., cols / 4..cols - cols / 5];
        assert_eq!(part, numbers.slice(of_all));
        // By label, the largest first.
        let order: Vec<_> =
            regions.all().iter().map(|r| (r.label, std::cmp::Reverse(r.area_px))).collect();
        assert!(order.is_sorted());
    }
}

#[test]
fn lengths_follow_the_sizes_of_pixels_along_each_axis() {
    // 20 rows of 0.5 nm and 10 columns of 2 nm: 10 nm x 20 nm.
    let labels = Array2::from_shape_fn((40, 40), |(r, c)| {
        if (5..25).contains(&r) && (7..17).contains(&c) { 1 } else { 2 }
    });
    let size = PixelSize { rows: 0.5, cols: 2.0 };
    let regions = Regions::new(&labels.view(), None, Some(size));
    let region = &regions.all()[0];
    assert!(!region.touches_border && region.neighbours == [2] && region.confidence.is_none());
    assert_eq!(region.bbox_px, [5, 7, 25, 17]);
    let (px, nm) = (region.shape, region.shape_nm.unwrap());
    assert_eq!([px.area, nm.area], [200.0, 200.0]);
    assert!((px.feret_diameter_max - 20.0_f64.hypot(10.0)).abs() < 1e-9);
    assert!((nm.feret_diameter_max - 20.0_f64.hypot(10.0)).abs() < 1e-9);
    assert!((nm.feret_diameter_min - 10.0).abs() < 1e-9 && nm.solidity == 1.0);
    // Along the rows in pixels, along the columns in nm.
    assert_eq!([px.orientation_deg.abs(), nm.orientation_deg], [90.0, 0.0]);
    let regions = Regions::new(&Array2::<u16>::zeros((4, 4)).view(), None, None);
    assert!(regions.all().is_empty() && Grains::all(&regions).is_empty());
}

#[test]
fn angles_go_up_from_the_right() {
    let stripe = |slope: f64| {
        Array2::from_shape_fn((61, 61), |(r, c)| {
            let (up, right) = (30.0 - r as f64, c as f64 - 30.0);
            u16::from((up - slope * right).abs() < 3.0 && right.hypot(up) < 25.0)
        })
    };
    for (slope, degrees) in [(0.0, 0.0), (1.0, 45.0), (-0.577_35, -30.0)] {
        let regions = Regions::new(&stripe(slope).view(), None, None);
        let found = regions.all()[0].shape.orientation_deg;
        assert!((found - degrees).abs() < 0.5, "{degrees}: {found}");
    }
}

/// Discs of two sizes at random places, of which an image shows a part: the large ones are cut
/// off more often.
#[test]
fn grains_that_the_border_cuts_off_are_made_up_for() {
    let (size, radii) = (160.0, [6.0, 24.0]);
    let mut random = Random(11);
    let [mut corrected, mut plain, mut images] = [0.0; 3];
    for _ in 0..400 {
        // As many of each, anywhere that they may reach into the image from.
        let mut discs: Vec<(f64, f64, f64)> = Vec::new();
        for _ in 0..40 {
            let radius = radii[usize::from(random.unit() < 0.5)];
            let place = |unit: f64| unit * (size + 60.0) - 30.0;
            let disc = (place(random.unit()), place(random.unit()), radius);
            let apart = |other: &(f64, f64, f64)| {
                (disc.0 - other.0).hypot(disc.1 - other.1) > radius + other.2 + 2.0
            };
            if discs.iter().all(apart) {
                discs.push(disc);
            }
        }
        // The true mean, of all that were drawn: by their centres within the image.
        let inside = |v: f64| (0.0..size).contains(&v);
        let drawn: Vec<f64> =
            discs.iter().filter(|d| inside(d.0) && inside(d.1)).map(|d| 2.0 * d.2).collect();
        let labels = Array2::from_shape_fn((160, 160), |(r, c)| {
            let here = |d: &(f64, f64, f64)| (r as f64 - d.0).hypot(c as f64 - d.1) <= d.2;
            if discs.iter().any(here) { 1 } else { 2 }
        });
        let regions = Regions::new(&labels.view(), None, None);
        let Some(sizes) = Grains::new(&regions, 1).px else { continue };
        let whole: Vec<f64> = regions
            .of(1)
            .filter(|region| !region.touches_border)
            .map(|region| region.shape.equivalent_diameter)
            .collect();
        let truth = drawn.iter().sum::<f64>() / drawn.len() as f64;
        corrected += sizes.mean_equivalent_diameter - truth;
        plain += whole.iter().sum::<f64>() / whole.len() as f64 - truth;
        images += 1.0;
    }
    let (corrected, plain) = (corrected / images, plain / images);
    assert!(corrected.abs() < 0.35, "{corrected}");
    assert!(plain < -1.5, "without the correction large grains are missing: {plain}");
}

#[test]
fn the_grain_size_number_is_that_of_its_definition() {
    // 100 squares of 10 nm, all of them cut or inside: ten by ten in an image of 100 nm.
    let labels = Array2::from_shape_fn((100, 100), |(r, c)| 1 + ((r / 10 + c / 10) % 2) as u16);
    let regions = Regions::new(&labels.view(), None, Some(PixelSize { rows: 1.0, cols: 1.0 }));
    let grains = Grains::all(&regions);
    assert_eq!([grains[0].regions, grains[1].regions], [50, 50]);
    // 32 inside and half of 18 in half of 1e4 nm^2.
    let number = (41.0_f64 / 5000.0 * 1e12).log2() - 2.954;
    assert_eq!(grains[0].inside, 32);
    assert!((grains[0].astm_grain_size.unwrap() - number).abs() < 1e-9);
    // By the standard's table 15.5 grains in a square millimetre have number 1.
    let coarse = PixelSize { rows: 3e4, cols: 3e4 };
    let number = Grains::new(&Regions::new(&labels.view(), None, Some(coarse)), 1).astm_grain_size;
    let per_mm2 = 41.0 / (5000.0 * 0.03 * 0.03);
    assert!((number.unwrap() - (1.0 + (per_mm2 / 15.5_f64).log2())).abs() < 1e-3, "{number:?}");
}
