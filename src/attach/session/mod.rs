//! The loop of a session: a run that is paced by the clock.
//!
//! ```text
//!        ┌──▶ read the devices ──▶ what time is it? t
//!        │                              │
//!        │      everything before t happens        (late, if the machine is slow; never in another order)
//!        │      what was read and typed comes in at t, and is recorded
//!        │                              │
//!        └── sleep until a device, a person, or the next event ◀── write to the devices
//! ```
//!
//! The time of whatever comes in is later than all that came in before and than all that has happened, and it comes in when
//! everything before it has happened: a [`replay`](fn@super::replay) does the same, and so gets the same bytes.

mod lag;
mod told;

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::lag::Lag;
pub use self::told::Status;
use self::told::Told;
use super::clock::{Clock, Speed, monotonic};
use super::command::{Command, HELP};
use super::control::{Control, Who};
use super::device::{Device, Refused};
use super::recording::{Attached, Ended, Header, Left, Recorder};
use super::setup::{self, Place, SetupError};
use super::signals::Signals;
use crate::id::NodeId;
use crate::network::Enter;
use crate::scenario::Run;
use crate::time::Time;
use crate::wire::Layer;

/// How many packets are read from one device before anything else is done.
const PACKETS_PER_ROUND: usize = 128;

/// How many events are carried out before the devices are written to.
const EVENTS_PER_SLICE: u32 = 256;

/// How often that may be before signals and people are looked after.
const SLICES_PER_ROUND: u32 = 64;

/// The largest packet or frame that a device hands over: 64 KiB and an Ethernet header with a tag.
const PACKET_BYTES_MAX: usize = 65_535 + 18;

/// How far behind the clock the simulation may be before packets are left in the device's queue, where the kernel counts and
/// drops those beyond a few hundred.
const LAG_TO_READ_MAX: Duration = Duration::from_millis(200);

/// How often the status is told and small things are looked after.
const TICK: Duration = Duration::from_millis(250);

/// How long what outputs have buffered may wait for a reader.
const FLUSH_AFTER: Duration = Duration::from_millis(20);

/// Somebody who is told how a session goes.
pub trait Watcher {
    /// How it goes, a few times a second.
    fn status(&mut self, status: &Status);

    /// Something worth knowing, or the answer to what a person has typed: one line or several.
    fn tell(&mut self, text: &str);
}

/// Why a session is over.
#[derive(Debug)]
pub enum End {
    /// Somebody has deleted the device.
    DeviceGone(String),
    /// The run could not go on.
    Failed,
    /// By Ctrl-C, a signal or `quit`.
    Interrupted,
    /// Who read along has gone away.
    Unread,
    /// The time is up.
    Over,
    /// The process cannot sleep: `poll` fails.
    Poll(io::Error),
}

/// What came in and waits for everything before it to happen.
#[derive(Debug, Default)]
struct Incoming {
    acts: Vec<(Who, String)>,
    /// By device.
    packets: Vec<Vec<Vec<u8>>>,
}

impl Incoming {
    fn is_empty(&self) -> bool {
        self.acts.is_empty() && self.packets.iter().all(Vec::is_empty)
    }
}

/// A run with real kernels at its gateways.
#[derive(Debug)]
pub struct Session {
    ends: Vec<setup::End>,
    routes: Vec<IpNet>,
    signals: Signals,
    recorder: Option<Recorder>,
    /// The present, for people.
    at: Time,
    /// When something last came in.
    last: Time,
    left: Vec<Left>,
    incoming: Incoming,
    buffer: Vec<u8>,
    lag: Lag,
    told: Told,
}

impl Session {
    /// Opens a device at each place, whose `at` is a gateway of the run, and routes the simulated subnets, and `routes`, to it.
    ///
    /// # Errors
    ///
    /// When a device cannot be opened or configured; what was done so far is undone.
    pub fn open(run: &mut Run, places: &[Place], routes: &[IpNet]) -> Result<Self, SetupError> {
        // First of all, so that a signal during the setup does not leave anything behind.
        let signals = Signals::listen().map_err(SetupError::Signals)?;
        let mut ends: Vec<setup::End> = Vec::new();
        for (node, wish) in setup::wishes(&mut run.network, places, routes)? {
            ends.push(setup::End { node, mtu: wish.mtu, device: Device::open(&wish)? });
        }
        for end in &ends {
            if let Some(gateway) = run.network.gateway(end.node) {
                gateway.attach();
            }
        }
        Ok(Self {
            left: vec![Left::default(); ends.len()],
            incoming: Incoming { packets: vec![Vec::new(); ends.len()], ..Incoming::default() },
            ends,
            routes: routes.to_vec(),
            signals,
            recorder: None,
            at: Time::ZERO,
            last: Time::ZERO,
            buffer: vec![0; PACKET_BYTES_MAX],
            lag: Lag::default(),
            told: Told::default(),
        })
    }

    /// The devices, each with its gateway.
    pub fn devices(&self) -> impl Iterator<Item = (NodeId, &Device)> {
        self.ends.iter().map(|end| (end.node, &end.device))
    }

    /// What a recording says of this session, beside its scenario.
    #[must_use]
    pub fn header(&self, run: &Run, scenario: &crate::Scenario) -> Header {
        let (settings, hosts) = scenario.changes();
        let names = run.network.names();
        let gateways = self.ends.iter().map(|end| Attached {
            node: names.node(end.node).to_owned(),
            device: end.device.name().to_owned(),
            layer: end.device.layer(),
        });
        Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: scenario.source_name().to_owned(),
            seed: run.network.seed(),
            scenario: scenario.to_toml().to_owned(),
            settings,
            hosts,
            gateways: gateways.collect(),
            routes: self.routes.iter().map(ToString::to_string).collect(),
        }
    }

    /// Records from now on.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Runs until somebody ends it. The run is then at its end, ready to be finished. Until `from` it does not wait for the
    /// clock: the network has been up for so long when the session begins.
    pub fn go(
        &mut self,
        run: &mut Run,
        from: Time,
        speed: Speed,
        control: &mut Control,
        watcher: &mut dyn Watcher,
    ) -> End {
        run.network.forgive();
        run.network.limit_events(u64::MAX);
        while self.proceed(run, from) == Progress::Busy && run.failure().is_none() {
            if self.signals.has_come() {
                self.conclude(run, run.network.now(), watcher);
                return End::Interrupted;
            }
        }
        let clock = Clock::starting_at(from, speed);
        self.last = from;
        let end = match self.rounds(run, &clock, control, watcher) {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let now = self.moment(&clock).min(run.stop());
        // A run that is far behind would take long to get there, and nobody waits for it any more.
        let stop = if self.proceed(run, now) == Progress::Busy { run.network.now() } else { now };
        self.conclude(run, stop, watcher);
        end
    }

    /// Ends the run and the recording at a time.
    fn conclude(&mut self, run: &mut Run, stop: Time, watcher: &mut dyn Watcher) {
        run.set_stop(stop);
        while self.proceed(run, stop) == Progress::Busy && run.failure().is_none() {}
        self.end_recording(stop, watcher);
        self.at = stop;
        watcher.status(&self.status(run));
    }

    fn rounds(
        &mut self,
        run: &mut Run,
        clock: &Clock,
        control: &mut Control,
        watcher: &mut dyn Watcher,
    ) -> Result<std::convert::Infallible, End> {
        let mut ticked_at = Duration::ZERO;
        let mut flushed_at = Duration::ZERO;
        let mut is_dirty = true;
        loop {
            if self.signals.has_come() {
                return Err(End::Interrupted);
            }
            let progress = self.round(run, clock, control, watcher)?;
            is_dirty |= progress != Progress::Idle;
            let now = monotonic();
            if now.saturating_sub(ticked_at) >= TICK {
                ticked_at = now;
                self.tick(run, watcher);
                if run.is_unread() {
                    return Err(End::Unread);
                }
            }
            let mut wait = match progress {
                Progress::Busy => Duration::ZERO,
                Progress::Done | Progress::Idle => {
                    let next = run.network.next_at().unwrap_or(Time::MAX).min(run.stop());
                    clock.real_until(next)
                }
            };
            if is_dirty {
                let waited = now.saturating_sub(flushed_at);
                if waited >= FLUSH_AFTER {
                    flushed_at = now;
                    is_dirty = false;
                    self.flush(run, watcher);
                } else {
                    wait = wait.min(FLUSH_AFTER.saturating_sub(waited));
                }
            }
            let until_tick = TICK.saturating_sub(monotonic().saturating_sub(ticked_at));
            self.sleep(wait.min(until_tick), run, control, watcher)?;
        }
    }

    /// Takes in what is there, and has happen what is due.
    fn round(
        &mut self,
        run: &mut Run,
        clock: &Clock,
        control: &mut Control,
        watcher: &mut dyn Watcher,
    ) -> Result<Progress, End> {
        let lag = self.lag.measure(run.network.next_at(), clock.now());
        if let Some(warning) = self.lag.warning(monotonic()) {
            watcher.tell(&warning);
        }
        if clock.real_of(lag) <= LAG_TO_READ_MAX {
            self.read_devices(watcher)?;
        }
        let now = self.moment(clock).min(run.stop());
        self.at = now;
        let before = Time::from_nanos(now.as_nanos().saturating_sub(1));
        let mut progress = self.proceed(run, before);
        if progress == Progress::Busy {
            // What came in waits until everything before it has happened.
            return self.checked(run, progress);
        }
        if !self.incoming.is_empty() && now > self.last {
            self.last = now;
            self.let_in(run, now, control, watcher);
            self.proceed(run, now);
            progress = Progress::Busy;
            for complaint in run.network.take_complaints() {
                watcher.tell(&complaint);
            }
        }
        if now >= run.stop() {
            return Err(End::Over);
        }
        self.checked(run, progress)
    }

    fn checked(&self, run: &Run, progress: Progress) -> Result<Progress, End> {
        if run.failure().is_some() { Err(End::Failed) } else { Ok(progress) }
    }

    /// The present, later than all that came in before.
    fn moment(&self, clock: &Clock) -> Time {
        clock.now().max(Time::from_nanos(self.last.as_nanos() + 1))
    }

    fn read_devices(&mut self, watcher: &mut dyn Watcher) -> Result<(), End> {
        for (end, packets) in self.ends.iter_mut().zip(&mut self.incoming.packets) {
            while packets.len() < PACKETS_PER_ROUND {
                match end.device.read(&mut self.buffer) {
                    Ok(Some(length)) => {
                        self.told.entered += 1;
                        packets.push(self.buffer[..length].to_vec());
                    }
                    Ok(None) => break,
                    Err(Refused::Gone) => return Err(End::DeviceGone(end.device.name().to_owned())),
                    Err(refused) => {
                        if let Some(text) = self.told.refused(end.device.name(), &refused) {
                            watcher.tell(&text);
                        }
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Has everything happen until a time, as far as one round goes, and writes what is for the kernels.
    fn proceed(&mut self, run: &mut Run, until: Time) -> Progress {
        let before = run.network.events();
        for _ in 0..SLICES_PER_ROUND {
            let has_more = run.advance(until, EVENTS_PER_SLICE);
            self.write_devices(run);
            if !has_more {
                return if run.network.events() == before { Progress::Idle } else { Progress::Done };
            }
        }
        Progress::Busy
    }

    fn write_devices(&mut self, run: &mut Run) {
        for (end, left) in self.ends.iter_mut().zip(&mut self.left) {
            while let Some(frame) = run.network.leaving(end.node) {
                left.add(frame.bytes());
                match end.device.write(frame.bytes()) {
                    Ok(()) => self.told.left += 1,
                    Err(refused) => self.told.not_written(end.device.name(), &refused),
                }
                run.network.recycle(frame);
            }
        }
    }

    /// What waits comes in now.
    fn let_in(&mut self, run: &mut Run, now: Time, control: &mut Control, watcher: &mut dyn Watcher) {
        let mut written = Ok(());
        for (who, entry) in std::mem::take(&mut self.incoming.acts) {
            let answer = match run.act(now, &entry) {
                Ok(described) => {
                    written = written.and_then(|()| self.recorder.as_mut().map_or(Ok(()), |to| to.act(now, &entry)));
                    format!("{now} s: {described}")
                }
                Err(mistakes) => mistakes.render(false),
            };
            answer_to(who, &answer, control, watcher);
        }
        for (index, (end, packets)) in self.ends.iter().zip(&mut self.incoming.packets).enumerate() {
            if packets.is_empty() {
                continue;
            }
            let packets = std::mem::take(packets);
            written =
                written.and_then(|()| self.recorder.as_mut().map_or(Ok(()), |to| to.packets(now, index, &packets)));
            run.network.plan(now, Box::new(Enter { node: end.node, packets }));
        }
        self.check_recording(written, watcher);
    }

    /// Sleeps until something is there or the time is up, and takes what people have typed.
    fn sleep(
        &mut self,
        wait: Duration,
        run: &mut Run,
        control: &mut Control,
        watcher: &mut dyn Watcher,
    ) -> Result<(), End> {
        let typed_at = 1 + 2 * self.ends.len();
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        let ends = self.ends.iter().flat_map(|end| [end.device.as_fd(), end.device.monitor()]);
        fds.extend(ends.chain(control.fds()).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: i64::from(wait.subsec_nanos()) };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(errno) => return Err(End::Poll(errno.into())),
        }
        let has_typed = fds[typed_at..].iter().any(|fd| !fd.revents().is_empty());
        let has_changed: Vec<bool> =
            fds[1..typed_at].chunks_exact(2).map(|pair| !pair[1].revents().is_empty()).collect();
        drop(fds);
        for (end, _) in self.ends.iter_mut().zip(has_changed).filter(|(_, has_changed)| *has_changed) {
            for change in end.device.changes() {
                watcher.tell(&format!("{change}; the link behind it carries {}", end.mtu));
            }
            if end.device.is_gone() {
                return Err(End::DeviceGone(end.device.name().to_owned()));
            }
        }
        if has_typed {
            for (who, line) in control.lines() {
                self.obey(who, &line, run, control, watcher)?;
            }
        }
        Ok(())
    }

    fn obey(
        &mut self,
        who: Who,
        line: &str,
        run: &mut Run,
        control: &mut Control,
        watcher: &mut dyn Watcher,
    ) -> Result<(), End> {
        let answer = match line.parse() {
            Ok(Command::Act(entry)) => {
                self.incoming.acts.push((who, entry));
                return Ok(());
            }
            Ok(Command::Quit) => {
                answer_to(who, "bye", control, watcher);
                return Err(End::Interrupted);
            }
            Ok(Command::Nothing) if who == Who::Person => return Ok(()),
            Ok(Command::Nothing) => String::new(),
            Ok(Command::Help) => HELP.to_owned(),
            Ok(Command::Status) => self.status(run).to_string(),
            Ok(Command::Get(name)) => match run.network.fact(&name) {
                Some(value) => format!("{name} = {value}"),
                None => format!("there is no `{name}` now"),
            },
            Ok(Command::Show { node, what }) => show(run, &node, what.as_deref()),
            Err(error) => error.to_string(),
        };
        answer_to(who, &answer, control, watcher);
        Ok(())
    }

    fn tick(&mut self, run: &mut Run, watcher: &mut dyn Watcher) {
        for end in &mut self.ends {
            let mtu = run.network.machine(end.node).map_or(end.mtu, |machine| machine.mtu());
            if mtu != end.mtu {
                end.mtu = mtu;
                let name = end.device.name().to_owned();
                let done = if end.device.follow_mtu(mtu) { "follows" } else { "does not follow" };
                watcher.tell(&format!("the link behind {name} carries {mtu} now; the device {done}"));
            }
        }
        for text in self.told.news() {
            watcher.tell(&text);
        }
        watcher.status(&self.status(run));
    }

    fn status(&self, run: &Run) -> Status {
        self.told.status(self.at, run.network.dropped(), &self.lag)
    }

    fn flush(&mut self, run: &mut Run, watcher: &mut dyn Watcher) {
        run.flush();
        let written = self.recorder.as_mut().map_or(Ok(()), Recorder::flush);
        self.check_recording(written, watcher);
    }

    /// A disk that is full ends the recording, not the session.
    fn check_recording(&mut self, written: io::Result<()>, watcher: &mut dyn Watcher) {
        if let Err(error) = written {
            self.recorder = None;
            watcher.tell(&format!("the recording ends here, without its end: {error}"));
        }
    }

    fn end_recording(&mut self, at: Time, watcher: &mut dyn Watcher) {
        let ended = Ended { at, left: self.left.clone() };
        if let Some(Err(error)) = self.recorder.take().map(|recorder| recorder.end(&ended)) {
            watcher.tell(&format!("the recording ends here, without its end: {error}"));
        }
    }
}

/// How a round went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is more to do at once.
    Busy,
    /// What was due has happened.
    Done,
    /// Nothing was due.
    Idle,
}

fn answer_to(who: Who, text: &str, control: &mut Control, watcher: &mut dyn Watcher) {
    match who {
        Who::Person => watcher.tell(text.trim_end()),
        Who::Client(number) => control.answer(number, text),
    }
}

fn show(run: &Run, node: &str, what: Option<&str>) -> String {
    let Some(id) = run.network.find_node(node) else {
        let names = run.network.names().nodes.iter().map(|node| node.name.as_str());
        let near = crate::read::nearest(node, names).map(|near| format!(": did you mean `{near}`?"));
        return format!("no node is called `{node}`{}", near.unwrap_or_default());
    };
    let views = run.network.views(id).join(", ");
    match what.map(|what| run.network.show(id, what)) {
        None => format!("`{node}` can show {views}"),
        Some(None) => format!("`{node}` cannot show that; known: {views}"),
        Some(Some(text)) if text.is_empty() => "nothing".to_owned(),
        Some(Some(text)) => text,
    }
}

/// How the header of a status spells a device's kind.
impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.layer() == Layer::Ip { "tun" } else { "tap" };
        write!(f, "{} ({kind})", self.name())
    }
}
