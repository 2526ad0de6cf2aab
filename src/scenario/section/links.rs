//! `[links]`: what joins two nodes.

use std::collections::BTreeMap;

use crate::link::{LINK_FIELDS, PIPE_FIELDS, PipeProperties, read_link};
use crate::read::{Diagnostic, Field, Form, Located, Need, Read as _, Table};
use crate::scenario::layout::{EndPlan, Layout, LinkPlan};

/// The key that says what a link joins.
pub(crate) const ENDS_FIELD: Field = Field {
    name: "ends",
    form: Form::List(&Form::Text),
    need: Need::Required,
    doc: "The two nodes it joins, each perhaps with an interface: `[\"client\", \"r1:lan\"]`.",
};

/// Reads all links into the layout; returns what each is like.
pub(super) fn read(entries: &[(Located<&str>, Table<'_>)], layout: &mut Layout) -> Vec<[PipeProperties; 2]> {
    let nodes: BTreeMap<&str, usize> =
        layout.nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    let mut links = Vec::new();
    let mut properties = Vec::new();
    for (name, table) in entries.iter().take_while(|(_, table)| !table.reader.is_full()) {
        table.check(&[std::slice::from_ref(&ENDS_FIELD), PIPE_FIELDS, LINK_FIELDS], &[]);
        let read = read_link(table);
        let Some(ends) = read_ends(table, &nodes) else { continue };
        links.push(LinkPlan { name: name.value.to_owned(), ends });
        properties.push(read);
    }
    layout.links = links;
    properties
}

fn read_ends(table: &Table<'_>, nodes: &BTreeMap<&str, usize>) -> Option<[EndPlan; 2]> {
    let item = table.item("ends")?;
    let Some(array) = item.value.as_array() else {
        item.expected("a list of two nodes");
        return None;
    };
    if array.len() != 2 {
        let title = format!("a link has two ends, not {}", array.len());
        let label = if array.len() > 2 { "a switch joins more than two" } else { "such as [\"client\", \"server\"]" };
        item.reader.report(Diagnostic::new(item.span.clone(), title).label(label));
    }
    let ends = Vec::<Located<String>>::read(&item)?;
    let items = ends.iter().zip(array.iter());
    let found: Vec<Option<EndPlan>> = items
        .map(|(end, value)| {
            let (node, interface) =
                end.value.split_once(':').map_or((end.value.as_str(), None), |(node, port)| (node, Some(port)));
            let place = crate::read::Item {
                value: value.get_ref(),
                span: end.span.clone(),
                path: item.path.clone(),
                reader: item.reader,
            };
            if interface.is_some_and(|name| name.is_empty() || !name.chars().all(is_interface_char)) {
                let range = node.len()..end.value.len();
                place.report_part(range, "this cannot be an interface's name", "such as `eth0`");
                return None;
            }
            let Some(index) = nodes.get(node) else {
                // A node that is there but wrong has been reported in its own place.
                if !item.reader.knows_node(node) {
                    let known = item.reader.scope.nodes.iter().map(String::as_str);
                    item.reader.report_unknown(
                        Diagnostic::new(place.part(0..node.len()), format!("no node is called `{node}`"))
                            .not_among(node, known),
                        &["nodes"],
                    );
                }
                return None;
            };
            Some(EndPlan { node: *index, interface: interface.map(str::to_owned), span: end.span.clone(), port: 0 })
        })
        .collect();
    <[EndPlan; 2]>::try_from(found.into_iter().collect::<Option<Vec<EndPlan>>>()?).ok()
}

fn is_interface_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/')
}
