//! Hosts around one switch or router.

use super::{Builder, LINK_FIELD, Unfolded, count};
use crate::read::{Field, Form, Kind, Need, Table};

/// The most hosts of one star.
const HOSTS_MAX: usize = 65_000;

/// The registry's row.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "star",
    doc: "Hosts `h1` to `hN` around a switch `sw1`, or a router `r1`.",
    example: "[topology.office]\nkind = \"star\"\nhosts = 4\nlink = { delay = \"1ms\", rate = \"100Mbit\" }\n",
    fields: &[
        Field {
            name: "hosts",
            form: Form::Integer { min: 1, max: HOSTS_MAX as i64 },
            need: Need::Required,
            doc: "How many hosts.",
        },
        Field {
            name: "center",
            form: Form::OneOf(CENTERS),
            need: Need::Default("\"switch\""),
            doc: "What stands in the middle: one subnet for all, or one for each.",
        },
        LINK_FIELD,
    ],
    build,
};

const CENTERS: &[&str] = &["router", "switch"];

fn build(table: &Table<'_>) -> Option<Unfolded> {
    let hosts = count(table, "hosts", 1..=HOSTS_MAX, None)?;
    let center = if table.has("center") { table.one_of("center", CENTERS)? } else { "switch" };
    let middle = if center == "switch" { "sw1" } else { "r1" };
    let mut unfolded = Unfolded::default();
    unfolded.node(middle, center);
    for host in 1..=hosts {
        let host = format!("h{host}");
        unfolded.link(&host, middle, "link");
        unfolded.node(host, "host");
    }
    Some(unfolded)
}
