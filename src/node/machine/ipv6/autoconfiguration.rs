//! A host makes its addresses from what routers advertise, and finds its routers (RFC 4862 §5.5, RFC 4861 §6.3).
//!
//! An address is the advertised prefix and the interface's own identifier: made from its hardware address as RFC 4291
//! appendix A says, so that both can be recognised in a trace, or from a secret (RFC 7217). With `privacy` there are
//! temporary addresses too, whose identifiers are drawn anew every day (RFC 8981).
//!
//! Every table that advertisements fill is bounded; who tells of more than fits is told in the trace, and believed when
//! there is room again.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};

use super::address::{ALL_ROUTERS, Own, Source, Standing, is_reserved, solicited_node, with_identifier};
use super::header::{Header, MTU_MIN};
use super::neighbor::NeighborKey;
use super::router_message::{FOREVER, Prefix, RouterAdvertisement, RouterSolicitation, end_of};
use super::{Ipv6Layer, Timer, draw_reachable_for};
use crate::node::machine::spec::{RouteKind, RouteSpec, RouterPreference};
use crate::record::{Cause, Outbox};
use crate::time::Time;

/// RFC 4861 §10: RTR_SOLICITATION_INTERVAL and MAX_RTR_SOLICITATIONS.
const SOLICITATION_INTERVAL: Duration = Duration::from_secs(4);
pub(super) const SOLICITATIONS_MAX: u8 = 3;

/// How many default routers, prefixes and addresses of one interface are kept; further ones are ignored. As on Linux 16
/// addresses.
const ROUTERS_MAX: usize = 16;
const PREFIXES_MAX: usize = 64;
const ADDRESSES_MAX: usize = 16;

/// RFC 4862 §5.5.3 (e): a shorter lifetime than this is not believed at once, lest a single forged advertisement end an
/// address.
const TWO_HOURS: Duration = Duration::from_secs(7200);

/// RFC 8981 §3.8: TEMP_VALID_LIFETIME, TEMP_PREFERRED_LIFETIME, and MAX_DESYNC_FACTOR, four tenths of it.
const TEMPORARY_VALID: Duration = Duration::from_secs(2 * 86_400);
const TEMPORARY_PREFERRED: Duration = Duration::from_secs(86_400);
const DESYNC_MAX: Duration = Duration::from_secs(34_560);

/// REGEN_ADVANCE: "2 + (TEMP_IDGEN_RETRIES * DupAddrDetectTransmits * RetransTimer / 1000)" seconds.
const REGENERATION_ADVANCE: Duration = Duration::from_secs(5);

/// TEMP_IDGEN_RETRIES: how often another identifier is tried when one is taken.
const IDENTIFIER_TRIES: u8 = 3;

/// A router that may be used as a default router.
#[derive(Debug, Clone, Copy)]
pub(super) struct DefaultRouter {
    pub(super) interface: u16,
    pub(super) address: Ipv6Addr,
    pub(super) preference: RouterPreference,
    /// It does not answer, and has not been heard of since.
    is_suspect: bool,
    pub(super) until: Time,
}

/// A prefix whose addresses are on a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnLink {
    pub(super) interface: u16,
    pub(super) net: Ipv6Net,
    pub(super) until: Time,
}

/// What a host has learned from routers.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The one in use first.
    pub(super) routers: Vec<DefaultRouter>,
    pub(super) prefixes: Vec<OnLink>,
}

impl Ipv6Layer {
    /// Whether this machine configures itself.
    pub(super) fn autoconfigures(&self) -> bool {
        self.spec.ipv6.autoconfigures && !self.spec.forwards
    }

    /// Asks for routers, and sets the time to ask again.
    ///
    /// RFC 4861 §6.3.7: the first question SHOULD wait for up to a second at random, so that not all hosts ask at once when
    /// the power returns. As with duplicate address detection that is left out.
    pub(super) fn solicit_routers(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(usize::from(interface)).filter(|link| link.is_up) else { return };
        if link.solicitations >= SOLICITATIONS_MAX {
            // "if no Router Advertisement has been received [...] the host concludes that there are no routers".
            return self.cease_waiting_for_routers(interface);
        }
        link.solicitations += 1;
        let source = link.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
        self.timers.insert((now + SOLICITATION_INTERVAL, Timer::Solicit(interface)));
        self.counters.router_solicitations += 1;
        let mac = (!source.is_unspecified()).then(|| self.mac_of(interface));
        let packet = self.discovery_packet(source, ALL_ROUTERS, &RouterSolicitation { mac }.write(), out);
        self.transmit(interface, ALL_ROUTERS, packet, now, out);
    }

    /// Programs need no longer wait for a router on this link.
    pub(super) fn cease_waiting_for_routers(&mut self, interface: u16) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        if std::mem::take(&mut link.awaits_router) {
            self.coming_up = self.coming_up.saturating_sub(1);
        }
    }

    /// A router tells of itself (RFC 4861 §6.3.4, RFC 4862 §5.5.3). Why that is of no use, if it is not.
    pub(super) fn router_advertised(
        &mut self,
        interface: u16,
        header: &Header,
        message: &[u8],
        now: Time,
        out: &mut Outbox,
    ) -> Option<Cause> {
        if !self.autoconfigures() {
            return Some(Cause::Ignored);
        }
        let router = header.source;
        let Some(message) = RouterAdvertisement::read(message, router) else {
            return Some(Cause::InvalidDiscovery);
        };
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return Some(Cause::Ignored) };
        // RFC 4861 §6.3.7: "Once the host sends a Router Solicitation, and receives a valid Router Advertisement with a
        // non-zero Router Lifetime, the host MUST desist from sending additional solicitations on that interface".
        if message.lifetime > 0 {
            link.solicitations = SOLICITATIONS_MAX;
            self.timers.retain(|(_, timer)| *timer != Timer::Solicit(interface));
        }
        // RFC 4861 §6.3.4: "If the received Cur Hop Limit value is non-zero, the host SHOULD set its CurHopLimit variable to
        // the received value." "a host MUST NOT interpret the unspecified value as meaning change back to the default value
        // that was in use before the first Router Advertisement was received."
        if message.hop_limit != 0 {
            link.hop_limit = Some(message.hop_limit);
        }
        let base = Duration::from_millis(u64::from(message.reachable));
        if !base.is_zero() && base != link.base_reachable {
            // "If the received Reachable Time value is non-zero, the host SHOULD set its BaseReachableTime variable to the
            // received value. If the new value differs from the previous value, the host SHOULD re-compute a new random
            // ReachableTime value."
            (link.base_reachable, link.reachable_for) = (base, draw_reachable_for(base, &mut self.luck));
        }
        if message.retransmission != 0 {
            // "The RetransTimer variable SHOULD be copied from the Retrans Timer field, if the received value is non-zero."
            link.retry_after = Duration::from_millis(u64::from(message.retransmission));
        }
        if let Some(mtu) = message.mtu.and_then(|mtu| usize::try_from(mtu).ok()) {
            // "hosts SHOULD copy the option's value into LinkMTU so long as the value is greater than or equal to the
            // minimum link MTU [IPv6] and does not exceed the maximum LinkMTU value".
            link.advertised_mtu = (MTU_MIN..=link.mtu).contains(&mtu).then_some(mtu).or(link.advertised_mtu);
        }
        let key = NeighborKey { interface, address: router };
        if let Some(mac) = message.mac {
            self.heard_of(key, mac, now, out);
        }
        if let Some(neighbor) = self.neighbors.get_mut(key) {
            neighbor.is_router = true;
        }
        let was_waiting = self.links[usize::from(interface)].awaits_router;
        let mut has_room = self.learn_router(interface, router, &message, now, out);
        for prefix in &message.prefixes {
            has_room &= self.learn_prefix(interface, prefix, now);
            if prefix.is_autonomous {
                has_room &= self.make_addresses(interface, prefix, was_waiting, now, out);
            }
        }
        self.find_routes();
        self.cease_waiting_for_routers(interface);
        (!has_room).then_some(Cause::TableFull)
    }

    /// Whether there was room for it.
    fn learn_router(
        &mut self,
        interface: u16,
        address: Ipv6Addr,
        message: &RouterAdvertisement,
        now: Time,
        out: &mut Outbox,
    ) -> bool {
        let RouterAdvertisement { lifetime, preference, .. } = *message;
        let timer = Timer::Router(interface, address);
        let until = now + Duration::from_secs(u64::from(lifetime));
        let place =
            self.learned.routers.iter().position(|router| (router.interface, router.address) == (interface, address));
        match place {
            Some(place) => {
                self.timers.remove(&(self.learned.routers[place].until, timer));
                if lifetime == 0 {
                    // "If the address is already present in the host's Default Router List and the received Router
                    // Lifetime value is zero, immediately time-out the entry".
                    self.learned.routers.remove(place);
                    self.forget_redirects_to(NeighborKey { interface, address });
                    out.note(None, || format!("ipv6: {address} is no longer a default router"));
                    return true;
                }
                let known = &mut self.learned.routers[place];
                (known.until, known.preference) = (until, preference);
            }
            None if lifetime == 0 => return true,
            // RFC 4861 §6.3.4: "a host MUST retain at least two router addresses and SHOULD retain more."
            None if self.learned.routers.len() >= ROUTERS_MAX => return false,
            None => {
                self.learned.routers.push(DefaultRouter { interface, address, preference, is_suspect: false, until });
                out.note(None, || format!("ipv6: default router {address} on {}", self.name_of(interface)));
            }
        }
        self.order_routers();
        self.timers.insert((until, timer));
        true
    }

    /// Puts the default router to use first.
    ///
    /// RFC 4861 §6.3.6: those that answer before those that do not; RFC 4191 §3.2: of those, the preferred ones. "When no
    /// routers on the list are known to be reachable or probably reachable, routers SHOULD be selected in a round-robin
    /// fashion": those keep the order in which they failed.
    fn order_routers(&mut self) {
        let rank = |router: &DefaultRouter| {
            (router.is_suspect, Reverse(if router.is_suspect { RouterPreference::Medium } else { router.preference }))
        };
        self.learned.routers.sort_by_key(rank);
    }

    /// A default router has not said for long enough that it still is one.
    pub(super) fn forget_router(&mut self, interface: u16, address: Ipv6Addr, out: &mut Outbox) {
        self.learned.routers.retain(|router| (router.interface, router.address) != (interface, address));
        self.forget_redirects_to(NeighborKey { interface, address });
        out.note(None, || format!("ipv6: {address} is no longer a default router"));
        self.find_routes();
    }

    /// A neighbor says that it is a router no longer.
    pub(super) fn is_no_router(&mut self, key: NeighborKey, out: &mut Outbox) {
        self.forget_redirects_to(key);
        let NeighborKey { interface, address } = key;
        let is_it = |router: &&DefaultRouter| (router.interface, router.address) == (interface, address);
        if let Some(router) = self.learned.routers.iter().find(is_it).copied() {
            self.timers.remove(&(router.until, Timer::Router(interface, address)));
            self.forget_router(interface, address, out);
        }
    }

    /// A neighbor does not answer: if it is the default router in use, another one gets its turn.
    ///
    /// RFC 4861 §6.3.6: "Routers that are reachable or probably reachable (i.e., in any state other than INCOMPLETE) SHOULD
    /// be preferred over routers whose reachability is unknown or suspect".
    pub(super) fn prefer_another_router(&mut self, key: NeighborKey) {
        let is_it = |router: &DefaultRouter| (router.interface, router.address) == (key.interface, key.address);
        if let Some(place) = self.learned.routers.iter().position(is_it)
            && self.learned.routers.len() > 1
        {
            let router = self.learned.routers.remove(place);
            self.learned.routers.push(DefaultRouter { is_suspect: true, ..router });
            self.order_routers();
            self.find_routes();
        }
    }

    /// A neighbor is heard of that had not answered: if it is a default router, it counts as one again.
    pub(super) fn router_is_back(&mut self, key: NeighborKey) {
        let is_it = |router: &&mut DefaultRouter| {
            router.is_suspect && (router.interface, router.address) == (key.interface, key.address)
        };
        if let Some(router) = self.learned.routers.iter_mut().find(is_it) {
            router.is_suspect = false;
            self.order_routers();
            self.find_routes();
        }
    }

    /// Whether there was room for it.
    fn learn_prefix(&mut self, interface: u16, prefix: &Prefix, now: Time) -> bool {
        // RFC 4861 §6.3.4: "If the prefix is the link-local prefix, silently ignore the Prefix Information option."
        let Ok(net) = Ipv6Net::new(prefix.prefix, prefix.length) else { return true };
        let net = net.trunc();
        if !prefix.is_on_link || net.network().is_unicast_link_local() || net.network().is_multicast() {
            return true;
        }
        let (timer, until) = (Timer::Prefix(interface, net), end_of(prefix.valid, now));
        let known = self.learned.prefixes.iter().position(|known| (known.interface, known.net) == (interface, net));
        if let Some(known) = known {
            let known = self.learned.prefixes.remove(known);
            self.timers.remove(&(known.until, timer));
        }
        // "If the prefix is not already present in the Prefix List, and the Prefix Information option's Valid Lifetime
        // field is non-zero, create a new entry"; one that is present and zero is timed out at once.
        if prefix.valid == 0 || self.learned.prefixes.len() >= PREFIXES_MAX {
            return prefix.valid == 0;
        }
        self.learned.prefixes.push(OnLink { interface, net, until });
        if until != Time::MAX {
            self.timers.insert((until, timer));
        }
        true
    }

    /// A prefix is no longer known to be on a link.
    pub(super) fn forget_prefix(&mut self, interface: u16, net: Ipv6Net) {
        self.learned.prefixes.retain(|known| (known.interface, known.net) != (interface, net));
        self.find_routes();
    }

    /// The routes that follow from what was learned.
    pub(super) fn learned_routes(&self) -> Vec<RouteSpec> {
        let route = |prefix, via, interface: u16| RouteSpec {
            prefix,
            via,
            interface: Some(usize::from(interface)),
            metric: 0,
            kind: RouteKind::Unicast,
        };
        let prefixes = self.learned.prefixes.iter().map(|known| route(IpNet::V6(known.net), None, known.interface));
        let everything = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0));
        let routers = self.learned.routers.iter();
        let routers = routers.map(|router| route(everything, Some(IpAddr::V6(router.address)), router.interface));
        prefixes.chain(routers).collect()
    }

    /// Makes addresses from a prefix, or gives those that there are another lifetime (RFC 4862 §5.5.3). Whether there was
    /// room for them.
    fn make_addresses(
        &mut self,
        interface: u16,
        prefix: &Prefix,
        is_awaited: bool,
        now: Time,
        out: &mut Outbox,
    ) -> bool {
        // (b) "If the prefix is the link-local prefix, silently ignore"; (c) "If the preferred lifetime is greater than the
        // valid lifetime, silently ignore"; (d) "If the sum of the prefix length and interface identifier length does not
        // equal 128 bits, the Prefix Information option MUST be ignored."
        if prefix.prefix.is_unicast_link_local() || prefix.preferred > prefix.valid || prefix.length != 64 {
            return true;
        }
        let mut has_room = true;
        let net = with_identifier(prefix.prefix, 0);
        let duplicates = self.link(interface).and_then(|link| link.duplicates.get(&net)).copied().unwrap_or(0);
        let address = self.address_with(interface, net, duplicates);
        let (preferred_until, valid_until) = (end_of(prefix.preferred, now), end_of(prefix.valid, now));
        match self.own(interface, address).copied() {
            Some(own) if own.source == Source::Advertised => {
                let left = own.valid_until.since(now);
                // (e) 1. "If the received Valid Lifetime is greater than 2 hours or greater than RemainingLifetime, set the
                // valid lifetime of the corresponding address to the advertised Valid Lifetime." 2. "If RemainingLifetime is
                // less than or equal to 2 hours, ignore". 3. "Otherwise, reset the valid lifetime of the corresponding
                // address to 2 hours."
                let is_believed =
                    prefix.valid == FOREVER || valid_until > now + TWO_HOURS || valid_until > own.valid_until;
                let valid_until = match (is_believed, left <= TWO_HOURS) {
                    (true, _) => valid_until,
                    (false, true) => own.valid_until,
                    (false, false) => now + TWO_HOURS,
                };
                self.set_lifetimes(interface, address, preferred_until, valid_until, now);
            }
            // Written addresses have no lifetime.
            Some(_) => {}
            None if prefix.valid == 0 => {}
            None => {
                let own = Own { preferred_until, valid_until, ..Own::new(address, 64, Source::Advertised) };
                has_room = self.add_address(interface, own, is_awaited, now, out);
            }
        }
        if self.spec.ipv6.privacy {
            let lifetimes = (preferred_until, valid_until);
            has_room &= self.make_temporary(interface, prefix.prefix, lifetimes, is_awaited, now, out);
        }
        has_room
    }

    /// Makes a temporary address for a prefix, unless there is one that is still good (RFC 8981 §3.4). Whether there was
    /// room for it.
    fn make_temporary(
        &mut self,
        interface: u16,
        prefix: Ipv6Addr,
        (preferred_until, valid_until): (Time, Time),
        is_awaited: bool,
        now: Time,
        out: &mut Outbox,
    ) -> bool {
        let is_good = |own: &Own| {
            own.source == Source::Temporary
                && own.address.to_bits() >> 64 == prefix.to_bits() >> 64
                && own.standing != Standing::Duplicate
                && own.preferred_until > now + REGENERATION_ADVANCE
        };
        if self.link(interface).is_some_and(|link| link.addresses.iter().any(is_good)) {
            return true;
        }
        // §3.4 (4): "Valid Lifetime is the lower of the Valid Lifetime of the prefix or TEMP_VALID_LIFETIME."; "Preferred
        // Lifetime is the lower of the Preferred Lifetime of the prefix or TEMP_PREFERRED_LIFETIME - DESYNC_FACTOR."
        let desync = self.luck.up_to(DESYNC_MAX);
        let preferred_until = preferred_until.min(now + (TEMPORARY_PREFERRED - desync));
        // (5): "A temporary address is created only if this calculated preferred lifetime is greater than REGEN_ADVANCE".
        if preferred_until <= now + REGENERATION_ADVANCE {
            return true;
        }
        let valid_until = valid_until.min(now + TEMPORARY_VALID);
        let mut identifier = self.luck.next_u64();
        while is_reserved(identifier) {
            identifier = self.luck.next_u64();
        }
        let address = with_identifier(prefix, identifier);
        let own = Own { preferred_until, valid_until, ..Own::new(address, 64, Source::Temporary) };
        self.own(interface, address).is_some() || self.add_address(interface, own, is_awaited, now, out)
    }

    /// An address whose identifier is made of a secret is another's: try again with the next identifier.
    ///
    /// RFC 7217 §6: "If, after performing DAD, the tentative address is found to be a duplicate, [...] the DAD_Counter [...]
    /// incremented by one, and a new tentative address", up to IDGEN_RETRIES times.
    pub(super) fn replace_stable(&mut self, interface: u16, own: Own, now: Time, out: &mut Outbox) {
        let net = with_identifier(own.address, 0);
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        if link.duplicates.len() >= PREFIXES_MAX {
            link.duplicates.clear();
        }
        let duplicates = link.duplicates.entry(net).or_insert(0);
        if *duplicates >= IDENTIFIER_TRIES {
            return;
        }
        *duplicates += 1;
        let duplicates = *duplicates;
        link.addresses.retain(|known| known.address != own.address);
        let address = self.address_with(interface, net, duplicates);
        let standing = Standing::Tentative { asked: 0, nonce: [0; 6] };
        let _ = self.add_address(interface, Own { address, standing, ..own }, true, now, out);
    }

    /// A temporary address is another's: try again with another identifier (RFC 8981 §3.4 (7)).
    pub(super) fn replace_temporary(&mut self, interface: u16, own: Own, now: Time, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        if link.identifiers_refused >= IDENTIFIER_TRIES {
            return;
        }
        link.identifiers_refused += 1;
        let lifetimes = (own.preferred_until, own.valid_until);
        let _ = self.make_temporary(interface, own.address, lifetimes, false, now, out);
    }

    /// Whether there was room for it.
    fn add_address(&mut self, interface: u16, own: Own, is_awaited: bool, now: Time, out: &mut Outbox) -> bool {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return false };
        if link.addresses.len() >= ADDRESSES_MAX {
            return false;
        }
        let address = own.address;
        link.addresses.push(own);
        self.coming_up += usize::from(is_awaited);
        self.join(interface, solicited_node(address));
        self.report_group(interface, solicited_node(address), out);
        self.arm_lifetime(interface, address, now);
        self.check_address(interface, address, now, out);
        true
    }

    fn set_lifetimes(&mut self, interface: u16, address: Ipv6Addr, preferred: Time, valid: Time, now: Time) {
        self.timers.retain(|(_, timer)| *timer != Timer::Lifetime(interface, address));
        if let Some(own) = self.own_mut(interface, address) {
            (own.preferred_until, own.valid_until) = (preferred, valid);
            if own.standing == Standing::Deprecated && preferred > now {
                own.standing = Standing::Preferred;
            }
        }
        self.arm_lifetime(interface, address, now);
    }

    /// Sets the timer for whatever ends first of an address.
    fn arm_lifetime(&mut self, interface: u16, address: Ipv6Addr, now: Time) {
        let Some(own) = self.own(interface, address) else { return };
        let advance = if own.source == Source::Temporary { REGENERATION_ADVANCE } else { Duration::ZERO };
        let regenerates_at = Time::from_nanos(
            own.preferred_until.as_nanos().saturating_sub(u64::try_from(advance.as_nanos()).unwrap_or(u64::MAX)),
        );
        let ends = [regenerates_at, own.preferred_until, own.valid_until];
        let next = ends.into_iter().filter(|at| *at > now && *at != Time::MAX).min();
        let is_over = own.valid_until <= now || (own.preferred_until <= now && own.standing == Standing::Preferred);
        let next = if is_over { Some(now) } else { next };
        self.timers.extend(next.map(|at| (at, Timer::Lifetime(interface, address))));
    }

    /// Something about an address has ended: it is deprecated, or no longer valid, or about to be followed by another.
    pub(super) fn lifetime_is_due(&mut self, interface: u16, address: Ipv6Addr, now: Time, out: &mut Outbox) {
        let Some(own) = self.own(interface, address).copied() else { return };
        if own.valid_until <= now {
            // RFC 4862 §5.5.4: "An address (and its association with an interface) becomes invalid when its valid lifetime
            // expires."
            out.note(None, || format!("ipv6: {} no longer has {address}", self.name_of(interface)));
            return self.remove_address(interface, address, out);
        }
        if own.preferred_until <= now && own.standing == Standing::Preferred {
            // "A preferred address becomes deprecated when its preferred lifetime expires."
            out.note(None, || format!("ipv6: {address} is deprecated"));
            if let Some(own) = self.own_mut(interface, address) {
                own.standing = Standing::Deprecated;
            }
        } else if own.source == Source::Temporary && own.standing == Standing::Preferred {
            let of_prefix = |known: &&Own| {
                known.source == Source::Advertised && known.address.to_bits() >> 64 == address.to_bits() >> 64
            };
            let stable = self.link(interface).and_then(|link| link.addresses.iter().find(of_prefix)).copied();
            if let Some(Own { preferred_until, valid_until, .. }) = stable {
                let _ = self.make_temporary(interface, address, (preferred_until, valid_until), false, now, out);
            }
        }
        self.arm_lifetime(interface, address, now);
    }

    fn remove_address(&mut self, interface: u16, address: Ipv6Addr, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        let Some(place) = link.addresses.iter().position(|own| own.address == address) else { return };
        let own = link.addresses.remove(place);
        self.coming_up = self.coming_up.saturating_sub(usize::from(own.is_tentative() && self.coming_up > 0));
        self.locals.remove(&address);
        self.timers.retain(|(_, timer)| *timer != Timer::Duplicate(interface, address));
        if own.standing != Standing::Duplicate {
            self.leave(interface, solicited_node(address), out);
        }
    }
}
