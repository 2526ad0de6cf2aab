//! `dns-resolver`: finds out what it is asked, and remembers it, as Unbound or BIND do.
//!
//! It walks from the root servers down, or asks other resolvers (`forward`), and answers many clients over UDP and TCP.
//! Clients that ask the same thing at the same time wait for the same answer.
//!
//! | file | what it holds |
//! |---|---|
//! | `cache` | what it knows by heart |
//! | `engine` | the walk |
//! | `servers` | how fast which server is |
//! | `turnstile` | one at a time, where there is one port only |
//! | `verdict` | what an answer is worth |

mod cache;
mod engine;
mod servers;
mod turnstile;
mod verdict;

use std::collections::BTreeMap;
use std::future::{poll_fn, ready};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use domain::base::iana::{Class, OptRcode, Rtype};

use self::cache::Limits;
use self::engine::{Answer, Cost, Engine, Failure};
use super::authority::{Over, Zones, unfit};
use super::serve::{Answerer, Answering, Asked, serve};
use super::settings::{self, ZONE_FILES, ZONE_TEXTS, ZONES};
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError};
use crate::read::{Field, Form, Kind, Located, Need, Table};
use crate::wire::dns::{Message, Name, Question, TCP_BYTES_MAX, name_text, type_word};

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dns-resolver",
    doc: "A recursive resolver: finds names by asking from the root down, and remembers what it has found.",
    example: "names = { on = \"server\", kind = \"dns-resolver\", hints = [\"198.51.100.4\"] }",
    fields: &[
        Field {
            name: "hints",
            form: Form::List(&Form::Address),
            need: Need::Optional,
            doc: "The addresses of the root servers.",
        },
        Field {
            name: "forward",
            form: Form::List(&Form::Address),
            need: Need::Optional,
            doc: "Resolvers that are asked in place of a walk from the root.",
        },
        ZONES,
        ZONE_FILES,
        ZONE_TEXTS,
        settings::PORT,
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long the answer of a server is waited for; twice as long the second time.",
        },
        Field {
            name: "give_up",
            form: Form::Duration,
            need: Need::Default("10s"),
            doc: "After how long a client is told that it failed (SERVFAIL).",
        },
        Field {
            name: "edns",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it asks with EDNS, so that answers of more than 512 bytes fit a datagram.",
        },
        Field {
            name: "ids",
            form: Form::OneOf(IDS),
            need: Need::Default("random"),
            doc: "Where the ids of its questions come from; `sequential` is how resolvers were before answers were forged.",
        },
        Field {
            name: "source_port",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Optional,
            doc: "The one port that it asks from, one question at a time; another one each time, at random, if left out.",
        },
        Field {
            name: "cache",
            form: Form::Integer { min: 0, max: CACHE_MAX },
            need: Need::Default("10000"),
            doc: "How many sets of records are remembered; with 0, nothing is.",
        },
        Field {
            name: "ttl_max",
            form: Form::Duration,
            need: Need::Default("86400s"),
            doc: "The longest that something is remembered, whatever its TTL.",
        },
        Field {
            name: "negative_ttl_max",
            form: Form::Duration,
            need: Need::Default("10800s"),
            doc: "The longest that it is remembered that there is nothing.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("queries", "How many queries came from clients."),
    ("tcp", "How many of them came over TCP."),
    ("hits", "How many were answered from memory alone."),
    ("joined", "How many waited for the answer that another one was waiting for already."),
    ("failures", "How many were answered with an error of the resolver's own, or dropped for too much work."),
    ("asked", "How many queries it has sent to other servers."),
    ("asked_by_tcp", "How many of them it has sent again by TCP, because the answer was truncated."),
    ("timeouts", "How many of them were not answered in time."),
    ("lame", "How many answers were of no use: refused, failed, from no authority."),
    ("spoofed", "How many datagrams came that answer nothing that was asked: forged, or late."),
    ("cached", "How many sets of records, and absences of such, it remembers."),
    ("evicted", "How many it had to forget before their time."),
];

const IDS: &[&str] = &["random", "sequential"];

/// The largest cache that can be asked for.
const CACHE_MAX: i64 = 1_000_000;

/// How many questions may be at work at once; further ones fail.
const WORK_MAX: usize = 1000;

/// Where ids come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Random,
    Sequential,
}

#[derive(Debug)]
struct Plan {
    hints: Vec<IpAddr>,
    forward: Vec<IpAddr>,
    zones: Zones,
    port: u16,
    timeout: Duration,
    give_up: Duration,
    edns: bool,
    ids: Ids,
    source_port: Option<u16>,
    limits: Limits,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let zones = settings::zones(table);
    let addresses = |key| {
        let addresses: Vec<Located<IpAddr>> = table.get(key).unwrap_or_default();
        addresses.into_iter().map(|address| address.value).collect::<Vec<IpAddr>>()
    };
    let (hints, forward) = (addresses("hints"), addresses("forward"));
    match (table.has("hints"), table.has("forward")) {
        (false, false) => table.report("kind", "this resolver knows nobody to ask", "`hints` or `forward` is missing"),
        (true, true) => table.report("forward", "this resolver asks both root servers and others", "one of them"),
        _ => {}
    }
    let second = Duration::from_secs(1);
    let (timeout, give_up) = (table.get_or("timeout", second), table.get_or("give_up", second * 10));
    for (key, value) in [("timeout", timeout), ("give_up", give_up)] {
        if value < Duration::from_millis(1) {
            table.report(key, "no answer comes at once", "at least \"1ms\"");
        }
    }
    let entries = fields::integer(table, "cache", 0, CACHE_MAX.unsigned_abs()).unwrap_or(10_000);
    let limits = Limits {
        entries: usize::try_from(entries).unwrap_or(usize::MAX),
        positive_for: table.get_or("ttl_max", Duration::from_secs(86_400)),
        negative_for: table.get_or("negative_ttl_max", Duration::from_secs(10_800)),
    };
    let ids = match table.item("ids").and_then(|_| table.one_of("ids", IDS)) {
        Some("sequential") => Ids::Sequential,
        _ => Ids::Random,
    };
    let plan = Plan {
        hints,
        forward,
        zones: zones?,
        port: settings::port(table),
        timeout,
        give_up,
        edns: table.get_or("edns", true),
        ids,
        source_port: fields::port(table, "source_port"),
        limits,
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let engine = Arc::new(Engine::new(net.clone(), Arc::clone(&plan), Counts::new(&net)));
    let shown = Arc::clone(&engine);
    net.offer_view("dns", move |now| shown.show(now));
    let resolver = Arc::new(Resolver { engine, work: Arc::default() });
    Ok(serve(&net, plan.port, true, resolver).await?)
}

#[derive(Debug)]
struct Counts {
    queries: Tally,
    tcp: Tally,
    hits: Tally,
    joined: Tally,
    failures: Tally,
    asked: Tally,
    asked_by_tcp: Tally,
    timeouts: Tally,
    lame: Tally,
    spoofed: Tally,
}

impl Counts {
    fn new(net: &Net) -> Self {
        let tally = |key| Tally::new(net, key);
        net.report("cached", 0_u64);
        net.report("evicted", 0_u64);
        Self {
            queries: tally("queries"),
            tcp: tally("tcp"),
            hits: tally("hits"),
            joined: tally("joined"),
            failures: tally("failures"),
            asked: tally("asked"),
            asked_by_tcp: tally("asked_by_tcp"),
            timeouts: tally("timeouts"),
            lame: tally("lame"),
            spoofed: tally("spoofed"),
        }
    }
}

struct Resolver {
    engine: Arc<Engine>,
    /// What is being found out, and who else waits for it.
    work: Arc<Mutex<BTreeMap<(Name, Rtype), Job>>>,
}

/// A question that is being worked on.
#[derive(Default)]
struct Job {
    waiting: Vec<Waker>,
    result: Arc<Mutex<Option<Result<Answer, Failure>>>>,
}

impl Answerer for Resolver {
    fn answer(&self, asked: Asked) -> Answering {
        let counts = &self.engine.counts;
        counts.queries.add(1);
        if asked.over == Over::Tcp {
            counts.tcp.add(1);
        }
        let query = match Message::parse(&asked.bytes) {
            Ok(query) if query.is_response => return Box::pin(ready(Vec::new())),
            Ok(query) => query,
            Err(malformed) => {
                counts.failures.add(1);
                return Box::pin(ready(settings::format_error(malformed).into_iter().collect()));
            }
        };
        let room = if asked.over == Over::Tcp { TCP_BYTES_MAX } else { query.udp_room() };
        if let Some(rcode) = self.refusal(&query) {
            counts.failures.add(1);
            return Box::pin(ready(vec![reply(&query, rcode).write(room)]));
        }
        let Some(question) = query.question().cloned() else { return Box::pin(ready(Vec::new())) };
        if let Some((mut own, _)) = self.own(&query, &question) {
            own.offers_recursion = true;
            return Box::pin(ready(vec![own.write(room)]));
        }
        if let Some(answer) = self.engine.known(&question) {
            counts.hits.add(1);
            return Box::pin(ready(vec![filled(&query, answer).write(room)]));
        }
        if !query.wants_recursion {
            counts.failures.add(1);
            return Box::pin(ready(vec![reply(&query, OptRcode::REFUSED).write(room)]));
        }
        let (engine, work) = (Arc::clone(&self.engine), Arc::clone(&self.work));
        Box::pin(async move {
            let answer = find(&engine, &work, &question).await;
            let (cached, evicted) = engine.cached();
            engine.net.report("cached", cached as u64);
            engine.net.report("evicted", evicted);
            let message = match answer {
                Ok(answer) => filled(&query, answer),
                Err(Failure(why)) => {
                    engine.counts.failures.add(1);
                    engine
                        .net
                        .log(|| format!("{} {} fails: {why}", type_word(question.rtype), name_text(&question.name)));
                    reply(&query, OptRcode::SERVFAIL)
                }
            };
            vec![message.write(room)]
        })
    }

    fn is_full(&self) {
        self.engine.counts.failures.add(1);
    }
}

impl Resolver {
    /// Why a query is not answered, if it is not.
    fn refusal(&self, query: &Message) -> Option<OptRcode> {
        unfit(query).or_else(|| {
            let question = query.question()?;
            let is_transfer = matches!(question.rtype, Rtype::AXFR | Rtype::IXFR);
            (is_transfer || question.class != Class::IN).then_some(OptRcode::REFUSED)
        })
    }

    /// The answer from a zone of its own, if the name is in one.
    fn own(&self, query: &Message, question: &Question) -> Option<(Message, super::authority::Outcome)> {
        let zones = &self.engine.plan.zones;
        let is_own = zones.0.iter().any(|zone| question.name.ends_with(&zone.apex));
        is_own.then(|| zones.answer(query))?
    }
}

/// An answer without records.
fn reply(query: &Message, rcode: OptRcode) -> Message {
    let mut message = query.answer(rcode);
    message.offers_recursion = true;
    message
}

/// An answer with what was found.
fn filled(query: &Message, answer: Answer) -> Message {
    let mut message = reply(query, answer.rcode);
    (message.answers, message.authority) = (answer.answers, answer.authority);
    message
}

type Work = Mutex<BTreeMap<(Name, Rtype), Job>>;

fn lock(work: &Work) -> MutexGuard<'_, BTreeMap<(Name, Rtype), Job>> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds something out, or waits for who does already.
async fn find(engine: &Engine, work: &Work, question: &Question) -> Result<Answer, Failure> {
    let key = (question.name.clone(), question.rtype);
    let (is_first, is_full, result) = {
        let mut work = lock(work);
        let is_full = work.len() >= WORK_MAX;
        match work.get(&key) {
            Some(job) => (false, false, Arc::clone(&job.result)),
            None if is_full => (true, true, Arc::default()),
            None => {
                let job = Job::default();
                let result = Arc::clone(&job.result);
                work.insert(key.clone(), job);
                (true, false, result)
            }
        }
    };
    let read =
        |result: &Mutex<Option<Result<Answer, Failure>>>| result.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if is_full {
        return Err(Failure("too many questions at work".to_owned()));
    }
    if !is_first {
        engine.counts.joined.add(1);
        return poll_fn(|context| {
            let mut work = lock(work);
            match (read(&result), work.get_mut(&key)) {
                (Some(result), _) => Poll::Ready(result),
                (None, Some(job)) => {
                    if !job.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                        job.waiting.push(context.waker().clone());
                    }
                    Poll::Pending
                }
                (None, None) => Poll::Ready(Err(Failure("whoever was at it is gone".to_owned()))),
            }
        })
        .await;
    }
    // Whatever happens to this task, who waits for it is not left waiting.
    let done = Done { work, key: &key };
    let cost = Cost::default();
    let found = engine.net.timeout(engine.plan.give_up, engine.resolve(question, &cost, 0)).await;
    let found = found.unwrap_or_else(|_| Err(Failure("it takes too long".to_owned())));
    *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
    drop(done);
    found
}

/// Takes a job off the list, and wakes who waits for it.
struct Done<'w> {
    work: &'w Work,
    key: &'w (Name, Rtype),
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if let Some(job) = lock(self.work).remove(self.key) {
            job.waiting.into_iter().for_each(Waker::wake);
        }
    }
}
