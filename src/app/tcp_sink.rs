//! `tcp-sink`: receives and forgets, RFC 863's service; slowly, if asked to.
//!
//! With `pause` or `read_rate` the program is slower than the sender, so that the receive buffer fills and the window
//! that the sender sees closes. It runs until it is stopped, and fails only if it cannot listen.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::exchange::{CHUNK, bits_per_second};
use super::tally::{ServerTallies, Tally};
use super::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError, TcpListener, TcpStream};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;
use crate::units::Rate;

/// How much is read at once where the rate is limited: small, so that the reading looks steady.
const LIMITED_CHUNK: usize = 1024;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "tcp-sink",
    doc: "A TCP server that reads everything and answers nothing, as slowly as it is told to.",
    example: "sink = { on = \"server\", kind = \"tcp-sink\", port = 9, pause = \"5s\" }",
    fields: &[
        fields::PORT,
        fields::BACKLOG,
        Field {
            name: "pause",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "How long nothing is read after a connection is accepted: its receive buffer fills and the window closes.",
        },
        Field {
            name: "read_rate",
            form: Form::Rate,
            need: Need::Optional,
            doc: "How fast each connection is read; as fast as data comes where this is absent.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("connections", "How many connections were accepted."),
    ("active", "How many of them are open now."),
    ("bytes", "How many bytes were read, over all connections."),
    ("goodput", "Bits per second from the first connection's beginning to the last byte that was read."),
    ("failures", "How many connections ended otherwise than by the end of the stream: reset, timed out."),
];

#[derive(Debug, Clone, Copy)]
struct Pace {
    pause: Duration,
    read_rate: Option<Rate>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let (port, backlog) = (fields::port_needed(table), fields::backlog(table));
    let pace = Pace { pause: table.get_or("pause", Duration::ZERO), read_rate: table.get("read_rate") };
    let port = port?;
    Some(Program::new(move |net| serve(net, port, backlog, pace)))
}

async fn serve(net: Net, port: u16, backlog: usize, pace: Pace) -> Result<(), ProgramError> {
    let tallies = ServerTallies::new(&net);
    net.report("goodput", 0_u64);
    let listener = TcpListener::bind(&net, port, backlog)?;
    let mut first_at = None;
    loop {
        let (stream, peer) = listener.accept().await?;
        tallies.connections.add(1);
        let begun = *first_at.get_or_insert_with(|| net.now());
        let (net_there, tallies) = (net.clone(), tallies.clone());
        net.spawn(async move {
            let service = sink(&net_there, stream, pace, &tallies.bytes, begun);
            tallies.count(&net_there, peer, service).await;
        });
    }
}

/// Reads until the peer has said everything; `begun` is when the first connection of all was accepted.
async fn sink(net: &Net, mut stream: TcpStream, pace: Pace, bytes: &Tally, begun: Time) -> io::Result<()> {
    if !pace.pause.is_zero() {
        net.sleep(pace.pause).await;
    }
    let mut buffer = vec![0; if pace.read_rate.is_some() { LIMITED_CHUNK } else { CHUNK }];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.shutdown().await;
        }
        let total = bytes.add(count as u64);
        net.report("goodput", bits_per_second(total, begun, net.now()));
        if let Some(rate) = pace.read_rate {
            net.sleep(rate.time_for(count)).await;
        }
    }
}
