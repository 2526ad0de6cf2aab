//! Tokens become a match expression.
//!
//! ```text
//! any        = all { "||" all }
//! all        = not { "&&" not }
//! not        = "!" not | "(" any ")" | test
//! test       = field [ "==" | "!=" | "<" | "<=" | ">" | ">=" ] value
//!            | field "in" "{" value [ ".." value ] { "," … } "}"
//!            | field "contains" bytes
//!            | field
//! ```
//!
//! What a value may look like depends on the field on its left.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::ExpressionError;
use super::expression::{Check, Expression, Interval, Test};
use super::field::{FieldRow, FieldType, fields, suggestion};
use super::lexer::{Comparison, Located, Token, tokens};

/// How deeply `!` and `(` may be nested: bounds the stack that reading, matching and printing take.
const DEPTH_MAX: usize = 64;

/// Names that people bring along from elsewhere, and what to use here.
const HINTS: [(&str, &str); 3] = [
    ("tcp.seq", "a frame alone does not know its connection's first number; `tcp.seq_raw` is the number as it stands"),
    ("tcp.stream", "a frame alone does not know its connection; match its addresses and ports"),
    ("ip.flags", "the flags are `ip.flags.df` and `ip.flags.mf`"),
];

/// Reads a whole match expression.
pub(super) fn parse(text: &str) -> Result<Expression, ExpressionError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let expression = parser.any(0)?;
    let next = parser.peek();
    if next.token == Token::End {
        return Ok(expression);
    }
    let label = match next.token {
        Token::RightParenthesis => "no `(` stands before it",
        _ => "`&&` or `||` belongs before it",
    };
    Err(ExpressionError::new(next.span.clone(), format!("unexpected `{}`", next.token), label))
}

struct Parser<'t> {
    tokens: Vec<Located<'t>>,
    at: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.all(depth)?];
        while self.take(&Token::Or) {
            parts.push(self.all(depth)?);
        }
        // Nested alternatives are flattened, so that what is printed reads back as the same tree.
        let flat =
            parts.into_iter().flat_map(|part| if let Expression::Any(parts) = part { parts } else { vec![part] });
        Ok(one_or(flat.collect(), Expression::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.not(depth)?];
        while self.take(&Token::And) {
            parts.push(self.not(depth)?);
        }
        let flat =
            parts.into_iter().flat_map(|part| if let Expression::All(parts) = part { parts } else { vec![part] });
        Ok(one_or(flat.collect(), Expression::All))
    }

    fn not(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let span = self.peek().span.clone();
        if depth >= DEPTH_MAX {
            let title = format!("more than {DEPTH_MAX} `!` and `(` inside each other");
            return Err(ExpressionError::new(span, title, "this is the one too many"));
        }
        if self.take(&Token::Not) {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        if !self.take(&Token::LeftParenthesis) {
            return self.test();
        }
        let inner = self.any(depth + 1)?;
        if self.take(&Token::RightParenthesis) {
            return Ok(inner);
        }
        if self.peek().token == Token::End {
            return Err(ExpressionError::new(span, "this `(` is never closed", "`)` is missing"));
        }
        let next = self.peek();
        let title = format!("unexpected `{}`", next.token);
        Err(ExpressionError::new(next.span.clone(), title, "`&&`, `||` or `)` belongs before it"))
    }

    fn test(&mut self) -> Result<Expression, ExpressionError> {
        let field = self.field()?;
        let Located { token, span } = self.peek().clone();
        let check = match token {
            Token::Compare(comparison) => {
                self.at += 1;
                self.comparison(field, comparison, span)?
            }
            Token::Contains => {
                self.at += 1;
                self.contains(field, span)?
            }
            Token::In => {
                self.at += 1;
                self.set(field, span)?
            }
            Token::Equals => {
                return Err(ExpressionError::new(span, "`=` alone does not compare", "`==` does"));
            }
            _ => Check::Present,
        };
        Ok(Expression::Test(Test { field, check }))
    }

    fn field(&mut self) -> Result<&'static FieldRow, ExpressionError> {
        let Located { token, span } = self.peek().clone();
        let Token::Word(name) = token else {
            let title = if token == Token::End {
                "the expression ends too early".to_owned()
            } else {
                format!("unexpected `{token}`")
            };
            let label = "a field belongs here, such as `tcp.port` or `icmp`";
            return Err(ExpressionError::new(span, title, label));
        };
        self.at += 1;
        FieldRow::find(name).ok_or_else(|| unknown_field(name, span))
    }

    fn comparison(
        &mut self,
        field: &'static FieldRow,
        comparison: Comparison,
        operator: Range<usize>,
    ) -> Result<Check, ExpressionError> {
        let is_order = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        match field.field_type {
            FieldType::Protocol => {
                let title = format!("`{}` is a protocol, which has no value to compare", field.name);
                let label = format!("`{}` alone asks whether it is there", field.name);
                Err(with_fields_of(ExpressionError::new(operator, title, label), field.protocol()))
            }
            FieldType::Integer { .. } => Ok(Check::Relation(comparison, self.interval(field)?)),
            _ if is_order => {
                let title = format!("`{}` is {}, which has no order", field.name, field.field_type.described());
                Err(ExpressionError::new(operator, title, "`==` or `!=` belongs here"))
            }
            FieldType::Bytes | FieldType::Name => {
                Ok(Check::Exactly { bytes: self.bytes()?, equal: comparison == Comparison::Equal })
            }
            FieldType::Boolean | FieldType::Ipv4 | FieldType::Ipv6 | FieldType::Mac => {
                Ok(Check::Relation(comparison, self.interval(field)?))
            }
        }
    }

    fn contains(&mut self, field: &'static FieldRow, operator: Range<usize>) -> Result<Check, ExpressionError> {
        if !matches!(field.field_type, FieldType::Bytes | FieldType::Name | FieldType::Protocol) {
            let title = format!("`{}` is {}, which contains nothing", field.name, field.field_type.described());
            let error = ExpressionError::new(operator, title, "`==` or `in` belongs here");
            return Err(error.note("`contains` looks into `frame`, `tcp.payload`, `udp.payload` or a protocol"));
        }
        let span = self.peek().span.clone();
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Err(ExpressionError::new(span, "there is nothing to look for", "at least one byte belongs here"));
        }
        Ok(Check::Contains(bytes))
    }

    /// `{80, 443, 1000..2000}`
    fn set(&mut self, field: &'static FieldRow, operator: Range<usize>) -> Result<Check, ExpressionError> {
        if matches!(field.field_type, FieldType::Boolean | FieldType::Bytes | FieldType::Name | FieldType::Protocol) {
            let title = format!("`{}` is {}, which is in no set", field.name, field.field_type.described());
            return Err(ExpressionError::new(operator, title, "`in` is for numbers and addresses"));
        }
        let open = self.peek().span.clone();
        if !self.take(&Token::LeftBrace) {
            return Err(ExpressionError::new(open, "a set stands in braces", "such as `{80, 443, 1000..2000}`"));
        }
        let mut intervals = Vec::new();
        loop {
            intervals.push(self.range(field)?);
            if self.take(&Token::RightBrace) {
                return Ok(Check::In(intervals));
            }
            if !self.take(&Token::Comma) {
                let next = self.peek();
                if next.token == Token::End {
                    return Err(ExpressionError::new(open, "this `{` is never closed", "`}` is missing"));
                }
                let title = format!("unexpected `{}`", next.token);
                return Err(ExpressionError::new(next.span.clone(), title, "`,` or `}` belongs before it"));
            }
        }
    }

    fn range(&mut self, field: &'static FieldRow) -> Result<Interval, ExpressionError> {
        let start = self.peek().span.start;
        let first = self.interval(field)?;
        if !self.take(&Token::Range) {
            return Ok(first);
        }
        let last = self.interval(field)?;
        let end = self.tokens[self.at - 1].span.end;
        if first.low > last.high {
            let error = ExpressionError::new(start..end, "this range is empty", "the smaller value stands first");
            return Err(error);
        }
        Ok(Interval { low: first.low, high: last.high })
    }

    /// A number, flag, address or prefix: whatever the field's type asks for.
    fn interval(&mut self, field: &'static FieldRow) -> Result<Interval, ExpressionError> {
        let Located { token, span } = self.peek().clone();
        let Token::Word(word) = token else { return Err(mismatch(field, &token, span)) };
        self.at += 1;
        let key = match field.field_type {
            FieldType::Boolean => match word {
                "true" => Some(1),
                "false" => Some(0),
                _ => number(word).filter(|number| *number <= 1),
            },
            FieldType::Integer { max } => number(word).filter(|number| *number <= max),
            FieldType::Ipv4 => {
                let Ok(address) = word.parse::<Ipv4Addr>() else { return Err(mismatch(field, &token, span)) };
                return self.prefix(u128::from(address.to_bits()), 32);
            }
            FieldType::Ipv6 => {
                let Ok(address) = word.parse::<Ipv6Addr>() else { return Err(mismatch(field, &token, span)) };
                return self.prefix(address.to_bits(), 128);
            }
            FieldType::Mac => mac(word),
            FieldType::Bytes | FieldType::Name | FieldType::Protocol => None,
        };
        key.map(|key| Interval::of(key.into())).ok_or_else(|| mismatch(field, &token, span))
    }

    /// The addresses that share the prefix, if `/` and its length follow; otherwise the address alone.
    fn prefix(&mut self, address: u128, bits: u32) -> Result<Interval, ExpressionError> {
        if !self.take(&Token::Slash) {
            return Ok(Interval::of(address));
        }
        let Located { token, span } = self.peek().clone();
        let length = match token {
            Token::Word(word) => word.parse::<u32>().ok().filter(|length| *length <= bits),
            _ => None,
        };
        let Some(length) = length else {
            let title = format!("`{token}` is not the length of a prefix");
            return Err(ExpressionError::new(span, title, format!("a number from 0 to {bits} belongs here")));
        };
        self.at += 1;
        // The bits that the prefix leaves open.
        let open = 1_u128.checked_shl(bits - length).map_or(u128::MAX, |beyond| beyond - 1);
        Ok(Interval { low: address & !open, high: address | open })
    }

    /// `"GET"` or `47:45:54`.
    fn bytes(&mut self) -> Result<Vec<u8>, ExpressionError> {
        let Located { token, span } = self.peek().clone();
        let bytes = match &token {
            Token::Text(bytes) => Some(bytes.clone()),
            Token::Word(word) => word
                .split(':')
                .map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten())
                .collect(),
            _ => None,
        };
        self.at += usize::from(bytes.is_some());
        bytes.ok_or_else(|| {
            let title = if token == Token::End {
                "the expression ends too early".to_owned()
            } else {
                format!("`{token}` is neither text nor bytes")
            };
            ExpressionError::new(span, title, "such as \"GET\" or 47:45:54")
        })
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

fn one_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.swap_remove(0) } else { join(parts) }
}

/// A whole number, decimal or with `0x`.
pub(super) fn number(word: &str) -> Option<u64> {
    let (digits, radix) = word.strip_prefix("0x").map_or((word, 10), |digits| (digits, 16));
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_number.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

/// An Ethernet address, `02:00:00:00:00:02`, as a number.
pub(super) fn mac(word: &str) -> Option<u64> {
    let pairs: Vec<&str> = word.split([':', '-']).collect();
    let is_address = pairs.len() == 6 && pairs.iter().all(|pair| pair.len() == 2);
    is_address
        .then(|| pairs.iter().try_fold(0, |sum, pair| Some(sum << 8 | u64::from(u8::from_str_radix(pair, 16).ok()?))))?
}

fn unknown_field(name: &str, span: Range<usize>) -> ExpressionError {
    if name.starts_with(|first: char| first.is_ascii_digit() || first == ':') {
        let title = format!("`{name}` stands where a field belongs");
        return ExpressionError::new(span, title, "the field stands on the left: `tcp.port == 80`");
    }
    let label =
        suggestion(name).map_or_else(|| "not a known field".to_owned(), |known| format!("did you mean `{known}`?"));
    let error = ExpressionError::new(span, format!("no field is called `{name}`"), label);
    match HINTS.iter().find(|(known, _)| *known == name) {
        Some((_, hint)) => ExpressionError { label: "not known here".into(), ..error.note(*hint) },
        None => with_fields_of(error, name.split('.').next().unwrap_or(name)),
    }
}

/// Notes which fields the protocol has, or which protocols there are.
fn with_fields_of(error: ExpressionError, protocol: &str) -> ExpressionError {
    let is_protocol = FieldRow::find(protocol).is_some();
    let names = fields().iter().filter(|field| {
        if is_protocol { field.protocol() == protocol } else { field.field_type == FieldType::Protocol }
    });
    let names: Vec<&str> = names.map(|field| field.name).collect();
    error.note(format!("known: {}", names.join(", ")))
}

/// The value does not fit the field.
fn mismatch(field: &'static FieldRow, found: &Token<'_>, span: Range<usize>) -> ExpressionError {
    let wanted = field.field_type.described();
    let belongs = match field.field_type {
        FieldType::Boolean => "0 or 1 belongs here, or nothing".to_owned(),
        FieldType::Ipv4 => "such as 10.0.0.1 or 10.0.0.0/8".to_owned(),
        FieldType::Ipv6 => "such as 2001:db8::1 or 2001:db8::/32".to_owned(),
        FieldType::Mac => "such as 02:00:00:00:00:01".to_owned(),
        _ => format!("{wanted} belongs here"),
    };
    let Token::Word(word) = found else {
        let title = match found {
            Token::End => "the expression ends too early".to_owned(),
            Token::Text(_) => format!("`{}` is {wanted}, not text", field.name),
            _ => format!("unexpected `{found}`"),
        };
        return ExpressionError::new(span, title, belongs);
    };
    let what = if word.parse::<Ipv4Addr>().is_ok() {
        "an IPv4 address".to_owned()
    } else if mac(word).is_some() {
        "an Ethernet address".to_owned()
    } else if word.parse::<Ipv6Addr>().is_ok() {
        "an IPv6 address".to_owned()
    } else if FieldRow::find(word).is_some() {
        "another field".to_owned()
    } else {
        format!("`{word}`")
    };
    let error = ExpressionError::new(span, format!("`{}` is {wanted}, not {what}", field.name), belongs);
    match (field.field_type, field.name.split_once('.')) {
        (FieldType::Ipv4, Some(("ip", rest))) if what == "an IPv6 address" => {
            error.note(format!("IPv6 addresses are in `ipv6.{rest}`"))
        }
        (FieldType::Ipv6, Some(("ipv6", rest))) if what == "an IPv4 address" => {
            error.note(format!("IPv4 addresses are in `ip.{rest}`"))
        }
        (FieldType::Boolean, Some(("tcp", "ack" | "flags.ack"))) => error.note("the number itself is `tcp.ack_raw`"),
        _ => error,
    }
}
