//! What is for a machine is taken, what is not is not, and what nobody wants is answered for (RFC 8200, 4291, 4443).

use super::*;
use crate::node::Command;
use crate::node::machine::IcmpLimit;
use crate::record::Cause;
use crate::wire::Layer;

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:1::b";

/// What b does with a packet from a, which it knows.
fn told(packet: Packet6) -> String {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(std::time::Duration::from_millis(10));
    lab.tamper(|_| false);
    lab.log.clear();
    lab.arrive(1, 0, &packet.framed(mac(1), mac(2)));
    lab.told()
}

#[test]
fn a_ping_is_answered_without_its_extensions_and_with_all_its_data() {
    let told = |packet| told(packet).trim().to_owned();
    let plain = told(Packet6::ping(A, B, b"abc").hops(3));
    assert!(
        plain.ends_with("b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, echo reply, id 4660, seq 1, length 11"),
        "{plain}"
    );
    let extended = Packet6::ping(A, B, b"abc").extended(60, &[0, 0, 1, 4, 0, 0, 0, 0]);
    assert_eq!(told(extended), plain);
    let to_all = told(Packet6::ping(A, "ff02::1", b"abc"));
    assert_eq!(to_all, plain, "from an address of its own");
}

#[test]
fn what_nobody_wants_is_answered_for() {
    insta::assert_snapshot!(told(Packet6::udp(A, B, 9, b"x")), @"
    1.012 b x nobody-listens: 2001:db8:1::a.4000 > 2001:db8:1::b.9: UDP, length 1
    1.012 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, destination unreachable, unreachable port, 2001:db8:1::b udp port 9 (about udp 2001:db8:1::a.4000 > 2001:db8:1::b.9), length 57
    ");
    insta::assert_snapshot!(told(Packet6::syn(A, B)), @"
    1.012 b x nobody-listens: 2001:db8:1::a.4000 > 2001:db8:1::b.80: Flags [S], seq 100, win 0, length 0
    1.012 b.0 > 2001:db8:1::b.80 > 2001:db8:1::a.4000: Flags [R.], seq 0, ack 101, win 0, length 0
    ");
    insta::assert_snapshot!(told(Packet6::new(A, B, IpProtocol::Unknown(99), b"xxxxxxxx")), @"
    1.012 b x unknown-protocol: 2001:db8:1::a > 2001:db8:1::b: ip-proto-99, length 8
    1.012 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, parameter problem, next header - octet 6 (about ip-proto-99 2001:db8:1::a > 2001:db8:1::b), length 56
    ");
    insta::assert_snapshot!(told(Packet6::udp(A, B, 9, b"").extended(60, &[0, 0, 0xbe, 4, 0, 0, 0, 0])), @"
    1.012 b x unknown-option: 2001:db8:1::a.4000 > 2001:db8:1::b.9: UDP, length 0
    1.012 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, parameter problem, option - octet 42 (about udp 2001:db8:1::a.4000 > 2001:db8:1::b.9), length 64
    ");
    insta::assert_snapshot!(told(Packet6::udp(A, B, 9, b"").extended(43, &[0, 0, 0, 1, 0, 0, 0, 0])), @"
    1.012 b x filtered: 2001:db8:1::a.4000 > 2001:db8:1::b.9: UDP, length 0
    1.012 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, parameter problem, erroneous - octet 42 (about udp 2001:db8:1::a.4000 > 2001:db8:1::b.9), length 64
    ");
}

#[test]
fn nobody_complains_about_many_or_to_nobody_or_about_complaints() {
    let drops = |packet| {
        let told = told(packet);
        assert!(!told.contains("b.0 >"), "{told}");
        told.split("b x ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default().to_owned()
    };
    assert_eq!(drops(Packet6::udp(A, "ff02::1", 9, b"")), "nobody-listens");
    assert_eq!(drops(Packet6::udp("::", B, 9, b"")), "nobody-listens");
    assert_eq!(drops(Packet6::new(A, "ff02::1", IpProtocol::Unknown(99), b"")), "unknown-protocol");
    // An error behind extensions is an error all the same.
    let error = Packet6::icmp(A, B, &[1, 4, 0, 0, 0, 0, 0, 0]).extended(60, &[0, 0, 0xbe, 4, 0, 0, 0, 0]);
    assert_eq!(drops(error), "unknown-option");
    assert_eq!(drops(Packet6::udp(A, "ff02::1", 9, b"").extended(60, &[0, 0, 0xfe, 4, 0, 0, 0, 0])), "unknown-option");
    // But an option that must be known is complained about even then (RFC 4443 §2.4 (e.3)).
    let many = told(Packet6::udp(A, "ff02::1", 9, b"").extended(60, &[0, 0, 0xbe, 4, 0, 0, 0, 0]));
    assert!(
        many.contains("b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, parameter problem, option - octet 42"),
        "{many}"
    );
}

#[test]
fn an_error_quotes_as_much_as_fits_1280_bytes() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(std::time::Duration::from_millis(10));
    for (length, expected) in [(1000, 40 + 8 + 48 + 1000), (1184, 1280), (1185, 1280), (1400, 1280)] {
        lab.log.clear();
        let sent = Packet6::udp(A, B, 9, &vec![7; length]).finish();
        lab.send_ip(0, sent.clone());
        lab.run_for(std::time::Duration::from_millis(10));
        let error = lab.sent_by(1).pop().unwrap();
        assert_eq!(error.len() - 14, expected);
        assert_eq!(error[14 + 48..], sent[..expected - 48]);
    }
}

#[test]
fn errors_are_limited_as_the_settings_say() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    let mut spec = MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::b/64"));
    spec.ipv4.error_limit = IcmpLimit { per_second: 10, burst: 10 };
    lab.add("b", Machine::new(spec));
    lab.wire((0, 0), (1, 0));
    let mut lab = ready(lab);
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(std::time::Duration::from_millis(10));
    lab.log.clear();
    for _ in 0..15 {
        lab.arrive(1, 0, &Packet6::udp(A, B, 9, b"").framed(mac(1), mac(2)));
    }
    assert_eq!((lab.sent_by(1).len(), lab.drops_of(1).len()), (10, 15));
    assert_eq!(lab.machine(1).counter("icmp6.errors_limited"), Some(5_u64.into()));
    // A tenth of a second later there is leave for one more.
    lab.run_for(std::time::Duration::from_millis(100));
    lab.log.clear();
    for _ in 0..2 {
        lab.arrive(1, 0, &Packet6::udp(A, B, 9, b"").framed(mac(1), mac(2)));
    }
    assert_eq!(lab.sent_by(1).len(), 1);
}

#[test]
fn a_silent_machine_sends_no_errors() {
    let mut lab = Lab::new();
    let mut spec = MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::b/64"));
    spec.ipv4.sends_errors = false;
    lab.add("b", Machine::new(spec));
    let mut lab = ready(lab);
    lab.arrive(0, 0, &Packet6::udp(A, B, 9, b"").framed(mac(1), mac(2)));
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (0, vec![Cause::NobodyListens]));
    assert_eq!(lab.machine(0).counter("icmp6.errors_silenced"), Some(1_u64.into()));
}

#[test]
fn martians_and_strangers_are_dropped_each_for_its_cause() {
    let cause = |packet: Packet6| {
        let mut lab = pair();
        lab.arrive(1, 0, &packet.framed(mac(9), mac(2)));
        assert!(lab.sent_by(1).is_empty());
        lab.drops_of(1)
    };
    for (source, destination, expected) in [
        ("::1", B, Cause::Martian),
        ("ff02::1", B, Cause::Martian),
        (B, B, Cause::Martian),
        (A, "::1", Cause::Martian),
        (A, "::", Cause::Martian),
        (A, "ff01::1", Cause::Martian),
        ("::ffff:10.0.0.1", B, Cause::Martian),
        (A, "2001:db8:1::c", Cause::NotForwarding),
        (A, "ff02::1:ff00:c", Cause::NotForThisAddress),
        (A, "ff05::2", Cause::NotForThisAddress),
    ] {
        assert_eq!(cause(Packet6::ping(source, destination, b"")), [expected], "{source} > {destination}");
    }
}

#[test]
fn a_link_layer_multicast_of_what_is_for_one_is_not_taken() {
    for to in [EthernetAddress([0x33, 0x33, 0, 0, 0, 1]), EthernetAddress::BROADCAST] {
        let mut lab = pair();
        lab.arrive(1, 0, &Packet6::ping(A, B, b"").framed(mac(1), to));
        lab.arrive(1, 0, &Packet6::udp(A, B, 9, b"").framed(mac(1), to));
        assert_eq!((lab.drops_of(1), lab.sent_by(1).len()), (vec![Cause::LinkBroadcast; 2], 0));
    }
}

#[test]
fn a_wrong_checksum_is_noticed_and_none_at_all_is_wrong() {
    let cause = |change: fn(&mut Vec<u8>)| {
        let mut lab = pair();
        let mut bytes = Packet6::udp(A, B, 9, b"hello").finish();
        change(&mut bytes);
        lab.arrive(1, 0, &framed(&bytes, EthernetProtocol::Ipv6, mac(1), mac(2)));
        lab.drops_of(1)
    };
    assert_eq!(cause(|bytes| bytes[50] ^= 1), [Cause::BadChecksum]);
    assert_eq!(cause(|bytes| bytes[10] ^= 1), [Cause::BadChecksum], "the pseudo-header has the addresses");
    assert_eq!(cause(|bytes| bytes[46..48].fill(0)), [Cause::BadChecksum]);
    assert_eq!(cause(|_| {}), [Cause::NobodyListens]);
}

#[test]
fn a_link_local_address_counts_on_its_own_link_only() {
    let mut lab = Lab::new();
    let spec = MachineSpec::router("r", 1)
        .interface(interface(1, "2001:db8:1::1/64"))
        .interface(interface(2, "2001:db8:2::1/64"));
    lab.add("r", Machine::new(spec));
    let mut lab = ready(lab);
    // The link-local address of eth1, and a global one of the other side, at each interface.
    for (port, own) in [(0, mac(1)), (1, mac(2))] {
        lab.arrive(0, port, &Packet6::udp("fe80::9", "fe80::ff:fe00:1", 9, b"").framed(mac(9), own));
        lab.arrive(0, port, &Packet6::udp("2001:db8:1::9", "2001:db8:2::1", 9, b"").framed(mac(9), own));
    }
    assert_eq!(lab.drops_of(0), [Cause::NobodyListens, Cause::NobodyListens, Cause::BeyondScope, Cause::NobodyListens]);
}

#[test]
fn a_machine_answers_itself_over_the_loopback() {
    let mut lab = pair();
    for own in ["::1", A] {
        lab.send_ip(0, Packet6::udp(own, own, 9, b"").finish());
        // The datagram, and the complaint about it, which no socket waits for either.
        assert_eq!(lab.drops_of(0), [Cause::NobodyListens; 2]);
        assert!(lab.sent_by(0).is_empty());
        lab.log.clear();
    }
    // Out of the machine loopback addresses do not go.
    lab.send_ip(0, Packet6::udp("::1", B, 9, b"").finish());
    assert_eq!(lab.drops_of(0), [Cause::Martian]);
}

#[test]
fn a_machine_that_is_down_hears_nothing_and_begins_anew() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::udp(A, "2001:db8:1::99", 9, b"").finish());
    lab.command(0, &Command::Crash).unwrap();
    assert_eq!(lab.drops_of(0), [Cause::NodeDown]);
    lab.arrive(0, 0, &Packet6::ping(B, A, b"").framed(mac(2), mac(1)));
    assert_eq!(lab.drops_of(0), [Cause::NodeDown; 2]);
    assert_eq!(lab.machine(0).wake_at(), None);
    lab.command(0, &Command::Restart).unwrap();
    let now = lab.now;
    assert!(lab.machine(0).show("addr", now).unwrap().contains("tentative"));
    lab.run_for(std::time::Duration::from_secs(2));
    assert!(!lab.machine(0).show("addr", now).unwrap().contains("tentative"));
}

#[test]
fn nonsense_of_version_six_is_dropped() {
    let mut lab = pair();
    for bytes in [vec![0x60; 39], vec![0x60, 0, 0, 0, 0, 1], vec![0x40; 60]] {
        lab.arrive(0, 0, &framed(&bytes, EthernetProtocol::Ipv6, mac(2), mac(1)));
    }
    assert_eq!(lab.drops_of(0), [Cause::Malformed, Cause::Malformed, Cause::UnknownProtocol]);
    let _ = lab.command(0, &Command::Inject { port: None, layer: Layer::Ip, bytes: vec![0x60; 10] });
    assert_eq!(lab.drops_of(0).last(), Some(&Cause::Malformed));
}
