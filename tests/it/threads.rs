//! One run on several threads: whatever the number, the same bytes, outcomes and counts.

use hopwise::network::Threads;
use hopwise::scenario::{Asked, examples};
use hopwise::{Network, Report, Scenario, Time};

/// So many threads as a machine has, an odd number, and more than most lessons have nodes.
const THREADS: [usize; 4] = [1, 2, 3, 8];

const KINDS: [&str; 5] = ["json", "ladder", "pcapng", "summary", "text"];

/// What a run leaves behind, all of it: what was written, reported, judged, counted.
fn whole(scenario: &Scenario, threads: usize) -> (Report, Vec<(String, String)>) {
    let asked: Vec<Asked> = KINDS.iter().map(|kind| Asked::kept(kind)).collect();
    let mut run = scenario.build_with(&asked).unwrap();
    run.network.set_threads(Threads::Exactly(threads));
    run.until(Time::MAX);
    let facts = facts(&run.network);
    (run.finish(), facts)
}

/// Every outcome and counter there is.
fn facts(network: &Network) -> Vec<(String, String)> {
    let names = network.fact_names();
    names.into_iter().filter_map(|name| network.fact(&name).map(|value| (name, value.to_string()))).collect()
}

#[track_caller]
fn assert_same(name: &str, one: &(Report, Vec<(String, String)>), other: &(Report, Vec<(String, String)>)) {
    for (one, other) in one.1.iter().zip(&other.1) {
        assert_eq!(one, other, "{name}");
    }
    let ((one, _), (other, _)) = (one, other);
    for kind in KINDS {
        let [first, second] = [one, other].map(|report| String::from_utf8_lossy(report.output(kind)).into_owned());
        if kind != "pcapng" {
            let differs = first.lines().zip(second.lines()).find(|(first, second)| first != second);
            assert_eq!(differs, None, "{name}: {kind}");
        }
        assert!(one.output(kind) == other.output(kind), "{name}: {kind} differs");
    }
    assert_eq!((one.events, one.ended_at), (other.events, other.ended_at), "{name}");
    assert_eq!(one.outcomes, other.outcomes, "{name}");
    assert_eq!(one.findings, other.findings, "{name}");
    assert_eq!(one.failure, other.failure, "{name}");
}

#[test]
fn every_lesson_gives_the_same_bytes_on_any_number_of_threads() {
    for example in examples() {
        let scenario = Scenario::from_toml(example.name, example.text).unwrap();
        let one = whole(&scenario, 1);
        for threads in THREADS {
            assert_same(&format!("{} on {threads} threads", example.name), &one, &whole(&scenario, threads));
        }
    }
}

/// What a run of the program writes, without the time that it took.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let called = crate::command::hopwise(std::path::Path::new("."), arguments);
    (called.code, called.out, called.err)
}

#[test]
fn the_program_prints_the_same_on_any_number_of_threads() {
    let common = ["run", "lossy-handshake", "--output", "text", "--output", "summary"];
    let one = run(&[&common[..], &["--threads", "1"]].concat());
    assert_eq!(one.0, 0, "{}", one.2);
    assert_eq!(run(&common), one, "as many as pay");
    for threads in ["2", "3", "8", "64"] {
        assert_eq!(run(&[&common[..], &["--threads", threads]].concat()), one, "{threads}");
    }
    for wrong in ["0", "65", "many"] {
        let (code, out, err) = run(&[&common[..], &["--threads", wrong]].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{wrong}");
        assert!(err.contains("--threads"), "{err}");
    }
}

/// Many flows between two sites, some of them over a bad link: enough for threads to be worth it.
const SITES: &str = r#"
    stop = "600ms"
    [topology.race]
    kind = "dumbbell"
    pairs = 6
    link = { rate = "1Gbit", delay = "100us" }
    bottleneck = { rate = "500Mbit", delay = "10ms", queue = "50 packets", loss = "0.1%" }
    [apps]
    sinks = { on = "b1", kind = "tcp-sink", port = 9 }
    bulk = { on = "a1", kind = "tcp-bulk", to = "b1:9", for = "10s" }
    udp = { on = "b3", kind = "udp-sink", port = 9 }
    stream = { on = "a3", kind = "udp-stream", to = "b3:9", rate = "200Mbit", size = "700B", for = "550ms" }
    back = { on = "a4", kind = "tcp-sink", port = 9 }
    bulk4 = { on = "b4", kind = "tcp-bulk", to = "a4:9", for = "10s" }
    [[at]]
    t = "300ms"
    do = "link-down"
    link = "bottleneck"
    for = "60ms"
    [[at]]
    t = "400ms"
    do = "set"
    link = "bottleneck"
    delay = "4ms"
    [[at]]
    t = "500ms"
    do = "crash"
    node = "b3"
    for = "20ms"
    [[expect]]
    that = 'links.bottleneck.dropped > 0'
"#;

#[test]
fn a_run_that_divides_itself_comes_to_the_same() {
    let scenario = Scenario::from_toml("sites", SITES).unwrap();
    let one = whole(&scenario, 1);
    for threads in [2, 3] {
        assert_same(&format!("{threads} threads"), &one, &whole(&scenario, threads));
    }
    let judged = |threads| {
        let mut run = scenario.build().unwrap();
        run.network.set_threads(threads);
        // In pieces, as somebody who shows progress goes.
        while run.proceed(10_000) {}
        let parts = run.network.parts();
        let facts = facts(&run.network);
        let report = run.finish();
        (parts, facts, report.findings, report.outcomes, report.events)
    };
    let (one, divided) = (judged(Threads::One), judged(Threads::UpTo(2)));
    assert_eq!((one.0, divided.0), (1, 2), "{} events", one.4);
    assert_eq!((one.1, one.2, one.3, one.4), (divided.1, divided.2, divided.3, divided.4));
}
