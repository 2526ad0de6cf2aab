//! DHCP from end to end, on machines: what survives a crash, what a hostile link can do.

use std::time::Duration;

use proptest::prelude::*;
use smoltcp::wire::{DhcpMessageType, EthernetAddress, EthernetProtocol, IpProtocol};

use super::lab::*;
use crate::app;
use crate::id::AppId;
use crate::net::Program;
use crate::node::machine::{InterfaceSpec, MachineSpec};
use crate::node::{Command, Machine, Node as _};
use crate::read::{Reader, Scope, Table};
use crate::record::Value;
use crate::time::Time;
use crate::wire::dhcp::{Message, code};

const ALL: EthernetAddress = EthernetAddress::BROADCAST;

/// A program as a scenario writes it.
fn program(kind: &str, text: &str) -> Program {
    let document = toml::de::DeTable::parse(text).unwrap();
    let reader = Reader::new(text, Scope { nodes: vec!["s".into()], ..Scope::default() });
    let table = Table::new(document.get_ref(), 0..0, String::new(), &reader);
    let program = (app::kind(kind).unwrap().build)(&table);
    let problems: Vec<String> = reader.problem_count().to_string().lines().map(str::to_owned).collect();
    assert_eq!(problems, ["0"]);
    program.unwrap()
}

fn dynamic(number: u8) -> InterfaceSpec {
    InterfaceSpec { addresses: Vec::new(), is_dynamic: true, ..interface(number, "10.0.0.77/24") }
}

/// c, which asks, ── s (10.0.0.1), which gives, both with a program each.
fn pair_of(client: &str, server: &str) -> Lab {
    let mut lab = Lab::new();
    lab.add("c", Machine::new(MachineSpec::host("c", 1).interface(dynamic(1))));
    lab.add("s", Machine::new(MachineSpec::router("s", 1).interface(interface(2, "10.0.0.1/24"))));
    lab.wire((0, 0), (1, 0));
    lab.machine(0).add_program(AppId(0), "ask", Some(Time::ZERO), program("dhcp-client", client));
    lab.machine(1).add_program(AppId(1), "give", Some(Time::ZERO), program("dhcp-server", server));
    lab.start();
    lab
}

fn of(lab: &mut Lab, node: usize, app: u32, key: &str) -> String {
    lab.machine(node).outcome(AppId(app), key).map_or_else(String::new, |value| match value {
        Value::Text(text) => text,
        other => other.to_string(),
    })
}

/// The DHCP messages that a node has sent since the log was last cleared: whether to everybody, and which.
fn messages(lab: &Lab, node: usize) -> Vec<(bool, Message)> {
    let of_dhcp = |bytes: &Vec<u8>| {
        let packet = ip_of(bytes)?;
        (packet.get(9) == Some(&17)).then_some(())?;
        Some((bytes.starts_with(&[0xff; 6]), Message::read(packet.get(28..)?)?))
    };
    lab.sent_by(node).iter().filter_map(of_dhcp).collect()
}

fn kinds(lab: &Lab, node: usize) -> Vec<DhcpMessageType> {
    messages(lab, node).iter().filter_map(|(_, message)| message.kind()).collect()
}

#[test]
fn four_messages_and_an_address() {
    let mut lab = pair_of("", "range = \"10.0.0.100-10.0.0.199\"");
    lab.run_for(Duration::from_secs(20));
    assert_eq!(kinds(&lab, 0), [DhcpMessageType::Discover, DhcpMessageType::Request]);
    assert_eq!(kinds(&lab, 1), [DhcpMessageType::Offer, DhcpMessageType::Ack]);
    assert!(messages(&lab, 1).iter().all(|(is_for_all, _)| !is_for_all), "straight to the client");
    assert_eq!((of(&mut lab, 0, 0, "address"), of(&mut lab, 1, 1, "leases")), ("10.0.0.100/24".into(), "1".into()));
}

#[test]
fn who_wants_answers_by_broadcast_gets_them_so() {
    let mut lab = pair_of("broadcast = true", "range = \"10.0.0.100-10.0.0.199\"");
    lab.run_for(Duration::from_secs(20));
    assert_eq!(messages(&lab, 1).len(), 2);
    assert!(messages(&lab, 1).iter().all(|(is_for_all, message)| *is_for_all && message.is_broadcast));
    assert_eq!(of(&mut lab, 0, 0, "phase"), "BOUND");
}

#[test]
fn a_client_that_crashed_asks_for_what_it_had_and_has_no_address_until_then() {
    let mut lab = pair_of("", "range = \"10.0.0.100-10.0.0.199\"\nping = \"0s\"");
    lab.run_for(Duration::from_secs(20));
    lab.log.clear();
    lab.command(0, &Command::Crash).unwrap();
    lab.run_for(Duration::from_secs(10));
    assert_eq!(messages(&lab, 0), [], "no release: the power is gone");
    lab.command(0, &Command::Restart).unwrap();
    let now = lab.now;
    assert!(!lab.machine(0).show("addr", now).unwrap().contains("10.0.0.100"));
    lab.run_for(Duration::from_secs(20));
    assert_eq!(kinds(&lab, 0), [DhcpMessageType::Request], "INIT-REBOOT");
    assert_eq!(of(&mut lab, 0, 0, "address"), "10.0.0.100/24");
}

#[test]
fn a_server_that_crashed_remembers_what_it_gave() {
    let mut lab = pair_of("", "range = \"10.0.0.100-10.0.0.199\"\nlease = \"60s\"\nping = \"0s\"");
    lab.run_for(Duration::from_secs(20));
    lab.command(1, &Command::Crash).unwrap();
    lab.command(1, &Command::Restart).unwrap();
    let now = lab.now;
    assert!(lab.machine(1).show("leases", now).unwrap().contains("10.0.0.100 bound for"));
    lab.run_for(Duration::from_secs(20));
    assert_eq!(of(&mut lab, 0, 0, "renewed"), "1", "it knows whom it renews");
}

#[test]
fn an_address_whose_client_program_is_stopped_goes_away_at_its_time_all_the_same() {
    let mut lab = pair_of("", "range = \"10.0.0.100-10.0.0.199\"\nlease = \"60s\"\nping = \"0s\"");
    lab.run_for(Duration::from_secs(20));
    lab.command(0, &Command::StopApp(AppId(0))).unwrap();
    let has_it = |lab: &mut Lab| {
        let now = lab.now;
        lab.machine(0).show("addr", now).unwrap().contains("10.0.0.100")
    };
    assert!(has_it(&mut lab));
    lab.run_for(Duration::from_secs(41));
    assert!(!has_it(&mut lab));
}

/// A message in a frame, from a port to the other.
fn frame_of(message: &Message, source: &str, destination: &str, to: EthernetAddress) -> Vec<u8> {
    let payload = message.write(548);
    let (from_port, to_port) = if message.is_reply { (67_u16, 68_u16) } else { (68, 67) };
    let length = (8 + payload.len()) as u16;
    let head = [from_port.to_be_bytes(), to_port.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    let packet = Packet::new(source, destination, IpProtocol::Udp, &[head, payload].concat());
    framed(&packet.finish(), EthernetProtocol::Ipv4, mac(66), to)
}

#[test]
fn an_attacker_that_takes_every_address_leaves_the_server_well_when_it_stops() {
    let mut lab = pair_of("", "range = \"10.0.0.100-10.0.0.119\"\nlease = \"60s\"\nping = \"0s\"");
    lab.run_for(Duration::from_secs(20));
    for number in 0..500_u16 {
        let [high, low] = number.to_be_bytes();
        let liar = EthernetAddress([2, 9, 9, 9, high, low]);
        let discover = Message::request(DhcpMessageType::Discover, number.into(), liar);
        lab.arrive(1, 0, &frame_of(&discover, "0.0.0.0", "255.255.255.255", ALL));
        let mut request = Message::request(DhcpMessageType::Request, number.into(), liar);
        request.options.set_address(code::REQUESTED_ADDRESS, address(&format!("10.0.0.{}", 101 + number % 19)));
        request.options.set_address(code::SERVER_IDENTIFIER, address("10.0.0.1"));
        lab.arrive(1, 0, &frame_of(&request, "0.0.0.0", "255.255.255.255", ALL));
    }
    assert_eq!(of(&mut lab, 1, 1, "leases"), "20");
    // Who has an address keeps it through all this; and when the attacker's leases are over, there is room again.
    lab.run_for(Duration::from_secs(100));
    assert_eq!((of(&mut lab, 0, 0, "expired"), of(&mut lab, 1, 1, "leases")), ("0".into(), "1".into()));
}

#[test]
fn a_relay_does_not_pass_on_what_it_is_not_to() {
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(1, "10.1.0.1/24")).interface(interface(2, "10.0.0.1/24"));
    lab.add("r", Machine::new(knowing(spec, 1, "10.0.0.80", 8)));
    lab.machine(0).add_program(AppId(0), "relay", Some(Time::ZERO), program("dhcp-relay", "servers = \"10.0.0.80\""));
    lab.start();
    let discover = Message::request(DhcpMessageType::Discover, 7, mac(66));
    for hops in [0, 3, 4, 17, 255] {
        let frame = frame_of(&Message { hops, ..discover.clone() }, "0.0.0.0", "255.255.255.255", ALL);
        lab.arrive(0, 0, &frame);
    }
    let passed: Vec<u8> = messages(&lab, 0).iter().map(|(_, message)| message.hops).collect();
    assert_eq!(passed, [1, 4]);
    assert_eq!((of(&mut lab, 0, 0, "requests"), of(&mut lab, 0, 0, "dropped")), ("2".into(), "3".into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Messages of every kind, damaged at will, against client, server and relay at once: nothing panics, nothing that is
    /// not asked for becomes an address, and when it is over the client gets what it was to get.
    #[test]
    fn mutated_messages_break_neither_client_nor_server_nor_relay(
        blows in proptest::collection::vec(
            (
                0_u64..3000, 0_usize..3, 1_u8..9, any::<bool>(), any::<bool>(),
                proptest::collection::vec((0_usize..342, any::<u8>()), 0..6),
            ),
            1..60,
        ),
    ) {
        let mut lab = pair_of("", "range = \"10.0.0.100-10.0.0.199\"\nlease = \"30s\"");
        let spec = MachineSpec::router("r", 1).interface(interface(5, "10.7.0.1/24")).interface(interface(6, "10.8.0.1/24"));
        let relay = lab.add("r", Machine::new(spec));
        let text = "servers = \"10.8.0.80\"\ninformation = true";
        lab.machine(relay).add_program(AppId(2), "relay", Some(Time::ZERO), program("dhcp-relay", text));
        lab.call(relay, |node, now, out| node.start(now, out));
        let mut last = Message::request(DhcpMessageType::Discover, 1, mac(1));
        for (wait, victim, kind, is_reply, is_for_all, flips) in blows {
            lab.run_for(Duration::from_millis(wait));
            if let Some((_, heard)) = messages(&lab, 0).pop() {
                last = heard;
            }
            lab.log.clear();
            // Whoever listens on the link knows the transaction.
            let mut message = last.clone();
            message.is_reply = is_reply;
            message.yiaddr = address("10.0.0.150");
            message.options.set(code::MESSAGE_TYPE, vec![kind]);
            message.options.set_address(code::SERVER_IDENTIFIER, address("10.0.0.9"));
            let to = if is_for_all { ALL } else { [mac(1), mac(2), mac(5)][victim] };
            let destination = if is_for_all { "255.255.255.255" } else { "10.0.0.150" };
            let source = if is_reply { "10.0.0.9" } else { "0.0.0.0" };
            let mut frame = frame_of(&message, source, destination, to);
            for (at, value) in flips {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            lab.arrive(victim, 0, &frame);
        }
        lab.run_for(Duration::from_secs(400));
        // The attacker offered 10.0.0.150, and may have been believed as any server is; its lease was never renewed.
        prop_assert_eq!(of(&mut lab, 0, 0, "phase"), "BOUND");
        prop_assert!(of(&mut lab, 0, 0, "server") == "10.0.0.1", "{}", of(&mut lab, 0, 0, "server"));
        prop_assert_eq!(of(&mut lab, 1, 1, "state"), "running");
        prop_assert_eq!(of(&mut lab, relay, 2, "state"), "running");
    }
}
