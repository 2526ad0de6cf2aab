//! What the tests of this folder share: a plan, or what is wrong, from a few lines.

use super::section::{self, Plan};
use crate::read::Source;

/// The plan of a scenario that is right.
pub(super) fn plan(text: &str) -> Plan {
    let source = Source { name: "test".into(), text: text.into() };
    section::read(&source, &[], &[], &[]).unwrap_or_else(|refused| panic!("{}", refused.mistakes))
}

/// The mistakes of a scenario: for each, what stands there and the title.
pub(super) fn mistakes(text: &str) -> Vec<String> {
    let source = Source { name: "test".into(), text: text.into() };
    let Err(refused) = section::read(&source, &[], &[], &[]) else { return Vec::new() };
    let told = refused
        .mistakes
        .diagnostics
        .iter()
        .map(|problem| format!("{}: {}", text.get(problem.span.clone()).unwrap_or("?"), problem.title));
    told.collect()
}

/// Every address of a plan with its place: `client:eth0 10.0.0.1/24`.
pub(super) fn addresses(plan: &Plan) -> Vec<String> {
    let places = plan.layout.nodes.iter().flat_map(|node| {
        node.interfaces.iter().flat_map(move |interface| {
            interface.addresses.iter().map(move |address| format!("{}:{} {address}", node.name, interface.name))
        })
    });
    places.collect()
}

/// Every route of one node that was found or stands for its gateway: `default via 10.0.0.1`.
pub(super) fn routes(plan: &Plan, node: &str) -> Vec<String> {
    let node = plan.layout.nodes.iter().find(|one| one.name == node).expect("a test names a node that is there");
    let spelled = node.routes.iter().map(|route| {
        let to = if route.prefix.prefix_len() == 0 { "default".into() } else { route.prefix.to_string() };
        format!("{to} via {}", route.via.expect("a route that was found has a router"))
    });
    spelled.collect()
}
