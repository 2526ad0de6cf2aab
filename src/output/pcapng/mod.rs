//! A capture for Wireshark, as if one had listened at every link end.
//!
//! * One interface per link end, `client:eth0`, described by its link's name. A frame appears outbound at the end where
//!   it was sent and inbound at the end where it arrived; both have the frame's number as their packet id.
//! * Every packet has a comment, which begins with its number and goes on with what became of it: `#2 forwards #1; dropped
//!   on wan: lose-first-syn (fault)`. In Wireshark: `frame.comment contains "dropped"`.
//! * Wireshark takes the second sighting of a segment for a retransmission. Whoever wants its TCP analysis captures at
//!   one end: `pcapng = ["client:eth0"]`.
//! * What programs tell of their TLS connections' secrets is in it, so that Wireshark shows what they say without further ado.
//! * Times are nanoseconds since the run began, at 1970-01-01 00:00:00.
//! * A frame that a link loses, at once or later, is there once: outbound, with the reason. A frame that a node drops is
//!   there twice, and the inbound one says why. A copy that a link makes is only seen inbound, as on a real wire. A packet
//!   that never became a frame is on no wire and so not in the capture; what caused it says that it was dropped.
//!
//! A packet's block can be written only when it is known what became of it. So packets are held, in the order of
//! time, until then; [`HELD_MAX`] bounds how many.

mod block;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::journal::{Journal, hash_number};
use super::keylog::Told;
use super::places::{Given, ON, Places, Selection, Wiring, end_name};
use super::spell::{alteration, because, duration, with_reference};
use super::{Output, OutputBuilder, Settings, Sink};
use crate::id::{FrameId, NodeId, PipeId, PortId, RuleId};
use crate::read::{Item, Kind};
use crate::record::{Cause, Names, Observer, Place, Record, What};
use crate::time::Time;
use crate::units::Rate;
use crate::wire::{Frame, Layer};

/// How many packets wait at most for the fate of an earlier one; then that is written without it.
///
/// As much as 20 Gbit/s have on the way over a satellite, or 25 MB of memory with full frames.
pub const HELD_MAX: usize = 16_384;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "pcapng",
    doc: "A capture for Wireshark, with one interface per link end and the reasons of drops as comments.",
    example: "[record]\npcapng = true\n",
    fields: &[ON],
    build,
};

/// What a [`Pcapng`] holds.
#[derive(Debug, Clone, Default)]
pub struct PcapngOptions {
    /// Where to look.
    pub places: Places,
    /// What people call the addresses of the network.
    pub hosts: Vec<(IpAddr, String)>,
    /// How fast each pipe is, where it has a rate.
    pub rates: Vec<(PipeId, Rate)>,
}

/// Writes a capture while the run goes on.
#[derive(Debug)]
pub struct Pcapng {
    hosts: Vec<(IpAddr, String)>,
    rates: Vec<(PipeId, Rate)>,
    sink: Sink,
    selection: Selection,
    wiring: Wiring,
    journal: Journal,
    has_begun: bool,
    told: Told,
    /// The number of each interface's block.
    interfaces: BTreeMap<(NodeId, PortId, Linktype), u32>,
    held: VecDeque<Held>,
    /// How many packets have been written: the place of the first one held.
    written: u64,
    /// Where each frame's packets are held, outbound and inbound.
    outbound: PlaceMap,
    inbound: PlaceMap,
}

#[expect(clippy::disallowed_types, reason = "the hasher is fixed and the maps are only looked up in")]
type PlaceMap = std::collections::HashMap<FrameId, u64, FixedState>;

/// What an interface's packets begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Linktype {
    Ethernet,
    Raw,
}

/// A packet whose fate is not known yet.
#[derive(Debug)]
struct Held {
    frame: FrameId,
    number: Option<u64>,
    interface: u32,
    at: Time,
    bytes: Vec<u8>,
    is_inbound: bool,
    comment: String,
    /// When its fate was known; what else is said of it at that instant is still heard.
    settled_at: Option<Time>,
}

impl Pcapng {
    /// A capture into `sink`.
    #[must_use]
    pub fn new(options: PcapngOptions, sink: Sink) -> Self {
        Self {
            hosts: options.hosts,
            rates: options.rates,
            sink,
            selection: Selection::new(Vec::new(), options.places),
            wiring: Wiring::default(),
            journal: Journal::default(),
            has_begun: false,
            told: Told::default(),
            interfaces: BTreeMap::new(),
            held: VecDeque::new(),
            written: 0,
            outbound: PlaceMap::default(),
            inbound: PlaceMap::default(),
        }
    }

    fn begin(&mut self, names: &Names) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        self.selection.complain(&self.sink, names);
        self.sink.put(&block::section_header());
        if !self.hosts.is_empty() {
            self.sink.put(&block::names(&self.hosts));
        }
        for (node, port) in names.links.iter().flat_map(|link| link.ends) {
            if self.selection.has_end(node, port, names) {
                self.interface(node, port, Layer::Ethernet, names);
            }
        }
    }

    /// The number of an interface, which is described first if need be.
    fn interface(&mut self, node: NodeId, port: PortId, layer: Layer, names: &Names) -> u32 {
        let linktype = match layer {
            Layer::Ethernet => Linktype::Ethernet,
            Layer::Ip => Linktype::Raw,
        };
        if let Some(number) = self.interfaces.get(&(node, port, linktype)) {
            return *number;
        }
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.interfaces.insert((node, port, linktype), number);
        let pipe = self.wiring.pipe_from(node, port, names);
        let rate = self.rates.iter().find(|(limited, _)| Some(*limited) == pipe).map(|(_, rate)| *rate);
        self.sink.put(&block::interface(&block::Interface {
            name: &end_name((node, port), names),
            description: pipe.map_or("no link", |pipe| names.link(pipe.link())),
            layer,
            speed: rate.map(Rate::bits_per_second),
        }));
        number
    }

    fn hold(&mut self, record: &Record<'_>, frame: &Frame, is_inbound: bool, names: &Names) {
        let (Place::Port(node, port), Some(id)) = (record.place, frame.id) else { return };
        if !self.selection.has_end(node, port, names) {
            return;
        }
        let interface = self.interface(node, port, frame.layer, names);
        let number = self.journal.number(id);
        let mut comment = hash_number(number);
        if let Some(origin) = self.journal.origin(frame, record.place) {
            comment.push_str(&format!(" {origin}"));
        }
        if frame.damaged {
            comment.push_str("; damaged on its way");
        }
        let place = self.written + self.held.len() as u64;
        if is_inbound { &mut self.inbound } else { &mut self.outbound }.insert(id, place);
        self.held.push_back(Held {
            frame: id,
            number,
            interface,
            at: record.at,
            bytes: frame.bytes().to_vec(),
            is_inbound,
            comment,
            settled_at: is_inbound.then_some(record.at),
        });
    }

    fn outbound(&mut self, id: FrameId) -> Option<&mut Held> {
        let place = self.outbound.get(&id)?.checked_sub(self.written)?;
        self.held.get_mut(usize::try_from(place).ok()?)
    }

    /// The packet as it arrived, or else as it was sent.
    fn last_seen(&mut self, id: FrameId) -> Option<&mut Held> {
        let place = self.inbound.get(&id).or_else(|| self.outbound.get(&id))?.checked_sub(self.written)?;
        self.held.get_mut(usize::try_from(place).ok()?)
    }

    fn drop(&mut self, record: &Record<'_>, frame: &Frame, cause: Cause, rule: Option<RuleId>, names: &Names) {
        let why = if rule.is_some() { because(cause, rule, names) } else { with_reference(cause) };
        let at = record.at;
        let Some(id) = frame.id.or(frame.cause) else { return };
        match record.place {
            Place::Pipe(pipe) => {
                let Some(held) = self.outbound(id) else { return };
                let later = match at.since(held.at) {
                    span if span.is_zero() => String::new(),
                    span => format!(" {} later", duration(span)),
                };
                held.remark(&format!("dropped on {}{later}: {why}", names.link(pipe.link())));
                held.settled_at = Some(at);
            }
            Place::Node(node) | Place::Port(node, _) => {
                let Some(held) = self.last_seen(id) else { return };
                held.remark(&format!("dropped by {}: {why}", names.node(node)));
                held.settled_at.get_or_insert(at);
            }
        }
    }

    /// Writes the packets of which nothing more will be said.
    fn write(&mut self, now: Option<Time>) {
        loop {
            let is_overfull = self.held.len() > HELD_MAX;
            let Some(first) = self.held.front_mut() else { return };
            let is_settled = first.settled_at.is_some_and(|at| now.is_none_or(|now| at < now));
            if !is_settled {
                if now.is_some() && !is_overfull {
                    return;
                }
                let until = if now.is_some() { "when this was written" } else { "at the end" };
                first.remark(&format!("still on its way {until}"));
            }
            let Some(first) = self.held.pop_front() else { return };
            self.written += 1;
            if first.is_inbound { &mut self.inbound } else { &mut self.outbound }.remove(&first.frame);
            self.sink.put(&block::packet(&block::Packet {
                interface: first.interface,
                at: first.at,
                bytes: &first.bytes,
                is_inbound: first.is_inbound,
                id: first.number,
                comment: &first.comment,
            }));
        }
    }
}

impl Held {
    fn remark(&mut self, remark: &str) {
        self.comment.push_str("; ");
        self.comment.push_str(remark);
    }
}

impl Observer for Pcapng {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.begin(names);
        self.journal.record(record);
        self.write(Some(record.at));
        match record.what {
            What::Altered { frame, how, rule } => {
                let remark = alteration(how, rule, &self.journal, names);
                if let Some(held) = self.outbound(frame) {
                    held.remark(&remark);
                }
            }
            What::Delivered { frame } => {
                if let Some(held) = frame.id.and_then(|id| self.outbound(id)) {
                    held.settled_at = Some(record.at);
                }
                self.hold(record, frame, true, names);
            }
            What::Dropped { frame, cause, rule } => self.drop(record, frame, cause, rule, names),
            What::LinkIsUp(_) | What::Note { .. } => {}
            // Before every packet that it is needed for: these are still held, or not sent yet.
            What::Secret { line } => {
                if self.told.is_new(line) {
                    self.sink.put(&block::secret(line));
                }
            }
            What::Sent { frame } => self.hold(record, frame, false, names),
        }
    }

    fn flush(&mut self, now: Time, names: &Names) {
        self.begin(names);
        self.write(Some(now));
    }

    fn finish(&mut self, _now: Time, names: &Names) {
        self.begin(names);
        self.write(None);
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields);
    let options = PcapngOptions { places: given.places.clone(), hosts: settings.hosts, rates: settings.rates };
    let observer = Box::new(Pcapng::new(options, settings.sink.clone()));
    given.is_right().then_some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}
