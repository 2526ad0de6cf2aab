//! The built-in programs on real machines: what they report, and the lines that they print.

use std::collections::BTreeSet;
use std::time::Duration;

use hopwise::record::Value;
use hopwise::{Report, Scenario};

/// A client, some routers and a server in a row, and programs on them. Link `k` is called `lk`; each takes 10 ms.
struct Lab {
    text: String,
    settings: Vec<&'static str>,
}

/// How a run ended.
struct Outcome(Report);

impl Lab {
    fn new(routers: usize, apps: &[&str]) -> Self {
        let mut names = vec!["client".to_owned()];
        names.extend((1..=routers).map(|number| format!("r{number}")));
        names.push("server".to_owned());
        let mut text = "stop = \"60s\"\n[nodes]\n".to_owned();
        for name in &names {
            let kind = if name.starts_with('r') { "router" } else { "host" };
            text += &format!("{name} = {{ kind = \"{kind}\" }}\n");
        }
        text += "[links]\n";
        for (index, ends) in names.windows(2).enumerate() {
            text += &format!("l{index} = {{ ends = [\"{}\", \"{}\"], delay = \"10ms\" }}\n", ends[0], ends[1]);
        }
        text += &format!("[apps]\n{}\n", apps.join("\n"));
        Self { text, settings: Vec::new() }
    }

    /// Sets something: `links.l0.rate=10Mbit`.
    fn set(mut self, setting: &'static str) -> Self {
        self.settings.push(setting);
        self
    }

    /// Does something to frames: `drop`, the link, `client -> server`, a match expression, which of them.
    fn fault(mut self, verb: &str, link: &str, way: &str, filter: &str, nth: &str) -> Self {
        let fault = format!("do = \"{verb}\"\nlink = \"{link}\"\ndir = \"{way}\"\nmatch = '{filter}'\nnth = {nth}");
        self.text += &format!("[[at]]\nt = \"0s\"\n{fault}\n");
        self
    }

    fn run(self) -> Outcome {
        let mut scenario = Scenario::from_toml("lab", self.text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        scenario.set_all(&self.settings).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let report = scenario.run().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        report.assert_met();
        Outcome(report)
    }
}

impl Outcome {
    /// What a program reported.
    fn of(&self, app: &str, key: &str) -> Option<&Value> {
        self.0.outcome(app, key)
    }

    fn text(&self, app: &str, key: &str) -> String {
        self.of(app, key).map_or_else(|| "-".to_owned(), Value::to_string)
    }

    /// A time that a program reported.
    fn time(&self, app: &str, key: &str) -> Duration {
        let Some(Value::Duration(time)) = self.of(app, key) else { panic!("{app} has no time {key}") };
        *time
    }

    /// A number that a program reported.
    fn number(&self, app: &str, key: &str) -> i64 {
        let Some(Value::Integer(number)) = self.of(app, key) else { panic!("{app} has no number {key}") };
        *number
    }

    /// Several outcomes of one program: `sent 4, received 3`.
    fn all(&self, app: &str, keys: &str) -> String {
        let values = keys.split_whitespace().map(|key| format!("{key} {}", self.text(app, key)));
        values.collect::<Vec<_>>().join(", ")
    }

    /// The lines that a program has printed, without those with which the machine starts and ends it.
    fn lines(&self, app: &str) -> String {
        let records = self.0.json();
        let records = records.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let notes = records.filter(|record| record["event"] == "note" && record["app"] == app);
        let lines = notes.map(|record| record["text"].as_str().expect("a text").to_owned());
        let is_machines =
            |line: &String| line == "started" || line.starts_with("finished") || line.starts_with("failed");
        lines.filter(|line| !is_machines(line)).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn an_echo_comes_back_over_a_graceful_close() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "tcp-echo", port = 7 }"#,
            r#"talk = { on = "client", kind = "tcp-send", to = "server:7", text = "hello" }"#,
        ],
    )
    .run();
    assert_eq!(
        run.all("talk", "state connected sent received reply echoed error"),
        "state \"finished\", connected true, sent 5, received 5, reply \"hello\", echoed true, error -"
    );
    // ARP and the handshake: two round trips of 20 ms; data and FIN, and theirs: one more.
    assert_eq!(run.all("talk", "connect_time elapsed"), "connect_time 40ms, elapsed 60ms");
    assert_eq!(run.all("echo", "connections active bytes failures"), "connections 1, active 0, bytes 5, failures 0");
}

#[test]
fn an_echo_of_more_than_all_buffers_comes_back_whole() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "tcp-echo", port = 7 }"#,
            r#"talk = { on = "client", kind = "tcp-send", to = "server:7", bytes = "1MB" }"#,
        ],
    )
    .run();
    assert_eq!(
        run.all("talk", "state sent received echoed"),
        "state \"finished\", sent 1000000, received 1000000, echoed true"
    );
    assert_eq!(run.text("talk", "reply").chars().next(), Some('"'));
}

#[test]
fn each_way_to_close_looks_different_to_the_server() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "tcp-echo", port = 7 }"#,
            r#"half = { on = "client", kind = "tcp-send", to = "server:7", text = "hello", close = "half", hold = "2s" }"#,
            r#"held = { on = "client", kind = "tcp-send", to = "server:7", text = "hello", hold = "3s" }"#,
            r#"rude = { on = "client", kind = "tcp-send", to = "server:7", text = "hello", close = "abort", hold = "1s" }"#,
            r#"curt = { on = "client", kind = "tcp-send", to = "server:7", text = "hello", reply = false }"#,
        ],
    )
    .run();
    assert_eq!(run.all("half", "state elapsed reply"), "state \"finished\", elapsed 2.04s, reply \"hello\"");
    // The FIN after three seconds and the answer to it: a round trip more.
    assert_eq!(run.all("held", "state elapsed reply"), "state \"finished\", elapsed 3.06s, reply \"hello\"");
    assert_eq!(run.all("rude", "state elapsed reply"), "state \"finished\", elapsed 1.04s, reply \"hello\"");
    assert_eq!(run.all("curt", "state elapsed received"), "state \"finished\", elapsed 40ms, received 0");
    assert_eq!(run.text("echo", "connections"), "4");
    assert_eq!(run.text("echo", "active"), "0");
    assert!(run.number("echo", "failures") >= 1, "the reset is a failure: {}", run.lines("echo"));
}

#[test]
fn nobody_listening_is_refused_and_nobody_there_times_out() {
    let run = Lab::new(
        0,
        &[
            r#"refused = { on = "client", kind = "tcp-send", to = "server:7", text = "hello" }"#,
            r#"nowhere = { on = "client", kind = "tcp-send", to = "192.0.2.1:7", text = "hello" }"#,
            r#"nobody = { on = "client", kind = "tcp-bulk", to = "10.0.0.77:7", bytes = "1kB", timeout = "500ms" }"#,
        ],
    )
    .run();
    assert_eq!(
        run.all("refused", "state connected sent error"),
        "state \"failed\", connected false, sent 0, error \"connection refused\""
    );
    assert_eq!(run.text("nowhere", "state"), "\"failed\"");
    assert!(run.text("nowhere", "error").contains("unreachable"), "{}", run.text("nowhere", "error"));
    assert_eq!(run.all("nobody", "state elapsed error"), "state \"failed\", elapsed 500ms, error \"timed out\"");
}

#[test]
fn a_slow_reader_stops_the_sender_and_loses_nothing() {
    let run = Lab::new(
        0,
        &[
            r#"sink = { on = "server", kind = "tcp-sink", port = 9, pause = "5s" }"#,
            r#"slow = { on = "server", kind = "tcp-sink", port = 10, read_rate = "800kbit" }"#,
            r#"bulk = { on = "client", kind = "tcp-bulk", to = "server:9", bytes = "200kB" }"#,
            r#"load = { on = "client", kind = "tcp-bulk", to = "server:10", bytes = "200kB" }"#,
        ],
    )
    .run();
    assert_eq!(run.all("sink", "connections bytes active"), "connections 1, bytes 200000, active 0");
    assert_eq!(run.all("bulk", "state bytes"), "state \"finished\", bytes 200000");
    let paused = run.time("bulk", "transfer_time");
    assert!(paused > Duration::from_secs(5) && paused < Duration::from_secs(12), "{paused:?}");
    // 200 kB at 800 kbit/s: 2 s.
    let limited = run.time("load", "transfer_time");
    assert!(limited > Duration::from_secs(2) && limited < Duration::from_millis(2_300), "{limited:?}");
}

#[test]
fn a_bulk_transfer_for_a_time_ends_then_and_reaches_the_rate_of_the_link() {
    let run = Lab::new(
        0,
        &[
            r#"sink = { on = "server", kind = "tcp-sink", port = 9 }"#,
            r#"bulk = { on = "client", kind = "tcp-bulk", to = "server:9", for = "5s" }"#,
        ],
    )
    .set("links.l0.rate=10Mbit")
    .run();
    assert_eq!(run.text("bulk", "state"), "\"finished\"");
    assert_eq!(run.of("bulk", "bytes"), run.of("sink", "bytes"));
    let (time, goodput) = (run.time("bulk", "transfer_time"), run.number("bulk", "goodput"));
    assert!(time >= Duration::from_secs(5) && time < Duration::from_secs(7), "{time:?}");
    // 1460 of 1514 bytes are data: at most 9.64 Mbit/s.
    assert!((7_000_000..9_650_000).contains(&goodput), "{goodput}");
}

#[test]
fn a_backlog_fills_while_clients_are_served_one_at_a_time() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "tcp-echo", port = 7, backlog = 1, serve_one_at_a_time = true, accept_delay = "500ms" }"#,
            r#"a = { on = "client", kind = "tcp-send", to = "server:7", text = "a" }"#,
            r#"b = { on = "client", kind = "tcp-send", to = "server:7", text = "b" }"#,
            r#"c = { on = "client", kind = "tcp-send", to = "server:7", text = "c" }"#,
        ],
    )
    .run();
    assert_eq!(run.text("echo", "connections"), "3");
    assert_eq!(["a", "b", "c"].map(|app| run.text(app, "reply")), ["\"a\"", "\"b\"", "\"c\""]);
}

#[test]
fn ping_prints_what_ping_prints() {
    let run = Lab::new(1, &[r#"ping = { on = "client", kind = "ping", to = "server" }"#])
        .fault("drop", "l1", "r1 -> server", "icmp", "2")
        .fault("duplicate", "l1", "r1 -> server", "icmp", "4")
        .run();
    insta::assert_snapshot!(run.lines("ping"), @r"
    PING server (10.0.1.2) 56(84) bytes of data.
    64 bytes from server (10.0.1.2): icmp_seq=1 ttl=63 time=80.0 ms
    64 bytes from server (10.0.1.2): icmp_seq=3 ttl=63 time=40.0 ms
    64 bytes from server (10.0.1.2): icmp_seq=4 ttl=63 time=40.0 ms
    64 bytes from server (10.0.1.2): icmp_seq=4 ttl=63 time=40.0 ms (DUP!)
    --- server ping statistics ---
    4 packets transmitted, 3 received, +1 duplicates, 25% packet loss, time 3000ms
    rtt min/avg/max/mdev = 40.000/50.000/80.000/17.320 ms
    ");
    assert_eq!(
        run.all("ping", "state sent received lost loss duplicates errors rtt_min rtt_max"),
        "state \"finished\", sent 4, received 3, lost 1, loss 0.250, duplicates 1, errors 0, rtt_min 40ms, rtt_max 80ms"
    );
}

#[test]
fn ping_tells_who_refuses_and_why() {
    let run = Lab::new(
        2,
        &[
            r#"dies = { on = "client", kind = "ping", to = "server", count = 1, ttl = 1 }"#,
            r#"gone = { on = "client", kind = "ping", to = "10.0.2.77", count = 2, start = "10s", timeout = "10s" }"#,
            r#"large = { on = "client", kind = "ping", to = "server", count = 1, size = "1000B", dont_fragment = true, start = "30s" }"#,
            r#"void = { on = "client", kind = "ping", to = "192.0.2.1", count = 1, start = "40s" }"#,
        ],
    )
    .set("links.l1.mtu=600")
    .run();
    let lines = ["dies", "gone", "large", "void"].map(|app| run.lines(app));
    insta::assert_snapshot!(lines.join("\n\n"), @r"
    PING server (10.0.2.2) 56(84) bytes of data.
    From r1 (10.0.0.1) icmp_seq=1 Time to live exceeded
    --- server ping statistics ---
    1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

    PING 10.0.2.77 (10.0.2.77) 56(84) bytes of data.
    From 10.0.1.2 icmp_seq=1 Destination Host Unreachable
    From 10.0.1.2 icmp_seq=2 Destination Host Unreachable
    --- 10.0.2.77 ping statistics ---
    2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1000ms
    pipe 2

    PING server (10.0.2.2) 1000(1028) bytes of data.
    From r1 (10.0.0.1) icmp_seq=1 Frag needed and DF set (mtu = 600)
    --- server ping statistics ---
    1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

    PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.
    From 10.0.0.1 icmp_seq=1 Destination Net Unreachable
    --- 192.0.2.1 ping statistics ---
    1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms
    ");
    assert_eq!(run.all("dies", "state received errors"), "state \"finished\", received 0, errors 1");
    assert_eq!(run.all("gone", "state received errors"), "state \"finished\", received 0, errors 2");
    assert_eq!(run.all("large", "state sent received errors"), "state \"finished\", sent 1, received 0, errors 1");
    assert_eq!(run.all("void", "state errors"), "state \"finished\", errors 1");
}

#[test]
fn a_ping_without_any_answer_is_over_after_its_timeout() {
    let run = Lab::new(0, &[r#"ping = { on = "client", kind = "ping", to = "server", count = 2, timeout = "3s" }"#])
        .fault("drop", "l0", "server -> client", "icmp", "\"all\"")
        .run();
    assert_eq!(
        run.all("ping", "state received loss elapsed rtt_min"),
        "state \"finished\", received 0, loss 1.000, elapsed 4s, rtt_min -"
    );
}

#[test]
fn traceroute_prints_what_traceroute_prints() {
    let run = Lab::new(
        3,
        &[
            r#"udp = { on = "client", kind = "traceroute", to = "server" }"#,
            r#"icmp = { on = "client", kind = "traceroute", to = "server", method = "icmp", queries = 1, start = "10s" }"#,
            r#"short = { on = "client", kind = "traceroute", to = "10.0.3.2", max_hops = 2, queries = 1, start = "20s" }"#,
        ],
    )
    .fault("drop", "l2", "r3 -> r2", "icmp.type == 11", "1")
    .run();
    let lines = ["udp", "icmp", "short"].map(|app| run.lines(app));
    insta::assert_snapshot!(lines.join("\n\n"), @r"
    traceroute to server (10.0.3.2), 30 hops max, 60 byte packets
     1  r1 (10.0.0.1)  40.000 ms  20.000 ms  20.000 ms
     2  r2 (10.0.1.2)  60.000 ms  40.000 ms  40.000 ms
     3  * r3 (10.0.2.2)  60.000 ms  60.000 ms
     4  server (10.0.3.2)  100.000 ms  80.000 ms  80.000 ms

    traceroute to server (10.0.3.2), 30 hops max, 60 byte packets
     1  r1 (10.0.0.1)  20.000 ms
     2  r2 (10.0.1.2)  40.000 ms
     3  r3 (10.0.2.2)  60.000 ms
     4  server (10.0.3.2)  80.000 ms

    traceroute to 10.0.3.2 (10.0.3.2), 2 hops max, 60 byte packets
     1  10.0.0.1 (10.0.0.1)  20.000 ms
     2  10.0.1.2 (10.0.1.2)  40.000 ms
    ");
    assert_eq!(run.all("udp", "reached hop_count"), "reached true, hop_count 4");
    assert_eq!(run.all("icmp", "reached hops"), "reached true, hops [\"r1\", \"r2\", \"r3\", \"server\"]");
    assert_eq!(run.all("short", "reached hops"), "reached false, hops [\"10.0.0.1\", \"10.0.1.2\"]");
}

#[test]
fn a_traceroute_ends_where_it_is_refused_and_not_where_nobody_answers() {
    let run = Lab::new(
        1,
        &[
            r#"gone = { on = "client", kind = "traceroute", to = "10.0.1.77", queries = 1, timeout = "5s" }"#,
            r#"mute = { on = "client", kind = "traceroute", to = "server", queries = 1, max_hops = 3, start = "20s" }"#,
        ],
    )
    .fault("drop", "l1", "server -> r1", "udp || icmp", "\"all\"")
    .run();
    let lines = ["gone", "mute"].map(|app| run.lines(app));
    insta::assert_snapshot!(lines.join("\n\n"), @r"
    traceroute to 10.0.1.77 (10.0.1.77), 30 hops max, 60 byte packets
     1  10.0.0.1 (10.0.0.1)  40.000 ms
     2  10.0.0.1 (10.0.0.1)  3020.000 ms !H

    traceroute to server (10.0.1.2), 3 hops max, 60 byte packets
     1  r1 (10.0.0.1)  20.000 ms
     2  *
     3  *
    ");
    assert_eq!(run.all("gone", "reached hop_count state"), "reached false, hop_count 2, state \"finished\"");
    assert_eq!(run.all("mute", "reached hops"), "reached false, hops [\"r1\", \"*\", \"*\"]");
}

#[test]
fn a_probed_port_that_somebody_serves_counts_as_reached() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "udp-echo", port = 7 }"#,
            r#"trace = { on = "client", kind = "traceroute", to = "server", port = 7, queries = 1 }"#,
        ],
    )
    .run();
    assert_eq!(run.all("trace", "reached hop_count"), "reached true, hop_count 1");
}

#[test]
fn datagrams_are_answered_counted_and_missed() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "udp-echo", port = 7 }"#,
            r#"ask = { on = "client", kind = "udp-send", to = "server:7", text = "hello", count = 5, interval = "100ms", start = "1s" }"#,
        ],
    )
    .fault("drop", "l0", "client -> server", "udp", "2")
    .run();
    assert_eq!(
        run.all("ask", "state sent received unanswered reply errors"),
        "state \"finished\", sent 5, received 4, unanswered 1, reply \"hello\", errors 0"
    );
    // Five of them take 400 ms, then one second of waiting for the one that is missing.
    assert_eq!(run.text("ask", "elapsed"), "1.4s");
    assert_eq!(run.all("echo", "received sent bytes failures"), "received 4, sent 4, bytes 20, failures 0");
}

#[test]
fn a_refused_datagram_and_one_too_long_are_errors() {
    let run = Lab::new(
        1,
        &[
            r#"refused = { on = "client", kind = "udp-send", to = "server:7", text = "hello" }"#,
            r#"long = { on = "client", kind = "udp-send", to = "server:9", bytes = "1000B", dont_fragment = true }"#,
            r#"own = { on = "client", kind = "udp-send", to = "server:9", bytes = "2000B", dont_fragment = true }"#,
            r#"sink = { on = "server", kind = "udp-sink", port = 9 }"#,
        ],
    )
    .set("links.l1.mtu=600")
    .run();
    assert_eq!(run.all("refused", "state sent error"), "state \"failed\", sent 1, error \"connection refused\"");
    // One is sent and meets the small link; the other is too long for the machine's own link.
    assert_eq!(
        run.all("long", "state sent errors error"),
        "state \"failed\", sent 1, errors 1, error \"message too long\""
    );
    assert_eq!(
        run.all("own", "state sent errors error"),
        "state \"failed\", sent 0, errors 1, error \"message too long\""
    );
    assert_eq!(run.text("sink", "received"), "0");
}

#[test]
fn a_stream_is_judged_by_its_sink() {
    let run = Lab::new(
        0,
        &[
            r#"sink = { on = "server", kind = "udp-sink", port = 9 }"#,
            r#"warm = { on = "client", kind = "ping", to = "server", count = 1 }"#,
            r#"stream = { on = "client", kind = "udp-stream", to = "server:9", rate = "80kbit", size = "100B", for = "1s", start = "1s" }"#,
        ],
    )
    .fault("drop", "l0", "client -> server", "udp", "[3, 4]")
    .fault("duplicate", "l0", "client -> server", "udp", "50")
    .run();
    // 100 B * 8 / 80 kbit/s = 10 ms: 100 in a second.
    assert_eq!(
        run.all("stream", "state sent bytes elapsed"),
        "state \"finished\", sent 100, bytes 10000, elapsed 990ms"
    );
    assert_eq!(
        run.all("sink", "received bytes lost out_of_order duplicates jitter delay_min delay_max"),
        "received 99, bytes 9900, lost 2, out_of_order 0, duplicates 1, jitter 0s, delay_min 10ms, delay_max 10ms"
    );
}

#[test]
fn a_broadcast_is_answered_by_whoever_serves_it() {
    let run = Lab::new(
        0,
        &[
            r#"echo = { on = "server", kind = "udp-echo", port = 7 }"#,
            r#"call = { on = "client", kind = "udp-send", to = "10.0.0.255:7", text = "who?", broadcast = true }"#,
            r#"shy = { on = "client", kind = "udp-send", to = "10.0.0.255:7", text = "who?" }"#,
        ],
    )
    .run();
    assert_eq!(run.all("call", "state sent received reply"), "state \"finished\", sent 1, received 1, reply \"who?\"");
    assert_eq!(run.all("shy", "state sent error"), "state \"failed\", sent 0, error \"permission denied\"");
}

#[test]
fn every_program_reports_what_it_promises_and_nothing_else() {
    let run = Lab::new(
        0,
        &[
            r#"tcp-echo = { on = "server", kind = "tcp-echo", port = 7 }"#,
            r#"tcp-send = { on = "client", kind = "tcp-send", to = "server:7", text = "x" }"#,
            r#"tcp-sink = { on = "server", kind = "tcp-sink", port = 9 }"#,
            r#"tcp-bulk = { on = "client", kind = "tcp-bulk", to = "server:9", bytes = "1kB" }"#,
            r#"udp-echo = { on = "server", kind = "udp-echo", port = 7 }"#,
            r#"udp-punch = { on = "client", kind = "udp-punch", server = "server:3478", name = "a", peer = "a" }"#,
            r#"udp-rendezvous = { on = "server", kind = "udp-rendezvous", port = 3478 }"#,
            r#"udp-send = { on = "client", kind = "udp-send", to = "server:7", text = "x" }"#,
            r#"udp-sink = { on = "server", kind = "udp-sink", port = 9 }"#,
            r#"udp-stream = { on = "client", kind = "udp-stream", to = "server:9" }"#,
            r#"peer = { on = "client", kind = "peer", server = "server:3478", name = "p", peer = "p", text = "me" }"#,
            r#"ping = { on = "client", kind = "ping", to = "server", record_route = true }"#,
            r#"traceroute = { on = "client", kind = "traceroute", to = "server" }"#,
            r#"chat = { on = "client", kind = "chat", to = "server:6667" }"#,
            r#"chat-server = { on = "server", kind = "chat-server", port = 6667 }"#,
            r#"iperf = { on = "client", kind = "iperf", to = "server", udp = true, for = "1s" }"#,
            r#"iperf-server = { on = "server", kind = "iperf-server" }"#,
            r#"nc = { on = "client", kind = "nc", to = "server", ports = "7" }"#,
            r#"ntp-client = { on = "client", kind = "ntp-client", to = "server", count = 1, every = "1s" }"#,
            r#"ntp-server = { on = "server", kind = "ntp-server" }"#,
            r#"port-scan = { on = "client", kind = "port-scan", to = "server" }"#,
            r#"tcpdump = { on = "server", kind = "tcpdump", filter = 'icmp' }"#,
        ],
    )
    .run();
    // A network that has no addresses yet, and a relay between those who are to agree on them.
    let dhcp = Scenario::from_toml(
        "dhcp",
        r#"
        stop = "60s"
        [nodes]
        client = { addr = "dhcp" }
        r1 = { kind = "router", addr = { a = "10.0.0.1/24", b = "10.1.0.1/24" } }
        server = { addr = "10.1.0.80/24" }
        [links]
        a = { ends = ["client", "r1:a"] }
        b = { ends = ["r1:b", "server"] }
        [apps]
        relay = { on = "r1", kind = "dhcp-relay", servers = "server" }
        server = { on = "server", kind = "dhcp-server", subnet = "10.0.0.0/24", range = "10.0.0.100-10.0.0.199" }
        "#,
    );
    let dhcp = dhcp.unwrap().run().unwrap();
    let names = Scenario::from_toml(
        "names",
        r#"
        stop = "60s"
        [nodes]
        client = { addr = "10.0.0.1/24", dns = "10.0.0.80" }
        server = { addr = "10.0.0.80/24" }
        root = { addr = "10.0.0.81/24" }
        sw = { kind = "switch" }
        [links]
        a = { ends = ["client", "sw"] }
        b = { ends = ["server", "sw"] }
        c = { ends = ["root", "sw"] }
        [apps]
        root = { on = "root", kind = "dns-server", zones = { "." = ". NS ns.\nns. A 10.0.0.81\nwww. A 10.0.0.9" } }
        resolver = { on = "server", kind = "dns-resolver", hints = ["10.0.0.81"] }
        dig = { on = "client", kind = "dig", name = "www", trace = true }
        nslookup = { on = "client", kind = "nslookup", name = "www.", type = "A" }
        forger = { on = "client", kind = "dns-forger", to = "server", in_the_name_of = "10.0.0.81", name = "www", address = "10.6.6.6", port = 5353 }
        "#,
    );
    let names = names.unwrap().run().unwrap();
    all_reported_as_promised(&names);
    let web = Lab::new(
        0,
        &[
            "web = { on = \"server\", kind = \"http-server\", port = 443, tls = true, pages = { \"/\" = \"hello\" } }",
            "page = { on = \"client\", kind = \"curl\", url = \"https://server/\" }",
        ],
    );
    let web = web.run().0;
    all_reported_as_promised(&web);
    let routing = hopwise::app::ROUTING.iter().map(|(kind, _)| *kind);
    let reports = [&run.0, &dhcp, &names, &web];
    let seen: BTreeSet<&str> = reports
        .iter()
        .flat_map(|report| &report.outcomes)
        .map(|outcomes| outcomes.kind.as_str())
        .chain(routing)
        .collect();
    let missed = hopwise::app::KINDS.iter().map(|kind| kind.name).filter(|kind| !seen.contains(kind));
    assert_eq!(missed.collect::<Vec<_>>(), Vec::<&str>::new());
    all_reported_as_promised(&dhcp);
    all_reported_as_promised(&run.0);
}

#[test]
fn every_program_that_finds_routes_reports_what_it_promises_and_nothing_else() {
    let text = r#"
        stop = "60s"
        ipv6 = true
        [topology.way]
        kind = "chain"
        routers = 3
        [apps]
        ospf = { on = ["r1", "r2", "r3"], kind = "ospf", network = "point-to-point" }
        rip = { on = "*", kind = "rip" }
        ripng = { on = "*", kind = "ripng" }
    "#;
    let report = Scenario::from_toml("routing", text).unwrap().run().unwrap();
    assert_eq!(report.outcomes.len(), 9);
    all_reported_as_promised(&report);
}

fn all_reported_as_promised(report: &Report) {
    for outcomes in &report.outcomes {
        let is_common = |name: &str| hopwise::app::COMMON_OUTCOMES.iter().any(|(common, _)| *common == name);
        let reported: BTreeSet<&str> =
            outcomes.values.iter().map(|(name, _)| name.as_str()).filter(|name| !is_common(name)).collect();
        let promised: BTreeSet<&str> = hopwise::app::outcomes(&outcomes.kind).iter().map(|(name, _)| *name).collect();
        assert_eq!(reported, promised, "{}", outcomes.kind);
    }
}

#[test]
fn two_runs_are_alike() {
    let lab = || {
        Lab::new(
            1,
            &[
                r#"echo = { on = "server", kind = "tcp-echo", port = 7 }"#,
                r#"talk = { on = "client", kind = "tcp-send", to = "server:7", bytes = "100kB" }"#,
                r#"ping = { on = "client", kind = "ping", to = "server", record_route = true }"#,
            ],
        )
        .run()
    };
    let (first, second) = (lab(), lab());
    assert_eq!(first.lines("ping"), second.lines("ping"));
    assert_eq!(first.0.outcomes, second.0.outcomes);
}
