//! OSPF version 2 (RFC 2328 appendix A).

use super::cutter::Cutter;

/// Where the age of an advertisement ends it (appendix B).
const MAX_AGE: u16 = 3600;

/// A packet.
pub(super) fn packet(cut: &mut Cutter<'_>) {
    cut.header("OSPF", "RFC 2328 §A.3.1");
    // A packet that breaks off leaves its rest to the one around it.
    let _ = header(cut);
}

fn header(cut: &mut Cutter<'_>) -> Option<()> {
    cut.byte("version")?;
    let kind = cut.byte("type")?;
    cut.means(match kind {
        1 => "hello",
        2 => "database description",
        3 => "link state request",
        4 => "link state update",
        5 => "link state acknowledgment",
        _ => "not known here",
    });
    let length = usize::from(cut.word("packet length")?);
    router(cut, "router ID", "who speaks")?;
    cut.ipv4("area ID").map(|area| cut.means(if area.is_unspecified() { "the backbone" } else { "" }))?;
    let checksum = cut.word("checksum")?;
    cut.shows(format!("{checksum:#06x}"));
    let authentication = cut.word("authentication type")?;
    cut.means(if authentication == 0 { "none" } else { "" });
    cut.slice("authentication", 8)?;
    cut.within(length.saturating_sub(24), "data", |cut| match kind {
        1 => hello(cut),
        2 => description(cut),
        3 => request(cut),
        4 => update(cut),
        5 => acknowledgment(cut),
        _ => Some(()),
    });
    Some(())
}

fn router(cut: &mut Cutter<'_>, name: &str, meaning: &str) -> Option<()> {
    cut.ipv4(name)?;
    if !meaning.is_empty() {
        cut.means(meaning);
    }
    Some(())
}

fn hello(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("OSPF hello", "RFC 2328 §A.3.2");
    let mask = cut.ipv4("network mask")?;
    cut.means(format!("/{}", u32::from(mask).leading_ones()));
    let interval = cut.word("hello interval")?;
    cut.shows(format!("{interval} s"));
    options(cut)?;
    let priority = cut.byte("router priority")?;
    cut.means(if priority == 0 { "never becomes designated router" } else { "the greatest becomes designated router" });
    let dead = cut.long("router dead interval")?;
    cut.shows(format!("{dead} s"));
    cut.means("of silence, and a neighbor is gone");
    for name in ["designated router", "backup designated router"] {
        let address = cut.ipv4(name)?;
        if address.is_unspecified() {
            cut.means("none yet");
        }
    }
    while cut.left().len() >= 4 {
        router(cut, "neighbor", "whom the sender has heard")?;
    }
    Some(())
}

fn options(cut: &mut Cutter<'_>) -> Option<()> {
    let options = cut.byte("options")?;
    cut.shows(format!("{options:#04x}"));
    cut.means(if options & 2 != 0 { "external routes are understood" } else { "" });
    Some(())
}

fn description(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("OSPF database description", "RFC 2328 §A.3.3");
    cut.word("interface MTU")?;
    options(cut)?;
    cut.reserved(5)?;
    cut.flag("init", "the first of the exchange", "")?;
    cut.flag("more", "more follow", "the last")?;
    cut.flag("master", "the sender leads the exchange", "the sender follows")?;
    cut.long("sequence number")?;
    advertisements(cut)
}

fn request(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("OSPF link state request", "RFC 2328 §A.3.4");
    while cut.left().len() >= 12 {
        let kind = cut.long("link state type")?;
        cut.means(kind_words(u8::try_from(kind).unwrap_or(u8::MAX)));
        cut.ipv4("link state ID")?;
        cut.ipv4("advertising router")?;
    }
    Some(())
}

fn acknowledgment(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("OSPF link state acknowledgment", "RFC 2328 §A.3.6");
    advertisements(cut)
}

fn advertisements(cut: &mut Cutter<'_>) -> Option<()> {
    while cut.left().len() >= 20 {
        advertisement(cut)?;
    }
    Some(())
}

fn update(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("OSPF link state update", "RFC 2328 §A.3.5");
    let count = cut.long("advertisements")?;
    for _ in 0..count {
        if cut.left().is_empty() {
            cut.is_short();
            break;
        }
        cut.header("OSPF advertisement", "RFC 2328 §A.4");
        let (kind, length) = advertisement(cut)?;
        cut.within(length.saturating_sub(20), "data", |cut| match kind {
            1 => links(cut),
            2 => network(cut),
            _ => Some(()),
        });
    }
    Some(())
}

/// The header of an advertisement: which kind, and how long it all is.
fn advertisement(cut: &mut Cutter<'_>) -> Option<(u8, usize)> {
    let age = cut.word("age")?;
    cut.shows(format!("{age} s"));
    cut.means(if age >= MAX_AGE { "it is to be forgotten" } else { "" });
    options(cut)?;
    let kind = cut.byte("link state type")?;
    cut.means(kind_words(kind));
    cut.ipv4("link state ID")?;
    cut.ipv4("advertising router")?;
    let sequence = cut.long("sequence number")?;
    cut.shows(format!("{sequence:#010x}"));
    cut.means("of two, the greater is the newer");
    let checksum = cut.word("checksum")?;
    cut.shows(format!("{checksum:#06x}"));
    let length = cut.word("length")?;
    Some((kind, usize::from(length)))
}

fn kind_words(kind: u8) -> &'static str {
    match kind {
        1 => "a router and its links",
        2 => "a network and its routers",
        3 | 4 => "a summary",
        5 => "an external route",
        _ => "not known here",
    }
}

fn links(cut: &mut Cutter<'_>) -> Option<()> {
    cut.byte("flags")?;
    cut.reserved(8)?;
    let count = cut.word("links")?;
    for _ in 0..count {
        cut.ipv4("link ID")?;
        cut.ipv4("link data")?;
        let kind = cut.byte("link type")?;
        cut.means(match kind {
            1 => "to another router: ID is its router ID, data the own address",
            2 => "to a network of routers: ID is the designated router, data the own address",
            3 => "to a subnet without other routers: ID and data are address and mask",
            4 => "a virtual link",
            _ => "not known here",
        });
        let more = cut.byte("types of service")?;
        cut.word("metric")?;
        cut.means("what crossing it costs");
        cut.slice("metrics of types of service", usize::from(more) * 4)?;
    }
    Some(())
}

fn network(cut: &mut Cutter<'_>) -> Option<()> {
    let mask = cut.ipv4("network mask")?;
    cut.means(format!("/{}", u32::from(mask).leading_ones()));
    while cut.left().len() >= 4 {
        router(cut, "attached router", "")?;
    }
    Some(())
}
