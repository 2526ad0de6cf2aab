//! One line of a drawing, cell by cell.

use crate::output::cells::cells_of;
use crate::output::style::{Role, Style};

/// One place of a line.
#[derive(Clone, Copy)]
struct Cell {
    /// `None`: covered by the wide character to its left.
    character: Option<char>,
    /// What is set on it, as an accent.
    mark: Option<char>,
    role: Role,
}

const BLANK: Cell = Cell { character: Some(' '), mark: None, role: Role::Plain };

/// One line of characters, each with its role.
#[derive(Default)]
pub(super) struct Canvas {
    cells: Vec<Cell>,
}

impl Canvas {
    pub(super) fn put(&mut self, place: usize, character: char, role: Role) {
        self.set(place, Cell { character: Some(character), mark: None, role });
    }

    pub(super) fn write(&mut self, place: usize, text: &str, role: Role) {
        let mut next = place;
        for character in text.chars() {
            let width = cells_of(character);
            if width == 0 {
                if let Some(cell) = next.checked_sub(1).and_then(|before| self.cells.get_mut(before)) {
                    cell.mark = Some(character);
                }
                continue;
            }
            self.put(next, character, role);
            (next + 1..next + width).for_each(|place| self.set(place, Cell { character: None, mark: None, role }));
            next += width;
        }
    }

    fn set(&mut self, place: usize, cell: Cell) {
        if place >= self.cells.len() {
            self.cells.resize(place + 1, BLANK);
        }
        self.cells[place] = cell;
    }

    pub(super) fn print(&self, style: Style, line: &mut String) {
        for run in self.cells.chunk_by(|a, b| a.role == b.role) {
            let text: String = run.iter().flat_map(|cell| cell.character.into_iter().chain(cell.mark)).collect();
            let role = run.first().map_or(Role::Plain, |cell| cell.role);
            line.push_str(&style.paint(role, text).to_string());
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

    #[test]
    fn a_wide_character_covers_two_cells_and_a_mark_none() {
        let mut canvas = Canvas::default();
        canvas.put(6, '|', Role::Plain);
        canvas.write(0, "サーe\u{301}", Role::Plain);
        let mut line = String::new();
        canvas.print(Style::Plain, &mut line);
        assert_eq!(line, "サーe\u{301} |");
    }
}
