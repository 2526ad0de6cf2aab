//! Routers in rows and columns.

use super::{Builder, LINK_FIELD, Unfolded, count};
use crate::read::{Field, Form, Kind, Need, Table};

/// The most rows, and the most columns.
const SIDE_MAX: usize = 64;

/// The registry's row.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "grid",
    doc: "Routers `r1x1` (first row, first column) to `rRxC`, each linked to its neighbors, with hosts at the corners or everywhere.",
    example: "[topology.mesh]\nkind = \"grid\"\nrows = 3\ncolumns = 3\nlink = { delay = \"2ms\" }\n",
    fields: &[
        Field {
            name: "rows",
            form: Form::Integer { min: 1, max: SIDE_MAX as i64 },
            need: Need::Required,
            doc: "How many rows.",
        },
        Field {
            name: "columns",
            form: Form::Integer { min: 1, max: SIDE_MAX as i64 },
            need: Need::Required,
            doc: "How many columns.",
        },
        Field {
            name: "hosts",
            form: Form::OneOf(PLACES),
            need: Need::Default("\"corners\""),
            doc: "Where hosts are: at the corners (`h1` to `h4`, row by row), at every router (`h1x1` and so on), or nowhere.",
        },
        LINK_FIELD,
    ],
    build,
};

const PLACES: &[&str] = &["all", "corners", "none"];

fn build(table: &Table<'_>) -> Option<Unfolded> {
    let rows = count(table, "rows", 1..=SIDE_MAX, None);
    let columns = count(table, "columns", 1..=SIDE_MAX, None);
    let hosts = if table.has("hosts") { table.one_of("hosts", PLACES)? } else { "corners" };
    let (rows, columns) = (rows?, columns?);
    let router = |row: usize, column: usize| format!("r{row}x{column}");
    let mut unfolded = Unfolded::default();
    for row in 1..=rows {
        for column in 1..=columns {
            unfolded.node(router(row, column), "router");
            if column > 1 {
                unfolded.link(&router(row, column - 1), &router(row, column), "link");
            }
            if row > 1 {
                unfolded.link(&router(row - 1, column), &router(row, column), "link");
            }
        }
    }
    let mut attach = |host: String, router: String| {
        unfolded.link(&host, &router, "link");
        unfolded.node(host, "host");
    };
    match hosts {
        "all" => {
            for (row, column) in (1..=rows).flat_map(|row| (1..=columns).map(move |column| (row, column))) {
                attach(format!("h{row}x{column}"), router(row, column));
            }
        }
        "corners" => {
            let mut corners = vec![(1, 1), (1, columns), (rows, 1), (rows, columns)];
            corners.dedup();
            for (index, (row, column)) in corners.into_iter().enumerate() {
                attach(format!("h{}", index + 1), router(row, column));
            }
        }
        _ => {}
    }
    Some(unfolded)
}
