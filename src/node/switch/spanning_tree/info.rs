//! What a port makes of the messages that it receives (IEEE 802.1D-2004 §17.23, §17.24, §17.25, §17.27).
//!
//! Four of the standard's machines, those that look outwards: is there a message, which protocol does the neighbor
//! speak, is there a neighbor at all, and is what it says better than what was known. A step answers whether anything
//! has changed; the caller goes on until nothing does.

use super::port::{Info, Migration, Port};
use super::timer::Timer;
use super::vector::{Times, Vector};
use super::{MIGRATE_TIME, SpanningTree};
use crate::time::Time;
use crate::wire::bpdu::{
    BPDU_AGREEMENT, BPDU_LEARNING, BPDU_PROPOSAL, BPDU_TOPOLOGY_CHANGE, BPDU_TOPOLOGY_CHANGE_ACK, Bpdu, BpduKind,
    BpduRole,
};

/// What a message is to the port that received it (rcvInfo, §17.21.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// From a designated port that knows less.
    InferiorDesignated,
    /// From a port that is not designated, for the one that is.
    NotDesignated,
    Other,
    /// The same once more.
    RepeatedDesignated,
    /// Better, or the same sender's change of mind.
    SuperiorDesignated,
}

impl SpanningTree {
    /// Takes a message for a port: the neighbor is a switch, and speaks this protocol.
    pub(super) fn take_message(&mut self, index: usize, message: Bpdu, now: Time) {
        let port = &mut self.ports[index];
        match message.kind {
            BpduKind::Configuration | BpduKind::Notification => port.received_old = true,
            BpduKind::Rapid => port.received_rapid = true,
        }
        port.is_edge = false;
        port.edge_delay = Timer::start(now, MIGRATE_TIME);
        port.message = Some(message);
    }

    /// Is there a neighbor? (§17.25; and the part of §17.23 that a link's going down is)
    pub(super) fn detect_edge(&mut self, index: usize, now: Time) -> bool {
        let port = &mut self.ports[index];
        if !port.is_enabled {
            let was_held = !port.edge_delay.hold(MIGRATE_TIME);
            let is_as_set = std::mem::replace(&mut port.is_edge, port.is_edge_set) == port.is_edge_set;
            return !was_held || !is_as_set;
        }
        port.edge_delay.release(now);
        // AutoEdge, which the standard recommends: who is not answered talks to stations.
        let is_alone = !port.edge_delay.is_running(now) && port.speaks_rapid && port.proposing;
        is_alone && !std::mem::replace(&mut port.is_edge, true)
    }

    /// Which protocol does the neighbor speak? (§17.24)
    pub(super) fn migrate(&mut self, index: usize, now: Time) -> bool {
        let is_rapid = self.is_rapid;
        let port = &mut self.ports[index];
        if port.is_enabled {
            port.migration_delay.release(now);
        }
        match port.migration {
            Migration::Checking if !port.is_enabled => port.migration_delay.hold(MIGRATE_TIME),
            Migration::Checking if !port.migration_delay.is_running(now) => port.sense(),
            Migration::SelectingOld if !port.migration_delay.is_running(now) || !port.is_enabled => port.sense(),
            Migration::Sensing if !port.is_enabled || (is_rapid && !port.speaks_rapid && port.received_rapid) => {
                port.migration = Migration::Checking;
                port.speaks_rapid = is_rapid;
                port.migration_delay = Timer::start(now, MIGRATE_TIME);
                true
            }
            Migration::Sensing if port.speaks_rapid && port.received_old => {
                port.migration = Migration::SelectingOld;
                port.speaks_rapid = false;
                port.migration_delay = Timer::start(now, MIGRATE_TIME);
                true
            }
            Migration::Checking | Migration::SelectingOld | Migration::Sensing => false,
        }
    }

    /// Is what is known of the port's link still so? (§17.27)
    pub(super) fn update_info(&mut self, index: usize, now: Time) -> bool {
        let is_rapid = self.is_rapid;
        let port = &mut self.ports[index];
        if !port.is_enabled {
            let had_message = port.message.take().is_some();
            return std::mem::replace(&mut port.info, Info::Disabled) != Info::Disabled && port.disable()
                || had_message;
        }
        if port.info == Info::Disabled {
            port.age();
            return true;
        }
        if port.selected && port.update_info {
            port.announce();
            return true;
        }
        if port.info == Info::Aged || port.update_info {
            return false;
        }
        match port.message.take() {
            Some(message) => {
                port.hear(&message, is_rapid, now);
                true
            }
            None if port.info == Info::Received && !port.received_info.is_running(now) => {
                port.age();
                true
            }
            None => false,
        }
    }
}

impl Port {
    fn sense(&mut self) -> bool {
        self.migration = Migration::Sensing;
        self.migration_delay = Timer::Off;
        (self.received_rapid, self.received_old) = (false, false);
        true
    }

    /// The state DISABLED. Always true: it changes something.
    fn disable(&mut self) -> bool {
        (self.proposing, self.proposed, self.agree, self.agreed) = (false, false, false, false);
        self.received_info = Timer::Off;
        self.choose_again();
        true
    }

    /// The state AGED: what was known is worth nothing any more.
    fn age(&mut self) {
        self.info = Info::Aged;
        self.choose_again();
    }

    fn choose_again(&mut self) {
        (self.reselect, self.selected) = (true, false);
    }

    /// The state UPDATE: this switch has something better, or else, to say.
    fn announce(&mut self) {
        (self.proposing, self.proposed) = (false, false);
        // An agreement with what was said before holds for what is better (betterorsameInfo, §17.21.1).
        self.agreed = self.agreed && self.info == Info::Mine && self.designated <= self.priority;
        self.synced = self.synced && self.agreed;
        (self.priority, self.times) = (self.designated, self.designated_times);
        self.info = Info::Mine;
        (self.update_info, self.has_news) = (false, true);
    }

    /// The state RECEIVE and those behind it.
    fn hear(&mut self, message: &Bpdu, is_rapid: bool, now: Time) {
        if message.kind == BpduKind::Notification {
            self.received_notification = true;
            return;
        }
        let (vector, times) = (Vector::of_message(message), Times::of_message(message));
        // What the old protocol knows nothing of, its messages do not say.
        let has = |flag: u8| message.kind == BpduKind::Rapid && message.flags & flag != 0;
        match self.worth(message, &vector, &times) {
            Worth::SuperiorDesignated => {
                (self.agreed, self.proposing) = (false, false);
                self.proposed |= has(BPDU_PROPOSAL);
                self.note_changes(message);
                // An agreement with worse news holds for better ones.
                self.agree = self.agree && self.info == Info::Received && vector <= self.priority;
                (self.priority, self.times) = (vector, times);
                self.believe(now);
                self.info = Info::Received;
                self.choose_again();
            }
            Worth::RepeatedDesignated => {
                self.proposed |= has(BPDU_PROPOSAL);
                self.note_changes(message);
                self.believe(now);
            }
            // recordDispute, §17.21.10: a port that learns behind worse news has not heard what this one says.
            Worth::InferiorDesignated if has(BPDU_LEARNING) => {
                (self.disputed, self.agreed) = (true, false);
            }
            Worth::NotDesignated => {
                self.agreed = is_rapid && has(BPDU_AGREEMENT);
                self.proposing &= !self.agreed;
                self.note_changes(message);
            }
            Worth::InferiorDesignated | Worth::Other => {}
        }
    }

    fn worth(&self, message: &Bpdu, vector: &Vector, times: &Times) -> Worth {
        // §9.2.9: an old message is that of a designated port, and one of an unknown role is treated as an old one.
        let is_designated = matches!(message.role, BpduRole::Designated | BpduRole::Unknown);
        if !is_designated {
            return if *vector >= self.priority { Worth::NotDesignated } else { Worth::Other };
        }
        if *vector == self.priority && *times == self.times {
            return if self.info == Info::Received { Worth::RepeatedDesignated } else { Worth::InferiorDesignated };
        }
        if *vector <= self.priority || vector.has_sender_of(&self.priority) {
            return Worth::SuperiorDesignated;
        }
        Worth::InferiorDesignated
    }

    /// How long what was heard is believed (updtRcvdInfoWhile).
    fn believe(&mut self, now: Time) {
        self.received_info = self.times.valid_for().map_or(Timer::Off, |duration| Timer::start(now, duration));
    }

    /// setTcFlags
    fn note_changes(&mut self, message: &Bpdu) {
        self.received_change |= message.flags & BPDU_TOPOLOGY_CHANGE != 0;
        self.received_change_ack |= message.flags & BPDU_TOPOLOGY_CHANGE_ACK != 0;
    }
}
