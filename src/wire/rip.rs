//! Messages of the Routing Information Protocol: RIP version 2 (RFC 2453) and RIPng (RFC 2080).
//!
//! ```text
//! | command 1 | version 1 | zero 2 | entries of 20 bytes each …
//!
//! version 2:  | family 2 | tag 2 | address 4 | mask 4 | next hop 4 | metric 4 |
//! RIPng:      | prefix 16 | tag 2 | prefix length 1 | metric 1 |
//! ```
//!
//! In RIPng an entry of metric 255 is none: it names the next hop of those that follow. What is read here is only looked
//! at for its shape; whether a metric or an address makes sense is the receiver's business, entry by entry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::view::{array, be16, be32, byte};

/// The port of RIP over UDP.
pub const RIP_PORT: u16 = 520;

/// The port of RIPng over UDP.
pub const RIPNG_PORT: u16 = 521;

/// Whom RIP version 2 speaks to (RFC 2453 §4.5).
pub const RIP_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 9);

/// Whom RIPng speaks to (RFC 2080 §2.5).
pub const RIPNG_GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 9);

/// The metric that means "not reachable" (RFC 2453 §3.6, RFC 2080 §2.1).
pub const INFINITY: u8 = 16;

/// RFC 2453 §3.6: "There may be between 1 and 25 (inclusive) RIP entries."
pub const RIP_ENTRIES_MAX: usize = 25;

const HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 20;
const NEXT_HOP_METRIC: u8 = 0xff;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RipVersion {
    /// RIP version 2, for IPv4.
    Two,
    /// RIPng version 1, for IPv6.
    Ng,
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RipCommand {
    /// Asks for routes.
    Request,
    /// Tells of routes.
    Response,
}

/// One route in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RipEntry {
    /// Which destinations; `None` for what is no prefix: a family or a mask that is none.
    pub prefix: Option<IpNet>,
    /// To whom packets are best sent; `None`: to who speaks.
    pub next_hop: Option<IpAddr>,
    /// What the way costs from there: from 1 to 16. Others are mistakes.
    pub metric: u32,
    /// Carried along for others.
    pub tag: u16,
}

/// A message, as far as its shape goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RipMessage {
    /// What it is for.
    pub command: RipCommand,
    /// Its routes.
    pub entries: Vec<RipEntry>,
    /// RFC 2453 §3.9.1: "If there is exactly one entry in the request, and it has an address family identifier of zero and a
    /// metric of infinity (i.e., 16), then this is a request to send the entire routing table."
    pub asks_for_all: bool,
}

/// Why a message is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RipError {
    /// It is shorter than its header, or not made of whole entries.
    #[error("a length of {0} bytes")]
    Length(usize),
    /// Another version.
    #[error("version {0}")]
    Version(u8),
    /// Neither request nor response.
    #[error("command {0}")]
    Command(u8),
    /// It begins with an authentication entry.
    #[error("authentication")]
    Authentication,
}

impl RipVersion {
    /// The number in the second byte.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Ng => 1,
        }
    }

    /// How many entries fit into one message on a link of this MTU.
    #[must_use]
    pub fn entries_max(self, mtu: usize) -> usize {
        match self {
            Self::Two => RIP_ENTRIES_MAX,
            // RFC 2080 §2.1: as many as the medium's MTU holds, without the headers of IPv6 (40), UDP (8) and RIPng (4).
            Self::Ng => (mtu.saturating_sub(40 + 8 + HEADER_BYTES) / ENTRY_BYTES).max(1),
        }
    }
}

impl RipMessage {
    /// A request for everything.
    #[must_use]
    pub fn request_all() -> Self {
        Self { command: RipCommand::Request, entries: Vec::new(), asks_for_all: true }
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// Why it is not understood.
    pub fn parse(bytes: &[u8], version: RipVersion) -> Result<Self, RipError> {
        let length = RipError::Length(bytes.len());
        let (Some(command), Some(number)) = (byte(bytes, 0), byte(bytes, 1)) else { return Err(length) };
        let rest = bytes.get(HEADER_BYTES..).ok_or(length)?;
        if number != version.number() {
            return Err(RipError::Version(number));
        }
        let command = match command {
            1 => RipCommand::Request,
            2 => RipCommand::Response,
            other => return Err(RipError::Command(other)),
        };
        let is_whole = rest.len() % ENTRY_BYTES == 0;
        if !is_whole || (version == RipVersion::Two && rest.len() > RIP_ENTRIES_MAX * ENTRY_BYTES) {
            return Err(length);
        }
        // RFC 2453 §4.1: an address family of 0xffff makes the first entry an authentication.
        if version == RipVersion::Two && rest.starts_with(&[0xff, 0xff]) {
            return Err(RipError::Authentication);
        }
        let entries = match version {
            RipVersion::Two => rest.chunks_exact(ENTRY_BYTES).filter_map(entry_of_two).collect(),
            RipVersion::Ng => entries_of_ng(rest),
        };
        let asks_for_all = command == RipCommand::Request && rest.len() == ENTRY_BYTES && is_everything(rest, version);
        Ok(Self { command, entries, asks_for_all })
    }

    /// Writes a message. Entries without a prefix are left out.
    #[must_use]
    pub fn emit(&self, version: RipVersion) -> Vec<u8> {
        let command = match self.command {
            RipCommand::Request => 1,
            RipCommand::Response => 2,
        };
        let mut bytes = vec![command, version.number(), 0, 0];
        if self.asks_for_all {
            let mut everything = [0; ENTRY_BYTES];
            everything[ENTRY_BYTES - 1] = INFINITY;
            bytes.extend(everything);
        }
        for entry in &self.entries {
            match entry.prefix {
                Some(IpNet::V4(net)) if version == RipVersion::Two => write_two(&mut bytes, net, entry),
                Some(IpNet::V6(net)) if version == RipVersion::Ng => {
                    bytes.extend(net.network().octets());
                    bytes.extend(entry.tag.to_be_bytes());
                    bytes.extend([net.prefix_len(), entry.metric as u8]);
                }
                _ => {}
            }
        }
        bytes
    }
}

fn write_two(bytes: &mut Vec<u8>, net: Ipv4Net, entry: &RipEntry) {
    let next_hop = match entry.next_hop {
        Some(IpAddr::V4(next_hop)) => next_hop,
        _ => Ipv4Addr::UNSPECIFIED,
    };
    bytes.extend(2_u16.to_be_bytes());
    bytes.extend(entry.tag.to_be_bytes());
    bytes.extend(net.network().octets());
    bytes.extend(net.netmask().octets());
    bytes.extend(next_hop.octets());
    bytes.extend(entry.metric.to_be_bytes());
}

/// Whether the only entry of a request asks for the whole table.
fn is_everything(entry: &[u8], version: RipVersion) -> bool {
    match version {
        RipVersion::Two => be16(entry, 0) == Some(0) && be32(entry, 16) == Some(u32::from(INFINITY)),
        // RFC 2080 §2.4.1: "If there is exactly one entry in the request, and it has a destination prefix of zero, a prefix
        // length of zero, and a metric of infinity (i.e., 16), then this is a request to send the entire routing table."
        RipVersion::Ng => entry[..16] == [0; 16] && entry[18..] == [0, INFINITY],
    }
}

fn entry_of_two(bytes: &[u8]) -> Option<RipEntry> {
    let (family, tag) = (be16(bytes, 0)?, be16(bytes, 2)?);
    let address = |at| be32(bytes, at).map(Ipv4Addr::from);
    let (to, mask, next_hop) = (address(4)?, address(8)?, address(12)?);
    let length = ipnet::ipv4_mask_to_prefix(mask).ok().filter(|_| family == 2);
    let prefix = length.and_then(|length| Ipv4Net::new(to, length).ok()).map(|net| IpNet::V4(net.trunc()));
    let next_hop = (!next_hop.is_unspecified()).then_some(IpAddr::V4(next_hop));
    Some(RipEntry { prefix, next_hop, metric: be32(bytes, 16)?, tag })
}

fn entries_of_ng(bytes: &[u8]) -> Vec<RipEntry> {
    let (mut entries, mut next_hop) = (Vec::new(), None);
    for entry in bytes.chunks_exact(ENTRY_BYTES) {
        let (Some(address), Some(tag)) = (array::<16>(entry, 0).map(Ipv6Addr::from), be16(entry, 16)) else { continue };
        if entry[19] == NEXT_HOP_METRIC {
            // RFC 2080 §2.1.1: "If the received next hop address is not a link-local address, it should be treated as
            // 0:0:0:0:0:0:0:0", and that means: the sender.
            next_hop = address.is_unicast_link_local().then_some(IpAddr::V6(address));
            continue;
        }
        let prefix = Ipv6Net::new(address, entry[18]).ok().map(|net| IpNet::V6(net.trunc()));
        entries.push(RipEntry { prefix, next_hop, metric: entry[19].into(), tag });
    }
    entries
}

/// The RIP version that datagrams to or from this port carry.
#[must_use]
pub fn version_of_port(port: u16) -> Option<RipVersion> {
    match port {
        RIP_PORT => Some(RipVersion::Two),
        RIPNG_PORT => Some(RipVersion::Ng),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(prefix: &str, metric: u32) -> RipEntry {
        RipEntry { prefix: Some(prefix.parse().unwrap()), next_hop: None, metric, tag: 7 }
    }

    fn response(entries: Vec<RipEntry>) -> RipMessage {
        RipMessage { command: RipCommand::Response, entries, asks_for_all: false }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let next_hop = Some("10.0.0.9".parse().unwrap());
        let two = response(vec![RipEntry { next_hop, ..entry("10.1.0.0/16", 3) }, entry("0.0.0.0/0", 16)]);
        assert_eq!(RipMessage::parse(&two.emit(RipVersion::Two), RipVersion::Two), Ok(two));
        let ng = response(vec![entry("2001:db8::/32", 1), entry("::/0", 16)]);
        assert_eq!(RipMessage::parse(&ng.emit(RipVersion::Ng), RipVersion::Ng), Ok(ng));
    }

    #[test]
    fn a_request_for_everything_is_known() {
        for version in [RipVersion::Two, RipVersion::Ng] {
            let bytes = RipMessage::request_all().emit(version);
            assert_eq!(bytes.len(), 24);
            assert!(RipMessage::parse(&bytes, version).unwrap().asks_for_all);
        }
        // The default route alone, asked for by name, is something else.
        let bytes =
            RipMessage { command: RipCommand::Request, ..response(vec![entry("0.0.0.0/0", 16)]) }.emit(RipVersion::Two);
        assert!(!RipMessage::parse(&bytes, RipVersion::Two).unwrap().asks_for_all);
    }

    #[test]
    fn what_is_not_understood_is_told_apart() {
        let good = response(vec![entry("10.0.0.0/8", 1)]).emit(RipVersion::Two);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            RipMessage::parse(&bytes, RipVersion::Two)
        };
        assert_eq!(with(0, 9), Err(RipError::Command(9)));
        assert_eq!(with(1, 1), Err(RipError::Version(1)));
        assert_eq!(RipMessage::parse(&good[..23], RipVersion::Two), Err(RipError::Length(23)));
        assert_eq!(RipMessage::parse(&[2, 2, 0], RipVersion::Two), Err(RipError::Length(3)));
        let mut authenticated = good.clone();
        authenticated[4..6].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(RipMessage::parse(&authenticated, RipVersion::Two), Err(RipError::Authentication));
        // A mask with a hole in it, and another family, are no prefix.
        assert_eq!(with(13, 0x0f).unwrap().entries[0].prefix, None);
        assert_eq!(with(5, 3).unwrap().entries[0].prefix, None);
        // RFC 2453 §4: 25 entries and no more.
        let many = |count| response(vec![entry("10.0.0.0/8", 1); count]).emit(RipVersion::Two);
        assert!(RipMessage::parse(&many(25), RipVersion::Two).is_ok());
        assert_eq!(RipMessage::parse(&many(26), RipVersion::Two), Err(RipError::Length(524)));
    }

    #[test]
    fn a_next_hop_entry_counts_for_those_behind_it() {
        let mut bytes = response(vec![entry("2001:db8:1::/48", 1)]).emit(RipVersion::Ng);
        let mut next_hop = |text: &str| {
            bytes.extend(text.parse::<Ipv6Addr>().unwrap().octets());
            bytes.extend([0, 0, 0, 0xff]);
            bytes.extend("2001:db8:2::".parse::<Ipv6Addr>().unwrap().octets());
            bytes.extend([0, 0, 48, 2]);
        };
        next_hop("fe80::9");
        next_hop("2001:db8::9");
        let message = RipMessage::parse(&bytes, RipVersion::Ng).unwrap();
        let hops: Vec<_> = message.entries.iter().map(|entry| entry.next_hop).collect();
        assert_eq!(hops, [None, Some("fe80::9".parse().unwrap()), None], "one that is not link-local means the sender");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange_and_what_was_read_can_be_written(
            bytes in prop::collection::vec(any::<u8>(), 0..120),
            has_head in any::<bool>(),
            is_ng in any::<bool>(),
        ) {
            let version = if is_ng { RipVersion::Ng } else { RipVersion::Two };
            let mut bytes = bytes;
            if has_head && bytes.len() >= 4 {
                bytes[..2].copy_from_slice(&[2, version.number()]);
                bytes.truncate(4 + (bytes.len() - 4) / 20 * 20);
            }
            if let Ok(message) = RipMessage::parse(&bytes, version) {
                let mut kept = message.clone();
                kept.entries.retain(|entry| entry.prefix.is_some());
                // Next hops of RIPng are not written.
                kept.entries.iter_mut().filter(|_| is_ng).for_each(|entry| entry.next_hop = None);
                kept.asks_for_all = false;
                kept.entries.retain(|entry| !is_ng || entry.metric < 255);
                let again = RipMessage::parse(&kept.emit(version), version).unwrap();
                prop_assert_eq!(again.entries, kept.entries);
            }
        }
    }
}
