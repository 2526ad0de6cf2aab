//! The machine's door to its sockets and programs.
//!
//! The machine calls [`deliver`](Stack::deliver) with every packet that is for it, [`poll_sockets`](Stack::poll_sockets)
//! when the time has come that [`wake_at`](Stack::wake_at) names, and after either, while
//! [`has_ready_programs`](Stack::has_ready_programs), [`run`](Stack::run).

use std::net::SocketAddr;
use std::sync::Arc;

use smoltcp::wire::IpProtocol;

use super::Hosts;
use super::context::Net;
use super::core::{Core, Guarded, Lent, Shared, Turn};
use super::executor::{Executor, Polled, TaskFuture, caught};
use super::icmp::{self, IcmpKind};
use super::ip::Ip;
use super::packet::Header;
use super::program::{Program, State};
use super::raw::Place;
use super::resolve::{self, ResolverSettings};
use super::settings::TcpSettings;
use crate::id::AppId;
use crate::record::{Cause, Outbox, Value};
use crate::time::Time;
use crate::units::format_duration;
use crate::wire::Frame;

/// What a stack needs to know of its machine.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// For initial sequence numbers, ephemeral ports, identifications and the programs' streams of luck: drawn from a
    /// stream that is named after the machine.
    pub seed: u64,
    /// The run's own seed, for what all machines have to know the same of: see `Net::common_stream`.
    pub run_seed: u64,
    /// The machine's name.
    pub host_name: String,
    /// Names that programs can look up.
    pub hosts: Arc<Hosts>,
    /// How TCP behaves.
    pub settings: TcpSettings,
    /// Where other names are asked for.
    pub resolver: ResolverSettings,
}

/// What became of a packet.
#[derive(Debug)]
pub enum Delivery {
    /// It was dropped, with its cause.
    Dropped,
    /// No socket is there for it. The machine answers a TCP segment with a
    /// [`reset_reply`](super::tcp::reset_reply), a UDP datagram with ICMP "port unreachable" (but never one that was
    /// broadcast or multicast), an ICMP echo request with a reply, another protocol with "protocol unreachable"; the
    /// packet is still the machine's to end.
    NobodyWants(Frame),
    /// A socket has it, or the stack has dealt with it.
    Taken,
}

/// A line of a list as `ss -tan` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRow {
    /// `tcp`, `udp`, `icmp`, `raw`.
    pub protocol: &'static str,
    /// `LISTEN`, `ESTABLISHED`; `UNCONN` for UDP without a peer and for ICMP.
    pub state: &'static str,
    /// Bytes that wait to be read; for a listener, connections that wait to be accepted.
    pub receive_queue: usize,
    /// Bytes that wait to be acknowledged; for a listener, its backlog.
    pub send_queue: usize,
    /// The near end; `None` for ICMP.
    pub local: Option<SocketAddr>,
    /// The far end, if there is one.
    pub peer: Option<SocketAddr>,
}

/// A machine's sockets and programs.
#[derive(Debug)]
pub struct Stack {
    shared: Arc<Guarded>,
    executor: Executor,
    /// When something is next due: [`Shared::wake_at`] as of when the state was last locked here.
    wake_at: Option<Time>,
    /// Whether somebody looks at all frames, as of when the state was last locked here.
    is_tapped: bool,
    /// What has happened to programs while there was no outbox to say so in.
    unsaid: Vec<Unsaid>,
}

/// What is to be said of a program as soon as there is an outbox.
#[derive(Debug)]
struct Unsaid {
    app: AppId,
    text: String,
    is_misdeed: bool,
}

/// Why a program ends.
#[derive(Debug)]
enum Reason {
    /// In its own words, or in the machine's.
    Error(String),
    None,
    Panicked(String),
    /// It has done too much at one instant.
    Runaway(String),
}

impl Stack {
    /// A stack without sockets or programs.
    #[must_use]
    pub fn new(config: StackConfig) -> Self {
        let shared = Arc::new(Guarded::new(config));
        Self { shared, executor: Executor::default(), wake_at: None, is_tapped: false, unsaid: Vec::new() }
    }

    /// Installs a program; it does not run yet.
    pub fn add_program(&mut self, app: AppId, name: impl Into<String>, program: Program) {
        self.shared.lock().core.programs.add(app, name.into(), program);
    }

    /// Starts a program from its beginning; one that runs already is stopped first. It gets its first turn in the
    /// next [`run`](Self::run). False if there is no such program.
    pub fn start_program(&mut self, app: AppId, now: Time) -> bool {
        self.stop_program(app, now);
        let Some(program) = self.shared.lock().core.programs.begin(app, now) else { return false };
        self.unsaid.push(Unsaid { app, text: "started".to_owned(), is_misdeed: false });
        let net = Net::new(Arc::clone(&self.shared), app);
        // A program may be a function that does something before it gives a future.
        match caught(|| program.start(net)) {
            Ok(future) => self.executor.spawn(app, TaskFuture::Main(future)),
            Err(said) => self.end_program(app, State::Failed, Reason::Panicked(said)),
        }
        true
    }

    /// Ends a program where it stands. Its sockets close; what they then have to say is sent by the next
    /// [`poll_sockets`](Self::poll_sockets), which [`wake_at`](Self::wake_at) asks for. False if it did not run.
    pub fn stop_program(&mut self, app: AppId, now: Time) -> bool {
        let is_running = self.is_running(app);
        if is_running {
            drop(self.shared.lock_at(now));
            self.end_program(app, State::Stopped, Reason::None);
            self.unsaid.push(Unsaid { app, text: "stopped".to_owned(), is_misdeed: false });
        }
        is_running
    }

    /// Hands over a whole packet ([`Layer::Ip`](crate::wire::Layer), reassembled, checksums verified) that is for this
    /// machine: unicast, broadcast or multicast.
    pub fn deliver(&mut self, packet: Frame, now: Time, ip: &mut dyn Ip, out: &mut Outbox) -> Delivery {
        let mut shared = self.shared.lock_at(now);
        let Shared { core, timers, .. } = &mut *shared;
        let Some(header) = Header::read(packet.bytes()) else {
            out.drop_frame(packet, Cause::Malformed);
            return Delivery::Dropped;
        };
        let cause = packet.id.or(packet.cause);
        let mut turn = Turn { now, ip, out, timers, cause, zones: None };
        let delivery = match (header.protocol, header.source.is_ipv6()) {
            (IpProtocol::Tcp, _) => core.tcp.deliver(packet, &header, &mut turn),
            (IpProtocol::Udp, _) => core.udp.deliver(packet, &header, &mut turn),
            (IpProtocol::Icmp, false) | (IpProtocol::Icmpv6, true) => deliver_icmp(core, packet, &header, &mut turn),
            _ => core.raw_ip.deliver(packet, &header, &mut turn),
        };
        self.wake_at = shared.wake_at();
        delivery
    }

    /// Whether a program looks at all frames that cross the machine's links.
    #[must_use]
    pub fn is_tapped(&self) -> bool {
        self.is_tapped
    }

    /// Shows a frame to the programs that look at all of them; those that wanted it can go on.
    pub fn show_frame(&mut self, frame: &Frame, place: Place, now: Time) {
        self.shared.lock().core.taps.show(frame, place, now);
    }

    /// Does what timers say is due, and sends what stopped programs have left to say.
    pub fn poll_sockets(&mut self, now: Time, ip: &mut dyn Ip, out: &mut Outbox) {
        self.say_unsaid(out);
        let mut shared = self.shared.lock_at(now);
        let Shared { core, timers, .. } = &mut *shared;
        let mut turn = Turn { now, ip: &mut *ip, out: &mut *out, timers, cause: None, zones: None };
        core.do_errands(&mut turn);
        core.tcp.flush_touched(&mut turn);
        shared.fire_timers(ip, out);
        self.wake_at = shared.wake_at();
    }

    /// Lets programs run until none can go on, and gives the IP layer back.
    #[must_use]
    pub fn run(&mut self, now: Time, ip: Box<dyn Ip>, out: &mut Outbox) -> Box<dyn Ip> {
        self.say_unsaid(out);
        {
            let mut shared = self.shared.lock_at(now);
            shared.lent = Some(Lent { ip, out: std::mem::take(out) });
            shared.core.begin_poll();
        }
        while let Some((task, app)) = self.executor.next_ready() {
            let polled = self.executor.poll(task);
            self.after_poll(app, polled, now);
        }
        let mut shared = self.shared.lock();
        let lent = shared.lent.take().expect("the IP layer was lent above and nothing else takes it");
        self.wake_at = shared.wake_at();
        self.is_tapped = !shared.core.taps.is_empty();
        *out = lent.out;
        lent.ip
    }

    /// Whether a program can go on, or was stopped and nobody was told yet: [`run`](Self::run) is wanted.
    #[must_use]
    pub fn has_ready_programs(&self) -> bool {
        self.executor.has_ready() || !self.unsaid.is_empty()
    }

    /// When [`poll_sockets`](Self::poll_sockets) is next wanted; perhaps at once, or earlier.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        self.wake_at
    }

    /// Forgets every socket and ends every program, in silence: the machine has lost its power. Programs stay
    /// installed, and what they have reported stays.
    pub fn crash(&mut self, now: Time) {
        drop(self.shared.lock_at(now));
        let running = self.shared.lock().core.programs.running();
        for app in running {
            self.end_program(app, State::Stopped, Reason::Error("the machine crashed".to_owned()));
        }
        self.unsaid.clear();
        self.empty_channels();
        self.shared.lock().forget_sockets();
        self.wake_at = None;
        self.is_tapped = false;
    }

    /// The machine's interfaces have changed: programs that watch them can go on.
    pub fn interfaces_changed(&mut self) {
        let core = &mut self.shared.lock().core;
        core.interfaces_version += 1;
        core.interface_watchers.wake();
        core.watchers.wake();
    }

    /// How TCP behaves from now on, for connections that begin after this.
    pub fn set_settings(&mut self, settings: TcpSettings) {
        self.shared.lock().core.tcp.set_settings(settings);
    }

    /// What a program has reported under `key`, or what is known of every program: `state` (`waiting`, `running`,
    /// `finished`, `failed`, `stopped`), `started`, and once it has ended `elapsed` and, if it failed, `error`.
    #[must_use]
    pub fn outcome(&self, app: AppId, key: &str) -> Option<Value> {
        self.shared.lock().core.programs.outcome(app, key)
    }

    /// Everything that [`outcome`](Self::outcome) knows of a program, in a fixed order.
    #[must_use]
    pub fn outcomes(&self, app: AppId) -> Vec<(String, Value)> {
        self.shared.lock().core.programs.outcomes(app)
    }

    /// What programs show of themselves under a name; nothing if none does.
    #[must_use]
    pub fn show(&self, what: &str, now: Time) -> String {
        self.shared.lock().core.programs.show(what, now)
    }

    /// Every socket, as `ss -tan` lists them: listeners, connections, UDP, ICMP.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketRow> {
        let core = &self.shared.lock().core;
        core.tcp.rows().chain(core.udp.rows()).chain(core.raw.rows()).chain(core.raw_ip.rows()).collect()
    }

    /// Who answers questions for names, as `resolv.conf` says it.
    #[must_use]
    pub fn show_resolvers(&self) -> String {
        let core = &self.shared.lock().core;
        resolve::show(&core.resolver, &core.resolvers)
    }

    /// Every counter, by name, in a fixed order: `tcp.segments_sent`.
    #[must_use]
    pub fn counters(&self) -> Vec<(String, Value)> {
        let core = &self.shared.lock().core;
        let counters = core.tcp.counters().into_iter().chain(core.udp.counters()).chain(core.raw.counters());
        let counters = counters.chain(core.raw_ip.counters());
        counters.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What a poll has left to be done: spawned tasks, sockets with something to say, the end of the program.
    fn after_poll(&mut self, app: AppId, polled: Polled, now: Time) {
        let mut shared = self.shared.lock();
        if !shared.core.spawned.is_empty() {
            let spawned = std::mem::take(&mut shared.core.spawned);
            drop(shared);
            for (app, future) in spawned {
                // What a program spawns while it is being torn down is not to outlive it.
                if self.is_running(app) {
                    self.executor.spawn(app, future);
                }
            }
            shared = self.shared.lock();
        }
        let Core { programs, host_name, .. } = &mut shared.core;
        let _ = programs.count_poll(app, now);
        let runaway = programs.runaway(app, host_name);
        let ended = match (runaway, polled) {
            (_, Polled::Panicked(said)) => Some((State::Failed, Reason::Panicked(said))),
            (Some(text), _) => Some((State::Failed, Reason::Runaway(text))),
            (None, Polled::Ended(Err(error))) => Some((State::Failed, Reason::Error(error.to_string()))),
            (None, Polled::Ended(Ok(()))) => Some((State::Finished, Reason::None)),
            (None, Polled::GoesOn) => None,
        };
        if let Some((state, reason)) = ended {
            drop(shared);
            self.end_program(app, state, reason);
            self.tell_end(app);
            shared = self.shared.lock();
            let Shared { lent, .. } = &mut *shared;
            if let Some(lent) = lent {
                say(&mut self.unsaid, &mut lent.out);
            }
        }
        if let Ok((core, mut turn)) = shared.parts(None) {
            core.do_errands(&mut turn);
            core.tcp.flush_touched(&mut turn);
            core.begin_poll();
        }
    }

    /// Drops what waits in channels: without the lock, because it may be a socket.
    fn empty_channels(&mut self) {
        let channels = std::mem::take(&mut self.shared.lock().core.channels);
        channels.into_values().for_each(|channel| drop(caught(|| drop(channel))));
    }

    fn is_running(&self, app: AppId) -> bool {
        self.shared.lock().core.programs.get(app).is_some_and(|run| run.state == State::Running)
    }

    /// Ends every task of a program. The state is not locked while what they hold is dropped.
    fn end_program(&mut self, app: AppId, state: State, reason: Reason) {
        let said = self.executor.stop(app);
        let mut shared = self.shared.lock();
        shared.zones.retain(|(of, _), _| *of != app);
        let Core { now, host_name, programs, .. } = &mut shared.core;
        let (now, title) = (*now, programs.title(app, host_name));
        let panicked = |said| format!("{title} panicked at {now} s: {said}");
        let (mut error, mut misdeed) = match reason {
            Reason::Error(error) => (Some(error), None),
            Reason::None => (None, None),
            Reason::Panicked(said) => (None, Some(panicked(said))),
            Reason::Runaway(text) => (None, Some(text)),
        };
        misdeed = misdeed.or_else(|| said.map(panicked));
        let left_open = shared.core.close_left_open(app);
        let left_open = left_open.map(|names| format!("{title} ended at {now} s and left open: {names}"));
        error = misdeed.clone().or(error).or_else(|| left_open.clone());
        let state = if state == State::Finished && error.is_some() { State::Failed } else { state };
        shared.core.programs.end(app, state, error, now);
        let misdeeds = misdeed.into_iter().chain(left_open);
        self.unsaid.extend(misdeeds.map(|text| Unsaid { app, text, is_misdeed: true }));
        self.wake_at = shared.wake_at();
        self.is_tapped = !shared.core.taps.is_empty();
    }

    fn tell_end(&self, app: AppId) {
        let mut shared = self.shared.lock();
        let Shared { core, lent: Some(lent), .. } = &mut *shared else { return };
        let Some(run) = core.programs.get(app) else { return };
        lent.out.note(Some(app), || match core.programs.outcome(app, "error") {
            Some(Value::Text(error)) => format!("failed: {error}"),
            _ => format!("finished after {}", format_duration(run.elapsed().unwrap_or_default())),
        });
    }

    fn say_unsaid(&mut self, out: &mut Outbox) {
        say(&mut self.unsaid, out);
    }
}

impl Drop for Stack {
    /// Ends what holds the state that it is held by, and lets nothing out that goes wrong at that: nobody is there any
    /// more to be told.
    fn drop(&mut self) {
        self.executor.clear();
        self.empty_channels();
        let spawned = std::mem::take(&mut self.shared.lock().core.spawned);
        spawned.into_iter().for_each(|task| drop(caught(|| drop(task))));
        self.shared.lock().core.programs.forget_views();
    }
}

fn say(unsaid: &mut Vec<Unsaid>, out: &mut Outbox) {
    for Unsaid { app, text, is_misdeed } in unsaid.drain(..) {
        if is_misdeed {
            out.misbehaved(app, text);
        } else {
            out.note(Some(app), || text);
        }
    }
}

/// Gives an ICMP message to raw sockets, and an error also to the socket whose packet it is about.
fn deliver_icmp(core: &mut Core, packet: Frame, header: &Header, turn: &mut Turn<'_>) -> Delivery {
    let Some(message) = icmp::message(packet.bytes(), header) else {
        turn.out.drop_frame(packet, Cause::Malformed);
        return Delivery::Dropped;
    };
    let had_room = core.raw.deliver(&message);
    match &message.kind {
        // The machine's own business, whoever else has looked.
        IcmpKind::EchoRequest { .. } => return Delivery::NobodyWants(packet),
        IcmpKind::EchoReply { .. } if core.raw.is_empty() => {
            turn.out.drop_frame(packet, Cause::NobodyListens);
            return Delivery::Dropped;
        }
        IcmpKind::EchoReply { .. } if !had_room => {
            turn.out.drop_frame(packet, Cause::ReceiveBufferFull);
            return Delivery::Dropped;
        }
        IcmpKind::EchoReply { .. } | IcmpKind::Other { .. } | IcmpKind::Redirect { .. } => {}
        IcmpKind::ParameterProblem { quote, .. }
        | IcmpKind::TimeExceeded { quote, .. }
        | IcmpKind::Unreachable { quote, .. } => match IpProtocol::from(quote.protocol) {
            IpProtocol::Tcp => core.tcp.deliver_error(&message, turn),
            IpProtocol::Udp => core.udp.deliver_error(&message),
            _ => {}
        },
    }
    turn.out.consume(packet);
    Delivery::Taken
}
