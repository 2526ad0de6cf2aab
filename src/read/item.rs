//! One value with its place, and how it becomes what a caller wants.

use std::net::IpAddr;
use std::time::Duration;

use toml::de::DeValue;

use super::{Diagnostic, Reader, Span, Table};
use crate::units::{Chance, Rate, Size, UnitError, parse_duration};

/// A value of the file, with its place.
#[derive(Debug, Clone)]
pub struct Item<'d> {
    /// The value.
    pub value: &'d DeValue<'d>,
    /// Where it stands.
    pub span: Span,
    /// What to call it in messages: `links.wan.delay`.
    pub path: String,
    /// The pass that it belongs to.
    pub reader: &'d Reader,
}

/// Something read, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// What was read.
    pub value: T,
    /// Where it stood.
    pub span: Span,
}

/// What can be made of one value. `None` means that a mistake has been reported.
pub trait Read<'d>: Sized {
    /// Makes it, or reports why not.
    fn read(item: &Item<'d>) -> Option<Self>;
}

impl<'d> Item<'d> {
    /// Reports that something else was expected here: `wanted` with its article.
    pub fn expected(&self, wanted: &str) {
        let found = match self.value.type_str() {
            kind @ ("array" | "integer") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        self.reader.report(
            Diagnostic::new(self.span.clone(), format!("`{}` must be {wanted}, not {found}", self.path))
                .label(format!("{wanted} belongs here")),
        );
    }

    /// The text of a string value, or a report that one was expected.
    #[must_use]
    pub fn text(&self, wanted: &str) -> Option<&'d str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected(wanted);
        }
        text
    }

    /// The place of a part of this string value: `range` in bytes of the string's contents.
    ///
    /// Exact for strings without escapes, such as literal strings; otherwise the whole value's place.
    #[must_use]
    pub fn part(&self, range: Span) -> Span {
        let raw = self.reader.text().get(self.span.clone()).unwrap_or("");
        let contents = self.value.as_str().unwrap_or("");
        match raw.find(contents) {
            Some(offset) if !contents.is_empty() => {
                let start = self.span.start + offset;
                start + range.start.min(contents.len())..start + range.end.min(contents.len())
            }
            _ => self.span.clone(),
        }
    }

    /// Reports a mistake in a part of this string value.
    pub fn report_part(&self, range: Span, title: impl Into<String>, label: impl Into<String>) {
        self.reader.report(Diagnostic::new(self.part(range), title).label(label));
    }

    fn quantity<T>(&self, what: &str, parse: impl Fn(&str) -> Result<T, UnitError>) -> Option<T> {
        if let DeValue::Integer(_) | DeValue::Float(_) = self.value {
            let raw = self.reader.text().get(self.span.clone()).unwrap_or("");
            let hint = parse(raw).err().map_or_else(String::new, |error| error.hint);
            self.reader.report(
                Diagnostic::new(self.span.clone(), format!("`{}` needs a unit", self.path))
                    .label(format!("a bare number says nothing about {what}"))
                    .note(hint),
            );
            return None;
        }
        let text = self.text(&format!("{what} in quotes"))?;
        parse(text)
            .map_err(|error| {
                self.reader.report(Diagnostic::new(self.span.clone(), error.message).label(error.hint));
            })
            .ok()
    }
}

impl<'d> Read<'d> for Item<'d> {
    fn read(item: &Self) -> Option<Self> {
        Some(item.clone())
    }
}

impl<'d, T: Read<'d>> Read<'d> for Located<T> {
    fn read(item: &Item<'d>) -> Option<Self> {
        Some(Self { value: T::read(item)?, span: item.span.clone() })
    }
}

impl<'d> Read<'d> for String {
    fn read(item: &Item<'d>) -> Option<Self> {
        item.text("text in quotes").map(str::to_owned)
    }
}

impl<'d> Read<'d> for bool {
    fn read(item: &Item<'d>) -> Option<Self> {
        let value = item.value.as_bool();
        if value.is_none() {
            item.expected("`true` or `false`");
        }
        value
    }
}

impl<'d> Read<'d> for i64 {
    fn read(item: &Item<'d>) -> Option<Self> {
        let Some(integer) = item.value.as_integer() else {
            item.expected("a whole number");
            return None;
        };
        let parsed = Self::from_str_radix(integer.as_str(), integer.radix()).ok();
        if parsed.is_none() {
            item.expected("a whole number of at most 63 bits");
        }
        parsed
    }
}

impl<'d> Read<'d> for f64 {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = match item.value {
            DeValue::Float(float) => Some(float.as_str()),
            DeValue::Integer(integer) => Some(integer.as_str()),
            _ => None,
        };
        let parsed = text.and_then(|text| text.parse::<Self>().ok()).filter(|value| value.is_finite());
        if parsed.is_none() {
            item.expected("a number");
        }
        parsed
    }
}

/// Unsigned numbers share one reading: in range, or a report that says the range.
macro_rules! read_unsigned {
    ($($number:ty),*) => {$(
        impl<'d> Read<'d> for $number {
            fn read(item: &Item<'d>) -> Option<Self> {
                let value = i64::read(item)?;
                let fits = Self::try_from(value).ok();
                if fits.is_none() {
                    item.reader.report(
                        Diagnostic::new(item.span.clone(), format!("`{}` is out of range", item.path))
                            .label(format!("from 0 to {}", Self::MAX)),
                    );
                }
                fits
            }
        }
    )*};
}
read_unsigned!(u8, u16, u32, usize);

impl<'d> Read<'d> for u64 {
    /// All 64 bits, which a signed number does not have.
    fn read(item: &Item<'d>) -> Option<Self> {
        let written = item.value.as_integer();
        let parsed = written.and_then(|integer| Self::from_str_radix(integer.as_str(), integer.radix()).ok());
        match (written, parsed) {
            (Some(_), None) => item.reader.report(
                Diagnostic::new(item.span.clone(), format!("`{}` is out of range", item.path))
                    .label(format!("from 0 to {}", Self::MAX)),
            ),
            (None, _) => item.expected("a whole number"),
            (Some(_), Some(_)) => {}
        }
        parsed
    }
}

impl<'d> Read<'d> for Duration {
    fn read(item: &Item<'d>) -> Option<Self> {
        item.quantity("a time", parse_duration)
    }
}

impl<'d> Read<'d> for Rate {
    fn read(item: &Item<'d>) -> Option<Self> {
        item.quantity("a rate", str::parse)
    }
}

impl<'d> Read<'d> for Size {
    fn read(item: &Item<'d>) -> Option<Self> {
        item.quantity("a size", str::parse)
    }
}

impl<'d> Read<'d> for Chance {
    fn read(item: &Item<'d>) -> Option<Self> {
        item.quantity("a chance", str::parse)
    }
}

impl<'d> Read<'d> for IpAddr {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("an IP address in quotes")?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            item.reader.report(
                Diagnostic::new(item.span.clone(), format!("`{text}` is not an IP address"))
                    .label("such as \"10.0.0.1\" or \"2001:db8::1\""),
            );
        }
        parsed
    }
}

impl<'d, T: Read<'d>> Read<'d> for Vec<T> {
    /// A list; a single value counts as a list of one.
    fn read(item: &Item<'d>) -> Option<Self> {
        let Some(array) = item.value.as_array() else {
            return T::read(item).map(|one| vec![one]);
        };
        let elements = array.iter().enumerate().map(|(index, element)| {
            T::read(&Item {
                value: element.get_ref(),
                span: element.span(),
                path: format!("{}[{index}]", item.path),
                reader: item.reader,
            })
        });
        // Every element is read, so that every mistake is reported, before the first failure counts.
        elements.collect::<Vec<Option<T>>>().into_iter().collect()
    }
}

impl<'d> Read<'d> for Table<'d> {
    fn read(item: &Item<'d>) -> Option<Self> {
        let Some(table) = item.value.as_table() else {
            item.expected("a table");
            return None;
        };
        Some(Self::new(table, item.span.clone(), item.path.clone(), item.reader))
    }
}

/// Somewhere to talk to, as a scenario writes it: `server:80`, `server`, `10.0.0.2:80`, `[2001:db8::1]:80`.
///
/// The host is a node's name, which is checked, or an address. It is looked up when the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A node's name or an address in text.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
}

impl Endpoint {
    /// Splits text into host and port.
    ///
    /// # Errors
    ///
    /// A phrase that says what is wrong, and where in the text.
    pub fn parse(text: &str) -> Result<Self, (Span, String)> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) =
                    rest.split_once(']').ok_or_else(|| (0..text.len(), "`[` without `]`".to_owned()))?;
                (address, after.strip_prefix(':'))
            }
            // More than one colon and no brackets: an IPv6 address without a port.
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err((0..text.len(), "a host is missing".to_owned()));
        }
        let port = port
            .map(|port| {
                port.parse::<u16>()
                    .map_err(|_| (text.len() - port.len()..text.len(), format!("`{port}` is not a port (0 to 65535)")))
            })
            .transpose()?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl<'d> Read<'d> for Endpoint {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("a host, or a host and a port, in quotes")?;
        let endpoint = match Self::parse(text) {
            Ok(endpoint) => endpoint,
            Err((range, message)) => {
                item.report_part(range, message, "such as \"server:80\"");
                return None;
            }
        };
        // RFC 4007 §11.2: "<address>%<zone_id>", the zone being an interface of whoever sends.
        let literal = endpoint.host.split_once('%').map_or(&*endpoint.host, |(address, _)| address);
        let is_known = literal.parse::<IpAddr>().is_ok() || item.reader.may_be_host(&endpoint.host);
        if !is_known {
            let known = item.reader.scope.nodes.iter().map(String::as_str);
            item.reader.report_unknown(
                Diagnostic::new(item.part(0..endpoint.host.len()), format!("no node is called `{}`", endpoint.host))
                    .not_among(&endpoint.host, known),
                &["nodes"],
            );
            return None;
        }
        Some(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_perhaps_a_port() {
        let parse = |text| Endpoint::parse(text).map(|endpoint| (endpoint.host, endpoint.port));
        assert_eq!(parse("server:80"), Ok(("server".into(), Some(80))));
        assert_eq!(parse("server"), Ok(("server".into(), None)));
        assert_eq!(parse("2001:db8::1"), Ok(("2001:db8::1".into(), None)));
        assert_eq!(parse("[2001:db8::1]:80"), Ok(("2001:db8::1".into(), Some(80))));
        assert!(parse("server:http").is_err() && parse(":80").is_err() && parse("[::1").is_err());
    }
}
