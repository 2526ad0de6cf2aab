//! `ping`: asks a host for echoes and tells what comes back.
//!
//! Its lines are those of iputils' `ping` (`ping_state`). It is over when each request was answered or refused, or when
//! nothing more can be expected: after the last request it waits for twice the longest round trip, at least for one
//! interval, or for `timeout` if there was no reply at all.
//!
//! The real program exits with 1 when no reply came. Here that is a result, not a failure: the outcomes tell it. It
//! fails where the real one exits with 2 and has not really begun: unknown host, no route.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::fields::Family;
use super::icmp;
use super::names::Probed;
use super::ping_state::PingState;
use super::recorded::{RECORD_ROUTE, recorded_route, route_lines};
use super::{AppBuilder, Outcome, fields};
use crate::net::{IcmpKind, IcmpMessage, Net, Program, ProgramError, Quote, RawSocket, SendError};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::record::Value;
use crate::time::Time;
use crate::units::Size;

/// Sequence numbers have 16 bits.
const COUNT_MAX: u64 = 65_535;

/// The largest packet less the headers of IPv4 and of the request.
const SIZE_MAX: usize = 65_507;

const SIZE: Size = Size::from_bytes(56);

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "ping",
    doc: "Asks a host for ICMP echoes and measures the round trips, with the lines of the real `ping`.",
    example: "ask = { on = \"client\", kind = \"ping\", to = \"server\", count = 4 }",
    fields: &[
        fields::TO_HOST,
        fields::FAMILY,
        Field {
            name: "count",
            form: Form::Integer { min: 1, max: COUNT_MAX as i64 },
            need: Need::Default("4"),
            doc: "How many requests to send.",
        },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "From one request to the next.",
        },
        Field {
            name: "size",
            form: Form::Size,
            need: Need::Default("56B"),
            doc: "How much each request carries after its header of 8 bytes; below 16 bytes the trips are not timed.",
        },
        Field {
            name: "ttl",
            form: Form::Integer { min: 1, max: 255 },
            need: Need::Default("64"),
            doc: "The time to live of the requests.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long to wait after the last request if no reply has come at all. The real program's default is 10 s.",
        },
        fields::DONT_FRAGMENT,
        Field {
            name: "record_route",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether each machine on the way, there and back, writes its address into the packet: nine have room.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("sent", "How many requests were sent."),
    ("received", "How many of them were answered."),
    ("lost", "How many of them were not answered, or not yet."),
    ("loss", "The same as a share, from 0 to 1."),
    ("duplicates", "How many replies came for requests that had been answered already."),
    ("errors", "How many ICMP errors came, and how many requests could not be sent."),
    ("rtt_min", "The shortest round trip; absent until a reply came."),
    ("rtt_avg", "The mean round trip; absent likewise."),
    ("rtt_max", "The longest round trip; absent likewise."),
    ("rtt_mdev", "The standard deviation of the round trips; absent likewise."),
    (
        "route",
        "List of texts: who is recorded in the last reply, by name where there is one; absent without `record_route`.",
    ),
];

#[derive(Debug)]
struct Plan {
    host: String,
    family: Family,
    count: u64,
    interval: Duration,
    size: usize,
    ttl: u8,
    timeout: Duration,
    dont_fragment: bool,
    record_route: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let host = fields::host(table);
    let count = fields::integer(table, "count", 1, COUNT_MAX).unwrap_or(4);
    let second = Duration::from_secs(1);
    let (interval, timeout) = (table.get_or("interval", second), table.get_or("timeout", second));
    let size = usize::try_from(table.get_or("size", SIZE).bytes()).ok().filter(|size| *size <= SIZE_MAX);
    if size.is_none() {
        table.report("size", "no request carries that", format!("at most {SIZE_MAX}B"));
    }
    let ttl = fields::integer(table, "ttl", 1, 255).and_then(|ttl| u8::try_from(ttl).ok()).unwrap_or(64);
    let dont_fragment = table.get_or("dont_fragment", false);
    let record_route = table.get_or("record_route", false);
    let plan = Arc::new(Plan {
        host: host?,
        family: Family::read(table),
        count,
        interval,
        size: size?,
        ttl,
        timeout,
        dont_fragment,
        record_route,
    });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let address = plan.family.lookup(&net, &plan.host).await?;
    check_route(&net, address)?;
    let socket = RawSocket::icmp(&net);
    let mut state = PingState::new(&plan.host, address, plan.size, net.now());
    if plan.record_route && address.is_ipv4() {
        socket.set_ip_options(&RECORD_ROUTE)?;
        state = state.with_options(RECORD_ROUTE.len());
    }
    let probed = Probed { host: plan.host.clone(), address };
    let mut ping = Ping { net: &net, plan: &plan, probed, socket, state, route: Vec::new() };
    ping.report();
    ping.run().await
}

struct Ping<'a> {
    net: &'a Net,
    plan: &'a Plan,
    probed: Probed,
    socket: RawSocket,
    state: PingState,
    /// What the last reply had recorded.
    route: Vec<Ipv4Addr>,
}

impl Ping<'_> {
    async fn run(&mut self) -> Result<(), ProgramError> {
        self.net.log(|| self.state.first_line());
        let mut next_at = self.net.now();
        while !self.is_complete() {
            if self.state.sent() == self.plan.count {
                break;
            }
            self.request().await;
            next_at += self.plan.interval;
            let until = if self.state.sent() < self.plan.count {
                next_at
            } else {
                self.net.now() + self.state.linger(self.plan.interval, self.plan.timeout)
            };
            self.receive_until(until).await?;
        }
        for line in self.state.last_lines() {
            self.net.log(|| line);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.state.received + self.state.errors >= self.plan.count
    }

    async fn request(&mut self) {
        let number = self.state.next(self.net.now());
        let payload = payload(self.plan.size, self.net.now());
        let message = icmp::echo_request(self.probed.address, self.socket.ident(), number, &payload);
        let sent = self.socket.send_to(&message, self.probed.address, self.plan.ttl, self.plan.dont_fragment).await;
        if let Err(error) = sent {
            self.state.errors += 1;
            self.net.log(|| send_failure(&error));
        }
        self.report();
    }

    async fn receive_until(&mut self, until: Time) -> Result<(), ProgramError> {
        while !self.is_complete() && self.net.now() < until {
            let left = until.since(self.net.now());
            let Ok(message) = self.net.timeout(left, self.socket.recv()).await else { break };
            self.take(&message?);
        }
        Ok(())
    }

    fn take(&mut self, message: &IcmpMessage) {
        let from = self.probed.label(self.net, message.source);
        let line = match &message.kind {
            IcmpKind::EchoReply { ident, sequence, payload_len } if *ident == self.socket.ident() => {
                let mut line = self.state.reply(*sequence, &from, *payload_len, message.ttl, self.net.now());
                if message.source != self.probed.address && !self.probed.address.is_multicast() {
                    line.push_str(" (DIFFERENT ADDRESS!)");
                }
                line
            }
            // No error: the request goes on, and only the next ones take the better way.
            IcmpKind::Redirect { code, router, quote } => match self.request_of(quote) {
                Some(number) => {
                    let router = self.probed.label(self.net, (*router).into());
                    format!("From {from}: icmp_seq={number} {}", icmp::redirect_phrase(*code, &router))
                }
                None => return,
            },
            kind => match (icmp::phrase(kind), kind.quote().and_then(|quote| self.request_of(quote))) {
                (Some(what), Some(number)) => self.state.error(number, &from, &what),
                _ => return,
            },
        };
        self.net.log(|| line);
        if matches!(message.kind, IcmpKind::EchoReply { .. }) {
            self.tell_route(message);
        }
        self.report();
    }

    /// Tells which route the options of a reply have recorded, if they have.
    fn tell_route(&mut self, message: &IcmpMessage) {
        let Some(route) = recorded_route(&message.options) else { return };
        let lines = route_lines(&route, &self.route, |address| self.probed.label(self.net, address.into()));
        for line in lines {
            self.net.log(|| line);
        }
        let name = |address: &Ipv4Addr| self.probed.name_of(self.net, (*address).into());
        let names = route.iter().map(|address| Value::Text(name(address).unwrap_or_else(|| address.to_string())));
        self.net.report("route", Value::List(names.collect()));
        self.route = route;
    }

    /// The number of our request that is quoted.
    fn request_of(&self, quote: &Quote) -> Option<u16> {
        let Quote { destination, echo: Some((ident, number)), .. } = quote else { return None };
        (*destination == self.probed.address && *ident == self.socket.ident()).then_some(*number)
    }

    fn report(&self) {
        let (net, state) = (self.net, &self.state);
        net.report("sent", state.sent());
        net.report("received", state.received);
        net.report("lost", state.sent().saturating_sub(state.received));
        net.report("loss", state.loss());
        net.report("duplicates", state.duplicates);
        net.report("errors", state.errors);
        if !state.times.is_empty() {
            net.report("rtt_min", state.times.min());
            net.report("rtt_avg", state.times.avg());
            net.report("rtt_max", state.times.max());
            net.report("rtt_mdev", state.times.mdev());
        }
    }
}

/// What the real program sends: the time as a `struct timeval` of a 64-bit machine, then bytes that count up.
fn payload(size: usize, now: Time) -> Vec<u8> {
    let mut payload: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
    if let Some((timeval, _)) = payload.split_first_chunk_mut::<16>() {
        let nanoseconds = now.as_nanos();
        timeval[..8].copy_from_slice(&(nanoseconds / 1_000_000_000).to_le_bytes());
        timeval[8..].copy_from_slice(&(nanoseconds % 1_000_000_000 / 1_000).to_le_bytes());
    }
    payload
}

/// Fails if there is no way to the host, which the real program finds out by connecting a socket.
fn check_route(net: &Net, address: IpAddr) -> Result<(), ProgramError> {
    net.source_for(address).map(|_| ()).map_err(|error| {
        net.log(|| format!("ping: connect: {error}"));
        error.into()
    })
}

fn send_failure(error: &io::Error) -> String {
    let refusal = error.get_ref().and_then(|inner| inner.downcast_ref::<SendError>());
    match refusal {
        Some(SendError::MessageTooLong { mtu }) => format!("ping: local error: message too long, mtu={mtu}"),
        _ => format!("ping: sendmsg: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_its_time_and_then_counts_up() {
        let payload = payload(300, Time::from_millis(2_500));
        assert_eq!(payload.len(), 300);
        assert_eq!(payload[..8], 2_u64.to_le_bytes());
        assert_eq!(payload[8..16], 500_000_u64.to_le_bytes());
        assert_eq!((payload[16], payload[255], payload[256]), (16, 255, 0));
        assert_eq!(super::payload(3, Time::from_secs(1)), [0, 1, 2]);
    }

    #[test]
    fn a_request_that_is_too_long_is_told_with_the_mtu() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, SendError::MessageTooLong { mtu: 1400 });
        assert_eq!(send_failure(&error), "ping: local error: message too long, mtu=1400");
        let error = io::Error::from(io::ErrorKind::HostUnreachable);
        assert!(send_failure(&error).starts_with("ping: sendmsg: "));
    }
}
