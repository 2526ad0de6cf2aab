//! Packet expressions: what a frame should be.
//!
//! Headers from the outside in, with `/` between them; what is not said is filled in, lengths and checksums included.
//!
//! ```text
//! ip(dst=10.0.2.80, ttl=1) / udp(sport=4000, dport=33434) / "probe"
//! eth(dst=02:00:00:00:00:07) / ip(dst=server) / tcp(dport=80, flags=S, mss=1460)
//! arp(op=reply, psrc=10.0.0.1, pdst=10.0.0.2, hwdst=02:00:00:00:00:02)
//! ip(dst=client) / icmp(type=time-exceeded) / ip(src=client, dst=server) / udp(dport=9)
//! ip(dst=server) / udp(dport=9, checksum=0) / hex"00ff" / bytes(count=1000)
//! ```
//!
//! An expression that begins with `ip` or `ipv6` is an IP packet; any other is an Ethernet frame, and an `arp` that
//! stands alone gets its Ethernet header. What is said is obeyed even where it is wrong: that is what an injected
//! packet is for.

mod build;
mod layers;
mod parse;

pub use layers::{KeyForm, KeyRow, LayerRow, layers};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;

use super::ExpressionError;
use crate::read::{Diagnostic, Item, Read};
use crate::wire::Layer;

/// A parsed packet expression: headers and bytes from the outside in.
#[derive(Debug, Clone)]
pub struct PacketExpression {
    /// At least one.
    parts: Vec<Part>,
}

/// What an expression leaves out.
#[derive(Clone, Copy)]
pub struct PacketDefaults<'a> {
    /// Whom the frame comes from.
    pub mac: [u8; 6],
    /// Whom an IPv4 packet comes from.
    pub ipv4: Option<Ipv4Addr>,
    /// Whom an IPv6 packet comes from.
    pub ipv6: Option<Ipv6Addr>,
    /// The addresses of a node by its name; none if there is no such node.
    pub resolve: &'a dyn Fn(&str) -> Vec<IpAddr>,
}

/// One header, or bytes.
#[derive(Debug, Clone)]
enum Part {
    Bytes(Vec<u8>),
    Header(Header),
}

/// One header: what was said of it.
#[derive(Debug, Clone)]
struct Header {
    row: &'static LayerRow,
    /// Where its name stands.
    span: Range<usize>,
    settings: Vec<Setting>,
}

/// `ttl=1`
#[derive(Debug, Clone)]
struct Setting {
    key: &'static KeyRow,
    value: Setpoint,
    /// Where the value stands.
    span: Range<usize>,
}

/// What a key is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Setpoint {
    Address(IpAddr),
    Mac([u8; 6]),
    /// A node, whose address is found when the packet is built.
    Node(String),
    Number(u64),
}

impl PacketExpression {
    /// Reads a packet expression.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place in the text.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        parse::parse(text).map(|parts| Self { parts })
    }

    /// The bytes, lengths and checksums filled in, and what they begin with.
    ///
    /// # Errors
    ///
    /// When a name has no address of the kind wanted, when a source address is needed and there is no default, or when
    /// the packet grows beyond what its length field can say.
    pub fn build(&self, defaults: &PacketDefaults<'_>) -> Result<(Layer, Vec<u8>), ExpressionError> {
        build::build(&self.parts, defaults)
    }

    /// The names of nodes in the expression, and where they stand.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        let headers = self.parts.iter().filter_map(|part| match part {
            Part::Header(header) => Some(header),
            Part::Bytes(_) => None,
        });
        headers.flat_map(|header| &header.settings).filter_map(|setting| match &setting.value {
            Setpoint::Node(name) => Some((name.as_str(), setting.span.clone())),
            _ => None,
        })
    }
}

impl FromStr for PacketExpression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        Self::parse(text)
    }
}

impl<'d> Read<'d> for PacketExpression {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("a packet expression in quotes")?;
        let expression = Self::parse(text).map_err(|error| error.report_in(item)).ok()?;
        let known = &item.reader.scope.nodes;
        let mut is_known = true;
        for (name, span) in expression.nodes() {
            // `r1:wan` is an interface of `r1`; which of them there are is not known here.
            let node = name.split(':').next().unwrap_or(name);
            if !known.iter().any(|known| known == node) {
                is_known = false;
                let title = format!("no node is called `{node}`");
                let diagnostic = Diagnostic::new(item.part(span), title);
                item.reader.report(diagnostic.not_among(node, known.iter().map(String::as_str)));
            }
        }
        is_known.then_some(expression)
    }
}

impl fmt::Debug for PacketDefaults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mac, ipv4, ipv6, resolve: _ } = self;
        f.debug_struct("PacketDefaults")
            .field("mac", mac)
            .field("ipv4", ipv4)
            .field("ipv6", ipv6)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
