//! IPv4 address conflict detection: is an address free, and does it stay this machine's? (RFC 5227)
//!
//! ```text
//!            up to 1 s    1 to 2 s     1 to 2 s        2 s             2 s
//!  tentative ────────▶ probe ────▶ probe ────▶ probe ────▶ announcement ────▶ announcement
//!                └────────────────┬──────────────────┘ │◀──────────── in use ───────────▶
//!                    somebody has it, or wants it too         somebody claims it: defended once in 10 s
//! ```
//!
//! What programs add (a DHCP client does) is always checked; addresses of the configuration only if that asks for it
//! (`arp.detect_conflicts`). Without it a machine only says that somebody claims its address, and goes on.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{ArpOperation, ArpRepr, EthernetAddress};

use super::address::Own;
use super::arp::NO_MAC;
use super::ip::{IpLayer, Timer};
use super::spec::Defence;
use crate::net::control::Standing;
use crate::node::Mac;
use crate::record::Outbox;
use crate::rng::Rng;
use crate::time::Time;

// RFC 5227 §1.1, in its words.
/// "initial random delay"
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// "number of probe packets"
const PROBE_NUM: u8 = 3;
/// "minimum delay until repeated probe"
const PROBE_MIN: Duration = Duration::from_secs(1);
/// "maximum delay until repeated probe"
const PROBE_MAX: Duration = Duration::from_secs(2);
/// "delay before announcing"
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
/// "number of Announcement packets"
const ANNOUNCE_NUM: u8 = 2;
/// "time between Announcement packets"
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
/// "max conflicts before rate-limiting"
const MAX_CONFLICTS: u32 = 10;
/// "delay between successive attempts"
const RATE_LIMIT_INTERVAL: Duration = Duration::from_secs(60);
/// "minimum interval between defensive ARPs"
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// How far the check of an address has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Check {
    probes: u8,
    announcements: u8,
    /// When somebody else was last heard to claim the address.
    claimed_at: Option<Time>,
}

/// Who says something about an address, in an ARP packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) mac: EthernetAddress,
    pub(super) sender: Ipv4Addr,
    pub(super) target: Ipv4Addr,
    pub(super) operation: ArpOperation,
}

impl IpLayer {
    /// Begins to check every address that is tentative.
    pub(super) fn begin_checks(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        let own = self.interfaces.get(usize::from(interface)).map_or(&[][..], |one| &one.addresses);
        let tentative = own.iter().filter(|own| own.standing == Standing::Tentative);
        for address in tentative.map(|own| own.net.addr()).collect::<Vec<Ipv4Addr>>() {
            self.begin_check(interface, address, now, out);
        }
    }

    /// The link at an interface has returned: what is checked at all is checked anew.
    ///
    /// RFC 5227 §2.1: "This also applies when a network interface transitions from an inactive to an active state, when a
    /// computer awakes from sleep, when a link-state change signals that an Ethernet cable has been connected".
    pub(super) fn check_again(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        let are_all = self.spec.arp.detects_conflicts;
        let Some(one) = self.interfaces.get_mut(usize::from(interface)) else { return };
        let mut is_changed = false;
        for own in one.addresses.iter_mut().filter(|own| own.is_added || are_all) {
            is_changed |= own.standing == Standing::InUse;
            (own.standing, own.check) = (Standing::Tentative, Check::default());
        }
        self.begin_checks(interface, now, out);
        if is_changed {
            self.addresses_changed();
        }
    }

    /// Begins to check one address: the first probe goes out within a second.
    pub(super) fn begin_check(&mut self, interface: u16, address: Ipv4Addr, now: Time, out: &mut Outbox) {
        self.end_check(interface, address);
        let conflicts = self.interfaces.get(usize::from(interface)).map_or(0, |one| one.conflicts);
        // RFC 5227 §2.1.1: "When ready to begin probing, the host should then wait for a random time interval selected
        // uniformly in the range zero to PROBE_WAIT seconds".
        let mut wait = self.probe_luck().up_to(PROBE_WAIT);
        if conflicts >= MAX_CONFLICTS {
            // "if the host experiences MAX_CONFLICTS or more address conflicts on a given interface, then the host MUST
            // limit the rate at which it probes for new addresses on this interface to no more than one attempted new
            // address per RATE_LIMIT_INTERVAL."
            wait += RATE_LIMIT_INTERVAL;
            out.note(None, || format!("arp: {conflicts} conflicts; {address} is probed for after a minute"));
        }
        self.timers.insert((now + wait, Timer::Check(interface, address)));
    }

    /// The next step of a check is due.
    pub(super) fn go_on_checking(&mut self, interface: u16, address: Ipv4Addr, now: Time, out: &mut Outbox) {
        let Some(own) = self.own_mut(interface, address) else { return };
        let next = match (own.standing, own.check) {
            (Standing::Tentative, Check { probes, .. }) if probes < PROBE_NUM => {
                own.check.probes += 1;
                // §2.1.1: "should then send PROBE_NUM probe packets, each of these probe packets spaced randomly and
                // uniformly, PROBE_MIN to PROBE_MAX seconds apart."
                let is_last = probes + 1 == PROBE_NUM;
                let gap = PROBE_MIN + self.probe_luck().up_to(PROBE_MAX - PROBE_MIN);
                self.counters.arp_probes += 1;
                self.say_of_own(interface, Ipv4Addr::UNSPECIFIED, address, out);
                Some(if is_last { ANNOUNCE_WAIT } else { gap })
            }
            (Standing::Tentative, _) => {
                // "If, by ANNOUNCE_WAIT seconds after the transmission of the last ARP Probe no conflicting ARP Reply or
                // ARP Probe has been received, then the host has successfully determined that the desired address may be
                // used safely."
                own.standing = Standing::InUse;
                own.check.announcements = 1;
                self.addresses_changed();
                let name = self.spec.interfaces.get(usize::from(interface)).map_or("?", |spec| &spec.name);
                out.note(None, || format!("arp: nobody has {address}; {name} has it from now on"));
                self.announce_one(interface, address, out);
                Some(ANNOUNCE_INTERVAL)
            }
            (Standing::InUse, Check { announcements, .. }) if announcements < ANNOUNCE_NUM => {
                own.check.announcements += 1;
                self.announce_one(interface, address, out);
                None
            }
            (Standing::Conflict | Standing::InUse, _) => None,
        };
        if let Some(wait) = next {
            self.timers.insert((now + wait, Timer::Check(interface, address)));
        }
    }

    /// Looks at an ARP packet for what it says of this machine's addresses.
    pub(super) fn hear_claim(&mut self, interface: u16, claim: Claim, now: Time, out: &mut Outbox) {
        let Claim { mac, sender, target, operation } = claim;
        if self.owns_on(interface, sender) {
            out.note(None, || format!("arp: {} claims to be {sender}, which is this machine's address", Mac(mac)));
        }
        if self.is_mac_of_own(mac) {
            // RFC 5227 §2.1.1 speaks of "some other host": a loop of switches may bring a machine's own words back.
            return;
        }
        let standing = |layer: &mut Self, address| layer.own_mut(interface, address).map(|own| own.standing);
        match standing(self, sender) {
            // RFC 5227 §2.1.1: "If during this period [...] the host receives any ARP packet (Request *or* Reply) on the
            // interface where the probe is being performed, where the packet's 'sender IP address' is the address being
            // probed for, then the host MUST treat this address as being in use by some other host".
            Some(Standing::Tentative) => self.lose(interface, sender, mac, out),
            Some(Standing::InUse) => self.defend(interface, sender, mac, now, out),
            Some(Standing::Conflict) | None => {}
        }
        let is_probe = operation == ArpOperation::Request && sender.is_unspecified();
        if is_probe && standing(self, target) == Some(Standing::Tentative) {
            // "In addition, if during this period the host receives any ARP Probe where the packet's 'target IP address'
            // is the address being probed for, and the packet's 'sender hardware address' is not the hardware address of
            // any of the host's interfaces, then the host SHOULD similarly treat this as an address conflict".
            self.lose(interface, target, mac, out);
        }
    }

    /// Somebody else claims an address that is in use here (RFC 5227 §2.4).
    fn defend(&mut self, interface: u16, address: Ipv4Addr, mac: EthernetAddress, now: Time, out: &mut Outbox) {
        let (are_all, defence) = (self.spec.arp.detects_conflicts, self.spec.arp.defence);
        let Some(own) = self.own_mut(interface, address).filter(|own| own.is_added || are_all) else { return };
        let is_first = own.check.claimed_at.is_none_or(|at| now.since(at) >= DEFEND_INTERVAL);
        own.check.claimed_at = Some(now);
        self.counters.arp_conflicts += 1;
        match (defence, is_first) {
            (Defence::Never, _) | (Defence::Once, false) => {
                // (b): "However, if this is not the first conflicting ARP packet the host has seen, and the time recorded
                // for the previous conflicting ARP packet is recent, within DEFEND_INTERVAL seconds, then the host MUST
                // immediately cease using this address".
                self.lose(interface, address, mac, out);
            }
            (Defence::Once | Defence::Always, true) => {
                // (b): "If it has not seen any other conflicting ARP packets within the last DEFEND_INTERVAL seconds,
                // MAY elect to attempt to defend its address by recording the time that the conflicting ARP packet was
                // received, and then broadcasting one single ARP Announcement".
                self.counters.arp_defences += 1;
                out.note(None, || format!("arp: {address} is defended"));
                self.announce_one(interface, address, out);
            }
            (Defence::Always, false) => {
                // (c): "If this is not the first conflicting ARP packet the host has seen, and the time recorded for the
                // previous conflicting ARP packet is within DEFEND_INTERVAL seconds, then the host MUST NOT send another
                // defensive ARP Announcement."
                out.note(None, || format!("arp: {address} was defended a moment ago, and is kept"));
            }
        }
    }

    /// An address is somebody else's: it is used no longer, or never.
    fn lose(&mut self, interface: u16, address: Ipv4Addr, mac: EthernetAddress, out: &mut Outbox) {
        self.end_check(interface, address);
        let Some(own) = self.own_mut(interface, address) else { return };
        let was_in_use = own.is_in_use();
        own.standing = Standing::Conflict;
        if !was_in_use {
            self.counters.arp_conflicts += 1;
        }
        if let Some(one) = self.interfaces.get_mut(usize::from(interface)) {
            one.conflicts = one.conflicts.saturating_add(1);
        }
        let what = if was_in_use { "is given up" } else { "is not taken" };
        out.note(None, || format!("arp: {address} {what}: {} has it", Mac(mac)));
        self.addresses_changed();
    }

    /// Whether an address is being checked that programs had better wait for.
    pub(super) fn is_checking(&self) -> bool {
        let own = self.interfaces.iter().filter(|one| one.is_up).flat_map(|one| &one.addresses);
        own.clone().any(|own| own.standing == Standing::Tentative)
    }

    fn end_check(&mut self, interface: u16, address: Ipv4Addr) {
        self.timers.retain(|(_, timer)| *timer != Timer::Check(interface, address));
    }

    /// The link is down: nobody could object.
    pub(super) fn stop_checking(&mut self, interface: u16) {
        self.timers.retain(|(_, timer)| !matches!(timer, Timer::Check(of, _) if *of == interface));
        let Some(one) = self.interfaces.get_mut(usize::from(interface)) else { return };
        let tentative = |own: &&mut Own| own.standing == Standing::Tentative;
        one.addresses.iter_mut().filter(tentative).for_each(|own| own.check = Check::default());
    }

    /// Tells everybody on a link of an address there.
    pub(super) fn announce_one(&mut self, interface: u16, address: Ipv4Addr, out: &mut Outbox) {
        self.counters.arp_announced += 1;
        self.say_of_own(interface, address, address, out);
    }

    /// A probe, if nobody is the sender, or an announcement.
    ///
    /// RFC 5227 §2.1.1: "The 'sender IP address' field MUST be set to all zeroes". §2.3: "An ARP Announcement is identical
    /// to the ARP Probe described above, except that now the sender and target IP addresses are both set to the host's
    /// newly selected IPv4 address."
    fn say_of_own(&mut self, interface: u16, sender: Ipv4Addr, target: Ipv4Addr, out: &mut Outbox) {
        let request = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: self.mac_of(interface),
            source_protocol_addr: sender,
            // §2.1.1: "The 'target hardware address' field is ignored and SHOULD be set to all zeroes."
            target_hardware_addr: NO_MAC,
            target_protocol_addr: target,
        };
        self.send_arp(interface, EthernetAddress::BROADCAST, &request, None, out);
    }

    fn is_mac_of_own(&self, mac: EthernetAddress) -> bool {
        self.spec.interfaces.iter().any(|spec| spec.mac == mac)
    }

    fn probe_luck(&mut self) -> &mut Rng {
        let Self { probe_luck, spec, .. } = self;
        probe_luck.get_or_insert_with(|| Box::new(Rng::stream(spec.seed, &format!("node {}/arp/probes", spec.name))))
    }
}
