//! What programs may configure of a machine, and how long they wait for what others configure.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{EthernetAddress, IpProtocol, UdpPacket};

use super::fragment::fragment;
use super::header::Header;
use super::ip::{IpLayer, Timer};
use crate::net::SendError;
use crate::net::control::{AddedAddress, AddressState, Control, InterfaceState, Through};
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// How long programs wait, from the machine's start, for addresses that other programs are to find. As dhcpcd's.
const PATIENCE: Duration = Duration::from_secs(30);

/// The port at which a host without an address hears from those who may give it one (RFC 2131 §4.1).
const DHCP_CLIENT: u16 = 68;

impl IpLayer {
    /// The machine begins to work: addresses are checked that are to be, and awaited that are to come.
    pub(super) fn start_addresses(&mut self, now: Time, out: &mut Outbox) {
        let dynamic = self.spec.interfaces.iter().enumerate().filter(|(_, spec)| spec.is_dynamic);
        self.awaited = dynamic.map(|(index, _)| index as u16).collect();
        if self.spec.arp.detects_conflicts {
            for interface in 0..self.interfaces.len() as u16 {
                if self.is_up(interface) {
                    self.begin_checks(interface, now, out);
                }
            }
        }
        self.is_starting = !self.awaited.is_empty() || self.is_checking();
        if !self.awaited.is_empty() {
            self.timers.insert((now + PATIENCE, Timer::Patience));
        }
    }

    /// Whether programs need not wait any longer is found out anew.
    pub(super) fn look_for_start(&mut self) {
        if !self.is_starting {
            return;
        }
        let mut awaited = std::mem::take(&mut self.awaited);
        awaited.retain(|interface| self.addresses_on(*interface).next().is_none());
        self.awaited = awaited;
        if self.awaited.is_empty() && !self.is_checking() {
            self.is_starting = false;
            self.timers.retain(|(_, timer)| *timer != Timer::Patience);
        }
    }

    pub(super) fn lose_patience(&mut self, out: &mut Outbox) {
        let name = |interface: &u16| self.spec.interfaces.get(usize::from(*interface)).map_or("?", |spec| &spec.name);
        let names: Vec<&str> = self.awaited.iter().map(name).collect();
        out.note(None, || format!("addr: programs begin without an address on {}", names.join(", ")));
        self.awaited.clear();
        self.changes += 1;
    }

    /// Whether a packet that came in on a link is for a program that is to find the interface an address: to whomever it
    /// is addressed, it is let in, by the firewall too.
    ///
    /// RFC 2131 §4.1: "A client that can receive unicast IP datagrams before its protocol software has been configured
    /// SHOULD clear the BROADCAST bit to 0."
    pub(super) fn is_for_dhcp_client(&self, interface: u16, header: &Header, packet: &[u8]) -> bool {
        let is_dynamic = self.spec.interfaces.get(usize::from(interface)).is_some_and(|spec| spec.is_dynamic);
        is_dynamic
            && header.protocol == IpProtocol::Udp
            && !header.is_fragment()
            && UdpPacket::new_checked(header.payload(packet)).is_ok_and(|udp| udp.dst_port() == DHCP_CLIENT)
    }

    /// Whether the source address of a packet that a socket sends is this machine's.
    ///
    /// RFC 1122 §3.2.1.3: "When a host sends any datagram, the IP source address MUST be one of its own IP addresses (but
    /// not a broadcast or multicast address)."
    pub(super) fn has_source_of(&self, packet: &Frame) -> bool {
        Header::of_own(packet.bytes()).map_or(true, |header| self.owns_v4(header.source))
    }
}

impl Control for IpLayer {
    fn interfaces(&self) -> Vec<InterfaceState> {
        let both = self.spec.interfaces.iter().zip(&self.interfaces).enumerate();
        let states = both.map(|(index, (spec, one))| InterfaceState {
            index: index as u16,
            name: spec.name.clone(),
            mac: spec.mac,
            is_up: one.is_up,
            is_dynamic: spec.is_dynamic,
            addresses: one.addresses.iter().map(|own| AddressState { net: own.net, standing: own.standing }).collect(),
        });
        states.collect()
    }

    fn forwards(&self) -> bool {
        self.spec.forwards
    }

    fn add_address(&mut self, interface: u16, address: AddedAddress, now: Time, out: &mut Outbox) {
        Self::add_address(self, interface, address, now, out);
    }

    fn remove_address(&mut self, interface: u16, address: Ipv4Addr) {
        Self::remove_address(self, interface, address);
    }

    fn set_routers(&mut self, interface: u16, routers: Vec<Ipv4Addr>) {
        Self::set_routers(self, interface, routers);
    }

    fn give_up_waiting(&mut self, interface: u16) {
        if self.awaited.remove(&interface) {
            self.changes += 1;
        }
    }

    fn send_through(
        &mut self,
        through: Through,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let Through { interface, source: _, mac } = through;
        let Ok(header) = Header::of_own(packet.bytes()) else {
            self.drop_packet(packet, Cause::Malformed, out);
            return Err(SendError::NetworkUnreachable);
        };
        smoltcp::wire::Ipv4Packet::new_unchecked(packet.bytes_mut()).fill_checksum();
        let known = mac.or_else(|| header.destination.is_broadcast().then_some(EthernetAddress::BROADCAST));
        let Some(mac) = known else {
            return self.send_as_is(Some(interface), header, packet, now, out);
        };
        self.counters.sent += 1;
        let mtu = self.mtu_of(interface);
        if header.total_length <= mtu {
            self.emit(interface, mac, packet, out);
            return Ok(());
        }
        fragment(packet, &header, mtu, out, |fragment, out| {
            self.counters.fragments_created += 1;
            self.emit(interface, mac, fragment, out);
        });
        Ok(())
    }
}
