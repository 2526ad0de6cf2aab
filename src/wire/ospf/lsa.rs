//! Link state advertisements: what one router says of itself or of a network (RFC 2328 §12, appendix A.4).
//!
//! ```text
//! | age 2 | options 1 | type 1 | link state ID 4 | advertising router 4 | sequence 4 | checksum 2 | length 2 | body …
//!
//! router (1):   | flags 1 | 0 1 | links 2 | then for each: | ID 4 | data 4 | type 1 | TOS 1 | metric 2 | …
//! network (2):  | mask 4 | router 4 | router 4 | …
//! ```
//!
//! Type, ID and advertising router name an advertisement; sequence, checksum and age say which of its instances it is.

use std::cmp::Ordering;
use std::net::Ipv4Addr;

use crate::wire::view::{be16, be32, byte};

/// How long a header is.
pub const HEADER_BYTES: usize = 20;

/// Appendix B: the age at which an advertisement is no longer good, in seconds.
pub const MAX_AGE: u16 = 3600;

/// Appendix B: ages that differ by more are of different instances, in seconds.
const MAX_AGE_DIFFERENCE: u16 = 900;

/// §12.1.6: the sequence number of the first instance: 0x80000001, as a signed number.
pub const SEQUENCE_FIRST: i32 = i32::MIN + 1;

/// §12.1.6: the last sequence number there is.
pub const SEQUENCE_LAST: i32 = i32::MAX;

/// The number of router advertisements.
pub const ROUTER: u8 = 1;

/// The number of network advertisements.
pub const NETWORK: u8 = 2;

/// The name of an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LsaKey {
    /// What kind.
    pub kind: u8,
    /// Which of its advertising router's: the router itself, or the designated router's address on a network.
    pub id: Ipv4Addr,
    /// Who says it.
    pub router: Ipv4Addr,
}

/// What stands before an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LsaHeader {
    /// How old it is, in seconds.
    pub age: u16,
    /// What the advertising router is capable of.
    pub options: u8,
    /// Its name.
    pub key: LsaKey,
    /// Of two instances, the greater is the newer.
    pub sequence: i32,
    /// Fletcher's, of everything but the age.
    pub checksum: u16,
    /// How long it is, this header included.
    pub length: u16,
}

/// An advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lsa {
    /// What stands before it.
    pub header: LsaHeader,
    /// The rest, as it stands.
    pub body: Vec<u8>,
}

/// Where a link of a router leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// To another router, whose router ID the link's ID is; the data is the own address there.
    PointToPoint,
    /// To a subnet without other routers: ID and data are address and mask.
    Stub,
    /// To a network of routers: the ID is the designated router's address there, the data the own.
    Transit,
}

/// A link of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub kind: LinkKind,
    /// To whom.
    pub id: Ipv4Addr,
    /// More of it.
    pub data: Ipv4Addr,
    /// What crossing it costs.
    pub metric: u16,
}

/// What an advertisement says, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A network: its mask, and the routers that are on it.
    Network {
        /// The mask of its addresses.
        mask: Ipv4Addr,
        /// By router ID.
        routers: Vec<Ipv4Addr>,
    },
    /// Something else, which is passed on.
    Other,
    /// A router: its links.
    Router(Vec<Link>),
}

impl LsaKey {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let kind = u8::try_from(be32(bytes, 0)?).ok()?;
        Some(Self { kind, id: be32(bytes, 4)?.into(), router: be32(bytes, 8)?.into() })
    }

    pub(super) fn emit(&self, bytes: &mut Vec<u8>) {
        bytes.extend(u32::from(self.kind).to_be_bytes());
        bytes.extend(self.id.octets());
        bytes.extend(self.router.octets());
    }

    /// What its kind is called.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            ROUTER => "router",
            NETWORK => "network",
            3 | 4 => "summary",
            5 => "external",
            _ => "unknown",
        }
    }
}

impl LsaHeader {
    /// Reads a header.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let key = LsaKey { kind: byte(bytes, 3)?, id: be32(bytes, 4)?.into(), router: be32(bytes, 8)?.into() };
        Some(Self {
            age: be16(bytes, 0)?,
            options: byte(bytes, 2)?,
            key,
            sequence: be32(bytes, 12)? as i32,
            checksum: be16(bytes, 16)?,
            length: be16(bytes, 18)?,
        })
    }

    pub(super) fn emit(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.age.to_be_bytes());
        bytes.extend([self.options, self.key.kind]);
        bytes.extend(self.key.id.octets());
        bytes.extend(self.key.router.octets());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.checksum.to_be_bytes());
        bytes.extend(self.length.to_be_bytes());
    }

    /// §13.1: which of two instances of one advertisement is the more recent; `Equal`: they are the same instance.
    #[must_use]
    pub fn recency(&self, other: &Self) -> Ordering {
        let has_ended = |header: &Self| header.age >= MAX_AGE;
        self.sequence.cmp(&other.sequence).then(self.checksum.cmp(&other.checksum)).then_with(|| {
            match (has_ended(self), has_ended(other)) {
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                // Much younger is newer; a little younger only took a faster way.
                _ if self.age.abs_diff(other.age) > MAX_AGE_DIFFERENCE => other.age.cmp(&self.age),
                _ => Ordering::Equal,
            }
        })
    }
}

impl Lsa {
    /// A new instance, of age zero.
    #[must_use]
    pub fn new(key: LsaKey, options: u8, sequence: i32, content: &Content) -> Self {
        let body = content.emit();
        let length = u16::try_from(HEADER_BYTES + body.len()).unwrap_or(u16::MAX);
        let header = LsaHeader { age: 0, options, key, sequence, checksum: 0, length };
        let mut lsa = Self { header, body };
        lsa.header.checksum = lsa.checksum();
        lsa
    }

    /// Reads an advertisement that begins here; what stands behind it is left.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = LsaHeader::parse(bytes)?;
        let body = bytes.get(HEADER_BYTES..usize::from(header.length))?.to_vec();
        Some(Self { header, body })
    }

    pub(super) fn emit(&self, bytes: &mut Vec<u8>) {
        self.header.emit(bytes);
        bytes.extend(&self.body);
    }

    /// How long it is.
    #[must_use]
    pub fn len(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// Never: it has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether its checksum fits.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.header.checksum == self.checksum()
    }

    /// Fletcher's checksum of everything but the age (§12.1.7, ISO 8473 annex C): as it must stand at its place so that
    /// both sums over all come out as zero.
    fn checksum(&self) -> u16 {
        let mut bytes = Vec::with_capacity(self.len());
        LsaHeader { checksum: 0, ..self.header }.emit(&mut bytes);
        bytes.extend(&self.body);
        // The age, two bytes, is left out; so the checksum stands at byte 14 of what is summed.
        let summed = &bytes[2..];
        let (mut first, mut second) = (0_i64, 0_i64);
        for byte in summed {
            first = (first + i64::from(*byte)) % 255;
            second = (second + first) % 255;
        }
        let behind = summed.len() as i64 - 15;
        let x = (behind * first - second).rem_euclid(255);
        let y = (second - (behind + 1) * first).rem_euclid(255);
        // Zero stands for "not computed", and is the same as 255 to the sums.
        let [x, y] = [x, y].map(|sum| if sum == 0 { 255 } else { sum as u16 });
        x << 8 | y
    }

    /// What it says; `None` if its body is not what its kind must have.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        match self.header.key.kind {
            ROUTER => {
                let count = be16(&self.body, 2)?;
                let (mut rest, mut links) = (self.body.get(4..)?, Vec::new());
                for _ in 0..count {
                    let kind = match byte(rest, 8)? {
                        1 | 4 => LinkKind::PointToPoint,
                        2 => LinkKind::Transit,
                        3 => LinkKind::Stub,
                        _ => return None,
                    };
                    let link =
                        Link { kind, id: be32(rest, 0)?.into(), data: be32(rest, 4)?.into(), metric: be16(rest, 10)? };
                    links.push(link);
                    // Metrics for types of service, which nobody uses any more (appendix A.4.2).
                    rest = rest.get(12 + 4 * usize::from(byte(rest, 9)?)..)?;
                }
                Some(Content::Router(links))
            }
            NETWORK => {
                let routers = self.body.get(4..)?.chunks_exact(4);
                let routers = routers.filter_map(|bytes| be32(bytes, 0)).map(Ipv4Addr::from).collect();
                Some(Content::Network { mask: be32(&self.body, 0)?.into(), routers })
            }
            _ => Some(Content::Other),
        }
    }
}

impl Content {
    fn emit(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Router(links) => {
                bytes.extend([0, 0]);
                bytes.extend((links.len() as u16).to_be_bytes());
                for link in links {
                    bytes.extend(link.id.octets());
                    bytes.extend(link.data.octets());
                    let kind = match link.kind {
                        LinkKind::PointToPoint => 1,
                        LinkKind::Transit => 2,
                        LinkKind::Stub => 3,
                    };
                    bytes.extend([kind, 0]);
                    bytes.extend(link.metric.to_be_bytes());
                }
            }
            Self::Network { mask, routers } => {
                bytes.extend(mask.octets());
                routers.iter().for_each(|router| bytes.extend(router.octets()));
            }
            Self::Other => {}
        }
        bytes
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn router() -> Lsa {
        let key = LsaKey { kind: ROUTER, id: [1, 1, 1, 1].into(), router: [1, 1, 1, 1].into() };
        let links = vec![
            Link { kind: LinkKind::PointToPoint, id: [2, 2, 2, 2].into(), data: [10, 0, 1, 1].into(), metric: 10 },
            Link { kind: LinkKind::Stub, id: [10, 0, 1, 0].into(), data: [255, 255, 255, 0].into(), metric: 10 },
            Link { kind: LinkKind::Transit, id: [10, 0, 2, 9].into(), data: [10, 0, 2, 1].into(), metric: 1 },
        ];
        Lsa::new(key, 2, SEQUENCE_FIRST, &Content::Router(links))
    }

    pub(crate) fn network() -> Lsa {
        let key = LsaKey { kind: NETWORK, id: [10, 0, 2, 9].into(), router: [9, 9, 9, 9].into() };
        let routers = vec![[9, 9, 9, 9].into(), [1, 1, 1, 1].into()];
        Lsa::new(key, 2, 5, &Content::Network { mask: [255, 255, 255, 0].into(), routers })
    }

    /// Any advertisement with a right checksum and length, its body as it comes.
    pub(crate) fn any_lsa() -> impl Strategy<Value = Lsa> {
        let head = (any::<u16>(), any::<u8>(), 0_u8..8, any::<u32>(), any::<u32>(), any::<i32>());
        (head, prop::collection::vec(any::<u8>(), 0..60)).prop_map(
            |((age, options, kind, id, router, sequence), body)| {
                let key = LsaKey { kind, id: id.into(), router: router.into() };
                let length = (HEADER_BYTES + body.len()) as u16;
                let mut lsa = Lsa { header: LsaHeader { age, options, key, sequence, checksum: 0, length }, body };
                lsa.header.checksum = lsa.checksum();
                lsa
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_router_and_a_network_say_is_read_back() {
        let Some(Content::Router(links)) = router().content() else { panic!("a router") };
        assert_eq!(links.len(), 3);
        assert_eq!((links[0].id, links[2].kind, links[1].metric), ([2, 2, 2, 2].into(), LinkKind::Transit, 10));
        let Some(Content::Network { mask, routers }) = network().content() else { panic!("a network") };
        assert_eq!((mask, routers.len()), ([255, 255, 255, 0].into(), 2));
    }

    #[test]
    fn a_router_with_fewer_links_than_it_says_is_refused() {
        let mut lsa = router();
        lsa.body[3] = 4;
        assert_eq!(lsa.content(), None);
    }

    #[test]
    fn rfc_2328_13_1_sequence_then_checksum_then_age_say_which_is_newer() {
        let base = router().header;
        let newer = |one: LsaHeader, other: LsaHeader| one.recency(&other);
        assert_eq!(newer(LsaHeader { sequence: 1, ..base }, LsaHeader { sequence: -5, ..base }), Ordering::Greater);
        assert_eq!(newer(LsaHeader { checksum: 9, ..base }, LsaHeader { checksum: 8, ..base }), Ordering::Greater);
        assert_eq!(newer(LsaHeader { age: MAX_AGE, ..base }, LsaHeader { age: 3599, ..base }), Ordering::Greater);
        assert_eq!(newer(LsaHeader { age: 1, ..base }, LsaHeader { age: 901, ..base }), Ordering::Equal);
        assert_eq!(newer(LsaHeader { age: 1, ..base }, LsaHeader { age: 902, ..base }), Ordering::Greater);
    }

    proptest! {
        #[test]
        fn the_sums_over_a_sound_advertisement_are_zero_and_one_wrong_byte_is_noticed(
            lsa in any_lsa(), at in 2_usize..80, by in 1_u8..255,
        ) {
            let mut bytes = Vec::new();
            lsa.emit(&mut bytes);
            prop_assert!(lsa.is_sound());
            let (mut first, mut second) = (0_u32, 0_u32);
            for byte in &bytes[2..] {
                first = (first + u32::from(*byte)) % 255;
                second = (second + first) % 255;
            }
            prop_assert_eq!((first, second), (0, 0));
            // The age may change; the length is looked at elsewhere.
            let at = 2 + at % (bytes.len() - 2);
            prop_assume!(!(18..20).contains(&at));
            let wrong = bytes[at].wrapping_add(by);
            // To Fletcher, 0 and 255 are the same.
            prop_assume!((bytes[at], wrong) != (0, 255) && (bytes[at], wrong) != (255, 0));
            bytes[at] = wrong;
            prop_assert!(!Lsa::parse(&bytes).unwrap().is_sound());
        }

        #[test]
        fn of_two_instances_one_is_newer_or_they_are_the_same(one in any_lsa(), other in any_lsa()) {
            let other = LsaHeader { key: one.header.key, ..other.header };
            prop_assert_eq!(one.header.recency(&other), other.recency(&one.header).reverse());
        }
    }
}
