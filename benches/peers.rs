//! The workloads that other simulators are measured by, and what hopwise does with them: one JSON line a run.
//!
//! ```text
//! cargo bench --bench peers -- chain --routers=8
//! cargo bench --bench peers -- dumbbell --flows=10 --cc=newreno
//! cargo bench --bench peers -- star --hosts=10000
//! cargo bench --bench peers -- grid
//! cargo bench --bench peers -- grid --threads=2     # divided among two threads; --threads=auto: where it pays
//! ```
//!
//! Each workload is a scenario that is written here and read as any other, so that set-up means all of it: text, layout,
//! addresses, routes, machines. `benches/peers.sh` runs them beside the peers and prints the ratios; `docs/performance.md`
//! says how the work differs. Without an argument (as `cargo bench` calls it among the other benches), every workload runs
//! once in a small size.
//!
//! | key | meaning |
//! |---|---|
//! | `hops` | frames that were put on a link, all links, both directions; one that a full queue refuses does not count |
//! | `delivered` | what reached its consumer: datagrams, answers, or (`dumbbell`) segments at the hosts |
//! | `run_cpu_s` | CPU seconds of the run alone, of the first thread; `setup_s`: of everything before it |
//! | `run_wall_s` | how long the run took by the clock on the wall; `all_cpu_s`: CPU seconds of all threads in it |
//! | `rss_peak_kib` | the most memory the process has had |

use std::fmt::Write as _;
use std::fs;

use hopwise::id::{Direction, LinkId, NodeId, PipeId};
use hopwise::network::Threads;
use hopwise::record::Value;
use hopwise::{Network, Report, Scenario, Time};

/// A scenario, what it is called in the JSON line, and what counts as a delivery.
struct Workload {
    parameters: String,
    text: String,
    /// The outcome to sum over all programs, or the counter to sum over all nodes.
    delivered: Delivered,
}

enum Delivered {
    Outcome(&'static str, &'static str),
    Counter(&'static str),
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some((name, options)) = arguments.split_first() else {
        for workload in [chain(8, 2000), dumbbell(1, "cubic", "5s"), star(100), grid(20)] {
            measure(&workload, Threads::One);
        }
        return;
    };
    let option = |key: &str| {
        let value =
            |option: &'_ str| option.strip_prefix("--")?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        options.iter().find_map(|option| value(option))
    };
    let number = |key: &str, default: usize| match option(key) {
        Some(value) => value.parse().unwrap_or_else(|_| fail(&format!("--{key}={value} is no number"))),
        None => default,
    };
    let workload = match name.as_str() {
        "chain" => chain(number("routers", 8), number("packets", 200_000)),
        "dumbbell" => dumbbell(number("flows", 1), option("cc").as_deref().unwrap_or("newreno"), "60s"),
        "star" => star(number("hosts", 100)),
        "grid" => grid(number("packets", 1000)),
        other => fail(&format!("no workload is called `{other}`: chain, dumbbell, star, grid")),
    };
    let threads = match option("threads").as_deref() {
        None => Threads::One,
        Some("auto") => Threads::UpTo(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(_) => Threads::Exactly(number("threads", 1)),
    };
    measure(&workload, threads);
}

fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(2)
}

/// Runs a workload and prints its line.
#[expect(clippy::disallowed_types, reason = "what is measured is real time")]
fn measure(workload: &Workload, threads: Threads) {
    let begun = cpu_seconds();
    let scenario = Scenario::from_toml("workload", workload.text.as_str());
    let run = scenario.and_then(|scenario| scenario.build_with(&[]));
    let mut run = run.unwrap_or_else(|mistakes| fail(&mistakes.to_string()));
    let (built, rss_setup) = (cpu_seconds(), status_kib("VmRSS:"));
    run.set_threads(threads);
    let (all_before, begun_to_run) = (all_cpu_seconds(), std::time::Instant::now());
    run.until(Time::MAX);
    let (wall, all) = (begun_to_run.elapsed().as_secs_f64(), all_cpu_seconds() - all_before);
    let ran = cpu_seconds();

    let network = run.network();
    let links = (0..network.names().links.len() as u32).map(LinkId);
    let pipes = links.flat_map(|link| Direction::BOTH.map(|way| PipeId::new(link, way)));
    let counters: Vec<_> = pipes.map(|pipe| network.counters(pipe)).collect();
    let dropped: u64 = counters.iter().map(|counters| counters.dropped_queue_full).sum();
    let hops = counters.iter().map(|counters| counters.sent).sum::<u64>() - dropped;
    let counted = match workload.delivered {
        Delivered::Counter(name) => counter_sum(network, name),
        Delivered::Outcome(..) => 0,
    };
    let (parts, (meetings, threaded)) = (network.parts(), network.meetings());
    let (sim_s, events) = (network.now(), network.events());
    let report = run.finish();
    assert!(report.failure.is_none(), "{:?}", report.failure);
    let delivered = match workload.delivered {
        Delivered::Counter(_) => counted,
        Delivered::Outcome(kind, key) => outcome_sum(&report, kind, key),
    };
    println!(
        "{{{}, \"sim_s\": {sim_s}, \"delivered\": {delivered}, \"hops\": {hops}, \"events\": {events}, \
         \"goodput_bytes\": {}, \"dropped\": {dropped}, \"run_cpu_s\": {:.6}, \
         \"run_wall_s\": {wall:.6}, \"all_cpu_s\": {all:.6}, \"parts\": {parts}, \"meetings\": {meetings}, \"threaded\": {threaded}, \"setup_s\": {:.6}, \
         \"rss_setup_kib\": {rss_setup}, \"rss_peak_kib\": {}}}",
        workload.parameters,
        outcome_sum(&report, "tcp-sink", "bytes"),
        ran - built,
        built - begun,
        status_kib("VmHWM:"),
    );
}

fn counter_sum(network: &Network, name: &str) -> u64 {
    let nodes = (0..network.names().nodes.len() as u32).map(NodeId);
    nodes.filter_map(|node| network.node(node).counter(name)).map(|value| integer(&value)).sum()
}

fn outcome_sum(report: &Report, kind: &str, key: &str) -> u64 {
    let of_kind = report.outcomes.iter().filter(|outcomes| outcomes.kind == kind);
    let values = of_kind.flat_map(|outcomes| &outcomes.values).filter(|(name, _)| name == key);
    values.map(|(_, value)| integer(value)).sum()
}

fn integer(value: &Value) -> u64 {
    match value {
        Value::Integer(value) => u64::try_from(*value).unwrap_or(0),
        _ => 0,
    }
}

/// What all threads of this process have used of processors.
fn all_cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// What this thread has used of a processor, in user and system mode.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.unwrap_or_else(|| fail("/proc/self/schedstat cannot be read: this bench runs on Linux")) / 1e9
}

/// A line of this process's status, in KiB.
fn status_kib(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// `packets` datagrams of 512 bytes, one every 10 µs, through routers in a row.
fn chain(routers: usize, packets: usize) -> Workload {
    let text = format!(
        r#"stop = "60s"
        [topology.line]
        kind = "chain"
        routers = {routers}
        link = {{ rate = "1Gbit", delay = "1ms" }}
        [apps]
        sink = {{ on = "h2", kind = "udp-sink", port = 9 }}
        stream = {{ on = "h1", kind = "udp-stream", to = "h2:9", rate = "409600kbit", size = "512B", for = "{}us" }}
        "#,
        packets * 10
    );
    let parameters = format!(r#""workload": "chain", "routers": {routers}"#);
    Workload { parameters, text, delivered: Delivered::Outcome("udp-sink", "received") }
}

/// TCP connections over one narrow link, sending without end.
fn dumbbell(flows: usize, congestion: &str, stop: &str) -> Workload {
    let algorithm = congestion.trim_start_matches("new");
    let mut text = format!(
        r#"stop = "{stop}"
        [topology.race]
        kind = "dumbbell"
        pairs = {flows}
        link = {{ rate = "1Gbit", delay = "1ms" }}
        bottleneck = {{ rate = "100Mbit", delay = "10ms", queue = "100 packets" }}
        [nodes]
        "#
    );
    let tcp = format!(
        r#"tcp = {{ congestion = "{algorithm}", nagle = false, send_buffer = "1MiB", receive_buffer = "1MiB" }}"#
    );
    for flow in 1..=flows {
        let _ = writeln!(text, "a{flow} = {{ {tcp} }}\nb{flow} = {{ {tcp} }}");
    }
    text.push_str("[apps]\n");
    for flow in 1..=flows {
        let _ = writeln!(text, r#"sink{flow} = {{ on = "b{flow}", kind = "tcp-sink", port = 5001 }}"#);
        let start = (flow - 1) * 10;
        let _ = writeln!(
            text,
            r#"bulk{flow} = {{ on = "a{flow}", kind = "tcp-bulk", to = "b{flow}:5001", for = "1h", start = "{start}ms" }}"#
        );
    }
    let parameters = format!(r#""workload": "dumbbell", "flows": {flows}, "cc": "{congestion}""#);
    Workload { parameters, text, delivered: Delivered::Counter("tcp.segments_received") }
}

/// Hosts around a router, each asking one server ten times.
fn star(hosts: usize) -> Workload {
    let mut text = format!(
        r#"stop = "60s"
        [topology.star]
        kind = "star"
        center = "router"
        hosts = {hosts}
        link = {{ rate = "1Gbit", delay = "1ms" }}
        [nodes]
        server = {{}}
        [links]
        up = {{ ends = ["server", "r1"], rate = "1Gbit", delay = "1ms" }}
        [apps]
        echo = {{ on = "server", kind = "udp-echo", port = 7 }}
        "#
    );
    for host in 1..=hosts {
        let start = (host - 1) * 10;
        let _ = writeln!(
            text,
            r#"ask{host} = {{ on = "h{host}", kind = "udp-send", to = "server:7", bytes = "64B", count = 10, interval = "100ms", start = "{start}us" }}"#
        );
    }
    let parameters = format!(r#""workload": "star", "hosts": {hosts}, "routing": "table""#);
    Workload { parameters, text, delivered: Delivered::Outcome("udp-send", "received") }
}

/// 1024 routers in rows and columns, 256 flows between pairs of them.
fn grid(packets: usize) -> Workload {
    const SIDE: u64 = 32;
    let mut text = format!(
        r#"stop = "60s"
        [topology.grid]
        kind = "grid"
        rows = {SIDE}
        columns = {SIDE}
        hosts = "none"
        link = {{ rate = "1Gbit", delay = "1ms" }}
        [apps]
        "#
    );
    // Which pairs is part of the workload's definition: splitmix64, state 1.
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % (SIDE * SIDE)
    };
    let name = |index: u64| format!("r{}x{}", index / SIDE + 1, index % SIDE + 1);
    let mut flow = 0;
    while flow < 256 {
        let (source, destination) = (draw(), draw());
        if source == destination {
            continue;
        }
        let (source, destination, port, start) = (name(source), name(destination), 10_000 + flow, flow * 3900);
        let _ = writeln!(text, r#"sink{flow} = {{ on = "{destination}", kind = "udp-sink", port = {port} }}"#);
        let _ = writeln!(
            text,
            r#"stream{flow} = {{ on = "{source}", kind = "udp-stream", to = "{destination}:{port}", rate = "4096kbit", size = "512B", for = "{packets}ms", start = "{start}ns" }}"#
        );
        flow += 1;
    }
    let parameters = r#""workload": "grid", "routing": "table""#.to_owned();
    Workload { parameters, text, delivered: Delivered::Outcome("udp-sink", "received") }
}
