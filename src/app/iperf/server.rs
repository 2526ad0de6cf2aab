//! `iperf-server`: the other end of a measurement, one test after another.
//!
//! Who comes while a test runs is told so. It runs until it is stopped, and fails only if its port is taken.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::PORT;
use super::meter::{Books, Shared, bits_per_second, id, lock, sum_of, totals};
use super::streams::{Data, all, tell_interval, tell_intervals};
use super::wire::{
    COOKIE_BYTES, Params, State, StreamResult, UDP_HELLO, UDP_WELCOME, hear, hear_json, nonsense, results_from_json,
    results_to_json, say, say_json,
};
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{First, Net, Program, ProgramError, TcpListener, TcpStream, UdpSocket, race};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::record::Value;

/// How long a client may take for each step outside of the measurement itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a test may go on after its time, before the client is given up.
const OVERTIME: Duration = Duration::from_secs(60);

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "iperf-server",
    doc: "The other end of `iperf`'s measurements: `iperf3 -s`.",
    example: "measure = { on = \"server\", kind = \"iperf-server\" }",
    fields: &[
        Field {
            name: "port",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Default("5201"),
            doc: "The port that it serves, over TCP and UDP.",
        },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How often it prints a line while a test runs, `-i`.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("tests", "How many tests were begun."),
    ("failures", "How many of them came to no good end."),
    ("denied", "How many clients were sent away because a test was running."),
    ("bytes", "How many bytes it received or sent in the last test; absent before its end."),
    ("bitrate", "Bits per second over the last test; absent likewise."),
    ("bitrates", "List: bits per second in each interval of the last test."),
    ("datagrams", "How many datagrams the last test had, lost ones included; 0 over TCP; absent likewise."),
    ("lost", "How many of them were lost, as far as it can know; absent likewise."),
    ("out_of_order", "How many came after one with a greater number, or again; absent likewise."),
    ("jitter", "RFC 3550's interarrival jitter of the last test, the mean over its streams; absent likewise."),
    (
        "flights",
        "List: the bytes on their way at the end of each interval, if it was the sender over TCP; empty otherwise.",
    ),
];

fn build(table: &Table<'_>) -> Option<Program> {
    let port = fields::port(table, "port").unwrap_or(PORT);
    let interval = interval(table);
    Some(Program::new(move |net| serve(net, port, interval)))
}

/// Reads `interval`.
pub(super) fn interval(table: &Table<'_>) -> Duration {
    let interval = table.get_or("interval", Duration::from_secs(1));
    if interval < Duration::from_millis(1) {
        table.report("interval", "lines without a pause would never end", "at least \"1ms\"");
        return Duration::from_secs(1);
    }
    interval
}

async fn serve(net: Net, port: u16, interval: Duration) -> Result<(), ProgramError> {
    let [tests, failures, denied] = ["tests", "failures", "denied"].map(|key| Tally::new(&net, key));
    net.report("bitrates", Value::List(Vec::new()));
    net.report("flights", Value::List(Vec::new()));
    let listener = TcpListener::bind(&net, port, 128)?;
    let mut server = Server { net: &net, listener, port, interval, denied };
    loop {
        net.log(|| format!("Server listening on {port} (test #{})", tests.get() + 1));
        let (control, peer) = server.listener.accept().await?;
        tests.add(1);
        if let Err(error) = server.test(control, peer).await {
            failures.add(1);
            net.log(|| format!("error - {error}"));
        }
    }
}

struct Server<'a> {
    net: &'a Net,
    listener: TcpListener,
    port: u16,
    interval: Duration,
    denied: Tally,
}

impl Server<'_> {
    async fn within<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        self.net.timeout(PATIENCE, step).await?
    }

    async fn test(&mut self, mut control: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let net = self.net;
        net.log(|| format!("Accepted connection from {}, port {}", peer.ip(), peer.port()));
        let cookie = self.within(read_cookie(&mut control)).await?;
        let params = self.within(async {
            say(&mut control, State::ParamExchange).await?;
            hear_json(&mut control).await
        });
        let Some(params) = Params::from_json(&params.await?) else {
            // The number of an error and the system's: iperf3's "unsupported", and none.
            say(&mut control, State::ServerError).await?;
            return Err(nonsense("what this server cannot do"));
        };
        let mut data = self.within(self.streams(&mut control, &cookie, params)).await?;
        self.tell_streams(&data);
        say(&mut control, State::TestStart).await?;
        let books = Books::new(params, params.is_reverse, net.now());
        net.log(|| lock(&books).interval_head().to_owned());
        say(&mut control, State::TestRunning).await?;
        let limit = params.time.unwrap_or(Duration::from_secs(86_400)) + OVERTIME;
        let ended = net.timeout(limit, self.run(&mut control, &mut data, params, &books)).await?;
        tell_interval(net, &books);
        lock(&books).end(net.now());
        ended?;
        let results = lock(&books).results();
        if params.is_reverse {
            // A real client waits for a whole block, or the end, before it looks at anything else.
            drop(data);
        }
        let theirs = self.within(async {
            say(&mut control, State::ExchangeResults).await?;
            let theirs = hear_json(&mut control).await?;
            say_json(&mut control, &results_to_json(&results, params.is_reverse && !params.is_udp)).await?;
            say(&mut control, State::DisplayResults).await?;
            Ok(results_from_json(&theirs, results.len()))
        });
        let theirs = theirs.await?;
        self.conclude(params, &books, &results, &theirs);
        // Whether it says goodbye or just goes.
        let _ = self.within(hear(&mut control)).await;
        Ok(())
    }

    /// Waits for as many data streams as the test has.
    async fn streams(&self, control: &mut TcpStream, cookie: &[u8], params: Params) -> io::Result<Data> {
        if params.is_udp {
            let socket = UdpSocket::bind(self.net, self.port)?;
            say(control, State::CreateStreams).await?;
            let (mut peers, mut buffer) = (Vec::new(), [0; 64]);
            while (peers.len() as u64) < params.streams {
                let (count, from) = socket.recv_from(&mut buffer).await?;
                if &buffer[..count] == UDP_HELLO {
                    if !peers.contains(&from) {
                        peers.push(from);
                    }
                    socket.send_to(UDP_WELCOME, from).await?;
                }
            }
            return Ok(Data::Udp(socket, peers));
        }
        say(control, State::CreateStreams).await?;
        let mut streams = Vec::new();
        while (streams.len() as u64) < params.streams {
            let (mut stream, _) = self.listener.accept().await?;
            if read_cookie(&mut stream).await? == cookie {
                streams.push(stream);
            } else {
                self.deny(stream).await;
            }
        }
        Ok(Data::Tcp(streams))
    }

    async fn deny(&self, mut stream: TcpStream) {
        self.denied.add(1);
        // It may have gone already.
        let _ = say(&mut stream, State::AccessDenied).await;
    }

    fn tell_streams(&self, data: &Data) {
        let ends: Vec<(SocketAddr, SocketAddr)> = match data {
            Data::Tcp(streams) => streams.iter().map(|stream| (stream.local_addr(), stream.peer_addr())).collect(),
            Data::Udp(socket, peers) => peers.iter().map(|peer| (socket.local_addr(), *peer)).collect(),
            Data::UdpEach(..) => Vec::new(),
        };
        for (index, (local, peer)) in ends.into_iter().enumerate() {
            self.net.log(|| connected(self.net, index, local, peer));
        }
    }

    /// Sends or receives until the client says that it is over.
    async fn run(&self, control: &mut TcpStream, data: &mut Data, params: Params, books: &Shared) -> io::Result<()> {
        let works = if params.is_reverse {
            data.send(self.net, params, books, None)
        } else {
            data.receive(self.net, None, books)
        };
        let work = async {
            // Who has sent all, or whose connections are closed, waits for the word as well.
            let _ = all(works).await;
            std::future::pending::<()>().await;
        };
        let denying = async {
            while let Ok((stream, _)) = self.listener.accept().await {
                self.deny(stream).await;
            }
        };
        let beside = race(race(work, denying), tell_intervals(self.net, books, self.interval));
        match race(hear(control), beside).await {
            First::One(Ok(State::TestEnd)) => Ok(()),
            First::One(Ok(State::ClientTerminate)) => Err(io::Error::other("the client has terminated")),
            First::One(Ok(_)) => Err(nonsense("something else than that the test is over")),
            First::One(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(io::Error::other("the client has unexpectedly closed the connection"))
            }
            First::One(Err(error)) => Err(error),
            First::Other(_) => Err(io::Error::other("nobody can connect any more")),
        }
    }

    fn conclude(&self, params: Params, books: &Shared, mine: &[StreamResult], theirs: &[StreamResult]) {
        let net = self.net;
        let empty: &[StreamResult] = &[];
        let (sender, receiver) = if params.is_reverse { (mine, empty) } else { (empty, mine) };
        for line in totals(params, sender, receiver) {
            net.log(|| line);
        }
        let all = sum_of(mine);
        let out_of_order = lock(books).out_of_order();
        if out_of_order > 0 {
            let end = all.end;
            net.log(|| {
                format!("[{:>3}] {:6.2}-{end:<6.2} sec  {out_of_order} datagrams received out-of-order", id(0), 0.0)
            });
        }
        let judged = if params.is_reverse { sum_of(theirs) } else { all };
        net.report("bytes", all.bytes);
        net.report("bitrate", bits_per_second(all.bytes, Duration::from_secs_f64(all.end)));
        net.report("datagrams", judged.packets);
        net.report("lost", judged.lost);
        net.report("out_of_order", out_of_order);
        net.report("jitter", Value::Duration(Duration::from_secs_f64(judged.jitter)));
    }
}

/// `[  5] local 10.0.0.2 port 5201 connected to 10.0.0.1 port 49152`
pub(super) fn connected(net: &Net, index: usize, local: SocketAddr, peer: SocketAddr) -> String {
    let address =
        if local.ip().is_unspecified() { net.source_for(peer.ip()).unwrap_or_else(|_| local.ip()) } else { local.ip() };
    let (id, from, to) = (id(index), local.port(), peer.port());
    format!("[{id:>3}] local {address} port {from} connected to {} port {to}", peer.ip())
}

async fn read_cookie(stream: &mut TcpStream) -> io::Result<[u8; COOKIE_BYTES]> {
    let mut cookie = [0; COOKIE_BYTES];
    stream.read_exact(&mut cookie).await?;
    Ok(cookie)
}
