//! A TCP segment: `Flags [P.], seq 1:101, ack 1, win 64240, options [nop,nop,TS val 1 ecr 2], length 100`.

use std::fmt;

use smoltcp::wire::TcpOption;

use super::Summary;
use crate::wire::conversation::Segment;
use crate::wire::view::tcp_header_bytes;

/// Flags by their bit, in tcpdump's order, each with its letter and its name.
pub(super) const FLAGS: [(u8, &str, &str); 8] = [
    (0x01, "F", "FIN"),
    (0x02, "S", "SYN"),
    (0x04, "R", "RST"),
    (0x08, "P", "PSH"),
    (0x10, ".", "ACK"),
    (0x20, "U", "URG"),
    (0x40, "E", "ECE"),
    (0x80, "W", "CWR"),
];

impl Summary<'_> {
    /// `claimed` is the segment's length by what the IP header says.
    pub(super) fn write_tcp(&self, f: &mut fmt::Formatter<'_>, tcp: &[u8], claimed: usize) -> fmt::Result {
        let Some(segment) = Segment::read(tcp, claimed) else {
            return match (tcp_header_bytes(tcp), tcp.get(12)) {
                (None, Some(length)) if tcp.len() >= 20 => write!(f, "[bad tcp header length {}]", (length >> 4) * 4),
                _ => f.write_str("[truncated tcp]"),
            };
        };
        f.write_str("Flags [")?;
        if segment.flags == 0 {
            f.write_str("none")?;
        }
        for (bit, letter, _) in FLAGS {
            if segment.flags & bit != 0 {
                f.write_str(letter)?;
            }
        }
        f.write_str("]")?;
        let first = self.relative.sequence(segment.sequence);
        if segment.length > 0 {
            write!(f, ", seq {first}:{}", first.wrapping_add(segment.length))?;
        } else if segment.is_syn() || segment.is_fin() || segment.is_rst() {
            write!(f, ", seq {first}")?;
        }
        if segment.is_ack() {
            write!(f, ", ack {}", self.relative.acknowledgment(segment.acknowledgment))?;
        }
        write!(f, ", win {}", segment.window)?;
        if segment.flags & 0x20 != 0 {
            write!(f, ", urg {}", segment.urgent)?;
        }
        self.write_options(f, segment.options)?;
        write!(f, ", length {}", segment.length)
    }

    fn write_options(&self, f: &mut fmt::Formatter<'_>, mut options: &[u8]) -> fmt::Result {
        if options.is_empty() {
            return Ok(());
        }
        let mut separator = ", options [";
        while !options.is_empty() {
            f.write_str(separator)?;
            separator = ",";
            let Ok((rest, option)) = TcpOption::parse(options) else {
                f.write_str("bad opt")?;
                break;
            };
            options = rest;
            match option {
                TcpOption::EndOfList => {
                    f.write_str("eol")?;
                    break;
                }
                TcpOption::NoOperation => f.write_str("nop")?,
                TcpOption::MaxSegmentSize(size) => write!(f, "mss {size}")?,
                TcpOption::WindowScale(shift) => write!(f, "wscale {shift}")?,
                TcpOption::SackPermitted => f.write_str("sackOK")?,
                TcpOption::SackRange(ranges) => {
                    let ranges = ranges.iter().flatten();
                    write!(f, "sack {} ", ranges.clone().count())?;
                    for (left, right) in ranges {
                        // What is acknowledged are the peer's numbers.
                        let (left, right) = (self.relative.acknowledgment(*left), self.relative.acknowledgment(*right));
                        write!(f, "{{{left}:{right}}}")?;
                    }
                }
                TcpOption::TimeStamp { tsval, tsecr } => write!(f, "TS val {tsval} ecr {tsecr}")?,
                TcpOption::Unknown { kind, data } => {
                    write!(f, "unknown-{kind}")?;
                    if !data.is_empty() {
                        f.write_str(" 0x")?;
                    }
                    for byte in data {
                        write!(f, "{byte:02x}")?;
                    }
                }
            }
        }
        f.write_str("]")
    }
}
