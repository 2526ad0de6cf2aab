//! Messages as `dig` prints them.

use domain::base::iana::{Class, Rtype};

use crate::wire::dns::{Message, Record, data_text, name_text, rcode_word, type_word};

/// Where the TTL, the class and the type of a record stand: `dig` has tabs of eight.
const TTL_AT: usize = 24;

/// `www.example.com.        300     IN      A       10.0.0.80`
pub(super) fn record_line(record: &Record) -> String {
    let (ttl, word) = (record.ttl().as_secs(), type_word(record.rtype()));
    let data = data_text(record.data());
    format!("{:<TTL_AT$}{:<8}{:<8}{:<8}{data}", padded(&name_text(record.owner())), ttl, class(record.class()), word)
}

/// A space at least behind what is too long for its column.
fn padded(text: &str) -> String {
    if text.len() < TTL_AT { text.to_owned() } else { format!("{text} ") }
}

fn class(class: Class) -> String {
    class.to_string()
}

/// `qr aa rd ra`
pub(super) fn flags(message: &Message) -> String {
    let flags = [
        (message.is_response, "qr"),
        (message.is_authoritative, "aa"),
        (message.is_truncated, "tc"),
        (message.wants_recursion, "rd"),
        (message.offers_recursion, "ra"),
    ];
    flags.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

/// Everything from the header to the last record.
pub(super) fn lines(message: &Message) -> Vec<String> {
    let opcode = message.opcode.to_mnemonic_str().map_or_else(|| message.opcode.to_int().to_string(), str::to_owned);
    let additional = message.additional.len() + usize::from(message.edns.is_some());
    let mut lines = vec![
        format!(";; ->>HEADER<<- opcode: {opcode}, status: {}, id: {}", rcode_word(message.rcode), message.id),
        format!(
            ";; flags: {}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {additional}",
            flags(message),
            message.questions.len(),
            message.answers.len(),
            message.authority.len(),
        ),
    ];
    if message.wants_recursion && !message.offers_recursion {
        lines.push(";; WARNING: recursion requested but not available".to_owned());
    }
    if let Some(edns) = message.edns {
        lines.push(";; OPT PSEUDOSECTION:".to_owned());
        let dnssec = if edns.dnssec_ok { " do" } else { "" };
        lines.push(format!("; EDNS: version: {}, flags:{dnssec}; udp: {}", edns.version, edns.payload));
    }
    if !message.questions.is_empty() {
        lines.push(";; QUESTION SECTION:".to_owned());
    }
    for question in &message.questions {
        let name = format!(";{}", name_text(&question.name));
        let word = type_word(question.rtype);
        lines.push(format!(
            "{:<32}{:<8}{word}",
            if name.len() < 32 { name } else { name + " " },
            class(question.class)
        ));
    }
    for (title, records) in
        [("ANSWER", &message.answers), ("AUTHORITY", &message.authority), ("ADDITIONAL", &message.additional)]
    {
        if !records.is_empty() {
            lines.push(format!(";; {title} SECTION:"));
            lines.extend(records.iter().map(record_line));
        }
    }
    lines
}

/// `A 10.0.0.80`: a record in an outcome.
pub(super) fn short(record: &Record) -> String {
    format!("{} {}", type_word(record.rtype()), data_text(record.data()))
}

/// What `+short` prints of a record.
pub(super) fn value(record: &Record) -> String {
    data_text(record.data())
}

/// Whether a record is a name server's.
pub(super) fn is_ns(record: &Record) -> bool {
    record.rtype() == Rtype::NS
}
