//! When paths are found anew, and what becomes of routes then.
//!
//! A single change is to be followed at once, and a storm of them must not keep a router busy with nothing but searching:
//! the delay before a search grows while changes go on, as RFC 8405 tells.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::engine::{Action, Engine};
use super::spf::{self, Path, Root};
use super::timers::{Timer, Timers};
use crate::net::RouteChange;
use crate::time::Time;
use crate::wire::ospf::lsa::Content;

/// RFC 8405 §3, SHORT_SPF_DELAY: while changes are few and near each other.
const SHORT_DELAY: Duration = Duration::from_millis(200);

/// LONG_SPF_DELAY: once they go on.
const LONG_DELAY: Duration = Duration::from_secs(5);

/// TIME_TO_LEARN_INTERVAL: how long it takes until all of what one event has changed is known.
const LEARN_FOR: Duration = Duration::from_millis(500);

/// HOLDDOWN_INTERVAL: after so long without a change, the next is the first in a while.
const HOLD_FOR: Duration = Duration::from_secs(10);

/// How many destinations are kept; the longer prefixes beyond that are left out.
pub(super) const ROUTES_MAX: usize = 20_000;

/// How many changes there have been lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Throttle {
    LongWait,
    #[default]
    Quiet,
    ShortWait,
}

impl Throttle {
    /// RFC 8405 §5.1, HOLDDOWN_TIMER expiration.
    pub(super) fn hold_is_over(&mut self, timers: &mut Timers) {
        timers.stop(Timer::SpfLearn);
        *self = Self::Quiet;
    }

    /// LEARN_TIMER expiration.
    pub(super) fn learn_is_over(&mut self) {
        if *self == Self::ShortWait {
            *self = Self::LongWait;
        }
    }
}

impl Engine {
    /// An advertisement says something new: paths will be found after a while.
    pub(super) fn paths_may_change(&mut self, now: Time) {
        let delay = match self.throttle {
            Throttle::Quiet => {
                self.timers.set(Timer::SpfLearn, now + LEARN_FOR);
                self.throttle = Throttle::ShortWait;
                self.settings.spf_delay
            }
            Throttle::ShortWait => SHORT_DELAY,
            Throttle::LongWait => LONG_DELAY,
        };
        self.timers.set(Timer::SpfHold, now + HOLD_FOR);
        self.timers.set_once(Timer::Spf, now + delay);
    }

    /// Finds all paths, and tells of the routes that have changed by it.
    pub(super) fn find_routes(&mut self, now: Time) {
        self.counts.spf_runs += 1;
        let ways: BTreeMap<Ipv4Addr, u16> =
            self.interfaces.iter().map(|(index, interface)| (interface.address(), *index)).collect();
        let neighbor = |index: u16, id: Ipv4Addr| Some(self.interfaces.get(&index)?.neighbor_of(id)?.address);
        let links = match self.wanted().remove(&spf::router_key(self.id)) {
            Some(Content::Router(links)) => links,
            _ => Vec::new(),
        };
        let root = Root { id: self.id, links: &links, ways: &ways, neighbor: &neighbor };
        let paths = spf::find(&self.database, &root, now);
        let own: BTreeSet<Ipv4Net> = self
            .interfaces
            .values()
            .flat_map(|interface| interface.port.more_nets.iter().chain([&interface.port.net]))
            .map(Ipv4Net::trunc)
            .collect();
        // What is near needs no route, and what leads nowhere is none.
        let leads_on = |path: &Path| !path.next_hops.is_empty() && path.next_hops.iter().all(|hop| hop.via.is_some());
        let found = paths.into_iter().filter(|(net, path)| leads_on(path) && !own.contains(net));
        let mut routes: BTreeMap<Ipv4Net, Path> = found.collect();
        while routes.len() > ROUTES_MAX {
            self.counts.refused += 1;
            routes.pop_last();
        }
        let lost = self.routes.keys().filter(|net| !routes.contains_key(net));
        let mut changes: Vec<RouteChange> = lost.map(|net| RouteChange::Remove(IpNet::V4(*net))).collect();
        for (net, path) in routes.iter().filter(|(net, path)| self.routes.get(net) != Some(path)) {
            let next_hops = path.next_hops.iter().copied().collect();
            changes.push(RouteChange::Put { prefix: IpNet::V4(*net), next_hops, metric: path.cost });
        }
        if !changes.is_empty() {
            self.counts.last_change = Some(now);
        }
        self.actions.extend(changes.into_iter().map(Action::Route));
        self.routes = routes;
    }
}
