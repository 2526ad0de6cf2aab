//! What scenarios can say, over real runs; what they cannot, and where they are told so.

use super::{KINDS, Timed, read};
use crate::network::testing::{Diary, Log, Puppet, blob, entries, pair, scope, udp};
use crate::network::{Network, RunError};
use crate::read::{Diagnostic, Need, Source};
use crate::time::Time;

fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

/// The entries of a piece of scenario that has no mistakes.
fn timed(text: &str) -> Vec<Timed> {
    let (timed, problems) = entries(text, "at", scope(), read);
    assert_eq!(problems, [], "{text}");
    timed
}

/// Runs a client that sends a frame each millisecond from 0 to 9 ms over a link of 10 ms; what an observer writes down.
fn run(text: &str) -> Vec<String> {
    let (mut network, _) = pair(Puppet::sending((0..10).map(|at| (ms(at), blob("x")))), Puppet::default());
    for entry in timed(text) {
        entry.install(&mut network).unwrap();
    }
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::from_secs(100)).unwrap();
    log.lines()
}

/// Which of the client's frames met a line that contains `what`, by their numbers.
fn frames(lines: &[String], what: &str) -> Vec<u32> {
    let met = lines.iter().filter(|line| line.contains(what));
    let number = |line: &String| line.split("n0.").nth(1)?.split(' ').next()?.parse().ok();
    met.filter_map(number).collect()
}

#[test]
fn every_kind_has_a_name_of_its_own_a_sentence_and_an_example_that_is_read_and_installed() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "in alphabetical order: {names:?}");
    for kind in KINDS {
        assert!(kind.doc.ends_with('.') && !kind.fields.is_empty(), "{}", kind.name);
        assert!(kind.fields.iter().all(|field| field.doc.ends_with('.')), "{}", kind.name);
        let entries = timed(kind.example);
        assert_eq!(entries.iter().map(|entry| entry.kind).collect::<Vec<_>>(), [kind.name]);
        assert!(!entries[0].describe().is_empty());
        let (mut network, _) = pair(Puppet::default(), Puppet::default());
        entries[0].install(&mut network).unwrap();
        assert!(network.next_at().is_some(), "{} plans something", kind.name);
    }
}

#[test]
fn every_required_field_is_missed() {
    for kind in KINDS {
        for field in kind.fields.iter().filter(|field| field.need == Need::Required) {
            let without: String = kind
                .example
                .lines()
                .filter(|line| !line.starts_with(&format!("{} ", field.name)))
                .map(|line| format!("{line}\n"))
                .collect();
            let (made, problems) = entries(&without, "at", scope(), read);
            assert!(made.is_empty(), "{} without {}", kind.name, field.name);
            assert_eq!(problems.len(), 1, "{} without {}: {problems:?}", kind.name, field.name);
        }
    }
}

#[test]
fn a_drop_takes_exactly_the_frames_that_are_meant_and_signs_them() {
    let drop = |more: &str| {
        let lines = run(&format!("[[at]]\nt = '2ms'\ndo = 'drop'\nname = 'gone'\nlink = 'wan'\n{more}\n"));
        frames(&lines, "fault by gone")
    };
    // The frame at 2 ms is the first that it counts.
    assert_eq!(drop(""), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(drop("nth = 1"), [2]);
    assert_eq!(drop("nth = [3, 1]"), [2, 4]);
    assert_eq!(drop("nth = 'every 3rd'"), [4, 7]);
    assert_eq!(drop("nth = 'first 2'"), [2, 3]);
    assert_eq!(drop("until = '5ms'"), [2, 3, 4]);
    assert_eq!(drop("for = '5ms'"), [2, 3, 4, 5, 6]);
    assert_eq!(drop("match = 'frame.len > 60'"), [0; 0]);
    assert_eq!(drop("match = 'frame.len == 60'\nnth = 8"), [9]);
    assert_eq!(drop("dir = 'client -> server'\nnth = 1"), [2]);
    assert_eq!(drop("dir = 'server -> client'\nnth = 1"), [0; 0]);
    assert_eq!(drop("dir = 'ab'\nnth = 1"), [2]);
    assert_eq!(drop("dir = 'client:eth0 > server'\nnth = 1"), [2]);
}

#[test]
fn a_fault_at_time_zero_meets_the_first_frame() {
    let lines = run("[[at]]\nt = '0s'\ndo = 'drop'\nlink = 'wan'\nnth = 1\n");
    assert_eq!(frames(&lines, "fault by drop on wan"), [0]);
}

#[test]
fn faults_without_a_name_are_told_apart() {
    let drop = "[[at]]\nt = '0s'\ndo = 'drop'\nlink = 'wan'\n";
    let lines = run(&format!("{drop}nth = 1\n{drop}nth = 2\n{drop}dir = 'ab'\nnth = 3\n"));
    let rules: Vec<&str> = lines.iter().filter_map(|line| line.split("fault by ").nth(1)).collect();
    assert_eq!(rules, ["drop on wan", "drop on wan #2", "drop on wan (ab)"]);
}

#[test]
fn the_directions_of_a_link_are_counted_each_by_itself() {
    let both = || Puppet::sending((0..3).map(|at| (ms(at), blob("x"))));
    let (mut network, _) = pair(both(), both());
    timed("[[at]]\nt = '0s'\ndo = 'drop'\nlink = 'wan'\nnth = 2\n")[0].install(&mut network).unwrap();
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::MAX).unwrap();
    let dropped: Vec<String> = log.lines().into_iter().filter(|line| line.contains(" x ")).collect();
    assert_eq!(dropped, ["0.001 wan/AToB x n0.1 fault by drop on wan", "0.001 wan/BToA x n1.1 fault by drop on wan"]);
}

#[test]
fn a_delay_holds_back_and_lets_others_overtake() {
    let lines = run("[[at]]\nt = '0s'\ndo = 'delay'\nlink = 'wan'\nby = '3500us'\nnth = 2\n");
    // The frame of 1 ms arrives at 1 + 10 + 3.5 ms.
    assert_eq!(frames(&lines, "server:eth0 <"), [0, 2, 3, 4, 1, 5, 6, 7, 8, 9]);
    assert!(lines.iter().any(|line| line == "0.014500 server:eth0 < n0.1"));
}

#[test]
fn a_duplicate_arrives_right_behind() {
    let lines = run("[[at]]\nt = '0s'\ndo = 'duplicate'\nlink = 'wan'\nnth = 'every 5th'\n");
    let copies: Vec<&String> = lines.iter().filter(|line| line.contains("server:eth0 < p")).collect();
    assert_eq!(copies, ["0.014 server:eth0 < p0.0", "0.019 server:eth0 < p0.1"]);
}

#[test]
fn a_corruption_flips_the_bit_that_is_said_or_one_in_the_middle_of_the_data() {
    let run = |more: &str| {
        let (mut network, _) = pair(Puppet::sending([(ms(0), udp(b"0123456789"))]), Puppet::default());
        let text = format!("[[at]]\nt = '0s'\ndo = 'corrupt'\nlink = 'wan'\n{more}\n");
        timed(&text)[0].install(&mut network).unwrap();
        let log = Log::default();
        network.observe(Box::new(log.clone()));
        network.run_until(Time::MAX).unwrap();
        log.lines().into_iter().find(|line| line.contains("altered")).unwrap_or_default()
    };
    assert!(run("byte = 3\nbit = 7").contains("Corrupted { byte: 3, bit: 7 }"));
    // 14 Ethernet + 20 IP + 8 UDP + half of 10.
    assert!(run("").contains("Corrupted { byte: 47, bit: 0 }"));
}

#[test]
fn an_outage_loses_what_is_on_the_link_and_what_is_sent_and_ends() {
    // Down from 12 to 14 ms: frames 2 to 9 (sent from 2 ms on) have not arrived at 12 ms; frame 2 arrives at 12 ms, too late.
    let lines = run("[[at]]\nt = '12ms'\ndo = 'link-down'\nlink = 'wan'\nfor = '2ms'\n");
    assert_eq!(frames(&lines, "server:eth0 <"), [0, 1]);
    assert_eq!(frames(&lines, "link-down"), [2, 3, 4, 5, 6, 7, 8, 9]);
    let states: Vec<&String> = lines.iter().filter(|line| line.contains("AToB is up")).collect();
    assert_eq!(states, ["0.012 wan/AToB is up: false", "0.014 wan/AToB is up: true"]);
    // Down from 3 to 5 ms: 0 to 2 are on the link, 3 and 4 are sent into it.
    let lines =
        run("[[at]]\nt = '3ms'\ndo = 'link-down'\nlink = 'wan'\n[[at]]\nt = '5ms'\ndo = 'link-up'\nlink = 'wan'\n");
    assert_eq!(frames(&lines, "link-down"), [0, 1, 2, 3, 4]);
    assert_eq!(frames(&lines, "server:eth0 <"), [5, 6, 7, 8, 9]);
}

#[test]
fn a_link_flaps_as_often_as_it_is_told() {
    let lines = run("[[at]]\nt = '20ms'\ndo = 'flap'\nlink = 'wan'\ndown = '2ms'\nup = '3ms'\ntimes = 3\n");
    let states: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once(" wan/AToB is up: ")).map(|(at, _)| at).collect();
    // Down at 20, up at 22, down at 25, up at 27, down at 30, up at 32.
    assert_eq!(states, ["0.020", "0.022", "0.025", "0.027", "0.030", "0.032"]);
    assert!(lines.last().unwrap().ends_with("is up: true"));
}

#[test]
fn properties_change_at_their_time_in_the_direction_that_is_said() {
    let lines = run("[[at]]\nt = '5ms'\ndo = 'set'\nlink = 'wan'\ndir = 'ab'\ndelay = '20ms'\nmtu = 1000\n");
    assert!(lines.contains(&"0.014 server:eth0 < n0.4".to_owned()));
    assert!(lines.contains(&"0.025 server:eth0 < n0.5".to_owned()));
    assert!(lines.contains(&"0.005 client # wan towards server: delay = 20ms, mtu = 1000".to_owned()), "{lines:?}");
    let lines = run("[[at]]\nt = '5ms'\ndo = 'set'\nlink = 'wan'\ndir = 'ba'\ndelay = '20ms'\n");
    assert!(lines.contains(&"0.019 server:eth0 < n0.9".to_owned()));
    let lines = run(
        "[[at]]\nt = '5ms'\ndo = 'set'\nlink = 'wan'\nloss = '100%'\n[[at]]\nt = '8ms'\ndo = 'set'\nlink = 'wan'\nloss = 'none'\n",
    );
    assert_eq!(frames(&lines, "loss by wan/ab/loss"), [5, 6, 7]);
}

/// What the client goes through, it being willing to do as it is told.
fn orders(text: &str) -> Result<Vec<String>, RunError> {
    let diary = Diary::default();
    let client = Puppet { obeys: true, diary: diary.clone(), ..Puppet::default() };
    let (mut network, _) = pair(client, Puppet::default());
    for entry in timed(text) {
        entry.install(&mut network).unwrap();
    }
    network.run_until(Time::from_secs(100))?;
    let lines = diary.lock().unwrap().clone();
    Ok(lines.into_iter().skip(2).collect())
}

#[test]
fn nodes_and_programs_are_told_what_to_do() {
    let text = "[[at]]\nt = '1s'\ndo = 'crash'\nnode = 'client'\nfor = '2s'\n\
                [[at]]\nt = '5s'\ndo = 'restart'\nnode = 'client'\n\
                [[at]]\nt = '6s'\ndo = 'start'\napp = 'fetch'\n\
                [[at]]\nt = '6s'\ndo = 'stop'\napp = 'fetch'\n";
    assert_eq!(
        orders(text).unwrap(),
        ["1.000 Crash", "3.000 Restart", "5.000 Restart", "6.000 StartApp(AppId(0))", "6.000 StopApp(AppId(0))"]
    );
}

#[test]
fn a_crash_and_a_restart_are_told_before_what_follows_from_them() {
    // They left no line: a stranger saw a node fall silent for no reason.
    let (mut network, _) = pair(Puppet { obeys: true, ..Puppet::default() }, Puppet::default());
    timed("[[at]]\nt = '1s'\ndo = 'crash'\nnode = 'client'\nfor = '2s'\n")[0].install(&mut network).unwrap();
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::from_secs(100)).unwrap();
    let lines = log.lines();
    let told: Vec<&String> = lines.iter().filter(|line| line.contains('#')).collect();
    assert_eq!(told, ["1.000 client # crashed", "3.000 client # restarted"]);
}

#[test]
fn what_a_node_cannot_do_is_told_when_it_is_asked() {
    let error = orders("[[at]]\nt = '1s'\ndo = 'crash'\nnode = 'server'\n").unwrap_err();
    assert_eq!(error.to_string(), "crash server at 1.000 s: a puppet cannot crash");
}

#[test]
fn an_injection_carries_what_is_written() {
    let inject = |more: &str| {
        let lines = orders(&format!("[[at]]\nt = '1s'\ndo = 'inject'\nnode = 'client:eth0'\n{more}\n")).unwrap();
        lines[0].clone()
    };
    let hex = inject("hex = '0200 0000 0002 0200 0000 0001 88cc ff'");
    assert_eq!(
        hex,
        "1.000 Inject { port: Some(PortId(0)), layer: Ethernet, bytes: [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 136, 204, 255] }"
    );
    let ip = "4500 0015 0000 0000 40ff 0000 0a000001 0a000002 ff";
    assert!(inject(&format!("hex = '{ip}'")).contains("layer: Ip"));
    assert!(inject(&format!("hex = '{ip}'\nlayer = 'ethernet'")).contains("layer: Ethernet"));
    assert!(inject(&format!("hex = '{ip}ff'")).contains("layer: Ethernet"));
    // What is left out is the sender's: 10.0.0.1; and a name is an address.
    let packet = inject("packet = 'ip(dst=server, ttl=1) / udp(sport=4000, dport=9) / \"x\"'");
    assert!(packet.contains("layer: Ip") && packet.contains("10, 0, 0, 1, 10, 0, 0, 2"), "{packet}");
    let frame = inject("packet = 'eth(dst=02:00:00:00:00:07) / ip(dst=server) / udp(dport=9)'");
    assert!(frame.contains("bytes: [2, 0, 0, 0, 0, 7, 2, 0, 0, 0, 0, 1, 8, 0, "), "{frame}");
}

#[test]
fn every_mistake_of_the_file_is_shown_at_its_place() {
    let text = "
[[at]]
do = 'drop'
link = 'wna'
nth = 'every 0th'
mtach = 'tcp'
[[at]]
t = 12
do = 'drpo'
link = 'wan'
[[at]]
t = '1s'
do = 'delay'
link = 'wan'
dir = 'clinet -> server'
match = 'tcp &&'
until = '500ms'
[[at]]
t = '1s'
do = 'corrupt'
link = 'wan'
dir = 'there'
bit = 9
until = '2s'
for = '1s'
[[at]]
t = '1s'
do = 'set'
link = 'wan'
[[at]]
t = '1s'
do = 'set'
link = 'wan'
dealy = '1s'
mtu = 20
[[at]]
t = '1s'
do = 'inject'
node = 'clinet'
hex = '0x12'
[[at]]
t = '1s'
do = 'inject'
node = 'client'
packet = 'ip(dst=sever) / udp'
hex = '00'
[[at]]
t = '1s'
do = 'inject'
node = 'client'
hex = '123'
[[at]]
t = '1s'
do = 'flap'
link = 'wan'
down = '0s'
up = '1s'
times = 0
[[at]]
t = '1s'
do = 'stop'
app = 'fecth'
";
    let (made, problems) = entries(text, "at", scope(), read);
    assert!(made.is_empty());
    insta::assert_snapshot!(rendered(text, &problems));
}

#[test]
fn mistakes_that_only_the_network_shows_are_shown_at_their_place_too() {
    let text = "
[[at]]
t = '1s'
do = 'drop'
link = 'wan'
dir = 'client -> client'
[[at]]
t = '1s'
do = 'set'
link = 'wan'
dir = 'server:eth1 -> client'
mtu = 1000
[[at]]
t = '1s'
do = 'inject'
node = 'client:eth1'
hex = '00'
[[at]]
t = '1s'
do = 'inject'
node = 'client:eth0'
packet = 'ipv6(dst=server) / udp(dport=9)'
";
    let (mut network, _): (Network, _) = pair(Puppet::default(), Puppet::default());
    let problems: Vec<Diagnostic> = timed(text).iter().filter_map(|entry| entry.install(&mut network).err()).collect();
    insta::assert_snapshot!(rendered(text, &problems));
}

fn rendered(text: &str, problems: &[Diagnostic]) -> String {
    let source = Source { name: "x.toml".into(), text: text.to_owned() };
    let rendered: Vec<String> = problems.iter().map(|problem| problem.render(&source, false)).collect();
    rendered.join("\n\n")
}

#[test]
fn entries_describe_themselves() {
    let text = "[[at]]\nt = '0s'\ndo = 'drop'\nlink = 'wan'\ndir = 'client -> server'\nmatch = 'tcp.syn && !tcp.ack'\nnth = [1, 3]\n\
                [[at]]\nt = '0s'\ndo = 'delay'\nlink = 'wan'\nby = '20ms'\nfor = '2s'\n\
                [[at]]\nt = '0s'\ndo = 'link-down'\nlink = 'wan'\nfor = '500ms'\n\
                [[at]]\nt = '0s'\ndo = 'set'\nlink = 'wan'\ndir = 'ba'\ndelay = '200ms'\nmtu = 600\n\
                [[at]]\nt = '0s'\ndo = 'crash'\nnode = 'server'\n";
    let described: Vec<String> = timed(text).iter().map(Timed::describe).collect();
    assert_eq!(
        described,
        [
            "drop on wan (client -> server): tcp.syn && !tcp.ack, 1st, 3rd",
            "delay by 20ms on wan, until 2.000 s",
            "link-down wan for 500ms",
            "set wan (ba): delay = 200ms, mtu = 600",
            "crash server",
        ]
    );
}

#[test]
fn a_view_is_told_as_a_note_at_its_time() {
    let lines = run("[[at]]\nt = '15ms'\ndo = 'show'\nnode = 'server'\nwhat = 'interfaces'\n");
    let shown: Vec<&String> = lines.iter().filter(|line| line.contains("show interfaces")).collect();
    // Six frames of 60 bytes have arrived by then, and the one of 5 ms has not: views come before anything else.
    assert_eq!(shown, ["0.015 server # show interfaces\neth0: wan up\n    received 5 (300 B)\n    sent 0 (0 B)"]);
}

#[test]
fn a_view_for_one_who_asked_is_heard_by_nobody_else() {
    let (mut network, _) = pair(Puppet::sending([(ms(0), blob("x"))]), Puppet::default());
    let (log, shelf) = (Log::default(), super::Shelf::default());
    network.observe(Box::new(log.clone()));
    let client = network.find_node("client").unwrap();
    let show = super::Show { node: client, what: "counters".into(), shelf: Some(shelf.clone()) };
    network.plan(ms(5), Box::new(show));
    network.run_until(ms(20)).unwrap();
    assert!(!log.lines().iter().any(|line| line.contains("show")));
    let views = shelf.take();
    assert_eq!((views.len(), views[0].at, views[0].text.as_str()), (1, ms(5), "diary.lines 2\n"));
}
