//! Telling everybody that the tree has changed, so that they forget who was where (IEEE 802.1D-2004 §17.31).
//!
//! A port that begins to forward makes a change. Whoever hears of one forgets all stations, except those behind the port
//! where it was heard, and tells it on through all its other ports.

use super::SpanningTree;
use super::port::{Port, Role};
use super::timer::Timer;
use crate::node::switch::fdb::Fdb;
use crate::time::Time;

/// How a port deals with changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopologyState {
    /// It forwards, and hears and tells of changes.
    Active,
    /// It takes no part.
    Inactive,
    /// It may soon forward.
    Learning,
}

impl SpanningTree {
    /// One step of a port's topology change machine.
    pub(super) fn note_changes(&mut self, index: usize, now: Time, fdb: &mut Fdb) -> bool {
        let port = &mut self.ports[index];
        let has_heard = port.received_change || port.received_notification || port.received_change_ack;
        match port.topology {
            TopologyState::Inactive if port.learn => {
                port.topology = TopologyState::Learning;
                port.forget_heard();
                true
            }
            TopologyState::Inactive => false,
            TopologyState::Learning if port.is_active() && port.forward && !port.is_edge => {
                port.topology = TopologyState::Active;
                port.tell_change(now);
                port.has_news = true;
                self.changes += 1;
                self.pass_on(index);
                true
            }
            TopologyState::Learning if has_heard || port.passes_change_on => {
                port.forget_heard();
                true
            }
            TopologyState::Learning if !port.is_active() && !port.learn && !port.learning => {
                port.topology = TopologyState::Inactive;
                (port.topology_change, port.acknowledges_change) = (Timer::Off, false);
                self.flush(index, fdb);
                true
            }
            TopologyState::Learning => false,
            TopologyState::Active if !port.is_active() || port.is_edge => {
                port.topology = TopologyState::Learning;
                port.forget_heard();
                true
            }
            TopologyState::Active if port.received_notification || port.received_change => {
                if port.received_notification {
                    port.tell_change(now);
                }
                (port.received_notification, port.received_change) = (false, false);
                port.acknowledges_change |= port.role == Role::Designated;
                self.pass_on(index);
                true
            }
            TopologyState::Active if port.passes_change_on => {
                port.tell_change(now);
                port.passes_change_on = false;
                self.flush(index, fdb);
                true
            }
            TopologyState::Active if port.received_change_ack => {
                (port.topology_change, port.received_change_ack) = (Timer::Off, false);
                true
            }
            TopologyState::Active => false,
        }
    }

    /// Has all other ports tell of a change (setTcPropTree).
    fn pass_on(&mut self, from: usize) {
        let others = self.ports.iter_mut().enumerate().filter(|(index, _)| *index != from);
        others.for_each(|(_, port)| port.passes_change_on = true);
    }

    /// Forgets who is behind a port (fdbFlush): at once, or by rapid ageing with the old protocol (§17.19.1).
    fn flush(&mut self, index: usize, fdb: &mut Fdb) {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let forgotten = match self.is_rapid {
            true => fdb.forget_port(number),
            false => fdb.hasten_port(number, self.root_times.forward_delay.duration()),
        };
        self.forgotten += forgotten;
    }
}

impl Port {
    /// newTcWhile, §17.21.7
    fn tell_change(&mut self, now: Time) {
        if self.topology_change.is_running(now) {
            return;
        }
        let times = &self.designated_times;
        let duration = match self.speaks_rapid {
            true => times.hello.duration() + std::time::Duration::from_secs(1),
            false => times.max_age.duration() + times.forward_delay.duration(),
        };
        self.topology_change = Timer::start(now, duration);
        self.has_news = true;
    }

    fn forget_heard(&mut self) {
        (self.received_change, self.received_notification, self.received_change_ack) = (false, false, false);
        self.passes_change_on = false;
    }
}
