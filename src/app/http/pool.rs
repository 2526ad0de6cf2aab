//! Connections of a client: opened, used again, closed in good order.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};

use super::failure::Failure;
use super::goodbye::{PATIENCE, Polite};
use super::url::{Origin, Scheme};
use crate::app::fields::Family;
use crate::app::tls::{Connector, TlsFacts, Wire};
use crate::net::hyper::HyperIo;
use crate::net::{Local, Net, TcpStream};
use crate::time::Time;

/// How many idle connections a client keeps; the oldest is closed for a new one.
const IDLE_MAX: usize = 16;

/// When what was reached.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Milestones {
    pub(super) looked_up: Option<Time>,
    pub(super) connected: Option<Time>,
    pub(super) encrypted: Option<Time>,
}

/// A connection that can take a request.
pub(super) struct Open {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) number: u64,
    pub(super) is_reused: bool,
    over: Arc<Over>,
}

/// All connections of a client.
pub(super) struct Pool {
    net: Net,
    family: Family,
    connect_timeout: Option<Duration>,
    resolve: BTreeMap<(String, u16), IpAddr>,
    connector: Option<Connector>,
    idle: Vec<(Origin, Open)>,
    opened: u64,
    is_verbose: bool,
    /// What the last handshake agreed upon.
    pub(super) tls: Option<TlsFacts>,
}

impl Pool {
    pub(super) fn new(
        net: &Net,
        family: Family,
        connect_timeout: Option<Duration>,
        resolve: BTreeMap<(String, u16), IpAddr>,
        connector: Option<Connector>,
        is_verbose: bool,
    ) -> Self {
        let net = net.clone();
        Self { net, family, connect_timeout, resolve, connector, idle: Vec::new(), opened: 0, is_verbose, tls: None }
    }

    /// How many connections have been made.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.is_verbose {
            self.net.log(|| format!("* {}", text()));
        }
    }

    /// A connection to whom an address names: one that is idle, or a new one.
    pub(super) async fn open(&mut self, origin: &Origin, milestones: &mut Milestones) -> Result<Open, Failure> {
        while let Some(index) = self.idle.iter().position(|(other, _)| other == origin) {
            let (_, mut open) = self.idle.remove(index);
            if !open.sender.is_closed() && open.sender.ready().await.is_ok() {
                open.is_reused = true;
                *milestones = Milestones::default();
                self.say(|| format!("Re-using existing connection #{} with host {}", open.number, origin.host));
                return Ok(open);
            }
            self.say(|| format!("Connection {} seems to be dead", open.number));
        }
        let begun = self.net.now();
        let limit = self.connect_timeout;
        let net = self.net.clone();
        let connecting = self.connect(origin, milestones);
        match limit {
            None => connecting.await,
            Some(limit) => match net.timeout(limit, connecting).await {
                Ok(open) => open,
                Err(_) => Err(Failure::connect_timeout(net.now().since(begun))),
            },
        }
    }

    async fn connect(&mut self, origin: &Origin, milestones: &mut Milestones) -> Result<Open, Failure> {
        let begun = self.net.now();
        let addresses = self.addresses(origin).await?;
        milestones.looked_up = Some(self.net.now());
        let peers: Vec<SocketAddr> = addresses.iter().map(|address| SocketAddr::new(*address, origin.port)).collect();
        let tell = |peer: SocketAddr, error: Option<&std::io::Error>| match error {
            None => self.say(|| format!("  Trying {peer}...")),
            Some(error) => self.say(|| format!("connect to {} port {} failed: {error}", peer.ip(), peer.port())),
        };
        let stream = TcpStream::connect_first_telling(&self.net, Local::ANY, &peers, tell).await;
        let stream =
            stream.map_err(|error| Failure::connect(&origin.host, origin.port, self.net.now().since(begun), &error))?;
        stream.set_nodelay(true);
        milestones.connected = Some(self.net.now());
        let (number, peer) = (self.opened, stream.peer_addr());
        self.opened += 1;
        self.say(|| format!("Connected to {} ({}) port {}", origin.host, peer.ip(), peer.port()));
        let wire = match origin.scheme {
            Scheme::Http => Wire::Plain(stream),
            Scheme::Https => {
                let wire = self.encrypt(origin, stream).await?;
                milestones.encrypted = Some(self.net.now());
                wire
            }
        };
        let mut http = http1::Builder::new();
        let handshake = http.title_case_headers(true).handshake(HyperIo::new(Polite::client(&self.net, wire))).await;
        let (sender, connection) = handshake.map_err(|error| Failure::before_answer(&error))?;
        let over = Arc::new(Over::default());
        let ending = Arc::clone(&over);
        self.net.spawn(async move {
            // What went wrong is told to whoever waits for the answer.
            let _ = connection.await;
            ending.set();
        });
        Ok(Open { sender, number, is_reused: false, over })
    }

    async fn addresses(&self, origin: &Origin) -> Result<Vec<IpAddr>, Failure> {
        if let Some(address) = self.resolve.get(&(origin.host.clone(), origin.port)) {
            self.say(|| format!("Hostname {} was found in DNS cache", origin.host));
            return Ok(vec![*address]);
        }
        if let Some(address) = origin.address() {
            return Ok(vec![address]);
        }
        let found = self.family.lookup_all(&self.net, &origin.host).await;
        found.map_err(|_| Failure::lookup(&origin.host))
    }

    async fn encrypt(&mut self, origin: &Origin, stream: TcpStream) -> Result<Wire, Failure> {
        let Some(connector) = &self.connector else {
            return Err(Failure::new(1, "protocol \"https\" not supported: this build speaks no TLS"));
        };
        let (wire, facts) = connector.connect(&origin.host, stream).await.map_err(|error| Failure::tls(&error))?;
        self.say(|| format!("SSL connection using {} / {}", facts.version, facts.cipher));
        if facts.is_resumed {
            self.say(|| "SSL reusing session".to_owned());
        }
        if let Some(alpn) = &facts.alpn {
            self.say(|| format!("ALPN: server accepted {alpn}"));
        }
        if !facts.certificate.is_empty() {
            self.say(|| "Server certificate:".to_owned());
            for line in &facts.certificate {
                self.say(|| format!(" {line}"));
            }
        }
        self.tls = Some(facts);
        Ok(wire)
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&mut self, origin: &Origin, open: Open) {
        if self.idle.len() >= IDLE_MAX {
            self.idle.remove(0);
        }
        self.say(|| format!("Connection #{} to host {} left intact", open.number, origin.host));
        self.idle.push((origin.clone(), open));
    }

    /// Lets go of a connection.
    pub(super) async fn close(&self, open: Open) {
        self.say(|| format!("Closing connection #{}", open.number));
        let Open { sender, over, .. } = open;
        drop(sender);
        // With TLS there is something to say before the FIN.
        let _ = self.net.timeout(PATIENCE, over.wait()).await;
    }

    /// Lets go of all connections.
    pub(super) async fn close_all(&mut self) {
        for (_, open) in std::mem::take(&mut self.idle) {
            self.close(open).await;
        }
    }
}

/// Whether a task is over.
#[derive(Debug, Default)]
struct Over(Mutex<(bool, Option<Waker>)>);

impl Over {
    fn set(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
