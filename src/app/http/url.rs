//! Addresses of pages: `https://www.example.com:8443/a/b?c=d`, and what a relative one means (RFC 3986).
//!
//! Only what a client needs who speaks HTTP: no user names, and fragments are forgotten, as they never leave a client.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// How long one may be.
const LENGTH_MAX: usize = 8000;

/// How it is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that need not be said.
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Whom to connect to: what must be the same for a connection to be used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    /// In lower case; an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// The address of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) origin: Origin,
    /// Begins with `/`.
    pub(super) path: String,
    /// What stands behind the `?`.
    pub(super) query: Option<String>,
}

/// Why it is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    /// curl's exit code 3.
    #[error("URL using bad/illegal format: {0}")]
    Malformed(&'static str),
    /// curl's exit code 1.
    #[error("protocol \"{0}\" not supported")]
    Unsupported(String),
}

impl Url {
    /// Reads an absolute one; without a scheme, `http` is meant, as curl has it.
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.split('#').next().unwrap_or_default();
        if text.len() > LENGTH_MAX {
            return Err(UrlError::Malformed("too long"));
        }
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(UrlError::Malformed("spaces and control characters must be written as %20 and the like"));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (read_scheme(scheme)?, rest),
            _ => (Scheme::Http, text),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (host, port) = read_authority(authority)?;
        let (path, query) = split_query(rest);
        let path = if path.is_empty() { "/".to_owned() } else { remove_dots(&escaped(path)) };
        let origin = Origin { scheme, host, port: port.unwrap_or_else(|| scheme.port()) };
        Ok(Self { origin, path, query: query.map(escaped) })
    }

    /// What a reference in a page of this address means: RFC 3986 §5.2.
    pub(super) fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = reference.split('#').next().unwrap_or_default().trim_matches(' ');
        // RFC 3986 §3.1: a scheme, and then what it says.
        if let Some((scheme, rest)) = reference.split_once(':')
            && is_scheme(scheme)
            && !scheme.contains('/')
        {
            return if rest.starts_with("//") {
                Self::parse(reference)
            } else {
                Err(UrlError::Unsupported(scheme.to_owned()))
            };
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.origin.scheme.name()));
        }
        // RFC 9110 §15.4 has clients cope with what servers write: spaces are escaped rather than refused.
        let reference: String = escaped(reference).replace(' ', "%20");
        if reference.len() > LENGTH_MAX || reference.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(UrlError::Malformed("a control character, or too long"));
        }
        let (path, query) = split_query(&reference);
        let (path, query) = match path {
            "" => (self.path.clone(), query.map(str::to_owned).or_else(|| self.query.clone())),
            path if path.starts_with('/') => (remove_dots(path), query.map(str::to_owned)),
            path => {
                let base = self.path.rsplit_once('/').map_or("", |(base, _)| base);
                (remove_dots(&format!("{base}/{path}")), query.map(str::to_owned))
            }
        };
        Ok(Self { origin: self.origin.clone(), path, query })
    }

    /// What stands in a request's first line.
    pub(super) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

impl Origin {
    /// As a `Host` header says it: the port only where it is not the usual one.
    pub(super) fn host_header(&self) -> String {
        let host = self.bracketed();
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// The address, if that is what the host is.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.origin.scheme.name(), self.origin.host_header(), self.target())
    }
}

/// RFC 3986 §3.1: "scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )".
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn read_scheme(text: &str) -> Result<Scheme, UrlError> {
    match text.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        other => Err(UrlError::Unsupported(other.to_owned())),
    }
}

fn read_authority(text: &str) -> Result<(String, Option<u16>), UrlError> {
    if text.contains('@') {
        return Err(UrlError::Malformed("user names are not understood"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or(UrlError::Malformed("`[` without `]`"))?;
            let address: Ipv6Addr = address.parse().map_err(|_| UrlError::Malformed("no IPv6 address in brackets"))?;
            let port = after.strip_prefix(':');
            if port.is_none() && !after.is_empty() {
                return Err(UrlError::Malformed("something stands behind `]`"));
            }
            (address.to_string(), port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (text.to_ascii_lowercase(), None),
        },
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(UrlError::Malformed("no host in it"));
    }
    let port = match port {
        None | Some("") => None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port: u16 = port.parse().map_err(|_| UrlError::Malformed("port number was not between 1 and 65535"))?;
            Some(Some(port).filter(|port| *port > 0).ok_or(UrlError::Malformed("nobody listens at port 0"))?)
        }
        Some(_) => return Err(UrlError::Malformed("port number was not a decimal number")),
    };
    Ok((host, port))
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

/// What is not ASCII as `%` and two digits for each byte.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && !matches!(letter, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}') {
            escaped.push(letter);
        } else {
            let mut bytes = [0; 4];
            letter.encode_utf8(&mut bytes).bytes().for_each(|byte| escaped.push_str(&format!("%{byte:02X}")));
        }
    }
    escaped
}

/// RFC 3986 §5.2.4: `.` is here, `..` is up, and nothing is above the top.
fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let leading = path.len() - path.trim_start_matches('/').len();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        match *segment {
            "." if is_last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    // More than one slash in front is the server's own affair.
    format!("{}{}", "/".repeat(leading.max(1)), kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> String {
        Url::parse(text).map_or_else(|error| error.to_string(), |url| url.to_string())
    }

    #[test]
    fn what_need_not_be_said_is_not_said() {
        assert_eq!(url("http://server"), "http://server/");
        assert_eq!(url("server/a?b=c#d"), "http://server/a?b=c");
        assert_eq!(url("HTTPS://Server:443/A"), "https://server/A");
        assert_eq!(url("https://server:80/"), "https://server:80/");
        assert_eq!(url("http://[2001:DB8::1]:8080/x"), "http://[2001:db8::1]:8080/x");
        assert_eq!(url("http://server?q"), "http://server/?q");
        assert_eq!(url("http://server/ä"), "http://server/%C3%A4");
        assert_eq!(url("localhost:8000/x"), "http://localhost:8000/x");
    }

    #[test]
    fn what_is_none_is_refused_with_a_reason() {
        for text in [
            "",
            "http://",
            "http://a b/",
            "http://a:0/",
            "http://a:65536/",
            "http://a:x/",
            "http://u@a/",
            "http://[::1/",
            "http://[1.2.3.4]/",
            "/only/a/path",
        ] {
            assert!(matches!(Url::parse(text), Err(UrlError::Malformed(_))), "{text}");
        }
        assert_eq!(Url::parse("gopher://a/"), Err(UrlError::Unsupported("gopher".to_owned())));
    }

    #[test]
    fn references_mean_what_the_standard_says() {
        // RFC 3986 §5.4, with http and without the empty path's parameters.
        let base = Url::parse("http://a/b/c/d?q").unwrap();
        for (reference, meant) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d?q"),
            ("", "http://a/b/c/d?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("https://z/x", "https://z/x"),
            ("a b", "http://a/b/c/a%20b"),
        ] {
            assert_eq!(base.resolve(reference).unwrap().to_string(), meant, "{reference}");
        }
        assert!(matches!(base.resolve("mailto:x"), Err(UrlError::Unsupported(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_is_read_back_as_the_same(text in "(https?://)?[a-z0-9.]{1,8}(:[0-9]{1,5})?(/[a-z./?%é{}]{0,12})?") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.to_string()), Ok(url));
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,60}", reference in ".{0,60}") {
            let _ = Url::parse(&text);
            let _ = Url::parse("http://a/b/c").unwrap().resolve(&reference);
        }
    }
}
