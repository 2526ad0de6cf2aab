//! Hostile frames on a running network: every kind of node among them, programs at work, and a stranger on the switch.
//!
//! Nothing panics, the books of every link balance, and no frame that a node was handed is without a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

use hopwise::id::{FrameId, NodeId, PipeId, PortId};
use hopwise::node::Command;
use hopwise::record::{Alteration, Names, Observer, Place, Record, Value, What};
use hopwise::wire::Layer;
use hopwise::{Scenario, Time};
use proptest::prelude::*;

/// A host, a stranger's port and a router on one switch; behind the router, over a bad line of small MTU, another host.
const NETWORK: &str = r#"
    seed = 5
    stop = "200s"
    [nodes]
    stranger = { kind = "port", addr = "10.0.1.66/24" }
    host = { addr = "10.0.1.10/24" }
    sw = { kind = "switch" }
    router = { kind = "router", addr = { lan = "10.0.1.1/24", wan = "10.0.2.1/24" } }
    server = { addr = "10.0.2.80/24" }
    [links]
    to-stranger = { ends = ["stranger", "sw"], delay = "1ms" }
    to-host = { ends = ["host", "sw"], delay = "1ms" }
    to-router = { ends = ["router:lan", "sw"], delay = "1ms" }
    [links.line]
    ends = ["router:wan", "server"]
    delay = "5ms"
    rate = "1Mbit"
    mtu = 600
    queue = "20 packets"
    duplicate = "5%"
    corrupt = "5%"
    jitter = { most = "3ms", reorder = true }
    [apps]
    echo = { on = ["host", "server"], kind = "tcp-echo", port = 7 }
    udp-echo = { on = ["host", "server"], kind = "udp-echo", port = 7 }
    talk = { on = "host", kind = "tcp-send", to = "server:7", bytes = "3kB" }
    back = { on = "server", kind = "tcp-send", to = "host:7", text = "hello", start = "10ms" }
    ask = { on = "host", kind = "udp-send", to = "server:7", bytes = "2kB", count = 3, interval = "100ms" }
    ping = { on = "server", kind = "ping", to = "host", count = 3, interval = "100ms" }
    trace = { on = "host", kind = "traceroute", to = "server", queries = 1, start = "50ms" }
    refused = { on = "host", kind = "tcp-send", to = "server:81", text = "hello", start = "60ms" }
"#;

/// After this nobody has anything left to wait for: neighbors (3 s), fragments (30 s), TIME-WAIT (10 s), TCP's patience.
const CALM_AT: Time = Time::from_secs(100);

/// What the programs of the network say to each other: frames for the stranger to change and repeat.
static OVERHEARD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let heard = Arc::new(Mutex::new(BTreeSet::new()));
    let mut run = Scenario::from_toml("overheard", NETWORK).unwrap().build().unwrap();
    run.network.observe(Box::new(Wire(Arc::clone(&heard))));
    run.until(Time::from_secs(1));
    drop(run);
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    heard.into_iter().collect()
});

struct Wire(Arc<Mutex<BTreeSet<Vec<u8>>>>);

impl Observer for Wire {
    fn record(&mut self, record: &Record<'_>, _names: &Names) {
        if let What::Sent { frame } = &record.what {
            self.0.lock().unwrap().insert(frame.bytes().to_vec());
        }
    }
}

/// The books: what became of every frame.
#[derive(Debug, Default)]
struct Books {
    /// Frames that are on a link now, by the direction that carries them.
    on_links: BTreeMap<FrameId, PipeId>,
    /// Per direction: put in (copies too), came out, dropped.
    totals: BTreeMap<PipeId, [u64; 3]>,
    /// Frames that a node was handed, and has neither passed on nor dropped, nor answered.
    in_nodes: BTreeMap<FrameId, NodeId>,
    wrong: Vec<String>,
}

impl Books {
    fn put_in(&mut self, frame: FrameId, pipe: PipeId) {
        self.totals.entry(pipe).or_default()[0] += 1;
        if self.on_links.insert(frame, pipe).is_some() {
            self.wrong.push(format!("{frame:?} is put on a link twice"));
        }
    }

    fn take_out(&mut self, frame: Option<FrameId>, how: usize, what: &str) {
        match frame.and_then(|frame| self.on_links.remove(&frame)) {
            Some(pipe) => self.totals.entry(pipe).or_default()[how] += 1,
            None => self.wrong.push(format!("{frame:?} is {what}, but no link had it")),
        }
    }
}

struct Bookkeeper(Arc<Mutex<Books>>);

impl Observer for Bookkeeper {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        let mut books = self.0.lock().unwrap();
        match (&record.what, record.place) {
            (What::Sent { frame }, Place::Port(node, port)) => {
                let pipe = names.pipe_from(node, port).expect("a port that sends has a link");
                books.put_in(frame.id.expect("what is sent has an id"), pipe);
                // Whoever passes a frame on, or answers it, has done something with it.
                frame.cause.map(|cause| books.in_nodes.remove(&cause));
            }
            (What::Altered { frame, how: Alteration::Duplicated { copy }, .. }, Place::Pipe(pipe)) => {
                assert!(books.on_links.contains_key(frame), "only what is on a link is copied there");
                books.put_in(*copy, pipe);
            }
            (What::Delivered { frame }, Place::Port(node, _)) => {
                books.take_out(frame.id, 1, "delivered");
                books.in_nodes.insert(frame.id.expect("it was sent"), node);
            }
            (What::Dropped { frame, .. }, Place::Pipe(_)) => books.take_out(frame.id, 2, "dropped"),
            (What::Dropped { frame, .. }, Place::Node(_) | Place::Port(..)) => {
                for id in [frame.id, frame.cause].into_iter().flatten() {
                    books.in_nodes.remove(&id);
                }
            }
            _ => {}
        }
    }
}

/// Something that a stranger sends.
#[derive(Debug, Clone)]
enum Hostile {
    Changed { which: usize, at: usize, to: u8, cut: usize, mends: bool },
    Random(Vec<u8>),
}

impl Hostile {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Random(bytes) => bytes.clone(),
            Self::Changed { which, at, to, cut, mends } => {
                let mut bytes = OVERHEARD[which % OVERHEARD.len()].clone();
                // Headers are where it hurts: four of five changes are within the first 60 bytes.
                let at = if at % 5 == 0 { at % bytes.len() } else { at % bytes.len().min(60) };
                bytes[at] = *to;
                if *mends && bytes.len() >= 34 && bytes[12..14] == [8, 0] {
                    let header = (usize::from(bytes[14] & 0xf) * 4).clamp(20, bytes.len() - 14);
                    bytes[24..26].fill(0);
                    let sum = !smoltcp::wire::checksum::data(&bytes[14..14 + header]);
                    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
                }
                bytes.truncate(bytes.len() - cut.min(&bytes.len()));
                bytes
            }
        }
    }
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let cut = prop_oneof![9 => Just(0_usize), 1 => 0_usize..60];
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Hostile::Random),
        7 => (any::<usize>(), any::<usize>(), any::<u8>(), cut, any::<bool>())
            .prop_map(|(which, at, to, cut, mends)| Hostile::Changed { which, at, to, cut, mends }),
    ]
}

/// Who sends it: the stranger, or a node of ours that has lost its mind; perhaps as an IP packet to be routed.
fn sender() -> impl Strategy<Value = (&'static str, Option<u16>, Layer)> {
    prop_oneof![
        4 => Just(("stranger", None, Layer::Ethernet)),
        1 => Just(("host", Some(0), Layer::Ethernet)),
        1 => Just(("host", None, Layer::Ip)),
        1 => Just(("router", Some(0), Layer::Ethernet)),
        1 => Just(("router", Some(1), Layer::Ethernet)),
        1 => Just(("router", None, Layer::Ip)),
        1 => Just(("sw", Some(1), Layer::Ethernet)),
        1 => Just(("server", Some(0), Layer::Ethernet)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn hostile_frames_break_nothing_and_none_is_lost_from_the_books(
        frames in prop::collection::vec((hostile(), sender(), 0_u64..60_000), 1..60),
    ) {
        let mut run = Scenario::from_toml("frames", NETWORK).unwrap().build().unwrap();
        let books = Arc::new(Mutex::new(Books::default()));
        run.network.observe(Box::new(Bookkeeper(Arc::clone(&books))));
        let mut now = Time::ZERO;
        for (hostile, (sender, port, layer), wait) in frames {
            now += std::time::Duration::from_micros(wait);
            run.until(now);
            let node = run.network.find_node(sender).unwrap();
            let bytes = hostile.bytes();
            let skipped = if layer == Layer::Ip { 14.min(bytes.len()) } else { 0 };
            let bytes = bytes[skipped..].to_vec();
            // A node may refuse; what it does not refuse it must account for.
            let _ = run.network.command(node, &Command::Inject { port: port.map(PortId), layer, bytes });
        }
        run.until(CALM_AT);
        let value = |path: &str| match run.network.fact(path) {
            Some(Value::Integer(value)) => u64::try_from(value).unwrap(),
            other => panic!("{path} is {other:?}"),
        };
        let books = books.lock().unwrap();
        prop_assert!(books.wrong.is_empty(), "{:?}", books.wrong);
        prop_assert!(books.on_links.is_empty(), "still on links: {:?}", books.on_links);
        for (pipe, [put_in, came_out, dropped]) in &books.totals {
            prop_assert_eq!(*put_in, came_out + dropped, "{:?}", pipe);
            let counters = run.network.counters(*pipe);
            prop_assert_eq!(counters.sent + counters.duplicated, *put_in, "{:?}", pipe);
            prop_assert_eq!(counters.delivered, *came_out, "{:?}", pipe);
            prop_assert_eq!(counters.dropped, *dropped, "{:?}", pipe);
        }
        // What a node neither passed on nor dropped nor answered, it has taken: never more than it says it has.
        let quiet = |name: &str| {
            let node = run.network.find_node(name).unwrap();
            books.in_nodes.values().filter(|owner| **owner == node).count() as u64
        };
        for machine in ["host", "router", "server"] {
            let taken = ["ip.delivered", "ip.fragments_received", "arp.received"];
            let taken: u64 = taken.iter().map(|counter| value(&format!("nodes.{machine}.{counter}"))).sum();
            prop_assert!(quiet(machine) <= taken, "{machine}: {} of {taken} are without a trace", quiet(machine));
        }
        prop_assert_eq!(quiet("sw"), 0, "a switch passes on or drops");
    }
}

#[test]
fn the_stranger_has_overheard_every_protocol() {
    let is = |protocol: u8| OVERHEARD.iter().filter(|frame| frame[12..14] == [8, 0] && frame[23] == protocol).count();
    let arp = OVERHEARD.iter().filter(|frame| frame[12..14] == [8, 6]).count();
    let fragments = OVERHEARD.iter().filter(|frame| frame[12..14] == [8, 0] && frame[20] & 0x20 != 0).count();
    for (what, count) in [("ICMP", is(1)), ("TCP", is(6)), ("UDP", is(17)), ("ARP", arp), ("fragments", fragments)] {
        assert!(count >= 4, "{count} frames of {what}");
    }
}
