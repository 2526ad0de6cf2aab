//! What a scenario says of a page.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use super::content::{Content, Pace};
use crate::app::calendar::Moment;
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read as _, Table};
use crate::units::Size;

/// What can be asked of pages: the methods of RFC 9110 §9 and RFC 5789, but for CONNECT and TRACE, which no page answers.
pub(super) const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The largest pattern that a page may be.
const BYTES_MAX: u64 = 1 << 40;

const DOES: &[&str] = &["echo", "login", "logout", "show-request", "store", "visit"];
const FAILS: &[&str] = &["close", "cut", "reset", "silence"];

/// The headers that follow from the answer itself.
const MADE_BY_THE_SERVER: [&str; 4] = ["content-length", "date", "server", "transfer-encoding"];

pub(super) static FIELDS: &[Field] = &[
    Field {
        name: "text",
        form: Form::Text,
        need: Need::Optional,
        doc: "What it says. `{user}`, `{visits}`, `{method}`, `{path}` and `{host}` are filled in.",
    },
    Field { name: "bytes", form: Form::Size, need: Need::Optional, doc: "Or so many bytes of a pattern." },
    Field {
        name: "status",
        form: Form::Integer { min: 200, max: 599 },
        need: Need::Default("200"),
        doc: "The status code; 302 where there is a `redirect`.",
    },
    Field {
        name: "type",
        form: Form::Text,
        need: Need::Optional,
        doc: "The media type; `text/html` where the text begins with `<`, else `text/plain`, or `application/octet-stream` for `bytes`.",
    },
    Field {
        name: "headers",
        form: Form::Map(&Form::Text),
        need: Need::Optional,
        doc: "More headers: `{ Cache-Control = \"no-store\" }`.",
    },
    Field {
        name: "cookies",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "What it has the client remember, each as a `Set-Cookie` header says it: `theme=dark; Path=/; Max-Age=3600`.",
    },
    Field {
        name: "redirect",
        form: Form::Text,
        need: Need::Optional,
        doc: "Where the client is sent instead; for `login` and `logout`, where to afterwards. `{path}` is what was asked for.",
    },
    Field {
        name: "methods",
        form: Form::List(&Form::OneOf(&METHODS)),
        need: Need::Optional,
        doc: "What may be asked of it; anything else is answered by 405. GET and HEAD, or what it does.",
    },
    Field {
        name: "does",
        form: Form::OneOf(DOES),
        need: Need::Optional,
        doc: "What it does beside saying something: sends the body back; logs in by a form with `user` and `password`, or out; tells what the request was; keeps what is PUT below it; counts the visits of each session.",
    },
    Field {
        name: "needs_login",
        form: Form::Text,
        need: Need::Optional,
        doc: "The page to which who is not logged in is sent; `\"\"`: he gets a 401.",
    },
    Field {
        name: "modified",
        form: Form::Text,
        need: Need::Optional,
        doc: "When it was last changed: a date, for `Last-Modified` and `If-Modified-Since`.",
    },
    Field {
        name: "delay",
        form: Form::Duration,
        need: Need::Default("0s"),
        doc: "How long the server thinks before it answers.",
    },
    Field {
        name: "chunk",
        form: Form::Size,
        need: Need::Optional,
        doc: "Sends it without a length beforehand, in chunks of this size, at most 16 KiB.",
    },
    Field {
        name: "pause",
        form: Form::Duration,
        need: Need::Default("0s"),
        doc: "How long it waits between one chunk and the next, or between every 16 KiB.",
    },
    Field {
        name: "fails",
        form: Form::OneOf(FAILS),
        need: Need::Optional,
        doc: "How it goes wrong: the connection is closed without an answer, in the middle of it, or reset; or no answer ever comes.",
    },
];

/// What a page does beside saying something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Echo,
    Login,
    Logout,
    ShowRequest,
    Store,
    Visit,
}

impl Does {
    /// What may be asked of it.
    pub(super) const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Echo | Self::ShowRequest => &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
            Self::Login | Self::Logout => &["GET", "HEAD", "OPTIONS", "POST"],
            Self::Store => &["DELETE", "GET", "HEAD", "OPTIONS", "PUT"],
            Self::Visit => &["GET", "HEAD", "OPTIONS"],
        }
    }
}

/// How a page goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fails {
    Close,
    Reset,
    Silence,
}

/// What stands at a path.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) has_gaps: bool,
    pub(super) media_type: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) cookies: Vec<HeaderValue>,
    pub(super) redirect: Option<String>,
    pub(super) methods: Vec<&'static str>,
    pub(super) does: Option<Does>,
    pub(super) needs_login: Option<String>,
    pub(super) modified: Option<Moment>,
    pub(super) delay: Duration,
    pub(super) pace: Pace,
    pub(super) fails: Option<Fails>,
}

/// What is filled into texts.
pub(super) const GAPS: [&str; 5] = ["{user}", "{visits}", "{method}", "{path}", "{host}"];

impl Page {
    /// Reads a page: a text, or a table.
    pub(super) fn read(item: &Item<'_>) -> Option<Self> {
        if let Some(text) = item.value.as_str() {
            return Some(Self::of(text));
        }
        let Some(table) = item.value.as_table().and_then(|_| Table::read(item)) else {
            item.expected("text, or a table,");
            return None;
        };
        table.check(&[FIELDS], &[]);
        let mut page = read_content(&table)?;
        page.headers = read_headers(&table);
        page.cookies = read_cookies(&table);
        page.redirect = table.get("redirect");
        if let Some(redirect) = &page.redirect
            && (redirect.is_empty() || HeaderValue::from_str(redirect).is_err())
        {
            table.report("redirect", "no header can say this", "such as \"/new\" or \"https://server/\"");
        }
        page.does = match table.one_of("does", DOES) {
            Some("echo") => Some(Does::Echo),
            Some("login") => Some(Does::Login),
            Some("logout") => Some(Does::Logout),
            Some("show-request") => Some(Does::ShowRequest),
            Some("store") => Some(Does::Store),
            Some("visit") => Some(Does::Visit),
            _ => None,
        };
        page.status = read_status(&table, page.redirect.is_some() && page.does.is_none());
        page.methods = match read_methods(&table) {
            Some(methods) => methods,
            None => page.does.map_or(&["GET", "HEAD", "OPTIONS"][..], Does::methods).to_vec(),
        };
        page.needs_login = table.get("needs_login");
        if page.needs_login.as_deref().is_some_and(|to| HeaderValue::from_str(to).is_err()) {
            table.report("needs_login", "no header can say this", "such as \"/login\"");
        }
        page.modified = Moment::read(&table, "modified");
        page.delay = table.get_or("delay", Duration::ZERO);
        page.pace.chunk = table.get::<Size>("chunk").map(Size::bytes);
        if page.pace.chunk == Some(0) {
            table.report("chunk", "a chunk of nothing ends the body", "at least \"1B\"");
            page.pace.chunk = None;
        }
        page.pace.pause = table.get_or("pause", Duration::ZERO);
        match table.one_of("fails", FAILS) {
            Some("close") => page.fails = Some(Fails::Close),
            Some("cut") => page.pace.is_cut = true,
            Some("reset") => page.fails = Some(Fails::Reset),
            Some("silence") => page.fails = Some(Fails::Silence),
            _ => {}
        }
        Some(page)
    }

    fn of(text: &str) -> Self {
        let media_type = if text.trim_start().starts_with('<') { "text/html" } else { "text/plain" };
        Self {
            status: 200,
            content: Content::text(text),
            has_gaps: GAPS.iter().any(|gap| text.contains(gap)),
            media_type: media_type.to_owned(),
            headers: Vec::new(),
            cookies: Vec::new(),
            redirect: None,
            methods: vec!["GET", "HEAD", "OPTIONS"],
            does: None,
            needs_login: None,
            modified: None,
            delay: Duration::ZERO,
            pace: Pace::default(),
            fails: None,
        }
    }

    /// Whether it says something of its own.
    pub(super) fn has_content(&self) -> bool {
        self.content != Content::EMPTY
    }
}

fn read_content(table: &Table<'_>) -> Option<Page> {
    let (text, size) = (table.get::<String>("text"), table.get::<Size>("bytes"));
    if table.has("text") && table.has("bytes") {
        table.report("bytes", "both `text` and `bytes` are given", "leave one of them out");
        return None;
    }
    let mut page = Page::of(&text.unwrap_or_default());
    if let Some(size) = size {
        if size.bytes() > BYTES_MAX {
            table.report("bytes", "a page of more than 1 TiB", "less");
        }
        page.content = Content::Pattern(size.bytes());
        page.media_type = "application/octet-stream".to_owned();
    }
    if let Some(media_type) = table.get::<Located<String>>("type") {
        if HeaderValue::from_str(&media_type.value).is_err() {
            let diagnostic = Diagnostic::new(media_type.span, "no header can say this");
            table.reader.report(diagnostic.label("such as \"application/json\""));
        }
        page.media_type = media_type.value;
    }
    Some(page)
}

fn read_status(table: &Table<'_>, is_redirect: bool) -> u16 {
    let default = if is_redirect { 302 } else { 200 };
    let status = crate::app::fields::integer(table, "status", 200, 599).unwrap_or(default);
    let status = u16::try_from(status).expect("at most 599");
    // RFC 9110 §15.4, RFC 5861: those whose Location a client follows.
    if is_redirect && !matches!(status, 301 | 302 | 303 | 307 | 308) {
        table.report("status", format!("{status} sends nobody anywhere"), "301, 302, 303, 307 or 308");
    }
    if !has_body(status) && (table.has("text") || table.has("bytes")) {
        table.report("status", format!("an answer with status {status} has no body"), "leave `text` and `bytes` out");
    }
    status
}

/// RFC 9110 §15.3.5, §15.4.5: 204 and 304 end with their headers; and RFC 9110 §15.3.6: 205 has nothing to say.
pub(super) fn has_body(status: u16) -> bool {
    !matches!(status, 204 | 205 | 304)
}

/// The reason behind a status code.
pub(super) fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}

fn read_headers(table: &Table<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let Some(headers) = table.get::<Table<'_>>("headers") else { return Vec::new() };
    let mut read = Vec::new();
    for (key, item) in headers.entries() {
        let Some(value) = item.text("text in quotes") else { continue };
        if MADE_BY_THE_SERVER.contains(&key.value.to_ascii_lowercase().as_str()) {
            let title = format!("`{}` follows from the answer itself", key.value);
            table.reader.report(Diagnostic::new(key.span, title).label("leave it out"));
            continue;
        }
        match (HeaderName::from_bytes(key.value.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => read.push((name, value)),
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
    read
}

fn read_cookies(table: &Table<'_>) -> Vec<HeaderValue> {
    let written: Vec<Located<String>> = table.get("cookies").unwrap_or_default();
    let read = |text: Located<String>| {
        let is_cookie = super::cookie::SetCookie::parse(&text.value).is_some();
        let value = HeaderValue::from_str(&text.value).ok().filter(|_| is_cookie);
        if value.is_none() {
            let diagnostic = Diagnostic::new(text.span, format!("`{}` is no cookie", text.value));
            table.reader.report(diagnostic.label("such as \"theme=dark; Path=/; Max-Age=3600\""));
        }
        value
    };
    written.into_iter().filter_map(read).collect()
}

fn read_methods(table: &Table<'_>) -> Option<Vec<&'static str>> {
    let written: Vec<Located<String>> = table.get("methods")?;
    let mut methods = Vec::new();
    for method in written {
        match METHODS.iter().find(|known| **known == method.value) {
            Some(method) if !methods.contains(method) => methods.push(*method),
            Some(_) => {}
            None => {
                let title = format!("no page answers to `{}`", method.value);
                table.reader.report(Diagnostic::new(method.span, title).not_among(&method.value, METHODS));
            }
        }
    }
    // RFC 9110 §9.3.2: HEAD is GET without the content.
    if methods.contains(&"GET") && !methods.contains(&"HEAD") {
        methods.push("HEAD");
    }
    if !methods.contains(&"OPTIONS") {
        methods.push("OPTIONS");
    }
    methods.sort_unstable();
    Some(methods)
}
