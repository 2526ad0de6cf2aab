//! Name servers, resolvers and those who ask them, on machines: what many, the impatient and the malicious do.

use hopwise::net::UdpSocket;
use hopwise::record::Value;
use hopwise::{Report, Scenario, Time};
use proptest::prelude::*;

/// A client, a resolver, an authority for the root and `example.`, and somebody else, on one switch; 1 ms for each link.
const LAB: &str = r#"
stop = "60s"
[nodes]
client = { addr = "10.0.0.10/24", dns = "10.0.0.53" }
resolver = { addr = "10.0.0.53/24" }
auth = { addr = "10.0.0.54/24" }
other = { addr = "10.0.0.66/24" }
sw = { kind = "switch" }
[links]
client = { ends = ["client", "sw"], delay = "1ms" }
resolver = { ends = ["resolver", "sw"], delay = "1ms" }
auth = { ends = ["auth", "sw"], delay = "1ms" }
other = { ends = ["other", "sw"], delay = "1ms" }
"#;

const AUTH: &str = r#"auth = { on = "auth", kind = "dns-server", zones = { "." = "example. NS ns.example.\nns.example. A 10.0.0.54", "example" = "@ NS ns\nns A 10.0.0.54\nwww A 10.0.0.80\n*.many A 10.0.0.81" }"#;

fn lab(apps: &[&str]) -> Scenario {
    let text = format!("{LAB}[apps]\n{}\n", apps.join("\n"));
    Scenario::from_toml("lab", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn run(apps: &[&str]) -> Report {
    lab(apps).run().unwrap()
}

fn auth(more: &str) -> String {
    format!("{AUTH}{more} }}")
}

fn resolver(more: &str) -> String {
    format!(r#"resolver = {{ on = "resolver", kind = "dns-resolver", hints = ["10.0.0.54"]{more} }}"#)
}

fn number(report: &Report, app: &str, key: &str) -> i64 {
    match report.outcome(app, key) {
        Some(Value::Integer(number)) => *number,
        other => panic!("{app}.{key}: {other:?}"),
    }
}

fn text(report: &Report, app: &str, key: &str) -> String {
    report.outcome(app, key).map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A question as bytes.
fn question(id: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut bytes = [id.to_be_bytes(), [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]].concat();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend([rtype.to_be_bytes(), [0, 1]].concat());
    bytes
}

#[test]
fn clients_that_ask_the_same_at_the_same_time_wait_for_one_answer() {
    let report = run(&[
        &auth(""),
        &resolver(""),
        r#"one = { on = "client", kind = "dig", name = "www.example", start = "1s" }"#,
        r#"two = { on = "other", kind = "dig", name = "www.example", server = "10.0.0.53", start = "1s" }"#,
    ]);
    assert_eq!(
        (text(&report, "one", "status"), text(&report, "two", "status")),
        ("\"NOERROR\"".into(), "\"NOERROR\"".into())
    );
    assert_eq!((number(&report, "resolver", "joined"), number(&report, "auth", "queries")), (1, 1));
}

#[test]
fn a_full_cache_forgets_what_ends_first_and_goes_on() {
    let digs: Vec<String> = (0..8)
        .map(|n| {
            format!(
                r#"d{n} = {{ on = "client", kind = "dig", name = "n{n}.many.example", short = true, start = "{}s" }}"#,
                n + 1
            )
        })
        .collect();
    let mut apps = vec![auth(""), resolver(", cache = 4")];
    apps.extend(digs);
    let report = run(&apps.iter().map(String::as_str).collect::<Vec<_>>());
    for n in 0..8 {
        assert_eq!(number(&report, &format!("d{n}"), "answers"), 1);
    }
    assert!(number(&report, "resolver", "cached") <= 4 && number(&report, "resolver", "evicted") >= 4);
}

#[test]
fn a_resolver_that_is_not_to_find_out_tells_what_it_knows_or_refuses() {
    let report = run(&[
        &auth(""),
        &resolver(""),
        r#"early = { on = "client", kind = "dig", name = "www.example", recurse = false, start = "1s" }"#,
        r#"learn = { on = "client", kind = "dig", name = "www.example", start = "2s" }"#,
        r#"late = { on = "client", kind = "dig", name = "www.example", recurse = false, start = "3s" }"#,
    ]);
    assert_eq!(text(&report, "early", "status"), "\"REFUSED\"");
    assert_eq!((text(&report, "late", "status"), number(&report, "late", "answers")), ("\"NOERROR\"".into(), 1));
}

#[test]
fn a_server_that_knows_no_edns_is_asked_again_without_and_remembered() {
    let report = run(&[
        &auth(", edns = false"),
        &resolver(""),
        r#"one = { on = "client", kind = "dig", name = "a.many.example", start = "1s" }"#,
        r#"two = { on = "client", kind = "dig", name = "b.many.example", start = "2s" }"#,
    ]);
    assert_eq!((number(&report, "one", "answers"), number(&report, "two", "answers")), (1, 1));
    // FORMERR, the answer; then one question for the second name.
    assert_eq!(number(&report, "auth", "queries"), 3);
}

#[test]
fn a_question_may_cost_so_many_questions_and_no_more() {
    // Each name's server is in a zone whose server has a name of the next zone, and so on; none has an address.
    let zones: String = (0..60).map(|n| format!("z{n}. NS ns.z{}.\\n", (n + 1) % 60)).collect();
    let auth = format!(r#"auth = {{ on = "auth", kind = "dns-server", zones = {{ "." = "{zones}" }} }}"#);
    let report = run(&[
        &auth,
        &resolver(""),
        r#"dig = { on = "client", kind = "dig", name = "www.z0", start = "1s", timeout = "30s" }"#,
    ]);
    assert_eq!(text(&report, "dig", "status"), "\"SERVFAIL\"");
    assert!(number(&report, "resolver", "asked") <= 100, "{}", number(&report, "resolver", "asked"));
}

#[test]
fn a_client_is_told_in_time_that_nobody_answers() {
    let report = run(&[
        &auth(r#", fault = "silent""#),
        &resolver(r#", give_up = "2500ms""#),
        r#"dig = { on = "client", kind = "dig", name = "www.example", start = "1s" }"#,
    ]);
    assert_eq!(text(&report, "dig", "status"), "\"SERVFAIL\"");
    // ARP on one link, then a question there and back.
    assert_eq!(text(&report, "dig", "query_time"), "2.508s");
}

#[test]
fn a_port_without_a_server_is_refused_at_once_and_the_next_server_asked() {
    let report = run(&[
        &auth(""),
        &resolver(""),
        r#"dig = { on = "client", kind = "dig", name = "www.example", server = "10.0.0.66", tries = 2, start = "1s" }"#,
        r#"look = { on = "other", kind = "nslookup", name = "www.example.", server = "10.0.0.54", type = "A", start = "2s" }"#,
    ]);
    assert_eq!(text(&report, "dig", "state"), "\"failed\"");
    assert_eq!(text(&report, "dig", "elapsed"), "12ms", "ARP, then two ICMP errors");
    assert_eq!(text(&report, "look", "addresses"), "[\"10.0.0.80\"]");
}

#[test]
fn many_queries_on_one_connection_are_all_answered() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let scenario = lab(&[&auth(r#", latency = "5ms""#)]);
    let scenario = scenario.program_at(Time::from_secs(1), "pipe", "client", |net| async move {
        let mut stream = hopwise::net::TcpStream::connect(&net, "10.0.0.54:53".parse().unwrap()).await?;
        let mut all = Vec::new();
        for id in 0..100_u16 {
            let query = question(id, &format!("n{id}.many.example"), 1);
            all.extend([&(query.len() as u16).to_be_bytes(), &query[..]].concat());
        }
        stream.write_all(&all).await?;
        let mut seen = [false; 100];
        for _ in 0..100 {
            let mut length = [0; 2];
            stream.read_exact(&mut length).await?;
            let mut answer = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut answer).await?;
            assert_eq!(answer[7], 1, "one record");
            seen[usize::from(u16::from_be_bytes([answer[0], answer[1]]))] = true;
        }
        net.report("seen", seen.iter().filter(|one| **one).count() as u64);
        Ok(())
    });
    let report = scenario.run().unwrap();
    assert_eq!(
        (number(&report, "pipe", "seen"), number(&report, "auth", "tcp")),
        (100, 100),
        "{}",
        text(&report, "pipe", "error")
    );
}

#[test]
fn a_connection_that_says_nothing_is_closed_and_half_a_message_harms_nobody() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let scenario = lab(&[
        &auth(""),
        r#"dig = { on = "other", kind = "dig", name = "www.example", server = "10.0.0.54", tcp = true, start = "20s" }"#,
    ]);
    let scenario = scenario.program_at(Time::from_secs(1), "slow", "client", |net| async move {
        let mut stream = hopwise::net::TcpStream::connect(&net, "10.0.0.54:53".parse().unwrap()).await?;
        stream.write_all(&[0xff, 0xff, 1, 2, 3]).await?;
        let begun = net.now();
        assert_eq!(stream.read(&mut [0; 1]).await?, 0);
        net.report("closed_after", net.now().since(begun));
        Ok(())
    });
    let report = scenario.run().unwrap();
    assert_eq!(text(&report, "slow", "closed_after"), "10.004s", "{}", text(&report, "slow", "error"));
    assert_eq!(number(&report, "dig", "answers"), 1);
}

#[test]
fn more_connections_than_there_is_room_for_are_closed_and_the_others_go_on() {
    let digs = r#"dig = { on = "other", kind = "dig", name = "www.example", server = "10.0.0.54", tcp = true, start = "30s" }"#;
    let scenario = lab(&[&auth(""), digs]);
    let scenario = scenario.program_at(Time::from_secs(1), "crowd", "client", |net| async move {
        use tokio::io::AsyncReadExt as _;
        let mut streams = Vec::new();
        for _ in 0..160 {
            streams.push(hopwise::net::TcpStream::connect(&net, "10.0.0.54:53".parse().unwrap()).await?);
        }
        net.sleep(std::time::Duration::from_secs(1)).await;
        let mut closed = 0_u64;
        for stream in &mut streams {
            let read = net.timeout(std::time::Duration::from_millis(1), stream.read(&mut [0; 1])).await;
            closed += u64::from(read.is_ok());
        }
        net.report("closed", closed);
        Ok(())
    });
    let report = scenario.run().unwrap();
    assert_eq!(number(&report, "crowd", "closed"), 10, "{}", text(&report, "crowd", "error"));
    // When the idle ones have been closed, there is room again.
    assert_eq!(number(&report, "dig", "answers"), 1);
}

/// A program that sends these datagrams to a port, a millisecond apart, and then asks an honest question.
fn sends(scenario: Scenario, to: &'static str, datagrams: Vec<Vec<u8>>) -> Scenario {
    scenario.program_at(Time::from_secs(1), "liar", "other", move |net| {
        let datagrams = datagrams.clone();
        async move {
            let socket = UdpSocket::bind(&net, 0)?;
            for datagram in datagrams {
                socket.send_to(&datagram, to.parse().unwrap()).await?;
                net.sleep(std::time::Duration::from_millis(1)).await;
            }
            Ok(())
        }
    })
}

/// Bytes that are a message, more or less.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xc0), Just(12), Just(0), Just(1)], 0..120);
    let head = (any::<u16>(), any::<u16>(), proptest::array::uniform4(0_u16..3));
    prop_oneof![
        (head, body.clone()).prop_map(|((id, flags, counts), body)| {
            let head = [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes);
            head.chain(body).collect()
        }),
        (body, any::<u16>(), 0..200_usize).prop_map(|(body, rtype, cut)| {
            let mut bytes = [question(9, "www.example", rtype), body].concat();
            bytes.truncate(cut);
            bytes
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_server_and_a_resolver_that_are_told_nonsense_go_on(datagrams in proptest::collection::vec(nearly_a_message(), 1..30)) {
        for (to, server) in [("10.0.0.54:53", "10.0.0.54"), ("10.0.0.53:53", "10.0.0.53")] {
            let dig = format!(r#"dig = {{ on = "client", kind = "dig", name = "www.example", server = "{server}", start = "50s" }}"#);
            let report = sends(lab(&[&auth(""), &resolver(""), &dig]), to, datagrams.clone()).run().unwrap();
            prop_assert_eq!(number(&report, "dig", "answers"), 1);
            prop_assert_eq!(text(&report, "auth", "state"), "\"running\"");
            prop_assert_eq!(text(&report, "resolver", "state"), "\"running\"");
        }
    }

    #[test]
    fn a_resolver_and_a_stub_whose_server_talks_nonsense_end(bodies in proptest::collection::vec(nearly_a_message(), 1..8)) {
        let scenario = lab(&[
            r#"resolver = { on = "resolver", kind = "dns-resolver", hints = ["10.0.0.66"], give_up = "5s" }"#,
            r#"dig = { on = "client", kind = "dig", name = "www.example", start = "1s", timeout = "20s" }"#,
            r#"ping = { on = "auth", kind = "ping", to = "www.example", count = 1, start = "1s" }"#,
        ]);
        let mut scenario = scenario;
        scenario.set("nodes.auth.dns", "10.0.0.66").unwrap();
        // It answers every question with its id, its question, and then whatever.
        let scenario = scenario.program("liar", "other", move |net| {
            let bodies = bodies.clone();
            async move {
                let socket = UdpSocket::bind(&net, 53)?;
                loop {
                    let datagram = socket.recv_datagram().await?;
                    for body in &bodies {
                        let mut answer = body.clone();
                        if answer.len() > 12 {
                            answer[..2].copy_from_slice(&datagram.payload[..2]);
                            answer[2] |= 0x80;
                        }
                        socket.send_to(&answer, datagram.from).await?;
                    }
                }
            }
        });
        let report = scenario.run().unwrap();
        prop_assert_eq!(text(&report, "resolver", "state"), "\"running\"");
        prop_assert!(number(&report, "resolver", "asked") <= 100);
        // Both have ended, one way or the other.
        prop_assert_ne!(text(&report, "dig", "state"), "\"running\"");
        prop_assert_ne!(text(&report, "ping", "state"), "\"running\"");
    }
}
