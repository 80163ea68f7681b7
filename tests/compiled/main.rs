//! What a real compiler makes of the shaders, without a GPU: Mesa's driver for AMD compiles
//! them for hardware that is not there, and says how many registers and instructions they
//! take. `tests/reference/compiled.csv` has what they took when that was last looked at;
//! `STEMSEG_UPDATE=1` writes it anew.
//!
//! The SPIR-V is what wgpu hands over, but the pipelines are not made through it: it asks for
//! more than that driver's null hardware has.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and their parts explain themselves"
)]

mod compiler;
mod table;

use std::process::Command;

use libtest_mimic::{Arguments, Trial};
use stemseg::backend::gpu::Shaders;
use stemseg_testing::needs;

use compiler::{Compiler, Statistics};
use table::Table;

/// The hardware that is compiled for, RDNA 2: a variable of the environment that the driver
/// reads when it is loaded.
const FAMILY: (&str, &str) = ("RADV_FORCE_FAMILY", "navi21");

/// A kernel as it is compiled: its name, and constants other than by default.
type Variant = (&'static str, &'static [(&'static str, f64)]);

/// What is compiled in addition to each kernel with the constants by default.
const VARIANTS: [Variant; 3] = [
    ("centred_cells", &[("MASKED", 1.0)]),
    ("harmonic", &[("PHASES", 5.0)]),
    ("power_spectrum", &[("MEMORY", 496.0)]),
];

fn main() {
    if std::env::var_os(FAMILY.0).is_none() {
        let again = std::env::current_exe().unwrap();
        let arguments = std::env::args_os().skip(1);
        let status = Command::new(again).args(arguments).env(FAMILY.0, FAMILY.1).status();
        std::process::exit(status.unwrap().code().unwrap_or(1));
    }
    let compiler = match needs::turned_off(&["STEMSEG_TESTS_GPU"]) {
        Some(off) => Err(off),
        None => Compiler::new(FAMILY.1),
    };
    let missing = compiler.as_ref().err().cloned();
    let compiled = compiler.map(|compiler| (compiler.driver().to_owned(), all(&compiler)));
    let table = Table::read();
    let trials = match compiled {
        Ok((driver, found)) if std::env::var_os("STEMSEG_UPDATE").is_some() => {
            Table::write(&driver, &found);
            Vec::new()
        }
        Ok((driver, found)) => trials(&table, &driver, found),
        Err(_) => vec![needs::trial("kernels".into(), missing.as_deref(), || {})],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Name of a kernel with constants other than by default.
fn name((kernel, constants): &Variant) -> String {
    let constants = constants.iter().map(|(name, value)| format!(" {name}={value}"));
    std::iter::once((*kernel).to_owned()).chain(constants).collect()
}

/// The statistics of all kernels and variants.
fn all(compiler: &Compiler) -> Vec<(String, Statistics)> {
    let shaders = Shaders::default();
    let plain = shaders.names().map(|kernel| (kernel, &[][..]));
    let variants: Vec<Variant> = plain.chain(VARIANTS).collect();
    let compile = |variant: &Variant| {
        let (kernel, constants) = *variant;
        (name(variant), compiler.statistics(kernel, constants, &shaders[kernel]))
    };
    variants.iter().map(compile).collect()
}

fn trials(table: &Table, driver: &str, found: Vec<(String, Statistics)>) -> Vec<Trial> {
    let names = found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let listed = table.names();
    let all = Trial::test("the_table_lists_every_kernel", move || match names == listed {
        true => Ok(()),
        false => Err(format!("the table lists {listed:?}, there are {names:?}").into()),
    });
    let trial = |(name, found): (String, Statistics)| {
        let expected = table.get(&name).copied();
        let same = table.driver() == driver;
        Trial::test(name, move || {
            let expected = expected.ok_or("the table does not list it")?;
            let wrong = found.worse_than(&expected, same);
            if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
        })
    };
    let mut trials = vec![all];
    trials.extend(found.into_iter().map(trial));
    trials
}
