//! What a program that configures its machine can do: what `ip addr`, `resolv.conf` and a packet socket are elsewhere.
//!
//! A DHCP client asks through an interface that has no address, adds the address that it was given, and takes it away
//! again; a DHCP server answers to somebody whom ARP cannot find yet. Both are programs like any other, and everything
//! that other programs never need is here. Routes to anywhere but a default router are no business of this file.
//!
//! An address that goes away takes no socket with it, as on Linux: what is bound to it stays, hears nothing, and what it
//! sends is refused with "network is unreachable".

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::task::Poll;

use ipnet::Ipv4Net;
use smoltcp::wire::EthernetAddress;

use super::context::Net;
use super::core::Turn;
use super::ip::SendError;
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::Frame;

/// Whether an address may be used (RFC 5227).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Somebody else has it.
    Conflict,
    /// Without restriction.
    InUse,
    /// Nobody knows yet whether somebody else has it.
    Tentative,
}

/// An interface, as the machine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceState {
    /// By which number it is known.
    pub index: u16,
    /// As in the scenario: `eth0`.
    pub name: String,
    /// Its hardware address.
    pub mac: EthernetAddress,
    /// Whether its link passes frames.
    pub is_up: bool,
    /// Whether it waits for a program to give it its address.
    pub is_dynamic: bool,
    /// Its IPv4 addresses.
    pub addresses: Vec<AddressState>,
}

impl InterfaceState {
    /// The first address that is in use.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Net> {
        self.addresses.iter().find(|own| own.standing == Standing::InUse).map(|own| own.net)
    }
}

/// An IPv4 address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressState {
    /// The address, with the length of its subnet's prefix.
    pub net: Ipv4Net,
    /// Whether it may be used.
    pub standing: Standing,
}

/// An address to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedAddress {
    /// The address, with the length of its subnet's prefix.
    pub net: Ipv4Net,
    /// When it goes away unless it is added again; [`Time::MAX`]: never.
    pub valid_until: Time,
}

/// Where a packet goes that routes know nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Through {
    /// Out of which interface.
    pub interface: u16,
    /// The source address that it carries; `0.0.0.0` before there is one.
    pub source: Ipv4Addr,
    /// Whose hardware address it carries; `None`: that of whoever answers for its destination.
    pub mac: Option<EthernetAddress>,
}

/// Who answers questions for names, by what was learned on one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// The name servers, best first.
    pub servers: Vec<IpAddr>,
    /// The domain that bare names are looked up in.
    pub domain: Option<String>,
}

/// The machine's IP layer, as programs see it that configure it.
pub trait Control {
    /// Every interface.
    fn interfaces(&self) -> Vec<InterfaceState>;

    /// Whether the machine forwards what is for others.
    fn forwards(&self) -> bool;

    /// Adds an address, or gives it another time if it is there. It is in use once nobody has objected (RFC 5227).
    fn add_address(&mut self, interface: u16, address: AddedAddress, now: Time, out: &mut Outbox);

    /// Ends the use of an address.
    fn remove_address(&mut self, interface: u16, address: Ipv4Addr);

    /// Says to which routers everything goes, best first, while the interface has an address that was added.
    fn set_routers(&mut self, interface: u16, routers: Vec<Ipv4Addr>);

    /// Says that an interface gets no address for now: programs need not wait for it.
    fn give_up_waiting(&mut self, interface: u16);

    /// Sends a packet through an interface, whatever routes say.
    ///
    /// # Errors
    ///
    /// What the IP layer says at once.
    fn send_through(&mut self, through: Through, packet: Frame, now: Time, out: &mut Outbox) -> Result<(), SendError>;
}

/// Name servers, by interface.
pub(super) type Resolvers = BTreeMap<u16, Resolver>;

impl Net {
    /// Every interface of the machine, with addresses that are not in use too: for who configures it. Others ask for
    /// [`interfaces`](Self::interfaces).
    ///
    /// # Errors
    ///
    /// Where the IP layer cannot be configured.
    pub fn interface_states(&self) -> io::Result<Vec<InterfaceState>> {
        self.control(|control, _, _| control.interfaces())
    }

    /// Whether the machine forwards what is for others: a router.
    ///
    /// # Errors
    ///
    /// As [`interface_states`](Self::interface_states).
    pub fn forwards(&self) -> io::Result<bool> {
        self.control(|control, _, _| control.forwards())
    }

    /// Adds an address to an interface, or gives it another time if it is there. It is in use once nobody has objected:
    /// wait for [`interfaces_changed`](Self::interfaces_changed).
    ///
    /// # Errors
    ///
    /// As [`interface_states`](Self::interface_states).
    pub fn add_address(&self, interface: u16, address: AddedAddress) -> io::Result<()> {
        self.control(|control, now, out| control.add_address(interface, address, now, out))
    }

    /// Ends the use of an address of an interface. Sockets that are bound to it stay, and cannot send.
    ///
    /// # Errors
    ///
    /// As [`interface_states`](Self::interface_states).
    pub fn remove_address(&self, interface: u16, address: Ipv4Addr) -> io::Result<()> {
        self.control(|control, _, _| control.remove_address(interface, address))
    }

    /// Says which default routers an interface's network has, best first. They are used while the interface has an
    /// address that was added.
    ///
    /// # Errors
    ///
    /// As [`interface_states`](Self::interface_states).
    pub fn set_routers(&self, interface: u16, routers: Vec<Ipv4Addr>) -> io::Result<()> {
        self.control(|control, _, _| control.set_routers(interface, routers))
    }

    /// Says that an interface gets no address for now: programs that waited for it begin without.
    ///
    /// # Errors
    ///
    /// As [`interface_states`](Self::interface_states).
    pub fn give_up_waiting(&self, interface: u16) -> io::Result<()> {
        self.control(|control, _, _| control.give_up_waiting(interface))
    }

    /// Says who answers questions for names, by what was learned on an interface.
    pub fn set_resolver(&self, interface: u16, resolver: Resolver) {
        self.core(|core| match resolver.servers.is_empty() && resolver.domain.is_none() {
            true => drop(core.resolvers.remove(&interface)),
            false => drop(core.resolvers.insert(interface, resolver)),
        });
    }

    /// Waits until something about the machine's interfaces changes: an address, or whether a link is up.
    pub async fn interfaces_changed(&self) {
        let mut has_waited = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            self.core(|core| core.watchers.register(context));
            Poll::Pending
        })
        .await;
    }

    /// Keeps bytes under a name where a crash of the machine does not reach them, as a file is kept elsewhere; `None`
    /// deletes them.
    pub fn save(&self, name: impl Into<String>, bytes: Option<Vec<u8>>) {
        let name = name.into();
        self.core(|core| core.programs.save(self.app(), name, bytes));
    }

    /// Everything that this program has [`save`](Self::save)d, in an earlier life perhaps, by name.
    #[must_use]
    pub fn saved(&self) -> Vec<(String, Vec<u8>)> {
        self.core(|core| core.programs.saved(self.app()))
    }

    fn control<T>(&self, act: impl FnOnce(&mut dyn Control, Time, &mut Outbox) -> T) -> io::Result<T> {
        self.turn(|_, turn: &mut Turn<'_>| {
            let control = turn.ip.control().ok_or(io::ErrorKind::Unsupported)?;
            Ok(act(control, turn.now, turn.out))
        })
    }
}
