//! The walk from the root to an authority (RFC 1034 §5.3.3), or the question to a forwarder.
//!
//! ```text
//!  resolve ── for each alias: step ── known? ── else walk from the nearest zone that is known:
//!                                                 ask its servers, best first ── judge ── referral: go on below
//!                                                                                      └─ answer: keep, done
//! ```
//!
//! Everything is bounded: how many questions one question may cost, how deep finding a name server's address may lead,
//! how long all of it may take.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::base::Name as DomainName;
use domain::base::iana::{OptRcode, Rtype};

use super::cache::{Cache, Known, Trust};
use super::servers::Servers;
use super::turnstile::Turnstile;
use super::verdict::{End, Verdict, judge};
use super::{Counts, Ids, Plan};
use crate::net::resolve::{Reply, ask_by_tcp, ask_by_udp};
use crate::net::{Local, Net};
use crate::wire::dns::{Data, Edns, Message, Name, PORT, Question, Record, name_text, type_word};

/// How many aliases in a row are followed.
const ALIASES_MAX: usize = 16;

/// How many questions to other servers one question may cost.
const QUESTIONS_MAX: u32 = 100;

/// How many zones a walk may pass.
const ZONES_MAX: usize = 32;

/// How deep the search for the address of a name server's name server may lead.
const DEPTH_MAX: usize = 6;

/// How many addresses of one zone's servers are tried.
const ADDRESSES_MAX: usize = 16;

/// How often all servers of a zone are asked.
const ROUNDS: u32 = 2;

/// What a question comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) rcode: OptRcode,
    pub(super) answers: Vec<Record>,
    pub(super) authority: Vec<Record>,
}

/// Why a question cannot be answered, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) String);

/// What one name comes to, aliases not followed.
enum Step {
    Alias(Vec<Record>, Name),
    Nothing { aliases: Vec<Record>, is_name_missing: bool, soa: Option<Record> },
    Records(Vec<Record>),
}

/// The servers of a zone.
#[derive(Debug, Clone)]
struct Zone {
    name: Name,
    /// By their names; none for the root's, of which the addresses are given, and for forwarders.
    servers: Vec<Name>,
    addresses: Vec<IpAddr>,
    is_forwarder: bool,
}

/// What a resolver knows and has.
pub(super) struct Engine {
    pub(super) net: Net,
    pub(super) plan: Arc<Plan>,
    pub(super) counts: Counts,
    state: Mutex<State>,
    /// Who may use the one port, where there is only one.
    turnstile: Turnstile,
}

struct State {
    cache: Cache,
    servers: Servers,
    next_id: u16,
}

/// What one question has cost so far.
#[derive(Debug, Default)]
pub(super) struct Cost(AtomicU32);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Engine {
    pub(super) fn new(net: Net, plan: Arc<Plan>, counts: Counts) -> Self {
        let state = State { cache: Cache::new(plan.limits), servers: Servers::default(), next_id: 1 };
        Self { net, plan, counts, state: Mutex::new(state), turnstile: Turnstile::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, for people.
    pub(super) fn show(&self, now: crate::time::Time) -> String {
        self.state().cache.show(now)
    }

    /// How much is known, and how much was thrown out early.
    pub(super) fn cached(&self) -> (usize, u64) {
        let state = self.state();
        (state.cache.len(), state.cache.evicted)
    }

    /// The answer to a question, if no one needs to be asked.
    pub(super) fn known(&self, question: &Question) -> Option<Answer> {
        let (mut answers, mut name) = (Vec::new(), question.name.clone());
        for _ in 0..=ALIASES_MAX {
            match self.known_step(&name, question.rtype)? {
                Step::Records(records) => {
                    answers.extend(records);
                    return Some(Answer { rcode: OptRcode::NOERROR, answers, authority: Vec::new() });
                }
                Step::Nothing { is_name_missing, soa, .. } => return Some(nothing(answers, is_name_missing, soa)),
                Step::Alias(records, target) => {
                    answers.extend(records);
                    name = target;
                }
            }
        }
        None
    }

    fn known_step(&self, name: &Name, rtype: Rtype) -> Option<Step> {
        let now = self.net.now();
        let state = self.state();
        let cache = &state.cache;
        let missing = cache.get(name, None, Trust::Answer, now);
        match missing.or_else(|| cache.get(name, Some(rtype), Trust::Answer, now)) {
            Some(Known::Records(records)) => return Some(Step::Records(records)),
            Some(Known::Nothing { soa }) => {
                let is_name_missing = cache.get(name, None, Trust::Answer, now).is_some();
                return Some(Step::Nothing { aliases: Vec::new(), is_name_missing, soa: Some(soa) });
            }
            None => {}
        }
        let alias = cache.records(name, Rtype::CNAME, Trust::Answer, now);
        match alias.first().map(Record::data) {
            Some(Data::Cname(target)) if rtype != Rtype::ANY => {
                let target = target.cname().clone();
                Some(Step::Alias(alias, target))
            }
            _ => None,
        }
    }

    /// Finds the answer to a question, whatever it takes, within its bounds.
    pub(super) fn resolve<'a>(
        &'a self,
        question: &'a Question,
        cost: &'a Cost,
        depth: usize,
    ) -> Boxed<'a, Result<Answer, Failure>> {
        Box::pin(async move {
            let (mut answers, mut name): (Vec<Record>, Name) = (Vec::new(), question.name.clone());
            for _ in 0..=ALIASES_MAX {
                let step = match self.known_step(&name, question.rtype) {
                    Some(step) => step,
                    None => self.walk(&Question::new(name.clone(), question.rtype), cost, depth).await?,
                };
                match step {
                    Step::Records(records) => {
                        answers.extend(records);
                        return Ok(Answer { rcode: OptRcode::NOERROR, answers, authority: Vec::new() });
                    }
                    Step::Nothing { aliases, is_name_missing, soa } => {
                        answers.extend(aliases);
                        return Ok(nothing(answers, is_name_missing, soa));
                    }
                    Step::Alias(records, target) => {
                        let is_loop = target == question.name || answers.iter().any(|one| *one.owner() == target);
                        answers.extend(records);
                        if is_loop {
                            return Err(Failure("aliases in a circle".to_owned()));
                        }
                        name = target;
                    }
                }
            }
            Err(Failure("too many aliases in a row".to_owned()))
        })
    }

    /// Asks from the nearest zone that is known downwards.
    async fn walk(&self, question: &Question, cost: &Cost, depth: usize) -> Result<Step, Failure> {
        let mut zone = self.nearest_zone(question);
        for _ in 0..ZONES_MAX {
            match self.ask_zone(&zone, question, cost, depth).await? {
                Verdict::Found { aliases, end } => return Ok(self.keep(question, aliases, end)),
                Verdict::Referral { cut, servers, glue } => {
                    let now = self.net.now();
                    let names = servers.iter().filter_map(server_name).collect();
                    let mut state = self.state();
                    state.cache.put(servers, Trust::Referral, now);
                    let mut addresses: Vec<IpAddr> = Vec::new();
                    for set in sets(glue) {
                        addresses.extend(set.iter().filter_map(address));
                        state.cache.put(set, Trust::Glue, now);
                    }
                    zone = Zone { name: cut, servers: names, addresses, is_forwarder: false };
                }
                Verdict::Useless(why) => return Err(Failure(why.to_owned())),
            }
        }
        Err(Failure("too many zones on the way".to_owned()))
    }

    /// The zone from which to start: the nearest to the name whose servers are known, or the root.
    fn nearest_zone(&self, question: &Question) -> Zone {
        let root = DomainName::root_bytes();
        if !self.plan.forward.is_empty() {
            return Zone { name: root, servers: Vec::new(), addresses: self.plan.forward.clone(), is_forwarder: true };
        }
        let now = self.net.now();
        let state = self.state();
        // The servers of a name itself are those of its zone; but who asks for a DS record asks above (RFC 4035 §3.1.4.1).
        let skipped = usize::from(question.rtype == Rtype::DS);
        for name in question.name.iter_suffixes().skip(skipped) {
            let records = state.cache.records(&name, Rtype::NS, Trust::Referral, now);
            let servers: Vec<Name> = records.iter().filter_map(server_name).collect();
            // Servers that can only be found by asking them are no way to begin.
            let is_reachable = |server: &Name| {
                !server.ends_with(&name)
                    || [Rtype::A, Rtype::AAAA]
                        .iter()
                        .any(|rtype| !state.cache.records(server, *rtype, Trust::Glue, now).is_empty())
            };
            if servers.iter().any(is_reachable) {
                return Zone { name, servers, addresses: Vec::new(), is_forwarder: false };
            }
        }
        Zone { name: root, servers: Vec::new(), addresses: self.plan.hints.clone(), is_forwarder: false }
    }

    /// Asks a zone's servers, best first, until one is of use.
    async fn ask_zone(&self, zone: &Zone, question: &Question, cost: &Cost, depth: usize) -> Result<Verdict, Failure> {
        let mut why = format!("no server of {} has an address", name_text(&zone.name));
        let mut addresses = self.addresses(zone);
        let mut unknown: Vec<Name> = zone.servers.clone();
        let mut failed = Vec::new();
        for round in 0..ROUNDS {
            loop {
                let Some(server) = self.best(&addresses, &failed) else {
                    // Nobody is left of whom an address is known: the names of the others are names like any other.
                    let Some(name) = unknown.pop() else { break };
                    let found = self.find_server(zone, &name, cost, depth).await;
                    addresses
                        .extend(found.into_iter().filter(|address| !addresses.contains(address)).collect::<Vec<_>>());
                    addresses.truncate(ADDRESSES_MAX);
                    continue;
                };
                failed.push(server);
                let reply = match self.exchange(server, zone, question, cost, round).await {
                    Ok(reply) => reply,
                    Err(Failure(error)) => {
                        why = format!("{server}: {error}");
                        continue;
                    }
                };
                match judge(question, &zone.name, zone.is_forwarder, &reply.message) {
                    Verdict::Useless(reason) => {
                        why = format!("{server} is of no use for {}: {reason}", name_text(&zone.name));
                        self.counts.lame.add(1);
                        self.net.log(|| why.clone());
                        self.state().servers.failed(server, self.plan.timeout, self.net.now());
                    }
                    verdict => return Ok(verdict),
                }
            }
            failed.clear();
        }
        Err(Failure(why))
    }

    /// The addresses that are known of a zone's servers.
    fn addresses(&self, zone: &Zone) -> Vec<IpAddr> {
        let now = self.net.now();
        let mut addresses = zone.addresses.clone();
        let state = self.state();
        for server in &zone.servers {
            for rtype in [Rtype::A, Rtype::AAAA] {
                let records = state.cache.records(server, rtype, Trust::Glue, now);
                addresses.extend(
                    records.iter().filter_map(address).filter(|one| !addresses.contains(one)).collect::<Vec<_>>(),
                );
            }
        }
        drop(state);
        // Those of a family that leads nowhere from here are none.
        addresses.retain(|address| self.net.source_for(*address).is_ok());
        addresses.truncate(ADDRESSES_MAX);
        addresses
    }

    /// Of those that have not failed just now the one that costs least; of several, any.
    fn best(&self, addresses: &[IpAddr], failed: &[IpAddr]) -> Option<IpAddr> {
        let now = self.net.now();
        let left: Vec<IpAddr> = addresses.iter().copied().filter(|address| !failed.contains(address)).collect();
        let least = {
            let state = self.state();
            let cost = |address: &IpAddr| state.servers.cost(*address, now);
            let least = left.iter().map(cost).min()?;
            left.into_iter().filter(|address| cost(address) == least).collect::<Vec<_>>()
        };
        let any = if least.len() > 1 { self.net.random_below(least.len() as u64) } else { 0 };
        least.get(usize::try_from(any).unwrap_or(0)).copied()
    }

    /// Finds the addresses of a name server by its name.
    async fn find_server(&self, zone: &Zone, name: &Name, cost: &Cost, depth: usize) -> Vec<IpAddr> {
        // A server inside the zone that it serves can only be found by the glue that there was not.
        if depth >= DEPTH_MAX || name.ends_with(&zone.name) {
            return Vec::new();
        }
        let mut found = Vec::new();
        // What could not be reached need not be known.
        for rtype in [Rtype::A, Rtype::AAAA].into_iter().filter(|rtype| !self.has_no(*rtype)) {
            if let Ok(answer) = self.resolve(&Question::new(name.clone(), rtype), cost, depth + 1).await {
                found.extend(answer.answers.iter().filter_map(address));
            }
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// Whether the machine has no address of a family.
    fn has_no(&self, rtype: Rtype) -> bool {
        let interfaces = self.net.interfaces().unwrap_or_default();
        let is_wanted = |address: IpAddr| address.is_ipv4() == (rtype == Rtype::A);
        !interfaces.iter().flat_map(|one| &one.addresses).any(|net| is_wanted(net.addr()))
    }

    /// Asks one server, by TCP if the answer does not fit, without EDNS if it does not know that.
    async fn exchange(
        &self,
        server: IpAddr,
        zone: &Zone,
        question: &Question,
        cost: &Cost,
        round: u32,
    ) -> Result<Reply, Failure> {
        let limit = self.plan.timeout * 2_u32.pow(round);
        for _ in 0..2 {
            if cost.0.fetch_add(1, Ordering::Relaxed) >= QUESTIONS_MAX {
                return Err(Failure("this costs too many questions".to_owned()));
            }
            let now = self.net.now();
            let edns = (self.plan.edns && self.state().servers.knows_edns(server, now)).then(Edns::default);
            let query = Message::query(self.id(), question.clone(), zone.is_forwarder, edns);
            let at = SocketAddr::new(server, PORT);
            self.counts.asked.add(1);
            let reply = self.by_udp(at, &query, limit).await;
            let reply = match reply {
                Ok(reply) if reply.message.is_truncated => {
                    self.counts.asked_by_tcp.add(1);
                    ask_by_tcp(&self.net, at, &query, limit).await
                }
                other => other,
            };
            let (after, now) = (self.net.now().since(now), self.net.now());
            match reply {
                Ok(reply) => {
                    let is_refused = matches!(reply.message.rcode, OptRcode::FORMERR | OptRcode::NOTIMP)
                        && edns.is_some()
                        && reply.message.edns.is_none();
                    let mut state = self.state();
                    state.servers.answered(server, after, now);
                    if !is_refused {
                        return Ok(reply);
                    }
                    // RFC 6891 §6.2.2: such an answer is that of somebody who knows no EDNS; it is asked again without.
                    state.servers.lacks_edns(server, now);
                }
                Err(error) => {
                    self.counts.timeouts.add(u64::from(error.kind() == std::io::ErrorKind::TimedOut));
                    self.state().servers.failed(server, after.max(Duration::from_millis(1)), now);
                    self.net.log(|| {
                        format!(
                            "{server} does not answer {} {}: {error}",
                            type_word(question.rtype),
                            name_text(&question.name)
                        )
                    });
                    return Err(Failure(error.to_string()));
                }
            }
        }
        Err(Failure("it does not understand the question".to_owned()))
    }

    async fn by_udp(&self, server: SocketAddr, query: &Message, limit: Duration) -> std::io::Result<Reply> {
        let stray = |from: SocketAddr| {
            self.counts.spoofed.add(1);
            self.net.log(|| format!("an answer from {from} that answers nothing is ignored"));
        };
        if let Some(port) = self.plan.source_port {
            // One port, one question at a time.
            let _turn = self.turnstile.enter().await;
            return ask_by_udp(&self.net, Local::from(port), server, query, limit, stray).await;
        }
        // RFC 5452 §9.2: "Use an unpredictable source port for outgoing queries from the range of available ports (53, or
        // 1024 and above) that is as large as possible and practicable".
        for _ in 0..8 {
            let port = 1024 + u16::try_from(self.net.random_below(65_536 - 1024)).unwrap_or_default();
            match ask_by_udp(&self.net, Local::from(port), server, query, limit, stray).await {
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                other => return other,
            }
        }
        ask_by_udp(&self.net, Local::ANY, server, query, limit, stray).await
    }

    fn id(&self) -> u16 {
        match self.plan.ids {
            Ids::Random => u16::try_from(self.net.random_below(65_536)).unwrap_or_default(),
            Ids::Sequential => {
                let mut state = self.state();
                let id = state.next_id;
                state.next_id = id.wrapping_add(1);
                id
            }
        }
    }

    /// Keeps an answer.
    fn keep(&self, question: &Question, aliases: Vec<Record>, end: End) -> Step {
        let now = self.net.now();
        let mut state = self.state();
        for alias in &aliases {
            state.cache.put(vec![alias.clone()], Trust::Answer, now);
        }
        match end {
            End::Elsewhere(target) => Step::Alias(aliases, target),
            End::Nothing { name, rtype, soa } => {
                if let Some(soa) = &soa {
                    state.cache.put_nothing(name, rtype, soa.clone(), now);
                }
                Step::Nothing { aliases, is_name_missing: rtype.is_none(), soa }
            }
            End::Records(records) => {
                if question.rtype != Rtype::ANY {
                    state.cache.put(records.clone(), Trust::Answer, now);
                }
                Step::Records(aliases.into_iter().chain(records).collect())
            }
        }
    }
}

fn nothing(answers: Vec<Record>, is_name_missing: bool, soa: Option<Record>) -> Answer {
    let rcode = if is_name_missing { OptRcode::NXDOMAIN } else { OptRcode::NOERROR };
    Answer { rcode, answers, authority: soa.into_iter().collect() }
}

fn server_name(record: &Record) -> Option<Name> {
    match record.data() {
        Data::Ns(server) => Some(server.nsdname().clone()),
        _ => None,
    }
}

fn address(record: &Record) -> Option<IpAddr> {
    match record.data() {
        Data::A(address) => Some(address.addr().into()),
        Data::Aaaa(address) => Some(address.addr().into()),
        _ => None,
    }
}

/// Records by owner and type.
fn sets(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut sets: Vec<Vec<Record>> = Vec::new();
    for record in records {
        let is_of = |set: &&mut Vec<Record>| {
            set.first().is_some_and(|first| first.owner() == record.owner() && first.rtype() == record.rtype())
        };
        match sets.iter_mut().find(is_of) {
            Some(set) => set.push(record),
            None => sets.push(vec![record]),
        }
    }
    sets
}
