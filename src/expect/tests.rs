//! The registry, and the kinds that count frames.

use super::{Finding, Judge, KINDS, read};
use crate::filter::Filter;
use crate::id::{NodeId, PortId};
use crate::link::{FaultRule, Ordinal, Verb};
use crate::network::Network;
use crate::network::testing::{Puppet, Segment, blob, entries, pair, scope, tcp, udp};
use crate::read::{Need, Source};
use crate::record::Cause;
use crate::time::Time;
use smoltcp::wire::TcpControl;

fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

#[test]
fn every_kind_has_a_name_of_its_own_a_sentence_and_an_example_that_is_read_and_watched() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "in alphabetical order: {names:?}");
    for kind in KINDS {
        assert!(kind.doc.ends_with('.') && kind.fields.iter().all(|field| field.doc.ends_with('.')), "{}", kind.name);
        assert_eq!((kind.fields[0].name, kind.fields[0].need), (kind.name, Need::Required));
        let (expected, problems) = entries(kind.example, "expect", scope(), read);
        assert_eq!(problems, [], "{}", kind.example);
        assert_eq!(expected.len(), 1);
        let (mut network, _) = pair(Puppet::default(), Puppet::default());
        let judge = Judge::new(&expected, &mut network).unwrap();
        assert_eq!(judge.conclude(&network).len(), 1);
    }
}

/// Client to server: a SYN at 0, a datagram at 5 ms, a RST at 20 ms that a fault drops. The server drops what it gets.
fn network() -> Network {
    let segment = |control| tcp(&Segment { from_client: true, control, sequence: 9, ack: None, payload: b"" });
    let frames = [
        (ms(0), segment(TcpControl::Syn)),
        (ms(5), udp(b"hello")),
        (ms(20), segment(TcpControl::Rst)),
        (ms(30), blob("a stranger")),
    ];
    let server = Puppet { drops: Some(Cause::NobodyListens), ..Puppet::default() };
    let (mut network, _) = pair(Puppet::sending(frames), server);
    let rule = network.add_rule("no-resets", None);
    let pipe = network.names().pipe_from(NodeId(0), PortId(0)).unwrap();
    let filter = Filter::parse("tcp.rst").unwrap();
    network.add_fault(pipe, FaultRule::new(rule, filter, Ordinal::All, Verb::Drop, None));
    network
}

fn judge(entry: &str) -> Finding {
    let mut network = network();
    let text = format!("[[expect]]\n{entry}\n");
    let (expected, problems) = entries(&text, "expect", scope(), read);
    assert_eq!(problems, [], "{entry}");
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(1)).unwrap();
    judge.conclude(&network).remove(0)
}

#[test]
fn a_count_is_of_what_frames_do_where() {
    for (entry, count) in [
        ("count = 'frame'", 4),
        ("count = 'frame'\non = 'wan'", 4),
        ("count = 'frame'\non = 'wan'\ndir = 'client -> server'", 4),
        ("count = 'frame'\non = 'wan'\ndir = 'ba'", 0),
        ("count = 'frame'\non = 'server:eth0'", 3),
        ("count = 'frame'\non = 'server'\ndir = 'out'", 0),
        ("count = 'frame'\non = 'client'\ndir = 'out'", 4),
        ("count = 'frame'\non = 'client:eth0'\ndir = 'in'", 0),
        ("count = 'frame'\nwhat = 'delivered'", 3),
        ("count = 'frame'\nwhat = 'delivered'\non = 'wan'\ndir = 'ab'", 3),
        ("count = 'frame'\nwhat = 'delivered'\non = 'client'", 0),
        ("count = 'frame'\nwhat = 'dropped'", 4),
        ("count = 'frame'\nwhat = 'dropped'\non = 'wan'", 1),
        ("count = 'frame'\nwhat = 'dropped'\non = 'server'", 3),
        ("count = 'udp'\nwhat = 'dropped'\non = 'server'", 1),
        ("count = 'frame'\ncause = 'nobody-listens'", 3),
        ("count = 'frame'\ncause = 'fault'", 1),
        ("count = 'frame'\nrule = 'no-resets'", 1),
        ("count = 'frame'\nrule = 'no-resets'\ncause = 'loss'", 0),
        ("count = 'frame'\nfrom = '5ms'", 3),
        ("count = 'frame'\nfrom = '5001us'", 2),
        ("count = 'frame'\nuntil = '20ms'", 2),
        ("count = 'frame'\nt = '20ms'", 2),
        ("count = 'tcp.syn'", 1),
    ] {
        for (bound, is_met) in [
            (format!("is = {count}"), true),
            (format!("is = {}", count + 1), false),
            (format!("min = {count}"), true),
            (format!("min = {}", count + 1), false),
            (format!("max = {count}"), true),
            (format!("min = {count}\nmax = {count}"), true),
        ] {
            let finding = judge(&format!("{entry}\n{bound}"));
            assert_eq!(finding.is_met, is_met, "{entry}, {bound}: {}", finding.detail);
        }
    }
}

#[test]
fn never_names_the_first_that_came() {
    assert!(judge("never = 'tcp.rst'\non = 'wan'\ndir = 'ba'").is_met);
    let finding = judge("never = 'tcp'\non = 'wan'");
    assert!(!finding.is_met);
    insta::assert_snapshot!(finding.detail, @"
    expected none, seen 2
     0.000 client.49152 > server.80: Flags [S], seq 0, win 1000, options [mss 1460], length 0
     0.020 client.49152 > server.80: Flags [R], seq 0, win 1000, length 0
    ");
    assert_eq!(finding.name, "never tcp on wan");
}

#[test]
fn some_must_come_in_time() {
    assert!(judge("some = 'udp'\nwithin = '5001us'").is_met);
    let finding = judge("some = 'udp'\non = 'wan'\nwithin = '5ms'");
    assert!(!finding.is_met);
    insta::assert_snapshot!(finding.detail, @"
    expected at least 1, seen 0
    outside of the time: 0.005 client.4000 > server.53: UDP, length 5
    ");
    assert!(judge("some = 'udp'\nfrom = '1ms'\nwithin = '4001us'").is_met);
    assert!(!judge("some = 'udp'\nfrom = '6ms'").is_met);
    assert!(!judge("some = 'icmp'").is_met);
}

#[test]
fn findings_come_in_the_order_of_the_file_with_their_lines() {
    let text = "[[expect]]\nname = 'first'\nnever = 'icmp'\n\n[[expect]]\ncount = 'udp'\nis = 1\n[[expect]]\nthat = 'run.time < 1s'\n";
    let mut network = network();
    let (expected, problems) = entries(text, "expect", scope(), read);
    assert_eq!(problems, []);
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(1)).unwrap();
    let findings = judge.conclude(&network);
    let told: Vec<(&str, Option<u32>, bool)> =
        findings.iter().map(|finding| (finding.name.as_str(), finding.line, finding.is_met)).collect();
    assert_eq!(
        told,
        [("first", Some(1), true), ("count udp: exactly 1", Some(5), true), ("run.time < 1s", Some(8), true)]
    );
    assert_eq!(judge.conclude(&network), findings, "asking again changes nothing");
}

#[test]
fn a_network_that_is_only_asked_in_the_end_is_not_observed() {
    let (expected, _) = entries("[[expect]]\nthat = 'run.time < 1s'\n", "expect", scope(), read);
    let (mut network, _) = pair(Puppet::default(), Puppet::default());
    Judge::new(&expected, &mut network).unwrap();
    network.note(NodeId(0), || unreachable!("nobody wants to know"));
}

#[test]
fn every_mistake_of_the_file_is_shown_at_its_place() {
    let text = "
[[expect]]
name = 'nothing'
[[expect]]
nevr = 'tcp'
[[expect]]
never = 'tcp'
count = 'udp'
[[expect]]
never = 'tcp &&'
on = 'wna'
[[expect]]
never = 'tcp'
on = 'clinet:eth0'
[[expect]]
never = 'tcp'
on = 'client'
dir = 'ab'
[[expect]]
never = 'tcp'
dir = 'ab'
[[expect]]
never = 'tcp'
what = 'lost'
cause = 'ttl-expired'
[[expect]]
count = 'tcp'
what = 'sent'
rule = 'x'
[[expect]]
count = 'tcp'
is = 1
min = 3
max = 2
[[expect]]
some = 'tcp'
within = 3
until = '0s'
[[expect]]
packets = ''
[[expect]]
see = 'wan'
flow = 'clinet > server:http'
packets = ' 0 > S'
loose = true
complete = true
[[expect]]
see = 'wan'
flow = 'client'
packets = ' 0 > S'
";
    let (made, problems) = entries(text, "expect", scope(), read);
    assert!(made.is_empty(), "{made:?}");
    let source = Source { name: "x.toml".into(), text: text.to_owned() };
    let rendered: Vec<String> = problems.iter().map(|problem| problem.render(&source, false)).collect();
    insta::assert_snapshot!(rendered.join("\n\n"));
}

#[test]
fn an_unknown_cause_names_the_near_miss() {
    let (_, problems) = entries("[[expect]]\nnever = 'ip'\ncause = 'ttl-expird'\n", "expect", scope(), read);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].label, "did you mean `ttl-expired`?");
}

#[test]
fn mistakes_that_only_the_network_shows_are_shown_at_their_place_too() {
    let text = "
[[expect]]
never = 'tcp'
on = 'client:eth1'
[[expect]]
never = 'tcp'
on = 'wan'
dir = 'client -> client'
[[expect]]
never = 'tcp'
rule = 'no-restes'
[[expect]]
that = 'links.wan.ab.snt == 1'
";
    let mut network = network();
    let (expected, problems) = entries(text, "expect", scope(), read);
    assert_eq!(problems, []);
    let problems = Judge::new(&expected, &mut network).unwrap_err();
    let source = Source { name: "x.toml".into(), text: text.to_owned() };
    let rendered: Vec<String> = problems.iter().map(|problem| problem.render(&source, false)).collect();
    insta::assert_snapshot!(rendered.join("\n\n"));
}
