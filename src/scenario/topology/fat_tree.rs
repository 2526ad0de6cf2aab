//! The data centre of Al-Fares, Loukissas and Vahdat ("A scalable, commodity data center network architecture",
//! SIGCOMM 2008): k pods of k/2 edge and k/2 aggregation routers, (k/2)² core routers, k³/4 hosts.

use super::{Builder, LINK_FIELD, Unfolded, count};
use crate::read::{Diagnostic, Field, Form, Kind, Need, Table};

/// The most ports of a router: 16 make 1,024 hosts and 320 routers.
const PORTS_MAX: usize = 16;

/// The registry's row.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "fat-tree",
    doc: "A data centre of routers with `ports` ports: core `c1`…, per pod aggregation `p1a1`… and edge `p1e1`…, hosts `p1e1h1`….",
    example: "[topology.dc]\nkind = \"fat-tree\"\nports = 4\nlink = { profile = \"datacenter\" }\n",
    fields: &[
        Field {
            name: "ports",
            form: Form::Integer { min: 2, max: PORTS_MAX as i64 },
            need: Need::Required,
            doc: "How many ports each router has: an even number k, for k³/4 hosts.",
        },
        LINK_FIELD,
    ],
    build,
};

fn build(table: &Table<'_>) -> Option<Unfolded> {
    let ports = count(table, "ports", 2..=PORTS_MAX, None)?;
    if ports % 2 == 1 {
        let span = table.item("ports").map_or(0..0, |item| item.span);
        let diagnostic = Diagnostic::new(span, "a fat tree needs an even number of ports");
        table.reader.report(diagnostic.label(format!("such as {} or {}", ports - 1, ports + 1)));
        return None;
    }
    let half = ports / 2;
    let mut unfolded = Unfolded::default();
    for core in 1..=half * half {
        unfolded.node(format!("c{core}"), "router");
    }
    for pod in 1..=ports {
        for aggregation in 1..=half {
            let name = format!("p{pod}a{aggregation}");
            // The n-th aggregation router of every pod reaches the n-th group of core routers.
            for core in 1..=half {
                unfolded.link(&name, &format!("c{}", (aggregation - 1) * half + core), "link");
            }
            unfolded.node(name, "router");
        }
        for edge in 1..=half {
            let name = format!("p{pod}e{edge}");
            for aggregation in 1..=half {
                unfolded.link(&name, &format!("p{pod}a{aggregation}"), "link");
            }
            for host in 1..=half {
                let host = format!("{name}h{host}");
                unfolded.link(&host, &name, "link");
                unfolded.node(host, "host");
            }
            unfolded.node(name, "router");
        }
    }
    Some(unfolded)
}
