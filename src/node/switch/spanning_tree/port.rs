//! What the spanning tree knows of a port: the variables of IEEE 802.1D-2004 §17.19.
//!
//! The standard's own names stand behind each, so that the state machines in the other files can be held against it.

use std::time::Duration;

use super::timer::Timer;
use super::topology::TopologyState;
use super::vector::{Times, Vector};
use super::{COST_DEFAULT, MIGRATE_TIME, PORTS_MAX};
use crate::node::switch::SwitchPortSpec;
use crate::time::Time;
use crate::wire::bpdu::Bpdu;

/// What part a port plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It leads to the root too, and waits in reserve.
    Alternate,
    /// It leads to a link that another port of this switch serves.
    Backup,
    /// It leads away from the root, for everybody on its link.
    Designated,
    /// Its link is down.
    Disabled,
    /// It is the way to the root.
    Root,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alternate => "alternate",
            Self::Backup => "backup",
            Self::Designated => "designated",
            Self::Disabled => "disabled",
            Self::Root => "root",
        }
    }
}

/// Where a port's priority vector comes from (infoIs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Info {
    /// From a message that nobody has repeated in time.
    Aged,
    /// From nowhere.
    Disabled,
    /// From this switch.
    Mine,
    /// From a message.
    Received,
}

/// How far a port is with finding out which protocol its neighbor speaks (§17.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Migration {
    Checking,
    Sensing,
    SelectingOld,
}

/// A port of the tree.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) mac: [u8; 6],
    /// Four bits of priority, then the number from 1 (portId).
    pub(super) id: u16,
    /// What its link costs whatever its rate.
    pub(super) cost_set: Option<u32>,
    /// What its link costs (PortPathCost).
    pub(super) cost: u32,
    /// Said to lead to stations only (AdminEdge).
    pub(super) is_edge_set: bool,
    /// Its link is up (portEnabled).
    pub(super) is_enabled: bool,

    /// infoIs
    pub(super) info: Info,
    /// The best that is known of its link (portPriority).
    pub(super) priority: Vector,
    /// portTimes
    pub(super) times: Times,
    /// What this switch would tell there (designatedPriority).
    pub(super) designated: Vector,
    /// designatedTimes
    pub(super) designated_times: Times,
    /// role
    pub(super) role: Role,
    /// selectedRole
    pub(super) selected_role: Role,
    /// A message that has not been looked at (rcvdMsg).
    pub(super) message: Option<Bpdu>,
    /// Which protocol the neighbor seems to speak.
    pub(super) migration: Migration,
    pub(super) topology: TopologyState,

    /// This switch has agreed with its neighbor.
    pub(super) agree: bool,
    /// The neighbor has agreed.
    pub(super) agreed: bool,
    /// News from the neighbor contradict each other.
    pub(super) disputed: bool,
    /// What is to become of the port; `learning` and `forwarding` follow.
    pub(super) forward: bool,
    pub(super) forwarding: bool,
    /// It is taken to lead to stations only (operEdge).
    pub(super) is_edge: bool,
    pub(super) learn: bool,
    pub(super) learning: bool,
    /// There is something to tell (newInfo).
    pub(super) has_news: bool,
    pub(super) proposed: bool,
    pub(super) proposing: bool,
    pub(super) received_rapid: bool,
    pub(super) received_old: bool,
    pub(super) received_change: bool,
    pub(super) received_change_ack: bool,
    pub(super) received_notification: bool,
    pub(super) re_root: bool,
    pub(super) reselect: bool,
    pub(super) selected: bool,
    /// sendRSTP
    pub(super) speaks_rapid: bool,
    pub(super) sync: bool,
    pub(super) synced: bool,
    /// tcAck
    pub(super) acknowledges_change: bool,
    /// tcProp
    pub(super) passes_change_on: bool,
    /// updtInfo
    pub(super) update_info: bool,

    /// edgeDelayWhile: without news for so long, there are only stations.
    pub(super) edge_delay: Timer,
    /// fdWhile
    pub(super) forward_delay: Timer,
    /// helloWhen
    pub(super) hello: Timer,
    /// mdelayWhile
    pub(super) migration_delay: Timer,
    /// rcvdInfoWhile
    pub(super) received_info: Timer,
    /// rbWhile
    pub(super) recent_backup: Timer,
    /// rrWhile
    pub(super) recent_root: Timer,
    /// tcWhile
    pub(super) topology_change: Timer,

    /// Messages sent of late, less one for each second since (txCount).
    sent: u32,
    /// From when on those seconds are counted.
    sent_since: Time,
}

/// How many messages a port may send in quick succession, and then one a second (TxHoldCount, table 17-1).
pub(super) const SENT_MAX: u32 = 6;

impl Port {
    /// A port whose link is down, at rest in the state DISABLED_PORT.
    pub(super) fn new(spec: &SwitchPortSpec, index: usize, own: Vector, times: Times) -> Self {
        let number = u16::try_from(index + 1).unwrap_or(u16::MAX).min(PORTS_MAX);
        let id = u16::from(spec.priority & 0xf0) << 8 | number;
        Self {
            name: spec.name.clone(),
            mac: spec.mac.0,
            id,
            cost_set: spec.cost,
            cost: spec.cost.unwrap_or(COST_DEFAULT),
            is_edge_set: spec.is_edge,
            is_enabled: false,
            info: Info::Disabled,
            priority: own,
            times,
            designated: Vector { port: id, ..own },
            designated_times: times,
            role: Role::Disabled,
            selected_role: Role::Disabled,
            message: None,
            migration: Migration::Checking,
            topology: TopologyState::Inactive,
            agree: false,
            agreed: false,
            disputed: false,
            forward: false,
            forwarding: false,
            is_edge: spec.is_edge,
            learn: false,
            learning: false,
            has_news: true,
            proposed: false,
            proposing: false,
            received_rapid: false,
            received_old: false,
            received_change: false,
            received_change_ack: false,
            received_notification: false,
            re_root: false,
            reselect: true,
            selected: false,
            speaks_rapid: true,
            sync: false,
            synced: true,
            acknowledges_change: false,
            passes_change_on: false,
            update_info: false,
            edge_delay: Timer::Held(MIGRATE_TIME),
            forward_delay: Timer::Held(times.max_age.duration()),
            hello: Timer::Off,
            migration_delay: Timer::Held(MIGRATE_TIME),
            received_info: Timer::Off,
            recent_backup: Timer::Off,
            recent_root: Timer::Off,
            topology_change: Timer::Off,
            sent: 0,
            sent_since: Time::ZERO,
        }
    }

    /// Whether what was selected for the port still holds: most machines wait for that.
    pub(super) fn is_settled(&self) -> bool {
        self.selected && !self.update_info
    }

    /// Whether frames go through the port in the tree's name.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.role, Role::Designated | Role::Root)
    }

    /// What it does, in a word.
    pub(super) fn state_name(&self) -> &'static str {
        match (self.learning, self.forwarding) {
            (_, true) => "forwarding",
            (true, false) => "learning",
            (false, false) => "discarding",
        }
    }

    /// How long it waits between two states where nobody agrees: a mere hello time if the neighbor would have answered
    /// (forwardDelay, §17.20.5).
    pub(super) fn state_delay(&self) -> Duration {
        let delay = if self.speaks_rapid { self.times.hello } else { self.designated_times.forward_delay };
        delay.duration()
    }

    /// Whether one more message may be sent.
    pub(super) fn may_send(&self, now: Time) -> bool {
        self.sent_lately(now) < SENT_MAX
    }

    /// When one more message may be sent; only asked of a port that must wait.
    pub(super) fn may_send_at(&self) -> Time {
        self.sent_since + Duration::from_secs(u64::from(self.sent - self.sent.min(SENT_MAX - 1)))
    }

    pub(super) fn count_sent(&mut self, now: Time) {
        let sent = self.sent_lately(now);
        // The seconds go on as they were while there is something left to count off.
        self.sent_since = if sent == 0 { now } else { self.sent_since + self.whole_seconds(now) };
        self.sent = sent + 1;
    }

    pub(super) fn forget_sent(&mut self) {
        self.sent = 0;
    }

    fn whole_seconds(&self, now: Time) -> Duration {
        Duration::from_secs(now.since(self.sent_since).as_secs())
    }

    fn sent_lately(&self, now: Time) -> u32 {
        let seconds = u32::try_from(self.whole_seconds(now).as_secs()).unwrap_or(u32::MAX);
        self.sent.saturating_sub(seconds)
    }
}
