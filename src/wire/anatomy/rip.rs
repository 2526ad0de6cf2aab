//! RIP version 2 (RFC 2453) and RIPng (RFC 2080).

use super::cutter::Cutter;

/// A message.
pub(super) fn message(cut: &mut Cutter<'_>, is_ng: bool) {
    match is_ng {
        true => cut.header("RIPng", "RFC 2080 §2.1"),
        false => cut.header("RIP", "RFC 2453 §4"),
    }
    // A message that breaks off leaves its rest to the datagram around it.
    let _ = header(cut, is_ng);
}

fn header(cut: &mut Cutter<'_>, is_ng: bool) -> Option<()> {
    let command = cut.byte("command")?;
    cut.means(match command {
        1 => "request: tell me your routes",
        2 => "response: these are my routes",
        _ => "not known here",
    });
    cut.byte("version")?;
    cut.reserved(16)?;
    while cut.left().len() >= 20 {
        if is_ng {
            cut.ipv6("prefix")?;
            tag(cut)?;
            cut.byte("prefix length")?;
            let metric = cut.byte("metric")?;
            cut.means(match metric {
                255 => "the address is the next hop of those that follow".to_owned(),
                metric => hops(metric.into()),
            });
        } else {
            let family = cut.word("address family")?;
            cut.means(match family {
                2 => "IPv4",
                0 => "all of the table",
                0xffff => "authentication",
                _ => "not known here",
            });
            tag(cut)?;
            cut.ipv4("address")?;
            let mask = cut.ipv4("mask")?;
            cut.means(format!("/{}", u32::from(mask).leading_ones()));
            let next = cut.ipv4("next hop")?;
            if next.is_unspecified() {
                cut.means("whoever sends this");
            }
            let metric = cut.long("metric")?;
            cut.means(hops(metric));
        }
    }
    Some(())
}

fn tag(cut: &mut Cutter<'_>) -> Option<()> {
    cut.word("route tag").map(drop)
}

fn hops(metric: u32) -> String {
    match metric {
        16 => "infinity: not reachable".to_owned(),
        1 => "1 hop".to_owned(),
        metric => format!("{metric} hops"),
    }
}
