//! Ethernet (IEEE 802.3 clause 3), VLAN tags (IEEE 802.1Q clause 9), ARP (RFC 826), BPDUs (IEEE 802.1D-2004 clause 9).

use super::cutter::Cutter;
use super::{ip, ipv6, words};
use crate::wire::bpdu::{BPDU_LLC, BpduRole};
use crate::wire::view::ethertype;

/// How many tags are looked behind: one for a VLAN, one for a provider's.
const TAGS_MAX: usize = 4;

/// A frame from its Ethernet header on.
pub(super) fn frame(cut: &mut Cutter<'_>) {
    cut.header("Ethernet", "IEEE 802.3 §3.1, RFC 894");
    if ethernet(cut).is_none() {
        cut.rest("data", "");
    }
}

fn ethernet(cut: &mut Cutter<'_>) -> Option<()> {
    cut.station("destination")?;
    cut.station("source")?;
    let mut kind = kind_of(cut)?;
    for _ in 0..TAGS_MAX {
        if kind != ethertype::VLAN {
            break;
        }
        cut.header("VLAN tag", "IEEE 802.1Q §9.6");
        cut.number("priority", 3)?;
        cut.means("of eight classes of traffic");
        cut.flag("drop eligible", "the first to be dropped when there is no room", "no")?;
        let vlan = cut.number("VLAN", 12)?;
        cut.means(match vlan {
            0 => "none: the tag only tells a priority".to_owned(),
            4095 => "reserved".to_owned(),
            _ => format!("seen only where VLAN {vlan} is carried"),
        });
        kind = kind_of(cut)?;
    }
    match kind {
        ethertype::IPV4 | ethertype::IPV6 => ip::packet(cut),
        ethertype::ARP => arp(cut)?,
        length if length < ethertype::LEAST => llc(cut, usize::from(length)),
        _ => {}
    }
    padding(cut);
    Some(())
}

fn kind_of(cut: &mut Cutter<'_>) -> Option<u16> {
    let kind = cut.word("type")?;
    if kind < ethertype::LEAST {
        cut.means(format!("a length: {} follow, in an IEEE 802.3 frame", words::bytes(usize::from(kind))));
        return Some(kind);
    }
    cut.shows(format!("{kind:#06x}"));
    cut.means(match kind {
        ethertype::IPV4 => "IPv4 follows",
        ethertype::IPV6 => "IPv6 follows",
        ethertype::ARP => "ARP follows",
        ethertype::VLAN => "a VLAN tag follows",
        _ => "not known here",
    });
    Some(kind)
}

/// What stands behind the packet.
fn padding(cut: &mut Cutter<'_>) {
    let bytes = cut.left();
    if bytes.is_empty() {
        return;
    }
    let is_padding = bytes.iter().all(|byte| *byte == 0);
    cut.header(if is_padding { "Padding" } else { "Trailer" }, if is_padding { "IEEE 802.3 §3.2.8" } else { "" });
    cut.rest(
        if is_padding { "padding" } else { "data" },
        if is_padding { "fills the frame up; no part of the packet" } else { "behind what the headers account for" },
    );
}

fn arp(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("ARP", "RFC 826");
    let hardware = cut.word("hardware type")?;
    cut.means(if hardware == 1 { "Ethernet" } else { "" });
    let protocol = cut.word("protocol type")?;
    cut.shows(format!("{protocol:#06x}"));
    cut.means(if protocol == ethertype::IPV4 { "IPv4" } else { "" });
    let station_bytes = cut.byte("hardware length")?;
    cut.means("bytes of a hardware address");
    let address_bytes = cut.byte("protocol length")?;
    cut.means("bytes of a protocol address");
    let operation = cut.word("operation")?;
    cut.means(match operation {
        1 => "request: who has this address?",
        2 => "reply: that is me, here is my hardware address",
        _ => "not known here",
    });
    for who in ["sender", "target"] {
        match station_bytes {
            6 => drop(cut.station(&format!("{who} hardware address"))?),
            other => drop(cut.slice(&format!("{who} hardware address"), usize::from(other))?),
        }
        if who == "target" && operation == 1 && station_bytes == 6 {
            cut.means("what the question is for");
        }
        match address_bytes {
            4 => drop(cut.ipv4(&format!("{who} protocol address"))?),
            other => drop(cut.slice(&format!("{who} protocol address"), usize::from(other))?),
        }
    }
    Some(())
}

fn llc(cut: &mut Cutter<'_>, length: usize) {
    cut.within(length, "data", |cut| {
        let is_bpdu = cut.left().starts_with(&BPDU_LLC);
        cut.header("LLC", "IEEE 802.2 §3.2");
        for name in ["destination service", "source service"] {
            let service = cut.byte(name)?;
            cut.shows(format!("{service:#04x}"));
            cut.means(if service == 0x42 { "spanning tree" } else { "" });
        }
        let control = cut.byte("control")?;
        cut.shows(format!("{control:#04x}"));
        cut.means(if control == 3 { "unnumbered information: a datagram" } else { "" });
        if is_bpdu { bpdu(cut) } else { Some(()) }
    });
}

fn bpdu(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("Spanning tree BPDU", "IEEE 802.1D-2004 §9.3");
    cut.word("protocol")?;
    let version = cut.byte("version")?;
    cut.means(if version >= 2 { "rapid spanning tree" } else { "spanning tree" });
    let kind = cut.byte("type")?;
    cut.shows(format!("{kind:#04x}"));
    cut.means(match kind {
        0 => "configuration",
        2 => "rapid configuration",
        0x80 => "topology change notification",
        _ => "not known here",
    });
    if kind == 0x80 {
        return Some(());
    }
    cut.flag("topology change ack", "a notification has been heard", "")?;
    cut.flag("agreement", "you may: nothing behind me makes a loop", "")?;
    cut.flag("forwarding", "the sending port forwards", "the sending port does not forward")?;
    cut.flag("learning", "the sending port learns", "the sending port does not learn")?;
    let role = cut.number("port role", 2)?;
    cut.means(BpduRole::of_flags((role as u8) << 2).name().to_lowercase());
    cut.flag("proposal", "may I forward at once?", "")?;
    cut.flag("topology change", "forget who is where", "")?;
    bridge(cut, "root")?;
    cut.long("root path cost")?;
    cut.means("of the sender's way to the root");
    bridge(cut, "bridge")?;
    cut.word("port").map(|port| cut.shows(format!("{port:#06x}")))?;
    cut.means("four bits of priority, then the port's number");
    let times = [
        ("message age", "how old the root's news is"),
        ("max age", "how old it may become"),
        ("hello time", "how often the root speaks"),
        ("forward delay", "how long a port waits before it learns, and before it forwards"),
    ];
    for (name, meaning) in times {
        let time = cut.word(name)?;
        cut.shows(format!("{}.{:03} s", time / 256, u32::from(time % 256) * 1000 / 256));
        cut.means(meaning);
    }
    if version >= 2 {
        cut.byte("version 1 length")?;
    }
    Some(())
}

fn bridge(cut: &mut Cutter<'_>, who: &str) -> Option<()> {
    let priority = cut.word(&format!("{who} priority"))?;
    cut.shows(format!("{priority:#06x}"));
    cut.means("of two, the lesser wins");
    cut.station(&format!("{who} address"))?;
    Some(())
}

/// A packet whose version stands in its first bits.
pub(super) fn by_version(cut: &mut Cutter<'_>) {
    match cut.left().first().map(|byte| byte >> 4) {
        Some(6) => ipv6::packet(cut),
        _ => ip::ipv4(cut),
    }
}
