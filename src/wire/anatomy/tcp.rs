//! TCP (RFC 9293) and its options.

use super::cutter::Cutter;
use super::ip::Sum;
use super::{payload, words};

/// A segment.
pub(super) fn segment(cut: &mut Cutter<'_>, sum: Sum) {
    cut.header("TCP", "RFC 9293 §3.1");
    // A header that breaks off leaves its rest to the packet around it.
    let _ = header(cut, sum);
}

fn header(cut: &mut Cutter<'_>, sum: Sum) -> Option<()> {
    let relative = cut.known.relative;
    let is_relative = !cut.is_quoted() && relative != Default::default();
    let source = cut.word("source port")?;
    cut.means(words::port(source));
    let destination = cut.word("destination port")?;
    cut.means(words::port(destination));
    let flags = cut.left().get(9).copied().unwrap_or_default();
    let (is_syn, is_ack) = (flags & 2 != 0, flags & 16 != 0);
    let sequence = cut.long("sequence number")?;
    if is_relative {
        cut.means(match (relative.sequence(sequence), is_syn) {
            (0, true) => "chosen by chance for this connection; counted from here as 0".to_owned(),
            (number, _) => format!("{number}, counted from the connection's first"),
        });
    }
    let acknowledgment = cut.long("acknowledgment number")?;
    cut.means(match is_ack {
        false => "without ACK it means nothing".to_owned(),
        true if is_relative => {
            let number = relative.acknowledgment(acknowledgment);
            format!("{number}: everything before byte {number} has arrived")
        }
        true => "everything before this byte has arrived".to_owned(),
    });
    let words_of_header = cut.number("data offset", 4)? as usize;
    cut.means(match words_of_header {
        0..5 => "of 4 bytes each: less than a header has".to_owned(),
        5 => "of 4 bytes each: 20 bytes, no options".to_owned(),
        more => format!("of 4 bytes each: {} bytes, {} of them options", more * 4, more * 4 - 20),
    });
    cut.reserved(4)?;
    let flags = [
        ("CWR", "congestion window reduced"),
        ("ECE", "congestion was experienced"),
        ("URG", "the urgent pointer counts"),
        ("ACK", "the acknowledgment number counts"),
        ("PSH", "hand it to the program at once"),
        ("RST", "the connection is refused or broken off"),
        ("SYN", "a connection begins: sequence numbers start here"),
        ("FIN", "the sender has no more to send"),
    ];
    for (name, set) in flags {
        cut.flag(name, set, "")?;
    }
    cut.word("window")?;
    cut.means(match is_syn {
        true => "bytes that the sender of this has room for",
        false => "room of the sender of this, in units that its SYN's window scale says",
    });
    let checksum = cut.word("checksum")?;
    cut.shows(format!("{checksum:#06x}"));
    cut.means(sum.meaning());
    cut.word("urgent pointer")?;
    let Some(options_bytes) = (words_of_header * 4).checked_sub(20) else {
        cut.is_short();
        return None;
    };
    if cut.left().len() < options_bytes {
        cut.is_short();
    }
    cut.within(options_bytes, "padding", options);
    payload::stream(cut, source, destination);
    Some(())
}

fn options(cut: &mut Cutter<'_>) -> Option<()> {
    if cut.left().is_empty() {
        return Some(());
    }
    cut.header("TCP options", "RFC 9293 §3.2");
    while let Some(kind) = cut.left().first().copied() {
        cut.byte(match kind {
            0 => "end of options",
            1 => "no operation",
            2 => "maximum segment size",
            3 => "window scale",
            4 => "selective acknowledgment permitted",
            5 => "selective acknowledgment",
            8 => "timestamps",
            _ => "option",
        })?;
        match kind {
            0 => {
                cut.means("what follows is padding");
                cut.rest("padding", "");
                return Some(());
            }
            1 => {
                cut.means("one byte of padding");
                continue;
            }
            3 | 8 => cut.means("RFC 7323"),
            4 | 5 => cut.means("RFC 2018"),
            _ => {}
        }
        let length = usize::from(cut.byte("length")?);
        let Some(value) = length.checked_sub(2) else {
            cut.means("less than kind and length take");
            return None;
        };
        cut.means("kind and length included");
        match (kind, value) {
            (2, 2) => {
                let size = cut.word("size")?;
                cut.means(format!("send me segments of at most {size} bytes of data"));
            }
            (3, 1) => {
                let shift = cut.byte("shift")?;
                cut.means(match shift {
                    0..=14 => format!("my later windows count in units of {}", 1_u32 << shift),
                    _ => "more than 14: counts as 14".to_owned(),
                });
            }
            (5, 8 | 16 | 24 | 32) => {
                for _ in 0..value / 8 {
                    for (name, what) in [("left edge", "arrived from here"), ("right edge", "up to here")] {
                        let number = cut.long(name)?;
                        let relative = cut.known.relative;
                        cut.means(format!("{what}: {}", relative.acknowledgment(number)));
                    }
                }
            }
            (8, 8) => {
                cut.long("value")?;
                cut.means("the sender's clock");
                cut.long("echo")?;
                cut.means("the clock of the segment that this answers");
            }
            _ => drop(cut.slice("value", value)?),
        }
    }
    Some(())
}
