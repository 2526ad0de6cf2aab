//! What this router itself says: of its links, and of the networks that it speaks for (RFC 2328 §12.4).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::engine::Engine;
use super::interface::{Interface, Role};
use super::spf::{network_key, router_key};
use super::timers::Timer;
use crate::time::Time;
use crate::wire::ospf::OPTION_EXTERNAL;
use crate::wire::ospf::lsa::{Content, Link, LinkKind, Lsa, LsaKey, MAX_AGE, SEQUENCE_FIRST, SEQUENCE_LAST};

/// Appendix B, MinLSInterval: of one advertisement a new instance is made no more often than this.
const ORIGINATE_GAP: Duration = Duration::from_secs(5);

/// How long good news wait for others while databases are being made equal.
const COMPANY_FOR: Duration = Duration::from_millis(500);

/// Appendix B, LSRefreshTime: how old an advertisement of its own grows before it is told anew.
const REFRESH_AFTER: Duration = Duration::from_secs(1800);

impl Engine {
    /// Says what has changed, as far as it may be said already.
    pub(super) fn originate_all(&mut self, now: Time) {
        let wanted = self.wanted();
        let unwanted: Vec<LsaKey> = self.originated.keys().filter(|key| !wanted.contains_key(key)).copied().collect();
        for key in unwanted {
            self.originated.remove(&key);
            self.timers.stop(Timer::Originate(key));
            self.flush(key, now);
        }
        for (key, content) in wanted {
            let old = self.database.get(&key).filter(|old| old.age(now) < MAX_AGE);
            if self.disputed.contains(&key) || old.is_none_or(|old| old.content != content) {
                self.originate(key, content, now);
            }
        }
    }

    /// All that this router has to say.
    pub(super) fn wanted(&self) -> BTreeMap<LsaKey, Content> {
        let links = self.interfaces.values().flat_map(|interface| self.links_of(interface));
        let mut wanted = BTreeMap::from([(router_key(self.id), Content::Router(links.collect()))]);
        for interface in self.interfaces.values().filter(|interface| interface.role == Role::Designated) {
            // §12.4.2: of a network on which there is nobody else nothing is said.
            let full: Vec<Ipv4Addr> = interface.full().map(|neighbor| neighbor.id).collect();
            if !full.is_empty() {
                let routers = [self.id].into_iter().chain(full).collect();
                let content = Content::Network { mask: interface.port.net.netmask(), routers };
                wanted.insert(network_key(interface.address(), self.id), content);
            }
        }
        wanted
    }

    /// §12.4.1: what an interface is in the router's advertisement.
    fn links_of(&self, interface: &Interface) -> Vec<Link> {
        let port = &interface.port;
        let stub =
            |net: &Ipv4Net| Link { kind: LinkKind::Stub, id: net.network(), data: net.netmask(), metric: port.cost };
        let mut links = Vec::new();
        let speaker = interface.neighbors.get(&interface.designated);
        let is_transit = match interface.role {
            Role::Designated => interface.full().next().is_some(),
            Role::Backup | Role::Other => {
                speaker.is_some_and(|speaker| interface.full().any(|one| one.id == speaker.id))
            }
            Role::PointToPoint | Role::Waiting => false,
        };
        if interface.role == Role::PointToPoint {
            let others = interface.full().map(|neighbor| neighbor.id);
            let data = interface.address();
            links.extend(others.map(|id| Link { kind: LinkKind::PointToPoint, id, data, metric: port.cost }));
        }
        if is_transit {
            let (id, data) = (interface.designated, interface.address());
            links.push(Link { kind: LinkKind::Transit, id, data, metric: port.cost });
        } else {
            links.push(stub(&port.net));
        }
        links.extend(port.more_nets.iter().map(stub));
        links
    }

    /// Makes a new instance, unless the last one is too young.
    fn originate(&mut self, key: LsaKey, content: Content, now: Time) {
        if let Some(last) = self.originated.get(&key)
            && now < *last + ORIGINATE_GAP
        {
            return self.timers.set_once(Timer::Originate(key), *last + ORIGINATE_GAP);
        }
        // Good news can wait for a moment while there is more to come: told one by one, the second would have to wait for
        // the gap.
        if self.is_exchanging() && self.is_good_news(&key, &content) {
            let until = *self.waiting.entry(key).or_insert(now + COMPANY_FOR);
            if now < until {
                return self.timers.set_once(Timer::Originate(key), until);
            }
        }
        self.waiting.remove(&key);
        self.disputed.remove(&key);
        let old = self.database.get(&key).map(|stored| stored.header(now).sequence);
        let sequence = match old {
            None => SEQUENCE_FIRST,
            Some(SEQUENCE_LAST) => {
                // §12.1.6: the last instance must be forgotten everywhere before the numbers begin anew.
                self.originated.insert(key, now);
                return self.flush(key, now);
            }
            Some(old) => old + 1,
        };
        self.originated.insert(key, now);
        let lsa = Lsa::new(key, OPTION_EXTERNAL, sequence, &content);
        self.install(lsa, content, None, now);
        self.timers.set(Timer::Age(key), now + REFRESH_AFTER);
        self.flood(key, None, now);
    }

    /// Whether a new instance only adds to what the last one says.
    fn is_good_news(&self, key: &LsaKey, content: &Content) -> bool {
        let old = self.database.get(key).map(|stored| &stored.content);
        match (old, content) {
            (Some(Content::Router(old)), Content::Router(new)) => old.len() <= new.len(),
            (Some(Content::Network { routers: old, .. }), Content::Network { routers: new, .. }) => {
                old.len() < new.len()
            }
            _ => false,
        }
    }

    /// §14.1: has everybody forget an advertisement.
    fn flush(&mut self, key: LsaKey, now: Time) {
        let Some(stored) = self.database.get_mut(&key) else { return };
        if stored.age(now) >= MAX_AGE && self.ended.contains(&key) {
            return;
        }
        stored.end(now);
        self.timers.stop(Timer::Age(key));
        self.ended.insert(key);
        self.flood(key, None, now);
        self.paths_may_change(now);
    }

    /// An advertisement has reached its greatest age, or one of its own the age at which it is told anew.
    pub(super) fn lsa_is_old(&mut self, key: LsaKey, now: Time) {
        let content = self.originated.get(&key).and_then(|_| self.wanted().remove(&key));
        match content {
            Some(content) => self.originate(key, content, now),
            None => self.flush(key, now),
        }
    }

    /// §13.4: somebody spreads something newer that this router is said to have said: from before it began anew, or a lie.
    pub(super) fn take_back(&mut self, key: LsaKey, now: Time) {
        match self.wanted().remove(&key) {
            Some(content) => {
                // Even if it says the same: whoever has said it might go on.
                self.disputed.insert(key);
                self.originate(key, content, now);
            }
            None => self.flush(key, now),
        }
    }
}
