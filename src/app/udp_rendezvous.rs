//! `udp-rendezvous`: tells two hosts behind address translators of each other's outside endpoints.
//!
//! Both send it datagrams; it sees where they come from, which neither of them can (RFC 5128 §3.3, "UDP hole punching").
//! What it then tells each is all that [`udp-punch`](super::udp_punch) needs. Its language is one line of text:
//!
//! ```text
//! register alice bob         I am alice, and I look for bob
//! seen 192.0.2.1:40000       from here that looks so
//! peer 198.51.100.7:4000     and bob is here
//! ```
//!
//! With `relay` it also passes on what two who look for each other have to say, for [`peer`](super::peer) where punching
//! fails:
//!
//! ```text
//! relay bob …                pass this on to bob
//! from alice …               alice says this
//! ```
//!
//! It runs until it is stopped, and fails only if its port is taken.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::tally::Tally;
use super::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};

/// How many names are remembered; further ones are not answered.
const NAMES_MAX: usize = 4096;

/// How long a name may be.
pub(super) const NAME_CHARS_MAX: usize = 63;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "udp-rendezvous",
    doc: "A UDP server that tells two hosts of each other's endpoints as it sees them, for hole punching.",
    example: "meet = { on = \"server\", kind = \"udp-rendezvous\", port = 3478 }",
    fields: &[
        fields::PORT,
        Field {
            name: "relay",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it passes on what two who look for each other say, when they cannot reach each other.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("registered", "How many names have registered."),
    ("introduced", "How often somebody was told of a peer."),
    ("malformed", "How many datagrams made no sense."),
    ("relayed", "How many datagrams were passed on."),
    ("relayed_bytes", "How many bytes they carried."),
];

/// What is said to a rendezvous, and by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message<'a> {
    Peer(SocketAddr),
    Register { name: &'a str, peer: &'a str },
    Seen(SocketAddr),
}

impl<'a> Message<'a> {
    /// Reads a datagram.
    pub(super) fn read(datagram: &'a [u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(datagram).ok()?.split_ascii_whitespace();
        let message = match words.next()? {
            "register" => Self::Register { name: name(words.next()?)?, peer: name(words.next()?)? },
            "seen" => Self::Seen(words.next()?.parse().ok()?),
            "peer" => Self::Peer(words.next()?.parse().ok()?),
            _ => return None,
        };
        words.next().is_none().then_some(message)
    }

    /// The datagram that says so.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Peer(address) => format!("peer {address}"),
            Self::Register { name, peer } => format!("register {name} {peer}"),
            Self::Seen(address) => format!("seen {address}"),
        }
    }
}

/// A word that can be somebody's name here.
pub(super) fn name(word: &str) -> Option<&str> {
    let fits = (1..=NAME_CHARS_MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(word)
}

/// What a datagram begins with that somebody else has said.
pub(super) const RELAYED: &[u8] = b"from ";

/// What a datagram begins with that is to be passed on.
pub(super) fn relay_header(peer: &str) -> String {
    format!("relay {peer} ")
}

/// Who says it, and what, in a datagram that was passed on.
pub(super) fn relayed_from(datagram: &[u8]) -> Option<(&str, &[u8])> {
    addressed(datagram, RELAYED)
}

/// A name and what follows it, behind a word.
fn addressed<'a>(datagram: &'a [u8], word: &[u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = datagram.strip_prefix(word)?;
    let end = rest.iter().position(|byte| *byte == b' ')?;
    Some((name(std::str::from_utf8(&rest[..end]).ok()?)?, &rest[end + 1..]))
}

/// Who has registered: where, and whom they look for.
type Endpoints = BTreeMap<String, (SocketAddr, String)>;

/// Where to pass a datagram on to, and what: only between two who look for each other, so that nobody can make the server
/// send to whom he likes.
fn passed_on(endpoints: &Endpoints, from: SocketAddr, datagram: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    let (peer, said) = addressed(datagram, b"relay ")?;
    let (peer_at, wanted) = endpoints.get(peer)?;
    let (sender_at, looks_for) = endpoints.get(wanted)?;
    (*sender_at == from && looks_for == peer).then(|| (*peer_at, [RELAYED, wanted.as_bytes(), b" ", said].concat()))
}

fn build(table: &Table<'_>) -> Option<Program> {
    let relays = table.get_or("relay", false);
    let port = fields::port_needed(table)?;
    Some(Program::new(move |net| serve(net, port, relays)))
}

async fn serve(net: Net, port: u16, relays: bool) -> Result<(), ProgramError> {
    let [registered, introduced, malformed] =
        ["registered", "introduced", "malformed"].map(|key| Tally::new(&net, key));
    let [relayed, relayed_bytes] = ["relayed", "relayed_bytes"].map(|key| Tally::new(&net, key));
    let socket = UdpSocket::bind(&net, port)?;
    let mut endpoints = Endpoints::new();
    loop {
        let datagram = socket.recv_datagram().await?;
        if relays && let Some((to, bytes)) = passed_on(&endpoints, datagram.from, &datagram.payload) {
            relayed.add(1);
            relayed_bytes.add(bytes.len() as u64);
            if let Err(error) = socket.send_to(&bytes, to).await {
                net.log(|| format!("{to}: {error}"));
            }
            continue;
        }
        let Some(Message::Register { name, peer }) = Message::read(&datagram.payload) else {
            malformed.add(1);
            continue;
        };
        let is_new = !endpoints.contains_key(name);
        if is_new && endpoints.len() >= NAMES_MAX {
            continue;
        }
        if is_new {
            registered.add(1);
            net.log(|| format!("{name} is at {}", datagram.from));
        }
        endpoints.insert(name.to_owned(), (datagram.from, peer.to_owned()));
        let mut answers = vec![(datagram.from, Message::Seen(datagram.from))];
        // Both at once, so that both begin at once: what the first one sends reaches a closed door, but opens its own.
        if let Some((peer_at, _)) = endpoints.get(peer).filter(|(_, wanted)| wanted == name) {
            answers.push((datagram.from, Message::Peer(*peer_at)));
            answers.push((*peer_at, Message::Peer(datagram.from)));
        }
        for (to, message) in answers {
            if matches!(message, Message::Peer(_)) {
                introduced.add(1);
            }
            if let Err(error) = socket.send_to(message.text().as_bytes(), to).await {
                net.log(|| format!("{to}: {error}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_is_understood() {
        let at = "192.0.2.1:40000".parse().unwrap();
        for message in [Message::Register { name: "alice", peer: "bob" }, Message::Seen(at), Message::Peer(at)] {
            assert_eq!(Message::read(message.text().as_bytes()), Some(message));
        }
        assert_eq!(Message::read(b"register alice"), None);
        assert_eq!(Message::read(b"register alice bob eve"), None);
        assert_eq!(Message::read(b"seen nowhere"), None);
    }

    #[test]
    fn only_those_who_look_for_each_other_are_passed_on_to() {
        let at = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let row = |who: &str, port, whom: &str| (who.to_owned(), (at(port), whom.to_owned()));
        let endpoints = Endpoints::from([row("alice", 1, "bob"), row("bob", 2, "alice"), row("eve", 3, "bob")]);
        let said = |from, text: &str| passed_on(&endpoints, at(from), text.as_bytes());
        assert_eq!(said(1, "relay bob hi there"), Some((at(2), b"from alice hi there".to_vec())));
        // Eve looks for bob, who does not look for her; and who says to be alice must be where alice is.
        assert_eq!(said(3, "relay bob hi"), None);
        assert_eq!(said(9, "relay bob hi"), None);
        assert_eq!(said(1, "relay nobody hi"), None);
        assert_eq!(said(1, "relay bob"), None);
        assert_eq!(relayed_from(b"from alice hi there"), Some(("alice", b"hi there".as_slice())));
    }

    proptest! {
        #[test]
        fn no_datagram_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Message::read(&bytes);
            let _ = relayed_from(&[RELAYED, &bytes].concat());
        }
    }
}
