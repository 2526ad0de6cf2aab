//! What RIP knows of each destination, and when that ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::time::Time;
use crate::wire::rip::INFINITY;

/// How many destinations are kept; further ones are not learned until there is room.
pub(super) const ROUTES_MAX: usize = 10_000;

/// Where a route is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A subnet of the router's own, or a prefix that it was told to announce.
    Own,
    /// A neighbor.
    Learned {
        /// Who told of it.
        from: IpAddr,
        /// Where.
        interface: u16,
        /// Whom packets go to.
        via: IpAddr,
    },
}

/// What is known of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) source: Source,
    /// From 1 to 16; 16 is not reachable.
    pub(super) metric: u8,
    pub(super) tag: u16,
    /// The route change flag: neighbors are to be told soon.
    pub(super) is_changed: bool,
    /// When it times out, or is forgotten if it is not reachable; `None`: never.
    pub(super) ends_at: Option<Time>,
}

impl Route {
    /// Whether it leads anywhere.
    pub(super) fn is_reachable(&self) -> bool {
        self.metric < INFINITY
    }

    /// The interface that it was learned on.
    pub(super) fn learned_on(&self) -> Option<u16> {
        match self.source {
            Source::Learned { interface, .. } => Some(interface),
            Source::Own => None,
        }
    }
}

/// All routes, in the order of their prefixes.
#[derive(Debug, Default)]
pub(super) struct Table {
    routes: BTreeMap<IpNet, Route>,
    /// What ends when, earliest first: exactly those that have an end.
    ends: BTreeSet<(Time, IpNet)>,
    /// How many routes have their change flag set.
    changed: usize,
}

impl Table {
    pub(super) fn get(&self, prefix: &IpNet) -> Option<&Route> {
        self.routes.get(prefix)
    }

    /// Whether a new prefix may be put.
    pub(super) fn has_room(&self) -> bool {
        self.routes.len() < ROUTES_MAX
    }

    /// Puts or replaces a route.
    pub(super) fn put(&mut self, prefix: IpNet, route: Route) {
        self.remove(&prefix);
        self.routes.insert(prefix, route);
        self.changed += usize::from(route.is_changed);
        self.ends.extend(route.ends_at.map(|at| (at, prefix)));
    }

    /// Forgets a route.
    pub(super) fn remove(&mut self, prefix: &IpNet) {
        let Some(old) = self.routes.remove(prefix) else { return };
        self.changed -= usize::from(old.is_changed);
        if let Some(at) = old.ends_at {
            self.ends.remove(&(at, *prefix));
        }
    }

    /// A route that ends now or has ended.
    pub(super) fn next_ended(&self, now: Time) -> Option<IpNet> {
        self.ends.first().filter(|(at, _)| *at <= now).map(|(_, prefix)| *prefix)
    }

    /// When the next route ends.
    pub(super) fn next_end_at(&self) -> Option<Time> {
        self.ends.first().map(|(at, _)| *at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&IpNet, &Route)> {
        self.routes.iter()
    }

    /// Clears the route change flags.
    pub(super) fn all_told(&mut self) {
        if std::mem::take(&mut self.changed) > 0 {
            self.routes.values_mut().for_each(|route| route.is_changed = false);
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        self.changed > 0
    }

    /// How many lead anywhere.
    pub(super) fn reachable_count(&self) -> usize {
        self.routes.values().filter(|route| route.is_reachable()).count()
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let ends: BTreeSet<_> =
            self.routes.iter().filter_map(|(prefix, route)| Some((route.ends_at?, *prefix))).collect();
        assert_eq!(ends, self.ends);
        assert_eq!(self.routes.values().filter(|route| route.is_changed).count(), self.changed);
        assert!(self.routes.len() <= ROUTES_MAX);
        for route in self.routes.values() {
            assert!((1..=INFINITY).contains(&route.metric));
            // What is not reachable is forgotten some day.
            assert!(route.is_reachable() || route.ends_at.is_some());
        }
    }
}
