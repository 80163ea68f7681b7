//! One fit to many images from sums that add up, as they would come from many machines.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    reason = "an example prints, and runs in the tests too"
)]

use stemseg::backend::cpu::Cpu;
use stemseg::ndarray::Array2;
use stemseg::pipeline::Describing;
use stemseg::reduce::pca::{Moments, Pca};
use stemseg::{Micrograph, Result, Segmenter, Silent};

pub fn main() -> Result<()> {
    let images: Vec<Array2<f32>> = (0..3).map(image).collect();
    let segmenter = Segmenter::auto().clusters(2);

    // In one go:
    let model = segmenter.fit_many(&images)?;
    for image in &images {
        let labels = model.predict(image)?.labels();
        assert_eq!((labels[(90, 10)], labels[(90, 230)]), (1, 2));
    }

    // What is summed, by itself: each image gives a value that can be written, sent and merged.
    let mut all: Option<Moments> = None;
    let mut last = None;
    for image in &images {
        let micrograph = Micrograph::screened(image.view(), Default::default())?;
        let (plan, _) = segmenter.plan(&micrograph)?;
        let pixels = plan.image(&micrograph)?;
        let device = Cpu::new();
        let sums = Describing::new(pixels.view(), &plan, &device)?.moments(&Silent)?;
        println!("{} sites", sums.count);
        match &mut all {
            Some(all) => all.merge(&sums),
            None => all = Some(sums),
        }
        last = Some((plan.components(), plan.blocks()));
    }
    if let (Some(all), Some((components, blocks))) = (all, last) {
        let map = Pca::of_blocks(&all, components, &blocks)?;
        println!("{} components of {} sites in all", map.features(), all.count);
    }
    Ok(())
}

/// Two crystals, with other noise for each `number`.
fn image(number: usize) -> Array2<f32> {
    let wave = |x: f32, period: f32| (std::f32::consts::TAU * x / period).cos();
    Array2::from_shape_fn((180, 240), |(row, col)| {
        let (y, x) = (row as f32, col as f32);
        let noise = ((row * 7919 + col * 104_729 + number * 331) % 1009) as f32 / 2000.0;
        noise
            + match col < 150 - 10 * number {
                true => wave(x, 9.0) + wave(y, 9.0),
                false => wave(x + y, 12.0) + wave(x - y, 12.0),
            }
    })
}
