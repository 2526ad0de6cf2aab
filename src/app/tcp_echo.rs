//! `tcp-echo`: sends back what it receives, RFC 862's service.
//!
//! Serves any number of connections at once, unless it is told to be slow, so that a backlog can fill. Each ends when its client has sent all it wanted: what is left goes back,
//! then this side closes too. It runs until it is stopped, and fails only if it cannot listen.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::exchange::CHUNK;
use super::tally::{ServerTallies, Tally};
use super::{AppBuilder, Outcome, fields};
use crate::net::{Local, Net, Program, ProgramError, TcpListener, TcpStream};
use crate::read::{Field, Form, Kind, Need, Table};

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "tcp-echo",
    doc: "A TCP server that sends back whatever it receives, to many clients at once.",
    example: "echo = { on = \"server\", kind = \"tcp-echo\", port = 7 }",
    fields: &[
        fields::PORT,
        Field {
            name: "address",
            form: Form::Address,
            need: Need::Optional,
            doc: "Which of its machine's addresses it serves; with `127.0.0.1` only programs of the same machine reach it. All of them if left out.",
        },
        fields::BACKLOG,
        Field {
            name: "accept_delay",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "How long it takes its time before it accepts each connection: meanwhile the backlog fills.",
        },
        Field {
            name: "serve_one_at_a_time",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it accepts nobody else until a client is through.",
        },
        Field {
            name: "nodelay",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether small answers leave at once, without Nagle's algorithm.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("connections", "How many connections were accepted."),
    ("active", "How many of them are open now."),
    ("bytes", "How many bytes were sent back, over all connections."),
    ("failures", "How many connections ended otherwise than by the end of the stream: reset, timed out."),
];

#[derive(Debug, Clone, Copy)]
struct Plan {
    address: Option<IpAddr>,
    port: u16,
    backlog: usize,
    nodelay: bool,
    accept_delay: Duration,
    one_at_a_time: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let (port, backlog) = (fields::port_needed(table), fields::backlog(table));
    let nodelay = table.get_or("nodelay", false);
    let accept_delay = table.get_or("accept_delay", Duration::ZERO);
    let one_at_a_time = table.get_or("serve_one_at_a_time", false);
    let address = table.get("address");
    let plan = Plan { address, port: port?, backlog, nodelay, accept_delay, one_at_a_time };
    Some(Program::new(move |net| serve(net, plan)))
}

async fn serve(net: Net, plan: Plan) -> Result<(), ProgramError> {
    let tallies = ServerTallies::new(&net);
    let local = plan.address.map_or_else(|| Local::from(plan.port), |address| Local::from((address, plan.port)));
    let listener = TcpListener::bind(&net, local, plan.backlog)?;
    loop {
        if !plan.accept_delay.is_zero() {
            net.sleep(plan.accept_delay).await;
        }
        let (stream, peer) = listener.accept().await?;
        tallies.connections.add(1);
        stream.set_nodelay(plan.nodelay);
        let (net_there, tallies) = (net.clone(), tallies.clone());
        let service = async move { tallies.count(&net_there, peer, echo(stream, &tallies.bytes)).await };
        if plan.one_at_a_time {
            service.await;
        } else {
            net.spawn(service);
        }
    }
}

/// Sends back what comes until the peer has said everything.
async fn echo(mut stream: TcpStream, bytes: &Tally) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..count]).await?;
        bytes.add(count as u64);
    }
}
