//! A kernel at each end, the network between them simulated.

use std::process::Stdio;
use std::time::Duration;

use super::lab::{Lab, Session, median, numbers_behind};

/// Two kernels in namespaces of their own, and a session in a third.
struct Two {
    left: Lab,
    right: Lab,
    here: Lab,
}

impl Two {
    fn attach(scenario: &str, words: &[&str]) -> (Self, Session) {
        let two = Self { left: Lab::new(), right: Lab::new(), here: Lab::new() };
        let (left, right) =
            (format!("left=l0@{}", two.left.namespace()), format!("right=r0@{}", two.right.namespace()));
        let words: Vec<&str> = ["--at", &left, "--at", &right].into_iter().chain(words.iter().copied()).collect();
        let session = two.here.attach(scenario, &words);
        (two, session)
    }

    /// iperf3 from the left to the right; megabits per second that arrived.
    fn iperf3(&self, seconds: &str, words: &[&str]) -> f64 {
        let mut server = self.right.command(&["iperf3", "-s", "-1"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let words: Vec<&str> =
            ["iperf3", "-c", "10.0.1.2", "-t", seconds, "-f", "m"].into_iter().chain(words.iter().copied()).collect();
        let text = self.left.run(&words);
        server.wait().unwrap();
        let line = text.lines().find(|line| line.contains("receiver")).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace()
            .zip(line.split_whitespace().skip(1))
            .find(|(_, unit)| *unit == "Mbits/sec")
            .unwrap()
            .0
            .parse()
            .unwrap()
    }
}

fn network(link: &str) -> String {
    format!(
        "[nodes]\nleft = {{ kind = \"gateway\" }}\nr1 = {{ kind = \"router\" }}\nright = {{ kind = \"gateway\" }}\n[links]\n\
         a = {{ ends = [\"left\", \"r1\"]{link} }}\nb = {{ ends = [\"r1\", \"right\"] }}\n"
    )
}

#[test]
fn two_kernels_meet_in_a_simulated_network() {
    let (two, session) = Two::attach(&network(", delay = \"5ms\""), &[]);
    let text = two.left.run(&["ping", "-n", "-c", "11", "-i", "0.1", "10.0.1.2"]);
    assert!(text.contains("11 received"), "{text}");
    assert!((median(numbers_behind(&text, "time=")) - 10.0).abs() < 2.0, "{text}");
    let text = two.right.run(&["ping", "-n", "-c", "2", "-i", "0.1", "10.0.0.2"]);
    assert!(text.contains("2 received"), "{text}");
    assert!(!two.here.traces().contains("l0"), "the device is where it was wished");
    session.end().well();
    assert!(!two.left.traces().contains("10.0.") && !two.right.traces().contains("10.0."));
}

#[test]
fn iperf3_runs_through_two_devices() {
    let (two, session) = Two::attach(&network(""), &[]);
    let rate = two.iperf3("3", &[]);
    println!("iperf3 over one router, 1500-byte packets: {rate} Mbit/s");
    // What it reaches is for docs/attach.md to say; here it must only work, on a machine that may have other things to do.
    assert!(rate > 100.0, "{rate} Mbit/s");
    let ended = session.end().well();
    println!("{}", ended.err);
}

#[test]
fn the_congestion_control_of_a_kernel_feels_the_loss_of_a_simulated_link() {
    for control in ["cubic", "reno"] {
        let lossy = ", delay = \"10ms\", rate = \"50Mbit\", loss = \"1%\", queue = \"100 packets\"";
        let (two, session) = Two::attach(&network(lossy), &["--seed", "7"]);
        let rate = two.iperf3("6", &["-C", control]);
        println!("{control} over 1 % loss, 20 ms, 50 Mbit/s: {rate} Mbit/s");
        // Mathis et al. 1997 for Reno: MSS/RTT * sqrt(3/2)/sqrt(p) = 1448 B / 20 ms * 12.2 = 7.1 Mbit/s; loss here is both ways.
        assert!((2.0..30.0).contains(&rate), "{control}: {rate} Mbit/s");
        session.end().well().tells("dropped on a");
    }
}
