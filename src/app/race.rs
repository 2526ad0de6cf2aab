//! Waiting for whichever comes first.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// What came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum First<A, B> {
    One(A),
    Other(B),
}

/// Waits for either; if both are there at once, for the one. What the loser has not taken yet is not lost, if it is a
/// socket's.
pub(super) async fn race<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> First<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        if let Poll::Ready(value) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(value));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
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
