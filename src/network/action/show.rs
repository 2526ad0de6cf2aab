//! `show`: what a node is like at a time, told as a note.

use std::sync::{Arc, Mutex, PoisonError};

use super::command::find_node;
use super::{Action, ActionBuilder, Occasion, Plan};
use crate::id::NodeId;
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Located, Need};
use crate::time::Time;

/// `do = "show"`.
pub(super) const SHOW: Kind<ActionBuilder> = Kind {
    name: "show",
    doc: "Tells a part of a node's state as the tools that people know show it.",
    example: "[[at]]\nt = \"3s\"\ndo = \"show\"\nnode = \"server\"\nwhat = \"counters\"\n",
    fields: &[
        Field { name: "node", form: Form::Node, need: Need::Required, doc: "Which node." },
        Field {
            name: "what",
            form: Form::Text,
            need: Need::Required,
            doc: "`counters` or `interfaces` of any node; `addr`, `arp`, `cache`, `dns`, `firewall`, `leases`, `nat`, `neigh`, `netstat`, \
                  `resolv`, `route`, `sockets` or `ss` of a host or router, `ospf` or `rip` of a router that runs them; `fdb`, \
                  `stp` or `vlan` of a switch.",
        },
    ],
    build: |table, occasion| {
        let (node, what) = (table.node("node"), table.get::<Located<String>>("what"));
        Some(Box::new(ShowPlan { occasion, node: node?, what: what? }))
    },
};

#[derive(Debug)]
struct ShowPlan {
    occasion: Occasion,
    node: String,
    what: Located<String>,
}

impl Plan for ShowPlan {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let node = find_node(network, &self.node);
        let (views, what) = (network.views(node), &self.what.value);
        if !views.contains(&what.as_str()) {
            let title = format!("`{}` cannot show `{what}`", self.node);
            return Err(Diagnostic::new(self.what.span.clone(), title).not_among(what, views));
        }
        network.plan(self.occasion.at, Box::new(Show { node, what: what.clone(), shelf: None }));
        Ok(())
    }

    fn describe(&self) -> String {
        format!("show {} of {}", self.what.value, self.node)
    }
}

/// What a node was like at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// When.
    pub at: Time,
    /// The node's name.
    pub node: String,
    /// What was shown: `route`.
    pub what: String,
    /// The lines.
    pub text: String,
}

/// Where views are kept for who asked. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Mutex<Vec<View>>>);

impl Shelf {
    /// Takes what has been shown so far, in the order of time.
    #[must_use]
    pub fn take(&self) -> Vec<View> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Shows a part of a node's state: to all who watch, as a note, or to one who asked, whom nobody else hears.
#[derive(Debug, Clone)]
pub struct Show {
    /// Which node.
    pub node: NodeId,
    /// What: one of [`Network::views`].
    pub what: String,
    /// Where it goes in place of a note.
    pub shelf: Option<Shelf>,
}

impl Action for Show {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        let text = network.show(self.node, &self.what).ok_or("there is no view of that name")?;
        let Some(shelf) = &self.shelf else {
            let (below, text) = if text.is_empty() { (": ", "nothing") } else { ("\n", text.trim_end()) };
            network.note(self.node, || format!("show {}{below}{text}", self.what));
            return Ok(());
        };
        let (at, node) = (network.now(), network.names().node(self.node).to_owned());
        let view = View { at, node, what: self.what.clone(), text };
        shelf.0.lock().unwrap_or_else(PoisonError::into_inner).push(view);
        Ok(())
    }

    fn describe(&self) -> String {
        format!("show {} (node {})", self.what, self.node.0)
    }
}
