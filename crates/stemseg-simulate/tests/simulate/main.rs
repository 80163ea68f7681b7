//! Simulated micrographs: their symmetries, labels, noise and bytes, and the
//! command that makes them.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod bytes;
mod labels;
mod symmetry;

use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, Simulated, simulate};

fn scene(words: &[&str]) -> Scene {
    let groups: Vec<String> = words[1..].iter().map(|&word| word.to_owned()).collect();
    Scene::new(words[0], &groups, None).unwrap()
}

fn run(words: &[&str], settings: &Settings) -> Simulated {
    simulate(&scene(words), settings, &stemseg::Silent).unwrap()
}

/// Nothing but the columns.
fn ideal(size: usize) -> Settings {
    Settings {
        size: Extent::square(size),
        dose: None,
        jitter: 0.0,
        background: 0.0,
        gradient: 0.0,
        ..Default::default()
    }
}
