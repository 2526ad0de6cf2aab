//! Lets smoltcp work on one connection, and looks at what comes out.
//!
//! Whatever happens to a connection ends in [`pump`](Tcp::pump): smoltcp sends what it has to send, each segment is
//! fitted to its route, the change of state is told, and the timer is set anew.

use std::io;
use std::time::Duration;

use smoltcp::iface::PollResult;
use smoltcp::socket::tcp::State;

use super::super::arena::Key;
use super::super::core::Turn;
use super::super::errors;
use super::super::packet::Header;
use super::super::timers::Timer;
use super::Tcp;
use super::connection::{Holder, state_name};
use super::phy::{Phy, instant, moment};
use super::segment::{self, Segment};
use crate::wire::Frame;

/// When smoltcp says "now" and then does nothing, it is asked again this much later.
const SPIN_GUARD: Duration = Duration::from_millis(1);

impl Tcp {
    /// Hands a segment to its connection's socket.
    pub(super) fn feed(&mut self, key: Key, packet: &[u8], turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut phy = Phy::new(Some(packet), &mut self.sent, &mut turn.out.pool);
        self.counters.polls += 1;
        self.interface.get().poll_ingress_single(instant(turn.now), &mut phy, &mut connection.set);
    }

    /// Lets a connection send what it has to send, and settles what has changed.
    pub(super) fn pump(&mut self, key: Key, turn: &mut Turn<'_>) {
        self.egress(key, turn);
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) else { return };
        if connection.is_peer_dead() {
            let kind = connection.soft_error.unwrap_or(io::ErrorKind::TimedOut);
            connection.failure.get_or_insert(kind);
            connection.socket_mut().abort();
            self.egress(key, turn);
        }
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) else { return };
        // Data for a program that has closed: nobody will ever read it.
        // RFC 1122 §4.2.2.13: "If such a host issues a CLOSE call while received data is still pending in TCP, or if new
        // data is received after CLOSE is called, its TCP SHOULD send a RST to show that data was lost."
        if connection.is_closing && connection.state() != State::Closed && connection.socket().recv_queue() > 0 {
            connection.socket_mut().abort();
            self.egress(key, turn);
        }
        self.settle(key, turn);
    }

    /// Sends everything that smoltcp has to send.
    fn egress(&mut self, key: Key, turn: &mut Turn<'_>) {
        if let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) {
            let mut phy = Phy::new(None, &mut self.sent, &mut turn.out.pool);
            let (now, interface) = (instant(turn.now), self.interface.get());
            connection.next_poll = None;
            self.counters.polls += 1;
            while interface.poll_egress(now, &mut phy, &mut connection.set) != PollResult::None {
                self.counters.polls += 1;
                // Asking whether there is more costs less than trying, and the answer is wanted for the timer anyway.
                let next = interface.poll_at(now, &connection.set);
                if next.is_none_or(|at| at > now) {
                    connection.next_poll = Some(next);
                    break;
                }
            }
        }
        let mut sent = std::mem::take(&mut self.sent);
        for frame in sent.drain(..) {
            self.emit(key, frame.caused_by(turn.cause), turn);
        }
        self.sent = sent;
    }

    /// Fits one segment to its route and sends it.
    fn emit(&mut self, key: Key, mut frame: Frame, turn: &mut Turn<'_>) {
        let header = Header::read(frame.bytes());
        let segment = header.as_ref().and_then(|header| Segment::read(frame.bytes(), header));
        let connection = self.connections.get_mut(key).filter(|connection| !connection.is_over);
        let (Some(mut segment), Some(connection)) = (segment, connection) else {
            turn.out.consume(frame);
            return;
        };
        connection.track.edges.number(&mut segment, frame.bytes_mut());
        let remote = connection.flow.remote.ip();
        let mut mtu = usize::MAX;
        if segment.is_syn {
            let is_half_open = matches!(connection.holder, Holder::Listener(_));
            let retries = connection.track.syns_sent;
            if is_half_open && retries > connection.settings.syn_ack_retries {
                turn.out.consume(frame);
                self.fail(key, io::ErrorKind::TimedOut, turn);
                return;
            }
            if segment.is_opening() && retries > connection.settings.syn_retries {
                turn.out.consume(frame);
                return;
            }
            let most = segment::mss_for(turn.ip.mtu_for(remote), remote.is_ipv4());
            segment::limit_mss(frame.bytes_mut(), &segment, most);
        } else if !segment.payload.is_empty() {
            mtu = turn.ip.mtu_for(remote);
        }
        self.counters.resets_sent += u64::from(segment.is_rst);
        let is_again = connection.track.sent(&segment, turn.now);
        connection.has_repeated |= is_again && !segment.is_syn;
        self.counters.retransmissions += u64::from(is_again);
        let state = connection.state();
        let mut pieces = std::mem::take(&mut self.pieces);
        if frame.len() > mtu {
            segment::cut(frame, mtu, &mut turn.out.pool, &mut pieces);
        } else {
            pieces.push(frame);
        }
        let mut refusal = None;
        for piece in pieces.drain(..) {
            self.counters.segments_sent += 1;
            refusal = turn.ip.send(piece, turn.now, turn.out).err();
        }
        self.pieces = pieces;
        // Without a route a connect fails at once; an established connection waits for better times.
        if let (Some(error), State::SynSent) = (refusal, state) {
            self.fail(key, errors::kind(error), turn);
        }
    }

    /// Looks at what has become of a connection: tells of its state, hands it to its listener, forgets it if it is over,
    /// and sets its timer.
    fn settle(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) else { return };
        connection.observe_state(turn.now);
        let state = connection.state();
        if state == State::Closed || state == State::Listen {
            // A half-open connection that was reset is back where it began: smoltcp would listen on.
            self.finish(key, turn);
            return;
        }
        self.tell_state(key, turn);
        self.offer(key);
        self.arm(key, turn);
    }

    /// Sets the timer for whatever is due first: smoltcp's own, or giving up.
    fn arm(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let now = instant(turn.now);
        let known = connection.next_poll.take();
        let poll_at = match known.unwrap_or_else(|| self.interface.get().poll_at(now, &connection.set)) {
            Some(at) if at <= now => Some(moment(now) + SPIN_GUARD),
            later => later.map(moment),
        };
        let due_at = [poll_at, connection.give_up_at(), connection.linger_ends_at()].into_iter().flatten().min();
        turn.timers.arm(Timer::Connection(key), connection.due_at, due_at);
        connection.due_at = due_at;
    }

    /// A connection's timer has come.
    pub(crate) fn timer_due(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) else { return };
        connection.due_at = None;
        if connection.give_up_at().is_some_and(|at| at <= turn.now) {
            // RFC 5461 §3.1 and Linux: what ICMP has hinted at is now believed.
            let kind = connection.soft_error.unwrap_or(io::ErrorKind::TimedOut);
            self.fail(key, kind, turn);
            return;
        }
        if connection.linger_ends_at().is_some_and(|at| at <= turn.now) {
            connection.socket_mut().abort();
        }
        let is_time_wait = connection.state() == State::TimeWait;
        if is_time_wait && connection.socket().recv_queue() > 0 {
            // smoltcp forgets everything at the end of TIME-WAIT, a program that has not read to the end does not.
            let mut unread = vec![0; connection.socket().recv_queue()];
            let length = connection.socket_mut().peek_slice(&mut unread).unwrap_or(0);
            unread.truncate(length);
            self.pump(key, turn);
            if let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.is_over) {
                connection.leftover = unread.into();
            }
        } else {
            self.pump(key, turn);
        }
    }

    /// Ends a connection in silence, for a reason that its program is told.
    pub(super) fn fail(&mut self, key: Key, kind: io::ErrorKind, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) else { return };
        connection.failure.get_or_insert(kind);
        // Wakes who waits. The RST that smoltcp would send next is never asked for.
        connection.socket_mut().abort();
        self.finish(key, turn);
    }

    /// Forgets a connection that is closed; what its program has not read or been told stays until the program lets go.
    pub(super) fn finish(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_over) else { return };
        connection.is_over = true;
        turn.timers.arm(Timer::Connection(key), connection.due_at.take(), None);
        self.flows.remove(&connection.flow);
        self.counters.failures += u64::from(connection.failure.is_some());
        let (holder, is_offered) = (connection.holder, connection.is_offered);
        self.tell_state(key, turn);
        match holder {
            Holder::Nobody => {
                self.forget(key);
            }
            Holder::Listener(listener) => {
                // One that completed and failed before it was accepted stays: the program is told by its first read.
                if !is_offered {
                    if let Some(listener) = self.listeners.get_mut(listener) {
                        listener.pending.remove(&key);
                    }
                    self.forget(key);
                }
            }
            Holder::Stream => {}
        }
    }

    /// Forgets a connection altogether; what it was made of may serve the next.
    pub(super) fn forget(&mut self, key: Key) {
        if let Some(connection) = self.connections.remove(key).filter(|connection| !connection.has_repeated) {
            self.shelf.keep(connection.set);
        }
    }

    /// Gives a connection whose handshake is over to those who wait to accept it.
    fn offer(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Holder::Listener(listener) = connection.holder else { return };
        if !connection.is_established || connection.is_offered {
            return;
        }
        connection.is_offered = true;
        self.counters.passive_opens += 1;
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.ready.push_back(key);
            listener.accepters.wake();
        }
    }

    /// Tells of a state that was not told of yet.
    fn tell_state(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let state = connection.state();
        if state == connection.told {
            return;
        }
        connection.told = state;
        let (local, remote) = (connection.flow.local.port(), connection.flow.remote.port());
        let failure = connection.failure.filter(|_| state == State::Closed);
        turn.out.note(None, || match failure {
            Some(kind) => format!("tcp {local} > {remote} {}: {kind}", state_name(state)),
            None => format!("tcp {local} > {remote} {}", state_name(state)),
        });
    }
}
