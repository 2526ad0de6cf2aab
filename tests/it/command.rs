//! The program itself, as a person or a script calls it: exit codes, streams, and what it says when it is called wrongly.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a call came to.
pub(crate) struct Called {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A fresh directory of this name, far from the repository's own.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hopwise"));
    command.args(arguments).current_dir(directory).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Calls the program in a directory.
pub(crate) fn hopwise(directory: &Path, arguments: &[&str]) -> Called {
    let output = command(directory, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let code = output.status.code().expect("no signal ends it");
    Called { code, out: text(output.stdout), err: text(output.stderr) }
}

impl Called {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.out.contains(words), "the output lacks `{words}`:\n{}", self.out);
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, words: &str) -> Self {
        assert!(self.err.contains(words), "the complaint lacks `{words}`:\n{}", self.err);
        self
    }
}

/// A scenario whose one expectation fails: five pings at a loss of one half, with this seed, and none lost.
const LOSSY: &str = "[nodes]\na = {}\nb = {}\n[links]\nwire = { ends = [\"a\", \"b\"], loss = \"50%\" }\n[apps]\n\
                     ping = { on = \"a\", kind = \"ping\", to = \"b\", count = 5 }\n[[expect]]\nthat = 'apps.ping.lost == 0'\n";

#[test]
fn a_bundled_example_runs_in_any_directory_and_exits_with_0() {
    let directory = directory("elsewhere");
    let called = hopwise(&directory, &["run", "lossy-handshake"]).exits(0);
    let called = called.says("lost on access: lose-first-syn").says("3 of 3 met");
    assert!(called.err.contains("wrote lossy-handshake.pcapng"), "{}", called.err);
    assert!(directory.join("lossy-handshake.pcapng").exists(), "the scenario's own [record] asks for a capture");
}

#[test]
fn an_unmet_expectation_exits_with_1_and_what_it_says_repeats_it() {
    let directory = directory("repeat");
    fs::write(directory.join("lossy one.toml"), LOSSY).unwrap();
    let first = hopwise(&directory, &["run", "lossy one.toml", "--seed", "3", "--set", "apps.ping.size=64B"]).exits(1);
    let command = first.err.lines().find_map(|line| line.strip_prefix("repeat with: hopwise ")).expect("it says how");
    assert_eq!(command, "run 'lossy one.toml' --set apps.ping.size=64B --seed 3");
    // A shell takes the quotes off; so does this, for a command that has them in one place only.
    let arguments: Vec<&str> = command
        .split('\'')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect();
    let again = hopwise(&directory, &arguments).exits(1);
    assert_eq!((again.out, again.err), (first.out, first.err));
}

#[test]
fn a_setting_changes_the_run_and_another_seed_changes_the_luck() {
    let directory = directory("settings");
    fs::write(directory.join("lossy.toml"), LOSSY).unwrap();
    hopwise(&directory, &["run", "lossy.toml", "--set", "links.wire.loss=0%"]).exits(0).says("1 of 1 met");
    let with_seed = |seed: &str| hopwise(&directory, &["run", "lossy.toml", "-o", "text", "--seed", seed]).out;
    assert_eq!(with_seed("1"), with_seed("1"));
    assert!((2..10).any(|seed| with_seed("1") != with_seed(&seed.to_string())));
}

#[test]
fn until_ends_the_run_and_trace_shows_only_what_matches() {
    let here = directory("until");
    let called = hopwise(&here, &["run", "arp", "--until", "3s", "-o", "text", "--trace", "icmp.type == 8"]);
    let called = called.exits(1).says("# the run ends at 3000.000 ms").says("ICMP echo request");
    assert!(!called.out.contains("who-has") && !called.out.contains("echo reply"), "{}", called.out);
}

#[test]
fn outputs_go_where_they_are_told() {
    let directory = directory("outputs");
    let called = hopwise(&directory, &["run", "arp", "-o", "pcapng=c.pcapng", "-o", "json=t.json", "-o", "ladder"]);
    let called = called.exits(0).says("── arp who-has server");
    assert!(called.err.contains("wrote c.pcapng") && called.err.contains("wrote t.json"), "{}", called.err);
    let capture = fs::read(directory.join("c.pcapng")).unwrap();
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a], "a section header block comes first");
    for line in fs::read_to_string(directory.join("t.json")).unwrap().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let quiet = hopwise(&directory, &["run", "-q", "arp"]).exits(0);
    assert_eq!(quiet.out + &quiet.err, "");
    let nowhere = hopwise(&directory, &["run", "arp", "-o", "pcapng=no/such/folder.pcapng"]).exits(2);
    nowhere.complains("error: cannot write no/such/folder.pcapng: ");
}

#[test]
fn a_view_is_shown_at_its_time_and_disturbs_nothing() {
    let here = directory("show");
    let shown =
        hopwise(&here, &["run", "-q", "arp", "--show", "12s:client:neigh", "--show", "1s:client:neigh"]).exits(0);
    let expected = "client: neigh at 1.000 s\n    10.0.0.2 dev eth0 lladdr 02:00:0a:00:00:02 REACHABLE\n\n\
                    client: neigh at 12.000 s\n    10.0.0.2 dev eth0 lladdr 02:00:0a:00:00:02 REACHABLE\n    \
                    10.0.0.99 dev eth0 INCOMPLETE\n";
    assert_eq!(shown.out, expected);
    let (with, without) = (["run", "arp", "-o", "text", "--show", "1s:client:route"], ["run", "arp", "-o", "text"]);
    let (with, without) = (hopwise(&here, &with).exits(0), hopwise(&here, &without).exits(0));
    let view = "\nclient: route at 1.000 s\n    10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1\n";
    assert_eq!(with.out.strip_suffix(view), Some(without.out.as_str()), "{}", with.out);
    hopwise(&here, &["run", "-q", "arp", "--show", "1h:client:route"])
        .exits(0)
        .complains("too early for 1 view of --show");
}

#[test]
fn what_is_called_wrongly_exits_with_2_and_names_the_near_miss() {
    let here = directory("wrong");
    let wrong = |arguments: &[&str], words: &str| {
        let called = hopwise(&here, arguments).exits(2).complains(words);
        assert_eq!(called.out, "", "{arguments:?}");
    };
    wrong(&["run", "lossy-handshak"], "did you mean the example `lossy-handshake`?");
    wrong(&["run", "nothing-like-it-at-all"], "`hopwise examples` lists the bundled ones");
    wrong(&["run", "no/such/file.toml"], "there is no file and no example called `no/such/file.toml`");
    wrong(&["run", "."], "error: ");
    wrong(&["run", "arp", "-o", "laddr"], "did you mean `ladder`?");
    wrong(&["run", "arp", "--trace", "tcp.synn"], "did you mean `tcp.syn`?");
    wrong(&["run", "arp", "--until", "3"], "--until:1:1");
    wrong(&["run", "arp", "--show", "3"], "does not say when, of which node, and what: `3s:r1:route`");
    wrong(&["run", "arp", "--show", "3:client:route"], "--show:1:1");
    wrong(&["run", "arp", "--show", "3s:clinet:route"], "did you mean `client`?");
    wrong(
        &["run", "arp", "--show", "3s:client:fdb"],
        "known: addr, arp, cache, counters, dns, firewall, interfaces, leases, nat, neigh, netstat, ospf, resolv, rip, route, sockets, ss",
    );
    wrong(&["run", "arp", "--set", "links.wire.delay"], "has no value");
    wrong(&["run", "arp", "--set", "links.wier.delay=1ms"], "did you mean `wire`?");
    wrong(&["run", "arp", "--seed", "many"], "invalid value 'many'");
    wrong(&["rum", "arp"], "a similar subcommand exists: 'run'");
    wrong(&["examples", "apr"], "did you mean");
    wrong(&["kinds", "jiter"], "did you mean");
    wrong(&["check", "lossy-handshak"], "did you mean the example `lossy-handshake`?");
    wrong(&[], "Usage: hopwise");
}

#[test]
fn five_mistakes_are_told_at_once() {
    let directory = directory("five");
    let text = include_str!("mistakes/five-at-once.toml");
    fs::write(directory.join("five.toml"), text).unwrap();
    for subcommand in ["run", "check"] {
        let called = hopwise(&directory, &[subcommand, "five.toml"]).exits(2).complains("five.toml has 5 mistakes");
        assert_eq!(
            called.err.matches("\n  --> five.toml:").count() + called.err.matches("\n --> five.toml:").count(),
            5
        );
        assert_eq!(called.out, "");
    }
}

#[test]
fn check_shows_what_was_found_and_runs_nothing() {
    let directory = directory("check");
    let called = hopwise(&directory, &["check", "lossy-handshake"]).exits(0);
    called.says("10.0.1.10/24").says("default via 10.0.1.1").says("02:00:0a:00:02:50");
    let changed = hopwise(&directory, &["check", "three-way-handshake", "--set", "nodes.client.addr=192.168.7.5/24"]);
    changed.exits(0).says("192.168.7.5/24").says("192.168.7.1/24");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "it writes nothing");
}

#[test]
fn examples_lists_them_all_and_prints_each_as_it_is() {
    let here = directory("examples");
    let names = hopwise(&here, &["examples", "--names"]).exits(0).out;
    let listing = hopwise(&here, &["examples"]).exits(0).out;
    let bundled = hopwise::scenario::examples();
    assert_eq!(names.lines().collect::<Vec<_>>(), bundled.iter().map(|example| example.name).collect::<Vec<_>>());
    for example in bundled {
        assert!(listing.contains(example.about()), "{}", example.name);
        assert_eq!(hopwise(&here, &["examples", example.name]).exits(0).out, example.text);
    }
}

#[test]
fn kinds_and_schema_are_what_the_library_says() {
    let here = directory("kinds");
    assert_eq!(hopwise(&here, &["kinds"]).exits(0).out, hopwise::scenario::reference());
    let part = hopwise(&here, &["kinds", "jitter"]).exits(0).says("### `jitter`");
    assert!(part.out.len() < 3000, "only that part: {} bytes", part.out.len());
    let schema: serde_json::Value = serde_json::from_str(&hopwise(&here, &["schema"]).exits(0).out).unwrap();
    assert_eq!(schema, hopwise::scenario::schema());
}

#[test]
fn the_starter_runs_and_nothing_is_overwritten() {
    let directory = directory("new");
    hopwise(&directory, &["new", "mine.toml"]).exits(0);
    let written = fs::read_to_string(directory.join("mine.toml")).unwrap();
    assert_eq!(written, hopwise::scenario::starter());
    let run = hopwise(&directory, &["run", "mine.toml", "-o", "summary"]).exits(0);
    assert!(!run.out.contains("FAILED") && run.out.contains(" met\n"), "{}", run.out);
    hopwise(&directory, &["new", "mine.toml"]).exits(2).complains("mine.toml");
    assert_eq!(fs::read_to_string(directory.join("mine.toml")).unwrap(), written);
}

#[test]
fn a_file_counts_before_an_example_of_its_name() {
    let directory = directory("before");
    fs::write(directory.join("arp"), LOSSY).unwrap();
    hopwise(&directory, &["check", "arp"]).exits(0).says("ping on a");
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let here = directory("colour");
    assert!(!hopwise(&here, &["run", "arp"]).exits(0).out.contains('\x1b'));
    assert!(!hopwise(&here, &["run", "apr"]).exits(2).err.contains('\x1b'));
    assert!(hopwise(&here, &["--color", "always", "run", "connection-refused"]).exits(0).out.contains('\x1b'));
    assert!(hopwise(&here, &["--color", "always", "run", "apr"]).exits(2).err.contains('\x1b'));
    // A file is never coloured, whatever the terminal is.
    hopwise(&here, &["--color", "always", "run", "arp", "-o", "ladder=arp.txt"]).exits(0);
    assert!(!fs::read_to_string(here.join("arp.txt")).unwrap().contains('\x1b'));
    let output = command(&here, &["run", "arp"]).env("NO_COLOR", "1").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_reader_who_goes_away_is_no_failure() {
    let here = directory("pipe");
    let all: [&[&str]; 5] =
        [&["kinds"], &["schema"], &["run", "bufferbloat", "-o", "text"], &["examples"], &["check", "lossy-handshake"]];
    for arguments in all {
        let mut child = command(&here, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One byte, then the reading end is closed: as `| head -c 1`.
        let mut byte = [0];
        child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
        assert!(!told.contains("panicked") && !told.contains("error"), "{arguments:?}: {told}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    let here = directory("help");
    hopwise(&here, &["--help"]).exits(0).says("Usage: hopwise");
    hopwise(&here, &["run", "--help"]).exits(0).says("Exits with 0 if all expectations are met");
    hopwise(&here, &["--version"]).exits(0).says(concat!("hopwise ", env!("CARGO_PKG_VERSION")));
}
