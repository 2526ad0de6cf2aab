//! The programs that measure, talk and look: what they do where their lessons do not go.

use hopwise::record::Value;
use hopwise::{Report, Scenario};

/// A client, a router and a server in a row, 5 ms each, and programs on them.
fn run_with(nodes: &str, apps: &[&str]) -> Report {
    let text = format!(
        "stop = \"30s\"\n[nodes]\nclient = {{}}\n{nodes}\nr1 = {{ kind = \"router\" }}\n[links]\n\
         l0 = {{ ends = [\"client\", \"r1\"], delay = \"5ms\" }}\nl1 = {{ ends = [\"r1\", \"server\"], delay = \"5ms\" }}\n\
         [apps]\n{}\n",
        apps.join("\n")
    );
    let scenario = Scenario::from_toml("lab", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    scenario.run().unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn run(apps: &[&str]) -> Report {
    run_with("server = {}", apps)
}

/// What a program reported, in text; `-` where it reported nothing.
fn told(report: &Report, app: &str, key: &str) -> String {
    report.outcome(app, key).map_or_else(|| "-".to_owned(), Value::to_string)
}

const TALK: [&str; 2] = [
    r#"echo = { on = "server", kind = "tcp-echo", port = 7 }"#,
    r#"talk = { on = "client", kind = "tcp-send", to = "server:7", bytes = "20kB", start = "1s" }"#,
];

#[test]
fn who_looks_changes_nothing_on_any_link() {
    let quiet = run(&TALK);
    let looks = ["client", "r1", "server"].map(|on| format!("look-{on} = {{ on = \"{on}\", kind = \"tcpdump\" }}"));
    let apps: Vec<&str> = TALK.into_iter().chain(looks.iter().map(String::as_str)).collect();
    let watched = run(&apps);
    assert_eq!(watched.output("pcapng"), quiet.output("pcapng"));
    // A router sees each packet that it forwards twice, coming and going.
    let seen = |on: &str| told(&watched, &format!("look-{on}"), "captured").parse::<u64>().unwrap();
    let ends_saw_arp = 4;
    assert_eq!(seen("r1"), seen("client") + seen("server"));
    assert_eq!(told(&watched, "look-r1", "dropped"), "0");
    assert!(seen("client") > ends_saw_arp);
}

#[test]
fn tcpdump_ends_after_its_count_or_its_time_and_knows_its_interfaces() {
    let report = run(&[
        TALK[0],
        TALK[1],
        r#"two = { on = "client", kind = "tcpdump", interface = "eth0", filter = 'tcp', count = 2, numeric = true, times = true }"#,
        r#"short = { on = "client", kind = "tcpdump", for = "500ms" }"#,
        r#"none = { on = "client", kind = "tcpdump", interface = "eth9" }"#,
    ]);
    assert_eq!((told(&report, "two", "captured"), told(&report, "two", "state")), ("2".into(), "\"finished\"".into()));
    let Some(Value::List(lines)) = report.outcome("two", "lines") else { panic!("no lines") };
    let first = lines[0].to_string();
    assert!(first.starts_with("\"00:00:01.010000 IP 10.0.0.2.") && first.contains(": Flags [S], seq 0"), "{first}");
    assert_eq!((told(&report, "short", "captured"), told(&report, "short", "elapsed")), ("0".into(), "500ms".into()));
    assert_eq!(told(&report, "none", "error"), "\"eth9: no such device exists\"");
}

#[test]
fn tcpdump_sees_what_a_machine_sends_to_itself_on_lo_alone() {
    let report = run(&[
        r#"echo = { on = "client", kind = "udp-echo", port = 7 }"#,
        r#"ask = { on = "client", kind = "udp-send", to = "127.0.0.1:7", text = "me", start = "1s" }"#,
        r#"lo = { on = "client", kind = "tcpdump", interface = "lo" }"#,
        r#"eth0 = { on = "client", kind = "tcpdump", interface = "eth0" }"#,
    ]);
    assert_eq!((told(&report, "lo", "captured"), told(&report, "eth0", "captured")), ("2".into(), "0".into()));
}

#[test]
fn a_vlan_is_seen_with_its_tag_below_and_without_it_above() {
    let text = r#"
        [nodes.host]
        addr = { "eth0.10" = "10.0.10.1/24" }
        [nodes.other]
        addr = { "eth0.10" = "10.0.10.2/24" }
        [links]
        wire = { ends = ["host:eth0", "other:eth0"] }
        [apps]
        ask = { on = "host", kind = "ping", to = "10.0.10.2", count = 1, start = "1s" }
        below = { on = "host", kind = "tcpdump", interface = "eth0", filter = 'icmp', numeric = true }
        above = { on = "host", kind = "tcpdump", interface = "eth0.10", filter = 'icmp', numeric = true }
    "#;
    let report = Scenario::from_toml("lab", text).unwrap_or_else(|mistakes| panic!("{mistakes}")).run().unwrap();
    let lines = |app: &str| {
        let Some(Value::List(lines)) = report.outcome(app, "lines") else { panic!("no lines") };
        lines.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (below, above) = (lines("below"), lines("above"));
    assert_eq!((below.len(), above.len()), (2, 2), "{below:?} {above:?}");
    assert!(below.iter().all(|line| line.starts_with("\"vlan 10, IP 10.0.10.")), "{below:?}");
    assert!(above.iter().all(|line| line.starts_with("\"IP 10.0.10.")), "{above:?}");
}

#[test]
fn nc_tries_ports_and_speaks_udp() {
    let report = run(&[
        TALK[0],
        r#"try = { on = "client", kind = "nc", to = "server", ports = "6-9" }"#,
        r#"hear = { on = "server", kind = "nc", listen = 5000, udp = true, script = [{ say = "yes?" }] }"#,
        r#"say = { on = "client", kind = "nc", to = "server:5000", udp = true, wait = "1s", start = "1s", script = [{ say = "hello" }] }"#,
        r#"nobody = { on = "client", kind = "nc", to = "server:5001", udp = true, wait = "1s", script = [{ say = "hello" }] }"#,
    ]);
    assert_eq!(told(&report, "try", "open"), "[7]");
    assert_eq!(
        (told(&report, "hear", "lines"), told(&report, "say", "lines")),
        ("[\"hello\"]".into(), "[\"yes?\"]".into())
    );
    assert_eq!(told(&report, "nobody", "error"), "\"Connection refused\"");
}

#[test]
fn who_asks_for_the_time_too_often_is_told_and_asks_less_often() {
    let report = run(&[
        r#"time = { on = "server", kind = "ntp-server", limit = "1500ms" }"#,
        r#"sync = { on = "client", kind = "ntp-client", to = "server", count = 6, interval = "1s", offset = "+1s", adjust = "step" }"#,
        r#"closed = { on = "server", kind = "ntp-server", port = 124, deny = ["10.0.0.2"] }"#,
        r#"denied = { on = "client", kind = "ntp-client", to = "server:124" }"#,
    ]);
    // At 0 s an answer, at 1 s a kiss; from then on every two seconds, which is seldom enough.
    assert_eq!((told(&report, "sync", "kisses"), told(&report, "sync", "samples")), ("1".into(), "5".into()));
    assert_eq!((told(&report, "time", "kisses"), told(&report, "sync", "error_ms")), ("1".into(), "0.000".into()));
    assert!(told(&report, "denied", "error").contains("kiss DENY"));
}

#[test]
fn a_clock_that_is_slewed_comes_right_slowly_and_one_that_drifts_is_found_out() {
    let report = run(&[
        r#"time = { on = "server", kind = "ntp-server", stratum = 2 }"#,
        r#"slow = { on = "client", kind = "ntp-client", to = "server", count = 1, every = "12s", offset = "-5ms", adjust = "slew" }"#,
        r#"drifts = { on = "client", kind = "ntp-client", to = "server", count = 2, interval = "1s", every = "10s", drift = "-80ppm" }"#,
    ]);
    // 500 ppm make up for 5 ms in 10 s. The first sample, with the search for neighbors in it, is lopsided; the second one
    // finds what that has done.
    let Some(Value::Float(error)) = report.outcome("slow", "error_ms") else { panic!("no error") };
    assert!(error.abs() < 0.1, "{error}");
    assert_eq!(told(&report, "slow", "stratum"), "2");
    let Some(Value::Float(drift)) = report.outcome("drifts", "drift_ppm") else { panic!("no drift") };
    assert!((drift - 80.0).abs() < 1.0, "{drift}");
}

#[test]
fn iperf_measures_several_streams_in_reverse_and_one_test_at_a_time() {
    let report = run(&[
        r#"measure = { on = "server", kind = "iperf-server" }"#,
        r#"down = { on = "client", kind = "iperf", to = "server", udp = true, reverse = true, streams = 3, rate = "80kbit", size = "100B", for = "2s" }"#,
        r#"late = { on = "client", kind = "iperf", to = "server", start = "1s" }"#,
        r#"much = { on = "client", kind = "iperf", to = "server", bytes = "100kB", streams = 2, start = "10s" }"#,
    ]);
    // 80 kbit/s of 100 bytes are 100 datagrams each second, in three streams for two seconds; the server sends until it hears that the time is up.
    let received = told(&report, "down", "datagrams").parse::<u64>().unwrap();
    assert!((580..=620).contains(&received), "{received}");
    assert_eq!(told(&report, "down", "lost"), "0");
    assert_eq!(told(&report, "late", "error"), "\"the server is busy running a test. try again later\"");
    assert_eq!((told(&report, "measure", "denied"), told(&report, "measure", "tests")), ("1".into(), "2".into()));
    assert_eq!(told(&report, "much", "sent"), "100000");
}

#[test]
fn nonsense_does_not_keep_servers_from_serving() {
    let report = run(&[
        r#"measure = { on = "server", kind = "iperf-server" }"#,
        r#"time = { on = "server", kind = "ntp-server" }"#,
        r#"room = { on = "server", kind = "chat-server", port = 6667 }"#,
        r#"meet = { on = "server", kind = "udp-rendezvous", port = 3478, relay = true }"#,
        r#"n1 = { on = "client", kind = "nc", to = "server:5201", wait = "1s", script = [{ say = "GET / HTTP/1.1, and then much more than a cookie" }] }"#,
        r#"n2 = { on = "client", kind = "nc", to = "server:123", udp = true, wait = "1s", script = [{ say = "what time is it?" }] }"#,
        r#"n3 = { on = "client", kind = "nc", to = "server:6667", wait = "1s", script = [{ say = "two words" }] }"#,
        r#"n4 = { on = "client", kind = "nc", to = "server:3478", udp = true, wait = "1s", script = [{ say = "relay me to the moon" }] }"#,
        r#"load = { on = "client", kind = "iperf", to = "server", udp = true, for = "1s", start = "15s" }"#,
        r#"sync = { on = "client", kind = "ntp-client", to = "server", count = 1, start = "15s" }"#,
        r#"chat = { on = "client", kind = "chat", to = "server:6667", start = "15s" }"#,
    ]);
    assert_eq!(
        (told(&report, "measure", "failures"), told(&report, "load", "state")),
        ("1".into(), "\"finished\"".into())
    );
    assert_eq!((told(&report, "time", "malformed"), told(&report, "sync", "samples")), ("1".into(), "1".into()));
    assert_eq!((told(&report, "room", "refused"), told(&report, "room", "joined")), ("1".into(), "1".into()));
    assert_eq!((told(&report, "meet", "malformed"), told(&report, "meet", "relayed")), ("1".into(), "0".into()));
    assert_eq!(told(&report, "n3", "lines"), "[\"* that is no name: one word of up to 20 letters\"]");
}

#[test]
fn a_machine_scans_itself_and_a_host_without_route_is_an_error() {
    let report = run(&[
        TALK[0],
        r#"own = { on = "server", kind = "port-scan", to = "127.0.0.1", method = "syn", ports = "7-8" }"#,
        r#"lost = { on = "client", kind = "port-scan", to = "192.0.2.1", method = "udp", ports = "7", timeout = "100ms" }"#,
    ]);
    assert_eq!(told(&report, "own", "ports"), "[\"7/tcp open echo\", \"8/tcp closed unknown\"]");
    assert_eq!(told(&report, "lost", "filtered"), "1", "{}", told(&report, "lost", "error"));
}

#[test]
fn a_crash_ends_whoever_looks_and_a_restart_begins_anew() {
    let text = r#"
        stop = "10s"
        [nodes]
        client = {}
        server = {}
        [links]
        wire = { ends = ["client", "server"] }
        [apps]
        look = { on = "server", kind = "tcpdump", filter = 'icmp' }
        ask = { on = "client", kind = "ping", to = "server", count = 5, start = "500ms" }
        [[at]]
        t = "2s"
        do = "crash"
        node = "server"
        [[at]]
        t = "3s"
        do = "restart"
        node = "server"
    "#;
    let report = Scenario::from_toml("lab", text).unwrap().run().unwrap();
    // Requests at 0.5, 1.5, 2.5, 3.5 and 4.5 s; since the restart there were two, with their replies.
    assert_eq!((told(&report, "look", "captured"), told(&report, "ask", "received")), ("4".into(), "4".into()));
}

/// `printf 'GET / HTTP/1.0\n\n' | nc -N server 80` is how a request is typed by hand: its end of the connection is closed by then.
#[test]
fn a_request_typed_into_nc_is_answered_though_nc_has_closed_its_side() {
    let text = r#"
        stop = "5s"
        nodes = { client = {}, server = {} }
        links = { wire = { ends = ["client", "server"], delay = "5ms" } }
        [apps]
        web = { on = "server", kind = "http-server", port = 80, pages = { "/" = "hello\n" } }
        type = { on = "client", kind = "nc", to = "server:80", script = [{ say = "GET / HTTP/1.0" }, { say = "" }] }
    "#;
    let report = Scenario::from_toml("s.toml", text).unwrap().run().unwrap();
    let lines = report.outcome("type", "lines").unwrap().to_string();
    assert!(lines.contains("HTTP/1.0 200 OK") && lines.contains("hello"), "{lines}");
    assert_eq!(report.outcome("web", "failures"), Some(&0_u64.into()));
}

/// What curl says of the addresses of a name, it says when it tries them: one after the other.
#[test]
fn curl_tells_of_each_address_when_it_is_tried() {
    let text = r#"
        stop = "20s"
        [nodes]
        client = { addr = "10.0.0.10/24", dns = "10.0.0.53" }
        server = { addr = "10.0.0.53/24" }
        [links]
        wire = { ends = ["client", "server"], delay = "5ms" }
        [apps]
        web = { on = "server", kind = "http-server", port = 80, pages = { "/" = "hello\n" } }
        get = { on = "client", kind = "curl", url = "http://www.example.com/", verbose = true }
        [apps.names]
        on = "server"
        kind = "dns-server"
        zones."example.com" = '''
www A 10.0.0.77
www A 10.0.0.53
'''
    "#;
    let trace = Scenario::from_toml("s.toml", text).unwrap().run().unwrap().text();
    let at = |what: &str| {
        let line = trace.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no `{what}` in\n{trace}"));
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    let (first, second) = (at("Trying 10.0.0.77:80"), at("Trying 10.0.0.53:80"));
    assert!((second - first - 250.0).abs() < 0.001, "{first} {second}");
    assert!(at("Connected to www.example.com (10.0.0.53) port 80") > second);
}
