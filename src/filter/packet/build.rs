//! Headers and bytes become a packet, from the inside out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::checksum::{combine, data, pseudo_header_v4, pseudo_header_v6};
use smoltcp::wire::{EthernetAddress, EthernetFrame, IpProtocol, Ipv4Packet, Ipv6Packet, TcpOption, TcpPacket};

use super::layers::KeyForm;
use super::{Header, PacketDefaults, Part, Setpoint, Setting};
use crate::filter::ExpressionError;
use crate::wire::Layer;

const ETHERNET_HEADER_BYTES: usize = 14;
const IPV4_HEADER_BYTES: usize = 20;
const IPV6_HEADER_BYTES: usize = 40;
const TCP_HEADER_BYTES: usize = 20;

/// RFC 9293 §3.1: a TCP option of one byte that means nothing.
const TCP_NO_OPERATION: u8 = 1;

/// What an Ethernet header says it carries when bytes follow: IEEE 802 sets this aside for local experiments.
const LOCAL_EXPERIMENT: u64 = 0x88b5;

/// What an IP header says it carries when bytes follow: RFC 3692 §2.1 sets 253 and 254 aside for experiments.
const EXPERIMENT: u8 = 253;

/// The source port where none was said: the first that RFC 6335 leaves to whoever wants one.
const SOURCE_PORT: u64 = 49_152;

/// The bytes of a whole expression.
pub(super) fn build(parts: &[Part], defaults: &PacketDefaults<'_>) -> Result<(Layer, Vec<u8>), ExpressionError> {
    let builder = Builder { defaults };
    let bytes = builder.bytes(parts, None)?;
    match parts.first() {
        Some(Part::Header(header)) if matches!(header.row.name, "ip" | "ipv6") => Ok((Layer::Ip, bytes)),
        Some(Part::Header(header)) if header.row.name == "arp" => {
            Ok((Layer::Ethernet, builder.ethernet_for_arp(header, bytes)))
        }
        _ => Ok((Layer::Ethernet, bytes)),
    }
}

struct Builder<'a> {
    defaults: &'a PacketDefaults<'a>,
}

/// Source and destination of the IP header around a transport header: its checksum covers them.
type Ends = (IpAddr, IpAddr);

impl Builder<'_> {
    fn bytes(&self, parts: &[Part], ends: Option<Ends>) -> Result<Vec<u8>, ExpressionError> {
        let Some((part, rest)) = parts.split_first() else { return Ok(Vec::new()) };
        let header = match part {
            Part::Bytes(bytes) => return Ok([bytes.as_slice(), &self.bytes(rest, None)?].concat()),
            Part::Header(header) => header,
        };
        match header.row.name {
            "arp" => Ok([self.arp(header)?, self.bytes(rest, None)?].concat()),
            "eth" => Ok(self.ethernet(header, rest.first(), self.bytes(rest, None)?)),
            "icmp" => self.icmp(header, self.bytes(rest, None)?),
            "icmpv6" => self.icmpv6(header, self.bytes(rest, None)?, ends),
            "ip" => self.ipv4(header, rest),
            "ipv6" => self.ipv6(header, rest),
            "tcp" => Ok(tcp(header, self.bytes(rest, None)?, ends)),
            "udp" => udp(header, self.bytes(rest, None)?, ends),
            "vlan" => {
                let tag = low16(header.number("priority", 0) << 13 | header.number("id", 0));
                let kind = low16(header.number("type", ethertype_of(rest.first())));
                Ok([&tag.to_be_bytes()[..], &kind.to_be_bytes(), &self.bytes(rest, None)?].concat())
            }
            _ => unreachable!("every header of the table is built here"),
        }
    }

    fn ethernet(&self, header: &Header, next: Option<&Part>, payload: Vec<u8>) -> Vec<u8> {
        let destination = header.mac("dst").unwrap_or(EthernetAddress::BROADCAST.0);
        let source = header.mac("src").unwrap_or(self.defaults.mac);
        ethernet_frame(destination, source, low16(header.number("type", ethertype_of(next))), &payload)
    }

    /// A request goes to everybody, an answer to whom it is for.
    fn ethernet_for_arp(&self, arp: &Header, payload: Vec<u8>) -> Vec<u8> {
        let destination = arp.mac("hwdst").filter(|address| *address != [0; 6]).unwrap_or(EthernetAddress::BROADCAST.0);
        ethernet_frame(destination, arp.mac("hwsrc").unwrap_or(self.defaults.mac), 0x0806, &payload)
    }

    fn arp(&self, header: &Header) -> Result<Vec<u8>, ExpressionError> {
        let sender = self.ipv4_setting(header, "psrc")?.or(self.defaults.ipv4).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let target = self.ipv4_setting(header, "pdst")?.unwrap_or(Ipv4Addr::UNSPECIFIED);
        // Ethernet, IPv4, addresses of 6 and 4 bytes (RFC 826).
        let mut bytes = vec![0, 1, 8, 0, 6, 4];
        bytes.extend(low16(header.number("op", 1)).to_be_bytes());
        bytes.extend(header.mac("hwsrc").unwrap_or(self.defaults.mac));
        bytes.extend(sender.octets());
        bytes.extend(header.mac("hwdst").unwrap_or_default());
        bytes.extend(target.octets());
        Ok(bytes)
    }

    fn icmp(&self, header: &Header, payload: Vec<u8>) -> Result<Vec<u8>, ExpressionError> {
        let kind = low8(header.number("type", 8));
        let echo_default = u64::from(matches!(kind, 0 | 8));
        let gateway = self.ipv4_setting(header, "gateway")?;
        let mut bytes = vec![kind, low8(header.number("code", 0)), 0, 0];
        match gateway {
            Some(gateway) => bytes.extend(gateway.octets()),
            None => {
                bytes.extend(low16(header.number("id", echo_default)).to_be_bytes());
                let low = header.number("mtu", header.number("seq", echo_default));
                bytes.extend(low16(low).to_be_bytes());
            }
        }
        bytes.extend(payload);
        put_checksum(&mut bytes, 2, header, 0);
        Ok(bytes)
    }

    fn icmpv6(&self, header: &Header, payload: Vec<u8>, ends: Option<Ends>) -> Result<Vec<u8>, ExpressionError> {
        let kind = low8(header.number("type", 128));
        let echo_default = u64::from(matches!(kind, 128 | 129));
        let echo = header.number("id", echo_default) << 16 | header.number("seq", echo_default);
        let mut bytes = vec![kind, low8(header.number("code", 0)), 0, 0];
        bytes.extend(low32(header.number("mtu", echo)).to_be_bytes());
        if let Some(target) = self.ipv6_setting(header, "target")? {
            bytes.extend(target.octets());
        }
        bytes.extend(payload);
        let pseudo_header = pseudo_header(ends, IpProtocol::Icmpv6, bytes.len());
        put_checksum(&mut bytes, 2, header, pseudo_header);
        Ok(bytes)
    }

    fn ipv4(&self, header: &Header, rest: &[Part]) -> Result<Vec<u8>, ExpressionError> {
        let said = self.ipv4_setting(header, "src")?;
        let source = said.or(self.defaults.ipv4).ok_or_else(|| no_source(header, "IPv4"))?;
        let destination = self.ipv4_setting(header, "dst")?.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let payload = self.bytes(rest, Some((source.into(), destination.into())))?;
        let length = checked_length(header, IPV4_HEADER_BYTES + payload.len())?;
        let mut bytes = vec![0; IPV4_HEADER_BYTES];
        let mut packet = Ipv4Packet::new_unchecked(bytes.as_mut_slice());
        packet.set_version(4);
        packet.set_header_len(20);
        packet.set_dscp(low8(header.number("dscp", 0)));
        packet.set_ecn(low8(header.number("ecn", 0)));
        packet.set_total_len(low16(header.number("len", length)));
        packet.set_ident(low16(header.number("id", 0)));
        packet.clear_flags();
        packet.set_dont_frag(header.number("df", 0) == 1);
        packet.set_more_frags(header.number("mf", 0) == 1);
        packet.set_frag_offset(low16(header.number("offset", 0)));
        packet.set_hop_limit(low8(header.number("ttl", 64)));
        packet.set_next_header(IpProtocol::from(low8(header.number("proto", protocol_of(rest.first())))));
        packet.set_src_addr(source);
        packet.set_dst_addr(destination);
        put_checksum(&mut bytes, 10, header, 0);
        bytes.extend(payload);
        Ok(bytes)
    }

    fn ipv6(&self, header: &Header, rest: &[Part]) -> Result<Vec<u8>, ExpressionError> {
        let said = self.ipv6_setting(header, "src")?;
        let source = said.or(self.defaults.ipv6).ok_or_else(|| no_source(header, "IPv6"))?;
        let destination = self.ipv6_setting(header, "dst")?.unwrap_or(Ipv6Addr::UNSPECIFIED);
        let payload = self.bytes(rest, Some((source.into(), destination.into())))?;
        let length = checked_length(header, payload.len())?;
        let mut bytes = vec![0; IPV6_HEADER_BYTES];
        let mut packet = Ipv6Packet::new_unchecked(bytes.as_mut_slice());
        packet.set_version(6);
        packet.set_traffic_class(low8(header.number("tclass", 0)));
        packet.set_flow_label(low32(header.number("flow", 0)));
        packet.set_payload_len(low16(header.number("plen", length)));
        packet.set_next_header(IpProtocol::from(low8(header.number("nxt", protocol_of(rest.first())))));
        packet.set_hop_limit(low8(header.number("hlim", 64)));
        packet.set_src_addr(source);
        packet.set_dst_addr(destination);
        bytes.extend(payload);
        Ok(bytes)
    }

    fn ipv4_setting(&self, header: &Header, key: &str) -> Result<Option<Ipv4Addr>, ExpressionError> {
        header.setting(key).map(|setting| self.ipv4_address(setting)).transpose()
    }

    fn ipv6_setting(&self, header: &Header, key: &str) -> Result<Option<Ipv6Addr>, ExpressionError> {
        header.setting(key).map(|setting| self.ipv6_address(setting)).transpose()
    }

    fn ipv4_address(&self, setting: &Setting) -> Result<Ipv4Addr, ExpressionError> {
        let found = self.addresses(setting).into_iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        found.ok_or_else(|| no_address(setting))
    }

    fn ipv6_address(&self, setting: &Setting) -> Result<Ipv6Addr, ExpressionError> {
        let found = self.addresses(setting).into_iter().find_map(|address| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        });
        found.ok_or_else(|| no_address(setting))
    }

    fn addresses(&self, setting: &Setting) -> Vec<IpAddr> {
        match &setting.value {
            Setpoint::Address(address) => vec![*address],
            Setpoint::Node(name) => (self.defaults.resolve)(name),
            Setpoint::Mac(_) | Setpoint::Number(_) => Vec::new(),
        }
    }
}

fn ethernet_frame(destination: [u8; 6], source: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; ETHERNET_HEADER_BYTES];
    let mut frame = EthernetFrame::new_unchecked(bytes.as_mut_slice());
    frame.set_dst_addr(EthernetAddress(destination));
    frame.set_src_addr(EthernetAddress(source));
    frame.set_ethertype(ethertype.into());
    bytes.extend(payload);
    bytes
}

fn tcp(header: &Header, payload: Vec<u8>, ends: Option<Ends>) -> Vec<u8> {
    let options = tcp_options(header);
    let header_length = TCP_HEADER_BYTES + options.len();
    let mut bytes = vec![0; TCP_HEADER_BYTES];
    let mut segment = TcpPacket::new_unchecked(bytes.as_mut_slice());
    segment.set_src_port(low16(header.number("sport", SOURCE_PORT)));
    segment.set_dst_port(low16(header.number("dport", 0)));
    segment.set_window_len(low16(header.number("window", 65_535)));
    segment.set_urgent_at(low16(header.number("urgent", 0)));
    segment.set_header_len(u8::try_from(header_length).expect("three options need fewer than 40 bytes"));
    bytes[4..8].copy_from_slice(&low32(header.number("seq", 0)).to_be_bytes());
    bytes[8..12].copy_from_slice(&low32(header.number("ack", 0)).to_be_bytes());
    let [reserved, flags] = low16(header.number("flags", 0x02)).to_be_bytes();
    bytes[12] |= reserved & 0x0f;
    bytes[13] = flags;
    bytes.extend(options);
    bytes.extend(payload);
    let pseudo_header = pseudo_header(ends, IpProtocol::Tcp, bytes.len());
    put_checksum(&mut bytes, 16, header, pseudo_header);
    bytes
}

/// The options that were asked for, filled up to a multiple of four bytes.
fn tcp_options(header: &Header) -> Vec<u8> {
    let mut options = Vec::new();
    let mut put = |option: TcpOption<'_>| {
        let mut bytes = vec![0; option.buffer_len()];
        option.emit(&mut bytes);
        options.extend(bytes);
    };
    if header.setting("mss").is_some() {
        put(TcpOption::MaxSegmentSize(low16(header.number("mss", 0))));
    }
    if header.number("sackok", 0) == 1 {
        put(TcpOption::SackPermitted);
    }
    if header.setting("wscale").is_some() {
        put(TcpOption::WindowScale(low8(header.number("wscale", 0))));
    }
    let filled = options.len().next_multiple_of(4);
    options.resize(filled, TCP_NO_OPERATION);
    options
}

fn udp(header: &Header, payload: Vec<u8>, ends: Option<Ends>) -> Result<Vec<u8>, ExpressionError> {
    let length = checked_length(header, 8 + payload.len())?;
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(low16(header.number("sport", SOURCE_PORT)).to_be_bytes());
    bytes.extend(low16(header.number("dport", 0)).to_be_bytes());
    bytes.extend(low16(header.number("len", length)).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    let pseudo_header = pseudo_header(ends, IpProtocol::Udp, bytes.len());
    put_checksum(&mut bytes, 6, header, pseudo_header);
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    if header.setting("checksum").is_none() && bytes[6..8] == [0, 0] {
        bytes[6..8].fill(0xff);
    }
    Ok(bytes)
}

/// Writes the checksum that was said, or the right one for the bytes as they are.
fn put_checksum(bytes: &mut [u8], at: usize, header: &Header, pseudo_header: u16) {
    let right = !combine(&[pseudo_header, data(bytes)]);
    let checksum = low16(header.number("checksum", right.into()));
    bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn pseudo_header(ends: Option<Ends>, protocol: IpProtocol, length: usize) -> u16 {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    match ends {
        Some((IpAddr::V4(source), IpAddr::V4(destination))) => {
            pseudo_header_v4(&source, &destination, protocol, length)
        }
        Some((IpAddr::V6(source), IpAddr::V6(destination))) => {
            pseudo_header_v6(&source, &destination, protocol, length)
        }
        _ => 0,
    }
}

/// What an Ethernet header says of what follows it.
fn ethertype_of(next: Option<&Part>) -> u64 {
    match next {
        Some(Part::Header(header)) => match header.row.name {
            "arp" => 0x0806,
            "ip" => 0x0800,
            "ipv6" => 0x86dd,
            "vlan" => 0x8100,
            _ => LOCAL_EXPERIMENT,
        },
        _ => LOCAL_EXPERIMENT,
    }
}

/// What an IP header says of what follows it.
fn protocol_of(next: Option<&Part>) -> u64 {
    let protocol = match next {
        Some(Part::Header(header)) => match header.row.name {
            "icmp" => IpProtocol::Icmp.into(),
            "icmpv6" => IpProtocol::Icmpv6.into(),
            "ip" => 4,    // RFC 2003
            "ipv6" => 41, // RFC 4213
            "tcp" => IpProtocol::Tcp.into(),
            "udp" => IpProtocol::Udp.into(),
            _ => EXPERIMENT,
        },
        _ => EXPERIMENT,
    };
    protocol.into()
}

fn checked_length(header: &Header, length: usize) -> Result<u64, ExpressionError> {
    u16::try_from(length).map(u64::from).map_err(|_| {
        let title = format!("`{}` would carry {length} bytes", header.row.name);
        ExpressionError::new(header.span.clone(), title, "at most 65535 fit its length field")
    })
}

fn no_source(header: &Header, family: &str) -> ExpressionError {
    let title = format!("the node has no {family} address to send from");
    ExpressionError::new(header.span.clone(), title, "`src=…` belongs here")
}

fn no_address(setting: &Setting) -> ExpressionError {
    let family = if setting.key.form == KeyForm::Ipv6 { "IPv6" } else { "IPv4" };
    let title = match &setting.value {
        Setpoint::Node(name) => format!("`{name}` has no {family} address"),
        _ => format!("`{}` is no {family} address", setting.key.name),
    };
    ExpressionError::new(setting.span.clone(), title, "an address or the name of a node that has one belongs here")
}

impl Header {
    fn setting(&self, key: &str) -> Option<&Setting> {
        debug_assert!(self.row.key(key).is_some(), "`{}` has no `{key}`", self.row.name);
        self.settings.iter().find(|setting| setting.key.name == key)
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        match self.setting(key).map(|setting| &setting.value) {
            Some(Setpoint::Number(number)) => *number,
            _ => default,
        }
    }

    fn mac(&self, key: &str) -> Option<[u8; 6]> {
        match self.setting(key)?.value {
            Setpoint::Mac(address) => Some(address),
            _ => None,
        }
    }
}

// The parser has checked each number against its key's largest; what is left out is never cut either.

fn low8(number: u64) -> u8 {
    number.to_be_bytes()[7]
}

fn low16(number: u64) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}

fn low32(number: u64) -> u32 {
    let [.., a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
