//! `tcp-send`: connects, sends, and reads what comes back, like `nc`.
//!
//! ```text
//!            connect    send       hold          FIN            the peer's FIN
//!  graceful  ├─────────┼──────────┼──────────────┼──────────────┤ closed
//!  half      ├─────────┼──────────┼ FIN ── hold ─┼──────────────┤ closed
//!  abort     ├─────────┼──────────┼──────────────┤ RST
//! ```
//!
//! What comes back is read all the while. With `reply = false` nothing is read and nothing waited for: the connection
//! closes as soon as this side has said everything. It fails as `nc` would: unknown host, refused, unreachable, reset,
//! timed out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, split};

use super::exchange::{both, either, receive, send};
use super::fields::{self, Target};
use super::payload::{self, Excerpt, Payload};
use super::tally::Tally;
use super::{AppBuilder, Outcome};
use crate::net::{Local, Net, Program, ProgramError, TcpStream};
use crate::read::{Field, Form, Kind, Need, Table};

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "tcp-send",
    doc: "A TCP client that sends something, reads what comes back, and closes.",
    example: "talk = { on = \"client\", kind = \"tcp-send\", to = \"server:7\", text = \"hello\" }",
    fields: &[
        fields::TO,
        fields::FAMILY,
        payload::TEXT,
        payload::BYTES,
        fields::LOCAL_PORT,
        Field {
            name: "reply",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it reads what comes back until the other side closes; if not, nothing is read.",
        },
        Field {
            name: "hold",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "How long it stays connected after the last byte was written.",
        },
        Field {
            name: "close",
            form: Form::OneOf(CLOSES),
            need: Need::Default("graceful"),
            doc: "How it ends: a FIN after `hold`, a FIN before `hold` (half-closed meanwhile), or a RST after `hold`.",
        },
        fields::TIMEOUT,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("connected", "Whether the connection was established."),
    ("connect_time", "How long connecting took; absent if it failed."),
    ("sent", "How many bytes were written; the peer need not have them yet."),
    ("received", "How many bytes came back."),
    ("reply", "The first 200 characters of what came back."),
    ("echoed", "Whether what came back is exactly what was sent."),
];

const CLOSES: &[&str] = &["graceful", "half", "abort"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    Abort,
    Graceful,
    Half,
}

#[derive(Debug)]
struct Plan {
    to: Target,
    payload: Payload,
    local_port: Option<u16>,
    reads_reply: bool,
    hold: Duration,
    close: Close,
    timeout: Option<Duration>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let (to, payload) = (Target::read(table), Payload::read(table));
    let close = match table.one_of("close", CLOSES) {
        Some("abort") => Close::Abort,
        Some("half") => Close::Half,
        _ => Close::Graceful,
    };
    let local_port = fields::port(table, "local_port");
    let (reads_reply, hold) = (table.get_or("reply", true), table.get_or("hold", Duration::ZERO));
    let timeout = table.get("timeout");
    let plan = Arc::new(Plan { to: to?, payload: payload?, local_port, reads_reply, hold, close, timeout });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    net.report("connected", false);
    let (sent, received) = (Tally::new(&net, "sent"), Tally::new(&net, "received"));
    net.report("reply", "");
    net.report("echoed", false);
    fields::within(&net, plan.timeout, talk(&net, &plan, &sent, &received)).await
}

async fn talk(net: &Net, plan: &Plan, sent: &Tally, received: &Tally) -> Result<(), ProgramError> {
    let stream = connect(net, &plan.to, plan.local_port).await?;
    let (mut reader, mut writer) = split(stream);
    let writing = async {
        send(net, &mut writer, &plan.payload, None, sent).await?;
        if plan.close == Close::Half {
            writer.shutdown().await?;
        }
        if !plan.hold.is_zero() {
            net.sleep(plan.hold).await;
        }
        if plan.close == Close::Graceful {
            writer.shutdown().await?;
        }
        Ok::<_, ProgramError>(())
    };
    if !plan.reads_reply {
        writing.await?;
    } else {
        let (mut excerpt, mut is_echo) = (Excerpt::default(), true);
        let reading = async {
            receive(&mut reader, |piece| {
                is_echo &= plan.payload.matches(received.get(), piece);
                let total = received.add(piece.len() as u64);
                if excerpt.push(piece) {
                    net.report("reply", excerpt.text());
                }
                net.report("echoed", is_echo && total == plan.payload.len());
            })
            .await?;
            Ok::<_, ProgramError>(())
        };
        if plan.close == Close::Abort {
            // Reading goes on beside, but its end is not waited for.
            either(writing, async { both(reading, std::future::pending()).await }).await?;
        } else {
            both(writing, reading).await?;
        }
    }
    if plan.close == Close::Abort {
        reader.unsplit(writer).abort();
    }
    Ok(())
}

/// Connects, and reports that it did and how long it took.
pub(super) async fn connect(net: &Net, to: &Target, local_port: Option<u16>) -> Result<TcpStream, ProgramError> {
    let peers = to.resolve_both(net).await?;
    let begun = net.now();
    let local = local_port.map_or(Local::ANY, Local::from);
    let stream = TcpStream::connect_first(net, local, &peers).await?;
    net.report("connected", true);
    net.report("connect_time", net.now().since(begun));
    Ok(stream)
}
