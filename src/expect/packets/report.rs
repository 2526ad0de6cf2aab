//! How a comparison is shown: lines and packets side by side, and the packets once more, to be pasted.
//!
//! ```text
//!    expected                           seen
//!    @syn       > S 0:0(0) <...>        0          > S 0:0(0) win 64240 <mss 1460>  # dropped: lose-first-syn
//! !  @syn+1     > S 0:0(0) <...>        +1.5       > S 0:0(0) win 64240 <mss 1460>
//!        0.5 s later than 1.000
//! -  +0.04~     < S. 0:0(0) ack 1       nothing
//! ```

use super::compare::{Comparison, Row};
use super::line::{arrow, seconds};
use super::seen::Seen;
use crate::record::Names;
use crate::time::Time;

/// The left column is at most this wide; what is longer pushes the right one away on its own row.
const COLUMN_MAX: usize = 56;

/// How many packets are printed to be pasted.
const PASTED_MAX: usize = 40;

/// The whole report of a comparison that failed.
pub(super) fn report(comparison: &Comparison<'_>, rows: &[Row], not_kept: u64) -> String {
    let met = rows.iter().filter(|row| row.is_met()).count();
    let mut text = format!("{met} of {} packet lines as expected\n", comparison.lines.len());
    let left: Vec<String> = rows.iter().map(|row| left_column(comparison, row)).collect();
    let width = left.iter().map(|line| line.chars().count()).filter(|width| *width <= COLUMN_MAX).max();
    let width = width.unwrap_or(0).max("expected".len());
    text.push_str(&format!("   {:<width$}  seen\n", "expected"));
    let mut previous = None;
    for (row, left) in rows.iter().zip(&left) {
        let (mark, right, differences): (char, String, &[String]) = match row {
            Row::Both { seen, differences, .. } => {
                let packet = &comparison.seen[*seen];
                let right = packet_line(packet, previous.replace(packet.at), comparison.names);
                (if differences.is_empty() { ' ' } else { '!' }, right, differences)
            }
            Row::Missing { .. } => ('-', "nothing".to_owned(), &[]),
            Row::Unexpected { seen } => {
                let packet = &comparison.seen[*seen];
                ('+', packet_line(packet, previous.replace(packet.at), comparison.names), &[])
            }
        };
        text.push_str(&format!("{mark}  {left:<width$}  {right}\n"));
        for difference in differences {
            text.push_str(&format!("       {difference}\n"));
        }
    }
    text.push_str(&pasted(comparison.seen, comparison.names, not_kept));
    text
}

/// The packets that were seen, as packet lines.
fn pasted(seen: &[Seen], names: &Names, not_kept: u64) -> String {
    if seen.is_empty() {
        return "no packet was seen here".to_owned();
    }
    let mut text = "seen, as packet lines:".to_owned();
    let mut previous = None;
    for packet in seen.iter().take(PASTED_MAX) {
        text.push_str(&format!("\n {}", packet_line(packet, previous.replace(packet.at), names)));
    }
    let more = seen.len().saturating_sub(PASTED_MAX) as u64 + not_kept;
    if more > 0 {
        text.push_str(&format!("\n # and {more} more"));
    }
    text
}

fn left_column(comparison: &Comparison<'_>, row: &Row) -> String {
    match row {
        Row::Both { line, .. } | Row::Missing { line } => comparison.lines[*line].to_string(),
        Row::Unexpected { .. } => "nothing".to_owned(),
    }
}

/// A packet as a line that would expect exactly it.
pub(super) fn packet_line(packet: &Seen, previous: Option<Time>, names: &Names) -> String {
    let when = match previous {
        None => seconds(packet.at.since(Time::ZERO)),
        Some(previous) => format!("+{}", seconds(packet.at.since(previous))),
    };
    let mut line = format!("{when:<10} {} {}", arrow(packet.passage), packet.shape);
    if let Some(name) = packet.outcome.as_ref().and_then(|outcome| outcome.name(names)) {
        line.push_str(&format!("  # dropped: {name}"));
    }
    line
}
