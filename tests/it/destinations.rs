//! Where outputs of the program go: files, pipes, and places that they must not spoil.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A fresh directory with a scenario in it that records a text.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("destinations").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("v1.2.toml"), SCENARIO).unwrap();
    path
}

const SCENARIO: &str = "[nodes]\na = {}\nb = {}\n[links]\nwire = { ends = [\"a\", \"b\"] }\n[apps]\n\
                        ping = { on = \"a\", kind = \"ping\", to = \"b\", count = 2 }\n[[expect]]\n\
                        that = 'apps.ping.received == 2'\n[record]\ntext = true\n";

fn hopwise(directory: &Path, arguments: &[&str], stdout: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hopwise"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[track_caller]
fn refused(directory: &Path, arguments: &[&str], words: &str) {
    let output = hopwise(directory, arguments, Stdio::piped());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains(words), "the complaint lacks `{words}`:\n{complaint}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_capture_in_a_pipe_has_the_bytes_of_one_in_a_file() {
    let here = directory("pipe");
    let piped = hopwise(&here, &["run", "v1.2.toml", "-o", "pcapng"], Stdio::piped());
    assert_eq!(piped.status.code(), Some(0));
    hopwise(&here, &["run", "v1.2.toml", "-o", "pcapng=file"], Stdio::null());
    assert_eq!(piped.stdout, fs::read(here.join("file")).unwrap());
    // Anything else in the same pipe would spoil it.
    refused(&here, &["run", "v1.2.toml", "-o", "pcapng", "-o", "text"], "pcapng cannot share the standard output");
}

#[test]
fn one_kind_goes_to_a_file_and_to_the_screen_at_once() {
    let here = directory("twice");
    let output = hopwise(&here, &["run", "v1.2.toml", "-o", "text=file", "-o", "text"], Stdio::piped());
    assert!(!output.stdout.is_empty());
    assert_eq!(output.stdout, fs::read(here.join("file")).unwrap());
}

#[test]
fn an_output_spoils_neither_the_scenario_nor_another_output() {
    let here = directory("spoil");
    refused(&here, &["run", "v1.2.toml", "-o", "text=./v1.2.toml"], "is the scenario; text would overwrite it");
    refused(&here, &["run", "v1.2.toml", "-o", "text=x", "-o", "json=x"], "x cannot hold both text and json");
    refused(&here, &["run", "v1.2.toml", "-o", "text="], "lacks a path");
    // What `[record]` asks for is written beside it, under the scenario's whole name.
    fs::copy(here.join("v1.2.toml"), here.join("v1.2.txt")).unwrap();
    refused(&here, &["run", "v1.2.txt"], "v1.2.txt is the scenario");
    assert_eq!(fs::read_to_string(here.join("v1.2.txt")).unwrap(), SCENARIO);
    fs::remove_file(here.join("v1.2.txt")).unwrap();
    assert_eq!(hopwise(&here, &["run", "v1.2.toml", "-q"], Stdio::piped()).status.code(), Some(0));
    assert!(fs::read_to_string(here.join("v1.2.txt")).unwrap().contains("ICMP echo request"));
}

#[test]
fn a_reader_who_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let here = directory("full");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(hopwise(&here, &["run", "v1.2.toml"], writer.into()).status.code(), Some(0));
    if let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") {
        let output = hopwise(&here, &["run", "v1.2.toml"], full.into());
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to the standard output"));
    }
}

#[test]
fn a_run_says_the_same_wherever_its_file_is_and_repeats_with_its_end() {
    let here = directory("name");
    let summary = |path: &str, directory: &Path| {
        hopwise(directory, &["run", path, "-o", "summary", "--until", "500ms"], Stdio::piped())
    };
    let (near, far) = (summary("v1.2.toml", &here), summary("name/v1.2.toml", here.parent().unwrap()));
    assert!(String::from_utf8_lossy(&near.stdout).starts_with("v1.2: seed 1, 0.500 s"));
    assert_eq!(near.stdout, far.stdout);
    assert!(String::from_utf8_lossy(&near.stderr).contains("repeat with: hopwise run v1.2.toml --until 500ms"));
}
