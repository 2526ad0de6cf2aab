//! From a plan to a network with everything in it.

use std::sync::Arc;

use super::RustProgram;
use super::kinds;
use super::section::{AppPlan, Plan};
use crate::expect::Judge;
use crate::id::{AppId, Direction, NodeId, PipeId, PortId};
use crate::net::Hosts;
use crate::network::{Action, Network};
use crate::node::Command;
use crate::output::Output;
use crate::read::Diagnostic;
use crate::time::Time;

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
    let hosts = Arc::new(plan.hosts.clone());
    let mut network = Network::new(plan.seed);
    let mut problems = add_programs(&mut plan, programs);
    add_nodes(&plan, &hosts, &mut network);
    add_links(&plan, &mut network);
    start_apps(&plan, &mut network);
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
        let node = plan.layout.nodes.iter().position(|node| node.name == added.node && node.role.is_machine());
        let Some(node) = node else {
            let machines = plan.layout.nodes.iter().filter(|node| node.role.is_machine());
            let title = format!("the program `{}` is to run on `{}`, which is no machine", added.name, added.node);
            let machines = machines.map(|node| node.name.as_str());
            problems.push(Diagnostic::new(0..0, title).not_among(&added.node, machines));
            continue;
        };
        if plan.apps.iter().any(|app| app.name == added.name) {
            problems.push(Diagnostic::new(0..0, format!("two programs are called `{}`", added.name)));
            continue;
        }
        let (name, program) = (added.name.clone(), added.program.clone());
        let start = Some(added.start);
        plan.apps.push(AppPlan { name, kind: "rust".into(), node, program, start, stop: None, line: 0 });
    }
    problems
}

/// Adds all nodes, each with its programs, and registers these.
fn add_nodes(plan: &Plan, hosts: &Arc<Hosts>, network: &mut Network) {
    let mut apps_of: Vec<Vec<(AppId, &AppPlan)>> = vec![Vec::new(); plan.layout.nodes.len()];
    for (index, app) in plan.apps.iter().enumerate() {
        let id = AppId(u32::try_from(index).expect("a section has far fewer entries than a u32 counts"));
        apps_of[app.node].push((id, app));
    }
    for ((node, making), apps) in plan.layout.nodes.iter().zip(&plan.makings).zip(&apps_of) {
        let ports = node.interfaces.iter().map(|interface| interface.name.clone()).collect();
        let made = kinds::make(node, making, apps, hosts, plan.seed);
        network.add_node(node.name.clone(), ports, made);
    }
    for app in &plan.apps {
        network.add_app(app.name.clone(), app.kind.clone(), node_id(app.node));
    }
}

fn add_links(plan: &Plan, network: &mut Network) {
    for (link, properties) in plan.layout.links.iter().zip(&plan.properties) {
        let ends = [0, 1].map(|end| {
            let end = &link.ends[end];
            (node_id(end.node), PortId(u16::try_from(end.port).expect("a node has at most 65,536 ports")))
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

fn start_apps(plan: &Plan, network: &mut Network) {
    for (index, app) in plan.apps.iter().enumerate() {
        let id = AppId(u32::try_from(index).expect("a section has far fewer entries than a u32 counts"));
        let mut plan_at = |at: Option<Time>, command: Command| {
            if let Some(at) = at {
                network.plan(at, Box::new(TellNode { node: node_id(app.node), app: app.name.clone(), command }));
            }
        };
        plan_at(app.start, Command::StartApp(id));
        plan_at(app.stop, Command::StopApp(id));
    }
}

fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("a section has far fewer entries than a u32 counts"))
}

/// Starts or stops a program at the time that its own table names.
#[derive(Debug)]
struct TellNode {
    node: NodeId,
    app: String,
    command: Command,
}

impl Action for TellNode {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.command(self.node, &self.command)
    }

    fn describe(&self) -> String {
        match self.command {
            Command::StopApp(_) => format!("stop {}", self.app),
            _ => format!("start {}", self.app),
        }
    }
}
