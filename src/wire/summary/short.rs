//! A frame in few words, for the arrows of a diagram, which show by themselves who speaks to whom.
//!
//! ```text
//! SYN seq 0              PSH,ACK 1:1461         echo request seq 1
//! SYN,ACK seq 0 ack 1    FIN,ACK seq 1461       time exceeded in-transit
//! ACK 1461               RST                    UDP length 12
//! ```
//!
//! A segment that carries something says what it carries (`1:1461`: bytes 1 up to but not including 1461); one that
//! carries nothing says what it acknowledges.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::IpProtocol;

use super::dhcp::write_short as write_dhcp;
use super::icmp::unreachable_words;
use super::icmpv6::advertised_prefix;
use super::tcp::FLAGS;
use super::web;
use super::{ProtocolName, Summary, is_ospf, ntp, ospf, rip, stp};
use crate::wire::conversation::Segment;
use crate::wire::dhcp::Glimpse;
use crate::wire::dns;
use crate::wire::flow::Flow;
use crate::wire::view::{Ip, be16, be32, be128, quotation};

/// A frame, to be printed in few words; made by [`Summary::short`].
#[derive(Clone, Copy)]
pub struct Short<'a>(pub(super) Summary<'a>);

impl Short<'_> {
    fn write_ip(&self, f: &mut fmt::Formatter<'_>, ip: &Ip<'_>) -> fmt::Result {
        match (ip.transport(ip.protocol), ip.protocol) {
            (Some(tcp), IpProtocol::Tcp) => {
                self.write_segment(f, tcp, ip.payload_claimed)?;
                match dns::Glimpse::of_segment(tcp) {
                    Some(message) => {
                        f.write_str(" ")?;
                        dns::write_short(f, message.bytes())?;
                    }
                    None => web::write_short(f, tcp)?,
                }
            }
            (Some(udp), IpProtocol::Udp) => match (rip::of_datagram(udp), Glimpse::of_datagram(udp), be16(udp, 4)) {
                (Some((version, message)), ..) => rip::write_short(f, version, &message)?,
                (_, Some(message), _) => write_dhcp(f, message)?,
                _ if let Some(message) = dns::Glimpse::of_datagram(udp) => dns::write_short(f, message.bytes())?,
                _ if let Some(words) = ntp::short(udp) => f.write_str(&words)?,
                (.., Some(length @ 8..)) => write!(f, "UDP length {}", length - 8)?,
                _ => f.write_str("[truncated udp]")?,
            },
            (Some(icmp), IpProtocol::Icmp) if ip.source.is_ipv4() => write_message(f, icmp)?,
            (Some(icmp), IpProtocol::Icmpv6) if ip.source.is_ipv6() => match icmp.first() {
                Some(135) if ip.source.is_unspecified() => write_discovery(f, "probe", icmp, &self.0)?,
                Some(135) => write_discovery(f, "who-has", icmp, &self.0)?,
                Some(136) => write_discovery(f, "reply", icmp, &self.0)?,
                _ => write_message_v6(f, icmp)?,
            },
            _ if is_ospf(ip) => ospf::write_short(f, ip.payload)?,
            (_, protocol) => write!(f, "{}", ProtocolName(protocol))?,
        }
        if let Some(fragment) = ip.fragment {
            let end = fragment.offset + ip.payload_claimed;
            write!(f, " frag {}:{end}{}", fragment.offset, if fragment.more { "+" } else { "" })?;
        }
        self.0.write_ip_options(f, ip, true)?;
        self.0.write_remarks(f, ip)
    }

    fn write_segment(&self, f: &mut fmt::Formatter<'_>, tcp: &[u8], claimed: usize) -> fmt::Result {
        let Some(segment) = Segment::read(tcp, claimed) else { return f.write_str("[truncated tcp]") };
        // SYN before everything, as everybody says it.
        let order = [0x02, 0x01, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];
        let mut separator = "";
        for bit in order {
            if let Some((_, _, name)) = FLAGS.iter().find(|(known, _, _)| *known == bit && segment.flags & bit != 0) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        if segment.flags == 0 {
            f.write_str("no flags")?;
        }
        let relative = self.0.relative;
        let first = relative.sequence(segment.sequence);
        let acknowledgment = relative.acknowledgment(segment.acknowledgment);
        if segment.is_rst() {
            return Ok(());
        }
        match (segment.length, segment.is_syn(), segment.is_fin()) {
            (1.., _, _) => write!(f, " {first}:{}", first.wrapping_add(segment.length))?,
            (_, true, _) | (_, _, true) => write!(f, " seq {first}")?,
            _ if segment.is_ack() => write!(f, " {acknowledgment}")?,
            _ => {}
        }
        if segment.is_syn() && segment.is_ack() {
            write!(f, " ack {acknowledgment}")?;
        }
        if segment.window == 0 && !segment.is_syn() {
            f.write_str(" win 0")?;
        }
        Ok(())
    }
}

fn write_message(f: &mut fmt::Formatter<'_>, icmp: &[u8]) -> fmt::Result {
    let (Some(&[kind, code]), Some(sequence)) = (icmp.first_chunk(), be16(icmp, 6)) else {
        return f.write_str("[truncated icmp]");
    };
    match (kind, code) {
        (0, _) => write!(f, "echo reply seq {sequence}"),
        (3, 3) => {
            let port = quotation(icmp).and_then(|quoted| Flow::of_packet(&quoted).destination_port());
            f.write_str("port ")?;
            port.map_or(Ok(()), |port| write!(f, "{port} "))?;
            f.write_str("unreachable")
        }
        (3, 4) => write!(f, "need to frag (mtu {sequence})"),
        (3, _) => {
            let (what, reason) = unreachable_words(code);
            write!(f, "{what}unreachable{reason}")
        }
        (5, _) => f.write_str("redirect"),
        (8, _) => write!(f, "echo request seq {sequence}"),
        (11, 0) => f.write_str("time exceeded in-transit"),
        (11, _) => f.write_str("reassembly time exceeded"),
        _ => write!(f, "ICMP type-{kind} code-{code}"),
    }
}

fn write_message_v6(f: &mut fmt::Formatter<'_>, icmp: &[u8]) -> fmt::Result {
    let (Some(&[kind, code]), Some(sequence)) = (icmp.first_chunk(), be16(icmp, 6)) else {
        return f.write_str("[truncated icmp6]");
    };
    match (kind, code) {
        (1, 0) => f.write_str("no route"),
        (1, 3) => f.write_str("host unreachable"),
        (1, 4) => {
            let port = quotation(icmp).and_then(|quoted| Flow::of_packet(&quoted).destination_port());
            f.write_str("port ")?;
            port.map_or(Ok(()), |port| write!(f, "{port} "))?;
            f.write_str("unreachable")
        }
        (1, _) => f.write_str("unreachable"),
        (2, _) => write!(f, "packet too big (mtu {})", be32(icmp, 4).unwrap_or_default()),
        (3, 0) => f.write_str("time exceeded in-transit"),
        (3, _) => f.write_str("reassembly time exceeded"),
        (128, _) => write!(f, "echo request seq {sequence}"),
        (129, _) => write!(f, "echo reply seq {sequence}"),
        (133, _) => f.write_str("router solicitation"),
        (134, _) => match advertised_prefix(icmp) {
            Some(prefix) => write!(f, "router adv. {prefix}"),
            None => f.write_str("router advertisement"),
        },
        (137, _) => f.write_str("redirect"),
        (143, _) => f.write_str("mld report"),
        _ => write!(f, "ICMP6 type-{kind} code-{code}"),
    }
}

/// A neighbor discovery message in the words of ARP: `nd who-has`, `nd reply`; a question of who has no address itself yet
/// is a probe, as RFC 5227 §1.1 calls it.
fn write_discovery(f: &mut fmt::Formatter<'_>, verb: &str, icmp: &[u8], names: &Summary<'_>) -> fmt::Result {
    match be128(icmp, 8) {
        Some(bits) => write!(f, "nd {verb} {}", names.host(IpAddr::V6(Ipv6Addr::from_bits(bits)))),
        None => write!(f, "nd {verb} [truncated]"),
    }
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = self.0.view.vlan.and_then(|vlan| be16(vlan, 0)) {
            write!(f, "vlan {} ", tag & 0x0fff)?;
        }
        match (&self.0.view.ip, self.0.view.arp, self.0.view.stp) {
            (None, None, Some(bpdu)) => stp::write_short(f, bpdu),
            (Some(ip), ..) => self.write_ip(f, ip),
            (None, Some(arp), _) => match (be16(arp, 6), be32(arp, 24), be32(arp, 14)) {
                (Some(1), Some(target), Some(0)) => {
                    write!(f, "arp probe {}", self.0.host(target.to_be_bytes().into()))
                }
                (Some(1), Some(target), Some(sender)) if target == sender => {
                    write!(f, "arp announcement {}", self.0.host(target.to_be_bytes().into()))
                }
                (Some(1), Some(target), _) => write!(f, "arp who-has {}", self.0.host(target.to_be_bytes().into())),
                (Some(2), _, Some(sender)) => write!(f, "arp reply {}", self.0.host(sender.to_be_bytes().into())),
                _ => self.0.write_arp(f, arp),
            },
            (None, None, None) => match self.0.view.ethertype {
                Some(found) => write!(f, "ethertype {found:#06x}"),
                None => self.0.write_ethernet(f),
            },
        }
    }
}

impl fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
