//! Pairs of hosts that share one narrow link.

use super::{Builder, LINK_FIELD, Unfolded, UnfoldedLink, count};
use crate::link::PIPE_FIELDS;
use crate::read::{Field, Form, Kind, Need, Table};

/// The most pairs of one dumbbell.
const PAIRS_MAX: usize = 10_000;

/// The registry's row.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "dumbbell",
    doc: "Hosts `a1` to `aN` on a router `r1`, hosts `b1` to `bN` on a router `r2`, and between them one link `bottleneck`.",
    example: "[topology.race]\nkind = \"dumbbell\"\npairs = 3\nlink = { delay = \"1ms\" }\n\
              bottleneck = { delay = \"20ms\", rate = \"10Mbit\" }\n",
    fields: &[
        Field {
            name: "pairs",
            form: Form::Integer { min: 1, max: PAIRS_MAX as i64 },
            need: Need::Required,
            doc: "How many hosts on each side.",
        },
        LINK_FIELD,
        Field {
            name: "bottleneck",
            form: Form::Table(PIPE_FIELDS),
            need: Need::Optional,
            doc: "What the link between the routers is like, as `link`.",
        },
    ],
    build,
};

fn build(table: &Table<'_>) -> Option<Unfolded> {
    let pairs = count(table, "pairs", 1..=PAIRS_MAX, None)?;
    let mut unfolded = Unfolded::default();
    unfolded.node("r1", "router");
    unfolded.node("r2", "router");
    let ends = ["r1".to_owned(), "r2".to_owned()];
    unfolded.links.push(UnfoldedLink { name: "bottleneck".into(), ends, like: "bottleneck" });
    for (side, router) in [("a", "r1"), ("b", "r2")] {
        for pair in 1..=pairs {
            let host = format!("{side}{pair}");
            unfolded.link(&host, router, "link");
            unfolded.node(host, "host");
        }
    }
    Some(unfolded)
}
