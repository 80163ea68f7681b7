//! What is told to the system before anything else.

/// Mesa's Vulkan drivers print an error where this variable is not set (over
/// ssh, in containers), though nothing is drawn on a screen.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the environment is changed before any other thread exists")]
pub(crate) fn quiet_drivers() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first statement of `main`; no thread reads the
        // environment meanwhile.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn quiet_drivers() {}

/// A file that would grow beyond the limit (`ulimit -f`) is an error where it is written, and
/// no signal that ends the process with everything half done.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library has no signals")]
pub(crate) fn errors_for_signals() {
    // SAFETY: the signal is ignored; no handler runs.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(not(unix))]
pub(crate) fn errors_for_signals() {}
