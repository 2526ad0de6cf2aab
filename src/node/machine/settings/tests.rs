//! What scenarios say of hosts and routers, rightly and wrongly.

use super::*;
use crate::node::KINDS;
use crate::read::{Field, Need, Reader, Scope, Source};
use std::sync::Arc;

/// What a table makes of the node kind `name`, and the mistakes in it.
pub(super) fn read(name: &str, text: &str) -> (Option<Box<dyn Node>>, String) {
    let (table, errors) = toml::de::DeTable::parse_recoverable(text);
    assert!(errors.is_empty(), "{errors:?}");
    let reader = Reader::new(text, Scope::default());
    let table = Table::new(table.get_ref(), 0..text.len(), String::new(), &reader);
    let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
    table.check(&[kind.fields], &["kind"]);
    let port = |name: &str, number, address: &str| PortSpec {
        name: name.into(),
        mac: EthernetAddress([2, 0, 0, 0, 0, number]),
        addresses: vec![address.parse().unwrap()],
        vlan: None,
        link: None,
        is_dynamic: false,
    };
    let spec = NodeSpec {
        name: "x".into(),
        seed: 1,
        ports: vec![port("lan", 1, "10.0.1.1/24"), port("wan", 2, "10.0.2.1/24")],
        reach: Vec::new(),
        routes: vec![RouteSpec::via("0.0.0.0/0".parse().unwrap(), "10.0.2.254".parse().unwrap())],
        hosts: Arc::default(),
        ipv6: Ipv6Wish::None,
    };
    let node = (kind.build.build)(&table, spec);
    let source = Source { name: "x.toml".into(), text: text.into() };
    let problems = reader.into_problems();
    (node, problems.iter().map(|problem| problem.render(&source, false) + "\n").collect())
}

pub(super) fn spec(text: &str) -> MachineSpec {
    let (node, problems) = read("router", text);
    assert_eq!(problems, "");
    node.unwrap().as_any().downcast_mut::<Machine>().unwrap().spec().clone()
}

#[test]
fn every_example_is_read_without_a_mistake() {
    for kind in KINDS {
        let (node, problems) = read(kind.name, kind.example);
        assert_eq!(problems, "", "{}", kind.name);
        assert_eq!(node.unwrap().kind(), kind.name);
        assert!(kind.doc.ends_with('.') && kind.fields.iter().all(|field| field.doc.ends_with('.')));
    }
    let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn what_is_left_out_is_as_the_fields_say() {
    let spec = spec("");
    assert_eq!((spec.ttl, spec.answers_broadcast_echo), (64, false));
    assert_eq!(spec.arp, ArpSettings::default());
    assert_eq!(spec.ipv6, Ipv6Settings::default());
    assert_eq!(spec.tcp, TcpSettings::default());
    assert_eq!(spec.routes.len(), 1);
    // What the fields call default, written out, is the same.
    let defaults = |fields: &[Field]| -> String {
        let written = fields.iter().filter_map(|field| match field.need {
            Need::Default(value) => Some(format!("{} = {value}", field.name)),
            _ => None,
        });
        written.collect::<Vec<_>>().join(", ")
    };
    let (arp, nd, tcp) = (defaults(ARP_FIELDS), defaults(ND_FIELDS), defaults(TCP_FIELDS));
    let advertise = defaults(ADVERTISE_FIELDS);
    let written = format!("arp = {{ {arp} }}\nnd = {{ {nd} }}\ntcp = {{ {tcp} }}\nadvertise = {{ {advertise} }}\n");
    let written = self::spec(&written);
    assert_eq!(written.arp, ArpSettings::default());
    assert_eq!(written.ipv6.nd, NdSettings::default());
    assert_eq!(written.ipv6.advertise, Some(AdvertiseSettings::default()));
    assert_eq!(written.tcp, TcpSettings::default());
}

#[test]
fn everything_that_may_be_said_is_heard() {
    let spec = spec(
        r#"
        ttl = 9
        mtu = "1400B"
        answer_broadcast_ping = true
        neighbors = { "10.0.2.9" = "02:00:00:00:00:99" }
        arp = { reachable = "5s", retry = "200ms", tries = 7, queue = 3, announce = true, detect_conflicts = true, defend = "never" }
        proxy_arp = ["wan"]
        advertise = { on = "wan", interval = "9s", interval_min = "4s", lifetime = "0s", preference = "high", managed = true, other = true, reachable = "20s", retry = "2s", preferred = "1h", valid = "2h", autonomous = false, on_link = false, mtu = "1400B", hop_limit = 0 }
        nd = { reachable = "6s", retry = "300ms", probe = "1s", tries = 8, queue = 4, dad = 0 }
        tcp = { congestion = "reno", nagle = false, ack_delay = "0s", keep_alive = "7200s", send_buffer = "4KiB" }
        routes = [
          { to = "10.9.0.0/16", via = "10.0.1.9", metric = 5 },
          { to = "10.8.0.0/16", dev = "wan" },
          { to = "default", kind = "blackhole" },
        ]
        "#,
    );
    assert_eq!((spec.ttl, spec.answers_broadcast_echo), (9, true));
    assert!(spec.interfaces.iter().all(|interface| interface.mtu == Some(1400)));
    let neighbor = NeighborSpec {
        interface: 1,
        address: "10.0.2.9".parse().unwrap(),
        mac: EthernetAddress([2, 0, 0, 0, 0, 0x99]),
    };
    assert_eq!(spec.neighbors, [neighbor]);
    let arp = ArpSettings {
        reachable_for: Duration::from_secs(5),
        retry_after: Duration::from_millis(200),
        tries: 7,
        queue_packets: 3,
        detects_conflicts: true,
        defence: Defence::Never,
        announces: true,
        proxies: vec![1],
    };
    assert_eq!(spec.arp, arp);
    let nd = NdSettings {
        reachable_for: Duration::from_secs(6),
        retry_after: Duration::from_millis(300),
        probe_after: Duration::from_secs(1),
        tries: 8,
        queue_packets: 4,
        dad_transmits: 0,
    };
    assert_eq!(spec.ipv6.nd, nd);
    let advertise = AdvertiseSettings {
        interfaces: Some(vec![1]),
        interval_max: Duration::from_secs(9),
        interval_min: Some(Duration::from_secs(4)),
        lifetime: Duration::ZERO,
        preference: RouterPreference::High,
        is_managed: true,
        has_other: true,
        reachable_for: Duration::from_secs(20),
        retry_after: Duration::from_secs(2),
        preferred: Duration::from_secs(3600),
        valid: Duration::from_secs(7200),
        is_autonomous: false,
        is_on_link: false,
        mtu: Some(1400),
        hop_limit: 0,
    };
    assert_eq!(spec.ipv6.advertise, Some(advertise));
    assert_eq!((spec.tcp.congestion, spec.tcp.nagle, spec.tcp.ack_delay), (Congestion::Reno, false, None));
    assert_eq!((spec.tcp.keep_alive, spec.tcp.send_buffer), (Some(Duration::from_secs(7200)), 4096));
    let routes: Vec<_> = spec.routes.iter().map(|r| (r.prefix.to_string(), r.via, r.interface, r.metric)).collect();
    let via = |text: &str| Some(text.parse().unwrap());
    // Written routes come before those that were found, so that of equals they win.
    let expected = [
        ("10.9.0.0/16".into(), via("10.0.1.9"), None, 5),
        ("10.8.0.0/16".into(), None, Some(1), 0),
        ("0.0.0.0/0".into(), None, None, 0),
        ("0.0.0.0/0".into(), via("10.0.2.254"), None, 0),
    ];
    assert_eq!(routes, expected);
}

#[test]
fn advertisements_keep_to_the_bounds_of_their_standard() {
    let problems = |advertise: &str| read("router", &format!("advertise = {{ {advertise} }}")).1;
    for right in [
        r#"interval = "4s", lifetime = "4s""#,
        r#"interval = "1800s", lifetime = "9000s""#,
        r#"interval = "4s", interval_min = "3s""#,
        r#"reachable = "3600s""#,
        r#"preferred = "1h", valid = "1h""#,
        r#"lifetime = "0s""#,
    ] {
        assert_eq!(problems(right), "", "{right}");
    }
    for (wrong, expected) in [
        (r#"interval = "3999ms""#, "from \"4s\" to \"1800s\""),
        (r#"interval = "1801s""#, "from \"4s\" to \"1800s\""),
        (r#"interval = "100s", lifetime = "99s""#, "\"0s\", or from `interval` to \"9000s\""),
        (r#"lifetime = "9001s""#, "\"0s\", or from `interval` to \"9000s\""),
        (r#"interval = "100s", interval_min = "76s""#, "from \"3s\" to three quarters of `interval`"),
        (r#"interval_min = "2s""#, "from \"3s\" to three quarters of `interval`"),
        (r#"reachable = "3601s""#, "at most \"1h\""),
        (r#"preferred = "2h", valid = "1h""#, "at most `valid`"),
    ] {
        assert!(problems(wrong).contains(expected), "{wrong}: {}", problems(wrong));
    }
}

#[test]
fn every_mistake_is_reported_where_it_stands() {
    let (_, problems) = read(
        "host",
        r#"ttl = 0
mtu = "20B"
gatway = "10.0.1.9"
arp = { retry = "0s", tries = 0, qeue = 1 }
tcp = { congestion = "bbr", send_buffer = "2GB" }
routes = [
  { to = "10.9.0.0", via = "10.0.1.9" },
  { to = "default" },
  { to = "default", dev = "wlan" },
  { to = "default", via = "2001:db8::1", kind = "unicats" },
  { to = "10.1.0.0/16", via = "2001:db8::1" },
  { to = "10.1.0.0/16", via = "10.0.3.1" },
]
neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
"#,
    );
    insta::assert_snapshot!(problems, @r#"
    error: what is sent with a time to live of zero arrives nowhere
     --> x.toml:1:7
      |
    1 | ttl = 0
      |       ^ from 1 to 255
    error: no IP packet is limited to 20B
     --> x.toml:2:7
      |
    2 | mtu = "20B"
      |       ^^^^^ from 68B to 65535B
    error: unknown key `gatway`
     --> x.toml:3:1
      |
    3 | gatway = "10.0.1.9"
      | ^^^^^^ did you mean `gateway`?
      |
      = known: accept_redirects, addr, advertise, answer_broadcast_ping, arp, dns, firewall, gateway, icmp_errors, icmp_limit, interface_id, ipv6, kind, mtu, nd, neighbors, path_mtu_age, privacy, resolver, routes, tcp, ttl
    error: asking again without waiting would never end
     --> x.toml:4:17
      |
    4 | arp = { retry = "0s", tries = 0, qeue = 1 }
      |                 ^^^^ at least "1ms"
    error: a neighbor that is never asked is never found
     --> x.toml:4:31
      |
    4 | arp = { retry = "0s", tries = 0, qeue = 1 }
      |                               ^ at least 1
    error: unknown key `qeue` in `arp`
     --> x.toml:4:34
      |
    4 | arp = { retry = "0s", tries = 0, qeue = 1 }
      |                                  ^^^^ did you mean `queue`?
      |
      = known: announce, defend, detect_conflicts, queue, reachable, retry, tries
    error: `congestion` cannot be `bbr`
     --> x.toml:5:22
      |
    5 | tcp = { congestion = "bbr", send_buffer = "2GB" }
      |                      ^^^^^
      |
      = known: cubic, none, reno
    error: a TCP buffer cannot hold 1953125KiB
     --> x.toml:5:43
      |
    5 | tcp = { congestion = "bbr", send_buffer = "2GB" }
      |                                           ^^^^^ from "1B" to "1GiB"
    error: `10.9.0.0` is not a range of addresses
     --> x.toml:7:10
      |
    7 |   { to = "10.9.0.0", via = "10.0.1.9" },
      |          ^^^^^^^^^^ such as "10.9.0.0/16" or "default"
    error: this route leads nowhere
     --> x.toml:8:10
      |
    8 |   { to = "default" },
      |          ^^^^^^^^^ `via` (a router) or `dev` (an interface) is missing
    error: no interface is called `wlan`
     --> x.toml:9:27
      |
    9 |   { to = "default", dev = "wlan" },
      |                           ^^^^^^ did you mean `lan`?
      |
      = known: lan, wan
    error: 2001:db8::1 is on no link of this machine
      --> x.toml:10:27
       |
    10 |   { to = "default", via = "2001:db8::1", kind = "unicats" },
       |                           ^^^^^^^^^^^^^ a router on one of its subnets belongs here
    error: `kind` cannot be `unicats`
      --> x.toml:10:49
       |
    10 |   { to = "default", via = "2001:db8::1", kind = "unicats" },
       |                                                 ^^^^^^^^^ did you mean `unicast`?
       |
       = known: blackhole, prohibit, unicast, unreachable
    error: a route does not lead from one family of addresses to the other
      --> x.toml:11:31
       |
    11 |   { to = "10.1.0.0/16", via = "2001:db8::1" },
       |                               ^^^^^^^^^^^^^ as in `to`
    error: 10.0.3.1 is on no link of this machine
      --> x.toml:12:31
       |
    12 |   { to = "10.1.0.0/16", via = "10.0.3.1" },
       |                               ^^^^^^^^^^ a router on one of its subnets belongs here
    error: 10.0.3.9 is on no link of this machine
      --> x.toml:14:15
       |
    14 | neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
       |               ^^^^^^^^^^ an address of one of its subnets belongs here
    error: `03:00:00:00:00:99` is not the hardware address of one station
      --> x.toml:14:62
       |
    14 | neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
       |                                                              ^^^^^^^^^^^^^^^^^^^ such as "02:00:00:00:00:02"
    error: `nobody` is not an IP address
      --> x.toml:14:83
       |
    14 | neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
       |                                                                                   ^^^^^^^^ such as "10.0.0.2"
    "#);
}

#[test]
fn hardware_addresses_are_read_in_both_spellings_and_nothing_else() {
    assert_eq!(parse_mac("02:00:00:00:00:ff"), Some(EthernetAddress([2, 0, 0, 0, 0, 255])));
    assert_eq!(parse_mac("2-0-0-0-0-1"), Some(EthernetAddress([2, 0, 0, 0, 0, 1])));
    for wrong in
        ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "02:00:00:00:00:0g", "02:00:00:00:00:+1", "02:00:00:00:00:"]
    {
        assert_eq!(parse_mac(wrong), None, "{wrong}");
    }
}

#[test]
fn an_address_translator_is_read_and_what_is_left_out_is_the_presets() {
    use crate::node::machine::nat::{self, Dependence, Forwarded, NatSpec, PortChoice, PortForward, Unsolicited};
    assert_eq!(spec("").nat, None);
    assert_eq!(spec("nat = { outside = \"wan\" }").nat, Some(NatSpec::home(1)));
    // What the fields call default, written out, is the same.
    let written = nat::settings::FIELDS.iter().filter_map(|field| match field.need {
        Need::Default(value) => Some(format!("{} = {value}", field.name)),
        _ => None,
    });
    let written = format!("nat = {{ outside = \"wan\", {} }}", written.collect::<Vec<_>>().join(", "));
    assert_eq!(spec(&written).nat, Some(NatSpec::home(1)));
    for preset in nat::PRESETS {
        let nat = spec(&format!("nat = {{ outside = \"wan\", preset = \"{preset}\" }}")).nat;
        assert_eq!(nat, NatSpec::preset(preset, 1));
    }
    let nat = spec(
        r#"nat = { outside = "wan", preset = "symmetric", mapping = "address-dependent", port_range = "4000-4099",
             ports = "sequential", unsolicited = "refuse", udp_timeout = "30s", sessions = 9, ports_per_host = 3,
             forward = [{ port = 8080, to = "10.0.1.10:80" }, { port = 53, to = "10.0.1.53", protocol = "udp" }] }"#,
    );
    let forward = |port, address: [u8; 4], inside_port, protocols| PortForward {
        port,
        address: address.into(),
        inside_port,
        protocols,
    };
    let expected = NatSpec {
        mapping: Dependence::Address,
        ports: Some((4000, 4099)),
        port_choice: PortChoice::Sequential,
        unsolicited: Unsolicited::Refuse,
        udp_for: Duration::from_secs(30),
        sessions_max: 9,
        ports_per_host: Some(3),
        forwards: vec![
            forward(8080, [10, 0, 1, 10], 80, Forwarded::Both),
            forward(53, [10, 0, 1, 53], 53, Forwarded::Udp),
        ],
        ..NatSpec::preset("symmetric", 1).unwrap()
    };
    assert_eq!(nat.nat, Some(expected));
}

#[test]
fn mistakes_about_an_address_translator_are_reported_where_they_stand() {
    let (_, problems) = read("router", r#"nat = { outside = "wna", maping = "none" }"#);
    let (_, more) = read(
        "router",
        r#"[nat]
outside = "wan"
preset = "hoem"
filtering = "none"
udp_timeout = "0s"
sessions = 0
port_range = "9-7"
forward = [
  { port = 0, to = "10.0.1.10" },
  { port = 80, to = "server" },
  { port = 81, to = "2001:db8::1" },
  { port = 82, to = "10.0.1.10", protocol = "tcp" },
  { port = 82, to = "10.0.1.11" },
]
"#,
    );
    let (_, host) = read("host", r#"nat = { outside = "wan" }"#);
    insta::assert_snapshot!([problems, more, host].concat());
}

#[test]
fn a_firewall_is_read_with_all_that_its_rules_say() {
    use crate::filter::Filter;
    use crate::node::machine::firewall::{self, Chain, FirewallRule, FirewallSpec, Refusal, State, Verb};
    assert_eq!(spec("").firewall, None);
    assert_eq!(spec("firewall = {}").firewall, Some(FirewallSpec::default()));
    let written = |fields: &[Field]| -> String {
        let defaults = fields.iter().filter_map(|field| match field.need {
            Need::Default(value) => Some(format!("{} = {value}", field.name)),
            _ => None,
        });
        defaults.collect::<Vec<_>>().join(", ")
    };
    let all = written(firewall::settings::FIELDS);
    assert_eq!(spec(&format!("firewall = {{ {all} }}")).firewall, Some(FirewallSpec::default()));
    let policy = written(firewall::settings::POLICY_FIELDS);
    let table = format!("firewall = {{ policy = {{ {policy} }} }}");
    assert_eq!(spec(&table).firewall, Some(FirewallSpec::default()));
    let drop = spec("firewall = { policy = \"drop\" }").firewall.unwrap();
    assert_eq!(drop.policies, [Verb::Drop, Verb::Drop, Verb::Accept]);
    let read = spec(
        r#"
[firewall]
policy = { in = "reject", out = "drop" }
tracked = 7
rules = [
  { name = "replies", state = ["related", "established"], do = "accept" },
  { dir = "forward", in = "lan", out = "wan", match = 'udp', do = "reject", with = "port-unreachable" },
]
"#,
    );
    let rule = FirewallRule::new(Verb::Accept);
    let expected = FirewallSpec {
        policies: [Verb::Reject(Refusal::Fitting), Verb::Accept, Verb::Drop],
        tracked_max: 7,
        rules: vec![
            FirewallRule {
                name: Some("replies".into()),
                line: Some(6),
                states: vec![State::Established, State::Related],
                ..rule.clone()
            },
            FirewallRule {
                line: Some(7),
                chains: vec![Chain::Forward],
                arrives_by: Some(0),
                leaves_by: Some(1),
                filter: Some(Filter::parse("udp").unwrap()),
                verb: Verb::Reject(Refusal::PortUnreachable),
                ..rule
            },
        ],
    };
    assert_eq!(read.firewall, Some(expected));
}

#[test]
fn mistakes_about_a_firewall_are_reported_where_they_stand() {
    let (_, problems) = read(
        "host",
        r#"[firewall]
policy = "deny"
tracked = 0
rules = [
  { do = "acept", nam = "x" },
  { match = 'tcp.por == 80', do = "drop", with = "prohibited" },
  { in = "eth9", dir = "inward", state = ["nwe"], do = "accept" },
  { name = "two words" },
]
"#,
    );
    insta::assert_snapshot!(problems);
}
