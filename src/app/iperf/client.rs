//! `iperf`: measures how much goes through to an `iperf-server`, or from it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::meter::{Books, Shared, bits_per_second, lock, sum_of, totals};
use super::server::{connected, interval};
use super::streams::{Data, all, tell_interval, tell_intervals};
use super::wire::{
    COOKIE_BYTES, Params, State, StreamResult, UDP_HEADER_BYTES, UDP_HELLO, UDP_WELCOME, hear, hear_json, nonsense,
    results_from_json, results_to_json, say, say_json,
};
use super::{PORT, STREAMS_MAX};
use crate::app::fields::{self, Family};
use crate::app::unix::strerror;
use crate::app::{AppBuilder, Outcome};
use crate::net::{Congestion, First, Net, Program, ProgramError, TcpSocket, TcpStream, UdpSocket, race};
use crate::read::{Endpoint, Field, Form, Kind, Located, Need, Table};
use crate::record::Value;
use crate::units::{Rate, Size};

/// iperf3's block of TCP.
const TCP_BLOCK: u64 = 128 * 1024;

/// What a datagram carries so that it fits a usual path, as iperf3 chooses it.
const UDP_BLOCK: u64 = 1460;

/// What a UDP stream sends if nobody says how much.
const UDP_RATE: u64 = 1_000_000;

/// How often, and after how long, the first datagram of a UDP stream is sent again.
const HELLOS: u32 = 10;
const HELLO_INTERVAL: Duration = Duration::from_secs(1);

const CONGESTIONS: &[&str] = &["cubic", "none", "reno"];

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "iperf",
    doc: "Measures how much goes through, over TCP or UDP, with the protocol and the tables of `iperf3 -c`.",
    example: "load = { on = \"client\", kind = \"iperf\", to = \"server\" }",
    fields: &[
        Field {
            name: "to",
            form: Form::Endpoint,
            need: Need::Required,
            doc: "The server; port 5201 unless another is said.",
        },
        fields::FAMILY,
        Field {
            name: "udp",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it measures with UDP, `-u`.",
        },
        Field {
            name: "for",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long to send, `-t`: 10 s where `bytes` is absent too. The server is told whole seconds, rounded up.",
        },
        Field {
            name: "bytes",
            form: Form::Size,
            need: Need::Optional,
            doc: "How much to send over all streams, `-n`, rather than for how long.",
        },
        Field {
            name: "rate",
            form: Form::Rate,
            need: Need::Optional,
            doc: "How much each stream may send in a second, `-b`: over UDP 1 Mbit where this is absent, over TCP as much as goes.",
        },
        Field {
            name: "streams",
            form: Form::Integer { min: 1, max: STREAMS_MAX as i64 },
            need: Need::Default("1"),
            doc: "How many streams beside each other, `-P`.",
        },
        Field {
            name: "reverse",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether the server sends, `-R`.",
        },
        Field {
            name: "size",
            form: Form::Size,
            need: Need::Optional,
            doc: "How much is written at once, `-l`; over UDP the length of a datagram. 128 KiB, or 1460 bytes over UDP.",
        },
        Field {
            name: "congestion",
            form: Form::OneOf(CONGESTIONS),
            need: Need::Optional,
            doc: "How this side's TCP avoids congestion, `-C`; as its machine does it where this is absent.",
        },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How often it prints a line, `-i`.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("connected", "Whether a test was begun."),
    ("sent", "How many bytes were sent, by whichever side sends; absent before the end."),
    ("received", "How many bytes were received, by whichever side does; absent before the end."),
    ("bitrate", "Bits per second, by the receiver's account; absent before the end."),
    ("retransmits", "How many segments were sent again; 0 over UDP; absent before the end."),
    ("datagrams", "How many datagrams the receiver knows of, lost ones included; 0 over TCP; absent before the end."),
    ("lost", "How many of them were lost; absent before the end."),
    ("loss", "The same as a share, from 0 to 1; absent before the end."),
    ("jitter", "RFC 3550's interarrival jitter, the mean over the streams; absent before the end."),
    ("bitrates", "List: bits per second in each interval on this side."),
    (
        "flights",
        "List: the bytes on their way at the end of each interval, if this side sends over TCP; empty otherwise.",
    ),
];

#[derive(Debug)]
struct Plan {
    host: String,
    port: u16,
    family: Family,
    params: Params,
    congestion: Option<Congestion>,
    interval: Duration,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let to: Option<Located<Endpoint>> = table.need("to");
    let (family, is_udp, is_reverse) =
        (Family::read(table), table.get_or("udp", false), table.get_or("reverse", false));
    let (time, bytes): (Option<Duration>, Option<Size>) = (table.get("for"), table.get("bytes"));
    if table.has("for") && table.has("bytes") {
        table.report("bytes", "both `for` and `bytes` are given", "leave one of them out");
    }
    if is_udp && is_reverse && table.has("bytes") {
        table.report("bytes", "who receives datagrams cannot know when all have come", "`for = …` belongs here");
    }
    if time.is_some_and(|time| time.is_zero()) {
        table.report("for", "in no time nothing can be measured", "such as \"10s\"");
    }
    let rate: Option<Rate> = table.get("rate");
    let streams = fields::integer(table, "streams", 1, STREAMS_MAX).unwrap_or(1);
    let size: Option<Size> = table.get("size");
    let (least, most) = if is_udp { (UDP_HEADER_BYTES as u64, 65_507) } else { (1, 1024 * 1024) };
    let block = size.map_or(if is_udp { UDP_BLOCK } else { TCP_BLOCK }, Size::bytes);
    if !(least..=most).contains(&block) {
        table.report("size", "no block is that long or that short", format!("from {least}B to {most}B"));
        return None;
    }
    let congestion = table.has("congestion").then(|| table.one_of("congestion", CONGESTIONS)).flatten();
    let congestion = congestion.map(|name| match name {
        "cubic" => Congestion::Cubic,
        "reno" => Congestion::Reno,
        _ => Congestion::None,
    });
    let interval = interval(table);
    let bytes = bytes.map(Size::bytes);
    let params = Params {
        is_udp,
        time: if bytes.is_some() { None } else { Some(time.unwrap_or(Duration::from_secs(10))) },
        bytes,
        streams,
        is_reverse,
        block: usize::try_from(block).expect("at most a mebibyte"),
        rate: rate.map(Rate::bits_per_second).or_else(|| is_udp.then_some(UDP_RATE)).filter(|rate| *rate > 0),
    };
    let Endpoint { host, port } = to?.value;
    let plan = Arc::new(Plan { host, port: port.unwrap_or(PORT), family, params, congestion, interval });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    net.report("connected", false);
    net.report("bitrates", Value::List(Vec::new()));
    net.report("flights", Value::List(Vec::new()));
    let address = plan.family.lookup(&net, &plan.host).await?;
    let peer = SocketAddr::new(address, plan.port);
    net.log(|| format!("Connecting to host {}, port {}", plan.host, plan.port));
    let control = TcpStream::connect(&net, peer).await;
    let control = control.map_err(|error| format!("unable to connect to server: {}", strerror(&error)))?;
    let client = Client { net: &net, plan: &plan, peer };
    client.test(control).await.map_err(|error| ProgramError::new(strerror(&error)))
}

struct Client<'a> {
    net: &'a Net,
    plan: &'a Plan,
    peer: SocketAddr,
}

impl Client<'_> {
    /// Does what the server says, state by state.
    async fn test(&self, mut control: TcpStream) -> io::Result<()> {
        let (net, params) = (self.net, self.plan.params);
        let cookie = self.cookie();
        control.write_all(&cookie).await?;
        let (mut data, mut theirs) = (None, None);
        let mut books = Books::new(params, !params.is_reverse, net.now());
        loop {
            match hear(&mut control).await? {
                State::ParamExchange => say_json(&mut control, &params.to_json()).await?,
                State::CreateStreams => {
                    if params.is_reverse {
                        net.log(|| format!("Reverse mode, remote host {} is sending", self.plan.host));
                    }
                    data = Some(self.streams(&cookie).await?);
                }
                State::TestStart => {
                    net.report("connected", true);
                    net.log(|| lock(&books).interval_head().to_owned());
                }
                State::TestRunning => {
                    let data = data.as_mut().ok_or_else(|| nonsense("that a test runs which has no streams"))?;
                    books = Books::new(params, !params.is_reverse, net.now());
                    self.run(&mut control, data, &books).await?;
                    tell_interval(net, &books);
                    lock(&books).end(net.now());
                    say(&mut control, State::TestEnd).await?;
                }
                State::ExchangeResults => {
                    let mine = lock(&books).results();
                    say_json(&mut control, &results_to_json(&mine, !params.is_reverse && !params.is_udp)).await?;
                    let said = hear_json(&mut control).await?;
                    theirs = Some((results_from_json(&said, mine.len()), mine));
                }
                State::DisplayResults => {
                    let (theirs, mine) = theirs.ok_or_else(|| nonsense("nothing of results"))?;
                    self.conclude(&mine, &theirs);
                    say(&mut control, State::IperfDone).await?;
                    net.log(|| "iperf Done.".to_owned());
                    return Ok(());
                }
                State::AccessDenied => {
                    return Err(io::Error::other("the server is busy running a test. try again later"));
                }
                State::ServerTerminate => return Err(io::Error::other("the server has terminated")),
                State::ServerError => return Err(io::Error::other("the server cannot do that")),
                State::TestEnd | State::ClientTerminate | State::IperfDone => {
                    return Err(nonsense("what only a client says"));
                }
            }
        }
    }

    /// 36 letters by which the server knows this test's streams.
    fn cookie(&self) -> [u8; COOKIE_BYTES] {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut cookie = [0; COOKIE_BYTES];
        for letter in &mut cookie[..COOKIE_BYTES - 1] {
            *letter = LETTERS[usize::try_from(self.net.random_below(32)).unwrap_or(0)];
        }
        cookie
    }

    async fn streams(&self, cookie: &[u8]) -> io::Result<Data> {
        let params = self.plan.params;
        if params.is_udp {
            let mut sockets = Vec::new();
            for index in 0..usize::try_from(params.streams).unwrap_or(1) {
                let socket = UdpSocket::bind(self.net, 0)?;
                self.introduce(&socket).await?;
                self.net.log(|| connected(self.net, index, socket.local_addr(), self.peer));
                sockets.push(socket);
            }
            return Ok(Data::UdpEach(sockets, self.peer));
        }
        let mut streams = Vec::new();
        for index in 0..usize::try_from(params.streams).unwrap_or(1) {
            let mut socket = TcpSocket::new(self.net);
            if let Some(congestion) = self.plan.congestion {
                socket.set_congestion(congestion);
            }
            let mut stream = socket.connect(self.peer).await?;
            stream.write_all(cookie).await?;
            self.net.log(|| connected(self.net, index, stream.local_addr(), stream.peer_addr()));
            streams.push(stream);
        }
        Ok(Data::Tcp(streams))
    }

    /// Opens a UDP stream: says hello until there is an answer, since either may be lost.
    async fn introduce(&self, socket: &UdpSocket) -> io::Result<()> {
        let mut buffer = [0; 64];
        for _ in 0..HELLOS {
            socket.send_to(UDP_HELLO, self.peer).await?;
            let until = self.net.now() + HELLO_INTERVAL;
            while let Ok(answer) = self.net.timeout(until.since(self.net.now()), socket.recv_from(&mut buffer)).await {
                let (count, from) = answer?;
                if from == self.peer && &buffer[..count] == UDP_WELCOME {
                    return Ok(());
                }
            }
        }
        Err(io::Error::other("unable to read from stream socket: no answer"))
    }

    /// Sends or receives for as long, or as much, as the test says.
    async fn run(&self, control: &mut TcpStream, data: &mut Data, books: &Shared) -> io::Result<()> {
        let (net, params) = (self.net, self.plan.params);
        let until = params.time.map(|time| net.now() + time);
        let works = if params.is_reverse {
            data.receive(net, params.bytes, books)
        } else {
            data.send(net, params, books, until)
        };
        let work = async {
            match until.filter(|_| params.is_reverse) {
                None => all(works).await,
                // What comes is taken until the time is up; connections that end earlier are no reason to stop.
                Some(until) => match net.timeout(until.since(net.now()), all(works)).await {
                    Ok(Err(error)) => Err(error),
                    _ => {
                        net.sleep_until(until).await;
                        Ok(())
                    }
                },
            }
        };
        let beside = race(tell_intervals(net, books, self.plan.interval), hear(control));
        match race(work, beside).await {
            First::One(ended) => ended,
            First::Other(First::One(())) => Ok(()),
            First::Other(First::Other(Ok(State::ServerTerminate))) => {
                Err(io::Error::other("the server has terminated"))
            }
            First::Other(First::Other(Ok(_))) => Err(nonsense("something while the test ran")),
            First::Other(First::Other(Err(error))) => Err(error),
        }
    }

    fn conclude(&self, mine: &[StreamResult], theirs: &[StreamResult]) {
        let (net, params) = (self.net, self.plan.params);
        let (sender, receiver) = if params.is_reverse { (theirs, mine) } else { (mine, theirs) };
        for line in totals(params, sender, receiver) {
            net.log(|| line);
        }
        let (sent, received) = (sum_of(sender), sum_of(receiver));
        net.report("sent", sent.bytes);
        net.report("received", received.bytes);
        net.report("bitrate", bits_per_second(received.bytes, Duration::from_secs_f64(received.end)));
        net.report("retransmits", sent.retransmits);
        net.report("datagrams", received.packets);
        net.report("lost", received.lost);
        net.report("loss", if received.packets == 0 { 0.0 } else { received.lost as f64 / received.packets as f64 });
        net.report("jitter", Duration::from_secs_f64(received.jitter));
    }
}
