//! The legend: a swatch, the label and its share of the area.

use image::RgbImage;

use super::shape::{Rect, fill};
use crate::colours;
use crate::text;
use stemseg::image::rows::{self, Rows};

/// Labels with an entry of their own; the rest share one.
const MOST_ENTRIES: usize = 64;

/// Ink of the text, and of the frame of "none".
const INK: [u8; 3] = [34, 34, 38];

/// Share of the image of each label, 0 to 1, label 0 (not segmented) first, up
/// to the largest label in `labels` `[rows, cols]`.
pub fn area_shares(labels: &dyn Rows<u16>) -> Vec<f64> {
    let count = |counts: &mut Vec<u64>, line: &[u16]| {
        for &label in line {
            let label = usize::from(label);
            if label >= counts.len() {
                counts.resize(label + 1, 0);
            }
            counts[label] += 1;
        }
    };
    let merge = |mut a: Vec<u64>, mut b: Vec<u64>| {
        if a.len() < b.len() {
            std::mem::swap(&mut a, &mut b);
        }
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let counts = rows::fold(labels, || vec![0; 1], count, merge);
    let all = counts.iter().sum::<u64>().max(1) as f64;
    counts.into_iter().map(|count| count as f64 / all).collect()
}

/// Most that cells of several rows are spread, to fill the width.
const MOST_SPREAD: f32 = 1.5;

/// Entries in a grid of equal cells, as wide as the image allows.
pub(super) struct Legend {
    entries: Vec<Entry>,
    size: f32,
    columns: usize,
    /// From column to column, px.
    pitch: f32,
    width: f32,
}

struct Entry {
    swatch: Option<Swatch>,
    text: String,
}

enum Swatch {
    Colour([u8; 3]),
    Frame,
}

impl Legend {
    /// A legend for `shares` below an image of `cols`, `size` px per line of text.
    pub(super) fn new(shares: &[f64], cols: usize, size: f32) -> Self {
        let entries = entries(shares);
        let widths = entries.iter().map(|entry| text::measure(&entry.text, size).width);
        let (padding, gap) = (0.6 * size, 1.1 * size);
        let cell = 1.25 * size + widths.fold(0.0, f32::max) + gap;
        let room = cols as f32 - 2.0 * padding + gap;
        let most_columns = ((room / cell) as usize).max(1);
        // As few rows as needed, then evenly filled.
        let rows = entries.len().div_ceil(most_columns).max(1);
        let columns = entries.len().div_ceil(rows).max(1);
        let spread = if rows == 1 { 1.0 } else { MOST_SPREAD };
        let pitch = (room / columns as f32).clamp(cell, spread * cell);
        let width = columns as f32 * pitch - gap + 2.0 * padding;
        Self { entries, size, columns, pitch, width }
    }

    /// Least width of the drawing, px.
    pub(super) fn width(&self) -> usize {
        self.width.ceil() as usize
    }

    /// Height of the strip, px.
    pub(super) fn height(&self) -> usize {
        let rows = self.entries.len().div_ceil(self.columns);
        (rows as f32 * self.line() + 1.3 * self.padding()).ceil() as usize
    }

    /// Draws the legend from row `top` on.
    pub(super) fn draw(&self, drawing: &mut RgbImage, top: usize) {
        let capitals = text::measure("", self.size).height;
        for (index, entry) in self.entries.iter().enumerate() {
            let (row, column) = (index / self.columns, index % self.columns);
            let x = self.padding() + column as f32 * self.pitch;
            let y = top as f32 + 0.65 * self.padding() + row as f32 * self.line();
            let side = (0.85 * self.size).round();
            let middle = y + self.line() / 2.0;
            let swatch = Rect {
                left: x.round(),
                top: (middle - side / 2.0).round(),
                width: side,
                height: side,
            };
            entry.draw_swatch(drawing, swatch, self.size);
            let baseline = (swatch.top + (side + capitals) / 2.0).round();
            let at = ((x + 1.25 * self.size).round(), baseline);
            text::draw(drawing, &entry.text, at, self.size, INK);
        }
    }

    fn padding(&self) -> f32 {
        0.6 * self.size
    }

    fn line(&self) -> f32 {
        1.4 * self.size
    }
}

impl Entry {
    fn draw_swatch(&self, drawing: &mut RgbImage, place: Rect, size: f32) {
        let radius = 0.15 * size;
        match self.swatch {
            None => {}
            Some(Swatch::Colour(colour)) => fill(drawing, place, radius, colour, 1.0),
            Some(Swatch::Frame) => {
                let line = (size / 12.0).round().max(1.0);
                fill(drawing, place, radius, INK, 1.0);
                let inside = Rect {
                    left: place.left + line,
                    top: place.top + line,
                    width: place.width - 2.0 * line,
                    height: place.height - 2.0 * line,
                };
                fill(drawing, inside, radius - line, super::PAPER, 1.0);
            }
        }
    }
}

/// One entry per label that occurs, those beyond the most together, "none" last.
fn entries(shares: &[f64]) -> Vec<Entry> {
    let labels: Vec<usize> = (1..shares.len()).filter(|&label| shares[label] > 0.0).collect();
    let own = if labels.len() > MOST_ENTRIES { MOST_ENTRIES - 1 } else { labels.len() };
    let (shown, rest) = labels.split_at(own);
    let digits = shown.last().map_or(1, |label| label.to_string().len());
    let colour = |label| Some(Swatch::Colour(colours::colour(label)));
    let mut lines: Vec<(Option<Swatch>, String, f64)> = shown
        .iter()
        .map(|&label| (colour(label), format!("{label:>digits$}"), shares[label]))
        .collect();
    if !rest.is_empty() {
        let share = rest.iter().map(|&label| shares[label]).sum();
        lines.push((None, format!("+{} more", rest.len()), share));
    }
    if let Some(&share) = shares.first().filter(|&&share| share > 0.0) {
        lines.push((Some(Swatch::Frame), "none".into(), share));
    }
    let width = lines.iter().map(|line| percent(line.2).len()).max().unwrap_or(0);
    let entry = |(swatch, name, share)| Entry {
        swatch,
        text: format!("{name}  {:>width$} %", percent(share)),
    };
    lines.into_iter().map(entry).collect()
}

/// `62.3`; a share that rounds to nothing says so.
fn percent(share: f64) -> String {
    if share < 0.0005 { "<0.1".into() } else { format!("{:.1}", 100.0 * share) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn texts(shares: &[f64]) -> Vec<String> {
        entries(shares).into_iter().map(|entry| entry.text).collect()
    }

    #[test]
    fn shares_count_every_pixel() {
        let labels = array![[1_u16, 1, 3, 0], [1, 1, 3, 1]];
        assert_eq!(area_shares(&labels.view()), [0.125, 0.625, 0.0, 0.25]);
    }

    #[test]
    fn entries_name_what_occurs() {
        let some = [0.05, 0.9, 0.0, 0.0496, 0.0004];
        assert_eq!(texts(&some), ["1  90.0 %", "3   5.0 %", "4  <0.1 %", "none   5.0 %"]);
        assert_eq!(texts(&[0.0, 1.0]), ["1  100.0 %"]);
    }

    #[test]
    fn too_many_labels_share_an_entry() {
        let shares = |count: usize| vec![1.0 / count as f64; count + 1];
        assert_eq!(texts(&shares(64)).len(), 65);
        let many = texts(&shares(200));
        assert_eq!(many.len(), 65);
        assert_eq!(many[63], "+137 more  68.5 %");
    }

    #[test]
    fn the_grid_fits_the_image_and_holds_every_entry() {
        for (count, cols) in [(1, 240), (2, 240), (8, 256), (30, 1024), (60, 8192), (5, 10)] {
            let legend = Legend::new(&vec![0.1; count], cols, 14.0);
            let rows = legend.entries.len().div_ceil(legend.columns);
            assert!(legend.width() <= cols || legend.columns == 1, "{count} {cols}");
            assert!(rows * legend.columns >= legend.entries.len(), "{count} {cols}");
            assert!(legend.height() as f32 > rows as f32 * 1.4 * 14.0, "{count} {cols}");
        }
    }
}
