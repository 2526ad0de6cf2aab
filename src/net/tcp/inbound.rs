//! Finds the connection that a segment belongs to, and keeps from smoltcp what it would get wrong.

use std::io;
use std::net::SocketAddr;

use smoltcp::socket::tcp::State;
use smoltcp::wire::IpProtocol;

use super::super::arena::Key;
use super::super::core::Turn;
use super::super::icmp::IcmpMessage;
use super::super::lookup::Flow;
use super::super::packet::{self, Header};
use super::super::stack::Delivery;
use super::Tcp;
use super::connection::{Connection, Holder};
use super::segment::{self, Segment, is_after};
use super::window::{Fit, trim};
use crate::record::Cause;
use crate::wire::Frame;

/// How far beyond what was sent the acknowledgment lies that provokes a challenge ACK: no window reaches there.
const FAR_BEYOND: u32 = 1 << 30;

/// What to do with a SYN for a flow that there is already.
enum Syn {
    /// It is the other half of a simultaneous open.
    Feed,
    /// It has come before.
    Ignore,
    /// It begins a new connection in place of the old one.
    Replace,
    /// The peer may have forgotten the connection: ask.
    Challenge,
}

impl Tcp {
    /// Handles a segment.
    pub(crate) fn deliver(&mut self, mut frame: Frame, header: &Header, turn: &mut Turn<'_>) -> Delivery {
        let Some(segment) = Segment::read(frame.bytes(), header) else {
            turn.out.drop_frame(frame, Cause::Malformed);
            return Delivery::Dropped;
        };
        self.counters.segments_received += 1;
        let flow = Flow {
            local: packet::endpoint(header.destination, segment.destination_port),
            remote: packet::endpoint(header.source, segment.source_port),
        };
        let mut known = self.flows.get(&flow);
        // RFC 1122 §4.2.3.10: "A TCP implementation MUST silently discard an incoming SYN segment that is addressed to
        // a broadcast or multicast address." Nor can anything else come from or go to one.
        if known.is_none() && is_nobody(header, turn) {
            turn.out.drop_frame(frame, Cause::Martian);
            return Delivery::Dropped;
        }
        let mut challenge = None;
        if let Some(connection) = known.and_then(|key| self.connections.get(key)).filter(|_| segment.is_opening()) {
            let is_welcome = self.is_listening(flow.local);
            match judge_syn(connection, &segment, is_welcome) {
                Syn::Feed => {}
                Syn::Ignore => {
                    turn.out.consume(frame);
                    return Delivery::Taken;
                }
                Syn::Replace => {
                    let old = known.take();
                    old.into_iter().for_each(|key| self.finish(key, turn));
                }
                Syn::Challenge => challenge = Some(connection.track.next_sent.wrapping_add(FAR_BEYOND)),
            }
        }
        let key = match known {
            Some(key) => key,
            None => match self.admit(flow, &segment, turn) {
                Admission::Admitted(key) => key,
                Admission::Full => {
                    self.counters.backlog_full += 1;
                    turn.out.drop_frame(frame, Cause::BacklogFull);
                    return Delivery::Dropped;
                }
                // RFC 9293 §3.10.7.1: "An incoming segment containing a RST is discarded."
                Admission::Unwanted if segment.is_rst => {
                    turn.out.drop_frame(frame, Cause::StaleSegment);
                    return Delivery::Dropped;
                }
                Admission::Unwanted => return Delivery::NobodyWants(frame),
            },
        };
        let mut segment = shifted(segment, packet::strip_extensions(&mut frame, header));
        if let Some(connection) = self.connections.get_mut(key) {
            if connection.is_repeated(&segment) {
                connection.track.received(&segment, frame.bytes_mut());
                turn.out.consume(frame);
                return Delivery::Taken;
            }
            match connection.track.edges.fit(&segment) {
                Fit::Whole => {}
                Fit::Part(length) => trim(&mut frame, &mut segment, length),
                Fit::Nothing => {
                    turn.out.drop_frame(frame, Cause::StaleSegment);
                    return Delivery::Dropped;
                }
            }
        }
        if let Some(ack) = challenge {
            segment::syn_into_ack(frame.bytes_mut(), &segment, ack);
        } else if segment.is_syn {
            // What the peer can take may be more than what the way there carries.
            let most = segment::mss_for(turn.ip.mtu_for(header.source), header.source.is_ipv4());
            segment::limit_mss(frame.bytes_mut(), &segment, most);
        }
        self.receive(key, &mut frame, &segment, challenge.is_some(), turn);
        turn.out.consume(frame);
        Delivery::Taken
    }

    fn receive(&mut self, key: Key, frame: &mut Frame, segment: &Segment, is_challenge: bool, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let before = connection.state();
        if !is_challenge && connection.track.received(segment, frame.bytes_mut()) {
            turn.ip.confirm(connection.flow.remote.ip(), turn.now);
        }
        self.feed(key, frame.bytes(), turn);
        if let Some(connection) = self.connections.get_mut(key).filter(|_| segment.is_rst) {
            let was_active = !matches!(connection.holder, Holder::Listener(_));
            let after = connection.state();
            self.counters.resets_received += u64::from(after == State::Closed || after == State::Listen);
            // In TIME-WAIT there is nothing left to lose.
            if after == State::Closed && before != State::TimeWait {
                // RFC 9293 §3.10.7.4: "If this connection was initiated with an active OPEN (i.e., came from SYN-SENT
                // state), then the connection was refused; signal the user 'connection refused'."
                connection.failure.get_or_insert(match before {
                    State::SynSent => io::ErrorKind::ConnectionRefused,
                    State::SynReceived if was_active => io::ErrorKind::ConnectionRefused,
                    _ => io::ErrorKind::ConnectionReset,
                });
            }
        }
        self.pump(key, turn);
    }

    fn is_listening(&self, local: SocketAddr) -> bool {
        let holder = self.ports.holder(local.ip(), local.port());
        holder.and_then(|key| self.listeners.get(key)).is_some_and(|listener| listener.is_open)
    }

    /// Begins a connection for a SYN, if somebody listens and the backlog has room.
    fn admit(&mut self, flow: Flow, segment: &Segment, turn: &Turn<'_>) -> Admission {
        if !segment.is_opening() {
            return Admission::Unwanted;
        }
        let Some(listener_key) = self.ports.holder(flow.local.ip(), flow.local.port()) else {
            return Admission::Unwanted;
        };
        let listener = self.listeners.get_mut(listener_key).filter(|listener| listener.is_open);
        let Some(listener) = listener else { return Admission::Unwanted };
        if listener.pending.len() >= listener.backlog {
            return Admission::Full;
        }
        let holder = Holder::Listener(listener_key);
        let mut connection = Connection::new(flow, holder, &listener.wishes, &self.settings, &mut self.shelf, turn);
        let local = (flow.local.ip(), flow.local.port());
        if connection.socket_mut().listen(local).is_err() {
            return Admission::Unwanted;
        }
        let key = self.connections.insert(connection);
        listener.pending.insert(key);
        self.flows.insert(flow, key);
        Admission::Admitted(key)
    }

    /// Handles an ICMP error about a segment that a connection of this machine has sent.
    pub(crate) fn deliver_error(&mut self, message: &IcmpMessage, turn: &mut Turn<'_>) {
        let Some(quote) = message.kind.quote().filter(|quote| quote.protocol == u8::from(IpProtocol::Tcp)) else {
            return;
        };
        let Some((local_port, remote_port)) = quote.ports else { return };
        let flow = Flow {
            local: packet::endpoint(quote.source, local_port),
            remote: packet::endpoint(quote.destination, remote_port),
        };
        let Some(key) = self.flows.get(&flow) else { return };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(kind) = message.kind.error_kind() else { return };
        // RFC 5927 §4.1: "TCP SHOULD check that the TCP sequence number contained in the payload of the ICMP error
        // message is within the range SND.UNA =< SEG.SEQ < SND.NXT."
        let is_ours = quote.tcp_sequence.is_none_or(|sequence| !is_after(sequence, connection.track.next_sent));
        if !is_ours {
            return;
        }
        if connection.state() == State::SynSent {
            self.fail(key, kind, turn);
            return;
        }
        // RFC 1122 §4.2.3.9: "Since these Unreachable messages indicate soft error conditions, TCP MUST NOT abort the
        // connection". RFC 5461 explains what that is good for.
        connection.soft_error = Some(kind);
        let (local, remote) = (flow.local.port(), flow.remote.port());
        turn.out.note(None, || format!("tcp {local} > {remote} goes on in spite of ICMP: {kind}"));
    }
}

/// What has become of a wish for a connection.
enum Admission {
    Admitted(Key),
    Full,
    Unwanted,
}

/// Whether one of the ends is not a single host.
fn is_nobody(header: &Header, turn: &Turn<'_>) -> bool {
    [header.source, header.destination]
        .iter()
        .any(|address| address.is_unspecified() || address.is_multicast() || turn.ip.is_broadcast(*address))
}

fn judge_syn(connection: &Connection, segment: &Segment, is_welcome: bool) -> Syn {
    match connection.state() {
        State::SynSent => Syn::Feed,
        State::SynReceived if connection.track.first_received == Some(segment.sequence) => Syn::Ignore,
        // The client has begun anew before the first handshake was over.
        State::SynReceived if matches!(connection.holder, Holder::Listener(_)) => Syn::Replace,
        // RFC 1122 §4.2.2.13: "it MAY accept a new SYN from the remote TCP to reopen the connection directly from
        // TIME-WAIT state, if it: (1) assigns its initial sequence number for the new connection to be larger than the
        // largest sequence number it used on the previous connection incarnation, and (2) returns to TIME-WAIT state if
        // the SYN turns out to be an old duplicate." As on Linux the peer's number decides, which rules out
        // duplicates; ours is random.
        State::TimeWait if is_welcome && is_after(segment.sequence, connection.track.acknowledged) => Syn::Replace,
        // RFC 9293 §3.10.7.4: "If the SYN bit is set in these synchronized states, it may be either a legitimate new
        // connection attempt (e.g., after a crash) or an error; [...] TCP implementations SHOULD send a 'challenge ACK'
        // to the remote peer". smoltcp drops it in silence; an acknowledgment of what was never sent it does answer.
        _ => Syn::Challenge,
    }
}

/// The same segment after its packet lost `shift` bytes in front.
fn shifted(mut segment: Segment, shift: usize) -> Segment {
    segment.tcp -= shift;
    segment.payload = segment.payload.start - shift..segment.payload.end - shift;
    segment
}
