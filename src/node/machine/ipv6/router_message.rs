//! Router solicitations and advertisements: read with checks, written whole (RFC 4861 §4.1, §4.2, §4.6).
//!
//! ```text
//!  0       1       2               4       5       6               8
//! ┌───────┬───────┬───────────────┬───────┬───────┬───────────────┐
//! │ 134   │ code 0│ checksum      │ hops  │ flags │ router's      │
//! │       │       │               │       │       │ lifetime, s   │
//! ├───────┴───────┴───────────────┼───────┴───────┴───────────────┤
//! │ reachable time, ms            │ retransmission timer, ms      │
//! ├───────┬───────┬───────────────┴───────────────────────────────┤
//! │ option│ length│ source MAC; MTU; prefix …                     │
//! └───────┴───────┴───────────────────────────────────────────────┘
//! ```

use std::net::Ipv6Addr;
use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::icmp::kind;
use super::message::{option, options, options_are_sound};
use crate::node::machine::spec::RouterPreference;
use crate::time::Time;

/// How long an advertisement is without options.
const ADVERTISEMENT_BYTES: usize = 16;

/// How long a solicitation is without options.
const SOLICITATION_BYTES: usize = 8;

/// How long the option with a prefix is.
pub(super) const PREFIX_BYTES: usize = 32;

/// How many prefixes of one advertisement are looked at: what fits 1280 bytes.
const PREFIXES_MAX: usize = 38;

/// A router solicitation that has passed the checks of RFC 4861 §6.1.1: the sender's hardware address, if it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RouterSolicitation {
    pub(super) mac: Option<EthernetAddress>,
}

impl RouterSolicitation {
    /// Reads a message, from its type on, that came from `source`.
    pub(super) fn read(message: &[u8], source: Ipv6Addr) -> Option<Self> {
        let (fixed, rest) = message.split_at_checked(SOLICITATION_BYTES)?;
        let mac = source_mac(rest);
        // RFC 4861 §6.1.1: "ICMP Code is 0.", "If the IP source address is the unspecified address, there is no source
        // link-layer address option in the message."
        let is_right = fixed[1] == 0 && options_are_sound(rest) && !(source.is_unspecified() && mac.is_some());
        is_right.then_some(Self { mac })
    }

    /// The message.
    pub(super) fn write(self) -> Vec<u8> {
        let mut bytes = vec![kind::ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
        write_source_mac(&mut bytes, self.mac);
        bytes
    }
}

/// A router advertisement that has passed the checks of RFC 4861 §6.1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouterAdvertisement {
    /// The hop limit that hosts shall use; 0: nothing is said.
    pub(super) hop_limit: u8,
    /// The M and O flags: what is to be had by DHCPv6. Sent if asked for, and not heeded by anybody here.
    pub(super) is_managed: bool,
    pub(super) has_other: bool,
    pub(super) preference: RouterPreference,
    /// For how many seconds the router may be used as a default router.
    pub(super) lifetime: u16,
    /// How long a neighbor's answer is to be trusted, and to be waited for, in milliseconds; 0: nothing is said.
    pub(super) reachable: u32,
    pub(super) retransmission: u32,
    pub(super) mac: Option<EthernetAddress>,
    pub(super) mtu: Option<u32>,
    pub(super) prefixes: Vec<Prefix>,
}

/// A prefix that a router advertises (RFC 4861 §4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) prefix: Ipv6Addr,
    pub(super) length: u8,
    /// Addresses with it are on the link.
    pub(super) is_on_link: bool,
    /// Addresses may be made from it.
    pub(super) is_autonomous: bool,
    /// In seconds; [`FOREVER`].
    pub(super) valid: u32,
    /// Likewise.
    pub(super) preferred: u32,
}

/// RFC 4861 §4.6.2: "A value of all one bits (0xffffffff) represents infinity."
pub(super) const FOREVER: u32 = u32::MAX;

/// When a lifetime that begins now is over.
pub(super) fn end_of(lifetime: u32, now: Time) -> Time {
    if lifetime == FOREVER { Time::MAX } else { now + Duration::from_secs(u64::from(lifetime)) }
}

impl RouterAdvertisement {
    /// Reads a message, from its type on, that came from `source`.
    pub(super) fn read(message: &[u8], source: Ipv6Addr) -> Option<Self> {
        let (fixed, rest) = message.split_at_checked(ADVERTISEMENT_BYTES)?;
        // RFC 4861 §6.1.2: "IP Source Address is a link-local address. Routers must use their link-local address as the
        // source for Router Advertisement and Redirect messages so that hosts can uniquely identify routers."
        if fixed[1] != 0 || !source.is_unicast_link_local() || !options_are_sound(rest) {
            return None;
        }
        let prefixes =
            options(rest).filter(|(kind, _)| *kind == option::PREFIX).filter_map(|(_, body)| Prefix::read(body));
        let mtu = options(rest).find(|(kind, _)| *kind == option::MTU).and_then(|(_, body)| word(body, 2));
        Some(Self {
            hop_limit: fixed[4],
            is_managed: fixed[5] & 0x80 != 0,
            has_other: fixed[5] & 0x40 != 0,
            // RFC 4191 §2.2: "If the Reserved (10) value is received, the receiver MUST treat the value as if it were (00)."
            preference: match fixed[5] >> 3 & 3 {
                0b01 => RouterPreference::High,
                0b11 => RouterPreference::Low,
                _ => RouterPreference::Medium,
            },
            lifetime: u16::from_be_bytes([fixed[6], fixed[7]]),
            reachable: word(fixed, 8)?,
            retransmission: word(fixed, 12)?,
            mac: source_mac(rest).filter(|mac| !mac.is_multicast() && mac.0 != [0; 6]),
            mtu,
            prefixes: prefixes.take(PREFIXES_MAX).collect(),
        })
    }

    /// The message.
    pub(super) fn write(&self) -> Vec<u8> {
        let [high, low] = self.lifetime.to_be_bytes();
        let preference = match self.preference {
            // "If the Router Lifetime is zero, the preference value MUST be set to (00) by the sender".
            _ if self.lifetime == 0 => 0b00,
            RouterPreference::Low => 0b11,
            RouterPreference::Medium => 0b00,
            RouterPreference::High => 0b01,
        };
        let flags = u8::from(self.is_managed) << 7 | u8::from(self.has_other) << 6 | preference << 3;
        let mut bytes = vec![kind::ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, flags, high, low];
        bytes.extend(self.reachable.to_be_bytes());
        bytes.extend(self.retransmission.to_be_bytes());
        write_source_mac(&mut bytes, self.mac);
        if let Some(mtu) = self.mtu {
            bytes.extend([option::MTU, 1, 0, 0]);
            bytes.extend(mtu.to_be_bytes());
        }
        for prefix in &self.prefixes {
            prefix.write(&mut bytes);
        }
        bytes
    }
}

impl Prefix {
    fn read(body: &[u8]) -> Option<Self> {
        // 32 bytes with type and length; the prefix is the last 16.
        let [length, flags, rest @ ..] = body.first_chunk::<30>()?;
        Some(Self {
            prefix: Ipv6Addr::from(<[u8; 16]>::try_from(&rest[12..]).ok()?),
            length: *length,
            is_on_link: flags & 0x80 != 0,
            is_autonomous: flags & 0x40 != 0,
            valid: word(rest, 0)?,
            preferred: word(rest, 4)?,
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let flags = u8::from(self.is_on_link) << 7 | u8::from(self.is_autonomous) << 6;
        bytes.extend([option::PREFIX, 4, self.length, flags]);
        bytes.extend(self.valid.to_be_bytes());
        bytes.extend(self.preferred.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.prefix.octets());
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn source_mac(rest: &[u8]) -> Option<EthernetAddress> {
    let found = options(rest).find(|(kind, _)| *kind == option::SOURCE_MAC);
    found.and_then(|(_, body)| body.first_chunk().copied().map(EthernetAddress))
}

fn write_source_mac(bytes: &mut Vec<u8>, mac: Option<EthernetAddress>) {
    if let Some(mac) = mac {
        bytes.extend([option::SOURCE_MAC, 1]);
        bytes.extend(mac.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 9]);

    fn link_local() -> Ipv6Addr {
        "fe80::1".parse().unwrap()
    }

    fn advertisement() -> RouterAdvertisement {
        let prefix = Prefix {
            prefix: "2001:db8:1::".parse().unwrap(),
            length: 64,
            is_on_link: true,
            is_autonomous: true,
            valid: FOREVER,
            preferred: 600,
        };
        let prefixes = vec![prefix, Prefix { is_on_link: false, length: 48, ..prefix }];
        RouterAdvertisement {
            hop_limit: 64,
            is_managed: true,
            has_other: false,
            preference: RouterPreference::Low,
            lifetime: 1800,
            reachable: 30_000,
            retransmission: 500,
            mac: Some(MAC),
            mtu: Some(1400),
            prefixes,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let whole = advertisement();
        assert_eq!(RouterAdvertisement::read(&whole.write(), link_local()), Some(whole));
        for mac in [None, Some(MAC)] {
            let solicitation = RouterSolicitation { mac };
            assert_eq!(RouterSolicitation::read(&solicitation.write(), link_local()), Some(solicitation));
        }
    }

    #[test]
    fn messages_that_break_the_rules_are_no_messages() {
        let good = advertisement().write();
        assert_eq!(RouterAdvertisement::read(&good, "2001:db8::1".parse().unwrap()), None);
        assert_eq!(RouterAdvertisement::read(&good[..15], link_local()), None);
        assert_eq!(RouterAdvertisement::read(&good[..good.len() - 1], link_local()), None);
        let coded = [&[134, 1], &good[2..]].concat();
        assert_eq!(RouterAdvertisement::read(&coded, link_local()), None);
        let asking = RouterSolicitation { mac: Some(MAC) }.write();
        assert_eq!(RouterSolicitation::read(&asking, Ipv6Addr::UNSPECIFIED), None);
        assert_eq!(RouterSolicitation::read(&asking[..7], link_local()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            options in proptest::collection::vec((prop::sample::select(vec![1_u8, 3, 5, 9]), 0_u8..6), 0..20),
        ) {
            let mut message = bytes;
            for (index, (kind, length)) in options.into_iter().enumerate() {
                if let Some(place) = message.get_mut(16 + index * 8..18 + index * 8) {
                    place.copy_from_slice(&[kind, length]);
                }
            }
            if let Some(read) = RouterAdvertisement::read(&message, link_local()) {
                prop_assert!(read.prefixes.len() <= PREFIXES_MAX);
            }
            let _ = RouterSolicitation::read(&message, link_local());
        }
    }
}
