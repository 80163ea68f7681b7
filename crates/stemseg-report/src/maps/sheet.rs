//! Several maps in one picture: small multiples.

use super::Map;
use crate::{embed, number, text};

/// Pixels per line of text, of titles and of the ends of a colour bar.
const SIZE: f32 = 16.0;

/// Longer side of a map as drawn, px, about: values are enlarged by a whole factor.
const SIDE: usize = 360;

/// Around and between maps, px.
const GAP: usize = 24;

/// Height of a title with its space, of a colour bar, and of the line below it, px.
const TITLE: usize = 26;
const BAR: usize = 12;
const ENDS: usize = 24;

/// From a map to its colour bar, px.
const SPACE: usize = 8;

const PAPER: [u8; 3] = [255; 3];
const INK: [u8; 3] = [34, 34, 38];

/// Colours of maps in a sheet; as many as leave room for greys.
const STEPS: usize = 224;

/// A drawing in at most 256 colours, which is encoded in a third of the time of one
/// in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Pixels in a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Indices of [`Sheet::palette`], row by row.
    pixels: Vec<u8>,
}

/// Draws `maps` of equal shapes side by side, each with its title above and the range of
/// its colours below; `heading` stands over all.
pub fn sheet(heading: &str, maps: &[Map]) -> Sheet {
    let grid = Grid::new(heading, maps);
    let mut sheet = Sheet::new(grid.width(), grid.height());
    sheet.write(heading, (GAP as f32, (GAP + 16) as f32), 1.25 * SIZE);
    for (index, map) in maps.iter().enumerate() {
        let (row, column) = (index / grid.columns, index % grid.columns);
        let left = GAP + column * (grid.cell + GAP);
        let top = GAP + TITLE + GAP / 2 + row * (grid.cell_height() + GAP);
        sheet.write(&map.title, (left as f32, (top + 16) as f32), SIZE);
        sheet.draw_map(map, (left, top + TITLE), grid.factor);
        let bar = (left, top + TITLE + grid.shape.0 + SPACE);
        sheet.draw_bar(map, bar, grid.shape.1.max(SIDE / 2));
    }
    sheet
}

impl Sheet {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    /// Paper, the colours of maps, and greys from paper to ink.
    pub fn palette() -> Vec<[u8; 3]> {
        let colour = |step| colorous::VIRIDIS.eval_rational(step, STEPS).as_array();
        let greys = usize::from(u8::MAX) - STEPS;
        let grey = |level: usize| {
            let share = level as f32 / greys as f32;
            std::array::from_fn(|i| text::mix(PAPER[i], INK[i], share))
        };
        [PAPER].into_iter().chain((0..STEPS).map(colour)).chain((1..=greys).map(grey)).collect()
    }

    /// The drawing as a PNG.
    pub fn png(&self) -> Vec<u8> {
        embed::png(self.width, &self.pixels, &Self::palette(), false)
    }

    fn write(&mut self, words: &str, at: (f32, f32), size: f32) {
        let (width, height) = (self.width as i64, self.height as i64);
        let greys = (usize::from(u8::MAX) - STEPS) as f32;
        text::cover(words, at, size, |(x, y), coverage| {
            let level = (coverage.clamp(0.0, 1.0) * greys).round() as usize;
            if level > 0 && (0..width).contains(&x) && (0..height).contains(&y) {
                let pixel = &mut self.pixels[(y * width + x) as usize];
                // Where glyphs touch, the darker of the two.
                *pixel = (*pixel).max((STEPS + level) as u8);
            }
        });
    }

    fn draw_map(&mut self, map: &Map, (left, top): (usize, usize), factor: usize) {
        let cols = map.values.ncols().max(1);
        for (row, line) in map.indices().chunks_exact(cols).enumerate() {
            for y in top + row * factor..top + (row + 1) * factor {
                let first = y * self.width + left;
                let to = self.pixels[first..first + cols * factor].chunks_exact_mut(factor);
                to.zip(line).for_each(|(to, &index)| to.fill(in_sheet(index)));
            }
        }
    }

    fn draw_bar(&mut self, map: &Map, (left, top): (usize, usize), width: usize) {
        for y in top..top + BAR {
            for x in 0..width {
                let step = 1 + x * (STEPS - 1) / (width - 1).max(1);
                self.pixels[y * self.width + left + x] = step as u8;
            }
        }
        let [low, high] = map.range.map(|value| number::significant(f64::from(value), 3));
        let baseline = (top + BAR + 17) as f32;
        let high_width = text::measure(&high, SIZE).width;
        self.write(&low, (left as f32, baseline), SIZE);
        self.write(&high, ((left + width) as f32 - high_width, baseline), SIZE);
    }
}

/// A map's index of its palette as one of the sheet's.
fn in_sheet(index: u8) -> u8 {
    match index {
        0 => 0,
        index => (1 + (usize::from(index) - 1) * (STEPS - 1) / 254) as u8,
    }
}

/// Where things are.
struct Grid {
    /// Drawn pixels for each value, along one axis.
    factor: usize,
    /// Rows and columns of a map as drawn.
    shape: (usize, usize),
    /// Width of a map with its title, px.
    cell: usize,
    columns: usize,
    rows: usize,
    /// Width that the heading needs.
    heading: usize,
}

impl Grid {
    fn new(heading: &str, maps: &[Map]) -> Self {
        let (rows, cols) = maps.first().map_or((1, 1), |map| map.values.dim());
        let factor = (SIDE as f64 / rows.max(cols).max(1) as f64).round().max(1.0) as usize;
        let shape = (rows * factor, cols * factor);
        let title = maps.iter().map(|map| text::measure(&map.title, SIZE).width);
        let cell = shape.1.max(SIDE / 2).max(title.fold(0.0, f32::max).ceil() as usize);
        // Wider than high, as screens are.
        let across = (1.5 * maps.len() as f64 * shape.0 as f64 / cell as f64).sqrt().round();
        let columns = (across as usize).clamp(1, maps.len().max(1));
        // No column that the last row alone would fill.
        let rows = maps.len().div_ceil(columns).max(1);
        let columns = maps.len().div_ceil(rows).max(1);
        let heading = text::measure(heading, 1.25 * SIZE).width.ceil() as usize;
        Self { factor, shape, cell, columns, rows, heading }
    }

    fn width(&self) -> usize {
        (GAP + self.columns * (self.cell + GAP)).max(self.heading + 2 * GAP)
    }

    fn height(&self) -> usize {
        GAP + TITLE + GAP / 2 + self.rows * (self.cell_height() + GAP)
    }

    fn cell_height(&self) -> usize {
        TITLE + self.shape.0 + SPACE + BAR + ENDS
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use ndarray::Array2;

    fn map(title: &str, rows: usize, cols: usize) -> Map {
        Map::new(title, Array2::from_shape_fn((rows, cols), |(_, c)| c as f32).view())
    }

    /// Whether anything but paper is at these pixels.
    fn inked(sheet: &Sheet, x: Range<usize>, mut y: Range<usize>) -> bool {
        y.any(|y| x.clone().any(|x| colour(sheet, x, y) != PAPER))
    }

    fn colour(sheet: &Sheet, x: usize, y: usize) -> [u8; 3] {
        Sheet::palette()[usize::from(sheet.pixels[y * sheet.width + x])]
    }

    #[test]
    fn each_map_has_its_place_its_title_and_its_bar() {
        let maps: Vec<Map> = ["one", "two", "three"].map(|title| map(title, 90, 90)).into();
        let sheet = sheet("Three maps", &maps);
        let grid = Grid::new("Three maps", &maps);
        assert_eq!((grid.factor, grid.shape, grid.columns, grid.rows), (4, (360, 360), 2, 2));
        assert_eq!((sheet.width, sheet.height), (2 * 384 + 24, 24 + 38 + 2 * (430 + 24)));
        for (left, top) in [(24, 62), (408, 62), (24, 516)] {
            assert!(inked(&sheet, left..left + 60, top..top + 20), "the title");
            let of_map = |x, y| colour(&sheet, left + x, top + 26 + y);
            assert_eq!((of_map(0, 0), of_map(359, 359)), ([68, 1, 84], [253, 231, 37]));
            assert_eq!(of_map(0, 369), [68, 1, 84], "the bar");
            assert!(inked(&sheet, left..left + 40, top + 26 + 382..top + 26 + 400), "its ends");
        }
        assert!(!inked(&sheet, 408..792, 516..950), "an empty place");
        assert!(!inked(&sheet, 0..24, 0..900) && !inked(&sheet, 768..792, 0..900), "the rim");
    }

    #[test]
    fn long_titles_and_narrow_maps_are_not_cut() {
        let title = "harmonic m=4 ring 3 phase 330 deg: separability 12.345";
        for maps in [vec![map(title, 300, 4); 3], vec![map(title, 4, 300); 2]] {
            let sheet = sheet("Channels", &maps);
            let width = text::measure(title, SIZE).width;
            assert!(sheet.width as f32 >= width + 2.0 * GAP as f32);
            let edge = sheet.width - GAP;
            assert!(!inked(&sheet, edge..sheet.width, 0..sheet.height), "cut at the edge");
        }
    }

    #[test]
    fn a_heading_alone_is_a_sheet() {
        assert!(sheet("Nothing to show", &[]).width > 100);
    }

    #[test]
    fn the_picture_has_the_colours_of_the_sheet() {
        let sheet = sheet("Ramp", &[map("one", 60, 90)]);
        let picture = image::load_from_memory(&sheet.png()).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (sheet.width as u32, sheet.height as u32));
        let same =
            |(x, y, p): (u32, u32, &image::Rgb<u8>)| p.0 == colour(&sheet, x as usize, y as usize);
        assert!(picture.enumerate_pixels().all(same));
        assert!(picture.pixels().any(|p| p.0 == INK), "the text");
    }
}
