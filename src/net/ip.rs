//! What sockets need of the machine's IP layer.
//!
//! `net` lies below `node`, so it says here what it wants and the machine's IP layer provides it. While programs run,
//! the machine lends its IP layer to the stack, so that a `send_to` knows at once whether there is a route.

use std::net::IpAddr;

use super::control::Control;
use super::interface::Interface;
use super::route::{RouteChange, RouteOwner};
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

    /// The source address that a packet to `destination` would carry if it left by the interface of this name: for
    /// destinations that mean something on each link (RFC 4007).
    ///
    /// # Errors
    ///
    /// When there is no such interface, or it has no address.
    fn source_in_zone(&self, _interface: &str, _destination: IpAddr) -> Result<IpAddr, SendError> {
        Err(SendError::NetworkUnreachable)
    }

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

    /// The machine's interfaces.
    fn interfaces(&self) -> Vec<Interface> {
        Vec::new()
    }

    /// Where the packet that is being delivered came in; `None`: from this machine.
    fn arrived_on(&self) -> Option<u16> {
        None
    }

    /// Sends a whole IP packet as [`send`](Self::send) does, by a given interface and straight to its destination there.
    ///
    /// # Errors
    ///
    /// What a Unix program would be told.
    fn send_by(&mut self, _interface: u16, packet: Frame, now: Time, out: &mut Outbox) -> Result<(), SendError> {
        self.send(packet, now, out)
    }

    /// Listens to a group on an interface; every call is undone by one of [`leave`](Self::leave).
    fn join(&mut self, _interface: u16, _group: IpAddr, _out: &mut Outbox) {}

    /// Listens no longer.
    fn leave(&mut self, _interface: u16, _group: IpAddr, _out: &mut Outbox) {}

    /// Changes routes that a program has found; says how many there was no room for.
    fn change_routes(&mut self, _owner: RouteOwner, _changes: &[RouteChange]) -> usize {
        0
    }

    /// Forgets all routes that a program has found.
    fn withdraw_routes(&mut self, _owner: RouteOwner) {}

    /// What programs can configure; `None`: nothing.
    fn control(&mut self) -> Option<&mut dyn Control> {
        None
    }

    /// The IP layer as itself, for its owner, who lent it as a `Box<dyn Ip>` and wants its own type back.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
