//! What a firewall makes of packets, one after the other.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::*;
use crate::filter::Filter;
use crate::node::machine::header::{HEADER_BYTES, NewHeader};
use crate::record::Outbox;

const A: u8 = 1;
const B: u8 = 2;

/// A packet between 10.0.0.`source` and 10.0.0.`destination`.
fn packet(protocol: IpProtocol, source: u8, destination: u8, payload: &[u8]) -> Frame {
    let new = NewHeader {
        source: Ipv4Addr::new(10, 0, 0, source),
        destination: Ipv4Addr::new(10, 0, 0, destination),
        protocol,
        ttl: 64,
        tos: 0,
        ident: 0,
        dont_fragment: false,
    };
    let mut frame = new.packet(payload.len(), &mut Outbox::default()).with_checksum_pending();
    frame.bytes_mut()[HEADER_BYTES..].copy_from_slice(payload);
    frame.complete();
    frame
}

fn udp(source: (u8, u16), destination: (u8, u16)) -> Frame {
    let mut datagram = [0; 8];
    datagram[..2].copy_from_slice(&source.1.to_be_bytes());
    datagram[2..4].copy_from_slice(&destination.1.to_be_bytes());
    datagram[5] = 8;
    packet(IpProtocol::Udp, source.0, destination.0, &datagram)
}

fn tcp(source: (u8, u16), destination: (u8, u16), flags: u8) -> Frame {
    let mut segment = [0; 20];
    segment[..2].copy_from_slice(&source.1.to_be_bytes());
    segment[2..4].copy_from_slice(&destination.1.to_be_bytes());
    segment[12] = 0x50;
    segment[13] = flags;
    packet(IpProtocol::Tcp, source.0, destination.0, &segment)
}

fn ping(kind: u8, source: u8, destination: u8) -> Frame {
    packet(IpProtocol::Icmp, source, destination, &[kind, 0, 0, 0, 0, 7, 0, 1])
}

fn error_about(about: &Frame, source: u8, destination: u8) -> Frame {
    packet(IpProtocol::Icmp, source, destination, &[&[3, 3, 0, 0, 0, 0, 0, 0], about.bytes()].concat())
}

const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const RST: u8 = 4;

/// Passes everything through, and says what state each packet is in: a rule for each.
fn states() -> Firewall {
    let rules = State::ALL.map(|state| FirewallRule {
        name: Some(state.name().to_owned()),
        states: vec![state],
        ..FirewallRule::new(Verb::Accept)
    });
    Firewall::new(FirewallSpec { rules: rules.to_vec(), ..FirewallSpec::default() })
}

const THROUGH: Passage = Passage { chain: Chain::Forward, arrives_by: Some(0), leaves_by: Some(1) };

fn state_at(firewall: &mut Firewall, packet: &Frame, now: Time) -> &'static str {
    let before: Vec<u64> = firewall.counts.iter().map(|count| count.packets).collect();
    firewall.judge(THROUGH, packet, now);
    let changed = firewall.counts.iter().zip(before).position(|(count, before)| count.packets > before);
    changed.map_or("none", |index| State::ALL[index].name())
}

fn state(firewall: &mut Firewall, packet: &Frame) -> &'static str {
    state_at(firewall, packet, Time::ZERO)
}

#[test]
fn a_connection_is_new_until_it_is_answered() {
    let mut firewall = states();
    let (there, back) = (udp((A, 1), (B, 2)), udp((B, 2), (A, 1)));
    assert_eq!(state(&mut firewall, &there), "new");
    assert_eq!(state(&mut firewall, &there), "new");
    assert_eq!(state(&mut firewall, &back), "established");
    assert_eq!(state(&mut firewall, &there), "established");
    assert_eq!(state(&mut firewall, &udp((B, 3), (A, 1))), "new");
}

#[test]
fn a_segment_of_nothing_is_invalid_unless_it_is_a_syn() {
    let mut firewall = states();
    for flags in [ACK, SYN_ACK, RST] {
        assert_eq!(state(&mut firewall, &tcp((A, 1), (B, 2), flags)), "invalid");
    }
    assert_eq!(state(&mut firewall, &tcp((A, 1), (B, 2), SYN)), "new");
    assert_eq!(state(&mut firewall, &tcp((B, 2), (A, 1), SYN_ACK)), "established");
    assert_eq!(state(&mut firewall, &tcp((A, 1), (B, 2), ACK)), "established");
}

#[test]
fn a_syn_into_a_connection_that_is_over_begins_another_from_either_side() {
    for (from, to) in [((A, 1), (B, 2)), ((B, 2), (A, 1))] {
        let mut firewall = states();
        state(&mut firewall, &tcp((A, 1), (B, 2), SYN));
        state(&mut firewall, &tcp((B, 2), (A, 1), SYN_ACK));
        assert_eq!(state(&mut firewall, &tcp(from, to, SYN)), "established", "it is not over yet");
        state(&mut firewall, &tcp((B, 2), (A, 1), RST));
        assert_eq!(state(&mut firewall, &tcp(from, to, SYN)), "new");
        assert_eq!(state(&mut firewall, &tcp(to, from, SYN_ACK)), "established");
        assert_eq!(firewall.connections.len(), 1);
    }
}

#[test]
fn a_ping_does_not_pass_for_an_answer_to_another() {
    let mut firewall = states();
    assert_eq!(state(&mut firewall, &ping(0, B, A)), "invalid");
    assert_eq!(state(&mut firewall, &ping(8, A, B)), "new");
    // The other side pings with the same identifier.
    assert_eq!(state(&mut firewall, &ping(8, B, A)), "new");
    assert_eq!(state(&mut firewall, &ping(0, B, A)), "established");
    assert_eq!(state(&mut firewall, &ping(0, A, B)), "established");
}

#[test]
fn an_error_is_related_to_what_it_quotes() {
    let mut firewall = states();
    let datagram = udp((A, 1), (B, 2));
    assert_eq!(state(&mut firewall, &error_about(&datagram, 9, A)), "invalid");
    state(&mut firewall, &datagram);
    assert_eq!(state(&mut firewall, &error_about(&datagram, 9, A)), "related");
    assert_eq!(state(&mut firewall, &error_about(&udp((A, 1), (B, 3)), 9, A)), "invalid");
    assert_eq!(state(&mut firewall, &error_about(&datagram, 9, B)), "invalid", "not for whoever sent it");
}

#[test]
fn what_is_silent_is_forgotten() {
    let mut firewall = states();
    let (there, back) = (udp((A, 1), (B, 2)), udp((B, 2), (A, 1)));
    state(&mut firewall, &there);
    // RFC 6092 REC-14: two minutes at least; five here.
    assert_eq!(state_at(&mut firewall, &back, Time::from_nanos(299_999_999_999)), "established");
    assert_eq!(state_at(&mut firewall, &back, Time::from_secs(599)), "established");
    assert_eq!(state_at(&mut firewall, &back, Time::from_secs(899)), "new");
    let mut firewall = states();
    state(&mut firewall, &tcp((A, 1), (B, 2), SYN));
    state(&mut firewall, &tcp((B, 2), (A, 1), SYN_ACK));
    state(&mut firewall, &tcp((A, 1), (B, 2), ACK));
    // RFC 6092 REC-35: 2 h 4 min.
    assert_eq!(state_at(&mut firewall, &tcp((B, 2), (A, 1), ACK), Time::from_secs(7439)), "established");
    assert_eq!(state_at(&mut firewall, &tcp((B, 2), (A, 1), ACK), Time::from_secs(7439 + 7440)), "invalid");
}

#[test]
fn the_first_rule_that_fits_decides_and_the_policy_where_none_does() {
    let rule =
        |filter: &str, verb| FirewallRule { filter: Some(Filter::parse(filter).unwrap()), ..FirewallRule::new(verb) };
    let rules = vec![
        FirewallRule { arrives_by: Some(3), ..FirewallRule::new(Verb::Drop) },
        FirewallRule { chains: vec![Chain::Out], ..FirewallRule::new(Verb::Drop) },
        rule("udp.dstport == 53", Verb::Accept),
        rule("udp", Verb::Reject(Refusal::Prohibited)),
    ];
    let policies = [Verb::Accept, Verb::Drop, Verb::Accept];
    let mut firewall = Firewall::new(FirewallSpec { rules, policies, ..FirewallSpec::default() });
    let mut count = 0;
    firewall.enrol("fw", &mut |name, _| {
        assert!(name.starts_with("fw/firewall/"));
        count += 1;
        RuleId(count)
    });
    let mut judge = |passage, packet: &Frame| firewall.judge(passage, packet, Time::ZERO);
    assert_eq!(judge(THROUGH, &udp((A, 1), (B, 53))), Judgement::Accepted);
    assert_eq!(judge(THROUGH, &udp((A, 1), (B, 54))), Judgement::Rejected(Refusal::Prohibited, Some(RuleId(4))));
    assert_eq!(judge(THROUGH, &tcp((A, 1), (B, 53), SYN)), Judgement::Dropped(Some(RuleId(6))), "the policy");
    let by = |arrives_by, chain| Passage { chain, arrives_by, leaves_by: None };
    assert_eq!(judge(by(Some(3), Chain::In), &udp((A, 1), (B, 53))), Judgement::Dropped(Some(RuleId(1))));
    assert_eq!(judge(by(None, Chain::Out), &udp((A, 1), (B, 53))), Judgement::Dropped(Some(RuleId(2))));
    assert_eq!(judge(by(Some(2), Chain::In), &tcp((A, 1), (B, 53), SYN)), Judgement::Accepted);
    let counters = firewall.counters(None);
    let counter = |name: &str| counters.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    assert_eq!(counter("firewall.3.packets"), Some(1));
    assert_eq!(counter("firewall.3.bytes"), Some(28));
    assert_eq!(counter("firewall.policy.forward.packets"), Some(1));
}

#[test]
fn a_full_table_drops_what_would_begin_and_recovers() {
    let mut firewall = states();
    firewall.spec.tracked_max = 1;
    assert_eq!(firewall.judge(THROUGH, &udp((A, 1), (B, 2)), Time::ZERO), Judgement::Accepted);
    assert_eq!(firewall.judge(THROUGH, &udp((A, 3), (B, 2)), Time::ZERO), Judgement::Full);
    assert_eq!(firewall.judge(THROUGH, &udp((B, 2), (A, 1)), Time::ZERO), Judgement::Accepted);
    assert_eq!(firewall.judge(THROUGH, &udp((A, 3), (B, 2)), Time::from_secs(299)), Judgement::Full);
    assert_eq!(firewall.judge(THROUGH, &udp((A, 3), (B, 2)), Time::from_secs(300)), Judgement::Accepted);
}

#[test]
fn what_is_refused_begins_nothing() {
    let rules = vec![FirewallRule { states: vec![State::New], ..FirewallRule::new(Verb::Drop) }];
    let mut firewall = Firewall::new(FirewallSpec { rules, ..FirewallSpec::default() });
    assert_eq!(firewall.judge(THROUGH, &udp((A, 1), (B, 2)), Time::ZERO), Judgement::Dropped(None));
    assert_eq!(firewall.judge(THROUGH, &udp((B, 2), (A, 1)), Time::ZERO), Judgement::Dropped(None));
    assert_eq!(firewall.connections.len(), 0);
}

#[test]
fn the_view_shows_rules_their_counts_and_connections() {
    let mut firewall = states();
    state(&mut firewall, &udp((A, 1), (B, 2)));
    state(&mut firewall, &udp((B, 2), (A, 1)));
    state(&mut firewall, &ping(8, A, B));
    insta::assert_snapshot!(firewall.show(None, &[], Time::from_secs(1)), @r"
    packets    bytes  rule
          1       28  established: accept state=established
          0        0  invalid: accept state=invalid
          2       56  new: accept state=new
          0        0  related: accept state=related
          0        0  policy in: accept
          0        0  policy forward: accept
          0        0  policy out: accept
    icmp  10.0.0.1 > 10.0.0.2 id 7  UNANSWERED  59s
    udp   10.0.0.1:1 > 10.0.0.2:2  ANSWERED  299s
    ");
}

proptest! {
    #[test]
    fn no_packet_is_too_strange_and_the_table_stays_within_its_bound(
        packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..60), 0_u64..200, any::<bool>()), 0..60),
    ) {
        let mut firewall = states();
        firewall.spec.tracked_max = 5;
        let mut now = Time::ZERO;
        for (mut bytes, wait, looks_right) in packets {
            now += std::time::Duration::from_secs(wait);
            if looks_right && bytes.len() >= 20 {
                let length = bytes.len() as u16;
                let mut ip = Ipv4Packet::new_unchecked(&mut bytes);
                ip.set_version(4);
                ip.set_header_len(20);
                ip.set_total_len(length);
                let protocol = [IpProtocol::Icmp, IpProtocol::Tcp, IpProtocol::Udp][usize::from(length % 3)];
                ip.set_next_header(protocol);
            }
            let frame = Frame::new(Outbox::default().pool.copy(&bytes), crate::wire::Layer::Ip);
            firewall.judge(THROUGH, &frame, now);
            let connections = &firewall.connections;
            prop_assert!(connections.len() <= 5);
            prop_assert!(connections.is_consistent());
        }
    }
}
