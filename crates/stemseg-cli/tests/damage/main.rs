//! Damaged files: cut off anywhere, or with bytes that flipped. Each gives an error
//! that names the file, or an image, within a gibibyte of memory; none panics.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use stemseg_files::read::ImageFile;

/// Allocations beyond this fail, which aborts where the code does not expect it.
const MEMORY: usize = 1 << 30;

#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time, so that the memory is that of one file.
    arguments.test_threads = Some(1);
    ALLOCATOR.set_limit(MEMORY).expect("a gibibyte is more than there is at the start");
    // What is caught below is told by the trial.
    std::panic::set_hook(Box::new(|_| {}));
    let mut trials: Vec<Trial> = stemseg_testing::files::all()
        .into_iter()
        .map(|(name, bytes)| {
            Trial::test(format!("generated::{name}"), move || {
                let folder = tempfile::tempdir()?;
                let path = folder.path().join(name);
                std::fs::write(&path, &bytes)?;
                let mut file = ImageFile::open(&path).map_err(|e| format!("whole: {e}"))?;
                file.load(0, 0).map_err(|e| format!("whole: {e}"))?;
                drop(file);
                // Small enough for nearly every length.
                let cuts = (0..bytes.len()).step_by(bytes.len().div_ceil(400));
                damage(&path, &bytes, cuts, 400)
            })
        })
        .collect();
    trials.extend(stemseg_testing::data::needs_shared("shared::all", shared));
    libtest_mimic::run(&arguments, trials).exit();
}

/// A trial for each file of instruments and programs.
fn shared() -> Vec<Trial> {
    let root = stemseg_testing::data::shared().join("data/formats");
    let mut found = Vec::new();
    match files_below(&root, &mut found) {
        Ok(()) if !found.is_empty() => {}
        Ok(()) => return vec![Trial::test("shared::all", || Err("no files".into()))],
        Err(error) => {
            return vec![Trial::test("shared::all", move || Err(error.to_string().into()))];
        }
    }
    found.sort();
    let trial = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        Trial::test(format!("shared::{name}"), move || damage_shared(&path))
    };
    found.into_iter().map(trial).collect()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => files_below(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}

fn damage_shared(path: &Path) -> Result<(), Failed> {
    let bytes = std::fs::read(path)?;
    let folder = tempfile::tempdir()?;
    // An .emi file needs the .ser files next to it.
    for entry in std::fs::read_dir(path.parent().unwrap())? {
        let other = entry?.path();
        if other.extension().is_some_and(|e| e == "ser") && bytes.starts_with(b"JK") {
            std::fs::copy(&other, folder.path().join(other.file_name().unwrap()))?;
        }
    }
    let place = folder.path().join(path.file_name().unwrap());
    let steps = 12;
    let early = [1, 30, 100, 600, 1000, 1100, 2100, 5000];
    let spread = (1..steps).map(|step| bytes.len() * step / steps);
    let cuts: Vec<usize> =
        early.into_iter().chain(spread).filter(|&cut| cut < bytes.len()).collect();
    // Larger files take longer, and their headers are no longer.
    let flips = (40_000_000 / bytes.len().max(1)).clamp(10, 60);
    damage(&place, &bytes, cuts.into_iter(), flips)
}

/// Reads the file cut to each length, and with some of its bytes changed.
fn damage(
    path: &Path,
    bytes: &[u8],
    cuts: impl Iterator<Item = usize>,
    flips: usize,
) -> Result<(), Failed> {
    for cut in cuts {
        std::fs::write(path, &bytes[..cut])?;
        survives(path, &format!("cut to {cut} of {} bytes", bytes.len()))?;
    }
    let mut random = Random(bytes.len() as u64);
    for _ in 0..flips {
        let mut changed = bytes.to_vec();
        let mut said = String::new();
        for _ in 0..1 + random.below(4) {
            // Half of them where headers are.
            let within = if random.below(2) == 0 { bytes.len().min(4096) } else { bytes.len() };
            let place = random.below(within);
            let value = [0, 0xff, 0x7f, 0x80, random.below(256) as u8][random.below(5)];
            changed[place] = value;
            said += &format!("byte {place} = {value}, ");
        }
        std::fs::write(path, &changed)?;
        survives(path, &said)?;
    }
    Ok(())
}

/// Reads what can be read: first and last frame of each image.
fn survives(path: &Path, what: &str) -> Result<(), Failed> {
    let read = || -> Result<(), stemseg::Error> {
        let mut file = ImageFile::open(path)?;
        let images = file.entries().len().min(20);
        for image in 0..images {
            let frames = file.entries()[image].frames().unwrap_or(1);
            for frame in [0, frames.saturating_sub(1)] {
                file.load(image, frame)?;
            }
        }
        Ok(())
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or(panic.downcast_ref::<&str>().map(|said| said.to_string()));
            Err(format!("{what}: it panics: {}", said.unwrap_or_default()).into())
        }
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let said = error.to_string();
            let named = said.contains(&path.display().to_string());
            let sentence = !said.contains('\n') && !said.contains(". ") && said.len() < 1000;
            match named && sentence {
                true => Ok(()),
                false => {
                    Err(format!("{what}: not one sentence that names the file: {said}").into())
                }
            }
        }
    }
}

/// Numbers that are the same on every run (Knuth's linear congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}
