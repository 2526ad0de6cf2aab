//! What is answered, and that any zone answers as the plain reading of the standards does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::app::dns::settings::read_name;
use crate::wire::dns::{Edns, Question, TCP_BYTES_MAX, data_text, name_text, type_word};

fn name(text: &str) -> Name {
    read_name(text).unwrap()
}

fn zones(zones: &[(&str, &str)]) -> Zones {
    Zones(zones.iter().map(|(apex, text)| Zone::read(name(apex), text).unwrap()).collect())
}

fn query(text: &str, rtype: Rtype) -> Message {
    Message::query(7, Question::new(name(text), rtype), true, None)
}

fn said(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| {
        format!("{} {} {}", name_text(record.owner()), type_word(record.rtype()), data_text(record.data()))
    };
    records.iter().map(line).collect()
}

fn asked(zones: &Zones, text: &str, rtype: Rtype) -> (Message, Outcome) {
    zones.answer(&query(text, rtype)).unwrap()
}

const PARENT: &str = "
@ NS ns
ns A 10.0.0.53
www A 10.0.0.80
alias CNAME www
away CNAME www.example.org.
round CNAME and.round2
and.round2 CNAME round
dead CNAME nothing
*.wild A 10.0.0.99
sub NS ns.sub
ns.sub A 10.0.1.53
ns.sub AAAA fd00::53
into CNAME host.sub
mail MX 10 www
";

fn parent() -> Zones {
    zones(&[("example.com", PARENT)])
}

#[test]
fn an_answer_has_the_records_and_says_that_an_authority_speaks() {
    let (reply, outcome) = asked(&parent(), "WWW.example.com", Rtype::A);
    assert_eq!((outcome, reply.rcode, reply.is_authoritative), (Outcome::Answer, OptRcode::NOERROR, true));
    // The case is that of the question.
    assert_eq!(said(&reply.answers), ["WWW.example.com. A 10.0.0.80"]);
    assert!(reply.is_response && reply.id == 7 && reply.wants_recursion && !reply.offers_recursion);
    assert_eq!(reply.questions, query("www.example.com", Rtype::A).questions);
}

#[test]
fn a_name_that_is_not_there_and_a_type_that_is_not_there_come_with_the_soa_record() {
    let (reply, outcome) = asked(&parent(), "nobody.example.com", Rtype::A);
    assert_eq!((outcome, reply.rcode, reply.answers.len()), (Outcome::NxDomain, OptRcode::NXDOMAIN, 0));
    assert!(said(&reply.authority)[0].starts_with("example.com. SOA ns.example.com."));
    let (reply, outcome) = asked(&parent(), "www.example.com", Rtype::TXT);
    assert_eq!((outcome, reply.rcode, reply.authority.len()), (Outcome::NoData, OptRcode::NOERROR, 1));
    assert_eq!(reply.authority[0].rtype(), Rtype::SOA);
}

#[test]
fn aliases_are_followed_within_the_zones_and_left_to_others_outside() {
    let (reply, _) = asked(&parent(), "alias.example.com", Rtype::A);
    assert_eq!(said(&reply.answers), ["alias.example.com. CNAME www.example.com.", "www.example.com. A 10.0.0.80"]);
    let (reply, outcome) = asked(&parent(), "away.example.com", Rtype::A);
    assert_eq!((outcome, reply.answers.len(), reply.rcode), (Outcome::Answer, 1, OptRcode::NOERROR));
    // Who asks for the alias itself gets it.
    let (reply, _) = asked(&parent(), "alias.example.com", Rtype::CNAME);
    assert_eq!(reply.answers.len(), 1);
    // Another zone of the same server is no foreign one.
    let both = zones(&[("example.com", PARENT), ("example.org", "www A 10.9.9.9")]);
    let (reply, _) = asked(&both, "away.example.com", Rtype::A);
    assert_eq!(said(&reply.answers)[1], "www.example.org. A 10.9.9.9");
}

#[test]
fn an_alias_of_nothing_is_an_answer_and_no_such_name() {
    let (reply, _) = asked(&parent(), "dead.example.com", Rtype::A);
    assert_eq!((reply.rcode, reply.answers.len(), reply.authority.len()), (OptRcode::NXDOMAIN, 1, 1));
}

#[test]
fn a_circle_of_aliases_ends() {
    let (reply, _) = asked(&parent(), "round.example.com", Rtype::A);
    assert_eq!(reply.answers.len(), 2);
    let long: String = (0..40).map(|n| format!("n{n} CNAME n{}\n", n + 1)).collect();
    let (reply, _) = asked(&zones(&[("example.com", &long)]), "n0.example.com", Rtype::A);
    assert_eq!(reply.answers.len(), ALIASES_MAX + 1);
}

#[test]
fn a_referral_names_the_servers_and_brings_their_addresses_and_is_no_authority() {
    for rtype in [Rtype::A, Rtype::NS, Rtype::SOA] {
        let (reply, outcome) = asked(&parent(), "host.sub.example.com", rtype);
        assert_eq!((outcome, reply.is_authoritative, reply.answers.len()), (Outcome::Referral, false, 0));
        assert_eq!(said(&reply.authority), ["sub.example.com. NS ns.sub.example.com."]);
        assert_eq!(said(&reply.additional), ["ns.sub.example.com. A 10.0.1.53", "ns.sub.example.com. AAAA fd00::53"]);
    }
    // An alias that leads there: the alias is an authority's word, and the rest is a referral.
    let (reply, _) = asked(&parent(), "into.example.com", Rtype::A);
    assert_eq!((reply.is_authoritative, reply.answers.len(), reply.authority.len()), (true, 1, 1));
}

#[test]
fn the_zone_nearest_to_the_name_answers() {
    let both = zones(&[("example.com", PARENT), ("sub.example.com", "host A 10.0.1.1")]);
    let (reply, outcome) = asked(&both, "host.sub.example.com", Rtype::A);
    assert_eq!((outcome, reply.is_authoritative), (Outcome::Answer, true));
}

#[test]
fn what_is_named_comes_with_its_addresses() {
    let (reply, _) = asked(&parent(), "mail.example.com", Rtype::MX);
    assert_eq!(said(&reply.additional), ["www.example.com. A 10.0.0.80"]);
    let (reply, _) = asked(&parent(), "example.com", Rtype::NS);
    assert_eq!(said(&reply.additional), ["ns.example.com. A 10.0.0.53"]);
}

#[test]
fn who_asks_for_any_gets_all() {
    let (reply, outcome) = asked(&parent(), "ns.sub.example.com", Rtype::ANY);
    assert_eq!((outcome, reply.answers.len()), (Outcome::Referral, 0));
    let (reply, _) = asked(&parent(), "example.com", Rtype::ANY);
    assert_eq!(reply.answers.len(), 2, "NS and the SOA record that was made");
}

#[test]
fn what_is_not_its_business_is_refused_and_what_it_does_not_know_not_implemented() {
    let code = |message: &Message| parent().answer(message).unwrap().0.rcode;
    assert_eq!(code(&query("example.org", Rtype::A)), OptRcode::REFUSED);
    assert_eq!(code(&query("example.com", Rtype::AXFR)), OptRcode::REFUSED);
    let mut chaos = query("example.com", Rtype::TXT);
    chaos.questions[0].class = Class::CH;
    assert_eq!(code(&chaos), OptRcode::REFUSED);
    let mut update = query("example.com", Rtype::SOA);
    update.opcode = Opcode::UPDATE;
    assert_eq!(code(&update), OptRcode::NOTIMP);
    assert_eq!(code(&query("example.com", Rtype::TSIG)), OptRcode::NOTIMP);
    let mut two = query("example.com", Rtype::A);
    two.questions.push(Question::new(name("example.com"), Rtype::NS));
    assert_eq!(code(&two), OptRcode::FORMERR);
    two.questions.clear();
    assert_eq!(code(&two), OptRcode::FORMERR);
    let mut response = query("example.com", Rtype::A);
    response.is_response = true;
    assert_eq!(parent().answer(&response), None, "two servers that answer answers would never end");
}

#[test]
fn another_version_of_edns_is_told_which_one_there_is() {
    let mut query = query("www.example.com", Rtype::A);
    query.edns = Some(Edns { version: 1, ..Edns::default() });
    let (reply, _) = parent().answer(&query).unwrap();
    assert_eq!(
        (reply.rcode, reply.edns.map(|edns| edns.version), reply.answers.len()),
        (OptRcode::BADVERS, Some(0), 0)
    );
}

#[test]
fn an_answer_has_an_opt_record_if_and_only_if_the_question_has_one() {
    let with = Message { edns: Some(Edns::default()), ..query("www.example.com", Rtype::A) };
    assert!(parent().answer(&with).unwrap().0.edns.is_some());
    assert!(parent().answer(&query("www.example.com", Rtype::A)).unwrap().0.edns.is_none());
}

#[test]
fn a_transfer_begins_and_ends_with_the_soa_record_and_has_every_record() {
    let messages = parent().transfer(&query("example.com", Rtype::AXFR)).unwrap();
    let records: Vec<Record> = messages.into_iter().flat_map(|message| message.answers).collect();
    assert_eq!(records.first().map(Record::rtype), Some(Rtype::SOA));
    assert_eq!(records.first(), records.last());
    assert_eq!(records.len(), PARENT.trim().lines().count() + 2);
    assert!(parent().transfer(&query("www.example.com", Rtype::AXFR)).is_none());
}

/// A name below the apex, its leftmost label first: few labels, so that names meet.
fn labels() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just("*")], 0..4)
}

fn spelled(labels: &[&str]) -> String {
    labels.iter().map(|label| format!("{label}.")).collect::<String>() + "z."
}

/// What the plain reading of RFC 1034 §4.3.2 and RFC 4592 says.
fn plainly(zone: &BTreeMap<Vec<&'static str>, &'static str>, name: &[&'static str], rtype: &str) -> String {
    let is_there = |name: &[&str]| name.is_empty() || zone.keys().any(|owner| owner.ends_with(name));
    for depth in 1..=name.len() {
        let suffix = &name[name.len() - depth..];
        if zone.get(suffix) == Some(&"NS") {
            return format!("referral {}", spelled(suffix));
        }
    }
    let mut at = name.to_vec();
    if !is_there(name) {
        let encloser = (1..=name.len()).map(|skip| &name[skip..]).find(|suffix| is_there(suffix)).unwrap();
        at = [&["*"], encloser].concat();
        if !is_there(&at) {
            return "no such name".to_owned();
        }
    }
    match zone.get(&at) {
        Some(found) if *found == rtype || *found == "CNAME" => format!("answer {found}"),
        _ => "no such record".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_zone_answers_as_the_plain_reading_does(
        records in proptest::collection::btree_map(labels(), prop_oneof![Just("A"), Just("TXT"), Just("CNAME"), Just("NS")], 0..8),
        name in labels(),
        rtype in prop_oneof![Just("A"), Just("TXT")],
    ) {
        // A delegation of the zone itself, or of a wildcard, is none (RFC 4592 §4.2 leaves it undefined).
        let records: BTreeMap<Vec<&str>, &str> = records
            .into_iter()
            .filter(|(owner, what)| !(owner.is_empty() || *what == "NS" && owner.contains(&"*")))
            .collect();
        let data = |what: &str| match what {
            "A" => "10.0.0.1",
            "TXT" => "text",
            _ => "elsewhere.",
        };
        let text: String =
            records.iter().map(|(owner, what)| format!("{} {what} {}\n", spelled(owner), data(what))).collect();
        let zones = zones(&[("z", &text)]);
        let (reply, outcome) = asked(&zones, &spelled(&name), Rtype::from_mnemonic(rtype.as_bytes()).unwrap());
        let told = match outcome {
            Outcome::Answer => format!("answer {}", type_word(reply.answers[0].rtype())),
            Outcome::NoData => "no such record".to_owned(),
            Outcome::NxDomain => "no such name".to_owned(),
            Outcome::Referral => format!("referral {}", name_text(reply.authority[0].owner())),
            Outcome::Error | Outcome::Refused => format!("{outcome:?}"),
        };
        prop_assert_eq!(told, plainly(&records, &name, rtype), "{} in\n{}", spelled(&name), text);
    }

    #[test]
    fn any_message_is_answered_or_not_and_the_answer_can_be_read(
        head in proptest::array::uniform4(any::<u8>()),
        counts in proptest::array::uniform4(0_u8..3),
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let counts = counts.into_iter().flat_map(|count| [0, count]);
        // A question that can often be read: a name of the zone, then whatever.
        let question = *b"\x03www\x07example\x03com\x00\x00\x01\x00\x01";
        let bytes: Vec<u8> = head.into_iter().chain(counts).chain(question).chain(body).collect();
        if let Ok(message) = Message::parse(&bytes)
            && let Some((reply, _)) = parent().answer(&message)
        {
            prop_assert!(Message::parse(&reply.write(TCP_BYTES_MAX)).is_ok());
            prop_assert!(reply.is_response && reply.id == message.id);
        }
    }
}
