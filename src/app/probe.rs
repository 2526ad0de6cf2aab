//! Segments made by hand, and what comes back: half-open scanning.
//!
//! A SYN is sent without a socket. If a SYN+ACK comes, somebody listens; the scanner's own machine, which knows of no such
//! connection, ends it with a RST before it has begun.

use std::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::port_state::{PortState, Verdict};
use crate::net::{IcmpKind, Quote, Reason, Seen};
use crate::wire::View;

/// What is said in a SYN that wants no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SynProbe {
    pub(super) source: IpAddr,
    pub(super) target: IpAddr,
    pub(super) source_port: u16,
    pub(super) sequence: u32,
}

impl SynProbe {
    /// The whole packet of a SYN to a port.
    pub(super) fn packet(&self, port: u16, ttl: u8) -> Vec<u8> {
        let tcp = TcpRepr {
            src_port: self.source_port,
            dst_port: port,
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(self.sequence as i32),
            ack_number: None,
            // What nmap sends: a small window, and one option.
            window_len: 1024,
            window_scale: None,
            max_seg_size: Some(1460),
            sack_permitted: false,
            sack_ranges: [None, None, None],
            timestamp: None,
            payload: &[],
        };
        let ip = IpRepr::new(self.source.into(), self.target.into(), IpProtocol::Tcp, tcp.buffer_len(), ttl);
        let (header, checksums) = (ip.header_len(), ChecksumCapabilities::default());
        let mut packet = vec![0; header + tcp.buffer_len()];
        ip.emit(&mut packet[..], &checksums);
        let mut segment = TcpPacket::new_unchecked(&mut packet[header..]);
        tcp.emit(&mut segment, &self.source.into(), &self.target.into(), &checksums);
        packet
    }

    /// Which port a frame answers for, and how.
    pub(super) fn answer(&self, seen: &Seen) -> Option<(u16, Verdict)> {
        let view = View::of(&seen.frame);
        let ip = view.ip?;
        if ip.source != self.target || ip.destination != self.source {
            return None;
        }
        let tcp = TcpPacket::new_checked(view.tcp()?).ok()?;
        // An answer acknowledges the SYN, whatever it says: whatever does not is about something else.
        let is_ours = tcp.dst_port() == self.source_port
            && tcp.ack()
            && tcp.ack_number() == TcpSeqNumber(self.sequence.wrapping_add(1) as i32);
        if !is_ours {
            return None;
        }
        let verdict = match (tcp.rst(), tcp.syn()) {
            (true, _) => Verdict { state: PortState::Closed, reason: "reset" },
            (false, true) => Verdict { state: PortState::Open, reason: "syn-ack" },
            (false, false) => return None,
        };
        Some((tcp.src_port(), verdict))
    }

    /// Which port an ICMP error is about, and what it means.
    pub(super) fn complaint(&self, kind: &IcmpKind) -> Option<(u16, Verdict)> {
        let IcmpKind::Unreachable { reason, code, quote, .. } = kind else { return None };
        let Quote { source, destination, protocol: 6, ports: Some((from, to)), .. } = quote else { return None };
        let is_ours = *source == self.source && *destination == self.target && *from == self.source_port;
        is_ours.then(|| (*to, Verdict { state: PortState::Filtered, reason: complaint(*reason, *code) }))
    }
}

/// What `nmap` calls an ICMP error.
pub(super) fn complaint(reason: Reason, code: u8) -> &'static str {
    match (reason, code) {
        (Reason::Host, _) => "host-unreach",
        (Reason::Network, _) => "net-unreach",
        (Reason::Port, _) => "port-unreach",
        (Reason::Protocol, _) => "proto-unreach",
        (Reason::Prohibited, 9) => "net-prohibited",
        (Reason::Prohibited, 10) => "host-prohibited",
        (Reason::Prohibited, _) => "admin-prohibited",
        (Reason::Other | Reason::TooBig, _) => "dest-unreach",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Place;
    use crate::time::Time;
    use crate::wire::{Frame, Layer, Pool};
    use proptest::prelude::*;
    use smoltcp::wire::Ipv4Packet;

    const PROBE: SynProbe = SynProbe {
        source: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        target: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)),
        source_port: 40_000,
        sequence: u32::MAX,
    };

    fn seen(bytes: &[u8]) -> Seen {
        let frame = Frame::new(Pool::default().copy(bytes), Layer::Ip);
        Seen { at: Time::ZERO, place: Place::Loopback, frame }
    }

    /// An answer with these flags and this acknowledgment number.
    fn answer(flags: u8, acknowledgment: u32) -> Vec<u8> {
        let back = SynProbe { source: PROBE.target, target: PROBE.source, source_port: 80, sequence: 7 };
        let mut packet = back.packet(PROBE.source_port, 64);
        packet[20 + 13] = flags;
        packet[20 + 8..20 + 12].copy_from_slice(&acknowledgment.to_be_bytes());
        packet
    }

    #[test]
    fn a_syn_is_whole_and_its_checksums_are_right() {
        let packet = PROBE.packet(80, 64);
        let ip = Ipv4Packet::new_checked(&packet[..]).unwrap();
        let tcp = TcpPacket::new_checked(ip.payload()).unwrap();
        assert!(ip.verify_checksum());
        assert!(tcp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
        assert!(tcp.syn() && !tcp.ack() && tcp.dst_port() == 80);
    }

    #[test]
    fn answers_are_known_by_what_they_acknowledge() {
        let state = |flags, acknowledgment| {
            PROBE.answer(&seen(&answer(flags, acknowledgment))).map(|(port, verdict)| (port, verdict.state))
        };
        // The sequence number wraps round: its successor is 0.
        assert_eq!(state(0x12, 0), Some((80, PortState::Open)));
        assert_eq!(state(0x14, 0), Some((80, PortState::Closed)));
        assert_eq!(state(0x12, 1), None);
        assert_eq!(state(0x10, 0), None);
        assert_eq!(state(0x02, 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_answer_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..80), is_near in any::<bool>()) {
            let mut bytes = bytes;
            if is_near {
                let near = answer(0x12, 0);
                bytes.splice(..bytes.len().min(20), near[..20].iter().copied());
            }
            let _ = PROBE.answer(&seen(&bytes));
        }
    }
}
