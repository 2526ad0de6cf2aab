//! One line of a drawing, cell by cell.

use std::fmt::Write;

use crate::output::style::{Role, Style};

/// One line of characters, each with its role.
#[derive(Default)]
pub(super) struct Canvas {
    cells: Vec<(char, Role)>,
}

impl Canvas {
    pub(super) fn put(&mut self, place: usize, character: char, role: Role) {
        if place >= self.cells.len() {
            self.cells.resize(place + 1, (' ', Role::Plain));
        }
        self.cells[place] = (character, role);
    }

    pub(super) fn write(&mut self, place: usize, text: &str, role: Role) {
        for (offset, character) in text.chars().enumerate() {
            self.put(place + offset, character, role);
        }
    }

    pub(super) fn print(&self, style: Style, line: &mut String) {
        for run in self.cells.chunk_by(|a, b| a.1 == b.1) {
            let text: String = run.iter().map(|(character, _)| *character).collect();
            let role = run.first().map_or(Role::Plain, |(_, role)| *role);
            let _ = write!(line, "{}", style.paint(role, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_later_covers_what_was_there() {
        let mut canvas = Canvas::default();
        canvas.put(5, '|', Role::Plain);
        canvas.write(2, "abcde", Role::Plain);
        let mut line = String::new();
        canvas.print(Style::Plain, &mut line);
        assert_eq!(line, "  abcde");
    }
}
