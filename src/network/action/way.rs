//! Which directions of a link an entry means: `dir = "client -> sw1"`.

use crate::id::{Direction, LinkId, NodeId, PipeId, PortId};
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Item, Need, Read, Span};

/// The field as all kinds that have it declare it.
pub(crate) const DIR: Field = Field {
    name: "dir",
    form: Form::Text,
    need: Need::Optional,
    doc: "One direction only: `\"client -> sw1\"`, or `\"ab\"` (from the link's first end) or `\"ba\"`. Both if left out.",
};

/// Which directions of a link are meant. The link's ends are looked up when the network exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Way {
    /// Both.
    #[default]
    Both,
    /// By the names of two ends: `client -> sw1`, `client:eth0 -> sw1`.
    Between {
        /// Where frames come from: a node, perhaps with a port.
        from: String,
        /// Where they go.
        to: String,
        /// Where this stands in the file.
        span: Span,
    },
    /// This one.
    One(Direction),
}

impl Way {
    /// The directions of `link` that are meant.
    ///
    /// # Errors
    ///
    /// When the link does not lead between the named ends.
    pub fn directions(&self, link: LinkId, network: &Network) -> Result<Vec<Direction>, Diagnostic> {
        match self {
            Self::Both => Ok(Direction::BOTH.to_vec()),
            Self::One(direction) => Ok(vec![*direction]),
            Self::Between { from, to, span } => {
                let names = network.names();
                let is_end = |text: &str, (node, port): (NodeId, PortId)| {
                    let (node_name, port_name) = text.split_once(':').map_or((text, None), |(n, p)| (n, Some(p)));
                    names.node(node) == node_name && port_name.is_none_or(|name| names.port(node, port) == name)
                };
                let fits = |direction: &Direction| {
                    let pipe = PipeId::new(link, *direction);
                    is_end(from, names.source(pipe)) && is_end(to, names.destination(pipe))
                };
                if let Some(direction) = Direction::BOTH.into_iter().find(fits) {
                    return Ok(vec![direction]);
                }
                let [a, b] = names.links[link.0 as usize].ends.map(|(node, _)| names.node(node).to_owned());
                let title = format!("`{}` does not lead from `{from}` to `{to}`", names.link(link));
                Err(Diagnostic::new(span.clone(), title).label(format!("either \"{a} -> {b}\" or \"{b} -> {a}\"")))
            }
        }
    }

    /// The pipes of `link` that are meant.
    ///
    /// # Errors
    ///
    /// As [`directions`](Self::directions).
    pub fn pipes(&self, link: LinkId, network: &Network) -> Result<Vec<PipeId>, Diagnostic> {
        let directions = self.directions(link, network)?;
        Ok(directions.into_iter().map(|direction| PipeId::new(link, direction)).collect())
    }

    /// In parentheses behind a link's name, where it is not both: ` (client -> sw1)`.
    #[must_use]
    pub fn suffix(&self) -> String {
        match self {
            Self::Both => String::new(),
            Self::Between { from, to, .. } => format!(" ({from} -> {to})"),
            Self::One(Direction::AToB) => " (ab)".to_owned(),
            Self::One(Direction::BToA) => " (ba)".to_owned(),
        }
    }
}

impl<'d> Read<'d> for Way {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("a direction in quotes")?;
        match text.trim() {
            "ab" => return Some(Self::One(Direction::AToB)),
            "ba" => return Some(Self::One(Direction::BToA)),
            "both" => return Some(Self::Both),
            _ => {}
        }
        let Some((from, to)) = text.split_once("->").or_else(|| text.split_once('>')) else {
            let diagnostic = Diagnostic::new(item.span.clone(), format!("`{text}` is not a direction"));
            item.reader.report(diagnostic.label("such as \"client -> sw1\", \"ab\" or \"ba\""));
            return None;
        };
        let known = &item.reader.scope.nodes;
        let mut is_right = true;
        for (end, begins_at) in [(from, 0), (to, text.len() - to.len())] {
            let begins_at = begins_at + (end.len() - end.trim_start().len());
            let node = end.trim().split(':').next().unwrap_or_default();
            if !known.iter().any(|name| name == node) {
                let title = format!("no node is called `{node}`");
                let diagnostic = Diagnostic::new(item.part(begins_at..begins_at + node.len()), title);
                item.reader.report_unknown(diagnostic.not_among(node, known.iter().map(String::as_str)), &["nodes"]);
                is_right = false;
            }
        }
        let span = item.span.clone();
        is_right.then(|| Self::Between { from: from.trim().to_owned(), to: to.trim().to_owned(), span })
    }
}
