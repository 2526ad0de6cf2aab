//! The forwarding path allocates nothing: a counting allocator watches a chain of routers.
//!
//! A test of its own, because the allocator belongs to the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::any::Any;
use std::time::Duration;

use hopwise::id::PortId;
use hopwise::link::PipeSpec;
use hopwise::network::Network;
use hopwise::node::Node;
use hopwise::node::machine::{InterfaceSpec, Machine, MachineSpec, NeighborSpec, RouteSpec};
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

/// source — r1 — r2 — r3 — r4 — sink, each link a subnet: 10.0.0.0/24 to 10.0.4.0/24, every neighbor known.
fn chain() -> Network {
    let mut network = Network::new(1);
    let source = network.add_node("source", vec!["eth0".into()], Box::new(Source::new(Time::ZERO)));
    let mut last = (source, PortId(0));
    let spec = || PipeSpec { delay: Duration::from_millis(1), rate: "1Gbit".parse().ok(), ..PipeSpec::default() };
    for router in 1..=ROUTERS {
        let address = |subnet: u8, host: u8| format!("10.0.{subnet}.{host}/24").parse().unwrap();
        let next = format!("10.0.{router}.2").parse().unwrap();
        let mut machine = MachineSpec::router(format!("r{router}"), 1)
            .interface(InterfaceSpec::new("left", mac(router, 0), address(router - 1, 2)))
            .interface(InterfaceSpec::new("right", mac(router, 1), address(router, 1)));
        if router < ROUTERS {
            machine = machine.route(RouteSpec::via("0.0.0.0/0".parse().unwrap(), next));
        }
        machine.neighbors.push(NeighborSpec { interface: 1, address: next, mac: mac(router + 1, 0) });
        let ports = vec!["left".to_owned(), "right".to_owned()];
        let node = network.add_node(format!("r{router}"), ports, Box::new(Machine::new(machine)));
        network.add_link(format!("l{router}"), [last, (node, PortId(0))], [spec(), spec()]).unwrap();
        last = (node, PortId(1));
    }
    let sink = network.add_node("sink", vec!["eth0".into()], Box::new(Source::new(Time::MAX)));
    network.add_link("last", [last, (sink, PortId(0))], [spec(), spec()]).unwrap();
    network
}

#[test]
fn forwarding_allocates_nothing_in_the_steady_state() {
    let mut network = chain();
    // Warm up: the pool fills, the queues reach their size.
    network.run_until(Time::from_millis(100)).unwrap();
    let before = network.events();
    let counted = allocation_counter::measure(|| network.run_until(Time::from_millis(200)).unwrap());
    let events = network.events() - before;
    let sink = network.find_node("sink").unwrap();
    let received = network.node_mut(sink).as_any().downcast_mut::<Source>().unwrap().received;
    // 100 ms at 10 us are 10,000 datagrams, each with five arrivals and a wake-up of the source.
    assert!(events >= 59_000, "{events} events");
    // The first datagram takes five links of 1 ms each and some clocking out.
    assert!((19_400..=19_500).contains(&received), "{received} received");
    assert_eq!(counted.count_total, 0, "{} allocations in {events} events", counted.count_total);
}
