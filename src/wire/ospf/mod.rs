//! OSPF version 2 packets (RFC 2328 appendix A).
//!
//! ```text
//! | version 2 1 | type 1 | length 2 | router 4 | area 4 | checksum 2 | authentication type 2 | authentication 8 | body …
//! ```
//!
//! Behind the header stand, by type: 1 hello, 2 database description, 3 link state request, 4 link state update, 5 link state
//! acknowledgment. Link state advertisements are told in [`lsa`]. Only the shape is looked at here; what a packet means is
//! its receiver's business.

pub mod lsa;

use std::net::Ipv4Addr;

use self::lsa::{Lsa, LsaHeader, LsaKey};
use super::view::{be16, be32, byte};

/// OSPF's number among the protocols over IP.
pub const OSPF_PROTOCOL: u8 = 89;

/// All routers that speak OSPF on a link (appendix A.1, AllSPFRouters).
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);

/// The designated router and its backup (appendix A.1, AllDRouters).
pub const ALL_DESIGNATED: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 6);

/// The bit of the options that says that external routes are understood (appendix A.2).
pub const OPTION_EXTERNAL: u8 = 0x02;

/// How long the header is.
pub const HEADER_BYTES: usize = 24;

/// Where the authentication stands, which the checksum leaves out.
const AUTHENTICATION: std::ops::Range<usize> = 16..24;

/// The flags of a database description.
pub mod dd {
    /// The first of its kind.
    pub const INIT: u8 = 4;
    /// There is more to come.
    pub const MORE: u8 = 2;
    /// The sender is the master of the exchange.
    pub const MASTER: u8 = 1;
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OspfPacket {
    /// Who sends it, by its router ID.
    pub router: Ipv4Addr,
    /// In which area.
    pub area: Ipv4Addr,
    /// What it says.
    pub body: OspfBody,
}

/// What a packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OspfBody {
    /// Who is there.
    Hello(Hello),
    /// What the sender's database holds.
    Description(Description),
    /// What the sender wants to have.
    Request(Vec<LsaKey>),
    /// Link state advertisements.
    Update(Vec<Lsa>),
    /// Which of them the sender has got.
    Acknowledgment(Vec<LsaHeader>),
}

/// Who is there (appendix A.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The mask of the sender's subnet.
    pub mask: Ipv4Addr,
    /// From one hello to the next, in seconds.
    pub interval: u16,
    /// What the sender is capable of.
    pub options: u8,
    /// Who becomes designated router; 0 never does.
    pub priority: u8,
    /// After how many seconds of silence a router is gone.
    pub dead_interval: u32,
    /// The designated router, by its address on the link; unspecified: none.
    pub designated: Ipv4Addr,
    /// Its backup, likewise.
    pub backup: Ipv4Addr,
    /// Whom the sender has heard, by router ID.
    pub neighbors: Vec<Ipv4Addr>,
}

/// What a database holds (appendix A.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The largest packet that the sender's interface sends.
    pub mtu: u16,
    /// What the sender is capable of.
    pub options: u8,
    /// [`dd`].
    pub flags: u8,
    /// Counts descriptions.
    pub sequence: u32,
    /// What is there.
    pub headers: Vec<LsaHeader>,
}

/// Why a packet is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OspfError {
    /// It is shorter than it says, or than it must be.
    #[error("a wrong length")]
    Length,
    /// Another version.
    #[error("version {0}")]
    Version(u8),
    /// A type that there is not.
    #[error("type {0}")]
    Type(u8),
    /// Its checksum is wrong.
    #[error("a wrong checksum")]
    Checksum,
    /// It is authenticated.
    #[error("authentication of type {0}")]
    Authentication(u16),
}

impl OspfPacket {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// Why it is not understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, OspfError> {
        let length = usize::from(be16(bytes, 2).ok_or(OspfError::Length)?);
        let bytes = bytes.get(..length).filter(|bytes| bytes.len() >= HEADER_BYTES).ok_or(OspfError::Length)?;
        let (version, kind) = (bytes[0], bytes[1]);
        if version != 2 {
            return Err(OspfError::Version(version));
        }
        match be16(bytes, 14) {
            Some(0) => {}
            other => return Err(OspfError::Authentication(other.unwrap_or_default())),
        }
        if checksum(bytes) != be16(bytes, 12).unwrap_or_default() {
            return Err(OspfError::Checksum);
        }
        let body = &bytes[HEADER_BYTES..];
        let body = match kind {
            1 => OspfBody::Hello(parse_hello(body).ok_or(OspfError::Length)?),
            2 => OspfBody::Description(parse_description(body).ok_or(OspfError::Length)?),
            3 => OspfBody::Request(whole(body, 12).ok_or(OspfError::Length)?.filter_map(LsaKey::parse).collect()),
            4 => OspfBody::Update(parse_update(body).ok_or(OspfError::Length)?),
            5 => OspfBody::Acknowledgment(headers(body).ok_or(OspfError::Length)?),
            other => return Err(OspfError::Type(other)),
        };
        let [router, area] = [4, 8].map(|at| address(bytes, at).unwrap_or(Ipv4Addr::UNSPECIFIED));
        Ok(Self { router, area, body })
    }

    /// Writes a packet.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        let kind = match &self.body {
            OspfBody::Hello(hello) => {
                emit_hello(&mut bytes, hello);
                1
            }
            OspfBody::Description(description) => {
                let Description { mtu, options, flags, sequence, headers } = description;
                bytes.extend(mtu.to_be_bytes());
                bytes.extend([*options, *flags]);
                bytes.extend(sequence.to_be_bytes());
                headers.iter().for_each(|header| header.emit(&mut bytes));
                2
            }
            OspfBody::Request(keys) => {
                keys.iter().for_each(|key| key.emit(&mut bytes));
                3
            }
            OspfBody::Update(lsas) => {
                bytes.extend((lsas.len() as u32).to_be_bytes());
                lsas.iter().for_each(|lsa| lsa.emit(&mut bytes));
                4
            }
            OspfBody::Acknowledgment(headers) => {
                headers.iter().for_each(|header| header.emit(&mut bytes));
                5
            }
        };
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        bytes[..2].copy_from_slice(&[2, kind]);
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.router.octets());
        bytes[8..12].copy_from_slice(&self.area.octets());
        let sum = checksum(&bytes);
        bytes[12..14].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

/// The internet checksum of a packet, but for its own field and the authentication (appendix A.3.1).
fn checksum(bytes: &[u8]) -> u16 {
    let is_summed = |at: usize| !(12..14).contains(&at) && !AUTHENTICATION.contains(&at);
    let words = bytes.chunks(2).enumerate().filter(|(index, _)| is_summed(index * 2));
    let sum: u64 = words.map(|(_, word)| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !(((folded & 0xffff) + (folded >> 16)) as u16)
}

fn parse_hello(body: &[u8]) -> Option<Hello> {
    let neighbors = whole(body.get(20..)?, 4)?.filter_map(|bytes| address(bytes, 0)).collect();
    Some(Hello {
        mask: address(body, 0)?,
        interval: be16(body, 4)?,
        options: byte(body, 6)?,
        priority: byte(body, 7)?,
        dead_interval: be32(body, 8)?,
        designated: address(body, 12)?,
        backup: address(body, 16)?,
        neighbors,
    })
}

fn emit_hello(bytes: &mut Vec<u8>, hello: &Hello) {
    bytes.extend(hello.mask.octets());
    bytes.extend(hello.interval.to_be_bytes());
    bytes.extend([hello.options, hello.priority]);
    bytes.extend(hello.dead_interval.to_be_bytes());
    bytes.extend(hello.designated.octets());
    bytes.extend(hello.backup.octets());
    hello.neighbors.iter().for_each(|neighbor| bytes.extend(neighbor.octets()));
}

fn parse_description(body: &[u8]) -> Option<Description> {
    Some(Description {
        mtu: be16(body, 0)?,
        options: byte(body, 2)?,
        flags: byte(body, 3)?,
        sequence: be32(body, 4)?,
        headers: headers(body.get(8..)?)?,
    })
}

fn parse_update(body: &[u8]) -> Option<Vec<Lsa>> {
    let count = be32(body, 0)?;
    let (mut rest, mut lsas) = (body.get(4..)?, Vec::new());
    for _ in 0..count {
        let lsa = Lsa::parse(rest)?;
        rest = rest.get(usize::from(lsa.header.length)..)?;
        lsas.push(lsa);
    }
    rest.is_empty().then_some(lsas)
}

fn headers(bytes: &[u8]) -> Option<Vec<LsaHeader>> {
    Some(whole(bytes, lsa::HEADER_BYTES)?.filter_map(LsaHeader::parse).collect())
}

/// The entries of a list without anything left over.
fn whole(bytes: &[u8], size: usize) -> Option<std::slice::ChunksExact<'_, u8>> {
    let chunks = bytes.chunks_exact(size);
    chunks.remainder().is_empty().then_some(chunks)
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    be32(bytes, at).map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::lsa::testing::{any_lsa, network, router};
    use super::*;
    use proptest::prelude::*;

    fn packet(body: OspfBody) -> OspfPacket {
        OspfPacket { router: [1, 1, 1, 1].into(), area: Ipv4Addr::UNSPECIFIED, body }
    }

    fn hello() -> Hello {
        Hello {
            mask: [255, 255, 255, 0].into(),
            interval: 10,
            options: OPTION_EXTERNAL,
            priority: 1,
            dead_interval: 40,
            designated: [10, 0, 0, 1].into(),
            backup: Ipv4Addr::UNSPECIFIED,
            neighbors: vec![[2, 2, 2, 2].into(), [3, 3, 3, 3].into()],
        }
    }

    #[test]
    fn every_kind_of_packet_is_read_back() {
        let (router, network) = (router(), network());
        let headers = vec![router.header, network.header];
        let description =
            Description { mtu: 1500, options: 2, flags: dd::INIT | dd::MORE, sequence: 7, headers: headers.clone() };
        let bodies = [
            OspfBody::Hello(hello()),
            OspfBody::Description(description),
            OspfBody::Request(vec![router.header.key, network.header.key]),
            OspfBody::Update(vec![router, network]),
            OspfBody::Acknowledgment(headers),
        ];
        for body in bodies {
            let packet = packet(body);
            assert_eq!(OspfPacket::parse(&packet.emit()), Ok(packet));
        }
    }

    #[test]
    fn what_is_not_understood_is_told_apart() {
        let good = packet(OspfBody::Hello(hello())).emit();
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            OspfPacket::parse(&bytes)
        };
        assert_eq!(with(0, 3), Err(OspfError::Version(3)));
        assert_eq!(with(15, 1), Err(OspfError::Authentication(1)));
        assert_eq!(with(24, 1), Err(OspfError::Checksum));
        assert_eq!(with(3, 200), Err(OspfError::Length));
        assert_eq!(OspfPacket::parse(&good[..20]), Err(OspfError::Length));
        // The authentication is not part of the sum.
        assert!(with(20, 9).is_ok());
        let mut unknown = good.clone();
        unknown[1] = 9;
        let sum = checksum(&unknown).to_be_bytes();
        unknown[12..14].copy_from_slice(&sum);
        assert_eq!(OspfPacket::parse(&unknown), Err(OspfError::Type(9)));
        // What stands behind the packet is not its own.
        let longer = [&good[..], &[1, 2, 3]].concat();
        assert!(OspfPacket::parse(&longer).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(kind in 0_u8..7, body in prop::collection::vec(any::<u8>(), 0..200), is_summed in any::<bool>()) {
            let mut bytes = vec![2, kind, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes.extend(body);
            let length = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            if is_summed {
                let sum = checksum(&bytes).to_be_bytes();
                bytes[12..14].copy_from_slice(&sum);
            }
            if let Ok(packet) = OspfPacket::parse(&bytes) {
                prop_assert_eq!(OspfPacket::parse(&packet.emit()), Ok(packet));
            }
        }

        #[test]
        fn updates_are_read_back_and_a_cut_one_is_refused(lsas in prop::collection::vec(any_lsa(), 0..4), cut in 1_usize..20) {
            let packet = packet(OspfBody::Update(lsas));
            let mut bytes = packet.emit();
            prop_assert_eq!(OspfPacket::parse(&bytes), Ok(packet));
            bytes.truncate(bytes.len().saturating_sub(cut));
            prop_assert!(OspfPacket::parse(&bytes).is_err());
        }
    }
}
