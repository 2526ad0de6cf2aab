//! `tcp-bulk`: sends as much as the way takes, like `iperf3`.
//!
//! Either so many bytes or for so long. Then it closes its side and waits until the receiver, which has read everything
//! by then, closes too: the time until then is the transfer time, so that bytes that are only in a buffer do not count
//! as transferred. What comes back is read and forgotten. It fails where connecting or the connection does.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, split};

use super::exchange::{bits_per_second, both, receive, send};
use super::fields::{self, Target};
use super::payload::Payload;
use super::tally::Tally;
use super::tcp_send::connect;
use super::{AppBuilder, Outcome};
use crate::net::{Net, Program, ProgramError};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::units::Size;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "tcp-bulk",
    doc: "A TCP client that sends much, as fast as it goes, and measures how fast that was.",
    example: "load = { on = \"client\", kind = \"tcp-bulk\", to = \"server:9\", bytes = \"1MB\" }",
    fields: &[
        fields::TO,
        fields::FAMILY,
        Field {
            name: "bytes",
            form: Form::Size,
            need: Need::Optional,
            doc: "How much to send. With `for` too, whichever is reached first ends the sending; one of them is needed.",
        },
        Field { name: "for", form: Form::Duration, need: Need::Optional, doc: "How long to send." },
        fields::LOCAL_PORT,
        fields::TIMEOUT,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("connected", "Whether the connection was established."),
    ("connect_time", "How long connecting took; absent if it failed."),
    ("bytes", "How many bytes were written; the receiver has them once the transfer is over."),
    ("goodput", "Bits per second over the transfer time; absent while the transfer is not over."),
    ("transfer_time", "From the connection's establishment to the receiver's close; absent before that."),
];

#[derive(Debug)]
struct Plan {
    to: Target,
    payload: Payload,
    duration: Option<Duration>,
    local_port: Option<u16>,
    timeout: Option<Duration>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let to = Target::read(table);
    let (bytes, duration): (Option<Size>, Option<Duration>) = (table.get("bytes"), table.get("for"));
    let (local_port, timeout) = (fields::port(table, "local_port"), table.get("timeout"));
    if !table.has("bytes") && !table.has("for") {
        let title = format!("`{}` does not say how much to send", table.path);
        table.report("bytes", title, "`bytes = …` or `for = …` is missing");
        return None;
    }
    let payload = Payload::Pattern(bytes.map_or(u64::MAX, Size::bytes));
    let plan = Arc::new(Plan { to: to?, payload, duration, local_port, timeout });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    net.report("connected", false);
    let bytes = Tally::new(&net, "bytes");
    fields::within(&net, plan.timeout, transfer(&net, &plan, &bytes)).await
}

async fn transfer(net: &Net, plan: &Plan, bytes: &Tally) -> Result<(), ProgramError> {
    let (mut reader, mut writer) = split(connect(net, &plan.to, plan.local_port).await?);
    let begun = net.now();
    let until = plan.duration.map(|duration| begun + duration);
    let writing = async {
        send(net, &mut writer, &plan.payload, until, bytes).await?;
        writer.shutdown().await
    };
    both(writing, receive(&mut reader, |_| ())).await?;
    net.report("transfer_time", net.now().since(begun));
    net.report("goodput", bits_per_second(bytes.get(), begun, net.now()));
    Ok(())
}
