//! What a person does while a session goes on.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::lab::{LINE, Lab, SERVER, numbers_behind};

#[test]
fn links_are_taken_down_and_changed_from_the_terminal() {
    let lab = Lab::new();
    let mut session = lab.attach(LINE, &["--at", "access"]);
    let ping = |count: &str| lab.run(&["ping", "-n", "-i", "0.05", "-W", "0.3", "-c", count, SERVER]);
    assert!(ping("3").contains("3 received"));
    session.type_line("link wan down");
    session.wait_for("link-down wan");
    assert!(ping("3").contains("0 received"));
    session.type_line("link wan up");
    session.wait_for("link-up wan");
    assert!(ping("3").contains("3 received"));
    session.type_line("set links.wan.delay 110ms");
    session.wait_for("set wan: delay = 110ms");
    let rtts = numbers_behind(&ping("5"), "time=");
    assert!(rtts.iter().all(|rtt| (rtt - 236.0).abs() < 10.0), "{rtts:?}");
    session.type_line("set links.wan.delay 10ms");
    session.type_line("set links.wan.ab.loss 100%");
    session.wait_for("loss = 100%");
    assert!(ping("3").contains("0 received"));
    session.type_line("get links.wan.ab.dropped_loss");
    session.wait_for("links.wan.ab.dropped_loss = 3");
    session.type_line("set links.wan.ab.loss none");
    session.type_line("do drop link=home dir=ab match='icmp.type == 8' nth=1");
    session.wait_for("drop on home");
    assert!(ping("3").contains("2 received"));
    session.type_line("show r1 route");
    session.wait_for("10.0.3.0/24 via 10.0.1.2 dev eth1");
    session.type_line("status");
    session.wait_for(" in, ");
    for (line, told) in [
        ("lnk wan down", "did you mean `link`?"),
        ("link wam down", "did you mean `wan`?"),
        ("set links.wan.delay 5", "needs a unit"),
        ("show r1 rout", "known: "),
        ("start access", "no app is called"),
    ] {
        session.type_line(line);
        session.wait_for(told);
    }
    session.end().well();
}

#[test]
fn a_crash_and_what_cannot_be_done_are_survived() {
    let lab = Lab::new();
    let mut session = lab.attach(LINE, &["--at", "access"]);
    session.type_line("crash r2");
    session.wait_for("crash r2");
    let text = lab.run(&["ping", "-n", "-c", "2", "-i", "0.1", "-W", "0.3", SERVER]);
    assert!(text.contains("0 received"), "{text}");
    session.type_line("crash mute");
    session.type_line("do inject node=mute packet='ip(dst=10.0.3.2) / udp(sport=1, dport=2)'");
    session.wait_for("is down and cannot send a packet of its own");
    session.type_line("restart r2");
    session.type_line("restart mute");
    session.wait_for("restart mute");
    let text = lab.run(&["ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", SERVER]);
    assert!(text.contains("2 received"), "{text}");
    session.end().well().tells("node-down");
}

#[test]
fn a_script_does_the_same_over_the_control_socket() {
    let lab = Lab::new();
    let path = lab.path("hop.sock");
    let session = lab.attach(LINE, &["--at", "access", "--control", &path]);
    let ask = |lines: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(lines.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask("link wan down 200ms\nget links.wan.dropped\nshow server sockets\nnonsense\n");
    let answers: Vec<&str> = answer.split("\n.\n").collect();
    assert_eq!(answers.len(), 5, "four answers and an end:\n{answer}");
    assert!(answer.contains("link-down wan for 200ms") && answer.contains("LISTEN"), "{answer}");
    assert!(answer.contains("`nonsense` is no command"), "{answer}");
    assert!(ask("help").contains("link NAME down|up"));
    let second = lab.hopwise(&["attach", &lab.scenario(LINE), "--at", "access", "--control", &path]).output().unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("control socket of another session"));
    assert_eq!(ask("quit"), "bye\n.\n");
    session.wait().well();
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn a_live_trace_shows_what_matches_while_it_happens() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access", "--trace", "icmp.type == 11"]);
    lab.run(&["traceroute", "-n", "-q", "1", "-w", "0.3", SERVER]);
    session.wait_for("ICMP time exceeded");
    let shown = String::from_utf8_lossy(&session.shown()).into_owned();
    assert!(!shown.contains("UDP,") && !shown.contains("udp 1"), "{shown}");
    session.end().well();
}
