//! The ICMP messages that a machine makes by itself (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3).
//!
//! Errors about packets that could not go on or were not wanted, and replies to pings. What other machines say about
//! this one's packets is the sockets' business.

use std::net::Ipv4Addr;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::header::{HEADER_BYTES, Header, NewHeader};
use super::ip::IpLayer;
use super::ipv4_settings::IcmpLimit;
use super::options::Returned;
use super::redirect::{REDIRECT, is_redirect};
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::{Checksum, Frame};

/// Type, code, checksum and four bytes that depend on the type.
pub(super) const ICMP_HEADER_BYTES: usize = 8;

/// RFC 1812 §4.3.2.3: "the ICMP datagram SHOULD contain as much of the original datagram as possible without the length
/// of the ICMP datagram exceeding 576 bytes."
const ERROR_BYTES_MAX: usize = 576;

/// RFC 1812 §4.3.2.5: "All other ICMP error messages ... SHOULD have their precedence value set to 6 (INTERNETWORK
/// CONTROL) or 7 (NETWORK CONTROL)." As on Linux: 6.
const ERROR_TOS: u8 = 0xc0;

const ECHO_REPLY: u8 = 0;
const DESTINATION_UNREACHABLE: u8 = 3;
const ECHO_REQUEST: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

/// What an ICMP error complains about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    FragmentationNeeded { mtu: usize },
    HostUnreachable,
    NetUnreachable,
    ParameterProblem { pointer: usize },
    PortUnreachable,
    Prohibited,
    ProtocolUnreachable,
    ReassemblyTimeout,
    Redirect { router: Ipv4Addr },
    SourceRouteFailed,
    TtlExpired,
}

impl Complaint {
    /// Type, code, and the four bytes that follow the checksum.
    fn head(self) -> (u8, u8, [u8; 4]) {
        match self {
            Self::NetUnreachable => (DESTINATION_UNREACHABLE, 0, [0; 4]),
            Self::HostUnreachable => (DESTINATION_UNREACHABLE, 1, [0; 4]),
            Self::ProtocolUnreachable => (DESTINATION_UNREACHABLE, 2, [0; 4]),
            Self::PortUnreachable => (DESTINATION_UNREACHABLE, 3, [0; 4]),
            Self::FragmentationNeeded { mtu } => {
                // RFC 1191 §4: "the router MUST include the MTU of that next-hop network in the low-order 16 bits of
                // the ICMP header field that is labelled 'unused'".
                let [high, low] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
                (DESTINATION_UNREACHABLE, 4, [0, 0, high, low])
            }
            Self::SourceRouteFailed => (DESTINATION_UNREACHABLE, 5, [0; 4]),
            Self::Prohibited => (DESTINATION_UNREACHABLE, 13, [0; 4]),
            // RFC 1812 §5.2.7.2: routers "MUST be able to generate the Redirect for Host message (Code 1)".
            Self::Redirect { router } => (REDIRECT, 1, router.octets()),
            Self::TtlExpired => (TIME_EXCEEDED, 0, [0; 4]),
            Self::ReassemblyTimeout => (TIME_EXCEEDED, 1, [0; 4]),
            Self::ParameterProblem { pointer } => (PARAMETER_PROBLEM, 0, [pointer as u8, 0, 0, 0]),
        }
    }
}

/// Whether a packet carries an ICMP error, or ICMP that is too short to tell.
fn is_icmp_error(header: &Header, packet: &[u8]) -> bool {
    header.protocol == IpProtocol::Icmp
        // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
        && matches!(header.payload(packet).first(), None | Some(3 | 4 | 5 | 11 | 12))
}

impl IpLayer {
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
        self.drop_packet(packet, cause, out);
        self.send_error(error, now, out);
    }

    /// Sends an ICMP error, if there is one. One that cannot be sent either is recorded with its cause, and nobody is
    /// told.
    pub(super) fn send_error(&mut self, error: Option<Frame>, now: Time, out: &mut Outbox) {
        if let Some(error) = error {
            let _ = self.send_own(error, now, out);
        }
    }

    /// The ICMP error that tells the sender of `about` what is wrong with it; `None` if it may not be told.
    pub(super) fn error_about(
        &mut self,
        complaint: Complaint,
        about: &mut Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let header = Header::of_own(about.bytes()).ok()?;
        let source = self.may_complain(&header, about.bytes()).then(|| self.source_of_answer(&header)).flatten();
        let Some(source) = source else {
            self.counters.errors_withheld += 1;
            return None;
        };
        if !self.has_leave_to_complain(now, out) {
            return None;
        }
        let (kind, code, word) = complaint.head();
        match kind {
            TIME_EXCEEDED => self.counters.times_exceeded += 1,
            PARAMETER_PROBLEM => self.counters.parameter_problems += 1,
            REDIRECT => self.counters.redirects += 1,
            _ => self.counters.unreachables += 1,
        }
        let quote_length = header.total_length.min(ERROR_BYTES_MAX - HEADER_BYTES - ICMP_HEADER_BYTES);
        let new = NewHeader {
            source,
            destination: header.source,
            protocol: IpProtocol::Icmp,
            ttl: self.spec.ttl,
            tos: ERROR_TOS,
            ident: self.next_ident(),
            dont_fragment: false,
        };
        let mut error = new.packet(ICMP_HEADER_BYTES + quote_length, out).with_checksum_pending();
        error.cause = about.id.or(about.cause);
        // What is quoted must be as the sender's wire carried it.
        about.complete();
        let message = &mut error.bytes_mut()[HEADER_BYTES..];
        message[..4].copy_from_slice(&[kind, code, 0, 0]);
        message[4..ICMP_HEADER_BYTES].copy_from_slice(&word);
        message[ICMP_HEADER_BYTES..].copy_from_slice(&about.bytes()[..quote_length]);
        Some(error)
    }

    /// RFC 1122 §3.2.2: "An ICMP error message MUST NOT be sent as the result of receiving: an ICMP error message, or a
    /// datagram destined to an IP broadcast or IP multicast address, or a datagram sent as a link-layer broadcast, or a
    /// non-initial fragment, or a datagram whose source address does not define a single host -- e.g., a zero address,
    /// a loopback address, a broadcast address, a multicast address, or a Class E address."
    fn may_complain(&self, header: &Header, packet: &[u8]) -> bool {
        // Link-layer broadcasts with a unicast address end in `input`, so they do not come here. Neither do loopback
        // addresses from a link: a program's own packet over the loopback may be complained about.
        let is_for_many = header.destination.is_multicast() || self.is_broadcast_v4(header.destination);
        let is_from_one =
            !header.source.is_unspecified() && header.source.octets()[0] < 224 && !self.is_broadcast_v4(header.source);
        !is_icmp_error(header, packet) && !is_for_many && header.offset == 0 && is_from_one
    }

    /// Whether the machine's settings let it send an ICMP error now; it counts as sent.
    pub(super) fn has_leave_to_complain(&mut self, now: Time, out: &mut Outbox) -> bool {
        let limit = self.spec.ipv4.error_limit;
        if !self.spec.ipv4.sends_errors {
            self.counters.errors_silenced += 1;
            return false;
        }
        let has_leave = self.error_budget.take(limit, now);
        if !has_leave {
            self.counters.errors_limited += 1;
            let IcmpLimit { per_second, burst } = limit;
            out.note(None, || format!("icmp: an error is withheld: the limit is {per_second}/s, {burst} at once"));
        }
        has_leave
    }

    /// The source address of an answer to a packet.
    fn source_of_answer(&self, header: &Header) -> Option<Ipv4Addr> {
        if self.owns_v4(header.destination) {
            return Some(header.destination);
        }
        // RFC 1812 §4.3.2.4: "the IP source address in an ICMP message originated by the router MUST be one of the IP
        // addresses associated with the physical interface over which the ICMP message is transmitted."
        self.source_toward(header.source).or_else(|| self.any_address())
    }

    /// Takes an ICMP message that is for this machine. What is not answered here is given back, for sockets.
    pub(super) fn icmp_input(&mut self, packet: Frame, header: &Header, now: Time, out: &mut Outbox) -> Option<Frame> {
        self.counters.icmp_received += 1;
        let message = header.payload(packet.bytes());
        if message.len() < ICMP_HEADER_BYTES {
            self.drop_packet(packet, Cause::Malformed, out);
            return None;
        }
        if Self::is_fragmentation_needed(header, &packet) {
            self.learn_path_mtu(header.payload(packet.bytes()), now, out);
        }
        if is_redirect(header, packet.bytes()) {
            self.learn_redirect(header, header.payload(packet.bytes()), now, out);
        }
        if packet.bytes()[header.length] != ECHO_REQUEST {
            return Some(packet);
        }
        let is_for_one = self.owns_v4(header.destination);
        // RFC 1122 §3.2.2.6: "An ICMP Echo Request destined to an IP broadcast or IP multicast address MAY be silently
        // discarded."
        if !is_for_one && !self.spec.answers_broadcast_echo {
            self.drop_packet(packet, Cause::Ignored, out);
            return None;
        }
        // "The IP source address in an ICMP Echo Reply MUST be the same as the specific-destination address of the
        // corresponding ICMP Echo Request message", which is never a broadcast address.
        let source = if is_for_one { Some(header.destination) } else { self.source_toward(header.source) };
        match source {
            Some(source) => self.echo_reply(packet, header, source, now, out),
            None => self.drop_packet(packet, Cause::NoRoute, out),
        }
        None
    }

    /// Turns an echo request into its reply, in place.
    fn echo_reply(&mut self, mut packet: Frame, header: &Header, source: Ipv4Addr, now: Time, out: &mut Outbox) {
        self.counters.echo_replies += 1;
        let ident = self.next_ident();
        let returned = Returned::of(packet.bytes(), header);
        let length = HEADER_BYTES + returned.bytes().len();
        let shorter = header.length - length;
        packet.bytes_mut().copy_within(..HEADER_BYTES, shorter);
        packet.buffer_mut().shrink_front(shorter);
        packet.buffer_mut().truncate(header.total_length - shorter);
        packet.bytes_mut()[HEADER_BYTES..length].copy_from_slice(returned.bytes());
        let total_length = packet.len();
        let ttl = self.spec.ttl;
        let mut ip = Ipv4Packet::new_unchecked(packet.bytes_mut());
        ip.set_header_len(length as u8);
        ip.set_total_len(total_length as u16);
        ip.set_src_addr(source);
        ip.set_dst_addr(header.source);
        ip.set_hop_limit(ttl);
        ip.set_ident(ident);
        ip.clear_flags();
        ip.set_frag_offset(0);
        // RFC 1122 §3.2.2.6: "Data received in an ICMP Echo Request MUST be entirely included in the resulting Echo
        // Reply." The type of service is left as it was (RFC 1349 §5.1).
        let message = &mut packet.bytes_mut()[length..];
        message[0] = ECHO_REPLY;
        message[2..4].fill(0);
        packet.checksum = Checksum::Pending;
        packet.set_sound();
        let _ = self.send_own(packet, now, out);
    }
}
