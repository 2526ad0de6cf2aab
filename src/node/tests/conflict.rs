//! Address conflict detection (RFC 5227): probing, announcing, defending, backing off.

use std::time::Duration;

use proptest::prelude::*;
use smoltcp::wire::{ArpOperation, EthernetAddress};

use super::lab::*;
use crate::id::AppId;
use crate::net::control::{AddedAddress, Standing};
use crate::net::{Net, Program, UdpSocket};
use crate::node::machine::{Defence, MachineSpec};
use crate::node::{Command, Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

const NOBODY: EthernetAddress = EthernetAddress([0; 6]);

/// a (10.0.0.1), which checks its address before it uses it, alone on its link.
fn checking(defence: Defence) -> Lab {
    let mut spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
    spec.arp.detects_conflicts = true;
    spec.arp.defence = defence;
    let mut lab = Lab::new();
    lab.add("a", Machine::new(spec));
    lab
}

/// The same, with the check behind it.
fn settled(defence: Defence) -> Lab {
    let mut lab = checking(defence);
    lab.start();
    lab.run_for(Duration::from_secs(20));
    lab.log.clear();
    lab
}

/// Somebody with the hardware address 02:…:09 says that 10.0.0.1 is its own.
fn claim(lab: &mut Lab) {
    let bytes = arp(ArpOperation::Reply, (mac(9), "10.0.0.1"), (mac(8), "10.0.0.8"), EthernetAddress::BROADCAST);
    lab.arrive(0, 0, &bytes);
}

fn counter(lab: &mut Lab, name: &str) -> i128 {
    match lab.machine(0).counter(name) {
        Some(Value::Integer(count)) => i128::from(count),
        other => panic!("{name}: {other:?}"),
    }
}

fn addresses(lab: &mut Lab) -> String {
    let now = lab.now;
    let text = lab.machine(0).show("addr", now).unwrap();
    text.lines().filter(|line| line.contains("10.0.0.")).map(str::trim).collect()
}

/// When a sent what, in milliseconds.
fn said(lab: &Lab) -> Vec<(u64, String)> {
    let sent = lab.log.iter().filter_map(|entry| match &entry.what {
        Happened::Sent { bytes, .. } => Some((entry.at.as_nanos() / 1_000_000, summary(bytes))),
        _ => None,
    });
    sent.collect()
}

const PROBE: &str = "arp to everybody: who has 10.0.0.1, tell 0.0.0.0";
const ANNOUNCEMENT: &str = "arp to everybody: who has 10.0.0.1, tell 10.0.0.1";

#[test]
fn an_address_is_probed_for_three_times_and_announced_twice_at_the_times_of_the_standard() {
    let mut lab = checking(Defence::Once);
    lab.start();
    assert_eq!(addresses(&mut lab), "inet 10.0.0.1/24 brd 10.0.0.255 tentative");
    lab.run_for(Duration::from_secs(20));
    let said = said(&lab);
    let words: Vec<&str> = said.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(words, [PROBE, PROBE, PROBE, ANNOUNCEMENT, ANNOUNCEMENT]);
    let times: Vec<u64> = said.iter().map(|(at, _)| *at).collect();
    assert!(times[0] <= 1000, "PROBE_WAIT: {times:?}");
    assert!((1000..=2000).contains(&(times[1] - times[0])), "PROBE_MIN to PROBE_MAX: {times:?}");
    assert!((1000..=2000).contains(&(times[2] - times[1])), "PROBE_MIN to PROBE_MAX: {times:?}");
    assert_eq!((times[3] - times[2], times[4] - times[3]), (2000, 2000), "ANNOUNCE_WAIT, ANNOUNCE_INTERVAL");
    assert_eq!(addresses(&mut lab), "inet 10.0.0.1/24 brd 10.0.0.255");
}

#[test]
fn a_probe_has_no_sender_address_and_no_target_hardware_address() {
    let mut lab = checking(Defence::Once);
    lab.start();
    lab.run_for(Duration::from_secs(2));
    let probe = &lab.sent_by(0)[0];
    let expected = arp(ArpOperation::Request, (mac(1), "0.0.0.0"), (NOBODY, "10.0.0.1"), EthernetAddress::BROADCAST);
    assert_eq!(probe[..42], expected[..]);
}

#[test]
fn while_it_is_tentative_an_address_is_neither_answered_for_nor_used() {
    let mut lab = checking(Defence::Once);
    lab.start();
    let who = arp(ArpOperation::Request, (mac(9), "10.0.0.9"), (NOBODY, "10.0.0.1"), EthernetAddress::BROADCAST);
    lab.arrive(0, 0, &who);
    assert!(said(&lab).is_empty());
    lab.arrive(0, 0, &Packet::ping("10.0.0.9", "10.0.0.1", b"").framed(mac(9), mac(1)));
    assert_eq!(lab.drops_of(0), [Cause::NotForwarding]);
    let now = lab.now;
    assert_eq!(lab.machine(0).show("route", now).unwrap(), "");
}

#[test]
fn any_arp_packet_from_the_address_during_the_check_is_a_conflict() {
    for operation in [ArpOperation::Request, ArpOperation::Reply] {
        // Before the first probe, and in the two seconds after the last.
        for wait in [Duration::ZERO, Duration::from_millis(3500)] {
            let mut lab = checking(Defence::Once);
            lab.start();
            lab.run_for(wait);
            let bytes = arp(operation, (mac(9), "10.0.0.1"), (NOBODY, "10.0.0.77"), EthernetAddress::BROADCAST);
            lab.arrive(0, 0, &bytes);
            lab.log.clear();
            lab.run_for(Duration::from_secs(20));
            assert_eq!(said(&lab), []);
            assert_eq!(addresses(&mut lab), "inet 10.0.0.1/24 brd 10.0.0.255 dadfailed tentative");
            assert_eq!(counter(&mut lab, "arp.conflicts"), 1);
        }
    }
}

#[test]
fn a_probe_of_somebody_else_is_a_conflict_and_one_of_its_own_is_not() {
    for (whose, is_conflict) in [(mac(9), true), (mac(1), false)] {
        let mut lab = checking(Defence::Once);
        lab.start();
        let bytes = arp(ArpOperation::Request, (whose, "0.0.0.0"), (NOBODY, "10.0.0.1"), EthernetAddress::BROADCAST);
        lab.arrive(0, 0, &bytes);
        lab.run_for(Duration::from_secs(20));
        assert_eq!(addresses(&mut lab).contains("dadfailed"), is_conflict);
    }
}

#[test]
fn two_machines_that_want_one_address_at_once_both_go_without_or_one_wins() {
    let mut lab = Lab::new();
    for (name, number) in [("a", 1), ("b", 2)] {
        let mut spec = MachineSpec::host(name, 1).interface(interface(number, "10.0.0.1/24"));
        spec.arp.detects_conflicts = true;
        lab.add(name, Machine::new(spec));
    }
    lab.wire((0, 0), (1, 0));
    lab.start();
    lab.run_for(Duration::from_secs(30));
    let now = lab.now;
    let has = |lab: &mut Lab, node| !lab.machine(node).show("addr", now).unwrap().contains("tentative");
    assert!(!(has(&mut lab, 0) && has(&mut lab, 1)), "never both");
}

#[test]
fn an_address_is_defended_once_and_given_up_when_it_is_claimed_again_within_ten_seconds() {
    let mut lab = settled(Defence::Once);
    claim(&mut lab);
    assert_eq!(said(&lab).len(), 1);
    assert_eq!(said(&lab)[0].1, ANNOUNCEMENT);
    lab.run_for(Duration::from_millis(9_999));
    claim(&mut lab);
    assert_eq!(said(&lab).len(), 1);
    assert!(addresses(&mut lab).contains("dadfailed"));
}

#[test]
fn an_address_that_is_claimed_again_after_ten_seconds_is_defended_again() {
    let mut lab = settled(Defence::Once);
    claim(&mut lab);
    lab.run_for(Duration::from_secs(10));
    claim(&mut lab);
    assert_eq!(said(&lab).len(), 2);
    assert!(!addresses(&mut lab).contains("dadfailed"));
}

#[test]
fn a_storm_of_conflicts_makes_no_storm_of_defences() {
    // RFC 5227 §2.4 (c), a claim each 10 ms for 100 s: "endless loop flooding the network" is what must not be.
    let mut lab = settled(Defence::Always);
    for _ in 0..10_000 {
        claim(&mut lab);
        lab.run_for(Duration::from_millis(10));
    }
    assert_eq!(counter(&mut lab, "arp.defences"), 1, "the claims never pause for DEFEND_INTERVAL");
    assert_eq!(counter(&mut lab, "arp.conflicts"), 10_000);
    assert!(!addresses(&mut lab).contains("dadfailed"), "it is kept whatever happens");
    lab.run_for(Duration::from_secs(10));
    claim(&mut lab);
    assert_eq!(counter(&mut lab, "arp.defences"), 2);
}

#[test]
fn who_never_defends_gives_an_address_up_at_the_first_claim() {
    let mut lab = settled(Defence::Never);
    claim(&mut lab);
    assert_eq!(said(&lab), []);
    assert!(addresses(&mut lab).contains("dadfailed"));
}

#[test]
fn without_detection_an_address_is_used_at_once_and_a_claim_is_only_told() {
    let mut lab = pair();
    lab.start();
    let bytes = arp(ArpOperation::Reply, (mac(9), "10.0.0.1"), (mac(8), "10.0.0.8"), EthernetAddress::BROADCAST);
    lab.arrive(0, 0, &bytes);
    assert!(lab.told().contains("02:00:00:00:00:09 claims to be 10.0.0.1"));
    lab.run_for(Duration::from_secs(20));
    assert_eq!(lab.told(), "");
}

#[test]
fn a_link_that_returns_is_probed_anew_and_one_that_is_down_is_not_waited_for() {
    let mut lab = settled(Defence::Once);
    lab.set_link(0, 0, false, 1500);
    lab.set_link(0, 0, true, 1500);
    assert!(addresses(&mut lab).contains("tentative"));
    lab.run_for(Duration::from_secs(20));
    assert_eq!(said(&lab).len(), 5);
    assert!(!addresses(&mut lab).contains("tentative"));
}

#[test]
fn programs_wait_until_addresses_are_checked() {
    let mut lab = checking(Defence::Once);
    let program = Program::new(|net: Net| async move {
        net.report("began", net.now().since(Time::ZERO));
        Ok(())
    });
    lab.machine(0).add_program(AppId(0), "p", Some(Time::ZERO), program);
    lab.start();
    lab.run_for(Duration::from_secs(3));
    assert_eq!(lab.machine(0).outcome(AppId(0), "began"), None);
    lab.run_for(Duration::from_secs(5));
    let Some(Value::Duration(began)) = lab.machine(0).outcome(AppId(0), "began") else { panic!("it never began") };
    // Three probes with a second to two between them and two seconds more, less up to nothing at the beginning.
    assert!((Duration::from_secs(4)..=Duration::from_secs(7)).contains(&began), "{began:?}");
}

/// Adds 10.0.0.50/24 at once and takes it away after 30 s; tells what a socket that is bound to it says each 10 s.
fn adding(valid_for: Option<u64>) -> Lab {
    let program = Program::new(move |net: Net| async move {
        let valid_until = valid_for.map_or(Time::MAX, Time::from_secs);
        net.add_address(0, AddedAddress { net: "10.0.0.50/24".parse().unwrap(), valid_until })?;
        net.set_routers(0, vec![address("10.0.0.254")])?;
        while net.interface_states()?[0].addresses[0].standing == Standing::Tentative {
            net.interfaces_changed().await;
        }
        net.report("usable", net.now().since(Time::ZERO));
        let socket = UdpSocket::bind(&net, "10.0.0.50:9".parse::<std::net::SocketAddr>().unwrap())?;
        for number in 0..4 {
            let sent = socket.send_to(b"x", "10.0.0.2:9".parse().unwrap()).await;
            let key = ["first", "second", "third", "fourth"][number];
            net.report(key, sent.map_or_else(|error| format!("{:?}", error.kind()), |_| "sent".to_owned()));
            net.sleep(Duration::from_secs(10)).await;
            if number == 2 {
                net.remove_address(0, address("10.0.0.50"))?;
            }
        }
        Ok(())
    })
    .early();
    let mut bare = interface(1, "10.0.0.1/24");
    bare.addresses.clear();
    bare.is_dynamic = true;
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(bare)));
    lab.machine(0).add_program(AppId(0), "p", Some(Time::ZERO), program);
    lab
}

fn outcome(lab: &mut Lab, key: &str) -> String {
    lab.machine(0).outcome(AppId(0), key).map_or_else(|| "nothing".into(), |value| value.to_string().replace('"', ""))
}

#[test]
fn an_address_that_a_program_adds_is_checked_used_and_gone_when_it_is_taken_away() {
    let mut lab = adding(None);
    lab.start();
    lab.run_for(Duration::from_secs(10));
    let now = lab.now;
    assert_eq!(addresses(&mut lab), "inet 10.0.0.50/24 brd 10.0.0.255 dynamic");
    let routes =
        "default via 10.0.0.254 dev eth1 metric 100\n10.0.0.0/24 dev eth1 proto kernel scope link src 10.0.0.50\n";
    assert_eq!(lab.machine(0).show("route", now).unwrap(), routes);
    lab.run_for(Duration::from_secs(60));
    let now = lab.now;
    assert_eq!(addresses(&mut lab), "");
    assert_eq!(lab.machine(0).show("route", now).unwrap(), "");
    // The socket stays, and what it sends is refused, as on Linux.
    let said = ["first", "second", "third", "fourth"].map(|key| outcome(&mut lab, key));
    assert_eq!(said, ["sent", "sent", "sent", "NetworkUnreachable"]);
    assert!(lab.drops_of(0).contains(&Cause::AddressGone));
}

#[test]
fn an_address_goes_away_at_its_time_even_if_its_program_does_nothing() {
    let mut lab = adding(Some(20));
    lab.start();
    lab.run_for(Duration::from_secs(19));
    assert_eq!(addresses(&mut lab), "inet 10.0.0.50/24 brd 10.0.0.255 dynamic valid_lft 1sec");
    lab.run_for(Duration::from_secs(1));
    assert_eq!(addresses(&mut lab), "");
}

#[test]
fn an_added_address_is_gone_after_a_crash() {
    let mut lab = adding(None);
    lab.start();
    lab.run_for(Duration::from_secs(10));
    lab.command(0, &Command::Crash).unwrap();
    assert_eq!(addresses(&mut lab), "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arp_packets_of_any_kind_at_any_time_neither_panic_nor_make_more_than_is_due(
        packets in proptest::collection::vec((0_u64..3000, 0_u8..4, 0_u8..4, 0_u8..4, any::<bool>()), 1..120),
        defence in 0_usize..3,
    ) {
        let defence = [Defence::Always, Defence::Never, Defence::Once][defence];
        let mut lab = checking(defence);
        lab.start();
        let addresses = ["0.0.0.0", "10.0.0.1", "10.0.0.9", "255.255.255.255"];
        let macs = [mac(9), mac(1), NOBODY, EthernetAddress::BROADCAST];
        let mut spent = 0;
        for (wait, whose, sender, target, is_reply) in packets {
            lab.run_for(Duration::from_millis(wait));
            spent += wait;
            let operation = if is_reply { ArpOperation::Reply } else { ArpOperation::Request };
            let sender = (macs[usize::from(whose)], addresses[usize::from(sender)]);
            let bytes = arp(operation, sender, (NOBODY, addresses[usize::from(target)]), EthernetAddress::BROADCAST);
            lab.arrive(0, 0, &bytes);
        }
        prop_assert!(counter(&mut lab, "arp.probes_sent") <= 3);
        // Two when it began, and one for each ten seconds.
        let most = 2 + 1 + i128::from(spent / 10_000);
        prop_assert!(counter(&mut lab, "arp.announced") <= most);
    }
}
