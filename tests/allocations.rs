//! The forwarding path allocates nothing: a counting allocator watches chains of routers.
//!
//! A test of its own, because the allocator belongs to the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::any::Any;
use std::time::Duration;

use hopwise::id::{Direction, PipeId, PortId};
use hopwise::link::impair::{BurstLoss, Corrupt, Duplicate, Jitter, Loss, Reorder, Spread};
use hopwise::link::{Impairment, PipeSpec, QueueLimit};
use hopwise::network::Network;
use hopwise::node::machine::{InterfaceSpec, Machine, MachineSpec, NeighborSpec, RouteSpec};
use hopwise::node::{Node, Switch, SwitchSpec};
use hopwise::record::Outbox;
use hopwise::time::Time;
use hopwise::wire::{Frame, Layer};
use smoltcp::wire::{EthernetAddress, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr};

const ROUTERS: u8 = 4;
const INTERVAL: Duration = Duration::from_micros(10);

fn mac(node: u8, interface: u8) -> EthernetAddress {
    EthernetAddress([2, 0, 0, 0, node, interface])
}

/// Sends one UDP datagram after another to the far end; takes whatever comes.
struct Source {
    next_at: Time,
    frame: Vec<u8>,
    received: u64,
}

impl Source {
    fn new(next_at: Time) -> Self {
        let payload = [0; 520];
        let ip = Ipv4Repr {
            src_addr: Ipv4Address::new(10, 0, 0, 1),
            dst_addr: Ipv4Address::new(10, 0, ROUTERS, 2),
            next_header: IpProtocol::Udp,
            payload_len: payload.len(),
            hop_limit: 64,
        };
        let mut frame = vec![0; 14 + 20 + payload.len()];
        frame[..6].copy_from_slice(mac(1, 0).as_bytes());
        frame[6..12].copy_from_slice(mac(0, 0).as_bytes());
        frame[12..14].copy_from_slice(&[8, 0]);
        ip.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &smoltcp::phy::ChecksumCapabilities::default());
        // Ports and length; the checksum stays zero, which says that there is none.
        frame[34..40].copy_from_slice(&[0x10, 0, 0x10, 1, (payload.len() >> 8) as u8, payload.len() as u8]);
        Self { next_at, frame, received: 0 }
    }
}

impl Node for Source {
    fn kind(&self) -> &'static str {
        "source"
    }

    fn receive(&mut self, _port: PortId, frame: Frame, _now: Time, out: &mut Outbox) {
        self.received += 1;
        out.consume(frame);
    }

    fn wake(&mut self, now: Time, out: &mut Outbox) {
        let frame = Frame::new(out.pool.copy(&self.frame), Layer::Ethernet);
        out.send(PortId(0), frame);
        self.next_at = now + INTERVAL;
    }

    fn wake_at(&self) -> Option<Time> {
        Some(self.next_at)
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// What stands between the routers, and what their links are like.
#[derive(Default)]
struct Road {
    /// A switch in the middle, between the second router and the third.
    has_switch: bool,
    /// Every link on the way there.
    spec: PipeSpec,
    /// On the last link but one.
    impairments: Vec<Box<dyn Impairment>>,
    /// What else each router knows.
    teach: Option<fn(&mut MachineSpec, u8)>,
}

/// source — r1 — r2 (— sw) — r3 — r4 — sink, each wire a subnet: 10.0.0.0/24 to 10.0.4.0/24, every neighbor known.
fn chain(road: Road) -> Network {
    let mut network = Network::new(1);
    let source = network.add_node("source", vec!["eth0".into()], Box::new(Source::new(Time::ZERO)));
    let mut last = (source, PortId(0));
    for router in 1..=ROUTERS {
        if road.has_switch && router == 3 {
            let spec = SwitchSpec::new("sw", 2);
            let port_names = spec.ports.iter().map(|port| port.name.clone()).collect();
            let switch = network.add_node("sw", port_names, Box::new(Switch::new(spec)));
            network.add_link("to-sw", [last, (switch, PortId(0))], [road.spec.clone(), road.spec.clone()]).unwrap();
            last = (switch, PortId(1));
        }
        let address = |subnet: u8, host: u8| format!("10.0.{subnet}.{host}/24").parse().unwrap();
        let next = format!("10.0.{router}.2").parse().unwrap();
        let mut machine = MachineSpec::router(format!("r{router}"), 1)
            .interface(InterfaceSpec::new("left", mac(router, 0), address(router - 1, 2)))
            .interface(InterfaceSpec::new("right", mac(router, 1), address(router, 1)));
        if router < ROUTERS {
            machine = machine.route(RouteSpec::via("0.0.0.0/0".parse().unwrap(), next));
        }
        machine.neighbors.push(NeighborSpec { interface: 1, address: next, mac: mac(router + 1, 0) });
        if let Some(teach) = road.teach {
            teach(&mut machine, router);
        }
        let ports = vec!["left".to_owned(), "right".to_owned()];
        let node = network.add_node(format!("r{router}"), ports, Box::new(Machine::new(machine)));
        let specs = [road.spec.clone(), road.spec.clone()];
        let link = network.add_link(format!("l{router}"), [last, (node, PortId(0))], specs).unwrap();
        if router == ROUTERS {
            for impairment in &road.impairments {
                network.add_impairment(PipeId::new(link, Direction::AToB), impairment.clone(), None);
            }
        }
        last = (node, PortId(1));
    }
    let sink = network.add_node("sink", vec!["eth0".into()], Box::new(Source::new(Time::MAX)));
    network.add_link("last", [last, (sink, PortId(0))], [road.spec.clone(), road.spec]).unwrap();
    network
}

/// A gigabit and a millisecond for each link.
fn fast() -> PipeSpec {
    PipeSpec { delay: Duration::from_millis(1), rate: "1Gbit".parse().ok(), ..PipeSpec::default() }
}

/// Runs so long that pool and queues reach their size, then as long again without a single allocation. How many events
/// that took, and how many datagrams came through during all of it.
#[track_caller]
fn run_without_allocating(mut network: Network) -> (u64, u64) {
    network.run_until(Time::from_millis(100)).unwrap();
    let before = network.events();
    let counted = allocation_counter::measure(|| network.run_until(Time::from_millis(200)).unwrap());
    let events = network.events() - before;
    assert_eq!(counted.count_total, 0, "{} allocations in {events} events", counted.count_total);
    let sink = network.find_node("sink").unwrap();
    let received = network.node_mut(sink).as_any().downcast_mut::<Source>().unwrap().received;
    (events, received)
}

#[test]
fn forwarding_allocates_nothing_in_the_steady_state() {
    let (events, received) = run_without_allocating(chain(Road { spec: fast(), ..Road::default() }));
    // 100 ms at 10 us are 10,000 datagrams, each with five arrivals and a wake-up of the source.
    assert!(events >= 59_000, "{events} events");
    // The first datagram takes five links of 1 ms each and some clocking out.
    assert!((19_400..=19_500).contains(&received), "{received} received");
}

#[test]
fn a_switch_on_the_way_allocates_nothing() {
    let (events, received) = run_without_allocating(chain(Road { has_switch: true, spec: fast(), ..Road::default() }));
    assert!(events >= 69_000, "{events} events");
    assert!((19_300..=19_400).contains(&received), "{received} received");
}

#[test]
fn a_queue_that_overflows_allocates_nothing() {
    // 554 bytes at 100 Mbit/s take 44 us, and one comes every 10 us: three of four are dropped at the first link.
    let queue = QueueLimit::Packets(50);
    let spec = PipeSpec { rate: "100Mbit".parse().ok(), queue, ..fast() };
    let (events, received) = run_without_allocating(chain(Road { spec, ..Road::default() }));
    assert!(events >= 20_000, "{events} events");
    // 200 ms less 5 ms for five links, 44.32 us each.
    assert!((4_300..=4_400).contains(&received), "{received} received");
}

#[test]
fn links_that_lose_damage_copy_and_delay_allocate_nothing() {
    let chance = |text: &str| text.parse().unwrap();
    let least_most = Spread::Uniform { least: Duration::ZERO, most: Duration::from_micros(100) };
    let impairments: Vec<Box<dyn Impairment>> = vec![
        Box::new(Loss { chance: chance("5%") }),
        Box::new(BurstLoss::new(chance("1%"), chance("25%"))),
        Box::new(Corrupt { chance: chance("2%") }),
        Box::new(Duplicate { chance: chance("2%") }),
        Box::new(Jitter { spread: least_most, reorder: true }),
        Box::new(Reorder { chance: chance("2%"), by: Duration::from_micros(200) }),
    ];
    let (events, received) = run_without_allocating(chain(Road { spec: fast(), impairments, ..Road::default() }));
    assert!(events >= 50_000, "{events} events");
    // About 5% and 4% are lost and 1% of what is left is damaged in its IP header, 2% come twice.
    assert!((17_000..=18_500).contains(&received), "{received} received");
}

#[test]
fn neither_do_a_hundred_thousand_routes_or_a_choice_between_equal_ones() {
    let teach = |machine: &mut MachineSpec, router: u8| {
        let next = std::net::Ipv4Addr::new(10, 0, router, 2).into();
        // The way on is written twice, so that each packet is a choice, which the cache of hops does not know.
        machine.routes.extend((0..2).map(|_| RouteSpec::via("10.0.4.0/25".parse().unwrap(), next)));
        machine.routes.extend((0..100_000_u32).map(|index| {
            let network = std::net::Ipv4Addr::from(0x0b00_0000 + index * 256);
            RouteSpec::via(format!("{network}/24").parse().unwrap(), next)
        }));
    };
    let (_, received) = run_without_allocating(chain(Road { spec: fast(), teach: Some(teach), ..Road::default() }));
    assert!((19_400..=19_500).contains(&received), "{received} received");
}
