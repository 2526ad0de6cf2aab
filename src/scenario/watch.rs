//! Which outputs watch a run, and where their bytes go.

use std::net::IpAddr;

use toml::de::DeValue;

use super::layout::Layout;
use crate::filter::Filter;
use crate::id::{Direction, LinkId, PipeId};
use crate::link::PipeProperties;
use crate::output::{self, Output, Settings, Sink, Style};
use crate::read::{Diagnostic, Item, Located, Read as _, Table};
use crate::units::Rate;

/// One output that is wanted of a run.
///
/// What the scenario's `[record]` says of that kind holds for it too.
#[derive(Clone)]
pub struct Asked {
    /// Which kind: one of [`output::KINDS`]; an unknown one is passed over.
    pub kind: &'static str,
    /// Where its bytes go.
    pub sink: Sink,
    /// Whether it is coloured, if it can be.
    pub style: Style,
    /// Only frames that match.
    pub filter: Option<Filter>,
}

impl Asked {
    /// An output whose bytes are kept, plain and unfiltered.
    #[must_use]
    pub fn kept(kind: &'static str) -> Self {
        Self { kind, sink: Sink::memory(), style: Style::Plain, filter: None }
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The outputs of one run, ready to watch.
#[derive(Default)]
pub(super) struct Watching {
    pub(super) outputs: Vec<Output>,
    /// Every kind that `[record]` asks for.
    pub(super) recorded: Vec<&'static str>,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.outputs.iter().map(|output| output.kind)).finish()
    }
}

impl Watching {
    /// Reads `[record]`, all of it, and makes the outputs that are asked for. `None`: mistakes have been reported.
    pub(super) fn read(
        top: &Table<'_>,
        asked: &[Asked],
        layout: &Layout,
        properties: &[[PipeProperties; 2]],
    ) -> Option<Self> {
        let record: Option<Table<'_>> = if top.has("record") { Some(top.get("record")?) } else { None };
        if let Some(record) = &record {
            let known: Vec<&str> = output::KINDS.iter().map(|kind| kind.name).collect();
            record.check(&[], &known);
        }
        let (addresses, rates) = (addresses_of(layout), rates_of(layout, properties));
        let mut watching = Self::default();
        let mut is_right = true;
        for kind in output::KINDS {
            let item = record.as_ref().and_then(|record| record.item(kind.name));
            let item = item.filter(|item| item.value.as_bool() != Some(false));
            item.iter().for_each(|item| check_ports(item, layout));
            watching.recorded.extend(item.is_some().then_some(kind.name));
            let mut make = |asked: &Asked| {
                let settings = Settings {
                    style: asked.style,
                    filter: asked.filter.clone(),
                    hosts: addresses.clone(),
                    rates: rates.clone(),
                    ..Settings::new(asked.sink.clone())
                };
                let output = (kind.build)(item.as_ref(), settings);
                is_right &= output.is_some();
                output
            };
            let wanted: Vec<Option<Output>> =
                asked.iter().filter(|asked| asked.kind == kind.name).map(&mut make).collect();
            if wanted.is_empty() && item.is_some() {
                // What nobody asked for is read all the same, for its mistakes.
                drop(make(&Asked::kept(kind.name)));
            }
            watching.outputs.extend(wanted.into_iter().flatten());
        }
        is_right.then_some(watching)
    }
}

/// Reports interfaces that the node does not have; nodes and links are checked by who reads the output's options.
fn check_ports(item: &Item<'_>, layout: &Layout) {
    let places = match item.value {
        DeValue::Table(_) => Table::read(item).and_then(|table| table.item("on")),
        DeValue::Array(_) | DeValue::String(_) => Some(item.clone()),
        _ => None,
    };
    let Some(places) = places else { return };
    for place in Vec::<Located<String>>::read(&places).unwrap_or_default() {
        let Some((node, port)) = place.value.split_once(':') else { continue };
        let Some(node) = layout.nodes.iter().find(|one| one.name == node) else { continue };
        let known: Vec<&str> = node.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        if !known.contains(&port) {
            let title = format!("`{}` has no interface `{port}`", node.name);
            item.reader.report(Diagnostic::new(place.span, title).not_among(port, known));
        }
    }
}

/// What people call the addresses: `client`, or `r1:lan` where a node has several.
pub(super) fn addresses_of(layout: &Layout) -> Vec<(IpAddr, String)> {
    let mut addresses = Vec::new();
    for node in &layout.nodes {
        let count: usize = node.interfaces.iter().map(|interface| interface.addresses.len()).sum();
        for interface in &node.interfaces {
            for address in &interface.addresses {
                let name = match count {
                    1 => node.name.clone(),
                    _ => format!("{}:{}", node.name, interface.name),
                };
                addresses.push((address.addr(), name));
            }
        }
    }
    addresses
}

fn rates_of(layout: &Layout, properties: &[[PipeProperties; 2]]) -> Vec<(PipeId, Rate)> {
    debug_assert_eq!(layout.links.len(), properties.len(), "one pair of properties for each link");
    let links = properties.iter().enumerate().filter_map(|(index, both)| Some((u32::try_from(index).ok()?, both)));
    links
        .flat_map(|(index, both)| {
            Direction::BOTH
                .into_iter()
                .zip(both)
                .filter_map(move |(way, one)| Some((PipeId::new(LinkId(index), way), one.spec.rate?)))
        })
        .collect()
}
