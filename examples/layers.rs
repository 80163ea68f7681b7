//! The layer below [`Segmenter`](stemseg::Segmenter): parameters, plan, device, and the three
//! steps of the pipeline one by one.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    reason = "an example prints, and runs in the tests too"
)]

use stemseg::backend::cpu::Cpu;
use stemseg::descriptor::{FamilyParams, harmonic, translation};
use stemseg::ndarray::Array2;
use stemseg::pipeline::{Describing, fit};
use stemseg::sites::Extent;
use stemseg::{Micrograph, Params, Plan, Result, Silent};

pub fn main() -> Result<()> {
    let image = Array2::from_shape_fn((160, 200), |(row, col)| {
        let along = if col < 120 { row } else { col };
        (along as f64 * std::f64::consts::TAU / 6.0).cos()
            + ((row * 31 + col * 17) % 11) as f64 / 20.0
    });

    // What is computed: two families of descriptors at sites 4 px apart.
    let translations = translation::Params {
        patch: Extent::square(8),
        window: Extent::square(6),
        ..Default::default()
    };
    let harmonics = harmonic::Params { radius: 7, window: Extent::square(7), ..Default::default() };
    let params = Params {
        families: vec![FamilyParams::Translation(translations), FamilyParams::Harmonic(harmonics)],
        stride: 4,
        clusters: vec![2],
        ..Default::default()
    };
    let micrograph = Micrograph::screened(image.view(), Default::default())?;
    let plan = Plan::new(params, &micrograph)?;
    println!("{} sites with {} channels", plan.sites().grid().len(), plan.channels());

    // Describe, fit: the sums that all else follows from could come from many images.
    let device = Cpu::new();
    let pixels = plan.image(&micrograph)?;
    let mut sites = Describing::new(pixels.view(), &plan, &device)?;
    let moments = sites.moments(&Silent)?;
    let (found, features) = fit::patterns(&moments, &mut sites, &Silent)?;
    let number = &found.numbers[0];
    let (clusters, variance) = fit::clusters(features.view(), number, &plan, &device, &Silent)?;
    println!("{} features explain {:.1} %", found.pca.features(), {
        100.0 * found.pca.report.explained_variance_ratio.iter().sum::<f64>()
    });
    println!("k-means took {} iterations; variances {variance:.3}", clusters.iterations);

    let columns = plan.sites().grid().count.cols;
    assert_ne!(clusters.labels[0], clusters.labels[columns - 1]);
    Ok(())
}
