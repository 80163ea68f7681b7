//! Changes to bytes that know nothing of what they mean.

/// Numbers that are the same on every run (Knuth's linear congruential generator).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `limit`; 0 where there is none.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % limit.max(1)
    }

    /// A part of `length` bytes: mostly short, and mostly where headers are.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let within = if self.below(2) == 0 { length.min(2048) } else { length };
        let start = self.below(within);
        let longest = [4, 16, 256, length][self.below(4)].min(length - start);
        start..start + self.below(longest + 1)
    }
}

/// Numbers at which sizes and signs turn.
const TURNS: [u64; 18] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    u64::MAX,
];

/// Changes `bytes` one to eight times, with parts of `other`; never beyond `longest`.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], longest: usize, random: &mut Random) {
    for _ in 0..1 + random.below(8) {
        once(bytes, other, random);
        bytes.truncate(longest);
    }
}

fn once(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let length = bytes.len();
    match random.below(9) {
        _ if length == 0 => bytes.extend(other),
        0 => {
            let place = random.part(length).start;
            bytes[place] ^= 1 << random.below(8);
        }
        1 => {
            let place = random.part(length).start;
            bytes[place] = random.below(256) as u8;
        }
        2 | 3 => number(bytes, random),
        4 => {
            let digits = bytes.iter().position(u8::is_ascii_digit);
            let from = random.part(length).start;
            let place = bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at);
            if let Some(place) = place.or(digits) {
                let end = bytes[place..].iter().position(|byte| !byte.is_ascii_digit());
                let end = end.map_or(length, |end| place + end);
                let sign = ["", "-", "1e", "0."][random.below(4)];
                let value = format!("{sign}{}", TURNS[random.below(TURNS.len())]);
                bytes.splice(place..end, value.into_bytes());
            }
        }
        5 => bytes.truncate(random.below(length)),
        6 => {
            let part = random.part(length);
            bytes.drain(part);
        }
        7 => {
            // A part once more, somewhere else, or over and over.
            let part = bytes[random.part(length)].to_vec();
            let place = random.below(length);
            let times = [1, 1, 2, 100][random.below(4)];
            bytes.splice(place..place, part.repeat(times));
        }
        _ => {
            let part = other.get(random.part(other.len().max(1))).unwrap_or_default().to_vec();
            let place = random.part(length);
            bytes.splice(place, part);
        }
    }
}

/// A number in either byte order.
fn number(bytes: &mut [u8], random: &mut Random) {
    let value = TURNS[random.below(TURNS.len())];
    let width = [1, 2, 4, 8][random.below(4)];
    let mut value = value.to_le_bytes()[..width].to_vec();
    if random.below(2) == 0 {
        value.reverse();
    }
    let place = random.part(bytes.len()).start;
    for (byte, new) in bytes[place..].iter_mut().zip(value) {
        *byte = new;
    }
}
