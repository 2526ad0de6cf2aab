//! Recorded sessions happen again, on any machine: no device is needed here, the kernel's part is played.
//!
//! What real kernels do is `tests/attach`.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use hopwise::attach::{Attached, Damage, Ended, Event, Header, Left, Recorder, Recording, ReplayError, What, replay};
use hopwise::scenario::Asked;
use hopwise::wire::Layer;
use hopwise::{Report, Scenario, Time};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr};

const SCENARIO: &str = r#"
[nodes]
me = { addr = "10.0.0.2/24" }
r1 = { kind = "router" }
server = { addr = "10.0.1.2/24" }
[links]
home = { ends = ["me", "r1"], delay = "2ms", rate = "10Mbit", queue = "20 packets" }
wan = { ends = ["r1", "server"], delay = "10ms", loss = "5%", jitter = "1ms" }
[apps]
ping = { on = "server", kind = "ping", to = "me", count = 30, interval = "10ms" }
"#;

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An echo request, as the kernel would send it.
fn echo_request(destination: Ipv4Addr, number: u16) -> Vec<u8> {
    let data = [7; 56];
    let icmp = Icmpv4Repr::EchoRequest { ident: 42, seq_no: number, data: &data };
    let ip = Ipv4Repr {
        src_addr: Ipv4Addr::new(10, 0, 0, 2),
        dst_addr: destination,
        next_header: IpProtocol::Icmp,
        payload_len: icmp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = ChecksumCapabilities::default();
    let mut bytes = vec![0; ip.buffer_len() + icmp.buffer_len()];
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[..]), &checksums);
    icmp.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes[20..]), &checksums);
    bytes
}

fn header() -> Header {
    Header {
        version: "0.1.0".into(),
        name: "session".into(),
        seed: 3,
        scenario: SCENARIO.into(),
        settings: vec![("links.home.mtu".into(), "1400".into())],
        hosts: vec!["me".into()],
        gateways: vec![Attached { node: "me".into(), device: "hop0".into(), layer: Layer::Ip }],
        routes: vec![],
    }
}

/// 1,200 pings in batches, one of them to nobody, and a person who does things meanwhile.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for batch in 0..300_u64 {
        let at = Time::from_nanos(20_000_000 + batch * 3_141_592);
        let packet = |number: u64| {
            let number = u16::try_from(batch * 4 + number).unwrap();
            echo_request(Ipv4Addr::new(10, 0, if number.is_multiple_of(9) { 7 } else { 1 }, 2), number)
        };
        events.push(Event { at, what: What::Packets { gateway: 0, packets: (0..4).map(packet).collect() } });
        let act = match batch {
            50 => Some("do = \"link-down\"\nlink = \"wan\"\nfor = \"40ms\"\n"),
            100 => Some("do = \"set\"\nlink = \"wan\"\nloss = \"20%\"\n"),
            150 => Some("do = \"drop\"\nlink = \"home\"\nmatch = \"icmp.type == 8\"\nnth = [2, 5]\n"),
            _ => None,
        };
        let at = Time::from_nanos(at.as_nanos() + 1);
        events.extend(act.map(|act| Event { at, what: What::Act(act.to_owned()) }));
    }
    events
}

fn recording() -> Recording {
    Recording { header: header(), events: events(), ended: None }
}

fn file(recording: &Recording) -> Vec<u8> {
    let memory = Memory::default();
    let mut recorder = Recorder::begin(memory.clone(), &recording.header).unwrap();
    for event in &recording.events {
        match &event.what {
            What::Act(entry) => recorder.act(event.at, entry).unwrap(),
            What::Packets { gateway, packets } => recorder.packets(event.at, *gateway, packets).unwrap(),
        }
    }
    if let Some(ended) = &recording.ended {
        recorder.end(ended).unwrap();
    } else {
        recorder.flush().unwrap();
    }
    std::mem::take(&mut memory.0.lock().unwrap())
}

fn scenario(recording: &Recording) -> Scenario {
    recording.header.scenario().unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn again(recording: &Recording, until: Option<Time>) -> (Report, Result<(), ReplayError>) {
    let asked: Vec<Asked> = ["text", "pcapng", "json", "summary"].map(Asked::kept).into();
    let mut run = scenario(recording).build_with(&asked).unwrap();
    let result = replay(recording, &mut run, until);
    (run.finish(), result)
}

#[test]
fn a_session_of_a_thousand_packets_replays_to_the_same_bytes_ten_times() {
    let bytes = file(&recording());
    let mut first: Option<Report> = None;
    for _ in 0..10 {
        let read = Recording::read(&bytes).unwrap();
        let (report, result) = again(&read.recording, None);
        result.unwrap();
        match &first {
            None => {
                let text = report.text();
                let is_entry = |line: &&str| line.contains("  me            >  me > ") || line.contains("  me      ");
                assert!(text.lines().filter(is_entry).count() >= 1000);
                for words in ["link is down", "loss: ", "no-route", "ICMP echo reply", "link-down: "] {
                    assert!(text.contains(words), "{words}");
                }
                first = Some(report);
            }
            Some(first) => {
                for kind in ["text", "pcapng", "json", "summary"] {
                    assert!(first.output(kind) == report.output(kind), "{kind} differs");
                    assert!(!report.output(kind).is_empty());
                }
                assert_eq!((first.events, first.ended_at), (report.events, report.ended_at));
            }
        }
    }
}

#[test]
fn a_replay_up_to_a_time_is_the_beginning_of_the_whole_one() {
    let recording = recording();
    let (whole, _) = again(&recording, None);
    let (part, result) = again(&recording, Some(Time::from_millis(300)));
    result.unwrap();
    assert_eq!(part.ended_at, Time::from_millis(300));
    let (whole, part) = (whole.text(), part.text());
    let body = part.split("\n# the run ends").next().unwrap();
    assert!(body.len() > 10_000 && whole.starts_with(body), "the trace is cut, not another one");
}

#[test]
fn what_can_be_saved_of_a_file_is_the_beginning_of_the_session() {
    let bytes = file(&recording());
    let (whole, _) = again(&recording(), None);
    let read = Recording::read(&bytes[..bytes.len() / 2]).unwrap();
    let Some(Damage { packets, until, .. }) = read.damage else { panic!("it is not whole") };
    assert!(packets > 400 && until > Time::from_millis(300), "{packets} until {until}");
    let (saved, result) = again(&read.recording, Some(until));
    result.unwrap();
    let saved = saved.text();
    let body = saved.split("\n# the run ends").next().unwrap();
    assert!(whole.text().starts_with(body.trim_end_matches(|c| c != '\n')), "what was saved happens as it did");
}

#[test]
fn a_replay_that_comes_to_something_else_says_so() {
    let mut wrong = recording();
    let at = Time::from_secs(3);
    wrong.ended = Some(Ended { at, left: vec![Left { count: 1, crc: 2 }] });
    let (_, result) = again(&wrong, None);
    let message = result.unwrap_err().to_string();
    assert!(
        message.starts_with("the replay is not the session: me handed 1 packets to the kernel then, and "),
        "{message}"
    );
}

#[test]
fn a_recording_of_another_network_is_refused_in_words() {
    let mut wrong = recording();
    wrong.header.gateways[0].node = "r1".into();
    assert_eq!(
        again(&wrong, None).1.unwrap_err().to_string(),
        "the recording does not fit its own scenario: `r1` is not a gateway"
    );
    let mut wrong = recording();
    wrong.events[0].what = What::Act("do = \"explode\"\n".into());
    let message = again(&wrong, None).1.unwrap_err().to_string();
    assert!(message.contains("nothing that can be done is called `explode`"), "{message}");
    let mut wrong = recording();
    wrong.header.scenario = "[nodes]\nme = {".into();
    assert!(wrong.header.scenario().is_err());
}

/// What a session of two pings looks like to who replays it: held for review like any other run.
#[test]
fn a_replayed_session_can_be_held_as_a_snapshot() {
    let packets = |at: u64, number: u16| Event {
        at: Time::from_millis(at),
        what: What::Packets { gateway: 0, packets: vec![echo_request(Ipv4Addr::new(10, 0, 1, 2), number)] },
    };
    let mut short = recording();
    short.header.scenario = SCENARIO.replace("count = 30", "count = 1").replace("loss = \"5%\", ", "");
    short.events = vec![packets(100, 1), packets(200, 2)];
    let (report, result) = again(&short, None);
    result.unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("session.text", report.text()));
}
