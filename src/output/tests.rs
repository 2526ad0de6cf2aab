//! What holds for every kind of output.

use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::id::FrameId;
use crate::read::{Read, Reader, Scope, Source, Table};
use crate::record::{Alteration, Cause, Place, What};
use crate::wire::{Frame, Layer, Pool};

/// Builds the output that a `[record]` section asks for; or what is wrong with it, as the user sees it.
fn built(text: &str, sink: Sink) -> Result<Output, String> {
    let parsed = toml::de::DeTable::parse(text).unwrap();
    let scope = Scope {
        nodes: vec!["client".into(), "r1".into(), "server".into()],
        links: vec!["access".into(), "wan".into(), "wire".into()],
        ..Scope::default()
    };
    let reader = Reader::new(text, scope);
    let root = Table::new(parsed.get_ref(), parsed.span(), String::new(), &reader);
    let record = Table::read(&root.item("record").unwrap()).unwrap();
    let (kind, item) = record.entries().into_iter().next().unwrap();
    let kind = KINDS.iter().find(|row| row.name == kind.value).unwrap();
    let settings = Settings { hosts: hosts(), ..Settings::new(sink) };
    let output = (kind.build)(Some(&item), settings);
    drop((record, item, root));
    let problems = reader.into_problems();
    let source = Source { name: "x.toml".into(), text: text.to_owned() };
    match output {
        Some(output) if problems.is_empty() => Ok(output),
        _ => Err(problems.iter().map(|problem| problem.render(&source, false)).collect::<Vec<_>>().join("\n\n")),
    }
}

fn mistake(text: &str) -> String {
    built(text, Sink::memory()).unwrap_err()
}

/// What every kind of output makes of a story.
fn told(story: &dyn Fn(&mut dyn Observer)) -> Vec<Vec<u8>> {
    let outputs = KINDS.iter().map(|kind| {
        let settings = Settings { hosts: hosts(), style: Style::Coloured, ..Settings::new(Sink::memory()) };
        let mut output = (kind.build)(None, settings).unwrap();
        story(&mut *output.observer);
        if let Some(summary) = &output.summary {
            summary.conclude(&Conclusion::default(), &names());
        }
        output.sink.close().unwrap();
        output.sink.take_bytes()
    });
    outputs.collect()
}

#[test]
fn every_kind_has_a_name_of_its_own_and_an_example_that_can_be_built() {
    assert!(KINDS.is_sorted_by(|a, b| a.name < b.name));
    for kind in KINDS {
        let output = built(kind.example, Sink::memory()).unwrap();
        assert_eq!(output.kind, kind.name);
        assert!(kind.doc.ends_with('.') && kind.fields.is_sorted_by_key(|field| (field.name != "on", field.name)));
    }
}

#[test]
fn the_same_records_make_the_same_bytes() {
    for story in [lossy_handshake, misfortunes] {
        let first = told(&|observer| story(observer));
        // Nothing of these stories is encrypted.
        let is_told = |(kind, bytes): (&Kind<OutputBuilder>, &Vec<u8>)| bytes.is_empty() == (kind.name == "keylog");
        assert!(KINDS.iter().zip(&first).all(is_told));
        assert_eq!(first, told(&|observer| story(observer)));
    }
}

#[test]
fn a_list_of_places_and_a_table_say_the_same() {
    for text in ["[record]\npcapng = [\"wan\"]", "[record]\npcapng = { on = \"wan\" }", "[record]\npcapng = \"wan\""] {
        let sink = Sink::memory();
        let mut output = built(text, sink.clone()).unwrap();
        lossy_handshake(&mut *output.observer);
        let bytes = sink.take_bytes();
        let has = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
        assert!(has(b"r1:wan") && has(b"server:eth0") && !has(b"r1:lan"));
    }
}

#[test]
fn a_filter_of_the_command_line_and_one_of_the_scenario_both_hold() {
    let settings = |filter| Settings { filter, ..Settings::new(Sink::memory()) };
    let options = |item: &str, filter: Option<&str>| {
        let source = format!("[record]\ntext = {item}");
        let parsed = toml::de::DeTable::parse(&source).unwrap();
        let reader = Reader::new(&source, Scope::default());
        let root = Table::new(parsed.get_ref(), 0..0, String::new(), &reader);
        let record = Table::read(&root.item("record").unwrap()).unwrap();
        let filter = filter.map(|filter| Filter::parse(filter).unwrap());
        let mut output = (text::KIND.build)(record.item("text").as_ref(), settings(filter)).unwrap();
        misfortunes(&mut *output.observer);
        output.sink.take_text().lines().filter(|line| line.contains("  >  ")).count()
    };
    assert_eq!(options("true", None), 5);
    assert_eq!(options("true", Some("udp")), 3);
    assert_eq!(options("{ filter = 'ip.ttl == 1' }", Some("udp")), 1);
    assert_eq!(options("{ filter = 'arp' }", Some("udp")), 0);
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    insta::assert_snapshot!(mistake("[record]\npcapng = [\"acess\", \"wan\"]"), @r#"
    error: no link is called `acess`
     --> x.toml:2:11
      |
    2 | pcapng = ["acess", "wan"]
      |           ^^^^^^^ did you mean `access`?
      |
      = known: access, wan, wire
    "#);
    insta::assert_snapshot!(mistake("[record]\ntext = { on = \"cleint:eth0\", recieved = false }"), @r#"
    error: no node is called `cleint`
     --> x.toml:2:15
      |
    2 | text = { on = "cleint:eth0", recieved = false }
      |               ^^^^^^^^^^^^^ did you mean `client`?
      |
      = known: client, r1, server

    error: unknown key `recieved` in `record.text`
     --> x.toml:2:30
      |
    2 | text = { on = "cleint:eth0", recieved = false }
      |                              ^^^^^^^^ did you mean `received`?
      |
      = known: filter, gap, names, on, received
    "#);
    insta::assert_snapshot!(mistake("[record]\nladder = { elide = [\"sw1\"], filter = 'tcp.sin' }"), @r#"
    error: no node is called `sw1`
     --> x.toml:2:21
      |
    2 | ladder = { elide = ["sw1"], filter = 'tcp.sin' }
      |                     ^^^^^
      |
      = known: client, r1, server

    error: no field is called `tcp.sin`
     --> x.toml:2:39
      |
    2 | ladder = { elide = ["sw1"], filter = 'tcp.sin' }
      |                                       ^^^^^^^ did you mean `tcp.fin`?
      |
      = known: tcp, tcp.ack, tcp.ack_raw, tcp.checksum.status, tcp.dstport, tcp.fin, tcp.flags, tcp.flags.ack, tcp.flags.cwr, tcp.flags.ece, tcp.flags.fin, tcp.flags.push, tcp.flags.reset, tcp.flags.syn, tcp.flags.urg, tcp.hdr_len, tcp.len, tcp.options.mss_val, tcp.options.sack_perm, tcp.options.timestamp.tsval, tcp.options.wscale.shift, tcp.payload, tcp.port, tcp.psh, tcp.rst, tcp.seq_raw, tcp.srcport, tcp.syn, tcp.urg, tcp.urgent_pointer, tcp.window_size_value
    "#);
    insta::assert_snapshot!(mistake("[record]\nsummary = 3"), @r"
    error: `record.summary` must be `true` or a table, not an integer
     --> x.toml:2:11
      |
    2 | summary = 3
      |           ^ `true` or a table belongs here
    ");
    insta::assert_snapshot!(mistake("[record]\ntext = false"), @r"
    error: `record.text` must be `true`, a list of links, or a table, not a boolean
     --> x.toml:2:8
      |
    2 | text = false
      |        ^^^^^ `true`, a list of links, or a table belongs here
    ");
}

#[derive(Debug, Clone)]
struct Anything {
    micros: u64,
    kind: u8,
    place: u8,
    bytes: Vec<u8>,
    is_ethernet: bool,
    id: Option<u32>,
    cause: Option<u32>,
}

fn anything() -> impl Strategy<Value = Anything> {
    // Bytes that begin as real frames do, changed in places, or cut short, or nothing but noise.
    let real = prop_oneof![
        Just(tcp_out(smoltcp::wire::TcpControl::Syn, 1000, None, b"", 64)),
        Just(udp(b"payload", 1)),
        Just(arp_request()),
    ];
    let mutated = (real, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), 0..80_usize);
    let mutated = mutated.prop_map(|(mut bytes, changes, length)| {
        for (index, value) in changes {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(length);
        bytes
    });
    let bytes = prop_oneof![mutated, prop::collection::vec(any::<u8>(), 0..80)];
    let ids = (prop::option::of(0..6_u32), prop::option::of(0..6_u32));
    (0..3_000_000_u64, 0..7_u8, 0..3_u8, bytes, any::<bool>(), ids).prop_map(
        |(micros, kind, place, bytes, is_ethernet, (id, cause))| Anything {
            micros,
            kind,
            place,
            bytes,
            is_ethernet,
            id,
            cause,
        },
    )
}

fn tell_anything(records: &[Anything], observer: &mut dyn Observer) {
    let mut teller = Teller::new(observer);
    let frame_id = |count| FrameId { origin: 0, count };
    for record in records {
        let layer = if record.is_ethernet { Layer::Ethernet } else { Layer::Ip };
        let mut frame = Frame::new(Pool::default().copy(&record.bytes), layer);
        frame.id = record.id.map(frame_id);
        frame.cause = record.cause.map(frame_id);
        frame.damaged = record.micros % 2 == 0;
        let place = match record.place {
            0 => Place::Node(R1),
            1 => Place::Pipe(wan()),
            _ => Place::Port(R1, WAN),
        };
        let altered = frame_id(record.cause.unwrap_or(0));
        let copy = frame_id(record.id.unwrap_or(0));
        teller.tell(
            record.micros,
            place,
            match record.kind {
                0 => What::Sent { frame: &frame },
                1 => What::Delivered { frame: &frame },
                2 => What::Dropped { frame: &frame, cause: Cause::Loss, rule: Some(TWICE) },
                3 => What::Dropped { frame: &frame, cause: Cause::NoLink, rule: None },
                4 => What::Altered { frame: altered, how: Alteration::Duplicated { copy }, rule: None },
                5 => What::LinkIsUp(record.is_ethernet),
                _ => What::Note { app: None, text: "…" },
            },
        );
    }
    teller.finish(3_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_and_no_order_of_records_make_an_output_panic(mut records in prop::collection::vec(anything(), 0..40)) {
        let _ = told(&|observer| tell_anything(&records, observer));
        records.sort_by_key(|record| record.micros);
        let first = told(&|observer| tell_anything(&records, observer));
        prop_assert_eq!(first, told(&|observer| tell_anything(&records, observer)));
    }
}
