//! From a plan to a network with everything in it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::layout::is_machine;
use super::section::{AppPlan, Plan, name_on};
use super::{Places, RustProgram};
use crate::expect::Judge;
use crate::id::{AppId, Direction, NodeId, PipeId, PortId};
use crate::network::{Action, Network};
use crate::node::{Command, Machine, Role};
use crate::output::Output;
use crate::read::{Diagnostic, fits};

/// A network that is ready to run, with those who watch it.
pub(super) struct Built {
    pub(super) network: Network,
    pub(super) judge: Judge,
    pub(super) outputs: Vec<Kept>,
}

/// An output without its observer, which the network has.
pub(super) struct Kept {
    pub(super) kind: &'static str,
    pub(super) sink: crate::output::Sink,
    pub(super) summary: Option<crate::output::Summary>,
}

/// Builds the network. What only the network shows to be wrong is told at once and in full.
pub(super) fn build(mut plan: Plan, programs: &[RustProgram]) -> Result<Built, Vec<Diagnostic>> {
    let mut network = Network::new(plan.seed);
    network.stop_at_misdeeds(plan.stops_at_misdeeds);
    let mut problems = add_programs(&mut plan, programs);
    add_nodes(&mut plan, &mut network);
    add_links(&plan, &mut network);
    stop_apps(&plan, &mut network);
    for timed in &plan.timed {
        problems.extend(timed.install(&mut network).err());
    }
    // The judge watches before the outputs, so that what is judged at a time is judged on the same records.
    let judge = match Judge::new(&plan.expected, &mut network) {
        Ok(judge) => judge,
        Err(found) => {
            problems.extend(found);
            return Err(problems);
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let outputs = plan.watching.outputs.into_iter().map(|Output { kind, observer, sink, summary }| {
        network.observe(observer);
        Kept { kind, sink, summary }
    });
    let outputs = outputs.collect();
    Ok(Built { network, judge, outputs })
}

/// Adds the programs that are Rust code; what is wrong with them.
fn add_programs(plan: &mut Plan, programs: &[RustProgram]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for added in programs {
        for (name, node) in places_of(added, plan, &mut problems) {
            if plan.apps.iter().any(|app| app.name == name) {
                problems.push(Diagnostic::new(0..0, format!("two programs are called `{name}`")));
                continue;
            }
            let (program, start) = (added.program.clone(), Some(added.start));
            plan.apps.push(AppPlan { name, kind: "rust".into(), node, program, start, stop: None });
        }
    }
    problems
}

/// Where a program runs, and what it is called there; what is wrong with that.
fn places_of(added: &RustProgram, plan: &Plan, problems: &mut Vec<Diagnostic>) -> Vec<(String, usize)> {
    let machines = || {
        let nodes = plan.layout.nodes.iter().enumerate();
        nodes.filter(|(_, node)| is_machine(node.role) && node.role != Role::Gateway)
    };
    let mut places = Vec::new();
    let (wanted, is_one) = match &added.places {
        Places::Each(nodes) => (nodes.as_slice(), false),
        Places::One(node) => (std::slice::from_ref(node), true),
    };
    for pattern in wanted {
        let found: Vec<(usize, &str)> = machines()
            .filter(|(_, node)| if is_one { node.name == *pattern } else { fits(pattern, &node.name) })
            .map(|(index, node)| (index, node.name.as_str()))
            .collect();
        if found.is_empty() {
            let title = format!("the program `{}` is to run on `{pattern}`, which is no machine", added.name);
            let known = machines().map(|(_, node)| node.name.as_str());
            problems.push(Diagnostic::new(0..0, title).not_among(pattern, known));
        }
        for (index, node) in found {
            let name = if is_one { added.name.clone() } else { name_on(&added.name, node) };
            // Two patterns may mean the same node.
            if !places.iter().any(|(_, place)| *place == index) {
                places.push((name, index));
            }
        }
    }
    places
}

/// Adds all nodes, each with its programs, and registers these.
fn add_nodes(plan: &mut Plan, network: &mut Network) {
    for (index, app) in plan.apps.iter().enumerate() {
        let machine = plan.nodes[app.node].as_any().downcast_mut::<Machine>();
        let machine = machine.expect("only machines are given programs");
        machine.add_program(app_id(index), app.name.clone(), app.start, app.program.clone());
    }
    for (plan, node) in plan.layout.nodes.iter().zip(plan.nodes.drain(..)) {
        let ports = plan.interfaces.iter().map(|interface| interface.name.clone()).collect();
        let id = network.add_node(plan.name.clone(), ports, node);
        for (index, interface) in plan.interfaces.iter().enumerate().filter(|_| plan.role != Role::Bridge) {
            let foreseen = interface.foreseen.iter().copied().map(IpAddr::V6);
            let addresses = interface.addresses.iter().map(IpNet::addr).chain(foreseen).collect();
            network.add_interface(id, port_id(index), interface.mac, addresses);
        }
    }
    for app in &plan.apps {
        network.add_app(app.name.clone(), app.kind.clone(), node_id(app.node));
    }
}

fn add_links(plan: &Plan, network: &mut Network) {
    for (link, properties) in plan.layout.links.iter().zip(&plan.properties) {
        let ends = [0, 1].map(|end| {
            let end = &link.ends[end];
            (node_id(end.node), port_id(end.port))
        });
        let specs = [0, 1].map(|way| properties[way].spec.clone());
        let id = network.add_link(link.name.clone(), ends, specs).expect("the layout has checked the ends");
        for (direction, properties) in Direction::BOTH.into_iter().zip(properties) {
            for placed in &properties.impairments {
                network.add_impairment(PipeId::new(id, direction), placed.impairment.clone(), placed.line);
            }
        }
    }
}

fn stop_apps(plan: &Plan, network: &mut Network) {
    for (index, app) in plan.apps.iter().enumerate() {
        if let Some(stop) = app.stop {
            let stopping = StopApp { node: node_id(app.node), app: app_id(index), name: app.name.clone() };
            network.plan(stop, Box::new(stopping));
        }
    }
}

fn app_id(index: usize) -> AppId {
    AppId(u32::try_from(index).expect("a section has far fewer entries than a u32 counts"))
}

fn port_id(index: usize) -> PortId {
    PortId(u16::try_from(index).expect("the layout gives a node at most 65,536 ports"))
}

fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("a section has far fewer entries than a u32 counts"))
}

/// Stops a program at the time that its own table names.
#[derive(Debug)]
struct StopApp {
    node: NodeId,
    app: AppId,
    name: String,
}

impl Action for StopApp {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.command(self.node, &Command::StopApp(self.app))
    }

    fn describe(&self) -> String {
        format!("stop {}", self.name)
    }
}
