//! IPv4 options in a few words: ` [RR r1,server]`, ` [TS r1@1001,server@1022]`, ` [LSRR]`.
//!
//! Only what has been recorded is shown, not the room that is left. Most packets have no options at all.

use std::fmt;
use std::net::IpAddr;

use super::Summary;
use crate::wire::view::{Ip, be32};

const FIXED_HEADER_BYTES: usize = 20;

impl Summary<'_> {
    /// What the options of an IPv4 header say; of a record, if it is to be `brief`, only how long it is and its end.
    pub(super) fn write_ip_options(&self, f: &mut fmt::Formatter<'_>, ip: &Ip<'_>, brief: bool) -> fmt::Result {
        let options = ip.header.get(FIXED_HEADER_BYTES..).filter(|_| ip.source.is_ipv4());
        let mut rest = options.unwrap_or_default();
        // RFC 791: type 0 ends the list, type 1 is a single byte.
        while let Some(kind) = rest.first().filter(|kind| **kind != 0) {
            if *kind == 1 {
                rest = &rest[1..];
                continue;
            }
            let length = rest.get(1).map_or(0, |length| usize::from(*length));
            let Some(option) = rest.get(..length).filter(|_| length >= 2) else {
                return f.write_str(" [truncated ip option]");
            };
            self.write_ip_option(f, *kind, option, brief)?;
            rest = &rest[length..];
        }
        Ok(())
    }

    fn write_ip_option(&self, f: &mut fmt::Formatter<'_>, kind: u8, option: &[u8], brief: bool) -> fmt::Result {
        // The pointer counts from 1 to where the next entry goes.
        let used = option.get(2).map_or(0, |pointer| usize::from(*pointer).saturating_sub(1).min(option.len()));
        match kind {
            7 => {
                let entries: Vec<usize> = (3..used).step_by(4).collect();
                self.write_record(f, "RR", &entries, brief, |f, at| self.write_address(f, option, at))
            }
            68 => {
                let has_addresses = option.get(3).is_some_and(|flags| flags & 0x0f != 0);
                let entries: Vec<usize> = (4..used).step_by(if has_addresses { 8 } else { 4 }).collect();
                self.write_record(f, "TS", &entries, brief, |f, at| {
                    if has_addresses {
                        self.write_address(f, option, at)?;
                        f.write_str("@")?;
                    }
                    let time = be32(option, if has_addresses { at + 4 } else { at });
                    time.map_or(Ok(()), |time| write!(f, "{time}"))
                })
            }
            131 => f.write_str(" [LSRR]"),
            137 => f.write_str(" [SSRR]"),
            148 => f.write_str(" [RA]"),
            other => write!(f, " [ip option {other}]"),
        }
    }

    /// ` [RR r1,server]`, or ` [RR 2: server]`.
    fn write_record(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        entries: &[usize],
        brief: bool,
        write: impl Fn(&mut fmt::Formatter<'_>, usize) -> fmt::Result,
    ) -> fmt::Result {
        write!(f, " [{name}")?;
        match entries {
            [] => {}
            [.., last] if brief => {
                write!(f, " {}: ", entries.len())?;
                write(f, *last)?;
            }
            all => {
                for (index, at) in all.iter().enumerate() {
                    f.write_str(if index == 0 { " " } else { "," })?;
                    write(f, *at)?;
                }
            }
        }
        f.write_str("]")
    }

    fn write_address(&self, f: &mut fmt::Formatter<'_>, option: &[u8], at: usize) -> fmt::Result {
        be32(option, at).map_or(Ok(()), |bits| write!(f, "{}", self.host(IpAddr::V4(bits.into()))))
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::summary::{Numeric, Summary, summarize};
    use crate::wire::{Frame, Layer, Pool};
    use proptest::prelude::*;

    /// A packet of some protocol, from 10.0.0.1 to 10.0.0.2, with these options.
    fn packet(options: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45 + (options.len() / 4) as u8, 0, 0, 20 + options.len() as u8, 0, 0, 0, 0, 64, 99];
        packet.extend([0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(options);
        packet
    }

    fn line(options: &[u8]) -> String {
        let mut pool = Pool::default();
        summarize(&Frame::new(pool.copy(&packet(options)), Layer::Ip), &Numeric)
    }

    #[test]
    fn in_a_diagram_a_record_shows_its_length_and_its_end() {
        let mut pool = Pool::default();
        let frame = Frame::new(pool.copy(&packet(&[7, 11, 12, 10, 0, 0, 7, 10, 0, 1, 7, 0])), Layer::Ip);
        assert_eq!(Summary::new(&frame, &Numeric).short().to_string(), "ip-proto-99 [RR 2: 10.0.1.7]");
    }

    fn told(options: &[u8]) -> String {
        line(options).split_once("length 0").unwrap().1.to_owned()
    }

    #[test]
    fn records_show_what_they_hold() {
        assert_eq!(told(&[]), "");
        assert_eq!(told(&[1, 7, 7, 4, 0, 0, 0, 0]), " [RR]");
        assert_eq!(told(&[7, 11, 12, 10, 0, 0, 7, 10, 0, 1, 7, 0]), " [RR 10.0.0.7,10.0.1.7]");
        assert_eq!(told(&[68, 12, 13, 1, 10, 0, 0, 7, 0, 0, 3, 0xe9]), " [TS 10.0.0.7@1001]");
        assert_eq!(told(&[68, 8, 9, 0, 0, 0, 3, 0xe9]), " [TS 1001]");
        assert_eq!(told(&[148, 4, 0, 0, 131, 4, 4, 0, 94, 2, 0, 0]), " [RA] [LSRR] [ip option 94]");
    }

    #[test]
    fn broken_options_end_the_list() {
        assert_eq!(told(&[7, 9, 4, 0]), " [truncated ip option]");
        assert_eq!(told(&[1, 1, 1, 7]), " [truncated ip option]");
    }

    proptest! {
        #[test]
        fn no_options_are_too_strange(words in prop::collection::vec(any::<[u8; 4]>(), 0..10)) {
            let _ = line(&words.concat());
        }
    }
}
