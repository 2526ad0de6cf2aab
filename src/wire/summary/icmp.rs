//! An ICMP message: `ICMP echo request, id 1, seq 1, length 64`.

use std::fmt;

use super::{ProtocolName, Summary};
use crate::wire::flow::Flow;
use crate::wire::view::{Ip, be16, be32, quotation};

impl Summary<'_> {
    /// `length` is the message's by what the IP header says.
    pub(super) fn write_icmp(&self, f: &mut fmt::Formatter<'_>, icmp: &[u8], length: usize) -> fmt::Result {
        if icmp.len() < 8 {
            return f.write_str("[truncated icmp]");
        }
        f.write_str("ICMP ")?;
        self.write_icmp_words(f, icmp)?;
        // RFC 792: these quote "Internet Header + 64 bits of Original Data Datagram".
        if let (3 | 4 | 5 | 11 | 12, Some(quoted)) = (icmp[0], quotation(icmp)) {
            f.write_str(" (about ")?;
            self.write_quoted(f, &quoted)?;
            f.write_str(")")?;
        }
        write!(f, ", length {length}")
    }

    /// What the message says, in tcpdump's words.
    fn write_icmp_words(&self, f: &mut fmt::Formatter<'_>, icmp: &[u8]) -> fmt::Result {
        let (kind, code) = (icmp[0], icmp[1]);
        let (ident, sequence) = (be16(icmp, 4).unwrap_or_default(), be16(icmp, 6).unwrap_or_default());
        match (kind, code) {
            (0, _) => write!(f, "echo reply, id {ident}, seq {sequence}"),
            (3, _) => self.write_unreachable(f, icmp),
            (4, _) => f.write_str("source quench"),
            (5, _) => {
                let gateway = self.host(be32(icmp, 4).unwrap_or_default().to_be_bytes().into());
                let what = if matches!(code, 0 | 2) { "net" } else { "host" };
                match quotation(icmp) {
                    Some(quoted) => write!(f, "redirect {} to {what} {gateway}", self.host(quoted.destination)),
                    None => write!(f, "redirect to {what} {gateway}"),
                }
            }
            (8, _) => write!(f, "echo request, id {ident}, seq {sequence}"),
            (9, _) => f.write_str("router advertisement"),
            (10, _) => f.write_str("router solicitation"),
            (11, 0) => f.write_str("time exceeded in-transit"),
            (11, 1) => f.write_str("ip reassembly time exceeded"),
            (11, _) => write!(f, "time exceeded code {code}"),
            (12, 0) => write!(f, "parameter problem - octet {}", icmp[4]),
            (12, _) => write!(f, "parameter problem - code {code}"),
            (13, _) => write!(f, "time stamp query id {ident} seq {sequence}"),
            (14, _) => write!(f, "time stamp reply id {ident} seq {sequence}"),
            _ => write!(f, "type-{kind} code-{code}"),
        }
    }

    fn write_unreachable(&self, f: &mut fmt::Formatter<'_>, icmp: &[u8]) -> fmt::Result {
        let Some(quoted) = quotation(icmp) else {
            return write!(f, "unreachable{}", unreachable_words(icmp[1]).1);
        };
        let destination = self.host(quoted.destination);
        match icmp[1] {
            2 => write!(f, "{destination} protocol {} unreachable", u8::from(quoted.protocol)),
            3 => self.write_port_unreachable(f, &quoted),
            4 => {
                // RFC 1191 §4: routers that are older than it leave the MTU zero.
                let mtu = be16(icmp, 6).unwrap_or_default();
                write!(f, "{destination} unreachable - need to frag")?;
                if mtu == 0 { Ok(()) } else { write!(f, " (mtu {mtu})") }
            }
            code => {
                let (what, reason) = unreachable_words(code);
                write!(f, "{what}{destination} unreachable{reason}")
            }
        }
    }

    fn write_port_unreachable(&self, f: &mut fmt::Formatter<'_>, quoted: &Ip<'_>) -> fmt::Result {
        let (destination, protocol) = (self.host(quoted.destination), ProtocolName(quoted.protocol));
        match Flow::of_packet(quoted).destination_port() {
            Some(port) => write!(f, "{destination} {protocol} port {port} unreachable"),
            None => write!(f, "{destination} {protocol} port unreachable"),
        }
    }
}

/// What is unreachable and why (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
pub(super) fn unreachable_words(code: u8) -> (&'static str, &'static str) {
    match code {
        0 => ("net ", ""),
        1 => ("host ", ""),
        2 => ("", " - protocol"),
        3 => ("", " - port"),
        4 => ("", " - need to frag"),
        5 => ("", " - source route failed"),
        6 => ("net ", " - unknown"),
        7 => ("host ", " - unknown"),
        8 => ("", " - source host isolated"),
        9 => ("net ", " - admin prohibited"),
        10 => ("host ", " - admin prohibited"),
        11 => ("net ", " - tos prohibited"),
        12 => ("host ", " - tos prohibited"),
        13 => ("host ", " - admin prohibited filter"),
        14 => ("host ", " - host precedence violation"),
        15 => ("host ", " - precedence cutoff"),
        _ => ("", " - unknown code"),
    }
}
