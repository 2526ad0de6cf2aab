//! Programs: async functions that a machine can start, stop and start again.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::context::Net;
use super::executor::caught;
use super::task::JoinError;
use crate::id::AppId;
use crate::record::Value;
use crate::rng::Rng;
use crate::time::Time;

/// A program while it runs.
pub type ProgramFuture = Pin<Box<dyn Future<Output = Result<(), ProgramError>> + Send>>;

/// Why a program failed: one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProgramError(String);

impl ProgramError {
    /// A failure in the program's own words: lower case, no full stop.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<io::Error> for ProgramError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// An error and what caused it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        // Some say already what caused them.
        if text.ends_with(&cause) { text } else { format!("{text}: {cause}") }
    })
}

impl From<Box<dyn std::error::Error + Send + Sync>> for ProgramError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self(chain(&*error))
    }
}

impl From<hyper::Error> for ProgramError {
    fn from(error: hyper::Error) -> Self {
        Self(chain(&error))
    }
}

impl From<hyper::http::Error> for ProgramError {
    fn from(error: hyper::http::Error) -> Self {
        Self(chain(&error))
    }
}

impl From<JoinError> for ProgramError {
    fn from(error: JoinError) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for ProgramError {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for ProgramError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Something that a machine can run: an async function over [`Net`], which may be started any number of times.
///
/// ```
/// use hopwise::net::{Program, UdpSocket};
///
/// let echo = Program::new(|net| async move {
///     let socket = UdpSocket::bind(&net, 7)?;
///     let mut buffer = [0; 1500];
///     loop {
///         let (length, from) = socket.recv_from(&mut buffer).await?;
///         socket.send_to(&buffer[..length], from).await?;
///     }
/// });
/// # let _ = echo;
/// ```
#[derive(Clone)]
pub struct Program {
    start: Arc<dyn Fn(Net) -> ProgramFuture + Send + Sync>,
    is_early: bool,
}

impl Program {
    /// The program that `main` is.
    pub fn new<F, Fut>(main: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        Self { start: Arc::new(move |net| Box::pin(main(net))), is_early: false }
    }

    /// The same, begun while its machine's addresses are not known yet: it is to find them, or needs none.
    #[must_use]
    pub fn early(self) -> Self {
        Self { is_early: true, ..self }
    }

    /// Whether it begins before addresses are known.
    pub(crate) fn is_early(&self) -> bool {
        self.is_early
    }

    /// A fresh run of the program, not polled yet.
    pub(crate) fn start(&self, net: Net) -> ProgramFuture {
        (self.start)(net)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}

/// How many times the tasks of one program may be polled at one instant.
///
/// Ten thousand connections that open at once take some thirty thousand; a program that wakes itself for ever reaches
/// it at once.
pub(crate) const POLLS_PER_INSTANT_MAX: u32 = 100_000;

/// How many datagrams and raw messages one program may send at one instant.
pub(crate) const PACKETS_PER_INSTANT_MAX: u32 = 100_000;

/// Where a program is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Failed,
    Finished,
    Running,
    Stopped,
    Waiting,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
        }
    }
}

/// What a program shows of itself.
pub(crate) type View = Box<dyn Fn(Time) -> String + Send + Sync>;

struct Views(Vec<(&'static str, View)>);

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(what, _)| what)).finish()
    }
}

/// What is known of one program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) state: State,
    program: Program,
    started: Option<Time>,
    ended: Option<Time>,
    error: Option<String>,
    /// In the order in which they were first made.
    reports: Vec<(String, Value)>,
    /// Where the next report is probably kept: programs report the same things in the same order again and again.
    next_report: usize,
    luck: Rng,
    /// What it keeps over crashes, by name.
    saved: BTreeMap<String, Vec<u8>>,
    /// What it shows while it runs.
    views: Views,
    /// The instant that the two counts are of.
    counted_at: Time,
    polls: u32,
    packets: u32,
}

/// What is known of every program of a machine.
#[derive(Debug)]
pub(crate) struct Programs {
    seed: u64,
    /// By id. Not a tree, whose smallest node has room for eleven.
    runs: Vec<(AppId, Run)>,
}

/// A program has done too much at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Runaway;

impl Programs {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, runs: Vec::new() }
    }

    pub(crate) fn add(&mut self, app: AppId, name: String, program: Program) {
        let luck = Rng::stream(self.seed, &format!("app {name}"));
        let run = Run {
            name,
            state: State::Waiting,
            program,
            started: None,
            ended: None,
            error: None,
            reports: Vec::new(),
            next_report: 0,
            luck,
            saved: BTreeMap::new(),
            views: Views(Vec::new()),
            counted_at: Time::ZERO,
            polls: 0,
            packets: 0,
        };
        if self.runs.is_empty() {
            // Most machines have one.
            self.runs.reserve_exact(1);
        }
        match self.place(app) {
            Ok(place) => self.runs[place].1 = run,
            Err(place) => self.runs.insert(place, (app, run)),
        }
    }

    fn place(&self, app: AppId) -> Result<usize, usize> {
        self.runs.binary_search_by_key(&app, |(app, _)| *app)
    }

    fn get_mut(&mut self, app: AppId) -> Option<&mut Run> {
        let place = self.place(app).ok()?;
        Some(&mut self.runs[place].1)
    }

    pub(crate) fn get(&self, app: AppId) -> Option<&Run> {
        Some(&self.runs[self.place(app).ok()?].1)
    }

    pub(crate) fn running(&self) -> Vec<AppId> {
        self.runs.iter().filter(|(_, run)| run.state == State::Running).map(|(app, _)| *app).collect()
    }

    /// A program begins; what it had reported before is forgotten. `None` if there is no such program.
    pub(crate) fn begin(&mut self, app: AppId, now: Time) -> Option<Program> {
        let run = self.get_mut(app)?;
        run.state = State::Running;
        (run.started, run.ended, run.error) = (Some(now), None, None);
        run.reports.clear();
        run.views.0.clear();
        Some(run.program.clone())
    }

    /// A program has ended, for the reason that `state` says.
    pub(crate) fn end(&mut self, app: AppId, state: State, error: Option<String>, now: Time) {
        if let Some(run) = self.get_mut(app) {
            (run.state, run.ended, run.error) = (state, Some(now), error);
            run.views.0.clear();
        }
    }

    pub(crate) fn save(&mut self, app: AppId, name: String, bytes: Option<Vec<u8>>) {
        if let Some(run) = self.get_mut(app) {
            match bytes {
                Some(bytes) => drop(run.saved.insert(name, bytes)),
                None => drop(run.saved.remove(&name)),
            }
        }
    }

    pub(crate) fn saved(&self, app: AppId) -> Vec<(String, Vec<u8>)> {
        let saved = self.get(app).into_iter().flat_map(|run| &run.saved);
        saved.map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
    }

    pub(crate) fn offer_view(&mut self, app: AppId, what: &'static str, view: View) {
        if let Some(run) = self.get_mut(app) {
            run.views.0.retain(|(known, _)| *known != what);
            run.views.0.push((what, view));
        }
    }

    /// What all programs show under a name, one after the other.
    pub(crate) fn show(&self, what: &str, now: Time) -> String {
        let views = self.runs.iter().flat_map(|(_, run)| &run.views.0);
        let shown = views.filter(|(known, _)| *known == what).map(|(_, view)| caught(|| view(now)));
        shown.map(|shown| shown.unwrap_or_else(|said| format!("cannot be shown: {said}\n"))).collect()
    }

    /// Forgets what programs show: it may hold them.
    pub(crate) fn forget_views(&mut self) {
        self.runs.iter_mut().for_each(|(_, run)| run.views.0.clear());
    }

    pub(crate) fn report(&mut self, app: AppId, key: &str, value: Value) {
        if let Some(run) = self.get_mut(app) {
            run.report(key, value);
        }
    }

    /// The program's stream of luck.
    pub(crate) fn luck(&mut self, app: AppId) -> Option<&mut Rng> {
        self.get_mut(app).map(|run| &mut run.luck)
    }

    /// Counts a poll of one of the program's tasks.
    pub(crate) fn count_poll(&mut self, app: AppId, now: Time) -> Result<(), Runaway> {
        let Some(run) = self.get_mut(app) else { return Ok(()) };
        run.counts_at(now);
        run.polls += 1;
        if run.polls > POLLS_PER_INSTANT_MAX { Err(Runaway) } else { Ok(()) }
    }

    /// Counts a datagram or raw message that the program sends.
    pub(crate) fn count_packet(&mut self, app: AppId, now: Time) -> Result<(), Runaway> {
        let Some(run) = self.get_mut(app) else { return Ok(()) };
        run.counts_at(now);
        run.packets += 1;
        if run.packets > PACKETS_PER_INSTANT_MAX { Err(Runaway) } else { Ok(()) }
    }

    /// Why the program cannot go on, if it has done too much at this instant.
    pub(crate) fn runaway(&self, app: AppId, host: &str) -> Option<String> {
        let Run { name, counted_at, polls, packets, .. } = self.get(app)?;
        let what = if *polls > POLLS_PER_INSTANT_MAX {
            format!("{POLLS_PER_INSTANT_MAX} polls")
        } else if *packets > PACKETS_PER_INSTANT_MAX {
            format!("{PACKETS_PER_INSTANT_MAX} packets")
        } else {
            return None;
        };
        Some(format!("program `{name}` on `{host}` never yields: {what} at {counted_at} s"))
    }

    /// How messages call a program.
    pub(crate) fn title(&self, app: AppId, host: &str) -> String {
        let name = self.get(app).map_or("?", |run| run.name.as_str());
        format!("program `{name}` on `{host}`")
    }

    /// What a program has reported under `key`, or what is known of every program.
    pub(crate) fn outcome(&self, app: AppId, key: &str) -> Option<Value> {
        let run = self.get(app)?;
        run.automatic()
            .into_iter()
            .find(|(name, _)| *name == key)
            .map_or_else(|| run.reported(key), |(_, value)| Some(value))
    }

    /// What is known of every program, then what this one has reported, by name.
    pub(crate) fn outcomes(&self, app: AppId) -> Vec<(String, Value)> {
        let Some(run) = self.get(app) else { return Vec::new() };
        let automatic = run.automatic();
        let is_automatic = |key: &str| automatic.iter().any(|(name, _)| *name == key);
        let reported = run.reports.iter().filter(|(key, _)| !is_automatic(key));
        let mut reported: Vec<_> = reported.map(|(key, value)| (key.clone(), value.clone())).collect();
        reported.sort_by(|(one, _), (other, _)| one.cmp(other));
        automatic.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(reported).collect()
    }
}

impl Run {
    fn report(&mut self, key: &str, value: Value) {
        let is_there = |index: usize| self.reports.get(index).is_some_and(|(name, _)| name == key);
        let index = if is_there(self.next_report) {
            Some(self.next_report)
        } else {
            self.reports.iter().position(|(name, _)| name == key)
        };
        match index {
            Some(index) => self.reports[index].1 = value,
            None => self.reports.push((key.to_owned(), value)),
        }
        let index = index.unwrap_or(self.reports.len() - 1) + 1;
        self.next_report = if index < self.reports.len() { index } else { 0 };
    }

    fn reported(&self, key: &str) -> Option<Value> {
        self.reports.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    fn counts_at(&mut self, now: Time) {
        if self.counted_at != now {
            (self.counted_at, self.polls, self.packets) = (now, 0, 0);
        }
    }

    fn automatic(&self) -> Vec<(&'static str, Value)> {
        let mut outcomes = vec![("state", Value::from(self.state.name()))];
        if let Some(started) = self.started {
            outcomes.push(("started", started.since(Time::ZERO).into()));
            if let Some(ended) = self.ended {
                outcomes.push(("elapsed", ended.since(started).into()));
            }
        }
        if let Some(error) = &self.error {
            outcomes.push(("error", error.as_str().into()));
        }
        outcomes
    }

    /// How long it ran, if it has ended.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        Some(self.ended?.since(self.started?))
    }
}
