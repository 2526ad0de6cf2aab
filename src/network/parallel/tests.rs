//! What a divided network promises, whoever the nodes are: that nobody can tell.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::rounds::NEARLY_TOO_MANY;
use super::{Network, Threads};
use crate::id::{AppId, Direction, LinkId, NodeId, PipeId, PortId};
use crate::link::impair::{Corrupt, Duplicate, Jitter, Loss, Reorder, Spread};
use crate::link::{Impairment, PipeSpec, Property, QueueLimit};
use crate::network::action::{Flap, SetLinkUp};
use crate::network::testing::{Log, Puppet, blob};
use crate::network::{Action, RunError};
use crate::node::{Command, LinkState, Node};
use crate::record::{Cause, Outbox, Value};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::{Chance, Rate};
use crate::wire::{Frame, Layer};

/// More parts than some of the networks have nodes.
const THREADS: [usize; 4] = [1, 2, 3, 8];

/// Says something at times of its own choosing, and passes on what it hears in ways of its own choosing: everything that it
/// does depends on everything that it has gone through, in order.
#[derive(Debug)]
struct Gossip {
    ports: u16,
    rng: Rng,
    timers: BTreeSet<Time>,
    /// What it has gone through, as one number.
    memory: u64,
}

impl Gossip {
    fn new(seed: u64, index: usize, ports: u16) -> Self {
        let mut rng = Rng::stream(seed, &format!("gossip {index}"));
        let timers = (0..3).map(|_| Time::from_nanos(rng.below(20) * 500_000)).collect();
        Self { ports, rng, timers, memory: 0 }
    }

    fn remember(&mut self, what: u64) {
        self.memory = self.memory.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what;
    }

    /// Puts out something that is passed on so many times.
    fn say(&mut self, hops: u8, out: &mut Outbox) {
        let length = 40 + self.rng.below(1600) as usize;
        let mut buffer = out.buffer(length);
        buffer.bytes_mut().fill(self.memory as u8);
        buffer.bytes_mut()[0] = hops;
        let port = PortId(self.rng.below(u64::from(self.ports) + 1) as u16);
        out.send(port, Frame::new(buffer, Layer::Ethernet));
    }
}

impl Node for Gossip {
    fn kind(&self) -> &'static str {
        "gossip"
    }

    fn start(&mut self, now: Time, out: &mut Outbox) {
        self.wake(now, out);
    }

    fn receive(&mut self, port: PortId, mut frame: Frame, now: Time, out: &mut Outbox) {
        let sum = frame.bytes().iter().fold(u64::from(port.0), |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        self.remember(sum ^ now.as_nanos());
        let hops = frame.bytes()[0].min(9);
        match (hops, self.rng.below(8)) {
            (0, 0..4) => out.consume(frame),
            (0, _) | (_, 0) => out.drop_frame(frame, Cause::NobodyListens),
            (_, 1) => {
                self.timers.insert(now + Duration::from_nanos(self.rng.below(3) * 700_000));
                out.consume(frame);
            }
            (_, 2) => {
                out.note(Some(AppId(0)), || format!("heard {sum}"));
                self.say(hops - 1, out);
                out.drop_frame(frame, Cause::NobodyListens);
            }
            _ => {
                frame.bytes_mut()[0] = hops - 1;
                out.send(PortId(self.rng.below(u64::from(self.ports)) as u16), frame);
            }
        }
    }

    fn wake(&mut self, now: Time, out: &mut Outbox) {
        self.remember(now.as_nanos());
        while self.timers.first().is_some_and(|at| *at <= now) {
            self.timers.pop_first();
            out.note(None, || "speaks".to_owned());
            for _ in 0..1 + self.rng.below(3) {
                self.say(6, out);
            }
        }
    }

    fn wake_at(&self) -> Option<Time> {
        self.timers.first().copied()
    }

    fn link_changed(&mut self, port: PortId, state: LinkState, now: Time, out: &mut Outbox) {
        self.remember(u64::from(port.0) + state.mtu as u64 + now.as_nanos() + u64::from(state.is_up));
        if now > Time::ZERO {
            self.say(2, out);
        }
    }

    fn command(&mut self, _command: &Command, now: Time, out: &mut Outbox) -> Result<(), String> {
        self.timers.insert(now);
        self.say(4, out);
        Ok(())
    }

    fn counter(&self, path: &str) -> Option<Value> {
        (path == "memory").then(|| format!("{:016x}", self.memory).into())
    }

    fn counters(&self) -> Vec<(String, Value)> {
        self.counter("memory").map(|value| ("memory".to_owned(), value)).into_iter().collect()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// A network, what happens in it, and how somebody goes through it.
#[derive(Debug, Clone)]
struct Story {
    seed: u64,
    nodes: usize,
    /// From, to, which delay, which rate, which impairment.
    links: Vec<(usize, usize, usize, usize, usize)>,
    /// When, at which link or node, what.
    deeds: Vec<(u64, usize, usize)>,
    /// Until when to run at first, and how many steps to take then.
    pauses: Vec<(u64, u8)>,
}

fn story() -> impl Strategy<Value = Story> {
    (any::<u64>(), 2..9_usize).prop_flat_map(|(seed, nodes)| {
        let link = (0..nodes, 0..nodes, 0..6_usize, 0..4_usize, 0..9_usize);
        let deed = (0..40_u64, 0..20_usize, 0..9_usize);
        (
            prop::collection::vec(link, 1..14),
            prop::collection::vec(deed, 0..8),
            prop::collection::vec((0..40_u64, 0..5_u8), 0..4),
        )
            .prop_map(move |(links, deeds, mut pauses)| {
                pauses.sort_unstable();
                Story { seed, nodes, links, deeds, pauses }
            })
    })
}

/// Half milliseconds, so that much happens at one instant.
fn half_ms(count: u64) -> Time {
    Time::from_nanos(count * 500_000)
}

impl Story {
    fn network(&self) -> Network {
        let mut network = Network::new(self.seed);
        let mut ports = vec![0_u16; self.nodes];
        let ends: Vec<_> = self
            .links
            .iter()
            .map(|(a, b, ..)| {
                [*a, *b].map(|node| {
                    ports[node] += 1;
                    (NodeId(node as u32), PortId(ports[node] - 1))
                })
            })
            .collect();
        for (index, ports) in ports.iter().enumerate() {
            let names = (0..*ports).map(|port| format!("p{port}")).collect();
            let node = Gossip::new(self.seed, index, (*ports).max(1));
            let id = network.add_node(format!("n{index}"), names, Box::new(node));
            network.add_interface(
                id,
                PortId(0),
                [2, 0, 0, 0, 0, index as u8],
                vec![IpAddr::from([10, 0, 0, index as u8])],
            );
        }
        network.add_app("talk", "gossip", NodeId(0));
        for (index, ((.., delay, rate, _), ends)) in self.links.iter().zip(ends).enumerate() {
            let delay = Duration::from_nanos([0, 1000, 500_000, 500_000, 1_000_000, 3_000_000][*delay]);
            let rate =
                [None, None, Rate::from_bits_per_second(8_000_000), Rate::from_bits_per_second(80_000_000)][*rate];
            let spec = PipeSpec { delay, rate, ..PipeSpec::default() };
            let there = PipeSpec { queue: QueueLimit::Packets(3), ..spec.clone() };
            network.add_link(format!("l{index}"), ends, [there, spec]).unwrap();
        }
        for (index, (.., impairment)) in self.links.iter().enumerate() {
            let pipe = PipeId::new(LinkId(index as u32), Direction::BOTH[index % 2]);
            if let Some(impairment) = impairment_of(*impairment) {
                network.add_impairment(pipe, impairment, None);
            }
        }
        for (at, which, what) in &self.deeds {
            self.plan(&mut network, half_ms(*at), *which, *what);
        }
        network
    }

    fn plan(&self, network: &mut Network, at: Time, which: usize, what: usize) {
        let link = LinkId((which % self.links.len()) as u32);
        let pipe = PipeId::new(link, Direction::BOTH[which % 2]);
        let node = NodeId((which % self.nodes) as u32);
        let ms = Duration::from_millis;
        let action: Box<dyn Action> = match what {
            0 => Box::new(SetLinkUp { link, is_up: false }),
            1 => Box::new(SetLinkUp { link, is_up: true }),
            2 => Box::new(Flap { link, down: ms(1), up: ms(2), times: 3, next_at: at }),
            3 => Box::new(Change(pipe, Property::Delay(Duration::from_micros(100)))),
            4 => Box::new(Change(pipe, Property::Delay(ms(7)))),
            5 => Box::new(Change(pipe, Property::Rate(Rate::from_bits_per_second(3_000_000)))),
            6 => Box::new(Change(pipe, Property::Rate(None))),
            7 => Box::new(Change(pipe, Property::Mtu(600))),
            _ => Box::new(Tell(node)),
        };
        network.plan(at, action);
    }

    /// Everything that can be known of a run.
    fn told(&self, threads: usize, is_observed: bool, pauses: &[(u64, u8)]) -> Told {
        let mut network = self.network();
        network.set_threads(Threads::Exactly(threads));
        let log = Log::default();
        if is_observed {
            network.observe(Box::new(log.clone()));
        }
        let mut seen = Vec::new();
        for (until, steps) in pauses {
            network.run_until(half_ms(*until)).unwrap();
            seen.push(facts(&network));
            for _ in 0..*steps {
                network.step(half_ms(60)).unwrap();
                seen.push(format!("{} {:?}", network.now(), network.next_at()));
            }
        }
        network.run_until(Time::from_millis(60)).unwrap();
        assert_eq!(network.parts(), threads.min(self.nodes), "it was divided");
        Told { facts: facts(&network), seen, lines: log.lines() }
    }
}

#[derive(Debug, PartialEq)]
struct Told {
    facts: String,
    seen: Vec<String>,
    lines: Vec<String>,
}

/// Every fact, and what else can be asked.
fn facts(network: &Network) -> String {
    let names = network.fact_names();
    let facts: Vec<String> =
        names.iter().filter_map(|name| network.fact(name).map(|value| format!("{name}={value}\n"))).collect();
    let views: Vec<String> = (0..network.names().nodes.len() as u32)
        .flat_map(|node| ["interfaces", "counters"].map(|view| network.show(NodeId(node), view).unwrap()))
        .collect();
    format!("{} {:?} {}\n{}{}", network.now(), network.next_at(), network.events(), facts.concat(), views.concat())
}

fn impairment_of(number: usize) -> Option<Box<dyn Impairment>> {
    let chance = |percent| Chance::new(percent, 100).unwrap();
    let ms = Duration::from_millis;
    let jitter = |reorder| Jitter { spread: Spread::Uniform { least: ms(0), most: ms(2) }, reorder };
    Some(match number {
        0 => Box::new(Loss { chance: chance(30) }),
        1 => Box::new(jitter(false)),
        2 => Box::new(jitter(true)),
        3 => Box::new(Reorder { chance: chance(30), by: ms(1) }),
        4 => Box::new(Duplicate { chance: chance(30) }),
        5 => Box::new(Corrupt { chance: chance(30) }),
        _ => return None,
    })
}

#[derive(Debug)]
struct Change(PipeId, Property);

impl Action for Change {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.set(self.0, &self.1);
        Ok(())
    }

    fn describe(&self) -> String {
        "change".into()
    }
}

#[derive(Debug)]
struct Tell(NodeId);

impl Action for Tell {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.command(self.0, &Command::Restart)
    }

    fn describe(&self) -> String {
        "tell".into()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nobody_can_tell_on_how_many_threads_a_network_runs(story in story()) {
        let one = story.told(1, true, &story.pauses);
        for threads in THREADS {
            let other = story.told(threads, true, &story.pauses);
            let differs = one.lines.iter().zip(&other.lines).find(|(one, other)| one != other);
            prop_assert_eq!(differs, None, "{} threads", threads);
            prop_assert_eq!(&one, &other, "{} threads", threads);
            let unseen = story.told(threads, false, &[]);
            prop_assert_eq!(&one.facts, &unseen.facts, "{} threads, unobserved, without a pause", threads);
        }
    }

    /// Where the run ends by its events, and one event sooner or later.
    #[test]
    fn a_run_that_is_given_up_is_given_up_at_the_same_event(story in story(), most in 1..400_u64) {
        let run = |threads, nearly| {
            let mut network = story.network();
            network.set_threads(Threads::Exactly(threads));
            network.limit_events(most);
            network.parallel.nearly_too_many = nearly;
            let log = Log::default();
            network.observe(Box::new(log.clone()));
            let result = network.run_until(Time::from_millis(60));
            (result, log.lines(), network.events(), facts(&network))
        };
        let one = run(1, NEARLY_TOO_MANY);
        for threads in THREADS {
            let other = run(threads, NEARLY_TOO_MANY);
            prop_assert_eq!(&one.3, &other.3, "{} threads", threads);
            prop_assert_eq!(&one, &other, "{} threads", threads);
            // Even if there is no time to go on in order, what is told is the same.
            let sudden = run(threads, 0);
            prop_assert_eq!((&one.0, one.2), (&sudden.0, sudden.2), "{} threads, suddenly", threads);
            let differs = one.1.iter().zip(&sudden.1).find(|(one, other)| one != other);
            prop_assert_eq!(differs, None, "{} threads, suddenly", threads);
            prop_assert_eq!(&one.1, &sudden.1, "{} threads, suddenly", threads);
        }
    }
}

/// So many pairs of puppets, each joined by a link of 1 ms.
fn pairs(puppets: Vec<[Puppet; 2]>) -> Network {
    let mut network = Network::new(1);
    for (index, pair) in puppets.into_iter().enumerate() {
        let mut sides = ["a", "b"].into_iter();
        let ends = pair.map(|puppet| {
            let name = format!("{}{index}", sides.next().unwrap());
            (network.add_node(name, vec!["p0".into()], Box::new(puppet)), PortId(0))
        });
        let spec = PipeSpec { delay: Duration::from_millis(1), ..PipeSpec::default() };
        network.add_link(format!("l{index}"), ends, [spec.clone(), spec]).unwrap();
    }
    network
}

#[test]
fn of_several_nodes_at_which_time_stands_still_the_first_is_told_of() {
    let run = |threads| {
        let insisting = |at| Puppet { insists_on: Some(Time::from_millis(at)), ..Puppet::default() };
        let talking = || Puppet::sending((0..20).map(|at| (Time::from_nanos(at * 400_000), blob("x"))));
        // The second is stuck before the first is, and the last at the same instant as the second.
        let mut network = pairs(vec![[insisting(7), talking()], [insisting(3), talking()], [talking(), insisting(3)]]);
        network.set_threads(Threads::Exactly(threads));
        let log = Log::default();
        network.observe(Box::new(log.clone()));
        let error = network.run_until(Time::from_secs(1)).unwrap_err();
        (error, network.events(), log.lines())
    };
    let one = run(1);
    assert_eq!(one.0, RunError::Standstill { at: Time::from_millis(3), node: "a1".into() });
    for threads in [2, 3, 6] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

/// Panics when something arrives.
#[derive(Debug)]
struct Fragile(&'static str);

impl Node for Fragile {
    fn kind(&self) -> &'static str {
        "fragile"
    }

    fn receive(&mut self, _port: PortId, _frame: Frame, _now: Time, _out: &mut Outbox) {
        panic!("{} broke", self.0);
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

#[test]
fn a_panic_on_any_thread_reaches_the_caller_and_leaves_the_network_whole() {
    for threads in [1, 2, 4] {
        let mut network = Network::new(1);
        for (index, name) in ["late", "early"].into_iter().enumerate() {
            let at = Time::from_nanos(900_000 - 500_000 * index as u64);
            let sender = Puppet::sending([(at, blob("x"))]);
            let sender = network.add_node(format!("to-{name}"), vec!["p0".into()], Box::new(sender));
            let fragile = network.add_node(name, vec!["p0".into()], Box::new(Fragile(name)));
            let spec = PipeSpec { delay: Duration::from_millis(1), ..PipeSpec::default() };
            network.add_link(name, [(sender, PortId(0)), (fragile, PortId(0))], [spec.clone(), spec]).unwrap();
        }
        network.set_threads(Threads::Exactly(threads));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| network.run_until(Time::from_secs(1))));
        let panic = panic.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "early broke", "{threads} threads");
        assert_eq!(network.parts(), threads);
        assert_eq!(network.fact("links.early.sent").unwrap().to_string(), "1");
        assert_eq!((0..4).map(|node| network.node(NodeId(node)).kind().len()).sum::<usize>(), 26);
    }
}

#[test]
fn buffers_go_back_to_where_they_are_needed() {
    let sending = Puppet::sending((0..5000).map(|at| (Time::from_nanos(at * 10_000), blob("x"))));
    let mut network = pairs(vec![[sending, Puppet::default()]]);
    network.set_threads(Threads::Exactly(2));
    network.run_until(Time::from_secs(1)).unwrap();
    assert_eq!(network.fact("links.l0.delivered").unwrap().to_string(), "5000");
    let idle: usize = network.parts.iter().map(|part| part.outbox.pool.idle_count()).sum();
    // 100 are on the link at once; some more are sent before the first come back.
    assert!((100..500).contains(&idle), "{idle} buffers were made for 5000 frames");
    assert!(network.parts.iter().all(|part| part.blank.len() <= 4 && part.inbox.is_empty()));
}

#[test]
fn a_network_that_pays_is_divided_by_itself_and_one_that_does_not_is_not() {
    let run = |delay, observed, threads| {
        let mut network = Network::new(1);
        // Two rings of four, joined by a link, around which 200 frames run for ever.
        let puppet = |first| Puppet { script: first, forwards: true, ..Puppet::default() };
        for ring in 0..2_u32 {
            for place in 0..4 {
                let first = (0..50).map(|at| (Time::from_nanos(at * 977), PortId(1), blob("x"))).collect();
                network.add_node(
                    format!("n{ring}{place}"),
                    vec!["p0".into(), "p1".into(), "p2".into()],
                    Box::new(puppet(first)),
                );
            }
            for place in 0..4 {
                let ends = [(NodeId(ring * 4 + place), PortId(1)), (NodeId(ring * 4 + (place + 1) % 4), PortId(0))];
                let spec = PipeSpec { delay: Duration::from_micros(20), ..PipeSpec::default() };
                network.add_link(format!("l{ring}{place}"), ends, [spec.clone(), spec]).unwrap();
            }
        }
        let spec = PipeSpec { delay, ..PipeSpec::default() };
        network.add_link("between", [(NodeId(0), PortId(2)), (NodeId(4), PortId(2))], [spec.clone(), spec]).unwrap();
        if observed {
            network.observe(Box::new(Log::default()));
        }
        network.set_threads(threads);
        network.run_until(Time::from_millis(6)).unwrap();
        (network.parts(), network.events())
    };
    let ms = Duration::from_millis;
    let (one, events) = run(ms(5), false, Threads::One);
    assert!(one == 1 && events > 2 * super::FIRST_LOOK, "{events}");
    assert_eq!(run(ms(5), false, Threads::UpTo(2)), (2, events));
    assert_eq!(run(ms(5), true, Threads::UpTo(2)), (1, events), "somebody watches");
    // The rings themselves can be cut, but 20 us are short.
    let short = run(Duration::from_nanos(1), false, Threads::UpTo(2));
    assert_eq!(short, (1, run(Duration::from_nanos(1), false, Threads::One).1));
}
