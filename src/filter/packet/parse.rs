//! Tokens become headers and bytes.
//!
//! ```text
//! packet  = part { "/" part }
//! part    = text | "hex" text | name [ "(" [ setting { "," setting } ] ")" ]
//! setting = key "=" value
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::layers::{KeyForm, KeyRow, LayerRow, layers};
use super::{Header, Part, Setpoint, Setting};
use crate::filter::ExpressionError;
use crate::filter::lexer::{Located, Token, tokens};
use crate::filter::parser::{mac, number};
use crate::read::nearest;

/// How many parts a packet may have; bounds how deeply building it recurses.
const PARTS_MAX: usize = 32;

/// How many bytes of payload a packet may have: more would fit no length field.
const BYTES_MAX: usize = 65_535;

/// Reads a whole packet expression.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, ExpressionError> {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0 };
    let mut parts = Vec::new();
    let mut bytes_so_far = 0;
    loop {
        let span = parser.peek().span.clone();
        if parts.len() == PARTS_MAX {
            return Err(ExpressionError::new(span, format!("more than {PARTS_MAX} parts"), "this is the one too many"));
        }
        let part = parser.part()?;
        check_place(&parts, &part)?;
        if let Part::Bytes(bytes) = &part {
            bytes_so_far += bytes.len();
        }
        if bytes_so_far > BYTES_MAX {
            return Err(ExpressionError::new(span, format!("more than {BYTES_MAX} bytes"), "no packet can carry this"));
        }
        parts.push(part);
        if parser.take(&Token::Slash) {
            continue;
        }
        let next = parser.peek();
        if next.token == Token::End {
            return Ok(parts);
        }
        let title = format!("unexpected `{}`", next.token);
        return Err(ExpressionError::new(next.span.clone(), title, "`/` belongs before what comes next"));
    }
}

/// Whether a header may stand behind what is there already.
fn check_place(before: &[Part], part: &Part) -> Result<(), ExpressionError> {
    let Part::Header(header) = part else { return Ok(()) };
    let name = header.row.name;
    let below = before.last();
    let (can_stand_here, where_it_stands) = match below {
        None => (["arp", "eth", "ip", "ipv6"].contains(&name), "cannot come first".to_owned()),
        Some(Part::Bytes(_)) => (false, "cannot stand behind bytes".to_owned()),
        Some(Part::Header(below)) => {
            (below.row.carries.contains(&name), format!("cannot stand behind `{}`", below.row.name))
        }
    };
    if can_stand_here {
        return Ok(());
    }
    let bearers: Vec<String> = layers()
        .iter()
        .filter(|layer| layer.carries.contains(&name))
        .map(|layer| format!("`{}`", layer.name))
        .collect();
    let label = match (below, bearers.is_empty()) {
        (Some(_), true) => "it begins a packet".to_owned(),
        _ => format!("{} belongs before it", bearers.join(" or ")),
    };
    Err(ExpressionError::new(header.span.clone(), format!("`{name}` {where_it_stands}"), label))
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Located<'t>>,
    at: usize,
}

impl<'t> Parser<'t> {
    fn part(&mut self) -> Result<Part, ExpressionError> {
        let Located { token, span } = self.peek().clone();
        self.at += 1;
        match token {
            Token::Text(bytes) => Ok(Part::Bytes(bytes)),
            Token::Word("hex") => self.hex(),
            Token::Word(name) => {
                let Some(row) = LayerRow::find(name) else { return Err(unknown_layer(name, span)) };
                let header = self.header(row, span)?;
                if row.name == "bytes" { fill(&header).map(Part::Bytes) } else { Ok(Part::Header(header)) }
            }
            _ => {
                let title = match token {
                    Token::End => "the packet ends too early".to_owned(),
                    _ => format!("unexpected `{token}`"),
                };
                Err(ExpressionError::new(span, title, "a header or text belongs here: `ip(dst=10.0.0.2)`, \"hello\""))
            }
        }
    }

    /// `hex"00ff 1234"`
    fn hex(&mut self) -> Result<Part, ExpressionError> {
        let Located { token, span } = self.peek().clone();
        let wrong = |title: &str| Err(ExpressionError::new(span.clone(), title, "such as hex\"00ff 1234\""));
        let Token::Text(digits) = token else { return wrong("`hex` is followed by digits in double quotes") };
        self.at += 1;
        let digits: Option<Vec<u8>> = digits
            .iter()
            .filter(|digit| !digit.is_ascii_whitespace())
            .map(|digit| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let Some(digits) = digits else { return wrong("these are not hexadecimal digits") };
        if digits.len() % 2 == 1 {
            return wrong("half a byte is missing");
        }
        Ok(Part::Bytes(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    }

    fn header(&mut self, row: &'static LayerRow, span: Range<usize>) -> Result<Header, ExpressionError> {
        let mut header = Header { row, span, settings: Vec::new() };
        let open = self.peek().span.clone();
        if self.take(&Token::LeftParenthesis) && !self.take(&Token::RightParenthesis) {
            loop {
                let setting = self.setting(&header)?;
                header.settings.push(setting);
                if self.take(&Token::RightParenthesis) {
                    break;
                }
                if !self.take(&Token::Comma) {
                    let next = self.peek();
                    if next.token == Token::End {
                        return Err(ExpressionError::new(open, "this `(` is never closed", "`)` is missing"));
                    }
                    let title = format!("unexpected `{}`", next.token);
                    return Err(ExpressionError::new(next.span.clone(), title, "`,` or `)` belongs before it"));
                }
            }
        }
        let missing = row
            .keys
            .iter()
            .find(|key| key.default.is_empty() && !header.settings.iter().any(|setting| setting.key.name == key.name));
        match missing {
            Some(key) => {
                let title = format!("`{}` lacks `{}`", row.name, key.name);
                Err(ExpressionError::new(header.span, title, format!("`{}(… {}=…)`", row.name, key.name)))
            }
            None => Ok(header),
        }
    }

    fn setting(&mut self, header: &Header) -> Result<Setting, ExpressionError> {
        let Located { token, span } = self.peek().clone();
        let Token::Word(name) = token else {
            let label = format!("such as `{}=…`", header.row.keys.first().map_or("key", |key| key.name));
            return Err(ExpressionError::new(span, format!("unexpected `{token}`"), label));
        };
        self.at += 1;
        let Some(key) = header.row.key(name) else { return Err(unknown_key(name, span, header.row)) };
        if header.settings.iter().any(|setting| setting.key.name == key.name) {
            return Err(ExpressionError::new(span, format!("`{name}` is said twice"), "once is enough"));
        }
        if !self.take(&Token::Equals) {
            let title = format!("`{name}` is not set to anything");
            return Err(ExpressionError::new(span, title, format!("`{name}=…`")));
        }
        let (value, span) = self.value(key)?;
        Ok(Setting { key, value, span })
    }

    fn value(&mut self, key: &'static KeyRow) -> Result<(Setpoint, Range<usize>), ExpressionError> {
        let Located { token, span } = self.peek().clone();
        let wanted = wanted(key.form);
        let word = match &token {
            Token::Word(word) => (*word).to_owned(),
            // Names of nodes may be quoted, like any text.
            Token::Text(_) if matches!(key.form, KeyForm::Ipv4 | KeyForm::Ipv6) => {
                self.text[span.start + 1..span.end - 1].to_owned()
            }
            Token::End => {
                return Err(ExpressionError::new(span, "the packet ends too early", format!("{wanted} belongs here")));
            }
            _ => {
                let title = format!("`{}` is {wanted}, not `{token}`", key.name);
                return Err(ExpressionError::new(span, title, format!("{wanted} belongs here")));
            }
        };
        self.at += 1;
        let value = match key.form {
            KeyForm::Flags => flags(&word).map(Setpoint::Number),
            KeyForm::Integer { max, words } => {
                let named = words.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
                named.or_else(|| number(&word).filter(|number| *number <= max)).map(Setpoint::Number)
            }
            KeyForm::Ipv4 => host(&word).filter(|value| !matches!(value, Setpoint::Address(IpAddr::V6(_)))),
            KeyForm::Ipv6 => host(&word).filter(|value| !matches!(value, Setpoint::Address(IpAddr::V4(_)))),
            KeyForm::Mac => mac(&word).map(|bits| {
                let [.., a, b, c, d, e, f] = bits.to_be_bytes();
                Setpoint::Mac([a, b, c, d, e, f])
            }),
        };
        if key.name == "offset" && matches!(value, Some(Setpoint::Number(offset)) if offset % 8 != 0) {
            return Err(ExpressionError::new(
                span,
                "a fragment begins at a multiple of 8",
                "RFC 791 counts in 8 bytes",
            ));
        }
        match value {
            Some(value) => Ok((value, span)),
            None => {
                let title = format!("`{}` is {wanted}, not `{word}`", key.name);
                let error = ExpressionError::new(span, title, format!("{wanted} belongs here"));
                Err(match key.form {
                    KeyForm::Integer { words, .. } if !words.is_empty() => {
                        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                        error.note(format!("known: {}", words.join(", ")))
                    }
                    KeyForm::Flags => error.note("known: S, F, R, P, A or ., U, E, W"),
                    _ => error,
                })
            }
        }
    }

    fn peek(&self) -> &Located<'t> {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn take(&mut self, token: &Token<'_>) -> bool {
        let is_next = self.peek().token == *token;
        self.at += usize::from(is_next);
        is_next
    }
}

/// The bytes that `bytes(count=…, value=…)` stands for.
fn fill(header: &Header) -> Result<Vec<u8>, ExpressionError> {
    let number = |name: &str| {
        header.settings.iter().find(|setting| setting.key.name == name).map_or(0, |setting| match setting.value {
            Setpoint::Number(number) => number,
            _ => 0,
        })
    };
    let (count, value) = (usize::try_from(number("count")).ok(), u8::try_from(number("value")).ok());
    let bytes = count.zip(value).map(|(count, value)| vec![value; count]);
    bytes.ok_or_else(|| ExpressionError::new(header.span.clone(), "too many bytes", "at most 65535"))
}

/// TCP flags by their letters, or as a number.
fn flags(word: &str) -> Option<u64> {
    if let Some(number) = number(word) {
        return Some(number).filter(|number| *number <= 0x0fff);
    }
    word.chars().try_fold(0, |flags, letter| {
        Some(
            flags
                | match letter.to_ascii_uppercase() {
                    'F' => 0x01,
                    'S' => 0x02,
                    'R' => 0x04,
                    'P' => 0x08,
                    'A' | '.' => 0x10,
                    'U' => 0x20,
                    'E' => 0x40,
                    'C' | 'W' => 0x80,
                    _ => return None,
                },
        )
    })
}

/// An address, or the name of a node: anything that does not look like an address.
fn host(word: &str) -> Option<Setpoint> {
    if let Ok(address) = word.parse::<Ipv4Addr>() {
        return Some(Setpoint::Address(address.into()));
    }
    if let Ok(address) = word.parse::<Ipv6Addr>() {
        return Some(Setpoint::Address(address.into()));
    }
    let looks_like_an_address = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || word.contains("::");
    (!looks_like_an_address).then(|| Setpoint::Node(word.to_owned()))
}

fn wanted(form: KeyForm) -> String {
    match form {
        KeyForm::Flags => "TCP flags".into(),
        KeyForm::Integer { max, .. } => format!("a whole number up to {max}"),
        KeyForm::Ipv4 => "an IPv4 address or a node".into(),
        KeyForm::Ipv6 => "an IPv6 address or a node".into(),
        KeyForm::Mac => "an Ethernet address".into(),
    }
}

fn unknown_layer(name: &str, span: Range<usize>) -> ExpressionError {
    let names: Vec<&str> = layers().iter().map(|layer| layer.name).collect();
    unknown(name, span, format!("no header is called `{name}`"), &names)
}

fn unknown_key(name: &str, span: Range<usize>, row: &LayerRow) -> ExpressionError {
    let names: Vec<&str> = row.keys.iter().map(|key| key.name).collect();
    unknown(name, span, format!("`{}` has no `{name}`", row.name), &names)
}

fn unknown(name: &str, span: Range<usize>, title: String, known: &[&str]) -> ExpressionError {
    let near = nearest(name, known.iter().copied());
    let label = near.map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
    ExpressionError::new(span, title, label).note(format!("known: {}", known.join(", ")))
}
