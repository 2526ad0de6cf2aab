//! Why a frame was dropped.
//!
//! One row for each cause: the short name that outputs print and expectations match, one sentence for a person who
//! asks "why?", and the standard behind it. Which *rule* of the scenario did it is told beside the cause.

use std::fmt;

/// Why a frame, or a packet inside a machine, is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Its source address is its sender's no longer.
    AddressGone,
    /// A listener's backlog had no room for another connection.
    BacklogFull,
    /// A checksum was wrong.
    BadChecksum,
    /// An address in it means something on another link only.
    BeyondScope,
    /// A route that swallows in silence.
    Blackhole,
    /// The same fragment had come before.
    DuplicateFragment,
    /// A fault rule of the scenario dropped it.
    Fault,
    /// A firewall or a route that prohibits.
    Filtered,
    /// A kernel behind a gateway sent it under an address that is not for in here.
    ForeignSource,
    /// Too large for the next link, and it must not be fragmented.
    FragmentationNeeded,
    /// A neighbor discovery message that breaks the rules, or comes from beyond the link.
    InvalidDiscovery,
    /// It asks everybody, and this node answers only what is meant for it alone.
    Ignored,
    /// It is for one machine but came as a link-layer broadcast.
    LinkBroadcast,
    /// The machine it was for does not forward what is for others.
    NotForwarding,
    /// An error about it could not be sent, and none may be: an ICMP error about an ICMP error.
    NoErrorAboutError,
    /// No listener, no socket: nobody wanted it.
    NobodyListens,
    /// The kernel behind a gateway would answer it into a real network.
    NoWayBack,
    /// No kernel was behind the gateway.
    NothingAttached,
    /// Nobody answered for the next hop's address.
    NeighborUnreachable,
    /// Too many packets waited for one neighbor's address.
    NeighborQueueFull,
    /// The node was not running.
    NodeDown,
    /// No route led to the destination.
    NoRoute,
    /// Not addressed to this port's hardware address.
    NotForThisAddress,
    /// Headers that contradict themselves or do not fit their packet.
    Malformed,
    /// An address that must not appear there: a martian.
    Martian,
    /// An address translator had no address, port or room left for a new connection.
    NatExhausted,
    /// An address translator lets in only what was asked for.
    NatFiltered,
    /// An address translator knows no connection that it belongs to.
    NatNoMapping,
    /// A link was down, or went down while the frame was on it.
    LinkDown,
    /// It was for the other end of its link alone.
    LinkLocal,
    /// As many frames were on one direction of a link as it may carry.
    LinkFull,
    /// An impairment's random loss.
    Loss,
    /// Larger than the next link's MTU, and only its source may cut it.
    PacketTooBig,
    /// A port without a link.
    NoLink,
    /// Larger than the link's MTU.
    OverMtu,
    /// The spanning tree kept a switch's port closed.
    PortBlocked,
    /// The queue of a link had no room.
    QueueFull,
    /// A reassembly waited too long for its missing fragments.
    ReassemblyTimeout,
    /// Too many datagrams were being reassembled, or one had too many fragments.
    ReassemblyLimit,
    /// A fragment contradicted one that came before it.
    FragmentOverlap,
    /// A fragment reached beyond the longest packet that there can be.
    FragmentBeyondEnd,
    /// A socket's receive buffer had no room.
    ReceiveBufferFull,
    /// A switch learned that the destination is where the frame came from.
    SamePort,
    /// Its source address did not lie where it came from.
    SpoofedSource,
    /// A segment that no connection could use.
    StaleSegment,
    /// A switch had flooded as many frames as it may in one second.
    StormLimit,
    /// What it tells found no room in a table of bounded size.
    TableFull,
    /// A firewall had no room to remember another connection.
    TrackingFull,
    /// A fragment that was cut to hide a part of its TCP header.
    TinyFragment,
    /// The time to live reached zero.
    TtlExpired,
    /// An option that this node does not know, and that says that it must be known.
    UnknownOption,
    /// A protocol that this node does not speak.
    UnknownProtocol,
    /// A VLAN that is not carried there.
    WrongVlan,
}

impl Cause {
    /// Every cause, in the order of the list above: a cause's place is `cause as usize`.
    pub const ALL: [Self; 53] = [
        Self::AddressGone,
        Self::BacklogFull,
        Self::BadChecksum,
        Self::BeyondScope,
        Self::Blackhole,
        Self::DuplicateFragment,
        Self::Fault,
        Self::Filtered,
        Self::ForeignSource,
        Self::FragmentationNeeded,
        Self::InvalidDiscovery,
        Self::Ignored,
        Self::LinkBroadcast,
        Self::NotForwarding,
        Self::NoErrorAboutError,
        Self::NobodyListens,
        Self::NoWayBack,
        Self::NothingAttached,
        Self::NeighborUnreachable,
        Self::NeighborQueueFull,
        Self::NodeDown,
        Self::NoRoute,
        Self::NotForThisAddress,
        Self::Malformed,
        Self::Martian,
        Self::NatExhausted,
        Self::NatFiltered,
        Self::NatNoMapping,
        Self::LinkDown,
        Self::LinkLocal,
        Self::LinkFull,
        Self::Loss,
        Self::PacketTooBig,
        Self::NoLink,
        Self::OverMtu,
        Self::PortBlocked,
        Self::QueueFull,
        Self::ReassemblyTimeout,
        Self::ReassemblyLimit,
        Self::FragmentOverlap,
        Self::FragmentBeyondEnd,
        Self::ReceiveBufferFull,
        Self::SamePort,
        Self::SpoofedSource,
        Self::StaleSegment,
        Self::StormLimit,
        Self::TableFull,
        Self::TrackingFull,
        Self::TinyFragment,
        Self::TtlExpired,
        Self::UnknownOption,
        Self::UnknownProtocol,
        Self::WrongVlan,
    ];

    /// The short name: `ttl-expired`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// One sentence for whoever asks why, without a full stop.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.row().1
    }

    /// The standard or limit behind it: `RFC 791 §3.2`; empty where there is none.
    #[must_use]
    pub fn reference(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::AddressGone => {
                ("address-gone", "its source address is this machine's no longer", "RFC 1122 §3.2.1.3")
            }
            Self::BacklogFull => {
                ("backlog-full", "the listener's backlog has no room for another connection", "listen(2) backlog")
            }
            Self::BadChecksum => (
                "bad-checksum",
                "a checksum is wrong, so the contents cannot be trusted",
                "RFC 1122 §3.2.1.2, §4.2.2.7",
            ),
            Self::BeyondScope => {
                ("beyond-scope", "an address in it means something on another link only", "RFC 4291 §2.5.6")
            }
            Self::Blackhole => ("blackhole", "a blackhole route swallows it in silence", "RFC 1812 §5.2.7.1"),
            Self::DuplicateFragment => ("duplicate-fragment", "the same fragment came before", "RFC 791 §3.2"),
            Self::Fault => ("fault", "a fault rule of the scenario drops it", ""),
            Self::Filtered => ("filtered", "a firewall rule or a prohibiting route refuses it", "RFC 1812 §5.2.7.1"),
            Self::ForeignSource => (
                "foreign-source",
                "the real machine sent it under an address that does not belong behind this gateway",
                "RFC 2827 §3",
            ),
            Self::FragmentationNeeded => (
                "fragmentation-needed",
                "it is larger than the next link allows and must not be fragmented",
                "RFC 791 §2.3",
            ),
            Self::InvalidDiscovery => (
                "invalid-discovery",
                "it is neighbor discovery that breaks the rules or comes from beyond the link",
                "RFC 4861 §7.1",
            ),
            Self::Ignored => (
                "ignored",
                "it asks everybody, and this node answers only what is meant for it alone",
                "RFC 1122 §3.2.2.6",
            ),
            Self::LinkBroadcast => {
                ("link-broadcast", "it is for one machine but came as a link-layer broadcast", "RFC 1122 §3.3.6")
            }
            Self::NotForwarding => {
                ("not-forwarding", "it is for another machine, and a host does not forward", "RFC 1122 §3.2.1.3")
            }
            Self::NoErrorAboutError => {
                ("no-error-about-error", "an ICMP error must not be sent about it", "RFC 1122 §3.2.2")
            }
            Self::NobodyListens => {
                ("nobody-listens", "no socket is bound to its port", "RFC 1122 §4.1.3.1, RFC 9293 §3.10.7.1")
            }
            Self::NoWayBack => (
                "no-way-back",
                "the real machine would send its answer into a real network: no simulated subnet has its source address",
                "RFC 2827 §3",
            ),
            Self::NothingAttached => ("nothing-attached", "no real machine is attached to this gateway", ""),
            Self::NeighborUnreachable => {
                ("neighbor-unreachable", "nobody answers for the next hop's address", "RFC 1122 §2.3.2.1")
            }
            Self::NeighborQueueFull => {
                ("neighbor-queue-full", "too many packets wait for one neighbor's address", "RFC 1122 §2.3.2.2")
            }
            Self::NodeDown => ("node-down", "the node is not running", ""),
            Self::NoRoute => ("no-route", "no route leads to its destination", "RFC 1812 §5.2.7.1"),
            Self::NotForThisAddress => ("not-for-this-address", "its hardware address is not this port's", "RFC 894"),
            Self::Malformed => ("malformed", "its headers contradict themselves or do not fit", "RFC 1122 §1.2.2"),
            Self::Martian => ("martian", "an address in it must not appear there", "RFC 1812 §5.3.7"),
            Self::NatExhausted => {
                ("nat-exhausted", "the address translator has no port or room left for its connection", "RFC 5508 §8")
            }
            Self::NatFiltered => {
                ("nat-filtered", "the address translator lets in only what was asked for from inside", "RFC 4787 §5")
            }
            Self::NatNoMapping => {
                ("nat-no-mapping", "the address translator knows no connection that it belongs to", "RFC 5508 §4.2")
            }
            Self::LinkDown => ("link-down", "the link is down", ""),
            Self::LinkLocal => (
                "link-local",
                "its address is that of the other end of the link, whoever that is",
                "IEEE 802.1D §7.12.6",
            ),
            Self::LinkFull => ("link-full", "as many frames are on the link as it may carry at once", "262144 frames"),
            Self::Loss => ("loss", "the link loses it by chance", ""),
            Self::NoLink => ("no-link", "no link is plugged in at that port", ""),
            Self::PacketTooBig => (
                "packet-too-big",
                "it is larger than the next link allows, and only its source may cut it",
                "RFC 8200 §5",
            ),
            Self::OverMtu => ("over-mtu", "it is larger than the link's MTU", ""),
            Self::PortBlocked => {
                ("port-blocked", "the spanning tree keeps that port closed, or all others", "IEEE 802.1D §7.7")
            }
            Self::QueueFull => ("queue-full", "the link's queue has no room", ""),
            Self::ReassemblyTimeout => {
                ("reassembly-timeout", "its missing fragments did not come in time", "RFC 1122 §3.3.2")
            }
            Self::ReassemblyLimit => {
                ("reassembly-limit", "too many datagrams or fragments are being reassembled", "RFC 1122 §3.3.2")
            }
            Self::FragmentOverlap => {
                ("fragment-overlap", "it contradicts a fragment that came before it", "RFC 5722 §3")
            }
            Self::FragmentBeyondEnd => {
                ("fragment-beyond-end", "with it, its datagram would be longer than a packet can be", "RFC 791 §3.1")
            }
            Self::ReceiveBufferFull => ("receive-buffer-full", "the program has not read what came before", "RFC 768"),
            Self::SamePort => ("same-port", "its destination is where it came from", "IEEE 802.1D §7.7"),
            Self::SpoofedSource => {
                ("spoofed-source", "an answer to it would not be sent where it came from", "RFC 1812 §5.3.8, RFC 2827")
            }
            Self::StaleSegment => ("stale-segment", "no connection can use it in its state", "RFC 9293 §3.10.7"),
            Self::StormLimit => (
                "storm-limit",
                "as many frames have been flooded within one second as may be",
                "the switch's storm_limit",
            ),
            Self::TableFull => ("table-full", "what it tells finds no room in a table", "RFC 4861 §6.3.4"),
            Self::TrackingFull => {
                ("tracking-full", "the firewall has no room to remember its connection", "RFC 6092 §3.1")
            }
            Self::TinyFragment => {
                ("tiny-fragment", "it hides a part of its TCP header in another fragment", "RFC 1858 §3, RFC 3128")
            }
            Self::TtlExpired => ("ttl-expired", "its time to live has reached zero", "RFC 791 §3.2"),
            Self::UnknownOption => {
                ("unknown-option", "this node does not know an option that must be known", "RFC 8200 §4.2")
            }
            Self::UnknownProtocol => ("unknown-protocol", "this node does not speak its protocol", "RFC 1122 §3.2.2.1"),
            Self::WrongVlan => ("wrong-vlan", "nothing there carries its VLAN", "IEEE 802.1Q §8.6"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_in_the_order_of_their_list() {
        assert!(Cause::ALL.iter().enumerate().all(|(index, cause)| *cause as usize == index));
    }

    #[test]
    fn every_cause_has_a_name_of_its_own_and_an_explanation() {
        let mut names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert!(Cause::ALL.iter().all(|cause| !cause.explanation().is_empty()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
