//! Who is there: hellos, the elections that follow from them, neighbors that fall silent (RFC 2328 §9.4, §9.5, §10.5).

use std::net::Ipv4Addr;
use std::time::Duration;

use super::engine::{Action, Engine};
use super::interface::{NEIGHBORS_MAX, Role};
use super::neighbor::{Neighbor, State};
use super::timers::Timer;
use crate::time::Time;
use crate::wire::ospf::{ALL_ROUTERS, Hello, OPTION_EXTERNAL, OspfBody};

impl Engine {
    /// §9.5: says hello on an interface.
    pub(super) fn say_hello(&mut self, index: u16) {
        let Some(interface) = self.interfaces.get(&index) else { return };
        let hello = Hello {
            mask: interface.port.net.netmask(),
            interval: self.settings.hello,
            options: OPTION_EXTERNAL,
            priority: interface.port.priority,
            dead_interval: self.settings.dead,
            designated: interface.designated,
            backup: interface.backup,
            neighbors: interface.neighbors.values().map(|neighbor| neighbor.id).collect(),
        };
        self.send(index, ALL_ROUTERS, OspfBody::Hello(hello));
    }

    /// §10.5: a hello has come in.
    pub(super) fn hear_hello(&mut self, index: u16, source: Ipv4Addr, id: Ipv4Addr, hello: &Hello, now: Time) {
        if let Some(why) = self.why_no_neighbor(index, hello) {
            return self.ignore(&format!("hello from {source}: {why}"));
        }
        if self.neighbor(index, source).is_some_and(|neighbor| neighbor.id != id) {
            self.lose(index, source, "it has another router ID", now);
        }
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        if !interface.neighbors.contains_key(&source) {
            if interface.neighbors.len() >= NEIGHBORS_MAX {
                self.counts.refused += 1;
                return;
            }
            interface.neighbors.insert(source, Neighbor::new(id, source));
            let text = format!("neighbor {id} on {}: Down -> Init", interface.port.name);
            self.actions.push(Action::Say(text));
        }
        let dead = Duration::from_secs(self.settings.dead.into());
        self.timers.set(Timer::Inactivity(index, source), now + dead);

        let Some(neighbor) = self.neighbor_mut(index, source) else { return };
        let before = (neighbor.priority, neighbor.designated == source, neighbor.backup == source);
        let was_two_way = neighbor.state >= State::TwoWay;
        (neighbor.priority, neighbor.designated, neighbor.backup) = (hello.priority, hello.designated, hello.backup);
        let after = (hello.priority, hello.designated == source, hello.backup == source);

        let is_two_way = hello.neighbors.contains(&self.id);
        match (was_two_way, is_two_way) {
            (false, true) => self.is_heard_both_ways(index, source, now),
            (true, false) => {
                // 1-WayReceived: it has begun anew and knows nobody yet.
                self.clear_neighbor(index, source);
                self.set_state(index, source, State::Init);
            }
            _ => {}
        }
        let Some(role) = self.interfaces.get(&index).map(|interface| interface.role) else { return };
        if role == Role::PointToPoint {
            return;
        }
        // BackupSeen: there is a backup, or a designated router that says that there is none.
        let is_settled = after.2 || (after.1 && hello.backup.is_unspecified());
        let has_changed = before != after || was_two_way != is_two_way;
        match role {
            Role::Waiting if is_settled && is_two_way => {
                self.timers.stop(Timer::Wait(index));
                self.elect(index, now);
            }
            Role::Waiting => {}
            _ if has_changed => self.neighbors_have_changed(index, now),
            _ => {}
        }
    }

    /// NeighborChange: who speaks for the network may be another now.
    pub(super) fn neighbors_have_changed(&mut self, index: u16, now: Time) {
        let role = self.interfaces.get(&index).map(|interface| interface.role);
        if role.is_some_and(|role| !matches!(role, Role::PointToPoint | Role::Waiting)) {
            self.elect(index, now);
        }
    }

    /// §10.5: what must be equal before a router can be a neighbor; the first thing that is not.
    fn why_no_neighbor(&self, index: u16, hello: &Hello) -> Option<String> {
        let interface = self.interfaces.get(&index)?;
        let own_mask = interface.port.net.netmask();
        if interface.role != Role::PointToPoint && hello.mask != own_mask {
            return Some(format!("its mask is {}, not {own_mask}", hello.mask));
        }
        if hello.interval != self.settings.hello {
            return Some(format!("it says hello every {} s, not {} s", hello.interval, self.settings.hello));
        }
        if hello.dead_interval != self.settings.dead {
            return Some(format!("its dead interval is {} s, not {} s", hello.dead_interval, self.settings.dead));
        }
        (hello.options & OPTION_EXTERNAL == 0).then(|| "it takes the area for a stub".to_owned())
    }

    /// 2-WayReceived.
    pub(super) fn is_heard_both_ways(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        self.set_state(index, address, State::TwoWay);
        self.look_at_adjacency(index, address, now);
    }

    /// AdjOK?: whether databases are to be kept equal with a neighbor may have changed.
    fn look_at_adjacency(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        let Some(interface) = self.interfaces.get(&index) else { return };
        let Some(neighbor) = interface.neighbors.get(&address) else { return };
        match (neighbor.state, interface.wants_adjacency(neighbor)) {
            (State::TwoWay, true) => self.begin_exchange(index, address, now),
            (State::Init | State::TwoWay, _) | (_, true) => {}
            (_, false) => {
                self.clear_neighbor(index, address);
                self.set_state(index, address, State::TwoWay);
            }
        }
    }

    /// §9.4: finds out who speaks for a network.
    pub(super) fn elect(&mut self, index: u16, now: Time) {
        let id = self.id;
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let was_speaking = interface.is_designated_or_backup();
        if !interface.elect(id) {
            return;
        }
        let none = |address: Ipv4Addr| if address.is_unspecified() { "none".to_owned() } else { address.to_string() };
        let text = format!(
            "{} is {}: designated router {}, backup {}",
            interface.port.name,
            interface.role.name(),
            none(interface.designated),
            none(interface.backup),
        );
        let is_speaking = interface.is_designated_or_backup();
        let neighbors: Vec<Ipv4Addr> = interface.neighbors.keys().copied().collect();
        self.actions.push(Action::Say(text));
        if was_speaking != is_speaking {
            self.actions.push(Action::Listen { interface: index, is_designated: is_speaking });
        }
        self.is_changed = true;
        for address in neighbors {
            self.look_at_adjacency(index, address, now);
        }
    }

    /// InactivityTimer.
    pub(super) fn neighbor_is_silent(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        let text = format!("silent for {} s", self.settings.dead);
        self.lose(index, address, &text, now);
    }

    /// A neighbor is gone.
    fn lose(&mut self, index: u16, address: Ipv4Addr, why: &str, now: Time) {
        self.stop_neighbor_timers(index, address);
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let Some(neighbor) = interface.neighbors.remove(&address) else { return };
        let text =
            format!("neighbor {} on {}: {} -> Down, {why}", neighbor.id, interface.port.name, neighbor.state.name());
        self.actions.push(Action::Say(text));
        self.is_changed = true;
        if neighbor.state >= State::TwoWay {
            self.neighbors_have_changed(index, now);
        }
    }

    /// The exchange with a neighbor is over or void.
    pub(super) fn clear_neighbor(&mut self, index: u16, address: Ipv4Addr) {
        for timer in [Timer::Describe, Timer::Request, Timer::Retell] {
            self.timers.stop(timer(index, address));
        }
        if let Some(neighbor) = self.neighbor_mut(index, address) {
            neighbor.clear_exchange();
        }
    }

    pub(super) fn neighbor(&self, index: u16, address: Ipv4Addr) -> Option<&Neighbor> {
        self.interfaces.get(&index)?.neighbors.get(&address)
    }

    pub(super) fn neighbor_mut(&mut self, index: u16, address: Ipv4Addr) -> Option<&mut Neighbor> {
        self.interfaces.get_mut(&index)?.neighbors.get_mut(&address)
    }

    /// Moves the conversation with a neighbor on, or back.
    pub(super) fn set_state(&mut self, index: u16, address: Ipv4Addr, state: State) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let Some(neighbor) = interface.neighbors.get_mut(&address) else { return };
        let before = std::mem::replace(&mut neighbor.state, state);
        if before == state {
            return;
        }
        let text =
            format!("neighbor {} on {}: {} -> {}", neighbor.id, interface.port.name, before.name(), state.name());
        self.actions.push(Action::Say(text));
        // What it says of its links depends on whom it is at one with (§12.4).
        self.is_changed |= before == State::Full || state == State::Full;
    }
}
