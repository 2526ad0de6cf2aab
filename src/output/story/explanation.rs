//! Everything there is to say about one frame.

use std::collections::BTreeMap;

use super::super::Relation;
use super::super::journal::hash_number;
use super::super::spell::{because, duration, milliseconds, place_name};
use super::changes::{Change, changes};
use super::{Event, Kept, Sighting};
use crate::id::NodeId;
use crate::record::{Cause, Names};
use crate::time::Time;
use crate::wire::Known;
use crate::wire::anatomy::Anatomy;

/// How many frames of a journey are told: a flood goes everywhere.
const HOPS_MAX: usize = 48;

/// How many causes are followed back, and how many effects are told.
const LINES_MAX: usize = 12;

/// One frame, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Its number in all outputs.
    pub number: u64,
    /// What it is, in a line.
    pub line: String,
    /// When it was sent, in milliseconds: `1100.000`.
    pub sent_at: String,
    /// Who sent it; a link's name if that made a copy.
    pub from: String,
    /// Who is at the other end of the link.
    pub to: String,
    /// The link that it is on.
    pub link: String,
    /// Its bytes as sent.
    pub bytes: Vec<u8>,
    /// Its headers.
    pub anatomy: Anatomy,
    /// If a link damaged it: its headers as they arrived, and what was different.
    pub damage: Vec<Change>,
    /// The frames that carry the same thing, from the first to the last.
    pub journey: Vec<Hop>,
    /// How many more there are.
    pub hops_left_out: usize,
    /// Why the first of them was sent.
    pub caused_by: Vec<String>,
    /// The frames that led to it, the earliest first.
    pub led_by: Vec<Line>,
    /// What became of this frame.
    pub became: Vec<String>,
    /// The frames that were sent because of it.
    pub effects: Vec<Line>,
    /// How many more there are.
    pub effects_left_out: usize,
}

/// One frame of a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The frame.
    pub line: Line,
    /// Whether it is the one that is explained.
    pub is_this: bool,
    /// What whoever sent it on changed.
    pub changes: Vec<Change>,
    /// How it ended there, if it did not simply arrive.
    pub end: String,
}

/// A frame in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub number: u64,
    /// When it was sent, in milliseconds.
    pub at: String,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it has to do with an earlier one: `forwards #6`; empty if with none.
    pub relation: String,
    /// What it is.
    pub what: String,
}

/// What people call addresses, ready for [`Known`].
struct Book<'k> {
    names: &'k Names,
    stations: BTreeMap<[u8; 6], String>,
    hosts: &'k BTreeMap<std::net::IpAddr, String>,
}

impl<'k> Book<'k> {
    fn new(kept: &'k Kept) -> Self {
        let names = &kept.names;
        let stations = names.interfaces.iter().map(|((node, port), interface)| {
            let several = names.nodes.get(node.0 as usize).is_some_and(|node| node.ports.len() > 1);
            let name = names.node(*node);
            (interface.mac, if several { format!("{name}:{}", names.port(*node, *port)) } else { name.to_owned() })
        });
        Self { names, stations: stations.collect(), hosts: kept.speller.hosts() }
    }

    fn anatomy(&self, frame: &Sighting, bytes: &[u8]) -> Anatomy {
        let known = Known { hosts: self.hosts, stations: &self.stations, relative: frame.relative };
        Anatomy::of_bytes(bytes, frame.layer, &known)
    }
}

pub(super) fn explain(kept: &Kept, number: u64) -> Explanation {
    let book = Book::new(kept);
    let frame = &kept.frames[&number];
    let anatomy = book.anatomy(frame, &frame.bytes);
    let damage = frame.damaged.as_ref().map_or_else(Vec::new, |bytes| {
        let arrived = Sighting { bytes: bytes.clone(), ..plain(frame) };
        changes((frame, &anatomy), (&arrived, &book.anatomy(frame, bytes)))
    });
    let first = first_of(kept, number);
    let mut carriers = carriers(kept, first);
    let hops_left_out = carriers.len().saturating_sub(HOPS_MAX);
    // The frame itself is told in any case.
    let is_told = |index: usize, carrier: u64| index < HOPS_MAX || carrier == number;
    let mut index = 0;
    carriers.retain(|carrier| {
        index += 1;
        is_told(index - 1, *carrier)
    });
    let journey = carriers.iter().map(|carrier| hop(kept, &book, *carrier, number)).collect();
    let mut effects: Vec<Line> = Vec::new();
    let mut effects_left_out = 0;
    for other in kept.frames.range(number + 1..).map(|(_, other)| other) {
        let follows = other.origin.is_some_and(|origin| origin.number == number && !carries(origin.relation));
        match (follows, effects.len() < LINES_MAX) {
            (true, true) => effects.push(line(kept, other)),
            (true, false) => effects_left_out += 1,
            _ => {}
        }
    }
    Explanation {
        number,
        line: frame.line.clone(),
        sent_at: milliseconds(frame.sent_at),
        from: from_of(frame, book.names),
        to: to_of(frame, book.names),
        link: frame.pipe.map_or_else(String::new, |pipe| book.names.link(pipe.link()).to_owned()),
        bytes: frame.bytes.clone(),
        anatomy,
        damage,
        journey,
        hops_left_out,
        caused_by: caused_by(kept, &kept.frames[&first]),
        led_by: led_by(kept, first),
        became: became(kept, frame),
        effects,
        effects_left_out,
    }
}

/// The same sighting without its bytes and what happened to it.
fn plain(frame: &Sighting) -> Sighting {
    Sighting { bytes: Vec::new(), damaged: None, line: String::new(), events: Vec::new(), ..*frame }
}

fn carries(relation: Relation) -> bool {
    matches!(relation, Relation::Copies | Relation::Forwards)
}

/// The first frame that carried what this one carries.
fn first_of(kept: &Kept, number: u64) -> u64 {
    let mut first = number;
    while let Some(origin) = kept.frames.get(&first).and_then(|frame| frame.origin)
        && carries(origin.relation)
        && kept.frames.contains_key(&origin.number)
    {
        first = origin.number;
    }
    first
}

/// A frame, and all that carry it on. A frame's number is greater than its cause's.
fn carriers(kept: &Kept, first: u64) -> Vec<u64> {
    let mut all = vec![first];
    for (number, frame) in kept.frames.range(first + 1..) {
        if frame.origin.is_some_and(|origin| carries(origin.relation) && all.binary_search(&origin.number).is_ok()) {
            all.push(*number);
        }
    }
    all
}

fn hop(kept: &Kept, book: &Book<'_>, number: u64, this: u64) -> Hop {
    let frame = &kept.frames[&number];
    let before =
        frame.origin.filter(|origin| carries(origin.relation)).and_then(|origin| kept.frames.get(&origin.number));
    let changes = before.map_or_else(Vec::new, |before| {
        // A router works on what arrived.
        let arrived = before.damaged.as_ref().unwrap_or(&before.bytes);
        let before = Sighting { bytes: arrived.clone(), ..plain(before) };
        changes((&before, &book.anatomy(&before, &before.bytes)), (frame, &book.anatomy(frame, &frame.bytes)))
    });
    let end = frame.events.iter().rev().find_map(|event| match event {
        Event::Dropped { place, cause, rule, .. } => {
            Some(format!("dropped at {}: {}", place_name(*place, book.names), because(*cause, *rule, book.names)))
        }
        _ => None,
    });
    Hop { line: line(kept, frame), is_this: number == this, changes, end: end.unwrap_or_default() }
}

fn line(kept: &Kept, frame: &Sighting) -> Line {
    Line {
        number: frame.number,
        at: milliseconds(frame.sent_at),
        from: from_of(frame, &kept.names),
        to: to_of(frame, &kept.names),
        relation: frame.origin.map_or_else(String::new, |origin| origin.to_string()),
        what: frame.line.clone(),
    }
}

pub(super) fn from_of(frame: &Sighting, names: &Names) -> String {
    match (frame.sent_by, frame.pipe) {
        (Some((node, _)), _) => names.node(node).to_owned(),
        (None, Some(pipe)) => names.link(pipe.link()).to_owned(),
        (None, None) => String::new(),
    }
}

pub(super) fn to_of(frame: &Sighting, names: &Names) -> String {
    frame.pipe.map_or_else(String::new, |pipe| names.node(names.destination(pipe).0).to_owned())
}

/// Why a frame was sent that carries nothing on.
fn caused_by(kept: &Kept, frame: &Sighting) -> Vec<String> {
    let names = &kept.names;
    let Some((node, _)) = frame.sent_by else { return Vec::new() };
    let (name, number) = (names.node(node), hash_number(Some(frame.number)));
    let mut reasons = Vec::new();
    if let Some(origin) = frame.origin {
        let other = hash_number(Some(origin.number));
        let what = kept.frames.get(&origin.number).map_or_else(
            || "which is remembered no more".to_owned(),
            |other| format!("{} from {}", other.line, from_of(other, names)),
        );
        reasons.push(match origin.relation {
            Relation::Answers => format!("{name} answers {other} with it: {what}"),
            Relation::Resends => format!("{name} sends something again because of {other}: {what}"),
            _ => format!("{name} sends it because of {other}: {what}"),
        });
    }
    if let Some(earlier) = same_segment_before(kept, frame, node) {
        let later = duration(frame.sent_at.since(earlier.sent_at));
        reasons.push(format!(
            "it is a retransmission: {} carried the same from {name} {later} earlier, and no acknowledgment had come",
            hash_number(Some(earlier.number))
        ));
    } else if frame.origin.is_none() {
        let arrived = kept.frames.range(..frame.number).rev().map(|(_, other)| other).find(|other| {
            let is_now = |event: &Event| {
                matches!(event, Event::Arrived { at, node: there, .. } if *at == frame.sent_at && *there == node)
            };
            other.events.iter().any(is_now)
        });
        reasons.push(match arrived {
            Some(other) => format!(
                "{name} sends it at the instant at which {} had arrived: {}",
                hash_number(Some(other.number)),
                other.line
            ),
            None => format!("nothing arrived at {name} at that instant: a program or a timer of {name} sends {number}"),
        });
    }
    if frame.origin.is_none_or(|origin| origin.relation != Relation::Follows) {
        reasons.extend(programs(kept, frame.sent_at, node));
    }
    reasons
}

/// Which programs a node runs, and what they said at a time.
fn programs(kept: &Kept, at: Time, node: NodeId) -> Option<String> {
    let names = &kept.names;
    let apps: Vec<String> =
        names.apps.iter().filter(|app| app.node == node).map(|app| format!("{} ({})", app.name, app.kind)).collect();
    if apps.is_empty() {
        return None;
    }
    let said = kept.notes.iter().filter(|said| (said.at, said.node) == (at, node));
    let said: Vec<String> = said
        .filter_map(|said| said.app.map(|app| format!("{} said at that instant \"{}\"", names.app(app), said.text)))
        .collect();
    let said = if said.is_empty() { String::new() } else { format!("; {}", said.join(", ")) };
    let plural = if apps.len() == 1 { "the program on" } else { "the programs on" };
    Some(format!("{plural} {}: {}{said}", names.node(node), apps.join(", ")))
}

/// The latest earlier frame of the same node with the same TCP bytes: sequence number, length, flags and ports.
fn same_segment_before<'k>(kept: &'k Kept, frame: &Sighting, node: NodeId) -> Option<&'k Sighting> {
    let wanted = Segment::of(frame)?;
    kept.frames.range(..frame.number).rev().map(|(_, other)| other).find(|other| {
        other.sent_by.is_some_and(|(sender, _)| sender == node)
            && other.origin.is_none_or(|origin| !carries(origin.relation))
            && Segment::of(other).is_some_and(|segment| segment == wanted)
    })
}

/// What makes two segments the same to their receiver.
#[derive(PartialEq, Eq)]
struct Segment {
    flow: crate::wire::Flow,
    sequence: u32,
    length: usize,
    is_syn: bool,
    is_fin: bool,
}

impl Segment {
    /// `None` for what is no TCP, or takes no sequence numbers: those are not retransmitted.
    fn of(frame: &Sighting) -> Option<Self> {
        let view = crate::wire::View::of_bytes(&frame.bytes, frame.layer);
        let (ip, tcp) = (view.ip?, view.tcp()?);
        let header = usize::from(tcp.get(12)? >> 4) * 4;
        let flags = *tcp.get(13)?;
        let segment = Self {
            flow: crate::wire::Flow::of_packet(&ip),
            sequence: u32::from_be_bytes(*tcp.get(4..)?.first_chunk()?),
            length: tcp.len().checked_sub(header)?,
            is_syn: flags & 2 != 0,
            is_fin: flags & 1 != 0,
        };
        (segment.length > 0 || segment.is_syn || segment.is_fin).then_some(segment)
    }
}

/// The frames that led to one, the earliest first.
fn led_by(kept: &Kept, first: u64) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut next = kept.frames.get(&first).and_then(|frame| frame.origin);
    while let Some(origin) = next
        && lines.len() < LINES_MAX
        && let Some(frame) = kept.frames.get(&origin.number)
    {
        lines.push(line(kept, frame));
        next = frame.origin;
    }
    lines.reverse();
    lines
}

/// What became of a frame.
fn became(kept: &Kept, frame: &Sighting) -> Vec<String> {
    let names = &kept.names;
    let mut lines = Vec::new();
    let mut arrived = None;
    let mut is_gone = false;
    for event in &frame.events {
        match event {
            Event::Altered { text } => {
                let link = frame.pipe.map_or("the link", |pipe| names.link(pipe.link()));
                lines.push(format!("{link} did something to it: {text}"));
            }
            Event::Arrived { at, node, port } => {
                let after = duration(at.since(frame.sent_at));
                arrived = Some(*node);
                let damaged = if frame.damaged.is_some() { ", damaged" } else { "" };
                lines.push(format!(
                    "it arrived at {} ({}) at {} ms, {after} after it was sent{damaged}",
                    names.node(*node),
                    names.port(*node, *port),
                    milliseconds(*at)
                ));
            }
            Event::Dropped { at, place, cause, rule } => {
                is_gone = true;
                let place = place_name(*place, names);
                lines.push(format!(
                    "it was dropped at {place} at {} ms: {}",
                    milliseconds(*at),
                    because(*cause, *rule, names)
                ));
                lines.push(explained(*cause));
                if let Some(rule) = rule.and_then(|rule| names.rules.get(rule.0 as usize)) {
                    lines.extend(rule.line.into_iter().flat_map(|line| place_in_source(kept, &rule.name, line)));
                }
            }
        }
    }
    let mut next = kept.frames.range(frame.number + 1..).map(|(_, other)| other);
    let carried: Vec<String> = next
        .by_ref()
        .filter(|other| {
            other.origin.is_some_and(|origin| origin.number == frame.number && origin.relation == Relation::Forwards)
        })
        .take(LINES_MAX)
        .map(|other| format!("{} to {}", hash_number(Some(other.number)), to_of(other, names)))
        .collect();
    match (arrived, is_gone) {
        (Some(node), _) if !carried.is_empty() => {
            lines.push(format!("{} sent it on: {}", names.node(node), carried.join(", ")));
        }
        (Some(node), false) => {
            let kind = names.nodes.get(node.0 as usize).map_or("", |node| node.kind);
            lines.push(match kind {
                "switch" => format!("{} took it in and sent nothing on", names.node(node)),
                _ => format!("{} took it in: it goes no further", names.node(node)),
            });
        }
        (None, false) => {
            lines.push(format!("it was still on its way when the run ended, at {} ms", milliseconds(kept.ended_at)));
        }
        _ => {}
    }
    lines
}

/// `(ttl-expired: its time to live reached zero; RFC 791 §3.2)`.
fn explained(cause: Cause) -> String {
    let reference = match cause.reference() {
        "" => String::new(),
        reference => format!(" ({reference})"),
    };
    format!("{}: {}{reference}", cause.name(), cause.explanation())
}

/// How many lines of an entry of the scenario are shown.
const SOURCE_LINES_MAX: usize = 8;

/// Where a rule stands in the scenario, with the entry that it is.
fn place_in_source(kept: &Kept, rule: &str, line: u32) -> Vec<String> {
    let Some((name, text)) = &kept.source else {
        return vec![format!("`{rule}` stands in line {line} of the scenario")];
    };
    let before = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let mut rest = text.lines().skip(before);
    let Some(first) = rest.next() else {
        return vec![format!("`{rule}` stands in line {line} of what --set says about {name}")];
    };
    let mut lines = vec![format!("`{rule}` stands in line {line} of {name}:"), format!("    {}", first.trim_end())];
    if first.trim_start().starts_with("[[") {
        let is_entry = |line: &&str| !line.trim().is_empty() && !line.starts_with('[');
        lines.extend(rest.take_while(is_entry).take(SOURCE_LINES_MAX).map(|line| format!("    {}", line.trim_end())));
    }
    lines
}
