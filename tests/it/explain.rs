//! Packets explained: each kind of header once, as a person reads it.

use hopwise::filter::Filter;
use hopwise::output::{Explanation, NoSuchFrame, Story, Style};
use hopwise::scenario::examples;
use hopwise::{Scenario, Time};

use crate::command::{directory, hopwise};

fn story(name: &str, filter: &str) -> Story {
    let example = examples().iter().find(|example| example.name == name).unwrap();
    let scenario = Scenario::from_toml(example.name, example.text).unwrap();
    let (run, story) = scenario.build_with_story().unwrap();
    story.set_filter(Filter::parse(filter).unwrap());
    drop(run.finish());
    story
}

/// The n-th frame of a bundled scenario that matches, from 0.
fn explained(name: &str, filter: &str, nth: usize) -> Explanation {
    let story = story(name, filter);
    let list = story.list();
    let line = list.lines().nth(nth).unwrap_or_else(|| panic!("{name} has no such frame: {list}"));
    let number = line.trim_start().trim_start_matches('#').split(' ').next().unwrap();
    story.explain(number.parse().unwrap()).unwrap()
}

fn assert_explained(name: &str, scenario: &str, filter: &str, nth: usize) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!(format!("explain-{name}"), explained(scenario, filter, nth).text(Style::Plain, true));
    });
}

#[test]
fn each_kind_of_packet_is_explained() {
    assert_explained("arp", "arp", "arp.opcode == 2", 0);
    assert_explained("tcp-syn", "three-way-handshake", "tcp.syn && !tcp.ack", 0);
    assert_explained("fragment", "fragmentation", "ip.frag_offset > 0", 1);
    assert_explained("time-exceeded", "traceroute", "icmp.type == 11", 0);
    assert_explained("nat", "nat-home", "udp || tcp", 1);
    assert_explained("dropped", "lossy-handshake", "tcp.syn", 0);
    assert_explained("retransmission", "lossy-handshake", "tcp.syn", 1);
    assert_explained("damaged", "corruption", "tcp.len > 0", 0);
    assert_explained("neighbor-discovery", "ipv6-neighbor-discovery", "icmpv6.type == 135", 0);
    assert_explained("router-advertisement", "ipv6-slaac", "icmpv6.type == 134", 0);
    assert_explained("vlan", "vlan", "vlan", 0);
    assert_explained("dhcp", "dhcp", "udp", 1);
    assert_explained("ospf", "ospf", "ip.proto == 89", 8);
    assert_explained("record-route", "record-route", "icmp", 2);
    assert_explained("bpdu", "spanning-tree", "eth", 0);
    assert_explained("dns", "course/27-dns-lookup", "dns.flags.response == 1", 0);
    assert_explained("http", "course/31-http", "http.response", 0);
    #[cfg(feature = "tls")]
    assert_explained("tls", "course/34-tls", "tls.handshake.type == 1", 0);
}

#[test]
fn every_packet_of_every_example_is_explained_to_its_last_bit() {
    for example in examples() {
        let scenario = Scenario::from_toml(example.name, example.text).unwrap();
        let story = scenario.story().unwrap();
        // Each frame of short lessons, every seventh of long ones.
        let step = if story.count() > 300 { 7 } else { 1 };
        for number in (1..=story.count()).step_by(step) {
            let explanation = story.explain(number).unwrap();
            let mut at = 0;
            for field in explanation.anatomy.headers.iter().flat_map(|header| &header.fields) {
                assert_eq!(field.bits.start, at, "{} #{number}: {}", example.name, field.name);
                at = field.bits.end;
            }
            assert_eq!(at, explanation.bytes.len() * 8, "{} #{number}", example.name);
            let shown = explanation.text(Style::Plain, false);
            let is_strange = explanation.anatomy.headers.iter().any(|header| header.name == "Bytes");
            assert!(!is_strange, "{} #{number} is not understood:\n{shown}", example.name);
        }
    }
}

#[test]
fn numbers_are_those_of_the_trace() {
    let scenario = examples().iter().find(|example| example.name == "lossy-handshake").unwrap();
    let scenario = Scenario::from_toml(scenario.name, scenario.text).unwrap();
    let (report, story) = (scenario.run().unwrap(), scenario.story().unwrap());
    for line in report.text().lines().filter(|line| line.contains("  >  ")) {
        let number: u64 = line.trim_start().trim_start_matches('#').split(' ').next().unwrap().parse().unwrap();
        let explanation = story.explain(number).unwrap();
        assert!(line.contains(&explanation.line), "{line}\n{}", explanation.line);
        assert!(line.contains(&format!("{}  ", explanation.sent_at)), "{line}");
    }
    let last = story.count();
    assert_eq!(story.explain(last + 1).unwrap_err(), NoSuchFrame::NeverSent { number: last + 1, last });
}

#[test]
fn a_run_that_ends_early_says_that_a_frame_was_on_its_way() {
    let scenario = examples().iter().find(|example| example.name == "lossy-handshake").unwrap();
    let scenario = Scenario::from_toml(scenario.name, scenario.text).unwrap();
    let (mut run, story) = scenario.build_with_story().unwrap();
    run.set_stop(Time::ZERO + std::time::Duration::from_millis(1110));
    drop(run.finish());
    let became = story.explain(story.count()).unwrap().became.concat();
    assert!(became.contains("still on its way when the run ended, at 1110.000 ms"), "{became}");
}

#[test]
fn a_page_is_the_same_each_time_and_needs_nothing_else() {
    let here = directory("explain-html");
    let first = hopwise(&here, &["explain", "traceroute", "9", "--html"]).exits(0).out;
    hopwise(&here, &["explain", "traceroute", "#9", "--html", "nine.html"]).exits(0).complains("wrote nine.html");
    assert_eq!(std::fs::read_to_string(here.join("nine.html")).unwrap(), first);
    assert!(first.starts_with("<!DOCTYPE html>") && first.ends_with("</html>\n"));
    for foreign in ["http://", "https://", "src=", "<script", "@import", "url("] {
        assert!(!first.contains(foreign), "{foreign}");
    }
    let count = |tag: &str| (first.matches(&format!("<{tag}>")).count(), first.matches(&format!("</{tag}>")).count());
    for tag in ["table", "ul", "li", "body", "style"] {
        assert_eq!(count(tag).0, count(tag).1, "{tag}");
    }
}

#[test]
fn json_tells_the_same() {
    let here = directory("explain-json");
    let text = hopwise(&here, &["explain", "arp", "1", "--json"]).exits(0).out;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["number"], &json["from"], &json["to"]), (&1.into(), &"client".into(), &"server".into()));
    assert_eq!(json["headers"][1]["name"], "ARP");
    assert_eq!(json["headers"][1]["fields"][4]["meaning"], "request: who has this address?");
}

#[test]
fn without_a_number_packets_are_listed_and_a_wrong_one_is_answered_with_near_ones() {
    let here = directory("explain-list");
    let all = hopwise(&here, &["explain", "arp"]).exits(0).says("#1").says("Explain one: hopwise explain arp NUMBER.");
    let some = hopwise(&here, &["explain", "arp", "--trace", "icmp"]).exits(0);
    assert!(some.out.lines().count() < all.out.lines().count() && !some.out.contains("who-has"), "{}", some.out);
    let wrong = |arguments: &[&str], words: &str| {
        let called = hopwise(&here, arguments).exits(2).complains(words);
        assert_eq!(called.out, "", "{arguments:?}");
    };
    wrong(&["explain", "arp", "999"], "there is no frame #999: the run's last is #");
    wrong(&["explain", "arp", "999"], "near it are:");
    wrong(&["explain", "arp", "0"], "#1  ");
    wrong(&["explain", "arp", "first"], "`first` is no packet's number");
    wrong(&["explain", "arp", "--json"], "which packet?");
    wrong(&["explain", "arp", "--html", "7"], "for the packet: `hopwise explain arp 7 --html`");
    wrong(&["explain", "arp", "--trace", "tcp"], "no packet matches");
    wrong(&["explain", "arp", "--trace", "tpc"], "did you mean `tcp`?");
    wrong(&["explain", "apr", "1"], "did you mean the example `arp`?");
    let changed = hopwise(&here, &["explain", "lossy-handshake", "6", "--set", "nodes.client.ttl=9"]).exits(0);
    changed.says("at most 8 routers more");
}

#[test]
fn subnets_are_shown_and_mistakes_are_answered() {
    let here = directory("subnet");
    hopwise(&here, &["subnet", "10.0.0.0/24", "--into", "/26"]).exits(0).says("10.0.0.192/26");
    hopwise(&here, &["subnet", "10.0.0.0/24", "--into", "26"]).exits(0).says("10.0.0.192/26");
    hopwise(&here, &["subnet", "10.0.0.0/24", "--hosts", "50,20,10"]).exits(0).says("10.0.0.96/28");
    hopwise(&here, &["subnet", "2001:db8::/48"]).exits(0).says("for documentation (RFC 3849)");
    let wrong = |arguments: &[&str], words: &str| {
        hopwise(&here, arguments).exits(2).complains(words);
    };
    wrong(&["subnet", "10.0.0.0"], "says nothing about its network");
    wrong(&["subnet", "10.0.0.0/24", "--into", "many"], "`--into /26`");
    wrong(&["subnet", "10.0.0.0/24", "--into", "/20"], "a /20 is larger than a /24");
    wrong(&["subnet", "10.0.0.0/26", "--hosts", "50,20,10"], "a /25 would be large enough");
    wrong(&["subnet", "10.0.0.0/26", "--hosts", "50;20"], "`--hosts 50,20,10`");
    wrong(&["subnet", "10.0.0.0/26", "--hosts", "5", "--into", "/27"], "cannot be used with");
}
