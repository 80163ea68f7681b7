//! The `stemseg` command; see `stemseg --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
