//! Every bundled scenario: its expectations, the same bytes each time and in every build, and what a reader sees of it.
//!
//! The pictures are held in `snapshots/`, the hashes of all bytes in `hashes.txt`. That file is compared by debug and
//! release builds alike, which is what makes "the same bytes everywhere" more than a promise. Both are accepted, after they
//! have been read, with `INSTA_UPDATE=always cargo test --test it scenarios::`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use hopwise::scenario::{Asked, Example, examples};
use hopwise::{Report, Scenario};

/// The checked-in hashes.
const HASHES: &str = "tests/it/hashes.txt";

/// More events than this are no lesson: it must be possible to read a ladder whole.
const EVENTS_MAX: u64 = 2_000;

/// So many lines of a ladder fit on two or three screens.
const LADDER_LINES_MAX: usize = 100;

/// A trace that is longer than this is nothing to review; its ladder, which is filtered, is held alone.
const TEXT_LINES_MAX: usize = 250;

fn scenario(example: &Example) -> Scenario {
    Scenario::from_toml(example.name, example.text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn run(example: &Example) -> Report {
    scenario(example).run().unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// FNV-1a, 64 bits: written out here, so that no release of any crate changes it.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn every_expectation_of_every_scenario_is_met() {
    for example in examples() {
        let report = run(example);
        assert!(!report.findings.is_empty(), "{} expects nothing", example.name);
        report.assert_met();
        assert!(report.output_errors.is_empty(), "{}: {:?}", example.name, report.output_errors);
    }
}

#[test]
fn every_lesson_demands_packets_at_exact_times_or_outcomes_in_numbers() {
    for example in examples() {
        let table: toml::Table = example.text.parse().unwrap();
        let expectations = table["expect"].as_array().unwrap();
        let kinds: BTreeSet<&str> =
            expectations.iter().flat_map(|expected| expected.as_table().unwrap().keys().map(String::as_str)).collect();
        assert!(kinds.contains("that") || kinds.contains("packets"), "{}: {kinds:?}", example.name);
        let packets = expectations.iter().filter_map(|expected| expected.get("packets")?.as_str());
        // `~` is for what a person writes who does not know the network; here the network is ours.
        let vague = packets.flat_map(str::lines).filter(|line| line.split('#').next().unwrap().contains('~')).count();
        assert!(vague <= 1, "{}: {vague} times with a tolerance", example.name);
    }
}

#[test]
fn the_same_scenario_gives_the_same_bytes_each_time() {
    for example in examples() {
        let (first, second) = (run(example), run(example));
        for kind in ["json", "ladder", "pcapng", "summary", "text"] {
            assert!(!first.output(kind).is_empty(), "{}: no {kind}", example.name);
            assert_eq!(hash(first.output(kind)), hash(second.output(kind)), "{}: {kind} differs", example.name);
        }
        assert_eq!((first.events, first.ended_at), (second.events, second.ended_at), "{}", example.name);
        assert_eq!(first.outcomes, second.outcomes, "{}", example.name);
    }
}

#[test]
fn who_else_is_watching_changes_nothing() {
    for example in examples() {
        let all = run(example);
        for kind in ["json", "ladder", "pcapng", "text"] {
            let alone = scenario(example).build_with(&[Asked::kept(kind)]).unwrap().finish();
            assert_eq!(hash(alone.output(kind)), hash(all.output(kind)), "{}: {kind} alone differs", example.name);
        }
        let unwatched = scenario(example).judge().unwrap();
        assert_eq!(unwatched.findings, all.findings, "{}", example.name);
        assert_eq!(unwatched.events, all.events, "{}", example.name);
    }
}

#[test]
fn a_run_in_small_steps_gives_the_same_bytes() {
    for example in examples() {
        let whole = run(example);
        let mut steps = scenario(example).build_with(&[Asked::kept("text"), Asked::kept("pcapng")]).unwrap();
        let mut odd = 1;
        while steps.events(odd) {
            odd = odd % 7 + 1;
        }
        let report = steps.finish();
        assert_eq!(hash(report.output("text")), hash(whole.output("text")), "{}", example.name);
        assert_eq!(hash(report.output("pcapng")), hash(whole.output("pcapng")), "{}", example.name);
    }
}

#[test]
fn every_lesson_is_small_enough_to_be_read_whole() {
    for example in examples() {
        let report = run(example);
        assert!(report.events <= EVENTS_MAX, "{}: {} events", example.name, report.events);
        let lines = report.ladder().lines().count();
        assert!(lines <= LADDER_LINES_MAX, "{}: {lines} lines of ladder", example.name);
    }
}

/// The picture and the trace of every scenario. Accepting a change of one is a statement: the commit says why.
#[test]
fn every_picture_is_the_one_that_was_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for example in examples() {
            let (report, name) = (run(example), example.name.replace('/', "-"));
            insta::assert_snapshot!(format!("{name}.ladder"), report.ladder());
            if report.text().lines().count() <= TEXT_LINES_MAX {
                insta::assert_snapshot!(format!("{name}.text"), report.text());
            }
        }
    });
}

#[test]
fn the_bytes_are_those_of_every_other_machine_and_build() {
    let mut table = String::from("# FNV-1a of what each bundled scenario writes; the same in debug and in release.\n");
    for example in examples() {
        let report = run(example);
        let (text, pcapng) = (hash(report.output("text")), hash(report.output("pcapng")));
        writeln!(table, "{:24} text {text:016x}  pcapng {pcapng:016x}", example.name).unwrap();
    }
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(HASHES, &table).unwrap();
    }
    let held = fs::read_to_string(HASHES).unwrap_or_default();
    assert!(held == table, "{HASHES} differs; if the bytes are meant to change, it becomes:\n{table}");
}
