//! An explanation for a terminal, and the list to choose from.

use std::fmt::Write as _;

use super::super::cells::{cells, left, right};
use super::super::spell::{because, milliseconds};
use super::super::style::{Role, Style};
use super::explanation::{Line, from_of, to_of};
use super::{Change, Event, Explanation, Kept, Sighting};
use crate::wire::anatomy::Header;

/// How many bytes of a field are written out.
const HEX_MAX: usize = 6;

/// How wide a value may be before it pushes its meaning aside.
const VALUE_WIDTH_MAX: usize = 28;

impl Explanation {
    /// As text: the frame header by header, its journey, its cause and its end. With `shows_bytes`, all its bytes too.
    #[must_use]
    pub fn text(&self, style: Style, shows_bytes: bool) -> String {
        let mut text = String::new();
        let heading = format!("#{}  {} > {}", self.number, self.from, self.to);
        let _ = writeln!(text, "{}", style.paint(Role::Strong, heading));
        let _ = writeln!(text, "{}", self.line);
        let link = if self.link.is_empty() { String::new() } else { format!(" on {}", self.link) };
        let _ = writeln!(text, "{} bytes, sent at {} ms{link}", self.bytes.len(), self.sent_at);
        self.write_headers(&mut text, style);
        if shows_bytes {
            section(&mut text, "Bytes", style);
            hexdump(&mut text, &self.bytes);
        }
        if !self.damage.is_empty() {
            section(&mut text, "Damage: what arrived is not what was sent", style);
            write_changes(&mut text, &self.damage, style);
        }
        section(&mut text, "What caused it", style);
        for line in &self.caused_by {
            let _ = writeln!(text, "  {line}");
        }
        if self.led_by.len() > 1 {
            let _ = writeln!(text, "  step by step:");
            write_lines(&mut text, &self.led_by);
        }
        self.write_journey(&mut text, style);
        section(&mut text, &format!("What became of #{}", self.number), style);
        for line in &self.became {
            let _ = writeln!(text, "  {line}");
        }
        if !self.effects.is_empty() {
            let _ = writeln!(text, "  because of it were sent:");
            write_lines(&mut text, &self.effects);
            if self.effects_left_out > 0 {
                let _ = writeln!(text, "    and {} more", self.effects_left_out);
            }
        }
        text
    }

    fn write_headers(&self, text: &mut String, style: Style) {
        let rows = self.anatomy.headers.iter().flat_map(|header| &header.fields);
        let mut widths = [0; 4];
        for field in rows {
            let found = [
                field.place().len(),
                cells(&field.spelled(&self.bytes, HEX_MAX)),
                cells(&field.name),
                cells(&field.value).min(VALUE_WIDTH_MAX),
            ];
            widths = std::array::from_fn(|index| widths[index].max(found[index]));
        }
        for header in &self.anatomy.headers {
            self.write_header(text, header, widths, style);
        }
    }

    fn write_header(&self, text: &mut String, header: &Header, widths: [usize; 4], style: Style) {
        let indent = "│ ".repeat(usize::from(header.depth));
        let count = header.bytes().len();
        let quoted = if header.depth > 0 { " (quoted)" } else { "" };
        let short = if header.is_cut_short { ", cut short" } else { "" };
        let size = format!("{count} byte{}{short}", if count == 1 { "" } else { "s" });
        let reference = if header.reference.is_empty() { String::new() } else { format!("   {}", header.reference) };
        let title = style.paint(Role::Strong, format!("{}{quoted}", header.name));
        let _ = writeln!(text, "\n{indent}{title}   {size}{}", style.paint(Role::Faint, reference));
        for field in &header.fields {
            let place = left(&field.place(), widths[0]);
            let hex = left(&field.spelled(&self.bytes, HEX_MAX), widths[1]);
            let name = left(&field.name, widths[2]);
            let row = match field.meaning.is_empty() {
                true => format!("{name}  {}", field.value),
                false => {
                    format!("{name}  {}  {}", left(&field.value, widths[3]), style.paint(Role::Note, &field.meaning))
                }
            };
            let _ = writeln!(text, "{indent}  {place}  {}  {row}", style.paint(Role::Faint, hex));
        }
    }

    fn write_journey(&self, text: &mut String, style: Style) {
        section(text, "Its journey", style);
        for hop in &self.journey {
            let Line { number, at, from, to, relation, .. } = &hop.line;
            let number = right(&format!("#{number}"), 6);
            let mark = if hop.is_this { "▶" } else { " " };
            let relation = if relation.is_empty() { String::new() } else { format!("   {relation}") };
            let row = format!("{mark}{number}  {:>10} ms  {from} > {to}{relation}", at);
            let role = if hop.is_this { Role::Strong } else { Role::Plain };
            let _ = writeln!(text, "{}", style.paint(role, row));
            if hop.changes.is_empty() && hop.line.relation.starts_with("forwards") {
                let _ = writeln!(text, "           {from} changed nothing");
            }
            write_changes(text, &hop.changes, style);
            if !hop.end.is_empty() {
                let _ = writeln!(text, "           {}", style.paint(Role::Lost, &hop.end));
            }
        }
        if self.hops_left_out > 0 {
            let _ = writeln!(text, "  and {} more frames", self.hops_left_out);
        }
    }
}

fn section(text: &mut String, title: &str, style: Style) {
    let _ = writeln!(text, "\n{}", style.paint(Role::Strong, title));
}

fn write_changes(text: &mut String, changes: &[Change], style: Style) {
    let width = changes.iter().map(|change| cells(&change.what)).max().unwrap_or(0);
    for change in changes {
        let what = left(&change.what, width);
        let values = match (change.before.as_str(), change.after.as_str()) {
            ("", after) => format!("+ {after}"),
            (before, "") => format!("- {before}"),
            (before, after) => format!("{before} → {after}"),
        };
        let why = if change.why.is_empty() { String::new() } else { format!("   ({})", change.why) };
        let _ = writeln!(text, "           {what}  {values}{}", style.paint(Role::Faint, why));
    }
}

fn write_lines(text: &mut String, lines: &[Line]) {
    for line in lines {
        let relation = if line.relation.is_empty() { String::new() } else { format!("  ({})", line.relation) };
        let number = right(&format!("#{}", line.number), 6);
        let Line { at, from, to, what, .. } = line;
        let _ = writeln!(text, "  {number}  {at:>10} ms  {from} > {to}: {what}{relation}");
    }
}

/// Sixteen bytes a line, as `tcpdump -X` and `xxd` do.
pub(super) fn hexdump(text: &mut String, bytes: &[u8]) {
    for (index, row) in bytes.chunks(16).enumerate() {
        let mut hex = String::new();
        for (at, byte) in row.iter().enumerate() {
            let _ = write!(hex, "{byte:02x}{}", if at == 7 { "  " } else { " " });
        }
        let shown: String =
            row.iter().map(|byte| if matches!(byte, 0x20..0x7f) { char::from(*byte) } else { '.' }).collect();
        let _ = writeln!(text, "  {:04x}  {hex:<50} {shown}", index * 16);
    }
}

/// Frames to choose from.
pub(super) fn list<'k>(kept: &'k Kept, frames: impl Iterator<Item = &'k Sighting>) -> String {
    let rows: Vec<[String; 4]> = frames
        .map(|frame| {
            let way = format!("{} > {}", from_of(frame, &kept.names), to_of(frame, &kept.names));
            let end = frame.events.iter().find_map(|event| match event {
                Event::Dropped { cause, rule, .. } => Some(format!("  ✗ {}", because(*cause, *rule, &kept.names))),
                _ => None,
            });
            let origin = frame.origin.map_or_else(String::new, |origin| format!("  ({origin})"));
            let what = format!("{}{origin}{}", frame.line, end.unwrap_or_default());
            [format!("#{}", frame.number), milliseconds(frame.sent_at), way, what]
        })
        .collect();
    let width = rows.iter().map(|row| cells(&row[2])).max().unwrap_or(0);
    let lines =
        rows.iter().map(|[number, at, way, what]| format!("{number:>6}  {at:>10}  {}  {what}\n", left(way, width)));
    lines.collect()
}
