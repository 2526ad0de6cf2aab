//! OSPF packets: what kind, and what a lesson needs to know of each.

use std::fmt;
use std::net::IpAddr;

use super::Summary;
use crate::wire::ospf::lsa::{Lsa, LsaHeader, LsaKey, MAX_AGE};
use crate::wire::ospf::{Hello, OspfBody, OspfError, OspfPacket, dd};

/// How many advertisements are told one by one.
const LISTED_MAX: usize = 3;

/// `OSPFv2, Update, router 10.0.2.1 seq 80000002, network 10.0.1.2 seq 80000001`.
pub(super) fn write_packet(f: &mut fmt::Formatter<'_>, bytes: &[u8], names: &Summary<'_>) -> fmt::Result {
    f.write_str("OSPFv2, ")?;
    let packet = match OspfPacket::parse(bytes) {
        Ok(packet) => packet,
        Err(OspfError::Length) => return f.write_str("[truncated ospf]"),
        Err(OspfError::Checksum) => return f.write_str("(bad ospf cksum)"),
        Err(error) => return write!(f, "{error}"),
    };
    match &packet.body {
        OspfBody::Hello(hello) => write_hello(f, hello, names),
        OspfBody::Description(description) => {
            write!(f, "Database Description [{}]", Flags(description.flags))?;
            write!(f, ", seq {:x}, {}", description.sequence, Count(description.headers.len()))
        }
        OspfBody::Request(keys) => {
            f.write_str("Request")?;
            list(f, keys, |f, key| write_key(f, key, names))
        }
        OspfBody::Update(lsas) => {
            f.write_str("Update")?;
            list(f, lsas, |f, lsa: &Lsa| write_header(f, &lsa.header, names))
        }
        OspfBody::Acknowledgment(headers) => {
            f.write_str("Ack")?;
            list(f, headers, |f, header| write_header(f, header, names))
        }
    }
}

/// `OSPF hello`, `OSPF DD I,M,MS`, `OSPF update 2 LSAs`.
pub(super) fn write_short(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    match OspfPacket::parse(bytes).map(|packet| packet.body) {
        Err(_) => f.write_str("OSPF [unreadable]"),
        Ok(OspfBody::Hello(hello)) if hello.neighbors.is_empty() => f.write_str("OSPF hello"),
        Ok(OspfBody::Hello(hello)) => write!(f, "OSPF hello, hears {}", hello.neighbors.len()),
        Ok(OspfBody::Description(description)) => {
            write!(f, "OSPF DD [{}] {}", Flags(description.flags), Count(description.headers.len()))
        }
        Ok(OspfBody::Request(keys)) => write!(f, "OSPF request {}", Count(keys.len())),
        Ok(OspfBody::Update(lsas)) => match lsas.iter().all(|lsa| lsa.header.age >= MAX_AGE) {
            true => write!(f, "OSPF update {} to forget", Count(lsas.len())),
            false => write!(f, "OSPF update {}", Count(lsas.len())),
        },
        Ok(OspfBody::Acknowledgment(headers)) => write!(f, "OSPF ack {}", Count(headers.len())),
    }
}

fn write_hello(f: &mut fmt::Formatter<'_>, hello: &Hello, names: &Summary<'_>) -> fmt::Result {
    f.write_str("Hello")?;
    for (what, address) in [("DR", hello.designated), ("BDR", hello.backup)] {
        if !address.is_unspecified() {
            write!(f, ", {what} {}", names.host(IpAddr::V4(address)))?;
        }
    }
    f.write_str(if hello.neighbors.is_empty() { ", hears nobody" } else { ", hears" })?;
    for (index, neighbor) in hello.neighbors.iter().take(LISTED_MAX).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma} {}", names.host(IpAddr::V4(*neighbor)))?;
    }
    f.write_str(if hello.neighbors.len() > LISTED_MAX { ", …" } else { "" })
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    entries: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for entry in entries.iter().take(LISTED_MAX) {
        f.write_str(", ")?;
        write(f, entry)?;
    }
    match entries.len().checked_sub(LISTED_MAX + 1) {
        Some(more) => write!(f, " and {} more", more + 1),
        None => Ok(()),
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &LsaKey, names: &Summary<'_>) -> fmt::Result {
    write!(f, "{} {}", key.kind_name(), names.host(IpAddr::V4(key.id)))
}

fn write_header(f: &mut fmt::Formatter<'_>, header: &LsaHeader, names: &Summary<'_>) -> fmt::Result {
    write_key(f, &header.key, names)?;
    write!(f, " seq {:x}", header.sequence)?;
    f.write_str(if header.age >= MAX_AGE { " (to forget)" } else { "" })
}

struct Flags(u8);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [(dd::INIT, "I"), (dd::MORE, "M"), (dd::MASTER, "MS")];
        let mut separator = "";
        for (_, name) in known.iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        Ok(())
    }
}

struct Count(usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} LSA{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::Ipv4Packet;

    use super::*;
    use crate::wire::ospf::lsa::{Content, LsaKey, ROUTER, SEQUENCE_FIRST};
    use crate::wire::ospf::{Description, OSPF_PROTOCOL};
    use crate::wire::{Frame, Layer, Numeric, Pool};

    /// The line and the few words for a packet.
    fn both(body: OspfBody, spoil: impl Fn(&mut Vec<u8>)) -> String {
        let mut bytes = OspfPacket { router: [1, 1, 1, 1].into(), area: [0, 0, 0, 0].into(), body }.emit();
        spoil(&mut bytes);
        let mut packet = vec![0; 20];
        let mut ip = Ipv4Packet::new_unchecked(&mut packet);
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(20 + bytes.len() as u16);
        ip.set_hop_limit(1);
        ip.set_next_header(OSPF_PROTOCOL.into());
        ip.set_src_addr([10, 0, 0, 1].into());
        ip.set_dst_addr([10, 0, 0, 2].into());
        ip.fill_checksum();
        packet.extend(bytes);
        let frame = Frame::new(Pool::default().copy(&packet), Layer::Ip);
        let summary = Summary::new(&frame, &Numeric);
        format!("{summary} | {}", summary.short())
    }

    fn lsa(sequence: i32, age: u16) -> Lsa {
        let key = LsaKey { kind: ROUTER, id: [2, 2, 2, 2].into(), router: [2, 2, 2, 2].into() };
        let mut lsa = Lsa::new(key, 2, sequence, &Content::Router(Vec::new()));
        lsa.header.age = age;
        lsa
    }

    #[test]
    fn every_kind_of_packet_has_its_words() {
        let hello = Hello {
            mask: [255, 255, 255, 0].into(),
            interval: 10,
            options: 2,
            priority: 1,
            dead_interval: 40,
            designated: [10, 0, 0, 1].into(),
            backup: [0, 0, 0, 0].into(),
            neighbors: vec![[2, 2, 2, 2].into()],
        };
        let quiet = Hello { neighbors: Vec::new(), designated: [0, 0, 0, 0].into(), ..hello.clone() };
        let description = Description { mtu: 1500, options: 2, flags: 7, sequence: 0xabc, headers: Vec::new() };
        let header = lsa(SEQUENCE_FIRST, 0).header;
        let as_is = |_: &mut Vec<u8>| {};
        let lines = [
            both(OspfBody::Hello(hello), as_is),
            both(OspfBody::Hello(quiet.clone()), as_is),
            both(OspfBody::Description(description), as_is),
            both(OspfBody::Request(vec![header.key]), as_is),
            both(OspfBody::Update(vec![lsa(SEQUENCE_FIRST, 0), lsa(1, MAX_AGE)]), as_is),
            both(OspfBody::Update(vec![lsa(1, MAX_AGE)]), as_is),
            both(OspfBody::Acknowledgment(vec![header; 5]), as_is),
            both(OspfBody::Hello(quiet.clone()), |bytes| bytes[30] ^= 1),
            both(OspfBody::Hello(quiet), |bytes| bytes.truncate(30)),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        10.0.0.1 > 10.0.0.2: OSPFv2, Hello, DR 10.0.0.1, hears 2.2.2.2 | OSPF hello, hears 1
        10.0.0.1 > 10.0.0.2: OSPFv2, Hello, hears nobody | OSPF hello
        10.0.0.1 > 10.0.0.2: OSPFv2, Database Description [I,M,MS], seq abc, 0 LSAs | OSPF DD [I,M,MS] 0 LSAs
        10.0.0.1 > 10.0.0.2: OSPFv2, Request, router 2.2.2.2 | OSPF request 1 LSA
        10.0.0.1 > 10.0.0.2: OSPFv2, Update, router 2.2.2.2 seq 80000001, router 2.2.2.2 seq 1 (to forget) | OSPF update 2 LSAs
        10.0.0.1 > 10.0.0.2: OSPFv2, Update, router 2.2.2.2 seq 1 (to forget) | OSPF update 1 LSA to forget
        10.0.0.1 > 10.0.0.2: OSPFv2, Ack, router 2.2.2.2 seq 80000001, router 2.2.2.2 seq 80000001, router 2.2.2.2 seq 80000001 and 2 more | OSPF ack 5 LSAs
        10.0.0.1 > 10.0.0.2: OSPFv2, (bad ospf cksum) | OSPF [unreadable]
        10.0.0.1 > 10.0.0.2: OSPFv2, [truncated ospf] | OSPF [unreadable]
        ");
    }
}
