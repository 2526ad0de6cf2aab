//! IP headers, read with checks and written in place.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};

use super::core::Turn;
use super::ip::SendError;
use crate::record::Cause;
use crate::wire::pool::Buffer;
use crate::wire::{Frame, Layer, Pool};

/// How many IPv6 extension headers are looked past.
const EXTENSION_HEADERS_MAX: usize = 8;

/// The largest IP packet, header included (IPv4; IPv6 jumbograms are not spoken).
pub(crate) const PACKET_MAX: usize = 65_535;

/// The time to live of what is sent, unless something else is asked for.
///
/// RFC 1700, "IP TIME TO LIVE PARAMETER": "The current recommended default time to live (TTL) for the Internet
/// Protocol (IP) is 64."
pub(crate) const TTL: u8 = 64;

/// What the header of a whole IP packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpProtocol,
    pub(crate) ttl: u8,
    /// Where in the packet the transport header and its payload are.
    pub(crate) payload: Range<usize>,
}

impl Header {
    /// Reads a header; `None` for what is not a whole, unfragmented packet.
    pub(crate) fn read(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => {
                let ip = Ipv4Packet::new_checked(packet).ok()?;
                let (header, total) = (usize::from(ip.header_len()), usize::from(ip.total_len()));
                let is_whole = !ip.more_frags() && ip.frag_offset() == 0 && header >= 20 && header <= total;
                is_whole.then(|| Self {
                    source: ip.src_addr().into(),
                    destination: ip.dst_addr().into(),
                    protocol: ip.next_header(),
                    ttl: ip.hop_limit(),
                    payload: header..total,
                })
            }
            6 => {
                let ip = Ipv6Packet::new_checked(packet).ok()?;
                let end = ip.header_len() + usize::from(ip.payload_len());
                let (protocol, start) = past_extensions(packet.get(..end)?, ip.next_header(), ip.header_len())?;
                Some(Self {
                    source: ip.src_addr().into(),
                    destination: ip.dst_addr().into(),
                    protocol,
                    ttl: ip.hop_limit(),
                    payload: start..end,
                })
            }
            _ => None,
        }
    }
}

/// Looks past IPv6 extension headers: the protocol behind them and where it begins.
fn past_extensions(packet: &[u8], first: IpProtocol, start: usize) -> Option<(IpProtocol, usize)> {
    let (mut protocol, mut start) = (first, start);
    for _ in 0..EXTENSION_HEADERS_MAX {
        let length = match protocol {
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Route => {
                (usize::from(*packet.get(start + 1)?) + 1) * 8
            }
            // An atomic fragment (RFC 6946): offset zero and no more to come.
            IpProtocol::Ipv6Frag => {
                let offset_and_flags = u16::from_be_bytes([*packet.get(start + 2)?, *packet.get(start + 3)?]);
                if offset_and_flags & !0b110 != 0 {
                    return None;
                }
                8
            }
            _ => return Some((protocol, start)),
        };
        protocol = (*packet.get(start)?).into();
        start += length;
        if start > packet.len() {
            return None;
        }
    }
    None
}

/// Takes IPv6 extension headers out of a packet, so that the transport header follows the IP header; says how many
/// bytes that were.
pub(crate) fn strip_extensions(frame: &mut Frame, header: &Header) -> usize {
    const IPV6_HEADER: usize = 40;
    let excess = header.payload.start.saturating_sub(IPV6_HEADER);
    if !header.source.is_ipv6() || excess == 0 {
        return 0;
    }
    frame.bytes_mut().copy_within(..IPV6_HEADER, excess);
    frame.buffer_mut().shrink_front(excess);
    let mut ip = Ipv6Packet::new_unchecked(frame.bytes_mut());
    ip.set_next_header(header.protocol);
    ip.set_payload_len(u16::try_from(header.payload.len()).unwrap_or(u16::MAX));
    excess
}

/// What the IP header of a new packet shall say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpProtocol,
    pub(crate) ttl: u8,
    pub(crate) dont_fragment: bool,
    /// IPv4's identification. RFC 6864 §4.1 lets it be anything where fragments are forbidden.
    pub(crate) ident: u16,
}

impl Envelope {
    /// How many bytes the header takes.
    pub(crate) fn header_len(&self) -> usize {
        if self.source.is_ipv4() { 20 } else { 40 }
    }

    /// A packet with this header and room for `payload_len` bytes, and where that room begins.
    ///
    /// # Errors
    ///
    /// [`SendError::MessageTooLong`] when no IP packet is that large, [`SendError::NetworkUnreachable`] when the addresses
    /// are of different families.
    pub(crate) fn open(&self, payload_len: usize, pool: &mut Pool) -> Result<(Buffer, usize), SendError> {
        let start = self.header_len();
        let total = start + payload_len;
        let Some(total_len) = u16::try_from(total).ok().filter(|_| total <= PACKET_MAX) else {
            return Err(SendError::MessageTooLong { mtu: PACKET_MAX });
        };
        let mut buffer = pool.take(total);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut ip = Ipv4Packet::new_unchecked(buffer.bytes_mut());
                ip.set_version(4);
                ip.set_header_len(20);
                ip.set_dscp(0);
                ip.set_ecn(0);
                ip.set_total_len(total_len);
                ip.set_ident(self.ident);
                ip.clear_flags();
                ip.set_dont_frag(self.dont_fragment);
                ip.set_frag_offset(0);
                ip.set_hop_limit(self.ttl);
                ip.set_next_header(self.protocol);
                ip.set_checksum(0);
                ip.set_src_addr(source);
                ip.set_dst_addr(destination);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut ip = Ipv6Packet::new_unchecked(buffer.bytes_mut());
                ip.set_version(6);
                ip.set_traffic_class(0);
                ip.set_flow_label(0);
                ip.set_payload_len(total_len - 40);
                ip.set_next_header(self.protocol);
                ip.set_hop_limit(self.ttl);
                ip.set_src_addr(source);
                ip.set_dst_addr(destination);
            }
            _ => {
                pool.give(buffer);
                return Err(SendError::NetworkUnreachable);
            }
        }
        Ok((buffer, start))
    }
}

/// A finished packet, its transport checksum open.
pub(crate) fn seal(buffer: Buffer) -> Frame {
    Frame::new(buffer, Layer::Ip).with_checksum_pending()
}

/// Sends a finished packet.
///
/// No IPv6 header can say that a packet must not be fragmented: that is seen to here (RFC 3542 §11.2, `IPV6_DONTFRAG`).
pub(crate) fn send(packet: Frame, envelope: &Envelope, turn: &mut Turn<'_>) -> Result<(), SendError> {
    if envelope.dont_fragment && envelope.source.is_ipv6() {
        let mtu = turn.ip.mtu_for(envelope.destination);
        if packet.len() > mtu {
            turn.out.drop_frame(packet, Cause::FragmentationNeeded);
            return Err(SendError::MessageTooLong { mtu });
        }
    }
    turn.ip.send(packet, turn.now, turn.out)
}

/// An address without what the wire does not carry: flow label and scope.
pub(crate) fn endpoint(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(source: &str, destination: &str) -> Envelope {
        Envelope {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: IpProtocol::Udp,
            ttl: 9,
            dont_fragment: true,
            ident: 7,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut pool = Pool::default();
        for (source, destination, start) in [("10.0.0.1", "10.0.0.2", 20), ("fe80::1", "fe80::2", 40)] {
            let (buffer, at) = envelope(source, destination).open(100, &mut pool).unwrap();
            let header = Header::read(buffer.bytes()).unwrap();
            assert_eq!(
                (header.source.to_string(), header.destination.to_string()),
                (source.into(), destination.into())
            );
            assert_eq!(
                (at, header.payload, header.ttl, header.protocol),
                (start, start..start + 100, 9, IpProtocol::Udp)
            );
        }
    }

    #[test]
    fn the_largest_packet_fits_and_one_byte_more_does_not() {
        let mut pool = Pool::default();
        let envelope = envelope("10.0.0.1", "10.0.0.2");
        assert!(envelope.open(65_515, &mut pool).is_ok());
        assert!(matches!(envelope.open(65_516, &mut pool), Err(SendError::MessageTooLong { mtu: 65_535 })));
    }

    #[test]
    fn extension_headers_are_looked_past_and_taken_out() {
        let mut pool = Pool::default();
        let (mut buffer, at) = envelope("fe80::1", "fe80::2").open(24, &mut pool).unwrap();
        buffer.bytes_mut()[6] = 0; // hop-by-hop options, 8 bytes: a PadN of 4; then destination options; then UDP
        buffer.bytes_mut()[at..]
            .copy_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4, 0, 8, 0, 0]);
        let mut frame = seal(buffer);
        let header = Header::read(frame.bytes()).unwrap();
        assert_eq!((header.protocol, header.payload.clone()), (IpProtocol::Udp, 56..64));
        strip_extensions(&mut frame, &header);
        let header = Header::read(frame.bytes()).unwrap();
        assert_eq!((header.protocol, header.payload, frame.len()), (IpProtocol::Udp, 40..48, 48));
    }

    #[test]
    fn fragments_are_not_whole_packets() {
        let (mut buffer, _) = envelope("10.0.0.1", "10.0.0.2").open(8, &mut Pool::default()).unwrap();
        buffer.bytes_mut()[6] = 0x20; // more fragments
        assert_eq!(Header::read(buffer.bytes()), None);
    }
}
