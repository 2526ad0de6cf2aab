//! What a scenario says of a DHCP server.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use smoltcp::wire::EthernetAddress;

use super::pool::{PoolSpec, Who};
use crate::net::control::InterfaceState;
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Span, Table};

/// How many ranges, fixed leases and the like a pool may have.
const LIST_MAX: usize = 4096;

/// The keys of a pool.
pub(crate) static POOL_FIELDS: &[Field] = &[SUBNET, RANGE, EXCLUDE, FIXED, LEASE, RENEW, REBIND, ROUTER, DNS, DOMAIN];

const SUBNET: Field = Field {
    name: "subnet",
    form: Form::Text,
    need: Need::Optional,
    doc: "Whose addresses are given away: `10.0.0.0/24`; that of the server's own interface if left out.",
};
const RANGE: Field = Field {
    name: "range",
    form: Form::List(&Form::Text),
    need: Need::Optional,
    doc: "Which of them: `10.0.0.100-10.0.0.199`, or a list of such; the upper half of the subnet if left out.",
};
const EXCLUDE: Field = Field {
    name: "exclude",
    form: Form::List(&Form::Text),
    need: Need::Optional,
    doc: "Addresses, or ranges of them, that are not given away all the same.",
};
const FIXED: Field = Field {
    name: "fixed",
    form: Form::Any,
    need: Need::Optional,
    doc: "A table from hardware addresses, or from names by which clients call themselves (their node's), to the address that each always gets.",
};
const LEASE: Field = Field {
    name: "lease",
    form: Form::Duration,
    need: Need::Default("1h"),
    doc: "For how long an address is given, in whole seconds.",
};
const RENEW: Field = Field {
    name: "renew",
    form: Form::Duration,
    need: Need::Optional,
    doc: "After how long a client is to ask for more time (T1); half of `lease` if left out.",
};
const REBIND: Field = Field {
    name: "rebind",
    form: Form::Duration,
    need: Need::Optional,
    doc: "After how long it is to ask any server (T2); seven eighths of `lease` if left out.",
};
const ROUTER: Field = Field {
    name: "router",
    form: Form::List(&Form::Address),
    need: Need::Optional,
    doc: "The default router that clients are told of, or several, best first; the server's own address on the subnet if it is a router, or the relay's.",
};
const DNS: Field = Field {
    name: "dns",
    form: Form::List(&Form::Address),
    need: Need::Optional,
    doc: "The name server that clients are told of, or several, best first.",
};
const DOMAIN: Field =
    Field { name: "domain", form: Form::Text, need: Need::Optional, doc: "The domain that clients are told of." };

/// A pool as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WrittenPool {
    subnet: Option<Ipv4Net>,
    ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    fixed: Vec<(Who, Ipv4Addr)>,
    times: Times,
    routers: Option<Vec<Ipv4Addr>>,
    servers: Vec<Ipv4Addr>,
    domain: Option<String>,
}

/// How long an address is given, and when its client is to ask for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    lease_for: Duration,
    renew_after: Duration,
    rebind_after: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self::of(Duration::from_secs(3600))
    }
}

impl Times {
    /// RFC 2131 §4.4.5: "T1 defaults to (0.5 * duration_of_lease). T2 defaults to (0.875 * duration_of_lease)."
    fn of(lease_for: Duration) -> Self {
        let seconds = lease_for.as_secs();
        let (renew, rebind) = (seconds / 2, seconds.saturating_mul(7) / 8);
        Self { lease_for, renew_after: Duration::from_secs(renew), rebind_after: Duration::from_secs(rebind) }
    }
}

impl WrittenPool {
    /// Reads a pool. Mistakes are reported.
    pub(super) fn read(table: &Table<'_>) -> Self {
        let subnet = table.get::<Located<String>>("subnet").and_then(|text| read_subnet(table, &text));
        let pool = Self {
            subnet,
            ranges: read_ranges(table, "range"),
            excluded: read_ranges(table, "exclude"),
            fixed: read_fixed(table),
            times: read_times(table),
            routers: table.item("router").map(|_| read_addresses(table, "router")),
            servers: read_addresses(table, "dns"),
            domain: table.get("domain"),
        };
        pool.check(table);
        pool
    }

    fn check(&self, table: &Table<'_>) {
        let Some(subnet) = self.subnet else { return };
        let report = |key: &str, address: Ipv4Addr| {
            table.report(key, format!("{address} is not in {subnet}"), "an address of the pool's subnet");
        };
        let outside =
            |(first, last): &(Ipv4Addr, Ipv4Addr)| [*first, *last].into_iter().find(|end| !subnet.contains(end));
        if let Some(address) = self.ranges.iter().find_map(outside) {
            report("range", address);
        }
        if let Some((_, address)) = self.fixed.iter().find(|(_, address)| !subnet.contains(address)) {
            report("fixed", *address);
        }
    }

    /// The pools that this one means on a machine with these interfaces.
    ///
    /// # Errors
    ///
    /// What is wrong, for a person.
    pub(super) fn pools(&self, interfaces: &[InterfaceState], forwards: bool) -> Result<Vec<PoolSpec>, String> {
        let own: Vec<Ipv4Net> = interfaces
            .iter()
            .filter(|one| !one.is_dynamic)
            // Whether it is in use yet does not matter: it will be.
            .filter_map(|one| one.addresses.first().map(|own| own.net))
            .collect();
        let written =
            self.ranges.first().map(|(first, _)| *first).or_else(|| self.fixed.first().map(|(_, address)| *address));
        let subnets: Vec<Ipv4Net> = match (self.subnet, written) {
            (Some(subnet), _) => vec![subnet.trunc()],
            (None, Some(address)) => {
                let own = own.iter().find(|net| net.contains(&address));
                let own = own.ok_or_else(|| format!("{address} is on no link of this machine: `subnet` is missing"))?;
                vec![own.trunc()]
            }
            (None, None) => own.iter().filter(|net| net.prefix_len() <= 30).map(Ipv4Net::trunc).collect(),
        };
        if subnets.is_empty() {
            return Err("no interface of this machine has a subnet to give addresses of".to_owned());
        }
        let is_in =
            |subnet: &Ipv4Net, (first, last): &(Ipv4Addr, Ipv4Addr)| subnet.contains(first) && subnet.contains(last);
        if let Some((first, last)) = self.ranges.iter().find(|range| !subnets.iter().any(|subnet| is_in(subnet, range)))
        {
            return Err(format!("{first}-{last} is not within {}", subnets[0]));
        }
        Ok(subnets.into_iter().map(|subnet| self.pool(subnet, &own, forwards)).collect())
    }

    fn pool(&self, subnet: Ipv4Net, own: &[Ipv4Net], forwards: bool) -> PoolSpec {
        let here = own.iter().map(Ipv4Net::addr).find(|address| subnet.contains(address));
        let ranges = if self.ranges.is_empty() && self.fixed.is_empty() {
            // The lower half is for those whose addresses are written or found.
            let (first, last) = (subnet.network().to_bits(), subnet.broadcast().to_bits());
            let middle = first + (last - first) / 2 + 1;
            vec![(Ipv4Addr::from_bits(middle), Ipv4Addr::from_bits(last.saturating_sub(1)))]
        } else {
            self.ranges.clone()
        };
        // Nobody can be given what is nobody's, nor the server's own address.
        let nobodys = [subnet.network(), subnet.broadcast()].into_iter().filter(|_| subnet.prefix_len() <= 30);
        let never = nobodys.chain(here).map(|address| (address, address));
        let Times { lease_for, renew_after, rebind_after } = self.times;
        PoolSpec {
            subnet,
            ranges,
            excluded: self.excluded.iter().copied().chain(never).collect(),
            fixed: self.fixed.clone(),
            lease_for,
            renew_after,
            rebind_after,
            routers: match &self.routers {
                Some(written) => Some(written.clone()),
                None => here.filter(|_| forwards).map(|here| vec![here]),
            },
            servers: self.servers.clone(),
            domain: self.domain.clone(),
        }
    }
}

fn read_subnet(table: &Table<'_>, text: &Located<String>) -> Option<Ipv4Net> {
    let subnet = text.value.parse::<Ipv4Net>().ok().filter(|subnet| (1..=30).contains(&subnet.prefix_len()));
    if subnet.is_none() {
        let title = format!("`{}` is not a subnet with room for clients", text.value);
        table.reader.report(Diagnostic::new(text.span.clone(), title).label("such as \"10.0.0.0/24\""));
    }
    subnet.map(|subnet| subnet.trunc())
}

fn read_ranges(table: &Table<'_>, key: &str) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let written: Vec<Located<String>> = table.get(key).unwrap_or_default();
    if written.len() > LIST_MAX {
        table.report(key, format!("`{key}` has {} entries", written.len()), format!("at most {LIST_MAX}"));
        return Vec::new();
    }
    let read = |text: Located<String>| {
        let (first, last) = text.value.split_once('-').unwrap_or((&text.value, &text.value));
        let ends = (first.trim().parse::<Ipv4Addr>().ok(), last.trim().parse::<Ipv4Addr>().ok());
        if let (Some(first), Some(last)) = ends
            && first <= last
        {
            return Some((first, last));
        }
        let title = format!("`{}` is not a range of addresses", text.value);
        table.reader.report(Diagnostic::new(text.span, title).label("such as \"10.0.0.100-10.0.0.199\""));
        None
    };
    written.into_iter().filter_map(read).collect()
}

fn read_addresses(table: &Table<'_>, key: &str) -> Vec<Ipv4Addr> {
    let written: Vec<Located<std::net::IpAddr>> = table.get(key).unwrap_or_default();
    let read = |address: Located<std::net::IpAddr>| match address.value {
        std::net::IpAddr::V4(v4) => Some(v4),
        std::net::IpAddr::V6(v6) => {
            let title = format!("{v6} is of no use to DHCPv4");
            table.reader.report(Diagnostic::new(address.span, title).label("an IPv4 address belongs here"));
            None
        }
    };
    written.into_iter().filter_map(read).collect()
}

fn read_fixed(table: &Table<'_>) -> Vec<(Who, Ipv4Addr)> {
    let Some(rows) = table.get::<Table<'_>>("fixed") else { return Vec::new() };
    if rows.entries().is_empty() {
        table.report("fixed", "no client is named", "such as { printer = \"10.0.0.9\" }");
    }
    let mut fixed: Vec<(Who, Ipv4Addr)> = Vec::new();
    for (key, item) in rows.entries().into_iter().take(LIST_MAX) {
        let Some(address) = read_address(&item) else { continue };
        let who = match parse_mac(key.value) {
            Some(mac) => Who::Hardware(mac),
            None if key.value.contains(':') => {
                report(
                    table,
                    key.span,
                    format!("`{}` is not a hardware address", key.value),
                    "such as \"02:00:00:00:00:01\"",
                );
                continue;
            }
            None => Who::Name(key.value.to_owned()),
        };
        if fixed.iter().any(|(_, other)| *other == address) {
            report(table, item.span, format!("{address} is fixed twice"), "each client has its own");
            continue;
        }
        fixed.push((who, address));
    }
    fixed
}

fn report(table: &Table<'_>, span: Span, title: String, label: &str) {
    table.reader.report(Diagnostic::new(span, title).label(label));
}

fn read_address(item: &Item<'_>) -> Option<Ipv4Addr> {
    let text = item.text("an address in quotes")?;
    let address = text.parse().ok();
    if address.is_none() {
        let title = format!("`{text}` is not an IPv4 address");
        item.reader.report(Diagnostic::new(item.span.clone(), title).label("such as \"10.0.0.9\""));
    }
    address
}

/// Reads `02:00:00:00:00:01`.
fn parse_mac(text: &str) -> Option<EthernetAddress> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(EthernetAddress(bytes)).filter(EthernetAddress::is_unicast)
}

fn read_times(table: &Table<'_>) -> Times {
    let default = Times::default();
    let lease = table.get("lease").unwrap_or(default.lease_for);
    let usual = Times::of(lease);
    let renew_after = table.get("renew").unwrap_or(usual.renew_after);
    let rebind_after = table.get("rebind").unwrap_or(usual.rebind_after);
    let limits = Duration::from_secs(1)..=Duration::from_secs(u32::MAX.into());
    if !limits.contains(&lease) {
        table.report("lease", "an address is given for whole seconds", "from \"1s\" to 136 years");
    } else if renew_after >= rebind_after && (table.has("renew") || table.has("rebind")) {
        // RFC 2131 §4.4.5: "T1 MUST be earlier than T2, which, in turn, MUST be earlier than the time at which the client's
        // lease will expire."
        let key = if table.has("renew") { "renew" } else { "rebind" };
        table.report(key, "a client renews before it rebinds", "`renew` is less than `rebind`");
    } else if rebind_after >= lease && table.has("rebind") {
        table.report("rebind", "a client rebinds before its lease ends", "less than `lease`");
    }
    Times { lease_for: lease, renew_after, rebind_after }
}
