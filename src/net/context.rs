//! What a program sees of its machine beside sockets: time, luck, names, and a way to say something.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::arena::Key;
use super::core::{Core, Guarded, Turn};
use super::executor::TaskFuture;
use super::task::{JoinHandle, joined};
use crate::id::AppId;
use crate::record::Value;
use crate::rng::Rng;
use crate::time::Time;

/// A program's view of its machine. Clones are the same view.
#[derive(Clone)]
pub struct Net {
    shared: Arc<Guarded>,
    app: AppId,
}

impl Net {
    pub(crate) fn new(shared: Arc<Guarded>, app: AppId) -> Self {
        Self { shared, app }
    }

    /// What time it is. It does not move while a program works, only while it waits.
    #[must_use]
    pub fn now(&self) -> Time {
        self.shared.now()
    }

    /// Waits. Even a wait of no time lets other tasks have their turn if this one has done much.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Waits until `until`; not at all if that has passed.
    pub fn sleep_until(&self, until: Time) -> Sleep {
        Sleep { net: self.clone(), until, sleeper: None }
    }

    /// Waits for `future`, but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] when the time is over; if both happen at one instant, the future wins.
    pub async fn timeout<T>(&self, limit: Duration, future: impl Future<Output = T>) -> io::Result<T> {
        let mut future = pin!(future);
        let mut sleep = self.sleep(limit);
        poll_fn(|context| {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            Pin::new(&mut sleep).poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }

    /// Waits for `future`, but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`timeout`](Self::timeout).
    pub async fn timeout_at<T>(&self, deadline: Time, future: impl Future<Output = T>) -> io::Result<T> {
        self.timeout(deadline.since(self.now()), future).await
    }

    /// Lets all others have their turn who can go on already, tasks that were just spawned included.
    pub async fn yield_now(&self) {
        // Two turns: what was spawned in this one comes behind the first of them.
        let mut turns = 2;
        poll_fn(|context| {
            if turns == 0 {
                return Poll::Ready(());
            }
            turns -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Runs `future` beside the program, as a task of its own; it ends with the program.
    ///
    /// It gets its first turn after those who can go on already. Whoever waits for the handle is given what it came to.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = joined(future);
        self.core(|core| core.spawned.push((self.app, TaskFuture::Child(Box::pin(task)))));
        handle
    }

    /// Any 64 bits, from the program's own stream of luck, `app NAME`.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.core(|core| core.programs.luck(self.app).map_or(0, Rng::next_u64))
    }

    /// A number from 0 up to, but not including, `bound`, from the program's own stream of luck.
    #[must_use]
    pub fn random_below(&self, bound: u64) -> u64 {
        self.core(|core| core.programs.luck(self.app).map_or(0, |luck| luck.below(bound)))
    }

    /// A stream of luck that every program of the run draws the same from: what machines have agreed upon before the run
    /// began, such as the certificate authority that they trust.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only certificates need it"))]
    pub(crate) fn common_stream(&self, name: &str) -> Rng {
        Rng::stream(self.core(|core| core.run_seed), name)
    }

    /// Tells those who may read what programs encrypt: one line as TLS libraries write it into `SSLKEYLOGFILE`. `line` is
    /// only called while somebody observes.
    pub fn reveal(&self, line: impl FnOnce() -> String) {
        if let Some(lent) = &mut self.shared.lock().lent {
            lent.out.secret(line);
        }
    }

    /// Says something worth knowing: one line, without a full stop. `text` is only called while somebody observes,
    /// and must not use the program's sockets.
    pub fn log(&self, text: impl FnOnce() -> String) {
        // Called before locking, so that it may ask for the time or the host's name.
        let is_observed = self.shared.lock().lent.as_ref().is_some_and(|lent| lent.out.is_observed());
        if is_observed {
            let text = text();
            if let Some(lent) = &mut self.shared.lock().lent {
                lent.out.note(Some(self.app), || text);
            }
        }
    }

    /// Reports a named outcome, for expectations to read; the latest of a name counts.
    ///
    /// `state`, `started`, `elapsed` and `error` are reported of every program and cannot be overruled.
    pub fn report(&self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        self.core(|core| core.programs.report(self.app, key, value));
    }

    /// Offers a view of what the program knows under a name that its machine can show, while the program runs. It must not
    /// use the program's sockets.
    pub fn offer_view(&self, what: &'static str, view: impl Fn(Time) -> String + Send + Sync + 'static) {
        self.core(|core| core.programs.offer_view(self.app, what, Box::new(view)));
    }

    /// Reports several outcomes at once.
    pub fn report_all<const N: usize>(&self, outcomes: [(&str, Value); N]) {
        self.core(|core| outcomes.map(|(key, value)| core.programs.report(self.app, key, value)));
    }

    /// Finds the address of a host: an address literal, a name of the table of hosts, or one that a name server knows. Of
    /// several addresses the one that is best tried first.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] for an unknown name; another kind if no name server could say.
    pub async fn lookup(&self, host: &str) -> io::Result<IpAddr> {
        Ok(self.lookup_all(host).await?[0])
    }

    /// Finds all addresses of a host, at least one, in the order in which they are best tried.
    ///
    /// RFC 6724 §6, as far as it has a meaning here: IPv6 addresses that a route leads to come first, then IPv4
    /// addresses, then what cannot be reached; within each the order of the table.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Self::lookup).
    pub async fn lookup_all(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some((address, zone)) = host.split_once('%') {
            return self.lookup_in_zone(host, address, zone);
        }
        let mut addresses = self.core(|core| core.hosts.lookup_all(host));
        if addresses.is_empty() {
            addresses = self.ask_name_servers(host).await?;
        }
        if addresses.len() > 1 {
            addresses.sort_by_cached_key(|address| match address {
                // Rule 1: "Avoid unusable destinations."
                IpAddr::V6(_) if self.source_for(*address).is_err() => 2,
                // Rule 6: "Prefer higher precedence": 40 for IPv6, 35 for IPv4 (§2.1).
                IpAddr::V6(_) => 0,
                IpAddr::V4(_) => 1,
            });
        }
        Ok(addresses)
    }

    /// An address that means something on each link, with the interface that is meant (RFC 4007 §11): `fe80::1%eth1`.
    fn lookup_in_zone(&self, host: &str, address: &str, zone: &str) -> io::Result<Vec<IpAddr>> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no host is called `{host}`"));
        let address: IpAddr = address.parse().map_err(|_| unknown())?;
        let is_of_link = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_multicast());
        if !is_of_link || self.turn(|_, turn| Ok(turn.ip.source_in_zone(zone, address).is_err()))? {
            return Err(unknown());
        }
        self.shared.lock().zones.insert((self.app, address), zone.to_owned());
        Ok(vec![address])
    }

    /// The machine's name.
    #[must_use]
    pub fn host_name(&self) -> String {
        self.core(|core| core.host_name.clone())
    }

    /// The address that a packet to `destination` would carry as its source.
    ///
    /// # Errors
    ///
    /// When no route leads there.
    pub fn source_for(&self, destination: IpAddr) -> io::Result<IpAddr> {
        self.turn(|_, turn| Ok(turn.source_for(destination)?))
    }

    /// The largest IP packet that is known to reach `destination` in one piece.
    ///
    /// # Errors
    ///
    /// When no program runs.
    pub fn mtu_for(&self, destination: IpAddr) -> io::Result<usize> {
        self.turn(|_, turn| Ok(turn.ip.mtu_for(destination)))
    }

    pub(crate) fn is_same_machine(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn app(&self) -> AppId {
        self.app
    }

    /// Does something with the state.
    pub(crate) fn core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        act(&mut self.shared.lock().core)
    }

    /// Does something that may send.
    pub(crate) fn turn<R>(&self, act: impl FnOnce(&mut Core, &mut Turn<'_>) -> io::Result<R>) -> io::Result<R> {
        let mut shared = self.shared.lock();
        let (core, mut turn) = shared.parts(Some(self.app))?;
        act(core, &mut turn)
    }

    /// Does one operation of a poll, unless the program has had enough for one turn.
    pub(crate) fn poll_turn<R>(
        &self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut Core, &mut Turn<'_>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let mut shared = self.shared.lock();
        let (core, mut turn) = shared.parts(Some(self.app))?;
        std::task::ready!(core.poll_operation(context));
        act(core, &mut turn, context)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("app", &self.app).finish_non_exhaustive()
    }
}

/// Waits until a moment; made by [`Net::sleep`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    net: Net,
    until: Time,
    sleeper: Option<Key>,
}

impl Sleep {
    /// When it ends.
    #[must_use]
    pub fn until(&self) -> Time {
        self.until
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut shared = this.net.shared.lock();
        if let Some(sleeper) = this.sleeper.take() {
            shared.stop_sleeping(sleeper, this.until);
        }
        if shared.core.now >= this.until {
            return shared.core.poll_operation(context);
        }
        this.sleeper = Some(shared.sleep_until(this.until, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(sleeper) = self.sleeper {
            self.net.shared.lock().stop_sleeping(sleeper, self.until);
        }
    }
}
