//! The ICMPv6 messages that a machine makes by itself: errors, and replies to pings (RFC 4443).
//!
//! What other machines say about this one's packets is the sockets' business, but for "packet too big"
//! ([`path_mtu`](super::path_mtu)); neighbor discovery and listener discovery have files of their own.

use std::net::Ipv6Addr;

use smoltcp::wire::IpProtocol;

use super::extension::{next, transport};
use super::header::{HEADER_BYTES, Header, MTU_MIN, NewHeader, set_hop_limit};
use super::{Ipv6Layer, Origin};
use crate::node::machine::ipv4_settings::IcmpLimit;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::{Checksum, Frame};

/// Type, code, checksum and four bytes that depend on the type.
pub(super) const ICMP_HEADER_BYTES: usize = 8;

/// ICMPv6 message types (RFC 4443 §2.1, RFC 4861 §4, RFC 3810 §5).
pub(super) mod kind {
    pub(in super::super) const UNREACHABLE: u8 = 1;
    pub(in super::super) const TOO_BIG: u8 = 2;
    pub(in super::super) const TIME_EXCEEDED: u8 = 3;
    pub(in super::super) const PARAMETER_PROBLEM: u8 = 4;
    /// Below it, messages are errors.
    pub(in super::super) const INFORMATIONAL: u8 = 128;
    pub(in super::super) const ECHO_REQUEST: u8 = 128;
    pub(in super::super) const ECHO_REPLY: u8 = 129;
    pub(in super::super) const LISTENER_QUERY: u8 = 130;
    pub(in super::super) const LISTENER_DONE: u8 = 132;
    pub(in super::super) const ROUTER_SOLICITATION: u8 = 133;
    pub(in super::super) const ROUTER_ADVERTISEMENT: u8 = 134;
    pub(in super::super) const NEIGHBOR_SOLICITATION: u8 = 135;
    pub(in super::super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    pub(in super::super) const REDIRECT: u8 = 137;
    pub(in super::super) const LISTENER_REPORT_V2: u8 = 143;
}

/// What an ICMPv6 error complains about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    AddressUnreachable,
    BeyondScope,
    ErroneousHeader { pointer: usize },
    HopLimitExceeded,
    IncompleteHeaders,
    NoRoute,
    PacketTooBig { mtu: usize },
    PortUnreachable,
    Prohibited,
    ReassemblyTimeout,
    RejectRoute,
    UnknownNextHeader { pointer: usize },
    UnknownOption { pointer: usize },
}

impl Complaint {
    /// Type, code, and the word that follows the checksum.
    fn head(self) -> (u8, u8, u32) {
        let word = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        match self {
            Self::NoRoute => (kind::UNREACHABLE, 0, 0),
            Self::Prohibited => (kind::UNREACHABLE, 1, 0),
            Self::BeyondScope => (kind::UNREACHABLE, 2, 0),
            Self::AddressUnreachable => (kind::UNREACHABLE, 3, 0),
            Self::PortUnreachable => (kind::UNREACHABLE, 4, 0),
            Self::RejectRoute => (kind::UNREACHABLE, 6, 0),
            Self::PacketTooBig { mtu } => (kind::TOO_BIG, 0, word(mtu)),
            Self::HopLimitExceeded => (kind::TIME_EXCEEDED, 0, 0),
            Self::ReassemblyTimeout => (kind::TIME_EXCEEDED, 1, 0),
            Self::ErroneousHeader { pointer } => (kind::PARAMETER_PROBLEM, 0, word(pointer)),
            Self::UnknownNextHeader { pointer } => (kind::PARAMETER_PROBLEM, 1, word(pointer)),
            Self::UnknownOption { pointer } => (kind::PARAMETER_PROBLEM, 2, word(pointer)),
            Self::IncompleteHeaders => (kind::PARAMETER_PROBLEM, 3, 0),
        }
    }

    /// RFC 4443 §2.4 (e.3) lists two exceptions to the rule that nobody complains about a multicast: "(1) the Packet Too
    /// Big Message (Section 3.2) to allow Path MTU discovery to work for IPv6 multicast, and (2) the Parameter Problem
    /// Message, Code 2 (Section 3.4) reporting an unrecognized IPv6 option [...] that has the Option Type highest-order
    /// two bits set to 10."
    fn may_be_about_many(self) -> bool {
        matches!(self, Self::PacketTooBig { .. } | Self::UnknownOption { .. })
    }
}

impl Ipv6Layer {
    /// Ends a packet, and tells its sender why, if it may be told.
    pub(super) fn drop_and_tell(
        &mut self,
        mut packet: Frame,
        cause: Cause,
        complaint: Complaint,
        now: Time,
        out: &mut Outbox,
    ) {
        let error = self.error_about(complaint, &mut packet, now, out);
        out.drop_frame(packet, cause);
        self.send_error(error, now, out);
    }

    /// Sends an error, if there is one. One that cannot be sent either is recorded with its cause, and nobody is told.
    pub(super) fn send_error(&mut self, error: Option<Frame>, now: Time, out: &mut Outbox) {
        if let Some(error) = error {
            let _ = self.send_own(error, now, out);
        }
    }

    /// The ICMPv6 error that tells the sender of `about` what is wrong with it; `None` if it may not be told.
    pub(super) fn error_about(
        &mut self,
        complaint: Complaint,
        about: &mut Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let header = Header::of(about.bytes()).ok()?;
        // RFC 4443 §2.4 (e.6): nor about a packet from "an address known by the ICMP message originator to be an IPv6 anycast
        // address."
        let is_from_anycast = self.local(header.source).is_some_and(|local| local.is_anycast);
        if is_from_anycast || !may_complain(complaint, &header, about.bytes()) {
            self.counters.errors_withheld += 1;
            return None;
        }
        let source = self.source_of_answer(header.destination, header.source)?;
        if !self.has_leave_to_complain(now, out) {
            return None;
        }
        let (kind, code, word) = complaint.head();
        match kind {
            kind::UNREACHABLE => self.counters.unreachables += 1,
            kind::TOO_BIG => self.counters.too_bigs += 1,
            kind::TIME_EXCEEDED => self.counters.times_exceeded += 1,
            _ => self.counters.parameter_problems += 1,
        }
        // RFC 4443 §2.4 (c): "Every ICMPv6 error message (type < 128) MUST include as much of the IPv6 offending
        // (invoking) packet (the packet that caused the error) as possible without making the error message packet
        // exceed the minimum IPv6 MTU".
        let quote_length = header.total_length.min(about.len()).min(MTU_MIN - HEADER_BYTES - ICMP_HEADER_BYTES);
        let new = NewHeader {
            source,
            destination: header.source,
            next: next::ICMPV6,
            hop_limit: self.hop_limit_for(header.source),
        };
        let mut error = new.packet(ICMP_HEADER_BYTES + quote_length, out).with_checksum_pending();
        error.cause = about.id.or(about.cause);
        // What is quoted must be as the sender's wire carried it.
        about.complete();
        let message = &mut error.bytes_mut()[HEADER_BYTES..];
        message[..4].copy_from_slice(&[kind, code, 0, 0]);
        message[4..ICMP_HEADER_BYTES].copy_from_slice(&word.to_be_bytes());
        message[ICMP_HEADER_BYTES..].copy_from_slice(&about.bytes()[..quote_length]);
        Some(error)
    }

    /// Whether one more error or redirect may be sent.
    ///
    /// RFC 4443 §2.4 (f): "Finally, in order to limit the bandwidth and forwarding costs incurred by originating ICMPv6
    /// error messages, an IPv6 node MUST limit the rate of ICMPv6 error messages it originates." It is the limit that holds for
    /// IPv4 too, in a bucket of its own.
    pub(super) fn has_leave_to_complain(&mut self, now: Time, out: &mut Outbox) -> bool {
        if !self.spec.ipv4.sends_errors {
            self.counters.errors_silenced += 1;
            return false;
        }
        let limit = self.spec.ipv4.error_limit;
        let has_leave = self.error_budget.take(limit, now);
        if !has_leave {
            self.counters.errors_limited += 1;
            let IcmpLimit { per_second, burst } = limit;
            out.note(None, || format!("icmp6: an error is withheld: the limit is {per_second}/s, {burst} at once"));
        }
        has_leave
    }

    /// The source address of an answer to a packet that `peer` sent to `destination`.
    ///
    /// RFC 4443 §2.2 (a): "If the message is a response to a message sent to one of the node's unicast addresses, the
    /// Source Address of the reply MUST be that same address." Otherwise it is chosen as for any other packet.
    fn source_of_answer(&self, destination: Ipv6Addr, peer: Ipv6Addr) -> Option<Ipv6Addr> {
        if self.owns_unicast(destination) { Some(destination) } else { self.source_toward(peer) }
    }

    /// Takes an ICMPv6 message that is for this machine and begins at `at`. What is not dealt with here is given back,
    /// for sockets.
    pub(super) fn icmp_input(
        &mut self,
        origin: Origin,
        header: &Header,
        at: usize,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        self.counters.icmp_received += 1;
        let Some(kind) = packet.bytes().get(at).copied() else {
            out.drop_frame(packet, Cause::Malformed);
            return None;
        };
        match kind {
            kind::ECHO_REQUEST => self.answer_echo(origin, header, at, packet, now, out),
            kind::ROUTER_SOLICITATION..=kind::REDIRECT => self.discovery_input(origin, header, at, packet, now, out),
            kind::LISTENER_QUERY..=kind::LISTENER_DONE | kind::LISTENER_REPORT_V2 => {
                self.listener_input(origin, header, at, packet, out);
            }
            // RFC 4443 §2.4 (b): "If an ICMPv6 informational message of unknown type is received, it MUST be silently
            // discarded."
            kind::INFORMATIONAL.. if kind != kind::ECHO_REPLY => out.drop_frame(packet, Cause::UnknownProtocol),
            _ => {
                if kind == kind::TOO_BIG {
                    self.learn_path_mtu(packet.bytes().get(at..).unwrap_or_default(), now, out);
                }
                return Some(packet);
            }
        }
        None
    }

    /// Turns an echo request into its reply.
    fn answer_echo(
        &mut self,
        origin: Origin,
        header: &Header,
        at: usize,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) {
        if packet.len() < at + ICMP_HEADER_BYTES {
            return out.drop_frame(packet, Cause::Malformed);
        }
        if header.source.is_unspecified() || header.source.is_multicast() {
            return out.drop_frame(packet, Cause::Martian);
        }
        // RFC 4443 §4.2: "The source address of an Echo Reply sent in response to a unicast Echo Request message MUST be
        // the same as the destination address of that Echo Request message." To a multicast: "the source address of the
        // reply MUST be a unicast address belonging to the interface on which the Echo Request message was received."
        let of_interface = match origin {
            Origin::Link { interface, .. } if !self.owns_unicast(header.destination) => {
                self.source_on(interface, header.source)
            }
            _ => None,
        };
        let Some(source) = of_interface.or_else(|| self.source_of_answer(header.destination, header.source)) else {
            return out.drop_frame(packet, Cause::NoRoute);
        };
        self.counters.echo_replies += 1;
        // Extension headers are not returned.
        let extensions = at - HEADER_BYTES;
        packet.bytes_mut().copy_within(..HEADER_BYTES, extensions);
        packet.buffer_mut().shrink_front(extensions);
        let mut ip = smoltcp::wire::Ipv6Packet::new_unchecked(packet.bytes_mut());
        ip.set_payload_len((header.total_length - at) as u16);
        ip.set_next_header(IpProtocol::Icmpv6);
        ip.set_src_addr(source);
        ip.set_dst_addr(header.source);
        set_hop_limit(packet.bytes_mut(), self.hop_limit_for(header.source));
        // "The data received in the ICMPv6 Echo Request message MUST be returned entirely and unmodified in the ICMPv6
        // Echo Reply message."
        let message = &mut packet.bytes_mut()[HEADER_BYTES..];
        message[0] = kind::ECHO_REPLY;
        message[2..4].fill(0);
        packet.checksum = Checksum::Pending;
        packet.set_sound();
        let _ = self.send_own(packet, now, out);
    }
}

/// RFC 4443 §2.4 (e): "An ICMPv6 error message MUST NOT be originated as a result of receiving the following: (e.1) An
/// ICMPv6 error message. (e.2) An ICMPv6 redirect message. (e.3) A packet destined to an IPv6 multicast address. [...]
/// (e.6) A packet whose source address does not uniquely identify a single node -- e.g., the IPv6 Unspecified Address, an
/// IPv6 multicast address".
fn may_complain(complaint: Complaint, header: &Header, packet: &[u8]) -> bool {
    // (e.4) and (e.5): what came as a link-layer multicast has a multicast destination, or ends in `input`.
    let is_about_one = !header.destination.is_multicast() || complaint.may_be_about_many();
    let is_from_one = !header.source.is_unspecified() && !header.source.is_multicast();
    is_about_one && is_from_one && !is_icmp_error(header, packet)
}

/// Whether a packet carries an ICMPv6 error or redirect, or ICMPv6 that is too short to tell; of a later fragment nobody
/// can say.
fn is_icmp_error(header: &Header, packet: &[u8]) -> bool {
    let Some((protocol, at)) = transport(packet, header.next, HEADER_BYTES) else { return false };
    let kind = packet.get(at).copied();
    protocol == next::ICMPV6 && kind.is_none_or(|kind| kind < kind::INFORMATIONAL || kind == kind::REDIRECT)
}
