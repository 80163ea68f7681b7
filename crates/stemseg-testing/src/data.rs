//! Reference data: the repository's own under `tests/reference`, and the shared
//! folder that a checkout may have next to it. The one place that knows paths.

use std::path::{Path, PathBuf};

use crate::wrong::wrong;
use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, ArrayD};
use stemseg::image::micrograph::{Micrograph, NonFinite};

use crate::npy::Npy;

/// The repository's own references.
pub fn reference() -> PathBuf {
    crate::repository().join("tests/reference")
}

/// The shared folder.
pub fn shared() -> PathBuf {
    match std::env::var_os("STEMSEG_TESTS_DATA") {
        Some(place) => place.into(),
        None => crate::repository().join("../shared"),
    }
}

/// Whether trials on shared data run: where the folder is, or must be. Without it where
/// `STEMSEG_TESTS_DATA` is `off`, as in continuous integration that has no such folder.
pub fn has_shared() -> bool {
    match std::env::var_os("STEMSEG_TESTS_DATA") {
        Some(place) => place != "off",
        None => shared().is_dir() || std::env::var_os("CI").is_some(),
    }
}

/// Trials that need the shared folder, ignored with the reason where it is not.
pub fn needs_shared(name: &str, make: impl FnOnce() -> Vec<Trial>) -> Vec<Trial> {
    if has_shared() {
        return make();
    }
    vec![Trial::test(name, || Ok(())).with_ignored_flag(true).with_kind("no shared data here")]
}

/// An array of any real type as f64, C or Fortran order.
pub fn load(path: &Path) -> Result<ArrayD<f64>, Failed> {
    let fail = |e: &dyn std::fmt::Display| Failed::from(format!("{}: {e}", path.display()));
    let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
    Npy::parse(&bytes).and_then(|file| file.to_f64()).map_err(|e| fail(&e))
}

/// A 2-D array.
pub fn load2(path: &Path) -> Result<Array2<f64>, Failed> {
    load(path)?.into_dimensionality().map_err(|e| format!("{}: {e}", path.display()).into())
}

/// An image file as a micrograph.
pub fn micrograph(path: &Path) -> Result<Micrograph, Failed> {
    Ok(Micrograph::new(load2(path)?.view(), None, NonFinite::Fail)?)
}

/// Adjusted Rand index of two labellings (Hubert & Arabie 1985).
pub fn adjusted_rand_index<A: Copy + Into<u64>, B: Copy + Into<u64>>(a: &[A], b: &[B]) -> f64 {
    assert_eq!(a.len(), b.len(), "as many labels on both sides");
    let mut cells = std::collections::BTreeMap::<(u64, u64), f64>::new();
    let mut rows = std::collections::BTreeMap::<u64, f64>::new();
    let mut cols = std::collections::BTreeMap::<u64, f64>::new();
    for (&x, &y) in a.iter().zip(b) {
        *cells.entry((x.into(), y.into())).or_default() += 1.0;
        *rows.entry(x.into()).or_default() += 1.0;
        *cols.entry(y.into()).or_default() += 1.0;
    }
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let sum = |values: &mut dyn Iterator<Item = &f64>| values.map(|&n| pairs(n)).sum::<f64>();
    let (both, first, second) =
        (sum(&mut cells.values()), sum(&mut rows.values()), sum(&mut cols.values()));
    let expected = first * second / pairs(a.len() as f64);
    let most = (first + second) / 2.0;
    if most == expected { 1.0 } else { (both - expected) / (most - expected) }
}

/// The worst difference of two arrays of the same shape, and where it is.
pub fn compare(
    name: &str,
    got: &[f32],
    expected: &[f64],
    channels: usize,
    bound: f64,
) -> Result<(), Failed> {
    if got.len() != expected.len() {
        return Err(wrong(format_args!(
            "{name}: {} values instead of {}",
            got.len(),
            expected.len()
        )));
    }
    let difference = |i: usize| {
        let d = (f64::from(got[i]) - expected[i]).abs();
        if d.is_nan() { f64::INFINITY } else { d }
    };
    let worst = (0..got.len()).max_by(|&i, &j| difference(i).total_cmp(&difference(j)));
    match worst {
        Some(i) if difference(i) > bound => Err(wrong(format_args!(
            "{name}: site {}, channel {}: {} instead of {}, off by {:.2e}; {bound:.1e} is allowed",
            i / channels,
            i % channels,
            got[i],
            expected[i],
            difference(i)
        ))),
        _ => Ok(()),
    }
}
