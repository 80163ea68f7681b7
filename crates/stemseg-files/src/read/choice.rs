//! Which image of a file is read.

use std::cmp::Reverse;
use std::path::Path;

use super::{Entry, Frame, pixels};
use stemseg::image::calibration::Unit;
use stemseg::{Error, Result};

/// Words in the names of images that only show where the others were taken.
const SURVEYS: [&str; 4] = ["survey", "overview", "thumbnail", "preview"];

/// Words in the names of images that say of each pixel what it belongs to.
const LABELS: [&str; 6] = ["label", "labels", "mask", "masks", "segmentation", "annotation"];

/// Image number `image`, or the one to take where the user names none.
pub(super) fn entry(path: &Path, entries: &[Entry], image: Option<usize>) -> Result<usize> {
    match image {
        Some(number) => numbered(path, entries, number),
        None => best(path, entries),
    }
}

/// The image with most on its side: numbers before other elements; no survey image
/// before one; no labels or mask before an image; no single line before one; in real
/// space before diffraction patterns and Fourier transforms; images before maps of
/// elements; grey before colour, since some microscopes put a colour thumbnail before
/// the data; real before complex; a single image before a stack; HAADF before other
/// detectors; the largest; the first of those that are left.
fn best(path: &Path, entries: &[Entry]) -> Result<usize> {
    let against = |entry: &Entry| {
        let name = entry.name.to_lowercase();
        let [rows, cols] = entry.sides().unwrap_or_default();
        let marks = [
            !pixels::is_number(&entry.dtype),
            SURVEYS.iter().any(|word| name.contains(word)),
            entry.dtype == "bool" || names_labels(&name),
            rows.min(cols) < 2,
            entry.calibration.is_some_and(|c| c.unit != Unit::Nanometre),
            entry.map,
            entry.colour,
            entry.dtype.starts_with("complex"),
            entry.frames().is_some(),
            !name.contains("haadf"),
        ];
        (marks, Reverse(rows.saturating_mul(cols)))
    };
    let readable = entries.iter().enumerate().filter(|(_, entry)| entry.is_readable());
    if let Some((index, _)) = readable.min_by_key(|(_, entry)| against(entry)) {
        return Ok(index);
    }
    Err(match entries.first() {
        Some(entry) => not_read(path, entry),
        None => Error::unreadable(path, "holds no image; give another file"),
    })
}

/// Whether a name, in lower case, is one of labels or of a mask: as a word of it, so
/// that `masked_image` is none.
fn names_labels(name: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric()).any(|word| LABELS.contains(&word))
}

fn numbered(path: &Path, entries: &[Entry], number: usize) -> Result<usize> {
    match entries.get(number) {
        Some(entry) if entry.is_readable() => Ok(number),
        Some(entry) => Err(not_read(path, entry)),
        None => {
            let advice = match entries.len() {
                0 => "no image; give another file".to_owned(),
                1 if entries[0].frames().is_some() => {
                    "one stack, number 0; `frame = N` chooses its frame".to_owned()
                }
                1 => "one image, number 0".to_owned(),
                count => format!("{count} images; give a number from 0 to {}", count - 1),
            };
            Err(Error::parameter("image", number, format!("{} holds {advice}", path.display())))
        }
    }
}

/// What a user should know of a choice that was not theirs.
pub(super) fn note(entries: &[Entry], taken: usize) -> Option<String> {
    let readable = entries.iter().filter(|entry| entry.is_readable()).count();
    let name = match &*entries[taken].name {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    (readable > 1).then(|| {
        format!(
            "the file holds {} images, of which number {taken}{name} was taken; \
             `image = N` chooses (0 to {})",
            entries.len(),
            entries.len() - 1
        )
    })
}

/// The frame of `entry` that is read: the first where the user names none, which
/// is said in a note.
pub(super) fn frame(
    path: &Path,
    entry: &Entry,
    frame: Option<Frame>,
) -> Result<(Frame, Option<String>)> {
    let count = entry.frames().unwrap_or(1);
    let refuse = |number: usize, advice: String| {
        Err(Error::parameter("frame", number, format!("{} holds {advice}", path.display())))
    };
    match frame {
        None if entry.frames().is_some() && count == 0 => {
            Err(Error::unreadable(path, "holds a stack without frames; give another file"))
        }
        None if count > 1 => {
            let last = count - 1;
            let note = format!(
                "it is a stack of {count} frames, of which frame 0 was taken; \
                 `frame = N` chooses (0 to {last}), `frame = mean` averages them"
            );
            Ok((Frame::Number(0), Some(note)))
        }
        None => Ok((Frame::Number(0), None)),
        Some(Frame::Number(number)) if number >= count => match (entry.frames(), count) {
            (None, _) => refuse(number, "a single image; leave out `frame`".into()),
            (_, 0) => refuse(number, "a stack without frames; give another file".into()),
            (_, 1) => refuse(number, "a stack of one frame, number 0".into()),
            _ => refuse(number, format!("{count} frames; give a number from 0 to {}", count - 1)),
        },
        Some(frame) => Ok((frame, None)),
    }
}

fn not_read(path: &Path, entry: &Entry) -> Error {
    let name = if entry.name.is_empty() { String::new() } else { format!("{:?} ", entry.name) };
    let reason = match &entry.refused {
        Some(reason) => format!("{name}{reason}"),
        None => format!(
            "{name}has shape {:?}; a micrograph has two dimensions, so save a single image [rows, cols]",
            entry.shape
        ),
    };
    Error::unreadable(path, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, shape: [usize; 2], dtype: &str) -> Entry {
        Entry { name: name.into(), shape: shape.to_vec(), dtype: dtype.into(), ..Entry::default() }
    }

    fn taken(entries: &[(&str, [usize; 2], &str)]) -> usize {
        let entries: Vec<Entry> =
            entries.iter().map(|(name, shape, dtype)| entry(name, *shape, dtype)).collect();
        best(Path::new("a"), &entries).unwrap()
    }

    #[test]
    fn of_images_without_a_mark_the_largest_is_taken() {
        let sizes = [("", [64, 64], "uint8"), ("", [256, 256], "uint8"), ("", [256, 255], "uint8")];
        assert_eq!(taken(&sizes), 1);
        // A mark in the name comes before the size, a line before nothing.
        assert_eq!(taken(&[("HAADF", [64, 64], "uint8"), ("BF", [256, 256], "uint8")]), 0);
        assert_eq!(taken(&[("", [1, 100_000], "uint8"), ("", [64, 64], "uint8")]), 1);
        assert_eq!(taken(&[("", [64, 64], "uint8"), ("", [64, 64], "uint8")]), 0);
    }

    #[test]
    fn labels_and_masks_come_last() {
        for name in ["labels", "Label image", "mask", "HAADF_mask", "masks.0", "segmentation"] {
            let images = [(name, [512, 512], "uint8"), ("image", [64, 64], "uint8")];
            assert_eq!(taken(&images), 1, "{name}");
        }
        for name in ["masked_image", "unlabelled"] {
            let images = [(name, [512, 512], "uint8"), ("image", [64, 64], "uint8")];
            assert_eq!(taken(&images), 0, "{name}");
        }
        assert_eq!(taken(&[("valid", [512, 512], "bool"), ("x", [64, 64], "uint8")]), 1);
        assert_eq!(taken(&[("mask", [512, 512], "uint8")]), 0);
    }
}
