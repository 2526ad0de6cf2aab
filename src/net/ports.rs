//! Local ports.
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a socket is bound: an address and port, or a port at all addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local(pub SocketAddr);

impl From<SocketAddr> for Local {
    fn from(a: SocketAddr) -> Self {
        Self(a)
    }
}
impl From<u16> for Local {
    /// All addresses of both families.
    fn from(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
    }
}
impl From<(IpAddr, u16)> for Local {
    fn from(a: (IpAddr, u16)) -> Self {
        Self(a.into())
    }
}
