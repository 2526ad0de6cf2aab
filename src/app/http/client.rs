//! `curl`: fetches pages, and tells about it as curl does.
//!
//! Requests are made one after the other, over connections that are used again where both sides like that. Redirects are
//! followed where the scenario says so, cookies kept and sent back, times measured from the beginning of each transfer. A
//! transfer that fails has curl's number for it; the program fails if the last one did.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use super::cookie::{Jar, SetCookie};
use super::failure::Failure;
use super::pool::{Milestones, Open, Pool};
use super::request::{self, Asks, Wanted};
use super::url::Url;
use crate::app::fields::Family;
use crate::app::payload::Excerpt;
use crate::app::tls::{self, ClientSettings, Connector};
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError};
use crate::read::{Diagnostic, Field, Form, Kind, Located, Need, Table};
use crate::record::Value;
use crate::time::Time;
use crate::units::format_duration;

/// How many lines of a body are shown.
const LINES_SHOWN: usize = 20;

/// How many transfers one client may make.
const TRANSFERS_MAX: u64 = 1_000_000;

/// How many transfers' results are listed.
const LISTED_MAX: usize = 1000;

pub(in crate::app) const KIND: Kind<AppBuilder> = Kind {
    name: "curl",
    doc: "Fetches web pages: methods, headers, data, cookies, redirects, ranges, timeouts, TLS; reports as curl does.",
    example: "page = { on = \"client\", kind = \"curl\", url = \"http://server/\" }",
    fields: &[
        request::URL,
        Field {
            name: "requests",
            form: Form::List(&Form::Table(request::REQUEST_FIELDS)),
            need: Need::Optional,
            doc: "Or several requests, each with keys of its own.",
        },
        request::METHOD,
        request::HEADERS,
        request::DATA,
        request::DATA_BYTES,
        request::RANGE,
        request::COOKIE,
        Field {
            name: "verbose",
            form: Form::Either(&[Form::Boolean, Form::List(&Form::Text)]),
            need: Need::Default("false"),
            doc: "Whether it tells what it says, hears and does, as `curl -v` does; or a list of headers: only first lines, these headers and bodies.",
        },
        Field {
            name: "follow",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether redirects are followed, as with `curl --location`.",
        },
        Field {
            name: "max_redirects",
            form: Form::Integer { min: 0, max: 1000 },
            need: Need::Default("50"),
            doc: "How many redirects are followed.",
        },
        Field {
            name: "cookies",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether cookies are kept from one request to the next: a jar.",
        },
        Field {
            name: "keep_alive",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether connections are used again; if not, each request says `Connection: close`.",
        },
        Field {
            name: "fail",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether a status of 400 or more is a failure, as with `curl --fail`.",
        },
        Field {
            name: "repeat",
            form: Form::Integer { min: 1, max: 1_000_000 },
            need: Need::Default("1"),
            doc: "How many times all of it is done.",
        },
        Field {
            name: "pause",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "How long it waits between one request and the next.",
        },
        Field {
            name: "connect_timeout",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long a connection may take, TLS included; TCP's own patience where absent.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long each transfer may take, redirects included, as with `curl --max-time`.",
        },
        Field {
            name: "resolve",
            form: Form::Map(&Form::Address),
            need: Need::Optional,
            doc: "Addresses of names that nobody is asked for: `{ \"www.example.com:80\" = \"10.0.0.2\" }`.",
        },
        Field {
            name: "user_agent",
            form: Form::Text,
            need: Need::Default("curl/8 (hopwise)"),
            doc: "What it calls itself.",
        },
        fields::FAMILY,
        tls::CLIENT_FIELD,
    ],
    build,
};

pub(in crate::app) const OUTCOMES: &[Outcome] = &[
    ("status", "The status code of the last answer; 0 if there was none."),
    ("body", "The first 200 characters of the last body, without the end of its last line."),
    ("size", "How many bytes of body the last transfer brought."),
    ("type", "Text: the media type of the last answer."),
    ("url", "Text: where the last transfer ended, redirects followed."),
    ("redirects", "How many redirects the last transfer followed."),
    ("exit_code", "The exit code that curl has for how the last transfer ended; 0 if it was well."),
    ("failure", "Text: why it failed, as curl says it; empty if it did not."),
    ("requests", "How many transfers there were."),
    ("failed", "How many of them failed."),
    ("statuses", "List: the status code of each transfer, of up to 1000."),
    ("times", "List: how long each took."),
    ("connections", "How many connections were made."),
    ("cookies", "List: `name=value` of each cookie in the jar."),
    (
        "time_lookup",
        "From the beginning of the last transfer: until the name was known. As with curl these times are zero if the moment was not reached, and where a connection was used again.",
    ),
    ("time_connect", "Until the connection was made."),
    ("time_tls", "Until it was encrypted."),
    ("time_starttransfer", "Until the first bytes of the answer were there."),
    ("time_total", "Until all of it was there, or it had failed."),
    ("tls_version", "Text: `TLSv1.3`, if a connection was encrypted."),
    ("tls_cipher", "Text: such as `TLS_AES_256_GCM_SHA384`."),
    ("tls_resumed", "Whether the last handshake went on with an earlier session."),
];

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verbosity {
    /// A line for each transfer.
    Brief,
    /// First lines, bodies, and these headers too.
    Headers(Vec<HeaderName>),
    /// Everything.
    Full,
}

impl Verbosity {
    fn read(table: &Table<'_>) -> Self {
        let Some(item) = table.item("verbose") else { return Self::Brief };
        match item.value.as_bool() {
            Some(true) => return Self::Full,
            Some(false) => return Self::Brief,
            None => {}
        }
        let names: Vec<Located<String>> = table.get("verbose").unwrap_or_default();
        let read = |name: Located<String>| {
            let read = HeaderName::from_bytes(name.value.as_bytes());
            if read.is_err() {
                let title = format!("`{}` is no name of a header", name.value);
                table.reader.report(Diagnostic::new(name.span, title).label("such as \"Set-Cookie\""));
            }
            read.ok()
        };
        Self::Headers(names.into_iter().filter_map(read).collect())
    }

    fn shows_header(&self, name: &HeaderName) -> bool {
        match self {
            Self::Brief => false,
            Self::Headers(names) => names.contains(name),
            Self::Full => true,
        }
    }
}

#[derive(Debug)]
struct Plan {
    wanted: Vec<Wanted>,
    verbosity: Verbosity,
    follows: bool,
    redirects_max: u64,
    keeps_cookies: bool,
    keeps_alive: bool,
    fails_on_status: bool,
    repeat: u64,
    pause: Duration,
    connect_timeout: Option<Duration>,
    timeout: Option<Duration>,
    resolve: BTreeMap<(String, u16), IpAddr>,
    user_agent: HeaderValue,
    family: Family,
    tls: ClientSettings,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let wanted = request::read_all(table);
    let agent: Option<Located<String>> = table.get("user_agent");
    let agent = agent.unwrap_or_else(|| Located { value: "curl/8 (hopwise)".to_owned(), span: table.span.clone() });
    let user_agent = HeaderValue::from_str(&agent.value).unwrap_or_else(|_| {
        table.report("user_agent", "no header can say this", "printable ASCII in one line");
        HeaderValue::from_static("curl")
    });
    let repeat = fields::integer(table, "repeat", 1, TRANSFERS_MAX).unwrap_or(1);
    if (wanted.len() as u64).saturating_mul(repeat) > TRANSFERS_MAX {
        table.report("repeat", "more than a million transfers", "less");
    }
    let plan = Plan {
        verbosity: Verbosity::read(table),
        follows: table.get_or("follow", false),
        redirects_max: fields::integer(table, "max_redirects", 0, 1000).unwrap_or(50),
        keeps_cookies: table.get_or("cookies", true),
        keeps_alive: table.get_or("keep_alive", true),
        fails_on_status: table.get_or("fail", false),
        repeat,
        pause: table.get_or("pause", Duration::ZERO),
        connect_timeout: table.get("connect_timeout"),
        timeout: table.get("timeout"),
        resolve: read_resolve(table),
        user_agent,
        family: Family::read(table),
        tls: ClientSettings::read(table),
        wanted,
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

fn read_resolve(table: &Table<'_>) -> BTreeMap<(String, u16), IpAddr> {
    let mut resolve = BTreeMap::new();
    for (key, item) in table.get::<Table<'_>>("resolve").iter().flat_map(Table::entries) {
        let Some(address) = <IpAddr as crate::read::Read<'_>>::read(&item) else { continue };
        let name =
            key.value.rsplit_once(':').and_then(|(name, port)| Some((name.to_ascii_lowercase(), port.parse().ok()?)));
        match name {
            Some(name) => drop(resolve.insert(name, address)),
            None => {
                let title = format!("`{}` is no name with a port", key.value);
                table.reader.report(Diagnostic::new(key.span, title).label("such as \"www.example.com:80\""));
            }
        }
    }
    resolve
}

/// What is known of a transfer, as it goes on.
#[derive(Debug, Default)]
struct Seen {
    status: u16,
    received: u64,
    media_type: String,
    redirects: u64,
    milestones: Milestones,
    first_byte: Option<Time>,
    excerpt: Excerpt,
    is_empty: bool,
}

struct Client {
    net: Net,
    plan: Arc<Plan>,
    pool: Pool,
    jar: Jar,
    statuses: Vec<Value>,
    times: Vec<Value>,
    transfers: u64,
    failed: u64,
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let connector = if tls::IS_HERE { Some(Connector::new(&net, &plan.tls)?) } else { None };
    let is_full = plan.verbosity == Verbosity::Full;
    let pool = Pool::new(&net, plan.family, plan.connect_timeout, plan.resolve.clone(), connector, is_full);
    let mut client = Client {
        net: net.clone(),
        plan: Arc::clone(&plan),
        pool,
        jar: Jar::default(),
        statuses: Vec::new(),
        times: Vec::new(),
        transfers: 0,
        failed: 0,
    };
    let mut result: Result<(), Failure> = Ok(());
    let mut is_first = true;
    for _ in 0..plan.repeat {
        for wanted in &plan.wanted {
            if let Err(failure) = &result {
                // That of the last one is told when the program ends.
                net.log(|| failure.to_string());
            }
            if !std::mem::take(&mut is_first) && !plan.pause.is_zero() {
                net.sleep(plan.pause).await;
            }
            result = client.transfer(wanted).await;
        }
    }
    client.pool.close_all().await;
    result.map_err(|failure| ProgramError::new(failure.to_string()))
}

impl Client {
    /// Tells what is only told in full.
    fn say(&self, text: impl FnOnce() -> String) {
        if self.plan.verbosity == Verbosity::Full {
            self.net.log(text);
        }
    }

    /// Tells what belongs to the messages themselves.
    fn show(&self, text: impl FnOnce() -> String) {
        if self.plan.verbosity != Verbosity::Brief {
            self.net.log(text);
        }
    }

    /// Fetches one page, redirects included, and reports how it went.
    async fn transfer(&mut self, wanted: &Wanted) -> Result<(), Failure> {
        let begun = self.net.now();
        let (mut seen, mut url) = (Seen::default(), wanted.url.clone());
        let net = self.net.clone();
        let limit = self.plan.timeout;
        let hops = self.hops(wanted, &mut url, &mut seen);
        let mut result = match limit {
            None => hops.await,
            Some(limit) => net.timeout(limit, hops).await.unwrap_or_else(|_| Err(Failure::timeout(limit, 0))),
        };
        if let (Err(failure), Some(limit)) = (&mut result, limit)
            && *failure == Failure::timeout(limit, 0)
        {
            *failure = Failure::timeout(limit, seen.received);
        }
        if result.is_ok() && self.plan.fails_on_status && seen.status >= 400 {
            result = Err(Failure::new(22, format!("The requested URL returned error: {}", seen.status)));
        }
        self.report(wanted, &url, &seen, begun, result.as_ref().err());
        result
    }

    async fn hops(&mut self, wanted: &Wanted, url: &mut Url, seen: &mut Seen) -> Result<(), Failure> {
        let mut asks = wanted.asks.clone();
        loop {
            let next = self.exchange(url, &asks, &wanted.url, seen).await?;
            let Some(next) = next.filter(|_| self.plan.follows) else { return Ok(()) };
            if seen.redirects >= self.plan.redirects_max {
                return Err(Failure::new(47, format!("Maximum ({}) redirects followed", self.plan.redirects_max)));
            }
            seen.redirects += 1;
            let to = url.resolve(&next).map_err(|error| Failure::address(&error))?;
            self.say(|| format!("* Issue another request to this URL: '{to}'"));
            let method = next_method(seen.status, &asks.method);
            if method != asks.method {
                self.say(|| format!("* Switch from {} to {method}", asks.method));
                (asks.body, asks.is_form) = (None, false);
                asks.method = method;
            }
            *url = to;
        }
    }

    /// Makes one request; where its answer sends the client, if it does.
    async fn exchange(
        &mut self,
        url: &Url,
        asks: &Asks,
        first: &Url,
        seen: &mut Seen,
    ) -> Result<Option<String>, Failure> {
        loop {
            let mut open = self.pool.open(&url.origin, &mut seen.milestones).await?;
            let request = self.request(url, asks, first);
            self.show_request(&request);
            let sent = open.sender.send_request(request).await;
            match sent {
                Ok(response) => return self.receive(url, asks, open, response, seen).await,
                Err(error) => {
                    let failure = Failure::before_answer(&error);
                    let is_again = failure.is_stale && open.is_reused;
                    self.pool.close(open).await;
                    if !is_again {
                        return Err(failure);
                    }
                    self.say(|| "* Connection died, retrying a fresh connect".to_owned());
                }
            }
        }
    }

    fn request(&self, url: &Url, asks: &Asks, first: &Url) -> Request<Full<hyper::body::Bytes>> {
        let mut headers = HeaderMap::new();
        let host = HeaderValue::from_str(&url.origin.host_header()).expect("a host is letters, digits and signs");
        headers.insert(header::HOST, host);
        headers.insert(header::USER_AGENT, self.plan.user_agent.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        if asks.is_form {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
        }
        if let Some(body) = &asks.body {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        if !self.plan.keeps_alive {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let is_own = url.origin == first.origin;
        for (name, value) in &asks.headers {
            // What is meant for one host is not told another to which that has sent the client.
            let is_secret = matches!(*name, header::AUTHORIZATION | header::COOKIE | header::HOST);
            if is_own || !is_secret {
                headers.insert(name.clone(), value.clone());
            }
        }
        if self.plan.keeps_cookies
            && let Some(kept) = self.jar.header(url, self.net.now())
        {
            let given = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
            let all = given.map_or_else(|| kept.clone(), |given| format!("{kept}; {given}"));
            if let Ok(all) = HeaderValue::from_str(&all) {
                headers.insert(header::COOKIE, all);
            }
        }
        for name in &asks.without {
            headers.remove(name);
        }
        let mut request = Request::new(Full::new(asks.body.clone().unwrap_or_default()));
        *request.method_mut() = asks.method.clone();
        *request.uri_mut() = url.target().parse().unwrap_or_default();
        *request.headers_mut() = headers;
        request
    }

    fn show_request(&self, request: &Request<Full<hyper::body::Bytes>>) {
        self.show(|| format!("> {} {} HTTP/1.1", request.method(), request.uri()));
        for (name, value) in request.headers() {
            if self.plan.verbosity.shows_header(name) {
                self.net.log(|| format!("> {}", spell(name, value)));
            }
        }
        self.say(|| ">".to_owned());
    }

    async fn receive(
        &mut self,
        url: &Url,
        asks: &Asks,
        open: Open,
        response: Response<Incoming>,
        seen: &mut Seen,
    ) -> Result<Option<String>, Failure> {
        let (head, mut body) = response.into_parts();
        let now = self.net.now();
        seen.first_byte = Some(now);
        (seen.status, seen.received, seen.excerpt) = (head.status.as_u16(), 0, Excerpt::default());
        seen.media_type = header_text(&head.headers, header::CONTENT_TYPE).unwrap_or_default();
        self.show(|| {
            let reason = head
                .extensions
                .get::<hyper::ext::ReasonPhrase>()
                .map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
            let reason = reason.or_else(|| head.status.canonical_reason().map(str::to_owned)).unwrap_or_default();
            format!("< {:?} {} {reason}", head.version, head.status.as_u16())
        });
        for (name, value) in &head.headers {
            if *name == header::SET_COOKIE && self.plan.keeps_cookies {
                self.take_cookie(url, value, now);
            }
            if self.plan.verbosity.shows_header(name) {
                self.net.log(|| format!("< {}", spell(name, value)));
            }
        }
        self.say(|| "<".to_owned());
        let expected = header_text(&head.headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let mut lines = Lines::default();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let data = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => {
                    self.pool.close(open).await;
                    return Err(Failure::within_answer(&error, seen.received, expected));
                }
            };
            seen.received += data.len() as u64;
            seen.excerpt.push(&data);
            if self.plan.verbosity != Verbosity::Brief && is_readable(&seen.media_type) {
                lines.push(&data, |line| self.net.log(|| line.to_owned()));
            }
        }
        lines.end(seen.received, |line| self.show(|| line.to_owned()));
        if seen.received > 0 && !is_readable(&seen.media_type) {
            self.show(|| format!("{{ [{} bytes data]", seen.received));
        }
        seen.is_empty = asks.method == Method::HEAD;
        if self.plan.keeps_alive && is_kept(head.version, &head.headers) {
            self.pool.keep(&url.origin, open);
        } else {
            self.pool.close(open).await;
        }
        let is_redirect = matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        Ok(header_text(&head.headers, header::LOCATION).filter(|_| is_redirect))
    }

    fn take_cookie(&mut self, url: &Url, value: &HeaderValue, now: Time) {
        let Some(cookie) = value.to_str().ok().and_then(SetCookie::parse) else { return };
        let what = format!("cookie {}=\"{}\" for {}", cookie.name, cookie.value, url.origin.host);
        let done = self.jar.store(url, cookie, now);
        self.say(|| format!("* {done} {what}"));
    }

    fn report(&mut self, wanted: &Wanted, url: &Url, seen: &Seen, begun: Time, failure: Option<&Failure>) {
        let total = self.net.now().since(begun);
        self.transfers += 1;
        self.failed += u64::from(failure.is_some());
        if self.statuses.len() < LISTED_MAX {
            self.statuses.push(u64::from(seen.status).into());
            self.times.push(total.into());
        }
        let cookies = self.jar.list(self.net.now()).into_iter().map(Value::from).collect();
        self.net.report_all([
            ("status", u64::from(seen.status).into()),
            ("body", seen.excerpt.text().trim_end_matches(['\r', '\n']).into()),
            ("size", seen.received.into()),
            ("type", seen.media_type.as_str().into()),
            ("url", url.to_string().into()),
            ("redirects", seen.redirects.into()),
            ("exit_code", failure.map_or(0, |failure| failure.code).into()),
            ("failure", failure.map_or_else(String::new, |failure| failure.text.clone()).into()),
            ("requests", self.transfers.into()),
            ("failed", self.failed.into()),
            ("statuses", Value::List(self.statuses.clone())),
            ("times", Value::List(self.times.clone())),
            ("connections", self.pool.opened().into()),
            ("cookies", Value::List(cookies)),
            ("time_total", total.into()),
        ]);
        let moments = [
            ("time_lookup", seen.milestones.looked_up),
            ("time_connect", seen.milestones.connected),
            ("time_tls", seen.milestones.encrypted),
            ("time_starttransfer", seen.first_byte),
        ];
        for (key, moment) in moments {
            self.net.report(key, moment.map_or(Duration::ZERO, |moment| moment.since(begun)));
        }
        if let Some(facts) = &self.pool.tls {
            self.net.report_all([
                ("tls_version", facts.version.as_str().into()),
                ("tls_cipher", facts.cipher.as_str().into()),
                ("tls_resumed", facts.is_resumed.into()),
            ]);
        }
        if failure.is_some() {
            return;
        }
        self.net.log(|| {
            let what = format!("{} {}", wanted.asks.method, wanted.url);
            let arrow = if seen.redirects > 0 { format!(" -> {url}") } else { String::new() };
            let body = if seen.is_empty { "no body".to_owned() } else { format!("{} bytes", seen.received) };
            format!("{what}{arrow}: {}, {body}, {}", status_line(seen.status), format_duration(total))
        });
    }
}

/// RFC 9110 §15.4: which method follows which status. 301 and 302 turn POST into GET, because everybody does ("For historical
/// reasons, a user agent MAY change the request method from POST to GET"); 303 turns all into GET but HEAD; 307 and 308 change
/// nothing.
fn next_method(status: u16, method: &Method) -> Method {
    match (status, method) {
        (301 | 302, &Method::POST) => Method::GET,
        (303, method) if *method != Method::HEAD => Method::GET,
        (_, method) => method.clone(),
    }
}

/// RFC 9112 §9.3: whether the connection stays open after an answer.
fn is_kept(version: Version, headers: &HeaderMap) -> bool {
    let options = header_text(headers, header::CONNECTION).unwrap_or_default().to_ascii_lowercase();
    let has = |option: &str| options.split(',').any(|one| one.trim() == option);
    if version == Version::HTTP_11 { !has("close") } else { has("keep-alive") }
}

fn status_line(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
}

/// A header as it is on the wire, where each word of a name begins with a capital.
fn spell(name: &HeaderName, value: &HeaderValue) -> String {
    let words = name.as_str().split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    });
    let name = words.collect::<Vec<String>>().join("-");
    format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
}

/// Whether a body is for people; anything else would fill a terminal with rubbish.
fn is_readable(media_type: &str) -> bool {
    media_type.starts_with("text/") || media_type.contains("json") || media_type.contains("urlencoded")
}

/// The first lines of a body, as they come.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    shown: usize,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], mut show: impl FnMut(&str)) {
        for byte in bytes {
            if self.shown >= LINES_SHOWN {
                return;
            }
            match byte {
                b'\n' => self.flush(&mut show),
                _ if self.rest.len() < 200 => self.rest.push(*byte),
                _ => {}
            }
        }
    }

    fn flush(&mut self, show: &mut impl FnMut(&str)) {
        let line = String::from_utf8_lossy(&self.rest);
        let line: String = line.chars().map(|letter| if letter.is_control() { '.' } else { letter }).collect();
        show(line.trim_end_matches('.'));
        self.rest.clear();
        self.shown += 1;
    }

    fn end(&mut self, received: u64, mut show: impl FnMut(&str)) {
        if self.shown >= LINES_SHOWN {
            show(&format!("… {received} bytes in all"));
        } else if !self.rest.is_empty() {
            self.flush(&mut show);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_changes_the_method_as_the_standard_has_it() {
        for (status, method, next) in [
            (301, Method::POST, Method::GET),
            (302, Method::POST, Method::GET),
            (302, Method::PUT, Method::PUT),
            (303, Method::PUT, Method::GET),
            (303, Method::HEAD, Method::HEAD),
            (307, Method::POST, Method::POST),
            (308, Method::POST, Method::POST),
        ] {
            assert_eq!(next_method(status, &method), next, "{status} {method}");
        }
    }

    #[test]
    fn a_body_is_shown_by_lines_and_not_for_ever() {
        let (mut lines, mut shown) = (Lines::default(), Vec::new());
        lines.push(b"one\r\ntw", |line| shown.push(line.to_owned()));
        lines.push(b"o\nthree", |line| shown.push(line.to_owned()));
        lines.end(13, |line| shown.push(line.to_owned()));
        assert_eq!(shown, ["one", "two", "three"]);
        let (mut lines, mut count) = (Lines::default(), 0);
        lines.push(&b"x\n".repeat(1000), |_| count += 1);
        assert_eq!(count, LINES_SHOWN);
    }
}
