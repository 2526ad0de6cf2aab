//! Where an output looks: all of the network, or named links and link ends.

use std::time::Duration;

use super::{OutputError, Sink};
use crate::filter::Filter;
use crate::id::{Direction, FrameId, LinkId, NodeId, PipeId, PortId};
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read, Reader, Table};
use crate::record::{Names, Place, Record, What};
use crate::wire::Frame;

/// Which links and link ends an output looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Names of links, or of one end as `node:port`. Empty: everywhere.
    names: Vec<String>,
    /// The ends that are meant, sorted; filled in when the network is known.
    ends: Vec<(NodeId, PortId)>,
    /// How many links were known then.
    links_known: usize,
}

impl Places {
    /// These links (`wan`) and link ends (`client:eth0`); everywhere if there are none.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Whether a link end is meant.
    pub fn has_end(&mut self, node: NodeId, port: PortId, names: &Names) -> bool {
        self.resolve(names);
        self.names.is_empty() || self.ends.binary_search(&(node, port)).is_ok()
    }

    /// Whether a place is meant: a link if one of its ends is, a node if one of its ports is.
    pub fn has(&mut self, place: Place, names: &Names) -> bool {
        match place {
            Place::Port(node, port) => self.has_end(node, port, names),
            Place::Pipe(pipe) => [names.source(pipe), names.destination(pipe)]
                .into_iter()
                .any(|(node, port)| self.has_end(node, port, names)),
            Place::Node(node) => {
                self.resolve(names);
                self.names.is_empty() || self.ends.iter().any(|end| end.0 == node)
            }
        }
    }

    /// The names that stand for nothing in this network.
    #[must_use]
    pub fn unknown<'p>(&'p self, names: &Names) -> Vec<&'p str> {
        self.names.iter().map(String::as_str).filter(|name| ends_called(name, names).is_empty()).collect()
    }

    fn resolve(&mut self, names: &Names) {
        if self.links_known == names.links.len() {
            return;
        }
        self.links_known = names.links.len();
        self.ends = self.names.iter().flat_map(|name| ends_called(name, names)).collect();
        self.ends.sort_unstable();
        self.ends.dedup();
    }
}

fn ends_called(name: &str, names: &Names) -> Vec<(NodeId, PortId)> {
    let by_link = names.links.iter().find(|link| link.name == name).map(|link| link.ends.to_vec());
    by_link.unwrap_or_else(|| {
        let ends = names.links.iter().flat_map(|link| link.ends);
        ends.filter(|end| end_name(*end, names) == name).collect()
    })
}

/// Which frames an output tells of.
#[derive(Debug, Default)]
pub(super) struct Selection {
    filters: Vec<Filter>,
    places: Places,
    /// The last frame that was sent, and whether it was told of.
    last_sent: Option<(FrameId, bool)>,
    has_begun: bool,
}

impl Selection {
    pub(super) fn new(filters: Vec<Filter>, places: Places) -> Self {
        Self { filters, places, ..Self::default() }
    }

    /// The places that stand for nothing in this network; told once.
    pub(super) fn complain(&mut self, sink: &Sink, names: &Names) {
        if !std::mem::replace(&mut self.has_begun, true) {
            for place in self.places.unknown(names) {
                sink.fail(OutputError::UnknownPlace { place: place.to_owned() });
            }
        }
    }

    /// Whether what a record tells is to be told on.
    pub(super) fn has(&mut self, record: &Record<'_>, names: &Names) -> bool {
        let place = record.place;
        match record.what {
            // A link says what it does to a frame right after that was sent.
            What::Altered { frame, .. } => match self.last_sent {
                Some((id, is_meant)) if id == frame => is_meant,
                _ => self.filters.is_empty() && self.places.has(place, names),
            },
            What::Sent { frame } => {
                let is_meant = self.has_frame(frame, place, names);
                self.last_sent = frame.id.map(|id| (id, is_meant));
                is_meant
            }
            What::Delivered { frame } | What::Dropped { frame, .. } => self.has_frame(frame, place, names),
            What::LinkIsUp(_) => self.places.has(place, names),
            What::Note { .. } | What::Secret { .. } => true,
        }
    }

    /// Whether a link end is looked at.
    pub(super) fn has_end(&mut self, node: NodeId, port: PortId, names: &Names) -> bool {
        self.places.has_end(node, port, names)
    }

    fn has_frame(&mut self, frame: &Frame, place: Place, names: &Names) -> bool {
        self.places.has(place, names) && self.filters.iter().all(|filter| filter.matches(frame))
    }
}

/// Which pipe begins at each port.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    /// Sorted by end.
    pipes: Vec<((NodeId, PortId), PipeId)>,
    links_known: usize,
}

impl Wiring {
    /// The pipe that begins at a port, if a link is plugged in there.
    pub(super) fn pipe_from(&mut self, node: NodeId, port: PortId, names: &Names) -> Option<PipeId> {
        if self.links_known != names.links.len() {
            self.links_known = names.links.len();
            let pipes = (0..u32::try_from(names.links.len()).unwrap_or(u32::MAX))
                .flat_map(|link| Direction::BOTH.map(|direction| PipeId::new(LinkId(link), direction)));
            self.pipes = pipes.map(|pipe| (names.source(pipe), pipe)).collect();
            self.pipes.sort_unstable();
        }
        let place = self.pipes.binary_search_by_key(&(node, port), |(end, _)| *end).ok()?;
        self.pipes.get(place).map(|(_, pipe)| *pipe)
    }
}

/// The other half of the same link.
pub(super) fn opposite(pipe: PipeId) -> PipeId {
    PipeId::new(pipe.link(), pipe.direction().reversed())
}

/// `client:eth0`.
pub(super) fn end_name((node, port): (NodeId, PortId), names: &Names) -> String {
    format!("{}:{}", names.node(node), names.port(node, port))
}

/// The key that says where an output looks.
pub(super) const ON: Field = Field {
    name: "on",
    form: Form::List(&Form::Text),
    need: Need::Optional,
    doc: "Links (`\"wan\"`) and link ends (`\"client:eth0\"`) to look at; everywhere if left out.",
};

/// What a scenario says under an output's name.
pub(super) struct Given<'d> {
    /// The kind's own fields, if they are there.
    pub(super) table: Option<Table<'d>>,
    /// Where to look.
    pub(super) places: Places,
    /// Where mistakes are noted, and how many there were before.
    noted: Option<(&'d Reader, usize)>,
}

impl<'d> Given<'d> {
    /// Reads `true`, a list of places, or a table with these fields. Reading goes on after a mistake, so that all are
    /// found; [`Self::is_right`] says in the end whether there were any.
    pub(super) fn read(item: Option<&Item<'d>>, fields: &[Field]) -> Self {
        let noted = item.map(|item| (item.reader, item.reader.problem_count()));
        let mut given = Self { table: None, places: Places::default(), noted };
        let Some(item) = item else { return given };
        let has_places = fields.iter().any(|field| field.name == ON.name);
        if item.value.is_table() {
            given.table = Table::read(item);
            if let Some(table) = &given.table {
                table.check(&[fields], &[]);
                given.places =
                    table.item(ON.name).filter(|_| has_places).map_or_else(Places::default, |on| places(&on));
            }
        } else if has_places && (item.value.is_array() || item.value.is_str()) {
            given.places = places(item);
        } else if item.value.as_bool() != Some(true) {
            item.expected(if has_places { "`true`, a list of links, or a table" } else { "`true` or a table" });
        }
        given
    }

    /// Whether no mistake was found since the reading began.
    pub(super) fn is_right(&self) -> bool {
        self.noted.is_none_or(|(reader, before)| reader.problem_count() == before)
    }

    /// The field `filter` behind another filter, if either is there.
    pub(super) fn filters(&self, other: Option<Filter>) -> Vec<Filter> {
        let own = self.table.as_ref().and_then(|table| table.get("filter"));
        other.into_iter().chain(own).collect()
    }

    /// A list of nodes, empty if the field is not there.
    pub(super) fn nodes(&self, key: &str) -> Vec<String> {
        let Some(item) = self.table.as_ref().and_then(|table| table.item(key)) else { return Vec::new() };
        let names = Vec::<Located<String>>::read(&item).unwrap_or_default();
        let known = &item.reader.scope.nodes;
        for name in names.iter().filter(|name| !known.contains(&name.value)) {
            item.reader.report_unknown(
                Diagnostic::new(name.span.clone(), format!("no node is called `{}`", name.value))
                    .not_among(&name.value, known.iter().map(String::as_str)),
                &["nodes"],
            );
        }
        names.into_iter().map(|name| name.value).collect()
    }

    /// A span of time, or what holds without it.
    pub(super) fn span(&self, key: &str, default: Duration) -> Duration {
        self.table.as_ref().map_or(default, |table| table.get_or(key, default))
    }

    /// A boolean field, or what holds without it.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.table.as_ref().map_or(default, |table| table.get_or(key, default))
    }
}

fn places(item: &Item<'_>) -> Places {
    let names = Vec::<Located<String>>::read(item).unwrap_or_default();
    let scope = &item.reader.scope;
    for name in &names {
        // Which ports a node has is known only when the network is built; the node's name is checked here.
        let node = name.value.split_once(':').map(|(node, _)| node);
        if scope.links.contains(&name.value) || node.is_some_and(|node| scope.nodes.iter().any(|known| known == node)) {
            continue;
        }
        let (what, section, found, known) = match node {
            Some(node) => ("node", "nodes", node, &scope.nodes),
            None => ("link", "links", name.value.as_str(), &scope.links),
        };
        item.reader.report_unknown(
            Diagnostic::new(name.span.clone(), format!("no {what} is called `{found}`"))
                .not_among(found, known.iter().map(String::as_str)),
            &[section],
        );
    }
    Places::new(names.into_iter().map(|name| name.value).collect())
}
