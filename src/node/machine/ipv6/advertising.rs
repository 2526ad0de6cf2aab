//! A router tells of itself and of the prefixes of its links (RFC 4861 §6.2).
//!
//! Advertisements go to everybody now and then, and to whoever asks, after up to half a second at random so that several
//! routers do not answer at once. That a router ceases to be one is not told: it goes down without a word.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::address::{ALL_NODES, Source};
use super::header::{HEADER_BYTES, Header};
use super::neighbor::NeighborKey;
use super::router_message::{PREFIX_BYTES, Prefix, RouterAdvertisement, RouterSolicitation};
use super::{Ipv6Layer, Timer};
use crate::node::machine::spec::AdvertiseSettings;
use crate::record::{Cause, Outbox};
use crate::time::Time;

/// RFC 4861 §6.2.4: the first MAX_INITIAL_RTR_ADVERTISEMENTS advertisements are at most
/// MAX_INITIAL_RTR_ADVERT_INTERVAL apart.
const INITIAL_COUNT: u8 = 3;
const INITIAL_INTERVAL: Duration = Duration::from_secs(16);

/// MIN_DELAY_BETWEEN_RAS: "consecutive Router Advertisements sent to the all-nodes multicast address MUST be rate limited
/// to no more than one advertisement every MIN_DELAY_BETWEEN_RAS seconds."
const LEAST_INTERVAL: Duration = Duration::from_secs(3);

/// MAX_RA_DELAY_TIME: how long an answer waits at most.
const ANSWER_DELAY_MAX: Duration = Duration::from_millis(500);

/// How many hosts may wait for an answer at once; further ones have to ask again.
const ANSWERS_MAX: usize = 256;

/// What a router remembers of its advertisements on a link.
#[derive(Debug, Default)]
pub(super) struct Advertising {
    /// How many were sent to everybody, as far as that matters.
    sent: u8,
    /// When the last one was.
    last_at: Option<Time>,
    /// When the next one is due: its entry among the timers.
    next_at: Option<Time>,
    /// Hosts that wait for an answer.
    answers: usize,
}

impl Ipv6Layer {
    /// Begins to advertise on an interface, if this router is to.
    pub(super) fn begin_advertising(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        if self.advertises_on(interface) {
            self.advertise_to_all(interface, now, out);
        }
    }

    fn advertises_on(&self, interface: u16) -> bool {
        let is_named = |settings: &AdvertiseSettings| {
            settings.interfaces.as_ref().is_none_or(|interfaces| interfaces.contains(&usize::from(interface)))
        };
        self.spec.forwards && self.spec.ipv6.advertise.as_ref().is_some_and(is_named)
    }

    /// Somebody asks for routers (RFC 4861 §6.2.6). Why that is of no use, if it is not.
    pub(super) fn router_was_solicited(
        &mut self,
        interface: u16,
        header: &Header,
        message: &[u8],
        now: Time,
        out: &mut Outbox,
    ) -> Option<Cause> {
        // "A host MUST silently discard any received Router Solicitation messages."
        if !self.advertises_on(interface) {
            return Some(Cause::Ignored);
        }
        let Some(RouterSolicitation { mac }) = RouterSolicitation::read(message, header.source) else {
            return Some(Cause::InvalidDiscovery);
        };
        let delay = self.luck.up_to(ANSWER_DELAY_MAX);
        let host = header.source;
        if host.is_unspecified() {
            self.advertise_sooner(interface, now + delay);
            return None;
        }
        if let Some(mac) = mac {
            self.heard_of(NeighborKey { interface, address: host }, mac, now, out);
        }
        // "Whether or not a Source Link-Layer Address option is provided, if a Neighbor Cache entry for the solicitation's
        // sender exists (or is created) the entry's IsRouter flag MUST be set to FALSE."
        if let Some(neighbor) = self.neighbors.get_mut(NeighborKey { interface, address: host }) {
            neighbor.is_router = false;
        }
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return Some(Cause::Ignored) };
        if link.advertising.answers >= ANSWERS_MAX {
            return Some(Cause::Ignored);
        }
        // "A router MAY choose to unicast the response directly to the soliciting host's address".
        if self.timers.insert((now + delay, Timer::AdvertiseTo(interface, host))) {
            link.advertising.answers += 1;
        }
        None
    }

    /// Answers a host.
    pub(super) fn advertise_to(&mut self, interface: u16, host: Ipv6Addr, now: Time, out: &mut Outbox) {
        if let Some(link) = self.links.get_mut(usize::from(interface)) {
            link.advertising.answers = link.advertising.answers.saturating_sub(1);
        }
        self.send_advertisement(interface, host, now, out);
    }

    /// Advertises to everybody, and sets the time for the next.
    pub(super) fn advertise_to_all(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        let Some(settings) = self.spec.ipv6.advertise.as_ref() else { return };
        let most = settings.interval_max.max(LEAST_INTERVAL);
        // RFC 4861 §6.2.1: MinRtrAdvInterval's default is "0.33 * MaxRtrAdvInterval If MaxRtrAdvInterval >= 9 seconds;
        // otherwise, the Default is MaxRtrAdvInterval".
        let default = if most >= Duration::from_secs(9) { (most / 3).max(LEAST_INTERVAL) } else { most };
        let least = settings.interval_min.unwrap_or(default).clamp(LEAST_INTERVAL, most);
        let drawn = least + self.luck.up_to(most - least);
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        let advertising = &mut link.advertising;
        advertising.sent = advertising.sent.saturating_add(1);
        // §6.2.4: "For the first few advertisements (up to MAX_INITIAL_RTR_ADVERTISEMENTS) sent from an interface when it
        // becomes an advertising interface, if the randomly chosen interval is greater than
        // MAX_INITIAL_RTR_ADVERT_INTERVAL, the timer SHOULD be set to MAX_INITIAL_RTR_ADVERT_INTERVAL instead."
        let interval = if advertising.sent < INITIAL_COUNT { drawn.min(INITIAL_INTERVAL) } else { drawn };
        advertising.last_at = Some(now);
        let was_due = advertising.next_at.replace(now + interval);
        if let Some(was_due) = was_due {
            self.timers.remove(&(was_due, Timer::Advertise(interface)));
        }
        self.timers.insert((now + interval, Timer::Advertise(interface)));
        self.send_advertisement(interface, ALL_NODES, now, out);
    }

    /// Has the next advertisement to everybody come at `at`, or as soon after as it may.
    fn advertise_sooner(&mut self, interface: u16, at: Time) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        let advertising = &mut link.advertising;
        let earliest = advertising.last_at.map_or(at, |last| last + LEAST_INTERVAL);
        let Some(next_at) = advertising.next_at else { return };
        let sooner = at.max(earliest).min(next_at);
        advertising.next_at = Some(sooner);
        self.timers.remove(&(next_at, Timer::Advertise(interface)));
        self.timers.insert((sooner, Timer::Advertise(interface)));
    }

    fn send_advertisement(&mut self, interface: u16, to: Ipv6Addr, now: Time, out: &mut Outbox) {
        let Some(settings) = self.spec.ipv6.advertise.clone() else { return };
        let Some(link) = self.link(interface) else { return };
        let Some(source) = link.link_local() else { return };
        let mut message = RouterAdvertisement {
            hop_limit: settings.hop_limit,
            is_managed: settings.is_managed,
            has_other: settings.has_other,
            preference: settings.preference,
            reachable: milliseconds(settings.reachable_for),
            retransmission: milliseconds(settings.retry_after),
            lifetime: u16::try_from(settings.lifetime.as_secs()).unwrap_or(u16::MAX),
            mac: Some(self.mac_of(interface)),
            mtu: settings.mtu,
            prefixes: Vec::new(),
        };
        let prefixes = self.advertised_prefixes(interface, &settings);
        // RFC 4861 §6.2.3: "If including all options causes the size of an advertisement to exceed the link MTU, multiple
        // advertisements can be sent, each containing a subset of the options."
        let room = self.mtu_of(interface).saturating_sub(HEADER_BYTES + message.write().len()) / PREFIX_BYTES;
        let mut parts = prefixes.chunks(room.max(1));
        loop {
            message.prefixes = parts.next().unwrap_or_default().to_vec();
            self.counters.router_advertisements += 1;
            let packet = self.discovery_packet(source, to, &message.write(), out);
            self.transmit(interface, to, packet, now, out);
            if parts.len() == 0 {
                break;
            }
        }
    }

    /// The prefixes of the addresses that are written for an interface, each once.
    fn advertised_prefixes(&self, interface: u16, settings: &AdvertiseSettings) -> Vec<Prefix> {
        let seconds = |lifetime: Duration| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        let mut prefixes: Vec<Prefix> = Vec::new();
        let own = self.link(interface).into_iter().flat_map(|link| &link.addresses);
        for own in own.filter(|own| own.source == Source::Written && !own.address.is_unicast_link_local()) {
            let Ok(net) = ipnet::Ipv6Net::new(own.address, own.prefix_length) else { continue };
            let prefix = Prefix {
                prefix: net.network(),
                length: own.prefix_length,
                is_on_link: settings.is_on_link,
                // RFC 4862 §5.5.3 (d): identifiers of 64 bits need a prefix of 64.
                is_autonomous: settings.is_autonomous && own.prefix_length == 64,
                valid: seconds(settings.valid),
                preferred: seconds(settings.preferred.min(settings.valid)),
            };
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
        prefixes
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
