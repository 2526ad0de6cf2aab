//! TLS records looked at where they stand in a TCP segment (RFC 5246, RFC 8446 §5.1).
//!
//! ```text
//!  | type 1 | version 2 | length 2 | contents |        a record
//!  | type 1 | length 3 | body |                        a handshake message, in a record of type 22
//! ```
//!
//! Only segments that begin with a record are seen: what goes on from an earlier segment looks like anything. What a
//! handshake message says is read as long as it is not encrypted.

use super::view::{be16, byte};

/// Record types.
pub(crate) mod kind {
    pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(crate) const ALERT: u8 = 21;
    pub(crate) const HANDSHAKE: u8 = 22;
    pub(crate) const APPLICATION_DATA: u8 = 23;
}

/// The client's and the server's first message.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// RFC 5246 §6.2.3: "The length MUST NOT exceed 2^14 + 2048."
const RECORD_MAX: usize = (1 << 14) + 2048;

/// Extensions that are looked for.
const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;

/// A record, perhaps cut short by the end of its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TlsRecord<'a> {
    pub(crate) kind: u8,
    pub(crate) version: u16,
    pub(crate) length: u16,
    pub(crate) contents: &'a [u8],
    /// Whether what it says is hidden because another record has switched encryption on before it.
    pub(crate) is_hidden: bool,
}

/// A handshake message that is not encrypted, perhaps cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handshake<'a> {
    pub(crate) kind: u8,
    body: &'a [u8],
}

/// The records of a segment's data, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TlsRecords<'a> {
    rest: &'a [u8],
    is_hidden: bool,
}

impl<'a> TlsRecords<'a> {
    /// Looks at the data of a segment; `None` where it does not begin with a record.
    pub(crate) fn of_payload(payload: &'a [u8]) -> Option<Self> {
        read_record(payload)?;
        Some(Self { rest: payload, is_hidden: false })
    }

    /// The first handshake message of a kind that can be read.
    pub(crate) fn handshake(self, kind: u8) -> Option<Handshake<'a>> {
        self.handshakes().find(|message| message.kind == kind)
    }

    /// All handshake messages that can be read.
    pub(crate) fn handshakes(self) -> impl Iterator<Item = Handshake<'a>> {
        self.flat_map(TlsRecord::handshakes)
    }

    pub(crate) fn client_hello(self) -> Option<Hello<'a>> {
        Hello::read(self.handshake(CLIENT_HELLO)?)
    }

    pub(crate) fn server_hello(self) -> Option<Hello<'a>> {
        Hello::read(self.handshake(SERVER_HELLO)?)
    }

    /// The first alert that can be read: its level and what it is about.
    pub(crate) fn alert(mut self) -> Option<(u8, u8)> {
        self.find_map(TlsRecord::alert)
    }
}

impl<'a> Iterator for TlsRecords<'a> {
    type Item = TlsRecord<'a>;

    fn next(&mut self) -> Option<TlsRecord<'a>> {
        let mut record = read_record(self.rest)?;
        self.rest = self.rest.get(5 + usize::from(record.length)..).unwrap_or_default();
        record.is_hidden = self.is_hidden;
        self.is_hidden |= record.kind == kind::CHANGE_CIPHER_SPEC;
        Some(record)
    }
}

fn read_record(bytes: &[u8]) -> Option<TlsRecord<'_>> {
    let (kind, version, length) = (byte(bytes, 0)?, be16(bytes, 1)?, be16(bytes, 3)?);
    let is_record = (kind::CHANGE_CIPHER_SPEC..=kind::APPLICATION_DATA).contains(&kind)
        && (0x0301..=0x0304).contains(&version)
        && usize::from(length) <= RECORD_MAX
        && length > 0;
    let contents = bytes.get(5..(5 + usize::from(length)).min(bytes.len()))?;
    is_record.then_some(TlsRecord { kind, version, length, contents, is_hidden: false })
}

impl<'a> TlsRecord<'a> {
    /// Its handshake messages, as far as they can be read. Of an encrypted one the length does not fit, but by chance.
    pub(crate) fn handshakes(self) -> impl Iterator<Item = Handshake<'a>> {
        let mut rest = if self.kind == kind::HANDSHAKE && !self.is_hidden { self.contents } else { &[] };
        let is_whole = self.contents.len() == usize::from(self.length);
        std::iter::from_fn(move || {
            let (kind, low, high) = (byte(rest, 0)?, be16(rest, 2)?, byte(rest, 1)?);
            let length = usize::from(high) << 16 | usize::from(low);
            let body = rest.get(4..).unwrap_or_default();
            // A message may go on in further records; only hellos and certificates are that long.
            let fits = length <= body.len() || !is_whole || matches!(kind, 1 | 2 | 11);
            if handshake_word(kind).is_none() || !fits {
                rest = &[];
                return None;
            }
            let body = &body[..length.min(body.len())];
            rest = rest.get(4 + length..).unwrap_or_default();
            Some(Handshake { kind, body })
        })
    }

    /// Level and description of an alert that is not encrypted.
    pub(crate) fn alert(self) -> Option<(u8, u8)> {
        let is_readable = self.kind == kind::ALERT && self.length == 2 && !self.is_hidden;
        is_readable.then(|| Some((byte(self.contents, 0)?, byte(self.contents, 1)?)))?
    }
}

/// The first message of either side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hello<'a> {
    kind: u8,
    pub(crate) version: u16,
    /// The list of a client, or the one of a server.
    cipher_suites: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Hello<'a> {
    fn read(message: Handshake<'a>) -> Option<Self> {
        let body = message.body;
        // Version, 32 random bytes, a session's number with its length in front.
        let after_session = 35 + usize::from(byte(body, 34)?);
        let (ciphers, after_ciphers) = if message.kind == CLIENT_HELLO {
            let length = usize::from(be16(body, after_session)?);
            let start = after_session + 2;
            let compressions = usize::from(byte(body, start + length)?);
            (body.get(start..start + length)?, start + length + 1 + compressions)
        } else {
            (body.get(after_session..after_session + 2)?, after_session + 3)
        };
        let extensions = body.get(after_ciphers + 2..).unwrap_or_default();
        Some(Self { kind: message.kind, version: be16(body, 0)?, cipher_suites: ciphers, extensions })
    }

    /// What the server has chosen; of a client, what it would like best.
    pub(crate) fn cipher_suite(&self) -> Option<u16> {
        be16(self.cipher_suites, 0)
    }

    fn extension(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.extensions;
        loop {
            let (kind, length) = (be16(rest, 0)?, usize::from(be16(rest, 2)?));
            if kind == wanted {
                return rest.get(4..4 + length);
            }
            rest = rest.get(4 + length..)?;
        }
    }

    /// RFC 6066 §3: whom a client asks for.
    pub(crate) fn server_name(&self) -> Option<&'a [u8]> {
        let names = self.extension(SERVER_NAME)?;
        let length = usize::from(be16(names, 3)?);
        (byte(names, 2)? == 0).then(|| names.get(5..5 + length))?
    }

    /// The version that is spoken from here on: RFC 8446 §4.2.1 has servers say it in an extension, as if it were an older one.
    pub(crate) fn chosen_version(&self) -> u16 {
        let chosen = self.extension(SUPPORTED_VERSIONS).filter(|_| self.kind == SERVER_HELLO);
        chosen.and_then(|chosen| be16(chosen, 0)).unwrap_or(self.version)
    }
}

/// A handshake message's name, as Wireshark spells it.
pub(crate) fn handshake_word(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "Hello Request",
        1 => "Client Hello",
        2 => "Server Hello",
        4 => "New Session Ticket",
        11 => "Certificate",
        12 => "Server Key Exchange",
        13 => "Certificate Request",
        14 => "Server Hello Done",
        15 => "Certificate Verify",
        16 => "Client Key Exchange",
        20 => "Finished",
        22 => "Certificate Status",
        _ => return None,
    })
}

/// What an alert is about, RFC 8446 §6.
pub(crate) fn alert_word(description: u8) -> &'static str {
    match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, contents: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 3, 3];
        bytes.extend((contents.len() as u16).to_be_bytes());
        bytes.extend(contents);
        bytes
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0];
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_client_hello_says_whom_it_asks_for() {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend([0, 2, 0x13, 0x02, 1, 0]);
        body.extend([0, 15, 0, 0, 0, 11, 0, 9, 0, 0, 6, b's', b'e', b'r', b'v', b'e', b'r']);
        let bytes = record(22, &message(1, &body));
        let hello = TlsRecords::of_payload(&bytes).unwrap().client_hello().unwrap();
        assert_eq!(hello.server_name(), Some(&b"server"[..]));
        assert_eq!((hello.cipher_suite(), hello.chosen_version()), (Some(0x1302), 0x0303));
    }

    #[test]
    fn several_messages_share_a_record_and_what_follows_a_change_is_hidden() {
        let mut bytes = record(22, &[message(2, &[0; 40]), message(14, &[])].concat());
        bytes.extend(record(20, &[1]));
        bytes.extend(record(22, &message(20, &[0; 12])));
        let records = TlsRecords::of_payload(&bytes).unwrap();
        assert_eq!(records.handshakes().map(|message| message.kind).collect::<Vec<u8>>(), [2, 14]);
        assert_eq!(records.map(|record| record.kind).collect::<Vec<u8>>(), [22, 20, 22]);
        assert!(records.last().unwrap().is_hidden);
    }

    #[test]
    fn an_alert_is_read_unless_it_is_encrypted() {
        assert_eq!(TlsRecords::of_payload(&record(21, &[2, 48])).unwrap().alert(), Some((2, 48)));
        assert_eq!(TlsRecords::of_payload(&record(21, &[0; 26])).unwrap().alert(), None);
        assert_eq!(TlsRecords::of_payload(b"\x16\x03\x09\x00\x01").map(|_| ()), None);
        assert!(TlsRecords::of_payload(b"hello there").is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_it_panic(kind in 20_u8..24, first in 0_u8..24, bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let inside = record(kind, &message(first, &bytes));
            let cut = inside.len() * 2 / 3;
            for bytes in [&bytes[..], &inside, &inside[..cut], &record(kind, &bytes)] {
                if let Some(records) = TlsRecords::of_payload(bytes) {
                    let _ = (records.alert(), records.handshakes().count(), records.count());
                    for hello in [records.client_hello(), records.server_hello()].into_iter().flatten() {
                        let _ = (hello.server_name(), hello.cipher_suite(), hello.chosen_version());
                    }
                }
            }
        }
    }
}
