//! What a scenario has a client ask for.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};

use super::content::Content;
use super::url::{Scheme, Url, UrlError};
use crate::app::tls;
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read as _, Table};
use crate::units::Size;

/// The largest body that may be sent.
const BODY_MAX: u64 = 64 << 20;

pub(super) const URL: Field = Field {
    name: "url",
    form: Form::List(&Form::Text),
    need: Need::Optional,
    doc: "What to fetch: `http://server/`, or several, one after the other.",
};

/// What can be said of a single request, or of all of them.
pub(super) const METHOD: Field = Field {
    name: "method",
    form: Form::Text,
    need: Need::Optional,
    doc: "The method; GET, or POST where there is something to send.",
};
pub(super) const HEADERS: Field = Field {
    name: "headers",
    form: Form::Map(&Form::Text),
    need: Need::Optional,
    doc: "More headers: `{ Accept = \"text/html\" }`. Instead of its own where they have the same name; none of its own where they are empty.",
};
pub(super) const DATA: Field = Field {
    name: "data",
    form: Form::Text,
    need: Need::Optional,
    doc: "What to send, as a form: `user=alice&password=secret`. Another `Content-Type` can be given in `headers`.",
};
pub(super) const DATA_BYTES: Field =
    Field { name: "data_bytes", form: Form::Size, need: Need::Optional, doc: "Or so many bytes of a pattern to send." };
pub(super) const RANGE: Field = Field {
    name: "range",
    form: Form::Text,
    need: Need::Optional,
    doc: "Which bytes to ask for: `0-99`, `100-`, `-50`.",
};
pub(super) const COOKIE: Field = Field {
    name: "cookie",
    form: Form::Text,
    need: Need::Optional,
    doc: "Cookies to send beside those of the jar: `a=1; b=2`.",
};

pub(super) static REQUEST_FIELDS: &[Field] = &[URL, METHOD, HEADERS, DATA, DATA_BYTES, RANGE, COOKIE];

/// One request, as it is first made.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) url: Url,
    pub(super) asks: Asks,
}

/// What is said beside the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Asks {
    pub(super) method: Method,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that are not sent at all.
    pub(super) without: Vec<HeaderName>,
    pub(super) body: Option<Bytes>,
    pub(super) is_form: bool,
}

/// Reads all requests of a client: those of its own keys, or those of the tables in `requests`.
pub(super) fn read_all(table: &Table<'_>) -> Vec<Wanted> {
    let tables: Vec<Item<'_>> = table.get("requests").unwrap_or_default();
    if !tables.is_empty() && table.has("url") {
        table.report("url", "both `url` and `requests` are given", "leave one of them out");
    }
    if tables.is_empty() {
        let lack = Diagnostic::new(table.span.clone(), format!("`{}` does not say what to fetch", table.path));
        if !table.has("url") {
            table.report_lack(lack.label("`url = \"http://server/\"` is missing"), &["url", "requests"]);
        }
        return read_one(table);
    }
    let read = |item: Item<'_>| {
        let Some(table) = Table::read(&item) else { return Vec::new() };
        table.check(&[REQUEST_FIELDS], &[]);
        if !table.has("url") {
            let lack = Diagnostic::new(table.span.clone(), format!("`{}` does not say what to fetch", table.path));
            table.report_lack(lack.label("`url = \"http://server/\"` is missing"), &["url"]);
        }
        read_one(&table)
    };
    tables.into_iter().flat_map(read).collect()
}

fn read_one(table: &Table<'_>) -> Vec<Wanted> {
    let asks = read_asks(table);
    let urls: Vec<Located<String>> = table.get("url").unwrap_or_default();
    let mut wanted = Vec::new();
    for text in urls {
        let url = match Url::parse(&text.value) {
            Ok(url) => url,
            Err(error) => {
                let title = format!("`{}` is not the address of a page", text.value);
                let label = match error {
                    UrlError::Malformed(why) => why.to_owned(),
                    UrlError::Unsupported(scheme) => format!("nobody here speaks {scheme}"),
                };
                table.reader.report(Diagnostic::new(text.span, title).label(label));
                continue;
            }
        };
        if url.origin.scheme == Scheme::Https && !tls::IS_HERE {
            let title = "this build of hopwise speaks no TLS";
            table.reader.report(Diagnostic::new(text.span, title).label("it was made without the feature `tls`"));
            continue;
        }
        wanted.push(Wanted { url, asks: asks.clone() });
    }
    wanted
}

fn read_asks(table: &Table<'_>) -> Asks {
    let mut asks = Asks::default();
    if let Some(data) = table.get::<String>("data") {
        (asks.body, asks.is_form) = (Some(data.into()), true);
    }
    if let Some(size) = table.get::<Size>("data_bytes") {
        if table.has("data") {
            table.report("data_bytes", "both `data` and `data_bytes` are given", "leave one of them out");
        } else if size.bytes() > BODY_MAX {
            table.report("data_bytes", "more than 64 MiB to send", "less");
        } else {
            asks.body = Some(Content::Pattern(size.bytes()).piece(0, size.bytes()));
        }
    }
    asks.method = match table.get::<Located<String>>("method") {
        Some(method) => Method::from_bytes(method.value.as_bytes()).unwrap_or_else(|_| {
            let title = format!("`{}` is no method", method.value);
            table.reader.report(Diagnostic::new(method.span, title).label("such as \"GET\", \"POST\" or \"HEAD\""));
            Method::GET
        }),
        None if asks.body.is_some() => Method::POST,
        None => Method::GET,
    };
    if asks.method == Method::CONNECT {
        table.report("method", "CONNECT is for proxies", "such as \"GET\", \"POST\" or \"HEAD\"");
    }
    let headers = table.get::<Table<'_>>("headers");
    for (key, item) in headers.iter().flat_map(Table::entries) {
        let Some(value) = item.text("text in quotes") else { continue };
        match (HeaderName::from_bytes(key.value.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(_)) if matches!(name.as_str(), "content-length" | "transfer-encoding") => {
                let title = format!("`{}` follows from what is sent", key.value);
                table.reader.report(Diagnostic::new(key.span, title).label("leave it out"));
            }
            (Ok(name), Ok(_)) if value.is_empty() => asks.without.push(name),
            (Ok(name), Ok(value)) => asks.headers.push((name, value)),
            (Err(_), _) => {
                let title = format!("`{}` is no name of a header", key.value);
                table.reader.report(Diagnostic::new(key.span, title).label("letters, digits and `-`"));
            }
            (_, Err(_)) => {
                let diagnostic = Diagnostic::new(item.span.clone(), "no header can say this");
                table.reader.report(diagnostic.label("printable ASCII in one line"));
            }
        }
    }
    for (key, name, prefix) in [("range", "range", "bytes="), ("cookie", "cookie", "")] {
        let Some(text) = table.get::<Located<String>>(key) else { continue };
        if key == "range" && !text.value.split(',').all(is_range) {
            let diagnostic = Diagnostic::new(text.span, format!("`{}` is no range of bytes", text.value));
            table.reader.report(diagnostic.label("such as \"0-99\", \"100-\" or \"-50\""));
            continue;
        }
        match HeaderValue::from_str(&format!("{prefix}{}", text.value)) {
            Ok(value) => asks.headers.push((HeaderName::from_static(name), value)),
            Err(_) => {
                let diagnostic = Diagnostic::new(text.span, "no header can say this");
                table.reader.report(diagnostic.label("printable ASCII in one line"));
            }
        }
    }
    asks
}

/// Whether it looks like RFC 9110 §14.1.1's `int-range` or `suffix-range`. One that makes no sense may be asked for: what the server
/// says of it is worth seeing.
fn is_range(text: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    text.trim()
        .split_once('-')
        .is_some_and(|(first, last)| is_number(first) && is_number(last) && !(first.is_empty() && last.is_empty()))
}
