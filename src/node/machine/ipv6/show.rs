//! IPv6's part of what a machine shows: `ip -6 addr`, `ip -6 route`, `ip -6 neigh`.

use std::fmt::Write as _;

use super::Ipv6Layer;
use super::address::{Own, Source, Standing, scope, scope_of};
use crate::time::Time;

impl Ipv6Layer {
    /// The addresses of an interface, one a line, as `ip -6 addr` shows them.
    pub(in crate::node::machine) fn show_addresses(&self, interface: u16, now: Time) -> String {
        let own = self.link(interface).into_iter().flat_map(|link| &link.addresses);
        own.map(|own| line(own, now)).collect()
    }

    /// All routes, one a line, as `ip -6 route` shows them.
    pub(in crate::node::machine) fn show_routes(&self, now: Time) -> String {
        let mut text = self.routes.show(&self.spec.interfaces, true);
        let expires = |until: Time| match until {
            Time::MAX => String::new(),
            _ => format!(" expires {}sec", until.since(now).as_secs()),
        };
        for router in &self.learned.routers {
            let line = format!("default via {} dev {}\n", router.address, self.name_of(router.interface));
            let (left, preference) = (expires(router.until), router.preference.name());
            text = text.replacen(&line, &format!("{} proto ra{left} pref {preference}\n", line.trim_end()), 1);
        }
        for known in &self.learned.prefixes {
            let line = format!("{} dev {}\n", known.net, self.name_of(known.interface));
            text = text.replacen(&line, &format!("{} proto ra{}\n", line.trim_end(), expires(known.until)), 1);
        }
        text
    }

    /// All neighbors, one a line, as `ip -6 neigh` shows them.
    pub(in crate::node::machine) fn show_neighbors(&self, now: Time) -> String {
        self.neighbors.show(&self.spec.interfaces, now)
    }

    /// What was learned about paths and better first hops.
    pub(in crate::node::machine) fn show_paths(&self, now: Time) -> String {
        self.paths.show(now) + &self.redirects.show(&self.spec.interfaces, now)
    }
}

fn line(own: &Own, now: Time) -> String {
    let scope = if scope_of(own.address) == scope::LINK { "link" } else { "global" };
    let mut text = format!("    inet6 {}/{} scope {scope}", own.address, own.prefix_length);
    let word = match own.source {
        Source::Advertised => " dynamic mngtmpaddr",
        Source::Temporary => " temporary dynamic",
        Source::LinkLocal | Source::Written => "",
    };
    text.push_str(word);
    text.push_str(match own.standing {
        Standing::Deprecated => " deprecated",
        Standing::Duplicate => " dadfailed tentative",
        Standing::Preferred => "",
        Standing::Tentative { .. } => " tentative",
    });
    if own.valid_until != Time::MAX {
        let left = |until: Time| format!("{}sec", until.since(now).as_secs());
        let (valid, preferred) = (left(own.valid_until), left(own.preferred_until));
        let _ = write!(text, " valid_lft {valid} preferred_lft {preferred}");
    }
    text.push('\n');
    text
}
