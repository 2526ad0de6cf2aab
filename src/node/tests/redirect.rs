//! ICMP redirects: who sends them (RFC 1812 §5.2.7.2), who believes them (RFC 1122 §3.2.2.2).

use smoltcp::wire::IpProtocol;

use super::lab::*;
use crate::node::machine::{MachineSpec, RouteSpec};
use crate::node::{Command, Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

const HOST: &str = "10.0.1.10";
const FAR: &str = "10.0.9.9";

/// A router 10.0.1.1, 10.0.2.1 that knows of 10.0.9.0/24 behind its neighbor 10.0.1.2.
fn router(change: impl FnOnce(&mut MachineSpec)) -> Lab {
    let mut lab = Lab::new();
    let spec = MachineSpec::router("r", 1)
        .interface(interface(1, "10.0.1.1/24"))
        .interface(interface(2, "10.0.2.1/24"))
        .route(RouteSpec::via("10.0.9.0/24".parse().unwrap(), "10.0.1.2".parse().unwrap()));
    let spec = knowing(knowing(spec, 0, HOST, 10), 0, "10.0.1.2", 12);
    let mut spec = knowing(spec, 1, "10.0.2.20", 20);
    change(&mut spec);
    lab.add("r", Machine::new(spec));
    lab
}

fn at_router(lab: &mut Lab, port: u16, source: &str, destination: &str) -> String {
    lab.log.clear();
    lab.arrive(0, port, &Packet::udp(source, destination, 9, b"hello").framed(mac(10), mac(1 + port as u8)));
    lab.told()
}

#[test]
fn a_packet_that_leaves_by_the_link_it_came_from_goes_on_and_its_sender_is_told() {
    let mut lab = router(|_| {});
    // Each time: also when the destination is in the cache of hops.
    for count in 1..=2 {
        let told = at_router(&mut lab, 0, HOST, FAR);
        let expected = "0.000 r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 5/1 mtu 258 about 10.0.1.10 > 10.0.9.9\n\
                        0.000 r.0 > 10.0.1.10 > 10.0.9.9 ttl 63 udp 4000 > 9, length 5\n";
        // "mtu 258" are the last two bytes of 10.0.1.2.
        assert_eq!(told, expected);
        assert_eq!(lab.machine(0).counter("icmp.sent.redirect"), Some(Value::Integer(count)));
    }
}

#[test]
fn the_packet_is_quoted_as_it_came() {
    let mut lab = router(|_| {});
    let packet = Packet::udp(HOST, FAR, 9, b"hello").options(&[7, 7, 4, 0, 0, 0, 0, 0]);
    lab.arrive(0, 0, &packet.clone().framed(mac(10), mac(1)));
    let redirect = lab.sent_by(0).remove(0);
    assert_eq!(redirect[14 + 20..14 + 28][4..], [10, 0, 1, 2]);
    assert_eq!(redirect[14 + 28..], packet.finish());
}

#[test]
fn nobody_is_told_who_could_not_use_it() {
    // From another subnet, though it came in and left by the same link.
    assert_eq!(at_router(&mut router(|_| {}), 0, "10.0.7.7", FAR).matches("icmp").count(), 0);
    // Out of another interface than it came in by.
    assert_eq!(at_router(&mut router(|_| {}), 0, HOST, "10.0.2.20").matches("icmp").count(), 0);
    // Back to the sender itself.
    assert_eq!(at_router(&mut router(|_| {}), 0, "10.0.1.2", FAR).matches("icmp").count(), 0);
    // Not if the router is told not to, or to be silent.
    assert_eq!(
        at_router(&mut router(|spec| spec.ipv4.sends_redirects = false), 0, HOST, FAR).matches("icmp").count(),
        0
    );
    assert_eq!(at_router(&mut router(|spec| spec.ipv4.sends_errors = false), 0, HOST, FAR).matches("icmp").count(), 0);
}

/// A host 10.0.1.10 whose default route leads to 10.0.1.1, and that knows 10.0.1.2 as well.
fn host(accepts: bool) -> Lab {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("h", 1).interface(interface(10, "10.0.1.10/24")).route(default_via("10.0.1.1"));
    let mut spec = knowing(knowing(spec, 0, "10.0.1.1", 1), 0, "10.0.1.2", 2);
    spec.ipv4.accepts_redirects = accepts;
    lab.add("h", Machine::new(spec));
    lab
}

fn redirect(from: &str, code: u8, router: &str, about: Packet) -> Packet {
    let head = [&[5, code, 0, 0], &address(router).octets()[..]].concat();
    Packet::new(from, HOST, IpProtocol::Icmp, &[&head, &about.finish()[..28]].concat())
}

/// To which hardware address the host sends a packet for `destination`.
fn next_hop(lab: &mut Lab, destination: &str) -> u8 {
    lab.log.clear();
    lab.send_ip(0, Packet::udp(HOST, destination, 9, b"").finish());
    lab.sent_by(0).remove(0)[5]
}

fn cache(lab: &mut Lab) -> String {
    let now = lab.now;
    lab.machine(0).show("cache", now).unwrap()
}

#[test]
fn a_host_takes_the_better_way_for_that_destination_for_five_minutes() {
    let mut lab = host(true);
    assert_eq!(next_hop(&mut lab, FAR), 1);
    lab.arrive(0, 0, &redirect("10.0.1.1", 1, "10.0.1.2", Packet::udp(HOST, FAR, 9, b"")).framed(mac(1), mac(10)));
    assert_eq!((next_hop(&mut lab, FAR), next_hop(&mut lab, "10.0.9.8")), (2, 1));
    assert_eq!(cache(&mut lab), "10.0.9.9 via 10.0.1.2 dev eth10 <redirected> expires 300s\n");
    assert_eq!(lab.machine(0).counter("ip.redirects_accepted"), Some(Value::Integer(1)));
    lab.run_until(Time::from_nanos(299_999_999_999));
    assert_eq!(next_hop(&mut lab, FAR), 2);
    lab.run_until(Time::from_secs(300));
    assert_eq!((next_hop(&mut lab, FAR), cache(&mut lab).as_str(), lab.machine(0).wake_at()), (1, "", None));
}

#[test]
fn a_redirect_for_a_network_counts_for_the_host_alone() {
    let mut lab = host(true);
    lab.arrive(0, 0, &redirect("10.0.1.1", 0, "10.0.1.2", Packet::udp(HOST, FAR, 9, b"")).framed(mac(1), mac(10)));
    assert_eq!((next_hop(&mut lab, FAR), next_hop(&mut lab, "10.0.9.8")), (2, 1));
}

#[test]
fn what_does_not_come_from_the_present_first_hop_is_not_believed() {
    let about = || Packet::udp(HOST, FAR, 9, b"");
    let lies = [
        ("from somebody else on the link", redirect("10.0.1.66", 1, "10.0.1.2", about())),
        ("from far away", redirect("10.0.7.7", 1, "10.0.1.2", about())),
        ("to a router on another link", redirect("10.0.1.1", 1, "10.0.2.2", about())),
        ("to the host itself", redirect("10.0.1.1", 1, HOST, about())),
        ("to everybody", redirect("10.0.1.1", 1, "10.0.1.255", about())),
        ("to the same router", redirect("10.0.1.1", 1, "10.0.1.1", about())),
        ("about somebody else's packet", redirect("10.0.1.1", 1, "10.0.1.2", Packet::udp("10.0.1.11", FAR, 9, b""))),
        ("about a packet to the host", redirect("10.0.1.1", 1, "10.0.1.2", Packet::udp(HOST, HOST, 9, b""))),
        ("about a neighbor", redirect("10.0.1.1", 1, "10.0.1.2", Packet::udp(HOST, "10.0.1.7", 9, b""))),
        ("with an unknown code", redirect("10.0.1.1", 4, "10.0.1.2", about())),
        ("without a quote", Packet::new("10.0.1.1", HOST, IpProtocol::Icmp, &[5, 1, 0, 0, 10, 0, 1, 2])),
    ];
    for (what, lie) in lies {
        let mut lab = host(true);
        lab.arrive(0, 0, &lie.framed(mac(1), mac(10)));
        assert_eq!((cache(&mut lab).as_str(), next_hop(&mut lab, FAR)), ("", 1), "{what}");
    }
    let mut deaf = host(false);
    deaf.arrive(0, 0, &redirect("10.0.1.1", 1, "10.0.1.2", about()).framed(mac(1), mac(10)));
    assert_eq!(next_hop(&mut deaf, FAR), 1);
}

#[test]
fn once_redirected_only_the_new_router_can_redirect_again() {
    let mut lab = host(true);
    let tell = |lab: &mut Lab, from: &str, router: &str| {
        lab.arrive(0, 0, &redirect(from, 1, router, Packet::udp(HOST, FAR, 9, b"")).framed(mac(1), mac(10)));
        cache(lab).contains(router)
    };
    assert!(tell(&mut lab, "10.0.1.1", "10.0.1.2"));
    assert!(!tell(&mut lab, "10.0.1.1", "10.0.1.3"));
    assert!(tell(&mut lab, "10.0.1.2", "10.0.1.3"));
    assert_eq!(lab.machine(0).wake_at(), Some(Time::from_secs(300)));
}

#[test]
fn a_better_way_to_a_router_that_is_silent_is_forgotten() {
    let mut lab = host(true);
    lab.arrive(0, 0, &redirect("10.0.1.1", 1, "10.0.1.99", Packet::udp(HOST, FAR, 9, b"")).framed(mac(1), mac(10)));
    lab.send_ip(0, Packet::udp(HOST, FAR, 9, b"").finish());
    lab.run_until(Time::from_secs(4));
    assert!(lab.drops_of(0).contains(&Cause::NeighborUnreachable));
    assert_eq!((next_hop(&mut lab, FAR), lab.machine(0).wake_at()), (1, None));
}

#[test]
fn a_restart_forgets_them_and_their_number_is_bounded() {
    let mut lab = host(true);
    let tell = |lab: &mut Lab, number: u32| {
        let far = std::net::Ipv4Addr::from(0x0b00_0000 + number).to_string();
        lab.arrive(0, 0, &redirect("10.0.1.1", 1, "10.0.1.2", Packet::udp(HOST, &far, 9, b"")).framed(mac(1), mac(10)));
    };
    for number in 0..1030 {
        lab.now = Time::from_millis(u64::from(number));
        tell(&mut lab, number);
    }
    assert_eq!(cache(&mut lab).lines().count(), 1024);
    assert!(cache(&mut lab).starts_with("11.0.0.6 "), "the oldest six are gone");
    lab.command(0, &Command::Restart).unwrap();
    assert_eq!((cache(&mut lab).as_str(), lab.machine(0).wake_at()), ("", None));
}
