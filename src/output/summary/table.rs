//! Aligned columns.

use std::fmt::Write;

use crate::output::cells::{cells, left, right};
use crate::output::style::{Role, Style};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows under heads. The first head names the table; rows are indented under it.
pub(super) struct Table<const N: usize> {
    heads: [&'static str; N],
    aligns: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(heads: [&'static str; N], aligns: [Align; N]) -> Self {
        Self { heads, aligns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The table with columns as wide as they must be; a column without anything in it is left out, and so is a table
    /// without rows.
    pub(super) fn print(&self, style: Style) -> String {
        let mut text = String::new();
        if self.rows.is_empty() {
            return text;
        }
        let heads = self.heads.map(str::to_owned);
        let is_empty = |column: usize| self.rows.iter().all(|row| row[column].is_empty());
        let columns: Vec<usize> = (0..N).filter(|column| !is_empty(*column)).collect();
        let width = |column: usize| {
            let indent = if column == 0 { "  ".len() } else { 0 };
            let of_rows = self.rows.iter().map(|row| cells(&row[column]) + indent);
            of_rows.chain([cells(&heads[column])]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = columns.iter().map(|column| width(*column)).collect();
        let line = |row: &[String; N], indent: &str| {
            let mut line = String::new();
            for (column, width) in columns.iter().zip(&widths) {
                let indent = if *column == 0 { indent } else { "" };
                let cell = format!("{indent}{}", row[*column]);
                let _ = match self.aligns[*column] {
                    Align::Left => write!(line, "{}  ", left(&cell, *width)),
                    Align::Right => write!(line, "{}  ", right(&cell, *width)),
                };
            }
            line.trim_end().to_owned()
        };
        let _ = writeln!(text, "{}", style.paint(Role::Strong, line(&heads, "")));
        for row in &self.rows {
            let _ = writeln!(text, "{}", line(row, "  "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_empty_ones_are_left_out() {
        let mut table = Table::new(["things", "count", "never"], [Align::Left, Align::Right, Align::Left]);
        table.row(["a".into(), "1".into(), String::new()]);
        table.row(["longer name".into(), "1000000".into(), String::new()]);
        assert_eq!(
            table.print(Style::Plain),
            "things           count\n  a                  1\n  longer name  1000000\n"
        );
    }
}
