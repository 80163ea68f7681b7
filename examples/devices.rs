//! The same segmentation on each device there is: labels differ at near-ties alone.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    reason = "an example prints, and runs in the tests too"
)]

use stemseg::backend::{DeviceChoice, gpu::adapter};
use stemseg::ndarray::Array2;
use stemseg::{Result, Segmenter};

pub fn main() -> Result<()> {
    let image = Array2::from_shape_fn((160, 200), |(row, col)| {
        let along = if col < 120 { row } else { row + col };
        let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 5000.0;
        let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
        wave(along) + wave(col) + noise
    });
    let reference =
        Segmenter::auto().clusters(2).device(DeviceChoice::Cpu).segment(&image)?.labels();
    for adapter in adapter::adapters() {
        let name = adapter.get_info().name;
        let device = DeviceChoice::Named(name.clone());
        let labels = Segmenter::auto().clusters(2).device(device).segment(&image)?.labels();
        let other = labels.iter().zip(&reference).filter(|(a, b)| a != b).count();
        println!("{name}: {other} of {} pixels have another label than on the CPU", labels.len());
        assert!(other < labels.len() / 1000);
    }
    Ok(())
}
