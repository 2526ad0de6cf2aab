//! What a segment costs when there are many connections: ten, or ten thousand, to one server.
//!
//! In `one speaks` a single connection says something again and again while the others are idle: what is measured is the
//! way to a connection among many. In `all speak` they take turns: no connection is in the processor's caches any more when its
//! turn comes again, which with ten thousand is the most of what is measured.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hopwise::net::{Net, ProgramError, TcpListener, TcpStream};
use hopwise::record::Value;
use hopwise::scenario::Run;
use hopwise::{Scenario, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Round trips in each second of virtual time: every one is a segment there, one back.
const ROUND_TRIPS: u64 = 1000;

/// When everybody is connected.
const READY_AT: Time = Time::from_secs(100);

async fn echo_server(net: Net) -> Result<(), ProgramError> {
    let listener = TcpListener::bind(&net, 7, 16_384)?;
    let never = listener.serve(|mut stream, _| async move {
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    });
    match never.await? {}
}

/// Opens so many connections, and then makes a round trip each millisecond, on the first `speakers` by turns.
async fn client(net: Net, connections: usize, speakers: usize) -> Result<(), ProgramError> {
    let peer = (net.lookup("server").await?, 7).into();
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(TcpStream::connect(&net, peer).await?);
    }
    net.sleep_until(READY_AT).await;
    let mut ticks = net.interval(Duration::from_secs(1) / ROUND_TRIPS as u32);
    let mut answer = [0; 8];
    for turn in 0_usize.. {
        ticks.tick().await;
        let stream = &mut streams[turn % speakers];
        stream.write_all(b"question").await?;
        stream.read_exact(&mut answer).await?;
    }
    Ok(())
}

/// How long this thread has had a processor: what others do on the machine does not count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is measured on Linux");
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("its first word is a number"))
}

/// A network in which everybody is connected.
fn connected(connections: usize, speakers: usize) -> Run {
    let text = "stop = \"1000000h\"\n[nodes]\nclient = {}\nserver = {}\n\
                [links]\nwire = { ends = [\"client\", \"server\"], delay = \"10us\" }\n";
    let scenario = Scenario::from_toml("connections", text).expect("the scenario is right");
    let scenario = scenario.program("echo", "server", echo_server);
    let scenario = scenario.program("ask", "client", move |net| client(net, connections, speakers));
    let mut run = scenario.build().expect("the scenario is right");
    // Each connection speaks at least once before anything is measured.
    run.until(READY_AT + Duration::from_secs(20));
    assert_eq!(run.network.fact("nodes.server.tcp.connections"), Some(Value::Integer(connections as i64)));
    run
}

fn segments(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("segments");
    group.sample_size(10);
    for (name, everybody) in [("one speaks", false), ("all speak", true)] {
        for connections in [10, 10_000] {
            let mut run = connected(connections, if everybody { connections } else { 1 });
            let sent = |run: &Run| match run.network.fact("nodes.client.tcp.segments_sent") {
                Some(Value::Integer(count)) => count as u64,
                other => panic!("{other:?}"),
            };
            let mut until = run.network.now();
            let before = sent(&run);
            until += Duration::from_secs(1);
            run.until(until);
            // What one end sends the other receives, and the other way round.
            group.throughput(Throughput::Elements(2 * (sent(&run) - before)));
            group.bench_function(BenchmarkId::new(name, connections), |bencher| {
                bencher.iter_custom(|iterations| {
                    let before = processor_time();
                    until += Duration::from_secs(iterations);
                    run.until(until);
                    processor_time() - before
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, segments);
criterion_main!(benches);
