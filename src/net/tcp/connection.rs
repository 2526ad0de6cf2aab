//! One connection: a smoltcp socket alone in its set, and what is known beside it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, State};
use smoltcp::time::Instant;

use super::super::arena::Key;
use super::super::core::Turn;
use super::super::lookup::Flow;
use super::super::settings::{Congestion, TcpSettings};
use super::options::Wishes;
use super::segment::{Segment, is_after};
use super::shelf::Shelf;
use super::track::Track;
use crate::time::Time;

/// The largest buffer that smoltcp can announce: RFC 7323 §2.3 limits the window to 1 GiB.
const BUFFER_MAX: usize = 1 << 30;

/// How long a connection that nobody holds may wait for the peer's FIN: Linux's `tcp_fin_timeout`.
const FIN_WAIT_2_MAX: Duration = Duration::from_secs(60);

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A listener's: half open, or waiting to be accepted.
    Listener(Key),
    /// Nobody's any more: it lingers until it is closed.
    Nobody,
    /// A program's.
    Stream,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) set: SocketSet<'static>,
    pub(super) flow: Flow,
    pub(super) holder: Holder,
    pub(super) settings: Arc<TcpSettings>,
    pub(super) track: Track,
    /// The state that was last told of.
    pub(super) told: State,
    /// Why it ended, if not by agreement.
    pub(super) failure: Option<io::ErrorKind>,
    /// What ICMP has said about it, which alone does not end it.
    pub(super) soft_error: Option<io::ErrorKind>,
    /// Nothing happens any more: the flow is free, smoltcp is not polled again.
    pub(super) is_over: bool,
    /// It is in the list of those that have something to say.
    pub(super) is_touched: bool,
    /// Its holder is gone and it has been told to close.
    pub(super) is_closing: bool,
    /// The peer's FIN has come.
    pub(super) has_peer_finished: bool,
    /// Its handshake is over.
    pub(super) is_established: bool,
    /// It waits to be accepted, or was.
    pub(super) is_offered: bool,
    /// What was not read when smoltcp forgot the socket at the end of TIME-WAIT.
    pub(super) leftover: VecDeque<u8>,
    /// When smoltcp wants to be polled, as it said after the last segment that it sent; `None`: it has to be asked.
    pub(super) next_poll: Option<Option<Instant>>,
    /// For when its timer is set.
    pub(super) due_at: Option<Time>,
    /// How long it may linger once its holder has let go; `None`: as long as it takes.
    pub(super) linger: Option<Duration>,
    /// When it has lingered long enough.
    pub(super) linger_until: Option<Time>,
    /// Its program does not want to read any more.
    pub(super) is_read_shut: bool,
    /// It has sent data or a FIN again.
    pub(super) has_repeated: bool,
    /// Who waited last to read.
    reader: Option<Waker>,
    opened_at: Time,
    fin_wait_2_since: Option<Time>,
}

impl Connection {
    /// One that behaves as `wishes` say, and as the machine has it where they say nothing.
    pub(super) fn new(
        flow: Flow,
        holder: Holder,
        wishes: &Wishes,
        settings: &Arc<TcpSettings>,
        shelf: &mut Shelf,
        turn: &Turn<'_>,
    ) -> Self {
        let settings = Arc::clone(wishes.settings.as_ref().unwrap_or(settings));
        let mut set = shelf.take(&settings);
        let socket = set.get_mut::<Socket<'static>>(SocketHandle::default());
        prepare(socket, &settings);
        let ttl = wishes.ttl.unwrap_or_else(|| turn.ip.hop_limit_for(flow.remote.ip()));
        socket.set_hop_limit(Some(ttl));
        let now = turn.now;
        Self {
            set,
            flow,
            holder,
            settings,
            track: Track::default(),
            told: State::Closed,
            failure: None,
            soft_error: None,
            is_over: false,
            is_touched: false,
            is_closing: false,
            has_peer_finished: false,
            is_established: false,
            is_offered: false,
            leftover: VecDeque::new(),
            next_poll: None,
            due_at: None,
            linger: wishes.linger,
            linger_until: None,
            is_read_shut: false,
            has_repeated: false,
            reader: None,
            opened_at: now,
            fin_wait_2_since: None,
        }
    }

    pub(super) fn socket(&self) -> &Socket<'static> {
        // The set's only socket has the first handle.
        self.set.get(SocketHandle::default())
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(SocketHandle::default())
    }

    /// The state in the sense of RFC 9293.
    pub(super) fn state(&self) -> State {
        if self.is_over { State::Closed } else { self.socket().state() }
    }

    /// How many bytes wait to be read.
    pub(super) fn unread(&self) -> usize {
        self.leftover.len() + self.socket().recv_queue()
    }

    /// Copies the first bytes that wait to be read; how many.
    pub(super) fn peek(&mut self, buffer: &mut [u8]) -> usize {
        if self.is_read_shut {
            return 0;
        }
        let old = self.leftover.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(&self.leftover) {
            *place = *byte;
        }
        old + self.socket_mut().peek_slice(&mut buffer[old..]).unwrap_or(0)
    }

    /// Waits for something to be read: whether there is any, or the stream has come to its end.
    pub(super) fn poll_unread(&mut self, context: &Context<'_>) -> Poll<io::Result<bool>> {
        if !self.is_read_shut && self.unread() > 0 {
            return Poll::Ready(Ok(true));
        }
        if self.is_read_shut || self.has_peer_finished {
            return Poll::Ready(Ok(false));
        }
        if let Some(kind) = self.failure {
            return Poll::Ready(Err(kind.into()));
        }
        if self.is_over {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        self.reader = Some(context.waker().clone());
        self.socket_mut().register_recv_waker(context.waker());
        Poll::Pending
    }

    /// Wakes who waits to read.
    pub(super) fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    /// Notes what the state says, beside what smoltcp keeps.
    pub(super) fn observe_state(&mut self, now: Time) {
        let state = self.state();
        match state {
            State::Closed | State::Listen | State::SynSent | State::SynReceived => {}
            State::Established | State::FinWait1 | State::FinWait2 => self.is_established = true,
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait => {
                self.is_established = true;
                self.has_peer_finished = true;
            }
        }
        if state == State::FinWait2 && self.holder == Holder::Nobody {
            self.fin_wait_2_since.get_or_insert(now);
        }
    }

    /// When it has lingered long enough, if it waits for what it has sent to be acknowledged.
    pub(super) fn linger_ends_at(&self) -> Option<Time> {
        let waits = matches!(self.state(), State::FinWait1 | State::Closing | State::LastAck);
        self.linger_until.filter(|_| waits)
    }

    /// When it is to be given up, if nothing changes until then. smoltcp never gives up by itself.
    pub(super) fn give_up_at(&self) -> Option<Time> {
        let unanswered = self.track.unanswered_since.map(|since| since + self.settings.give_up_after);
        match self.state() {
            State::Closed | State::Listen | State::TimeWait => None,
            // A half-open connection of a listener is counted by its SYN|ACKs.
            State::SynSent | State::SynReceived if !matches!(self.holder, Holder::Listener(_)) => {
                Some(self.opened_at + self.settings.connect_timeout)
            }
            State::SynSent | State::SynReceived => None,
            State::FinWait2 => self.fin_wait_2_since.map(|since| since + FIN_WAIT_2_MAX),
            State::CloseWait | State::Closing | State::Established | State::FinWait1 | State::LastAck => unanswered,
        }
    }

    /// Whether a segment says nothing but what has been said before, while nothing but our FIN is on its way.
    ///
    /// smoltcp takes three of them for the loss of a segment, finds no data to send again, and leaves the FIN without
    /// a timer: if that was lost too, the connection would never end.
    pub(super) fn is_repeated(&self, segment: &Segment) -> bool {
        let is_fin_alone_on_its_way = matches!(self.state(), State::FinWait1 | State::Closing | State::LastAck)
            && self.socket().send_queue() == 0;
        let says_nothing = segment.payload.is_empty() && !segment.is_syn && !segment.is_fin && !segment.is_rst;
        // What repeats an old sequence number is a probe, which wants an answer.
        let is_probe = is_after(self.track.acknowledged, segment.sequence);
        let is_known = segment.ack == Some(self.track.unacknowledged) && !is_probe;
        is_fin_alone_on_its_way && says_nothing && is_known
    }

    /// Whether the peer has left too many keep-alive probes unanswered.
    pub(super) fn is_peer_dead(&self) -> bool {
        self.settings.keep_alive.is_some() && self.track.probes_unanswered > self.settings.keep_alive_probes
    }
}

/// How large the buffers of a connection are: for receiving, for sending.
pub(super) fn buffer_sizes(settings: &TcpSettings) -> (usize, usize) {
    let size = |bytes: usize| bytes.clamp(1, BUFFER_MAX);
    (size(settings.receive_buffer), size(settings.send_buffer))
}

/// Has a socket behave as settings say.
fn prepare(socket: &mut Socket<'static>, settings: &TcpSettings) {
    // Before connecting or listening: only the handshake tells a controller the segment size.
    socket.set_congestion_control(match settings.congestion {
        Congestion::Cubic => CongestionControl::Cubic,
        Congestion::None => CongestionControl::None,
        Congestion::Reno => CongestionControl::Reno,
    });
    socket.set_nagle_enabled(settings.nagle);
    socket.set_ack_delay(settings.ack_delay.map(Into::into));
    socket.set_keep_alive(settings.keep_alive.map(Into::into));
}

/// A state's name, as RFC 9293 §3.3.2 spells it.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::Closed => "CLOSED",
        State::CloseWait => "CLOSE-WAIT",
        State::Closing => "CLOSING",
        State::Established => "ESTABLISHED",
        State::FinWait1 => "FIN-WAIT-1",
        State::FinWait2 => "FIN-WAIT-2",
        State::LastAck => "LAST-ACK",
        State::Listen => "LISTEN",
        State::SynReceived => "SYN-RECEIVED",
        State::SynSent => "SYN-SENT",
        State::TimeWait => "TIME-WAIT",
    }
}
