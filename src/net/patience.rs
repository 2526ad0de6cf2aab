//! What becomes of a program that never comes back from a poll: `loop {}`.
//!
//! Whatever uses a socket or awaits is stopped by its machine. Code that does
//! neither keeps the thread for itself, and nothing in a process can take a thread away from safe code. So a run would hang
//! without a word. Instead, somebody else looks at the real clock: a poll that has lasted too long ends the process, with a
//! message that names the program. This is the one place where the real clock matters to a run, and only to one that would never end.

use std::cell::OnceCell;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::Duration;

use super::core::Guarded;
use crate::id::AppId;

/// How long a poll may last by the real clock, in seconds.
const PATIENCE_S: u64 = 60;

/// Says otherwise, in seconds; 0 is for ever, which is what somebody with a debugger wants.
const PATIENCE_VARIABLE: &str = "HOPWISE_PATIENCE";

/// How often somebody looks. Looks are counted, not time: a process that was stopped meanwhile has not been slow.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a thread is polling.
#[derive(Debug, Default)]
struct Desk {
    /// Odd while a program is being polled.
    turn: AtomicU64,
    app: AtomicU32,
    machine: Mutex<Weak<Guarded>>,
}

static DESKS: Mutex<Vec<Weak<Desk>>> = Mutex::new(Vec::new());

thread_local! {
    static DESK: OnceCell<Arc<Desk>> = const { OnceCell::new() };
}

/// The polls of a machine's programs, until dropped.
#[derive(Debug)]
pub(super) struct Watch(Arc<Desk>);

impl Watch {
    /// This thread polls the programs of a machine.
    pub(super) fn begin(machine: &Arc<Guarded>) -> Self {
        let desk = DESK.with(|desk| Arc::clone(desk.get_or_init(open)));
        *desk.machine.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(machine);
        Self(desk)
    }

    /// Polls a program.
    pub(super) fn poll<R>(&self, app: AppId, poll: impl FnOnce() -> R) -> R {
        self.0.app.store(app.0, Ordering::Relaxed);
        self.0.turn.fetch_add(1, Ordering::Release);
        let polled = poll();
        self.0.turn.fetch_add(1, Ordering::Release);
        polled
    }
}

/// A desk for this thread, and somebody who looks at all of them.
fn open() -> Arc<Desk> {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let said = std::env::var(PATIENCE_VARIABLE).ok().and_then(|text| text.parse().ok());
        let patience: u64 = said.unwrap_or(PATIENCE_S);
        if patience > 0 {
            // Where there are no threads, nobody watches.
            let _ = std::thread::Builder::new().name("hopwise-patience".to_owned()).spawn(move || watch(patience));
        }
    });
    let desk = Arc::new(Desk::default());
    let mut desks = DESKS.lock().unwrap_or_else(PoisonError::into_inner);
    desks.retain(|desk| desk.strong_count() > 0);
    desks.push(Arc::downgrade(&desk));
    desk
}

#[expect(clippy::disallowed_methods, reason = "this is about a program that stops virtual time")]
fn watch(patience: u64) {
    // Desk, turn that it was at, and how often.
    let mut seen: Vec<(Weak<Desk>, u64, u64)> = Vec::new();
    loop {
        std::thread::sleep(LOOK_EVERY);
        let desks = DESKS.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut now = Vec::with_capacity(desks.len());
        for weak in desks {
            let Some(desk) = weak.upgrade() else { continue };
            let turn = desk.turn.load(Ordering::Acquire);
            let before = seen.iter().find(|(other, ..)| other.ptr_eq(&weak));
            let looks = match before {
                Some((_, then, looks)) if *then == turn && turn % 2 == 1 => looks + 1,
                _ => 0,
            };
            if looks >= patience {
                give_up(&desk, patience);
            }
            now.push((weak, turn, looks));
        }
        seen = now;
    }
}

fn give_up(desk: &Desk, patience: u64) -> ! {
    let machine = desk.machine.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    let app = AppId(desk.app.load(Ordering::Relaxed));
    let named = machine.and_then(|machine| machine.named(app)).unwrap_or_else(|| "a program".to_owned());
    let text = format!(
        "error: {named} never comes back: one poll of it has lasted {patience} s of the real clock, so the run cannot go on\n  \
         it loops without awaiting anything; the process ends here ({PATIENCE_VARIABLE}=0 waits for ever, for a debugger)\n"
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
    std::process::abort()
}
