//! What a web server says to a request: pages, sessions, what was stored. No sockets, no clock.

use std::collections::BTreeMap;

use hyper::Version;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::content::{Content, Pace};
use super::cookie::value_of;
use super::page::{Does, Fails, METHODS, Page, has_body, reason};
use super::range::Asked;
use super::sessions::{COOKIE, Session, Sessions};
use crate::app::calendar::Moment;
use crate::time::Time;
use hyper::body::Bytes;
use std::time::Duration;

/// How many things a store keeps, and how many bytes together.
const STORED_MAX: usize = 1000;
const STORED_BYTES_MAX: usize = 64 << 20;

/// The pages of one name.
#[derive(Debug, Clone, Default)]
pub(super) struct Site {
    /// By path, or by a path and `*`, which stands for all below it.
    pub(super) pages: BTreeMap<String, Page>,
}

impl Site {
    /// The page at a path: its own, or that of the longest beginning.
    fn find(&self, path: &str) -> Option<(&str, &Page)> {
        let prefixes = || {
            let starred = self.pages.iter().filter_map(|(key, page)| Some((key, key.strip_suffix('*')?, page)));
            starred.filter(|(_, prefix, _)| path.starts_with(prefix)).max_by_key(|(_, prefix, _)| prefix.len())
        };
        let exact = self.pages.get_key_value(path).filter(|(key, _)| !key.ends_with('*'));
        exact.map(|(key, page)| (key.as_str(), page)).or_else(|| prefixes().map(|(key, _, page)| (key.as_str(), page)))
    }
}

/// All that a server has and knows.
#[derive(Debug)]
pub(super) struct Sites {
    pub(super) own: Site,
    pub(super) hosts: BTreeMap<String, Site>,
    pub(super) users: BTreeMap<String, String>,
    pub(super) sessions: Sessions,
    stored: BTreeMap<(String, String), Stored>,
    stored_bytes: usize,
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    media_type: Option<HeaderValue>,
}

/// A request whose body is all there.
#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) method: &'r str,
    pub(super) path: &'r str,
    pub(super) query: Option<&'r str>,
    pub(super) version: Version,
    /// Of the request's target, if it was absolute (RFC 9112 §3.2.2).
    pub(super) target_host: Option<&'r str>,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r Bytes,
}

/// What is said to it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) content: Content,
    /// Which bytes of the content are sent, the last one not included.
    pub(super) part: (u64, u64),
    pub(super) pace: Pace,
    pub(super) delay: Duration,
    pub(super) fails: Option<Fails>,
    /// Who is logged in.
    pub(super) user: Option<String>,
    /// Whether the content stays at home: an answer to HEAD.
    pub(super) is_head: bool,
}

impl Answer {
    fn new(status: u16, content: Content) -> Self {
        Self {
            status,
            headers: Vec::new(),
            part: (0, content.len()),
            content,
            pace: Pace::default(),
            delay: Duration::ZERO,
            fails: None,
            user: None,
            is_head: false,
        }
    }

    /// A status code and its name, for people.
    pub(super) fn plain(status: u16) -> Self {
        let mut answer = Self::new(status, Content::EMPTY);
        if has_body(status) {
            answer.content = Content::text(format!("{status} {}\n", reason(status)));
            answer.part = (0, answer.content.len());
            answer.header(header::CONTENT_TYPE, "text/plain");
        }
        answer
    }

    pub(super) fn header(&mut self, name: HeaderName, value: impl AsRef<str>) {
        // What cannot be said is left unsaid: it came from a request's path.
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((name, value));
        }
    }
}

impl Sites {
    pub(super) fn new(
        own: Site,
        hosts: BTreeMap<String, Site>,
        users: BTreeMap<String, String>,
        sessions: Sessions,
    ) -> Self {
        Self { own, hosts, users, sessions, stored: BTreeMap::new(), stored_bytes: 0 }
    }

    /// Answers a request. `luck` draws the numbers of new sessions.
    pub(super) fn answer(&mut self, request: &Request<'_>, now: Time, luck: &mut dyn FnMut() -> u64) -> Answer {
        let mut answer = self.decide(request, now, luck);
        answer.is_head = request.method == "HEAD";
        answer
    }

    fn decide(&mut self, request: &Request<'_>, now: Time, luck: &mut dyn FnMut() -> u64) -> Answer {
        let Some(host) = request.host() else { return Answer::plain(400) };
        if !METHODS.contains(&request.method) {
            return match request.method {
                // RFC 9110 §15.6.2: a method that the server does not know at all.
                "CONNECT" | "TRACE" => refuse_method(&METHODS),
                _ => Answer::plain(501),
            };
        }
        // RFC 9110 §9.3.7: "An OPTIONS request with an asterisk ("*") as the request target […] applies to the server in general".
        if request.path == "*" {
            return match request.method {
                "OPTIONS" => allow(204, &METHODS),
                _ => Answer::plain(400),
            };
        }
        let (key, site) =
            self.hosts.get_key_value(&host).map_or((String::new(), &self.own), |(key, site)| (key.clone(), site));
        let Some((path, page)) = site.find(request.path) else { return Answer::plain(404) };
        let (path, page) = (path.to_owned(), page.clone());
        if !page.methods.contains(&request.method) {
            return refuse_method(&page.methods);
        }
        if request.method == "OPTIONS" {
            return allow(204, &page.methods);
        }
        let user = self.session(request, now).and_then(|session| session.user.clone());
        if let Some(login) = &page.needs_login
            && user.is_none()
        {
            return challenge(login);
        }
        let mut answer = match page.does {
            None => self.say(&page, request, &host, now),
            Some(Does::Echo) => echo(request),
            Some(Does::Login) => self.login(&page, request, &host, now, luck),
            Some(Does::Logout) => self.logout(&page, request),
            Some(Does::ShowRequest) => show(request),
            Some(Does::Store) => self.store((key, request.path.to_owned()), request, path.ends_with('*')),
            Some(Does::Visit) => self.visit(&page, request, &host, now, luck),
        };
        answer.headers.extend(page.headers);
        answer.headers.extend(page.cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
        let is_whole = (200..300).contains(&answer.status) && answer.content.len() > 0;
        (answer.pace, answer.delay, answer.fails) = (page.pace, page.delay, page.fails);
        // An error page is not chunked or cut: it was not asked for.
        if !is_whole {
            answer.pace = Pace { is_cut: page.pace.is_cut, ..Pace::default() };
        }
        answer.user = answer.user.or(user);
        answer
    }

    /// What a page says, or where it sends the client.
    fn say(&mut self, page: &Page, request: &Request<'_>, host: &str, now: Time) -> Answer {
        if let Some(to) = &page.redirect {
            return redirect(page.status, &to.replace("{path}", &request.target()));
        }
        let content = match (&page.content, page.has_gaps) {
            (Content::Bytes(text), true) => {
                let session = self.session(request, now).cloned().unwrap_or_default();
                Content::text(fill(&String::from_utf8_lossy(text), request, host, &session))
            }
            (content, _) => content.clone(),
        };
        let mut answer = Answer::new(page.status, content);
        if !has_body(page.status) {
            return answer;
        }
        if !page.has_content() && page.status >= 300 {
            answer = Answer::plain(page.status);
        } else {
            answer.header(header::CONTENT_TYPE, &page.media_type);
        }
        if page.status == 200 && page.does.is_none() && !page.has_gaps {
            return select(answer, request, page.modified, page.pace.chunk.is_none());
        }
        answer
    }

    fn session(&mut self, request: &Request<'_>, now: Time) -> Option<&mut Session> {
        let id = request.cookie(COOKIE)?;
        self.sessions.find(id, now)
    }

    /// Counts a visit; a stranger gets a session.
    fn visit(
        &mut self,
        page: &Page,
        request: &Request<'_>,
        host: &str,
        now: Time,
        luck: &mut dyn FnMut() -> u64,
    ) -> Answer {
        let mut cookie = None;
        let session = match request.cookie(COOKIE).filter(|id| self.sessions.find(id, now).is_some()) {
            Some(id) => self.sessions.find(id, now).expect("it was there just now"),
            None => {
                let id = number(luck);
                cookie = Some(format!("{COOKIE}={id}; Path=/; HttpOnly"));
                self.sessions.begin(id, now)
            }
        };
        session.visits += 1;
        let session = session.clone();
        let text = match &page.content {
            Content::Bytes(text) if page.has_content() => String::from_utf8_lossy(text).into_owned(),
            _ => "visit {visits}\n".to_owned(),
        };
        let mut answer = Answer::new(page.status, Content::text(fill(&text, request, host, &session)));
        answer.header(header::CONTENT_TYPE, &page.media_type);
        if let Some(cookie) = cookie {
            answer.header(header::SET_COOKIE, cookie);
        }
        answer
    }

    /// RFC 9110 §15.4.4: after a form was sent, 303 has the client GET what it leads to.
    fn login(
        &mut self,
        page: &Page,
        request: &Request<'_>,
        host: &str,
        now: Time,
        luck: &mut dyn FnMut() -> u64,
    ) -> Answer {
        if request.method != "POST" {
            let text = match &page.content {
                Content::Bytes(text) if page.has_content() => String::from_utf8_lossy(text).into_owned(),
                _ => "send user and password\n".to_owned(),
            };
            let mut answer = Answer::new(200, Content::text(fill(&text, request, host, &Session::default())));
            answer.header(header::CONTENT_TYPE, &page.media_type);
            return answer;
        }
        let form = String::from_utf8_lossy(request.body).into_owned();
        let field = |name: &str| {
            form.split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| decode(value))
        };
        let user = field("user").filter(|user| !user.is_empty());
        let is_right = user.as_ref().is_some_and(|user| {
            self.users.is_empty()
                || self.users.get(user).is_some_and(|password| field("password").as_ref() == Some(password))
        });
        let Some(user) = user.filter(|_| is_right) else { return Answer::plain(403) };
        // Whoever logs in gets a new number: one that somebody else has planted is worth nothing.
        if let Some(id) = request.cookie(COOKIE) {
            self.sessions.end(id);
        }
        let id = number(luck);
        self.sessions.begin(id.clone(), now).user = Some(user.clone());
        let mut answer = redirect(303, page.redirect.as_deref().unwrap_or("/"));
        answer.header(header::SET_COOKIE, format!("{COOKIE}={id}; Path=/; HttpOnly"));
        answer.user = Some(user);
        answer
    }

    fn logout(&mut self, page: &Page, request: &Request<'_>) -> Answer {
        if let Some(id) = request.cookie(COOKIE) {
            self.sessions.end(id);
        }
        let mut answer = redirect(303, page.redirect.as_deref().unwrap_or("/"));
        answer.header(header::SET_COOKIE, format!("{COOKIE}=; Path=/; Max-Age=0"));
        answer
    }

    /// PUT keeps, GET gives back, DELETE forgets.
    fn store(&mut self, key: (String, String), request: &Request<'_>, is_below: bool) -> Answer {
        let found = self.stored.get(&key).cloned();
        let tag = found.as_ref().map(|stored| Content::Bytes(stored.bytes.clone()).tag());
        if !is_below || request.method == "GET" || request.method == "HEAD" {
            if let ("GET" | "HEAD", Some(stored)) = (request.method, &found) {
                let mut answer = Answer::new(200, Content::Bytes(stored.bytes.clone()));
                let media_type = stored.media_type.clone();
                let octets = HeaderValue::from_static("application/octet-stream");
                answer.headers.push((header::CONTENT_TYPE, media_type.unwrap_or(octets)));
                return select(answer, request, None, true);
            }
            if matches!(request.method, "GET" | "HEAD") {
                return Answer::plain(404);
            }
        }
        // RFC 9110 §13.1: whoever changes something may say what he believes it to be.
        if let Some(wanted) = request.header(header::IF_MATCH)
            && !tag.as_deref().is_some_and(|tag| names(wanted, tag))
        {
            return Answer::plain(412);
        }
        if let Some(unwanted) = request.header(header::IF_NONE_MATCH)
            && tag.as_deref().is_some_and(|tag| names(unwanted, tag))
        {
            return Answer::plain(412);
        }
        if request.method == "DELETE" {
            let Some(stored) = self.stored.remove(&key) else { return Answer::plain(404) };
            self.stored_bytes -= stored.bytes.len();
            return Answer::new(204, Content::EMPTY);
        }
        let before = found.as_ref().map_or(0, |stored| stored.bytes.len());
        let bytes = self.stored_bytes - before + request.body.len();
        if bytes > STORED_BYTES_MAX || (found.is_none() && self.stored.len() >= STORED_MAX) {
            return Answer::plain(507);
        }
        self.stored_bytes = bytes;
        let media_type = request.headers.get(header::CONTENT_TYPE).cloned();
        let content = Content::Bytes(request.body.clone());
        self.stored.insert(key, Stored { bytes: request.body.clone(), media_type });
        let mut answer = if found.is_some() { Answer::new(204, Content::EMPTY) } else { Answer::plain(201) };
        if found.is_none() {
            answer.header(header::LOCATION, request.path);
        }
        answer.header(header::ETAG, content.tag());
        answer
    }
}

impl Request<'_> {
    /// For which of the server's names it is, in lower case and without a port; `None` if it does not say so as it must.
    fn host(&self) -> Option<String> {
        let mut hosts = self.headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
            // lacks a Host header field and to any request message that contains more than one Host header field line".
            (None, _) if self.version == Version::HTTP_11 => return None,
            (_, Some(_)) => return None,
            (host, None) => host.map_or(Some(""), |host| host.to_str().ok())?,
        };
        let host = self.target_host.unwrap_or(host);
        let end = if host.starts_with('[') {
            host.find(']').map_or(host.len(), |end| end + 1)
        } else {
            host.find(':').unwrap_or(host.len())
        };
        Some(host[..end].to_ascii_lowercase())
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        value_of(self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()), name)
    }

    /// Path and query.
    fn target(&self) -> String {
        self.query.map_or_else(|| self.path.to_owned(), |query| format!("{}?{query}", self.path))
    }
}

/// The whole, a part, or nothing because the client has it: RFC 9110 §13 and §14.
fn select(mut answer: Answer, request: &Request<'_>, modified: Option<Moment>, has_parts: bool) -> Answer {
    let tag = answer.content.tag();
    answer.header(header::ETAG, &tag);
    if let Some(modified) = modified {
        answer.header(header::LAST_MODIFIED, modified.http());
    }
    // §13.2.2: "When recipient is the origin server, If-None-Match is present, evaluate"; else If-Modified-Since.
    let is_known = match (request.header(header::IF_NONE_MATCH), request.header(header::IF_MODIFIED_SINCE), modified) {
        (Some(tags), ..) => names(tags, &tag),
        (None, Some(since), Some(modified)) => Moment::parse_http(since).is_some_and(|since| modified <= since),
        _ => false,
    };
    if is_known {
        // §15.4.5: what would help a cache, and no content.
        answer.headers.retain(|(name, _)| *name != header::CONTENT_TYPE);
        (answer.status, answer.content, answer.part) = (304, Content::EMPTY, (0, 0));
        return answer;
    }
    if !has_parts {
        return answer;
    }
    answer.header(header::ACCEPT_RANGES, "bytes");
    // §13.1.5: a part is only good for whoever has the rest of the same.
    let is_same = request.header(header::IF_RANGE).is_none_or(|known| known == tag);
    // §14.2: "A server MUST ignore a Range header field received with a request method that is unrecognized or for which range
    // handling is not defined. For this specification, GET is the only method for which range handling is defined."
    let range = request.header(header::RANGE).filter(|_| request.method == "GET" && is_same);
    let length = answer.content.len();
    match range.map_or(Asked::Whole, |range| Asked::read(range, length)) {
        Asked::Whole => {}
        Asked::Part(first, last) => {
            (answer.status, answer.part) = (206, (first, last + 1));
            answer.header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
        }
        Asked::Unsatisfiable => {
            answer = Answer::plain(416);
            answer.header(header::CONTENT_RANGE, format!("bytes */{length}"));
        }
    }
    answer
}

/// Whether a list of entity tags has one in it. Weak tags compare as strong ones do where nothing is cut out of the middle.
fn names(tags: &str, tag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

fn redirect(status: u16, to: &str) -> Answer {
    let mut answer = Answer::plain(status);
    answer.header(header::LOCATION, to);
    answer
}

fn challenge(login: &str) -> Answer {
    if login.is_empty() {
        let mut answer = Answer::plain(401);
        // RFC 9110 §11.6.1: "A server generating a 401 (Unauthorized) response MUST send a WWW-Authenticate header field".
        answer.header(header::WWW_AUTHENTICATE, "Cookie realm=\"members\"");
        return answer;
    }
    redirect(303, login)
}

fn allow(status: u16, methods: &[&str]) -> Answer {
    let mut answer = Answer::plain(status);
    answer.header(header::ALLOW, methods.join(", "));
    answer
}

/// RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
fn refuse_method(methods: &[&str]) -> Answer {
    allow(405, methods)
}

fn echo(request: &Request<'_>) -> Answer {
    let mut answer = Answer::new(200, Content::Bytes(request.body.clone()));
    let media_type = request.headers.get(header::CONTENT_TYPE).cloned();
    answer
        .headers
        .push((header::CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("application/octet-stream"))));
    answer
}

/// The request as it arrived, for whoever wants to see what his client says.
fn show(request: &Request<'_>) -> Answer {
    let mut text = format!("{} {} {:?}\n", request.method, request.target(), request.version);
    for (name, value) in request.headers {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text.push_str(&format!("\n{} bytes\n", request.body.len()));
    let mut answer = Answer::new(200, Content::text(text));
    answer.header(header::CONTENT_TYPE, "text/plain");
    answer
}

fn fill(text: &str, request: &Request<'_>, host: &str, session: &Session) -> String {
    text.replace("{user}", session.user.as_deref().unwrap_or("stranger"))
        .replace("{visits}", &session.visits.to_string())
        .replace("{method}", request.method)
        .replace("{path}", request.path)
        .replace("{host}", host)
}

/// 128 bits that nobody can guess.
fn number(luck: &mut dyn FnMut() -> u64) -> String {
    format!("{:016x}{:016x}", luck(), luck())
}

/// What a form's `+` and `%20` stand for.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, value) {
            (_, Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', None) => decoded.push(b' '),
            (byte, None) => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(text: &str) -> Page {
        let source = format!("page = {text}");
        let reader = crate::read::Reader::new(&source, crate::read::Scope::default());
        let (table, errors) = toml::de::DeTable::parse_recoverable(&source);
        assert!(errors.is_empty(), "{errors:?}");
        let table = crate::read::Table::new(table.get_ref(), 0..source.len(), String::new(), &reader);
        let page = Page::read(&table.item("page").unwrap());
        assert_eq!(reader.problem_count(), 0, "{text}");
        page.unwrap()
    }

    fn sites(pages: &[(&str, &str)]) -> Sites {
        let pages = pages.iter().map(|(path, text)| ((*path).to_owned(), page(text))).collect();
        Sites::new(Site { pages }, BTreeMap::new(), BTreeMap::new(), Sessions::new(Duration::from_secs(60)))
    }

    fn ask(sites: &mut Sites, method: &str, path: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, HeaderValue::from_static("server"));
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let request =
            Request { method, path, query, version: Version::HTTP_11, target_host: None, headers: &map, body: &body };
        let mut luck = 0;
        sites.answer(&request, Time::ZERO, &mut || {
            luck += 1;
            luck
        })
    }

    fn said(answer: &Answer, name: &str) -> Option<String> {
        let found = answer.headers.iter().find(|(found, _)| found.as_str() == name)?;
        Some(found.1.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_longest_beginning_counts_and_the_path_itself_before_it() {
        let mut sites = sites(&[("/a/*", "'short'"), ("/a/b/*", "'long'"), ("/a/b/c", "'exact'")]);
        for (path, text) in [("/a/x", "short"), ("/a/b/x", "long"), ("/a/b/c", "exact"), ("/a/b/", "long")] {
            assert_eq!(ask(&mut sites, "GET", path, &[], "").content, Content::text(text), "{path}");
        }
        assert_eq!(ask(&mut sites, "GET", "/b", &[], "").status, 404);
        assert_eq!(ask(&mut sites, "GET", "/a/*", &[], "").content, Content::text("short"));
    }

    #[test]
    fn who_has_a_page_is_not_sent_it_again() {
        let mut sites = sites(&[("/", "{ text = 'hello', modified = '2025-06-01' }")]);
        let whole = ask(&mut sites, "GET", "/", &[], "");
        let (tag, modified) = (said(&whole, "etag").unwrap(), said(&whole, "last-modified").unwrap());
        let status = |sites: &mut Sites, name, value: &str| ask(sites, "GET", "/", &[(name, value)], "").status;
        assert_eq!(status(&mut sites, "if-none-match", &tag), 304);
        assert_eq!(status(&mut sites, "if-none-match", &format!("\"x\", W/{tag}")), 304);
        assert_eq!(status(&mut sites, "if-none-match", "*"), 304);
        assert_eq!(status(&mut sites, "if-none-match", "\"x\""), 200);
        assert_eq!(status(&mut sites, "if-modified-since", &modified), 304);
        assert_eq!(status(&mut sites, "if-modified-since", "Sat, 31 May 2025 23:59:59 GMT"), 200);
        assert_eq!(status(&mut sites, "if-modified-since", "yesterday"), 200);
    }

    #[test]
    fn a_part_is_only_sent_of_the_page_that_is_meant() {
        let mut sites = sites(&[("/", "'0123456789'")]);
        let whole = ask(&mut sites, "GET", "/", &[], "");
        let tag = said(&whole, "etag").unwrap();
        let part = ask(&mut sites, "GET", "/", &[("range", "bytes=2-4"), ("if-range", &tag)], "");
        assert_eq!(
            (part.status, part.part, said(&part, "content-range").as_deref()),
            (206, (2, 5), Some("bytes 2-4/10"))
        );
        let other = ask(&mut sites, "GET", "/", &[("range", "bytes=2-4"), ("if-range", "\"x\"")], "");
        assert_eq!((other.status, other.part), (200, (0, 10)));
        let none = ask(&mut sites, "GET", "/", &[("range", "bytes=10-")], "");
        assert_eq!((none.status, said(&none, "content-range").as_deref()), (416, Some("bytes */10")));
        // RFC 9110 §14.2: a range is for GET alone.
        assert_eq!(ask(&mut sites, "HEAD", "/", &[("range", "bytes=2-4")], "").status, 200);
    }

    #[test]
    fn a_store_takes_so_much_and_no_more() {
        let mut sites = sites(&[("/s/*", "{ does = 'store' }")]);
        for number in 0..STORED_MAX {
            assert_eq!(ask(&mut sites, "PUT", &format!("/s/{number}"), &[], "x").status, 201);
        }
        assert_eq!(ask(&mut sites, "PUT", "/s/more", &[], "x").status, 507);
        // What is there may be written over; and what is deleted makes room.
        assert_eq!(ask(&mut sites, "PUT", "/s/7", &[], "longer").status, 204);
        assert_eq!(ask(&mut sites, "DELETE", "/s/7", &[], "").status, 204);
        assert_eq!((ask(&mut sites, "PUT", "/s/more", &[], "x").status, sites.stored_bytes), (201, STORED_MAX));
    }

    #[test]
    fn who_writes_may_say_what_he_believes_to_be_there() {
        let mut sites = sites(&[("/s/*", "{ does = 'store' }")]);
        assert_eq!(ask(&mut sites, "PUT", "/s/a", &[("if-match", "*")], "x").status, 412);
        let made = ask(&mut sites, "PUT", "/s/a", &[("if-none-match", "*")], "x");
        let tag = said(&made, "etag").unwrap();
        assert_eq!(made.status, 201);
        assert_eq!(ask(&mut sites, "PUT", "/s/a", &[("if-none-match", "*")], "y").status, 412);
        assert_eq!(ask(&mut sites, "PUT", "/s/a", &[("if-match", &tag)], "y").status, 204);
        assert_eq!(ask(&mut sites, "DELETE", "/s/a", &[("if-match", &tag)], "").status, 412);
    }

    #[test]
    fn a_login_gives_a_new_number_and_the_planted_one_is_worth_nothing() {
        let pages = [
            ("/in", "{ does = 'login' }"),
            ("/me", "{ text = '{user}', needs_login = '' }"),
            ("/v", "{ does = 'visit' }"),
        ];
        let mut sites = sites(&pages);
        sites.users.insert("alice".to_owned(), "s e+c".to_owned());
        let visit = ask(&mut sites, "GET", "/v", &[], "");
        let planted = said(&visit, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(ask(&mut sites, "POST", "/in", &[], "user=alice&password=wrong").status, 403);
        assert_eq!(ask(&mut sites, "POST", "/in", &[], "user=bob&password=").status, 403);
        // Each visitor of this test draws the same numbers; whoever logs in draws again.
        let mut luck = 100;
        let body = Bytes::from_static(b"user=alice&password=s+e%2Bc");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("server"));
        headers.insert(header::COOKIE, HeaderValue::from_str(&planted).unwrap());
        let request = Request {
            method: "POST",
            path: "/in",
            query: None,
            version: Version::HTTP_11,
            target_host: None,
            headers: &headers,
            body: &body,
        };
        let answer = sites.answer(&request, Time::ZERO, &mut || {
            luck += 1;
            luck
        });
        let given = said(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert!(answer.status == 303 && given != planted);
        assert_eq!(ask(&mut sites, "GET", "/me", &[("cookie", &planted)], "").status, 401);
        let mine = ask(&mut sites, "GET", "/me", &[("cookie", &given)], "");
        assert_eq!((mine.status, mine.content, mine.user.as_deref()), (200, Content::text("alice"), Some("alice")));
    }

    #[test]
    fn the_host_is_the_one_that_the_request_says_once() {
        let mut sites = sites(&[("/", "'own'")]);
        let mut other = Site::default();
        other.pages.insert("/".to_owned(), page("'other'"));
        sites.hosts.insert("other.test".to_owned(), other);
        let mut asked = |hosts: &[&str], version, target_host| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
            }
            let body = Bytes::new();
            let request =
                Request { method: "GET", path: "/", query: None, version, target_host, headers: &headers, body: &body };
            let answer = sites.answer(&request, Time::ZERO, &mut || 0);
            (answer.status, answer.content.len())
        };
        assert_eq!(asked(&["Other.TEST:8080"], Version::HTTP_11, None), (200, 5));
        assert_eq!(asked(&["server"], Version::HTTP_11, None), (200, 3));
        assert_eq!(asked(&["server"], Version::HTTP_11, Some("other.test")), (200, 5));
        assert_eq!(asked(&["[2001:db8::1]:80"], Version::HTTP_11, None), (200, 3));
        assert_eq!(asked(&[], Version::HTTP_11, None).0, 400);
        assert_eq!(asked(&["a", "b"], Version::HTTP_11, None).0, 400);
        assert_eq!(asked(&[], Version::HTTP_10, None), (200, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_request_makes_it_panic(
            method in "GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|[A-Z]{1,5}",
            path in "/(in|out|me|v|s|e|r|q)?/?[a-z*%?={}]{0,6}",
            headers in proptest::collection::vec(("range|if-range|if-match|if-none-match|cookie|if-modified-since", "[ -~]{0,24}"), 0..4),
            body in "[ -~]{0,30}",
        ) {
            let mut sites = sites(&[
                ("/in", "{ does = 'login' }"), ("/out", "{ does = 'logout' }"), ("/me", "{ text = '{user}{visits}', needs_login = '/in' }"),
                ("/v", "{ does = 'visit' }"), ("/s/*", "{ does = 'store' }"), ("/e", "{ does = 'echo' }"),
                ("/r*", "{ redirect = '/x{path}' }"), ("/q", "{ does = 'show-request' }"), ("/*", "{ bytes = '10B', chunk = '3B' }"),
            ]);
            let known = ["range", "if-range", "if-match", "if-none-match", "cookie", "if-modified-since"];
            let headers: Vec<(&'static str, &str)> = headers
                .iter()
                .filter_map(|(name, value)| Some((*known.iter().find(|known| **known == name.as_str())?, value.as_str())))
                .collect();
            let answer = ask(&mut sites, &method, &path, &headers, &body);
            prop_assert!((200..600).contains(&answer.status));
            prop_assert!(answer.part.0 <= answer.part.1 && answer.part.1 <= answer.content.len());
        }
    }
}
