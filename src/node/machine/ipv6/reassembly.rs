//! Putting fragments together again (RFC 8200 §4.5, RFC 5722, RFC 7112): one packet of what [`Partials`] has collected.
//!
//! [`Partials`]: crate::node::machine::pieces::Partials

use std::net::Ipv6Addr;
use std::time::Duration;

use super::extension::{FragmentHeader, holds_all_headers};
use super::header::{HEADER_BYTES, Header, PAYLOAD_BYTES_MAX};
use super::icmp::Complaint;
use super::{Ipv6Layer, Timer};
use crate::node::machine::pieces::{Complete, Kept, Piece};
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// RFC 8200 §4.5: "If insufficient fragments are received to complete reassembly of a packet within 60 seconds of the
/// reception of the first-arriving fragment of that packet, reassembly of that packet must be abandoned".
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where in the header the length of the payload stands.
const PAYLOAD_LENGTH_AT: usize = 4;

/// RFC 8200 §4.5: "an original packet is reassembled only from fragment packets that have the same Source Address,
/// Destination Address, and Fragment Identification."
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FragmentKey {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    ident: u32,
}

impl Ipv6Layer {
    /// Takes a fragment; gives back the whole packet if it was the last to come.
    pub(super) fn reassemble(
        &mut self,
        header: &Header,
        fragment: &FragmentHeader,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let (start, payload_at) = (fragment.offset, fragment.payload_at());
        let end = start + header.total_length - payload_at;
        if let Some((cause, complaint)) = check(packet.bytes(), fragment, end) {
            match complaint {
                Some(complaint) => self.drop_and_tell(packet, cause, complaint, now, out),
                None => out.drop_frame(packet, cause),
            }
            return None;
        }
        let key = FragmentKey { source: header.source, destination: header.destination, ident: fragment.ident };
        let piece = Piece { start, end, payload_at, more_follow: fragment.more_follow, frame: packet };
        match self.partials.add(key, piece, now + TIMEOUT) {
            Kept::Waiting(deadline) => {
                self.timers.extend(deadline.map(|deadline| (deadline, Timer::Reassembly(key))));
                None
            }
            Kept::Refused(packet, cause) => {
                out.drop_frame(packet, cause);
                None
            }
            Kept::Overlap(fragments) => {
                // "If any of the fragments being reassembled overlap with any other fragments being reassembled for the
                // same packet, reassembly of that packet must be abandoned and all the fragments that have been received
                // for that packet must be discarded, and no ICMP error messages should be sent."
                self.counters.reassembly_failed += 1;
                for fragment in fragments {
                    out.drop_frame(fragment, Cause::FragmentOverlap);
                }
                None
            }
            Kept::Complete(complete) => {
                self.timers.remove(&(complete.deadline, Timer::Reassembly(key)));
                match assemble(complete, out) {
                    Ok((packet, fragments)) => {
                        self.counters.reassembled += 1;
                        out.note(None, || {
                            let (length, source) = (packet.len(), key.source);
                            format!("reassembled {length} bytes from {source} ({fragments} fragments)")
                        });
                        Some(packet)
                    }
                    Err(last) => {
                        out.drop_frame(last, Cause::Malformed);
                        None
                    }
                }
            }
        }
    }

    /// The time for some fragments is up.
    pub(super) fn reassembly_timeout(&mut self, key: FragmentKey, now: Time, out: &mut Outbox) {
        let Some((has_first, mut fragments)) = self.partials.expire(key) else { return };
        if fragments.is_empty() {
            // An overlap had spoilt it; they were dropped then.
            return;
        }
        self.counters.reassembly_failed += 1;
        // "If the first fragment (i.e., the one with a Fragment Offset of zero) has been received, an ICMP Time Exceeded
        // -- Fragment Reassembly Time Exceeded message should be sent to the source of that fragment."
        let tell = has_first.then(|| self.error_about(Complaint::ReassemblyTimeout, &mut fragments[0], now, out));
        for fragment in fragments {
            out.drop_frame(fragment, Cause::ReassemblyTimeout);
        }
        self.send_error(tell.flatten(), now, out);
    }
}

/// Why a fragment that ends at `end` cannot be used, and what its sender is told.
fn check(packet: &[u8], fragment: &FragmentHeader, end: usize) -> Option<(Cause, Option<Complaint>)> {
    let length = end - fragment.offset;
    if fragment.more_follow && !length.is_multiple_of(8) {
        // "If the length of a fragment, as derived from the fragment packet's Payload Length field, is not a multiple of 8
        // octets and the M flag of that fragment is 1, then that fragment must be discarded and an ICMP Parameter Problem,
        // Code 0, message should be sent to the source of the fragment, pointing to the Payload Length field".
        return Some((Cause::Malformed, Some(Complaint::ErroneousHeader { pointer: PAYLOAD_LENGTH_AT })));
    }
    if fragment.at - HEADER_BYTES + end > PAYLOAD_BYTES_MAX {
        // "If the length and offset of a fragment are such that the Payload Length of the packet reassembled from that
        // fragment would exceed 65,535 octets, then that fragment must be discarded and an ICMP Parameter Problem, Code 0,
        // message should be sent to the source of the fragment, pointing to the Fragment Offset field".
        return Some((Cause::Malformed, Some(Complaint::ErroneousHeader { pointer: fragment.at + 2 })));
    }
    if length == 0 {
        return Some((Cause::Malformed, None));
    }
    // "If the first fragment does not include all headers through an Upper-Layer header, then that fragment should be
    // discarded and an ICMP Parameter Problem, Code 3, message should be sent to the source of the fragment".
    let is_incomplete = fragment.offset == 0 && !holds_all_headers(packet, fragment);
    is_incomplete.then_some((Cause::Malformed, Some(Complaint::IncompleteHeaders)))
}

/// One packet of all pieces, and of how many; the last to come if it would be too long.
fn assemble(complete: Complete, out: &mut Outbox) -> Result<(Frame, usize), Frame> {
    let first = complete.first_packet();
    let front = complete.first_payload_at() - super::extension::FRAGMENT_HEADER_BYTES;
    let total_length = front + complete.length;
    if total_length - HEADER_BYTES > PAYLOAD_BYTES_MAX {
        // Only when the first fragment has more headers than the one that was checked.
        return Err(complete.into_refused(Cause::Malformed, out));
    }
    let mut buffer = out.buffer(total_length);
    let bytes = buffer.bytes_mut();
    bytes[..front].copy_from_slice(&first[..front]);
    // "The Next Header field of the last header of the Per-Fragment headers is obtained from the Next Header field of the
    // first fragment's Fragment header."
    let header = Header::of(first).expect("it was read when it came");
    let named_at = super::extension::named_at_of_fragment(first, &header);
    bytes[named_at] = first[front];
    bytes[PAYLOAD_LENGTH_AT..PAYLOAD_LENGTH_AT + 2]
        .copy_from_slice(&((total_length - HEADER_BYTES) as u16).to_be_bytes());
    complete.copy_payload(&mut bytes[front..]);
    let count = complete.count();
    Ok((complete.into_packet(buffer, out), count))
}
