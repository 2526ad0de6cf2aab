//! `nc`: connects or listens, over TCP or UDP, types a script and prints the lines that come.
//!
//! ```text
//!  to = "server:7"                nc server 7
//!  to = "server:7", udp = true    nc -u server 7
//!  listen = 7000                  nc -l 7000
//!  to = "server", ports = "1-99"  nc -z server 1-99
//! ```
//!
//! What it says of connections is what the real program says with `-v`. A client is through when it has typed all and the
//! other side has closed; who listens is through when the client is, and with `keep` listens again. Over UDP nobody
//! closes: it is through when nothing has come for `wait`, or never.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, split};

use super::exchange::{CHUNK, both, either};
use super::fields::{self, Family};
use super::lines::Lines;
use super::script::{self, Line};
use super::services::{self, Transport, service};
use super::tally::Tally;
use super::unix::strerror;
use super::{AppBuilder, Outcome};
use crate::net::{Local, Net, Program, ProgramError, TcpListener, TcpSocket, TcpStream, UdpSocket};
use crate::read::{Endpoint, Field, Form, Kind, Located, Need, Table};
use crate::record::Value;
use crate::time::Time;

/// How many lines are kept as an outcome.
const LINES_MAX: usize = 100;

/// The largest datagram that is read.
const DATAGRAM_MAX: usize = 65_535;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "nc",
    doc: "Connects or listens, over TCP or UDP, types a script and prints what comes: `nc`.",
    example: "talk = { on = \"server\", kind = \"nc\", listen = 7000 }",
    fields: &[
        Field {
            name: "to",
            form: Form::Endpoint,
            need: Need::Optional,
            doc: "Whom to connect to, with the port unless `ports` are given. Either this or `listen`.",
        },
        Field {
            name: "listen",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Optional,
            doc: "The port to listen at, `-l`. Either this or `to`.",
        },
        Field {
            name: "bind",
            form: Form::Address,
            need: Need::Optional,
            doc: "The own address to listen at or to connect from, `-s`; any where this is absent.",
        },
        fields::LOCAL_PORT,
        fields::FAMILY,
        Field {
            name: "udp",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it speaks UDP, `-u`: each line is a datagram then.",
        },
        script::SCRIPT,
        Field {
            name: "close",
            form: Form::Boolean,
            need: Need::Optional,
            doc: "Whether it closes its side of a connection after the last line, `-N`; otherwise it waits for the other. \
                  Where absent, who connects does, and who listens does not.",
        },
        Field {
            name: "reuse",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it may listen at a port that old connections still have, `SO_REUSEADDR`.",
        },
        Field {
            name: "nodelay",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether each line leaves at once, without Nagle's algorithm, `TCP_NODELAY`.",
        },
        Field {
            name: "keep",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it listens for another client when one is through, `-k`.",
        },
        Field {
            name: "wait",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long connecting may take, and how long it waits for more once all is typed, `-w`.",
        },
        services::PORTS,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("connected", "Whether there was a connection, or a datagram from somebody."),
    ("peer", "Text: the address and port of the last one it had to do with; absent before."),
    ("sent", "How many bytes were typed."),
    ("received", "How many bytes came."),
    ("lines", "List of texts: the first 100 lines that came."),
    ("open", "List of ports that could be connected to; absent without `ports`."),
];

#[derive(Debug)]
struct Plan {
    role: Role,
    bind: Option<IpAddr>,
    local_port: Option<u16>,
    family: Family,
    transport: Transport,
    script: Vec<Line>,
    /// `None`: who connects does.
    closes: Option<bool>,
    keeps: bool,
    reuses: bool,
    nodelay: bool,
    wait: Option<Duration>,
}

#[derive(Debug)]
enum Role {
    Connect { host: String, port: u16 },
    Listen(u16),
    Scan { host: String, ports: Vec<u16> },
}

fn build(table: &Table<'_>) -> Option<Program> {
    let role = role(table);
    let transport = if table.get_or("udp", false) { Transport::Udp } else { Transport::Tcp };
    let (bind, local_port) = (table.get("bind"), fields::port(table, "local_port"));
    let (closes, keeps) = (table.get("close"), table.get_or("keep", false));
    let (reuses, nodelay) = (table.get_or("reuse", true), table.get_or("nodelay", false));
    let (family, script, wait) = (Family::read(table), script::read(table), table.get("wait"));
    let plan = Plan {
        role: role?,
        bind,
        local_port,
        family,
        transport,
        script: script?,
        closes,
        keeps,
        reuses,
        nodelay,
        wait,
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

fn role(table: &Table<'_>) -> Option<Role> {
    let (to, listen): (Option<Located<Endpoint>>, _) = (table.get("to"), fields::port(table, "listen"));
    let ports = services::ports(table);
    match (table.has("to"), table.has("listen")) {
        (true, true) => {
            table.report("listen", "both `to` and `listen` are given", "leave one of them out");
            None
        }
        (false, false) => {
            let title = format!("`{}` says neither whom to connect to nor where to listen", table.path);
            table.report("to", title, "`to = …` or `listen = …` is missing");
            None
        }
        (false, true) => {
            if table.has("ports") {
                table.report("ports", "`ports` are tried at somebody else's", "leave it out, or `to = …`");
                return None;
            }
            Some(Role::Listen(listen?))
        }
        (true, false) => {
            let Endpoint { host, port } = to?.value;
            match (port, table.has("ports")) {
                (None, true) => Some(Role::Scan { host, ports: ports? }),
                (Some(1..), false) => Some(Role::Connect { host, port: port? }),
                (Some(_), true) => {
                    table.report("to", "there is a port here and there are `ports`", "a host alone belongs here");
                    None
                }
                (_, false) => {
                    table.report("to", "`to` needs a port", format!("such as \"{host}:7\", or `ports = …`"));
                    None
                }
            }
        }
    }
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    net.report("connected", false);
    net.report("lines", Value::List(Vec::new()));
    let (sent, received) = (Tally::new(&net, "sent"), Tally::new(&net, "received"));
    let begun = net.now();
    let mut cat = Cat { net: &net, plan: &plan, begun, sent, received, shown: Vec::new() };
    match (&plan.role, plan.transport) {
        (Role::Connect { host, port }, Transport::Tcp) => {
            let stream = cat.connect(host, *port).await?;
            cat.talk(stream, false).await
        }
        (Role::Connect { host, port }, Transport::Udp) => {
            let peer = SocketAddr::new(plan.family.lookup(&net, host).await?, *port);
            let socket = UdpSocket::bind(&net, cat.local())?;
            socket.connect(peer)?;
            net.report("peer", peer.to_string());
            cat.exchange(&socket, peer).await
        }
        (Role::Listen(port), Transport::Tcp) => {
            let listener = listen(&net, &plan, *port).map_err(|error| strerror(&error))?;
            net.log(|| listening(plan.bind, *port));
            loop {
                let (stream, peer) = listener.accept().await?;
                cat.received_from(peer);
                let ended = cat.talk(stream, true).await;
                if !plan.keeps {
                    return ended;
                }
                if let Err(error) = ended {
                    net.log(|| error.to_string());
                }
            }
        }
        (Role::Listen(port), Transport::Udp) => {
            let socket = UdpSocket::bind(&net, at(plan.bind, *port)).map_err(|error| strerror(&error))?;
            net.log(|| listening(plan.bind, *port).replace("Listening", "Bound"));
            let datagram = socket.recv_datagram().await?;
            cat.received_from(datagram.from);
            if !plan.keeps {
                socket.connect(datagram.from)?;
            }
            cat.show(&datagram.payload);
            cat.exchange(&socket, datagram.from).await
        }
        (Role::Scan { host, ports }, _) => cat.scan(host, ports).await,
    }
}

fn listen(net: &Net, plan: &Plan, port: u16) -> std::io::Result<TcpListener> {
    let mut socket = TcpSocket::new(net);
    socket.set_reuse_address(plan.reuses);
    socket.bind(at(plan.bind, port))?;
    socket.listen(1)
}

fn at(bind: Option<IpAddr>, port: u16) -> Local {
    bind.map_or_else(|| Local::from(port), |address| Local::from((address, port)))
}

fn listening(bind: Option<IpAddr>, port: u16) -> String {
    let address = bind.map_or_else(|| "0.0.0.0".to_owned(), |address| address.to_string());
    format!("Listening on {address} {port}")
}

/// `connect to server (10.0.0.2) port 80 (tcp) failed: Connection refused`
fn refusal(host: &str, peer: SocketAddr, transport: Transport, why: &str) -> String {
    let (name, port, transport) = (called(host, peer.ip()), peer.port(), transport.name());
    format!("connect to {name} port {port} ({transport}) failed: {why}")
}

/// `server (10.0.0.2)`, or the address alone if that is how the host was called.
fn called(host: &str, address: IpAddr) -> String {
    if host.parse::<IpAddr>().is_ok() { address.to_string() } else { format!("{host} ({address})") }
}

struct Cat<'a> {
    net: &'a Net,
    plan: &'a Plan,
    begun: Time,
    sent: Tally,
    received: Tally,
    /// The lines that came.
    shown: Vec<Value>,
}

impl Cat<'_> {
    fn local(&self) -> Local {
        let port = self.plan.local_port.unwrap_or(0);
        at(self.plan.bind, port)
    }

    fn received_from(&self, peer: SocketAddr) {
        self.net.report("connected", true);
        self.net.report("peer", peer.to_string());
        let name = self.net.core(|core| core.hosts.name_of(peer.ip()).map(str::to_owned));
        let name = name.unwrap_or_else(|| peer.ip().to_string());
        self.net.log(|| format!("Connection received on {name} {}", peer.port()));
    }

    fn succeeded(&self, host: &str, peer: SocketAddr) {
        let transport = self.plan.transport;
        let (name, port) = (called(host, peer.ip()), peer.port());
        let service = service(transport, port).unwrap_or("*");
        let transport = transport.name();
        self.net.log(|| format!("Connection to {name} {port} port [{transport}/{service}] succeeded!"));
    }

    /// Connects to the host's addresses, one after the other.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ProgramError> {
        let mut failure = String::new();
        for address in self.plan.family.lookup_all(self.net, host).await? {
            let peer = SocketAddr::new(address, port);
            if !failure.is_empty() {
                self.net.log(|| failure.clone());
            }
            match self.connect_once(peer).await {
                Ok(stream) => {
                    self.net.report("connected", true);
                    self.net.report("peer", peer.to_string());
                    self.succeeded(host, peer);
                    return Ok(stream);
                }
                Err(error) => failure = refusal(host, peer, Transport::Tcp, &strerror(&error)),
            }
        }
        Err(failure.into())
    }

    async fn connect_once(&self, peer: SocketAddr) -> std::io::Result<TcpStream> {
        let connecting = TcpStream::connect_from(self.net, self.local(), peer);
        match self.plan.wait {
            Some(wait) => self.net.timeout(wait, connecting).await?,
            None => connecting.await,
        }
    }

    /// Types the script into a connection and prints what comes out of it.
    async fn talk(&mut self, stream: TcpStream, is_server: bool) -> Result<(), ProgramError> {
        stream.set_nodelay(self.plan.nodelay);
        let (mut reader, mut writer) = split(stream);
        let (net, plan, begun, sent) = (self.net, self.plan, self.begun, self.sent.clone());
        // Who listens begins to type when there is somebody to read it.
        let begun = if is_server { net.now() } else { begun };
        let typing = async move {
            for line in &plan.script {
                net.sleep_until(begun + line.at).await;
                let bytes = format!("{}\n", line.say).into_bytes();
                writer.write_all(&bytes).await.map_err(|error| strerror(&error))?;
                sent.add(bytes.len() as u64);
            }
            if plan.closes.unwrap_or(!is_server) {
                writer.shutdown().await.map_err(|error| strerror(&error))?;
            }
            Ok::<_, ProgramError>(writer)
        };
        let mut lines = Lines::default();
        let reading = async {
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = reader.read(&mut buffer).await.map_err(|error| strerror(&error))?;
                if count == 0 {
                    break;
                }
                self.received.add(count as u64);
                lines.push(&buffer[..count], |line| print(net, &mut self.shown, line));
            }
            if let Some(line) = lines.rest() {
                print(net, &mut self.shown, line);
            }
            Ok::<_, ProgramError>(())
        };
        if is_server {
            // As soon as the client is through, so is this.
            return either(reading, async {
                match typing.await {
                    Ok(_still_open) => std::future::pending().await,
                    Err(error) => Err(error),
                }
            })
            .await;
        }
        let typing = async {
            let mut writer = typing.await?;
            let Some(wait) = plan.wait else { return Ok(Some(writer)) };
            net.sleep(wait).await;
            writer.shutdown().await.map_err(|error| strerror(&error))?;
            Ok::<_, ProgramError>(None)
        };
        let mut kept = None;
        let typing = async {
            kept = typing.await?;
            Ok(())
        };
        let ended = match plan.wait {
            // Whichever is first: the end of the stream, or of the patience after the last line.
            Some(_) => either(reading, typing).await,
            None => both(typing, reading).await,
        };
        drop(kept);
        ended
    }

    /// Types the script into datagrams and prints what comes.
    async fn exchange(&mut self, socket: &UdpSocket, peer: SocketAddr) -> Result<(), ProgramError> {
        let (net, plan) = (self.net, self.plan);
        let begun = if matches!(plan.role, Role::Listen(_)) { net.now() } else { self.begun };
        let sent = self.sent.clone();
        let typing = async {
            for line in &plan.script {
                net.sleep_until(begun + line.at).await;
                let bytes = format!("{}\n", line.say).into_bytes();
                socket.send_to(&bytes, peer).await.map_err(|error| strerror(&error))?;
                sent.add(bytes.len() as u64);
            }
            match plan.wait {
                Some(wait) => net.sleep(wait).await,
                None => std::future::pending().await,
            }
            Ok(())
        };
        let reading = async {
            let mut buffer = vec![0; DATAGRAM_MAX];
            loop {
                let (count, from) = socket.recv_from(&mut buffer).await.map_err(|error| strerror(&error))?;
                net.report("connected", true);
                net.report("peer", from.to_string());
                self.show(&buffer[..count]);
            }
        };
        either(reading, typing).await
    }

    /// Prints a datagram, of one line or more.
    fn show(&mut self, payload: &[u8]) {
        self.received.add(payload.len() as u64);
        let mut lines = Lines::default();
        lines.push(payload, |line| print(self.net, &mut self.shown, line));
        if let Some(line) = lines.rest() {
            print(self.net, &mut self.shown, line);
        }
    }

    /// Tries one port after the other and sends nothing.
    async fn scan(&self, host: &str, ports: &[u16]) -> Result<(), ProgramError> {
        let address = self.plan.family.lookup(self.net, host).await?;
        let mut open = Vec::new();
        self.net.report("open", Value::List(Vec::new()));
        for port in ports {
            let peer = SocketAddr::new(address, *port);
            let tried = match self.plan.transport {
                Transport::Tcp => self.connect_once(peer).await.map(drop),
                Transport::Udp => self.probe(peer).await,
            };
            match tried {
                Ok(()) => {
                    self.succeeded(host, peer);
                    open.push(Value::from(u64::from(*port)));
                    self.net.report("connected", true);
                    self.net.report("peer", peer.to_string());
                    self.net.report("open", Value::List(open.clone()));
                }
                Err(error) => self.net.log(|| refusal(host, peer, self.plan.transport, &strerror(&error))),
            }
        }
        Ok(())
    }

    /// As the real program does it: some datagrams, and then hope that silence means yes.
    async fn probe(&self, peer: SocketAddr) -> std::io::Result<()> {
        /// Every so often, so many times.
        const INTERVAL: Duration = Duration::from_millis(500);
        const PROBES: u32 = 4;
        let socket = UdpSocket::bind(self.net, self.local())?;
        socket.connect(peer)?;
        for _ in 0..PROBES {
            socket.send(b"X").await?;
            self.net.sleep(INTERVAL).await;
        }
        socket.take_error().map_or(Ok(()), Err)
    }
}

fn print(net: &Net, shown: &mut Vec<Value>, line: String) {
    if shown.len() < LINES_MAX {
        shown.push(Value::Text(line.clone()));
        net.report("lines", Value::List(shown.clone()));
    }
    net.log(|| line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_as_the_real_program_tells_them() {
        let peer = "10.0.0.2:7".parse().unwrap();
        let text = refusal("server", peer, Transport::Tcp, "Connection refused");
        assert_eq!(text, "connect to server (10.0.0.2) port 7 (tcp) failed: Connection refused");
        let text = refusal("10.0.0.2", peer, Transport::Udp, "Connection refused");
        assert_eq!(text, "connect to 10.0.0.2 port 7 (udp) failed: Connection refused");
        assert_eq!(listening(None, 7), "Listening on 0.0.0.0 7");
    }
}
