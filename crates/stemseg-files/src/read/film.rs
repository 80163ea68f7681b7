//! [`Film`]: the frames of a recording, each read when it is asked for.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::{Entry, ImageFile, Pixels, choice};
use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};

/// The frames of a recording: those of a stack, of several files in succession, or both. No more
/// than one frame is in memory, and no more than one file is open, at a time.
#[derive(Debug)]
pub struct Film {
    parts: Vec<Part>,
    /// The part whose file is open, with that.
    open: Option<(usize, ImageFile)>,
    shape: (usize, usize),
    entry: Entry,
    format: &'static str,
}

/// Frames that one file holds.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    path: PathBuf,
    /// The number of the image or stack in the file.
    image: usize,
    /// How many frames that has; nothing for a single image.
    stack: Option<usize>,
    /// The number of its first frame in the film.
    first: usize,
}

impl Part {
    fn frames(&self) -> usize {
        self.stack.unwrap_or(1)
    }
}

impl Film {
    /// Reads the headers of `files`, in this order; of files that hold several images number
    /// `image`, or the stack that [`ImageFile::choose_stack`] takes.
    ///
    /// # Errors
    /// As [`ImageFile::open`] and [`ImageFile::choose`]; [`Error::Unreadable`] where the files hold
    /// fewer than two frames, and for the first frame of another size than those before, named.
    pub fn open(files: &[PathBuf], image: Option<usize>) -> Result<Self> {
        let mut film: Option<Self> = None;
        for path in files {
            let file = ImageFile::open(path)?;
            let number = file.choose_stack(image)?;
            let entry = file.entries()[number].clone();
            let [rows, cols] = entry.sides().unwrap_or_default();
            let part = |first| {
                let stack = entry.frames();
                Part { path: path.clone(), image: number, stack, first }
            };
            match &mut film {
                None => {
                    let format = file.format();
                    let parts = vec![part(0)];
                    film = Some(Self { parts, shape: (rows, cols), entry, format, open: None });
                }
                Some(film) if film.shape == (rows, cols) => {
                    let part = part(film.frames());
                    film.parts.push(part);
                }
                Some(film) => return Err(other_size(path, (rows, cols), film)),
            }
        }
        let first = files.first().map_or(Path::new(""), PathBuf::as_path);
        match film {
            Some(film) if film.frames() >= 2 => Ok(film),
            Some(film) if film.frames() == 0 => {
                Err(Error::unreadable(first, "holds a stack without frames; give another file"))
            }
            _ => Err(Error::unreadable(
                first,
                "holds a single image, but a film has two frames or more; give a stack, or several \
                 files, or segment it as an image",
            )),
        }
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.parts.last().map_or(0, |part| part.first + part.frames())
    }

    /// Rows and columns of every frame, px.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The format of the first file.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// What the first file says of its image: element type, calibration, instrument.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Size of a pixel, where the first file gives one.
    pub fn pixel_size(&self) -> Option<PixelSize> {
        self.entry.pixel_size()
    }

    /// Time between frames, s, where the first file gives one.
    pub fn interval_s(&self) -> Option<f64> {
        self.entry.frame_interval_s.filter(|interval| *interval > 0.0 && interval.is_finite())
    }

    /// The files, in the order of their frames.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| &*part.path)
    }

    /// Bytes that reading a frame takes, with its pixels as f32 in addition.
    pub fn memory_of_frame(&self) -> u64 {
        let (_, one) = self.entry.bytes().unwrap_or((u64::MAX, u64::MAX));
        let pixels = (self.shape.0 as u64).saturating_mul(self.shape.1 as u64);
        one.saturating_mul(2).saturating_add(pixels.saturating_mul(4))
    }

    /// A frame in words: its number, and the file where there are several.
    pub fn name_of(&self, frame: usize) -> String {
        match &self.parts[..] {
            [_] => format!("frame {frame}"),
            _ => format!("frame {frame} ({})", self.part(frame).path.display()),
        }
    }

    /// Pixels of frame `frame`, from 0, in the file's own type.
    ///
    /// # Errors
    /// As [`ImageFile::load`]; [`Error::Unreadable`] where the frame has another size than its
    /// header said.
    ///
    /// # Panics
    /// For a frame that is not there.
    pub fn load(&mut self, frame: usize) -> Result<Pixels> {
        assert!(frame < self.frames(), "a frame of the film");
        let number = self.number(frame);
        let Part { path, image, first, .. } = self.parts[number].clone();
        let mut file = match self.open.take() {
            Some((open, file)) if open == number => file,
            _ => ImageFile::open(&path)?,
        };
        let (pixels, _) = file.load(image, frame - first)?;
        self.open = Some((number, file));
        match pixels.shape() == self.shape {
            true => Ok(pixels),
            false => Err(other_size(&path, pixels.shape(), self)),
        }
    }

    /// Number of the part that a frame is in.
    fn number(&self, frame: usize) -> usize {
        self.parts.partition_point(|part| part.first + part.frames() <= frame)
    }

    fn part(&self, frame: usize) -> &Part {
        &self.parts[self.number(frame)]
    }
}

fn other_size(path: &Path, (rows, cols): (usize, usize), film: &Film) -> Error {
    let (first_rows, first_cols) = film.shape;
    let first = film.parts[0].path.display();
    Error::unreadable(
        path,
        format!(
            "has frames of {rows} x {cols} px, but those before, from {first} on, have \
             {first_rows} x {first_cols} px; a film has frames of one size, so leave it out"
        ),
    )
}

impl ImageFile {
    /// The number of the stack that is read as a film: `image` where there is such an image; else
    /// of the stacks, if there are any, the one that [`choose`](Self::choose) would take.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn choose_stack(&self, image: Option<usize>) -> Result<usize> {
        let entries = self.entries();
        let is_film = |entry: &Entry| entry.frames().is_some_and(|frames| frames > 1);
        let stacks: Vec<usize> = (0..entries.len()).filter(|&i| is_film(&entries[i])).collect();
        if image.is_some() || stacks.is_empty() {
            return self.choose(image);
        }
        let of_stacks: Vec<Entry> = stacks.iter().map(|&index| entries[index].clone()).collect();
        Ok(stacks[choice::entry(&self.path, &of_stacks, None)?])
    }
}

/// The order of two names in which numbers count as numbers: `a2` before `a10`. Names that differ
/// in leading zeros alone are in the order of their characters.
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one, other);
    loop {
        match (a.chars().next(), b.chars().next()) {
            (None, None) => return one.cmp(other),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let ((first, rest_of_a), (second, rest_of_b)) = (number(a), number(b));
                let order = (first.len(), first).cmp(&(second.len(), second));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_of_a, rest_of_b);
            }
            (Some(x), Some(y)) => {
                if x != y {
                    return x.cmp(&y);
                }
                (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
            }
        }
    }
}

/// The digits that `text` begins with, without leading zeros, and what follows them.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.trim_start_matches('0'), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::{write_map_tiff, write_npy};
    use ndarray::{Array2, Array3};

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["b10", "b9", "a", "b9x", "b010", "b2.tif", "b", "c1", "é2", "é10"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["a", "b", "b2.tif", "b9", "b9x", "b010", "b10", "c1", "é2", "é10"]);
        let long = |last| format!("{}{last}", "9".repeat(60));
        assert_eq!(natural_order(&long(1), &long(2)), Ordering::Less);
    }

    fn value(frame: usize) -> f32 {
        frame as f32 + 0.5
    }

    #[test]
    fn frames_of_stacks_and_single_images_follow_each_other() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let stack = |first: usize, count: usize| {
            Array3::from_shape_fn((count, 5, 7), |(frame, _, _)| value(first + frame))
        };
        write_npy(&path("a.npy"), stack(0, 3).view()).unwrap();
        write_npy(&path("b.npy"), Array2::from_elem((5, 7), value(3)).view()).unwrap();
        write_map_tiff(&path("c.tif"), &Array2::from_elem((5, 7), value(4)).view(), None).unwrap();
        write_npy(&path("d.npy"), stack(5, 2).view()).unwrap();
        let files = ["a.npy", "b.npy", "c.tif", "d.npy"].map(path);
        let mut film = Film::open(&files, None).unwrap();
        assert_eq!((film.frames(), film.shape(), film.format()), (7, (5, 7), "npy"));
        // In any order.
        for frame in [0, 1, 6, 3, 4, 2, 5, 5] {
            let pixels = film.load(frame).unwrap().to_f64();
            assert!(pixels.iter().all(|&v| v == f64::from(value(frame))), "{frame}");
        }
        assert!(film.name_of(4).contains("frame 4") && film.name_of(4).contains("c.tif"));
        assert_eq!(Film::open(&files[..1], None).unwrap().name_of(2), "frame 2");
    }

    #[test]
    fn a_film_of_one_frame_and_one_of_two_sizes_are_refused_by_name() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        write_npy(&path("a.npy"), Array2::<f32>::zeros((5, 7)).view()).unwrap();
        write_npy(&path("b.npy"), Array2::<f32>::zeros((5, 8)).view()).unwrap();
        write_npy(&path("none.npy"), Array3::<f32>::zeros((0, 5, 7)).view()).unwrap();
        let refused = |names: &[&str]| {
            let files: Vec<PathBuf> = names.iter().map(|name| path(name)).collect();
            Film::open(&files, None).unwrap_err().to_string()
        };
        assert!(refused(&["a.npy"]).contains("a.npy: holds a single image"));
        assert!(refused(&["none.npy"]).contains("without frames"));
        let other = refused(&["a.npy", "a.npy", "b.npy"]);
        assert!(other.contains("b.npy: has frames of 5 x 8 px"), "{other}");
        assert!(other.contains("a.npy on, have 5 x 7 px"), "{other}");
        assert!(refused(&["a.npy", "missing.npy"]).contains("no such file"));
    }
}
