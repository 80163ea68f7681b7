//! The `stemseg` command; see `stemseg --help`.

mod cli;

fn main() -> std::process::ExitCode {
    quiet_drivers();
    cli::main()
}

/// Mesa's Vulkan drivers print an error where this variable is not set (over
/// ssh, in containers), though nothing is drawn on a screen.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the environment is changed before any other thread exists")]
fn quiet_drivers() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first statement of `main`; no thread reads the
        // environment meanwhile.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) }
    }
}

#[cfg(not(target_os = "linux"))]
fn quiet_drivers() {}
