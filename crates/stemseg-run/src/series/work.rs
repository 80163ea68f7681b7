//! [`Work`]: the folder in which a film is labelled, `NAME.unfinished` next to the result.
//!
//! It is no secret: whoever stops a film finds what is finished there. `labels.npy` has its full
//! size from the beginning, with 0 in frames to come, so that any program reads it at any time;
//! `frames.jsonl` has a line for each frame that is done, written after the frame.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stemseg::{Error, Result};
use stemseg_files::write::{FrameFile, NpyValue};

use super::source::Status;

/// What a film was asked for, to be compared with what goes on with it.
const ASKED: &str = "asked.json";
/// The model that labels its frames.
pub(crate) const MODEL: &str = "model.json";
/// The frames that it was fitted to.
pub(crate) const FITTED: &str = "fitted.json";
/// What is known of each frame that is done.
const FRAMES: &str = "frames.jsonl";
/// The labels.
pub(crate) const LABELS: &str = "labels.npy";
/// What is written with `save = confidence` and `save = soft`.
pub(crate) const CONFIDENCE: &str = "confidence.npy";
pub(crate) const MEMBERSHIPS: &str = "memberships.npy";
pub(crate) const DOMAINS: &str = "domains.csv";
pub(crate) const KINETICS: &str = "kinetics.csv";

/// All that a film in the making may hold.
const NAMES: [&str; 9] =
    [ASKED, MODEL, FITTED, FRAMES, LABELS, CONFIDENCE, MEMBERSHIPS, DOMAINS, KINETICS];

/// A frame that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) frame: usize,
    pub(crate) status: Status,
    /// Rows and columns, px.
    pub(crate) drift: [f64; 2],
    /// How well it agrees with the frames before; nothing where none was looked for.
    pub(crate) agreement: Option<f64>,
    /// Mean confidence of its labels; nothing where it has none.
    pub(crate) confidence: Option<f64>,
    /// See [`SiteMemberships::strangeness`](stemseg::pipeline::frames::SiteMemberships).
    pub(crate) strangeness: Option<f64>,
    /// How far centroids that follow have moved, standard deviations of the features, and what
    /// they are after this frame: to the bit, as whole numbers, for whoever goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) moved: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) centroids: Option<Vec<u64>>,
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Work {
    folder: PathBuf,
    /// The frames that are done, from the first on.
    pub(crate) done: Vec<Line>,
    frames: Option<File>,
}

impl Work {
    /// Where the film that will be in `target` is made.
    pub(crate) fn place(target: &Path) -> PathBuf {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".unfinished");
        target.with_file_name(name)
    }

    /// Begins the film in `folder`, or with `resume` goes on with the one there that was `asked` for
    /// the same; `force` starts one over.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a film there that is another, or is not to be touched;
    /// [`Error::Io`].
    pub(crate) fn open(folder: PathBuf, asked: &Value, resume: bool, force: bool) -> Result<Self> {
        if folder.exists() {
            let there = fs::read(folder.join(ASKED)).ok();
            let there = there.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            match there {
                Some(there) if resume && there == *asked => return Self::resumed(folder),
                Some(there) if resume && !force => {
                    let differs = difference(&there, asked);
                    return Err(in_the_way(&folder, &format!("is another ({differs}); give")));
                }
                Some(_) if !force => {
                    let words = "was begun; give `resume = true` to go on with it,";
                    return Err(in_the_way(&folder, words));
                }
                None if fs::read_dir(&folder).is_ok_and(|mut any| any.next().is_some()) => {
                    let reason = "is in the way and not a film of stemseg's; move it";
                    return Err(Error::unreadable(&folder, reason));
                }
                _ => {}
            }
            remove(&folder)?;
        }
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        write_json(&folder.join(ASKED), asked)?;
        Ok(Self { folder, done: Vec::new(), frames: None })
    }

    fn resumed(folder: PathBuf) -> Result<Self> {
        let mut done = Vec::new();
        if let Ok(file) = File::open(folder.join(FRAMES)) {
            for line in BufReader::new(file).lines() {
                let line = line.ok().and_then(|line| serde_json::from_str::<Line>(&line).ok());
                match line.filter(|line| line.frame == done.len()) {
                    Some(line) => done.push(line),
                    // It was stopped in the middle of a line.
                    None => break,
                }
            }
        }
        Ok(Self { folder, done, frames: None })
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it holds a file of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// The array `name` of the frames' `shape`, to be filled frame by frame.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn array<T: NpyValue>(&self, name: &str, shape: &[usize]) -> Result<FrameFile<T>> {
        FrameFile::open(&self.path(name), shape)
    }

    /// Says that a frame is done.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn note(&mut self, line: Line) -> Result<()> {
        let path = self.path(FRAMES);
        let fail = Error::io(&path);
        let write = |this: &mut Self| {
            let file = match &mut this.frames {
                Some(file) => file,
                none => {
                    // Without what was left of a line.
                    let whole: Vec<String> = this
                        .done
                        .iter()
                        .map(|line| serde_json::to_string(line).unwrap_or_default() + "\n")
                        .collect();
                    fs::write(&path, whole.concat())?;
                    none.insert(OpenOptions::new().append(true).open(&path)?)
                }
            };
            let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
            file.write_all(text.as_bytes())
        };
        write(self).map_err(fail)?;
        self.done.push(line);
        Ok(())
    }

    /// Deletes it, once all is in the result.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn remove(self) -> Result<()> {
        drop(self.frames);
        remove(&self.folder)
    }
}

/// Deletes the files of a film in the making, and its folder if nothing else is in it.
fn remove(folder: &Path) -> Result<()> {
    for name in NAMES {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(folder.join(name))(error));
            }
            _ => {}
        }
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn in_the_way(folder: &Path, words: &str) -> Error {
    let reason = format!(
        "the unfinished film there {words} `force = true` to start over, or another `out` folder"
    );
    Error::parameter("out", folder.display(), reason)
}

/// The first thing in which two requests differ.
fn difference(there: &Value, here: &Value) -> String {
    let empty = serde_json::Map::new();
    let (a, b) = (there.as_object().unwrap_or(&empty), here.as_object().unwrap_or(&empty));
    let differs = b.iter().find(|(key, value)| a.get(*key) != Some(value));
    let value = |of: &serde_json::Map<String, Value>, key: &str| {
        of.get(key).map_or("not given".to_owned(), Value::to_string)
    };
    match differs {
        Some((key, _)) => format!("{key} was {}, and is {} now", value(a, key), value(b, key)),
        None => "it was made by another version".into(),
    }
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("all keys are strings");
    fs::write(path, text + "\n").map_err(Error::io(path))
}
