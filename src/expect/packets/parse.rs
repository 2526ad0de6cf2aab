//! Reading packet lines.
//!
//! ```text
//! line   = time ( ">" | "<" ) packet [ "#" comment ]
//! time   = ( "*" | "@" name [ "+" number ] | "+" number | number ) [ "~" [ number | percent ] ]
//! packet = "{" match expression "}" | tcp | "udp" … | "icmp" … | "arp" … | "frag" … | "ip" … | "ether" …
//! tcp    = flags [ first ":" last "(" length ")" ] [ "ack" n ] [ "win" n ] [ "<" options ">" ]
//! ```
//!
//! A number without a unit is seconds. Every mistake of a literal is found in one pass, with its place in the literal.

use std::time::Duration;

use super::line::{Base, Fate, Line, Pattern, Tolerance, When};
use super::shape::{ICMP_NAMES, IcmpName, Sequence, Shape, TCP_FLAGS, Tcp, TcpOption, TcpOptions};
use crate::expect::Passage;
use crate::filter::Filter;
use crate::read::{Span, nearest};
use crate::units::{UnitError, parse_duration};

/// How many lines one expectation may have.
pub(super) const LINES_MAX: usize = 1_000;

/// A mistake in the literal: where, what is wrong, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) label: String,
    pub(super) notes: Vec<String>,
}

type Parsed<T> = Result<T, Mistake>;

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

/// A line's text, and how far it has been read.
#[derive(Debug, Clone, Copy)]
struct Words<'t> {
    text: &'t str,
    /// Where the text begins in the literal.
    offset: usize,
    at: usize,
}

impl<'t> Words<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// What stands before the next blank, or nothing at the end.
    fn word(&mut self) -> (&'t str, Span) {
        self.until(|c| c.is_whitespace())
    }

    fn until(&mut self, is_end: impl Fn(char) -> bool) -> (&'t str, Span) {
        self.skip_blanks();
        let rest = self.rest();
        let length = rest.find(is_end).unwrap_or(rest.len());
        let start = self.offset + self.at;
        self.at += length;
        (&rest[..length], start..start + length)
    }

    fn peek(&self) -> (&'t str, Span) {
        let mut ahead = *self;
        ahead.word()
    }

    fn is_over(&self) -> bool {
        self.rest().trim().is_empty()
    }

    /// Where the next word would be.
    fn here(&self) -> Span {
        let mut ahead = *self;
        ahead.skip_blanks();
        let end = ahead.offset + ahead.text.trim_end().len().max(ahead.at.min(ahead.text.len()));
        let start = (ahead.offset + ahead.at).min(end);
        start..end
    }

    /// Takes `from … to` off, if the rest begins with `from`: what is between, without them.
    fn bracketed(&mut self, to: char) -> Option<(&'t str, Span)> {
        self.skip_blanks();
        let inner = self.rest().get(1..)?;
        let length = if to == '}' { inner.rfind(to)? } else { inner.find(to)? };
        let start = self.offset + self.at + 1;
        self.at += 1 + length + to.len_utf8();
        Some((&inner[..length], start..start + length))
    }
}

fn mistake<T>(span: Span, title: impl Into<String>, label: impl Into<String>) -> Parsed<T> {
    Err(Mistake { span, title: title.into(), label: label.into(), notes: Vec::new() })
}

fn parse_line(mut words: Words<'_>, labels: &mut Vec<String>, expressions: &mut Vec<Filter>) -> Parsed<Option<Line>> {
    let comment = comment_at(words.text);
    let fate = comment.map(|at| parse_comment(&words.text[at + 1..], words.offset + at + 1)).transpose()?.flatten();
    words.text = &words.text[..comment.unwrap_or(words.text.len())];
    if words.is_over() {
        return Ok(None);
    }
    words.skip_blanks();
    let begins_at = words.offset + words.at;
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
    let span = begins_at..words.offset + words.text.trim_end().len();
    Ok(Some(Line { when, passage, shape, fate, span }))
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

/// `dropped: name` and `delivered` are claims; anything else is for people.
fn parse_comment(text: &str, begins_at: usize) -> Parsed<Option<Fate>> {
    let comment = text.trim();
    if comment == "delivered" {
        return Ok(Some(Fate::Delivered));
    }
    let Some(rest) = comment.strip_prefix("dropped") else { return Ok(None) };
    if rest.is_empty() {
        return Ok(Some(Fate::Dropped(None)));
    }
    let Some(name) = rest.strip_prefix(':') else { return Ok(None) };
    if name.trim().is_empty() {
        let span = begins_at..begins_at + text.trim_end().len();
        return mistake(span, "by whom or why is missing", "the name of a rule or a cause belongs here");
    }
    Ok(Some(Fate::Dropped(Some(name.trim().to_owned()))))
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
    let is_bare = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let parsed = if is_bare { parse_duration(&format!("{text}s")) } else { parse_duration(text) };
    parsed.map_err(|error| bad_unit(error, span.clone())).or_else(|mut error| {
        if text.is_empty() {
            error.title = "a time is missing".to_owned();
        }
        Err(error)
    })
}

fn bad_unit(error: UnitError, span: Span) -> Mistake {
    Mistake { span, title: error.message, label: error.hint, notes: Vec::new() }
}

/// The first words of packets that are not TCP segments.
const PROTOCOLS: [&str; 6] = ["arp", "ether", "frag", "icmp", "ip", "udp"];

fn parse_pattern(words: &mut Words<'_>, expressions: &mut Vec<Filter>) -> Parsed<Pattern> {
    let (word, span) = words.peek();
    if word.starts_with('{') {
        let Some((text, span)) = words.bracketed('}') else {
            return mistake(words.here(), "`{` without `}`", "a match expression in braces");
        };
        let filter = super::parse_filter(text).map_err(|mut mistake| {
            mistake.span = span.start + mistake.span.start..span.start + mistake.span.end;
            mistake
        })?;
        expressions.push(filter);
        return Ok(Pattern::Expression { text: text.trim().to_owned(), index: expressions.len() - 1 });
    }
    if !PROTOCOLS.contains(&word) {
        return parse_tcp(words).map(Shape::Tcp).map(Pattern::Shape);
    }
    words.word();
    let shape = match word {
        "arp" => parse_arp(words)?,
        "ether" => {
            let ethertype = number(words, "an EtherType")?;
            Shape::Ether { ethertype, length: parse_length(words)? }
        }
        "frag" => parse_fragment(words)?,
        "icmp" => parse_icmp(words)?,
        "ip" => Shape::Ip { protocol: number(words, "a protocol number")?, length: parse_length(words)? },
        "udp" => Shape::Udp { length: parse_length(words)? },
        _ => return mistake(span, format!("`{word}` is not a packet"), "a packet belongs here"),
    };
    Ok(Pattern::Shape(shape))
}

fn parse_tcp(words: &mut Words<'_>) -> Parsed<Tcp> {
    let (word, span) = words.word();
    let mut tcp = Tcp { flags: parse_flags(word, &span)?, ..Tcp::default() };
    while !words.is_over() {
        let (word, span) = words.peek();
        if word.starts_with('<') {
            let Some((text, span)) = words.bracketed('>') else {
                return mistake(words.here(), "`<` without `>`", "TCP options, such as `<mss 1460>` or `<...>`");
            };
            tcp.options = Some(parse_options(text, span.start)?);
            continue;
        }
        words.word();
        match word {
            "ack" => tcp.ack = Some(number(words, "an acknowledgement number")?),
            "win" => tcp.window = Some(number(words, "a window")?),
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let (first, _, length, more) = parse_range(word, &span)?;
                if more {
                    return mistake(span, "a segment is not a fragment", "without the `+`");
                }
                tcp.sequence = Some(Sequence { first, length });
            }
            _ => {
                let label = nearest(word, ["ack", "win"]).map_or_else(
                    || "`first:last(length)`, `ack n`, `win n` or `<options>`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                return mistake(span, format!("`{word}` is not part of a TCP segment"), label);
            }
        }
    }
    Ok(tcp)
}

fn parse_flags(word: &str, span: &Span) -> Parsed<u8> {
    if word.is_empty() {
        return mistake(span.clone(), "the packet is missing", "such as `S 0:0(0)`, `udp (11)` or `{ icmp }`");
    }
    let mut flags = 0;
    for letter in word.chars().filter(|_| word != "-") {
        let Some((_, bit)) = TCP_FLAGS.iter().find(|(known, _)| *known == letter) else {
            let label = nearest(word, PROTOCOLS).map_or_else(
                || "TCP flags: letters of `SFRPUEW`, `.` for ACK; or `udp`, `icmp`, `arp`, `frag`, `{ … }`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return mistake(span.clone(), format!("`{word}` is not a packet"), label);
        };
        flags |= bit;
    }
    Ok(flags)
}

/// `first:last(length)`, perhaps with a `+`.
fn parse_range(word: &str, span: &Span) -> Parsed<(u32, u32, u32, bool)> {
    let (range, more) = word.strip_suffix('+').map_or((word, false), |range| (range, true));
    let parsed = range.split_once(':').and_then(|(first, rest)| {
        let (last, length) = rest.strip_suffix(')')?.split_once('(')?;
        Some((first.parse::<u32>().ok()?, last.parse::<u32>().ok()?, length.parse::<u32>().ok()?))
    });
    let Some((first, last, length)) = parsed else {
        return mistake(span.clone(), format!("`{word}` is not a range"), "`first:last(length)`, such as `1:6(5)`");
    };
    if last.wrapping_sub(first) != length {
        let label = format!("from {first} to {last} are {}", i64::from(last) - i64::from(first));
        return mistake(span.clone(), format!("`{word}` does not add up"), label);
    }
    Ok((first, last, length, more))
}

fn parse_options(text: &str, begins_at: usize) -> Parsed<TcpOptions> {
    let mut options = TcpOptions::default();
    let mut at = begins_at;
    for part in text.split(',') {
        let start = at + (part.len() - part.trim_start().len());
        let span = start..start + part.trim().len();
        at += part.len() + 1;
        match part.trim() {
            "..." => options.is_open = true,
            "" if text.trim().is_empty() => {}
            "nop" | "eol" => {}
            option => options.list.push(parse_option(option, span)?),
        }
    }
    Ok(options)
}

fn parse_option(text: &str, span: Span) -> Parsed<TcpOption> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let option = match words[..] {
        ["mss"] => Some(TcpOption::MaximumSegmentSize(None)),
        ["mss", size] => size.parse().ok().map(Some).map(TcpOption::MaximumSegmentSize),
        ["opt", kind] => kind.parse().ok().map(TcpOption::Other),
        ["sack", ref blocks @ ..] => {
            let block = |text: &&str| {
                let (left, right) = text.split_once(':')?;
                Some((left.parse().ok()?, right.parse().ok()?))
            };
            blocks.iter().map(block).collect::<Option<Vec<_>>>().map(TcpOption::Sack)
        }
        ["sackOK"] => Some(TcpOption::SackPermitted),
        ["TS"] => Some(TcpOption::Timestamps(None)),
        ["TS", "val", value, "ecr", echo] => {
            value.parse().ok().zip(echo.parse().ok()).map(|pair| TcpOption::Timestamps(Some(pair)))
        }
        ["wscale"] => Some(TcpOption::WindowScale(None)),
        ["wscale", shift] => shift.parse().ok().map(Some).map(TcpOption::WindowScale),
        _ => None,
    };
    let known = "`mss 1460`, `sackOK`, `wscale 7`, `TS val 1 ecr 2`, `sack 1:1461`, `nop`, `eol`, `...`";
    option.map_or_else(|| mistake(span, format!("`{text}` is not a TCP option"), known), Ok)
}

fn parse_arp(words: &mut Words<'_>) -> Parsed<Shape> {
    let (word, span) = words.word();
    match word {
        "reply" => Ok(Shape::ArpReply { address: None, hardware: None }),
        "request" => Ok(Shape::ArpRequest { address: None, tell: None }),
        "who-has" => {
            let address = if words.is_over() { None } else { Some(number(words, "an IPv4 address")?) };
            let tell = match words.peek() {
                ("tell", _) => {
                    words.word();
                    Some(number(words, "an IPv4 address")?)
                }
                _ => None,
            };
            Ok(Shape::ArpRequest { address, tell })
        }
        _ => {
            let Ok(address) = word.parse() else {
                let label = "`who-has 10.0.0.2`, `10.0.0.2 is-at`, `request` or `reply`";
                return mistake(span, format!("`{word}` is nothing that ARP says"), label);
            };
            let (verb, span) = words.word();
            if verb != "is-at" {
                return mistake(span, "an ARP reply says where", "`is-at` belongs here");
            }
            let hardware = if words.is_over() { None } else { Some(parse_hardware(words)?) };
            Ok(Shape::ArpReply { address: Some(address), hardware })
        }
    }
}

fn parse_hardware(words: &mut Words<'_>) -> Parsed<[u8; 6]> {
    let (word, span) = words.word();
    let bytes: Option<Vec<u8>> = word.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let address = bytes.and_then(|bytes| bytes.try_into().ok());
    address
        .map_or_else(|| mistake(span, format!("`{word}` is not a hardware address"), "such as `02:00:00:00:00:02`"), Ok)
}

fn parse_fragment(words: &mut Words<'_>) -> Parsed<Shape> {
    let (word, span) = words.word();
    let (first, last, _, more) = parse_range(word, &span)?;
    Ok(Shape::Fragment { first: first as usize, last: last as usize, more })
}

fn parse_icmp(words: &mut Words<'_>) -> Parsed<Shape> {
    let (word, span) = words.word();
    let named = ICMP_NAMES.iter().position(|row| row.0 == word).map(IcmpName::Named);
    let numbers = || {
        let (kind, code) = word.split_once('/')?;
        Some(IcmpName::Number(kind.parse().ok()?, code.parse().ok()?))
    };
    let Some(what) = named.or_else(numbers) else {
        let label = nearest(word, ICMP_NAMES.iter().map(|row| row.0)).map_or_else(
            || "such as `echo-request`, `time-exceeded`, `port-unreachable`, or type and code: `11/0`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return mistake(span, format!("`{word}` is not an ICMP message"), label);
    };
    let sequence = match words.peek() {
        ("seq", _) => {
            words.word();
            Some(number(words, "a sequence number")?)
        }
        _ => None,
    };
    Ok(Shape::Icmp { what, sequence, length: parse_length(words)? })
}

/// `(11)`, if it is there.
fn parse_length(words: &mut Words<'_>) -> Parsed<Option<usize>> {
    let (word, span) = words.peek();
    let Some(inner) = word.strip_prefix('(') else { return Ok(None) };
    words.word();
    let length = inner.strip_suffix(')').and_then(|length| length.parse().ok());
    length
        .map_or_else(|| mistake(span, format!("`{word}` is not a length"), "such as `(11)`"), |length| Ok(Some(length)))
}

/// What can stand as one word after another.
trait Word: Sized {
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

fn number<T: Word>(words: &mut Words<'_>, what: &str) -> Parsed<T> {
    let (word, span) = words.word();
    if word.is_empty() {
        return mistake(words.here(), format!("{what} is missing"), format!("{what} belongs here"));
    }
    T::parse_word(word)
        .map_or_else(|| mistake(span, format!("`{word}` is not {what}"), format!("{what} belongs here")), Ok)
}
