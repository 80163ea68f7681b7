//! Files that hold another one, compressed as a whole.

use std::io::Read;

use super::FORMATS;

/// What such files start with, how people call it, and what unpacks it.
const PACKERS: [(&[u8], &str, &str); 7] = [
    (b"\x1f\x8b\x08", "gzip", "gunzip"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
    (b"Rar!\x1a\x07", "rar", "unrar x"),
];

/// What is said of a file that starts with `head`, if it is compressed as a whole.
pub(super) fn refusal(head: &[u8]) -> Option<String> {
    let (mark, name, tool) = PACKERS.iter().find(|(mark, ..)| head.starts_with(mark))?;
    let content = match *mark == PACKERS[0].0 {
        true => inside_gzip(head),
        false => None,
    };
    let content = content.map(|format| format!(" (holds {format})")).unwrap_or_default();
    Some(format!("is compressed with {name}{content}; unpack it first ({tool} FILE)"))
}

/// What lies behind gzip, from the first bytes of the file alone.
fn inside_gzip(head: &[u8]) -> Option<&'static str> {
    let mut inside = Vec::new();
    // The head ends in the middle of the stream: what came before it is enough.
    let _ = flate2::read::GzDecoder::new(head).take(super::HEAD).read_to_end(&mut inside);
    FORMATS.iter().find(|format| format.recognises(&inside)).map(|format| format.name())
}
