//! VLAN tags: put on, taken off, changed, in place (IEEE 802.1Q clause 9).
//!
//! ```text
//! | to 6 | from 6 | 81 00 2 | priority 3 bits, drop eligible 1, VLAN 12 | EtherType 2 | …
//!                   ^ these four bytes come and go; the addresses in front of them move
//! ```

use super::Frame;
use super::view::{be16, ethertype};

/// How long a tag is.
pub const VLAN_TAG_BYTES: usize = 4;

/// The greatest VLAN; 4095 is nobody's, and 0 says that there is only a priority (table 9-2).
pub const VLAN_ID_MAX: u16 = 4094;

/// Where a tag stands: behind the two addresses.
const TAG_AT: usize = 12;

/// A frame's tag: priority, drop eligibility and VLAN, as they stand.
#[must_use]
pub fn tag_of(ethernet: &[u8]) -> Option<u16> {
    if be16(ethernet, TAG_AT)? != ethertype::VLAN {
        return None;
    }
    // A tag is whole only if something stands behind it.
    be16(ethernet, TAG_AT + 4)?;
    be16(ethernet, TAG_AT + 2)
}

/// Whether a frame begins a tag that is not all there.
#[must_use]
pub fn is_tag_truncated(ethernet: &[u8]) -> bool {
    be16(ethernet, TAG_AT) == Some(ethertype::VLAN) && tag_of(ethernet).is_none()
}

/// Puts a tag into an Ethernet frame that has none; shorter than two addresses, it is left as it is.
pub fn put_tag(frame: &mut Frame, tag: u16) {
    if frame.len() < TAG_AT {
        return;
    }
    frame.buffer_mut().grow_front(VLAN_TAG_BYTES);
    let bytes = frame.bytes_mut();
    bytes.copy_within(VLAN_TAG_BYTES..VLAN_TAG_BYTES + TAG_AT, 0);
    bytes[TAG_AT..TAG_AT + 2].copy_from_slice(&ethertype::VLAN.to_be_bytes());
    bytes[TAG_AT + 2..TAG_AT + 4].copy_from_slice(&tag.to_be_bytes());
}

/// Takes a frame's tag off; without one, it is left as it is.
pub fn take_tag(frame: &mut Frame) -> Option<u16> {
    let tag = tag_of(frame.bytes())?;
    frame.bytes_mut().copy_within(0..TAG_AT, VLAN_TAG_BYTES);
    frame.buffer_mut().shrink_front(VLAN_TAG_BYTES);
    Some(tag)
}

/// The same frame's tag with another VLAN; without a tag, it is left as it is.
pub fn set_vlan(frame: &mut Frame, vlan: u16) {
    if let Some(tag) = tag_of(frame.bytes()) {
        let tag = (tag & 0xf000) | (vlan & 0x0fff);
        frame.bytes_mut()[TAG_AT + 2..TAG_AT + 4].copy_from_slice(&tag.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Layer, Pool};

    fn frame(bytes: &[u8]) -> Frame {
        Frame::new(Pool::default().copy(bytes), Layer::Ethernet)
    }

    const PLAIN: &[u8] = b"DDDDDDSSSSSS\x08\x00payload";

    #[test]
    fn a_tag_goes_on_and_off_and_leaves_no_mark() {
        let mut frame = frame(PLAIN);
        put_tag(&mut frame, 0xa00a);
        assert_eq!(frame.bytes(), b"DDDDDDSSSSSS\x81\x00\xa0\x0a\x08\x00payload");
        set_vlan(&mut frame, 20);
        assert_eq!(tag_of(frame.bytes()), Some(0xa014));
        assert_eq!(take_tag(&mut frame), Some(0xa014));
        assert_eq!(frame.bytes(), PLAIN);
        assert_eq!(take_tag(&mut frame), None);
    }

    #[test]
    fn a_tag_cut_short_is_none() {
        for length in 0..18 {
            let mut frame = frame(&b"DDDDDDSSSSSS\x81\x00\x00\x0a\x08\x00"[..length]);
            assert_eq!(take_tag(&mut frame), None, "{length}");
            assert_eq!(is_tag_truncated(frame.bytes()), length >= 14);
        }
        let mut short = frame(b"0123456789a");
        put_tag(&mut short, 1);
        assert_eq!(short.len(), 11);
    }
}
