//! Tasks that a program runs beside itself, and what it holds of them.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A task that a program has spawned; waiting for it gives what it came to.
///
/// Dropping it lets the task run on, until its program ends.
#[derive(Debug)]
pub struct JoinHandle<T>(Arc<Joint<T>>);

/// Why a task came to nothing: it was [aborted](JoinHandle::abort), or its program has ended.
///
/// A task that panics is not among the reasons: it ends its whole program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinError(());

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        Self::new(io::ErrorKind::Interrupted, error)
    }
}

/// What a task and its handle share.
#[derive(Debug)]
struct Joint<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    outcome: Outcome<T>,
    is_aborted: bool,
    /// Who waits for the end.
    joiner: Option<Waker>,
    /// The task itself.
    task: Option<Waker>,
}

#[derive(Debug)]
enum Outcome<T> {
    Cancelled,
    Finished(T),
    Running,
    Taken,
}

impl<T> Joint<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task has ended: whoever waits is told.
    fn end(&self, outcome: Outcome<T>) {
        let mut state = self.lock();
        state.task = None;
        if matches!(state.outcome, Outcome::Running) {
            state.outcome = outcome;
        }
        let joiner = state.joiner.take();
        drop(state);
        joiner.into_iter().for_each(Waker::wake);
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task where it stands, when it next has its turn; what it holds is dropped. Too late if it has ended.
    pub fn abort(&self) {
        let mut state = self.0.lock();
        state.is_aborted = true;
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    /// Whether the task has ended, in whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(self.0.lock().outcome, Outcome::Running)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// When it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut state.outcome, Outcome::Taken) {
            Outcome::Cancelled => Poll::Ready(Err(JoinError(()))),
            Outcome::Finished(value) => Poll::Ready(Ok(value)),
            Outcome::Running => {
                state.outcome = Outcome::Running;
                state.joiner = Some(context.waker().clone());
                Poll::Pending
            }
            Outcome::Taken => {
                drop(state);
                panic!("a JoinHandle was polled after it was ready")
            }
        }
    }
}

/// A task's future, which tells its handle of the end.
pub(super) struct Joined<F: Future> {
    /// `None` once it has ended.
    future: Option<Pin<Box<F>>>,
    joint: Arc<Joint<F::Output>>,
}

/// Makes a task of a future, and its handle.
pub(super) fn joined<F: Future>(future: F) -> (Joined<F>, JoinHandle<F::Output>) {
    let state = State { outcome: Outcome::Running, is_aborted: false, joiner: None, task: None };
    let joint = Arc::new(Joint(Mutex::new(state)));
    (Joined { future: Some(Box::pin(future)), joint: Arc::clone(&joint) }, JoinHandle(joint))
}

impl<F: Future> Future for Joined<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(future) = this.future.as_mut() else { return Poll::Ready(()) };
        if this.joint.lock().is_aborted {
            this.future = None;
            this.joint.end(Outcome::Cancelled);
            return Poll::Ready(());
        }
        let Poll::Ready(value) = future.as_mut().poll(context) else {
            // Whoever aborts it has to wake it; without a handle there is nobody.
            if Arc::strong_count(&this.joint) > 1 {
                let mut state = this.joint.lock();
                if !state.task.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    state.task = Some(context.waker().clone());
                }
                // It has aborted itself.
                if state.is_aborted {
                    context.waker().wake_by_ref();
                }
            }
            return Poll::Pending;
        };
        this.future = None;
        this.joint.end(Outcome::Finished(value));
        Poll::Ready(())
    }
}

impl<F: Future> Drop for Joined<F> {
    fn drop(&mut self) {
        self.future = None;
        self.joint.end(Outcome::Cancelled);
    }
}
