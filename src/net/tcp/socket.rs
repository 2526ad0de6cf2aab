//! A TCP socket before it listens or connects: where everything is said that must be said before.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::arena::Key;
use super::super::context::Net;
use super::super::owned::Handle;
use super::super::ports::Local;
use super::super::settings::{Congestion, TcpSettings};
use super::options::{Wishes, check_ttl};
use super::{TcpListener, TcpStream};

/// A TCP socket that neither listens nor is connected yet, like tokio's type of this name.
///
/// ```
/// # use hopwise::net::{Congestion, Program, TcpSocket};
/// # use std::time::Duration;
/// let program = Program::new(|net| async move {
///     let mut socket = TcpSocket::new(&net);
///     socket.set_send_buffer_size(8 * 1024);
///     socket.set_congestion(Congestion::Reno);
///     socket.bind(5000)?;
///     let peer = (net.lookup("server").await?, 80).into();
///     let stream = socket.connect_timeout(peer, Duration::from_secs(3)).await?;
///     net.report("buffer", stream.send_buffer_size());
///     Ok(())
/// });
/// # let _ = program;
/// ```
///
/// A listener's connections behave as its socket was told to.
#[derive(Debug)]
pub struct TcpSocket {
    net: Net,
    settings: TcpSettings,
    wishes: Wishes,
    is_reusing: bool,
    /// The port that it holds.
    bound: Option<Bound>,
}

/// A port that is held, until this is dropped.
#[derive(Debug)]
struct Bound {
    net: Net,
    key: Option<Key>,
    local: SocketAddr,
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.net.close(Handle::Listener(key));
        }
    }
}

impl TcpSocket {
    /// A socket that behaves as its machine's settings say.
    #[must_use]
    pub fn new(net: &Net) -> Self {
        let settings = net.core(|core| TcpSettings::clone(&core.tcp.settings));
        Self { net: net.clone(), settings, wishes: Wishes::default(), is_reusing: false, bound: None }
    }

    /// Whether [`bind`](Self::bind) may take a port that connections still have, such as those in TIME-WAIT
    /// (`SO_REUSEADDR`); not unless set. Another listener is in the way in any case.
    pub fn set_reuse_address(&mut self, is_reusing: bool) {
        self.is_reusing = is_reusing;
    }

    /// How many bytes may wait to be read: the largest window.
    pub fn set_receive_buffer_size(&mut self, bytes: usize) {
        self.settings.receive_buffer = bytes;
    }

    /// How many bytes may be written before they are acknowledged.
    pub fn set_send_buffer_size(&mut self, bytes: usize) {
        self.settings.send_buffer = bytes;
    }

    /// Which algorithm decides how much data may be on its way (`TCP_CONGESTION`).
    pub fn set_congestion(&mut self, congestion: Congestion) {
        self.settings.congestion = congestion;
    }

    /// Switches Nagle's algorithm off (true) or on.
    pub fn set_nodelay(&mut self, is_without_delay: bool) {
        self.settings.nagle = !is_without_delay;
    }

    /// After how much silence, and how often, the peer is asked whether it is still there; `None`: never.
    pub fn set_keep_alive(&mut self, interval: Option<Duration>) {
        self.settings.keep_alive = interval;
    }

    /// After how many probes without an answer the peer is taken for dead (`TCP_KEEPCNT`).
    pub fn set_keep_alive_probes(&mut self, probes: u32) {
        self.settings.keep_alive_probes = probes;
    }

    /// How long data is sent again without an answer before the connection fails (`TCP_USER_TIMEOUT`).
    pub fn set_user_timeout(&mut self, limit: Duration) {
        self.settings.give_up_after = limit;
    }

    /// What becomes of unacknowledged data when a stream is dropped: [`TcpStream::set_linger`].
    pub fn set_linger(&mut self, linger: Option<Duration>) {
        self.wishes.linger = linger;
    }

    /// The time to live or hop limit of its segments, the first ones included.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for 0.
    pub fn set_ttl(&mut self, ttl: u8) -> io::Result<()> {
        self.wishes.ttl = Some(check_ttl(ttl)?);
        Ok(())
    }

    /// Everything else that can be set: how its connections will behave, to be changed.
    pub fn settings_mut(&mut self) -> &mut TcpSettings {
        &mut self.settings
    }

    /// Takes a local address, port, or both; port 0 asks for a free one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`]; [`io::ErrorKind::AddrNotAvailable`] for an address of another machine;
    /// [`io::ErrorKind::InvalidInput`] if it is bound already.
    pub fn bind(&mut self, local: impl Into<Local>) -> io::Result<()> {
        if self.bound.is_some() {
            return Err(super::super::errors::invalid("the socket is bound already"));
        }
        let (local, is_reusing) = (local.into(), self.is_reusing);
        let (key, local) = self.net.turn(|core, turn| core.tcp.bind(local, is_reusing, turn))?;
        self.net.own(Handle::Listener(key));
        self.bound = Some(Bound { net: self.net.clone(), key: Some(key), local });
        Ok(())
    }

    /// Where it is bound, if it is.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.bound.as_ref().map(|bound| bound.local)
    }

    /// Listens, with room for `backlog` connections that are half open or wait to be accepted. A socket that is not bound
    /// takes a free port.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); when the machine has crashed.
    pub fn listen(mut self, backlog: usize) -> io::Result<TcpListener> {
        self.wishes.settings = Some(Arc::new(self.settings.clone()));
        self.listen_as_machine(backlog)
    }

    /// Listens; connections behave as the machine's settings say when they come.
    pub(super) fn listen_as_machine(mut self, backlog: usize) -> io::Result<TcpListener> {
        if self.bound.is_none() {
            self.bind(Local::ANY)?;
        }
        let Self { net, wishes, bound, .. } = self;
        let mut bound = bound.expect("it was bound above");
        let key = bound.key.take().expect("only this takes the key, and the socket with it");
        net.core(|core| core.tcp.listen(key, backlog, wishes))?;
        Ok(TcpListener::new(net, key, bound.local))
    }

    /// Connects to `peer`.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect_from`].
    pub async fn connect(self, peer: SocketAddr) -> io::Result<TcpStream> {
        let local = self.local_addr().map_or(Local::ANY, Local::from);
        let Self { net, settings, wishes, bound, .. } = self;
        // The port is given back, and taken again at once.
        drop(bound);
        let wishes = Wishes { settings: Some(Arc::new(settings)), ..wishes };
        TcpStream::connect_as(&net, local, peer, &wishes).await
    }

    /// Connects to `peer`, but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`io::ErrorKind::TimedOut`] when the time is over.
    pub async fn connect_timeout(self, peer: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let net = self.net.clone();
        net.timeout(limit, self.connect(peer)).await?
    }
}
