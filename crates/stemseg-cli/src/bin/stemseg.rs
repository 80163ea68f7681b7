//! The program `stemseg`; see the library of this crate.

use std::process::ExitCode;

use stemseg_cli::Careful;

#[global_allocator]
static ALLOCATOR: Careful = Careful;

fn main() -> ExitCode {
    ExitCode::from(stemseg_cli::run(std::env::args_os()))
}
