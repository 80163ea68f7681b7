//! An image to a label map, by the default method: `cargo run --release --example segment`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    reason = "an example prints, and runs in the tests too"
)]

use stemseg::ndarray::Array2;
use stemseg::{Result, Segmenter};

pub fn main() -> Result<()> {
    let image = two_crystals();
    let segmentation = Segmenter::auto().clusters(2).segment(&image)?;

    let labels = segmentation.labels();
    let confidence = segmentation.confidence();
    for area in &segmentation.results[0].map.areas {
        println!("pattern {}: {:.1} % of the image", area.label, 100.0 * area.fraction);
    }
    println!("mean confidence: {:.2}", confidence.mean().unwrap_or_default());
    assert_ne!(labels[(100, 20)], labels[(100, 220)]);
    Ok(())
}

/// A square lattice on the left, a hexagonal one on the right.
fn two_crystals() -> Array2<f32> {
    let wave = |x: f32, period: f32| (std::f32::consts::TAU * x / period).cos();
    Array2::from_shape_fn((200, 240), |(row, col)| {
        let (y, x) = (row as f32, col as f32);
        let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 2000.0;
        let half = 0.5 * 3.0_f32.sqrt() * x;
        noise
            + match col < 140 {
                true => wave(x, 9.0) + wave(y, 9.0),
                false => wave(y, 8.0) + wave(0.5 * y + half, 8.0) + wave(0.5 * y - half, 8.0),
            }
    })
}
