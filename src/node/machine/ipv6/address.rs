//! IPv6 addresses: their kinds and scopes, those of a machine, and which of them a packet carries as its source
//! (RFC 4291, RFC 6724 §5).

use std::cmp::Reverse;
use std::net::Ipv6Addr;

use smoltcp::wire::EthernetAddress;

use crate::rng::Rng;
use crate::time::Time;

/// Every node on a link (RFC 4291 §2.7.1).
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Every router on a link.
pub(super) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Every router that keeps track of groups (RFC 3810 §5.2.14).
pub(super) const ALL_LISTENER_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// How much of the network an address means something in (RFC 4291 §2.7, RFC 4007 §5).
pub(super) mod scope {
    pub(in super::super) const INTERFACE: u8 = 1;
    pub(in super::super) const LINK: u8 = 2;
    pub(in super::super) const GLOBAL: u8 = 14;
}

/// The scope of an address.
pub(super) fn scope_of(address: Ipv6Addr) -> u8 {
    match address.octets() {
        [0xff, flags_and_scope, ..] => flags_and_scope & 0x0f,
        // RFC 4007 §4: loopback has link-local scope.
        _ if address.is_unicast_link_local() || address.is_loopback() => scope::LINK,
        _ => scope::GLOBAL,
    }
}

/// Whether an address means something on one link only.
pub(super) fn is_of_link(address: Ipv6Addr) -> bool {
    scope_of(address) <= scope::LINK
}

/// RFC 4291 §2.7.1: "A Solicited-Node multicast address is formed by taking the low-order 24 bits of an address (unicast
/// or anycast) and appending those bits to the prefix FF02:0:0:0:0:1:FF00::/104".
pub(super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let low = address.to_bits() & 0xff_ffff;
    Ipv6Addr::from_bits(0xff02_0000_0000_0000_0000_0001_ff00_0000 | low)
}

/// RFC 2464 §7: "An IPv6 packet with a multicast destination address DST [...] is transmitted to the Ethernet multicast
/// address whose first two octets are the value 3333 hexadecimal and whose last four octets are the last four octets of
/// DST."
pub(super) fn multicast_mac(group: Ipv6Addr) -> EthernetAddress {
    let [.., a, b, c, d] = group.octets();
    EthernetAddress([0x33, 0x33, a, b, c, d])
}

/// The interface identifier that is made from a hardware address (RFC 4291 appendix A): `ff:fe` in its middle, and the
/// universal/local bit inverted.
pub(super) fn eui64(mac: EthernetAddress) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The address with this 64-bit prefix and interface identifier.
pub(super) fn with_identifier(prefix: Ipv6Addr, identifier: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(prefix.to_bits() >> 64 << 64 | u128::from(identifier))
}

/// The prefix of link-local addresses.
pub(super) const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

/// The interface identifier that a machine makes of a prefix and a secret of its own.
///
/// RFC 7217 §5: "RID = F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key)". The secret is the machine's stream of
/// luck, and there is no network identifier. `duplicates` is how often an address with that prefix was somebody else's.
pub(super) fn stable_identifier(seed: u64, node: &str, interface: &str, prefix: Ipv6Addr, duplicates: u8) -> u64 {
    let prefix = prefix.to_bits() >> 64;
    // "The resulting Interface Identifier SHOULD be compared against the reserved IPv6 Interface Identifiers [...]. In the
    // event that an unacceptable identifier has been generated, the DAD_Counter should be incremented": here another
    // number is drawn.
    let mut rng = Rng::stream(seed, &format!("node {node}/ipv6/stable {interface} {prefix:x} {duplicates}"));
    loop {
        let identifier = rng.next_u64();
        if !is_reserved(identifier) {
            return identifier;
        }
    }
}

/// Whether an interface identifier is nobody's own (RFC 5453): subnet anycast addresses, and the block of Ethernet's
/// registry.
pub(super) fn is_reserved(identifier: u64) -> bool {
    identifier == 0
        || (0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff).contains(&identifier)
        || (0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff).contains(&identifier)
}

/// How many leading bits two addresses share.
pub(super) fn common_prefix_length(a: Ipv6Addr, b: Ipv6Addr) -> u32 {
    (a.to_bits() ^ b.to_bits()).leading_zeros()
}

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Made from what a router advertises.
    Advertised,
    /// Every interface has one.
    LinkLocal,
    /// Made from what a router advertises, to be used for a while (RFC 8981).
    Temporary,
    /// Configured.
    Written,
}

/// Whether an address may be used (RFC 4862 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// For what goes on, not for what begins.
    Deprecated,
    /// Somebody else has it.
    Duplicate,
    /// Without restriction.
    Preferred,
    /// Nobody knows yet whether somebody else has it. It was asked for this many times, last with this nonce.
    Tentative { asked: u8, nonce: [u8; 6] },
}

/// An address of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) address: Ipv6Addr,
    pub(super) prefix_length: u8,
    pub(super) source: Source,
    pub(super) standing: Standing,
    /// [`Time::MAX`]: for ever.
    pub(super) preferred_until: Time,
    /// Likewise.
    pub(super) valid_until: Time,
}

impl Own {
    /// An address for ever, still to be checked.
    pub(super) fn new(address: Ipv6Addr, prefix_length: u8, source: Source) -> Self {
        let standing = Standing::Tentative { asked: 0, nonce: [0; 6] };
        Self { address, prefix_length, source, standing, preferred_until: Time::MAX, valid_until: Time::MAX }
    }

    /// Whether packets may carry it.
    pub(super) fn is_usable(&self) -> bool {
        matches!(self.standing, Standing::Preferred | Standing::Deprecated)
    }

    pub(super) fn is_tentative(&self) -> bool {
        matches!(self.standing, Standing::Tentative { .. })
    }
}

/// Which of `candidates` a packet to `destination` carries: the rules of RFC 6724 §5 that have a meaning here.
pub(super) fn select_source<'a>(candidates: impl Iterator<Item = &'a Own>, destination: Ipv6Addr) -> Option<Ipv6Addr> {
    let wanted = scope_of(destination);
    let rank = |own: &Own| {
        let scope = scope_of(own.address);
        (
            // Rule 1: "Prefer same address."
            own.address == destination,
            // Rule 2: "Prefer appropriate scope. If Scope(SA) < Scope(SB): If Scope(SA) < Scope(D), then prefer SB and
            // otherwise prefer SA." The smallest that reaches is best, then the largest that does not.
            if scope >= wanted { (true, Reverse(scope)) } else { (false, Reverse(u8::MAX - scope)) },
            // Rule 3: "Avoid deprecated addresses."
            own.standing == Standing::Preferred,
            // Rule 6: "Prefer matching label."
            label(own.address) == label(destination),
            // Rule 7: "Prefer temporary addresses."
            own.source == Source::Temporary,
            // Rule 8: "Use longest matching prefix", as far as the source's own prefix goes.
            common_prefix_length(own.address, destination).min(u32::from(own.prefix_length)),
        )
    };
    let usable = candidates.filter(|own| own.is_usable());
    // Of equals the first one wins, as it stands in the configuration.
    usable.min_by_key(|own| Reverse(rank(own))).map(|own| own.address)
}

/// The policy table of RFC 6724 §2.1, its labels.
fn label(address: Ipv6Addr) -> u8 {
    match address.segments() {
        _ if address.is_loopback() => 0,
        [0, 0, 0, 0, 0, 0xffff, ..] => 4,
        [0x2002, ..] => 2,
        [0x2001, 0, ..] => 5,
        [first, ..] if first & 0xfe00 == 0xfc00 => 13,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn own(text: &str) -> Own {
        Own { standing: Standing::Preferred, ..Own::new(address(text), 64, Source::Written) }
    }

    #[test]
    fn addresses_are_made_as_the_standards_say() {
        // The examples of RFC 4291 §2.7.1 and RFC 2464 §4 and §7.
        assert_eq!(solicited_node(address("4037::1:800:200e:8c6c")), address("ff02::1:ff0e:8c6c"));
        assert_eq!(
            with_identifier(LINK_LOCAL, eui64(EthernetAddress([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]))),
            address("fe80::3656:78ff:fe9a:bcde")
        );
        assert_eq!(multicast_mac(address("ff02::1:ff0e:8c6c")), EthernetAddress([0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c]));
    }

    #[test]
    fn stable_identifiers_depend_on_all_they_are_made_of_and_are_never_reserved() {
        let base = stable_identifier(1, "a", "eth0", address("2001:db8:1::"), 0);
        assert_eq!(base, stable_identifier(1, "a", "eth0", address("2001:db8:1::77"), 0), "the prefix is 64 bits long");
        let others = [
            stable_identifier(2, "a", "eth0", address("2001:db8:1::"), 0),
            stable_identifier(1, "b", "eth0", address("2001:db8:1::"), 0),
            stable_identifier(1, "a", "eth1", address("2001:db8:1::"), 0),
            stable_identifier(1, "a", "eth0", address("2001:db8:2::"), 0),
            stable_identifier(1, "a", "eth0", address("2001:db8:1::"), 1),
        ];
        assert!(others.iter().all(|other| *other != base));
        for (identifier, expected) in [
            (0, true),
            (1, false),
            (0xfdff_ffff_ffff_ff7f, false),
            (0xfdff_ffff_ffff_ff80, true),
            (u64::MAX, false),
            (0x0200_5eff_fe12_3456, true),
        ] {
            assert_eq!(is_reserved(identifier), expected, "{identifier:x}");
        }
    }

    #[test]
    fn every_address_has_its_scope() {
        for (text, scope) in
            [("ff01::1", 1), ("ff02::1", 2), ("ff05::2", 5), ("fe80::1", 2), ("::1", 2), ("2001:db8::1", 14)]
        {
            assert_eq!(scope_of(address(text)), scope, "{text}");
        }
    }

    #[test]
    fn the_source_is_the_one_that_suits_the_destination_best() {
        let select = |own: &[Own], destination: &str| select_source(own.iter(), address(destination));
        let both = [own("fe80::1"), own("2001:db8:1::1"), own("2001:db8:2::1")];
        assert_eq!(select(&both, "fe80::9"), Some(address("fe80::1")));
        assert_eq!(select(&both, "ff02::1"), Some(address("fe80::1")));
        assert_eq!(select(&both, "2001:db8:2::9"), Some(address("2001:db8:2::1")));
        assert_eq!(select(&both, "2600::9"), Some(address("2001:db8:1::1")), "the first of equals");
        assert_eq!(select(&both, "2001:db8:2::1"), Some(address("2001:db8:2::1")));
        // A link-local address is better than none.
        assert_eq!(select(&both[..1], "2001:db8::9"), Some(address("fe80::1")));
        let mut old = both;
        old[2].standing = Standing::Deprecated;
        assert_eq!(select(&old, "2001:db8:2::9"), Some(address("2001:db8:1::1")));
        assert_eq!(select(&old[2..], "2001:db8:2::9"), Some(address("2001:db8:2::1")));
        let mut private = both;
        private[1].source = Source::Temporary;
        assert_eq!(select(&private, "2001:db8:2::9"), Some(address("2001:db8:1::1")));
        // Unique local addresses talk to their like.
        let local = [own("fd00::1"), own("2001:db8::1")];
        assert_eq!(select(&local, "fd77::1"), Some(address("fd00::1")));
        assert_eq!(select(&local, "2600::1"), Some(address("2001:db8::1")));
        let tentative = [Own::new(address("2001:db8::1"), 64, Source::Written)];
        assert_eq!(select(&tentative, "2600::1"), None);
    }
}
