//! Which port gets which role (IEEE 802.1D-2004 §17.28), and how it gets there (§17.29, §17.30).
//!
//! A port that is to forward asks its neighbor first (*proposing*). The neighbor, before it agrees, holds back all its
//! own ports that could close a loop (*sync*) and asks further on in turn: the cut through which no frame can loop
//! moves outwards, switch by switch, at the speed of messages. Where nobody answers, timers decide.

use super::port::{Info, Port, Role};
use super::timer::Timer;
use super::vector::{Times, Vector};
use super::{MIGRATE_TIME, SpanningTree};
use crate::time::Time;

impl SpanningTree {
    /// Selects every port's role anew, if any port asks for it.
    pub(super) fn select_roles(&mut self) -> bool {
        if !self.ports.iter().any(|port| port.reselect) {
            return false;
        }
        self.ports.iter_mut().for_each(|port| port.reselect = false);
        self.find_root();
        for port in &mut self.ports {
            port.designated = Vector { bridge: self.bridge, port: port.id, ..self.root };
            port.designated_times = Times { hello: self.own_times.hello, ..self.root_times };
            let is_root_port = self.root_port == Some(port.id);
            (port.selected_role, port.update_info) = port.choose_role(is_root_port);
        }
        self.ports.iter_mut().for_each(|port| port.selected = true);
        true
    }

    /// The best of what the ports know and of what this switch is itself (updtRolesTree a to c).
    fn find_root(&mut self) {
        let own = Vector::of_bridge(self.bridge);
        let ways = self.ports.iter().filter(|port| port.info == Info::Received && port.priority.bridge != self.bridge);
        let ways = ways.map(|port| {
            let cost = port.priority.cost.saturating_add(port.cost);
            (Vector { cost, ..port.priority }, port.id, port.times)
        });
        let best = ways.min_by_key(|(vector, id, _)| (*vector, *id)).filter(|(vector, ..)| *vector < own);
        (self.root, self.root_port, self.root_times) = match best {
            Some((vector, id, times)) => (vector, Some(id), Times { message_age: times.next_age(), ..times }),
            None => (own, None, self.own_times),
        };
    }

    /// Moves a port towards its selected role, one step (§17.29).
    pub(super) fn change_role(&mut self, index: usize, now: Time) -> bool {
        let port = &mut self.ports[index];
        if !port.is_settled() {
            return false;
        }
        if port.role != port.selected_role {
            port.enter_role(now);
            return true;
        }
        match port.role {
            Role::Disabled => self.ports[index].rest(),
            Role::Alternate | Role::Backup => self.step_in_reserve(index),
            Role::Designated => self.ports[index].step_designated(now),
            Role::Root => self.step_root(index, now),
        }
    }

    /// Whether nothing behind this switch can make a loop with the port that asks (allSynced, §17.20.3).
    fn is_all_synced(&self) -> bool {
        let is_done = |port: &Port| port.is_settled() && port.role == port.selected_role;
        self.ports.iter().all(|port| is_done(port) && (port.role == Role::Root || port.synced))
    }

    /// Holds every port back that could close a loop (setSyncTree).
    fn sync_all(&mut self) {
        self.ports.iter_mut().for_each(|port| port.sync = true);
    }

    /// An alternate or backup port: it forwards nothing, and agrees to whatever is proposed.
    fn step_in_reserve(&mut self, index: usize) -> bool {
        let is_all_synced = self.is_all_synced();
        let port = &mut self.ports[index];
        if port.rest() {
            return true;
        }
        if port.learning || port.forwarding {
            return false;
        }
        if port.proposed && !port.agree {
            port.proposed = false;
            self.sync_all();
            return true;
        }
        if (is_all_synced && !port.agree) || (port.proposed && port.agree) {
            port.proposed = false;
            (port.agree, port.has_news) = (true, true);
            return true;
        }
        let twice = 2 * port.times.hello.duration();
        port.role == Role::Backup && port.recent_backup.hold(twice)
    }

    fn step_root(&mut self, index: usize, now: Time) -> bool {
        let is_all_synced = self.is_all_synced();
        let others = self.ports.iter().enumerate().filter(|(other, _)| *other != index);
        let is_re_rooted = others.into_iter().all(|(_, port)| !port.recent_root.is_running(now));
        let is_rapid = self.is_rapid;
        let port = &mut self.ports[index];
        if port.recent_root.hold(port.designated_times.forward_delay.duration()) {
            return true;
        }
        if port.proposed && !port.agree {
            port.proposed = false;
            self.sync_all();
            return true;
        }
        if (is_all_synced && !port.agree) || (port.proposed && port.agree) {
            (port.proposed, port.sync) = (false, false);
            (port.agree, port.has_news) = (true, true);
            return true;
        }
        if (port.agreed && !port.synced) || (port.sync && port.synced) {
            (port.synced, port.sync) = (true, false);
            return true;
        }
        if !port.forward && !port.re_root {
            self.ports.iter_mut().for_each(|port| port.re_root = true);
            return true;
        }
        // No other port leads where the last root port led: this one may go on at once.
        let may_go_on = is_re_rooted && is_rapid && !port.recent_backup.is_running(now);
        if !port.forward && (may_go_on || !port.forward_delay.is_running(now)) {
            port.open(now);
            return true;
        }
        port.forward && std::mem::replace(&mut port.re_root, false)
    }
}

impl Port {
    /// updtRolesTree f to l: the role, and whether this switch has something of its own to say there.
    fn choose_role(&self, is_root_port: bool) -> (Role, bool) {
        match self.info {
            Info::Disabled => (Role::Disabled, false),
            Info::Aged => (Role::Designated, true),
            Info::Mine => {
                let is_changed = self.priority != self.designated || self.times != self.designated_times;
                (Role::Designated, is_changed)
            }
            Info::Received if is_root_port => (Role::Root, false),
            Info::Received if self.designated < self.priority => (Role::Designated, true),
            Info::Received if self.priority.bridge == self.designated.bridge => (Role::Backup, false),
            Info::Received => (Role::Alternate, false),
        }
    }

    fn enter_role(&mut self, now: Time) {
        self.role = self.selected_role;
        for timer in [&mut self.forward_delay, &mut self.recent_root, &mut self.recent_backup] {
            timer.release(now);
        }
        if !self.is_active() {
            (self.learn, self.forward) = (false, false);
        }
    }

    /// The states DISABLED_PORT and ALTERNATE_PORT: nothing goes through, so there is nothing to wait for.
    fn rest(&mut self) -> bool {
        if self.learning || self.forwarding {
            return false;
        }
        let delay = match self.role {
            Role::Disabled => self.designated_times.max_age.duration(),
            _ => self.state_delay(),
        };
        let was_held = !self.forward_delay.hold(delay);
        let was_resting = self.synced && !self.sync && !self.re_root && self.recent_root == Timer::Off;
        (self.synced, self.sync, self.re_root, self.recent_root) = (true, false, false, Timer::Off);
        !(was_held && was_resting)
    }

    fn step_designated(&mut self, now: Time) -> bool {
        let was_root_lately = self.recent_root.is_running(now);
        if self.re_root && !was_root_lately {
            self.re_root = false;
            return true;
        }
        let is_idle = !self.learning && !self.forwarding;
        if ((is_idle || self.agreed || self.is_edge) && !self.synced) || (self.sync && self.synced) {
            self.recent_root = Timer::Off;
            (self.synced, self.sync) = (true, false);
            return true;
        }
        if !self.forward && !self.agreed && !self.proposing && !self.is_edge {
            self.edge_delay = Timer::start(now, MIGRATE_TIME);
            (self.proposing, self.has_news) = (true, true);
            return true;
        }
        let must_wait = self.forward_delay.is_running(now) && !self.agreed && !self.is_edge;
        let is_held = must_wait || self.sync || (was_root_lately && self.re_root);
        if !is_held && !self.forward {
            self.open(now);
            if self.forward {
                self.agreed = self.speaks_rapid;
            }
            return true;
        }
        let must_close = (self.sync && !self.synced) || (self.re_root && was_root_lately) || self.disputed;
        if must_close && !self.is_edge && (self.learn || self.forward) {
            (self.learn, self.forward, self.disputed) = (false, false, false);
            self.forward_delay = Timer::start(now, self.state_delay());
            return true;
        }
        false
    }

    /// One step from discarding to learning, or from there to forwarding.
    fn open(&mut self, now: Time) {
        if self.learn {
            self.forward = true;
            self.forward_delay = Timer::Off;
        } else {
            self.learn = true;
            self.forward_delay = Timer::start(now, self.state_delay());
        }
    }

    /// The state of the port follows what its role says (§17.30).
    pub(super) fn change_state(&mut self) -> bool {
        let (learning, forwarding) = (self.learn, self.learn && self.forward);
        let is_changed = (self.learning, self.forwarding) != (learning, forwarding);
        (self.learning, self.forwarding) = (learning, forwarding);
        is_changed
    }
}
