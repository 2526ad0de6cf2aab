//! Local ports: who holds which, and which is free.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::ip::Ip;
use crate::rng::Rng;

/// The first port that is given to those who do not ask for one.
///
/// RFC 6335 §6: "the Dynamic Ports, also known as the Private or Ephemeral Ports, from 49152-65535 (never assigned)".
pub(crate) const EPHEMERAL_FIRST: u16 = 49_152;

/// Where a socket is bound: an address and a port, or a port at all addresses.
///
/// Port 0 asks for a free ephemeral port. The address `::` takes both families, `0.0.0.0` IPv4 alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local(pub(crate) SocketAddr);

impl Local {
    /// Any free port, at all addresses.
    pub const ANY: Self = Self(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0));
}

impl From<SocketAddr> for Local {
    fn from(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip(), address.port()))
    }
}

impl From<(IpAddr, u16)> for Local {
    fn from((address, port): (IpAddr, u16)) -> Self {
        Self(SocketAddr::new(address, port))
    }
}

impl From<u16> for Local {
    /// The port at all addresses of both families.
    fn from(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
    }
}

/// Whether a socket bound to `bound` takes what is sent to `address`.
pub(crate) fn covers(bound: IpAddr, address: IpAddr) -> bool {
    match bound {
        IpAddr::V4(bound) if bound.is_unspecified() => address.is_ipv4(),
        IpAddr::V6(bound) if bound.is_unspecified() => true,
        _ => bound == address,
    }
}

/// Whether there is an address that sockets bound to either would take.
pub(crate) fn overlap(one: IpAddr, other: IpAddr) -> bool {
    covers(one, other) || covers(other, one)
}

/// The bound ports of one protocol, each with what holds it.
#[derive(Debug)]
pub(crate) struct Ports<H> {
    bound: BTreeMap<u16, Vec<Held<H>>>,
    next_ephemeral: u16,
}

/// A port at an address, and who holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<H> {
    pub(crate) address: IpAddr,
    pub(crate) holder: H,
    /// Others may hold it too, if they say so as well.
    is_shared: bool,
}

impl<H: Copy + PartialEq> Ports<H> {
    /// All free. `name` is the protocol's: each has its own first ephemeral port.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // RFC 6056 §3.3.1 wants a first port that cannot be guessed; from there on, one after the other reads best.
        let span = u64::from(u16::MAX - EPHEMERAL_FIRST) + 1;
        let offset = Rng::stream(seed, name).below(span);
        let first = u16::try_from(u64::from(EPHEMERAL_FIRST) + offset).expect("the offset is below the span");
        Self { bound: BTreeMap::new(), next_ephemeral: first }
    }

    /// Checks that `local` can be bound on this machine, and finds a port where none is asked for; `is_unused` may object
    /// for reasons of its own.
    ///
    /// # Errors
    ///
    /// A foreign address, a port that is taken, no free port.
    pub(crate) fn choose(
        &mut self,
        local: Local,
        ip: &dyn Ip,
        is_unused: impl Fn(IpAddr, u16) -> bool,
    ) -> io::Result<SocketAddr> {
        let Local(wanted) = local;
        let address = wanted.ip();
        Self::check(address, ip)?;
        if wanted.port() == 0 {
            let port = self.ephemeral(|ports, port| ports.is_free(address, port) && is_unused(address, port));
            return Ok(SocketAddr::new(address, port.ok_or(io::ErrorKind::AddrInUse)?));
        }
        let is_free = self.is_free(address, wanted.port()) && is_unused(address, wanted.port());
        if is_free { Ok(wanted) } else { Err(io::ErrorKind::AddrInUse.into()) }
    }

    /// As [`choose`](Self::choose), for who shares a port with others that share it.
    ///
    /// # Errors
    ///
    /// A foreign address, a port that somebody has for himself, no free port.
    pub(crate) fn choose_shared(&mut self, local: Local, ip: &dyn Ip) -> io::Result<SocketAddr> {
        let Local(wanted) = local;
        let mut holders = self.bound.get(&wanted.port()).into_iter().flatten();
        if wanted.port() == 0 || holders.any(|held| !held.is_shared) {
            return self.choose(local, ip, |_, _| true);
        }
        Self::check(wanted.ip(), ip)?;
        Ok(wanted)
    }

    /// Refuses addresses of other machines.
    fn check(address: IpAddr, ip: &dyn Ip) -> io::Result<()> {
        let is_own = address.is_unspecified() || address.is_multicast() || ip.is_broadcast(address) || ip.owns(address);
        if is_own { Ok(()) } else { Err(io::ErrorKind::AddrNotAvailable.into()) }
    }

    /// The next ephemeral port that `is_free`; `None` if none of them is.
    pub(crate) fn ephemeral(&mut self, is_free: impl Fn(&Self, u16) -> bool) -> Option<u16> {
        for _ in EPHEMERAL_FIRST..=u16::MAX {
            let port = self.next_ephemeral;
            self.next_ephemeral = port.checked_add(1).unwrap_or(EPHEMERAL_FIRST);
            if is_free(self, port) {
                return Some(port);
            }
        }
        None
    }

    /// Whether nobody holds the port at that address, nor at one that overlaps it.
    pub(crate) fn is_free(&self, address: IpAddr, port: u16) -> bool {
        let mut holders = self.bound.get(&port).into_iter().flatten();
        !holders.any(|held| overlap(held.address, address))
    }

    /// Gives a port to `holder`.
    pub(crate) fn bind(&mut self, local: SocketAddr, holder: H) {
        self.bind_as(local, holder, false);
    }

    /// Gives a port to `holder`, and perhaps to others later.
    pub(crate) fn bind_as(&mut self, local: SocketAddr, holder: H, is_shared: bool) {
        self.bound.entry(local.port()).or_default().push(Held { address: local.ip(), holder, is_shared });
    }

    /// Takes a port from `holder`.
    pub(crate) fn release(&mut self, local: SocketAddr, holder: H) {
        if let Some(holders) = self.bound.get_mut(&local.port()) {
            holders.retain(|held| held.holder != holder);
            if holders.is_empty() {
                self.bound.remove(&local.port());
            }
        }
    }

    /// Who holds a port, with the addresses they are bound to: at most a handful.
    pub(crate) fn holders(&self, port: u16) -> &[Held<H>] {
        self.bound.get(&port).map_or(&[], Vec::as_slice)
    }

    /// Who gets what is sent to `address`: who is bound to it, else who is bound to all; of several that share it the
    /// latest, as on Linux.
    pub(crate) fn holder(&self, address: IpAddr, port: u16) -> Option<H> {
        let latest_first = || self.holders(port).iter().rev();
        let exact = latest_first().find(|held| held.address == address);
        exact.or_else(|| latest_first().find(|held| covers(held.address, address))).map(|held| held.holder)
    }

    /// Frees all.
    pub(crate) fn clear(&mut self) {
        self.bound.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Own;
    use super::*;

    fn ports() -> Ports<u8> {
        Ports::new(1, "tcp ports")
    }

    fn bind(ports: &mut Ports<u8>, local: impl Into<Local>, holder: u8) -> Result<SocketAddr, io::ErrorKind> {
        let own = Own(vec!["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()]);
        let local = ports.choose(local.into(), &own, |_, _| true).map_err(|error| error.kind())?;
        ports.bind(local, holder);
        Ok(local)
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_wildcard_overlaps_every_address_of_its_families() {
        let mut ports = ports();
        bind(&mut ports, at("10.0.0.1:80"), 1).unwrap();
        assert_eq!(bind(&mut ports, at("127.0.0.1:80"), 2), Ok(at("127.0.0.1:80")));
        assert_eq!(bind(&mut ports, at("0.0.0.0:80"), 3), Err(io::ErrorKind::AddrInUse));
        assert_eq!(bind(&mut ports, 80, 3), Err(io::ErrorKind::AddrInUse));
        assert_eq!(bind(&mut ports, at("[fe80::1]:80"), 4), Ok(at("[fe80::1]:80")));
        assert_eq!(bind(&mut ports, at("0.0.0.0:81"), 5), Ok(at("0.0.0.0:81")));
        assert_eq!(bind(&mut ports, at("[fe80::1]:81"), 6), Ok(at("[fe80::1]:81")));
        assert_eq!(bind(&mut ports, at("[::]:81"), 7), Err(io::ErrorKind::AddrInUse));
    }

    #[test]
    fn the_most_specific_holder_is_found() {
        let mut ports = ports();
        ports.bind(at("0.0.0.0:53"), 1);
        ports.bind(at("10.0.0.1:53"), 2);
        assert_eq!(ports.holder("10.0.0.1".parse().unwrap(), 53), Some(2));
        assert_eq!(ports.holder("10.0.0.9".parse().unwrap(), 53), Some(1));
        assert_eq!(ports.holder("fe80::1".parse().unwrap(), 53), None);
        ports.release(at("10.0.0.1:53"), 2);
        assert_eq!(ports.holder("10.0.0.1".parse().unwrap(), 53), Some(1));
    }

    #[test]
    fn who_shares_a_port_shares_it_with_those_who_do_and_the_latest_is_found() {
        let mut ports = ports();
        let own = Own(vec!["10.0.0.1".parse().unwrap()]);
        let mut share = |text: &str, holder| {
            let local = ports.choose_shared(at(text).into(), &own).map_err(|error| error.kind())?;
            ports.bind_as(local, holder, true);
            Ok::<_, io::ErrorKind>(ports.holder("10.0.0.1".parse().unwrap(), local.port()))
        };
        assert_eq!((share("0.0.0.0:53", 1), share("0.0.0.0:53", 2)), (Ok(Some(1)), Ok(Some(2))));
        assert_eq!((share("10.0.0.1:53", 3), share("[::]:53", 4)), (Ok(Some(3)), Ok(Some(3))));
        assert_eq!(share("10.0.0.77:53", 5), Err(io::ErrorKind::AddrNotAvailable));
        assert_eq!(bind(&mut ports, at("0.0.0.0:53"), 6), Err(io::ErrorKind::AddrInUse));
        bind(&mut ports, 54, 7).unwrap();
        assert_eq!(ports.choose_shared(54.into(), &own).map_err(|error| error.kind()), Err(io::ErrorKind::AddrInUse));
    }

    #[test]
    fn a_foreign_address_is_not_available() {
        assert_eq!(bind(&mut ports(), at("10.0.0.77:80"), 1), Err(io::ErrorKind::AddrNotAvailable));
    }

    #[test]
    fn every_ephemeral_port_is_given_out_once_and_then_no_more() {
        let mut ports = ports();
        let mut given: Vec<u16> = (0..16_384).map(|_| bind(&mut ports, 0, 1).unwrap().port()).collect();
        given.sort_unstable();
        given.dedup();
        assert_eq!((given.len(), given[0]), (16_384, EPHEMERAL_FIRST));
        assert_eq!(bind(&mut ports, 0, 1), Err(io::ErrorKind::AddrInUse));
    }
}
