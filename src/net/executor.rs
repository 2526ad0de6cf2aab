//! Runs programs: first in, first out, one at a time, in virtual time.
//!
//! A task is polled when it has been woken, and never otherwise. Wakers are called while the stack's state is locked
//! (smoltcp calls them as it processes a packet), so the queue of those who can go on has a lock of its own.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::arena::{Arena, Key};
use super::program::{ProgramError, ProgramFuture};
use crate::id::AppId;

/// What a task works on.
pub(crate) enum TaskFuture {
    /// A program itself: when it ends, the program ends.
    Main(ProgramFuture),
    /// Something that a program has spawned.
    Child(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl fmt::Debug for TaskFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Main(_) => "Main",
            Self::Child(_) => "Child",
        })
    }
}

/// Does something of a program's; what it said if it panicked.
///
/// Whatever a panic leaves half done is the program's, which is ended for it; the machine's own state is never locked
/// while a program's code runs.
pub(crate) fn caught<R>(act: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let said = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| payload.downcast_ref::<String>().cloned());
        // What is not text may do anything when it is dropped.
        std::mem::forget(payload);
        said.unwrap_or_else(|| "something that is no text".to_owned())
    })
}

/// A task of a machine. Ids order by age.
pub(crate) type TaskId = Key;

/// Those who can go on, first come first.
#[derive(Debug, Default)]
struct Ready {
    queue: Mutex<VecDeque<TaskId>>,
    /// How many there are: asked far more often than one is taken.
    count: AtomicUsize,
}

impl Ready {
    fn push(&self, id: TaskId) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(id);
        self.count.store(queue.len(), Ordering::Relaxed);
    }

    fn pop(&self) -> Option<TaskId> {
        if self.is_empty() {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let id = queue.pop_front();
        self.count.store(queue.len(), Ordering::Relaxed);
        id
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}

/// What a poll has come to.
#[derive(Debug)]
pub(crate) enum Polled {
    /// The task waits, or a child has ended.
    GoesOn,
    /// The program has ended.
    Ended(Result<(), ProgramError>),
    /// The task has panicked, and said this.
    Panicked(String),
}

#[derive(Debug)]
struct Task {
    app: AppId,
    future: TaskFuture,
    /// As `flag`, for the context of a poll.
    waker: Waker,
    flag: Arc<TaskWaker>,
}

#[derive(Debug)]
struct TaskWaker {
    id: TaskId,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In two steps, which costs less than an exchange: should two threads ever come here at once, the task is polled
        // once more than needed.
        if !self.is_queued.load(Ordering::Relaxed) {
            self.is_queued.store(true, Ordering::Relaxed);
            self.ready.push(self.id);
        }
    }
}

/// The tasks of a machine's programs.
#[derive(Debug, Default)]
pub(crate) struct Executor {
    tasks: Arena<Task>,
    /// The tasks of each program, oldest first.
    owned: BTreeSet<(AppId, TaskId)>,
    ready: Arc<Ready>,
}

impl Executor {
    /// Adds a task, which gets its first turn after those who can go on already.
    pub(crate) fn spawn(&mut self, app: AppId, future: TaskFuture) {
        let ready = Arc::clone(&self.ready);
        let id = self.tasks.insert_with(|id| {
            let flag = Arc::new(TaskWaker { id, is_queued: AtomicBool::new(false), ready });
            flag.wake_by_ref();
            Task { app, future, waker: Arc::clone(&flag).into(), flag }
        });
        self.owned.insert((app, id));
    }

    /// Whether a task can go on.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next task that can go on, and whose it is. Those that have ended since they were woken are passed over.
    pub(crate) fn next_ready(&mut self) -> Option<(TaskId, AppId)> {
        loop {
            let id = self.ready.pop()?;
            if let Some(task) = self.tasks.get(id) {
                return Some((id, task.app));
            }
        }
    }

    /// Polls a task once.
    pub(crate) fn poll(&mut self, id: TaskId) -> Polled {
        let Some(task) = self.tasks.get_mut(id) else { return Polled::GoesOn };
        let app = task.app;
        task.flag.is_queued.store(false, Ordering::Relaxed);
        let mut context = Context::from_waker(&task.waker);
        let ended = caught(|| match &mut task.future {
            TaskFuture::Main(main) => main.as_mut().poll(&mut context).map(Some),
            TaskFuture::Child(child) => child.as_mut().poll(&mut context).map(|()| None),
        });
        let ended = match ended {
            Ok(ended) => ended,
            Err(said) => {
                let _ = caught(|| drop(self.forget(app, id)));
                return Polled::Panicked(said);
            }
        };
        match ended {
            Poll::Pending => Polled::GoesOn,
            Poll::Ready(result) => {
                let ended = caught(|| drop(self.forget(app, id)));
                match ended {
                    Ok(()) => result.map_or(Polled::GoesOn, Polled::Ended),
                    Err(said) => Polled::Panicked(said),
                }
            }
        }
    }

    /// Ends every task of a program where it stands; what they hold is dropped, oldest task first. What the first one said
    /// that panicked at that, if one did.
    pub(crate) fn stop(&mut self, app: AppId) -> Option<String> {
        let mut said = None;
        for (_, id) in self.owned.extract_if((app, Key::OLDEST)..=(app, Key::YOUNGEST), |_| true) {
            let dropped = caught(|| drop(self.tasks.remove(id)));
            said = said.or_else(|| dropped.err());
        }
        said
    }

    /// Ends all tasks.
    pub(crate) fn clear(&mut self) {
        while let Some((_, id)) = self.owned.pop_first() {
            let _ = caught(|| drop(self.tasks.remove(id)));
        }
    }

    fn forget(&mut self, app: AppId, id: TaskId) -> Option<Task> {
        self.owned.remove(&(app, id));
        self.tasks.remove(id)
    }
}
