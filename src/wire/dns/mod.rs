//! DNS messages (RFC 1035 §4): read whole, written whole, looked at in passing.
//!
//! Formats are those of the `domain` crate: names, records, compression, EDNS. What is here is the message as a plain
//! value that programs can hold, and the two decisions that writing one takes: what is left out of a message that is
//! too long, and that this is said (the TC bit).
//!
//! | file | what it holds |
//! |---|---|
//! | `glimpse` | a message looked at where it stands in a frame |
//! | `line` | a message in one line, as tcpdump spells it |
//! | `text` | records and names as zone files spell them |

mod glimpse;
mod line;
#[cfg(test)]
mod tests;
mod text;

use bytes::Bytes;
use domain::base::iana::{Class, Opcode, OptRcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, TreeCompressor};
use domain::base::name::{FlattenInto, ParsedName};
use domain::base::record::ParsedRecord;
use domain::base::{Message as Octets, MessageBuilder, Name as DomainName, Record as DomainRecord};
use domain::rdata::ZoneRecordData;

pub use glimpse::{Glimpse, QueryName};
pub(crate) use line::{write_long, write_short};
pub(crate) use text::{data_text, name_text, rcode_word, type_word};

/// The port of name servers.
pub const PORT: u16 = 53;

/// RFC 1035 §2.3.4: "UDP messages    512 octets or less".
pub(crate) const UDP_BYTES: usize = 512;

/// What a length of two octets in front of a message on a TCP connection can say.
pub(crate) const TCP_BYTES_MAX: usize = 65_535;

/// What everybody here says that it can receive over UDP: fits into every path of IPv6 in one piece.
pub(crate) const EDNS_BYTES: u16 = 1232;

/// An OPT record without options: root name, type, class, TTL, length.
const OPT_BYTES: usize = 11;

/// A domain name. Compared without regard to case, kept with it.
pub(crate) type Name = DomainName<Bytes>;

/// What a record says.
pub(crate) type Data = ZoneRecordData<Bytes, Name>;

/// A resource record.
pub(crate) type Record = DomainRecord<Name, Data>;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) rtype: Rtype,
    pub(crate) class: Class,
}

impl Question {
    /// Of the Internet.
    pub(crate) fn new(name: Name, rtype: Rtype) -> Self {
        Self { name, rtype, class: Class::IN }
    }
}

/// What an OPT record says (RFC 6891 §6.1), but for options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edns {
    /// The largest UDP payload that its sender can take.
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
}

impl Default for Edns {
    fn default() -> Self {
        Self { payload: EDNS_BYTES, version: 0, dnssec_ok: false }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) is_response: bool,
    pub(crate) opcode: Opcode,
    /// AA: an authority speaks.
    pub(crate) is_authoritative: bool,
    /// TC: there would be more.
    pub(crate) is_truncated: bool,
    /// RD: whoever is asked is to find it out.
    pub(crate) wants_recursion: bool,
    /// RA: it would.
    pub(crate) offers_recursion: bool,
    pub(crate) rcode: OptRcode,
    pub(crate) questions: Vec<Question>,
    pub(crate) answers: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    /// Without the OPT record.
    pub(crate) additional: Vec<Record>,
    pub(crate) edns: Option<Edns>,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Even the header is not all there: nobody can be answered.
    Header,
    /// The rest is wrong. What the header says, with which an error can be answered.
    Rest { id: u16, is_response: bool, opcode: Opcode, wants_recursion: bool },
}

impl Message {
    /// A question.
    pub(crate) fn query(id: u16, question: Question, wants_recursion: bool, edns: Option<Edns>) -> Self {
        Self {
            id,
            is_response: false,
            opcode: Opcode::QUERY,
            is_authoritative: false,
            is_truncated: false,
            wants_recursion,
            offers_recursion: false,
            rcode: OptRcode::NOERROR,
            questions: vec![question],
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns,
        }
    }

    /// The beginning of an answer to this message: its id and question, no records. It has an OPT record if the
    /// question has one.
    ///
    /// RFC 6891 §6.1.1: "If an OPT record is present in a received request, compliant responders MUST include an OPT
    /// record in their respective responses."
    pub(crate) fn answer(&self, rcode: OptRcode) -> Self {
        Self {
            is_response: true,
            is_authoritative: false,
            is_truncated: false,
            offers_recursion: false,
            rcode,
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns: self.edns.map(|_| Edns::default()),
            ..self.clone()
        }
    }

    /// The first question, which is the only one in every message that is of use.
    pub(crate) fn question(&self) -> Option<&Question> {
        self.questions.first()
    }

    /// How much the sender of this query can take by UDP.
    pub(crate) fn udp_room(&self) -> usize {
        // RFC 6891 §6.2.3: "Values lower than 512 MUST be treated as equal to 512."
        self.edns.map_or(UDP_BYTES, |edns| usize::from(edns.payload).max(UDP_BYTES))
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// When it is cut short, a name points at itself, a record is not what its type says, or there are two OPT records.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let octets = Octets::from_octets(Bytes::copy_from_slice(bytes)).map_err(|_| Malformed::Header)?;
        let header = octets.header();
        let wrong = Malformed::Rest {
            id: header.id(),
            is_response: header.qr(),
            opcode: header.opcode(),
            wants_recursion: header.rd(),
        };
        let mut message = Self {
            id: header.id(),
            is_response: header.qr(),
            opcode: header.opcode(),
            is_authoritative: header.aa(),
            is_truncated: header.tc(),
            wants_recursion: header.rd(),
            offers_recursion: header.ra(),
            rcode: OptRcode::from_rcode(header.rcode()),
            questions: Vec::new(),
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns: None,
        };
        message.read_sections(&octets).ok_or(wrong)?;
        Ok(message)
    }

    fn read_sections(&mut self, octets: &Octets<Bytes>) -> Option<()> {
        for question in octets.question() {
            let question = question.ok()?;
            let (rtype, class) = (question.qtype(), question.qclass());
            self.questions.push(Question { name: flat(question.into_qname()), rtype, class });
        }
        let (_, answers, authority, additional) = octets.sections().ok()?;
        let read = |records: domain::base::message::RecordSection<'_, Bytes>| {
            records.map(|record| owned(&record.ok()?)).collect::<Option<Vec<Record>>>()
        };
        self.answers = read(answers)?;
        self.authority = read(authority)?;
        for record in additional {
            let record = record.ok()?;
            if record.rtype() != Rtype::OPT {
                self.additional.push(owned(&record)?);
                continue;
            }
            // RFC 6891 §6.1.1: "If a query message with more than one OPT RR is received, a FORMERR (RCODE=1) MUST be
            // returned." Its owner "MUST be 0 (root domain)" (§6.1.2).
            if self.edns.is_some() || !record.owner().is_root() {
                return None;
            }
            let ttl = record.ttl().as_secs();
            self.rcode = OptRcode::from_parts(self.rcode.rcode(), (ttl >> 24) as u8);
            self.edns = Some(Edns {
                payload: record.class().to_int(),
                version: (ttl >> 16) as u8,
                dnssec_ok: ttl & 0x8000 != 0,
            });
        }
        Some(())
    }

    /// Writes the message in at most `room` bytes, names compressed.
    ///
    /// What does not fit is left out, whole sets of records at a time. If it would have been part of the answer, or the
    /// names of a delegation or the addresses without which that is of no use, the TC bit says so.
    pub(crate) fn write(&self, room: usize) -> Vec<u8> {
        let room = room.min(TCP_BYTES_MAX).saturating_sub(self.edns.map_or(0, |_| OPT_BYTES));
        let mut counts = [self.answers.len(), self.authority.len(), self.additional.len()];
        let mut is_truncated = self.is_truncated;
        loop {
            match self.compose(counts, is_truncated, room) {
                Ok(bytes) => return bytes,
                Err((section, index)) => {
                    let records = [&self.answers, &self.authority, &self.additional][section];
                    counts[section] = start_of_set(records, index);
                    counts[section + 1..].fill(0);
                    // RFC 2181 §9: "The TC bit should be set in responses only when an RRSet is required as a part of
                    // the response, but could not be included in its entirety."; RFC 9471 §3.1: "If message size
                    // constraints prevent the inclusion of all glue records for in-domain name servers … the server MUST
                    // set the TC (Truncated) flag".
                    is_truncated |= section < 2 || (section == 2 && self.is_referral());
                }
            }
        }
    }

    /// Whether it sends the asker elsewhere.
    fn is_referral(&self) -> bool {
        self.answers.is_empty()
            && !self.is_authoritative
            && self.authority.iter().any(|record| record.rtype() == Rtype::NS)
    }

    /// Writes so many records of each section; or the section and index of the one that does not fit.
    fn compose(&self, counts: [usize; 3], is_truncated: bool, room: usize) -> Result<Vec<u8>, (usize, usize)> {
        let target = TreeCompressor::new(Vec::with_capacity(UDP_BYTES));
        let Ok(mut builder) = MessageBuilder::from_target(target);
        builder.set_push_limit(room);
        let header = builder.header_mut();
        header.set_id(self.id);
        header.set_qr(self.is_response);
        header.set_opcode(self.opcode);
        header.set_aa(self.is_authoritative);
        header.set_tc(is_truncated);
        header.set_rd(self.wants_recursion);
        header.set_ra(self.offers_recursion);
        header.set_rcode(self.rcode.rcode());
        let mut builder = builder.question();
        for question in &self.questions {
            // A question has at most 259 bytes, and only ours or one that has been received is ever written.
            if builder.push((&question.name, question.rtype, question.class)).is_err() {
                break;
            }
        }
        let mut builder = builder.answer();
        for (index, record) in self.answers.iter().take(counts[0]).enumerate() {
            builder.push(record).map_err(|_| (0, index))?;
        }
        let mut builder = builder.authority();
        for (index, record) in self.authority.iter().take(counts[1]).enumerate() {
            builder.push(record).map_err(|_| (1, index))?;
        }
        let mut builder = builder.additional();
        for (index, record) in self.additional.iter().take(counts[2]).enumerate() {
            builder.push(record).map_err(|_| (2, index))?;
        }
        self.push_opt(&mut builder);
        Ok(builder.finish().into_target())
    }

    fn push_opt(&self, builder: &mut AdditionalBuilder<TreeCompressor<Vec<u8>>>) {
        let Some(edns) = self.edns else { return };
        builder.clear_push_limit();
        let pushed = builder.opt(|opt| {
            opt.set_udp_payload_size(edns.payload);
            opt.set_version(edns.version);
            opt.set_dnssec_ok(edns.dnssec_ok);
            opt.set_rcode(self.rcode);
            Ok(())
        });
        debug_assert!(pushed.is_ok(), "a vector has room");
    }
}

/// Where the set begins that the record at `index` belongs to: same owner, same type.
fn start_of_set(records: &[Record], index: usize) -> usize {
    let is_of_set = |record: &Record| {
        records.get(index).is_some_and(|last| record.owner() == last.owner() && record.rtype() == last.rtype())
    };
    records[..index].iter().rposition(|record| !is_of_set(record)).map_or(0, |before| before + 1)
}

/// A name on its own.
fn flat(name: ParsedName<Bytes>) -> Name {
    name.flatten_into()
}

/// A record on its own; `None` if it is not what its type says.
fn owned(record: &ParsedRecord<'_, Bytes>) -> Option<Record> {
    let record = record.to_record::<ZoneRecordData<Bytes, ParsedName<Bytes>>>().ok()??;
    Some(record.flatten_into())
}
