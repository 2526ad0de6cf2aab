//! The knife: a frame's bits from front to back, each of them in one field.
//!
//! A *scope* is what a length field allows a header and its payload: nothing inside reads beyond it, and what is left
//! when it ends becomes a field of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::words::text_of;
use super::{Field, Header, Known};
use crate::wire::summary::Mac;

/// What is left of a frame, and what has been cut off it.
pub(super) struct Cutter<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
    /// The first bit behind the innermost scope.
    end: usize,
    depth: u8,
    headers: Vec<Header>,
    pub(super) known: &'a Known<'a>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(bytes: &'a [u8], known: &'a Known<'a>) -> Self {
        Self { bytes, at: 0, end: bytes.len() * 8, depth: 0, headers: Vec::new(), known }
    }

    /// Everything, whatever is left over included.
    pub(super) fn finish(mut self) -> Vec<Header> {
        if self.at < self.end {
            self.rest("rest", "what no header accounts for");
        }
        self.headers.retain(|header| !header.fields.is_empty() || header.is_cut_short);
        self.headers
    }

    /// Begins a header.
    pub(super) fn header(&mut self, name: &'static str, reference: &'static str) {
        let header = Header { name, reference, depth: self.depth, is_cut_short: false, fields: Vec::new() };
        self.headers.push(header);
    }

    /// Whole bytes that are left in the scope.
    pub(super) fn left(&self) -> &'a [u8] {
        let (first, last) = (self.at.div_ceil(8), self.end / 8);
        self.bytes.get(first..last).unwrap_or_default()
    }

    /// A number of up to 64 bits; decimal, until it is [shown](Self::shows) otherwise. `None`: it is not all there.
    pub(super) fn number(&mut self, name: &str, bits: usize) -> Option<u64> {
        debug_assert!(bits <= 64, "more bits than a number has");
        if self.end - self.at < bits {
            self.cut_short(name, bits.div_ceil(8));
            return None;
        }
        let value = (self.at..self.at + bits)
            .fold(0, |value, bit| value << 1 | u64::from(self.bytes[bit / 8] >> (7 - bit % 8) & 1));
        self.push(name, bits, value.to_string());
        Some(value)
    }

    /// A number of 16 bits.
    pub(super) fn word(&mut self, name: &str) -> Option<u16> {
        self.number(name, 16).map(|value| value as u16)
    }

    /// A number of 32 bits.
    pub(super) fn long(&mut self, name: &str) -> Option<u32> {
        self.number(name, 32).map(|value| value as u32)
    }

    /// A number of 8 bits.
    pub(super) fn byte(&mut self, name: &str) -> Option<u8> {
        self.number(name, 8).map(|value| value as u8)
    }

    /// One bit, with what it says when it is set and when it is not.
    pub(super) fn flag(&mut self, name: &str, set: &str, unset: &str) -> Option<bool> {
        let is_set = self.number(name, 1)? == 1;
        self.means(if is_set { set } else { unset });
        Some(is_set)
    }

    /// Bits that must be zero.
    pub(super) fn reserved(&mut self, bits: usize) -> Option<()> {
        match self.number("reserved", bits)? {
            0 => {}
            _ => self.means("should be zero"),
        }
        Some(())
    }

    /// Bytes; hexadecimal, until they are [shown](Self::shows) otherwise. `None`: they are not all there.
    pub(super) fn slice(&mut self, name: &str, count: usize) -> Option<&'a [u8]> {
        self.align();
        let Some(slice) = self.left().get(..count) else {
            self.cut_short(name, count);
            return None;
        };
        if count > 0 {
            self.push(name, count * 8, hexadecimal(slice));
        }
        Some(slice)
    }

    /// A hardware address.
    pub(super) fn station(&mut self, name: &str) -> Option<[u8; 6]> {
        let mac: [u8; 6] = self.slice(name, 6)?.try_into().ok()?;
        self.shows(Mac(mac).to_string());
        let meaning = match (mac, self.known.stations.get(&mac)) {
            ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], _) => "everybody on the link: broadcast".to_owned(),
            (_, Some(name)) => name.clone(),
            ([1, 0, 0x5e, ..], _) => "a group of IPv4 hosts: multicast".to_owned(),
            ([0x33, 0x33, ..], _) => "a group of IPv6 hosts: multicast".to_owned(),
            ([1, 0x80, 0xc2, 0, 0, 0], _) => "the switch at the other end, and no further".to_owned(),
            ([first, ..], _) if first & 1 == 1 => "a group: multicast".to_owned(),
            ([0, 0, 0, 0, 0, 0], _) => "nobody: not known".to_owned(),
            _ => String::new(),
        };
        self.means(meaning);
        Some(mac)
    }

    /// An IPv4 address.
    pub(super) fn ipv4(&mut self, name: &str) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from(<[u8; 4]>::try_from(self.slice(name, 4)?).ok()?);
        self.shows(address.to_string());
        self.means(self.whose(address.into()));
        Some(address)
    }

    /// An IPv6 address.
    pub(super) fn ipv6(&mut self, name: &str) -> Option<Ipv6Addr> {
        let address = Ipv6Addr::from(<[u8; 16]>::try_from(self.slice(name, 16)?).ok()?);
        self.shows(address.to_string());
        self.means(self.whose(address.into()));
        Some(address)
    }

    /// Whom an address stands for.
    pub(super) fn whose(&self, address: IpAddr) -> String {
        if let Some(name) = self.known.hosts.name(address) {
            return name.to_owned();
        }
        let words = match address {
            IpAddr::V4(Ipv4Addr::BROADCAST) => "everybody on the link: broadcast",
            IpAddr::V4(v4) if v4.octets()[..3] == [224, 0, 0] => match v4.octets()[3] {
                1 => "all hosts on the link",
                2 => "all routers on the link",
                5 => "all OSPF routers on the link",
                6 => "OSPF's designated routers on the link",
                9 => "all RIP routers on the link",
                _ => "a group on the link: multicast",
            },
            IpAddr::V6(v6) if v6.segments()[..7] == [0xff02, 0, 0, 0, 0, 1, 0xff00 | v6.segments()[6] & 0xff] => {
                "solicited-node multicast: whoever's address ends so"
            }
            IpAddr::V6(v6) if v6.segments()[..7] == [0xff02, 0, 0, 0, 0, 0, 0] => match v6.segments()[7] {
                1 => "all nodes on the link",
                2 => "all routers on the link",
                9 => "all RIPng routers on the link",
                0x16 => "all listeners to group reports on the link",
                _ => "a group on the link: multicast",
            },
            other if other.is_multicast() => "a group: multicast",
            other if other.is_unspecified() => "nobody: no address yet",
            other if other.is_loopback() => "loopback: the machine itself",
            IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local: good on this link only",
            _ => "",
        };
        words.to_owned()
    }

    /// Everything that is left in the scope, as one field; nothing if nothing is.
    pub(super) fn rest(&mut self, name: &'static str, meaning: &str) {
        self.align();
        let bytes = self.left();
        if bytes.is_empty() {
            return;
        }
        if self.headers.is_empty() {
            self.header("Bytes", "");
        }
        self.push(name, bytes.len() * 8, text_of(bytes).unwrap_or_else(|| hexadecimal(bytes)));
        self.means(meaning);
    }

    /// What the last field's value looks like.
    pub(super) fn shows(&mut self, value: impl Into<String>) {
        if let Some(field) = self.last() {
            field.value = value.into();
        }
    }

    /// What the last field's value says.
    pub(super) fn means(&mut self, meaning: impl Into<String>) {
        if let Some(field) = self.last() {
            field.meaning = meaning.into();
        }
    }

    /// Lets `cut` see only the next `bytes` bytes, or as many as there are. What it leaves becomes `left_over`.
    pub(super) fn within(&mut self, bytes: usize, left_over: &'static str, cut: impl FnOnce(&mut Self) -> Option<()>) {
        self.align();
        let outer = self.end;
        self.end = self.at.saturating_add(bytes.saturating_mul(8)).min(outer);
        cut(self);
        self.rest(left_over, "");
        self.end = outer;
    }

    /// What `cut` cuts is quoted.
    pub(super) fn quoted(&mut self, cut: impl FnOnce(&mut Self)) {
        self.depth += 1;
        cut(self);
        self.depth -= 1;
    }

    /// Whether it is a quotation that is being cut.
    pub(super) fn is_quoted(&self) -> bool {
        self.depth > 0
    }

    /// The header that is being cut ends before its time.
    pub(super) fn is_short(&mut self) {
        if let Some(header) = self.headers.last_mut() {
            header.is_cut_short = true;
        }
    }

    fn cut_short(&mut self, name: &str, wanted: usize) {
        let there = (self.end - self.at).div_ceil(8);
        if self.at < self.end {
            self.push(name, self.end - self.at, "cut short".to_owned());
            self.means(format!("only {there} of {wanted} bytes are there"));
        }
        self.is_short();
    }

    /// Goes on at a byte's beginning; the bits before it are a field.
    fn align(&mut self) {
        let odd = self.at % 8;
        if odd > 0 {
            self.number("rest of the byte", 8 - odd);
        }
    }

    fn push(&mut self, name: &str, bits: usize, value: String) {
        let field = Field { name: name.to_owned(), value, meaning: String::new(), bits: self.at..self.at + bits };
        self.at += bits;
        if self.headers.is_empty() {
            self.header("Bytes", "");
        }
        if let Some(header) = self.headers.last_mut() {
            header.fields.push(field);
        }
    }

    fn last(&mut self) -> Option<&mut Field> {
        self.headers.last_mut()?.fields.last_mut()
    }
}

/// How many bytes a value is written out to.
const HEX_MAX: usize = 16;

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().take(HEX_MAX).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > HEX_MAX {
        text.push('…');
    }
    text
}
