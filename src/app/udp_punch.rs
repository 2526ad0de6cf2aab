//! `udp-punch`: reaches a peer behind an address translator from behind another one (RFC 5128 §3.3).
//!
//! It registers with a [`udp-rendezvous`](super::udp_rendezvous) and is told of the peer's outside endpoint. Then both
//! peers send to each other: the first datagram of each opens its own translator for what comes from the other. That
//! works if a translator uses one outside endpoint for all far ends (endpoint-independent mapping); where it does not,
//! the endpoint that the rendezvous saw is not the one that the peer meets.
//!
//! A `punch` that arrives is answered with `reply`, to where it came from; who gets a `reply` knows that both ways are
//! open, and finishes a little later, so that it can answer a peer who does not know yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::fields::{self, Target};
use super::tally::Tally;
use super::udp_rendezvous::{Message, NAME_CHARS_MAX, name};
use super::{AppBuilder, Outcome};
use crate::net::{Datagram, Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;

pub(super) const PUNCH: &[u8] = b"punch";
pub(super) const REPLY: &[u8] = b"reply";

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "udp-punch",
    doc: "Reaches a peer behind an address translator, with the help of a rendezvous server.",
    example: "alice = { on = \"client\", kind = \"udp-punch\", server = \"server:3478\", name = \"alice\", peer = \"bob\" }",
    fields: &[
        Field {
            name: "server",
            form: Form::Endpoint,
            need: Need::Required,
            doc: "The rendezvous server, with its port.",
        },
        Field { name: "name", form: Form::Text, need: Need::Required, doc: "What it calls itself: one word." },
        Field { name: "peer", form: Form::Text, need: Need::Required, doc: "What its peer calls itself: one word." },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("500ms"),
            doc: "From one try to the next, at the server and at the peer.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("10s"),
            doc: "How long it tries before it gives up.",
        },
        fields::LOCAL_PORT,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("connected", "Whether datagrams go both ways."),
    ("public", "Text: its own endpoint as the server sees it."),
    ("peer", "Text: the peer's endpoint as the server sees it."),
    ("through", "Text: where the peer's datagrams really come from."),
    ("sent", "How many datagrams it sent to the peer."),
    ("received", "How many came from it."),
];

#[derive(Debug)]
struct Plan {
    server: Target,
    name: String,
    peer: String,
    interval: Duration,
    timeout: Duration,
    local_port: Option<u16>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let server = Target::read_at(table, "server");
    let (name, peer) = (word(table, "name"), word(table, "peer"));
    let interval = table.get_or("interval", Duration::from_millis(500));
    if interval < Duration::from_millis(1) {
        table.report("interval", "trying again without waiting would never end", "at least \"1ms\"");
    }
    let timeout = table.get_or("timeout", Duration::from_secs(10));
    let local_port = fields::port(table, "local_port");
    let plan = Arc::new(Plan { server: server?, name: name?, peer: peer?, interval, timeout, local_port });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

/// Reads one word.
pub(super) fn word(table: &Table<'_>, key: &str) -> Option<String> {
    let text: String = table.need(key)?;
    if name(&text).is_none() {
        let label = format!("up to {NAME_CHARS_MAX} letters, digits and signs, no blanks");
        table.report(key, format!("`{text}` is not one word"), label);
        return None;
    }
    Some(text)
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let [sent, received] = ["sent", "received"].map(|key| Tally::new(&net, key));
    net.report("connected", false);
    let server = plan.server.resolve(&net).await?;
    let socket = UdpSocket::bind(&net, plan.local_port.unwrap_or(0))?;
    let until = net.now() + plan.timeout;
    let mut punch = Punch { net: &net, plan: &plan, socket, server, peer: None, is_open: false, sent, received };
    while !punch.is_open {
        if net.now() >= until {
            let what = if punch.peer.is_none() { "the server told of no peer" } else { "the peer did not answer" };
            return Err(ProgramError::new(format!("{what} within {}", crate::units::format_duration(plan.timeout))));
        }
        punch.try_once().await?;
        punch.listen_until(until.min(net.now() + plan.interval), true).await?;
    }
    // The peer may not have had an answer yet.
    punch.listen_until(net.now() + plan.interval * 2, false).await
}

struct Punch<'a> {
    net: &'a Net,
    plan: &'a Plan,
    socket: UdpSocket,
    server: SocketAddr,
    peer: Option<SocketAddr>,
    /// The peer has answered.
    is_open: bool,
    sent: Tally,
    received: Tally,
}

impl Punch<'_> {
    /// Asks the server, or punches.
    async fn try_once(&mut self) -> Result<(), ProgramError> {
        match self.peer {
            Some(peer) => self.send(PUNCH, peer).await,
            None => {
                let register = Message::Register { name: &self.plan.name, peer: &self.plan.peer };
                self.socket.send_to(register.text().as_bytes(), self.server).await?;
                Ok(())
            }
        }
    }

    async fn send(&self, what: &[u8], to: SocketAddr) -> Result<(), ProgramError> {
        self.socket.send_to(what, to).await?;
        self.sent.add(1);
        Ok(())
    }

    /// Takes what comes; no longer than until the peer has answered, if that is enough.
    async fn listen_until(&mut self, until: Time, is_enough: bool) -> Result<(), ProgramError> {
        while self.net.now() < until && !(is_enough && self.is_open) {
            let left = until.since(self.net.now());
            match self.net.timeout(left, self.socket.recv_datagram()).await {
                Err(_) => return Ok(()),
                Ok(datagram) => self.take(&datagram?).await?,
            }
        }
        Ok(())
    }

    async fn take(&mut self, datagram: &Datagram) -> Result<(), ProgramError> {
        if datagram.from == self.server {
            return match Message::read(&datagram.payload) {
                Some(Message::Seen(at)) => {
                    self.net.report("public", at.to_string());
                    Ok(())
                }
                Some(Message::Peer(at)) if self.peer.is_none() => {
                    self.net.report("peer", at.to_string());
                    self.peer = Some(at);
                    self.send(PUNCH, at).await
                }
                _ => Ok(()),
            };
        }
        let is_answer = match &datagram.payload[..] {
            PUNCH => false,
            REPLY => true,
            _ => return Ok(()),
        };
        self.received.add(1);
        self.net.report("through", datagram.from.to_string());
        // From elsewhere than the server said: then that is where the peer can be reached.
        self.peer = Some(datagram.from);
        if is_answer && !self.is_open {
            self.is_open = true;
            self.net.report("connected", true);
            self.net.log(|| format!("reached {} at {}", self.plan.peer, datagram.from));
        }
        if !is_answer {
            self.send(REPLY, datagram.from).await?;
        }
        Ok(())
    }
}
