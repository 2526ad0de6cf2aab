//! A packet filter with a memory: rules in order, each a match expression and more, the first that fits decides.
//!
//! | file | what it holds |
//! |---|---|
//! | `spec` | rules and policies |
//! | `settings` | how a scenario writes them |
//! | `track` | which connections are known |
//!
//! Nothing here sends or drops: a `Judgement` goes back to the `gate`. Match expressions see packets from
//! their IP header on, whole (fragments have been put together if some rule asks for a state), and with inside addresses
//! where there is a translator too.

pub mod settings;
mod spec;
#[cfg(test)]
mod tests;
mod track;

use std::fmt::Write as _;

pub use spec::{Chain, FirewallRule, FirewallSpec, Refusal, State, TRACKED_DEFAULT, TRACKED_MAX, Verb};

use self::track::Connections;
use crate::id::RuleId;
use crate::time::Time;
use crate::wire::{Frame, View};

/// What becomes of a packet, and which rule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Accepted,
    Dropped(Option<RuleId>),
    /// There was no room to remember its connection.
    Full,
    Rejected(Refusal, Option<RuleId>),
}

/// What a rule or a policy has decided about.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    packets: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, packet: &Frame) {
        self.packets += 1;
        self.bytes += packet.len() as u64;
    }

    fn plus(self, more: Self) -> Self {
        Self { packets: self.packets + more.packets, bytes: self.bytes + more.bytes }
    }
}

/// Where a packet is when it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    pub(super) chain: Chain,
    pub(super) arrives_by: Option<u16>,
    pub(super) leaves_by: Option<u16>,
}

/// A firewall.
#[derive(Debug)]
pub(super) struct Firewall {
    spec: FirewallSpec,
    is_stateful: bool,
    connections: Connections,
    counts: Vec<Count>,
    policy_counts: [Count; 3],
    /// The ids of the rules' names, then of the three policies'; empty until they are registered.
    ids: Vec<RuleId>,
}

impl Firewall {
    pub(super) fn new(spec: FirewallSpec) -> Self {
        Self {
            is_stateful: spec.is_stateful(),
            connections: Connections::default(),
            counts: vec![Count::default(); spec.rules.len()],
            policy_counts: [Count::default(); 3],
            ids: Vec::new(),
            spec,
        }
    }

    /// Registers the names that sign its victims; `machine` is the machine's.
    pub(super) fn enrol(&mut self, machine: &str, register: &mut dyn FnMut(String, Option<u32>) -> RuleId) {
        let rules = self.spec.rules.iter().enumerate().map(|(index, rule)| {
            let name = rule.name.clone();
            register(name.unwrap_or_else(|| format!("{machine}/firewall/{}", index + 1)), rule.line)
        });
        let mut ids: Vec<RuleId> = rules.collect();
        ids.extend(Chain::ALL.map(|chain| register(format!("{machine}/firewall/{}", chain.name()), None)));
        self.ids = ids;
    }

    /// Its rules are called as another's, which has the same.
    pub(super) fn call_as(&mut self, other: &Self) {
        self.ids.clone_from(&other.ids);
    }

    /// Whether it must see packets whole.
    pub(super) fn is_stateful(&self) -> bool {
        self.is_stateful
    }

    /// Decides about a packet, whose bytes begin with its IP header.
    pub(super) fn judge(&mut self, passage: Passage, packet: &Frame, now: Time) -> Judgement {
        let view = View::of(packet);
        let tracking = match &view.ip {
            Some(ip) if self.is_stateful => Some(self.connections.look(ip, passage.chain == Chain::Out, now)),
            _ => None,
        };
        let state = tracking.map(|tracking| tracking.state);
        let found = self.spec.rules.iter().position(|rule| rule.is_for(passage, state, &view));
        let (verb, place) = match found {
            Some(index) => {
                self.counts[index].add(packet);
                (self.spec.rules[index].verb, index)
            }
            None => {
                let chain = passage.chain as usize;
                self.policy_counts[chain].add(packet);
                (self.spec.policies[chain], self.spec.rules.len() + chain)
            }
        };
        match verb {
            Verb::Accept => {
                let room = tracking.map_or(Ok(()), |it| self.connections.accept(it, self.spec.tracked_max, now));
                room.map_or(Judgement::Full, |()| Judgement::Accepted)
            }
            Verb::Drop => Judgement::Dropped(self.ids.get(place).copied()),
            Verb::Reject(refusal) => Judgement::Rejected(refusal, self.ids.get(place).copied()),
        }
    }

    /// Forgets all connections; the counters stay.
    pub(super) fn power_off(&mut self) {
        self.connections.clear();
    }

    /// All counters, in a fixed order: of each rule by its name or number, and of each policy. `twin` has the same rules, and
    /// counts for the other version of IP.
    pub(super) fn counters(&self, twin: Option<&Self>) -> Vec<(String, u64)> {
        let mut counters = Vec::new();
        for (index, (rule, count)) in self.spec.rules.iter().zip(self.counts_with(twin)).enumerate() {
            let name = rule.name.clone().unwrap_or_else(|| (index + 1).to_string());
            counters.push((format!("firewall.{name}.packets"), count.packets));
            counters.push((format!("firewall.{name}.bytes"), count.bytes));
        }
        for (chain, count) in Chain::ALL.into_iter().zip(self.policy_counts_with(twin)) {
            counters.push((format!("firewall.policy.{}.packets", chain.name()), count.packets));
        }
        counters.push((
            "firewall.tracked".to_owned(),
            (self.connections.len() + twin.map_or(0, |twin| twin.connections.len())) as u64,
        ));
        counters
    }

    /// Rules with their counters, then the connections that are known: after `iptables -vnL` and `conntrack -L`.
    pub(super) fn show(&self, twin: Option<&Self>, interfaces: &[super::InterfaceSpec], now: Time) -> String {
        let mut text = String::from("packets    bytes  rule\n");
        for (index, (rule, count)) in self.spec.rules.iter().zip(self.counts_with(twin)).enumerate() {
            let name = rule.name.clone().unwrap_or_else(|| (index + 1).to_string());
            let said = rule.describe(interfaces);
            let _ = writeln!(text, "{:>7} {:>8}  {name}: {said}", count.packets, count.bytes);
        }
        for (chain, (verb, count)) in
            Chain::ALL.into_iter().zip(self.spec.policies.iter().zip(self.policy_counts_with(twin)))
        {
            let (packets, bytes) = (count.packets, count.bytes);
            let _ = writeln!(text, "{packets:>7} {bytes:>8}  policy {}: {}", chain.name(), verb.name());
        }
        text + &self.connections.show(now) + &twin.map_or_else(String::new, |twin| twin.connections.show(now))
    }

    fn counts_with(&self, twin: Option<&Self>) -> impl Iterator<Item = Count> {
        let more = move |index: usize| twin.map_or_else(Count::default, |twin| twin.counts[index]);
        self.counts.iter().enumerate().map(move |(index, count)| count.plus(more(index)))
    }

    fn policy_counts_with(&self, twin: Option<&Self>) -> impl Iterator<Item = Count> {
        let more = twin.map_or_else(Default::default, |twin| twin.policy_counts);
        self.policy_counts.into_iter().zip(more).map(|(count, more)| count.plus(more))
    }
}

impl FirewallRule {
    /// Whether everything that it says holds.
    fn is_for(&self, passage: Passage, state: Option<State>, view: &View<'_>) -> bool {
        let is_at = |wanted: Option<usize>, is: Option<u16>| {
            wanted.is_none_or(|wanted| is.is_some_and(|is| usize::from(is) == wanted))
        };
        (self.chains.is_empty() || self.chains.contains(&passage.chain))
            && is_at(self.arrives_by, passage.arrives_by)
            && is_at(self.leaves_by, passage.leaves_by)
            && (self.states.is_empty() || state.is_some_and(|state| self.states.contains(&state)))
            && self.filter.as_ref().is_none_or(|filter| filter.matches_view(view))
    }

    /// What it says, in a line.
    fn describe(&self, interfaces: &[super::InterfaceSpec]) -> String {
        let name = |index: usize| interfaces.get(index).map_or("?", |interface| interface.name.as_str());
        let mut words = vec![self.verb.name().to_owned()];
        words.extend(self.chains.iter().map(|chain| chain.name().to_owned()));
        words.extend(self.arrives_by.map(|index| format!("in={}", name(index))));
        words.extend(self.leaves_by.map(|index| format!("out={}", name(index))));
        if !self.states.is_empty() {
            let states: Vec<&str> = self.states.iter().map(|state| state.name()).collect();
            words.push(format!("state={}", states.join(",")));
        }
        words.extend(self.filter.as_ref().map(|filter| format!("'{filter}'")));
        words.join(" ")
    }
}
