//! Lines of text out of a stream of bytes.
//!
//! A stream has no lines: one may come in pieces, or several in one piece. Whoever never ends a line does not fill the
//! memory with it.

/// How many bytes a line may have; a longer one is cut there.
pub(super) const LINE_MAX: usize = 4096;

/// Collects bytes until a line is whole.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes in what came next and hands on each line that is whole, without its end.
    pub(super) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(String)) {
        for byte in bytes {
            if *byte != b'\n' {
                self.begun.push(*byte);
            }
            if *byte == b'\n' || self.begun.len() >= LINE_MAX {
                take(self.take_line());
            }
        }
    }

    /// What was begun and never ended, at the end of the stream.
    pub(super) fn rest(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.take_line())
    }

    fn take_line(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.begun);
        // What could move a terminal's cursor is shown, not done.
        let shown = |character: char| if character.is_control() && character != '\t' { '\u{fffd}' } else { character };
        let line = line.trim_end_matches('\r').chars().map(shown).collect();
        self.begun.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pieces: &[&[u8]]) -> (Vec<String>, Option<String>) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, |line| found.push(line)));
        let rest = lines.rest();
        (found, rest)
    }

    #[test]
    fn lines_are_found_however_the_stream_is_cut() {
        let whole = of(&[b"one\ntwo\r\n\nthree"]);
        assert_eq!(whole, (vec!["one".into(), "two".into(), String::new()], Some("three".into())));
        assert_eq!(of(&[b"on", b"e\nt", b"wo\r", b"\n\nth", b"ree"]), whole);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (lines, rest) = of(&[&[b'x'; LINE_MAX + 1]]);
        assert_eq!((lines.len(), lines[0].len(), rest.as_deref()), (1, LINE_MAX, Some("x")));
    }

    #[test]
    fn what_would_play_with_the_terminal_is_shown_instead() {
        assert_eq!(of(&[b"a\x1b[2Jb\n"]).0, ["a\u{fffd}[2Jb"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn cutting_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(of(&[&bytes[..cut], &bytes[cut..]]), of(&[&bytes]));
        }
    }
}
