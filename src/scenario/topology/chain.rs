//! Two hosts with routers in a row between them.

use super::{Builder, LINK_FIELD, Unfolded, count};
use crate::read::{Field, Form, Kind, Need, Table};

/// The most routers of one chain; a TTL of 255 dies on the way.
const ROUTERS_MAX: usize = 1000;

/// The registry's row.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "chain",
    doc: "Hosts `h1` and `h2` with routers `r1` to `rN` in a row between them.",
    example: "[topology.path]\nkind = \"chain\"\nrouters = 3\nlink = { delay = \"5ms\" }\n",
    fields: &[
        Field {
            name: "routers",
            form: Form::Integer { min: 0, max: ROUTERS_MAX as i64 },
            need: Need::Required,
            doc: "How many routers; with none, the hosts share one link.",
        },
        LINK_FIELD,
    ],
    build,
};

fn build(table: &Table<'_>) -> Option<Unfolded> {
    let routers = count(table, "routers", 0..=ROUTERS_MAX, None)?;
    let mut unfolded = Unfolded::default();
    let mut last = "h1".to_owned();
    unfolded.node(last.clone(), "host");
    for router in 1..=routers {
        let next = format!("r{router}");
        unfolded.node(next.clone(), "router");
        unfolded.link(&last, &next, "link");
        last = next;
    }
    unfolded.node("h2", "host");
    unfolded.link(&last, "h2", "link");
    Some(unfolded)
}
