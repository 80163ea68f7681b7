//! The weak form: each term averaged under smooth bumps in space and time, derivatives taken
//! from the bumps.
//!
//! Bumps are products of one factor per axis, and they are wanted at sparse places alone (a
//! fraction of a bump apart), so sums are taken axis by axis at these places: exact as a
//! convolution by FFT is, with less work than one.

mod fields;
mod noise;
mod samples;
mod whitened;

use rayon::prelude::*;

use self::fields::Fields;
pub(crate) use self::fields::{columns_by, rows_by};
pub(crate) use self::noise::Differences;
pub(crate) use self::samples::{Moments, Samples};
pub(crate) use self::whitened::whitened;
use crate::bump::{bump, dot};
use crate::film::Film;
use crate::term::{Factor, Term};
use crate::{Error, Result};

/// Half widths of the bumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Scale {
    /// In frames.
    pub time: usize,
    /// In px, along both axes.
    pub space: usize,
}

/// Most values that the averages of all frames may be.
const MOST_VALUES: usize = 1 << 26;

/// Terms averaged in space, frame by frame.
pub(crate) struct Averages {
    /// Half width of the bumps, px.
    pub(crate) space: usize,
    /// What is averaged: `Phi`, its first derivatives, then terms; none twice.
    pub(crate) channels: Vec<Term>,
    /// Rows and columns of the middles of the bumps.
    pub(crate) rows: Vec<usize>,
    pub(crate) cols: Vec<usize>,
    /// Of each frame, `[channel][place]`, places row by row.
    pub(crate) frames: Vec<Vec<f64>>,
    /// Of each frame, whether all values under the bump of a place are there.
    present: Vec<Option<Vec<bool>>>,
    pub(crate) differences: Differences,
}

/// Middles of bumps of half width `half` along `length` samples, `step` apart, with as much left
/// over at both ends.
fn middles(length: usize, half: usize, step: usize) -> Vec<usize> {
    match length.checked_sub(2 * half + 1) {
        None => Vec::new(),
        Some(free) => {
            let count = free / step + 1;
            let first = half + (free - (count - 1) * step) / 2;
            (0..count).map(|i| first + i * step).collect()
        }
    }
}

impl Averages {
    /// Averages `terms` of `film` under bumps of half width `space` px.
    pub(crate) fn new(
        film: &Film,
        space: usize,
        terms: &[Term],
        differences: Differences,
        check: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let [frames, rows, cols] = film.dim();
        let line = film.is_line();
        let channels = channels(terms, line);
        let half_rows = if line { 0 } else { space };
        let fit = |step: usize| {
            let places = (rows / step + 1) * (cols / step + 1);
            places.saturating_mul(frames).saturating_mul(channels.len()) <= MOST_VALUES
        };
        let mut step = (if line { space / 4 } else { space / 2 }).max(1);
        while !fit(step) && step < space {
            step += 1;
        }
        let (at_rows, at_cols) = (middles(rows, half_rows, step), middles(cols, space, step));
        let bumps = Bumps { rows: bump(half_rows), cols: bump(space) };
        let smoothing = fields::Smoothing::new(space, &differences, line);
        let one = |frame: usize| {
            if check() {
                return Err(Error::Interrupted);
            }
            let fields = Fields::new(film, frame, &channels, &smoothing, &differences);
            Ok(bumps.averages(&fields, &channels, &at_rows, &at_cols))
        };
        let averaged: Result<Vec<_>> = (0..frames).into_par_iter().map(one).collect();
        let present = (0..frames)
            .into_par_iter()
            .map(|frame| {
                let reach = space + smoothing.space;
                let absent = film.absent(frame)?;
                Some(fields::present(
                    &absent,
                    &at_rows,
                    &at_cols,
                    if line { 0 } else { reach },
                    reach,
                ))
            })
            .collect();
        Ok(Self {
            space,
            channels,
            rows: at_rows,
            cols: at_cols,
            frames: averaged?,
            present,
            differences,
        })
    }

    /// Places of bumps in a frame.
    pub(crate) fn places(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// Number of the channel of `term`.
    pub(crate) fn channel(&self, term: Term) -> Option<usize> {
        self.channels.iter().position(|channel| *channel == term)
    }

    /// Average of `channel` in `frame` at `place`.
    pub(crate) fn at(&self, frame: usize, channel: usize, place: usize) -> f64 {
        self.frames[frame][channel * self.places() + place]
    }

    /// Whether all values under the bump of `place` are there in `frame`.
    pub(crate) fn present(&self, frame: usize, place: usize) -> bool {
        self.present[frame].as_ref().is_none_or(|present| present[place])
    }
}

/// `Phi` and its first derivatives, then `terms`, none twice.
fn channels(terms: &[Term], line: bool) -> Vec<Term> {
    let always = [Term::new(1, Factor::One), Term::new(0, Factor::X), Term::new(0, Factor::Y)];
    let own = always.into_iter().take(if line { 2 } else { 3 });
    let mut channels: Vec<Term> = own.collect();
    for &term in terms {
        if !channels.contains(&term) {
            channels.push(term);
        }
    }
    channels
}

/// One factor of a bump for each axis, with its derivatives.
struct Bumps {
    rows: [Vec<f64>; 3],
    cols: [Vec<f64>; 3],
}

impl Bumps {
    /// Averages of all channels in one frame, `[channel][place]`.
    fn averages(
        &self,
        fields: &Fields,
        channels: &[Term],
        rows: &[usize],
        cols: &[usize],
    ) -> Vec<f64> {
        let places = rows.len() * cols.len();
        let mut out = vec![0.0; channels.len() * places];
        let mut along: Vec<((usize, usize), Vec<f64>)> = Vec::new();
        for (&channel, out) in channels.iter().zip(out.chunks_exact_mut(places.max(1))) {
            let Some((field, [by_row, by_col])) = fields.of(channel) else {
                // The constant: a bump has the sum 1.
                out.fill(1.0);
                continue;
            };
            let key = (field, by_col);
            let known = along.iter().position(|(known, _)| *known == key);
            let at = known.unwrap_or_else(|| {
                along.push((key, self.along(fields.image(field), fields.cols, cols, by_col)));
                along.len() - 1
            });
            let scale = fields.scale(channel);
            self.down(&along[at].1, cols.len(), rows, &self.rows[by_row], scale, out);
        }
        out
    }

    /// Sums along rows, at the middles `cols`: `[row][middle]`.
    fn along(&self, image: &[f64], width: usize, cols: &[usize], order: usize) -> Vec<f64> {
        let kernel = &self.cols[order];
        let half = kernel.len() / 2;
        let row = |row: &[f64]| -> Vec<f64> {
            cols.iter().map(|&at| dot(kernel, &row[at - half..=at + half])).collect()
        };
        image.chunks_exact(width).flat_map(row).collect()
    }

    /// Sums down columns, at the middles `rows`, times `scale`.
    fn down(
        &self,
        image: &[f64],
        width: usize,
        rows: &[usize],
        kernel: &[f64],
        scale: f64,
        out: &mut [f64],
    ) {
        let half = kernel.len() / 2;
        for (&at, out) in rows.iter().zip(out.chunks_exact_mut(width.max(1))) {
            let rows = image[(at - half) * width..].chunks_exact(width.max(1));
            for (weight, row) in kernel.iter().zip(rows) {
                out.iter_mut().zip(row).for_each(|(out, value)| *out += scale * weight * value);
            }
        }
    }
}
