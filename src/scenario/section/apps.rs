//! `[apps]`: programs on nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::dhcp::client_program::Habits;
use crate::app::{self, AppBuilder};
use crate::net::Program;
use crate::node::Role;
use crate::read::{Diagnostic, Field, Form, Item, Kind, Located, Need, Read, Table, fits};
use crate::scenario::layout::{Layout, NodePlan, is_machine};
use crate::time::Time;

/// The keys that every program has.
pub(crate) static APP_FIELDS: &[Field] = &[
    Field {
        name: "on",
        form: Form::Either(&[Form::Node, Form::List(&Form::Node)]),
        need: Need::Required,
        doc: "Where it runs. On each node of a list, or of a pattern such as `h*`, one runs, called `name@node`; `*` is every host and router, and for a program that finds routes every router; `all hosts` and `all routers` are what they say.",
    },
    Field { name: "kind", form: Form::Text, need: Need::Required, doc: "Which program." },
    Field {
        name: "start",
        form: Form::Either(&[Form::Duration, Form::OneOf(&["never"])]),
        need: Need::Default("0s"),
        doc: "When it starts; `never`: only when a timed action starts it.",
    },
    Field { name: "stop", form: Form::Duration, need: Need::Optional, doc: "When it is stopped, if it still runs." },
];

/// A program that is ready to be installed.
#[derive(Debug)]
pub(crate) struct AppPlan {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Index of the node.
    pub(crate) node: usize,
    pub(crate) program: Program,
    /// `None`: never, unless a timed action starts it.
    pub(crate) start: Option<Time>,
    pub(crate) stop: Option<Time>,
}

/// What a program is called that runs on each node of a list.
pub(in crate::scenario) fn name_on(name: &str, node: &str) -> String {
    format!("{name}@{node}")
}

/// The words that mean every node of a role.
const ROLES: [(&str, Role); 2] = [("all hosts", Role::Host), ("all routers", Role::Router)];

/// Whether what stands behind `on` means several nodes.
pub(super) fn is_for_many(on: &str) -> bool {
    on.contains('*') || ROLES.iter().any(|(words, _)| *words == on)
}

/// Whether a pattern means a node.
pub(super) fn means(pattern: &str, name: &str, is_router: bool) -> bool {
    match ROLES.iter().find(|(words, _)| *words == pattern) {
        Some((_, role)) => is_router == (*role == Role::Router),
        None => fits(pattern, name),
    }
}

/// Whether a program of this kind runs on a node of this role: those that find routes run on routers.
fn runs_on(kind: Option<&str>, role: Role) -> bool {
    let is_routing = kind.is_some_and(|kind| app::ROUTING.iter().any(|(name, _)| *name == kind));
    if is_routing { role == Role::Router } else { is_machine(role) }
}

/// Notes which routers find their own routes. Told before routes are found, so mistakes are left for [`read`].
pub(super) fn note_routing(entries: &[(Located<&str>, Table<'_>)], layout: &mut Layout) {
    for (_, table) in entries {
        let word = |item: Item<'_>| item.value.as_str().map(str::to_owned);
        let kind = table.item("kind").and_then(word);
        let Some((kind, version)) = app::ROUTING.iter().find(|(name, _)| Some(*name) == kind.as_deref()) else {
            continue;
        };
        let Some(on) = table.item("on") else { continue };
        let listed = on.value.as_array().into_iter().flatten().filter_map(|node| node.get_ref().as_str());
        let patterns: Vec<&str> = on.value.as_str().into_iter().chain(listed).collect();
        for node in layout.nodes.iter_mut().filter(|node| node.role == Role::Router) {
            if patterns.iter().any(|pattern| means(pattern, &node.name, true))
                && !node.routed_by.contains(&(kind, *version))
            {
                node.routed_by.push((kind, *version));
            }
        }
    }
}

/// When a program starts.
enum Start {
    At(Duration),
    Never,
}

impl<'d> Read<'d> for Start {
    fn read(item: &Item<'d>) -> Option<Self> {
        if item.value.as_str() == Some("never") { Some(Self::Never) } else { Duration::read(item).map(Self::At) }
    }
}

/// Reads all programs.
pub(super) fn read(entries: &[(Located<&str>, Table<'_>)], layout: &Layout) -> Vec<AppPlan> {
    let nodes: BTreeMap<&str, usize> =
        layout.nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    let entries = entries.iter().take_while(|(_, table)| !table.reader.is_full());
    let mut apps: Vec<AppPlan> = entries.flat_map(|(name, table)| read_app(name, table, layout, &nodes)).collect();
    add_dhcp_clients(&mut apps, layout);
    apps
}

/// What the DHCP client is called that a machine has by itself.
pub(super) fn dhcp_client_on(node: &str) -> String {
    name_on("dhcp", node)
}

/// Adds a DHCP client for every machine that needs one and has none written.
fn add_dhcp_clients(apps: &mut Vec<AppPlan>, layout: &Layout) {
    let kind = app::dhcp::client_program::KIND.name;
    for (index, node) in layout.nodes.iter().enumerate().filter(|(_, node)| node.is_dynamic()) {
        let name = dhcp_client_on(&node.name);
        if apps.iter().any(|app| (app.node == index && app.kind == kind) || app.name == name) {
            continue;
        }
        apps.push(AppPlan {
            name,
            kind: kind.to_owned(),
            node: index,
            program: app::dhcp::client_program::program(Habits::default()),
            start: Some(Time::ZERO),
            stop: None,
        });
    }
}

fn read_app(name: &Located<&str>, table: &Table<'_>, layout: &Layout, nodes: &BTreeMap<&str, usize>) -> Vec<AppPlan> {
    let kind = find_kind(table);
    match kind {
        Some(kind) => table.check(&[APP_FIELDS, kind.fields], &[]),
        None => table.check_required(&[APP_FIELDS]),
    }
    let on = read_places(table, kind.map(|kind| kind.name), layout, nodes);
    let start = table.get("start").unwrap_or(Start::At(Duration::ZERO));
    let stop = table.get::<Duration>("stop").map(|stop| Time::ZERO + stop);
    let start = match start {
        Start::At(start) => Some(Time::ZERO + start),
        Start::Never => None,
    };
    if let (Some(start), Some(stop)) = (start, stop)
        && stop <= start
    {
        table.report(
            "stop",
            format!("`{}` would stop before it starts", name.value),
            format!("it starts at {start} s"),
        );
    }
    let Some(kind) = kind else { return Vec::new() };
    let Some(program) = (kind.build)(table) else { return Vec::new() };
    let is_one = |item: Item<'_>| item.value.as_str().is_some_and(|on| !is_for_many(on));
    let is_list = !table.item("on").is_some_and(is_one);
    let apps = on.into_iter().map(|(node, node_name)| AppPlan {
        name: if is_list { name_on(name.value, &node_name) } else { name.value.to_owned() },
        kind: kind.name.to_owned(),
        node,
        program: program.clone(),
        start,
        stop,
    });
    apps.collect()
}

fn find_kind(table: &Table<'_>) -> Option<&'static Kind<AppBuilder>> {
    let word: Located<String> = table.get("kind")?;
    let kind = app::KINDS.iter().find(|kind| kind.name == word.value);
    if kind.is_none() {
        let title = format!("no program is called `{}`", word.value);
        let known = app::KINDS.iter().map(|kind| kind.name);
        table.reader.report(Diagnostic::new(word.span, title).not_among(&word.value, known));
    }
    kind
}

/// The nodes that a program runs on.
fn read_places(
    table: &Table<'_>,
    kind: Option<&str>,
    layout: &Layout,
    nodes: &BTreeMap<&str, usize>,
) -> Vec<(usize, String)> {
    let names: Option<Vec<Located<String>>> = table.get("on");
    if names.as_ref().is_some_and(Vec::is_empty) {
        table.report("on", "this program runs nowhere", "a node, or several");
    }
    let names = names.unwrap_or_default();
    let mut places: Vec<(usize, String)> = Vec::new();
    for name in names {
        if is_for_many(&name.value) {
            let fitting = layout.nodes.iter().enumerate();
            let is_fitting = |node: &NodePlan| {
                runs_on(kind, node.role)
                    && runs_programs(node)
                    && means(&name.value, &node.name, node.role == Role::Router)
            };
            let fitting: Vec<_> = fitting.filter(|(_, node)| is_fitting(node)).collect();
            let is_empty = fitting.is_empty();
            for (index, node) in fitting {
                // Two patterns may mean the same node.
                if !places.iter().any(|(place, _)| *place == index) {
                    places.push((index, node.name.clone()));
                }
            }
            if is_empty && ROLES.iter().any(|(words, _)| *words == name.value) {
                let title = format!("there is no node among `{}` that can run it", name.value);
                table.reader.report(Diagnostic::new(name.span, title));
            } else if is_empty {
                let who = if runs_on(kind, Role::Host) { "host or router" } else { "router" };
                let title = format!("no {who} has a name like `{}`", name.value);
                table.reader.report(Diagnostic::new(name.span, title).label("`*` stands for any letters"));
            }
            continue;
        }
        let Some(index) = nodes.get(name.value.as_str()) else {
            if !table.reader.knows_node(&name.value) {
                let known = table.reader.scope.nodes.iter().map(String::as_str);
                table.reader.report_unknown(
                    Diagnostic::new(name.span, format!("no node is called `{}`", name.value))
                        .not_among(&name.value, known),
                    &["nodes"],
                );
            }
            continue;
        };
        let node = &layout.nodes[*index];
        if node.role == Role::Gateway && !node.was_host {
            table.reader.report(
                Diagnostic::new(name.span, format!("no program runs on `{}`", name.value))
                    .label("a gateway's programs are those of the real machine behind it"),
            );
        } else if !is_machine(node.role) {
            table.reader.report(
                Diagnostic::new(name.span, format!("no program runs on `{}`", name.value))
                    .label("only hosts and routers run programs"),
            );
        } else if !runs_on(kind, node.role) {
            table.reader.report(
                Diagnostic::new(
                    name.span,
                    format!("`{}` is a host: it does not forward, and finds no routes", name.value),
                )
                .label("a router belongs here; hosts have a gateway"),
            );
        } else if places.iter().any(|(place, _)| place == index) {
            table
                .reader
                .report(Diagnostic::new(name.span, format!("`{}` is named twice", name.value)).label("once is enough"));
        } else {
            places.push((*index, name.value));
        }
    }
    places
}

/// Whether a pattern may mean it.
fn runs_programs(node: &NodePlan) -> bool {
    is_machine(node.role) && (node.role != Role::Gateway || node.was_host)
}
