//! ICMP (RFC 792), with the packet that an error quotes.

use super::cutter::Cutter;
use super::ip::{Sum, ipv4};
use super::payload;

/// A message.
pub(super) fn message(cut: &mut Cutter<'_>, sum: Sum) {
    cut.header("ICMP", "RFC 792");
    // A message that breaks off leaves its rest to the packet around it.
    let _ = header(cut, sum);
}

fn header(cut: &mut Cutter<'_>, sum: Sum) -> Option<()> {
    let kind = cut.byte("type")?;
    cut.means(match kind {
        0 => "echo reply",
        3 => "destination unreachable",
        4 => "source quench (no longer used, RFC 6633)",
        5 => "redirect: there is a better way",
        8 => "echo request",
        9 => "router advertisement (RFC 1256)",
        10 => "router solicitation (RFC 1256)",
        11 => "time exceeded",
        12 => "parameter problem",
        13 => "timestamp",
        14 => "timestamp reply",
        _ => "not known here",
    });
    let code = cut.byte("code")?;
    cut.means(code_words(kind, code));
    let checksum = cut.word("checksum")?;
    cut.shows(format!("{checksum:#06x}"));
    cut.means(sum.meaning());
    match kind {
        0 | 8 | 13 | 14 => {
            cut.word("identifier")?;
            cut.means("which program's: a reply carries the same");
            cut.word("sequence number")?;
            cut.means("which of its questions");
            if kind >= 13 {
                for name in ["originate time", "receive time", "transmit time"] {
                    cut.long(name)?;
                    cut.means("milliseconds since midnight");
                }
            }
            payload::data(cut, "ICMP data");
        }
        3 | 4 | 5 | 11 | 12 => {
            match (kind, code) {
                (3, 4) => {
                    cut.reserved(16)?;
                    cut.word("next hop's MTU")?;
                    cut.means("packets up to this many bytes get through (RFC 1191 §4)");
                }
                (5, _) => drop(cut.ipv4("gateway")?),
                (12, _) => {
                    cut.byte("pointer")?;
                    cut.means("which byte of the quoted packet is at fault");
                    cut.reserved(24)?;
                }
                _ => cut.reserved(32)?,
            }
            if !cut.left().is_empty() && !cut.is_quoted() {
                cut.quoted(ipv4);
            }
        }
        _ => {}
    }
    Some(())
}

fn code_words(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (3, 0) => "network",
        (3, 1) => "host",
        (3, 2) => "protocol: nobody there speaks it",
        (3, 3) => "port: no program listens there",
        (3, 4) => "it is too large, and must not be cut (RFC 1191)",
        (3, 5) => "source route failed",
        (3, 9 | 10 | 13) => "administratively prohibited (RFC 1812 §5.2.7.1)",
        (5, 0) => "for the network",
        (5, 1) => "for the host",
        (11, 0) => "its time to live ran out on the way",
        (11, 1) => "pieces were missing too long",
        (12, 0) => "the byte that the pointer shows",
        _ => "",
    }
}
