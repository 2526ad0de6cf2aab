//! Bridge protocol data units: what switches tell each other to find a tree (IEEE 802.1D-2004 clause 9).
//!
//! A BPDU travels in an IEEE 802.3 frame: a length where others have an EtherType, and an LLC header.
//!
//! ```text
//! | to 01:80:c2:00:00:00 6 | from 6 | length 2 | 42 42 03 | BPDU                                            |
//!
//! | protocol 0 2 | version 1 | type 1 | flags 1 | root 8 | cost 4 | bridge 8 | port 2 | four times 8 | 0 1 |
//! ```
//!
//! The last byte (the length of a version 1 that never was) is there in rapid BPDUs only; a topology change
//! notification ends behind its type. What the numbers mean for a switch is not decided here.

use std::fmt;
use std::time::Duration;

use super::view::{array, be16, be32, byte};

/// Where BPDUs go: to the switch at the other end of the link, and no further (table 7-10).
pub const BPDU_ADDRESS: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0];

/// Whether frames with this address are for the other end of the link alone, as BPDUs are: table 7-10 reserves sixteen.
#[must_use]
pub fn is_for_neighbor(destination: &[u8; 6]) -> bool {
    destination[..5] == BPDU_ADDRESS[..5] && destination[5] < 0x10
}

/// Destination and source service access point, unnumbered information: the LLC header of a BPDU.
pub const BPDU_LLC: [u8; 3] = [0x42, 0x42, 0x03];

/// The longest BPDU: a rapid one.
pub const BPDU_BYTES_MAX: usize = 36;

const CONFIGURATION_BYTES: usize = 35;
const NOTIFICATION_BYTES: usize = 4;

/// A switch as the spanning tree knows it: of two, the lesser is the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId {
    /// Set by whoever runs the network, in steps of 4096; the last 12 bits are an extension and zero here.
    pub priority: u16,
    /// One of the switch's addresses; tells those of one priority apart.
    pub mac: [u8; 6],
}

impl fmt::Display for BridgeId {
    /// As tcpdump: `8000.02:00:00:00:00:01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.mac;
        write!(f, "{:04x}.{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}", self.priority)
    }
}

/// Which of the three messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BpduKind {
    /// The tree, as the old protocol tells it (STP, IEEE 802.1D-1998).
    Configuration,
    /// "Something has changed", told towards the root by the old protocol.
    Notification,
    /// The tree, as the rapid protocol tells it (RSTP).
    Rapid,
}

/// What part the port that sent a rapid BPDU plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BpduRole {
    /// It waits in reserve.
    AlternateOrBackup,
    /// It leads away from the root, for everybody on its link.
    Designated,
    /// It leads to the root.
    Root,
    /// Nothing that a right sender says.
    Unknown,
}

impl BpduRole {
    /// The role in two bits of the flags.
    #[must_use]
    pub fn of_flags(flags: u8) -> Self {
        match (flags >> 2) & 3 {
            1 => Self::AlternateOrBackup,
            2 => Self::Root,
            3 => Self::Designated,
            _ => Self::Unknown,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::AlternateOrBackup => 1 << 2,
            Self::Root => 2 << 2,
            Self::Designated => 3 << 2,
        }
    }

    /// As tcpdump calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AlternateOrBackup => "Alternate",
            Self::Designated => "Designated",
            Self::Root => "Root",
            Self::Unknown => "Unknown",
        }
    }
}

/// The bits of the flags, from the lowest, and their names in tcpdump; the role's two are left out.
pub const BPDU_FLAGS: [(u8, &str); 6] = [
    (BPDU_TOPOLOGY_CHANGE, "Topology change"),
    (BPDU_PROPOSAL, "Proposal"),
    (BPDU_LEARNING, "Learn"),
    (BPDU_FORWARDING, "Forward"),
    (BPDU_AGREEMENT, "Agreement"),
    (BPDU_TOPOLOGY_CHANGE_ACK, "Topology change ACK"),
];

/// The topology has changed: forget who is where.
pub const BPDU_TOPOLOGY_CHANGE: u8 = 0x01;
/// "May I forward at once?"
pub const BPDU_PROPOSAL: u8 = 0x02;
/// The sending port learns.
pub const BPDU_LEARNING: u8 = 0x10;
/// The sending port forwards.
pub const BPDU_FORWARDING: u8 = 0x20;
/// "You may: nothing behind me makes a loop."
pub const BPDU_AGREEMENT: u8 = 0x40;
/// A notification has been heard.
pub const BPDU_TOPOLOGY_CHANGE_ACK: u8 = 0x80;

/// A BPDU with its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bpdu {
    /// Which message; in a notification nothing else counts.
    pub kind: BpduKind,
    /// [`BPDU_FLAGS`], without the role.
    pub flags: u8,
    /// What part the sending port plays; said by rapid BPDUs only.
    pub role: BpduRole,
    /// Whom the sender takes for the root of the tree.
    pub root: BridgeId,
    /// What the way from the sender to the root costs.
    pub cost: u32,
    /// The sender.
    pub bridge: BridgeId,
    /// The sender's port: four bits of priority, then its number from 1.
    pub port: u16,
    /// How old the news from the root is.
    pub message_age: BpduTime,
    /// From which age on it counts no more.
    pub max_age: BpduTime,
    /// How often the root speaks.
    pub hello: BpduTime,
    /// How long a port waits before it learns, and again before it forwards, if nobody agrees.
    pub forward_delay: BpduTime,
}

/// A span in units of 1/256 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct BpduTime(pub u16);

impl BpduTime {
    /// The nearest below; at most 255 s and 255/256.
    #[must_use]
    pub fn of(duration: Duration) -> Self {
        Self(u16::try_from(duration.as_nanos() * 256 / 1_000_000_000).unwrap_or(u16::MAX))
    }

    /// The span.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_nanos(u64::from(self.0) * 1_000_000_000 / 256)
    }
}

impl Bpdu {
    /// A notification: something has changed.
    pub const NOTIFICATION: Self = Self {
        kind: BpduKind::Notification,
        flags: 0,
        role: BpduRole::Unknown,
        root: BridgeId { priority: 0, mac: [0; 6] },
        cost: 0,
        bridge: BridgeId { priority: 0, mac: [0; 6] },
        port: 0,
        message_age: BpduTime(0),
        max_age: BpduTime(0),
        hello: BpduTime(0),
        forward_delay: BpduTime(0),
    };

    /// Reads what stands behind the LLC header; `None` if it is no BPDU that this knows (clause 9.3.4).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if be16(bytes, 0)? != 0 {
            return None;
        }
        let kind = match (byte(bytes, 3)?, byte(bytes, 2)?, bytes.len()) {
            (0x80, _, _) => return Some(Self::NOTIFICATION),
            (0x00, _, CONFIGURATION_BYTES..) => BpduKind::Configuration,
            (0x02, 2.., BPDU_BYTES_MAX..) => BpduKind::Rapid,
            _ => return None,
        };
        let flags = byte(bytes, 4)?;
        let bridge = |at| Some(BridgeId { priority: be16(bytes, at)?, mac: array(bytes, at + 2)? });
        let time = |at| be16(bytes, at).map(BpduTime);
        Some(Self {
            kind,
            flags: flags & !0x0c,
            role: if kind == BpduKind::Rapid { BpduRole::of_flags(flags) } else { BpduRole::Unknown },
            root: bridge(5)?,
            cost: be32(bytes, 13)?,
            bridge: bridge(17)?,
            port: be16(bytes, 25)?,
            message_age: time(27)?,
            max_age: time(29)?,
            hello: time(31)?,
            forward_delay: time(33)?,
        })
    }

    /// How many bytes [`emit`](Self::emit) writes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.kind {
            BpduKind::Configuration => CONFIGURATION_BYTES,
            BpduKind::Notification => NOTIFICATION_BYTES,
            BpduKind::Rapid => BPDU_BYTES_MAX,
        }
    }

    /// Never: the shortest has four bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The bytes behind the LLC header; the first [`len`](Self::len) of them count.
    #[must_use]
    pub fn emit(&self) -> [u8; BPDU_BYTES_MAX] {
        let mut bytes = [0; BPDU_BYTES_MAX];
        let (version, kind, flags) = match self.kind {
            BpduKind::Configuration => (0, 0x00, self.flags),
            BpduKind::Notification => (0, 0x80, 0),
            BpduKind::Rapid => (2, 0x02, self.flags | self.role.bits()),
        };
        (bytes[2], bytes[3], bytes[4]) = (version, kind, flags);
        bytes[5..7].copy_from_slice(&self.root.priority.to_be_bytes());
        bytes[7..13].copy_from_slice(&self.root.mac);
        bytes[13..17].copy_from_slice(&self.cost.to_be_bytes());
        bytes[17..19].copy_from_slice(&self.bridge.priority.to_be_bytes());
        bytes[19..25].copy_from_slice(&self.bridge.mac);
        bytes[25..27].copy_from_slice(&self.port.to_be_bytes());
        for (at, time) in [(27, self.message_age), (29, self.max_age), (31, self.hello), (33, self.forward_delay)] {
            bytes[at..at + 2].copy_from_slice(&time.0.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rapid() -> Bpdu {
        Bpdu {
            kind: BpduKind::Rapid,
            flags: BPDU_PROPOSAL | BPDU_LEARNING,
            role: BpduRole::Designated,
            root: BridgeId { priority: 0x1000, mac: [2, 0, 0, 0, 0, 1] },
            cost: 20_000,
            bridge: BridgeId { priority: 0x8000, mac: [2, 0, 0, 0, 0, 2] },
            port: 0x8003,
            message_age: BpduTime(256),
            max_age: BpduTime::of(Duration::from_secs(20)),
            hello: BpduTime::of(Duration::from_secs(2)),
            forward_delay: BpduTime::of(Duration::from_secs(15)),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let old = Bpdu { kind: BpduKind::Configuration, role: BpduRole::Unknown, flags: 0x81, ..rapid() };
        for bpdu in [rapid(), old, Bpdu::NOTIFICATION] {
            assert_eq!(Bpdu::parse(&bpdu.emit()[..bpdu.len()]), Some(bpdu));
        }
        assert_eq!(rapid().emit()[..5], [0, 0, 2, 2, 0x1e]);
    }

    #[test]
    fn a_bpdu_cut_short_is_none() {
        let bytes = rapid().emit();
        assert!((0..36).all(|length| Bpdu::parse(&bytes[..length]).is_none()));
        assert_eq!(Bpdu::parse(&Bpdu::NOTIFICATION.emit()[..3]), None);
        let old = Bpdu { kind: BpduKind::Configuration, ..rapid() }.emit();
        assert!(Bpdu::parse(&old[..34]).is_none() && Bpdu::parse(&old[..35]).is_some());
    }

    #[test]
    fn spans_are_counted_in_256ths_of_a_second() {
        assert_eq!(BpduTime::of(Duration::from_millis(1500)), BpduTime(384));
        assert_eq!(BpduTime(384).duration(), Duration::from_millis(1500));
        assert_eq!(BpduTime::of(Duration::from_secs(300)), BpduTime(u16::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(bpdu) = Bpdu::parse(&bytes) {
                prop_assert!(bpdu.len() <= bytes.len());
                prop_assert_eq!(Bpdu::parse(&bpdu.emit()[..bpdu.len()]), Some(bpdu));
            }
        }
    }
}
