//! What a program sees of its machine's interfaces: a routing daemon's view of the world.
//!
//! Sockets need none of this; who speaks to neighbors rather than to destinations does. A [`InterfaceWatch`] tells when
//! anything has changed (a cable was pulled, a rate was set), as `RTM_NEWLINK` does on Linux.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::task::Poll;

use ipnet::IpNet;

use super::context::Net;
use crate::units::Rate;

/// One interface of a machine, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number on the machine, for [`Egress`].
    pub index: u16,
    /// As in the scenario: `eth0`.
    pub name: String,
    /// The link that is plugged in, by its name in the scenario; `None` without one.
    pub link: Option<Arc<str>>,
    /// Its addresses that are in use, link-local ones left out, each with its subnet's prefix length.
    pub addresses: Vec<IpNet>,
    /// Its IPv6 link-local address, once that is in use.
    pub link_local: Option<Ipv6Addr>,
    /// The largest IP packet it sends.
    pub mtu: usize,
    /// How fast its link is from here; `None`: as fast as anything.
    pub rate: Option<Rate>,
    /// Whether there is a carrier.
    pub is_up: bool,
}

/// How a packet that is for a neighbor, or for all neighbors, leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Egress {
    /// By which interface, whatever routes say.
    pub interface: u16,
    /// From which of the machine's addresses.
    pub source: IpAddr,
    /// With this time to live: 1 for what must not leave the link.
    pub ttl: u8,
}

/// Tells of changes to interfaces.
#[derive(Debug)]
pub struct InterfaceWatch {
    net: Net,
    seen: u64,
}

impl Net {
    /// All interfaces with a number, in its order; the loopback is none of them.
    ///
    /// # Errors
    ///
    /// When no program runs.
    pub fn interfaces(&self) -> io::Result<Vec<Interface>> {
        self.turn(|_, turn| Ok(turn.ip.interfaces()))
    }

    /// Watches for changes from now on.
    #[must_use]
    pub fn watch_interfaces(&self) -> InterfaceWatch {
        let seen = self.core(|core| core.interfaces_version);
        InterfaceWatch { net: self.clone(), seen }
    }
}

impl InterfaceWatch {
    /// Waits until something has changed since it last said so. Several changes may be told of at once.
    ///
    /// # Errors
    ///
    /// When no program runs.
    pub async fn changed(&mut self) -> io::Result<()> {
        let seen = self.seen;
        self.seen = poll_fn(|context| {
            self.net.poll_turn(context, |core, _, context| {
                if core.interfaces_version != seen {
                    return Poll::Ready(Ok(core.interfaces_version));
                }
                core.interface_watchers.register(context);
                Poll::Pending
            })
        })
        .await?;
        Ok(())
    }
}
