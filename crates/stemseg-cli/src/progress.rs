//! Progress on a terminal, and Ctrl-C.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stemseg::remarks::{Remarks, Warning};
use stemseg::wording::Text;
use stemseg::{Error, Progress, Result};
use stemseg_report::visible::visible;

use super::args::TalkArgs;
use super::spelling;

/// Set by Ctrl-C (and SIGTERM).
static STOP: AtomicBool = AtomicBool::new(false);

/// A bar on stderr where that is a terminal, else nothing.
pub(super) struct Bar {
    bar: ProgressBar,
    quiet: bool,
    verbose: bool,
    /// Set where it counts images, not the steps of one.
    images: OnceLock<u64>,
}

impl Bar {
    /// Starts listening for Ctrl-C.
    pub(super) fn new(talk: &TalkArgs) -> Self {
        // Fails only if a handler is set already, which listens as well.
        let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
        let target = match talk.quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, quiet: talk.quiet, verbose: talk.verbose, images: OnceLock::new() }
    }

    /// From now on counts images.
    pub(super) fn count(&self, images: u64) {
        self.images.get_or_init(|| images);
        self.bar.set_message("images");
        self.bar.set_length(images);
        self.bar.set_position(0);
    }

    /// Whether it counts images.
    pub(super) fn counts(&self) -> bool {
        self.images.get().is_some()
    }

    /// Counts an image.
    pub(super) fn image_done(&self) {
        if self.images.get().is_some() {
            self.bar.inc(1);
        }
    }

    /// Says something that the user should know, on stderr.
    pub(super) fn note(&self, note: &str) {
        if !self.quiet {
            self.say(&format!("note: {note}"));
        }
    }

    /// Says what is wrong with the result, or may be, on stderr.
    fn warning(&self, text: &str) {
        if !self.quiet {
            self.say(&format!("warning: {text}"));
        }
    }

    /// Says all remarks, warnings last: nearest to the result.
    pub(super) fn remarks(&self, remarks: &Remarks) {
        self.about(None).remarks(remarks);
    }

    /// The same bar, which names `file`, where it is one of several, in what it says.
    pub(super) fn about<'a>(&'a self, file: Option<&'a Path>) -> About<'a> {
        About { bar: self, file: file.filter(|_| self.counts()) }
    }

    /// Says what was decided, on stderr, where `--verbose` asks for it.
    pub(super) fn detail(&self, detail: &str) {
        if self.verbose {
            self.say(detail);
        }
    }

    /// One line on stderr, whatever is in it.
    fn say(&self, line: &str) {
        self.bar.suspend(|| {
            // Where stderr is gone there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{}", visible(line));
        });
    }

    /// Names what went wrong with one of several images.
    pub(super) fn warn(&self, error: &str) {
        self.say(&format!("stemseg: {error}"));
    }

    /// Takes the bar off the terminal while `print` prints.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the bar off the terminal.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Says things about one image.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    bar: &'a Bar,
    file: Option<&'a Path>,
}

impl About<'_> {
    /// As [`Bar::note`].
    pub(super) fn note(self, note: &Text) {
        self.bar.note(&self.named(&spelling::words(note)));
    }

    /// As [`Bar::remarks`].
    fn remarks(self, remarks: &Remarks) {
        remarks.notes.iter().for_each(|note| self.note(note));
        remarks.warnings.iter().for_each(|warning| self.warning(warning));
    }

    /// As [`Bar::warning`].
    pub(super) fn warning(self, warning: &Warning) {
        self.bar.warning(&self.named(&spelling::words(&warning.text)));
    }

    fn named<'t>(self, text: &'t str) -> Cow<'t, str> {
        match self.file {
            Some(file) => format!("{}: {text}", file.display()).into(),
            None => text.into(),
        }
    }
}

impl Progress for Bar {
    fn stage(&self, name: &str) {
        if self.images.get().is_some() {
            return;
        }
        self.bar.set_message(name.to_owned());
        self.bar.set_position(0);
        self.bar.tick();
    }

    fn step(&self, done: u64, total: u64) -> Result<()> {
        if self.images.get().is_none() {
            self.bar.set_length(total);
            self.bar.set_position(done);
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        match STOP.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}
