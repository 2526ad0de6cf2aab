//! `traceroute`: finds the routers on the way to a host by letting packets expire at each.
//!
//! Its lines are those of the `traceroute` that Debian ships: one for each hop, with the times of the answers, `*` for
//! none, and marks such as `!H` for a refusal, which ends the trace. Unlike the real one it waits for each answer before
//! it sends the next probe, and for no longer than `timeout`, whatever the other answers took. That nobody answers is
//! no failure.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::exchange::either;
use super::fields::Family;
use super::icmp::{self, ECHO_HEADER_LEN, Mark, ip_header_len};
use super::names::Probed;
use super::times::three_decimals;
use super::{AppBuilder, Outcome, fields};
use crate::net::{IcmpKind, Net, Program, ProgramError, RawSocket, SendError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::record::Value;
use crate::units::Size;

const FIRST_PORT: u64 = 33_434;
const METHODS: &[&str] = &["udp", "icmp"];
const QUERIES_MAX: u64 = 10;

/// The least is the longest headers, IPv6 and UDP; the most is what the real program allows.
const SIZE_RANGE: std::ops::RangeInclusive<u64> = 48..=65_000;
const SIZE: Size = Size::from_bytes(60);

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "traceroute",
    doc: "Finds the routers on the way to a host, with the lines of the real `traceroute`.",
    example: "trace = { on = \"client\", kind = \"traceroute\", to = \"server\" }",
    fields: &[
        fields::TO_HOST,
        fields::FAMILY,
        Field {
            name: "method",
            form: Form::OneOf(METHODS),
            need: Need::Default("udp"),
            doc: "What the probes are: datagrams to ports nobody listens on, or echo requests.",
        },
        Field {
            name: "max_hops",
            form: Form::Integer { min: 1, max: 255 },
            need: Need::Default("30"),
            doc: "The greatest time to live to try.",
        },
        Field {
            name: "queries",
            form: Form::Integer { min: 1, max: QUERIES_MAX as i64 },
            need: Need::Default("3"),
            doc: "How many probes to send to each hop.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long to wait for each answer. The real program's default is 5 s.",
        },
        Field {
            name: "size",
            form: Form::Size,
            need: Need::Default("60B"),
            doc: "The length of each probe with all its headers.",
        },
        Field {
            name: "port",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Default("33434"),
            doc: "The port of the first datagram; each further one goes to the next port.",
        },
        fields::DONT_FRAGMENT,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("hops", "List of texts: who answered first at each hop, by name where there is one, or `*`."),
    ("hop_count", "How many hops that are: the distance to the host, if it was reached."),
    ("reached", "Whether the host itself answered."),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Icmp,
    Udp,
}

#[derive(Debug)]
struct Plan {
    host: String,
    family: Family,
    method: Method,
    max_hops: u8,
    queries: u64,
    timeout: Duration,
    size: usize,
    port: u16,
    dont_fragment: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let host = fields::host(table);
    let method = if table.one_of("method", METHODS) == Some("icmp") { Method::Icmp } else { Method::Udp };
    let max_hops = fields::integer(table, "max_hops", 1, 255).and_then(|hops| u8::try_from(hops).ok()).unwrap_or(30);
    let queries = fields::integer(table, "queries", 1, QUERIES_MAX).unwrap_or(3);
    let timeout = table.get_or("timeout", Duration::from_secs(1));
    let size = Some(table.get_or("size", SIZE).bytes()).filter(|size| SIZE_RANGE.contains(size));
    if size.is_none() {
        let (least, most) = SIZE_RANGE.into_inner();
        table.report("size", "no probe has that size", format!("from {least}B to {most}B"));
    }
    let size = size.and_then(|size| usize::try_from(size).ok());
    let port = fields::integer(table, "port", 1, 65_535).unwrap_or(FIRST_PORT);
    let port = u16::try_from(port).expect("the range was checked");
    let dont_fragment = table.get_or("dont_fragment", false);
    let family = Family::read(table);
    let plan =
        Arc::new(Plan { host: host?, family, method, max_hops, queries, timeout, size: size?, port, dont_fragment });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    net.report("hops", Value::List(Vec::new()));
    net.report("hop_count", 0_u64);
    net.report("reached", false);
    let address = plan.family.lookup(&net, &plan.host).await?;
    let probed = Probed { host: plan.host.clone(), address };
    let prober = Prober::new(&net, &plan, address)?;
    net.log(|| {
        format!("traceroute to {} ({address}), {} hops max, {} byte packets", plan.host, plan.max_hops, plan.size)
    });
    let mut hops = Vec::new();
    for ttl in 1..=plan.max_hops {
        let mut hop = Hop::default();
        for query in 0..plan.queries {
            let number = u64::from(ttl - 1) * plan.queries + query;
            hop.answers.push(prober.probe(&net, &plan, ttl, number).await?);
        }
        let line = hop.line(ttl, |address| probed.printed(&net, address));
        net.log(|| line);
        hops.push(Value::Text(
            hop.first()
                .map_or_else(|| "*".to_owned(), |from| probed.name_of(&net, from).unwrap_or_else(|| from.to_string())),
        ));
        net.report("hop_count", hops.len());
        net.report("hops", Value::List(hops.clone()));
        if hop.is_last() {
            let reached = hop.answers.iter().flatten().any(|answer| answer.mark == Mark::Reached);
            net.report("reached", reached);
            break;
        }
    }
    Ok(())
}

/// What came back for one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// Who answered; `None` where this machine itself refused to send the probe.
    from: Option<IpAddr>,
    /// How long that took.
    took: Duration,
    mark: Mark,
}

/// What came back for all probes of one time to live.
#[derive(Debug, Default)]
struct Hop {
    answers: Vec<Option<Answer>>,
}

impl Hop {
    /// Who answered first.
    fn first(&self) -> Option<IpAddr> {
        self.answers.iter().flatten().find_map(|answer| answer.from)
    }

    /// Whether the trace is over here.
    fn is_last(&self) -> bool {
        self.answers.iter().flatten().any(|answer| answer.mark != Mark::OnTheWay)
    }

    /// ` 1  r1 (10.0.1.1)  1.002 ms  1.001 ms *`; `name` prints an address. Who answers is told when that changes.
    fn line(&self, ttl: u8, name: impl Fn(IpAddr) -> String) -> String {
        let mut line = format!("{ttl:2} ");
        let mut told = None;
        for answer in &self.answers {
            let Some(answer) = answer else {
                line.push_str(" *");
                continue;
            };
            if let Some(from) = answer.from {
                if told != Some(from) {
                    line.push_str(&format!(" {}", name(from)));
                    told = Some(from);
                }
                line.push_str(&format!("  {} ms", three_decimals(answer.took)));
            } else {
                line.push_str(" *");
            }
            if let Mark::Refused(sign) = &answer.mark {
                line.push_str(&format!(" {sign}"));
            }
        }
        line
    }
}

impl Probed {
    /// An address as `traceroute` prints it: with its name, or twice.
    fn printed(&self, net: &Net, address: IpAddr) -> String {
        match self.name_of(net, address) {
            Some(name) => format!("{name} ({address})"),
            None => format!("{address} ({address})"),
        }
    }
}

/// Sends probes and waits for their answers.
#[derive(Debug)]
enum Prober {
    Icmp { socket: RawSocket, to: IpAddr },
    Udp { socket: UdpSocket, to: IpAddr },
}

impl Prober {
    fn new(net: &Net, plan: &Plan, to: IpAddr) -> io::Result<Self> {
        Ok(match plan.method {
            Method::Icmp => Self::Icmp { socket: RawSocket::icmp(net), to },
            Method::Udp => {
                let socket = UdpSocket::bind(net, 0)?;
                socket.set_dont_fragment(plan.dont_fragment);
                Self::Udp { socket, to }
            }
        })
    }

    /// Sends the probe with this number and waits for its answer.
    async fn probe(&self, net: &Net, plan: &Plan, ttl: u8, number: u64) -> Result<Option<Answer>, ProgramError> {
        let sent_at = net.now();
        let (sent, limit) = (self.send(plan, ttl, number).await, plan.timeout);
        if let Err(error) = sent {
            return refusal(&error).map(Some).ok_or_else(|| format!("send: {error}").into());
        }
        let Ok(answered) = net.timeout(limit, self.answer(plan, number)).await else { return Ok(None) };
        let (from, mark) = answered?;
        Ok(Some(Answer { from: Some(from), took: net.now().since(sent_at), mark }))
    }

    async fn send(&self, plan: &Plan, ttl: u8, number: u64) -> io::Result<()> {
        match self {
            Self::Icmp { socket, to } => {
                let payload = filler(plan.size.saturating_sub(ip_header_len(*to) + ECHO_HEADER_LEN));
                let request = icmp::echo_request(*to, socket.ident(), sequence(number), &payload);
                socket.send_to(&request, *to, ttl, plan.dont_fragment).await
            }
            Self::Udp { socket, to } => {
                let payload = filler(plan.size.saturating_sub(ip_header_len(*to) + 8));
                socket.set_ttl(ttl)?;
                socket.send_to(&payload, SocketAddr::new(*to, port(plan.port, number))).await.map(|_| ())
            }
        }
    }

    /// Waits for the answer to the probe with this number: who it is from, and what it means.
    async fn answer(&self, plan: &Plan, number: u64) -> io::Result<(IpAddr, Mark)> {
        match self {
            Self::Icmp { socket, to } => loop {
                let message = socket.recv().await?;
                let is_ours = match &message.kind {
                    IcmpKind::EchoReply { ident, sequence: found, .. } => {
                        (*ident, *found) == (socket.ident(), sequence(number))
                    }
                    IcmpKind::TimeExceeded { quote, .. } | IcmpKind::Unreachable { quote, .. } => {
                        quote.destination == *to && quote.echo == Some((socket.ident(), sequence(number)))
                    }
                    IcmpKind::EchoRequest { .. }
                    | IcmpKind::Other { .. }
                    | IcmpKind::ParameterProblem { .. }
                    | IcmpKind::Redirect { .. } => false,
                };
                if let Some(mark) = icmp::mark(&message.kind).filter(|_| is_ours) {
                    return Ok((message.source, mark));
                }
            },
            Self::Udp { socket, to } => {
                let port = port(plan.port, number);
                // Somebody may listen there after all, and answer.
                either(told(socket, *to, port), replied(socket, SocketAddr::new(*to, port))).await
            }
        }
    }
}

/// Waits for an ICMP error about the datagram to this port.
async fn told(socket: &UdpSocket, to: IpAddr, port: u16) -> io::Result<(IpAddr, Mark)> {
    loop {
        let error = socket.recv_error().await?;
        let (IcmpKind::TimeExceeded { quote, .. } | IcmpKind::Unreachable { quote, .. }) = &error.kind else {
            continue;
        };
        let is_ours = quote.destination == to && quote.ports.is_some_and(|(_, found)| found == port);
        if let Some(mark) = icmp::mark(&error.kind).filter(|_| is_ours) {
            return Ok((error.from, mark));
        }
    }
}

/// Waits for a datagram from whom the probe went to.
async fn replied(socket: &UdpSocket, from: SocketAddr) -> io::Result<(IpAddr, Mark)> {
    loop {
        if socket.recv_datagram().await?.from == from {
            return Ok((from.ip(), Mark::Reached));
        }
    }
}

/// What a probe that could not be sent counts as; `None` if the trace cannot go on.
fn refusal(error: &io::Error) -> Option<Answer> {
    match error.get_ref()?.downcast_ref::<SendError>()? {
        SendError::MessageTooLong { mtu } => {
            Some(Answer { from: None, took: Duration::ZERO, mark: Mark::Refused(format!("!F-{mtu}")) })
        }
        SendError::HostUnreachable | SendError::NetworkUnreachable | SendError::PermissionDenied => None,
    }
}

/// What the real program fills its probes with.
fn filler(length: usize) -> Vec<u8> {
    (0x40..0x80).cycle().take(length).collect()
}

/// The port of a probe; beyond the last it begins again at the first.
fn port(first: u16, number: u64) -> u16 {
    let room = u64::from(u16::MAX - first) + 1;
    first + u16::try_from(number % room).expect("the room is that of a port")
}

/// The sequence number of a probe: from 1.
fn sequence(number: u64) -> u16 {
    u16::try_from(number + 1).expect("there are at most 255 hops of 10 probes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: [u8; 4] = [10, 0, 1, 1];

    fn answer(from: [u8; 4], microseconds: u64, mark: Mark) -> Option<Answer> {
        Some(Answer { from: Some(from.into()), took: Duration::from_micros(microseconds), mark })
    }

    fn line(answers: Vec<Option<Answer>>) -> String {
        let name = |address: IpAddr| {
            if address == IpAddr::from(ROUTER) { format!("r1 ({address})") } else { format!("{address} ({address})") }
        };
        Hop { answers }.line(1, name)
    }

    #[test]
    fn a_hop_is_named_once() {
        let at_router = |us| answer(ROUTER, us, Mark::OnTheWay);
        let answers = vec![at_router(1_002), at_router(1_001), at_router(998)];
        assert_eq!(line(answers), " 1  r1 (10.0.1.1)  1.002 ms  1.001 ms  0.998 ms");
    }

    #[test]
    fn silence_is_a_star_and_another_router_is_named_too() {
        assert_eq!(line(vec![None, None, None]), " 1  * * *");
        let (first, second) = (answer(ROUTER, 1_000, Mark::OnTheWay), answer([10, 0, 2, 1], 2_000, Mark::OnTheWay));
        assert_eq!(
            line(vec![first.clone(), None, second.clone()]),
            " 1  r1 (10.0.1.1)  1.000 ms * 10.0.2.1 (10.0.2.1)  2.000 ms"
        );
        assert_eq!(line(vec![first.clone(), None, first]), " 1  r1 (10.0.1.1)  1.000 ms *  1.000 ms");
    }

    #[test]
    fn a_refusal_is_marked_and_ends_the_trace() {
        let refused = answer(ROUTER, 3_000, Mark::Refused("!H".into()));
        assert_eq!(line(vec![refused.clone(), None]), " 1  r1 (10.0.1.1)  3.000 ms !H *");
        assert!(Hop { answers: vec![None, refused] }.is_last());
        assert!(Hop { answers: vec![answer(ROUTER, 1, Mark::Reached)] }.is_last());
        assert!(!Hop { answers: vec![None, answer(ROUTER, 1, Mark::OnTheWay)] }.is_last());
    }

    #[test]
    fn a_probe_too_long_for_the_own_link_is_marked_without_anybody() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, SendError::MessageTooLong { mtu: 1400 });
        let refused = refusal(&error).unwrap();
        assert_eq!(line(vec![Some(refused)]), " 1  * !F-1400");
        assert_eq!(refusal(&io::Error::from(io::ErrorKind::NetworkUnreachable)), None);
    }

    #[test]
    fn ports_count_up_and_begin_again() {
        assert_eq!((port(33_434, 0), port(33_434, 5)), (33_434, 33_439));
        assert_eq!((port(65_535, 0), port(65_535, 7)), (65_535, 65_535));
        assert_eq!((port(65_000, 535), port(65_000, 536)), (65_535, 65_000));
        assert_eq!((sequence(0), sequence(2549)), (1, 2550));
    }
}
