//! Failures that say a value is wrong, told from those of what went wrong on the way.
//!
//! A check that a changed kernel must fail has to fail for the value that the kernel gives: a
//! shader that does not compile, or a device that is gone, shows nothing.

use libtest_mimic::Failed;

const PREFIX: &str = "wrong value: ";

/// The failure of a check that found a wrong value.
pub fn wrong(what: impl std::fmt::Display) -> Failed {
    format!("{PREFIX}{what}").into()
}

/// Whether `outcome` says that a value is wrong.
///
/// # Errors
/// Where the check passed, or failed for another reason.
pub fn shows_wrong_value(outcome: Result<(), Failed>) -> Result<(), Failed> {
    match outcome {
        Ok(()) => Err("no value is wrong".into()),
        Err(failed) => match failed.message() {
            Some(message) if message.starts_with(PREFIX) => Ok(()),
            other => {
                Err(format!("no value is wrong, but: {}", other.unwrap_or("no message")).into())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wrong_values_show() {
        assert!(shows_wrong_value(Err(wrong("1 instead of 2"))).is_ok());
        for other in [Ok(()), Err("device: lost".into()), Err(Failed::without_message())] {
            assert!(shows_wrong_value(other).is_err());
        }
    }
}
