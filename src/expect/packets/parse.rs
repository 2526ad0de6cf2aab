//! Reading packet lines.
//!
//! ```text
//! line   = time ( ">" | "<" ) packet [ "#" comment ]
//! time   = ( "*" | "@" name [ "+" number ] | "+" number | number ) [ "~" [ number | percent ] ]
//! ```
//!
//! [`packet`](super::packet) reads what stands behind the arrow. A number without a unit is seconds. Every mistake of a literal is found in one pass, with its place in the literal.

use std::time::Duration;

use super::line::{Base, Fate, Line, Tolerance, When};
use super::packet::parse_pattern;
use super::words::{Mistake, Parsed, Words, mistake};
use crate::expect::Passage;
use crate::filter::Filter;
use crate::read::{Span, nearest};
use crate::units::{UnitError, parse_duration};

/// How many lines one expectation may have.
pub(super) const LINES_MAX: usize = 1_000;

/// All lines of a literal, and the match expressions in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    pub(super) lines: Vec<Line>,
    pub(super) expressions: Vec<Filter>,
}

/// Reads all lines; all mistakes if there are any.
pub(super) fn parse(text: &str) -> Result<Script, Vec<Mistake>> {
    let mut script = Script::default();
    let mut mistakes = Vec::new();
    let mut labels: Vec<String> = Vec::new();
    let mut begins_at = 0;
    for raw in text.split_inclusive('\n') {
        let line = Words { text: raw, offset: begins_at, at: 0 };
        begins_at += raw.len();
        match parse_line(line, &mut labels, &mut script.expressions) {
            Ok(None) => {}
            Ok(Some(_)) if script.lines.len() >= LINES_MAX => {
                let title = format!("more than {LINES_MAX} packet lines");
                let (span, label) = (begins_at - raw.len()..begins_at, "one too many".to_owned());
                mistakes.push(Mistake { span, title, label, notes: Vec::new() });
                break;
            }
            Ok(Some(line)) => script.lines.push(line),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(script) } else { Err(mistakes) }
}

fn parse_line(mut words: Words<'_>, labels: &mut Vec<String>, expressions: &mut Vec<Filter>) -> Parsed<Option<Line>> {
    let comment = comment_at(words.text);
    let whole = words.text;
    words.text = &whole[..comment.unwrap_or(whole.len())];
    if words.is_over() {
        return Ok(None);
    }
    let fate = comment.map(|at| parse_comment(&whole[at + 1..], words.offset + at + 1)).transpose()?.flatten();
    let (fate, fate_span) = fate.map_or((None, 0..0), |(fate, span)| (Some(fate), span));
    words.skip_blanks();
    let (word, span) = words.word();
    let when = parse_when(word, &span, labels)?;
    let (word, span) = words.word();
    let passage = match word {
        ">" => Passage::Forth,
        "<" => Passage::Back,
        _ => return mistake(span, "the direction is missing", "`>` or `<` belongs here"),
    };
    let shape = parse_pattern(&mut words, expressions)?;
    if !words.is_over() {
        return mistake(
            words.here(),
            format!("`{}` is one too many", words.rest().trim()),
            "the line ends before this",
        );
    }
    Ok(Some(Line { when, passage, shape, fate, fate_span }))
}

/// Where a comment begins: at the first `#` that is neither in braces nor in quotes.
fn comment_at(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_u32, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (_, Some(open)) => quote = (c != open).then_some(open),
            ('"' | '\'', None) if depth > 0 => quote = Some(c),
            ('{', None) => depth += 1,
            ('}', None) => depth = depth.saturating_sub(1),
            ('#', None) if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// `dropped`, `dropped: name` and `delivered` are claims, with the place of the last word; anything else is for people,
/// unless it looks so much like a claim that somebody might believe in it.
fn parse_comment(text: &str, begins_at: usize) -> Parsed<Option<(Fate, Span)>> {
    let comment = text.trim();
    let ends_at = begins_at + text.trim_end().len();
    let whole = ends_at - comment.len()..ends_at;
    let (word, name) = comment.split_once(':').map_or((comment, None), |(word, name)| (word, Some(name.trim())));
    match (word.trim_end(), name) {
        ("delivered", None) => Ok(Some((Fate::Delivered, whole))),
        ("dropped", None) => Ok(Some((Fate::Dropped(None), whole))),
        ("dropped", Some("")) => {
            mistake(whole, "by whom or why is missing", "the name of a rule or a cause belongs here")
        }
        ("dropped", Some(name)) => Ok(Some((Fate::Dropped(Some(name.to_owned())), ends_at - name.len()..ends_at))),
        (word, _) => {
            let first = word.split_whitespace().next().unwrap_or_default();
            match nearest(first, ["delivered", "dropped"]).filter(|_| first.len() > 2) {
                None => Ok(None),
                Some(_) => {
                    let title = format!("`# {comment}` says nothing about the packet");
                    mistake(whole, title, "`# delivered`, `# dropped` or `# dropped: NAME` would")
                }
            }
        }
    }
}

fn parse_when(word: &str, span: &Span, labels: &mut Vec<String>) -> Parsed<When> {
    let (time, tolerance) = word.split_once('~').map_or((word, None), |(time, rest)| (time, Some(rest)));
    let tolerance = match tolerance {
        None => Tolerance::None,
        Some("") => Tolerance::Customary,
        Some(text) if text.ends_with('%') => {
            Tolerance::Share(text.parse().map_err(|error| bad_unit(error, span.end - text.len()..span.end))?)
        }
        Some(text) => Tolerance::Time(parse_seconds(text, span.end - text.len()..span.end)?),
    };
    let time_span = span.start..span.start + time.len();
    let (base, offset) = match time.chars().next() {
        Some('*') if time.len() == 1 => (Base::Any, Duration::ZERO),
        Some('@') => parse_label(&time[1..], time_span, labels)?,
        Some('+') => (Base::Previous, parse_seconds(&time[1..], time_span)?),
        Some(c) if c.is_ascii_digit() => (Base::Start, parse_seconds(time, time_span)?),
        _ => {
            let label = "a time belongs here: `+0.04`, `1.5`, `@name`, `@name+1.0` or `*`";
            return mistake(span.clone(), format!("`{word}` is not a time"), label);
        }
    };
    if tolerance != Tolerance::None && matches!(base, Base::Any | Base::Define(_)) {
        return mistake(span.clone(), "a tolerance of no time at all", "any time will do here; leave out the `~`");
    }
    Ok(When { base, offset, tolerance })
}

fn parse_label(text: &str, span: Span, labels: &mut Vec<String>) -> Parsed<(Base, Duration)> {
    let (name, offset) = text.split_once('+').map_or((text, None), |(name, offset)| (name, Some(offset)));
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !is_name {
        return mistake(span, format!("`@{name}` is not a label"), "letters, digits, `_` and `-`");
    }
    let is_known = labels.iter().any(|label| label == name);
    match offset {
        Some(offset) if is_known => {
            let offset = parse_seconds(offset, span.end - offset.len()..span.end)?;
            Ok((Base::Label(name.to_owned()), offset))
        }
        Some(_) => {
            let near = nearest(name, labels.iter().map(String::as_str));
            let label = near.map_or_else(
                || format!("write `@{name}` alone on an earlier line"),
                |near| format!("did you mean `@{near}`?"),
            );
            mistake(span, format!("no line before this one is labelled `@{name}`"), label)
        }
        None if is_known => Ok((Base::Label(name.to_owned()), Duration::ZERO)),
        None => {
            labels.push(name.to_owned());
            Ok((Base::Define(name.to_owned()), Duration::ZERO))
        }
    }
}

/// A number of seconds, or a number with a unit.
fn parse_seconds(text: &str, span: Span) -> Parsed<Duration> {
    if text.is_empty() {
        return mistake(span, "a time is missing", "a number of seconds, or a number with a unit");
    }
    let is_bare = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let parsed = if is_bare { parse_duration(&format!("{text}s")) } else { parse_duration(text) };
    parsed.map_err(|error| bad_unit(error, span))
}

fn bad_unit(error: UnitError, span: Span) -> Mistake {
    Mistake { span, title: error.message, label: error.hint, notes: Vec::new() }
}
