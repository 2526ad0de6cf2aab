//! Text becomes tokens; shared by match expressions and packet expressions.

use std::fmt;
use std::ops::Range;

use super::ExpressionError;

/// The longest expression, in bytes. A page of text; what a person writes has a line.
pub(super) const TEXT_BYTES_MAX: usize = 8192;

/// The smallest piece that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'t> {
    And,
    Comma,
    Contains,
    /// A comparison: `==`, or its spelling `eq`.
    Compare(Comparison),
    End,
    /// A single `=`.
    Equals,
    In,
    LeftBrace,
    LeftParenthesis,
    Not,
    Or,
    /// `..`
    Range,
    RightBrace,
    RightParenthesis,
    Slash,
    /// Text in double quotes, escapes replaced.
    Text(Vec<u8>),
    /// A name, number or address.
    Word(&'t str),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<'t> {
    pub(super) token: Token<'t>,
    pub(super) span: Range<usize>,
}

/// Cuts an expression into tokens; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Located<'_>>, ExpressionError> {
    if text.len() > TEXT_BYTES_MAX {
        let title = format!("the expression is longer than {TEXT_BYTES_MAX} bytes");
        return Err(ExpressionError::new(0..text.len(), title, "split it"));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = token(text, at)?;
        tokens.push(Located { token, span: at..at + length });
        at += length;
    }
    tokens.push(Located { token: Token::End, span: text.len()..text.len() });
    Ok(tokens)
}

/// The token that begins at `at`, and its length.
fn token(text: &str, at: usize) -> Result<(Token<'_>, usize), ExpressionError> {
    const SYMBOLS: [(&str, Token<'static>); 17] = [
        // A longer symbol stands before its own beginning.
        ("&&", Token::And),
        ("||", Token::Or),
        ("==", Token::Compare(Comparison::Equal)),
        ("!=", Token::Compare(Comparison::NotEqual)),
        ("<=", Token::Compare(Comparison::LessOrEqual)),
        (">=", Token::Compare(Comparison::GreaterOrEqual)),
        ("..", Token::Range),
        ("<", Token::Compare(Comparison::Less)),
        (">", Token::Compare(Comparison::Greater)),
        ("!", Token::Not),
        ("=", Token::Equals),
        ("(", Token::LeftParenthesis),
        (")", Token::RightParenthesis),
        ("{", Token::LeftBrace),
        ("}", Token::RightBrace),
        (",", Token::Comma),
        ("/", Token::Slash),
    ];
    let rest = &text[at..];
    if rest.starts_with('"') {
        return quoted(text, at);
    }
    if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Ok((token.clone(), symbol.len()));
    }
    let length = word_length(rest);
    if length > 0 {
        return Ok((word(&rest[..length]), length));
    }
    let found = rest.chars().next().unwrap_or(' ');
    let label = match found {
        '&' => "`&&` joins two conditions",
        '|' => "`||` joins two alternatives",
        '\'' | '“' | '”' => "text stands in double quotes: \"GET\"",
        _ => "not part of the language",
    };
    Err(ExpressionError::new(
        at..at + found.len_utf8(),
        format!("`{}` means nothing here", found.escape_default()),
        label,
    ))
}

/// How long the word at the beginning is: letters, digits, `_`, `-`, `:`, and `.` unless it begins a `..`.
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_part = |at: usize, byte: u8| match byte {
        b'.' => bytes.get(at + 1) != Some(&b'.'),
        b'_' | b'-' | b':' => true,
        _ => byte.is_ascii_alphanumeric(),
    };
    bytes.iter().enumerate().find(|(at, byte)| !is_part(*at, **byte)).map_or(bytes.len(), |(at, _)| at)
}

/// A word, or what a word in this place of the language stands for.
fn word(text: &str) -> Token<'_> {
    match text {
        "and" => Token::And,
        "contains" => Token::Contains,
        "eq" => Token::Compare(Comparison::Equal),
        "ge" => Token::Compare(Comparison::GreaterOrEqual),
        "gt" => Token::Compare(Comparison::Greater),
        "in" => Token::In,
        "le" => Token::Compare(Comparison::LessOrEqual),
        "lt" => Token::Compare(Comparison::Less),
        "ne" => Token::Compare(Comparison::NotEqual),
        "not" => Token::Not,
        "or" => Token::Or,
        _ => Token::Word(text),
    }
}

/// Text in double quotes that begins at `at`, and its length with the quotes.
fn quoted(text: &str, at: usize) -> Result<(Token<'_>, usize), ExpressionError> {
    let mut contents = Vec::new();
    let mut characters = text[at..].char_indices().skip(1);
    while let Some((offset, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Text(contents), offset + 1)),
            '\\' => {
                let escape = characters.next().map(|(_, escape)| escape);
                let byte = match escape {
                    Some('"') => b'"',
                    Some('0') => 0,
                    Some('\\') => b'\\',
                    Some('n') => b'\n',
                    Some('r') => b'\r',
                    Some('t') => b'\t',
                    Some('x') => {
                        let mut digit = || characters.next().and_then(|(_, digit)| digit.to_digit(16));
                        let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                        value.ok_or_else(|| bad_escape(text, at + offset))?
                    }
                    _ => return Err(bad_escape(text, at + offset)),
                };
                contents.push(byte);
            }
            _ => contents.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Err(ExpressionError::new(at..text.len(), "the text never ends", "`\"` is missing"))
}

fn bad_escape(text: &str, at: usize) -> ExpressionError {
    let end = text[at..].char_indices().nth(2).map_or(text.len(), |(offset, _)| at + offset);
    ExpressionError::new(
        at..end,
        format!("`{}` is not an escape", &text[at..end]),
        "known: \\\" \\\\ \\0 \\n \\r \\t \\x0a",
    )
}

/// Bytes in double quotes, as [`tokens`] reads them.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str("\"")?;
    for byte in bytes {
        match byte {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            0 => f.write_str("\\0")?,
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::And => "&&",
            Self::Comma => ",",
            Self::Compare(comparison) => comparison.symbol(),
            Self::Contains => "contains",
            Self::End => "the end",
            Self::Equals => "=",
            Self::In => "in",
            Self::LeftBrace => "{",
            Self::LeftParenthesis => "(",
            Self::Not => "!",
            Self::Or => "||",
            Self::Range => "..",
            Self::RightBrace => "}",
            Self::RightParenthesis => ")",
            Self::Slash => "/",
            Self::Text(bytes) => return write_quoted(f, bytes),
            Self::Word(word) => word,
        })
    }
}

impl Comparison {
    /// As it is written.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::NotEqual => "!=",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<String> {
        tokens(text).unwrap().iter().map(|located| located.token.to_string()).collect()
    }

    #[test]
    fn an_expression_falls_into_its_pieces() {
        assert_eq!(kinds("tcp.port==80&&!ip"), ["tcp.port", "==", "80", "&&", "!", "ip", "the end"]);
        assert_eq!(kinds("{80,1000..2000}"), ["{", "80", ",", "1000", "..", "2000", "}", "the end"]);
        assert_eq!(kinds("10.0.0.0/8"), ["10.0.0.0", "/", "8", "the end"]);
        assert_eq!(kinds("::1..::5 a-b S."), ["::1", "..", "::5", "a-b", "S.", "the end"]);
        assert_eq!(kinds("x eq 1 and not y"), ["x", "==", "1", "&&", "!", "y", "the end"]);
    }

    #[test]
    fn text_is_unescaped_and_escaped_again() {
        let text = r#""a\"\\\0\n\r\t\xff""#;
        let located = &tokens(text).unwrap()[0];
        assert_eq!(located.token, Token::Text(b"a\"\\\0\n\r\t\xff".to_vec()));
        assert_eq!(located.span, 0..text.len());
        assert_eq!(located.token.to_string(), text);
    }

    #[test]
    fn what_means_nothing_is_shown_where_it_stands() {
        let error = |text| tokens(text).unwrap_err();
        assert_eq!((error("a & b").span, error("a & b").label.as_str()), (2..3, "`&&` joins two conditions"));
        assert_eq!(error("é").span, 0..2);
        assert_eq!(error("x \"abc").span, 2..6);
        assert_eq!(error(r#""a\q""#).span, 2..4);
        assert_eq!(error(r#""\xg0""#).span, 1..3);
        assert_eq!(error(&"x".repeat(TEXT_BYTES_MAX + 1)).span, 0..TEXT_BYTES_MAX + 1);
    }
}
