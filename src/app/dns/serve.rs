//! A port 53: datagrams, and connections with any number of queries each (RFC 7766). Who answers them is the caller's
//! business.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, split};

use super::authority::Over;
use crate::net::{Net, Sleep, TcpListener, TcpStream, UdpSocket};

/// How many datagrams may be at work at once; further ones are dropped, and asked again.
pub(super) const UDP_PENDING_MAX: usize = 1000;

/// How many connections may be open at once; further ones are closed at once.
pub(super) const CONNECTIONS_MAX: usize = 150;

/// How many queries of one connection may be at work at once; further ones stay unread.
const PIPELINE_MAX: usize = 32;

/// How long a connection may say nothing. RFC 7766 §6.2.3: "it is RECOMMENDED that the default server application-level
/// idle period be on the order of seconds".
const IDLE_FOR: Duration = Duration::from_secs(10);

/// A query as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) bytes: Vec<u8>,
    pub(super) from: SocketAddr,
    pub(super) over: Over,
}

/// What is sent back: nothing, one message, or many (of a transfer).
pub(super) type Answers = Vec<Vec<u8>>;

/// An answer that takes its time.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answers> + Send>>;

/// Who answers.
pub(super) trait Answerer: Send + Sync + 'static {
    /// Answers a query; at once, or after a while.
    fn answer(&self, asked: Asked) -> Answering;

    /// A query was dropped because too many are at work.
    fn is_full(&self);
}

/// Serves datagrams and, if `takes_tcp`, connections, for ever.
pub(super) async fn serve(net: &Net, port: u16, takes_tcp: bool, answerer: Arc<impl Answerer>) -> io::Result<()> {
    let socket = Arc::new(UdpSocket::bind(net, port)?);
    if takes_tcp {
        let listener = TcpListener::bind(net, port, 128)?;
        net.spawn(accept(net.clone(), listener, Arc::clone(&answerer)));
    }
    let pending = Arc::new(AtomicUsize::new(0));
    loop {
        let datagram = socket.recv_datagram().await?;
        if pending.load(Ordering::Relaxed) >= UDP_PENDING_MAX {
            answerer.is_full();
            continue;
        }
        pending.fetch_add(1, Ordering::Relaxed);
        let answering = answerer.answer(Asked { bytes: datagram.payload, from: datagram.from, over: Over::Udp });
        let (socket, pending, net_there) = (Arc::clone(&socket), Arc::clone(&pending), net.clone());
        net.spawn(async move {
            for answer in answering.await {
                if let Err(error) = socket.send_to(&answer, datagram.from).await {
                    net_there.log(|| format!("{}: {error}", datagram.from));
                }
            }
            pending.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn accept(net: Net, listener: TcpListener, answerer: Arc<impl Answerer>) {
    let open = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, peer)) = listener.accept().await {
        if open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            answerer.is_full();
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        // An answer is a message of its own: it does not wait for the next one.
        stream.set_nodelay(true);
        let (answerer, open, net_there) = (Arc::clone(&answerer), Arc::clone(&open), net.clone());
        net.spawn(async move {
            // How a client ends its connection is its own business.
            let _ = converse(&net_there, stream, peer, &*answerer).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

type Reading = Pin<Box<dyn Future<Output = io::Result<(ReadHalf<TcpStream>, Vec<u8>)>> + Send>>;

/// What happens next on a connection.
enum Next {
    Answered(Answers),
    Asked(ReadHalf<TcpStream>, Vec<u8>),
    /// The client says no more.
    Ended,
    Idle,
}

/// Serves one connection: queries are at work at the same time, and answered as they are ready.
///
/// RFC 7766 §6.2.1.1 lets answers come in another order than questions; clients tell them apart by their ids.
async fn converse(net: &Net, stream: TcpStream, from: SocketAddr, answerer: &impl Answerer) -> io::Result<()> {
    let (reader, mut writer) = split(stream);
    let mut reading: Option<Reading> = Some(Box::pin(read_message(reader)));
    let mut pending: Vec<Answering> = Vec::new();
    let mut idle = net.sleep(IDLE_FOR);
    loop {
        match poll_fn(|context| next(context, &mut reading, &mut pending, &mut idle)).await {
            Next::Answered(answers) => {
                for answer in answers {
                    write_message(&mut writer, &answer).await?;
                }
                idle = net.sleep(IDLE_FOR);
            }
            Next::Asked(reader, bytes) => {
                pending.push(answerer.answer(Asked { bytes, from, over: Over::Tcp }));
                reading = Some(Box::pin(read_message(reader)));
            }
            // RFC 7766 §6.2.4: what was asked before the client closed its half is answered still.
            Next::Ended if !pending.is_empty() => {}
            Next::Ended | Next::Idle => return writer.shutdown().await,
        }
    }
}

fn next(
    context: &mut Context<'_>,
    reading: &mut Option<Reading>,
    pending: &mut Vec<Answering>,
    idle: &mut Sleep,
) -> Poll<Next> {
    for index in 0..pending.len() {
        if let Poll::Ready(answers) = pending[index].as_mut().poll(context) {
            drop(pending.remove(index));
            return Poll::Ready(Next::Answered(answers));
        }
    }
    if pending.len() < PIPELINE_MAX
        && let Some(future) = reading
        && let Poll::Ready(read) = future.as_mut().poll(context)
    {
        *reading = None;
        return Poll::Ready(read.map_or(Next::Ended, |(reader, bytes)| Next::Asked(reader, bytes)));
    }
    match (pending.is_empty(), &reading) {
        (true, None) => Poll::Ready(Next::Ended),
        (true, Some(_)) => Pin::new(idle).poll(context).map(|()| Next::Idle),
        (false, _) => Poll::Pending,
    }
}

async fn read_message(mut reader: ReadHalf<TcpStream>) -> io::Result<(ReadHalf<TcpStream>, Vec<u8>)> {
    // RFC 1035 §4.2.2: "The message is prefixed with a two byte length field which gives the message length, excluding
    // the two byte length field."
    let mut length = [0; 2];
    reader.read_exact(&mut length).await?;
    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
    reader.read_exact(&mut bytes).await?;
    Ok((reader, bytes))
}

async fn write_message(writer: &mut (impl AsyncWriteExt + Unpin), message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    // RFC 7766 §8: length and message are passed "to TCP at the same time (e.g., in a single "write" system call)".
    writer.write_all(&[&length.to_be_bytes(), message].concat()).await
}
