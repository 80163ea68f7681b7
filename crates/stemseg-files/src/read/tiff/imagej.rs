//! ImageJ's description of a file: channels, and what they are called.

use tiff::decoder::Decoder;
use tiff::tags::{ByteOrder, Tag, Type, ValueBuffer};

use super::planes::{Frames, Planes};
use super::source::Source;

/// Lengths of the parts of ImageJ's own data, and these.
const PARTS: [u16; 2] = [50838, 50839];

/// More channels than any detector has: such a file holds frames.
const MOST_CHANNELS: usize = 256;

/// The value of `key` in a description, which has one `key=value` a line.
pub(super) fn value<'a>(description: &'a str, key: &str) -> Option<&'a str> {
    if !description.starts_with("ImageJ=") {
        return None;
    }
    description.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// A count in it.
fn count(description: &str, key: &str) -> Option<usize> {
    value(description, key)?.trim().parse().ok()
}

/// How many frames of all channels the file is said to hold.
pub(super) fn frames(description: &str) -> Option<usize> {
    count(description, "images")
}

/// An image for each channel, the first of whose frames come before the second ones;
/// `behind` says how many frames lie behind the first page.
pub(super) fn planes(
    decoder: &mut Decoder<Source>,
    description: &str,
    pages: usize,
    behind: Option<usize>,
) -> Vec<Planes> {
    let total = behind.unwrap_or(pages);
    let channels = count(description, "channels").unwrap_or(1).clamp(1, total.max(1));
    // ImageJ itself shows no more than 7 in their colours.
    let channels = if channels > MOST_CHANNELS { 1 } else { channels };
    let said = frames(description).unwrap_or(total);
    let notes: Vec<String> = (said > total)
        .then(|| {
            format!(
                "ImageJ's description announces {said} images, but the file holds {total}: \
                 the others were cut off, or never saved with it"
            )
        })
        .into_iter()
        .collect();
    if channels == 1 && notes.is_empty() && behind.is_none() {
        return Vec::new();
    }
    let names = names(decoder, channels);
    let planes = |channel: usize| Planes {
        name: names.get(channel).cloned().unwrap_or_default(),
        frames: match behind {
            Some(count) => Frames::Behind {
                first: channel,
                step: channels,
                count: (count - channel).div_ceil(channels),
            },
            None => Frames::Pages((channel..pages).step_by(channels).collect()),
        },
        notes: notes.clone(),
        ..Planes::default()
    };
    (0..channels).map(planes).collect()
}

/// What the channels are called: by the labels of their first frames, where these
/// differ, or by number.
fn names(decoder: &mut Decoder<Source>, channels: usize) -> Vec<String> {
    if channels == 1 {
        return Vec::new();
    }
    let labels = labels(decoder, channels).unwrap_or_default();
    let differ = labels.iter().collect::<std::collections::BTreeSet<_>>().len() == channels;
    match differ && labels.iter().all(|label| !label.is_empty()) {
        true => labels,
        false => (0..channels).map(|channel| format!("channel {channel}")).collect(),
    }
}

/// The labels of the first `wanted` frames, in ImageJ's own data of the current page.
fn labels(decoder: &mut Decoder<Source>, wanted: usize) -> Option<Vec<String>> {
    let big_endian = decoder.byte_order() == ByteOrder::BigEndian;
    let lengths: Vec<usize> =
        decoder.find_tag_unsigned_vec(Tag::from_u16_exhaustive(PARTS[0])).ok()??;
    let mut data = ValueBuffer::empty(Type::BYTE);
    let tag = Tag::from_u16_exhaustive(PARTS[1]);
    decoder.image_ifd().find_tag_buf(tag, &mut data).ok()??;
    let data = data.as_bytes();
    let word = |place: usize| {
        let bytes = <[u8; 4]>::try_from(data.get(place..place + 4)?).ok()?;
        Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let (&header, lengths) = lengths.split_first()?;
    let is = |place, mark: &[u8; 4]| word(place) == Some(u32::from_be_bytes(*mark));
    if !is(0, b"IJIJ") {
        return None;
    }
    // The parts follow each other; the header says how many there are of each kind.
    let (mut part, mut place) = (0_usize, header);
    for kind in (4..header).step_by(8) {
        let count = word(kind + 4)? as usize;
        let lengths = lengths.get(part..part.checked_add(count)?)?;
        if !is(kind, b"labl") {
            place = lengths.iter().try_fold(place, |place, length| place.checked_add(*length))?;
            part += count;
            continue;
        }
        return lengths
            .iter()
            .take(wanted)
            .map(|&length| {
                let text = data.get(place..place.checked_add(length)?)?;
                place += length;
                Some(utf16(text, big_endian))
            })
            .collect();
    }
    None
}

/// The first line of a text in UTF-16.
fn utf16(bytes: &[u8], big_endian: bool) -> String {
    let unit = |pair: &[u8]| match big_endian {
        true => u16::from_be_bytes([pair[0], pair[1]]),
        false => u16::from_le_bytes([pair[0], pair[1]]),
    };
    let units: Vec<u16> = bytes.chunks_exact(2).map(unit).collect();
    let text = String::from_utf16_lossy(&units);
    text.lines().next().unwrap_or_default().trim().to_owned()
}
