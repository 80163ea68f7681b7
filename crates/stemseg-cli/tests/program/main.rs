//! The program where it needs a graphics adapter, drivers, devices that fail, or data that not
//! everyone has: what cannot run here shows as ignored with the reason.
//!
//! - Without a graphics adapter the GPU trials fail, unless `STEMSEG_TESTS_GPU=off`.
//! - Without the folder of shared data (`STEMSEG_TESTS_DATA`, by default `../shared`) its trials
//!   are ignored, unless `STEMSEG_TESTS_DATA` names one or `CI` is set: then a missing file
//!   fails; `STEMSEG_TESTS_DATA=off` leaves them out.
//! - Devices that fail (`faults`) and a second driver (`drivers`) need packages that `test.sh`
//!   installs; their trials are ignored without, and fail where `CI` is set.

mod adapters;
mod drivers;
mod dynamics;
mod faults;
mod formats;
mod series;
mod warnings;

#[path = "../cli/job.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with tests/cli.rs, which uses all of it")]
mod job;

use libtest_mimic::Arguments;
use stemseg_testing::devices::Devices;

#[expect(clippy::print_stdout, reason = "a test harness reports on stdout")]
fn main() {
    let arguments = Arguments::from_args();
    let devices = Devices::find();
    if !arguments.list {
        println!("GPU trials: {}", devices.describe());
    }
    let mut trials = adapters::trials(&devices);
    trials.extend(drivers::trials());
    trials.extend(dynamics::trials());
    trials.extend(faults::trials());
    trials.extend(formats::trials());
    trials.extend(series::trials(&devices));
    trials.extend(warnings::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
