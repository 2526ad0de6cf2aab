//! What a gateway looks at in a packet: whom it is from and for, and whether it is the card's business.

use std::net::IpAddr;

use smoltcp::wire::{Ipv4Packet, Ipv6Packet};

use crate::wire::verify::{header_checksum, transport_checksum};
use crate::wire::{Frame, View};

/// Whom a packet is from and for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// It is for a group or for everybody on the link.
    pub(super) is_for_many: bool,
    /// Without what lies behind the packet.
    pub(super) length: usize,
}

impl Ends {
    /// Reads them from an IP packet whose lengths make sense.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => {
                let packet = Ipv4Packet::new_checked(packet).ok()?;
                let destination = packet.dst_addr();
                Some(Self {
                    source: packet.src_addr().into(),
                    destination: destination.into(),
                    is_for_many: destination.is_multicast() || destination.is_broadcast(),
                    length: usize::from(packet.total_len()),
                })
            }
            6 => {
                let packet = Ipv6Packet::new_checked(packet).ok()?;
                let destination = packet.dst_addr();
                Some(Self {
                    source: packet.src_addr().into(),
                    destination: destination.into(),
                    is_for_many: destination.is_multicast(),
                    length: packet.total_len(),
                })
            }
            _ => None,
        }
    }

    /// Whether its addresses mean something on one link only.
    pub(super) fn is_of_the_link(&self) -> bool {
        let is_of_link = |address: IpAddr| match address {
            IpAddr::V4(address) => address.is_unspecified(),
            IpAddr::V6(address) => address.is_unicast_link_local() || address.is_unspecified(),
        };
        is_of_link(self.source)
    }
}

const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const HEADER_BYTES: usize = 40;

/// Whether an IPv6 packet is about the link itself: neighbor discovery (RFC 4861 §4) or listener discovery (RFC 3810 §5),
/// which a kernel behind a TUN device does not take part in.
pub(super) fn is_for_link_layer(packet: &[u8]) -> bool {
    let byte = |at: usize| packet.get(at).copied();
    if byte(0).is_none_or(|first| first >> 4 != 6) {
        return false;
    }
    let message_at = match byte(6) {
        Some(ICMPV6) => HEADER_BYTES,
        // RFC 3810 §5: "All MLDv2 messages described in this document MUST be sent with [...] an IPv6 Router Alert option
        // in a Hop-by-Hop Options header." That is eight bytes.
        Some(HOP_BY_HOP) if byte(HEADER_BYTES) == Some(ICMPV6) && byte(HEADER_BYTES + 1) == Some(0) => HEADER_BYTES + 8,
        _ => return false,
    };
    // Listener query, reports and done; solicitations, advertisements, redirect; report of version 2.
    matches!(byte(message_at), Some(130..=137 | 143))
}

/// Whether a checksum in it is wrong; not, where that cannot be told.
pub(super) fn is_damaged(frame: &Frame) -> bool {
    let view = View::of(frame);
    let ip = view.ip.as_ref();
    let is_wrong = |right: Option<bool>| right == Some(false);
    ip.is_some_and(|ip| is_wrong(header_checksum(ip)) || is_wrong(transport_checksum(ip)))
}
