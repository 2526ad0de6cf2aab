//! The table of host names: what `/etc/hosts` is on a Unix machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Names and their addresses, the same for every machine of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    names: BTreeMap<String, Vec<IpAddr>>,
}

impl Hosts {
    /// Adds an address to those of `name`. The first one added is the one that [`lookup`](Self::lookup) finds.
    pub fn add(&mut self, name: impl Into<String>, address: IpAddr) {
        let addresses = self.names.entry(name.into()).or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    /// The first address of `host`, which is a name of the table or an address literal.
    #[must_use]
    pub fn lookup(&self, host: &str) -> Option<IpAddr> {
        let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        literal.parse().ok().or_else(|| self.addresses(host).first().copied())
    }

    /// All addresses of `host`, which is a name of the table or an address literal; none for an unknown name.
    #[must_use]
    pub fn lookup_all(&self, host: &str) -> Vec<IpAddr> {
        let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        literal.parse().map_or_else(|_| self.addresses(host).to_vec(), |address| vec![address])
    }

    /// All addresses of a name, in the order in which they were added; none for an unknown name.
    #[must_use]
    pub fn addresses(&self, name: &str) -> &[IpAddr] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The name that an address was added under, if any: the alphabetically first.
    #[must_use]
    pub fn name_of(&self, address: IpAddr) -> Option<&str> {
        self.names.iter().find(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_needs_no_table_and_a_name_finds_its_first_address() {
        let mut hosts = Hosts::default();
        hosts.add("server", "10.0.0.2".parse().unwrap());
        hosts.add("server", "2001:db8::2".parse().unwrap());
        assert_eq!(hosts.lookup("server"), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(hosts.lookup("[2001:db8::9]"), Some("2001:db8::9".parse().unwrap()));
        assert_eq!(hosts.lookup("10.9.8.7"), Some("10.9.8.7".parse().unwrap()));
        assert_eq!((hosts.lookup_all("server").len(), hosts.lookup_all("::1").len()), (2, 1));
        assert!(hosts.lookup_all("nobody").is_empty());
        assert_eq!(hosts.lookup("nobody"), None);
        assert_eq!(hosts.name_of("10.0.0.2".parse().unwrap()), Some("server"));
    }
}
