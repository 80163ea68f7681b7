//! Several maps in one picture: small multiples.

use image::{Rgb, RgbImage};

use super::{Map, palette};
use crate::report::number;
use crate::report::text;

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

/// Draws `maps` of equal shapes side by side, each with its title above and the range of
/// its colours below; `heading` stands over all.
pub fn sheet(heading: &str, maps: &[Map]) -> RgbImage {
    let grid = Grid::new(heading, maps);
    let mut sheet = RgbImage::from_pixel(grid.width() as u32, grid.height() as u32, Rgb(PAPER));
    let baseline = (GAP + 16) as f32;
    text::draw(&mut sheet, heading, (GAP as f32, baseline), 1.25 * SIZE, INK);
    let palette = palette();
    for (index, map) in maps.iter().enumerate() {
        let (row, column) = (index / grid.columns, index % grid.columns);
        let left = GAP + column * (grid.cell + GAP);
        let top = GAP + TITLE + GAP / 2 + row * (grid.cell_height() + GAP);
        let title = (left as f32, (top + 16) as f32);
        text::draw(&mut sheet, &map.title, title, SIZE, INK);
        draw_map(&mut sheet, map, (left, top + TITLE), grid.factor, &palette);
        let bar = (left, top + TITLE + grid.shape.0 + SPACE);
        draw_bar(&mut sheet, map, bar, grid.shape.1.max(SIDE / 2), &palette);
    }
    sheet
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

fn draw_map(
    sheet: &mut RgbImage,
    map: &Map,
    (left, top): (usize, usize),
    factor: usize,
    palette: &[[u8; 3]],
) {
    let cols = map.values.ncols();
    for (row, line) in map.indices().chunks_exact(cols.max(1)).enumerate() {
        for y in 0..factor {
            for x in 0..cols * factor {
                let at = ((left + x) as u32, (top + row * factor + y) as u32);
                sheet.put_pixel(at.0, at.1, Rgb(palette[usize::from(line[x / factor])]));
            }
        }
    }
}

fn draw_bar(
    sheet: &mut RgbImage,
    map: &Map,
    (left, top): (usize, usize),
    width: usize,
    palette: &[[u8; 3]],
) {
    for x in 0..width {
        let colour = Rgb(palette[1 + x * 254 / (width - 1).max(1)]);
        (0..BAR).for_each(|y| sheet.put_pixel((left + x) as u32, (top + y) as u32, colour));
    }
    let [low, high] = map.range.map(|value| number::significant(f64::from(value), 3));
    let baseline = (top + BAR + 17) as f32;
    let high_width = text::measure(&high, SIZE).width;
    text::draw(sheet, &low, (left as f32, baseline), SIZE, INK);
    text::draw(sheet, &high, ((left + width) as f32 - high_width, baseline), SIZE, INK);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn map(title: &str, rows: usize, cols: usize) -> Map {
        Map::new(title, Array2::from_shape_fn((rows, cols), |(_, c)| c as f32).view())
    }

    /// Whether anything but paper is at these pixels.
    fn inked(sheet: &RgbImage, x: std::ops::Range<u32>, mut y: std::ops::Range<u32>) -> bool {
        y.any(|y| x.clone().any(|x| sheet.get_pixel(x, y).0 != PAPER))
    }

    #[test]
    fn each_map_has_its_place_its_title_and_its_bar() {
        let maps: Vec<Map> = ["one", "two", "three"].map(|title| map(title, 90, 90)).into();
        let sheet = sheet("Three maps", &maps);
        let grid = Grid::new("Three maps", &maps);
        assert_eq!((grid.factor, grid.shape, grid.columns, grid.rows), (4, (360, 360), 2, 2));
        assert_eq!(sheet.dimensions(), (2 * 384 + 24, 24 + 38 + 2 * (430 + 24)));
        for (left, top) in [(24, 62), (408, 62), (24, 516)] {
            assert!(inked(&sheet, left..left + 60, top..top + 20), "the title");
            let of_map = |x, y| sheet.get_pixel(left + x, top + 26 + y).0;
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
            assert!(sheet.width() as f32 >= width + 2.0 * GAP as f32);
            let edge = sheet.width() - GAP as u32;
            assert!(!inked(&sheet, edge..sheet.width(), 0..sheet.height()), "cut at the edge");
        }
    }

    #[test]
    fn a_heading_alone_is_a_sheet() {
        assert!(sheet("Nothing to show", &[]).width() > 100);
    }
}
