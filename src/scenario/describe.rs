//! What a scenario makes, for people: `hopwise check`.
//!
//! Nodes show themselves as `ip addr` and `ip route` would, because that is what their readers know.

use std::fmt::Write as _;

use super::layout::NodePlan;
use super::section::{AppPlan, Plan};
use crate::link::{PipeProperties, Property};
use crate::node::Role;
use crate::node::machine::{RouteKind, RouteSpec};
use crate::node::switch::Membership;
use crate::output::cells::{cells, left};
use crate::time::Time;

/// How many routes of one machine are listed.
const ROUTES_LISTED_MAX: usize = 100;

pub(super) fn describe(plan: &Plan) -> String {
    let mut text = format!("{}\n", plan.name);
    if !plan.about.is_empty() {
        line(&mut text, 0, &plan.about);
    }
    let (nodes, links, apps) = (plan.layout.nodes.len(), plan.layout.links.len(), plan.apps.len());
    let counts = [count(nodes, "node"), count(links, "link"), count(apps, "program")].join(", ");
    line(&mut text, 0, &format!("{counts}; seed {}; ends at {} s at the latest", plan.seed, plan.stop));
    for (index, node) in plan.layout.nodes.iter().enumerate() {
        text.push('\n');
        describe_node(&mut text, plan, index, node);
    }
    if links > 0 {
        text.push_str("\nlinks\n");
    }
    let links = plan.layout.links.iter().zip(&plan.properties).map(|(link, properties)| {
        let ends = link.ends.each_ref().map(|end| {
            let node = &plan.layout.nodes[end.node];
            format!("{}:{}", node.name, node.interfaces[end.port].name)
        });
        [link.name.clone(), ends.join(" -- "), properties_of(properties)]
    });
    rows(&mut text, &links.collect::<Vec<_>>());
    if apps > 0 {
        text.push_str("\nprograms\n");
    }
    rows(&mut text, &plan.apps.iter().map(|app| describe_app(app, plan)).collect::<Vec<_>>());
    if !plan.timed.is_empty() {
        text.push_str("\nat\n");
    }
    let timed = plan.timed.iter().map(|timed| {
        let name = timed.occasion.name.as_ref().map_or_else(String::new, |name| format!("({name})"));
        [format!("{} s", timed.occasion.at), timed.describe(), name]
    });
    rows(&mut text, &timed.collect::<Vec<_>>());
    if !plan.expected.is_empty() {
        text.push_str("\nexpect\n");
    }
    for expected in &plan.expected {
        let due = expected.due_at.map_or_else(String::new, |at| format!("at {at} s: "));
        line(&mut text, 1, &format!("{due}{}", expected.name.lines().next().unwrap_or("")));
    }
    text
}

fn line(text: &mut String, depth: usize, content: &str) {
    let _ = writeln!(text, "{}{content}", "  ".repeat(depth));
}

/// Lines of cells that stand below each other.
fn rows<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| cells(&row[column])).max().unwrap_or(0));
    for row in rows {
        let padded: Vec<String> = row.iter().zip(widths).map(|(cell, width)| left(cell, width)).collect();
        let joined = padded.join("  ");
        joined.lines().for_each(|row| line(text, usize::from(!row.starts_with(' ')), row.trim_end()));
    }
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn describe_node(text: &mut String, plan: &Plan, index: usize, node: &NodePlan) {
    line(text, 0, &format!("{} ({})", node.name, plan.nodes[index].kind()));
    let interfaces = node.interfaces.iter().map(|interface| {
        let link = interface.link.or_else(|| node.interfaces.get(interface.vlan?.parent)?.link);
        let link = link.map_or("no link", |link| plan.layout.links[link].name.as_str());
        let mut addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        addresses.extend(interface.foreseen.iter().map(|address| format!("{address}/64 (from advertisements)")));
        match node.role {
            Role::Bridge => {
                let vlans = node.vlans.as_ref().map(|vlans| vlans.get(&interface.name).unwrap_or(&Membership::UNSAID));
                let vlans = vlans.map_or_else(String::new, ToString::to_string);
                [interface.name.clone(), link.to_owned(), vlans, String::new()]
            }
            _ => {
                if interface.is_dynamic {
                    addresses.push("dhcp".to_owned());
                }
                let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(" ") };
                let mac: Vec<String> = interface.mac.iter().map(|byte| format!("{byte:02x}")).collect();
                [interface.name.clone(), addresses, mac.join(":"), link.to_owned()]
            }
        }
    });
    rows(text, &interfaces.collect::<Vec<_>>());
    let is_written = |route: &RouteSpec| node.gateways.iter().any(|via| route.via == Some(via.value));
    let found = node.routes.iter().map(|route| (route, node.wants_routes || !is_written(route)));
    let routes: Vec<_> = node.written_routes.iter().map(|route| (route, false)).chain(found).collect();
    for (route, is_found) in routes.iter().take(ROUTES_LISTED_MAX) {
        line(text, 1, &format!("{}{}", spell(route, node), if *is_found { "" } else { "  (written)" }));
    }
    for (kind, version) in &node.routed_by {
        line(text, 1, &format!("IPv{version} routes: those that `{kind}` finds"));
    }
    if routes.len() > ROUTES_LISTED_MAX {
        line(text, 1, &format!("and {} more routes", routes.len() - ROUTES_LISTED_MAX));
    }
}

/// As `ip route` prints it: `10.0.2.0/24 via 10.0.1.1`.
fn spell(route: &RouteSpec, node: &NodePlan) -> String {
    let mut text = match route.kind {
        RouteKind::Unicast => String::new(),
        kind => format!("{} ", kind.name()),
    };
    let is_default = route.prefix.prefix_len() == 0;
    text.push_str(&if is_default { "default".to_owned() } else { route.prefix.to_string() });
    if let Some(via) = route.via {
        let _ = write!(text, " via {via}");
    }
    if let Some(interface) = route.interface.and_then(|index| node.interfaces.get(index)) {
        let _ = write!(text, " dev {}", interface.name);
    }
    if route.metric > 0 {
        let _ = write!(text, " metric {}", route.metric);
    }
    text
}

/// What a link is like, where it is not as every link is: once if both directions are alike.
fn properties_of(both: &[PipeProperties; 2]) -> String {
    let [ab, ba] = both.each_ref().map(properties_of_one);
    if ab == ba {
        ab.join("  ")
    } else {
        let one = |properties: &[String]| match properties {
            [] => "as usual".to_owned(),
            some => some.join("  "),
        };
        // Each on a line of its own: there may be much to say.
        format!("\n    -> {}\n    <- {}", one(&ab), one(&ba))
    }
}

fn properties_of_one(one: &PipeProperties) -> Vec<String> {
    let usual = PipeProperties::default().spec;
    let spec = &one.spec;
    let mut properties = Vec::new();
    if spec.delay != usual.delay {
        properties.push(Property::Delay(spec.delay));
    }
    if spec.rate != usual.rate {
        properties.push(Property::Rate(spec.rate));
    }
    if spec.mtu != usual.mtu {
        properties.push(Property::Mtu(spec.mtu));
    }
    if spec.queue != usual.queue {
        properties.push(Property::Queue(spec.queue));
    }
    properties.extend(one.impairments.iter().map(|placed| Property::Impairment {
        kind: placed.impairment.kind(),
        impairment: Some(placed.impairment.clone()),
    }));
    properties.iter().map(ToString::to_string).collect()
}

fn describe_app(app: &AppPlan, plan: &Plan) -> [String; 2] {
    let node = &plan.layout.nodes[app.node].name;
    let start = match app.start {
        Some(Time::ZERO) => String::new(),
        Some(start) => format!(" from {start} s"),
        None => " when it is told to".to_owned(),
    };
    let stop = app.stop.map_or_else(String::new, |stop| format!(" until {stop} s"));
    [app.name.clone(), format!("{} on {node}{start}{stop}", app.kind)]
}
