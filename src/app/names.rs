//! What `ping` and `traceroute` call the machines that answer.

use std::net::IpAddr;

use crate::net::Net;

/// Who is probed, and what those who answer are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probed {
    /// As the scenario says it: a name, or an address.
    pub(super) host: String,
    /// Its address.
    pub(super) address: IpAddr,
}

impl Probed {
    /// The name that belongs to an address, if it is known and names are wanted.
    ///
    /// As with the real programs, whoever asked for an address gets addresses.
    pub(super) fn name_of(&self, net: &Net, address: IpAddr) -> Option<String> {
        if self.is_numeric() {
            return None;
        }
        if address == self.address {
            return Some(self.host.clone());
        }
        net.core(|core| core.hosts.name_of(address).map(str::to_owned))
    }

    /// `server (10.0.2.80)`, or the address alone where it has no name.
    pub(super) fn label(&self, net: &Net, address: IpAddr) -> String {
        match self.name_of(net, address) {
            Some(name) => format!("{name} ({address})"),
            None if address == self.address && self.host.contains('%') => self.host.clone(),
            None => address.to_string(),
        }
    }

    /// Whether the scenario says an address.
    fn is_numeric(&self) -> bool {
        let literal = self.host.split_once('%').map_or(&*self.host, |(address, _)| address);
        literal.parse::<IpAddr>().is_ok()
    }
}
