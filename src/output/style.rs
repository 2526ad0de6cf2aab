//! Colour, for whoever asks for it.
//!
//! Whether a terminal wants colour is the front door's question; an output is told, and the default is plain.

use std::fmt;

use anstyle::{AnsiColor, Effects};

/// Whether an output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// With ANSI escape sequences, for a terminal.
    Coloured,
    /// The characters alone.
    #[default]
    Plain,
}

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Something changed on its way.
    Altered,
    /// Something beside the point: legends, lifelines.
    Faint,
    /// Something is gone, or has failed.
    Lost,
    /// Somebody says something.
    Note,
    /// Nothing in particular.
    Plain,
    /// Something went as it should.
    Right,
    /// A heading.
    Strong,
}

impl Style {
    /// `text` in the colour of its role.
    pub(super) fn paint<T: fmt::Display>(self, role: Role, text: T) -> Painted<T> {
        let style = match self {
            Self::Plain => anstyle::Style::new(),
            Self::Coloured => match role {
                Role::Altered => AnsiColor::Yellow.on_default(),
                Role::Faint => anstyle::Style::new().effects(Effects::DIMMED),
                Role::Lost => AnsiColor::Red.on_default(),
                Role::Note => AnsiColor::Cyan.on_default(),
                Role::Plain => anstyle::Style::new(),
                Role::Right => AnsiColor::Green.on_default(),
                Role::Strong => anstyle::Style::new().effects(Effects::BOLD),
            },
        };
        Painted { style, text }
    }
}

/// Text between its escape sequences, if it has any.
pub(super) struct Painted<T> {
    style: anstyle::Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escape_sequences_and_coloured_text_ends_its_own() {
        assert_eq!(Style::Plain.paint(Role::Lost, "x").to_string(), "x");
        assert_eq!(Style::Coloured.paint(Role::Lost, "x").to_string(), "\u{1b}[31mx\u{1b}[0m");
    }
}
