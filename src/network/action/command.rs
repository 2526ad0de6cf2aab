//! What nodes and programs are told: `crash`, `restart`, `start`, `stop`.

use std::time::Duration;

use super::{Action, ActionBuilder, Occasion, Plan};
use crate::id::NodeId;
use crate::network::Network;
use crate::node::Command;
use crate::read::{Diagnostic, Field, Form, Kind, Need};
use crate::units::format_duration;

const NODE: Field = Field { name: "node", form: Form::Node, need: Need::Required, doc: "Which node." };

const APP: Field = Field { name: "app", form: Form::App, need: Need::Required, doc: "Which program." };

/// `do = "crash"`.
pub(super) const CRASH: Kind<ActionBuilder> = Kind {
    name: "crash",
    doc: "Has a node lose all state and fall silent: connections, neighbors, what waits in it.",
    example: "[[at]]\nt = \"5s\"\ndo = \"crash\"\nnode = \"server\"\nfor = \"2s\"\n",
    fields: &[
        NODE,
        Field {
            name: "for",
            form: Form::Duration,
            need: Need::Optional,
            doc: "It restarts this much later; if left out, it stays silent.",
        },
    ],
    build: |table, occasion| {
        let lasts_for = table.get::<Duration>("for");
        Some(Box::new(NodePlan { occasion, node: table.node("node")?, command: Command::Crash, lasts_for }))
    },
};

/// `do = "restart"`.
pub(super) const RESTART: Kind<ActionBuilder> = Kind {
    name: "restart",
    doc: "Has a node begin anew, after a crash or in place of one; its programs start from their beginning.",
    example: "[[at]]\nt = \"7s\"\ndo = \"restart\"\nnode = \"server\"\n",
    fields: &[NODE],
    build: |table, occasion| {
        let node = table.node("node")?;
        Some(Box::new(NodePlan { occasion, node, command: Command::Restart, lasts_for: None }))
    },
};

/// `do = "start"`.
pub(super) const START: Kind<ActionBuilder> = Kind {
    name: "start",
    doc: "Starts a program, from its beginning.",
    example: "[[at]]\nt = \"3s\"\ndo = \"start\"\napp = \"fetch\"\n",
    fields: &[APP],
    build: |table, occasion| Some(Box::new(AppPlan { occasion, app: table.app("app")?, starts: true })),
};

/// `do = "stop"`.
pub(super) const STOP: Kind<ActionBuilder> = Kind {
    name: "stop",
    doc: "Ends a program where it stands; its sockets close.",
    example: "[[at]]\nt = \"4s\"\ndo = \"stop\"\napp = \"fetch\"\n",
    fields: &[APP],
    build: |table, occasion| Some(Box::new(AppPlan { occasion, app: table.app("app")?, starts: false })),
};

#[derive(Debug)]
struct NodePlan {
    occasion: Occasion,
    node: String,
    command: Command,
    lasts_for: Option<Duration>,
}

impl Plan for NodePlan {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let node = find_node(network, &self.node);
        let (at, text) = (self.occasion.at, self.describe());
        network.plan(at, Box::new(Order { node, command: self.command.clone(), text }));
        if let Some(lasts_for) = self.lasts_for {
            let text = format!("restart {}", self.node);
            network.plan(at + lasts_for, Box::new(Order { node, command: Command::Restart, text }));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let lasts_for = self.lasts_for.map(|lasts_for| format!(" for {}", format_duration(lasts_for)));
        format!("{} {}{}", self.command.verb(), self.node, lasts_for.unwrap_or_default())
    }
}

#[derive(Debug)]
struct AppPlan {
    occasion: Occasion,
    app: String,
    starts: bool,
}

impl Plan for AppPlan {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let app = network.find_app(&self.app).expect("the reader checked the name, and the scenario made the program");
        let node = network.names().apps[app.0 as usize].node;
        let command = if self.starts { Command::StartApp(app) } else { Command::StopApp(app) };
        network.plan(self.occasion.at, Box::new(Order { node, command, text: self.describe() }));
        Ok(())
    }

    fn describe(&self) -> String {
        format!("{} {}", if self.starts { "start" } else { "stop" }, self.app)
    }
}

/// The node of a name that the reader has checked.
pub(super) fn find_node(network: &Network, node: &str) -> NodeId {
    network.find_node(node).expect("the reader checked the name, and the scenario made the node")
}

/// Tells a node to do something, and tells of it.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which node.
    pub node: NodeId,
    /// What it is to do.
    pub command: Command,
    /// What it is to do, in words: `crash server`.
    pub text: String,
}

impl Action for Order {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.command(self.node, &self.command)
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}
