//! Whole expectations over real runs: what is met, and what a person reads when it is not.

use smoltcp::wire::TcpControl;

use crate::expect::{Finding, Judge, read};
use crate::network::testing::{Puppet, Segment, entries, pair, scope, tcp, udp};
use crate::read::Source;
use crate::time::Time;

fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

fn segment(from_client: bool, control: TcpControl, sequence: i32, ack: Option<i32>, payload: &[u8]) -> Vec<u8> {
    tcp(&Segment { from_client, control, sequence, ack, payload })
}

/// A handshake and one exchange: SYN at 0, its repetition at 1 s, then as it should be.
fn judge(entry: &str) -> Finding {
    let (client_start, server_start) = (5_000, -3);
    let client = Puppet::sending([
        (ms(0), segment(true, TcpControl::Syn, client_start, None, b"")),
        (ms(1000), segment(true, TcpControl::Syn, client_start, None, b"")),
        (ms(1020), segment(true, TcpControl::None, client_start + 1, Some(server_start + 1), b"")),
        (ms(1020), segment(true, TcpControl::Psh, client_start + 1, Some(server_start + 1), b"hello")),
        (ms(1500), udp(b"a question")),
    ]);
    let server = Puppet::sending([
        (ms(1010), segment(false, TcpControl::Syn, server_start, Some(client_start + 1), b"")),
        (ms(1030), segment(false, TcpControl::None, server_start + 1, Some(client_start + 6), b"")),
    ]);
    let (mut network, _) = pair(client, server);
    let (expected, problems) = entries(entry, "expect", scope(), read);
    assert_eq!(problems, []);
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(10)).unwrap();
    judge.conclude(&network).remove(0)
}

const HANDSHAKE: &str = "
 @syn      > S  0:0(0)        <...>
 @syn+1.0  > S  0:0(0)        <...>
 +0.01     < S. 0:0(0) ack 1  <...>
 +0.01     > .  1:1(0) ack 1
 +0        > P. 1:6(5) ack 1
 +0.01     < .  1:1(0) ack 6
";

fn entry(more: &str, lines: &str) -> String {
    format!("[[expect]]\nsee = 'wan'\nflow = 'client > server:80'\n{more}\npackets = '''{lines}'''\n")
}

#[test]
fn the_lines_of_a_handshake_are_met() {
    let finding = judge(&entry("", HANDSHAKE));
    assert!(finding.is_met, "{}", finding.detail);
    assert_eq!((finding.name.as_str(), finding.line), ("client > server:80 on wan: 6 packet lines", Some(1)));
}

#[test]
fn packets_after_the_last_line_count_only_if_it_is_complete() {
    let first_two = " * > S\n * > S\n";
    assert!(judge(&entry("", first_two)).is_met);
    assert!(!judge(&entry("complete = true", first_two)).is_met);
    assert!(judge(&entry("complete = true", HANDSHAKE)).is_met);
}

#[test]
fn a_packet_between_the_lines_counts_unless_it_is_loose() {
    let lines = " 0 > S 0:0(0)\n 1.03 < . 1:1(0) ack 6\n";
    assert!(!judge(&entry("", lines)).is_met);
    assert!(judge(&entry("loose = true", lines)).is_met);
}

#[test]
fn a_loose_search_goes_back_when_its_first_candidate_leads_nowhere() {
    // The first SYN fits the first line, but only the second is followed by an answer after 10 ms.
    let lines = " * > S\n +0.01 < S.\n";
    assert!(judge(&entry("loose = true", lines)).is_met);
}

#[test]
fn a_time_without_a_tolerance_is_exact() {
    assert!(!judge(&entry("", " 0 > S\n +1.000000001 > S\n")).is_met);
    assert!(judge(&entry("", " 0 > S\n +1.000000001~1ns > S\n")).is_met);
    assert!(!judge(&entry("", " 0 > S\n +1.000000002~1ns > S\n")).is_met);
}

#[test]
fn the_customary_tolerance_is_a_tenth_but_at_least_a_millisecond() {
    // 1 s is expected 1.1 s ± 0.11 s; 0.9 s ± 0.09 s is too early.
    assert!(judge(&entry("", " 0 > S\n +1.1~ > S\n")).is_met);
    assert!(!judge(&entry("", " 0 > S\n +0.9~ > S\n")).is_met);
    // 10 ms against 9 ms ± 1 ms, and against 8.9 ms ± 1 ms.
    assert!(judge(&entry("", " 0 > S\n +1 > S\n +0.009~ < S.\n")).is_met);
    assert!(!judge(&entry("", " 0 > S\n +1 > S\n +0.0089~ < S.\n")).is_met);
}

#[test]
fn a_mismatch_shows_both_sides_and_what_to_paste() {
    let lines = "
 @syn      > S  0:0(0)        <...>
 @syn+1.5  > S  0:0(0)        <mss 536>
 +0.01     > .  1:1(0) ack 1
 +0        > P. 1:6(5) ack 1  # dropped
 * < .
 * < F.
";
    insta::assert_snapshot!(judge(&entry("", lines)).detail);
}

#[test]
fn what_was_seen_can_be_pasted_as_what_is_expected() {
    let detail = judge(&entry("", " 0 < S\n")).detail;
    let (_, pasted) = detail.split_once("seen, as packet lines:").unwrap();
    let finding = judge(&entry("complete = true", pasted));
    assert!(finding.is_met, "{}", finding.detail);
}

#[test]
fn an_interface_sees_what_arrives_when_it_arrives() {
    let lines = " 0.01 > S\n 1.01 > S\n +0 < S.\n";
    let at_server = entry("", lines).replace("'wan'", "'server:eth0'");
    let finding = judge(&at_server);
    assert!(finding.is_met, "{}", finding.detail);
}

#[test]
fn match_expressions_and_other_protocols_have_lines_too() {
    let lines = " 1.5 > udp (10)\n";
    let text = format!("[[expect]]\nsee = 'wan'\nflow = 'udp client > server'\npackets = '''{lines}'''\n");
    assert!(judge(&text).is_met);
    let lines = " 1.5 > { udp.port == 53 && frame.len > 20 } # delivered\n";
    let text = format!("[[expect]]\nsee = 'wan'\nfrom = '1.4s'\npackets = '''{lines}'''\n");
    let finding = judge(&text);
    assert!(finding.is_met, "{}", finding.detail);
    let text = text.replace("== 53", "== 54");
    assert!(!judge(&text).is_met);
}

#[test]
fn every_mistake_of_a_literal_is_shown_at_its_place() {
    let text = entry(
        "",
        "
 0     > S 0:1(0)
 @syn+1 > S
 +0    S
 +1x   > .
 +0    > Q.
 +0    > . akc 1
 +0    > . <mss 1460,wscal 7>
 +0~   > icmp echo-requst
 +0    > { tcp.sny }
 +0    > arp who-is 10.0.0.1
",
    );
    let (made, problems) = entries(&text, "expect", scope(), read);
    assert!(made.is_empty());
    let source = Source { name: "x.toml".into(), text };
    let rendered: Vec<String> = problems.iter().map(|problem| problem.render(&source, false)).collect();
    insta::assert_snapshot!(rendered.join("\n\n"));
}

#[test]
fn a_drop_by_nobody_known_is_a_mistake() {
    let (expected, problems) = entries(&entry("", " 0 > S # dropped: lose-frist-syn\n"), "expect", scope(), read);
    assert_eq!(problems, []);
    let (mut network, _) = pair(Puppet::default(), Puppet::default());
    network.add_rule("lose-first-syn", None);
    let mistakes = Judge::new(&expected, &mut network).unwrap_err();
    assert_eq!(mistakes[0].label, "did you mean `lose-first-syn`?");
}
