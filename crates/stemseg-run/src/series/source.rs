//! The frames of a film, as they are read: one at a time, each told from those that show nothing.

use std::ops::Range;
use std::path::PathBuf;

use ndarray::{ArcArray2, Array2, s};
use serde::{Deserialize, Serialize};
use stemseg::image::micrograph::{Micrograph, PixelSize, Screening};
use stemseg::{Error, Result};
use stemseg_files::read::{Film, Frame, Pixels};

use crate::Input;
use crate::input::read::mask;

/// Share of the pixels of a frame that may lack data before it is marked.
const MUCH: f64 = 0.1;
/// Share that may have the largest value of all before the detector counts as saturated: of what
/// shows atomic columns, tops alone are cut off.
const SATURATED: f64 = 0.2;

/// What a frame is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It shows the specimen.
    Ok,
    /// Part of it was not scanned: a border of one constant value. The rest is labelled.
    Partial,
    /// More than a tenth of its pixels are NaN or infinite. The rest is labelled.
    Nan,
    /// A fifth of its pixels or more have the largest value of all: it is not labelled.
    Saturated,
    /// All its pixels have one value, or none has any: it is not labelled.
    Blank,
}

impl Status {
    /// Its name, as in `kinetics.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Nan => "nan",
            Self::Saturated => "saturated",
            Self::Blank => "blank",
        }
    }
}

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Shot {
    pub(crate) number: usize,
    pub(crate) status: Status,
    /// The frame, where it shows something.
    pub(crate) micrograph: Option<Micrograph>,
}

/// Reads the frames of a film as a request says.
#[derive(Debug)]
pub(crate) struct Source {
    film: Film,
    input: Input,
    region: Option<[Range<usize>; 2]>,
    mask: Option<Array2<bool>>,
    shape: (usize, usize),
    size: Option<PixelSize>,
}

impl Source {
    /// Of `files`, in this order.
    ///
    /// # Errors
    /// As [`Film::open`]; for a region or mask that does not fit, and for a chosen frame.
    pub(crate) fn open(files: &[PathBuf], input: &Input) -> Result<Self> {
        if let Some(frame) = input.frame {
            let value = match frame {
                Frame::Mean => "mean".to_owned(),
                Frame::Number(number) => number.to_string(),
            };
            let reason = "a film takes all frames; leave it out, or segment the frame as an image";
            return Err(Error::parameter("frame", value, reason));
        }
        let film = Film::open(files, input.image)?;
        let (rows, cols) = film.shape();
        let region = match input.region {
            Some([r, c]) => Some([r.of("rows", rows)?, c.of("columns", cols)?]),
            None => None,
        };
        let mask = match &input.mask {
            Some(given) => Some(mask(given, (rows, cols))?.0),
            None => None,
        };
        let cut = |mask: Array2<bool>| match &region {
            Some([r, c]) => mask.slice(s![r.clone(), c.clone()]).to_owned(),
            None => mask,
        };
        let mask = mask.map(cut);
        let shape = region.as_ref().map_or((rows, cols), |[r, c]| (r.len(), c.len()));
        let size = input.pixel_size.or(film.pixel_size());
        Ok(Self { film, input: input.clone(), region, mask, shape, size })
    }

    pub(crate) fn film(&self) -> &Film {
        &self.film
    }

    /// Number of frames.
    pub(crate) fn frames(&self) -> usize {
        self.film.frames()
    }

    /// Rows and columns of what is taken of a frame, px.
    pub(crate) fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Size of a pixel, where it is known.
    pub(crate) fn pixel_size(&self) -> Option<PixelSize> {
        self.size
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// As [`Film::load`]; those of pixels that were to be refused.
    pub(crate) fn read(&mut self, number: usize) -> Result<Shot> {
        let pixels = self.film.load(number)?;
        let pixels = match &self.region {
            Some([r, c]) => pixels.crop(r.clone(), c.clone())?,
            None => pixels,
        };
        self.judged(number, &pixels)
    }

    fn judged(&self, number: usize, pixels: &Pixels) -> Result<Shot> {
        let nothing = |status| Ok(Shot { number, status, micrograph: None });
        if pixels.share_at_largest() >= SATURATED {
            return nothing(Status::Saturated);
        }
        let screening = Screening {
            mask: self.mask.clone(),
            non_finite: self.input.non_finite,
            outliers: self.input.outliers,
        };
        let micrograph = match pixels.to_micrograph(screening) {
            Ok(micrograph) => micrograph.with_pixel_size(self.size),
            Err(Error::Image(reason)) if reason.contains("finite value") => {
                return nothing(Status::Blank);
            }
            Err(Error::Image(reason)) => {
                let path = self.film.files().next().unwrap_or(std::path::Path::new(""));
                let name = self.film.name_of(number);
                return Err(Error::unreadable(path, format!("{name}: {reason}")));
            }
            Err(error) => return Err(error),
        };
        if micrograph.standardised().is_err() {
            return nothing(Status::Blank);
        }
        let all = (self.shape.0 * self.shape.1) as f64;
        let excluded = micrograph.excluded();
        let status = match () {
            () if excluded.non_finite as f64 > MUCH * all => Status::Nan,
            () if excluded.constant as f64 > MUCH * all => Status::Partial,
            () => Status::Ok,
        };
        Ok(Shot { number, status, micrograph: Some(micrograph) })
    }
}

/// Which pixels of the specimen, in its own coordinates, a frame of `shape` does not show, where
/// the specimen lies `drift` px down and right in it and the frame's own pixels under `absent` are
/// absent; nothing where it shows all.
pub(crate) fn unseen(
    shape: (usize, usize),
    drift: [f64; 2],
    absent: Option<&ArcArray2<bool>>,
) -> Option<ArcArray2<bool>> {
    let [down, right] = drift.map(|drift| drift.round() as i64);
    if (down, right) == (0, 0) {
        return absent.cloned();
    }
    let at = |place: usize, shift: i64, size: usize| {
        let place = place as i64 + shift;
        (0..size as i64).contains(&place).then_some(place as usize)
    };
    let rows: Vec<Option<usize>> = (0..shape.0).map(|r| at(r, down, shape.0)).collect();
    let cols: Vec<Option<usize>> = (0..shape.1).map(|c| at(c, right, shape.1)).collect();
    let unseen = Array2::from_shape_fn(shape, |(r, c)| match (rows[r], cols[c]) {
        (Some(r), Some(c)) => absent.is_some_and(|absent| absent[(r, c)]),
        _ => true,
    });
    Some(unseen.into_shared())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, Axis};
    use stemseg_files::write::write_npy;

    /// A film of waves, whose frames `change` alters.
    fn source(
        change: impl Fn(usize, &mut Array2<f32>),
        frames: usize,
    ) -> (Source, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("film.npy");
        let mut film = Array3::from_shape_fn((frames, 64, 72), |(t, r, c)| {
            (0.9 * r as f32).cos()
                + (0.8 * c as f32).sin()
                + ((r * 7919 + c * 31 + t) % 97) as f32 / 60.0
        });
        for (number, mut frame) in film.axis_iter_mut(Axis(0)).enumerate() {
            let mut own = frame.to_owned();
            change(number, &mut own);
            frame.assign(&own);
        }
        write_npy(&path, film.view()).unwrap();
        (Source::open(&[path], &Input::default()).unwrap(), place)
    }

    #[test]
    fn frames_that_show_nothing_or_little_are_told() {
        let change = |number: usize, frame: &mut Array2<f32>| match number {
            1 => frame.fill(3.0),
            2 => frame.fill(f32::NAN),
            3 => frame.mapv_inplace(|v| v.min(0.5)),
            4 => frame.slice_mut(s![30.., ..]).fill(-7.0),
            5 => frame.slice_mut(s![..20, ..]).fill(f32::NAN),
            _ => {}
        };
        let (mut source, _place) = source(change, 7);
        let found: Vec<Status> = (0..7).map(|n| source.read(n).unwrap().status).collect();
        use Status::{Blank, Nan, Ok, Partial, Saturated};
        assert_eq!(found, [Ok, Blank, Blank, Saturated, Partial, Nan, Ok]);
        assert!(source.read(1).unwrap().micrograph.is_none());
        assert!(source.read(4).unwrap().micrograph.is_some());
    }

    #[test]
    fn what_moves_in_or_out_is_not_seen() {
        assert_eq!(unseen((4, 5), [0.3, -0.2], None), None);
        let unseen = unseen((4, 5), [1.2, -2.0], None).unwrap();
        for ((r, c), &out) in unseen.indexed_iter() {
            assert_eq!(out, r == 3 || c < 2, "{r} {c}");
        }
        let absent = Array2::from_shape_fn((4, 5), |at| at == (1, 1)).into_shared();
        let moved = super::unseen((4, 5), [0.0, -1.0], Some(&absent)).unwrap();
        assert!(moved[(1, 2)] && !moved[(1, 1)] && moved[(0, 0)]);
    }
}
