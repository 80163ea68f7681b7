//! Colour to grey.

use ndarray::{Array2, ArrayView3, Axis, ShapeError, Zip};

use super::Pixels;
use stemseg::image::micrograph::Pixel;

/// Rec. 709 weights of red, green and blue.
const LUMA: [f64; 3] = [0.2126, 0.7152, 0.0722];

/// Grey pixels and notes from samples stored as `[rows, cols, channels]`; grey
/// ones (one channel) pass through without a copy.
pub(super) fn from_samples<T>(
    samples: Vec<T>,
    [rows, cols, channels]: [usize; 3],
) -> Result<(Pixels, Vec<String>), ShapeError>
where
    T: Pixel + PartialEq,
    Pixels: From<Array2<T>>,
{
    if channels == 1 {
        return Ok((Array2::from_shape_vec((rows, cols), samples)?.into(), vec![]));
    }
    Ok(to_grey(ArrayView3::from_shape((rows, cols, channels), &samples)?))
}

/// Grey pixels of a colour image `[rows, cols, channels]` and what was done: two
/// channels are grey and alpha, three RGB, four RGBA. An image stored as RGB
/// whose channels are equal keeps its type and its exact values.
pub(super) fn to_grey<T>(samples: ArrayView3<'_, T>) -> (Pixels, Vec<String>)
where
    T: Pixel + PartialEq,
    Pixels: From<Array2<T>>,
{
    let channel = |index| samples.index_axis(Axis(2), index);
    let channels = samples.len_of(Axis(2));
    let mut notes = Vec::new();
    if channels == 2 || channels == 4 {
        notes.push("the alpha channel was ignored".to_owned());
    }
    if channels < 3 {
        return (channel(0).to_owned().into(), notes);
    }
    let (red, green, blue) = (channel(0), channel(1), channel(2));
    if red == green && green == blue {
        notes.push("the colour channels are equal: their grey value was taken as it is".into());
        return (red.to_owned().into(), notes);
    }
    notes.push("colour was reduced to its luma (Rec. 709)".into());
    let luma = Zip::from(red).and(green).and(blue).map_collect(|&red, &green, &blue| {
        let rgb = [red.to_f64(), green.to_f64(), blue.to_f64()];
        rgb.iter().zip(LUMA).map(|(value, weight)| value * weight).sum::<f64>() as f32
    });
    (luma.into(), notes)
}
