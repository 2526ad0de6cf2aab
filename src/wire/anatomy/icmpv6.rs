//! ICMPv6 (RFC 4443), neighbor discovery (RFC 4861), group reports (RFC 2710, RFC 3810).

use super::cutter::Cutter;
use super::ip::Sum;
use super::{ipv6, payload};

/// A message.
pub(super) fn message(cut: &mut Cutter<'_>, sum: Sum) {
    let kind = cut.left().first().copied().unwrap_or_default();
    cut.header("ICMPv6", reference(kind));
    // A message that breaks off leaves its rest to the packet around it.
    let _ = header(cut, sum);
}

fn reference(kind: u8) -> &'static str {
    match kind {
        130..=132 => "RFC 2710 §3",
        133 => "RFC 4861 §4.1",
        134 => "RFC 4861 §4.2",
        135 => "RFC 4861 §4.3",
        136 => "RFC 4861 §4.4",
        137 => "RFC 4861 §4.5",
        143 => "RFC 3810 §5.2",
        _ => "RFC 4443 §2.1",
    }
}

fn header(cut: &mut Cutter<'_>, sum: Sum) -> Option<()> {
    let kind = cut.byte("type")?;
    cut.means(match kind {
        1 => "destination unreachable",
        2 => "packet too big",
        3 => "time exceeded",
        4 => "parameter problem",
        128 => "echo request",
        129 => "echo reply",
        130 => "multicast listener query",
        131 => "multicast listener report",
        132 => "multicast listener done",
        133 => "router solicitation: is there a router?",
        134 => "router advertisement: I am a router",
        135 => "neighbor solicitation: who has this address?",
        136 => "neighbor advertisement: that is me",
        137 => "redirect: there is a better way",
        143 => "multicast listener report, version 2",
        _ => "not known here",
    });
    let code = cut.byte("code")?;
    cut.means(code_words(kind, code));
    let checksum = cut.word("checksum")?;
    cut.shows(format!("{checksum:#06x}"));
    cut.means(sum.meaning());
    match kind {
        1..=4 => {
            match kind {
                2 => {
                    cut.long("MTU")?;
                    cut.means("packets up to this many bytes get through");
                }
                4 => {
                    cut.long("pointer")?;
                    cut.means("which byte of the quoted packet is at fault");
                }
                _ => cut.reserved(32)?,
            }
            if !cut.left().is_empty() && !cut.is_quoted() {
                cut.quoted(ipv6::packet);
            }
        }
        128 | 129 => {
            cut.word("identifier")?;
            cut.means("which program's: a reply carries the same");
            cut.word("sequence number")?;
            cut.means("which of its questions");
            payload::data(cut, "ICMPv6 data");
        }
        130..=132 => {
            let delay = cut.word("maximum response delay")?;
            cut.shows(format!("{delay} ms"));
            cut.reserved(16)?;
            cut.ipv6("group")?;
        }
        133 => {
            cut.reserved(32)?;
            options(cut)?;
        }
        134 => router_advertisement(cut)?,
        135 => {
            cut.reserved(32)?;
            cut.ipv6("target")?;
            options(cut)?;
        }
        136 => {
            cut.flag("router", "the sender is a router", "no router")?;
            cut.flag("solicited", "you asked for it", "nobody asked")?;
            cut.flag("override", "forget what you knew before", "only if you knew nothing better")?;
            cut.reserved(29)?;
            cut.ipv6("target")?;
            options(cut)?;
        }
        137 => {
            cut.reserved(32)?;
            cut.ipv6("target")?;
            cut.ipv6("destination")?;
            options(cut)?;
        }
        143 => {
            cut.reserved(16)?;
            let count = cut.word("records")?;
            for _ in 0..count {
                record(cut)?;
            }
        }
        _ => {}
    }
    Some(())
}

fn router_advertisement(cut: &mut Cutter<'_>) -> Option<()> {
    cut.byte("hop limit")?;
    cut.means("what hosts here should begin with; 0: not said");
    cut.flag("managed", "addresses come by DHCPv6", "addresses are made from the prefixes below")?;
    cut.flag("other", "more is to be had by DHCPv6", "")?;
    cut.number("reserved", 6)?;
    let lifetime = cut.word("router lifetime")?;
    cut.shows(format!("{lifetime} s"));
    cut.means(if lifetime == 0 { "not a default router" } else { "how long it may be the default router" });
    for name in ["reachable time", "retransmission time"] {
        let time = cut.long(name)?;
        cut.shows(format!("{time} ms"));
        cut.means(if time == 0 { "not said" } else { "" });
    }
    options(cut)
}

fn record(cut: &mut Cutter<'_>) -> Option<()> {
    let kind = cut.byte("record type")?;
    cut.means(match kind {
        1 => "listens to these sources only",
        2 => "listens to all but these sources",
        3 => "now listens to these sources only",
        4 => "now listens to all but these sources",
        5 => "listens to these sources too",
        6 => "no longer listens to these sources",
        _ => "not known here",
    });
    let auxiliary = usize::from(cut.byte("auxiliary length")?);
    let sources = cut.word("sources")?;
    cut.ipv6("group")?;
    for _ in 0..sources {
        cut.ipv6("source")?;
    }
    cut.slice("auxiliary data", auxiliary * 4)?;
    Some(())
}

/// Neighbor discovery's options (RFC 4861 §4.6).
fn options(cut: &mut Cutter<'_>) -> Option<()> {
    while let Some(kind) = cut.left().first().copied() {
        cut.byte(match kind {
            1 => "option: source link-layer address",
            2 => "option: target link-layer address",
            3 => "option: prefix",
            4 => "option: redirected header",
            5 => "option: MTU",
            14 => "option: nonce",
            25 => "option: recursive name servers",
            _ => "option",
        })?;
        let units = usize::from(cut.byte("length")?);
        if units == 0 {
            cut.means("zero: nothing may be believed from here on");
            return None;
        }
        cut.means("in units of 8 bytes");
        let value = units * 8 - 2;
        if cut.left().len() < value {
            cut.slice("value", value)?;
        }
        cut.within(value, "rest", |cut| match (kind, value) {
            (1 | 2, 6..) => cut.station("address").map(drop),
            (3, 30) => prefix(cut),
            (5, 6) => {
                cut.reserved(16)?;
                cut.long("MTU").map(drop)
            }
            (25, 6..) => {
                cut.reserved(16)?;
                seconds(cut, "lifetime")?;
                while cut.left().len() >= 16 {
                    cut.ipv6("name server")?;
                }
                Some(())
            }
            _ => Some(()),
        });
    }
    Some(())
}

fn prefix(cut: &mut Cutter<'_>) -> Option<()> {
    cut.byte("prefix length")?;
    cut.flag("on-link", "hosts with this prefix are neighbors", "not said whether it is on this link")?;
    cut.flag("autonomous", "make yourself an address with it (RFC 4862)", "not to make addresses with")?;
    cut.number("reserved", 6)?;
    seconds(cut, "valid lifetime")?;
    seconds(cut, "preferred lifetime")?;
    cut.reserved(32)?;
    cut.ipv6("prefix").map(drop)
}

fn seconds(cut: &mut Cutter<'_>, name: &str) -> Option<()> {
    let time = cut.long(name)?;
    cut.shows(format!("{time} s"));
    cut.means(match time {
        u32::MAX => "for ever".to_owned(),
        0 => "no longer".to_owned(),
        time if time >= 86_400 => format!("{} days", time / 86_400),
        _ => String::new(),
    });
    Some(())
}

fn code_words(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (1, 0) => "no route",
        (1, 1) => "administratively prohibited",
        (1, 2) => "beyond the scope of its source address",
        (1, 3) => "nobody answers for the address",
        (1, 4) => "port: no program listens there",
        (1, 5) => "its source address is not let through",
        (1, 6) => "the route rejects it",
        (3, 0) => "its hop limit ran out on the way",
        (3, 1) => "pieces were missing too long",
        (4, 0) => "a field is wrong",
        (4, 1) => "an unknown next header",
        (4, 2) => "an unknown option",
        _ => "",
    }
}
