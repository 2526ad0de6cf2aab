//! What somebody types, and when: the lines of `nc`, of a chat.

use std::time::Duration;

use crate::read::{Field, Form, Need, Table};

/// How many lines one program can be given.
const LINES_MAX: usize = 10_000;

pub(super) const SCRIPT: Field = Field {
    name: "script",
    form: Form::List(&Form::Table(LINE_FIELDS)),
    need: Need::Optional,
    doc: "What is typed, and when: a list of lines.",
};

const LINE_FIELDS: &[Field] = &[
    Field {
        name: "at",
        form: Form::Duration,
        need: Need::Optional,
        doc: "When, counted from the program's start; together with the line above where this is absent.",
    },
    Field { name: "say", form: Form::Text, need: Need::Required, doc: "The line, without its end." },
];

/// A line that is typed at a time after the program's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) say: String,
}

/// Reads `script`; empty where it is absent.
pub(super) fn read(table: &Table<'_>) -> Option<Vec<Line>> {
    if !table.has("script") {
        return Some(Vec::new());
    }
    let tables: Vec<Table<'_>> = table.get("script")?;
    if tables.len() > LINES_MAX {
        table.report("script", "nobody types that much", format!("at most {LINES_MAX} lines"));
        return None;
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut is_sound = true;
    for line in &tables {
        line.check(&[LINE_FIELDS], &[]);
        let at = line.get_or("at", lines.last().map_or(Duration::ZERO, |before| before.at));
        let Some(say) = line.has("say").then(|| line.get::<String>("say")).flatten() else {
            is_sound = false;
            continue;
        };
        if say.contains(['\n', '\r']) {
            line.report("say", "a line has no end inside", "one line for each entry of the list");
            is_sound = false;
        }
        if lines.last().is_some_and(|before| at < before.at) {
            line.report("at", "this line comes before the one above it", "times go up");
            is_sound = false;
        }
        lines.push(Line { at, say });
    }
    is_sound.then_some(lines)
}
