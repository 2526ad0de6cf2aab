//! The library as somebody uses it who writes Rust: load or build, change, run, look.

use std::time::Duration;

use hopwise::net::TcpStream;
use hopwise::record::Value;
use hopwise::scenario::Asked;
use hopwise::{Scenario, Time};

const HELLO: &str = r#"
    [nodes]
    client = {}
    server = {}
    [links]
    wire = { ends = ["client", "server"], delay = "10ms" }
    [apps]
    echo = { on = "server", kind = "tcp-echo", port = 7 }
    talk = { on = "client", kind = "tcp-send", to = "server:7", text = "hello" }
    [[expect]]
    that = 'apps.talk.reply == "hello"'
"#;

fn hello() -> Scenario {
    Scenario::from_toml("hello", HELLO).unwrap()
}

#[test]
fn ten_lines_load_run_and_show_a_network() {
    let report = hello().run().unwrap();
    report.assert_met();
    assert!(report.ladder().contains("client") && report.text().contains("client.") && !report.pcapng().is_empty());
    assert!(report.json().lines().count() > 10 && report.summary().contains("talk"));
    assert_eq!(report.outcome("talk", "reply"), Some(&Value::Text("hello".into())));
}

#[test]
fn a_snapshot_holds_every_packet_for_review() {
    let report = hello().run().unwrap();
    insta::assert_snapshot!(report.ladder());
}

#[test]
fn the_same_scenario_gives_the_same_bytes_every_time() {
    let scenario = hello();
    let (first, second) = (scenario.run().unwrap(), scenario.run().unwrap());
    assert_eq!(first.text(), second.text());
    assert_eq!(first.pcapng(), second.pcapng());
    assert_eq!(first.json(), second.json());
}

#[test]
fn a_run_that_nobody_watches_comes_to_the_same_end() {
    let (watched, judged) = (hello().run().unwrap(), hello().judge().unwrap());
    assert_eq!(watched.findings, judged.findings);
    assert_eq!(watched.outcomes, judged.outcomes);
    assert_eq!((watched.events, watched.ended_at), (judged.events, judged.ended_at));
    assert!(judged.text().is_empty() && judged.pcapng().is_empty());
}

#[test]
fn an_unmet_expectation_says_how_to_see_it_again() {
    let mut scenario = hello();
    scenario.set("apps.talk.text", "good bye").unwrap();
    let report = scenario.seed(7).judge().unwrap();
    assert!(!report.is_met());
    assert!(report.objections().contains("good bye"), "{}", report.objections());
    assert_eq!(report.repeat_command, "hopwise run hello --set 'apps.talk.text=good bye' --seed 7");
}

#[test]
fn a_scenario_that_is_written_in_rust_is_the_file_that_it_writes() {
    let written = Scenario::new("hello")
        .host("client")
        .host("server")
        .link("wire", "client", "server", |link| link.delay("10ms"))
        .app("echo", "server", "tcp-echo", |app| app.set("port", 7))
        .app("talk", "client", "tcp-send", |app| app.set("to", "server:7").set("text", "hello"))
        .expect(|it| it.set("that", "apps.talk.reply == \"hello\""));
    let read = hello().run().unwrap();
    let report = written.run().unwrap();
    report.assert_met();
    assert_eq!(report.text(), read.text());
    let again = Scenario::from_toml("again", written.to_toml()).unwrap();
    assert_eq!(again.run().unwrap().text(), read.text());
}

#[test]
fn a_mistake_in_rust_is_told_like_one_in_a_file() {
    let scenario = Scenario::new("wrong").host("a").host("b").link("wire", "a", "c", |link| link.delay("10"));
    let told = scenario.run().unwrap_err().to_string();
    assert!(told.contains("no node is called `c`") && told.contains("`10` has no unit"), "{told}");
}

#[test]
fn an_async_function_is_a_program_like_any_other() {
    let scenario = hello().program_at(Time::from_secs(1), "mine", "client", |net| async move {
        let began = net.now();
        let mut stream = TcpStream::connect(&net, (net.lookup("server").await?, 7).into()).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"ping").await?;
        let mut reply = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut reply).await?;
        net.report("reply", String::from_utf8_lossy(&reply).into_owned());
        net.report("took", net.now().since(began));
        Ok(())
    });
    let report = scenario.judge().unwrap();
    assert_eq!(report.outcome("mine", "reply"), Some(&Value::Text("ping".into())));
    // SYN and SYN|ACK, data and its echo: 4 × 10 ms, plus 1 ns of nothing.
    let Some(Value::Duration(took)) = report.outcome("mine", "took") else { panic!("{:?}", report.outcomes) };
    assert!((Duration::from_millis(40)..Duration::from_millis(41)).contains(took), "{took:?}");
    let misplaced = hello().program("mine", "sever", |_| async { Ok(()) });
    assert!(misplaced.judge().unwrap_err().to_string().contains("did you mean `server`?"));
}

#[test]
fn a_run_can_be_looked_at_on_its_way() {
    let mut run = hello().build_with(&[Asked::kept("text")]).unwrap();
    assert!(run.until(Time::from_millis(15)));
    // The ARP request takes 10 ms to the server, its answer 10 ms back.
    assert_eq!(run.network.fact("links.wire.ab.delivered"), Some(Value::Integer(1)));
    assert_eq!(run.network.fact("links.wire.ba.delivered"), Some(Value::Integer(0)));
    run.set_stop(Time::from_millis(25));
    let report = run.finish();
    assert_eq!(report.ended_at, Time::from_millis(25));
    assert!(!report.is_met() && report.text().contains("is-at") && report.ladder().is_empty());
}

#[test]
fn what_is_added_to_a_scenario_leaves_the_luck_of_the_others_alone() {
    let lossy = |more_nodes: &str, more_links: &str| {
        let text = format!(
            "[nodes]\n{more_nodes}\nclient = {{ addr = \"10.0.1.1/24\" }}\nserver = {{ addr = \"10.0.1.2/24\" }}\n[links]\n{more_links}\n\
             wire = {{ ends = [\"client\", \"server\"], delay = \"5ms\", loss = \"30%\", jitter = \"2ms\" }}\n\
             [apps]\nping = {{ on = \"client\", kind = \"ping\", to = \"server\", count = 40, interval = \"100ms\" }}\n"
        );
        let report = Scenario::from_toml("lossy", text).unwrap().judge().unwrap();
        report.outcomes.into_iter().find(|outcomes| outcomes.app == "ping").unwrap().values
    };
    let alone = lossy("", "");
    let crowded = lossy("a = {}\nb = {}", "other = { ends = [\"a\", \"b\"], loss = \"50%\" }");
    assert_eq!(alone, crowded);
    assert!(alone.iter().any(|(name, value)| name == "received" && *value != Value::Integer(40)), "{alone:?}");
}

#[test]
fn in_every_topology_everybody_reaches_everybody() {
    for (kind, from, to) in [
        ("star\"\nhosts = 3", "h1", "h3"),
        ("star\"\nhosts = 3\ncenter = \"router", "h1", "h3"),
        ("chain\"\nrouters = 4", "h1", "h2"),
        ("grid\"\nrows = 3\ncolumns = 4", "h1", "h4"),
        ("dumbbell\"\npairs = 2", "a1", "b2"),
        ("fat-tree\"\nports = 4", "p1e1h1", "p4e2h2"),
    ] {
        // The odd place of the quotes lets a row add a key that ends in one.
        let quote = if kind.ends_with(|c: char| c.is_ascii_digit()) { "" } else { "\"" };
        let text = format!(
            "[topology.t]\nkind = \"{kind}{quote}\nlink = {{ delay = \"1ms\" }}\n[apps]\n\
             ping = {{ on = \"{from}\", kind = \"ping\", to = \"{to}\", count = 1 }}\n"
        );
        let report = Scenario::from_toml("topology", text).unwrap().judge().unwrap();
        assert_eq!(report.outcome("ping", "received"), Some(&Value::Integer(1)), "{kind}");
    }
}

#[test]
fn a_program_on_several_nodes_is_several_programs() {
    let text = "[topology.s]\nkind = \"star\"\nhosts = 3\n[apps]\n\
                ping = { on = [\"h1\", \"h2\"], kind = \"ping\", to = \"h3\", count = 1 }\n\
                all = { on = \"h*\", kind = \"ping\", to = \"h3\", count = 1, start = \"1s\" }\n\
                [[at]]\nt = \"500ms\"\ndo = \"start\"\napp = \"all@h2\"\n\
                [[expect]]\nthat = 'apps.ping@h1.received == 1 && apps.ping@h2.received == 1'\n\
                [[expect]]\nthat = 'apps.all@h1.received == 1 && apps.all@h3.received == 1'\n";
    Scenario::from_toml("several", text).unwrap().run().unwrap().assert_met();
}

#[test]
fn a_scenario_shows_what_was_found_for_it() {
    let text = r#"
name = "shown"
about = "Two sites."
[topology.left]
kind = "star"
hosts = 2
link = { delay = "1ms" }
[nodes.r1]
kind = "router"
[nodes.server]
addr = { eth0 = ["192.168.5.80/24", "2001:db8::80/64"] }
[links.uplink]
ends = ["sw1", "r1:lan"]
profile = "home-dsl"
[links.wan]
ends = ["r1:wan", "server"]
delay = "20ms"
ba = { loss = "1%" }
[apps]
echo = { on = "server", kind = "tcp-echo", port = 7, start = "1s", stop = "5s" }
[[at]]
t = "2s"
do = "link-down"
name = "cut"
link = "wan"
for = "1s"
[[expect]]
name = "all is well"
that = 'links.wan.dropped == 0'
"#;
    insta::assert_snapshot!(Scenario::from_toml("shown", text).unwrap().describe().unwrap());
}
