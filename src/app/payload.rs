//! What programs send: the text of the scenario, or as many bytes of a pattern as it asks for.
//!
//! The pattern is that of the character generator protocol, RFC 864: lines of 72 printable characters, each line begun
//! one character later than the one before. It repeats after 7,030 bytes, which is no multiple of a segment's size, so a
//! segment in the wrong place shows, to an eye on a hex dump and to a program that compares.

use std::sync::Arc;

use crate::read::{Field, Form, Need, Table};
use crate::units::Size;

/// How many characters of an answer are reported.
pub(super) const EXCERPT_CHARS: usize = 200;

const LINE: usize = 74;
const PRINTABLE: usize = 95;
const PERIOD: usize = LINE * PRINTABLE;
static PATTERN: [u8; PERIOD] = pattern();

pub(super) const TEXT: Field = Field {
    name: "text",
    form: Form::Text,
    need: Need::Optional,
    doc: "What to send, as it stands. Either this or `bytes`.",
};
pub(super) const BYTES: Field = Field {
    name: "bytes",
    form: Form::Size,
    need: Need::Optional,
    doc: "How much of a pattern of printable characters (RFC 864) to send. Either this or `text`.",
};

/// What a program sends. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// This many bytes of the pattern.
    Pattern(u64),
    /// These bytes.
    Text(Arc<[u8]>),
}

impl Payload {
    /// Reads `text` or `bytes`, of which there must be exactly one.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        match (table.has("text"), table.has("bytes")) {
            (true, true) => {
                let _ = table.get::<Size>("bytes");
                table.report("bytes", "both `text` and `bytes` are given", "leave one of them out");
                None
            }
            (true, false) => table.get::<String>("text").map(|text| Self::Text(text.into_bytes().into())),
            (false, true) => table.get::<Size>("bytes").map(|size| Self::Pattern(size.bytes())),
            (false, false) => {
                let title = format!("`{}` does not say what to send", table.path);
                table.report("text", title, "`text = …` or `bytes = …` is missing");
                None
            }
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Pattern(length) => *length,
            Self::Text(text) => text.len() as u64,
        }
    }

    /// Copies what stands at `offset` into `buffer`, and says how many bytes that were: fewer than it has room for only
    /// at the end.
    pub(super) fn copy(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let left = self.len().saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..count];
        match self {
            Self::Pattern(_) => fill_with_pattern(offset, buffer),
            Self::Text(text) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
                buffer.copy_from_slice(&text[start..start + count]);
            }
        }
        count
    }

    /// Whether `bytes` are what stands at `offset`.
    pub(super) fn matches(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut expected = vec![0; bytes.len()];
        self.copy(offset, &mut expected) == bytes.len() && expected == bytes
    }
}

/// Fills `buffer` with the pattern as it is from `offset` on.
pub(super) fn fill_with_pattern(offset: u64, buffer: &mut [u8]) {
    let mut at = usize::try_from(offset % PERIOD as u64).expect("the period fits");
    let mut rest = buffer;
    while !rest.is_empty() {
        let count = rest.len().min(PERIOD - at);
        let (filled, after) = rest.split_at_mut(count);
        filled.copy_from_slice(&PATTERN[at..at + count]);
        (rest, at) = (after, 0);
    }
}

/// The beginning of what was received, as text.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    bytes: Vec<u8>,
}

impl Excerpt {
    /// Takes in what came next; beyond what will be shown it is forgotten. Says whether there is more to show.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        // A character takes up to four bytes.
        let room = (EXCERPT_CHARS * 4).saturating_sub(self.bytes.len());
        let taken = &bytes[..bytes.len().min(room)];
        self.bytes.extend_from_slice(taken);
        !taken.is_empty()
    }

    /// The first characters; what is not UTF-8 is shown as U+FFFD.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).chars().take(EXCERPT_CHARS).collect()
    }
}

// RFC 864: "There are 95 printing characters in the ASCII character set. Sort the characters in an ordered sequence
// and number the characters from 0 through 94. Think of the sequence as a ring so that character number 0 follows
// character number 94. […] On line N, put characters (0+N mod 95) through (71+N mod 95). End each line with carriage
// return and line feed."
const fn pattern() -> [u8; PERIOD] {
    let mut bytes = [0; PERIOD];
    let mut at = 0;
    while at < PERIOD {
        let (line, column) = (at / LINE, at % LINE);
        bytes[at] = match column {
            72 => b'\r',
            73 => b'\n',
            _ => b' ' + ((line + column) % PRINTABLE) as u8,
        };
        at += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_the_character_generators() {
        let mut lines = [0; 2 * LINE];
        fill_with_pattern(0, &mut lines);
        let lines = std::str::from_utf8(&lines).unwrap();
        assert_eq!(
            lines,
            " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n\
             !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n"
        );
    }

    #[test]
    fn a_piece_of_the_pattern_is_the_same_however_it_is_cut() {
        let payload = Payload::Pattern(20_000);
        let mut whole = vec![0; 20_000];
        assert_eq!(payload.copy(0, &mut whole), 20_000);
        let mut piece = [0; 1460];
        for offset in (0..18_540).step_by(1460) {
            assert_eq!(payload.copy(offset as u64, &mut piece), 1460);
            assert_eq!(piece, whole[offset..offset + 1460]);
            assert!(payload.matches(offset as u64, &piece));
        }
    }

    #[test]
    fn neighboring_segments_differ() {
        let (mut first, mut second) = ([0; 1460], [0; 1460]);
        fill_with_pattern(0, &mut first);
        fill_with_pattern(1460, &mut second);
        assert_ne!(first, second);
        assert!(!Payload::Pattern(9000).matches(0, &second));
    }

    #[test]
    fn nothing_is_copied_beyond_the_end() {
        let mut buffer = [b'x'; 4];
        let text = Payload::Text(b"hello".as_slice().into());
        assert_eq!((text.copy(3, &mut buffer), &buffer), (2, b"loxx"));
        assert_eq!((text.copy(5, &mut buffer), text.copy(u64::MAX, &mut buffer)), (0, 0));
        assert_eq!(Payload::Pattern(3).copy(2, &mut buffer), 1);
        assert!(text.matches(3, b"lo") && !text.matches(3, b"lox"));
    }

    #[test]
    fn an_excerpt_counts_characters_and_survives_what_is_not_text() {
        let mut excerpt = Excerpt::default();
        for _ in 0..500 {
            excerpt.push("é".as_bytes());
        }
        assert_eq!(excerpt.text().chars().count(), EXCERPT_CHARS);
        let mut excerpt = Excerpt::default();
        excerpt.push(&[b'a', 0xff, b'b']);
        assert_eq!(excerpt.text(), "a\u{fffd}b");
    }
}
