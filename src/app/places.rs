//! What a routing program is told of single interfaces, by names that a scenario has: a link, a node, or `node:interface`.
//!
//! A program that runs on many routers is written once; `cost = { wan = 100 }` is said of a link, and holds at both of its
//! ends. What is said of one interface (`"r1:eth0"`) comes before what is said of its link, and that before what is said
//! of its node.

use crate::net::Interface;
use crate::read::{Diagnostic, Item, Located, Read, Table};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Everywhere,
    Interface { node: String, interface: String },
    Link(String),
    Node(String),
}

/// Values for interfaces, by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places<T> {
    entries: Vec<(Place, T)>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> Places<T> {
    /// Reads one value for everywhere, or a table of values by place; `read` makes a value or reports why not.
    pub(super) fn read(table: &Table<'_>, key: &str, mut read: impl FnMut(&Item<'_>) -> Option<T>) -> Self {
        let Some(item) = table.item(key) else { return Self::default() };
        if item.value.as_table().is_none() {
            return Self { entries: read(&item).map(|value| (Place::Everywhere, value)).into_iter().collect() };
        }
        let Some(places) = Table::read(&item) else { return Self::default() };
        if places.entries().is_empty() {
            table.report(key, format!("`{key}` says nothing"), "such as { wan = … } for a link");
        }
        let entries = places.entries().into_iter().filter_map(|(name, item)| {
            let place = place(&Located { value: name.value.to_owned(), span: name.span }, table);
            let value = read(&item);
            Some((place?, value?))
        });
        Self { entries: entries.collect() }
    }

    /// What is said of an interface of the machine called `host`.
    pub(super) fn of(&self, host: &str, interface: &Interface) -> Option<&T> {
        let find = |fits: &dyn Fn(&Place) -> bool| self.entries.iter().find(|(place, _)| fits(place));
        let found = find(
            &|place| matches!(place, Place::Interface { node, interface: name } if node == host && *name == interface.name),
        );
        let found = found.or_else(|| {
            find(&|place| matches!(place, Place::Link(link) if interface.link.as_deref() == Some(link.as_str())))
        });
        let found = found.or_else(|| find(&|place| matches!(place, Place::Node(node) if node == host)));
        found.or_else(|| find(&|place| *place == Place::Everywhere)).map(|(_, value)| value)
    }
}

impl<T> Places<T> {
    /// What is said of a whole machine.
    pub(super) fn of_node(&self, host: &str) -> Option<&T> {
        let find = |fits: &dyn Fn(&Place) -> bool| self.entries.iter().find(|(place, _)| fits(place));
        let found = find(&|place| matches!(place, Place::Node(node) if node == host));
        found.or_else(|| find(&|place| *place == Place::Everywhere)).map(|(_, value)| value)
    }
}

impl Places<()> {
    /// Reads a list of places.
    pub(super) fn read_list(table: &Table<'_>, key: &str) -> Self {
        let names: Vec<Located<String>> = table.get(key).unwrap_or_default();
        Self { entries: names.iter().filter_map(|name| Some((place(name, table)?, ()))).collect() }
    }
}

/// What a name means, or a report that it means nothing. Of a link and a node of one name, the link.
fn place(name: &Located<String>, table: &Table<'_>) -> Option<Place> {
    let reader = table.reader;
    if let Some((node, interface)) = name.value.split_once(':')
        && reader.knows_node(node)
    {
        return Some(Place::Interface { node: node.to_owned(), interface: interface.to_owned() });
    }
    if reader.knows_link(&name.value) {
        return Some(Place::Link(name.value.clone()));
    }
    if reader.knows_node(&name.value) {
        return Some(Place::Node(name.value.clone()));
    }
    let known = reader.scope.links.iter().chain(&reader.scope.nodes).map(String::as_str);
    let problem = Diagnostic::new(name.span.clone(), format!("no link or node is called `{}`", name.value))
        .not_among(&name.value, known)
        .note("a single interface is `node:interface`");
    reader.report_unknown(problem, &["links", "nodes"]);
    None
}

/// Reads a whole number in a range for each place.
pub(super) fn number(item: &Item<'_>, min: u32, max: u32) -> Option<u32> {
    let value = i64::read(item)?;
    let fitting = u32::try_from(value).ok().filter(|value| (min..=max).contains(value));
    if fitting.is_none() {
        let title = format!("`{}` is out of range", item.path);
        item.reader.report(Diagnostic::new(item.span.clone(), title).label(format!("from {min} to {max}")));
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, link: &str) -> Interface {
        Interface {
            index: 0,
            name: name.into(),
            link: Some(link.into()),
            addresses: Vec::new(),
            link_local: None,
            mtu: 1500,
            rate: None,
            is_up: true,
        }
    }

    #[test]
    fn what_is_said_of_one_interface_comes_before_its_link_and_that_before_its_node() {
        let of_interface = Place::Interface { node: "r1".into(), interface: "eth0".into() };
        let places =
            Places { entries: vec![(Place::Node("r1".into()), 1), (Place::Link("wan".into()), 2), (of_interface, 3)] };
        assert_eq!(places.of("r1", &interface("eth0", "wan")), Some(&3));
        assert_eq!(places.of("r1", &interface("eth1", "wan")), Some(&2));
        assert_eq!(places.of("r2", &interface("eth0", "wan")), Some(&2));
        assert_eq!(places.of("r1", &interface("eth1", "lan")), Some(&1));
        assert_eq!(places.of("r2", &interface("eth0", "lan")), None);
    }
}
