//! What is written into files that say more than labels.

use ndarray::Array2;
use serde_json::{Map, Value};

use super::label_type::LabelType;
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::image::rows::Rows;

/// What a file in HyperSpy's format holds in addition to the label map.
#[derive(Debug)]
pub struct Signal<'a> {
    /// Title of the signal.
    pub title: &'a str,
    /// Name of the file that the image comes from.
    pub original: &'a str,
    /// Size of a pixel.
    pub pixel_size: Option<PixelSize>,
    /// What goes below `original_metadata.stemseg`.
    pub parameters: &'a Value,
}

/// What an OME-Zarr folder holds.
pub struct OmeZarr<'a> {
    /// Name of the image.
    pub name: &'a str,
    /// The image.
    pub micrograph: &'a Micrograph,
    /// Element type of the file that the image comes from, as numpy spells it.
    /// Integers come back as they were (unless they span more than 21 bits),
    /// everything else as f32; what is masked has the mean.
    pub dtype: &'a str,
    /// Its labels, `[rows, cols]`.
    pub labels: &'a dyn Rows<u16>,
    /// Integers to store them in.
    pub kind: LabelType,
    /// Red, green and blue of a label.
    pub palette: &'a (dyn Fn(usize) -> [u8; 3] + Sync),
    /// What is to be said of labels 1, 2 and on.
    pub properties: Vec<Map<String, Value>>,
}

/// What an OME-Zarr folder of a film holds in addition to its frames.
pub struct OmeZarrFilm<'a> {
    /// Name of the film.
    pub name: &'a str,
    /// Number of frames.
    pub frames: usize,
    /// Rows and columns of a frame.
    pub shape: (usize, usize),
    /// Size of a pixel, where it is known.
    pub pixel_size: Option<PixelSize>,
    /// Time between frames, s, where it is known.
    pub interval_s: Option<f64>,
    /// Element type of the file that the film comes from, as numpy spells it: integers of up to
    /// 16 bits are stored as they are, everything else as f32.
    pub dtype: &'a str,
    /// Integers to store labels in.
    pub kind: LabelType,
    /// Red, green and blue of a label.
    pub palette: &'a (dyn Fn(usize) -> [u8; 3] + Sync),
    /// What is to be said of labels 1, 2 and on.
    pub properties: Vec<Map<String, Value>>,
}

/// A frame of such a film.
pub struct OmeZarrFrame {
    /// Its pixels, in the units of the file, `[rows, cols]`.
    pub pixels: Array2<f32>,
    /// Their labels `[rows, cols]`.
    pub labels: Array2<u16>,
}
