//! A film and its labels: the same arrays with time as their first axis.

use std::path::Path;

use ndarray::{Array2, ArrayView2};

use super::super::content::{OmeZarrFilm, OmeZarrFrame};
use super::super::label_type::{Label, LabelType, Labels};
use super::pyramid::{Cell, Pyramid, largest_share, mean};
use super::{Place, below_labels};
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};

/// Writes the folder `path`: the frames that `frame` gives, one at a time, and below
/// `labels/segmentation` their labels.
///
/// # Errors
/// [`Error::Io`] with the path, [`Error::Parameter`] for labels that do not fit; those of `frame`.
///
/// # Panics
/// For a frame of another shape than [`OmeZarrFilm::shape`].
pub fn write_ome_zarr_film(
    path: &Path,
    content: &OmeZarrFilm<'_>,
    frame: &mut dyn FnMut(usize) -> Result<OmeZarrFrame>,
) -> Result<()> {
    content.kind.check(content.properties.len() as u16)?;
    match content.dtype {
        "uint8" => of_pixels::<u8>(path, content, frame),
        "int8" => of_pixels::<i8>(path, content, frame),
        "uint16" => of_pixels::<u16>(path, content, frame),
        "int16" => of_pixels::<i16>(path, content, frame),
        _ => of_pixels::<f32>(path, content, frame),
    }
}

fn of_pixels<T: Cell>(
    path: &Path,
    content: &OmeZarrFilm<'_>,
    frame: &mut dyn FnMut(usize) -> Result<OmeZarrFrame>,
) -> Result<()> {
    match content.kind {
        LabelType::U8 => of_labels::<T, u8>(path, content, frame),
        LabelType::U16 => of_labels::<T, u16>(path, content, frame),
        LabelType::U32 => of_labels::<T, u32>(path, content, frame),
    }
}

fn of_labels<T: Cell, L: Cell + Label>(
    path: &Path,
    content: &OmeZarrFilm<'_>,
    frame: &mut dyn FnMut(usize) -> Result<OmeZarrFrame>,
) -> Result<()> {
    let OmeZarrFilm { frames, shape, .. } = *content;
    let failed = || Error::io(path);
    let mut images = Pyramid::<T>::of_film(path, frames, shape, mean).map_err(failed())?;
    let below = path.join(below_labels());
    let mut labels =
        Pyramid::<L>::of_film(&below, frames, shape, largest_share).map_err(failed())?;
    for number in 0..frames {
        let OmeZarrFrame { pixels, labels: own } = frame(number)?;
        assert!(pixels.dim() == shape && own.dim() == shape, "a frame of the film");
        images.fill_frame(number, &Pixels(pixels)).map_err(failed())?;
        labels.fill_frame(number, &Labels(&own.view())).map_err(failed())?;
    }
    let place = Place { path, pixel_size: content.pixel_size, time: Some(content.interval_s) };
    place.describe_image(content.name, images.levels()).map_err(failed())?;
    place.describe_labels(labels.levels(), content.palette, &content.properties).map_err(failed())
}

/// Pixels in the units of the file, as numbers of its type.
struct Pixels(Array2<f32>);

impl<T: Cell> Rows<T> for Pixels {
    fn shape(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn fill(&self, row: usize, to: &mut [T]) {
        let values: ArrayView2<'_, f32> = self.0.view();
        to.iter_mut().zip(values.row(row)).for_each(|(to, &v)| *to = T::restore(f64::from(v)));
    }
}
