//! Both directions of a TCP connection at once.
//!
//! Whoever writes much and reads only afterwards comes to a standstill with a peer that answers as it reads: both
//! windows fill. So the programs here write and read side by side.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::payload::Payload;
use super::tally::Tally;
use crate::net::Net;
use crate::time::Time;

/// How much is read or written at once, at most.
pub(super) const CHUNK: usize = 16 * 1024;

/// Writes the whole payload, or as much of it as goes before `until`, and counts it.
pub(super) async fn send(
    net: &Net,
    writer: &mut (impl AsyncWrite + Unpin),
    payload: &Payload,
    until: Option<Time>,
    sent: &Tally,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK.min(usize::try_from(payload.len()).unwrap_or(CHUNK))];
    let mut offset = 0;
    loop {
        let filled = payload.copy(offset, &mut buffer);
        if filled == 0 || until.is_some_and(|until| net.now() >= until) {
            return Ok(());
        }
        offset += filled as u64;
        let mut rest = &buffer[..filled];
        while !rest.is_empty() {
            let written = match until {
                None => writer.write(rest).await?,
                Some(until) => match net.timeout(until.since(net.now()), writer.write(rest)).await {
                    Ok(written) => written?,
                    Err(_) => return Ok(()),
                },
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            sent.add(written as u64);
            rest = &rest[written..];
        }
    }
}

/// Reads until the end of the stream and hands on each piece.
pub(super) async fn receive(reader: &mut (impl AsyncRead + Unpin), mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(()),
            count => take(&buffer[..count]),
        }
    }
}

/// Waits for both, but no longer than for the first failure.
pub(super) async fn both<E>(
    first: impl Future<Output = Result<(), E>>,
    second: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut first_is_over, mut second_is_over) = (false, false);
    poll_fn(|context| {
        if !first_is_over && let Poll::Ready(result) = first.as_mut().poll(context) {
            result?;
            first_is_over = true;
        }
        if !second_is_over && let Poll::Ready(result) = second.as_mut().poll(context) {
            result?;
            second_is_over = true;
        }
        if first_is_over && second_is_over { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// What the first of two to be over says; the other is dropped. The first one named wins a tie.
pub(super) async fn either<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> T {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| match first.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending => second.as_mut().poll(context),
    })
    .await
}

/// Bits per second: `bytes` in the time between two moments. Zero if no time passed.
pub(super) fn bits_per_second(bytes: u64, from: Time, to: Time) -> u64 {
    let nanoseconds = to.since(from).as_nanos();
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    u64::try_from(bits.checked_div(nanoseconds).unwrap_or(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn both_waits_for_both_and_for_no_one_after_a_failure() {
        let wait = || pending::<Result<(), &str>>();
        assert_eq!(poll_once(both(ready(Ok::<_, &str>(())), ready(Ok(())))), Poll::Ready(Ok(())));
        assert_eq!(poll_once(both(ready(Ok(())), wait())), Poll::Pending);
        assert_eq!(poll_once(both(ready(Err("first")), wait())), Poll::Ready(Err("first")));
        assert_eq!(poll_once(both(wait(), ready(Err("second")))), Poll::Ready(Err("second")));
    }

    #[test]
    fn either_takes_whichever_is_over() {
        assert_eq!(poll_once(either(pending(), ready(2))), Poll::Ready(2));
        assert_eq!(poll_once(either(ready(1), ready(2))), Poll::Ready(1));
        assert_eq!(poll_once(either(pending::<()>(), pending())), Poll::Pending);
    }

    #[test]
    fn reading_goes_on_to_the_end() {
        let mut input: &[u8] = &[7; 3 * CHUNK + 1];
        let mut count = 0;
        let reading = receive(&mut input, |piece| count += piece.len());
        assert!(matches!(poll_once(reading), Poll::Ready(Ok(()))));
        assert_eq!(count, 3 * CHUNK + 1);
    }

    #[test]
    fn a_rate_is_bits_over_time_and_never_divides_by_zero() {
        // 1 MB in 0.8 s = 10 Mbit/s
        assert_eq!(bits_per_second(1_000_000, Time::from_millis(200), Time::from_secs(1)), 10_000_000);
        assert_eq!(bits_per_second(1, Time::ZERO, Time::ZERO), 0);
    }
}
