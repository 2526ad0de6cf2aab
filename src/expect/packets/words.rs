//! A packet line as words, each with its place.

use crate::read::Span;

/// A mistake in the literal: where, what is wrong, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) label: String,
    pub(super) notes: Vec<String>,
}

/// What was read, or why not.
pub(super) type Parsed<T> = Result<T, Mistake>;

/// A line's text, and how far it has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'t> {
    pub(super) text: &'t str,
    /// Where the text begins in the literal.
    pub(super) offset: usize,
    pub(super) at: usize,
}

impl<'t> Words<'t> {
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// What stands before the next blank, or nothing at the end.
    pub(super) fn word(&mut self) -> (&'t str, Span) {
        self.until(|c| c.is_whitespace())
    }

    pub(super) fn until(&mut self, is_end: impl Fn(char) -> bool) -> (&'t str, Span) {
        self.skip_blanks();
        let rest = self.rest();
        let length = rest.find(is_end).unwrap_or(rest.len());
        let start = self.offset + self.at;
        self.at += length;
        (&rest[..length], start..start + length)
    }

    pub(super) fn peek(&self) -> (&'t str, Span) {
        let mut ahead = *self;
        ahead.word()
    }

    pub(super) fn is_over(&self) -> bool {
        self.rest().trim().is_empty()
    }

    /// Where the next word would be.
    pub(super) fn here(&self) -> Span {
        let mut ahead = *self;
        ahead.skip_blanks();
        let end = ahead.offset + ahead.text.trim_end().len().max(ahead.at.min(ahead.text.len()));
        let start = (ahead.offset + ahead.at).min(end);
        start..end
    }

    /// Takes `from … to` off, if the rest begins with `from`: what is between, without them.
    pub(super) fn bracketed(&mut self, to: char) -> Option<(&'t str, Span)> {
        self.skip_blanks();
        let inner = self.rest().get(1..)?;
        let length = if to == '}' { inner.rfind(to)? } else { inner.find(to)? };
        let start = self.offset + self.at + 1;
        self.at += 1 + length + to.len_utf8();
        Some((&inner[..length], start..start + length))
    }
}

pub(super) fn mistake<T>(span: Span, title: impl Into<String>, label: impl Into<String>) -> Parsed<T> {
    Err(Mistake { span, title: title.into(), label: label.into(), notes: Vec::new() })
}

/// What can stand as one word after another.
pub(super) trait Word: Sized {
    fn parse_word(text: &str) -> Option<Self>;
}

impl Word for u8 {
    fn parse_word(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Word for u16 {
    fn parse_word(text: &str) -> Option<Self> {
        text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| Self::from_str_radix(digits, 16).ok())
    }
}

impl Word for u32 {
    fn parse_word(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Word for std::net::Ipv4Addr {
    fn parse_word(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// The next word, as a number or an address.
pub(super) fn number<T: Word>(words: &mut Words<'_>, what: &str) -> Parsed<T> {
    let (word, span) = words.word();
    if word.is_empty() {
        return mistake(words.here(), format!("{what} is missing"), format!("{what} belongs here"));
    }
    T::parse_word(word)
        .map_or_else(|| mistake(span, format!("`{word}` is not {what}"), format!("{what} belongs here")), Ok)
}
