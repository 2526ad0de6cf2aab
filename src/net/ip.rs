//! What sockets need of the machine's IP layer.
//!
//! `net` lies below `node`, so it says here what it wants and the machine's IP layer provides it. While programs run,
//! the machine lends its IP layer to the stack, so that a `send_to` knows at once whether there is a route.

use std::net::IpAddr;

use super::control::Control;
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::Frame;

/// Why a packet could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No route leads there (`ENETUNREACH`).
    #[error("network is unreachable")]
    NetworkUnreachable,
    /// The neighbor did not answer, or a route says so (`EHOSTUNREACH`).
    #[error("no route to host")]
    HostUnreachable,
    /// Don't-fragment is set and the path's MTU is smaller (`EMSGSIZE`).
    #[error("message too long")]
    MessageTooLong {
        /// What would fit.
        mtu: usize,
    },
    /// A broadcast address without permission to use it (`EACCES`).
    #[error("permission denied")]
    PermissionDenied,
}

/// The IP layer, as sockets see it.
pub trait Ip: Send {
    /// The source address that a packet to `destination` would carry.
    ///
    /// # Errors
    ///
    /// When no route leads there.
    fn source_for(&self, destination: IpAddr) -> Result<IpAddr, SendError>;

    /// The largest IP packet that is known to reach `destination` in one piece: the next link's MTU, or less once path
    /// MTU discovery has taught so.
    fn mtu_for(&self, destination: IpAddr) -> usize;

    /// The hop limit, or time to live, of a packet to `destination` for which none is asked for.
    fn hop_limit_for(&self, _destination: IpAddr) -> u8 {
        super::packet::TTL
    }

    /// Whether `address` is one of this machine's own, loopback included.
    fn owns(&self, address: IpAddr) -> bool;

    /// Whether `address` is a broadcast address here: limited, or of a subnet of this machine.
    fn is_broadcast(&self, address: IpAddr) -> bool;

    /// Sends a whole IP packet ([`Layer::Ip`](crate::wire::Layer)), as made by this machine.
    ///
    /// Its header checksum is computed here; its transport checksum may be pending. A packet for an own address loops
    /// back. A packet that cannot be sent is recycled and recorded with its cause, as well as refused.
    ///
    /// # Errors
    ///
    /// What a Unix program would be told.
    fn send(&mut self, packet: Frame, now: Time, out: &mut Outbox) -> Result<(), SendError>;

    /// `peer` has acknowledged something that was sent to it: whoever stands next on the way there is still there
    /// (RFC 4861 §7.3.1).
    fn confirm(&mut self, _peer: IpAddr, _now: Time) {}

    /// By which interface the packet came in that is being delivered; `None`: from this machine.
    fn arrived_on(&self) -> Option<u16> {
        None
    }

    /// What programs can configure; `None`: nothing.
    fn control(&mut self) -> Option<&mut dyn Control> {
        None
    }

    /// The IP layer as itself, for its owner, who lent it as a `Box<dyn Ip>` and wants its own type back.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
