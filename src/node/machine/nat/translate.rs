//! What becomes of a packet that goes out, comes in, or turns round.

use super::super::header::Header;
use super::Nat;
use super::rewrite::{Side, rewrite};
use super::spec::Unsolicited;
use super::table::{Entry, Exhausted};
use super::transport::{Flow, Protocol, Transport};
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node::machine) enum Verdict {
    /// It is a SYN that nobody has asked for yet: [`Nat::hold`] it.
    Hold,
    /// It stays as it is.
    Pass,
    /// It ends here, and nobody is told.
    Refused(Cause),
    /// There is no room for its connection, and its sender is to be told (RFC 5508 REQ-8).
    Exhausted,
    /// It has other ends now.
    Translated,
}

impl Nat {
    /// A packet, unfragmented, is about to leave by the outside interface, from inside or from the translator itself.
    pub(in crate::node::machine) fn go_out(
        &mut self,
        packet: &mut Frame,
        header: &mut Header,
        now: Time,
        out: &mut Outbox,
    ) -> Verdict {
        let is_own = self.has_address(header.source);
        // What the translator sends itself is as it should be, unless its port is somebody else's.
        let refused = |cause| if is_own { Verdict::Pass } else { Verdict::Refused(cause) };
        match Transport::of(header, packet.bytes()) {
            Transport::Flow(flow) => self.flow_out(flow, packet, header, now, out).unwrap_or_else(refused),
            Transport::Error => self.error_out(packet, header).unwrap_or_else(refused),
            // RFC 5508 REQ-10 lists what must pass: errors, queries and answers. The rest is for one link only.
            Transport::OtherIcmp => refused(Cause::NatNoMapping),
            Transport::Portless => refused(Cause::UnknownProtocol),
            Transport::Malformed => refused(Cause::Malformed),
        }
    }

    /// A packet, unfragmented, has come in by the outside interface, for an outside address.
    pub(in crate::node::machine) fn come_in(&mut self, packet: &mut Frame, header: &mut Header, now: Time) -> Verdict {
        match Transport::of(header, packet.bytes()) {
            // A query is for the translator itself; only answers are for those who have asked.
            Transport::Flow(flow) if flow.is_query => Verdict::Pass,
            Transport::Flow(flow) => self.flow_in(flow, packet, header, now),
            Transport::Error => self.error_in(packet, header),
            Transport::OtherIcmp | Transport::Portless | Transport::Malformed => Verdict::Pass,
        }
    }

    /// A packet, unfragmented, has come from inside for an outside address: it turns round if somebody inside is behind
    /// that.
    pub(in crate::node::machine) fn turn_round(
        &mut self,
        packet: &mut Frame,
        header: &mut Header,
        now: Time,
        out: &mut Outbox,
    ) -> Verdict {
        let is_for_inside = match Transport::of(header, packet.bytes()) {
            Transport::Flow(flow) => !flow.is_query && self.table.is_mapped(flow.protocol, flow.destination),
            Transport::Error => self.is_about_inside(packet, header),
            _ => false,
        };
        if !self.spec.hairpins || !is_for_inside {
            return Verdict::Pass;
        }
        // RFC 4787 REQ-9a: "A NAT Hairpinning behavior MUST be of type 'External source IP address and port'."
        match self.go_out(packet, header, now, out) {
            Verdict::Pass | Verdict::Translated => {}
            refused => return refused,
        }
        let verdict = self.come_in(packet, header, now);
        self.counters.hairpinned += u64::from(verdict == Verdict::Translated);
        verdict
    }

    /// Keeps a SYN that was to be [held](Verdict::Hold), or gives it back if it is to vanish.
    pub(in crate::node::machine) fn hold(&mut self, packet: Frame, header: &Header, now: Time) -> Option<Frame> {
        match Transport::of(header, packet.bytes()) {
            Transport::Flow(flow) if flow.segment.is_syn => self.held.hold(flow.destination, flow.source, packet, now),
            _ => Some(packet),
        }
    }

    fn flow_out(
        &mut self,
        flow: Flow,
        packet: &mut Frame,
        header: &mut Header,
        now: Time,
        out: &mut Outbox,
    ) -> Result<Verdict, Cause> {
        let far = flow.far(flow.destination);
        let is_known = self.table.outside_of(flow.protocol, flow.source, far).is_some();
        // An answer to a query that did not come through, and the end of a connection that did not: nothing to begin.
        let is_answer = flow.protocol == Protocol::Icmp && !flow.is_query;
        if !is_known && (is_answer || flow.segment.is_reset) {
            return Err(Cause::NatNoMapping);
        }
        let mappings = self.table.mappings.len();
        let outside = match self.table.go_out(flow, &self.spec, now) {
            Ok(outside) => outside,
            Err(exhausted) => return Ok(self.exhausted(exhausted, flow, out)),
        };
        if self.table.mappings.len() > mappings && flow.source != outside {
            self.counters.mapped += 1;
            out.note(None, || format!("nat: {} {} is {outside} outside", flow.protocol.name(), flow.source));
        }
        if flow.segment.is_syn
            && let Some(crossed) = self.held.take(outside, flow.destination)
        {
            out.drop_frame(crossed, Cause::NatFiltered);
        }
        if outside == flow.source {
            return Ok(Verdict::Pass);
        }
        self.counters.went_out += 1;
        rewrite(packet, header, Side::Source, outside);
        Ok(Verdict::Translated)
    }

    fn flow_in(&mut self, flow: Flow, packet: &mut Frame, header: &mut Header, now: Time) -> Verdict {
        match self.table.come_in(flow, &self.spec, now) {
            Entry::Unmapped => Verdict::Pass,
            Entry::Inside(inside) if inside == flow.destination => Verdict::Pass,
            Entry::Inside(inside) => {
                self.counters.came_in += 1;
                rewrite(packet, header, Side::Destination, inside);
                Verdict::Translated
            }
            Entry::Filtered => {
                self.counters.filtered += 1;
                let is_opening = flow.segment.is_syn && !flow.segment.is_ack;
                if is_opening && self.spec.unsolicited == Unsolicited::Refuse {
                    Verdict::Hold
                } else {
                    Verdict::Refused(Cause::NatFiltered)
                }
            }
            Entry::Full => {
                self.counters.exhausted += 1;
                Verdict::Exhausted
            }
        }
    }

    fn exhausted(&mut self, exhausted: Exhausted, flow: Flow, out: &mut Outbox) -> Verdict {
        self.counters.exhausted += 1;
        out.note(None, || {
            format!("nat: {} {} stays inside: {}", flow.protocol.name(), flow.source, exhausted.explanation())
        });
        Verdict::Exhausted
    }
}
