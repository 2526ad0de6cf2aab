//! Reading what a line says of the packet itself.
//!
//! ```text
//! packet = "{" match expression "}" | tcp | "udp" … | "icmp" … | "arp" … | "frag" … | "ip" … | "ether" …
//! tcp    = flags [ first ":" last "(" length ")" ] [ "ack" n ] [ "win" n ] [ "<" options ">" ]
//! ```

use super::line::Pattern;
use super::shape::{ICMP_NAMES, IcmpName, Sequence, Shape, TCP_FLAGS, Tcp, TcpOption, TcpOptions};
use super::words::{Parsed, Words, mistake, number};
use crate::filter::Filter;
use crate::read::{Span, nearest};

/// The first words of packets that are not TCP segments.
const PROTOCOLS: [&str; 6] = ["arp", "ether", "frag", "icmp", "ip", "udp"];

/// Reads what a line says of the packet; a match expression in it goes to `expressions`.
pub(super) fn parse_pattern(words: &mut Words<'_>, expressions: &mut Vec<Filter>) -> Parsed<Pattern> {
    let (word, span) = words.peek();
    if word.starts_with('{') {
        let Some((text, span)) = words.bracketed('}') else {
            return mistake(words.here(), "`{` without `}`", "a match expression in braces");
        };
        let filter = super::parse_filter(text).map_err(|mut mistake| {
            mistake.span = span.start + mistake.span.start..span.start + mistake.span.end;
            mistake
        })?;
        expressions.push(filter);
        return Ok(Pattern::Expression { text: text.trim().to_owned(), index: expressions.len() - 1 });
    }
    if !PROTOCOLS.contains(&word) {
        return parse_tcp(words).map(Shape::Tcp).map(Pattern::Shape);
    }
    words.word();
    let shape = match word {
        "arp" => parse_arp(words)?,
        "ether" => {
            let ethertype = number(words, "an EtherType")?;
            Shape::Ether { ethertype, length: parse_length(words)? }
        }
        "frag" => parse_fragment(words)?,
        "icmp" => parse_icmp(words)?,
        "ip" => Shape::Ip { protocol: number(words, "a protocol number")?, length: parse_length(words)? },
        "udp" => Shape::Udp { length: parse_length(words)? },
        _ => return mistake(span, format!("`{word}` is not a packet"), "a packet belongs here"),
    };
    Ok(Pattern::Shape(shape))
}

fn parse_tcp(words: &mut Words<'_>) -> Parsed<Tcp> {
    let (word, span) = words.word();
    let mut tcp = Tcp { flags: parse_flags(word, &span)?, ..Tcp::default() };
    while !words.is_over() {
        let (word, span) = words.peek();
        if word.starts_with('<') {
            let Some((text, span)) = words.bracketed('>') else {
                return mistake(words.here(), "`<` without `>`", "TCP options, such as `<mss 1460>` or `<...>`");
            };
            tcp.options = Some(parse_options(text, span.start)?);
            continue;
        }
        words.word();
        match word {
            "ack" => tcp.ack = Some(number(words, "an acknowledgement number")?),
            "win" => tcp.window = Some(number(words, "a window")?),
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let (first, _, length, more) = parse_range(word, &span)?;
                if more {
                    return mistake(span, "a segment is not a fragment", "without the `+`");
                }
                tcp.sequence = Some(Sequence { first, length });
            }
            _ => {
                let label = nearest(word, ["ack", "win"]).map_or_else(
                    || "`first:last(length)`, `ack n`, `win n` or `<options>`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                return mistake(span, format!("`{word}` is not part of a TCP segment"), label);
            }
        }
    }
    Ok(tcp)
}

fn parse_flags(word: &str, span: &Span) -> Parsed<u8> {
    if word.is_empty() {
        return mistake(span.clone(), "the packet is missing", "such as `S 0:0(0)`, `udp (11)` or `{ icmp }`");
    }
    let mut flags = 0;
    for letter in word.chars().filter(|_| word != "-") {
        let Some((_, bit)) = TCP_FLAGS.iter().find(|(known, _)| *known == letter) else {
            let label = nearest(word, PROTOCOLS).map_or_else(
                || "TCP flags: letters of `SFRPUEW`, `.` for ACK; or `udp`, `icmp`, `arp`, `frag`, `{ … }`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return mistake(span.clone(), format!("`{word}` is not a packet"), label);
        };
        flags |= bit;
    }
    Ok(flags)
}

/// `first:last(length)`, perhaps with a `+`.
fn parse_range(word: &str, span: &Span) -> Parsed<(u32, u32, u32, bool)> {
    let (range, more) = word.strip_suffix('+').map_or((word, false), |range| (range, true));
    let parsed = range.split_once(':').and_then(|(first, rest)| {
        let (last, length) = rest.strip_suffix(')')?.split_once('(')?;
        Some((first.parse::<u32>().ok()?, last.parse::<u32>().ok()?, length.parse::<u32>().ok()?))
    });
    let Some((first, last, length)) = parsed else {
        return mistake(span.clone(), format!("`{word}` is not a range"), "`first:last(length)`, such as `1:6(5)`");
    };
    if last.wrapping_sub(first) != length {
        let label = format!("from {first} to {last} are {}", i64::from(last) - i64::from(first));
        return mistake(span.clone(), format!("`{word}` does not add up"), label);
    }
    Ok((first, last, length, more))
}

fn parse_options(text: &str, begins_at: usize) -> Parsed<TcpOptions> {
    let mut options = TcpOptions::default();
    let mut at = begins_at;
    for part in text.split(',') {
        let start = at + (part.len() - part.trim_start().len());
        let span = start..start + part.trim().len();
        at += part.len() + 1;
        match part.trim() {
            "..." => options.is_open = true,
            "" if text.trim().is_empty() => {}
            "nop" | "eol" => {}
            option => options.list.push(parse_option(option, span)?),
        }
    }
    Ok(options)
}

fn parse_option(text: &str, span: Span) -> Parsed<TcpOption> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let option = match words[..] {
        ["mss"] => Some(TcpOption::MaximumSegmentSize(None)),
        ["mss", size] => size.parse().ok().map(Some).map(TcpOption::MaximumSegmentSize),
        ["opt", kind] => kind.parse().ok().map(TcpOption::Other),
        ["sack", ref blocks @ ..] => {
            let block = |text: &&str| {
                let (left, right) = text.split_once(':')?;
                Some((left.parse().ok()?, right.parse().ok()?))
            };
            blocks.iter().map(block).collect::<Option<Vec<_>>>().map(TcpOption::Sack)
        }
        ["sackOK"] => Some(TcpOption::SackPermitted),
        ["TS"] => Some(TcpOption::Timestamps(None)),
        ["TS", "val", value, "ecr", echo] => {
            value.parse().ok().zip(echo.parse().ok()).map(|pair| TcpOption::Timestamps(Some(pair)))
        }
        ["wscale"] => Some(TcpOption::WindowScale(None)),
        ["wscale", shift] => shift.parse().ok().map(Some).map(TcpOption::WindowScale),
        _ => None,
    };
    let known = "`mss 1460`, `sackOK`, `wscale 7`, `TS val 1 ecr 2`, `sack 1:1461`, `nop`, `eol`, `...`";
    option.map_or_else(|| mistake(span, format!("`{text}` is not a TCP option"), known), Ok)
}

fn parse_arp(words: &mut Words<'_>) -> Parsed<Shape> {
    let (word, span) = words.word();
    match word {
        "reply" => Ok(Shape::ArpReply { address: None, hardware: None }),
        "request" => Ok(Shape::ArpRequest { address: None, tell: None }),
        "who-has" => {
            let address = if words.is_over() { None } else { Some(number(words, "an IPv4 address")?) };
            let tell = match words.peek() {
                ("tell", _) => {
                    words.word();
                    Some(number(words, "an IPv4 address")?)
                }
                _ => None,
            };
            Ok(Shape::ArpRequest { address, tell })
        }
        _ => {
            let Ok(address) = word.parse() else {
                let label = "`who-has 10.0.0.2`, `10.0.0.2 is-at`, `request` or `reply`";
                return mistake(span, format!("`{word}` is nothing that ARP says"), label);
            };
            let (verb, span) = words.word();
            if verb != "is-at" {
                return mistake(span, "an ARP reply says where", "`is-at` belongs here");
            }
            let hardware = if words.is_over() { None } else { Some(parse_hardware(words)?) };
            Ok(Shape::ArpReply { address: Some(address), hardware })
        }
    }
}

fn parse_hardware(words: &mut Words<'_>) -> Parsed<[u8; 6]> {
    let (word, span) = words.word();
    let bytes: Option<Vec<u8>> = word.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let address = bytes.and_then(|bytes| bytes.try_into().ok());
    address
        .map_or_else(|| mistake(span, format!("`{word}` is not a hardware address"), "such as `02:00:00:00:00:02`"), Ok)
}

fn parse_fragment(words: &mut Words<'_>) -> Parsed<Shape> {
    let (word, span) = words.word();
    let (first, last, _, more) = parse_range(word, &span)?;
    Ok(Shape::Fragment { first: first as usize, last: last as usize, more })
}

fn parse_icmp(words: &mut Words<'_>) -> Parsed<Shape> {
    let (word, span) = words.word();
    let named = ICMP_NAMES.iter().position(|row| row.0 == word).map(IcmpName::Named);
    let numbers = || {
        let (kind, code) = word.split_once('/')?;
        Some(IcmpName::Number(kind.parse().ok()?, code.parse().ok()?))
    };
    let Some(what) = named.or_else(numbers) else {
        let label = nearest(word, ICMP_NAMES.iter().map(|row| row.0)).map_or_else(
            || "such as `echo-request`, `time-exceeded`, `port-unreachable`, or type and code: `11/0`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return mistake(span, format!("`{word}` is not an ICMP message"), label);
    };
    let sequence = match words.peek() {
        ("seq", _) => {
            words.word();
            Some(number(words, "a sequence number")?)
        }
        _ => None,
    };
    Ok(Shape::Icmp { what, sequence, length: parse_length(words)? })
}

/// `(11)`, if it is there.
fn parse_length(words: &mut Words<'_>) -> Parsed<Option<usize>> {
    let (word, span) = words.peek();
    let Some(inner) = word.strip_prefix('(') else { return Ok(None) };
    words.word();
    let length = inner.strip_suffix(')').and_then(|length| length.parse().ok());
    length
        .map_or_else(|| mistake(span, format!("`{word}` is not a length"), "such as `(11)`"), |length| Ok(Some(length)))
}
