//! Opens, listens, accepts, closes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use smoltcp::socket::tcp::State;

use super::super::arena::Key;
use super::super::core::{Turn, Wakers};
use super::super::lookup::Flow;
use super::super::ports::{Local, overlap};
use super::super::{errors, packet};
use super::connection::{Connection, Holder};
use super::options::Wishes;
use super::{Listener, Tcp};

impl Tcp {
    /// Takes a port without listening yet. Unless `is_reusing`, connections of that port, those in TIME-WAIT among
    /// them, are in the way.
    pub(super) fn bind(&mut self, local: Local, is_reusing: bool, turn: &Turn<'_>) -> io::Result<(Key, SocketAddr)> {
        let Local(wanted) = local;
        if wanted.ip().is_multicast() || turn.ip.is_broadcast(wanted.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let Self { connections, ports, .. } = self;
        let is_unused = |address, port| {
            let mut alive = connections.iter().filter(|(_, one)| !one.is_over).map(|(_, one)| one.flow.local);
            is_reusing || !alive.any(|local| local.port() == port && overlap(local.ip(), address))
        };
        let local = ports.choose(local, turn.ip, is_unused)?;
        let key = self.listeners.insert(Listener {
            local,
            is_open: false,
            backlog: 1,
            wishes: Wishes::default(),
            pending: Default::default(),
            ready: Default::default(),
            accepters: Wakers::default(),
        });
        self.ports.bind(local, key);
        Ok((key, local))
    }

    /// Listens at a port that was taken.
    pub(super) fn listen(&mut self, key: Key, backlog: usize, wishes: Wishes) -> io::Result<()> {
        let listener = self.listeners.get_mut(key).ok_or_else(errors::gone)?;
        (listener.is_open, listener.backlog, listener.wishes) = (true, backlog.max(1), wishes);
        Ok(())
    }

    /// Takes the longest waiting connection of a listener.
    pub(super) fn accept(
        &mut self,
        listener: Key,
        context: &std::task::Context<'_>,
    ) -> io::Result<Option<(Key, Flow)>> {
        let listener = self.listeners.get_mut(listener).ok_or_else(errors::gone)?;
        let Some(key) = listener.ready.pop_front() else {
            listener.accepters.register(context);
            return Ok(None);
        };
        listener.pending.remove(&key);
        let connection = self.connections.get_mut(key).ok_or_else(errors::gone)?;
        connection.holder = Holder::Stream;
        Ok(Some((key, connection.flow)))
    }

    /// Stops listening. Connections that nobody has accepted are reset.
    pub(crate) fn unlisten(&mut self, key: Key) {
        let Some(listener) = self.listeners.remove(key) else { return };
        self.ports.release(listener.local, key);
        self.abandoned.extend(listener.pending);
    }

    /// Begins a connection: its SYN leaves at once.
    pub(super) fn connect(
        &mut self,
        local: Local,
        peer: SocketAddr,
        wishes: &Wishes,
        turn: &mut Turn<'_>,
    ) -> io::Result<(Key, Flow)> {
        let Local(wanted) = local;
        let remote = packet::endpoint(peer.ip(), peer.port());
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(errors::invalid("a connection needs an address and a port to go to"));
        }
        if remote.ip().is_multicast() || turn.ip.is_broadcast(remote.ip()) {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        let address = if wanted.ip().is_unspecified() {
            turn.source_for(remote.ip())?
        } else if turn.ip.owns(wanted.ip()) {
            wanted.ip()
        } else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        if address.is_ipv4() != remote.is_ipv4() {
            return Err(errors::invalid("the two ends have different IP versions"));
        }
        let port = self.local_port(wanted.port(), address, remote)?;
        let flow = Flow { local: packet::endpoint(address, port), remote };
        let mut connection = Connection::new(flow, Holder::Stream, wishes, &self.settings, &mut self.shelf, turn);
        let (to, from) = ((remote.ip(), remote.port()), (address, port));
        connection
            .socket_mut()
            .connect(self.interface.get().context(), to, from)
            .map_err(|_| errors::invalid("these two ends cannot be connected"))?;
        let key = self.connections.insert(connection);
        self.flows.insert(flow, key);
        self.counters.active_opens += 1;
        self.pump(key, turn);
        Ok((key, flow))
    }

    /// The local port for a connection to `remote`: the wanted one, or, for 0, a free one.
    fn local_port(&mut self, wanted: u16, address: std::net::IpAddr, remote: SocketAddr) -> io::Result<u16> {
        let Self { ports, flows, .. } = self;
        let is_new = |port| !flows.contains(&Flow { local: packet::endpoint(address, port), remote });
        if wanted != 0 {
            let is_free = ports.is_free(address, wanted) && is_new(wanted);
            return if is_free { Ok(wanted) } else { Err(io::ErrorKind::AddrInUse.into()) };
        }
        let port = ports.ephemeral(|ports, port| ports.is_free(address, port) && is_new(port));
        port.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Has a connection asked for what it has to say, at the end of the current poll.
    pub(super) fn touch(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_touched) {
            connection.is_touched = true;
            self.touched.push_back(key);
        }
    }

    /// A connection's holder lets go.
    pub(crate) fn release(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.holder = Holder::Nobody;
        if connection.is_over {
            self.forget(key);
        } else {
            self.touch(key);
        }
    }

    /// Closes what was let go of, and lets those speak that have something to say.
    pub(crate) fn flush_touched(&mut self, turn: &mut Turn<'_>) {
        for key in std::mem::take(&mut self.abandoned) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.holder = Holder::Nobody;
            if connection.is_over {
                self.forget(key);
            } else {
                connection.socket_mut().abort();
                self.pump(key, turn);
            }
        }
        while let Some(key) = self.touched.pop_front() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.is_touched = false;
            if connection.holder == Holder::Nobody && !connection.is_closing {
                self.close(key, turn);
            } else {
                self.pump(key, turn);
            }
        }
    }

    /// What `close(2)` does.
    fn close(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.is_closing = true;
        match connection.state() {
            // RFC 9293 §3.10.4: in SYN-SENT, "Delete the TCB and return 'error: closing' responses to any queued SENDs,
            // or RECEIVEs." Nobody is told: there is nobody yet.
            State::SynSent => self.finish(key, turn),
            // Unread data: [`pump`](Self::pump) sees it and resets.
            _ if connection.socket().recv_queue() > 0 => self.pump(key, turn),
            State::TimeWait => self.pump(key, turn),
            _ if connection.linger == Some(Duration::ZERO) => {
                connection.socket_mut().abort();
                self.pump(key, turn);
            }
            _ => {
                connection.linger_until = connection.linger.map(|linger| turn.now + linger);
                connection.socket_mut().close();
                self.pump(key, turn);
            }
        }
    }
}
