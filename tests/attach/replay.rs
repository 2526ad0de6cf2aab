//! Sessions that happen again.

use std::fs;

use super::lab::{LINE, Lab, SERVER, SERVER6};

#[test]
fn a_session_of_a_thousand_packets_and_some_commands_replays_to_the_same_bytes_ten_times() {
    let lab = Lab::new();
    let (file, trace, capture) = (lab.path("s.hop"), lab.path("live.txt"), lab.path("live.pcapng"));
    let mut session = lab.attach(
        &LINE.replace("delay = \"10ms\"", "delay = \"10ms\", loss = \"3%\", jitter = \"1ms\""),
        &[
            "--at",
            "access",
            "--record",
            &file,
            "-o",
            &format!("text={trace}"),
            "-o",
            &format!("pcapng={capture}"),
            "--control",
            &lab.path("c.sock"),
        ],
    );
    lab.run(&["ping", "-n", "-c", "300", "-i", "0.002", "-q", SERVER]);
    session.type_line("set links.wan.loss 10%");
    lab.run(&["ping", "-n", "-c", "300", "-i", "0.002", "-q", SERVER6]);
    session.type_line("link core down 100ms");
    lab.run(&["nmap", "-n", "-Pn", "-sT", "-p", "1-300", "--max-retries", "1", "--host-timeout", "5s", SERVER]);
    session.type_line("do drop link=home match='tcp.syn' nth='every 3rd'");
    session.type_line("crash server");
    session.type_line("restart server");
    lab.run(&["nmap", "-n", "-Pn", "-sS", "-p", "1-300", "--max-retries", "1", "--host-timeout", "5s", SERVER]);
    lab.run(&["tracepath", "-n", SERVER]);
    session.end().well().tells("recorded");
    let live = fs::read(&trace).unwrap();
    let trace = String::from_utf8_lossy(&live).into_owned();
    let is_entry =
        |line: &&str| matches!(line.split_whitespace().skip(2).take(2).collect::<Vec<_>>()[..], ["access", ">"]);
    let entered = trace.lines().filter(is_entry).count();
    assert!(entered >= 1000, "only {entered} packets came in");
    println!("{entered} packets came in");
    for round in 0..10 {
        let again = lab.path("again.txt");
        let pcapng = lab.path("again.pcapng");
        let output = lab
            .hopwise(&["replay", &file, "-o", &format!("text={again}"), "-o", &format!("pcapng={pcapng}")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(&again).unwrap() == live, "round {round}: another trace");
        assert!(fs::read(&pcapng).unwrap() == fs::read(&capture).unwrap(), "round {round}: another capture");
    }
    // Other outputs, another end, a view: as with any run.
    let summary = lab.run(&[&lab.path("hopwise"), "replay", &file, "-o", "summary", "--show", "2s:r1:route"]);
    assert!(summary.contains("links") && summary.contains("r1: route at 2.000 s"), "{summary}");
    let until = lab.run(&[&lab.path("hopwise"), "replay", &file, "--until", "3700ms", "--trace", "icmp", "-o", "text"]);
    assert!(until.contains("# the run ends at 3700.000 ms") && !until.contains("[S]"), "{until}");
    // The kernel's packets can be looked at with other tools.
    let seen = lab.run(&["tshark", "-r", &file, "-Y", "icmp || icmpv6 || tcp || udp"]);
    assert!(seen.lines().count() >= 1000, "{}", seen.lines().count());
}

#[test]
fn a_damaged_recording_is_refused_with_what_is_wrong_and_what_could_be_read_is_kept() {
    let lab = Lab::new();
    let (file, trace) = (lab.path("s.hop"), lab.path("live.txt"));
    let session = lab.attach(LINE, &["--at", "access", "--record", &file, "-o", &format!("text={trace}")]);
    lab.run(&["ping", "-n", "-c", "20", "-i", "0.05", SERVER]);
    session.end().well();
    let (whole, live) = (fs::read(&file).unwrap(), fs::read_to_string(&trace).unwrap());
    let replay = |bytes: &[u8], words: &[&str]| {
        let broken = lab.path("broken.hop");
        fs::write(&broken, bytes).unwrap();
        let words: Vec<&str> = ["replay", &broken, "-o", "text"].into_iter().chain(words.iter().copied()).collect();
        let output = lab.hopwise(&words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let cut = &whole[..whole.len() * 3 / 4];
    let (code, out, err) = replay(cut, &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(
        err.contains("is damaged at byte ")
            && err.contains("the file ends within a block")
            && err.contains("--salvage"),
        "{err}"
    );
    let (code, out, err) = replay(cut, &["--salvage"]);
    assert_eq!(code, Some(0), "{err}");
    let kept = out.matches("ICMP echo request").count();
    assert!(kept > 30, "{out}");
    // What could be read happens as it did: line for line, up to the last packet that is there.
    let same = out.lines().zip(live.lines()).take_while(|(one, other)| one == other).count();
    assert!(same > 100, "only {same} lines are the same");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    let (code, _, err) = replay(&flipped, &[]);
    assert!(code == Some(2) && err.contains("checksum is wrong"), "{err}");
    let (code, _, err) = replay(b"[nodes]\na = {}\n", &[]);
    assert!(code == Some(2) && err.contains("not a recording of hopwise"), "{err}");
}

#[test]
fn a_session_that_is_killed_leaves_a_recording_that_can_be_salvaged() {
    let lab = Lab::new();
    let file = lab.path("s.hop");
    let session = lab.attach(LINE, &["--at", "access", "--record", &file]);
    lab.run(&["ping", "-n", "-c", "10", "-i", "0.05", SERVER]);
    std::thread::sleep(std::time::Duration::from_millis(100));
    session.signal("-KILL");
    session.wait();
    let text = lab.run(&[&lab.path("hopwise"), "replay", "--salvage", &file, "-o", "text"]);
    assert!(text.contains("breaks off before the end"), "{text}");
    assert!(text.matches("access:eth0 > server:eth0: ICMP echo request").count() >= 10, "{text}");
}
