//! Neighbor discovery messages: read with checks, written whole (RFC 4861 §4).
//!
//! ```text
//!  0       1       2               4
//! ┌───────┬───────┬───────────────┬───────────────────────────────┐
//! │ type  │ code 0│ checksum      │ flags, or nothing             │
//! ├───────┴───────┴───────────────┴───────────────────────────────┤
//! │ target address, 16 bytes (solicitation and advertisement)     │
//! ├───────┬───────┬───────────────────────────────────────────────┤
//! │ option│ length│ …                        (length in 8 bytes)  │
//! └───────┴───────┴───────────────────────────────────────────────┘
//! ```

use std::net::Ipv6Addr;

use smoltcp::wire::EthernetAddress;

use super::icmp::kind;

/// How long a solicitation or an advertisement for a neighbor is without options.
const NEIGHBOR_BYTES: usize = 24;

/// Option types (RFC 4861 §4.6, RFC 3971 §5.3.2).
pub(super) mod option {
    pub(in super::super) const SOURCE_MAC: u8 = 1;
    pub(in super::super) const TARGET_MAC: u8 = 2;
    pub(in super::super) const PREFIX: u8 = 3;
    pub(in super::super) const REDIRECTED: u8 = 4;
    pub(in super::super) const MTU: u8 = 5;
    pub(in super::super) const NONCE: u8 = 14;
}

/// A neighbor solicitation or advertisement that has passed the checks of RFC 4861 §7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NeighborMessage {
    pub(super) target: Ipv6Addr,
    pub(super) flags: Flags,
    /// The sender's hardware address in a solicitation, the target's in an advertisement.
    pub(super) mac: Option<EthernetAddress>,
    /// RFC 7527: by what a node knows its own question if it comes back.
    pub(super) nonce: Option<[u8; 6]>,
}

/// What a neighbor advertisement says beside the address (RFC 4861 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags {
    pub(super) is_router: bool,
    pub(super) is_solicited: bool,
    /// A hardware address that is known already may be replaced.
    pub(super) overrides: bool,
}

impl Flags {
    fn read(byte: u8) -> Self {
        Self { is_router: byte & 0x80 != 0, is_solicited: byte & 0x40 != 0, overrides: byte & 0x20 != 0 }
    }

    fn byte(self) -> u8 {
        u8::from(self.is_router) << 7 | u8::from(self.is_solicited) << 6 | u8::from(self.overrides) << 5
    }
}

impl NeighborMessage {
    /// Reads a message, from its type on, that went from `source` to `destination`.
    pub(super) fn read(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> Option<Self> {
        // RFC 4861 §7.1.1 and §7.1.2: "ICMP Code is 0.", "ICMP length (derived from the IP length) is 24 or more
        // octets.", "Target Address is not a multicast address.", "All included options have a length that is greater
        // than zero."
        let fixed: &[u8; NEIGHBOR_BYTES] = message.first_chunk()?;
        let target = Ipv6Addr::from(<[u8; 16]>::try_from(&fixed[8..]).ok()?);
        if fixed[1] != 0 || target.is_multicast() || !options_are_sound(&message[NEIGHBOR_BYTES..]) {
            return None;
        }
        let is_solicitation = fixed[0] == kind::NEIGHBOR_SOLICITATION;
        let wanted = if is_solicitation { option::SOURCE_MAC } else { option::TARGET_MAC };
        let found = |wanted| options(&message[NEIGHBOR_BYTES..]).find(|(kind, _)| *kind == wanted);
        let mac = found(wanted).and_then(|(_, body)| body.first_chunk().copied().map(EthernetAddress));
        let nonce = found(option::NONCE).and_then(|(_, body)| body.first_chunk().copied());
        let flags = Flags::read(fixed[4]);
        if is_solicitation && source.is_unspecified() {
            // §7.1.1: "If the IP source address is the unspecified address, the IP destination address is a
            // solicited-node multicast address.", "[...] there is no source link-layer address option in the message."
            let is_solicited_node = destination.to_bits() >> 24 == 0xff02_0000_0000_0000_0000_0001_ff00_0000 >> 24;
            if mac.is_some() || !is_solicited_node {
                return None;
            }
        }
        // §7.1.2: "If the IP Destination Address is a multicast address the Solicited flag is zero."
        if !is_solicitation && destination.is_multicast() && flags.is_solicited {
            return None;
        }
        // A hardware address that cannot be a station's is as good as none, and worse.
        if mac.is_some_and(|mac| mac.is_multicast() || mac.0 == [0; 6]) {
            return None;
        }
        Some(Self { target, flags, mac, nonce })
    }

    /// A solicitation: "who has `target`?"
    pub(super) fn solicitation(target: Ipv6Addr, mac: Option<EthernetAddress>, nonce: Option<[u8; 6]>) -> Vec<u8> {
        Self { target, flags: Flags::default(), mac, nonce }.write(kind::NEIGHBOR_SOLICITATION, option::SOURCE_MAC)
    }

    /// An advertisement: "`target` is at `mac`".
    pub(super) fn advertisement(target: Ipv6Addr, flags: Flags, mac: Option<EthernetAddress>) -> Vec<u8> {
        Self { target, flags, mac, nonce: None }.write(kind::NEIGHBOR_ADVERTISEMENT, option::TARGET_MAC)
    }

    fn write(&self, kind: u8, mac_option: u8) -> Vec<u8> {
        let mut bytes = vec![kind, 0, 0, 0, self.flags.byte(), 0, 0, 0];
        bytes.extend(self.target.octets());
        let mut option = |kind, body: &[u8; 6]| {
            bytes.extend([kind, 1]);
            bytes.extend(body);
        };
        if let Some(mac) = self.mac {
            option(mac_option, &mac.0);
        }
        if let Some(nonce) = self.nonce {
            option(option::NONCE, &nonce);
        }
        bytes
    }
}

/// Whether options follow each other to the end, none of them of no length.
pub(super) fn options_are_sound(mut options: &[u8]) -> bool {
    while let [_, length, ..] = options {
        let length = usize::from(*length) * 8;
        if length == 0 || length > options.len() {
            return false;
        }
        options = &options[length..];
    }
    options.is_empty()
}

/// The types and bodies of sound options.
pub(super) fn options(mut options: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [kind, length, ..] = *options else { return None };
        let (option, rest) = options.split_at_checked(usize::from(length) * 8)?;
        options = rest;
        Some((kind, option.get(2..)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 9]);

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (target, group) = (address("2001:db8::1"), address("ff02::1:ff00:1"));
        let question = NeighborMessage::solicitation(target, Some(MAC), None);
        let read = NeighborMessage::read(&question, address("fe80::2"), group).unwrap();
        assert_eq!((read.target, read.mac, read.nonce), (target, Some(MAC), None));
        let flags = Flags { is_router: true, is_solicited: true, overrides: false };
        let answer = NeighborMessage::advertisement(target, flags, Some(MAC));
        let read = NeighborMessage::read(&answer, target, address("fe80::2")).unwrap();
        assert_eq!((read.flags, read.mac), (flags, Some(MAC)));
        let probe = NeighborMessage::solicitation(target, None, Some([7; 6]));
        let read = NeighborMessage::read(&probe, Ipv6Addr::UNSPECIFIED, group).unwrap();
        assert_eq!((read.mac, read.nonce), (None, Some([7; 6])));
    }

    #[test]
    fn messages_that_break_the_rules_are_no_messages() {
        let (target, group, nobody) = (address("2001:db8::1"), address("ff02::1:ff00:1"), Ipv6Addr::UNSPECIFIED);
        let question = |mac| NeighborMessage::solicitation(target, mac, None);
        let changed = |at: usize, byte: u8| {
            let mut bytes = question(Some(MAC));
            bytes[at] = byte;
            NeighborMessage::read(&bytes, address("fe80::2"), group)
        };
        assert!(changed(5, 77).is_some(), "what is reserved is ignored");
        assert_eq!(changed(1, 1), None, "code");
        assert_eq!(changed(8, 0xff), None, "multicast target");
        assert_eq!(changed(25, 0), None, "option of no length");
        assert_eq!(changed(25, 2), None, "option that is not all there");
        assert_eq!(changed(26, 3), None, "multicast hardware address");
        assert_eq!(NeighborMessage::read(&question(None)[..23], nobody, group), None);
        assert_eq!(NeighborMessage::read(&question(Some(MAC)), nobody, group), None);
        assert_eq!(NeighborMessage::read(&question(None), nobody, address("ff02::1")), None);
        let solicited = Flags { is_solicited: true, ..Flags::default() };
        let answer = NeighborMessage::advertisement(target, solicited, Some(MAC));
        assert_eq!(NeighborMessage::read(&answer, target, address("ff02::1")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            kind in 135_u8..=136,
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            lengths in proptest::collection::vec(0_u8..3, 10),
        ) {
            let mut message = bytes;
            if let Some(first) = message.first_mut() {
                *first = kind;
            }
            for (index, length) in lengths.into_iter().enumerate() {
                if let Some(byte) = message.get_mut(25 + index * 8) {
                    *byte = length;
                }
            }
            let read = NeighborMessage::read(&message, "fe80::1".parse().unwrap(), "fe80::2".parse().unwrap());
            if read.is_some() {
                prop_assert!(options(&message[24..]).count() <= 10);
            }
        }
    }
}
