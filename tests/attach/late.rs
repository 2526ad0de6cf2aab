//! A session that falls behind the clock says so, and turns no packets round.

use std::time::Duration;

use crate::lab::{LINE, Lab, SERVER, numbers_behind};

#[test]
fn a_session_that_falls_behind_says_so_once_and_never_reorders() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    assert!(!session.told().contains("behind the clock"), "{}", session.told());
    let text = std::thread::scope(|scope| {
        let ping = scope.spawn(|| lab.run(&["ping", "-n", "-c", "60", "-i", "0.02", "-W", "3", SERVER]));
        std::thread::sleep(Duration::from_millis(400));
        // A machine that is too busy looks like this to a process: it gets no turn for a while.
        session.signal("-STOP");
        std::thread::sleep(Duration::from_millis(500));
        session.signal("-CONT");
        ping.join().unwrap()
    });
    session.wait_for("ms behind the clock: packets came late, but in order");
    let numbers = numbers_behind(&text, "icmp_seq=");
    assert!(numbers.is_sorted() && numbers.len() == 60, "late, but all of them and in order:\n{text}");
    let slowest = numbers_behind(&text, "time=").into_iter().fold(0.0, f64::max);
    assert!(slowest > 100.0, "the test is about a session that is late:\n{text}");
    let ended = session.end().well();
    let late = ended.err.lines().find(|line| line.contains("behind the clock")).unwrap();
    let late = numbers_behind(late, "simulation was ").first().copied().unwrap_or_default();
    assert!((50.0..2000.0).contains(&late), "{}", ended.err);
    // What the session came to has the most of it.
    assert!(numbers_behind(&ended.err, "at most ").into_iter().any(|most| most >= late - 1.0), "{}", ended.err);
}
