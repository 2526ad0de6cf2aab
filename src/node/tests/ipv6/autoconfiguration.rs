//! Hosts find routers and make addresses of what they advertise (RFC 4861 §6, RFC 4862 §5.5, RFC 8981).

use std::time::Duration;

use super::*;
use crate::id::AppId;
use crate::net::{Net, Program};
use crate::node::machine::{AdvertiseSettings, Ipv6Settings};
use crate::record::{Cause, Value};

const ROUTER: &str = "fe80::ff:fe00:9";

fn host() -> MachineSpec {
    let mut interface = interface(1, "10.0.0.1/24");
    interface.addresses.clear();
    let ipv6 = Ipv6Settings { is_enabled: true, autoconfigures: true, ..Ipv6Settings::default() };
    MachineSpec { ipv6, ..MachineSpec::host("h", 1).interface(interface) }
}

fn alone(spec: MachineSpec) -> Lab {
    let mut lab = Lab::new();
    lab.add("h", Machine::new(spec));
    lab.start();
    lab.run_until(READY);
    lab.log.clear();
    lab
}

fn show(lab: &mut Lab, what: &str) -> String {
    let now = lab.now;
    lab.machine(0).show(what, now).unwrap()
}

/// The global addresses.
fn addresses(lab: &mut Lab) -> Vec<String> {
    let shown = show(lab, "addr");
    let own = shown.lines().filter_map(|line| line.strip_prefix("    inet6 ")).filter(|line| line.contains("global"));
    own.map(str::to_owned).collect()
}

/// An advertisement of 2001:db8:<number>::/64.
#[derive(Clone, Copy)]
struct Advertised {
    number: u16,
    lifetime: u16,
    flags: u8,
    valid: u32,
    preferred: u32,
    from: &'static str,
}

const GOOD: Advertised =
    Advertised { number: 1, lifetime: 1800, flags: 0xc0, valid: 86_400, preferred: 3600, from: ROUTER };

impl Advertised {
    fn arrive(self, lab: &mut Lab) {
        let [high, low] = self.lifetime.to_be_bytes();
        let mut message = vec![134, 0, 0, 0, 64, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 9];
        message.extend([5, 1, 0, 0, 0, 0, 0x05, 0x78]);
        message.extend([3, 4, 64, self.flags]);
        message.extend(self.valid.to_be_bytes());
        message.extend(self.preferred.to_be_bytes());
        message.extend([0; 4]);
        message.extend(v6(&format!("2001:db8:{:x}::", self.number)).octets());
        let packet = Packet6::icmp(self.from, "ff02::1", &message).hops(255);
        lab.arrive(0, 0, &packet.framed(mac(9), EthernetAddress([0x33, 0x33, 0, 0, 0, 1])));
    }
}

#[test]
fn a_host_asks_thrice_for_routers_and_programs_wait_as_long() {
    let mut lab = Lab::new();
    lab.add("h", Machine::new(host()));
    let program = Program::new(|net: Net| async move {
        net.report("began", net.now().as_nanos() / 1_000_000);
        Ok(())
    });
    lab.machine(0).add_program(AppId(0), "early", Some(Time::ZERO), program);
    lab.start();
    lab.run_until(Time::from_secs(60));
    let told = lab.told();
    let asked: Vec<&str> =
        told.lines().filter(|line| line.contains("router solicitation")).map(|line| &line[..6]).collect();
    // When the link-local address is known to be free, and every four seconds.
    assert_eq!(asked, ["1.000 ", "5.000 ", "9.000 "]);
    assert!(told.contains("h.0 > fe80::ff:fe00:1 > ff02::2: ICMP6, router solicitation"), "{told}");
    assert_eq!(lab.machine(0).outcome(AppId(0), "began"), Some(Value::Integer(13_000)));
}

#[test]
fn an_advertisement_gives_an_address_a_default_router_and_an_mtu() {
    let mut lab = alone(host());
    GOOD.arrive(&mut lab);
    assert_eq!(
        addresses(&mut lab),
        ["2001:db8:1::ff:fe00:1/64 scope global dynamic mngtmpaddr tentative valid_lft 86400sec preferred_lft 3600sec"]
    );
    lab.run_for(Duration::from_secs(1));
    insta::assert_snapshot!(lab.told(), @"
    1.000 h # nd: fe80::ff:fe00:9 is at 02:00:00:00:00:09
    1.000 h # ipv6: default router fe80::ff:fe00:9 on eth1
    1.000 h.0 > fe80::ff:fe00:1 > ff02::16: ICMP6, multicast listener report v2, 1 group record(s), length 28
    1.000 h.0 > :: > ff02::1:ff00:1: ICMP6, neighbor solicitation, who has 2001:db8:1::ff:fe00:1, length 32
    2.000 h # ipv6: eth1 has 2001:db8:1::ff:fe00:1
    ");
    insta::assert_snapshot!(show(&mut lab, "route"), @"
    default via fe80::ff:fe00:9 dev eth1 proto ra expires 1799sec pref medium
    2001:db8:1::/64 dev eth1 proto ra expires 86399sec
    fe80::/64 dev eth1 proto kernel scope link src fe80::ff:fe00:1
    ");
    insta::assert_snapshot!(show(&mut lab, "neigh"), @"fe80::ff:fe00:9 dev eth1 lladdr 02:00:00:00:00:09 router STALE");
    // No more questions.
    lab.run_for(Duration::from_secs(60));
    assert!(lab.sent_by(0).is_empty());
    let probe = Program::new(|net: Net| async move {
        net.report("mtu", net.mtu_for("2001:db8:9::1".parse().unwrap())?);
        net.report("source", net.source_for("2001:db8:9::1".parse().unwrap())?.to_string());
        Ok(())
    });
    lab.machine(0).add_program(AppId(0), "probe", None, probe);
    lab.command(0, &crate::node::Command::StartApp(AppId(0))).unwrap();
    assert_eq!(lab.machine(0).outcome(AppId(0), "mtu"), Some(Value::Integer(1400)));
    assert_eq!(lab.machine(0).outcome(AppId(0), "source"), Some(Value::Text("2001:db8:1::ff:fe00:1".into())));
}

#[test]
fn an_address_is_deprecated_and_then_gone_when_nothing_more_is_heard() {
    let mut lab = alone(host());
    Advertised { valid: 9000, preferred: 100, ..GOOD }.arrive(&mut lab);
    lab.run_until(READY + Duration::from_nanos(99_999_999_999));
    assert!(!addresses(&mut lab)[0].contains("deprecated"));
    lab.run_until(READY + Duration::from_secs(100));
    assert!(addresses(&mut lab)[0].contains("deprecated"));
    // Heard again, it is preferred again.
    Advertised { valid: 9000, preferred: 100, ..GOOD }.arrive(&mut lab);
    assert!(!addresses(&mut lab)[0].contains("deprecated"));
    lab.run_for(Duration::from_nanos(8_999_999_999_999));
    assert_eq!(addresses(&mut lab).len(), 1);
    lab.run_for(Duration::from_nanos(1));
    assert_eq!(addresses(&mut lab), [""; 0]);
    assert!(!show(&mut lab, "route").contains("2001:db8:1::/64"));
    assert_eq!(lab.machine(0).wake_at(), None);
}

#[test]
fn a_shorter_lifetime_is_not_believed_below_two_hours() {
    // RFC 4862 §5.5.3 (e): what remains, what is said, what counts.
    for (remaining, said, counts) in
        [(86_400, 7201, 7201), (86_400, 60, 7200), (7200, 60, 7200), (600, 60, 600), (600, 601, 601)]
    {
        let mut lab = alone(host());
        Advertised { valid: remaining, preferred: 50, ..GOOD }.arrive(&mut lab);
        Advertised { valid: said, preferred: 50, ..GOOD }.arrive(&mut lab);
        let shown = addresses(&mut lab);
        assert!(shown[0].contains(&format!("valid_lft {counts}sec")), "{remaining} {said}: {shown:?}");
    }
}

#[test]
fn what_is_not_meant_for_addresses_makes_none() {
    let none = |advertised: Advertised| {
        let mut lab = alone(host());
        advertised.arrive(&mut lab);
        lab.run_for(Duration::from_secs(2));
        (addresses(&mut lab).len(), show(&mut lab, "route").contains("2001:db8:1::/64"), lab.drops_of(0))
    };
    assert_eq!(none(GOOD), (1, true, vec![]));
    assert_eq!(none(Advertised { flags: 0x80, ..GOOD }), (0, true, vec![]), "not autonomous");
    assert_eq!(none(Advertised { flags: 0x40, ..GOOD }), (1, false, vec![]), "not on the link");
    assert_eq!(none(Advertised { preferred: 90_000, ..GOOD }), (0, true, vec![]), "preferred for longer than valid");
    assert_eq!(none(Advertised { valid: 0, preferred: 0, ..GOOD }), (0, false, vec![]));
    assert_eq!(none(Advertised { from: "2001:db8:1::9", ..GOOD }), (0, false, vec![Cause::InvalidDiscovery]));
}

#[test]
fn a_router_that_ends_or_falls_silent_is_replaced() {
    let mut lab = alone(host());
    let second = "fe80::ff:fe00:7";
    GOOD.arrive(&mut lab);
    Advertised { from: second, lifetime: 600, ..GOOD }.arrive(&mut lab);
    let default = |lab: &mut Lab| {
        let routes = show(lab, "route");
        routes
            .lines()
            .find_map(|line| line.strip_prefix("default via "))
            .map(|rest| rest.split(' ').next().unwrap().to_owned())
    };
    assert_eq!(default(&mut lab).as_deref(), Some(ROUTER));
    // It does not answer: 5 s of delay and three questions.
    lab.run_for(Duration::from_secs(2));
    lab.send_ip(0, Packet6::ping("2001:db8:1::ff:fe00:1", "2001:db8:9::1", b"").finish());
    lab.run_for(Duration::from_secs(9));
    assert_eq!(default(&mut lab).as_deref(), Some(second));
    // That one's lifetime ends.
    lab.run_for(Duration::from_secs(600));
    assert_eq!(default(&mut lab).as_deref(), Some(ROUTER));
    Advertised { lifetime: 0, ..GOOD }.arrive(&mut lab);
    assert_eq!(default(&mut lab), None);
}

#[test]
fn who_does_not_configure_itself_ignores_advertisements() {
    let mut spec = host();
    spec.ipv6.autoconfigures = false;
    let mut lab = alone(spec);
    GOOD.arrive(&mut lab);
    assert_eq!((lab.drops_of(0), addresses(&mut lab).len()), (vec![Cause::Ignored], 0));
}

#[test]
fn tables_of_what_was_learned_are_bounded() {
    let mut lab = alone(host());
    for number in 0..100 {
        let from = Box::leak(format!("fe80::{:x}", 0x1000 + number).into_boxed_str());
        Advertised { number, from, ..GOOD }.arrive(&mut lab);
    }
    lab.run_for(Duration::from_secs(2));
    // 16 addresses, one of them link-local.
    assert_eq!(addresses(&mut lab).len(), 15);
    let routes = show(&mut lab, "route");
    assert_eq!(routes.matches("default via").count(), 16);
    assert_eq!(routes.matches("2001:db8:").count(), 64);
    lab.run_for(Duration::from_secs(90_000));
    assert_eq!((addresses(&mut lab).len(), lab.machine(0).wake_at()), (0, None));
    // It has recovered.
    GOOD.arrive(&mut lab);
    assert_eq!(addresses(&mut lab).len(), 1);
}

#[test]
fn temporary_addresses_are_preferred_and_followed_by_others_in_time() {
    let mut spec = host();
    spec.ipv6.privacy = true;
    let mut lab = alone(spec);
    Advertised { valid: u32::MAX, preferred: u32::MAX, ..GOOD }.arrive(&mut lab);
    lab.run_for(Duration::from_secs(2));
    let first = addresses(&mut lab);
    assert!(first.len() == 2 && first[1].contains("temporary dynamic"), "{first:?}");
    // A day less at most four tenths of it, and the next one is there five seconds before.
    lab.run_for(Duration::from_secs(86_400));
    let later = addresses(&mut lab);
    let temporary: Vec<&String> = later.iter().filter(|line| line.contains("temporary")).collect();
    assert!(temporary.len() >= 2, "{later:?}");
    assert!(temporary[0].contains("deprecated") && !temporary.last().unwrap().contains("deprecated"), "{later:?}");
    // After two days the first is gone.
    lab.run_for(Duration::from_secs(86_400));
    let name = first[1].split('/').next().unwrap();
    assert!(!addresses(&mut lab).iter().any(|line| line.starts_with(name)));
}

#[test]
fn a_temporary_address_that_is_taken_is_drawn_again_three_times() {
    let mut spec = host();
    spec.ipv6.privacy = true;
    let mut lab = alone(spec);
    GOOD.arrive(&mut lab);
    for _ in 0..5 {
        let own = addresses(&mut lab).into_iter().rfind(|line| line.contains("temporary dynamic tentative"));
        let Some(own) = own else { break };
        let target = own.split('/').next().unwrap().to_owned();
        let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
        message.extend(v6(&target).octets());
        message.extend([2, 1, 2, 0, 0, 0, 0, 7]);
        lab.arrive(0, 0, &Packet6::icmp(&target, "ff02::1", &message).hops(255).framed(mac(7), mac(1)));
    }
    let temporary = addresses(&mut lab).into_iter().filter(|line| line.contains("temporary")).count();
    assert_eq!(temporary, 4, "the first and three more");
    assert_eq!(lab.machine(0).counter("nd.duplicates"), Some(4_u64.into()));
}

fn router(advertise: AdvertiseSettings) -> Lab {
    let mut spec = MachineSpec::router("r", 1).interface(interface(9, "2001:db8:1::1/64"));
    spec.ipv6.advertise = Some(advertise);
    alone(spec)
}

/// When advertisements were sent, in milliseconds, and to whom.
fn advertisements(lab: &Lab) -> Vec<(u64, Ipv6Addr)> {
    let sent = lab.log.iter().filter_map(|entry| match &entry.what {
        super::super::lab::Happened::Sent { bytes, .. } if bytes.get(54) == Some(&134) => {
            Some((entry.at.as_nanos() / 1_000_000, Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[38..54]).unwrap())))
        }
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_router_advertises_often_at_first_and_then_at_random_intervals() {
    let mut spec = MachineSpec::router("r", 1).interface(interface(9, "2001:db8:1::1/64"));
    spec.ipv6.advertise =
        Some(AdvertiseSettings { interval_max: Duration::from_secs(60), ..AdvertiseSettings::default() });
    let mut lab = Lab::new();
    lab.add("r", Machine::new(spec));
    lab.start();
    lab.run_until(Time::from_secs(1000));
    let times: Vec<u64> = advertisements(&lab).iter().map(|(at, _)| *at).collect();
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!((times[0], gaps[0], gaps[1]), (1000, 16_000, 16_000));
    assert!(gaps[2..].iter().all(|gap| (20_000..=60_000).contains(gap)), "{gaps:?}");
    assert!(gaps[2..].iter().any(|gap| *gap != gaps[2]));
}

#[test]
fn whoever_asks_is_answered_within_half_a_second() {
    let mut lab = router(AdvertiseSettings::default());
    lab.run_for(Duration::from_secs(100));
    lab.log.clear();
    let ask = |from: &str, option: &[u8]| {
        let message = [&[133, 0, 0, 0, 0, 0, 0, 0], option].concat();
        Packet6::icmp(from, "ff02::2", &message).hops(255).framed(mac(1), EthernetAddress([0x33, 0x33, 0, 0, 0, 2]))
    };
    let asked_at = lab.now.as_nanos() / 1_000_000;
    lab.arrive(0, 0, &ask("fe80::ff:fe00:1", &[1, 1, 2, 0, 0, 0, 0, 1]));
    lab.run_for(Duration::from_secs(1));
    let answers = advertisements(&lab);
    assert_eq!((answers.len(), answers[0].1), (1, v6("fe80::ff:fe00:1")));
    assert!((asked_at..=asked_at + 500).contains(&answers[0].0));
    // Without an address the answer goes to all.
    lab.log.clear();
    lab.arrive(0, 0, &ask("::", &[]));
    lab.run_for(Duration::from_secs(1));
    assert_eq!(advertisements(&lab).iter().map(|(_, to)| *to).collect::<Vec<_>>(), [v6("ff02::1")]);
    // But not more often than every three seconds.
    lab.log.clear();
    lab.arrive(0, 0, &ask("::", &[]));
    lab.run_for(Duration::from_millis(1500));
    assert_eq!(advertisements(&lab).len(), 0);
    lab.run_for(Duration::from_secs(3));
    assert_eq!(advertisements(&lab).len(), 1);
}

#[test]
fn the_number_of_hosts_that_wait_is_bounded() {
    let mut lab = router(AdvertiseSettings::default());
    for number in 0..300 {
        let from = format!("fe80::1:{number:x}");
        let packet = Packet6::icmp(&from, "ff02::2", &[133, 0, 0, 0, 0, 0, 0, 0]).hops(255);
        lab.arrive(0, 0, &packet.framed(mac(1), EthernetAddress([0x33, 0x33, 0, 0, 0, 2])));
    }
    assert_eq!(lab.drops_of(0), [Cause::Ignored; 44]);
}

#[test]
fn a_host_on_a_routers_link_gets_all_the_way() {
    let mut lab = Lab::new();
    lab.add("h", Machine::new(host()));
    let mut spec = MachineSpec::router("r", 1)
        .interface(interface(2, "2001:db8:1::1/64"))
        .interface(interface(3, "2001:db8:2::1/64"));
    spec.ipv6.advertise = Some(AdvertiseSettings::default());
    lab.add("r", Machine::new(spec));
    let b = MachineSpec::host("b", 1).interface(interface(4, "2001:db8:2::b/64")).route(default6("2001:db8:2::1"));
    lab.add("b", Machine::new(b));
    lab.wire((0, 0), (1, 0));
    lab.wire((1, 1), (2, 0));
    lab.start();
    lab.run_until(Time::from_secs(3));
    lab.log.clear();
    lab.send_ip(0, Packet6::ping("2001:db8:1::ff:fe00:1", "2001:db8:2::b", b"").finish());
    lab.run_for(Duration::from_millis(100));
    assert!(lab.told().contains("r.0 > 2001:db8:2::b > 2001:db8:1::ff:fe00:1: ICMP6, echo reply"));
}
