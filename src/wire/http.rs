//! An HTTP/1 message looked at where it begins in a TCP segment (RFC 9112): its first line and headers, as far as the segment
//! has them. What follows in later segments is not looked for, so a message is seen once, in the segment that begins it.

/// How much of a segment is looked at: more than any first line that a trace can show.
const LOOKED_AT: usize = 16 * 1024;

/// The methods by which a request is recognized: RFC 9110 §9 and RFC 5789.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// The beginning of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HttpGlimpse<'a> {
    payload: &'a [u8],
    /// Without the end of the line.
    line: &'a str,
    headers: &'a [u8],
    what: What<'a>,
}

/// What the first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What<'a> {
    Request { method: &'a str, target: &'a str },
    Response { status: u16, reason: &'a str },
}

impl<'a> HttpGlimpse<'a> {
    /// Looks at the data of a segment; `None` where no message begins with it.
    pub(crate) fn of_payload(payload: &'a [u8]) -> Option<Self> {
        // Nearly every segment ends here.
        if !matches!(payload.first(), Some(b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T')) {
            return None;
        }
        let seen = &payload[..payload.len().min(LOOKED_AT)];
        let end = seen.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(seen[..end].strip_suffix(b"\r").unwrap_or(&seen[..end])).ok()?;
        let what = read_line(line)?;
        let rest = &seen[end + 1..];
        // The first empty line ends the headers.
        let headers_end = rest.windows(4).position(|four| four == b"\r\n\r\n").map_or(rest.len(), |at| at + 2);
        let headers = if rest.starts_with(b"\r\n") { &[] } else { &rest[..headers_end] };
        Some(Self { payload, line, headers, what })
    }

    /// The first line: `GET / HTTP/1.1`.
    pub(crate) fn line(&self) -> &'a str {
        self.line
    }

    /// What it says.
    pub(crate) fn what(&self) -> What<'a> {
        self.what
    }

    /// All of the segment's data.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.payload
    }

    /// The value of the first header of a name, in whatever case, if the segment has all of it.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        let lines = self.headers.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        let found = lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let is_it = line[..colon].eq_ignore_ascii_case(name.as_bytes());
            is_it.then(|| line[colon + 1..].trim_ascii())
        });
        found.into_iter().next()
    }
}

/// RFC 9112 §3, §4: `method SP target SP HTTP/1.x`, or `HTTP/1.x SP status SP [reason]`.
fn read_line(line: &str) -> Option<What<'_>> {
    if let Some(rest) = line.strip_prefix("HTTP/1.") {
        let mut words = rest.splitn(3, ' ');
        let (version, status, reason) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        let is_version = version.len() == 1 && version.bytes().all(|byte| byte.is_ascii_digit());
        return (is_status && is_version).then(|| Some(What::Response { status: status.parse().ok()?, reason }))?;
    }
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_request = METHODS.contains(&method) && version.starts_with("HTTP/1.") && words.next().is_none();
    (is_request && !target.is_empty()).then_some(What::Request { method, target })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_known_by_its_first_line() {
        let bytes = b"GET /a?b HTTP/1.1\r\nhost: server\r\nX: 1\r\n\r\nHost: body";
        let message = HttpGlimpse::of_payload(bytes).unwrap();
        assert_eq!(message.line(), "GET /a?b HTTP/1.1");
        assert_eq!(message.what(), What::Request { method: "GET", target: "/a?b" });
        assert_eq!(message.header("Host"), Some(&b"server"[..]));
        assert_eq!((message.header("x"), message.header("y")), (Some(&b"1"[..]), None));
        let bytes = b"HTTP/1.1 404 Not Found\r\n\r\nSet-Cookie: a=b\r\n";
        let message = HttpGlimpse::of_payload(bytes).unwrap();
        assert_eq!(message.what(), What::Response { status: 404, reason: "Not Found" });
        assert_eq!(message.header("set-cookie"), None);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for bytes in [
            &b"GET / HTTP/1.1"[..],
            b"GET /\r\n",
            b"GET  HTTP/1.1\r\n",
            b"GOT / HTTP/1.1\r\n",
            b"HTTP/1.1 20 OK\r\n",
            b"HTTP/2 200\r\n",
            b"",
            b"hello\n",
        ] {
            assert_eq!(HttpGlimpse::of_payload(bytes), None, "{}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_it_panic(start in "(GET |HTTP/1.|POST )?", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [start.as_bytes(), &bytes].concat();
            if let Some(message) = HttpGlimpse::of_payload(&bytes) {
                let _ = (message.header("host"), message.line(), message.bytes());
            }
        }
    }
}
