//! What a switch is made from: ports, VLANs, limits, the spanning tree.
//!
//! Plain data, checked by whoever made it: the scenario floor, or Rust code.

use std::collections::BTreeSet;
use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use crate::rng::fnv1a;

/// How long a station is remembered after its last frame. IEEE 802.1D table 7-5: 300 s.
pub const AGE_DEFAULT: Duration = Duration::from_secs(300);

/// How many stations a switch remembers unless told otherwise; frames for those it has no room for are flooded. A common
/// size of real ones.
pub const STATIONS_MAX: usize = 8192;

/// The VLAN of whatever is not said to be in another (IEEE 802.1Q table 9-2).
pub const VLAN_DEFAULT: u16 = 1;

/// What a switch is made from.
#[derive(Debug, Clone)]
pub struct SwitchSpec {
    /// As in the scenario: `sw1`.
    pub name: String,
    /// Its ports, in the order of their ids.
    pub ports: Vec<SwitchPortSpec>,
    /// How long a station is remembered after its last frame.
    pub age: Duration,
    /// How many stations are remembered; at least one.
    pub stations_max: usize,
    /// How many frames that came in at one port are flooded in one second; `None`: all.
    pub storm_limit: Option<u32>,
    /// Whether it tells VLANs apart. One that does not passes tags on as it passes everything on.
    pub is_vlan_aware: bool,
    /// Whether and how it finds a tree with its neighbors.
    pub spanning_tree: Option<SpanningTreeSpec>,
}

impl SwitchSpec {
    /// A switch with `count` ports called `p0`, `p1` and so on, that knows neither VLANs nor a spanning tree.
    #[must_use]
    pub fn new(name: impl Into<String>, count: usize) -> Self {
        let name = name.into();
        let ports = (0..count).map(|port| SwitchPortSpec::new(&name, format!("p{port}")));
        Self {
            ports: ports.collect(),
            name,
            age: AGE_DEFAULT,
            stations_max: STATIONS_MAX,
            storm_limit: None,
            is_vlan_aware: false,
            spanning_tree: None,
        }
    }
}

/// What one port of a switch is made from.
#[derive(Debug, Clone)]
pub struct SwitchPortSpec {
    /// As in the scenario: `p0`.
    pub name: String,
    /// Its own hardware address: the sender of its spanning tree messages.
    pub mac: EthernetAddress,
    /// Which VLANs it carries; counts only in a switch that is aware of them.
    pub vlans: Membership,
    /// What crossing its link costs; `None`: what its rate makes it (IEEE 802.1D table 17-3).
    pub cost: Option<u32>,
    /// Of a switch's ports that are alike in all else the one with the least is the best; in steps of 16.
    pub priority: u8,
    /// Known to lead to stations only: it forwards at once.
    pub is_edge: bool,
}

impl SwitchPortSpec {
    /// A port in the default VLAN, with a hardware address made from the switch's name and its own.
    #[must_use]
    pub fn new(switch: &str, name: impl Into<String>) -> Self {
        let name = name.into();
        let [a, b, c, d] = (fnv1a(format!("{switch}:{name}").bytes()) as u32).to_be_bytes();
        Self {
            name,
            mac: EthernetAddress([2, 1, a, b, c, d]),
            vlans: Membership::UNSAID,
            cost: None,
            priority: PORT_PRIORITY_DEFAULT,
            is_edge: false,
        }
    }
}

/// Which VLANs a port carries, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// One, without tags: for a station that knows nothing of VLANs.
    Access(u16),
    /// Several, with tags: between switches, or to a router on a stick.
    Trunk {
        /// Which, beside the native one.
        vlans: VlanSet,
        /// The one whose frames have no tag; `None`: frames without a tag are refused.
        native: Option<u16>,
    },
}

/// Several VLANs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VlanSet {
    /// All that there are.
    All,
    /// These.
    These(BTreeSet<u16>),
}

impl VlanSet {
    /// Whether `vlan` is one of them.
    #[must_use]
    pub fn contains(&self, vlan: u16) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&vlan),
        }
    }
}

/// Port priority: in the middle of the range (IEEE 802.1D table 17-2).
pub const PORT_PRIORITY_DEFAULT: u8 = 128;

/// How a switch finds a tree with its neighbors (IEEE 802.1D-2004 table 17-1 and 17-2 for ranges and defaults).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanningTreeSpec {
    /// The switch with the least becomes the root; in steps of 4096.
    pub priority: u16,
    /// The address that tells switches of one priority apart; the least wins.
    pub mac: EthernetAddress,
    /// Which protocol it speaks first; with a neighbor that knows only the old one it speaks that.
    pub protocol: TreeProtocol,
    /// How often the root, and after it everybody, speaks.
    pub hello: Duration,
    /// After how many seconds, which are counted as switches passed, news from the root count no more.
    pub max_age: Duration,
    /// How long a port waits before it learns, and again before it forwards, where nobody agrees.
    pub forward_delay: Duration,
}

impl SpanningTreeSpec {
    /// The defaults of the standard, for a switch of this name.
    #[must_use]
    pub fn new(switch: &str) -> Self {
        let [a, b, c, d] = (fnv1a(switch.bytes()) as u32).to_be_bytes();
        Self {
            priority: 0x8000,
            mac: EthernetAddress([2, 2, a, b, c, d]),
            protocol: TreeProtocol::Rapid,
            hello: Duration::from_secs(2),
            max_age: Duration::from_secs(20),
            forward_delay: Duration::from_secs(15),
        }
    }
}

/// Which spanning tree protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeProtocol {
    /// IEEE 802.1D-1998: a port waits twice the forward delay before it forwards.
    Old,
    /// IEEE 802.1w, 802.1D-2004: neighbors agree, and a port forwards at once.
    Rapid,
}
