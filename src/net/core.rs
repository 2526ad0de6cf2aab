//! The state that a machine's stack and its programs' handles share.
//!
//! One lock guards all of it. It is never contended: a machine lives on one thread at a time, and a handle only locks
//! while its program is being polled. The lock is never held while a program's code runs, nor while a future is dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::arena::{Arena, Key};
use super::channel::Queue;
use super::control::Resolvers;
use super::executor::TaskFuture;
use super::ip::{Ip, SendError};
use super::owned::Owned;
use super::program::Programs;
use super::raw::{Raw, RawIp, Taps};
use super::resolve::ResolverSettings;
use super::route::RouteOwner;
use super::stack::StackConfig;
use super::tcp::Tcp;
use super::timers::{Timer, Timers};
use super::udp::Udp;
use super::{Hosts, errors};
use crate::id::{AppId, FrameId};
use crate::record::Outbox;
use crate::rng::Rng;
use crate::time::Time;

/// How many operations a program may do in one poll before it has to let others have their turn.
const OPERATIONS_PER_POLL: u32 = 128;

/// The state, and the machine's IP layer while it is lent.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Core,
    pub(crate) timers: Timers,
    pub(crate) lent: Option<Lent>,
    pub(crate) zones: Zones,
}

/// By which interface programs want to reach addresses that mean something on each link: `fe80::1%eth1`.
pub(crate) type Zones = BTreeMap<(AppId, IpAddr), String>;

/// What the machine lends while programs run.
pub(crate) struct Lent {
    pub(crate) ip: Box<dyn Ip>,
    pub(crate) out: Outbox,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

/// The state behind its lock, and beside it the time, which programs ask for more often than for anything else.
#[derive(Debug)]
pub(crate) struct Guarded {
    now: AtomicU64,
    state: Mutex<Shared>,
}

impl Guarded {
    pub(crate) fn new(config: StackConfig) -> Self {
        Self { now: AtomicU64::new(0), state: Mutex::new(Shared::new(config)) }
    }

    /// Locks; a panic elsewhere has not left anything half done that matters more than that panic.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks, and it is `now`.
    pub(crate) fn lock_at(&self, now: Time) -> MutexGuard<'_, Shared> {
        self.now.store(now.as_nanos(), Ordering::Relaxed);
        let mut shared = self.lock();
        shared.core.now = now;
        shared
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Time {
        Time::from_nanos(self.now.load(Ordering::Relaxed))
    }
}

/// Sockets, timers and what is known of programs.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) now: Time,
    pub(crate) host_name: String,
    pub(crate) run_seed: u64,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) programs: Programs,
    pub(crate) raw: Raw,
    pub(crate) raw_ip: RawIp,
    pub(crate) taps: Taps,
    pub(crate) sleepers: Arena<Waker>,
    /// Those who want to know of changes of the machine's interfaces.
    pub(crate) watchers: Wakers,
    /// Where names are asked for, by what is written.
    pub(crate) resolver: ResolverSettings,
    pub(crate) resolver_luck: Rng,
    /// The same, by what was learned.
    pub(crate) resolvers: Resolvers,
    /// Whose the sockets are.
    pub(crate) owned: Owned,
    /// What programs of this machine send each other, by name.
    pub(crate) channels: BTreeMap<String, Queue>,
    /// What programs have asked to be run beside them, until the executor adopts it.
    pub(crate) spawned: Vec<(AppId, TaskFuture)>,
    pub(crate) tcp: Tcp,
    pub(crate) udp: Udp,
    /// What the IP layer is to be told as soon as it is at hand.
    pub(crate) errands: Vec<Errand>,
    /// Counts changes to the machine's interfaces.
    pub(crate) interfaces_version: u64,
    pub(crate) interface_watchers: Wakers,
    operations_left: u32,
}

/// What a handle that is dropped leaves to be told to the IP layer: at that moment it may not be at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A group is listened to no longer.
    Leave { interface: u16, group: IpAddr },
    /// A program's routes are no longer good.
    Withdraw(RouteOwner),
}

/// What doing something takes: the time, the IP layer, the outbox, the timers; and on whose account.
pub(crate) struct Turn<'a> {
    pub(crate) now: Time,
    pub(crate) ip: &'a mut dyn Ip,
    pub(crate) out: &'a mut Outbox,
    pub(crate) timers: &'a mut Timers,
    /// The frame that is being answered, if one is.
    pub(crate) cause: Option<FrameId>,
    /// The program that asks, and what it has said of interfaces; `None`: no program asks.
    pub(crate) zones: Option<(AppId, &'a Zones)>,
}

impl Turn<'_> {
    /// The source address that a packet to `destination` would carry.
    ///
    /// # Errors
    ///
    /// When no route leads there.
    pub(crate) fn source_for(&self, destination: IpAddr) -> Result<IpAddr, SendError> {
        let zone = self.zones.and_then(|(app, zones)| zones.get(&(app, destination)));
        zone.map_or_else(|| self.ip.source_for(destination), |zone| self.ip.source_in_zone(zone, destination))
    }
}

impl Core {
    pub(crate) fn new(config: StackConfig) -> Self {
        Self {
            now: Time::ZERO,
            tcp: Tcp::new(config.seed, config.settings),
            udp: Udp::new(config.seed),
            raw: Raw::default(),
            raw_ip: RawIp::default(),
            taps: Taps::default(),
            programs: Programs::new(config.seed),
            host_name: config.host_name,
            run_seed: config.run_seed,
            hosts: config.hosts,
            sleepers: Arena::default(),
            watchers: Wakers::default(),
            resolver: config.resolver,
            resolver_luck: Rng::stream(config.seed, "resolver"),
            resolvers: Resolvers::default(),
            owned: Owned::default(),
            channels: BTreeMap::new(),
            spawned: Vec::new(),
            errands: Vec::new(),
            interfaces_version: 0,
            interface_watchers: Wakers::default(),
            operations_left: OPERATIONS_PER_POLL,
        }
    }

    /// A program's turn begins.
    pub(crate) fn begin_poll(&mut self) {
        self.operations_left = OPERATIONS_PER_POLL;
    }

    /// Tells the IP layer what it is still to be told.
    pub(crate) fn do_errands(&mut self, turn: &mut Turn<'_>) {
        for errand in self.errands.drain(..) {
            match errand {
                Errand::Leave { interface, group } => turn.ip.leave(interface, group, turn.out),
                Errand::Withdraw(owner) => turn.ip.withdraw_routes(owner),
            }
        }
    }

    /// Whether the program that is being polled may do another operation now; if not, its turn comes again.
    ///
    /// Operations that are always ready would otherwise let a loop run for ever inside one poll, where nothing could
    /// stop it.
    pub(crate) fn poll_operation(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.operations_left == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.operations_left -= 1;
        Poll::Ready(())
    }
}

impl Shared {
    pub(crate) fn new(config: StackConfig) -> Self {
        Self { core: Core::new(config), timers: Timers::default(), lent: None, zones: Zones::new() }
    }

    /// The state and what is needed to send, on account of a program if it is one that asks.
    ///
    /// # Errors
    ///
    /// When the IP layer is not lent: a handle is used outside its program.
    pub(crate) fn parts(&mut self, app: Option<AppId>) -> io::Result<(&mut Core, Turn<'_>)> {
        let Self { core, timers, lent, zones } = self;
        let lent = lent.as_mut().ok_or_else(errors::not_running)?;
        let turn = Turn {
            now: core.now,
            ip: &mut *lent.ip,
            out: &mut lent.out,
            timers,
            cause: None,
            zones: app.map(|app| (app, &*zones)),
        };
        Ok((core, turn))
    }

    /// When something is next due; at once if a connection, or a handle that was dropped, has something to say.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let has_errands = !self.core.errands.is_empty();
        if has_errands || self.core.tcp.has_touched() { Some(self.core.now) } else { self.timers.next_at() }
    }

    /// Does all that is due.
    pub(crate) fn fire_timers(&mut self, ip: &mut dyn Ip, out: &mut Outbox) {
        while let Some(timer) = self.timers.pop_due(self.core.now) {
            match timer {
                Timer::Connection(key) => {
                    let mut turn =
                        Turn { now: self.core.now, ip, out, timers: &mut self.timers, cause: None, zones: None };
                    self.core.tcp.timer_due(key, &mut turn);
                }
                Timer::Sleeper(key) => {
                    if let Some(waker) = self.core.sleepers.remove(key) {
                        waker.wake();
                    }
                }
            }
        }
    }

    /// Forgets every socket, timer and sleeper; programs' outcomes stay.
    pub(crate) fn forget_sockets(&mut self) {
        self.core.tcp.clear();
        self.core.udp.clear();
        self.core.raw.clear();
        self.core.raw_ip.clear();
        self.core.taps.clear();
        self.core.errands.clear();
        self.core.owned.clear();
        self.core.sleepers.clear();
        self.core.watchers = Wakers::default();
        self.core.resolvers.clear();
        self.timers.clear();
    }

    /// Has `waker` woken at `until`.
    pub(crate) fn sleep_until(&mut self, until: Time, waker: Waker) -> Key {
        let key = self.core.sleepers.insert(waker);
        self.timers.arm(Timer::Sleeper(key), None, Some(until));
        key
    }

    /// Forgets a sleeper.
    pub(crate) fn stop_sleeping(&mut self, key: Key, until: Time) {
        if self.core.sleepers.remove(key).is_some() {
            self.timers.arm(Timer::Sleeper(key), Some(until), None);
        }
    }
}

/// Those who wait for the same thing.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    /// Adds the task that is being polled.
    pub(crate) fn register(&mut self, context: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(context.waker())) {
            self.0.push(context.waker().clone());
        }
    }

    /// Wakes everybody, first come first.
    pub(crate) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
