//! `hopwise sweep` and `hopwise merge`: tables, files, shards, what interrupts, and the ready job files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{Called, directory, hopwise};

const LOSS: &str = r#"
[nodes]
client = {}
server = {}
[links]
wan = { ends = ["client", "server"], delay = "20ms", rate = "10Mbit" }
[apps]
sink = { on = "server", kind = "tcp-sink", port = 9 }
bulk = { on = "client", kind = "tcp-bulk", to = "server:9", bytes = "20kB" }
[[expect]]
name = "within 300 ms"
that = "apps.bulk.transfer_time < 300ms"
"#;

const VARY: [&str; 6] = ["sweep", "loss.toml", "--seeds", "0..25", "--vary", "links.wan.loss=0%..10%:5%"];

fn place(name: &str) -> PathBuf {
    let here = directory(name);
    fs::write(here.join("loss.toml"), LOSS).unwrap();
    here
}

fn sweep(here: &Path, more: &[&str]) -> Called {
    hopwise(here, &[&VARY[..], more].concat())
}

#[test]
fn a_sweep_is_a_table_and_the_commands_that_repeat_what_is_not_met() {
    let here = place("sweep-table");
    let called = sweep(&here, &["--measure", "bulk.transfer_time"]);
    assert_eq!(called.code, 1);
    insta::assert_snapshot!(called.out, @"
    loss.toml: 75 runs, seeds 0 to 24, 3 combinations

    links.wan.loss  runs  met  bulk.transfer_time      sd       min       max
    0%                25   25            0.209624       0  0.209624  0.209624
    5%                25   14            0.934531  1.1039  0.209624    4.3545
    10%               25    7              4.2494  5.5796  0.209624    19.382
    not met in 29 of 75 runs: within 300 ms
    ");
    let command = called.err.lines().nth(1).unwrap().trim();
    assert!(called.err.starts_with("seed "), "{}", called.err);
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(hopwise(&here, &words).code, 1, "{command}");
}

#[test]
fn everything_met_exits_with_0() {
    let here = place("sweep-met");
    let called = hopwise(&here, &["sweep", "loss.toml", "--seeds", "7..9"]);
    assert_eq!((called.code, called.err.as_str()), (0, ""));
    insta::assert_snapshot!(called.out, @"
    loss.toml: 2 runs, seeds 7 to 8

    runs  met
       2    2
    ");
}

#[test]
fn what_is_written_does_not_depend_on_the_number_of_threads() {
    let here = place("sweep-threads");
    let written = |threads: &str| {
        let name = format!("{threads}.jsonl");
        sweep(&here, &["-q", "--threads", threads, "-o", &name]);
        fs::read_to_string(here.join(name)).unwrap()
    };
    let alone = written("1");
    assert_eq!(alone.lines().count(), 1 + 75);
    assert!(["2", "3", "8"].iter().all(|threads| written(threads) == alone));
}

#[test]
fn an_interrupted_file_is_gone_on_with_and_is_then_as_if_nothing_had_happened() {
    let here = place("sweep-resume");
    sweep(&here, &["-q", "-o", "whole.jsonl"]);
    let whole = fs::read_to_string(here.join("whole.jsonl")).unwrap();
    for cut in [whole.len() - 1, whole.len() / 2, whole.find('\n').unwrap() + 1] {
        fs::write(here.join("part.jsonl"), &whole[..cut]).unwrap();
        let called = sweep(&here, &["-o", "part.jsonl", "--resume"]);
        assert_eq!(called.code, 1);
        assert!(called.out.contains("loss.toml: 75 runs"), "{}", called.out);
        assert!(fs::read_to_string(here.join("part.jsonl")).unwrap() == whole, "cut at {cut}");
    }
    let other = hopwise(&here, &["sweep", "loss.toml", "--seeds", "0..26", "-o", "whole.jsonl", "--resume"]);
    assert_eq!(other.code, 2);
    assert!(other.err.contains("its range of seeds is 0..25, not 0..26"), "{}", other.err);
    fs::write(here.join("loss.toml"), LOSS.replace("20ms", "21ms")).unwrap();
    assert!(sweep(&here, &["-o", "whole.jsonl", "--resume"]).err.contains("its text of the scenario is"));
}

#[test]
fn a_signal_ends_it_with_what_is_done() {
    let here = place("sweep-signal");
    let arguments = ["sweep", "loss.toml", "--seeds", "0..10000000", "-o", "long.jsonl"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_hopwise"));
    command.args(arguments).current_dir(&here).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id().to_string();
    // It has begun once it has written; a signal before that would find no handler.
    let begun = || fs::metadata(here.join("long.jsonl")).is_ok_and(|file| file.len() > 4096);
    while !begun() {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(130), "{out}\n{err}");
    assert!(out.contains("(not all)") && err.contains("`--resume` goes on from here"), "{out}\n{err}");
    let text = fs::read_to_string(here.join("long.jsonl")).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() > 2);
}

#[test]
fn shards_are_merged_to_the_file_of_the_whole() {
    let here = place("sweep-shards");
    sweep(&here, &["-q", "-o", "whole.jsonl"]);
    for shard in ["1", "2", "3"] {
        sweep(&here, &["-q", "--shard", &format!("{shard}/3"), "-o", &format!("part-{shard}.jsonl")]);
    }
    let called = hopwise(&here, &["merge", "part-3.jsonl", "part-1.jsonl"]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("25 runs are missing, the first of them: 1, 4, 7"), "{}", called.err);
    let called = hopwise(&here, &["merge", "part-3.jsonl", "part-1.jsonl", "part-2.jsonl", "-o", "all.jsonl"]);
    assert_eq!(called.code, 1);
    assert!(called.out.starts_with("loss.toml: 75 of 75 runs\n"), "{}", called.out);
    let [all, whole] = ["all.jsonl", "whole.jsonl"].map(|name| fs::read_to_string(here.join(name)).unwrap());
    assert!(all == whole, "merged shards differ from the whole");
    let forged = fs::read_to_string(here.join("part-1.jsonl")).unwrap().replacen("\"events\":", "\"events\":1", 1);
    fs::write(here.join("forged.jsonl"), forged).unwrap();
    let called = hopwise(&here, &["merge", "part-1.jsonl", "forged.jsonl"]);
    assert!(called.code == 2 && called.err.contains("run 0 is in another file too"), "{}", called.err);
}

#[test]
fn comma_separated_values_have_a_column_for_each_thing() {
    let here = place("sweep-csv");
    hopwise(&here, &["sweep", "loss.toml", "-q", "--seeds", "0..2", "--measure", "bulk.bytes", "-o", "x.csv"]);
    insta::assert_snapshot!(fs::read_to_string(here.join("x.csv")).unwrap(), @"
    run,seed,met,unmet,failure,ended_at,events,bulk.bytes
    0,0,true,,,10.289796,44,20000
    1,1,true,,,10.289796,44,20000
    ");
    let called = hopwise(&here, &["sweep", "loss.toml", "--shard", "1/2", "-o", "x.csv"]);
    assert!(called.code == 2 && called.err.contains("ends in `.jsonl`"), "{}", called.err);
}

#[test]
fn what_is_asked_wrongly_names_what_would_be_right() {
    let here = place("sweep-wrong");
    let wrong = |more: &[&str], words: &str| {
        let called = hopwise(&here, &[&["sweep", "loss.toml"], more].concat());
        assert_eq!((called.code, called.out.as_str()), (2, ""), "{more:?}");
        assert!(called.err.contains(words), "{more:?}:\n{}", called.err);
    };
    wrong(&["--seeds", "9..9"], "`--seeds 0..1000`");
    wrong(&["--vary", "links.wan.los=1%,2%"], "did you mean `loss`?");
    wrong(&["--vary", "links.wan.loss=1%..2%"], "a range is FIRST..LAST:STEP");
    wrong(&["--measure", "bluk.goodput"], "did you mean `bulk`?");
    wrong(&["--shard", "3/2"], "`--shard 3/16`");
    wrong(&["--resume"], "--out");
    wrong(&["-o", "no/such/folder.jsonl"], "cannot write no/such/folder.jsonl");
}

/// Runs a shell script with `hopwise` in its path.
fn shell(here: &Path, script: &[&str], environment: &[(&str, &str)]) {
    let binary = Path::new(env!("CARGO_BIN_EXE_hopwise")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(script).current_dir(here).env("PATH", path).envs(environment.iter().copied());
    let output = command.env("SCENARIO", "loss.toml").env("SEEDS", "0..8").output().unwrap();
    // 1: an expectation is not met.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_ready_job_files_do_a_campaign_in_parts() {
    let here = place("sweep-jobs");
    let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/jobs");
    let slurm = jobs.join("slurm.sh").display().to_string();
    for task in ["1", "2", "3"] {
        let environment =
            [("SLURM_ARRAY_TASK_ID", task), ("SLURM_ARRAY_TASK_COUNT", "3"), ("SLURM_CPUS_PER_TASK", "1")];
        shell(&here, &[&slurm], &environment);
    }
    let of_slurm = hopwise(&here, &["merge", "part-1.jsonl", "part-2.jsonl", "part-3.jsonl"]).out;
    assert!(of_slurm.starts_with("loss.toml: 48 of 48 runs\n"), "{of_slurm}");
    (1..=3).for_each(|part| fs::remove_file(here.join(format!("part-{part}.jsonl"))).unwrap());

    let yaml = fs::read_to_string(jobs.join("kubernetes.yaml")).unwrap();
    let script = yaml.split("            - |\n").nth(1).unwrap().split("          resources:").next().unwrap();
    let vary = yaml.split("{ name: VARY, value: \"").nth(1).unwrap().split('"').next().unwrap();
    for index in ["0", "1", "2"] {
        shell(&here, &["-c", script], &[("JOB_COMPLETION_INDEX", index), ("SHARDS", "3"), ("VARY", vary)]);
    }
    assert_eq!(hopwise(&here, &["merge", "part-1.jsonl", "part-2.jsonl", "part-3.jsonl"]).out, of_slurm);
}
