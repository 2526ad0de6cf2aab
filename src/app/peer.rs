//! `peer`: sends something to somebody who is behind an address translator, and receives what comes from there.
//!
//! ```text
//!   1  both register with a udp-rendezvous, which tells each how the other looks from outside
//!   2  both punch (udp_punch): if both doors open, everything goes straight from one to the other
//!   3  if they do not within `patience`, the rendezvous passes on what they say: slower, and somebody pays for it
//! ```
//!
//! UDP loses and reorders, so what is sent goes block by block, each of which is repeated until it is acknowledged
//! (as TFTP does, RFC 1350): `data 1 …`, `ack 1`, and an empty block at the end. Both sides do so at the same time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::fields::{self, Target};
use super::payload::{self, Excerpt, Payload};
use super::tally::Tally;
use super::udp_punch::{PUNCH, REPLY, word};
use super::udp_rendezvous::{Message, RELAYED, relay_header, relayed_from};
use super::{AppBuilder, Outcome};
use crate::net::{Datagram, Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;
use crate::units::format_duration;

/// What one datagram carries of what is sent: fits any path.
const BLOCK: usize = 1000;

/// How often a block is sent before the peer is given up.
const TRIES_MAX: u32 = 10;

/// How long what the peer has sent is acknowledged again, after all is done, in times of the interval.
const LINGER: u32 = 3;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "peer",
    doc: "Exchanges something with a peer behind an address translator: directly if it can, through a rendezvous server if not.",
    example: "alice = { on = \"client\", kind = \"peer\", server = \"server:3478\", name = \"alice\", peer = \"bob\" }",
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
            name: "text",
            form: Form::Text,
            need: Need::Optional,
            doc: "What to send to the peer. Either this or `bytes`, or nothing.",
        },
        payload::BYTES,
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("500ms"),
            doc: "From one try to the next.",
        },
        Field {
            name: "patience",
            form: Form::Duration,
            need: Need::Default("3s"),
            doc: "How long it punches before it has the server pass on what it says.",
        },
        Field {
            name: "relay",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it lets the server pass on what it says; if not, it fails where punching does.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("30s"),
            doc: "How long it waits for the peer before it gives up.",
        },
        fields::LOCAL_PORT,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("path", "Text: `none`, `direct`, or `relayed` by the server."),
    ("public", "Text: its own endpoint as the server sees it; absent before it knows."),
    ("peer", "Text: the peer's endpoint as the server sees it; absent before it knows."),
    ("sent", "How many bytes the peer has acknowledged."),
    ("received", "How many bytes came from the peer."),
    ("repeated", "How many blocks were sent again."),
    ("text", "The first 200 characters of what came."),
    ("complete", "Whether all has been sent and acknowledged, and all received."),
];

#[derive(Debug)]
struct Plan {
    server: Target,
    name: String,
    peer: String,
    payload: Payload,
    interval: Duration,
    patience: Duration,
    relays: bool,
    timeout: Duration,
    local_port: Option<u16>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let server = Target::read_at(table, "server");
    let (name, peer) = (word(table, "name"), word(table, "peer"));
    let payload =
        if table.has("text") || table.has("bytes") { Payload::read(table) } else { Some(Payload::Pattern(0)) };
    let interval = table.get_or("interval", Duration::from_millis(500));
    if interval < Duration::from_millis(1) {
        table.report("interval", "trying again without waiting would never end", "at least \"1ms\"");
    }
    let (patience, timeout) =
        (table.get_or("patience", Duration::from_secs(3)), table.get_or("timeout", Duration::from_secs(30)));
    let (relays, local_port) = (table.get_or("relay", true), fields::port(table, "local_port"));
    let plan = Plan {
        server: server?,
        name: name?,
        peer: peer?,
        payload: payload?,
        interval,
        patience,
        relays,
        timeout,
        local_port,
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

/// How the peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Direct(SocketAddr),
    Relayed,
}

/// What peers say to each other once there is a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block<'a> {
    Ack(u32),
    Data(u32, &'a [u8]),
}

impl<'a> Block<'a> {
    /// `data`, a number, and what it carries; `ack` and a number. Numbers in network byte order, counted from 1.
    fn read(datagram: &'a [u8]) -> Option<Self> {
        if let Some(rest) = datagram.strip_prefix(b"data") {
            let (number, carried) = rest.split_first_chunk::<4>()?;
            return Some(Self::Data(u32::from_be_bytes(*number), carried));
        }
        let number: [u8; 4] = datagram.strip_prefix(b"ack")?.try_into().ok()?;
        Some(Self::Ack(u32::from_be_bytes(number)))
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Ack(number) => [b"ack", &number.to_be_bytes()[..]].concat(),
            Self::Data(number, carried) => [b"data", &number.to_be_bytes()[..], carried].concat(),
        }
    }
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let [sent, received, repeated] = ["sent", "received", "repeated"].map(|key| Tally::new(&net, key));
    net.report("path", "none");
    net.report("text", "");
    net.report("complete", false);
    let server = plan.server.resolve(&net).await?;
    let socket = UdpSocket::bind(&net, plan.local_port.unwrap_or(0))?;
    let begun = net.now();
    let mut peer = Peer {
        net: &net,
        plan: &plan,
        socket,
        server,
        introduced_at: None,
        seen_at: None,
        path: None,
        next_expected: 1,
        is_all_here: false,
        acknowledged: 0,
        excerpt: Excerpt::default(),
        sent,
        received,
        repeated,
    };
    peer.find_path(begun + plan.timeout).await?;
    peer.exchange(begun + plan.timeout).await
}

struct Peer<'a> {
    net: &'a Net,
    plan: &'a Plan,
    socket: UdpSocket,
    server: SocketAddr,
    /// When the server told of the peer.
    introduced_at: Option<Time>,
    /// Where the peer is, as the server, or a datagram of its own, says.
    seen_at: Option<SocketAddr>,
    path: Option<Path>,
    /// The number of the block that is to come next.
    next_expected: u32,
    is_all_here: bool,
    /// The last of our blocks that the peer has.
    acknowledged: u32,
    excerpt: Excerpt,
    sent: Tally,
    received: Tally,
    repeated: Tally,
}

impl Peer<'_> {
    /// Registers and punches until something has come from the peer; or until it is time to ask the server to help.
    async fn find_path(&mut self, until: Time) -> Result<(), ProgramError> {
        while self.path.is_none() {
            let now = self.net.now();
            if now >= until {
                let limit = format_duration(self.plan.timeout);
                let what =
                    if self.seen_at.is_none() { "the server told of no peer" } else { "the peer did not answer" };
                return Err(format!("{what} within {limit}").into());
            }
            match (self.seen_at, self.introduced_at) {
                (Some(_), Some(since)) if self.plan.relays && now >= since + self.plan.patience => {
                    self.take_path(Path::Relayed);
                    return Ok(());
                }
                (Some(peer), _) => drop(self.socket.send_to(PUNCH, peer).await?),
                (None, _) => {
                    let register = Message::Register { name: &self.plan.name, peer: &self.plan.peer };
                    self.socket.send_to(register.text().as_bytes(), self.server).await?;
                }
            }
            let next = until.min(now + self.plan.interval);
            while self.net.now() < next && self.path.is_none() {
                self.listen_once(next).await?;
            }
        }
        Ok(())
    }

    fn take_path(&mut self, path: Path) {
        if self.path.is_some() {
            return;
        }
        self.path = Some(path);
        let (net, peer) = (self.net, &self.plan.peer);
        match path {
            Path::Direct(at) => {
                net.report("path", "direct");
                net.log(|| format!("reached {peer} directly, at {at}"));
            }
            Path::Relayed => {
                net.report("path", "relayed");
                net.log(|| format!("{peer} cannot be reached directly: the server passes on what is said"));
            }
        }
    }

    async fn say(&self, bytes: &[u8]) -> Result<(), ProgramError> {
        match self.path {
            Some(Path::Direct(at)) => drop(self.socket.send_to(bytes, at).await?),
            Some(Path::Relayed) => {
                let whole = [relay_header(&self.plan.peer).as_bytes(), bytes].concat();
                self.socket.send_to(&whole, self.server).await?;
            }
            None => {}
        }
        Ok(())
    }

    /// Sends block after block, takes what comes, until both are done.
    async fn exchange(&mut self, until: Time) -> Result<(), ProgramError> {
        let blocks = self.plan.payload.len().div_ceil(BLOCK as u64) + 1;
        let blocks = u32::try_from(blocks).map_err(|_| "that is more than there are numbers for")?;
        let (mut tries, mut buffer) = (0, vec![0; BLOCK]);
        while self.acknowledged < blocks || !self.is_all_here {
            let now = self.net.now();
            if now >= until && !(self.acknowledged > 0 || self.next_expected > 1) {
                return Err(format!("{} said nothing", self.plan.peer).into());
            }
            let current = self.acknowledged;
            if current < blocks {
                if tries >= TRIES_MAX {
                    return Err(format!("{} does not acknowledge block {}", self.plan.peer, current + 1).into());
                }
                let count = self.plan.payload.copy(u64::from(current) * BLOCK as u64, &mut buffer);
                self.say(&Block::Data(current + 1, &buffer[..count]).bytes()).await?;
                self.repeated.add(u64::from(tries > 0));
                tries += 1;
            } else if now >= until {
                return Err(format!("{} did not send all", self.plan.peer).into());
            }
            let next = now + self.plan.interval;
            while self.net.now() < next && self.acknowledged == current && !(current == blocks && self.is_all_here) {
                self.listen_once(next).await?;
            }
            if self.acknowledged > current {
                let end = (u64::from(current + 1) * BLOCK as u64).min(self.plan.payload.len());
                self.sent.add(end - self.sent.get());
                tries = 0;
            }
        }
        self.net.report("complete", true);
        let (sent, received) = (self.sent.get(), self.received.get());
        self.net.log(|| format!("sent {sent} bytes, received {received}"));
        // The last acknowledgment may have been lost, and then the peer asks again.
        let until = self.net.now() + self.plan.interval * LINGER;
        while self.net.now() < until {
            self.listen_once(until).await?;
        }
        Ok(())
    }

    /// Takes one datagram, if one comes in time.
    async fn listen_once(&mut self, until: Time) -> Result<(), ProgramError> {
        let left = until.since(self.net.now());
        match self.net.timeout(left, self.socket.recv_datagram()).await {
            Err(_) => Ok(()),
            Ok(datagram) => self.take(&datagram?).await,
        }
    }

    async fn take(&mut self, datagram: &Datagram) -> Result<(), ProgramError> {
        if datagram.from == self.server {
            if datagram.payload.starts_with(RELAYED) {
                let Some((from, said)) = relayed_from(&datagram.payload) else { return Ok(()) };
                if from == self.plan.peer {
                    // The peer has given up punching: then it would not hear what is sent elsewhere.
                    self.take_path(Path::Relayed);
                    return self.take_block(said).await;
                }
                return Ok(());
            }
            match Message::read(&datagram.payload) {
                Some(Message::Seen(at)) => self.net.report("public", at.to_string()),
                Some(Message::Peer(at)) if self.seen_at.is_none() => {
                    self.net.report("peer", at.to_string());
                    (self.seen_at, self.introduced_at) = (Some(at), Some(self.net.now()));
                    self.socket.send_to(PUNCH, at).await?;
                }
                _ => {}
            }
            return Ok(());
        }
        // Whoever guesses the words may pretend to be the peer: the server's word for its address is all there is.
        let is_peer = self.seen_at.is_some_and(|at| at.ip() == datagram.from.ip());
        if !is_peer {
            return Ok(());
        }
        match &datagram.payload[..] {
            PUNCH => {
                self.seen_at = Some(datagram.from);
                self.socket.send_to(REPLY, datagram.from).await?;
            }
            REPLY => self.take_path(Path::Direct(datagram.from)),
            block => {
                self.take_path(Path::Direct(datagram.from));
                self.take_block(block).await?;
            }
        }
        Ok(())
    }

    async fn take_block(&mut self, said: &[u8]) -> Result<(), ProgramError> {
        match Block::read(said) {
            Some(Block::Ack(number)) if number == self.acknowledged.wrapping_add(1) => self.acknowledged = number,
            Some(Block::Data(number, carried)) if number == self.next_expected && !self.is_all_here => {
                self.next_expected = self.next_expected.saturating_add(1);
                self.received.add(carried.len() as u64);
                if self.excerpt.push(carried) {
                    self.net.report("text", self.excerpt.text());
                }
                // RFC 1350 §6: "The end of a transfer is marked by a DATA packet that contains between 0 and 511 bytes of
                // data". Here: by an empty one.
                self.is_all_here = carried.is_empty();
                self.say(&Block::Ack(number).bytes()).await?;
            }
            // Again: its acknowledgment was lost.
            Some(Block::Data(number, _)) if number < self.next_expected => {
                self.say(&Block::Ack(number).bytes()).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_are_read_as_they_were_written() {
        for block in [Block::Data(1, b"hello"), Block::Data(u32::MAX, b""), Block::Ack(7)] {
            assert_eq!(Block::read(&block.bytes()), Some(block));
        }
        assert_eq!(Block::read(b"data\0\0\0"), None);
        assert_eq!(Block::read(b"ack\0\0\0\x01x"), None);
        assert_eq!(Block::read(b"punch"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_block_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..40), kind in 0_usize..3) {
            let bytes = [[b"".as_slice(), b"data", b"ack"][kind], &bytes].concat();
            if let Some(block) = Block::read(&bytes) {
                prop_assert_eq!(block.bytes(), bytes);
            }
        }
    }
}
