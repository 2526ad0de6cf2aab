//! Summaries of small stories, as they are read.

use super::*;
use crate::output::testing::{self, hosts, names, wan};

fn rendered(options: SummaryOptions, story: fn(&mut dyn Observer), conclusion: &Conclusion) -> String {
    let mut summary = Summary::new(options, Sink::memory());
    story(&mut summary);
    summary.render(conclusion, &names())
}

fn conclusion() -> Conclusion {
    let finding = |name: &str, is_met, detail: &str| FindingLine { name: name.into(), is_met, detail: detail.into() };
    Conclusion {
        scenario: "lossy-handshake".into(),
        seed: 42,
        ended_at: Time::from_millis(1_043),
        events: 17,
        queues: vec![QueuePeak { pipe: wan(), packets: 3, bytes: 174 }],
        programs: vec![
            ProgramReport {
                app: "fetch".into(),
                kind: "tcp-send".into(),
                node: "client".into(),
                outcomes: vec![
                    ("state".into(), "finished".into()),
                    ("elapsed".into(), std::time::Duration::from_millis(1_043).into()),
                    ("connected_after".into(), std::time::Duration::from_micros(1_042_008).into()),
                    ("bytes".into(), 5_u64.into()),
                ],
            },
            ProgramReport { app: "echo".into(), kind: "tcp-echo".into(), node: "server".into(), outcomes: Vec::new() },
        ],
        findings: vec![
            finding("two SYNs, one second apart", true, ""),
            finding("the server hears of it", false, "expected: 1 tcp.push on wan\nfound: none"),
        ],
    }
}

#[test]
fn a_run_fits_on_one_page() {
    let options = SummaryOptions { hosts: hosts(), style: Style::Plain };
    insta::assert_snapshot!(rendered(options, testing::lossy_handshake, &conclusion()), @"
    lossy-handshake: seed 42, 1.043 s of virtual time, 17 events

    links                  sent  bytes  received  bytes  most queued  altered   dropped
      access  client > r1     3    175         2    116
      access  r1 > client     1     58         1     58
      wan     r1 > server     2    116         2    116    3 (174 B)  copied 1  fault 1
      wan     server > r1     1     58         1     58

    flows                           packets  bytes  dropped
      tcp client:49152 > server:80        3    175  2: fault 1, stale-segment 1
      tcp server:80 > client:49152        1     58

    nodes     dropped
      server  stale-segment 1

    programs
      fetch  tcp-send on client: finished after 1.043s
             connected_after 1.042008s, bytes 5
      echo   tcp-echo on server

    expectations
      met     two SYNs, one second apart
      FAILED  the server hears of it
              expected: 1 tcp.push on wan
              found: none
      1 of 2 met
    ");
}

#[test]
fn drops_are_counted_by_cause_where_they_happen() {
    insta::assert_snapshot!(rendered(SummaryOptions::default(), testing::misfortunes, &Conclusion::default()), @"
    the run: seed 0, 0.000 s of virtual time, 0 events

    links                  sent  bytes  received  bytes  altered                 dropped
      access  client > r1     2     89         2     89
      access  r1 > client     1     42         1     42
      wan     r1 > server     2     94         1     47  damaged 1, held back 1  link-down 1

    flows                               packets  bytes  dropped
      udp 10.0.1.10:5000 > 10.0.2.80:9        3    141  4: bad-checksum 1, no-route 1, link-down 1, ttl-expired 1

    nodes     dropped
      r1      2: no-route 1, ttl-expired 1
      server  bad-checksum 1
    ");
}

#[test]
fn nothing_is_written_before_the_conclusion() {
    let sink = Sink::memory();
    let mut summary = Summary::new(SummaryOptions::default(), sink.clone());
    testing::lossy_handshake(&mut summary);
    assert_eq!(sink.take_text(), "");
    summary.conclude(&conclusion(), &names());
    assert!(sink.take_text().starts_with("lossy-handshake: seed 42"));
}
