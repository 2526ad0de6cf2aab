//! Connects to whichever of several addresses answers first, the preferred one a little ahead ("happy eyeballs",
//! RFC 8305).
//!
//! A host with both families is tried by the first, and by the second too once the first has failed or has not answered
//! for a quarter of a second. So a broken IPv6 path costs a moment, not a minute.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::super::context::Net;
use super::super::ports::Local;
use super::TcpStream;

/// RFC 8305 §5: "One recommended value for a default delay is 250 milliseconds."
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

impl TcpStream {
    /// Connects to the first of `peers` that accepts; they are tried in their order, each a quarter of a second after
    /// the one before it or when that has failed. Who is late is let go of.
    ///
    /// # Errors
    ///
    /// As [`connect_from`](Self::connect_from), what the last one that failed said; [`io::ErrorKind::InvalidInput`] if
    /// there are no peers.
    pub async fn connect_first(net: &Net, local: impl Into<Local>, peers: &[SocketAddr]) -> io::Result<Self> {
        Self::connect_first_telling(net, local, peers, |_, _| {}).await
    }

    /// The same; `tell` hears of each address when it is tried, and again, with the reason, if that fails while there are others.
    pub(crate) async fn connect_first_telling(
        net: &Net,
        local: impl Into<Local>,
        peers: &[SocketAddr],
        mut tell: impl FnMut(SocketAddr, Option<&io::Error>),
    ) -> io::Result<Self> {
        let local = local.into();
        if let [peer] = peers {
            tell(*peer, None);
            return Self::connect_from(net, local, *peer).await;
        }
        let mut waiting = peers.iter().copied();
        let mut attempts: Vec<(SocketAddr, Attempt)> = Vec::new();
        let mut begin = move |attempts: &mut Vec<(SocketAddr, Attempt)>| {
            let peer = waiting.next()?;
            let net = net.clone();
            attempts.push((peer, Box::pin(async move { Self::connect_from(&net, local, peer).await })));
            Some(peer)
        };
        let mut last = begin(&mut attempts);
        if let Some(peer) = last {
            tell(peer, None);
        }
        let mut failure = io::Error::from(io::ErrorKind::InvalidInput);
        let mut next_turn = Box::pin(net.sleep(ATTEMPT_DELAY));
        poll_fn(|context| {
            loop {
                let mut index = 0;
                let mut has_failed = false;
                while let Some((peer, attempt)) = attempts.get_mut(index) {
                    match attempt.as_mut().poll(context) {
                        Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                        Poll::Ready(Err(error)) => {
                            tell(*peer, Some(&error));
                            failure = error;
                            has_failed = true;
                            drop(attempts.remove(index));
                        }
                        Poll::Pending => index += 1,
                    }
                }
                let is_time = last.is_some() && next_turn.as_mut().poll(context).is_ready();
                if last.is_some() && (has_failed || is_time) {
                    last = begin(&mut attempts);
                    if let Some(peer) = last {
                        tell(peer, None);
                    }
                    next_turn = Box::pin(net.sleep(ATTEMPT_DELAY));
                    continue;
                }
                if attempts.is_empty() {
                    let failure = std::mem::replace(&mut failure, io::ErrorKind::InvalidInput.into());
                    return Poll::Ready(Err(failure));
                }
                return Poll::Pending;
            }
        })
        .await
    }
}
