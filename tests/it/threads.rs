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
