//! The image on the device.
//!
//! Where a family asks for it, a row of pixels is cut by stride phase, `[row][phase][block]`:
//! pixel `block * stride + phase` stands next to that one stride further, so that the
//! threads of neighbouring sites read neighbouring values. Else pixels stand in their order,
//! and where they stand takes no division.

use bytemuck::{Pod, Zeroable};
use ndarray::{ArrayView2, s};
use rayon::prelude::*;
use wgpu::Buffer;

use super::commands::Commands;
use super::device::{Device, Scratch};
use super::families::on_gpu;
use crate::Result;
use crate::plan::Plan;
use crate::sites::Band;

/// All of the image where a binding can hold it, else the rows of one band.
pub(super) struct Pixels<'a> {
    device: &'a Device,
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    buffer: Scratch,
    /// Whether the whole image is there, or nothing that lasts.
    whole: Option<Buffer>,
}

/// Rows of the image on the device.
pub(super) struct Rows {
    pub(super) buffer: Buffer,
    /// Pixel row at which it begins.
    pub(super) first: usize,
    /// Values of one phase of a row.
    pub(super) pitch: usize,
    /// Number of phases.
    phases: usize,
}

/// `Image` of the shaders; see `shaders/pixels.wgsl` for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Image {
    pub first_row: u32,
    pub line: u32,
    pub pitch: u32,
    pub unused: u32,
}

impl Rows {
    /// Where pixels are, for shaders.
    pub(super) fn image(&self) -> Image {
        let (first_row, pitch) = (self.first as u32, self.pitch as u32);
        Image { first_row, line: self.phases as u32 * pitch, pitch, unused: 0 }
    }
}

/// Number of phases that rows of the plan's image are cut by.
pub(super) fn phases(plan: &Plan) -> usize {
    let by_phase = plan.families().iter().any(|family| on_gpu(family).by_phase());
    if by_phase { plan.sites().grid().stride } else { 1 }
}

/// The constant of shaders that says how many.
pub(super) fn constant(plan: &Plan) -> (&'static str, f64) {
    ("PHASES", phases(plan) as f64)
}

/// Values of one phase of a row of the plan's image.
pub(super) fn pitch(plan: &Plan) -> usize {
    plan.sites().shape().cols.div_ceil(phases(plan))
}

/// Bytes of `rows` pixel rows of the plan's image.
pub(super) fn bytes(plan: &Plan, rows: usize) -> u64 {
    4 * (rows * phases(plan) * pitch(plan)) as u64
}

impl<'a> Pixels<'a> {
    pub(super) fn new(device: &'a Device, image: ArrayView2<'a, f32>, plan: &'a Plan) -> Self {
        Self { device, image, plan, buffer: Scratch::default(), whole: None }
    }

    /// The rows that `band` depends on, at least.
    pub(super) fn rows(&mut self, commands: &mut Commands<'_>, band: &Band) -> Result<Rows> {
        let (pitch, phases) = (pitch(self.plan), phases(self.plan));
        if let Some(buffer) = &self.whole {
            return Ok(Rows { buffer: buffer.clone(), first: 0, pitch, phases });
        }
        let whole = bytes(self.plan, self.plan.sites().shape().rows) <= self.device.binding_limit();
        let rows = if whole {
            0..self.plan.sites().shape().rows
        } else {
            self.plan.sites().pixel_rows(band)
        };
        let values = by_phase(self.image.slice(s![rows.clone(), ..]), phases, pitch);
        let buffer = self.buffer.get(self.device, "image", values.len() as u64)?.clone();
        commands.write(&buffer, &values);
        self.whole = whole.then(|| buffer.clone());
        Ok(Rows { buffer, first: rows.start, pitch, phases })
    }
}

/// The pixels as `[row][phase][block]`, 0 where the last block ends beyond the row.
fn by_phase(image: ArrayView2<'_, f32>, stride: usize, pitch: usize) -> Vec<f32> {
    let mut values = vec![0.0; image.nrows() * stride * pitch];
    values.par_chunks_mut(stride * pitch).enumerate().for_each(|(row, line)| {
        let pixels = image.row(row);
        let pixels = pixels.to_slice().expect("rows of images are contiguous");
        for (phase, line) in line.chunks_mut(pitch).enumerate() {
            let own = pixels.get(phase..).unwrap_or_default().iter().step_by(stride);
            line.iter_mut().zip(own).for_each(|(to, &v)| *to = v);
        }
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_of_a_phase_stand_together() {
        let image = ndarray::array![[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]];
        let values = by_phase(image.view(), 3, 2);
        let expected = [0.0, 3.0, 1.0, 4.0, 2.0, 0.0, 5.0, 8.0, 6.0, 9.0, 7.0, 0.0];
        assert_eq!(values, expected);
    }
}
