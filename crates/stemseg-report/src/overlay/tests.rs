use super::*;
use image::Rgb;
use ndarray::{Array2, Axis};

fn ramp(rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(r, c)| (r * cols + c) as f32)
}

fn plain(image: &Array2<f32>, labels: &Array2<u16>) -> RgbImage {
    overlay(image.view(), &labels.view(), &OverlayOptions::default()).unwrap()
}

#[test]
fn label_0_stays_grey_and_others_get_their_tint() {
    let image = ramp(300, 300);
    let labels = Array2::from_shape_fn((300, 300), |(_, c)| u16::from(c >= 150) * 2);
    let drawing = plain(&image, &labels);
    assert!(
        drawing
            .enumerate_pixels()
            .filter(|(x, y, _)| *x < 150 && *y < 300)
            .all(|(_, _, Rgb([r, g, b]))| r == g && g == b)
    );
    // The values to the left and to the right are nearly the same.
    let Rgb([grey, ..]) = *drawing.get_pixel(149, 100);
    let expected = colours::colour(2).map(|over| text::mix(grey, over, 0.45));
    let Rgb(tinted) = *drawing.get_pixel(150, 100);
    assert!(
        tinted.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1),
        "{tinted:?} {expected:?}"
    );
}

#[test]
fn the_stretch_ignores_outliers() {
    let mut image = ramp(300, 300);
    image[(0, 0)] = 1e30;
    image[(0, 1)] = -1e30;
    image[(0, 2)] = f32::NAN;
    let stretch = Stretch::of(image.iter().copied().collect());
    assert!(
        (stretch.low - 450.0).abs() < 5.0 && (stretch.high - 89_550.0).abs() < 5.0,
        "{stretch:?}"
    );
    assert_eq!((stretch.apply(1e30), stretch.apply(-1e30), stretch.apply(f32::NAN)), (255, 0, 0));
    assert!(stretch.apply(45_000.0).abs_diff(128) <= 1);
}

#[test]
fn odd_images_have_a_defined_grey() {
    let constant = Array2::from_elem((9, 9), 7.0_f32);
    assert_eq!(Stretch::of(constant.iter().copied().collect()).apply(7.0), 128);
    let nothing = Array2::from_elem((9, 9), f32::NAN);
    assert_eq!(Stretch::of(nothing.iter().copied().collect()).apply(f32::NAN), 128);
    // Both percentiles fall on the same value, but there is contrast.
    let mut point = Array2::from_elem((99, 99), 1.0_f32);
    point[(50, 50)] = 3.0;
    let stretch = Stretch::of(point.iter().copied().collect());
    assert_eq!((stretch.apply(1.0), stretch.apply(3.0)), (0, 255));
    let wide = Array2::from_shape_fn((9, 9), |(r, _)| if r < 4 { f32::MIN } else { f32::MAX });
    assert_eq!(Stretch::of(wide.iter().copied().collect()).apply(0.0), 128);
}

#[test]
fn a_large_image_is_stretched_like_its_samples() {
    // A lattice must not beat with the samples: columns alternate.
    let image = Array2::from_shape_fn((2048, 2048), |(_, c)| (c % 8) as f32);
    let stretch = Stretch::of(image.iter().copied().collect());
    assert_eq!((stretch.low, stretch.high), (0.0, 7.0));
}

#[test]
fn the_legend_is_below_the_image_with_each_colour() {
    let labels = Array2::from_shape_fn((300, 300), |(r, _)| 1 + (r / 100) as u16);
    let drawing = plain(&ramp(300, 300), &labels);
    assert!(drawing.height() > 310 && drawing.width() == 300);
    for label in 1..=3 {
        let swatch = colours::colour(label);
        let found = drawing.enumerate_pixels().filter(|(_, y, p)| *y >= 300 && p.0 == swatch);
        assert!(found.count() > 50, "{label}");
    }
    assert!(drawing.enumerate_pixels().all(|(x, y, p)| y < 300 || x < 290 || p.0 == PAPER));
}

#[test]
fn memory_layout_makes_no_difference() {
    let (mut image, mut labels) = (ramp(250, 260), Array2::zeros((250, 260)));
    labels.indexed_iter_mut().for_each(|((r, c), label)| *label = ((r + 2 * c) % 7) as u16);
    let upright = plain(&image, &labels);
    image.invert_axis(Axis(0));
    labels.invert_axis(Axis(0));
    let turned = plain(&image, &labels);
    let in_order = |array: &Array2<f32>| array.as_standard_layout().into_owned();
    let labels_in_order = labels.as_standard_layout().into_owned();
    assert!(turned == plain(&in_order(&image), &labels_in_order));
    assert!(turned != upright);
}

#[test]
fn every_size_can_be_drawn() {
    let pixel_size = Some(PixelSize { rows: 0.02, cols: 0.02 });
    let options = OverlayOptions { pixel_size, style: Style::Both, ..OverlayOptions::default() };
    for (rows, cols) in [(1, 1), (1, 900), (900, 1), (60, 60), (8193, 3), (2, 8200)] {
        let labels = Array2::from_elem((rows, cols), 1_u16);
        let drawing = overlay(ramp(rows, cols).view(), &labels.view(), &options).unwrap();
        assert!(drawing.width() >= 100 && drawing.height() > 20, "{rows} x {cols}");
        assert!(drawing.width() <= 8192 && drawing.height() < 8600, "{rows} x {cols}");
    }
}

/// A black square of `side` px with a bar for `pixel_size`.
fn bar(side: usize, pixel_size: Option<PixelSize>) -> RgbImage {
    let (image, labels) = (Array2::zeros((side, side)), Array2::zeros((side, side)));
    let options = OverlayOptions { pixel_size, ..OverlayOptions::default() };
    overlay(image.view(), &labels.view(), &options).unwrap()
}

#[test]
fn the_bar_is_drawn_only_for_a_calibrated_image() {
    let white = |drawing: &RgbImage| {
        drawing.enumerate_pixels().filter(|(_, y, p)| *y < 300 && p.0 == [255; 3]).count()
    };
    assert_eq!(white(&bar(300, None)), 0);
    // 1 nm is 50 columns.
    assert!(white(&bar(300, Some(PixelSize { rows: 0.02, cols: 0.02 }))) >= 100);
}

#[test]
fn the_bar_measures_stored_columns() {
    let size = |rows, cols| Some(PixelSize { rows, cols });
    assert!(bar(300, size(0.3, 0.02)) == bar(300, size(0.02, 0.02)));
    assert!(bar(300, size(0.02, 0.3)) != bar(300, size(0.02, 0.02)));
    // Drawn four times as large.
    assert!(bar(60, size(0.08, 0.08)) == bar(240, size(0.02, 0.02)));
}

#[test]
fn shapes_must_agree() {
    let options = OverlayOptions::default();
    let refused = |image: (usize, usize), labels: (usize, usize)| {
        let (image, labels) = (Array2::zeros(image), Array2::zeros(labels));
        overlay(image.view(), &labels.view(), &options).unwrap_err().to_string()
    };
    assert!(refused((3, 4), (3, 5)).contains("3 x 5 pixels but the image 3 x 4"));
    assert!(refused((0, 4), (0, 4)).contains("0 x 4"));
}

#[test]
fn the_plain_picture_is_the_overlay_without_tints_and_legend() {
    let image = ramp(300, 310);
    let untinted = plain(&image, &Array2::zeros((300, 310)));
    let picture = picture(image.view(), None).unwrap();
    assert_eq!(picture.dimensions(), (310, 300));
    let same = |(x, y, grey): (u32, u32, &image::Luma<u8>)| {
        *untinted.get_pixel(x, y) == Rgb([grey.0[0]; 3])
    };
    assert!(picture.enumerate_pixels().all(same));
}

/// Left half label 1, right half label 2, on a constant image.
fn halves(style: Style, side: usize) -> RgbImage {
    let image = Array2::zeros((side, side));
    let labels = Array2::from_shape_fn((side, side), |(_, c)| 1 + u16::from(c >= side / 2));
    let options = OverlayOptions { style, ..OverlayOptions::default() };
    overlay(image.view(), &labels.view(), &options).unwrap()
}

/// Columns of row `row` of the drawing that have exactly this colour.
fn columns_of(drawing: &RgbImage, row: u32, colour: [u8; 3]) -> Vec<u32> {
    (0..drawing.width()).filter(|&x| drawing.get_pixel(x, row).0 == colour).collect()
}

#[test]
fn lines_have_the_colour_of_either_side_and_leave_the_rest_grey() {
    let drawing = halves(Style::Lines, 300);
    assert_eq!(columns_of(&drawing, 100, colours::colour(1)), [149]);
    assert_eq!(columns_of(&drawing, 100, colours::colour(2)), [150]);
    assert_eq!(columns_of(&drawing, 100, [128; 3]).len(), 298);
}

#[test]
fn both_is_lines_over_tints() {
    let (both, tint) = (halves(Style::Both, 300), halves(Style::Tint, 300));
    assert_eq!(columns_of(&both, 100, colours::colour(1)), [149]);
    let same = (0..300).filter(|&x| both.get_pixel(x, 100) == tint.get_pixel(x, 100)).count();
    assert_eq!(same, 298);
}

#[test]
fn lines_grow_with_the_picture() {
    let width = |side| columns_of(&halves(Style::Lines, side), 40, colours::colour(1)).len();
    assert_eq!((width(300), width(1024), width(2048)), (1, 2, 3));
    // A picture that is enlarged has lines of its drawn size.
    assert_eq!(width(60), 1);
}

#[test]
fn lines_do_not_depend_on_the_bands_they_are_painted_in() {
    // Horizontal boundaries at, before and after the end of a band.
    let (image, bands) = (Array2::zeros((1200, 1000)), [31, 32, 33, 64, 700]);
    let labels = Array2::from_shape_fn((1200, 1000), |(r, _)| {
        1 + bands.iter().filter(|&&b| r >= b).count() as u16
    });
    let options = OverlayOptions { style: Style::Lines, ..OverlayOptions::default() };
    let drawing = overlay(image.view(), &labels.view(), &options).unwrap();
    let line = |row: usize| drawing.get_pixel(500, row as u32).0 != [128; 3];
    for row in 0..1200 {
        let beside = bands.iter().any(|&b| (b - 2..b + 2).contains(&row));
        assert_eq!(line(row), beside, "row {row}");
    }
}

#[test]
fn nothing_is_drawn_where_nothing_is_segmented() {
    let image = Array2::zeros((300, 300));
    let labels = Array2::from_shape_fn((300, 300), |(_, c)| u16::from(c >= 150));
    let options = OverlayOptions { style: Style::Lines, ..OverlayOptions::default() };
    let drawing = overlay(image.view(), &labels.view(), &options).unwrap();
    assert_eq!(drawing.get_pixel(149, 9).0, [128; 3]);
    assert_eq!(drawing.get_pixel(150, 9).0, colours::colour(1));
}

#[test]
fn alpha_is_the_share_of_the_colour() {
    let (image, labels) = (Array2::zeros((300, 300)), Array2::from_elem((300, 300), 1_u16));
    let pixel = |alpha| {
        let options = OverlayOptions { alpha, ..OverlayOptions::default() };
        overlay(image.view(), &labels.view(), &options).unwrap().get_pixel(9, 9).0
    };
    assert_eq!((pixel(0.0), pixel(1.0)), ([128; 3], colours::colour(1)));
    assert_eq!(pixel(0.5), colours::colour(1).map(|c| text::mix(128, c, 0.5)));
}
