//! `udp-echo`: sends each datagram back, RFC 862's service.
//!
//! It runs until it is stopped, and fails only if its port is taken.

use super::tally::Tally;
use super::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Kind, Table};

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "udp-echo",
    doc: "A UDP server that sends each datagram back to where it came from.",
    example: "echo = { on = \"server\", kind = \"udp-echo\", port = 7 }",
    fields: &[fields::PORT],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("received", "How many datagrams came."),
    ("bytes", "How many bytes they carried."),
    ("sent", "How many were sent back."),
    ("failures", "How many could not be sent back."),
];

fn build(table: &Table<'_>) -> Option<Program> {
    let port = fields::port_needed(table)?;
    Some(Program::new(move |net| serve(net, port)))
}

async fn serve(net: Net, port: u16) -> Result<(), ProgramError> {
    let [received, bytes, sent, failures] = ["received", "bytes", "sent", "failures"].map(|key| Tally::new(&net, key));
    let socket = UdpSocket::bind(&net, port)?;
    loop {
        let datagram = socket.recv_datagram().await?;
        received.add(1);
        bytes.add(datagram.payload.len() as u64);
        match socket.send_to(&datagram.payload, datagram.from).await {
            Ok(_) => {
                sent.add(1);
            }
            Err(error) => {
                failures.add(1);
                net.log(|| format!("{}: {error}", datagram.from));
            }
        }
    }
}
