//! Connections that end: by agreement, by force, by silence.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::super::testing::{Fate, Lab};
use super::super::super::{TcpListener, TcpSettings, TcpStream};
use super::{at, echo_server, io_failure, pause};
use crate::time::Time;

/// Accepts one connection and holds it, unread.
fn holding_server(lab: &mut Lab) {
    lab.start(1, "holder", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        let _held = listener.accept().await?;
        std::future::pending().await
    });
}

#[test]
fn both_halves_close_and_the_first_waits() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        assert_eq!(stream.write(b"more").await.map_err(|error| error.kind()).err(), Some(io::ErrorKind::BrokenPipe));
        // Half closed: reading goes on to the end.
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        net.report("answer", answer);
        net.report("state_then", stream.state());
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "answer"), "hello");
    assert_eq!(lab.text(0, client, "state_then"), "TIME-WAIT");
    assert_eq!((lab.states(0), lab.states(1)), (vec!["TIME-WAIT"], vec!["LISTEN"]));
    let states = |index| -> Vec<String> {
        let said = lab.said(index).into_iter().filter(|said| said.starts_with("tcp "));
        said.map(|said| said.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(states(0), ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]);
    assert_eq!(states(1), ["SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]);
    lab.run_for(11_000);
    assert_eq!(lab.states(0), Vec::<&str>::new());
    assert_eq!(lab.stacks[0].wake_at(), None);
}

#[test]
fn a_connection_that_was_not_read_to_the_end_is_reset_when_dropped() {
    let mut lab = Lab::new(2);
    lab.start(1, "rude", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        let (_stream, _) = listener.accept().await?;
        pause(&net, 200).await;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(b"never read").await?;
        stream.read(&mut [0; 8]).await.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "error"), "connection reset");
    assert_eq!(lab.lines(0).last().unwrap(), "230 b R. 0");
    assert_eq!(lab.counter(0, "tcp.resets_received"), 1);
}

#[test]
fn data_for_a_program_that_has_closed_is_answered_with_a_reset() {
    let mut lab = Lab::new(2);
    lab.start(1, "gone", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        drop(listener.accept().await?);
        std::future::pending().await
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        pause(&net, 100).await;
        stream.write_all(b"too late").await?;
        pause(&net, 100).await;
        stream.write_all(b"and now").await.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "error"), "connection reset");
    assert_eq!(lab.states(1), ["LISTEN"]);
}

#[test]
fn an_abort_resets_and_says_so_to_both() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 8)?.accept().await?;
        stream.read(&mut [0; 8]).await.map_err(io_failure)?;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.abort();
        stream.abort();
        net.report("state_then", stream.state());
        stream.write_all(b"x").await.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(100);
    assert_eq!(lab.text(1, server, "error"), "connection reset");
    assert_eq!(lab.text(0, client, "error"), "connection aborted");
    assert_eq!(lab.text(0, client, "state_then"), "CLOSED");
    assert_eq!(lab.counter(0, "tcp.resets_sent"), 1);
}

#[test]
fn what_came_before_a_reset_is_still_read() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 8)?.accept().await?;
        stream.write_all(b"last words").await?;
        pause(&net, 50).await;
        stream.abort();
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        pause(&net, 200).await;
        let mut heard = [0; 10];
        stream.read_exact(&mut heard).await?;
        net.report("heard", String::from_utf8_lossy(&heard).into_owned());
        stream.read(&mut heard).await.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "heard"), "last words");
    assert_eq!(lab.text(0, client, "error"), "connection reset");
}

#[test]
fn what_was_not_read_outlives_time_wait() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 8)?.accept().await?;
        let _end = stream.read(&mut [0; 8]).await?;
        stream.write_all(b"read me late").await?;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.shutdown().await?;
        pause(&net, 60_000).await;
        net.report("state_then", stream.state());
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await?;
        net.report("heard", heard);
        Ok(())
    });
    lab.run_for(70_000);
    assert_eq!(lab.text(0, client, "state_then"), "CLOSED");
    assert_eq!(lab.text(0, client, "heard"), "read me late");
}

#[test]
fn unacknowledged_data_is_given_up_in_the_end() {
    let settings = TcpSettings { give_up_after: Duration::from_secs(100), ..TcpSettings::default() };
    let mut lab = Lab::with(2, settings);
    holding_server(&mut lab);
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(b"hello?").await?;
        stream.read(&mut [0; 8]).await.map_err(io_failure)?;
        Ok(())
    });
    lab.judge = Box::new(|sighting| if sighting.payload().is_empty() { Fate::Passes } else { Fate::Lost });
    lab.run_until(Time::from_secs(1000));
    assert_eq!(lab.text(0, client, "error"), "timed out");
    // Connected after 20 ms.
    assert_eq!(lab.text(0, client, "elapsed"), "100.02s");
    assert!(lab.counter(0, "tcp.retransmissions") >= 6);
    // In silence: no RST.
    assert_eq!(lab.counter(0, "tcp.resets_sent"), 0);
}

#[test]
fn an_idle_connection_lives_for_ever_and_a_probed_one_as_long_as_the_peer_answers() {
    let mut lab = Lab::new(2);
    holding_server(&mut lab);
    let client = |lab: &mut Lab| {
        lab.start(0, "client", |net| async move {
            let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
            stream.read(&mut [0; 8]).await.map_err(io_failure)?;
            Ok(())
        })
    };
    let idle = client(&mut lab);
    lab.run_until(Time::from_secs(100_000));
    assert_eq!(lab.text(0, idle, "state"), "running");
    assert_eq!(lab.wire.len(), 3);

    let settings =
        TcpSettings { keep_alive: Some(Duration::from_secs(10)), keep_alive_probes: 3, ..TcpSettings::default() };
    let mut lab = Lab::with(2, settings);
    holding_server(&mut lab);
    let probed = client(&mut lab);
    lab.run_until(Time::from_secs(1000));
    assert_eq!(lab.text(0, probed, "state"), "running");
    lab.judge = Box::new(|_| Fate::Lost);
    lab.run_until(Time::from_secs(2000));
    assert_eq!(lab.text(0, probed, "error"), "timed out");
}

#[test]
fn a_closed_window_is_probed_and_not_given_up() {
    let settings =
        TcpSettings { give_up_after: Duration::from_secs(50), receive_buffer: 2000, ..TcpSettings::default() };
    let mut lab = Lab::with(2, settings);
    lab.start(1, "lazy", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 8)?.accept().await?;
        pause(&net, 600_000).await;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        net.report("bytes", all.len());
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(&[7; 10_000]).await?;
        stream.shutdown().await?;
        Ok(())
    });
    lab.run_until(Time::from_secs(599));
    assert_eq!(lab.states(0), ["FIN-WAIT-1"]);
    lab.run_until(Time::from_secs(800));
    assert_eq!(lab.text(1, crate::id::AppId(0), "bytes"), "10000", "{:?}", lab.text(0, client, "state"));
}

#[test]
fn a_new_syn_takes_the_place_of_a_connection_in_time_wait() {
    let mut lab = Lab::new(2);
    // The server closes first, so it is the server that waits.
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        loop {
            drop(listener.accept().await?);
        }
    });
    let client = |lab: &mut Lab| {
        lab.start(0, "client", |net| async move {
            let mut stream = TcpStream::connect_from(&net, 5000, at(1, 80)).await?;
            let _end = stream.read(&mut [0; 1]).await?;
            Ok(())
        })
    };
    let first = client(&mut lab);
    lab.run_for(500);
    assert_eq!(lab.text(0, first, "state"), "finished");
    assert_eq!(lab.states(1), ["LISTEN", "TIME-WAIT"]);
    // An old duplicate, below what was received, changes nothing but draws an acknowledgment; a SYN above opens anew.
    let mut syn = lab.wire[0].bytes.clone();
    let isn = u32::from_be_bytes(syn[24..28].try_into().unwrap());
    syn[24..28].copy_from_slice(&isn.wrapping_sub(1000).to_be_bytes());
    lab.hand_over(1, &syn);
    assert_eq!(lab.states(1), ["LISTEN", "TIME-WAIT"]);
    assert_eq!(lab.wire.last().unwrap().flags, ".");
    syn[24..28].copy_from_slice(&isn.wrapping_add(1000).to_be_bytes());
    lab.hand_over(1, &syn);
    assert_eq!(lab.states(1), ["LISTEN", "SYN-RECEIVED"]);
    assert_eq!(
        (lab.wire.last().unwrap().flags.as_str(), lab.wire.last().unwrap().numbers().1),
        ("S.", isn.wrapping_add(1001))
    );
}

#[test]
fn a_peer_that_has_forgotten_the_connection_is_asked_and_resets() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            net.spawn(async move {
                let _ = stream.read(&mut [0; 1]).await;
            });
        }
    });
    let client = lab.start(0, "client", |net| async move {
        let _stream = TcpStream::connect_from(&net, 5000, at(1, 80)).await?;
        net.report("connected", net.now().since(Time::ZERO));
        std::future::pending().await
    });
    lab.run_for(100);
    assert_eq!(lab.states(1), ["LISTEN", "ESTABLISHED"]);
    lab.stacks[0].crash(lab.now);
    assert_eq!(lab.states(0), Vec::<&str>::new());
    assert_eq!(lab.text(0, client, "state"), "stopped");
    let before = lab.wire.len();
    lab.stacks[0].start_program(client, lab.now);
    lab.settle(0);
    lab.run_for(3000);
    // SYN, challenge ACK, RST, and a second later a SYN that succeeds.
    assert_eq!(
        lab.lines(before)[..6],
        ["100 a S 0", "110 b . 0", "120 a R 0", "1100 a S 0", "1110 b S. 0", "1120 a . 0"]
    );
    assert_eq!(lab.text(0, client, "connected"), "1.12s");
}

#[test]
fn a_lost_fin_is_sent_again_whatever_the_peer_repeats_meanwhile() {
    // Three duplicate acknowledgments made smoltcp forget the timer of a FIN that was alone on its way.
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let mut is_first = true;
    lab.judge = Box::new(move |one| {
        let is_lost = one.from == 0 && one.flags.starts_with('F') && std::mem::replace(&mut is_first, false);
        if is_lost { Fate::Lost } else { Fate::Passes }
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    });
    lab.run_for(100);
    assert_eq!(lab.states(0), ["FIN-WAIT-1"]);
    // The echo, which has acknowledged the data, and three times the same without it.
    let mut ack = lab.wire.iter().rfind(|one| one.from == 1).unwrap().clone();
    assert_eq!(ack.payload(), b"hello");
    let sequence = ack.numbers().0.wrapping_add(5);
    ack.bytes.truncate(40);
    ack.bytes[2..4].copy_from_slice(&[0, 40]);
    ack.bytes[24..28].copy_from_slice(&sequence.to_be_bytes());
    (0..4).for_each(|_| lab.hand_over(0, &ack.bytes));
    lab.run_for(3000);
    assert_eq!(lab.text(0, client, "state"), "finished");
}

#[test]
fn dropping_a_listener_resets_what_nobody_has_accepted() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        pause(&net, 100).await;
        drop(listener);
        std::future::pending().await
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.read(&mut [0; 8]).await.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "error"), "connection reset");
    assert_eq!(lab.states(1), Vec::<&str>::new());
}

#[test]
fn a_stopped_programs_sockets_close_and_it_can_start_again() {
    let mut lab = Lab::new(2);
    let server = echo_server(&mut lab);
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.read(&mut [0; 8]).await.map_err(io_failure)?;
        Ok(())
    });
    lab.run_for(100);
    assert!(lab.stacks[1].stop_program(server, lab.now));
    assert_eq!(lab.stacks[1].wake_at(), Some(lab.now));
    lab.run_for(100);
    // A FIN: nothing was unread.
    assert_eq!(lab.text(0, client, "state"), "finished");
    assert_eq!(lab.text(1, server, "state"), "stopped");
    assert_eq!(lab.text(1, server, "elapsed"), "100ms");
    assert!(lab.stacks[1].start_program(server, lab.now));
    lab.settle(1);
    lab.run_for(100);
    assert_eq!(lab.states(1)[0], "LISTEN");
    assert!(lab.said(1).contains(&"stopped"));
}
