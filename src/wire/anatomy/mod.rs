//! A frame taken apart, header by header and field by field, with what each field means.
//!
//! For whoever wants to read a packet as a textbook draws it. The bytes are walked from front to back by a `Cutter`
//! that hands out each bit once: fields stand in the order of the wire, never overlap and leave nothing out, whatever
//! the bytes. A header that is cut short, or contradicts itself, is shown as far as it goes, and the rest as bytes.
//!
//! ```text
//! Ethernet ─┬─ VLAN tags ─┬─ ARP
//!           │             ├─ IPv4 ── options ──┬─ TCP ── options ──┬─ HTTP, TLS, DNS, text, bytes
//!           │             └─ IPv6 ── extensions┼─ UDP ─────────────┴─ DHCP, DNS, RIP, text, bytes
//!           └─ LLC ── BPDU                     ├─ OSPF
//!                                              └─ ICMP ── the packet that it quotes, one level deeper
//! ```
//!
//! Nothing here decides anything; what a *receiver* makes of the same bytes is its own business.

mod cutter;
mod dhcp;
mod dns;
mod http;
mod icmp;
mod icmpv6;
mod ip;
mod ipv6;
mod link;
mod ospf;
mod payload;
mod rip;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;

use self::cutter::Cutter;
use super::conversation::Relative;
use super::frame::{Frame, Layer};
use super::summary::Resolve;

/// What people call the addresses of a network.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// IP addresses.
    pub hosts: &'a dyn Resolve,
    /// Hardware addresses: `r1:lan`.
    pub stations: &'a BTreeMap<[u8; 6], String>,
    /// What the TCP sequence numbers of this frame are counted from.
    pub relative: Relative,
}

/// A frame, header by header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anatomy {
    /// From the outermost inwards; what an ICMP error quotes, and what pads a frame, stands last.
    pub headers: Vec<Header>,
}

/// One header, or the data behind the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What it is called: `IPv4`.
    pub name: &'static str,
    /// Where it is defined: `RFC 791 §3.1`; empty for bytes that nothing defines.
    pub reference: &'static str,
    /// 0, or how many packets it is quoted in.
    pub depth: u8,
    /// The bytes end before the header does.
    pub is_cut_short: bool,
    /// In the order of the wire. Each begins where the one before it ends.
    pub fields: Vec<Field>,
}

/// One field of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What the standard calls it: `time to live`.
    pub name: String,
    /// Its value: `64`.
    pub value: String,
    /// What the value says: `at most 64 more hops`. Empty if it speaks for itself.
    pub meaning: String,
    /// Which bits of the frame it takes: bit 0 is the highest of the first byte.
    pub bits: Range<usize>,
}

impl Anatomy {
    /// Takes a frame apart.
    #[must_use]
    pub fn of(frame: &Frame, known: &Known<'_>) -> Self {
        Self::of_bytes(frame.bytes(), frame.layer, known)
    }

    /// Takes bytes apart that begin with a header of `layer`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8], layer: Layer, known: &Known<'_>) -> Self {
        let mut cutter = Cutter::new(bytes, known);
        match layer {
            Layer::Ethernet => link::frame(&mut cutter),
            Layer::Ip => ip::packet(&mut cutter),
        }
        Self { headers: cutter.finish() }
    }
}

impl Header {
    /// Which bytes of the frame it takes.
    #[must_use]
    pub fn bytes(&self) -> Range<usize> {
        let (first, last) = (self.fields.first(), self.fields.last());
        first.zip(last).map_or(0..0, |(first, last)| first.bits.start / 8..last.bits.end.div_ceil(8))
    }
}

impl Field {
    /// Which bytes of the frame it is in, wholly or in part.
    #[must_use]
    pub fn bytes(&self) -> Range<usize> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }

    /// Whether it is made of whole bytes.
    #[must_use]
    pub fn is_of_bytes(&self) -> bool {
        self.bits.start.is_multiple_of(8) && self.bits.end.is_multiple_of(8)
    }

    /// Where it stands: `12-13`, or `14 bits 0-3` for a part of a byte.
    #[must_use]
    pub fn place(&self) -> String {
        let bytes = self.bytes();
        let last = bytes.end.max(bytes.start + 1) - 1;
        let range = |first: usize, last: usize| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        match self.is_of_bytes() {
            true => range(bytes.start, last),
            false => {
                let start = bytes.start * 8;
                let bits = range(self.bits.start - start, self.bits.end - 1 - start);
                format!("{} bit{} {bits}", range(bytes.start, last), if bits.contains('-') { "s" } else { "" })
            }
        }
    }

    /// How it stands there: `08 00`, at most `most` bytes of it; for a part of a byte its bits: `0100 ....`.
    #[must_use]
    pub fn spelled(&self, frame: &[u8], most: usize) -> String {
        let bytes = self.bytes();
        let Some(own) = frame.get(bytes.clone()) else { return String::new() };
        if self.is_of_bytes() {
            let shown: Vec<String> = own.iter().take(most).map(|byte| format!("{byte:02x}")).collect();
            let more = if own.len() > most { " …" } else { "" };
            return shown.join(" ") + more;
        }
        let mut text = String::new();
        for bit in bytes.start * 8..bytes.end * 8 {
            if bit % 4 == 0 && bit > bytes.start * 8 {
                text.push(' ');
            }
            let is_set = frame[bit / 8] >> (7 - bit % 8) & 1 == 1;
            text.push(match self.bits.contains(&bit) {
                true if is_set => '1',
                true => '0',
                false => '.',
            });
        }
        text
    }
}
