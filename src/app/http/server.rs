//! `http-server`: a web server, by hyper, with or without TLS.
//!
//! ```text
//!   TcpListener ─ accept ─ (TLS handshake) ─ hyper ─ the whole request ─ Sites::answer ─ delay ─ Sending
//!                   │                          │
//!                   └ no room: closed          └ nothing asked for `keep_alive`: closed
//! ```
//!
//! hyper reads and writes HTTP/1.1: framing, keep-alive, pipelining, 100-continue, and the refusal of what is no request. What
//! the pages say is `site`'s. What a client can make it remember is bounded: headers, bodies, connections, sessions, stores.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};

use super::access::{Counts, Ending, Line};
use super::content::Sending;
use super::goodbye::Polite;
use super::page::{self, Fails, Page};
use super::sessions::Sessions;
use super::site::{self, Answer, Site, Sites};
use crate::app::calendar::Moment;
use crate::app::tls::{self, Acceptor, ServerSettings, Wire};
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::hyper::{HyperIo, HyperTimer};
use crate::net::{Net, Program, ProgramError, Sleep, TcpListener, TcpStream};
use crate::read::{Diagnostic, Field, Form, Item, Kind, Need, Table};
use crate::time::Time;
use crate::units::Size;

/// The most pages and names that a server may have.
const LIST_MAX: usize = 10_000;

/// The largest body that may be allowed.
const BODY_MAX: u64 = 1 << 30;

const PAGE: Form = Form::Either(&[Form::Text, Form::Table(page::FIELDS)]);

/// What is said of a page stands under the server's own.
static HOST_FIELDS: &[Field] = &[Field {
    form: Form::Map(&Form::Any),
    doc: "What there is under this name: as the server's own `pages`.",
    ..PAGES
}];

const PAGES: Field = Field {
    name: "pages",
    form: Form::Map(&PAGE),
    need: Need::Optional,
    doc: "What there is: a table from paths to texts, or to tables. `/a/*` stands for all paths that begin with `/a/`.",
};

pub(in crate::app) const KIND: Kind<AppBuilder> = Kind {
    name: "http-server",
    doc: "A web server: pages, methods, redirects, cookies, sessions, ranges, chunks, TLS; slow or failing where it is told to.",
    example: "web = { on = \"server\", kind = \"http-server\", port = 80, pages = { \"/\" = \"hello\\n\" } }",
    fields: &[
        fields::PORT,
        PAGES,
        Field {
            name: "hosts",
            form: Form::Map(&Form::Table(HOST_FIELDS)),
            need: Need::Optional,
            doc: "Other names of the server, each with `pages` of its own: virtual hosts.",
        },
        Field {
            name: "users",
            form: Form::Map(&Form::Text),
            need: Need::Optional,
            doc: "Who may log in, and each one's password; anybody who says a name, if left out.",
        },
        tls::SERVER_FIELD,
        Field {
            name: "keep_alive",
            form: Form::Duration,
            need: Need::Default("15s"),
            doc: "How long an idle connection is kept for the next request; `\"0s\"`: each connection serves one.",
        },
        Field {
            name: "max_requests",
            form: Form::Integer { min: 1, max: 1_000_000 },
            need: Need::Default("1000"),
            doc: "How many requests one connection may carry.",
        },
        Field {
            name: "header_timeout",
            form: Form::Duration,
            need: Need::Default("60s"),
            doc: "How long a client may take for a TLS handshake, for a request's headers, and for its body.",
        },
        Field {
            name: "max_header",
            form: Form::Size,
            need: Need::Default("16KiB"),
            doc: "How large a request's headers may be; beyond, the answer is 431.",
        },
        Field {
            name: "max_body",
            form: Form::Size,
            need: Need::Default("1MiB"),
            doc: "How large a request's body may be; beyond, the answer is 413.",
        },
        Field {
            name: "max_connections",
            form: Form::Integer { min: 1, max: 100_000 },
            need: Need::Default("10000"),
            doc: "How many connections are served at once; further ones are closed as soon as they are made.",
        },
        Field {
            name: "session_lifetime",
            form: Form::Duration,
            need: Need::Default("30min"),
            doc: "After how long without a request a session is forgotten.",
        },
        fields::BACKLOG,
    ],
    build,
};

pub(in crate::app) const OUTCOMES: &[Outcome] = &[
    ("connections", "How many connections were accepted."),
    ("active", "How many of them are open now."),
    ("refused", "How many were closed at once for want of room."),
    ("requests", "How many requests arrived whole."),
    ("bytes", "How many bytes of content were handed to connections."),
    ("failures", "How many connections ended otherwise than in good order: reset, timed out, no HTTP."),
    ("responses_2xx", "How many answers had a status from 200 to 299."),
    ("responses_3xx", "From 300 to 399."),
    ("responses_4xx", "From 400 to 499, but for what was no request at all."),
    ("responses_5xx", "From 500 to 599."),
    ("sessions", "How many sessions are remembered."),
    ("sessions_forgotten", "How many were forgotten before their time for want of room."),
    ("handshakes", "How many TLS handshakes were completed."),
    ("resumed", "How many of them went on with an earlier session."),
    ("tls_failures", "How many TLS handshakes failed."),
];

#[derive(Debug)]
struct Plan {
    port: u16,
    backlog: usize,
    own: Site,
    hosts: BTreeMap<String, Site>,
    users: BTreeMap<String, String>,
    tls: Option<ServerSettings>,
    keep_alive: Duration,
    requests_max: u64,
    header_timeout: Duration,
    header_max: usize,
    body_max: u64,
    connections_max: u64,
    session_lifetime: Duration,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let port = fields::port_needed(table);
    let own = read_site(table);
    let mut hosts = BTreeMap::new();
    let hosts_table = table.get::<Table<'_>>("hosts");
    for (name, item) in hosts_table.iter().flat_map(Table::entries).take(LIST_MAX) {
        let Some(host) = <Table<'_> as crate::read::Read<'_>>::read(&item) else { continue };
        host.check(&[HOST_FIELDS], &[]);
        hosts.insert(name.value.to_ascii_lowercase(), read_site(&host));
    }
    // Pages that are wrong are told of one by one.
    let has_some = |key| table.get::<Table<'_>>(key).is_some_and(|entries| !entries.entries().is_empty());
    if !has_some("pages") && !has_some("hosts") {
        let title = format!("`{}` has no pages", table.path);
        let diagnostic =
            Diagnostic::new(table.span.clone(), title).label("`pages = { \"/\" = \"hello\\n\" }` is missing");
        table.report_lack(diagnostic, &["pages", "hosts"]);
    }
    let mut users = BTreeMap::new();
    for (name, item) in table.get::<Table<'_>>("users").iter().flat_map(Table::entries).take(LIST_MAX) {
        if let Some(password) = item.text("a password in quotes") {
            users.insert(name.value.to_owned(), password.to_owned());
        }
    }
    let size = |key: &str, default: u64, least: u64, most: u64| {
        let size = table.get::<Size>(key).map_or(default, Size::bytes);
        if !(least..=most).contains(&size) {
            table.report(key, format!("`{key}` is out of range"), format!("from {least} to {most} bytes"));
        }
        size.clamp(least, most)
    };
    // hyper's buffer is never smaller than 8 KiB.
    let header_max = size("max_header", 16 << 10, 256, 1 << 20);
    let keep_alive = table.get_or("keep_alive", Duration::from_secs(15));
    let header_timeout = table.get_or("header_timeout", Duration::from_secs(60));
    if keep_alive > header_timeout {
        // hyper's clock for the next request's headers runs from the end of the last request on.
        table.report("keep_alive", "an idle connection would outlive `header_timeout`", "at most `header_timeout`");
    }
    if header_timeout.is_zero() {
        table.report("header_timeout", "nobody says anything in no time", "more than \"0s\"");
    }
    let plan = Plan {
        port: port?,
        backlog: fields::backlog(table),
        own,
        hosts,
        users,
        tls: ServerSettings::read(table),
        keep_alive,
        requests_max: fields::integer(table, "max_requests", 1, 1_000_000).unwrap_or(1000),
        header_timeout,
        header_max: usize::try_from(header_max).expect("at most 1 MiB"),
        body_max: size("max_body", 1 << 20, 0, BODY_MAX),
        connections_max: fields::integer(table, "max_connections", 1, 100_000).unwrap_or(10_000),
        session_lifetime: table.get_or("session_lifetime", Duration::from_secs(1800)),
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| serve(net, Arc::clone(&plan))))
}

fn read_site(table: &Table<'_>) -> Site {
    let mut site = Site::default();
    let pages = table.get::<Table<'_>>("pages");
    let entries: Vec<(_, Item<'_>)> = pages.iter().flat_map(Table::entries).collect();
    if entries.len() > LIST_MAX {
        table.report("pages", format!("{} pages", entries.len()), format!("at most {LIST_MAX}"));
    }
    for (path, item) in entries.into_iter().take(LIST_MAX) {
        let is_path = path.value.starts_with('/') && path.value.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_path || path.value.contains(['?', '#']) {
            let title = format!("`{}` is no path", path.value);
            table.reader.report(Diagnostic::new(path.span.clone(), title).label("such as \"/\" or \"/a/b.html\""));
        }
        if let Some(page) = Page::read(&item) {
            site.pages.insert(path.value.to_owned(), page);
        }
    }
    site
}

/// What all connections share.
struct Shared {
    net: Net,
    plan: Arc<Plan>,
    counts: Counts,
    sites: Mutex<Sites>,
}

async fn serve(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let counts = Counts::new(&net);
    net.report_all([("sessions", 0_u64.into()), ("sessions_forgotten", 0_u64.into())]);
    let hosts: Vec<String> = plan.hosts.keys().cloned().collect();
    let acceptor = plan.tls.as_ref().map(|settings| Acceptor::new(&net, settings, &hosts)).transpose()?;
    let sessions = Sessions::new(plan.session_lifetime);
    let sites = Sites::new(plan.own.clone(), plan.hosts.clone(), plan.users.clone(), sessions);
    let listener = TcpListener::bind(&net, plan.port, plan.backlog)?;
    let shared = Arc::new(Shared { net: net.clone(), plan, counts, sites: Mutex::new(sites) });
    loop {
        let (stream, peer) = listener.accept().await?;
        if shared.counts.active.get() >= shared.plan.connections_max {
            shared.counts.refused.add(1);
            net.log(|| format!("{peer}: closed, {} connections are enough", shared.plan.connections_max));
            continue;
        }
        shared.counts.connections.add(1);
        shared.counts.active.add(1);
        net.spawn(connection(Arc::clone(&shared), acceptor.clone(), stream, peer));
    }
}

/// Serves one connection from its beginning to its end.
async fn connection(shared: Arc<Shared>, acceptor: Option<Acceptor>, stream: TcpStream, peer: SocketAddr) {
    stream.set_nodelay(true);
    let wire = match acceptor {
        None => Some(Wire::Plain(stream)),
        Some(acceptor) => shake_hands(&shared, &acceptor, stream, peer).await,
    };
    if let Some(wire) = wire {
        speak(&shared, wire, peer).await;
    }
    shared.counts.active.take_one();
}

async fn shake_hands(shared: &Shared, acceptor: &Acceptor, stream: TcpStream, peer: SocketAddr) -> Option<Wire> {
    let (net, counts) = (&shared.net, &shared.counts);
    let why = match net.timeout(shared.plan.header_timeout, acceptor.accept(stream)).await {
        Ok(Ok((wire, facts))) => {
            counts.handshakes.add(1);
            if facts.is_resumed {
                counts.resumed.add(1);
            }
            net.log(|| {
                let resumed = if facts.is_resumed { ", resumed" } else { "" };
                let name =
                    facts.server_name.as_ref().map_or_else(|| "no name".to_owned(), |name| format!("for {name}"));
                format!("{peer}: {} with {} {name}{resumed}", facts.version, facts.cipher)
            });
            return Some(wire);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "client timed out".to_owned(),
    };
    counts.tls_failures.add(1);
    net.log(|| format!("{peer}: SSL handshake failed: {why}"));
    None
}

/// What a connection does at the moment, for whoever ends those that do nothing.
#[derive(Debug, Default)]
struct Activity {
    requests: AtomicU64,
    answered: AtomicU64,
    last_end: AtomicU64,
}

/// A request on its way through the server, until the last byte of its answer has been handed over.
pub(super) struct InHand {
    net: Net,
    activity: Arc<Activity>,
}

impl InHand {
    fn new(net: &Net, activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        Self { net: net.clone(), activity: Arc::clone(activity) }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.activity.last_end.store(self.net.now().as_nanos(), Ordering::Relaxed);
        self.activity.answered.fetch_add(1, Ordering::Relaxed);
    }
}

impl Activity {
    /// Since when nothing has been asked for; `None` before the first request and during each.
    fn idle_since(&self) -> Option<Time> {
        let (requests, answered) = (self.requests.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed));
        (requests > 0 && requests == answered).then(|| Time::from_nanos(self.last_end.load(Ordering::Relaxed)))
    }
}

async fn speak(shared: &Arc<Shared>, wire: Wire, peer: SocketAddr) {
    let (net, plan) = (&shared.net, &shared.plan);
    let is_reset = Arc::new(AtomicBool::new(false));
    let activity = Arc::new(Activity::default());
    let io = HyperIo::new(Polite::server(net, wire, Arc::clone(&is_reset)));
    let service = {
        let (shared, activity) = (Arc::clone(shared), Arc::clone(&activity));
        service_fn(move |request| {
            let in_hand = InHand::new(&shared.net, &activity);
            let count = activity.requests.load(Ordering::Relaxed);
            let (shared, is_reset) = (Arc::clone(&shared), Arc::clone(&is_reset));
            async move { respond(&shared, request, (peer, count), in_hand, &is_reset).await }
        })
    };
    let mut http = http1::Builder::new();
    http.timer(HyperTimer::new(net))
        .auto_date_header(false)
        .title_case_headers(true)
        .header_read_timeout(plan.header_timeout)
        .max_header_size(plan.header_max)
        .keep_alive(!plan.keep_alive.is_zero());
    let mut connection = pin!(http.serve_connection(io, service));
    let mut idle: Option<Sleep> = None;
    let mut is_ending = false;
    let result = poll_fn(|context| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            let ends_at = activity.idle_since().filter(|_| !is_ending).map(|since| since + plan.keep_alive);
            let Some(ends_at) = ends_at else {
                idle = None;
                return Poll::Pending;
            };
            if idle.as_ref().is_none_or(|sleep| sleep.until() != ends_at) {
                idle = Some(net.sleep_until(ends_at));
            }
            std::task::ready!(idle.as_mut().map_or(Poll::Pending, |sleep| Pin::new(sleep).poll(context)));
            is_ending = true;
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
    if let Err(error) = result {
        shared.counts.failures.add(1);
        // What a page was told to do wrong has been told where it was done.
        if !error.is_user() {
            net.log(|| format!("{peer}: {}", with_sources(&error)));
        }
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

async fn respond(
    shared: &Shared,
    request: Request<Incoming>,
    (peer, count): (SocketAddr, u64),
    in_hand: InHand,
    is_reset: &AtomicBool,
) -> io::Result<Response<Sending>> {
    let (net, plan) = (&shared.net, &shared.plan);
    let (head, body) = request.into_parts();
    let text =
        |name| head.headers.get(name).map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut line = Line {
        client: peer.ip().to_string(),
        user: None,
        request: format!("{} {} {:?}", head.method, head.uri, head.version),
        status: 0,
        referer: text(header::REFERER),
        agent: text(header::USER_AGENT),
    };
    let collected = net.timeout(plan.header_timeout, collect(body, plan.body_max)).await;
    let (mut answer, is_last) = match collected {
        Ok(Ok(body)) => {
            shared.counts.requests.add(1);
            let request = site::Request {
                method: head.method.as_str(),
                path: head.uri.path(),
                query: head.uri.query(),
                version: head.version,
                target_host: head.uri.host(),
                headers: &head.headers,
                body: &body,
            };
            let mut sites = shared.sites.lock().unwrap_or_else(PoisonError::into_inner);
            let before = (sites.sessions.len(), sites.sessions.forgotten);
            let answer = sites.answer(&request, net.now(), &mut || net.random());
            let after = (sites.sessions.len(), sites.sessions.forgotten);
            drop(sites);
            if before != after {
                net.report_all([("sessions", after.0.into()), ("sessions_forgotten", after.1.into())]);
            }
            (answer, count >= plan.requests_max)
        }
        // RFC 9110 §15.5.14: "The server MAY terminate the request, if the protocol version in use allows it".
        Ok(Err(Unread::TooLarge)) => (Answer::plain(413), true),
        Ok(Err(Unread::Failed(error))) => return Err(error),
        // RFC 9110 §15.5.9: 408.
        Err(_) => (Answer::plain(408), true),
    };
    if !answer.delay.is_zero() {
        net.sleep(answer.delay).await;
    }
    match answer.fails {
        None => {}
        Some(Fails::Silence) => std::future::pending().await,
        Some(how) => {
            is_reset.store(how == Fails::Reset, Ordering::Relaxed);
            net.log(|| format!("{peer}: \"{}\" is not answered", line.request));
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    (line.status, line.user) = (answer.status, answer.user.take());
    Ok(response(shared, answer, Ending::new(net, &shared.counts, line, in_hand), is_last))
}

fn response(shared: &Shared, answer: Answer, ending: Ending, is_last: bool) -> Response<Sending> {
    let net = &shared.net;
    let (from, to) = answer.part;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("hopwise"));
    // RFC 9110 §6.6.1: "An origin server with a clock […] MUST generate a Date header field".
    if let Ok(date) = HeaderValue::from_str(&Moment::of(net.now()).http()) {
        headers.insert(header::DATE, date);
    }
    for (name, value) in answer.headers {
        headers.append(name, value);
    }
    if is_last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // An answer to HEAD says how long the content would be.
    if page::has_body(answer.status) && answer.pace.chunk.is_none() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    }
    let part = if answer.is_head { (0, 0) } else { (from, to) };
    response.map(|()| Sending::new(net, answer.content, part, answer.pace, ending))
}

enum Unread {
    Failed(io::Error),
    TooLarge,
}

/// Reads a request's body, but no more than `most` bytes of it.
async fn collect(mut body: Incoming, most: u64) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > most {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Unread::Failed(io::Error::other(error)))?;
        if let Some(data) = frame.data_ref() {
            if (bytes.len() + data.len()) as u64 > most {
                return Err(Unread::TooLarge);
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.into())
}
