//! TLS records (RFC 8446 §5.1) and what of a handshake is not encrypted: the two hellos.

use super::cutter::Cutter;
use super::words::{self, text_of};
use crate::wire::view::be16;

/// Whether a record begins here: a known type, version 3.something, a length that there may be.
pub(super) fn is_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, 3, 0..=4, ..]) && be16(bytes, 3).is_some_and(|length| length <= (1 << 14) + 2048)
}

/// Records, as far as they are in this segment.
pub(super) fn records(cut: &mut Cutter<'_>) {
    let mut is_encrypted = false;
    while is_record(cut.left()) {
        cut.header("TLS record", "RFC 8446 §5.1");
        if record(cut, &mut is_encrypted).is_none() {
            return;
        }
    }
    if !cut.left().is_empty() {
        cut.header("TLS data", "");
        cut.rest("data", "the middle of a record that began in an earlier segment");
    }
}

fn record(cut: &mut Cutter<'_>, is_encrypted: &mut bool) -> Option<()> {
    let kind = cut.byte("type")?;
    cut.means(match kind {
        20 => "change cipher spec",
        21 => "alert",
        22 => "handshake",
        _ => "application data: encrypted",
    });
    version(cut, "version")?;
    let length = usize::from(cut.word("length")?);
    let there = cut.left().len();
    cut.means(match there < length {
        true => format!("only {there} of them are in this segment"),
        false => String::new(),
    });
    if there < length {
        cut.is_short();
    }
    let sealed = *is_encrypted;
    cut.within(length, "data", |cut| match kind {
        22 if !sealed && matches!(cut.left().first(), Some(1 | 2 | 4 | 8 | 11..=16 | 20)) => handshake(cut),
        21 if length == 2 => {
            let level = cut.byte("level")?;
            cut.means(if level == 2 { "fatal" } else { "warning" });
            let alert = cut.byte("description")?;
            cut.means(alert_words(alert));
            Some(())
        }
        20 if length == 1 => {
            cut.byte("message")?;
            cut.means("TLS 1.2: from here on everything is encrypted; 1.3: means nothing, calms old middleboxes");
            Some(())
        }
        _ => {
            cut.rest("encrypted", "only the two ends can read it");
            Some(())
        }
    });
    *is_encrypted |= kind == 20;
    Some(())
}

fn version(cut: &mut Cutter<'_>, name: &str) -> Option<()> {
    let version = cut.word(name)?;
    cut.shows(format!("{version:#06x}"));
    cut.means(version_words(version));
    Some(())
}

/// A version that means what it says (RFC 8446 §4.2.1); elsewhere 1.3 calls itself 1.2, and a first hello 1.0.
fn offered(cut: &mut Cutter<'_>) -> Option<()> {
    let version = cut.word("version")?;
    cut.shows(format!("{version:#06x}"));
    cut.means(match version {
        0x0301 => "TLS 1.0",
        0x0303 => "TLS 1.2",
        other => version_words(other),
    });
    Some(())
}

fn version_words(version: u16) -> &'static str {
    match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0, or a later one that says so for old middleboxes",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2, or 1.3 in its clothes",
        0x0304 => "TLS 1.3",
        _ => "",
    }
}

fn handshake(cut: &mut Cutter<'_>) -> Option<()> {
    while let Some(kind) = cut.left().first().copied() {
        cut.header("TLS handshake", "RFC 8446 §4");
        cut.byte("type")?;
        cut.means(match kind {
            1 => "client hello",
            2 => "server hello",
            4 => "new session ticket",
            8 => "encrypted extensions",
            11 => "certificate",
            12 => "server key exchange",
            13 => "certificate request",
            14 => "server hello done",
            15 => "certificate verify",
            16 => "client key exchange",
            20 => "finished",
            _ => "encrypted, or not known here",
        });
        let length = cut.number("length", 24)? as usize;
        if cut.left().len() < length {
            cut.is_short();
        }
        cut.within(length, "body", |cut| match kind {
            1 => hello(cut, true),
            2 => hello(cut, false),
            _ => Some(()),
        });
    }
    Some(())
}

fn hello(cut: &mut Cutter<'_>, is_client: bool) -> Option<()> {
    version(cut, "legacy version")?;
    cut.slice("random", 32)?;
    cut.means("fresh for each connection: keys depend on it");
    let length = cut.byte("session ID length")?;
    cut.slice("session ID", usize::from(length))?;
    if is_client {
        let length = usize::from(cut.word("cipher suites length")?);
        cut.within(length, "rest", |cut| {
            while cut.left().len() >= 2 {
                suite(cut)?;
            }
            Some(())
        });
        let length = cut.byte("compressions length")?;
        cut.slice("compressions", usize::from(length))?;
    } else {
        suite(cut)?;
        cut.byte("compression")?;
    }
    if cut.left().is_empty() {
        return Some(());
    }
    let length = usize::from(cut.word("extensions length")?);
    cut.within(length, "rest", |cut| {
        while !cut.left().is_empty() {
            extension(cut)?;
        }
        Some(())
    });
    Some(())
}

fn suite(cut: &mut Cutter<'_>) -> Option<()> {
    let suite = cut.word("cipher suite")?;
    cut.shows(format!("{suite:#06x}"));
    cut.means(match suite {
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0xc02b => "ECDHE-ECDSA, AES 128 GCM",
        0xc02c => "ECDHE-ECDSA, AES 256 GCM",
        0xc02f => "ECDHE-RSA, AES 128 GCM",
        0xc030 => "ECDHE-RSA, AES 256 GCM",
        0xcca8 => "ECDHE-RSA, CHACHA20 POLY1305",
        0xcca9 => "ECDHE-ECDSA, CHACHA20 POLY1305",
        0x00ff => "a signal: renegotiation is safe",
        _ => "",
    });
    Some(())
}

fn extension(cut: &mut Cutter<'_>) -> Option<()> {
    let kind = cut.word("extension")?;
    cut.means(match kind {
        0 => "server name: whom the client wants to talk to",
        5 => "certificate status",
        10 => "groups for the key exchange",
        11 => "point formats",
        13 => "signature algorithms",
        16 => "ALPN: which protocol will be spoken",
        23 => "extended master secret",
        35 => "session ticket",
        41 => "pre-shared key: a session is resumed",
        42 => "early data",
        43 => "supported versions",
        44 => "cookie",
        45 => "how a pre-shared key may be used",
        51 => "key share: a half of the key exchange",
        0xff01 => "renegotiation",
        _ => "",
    });
    let length = usize::from(cut.word("length")?);
    if cut.left().len() < length {
        cut.slice("value", length)?;
    }
    cut.within(length, "value", |cut| match kind {
        0 if length > 5 => {
            cut.word("list length")?;
            cut.byte("name type")?;
            cut.means("a host name");
            let length = cut.word("name length")?;
            let name = cut.slice("server name", usize::from(length))?;
            cut.shows(text_of(name).unwrap_or_default());
            cut.means("readable by everybody on the way");
            Some(())
        }
        16 if length > 3 => {
            cut.word("list length")?;
            while !cut.left().is_empty() {
                let length = cut.byte("name length")?;
                let name = cut.slice("protocol", usize::from(length))?;
                cut.shows(text_of(name).unwrap_or_default());
            }
            Some(())
        }
        43 if length == 2 => offered(cut),
        43 if length > 2 => {
            cut.byte("list length")?;
            while cut.left().len() >= 2 {
                offered(cut)?;
            }
            Some(())
        }
        _ => {
            cut.rest("value", &words::bytes(length));
            Some(())
        }
    });
    Some(())
}

fn alert_words(alert: u8) -> &'static str {
    match alert {
        0 => "close notify: no more data",
        10 => "unexpected message",
        20 => "bad record",
        40 => "handshake failure: nothing in common",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown certificate authority",
        70 => "protocol version",
        80 => "internal error",
        112 => "unrecognized name",
        120 => "no application protocol in common",
        _ => "",
    }
}
