//! The blocks of a pcapng file, as bytes.
//!
//! ```text
//! | type 4 | length 4 | body, padded to 4 | length 4 |      a block
//! | code 2 | length 2 | value, padded to 4 |              an option; code 0 ends the list
//! ```
//!
//! Always little-endian, whatever the machine. Section numbers are those of draft-ietf-opsawg-pcapng.

use std::net::IpAddr;

use crate::time::Time;
use crate::wire::Layer;

/// §4.1: Section Header Block; the same bytes for every capture.
pub(super) fn section_header() -> Vec<u8> {
    let mut block = Block::new(0x0a0d_0d0a);
    block.u32(0x1a2b_3c4d);
    block.u16(1);
    block.u16(0);
    // "If the section length is -1 (0xFFFFFFFFFFFFFFFF), this means that the size of the section is not specified"
    block.u64(u64::MAX);
    block.option(2, b"simulated");
    block.option(3, b"virtual time, from zero");
    block.option(4, b"hopwise");
    block.finish()
}

/// What an interface is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interface<'i> {
    /// `client:eth0`.
    pub(super) name: &'i str,
    /// What is plugged in.
    pub(super) description: &'i str,
    pub(super) layer: Layer,
    /// Bits per second, if limited.
    pub(super) speed: Option<u64>,
}

/// §4.2: Interface Description Block; times in nanoseconds, frames never cut short.
pub(super) fn interface(interface: &Interface<'_>) -> Vec<u8> {
    let mut block = Block::new(1);
    block.u16(match interface.layer {
        // LINKTYPE_ETHERNET, LINKTYPE_RAW
        Layer::Ethernet => 1,
        Layer::Ip => 101,
    });
    block.u16(0);
    // "The value 0 indicates no limit."
    block.u32(0);
    block.option(2, interface.name.as_bytes());
    block.option(3, interface.description.as_bytes());
    if let Some(speed) = interface.speed {
        block.option(8, &speed.to_le_bytes());
    }
    // if_tsresol: 10^-9 s.
    block.option(9, &[9]);
    block.finish()
}

/// §4.5: Name Resolution Block.
pub(super) fn names(hosts: &[(IpAddr, String)]) -> Vec<u8> {
    let mut block = Block::new(4);
    for (address, name) in hosts {
        let (kind, mut value) = match address {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (2, address.octets().to_vec()),
        };
        // The name ends with a zero and so must not contain one.
        value.extend(name.bytes().filter(|byte| *byte != 0).take(NAME_BYTES_MAX));
        value.push(0);
        block.record(kind, &value);
    }
    block.record(0, &[]);
    block.finish()
}

/// §4.7: Decryption Secrets Block with one line of a TLS key log.
pub(super) fn secret(line: &str) -> Vec<u8> {
    let mut block = Block::new(10);
    // "TLS Key Log (0x544c534b)"
    block.u32(0x544c_534b);
    let line = format!("{line}\n");
    block.u32(u32::try_from(line.len()).unwrap_or(u32::MAX));
    block.padded(line.as_bytes());
    block.finish()
}

/// A packet on an interface.
#[derive(Debug)]
pub(super) struct Packet<'p> {
    /// Counted from 0 in the order of the interfaces' blocks.
    pub(super) interface: u32,
    pub(super) at: Time,
    pub(super) bytes: &'p [u8],
    pub(super) is_inbound: bool,
    /// "All packets that have the same value refer to the same packet".
    pub(super) id: Option<u64>,
    pub(super) comment: &'p str,
}

/// §4.3: Enhanced Packet Block.
pub(super) fn packet(packet: &Packet<'_>) -> Vec<u8> {
    let mut block = Block::new(6);
    block.u32(packet.interface);
    let nanos = packet.at.as_nanos();
    block.u32((nanos >> 32) as u32);
    block.u32(nanos as u32);
    let length = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
    block.u32(length);
    block.u32(length);
    block.padded(packet.bytes);
    // epb_flags: 01 inbound, 10 outbound.
    block.option(2, &u32::to_le_bytes(if packet.is_inbound { 1 } else { 2 }));
    if let Some(id) = packet.id {
        block.option(5, &id.to_le_bytes());
    }
    block.option(1, packet.comment.as_bytes());
    block.finish()
}

/// More of a name than any tool shows.
const NAME_BYTES_MAX: usize = 255;

struct Block {
    bytes: Vec<u8>,
    has_options: bool,
}

impl Block {
    fn new(kind: u32) -> Self {
        let mut block = Self { bytes: Vec::new(), has_options: false };
        block.u32(kind);
        block.u32(0);
        block
    }

    fn u16(&mut self, value: u16) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn padded(&mut self, value: &[u8]) {
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.has_options = true;
        self.record(code, value);
    }

    /// Cut to what its 16-bit length can say.
    fn record(&mut self, code: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.u16(code);
        self.u16(length);
        self.padded(&value[..usize::from(length)]);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.has_options {
            self.record(0, &[]);
        }
        let length = u32::try_from(self.bytes.len() + 4).unwrap_or(u32::MAX);
        self.u32(length);
        self.bytes[4..8].copy_from_slice(&length.to_le_bytes());
        self.bytes
    }
}
