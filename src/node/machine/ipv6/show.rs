//! IPv6's part of what a machine shows: `ip -6 addr`, `ip -6 route`, `ip -6 neigh`.

use super::Ipv6Layer;
use super::address::{Own, Standing, scope, scope_of};
use crate::time::Time;

impl Ipv6Layer {
    /// The addresses of an interface, one a line, as `ip -6 addr` shows them.
    pub(in crate::node::machine) fn show_addresses(&self, interface: u16) -> String {
        let own = self.link(interface).into_iter().flat_map(|link| &link.addresses);
        own.map(line).collect()
    }

    /// All routes, one a line, as `ip -6 route` shows them.
    pub(in crate::node::machine) fn show_routes(&self) -> String {
        self.routes.show(&self.spec.interfaces, true)
    }

    /// All neighbors, one a line, as `ip -6 neigh` shows them.
    pub(in crate::node::machine) fn show_neighbors(&self, now: Time) -> String {
        self.neighbors.show(&self.spec.interfaces, now)
    }

    /// What was learned about paths.
    pub(in crate::node::machine) fn show_paths(&self, now: Time) -> String {
        self.paths.show(now)
    }
}

fn line(own: &Own) -> String {
    let scope = if scope_of(own.address) == scope::LINK { "link" } else { "global" };
    let mut text = format!("    inet6 {}/{} scope {scope}", own.address, own.prefix_length);
    text.push_str(match own.standing {
        Standing::Duplicate => " dadfailed tentative",
        Standing::Preferred => "",
        Standing::Tentative { .. } => " tentative",
    });
    text.push('\n');
    text
}
