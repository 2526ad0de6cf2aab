//! A frame in one line, spelled as tcpdump does.
//!
//! ```text
//! arp who-has 10.0.0.2 tell 10.0.0.1
//! client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460,sackOK], length 0
//! client.49152 > server.80: Flags [P.], seq 1:101, ack 1, win 64240, length 100
//! r1 > client: ICMP time exceeded in-transit (about udp client.4000 > server.33434), length 36
//! client.4000 > server.9: UDP, length 3000, frag id 7, offset 0+
//! 0.0.0.0.68 > 255.255.255.255.67: DHCP discover, xid 0x5a1b2c3d, from 02:01:00:00:00:01, length 300
//! laptop.49152 > resolver.53: 12345+ A? www.example.com. (33)
//! resolver.53 > laptop.49152: 12345 1/0/0 A 10.0.0.80 (49)
//! vlan 10, client.4000 > server.9: UDP, length 3
//! STP 802.1w, Rapid STP, Flags [Proposal], bridge-id 8000.02:00:00:00:00:01.8001, root-id 8000.02:00:00:00:00:01, …
//! ```
//!
//! How to read it, where it is not plain English:
//!
//! | | |
//! |---|---|
//! | `client.49152` | host and port; the address where no name is known |
//! | `[S.]` | TCP flags: `S` SYN, `F` FIN, `R` RST, `P` PSH, `.` ACK, `U` URG, `E` ECE, `W` CWR |
//! | `seq 1:101` | the bytes from 1 up to but not including 101, counted from the connection's first |
//! | `offset 1480+` | where a fragment begins, in bytes; `+`: more follow |
//! | `[RR r1,r2]` | what an IP option, here "record route", has recorded |
//! | `[ttl 1]` | hops left, shown when they are few |
//! | `(bad tcp cksum)` | the checksum does not fit the bytes |
//! | `[truncated tcp]` | the header is not all there |
//!
//! Where this departs from tcpdump it is to be the same from run to run and to say what a lesson needs: a SYN is
//! sequence number 0 rather than a random one, and an ICMP error names the packet that it complains about. The short
//! spelling ([`Summary::short`]) is for diagrams whose arrows already show who speaks to whom.

mod dhcp;
mod icmp;
mod icmpv6;
mod names;
mod ntp;
mod options;
mod ospf;
mod rip;
mod short;
mod stp;
mod tcp;
mod web;

pub use names::{Numeric, Resolve};
pub use short::Short;

use std::fmt;
use std::net::IpAddr;

use smoltcp::wire::IpProtocol;

pub(crate) use self::names::Mac;
use self::names::{Endpoint, Host};
use super::conversation::{Conversations, Relative};
use super::dhcp::Glimpse;
use super::dns;
use super::flow::{Flow, Ports};
use super::frame::{Checksum, Frame};
use super::ospf::OSPF_PROTOCOL;
use super::verify::{header_checksum, transport_checksum};
use super::view::{Ip, View, array, be16, be32, ethertype};

/// From how many hops left on it is worth saying: usual first values are 64, 128 and 255, so that a smaller one was
/// chosen on purpose or tells of a loop.
const FEW_HOPS: u8 = 32;

/// A frame, to be printed in one line.
#[derive(Clone, Copy)]
pub struct Summary<'a> {
    view: View<'a>,
    names: &'a dyn Resolve,
    relative: Relative,
    shows_hops: bool,
}

/// A frame in one line, TCP sequence numbers as they stand.
///
/// An observer that sees whole conversations makes its lines with [`Summary::observed`].
#[must_use]
pub fn summarize(frame: &Frame, names: &dyn Resolve) -> String {
    Summary::new(frame, names).to_string()
}

impl<'a> Summary<'a> {
    /// The line for a frame, TCP sequence numbers as they stand.
    #[must_use]
    pub fn new(frame: &'a Frame, names: &'a dyn Resolve) -> Self {
        Self { view: View::of(frame), names, relative: Relative::default(), shows_hops: false }
    }

    /// The line for a frame, TCP sequence numbers counted from the connection's first, of which note is taken.
    ///
    /// To be called once for each sighting of a frame, in the order of time.
    #[must_use]
    pub fn observed(frame: &'a Frame, names: &'a dyn Resolve, conversations: &mut Conversations) -> Self {
        Self { relative: conversations.observe(frame), ..Self::new(frame, names) }
    }

    /// The same, always with the hops left.
    #[must_use]
    pub fn with_hops(self) -> Self {
        Self { shows_hops: true, ..self }
    }

    /// What its sequence numbers are counted from.
    #[must_use]
    pub fn relative(&self) -> Relative {
        self.relative
    }

    /// The same in few words, without addresses: `SYN seq 0`, `ACK 1461`.
    #[must_use]
    pub fn short(self) -> Short<'a> {
        Short(self)
    }

    fn host(&self, address: IpAddr) -> Host<'a> {
        Host { address, names: self.names }
    }

    fn endpoint(&self, address: IpAddr, port: Option<u16>) -> Endpoint<'a> {
        Endpoint { host: self.host(address), port }
    }

    fn write_arp(&self, f: &mut fmt::Formatter<'_>, arp: &[u8]) -> fmt::Result {
        let address = |at| be32(arp, at).map(|bits| self.host(IpAddr::V4(bits.into())));
        // RFC 826: hardware type 1 is Ethernet, protocol type 0x0800 is IPv4; their addresses have 6 and 4 bytes.
        let is_ipv4_over_ethernet = arp.starts_with(&[0, 1, 8, 0, 6, 4]);
        let (Some(operation), Some(sender), Some(target), true) =
            (be16(arp, 6), address(14), address(24), is_ipv4_over_ethernet || arp.len() < 28)
        else {
            return f.write_str(if arp.len() < 28 { "[truncated arp]" } else { "arp, not IPv4 over Ethernet" });
        };
        let station = Mac(array(arp, 8).unwrap_or_default());
        // RFC 5227 §1.1: a probe has no sender address, an announcement the same as its target.
        match operation {
            1 if sender.address.is_unspecified() => write!(f, "arp probe {target}"),
            1 if sender.address == target.address => write!(f, "arp announcement {target} is-at {station}"),
            1 => write!(f, "arp who-has {target} tell {sender}"),
            2 => write!(f, "arp {sender} is-at {station}"),
            _ => write!(f, "arp operation {operation} of {sender}"),
        }
    }

    fn write_ethernet(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(bpdu) = self.view.stp {
            return stp::write_bpdu(f, bpdu);
        }
        let Some(ethernet) = self.view.ethernet else {
            return f.write_str(if self.view.is_bare_packet { "[truncated ip]" } else { "[truncated ethernet]" });
        };
        let (source, destination) = (array(ethernet, 6).unwrap_or_default(), array(ethernet, 0).unwrap_or_default());
        write!(f, "{} > {}: ", Mac(source), Mac(destination))?;
        match self.view.ethertype {
            Some(ethertype::IPV4) => f.write_str("[truncated ip]"),
            Some(ethertype::IPV6) => f.write_str("[truncated ip6]"),
            Some(length) if length < ethertype::LEAST => write!(f, "802.3, length {length}"),
            found => write!(f, "ethertype {:#06x}, length {}", found.unwrap_or_default(), ethernet.len()),
        }
    }

    fn write_ip(&self, f: &mut fmt::Formatter<'_>, ip: &Ip<'_>) -> fmt::Result {
        let flow = Flow::of_packet(ip);
        let source = self.endpoint(flow.source, flow.source_port());
        let destination = self.endpoint(flow.destination, flow.destination_port());
        write!(f, "{source} > {destination}: ")?;
        let length = ip.payload_claimed;
        match (ip.transport(ip.protocol), ip.protocol) {
            (Some(tcp), IpProtocol::Tcp) => {
                self.write_tcp(f, tcp, length)?;
                match dns::Glimpse::of_segment(tcp) {
                    Some(message) => {
                        f.write_str(" ")?;
                        dns::write_long(f, message.bytes())?;
                    }
                    None => web::write_long(f, tcp)?,
                }
            }
            (Some(udp), IpProtocol::Udp) => match Glimpse::of_datagram(udp) {
                Some(message) => self.write_dhcp(f, message)?,
                None => match dns::Glimpse::of_datagram(udp) {
                    Some(message) => dns::write_long(f, message.bytes())?,
                    None => write_udp(f, udp)?,
                },
            },
            (Some(icmp), IpProtocol::Icmp) if ip.source.is_ipv4() => self.write_icmp(f, icmp, length)?,
            (Some(icmp), IpProtocol::Icmpv6) if ip.source.is_ipv6() => self.write_icmpv6(f, icmp, length)?,
            _ if is_ospf(ip) => ospf::write_packet(f, ip.payload, self)?,
            (_, protocol) => write!(f, "{}, length {length}", ProtocolName(protocol))?,
        }
        if let Some(fragment) = ip.fragment {
            let more = if fragment.more { "+" } else { "" };
            write!(f, ", frag id {}, offset {}{more}", fragment.id, fragment.offset)?;
        }
        self.write_ip_options(f, ip, false)?;
        self.write_remarks(f, ip)
    }

    /// What is unusual about a packet: few hops left, checksums that do not fit.
    fn write_remarks(&self, f: &mut fmt::Formatter<'_>, ip: &Ip<'_>) -> fmt::Result {
        let hops = ip.hops_left();
        let is_few = hops <= FEW_HOPS && !ip.destination.is_multicast() && !is_for_neighbor(ip);
        if self.shows_hops || is_few {
            let name = if ip.source.is_ipv4() { "ttl" } else { "hlim" };
            write!(f, " [{name} {hops}]")?;
        }
        // A packet inside its own machine may not have its header's checksum yet: it is zero then.
        let is_unfilled = self.view.is_bare_packet && be16(ip.header, 10) == Some(0);
        if header_checksum(ip) == Some(false) && !is_unfilled {
            f.write_str(" (bad ip cksum)")?;
        }
        if self.view.checksum == Checksum::Complete && transport_checksum(ip) == Some(false) {
            write!(f, " (bad {} cksum)", ProtocolName(ip.protocol))?;
        }
        Ok(())
    }

    /// The packet that an ICMP error complains about: `udp client.4000 > server.33434`.
    fn write_quoted(&self, f: &mut fmt::Formatter<'_>, quoted: &Ip<'_>) -> fmt::Result {
        let flow = Flow::of_packet(quoted);
        let source = self.endpoint(flow.source, flow.source_port());
        let destination = self.endpoint(flow.destination, flow.destination_port());
        write!(f, "{} {source} > {destination}", ProtocolName(flow.protocol))?;
        if let (Ports::Ident(ident), Some(sequence)) = (flow.ports, be16(quoted.payload, 6)) {
            write!(f, " id {ident} seq {sequence}")?;
        }
        match quoted.fragment {
            Some(fragment) => write!(f, " frag id {}", fragment.id),
            None => Ok(()),
        }
    }
}

/// Whether a packet carries OSPF of version 2, from its beginning.
fn is_ospf(ip: &Ip<'_>) -> bool {
    u8::from(ip.protocol) == OSPF_PROTOCOL && ip.source.is_ipv4() && ip.fragment.is_none()
}

/// Whether a packet is what routers tell their neighbors: it never goes further, and has no hops to spare.
fn is_for_neighbor(ip: &Ip<'_>) -> bool {
    let udp = ip.transport(ip.protocol).filter(|_| ip.protocol == IpProtocol::Udp);
    is_ospf(ip) || udp.is_some_and(|udp| rip::of_datagram(udp).is_some())
}

fn write_udp(f: &mut fmt::Formatter<'_>, udp: &[u8]) -> fmt::Result {
    if let Some((version, message)) = rip::of_datagram(udp) {
        return rip::write_message(f, version, &message);
    }
    if let Some(line) = ntp::line(udp) {
        return f.write_str(&line);
    }
    match be16(udp, 4) {
        Some(length @ 8..) if udp.len() >= 8 => write!(f, "UDP, length {}", length - 8),
        Some(length) if udp.len() >= 8 => write!(f, "UDP, bad length {length}"),
        _ => f.write_str("[truncated udp]"),
    }
}

/// A protocol in lower case, as in `udp`; `ip-proto-47` where there is no better name.
struct ProtocolName(IpProtocol);

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            IpProtocol::Icmp => "icmp",
            IpProtocol::Icmpv6 => "icmp6",
            IpProtocol::Igmp => "igmp",
            IpProtocol::Tcp => "tcp",
            IpProtocol::Udp => "udp",
            other => return write!(f, "ip-proto-{}", u8::from(other)),
        })
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = self.view.vlan.and_then(|vlan| be16(vlan, 0)) {
            write!(f, "vlan {}, ", tag & 0x0fff)?;
        }
        match (&self.view.ip, self.view.arp) {
            (Some(ip), _) => self.write_ip(f, ip),
            (None, Some(arp)) => self.write_arp(f, arp),
            (None, None) => self.write_ethernet(f),
        }
    }
}

impl fmt::Debug for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
