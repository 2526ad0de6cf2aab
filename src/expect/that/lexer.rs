//! Words of a `that` expression.

use std::time::Duration;

use super::Mistake;
use crate::read::Span;
use crate::units::{Chance, Rate, Size, UnitError, parse_duration};

/// How many words an expression may have.
const TOKENS_MAX: usize = 4_096;

/// One word with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) word: Word,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// The end of the text.
    End,
    /// `apps.fetch.status`, `abs`, `true`.
    Name(String),
    Number(Number),
    /// `&&`, `(`, `<=`.
    Sign(&'static str),
    /// `"connection refused"`, without the quotes.
    Text(String),
}

/// A literal number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// `1.5`, or `1%`.
    Float(f64),
    /// `200`, or a size in bytes, or a rate in bits per second.
    Integer(i64),
    /// `20ms`
    Time(Duration),
}

/// Longer signs before shorter ones that they begin with.
const SIGNS: [&str; 20] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", "+", "-", "*", "/", "=", "&"];

/// What the path of a fact begins with.
pub(super) const SECTIONS: [&str; 4] = ["apps", "links", "nodes", "run"];

/// Splits the text into words, `End` the last.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { break };
        if tokens.len() >= TOKENS_MAX {
            return Err(Mistake::new(at..text.len(), format!("more than {TOKENS_MAX} words"), "split the expectation"));
        }
        let (word, length) = match first {
            '"' | '\'' => text_literal(rest, first, at)?,
            '0'..='9' => number(rest, at)?,
            c if c.is_alphabetic() || c == '_' => name(rest),
            _ => sign(rest, at)?,
        };
        tokens.push(Token { word, span: at..at + length });
        at += length;
    }
    tokens.push(Token { word: Word::End, span: text.trim_end().len()..text.trim_end().len() });
    Ok(tokens)
}

fn text_literal(rest: &str, quote: char, at: usize) -> Result<(Word, usize), Mistake> {
    let inner = &rest[1..];
    let Some(length) = inner.find(quote) else {
        return Err(Mistake::new(at..at + rest.len(), "text that does not end", format!("`{quote}` is missing")));
    };
    Ok((Word::Text(inner[..length].to_owned()), length + 2))
}

/// A name; in the path of a fact a `-` between letters belongs to it: `links.client-server.sent`, and so does a `*` in
/// the name of a node behind `@`: `apps.talk@h*.reply`.
fn name(rest: &str) -> (Word, usize) {
    let is_path = SECTIONS.iter().any(|section| rest.strip_prefix(section).is_some_and(|after| after.starts_with('.')));
    let mut length = 0;
    let mut is_node = false;
    let mut letters = rest.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let mut goes_on = || letters.peek().is_some_and(|(_, next)| next.is_alphanumeric() || *next == '_');
        let belongs = c.is_alphanumeric() || c == '_' || c == '.' || (c == '-' && is_path && goes_on());
        let belongs = belongs || (c == '@' && is_path && letters.peek().is_some_and(|(_, next)| *next != ' '));
        let belongs = belongs || (c == '*' && is_node);
        is_node = belongs && (c == '@' || (is_node && c != '.'));
        if !belongs {
            break;
        }
        length = at + c.len_utf8();
    }
    (Word::Name(rest[..length].to_owned()), length)
}

fn number(rest: &str, at: usize) -> Result<(Word, usize), Mistake> {
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let unit = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len() - digits);
    let unit = if rest[digits..].starts_with('%') { 1 } else { unit };
    let length = digits + unit;
    let (text, unit) = (&rest[..length], &rest[digits..length]);
    let number = quantity(text, unit).map_err(|error| Mistake::new(at..at + length, error.message, error.hint))?;
    Ok((Word::Number(number), length))
}

/// A number by its unit.
fn quantity(text: &str, unit: &str) -> Result<Number, UnitError> {
    let integer = |value: u64| Number::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    match unit {
        "" if text.contains('.') => {
            let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
            float.map(Number::Float).ok_or_else(|| wrong(text))
        }
        "" => text.parse::<i64>().map(Number::Integer).map_err(|_| wrong(text)),
        "%" => text.parse::<Chance>().map(|chance| Number::Float(chance.as_f64())),
        unit if unit.ends_with("bit") || unit.ends_with("bps") => {
            text.parse::<Rate>().map(|rate| integer(rate.bits_per_second()))
        }
        unit if unit.ends_with('B') || unit == "bytes" => text.parse::<Size>().map(|size| integer(size.bytes())),
        _ => parse_duration(text).map(Number::Time),
    }
}

fn wrong(text: &str) -> UnitError {
    UnitError {
        message: format!("`{text}` is not a number"),
        hint: "such as 200, 1.5, 20ms, 1%, 10kB or 10Mbit".into(),
    }
}

fn sign(rest: &str, at: usize) -> Result<(Word, usize), Mistake> {
    let found = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
    let c = rest.chars().next().unwrap_or_default();
    let place = at..at + c.len_utf8();
    match found {
        Some("=") => Err(Mistake::new(place, "`=` does not compare", "did you mean `==`?")),
        Some("&") => Err(Mistake::new(place, "`&` does not join", "did you mean `&&`?")),
        Some(sign) => Ok((Word::Sign(sign), sign.len())),
        None if c == '|' => Err(Mistake::new(place, "`|` does not join", "did you mean `||`?")),
        None => Err(Mistake::new(place, format!("`{c}` means nothing here"), "not part of an expression")),
    }
}
