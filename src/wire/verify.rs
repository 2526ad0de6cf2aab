//! Whether the checksums in a packet are right.
//!
//! A question for those who look (summaries, match expressions). Whether a *receiver* verifies is its own business.

use std::net::IpAddr;

use smoltcp::wire::IpProtocol;
use smoltcp::wire::checksum::{combine, data, pseudo_header_v4, pseudo_header_v6};

use super::view::{Ip, be16};

/// What the one's complement sum over everything, checksum included, comes to when nothing is wrong (RFC 1071).
const RIGHT: u16 = 0xffff;

/// Whether the IPv4 header's checksum is right; IPv6 has none.
#[must_use]
pub fn header_checksum(ip: &Ip<'_>) -> Option<bool> {
    ip.source.is_ipv4().then(|| data(ip.header) == RIGHT)
}

/// Whether the TCP, UDP, ICMP or ICMPv6 checksum is right.
///
/// `None` where that cannot be told: other protocols, fragments, packets cut short, UDP over IPv4 without a checksum.
#[must_use]
pub fn transport_checksum(ip: &Ip<'_>) -> Option<bool> {
    if ip.fragment.is_some() || ip.is_cut_short() {
        return None;
    }
    let payload = match ip.protocol {
        IpProtocol::Udp => {
            // RFC 768: "An all zero transmitted checksum value means that the transmitter generated no checksum".
            if be16(ip.payload, 6)? == 0 && ip.source.is_ipv4() {
                return None;
            }
            ip.payload.get(..usize::from(be16(ip.payload, 4)?))?
        }
        IpProtocol::Tcp => ip.payload.get(..20).and(Some(ip.payload))?,
        IpProtocol::Icmp | IpProtocol::Icmpv6 => ip.payload.get(..4).and(Some(ip.payload))?,
        _ => return None,
    };
    let length = u32::try_from(payload.len()).ok()?;
    let pseudo_header = match (ip.source, ip.destination) {
        // RFC 792: the ICMP checksum covers the message alone.
        (IpAddr::V4(_), _) if ip.protocol == IpProtocol::Icmp => 0,
        (IpAddr::V4(source), IpAddr::V4(destination)) => pseudo_header_v4(&source, &destination, ip.protocol, length),
        (IpAddr::V6(source), IpAddr::V6(destination)) => pseudo_header_v6(&source, &destination, ip.protocol, length),
        _ => return None,
    };
    Some(combine(&[pseudo_header, data(payload)]) == RIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::fill_transport_checksum;

    /// 10.0.0.1:1000 > 10.0.0.2:2000, "hi", all checksums right.
    fn datagram() -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let sum = !data(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend([0x03, 0xe8, 0x07, 0xd0, 0, 10, 0, 0, b'h', b'i']);
        fill_transport_checksum(&mut bytes);
        bytes
    }

    #[test]
    fn every_flipped_bit_is_noticed_where_it_is() {
        let right = datagram();
        let ip = Ip::parse(&right).unwrap();
        assert_eq!((header_checksum(&ip), transport_checksum(&ip)), (Some(true), Some(true)));
        for bit in 0..8 {
            let mut bytes = right.clone();
            bytes[8] ^= 1 << bit; // time to live
            assert_eq!(header_checksum(&Ip::parse(&bytes).unwrap()), Some(false));
            let mut bytes = right.clone();
            bytes[29] ^= 1 << bit; // payload
            assert_eq!(transport_checksum(&Ip::parse(&bytes).unwrap()), Some(false));
        }
    }

    #[test]
    fn a_datagram_without_a_checksum_is_neither_right_nor_wrong() {
        let mut bytes = datagram();
        bytes[26..28].fill(0);
        assert_eq!(transport_checksum(&Ip::parse(&bytes).unwrap()), None);
    }
}
