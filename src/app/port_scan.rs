//! `port-scan`: which ports of a host are open, closed or filtered; the report is that of `nmap`.
//!
//! | method | asks with | open | closed | filtered |
//! |---|---|---|---|---|
//! | `connect` | a connection, closed at once | it is made | refused | silence, or an ICMP error |
//! | `syn` | a SYN by hand ([`probe`](super::probe)) | SYN+ACK | RST | silence, or an ICMP error |
//! | `udp` | a datagram | an answer | ICMP port unreachable | another ICMP error; silence may mean either |
//!
//! Whoever scans looks at the answers only. A firewall that drops is known by silence, which is why a port is asked again
//! before it is called filtered. There is no search for hosts before it (`nmap -Pn`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::fields::{self, Family};
use super::port_state::{Found, PortState, Verdict, latency};
use super::probe::{SynProbe, complaint};
use super::services::{self, Transport, usual_ports};
use super::tally::Tally;
use super::{AppBuilder, Outcome};
use crate::net::{
    First, IcmpKind, Net, PacketSocket, Program, ProgramError, RawSocket, TcpStream, UdpSocket, join_all, race,
};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::record::Value;
use crate::time::Time;
use crate::wire::ntp::{NTP_PORT, NtpMessage, NtpMode, NtpTimestamp};

const METHODS: &[&str] = &["connect", "syn", "udp"];

/// How many rows are kept as an outcome.
const ROWS_MAX: usize = 100;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "port-scan",
    doc: "Finds out which ports of a host are open, closed or filtered, and reports as `nmap` does.",
    example: "scan = { on = \"client\", kind = \"port-scan\", to = \"server\" }",
    fields: &[
        fields::TO_HOST,
        fields::FAMILY,
        Field {
            name: "method",
            form: Form::OneOf(METHODS),
            need: Need::Default("connect"),
            doc: "How: whole connections (`-sT`), SYNs alone (`-sS`), or UDP datagrams (`-sU`).",
        },
        Field {
            name: "ports",
            form: Form::Text,
            need: Need::Optional,
            doc: "Which ports, with commas and ranges as `nmap -p` has them: `22,80,8000-8010`; where absent, some 60 at which \
                  something is usually served.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long it waits for each answer.",
        },
        Field {
            name: "retries",
            form: Form::Integer { min: 0, max: 10 },
            need: Need::Default("1"),
            doc: "How often it asks again where no answer came.",
        },
        Field {
            name: "parallel",
            form: Form::Integer { min: 1, max: 1000 },
            need: Need::Default("10"),
            doc: "How many ports it asks at once.",
        },
        Field {
            name: "reasons",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether the report says what each state is known by, `--reason`.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("open", "List of ports that are open."),
    ("closed", "How many ports are closed."),
    ("filtered", "How many ports are filtered."),
    ("open_or_filtered", "How many ports are silent, which over UDP says nothing."),
    ("probes", "How many questions were sent; retransmissions of a connection's SYN not counted."),
    ("ports", "List of texts: the first 100 ports with their states, such as `22/tcp open ssh`; absent until the end."),
];

#[derive(Debug)]
struct Plan {
    host: String,
    family: Family,
    method: Method,
    ports: Vec<u16>,
    timeout: Duration,
    retries: u64,
    parallel: usize,
    shows_reasons: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Connect,
    Syn,
    Udp,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let (host, family) = (fields::host(table), Family::read(table));
    let method = match table.one_of("method", METHODS) {
        Some("syn") => Method::Syn,
        Some("udp") => Method::Udp,
        _ => Method::Connect,
    };
    let transport = if method == Method::Udp { Transport::Udp } else { Transport::Tcp };
    let ports = if table.has("ports") { services::ports(table) } else { Some(usual_ports(transport)) };
    let timeout = table.get_or("timeout", Duration::from_secs(1));
    let retries = fields::integer(table, "retries", 0, 10).unwrap_or(1);
    let parallel = fields::integer(table, "parallel", 1, 1000).and_then(|count| usize::try_from(count).ok());
    let shows_reasons = table.get_or("reasons", false);
    let parallel = parallel.unwrap_or(10);
    let plan = Plan { host: host?, family, method, ports: ports?, timeout, retries, parallel, shows_reasons };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let target = plan.family.lookup(&net, &plan.host).await?;
    let transport = if plan.method == Method::Udp { Transport::Udp } else { Transport::Tcp };
    let begun = net.now();
    let mut scan = Scan {
        net: &net,
        plan: &plan,
        target,
        found: Found::default(),
        latency: None,
        probes: Tally::new(&net, "probes"),
    };
    scan.report();
    match plan.method {
        Method::Syn => scan.by_syn().await?,
        Method::Connect | Method::Udp => scan.by_socket().await?,
    }
    let Scan { found, latency: round_trip, .. } = scan;
    let rows = found.short_rows(transport).take(ROWS_MAX).map(Value::Text);
    net.report("ports", Value::List(rows.collect()));
    let called =
        if plan.host.parse::<IpAddr>().is_ok() { plan.host.clone() } else { format!("{} ({target})", plan.host) };
    net.log(|| format!("Nmap scan report for {called}"));
    net.log(|| match round_trip {
        Some(time) => format!("Host is up ({}s latency).", latency(time)),
        None => "Host is up.".to_owned(),
    });
    for line in found.lines(transport, plan.shows_reasons) {
        net.log(|| line);
    }
    let hundredths = net.now().since(begun).as_millis().div_ceil(10);
    net.log(|| {
        format!("Nmap done: 1 IP address (1 host up) scanned in {}.{:02} seconds", hundredths / 100, hundredths % 100)
    });
    Ok(())
}

struct Scan<'a> {
    net: &'a Net,
    plan: &'a Plan,
    target: IpAddr,
    found: Found,
    /// The first round trip.
    latency: Option<Duration>,
    probes: Tally,
}

impl Scan<'_> {
    fn learn(&mut self, port: u16, verdict: Verdict, round_trip: Option<Duration>) {
        self.latency = self.latency.or(round_trip);
        self.found.ports.insert(port, verdict);
    }

    fn report(&self) {
        let list = self.found.of(PortState::Open).map(|port| Value::from(u64::from(port)));
        let count = |state| self.found.of(state).count() as u64;
        self.net.report("open", Value::List(list.collect()));
        self.net.report("closed", count(PortState::Closed));
        self.net.report("filtered", count(PortState::Filtered));
        self.net.report("open_or_filtered", count(PortState::OpenOrFiltered));
    }

    /// Asks through sockets; whoever is silent is asked again in the next round.
    async fn by_socket(&mut self) -> Result<(), ProgramError> {
        let mut left = self.plan.ports.clone();
        for round in 0..=self.plan.retries {
            let mut silent = Vec::new();
            for batch in left.chunks(self.plan.parallel) {
                self.probes.add(batch.len() as u64);
                let begun = self.net.now();
                let (net, plan, target) = (self.net, self.plan, self.target);
                let asked = batch.iter().map(|port| {
                    let peer = SocketAddr::new(target, *port);
                    async move {
                        let asked = async {
                            match plan.method {
                                Method::Udp => ask_udp(net, peer).await,
                                _ => ask_tcp(net, peer).await,
                            }
                        };
                        let answer = net.timeout(plan.timeout, asked).await;
                        (answer.unwrap_or(Ok(None)), net.now())
                    }
                });
                let answers: Vec<(io::Result<Option<Verdict>>, Time)> = join_all(asked).await;
                for (port, (answer, at)) in batch.iter().zip(answers) {
                    match answer? {
                        Some(verdict) => {
                            let is_answer = verdict.state != PortState::Filtered;
                            self.learn(*port, verdict, is_answer.then(|| at.since(begun)));
                        }
                        None if round < self.plan.retries => silent.push(*port),
                        None => self.learn(*port, self.silence(), None),
                    }
                }
                self.report();
            }
            left = silent;
        }
        Ok(())
    }

    /// What it means that nobody has said anything.
    fn silence(&self) -> Verdict {
        let state = if self.plan.method == Method::Udp { PortState::OpenOrFiltered } else { PortState::Filtered };
        Verdict { state, reason: "no-response" }
    }

    /// Asks with SYNs made by hand.
    async fn by_syn(&mut self) -> Result<(), ProgramError> {
        /// Where such SYNs come from: above the ports that machines give to connections.
        const SOURCE_PORTS: u64 = 16_384;
        let source = self.net.source_for(self.target)?;
        let port = 32_768 + self.net.random_below(SOURCE_PORTS);
        let probe = SynProbe {
            source,
            target: self.target,
            source_port: u16::try_from(port).expect("below 49152"),
            sequence: self.net.random() as u32,
        };
        let packets = PacketSocket::open(self.net, None, crate::filter::Filter::parse("tcp").ok())?;
        let complaints = RawSocket::icmp(self.net);
        let mut left = self.plan.ports.clone();
        for _ in 0..=self.plan.retries {
            for batch in left.chunks(self.plan.parallel) {
                for port in batch {
                    self.probes.add(1);
                    if let Err(error) = packets.send_packet(&probe.packet(*port, 64)).await {
                        // Without a way there is nothing to be found out.
                        if error.kind() == io::ErrorKind::NetworkUnreachable {
                            return Err(error.into());
                        }
                    }
                }
                self.collect(&probe, batch, &packets, &complaints).await?;
                self.report();
            }
            left.retain(|port| !self.found.ports.contains_key(port));
        }
        for port in left {
            self.learn(port, self.silence(), None);
        }
        self.report();
        Ok(())
    }

    /// Takes in answers until there is one for each of these ports, or the time is up.
    async fn collect(
        &mut self,
        probe: &SynProbe,
        batch: &[u16],
        packets: &PacketSocket,
        complaints: &RawSocket,
    ) -> Result<(), ProgramError> {
        let begun = self.net.now();
        let until = begun + self.plan.timeout;
        let is_open = |found: &Found| batch.iter().any(|port| !found.ports.contains_key(port));
        while is_open(&self.found) && self.net.now() < until {
            let left = until.since(self.net.now());
            let Ok(first) = self.net.timeout(left, race(packets.recv(), complaints.recv())).await else { break };
            let answer = match first {
                First::One(seen) => probe.answer(&seen?),
                First::Other(message) => probe.complaint(&message?.kind),
            };
            if let Some((port, verdict)) = answer.filter(|(port, _)| self.plan.ports.contains(port)) {
                let round_trip = self.net.now().since(begun);
                let is_answer = verdict.state != PortState::Filtered;
                self.learn(port, verdict, is_answer.then_some(round_trip));
            }
        }
        Ok(())
    }
}

/// Connects, and closes at once. `None`: no answer.
async fn ask_tcp(net: &Net, peer: SocketAddr) -> io::Result<Option<Verdict>> {
    let filtered = |reason| Ok(Some(Verdict { state: PortState::Filtered, reason }));
    match TcpStream::connect(net, peer).await {
        Ok(stream) => {
            // As nmap does, with a RST: no connection is left over.
            stream.abort();
            Ok(Some(Verdict { state: PortState::Open, reason: "syn-ack" }))
        }
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Ok(Some(Verdict { state: PortState::Closed, reason: "conn-refused" })),
            io::ErrorKind::HostUnreachable => filtered("host-unreach"),
            io::ErrorKind::NetworkUnreachable => filtered("net-unreach"),
            io::ErrorKind::PermissionDenied => filtered("admin-prohibited"),
            io::ErrorKind::TimedOut => Ok(None),
            _ => Err(error),
        },
    }
}

/// Sends a datagram that a server of the port would answer, and waits.
async fn ask_udp(net: &Net, peer: SocketAddr) -> io::Result<Option<Verdict>> {
    let socket = UdpSocket::bind(net, 0)?;
    if let Err(error) = socket.send_to(&question(peer.port()), peer).await {
        let reason = match error.kind() {
            io::ErrorKind::HostUnreachable => "host-unreach",
            io::ErrorKind::NetworkUnreachable => "net-unreach",
            _ => return Err(error),
        };
        return Ok(Some(Verdict { state: PortState::Filtered, reason }));
    }
    loop {
        match race(socket.recv_datagram(), socket.recv_error()).await {
            First::One(datagram) if datagram.as_ref().is_ok_and(|datagram| datagram.from == peer) => {
                return Ok(Some(Verdict { state: PortState::Open, reason: "udp-response" }));
            }
            First::One(datagram) => drop(datagram?),
            First::Other(error) => {
                if let IcmpKind::Unreachable { reason, code, .. } = error?.kind {
                    let reason = complaint(reason, code);
                    let state = if reason == "port-unreach" { PortState::Closed } else { PortState::Filtered };
                    return Ok(Some(Verdict { state, reason }));
                }
            }
        }
    }
}

/// What is likely to be answered at a port; where nothing better is known, an empty datagram.
fn question(port: u16) -> Vec<u8> {
    match port {
        // RFC 1035 §4.1.1: a server status request, of which nobody knows anything but that it wants an answer.
        53 => vec![0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        NTP_PORT => {
            let request = NtpMessage {
                leap: 3,
                version: 4,
                mode: NtpMode::Client,
                stratum: 0,
                poll: 4,
                precision: -6,
                root_delay: 1 << 16,
                root_dispersion: 1 << 16,
                reference_id: [0; 4],
                reference: NtpTimestamp::default(),
                origin: NtpTimestamp::default(),
                receive: NtpTimestamp::default(),
                transmit: NtpTimestamp(1),
            };
            request.bytes().to_vec()
        }
        _ => Vec::new(),
    }
}
