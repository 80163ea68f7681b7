//! Pictures of films: frames tinted by label in few colours, as an animated PNG, on a sheet, and for
//! a page.

use std::io::Write;

use image::RgbImage;
use ndarray::ArrayView2;

use crate::overlay::{OverlayOptions, Stretch};
use crate::{colours, embed, text};
use stemseg::{Error, Result};

/// Longest side of a drawn frame, px; longer ones are reduced by block averages.
const LONGEST: usize = 512;
/// Height of the line below a frame.
const LINE: usize = 20;
/// Size of its text.
const SIZE: f32 = 13.0;
/// Longest side of a frame on a sheet, px, and how many stand in a row.
const SMALL: usize = 300;
const IN_A_ROW: usize = 4;

const PAPER: [u8; 3] = [255; 3];
const INK: [u8; 3] = [30; 3];

/// The colours of a film: grey levels, tinted by each label, then paper and ink.
#[derive(Debug, Clone)]
pub struct Palette {
    colours: Vec<[u8; 3]>,
    levels: usize,
}

impl Palette {
    /// For labels up to `most`, tinted by the share `alpha`.
    pub fn new(most: usize, alpha: f32) -> Self {
        let levels = (254 / (most + 1)).clamp(1, 64);
        let labels = 254 / levels;
        let grey = |level: usize| match levels {
            1 => 128,
            _ => (level * 255 / (levels - 1)) as u8,
        };
        let tint = |label: usize| {
            (0..levels).map(move |level| {
                let share = if label == 0 { 0.0 } else { alpha };
                colours::colour(label).map(|over| text::mix(grey(level), over, share))
            })
        };
        let mut colours: Vec<[u8; 3]> = (0..labels.min(most + 1)).flat_map(tint).collect();
        colours.extend([PAPER, INK]);
        Self { colours, levels }
    }

    /// For labels up to `most`, tinted as overlays are.
    pub fn of(most: usize) -> Self {
        Self::new(most, OverlayOptions::ALPHA)
    }

    fn paper(&self) -> u8 {
        (self.colours.len() - 2) as u8
    }

    /// Of a pixel of which letters cover this share, 255 for all: the nearest grey, where there are
    /// enough to make edges smooth.
    fn ink(&self, coverage: u8) -> u8 {
        const ENOUGH: usize = 8;
        match coverage {
            _ if self.levels < ENOUGH => self.paper() + u8::from(coverage > 110),
            0..16 => self.paper(),
            225.. => self.paper() + 1,
            part => self.of_pixel(255 - part, 0),
        }
    }

    fn of_pixel(&self, level: u8, label: u16) -> u8 {
        let labels = (self.colours.len() - 2) / self.levels;
        // More labels than there are colours for take them again.
        let label = match usize::from(label) {
            0 => 0,
            label => 1 + (label - 1) % (labels - 1).max(1),
        };
        (label.min(labels - 1) * self.levels + usize::from(level) * (self.levels - 1) / 255) as u8
    }
}

/// A frame in colours of a [`Palette`], row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    cols: usize,
    pixels: Vec<u8>,
}

impl Drawn {
    /// `image` `[rows, cols]` in grey, tinted by `labels` of the same shape, 0 for none, with
    /// `words` below.
    ///
    /// # Errors
    /// [`Error::Image`] for labels of another shape, and where there is no pixel.
    pub fn new(
        image: ArrayView2<'_, f32>,
        labels: ArrayView2<'_, u16>,
        words: &str,
        palette: &Palette,
    ) -> Result<Self> {
        if image.dim() != labels.dim() || image.is_empty() {
            let (rows, cols) = labels.dim();
            return Err(Error::Image(format!("no picture of labels of {rows} x {cols} pixels")));
        }
        let (rows, cols) = image.dim();
        let factor = rows.max(cols).div_ceil(LONGEST);
        let (high, wide) = (rows.div_ceil(factor), cols.div_ceil(factor));
        let block = |r: usize, c: usize| {
            let (r, c) = (r * factor, c * factor);
            ndarray::s![r..rows.min(r + factor), c..cols.min(c + factor)]
        };
        let means: Vec<f32> = (0..high * wide)
            .map(|at| {
                let block = image.slice(block(at / wide, at % wide));
                block.sum() / block.len() as f32
            })
            .collect();
        let stretch = Stretch::of(means.clone());
        let mut pixels: Vec<u8> = means
            .iter()
            .enumerate()
            .map(|(at, &mean)| {
                let label = labels[(at / wide * factor, at % wide * factor)];
                palette.of_pixel(stretch.apply(mean), label)
            })
            .collect();
        pixels.extend(line(words, wide, palette));
        Ok(Self { cols: wide, pixels })
    }

    /// Rows and columns, px, with the line below.
    pub fn shape(&self) -> (usize, usize) {
        (self.pixels.len() / self.cols, self.cols)
    }

    /// The frame as a data URI.
    pub fn uri(&self, palette: &Palette) -> String {
        embed::opaque(self.cols, &self.pixels, &palette.colours)
    }
}

/// A line of text, in paper and ink.
fn line(words: &str, cols: usize, palette: &Palette) -> Vec<u8> {
    let mut drawing = RgbImage::new(cols as u32, LINE as u32);
    text::draw(&mut drawing, words, (4.0, LINE as f32 - 6.0), SIZE, [255; 3]);
    drawing.pixels().map(|pixel| palette.ink(pixel.0[0])).collect()
}

/// An animated PNG that is written frame by frame, which plays for ever.
pub struct Animation<W: Write> {
    writer: png::Writer<W>,
    /// Frames that are to come.
    missing: usize,
}

impl<W: Write> std::fmt::Debug for Animation<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Animation").finish_non_exhaustive()
    }
}

impl<W: Write> Animation<W> {
    /// Of `frames` frames of `shape`, each shown for `milliseconds`.
    ///
    /// # Errors
    /// What writing to `to` reports.
    pub fn new(
        to: W,
        (rows, cols): (usize, usize),
        frames: usize,
        milliseconds: u16,
        palette: &Palette,
    ) -> std::io::Result<Self> {
        let mut encoder = png::Encoder::new(to, cols as u32, rows as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette.colours.concat());
        encoder.set_compression(png::Compression::Fast);
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_animated(frames as u32, 0)?;
        encoder.set_frame_delay(milliseconds, 1000)?;
        Ok(Self { writer: encoder.write_header()?, missing: frames })
    }

    /// Adds the next frame, of the shape that all have.
    ///
    /// # Errors
    /// What writing reports.
    pub fn add(&mut self, frame: &Drawn) -> std::io::Result<()> {
        self.missing = self.missing.saturating_sub(1);
        Ok(self.writer.write_image_data(&frame.pixels)?)
    }

    /// Ends the file, once all frames are there.
    ///
    /// # Errors
    /// What writing reports; where frames are missing.
    pub fn finish(self) -> std::io::Result<()> {
        if self.missing > 0 {
            let words = format!("{} frames of the picture are missing", self.missing);
            return Err(std::io::Error::other(words));
        }
        Ok(self.writer.finish()?)
    }
}

/// Frames side by side on one picture, as a PNG.
pub fn sheet(frames: &[Drawn], palette: &Palette) -> Vec<u8> {
    let Some(first) = frames.first() else { return Vec::new() };
    let (rows, cols) = first.shape();
    let factor = (rows.max(cols) as f64 / SMALL as f64).max(1.0);
    let (high, wide) = ((rows as f64 / factor) as usize, (cols as f64 / factor) as usize);
    let across = frames.len().min(IN_A_ROW);
    let (gap, down) = (6, frames.len().div_ceil(across));
    let size = |count: usize, side: usize| (count * (side + gap) + gap) as u32;
    let mut sheet = RgbImage::from_pixel(size(across, wide), size(down, high), image::Rgb(PAPER));
    for (number, frame) in frames.iter().enumerate() {
        let mut full = RgbImage::new(cols as u32, rows as u32);
        for (pixel, &index) in full.pixels_mut().zip(&frame.pixels) {
            pixel.0 = palette.colours[usize::from(index)];
        }
        let filter = image::imageops::FilterType::Triangle;
        let small = image::imageops::resize(&full, wide as u32, high as u32, filter);
        let place = |count: usize, side: usize| (gap + count * (side + gap)) as i64;
        let (x, y) = (place(number % across, wide), place(number / across, high));
        image::imageops::overlay(&mut sheet, &small, x, y);
    }
    encoded(&sheet)
}

/// A picture as a PNG.
fn encoded(picture: &RgbImage) -> Vec<u8> {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let mut bytes = Vec::new();
    let png = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub);
    picture.write_with_encoder(png).expect("memory takes any picture that is not empty");
    bytes
}

/// Velocities in squares, `[rows, cols]`, nothing where no boundary passed, as a data URI: red where
/// they are above 0, blue below, the stronger the nearer to `most`.
pub fn velocity_map(velocities: ArrayView2<'_, Option<f64>>, most: f64) -> String {
    const SIDE: usize = 12;
    let (rows, cols) = velocities.dim();
    let mut palette = vec![[228; 3]];
    let shade = |step: usize| {
        // From blue by way of white to red.
        let t = step as f64 / 127.0 - 1.0;
        let fade = |away: f64| (255.0 - away * t.abs()) as u8;
        if t < 0.0 {
            [fade(222.0), fade(153.0), fade(83.0)]
        } else {
            [fade(77.0), fade(231.0), fade(212.0)]
        }
    };
    palette.extend((0..255).map(shade));
    let index = |velocity: Option<f64>| match velocity {
        None => 0,
        Some(v) => 1 + ((v / most.max(f64::MIN_POSITIVE)).clamp(-1.0, 1.0) * 127.0 + 127.0) as u8,
    };
    let pixels: Vec<u8> = (0..rows * SIDE * cols * SIDE)
        .map(|at| index(velocities[(at / (cols * SIDE) / SIDE, at % (cols * SIDE) / SIDE)]))
        .collect();
    embed::opaque(cols * SIDE, &pixels, &palette)
}

/// Labels along a line of the specimen in each frame, `[frames, places]`, as a data URI.
pub fn space_time(labels: ArrayView2<'_, u16>) -> String {
    let most = labels.iter().copied().max().unwrap_or_default().min(254);
    let palette: Vec<[u8; 3]> = (0..=usize::from(most)).map(colours::colour).collect();
    let pixels: Vec<u8> = labels.iter().map(|&label| label.min(most) as u8).collect();
    embed::opaque(labels.ncols(), &pixels, &palette)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn frame(number: usize, palette: &Palette) -> Drawn {
        let image = Array2::from_shape_fn((60, 80), |(r, c)| (r * c % 17) as f32);
        let labels = Array2::from_shape_fn((60, 80), |(_, c)| {
            u16::from(c > 20 + number) + u16::from(c > 70)
        });
        Drawn::new(image.view(), labels.view(), &format!("frame {number}"), palette).unwrap()
    }

    #[test]
    fn an_animation_has_its_frames() {
        let palette = Palette::of(2);
        let frames: Vec<Drawn> = (0..5).map(|number| frame(number, &palette)).collect();
        let mut bytes = Vec::new();
        let mut film = Animation::new(&mut bytes, frames[0].shape(), 5, 100, &palette).unwrap();
        frames.iter().for_each(|frame| film.add(frame).unwrap());
        film.finish().unwrap();
        let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
        use image::AnimationDecoder;
        let found: Vec<_> = decoder.apng().unwrap().into_frames().map(Result::unwrap).collect();
        assert_eq!(found.len(), 5);
        for (number, found) in found.iter().enumerate() {
            let picture = found.buffer();
            assert_eq!(picture.dimensions(), (80, 60 + LINE as u32));
            // Label 1 begins one column further right in each frame; 0 is grey.
            let grey = |x: u32| {
                let [r, g, b, _] = picture.get_pixel(x, 30).0;
                r == g && g == b
            };
            assert!(grey(20 + number as u32) && !grey(21 + number as u32), "{number}");
        }
        // One that is missing is noticed.
        let mut film = Animation::new(Vec::new(), frames[0].shape(), 2, 100, &palette).unwrap();
        film.add(&frames[0]).unwrap();
        assert!(film.finish().is_err());
    }

    #[test]
    fn any_number_of_labels_has_colours() {
        for most in [0, 1, 3, 30, 253, 300, 65_535] {
            let palette = Palette::of(most);
            assert!(palette.colours.len() <= 256, "{most}");
            for label in [0, most.min(1), most] {
                for level in [0, 255] {
                    let index = palette.of_pixel(level, label as u16);
                    assert!(index < palette.paper(), "{most} {label} {level}");
                }
            }
        }
    }

    #[test]
    fn large_frames_are_reduced_and_sheets_hold_all() {
        let palette = Palette::of(2);
        let image = Array2::from_shape_fn((1100, 300), |(r, c)| (r + c) as f32);
        let labels = Array2::ones((1100, 300));
        let drawn = Drawn::new(image.view(), labels.view(), "", &palette).unwrap();
        assert_eq!(drawn.shape(), (367 + LINE, 100));
        let frames: Vec<Drawn> = (0..5).map(|number| frame(number, &palette)).collect();
        let sheet = image::load_from_memory(&sheet(&frames, &palette)).unwrap();
        assert_eq!(sheet.width(), 4 * 86 + 6);
        assert!(Drawn::new(image.view(), Array2::ones((5, 5)).view(), "", &palette).is_err());
    }

    #[test]
    fn velocities_have_a_sign_in_colour() {
        let map = ndarray::array![[None, Some(2.0), Some(-2.0), Some(0.0)]];
        let picture = crate::embed::tests::decode(&velocity_map(map.view(), 2.0)).into_rgb8();
        let at = |square: u32| picture.get_pixel(square * 12 + 6, 6).0;
        assert_eq!(at(0), [228; 3]);
        assert!(at(1)[0] > at(1)[2] + 50 && at(2)[2] > at(2)[0] + 50, "{:?} {:?}", at(1), at(2));
        assert!(at(3).iter().all(|&v| v > 250));
    }
}
