//! The data of a test: senders that send as fast as they may, receivers that count.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::meter::{Shared, lock};
use super::wire::{Params, read_udp_header, write_udp_header};
use crate::app::payload::fill_with_pattern;
use crate::net::{Net, TcpStream, UdpSocket};
use crate::time::Time;

/// A part of a test's work.
pub(super) type Work<'a> = Pin<Box<dyn Future<Output = io::Result<Done>> + Send + 'a>>;

/// How a part of the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// All that was wanted has been received: the others need not go on.
    Enough,
    /// This part is done.
    Part,
}

/// How much is read at once.
const READ_BYTES: usize = 128 * 1024;

/// The data connections of a test.
#[derive(Debug)]
pub(super) enum Data {
    Tcp(Vec<TcpStream>),
    /// One socket and its peers, in the order of streams.
    Udp(UdpSocket, Vec<SocketAddr>),
    /// A socket for each stream, as a client has them.
    UdpEach(Vec<UdpSocket>, SocketAddr),
}

impl Data {
    /// Sends until `until`, or its share of the bytes is sent.
    pub(super) fn send<'a>(
        &'a mut self,
        net: &'a Net,
        params: Params,
        books: &'a Shared,
        until: Option<Time>,
    ) -> Vec<Work<'a>> {
        // Each stream has its share; the first ones one byte more.
        let share = move |index: usize| {
            params
                .bytes
                .map_or(u64::MAX, |bytes| bytes / params.streams + u64::from((index as u64) < bytes % params.streams))
        };
        let plan = move |index| Plan { net, params, books, until, index, quota: share(index), begun: net.now() };
        match self {
            Self::Tcp(streams) => streams
                .iter_mut()
                .enumerate()
                .map(|(index, stream)| Box::pin(send_tcp(stream, plan(index))) as _)
                .collect(),
            Self::Udp(socket, peers) => {
                let socket = &*socket;
                peers
                    .iter()
                    .enumerate()
                    .map(|(index, peer)| Box::pin(send_udp(socket, *peer, plan(index))) as _)
                    .collect()
            }
            Self::UdpEach(sockets, peer) => {
                let peer = *peer;
                sockets
                    .iter()
                    .enumerate()
                    .map(|(index, socket)| Box::pin(send_udp(socket, peer, plan(index))) as _)
                    .collect()
            }
        }
    }

    /// Receives for ever, or until so many bytes have come, or every connection has ended.
    pub(super) fn receive<'a>(&'a mut self, net: &'a Net, wanted: Option<u64>, books: &'a Shared) -> Vec<Work<'a>> {
        match self {
            Self::Tcp(streams) => streams
                .iter_mut()
                .enumerate()
                .map(|(index, stream)| Box::pin(receive_tcp(stream, index, wanted, books)) as _)
                .collect(),
            Self::Udp(socket, peers) => {
                let indices = peers.iter().enumerate().map(|(index, peer)| (*peer, index)).collect();
                vec![Box::pin(receive_udp(net, socket, indices, books))]
            }
            Self::UdpEach(sockets, peer) => sockets
                .iter()
                .enumerate()
                .map(|(index, socket)| {
                    let indices = BTreeMap::from([(*peer, index)]);
                    Box::pin(receive_udp(net, socket, indices, books)) as _
                })
                .collect(),
        }
    }
}

/// What one sender has to do.
struct Plan<'a> {
    net: &'a Net,
    params: Params,
    books: &'a Shared,
    until: Option<Time>,
    index: usize,
    quota: u64,
    begun: Time,
}

impl Plan<'_> {
    fn is_over(&self, sent: u64) -> bool {
        sent >= self.quota || self.until.is_some_and(|until| self.net.now() >= until)
    }

    /// Waits until so many bytes may have been sent.
    async fn pace(&self, sent: u64) {
        let Some(rate) = self.params.rate else { return };
        let nanoseconds = u128::from(sent) * 8_000_000_000 / u128::from(rate.max(1));
        let due = self.begun + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.net.sleep_until(self.until.map_or(due, |until| due.min(until))).await;
    }
}

async fn send_tcp(stream: &mut TcpStream, plan: Plan<'_>) -> io::Result<Done> {
    let mut block = vec![0; plan.params.block];
    let mut sent = 0;
    while !plan.is_over(sent) {
        plan.pace(sent).await;
        if plan.is_over(sent) {
            break;
        }
        let length = block.len().min(usize::try_from(plan.quota - sent).unwrap_or(usize::MAX));
        fill_with_pattern(sent, &mut block[..length]);
        let mut rest = &block[..length];
        while !rest.is_empty() {
            let writing = stream.write(rest);
            let written = match plan.until {
                None => writing.await?,
                Some(until) => match plan.net.timeout(until.since(plan.net.now()), writing).await {
                    Ok(written) => written?,
                    Err(_) => break,
                },
            };
            sent += written as u64;
            rest = &rest[written..];
            note_sent(stream, plan.books, plan.index, written);
        }
    }
    Ok(Done::Part)
}

fn note_sent(stream: &TcpStream, books: &Shared, index: usize, written: usize) {
    let (retransmits, flight) = (stream.retransmissions(), stream.in_flight() as u64);
    if let Some(stream) = lock(books).streams.get_mut(index) {
        stream.bytes += written as u64;
        (stream.retransmits, stream.flight) = (retransmits, flight);
    }
}

async fn send_udp(socket: &UdpSocket, peer: SocketAddr, plan: Plan<'_>) -> io::Result<Done> {
    let mut datagram = vec![0; plan.params.block];
    fill_with_pattern(0, &mut datagram);
    let (mut sent, mut number) = (0, 0_u32);
    while !plan.is_over(sent) {
        plan.pace(sent).await;
        if plan.is_over(sent) {
            break;
        }
        number = number.wrapping_add(1);
        write_udp_header(&mut datagram, number, plan.net.now());
        // What the way, or its beginning, does to a datagram is what is measured.
        let _ = socket.send_to(&datagram, peer).await;
        sent += datagram.len() as u64;
        if let Some(stream) = lock(plan.books).streams.get_mut(plan.index) {
            stream.bytes += datagram.len() as u64;
            stream.datagrams += 1;
        }
    }
    Ok(Done::Part)
}

async fn receive_tcp(stream: &mut TcpStream, index: usize, wanted: Option<u64>, books: &Shared) -> io::Result<Done> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(Done::Part);
        }
        let mut books = lock(books);
        if let Some(stream) = books.streams.get_mut(index) {
            stream.bytes += count as u64;
        }
        if wanted.is_some_and(|wanted| books.bytes() >= wanted) {
            return Ok(Done::Enough);
        }
    }
}

async fn receive_udp(
    net: &Net,
    socket: &UdpSocket,
    indices: BTreeMap<SocketAddr, usize>,
    books: &Shared,
) -> io::Result<Done> {
    let mut buffer = vec![0; 65_535];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).await?;
        let (Some(index), Some((number, sent_at))) = (indices.get(&from), read_udp_header(&buffer[..count])) else {
            continue;
        };
        if let Some(stream) = lock(books).streams.get_mut(*index) {
            stream.arrived(number, sent_at, count, net.now());
        }
    }
}

/// Waits for all of them, but no longer than for the first that fails or says that it is enough.
pub(super) async fn all(mut works: Vec<Work<'_>>) -> io::Result<()> {
    poll_fn(|context| {
        let mut ended = None;
        works.retain_mut(|work| match work.as_mut().poll(context) {
            Poll::Ready(Ok(Done::Part)) => false,
            Poll::Ready(Ok(Done::Enough)) => {
                ended.get_or_insert(Ok(()));
                false
            }
            Poll::Ready(Err(error)) => {
                ended.get_or_insert(Err(error));
                false
            }
            Poll::Pending => true,
        });
        match ended {
            Some(ended) => Poll::Ready(ended),
            None if works.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}

/// Prints each interval as it ends, for ever. `interval` must not be zero.
pub(super) async fn tell_intervals(net: &Net, books: &Shared, interval: Duration) {
    let mut next = net.now();
    loop {
        next += interval;
        net.sleep_until(next).await;
        tell_interval(net, books);
    }
}

/// Ends an interval and prints it.
pub(super) fn tell_interval(net: &Net, books: &Shared) {
    let lines = lock(books).interval(net.now());
    for line in lines {
        net.log(|| line);
    }
    lock(books).report_intervals(net);
}
