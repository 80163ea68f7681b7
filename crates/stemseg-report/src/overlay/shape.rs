//! Filled shapes.

use image::RgbImage;

use crate::text::blend;

/// An upright rectangle in pixels of the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

/// Fills `rect` with round corners of `radius`, anti-aliased; `alpha` 1 covers.
pub(super) fn fill(image: &mut RgbImage, rect: Rect, radius: f32, ink: [u8; 3], alpha: f32) {
    let (half_width, half_height) = (rect.width / 2.0, rect.height / 2.0);
    let radius = radius.min(half_width).min(half_height);
    let (middle_x, middle_y) = (rect.left + half_width, rect.top + half_height);
    let (right, bottom) = (rect.left + rect.width, rect.top + rect.height);
    for y in rect.top.floor() as i64..bottom.ceil() as i64 {
        for x in rect.left.floor() as i64..right.ceil() as i64 {
            // Distance of the pixel's centre to the edge, negative inside.
            let dx = (x as f32 + 0.5 - middle_x).abs() - (half_width - radius);
            let dy = (y as f32 + 0.5 - middle_y).abs() - (half_height - radius);
            let outside = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius;
            blend(image, (x, y), ink, alpha * (0.5 - outside).clamp(0.0, 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_pixels_are_covered_and_corners_are_round() {
        let mut image = RgbImage::new(20, 12);
        let rect = Rect { left: 3.0, top: 2.0, width: 14.0, height: 8.0 };
        fill(&mut image, rect, 3.0, [200, 100, 50], 1.0);
        assert_eq!(image.get_pixel(3, 5).0, [200, 100, 50]);
        assert_eq!(image.get_pixel(16, 5).0, [200, 100, 50]);
        assert_eq!(image.get_pixel(10, 2).0, [200, 100, 50]);
        assert_eq!((image.get_pixel(2, 5).0, image.get_pixel(17, 5).0), ([0; 3], [0; 3]));
        assert!(image.get_pixel(3, 2).0[0] < 60, "a corner");
    }

    #[test]
    fn a_translucent_plate_darkens() {
        let mut image = RgbImage::from_pixel(4, 4, image::Rgb([200; 3]));
        fill(
            &mut image,
            Rect { left: -9.0, top: -9.0, width: 99.0, height: 99.0 },
            0.0,
            [0; 3],
            0.5,
        );
        assert!(image.pixels().all(|p| p.0 == [100; 3]));
    }
}
