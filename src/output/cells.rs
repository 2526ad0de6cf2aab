//! How wide text is in a terminal: `サーバー` is four characters in eight cells.
//!
//! Names may be written in any script, and `format!` pads by characters, so whoever aligns columns counts here.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How many cells `text` takes.
pub(crate) fn cells(text: &str) -> usize {
    text.width()
}

/// How many cells a character takes; none for a mark that is set on the one before.
pub(crate) fn cells_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// `text` with spaces behind it, up to `width` cells.
pub(crate) fn left(text: &str, width: usize) -> String {
    format!("{text}{:1$}", "", width.saturating_sub(cells(text)))
}

/// `text` with spaces in front of it, up to `width` cells.
pub(crate) fn right(text: &str, width: usize) -> String {
    format!("{:1$}{text}", "", width.saturating_sub(cells(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_character_takes_two_cells_and_a_mark_none() {
        assert_eq!(cells("größe"), 5);
        assert_eq!(cells("サーバー"), 8);
        assert_eq!(cells("e\u{301}"), 1);
        assert_eq!(left("サ", 4) + "|", "サ  |");
        assert_eq!(right("サ", 4) + "|", "  サ|");
        assert_eq!(left("longer", 4), "longer");
    }
}
