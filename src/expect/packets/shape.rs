//! What a packet looks like on a line: `S. 0:0(0) ack 1 win 64240 <mss 1460>`.
//!
//! The same type says what is expected and what was seen. What is expected may leave things out; what was seen has
//! everything.

use std::fmt;
use std::net::Ipv4Addr;

/// The shape of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `arp 10.0.0.2 is-at 02:00:00:00:00:02`
    ArpReply { address: Option<Ipv4Addr>, hardware: Option<[u8; 6]> },
    /// `arp who-has 10.0.0.2 tell 10.0.0.1`
    ArpRequest { address: Option<Ipv4Addr>, tell: Option<Ipv4Addr> },
    /// `ether 0x88cc (46)`: what is neither ARP nor IP.
    Ether { ethertype: u16, length: Option<usize> },
    /// `frag 1480:2008(528)`; `+` behind it if more follow.
    Fragment { first: usize, last: usize, more: bool },
    /// `icmp echo-request seq 1 (56)`
    Icmp { what: IcmpName, sequence: Option<u16>, length: Option<usize> },
    /// `ip 47 (20)`: another protocol's number.
    Ip { protocol: u8, length: Option<usize> },
    /// `P. 1:6(5) ack 1 win 1024 <nop>`
    Tcp(Tcp),
    /// `udp (11)`
    Udp { length: Option<usize> },
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tcp {
    /// As in the header's low eight bits.
    pub(super) flags: u8,
    pub(super) sequence: Option<Sequence>,
    pub(super) ack: Option<u32>,
    pub(super) window: Option<u16>,
    pub(super) options: Option<TcpOptions>,
}

/// Relative sequence numbers: `first:last(length)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) first: u32,
    pub(super) length: u32,
}

/// `<mss 1460,sackOK,...>`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TcpOptions {
    pub(super) list: Vec<TcpOption>,
    /// `...`: others may follow.
    pub(super) is_open: bool,
}

/// One TCP option; padding (`nop`, `eol`) is not looked at. What an expectation leaves out is not looked at either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TcpOption {
    /// `mss 1460`
    MaximumSegmentSize(Option<u16>),
    /// `opt 254`
    Other(u8),
    /// `sack 1461:2921`, relative numbers
    Sack(Vec<(u32, u32)>),
    /// `sackOK`
    SackPermitted,
    /// `TS val 1 ecr 2`
    Timestamps(Option<(u32, u32)>),
    /// `wscale 7`
    WindowScale(Option<u8>),
}

/// An ICMP message's name: a row of [`ICMP_NAMES`], or a type and code that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IcmpName {
    /// A row of the table.
    Named(usize),
    /// `11/0`
    Number(u8, u8),
}

/// One row: name, then type and code in ICMP and in ICMPv6; a code that is left out is any.
type IcmpRow = (&'static str, Option<(u8, Option<u8>)>, Option<(u8, Option<u8>)>);

/// Specific names before general ones: the first that fits is what a message is called.
pub(super) const ICMP_NAMES: [IcmpRow; 22] = [
    ("echo-reply", Some((0, None)), Some((129, None))),
    ("echo-request", Some((8, None)), Some((128, None))),
    ("net-unreachable", Some((3, Some(0))), Some((1, Some(0)))),
    ("host-unreachable", Some((3, Some(1))), Some((1, Some(3)))),
    ("protocol-unreachable", Some((3, Some(2))), None),
    ("port-unreachable", Some((3, Some(3))), Some((1, Some(4)))),
    ("fragmentation-needed", Some((3, Some(4))), None),
    ("packet-too-big", None, Some((2, None))),
    ("net-prohibited", Some((3, Some(9))), None),
    ("host-prohibited", Some((3, Some(10))), None),
    ("prohibited", Some((3, Some(13))), Some((1, Some(1)))),
    ("unreachable", Some((3, None)), Some((1, None))),
    ("redirect", Some((5, None)), Some((137, None))),
    ("time-exceeded", Some((11, Some(0))), Some((3, Some(0)))),
    ("reassembly-time-exceeded", Some((11, Some(1))), Some((3, Some(1)))),
    ("parameter-problem", Some((12, None)), Some((4, None))),
    ("timestamp-request", Some((13, None)), None),
    ("timestamp-reply", Some((14, None)), None),
    ("router-solicitation", None, Some((133, None))),
    ("router-advertisement", None, Some((134, None))),
    ("neighbor-solicitation", None, Some((135, None))),
    ("neighbor-advertisement", None, Some((136, None))),
];

/// Each flag's letter, as packetdrill orders them when it prints.
pub(super) const TCP_FLAGS: [(char, u8); 8] =
    [('S', 0x02), ('F', 0x01), ('R', 0x04), ('P', 0x08), ('U', 0x20), ('E', 0x40), ('W', 0x80), ('.', 0x10)];

impl IcmpName {
    /// What a message of this type and code is called.
    pub(super) fn of(is_v6: bool, kind: u8, code: u8) -> Self {
        let fits = |row: &IcmpRow| {
            let wanted = if is_v6 { row.2 } else { row.1 };
            wanted.is_some_and(|(wanted, codes)| wanted == kind && codes.is_none_or(|only| only == code))
        };
        ICMP_NAMES.iter().position(fits).map_or(Self::Number(kind, code), Self::Named)
    }

    /// Whether a message of this name is one of `other`'s: `port-unreachable` is `unreachable`.
    fn covers(self, other: Self) -> bool {
        let (mine, theirs) = match (self, other) {
            (Self::Named(mine), Self::Named(theirs)) => (mine, theirs),
            (Self::Number(kind, code), Self::Named(_)) => {
                return [false, true].map(|v6| Self::of(v6, kind, code)).contains(&other);
            }
            _ => return self == other,
        };
        let includes = |mine: Option<(u8, Option<u8>)>, theirs: Option<(u8, Option<u8>)>| match (mine, theirs) {
            (Some((mine, None)), Some((theirs, _))) => mine == theirs,
            _ => false,
        };
        let (mine_row, theirs_row) = (&ICMP_NAMES[mine], &ICMP_NAMES[theirs]);
        mine == theirs || includes(mine_row.1, theirs_row.1) || includes(mine_row.2, theirs_row.2)
    }
}

impl Shape {
    /// How what was seen differs from this, phrase by phrase: empty if it does not.
    pub(super) fn differences(&self, seen: &Self) -> Vec<String> {
        let mut differences = Differences::default();
        match (self, seen) {
            (Self::Tcp(wanted), Self::Tcp(seen)) => wanted.compare(seen, &mut differences),
            (
                Self::ArpReply { address, hardware },
                Self::ArpReply { address: seen_address, hardware: seen_hardware },
            ) => {
                differences.compare("address", address.as_ref(), seen_address.as_ref());
                let text = |hardware: &Option<[u8; 6]>| hardware.as_ref().map(hardware_text);
                differences.compare("hardware address", text(hardware).as_ref(), text(seen_hardware).as_ref());
            }
            (Self::ArpRequest { address, tell }, Self::ArpRequest { address: seen_address, tell: seen_tell }) => {
                differences.compare("address", address.as_ref(), seen_address.as_ref());
                differences.compare("tell", tell.as_ref(), seen_tell.as_ref());
            }
            (Self::Ether { ethertype, length }, Self::Ether { ethertype: seen_type, length: seen_length })
                if ethertype == seen_type =>
            {
                differences.compare("length", length.as_ref(), seen_length.as_ref());
            }
            (Self::Ip { protocol, length }, Self::Ip { protocol: seen_protocol, length: seen_length })
                if protocol == seen_protocol =>
            {
                differences.compare("length", length.as_ref(), seen_length.as_ref());
            }
            (
                Self::Icmp { what, sequence, length },
                Self::Icmp { what: seen_what, sequence: seen_sequence, length: seen_length },
            ) if what.covers(*seen_what) => {
                differences.compare("seq", sequence.as_ref(), seen_sequence.as_ref());
                differences.compare("length", length.as_ref(), seen_length.as_ref());
            }
            (Self::Udp { length }, Self::Udp { length: seen_length }) => {
                differences.compare("length", length.as_ref(), seen_length.as_ref());
            }
            (wanted, seen) if wanted == seen => {}
            (wanted, seen) => differences.list.push(format!("expected {wanted}, seen {seen}")),
        }
        differences.list
    }
}

impl Tcp {
    fn compare(&self, seen: &Self, differences: &mut Differences) {
        if self.flags != seen.flags {
            let (wanted, seen) = (flags_text(self.flags), flags_text(seen.flags));
            differences.list.push(format!("flags: expected {wanted}, seen {seen}"));
        }
        differences.compare("sequence", self.sequence.as_ref(), seen.sequence.as_ref());
        differences.compare("ack", self.ack.as_ref(), seen.ack.as_ref());
        differences.compare("win", self.window.as_ref(), seen.window.as_ref());
        if let Some(wanted) = &self.options {
            let nothing = TcpOptions::default();
            let seen = seen.options.as_ref().unwrap_or(&nothing);
            if !wanted.covers(seen) {
                differences.list.push(format!("options: expected {wanted}, seen {seen}"));
            }
        }
    }
}

impl TcpOptions {
    fn covers(&self, seen: &Self) -> bool {
        let is_long_enough =
            if self.is_open { self.list.len() <= seen.list.len() } else { self.list.len() == seen.list.len() };
        is_long_enough && self.list.iter().zip(&seen.list).all(|(wanted, seen)| wanted.covers(seen))
    }
}

impl TcpOption {
    fn covers(&self, seen: &Self) -> bool {
        match (self, seen) {
            (Self::MaximumSegmentSize(None), Self::MaximumSegmentSize(_))
            | (Self::Timestamps(None), Self::Timestamps(_))
            | (Self::WindowScale(None), Self::WindowScale(_)) => true,
            (Self::Sack(wanted), Self::Sack(_)) if wanted.is_empty() => true,
            (wanted, seen) => wanted == seen,
        }
    }
}

/// Collects how two shapes differ.
#[derive(Default)]
struct Differences {
    list: Vec<String>,
}

impl Differences {
    /// Compares one part, if it is expected at all.
    fn compare<T: PartialEq + fmt::Display>(&mut self, what: &str, wanted: Option<&T>, seen: Option<&T>) {
        match (wanted, seen) {
            (Some(wanted), Some(seen)) if wanted != seen => {
                self.list.push(format!("{what}: expected {wanted}, seen {seen}"));
            }
            (Some(wanted), None) => self.list.push(format!("{what}: expected {wanted}, seen none")),
            _ => {}
        }
    }
}

fn flags_text(flags: u8) -> String {
    let text: String = TCP_FLAGS.iter().filter(|(_, bit)| flags & bit != 0).map(|(letter, _)| *letter).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

fn hardware_text(address: &[u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArpReply { address: None, .. } => f.write_str("arp reply"),
            Self::ArpReply { address: Some(address), hardware } => {
                write!(f, "arp {address} is-at")?;
                part(f, " ", hardware.as_ref().map(hardware_text).as_ref())
            }
            Self::ArpRequest { address, tell } => {
                f.write_str("arp who-has")?;
                part(f, " ", address.as_ref())?;
                part(f, " tell ", tell.as_ref())
            }
            Self::Ether { ethertype, length } => {
                write!(f, "ether {ethertype:#06x}")?;
                in_parentheses(f, *length)
            }
            Self::Fragment { first, last, more } => {
                write!(f, "frag {first}:{last}({})", last.saturating_sub(*first))?;
                f.write_str(if *more { "+" } else { "" })
            }
            Self::Icmp { what, sequence, length } => {
                write!(f, "icmp {what}")?;
                part(f, " seq ", sequence.as_ref())?;
                in_parentheses(f, *length)
            }
            Self::Ip { protocol, length } => {
                write!(f, "ip {protocol}")?;
                in_parentheses(f, *length)
            }
            Self::Tcp(tcp) => write!(f, "{tcp}"),
            Self::Udp { length } => {
                f.write_str("udp")?;
                in_parentheses(f, *length)
            }
        }
    }
}

impl fmt::Display for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&flags_text(self.flags))?;
        part(f, " ", self.sequence.as_ref())?;
        part(f, " ack ", self.ack.as_ref())?;
        part(f, " win ", self.window.as_ref())?;
        part(f, " ", self.options.as_ref())
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}({})", self.first, self.first.wrapping_add(self.length), self.length)
    }
}

impl fmt::Display for TcpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.list.iter().map(ToString::to_string).collect();
        if self.is_open {
            words.push("...".to_owned());
        }
        write!(f, "<{}>", words.join(","))
    }
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaximumSegmentSize(size) => {
                f.write_str("mss")?;
                part(f, " ", size.as_ref())
            }
            Self::Other(kind) => write!(f, "opt {kind}"),
            Self::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            Self::SackPermitted => f.write_str("sackOK"),
            Self::Timestamps(None) => f.write_str("TS"),
            Self::Timestamps(Some((value, echo))) => write!(f, "TS val {value} ecr {echo}"),
            Self::WindowScale(shift) => {
                f.write_str("wscale")?;
                part(f, " ", shift.as_ref())
            }
        }
    }
}

impl fmt::Display for IcmpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(row) => f.write_str(ICMP_NAMES[*row].0),
            Self::Number(kind, code) => write!(f, "{kind}/{code}"),
        }
    }
}

/// Something that may be absent, with what stands before it.
fn part<T: fmt::Display>(f: &mut fmt::Formatter<'_>, before: &str, value: Option<&T>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, "{before}{value}"))
}

fn in_parentheses(f: &mut fmt::Formatter<'_>, length: Option<usize>) -> fmt::Result {
    length.map_or(Ok(()), |length| write!(f, " ({length})"))
}
