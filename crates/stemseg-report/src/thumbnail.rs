//! Thumbnails: overlays so small that hundreds of them fit one page.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::RgbImage;

use crate::embed;
use crate::overlay::drawn_shape;

/// Longest side of a thumbnail, px: as wide as a card of the page is shown.
const LONGEST: usize = 320;

/// A small picture.
#[derive(Debug, Clone)]
pub struct Thumbnail {
    /// Rows and columns, px.
    pub(super) shape: (usize, usize),
    /// The picture as a data URI.
    pub(super) uri: String,
}

impl Thumbnail {
    /// The overlay in the file at `path`, of an image of `shape` (rows and columns, px), without its
    /// legend; none where there is no such picture. It is read row by row, whatever its size.
    pub fn of_overlay(path: &Path, shape: (usize, usize)) -> Option<Self> {
        // A pipe of that name would never end.
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let picture = reduced(File::open(path).ok()?, drawn_shape(shape))?;
        let shape = (picture.height() as usize, picture.width() as usize);
        Some(Self { shape, uri: embed::smallest(&picture) })
    }
}

/// The upper middle `wanted` (rows and columns) of a PNG, the whole where it is smaller, averaged
/// over areas.
fn reduced(file: File, wanted: (usize, usize)) -> Option<RgbImage> {
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().ok()?;
    let there = (reader.info().height as usize, reader.info().width as usize);
    if reader.info().interlaced {
        return None;
    }
    let samples = reader.output_color_type().0.samples();
    let (rows, cols) = match wanted {
        (rows, cols) if rows.min(cols) > 0 && rows <= there.0 && cols <= there.1 => wanted,
        _ => there,
    };
    let left = (there.1 - cols) / 2;
    let mut means = Means::new((rows, cols), samples);
    for _ in 0..rows {
        let row = reader.next_row().ok()??;
        means.add(&row.data()[samples * left..samples * (left + cols)]);
    }
    means.picture()
}

/// Means over equal areas, filled row by row.
struct Means {
    /// Rows and columns before, px.
    from: (usize, usize),
    /// Values of a pixel before: grey or RGB, with or without alpha.
    samples: usize,
    /// Rows and columns of the means, px.
    to: (usize, usize),
    /// Rows that were added.
    added: usize,
    /// Sums down the rows of the means that are not complete, as long as a row before.
    down: Vec<f32>,
    bytes: Vec<u8>,
}

impl Means {
    fn new(from: (usize, usize), samples: usize) -> Self {
        let scale = (LONGEST as f64 / from.0.max(from.1) as f64).min(1.0);
        let side = |px: usize| ((px as f64 * scale).round() as usize).clamp(1, px);
        let to = (side(from.0), side(from.1));
        let (down, bytes) = (vec![0.0; samples * from.1], Vec::with_capacity(3 * to.0 * to.1));
        Self { from, samples, to, added: 0, down, bytes }
    }

    /// Adds the next row.
    fn add(&mut self, row: &[u8]) {
        for (to, share) in shares(self.added, self.from.0, self.to.0) {
            if 3 * self.to.1 * to > self.bytes.len() {
                self.close();
            }
            let sums = self.down.iter_mut().zip(row);
            sums.for_each(|(sum, &value)| *sum += share * f32::from(value));
        }
        self.added += 1;
    }

    /// Completes a row of means.
    fn close(&mut self) {
        let mut means = vec![0.0; 3 * self.to.1];
        for (col, pixel) in self.down.chunks_exact(self.samples).enumerate() {
            let rgb = if pixel.len() < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
            for (to, share) in shares(col, self.from.1, self.to.1) {
                let sums = means[3 * to..3 * to + 3].iter_mut().zip(rgb);
                sums.for_each(|(sum, value)| *sum += share * value);
            }
        }
        self.bytes.extend(means.iter().map(|mean: &f32| mean.round().clamp(0.0, 255.0) as u8));
        self.down.fill(0.0);
    }

    fn picture(mut self) -> Option<RgbImage> {
        self.close();
        RgbImage::from_raw(self.to.1 as u32, self.to.0 as u32, self.bytes)
    }
}

/// Which of `to` equal parts of an axis the pixel `at` of `from`, no fewer, lies in, and what share of
/// each part it is; where it lies in one alone, that and none of the same.
fn shares(at: usize, from: usize, to: usize) -> [(usize, f32); 2] {
    // In units in which a pixel is `to` long and a part `from`: whole numbers.
    let (begin, end) = (at * to, (at + 1) * to);
    let (first, last) = (begin / from, (end - 1) / from);
    let first_end = end.min((first + 1) * from);
    let share = |length: usize| length as f32 / from as f32;
    [(first, share(first_end - begin)), (last, share(end - first_end))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::tests::decode;

    fn write(picture: &image::DynamicImage) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        picture.save_with_format(file.path(), image::ImageFormat::Png).unwrap();
        file
    }

    #[test]
    fn means_are_over_areas() {
        // Not a whole factor: 500 px become 320, each 1.5625 of them.
        let value = |x: u32, y: u32| (x * 251 / 499 + (y % 2) * 4) as u8;
        let picture =
            RgbImage::from_fn(500, 250, |x, y| image::Rgb([value(x, y), 7, 255 - value(x, y)]));
        let file = write(&picture.clone().into());
        let small = reduced(File::open(file.path()).unwrap(), (250, 500)).unwrap();
        assert_eq!(small.dimensions(), (320, 160));
        for (x, y, pixel) in small.enumerate_pixels() {
            let mut mean = 0.0;
            for row in 0..250 {
                for col in 0..500 {
                    let within = |at: u32, to: u32, step: f64| {
                        let (low, high) = (f64::from(to) * step, f64::from(to + 1) * step);
                        (high.min(f64::from(at + 1)) - low.max(f64::from(at))).max(0.0)
                    };
                    let area = within(col, x, 500.0 / 320.0) * within(row, y, 250.0 / 160.0);
                    mean += area * f64::from(value(col, row)) / (500.0 / 320.0 * 250.0 / 160.0);
                }
            }
            assert!((f64::from(pixel.0[0]) - mean).abs() <= 0.51, "{x}, {y}: {pixel:?}, {mean}");
            assert_eq!(pixel.0[1], 7);
            if y > 4 {
                return;
            }
        }
    }

    #[test]
    fn the_legend_is_left_out_and_small_pictures_stay() {
        // An overlay of 200 x 300 px with a legend of 50 rows, wider by 40 px.
        let picture = RgbImage::from_fn(340, 250, |x, y| {
            let inside = y < 200 && (20..320).contains(&x);
            image::Rgb(if inside { [10, 200, 30] } else { [255; 3] })
        });
        let file = write(&picture.into());
        let small = Thumbnail::of_overlay(file.path(), (200, 300)).unwrap();
        assert_eq!(small.shape, (200, 300));
        let seen = decode(&small.uri).into_rgb8();
        assert_eq!(seen.dimensions(), (300, 200));
        assert!(seen.pixels().all(|pixel| pixel.0 == [10, 200, 30]));
        // Of another shape than the image says, it is shown as a whole.
        let whole = Thumbnail::of_overlay(file.path(), (2000, 3000)).unwrap();
        assert_eq!(whole.shape, (235, 320));
    }

    #[test]
    fn any_kind_of_pixel_is_taken_and_what_is_no_picture_is_none() {
        let grey = image::GrayImage::from_pixel(240, 240, image::Luma([90]));
        let deep = image::ImageBuffer::from_pixel(240, 240, image::Rgba([9_u16 << 8, 0, 0, 1]));
        for (picture, colour) in [(grey.into(), [90; 3]), (deep.into(), [9, 0, 0])] {
            let file = write(&picture);
            let small = Thumbnail::of_overlay(file.path(), (240, 240)).unwrap();
            assert_eq!(decode(&small.uri).into_rgb8().get_pixel(5, 5).0, colour);
            // Cut off anywhere, there is none.
            let bytes = std::fs::read(file.path()).unwrap();
            for length in [0, 10, bytes.len() / 2] {
                std::fs::write(file.path(), &bytes[..length]).unwrap();
                assert!(Thumbnail::of_overlay(file.path(), (240, 240)).is_none(), "{length}");
            }
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(Thumbnail::of_overlay(folder.path(), (9, 9)).is_none());
        assert!(Thumbnail::of_overlay(&folder.path().join("none.png"), (9, 9)).is_none());
    }
}
