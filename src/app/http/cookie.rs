//! Cookies: what a client keeps of `Set-Cookie` and sends back, RFC 6265.

use super::url::{Scheme, Url};
use crate::app::calendar::Moment;
use crate::time::Time;
use std::time::Duration;

/// RFC 6265 §6.1: "At least 3000 cookies total" and "at least 50 cookies per domain".
const COOKIES_MAX: usize = 3000;
const COOKIES_OF_DOMAIN_MAX: usize = 50;
/// "At least 4096 bytes per cookie (as measured by the sum of the length of the cookie's name, value, and attributes)".
const BYTES_MAX: usize = 4096;

/// A `Set-Cookie` header, §5.2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SetCookie {
    pub(super) name: String,
    pub(super) value: String,
    expires: Option<Moment>,
    max_age: Option<i64>,
    domain: Option<String>,
    path: Option<String>,
    is_secure: bool,
}

impl SetCookie {
    /// Reads one; `None` where a client is to ignore it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX || text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return None;
        }
        let mut parts = text.split(';');
        // "If the name-value-pair string lacks a %x3D ("=") character, ignore the set-cookie-string entirely."
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return None;
        }
        let mut cookie = Self { name: name.to_owned(), value: value.to_owned(), ..Self::default() };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "expires" => cookie.expires = Moment::parse_http(value).or(cookie.expires),
                "max-age" => cookie.max_age = value.parse().ok().or(cookie.max_age),
                // "If the attribute-value is empty, the behavior is undefined. However, the user agent SHOULD ignore".
                "domain" if !value.is_empty() => {
                    cookie.domain = Some(value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase());
                }
                "path" => cookie.path = Some(value.to_owned()).filter(|path| path.starts_with('/')),
                "secure" => cookie.is_secure = true,
                _ => {}
            }
        }
        Some(cookie)
    }
}

/// What a client has been told to remember.
#[derive(Debug, Default)]
pub(super) struct Jar {
    /// In the order in which they were first set.
    cookies: Vec<Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    name: String,
    value: String,
    domain: String,
    path: String,
    is_host_only: bool,
    is_secure: bool,
    /// `None`: until the client ends.
    until: Option<Time>,
}

impl Jar {
    /// Takes in what an answer from a page sets, §5.3. Says what became of it, for a log: `Added`, `Replaced`, `Deleted` or
    /// `Ignored`.
    pub(super) fn store(&mut self, url: &Url, cookie: SetCookie, now: Time) -> &'static str {
        let host = &url.origin.host;
        let domain = match cookie.domain {
            // "If the canonicalized request-host does not domain-match the domain-attribute: Ignore the cookie entirely".
            Some(domain) if !domain_matches(host, &domain) => return "Ignored",
            Some(domain) => Some(domain),
            None => None,
        };
        // A cookie for a whole top-level domain would reach strangers.
        if domain.as_ref().is_some_and(|domain| !domain.contains('.') && domain != host) {
            return "Ignored";
        }
        let until = match (cookie.max_age, cookie.expires) {
            // "If a cookie has both the Max-Age and the Expires attribute, the Max-Age attribute has precedence".
            (Some(seconds), _) if seconds <= 0 => Some(Time::ZERO),
            (Some(seconds), _) => Some(now + Duration::from_secs(seconds.unsigned_abs())),
            (None, Some(expires)) => {
                let left = expires.unix_seconds().saturating_sub(Moment::of(Time::ZERO).unix_seconds());
                Some(Time::ZERO + Duration::from_secs(u64::try_from(left).unwrap_or(0)))
            }
            (None, None) => None,
        };
        let kept = Kept {
            is_host_only: domain.is_none(),
            domain: domain.unwrap_or_else(|| host.clone()),
            path: cookie.path.unwrap_or_else(|| default_path(&url.path)),
            name: cookie.name,
            value: cookie.value,
            is_secure: cookie.is_secure,
            until,
        };
        let is_gone = kept.until.is_some_and(|until| until <= now);
        let is_same = |other: &Kept| other.name == kept.name && other.domain == kept.domain && other.path == kept.path;
        match (self.cookies.iter().position(is_same), is_gone) {
            (Some(index), true) => {
                self.cookies.remove(index);
                "Deleted"
            }
            // "Update the creation-time of the newly created cookie to match the creation-time of the old-cookie": its place.
            (Some(index), false) => {
                self.cookies[index] = kept;
                "Replaced"
            }
            (None, true) => "Ignored",
            (None, false) => {
                self.make_room(&kept.domain, now);
                self.cookies.push(kept);
                "Added"
            }
        }
    }

    /// Lets go of what is over, then of the oldest.
    fn make_room(&mut self, domain: &str, now: Time) {
        self.cookies.retain(|cookie| cookie.until.is_none_or(|until| until > now));
        if self.cookies.iter().filter(|cookie| cookie.domain == domain).count() >= COOKIES_OF_DOMAIN_MAX
            && let Some(oldest) = self.cookies.iter().position(|cookie| cookie.domain == domain)
        {
            self.cookies.remove(oldest);
        }
        if self.cookies.len() >= COOKIES_MAX {
            self.cookies.remove(0);
        }
    }

    /// What a request for a page says of them, §5.4; `None` if nothing.
    pub(super) fn header(&self, url: &Url, now: Time) -> Option<String> {
        let mut fitting: Vec<&Kept> = self.cookies.iter().filter(|cookie| cookie.fits(url, now)).collect();
        // "Cookies with longer paths are listed before cookies with shorter paths."
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// `name=value` of each, oldest first.
    pub(super) fn list(&self, now: Time) -> Vec<String> {
        let living = self.cookies.iter().filter(|cookie| cookie.until.is_none_or(|until| until > now));
        living.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect()
    }
}

impl Kept {
    fn fits(&self, url: &Url, now: Time) -> bool {
        let host = &url.origin.host;
        let is_for_host = if self.is_host_only { *host == self.domain } else { domain_matches(host, &self.domain) };
        is_for_host
            && path_matches(&url.path, &self.path)
            && (!self.is_secure || url.origin.scheme == Scheme::Https)
            && self.until.is_none_or(|until| until > now)
    }
}

/// §5.1.3: the same, or a name below it; an address is only itself.
fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain
        || (host.parse::<std::net::IpAddr>().is_err()
            && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// §5.1.4: the same, or below it.
fn path_matches(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// §5.1.4: up to, but not including, the last slash.
fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(last) => path[..last].to_owned(),
    }
}

/// The value of a cookie in a request's `Cookie` headers; the first of a name counts.
pub(super) fn value_of<'h>(headers: impl Iterator<Item = &'h str>, name: &str) -> Option<&'h str> {
    headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(found, value)| (found.trim() == name).then(|| value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn set(jar: &mut Jar, from: &str, header: &str) -> &'static str {
        jar.store(&url(from), SetCookie::parse(header).unwrap(), Time::ZERO)
    }

    fn sent(jar: &Jar, to: &str, now: u64) -> String {
        jar.header(&url(to), Time::from_secs(now)).unwrap_or_default()
    }

    #[test]
    fn a_cookie_goes_back_to_where_it_came_from() {
        let mut jar = Jar::default();
        assert_eq!(set(&mut jar, "http://a/x/y", "n=1"), "Added");
        assert_eq!(sent(&jar, "http://a/x/", 0), "n=1");
        assert_eq!(sent(&jar, "http://a/x/deeper/still", 0), "n=1");
        assert_eq!(sent(&jar, "http://a/xy", 0), "");
        assert_eq!(sent(&jar, "http://b/x/y", 0), "");
        assert_eq!(sent(&jar, "http://sub.a/x/y", 0), "");
        assert_eq!(set(&mut jar, "http://a/x/z", "n=2"), "Replaced");
        assert_eq!(sent(&jar, "http://a/x/", 0), "n=2");
    }

    #[test]
    fn a_domain_reaches_the_names_below_it_and_no_stranger() {
        let mut jar = Jar::default();
        assert_eq!(set(&mut jar, "http://www.example.com/", "n=1; Domain=example.com"), "Added");
        assert_eq!(sent(&jar, "http://shop.example.com/", 0), "n=1");
        assert_eq!(sent(&jar, "http://badexample.com/", 0), "");
        assert_eq!(set(&mut jar, "http://www.example.com/", "n=1; Domain=other.com"), "Ignored");
        assert_eq!(set(&mut jar, "http://www.example.com/", "n=1; Domain=com"), "Ignored");
        assert_eq!(set(&mut jar, "http://10.0.0.1/", "n=1; Domain=0.0.1"), "Ignored");
    }

    #[test]
    fn max_age_and_expires_end_it_and_max_age_wins() {
        let mut jar = Jar::default();
        set(&mut jar, "http://a/", "short=1; Max-Age=10; Expires=Thu, 01 Jan 2026 01:00:00 GMT");
        set(&mut jar, "http://a/", "long=1; Expires=Thu, 01 Jan 2026 00:00:20 GMT");
        set(&mut jar, "http://a/", "session=1");
        assert_eq!(sent(&jar, "http://a/", 9), "short=1; long=1; session=1");
        assert_eq!(sent(&jar, "http://a/", 10), "long=1; session=1");
        assert_eq!(sent(&jar, "http://a/", 20), "session=1");
        assert_eq!(set(&mut jar, "http://a/", "session=; Max-Age=0"), "Deleted");
        assert_eq!(set(&mut jar, "http://a/", "x=1; Expires=Wed, 31 Dec 2025 23:59:59 GMT"), "Ignored");
    }

    #[test]
    fn a_secure_cookie_needs_tls_and_longer_paths_come_first() {
        let mut jar = Jar::default();
        set(&mut jar, "https://a/", "top=1; Path=/");
        set(&mut jar, "https://a/", "deep=1; Path=/x; Secure; HttpOnly");
        assert_eq!(sent(&jar, "https://a/x/y", 0), "deep=1; top=1");
        assert_eq!(sent(&jar, "http://a/x/y", 0), "top=1");
    }

    #[test]
    fn a_jar_is_bounded() {
        let mut jar = Jar::default();
        for number in 0..COOKIES_OF_DOMAIN_MAX + 1 {
            set(&mut jar, "http://a/", &format!("n{number}=1"));
        }
        assert_eq!(jar.cookies.len(), COOKIES_OF_DOMAIN_MAX);
        assert_eq!(jar.cookies[0].name, "n1");
        for number in 0..COOKIES_MAX + 10 {
            set(&mut jar, &format!("http://h{number}/"), "n=1");
        }
        assert_eq!(jar.cookies.len(), COOKIES_MAX);
        assert_eq!(SetCookie::parse(&format!("a={}", "x".repeat(BYTES_MAX))), None);
    }

    #[test]
    fn a_request_says_them_in_one_line() {
        let headers = ["a=1; b = 2", "c=3; a=4"];
        assert_eq!(value_of(headers.into_iter(), "b"), Some("2"));
        assert_eq!(value_of(headers.into_iter(), "a"), Some("1"));
        assert_eq!(value_of(headers.into_iter(), "d"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_header_makes_it_panic(text in ".{0,80}", age in any::<i64>()) {
            let mut jar = Jar::default();
            for text in [text.clone(), format!("a=b; {text}"), format!("a=b; Max-Age={age}; Expires={text}")] {
                if let Some(cookie) = SetCookie::parse(&text) {
                    jar.store(&url("http://a.b/c"), cookie, Time::MAX);
                }
            }
            let _ = jar.header(&url("http://a.b/c"), Time::ZERO);
        }
    }
}
