//! One record per line, for programs.
//!
//! Each line is one JSON object; its keys stand in the order of this table, and a key that does not apply is left out.
//!
//! | key | value |
//! |---|---|
//! | `at` | nanoseconds since the run began |
//! | `event` | `sent`, `delivered`, `dropped`, `altered`, `link`, `note`; the last line's is `end` |
//! | `node` | where: a node's name |
//! | `port` | where on the node |
//! | `link` | where: a link's name; the one plugged in at the port, for `sent` and `delivered` |
//! | `from`, `to` | which way: the nodes at the link's ends |
//! | `frame` | the frame's number, from 1; the same in every output of a run. A dropped packet that never was on a link has none |
//! | `cause` | the number of the frame without which this one would not be |
//! | `relation` | what the two have to do with each other: `answers`, `copy of`, `because of`, `forwards`, `resends` |
//! | `length` | the frame's bytes, link header included |
//! | `damaged` | `true` if a link has flipped bits of it |
//! | `summary` | what is in the frame, spelled as tcpdump does |
//! | `dropped` | why it was dropped, a short name: `ttl-expired` |
//! | `reference` | the standard or limit behind that |
//! | `altered` | what a link did to it: `corrupted`, `delayed`, `duplicated` |
//! | `byte`, `bit` | for `corrupted`: which bit was flipped |
//! | `delay` | for `delayed`: by how many nanoseconds |
//! | `copy` | for `duplicated`: the copy's number |
//! | `rule` | the impairment or fault that did it |
//! | `up` | for `link`: whether it is up now |
//! | `app` | for `note`: the program that says it |
//! | `text` | for `note`: what is said |
//! | `bytes` | the frame in hexadecimal, if asked for |

use std::fmt::Write;

use serde_json::{Map, Value};

use super::journal::Journal;
use super::places::{Given, ON, Places, Selection, Wiring, opposite};
use super::spell::Speller;
use super::{Output, OutputBuilder, Settings, Sink};
use crate::filter::Filter;
use crate::read::{Field, Form, Item, Kind, Need};
use crate::record::{Alteration, Names, Observer, Place, Record, What};
use crate::time::Time;
use crate::wire::Frame;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "json",
    doc: "One JSON object per line and record, for programs.",
    example: "[record]\njson = { bytes = true }\n",
    fields: &[
        ON,
        Field {
            name: "bytes",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Write each frame's bytes too, in hexadecimal.",
        },
        Field {
            name: "filter",
            form: Form::Filter,
            need: Need::Optional,
            doc: "Only frames that match; notes and links are told of in any case.",
        },
    ],
    build,
};

/// What a [`Json`] shows.
#[derive(Debug, Clone, Default)]
pub struct JsonOptions {
    /// Only frames that match all of these.
    pub filters: Vec<Filter>,
    /// Where to look. Notes are told of wherever they come from.
    pub places: Places,
    /// Whether to write each frame's bytes.
    pub shows_bytes: bool,
}

/// Writes records while the run goes on.
#[derive(Debug)]
pub struct Json {
    sink: Sink,
    shows_bytes: bool,
    selection: Selection,
    wiring: Wiring,
    journal: Journal,
    speller: Speller,
}

impl Json {
    /// Records as JSON into `sink`.
    #[must_use]
    pub fn new(options: JsonOptions, sink: Sink) -> Self {
        Self {
            sink,
            shows_bytes: options.shows_bytes,
            selection: Selection::new(options.filters, options.places),
            wiring: Wiring::default(),
            journal: Journal::default(),
            speller: Speller::default(),
        }
    }

    fn put(&self, line: Map<String, Value>) {
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        self.sink.put(text.as_bytes());
    }

    fn line(&mut self, record: &Record<'_>, names: &Names) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("at".into(), record.at.as_nanos().into());
        line.insert("event".into(), event(&record.what).into());
        self.add_place(record, &mut line, names);
        match record.what {
            What::Altered { frame, how, rule } => {
                add(&mut line, "frame", self.journal.number(frame));
                self.add_alteration(how, &mut line);
                add(&mut line, "rule", rule.map(|rule| names.rule(rule)));
            }
            What::Delivered { frame } | What::Sent { frame } => self.add_frame(frame, record.place, &mut line),
            What::Dropped { frame, cause, rule } => {
                self.add_frame(frame, record.place, &mut line);
                line.insert("dropped".into(), cause.name().into());
                add(&mut line, "reference", Some(cause.reference()).filter(|reference| !reference.is_empty()));
                add(&mut line, "rule", rule.map(|rule| names.rule(rule)));
            }
            What::LinkIsUp(is_up) => add(&mut line, "up", Some(is_up)),
            What::Note { app, text } => {
                add(&mut line, "app", app.map(|app| names.app(app)));
                line.insert("text".into(), text.into());
            }
            What::Secret { line: text } => drop(line.insert("text".into(), text.into())),
        }
        if let What::Delivered { frame } | What::Dropped { frame, .. } | What::Sent { frame } = record.what
            && self.shows_bytes
        {
            line.insert("bytes".into(), hexadecimal(frame.bytes()).into());
        }
        line
    }

    fn add_place(&mut self, record: &Record<'_>, line: &mut Map<String, Value>, names: &Names) {
        let pipe = match record.place {
            Place::Node(node) => {
                line.insert("node".into(), names.node(node).into());
                None
            }
            Place::Pipe(pipe) => Some(pipe),
            Place::Port(node, port) => {
                line.insert("node".into(), names.node(node).into());
                line.insert("port".into(), names.port(node, port).into());
                let outgoing = self.wiring.pipe_from(node, port, names);
                let comes_in = matches!(record.what, What::Delivered { .. });
                outgoing.map(|pipe| if comes_in { opposite(pipe) } else { pipe })
            }
        };
        if let Some(pipe) = pipe {
            line.insert("link".into(), names.link(pipe.link()).into());
            line.insert("from".into(), names.node(names.source(pipe).0).into());
            line.insert("to".into(), names.node(names.destination(pipe).0).into());
        }
    }

    fn add_frame(&mut self, frame: &Frame, place: Place, line: &mut Map<String, Value>) {
        add(line, "frame", frame.id.and_then(|id| self.journal.number(id)));
        let origin = self.journal.origin(frame, place);
        add(line, "cause", origin.map(|origin| origin.number));
        add(line, "relation", origin.map(|origin| origin.relation.phrase()));
        line.insert("length".into(), frame.len().into());
        add(line, "damaged", frame.damaged.then_some(true));
        line.insert("summary".into(), self.speller.long(frame).into());
    }

    fn add_alteration(&self, how: Alteration, line: &mut Map<String, Value>) {
        match how {
            Alteration::Corrupted { byte, bit } => {
                line.insert("altered".into(), "corrupted".into());
                line.insert("byte".into(), byte.into());
                line.insert("bit".into(), bit.into());
            }
            Alteration::Delayed(by) => {
                line.insert("altered".into(), "delayed".into());
                line.insert("delay".into(), u64::try_from(by.as_nanos()).unwrap_or(u64::MAX).into());
            }
            Alteration::Duplicated { copy } => {
                line.insert("altered".into(), "duplicated".into());
                add(line, "copy", self.journal.number(copy));
            }
        }
    }
}

impl Observer for Json {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.selection.complain(&self.sink, names);
        self.journal.record(record);
        if self.selection.has(record, names) {
            let line = self.line(record, names);
            self.put(line);
        } else {
            self.speller.see(&record.what);
        }
    }

    fn finish(&mut self, now: Time, names: &Names) {
        self.selection.complain(&self.sink, names);
        let mut line = Map::new();
        line.insert("at".into(), now.as_nanos().into());
        line.insert("event".into(), "end".into());
        self.put(line);
    }
}

fn event(what: &What<'_>) -> &'static str {
    match what {
        What::Altered { .. } => "altered",
        What::Delivered { .. } => "delivered",
        What::Dropped { .. } => "dropped",
        What::LinkIsUp(_) => "link",
        What::Note { .. } => "note",
        What::Secret { .. } => "secret",
        What::Sent { .. } => "sent",
    }
}

fn add(line: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        line.insert(key.to_owned(), value.into());
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields);
    let options = JsonOptions {
        filters: given.filters(settings.filter),
        shows_bytes: given.flag("bytes", false),
        places: given.places.clone(),
    };
    let observer = Box::new(Json::new(options, settings.sink.clone()));
    given.is_right().then_some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::*;

    fn told(options: JsonOptions, story: fn(&mut dyn Observer)) -> String {
        let sink = Sink::memory();
        story(&mut Json::new(options, sink.clone()));
        sink.close().unwrap();
        sink.take_text()
    }

    #[test]
    fn each_record_is_one_object_with_its_keys_in_order() {
        insta::assert_snapshot!(told(JsonOptions::default(), misfortunes), @r#"
        {"at":0,"event":"sent","node":"client","port":"eth0","link":"access","from":"client","to":"r1","frame":1,"length":42,"summary":"arp who-has 10.0.1.1 tell 10.0.1.10"}
        {"at":500000,"event":"delivered","node":"r1","port":"lan","link":"access","from":"client","to":"r1","frame":1,"length":42,"summary":"arp who-has 10.0.1.1 tell 10.0.1.10"}
        {"at":500000,"event":"sent","node":"r1","port":"lan","link":"access","from":"r1","to":"client","frame":2,"cause":1,"relation":"answers","length":42,"summary":"arp 10.0.1.1 is-at 02:00:00:00:00:01"}
        {"at":1000000,"event":"delivered","node":"client","port":"eth0","link":"access","from":"r1","to":"client","frame":2,"cause":1,"relation":"answers","length":42,"summary":"arp 10.0.1.1 is-at 02:00:00:00:00:01"}
        {"at":1000000,"event":"sent","node":"client","port":"eth0","link":"access","from":"client","to":"r1","frame":3,"length":47,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]"}
        {"at":1500000,"event":"delivered","node":"r1","port":"lan","link":"access","from":"client","to":"r1","frame":3,"length":47,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]"}
        {"at":1500000,"event":"dropped","node":"r1","frame":3,"length":47,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]","dropped":"ttl-expired","reference":"RFC 791 §3.2"}
        {"at":2000000,"event":"sent","node":"r1","port":"wan","link":"wan","from":"r1","to":"server","frame":4,"length":47,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5"}
        {"at":2000000,"event":"altered","link":"wan","from":"r1","to":"server","frame":4,"altered":"corrupted","byte":42,"bit":3,"rule":"wan/ab/duplicate"}
        {"at":22000000,"event":"delivered","node":"server","port":"eth0","link":"wan","from":"r1","to":"server","frame":4,"length":47,"damaged":true,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 (bad udp cksum)"}
        {"at":22000000,"event":"dropped","node":"server","frame":4,"length":47,"damaged":true,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 (bad udp cksum)","dropped":"bad-checksum","reference":"RFC 1122 §3.2.1.2, §4.2.2.7"}
        {"at":30000000,"event":"sent","node":"r1","port":"wan","link":"wan","from":"r1","to":"server","frame":5,"length":47,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5"}
        {"at":30000000,"event":"altered","link":"wan","from":"r1","to":"server","frame":5,"altered":"delayed","delay":30000000,"rule":"wan/ab/duplicate"}
        {"at":40000000,"event":"link","link":"wan","from":"r1","to":"server","up":false}
        {"at":40000000,"event":"link","link":"wan","from":"server","to":"r1","up":false}
        {"at":40000000,"event":"dropped","link":"wan","from":"r1","to":"server","frame":5,"length":47,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5","dropped":"link-down"}
        {"at":540000000,"event":"link","link":"wan","from":"r1","to":"server","up":true}
        {"at":540000000,"event":"link","link":"wan","from":"server","to":"r1","up":true}
        {"at":540000000,"event":"dropped","node":"r1","cause":3,"relation":"forwards","length":29,"summary":"10.0.1.10.5000 > 10.0.2.80.9: UDP, length 1","dropped":"no-route","reference":"RFC 1812 §5.2.7.1"}
        {"at":541000000,"event":"end"}
        "#);
    }

    #[test]
    fn bytes_are_written_in_hexadecimal_if_asked_for() {
        let options =
            JsonOptions { shows_bytes: true, filters: vec![Filter::parse("arp").unwrap()], ..Default::default() };
        let text = told(options, misfortunes);
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["bytes"], hexadecimal(&arp_request()));
        assert_eq!(first["bytes"].as_str().unwrap().len(), 2 * 42);
    }

    #[test]
    fn only_documented_keys_are_written() {
        let documented: Vec<&str> = include_str!("json.rs")
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .filter_map(|line| line.strip_prefix("//! | `")?.split(" | ").next())
            .flat_map(|keys| keys.split(", "))
            .map(|key| key.trim_matches('`'))
            .collect();
        assert!(documented.len() > 20);
        for story in [lossy_handshake, misfortunes] {
            let options = JsonOptions { shows_bytes: true, ..Default::default() };
            for line in told(options, story).lines() {
                let line: Map<String, Value> = serde_json::from_str(line).unwrap();
                let places: Vec<Option<usize>> =
                    line.keys().map(|key| documented.iter().position(|known| known == key)).collect();
                assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{:?}", line.keys());
            }
        }
    }
}
