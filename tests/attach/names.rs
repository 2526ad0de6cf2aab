//! `dig`, `nslookup` and the machine's own resolver ask simulated name servers.

use std::fs;

use super::lab::{Lab, Session};

/// The world, attached, with its home router as the machine's name server.
fn world(lab: &Lab) -> Session {
    let session = lab.attach(&fs::read_to_string("scenarios/world.toml").unwrap(), &[]);
    let path = lab.path("resolv.conf");
    fs::write(&path, "nameserver 192.168.77.1\noptions timeout:5 attempts:2\n").unwrap();
    // Seen in this namespace alone.
    lab.run(&["mount", "--bind", &path, "/etc/resolv.conf"]);
    session
}

/// What a record line of `dig` says, without runs of blanks.
fn squeezed(text: &str) -> String {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn dig_asks_the_home_router_and_the_second_time_it_knows() {
    let lab = Lab::new();
    let session = world(&lab);
    let first = squeezed(&lab.run(&["dig", "www.kyoto.example"]));
    assert!(first.contains("status: NOERROR") && first.contains("flags: qr rd ra;"), "{first}");
    assert!(first.contains("www.kyoto.example. 300 IN CNAME kyoto.example."), "{first}");
    assert!(first.contains("kyoto.example. 300 IN A 203.0.113.80"), "{first}");
    let millis = |text: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(";; Query time: ")).unwrap().to_owned();
        line.split(' ').next().unwrap().parse().unwrap()
    };
    // Root in New York, example. in Singapore, the zone in London: more than twice 42 + 80 + 7 ms.
    assert!(millis(&first) > 250, "{first}");
    let second = squeezed(&lab.run(&["dig", "www.kyoto.example"]));
    // The second time the walk is saved: what is left is a debug build on a busy machine.
    assert!(millis(&second) < 150 && second.contains("kyoto.example. 2"), "{second}");
    let missing = lab.run(&["dig", "nobody.kyoto.example"]);
    assert!(missing.contains("status: NXDOMAIN") && missing.contains("SOA"), "{missing}");
    session.end().well();
}

#[test]
fn dig_trace_walks_from_the_root_to_the_authority() {
    let lab = Lab::new();
    let session = world(&lab);
    let text = squeezed(&lab.run(&["dig", "+trace", "+nodnssec", "berlin.example"]));
    let steps = [
        ". 86400 IN NS a.root-servers.example.",
        "from 192.168.77.1#53(192.168.77.1)",
        "example. 86400 IN NS a.nic.example.",
        "(a.root-servers.example)",
        "berlin.example. 86400 IN NS ns.cities.example.",
        "(a.nic.example)",
        "berlin.example. 300 IN A 192.0.2.80",
        "(ns.cities.example)",
    ];
    let mut at = 0;
    for step in steps {
        let found = text[at..].find(step);
        at += found.unwrap_or_else(|| panic!("`{step}` is missing, or comes too early\n{text}")) + step.len();
    }
    session.end().well();
}

#[test]
fn dig_x_finds_the_names_of_addresses_of_both_versions() {
    let lab = Lab::new();
    let session = world(&lab);
    assert_eq!(lab.run(&["dig", "+short", "-x", "192.0.2.80"]).trim(), "berlin.example.");
    assert_eq!(lab.run(&["dig", "+short", "-x", "2001:db8:6::6"]).trim(), "six.example.");
    let text = lab.run(&["dig", "-x", "192.0.2.81"]);
    assert!(text.contains("status: NXDOMAIN"), "{text}");
    session.end().well();
}

#[test]
fn an_answer_that_is_too_long_for_a_datagram_comes_by_tcp() {
    let lab = Lab::new();
    let session = world(&lab);
    for server in ["@192.168.77.1", "@198.18.43.53"] {
        let text = lab.run(&["dig", server, "large.berlin.example", "TXT"]);
        assert!(text.contains(";; Truncated, retrying in TCP mode."), "{text}");
        assert!(text.contains("ANSWER: 6") && text.contains("(TCP)"), "{text}");
        let cut = lab.run(&["dig", server, "+ignore", "large.berlin.example", "TXT"]);
        assert!(cut.contains("flags: qr") && cut.contains(" tc ") && cut.contains("ANSWER: 0"), "{cut}");
    }
    // Several queries on one connection, and one that is cut in the middle of its length.
    let text = lab.run(&["dig", "+tcp", "+keepopen", "@198.18.43.53", "berlin.example", "MX", "kyoto.example", "A"]);
    assert!(text.contains("10 mail.berlin.example.") && text.contains("203.0.113.80"), "{text}");
    session.end().well();
}

#[test]
fn servers_answer_errors_as_they_should() {
    let lab = Lab::new();
    let session = world(&lab);
    let ask = |arguments: &[&str]| lab.run(&[&["dig"], arguments].concat());
    assert!(ask(&["@198.18.43.53", "example.com"]).contains("status: REFUSED"));
    assert!(ask(&["@198.18.43.53", "+edns=1", "+noednsnegotiation", "berlin.example"]).contains("status: BADVERS"));
    assert!(ask(&["@198.18.43.53", "+opcode=STATUS", "berlin.example"]).contains("status: NOTIMP"));
    assert!(ask(&["@198.18.43.53", "berlin.example", "AXFR"]).contains("Transfer failed"));
    assert!(ask(&["@192.168.77.1", "+norecurse", "kyoto.example"]).contains("status: REFUSED"));
    assert!(ask(&["@198.18.41.4", "+norecurse", "kyoto.example"]).contains("a.nic.example."));
    session.end().well();
}

#[test]
fn nslookup_and_the_machines_own_resolver_find_names_too() {
    let lab = Lab::new();
    let session = world(&lab);
    let text = squeezed(&lab.run(&["nslookup", "www.oakland.example"]));
    assert!(
        text.contains("Server: 192.168.77.1") && text.contains("www.oakland.example canonical name = oakland.example."),
        "{text}"
    );
    assert!(text.contains("Address: 198.51.100.80") && text.contains("Address: 2001:db8:51::80"), "{text}");
    let text = lab.run(&["getent", "ahostsv4", "berlin.example"]);
    assert!(text.starts_with("192.0.2.80"), "{text}");
    let text = lab.run(&["ping", "-4", "-c", "1", "-W", "2", "berlin.example"]);
    assert!(text.contains("(192.0.2.80)") && text.contains("1 received"), "{text}");
    session.end().well();
}
