//! The scale bar.

use image::RgbImage;

use super::shape::{Rect, fill};
use crate::text;

/// Width of the bar as a share of the image's, about.
const SHARE: f64 = 0.2;

/// Draws a bar into the lower left corner of an image of `shape` `(rows, cols)`
/// whose first column is `left`; `nm` per column. An image with no room gets none.
pub(super) fn draw(
    drawing: &mut RgbImage,
    (rows, cols): (usize, usize),
    left: usize,
    nm: f64,
    size: f32,
) {
    let Some(length) = round_length(SHARE * cols as f64 * nm) else {
        return;
    };
    let label = length.label();
    let width = ((length.nm() / nm).round() as f32).max(1.0);
    let extent = text::measure(&label, size);
    let (inset, margin) = ((0.55 * size).round(), (0.6 * size).round());
    let (thick, gap) = ((size / 5.0).round(), (0.45 * size).round());
    let plate_width = width.max(extent.width.ceil()) + 2.0 * inset;
    let plate_height = extent.height + gap + thick + 2.0 * inset;
    if plate_width + 2.0 * margin > cols as f32 || plate_height + 2.0 * margin > rows as f32 {
        return;
    }
    let plate = Rect {
        left: left as f32 + margin,
        top: (rows as f32 - margin - plate_height).round(),
        width: plate_width,
        height: plate_height.round(),
    };
    fill(drawing, plate, 0.35 * size, [0; 3], 0.62);
    let middle = plate.left + plate.width / 2.0;
    let baseline = plate.top + inset + extent.height;
    text::draw(drawing, &label, (middle - extent.width / 2.0, baseline), size, [255; 3]);
    let bar = Rect {
        left: (middle - width / 2.0).round(),
        top: plate.top + plate.height - inset - thick,
        width,
        height: thick,
    };
    fill(drawing, bar, 0.0, [255; 3], 1.0);
}

/// A round length of about a fifth of `width` nm: in nm, and in words.
pub(crate) fn fitting(width: f64) -> Option<(f64, String)> {
    round_length(SHARE * width).map(|length| (length.nm(), length.label()))
}

/// A length of `digit` (1, 2, 5) times a power of ten, in nm.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Round {
    digit: u8,
    power: i32,
}

impl Round {
    fn nm(self) -> f64 {
        f64::from(self.digit) * 10_f64.powi(self.power)
    }

    /// `500 pm`, `2 nm`, `10 µm`.
    fn label(self) -> String {
        let (unit, power) = match self.power {
            ..-1 => ("pm", self.power + 3),
            -1..3 => ("nm", self.power),
            3.. => ("µm", self.power - 3),
        };
        let decimals = usize::try_from(-power).unwrap_or(0);
        let value = f64::from(self.digit) * 10_f64.powi(power);
        format!("{value:.decimals$} {unit}")
    }
}

/// The round length that is the fewest times larger or smaller than `target`.
fn round_length(target: f64) -> Option<Round> {
    let power = target.log10().floor();
    if !power.is_finite() {
        return None;
    }
    let candidates = [(1, 0), (2, 0), (5, 0), (1, 1)];
    let rounds = candidates.map(|(digit, up)| Round { digit, power: power as i32 + up });
    let far = |round: &Round| (round.nm() / target).ln().abs();
    rounds.into_iter().min_by(|a, b| far(a).total_cmp(&far(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(target: f64) -> String {
        round_length(target).unwrap().label()
    }

    #[test]
    fn lengths_are_round_and_near() {
        assert_eq!(label(1.2), "1 nm");
        assert_eq!(label(1.5), "2 nm");
        assert_eq!(label(9.0), "10 nm");
        assert_eq!(label(0.47), "0.5 nm");
        assert_eq!(label(0.018), "20 pm");
        assert_eq!(label(410.0), "500 nm");
        assert_eq!(label(900.0), "1 µm");
        assert_eq!(label(48_000.0), "50 µm");
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(round_length(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_bar_is_as_long_as_it_says() {
        for (cols, nm) in [(256_usize, 0.02), (1024, 0.0137), (640, 3.0)] {
            let mut drawing = RgbImage::new(cols as u32, 256);
            draw(&mut drawing, (256, cols), 0, nm, 14.0);
            let white =
                |y| drawing.rows().nth(y).map_or(0, |r| r.filter(|p| p.0 == [255; 3]).count());
            // The bar has the most white of all rows.
            let longest = (0..256).map(white).max().unwrap() as f64;
            let said = round_length(SHARE * cols as f64 * nm).unwrap().nm();
            assert!((longest * nm - said).abs() <= nm, "{cols}: {longest} px for {said} nm");
            let share = longest / cols as f64;
            assert!((0.12..0.33).contains(&share), "{cols}: {share}");
        }
    }

    #[test]
    fn no_bar_without_room() {
        for shape in [(20, 2000), (2000, 40)] {
            let mut drawing = RgbImage::new(2000, 2000);
            draw(&mut drawing, shape, 0, 0.02, 14.0);
            assert!(drawing.pixels().all(|p| p.0 == [0; 3]), "{shape:?}");
        }
    }
}
