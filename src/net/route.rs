//! Routes that programs find: what a routing daemon tells its machine.
//!
//! A program opens [`LearnedRoutes`] for its protocol, puts, changes and removes routes by prefix, and when it ends or is
//! stopped its routes go with it. Several programs may know a route to one prefix; the one whose protocol is the most
//! trustworthy is taken ([`RouteProtocol::distance`]), and what is written in the scenario or follows from addresses comes
//! before all of them.

use std::fmt;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use super::context::Net;
use crate::id::AppId;

/// How many next hops a route has at most; further ones are left out.
pub const NEXT_HOPS_MAX: usize = 16;

/// Who found a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteProtocol {
    /// Open Shortest Path First.
    Ospf,
    /// The Routing Information Protocol, of either IP version.
    Rip,
}

impl RouteProtocol {
    /// As `ip route` calls it behind `proto`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ospf => "ospf",
            Self::Rip => "rip",
        }
    }

    /// Of routes to one prefix, those of the protocol with the least distance are taken, whatever their metrics. No
    /// standard says these numbers, but all routers have them: connected 0, static 1, OSPF 110, RIP 120.
    #[must_use]
    pub fn distance(self) -> u8 {
        match self {
            Self::Ospf => 110,
            Self::Rip => 120,
        }
    }
}

/// Whose route it is: two programs of one protocol do not change each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteOwner {
    /// The protocol.
    pub protocol: RouteProtocol,
    /// The program.
    pub app: AppId,
}

/// Where packets go from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextHop {
    /// Out of which interface.
    pub interface: u16,
    /// To which router there; `None`: the destinations are on the link.
    pub via: Option<IpAddr>,
}

/// What is to become of the route to a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteChange {
    /// There is one, in place of what there was.
    Put {
        /// Which destinations.
        prefix: IpNet,
        /// Where they are found; with several, flows are spread. With none the route is removed.
        next_hops: Vec<NextHop>,
        /// What the way costs, in the protocol's own coin.
        metric: u32,
    },
    /// There is none any more.
    Remove(IpNet),
}

impl fmt::Display for RouteChange {
    /// `10.9.0.0/16 via 10.0.0.1 metric 3`, `10.9.0.0/16 lost`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { prefix, next_hops, metric } if !next_hops.is_empty() => {
                write!(f, "{prefix}")?;
                for (index, hop) in next_hops.iter().enumerate() {
                    let word = if index == 0 { "via" } else { "and" };
                    match hop.via {
                        Some(via) => write!(f, " {word} {via}")?,
                        None => write!(f, " {word} its own link")?,
                    }
                }
                write!(f, " metric {metric}")
            }
            Self::Put { prefix, .. } | Self::Remove(prefix) => write!(f, "{prefix} lost"),
        }
    }
}

/// A program's routes. They go when it is dropped.
#[derive(Debug)]
pub struct LearnedRoutes {
    net: Net,
    owner: RouteOwner,
}

impl LearnedRoutes {
    /// No routes yet.
    #[must_use]
    pub fn new(net: &Net, protocol: RouteProtocol) -> Self {
        Self { net: net.clone(), owner: RouteOwner { protocol, app: net.app() } }
    }

    /// Changes routes, all at once; says how many could not be put because the machine has no room for more.
    ///
    /// # Errors
    ///
    /// When no program runs.
    pub fn change(&self, changes: &[RouteChange]) -> io::Result<usize> {
        if changes.is_empty() {
            return Ok(0);
        }
        self.net.turn(|_, turn| Ok(turn.ip.change_routes(self.owner, changes)))
    }
}

impl Drop for LearnedRoutes {
    fn drop(&mut self) {
        self.net.core(|core| core.errands.push(super::core::Errand::Withdraw(self.owner)));
    }
}
