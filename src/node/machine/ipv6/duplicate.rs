//! Duplicate address detection: is an address free? (RFC 4862 §5.4, RFC 7527)
//!
//! Before an address is used, the machine asks who has it. Whoever has it objects; whoever wants it at the same time has
//! asked the same question, and neither gets it. If nobody is heard for a second, it is this machine's.
//!
//! RFC 4862 §5.4.2 would have the first question wait for up to a second at random, lest a whole building asks at once
//! when the power returns. That is left out: it would make every run begin with noise.

use std::net::Ipv6Addr;

use smoltcp::wire::EthernetAddress;

use super::address::{Source, Standing, multicast_mac, solicited_node};
use super::message::NeighborMessage;
use super::{Ipv6Layer, Local, Timer};
use crate::node::Mac;
use crate::record::{Cause, Outbox};
use crate::time::Time;

impl Ipv6Layer {
    /// Begins to check a tentative address, or takes it at once if nothing is to be checked.
    pub(super) fn check_address(&mut self, interface: u16, address: Ipv6Addr, now: Time, out: &mut Outbox) {
        if self.spec.ipv6.nd.dad_transmits == 0 {
            return self.take_address(interface, address, now, out);
        }
        self.ask_for_own(interface, address, now, out);
    }

    /// Nobody has objected since the last question.
    pub(super) fn nobody_objected(&mut self, interface: u16, address: Ipv6Addr, now: Time, out: &mut Outbox) {
        let Some(Standing::Tentative { asked, .. }) = self.own(interface, address).map(|own| own.standing) else {
            return;
        };
        if asked < self.spec.ipv6.nd.dad_transmits {
            return self.ask_for_own(interface, address, now, out);
        }
        self.take_address(interface, address, now, out);
    }

    /// The link is down: nobody could object. What was being checked is checked anew when the link returns.
    pub(super) fn stop_checking(&mut self, interface: u16) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        let mut given_up = 0;
        for own in link.addresses.iter_mut().filter(|own| own.is_tentative()) {
            given_up += 1;
            // It is joined again with the next question; with the link down nobody is told.
            let group = solicited_node(own.address);
            if let Some(reasons) = link.groups.get_mut(&group) {
                *reasons -= 1;
                if *reasons == 0 {
                    link.groups.remove(&group);
                }
            }
            own.standing = Standing::Tentative { asked: 0, nonce: [0; 6] };
        }
        self.coming_up = self.coming_up.saturating_sub(given_up);
        self.timers.retain(|(_, timer)| !matches!(timer, Timer::Duplicate(of, _) if *of == interface));
    }

    fn ask_for_own(&mut self, interface: u16, address: Ipv6Addr, now: Time, out: &mut Outbox) {
        let luck = self.luck.next_u64().to_be_bytes();
        let [a, b, c, d, e, f, ..] = luck;
        let fresh = [a, b, c, d, e, f];
        let at = now + self.retry_after(interface);
        let Some(own) = self.own_mut(interface, address) else { return };
        let Standing::Tentative { asked, .. } = own.standing else { return };
        own.standing = Standing::Tentative { asked: asked + 1, nonce: fresh };
        self.timers.insert((at, Timer::Duplicate(interface, address)));
        self.counters.neighbor_solicitations += 1;
        // RFC 4862 §5.4.2: "The solicitation's Target Address is set to the address being checked, the IP source is set to
        // the unspecified address, and the IP destination is set to the solicited-node multicast address of the target
        // address."
        let body = NeighborMessage::solicitation(address, None, Some(fresh));
        let group = solicited_node(address);
        let packet = self.discovery_packet(Ipv6Addr::UNSPECIFIED, group, &body, out);
        self.emit(interface, multicast_mac(group), packet, out);
    }

    /// An address is this machine's from now on.
    pub(super) fn take_address(&mut self, interface: u16, address: Ipv6Addr, now: Time, out: &mut Outbox) {
        let Some(own) = self.own_mut(interface, address) else { return };
        own.standing = if own.preferred_until > now { Standing::Preferred } else { Standing::Deprecated };
        let is_link_local = own.address.is_unicast_link_local();
        self.coming_up = self.coming_up.saturating_sub(1);
        self.locals.insert(address, Local { interface, is_anycast: false });
        out.note(None, || format!("ipv6: {} has {address}", self.name_of(interface)));
        if is_link_local && self.link(interface).is_some_and(|link| !link.is_unplugged) {
            // RFC 3590 §4: "Once a valid link-local address is available, a node SHOULD generate new MLD Report messages
            // for all multicast addresses joined on the interface."
            self.link_local_is_usable(interface, now, out);
        }
    }

    /// Somebody asks for an address that is still tentative here. Why the question is of no use, if it is not.
    pub(super) fn tentative_was_solicited(
        &mut self,
        interface: u16,
        source: Ipv6Addr,
        message: &NeighborMessage,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Cause> {
        // RFC 4862 §5.4.3: "If the source address of the Neighbor Solicitation is a unicast address, the solicitation's
        // sender is performing address resolution on the target; the solicitation should be silently ignored."
        if !source.is_unspecified() {
            return Some(Cause::Ignored);
        }
        // RFC 7527 §4.2: a question that comes back to who asked it says nothing.
        let own = self.own(interface, message.target).map(|own| own.standing);
        if let (Some(Standing::Tentative { nonce, .. }), Some(theirs)) = (own, message.nonce)
            && nonce == theirs
        {
            return Some(Cause::Ignored);
        }
        // "If the source address of the Neighbor Solicitation is the unspecified address, the solicitation is from a node
        // performing Duplicate Address Detection. If the solicitation is from another node, the tentative address is a
        // duplicate and should not be used (by either node)."
        self.is_duplicate(interface, message.target, message.mac, now, out);
        None
    }

    /// Somebody else has a tentative address, or wants it too.
    pub(super) fn is_duplicate(
        &mut self,
        interface: u16,
        address: Ipv6Addr,
        whose: Option<EthernetAddress>,
        now: Time,
        out: &mut Outbox,
    ) {
        let Some(own) = self.own_mut(interface, address).filter(|own| own.is_tentative()) else { return };
        own.standing = Standing::Duplicate;
        let (is_made_of_mac, own) = (own.source == Source::LinkLocal, *own);
        self.counters.duplicates += 1;
        self.coming_up = self.coming_up.saturating_sub(1);
        self.timers.retain(|(_, timer)| *timer != Timer::Duplicate(interface, address));
        self.leave(interface, solicited_node(address), out);
        out.note(None, || match whose {
            Some(mac) => format!("ipv6: {address} is a duplicate: {} has it", Mac(mac)),
            None => format!("ipv6: {address} is a duplicate: somebody else wants it too"),
        });
        if self.spec.ipv6.has_stable_identifiers && matches!(own.source, Source::Advertised | Source::LinkLocal) {
            self.replace_stable(interface, own, now, out);
        } else if is_made_of_mac {
            // RFC 4862 §5.4.5: "If the address is a link-local address formed from an interface identifier based on the
            // hardware address, which is supposed to be uniquely assigned [...], IP operation on the interface SHOULD be
            // disabled."
            self.shut(interface, out);
        } else if own.source == Source::Temporary {
            self.replace_temporary(interface, own, now, out);
        }
    }

    /// Ends IPv6 on an interface: its hardware address is somebody else's too.
    fn shut(&mut self, interface: u16, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        link.is_active = false;
        let mut given_up = 0;
        for own in &mut link.addresses {
            given_up += usize::from(own.is_tentative());
            own.standing = Standing::Duplicate;
        }
        self.coming_up = self.coming_up.saturating_sub(given_up);
        self.cease_waiting_for_routers(interface);
        self.locals.retain(|_, local| local.interface != interface);
        self.timers.retain(|(_, timer)| !matches!(timer, Timer::Duplicate(of, _) if *of == interface));
        out.note(None, || format!("ipv6: ends on {}: its hardware address is not unique", self.name_of(interface)));
    }
}
