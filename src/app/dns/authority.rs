//! What an authority answers: RFC 1034 §4.3.2, without recursion.

use domain::base::iana::{Class, Opcode, OptRcode, Rtype};

use super::zone::{Found, Set, Zone};
use crate::wire::dns::{Data, Message, Name, Question, Record};

/// How many aliases in a row are followed: BIND's `max-query-restarts`.
const ALIASES_MAX: usize = 11;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Tcp,
    Udp,
}

/// The zones of a server.
#[derive(Debug, Clone, Default)]
pub(super) struct Zones(pub(super) Vec<Zone>);

/// What kind of answer it was, for counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answer,
    Error,
    NoData,
    NxDomain,
    Referral,
    Refused,
}

impl Zones {
    /// The zone that is the nearest to a name.
    fn nearest(&self, name: &Name) -> Option<&Zone> {
        let above = self.0.iter().filter(|zone| name.ends_with(&zone.apex));
        above.max_by_key(|zone| zone.apex.label_count())
    }

    /// Answers a query; `None`: it is a response, or something that must not be answered.
    pub(super) fn answer(&self, query: &Message) -> Option<(Message, Outcome)> {
        if query.is_response {
            return None;
        }
        let refuse = |rcode, outcome| Some((query.answer(rcode), outcome));
        if let Some(rcode) = unfit(query) {
            return refuse(rcode, Outcome::Error);
        }
        let question = query.question()?;
        // RFC 5936 §4.2: over UDP there is no transfer; over TCP somebody else has allowed it or not before.
        if matches!(question.rtype, Rtype::AXFR | Rtype::IXFR) || question.class != Class::IN {
            return refuse(OptRcode::REFUSED, Outcome::Refused);
        }
        let Some(zone) = self.nearest(&question.name) else {
            return refuse(OptRcode::REFUSED, Outcome::Refused);
        };
        let mut reply = query.answer(OptRcode::NOERROR);
        let outcome = self.look_up(zone, question, &mut reply);
        self.add_addresses(&mut reply);
        Some((reply, outcome))
    }

    /// The messages of a zone's transfer (RFC 5936 §2.2); `None` if it is not a zone of this server.
    pub(super) fn transfer(&self, query: &Message) -> Option<Vec<Message>> {
        /// How many records a message of a transfer has.
        const RECORDS_EACH: usize = 100;
        let question = query.question()?;
        let zone = self.0.iter().find(|zone| zone.apex == question.name)?;
        let mut records = zone.records();
        // RFC 5936 §2.2: "the first message MUST begin with the SOA resource record of the zone, and the last message MUST
        // conclude with the same SOA resource record."
        records.push(records.first()?.clone());
        let messages = records.chunks(RECORDS_EACH).map(|records| {
            let mut message = query.answer(OptRcode::NOERROR);
            message.is_authoritative = true;
            message.answers = records.to_vec();
            message
        });
        Some(messages.collect())
    }

    fn look_up(&self, first: &Zone, question: &Question, reply: &mut Message) -> Outcome {
        let (mut zone, mut name) = (first, question.name.clone());
        for _ in 0..=ALIASES_MAX {
            let sets = match zone.find(&name) {
                Found::Here(sets) => sets,
                Found::Delegated { cut, servers } => {
                    // RFC 1034 §4.3.2 step 3b: "we have a referral".
                    reply.authority.extend(servers.records(cut));
                    // What was found before the alias led out of the zone is an authority's word.
                    reply.is_authoritative = !reply.answers.is_empty();
                    return if reply.answers.is_empty() { Outcome::Referral } else { Outcome::Answer };
                }
                Found::Nowhere => {
                    // RFC 2308 §2.1: an NXDOMAIN answer has "the SOA record of the zone" in its authority section; and RFC 6604
                    // §3: the code is that of the end of the chain of aliases.
                    reply.is_authoritative = true;
                    reply.rcode = OptRcode::NXDOMAIN;
                    reply.authority.extend(zone.soa());
                    return Outcome::NxDomain;
                }
            };
            reply.is_authoritative = true;
            let alias = sets.iter().find(|set| set.rtype == Rtype::CNAME);
            if let Some(alias) = alias.filter(|_| !matches!(question.rtype, Rtype::CNAME | Rtype::ANY))
                && let Some(Data::Cname(target)) = alias.data.first()
            {
                let target = target.cname().clone();
                let is_loop = reply.answers.iter().any(|record| *record.owner() == name);
                if is_loop {
                    return Outcome::Answer;
                }
                reply.answers.extend(alias.records(&name));
                // RFC 1034 §4.3.2 step 3a: "change QNAME to the canonical name in the CNAME RR, and go back to step 1."
                let Some(next) = self.nearest(&target) else { return Outcome::Answer };
                (zone, name) = (next, target);
                continue;
            }
            let wanted = |set: &&Set| question.rtype == Rtype::ANY || set.rtype == question.rtype;
            let before = reply.answers.len();
            reply.answers.extend(sets.iter().filter(wanted).flat_map(|set| set.records(&name)));
            if reply.answers.len() > before {
                return Outcome::Answer;
            }
            reply.authority.extend(zone.soa());
            return Outcome::NoData;
        }
        Outcome::Answer
    }

    /// Adds the addresses of the name servers, mail exchangers and services that the answer names: RFC 1034 §4.3.2,
    /// step 6, and glue.
    fn add_addresses(&self, reply: &mut Message) {
        let said = reply.answers.iter().chain(&reply.authority);
        let mut targets: Vec<Name> = Vec::new();
        for record in said {
            let target = match record.data() {
                Data::Ns(data) => data.nsdname(),
                Data::Mx(data) => data.exchange(),
                Data::Srv(data) => data.target(),
                _ => continue,
            };
            if !targets.contains(target) {
                targets.push(target.clone());
            }
        }
        let is_there = |record: &Record, reply: &Message| {
            reply.answers.iter().any(|other| other.owner() == record.owner() && other.rtype() == record.rtype())
        };
        for target in targets {
            // Glue stands in the zone above the cut, where it is nobody's answer but found all the same.
            let Some(zone) =
                self.0.iter().filter(|zone| target.ends_with(&zone.apex)).max_by_key(|zone| zone.apex.label_count())
            else {
                continue;
            };
            for rtype in [Rtype::A, Rtype::AAAA] {
                let records: Vec<Record> =
                    zone.set(&target, rtype).into_iter().flat_map(|set| set.records(&target)).collect();
                if records.first().is_some_and(|first| !is_there(first, reply)) {
                    reply.additional.extend(records);
                }
            }
        }
    }
}

/// The error for a query that nobody can answer, whatever zones there are.
pub(super) fn unfit(query: &Message) -> Option<OptRcode> {
    // RFC 1035 §4.1.1: 4 is "Not Implemented - The name server does not support the requested kind of query."
    if query.opcode != Opcode::QUERY {
        return Some(OptRcode::NOTIMP);
    }
    // RFC 6891 §6.1.3: "If a responder does not implement the VERSION level of the request, then it MUST respond with
    // RCODE=BADVERS."
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return Some(OptRcode::BADVERS);
    }
    // RFC 9619 §4: "A DNS message with OPCODE = 0 and QDCOUNT > 1 MUST be treated as an incorrectly formatted message."
    let Some(question) = query.question().filter(|_| query.questions.len() == 1) else {
        return Some(OptRcode::FORMERR);
    };
    // RFC 6895 §3.1: from 128 to 255 are questions and meta-types, of which nothing is stored.
    let rtype = question.rtype.to_int();
    let is_known = matches!(question.rtype, Rtype::ANY | Rtype::AXFR | Rtype::IXFR);
    ((128..=255).contains(&rtype) && !is_known).then_some(OptRcode::NOTIMP)
}

#[cfg(test)]
mod tests;
