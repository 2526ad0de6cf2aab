//! Addresses as people say them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Knows what people call an address.
pub trait Resolve {
    /// The name of the host that has this address, if it has one.
    fn name(&self, address: IpAddr) -> Option<&str>;
}

/// No names: addresses stay as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numeric;

impl Resolve for Numeric {
    fn name(&self, _address: IpAddr) -> Option<&str> {
        None
    }
}

impl Resolve for BTreeMap<IpAddr, String> {
    fn name(&self, address: IpAddr) -> Option<&str> {
        self.get(&address).map(String::as_str)
    }
}

/// A host by its name, or by its address.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) address: IpAddr,
    pub(super) names: &'a dyn Resolve,
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names.name(self.address) {
            Some(name) => f.write_str(name),
            None => self.address.fmt(f),
        }
    }
}

/// A host and perhaps a port: `client.49152`.
#[derive(Clone, Copy)]
pub(super) struct Endpoint<'a> {
    pub(super) host: Host<'a>,
    pub(super) port: Option<u16>,
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        match self.port {
            Some(port) => write!(f, ".{port}"),
            None => Ok(()),
        }
    }
}

/// An Ethernet address: `02:00:00:00:00:01`.
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
