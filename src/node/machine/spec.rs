//! What a machine is made from: interfaces, routes, neighbors, habits.
//!
//! Everything here is plain data, checked by whoever made it (the scenario floor, or Rust code). Addresses are
//! [`IpAddr`] and [`IpNet`] throughout; those of both families stand side by side.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

use super::firewall::FirewallSpec;
use super::ipv4_settings::Ipv4Settings;
use super::nat::NatSpec;
use crate::net::{Hosts, ResolverSettings, TcpSettings};

/// What a machine is made from.
#[derive(Debug, Clone)]
pub struct MachineSpec {
    /// As in the scenario: `client`. Also names the machine's random streams.
    pub name: String,
    /// A router forwards what is for others; a host does not.
    pub forwards: bool,
    /// Its ports, in the order of their ids.
    pub interfaces: Vec<InterfaceSpec>,
    /// Routes beside those that follow from the interfaces' addresses.
    pub routes: Vec<RouteSpec>,
    /// Neighbors that are known from the beginning and never forgotten.
    pub neighbors: Vec<NeighborSpec>,
    /// How neighbors are found and forgotten.
    pub arp: ArpSettings,
    /// How IPv6 is spoken; where no interface has an IPv6 address it is not, unless this says so.
    pub ipv6: Ipv6Settings,
    /// The time to live of what the machine itself sends. RFC 1700 and everybody since: 64.
    pub ttl: u8,
    /// Whether an echo request to a broadcast address is answered. As on Linux, not unless asked for.
    pub answers_broadcast_echo: bool,
    /// Which packets it lets through, if not all.
    pub firewall: Option<FirewallSpec>,
    /// How it treats IPv4 where the standards let it choose.
    pub ipv4: Ipv4Settings,
    /// How it translates addresses, if it does; only a router can.
    pub nat: Option<NatSpec>,
    /// How TCP behaves.
    pub tcp: TcpSettings,
    /// Names that programs can look up.
    pub hosts: Arc<Hosts>,
    /// Where programs ask for other names.
    pub resolver: ResolverSettings,
    /// The run's seed.
    pub seed: u64,
}

impl MachineSpec {
    /// A host with no interfaces and everything else at its default.
    #[must_use]
    pub fn host(name: impl Into<String>, seed: u64) -> Self {
        Self {
            name: name.into(),
            forwards: false,
            interfaces: Vec::new(),
            routes: Vec::new(),
            neighbors: Vec::new(),
            arp: ArpSettings::default(),
            ipv6: Ipv6Settings::default(),
            ttl: TTL_DEFAULT,
            answers_broadcast_echo: false,
            firewall: None,
            ipv4: Ipv4Settings::default(),
            nat: None,
            tcp: TcpSettings::default(),
            hosts: Arc::default(),
            resolver: ResolverSettings::default(),
            seed,
        }
    }

    /// The same, for a router.
    #[must_use]
    pub fn router(name: impl Into<String>, seed: u64) -> Self {
        let ipv4 = Ipv4Settings { accepts_redirects: false, ..Ipv4Settings::default() };
        Self { forwards: true, ipv4, ..Self::host(name, seed) }
    }

    /// The same, with one more interface.
    #[must_use]
    pub fn interface(mut self, interface: InterfaceSpec) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// The same, with one more route.
    #[must_use]
    pub fn route(mut self, route: RouteSpec) -> Self {
        self.routes.push(route);
        self
    }
}

/// The time to live of what a machine sends unless told otherwise.
pub const TTL_DEFAULT: u8 = 64;

/// One network card and what is configured on it.
#[derive(Debug, Clone)]
pub struct InterfaceSpec {
    /// As in the scenario: `eth0`.
    pub name: String,
    /// Its hardware address; unicast.
    pub mac: EthernetAddress,
    /// Its addresses, each with the length of its subnet's prefix. The first of a subnet is the preferred source.
    pub addresses: Vec<IpNet>,
    /// The largest IP packet it sends; `None` follows the link. A value that differs from the link's makes the
    /// misconfiguration that is known as an MTU mismatch.
    pub mtu: Option<usize>,
    /// Whose link it uses and in which VLAN; `None`: it has a link of its own.
    pub vlan: Option<VlanSpec>,
    /// The link that is plugged in, by its name in the scenario: what routing programs may be told by.
    pub link: Option<Arc<str>>,
    /// A program gives it its IPv4 address, and other programs wait for that: DHCP.
    pub is_dynamic: bool,
}

/// A VLAN on the link of another interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanSpec {
    /// The interface that has the link, by its index.
    pub parent: usize,
    /// Which VLAN, from 1 to 4094.
    pub id: u16,
}

impl InterfaceSpec {
    /// An interface with one address, whose MTU follows its link.
    #[must_use]
    pub fn new(name: impl Into<String>, mac: EthernetAddress, address: IpNet) -> Self {
        let name = name.into();
        Self { name, mac, addresses: vec![address], mtu: None, vlan: None, link: None, is_dynamic: false }
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// Which destinations: `0.0.0.0/0` is the default route.
    pub prefix: IpNet,
    /// The router to hand packets to; `None`: the destinations are on the link themselves.
    pub via: Option<IpAddr>,
    /// Which interface, by its index; `None`: the one on whose subnet `via` lies.
    pub interface: Option<usize>,
    /// Of routes to the same prefix, the least metric wins; then the first.
    pub metric: u32,
    /// What becomes of packets that follow it.
    pub kind: RouteKind,
}

impl RouteSpec {
    /// A route through a router.
    #[must_use]
    pub fn via(prefix: IpNet, router: IpAddr) -> Self {
        Self { prefix, via: Some(router), interface: None, metric: 0, kind: RouteKind::Unicast }
    }

    /// A route that goes nowhere.
    #[must_use]
    pub fn refusing(prefix: IpNet, kind: RouteKind) -> Self {
        Self { prefix, via: None, interface: None, metric: 0, kind }
    }
}

/// What becomes of packets that follow a route; the words are those of `ip route`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// They vanish, and nobody is told.
    Blackhole,
    /// They are refused: ICMP "communication administratively prohibited".
    Prohibit,
    /// They go on their way.
    Unicast,
    /// They are refused: ICMP "host unreachable".
    Unreachable,
}

impl RouteKind {
    /// As `ip route` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blackhole => "blackhole",
            Self::Prohibit => "prohibit",
            Self::Unicast => "unicast",
            Self::Unreachable => "unreachable",
        }
    }
}

/// A neighbor that is known without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborSpec {
    /// On which interface, by its index.
    pub interface: usize,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: EthernetAddress,
}

/// How neighbors are found and forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArpSettings {
    /// How long an answer is trusted. Then the next packet makes the machine ask again. Zero: until a crash.
    ///
    /// RFC 1122 §2.3.2.1 speaks of "on the order of a minute"; 60 s.
    pub reachable_for: Duration,
    /// How long an answer is waited for before asking again. RFC 1122 §2.3.2.1: not more than one request per second.
    pub retry_after: Duration,
    /// How often to ask before giving up: 3.
    pub tries: u8,
    /// How many packets may wait for one neighbor's answer; one more pushes the oldest out.
    ///
    /// 101, what Linux's limit of 212,992 bytes comes to in full frames. Old systems kept 1 or 3.
    pub queue_packets: usize,
    /// Whether written addresses are checked before they are used, and defended (RFC 5227). Others always are.
    pub detects_conflicts: bool,
    /// What becomes of an address that somebody else claims: defended once.
    pub defence: Defence,
    /// Whether everybody on a link is told of the addresses there when the machine starts or the link comes up.
    pub announces: bool,
    /// On which interfaces, by their index, requests for what is behind another interface are answered (RFC 1027).
    pub proxies: Vec<usize>,
}

impl Default for ArpSettings {
    fn default() -> Self {
        Self {
            reachable_for: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
            tries: 3,
            queue_packets: 101,
            detects_conflicts: false,
            defence: Defence::Once,
            announces: false,
            proxies: Vec::new(),
        }
    }
}

/// What a machine does when somebody else claims its address (RFC 5227 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defence {
    /// Says that the address is its own, once in ten seconds, and keeps it whatever happens: (c).
    Always,
    /// Gives the address up at once: (a).
    Never,
    /// Says once that the address is its own, and gives it up if it is claimed again within ten seconds: (b).
    Once,
}

/// How a machine speaks IPv6.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipv6Settings {
    /// On every interface, not only on those with an IPv6 address.
    pub is_enabled: bool,
    /// Makes its addresses from what routers advertise (RFC 4862), and takes them for default routers.
    pub autoconfigures: bool,
    /// Makes its addresses' last 64 bits of a secret instead of its hardware addresses (RFC 7217).
    pub has_stable_identifiers: bool,
    /// Makes temporary addresses too, and prefers them (RFC 8981). Means nothing without `autoconfigures`.
    pub privacy: bool,
    /// How neighbors are found and forgotten.
    pub nd: NdSettings,
    /// What a router advertises on its links; `None`: nothing.
    pub advertise: Option<AdvertiseSettings>,
}

/// How IPv6 neighbors are found and forgotten (RFC 4861 §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NdSettings {
    /// How long an answer is trusted, on average: each interface draws from half of it to three halves. 30 s.
    pub reachable_for: Duration,
    /// How long an answer is waited for before asking again. 1 s.
    pub retry_after: Duration,
    /// How long to wait for a hint that a neighbor is still there before asking it. 5 s.
    pub probe_after: Duration,
    /// How often to ask before giving up: 3.
    pub tries: u8,
    /// How many packets may wait for one neighbor's answer; one more pushes the oldest out. As for ARP: 101.
    pub queue_packets: usize,
    /// How often to ask whether somebody else has an address before using it (RFC 4862 §5.1): 1. Zero: not at all.
    pub dad_transmits: u8,
}

impl Default for NdSettings {
    fn default() -> Self {
        Self {
            reachable_for: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            probe_after: Duration::from_secs(5),
            tries: 3,
            queue_packets: 101,
            dad_transmits: 1,
        }
    }
}

/// What a router advertises (RFC 4861 §6.2.1): itself as a default router, and the prefixes of its own addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertiseSettings {
    /// On which interfaces, by their index; `None`: on all.
    pub interfaces: Option<Vec<usize>>,
    /// The longest time between two unsolicited advertisements: 600 s. Each is drawn.
    pub interval_max: Duration,
    /// The shortest; `None`: a third of the longest, or the longest itself if that is below 9 s.
    pub interval_min: Option<Duration>,
    /// How long hosts may use it as a default router, in whole seconds: 1800 s. Zero: not at all.
    pub lifetime: Duration,
    /// Whether hosts prefer it to other default routers (RFC 4191).
    pub preference: RouterPreference,
    /// Tells hosts that addresses are to be had from a DHCPv6 server. Those here do not ask one.
    pub is_managed: bool,
    /// Tells hosts that other things are to be had from one.
    pub has_other: bool,
    /// How long hosts are told to trust a neighbor's answer, at most an hour; zero: nothing is said.
    pub reachable_for: Duration,
    /// How long hosts are told to wait for one; zero: nothing is said.
    pub retry_after: Duration,
    /// How long addresses made from its prefixes are preferred: 7 days.
    pub preferred: Duration,
    /// How long they are valid: 30 days.
    pub valid: Duration,
    /// Whether hosts may make addresses from its prefixes.
    pub is_autonomous: bool,
    /// Whether hosts are told that the addresses of its prefixes are on the link.
    pub is_on_link: bool,
    /// The MTU that hosts are told to use on the link; `None`: nothing is said.
    pub mtu: Option<u32>,
    /// The hop limit that hosts are told to use: 64. Zero: nothing is said.
    pub hop_limit: u8,
}

/// Which of several default routers hosts prefer (RFC 4191 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum RouterPreference {
    /// Only if there is no other.
    Low,
    /// As any other.
    #[default]
    Medium,
    /// Before all others.
    High,
}

impl RouterPreference {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Default for AdvertiseSettings {
    fn default() -> Self {
        Self {
            interfaces: None,
            interval_max: Duration::from_secs(600),
            interval_min: None,
            lifetime: Duration::from_secs(1800),
            preference: RouterPreference::Medium,
            is_managed: false,
            has_other: false,
            reachable_for: Duration::ZERO,
            retry_after: Duration::ZERO,
            preferred: Duration::from_secs(604_800),
            valid: Duration::from_secs(2_592_000),
            is_autonomous: true,
            is_on_link: true,
            mtu: None,
            hop_limit: 64,
        }
    }
}
