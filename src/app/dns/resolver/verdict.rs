//! What the answer of a name server is worth.
//!
//! A server is believed in what it was asked about and is an authority for, and in nothing else ("bailiwick"): of the
//! zone `example.com.` it may say what is in it, and to whom parts of it were given away. Whatever else a message has in
//! it is left lying.

use domain::base::iana::{Class, OptRcode, Rtype};

use crate::wire::dns::{Data, Message, Name, Question, Record};

/// How many aliases of one message are followed.
const ALIASES_MAX: usize = 16;

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The question is answered: the aliases on the way, and what is at their end.
    Found { aliases: Vec<Record>, end: End },
    /// Somebody else knows: the servers of a zone below, and such of their addresses as may be believed.
    Referral { cut: Name, servers: Vec<Record>, glue: Vec<Record> },
    /// The server is of no use for this question; why, for the log.
    Useless(&'static str),
}

/// What is at the end of a chain of aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// An alias of a name of which this server need not know.
    Elsewhere(Name),
    /// There is no such name (`rtype` is `None`), or no such record; without a SOA record it cannot be kept.
    Nothing {
        name: Name,
        rtype: Option<Rtype>,
        soa: Option<Record>,
    },
    Records(Vec<Record>),
}

/// Judges an answer of a server that is asked as one of `zone`'s. `is_forwarder`: as a resolver, which need not be an
/// authority.
pub(super) fn judge(question: &Question, zone: &Name, is_forwarder: bool, reply: &Message) -> Verdict {
    let name_is_missing = match reply.rcode {
        OptRcode::NOERROR => false,
        OptRcode::NXDOMAIN => true,
        OptRcode::REFUSED => return Verdict::Useless("refused"),
        OptRcode::SERVFAIL => return Verdict::Useless("server failure"),
        _ => return Verdict::Useless("an error"),
    };
    let is_ours = |record: &&Record| record.class() == Class::IN && record.owner().ends_with(zone);
    let (mut aliases, mut name) = (Vec::new(), question.name.clone());
    let end = loop {
        let of_name: Vec<&Record> =
            reply.answers.iter().filter(is_ours).filter(|record| *record.owner() == name).collect();
        let wanted = |record: &&&Record| question.rtype == Rtype::ANY || record.rtype() == question.rtype;
        let records: Vec<Record> = of_name.iter().filter(wanted).map(|record| (*record).clone()).collect();
        if !records.is_empty() {
            break Some(End::Records(records));
        }
        let alias = of_name.iter().find_map(|record| match record.data() {
            Data::Cname(alias) => Some(((*record).clone(), alias.cname().clone())),
            _ => None,
        });
        let Some((record, target)) = alias else { break None };
        let is_loop = target == question.name || aliases.iter().any(|other: &Record| *other.owner() == target);
        if is_loop || aliases.len() >= ALIASES_MAX {
            return Verdict::Useless("aliases in a circle");
        }
        aliases.push(record);
        name = target;
        if !name.ends_with(zone) {
            break Some(End::Elsewhere(name.clone()));
        }
    };
    let speaks_for_zone = reply.is_authoritative || is_forwarder;
    if let Some(end) = end {
        // Not the word of an authority: a cache's, or a guess.
        return if speaks_for_zone { Verdict::Found { aliases, end } } else { Verdict::Useless("no authority") };
    }
    // RFC 2308 §2.2: without a SOA record but with name servers it is a referral; with one it is not.
    let soa = reply
        .authority
        .iter()
        .filter(is_ours)
        .find(|record| record.rtype() == Rtype::SOA && name.ends_with(record.owner()));
    if !name_is_missing
        && soa.is_none()
        && let Some(referral) = referral(&name, zone, reply)
    {
        // The alias leads into a zone that was given away: its end is asked for there, from here on.
        return if aliases.is_empty() { referral } else { Verdict::Found { aliases, end: End::Elsewhere(name) } };
    }
    if !speaks_for_zone {
        return Verdict::Useless("no authority");
    }
    if !aliases.is_empty() && soa.is_none() {
        return Verdict::Found { aliases, end: End::Elsewhere(name) };
    }
    let rtype = (!name_is_missing).then_some(question.rtype);
    Verdict::Found { aliases, end: End::Nothing { name, rtype, soa: soa.cloned() } }
}

/// The delegation that a message tells of, if it leads nearer to the name.
fn referral(name: &Name, zone: &Name, reply: &Message) -> Option<Verdict> {
    let leads_down = |record: &&Record| {
        let owner = record.owner();
        record.rtype() == Rtype::NS
            && record.class() == Class::IN
            && owner != zone
            && owner.ends_with(zone)
            && name.ends_with(owner)
    };
    let cut = reply.authority.iter().find(leads_down)?.owner().clone();
    let servers: Vec<Record> =
        reply.authority.iter().filter(leads_down).filter(|record| *record.owner() == cut).cloned().collect();
    let is_server =
        |name: &Name| servers.iter().any(|server| matches!(server.data(), Data::Ns(ns) if ns.nsdname() == name));
    let is_glue = |record: &&Record| {
        matches!(record.rtype(), Rtype::A | Rtype::AAAA)
            && record.class() == Class::IN
            && is_server(record.owner())
            // Of names outside its zone this server knows nothing: whoever believes it lets himself be led astray.
            && record.owner().ends_with(zone)
    };
    let glue = reply.additional.iter().filter(is_glue).cloned().collect();
    Some(Verdict::Referral { cut, servers, glue })
}

#[cfg(test)]
mod tests;
