//! Trials that need something that a machine may not have.

use libtest_mimic::{Failed, Trial};

/// `test` where nothing is `missing`. Else it shows as ignored with the reason; where `CI`
/// is set it fails, unless a variable of the environment turned it off.
pub fn trial(
    name: String,
    missing: Option<&str>,
    test: impl Fn() + Send + Sync + 'static,
) -> Trial {
    match missing {
        None => Trial::test(name, move || {
            // A failed assertion is a failed trial.
            test();
            Ok(())
        }),
        Some(why) if std::env::var_os("CI").is_some() && !why.ends_with("=off") => {
            let why = why.to_owned();
            Trial::test(name, move || Err(Failed::from(why)))
        }
        Some(why) => Trial::test(name, || Ok(())).with_ignored_flag(true).with_kind(why),
    }
}

/// Which of `variables` is `off`, as a reason.
pub fn turned_off(variables: &[&str]) -> Option<String> {
    let off = |name: &&&str| std::env::var(**name).is_ok_and(|value| value == "off");
    variables.iter().find(off).map(|name| format!("{name}=off"))
}
