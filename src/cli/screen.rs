//! The standard output while a session goes on, and the status line below it.
//!
//! Both may be one terminal: before anything else is written there, the status line is taken off, and it comes back with
//! the next status.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Takes a line off a terminal: to its beginning, and clear to its end (ECMA-48).
const CLEAR: &str = "\r\x1b[K";

/// Both streams. Clones are the same screen.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Whether there is a status line at all.
    has_status: bool,
    /// Whether it is shown just now.
    is_shown: bool,
}

impl Screen {
    /// A screen whose status line is shown if somebody is there to see it.
    pub(super) fn new(is_quiet: bool) -> Self {
        let has_status = !is_quiet && io::stderr().is_terminal();
        Self { state: Arc::new(Mutex::new(State { has_status, is_shown: false })) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows how it goes, in place of what was shown before.
    pub(super) fn status(&self, text: &str) {
        let mut state = self.state();
        if state.has_status {
            state.is_shown = true;
            // Whoever has closed the standard error does not want to know.
            let _ = write!(io::stderr().lock(), "{CLEAR}{text}");
        }
    }

    /// Takes the status line off.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_shown, false) {
            let _ = write!(io::stderr().lock(), "{CLEAR}");
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.clear();
        io::stdout().lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}
