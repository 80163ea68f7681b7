//! The programs of `examples/`, run as they stand.

#[path = "../../examples/devices.rs"]
mod devices;
#[path = "../../examples/fit_and_apply.rs"]
mod fit_and_apply;
#[path = "../../examples/layers.rs"]
mod layers;
#[path = "../../examples/many_images.rs"]
mod many_images;
#[path = "../../examples/segment.rs"]
mod segment;

use libtest_mimic::{Failed, Trial};
use stemseg_testing::devices::Devices;

pub(crate) fn trials(with: &Devices) -> Vec<Trial> {
    let here = |name: &str, main: fn() -> stemseg::Result<()>| {
        Trial::test(format!("examples::{name}"), move || main().map_err(Failed::from))
    };
    vec![
        here("segment", segment::main),
        here("layers", layers::main),
        here("fit_and_apply", fit_and_apply::main),
        here("many_images", many_images::main),
        with.gpu_trial("examples::devices", |_| devices::main().map_err(Failed::from)),
        Trial::test("examples::none_is_left_out", none_is_left_out),
    ]
}

/// A program that nobody runs would rot.
fn none_is_left_out() -> Result<(), Failed> {
    let here = include_str!("examples.rs");
    for entry in std::fs::read_dir(stemseg_testing::repository().join("examples"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !here.contains(&format!("examples/{name}\"")) {
            return Err(format!("examples/{name} is not run").into());
        }
    }
    Ok(())
}
