//! Ladders of small stories, as they are seen.

use super::*;
use crate::id::{Direction, LinkId, NodeId, PipeId, PortId};
use crate::output::testing::{self, Teller, arp_request, frame, hosts, id};
use crate::record::{Cause, LinkName, NodeName, Place};

fn drawn(options: LadderOptions, story: fn(&mut dyn Observer)) -> String {
    let sink = Sink::memory();
    story(&mut Ladder::new(options, sink.clone()));
    sink.take_text()
}

#[test]
fn a_lost_syn_is_an_arrow_that_is_cut() {
    insta::assert_snapshot!(drawn(LadderOptions::default(), testing::lossy_handshake), @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 client                      r1                      server
                                    │                         │                         │
              0.000                 ●                         │                         │   client: fetch: connecting to server:80
       #1     0.000 →    1.004      │── SYN seq 0 ───────────▶│                         │
       #2     1.004 ✗               │                         │── SYN seq 0 ──✗         │   lost on wan: lose-first-syn (fault)
                  ⋮ 998 ms          ⋮                         ⋮                         ⋮
       #3  1000.000 → 1001.004      │── SYN seq 0 ───────────▶│                         │   resends #1
       #4  1001.004 → 1021.004      │                         │── SYN seq 0 ───────────▶│   copied as #5 by wan/ab/duplicate
       #5  1001.004 → 1021.004      │                         │── SYN seq 0 ───────────▶│   copy of #4
       #6  1021.004 → 1041.004      │                         │◀─ SYN,ACK seq 0 ack 1 ──│
           1021.004                 │                         │                         ✗   server drops #5: stale-segment (RFC 9293 §3.10.7)
       #7  1041.004 → 1042.008      │◀─ SYN,ACK seq 0 ack 1 ──│                         │
           1042.008                 ● fetch: connected        │                         │
       #8  1042.008 →        ?      │── PSH,ACK 1:6 ··········│                         │   still on its way at the end
    ");
}

#[test]
fn each_misfortune_is_seen_where_it_happens() {
    insta::assert_snapshot!(drawn(LadderOptions { hosts: hosts(), ..Default::default() }, testing::misfortunes), @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 client                       r1                  server
                                    │                          │                     │
       #1     0.000 →    0.500      │── arp who-has 10.0.1.1 ─▶│                     │
       #2     0.500 →    1.000      │◀─── arp reply 10.0.1.1 ──│                     │
       #3     1.000 →    1.500      │── UDP length 5 [ttl 1] ─▶│                     │
              1.500                 │                          ✗                     │   r1 drops #3: ttl-expired (RFC 791 §3.2)
       #4     2.000 →   22.000      │                          │~~ UDP length 5 ~~~~▶│   bit 3 of byte 42 flipped by wan/ab/duplicate
             22.000                 │                          │                     ✗   server drops #4: bad-checksum (RFC 1122 §3.2.1.2, §4.2.2.7)
       #5    30.000 ✗   40.000      │                          │── UDP length 5 ──✗  │   held back for 30ms by wan/ab/duplicate; lost on wan: link-down
             40.000                 │                          │╳╳╳╳ wan is down ╳╳╳╳│
                  ⋮ 500 ms          ⋮                          ⋮                     ⋮
            540.000                 │                          │      wan is up      │
            540.000                 │                          ✗                     │   r1 drops `UDP length 1`: no-route (RFC 1812 §5.2.7.1)
    ");
}

#[test]
fn arrows_pass_through_a_node_without_a_column() {
    let options = LadderOptions { elide: vec!["r1".into()], is_ascii: true, ..Default::default() };
    insta::assert_snapshot!(drawn(options, testing::lossy_handshake), @r"
    # ms, sent and received   --> arrives   --x is lost   ~~> is damaged   * says   : silence

                                 client                    server
                                    |                         |
              0.000                 *                         |   client: fetch: connecting to server:80
       #1     0.000 x    1.004      |-- SYN seq 0 --x         |   lost on wan: lose-first-syn (fault)
                  : 998 ms          :                         :
       #3  1000.000 > 1021.004      |-- SYN seq 0 ----------->|   resends #1; copied as #5 by wan/ab/duplicate
       #3  1000.000 > 1021.004      |-- SYN seq 0 ----------->|   resends #1; copy of #4
       #6  1021.004 > 1042.008      |<- SYN,ACK seq 0 ack 1 --|
           1021.004                 |                         x   server drops #5: stale-segment (RFC 9293 §3.10.7)
           1042.008                 * fetch: connected        |
       #8  1042.008 >        ?      |-- PSH,ACK 1:6 ..........|   still on its way at the end
    ");
}

#[test]
fn what_a_node_without_a_column_drops_ends_at_it() {
    let options = LadderOptions { nodes: vec!["server".into(), "client".into()], ..Default::default() };
    insta::assert_snapshot!(drawn(options, testing::misfortunes), @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 server                        client
                                    │                             │
       #1     0.000 →    0.500      │◀──── arp who-has 10.0.1.1 ──│   to r1
       #2     0.500 →    1.000      │── arp reply 10.0.1.1 ──────▶│   from r1
       #3     1.000 ✗    1.500      │  ✗── UDP length 5 [ttl 1] ──│   r1 drops #3: ttl-expired (RFC 791 §3.2)
       #4     2.000 →   22.000      │◀~~~~~~~~~~~~ UDP length 5 ~~│   from r1; bit 3 of byte 42 flipped by wan/ab/duplicate
             22.000                 ✗                             │   server drops #4: bad-checksum (RFC 1122 §3.2.1.2, §4.2.2.7)
       #5    30.000 ✗   40.000      │          ✗── UDP length 5 ──│   from r1; held back for 30ms by wan/ab/duplicate; lost on wan: link-down
             40.000                 │╳╳╳╳╳╳╳╳ wan is down ╳╳╳╳╳╳╳╳│
                  ⋮ 500 ms          ⋮                             ⋮
            540.000                 │          wan is up          │
    ");
}

#[test]
fn a_single_column_has_no_arrows_but_says_what_was_sent() {
    let options = LadderOptions { nodes: vec!["client".into()], ..Default::default() };
    insta::assert_snapshot!(drawn(options, testing::misfortunes), @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 client
                                    │
              0.000                 ●   client: arp who-has 10.0.1.1; to r1
              0.500                 ●   client: arp reply 10.0.1.1; from r1
              1.000                 ●   client: UDP length 5 [ttl 1]; r1 drops #3: ttl-expired (RFC 791 §3.2)
    ");
}

/// `count` hosts around a switch, which is the last; the first asks all others for an address.
fn flood(count: u32, observer: &mut dyn Observer) {
    let (switch, first) = (NodeId(count), NodeId(0));
    let node = |name, kind, ports: u32| {
        let ports = (0..ports).map(|port| format!("p{port}")).collect();
        NodeName { name, kind, ports }
    };
    let hosts = (0..count).map(|host| node(format!("h{host}"), "host", 1));
    let nodes = hosts.chain([node("sw".into(), "switch", count)]).collect();
    let link = |host: u32| {
        let ends = [(NodeId(host), PortId(0)), (switch, PortId(host as u16))];
        LinkName { name: format!("l{host}"), ends }
    };

    let mut teller = Teller::new(observer);
    teller.names = Names { nodes, links: (0..count).map(link).collect(), ..Names::default() };
    let question = frame(&arp_request(), id(first, 0), None);
    teller.sent(0, first, PortId(0), &question);
    teller.delivered(10, switch, PortId(0), &question);
    let copies = (1..count).map(|port| frame(&arp_request(), id(switch, port), question.id));
    let copies: Vec<_> = copies.collect();
    for (port, copy) in (1..).zip(&copies) {
        teller.sent(10, switch, PortId(port), copy);
    }
    let lost = PipeId::new(LinkId(1), Direction::BToA);
    teller.dropped(10, Place::Pipe(lost), &copies[0], Cause::Loss, None);
    for (host, copy) in (2..).zip(&copies[1..]) {
        teller.delivered(20, NodeId(host), PortId(0), copy);
    }
    teller.finish(1);
}

#[test]
fn a_switch_stands_amid_its_hosts_and_long_arrows_cross_lifelines() {
    insta::assert_snapshot!(drawn(LadderOptions::default(), |observer| flood(4, observer)), @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 h0              h1                            sw                         h2              h3
                                  │               │                             │                          │               │
       #1     0.000 →    0.010    │── arp who-has 10.0.1.1 ────────────────────▶│                          │               │
       #2     0.010 ✗             │               │  ✗── arp who-has 10.0.1.1 ──│                          │               │   lost on l1: loss
       #3     0.010 →    0.020    │               │                             │── arp who-has 10.0.1.1 ─▶│               │
       #4     0.010 →    0.020    │               │                             │── arp who-has 10.0.1.1 ──┼──────────────▶│
    ");
}

#[test]
fn an_elided_switch_makes_one_arrow_to_each_of_its_hosts() {
    let options = LadderOptions { elide: vec!["sw".into()], ..Default::default() };
    insta::assert_snapshot!(drawn(options, |observer| flood(4, observer)), @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 h0                            h1              h2              h3
                                  │                             │               │               │
       #1     0.000 ✗    0.010    │── arp who-has 10.0.1.1 ──✗  │               │               │   lost on l1: loss
       #1     0.000 →    0.020    │── arp who-has 10.0.1.1 ─────┼──────────────▶│               │
       #1     0.000 →    0.020    │── arp who-has 10.0.1.1 ─────┼───────────────┼──────────────▶│
    ");
}

#[test]
fn too_many_columns_make_a_list_and_one_less_a_ladder() {
    let last = u32::try_from(COLUMNS_MAX).unwrap();
    assert!(drawn(LadderOptions::default(), |observer| flood(last_but_one(), observer)).contains('│'));
    assert!(!drawn(LadderOptions::default(), |observer| flood(COLUMNS_MAX as u32, observer)).contains('│'));
    assert_eq!(last_but_one() + 1, last);
    insta::assert_snapshot!(drawn(LadderOptions::default(), |observer| flood(9, observer)), @r"
    # 10 nodes took part, and a ladder has 8 columns at most: here is a list. `nodes` chooses who has a column, `elide` who has none.
       #1     0.000 →    0.010  h0 → sw  arp who-has 10.0.1.1
       #2     0.010 ✗           sw ✗ h1  arp who-has 10.0.1.1   lost on l1: loss
       #3     0.010 →    0.020  sw → h2  arp who-has 10.0.1.1
       #4     0.010 →    0.020  sw → h3  arp who-has 10.0.1.1
       #5     0.010 →    0.020  sw → h4  arp who-has 10.0.1.1
       #6     0.010 →    0.020  sw → h5  arp who-has 10.0.1.1
       #7     0.010 →    0.020  sw → h6  arp who-has 10.0.1.1
       #8     0.010 →    0.020  sw → h7  arp who-has 10.0.1.1
       #9     0.010 →    0.020  sw → h8  arp who-has 10.0.1.1
    ");
}

/// So many hosts and their switch have a column each.
fn last_but_one() -> u32 {
    COLUMNS_MAX as u32 - 1
}

#[test]
fn a_frame_for_a_port_without_a_link_goes_nowhere() {
    let text = drawn(LadderOptions::default(), |observer| {
        let mut teller = Teller::new(observer);
        teller.names.links.pop();
        let lost = frame(&arp_request(), id(testing::R1, 0), None);
        teller.sent(0, testing::R1, testing::WAN, &lost);
        teller.dropped(0, Place::Port(testing::R1, testing::WAN), &lost, Cause::NoLink, None);
        let other = frame(&arp_request(), id(testing::CLIENT, 0), None);
        teller.sent(1_000, testing::CLIENT, testing::ETH0, &other);
        teller.finish(1);
    });
    insta::assert_snapshot!(text, @r"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 client                          r1
                                    │                             │
       #1     0.000 ✗               │  ✗── arp who-has 10.0.1.1 ──│   lost: no-link
       #2     1.000 →        ?      │── arp who-has 10.0.1.1 ·····│   still on its way at the end
    ");
}

#[test]
fn colour_changes_no_character() {
    let coloured = drawn(LadderOptions { style: Style::Coloured, ..Default::default() }, testing::misfortunes);
    let mut plain = String::new();
    for (index, piece) in coloured.split('\u{1b}').enumerate() {
        let text = if index == 0 { piece } else { piece.split_once('m').unwrap().1 };
        plain.push_str(text);
    }
    let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
    let expected = drawn(LadderOptions::default(), testing::misfortunes);
    assert_eq!(trimmed, expected.lines().collect::<Vec<_>>());
}

#[test]
fn nothing_makes_an_empty_ladder() {
    assert_eq!(
        drawn(LadderOptions::default(), |observer| observer.finish(Time::ZERO, &Names::default())),
        "# nothing happened that this ladder would show\n"
    );
}

#[test]
fn a_view_of_a_nodes_state_stands_beside_the_lifelines() {
    insta::assert_snapshot!(drawn(LadderOptions::default(), testing::views), @"
    # ms, sent and received   ──▶ arrives   ──✗ is lost   ~~▶ is damaged   ● says   ⋮ silence

                                 client                       r1
                                    │                          │
       #1     0.000 →    0.500      │── arp who-has 10.0.1.1 ─▶│
              0.250                 │                          ●   r1: show route
                                    │                          │     default via 10.0.2.254 dev wan
                                    │                          │     10.0.1.0/24 dev lan
              0.500                 ● show neigh: nothing      │
    ");
}
