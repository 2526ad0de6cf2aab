//! Whom a resolver believes, and in what.

use domain::base::Ttl;
use domain::base::iana::Rcode;
use domain::rdata::{A, Cname, Ns};
use proptest::prelude::*;

use super::*;
use crate::app::dns::settings::read_name;

fn name(text: &str) -> Name {
    read_name(text).unwrap()
}

fn record(owner: &str, data: impl Into<Data>) -> Record {
    Record::new(name(owner), Class::IN, Ttl::from_secs(300), data.into())
}

fn a(owner: &str) -> Record {
    record(owner, A::from_octets(10, 0, 0, 1))
}

fn ns(owner: &str, server: &str) -> Record {
    record(owner, Ns::new(name(server)))
}

fn cname(owner: &str, target: &str) -> Record {
    record(owner, Cname::new(name(target)))
}

fn question() -> Question {
    Question::new(name("www.example.com"), Rtype::A)
}

fn reply(answers: Vec<Record>, authority: Vec<Record>, additional: Vec<Record>) -> Message {
    let mut reply = Message::query(7, question(), false, None).answer(OptRcode::NOERROR);
    reply.is_authoritative = !answers.is_empty();
    (reply.answers, reply.authority, reply.additional) = (answers, authority, additional);
    reply
}

fn of(zone: &str, reply: &Message) -> Verdict {
    judge(&question(), &name(zone), false, reply)
}

#[test]
fn an_authoritys_answer_is_believed_and_a_hearsay_is_not() {
    let mut reply = reply(vec![a("www.example.com")], vec![], vec![]);
    let found = Verdict::Found { aliases: vec![], end: End::Records(vec![a("www.example.com")]) };
    assert_eq!(of("example.com", &reply), found);
    reply.is_authoritative = false;
    assert_eq!(of("example.com", &reply), Verdict::Useless("no authority"));
    assert_eq!(judge(&question(), &name("."), true, &reply), found, "a forwarder need not be one");
}

#[test]
fn records_of_names_that_were_not_asked_for_or_are_of_another_zone_are_left_lying() {
    let poisoned = reply(
        vec![a("www.example.com"), a("www.bank.example"), a("other.example.com")],
        vec![],
        vec![a("ns.bank.example")],
    );
    assert_eq!(
        of("example.com", &poisoned),
        Verdict::Found { aliases: vec![], end: End::Records(vec![a("www.example.com")]) }
    );
    // A server of another zone cannot answer for this one at all.
    let mut strange = reply(vec![a("www.example.com")], vec![], vec![]);
    strange.is_authoritative = true;
    assert!(!matches!(of("example.org", &strange), Verdict::Found { end: End::Records(_), .. }));
}

#[test]
fn an_alias_is_followed_as_far_as_the_server_may_speak() {
    let within = reply(vec![cname("www.example.com", "web.example.com"), a("web.example.com")], vec![], vec![]);
    let alias = cname("www.example.com", "web.example.com");
    assert_eq!(
        of("example.com", &within),
        Verdict::Found { aliases: vec![alias], end: End::Records(vec![a("web.example.com")]) }
    );
    // What it says of a name of another zone is not believed: that is asked for there.
    let outside = reply(vec![cname("www.example.com", "www.bank.example"), a("www.bank.example")], vec![], vec![]);
    assert!(
        matches!(of("example.com", &outside), Verdict::Found { end: End::Elsewhere(target), .. } if target == name("www.bank.example"))
    );
    let circle = reply(
        vec![cname("www.example.com", "a.example.com"), cname("a.example.com", "www.example.com")],
        vec![],
        vec![],
    );
    assert_eq!(of("example.com", &circle), Verdict::Useless("aliases in a circle"));
}

#[test]
fn a_referral_must_lead_down_towards_the_name() {
    let down = reply(vec![], vec![ns("example.com", "ns.example.com")], vec![a("ns.example.com")]);
    assert!(
        matches!(of("com", &down), Verdict::Referral { cut, glue, .. } if cut == name("example.com") && glue.len() == 1)
    );
    for useless in ["com", ".", "example.org", "mail.example.com"] {
        let reply = reply(vec![], vec![ns(useless, "ns.example.com")], vec![]);
        assert_eq!(of("com", &reply), Verdict::Useless("no authority"), "{useless}");
    }
}

#[test]
fn glue_is_believed_only_of_the_named_servers_and_inside_the_zone_that_refers() {
    let servers = vec![ns("example.com", "ns.example.com"), ns("example.com", "ns.bank.example")];
    let addresses = vec![a("ns.example.com"), a("ns.bank.example"), a("www.example.com")];
    let Verdict::Referral { glue, servers, .. } = of("com", &reply(vec![], servers, addresses)) else { panic!() };
    assert_eq!((servers.len(), glue), (2, vec![a("ns.example.com")]));
}

#[test]
fn that_there_is_nothing_is_kept_for_the_name_or_for_the_type() {
    let mut nothing = reply(vec![], vec![], vec![]);
    nothing.is_authoritative = true;
    let end = |rtype| Verdict::Found {
        aliases: vec![],
        end: End::Nothing { name: name("www.example.com"), rtype, soa: None },
    };
    assert_eq!(of("example.com", &nothing), end(Some(Rtype::A)));
    nothing.rcode = OptRcode::NXDOMAIN;
    assert_eq!(of("example.com", &nothing), end(None));
}

#[test]
fn errors_are_of_no_use() {
    for (rcode, why) in
        [(OptRcode::REFUSED, "refused"), (OptRcode::SERVFAIL, "server failure"), (OptRcode::FORMERR, "an error")]
    {
        let mut reply = reply(vec![a("www.example.com")], vec![], vec![]);
        reply.rcode = rcode;
        assert_eq!(of("example.com", &reply), Verdict::Useless(why));
    }
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("www.example.com"),
        Just("example.com"),
        Just("com"),
        Just("."),
        Just("a.example.com"),
        Just("bank.example"),
        Just("ns.bank.example")
    ]
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let record = (any_name(), any_name(), 0..3).prop_map(|(owner, target, kind)| match kind {
        0 => a(owner),
        1 => ns(owner, target),
        _ => cname(owner, target),
    });
    proptest::collection::vec(record, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a server says: nothing outside its zone is ever believed, a referral leads down, and it all ends.
    #[test]
    fn nobody_is_believed_outside_his_zone(
        zone in any_name(),
        answers in any_records(),
        authority in any_records(),
        additional in any_records(),
        is_authoritative in any::<bool>(),
        rcode in 0_u8..7,
    ) {
        let mut message = reply(answers, authority, additional);
        message.is_authoritative = is_authoritative;
        message.rcode = OptRcode::from_rcode(Rcode::masked_from_int(rcode));
        let zone = name(zone);
        let inside = |record: &Record| record.owner().ends_with(&zone);
        match judge(&question(), &zone, false, &message) {
            Verdict::Found { aliases, end } => {
                prop_assert!(is_authoritative && aliases.iter().all(inside));
                match end {
                    End::Records(records) => prop_assert!(!records.is_empty() && records.iter().all(inside)),
                    End::Nothing { soa, .. } => prop_assert!(soa.iter().all(inside)),
                    End::Elsewhere(_) => prop_assert!(!aliases.is_empty()),
                }
            }
            Verdict::Referral { cut, servers, glue } => {
                prop_assert!(cut.ends_with(&zone) && cut != zone && question().name.ends_with(&cut));
                prop_assert!(!servers.is_empty() && glue.iter().all(inside));
            }
            Verdict::Useless(_) => {}
        }
    }
}
