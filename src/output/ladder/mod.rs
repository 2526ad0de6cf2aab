//! A sequence diagram in the terminal: who sent what to whom, and what became of it.
//!
//! ```text
//!            ms                 client                     r1                     server
//!
//!  #1     0.000 →     1.004       │── SYN seq 0 ───────────▶│                        │
//!  #2     1.004 ✗                 │                         │── SYN seq 0 ────✗      │     lost on wan: lose-first-syn
//!             ⋮ 999 ms            ⋮                         ⋮                        ⋮
//!  #3  1000.000 →  1001.004       │── SYN seq 0 ───────────▶│                        │     resends #1
//! ```
//!
//! An arrow needs both of its ends, so everything is collected ([`story`]) and drawn when the run is over: the order of
//! the columns and their widths are found ([`columns`]), then each line is drawn on its own ([`draw`]). Lines stand in
//! the order in which frames were sent; an arrow is straight, and its two times say how long it took. Too many nodes
//! for columns make a plain list.

mod columns;
mod draw;
mod story;

use std::net::IpAddr;
use std::time::Duration;

use self::draw::{Glyphs, draw};
use self::story::Story;
use super::places::Given;
use super::{Output, OutputBuilder, Settings, Sink, Style};
use crate::filter::Filter;
use crate::read::{Field, Form, Item, Kind, Need};
use crate::record::{Names, Observer, Record};
use crate::time::Time;

/// The most nodes that get a column; with more, the ladder becomes a list.
pub const COLUMNS_MAX: usize = 8;

/// The most arrows and remarks that are kept; those beyond are counted, not drawn.
pub const STEPS_MAX: usize = 10_000;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "ladder",
    doc: "A sequence diagram for the terminal, with one column per node.",
    example: "[record]\nladder = { ascii = true, gap = \"1s\" }\n",
    fields: &[
        Field {
            name: "ascii",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Draw with ASCII characters only.",
        },
        Field {
            name: "elide",
            form: Form::List(&Form::Node),
            need: Need::Optional,
            doc: "Nodes without a column, such as switches: arrows pass through them.",
        },
        Field { name: "filter", form: Form::Filter, need: Need::Optional, doc: "Only frames that match." },
        Field {
            name: "gap",
            form: Form::Duration,
            need: Need::Default("200ms"),
            doc: "A silence of at least this long is marked.",
        },
        Field {
            name: "names",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Write the names of nodes in place of their addresses.",
        },
        Field {
            name: "nodes",
            form: Form::List(&Form::Node),
            need: Need::Optional,
            doc: "The nodes with a column, from left to right; all that took part, if left out.",
        },
    ],
    build,
};

/// What a [`Ladder`] shows.
#[derive(Debug, Clone)]
pub struct LadderOptions {
    /// Only frames that match all of these.
    pub filters: Vec<Filter>,
    /// Names of nodes without a column, such as switches: arrows pass through them.
    pub elide: Vec<String>,
    /// Names of the nodes with a column, from left to right. Empty: all that took part, as they stand along the links.
    pub nodes: Vec<String>,
    /// A silence of at least this long is marked.
    pub gap: Duration,
    /// Names to write in place of addresses. Empty: addresses as they are.
    pub hosts: Vec<(IpAddr, String)>,
    /// Only ASCII characters.
    pub is_ascii: bool,
    /// Whether it is coloured.
    pub style: Style,
}

impl Default for LadderOptions {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            elide: Vec::new(),
            nodes: Vec::new(),
            gap: Duration::from_millis(200),
            hosts: Vec::new(),
            is_ascii: false,
            style: Style::Plain,
        }
    }
}

/// Collects what happens and draws it when the run is over.
#[derive(Debug)]
pub struct Ladder {
    options: LadderOptions,
    sink: Sink,
    story: Story,
}

impl Ladder {
    /// A diagram into `sink`.
    #[must_use]
    pub fn new(options: LadderOptions, sink: Sink) -> Self {
        let story = Story::new(options.filters.clone(), options.hosts.clone());
        Self { options, sink, story }
    }

    /// The diagram of what has happened so far.
    #[must_use]
    pub fn render(&self, names: &Names) -> String {
        let columns = columns::choose(&self.options, &self.story, names);
        let lines = story::lines(&self.story, &columns, names);
        let glyphs = if self.options.is_ascii { &Glyphs::ASCII } else { &Glyphs::UNICODE };
        draw(&lines, &columns, &self.options, glyphs, self.story.left_out, names)
    }
}

impl Observer for Ladder {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.story.record(record, names);
    }

    fn finish(&mut self, _now: Time, names: &Names) {
        self.sink.put(self.render(names).as_bytes());
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields);
    let defaults = LadderOptions::default();
    let options = LadderOptions {
        filters: given.filters(settings.filter),
        elide: given.nodes("elide"),
        nodes: given.nodes("nodes"),
        gap: given.span("gap", defaults.gap),
        hosts: if given.flag("names", true) { settings.hosts } else { Vec::new() },
        is_ascii: given.flag("ascii", defaults.is_ascii),
        style: settings.style,
    };
    let observer = Box::new(Ladder::new(options, settings.sink.clone()));
    given.is_right().then_some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{LinkId, NodeId, PipeId, PortId};
    use crate::output::testing::{self, Teller, arp_request, frame, hosts, id};
    use crate::record::{LinkName, NodeName};

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
                 22.000                 │                          │                     ✗   server drops #4: bad-checksum (RFC 1122 §3.2.1.2)
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
                 22.000                 ✗                             │   server drops #4: bad-checksum (RFC 1122 §3.2.1.2)
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
        let lost = PipeId::new(LinkId(1), crate::id::Direction::BToA);
        teller.dropped(10, crate::record::Place::Pipe(lost), &copies[0], crate::record::Cause::Loss, None);
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
}
