//! One at a time, first come first served.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Lets one in at a time.
#[derive(Debug, Default)]
pub(super) struct Turnstile(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    is_taken: bool,
    waiting: VecDeque<Waker>,
}

/// Being inside; over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t>(&'t Turnstile);

impl Turnstile {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    pub(super) async fn enter(&self) -> Turn<'_> {
        poll_fn(|context| {
            let mut queue = self.queue();
            if !std::mem::replace(&mut queue.is_taken, true) {
                return Poll::Ready(Turn(self));
            }
            if !queue.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                queue.waiting.push_back(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_taken = false;
        // Whoever is no longer interested leaves its waker behind: all may look.
        queue.waiting.drain(..).for_each(Waker::wake);
    }
}
