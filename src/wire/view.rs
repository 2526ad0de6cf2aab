//! A frame taken apart, without copying and without trust.
//!
//! A [`View`] finds where the headers of a frame stand; whatever looks at frames (flows, summaries, match expressions)
//! looks through it. It is lenient where smoltcp's checked views are strict: a packet whose length field promises more
//! bytes than there are, such as the quotation in an ICMP error, is still shown as far as it goes. What is not there
//! is `None`; nothing here can panic, whatever the bytes.
//!
//! ```text
//! | Ethernet 14 | VLAN tag 4? | ARP                                            |
//! | 802.3    14 | VLAN tag 4? | LLC 3         | BPDU                           |
//! | Ethernet 14 | VLAN tag 4? | IPv4 header + options         | TCP, UDP, ICMP |
//! | Ethernet 14 | VLAN tag 4? | IPv6 header | extensions      | TCP, UDP, ICMP |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::IpProtocol;

use super::bpdu::BPDU_LLC;
use super::{Checksum, Frame, Layer};

/// How long an Ethernet header is.
const ETHERNET_HEADER_BYTES: usize = 14;

/// How many IPv6 extension headers are walked before the rest is taken for payload. Real packets carry two or three.
const EXTENSION_HEADERS_MAX: usize = 8;

/// EtherTypes that are looked into.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const IPV6: u16 = 0x86dd;
    /// Smaller values are a length: an IEEE 802.3 frame.
    pub(crate) const LEAST: u16 = 0x0600;
}

/// Where the headers of one frame stand.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The whole frame.
    pub bytes: &'a [u8],
    /// Whether the transport checksum in the bytes counts.
    pub checksum: Checksum,
    /// The bytes begin with an IP header.
    pub is_bare_packet: bool,
    /// The frame from its Ethernet header on; absent in a bare IP packet and in a frame shorter than the header.
    pub ethernet: Option<&'a [u8]>,
    /// From the 16 bits after the first VLAN tag's type (IEEE 802.1Q: priority and VLAN id) on.
    pub vlan: Option<&'a [u8]>,
    /// What the Ethernet header, or the tag behind it, says comes next.
    pub ethertype: Option<u16>,
    /// An ARP message, with whatever padding follows it.
    pub arp: Option<&'a [u8]>,
    /// What stands behind the LLC header of an IEEE 802.3 frame between switches: a spanning tree's BPDU.
    pub stp: Option<&'a [u8]>,
    /// An IP packet whose header is complete.
    pub ip: Option<Ip<'a>>,
}

/// An IP packet whose header is complete.
#[derive(Debug, Clone, Copy)]
pub struct Ip<'a> {
    /// The packet from its version nibble to the end of the frame, padding included.
    pub bytes: &'a [u8],
    /// The IPv4 header with its options, or the fixed 40 bytes of an IPv6 header.
    pub header: &'a [u8],
    /// The sender.
    pub source: IpAddr,
    /// The receiver.
    pub destination: IpAddr,
    /// What the payload is, IPv6 extension headers skipped.
    pub protocol: IpProtocol,
    /// Which piece this is, if the packet has been cut into several.
    pub fragment: Option<Fragment>,
    /// What follows the header and the extension headers, without Ethernet padding.
    pub payload: &'a [u8],
    /// How long the payload is by what the header says; more than `payload` holds if the packet is cut short.
    pub payload_claimed: usize,
}

/// One piece of a packet that was cut into several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Shared by the pieces of one packet.
    pub id: u32,
    /// Where the piece begins in the original payload, in bytes.
    pub offset: usize,
    /// Whether more pieces follow.
    pub more: bool,
}

impl<'a> View<'a> {
    /// Takes a frame apart.
    #[must_use]
    pub fn of(frame: &'a Frame) -> Self {
        Self { checksum: frame.checksum, ..Self::of_bytes(frame.bytes(), frame.layer) }
    }

    /// Takes bytes apart that begin with the header of `layer`.
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8], layer: Layer) -> Self {
        let mut view = Self {
            bytes,
            checksum: Checksum::Complete,
            is_bare_packet: layer == Layer::Ip,
            ethernet: None,
            vlan: None,
            ethertype: None,
            arp: None,
            stp: None,
            ip: None,
        };
        let inner = match layer {
            Layer::Ip => bytes,
            Layer::Ethernet => {
                let Some(inner) = bytes.get(ETHERNET_HEADER_BYTES..) else { return view };
                view.ethernet = Some(bytes);
                view.ethertype = be16(bytes, 12);
                view.skip_vlan_tag(inner)
            }
        };
        match view.ethertype {
            None => view.ip = Ip::parse(inner),
            Some(ethertype::IPV4) => view.ip = Ip::parse(inner).filter(|ip| ip.source.is_ipv4()),
            Some(ethertype::IPV6) => view.ip = Ip::parse(inner).filter(|ip| ip.source.is_ipv6()),
            Some(ethertype::ARP) => view.arp = Some(inner),
            Some(length) if length < ethertype::LEAST => view.stp = bpdu(inner, usize::from(length)),
            Some(_) => {}
        }
        view
    }

    /// The first TCP header and what follows; absent in all but the first fragment.
    #[must_use]
    pub fn tcp(&self) -> Option<&'a [u8]> {
        self.ip?.transport(IpProtocol::Tcp)
    }

    /// A UDP datagram; absent in all but the first fragment.
    #[must_use]
    pub fn udp(&self) -> Option<&'a [u8]> {
        self.ip?.transport(IpProtocol::Udp)
    }

    /// An ICMP message over IPv4.
    #[must_use]
    pub fn icmp(&self) -> Option<&'a [u8]> {
        let ip = self.ip?;
        ip.source.is_ipv4().then(|| ip.transport(IpProtocol::Icmp))?
    }

    /// An ICMPv6 message over IPv6.
    #[must_use]
    pub fn icmpv6(&self) -> Option<&'a [u8]> {
        let ip = self.ip?;
        ip.source.is_ipv6().then(|| ip.transport(IpProtocol::Icmpv6))?
    }

    fn skip_vlan_tag(&mut self, inner: &'a [u8]) -> &'a [u8] {
        if self.ethertype != Some(ethertype::VLAN) || inner.len() < 4 {
            return inner;
        }
        self.vlan = Some(inner);
        self.ethertype = be16(inner, 2);
        &inner[4..]
    }
}

impl<'a> Ip<'a> {
    /// Takes an IP packet apart; `None` unless its header is complete and of a known version.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::parse_ipv4(bytes),
            6 => Self::parse_ipv6(bytes),
            _ => None,
        }
    }

    /// Whether there are fewer bytes than the header promises.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.payload.len() < self.payload_claimed
    }

    /// The payload, if it is of this protocol and begins with that protocol's header.
    #[must_use]
    pub fn transport(&self, protocol: IpProtocol) -> Option<&'a [u8]> {
        (self.protocol == protocol && self.fragment.is_none_or(|fragment| fragment.offset == 0)).then_some(self.payload)
    }

    /// How many more routers may forward it.
    #[must_use]
    pub fn hops_left(&self) -> u8 {
        let at = if self.source.is_ipv4() { 8 } else { 7 };
        self.header.get(at).copied().unwrap_or(0)
    }

    fn parse_ipv4(bytes: &'a [u8]) -> Option<Self> {
        let header_length = usize::from(bytes.first()? & 0x0f) * 4;
        let header = bytes.get(..header_length).filter(|header| header.len() >= 20)?;
        let payload_claimed = usize::from(be16(header, 2)?).saturating_sub(header_length);
        let rest = &bytes[header_length..];
        let flags = be16(header, 6)?;
        let fragment = Fragment {
            id: u32::from(be16(header, 4)?),
            offset: usize::from(flags & 0x1fff) * 8,
            more: flags & 0x2000 != 0,
        };
        Some(Self {
            bytes,
            header,
            source: Ipv4Addr::from(be32(header, 12)?).into(),
            destination: Ipv4Addr::from(be32(header, 16)?).into(),
            protocol: IpProtocol::from(header[9]),
            fragment: (fragment.more || fragment.offset > 0).then_some(fragment),
            payload: &rest[..rest.len().min(payload_claimed)],
            payload_claimed,
        })
    }

    fn parse_ipv6(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..40)?;
        let payload_claimed = usize::from(be16(header, 4)?);
        let rest = &bytes[40..];
        let mut ip = Self {
            bytes,
            header,
            source: Ipv6Addr::from(be128(header, 8)?).into(),
            destination: Ipv6Addr::from(be128(header, 24)?).into(),
            protocol: IpProtocol::from(header[6]),
            fragment: None,
            payload: &rest[..rest.len().min(payload_claimed)],
            payload_claimed,
        };
        for _ in 0..EXTENSION_HEADERS_MAX {
            if !ip.skip_extension_header() {
                break;
            }
        }
        Some(ip)
    }

    /// Moves past one extension header; false if the payload does not begin with one that is whole.
    fn skip_extension_header(&mut self) -> bool {
        let Some((next, length_field)) = self.payload.first().copied().zip(self.payload.get(1).copied()) else {
            return false;
        };
        let length = match self.protocol {
            IpProtocol::HopByHop | IpProtocol::Ipv6Route | IpProtocol::Ipv6Opts => (usize::from(length_field) + 1) * 8,
            // Behind a later fragment's header there is the middle of something, not another header.
            IpProtocol::Ipv6Frag if self.fragment.is_none() => 8,
            _ => return false,
        };
        let Some(rest) = self.payload.get(length..) else { return false };
        if self.protocol == IpProtocol::Ipv6Frag {
            let (Some(offset), Some(id)) = (be16(self.payload, 2), be32(self.payload, 4)) else { return false };
            self.fragment = Some(Fragment { id, offset: usize::from(offset & 0xfff8), more: offset & 1 != 0 });
        }
        self.protocol = IpProtocol::from(next);
        self.payload = rest;
        self.payload_claimed = self.payload_claimed.saturating_sub(length);
        self.fragment.is_none_or(|fragment| fragment.offset == 0)
    }
}

/// The BPDU in an IEEE 802.3 frame of this length, without the padding behind it.
fn bpdu(inner: &[u8], length: usize) -> Option<&[u8]> {
    inner.get(..length.min(inner.len()))?.strip_prefix(&BPDU_LLC)
}

/// How long a TCP header is by what it says; `None` if it says less than the 20 bytes that it must have.
pub(crate) fn tcp_header_bytes(tcp: &[u8]) -> Option<usize> {
    let length = usize::from(tcp.get(12)? >> 4) * 4;
    (length >= 20).then_some(length)
}

/// What follows a UDP header, without what lies beyond the datagram's own length field.
pub(crate) fn udp_payload(udp: &[u8]) -> Option<&[u8]> {
    let end = usize::from(be16(udp, 4)?).min(udp.len());
    udp.get(8..end)
}

/// The packet that an ICMP or ICMPv6 error complains about: what stands behind its eight bytes.
pub(crate) fn quotation(icmp: &[u8]) -> Option<Ip<'_>> {
    Ip::parse(icmp.get(8..)?)
}

/// One byte.
pub(crate) fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// Two bytes, the higher first.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(array(bytes, at)?))
}

/// Four bytes, the highest first.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(array(bytes, at)?))
}

/// Sixteen bytes, the highest first.
pub(crate) fn be128(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_be_bytes(array(bytes, at)?))
}

/// `N` bytes as they stand.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10.0.0.1 > 10.0.0.2, one header without options, the given protocol and flags word.
    fn ipv4(total: u16, flags: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0];
        bytes.extend(total.to_be_bytes());
        bytes.extend([0, 7]);
        bytes.extend(flags.to_be_bytes());
        bytes.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn ethernet_padding_is_not_payload() {
        let mut bytes = vec![0; 12];
        bytes.extend([0x08, 0x00]);
        bytes.extend(ipv4(22, 0, 17, b"hi"));
        bytes.resize(60, 0);
        let ip = View::of_bytes(&bytes, Layer::Ethernet).ip.unwrap();
        assert_eq!((ip.payload, ip.is_cut_short()), (&b"hi"[..], false));
    }

    #[test]
    fn a_quotation_is_shown_as_far_as_it_goes() {
        let bytes = ipv4(1500, 0, 17, &[0x0f, 0xa0, 0x82, 0x9a, 0x05, 0xc8, 0, 0]);
        let ip = Ip::parse(&bytes).unwrap();
        assert!(ip.is_cut_short());
        assert_eq!((ip.payload.len(), ip.payload_claimed), (8, 1480));
    }

    #[test]
    fn only_a_first_fragment_has_a_transport_header() {
        let first = ipv4(28, 0x2000, 17, &[0; 8]);
        let second = ipv4(28, 185, 17, &[0; 8]);
        let view = |bytes| View::of_bytes(bytes, Layer::Ip);
        assert!(view(&first).udp().is_some());
        assert!(view(&second).udp().is_none());
        assert_eq!(view(&second).ip.unwrap().fragment, Some(Fragment { id: 7, offset: 1480, more: false }));
    }

    #[test]
    fn extension_headers_are_skipped_to_the_transport() {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 24, 0, 64];
        bytes.extend([0; 32]);
        bytes.extend([44, 0, 0, 0, 0, 0, 0, 0]); // hop-by-hop, then a fragment header
        bytes.extend([17, 0, 0x00, 0x01, 0, 0, 0, 9]); // offset 0, more to come, id 9
        bytes.extend([0; 8]);
        let ip = Ip::parse(&bytes).unwrap();
        assert_eq!(ip.protocol, IpProtocol::Udp);
        assert_eq!(ip.fragment, Some(Fragment { id: 9, offset: 0, more: true }));
        assert_eq!(ip.payload_claimed, 8);
        assert!(View::of_bytes(&bytes, Layer::Ip).udp().is_some());
    }

    #[test]
    fn a_bpdu_is_found_behind_its_llc_header_and_ends_before_the_padding() {
        let mut bytes = vec![0; 12];
        bytes.extend([0, 7, 0x42, 0x42, 3, 0, 0, 0, 0x80]);
        bytes.resize(60, 0);
        assert_eq!(View::of_bytes(&bytes, Layer::Ethernet).stp, Some(&[0, 0, 0, 0x80][..]));
        bytes[14] = 0xaa;
        assert_eq!(View::of_bytes(&bytes, Layer::Ethernet).stp, None);
        assert_eq!(View::of_bytes(&bytes[..16], Layer::Ethernet).stp, None);
    }

    #[test]
    fn a_vlan_tag_is_stepped_over() {
        let mut bytes = vec![0; 12];
        bytes.extend([0x81, 0x00, 0x00, 0x0a, 0x08, 0x00]);
        bytes.extend(ipv4(20, 0, 6, &[]));
        let view = View::of_bytes(&bytes, Layer::Ethernet);
        assert!(view.ip.is_some() && view.vlan.is_some());
        assert_eq!(view.ethertype, Some(ethertype::IPV4));
    }
}
