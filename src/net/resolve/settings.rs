//! Where a machine asks for names, and how: `resolv.conf`.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::super::control::Resolvers;

/// How many name servers are asked; further ones are not, as everywhere (`MAXNS`).
pub const SERVERS_MAX: usize = 3;

/// What is written of a machine. What it learns by DHCP counts where nothing is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverSettings {
    /// Who is asked, first come first; the first three count.
    pub servers: Vec<IpAddr>,
    /// The domains in which short names are looked up.
    pub search: Vec<String>,
    /// How many dots a name needs to be tried as it stands before the search list is.
    pub ndots: u8,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// How often all servers are asked.
    pub attempts: u8,
}

impl Default for ResolverSettings {
    /// What `resolv.conf(5)` says of Linux: one dot, five seconds, twice.
    fn default() -> Self {
        Self { servers: Vec::new(), search: Vec::new(), ndots: 1, timeout: Duration::from_secs(5), attempts: 2 }
    }
}

/// What holds now: written or learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolv {
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) ndots: u8,
    pub(crate) timeout: Duration,
    pub(crate) attempts: u8,
}

impl Resolv {
    /// What is written goes before what was learned, servers and search list each for itself.
    pub(crate) fn of(written: &ResolverSettings, learned: &Resolvers) -> Self {
        let mut servers = written.servers.clone();
        if servers.is_empty() {
            servers.extend(learned.values().flat_map(|resolver| resolver.servers.iter().copied()));
        }
        servers.truncate(SERVERS_MAX);
        let mut search = written.search.clone();
        if search.is_empty() {
            search.extend(learned.values().filter_map(|resolver| resolver.domain.clone()));
        }
        Self { servers, search, ndots: written.ndots, timeout: written.timeout, attempts: written.attempts }
    }
}

/// As `resolv.conf` spells it: what was written, and what was learned on each interface.
pub(crate) fn show(written: &ResolverSettings, learned: &Resolvers) -> String {
    let mut text = String::new();
    let mut say = |servers: &[IpAddr], search: &[String]| {
        if !search.is_empty() {
            // Writing into a string does not fail.
            let _ = writeln!(text, "search {}", search.join(" "));
        }
        for server in servers {
            let _ = writeln!(text, "nameserver {server}");
        }
    };
    say(&written.servers, &written.search);
    for resolver in learned.values() {
        let servers = if written.servers.is_empty() { resolver.servers.as_slice() } else { &[] };
        let search = if written.search.is_empty() { resolver.domain.as_slice() } else { &[] };
        say(servers, search);
    }
    let usual = ResolverSettings::default();
    let mut options = Vec::new();
    if written.ndots != usual.ndots {
        options.push(format!("ndots:{}", written.ndots));
    }
    if written.timeout != usual.timeout {
        options.push(format!("timeout:{}", crate::units::format_duration(written.timeout)));
    }
    if written.attempts != usual.attempts {
        options.push(format!("attempts:{}", written.attempts));
    }
    if !options.is_empty() {
        let _ = writeln!(text, "options {}", options.join(" "));
    }
    text
}
