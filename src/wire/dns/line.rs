//! A message in one line.
//!
//! ```text
//! 12345+ A? www.example.com. (33)
//! 12345* 2/0/1 CNAME web.example.com., A 10.0.0.80 (77)
//! 12345 NXDomain* 0/1/0 (86)
//! 12345 0/2/2, ns: NS ns1.example.com., NS ns2.example.com. (110)
//! ```
//!
//! As tcpdump spells it: the id; `+` recursion is wanted (of an answer `-`: not offered), `*` an authority speaks, `|`
//! truncated, `[1au]` there are so many additional records; the question; or of an answer the counts of the answer,
//! authority and additional sections, and the answer. What tcpdump does not show without `-v` is a referral: here the
//! name servers that it names are, because without them a walk from the root cannot be followed.

use std::fmt;

use domain::base::iana::{Class, Opcode, OptRcode, Rtype};

use super::{Malformed, Message, Question, Record, data_text, name_text, rcode_word, type_word};

/// How many records are told one by one.
const LISTED_MAX: usize = 3;

/// The whole line, without who sends it to whom.
pub(crate) fn write_long(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let length = bytes.len();
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(Malformed::Header) => return write!(f, "[truncated domain] ({length})"),
        Err(Malformed::Rest { id, .. }) => return write!(f, "{id} [malformed domain] ({length})"),
    };
    write!(f, "{}", message.id)?;
    if message.opcode != Opcode::QUERY {
        write!(f, " {}", opcode_word(message.opcode))?;
    }
    if message.is_response {
        write_rcode(f, message.rcode)?;
        write_flags(f, &message)?;
        let [answers, authority, additional] = counts(&message);
        write!(f, " {answers}/{authority}/{additional}")?;
        if !message.answers.is_empty() {
            write_records(f, " ", &message.answers)?;
        } else if message.authority.iter().any(|record| record.rtype() == Rtype::NS) {
            write_records(f, ", ns: ", &message.authority)?;
        }
    } else {
        write_flags(f, &message)?;
        let additional = counts(&message)[2];
        if additional > 0 {
            write!(f, " [{additional}au]")?;
        }
        message.questions.iter().try_for_each(|question| write_question(f, question))?;
    }
    write!(f, " ({length})")
}

/// The same in few words: `A? www.example.com.`, `A 10.0.0.80`, `NXDomain`, `ask ns1.example.com.`
pub(crate) fn write_short(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let Ok(message) = Message::parse(bytes) else { return f.write_str("DNS [malformed]") };
    f.write_str("DNS")?;
    if message.opcode != Opcode::QUERY {
        write!(f, " {}", opcode_word(message.opcode))?;
    }
    if !message.is_response {
        return message.questions.iter().try_for_each(|question| write_question(f, question));
    }
    write_rcode(f, message.rcode)?;
    if message.is_truncated {
        f.write_str(" truncated")?;
    }
    let name_server = message.authority.iter().find(|record| record.rtype() == Rtype::NS);
    match (message.answers.as_slice(), name_server) {
        ([], Some(record)) if !message.is_authoritative => {
            write!(f, " {} ask {}", name_text(record.owner()), data_text(record.data()))
        }
        ([], _) if message.rcode == OptRcode::NOERROR && !message.is_truncated => f.write_str(" no such record"),
        ([], _) => Ok(()),
        (records, _) => {
            let last = records.last().expect("matched above to be not empty");
            write_record(f, last)?;
            if records.len() > 1 { write!(f, " +{}", records.len() - 1) } else { Ok(()) }
        }
    }
}

fn counts(message: &Message) -> [usize; 3] {
    let opt = usize::from(message.edns.is_some());
    [message.answers.len(), message.authority.len(), message.additional.len() + opt]
}

fn write_flags(f: &mut fmt::Formatter<'_>, message: &Message) -> fmt::Result {
    let flags = match message.is_response {
        false => [(message.wants_recursion, "+"), (message.is_truncated, "|"), (false, "")],
        true => {
            let is_unavailable = message.wants_recursion && !message.offers_recursion;
            [(message.is_authoritative, "*"), (is_unavailable, "-"), (message.is_truncated, "|")]
        }
    };
    flags.iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, sign)| f.write_str(sign))
}

fn write_rcode(f: &mut fmt::Formatter<'_>, rcode: OptRcode) -> fmt::Result {
    match rcode {
        OptRcode::NOERROR => Ok(()),
        OptRcode::FORMERR => f.write_str(" FormErr"),
        OptRcode::SERVFAIL => f.write_str(" ServFail"),
        OptRcode::NXDOMAIN => f.write_str(" NXDomain"),
        OptRcode::NOTIMP => f.write_str(" NotImp"),
        OptRcode::REFUSED => f.write_str(" Refused"),
        other => write!(f, " {}", rcode_word(other)),
    }
}

fn write_question(f: &mut fmt::Formatter<'_>, question: &Question) -> fmt::Result {
    write!(f, " {}", type_word(question.rtype))?;
    if question.class != Class::IN {
        write!(f, " {}", question.class)?;
    }
    write!(f, "? {}", name_text(&question.name))
}

fn write_records(f: &mut fmt::Formatter<'_>, first: &str, records: &[Record]) -> fmt::Result {
    f.write_str(first.strip_suffix(' ').unwrap_or(first))?;
    for (index, record) in records.iter().take(LISTED_MAX).enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        write_record(f, record)?;
    }
    f.write_str(if records.len() > LISTED_MAX { ", …" } else { "" })
}

/// ` A 10.0.0.80`; the owner only where it tells something, which the question does not: in a referral.
fn write_record(f: &mut fmt::Formatter<'_>, record: &Record) -> fmt::Result {
    let data = data_text(record.data());
    match record.rtype() {
        // Its numbers are many and tell little in passing.
        Rtype::SOA => f.write_str(" SOA"),
        rtype => write!(f, " {} {data}", type_word(rtype)),
    }
}

fn opcode_word(opcode: Opcode) -> String {
    opcode.to_mnemonic_str().map_or_else(|| format!("opcode{}", opcode.to_int()), str::to_lowercase)
}
