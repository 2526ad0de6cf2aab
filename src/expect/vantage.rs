//! From where an expectation looks: a link, a node's interface, a node, or everywhere.
//!
//! On a *link* a frame is seen when it is put in, whatever becomes of it then. At an *interface* or a *node* it is seen
//! when it is sent and when it arrives.

use crate::id::{NodeId, PipeId, PortId, RuleId};
use crate::network::Network;
use crate::network::action::Way;
use crate::read::{Diagnostic, Field, Form, Item, Need, Span, Table};
use crate::record::{Cause, Place, Record, What};
use crate::wire::Frame;

/// The field that says where, as the kinds that may leave it out declare it.
pub(crate) const ON: Field = Field {
    name: "on",
    form: Form::Text,
    need: Need::Optional,
    doc: "Where to look: a link, `node:interface` or a node; everywhere if left out.",
};

/// The field that says which way.
pub(crate) const DIR: Field = Field {
    name: "dir",
    form: Form::Text,
    need: Need::Optional,
    doc: "One way only: on a link `\"client -> sw1\"`, `\"ab\"` or `\"ba\"`; at a node `\"out\"` or `\"in\"`.",
};

/// Which way a frame goes past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Along a link's second direction, or into a node.
    Back,
    /// Along a link's first direction, or out of a node.
    Forth,
}

/// A vantage point as a scenario names it; the names of nodes and links have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage {
    spot: Spot,
    span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Spot {
    Everywhere,
    Link { link: String, way: Way },
    Node { node: String, port: Option<String>, only: Option<Passage> },
}

impl Vantage {
    /// Everything that is sent anywhere.
    pub const EVERYWHERE: Self = Self { spot: Spot::Everywhere, span: 0..0 };

    /// A link, both ways.
    #[must_use]
    pub fn link(name: impl Into<String>) -> Self {
        Self { spot: Spot::Link { link: name.into(), way: Way::Both }, span: 0..0 }
    }

    /// A node's interface.
    #[must_use]
    pub fn interface(node: impl Into<String>, port: impl Into<String>) -> Self {
        Self { spot: Spot::Node { node: node.into(), port: Some(port.into()), only: None }, span: 0..0 }
    }

    /// Reads `key` and `dir` of a table; everywhere if `key` is absent. `None`: a mistake has been reported.
    #[must_use]
    pub fn read(table: &Table<'_>, key: &str) -> Option<Self> {
        let Some(item) = table.item(key) else {
            if table.has("dir") {
                table.report("dir", format!("a direction needs a place: `{key}` is missing"), "of which link?");
                return None;
            }
            return Some(Self::EVERYWHERE);
        };
        let text = item.text("a link, or a node and its interface, in quotes")?;
        let scope = &item.reader.scope;
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        let spot = if port.is_none() && scope.links.iter().any(|link| link == name) {
            let way = if table.has("dir") { table.get("dir")? } else { Way::Both };
            Spot::Link { link: name.to_owned(), way }
        } else if scope.nodes.iter().any(|node| node == name) {
            let only = if table.has("dir") { Some(table.one_of("dir", &["in", "out"])?) } else { None };
            let only = only.map(|word| if word == "out" { Passage::Forth } else { Passage::Back });
            Spot::Node { node: name.to_owned(), port: port.map(str::to_owned), only }
        } else {
            report_unknown(&item, name, port.is_some());
            return None;
        };
        Some(Self { spot, span: item.span })
    }

    /// The vantage point in a network.
    ///
    /// # Errors
    ///
    /// When the node has no such interface, or the link no such direction.
    ///
    /// # Panics
    ///
    /// When Rust code names a link or node that is not there.
    pub fn sight(&self, network: &Network) -> Result<Sight, Diagnostic> {
        match &self.spot {
            Spot::Everywhere => Ok(Sight::Everywhere),
            Spot::Link { link, way } => {
                let id = network.find_link(link).expect("the reader has checked that there is a link of that name");
                let pipes = way.pipes(id, network)?;
                let from = pipes.iter().map(|pipe| network.names().source(*pipe)).collect();
                let to = pipes.iter().map(|pipe| network.names().destination(*pipe)).collect();
                Ok(Sight::Link { pipes, from, to })
            }
            Spot::Node { node, port, only } => {
                let id = network.find_node(node).expect("the reader has checked that there is a node of that name");
                let port = port.as_deref().map(|port| self.port(id, port, network)).transpose()?;
                Ok(Sight::Node { node: id, port, only: *only })
            }
        }
    }

    /// As in a sentence: ` on wan`, ` at client:eth0`; nothing for everywhere.
    #[must_use]
    pub fn phrase(&self) -> String {
        match &self.spot {
            Spot::Everywhere => String::new(),
            Spot::Link { link, way } => format!(" on {link}{}", way.suffix()),
            Spot::Node { node, port, only } => {
                let port = port.as_deref().map_or_else(String::new, |port| format!(":{port}"));
                let only = match only {
                    Some(Passage::Back) => " (in)",
                    Some(Passage::Forth) => " (out)",
                    None => "",
                };
                format!(" at {node}{port}{only}")
            }
        }
    }

    fn port(&self, node: NodeId, port: &str, network: &Network) -> Result<PortId, Diagnostic> {
        let node = &network.names().nodes[node.0 as usize];
        let index = node.ports.iter().position(|name| name == port);
        let id = index.and_then(|index| u16::try_from(index).ok()).map(PortId);
        id.ok_or_else(|| {
            let title = format!("`{}` has no interface `{port}`", node.name);
            Diagnostic::new(self.span.clone(), title).not_among(port, node.ports.iter().map(String::as_str))
        })
    }
}

fn report_unknown(item: &Item<'_>, name: &str, has_port: bool) {
    let scope = &item.reader.scope;
    let (what, known) = if has_port {
        ("node", scope.nodes.iter().map(String::as_str).collect::<Vec<_>>())
    } else {
        ("link or node", scope.links.iter().chain(&scope.nodes).map(String::as_str).collect())
    };
    let diagnostic = Diagnostic::new(item.part(0..name.len()), format!("no {what} is called `{name}`"));
    let sections: &[&str] = if has_port { &["nodes"] } else { &["links", "nodes"] };
    item.reader.report_unknown(diagnostic.not_among(name, known), sections);
}

/// A vantage point in a network: sees some records and not others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// All links and nodes.
    Everywhere,
    /// One link.
    Link {
        /// The directions that are meant.
        pipes: Vec<PipeId>,
        /// Where each begins.
        from: Vec<(NodeId, PortId)>,
        /// Where each ends.
        to: Vec<(NodeId, PortId)>,
    },
    /// One node.
    Node {
        /// Which.
        node: NodeId,
        /// At which port; `None`: at any.
        port: Option<PortId>,
        /// Only one way.
        only: Option<Passage>,
    },
}

impl Sight {
    /// The frame that goes past in this record, if one does, and which way.
    #[must_use]
    pub fn passage<'r>(&self, record: &Record<'r>) -> Option<(Passage, &'r Frame)> {
        let Place::Port(node, port) = record.place else { return None };
        let (passage, frame) = match record.what {
            What::Sent { frame } => (Passage::Forth, frame),
            What::Delivered { frame } => (Passage::Back, frame),
            _ => return None,
        };
        match self {
            Self::Everywhere => (passage == Passage::Forth).then_some((passage, frame)),
            Self::Link { pipes, from, .. } => {
                let index = from.iter().position(|end| *end == (node, port) && passage == Passage::Forth)?;
                let is_first = pipes.get(index)?.direction() == crate::id::Direction::AToB;
                Some((if is_first { Passage::Forth } else { Passage::Back }, frame))
            }
            Self::Node { node: mine, port: at, only } => {
                let is_here = *mine == node && at.is_none_or(|at| at == port);
                (is_here && only.is_none_or(|only| only == passage)).then_some((passage, frame))
            }
        }
    }

    /// The frame that reaches the end of what is looked at in this record, if one does: a link's far end, or the node.
    #[must_use]
    pub fn delivery<'r>(&self, record: &Record<'r>) -> Option<&'r Frame> {
        let (Place::Port(node, port), What::Delivered { frame }) = (record.place, &record.what) else { return None };
        let is_here = match self {
            Self::Everywhere => true,
            Self::Link { to, .. } => to.contains(&(node, port)),
            Self::Node { node: mine, port: at, .. } => *mine == node && at.is_none_or(|at| at == port),
        };
        is_here.then_some(*frame)
    }

    /// What is dropped here in this record, if anything: on the link, or inside the node.
    #[must_use]
    pub fn loss<'r>(&self, record: &Record<'r>) -> Option<(&'r Frame, Cause, Option<RuleId>)> {
        let What::Dropped { frame, cause, rule } = record.what else { return None };
        let is_here = match (self, record.place) {
            (Self::Everywhere, _) => true,
            (Self::Link { pipes, .. }, Place::Pipe(pipe)) => pipes.contains(&pipe),
            (Self::Node { node, port, .. }, Place::Port(at, port_at)) => {
                *node == at && port.is_none_or(|port| port == port_at)
            }
            // A node drops what it has taken in; at which port that was is not told.
            (Self::Node { node, .. }, Place::Node(at)) => *node == at,
            _ => false,
        };
        is_here.then_some((frame, cause, rule))
    }
}
