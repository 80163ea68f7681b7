//! Tests that run once per backend and per reference case.
//!
//! The list is made at run time, so that what cannot run here shows as ignored
//! with the reason, and never counts as passed:
//! - without a graphics adapter the GPU trials fail, unless `STEMSEG_TESTS_GPU=off`;
//! - without the folder of shared data (`STEMSEG_TESTS_DATA`, by default
//!   `../shared`) its trials are ignored, unless `STEMSEG_TESTS_DATA` names one or
//!   `CI` is set: then a missing file fails; `STEMSEG_TESTS_DATA=off` leaves them out.

mod accuracy;
mod automatic;
mod borders;
mod cases;
mod contract;
mod crates;
mod crystals;
mod device_work;
mod examples;
mod families;
mod files;
mod gpu;
mod instruments;
mod lattices;
mod licences;
mod maps;
mod models;
mod no_data;
mod numbers;
mod precision;
mod properties;
mod recipe;
mod scenes;
mod steps;
mod symmetry;
mod verify;
mod words;

use libtest_mimic::Arguments;
use stemseg_testing::devices::{self, Devices};

#[expect(clippy::print_stdout, reason = "a test harness reports on stdout")]
fn main() {
    let arguments = Arguments::from_args();
    let devices = Devices::find();
    if !arguments.list {
        println!("GPU trials: {}", devices.describe());
    }
    let mut trials = cases::trials(&devices);
    trials.extend(accuracy::trials());
    trials.extend(contract::trials(&devices));
    trials.extend(families::trials(&devices));
    trials.extend(automatic::trials(&devices));
    trials.extend(numbers::trials(&devices));
    trials.extend(borders::trials(&devices));
    trials.extend(instruments::trials());
    trials.extend(files::trials());
    trials.extend(symmetry::trials(&devices));
    trials.extend(crates::trials());
    trials.extend(crystals::trials(&devices));
    trials.extend(device_work::trials(&devices));
    trials.extend(steps::trials(&devices));
    trials.extend(lattices::trials());
    trials.extend(licences::trials());
    trials.extend(examples::trials(&devices));
    trials.extend(maps::trials(&devices));
    trials.extend(models::trials(&devices));
    trials.extend(no_data::trials(&devices));
    trials.extend(gpu::trials(&devices));
    trials.extend(precision::trials(&devices));
    trials.extend(properties::trials(&devices));
    trials.extend(recipe::trials());
    trials.extend(scenes::trials(&devices));
    trials.extend(verify::trials(&devices));
    trials.extend(words::trials());
    // Whoever lists the trials, or runs one of them, does not wait for the others' devices.
    assert_eq!(devices::opened(), 0, "a device was opened before its trial runs");
    libtest_mimic::run(&arguments, trials).exit();
}
