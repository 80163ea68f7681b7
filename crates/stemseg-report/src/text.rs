//! Text in images: a bundled font, anti-aliased.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use epaint_default_fonts::HACK_REGULAR;
use image::RgbImage;

/// What a line of text covers, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// From the start of the first glyph to the end of the last.
    pub width: f32,
    /// From the baseline to the top of capitals and digits.
    pub height: f32,
}

/// Size of `text` at `size` pixels per line, without drawing it.
pub fn measure(text: &str, size: f32) -> Extent {
    Extent { width: lay_out(text, size, 0.0, 0.0).1, height: capitals(size) }
}

/// Draws `text` with its baseline's left end at (`x`, `baseline`), in pixels
/// from the upper left corner. What lies outside the image is left out.
pub fn draw(image: &mut RgbImage, text: &str, at: (f32, f32), size: f32, ink: [u8; 3]) {
    cover(text, at, size, |at, coverage| blend(image, at, ink, coverage));
}

/// Calls `put` with each pixel that `text` touches, placed as [`draw`] does, and with
/// the share of it that is covered.
pub(crate) fn cover(
    text: &str,
    (x, baseline): (f32, f32),
    size: f32,
    mut put: impl FnMut((i64, i64), f32),
) {
    for glyph in lay_out(text, size, x, baseline).0 {
        let Some(outline) = font().outline_glyph(glyph) else {
            continue; // a space
        };
        let corner = outline.px_bounds().min;
        let (left, top) = (corner.x as i64, corner.y as i64);
        outline.draw(|x, y, coverage| {
            put((left + i64::from(x), top + i64::from(y)), coverage);
        });
    }
}

/// Mixes `ink` into the pixel at (`x`, `y`), if it is in the image; `alpha` 1 covers.
pub(crate) fn blend(image: &mut RgbImage, (x, y): (i64, i64), ink: [u8; 3], alpha: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
        return;
    };
    if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
        for (below, ink) in pixel.0.iter_mut().zip(ink) {
            *below = mix(*below, ink, alpha);
        }
    }
}

/// `alpha` of `over`, the rest of `below`.
pub(crate) fn mix(below: u8, over: u8, alpha: f32) -> u8 {
    let (below, over) = (f32::from(below), f32::from(over));
    // Never negative: adding a half rounds, without a call for each pixel.
    (below + (over - below) * alpha.clamp(0.0, 1.0) + 0.5) as u8
}

fn font() -> &'static FontRef<'static> {
    static FONT: OnceLock<FontRef<'static>> = OnceLock::new();
    FONT.get_or_init(|| FontRef::try_from_slice(HACK_REGULAR).expect("the bundled font is sound"))
}

/// The glyphs in their places, and the width of the line.
fn lay_out(text: &str, size: f32, x: f32, baseline: f32) -> (Vec<Glyph>, f32) {
    let font = font().as_scaled(PxScale::from(size));
    let mut pen = x;
    let mut glyphs = Vec::new();
    for character in text.chars() {
        let id = font.glyph_id(character);
        glyphs.push(id.with_scale_and_position(size, point(pen, baseline)));
        pen += font.h_advance(id);
    }
    (glyphs, pen - x)
}

fn capitals(size: f32) -> f32 {
    let outline = font().outline_glyph(font().glyph_id('H').with_scale(size));
    outline.map_or(0.0, |outline| -outline.px_bounds().min.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns and rows that hold ink: (left, right, top, bottom), inclusive.
    fn inked(image: &RgbImage) -> Option<(u32, u32, u32, u32)> {
        let ink = image.enumerate_pixels().filter(|(_, _, p)| p.0[0] > 60);
        ink.map(|(x, y, _)| (x, x, y, y))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1), a.2.min(b.2), a.3.max(b.3)))
    }

    #[test]
    fn text_fills_what_was_measured() {
        for size in [12.0_f32, 31.0, 140.0] {
            let text = "H62.3 %H";
            let extent = measure(text, size);
            let mut image = RgbImage::new(extent.width as u32 + 40, size as u32 + 40);
            draw(&mut image, text, (20.0, size), size, [255; 3]);
            let (left, right, top, bottom) = inked(&image).unwrap();
            let slack = 2.0 + 0.1 * size;
            assert!((left as f32 - 20.0).abs() < slack, "{size}: left {left}");
            let end = 20.0 + extent.width;
            assert!(right as f32 <= end && right as f32 > end - slack, "{size}: right {right}");
            assert!((top as f32 - (size - extent.height)).abs() < slack, "{size}: top {top}");
            assert!((bottom as f32 - size).abs() < slack, "{size}: bottom {bottom}");
        }
    }

    #[test]
    fn edges_are_smooth_and_the_ink_is_the_colour_asked_for() {
        let mut image = RgbImage::from_pixel(80, 60, image::Rgb([10, 20, 30]));
        draw(&mut image, "8I", (5.0, 50.0), 50.0, [210, 120, 230]);
        let full = image.pixels().filter(|p| p.0 == [210, 120, 230]).count();
        let clear = image.pixels().filter(|p| p.0 == [10, 20, 30]).count();
        assert!(full > 50 && clear > 1000 && full + clear < 80 * 60 - 20, "{full} {clear}");
    }

    #[test]
    fn text_outside_the_image_is_cut() {
        let mut image = RgbImage::new(10, 10);
        draw(&mut image, "-WWWW", (-20.0, 8.0), 20.0, [255; 3]);
        draw(&mut image, "W", (5.0, 900.0), 20.0, [255; 3]);
        assert!(inked(&image).is_some());
        draw(&mut RgbImage::new(0, 0), "W", (0.0, 0.0), 20.0, [255; 3]);
    }

    #[test]
    fn the_characters_in_use_have_glyphs() {
        for character in "0123456789.%<+ nmpµfrome".chars() {
            assert_ne!(font().glyph_id(character).0, 0, "{character}");
        }
    }
}
