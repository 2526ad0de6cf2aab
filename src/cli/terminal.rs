//! Where words go: standard output, standard error, with colour or without.

use std::io::{self, IsTerminal as _, Write as _};

use super::Verdict;
use super::arguments::Colour;
use crate::output::Style;

/// The two streams of the process.
#[derive(Debug)]
pub(super) struct Terminal {
    colours_output: bool,
    colours_errors: bool,
    shows_output: bool,
    shows_progress: bool,
}

impl Terminal {
    /// Colour as asked for; on `auto`, where a person looks and `NO_COLOR` (no-color.org) is not set.
    pub(super) fn new(colour: Colour) -> Self {
        let is_wanted = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            Colour::Never => false,
        };
        Self {
            colours_output: is_wanted(io::stdout().is_terminal()),
            colours_errors: is_wanted(io::stderr().is_terminal()),
            shows_output: io::stdout().is_terminal(),
            shows_progress: io::stderr().is_terminal(),
        }
    }

    /// How outputs on the standard output look.
    pub(super) fn style(&self) -> Style {
        if self.colours_output { Style::Coloured } else { Style::Plain }
    }

    /// Whether messages on the standard error are coloured.
    pub(super) fn colours_errors(&self) -> bool {
        self.colours_errors
    }

    /// Whether the standard output is a screen.
    pub(super) fn shows_output(&self) -> bool {
        self.shows_output
    }

    /// Whether somebody watches the standard error.
    pub(super) fn shows_progress(&self) -> bool {
        self.shows_progress
    }

    /// Prints to the standard output. A reader who has gone away is no failure; any other failure is told.
    pub(super) fn print(&self, text: &str) -> Verdict {
        self.print_bytes(text.as_bytes())
    }

    /// The same for what is no text.
    pub(super) fn print_bytes(&self, bytes: &[u8]) -> Verdict {
        let mut output = io::stdout().lock();
        match output.write_all(bytes).and_then(|()| output.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.complain(&format!("cannot write to the standard output: {error}"))
            }
            _ => Verdict::Met,
        }
    }

    /// Prints a line to the standard error as it is.
    pub(super) fn tell(&self, text: &str) {
        // Where even the standard error is closed, there is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells what is wrong.
    pub(super) fn complain(&self, text: &str) -> Verdict {
        if self.colours_errors {
            let style = anstyle::AnsiColor::Red.on_default().bold();
            self.tell(&format!("{style}error{style:#}: {text}"));
        } else {
            self.tell(&format!("error: {text}"));
        }
        Verdict::Wrong
    }
}
