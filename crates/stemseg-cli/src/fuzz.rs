//! Option strings and lists as a careless or hostile user would give them: what is made
//! of them by chance never panics. The counterpart for files is `tests/fuzz`, whose
//! README says how to run both for an hour.

#[path = "../tests/fuzz/mutate.rs"]
mod mutate;

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Parser;
use ndarray::Array2;
use stemseg::image::micrograph::{Micrograph, NonFinite, PixelSize};

use stemseg_run::length::Length;
use stemseg_run::{Settings, region, translations};

use super::descriptor::DescriptorArgs;
use super::{Cli, parse};
use mutate::{Random, mutate};

/// A sixtieth of what all fuzzing may take, for each kind of input.
const SHARE: f64 = 1.0 / 60.0;

/// The descriptor's options by themselves.
#[derive(Parser)]
struct Descriptor {
    #[command(flatten)]
    args: DescriptorArgs,
}

fn number(variable: &str, otherwise: f64) -> f64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => otherwise,
    }
}

/// Gives what is made of the seeds in a folder of the corpus to `target`, which panics
/// where something is wrong.
fn fuzz(kind: &str, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(kind);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let seed = number("STEMSEG_FUZZ_SEED", 0.0) as u64;
    let time = Duration::from_secs_f64(number("STEMSEG_FUZZ_SECONDS", 60.0) * SHARE);
    let mut random = Random::new(seed);
    let start = Instant::now();
    seeds.iter().for_each(|bytes| target(bytes));
    while start.elapsed() < time {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let other = &seeds[random.below(seeds.len())];
        mutate(&mut bytes, other, 1 << 14, &mut random);
        let tried = std::panic::AssertUnwindSafe(|| target(&bytes));
        if std::panic::catch_unwind(tried).is_err() {
            panic!("STEMSEG_FUZZ_SEED={seed}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// A word of the command line on each line.
fn words(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

#[test]
fn option_strings_never_panic() {
    let micrograph = Micrograph::new(
        Array2::from_shape_fn((48, 48), |(row, col)| (row % 6 * (col % 8)) as f32).view(),
        None,
        NonFinite::Fail,
    )
    .unwrap();
    let size = Some(PixelSize { rows: 0.01, cols: 0.02 });
    fuzz("options", |bytes| {
        let words = words(bytes);
        let name = || std::iter::once("stemseg".to_owned());
        let _ = Cli::try_parse_from(name().chain(words.iter().cloned()));
        let Ok(Descriptor { args }) = Descriptor::try_parse_from(name().chain(words.clone()))
        else {
            return;
        };
        let Ok(descriptor) = args.settings() else { return };
        let mut settings = Settings::default();
        (settings.clusters, settings.descriptor) = (vec![2], descriptor);
        for size in [size, None] {
            if settings.check().is_ok() {
                let _ = settings.choose(&micrograph.clone().with_pixel_size(size));
            }
        }
    });
    fuzz("options", |bytes| {
        for word in words(bytes) {
            let _ = Length::parse(&word);
            let _ = parse::memory(&word);
            let _ = parse::clusters(&word);
            if let Ok([rows, cols]) = region(&word) {
                let _ = rows.of("rows", 100);
                let _ = cols.of("columns", 0);
            }
        }
    });
}

#[test]
fn lists_of_translations_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    fuzz("translations", |bytes| {
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = translations(&path) {
            let said = error.to_string();
            assert!(said.contains(&path.display().to_string()), "names no file: {said}");
        }
    });
}
