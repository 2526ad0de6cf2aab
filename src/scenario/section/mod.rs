//! The sections of a scenario, read one by one.
//!
//! ```text
//! text ─▶ tree ─▶ topology helpers unfold ─▶ nodes, links ─▶ ports, addresses, routes ─▶ apps, at, expect ─▶ Plan
//! ```
//!
//! What comes out, a [`Plan`], is complete and right: nothing below checks anything again. Nothing in it refers to the
//! text any more, so that a run can be built from it without keeping the file.

mod apps;
mod links;
mod nodes;

pub(super) use apps::{APP_FIELDS, AppPlan, name_on};
pub(super) use links::ENDS_FIELD;
pub(super) use nodes::{KIND_FIELD, MAC_FIELD, OUTSIDE_FIELDS, common_fields};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::layout::Layout;
use super::mistakes::Mistakes;
use super::realms::is_link_local;
use super::topology;
use super::tree::{Setting, Texts};
use super::watch::{Asked, Watching};
use crate::app;
use crate::expect::Expected;
use crate::link::PipeProperties;
use crate::net::Hosts;
use crate::network::action::Timed;
use crate::node::{Ipv6Wish, Node};
use crate::read::{Diagnostic, Field, Form, Located, Names, Need, Reader, Scope, Source, Table};
use crate::time::Time;

/// How long a run takes at most when the scenario does not say.
pub(super) const STOP_DEFAULT: Duration = Duration::from_mins(10);

/// The seed of a scenario that does not name one.
pub(super) const SEED_DEFAULT: u64 = 1;

/// How many nodes, links, programs, timed actions and expectations a scenario may have, each.
pub(super) const ENTRIES_MAX: usize = 200_000;

/// How large a scenario file may be, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 8 << 20;

/// What may become of a run when a program misbehaves.
const ON_MISBEHAVIOR: &[&str] = &["continue", "stop"];

/// The keys of the file itself.
pub(super) static TOP_FIELDS: &[Field] = &[
    Field {
        name: "format",
        form: Form::Integer { min: 1, max: 1 },
        need: Need::Default("1"),
        doc: "The version of this language.",
    },
    Field {
        name: "name",
        form: Form::Text,
        need: Need::Optional,
        doc: "What the scenario is called; its file's name if left out.",
    },
    Field { name: "about", form: Form::Text, need: Need::Optional, doc: "What it shows, in a sentence." },
    Field {
        name: "seed",
        form: Form::Integer { min: 0, max: i64::MAX },
        need: Need::Default("1"),
        doc: "Where all luck of the run comes from.",
    },
    Field {
        name: "stop",
        form: Form::Duration,
        need: Need::Default("10min"),
        doc: "When the run ends at the latest; it ends before that when nothing is left to happen.",
    },
    Field {
        name: "on_misbehavior",
        form: Form::OneOf(ON_MISBEHAVIOR),
        need: Need::Default("\"continue\""),
        doc: "What becomes of the run when a program panics, never yields, or ends and leaves a socket open. Either way it is a finding that is not met.",
    },
    Field {
        name: "ipv6",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether hosts and routers that do not say speak IPv6 too, with addresses that are found.",
    },
    Field { name: "topology", form: Form::Any, need: Need::Optional, doc: "Nodes and links made by the dozen." },
    Field { name: "nodes", form: Form::Any, need: Need::Optional, doc: "Hosts, routers, switches and ports, by name." },
    Field { name: "links", form: Form::Any, need: Need::Optional, doc: "What joins two nodes, by name." },
    Field { name: "apps", form: Form::Any, need: Need::Optional, doc: "Programs on nodes, by name." },
    Field { name: "at", form: Form::Any, need: Need::Optional, doc: "What happens at a time: a list of tables." },
    Field { name: "expect", form: Form::Any, need: Need::Optional, doc: "What the run must show: a list of tables." },
    Field { name: "record", form: Form::Any, need: Need::Optional, doc: "Options of the outputs, by kind." },
];

/// A scenario that is right, ready to be built.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) seed: u64,
    pub(super) stop: Time,
    /// Whether the run ends when a program misbehaves.
    pub(super) stops_at_misdeeds: bool,
    pub(super) layout: Layout,
    /// The nodes themselves, in the order of `layout.nodes`.
    pub(super) nodes: Vec<Box<dyn Node>>,
    /// What each link is like, in the order of `layout.links`.
    pub(super) properties: Vec<[PipeProperties; 2]>,
    pub(super) apps: Vec<AppPlan>,
    pub(super) timed: Vec<Timed>,
    pub(super) expected: Vec<Expected>,
    /// The outputs that were asked for.
    pub(super) watching: Watching,
}

/// What is wrong with a scenario.
pub(super) struct Refused {
    pub(super) mistakes: Mistakes,
    /// Everything but the wrong entries of `at`, `expect` and `record`, if only there are mistakes: the network can be
    /// built, and may show more.
    pub(super) rest: Option<Box<Plan>>,
}

/// Reads a whole scenario; `attached` are hosts that are to be gateways, `asked` the outputs that whoever runs it wants.
pub(super) fn read(
    source: &Source,
    settings: &[Setting],
    attached: &[String],
    asked: &[Asked],
) -> Result<Plan, Refused> {
    let texts = Texts::new(&source.text, settings);
    let mistakes = |diagnostics| Mistakes {
        source: Source { name: source.name.clone(), text: texts.whole.clone() },
        diagnostics,
        settings_at: texts.settings_at,
    };
    if source.text.len() as u64 > FILE_BYTES_MAX {
        let title = format!("a scenario has at most {FILE_BYTES_MAX} bytes; this has {}", source.text.len());
        let problem = Diagnostic::new(0..0, title).note("topology helpers make large networks from few lines");
        return Err(Refused { mistakes: mistakes(vec![problem]), rest: None });
    }
    let (mut tree, problems) = texts.tree();
    let reader = Reader::new(&texts.whole, Scope::default());
    let found_in_text = problems.len();
    problems.into_iter().for_each(|problem| reader.report(problem));
    topology::unfold(tree.get_mut(), &reader);
    if reader.problem_count() > found_in_text {
        // What the helpers would have made cannot be known.
        ["nodes", "links"].iter().for_each(|section| reader.distrust("", section));
    }
    let reader = reader.with_scope(scope_of(tree.get_ref()));
    let plan = read_tree(tree.get_ref(), source, &reader, attached, asked);
    match plan {
        Some(plan) if reader.problem_count() == 0 => Ok(plan),
        rest => {
            let mut problems = reader.into_problems();
            if found_in_text > 0 {
                problems.retain(|problem| !texts.explains(problem));
            }
            Err(Refused { mistakes: mistakes(problems), rest: rest.map(Box::new) })
        }
    }
}

fn read_tree(
    tree: &DeTable<'_>,
    source: &Source,
    reader: &Reader,
    attached: &[String],
    asked: &[Asked],
) -> Option<Plan> {
    let top = Table::new(tree, 0..0, String::new(), reader);
    top.check(&[TOP_FIELDS], &[]);
    if reader.is_distrusted("", "topology") {
        ["nodes", "links"].iter().for_each(|section| reader.distrust("", section));
    }
    check_format(&top);
    let name = top.get::<String>("name").unwrap_or_else(|| file_name(&source.name));
    let about = top.get_or("about", String::new());
    let seed = top.get_or("seed", SEED_DEFAULT);
    let stop = Time::ZERO + top.get_or("stop", STOP_DEFAULT);
    let stops_at_misdeeds = top.has("on_misbehavior") && top.one_of("on_misbehavior", ON_MISBEHAVIOR) == Some("stop");

    let ipv6 = if top.get_or("ipv6", false) { Ipv6Wish::Found } else { Ipv6Wish::None };
    let (mut layout, makings) = nodes::read(section(&top, "nodes"), ipv6, attached);
    let properties = links::read(&section(&top, "links"), &mut layout);
    layout.seed = seed;
    layout.plug_in(reader);
    layout.find_addresses(reader);
    let programs = section(&top, "apps");
    apps::note_routing(&programs, &mut layout);
    layout.find_routes(reader);
    let hosts = Arc::new(hosts_of(&layout));
    let nodes = nodes::build(&makings, &mut layout, &hosts, seed);
    let apps = apps::read(&programs, &layout);
    let is_sound = reader.problem_count() == 0;
    let at = list(&top, "at");
    let timed = at.iter().take_while(|_| !reader.is_full()).filter_map(crate::network::action::read).collect();
    let expect = list(&top, "expect");
    let expected = expect.iter().take_while(|_| !reader.is_full()).filter_map(crate::expect::read).collect();
    let watching = Watching::read(&top, asked, &layout, &properties);
    let nodes = nodes.filter(|_| is_sound)?;
    Some(Plan {
        name,
        about,
        seed,
        stop,
        stops_at_misdeeds,
        layout,
        nodes,
        properties,
        apps,
        timed,
        expected,
        watching: watching.unwrap_or_default(),
    })
}

fn check_format(top: &Table<'_>) {
    let Some(format) = top.get::<Located<i64>>("format").filter(|format| format.value != 1) else { return };
    top.reader.report(
        Diagnostic::new(format.span, format!("this hopwise does not read scenarios of format {}", format.value))
            .label("it reads format 1"),
    );
}

/// What a scenario without a name is called: its file, wherever that is, so that a run says the same everywhere.
fn file_name(source: &str) -> String {
    let Some(path) = source.strip_suffix(".toml") else { return source.to_owned() };
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The named entries of a section that is a table of tables, bounded; none if it is absent or wrong.
fn section<'d>(top: &Table<'d>, key: &str) -> Vec<(Located<&'d str>, Table<'d>)> {
    let Some(section) = top.get::<Table<'d>>(key) else {
        if top.has(key) {
            top.reader.distrust("", key);
        }
        return Vec::new();
    };
    let entries = section.entries();
    if is_too_many(top, key, entries.len()) {
        return Vec::new();
    }
    let named = entries.into_iter().take_while(|_| !top.reader.is_full()).filter_map(|(name, item)| {
        check_name(&name, top.reader);
        Some((name, <Table<'d> as crate::read::Read<'d>>::read(&item)?))
    });
    named.collect()
}

/// The entries of a section that is a list of tables, bounded.
fn list<'d>(top: &Table<'d>, key: &str) -> Vec<Table<'d>> {
    let Some(item) = top.item(key) else { return Vec::new() };
    let Some(array) = item.value.as_array() else {
        top.reader.report(
            Diagnostic::new(top.key_span(key).unwrap_or(item.span), format!("`{key}` is a list of tables"))
                .label(format!("each entry begins with `[[{key}]]`")),
        );
        return Vec::new();
    };
    if is_too_many(top, key, array.len()) {
        return Vec::new();
    }
    // One by one: a wrong entry does not hide the others.
    let tables = array.iter().enumerate().filter_map(|(index, entry)| {
        let path = format!("{key}[{index}]");
        match entry.get_ref() {
            DeValue::Table(table) => Some(Table::new(table, entry.span(), path, top.reader)),
            other => {
                let title = format!("`{path}` must be a table, not a {}", other.type_str());
                top.reader.report(Diagnostic::new(entry.span(), title).label("a table belongs here"));
                None
            }
        }
    });
    tables.collect()
}

fn is_too_many(top: &Table<'_>, key: &str, count: usize) -> bool {
    if count > ENTRIES_MAX {
        let span = top.key_span(key).unwrap_or(0..0);
        let title = format!("`{key}` has {count} entries; at most {ENTRIES_MAX} are read");
        top.reader.report(Diagnostic::new(span, title));
    }
    count > ENTRIES_MAX
}

/// How long a name may be: it heads columns.
const NAME_CHARS_MAX: usize = 63;

/// Names are written in expressions and references, so they are words.
fn check_name(name: &Located<&str>, reader: &Reader) {
    let is_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let label = if name.value.is_empty() {
        "it is empty"
    } else if !name.value.chars().all(is_word) {
        "letters, digits, `-` and `_`"
    } else if name.value.chars().count() > NAME_CHARS_MAX {
        "at most 63 characters"
    } else {
        return;
    };
    reader.report(Diagnostic::new(name.span.clone(), format!("`{}` cannot be a name", name.value)).label(label));
}

/// Every name that the scenario defines.
fn scope_of(tree: &DeTable<'_>) -> Scope {
    let names = |key: &str| -> Vec<String> {
        let section = tree.get(key).and_then(|section| section.get_ref().as_table());
        let mut names: Vec<_> = section.into_iter().flat_map(|section| section.keys()).collect();
        names.sort_by_key(|name| name.span().start);
        names.into_iter().map(|name| name.get_ref().to_string()).collect()
    };
    let entry = |section: &str, name: &str| tree.get(section)?.get_ref().as_table()?.get(name)?.get_ref().as_table();
    let is_machine = |name: &&String| {
        let kind = entry("nodes", name).and_then(|node| node.get("kind")).and_then(|kind| kind.get_ref().as_str());
        kind.is_none_or(|kind| kind == "host" || kind == "router")
    };
    let is_router = |name: &&String| {
        entry("nodes", name).and_then(|node| node.get("kind")).and_then(|kind| kind.get_ref().as_str())
            == Some("router")
    };
    let nodes = names("nodes");
    let apps = names("apps").into_iter().flat_map(|name| match entry("apps", &name).and_then(|app| app.get("on")) {
        Some(on) if on.get_ref().is_array() || on.get_ref().as_str().is_some_and(apps::is_for_many) => {
            let one = on.get_ref().as_str().into_iter();
            let listed = on.get_ref().as_array().into_iter().flatten().filter_map(|node| node.get_ref().as_str());
            let patterns: Vec<&str> = one.chain(listed).collect();
            let fitting = |node: &&String| patterns.iter().any(|pattern| apps::means(pattern, node, is_router(node)));
            let kind = entry("apps", &name).and_then(|app| app.get("kind")).and_then(|kind| kind.get_ref().as_str());
            let is_routing = kind.is_some_and(|kind| app::ROUTING.iter().any(|(name, _)| *name == kind));
            let can_run = |node: &&String| if is_routing { is_router(node) } else { is_machine(node) };
            let on = nodes.iter().filter(can_run).filter(fitting).map(|node| name_on(&name, node));
            on.collect::<Vec<String>>()
        }
        _ => vec![name],
    });
    let dynamic = nodes.iter().filter(is_machine).filter(|name| entry("nodes", name).is_some_and(asks_for_address));
    let clients = dynamic.map(|name| apps::dhcp_client_on(name));
    let apps = apps.chain(clients).collect();
    Scope { apps, nodes, links: names("links"), names: names_of(tree) }
}

/// Which names beside those of nodes may be somebody's.
fn names_of(tree: &DeTable<'_>) -> Names {
    let tables = |section: &str| {
        let section = tree.get(section).and_then(|section| section.get_ref().as_table());
        section.into_iter().flat_map(|section| section.values()).filter_map(|entry| entry.get_ref().as_table())
    };
    let kind = |app: &DeTable<'_>| app.get("kind").and_then(|kind| kind.get_ref().as_str().map(str::to_owned));
    let serves = |app: &DeTable<'_>| kind(app).is_some_and(|kind| app::NAME_SERVERS.contains(&kind.as_str()));
    let completes = tables("nodes").any(|node| node.contains_key("resolver"))
        || tables("apps").any(|app| app.contains_key("domain") || app.contains_key("pools"));
    let has_servers = tables("apps").any(serves) || tables("nodes").any(|node| node.contains_key("dns"));
    match (has_servers, completes) {
        (true, true) => Names::Any,
        (true, false) => Names::Dotted,
        (false, _) => Names::NoneElse,
    }
}

/// Whether a node's table says `addr = "dhcp"`, of some interface at least.
fn asks_for_address(node: &DeTable<'_>) -> bool {
    fn says_so(value: &DeValue<'_>) -> bool {
        match value {
            DeValue::String(text) => text.as_ref() == "dhcp",
            DeValue::Array(list) => list.iter().any(|one| says_so(one.get_ref())),
            DeValue::Table(table) => table.iter().any(|(_, one)| says_so(one.get_ref())),
            _ => false,
        }
    }
    node.get("addr").is_some_and(|addr| says_so(addr.get_ref()))
}

/// What every machine of the network knows the others by.
fn hosts_of(layout: &Layout) -> Hosts {
    let mut hosts = Hosts::default();
    for node in &layout.nodes {
        let addresses = || node.interfaces.iter().flat_map(|interface| &interface.addresses).map(ipnet::IpNet::addr);
        // A name means its IPv4 address where it has one.
        let foreseen = node.interfaces.iter().flat_map(|interface| &interface.foreseen).copied().map(IpAddr::V6);
        let in_order = addresses().filter(IpAddr::is_ipv4).chain(addresses().filter(IpAddr::is_ipv6)).chain(foreseen);
        // A link-local address is no use without its link.
        let of_everywhere = in_order.filter(|address| !is_link_local(*address));
        of_everywhere.for_each(|address| hosts.add(node.name.clone(), address));
    }
    hosts
}
