//! What holds for the table whatever goes through it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::node::machine::middle::Segment;
use crate::node::machine::nat::spec::{PortChoice, PortForward, Unsolicited};
use crate::rng::Rng;

const OUTSIDE: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
const SERVER: Endpoint = Endpoint::new(Ipv4Addr::new(10, 0, 0, 80), 80);

fn inside(host: u8, port: u16) -> Endpoint {
    Endpoint::new(Ipv4Addr::new(10, 0, 0, host), port)
}

fn far(host: u8, port: u16) -> Endpoint {
    Endpoint::new(Ipv4Addr::new(198, 51, 100, host), port)
}

fn flow(protocol: Protocol, source: Endpoint, destination: Endpoint) -> Flow {
    Flow { protocol, source, destination, is_query: false, segment: Segment::NONE }
}

fn udp(source: Endpoint, destination: Endpoint) -> Flow {
    flow(Protocol::Udp, source, destination)
}

fn table(spec: &NatSpec) -> Table {
    let mut table = Table::new(Rng::stream(1, "nat"));
    table.reset(OUTSIDE[..1].to_vec(), spec);
    table
}

fn secs(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

#[test]
fn rfc_4787_req_1_one_inside_endpoint_has_one_outside_endpoint() {
    let spec = NatSpec::home(0);
    let mut table = table(&spec);
    let mut out = |to| table.go_out(udp(inside(2, 4000), to), &spec, Time::ZERO).unwrap();
    let first = out(far(1, 53));
    assert_eq!(first, Endpoint::new(OUTSIDE[0], 4000));
    assert_eq!([out(far(1, 54)), out(far(2, 53))], [first, first]);
}

#[test]
fn mapping_may_depend_on_the_far_address_or_on_its_port_too() {
    let outsides = |mapping| {
        let spec = NatSpec { mapping, port_choice: PortChoice::Sequential, ..NatSpec::home(0) };
        let mut table = table(&spec);
        let to = [far(1, 53), far(1, 54), far(2, 53), far(1, 53)];
        to.map(|to| table.go_out(udp(inside(2, 4000), to), &spec, Time::ZERO).unwrap().port)
    };
    assert_eq!(outsides(Dependence::Endpoint), [1024, 1024, 1024, 1024]);
    assert_eq!(outsides(Dependence::Address), [1024, 1024, 1026, 1024]);
    assert_eq!(outsides(Dependence::AddressAndPort), [1024, 1026, 1028, 1024]);
}

#[test]
fn rfc_4787_req_8_filtering_is_by_nothing_by_address_or_by_both() {
    let entries = |filtering| {
        let spec = NatSpec { filtering, ..NatSpec::home(0) };
        [far(1, 53), far(1, 54), far(2, 53)].map(|from| {
            let mut table = table(&spec);
            let outside = table.go_out(udp(inside(2, 4000), far(1, 53)), &spec, Time::ZERO).unwrap();
            table.come_in(udp(from, outside), &spec, Time::ZERO) == Entry::Inside(inside(2, 4000))
        })
    };
    assert_eq!(entries(Dependence::Endpoint), [true, true, true]);
    assert_eq!(entries(Dependence::Address), [true, true, false]);
    assert_eq!(entries(Dependence::AddressAndPort), [true, false, false]);
}

#[test]
fn rfc_4787_req_2_paired_pooling_keeps_a_host_at_one_address() {
    let addresses = |pooling| {
        let spec = NatSpec { pooling, ..NatSpec::home(0) };
        let mut table = Table::new(Rng::stream(1, "nat"));
        table.reset(OUTSIDE.to_vec(), &spec);
        let ports = [4000, 4001, 4002, 4003];
        let out = ports.map(|port| table.go_out(udp(inside(2, port), far(1, 53)), &spec, Time::ZERO).unwrap().address);
        out.into_iter().collect::<BTreeSet<_>>().len()
    };
    assert_eq!((addresses(Pooling::Paired), addresses(Pooling::Arbitrary)), (1, 2));
}

#[test]
fn rfc_4787_req_5_a_mapping_is_forgotten_when_it_is_not_used_and_no_sooner() {
    let spec = NatSpec::home(0);
    let mut table = table(&spec);
    let outside = table.go_out(udp(inside(2, 4000), far(1, 53)), &spec, secs(0)).unwrap();
    table.go_out(udp(inside(2, 4000), far(1, 53)), &spec, secs(200)).unwrap();
    // The timer of the first packet comes at 300 s and finds that 200 s more are left.
    assert_eq!(table.due_at(), Some(secs(300)));
    assert!(table.expire_one(secs(300)).is_none());
    assert_eq!(table.due_at(), Some(secs(500)));
    assert!(table.expire_one(secs(499)).is_none());
    assert_eq!(table.come_in(udp(far(1, 54), outside), &spec, secs(499)), Entry::Filtered);
    assert!(table.expire_one(secs(500)).flatten().is_some_and(|mapping| mapping.outside == outside));
    assert_eq!(table.come_in(udp(far(1, 53), outside), &spec, secs(500)), Entry::Unmapped);
    assert_eq!((table.mappings.len(), table.session_count, table.due_at()), (0, 0, None));
}

#[test]
fn a_closed_connection_is_forgotten_sooner_than_it_was_going_to_be() {
    let spec = NatSpec::home(0);
    let mut table = table(&spec);
    let syn = Segment { is_syn: true, ..Segment::NONE };
    let ack = Segment { is_ack: true, ..Segment::NONE };
    let reset = Segment { is_reset: true, ..Segment::NONE };
    let tcp = |segment| Flow { segment, ..flow(Protocol::Tcp, inside(2, 4000), far(1, 80)) };
    let outside = table.go_out(tcp(syn), &spec, secs(0)).unwrap();
    table.come_in(Flow { segment: syn, ..flow(Protocol::Tcp, far(1, 80), outside) }, &spec, secs(0));
    table.go_out(tcp(ack), &spec, secs(0)).unwrap();
    assert!(table.expire_one(secs(240)).is_none());
    assert_eq!(table.due_at(), Some(secs(7440)));
    table.go_out(tcp(reset), &spec, secs(250)).unwrap();
    assert_eq!(table.due_at(), Some(secs(490)));
    assert!(table.expire_one(secs(490)).is_some());
}

#[test]
fn a_full_table_refuses_and_recovers() {
    let spec = NatSpec { sessions_max: 2, ..NatSpec::home(0) };
    let mut table = table(&spec);
    let mut out = |host, now| table.go_out(udp(inside(host, 4000), far(1, 53)), &spec, now);
    assert!(out(2, secs(0)).is_ok() && out(3, secs(100)).is_ok());
    assert_eq!(out(4, secs(100)), Err(Exhausted::Sessions));
    // Who is known is served.
    assert!(out(3, secs(200)).is_ok());
    assert!(table.expire_one(secs(300)).is_some());
    assert!(table.go_out(udp(inside(4, 4000), far(1, 53)), &spec, secs(300)).is_ok());
}

#[test]
fn ports_run_out_for_all_and_for_one() {
    let spec = NatSpec { ports: Some((5000, 5001)), ..NatSpec::home(0) };
    let mut shared = table(&spec);
    let mut out = |host| shared.go_out(udp(inside(host, 4000), far(1, 53)), &spec, Time::ZERO);
    assert!(out(2).is_ok() && out(3).is_ok());
    assert_eq!(out(4), Err(Exhausted::Ports));
    // RFC 6888 REQ-4: "A CGN MUST support limiting the number of external ports [...] that are assigned per subscriber."
    let spec = NatSpec { ports_per_host: Some(1), ..NatSpec::home(0) };
    let mut limited = table(&spec);
    let mut out = |host, port| limited.go_out(udp(inside(host, port), far(1, 53)), &spec, Time::ZERO);
    assert!(out(2, 4000).is_ok());
    assert_eq!(out(2, 4001), Err(Exhausted::PortsOfHost));
    assert!(out(3, 4000).is_ok());
    let nowhere = Table::new(Rng::stream(1, "nat")).go_out(udp(inside(2, 1), far(1, 2)), &spec, Time::ZERO);
    assert_eq!(nowhere, Err(Exhausted::Addresses));
}

#[test]
fn a_forwarded_port_lets_anybody_in_and_is_never_given_away() {
    let forward =
        PortForward { port: 8080, address: SERVER.address, inside_port: SERVER.port, protocols: Forwarded::Tcp };
    let spec = NatSpec { forwards: vec![forward], ..NatSpec::home(0) };
    let mut table = table(&spec);
    let outside = Endpoint::new(OUTSIDE[0], 8080);
    let come = flow(Protocol::Tcp, far(7, 1234), outside);
    assert_eq!(table.come_in(come, &spec, Time::ZERO), Entry::Inside(SERVER));
    let answer = flow(Protocol::Tcp, SERVER, far(7, 1234));
    assert_eq!(table.go_out(answer, &spec, Time::ZERO), Ok(outside));
    // Not for UDP, and not to somebody who would like that very port.
    assert_eq!(table.come_in(udp(far(7, 1234), outside), &spec, Time::ZERO), Entry::Unmapped);
    let greedy = flow(Protocol::Tcp, inside(2, 8080), far(7, 1234));
    assert_eq!(table.go_out(greedy, &spec, Time::ZERO), Ok(Endpoint::new(OUTSIDE[0], 8082)));
    // When its sessions are over, it is still there.
    while table.expire_one(secs(9999)).is_some() {}
    assert_eq!(table.come_in(come, &spec, secs(9999)), Entry::Inside(SERVER));
}

#[test]
fn the_translators_own_ports_stay_its_own_unless_they_are_taken() {
    let spec = NatSpec::home(0);
    let mut table = table(&spec);
    let own = Endpoint::new(OUTSIDE[0], 4000);
    assert_eq!(table.go_out(udp(own, far(1, 53)), &spec, Time::ZERO), Ok(own));
    assert_eq!(table.come_in(udp(far(9, 9), own), &spec, Time::ZERO), Entry::Inside(own));
    assert!(!table.is_mapped(Protocol::Udp, own));
    let other = table.go_out(udp(inside(2, 4000), far(1, 53)), &spec, Time::ZERO).unwrap();
    assert_eq!(other.port, 4002);
    let taken = Endpoint::new(OUTSIDE[0], 4002);
    assert_eq!(table.go_out(udp(taken, far(1, 53)), &spec, Time::ZERO).unwrap().port, 4004);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Out { protocol: u8, host: u8, port: u16, far: u8, far_port: u16 },
    In { protocol: u8, port: u16, far: u8, far_port: u16 },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let few = 1_u8..4;
    prop_oneof![
        4 => (0_u8..3, few.clone(), 2000_u16..2006, few.clone(), 1_u16..4)
            .prop_map(|(protocol, host, port, far, far_port)| Step::Out { protocol, host, port, far, far_port }),
        3 => (0_u8..3, 2000_u16..2010, few, 1_u16..4)
            .prop_map(|(protocol, port, far, far_port)| Step::In { protocol, port, far, far_port }),
        1 => (1_u64..400).prop_map(Step::Wait),
    ]
}

fn protocol(number: u8) -> Protocol {
    [Protocol::Icmp, Protocol::Tcp, Protocol::Udp][usize::from(number)]
}

/// Looks at everything that must agree.
fn check(table: &Table, spec: &NatSpec) -> Result<(), TestCaseError> {
    let mut outsides = BTreeSet::new();
    let mut held: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
    let (mut sessions, mut due) = (0, 0);
    for (key, mapping) in table.mappings.iter() {
        prop_assert!(outsides.insert((mapping.protocol, mapping.outside)), "{} is overloaded", mapping.outside);
        prop_assert_eq!(table.by_outside.get(&(mapping.protocol, mapping.outside)), Some(key));
        prop_assert!(table.ports[&(mapping.protocol, mapping.outside.address)].is_taken(mapping.outside.port));
        prop_assert!(mapping.is_static || !mapping.sessions.is_empty(), "a mapping that nobody uses");
        if !mapping.is_static && !mapping.is_own {
            *held.entry(mapping.inside.address).or_default() += 1;
        }
        for (far, session) in &mapping.sessions {
            sessions += 1;
            prop_assert_eq!(table.by_connection.get(&(mapping.protocol, mapping.inside, *far)), Some(key));
            prop_assert!(session.due_at <= session.expires_at);
            due += usize::from(table.due.contains(&(session.due_at, key, *far)));
        }
    }
    prop_assert_eq!(&held, &table.ports_of_hosts);
    prop_assert_eq!((sessions, sessions), (table.session_count, due));
    prop_assert_eq!(table.due.len(), sessions);
    prop_assert!(sessions <= spec.sessions_max);
    prop_assert!(held.values().all(|held| spec.ports_per_host.is_none_or(|most| *held <= most)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn whatever_goes_through_the_table_agrees_with_itself_and_answers_find_their_way(
        steps in proptest::collection::vec(step(), 1..80),
        mapping in dependences(), filtering in dependences(),
        choice in prop_oneof![Just(PortChoice::Preserve), Just(PortChoice::Random), Just(PortChoice::Sequential)],
        sessions_max in 1_usize..30, ports_per_host in proptest::option::of(1_usize..5),
    ) {
        let forward = PortForward { port: 2001, address: SERVER.address, inside_port: 80, protocols: Forwarded::Both };
        let spec = NatSpec {
            mapping, filtering, port_choice: choice, sessions_max, ports_per_host, ports: Some((2000, 2009)),
            unsolicited: Unsolicited::Drop, forwards: vec![forward], ..NatSpec::home(0)
        };
        let mut table = table(&spec);
        let mut now = Time::ZERO;
        for step in steps {
            match step {
                Step::Out { protocol: number, host, port, far: to, far_port } => {
                    let flow = flow(protocol(number), inside(host, port), far(to, far_port));
                    if let Ok(outside) = table.go_out(flow, &spec, now) {
                        prop_assert!((2000..=2009).contains(&outside.port) && outside.address == OUTSIDE[0]);
                        // Inside to outside to inside: who was asked may answer, and reaches who has asked.
                        let answer = Flow { source: flow.destination, destination: outside, ..flow };
                        prop_assert_eq!(table.come_in(answer, &spec, now), Entry::Inside(flow.source));
                        prop_assert_eq!(table.go_out(flow, &spec, now), Ok(outside));
                        let inside = table.inside_of(flow.protocol, outside, flow.far(flow.destination));
                        prop_assert_eq!(inside, Some(flow.source));
                    }
                }
                Step::In { protocol: number, port, far: from, far_port } => {
                    let flow = flow(protocol(number), far(from, far_port), Endpoint::new(OUTSIDE[0], port));
                    if let Entry::Inside(inside) = table.come_in(flow, &spec, now) {
                        let answer = Flow { source: inside, destination: flow.source, ..flow };
                        prop_assert_eq!(table.go_out(answer, &spec, now), Ok(flow.destination));
                    }
                }
                Step::Wait(seconds) => {
                    now += std::time::Duration::from_secs(seconds);
                    while table.expire_one(now).is_some() {}
                }
            }
            check(&table, &spec)?;
        }
        // Everything ends, and nothing is left but what is forwarded.
        while let Some(at) = table.due_at() {
            while table.expire_one(at).is_some() {}
        }
        check(&table, &spec)?;
        prop_assert_eq!((table.session_count, table.mappings.len()), (0, 2));
    }
}

fn dependences() -> impl Strategy<Value = Dependence> {
    prop_oneof![Just(Dependence::Endpoint), Just(Dependence::Address), Just(Dependence::AddressAndPort)]
}
