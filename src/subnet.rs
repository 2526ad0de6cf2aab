//! Networks, divided: into equal subnets, or into subnets just large enough for so many hosts.
//!
//! Arithmetic on prefixes and the tables that show it, for whoever learns or plans addressing; scenarios find their own
//! subnets elsewhere.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// How many rows of a table are shown; of a longer one the first and the last.
const ROWS_MAX: usize = 64;

/// How many rows of a table that is too long are shown from its beginning.
const ROWS_FIRST: u128 = 16;

/// How many subnets may be asked for by hosts.
const HOSTS_MAX: usize = 1024;

/// The longest IPv6 prefix whose first address belongs to all its routers: on a /127 both are hosts' (RFC 6164 §6).
const ANYCAST_PREFIX_MAX: u8 = 126;

/// What cannot be divided, and what could.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SubnetError(String);

/// A network, and an address in it that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    named: IpNet,
}

/// One subnet of a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its addresses.
    pub net: IpNet,
    /// For how many hosts it was asked, if it was.
    pub hosts: Option<u128>,
}

impl Plan {
    /// Reads `10.0.0.0/24`, `10.0.0.77/24`, `2001:db8::/48`; a mask may stand for the length: `10.0.0.0/255.255.255.0`.
    ///
    /// # Errors
    ///
    /// What is wrong, and what would be right.
    pub fn read(text: &str) -> Result<Self, SubnetError> {
        let wrong = |what: String| Err(SubnetError(what));
        let Some((address, length)) = text.split_once('/') else {
            return match text.parse::<IpAddr>() {
                Ok(address) => {
                    let likely = if address.is_ipv4() { 24 } else { 64 };
                    wrong(format!("`{text}` says nothing about its network: `{text}/{likely}`, for example"))
                }
                Err(_) => wrong(format!("`{text}` is no network: write an address and a prefix length, `10.0.0.0/24`")),
            };
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return wrong(format!("`{address}` is no address: four numbers from 0 to 255, or an IPv6 address"));
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match (length.parse::<u8>(), length.parse::<Ipv4Addr>()) {
            (Ok(length), _) if length <= most => length,
            (Ok(length), _) => return wrong(format!("/{length} is too long: such an address has {most} bits")),
            (_, Ok(mask)) if address.is_ipv4() => match ipnet::ipv4_mask_to_prefix(mask) {
                Ok(length) => length,
                Err(_) => return wrong(format!("{mask} is no mask: its ones must stand before its zeros")),
            },
            _ => return wrong(format!("`/{length}` is no prefix length: a number from 0 to {most}")),
        };
        let named = IpNet::new(address, length).map_err(|error| SubnetError(error.to_string()))?;
        Ok(Self { named })
    }

    /// The whole network.
    #[must_use]
    pub fn net(&self) -> IpNet {
        self.named.trunc()
    }

    /// How many subnets of a prefix length there are.
    ///
    /// # Errors
    ///
    /// When the length is shorter than the network's own, or longer than an address.
    pub fn count(&self, length: u8) -> Result<u128, SubnetError> {
        let (own, most) = (self.net().prefix_len(), self.net().max_prefix_len());
        if length > most {
            return Err(SubnetError(format!("/{length} is too long: such an address has {most} bits")));
        }
        match length.checked_sub(own) {
            Some(bits) => Ok(1_u128.checked_shl(bits.into()).unwrap_or(u128::MAX)),
            None => {
                let title =
                    format!("{} cannot be divided into /{length}: a /{length} is larger than a /{own}", self.net());
                let hint = if own < most { format!("; try /{}", own + 1) } else { String::new() };
                Err(SubnetError(title + &hint))
            }
        }
    }

    /// The subnet of a prefix length that has a number, from 0.
    fn share(&self, length: u8, index: u128) -> Share {
        let step = u32::from(self.net().max_prefix_len() - length);
        let first = bits(self.net().network()) + index.checked_shl(step).unwrap_or(0);
        Share { net: net(self.net().network().is_ipv4(), first, length), hosts: None }
    }

    /// Subnets for so many hosts each, no larger than needed, the largest first so that none is wasted between them.
    ///
    /// # Errors
    ///
    /// When they do not fit.
    pub fn for_hosts(&self, hosts: &[u128]) -> Result<Vec<Share>, SubnetError> {
        let (is_v4, most) = (self.net().network().is_ipv4(), self.net().max_prefix_len());
        if hosts.is_empty() || hosts.contains(&0) {
            return Err(SubnetError("a subnet needs a host: `--hosts 50,20,10`".to_owned()));
        }
        if hosts.len() > HOSTS_MAX {
            return Err(SubnetError(format!("{} subnets are more than {HOSTS_MAX}", hosts.len())));
        }
        let mut wanted: Vec<(u8, u128)> = Vec::new();
        for count in hosts {
            let length = length_for(*count, is_v4)
                .ok_or_else(|| SubnetError(format!("no network has room for {count} hosts")))?;
            wanted.push((length, *count));
        }
        wanted.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let room = 1_u128.checked_shl(u32::from(most - self.net().prefix_len())).unwrap_or(u128::MAX);
        let needed = wanted.iter().map(|(length, _)| size(*length, most)).fold(0_u128, u128::saturating_add);
        if needed > room {
            let enough = (0..=most).rev().find(|length| size(*length, most) >= needed);
            let hint = enough.map_or_else(String::new, |length| format!(": a /{length} would be large enough"));
            return Err(SubnetError(format!(
                "these subnets take {needed} addresses, and {} has {room}{hint}",
                self.net()
            )));
        }
        let mut next = bits(self.net().network());
        let shares = wanted.iter().map(|(length, count)| {
            let share = Share { net: net(is_v4, next, *length), hosts: Some(*count) };
            next = next.saturating_add(size(*length, most));
            share
        });
        Ok(shares.collect())
    }

    /// The network itself, as text.
    #[must_use]
    pub fn describe(&self) -> String {
        let net = self.net();
        let mut text = format!(
            "{net}: {} address{}\n\n",
            count_of(&net),
            if net.prefix_len() == net.max_prefix_len() { "" } else { "es" }
        );
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<10}  {value}");
        };
        row("network", net.network().to_string());
        if net.network().is_multicast() {
            // Each address is a group: none is a host's, none the network's or for all in it.
            row("groups", format!("{} - {}, {} of them", net.network(), net.broadcast(), count_of(&net)));
        } else {
            if let IpNet::V4(v4) = net {
                row("broadcast", broadcast_of(&v4));
            }
            row("hosts", format!("{}, {} of them", range_of(&net), hosts_in(&net)));
            if net.network().is_ipv6() && net.prefix_len() <= ANYCAST_PREFIX_MAX {
                row("anycast", format!("{}, which every router of the subnet hears (RFC 4291 §2.6.1)", net.network()));
            }
        }
        if let IpNet::V4(v4) = net {
            row("mask", v4.netmask().to_string());
            row("wildcard", v4.hostmask().to_string());
        }
        if self.named.addr() != net.network() {
            row(
                "named",
                format!("{}, number {} in it", self.named.addr(), bits(self.named.addr()) - bits(net.network())),
            );
        }
        if let Some(kind) = kind_of(net) {
            row("kind", kind.to_owned());
        }
        let _ = writeln!(text, "\n  {}  address", binary(self.named.addr(), &[net.prefix_len()]));
        if let IpNet::V4(v4) = net {
            let _ = writeln!(text, "  {}  mask", binary(v4.netmask().into(), &[net.prefix_len()]));
        }
        let _ = writeln!(text, "  {}", legend(&net, None));
        text
    }

    /// Equal subnets of a prefix length, as text.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn divided(&self, length: u8) -> Result<String, SubnetError> {
        let count = self.count(length)?;
        let one = self.share(length, 0).net;
        let hosts = hosts_in(&one);
        let mut text = format!(
            "{} into {} subnet{} of /{length}: {hosts} host{} each\n\n",
            self.net(),
            power(length - self.net().prefix_len()),
            if count == 1 { "" } else { "s" },
            if hosts == "1" { "" } else { "s" },
        );
        let is_short = count <= ROWS_MAX as u128;
        let first = if is_short { count } else { ROWS_FIRST };
        let mut shares: Vec<(u128, Share)> = (0..first).map(|index| (index, self.share(length, index))).collect();
        if !is_short {
            let last = if length - self.net().prefix_len() == 128 { u128::MAX } else { count - 1 };
            shares.push((last, self.share(length, last)));
        }
        text.push_str(&self.table(&shares));
        Ok(text)
    }

    /// Subnets for so many hosts each, as text.
    ///
    /// # Errors
    ///
    /// When they do not fit.
    pub fn divided_for(&self, hosts: &[u128]) -> Result<String, SubnetError> {
        let shares = self.for_hosts(hosts)?;
        let net = self.net();
        let mut text = format!("{net} for {} subnets, the largest first\n\n", shares.len());
        let numbered: Vec<(u128, Share)> = (0..).zip(shares.iter().copied()).collect();
        text.push_str(&self.table(&numbered));
        let (most, length) = (net.max_prefix_len(), net.prefix_len());
        if net.network().is_ipv6() {
            let _ =
                writeln!(text, "\n  {} of {} subnets of /64 taken", shares.len(), power(64_u8.saturating_sub(length)));
            return Ok(text);
        }
        let taken = shares.iter().map(|share| size(share.net.prefix_len(), most)).fold(0_u128, u128::saturating_add);
        let left = size(length, most).saturating_sub(taken);
        let _ = writeln!(text, "\n  {taken} addresses taken, {left} left");
        Ok(text)
    }

    fn table(&self, shares: &[(u128, Share)]) -> String {
        let is_v4 = self.net().network().is_ipv4();
        let mut head = vec!["#", "network", "hosts"];
        if is_v4 {
            head.extend(["broadcast", "mask", "wildcard"]);
        }
        head.push("room");
        if shares.iter().any(|(_, share)| share.hosts.is_some()) {
            head.push("asked");
        }
        let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
        for (index, share) in shares {
            let mut row = vec![ordinal(*index), share.net.to_string(), range_of(&share.net)];
            if let IpNet::V4(v4) = share.net {
                row.extend([broadcast_of(&v4), v4.netmask().to_string(), v4.hostmask().to_string()]);
            }
            row.push(hosts_in(&share.net));
            row.extend(share.hosts.map(|hosts| hosts.to_string()));
            rows.push(row);
        }
        let gap = shares.windows(2).position(|pair| pair[1].0 != pair[0].0 + 1);
        let mut text = aligned(&rows, gap.map(|at| at + 2));
        text.push('\n');
        for (at, (index, share)) in shares.iter().enumerate() {
            let marks = [self.net().prefix_len(), share.net.prefix_len()];
            let _ = writeln!(text, "  {:>3}  {}", ordinal(*index), binary(share.net.network(), &marks));
            if gap == Some(at) {
                text.push_str("    …\n");
            }
        }
        let _ =
            writeln!(text, "       {}", legend(&self.net(), shares.first().map(|(_, share)| share.net.prefix_len())));
        text
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.net())
    }
}

/// The longest prefix with room for so many hosts.
fn length_for(hosts: u128, is_v4: bool) -> Option<u8> {
    match is_v4 {
        // The network's own address and the broadcast address are no host's.
        true => (0..=30).rev().find(|length| size(*length, 32) >= hosts.saturating_add(2)),
        // RFC 4291 §2.5.1: "all global unicast addresses other than those that start with the binary value 000 have a
        // 64-bit interface ID field", so that a subnet is a /64 for however many hosts.
        false => (hosts <= 1 << 64).then_some(64),
    }
}

/// How many addresses a prefix has.
fn size(length: u8, most: u8) -> u128 {
    1_u128.checked_shl(u32::from(most - length)).unwrap_or(u128::MAX)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

fn net(is_v4: bool, first: u128, length: u8) -> IpNet {
    match is_v4 {
        true => Ipv4Net::new_assert(Ipv4Addr::from(first as u32), length).into(),
        false => Ipv6Net::new_assert(Ipv6Addr::from(first), length).into(),
    }
}

fn count_of(net: &IpNet) -> String {
    power(net.max_prefix_len() - net.prefix_len())
}

/// Two to the power of `bits`, written out while people can read it.
fn power(bits: u8) -> String {
    match bits {
        64.. => format!("2^{bits}"),
        bits => (1_u64 << bits).to_string(),
    }
}

/// The number of a row, from 1.
fn ordinal(index: u128) -> String {
    index.checked_add(1).map_or_else(|| "2^128".to_owned(), |number| number.to_string())
}

/// How many hosts a network has room for.
fn hosts_in(net: &IpNet) -> String {
    let bits = net.max_prefix_len() - net.prefix_len();
    match (net, bits) {
        // RFC 3021: on a link between two routers both addresses of a /31 are theirs.
        (IpNet::V4(_), 0 | 1) => (1 << bits).to_string(),
        (IpNet::V4(_), _) => ((1_u64 << bits) - 2).to_string(),
        (IpNet::V6(_), _) => count_of(net),
    }
}

fn range_of(net: &IpNet) -> String {
    let (first, last) = (bits(net.network()), bits(net.broadcast()));
    let (first, last) = match (net, last - first) {
        (IpNet::V4(_), 2..) => (first + 1, last - 1),
        _ => (first, last),
    };
    let is_v4 = net.network().is_ipv4();
    let address = |bits: u128| match is_v4 {
        true => IpAddr::V4((bits as u32).into()),
        false => IpAddr::V6(bits.into()),
    };
    if first == last { address(first).to_string() } else { format!("{} - {}", address(first), address(last)) }
}

fn broadcast_of(net: &Ipv4Net) -> String {
    if net.prefix_len() >= 31 { "none".to_owned() } else { net.broadcast().to_string() }
}

fn kind_of(network: IpNet) -> Option<&'static str> {
    let kinds = [
        ("0.0.0.0/8", "this network: the source of who has no address yet (RFC 1122 §3.2.1.3)"),
        ("10.0.0.0/8", "private: not routed on the internet (RFC 1918)"),
        ("172.16.0.0/12", "private: not routed on the internet (RFC 1918)"),
        ("192.168.0.0/16", "private: not routed on the internet (RFC 1918)"),
        ("100.64.0.0/10", "shared: between a provider and its customers (RFC 6598)"),
        ("127.0.0.0/8", "loopback: the machine itself (RFC 1122 §3.2.1.3)"),
        ("169.254.0.0/16", "link-local: good on one link only (RFC 3927)"),
        ("192.0.2.0/24", "for documentation (RFC 5737)"),
        ("198.51.100.0/24", "for documentation (RFC 5737)"),
        ("203.0.113.0/24", "for documentation (RFC 5737)"),
        ("224.0.0.0/4", "multicast: groups, not hosts (RFC 5771)"),
        ("255.255.255.255/32", "limited broadcast: everybody on the link (RFC 919 §7)"),
        ("240.0.0.0/4", "reserved (RFC 1112 §4)"),
        ("::/128", "unspecified: who has no address yet (RFC 4291 §2.5.2)"),
        ("::ffff:0.0.0.0/96", "IPv4 addresses, written as of IPv6 (RFC 4291 §2.5.5.2)"),
        ("::1/128", "loopback: the machine itself (RFC 4291 §2.5.3)"),
        ("fe80::/10", "link-local: good on one link only (RFC 4291 §2.5.6)"),
        ("fc00::/7", "unique local: not routed on the internet (RFC 4193)"),
        ("2001:db8::/32", "for documentation (RFC 3849)"),
        ("ff00::/8", "multicast: groups, not hosts (RFC 4291 §2.7)"),
        ("2000::/3", "global unicast (RFC 4291 §2.4)"),
    ];
    let holds = |(net, _): &&(&str, &str)| net.parse::<IpNet>().is_ok_and(|kind| kind.contains(&network));
    kinds.iter().find(holds).map(|(_, words)| *words)
}

/// An address bit by bit, with `|` behind the bits of each length; an IPv6 address in hexadecimal digits, four bits each,
/// and a digit that a length cuts as its bits: `2001:db(10|00)`.
fn binary(address: IpAddr, marks: &[u8]) -> String {
    let mut text = String::new();
    let mark = |at: u8| if marks.contains(&at) { "|" } else { "" };
    match address {
        IpAddr::V4(v4) => {
            for bit in 0..32_u8 {
                let digit = u32::from(v4) >> (31 - bit) & 1;
                let dot = if bit > 0 && bit.is_multiple_of(8) { "." } else { "" };
                let _ = write!(text, "{dot}{}{digit}", if bit > 0 { mark(bit) } else { "" });
            }
        }
        IpAddr::V6(v6) => {
            for digit in 0..32_u8 {
                let value = u128::from(v6) >> (124 - digit * 4) & 15;
                let colon = if digit > 0 && digit.is_multiple_of(4) { ":" } else { "" };
                let _ = write!(text, "{colon}");
                if (1..4).all(|bit| mark(digit * 4 + bit).is_empty()) {
                    let _ = write!(text, "{value:x}");
                } else {
                    text.push('(');
                    for bit in 0..4_u8 {
                        let _ = write!(
                            text,
                            "{}{}",
                            if bit > 0 { mark(digit * 4 + bit) } else { "" },
                            value >> (3 - bit) & 1
                        );
                    }
                    text.push(')');
                }
                text.push_str(if digit < 31 { mark(digit * 4 + 4) } else { "" });
            }
        }
    }
    text
}

fn legend(net: &IpNet, subnet: Option<u8>) -> String {
    let unit = match net {
        IpNet::V4(_) => "",
        IpNet::V6(_) if [Some(net.prefix_len()), subnet].iter().flatten().any(|length| length % 4 > 0) => {
            " (a hexadecimal digit is four bits; those of one that is cut are in parentheses)"
        }
        IpNet::V6(_) => " (a hexadecimal digit is four bits)",
    };
    match subnet {
        Some(length) if length > net.prefix_len() => {
            let (own, added) = (net.prefix_len(), length - net.prefix_len());
            format!("the network's {own} bits | {added} that number the first subnet | the hosts'{unit}")
        }
        _ => format!("the network's {} bits | the hosts'{unit}", net.prefix_len()),
    }
}

/// Columns, with a gap before a row.
fn aligned(rows: &[Vec<String>], gap: Option<usize>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if gap == Some(index) {
            text.push_str("    …\n");
        }
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{:>1$}", cell, (*width).max(3)),
                _ => format!("{cell:<width$}"),
            })
            .collect();
        text.push_str(format!("  {}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::read(text).unwrap()
    }

    fn refused(text: &str) -> String {
        Plan::read(text).unwrap_err().to_string()
    }

    #[test]
    fn equal_subnets_stand_side_by_side() {
        insta::assert_snapshot!(plan("10.0.0.0/24").divided(26).unwrap(), @"
        10.0.0.0/24 into 4 subnets of /26: 62 hosts each

            #  network        hosts                    broadcast   mask             wildcard  room
            1  10.0.0.0/26    10.0.0.1 - 10.0.0.62     10.0.0.63   255.255.255.192  0.0.0.63  62
            2  10.0.0.64/26   10.0.0.65 - 10.0.0.126   10.0.0.127  255.255.255.192  0.0.0.63  62
            3  10.0.0.128/26  10.0.0.129 - 10.0.0.190  10.0.0.191  255.255.255.192  0.0.0.63  62
            4  10.0.0.192/26  10.0.0.193 - 10.0.0.254  10.0.0.255  255.255.255.192  0.0.0.63  62

            1  00001010.00000000.00000000.|00|000000
            2  00001010.00000000.00000000.|01|000000
            3  00001010.00000000.00000000.|10|000000
            4  00001010.00000000.00000000.|11|000000
               the network's 24 bits | 2 that number the first subnet | the hosts'
        ");
    }

    #[test]
    fn subnets_for_hosts_are_no_larger_than_needed() {
        insta::assert_snapshot!(plan("192.168.1.0/25").divided_for(&[10, 50, 20]).unwrap(), @"
        192.168.1.0/25 for 3 subnets, the largest first

            #  network          hosts                         broadcast      mask             wildcard  room  asked
            1  192.168.1.0/26   192.168.1.1 - 192.168.1.62    192.168.1.63   255.255.255.192  0.0.0.63  62    50
            2  192.168.1.64/27  192.168.1.65 - 192.168.1.94   192.168.1.95   255.255.255.224  0.0.0.31  30    20
            3  192.168.1.96/28  192.168.1.97 - 192.168.1.110  192.168.1.111  255.255.255.240  0.0.0.15  14    10

            1  11000000.10101000.00000001.0|0|000000
            2  11000000.10101000.00000001.0|10|00000
            3  11000000.10101000.00000001.0|110|0000
               the network's 25 bits | 1 that number the first subnet | the hosts'

          112 addresses taken, 16 left
        ");
        let lengths = |hosts: &[u128]| -> Vec<u8> {
            let shares = plan("10.0.0.0/8").for_hosts(hosts).unwrap();
            shares.iter().map(|share| share.net.prefix_len()).collect()
        };
        // 2^n - 2 hosts fit, one more does not.
        assert_eq!(lengths(&[1, 2, 3, 6, 7, 254, 255]), [23, 24, 28, 29, 29, 30, 30]);
    }

    #[test]
    fn a_network_is_shown_with_its_bits() {
        insta::assert_snapshot!(plan("172.16.5.77/255.255.255.192").describe(), @"
        172.16.5.64/26: 64 addresses

          network     172.16.5.64
          broadcast   172.16.5.127
          hosts       172.16.5.65 - 172.16.5.126, 62 of them
          mask        255.255.255.192
          wildcard    0.0.0.63
          named       172.16.5.77, number 13 in it
          kind        private: not routed on the internet (RFC 1918)

          10101100.00010000.00000101.01|001101  address
          11111111.11111111.11111111.11|000000  mask
          the network's 26 bits | the hosts'
        ");
    }

    #[test]
    fn ipv6_is_divided_like_anything_else() {
        insta::assert_snapshot!(plan("2001:db8:aa00::/40").divided(42).unwrap(), @"
        2001:db8:aa00::/40 into 4 subnets of /42: 2^86 hosts each

            #  network             hosts                                                     room
            1  2001:db8:aa00::/42  2001:db8:aa00:: - 2001:db8:aa3f:ffff:ffff:ffff:ffff:ffff  2^86
            2  2001:db8:aa40::/42  2001:db8:aa40:: - 2001:db8:aa7f:ffff:ffff:ffff:ffff:ffff  2^86
            3  2001:db8:aa80::/42  2001:db8:aa80:: - 2001:db8:aabf:ffff:ffff:ffff:ffff:ffff  2^86
            4  2001:db8:aac0::/42  2001:db8:aac0:: - 2001:db8:aaff:ffff:ffff:ffff:ffff:ffff  2^86

            1  2001:0db8:aa|(00|00)0:0000:0000:0000:0000:0000
            2  2001:0db8:aa|(01|00)0:0000:0000:0000:0000:0000
            3  2001:0db8:aa|(10|00)0:0000:0000:0000:0000:0000
            4  2001:0db8:aa|(11|00)0:0000:0000:0000:0000:0000
               the network's 40 bits | 2 that number the first subnet | the hosts' (a hexadecimal digit is four bits; those of one that is cut are in parentheses)
        ");
        insta::assert_snapshot!(plan("2001:db8:1::/48").divided_for(&[1000, 2]).unwrap(), @"
        2001:db8:1::/48 for 2 subnets, the largest first

            #  network            hosts                                              room  asked
            1  2001:db8:1::/64    2001:db8:1:: - 2001:db8:1:0:ffff:ffff:ffff:ffff    2^64  1000
            2  2001:db8:1:1::/64  2001:db8:1:1:: - 2001:db8:1:1:ffff:ffff:ffff:ffff  2^64  2

            1  2001:0db8:0001|:0000|:0000:0000:0000:0000
            2  2001:0db8:0001|:0001|:0000:0000:0000:0000
               the network's 48 bits | 16 that number the first subnet | the hosts' (a hexadecimal digit is four bits)

          2 of 65536 subnets of /64 taken
        ");
    }

    #[test]
    fn a_long_table_shows_its_beginning_and_its_end() {
        let text = plan("10.0.0.0/8").divided(30).unwrap();
        assert!(text.starts_with("10.0.0.0/8 into 4194304 subnets of /30: 2 hosts each"), "{text}");
        assert!(text.contains("10.255.255.252/30") && text.lines().count() < 50, "{text}");
        assert!(plan("::/0").divided(128).unwrap().contains("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_could() {
        let lines = [
            refused("10.0.0.0"),
            refused("10.0.0/24"),
            refused("10.0.0.256/24"),
            refused("10.0.0.0/33"),
            refused("10.0.0.0/255.0.255.0"),
            refused("2001:db8::/129"),
            refused("2001:db8::/ffff::"),
            refused("everything"),
            plan("10.0.0.0/24").divided(16).unwrap_err().to_string(),
            plan("10.0.0.0/24").divided(33).unwrap_err().to_string(),
            plan("10.0.0.0/26").divided_for(&[50, 20, 10]).unwrap_err().to_string(),
            plan("10.0.0.0/26").divided_for(&[0]).unwrap_err().to_string(),
            plan("10.0.0.0/26").divided_for(&[1 << 40]).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        `10.0.0.0` says nothing about its network: `10.0.0.0/24`, for example
        `10.0.0` is no address: four numbers from 0 to 255, or an IPv6 address
        `10.0.0.256` is no address: four numbers from 0 to 255, or an IPv6 address
        /33 is too long: such an address has 32 bits
        255.0.255.0 is no mask: its ones must stand before its zeros
        /129 is too long: such an address has 128 bits
        `/ffff::` is no prefix length: a number from 0 to 128
        `everything` is no network: write an address and a prefix length, `10.0.0.0/24`
        10.0.0.0/24 cannot be divided into /16: a /16 is larger than a /24; try /25
        /33 is too long: such an address has 32 bits
        these subnets take 112 addresses, and 10.0.0.0/26 has 64: a /25 would be large enough
        a subnet needs a host: `--hosts 50,20,10`
        no network has room for 1099511627776 hosts
        ");
    }

    #[test]
    fn the_smallest_networks_have_no_broadcast_address() {
        assert!(plan("10.0.0.8/31").describe().contains("10.0.0.8 - 10.0.0.9, 2 of them"));
        assert!(plan("10.0.0.9/32").describe().contains("10.0.0.9, 1 of them"));
    }

    #[test]
    fn groups_are_no_hosts_and_a_cut_digit_shows_its_bits() {
        let groups = plan("224.0.0.0/4").describe();
        assert!(groups.contains("  groups      224.0.0.0 - 239.255.255.255, 268435456 of them"), "{groups}");
        assert!(!groups.contains("broadcast") && !groups.contains("  hosts"), "{groups}");
        assert!(plan("fe80::1/10").describe().contains("  fe(10|00)0:0000"), "{}", plan("fe80::1/10").describe());
        assert!(plan("2001:db8::3/126").describe().contains(":0000:000(00|11)  address"));
        assert!(plan("2001:db8::/64").describe().contains("2001:db8::, which every router of the subnet hears"));
        assert!(!plan("2001:db8::/127").describe().contains("anycast"));
        assert!(plan("255.255.255.255/32").describe().contains("limited broadcast"));
        assert!(plan("0.0.0.0/0").describe().lines().all(|line| !line.contains("kind")), "it is of every kind");
    }

    proptest! {
        #[test]
        fn nothing_typed_breaks_it(text in "[0-9a-f:./]{0,24}", length in any::<u8>()) {
            if let Ok(plan) = Plan::read(&text) {
                let _ = (plan.describe(), plan.divided(length), plan.divided_for(&[u128::from(length), 3]));
            }
        }

        #[test]
        fn shares_lie_in_the_network_and_never_overlap(
            length in 8_u8..28,
            hosts in prop::collection::vec(1_u128..600, 1..12),
        ) {
            let plan = Plan { named: net(true, 10 << 24, length) };
            if let Ok(shares) = plan.for_hosts(&hosts) {
                prop_assert_eq!(shares.len(), hosts.len());
                for (index, share) in shares.iter().enumerate() {
                    prop_assert!(plan.net().contains(&share.net));
                    prop_assert!(share.net.trunc() == share.net, "it begins where such a network can");
                    for other in &shares[index + 1..] {
                        prop_assert!(!share.net.contains(&other.net) && !other.net.contains(&share.net));
                    }
                }
            }
        }
    }
}
