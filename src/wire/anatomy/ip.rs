//! IPv4 (RFC 791) and its options.

use smoltcp::wire::IpProtocol;

use super::cutter::Cutter;
use super::{icmp, icmpv6, link, ospf, payload, tcp, words};
use crate::wire::frame::fill_transport_checksum;
use crate::wire::ospf::OSPF_PROTOCOL;
use crate::wire::verify::{header_checksum, transport_checksum};
use crate::wire::view::{Ip, be16};

/// An IP packet of either version.
pub(super) fn packet(cut: &mut Cutter<'_>) {
    link::by_version(cut);
}

/// What the transport header's checksum comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Right,
    /// What would be right, if that can be told.
    Wrong(Option<u16>),
    /// A fragment, a packet cut short, a protocol without one.
    Unknown,
}

impl Sum {
    /// Of the packet that `ip` is.
    pub(super) fn of(ip: &Ip<'_>) -> Self {
        match transport_checksum(ip) {
            Some(true) => Self::Right,
            None => Self::Unknown,
            Some(false) => Self::Wrong(right_transport_checksum(ip)),
        }
    }

    pub(super) fn meaning(self) -> String {
        match self {
            Self::Right => "right".to_owned(),
            Self::Wrong(Some(right)) => format!("wrong: {right:#06x} would be right"),
            Self::Wrong(None) => "wrong".to_owned(),
            Self::Unknown => "cannot be checked: not all that it covers is here".to_owned(),
        }
    }
}

fn right_transport_checksum(ip: &Ip<'_>) -> Option<u16> {
    let extensions = match ip.source.is_ipv4() {
        true => 0,
        // What the header claims and what is left of it when its extensions have been walked.
        false => usize::from(be16(ip.header, 4)?).checked_sub(ip.payload_claimed)?,
    };
    let start = ip.header.len() + extensions;
    let mut copy = ip.bytes.get(..start + ip.payload.len())?.to_vec();
    fill_transport_checksum(&mut copy);
    let at = match ip.protocol {
        IpProtocol::Tcp => 16,
        IpProtocol::Udp => 6,
        IpProtocol::Icmp | IpProtocol::Icmpv6 => 2,
        _ => return None,
    };
    let right = be16(&copy, start + at)?;
    (Some(right) != be16(ip.payload, at)).then_some(right)
}

/// An IPv4 packet, or what claims to be one.
pub(super) fn ipv4(cut: &mut Cutter<'_>) {
    cut.header("IPv4", "RFC 791 §3.1");
    // A header that breaks off leaves its rest to whoever asked for the packet.
    let _ = ipv4_header(cut);
}

fn ipv4_header(cut: &mut Cutter<'_>) -> Option<()> {
    let view = Ip::parse(cut.left());
    let bytes_there = cut.left().len();
    let version = cut.number("version", 4)?;
    cut.means(if version == 4 { "IPv4" } else { "not 4: no IPv4 packet" });
    let words_of_header = cut.number("header length", 4)? as usize;
    cut.means(match words_of_header {
        0..5 => "of 4 bytes each: less than a header has".to_owned(),
        5 => "of 4 bytes each: 20 bytes, no options".to_owned(),
        more => format!("of 4 bytes each: {} bytes, {} of them options", more * 4, more * 4 - 20),
    });
    let code_point = cut.number("DSCP", 6)?;
    cut.means(words::code_point(code_point));
    let congestion = cut.number("ECN", 2)?;
    cut.means(words::congestion(congestion));
    let total = usize::from(cut.word("total length")?);
    cut.means(match total {
        _ if total < words_of_header * 4 => "less than its own header".to_owned(),
        _ if total > bytes_there => format!("header and payload; only {bytes_there} of them are here"),
        _ => format!("header and {} of payload", words::bytes(total - words_of_header * 4)),
    });
    cut.word("identification")?;
    cut.reserved(1)?;
    cut.flag("don't fragment", "whoever cannot send it whole must drop it", "routers may cut it")?;
    let more = cut.flag("more fragments", "it is a piece, and not the last", "no piece follows")?;
    cut.means(if more { "it is a piece, and not the last" } else { "no piece follows" });
    let offset = cut.number("fragment offset", 13)? as usize * 8;
    cut.means(match (offset, more) {
        (0, false) => "whole".to_owned(),
        (0, true) => "the first piece".to_owned(),
        (offset, _) => format!("in units of 8: the piece begins at byte {offset} of the whole payload"),
    });
    let hops = cut.byte("time to live")?;
    cut.means(match hops {
        0 => "none left: must not be sent".to_owned(),
        1 => "the next router must not send it on".to_owned(),
        2 => "at most one router more".to_owned(),
        hops => format!("at most {} routers more", hops - 1),
    });
    let protocol = cut.byte("protocol")?;
    cut.means(words::protocol(protocol));
    let sum = cut.word("header checksum")?;
    cut.shows(format!("{sum:#06x}"));
    cut.means(match view.as_ref().and_then(|ip| header_checksum(ip).map(|is_right| (ip, is_right))) {
        Some((_, true)) => "right".to_owned(),
        Some((ip, false)) => {
            let mut header = ip.header.to_vec();
            header[10..12].fill(0);
            format!("wrong: {:#06x} would be right", !smoltcp::wire::checksum::data(&header))
        }
        None => String::new(),
    });
    cut.ipv4("source")?;
    cut.ipv4("destination")?;
    let Some(options_bytes) = (words_of_header * 4).checked_sub(20) else {
        cut.is_short();
        return None;
    };
    if cut.left().len() < options_bytes {
        cut.is_short();
    }
    cut.within(options_bytes, "end of options", options);
    let payload_bytes = total.saturating_sub(words_of_header * 4);
    let (sum, is_whole) = (view.as_ref().map_or(Sum::Unknown, Sum::of), offset == 0);
    cut.within(payload_bytes, "data", |cut| {
        match is_whole {
            true => transport(cut, protocol, sum, view.is_some_and(|ip| ip.source.is_ipv4())),
            false => later_fragment(cut, offset),
        }
        Some(())
    });
    Some(())
}

/// What an IP packet carries.
pub(super) fn transport(cut: &mut Cutter<'_>, protocol: u8, sum: Sum, is_ipv4: bool) {
    match (protocol, is_ipv4) {
        (6, _) => tcp::segment(cut, sum),
        (17, _) => payload::datagram(cut, sum),
        (1, true) => icmp::message(cut, sum),
        (58, false) => icmpv6::message(cut, sum),
        (OSPF_PROTOCOL, true) => ospf::packet(cut),
        _ => payload::data(cut, "Data"),
    }
}

/// The middle or the end of something.
pub(super) fn later_fragment(cut: &mut Cutter<'_>, offset: usize) {
    let end = offset + cut.left().len();
    if end == offset {
        return;
    }
    cut.header("Fragment's data", "RFC 791 §3.2");
    cut.rest(
        "data",
        &format!("bytes {offset} to {} of the whole payload; its headers are in the first piece", end - 1),
    );
}

fn options(cut: &mut Cutter<'_>) -> Option<()> {
    if cut.left().is_empty() {
        return Some(());
    }
    cut.header("IPv4 options", "RFC 791 §3.1");
    while let Some(kind) = cut.left().first().copied() {
        let name = match kind {
            0 => "end of options",
            1 => "no operation",
            7 => "record route",
            68 => "timestamp",
            131 => "loose source route",
            137 => "strict source route",
            148 => "router alert",
            _ => "option",
        };
        cut.byte(name)?;
        if kind == 0 {
            cut.means("what follows is padding");
            cut.rest("padding", "");
            return Some(());
        }
        if kind == 1 {
            cut.means("one byte of padding");
            continue;
        }
        cut.means(if kind & 0x80 != 0 { "copied into every fragment" } else { "in the first fragment only" });
        let length = usize::from(cut.byte("length")?);
        let Some(value) = length.checked_sub(2) else {
            cut.means("less than kind and length take");
            return None;
        };
        cut.means("kind and length included");
        match kind {
            7 | 131 | 137 if value > 0 => cut.within(value, "empty", |cut| {
                let pointer = usize::from(cut.byte("pointer")?);
                cut.means("counted from 1: where the next address goes");
                for slot in 0.. {
                    if cut.left().len() < 4 {
                        break;
                    }
                    cut.ipv4("address")?;
                    if slot * 4 + 4 >= pointer && kind == 7 {
                        cut.means("still empty");
                    }
                }
                Some(())
            }),
            68 if value > 1 => cut.within(value, "empty", |cut| {
                cut.byte("pointer")?;
                cut.means("counted from 1: where the next entry goes");
                cut.number("overflow", 4)?;
                cut.means("routers that found no room");
                let flag = cut.number("flag", 4)?;
                cut.means(if flag == 0 { "times alone" } else { "each time with its router's address" });
                while cut.left().len() >= 4 {
                    if flag != 0 {
                        cut.ipv4("address")?;
                    }
                    cut.long("time")?;
                    cut.means("milliseconds since midnight");
                }
                Some(())
            }),
            _ => drop(cut.slice("value", value)?),
        }
    }
    Some(())
}
