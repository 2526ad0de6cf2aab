//! Where a packet on its way meets the address translator and the firewall.
//!
//! ```text
//!               ┌──────────▶ for_me ──▶ sockets ──▶ going_out ─┐
//! ──▶ came_in ──┤                                              ├──▶ leaving ──▶
//!               └──────────▶ passing_on ───────────────────────┘
//! ```
//!
//! As on Linux: what comes in is translated back before it is routed (`came_in`), what leaves is translated last
//! (`leaving`), and the firewall's three chains (`for_me`, `passing_on`, `going_out`) see inside addresses on both ways.
//! A machine without either has no gate, and its packets are none the slower. A packet that turns round has an outside
//! source too, which the firewall does not see either: it would know no answer by it.
//!
//! Both need whole packets, so fragments are put together first (RFC 4787 REQ-14: "A NAT MUST support receiving in-order
//! and out-of-order fragments"), with the limits that reassembly has anywhere, and are cut again where they leave.

use std::sync::Arc;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::firewall::{Chain, Firewall, Judgement, Passage, Refusal};
use super::header::Header;
use super::icmp::Complaint;
use super::ip::IpLayer;
use super::nat::{Nat, Verdict};
use super::reassembly::hides_tcp_header;
use super::spec::MachineSpec;
use crate::id::RuleId;
use crate::net::tcp::reset_reply;
use crate::record::{Cause, Outbox, Value};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Frame;

/// The address translator and the firewall of a machine that has one of them.
#[derive(Debug)]
pub(super) struct Gate {
    nat: Option<Nat>,
    firewall: Option<Firewall>,
    /// What is sent now refuses a packet: the firewall does not judge its own word.
    is_refusing: bool,
}

impl Gate {
    /// A machine's gate; `None` if it has neither.
    pub(super) fn new(spec: &Arc<MachineSpec>) -> Option<Box<Self>> {
        let luck = || Rng::stream(spec.seed, &format!("node {}/nat", spec.name));
        let nat = spec.nat.as_ref().map(|nat| Nat::new(nat.clone(), luck()));
        let firewall = spec.firewall.as_ref().map(|firewall| Firewall::new(firewall.clone()));
        (nat.is_some() || firewall.is_some()).then(|| Box::new(Self { nat, firewall, is_refusing: false }))
    }

    fn needs_whole_packets(&self) -> bool {
        self.nat.is_some() || self.firewall.as_ref().is_some_and(Firewall::is_stateful)
    }

    /// Registers the names of the firewall's rules.
    pub(super) fn enrol(&mut self, machine: &str, register: &mut dyn FnMut(String, Option<u32>) -> RuleId) {
        if let Some(firewall) = &mut self.firewall {
            firewall.enrol(machine, register);
        }
    }

    /// Forgets what is forgotten without power; gives back what was held.
    pub(super) fn power_off(&mut self) -> Vec<Frame> {
        if let Some(firewall) = &mut self.firewall {
            firewall.power_off();
        }
        self.nat.as_mut().map_or_else(Vec::new, Nat::power_off)
    }

    /// The firewall, if there is one.
    pub(super) fn firewall(&self) -> Option<&Firewall> {
        self.firewall.as_ref()
    }

    /// All counters, in a fixed order; `twin` is the same firewall for IPv6.
    pub(super) fn counters(&self, twin: Option<&Firewall>) -> Vec<(String, Value)> {
        let nat = self.nat.iter().flat_map(Nat::counters).map(|(name, value)| (name.to_owned(), value));
        let firewall = self.firewall.iter().flat_map(|firewall| firewall.counters(twin));
        nat.chain(firewall).map(|(name, value)| (name, Value::from(value))).collect()
    }

    /// When something is next due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.nat.as_ref().and_then(Nat::wake_at)
    }
}

impl IpLayer {
    fn nat_mut(&mut self) -> Option<&mut Nat> {
        self.gate.as_mut()?.nat.as_mut()
    }

    /// What the address translator knows.
    pub(super) fn show_nat(&self, now: Time) -> String {
        let nat = self.gate.as_ref().and_then(|gate| gate.nat.as_ref());
        nat.map_or_else(String::new, |nat| nat.show(now))
    }

    /// What the firewall has decided and knows.
    pub(super) fn show_firewall(&self, now: Time) -> String {
        let firewall = self.gate.as_ref().and_then(|gate| gate.firewall.as_ref());
        let twin = self.ipv6.as_ref().and_then(|ipv6| ipv6.firewall());
        firewall.map_or_else(String::new, |firewall| firewall.show(twin, &self.spec.interfaces, now))
    }

    /// Addresses may have changed.
    pub(super) fn tell_gate_of_addresses(&mut self) {
        let Some(outside) = self.nat_mut().map(|nat| nat.outside()) else { return };
        let addresses = self.addresses_on(outside).map(|own| own.addr()).collect();
        if let Some(nat) = self.nat_mut() {
            nat.set_addresses(addresses);
        }
    }

    /// Does what is due at the gate.
    pub(super) fn wake_gate(&mut self, now: Time, out: &mut Outbox) {
        while let Some(syn) = self.nat_mut().and_then(|nat| nat.wake(now, out)) {
            // RFC 5382 REQ-4: "the NAT SHOULD send an ICMP Port Unreachable error (Type 3, Code 3) for the original SYN".
            self.drop_and_tell(syn, Cause::NatFiltered, Complaint::PortUnreachable, now, out);
        }
    }

    /// A packet has come in on a link, and is not routed yet.
    pub(super) fn came_in(
        &mut self,
        interface: u16,
        header: Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<(Header, Frame)> {
        let (mut header, mut packet) = self.whole(header, packet, now, out)?;
        let Some(nat) = self.nat_mut() else { return Some((header, packet)) };
        if !nat.has_address(header.destination) {
            return Some((header, packet));
        }
        let verdict = if interface == nat.outside() {
            nat.come_in(&mut packet, &mut header, now)
        } else {
            nat.turn_round(&mut packet, &mut header, now, out)
        };
        self.obey(verdict, header, packet, now, out)
    }

    /// A packet has come in for this machine; on a link, unless `from` is `None`.
    pub(super) fn for_me(&mut self, packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        let arrives_by = self.arrived_on;
        if arrives_by.is_none() {
            return Some(packet);
        }
        self.judge(Passage { chain: Chain::In, arrives_by, leaves_by: None }, packet, now, out)
    }

    /// A packet for others is about to go on.
    pub(super) fn passing_on(
        &mut self,
        from: u16,
        interface: u16,
        header: Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<(Header, Frame)> {
        let passage = Passage { chain: Chain::Forward, arrives_by: Some(from), leaves_by: Some(interface) };
        let packet = self.judge(passage, packet, now, out)?;
        self.leaving(Some(from), interface, header, packet, now, out)
    }

    /// A packet of this machine's own is about to go out.
    pub(super) fn going_out(
        &mut self,
        interface: u16,
        header: Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<(Header, Frame)> {
        let passage = Passage { chain: Chain::Out, arrives_by: None, leaves_by: Some(interface) };
        let packet = self.judge(passage, packet, now, out)?;
        self.leaving(None, interface, header, packet, now, out)
    }

    /// A packet is about to leave by an interface: from another interface, or from this machine.
    fn leaving(
        &mut self,
        from: Option<u16>,
        interface: u16,
        mut header: Header,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<(Header, Frame)> {
        let is_for_many = header.destination.is_multicast() || self.is_broadcast_v4(header.destination);
        let Some(nat) = self.nat_mut() else { return Some((header, packet)) };
        // What has not been inside is not translated, nor what is for the link itself.
        if interface != nat.outside() || from == Some(interface) || is_for_many || header.source.is_unspecified() {
            return Some((header, packet));
        }
        let verdict = nat.go_out(&mut packet, &mut header, now, out);
        if verdict == Verdict::Translated && !header.dont_fragment {
            // RFC 6864 §5.3: devices that rewrite addresses "MUST ensure that the IPv4 ID field of datagrams whose
            // addresses or protocols are translated comply with these requirements as if the datagram were sourced by
            // that device": two hosts inside may use one identification for one far end.
            header.ident = self.next_ident();
            super::nat::rewrite_ident(packet.bytes_mut(), header.ident);
        }
        self.obey(verdict, header, packet, now, out)
    }

    /// An ICMP error of this machine's own is about a packet that was translated: back into what its sender knows.
    pub(super) fn untranslate_own_error(&mut self, header: &mut Header, packet: &mut Frame) {
        let is_error = header.protocol == IpProtocol::Icmp
            && matches!(header.payload(packet.bytes()).first(), Some(3 | 4 | 11 | 12));
        if let Some(nat) = self.nat_mut().filter(|_| is_error) {
            nat.error_of_own(packet, header);
        }
    }

    /// Whether a packet that no socket wants is to be left unanswered, or answered later. It is given back if it is to be
    /// answered now.
    pub(super) fn is_solicited(
        &mut self,
        header: &Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let from = self.arrived_on;
        let Some(nat) = self.nat_mut() else { return Some(packet) };
        if from != Some(nat.outside()) || !nat.has_address(header.destination) {
            return Some(packet);
        }
        if !nat.refuses() {
            // RFC 5382 REQ-4a: "The NAT MUST silently drop the original SYN packet if sending a response violates the
            // security policy of the NAT."
            self.drop_packet(packet, Cause::NobodyListens, out);
            return None;
        }
        let is_opening = header.payload(packet.bytes()).get(13).is_some_and(|flags| flags & 0x12 == 0x02);
        if header.protocol != IpProtocol::Tcp || !is_opening {
            return Some(packet);
        }
        self.obey(Verdict::Hold, *header, packet, now, out);
        None
    }

    /// Asks the firewall, if there is one.
    fn judge(&mut self, passage: Passage, mut packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        let gate = self.gate.as_mut()?;
        let Some(firewall) = gate.firewall.as_mut().filter(|_| !gate.is_refusing) else { return Some(packet) };
        let passing = gate.nat.as_ref().filter(|_| passage.chain == Chain::Forward);
        let turned = passing.and_then(|nat| nat.sender_of_turned(&packet));
        if let Some(turned) = turned {
            turned.show_inside(&mut packet);
        }
        let judgement = firewall.judge(passage, &packet, now);
        if let Some(turned) = turned {
            turned.show_outside(&mut packet);
        }
        match judgement {
            Judgement::Accepted => return Some(packet),
            Judgement::Dropped(rule) => drop_by(packet, rule, out),
            Judgement::Full => self.drop_packet(packet, Cause::TrackingFull, out),
            // A program of this machine is told by its own call.
            Judgement::Rejected(_, rule) if passage.chain == Chain::Out => drop_by(packet, rule, out),
            Judgement::Rejected(refusal, rule) => self.reject(refusal, rule, packet, now, out),
        }
        None
    }

    /// Ends a packet and tells its sender.
    fn reject(&mut self, refusal: Refusal, rule: Option<RuleId>, mut packet: Frame, now: Time, out: &mut Outbox) {
        let reset = (refusal == Refusal::Fitting).then(|| reset_reply(&packet, &mut out.pool)).flatten();
        let is_segment = Header::of_own(packet.bytes()).is_ok_and(|header| header.protocol == IpProtocol::Tcp);
        let answer = match refusal {
            // A reset is never answered, so a segment without an answer has had one.
            Refusal::Fitting if is_segment => reset.map(|mut reset| {
                self.counters.resets += 1;
                Ipv4Packet::new_unchecked(reset.bytes_mut()).set_hop_limit(self.spec.ttl);
                reset
            }),
            // RFC 1812 §5.2.7.1: code 13, "Communication Administratively Prohibited - generated if a router cannot
            // forward a packet due to administrative filtering".
            Refusal::Fitting | Refusal::Prohibited => self.error_about(Complaint::Prohibited, &mut packet, now, out),
            Refusal::PortUnreachable => self.error_about(Complaint::PortUnreachable, &mut packet, now, out),
        };
        drop_by(packet, rule, out);
        self.set_refusing(true);
        self.send_error(answer, now, out);
        self.set_refusing(false);
    }

    fn set_refusing(&mut self, is_refusing: bool) {
        if let Some(gate) = &mut self.gate {
            gate.is_refusing = is_refusing;
        }
    }

    fn obey(
        &mut self,
        verdict: Verdict,
        header: Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<(Header, Frame)> {
        match verdict {
            Verdict::Pass | Verdict::Translated => return Some((header, packet)),
            Verdict::Refused(cause) => self.drop_packet(packet, cause, out),
            Verdict::Hold => {
                let refused = self.nat_mut().and_then(|nat| nat.hold(packet, &header, now));
                if let Some(packet) = refused {
                    self.drop_packet(packet, Cause::NatFiltered, out);
                }
            }
            // RFC 5508 REQ-8: "When a NAT device is unable to establish a NAT Session for a new transport-layer (TCP, UDP,
            // ICMP, etc.) flow due to resource constraints or administrative restrictions, the NAT device SHOULD send an
            // ICMP destination unreachable message, with a code of 13 (Communication administratively prohibited) to the
            // sender, and drop the original packet."
            Verdict::Exhausted => {
                self.drop_and_tell(packet, Cause::NatExhausted, Complaint::Prohibited, now, out);
            }
        }
        None
    }

    /// A packet, or the one that it completes if it is a fragment.
    fn whole(&mut self, header: Header, packet: Frame, now: Time, out: &mut Outbox) -> Option<(Header, Frame)> {
        let needs_whole = self.gate.as_ref().is_some_and(|gate| gate.needs_whole_packets());
        if header.is_fragment() && hides_tcp_header(&header) {
            // RFC 1858 is about routers that filter: what they cannot read in a fragment must not pass.
            self.drop_packet(packet, Cause::TinyFragment, out);
            return None;
        }
        if !header.is_fragment() || !needs_whole {
            return Some((header, packet));
        }
        let (_, mut packet) = self.reassemble(&header, packet, now, out)?;
        // It was cut, so it may be cut again, whatever its fragments said.
        let mut ip = Ipv4Packet::new_unchecked(packet.bytes_mut());
        ip.set_dont_frag(false);
        ip.fill_checksum();
        let header = Header::of_own(packet.bytes()).expect("its header was sound before a flag was cleared");
        Some((header, packet))
    }
}

/// Ends a packet that a rule of the firewall does not let through.
pub(super) fn drop_by(packet: Frame, rule: Option<RuleId>, out: &mut Outbox) {
    match rule {
        Some(rule) => out.drop_by_rule(packet, Cause::Filtered, rule),
        None => out.drop_frame(packet, Cause::Filtered),
    }
}
