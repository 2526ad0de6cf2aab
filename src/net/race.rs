//! Waiting for the first of several things, or for all of them.
//!
//! tokio's `join!` does as well here. Its `select!` does too, if it begins with `biased;`: without, it asks a generator
//! of its own which branch to look at first, and a run is not repeatable any more.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// What came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First<A, B> {
    /// What was named first.
    One(A),
    /// What was named second.
    Other(B),
}

/// Waits for either; if both are there at once, for the one. What the loser has not taken yet is not lost, if it is a
/// socket's.
pub async fn race<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> First<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        if let Poll::Ready(value) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(value));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
}

/// Waits for the first of several: its place, and what it came to. Of several that are there at once, the first in order.
/// Without any it waits for ever.
pub async fn race_all<F: Future>(futures: impl IntoIterator<Item = F>) -> (usize, F::Output) {
    let mut futures: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        for (index, future) in futures.iter_mut().enumerate() {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready((index, value));
            }
        }
        Poll::Pending
    })
    .await
}

/// Waits for all: what they came to, in their order.
///
/// Whenever one can go on all that are not done are asked, so for thousands [`Net::spawn`](super::Net::spawn) is better.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut values: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for (future, value) in futures.iter_mut().zip(&mut values) {
            if value.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *value = Some(done),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    values.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn of_two_that_are_there_at_once_the_one_wins() {
        let mut context = Context::from_waker(Waker::noop());
        let both = pin!(race(std::future::ready(1), std::future::ready("x")));
        assert_eq!(both.poll(&mut context), Poll::Ready(First::One(1)));
        let late = pin!(race(std::future::pending::<u8>(), std::future::ready("x")));
        assert_eq!(late.poll(&mut context), Poll::Ready(First::Other("x")));
    }
}
