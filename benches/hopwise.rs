//! What things cost: the agenda, a pipe, a route, a chain of routers, a TCP transfer, a whole scenario.
//!
//! The last three load scenario files, so that what is measured is what is tested.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hopwise::Scenario;
use hopwise::id::{Direction, LinkId, NodeId, PipeId, PortId};
use hopwise::link::{Pipe, PipeSpec};
use hopwise::network::agenda::{Agenda, Class, Entry};
use hopwise::node::machine::{InterfaceSpec, Machine, MachineSpec, RouteSpec};
use hopwise::record::Outbox;
use hopwise::time::Time;
use hopwise::wire::{Frame, Layer};
use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

/// One push and one pop on an agenda that holds so many entries.
fn agenda(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("agenda");
    for entries in [100_u64, 10_000, 100_000] {
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("push and pop", entries), &entries, |bencher, entries| {
            let mut agenda = Agenda::default();
            let entry = |at: u64, node: u64| Entry {
                at: Time::from_nanos(at),
                node: NodeId(node as u32),
                class: Class::Arrival,
                port: PortId(0),
            };
            // Spread like link delays: a multiplicative hash of the index, up to 10 ms.
            (0..*entries).for_each(|i| agenda.push(entry(i.wrapping_mul(0x9e37_79b9) % 10_000_000, i)));
            let mut turn = 0_u64;
            bencher.iter(|| {
                let first = agenda.pop_until(Time::MAX).expect("it never runs empty");
                turn += 1;
                agenda.push(entry(first.at.as_nanos() + turn.wrapping_mul(0x9e37_79b9) % 10_000_000, turn % 1000));
                black_box(first)
            });
        });
    }
    group.finish();
}

/// A full frame through an otherwise empty pipe.
fn pipe(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipe");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one frame in and out", |bencher| {
        let rate = "1Gbit".parse().ok();
        let spec = PipeSpec { delay: Duration::from_millis(1), rate, ..PipeSpec::default() };
        let mut pipe = Pipe::new(PipeId::new(LinkId(0), Direction::AToB), spec);
        let mut out = Outbox::new(false);
        let mut now = Time::ZERO;
        bencher.iter(|| {
            let frame = Frame::new(out.buffer(1514), Layer::Ethernet);
            pipe.send(frame, now, &mut out);
            now = pipe.next_arrival_at().expect("it was just sent");
            let frame = pipe.take_arrival(now).expect("its time has come");
            out.consume(frame);
        });
    });
    group.finish();
}

/// One look-up in the routes of a machine that has so many, spread over the whole address space.
///
/// The same hundred destinations each time: what is measured is the way through the table, not how much of it the
/// processor's caches hold.
fn routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route lookup");
    for count in [100_u32, 10_000, 100_000] {
        let mac = EthernetAddress([2, 0, 0, 0, 0, 1]);
        let address = "10.0.0.1/24".parse().expect("it is one");
        let mut spec = MachineSpec::router("r1", 1).interface(InterfaceSpec::new("eth0", mac, address));
        // Lengths from 16 to 24, mostly the longest, as on the internet.
        let prefix = |index: u32| {
            let bits = Ipv4Addr::from(index.wrapping_mul(0x9e37_79b9));
            IpNet::new(bits.into(), 24 - (index % 17).saturating_sub(8) as u8).expect("at most 32").trunc()
        };
        spec.routes.extend((0..count).map(|index| RouteSpec::via(prefix(index), Ipv4Addr::new(10, 0, 0, 2).into())));
        let machine = Machine::new(spec);
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("routes", count), &count, |bencher, _| {
            let mut turn = 0_u32;
            bencher.iter(|| {
                turn = turn.wrapping_add(1);
                let destination = Ipv4Addr::from((turn % 100).wrapping_mul(0x9e37_79b9));
                black_box(machine.route_to(destination.into()).expect("each has one"))
            });
        });
    }
    group.finish();
}

/// A datagram stream over a chain of eight routers; the throughput is in packet-hops.
const CHAIN: &str = r#"
    stop = "1s"
    [topology.line]
    kind = "chain"
    routers = 8
    link = { rate = "1Gbit", delay = "1ms" }
    [apps]
    sink = { on = "h2", kind = "udp-sink", port = 9 }
    stream = { on = "h1", kind = "udp-stream", to = "h2:9", rate = "40Mbit", size = "512B", for = "900ms" }
"#;

/// One TCP connection over two links.
const BULK: &str = r#"
    stop = "60s"
    [topology.line]
    kind = "chain"
    routers = 1
    link = { rate = "100Mbit", delay = "1ms" }
    [apps]
    sink = { on = "h2", kind = "tcp-sink", port = 9 }
    bulk = { on = "h1", kind = "tcp-bulk", to = "h2:9", bytes = "4MB" }
"#;

fn run(scenario: &Scenario) -> u64 {
    scenario.judge().expect("the scenario is right").events
}

fn networks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("network");
    group.sample_size(20);
    for (name, text) in [("forwarding chain", CHAIN), ("tcp bulk", BULK)] {
        let scenario = Scenario::from_toml(name, text).expect("the scenario is right");
        group.throughput(Throughput::Elements(run(&scenario)));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run(&scenario))));
    }
    let example = hopwise::scenario::examples().iter().find(|example| example.name == "lossy-handshake");
    let text = example.expect("it is bundled").text;
    let scenario = Scenario::from_toml("lossy-handshake", text).expect("the scenario is right");
    group.throughput(Throughput::Elements(run(&scenario)));
    group.bench_function("whole scenario: lossy-handshake", |bencher| {
        bencher.iter(|| {
            let scenario = Scenario::from_toml("lossy-handshake", text).expect("the scenario is right");
            black_box(run(&scenario))
        });
    });
    group.finish();
}

criterion_group!(benches, agenda, pipe, routes, networks);
criterion_main!(benches);
