//! What hosts take from advertisements beside addresses, and how much of it (RFC 4861 §6.3, RFC 4191, RFC 7217).

use std::time::Duration;

use super::*;
use crate::node::machine::{AdvertiseSettings, Ipv6Settings, RouterPreference};
use crate::record::Cause;

fn host(change: impl FnOnce(&mut MachineSpec)) -> Lab {
    let mut interface = interface(1, "10.0.0.1/24");
    interface.addresses.clear();
    let ipv6 = Ipv6Settings { is_enabled: true, autoconfigures: true, ..Ipv6Settings::default() };
    let mut spec = unchecked(MachineSpec { ipv6, ..MachineSpec::host("h", 1).interface(interface) });
    change(&mut spec);
    let mut lab = Lab::new();
    lab.add("h", Machine::new(spec));
    lab.start();
    lab.log.clear();
    lab
}

/// What an advertisement says.
#[derive(Debug, Clone, Copy)]
struct Said {
    from: u16,
    hop_limit: u8,
    flags: u8,
    lifetime: u16,
    reachable: u32,
    retransmission: u32,
    prefix: Option<(u16, u8, u32)>,
}

const SAID: Said =
    Said { from: 9, hop_limit: 0, flags: 0, lifetime: 1800, reachable: 0, retransmission: 0, prefix: None };

impl Said {
    fn arrive(self, lab: &mut Lab) {
        let mut message = vec![134, 0, 0, 0, self.hop_limit, self.flags];
        message.extend(self.lifetime.to_be_bytes());
        message.extend(self.reachable.to_be_bytes());
        message.extend(self.retransmission.to_be_bytes());
        message.extend([1, 1, 2, 0, 0, 0, 0, 9]);
        if let Some((number, flags, valid)) = self.prefix {
            message.extend([3, 4, 64, flags]);
            message.extend(valid.to_be_bytes());
            message.extend(valid.to_be_bytes());
            message.extend([0; 4]);
            message.extend(v6(&format!("2001:db8:{number:x}::")).octets());
        }
        let from = format!("fe80::{:x}", self.from);
        let packet = Packet6::icmp(&from, "ff02::1", &message).hops(255);
        lab.arrive(0, 0, &packet.framed(mac(9), EthernetAddress([0x33, 0x33, 0, 0, 0, 1])));
    }
}

fn show(lab: &mut Lab, what: &str) -> String {
    let now = lab.now;
    lab.machine(0).show(what, now).unwrap()
}

fn default(lab: &mut Lab) -> Option<String> {
    let routes = show(lab, "route");
    let line = routes.lines().find(|line| line.starts_with("default via"))?;
    Some(line.split(' ').nth(2).unwrap().to_owned())
}

/// The hop limit of what the host answers to a ping.
fn answered_with(lab: &mut Lab) -> u8 {
    lab.log.clear();
    lab.arrive(0, 0, &Packet6::ping("fe80::9", "fe80::ff:fe00:1", b"").framed(mac(9), mac(1)));
    lab.sent_by(0).into_iter().find(|frame| frame[54] == 129).unwrap()[21]
}

#[test]
fn a_hop_limit_that_a_router_tells_is_used_and_none_at_all_changes_nothing() {
    let mut lab = host(|_| ());
    SAID.arrive(&mut lab);
    assert_eq!(answered_with(&mut lab), 64);
    Said { hop_limit: 17, ..SAID }.arrive(&mut lab);
    assert_eq!(answered_with(&mut lab), 17);
    SAID.arrive(&mut lab);
    assert_eq!(answered_with(&mut lab), 17, "0 says nothing");
}

#[test]
fn timers_that_a_router_tells_are_used_and_none_at_all_change_nothing() {
    let mut lab = host(|_| ());
    Said { retransmission: 200, reachable: 1000, ..SAID }.arrive(&mut lab);
    Said { from: 8, ..SAID }.arrive(&mut lab);
    lab.log.clear();
    lab.send_ip(0, Packet6::ping("fe80::ff:fe00:1", "fe80::77", b"").finish());
    lab.run_for(Duration::from_secs(5));
    let told = lab.told();
    let asked: Vec<&str> = told.lines().filter(|line| line.contains("who has")).map(|line| &line[..5]).collect();
    assert_eq!(asked, ["0.000", "0.200", "0.400"]);
    // An answer is trusted for half a second to one and a half.
    lab.send_ip(0, Packet6::ping("fe80::ff:fe00:1", "fe80::9", b"").finish());
    let answer = [&[136, 0, 0, 0, 0xe0, 0, 0, 0][..], &v6("fe80::9").octets(), &[2, 1, 2, 0, 0, 0, 0, 9]].concat();
    lab.arrive(0, 0, &Packet6::icmp("fe80::9", "fe80::ff:fe00:1", &answer).hops(255).framed(mac(9), mac(1)));
    assert!(show(&mut lab, "neigh").contains("fe80::9 dev eth1 lladdr 02:00:00:00:00:09 router REACHABLE"));
    lab.run_for(Duration::from_millis(499));
    assert!(show(&mut lab, "neigh").contains("router REACHABLE"));
    lab.run_for(Duration::from_millis(1002));
    assert!(show(&mut lab, "neigh").contains("fe80::9 dev eth1 lladdr 02:00:00:00:00:09 router STALE"));
}

#[test]
fn of_several_routers_the_preferred_one_is_used_while_it_answers() {
    let mut lab = host(|_| ());
    let (low, medium, high, reserved) = (0b11 << 3, 0, 0b01 << 3, 0b10 << 3);
    for (from, flags) in [(1, low), (2, medium), (3, reserved), (4, high)] {
        Said { from, flags, ..SAID }.arrive(&mut lab);
    }
    assert_eq!(default(&mut lab).as_deref(), Some("fe80::4"));
    // The best falls silent: 5 s in use, 3 s of questions.
    lab.send_ip(0, Packet6::udp("fe80::ff:fe00:1", "2001:db8:9::9", 9, b"").finish());
    lab.run_for(Duration::from_millis(8100));
    assert_eq!(default(&mut lab).as_deref(), Some("fe80::2"), "the first of the middle, a reserved word among them");
    Said { from: 4, flags: high, ..SAID }.arrive(&mut lab);
    assert_eq!(default(&mut lab).as_deref(), Some("fe80::4"), "it is heard of again");
    Said { from: 4, flags: low, ..SAID }.arrive(&mut lab);
    assert_eq!(default(&mut lab).as_deref(), Some("fe80::2"), "it has changed its mind");
}

#[test]
fn routers_that_are_all_silent_take_turns() {
    let mut lab = host(|_| ());
    for from in [1, 2] {
        Said { from, flags: u8::from(from == 1) << 3, ..SAID }.arrive(&mut lab);
    }
    let mut used = Vec::new();
    for _ in 0..4 {
        used.push(default(&mut lab).unwrap());
        lab.send_ip(0, Packet6::udp("fe80::ff:fe00:1", "2001:db8:9::9", 9, b"").finish());
        lab.run_for(Duration::from_millis(8100));
    }
    assert_eq!(used, ["fe80::1", "fe80::2", "fe80::1", "fe80::2"]);
}

#[test]
fn an_on_link_prefix_without_the_flag_says_nothing_and_takes_nothing_back() {
    let mut lab = host(|_| ());
    let on_link = |lab: &mut Lab| show(lab, "route").contains("2001:db8:1::/64 dev eth1");
    Said { prefix: Some((1, 0x40, 600)), ..SAID }.arrive(&mut lab);
    assert!(!on_link(&mut lab));
    Said { prefix: Some((1, 0x80, 600)), ..SAID }.arrive(&mut lab);
    assert!(on_link(&mut lab));
    Said { prefix: Some((1, 0x40, 600)), ..SAID }.arrive(&mut lab);
    SAID.arrive(&mut lab);
    assert!(on_link(&mut lab), "neither the flag's nor the option's absence ends it");
    Said { prefix: Some((1, 0x80, 0)), ..SAID }.arrive(&mut lab);
    assert!(!on_link(&mut lab));
}

#[test]
fn what_finds_no_room_is_told_and_finds_it_later() {
    let mut lab = host(|_| ());
    for from in 0..20 {
        Said { from: 0x100 + from, prefix: Some((from, 0xc0, 600)), ..SAID }.arrive(&mut lab);
    }
    // 16 routers; 15 addresses beside the link-local one.
    assert_eq!(lab.drops_of(0), vec![Cause::TableFull; 5]);
    assert_eq!(show(&mut lab, "route").matches("default via").count(), 16);
    lab.run_for(Duration::from_secs(1801));
    lab.log.clear();
    Said { from: 0x999, prefix: Some((0x999, 0xc0, 600)), ..SAID }.arrive(&mut lab);
    assert_eq!((lab.drops_of(0), default(&mut lab).as_deref()), (vec![], Some("fe80::999")));
}

#[test]
fn a_full_neighbor_cache_drops_what_it_cannot_resolve_and_recovers() {
    let mut lab = host(|_| ());
    // As a scan of the link would do it: nobody is there.
    for number in 0..1100 {
        lab.send_ip(0, Packet6::ping("fe80::ff:fe00:1", &format!("fe80::1:{number:x}"), b"").finish());
    }
    assert_eq!(lab.drops_of(0), vec![Cause::NeighborQueueFull; 76]);
    assert_eq!(show(&mut lab, "neigh").lines().count(), 1024);
    lab.run_for(Duration::from_secs(4));
    lab.log.clear();
    lab.send_ip(0, Packet6::ping("fe80::ff:fe00:1", "fe80::9", b"").finish());
    assert!(lab.told().contains("who has fe80::9"), "those that failed make room");
}

fn addresses(lab: &mut Lab) -> Vec<String> {
    let shown = show(lab, "addr");
    let own = shown.lines().filter_map(|line| line.strip_prefix("    inet6 ")).filter(|line| !line.starts_with("::1/"));
    own.map(|line| line.split('/').next().unwrap().to_owned()).collect()
}

#[test]
fn identifiers_of_a_secret_are_the_same_again_and_another_for_each_prefix() {
    let made = |prefix: u16| {
        let mut lab = host(|spec| spec.ipv6.has_stable_identifiers = true);
        Said { prefix: Some((prefix, 0xc0, 600)), ..SAID }.arrive(&mut lab);
        addresses(&mut lab)
    };
    let [link_local, first] = &made(1)[..] else { panic!() };
    assert_eq!(made(1), [link_local.clone(), first.clone()]);
    assert!(!link_local.contains("ff:fe") && !first.contains("ff:fe"), "{link_local} {first}");
    let low = |text: &str| v6(text).to_bits() as u64;
    let other = &made(2)[1];
    assert!(low(first) != low(other) && low(first) != low(link_local), "{first} {other}");
    let foreseen = crate::node::machine::stable_address(1, "h", "eth1", v6("2001:db8:1::"));
    assert_eq!(v6(first), foreseen);
}

#[test]
fn a_stable_address_that_is_taken_is_followed_by_the_next_three_times() {
    let mut lab = host(|spec| {
        spec.ipv6.has_stable_identifiers = true;
        spec.ipv6.nd = NdSettings::default();
    });
    lab.run_for(Duration::from_secs(1));
    Said { prefix: Some((1, 0xc0, 600)), ..SAID }.arrive(&mut lab);
    let mut tried = Vec::new();
    for _ in 0..5 {
        let own = addresses(&mut lab).pop().unwrap();
        tried.push(own.clone());
        let defended = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &v6(&own).octets(), &[2, 1, 2, 0, 0, 0, 0, 7]].concat();
        lab.arrive(0, 0, &Packet6::icmp(&own, "ff02::1", &defended).hops(255).framed(mac(7), mac(1)));
    }
    tried.dedup();
    assert_eq!(tried.len(), 4, "the first and three more: {tried:?}");
    assert!(show(&mut lab, "addr").contains("dadfailed"));
    // IPv6 does not end there: the identifier tells nothing of the hardware.
    let link_local = addresses(&mut lab).remove(0);
    lab.log.clear();
    lab.arrive(0, 0, &Packet6::ping("fe80::9", &link_local, b"").framed(mac(9), mac(1)));
    assert!(lab.told().contains("echo reply"));
}

#[test]
fn a_router_puts_into_its_advertisements_what_it_is_told() {
    let mut spec = unchecked(MachineSpec::router("r", 1)).interface(interface(9, "2001:db8:1::1/64"));
    spec.ipv6.advertise = Some(AdvertiseSettings {
        preference: RouterPreference::High,
        is_managed: true,
        has_other: true,
        reachable_for: Duration::from_secs(20),
        retry_after: Duration::from_millis(1500),
        is_on_link: false,
        hop_limit: 7,
        ..AdvertiseSettings::default()
    });
    let mut lab = Lab::new();
    lab.add("r", Machine::new(spec));
    lab.start();
    let sent = lab.sent_by(0).into_iter().find(|frame| frame[20] == 58 && frame[54] == 134).unwrap();
    assert_eq!(sent[54 + 4..54 + 6], [7, 0x80 | 0x40 | 0b01 << 3]);
    assert_eq!(sent[54 + 8..54 + 16], [0, 0, 0x4e, 0x20, 0, 0, 0x05, 0xdc]);
    // Behind the option with the hardware address: a prefix that may be used for addresses.
    assert_eq!(sent[54 + 24..54 + 28], [3, 4, 64, 0x40]);
}
