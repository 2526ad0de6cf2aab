//! Where an IPv6 packet on its way meets the firewall: the twin of IPv4's [`gate`](super::super::gate), without a translator.
//!
//! The rules are those of the machine's one firewall. What it remembers is kept apart, for no connection has both versions;
//! what it counts is told in one sum. What belongs to the link is not judged when it comes in or goes out, as ARP is not:
//! a policy that drops it would leave no neighbor for what the rules accept (RFC 4890 §4.4.1).
//!
//! A router puts no fragments together. The first one has the ports, so what becomes of it becomes of those behind it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use smoltcp::wire::IpProtocol;

use super::Ipv6Layer;
use super::header::{Header, set_hop_limit};
use super::icmp::Complaint;
use crate::id::RuleId;
use crate::net::tcp::reset_reply;
use crate::node::machine::firewall::{Chain, Firewall, FirewallSpec, Judgement, Passage, Refusal};
use crate::node::machine::gate::drop_by;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::view::Ip;
use crate::wire::{Frame, View};

/// Of how many packets the first fragment is remembered at once. Of others, each fragment is judged by itself.
const CUT_PACKETS_MAX: usize = 1024;

/// How long other fragments are waited for: as long as whoever puts them together waits (RFC 8200 §4.5).
const CUT_FOR: Duration = Duration::from_secs(60);

/// The fragments of one packet.
type CutPacket = (IpAddr, IpAddr, u32);

/// The firewall of a machine, for IPv6.
#[derive(Debug)]
pub(super) struct Gate {
    firewall: Firewall,
    /// Packets whose first fragment was accepted, and until when the others are too.
    cut: BTreeMap<CutPacket, Time>,
    /// What is sent now refuses a packet: the firewall does not judge its own word.
    is_refusing: bool,
}

impl Gate {
    pub(super) fn new(spec: &FirewallSpec) -> Self {
        Self { firewall: Firewall::new(spec.clone()), cut: BTreeMap::new(), is_refusing: false }
    }

    pub(super) fn power_off(&mut self) {
        self.firewall.power_off();
        self.cut.clear();
    }

    fn judge(&mut self, passage: Passage, packet: &Frame, now: Time) -> Judgement {
        let cut = View::of(packet).ip.and_then(|ip| {
            let piece = ip.fragment.filter(|_| self.firewall.is_stateful())?;
            Some(((ip.source, ip.destination, piece.id), piece))
        });
        let Some((key, piece)) = cut else { return self.firewall.judge(passage, packet, now) };
        if piece.offset > 0 && self.cut.get(&key).is_some_and(|until| *until > now) {
            return Judgement::Accepted;
        }
        let judgement = self.firewall.judge(passage, packet, now);
        if judgement == Judgement::Accepted && piece.offset == 0 && piece.more {
            if self.cut.len() >= CUT_PACKETS_MAX {
                self.cut.retain(|_, until| *until > now);
            }
            if self.cut.len() < CUT_PACKETS_MAX {
                self.cut.insert(key, now + CUT_FOR);
            }
        }
        judgement
    }
}

impl Ipv6Layer {
    /// What the firewall counts and knows of IPv6.
    pub(in crate::node::machine) fn firewall(&self) -> Option<&Firewall> {
        self.gate.as_ref().map(|gate| &gate.firewall)
    }

    /// The rules are called as those of IPv4 are.
    pub(in crate::node::machine) fn call_rules_as(&mut self, firewall: &Firewall) {
        if let Some(gate) = &mut self.gate {
            gate.firewall.call_as(firewall);
        }
    }

    /// Asks the firewall, if there is one. What it does not let through has ended.
    pub(super) fn admit(
        &mut self,
        passage: Passage,
        header: &Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let Some(gate) = self.gate.as_mut().filter(|gate| !gate.is_refusing) else { return Some(packet) };
        if passage.chain != Chain::Forward && View::of(&packet).ip.is_some_and(|ip| is_of_the_link(&ip)) {
            return Some(packet);
        }
        match gate.judge(passage, &packet, now) {
            Judgement::Accepted => return Some(packet),
            Judgement::Dropped(rule) => drop_by(packet, rule, out),
            Judgement::Full => out.drop_frame(packet, Cause::TrackingFull),
            // A program of this machine is told by its own call.
            Judgement::Rejected(_, rule) if passage.chain == Chain::Out => drop_by(packet, rule, out),
            Judgement::Rejected(refusal, rule) => self.reject(refusal, rule, header, packet, now, out),
        }
        None
    }

    /// Ends a packet and tells its sender.
    fn reject(
        &mut self,
        refusal: Refusal,
        rule: Option<RuleId>,
        header: &Header,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) {
        let is_segment = View::of(&packet).ip.is_some_and(|ip| ip.protocol == IpProtocol::Tcp);
        let answer = match refusal {
            // A reset is never answered, so a segment without an answer has had one.
            Refusal::Fitting if is_segment => reset_reply(&packet, &mut out.pool).map(|mut reset| {
                self.counters.resets += 1;
                set_hop_limit(reset.bytes_mut(), self.hop_limit_for(header.source));
                reset
            }),
            // RFC 4443 §3.1: "If the reason for the failure to deliver is administrative prohibition (e.g., a "firewall
            // filter"), the Code field is set to 1."
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
}

/// Whether a message is between neighbors: listeners to groups (130 to 132, 143), routers and neighbors (133 to 137).
fn is_of_the_link(ip: &Ip<'_>) -> bool {
    let kind = ip.transport(IpProtocol::Icmpv6).and_then(|message| message.first().copied());
    matches!(kind, Some(130..=137 | 143))
}
