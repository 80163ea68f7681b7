//! Files, folders and patterns become images, each with a place for its result.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use stemseg::{Error, Result};
use stemseg_files::read;
use walkdir::{DirEntry, WalkDir};

use crate::result::earlier::Earlier;

/// An image to segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The file or folder that it is in.
    pub file: PathBuf,
    /// The folder for its result.
    pub target: PathBuf,
}

/// All images of a run.
#[derive(Debug)]
pub struct Images {
    /// The images.
    pub images: Vec<Image>,
    /// Whether there are, or might have been, several: results go into folders of
    /// their own, and a bad image does not stop the run.
    pub batch: bool,
    /// What was left out, in words.
    pub notes: Vec<String>,
}

/// How images are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Files, folders and patterns.
    pub given: &'a [PathBuf],
    /// Whether to look into folders within folders.
    pub recursive: bool,
    /// The folder for the results.
    pub out: Option<&'a Path>,
    /// Files that the run reads as well: no images, wherever they lie.
    pub besides: &'a [&'a Path],
}

/// An image, and what there is of its path below what was given.
struct Found {
    file: PathBuf,
    below: PathBuf,
}

impl Images {
    /// Finds all images, in the order of the arguments, within a folder by name.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for a folder or pattern without an image,
    /// [`Error::Parameter`] for images whose results would have one name.
    pub fn find(search: &Search<'_>) -> Result<Self> {
        let mut finder = Finder::new(search);
        search.given.iter().try_for_each(|given| finder.take(given))?;
        let Finder { found, others, batch, .. } = finder;
        if let (true, [first, ..]) = (found.is_empty(), search.given) {
            let reason = "neither this nor what was given after it holds an image";
            return Err(Error::unreadable(first, reason));
        }
        let batch = batch || found.len() > 1;
        let notes = (!others.is_empty()).then(|| left_out(&others)).into_iter().collect();
        let images = places(found, search.out, batch)?;
        Ok(Self { images, batch, notes })
    }
}

/// The names of files that are not images, the first of them.
fn left_out(others: &[PathBuf]) -> String {
    const MOST: usize = 5;
    let names: Vec<_> = others.iter().take(MOST).map(|p| p.display().to_string()).collect();
    let more = match others.len() {
        count if count > MOST => format!(" and {} more", count - MOST),
        _ => String::new(),
    };
    let names = names.join(", ");
    format!("left out files in formats that are not read: {names}{more}")
}

struct Finder<'a> {
    search: &'a Search<'a>,
    found: Vec<Found>,
    /// Files that are not images.
    others: Vec<PathBuf>,
    /// What was found, without links.
    seen: HashSet<PathBuf>,
    /// What the run reads besides, without links.
    besides: HashSet<PathBuf>,
    batch: bool,
}

impl<'a> Finder<'a> {
    fn new(search: &'a Search<'a>) -> Self {
        let besides = search.besides.iter().map(|path| real(path)).collect();
        let (found, others, seen) = (Vec::new(), Vec::new(), HashSet::new());
        Self { search, found, others, seen, besides, batch: false }
    }

    fn take(&mut self, given: &Path) -> Result<()> {
        let pattern = given.to_str().filter(|text| text.contains(['*', '?', '[']));
        match (given.metadata(), pattern) {
            (Err(_), Some(pattern)) => self.pattern(pattern),
            (Ok(found), _) if found.is_dir() && !is_image(given) => {
                let name = self.name_of(given);
                self.folder(given, &name)
            }
            // What is not there is said when it is read.
            _ => {
                let name = given.file_name().unwrap_or(given.as_os_str()).to_owned();
                self.add(given, Path::new(&name));
                Ok(())
            }
        }
    }

    /// With several arguments, what comes from a folder keeps its name.
    fn name_of(&self, folder: &Path) -> PathBuf {
        match self.search.given.len() {
            1 => PathBuf::new(),
            _ => real(folder).file_name().map(PathBuf::from).unwrap_or_default(),
        }
    }

    /// Takes an image that the user named.
    fn add(&mut self, file: &Path, below: &Path) {
        if self.seen.insert(real(file)) {
            self.found.push(Found { file: file.to_path_buf(), below: below.to_path_buf() });
        }
    }

    /// Takes an image that was come across, unless it is the mask.
    fn push(&mut self, file: &Path, below: &Path) {
        if !self.besides.contains(&real(file)) {
            self.add(file, below);
        }
    }

    /// The images in `folder`; their results go below `name`.
    fn folder(&mut self, folder: &Path, name: &Path) -> Result<()> {
        self.batch = true;
        let before = (self.found.len(), self.others.len());
        if Earlier::load(folder).is_none() {
            self.walk(folder, name);
        }
        // Of several arguments, some may hold nothing, such as earlier results.
        if self.found.len() > before.0 || self.search.given.len() > 1 {
            return Ok(());
        }
        let others = match self.others.len() - before.1 {
            0 => String::new(),
            1 => ", but 1 other file".to_owned(),
            count => format!(", but {count} other files"),
        };
        let deeper = match self.search.recursive {
            true => "",
            false => "; `recursive = true` looks into the folders within it too",
        };
        let reason = format!("this folder holds no image that stemseg reads{others}{deeper}");
        Err(Error::unreadable(folder, reason))
    }

    fn walk(&mut self, folder: &Path, name: &Path) {
        let out = self.search.out.map(real);
        let deepest = if self.search.recursive { usize::MAX } else { 1 };
        let mut entries = WalkDir::new(folder)
            .min_depth(1)
            .max_depth(deepest)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // A link in a circle leads to nothing new; what cannot be looked
                // at fails when it is read, by its name.
                Err(error) => {
                    if let (None, Some(path)) = (error.loop_ancestor(), error.path()) {
                        self.push(path, &name.join(below(folder, path)));
                    }
                    continue;
                }
            };
            let is_folder = entry.file_type().is_dir();
            let path = entry.path();
            if is_hidden(&entry) || (is_folder && is_of_stemseg(path, out.as_deref())) {
                if is_folder {
                    entries.skip_current_dir();
                }
                continue;
            }
            match (is_folder, read::recognised(path)) {
                (_, Ok(true)) => {
                    self.push(path, &name.join(below(folder, path)));
                    if is_folder {
                        entries.skip_current_dir();
                    }
                }
                (true, _) => {}
                (false, Ok(false)) if self.besides.contains(&real(path)) => {}
                (false, Ok(false)) => self.others.push(path.to_path_buf()),
                (false, Err(_)) => self.push(path, &name.join(below(folder, path))),
            }
        }
    }

    /// What matches `pattern`, as if a shell had put it in its place.
    fn pattern(&mut self, pattern: &str) -> Result<()> {
        self.batch = true;
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let wrong = |reason: &dyn std::fmt::Display| Error::parameter("images", pattern, reason);
        let matches = glob::glob_with(pattern, options).map_err(|e| wrong(&e))?;
        let fixed = fixed_part(Path::new(pattern));
        let name = self.name_of(if fixed == Path::new("") { Path::new(".") } else { &fixed });
        let mut count = 0;
        for path in matches {
            count += 1;
            match path {
                Ok(path) if path.is_dir() && !is_image(&path) => {
                    let below = name.join(below(&fixed, &path));
                    if Earlier::load(&path).is_none() {
                        self.walk(&path, &below);
                    }
                }
                Ok(path) => self.push(&path, &name.join(below(&fixed, &path))),
                Err(error) => self.push(error.path(), &name.join(below(&fixed, error.path()))),
            }
        }
        match count {
            0 => Err(Error::unreadable(
                pattern,
                "there is no such file; check the pattern and the folder",
            )),
            _ => Ok(()),
        }
    }
}

/// Whether a folder is itself an image.
fn is_image(folder: &Path) -> bool {
    read::recognised(folder).unwrap_or(false)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Whether a folder holds a result, or is the one for all results.
fn is_of_stemseg(folder: &Path, out: Option<&Path>) -> bool {
    Earlier::load(folder).is_some() || out.is_some_and(|out| real(folder) == out)
}

/// The part of `path` below `folder`.
fn below(folder: &Path, path: &Path) -> PathBuf {
    let below = path.strip_prefix(folder).unwrap_or(path);
    // Of absolute paths and those with `..`, the name alone.
    match below.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        true => below.to_path_buf(),
        false => path.file_name().map(PathBuf::from).unwrap_or_default(),
    }
}

/// The folders at the start of a pattern that are not patterns.
fn fixed_part(pattern: &Path) -> PathBuf {
    let folders = pattern.parent().unwrap_or(Path::new(""));
    let fixed = |part: &std::path::Component<'_>| {
        !part.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
    };
    folders.components().take_while(fixed).collect()
}

/// The path without links, where there is something.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The place for the result of each image.
fn places(found: Vec<Found>, out: Option<&Path>, batch: bool) -> Result<Vec<Image>> {
    let root = |found: &Found| match out {
        Some(out) if batch => out.join(&found.below),
        Some(out) => out.to_path_buf(),
        None => found.file.clone(),
    };
    let short = |found: &Found| match out {
        Some(out) if !batch => out.to_path_buf(),
        _ => root(found).with_extension("stemseg"),
    };
    let mut users = HashMap::<PathBuf, usize>::new();
    found.iter().for_each(|found| *users.entry(short(found)).or_default() += 1);
    // `a.tif` and `a.npy` in one folder: a.tif.stemseg and a.npy.stemseg.
    let target = |found: &Found| match users[&short(found)] {
        1 => short(found),
        _ => with_ending(root(found), OsStr::new(".stemseg")),
    };
    let mut taken = HashMap::<PathBuf, PathBuf>::new();
    let mut images = Vec::with_capacity(found.len());
    for found in found {
        let target = target(&found);
        if let Some(other) = taken.insert(target.clone(), found.file.clone()) {
            let reason = format!(
                "{} and {} would both have it as their result; give the folder that holds both, \
                 with `recursive = true`, or segment them one by one",
                other.display(),
                found.file.display()
            );
            return Err(Error::parameter("out", target.display(), reason));
        }
        images.push(Image { file: found.file, target });
    }
    Ok(images)
}

fn with_ending(path: PathBuf, ending: &OsStr) -> PathBuf {
    let mut path = path.into_os_string();
    path.push(ending);
    path.into()
}
