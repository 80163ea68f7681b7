//! Calls of the program, and what every refusal has in common.

use std::ffi::{OsStr, OsString};
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use predicates::Predicate;
use predicates::str::contains;

use stemseg_testing::place::Place;

/// An argument and its value.
pub(crate) type Change<'a> = (&'a str, &'a str);

/// Stands for "this argument has no value".
pub(crate) const FLAG: &str = "\u{1}flag";
/// Stands for "leave this argument out".
pub(crate) const GONE: &str = "\u{1}gone";

/// Variables that hide all adapters, on every platform.
const NO_ADAPTERS: [(&str, &str); 3] = [
    ("WGPU_BACKEND", "vulkan"),
    ("VK_DRIVER_FILES", "/dev/null"),
    ("VK_ICD_FILENAMES", "/dev/null"),
];

/// The program, in `place`.
pub(crate) fn stemseg(place: &Place) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("stemseg"));
    command.current_dir(place.path("")).timeout(Duration::from_secs(120));
    // Mesa complains on stderr where the variable is missing.
    command.env("XDG_RUNTIME_DIR", place.path("")).env("RUST_BACKTRACE", "1");
    command.env("STEMSEG_PIPELINE_CACHE", "off");
    command
}

/// `stemseg segment` on the scene.
#[derive(Clone)]
pub(crate) struct Job {
    images: Vec<OsString>,
    arguments: Vec<(String, OsString)>,
    hide_adapters: bool,
}

impl Job {
    /// Of translations, with sizes that suit the scene.
    pub(crate) fn new() -> Self {
        let usual =
            [("--preset", "pystem"), ("--patch", "6"), ("--window", "6"), ("--stride", "4")];
        Self::automatic().with(&usual)
    }

    /// Of what the program chooses.
    pub(crate) fn automatic() -> Self {
        let usual = [("-k", "2"), ("--device", "cpu")];
        Self { images: vec!["image.npy".into()], arguments: vec![], hide_adapters: false }
            .with(&usual)
    }

    pub(crate) fn image(self, name: impl AsRef<OsStr>) -> Self {
        self.images(&[name])
    }

    pub(crate) fn images(mut self, names: &[impl AsRef<OsStr>]) -> Self {
        self.images = names.iter().map(|name| name.as_ref().to_owned()).collect();
        self
    }

    /// Sets or replaces one argument; see [`FLAG`] and [`GONE`].
    pub(crate) fn set(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.arguments.retain(|(there, _)| there != name);
        if value.as_ref() != GONE {
            self.arguments.push((name.to_owned(), value.as_ref().to_owned()));
        }
        self
    }

    pub(crate) fn with(self, changes: &[Change<'_>]) -> Self {
        changes.iter().fold(self, |job, (name, value)| job.set(name, value))
    }

    pub(crate) fn force(self) -> Self {
        self.set("--force", FLAG)
    }

    pub(crate) fn without_adapters(mut self) -> Self {
        self.hide_adapters = true;
        self
    }

    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut all = vec!["segment".into()];
        all.extend(self.images.iter().cloned());
        for (name, value) in &self.arguments {
            all.push(name.into());
            all.extend((value != FLAG).then(|| value.clone()));
        }
        all
    }

    pub(crate) fn run(&self, place: &Place) -> Output {
        let mut command = stemseg(place);
        if self.hide_adapters {
            command.envs(NO_ADAPTERS);
        }
        command.args(self.arguments()).output().unwrap()
    }

    /// Runs it, and fails with what it said unless it did what it was asked.
    #[track_caller]
    pub(crate) fn succeed(&self, place: &Place) -> Output {
        let output = self.run(place);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{:?}: {said}", self.arguments());
        assert!(!said.contains("panicked"), "{:?}: {said}", self.arguments());
        output
    }

    /// Runs it, and checks that it is refused in one sentence that holds all
    /// `words`, with exit code 2 and nothing written.
    #[track_caller]
    pub(crate) fn refused(&self, place: &Place, name: &str, words: &[&str]) -> String {
        self.fails(place, name, 2, words)
    }

    /// The same with another exit code.
    #[track_caller]
    pub(crate) fn fails(&self, place: &Place, name: &str, code: i32, words: &[&str]) -> String {
        let before = place.snapshot();
        let output = self.run(place);
        let said = check_failure(name, &output, code, words);
        let after = place.snapshot();
        let changed: Vec<_> = after.keys().filter(|p| before.get(*p) != after.get(*p)).collect();
        assert!(changed.is_empty(), "{name}: it wrote {changed:?}");
        assert_eq!(before.len(), after.len(), "{name}: it deleted something");
        said
    }
}

/// Checks code, words and form of a failure; gives its one sentence.
#[track_caller]
pub(crate) fn check_failure(name: &str, output: &Output, code: i32, words: &[&str]) -> String {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{name}: {said}");
    assert_eq!(text(&output.stdout), "", "{name}: something on stdout");
    let sentence = said.lines().next().unwrap_or_default().to_owned();
    match sentence.starts_with("error: ") {
        // clap's own, which goes on with hints.
        true => assert!(said.contains("For more information, try '--help'"), "{name}: {said}"),
        false => {
            assert!(sentence.starts_with("stemseg: "), "{name}: {said}");
            assert_eq!(said.trim_end(), sentence, "{name}: more than one line");
        }
    }
    let parts: Vec<&str> = sentence.split(": ").collect();
    assert!(parts.windows(2).all(|p| p[0] != p[1]), "{name}: it says it twice: {said}");
    assert!(!sentence.contains(". "), "{name}: more than one sentence: {said}");
    assert!(sentence.len() < 1000, "{name}: {} bytes long", sentence.len());
    for word in words {
        assert!(contains(*word).eval(&said), "{name}: '{word}' is not in: {said}");
    }
    sentence
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
