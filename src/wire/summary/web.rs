//! What a TCP segment begins: an HTTP message (`HTTP: GET / HTTP/1.1`), or TLS records (`TLS: Client Hello (SNI=server)`).

use std::fmt;

use crate::wire::http::{HttpGlimpse, What};
use crate::wire::tls::{TlsRecord, TlsRecords, alert_word, handshake_word, kind};
use crate::wire::view::tcp_header_bytes;

/// How much of a first line is shown: a path may be as long as anybody likes.
const LINE_CHARS: usize = 100;
const SHORT_CHARS: usize = 24;

/// The line's end; whether there was something to write.
pub(super) fn write_long(f: &mut fmt::Formatter<'_>, tcp: &[u8]) -> fmt::Result {
    let Some(payload) = payload(tcp) else { return Ok(()) };
    if let Some(message) = HttpGlimpse::of_payload(payload) {
        f.write_str(": HTTP: ")?;
        return write_cut(f, message.line(), LINE_CHARS);
    }
    let Some(records) = TlsRecords::of_payload(payload) else { return Ok(()) };
    f.write_str(": TLS: ")?;
    write_records(f, records, true)
}

/// The same in few words, for an arrow.
pub(super) fn write_short(f: &mut fmt::Formatter<'_>, tcp: &[u8]) -> fmt::Result {
    let Some(payload) = payload(tcp) else { return Ok(()) };
    if let Some(message) = HttpGlimpse::of_payload(payload) {
        return match message.what() {
            What::Request { method, target } => {
                write!(f, " {method} ")?;
                write_cut(f, target, SHORT_CHARS)
            }
            What::Response { status, reason } => {
                write!(f, " {status} ")?;
                write_cut(f, reason, SHORT_CHARS)
            }
        };
    }
    let Some(records) = TlsRecords::of_payload(payload) else { return Ok(()) };
    f.write_str(" ")?;
    write_records(f, records, false)
}

fn payload(tcp: &[u8]) -> Option<&[u8]> {
    tcp.get(tcp_header_bytes(tcp)?..).filter(|payload| !payload.is_empty())
}

/// Every record by its messages; what repeats is told once.
fn write_records(f: &mut fmt::Formatter<'_>, records: TlsRecords<'_>, is_long: bool) -> fmt::Result {
    let mut last = "";
    let mut separator = "";
    let mut write = |f: &mut fmt::Formatter<'_>, word: &'static str| {
        if std::mem::replace(&mut last, word) == word {
            return Ok(false);
        }
        write!(f, "{}{word}", std::mem::replace(&mut separator, ", ")).map(|()| true)
    };
    for record in records {
        let mut is_read = false;
        for message in record.handshakes() {
            is_read = true;
            write(f, handshake_word(message.kind).unwrap_or("Handshake"))?;
            if message.kind == 1 && is_long {
                write_name(f, records)?;
            }
        }
        if let Some((_, description)) = record.alert() {
            is_read = true;
            write(f, "Alert")?;
            write!(f, " {}", alert_word(description))?;
        }
        if !is_read {
            write(f, hidden(record, is_long))?;
        }
    }
    Ok(())
}

fn write_name(f: &mut fmt::Formatter<'_>, records: TlsRecords<'_>) -> fmt::Result {
    let Some(name) = records.client_hello().and_then(|hello| hello.server_name()) else { return Ok(()) };
    f.write_str(" (SNI=")?;
    write_cut(f, &String::from_utf8_lossy(name), LINE_CHARS)?;
    f.write_str(")")
}

/// What a record is whose contents cannot be read.
fn hidden(record: TlsRecord<'_>, is_long: bool) -> &'static str {
    match (record.kind, is_long) {
        (kind::CHANGE_CIPHER_SPEC, true) => "Change Cipher Spec",
        (kind::CHANGE_CIPHER_SPEC, false) => "Change Cipher",
        (kind::ALERT, _) => "Encrypted Alert",
        (kind::HANDSHAKE, true) => "Encrypted Handshake Message",
        (kind::HANDSHAKE, false) => "Encrypted Handshake",
        _ => "Application Data",
    }
}

/// Text in one line, cut where it would be too long.
fn write_cut(f: &mut fmt::Formatter<'_>, text: &str, most: usize) -> fmt::Result {
    for letter in text.chars().take(most) {
        write!(f, "{}", if letter.is_control() { '.' } else { letter })?;
    }
    if text.chars().nth(most).is_some() { f.write_str("…") } else { Ok(()) }
}
