//! The label maps of a film as a hyperstack of ImageJ: a page for each frame, with the time between
//! them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bytemuck::Pod;
use ndarray::Array2;
use tiff::TiffError;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, Gray32};
use tiff::encoder::{TiffEncoder, TiffKind};

use super::super::label_type::{Label, LabelType, Labels};
use super::{MOST_CLASSIC, MOST_COLOURS, colour_map, failed, page};
use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};

/// What a hyperstack says of its frames.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    /// Number of frames.
    pub frames: usize,
    /// Largest label.
    pub most: u16,
    /// Integers of the labels.
    pub kind: LabelType,
    /// Size of a pixel, where it is known.
    pub pixel_size: Option<PixelSize>,
    /// Time between frames, s, where it is known.
    pub interval_s: Option<f64>,
}

/// Writes the label maps that `frame` gives, `[rows, cols]`, one at a time, with a colour table from
/// `palette`. Above 4 GiB it is a BigTIFF.
///
/// # Errors
/// [`Error::Io`] with the path; [`Error::Parameter`] for labels that do not fit; those of `frame`.
pub fn write_labels_hyperstack(
    path: &Path,
    stack: &Stack,
    palette: impl Fn(usize) -> [u8; 3],
    frame: &mut dyn FnMut(usize) -> Result<Array2<u16>>,
) -> Result<()> {
    stack.kind.check(stack.most)?;
    let shown = stack.most.max(MOST_COLOURS);
    let colours = colour_map(palette, shown);
    match stack.kind {
        LabelType::U8 => pages::<Gray8>(path, stack, &colours, shown, frame),
        LabelType::U16 => pages::<Gray16>(path, stack, &colours, shown, frame),
        LabelType::U32 => pages::<Gray32>(path, stack, &colours, shown, frame),
    }
}

fn pages<C: ColorType>(
    path: &Path,
    stack: &Stack,
    colours: &[u16],
    shown: u16,
    frame: &mut dyn FnMut(usize) -> Result<Array2<u16>>,
) -> Result<()>
where
    C::Inner: Pod + Default + Label,
{
    let first = frame(0)?;
    let bytes = (first.len() * stack.frames * size_of::<C::Inner>()) as u64;
    let mut out = BufWriter::new(File::create(path).map_err(Error::io(path))?);
    match bytes <= MOST_CLASSIC {
        true => {
            let mut file = TiffEncoder::new(&mut out).map_err(|error| failed(path, error))?;
            all::<C, _>(&mut file, path, (stack, colours, shown), first, frame)?;
        }
        false => {
            let mut file = TiffEncoder::new_big(&mut out).map_err(|error| failed(path, error))?;
            all::<C, _>(&mut file, path, (stack, colours, shown), first, frame)?;
        }
    }
    out.flush().map_err(Error::io(path))
}

fn all<C: ColorType, K: TiffKind>(
    file: &mut TiffEncoder<&mut BufWriter<File>, K>,
    path: &Path,
    (stack, colours, shown): (&Stack, &[u16], u16),
    first: Array2<u16>,
    frame: &mut dyn FnMut(usize) -> Result<Array2<u16>>,
) -> Result<()>
where
    C::Inner: Pod + Default + Label,
{
    let display = description(stack, shown);
    let mut next = Some(first);
    for number in 0..stack.frames {
        let labels = match next.take() {
            Some(first) => first,
            None => frame(number)?,
        };
        // ImageJ reads the description of the first page alone.
        let display = if number == 0 { &*display } else { "" };
        let view = labels.view();
        let written: Result<(), TiffError> =
            page::<C, K>(file, &Labels(&view), stack.pixel_size, display, Some(colours));
        written.map_err(|error| failed(path, error))?;
    }
    Ok(())
}

/// What ImageJ's description says of a stack, after its version and unit.
fn description(stack: &Stack, shown: u16) -> String {
    let Stack { frames, interval_s, .. } = stack;
    let interval = interval_s.map_or(String::new(), |s| format!("finterval={s}\ntunit=sec\n"));
    format!(
        "images={frames}\nframes={frames}\nhyperstack=true\nmode=grayscale\nloop=false\n{interval}\
         min=0.0\nmax={shown}.0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::ImageFile;
    use ndarray::Array2;

    #[test]
    fn frames_come_back_with_their_size_and_interval() {
        let place = tempfile::tempdir().unwrap();
        let labels =
            |number: usize| Array2::from_shape_fn((40, 50), |(r, c)| ((r + c + number) % 3) as u16);
        for kind in [LabelType::U8, LabelType::U16, LabelType::U32] {
            let path = place.path().join(format!("{kind:?}.tif"));
            let pixel_size = Some(PixelSize { rows: 0.02, cols: 0.025 });
            let stack = Stack { frames: 4, most: 2, kind, pixel_size, interval_s: Some(0.25) };
            let palette = |label: usize| [label as u8; 3];
            let mut asked = Vec::new();
            let mut give = |number: usize| {
                asked.push(number);
                Ok(labels(number))
            };
            write_labels_hyperstack(&path, &stack, palette, &mut give).unwrap();
            assert_eq!(asked, [0, 1, 2, 3], "each once, in order");
            let mut file = ImageFile::open(&path).unwrap();
            let entry = file.entries()[0].clone();
            assert_eq!((entry.shape, entry.frame_interval_s), (vec![4, 40, 50], Some(0.25)));
            assert_eq!(entry.calibration.and_then(|c| c.pixel_size()), pixel_size);
            for number in 0..4 {
                let found = file.load(0, number).unwrap().0.to_f64();
                assert_eq!(found, labels(number).mapv(f64::from), "{kind:?} {number}");
            }
        }
    }
}
