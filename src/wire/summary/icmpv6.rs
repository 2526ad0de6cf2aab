//! An ICMPv6 message: `ICMP6, neighbor solicitation, who has 2001:db8::2, length 32`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::{ProtocolName, Summary};
use crate::wire::flow::Flow;
use crate::wire::view::{be16, be32, be128, quotation};

/// The first prefix that a router advertisement tells of, with its length (RFC 4861 §4.6.2): `2001:db8:1::/64`.
pub(super) fn advertised_prefix(icmp: &[u8]) -> Option<impl fmt::Display> {
    let mut options = icmp.get(16..)?;
    while let [kind, length, ..] = options {
        if (*kind, *length) == (3, 4) {
            let (length, bits) = (*options.get(2)?, be128(options, 16)?);
            return Some(fmt::from_fn(move |f| write!(f, "{}/{length}", Ipv6Addr::from_bits(bits))));
        }
        options = options.get(usize::from((*length).max(1)) * 8..)?;
    }
    None
}

impl Summary<'_> {
    /// `length` is the message's by what the IP header says.
    pub(super) fn write_icmpv6(&self, f: &mut fmt::Formatter<'_>, icmp: &[u8], length: usize) -> fmt::Result {
        if icmp.len() < 8 {
            return f.write_str("[truncated icmp6]");
        }
        f.write_str("ICMP6, ")?;
        self.write_icmpv6_words(f, icmp)?;
        // RFC 4443 §2.1: error messages have types 0 to 127; they quote "as much of invoking packet as possible".
        if let (1..=4, Some(quoted)) = (icmp[0], quotation(icmp)) {
            f.write_str(" (about ")?;
            self.write_quoted(f, &quoted)?;
            f.write_str(")")?;
        }
        write!(f, ", length {length}")
    }

    /// What the message says, in tcpdump's words.
    fn write_icmpv6_words(&self, f: &mut fmt::Formatter<'_>, icmp: &[u8]) -> fmt::Result {
        let (kind, code) = (icmp[0], icmp[1]);
        let (ident, sequence) = (be16(icmp, 4).unwrap_or_default(), be16(icmp, 6).unwrap_or_default());
        let word = be32(icmp, 4).unwrap_or_default();
        match (kind, code) {
            (1, _) => self.write_unreachable_v6(f, icmp),
            (2, _) => write!(f, "packet too big, mtu {word}"),
            (3, 0) => f.write_str("time exceeded in-transit"),
            (3, _) => f.write_str("ip reassembly time exceeded"),
            (4, 0) => write!(f, "parameter problem, erroneous - octet {word}"),
            (4, 1) => write!(f, "parameter problem, next header - octet {word}"),
            (4, _) => write!(f, "parameter problem, option - octet {word}"),
            (128, _) => write!(f, "echo request, id {ident}, seq {sequence}"),
            (129, _) => write!(f, "echo reply, id {ident}, seq {sequence}"),
            (130, _) => f.write_str("multicast listener query"),
            (131, _) => f.write_str("multicast listener report"),
            (132, _) => f.write_str("multicast listener done"),
            (133, _) => f.write_str("router solicitation"),
            (134, _) => {
                f.write_str("router advertisement")?;
                match (be16(icmp, 6), advertised_prefix(icmp)) {
                    (Some(0), _) => f.write_str(", no default router")?,
                    (_, Some(prefix)) => write!(f, ", prefix {prefix}")?,
                    _ => {}
                }
                Ok(())
            }
            (135, _) => write!(f, "neighbor solicitation, who has {}", self.target(icmp)),
            (136, _) => write!(f, "neighbor advertisement, tgt is {}", self.target(icmp)),
            (137, _) => write!(f, "redirect, {} to {}", self.address_at(icmp, 24), self.target(icmp)),
            // RFC 3810 §5.2: the number of records where others have a sequence number.
            (143, _) => write!(f, "multicast listener report v2, {sequence} group record(s)"),
            _ => write!(f, "type-{kind} code-{code}"),
        }
    }

    fn write_unreachable_v6(&self, f: &mut fmt::Formatter<'_>, icmp: &[u8]) -> fmt::Result {
        f.write_str("destination unreachable, ")?;
        // RFC 4443 §3.1.
        f.write_str(match icmp[1] {
            0 => "unreachable route",
            1 => "unreachable prohibited",
            2 => "beyond scope",
            3 => "unreachable address",
            4 => "unreachable port",
            5 => "source address failed policy",
            6 => "reject route",
            _ => "unknown code",
        })?;
        let Some(quoted) = quotation(icmp) else { return Ok(()) };
        let destination = self.host(quoted.destination);
        match Flow::of_packet(&quoted).destination_port() {
            Some(port) if icmp[1] == 4 => {
                write!(f, ", {destination} {} port {port}", ProtocolName(quoted.protocol))
            }
            _ => write!(f, " {destination}"),
        }
    }

    /// Whom a neighbor discovery message is about (RFC 4861 §4.3, §4.4, §4.5).
    fn target(&self, icmp: &[u8]) -> impl fmt::Display {
        self.address_at(icmp, 8)
    }

    fn address_at(&self, icmp: &[u8], at: usize) -> impl fmt::Display {
        let address = be128(icmp, at).map(|bits| self.host(IpAddr::V6(Ipv6Addr::from_bits(bits))));
        fmt::from_fn(move |f| match &address {
            Some(host) => write!(f, "{host}"),
            None => f.write_str("[truncated]"),
        })
    }
}
