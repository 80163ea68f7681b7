//! From columns to pixels: the scan, the slow changes of the signal, the counts.
//!
//! Every row is worked out by itself, with random numbers of its own, and sums
//! go from the first row to the last: nothing depends on the number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use libm::{cos, exp, sin};
use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::Settings;
use super::crystal::Column;
use super::lattice::vector;
use super::random::{Random, Stream};
use super::specimen::Specimen;
use stemseg::{Progress, Result};

/// A column reaches this many standard deviations: its flank is at 4e-6 there.
const REACH: f64 = 5.0;

/// Rows between two reports of progress.
const BLOCK: usize = 32;

/// The image of `specimen` with columns `width` px wide.
pub(super) fn image(
    specimen: &Specimen,
    settings: &Settings,
    width: f64,
    progress: &dyn Progress,
) -> Result<Array2<f32>> {
    let scan = Scan::new(specimen, settings, width);
    let mut image = Array2::zeros((settings.size.rows, settings.size.cols));
    progress.stage("render");
    let sums = by_rows(&mut image, progress, |row, pixels| scan.row(row, pixels))?;
    let Some(dose) = settings.dose else {
        return Ok(image);
    };
    let mean = sums.iter().sum::<f64>() / settings.size.area() as f64;
    progress.stage("count");
    by_rows(&mut image, progress, |row, pixels| {
        let mut random = Random::new(settings.seed, Stream::Counts(row));
        for pixel in pixels {
            *pixel = random.poisson(f64::from(*pixel) / mean * dose) as f32;
        }
    })?;
    Ok(image)
}

/// The true label of each pixel, from 1.
pub(super) fn labels(
    specimen: &Specimen,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Array2<u16>> {
    let mut labels = Array2::zeros((settings.size.rows, settings.size.cols));
    progress.stage("label");
    by_rows(&mut labels, progress, |row, pixels| {
        for (col, pixel) in pixels.iter_mut().enumerate() {
            *pixel = (specimen.layout)(vector(col as f64, row as f64)) as u16 + 1;
        }
    })?;
    Ok(labels)
}

/// Calls `work` for each row and gives what it returns, in the rows' order.
fn by_rows<T: Send + Sync, R: Send>(
    image: &mut Array2<T>,
    progress: &dyn Progress,
    work: impl Fn(usize, &mut [T]) -> R + Sync,
) -> Result<Vec<R>> {
    let total = image.nrows();
    let done = AtomicUsize::new(0);
    let block = |(number, mut rows): (usize, ArrayViewMut2<'_, T>)| -> Result<Vec<R>> {
        let count = rows.nrows();
        let rows = rows.rows_mut().into_iter().enumerate();
        let results = rows.map(|(i, mut row)| {
            work(number * BLOCK + i, row.as_slice_mut().expect("rows lie in memory as they are"))
        });
        let results = results.collect();
        let done = done.fetch_add(count, Ordering::Relaxed) + count;
        progress.step(done as u64, total as u64)?;
        Ok(results)
    };
    let blocks: Result<Vec<Vec<R>>> =
        image.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate().map(block).collect();
    Ok(blocks?.into_iter().flatten().collect())
}

/// What is scanned, and how.
struct Scan<'a> {
    specimen: &'a Specimen,
    settings: &'a Settings,
    width: f64,
    /// From top to bottom.
    columns: Vec<Column>,
    /// Displacement of each row, px.
    jitter: Vec<f64>,
    /// Change of the signal from the middle of the image to its right and lower
    /// edge, relative.
    slope: [f64; 2],
}

impl<'a> Scan<'a> {
    fn new(specimen: &'a Specimen, settings: &'a Settings, width: f64) -> Self {
        let mut columns = specimen.columns.clone();
        // A stable sort: equal rows stay in the order of construction.
        columns.sort_by(|one, other| one.at.y.total_cmp(&other.at.y));
        let mut random = Random::new(settings.seed, Stream::Scan);
        let direction = random.between(0.0, std::f64::consts::TAU);
        let (along, down) = (cos(direction), sin(direction));
        let scale = settings.gradient / (along.abs() + down.abs());
        let jitter = jitter(settings.size.rows, settings.jitter, &mut random);
        Self { specimen, settings, width, columns, jitter, slope: [along * scale, down * scale] }
    }

    /// Fills a row; gives its sum.
    fn row(&self, row: usize, pixels: &mut [f32]) -> f64 {
        let y = row as f64;
        let mut signal: Vec<f64> = (0..pixels.len())
            .map(|col| self.background(col as f64 + self.jitter[row], y))
            .collect();
        let reach = REACH * self.width;
        let first = self.columns.partition_point(|column| column.at.y < y - reach);
        let near = self.columns[first..].iter().take_while(|column| column.at.y <= y + reach);
        let falloff = -1.0 / (2.0 * self.width * self.width);
        for column in near {
            let below = y - column.at.y;
            let peak = column.weight * exp(falloff * below * below);
            let x = column.at.x - self.jitter[row];
            let start = (x - reach).ceil().max(0.0) as usize;
            let end = (x + reach + 1.0).floor().clamp(0.0, signal.len() as f64) as usize;
            for (col, value) in signal.iter_mut().enumerate().take(end).skip(start) {
                let across = col as f64 - x;
                *value += peak * exp(falloff * across * across);
            }
        }
        let mut sum = 0.0;
        for (col, (pixel, value)) in pixels.iter_mut().zip(signal).enumerate() {
            *pixel = (value * self.gain(col as f64, y)) as f32;
            sum += f64::from(*pixel);
        }
        sum
    }

    fn background(&self, x: f64, y: f64) -> f64 {
        match self.settings.background {
            0.0 => 0.0,
            level => level * (self.specimen.thickness)(vector(x, y)),
        }
    }

    fn gain(&self, x: f64, y: f64) -> f64 {
        let from_middle = |v: f64, side: usize| 2.0 * v / side as f64 - 1.0;
        let size = self.settings.size;
        1.0 + self.slope[0] * from_middle(x, size.cols) + self.slope[1] * from_middle(y, size.rows)
    }
}

/// Displacement of each row, normal with the deviation `rms` px; neighbours
/// follow each other a little, as what disturbs the scan does.
fn jitter(rows: usize, rms: f64, random: &mut Random) -> Vec<f64> {
    const BEFORE: f64 = 0.5;
    let scale = rms / libm::sqrt(1.0 + BEFORE * BEFORE);
    let mut last = random.normal();
    let mut next = || {
        let new = random.normal();
        let displacement = scale * (new + BEFORE * last);
        last = new;
        displacement
    };
    (0..rows).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::*;

    #[test]
    fn jitter_has_its_deviation_and_neighbours_follow() {
        let shifts = jitter(100_000, 0.7, &mut Random::new(0, Stream::Scan));
        let mean = |f: &dyn Fn(usize) -> f64| (1..100_000).map(f).sum::<f64>() / 1e5;
        let rms = mean(&|i| shifts[i] * shifts[i]).sqrt();
        let correlation = mean(&|i| shifts[i] * shifts[i - 1]) / (rms * rms);
        assert!((rms - 0.7).abs() < 0.01, "{rms}");
        assert!((correlation - 0.4).abs() < 0.02, "{correlation}");
    }
}
