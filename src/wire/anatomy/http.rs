//! HTTP/1.1 messages (RFC 9112): one field for each line, and the body.

use super::cutter::Cutter;
use super::payload::data;
use super::words;

/// How a message begins.
const BEGINNINGS: [&[u8]; 10] =
    [b"HTTP/1.", b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"TRACE ", b"CONNECT ", b"PATCH "];

/// How long a shown value may be.
const VALUE_MAX: usize = 80;

/// Whether a message begins here.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

/// A message, as far as it is in this segment.
pub(super) fn message(cut: &mut Cutter<'_>) {
    let is_response = cut.left().starts_with(b"HTTP/");
    match is_response {
        true => cut.header("HTTP response", "RFC 9112 §4"),
        false => cut.header("HTTP request", "RFC 9112 §3"),
    }
    let mut is_first = true;
    loop {
        let bytes = cut.left();
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            cut.rest("line", "it goes on in the next segment");
            return;
        };
        let line = String::from_utf8_lossy(&bytes[..end]).trim_end_matches('\r').to_owned();
        if line.is_empty() {
            cut.slice("empty line", end + 1);
            cut.shows("");
            cut.means("the headers end");
            break;
        }
        let (name, value) = match line.split_once(':').filter(|_| !is_first) {
            Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
            None => (if is_response { "status line" } else { "request line" }.to_owned(), line.clone()),
        };
        cut.slice(&clean(&name), end + 1);
        cut.shows(clean(&value));
        cut.means(if is_first { first_line(&line, is_response) } else { String::new() });
        is_first = false;
        if cut.left().is_empty() {
            cut.means("more headers follow in the next segment");
            return;
        }
    }
    data(cut, "HTTP body");
}

fn first_line(line: &str, is_response: bool) -> String {
    let mut words = line.split(' ');
    match is_response {
        true => match words.nth(1).and_then(|code| code.chars().next()) {
            Some('1') => "wait: more follows",
            Some('2') => "success",
            Some('3') => "look elsewhere",
            Some('4') => "the client's mistake",
            Some('5') => "the server's failure",
            _ => "",
        }
        .to_owned(),
        false => {
            let method = words.next().unwrap_or_default();
            let what = match method {
                "GET" => "asks for",
                "HEAD" => "asks for the headers of",
                "POST" => "sends something to",
                "PUT" => "puts something at",
                "DELETE" => "removes",
                _ => return String::new(),
            };
            format!("{what} {}", clean(words.next().unwrap_or_default()))
        }
    }
}

/// Without characters that would move a cursor, and not too long.
fn clean(text: &str) -> String {
    let count = text.chars().count();
    let shown: String = text.chars().take(VALUE_MAX).map(|c| if c.is_control() { '.' } else { c }).collect();
    if count > VALUE_MAX { format!("{shown}… ({})", words::bytes(text.len())) } else { shown }
}
