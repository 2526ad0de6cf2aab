//! A DHCP message: `DHCP offer, xid 0x5a1b2c3d, 10.0.0.100 for 02:01:00:00:00:01, length 300`.

use std::fmt;
use std::net::Ipv4Addr;

use super::Summary;
use super::names::Mac;
use crate::wire::dhcp::{Glimpse, code};

impl Summary<'_> {
    pub(super) fn write_dhcp(&self, f: &mut fmt::Formatter<'_>, message: Glimpse<'_>) -> fmt::Result {
        let (word, client) = (message.word(), Mac(message.chaddr()));
        write!(f, "DHCP {word}, xid {:#010x}, ", message.xid())?;
        match subject(message) {
            Some(address) => write!(f, "{address} for {client}")?,
            None => write!(f, "from {client}")?,
        }
        let relay = message.address(24);
        if !relay.is_unspecified() {
            write!(f, ", relayed by {}", self.host(relay.into()))?;
        }
        write!(f, ", length {}", message.bytes().len())
    }
}

/// The same in few words: `DHCP offer 10.0.0.100`.
pub(super) fn write_short(f: &mut fmt::Formatter<'_>, message: Glimpse<'_>) -> fmt::Result {
    write!(f, "DHCP {}", message.word())?;
    match subject(message) {
        Some(address) => write!(f, " {address}"),
        None => Ok(()),
    }
}

/// The address that a message is about: the one that the client gets, wants or has.
fn subject(message: Glimpse<'_>) -> Option<Ipv4Addr> {
    let (ciaddr, yiaddr) = (message.address(12), message.address(16));
    let wanted = message.address_option(code::REQUESTED_ADDRESS);
    [Some(yiaddr), wanted, Some(ciaddr)].into_iter().flatten().find(|address| !address.is_unspecified())
}
