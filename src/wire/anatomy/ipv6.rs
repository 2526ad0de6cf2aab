//! IPv6 and its extension headers (RFC 8200).

use super::cutter::Cutter;
use super::ip::{Sum, later_fragment, transport};
use super::words;
use crate::wire::view::Ip;

/// How many extension headers are walked; as many as a [`View`](crate::wire::View) does.
const EXTENSION_HEADERS_MAX: usize = 8;

/// An IPv6 packet.
pub(super) fn packet(cut: &mut Cutter<'_>) {
    cut.header("IPv6", "RFC 8200 §3");
    // A header that breaks off leaves its rest to whoever asked for the packet.
    let _ = header(cut);
}

fn header(cut: &mut Cutter<'_>) -> Option<()> {
    let view = Ip::parse(cut.left());
    cut.number("version", 4)?;
    cut.means("IPv6");
    let code_point = cut.number("DSCP", 6)?;
    cut.means(words::code_point(code_point));
    let congestion = cut.number("ECN", 2)?;
    cut.means(words::congestion(congestion));
    let label = cut.number("flow label", 20)?;
    cut.shows(format!("{label:#07x}"));
    cut.means(if label == 0 { "none" } else { "packets that belong together (RFC 6437)" });
    let length = usize::from(cut.word("payload length")?);
    let there = cut.left().len().saturating_sub(34);
    cut.means(match length > there {
        true => format!("without this header; only {there} of them are here"),
        false => "without this header; extension headers count".to_owned(),
    });
    let next = next_header(cut)?;
    let hops = cut.byte("hop limit")?;
    cut.means(match hops {
        0 => "none left: must not be sent".to_owned(),
        1 => "the next router must not send it on".to_owned(),
        255 => "255: whoever gets it so knows that it crossed no router".to_owned(),
        2 => "at most one router more".to_owned(),
        hops => format!("at most {} routers more", hops - 1),
    });
    cut.ipv6("source")?;
    cut.ipv6("destination")?;
    let sum = view.as_ref().map_or(Sum::Unknown, Sum::of);
    cut.within(length, "data", |cut| payload(cut, next, sum));
    Some(())
}

fn next_header(cut: &mut Cutter<'_>) -> Option<u8> {
    let next = cut.byte("next header")?;
    cut.means(words::protocol(next));
    Some(next)
}

fn payload(cut: &mut Cutter<'_>, mut next: u8, sum: Sum) -> Option<()> {
    for _ in 0..EXTENSION_HEADERS_MAX {
        match next {
            0 => next = options(cut, "Hop-by-hop options", "RFC 8200 §4.3")?,
            60 => next = options(cut, "Destination options", "RFC 8200 §4.6")?,
            43 => next = routing(cut)?,
            44 => {
                let (following, offset) = fragment(cut)?;
                if offset > 0 {
                    later_fragment(cut, offset);
                    return Some(());
                }
                next = following;
            }
            59 => return Some(()),
            _ => break,
        }
    }
    transport(cut, next, sum, false);
    Some(())
}

fn length(cut: &mut Cutter<'_>) -> Option<usize> {
    let units = usize::from(cut.byte("header extension length")?);
    cut.means(format!("in units of 8, without the first: {} in all", words::bytes((units + 1) * 8)));
    Some(units * 8 + 6)
}

fn options(cut: &mut Cutter<'_>, name: &'static str, reference: &'static str) -> Option<u8> {
    cut.header(name, reference);
    let next = next_header(cut)?;
    let bytes = length(cut)?;
    let is_all_there = cut.left().len() >= bytes;
    cut.within(bytes, "rest", |cut| {
        while let Some(kind) = cut.left().first().copied() {
            cut.byte(match kind {
                0 => "pad1",
                1 => "padN",
                5 => "router alert",
                0xc2 => "jumbo payload",
                _ => "option",
            })?;
            if kind == 0 {
                cut.means("one byte of padding");
                continue;
            }
            cut.means(match kind >> 6 {
                0 => "who does not know it skips it",
                1 => "who does not know it drops the packet",
                2 => "who does not know it drops the packet and says so",
                _ => "who does not know it drops the packet and says so, unless it went to a group",
            });
            let length = usize::from(cut.byte("length")?);
            cut.slice("value", length)?;
            if kind == 5 && length == 2 {
                cut.means("routers are to look at what is inside (RFC 2711)");
            }
        }
        Some(())
    });
    is_all_there.then_some(next)
}

fn routing(cut: &mut Cutter<'_>) -> Option<u8> {
    cut.header("Routing header", "RFC 8200 §4.4");
    let next = next_header(cut)?;
    let bytes = length(cut)?;
    let is_all_there = cut.left().len() >= bytes;
    cut.within(bytes, "data", |cut| {
        cut.byte("routing type")?;
        cut.byte("segments left")?;
        Some(())
    });
    is_all_there.then_some(next)
}

fn fragment(cut: &mut Cutter<'_>) -> Option<(u8, usize)> {
    cut.header("Fragment header", "RFC 8200 §4.5");
    let next = next_header(cut)?;
    cut.reserved(8)?;
    let offset = cut.number("fragment offset", 13)? as usize * 8;
    cut.means(format!("in units of 8: the piece begins at byte {offset}"));
    cut.reserved(2)?;
    cut.flag("more fragments", "not the last piece", "the last piece")?;
    let id = cut.long("identification")?;
    cut.shows(format!("{id:#010x}"));
    cut.means("shared by the pieces of one packet");
    Some((next, offset))
}
