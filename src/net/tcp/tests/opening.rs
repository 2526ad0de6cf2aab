//! Connections that begin, and those that do not.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::super::ip::SendError;
use super::super::super::testing::{Fate, Lab, address, icmp_error_bytes};
use super::super::super::{TcpListener, TcpSettings, TcpStream};
use super::{at, connecting_client, echo_server, io_failure, pause};
use crate::record::Cause;
use crate::time::Time;

#[test]
fn a_handshake_takes_three_segments_and_announces_what_fits_the_route() {
    let mut lab = Lab::new(2);
    lab.ip(1).mtu = 1000;
    echo_server(&mut lab);
    let client = connecting_client(&mut lab);
    lab.run_for(30);
    assert_eq!(lab.lines(0)[..3], ["0 a S 0", "10 b S. 0", "20 a . 0"]);
    let mss = |index: usize| {
        let sighting: &super::super::super::testing::Sighting = &lab.wire[index];
        u16::from_be_bytes([sighting.bytes[42], sighting.bytes[43]])
    };
    assert_eq!((mss(0), mss(1)), (1460, 960));
    assert_eq!(lab.text(0, client, "state_then"), "ESTABLISHED");
    assert_eq!(lab.text(0, client, "state"), "finished");
    assert_eq!(lab.text(0, client, "elapsed"), "20ms");
    let port = lab.wire[0].bytes[20..22].try_into().map(u16::from_be_bytes).unwrap();
    let said = lab.said(0);
    assert_eq!(said[..3], ["started", &format!("tcp {port} > 80 SYN-SENT"), &format!("tcp {port} > 80 ESTABLISHED")]);
    assert!(said.contains(&"finished after 20ms"));
}

#[test]
fn a_port_without_listener_refuses() {
    let mut lab = Lab::new(2);
    let client = connecting_client(&mut lab);
    lab.run_for(100);
    assert_eq!(lab.lines(0), ["0 a S 0", "10 b R. 0"]);
    assert_eq!(lab.text(0, client, "error"), "connection refused");
    assert_eq!(lab.states(0), Vec::<&str>::new());
    assert!(lab.said(0).iter().any(|said| said.ends_with("CLOSED: connection refused")));
}

#[test]
fn an_unanswered_connect_sends_seven_syns_and_times_out_after_127_seconds() {
    let mut lab = Lab::new(2);
    lab.judge = Box::new(|_| Fate::Lost);
    let client = connecting_client(&mut lab);
    lab.run_until(Time::from_secs(300));
    let seconds: Vec<u64> = lab.wire.iter().map(|sighting| sighting.at.as_nanos() / 1_000_000_000).collect();
    assert_eq!(seconds, [0, 1, 3, 7, 15, 31, 63]);
    assert_eq!(lab.text(0, client, "error"), "timed out");
    assert_eq!(lab.text(0, client, "elapsed"), "127s");
    assert_eq!(lab.stacks[0].wake_at(), None);
}

#[test]
fn icmp_ends_a_connect_but_not_a_connection() {
    for (code, error) in [(1, "host unreachable"), (0, "network unreachable"), (3, "connection refused")] {
        let mut lab = Lab::new(2);
        lab.judge = Box::new(|_| Fate::Lost);
        let client = connecting_client(&mut lab);
        let error_bytes = icmp_error_bytes(address(3), 3, code, &lab.wire[0].bytes);
        lab.hand_over(0, &error_bytes);
        assert_eq!(lab.text(0, client, "error"), error);
    }
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(b"hello").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(())
    });
    lab.run_for(20);
    let data = lab.wire.last().unwrap().bytes.clone();
    lab.hand_over(0, &icmp_error_bytes(address(3), 3, 1, &data));
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "state"), "finished");
    assert!(lab.said(0).iter().any(|said| said.ends_with("goes on in spite of ICMP: host unreachable")));
}

#[test]
fn without_a_route_a_connect_fails_at_once() {
    let mut lab = Lab::new(2);
    lab.ip(0).refusal = Some(SendError::HostUnreachable);
    let client = connecting_client(&mut lab);
    assert_eq!(lab.text(0, client, "error"), "host unreachable");
    assert_eq!(lab.drops, [Cause::NoRoute]);
    assert_eq!(lab.stacks[0].wake_at(), None);
}

#[test]
fn local_ends_are_checked() {
    let mut lab = Lab::new(2);
    let app = lab.start(0, "binder", |net| async move {
        let taken = TcpListener::bind(&net, 80, 1)?;
        let kind = |result: io::Result<TcpListener>| result.err().map(|error| error.kind());
        assert_eq!(kind(TcpListener::bind(&net, at(0, 80), 1)), Some(io::ErrorKind::AddrInUse));
        assert_eq!(kind(TcpListener::bind(&net, at(1, 81), 1)), Some(io::ErrorKind::AddrNotAvailable));
        let clash = TcpStream::connect_from(&net, 80, at(1, 80)).await;
        assert_eq!(clash.map_err(|error| error.kind()).err(), Some(io::ErrorKind::AddrInUse));
        let foreign = TcpStream::connect_from(&net, at(1, 9), at(1, 80)).await;
        assert_eq!(foreign.map_err(|error| error.kind()).err(), Some(io::ErrorKind::AddrNotAvailable));
        drop(taken);
        // Free again at once.
        TcpListener::bind(&net, at(0, 80), 1)?;
        Ok(())
    });
    assert_eq!(lab.text(0, app, "state"), "finished");
}

#[test]
fn a_full_backlog_drops_the_syn_and_the_client_tries_again() {
    let mut lab = Lab::new(2);
    lab.start(1, "slow", |net| async move {
        let listener = TcpListener::bind(&net, 80, 2)?;
        pause(&net, 500).await;
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await?);
        }
    });
    let clients: Vec<_> = (0..3).map(|_| connecting_client(&mut lab)).collect();
    lab.run_for(400);
    assert_eq!(lab.drops, [Cause::BacklogFull]);
    assert_eq!(lab.counter(1, "tcp.backlog_full"), 1);
    let listening = &lab.stacks[1].sockets()[0];
    assert_eq!((listening.state, listening.receive_queue, listening.send_queue), ("LISTEN", 2, 2));
    lab.run_for(2000);
    // The second SYN, one second later, finds the backlog empty.
    assert!(clients.iter().all(|client| lab.text(0, *client, "state") == "finished"));
    assert_eq!(lab.text(0, clients[2], "elapsed"), "1.02s");
}

#[test]
fn a_half_open_connection_is_forgotten_after_six_syn_acks() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    // The client is deaf and says nothing but its first SYN.
    let mut syns = 0;
    lab.judge = Box::new(move |sighting| {
        syns += usize::from(sighting.from == 0);
        if sighting.from == 1 || syns > 1 { Fate::Lost } else { Fate::Passes }
    });
    connecting_client(&mut lab);
    lab.run_until(Time::from_secs(200));
    let answers: Vec<u64> =
        lab.wire.iter().filter(|one| one.flags == "S.").map(|one| one.at.as_nanos() / 1_000_000).collect();
    // One, and five more, each after twice the wait: 1, 2, 4, 8, 16 s. The seventh would come 32 s later.
    assert_eq!(answers, [10, 1010, 3010, 7010, 15_010, 31_010]);
    assert_eq!(lab.states(1), ["LISTEN"]);
    assert!(lab.said(1).iter().any(|said| said.ends_with("CLOSED: timed out")));
}

#[test]
fn a_reset_of_a_half_open_connection_makes_room() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 1)?;
        loop {
            let _ = listener.accept().await?;
        }
    });
    // The client's program has gone when the SYN|ACK comes: its machine refuses.
    let impatient = lab.start(0, "impatient", |net| async move {
        net.timeout(Duration::from_millis(5), TcpStream::connect(&net, at(1, 80))).await?.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(100);
    assert_eq!(lab.lines(0), ["0 a S 0", "10 b S. 0", "20 a R 0"]);
    assert_eq!(lab.text(0, impatient, "error"), "timed out");
    assert_eq!(lab.states(1), ["LISTEN"]);
    let client = connecting_client(&mut lab);
    lab.run_for(100);
    assert_eq!(lab.text(0, client, "state"), "finished");
}

#[test]
fn two_connects_that_cross_open_one_connection() {
    let mut lab = Lab::new(2);
    let mut apps = Vec::new();
    for index in 0..2 {
        apps.push(lab.start(index, "peer", move |net| async move {
            let mut stream = TcpStream::connect_from(&net, 5000, at(1 - index, 5000)).await?;
            stream.write_all(b"hello").await?;
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).await?;
            net.report("heard", String::from_utf8_lossy(&heard).into_owned());
            Ok(())
        }));
    }
    lab.run_for(1000);
    assert_eq!(lab.lines(0)[..4], ["0 a S 0", "0 b S 0", "10 b S. 0", "10 a S. 0"]);
    for (index, app) in apps.into_iter().enumerate() {
        assert_eq!(lab.text(index, app, "heard"), "hello", "{:?}", lab.lines(0));
        assert!(lab.said(index).iter().any(|said| said.ends_with("5000 > 5000 SYN-RECEIVED")));
    }
}

#[test]
fn a_syn_that_comes_twice_changes_nothing_and_a_new_one_begins_anew() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    lab.judge = Box::new(|sighting| if sighting.from == 1 { Fate::Lost } else { Fate::Passes });
    connecting_client(&mut lab);
    lab.run_for(50);
    let syn = lab.wire[0].bytes.clone();
    let before = lab.wire.len();
    lab.hand_over(1, &syn);
    assert_eq!((lab.states(1), lab.wire.len()), (vec!["LISTEN", "SYN-RECEIVED"], before));
    let mut other = syn;
    other[24] ^= 0x55;
    lab.hand_over(1, &other);
    assert_eq!(lab.states(1), ["LISTEN", "SYN-RECEIVED"]);
    let answer = lab.wire.last().unwrap();
    let isn = u32::from_be_bytes(other[24..28].try_into().unwrap());
    assert_eq!((answer.flags.as_str(), answer.numbers().1), ("S.", isn.wrapping_add(1)));
}

#[test]
fn timeouts_are_the_hosts_settings() {
    let settings = TcpSettings { connect_timeout: Duration::from_secs(5), ..TcpSettings::default() };
    let mut lab = Lab::with(2, settings);
    lab.judge = Box::new(|_| Fate::Lost);
    let client = connecting_client(&mut lab);
    lab.run_until(Time::from_secs(60));
    assert_eq!(lab.text(0, client, "elapsed"), "5s");
    assert_eq!(lab.wire.len(), 3);
}
