//! Mutated files and models: none panics, takes more than a gibibyte or many seconds, or
//! is refused without a sentence that names it. See README.md in this folder.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use mutate::{Random, mutate};

/// Allocations beyond this fail, which aborts where the code does not expect it.
const MEMORY: usize = 1 << 30;

/// Longest input.
const LONGEST: usize = 1 << 20;

/// What one input may take, in a build without optimisation on a machine that does more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Seconds for all trials where `STEMSEG_FUZZ_SECONDS` does not say.
const SECONDS: f64 = 60.0;

#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

type Target = fn(&Path);

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time, so that memory and time are those of one input.
    arguments.test_threads = Some(1);
    ALLOCATOR.set_limit(MEMORY).expect("a gibibyte is more than there is at the start");
    // What is caught below is told by the trial.
    std::panic::set_hook(Box::new(|_| {}));
    let images: Vec<(String, Vec<u8>)> = stemseg_testing::files::all()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .chain(corpus("image"))
        .collect();
    let models = corpus("model");
    let seed = number("STEMSEG_FUZZ_SEED", 0.0) as u64;
    let each = number("STEMSEG_FUZZ_SECONDS", SECONDS) / (images.len() + models.len()) as f64;
    let trials = |kind: &'static str, seeds: Vec<(String, Vec<u8>)>, target: Target| {
        let all: Vec<Vec<u8>> = seeds.iter().map(|(_, bytes)| bytes.clone()).collect();
        let trial = move |(name, bytes): (String, Vec<u8>)| {
            let others = all.clone();
            Trial::test(format!("{kind}::{name}"), move || {
                Fuzz { kind, name, seed, target }.run(
                    &bytes,
                    &others,
                    Duration::from_secs_f64(each),
                )
            })
        };
        seeds.into_iter().map(trial).collect::<Vec<_>>()
    };
    let mut all = trials("image", images, targets::image);
    all.extend(trials("model", models, targets::model));
    libtest_mimic::run(&arguments, all).exit();
}

fn number(variable: &str, otherwise: f64) -> f64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => otherwise,
    }
}

/// Name and content of the seeds in a folder of the corpus.
fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(kind);
    let mut seeds: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

/// A seed that is changed over and over.
struct Fuzz {
    kind: &'static str,
    name: String,
    seed: u64,
    target: Target,
}

impl Fuzz {
    fn run(&self, seed: &[u8], others: &[Vec<u8>], time: Duration) -> Result<(), Failed> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(&self.name);
        let mut random = Random::new(self.seed);
        let start = Instant::now();
        let mut count = 0_u64;
        // The seed itself, then what is made of it.
        let mut bytes = seed.to_vec();
        loop {
            self.one(&path, &bytes).map_err(|why| format!("input {count}: {why}"))?;
            count += 1;
            if start.elapsed() >= time {
                return Ok(());
            }
            // Changes add up for a while.
            if count % 8 == 1 {
                bytes = seed.to_vec();
            }
            let other = &others[random.below(others.len())];
            mutate(&mut bytes, other, LONGEST, &mut random);
        }
    }

    /// Tries one input; what fails is kept.
    fn one(&self, path: &Path, bytes: &[u8]) -> Result<(), String> {
        // It is there before it is tried: an abort leaves no time for it.
        let kept = kept(self.kind, &self.name);
        std::fs::write(&kept, bytes).map_err(|e| format!("{}: {e}", kept.display()))?;
        std::fs::write(path, bytes).map_err(|e| e.to_string())?;
        let (done, wait) = mpsc::channel::<()>();
        let outcome = std::thread::scope(|scope| {
            let kept = kept.clone();
            scope.spawn(move || {
                if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    eprintln!("takes more than {PATIENCE:?}: {}", kept.display());
                    std::process::abort();
                }
            });
            let outcome = catch_unwind(AssertUnwindSafe(|| (self.target)(path)));
            drop(done);
            outcome
        });
        match outcome {
            Ok(()) => {
                let _ = std::fs::remove_file(&kept);
                Ok(())
            }
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or(panic.downcast_ref::<&str>().map(|said| said.to_string()));
                let failed = kept.with_extension(format!("{}.failed", self.seed));
                let _ = std::fs::rename(&kept, &failed);
                Err(format!("{} ({})", said.unwrap_or_default(), failed.display()))
            }
        }
    }
}

/// Where the input that is being tried lies, and stays if it ends the process.
fn kept(kind: &str, name: &str) -> PathBuf {
    let folder = match std::env::var_os("STEMSEG_FUZZ_CRASHES") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz"),
    };
    let _ = std::fs::create_dir_all(&folder);
    folder.join(format!("{kind}-{name}-{}", std::process::id()))
}
