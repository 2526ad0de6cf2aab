//! DHCP (RFC 2131): client, server and relay agent.
//!
//! Each is a state machine that touches nothing, in a file of its own, and a program that moves its messages, in
//! another: so that whatever a hostile network sends can be tried on the former alone.
//!
//! | file | what it holds |
//! |---|---|
//! | `client`, `client_program` | how a machine comes to its address |
//! | `lease` | what it has been given |
//! | `pool` | the addresses that a server gives away, and whose they are |
//! | `server`, `server_program` | who gets what, and who is told no |
//! | `settings` | what a scenario says of a server |
//! | `relay`, `relay_program` | how requests leave their link |

mod client;
pub(crate) mod client_program;
mod lease;
mod pool;
mod relay;
pub(crate) mod relay_program;
mod server;
pub(crate) mod server_program;
mod settings;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::Poll;

use crate::net::{Datagram, IcmpKind, Net, RawSocket, UdpSocket};
use crate::time::Time;

/// What a program was waiting for.
#[derive(Debug)]
enum Happened {
    /// Something about the machine's interfaces has changed.
    Changed,
    Datagram(Datagram),
    /// Somebody has answered a ping.
    Ping(Ipv4Addr),
    Time,
}

/// Waits for the first of three: a datagram, a change of the interfaces, a time. At one instant, in this order.
async fn wait(net: &Net, socket: &UdpSocket, until: Option<Time>) -> io::Result<Happened> {
    let change = async {
        net.interfaces_changed().await;
        Ok(Happened::Changed)
    };
    first_of(net, socket, change, until).await
}

/// Waits for the first of three: a datagram, the answer to a ping of this socket, a time. At one instant, in this order.
async fn wait_or_ping(net: &Net, socket: &UdpSocket, pings: &RawSocket, until: Option<Time>) -> io::Result<Happened> {
    let answer = async {
        loop {
            let message = pings.recv().await?;
            if let (IcmpKind::EchoReply { ident, .. }, IpAddr::V4(source)) = (&message.kind, message.source)
                && *ident == pings.ident()
            {
                return Ok(Happened::Ping(source));
            }
        }
    };
    first_of(net, socket, answer, until).await
}

async fn first_of(
    net: &Net,
    socket: &UdpSocket,
    other: impl Future<Output = io::Result<Happened>>,
    until: Option<Time>,
) -> io::Result<Happened> {
    let mut datagram = pin!(socket.recv_datagram());
    let mut other = pin!(other);
    let mut time = pin!(net.sleep_until(until.unwrap_or(Time::MAX)));
    std::future::poll_fn(|context| {
        if let Poll::Ready(datagram) = datagram.as_mut().poll(context) {
            return Poll::Ready(datagram.map(Happened::Datagram));
        }
        if let Poll::Ready(other) = other.as_mut().poll(context) {
            return Poll::Ready(other);
        }
        if until.is_some() && time.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(Happened::Time));
        }
        Poll::Pending
    })
    .await
}
