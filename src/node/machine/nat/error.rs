//! ICMP errors and the packets that they quote (RFC 5508 §4).
//!
//! ```text
//!                     | IP: router > 192.0.2.1 | ICMP | IP: 192.0.2.1 > far | UDP 4000 > 53 |   outside
//! comes in as         | IP: router > 10.0.0.2  | ICMP | IP: 10.0.0.2 > far  | UDP 5000 > 53 |   inside
//! ```
//!
//! A host must see in the quotation what it had sent, or it would not know what the error is about.

use std::net::Ipv4Addr;

use smoltcp::wire::IpProtocol;

use super::super::header::{HEADER_BYTES, Header, transport_checksum_is_right};
use super::super::icmp::ICMP_HEADER_BYTES;
use super::Nat;
use super::rewrite::{Endpoint, Side, rewrite_address, rewrite_bytes};
use super::translate::Verdict;
use super::transport::Protocol;
use crate::record::Cause;
use crate::wire::{Checksum, Frame};

/// The packet that an error quotes, as far as it can be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted {
    pub(super) protocol: Protocol,
    source: Endpoint,
    pub(super) destination: Endpoint,
    header_length: usize,
}

impl Quoted {
    /// Reads the quotation in an ICMP error.
    pub(super) fn read(header: &Header, packet: &[u8]) -> Result<Self, Cause> {
        let quote = header.payload(packet).get(ICMP_HEADER_BYTES..).ok_or(Cause::Malformed)?;
        let fixed: &[u8; HEADER_BYTES] = quote.first_chunk().ok_or(Cause::Malformed)?;
        // RFC 5508 REQ-3b: "If the embedded packet includes IP options, the NAT device MUST traverse past the IP options to
        // locate the start of the transport header for the embedded packet."
        let header_length = usize::from(fixed[0] & 0xf) * 4;
        if fixed[0] >> 4 != 4 || header_length < HEADER_BYTES || quote.len() < header_length {
            return Err(Cause::Malformed);
        }
        // REQ-3a: "If the IP checksum of the embedded packet fails to validate, the NAT SHOULD silently drop the Error
        // packet". Its transport checksum is not looked at (REQ-3c).
        if smoltcp::wire::checksum::data(&quote[..header_length]) != !0 {
            return Err(Cause::BadChecksum);
        }
        let is_first = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff == 0;
        let protocol = Protocol::of(IpProtocol::from(fixed[9])).filter(|_| is_first).ok_or(Cause::NatNoMapping)?;
        let transport = &quote[header_length..];
        let word = |at: usize| transport.get(at..at + 2).map(|word| u16::from_be_bytes([word[0], word[1]]));
        let (source_port, destination_port) = match protocol {
            Protocol::Icmp => (word(4), word(4)),
            Protocol::Tcp | Protocol::Udp => (word(0), word(2)),
        };
        let address = |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        Ok(Self {
            protocol,
            source: Endpoint::new(address(12), source_port.ok_or(Cause::Malformed)?),
            destination: Endpoint::new(address(16), destination_port.ok_or(Cause::Malformed)?),
            header_length,
        })
    }

    /// An end of it as a session knows far ends.
    fn far(&self, end: Endpoint) -> Endpoint {
        if self.protocol == Protocol::Icmp { Endpoint::new(end.address, 0) } else { end }
    }

    /// Gives the quoted packet another end.
    pub(super) fn rewrite(&self, packet: &mut Frame, header: &Header, side: Side, to: Endpoint) {
        // Only a damaged packet can have a wrong checksum here, and that was looked for: so it may be computed anew.
        packet.checksum = Checksum::Pending;
        packet.set_sound();
        let protocol = match self.protocol {
            Protocol::Icmp => IpProtocol::Icmp,
            Protocol::Tcp => IpProtocol::Tcp,
            Protocol::Udp => IpProtocol::Udp,
        };
        let quote_at = header.length + ICMP_HEADER_BYTES;
        if let Some(quote) = packet.bytes_mut().get_mut(quote_at..) {
            rewrite_bytes(quote, self.header_length, protocol, side, to, true);
        }
    }
}

impl Nat {
    /// An ICMP error about a packet that somebody inside has sent comes in.
    ///
    /// Nothing that an error says ends or refreshes a session (RFC 4787 REQ-12, RFC 5382 REQ-10, RFC 5508 REQ-6).
    pub(super) fn error_in(&mut self, packet: &mut Frame, header: &mut Header) -> Verdict {
        // RFC 5508 REQ-3: "If the ICMP checksum fails to validate, the NAT SHOULD silently drop the ICMP Error packet."
        if packet.is_doubtful() && !transport_checksum_is_right(header, packet.bytes()) {
            return Verdict::Refused(Cause::BadChecksum);
        }
        let quoted = match Quoted::read(header, packet.bytes()) {
            Ok(quoted) => quoted,
            Err(cause) => return Verdict::Refused(cause),
        };
        // RFC 5508 REQ-4: "If [...] the NAT does not have an active mapping for the embedded payload, the NAT SHOULD
        // silently drop the ICMP Error packet."
        let far = quoted.far(quoted.destination);
        let Some(inside) = self.table.inside_of(quoted.protocol, quoted.source, far) else {
            return Verdict::Refused(Cause::NatNoMapping);
        };
        if inside == quoted.source {
            // About a packet of the translator's own.
            return Verdict::Pass;
        }
        // "a) Revert the IP and transport headers of the embedded IP packet to their original form, using the matching
        // mapping; b) Leave the ICMP Error type and code unchanged; and c) Modify the destination IP address of the outer
        // IP header to be same as the source IP address of the embedded packet after translation."
        quoted.rewrite(packet, header, Side::Source, inside);
        rewrite_address(packet, header, Side::Destination, inside.address);
        self.counters.errors += 1;
        Verdict::Translated
    }

    /// An ICMP error about a packet that has come in goes out. `Err` if the translator does not know that packet.
    pub(super) fn error_out(&mut self, packet: &mut Frame, header: &mut Header) -> Result<Verdict, Cause> {
        if packet.is_doubtful() && !transport_checksum_is_right(header, packet.bytes()) {
            return Err(Cause::BadChecksum);
        }
        let quoted = Quoted::read(header, packet.bytes())?;
        let far = quoted.far(quoted.source);
        let outside = self.table.outside_of(quoted.protocol, quoted.destination, far).ok_or(Cause::NatNoMapping)?;
        if outside == quoted.destination {
            return Ok(Verdict::Pass);
        }
        // RFC 5508 REQ-5: "a) Revert the IP and transport headers of the embedded IP packet to their original form [...]
        // c) [...] In all other cases, translate the source IP address of the ICMP Error packet with its own public IP
        // address."
        quoted.rewrite(packet, header, Side::Destination, outside);
        rewrite_address(packet, header, Side::Source, outside.address);
        self.counters.errors += 1;
        Ok(Verdict::Translated)
    }

    /// An ICMP error of the translator's own, about a packet that it had translated already: who sent that must see what
    /// it had sent.
    pub(in crate::node::machine) fn error_of_own(&mut self, packet: &mut Frame, header: &mut Header) {
        let source = header.source;
        // What was on its way in, or had turned round.
        let _ = self.error_out(packet, header);
        if header.source != source {
            rewrite_address(packet, header, Side::Source, source);
        }
        // What was on its way out, or had turned round.
        if self.has_address(header.destination) {
            let _ = self.error_in(packet, header);
        }
    }

    /// Whether an ICMP error, from inside to an outside address, is about a packet of somebody inside.
    pub(super) fn is_about_inside(&self, packet: &Frame, header: &Header) -> bool {
        let quoted = Quoted::read(header, packet.bytes());
        quoted.is_ok_and(|quoted| self.table.is_mapped(quoted.protocol, quoted.source))
    }
}
