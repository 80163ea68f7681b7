//! Types of elements as numpy writes them: `<u2`, `|b1`, `>c16`.

/// What an array consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// As numpy spells it: `uint16`; what is not a number as it stands in the header, `<U5`.
    pub(super) dtype: String,
    /// Bytes of a number, 0 for what is none.
    pub(super) size: u64,
    /// Whether the first byte of a number is the largest.
    pub(super) big_endian: bool,
}

impl Element {
    /// From the text of a header; `None` where it is none of numpy.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (order, rest) = text.split_at_checked(1)?;
        let (kind, size) = rest.split_at_checked(1)?;
        let (name, sizes): (_, &[u64]) = match kind {
            "b" => ("bool", &[1]),
            "i" => ("int", &[1, 2, 4, 8]),
            "u" => ("uint", &[1, 2, 4, 8]),
            "f" => ("float", &[2, 4, 8, 16]),
            "c" => ("complex", &[8, 16, 32]),
            // Times, texts, objects and bytes.
            "m" | "M" | "S" | "a" | "U" | "O" | "V" if ["<", ">", "|"].contains(&order) => {
                return Some(Self { dtype: text.to_owned(), size: 0, big_endian: false });
            }
            _ => return None,
        };
        let size: u64 = size.parse().ok().filter(|size| sizes.contains(size))?;
        let big_endian = match order {
            "<" => false,
            ">" => true,
            "|" if size == 1 => false,
            _ => return None,
        };
        let dtype = if name == "bool" { name.to_owned() } else { format!("{name}{}", 8 * size) };
        Some(Self { dtype, size, big_endian })
    }

    /// Turns values as the file has them into those of this machine.
    pub(super) fn to_native<T: bytemuck::Pod>(&self, values: &mut [T]) {
        if self.big_endian != cfg!(target_endian = "big") && self.size > 1 {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
            bytes.chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_order_are_told_from_other_elements() {
        let number = |text: &str| Element::parse(text).map(|e| (e.dtype, e.size, e.big_endian));
        for (text, dtype, size, big_endian) in [
            ("|b1", "bool", 1, false),
            ("|u1", "uint8", 1, false),
            (">i1", "int8", 1, true),
            ("<u2", "uint16", 2, false),
            (">f8", "float64", 8, true),
            ("<f16", "float128", 16, false),
            (">c16", "complex128", 16, true),
            ("<U5", "<U5", 0, false),
            ("|O", "|O", 0, false),
            ("<M8[s]", "<M8[s]", 0, false),
        ] {
            assert_eq!(number(text), Some((dtype.to_owned(), size, big_endian)), "{text}");
        }
        for text in ["", "<", "<u", "<u3", "|u2", "=u2", "u2", "<x4", "<c4", "<u2 ", "é1", "<u-2"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
