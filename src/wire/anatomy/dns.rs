//! DNS messages (RFC 1035 §4), field by field.
//!
//! A name may point back into the message (§4.1.4); it is followed for what it means, and the pointer's two bytes are the
//! field.

use super::cutter::Cutter;
use super::words::text_of;

/// How many pointers of one name are followed: more is a loop.
const POINTERS_MAX: usize = 16;

/// How many labels a name may have (RFC 1035 §3.1: 255 bytes of at least two each).
const LABELS_MAX: usize = 128;

/// A message.
pub(super) fn message(cut: &mut Cutter<'_>) {
    cut.header("DNS", "RFC 1035 §4.1.1");
    // A message that breaks off leaves its rest to the datagram around it.
    let _ = header(cut);
}

/// Messages over TCP, each behind its length (RFC 1035 §4.2.2).
pub(super) fn over_tcp(cut: &mut Cutter<'_>) {
    while !cut.left().is_empty() {
        cut.header("DNS over TCP", "RFC 1035 §4.2.2");
        let Some(length) = cut.word("length") else { return };
        cut.means("bytes of the message that follows");
        if usize::from(length) > cut.left().len() {
            cut.is_short();
        }
        cut.within(usize::from(length), "rest", |cut| {
            if !cut.left().is_empty() {
                message(cut);
            }
            Some(())
        });
    }
}

fn header(cut: &mut Cutter<'_>) -> Option<()> {
    let whole = cut.left();
    let id = cut.word("ID")?;
    cut.shows(format!("{id:#06x}"));
    cut.means("the answer carries the same");
    let is_response = cut.flag("QR", "an answer", "a question")?;
    let operation = cut.number("opcode", 4)?;
    cut.means(match operation {
        0 => "query",
        4 => "notify",
        5 => "update",
        _ => "",
    });
    cut.flag(
        "AA",
        "from who is responsible for the name",
        if is_response { "from a cache, or sent on to somebody else" } else { "" },
    )?;
    cut.flag("TC", "cut short: ask again over TCP", "")?;
    cut.flag("RD", "find it out for me", "only what you know yourself")?;
    cut.flag("RA", "I do find things out", if is_response { "I do not find things out for others" } else { "" })?;
    cut.reserved(1)?;
    cut.flag("AD", "verified by DNSSEC", "")?;
    cut.flag("CD", "do not verify", "")?;
    let code = cut.number("response code", 4)?;
    cut.means(match code {
        0 => "no error",
        1 => "FORMERR: the question is malformed",
        2 => "SERVFAIL: the server could not find out",
        3 => "NXDOMAIN: there is no such name",
        4 => "NOTIMP: not implemented",
        5 => "REFUSED",
        _ => "",
    });
    let mut counts = [0; 4];
    for (count, name) in counts.iter_mut().zip(["questions", "answers", "authorities", "additional records"]) {
        *count = cut.word(name)?;
    }
    for _ in 0..counts[0] {
        cut.header("DNS question", "RFC 1035 §4.1.2");
        name(cut, "name", whole)?;
        kind(cut)?;
        class(cut)?;
    }
    let sections = ["DNS answer", "DNS authority", "DNS additional record"];
    for (section, count) in sections.into_iter().zip(&counts[1..]) {
        for _ in 0..*count {
            if cut.left().is_empty() {
                cut.is_short();
                return None;
            }
            cut.header(section, "RFC 1035 §4.1.3");
            record(cut, whole)?;
        }
    }
    Some(())
}

fn record(cut: &mut Cutter<'_>, whole: &[u8]) -> Option<()> {
    name(cut, "name", whole)?;
    let kind = kind(cut)?;
    if kind == 41 {
        return extension(cut);
    }
    class(cut)?;
    let seconds = cut.long("TTL")?;
    cut.shows(format!("{seconds} s"));
    cut.means("how long a cache may keep it");
    let length = usize::from(cut.word("data length")?);
    if length > cut.left().len() {
        cut.slice("data", length)?;
    }
    cut.within(length, "data", |cut| match (kind, length) {
        (1, 4) => cut.ipv4("address").map(drop),
        (28, 16) => cut.ipv6("address").map(drop),
        (2, _) => name(cut, "name server", whole),
        (5, _) => name(cut, "canonical name", whole),
        (12, _) => name(cut, "name", whole),
        (15, _) => {
            cut.word("preference")?;
            cut.means("the least is tried first");
            name(cut, "mail server", whole)
        }
        (16, _) => {
            while let Some(length) = cut.left().first().copied() {
                cut.byte("length")?;
                let text = cut.slice("text", usize::from(length))?;
                if let Some(text) = text_of(text) {
                    cut.shows(text);
                }
            }
            Some(())
        }
        (6, _) => start_of_authority(cut, whole),
        (33, _) => {
            for field in ["priority", "weight", "port"] {
                cut.word(field)?;
            }
            name(cut, "target", whole)
        }
        _ => Some(()),
    });
    Some(())
}

fn start_of_authority(cut: &mut Cutter<'_>, whole: &[u8]) -> Option<()> {
    name(cut, "primary server", whole)?;
    name(cut, "responsible", whole)?;
    cut.long("serial")?;
    cut.means("the zone's version");
    let times = [
        ("refresh", "how often secondaries ask"),
        ("retry", "how soon after a failure"),
        ("expire", "after which they give up"),
        ("minimum", "how long \"no such name\" may be kept (RFC 2308 §4)"),
    ];
    for (field, meaning) in times {
        let seconds = cut.long(field)?;
        cut.shows(format!("{seconds} s"));
        cut.means(meaning);
    }
    Some(())
}

/// EDNS (RFC 6891 §6.1.2): a record whose class and TTL are used for other things.
fn extension(cut: &mut Cutter<'_>) -> Option<()> {
    cut.word("UDP size")?;
    cut.means("bytes that the sender can receive (RFC 6891)");
    cut.byte("extended response code")?;
    cut.byte("version")?;
    cut.flag("DO", "send signatures too", "")?;
    cut.number("reserved", 15)?;
    let length = usize::from(cut.word("data length")?);
    cut.slice("options", length)?;
    Some(())
}

fn class(cut: &mut Cutter<'_>) -> Option<()> {
    let class = cut.word("class")?;
    cut.means(match class {
        1 => "IN: the internet",
        3 => "CH: chaos",
        254 => "none",
        255 => "any",
        _ => "",
    });
    Some(())
}

fn kind(cut: &mut Cutter<'_>) -> Option<u16> {
    let kind = cut.word("type")?;
    cut.means(match kind {
        1 => "A: an IPv4 address",
        2 => "NS: a name server",
        5 => "CNAME: another name for it",
        6 => "SOA: where a zone begins",
        12 => "PTR: the name of an address",
        15 => "MX: who takes mail",
        16 => "TXT: text",
        28 => "AAAA: an IPv6 address",
        33 => "SRV: where a service is",
        41 => "OPT: EDNS, extensions",
        255 => "ANY: everything",
        _ => "",
    });
    Some(kind)
}

/// A name: one field, pointers followed.
fn name(cut: &mut Cutter<'_>, field: &str, whole: &[u8]) -> Option<()> {
    let length = stored_bytes(cut.left());
    let text = spelled(cut.left(), whole);
    cut.slice(field, length)?;
    match text {
        Some((text, is_shortened)) => {
            cut.shows(text);
            if is_shortened {
                cut.means("partly by reference to an earlier place (§4.1.4)");
            }
            Some(())
        }
        None => {
            cut.means("no name: it breaks off or runs in a circle");
            None
        }
    }
}

/// How many bytes a name takes where it stands: up to its end, or its first pointer.
fn stored_bytes(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match bytes.get(at) {
            Some(0) => return at + 1,
            Some(length @ 1..64) => at += 1 + usize::from(*length),
            Some(192..) => return at + 2,
            // Neither a label nor a pointer, or the end: whatever is there.
            Some(_) | None => return (at + 1).min(bytes.len()).max(1),
        }
    }
}

/// A name as people write it, and whether a pointer was followed.
fn spelled(bytes: &[u8], whole: &[u8]) -> Option<(String, bool)> {
    let (mut text, mut rest, mut pointers) = (String::new(), bytes, 0);
    for _ in 0..LABELS_MAX + POINTERS_MAX {
        match *rest.first()? {
            0 => {
                let name = if text.is_empty() { ".".to_owned() } else { text };
                return Some((name, pointers > 0));
            }
            length @ 1..64 => {
                let label = rest.get(1..=usize::from(length))?;
                text.push_str(&label.escape_ascii().to_string());
                text.push('.');
                rest = &rest[1 + usize::from(length)..];
            }
            high @ 192.. => {
                pointers += 1;
                if pointers > POINTERS_MAX {
                    return None;
                }
                let at = usize::from(high & 0x3f) << 8 | usize::from(*rest.get(1)?);
                rest = whole.get(at..)?;
            }
            _ => return None,
        }
    }
    None
}
