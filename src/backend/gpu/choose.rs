//! Which adapter computes: each is tried before it is taken.

use std::time::{Duration, Instant};

use wgpu::Adapter;

use super::adapter::{self, is_real};
use super::{Gpu, self_test};
use crate::backend::{Check, DeviceChoice};
use crate::remarks::{Code, Remarks, Warning};
use crate::wording::Text;
use crate::{Error, Result};

/// What came of trying an adapter.
pub struct Trial {
    /// What `--device auto` thinks of it.
    pub verdict: Verdict,
    /// How long the self-test took, compiling included.
    pub took: Duration,
}

/// Whether an adapter can be used.
pub enum Verdict {
    /// It passed the self-test.
    Passes,
    /// It was not tried, or failed: the reason.
    Fails(Error),
}

/// Tries `adapter`, all kernels of it.
pub fn try_out(adapter: &Adapter) -> Trial {
    let begun = Instant::now();
    let verdict = match open(adapter, Check::On, &[]) {
        Ok(_) => Verdict::Passes,
        Err(error) => Verdict::Fails(error),
    };
    Trial { verdict, took: begun.elapsed() }
}

/// Opens `adapter` if it has what kernels need and passes its self-test.
fn open(adapter: &Adapter, check: Check, families: &[&str]) -> Result<Gpu> {
    let gpu = Gpu::new(adapter)?;
    self_test::run(&gpu, families)?;
    match check {
        // The test looked; the run will not.
        Check::Off => Ok(gpu.trusted()),
        Check::On | Check::All => Ok(gpu),
    }
}

/// The GPU for `choice`, its kernels of `families` tried; nothing where the CPU is to compute. What was passed over, and
/// why, goes into the remarks.
///
/// # Errors
/// [`Error::NoDevice`] naming the adapters there are; for an adapter that was named, or
/// asked for with `gpu`, why it cannot be used.
pub(crate) fn choose(
    choice: &DeviceChoice,
    check: Check,
    families: &[&str],
) -> Result<(Option<Gpu>, Remarks)> {
    let mut remarks = Remarks::default();
    if *choice != DeviceChoice::Auto {
        let adapter = adapter::choose(choice)?;
        return Ok((Some(open(&adapter, check, families)?), remarks));
    }
    let all = adapter::adapters();
    let mut passed_over = false;
    for adapter in all.iter().filter(|adapter| is_real(&adapter.get_info())) {
        match open(adapter, check, families) {
            Ok(gpu) => return Ok((Some(gpu), remarks)),
            // Nothing is wrong with an adapter that is small.
            Err(error @ Error::Device { .. }) => {
                remarks.note(Text::from("passed over ").and(error.text()));
            }
            Err(error) => {
                let name = adapter.get_info().name;
                let text = format!("{name} failed its self-test and is not used: ");
                let text = Text::literal(text).and(error.text());
                remarks.warn(Warning::new(Code::DeviceFailed, text));
            }
        }
        passed_over = true;
    }
    remarks.note(match (passed_over, all.is_empty()) {
        (true, _) => "no GPU could be used, so the CPU computes".into(),
        (false, true) => "no graphics adapter was found, so the CPU computes".into(),
        (false, false) => {
            let names = adapter::names(&all);
            format!("no real GPU was found (only {names}), so the CPU computes")
        }
    });
    Ok((None, remarks))
}
