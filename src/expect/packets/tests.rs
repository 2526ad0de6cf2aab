//! Whole expectations over real runs: what is met, and what a person reads when it is not.

use proptest::prelude::*;
use smoltcp::wire::{IpProtocol, Ipv4Address, TcpControl};

use super::parse::{Script, parse};
use super::seen::Eye;
use crate::expect::{Finding, Judge, Passage, read};
use crate::filter::Filter;
use crate::id::{NodeId, PortId};
use crate::link::{FaultRule, Ordinal, Verb};
use crate::network::testing::{Puppet, Segment, entries, ethernet, ipv4, pair, scope, tcp, udp};
use crate::read::Source;
use crate::record::Cause;
use crate::time::Time;
use crate::wire::{Frame, Layer, Pool};

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
fn a_loose_search_that_fails_shows_what_fits_but_for_its_time() {
    let detail = judge(&entry("loose = true", " @syn > S\n @syn+1.5 > S\n * < . ack 6\n * > R\n")).detail;
    let (shown, _) = detail.split_once("seen, as packet lines").unwrap();
    insta::assert_snapshot!(shown, @"
    2 of 4 packet lines as expected
       expected              seen
       @syn       > S        0          > S 0:0(0) win 1000 <mss 1460>
    !  @syn+1.5   > S        +1         > S 0:0(0) win 1000 <mss 1460>
           time: expected at 1.500, seen 0.5 s earlier
       *          < . ack 6  +0.03      < . 1:1(0) ack 6 win 1000
    -  *          > R        nothing
    ");
}

#[test]
fn sequence_numbers_begin_with_the_syn_even_if_it_comes_too_early_to_count() {
    let late = " 1.02 > P. 1:6(5) ack 1\n 1.03 < . 1:1(0) ack 6\n";
    assert!(judge(&entry("from = '1020ms'\nloose = true", late)).is_met);
    assert!(!judge(&entry("from = '1025ms'", late)).is_met);
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
 +0    > { tcp && }
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

/// Any line, made of parts that may be there or not.
fn line() -> impl Strategy<Value = String> {
    let number = || (0_u32..100_000).prop_map(|number| number.to_string());
    let time = prop_oneof![
        Just("*".to_owned()),
        (0_u64..5_000_000_000).prop_map(|at| format!("+{}.{:09}", at / 1_000_000_000, at % 1_000_000_000)),
        (0_u64..5_000).prop_map(|at| format!("{at}ms")),
        "[a-z]{1,3}".prop_map(|name| format!("@{name}")),
    ];
    let tolerance = prop_oneof![Just(""), Just("~"), Just("~5ms"), Just("~0.5"), Just("~12.5%")];
    let option = prop_oneof![
        Just("...".to_owned()),
        Just("mss".to_owned()),
        Just("sackOK".to_owned()),
        Just("TS".to_owned()),
        Just("sack 1:2 3:4".to_owned()),
        (0_u8..15).prop_map(|shift| format!("wscale {shift}")),
        number().prop_map(|value| format!("TS val {value} ecr 7")),
        (0_u16..9000).prop_map(|size| format!("mss {size}")),
        Just("opt 254".to_owned()),
    ];
    let options = prop::collection::vec(option, 0..4).prop_map(|options| format!("<{}>", options.join(",")));
    let range =
        (0_u32..9_000, 0_u32..2_000).prop_map(|(first, length)| format!("{first}:{}({length})", first + length));
    let maybe = |inner: BoxedStrategy<String>| prop_oneof![Just(String::new()), inner];
    let tcp = (
        "[SFRP]{0,2}[.]",
        maybe(range.clone().boxed()),
        maybe(number().prop_map(|ack| format!("ack {ack}")).boxed()),
        maybe((0_u16..).prop_map(|window| format!("win {window}")).boxed()),
        maybe(options.boxed()),
    );
    let packet = prop_oneof![
        tcp.prop_map(|(flags, sequence, ack, window, options)| [flags, sequence, ack, window, options].join(" ")),
        (0_usize..9_000).prop_map(|length| format!("udp ({length})")),
        (range, any::<bool>()).prop_map(|(range, more)| format!("frag {range}{}", if more { "+" } else { "" })),
        Just("icmp echo-request seq 3 (56)".to_owned()),
        Just("icmp 200/1".to_owned()),
        Just("arp who-has 10.0.0.1 tell 10.0.0.2".to_owned()),
        Just("arp 10.0.0.1 is-at 02:00:00:00:00:01".to_owned()),
        Just("arp reply".to_owned()),
        Just("ether 0x88cc (46)".to_owned()),
        Just("ip 47".to_owned()),
        Just("{ tcp.len > 0 && frame contains \"}#\" }".to_owned()),
    ];
    let fate = prop_oneof![Just(""), Just("# delivered"), Just("# dropped"), Just("# dropped: x y"), Just("# why")];
    (time, tolerance, any::<bool>(), packet, fate).prop_map(|(time, tolerance, forth, packet, fate)| {
        let tolerance = if time.starts_with(['*', '@']) { "" } else { tolerance };
        format!("{time}{tolerance} {} {packet} {fate}", if forth { '>' } else { '<' })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn lines_print_as_lines_that_say_the_same(lines in prop::collection::vec(line(), 1..6)) {
        let text = lines.join("\n");
        let script = parse(&text);
        prop_assert!(script.is_ok(), "{}\n{:?}", text, script.err());
        let print = |script: &Script| script.lines.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n");
        let once = print(&script.unwrap());
        let again = parse(&once);
        prop_assert!(again.is_ok(), "{}\n{:?}", once, again.err());
        prop_assert_eq!(print(&again.unwrap()), once);
    }

    #[test]
    fn random_text_never_panics(text in "[ -~é\\n]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn random_words_never_panic_and_mistakes_stand_inside_the_text(words in prop::collection::vec(prop::sample::select(vec![
        "+0", "@a", "@a+1", "1.5~", "*", ">", "<", "S", "S.", "0:0(0)", "1:2(3)", "ack", "win", "1", "<mss 1>", "<...>", "<", "{", "}",
        "{ tcp }", "udp", "(1)", "icmp", "echo-reply", "arp", "who-has", "10.0.0.1", "is-at", "frag", "0:8(8)+", "# dropped: x", "#", "\n", "é",
    ]), 0..16)) {
        let text = words.join(" ");
        if let Err(mistakes) = parse(&text) {
            for mistake in mistakes {
                prop_assert!(mistake.span.start <= mistake.span.end && mistake.span.end <= text.len() + 1, "{:?}", mistake);
            }
        }
    }

    #[test]
    fn random_frames_are_looked_at_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 0..4_u8) {
        let mut bytes = bytes;
        // Most random bytes are nothing at all: begin some of them as ARP, IPv4 or IPv6.
        let ethertype: [u8; 2] = [[0x08, 0x06], [0x08, 0x00], [0x86, 0xdd], [0x12, 0x34]][usize::from(kind)];
        if bytes.len() > 15 {
            bytes[12..14].copy_from_slice(&ethertype);
            bytes[14] = if kind == 1 { 0x45 } else { 0x60 };
        }
        let frame = Frame::new(Pool::default().copy(&bytes), Layer::Ethernet);
        let seen = Eye::new(None).look(&frame, Passage::Forth);
        let line = format!("0 > {}", seen.unwrap().1);
        prop_assert!(parse(&line).is_ok(), "{}: {:?}", line, parse(&line).err());
    }
}

#[test]
fn what_a_fault_dropped_is_said_in_a_comment_and_checked() {
    let judge = |lines: &str| {
        let client = Puppet::sending([(ms(0), udp(b"1")), (ms(1), udp(b"22"))]);
        let server = Puppet { drops: Some(Cause::NobodyListens), ..Puppet::default() };
        let (mut network, _) = pair(client, server);
        let rule = network.add_rule("lose-first", None);
        let pipe = network.names().pipe_from(NodeId(0), PortId(0)).unwrap();
        network.add_fault(pipe, FaultRule::new(rule, Filter::all(), Ordinal::First(1), Verb::Drop, None));
        let text = format!("[[expect]]\nsee = 'wan'\npackets = '''\n{lines}'''\n");
        let (expected, problems) = entries(&text, "expect", scope(), read);
        assert_eq!(problems, []);
        let judge = Judge::new(&expected, &mut network).unwrap();
        network.run_until(Time::from_secs(10)).unwrap();
        judge.conclude(&network).remove(0)
    };
    for (lines, is_met) in [
        ("0 > udp (1) # dropped: lose-first\n+0.001 > udp (2) # delivered\n", true),
        ("0 > udp (1) # dropped: fault\n", true),
        ("0 > udp (1) # dropped\n", true),
        ("0 > udp (1) # anything else\n", true),
        ("0 > udp (1) # dropped: loss\n", false),
        ("0 > udp (1) # delivered\n", false),
        ("0 > udp (1)\n+0.001 > udp (2) # dropped: lose-first\n", false),
        // What the server does with it is nothing to the link.
        ("0 > udp (1)\n+0.001 > udp (2) # dropped: nobody-listens\n", false),
    ] {
        assert_eq!(judge(lines).is_met, is_met, "{lines}");
    }
}

#[test]
fn the_fate_of_a_frame_that_arrived_is_what_its_node_made_of_it() {
    let server = Puppet { drops: Some(Cause::NobodyListens), ..Puppet::default() };
    let (mut network, _) = pair(Puppet::sending([(ms(0), udp(b"1"))]), server);
    let text = "[[expect]]\nsee = 'server:eth0'\npackets = ' 0.01 < udp (1) # dropped: nobody-listens'\n";
    let (expected, _) = entries(text, "expect", scope(), read);
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(1)).unwrap();
    let finding = judge.conclude(&network).remove(0);
    assert!(finding.is_met, "{}", finding.detail);
}

#[test]
fn fragments_and_complaints_belong_to_their_flow() {
    let (client, server, router) =
        (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2), Ipv4Address::new(10, 9, 9, 9));
    let datagram = udp(&[7; 40]);
    // The datagram in two pieces of 32 and 16 bytes, and an error about it from a router that is no party to the flow.
    let piece = |range: std::ops::Range<usize>, flags: u16, id: u16| {
        let mut packet = ipv4(client, server, IpProtocol::Udp, 64, &datagram[34..][range]);
        packet[4..6].copy_from_slice(&id.to_be_bytes());
        packet[6..8].copy_from_slice(&flags.to_be_bytes());
        ethernet(&packet)
    };
    let mut complaint = vec![11, 0, 0, 0, 0, 0, 0, 0];
    complaint.extend_from_slice(&datagram[14..42]);
    let complaint = ethernet(&ipv4(router, client, IpProtocol::Icmp, 64, &complaint));
    let from_client = [(ms(0), piece(0..32, 0x2000, 5)), (ms(0), piece(32..48, 4, 5)), (ms(1), piece(32..48, 4, 6))];
    let (mut network, _) = pair(Puppet::sending(from_client), Puppet::sending([(ms(2), complaint)]));
    let text = "[[expect]]\nsee = 'wan'\nflow = 'client:4000 > server:53'\ncomplete = true\npackets = '''
 0    > frag 0:32(32)+
 +0   > frag 32:48(16)
 +2ms < icmp time-exceeded (28)
'''\n";
    let (expected, problems) = entries(text, "expect", scope(), read);
    assert_eq!(problems, []);
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(1)).unwrap();
    let finding = judge.conclude(&network).remove(0);
    assert!(finding.is_met, "{}", finding.detail);
}

#[test]
fn a_flow_may_name_anybody_an_address_or_a_protocol() {
    for (flow, lines) in [
        ("* > server:80", " 0 > S\n"),
        ("10.0.0.1 > 10.0.0.2", " 0 > S\n"),
        ("tcp client -> *", " 0 > S\n"),
        ("server:80 > client", " 0 < S\n"),
        ("udp * > *:53", " 1.5 > udp (10)\n"),
    ] {
        let finding = judge(&entry("", lines).replace("client > server:80", flow));
        assert!(finding.is_met, "{flow}: {}", finding.detail);
    }
    let nothing = judge(&entry("", " 0 > S\n").replace("client > server:80", "icmp client > server"));
    assert!(nothing.detail.ends_with("no packet was seen here"), "{}", nothing.detail);
}

#[test]
fn a_long_trace_is_compared_and_shown_in_part() {
    let frames = (0..400).map(|at| (ms(at), udp(b"x")));
    let (mut network, _) = pair(Puppet::sending(frames), Puppet::default());
    let lines = " * > udp\n".repeat(400);
    let text = format!(
        "[[expect]]\nsee = 'wan'\npackets = '''\n{lines} * > udp\n'''\n[[expect]]\nsee = 'wan'\npackets = ' 0 < udp'\n"
    );
    let (expected, problems) = entries(&text, "expect", scope(), read);
    assert_eq!(problems, []);
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(10)).unwrap();
    let findings = judge.conclude(&network);
    assert!(findings[0].detail.starts_with("400 of 401 packet lines as expected"));
    assert!(findings[1].detail.ends_with("\n # and 360 more"), "{}", findings[1].detail);
}
