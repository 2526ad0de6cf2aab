//! A part of a page: `Range: bytes=0-99`, RFC 9110 §14.

/// What a request asks for of `length` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// From the first up to and including the last.
    Part(u64, u64),
    /// Nothing of it is there: 416.
    Unsatisfiable,
    /// All of it.
    Whole,
}

impl Asked {
    /// Reads a `Range` header. What is not understood asks for the whole (§14.2: "A server MAY ignore the Range header
    /// field"), and so do several ranges at once.
    pub(super) fn read(header: &str, length: u64) -> Self {
        let Some(set) = header.trim().strip_prefix("bytes=") else { return Self::Whole };
        let set = set.trim();
        if set.contains(',') {
            return Self::Whole;
        }
        let Some((first, last)) = set.split_once('-') else { return Self::Whole };
        match (number(first), number(last)) {
            // §14.1.2: "If the selected representation is shorter than the specified suffix-length, the entire representation
            // is used."
            (Some(None), Some(Some(suffix))) => match length.saturating_sub(suffix) {
                _ if suffix == 0 || length == 0 => Self::Unsatisfiable,
                first => Self::Part(first, length - 1),
            },
            (Some(Some(first)), Some(last)) => match last.unwrap_or(u64::MAX) {
                // "A Range […] is invalid if the last-pos value is present and less than first-pos."
                last if last < first => Self::Whole,
                _ if first >= length => Self::Unsatisfiable,
                last => Self::Part(first, last.min(length - 1)),
            },
            _ => Self::Whole,
        }
    }
}

/// Digits: a number; nothing: none; anything else is no range.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_a_hundred_bytes() {
        for (header, asked) in [
            ("bytes=0-99", Asked::Part(0, 99)),
            ("bytes=0-100", Asked::Part(0, 99)),
            ("bytes=99-", Asked::Part(99, 99)),
            ("bytes=100-", Asked::Unsatisfiable),
            ("bytes=-1", Asked::Part(99, 99)),
            ("bytes=-100", Asked::Part(0, 99)),
            ("bytes=-101", Asked::Part(0, 99)),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=5-4", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes=0-99999999999999999999999", Asked::Part(0, 99)),
        ] {
            assert_eq!(Asked::read(header, 100), asked, "{header}");
        }
        assert_eq!(Asked::read("bytes=0-", 0), Asked::Unsatisfiable);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn a_part_lies_within(text in "(bytes=)?[0-9,-]{0,24}", length in 0_u64..1000) {
            if let Asked::Part(first, last) = Asked::read(&text, length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
