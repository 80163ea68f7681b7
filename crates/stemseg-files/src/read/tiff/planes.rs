//! Which pages make up an image: what a description says of channels and frames.

use std::collections::BTreeMap;

use crate::read::Entry;
use stemseg::image::calibration::Calibration;

/// One image, or one stack of frames, of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Planes {
    /// What the description calls it, or empty.
    pub(super) name: String,
    pub(super) frames: Frames,
    pub(super) calibration: Option<Calibration>,
    pub(super) frame_interval_s: Option<f64>,
    /// What a user should know of it.
    pub(super) notes: Vec<String>,
}

/// Where the frames of an image are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frames {
    /// The page of each.
    Pages(Vec<usize>),
    /// Behind the directory of the first page: every `step`th, from number `first` on.
    Behind { first: usize, step: usize, count: usize },
}

impl Default for Frames {
    fn default() -> Self {
        Self::Pages(Vec::new())
    }
}

impl Frames {
    /// The page on which a frame is, and the frame's number behind its directory.
    pub(super) fn place(&self, frame: usize) -> (usize, usize) {
        match self {
            Self::Pages(pages) => (pages[frame], 0),
            Self::Behind { first, step, .. } => (0, first + frame * step),
        }
    }

    /// How many they are.
    fn count(&self) -> usize {
        match self {
            Self::Pages(pages) => pages.len(),
            Self::Behind { count, .. } => *count,
        }
    }

    /// The first page.
    fn first(&self) -> usize {
        match self {
            Self::Pages(pages) => pages.first().copied().unwrap_or(0),
            Self::Behind { first, .. } => *first,
        }
    }
}

/// The images of a file with these pages, in its order, each with its entry: those that
/// are `described`, if the pages bear that out, and stacks of what is alike of the rest.
pub(super) fn images(pages: &[Entry], described: Vec<Planes>) -> Vec<(Planes, Entry)> {
    let alike = |a: &Entry, b: &Entry| {
        let single = a.is_image() && b.is_image() && a.name == b.name;
        single && a.shape == b.shape && a.dtype == b.dtype && a.colour == b.colour
    };
    let fits = |planes: &Planes| match &planes.frames {
        Frames::Pages(numbers) => {
            let entries: Option<Vec<&Entry>> =
                numbers.iter().map(|&page| pages.get(page)).collect();
            entries.is_some_and(|entries| {
                entries.first().is_some_and(|first| entries.iter().all(|page| alike(first, page)))
            })
        }
        Frames::Behind { .. } => pages.len() == 1,
    };
    let described = if described.iter().all(fits) { described } else { Vec::new() };
    let mut images: BTreeMap<usize, (Planes, Entry)> = BTreeMap::new();
    let mut taken = vec![false; pages.len()];
    for planes in described {
        match &planes.frames {
            Frames::Pages(numbers) => numbers.iter().for_each(|&page| taken[page] = true),
            Frames::Behind { .. } => taken[0] = true,
        }
        let entry = described_entry(pages, &planes);
        images.insert(planes.frames.first(), (planes, entry));
    }
    let rest: Vec<usize> = (0..pages.len()).filter(|&page| !taken[page]).collect();
    let follows = |&a: &usize, &b: &usize| b == a + 1 && alike(&pages[a], &pages[b]);
    for run in rest.chunk_by(follows) {
        let planes = Planes { frames: Frames::Pages(run.to_vec()), ..Planes::default() };
        images.insert(run[0], (planes, undescribed_entry(pages, run)));
    }
    images.into_values().collect()
}

/// The entry of an image that is described.
fn described_entry(pages: &[Entry], planes: &Planes) -> Entry {
    let page = match &planes.frames {
        Frames::Pages(numbers) => &pages[numbers[0]],
        Frames::Behind { .. } => &pages[0],
    };
    let count = planes.frames.count();
    let lengths = match planes.frames {
        Frames::Pages(_) => &page.shape[..],
        Frames::Behind { .. } => &page.shape[1..],
    };
    let stack = (count > 1).then_some(count);
    Entry {
        name: if planes.name.is_empty() { page.name.clone() } else { planes.name.clone() },
        shape: stack.into_iter().chain(lengths.iter().copied()).collect(),
        calibration: planes.calibration.or(page.calibration),
        frame_interval_s: stack.and(planes.frame_interval_s.or(page.frame_interval_s)),
        ..page.clone()
    }
}

/// The entry of pages that follow each other and are alike.
fn undescribed_entry(pages: &[Entry], run: &[usize]) -> Entry {
    let mut entry = pages[run[0]].clone();
    let place = match *run {
        [first, .., last] => {
            entry.shape.insert(0, run.len());
            format!("pages {first} to {last}")
        }
        _ => {
            entry.frame_interval_s = entry.frames().and(entry.frame_interval_s);
            format!("page {}", run[0])
        }
    };
    if run.len() < pages.len() {
        entry.name = format!("{} {place}", entry.name).trim_start().to_owned();
    }
    entry
}
