//! `udp-send`: sends datagrams and counts what comes back.
//!
//! With `text` each datagram is that text; with `bytes` it is so long, numbered and timed (`numbered`), so that a
//! `udp-sink` can tell what was lost. Errors do not stop it: what could not be sent, and what ICMP tells about what was
//! (`nc` learns no more than "connection refused"; here each message counts). But because a real program would have
//! stopped at the first, it has failed with that one once it is through. That nothing comes back is no error.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::either;
use super::fields::{self, Target};
use super::numbered::Stamp;
use super::payload::{self, Excerpt, Payload};
use super::tally::Tally;
use super::{AppBuilder, Outcome};
use crate::net::{Datagram, IcmpError, Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;

/// The most that a UDP datagram carries over IPv4: 65,535 less two headers of 20 and 8 bytes.
pub(super) const DATAGRAM_MAX: u64 = 65_507;

const COUNT_MAX: u64 = 1_000_000_000;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "udp-send",
    doc: "A UDP client that sends one or several datagrams and counts the answers.",
    example: "ask = { on = \"client\", kind = \"udp-send\", to = \"server:7\", text = \"hello\", count = 3 }",
    fields: &[
        fields::TO,
        fields::FAMILY,
        payload::TEXT,
        payload::BYTES,
        Field {
            name: "count",
            form: Form::Integer { min: 1, max: COUNT_MAX as i64 },
            need: Need::Default("1"),
            doc: "How many datagrams to send.",
        },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "From one datagram to the next.",
        },
        Field {
            name: "wait",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long answers are waited for after the last datagram; less if there is one for each by then.",
        },
        fields::LOCAL_PORT,
        fields::DONT_FRAGMENT,
        Field {
            name: "broadcast",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether `to` may be a broadcast address; answers from anybody count then.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("sent", "How many datagrams were sent."),
    ("received", "How many came back."),
    ("unanswered", "How many more were sent than came back."),
    ("reply", "The first 200 characters of the first answer."),
    (
        "errors",
        "How many datagrams could not be sent, or met an ICMP error; the first of these is the program's `error`.",
    ),
];

#[derive(Debug)]
struct Plan {
    to: Target,
    payload: Payload,
    count: u64,
    interval: Duration,
    wait: Duration,
    local_port: Option<u16>,
    dont_fragment: bool,
    broadcast: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let (to, payload) = (Target::read(table), Payload::read(table));
    if payload.as_ref().is_some_and(|payload| payload.len() > DATAGRAM_MAX) {
        let key = if table.has("text") { "text" } else { "bytes" };
        table.report(key, "too much for one datagram", format!("at most {DATAGRAM_MAX} bytes"));
        return None;
    }
    let count = fields::integer(table, "count", 1, COUNT_MAX).unwrap_or(1);
    let second = Duration::from_secs(1);
    let (interval, wait) = (table.get_or("interval", second), table.get_or("wait", second));
    let local_port = fields::port(table, "local_port");
    let (dont_fragment, broadcast) = (table.get_or("dont_fragment", false), table.get_or("broadcast", false));
    let (to, payload) = (to?, payload?);
    let plan = Arc::new(Plan { to, payload, count, interval, wait, local_port, dont_fragment, broadcast });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let [sent, received, errors] = ["sent", "received", "errors"].map(|key| Tally::new(&net, key));
    net.report("reply", "");
    net.report("unanswered", 0_u64);
    let to = plan.to.resolve(&net).await?;
    let socket = UdpSocket::bind(&net, plan.local_port.unwrap_or(0))?;
    socket.set_dont_fragment(plan.dont_fragment);
    socket.set_broadcast(plan.broadcast);
    let from = (!plan.broadcast).then_some(to);
    let mut client = Client { net: &net, socket, from, sent, received, errors, first_error: None };
    let begun = net.now();
    for number in 0..plan.count {
        client.listen_until(nth_at(begun, plan.interval, number), false).await?;
        let datagram = datagram(&plan.payload, number, net.now());
        match client.socket.send_to(&datagram, to).await {
            Ok(_) => {
                client.sent.add(1);
                client.report_unanswered();
            }
            Err(error) => client.note(error.to_string()),
        }
    }
    client.listen_until(net.now() + plan.wait, true).await?;
    match client.first_error {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// The socket, and what has happened so far.
struct Client<'a> {
    net: &'a Net,
    socket: UdpSocket,
    /// Whose answers count; anybody's if `None`.
    from: Option<SocketAddr>,
    sent: Tally,
    received: Tally,
    errors: Tally,
    first_error: Option<String>,
}

/// What a socket may hear.
enum Heard {
    Answer(Datagram),
    Error(IcmpError),
}

impl Client<'_> {
    /// Takes what comes until a moment, or until there is an answer to each datagram where that is enough.
    async fn listen_until(&mut self, until: Time, all_is_enough: bool) -> io::Result<()> {
        while self.net.now() < until && !(all_is_enough && self.received.get() >= self.sent.get()) {
            let left = until.since(self.net.now());
            let answer = async { self.socket.recv_datagram().await.map(Heard::Answer) };
            let error = async { self.socket.recv_error().await.map(Heard::Error) };
            match self.net.timeout(left, either(answer, error)).await {
                Err(_) => return Ok(()),
                Ok(heard) => match heard? {
                    Heard::Answer(datagram) => self.take(&datagram),
                    Heard::Error(error) => self.note(in_words(&error)),
                },
            }
        }
        Ok(())
    }

    fn take(&mut self, datagram: &Datagram) {
        if self.from.is_some_and(|from| from != datagram.from) {
            return;
        }
        if self.received.add(1) == 1 {
            let mut excerpt = Excerpt::default();
            excerpt.push(&datagram.payload);
            self.net.report("reply", excerpt.text());
        }
        self.report_unanswered();
    }

    fn note(&mut self, error: String) {
        self.errors.add(1);
        self.net.log(|| error.clone());
        self.first_error.get_or_insert(error);
    }

    fn report_unanswered(&self) {
        self.net.report("unanswered", self.sent.get().saturating_sub(self.received.get()));
    }
}

/// An ICMP error in the words of the system call that would tell it.
fn in_words(error: &IcmpError) -> String {
    let kind = error.kind.error_kind();
    kind.map_or_else(|| "message too long".to_owned(), |kind| io::Error::from(kind).to_string())
}

/// The datagram with this number.
fn datagram(payload: &Payload, number: u64, now: Time) -> Vec<u8> {
    let mut datagram = vec![0; usize::try_from(payload.len()).unwrap_or(0)];
    match payload {
        Payload::Pattern(_) => Stamp { number, sent_at: now }.write(&mut datagram),
        Payload::Text(text) => datagram.copy_from_slice(text),
    }
    datagram
}

/// When the datagram with this number is due.
fn nth_at(begun: Time, interval: Duration, number: u64) -> Time {
    let nanoseconds = interval.as_nanos().saturating_mul(u128::from(number));
    begun + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_sent_as_it_stands_and_a_pattern_is_numbered() {
        let text = Payload::Text(b"hello".as_slice().into());
        assert_eq!(datagram(&text, 3, Time::ZERO), b"hello");
        let sent_at = Time::from_millis(5);
        let numbered = datagram(&Payload::Pattern(100), 3, sent_at);
        assert_eq!(numbered.len(), 100);
        assert_eq!(Stamp::read(&numbered), Some(Stamp { number: 3, sent_at }));
    }

    #[test]
    fn the_last_of_many_is_due_at_the_end_of_time_at_the_latest() {
        let second = Duration::from_secs(1);
        assert_eq!(nth_at(Time::from_secs(2), second, 3), Time::from_secs(5));
        assert_eq!(nth_at(Time::from_secs(2), Duration::MAX, u64::MAX), Time::MAX);
    }
}
