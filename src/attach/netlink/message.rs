//! Netlink messages as bytes.
//!
//! ```text
//! | length 4 | type 2 | flags 2 | sequence 4 | port 4 |   header
//! | the type's own fields                            |
//! | length 2 | kind 2 | value, padded to 4 |  …           attributes, which may hold attributes
//! ```
//!
//! Everything in the byte order of the machine. Read `netlink(7)` and `rtnetlink(7)` first.

/// The length of a message's header.
pub(super) const HEADER_BYTES: usize = 16;

/// The length of an attribute's header.
const ATTRIBUTE_BYTES: usize = 4;

/// A request that is being written.
#[derive(Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A request of a type, with its own fields.
    pub(super) fn new(kind: u16, flags: u16, sequence: u32, fields: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        // Port 0: the kernel.
        bytes.extend([0; 4]);
        bytes.extend(fields);
        Self { bytes }
    }

    /// Adds an attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        put_attribute(&mut self.bytes, kind, value);
        self
    }

    /// The whole message.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("a request is a few hundred bytes");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}

/// An attribute that holds others.
pub(super) fn nested(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, value) in attributes {
        put_attribute(&mut bytes, *kind, value);
    }
    bytes
}

fn put_attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(ATTRIBUTE_BYTES + value.len()).expect("an attribute of a request is short");
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A message from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'b> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) body: &'b [u8],
}

/// The messages of one datagram; what is cut short ends the walk.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = bytes.get(..length)?;
        let body = message.get(HEADER_BYTES..)?;
        let (kind, sequence) = (u16_at(message, 4)?, u32_at(message, 8)?);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, sequence, body })
    })
}

/// The attributes behind a message's own fields.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        // The two highest bits are flags.
        let kind = u16_at(bytes, 2)? & 0x3fff;
        let value = bytes.get(ATTRIBUTE_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_again() {
        let inner = nested(&[(8, &[1])]);
        let bytes = Request::new(16, 5, 7, &[9; 16]).attribute(3, b"hop0\0").attribute(26, &inner).finish();
        let all: Vec<Message<'_>> = messages(&bytes).collect();
        let [message] = all[..] else { panic!("{all:?}") };
        assert_eq!((message.kind, message.sequence), (16, 7));
        let found: Vec<(u16, &[u8])> = attributes(&message.body[16..]).collect();
        assert_eq!(found, [(3, &b"hop0\0"[..]), (26, &inner[..])]);
        assert_eq!(attributes(found[1].1).collect::<Vec<_>>(), [(8, &[1_u8][..])]);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_walked_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(messages(&bytes).count() <= bytes.len());
            prop_assert!(attributes(&bytes).count() <= bytes.len());
        }
    }
}
