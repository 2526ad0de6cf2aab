//! MSS clamping: a router lowers the segment size that a SYN announces to what fits the links that it knows.
//!
//! Path MTU discovery needs ICMP errors, which somebody on the way may filter (RFC 2923 §2.1). A router in front of a
//! narrow link, such as a tunnel or a PPPoE line, can spare TCP connections the trouble: the end that reads a smaller
//! number in the SYN never sends larger segments. As Linux's `TCPMSS --clamp-mss-to-pmtu`, this looks at the links on
//! both sides of the router, lowers and never raises, and leaves a SYN without the option alone: without it, 536 holds.
//!
//! Where a SYN meets this is told in [`forward`](super::forward) and its IPv6 twin.

use smoltcp::wire::IpProtocol;

use super::header::{HEADER_BYTES, Header, mend_checksum};
use super::ip::IpLayer;
use crate::record::Outbox;
use crate::wire::Frame;

/// A TCP header without options.
pub(super) const TCP_HEADER_BYTES: usize = 20;

/// The option's kind (RFC 9293 §3.2); two bytes of value follow its length, which is four.
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Where in a TCP header its flags stand, and which of them opens connections.
const FLAGS: usize = 13;
const SYN: u8 = 0x02;

impl IpLayer {
    /// Whether this packet is a SYN that this machine may have to change on its way.
    pub(super) fn is_to_be_clamped(&self, header: &Header, packet: &[u8]) -> bool {
        self.spec.ipv4.clamps_mss
            && header.protocol == IpProtocol::Tcp
            && header.offset == 0
            && is_syn(header.payload(packet))
    }

    /// Makes a SYN on its way from one interface to another announce no more than fits both links.
    pub(super) fn clamp_mss(&mut self, header: &Header, packet: &mut Frame, from: u16, to: u16, out: &mut Outbox) {
        if !self.is_to_be_clamped(header, packet.bytes()) {
            return;
        }
        let mtu = self.mtu_of(from).min(self.paths.limit(header.destination, self.mtu_of(to)));
        // RFC 9293 §3.7.1: "the MSS value to be sent in an MSS Option should be equal to the effective MTU minus the fixed
        // IP and TCP headers."
        let most = mtu.saturating_sub(HEADER_BYTES + TCP_HEADER_BYTES);
        if let Some(before) = clamp(packet, header.length, most) {
            self.counters.mss_clamped += 1;
            let Header { source, destination, .. } = *header;
            out.note(None, || format!("mss: {source} > {destination}: {before} becomes {most}"));
        }
    }
}

/// Whether a segment opens a connection, or agrees to one.
pub(super) fn is_syn(segment: &[u8]) -> bool {
    segment.get(FLAGS).is_some_and(|flags| flags & SYN != 0)
}

/// Lowers the segment size that the TCP header at `tcp_at` announces to `most`, and mends its checksum. What it was, if
/// it was more.
pub(super) fn clamp(packet: &mut Frame, tcp_at: usize, most: usize) -> Option<u16> {
    let most = u16::try_from(most).ok()?;
    let segment = packet.bytes_mut().get_mut(tcp_at..)?;
    let value_at = mss_value_at(segment)?;
    let before = word(segment, value_at)?;
    if before <= most {
        return None;
    }
    // The option may stand at an odd place: then its value reaches into two of the words that the checksum is made of.
    let first = value_at - value_at % 2;
    let words = [first, first + 2];
    let old = words.map(|at| word(segment, at));
    segment[value_at..value_at + 2].copy_from_slice(&most.to_be_bytes());
    for (at, old) in words.into_iter().zip(old) {
        if let (Some(old), Some(new)) = (old, word(segment, at))
            && old != new
        {
            mend_checksum(segment, 16, old, new);
        }
    }
    Some(before)
}

fn word(segment: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]))
}

/// Where in a TCP header the announced segment size stands.
fn mss_value_at(segment: &[u8]) -> Option<usize> {
    let length = usize::from(segment.get(12)? >> 4) * 4;
    let header = segment.get(..length)?;
    let mut at = TCP_HEADER_BYTES;
    loop {
        match *header.get(at)? {
            // The end of the list, and the option that only fills.
            0 => return None,
            1 => at += 1,
            kind => {
                let length = usize::from(*header.get(at + 1)?);
                if length < 2 || at + length > header.len() {
                    return None;
                }
                if kind == MAXIMUM_SEGMENT_SIZE {
                    return (length == 4).then_some(at + 2);
                }
                at += length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Layer;
    use proptest::prelude::*;

    /// A segment in nothing, with these options and a checksum that is right if the rest counts as zero.
    fn segment(options: &[u8]) -> Frame {
        let mut bytes = [&[0; TCP_HEADER_BYTES], options].concat();
        bytes[12] = ((bytes.len() / 4) << 4) as u8;
        bytes[FLAGS] = SYN;
        let sum = smoltcp::wire::checksum::data(&bytes);
        bytes[16..18].copy_from_slice(&(!sum).to_be_bytes());
        Frame::new(Outbox::default().pool.copy(&bytes), Layer::Ip)
    }

    fn clamped(options: &[u8], most: usize) -> (Option<u16>, Vec<u8>) {
        let mut frame = segment(options);
        let before = clamp(&mut frame, 0, most);
        assert_eq!(smoltcp::wire::checksum::data(frame.bytes()), !0, "{options:?}");
        (before, frame.bytes()[TCP_HEADER_BYTES..].to_vec())
    }

    #[test]
    fn a_larger_segment_size_is_lowered_and_a_smaller_one_is_left() {
        assert_eq!(clamped(&[2, 4, 0x05, 0xb4], 1360), (Some(1460), vec![2, 4, 0x05, 0x50]));
        assert_eq!(clamped(&[2, 4, 0x05, 0x51], 1360), (Some(1361), vec![2, 4, 0x05, 0x50]));
        assert_eq!(clamped(&[2, 4, 0x05, 0x50], 1360), (None, vec![2, 4, 0x05, 0x50]));
        assert_eq!(clamped(&[2, 4, 0x02, 0x18], 1360), (None, vec![2, 4, 0x02, 0x18]));
    }

    #[test]
    fn the_option_is_found_wherever_it_stands_odd_places_included() {
        let lowered =
            |options: &[u8], expected: &[u8]| assert_eq!(clamped(options, 1000), (Some(1460), expected.to_vec()));
        lowered(&[1, 2, 4, 0x05, 0xb4, 1, 1, 0], &[1, 2, 4, 0x03, 0xe8, 1, 1, 0]);
        lowered(&[3, 3, 7, 2, 4, 0x05, 0xb4, 0], &[3, 3, 7, 2, 4, 0x03, 0xe8, 0]);
        lowered(&[4, 2, 2, 4, 0x05, 0xb4, 0, 0], &[4, 2, 2, 4, 0x03, 0xe8, 0, 0]);
    }

    #[test]
    fn without_the_option_or_with_a_broken_one_nothing_is_changed() {
        for options in
            [&[][..], &[0, 2, 4, 5], &[1, 1, 1, 1], &[2, 3, 5, 0], &[2, 1, 5, 0], &[3, 9, 0, 0], &[1, 1, 1, 2]]
        {
            assert_eq!(clamped(options, 100), (None, options.to_vec()));
        }
        let mut short = Frame::new(Outbox::default().pool.copy(&[0; 10]), Layer::Ip);
        assert_eq!((clamp(&mut short, 0, 100), clamp(&mut short, 99, 100)), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_the_options_nothing_panics_and_the_checksum_stays_right(
            options in prop::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..=10), most in 0_usize..1500,
        ) {
            let options: Vec<u8> = options.iter().flat_map(|byte| [*byte, 4, 0xff, 0xfe]).collect();
            let (before, after) = clamped(&options, most);
            prop_assert_eq!(before.is_some(), after != options);
        }
    }
}
