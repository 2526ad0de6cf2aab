//! What a socket can be told, and what it then does.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::super::testing::{Fate, Lab, Sighting, address};
use super::super::super::{Congestion, TcpListener, TcpSettings, TcpSocket, TcpStream};
use super::{at, echo_server, io_failure, pause};
use crate::time::Time;

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Says what went wrong in a program whose assertions stand inside.
fn assert_well(lab: &Lab, index: usize, app: crate::id::AppId) {
    let outcome = (lab.text(index, app, "state"), lab.text(index, app, "error"));
    assert_eq!(outcome, ("finished".into(), "-".into()), "{:?}", lab.lines(0));
}

/// The window field of a segment.
fn window(sighting: &Sighting) -> u16 {
    let at = sighting.header().payload.start + 14;
    u16::from_be_bytes([sighting.bytes[at], sighting.bytes[at + 1]])
}

#[test]
fn ports_nobody_asked_for_are_dynamic_ones() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let app = lab.start(0, "binder", |net| async move {
        let listener = TcpListener::bind(&net, 0, 1)?;
        let mut socket = TcpSocket::new(&net);
        socket.bind(at(0, 0))?;
        let bound = socket.local_addr().map(|local| (local.ip(), local.port()));
        let stream = TcpStream::connect(&net, at(1, 80)).await?;
        let (ip, port) = bound.expect("it was bound");
        assert_eq!(ip, address(0));
        let mut ports = [listener.local_addr().port(), port, stream.local_addr().port()];
        ports.sort_unstable();
        assert!(ports.iter().all(|port| *port >= 49_152));
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]));
        Ok(())
    });
    lab.run_for(1000);
    assert_well(&lab, 0, app);
}

#[test]
fn a_socket_that_is_bound_holds_its_port_before_it_listens_and_gives_it_back() {
    let mut lab = Lab::new(2);
    let app = lab.start(1, "binder", |net| async move {
        let mut socket = TcpSocket::new(&net);
        socket.bind(80)?;
        assert_eq!(kind(socket.bind(81)), Some(io::ErrorKind::InvalidInput));
        assert_eq!(kind(TcpListener::bind(&net, 80, 1)), Some(io::ErrorKind::AddrInUse));
        // Not even with the address to be reused: that is for ports that nobody holds any more.
        let mut other = TcpSocket::new(&net);
        other.set_reuse_address(true);
        assert_eq!(kind(other.bind(80)), Some(io::ErrorKind::AddrInUse));
        pause(&net, 100).await;
        drop(socket);
        drop(TcpListener::bind(&net, 80, 1)?);
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        // Bound is not listening.
        assert_eq!(kind(TcpStream::connect(&net, at(1, 80)).await), Some(io::ErrorKind::ConnectionRefused));
        Ok(())
    });
    assert_eq!(lab.states(1), Vec::<&str>::new());
    lab.run_for(1000);
    assert_well(&lab, 1, app);
    assert_well(&lab, 0, client);
}

#[test]
fn a_port_in_time_wait_is_in_use_unless_the_address_is_reused() {
    let mut lab = Lab::new(2);
    // The server closes first, so that it is the one that waits.
    let server = lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 1)?;
        drop(listener.accept().await?);
        drop(listener);
        pause(&net, 1000).await;
        let bind = |is_reusing| {
            let mut socket = TcpSocket::new(&net);
            socket.set_reuse_address(is_reusing);
            kind(socket.bind(80))
        };
        assert_eq!((bind(false), bind(true)), (Some(io::ErrorKind::AddrInUse), None));
        // As std and tokio do on Unix.
        drop(TcpListener::bind(&net, 80, 1)?);
        // smoltcp's TIME-WAIT lasts ten seconds.
        pause(&net, 10_000).await;
        assert_eq!(bind(false), None);
        Ok(())
    });
    lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    });
    lab.run_for(500);
    assert_eq!(lab.states(1), ["TIME-WAIT"]);
    lab.run_for(20_000);
    assert_well(&lab, 1, server);
}

#[test]
fn a_server_on_the_loopback_is_not_to_be_reached_from_outside() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, "127.0.0.1:80".parse::<SocketAddr>().unwrap(), 4)?;
        let never = listener.serve(|_, _| async {});
        match never.await? {}
    });
    let neighbor = lab.start(0, "neighbor", |net| async move {
        let refused = kind(TcpStream::connect(&net, at(1, 80)).await);
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
        Ok(())
    });
    let local = lab.start(1, "local", |net| async move {
        TcpStream::connect(&net, "127.0.0.1:80".parse().unwrap()).await?;
        assert_eq!(kind(TcpStream::connect(&net, at(1, 80)).await), Some(io::ErrorKind::ConnectionRefused));
        Ok(())
    });
    lab.run_for(1000);
    assert_well(&lab, 0, neighbor);
    assert_well(&lab, 1, local);
}

#[test]
fn a_wildcard_and_one_address_exclude_each_other_and_two_addresses_do_not() {
    let mut lab = Lab::new(1);
    let app = lab.start(0, "binder", |net| async move {
        let loopback: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let one = TcpListener::bind(&net, at(0, 80), 1)?;
        let other = TcpListener::bind(&net, loopback, 1)?;
        let all: SocketAddr = "0.0.0.0:80".parse().unwrap();
        assert_eq!(kind(TcpListener::bind(&net, all, 1)), Some(io::ErrorKind::AddrInUse));
        drop((one, other));
        let _all = TcpListener::bind(&net, all, 1)?;
        assert_eq!(kind(TcpListener::bind(&net, loopback, 1)), Some(io::ErrorKind::AddrInUse));
        Ok(())
    });
    assert_well(&lab, 0, app);
}

#[test]
fn a_connect_gives_up_when_its_own_time_is_over() {
    let mut lab = Lab::new(2);
    lab.judge = Box::new(|_| Fate::Lost);
    let app = lab.start(0, "client", |net| async move {
        let begin = net.now();
        let late = TcpStream::connect_timeout(&net, at(1, 80), Duration::from_millis(2500)).await;
        assert_eq!((kind(late), net.now().since(begin)), (Some(io::ErrorKind::TimedOut), Duration::from_millis(2500)));
        Ok(())
    });
    lab.run_until(Time::from_secs(100));
    assert_well(&lab, 0, app);
    // SYNs at 0 and 1 s; the third would come at 3 s.
    assert_eq!((lab.wire.len(), lab.states(0)), (2, Vec::<&str>::new()));
}

#[test]
fn a_linger_of_zero_resets_and_what_was_written_is_lost() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
        assert_eq!(kind(stream.read_to_end(&mut Vec::new()).await), Some(io::ErrorKind::ConnectionReset));
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let stream = TcpStream::connect(&net, at(1, 80)).await?;
        assert_eq!(stream.linger(), None);
        stream.set_linger(Some(Duration::ZERO));
        assert_eq!(stream.linger(), Some(Duration::ZERO));
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!(lab.lines(3), ["20 a R. 0"]);
    assert_well(&lab, 0, client);
    assert_well(&lab, 1, server);
    assert_eq!((lab.states(0), lab.states(1)), (vec![], vec![]));
}

#[test]
fn who_lingers_for_long_enough_delivers_and_who_does_not_resets() {
    let run = |linger: Option<Duration>| {
        let mut lab = Lab::new(2);
        let server = lab.start(1, "server", |net| async move {
            let (mut stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
            let mut heard = String::new();
            let result = stream.read_to_string(&mut heard).await.map_err(io_failure);
            net.report("heard", heard);
            result.map(drop)
        });
        // The way to the server is broken for two seconds.
        lab.judge = Box::new(|one| {
            let is_broken = one.from == 0 && one.payload().len() == 5 && one.at < Time::from_secs(2);
            if is_broken { Fate::Lost } else { Fate::Passes }
        });
        lab.start(0, "client", move |net| async move {
            let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
            stream.set_linger(linger);
            stream.write_all(b"hello").await?;
            Ok(())
        });
        lab.run_until(Time::from_secs(60));
        let resets = lab.wire.iter().filter(|one| one.flags.contains('R')).map(|one| one.at).collect::<Vec<_>>();
        (lab.text(1, server, "heard"), lab.text(1, server, "error"), resets)
    };
    assert_eq!(run(None), ("hello".into(), "-".into(), vec![]));
    assert_eq!(run(Some(Duration::from_secs(30))), ("hello".into(), "-".into(), vec![]));
    // Dropped at 20 ms.
    let reset = Time::from_millis(1520);
    assert_eq!(run(Some(Duration::from_millis(1500))), (String::new(), "connection reset".into(), vec![reset]));
}

#[test]
fn a_time_to_live_is_in_every_segment_and_never_zero() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let app = lab.start(0, "client", |net| async move {
        let mut socket = TcpSocket::new(&net);
        assert_eq!(kind(socket.set_ttl(0)), Some(io::ErrorKind::InvalidInput));
        socket.set_ttl(5)?;
        let mut stream = socket.connect(at(1, 80)).await?;
        assert_eq!(stream.ttl()?, 5);
        assert_eq!(kind(stream.set_ttl(0)), Some(io::ErrorKind::InvalidInput));
        stream.set_ttl(9)?;
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await?;
        Ok(())
    });
    lab.run_for(1000);
    assert_well(&lab, 0, app);
    let ttls: Vec<u8> = lab.wire.iter().filter(|one| one.from == 0).map(|one| one.header().ttl).collect();
    assert_eq!(ttls[..3], [5, 5, 9]);
    let servers = lab.wire.iter().filter(|one| one.from == 1);
    assert!(servers.map(|one| one.header().ttl).all(|ttl| ttl == 64));
}

#[test]
fn a_listeners_options_are_its_connections() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let mut socket = TcpSocket::new(&net);
        socket.bind(80)?;
        socket.set_receive_buffer_size(3000);
        socket.set_send_buffer_size(500);
        socket.set_congestion(Congestion::Reno);
        socket.set_nodelay(true);
        socket.set_keep_alive(Some(Duration::from_secs(7)));
        socket.set_linger(Some(Duration::from_secs(1)));
        socket.set_ttl(33)?;
        let listener = socket.listen(4)?;
        let (stream, _) = listener.accept().await?;
        assert_eq!((stream.receive_buffer_size(), stream.send_buffer_size()), (3000, 500));
        assert_eq!((stream.congestion(), stream.nodelay(), stream.ttl()?), (Congestion::Reno, true, 33));
        assert_eq!(
            (stream.keep_alive(), stream.linger()),
            (Some(Duration::from_secs(7)), Some(Duration::from_secs(1)))
        );
        assert_eq!(stream.try_write(&[0; 1000])?, 500);
        assert_eq!(kind(stream.try_write(&[0])), Some(io::ErrorKind::WouldBlock));
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        assert_eq!(stream.congestion(), Congestion::Cubic);
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    });
    lab.run_for(5000);
    assert_well(&lab, 1, server);
    assert_well(&lab, 0, client);
    assert_eq!((window(&lab.wire[1]), lab.wire[1].header().ttl), (3000, 33));
}

#[test]
fn without_congestion_control_the_window_alone_limits_the_sender() {
    // What leaves before the first acknowledgment of data.
    let first_flight = |congestion| {
        let mut lab = Lab::new(2);
        lab.start(1, "sink", |net| async move {
            let (mut stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
            stream.read_to_end(&mut Vec::new()).await?;
            Ok(())
        });
        lab.start(0, "client", move |net| async move {
            let mut socket = TcpSocket::new(&net);
            socket.set_congestion(congestion);
            let mut stream = socket.connect(at(1, 80)).await?;
            stream.write_all(&[0; 60_000]).await?;
            Ok(())
        });
        lab.run_until(Time::from_millis(39));
        lab.wire.iter().filter(|one| one.from == 0).map(|one| one.payload().len()).sum::<usize>()
    };
    assert_eq!(first_flight(Congestion::None), 60_000);
    assert!(first_flight(Congestion::Reno) <= 4 * 1460);
    assert!(first_flight(Congestion::Cubic) <= 4 * 1460);
}

#[test]
fn small_writes_wait_for_each_other_unless_told_not_to() {
    let segments = |is_without_delay| {
        let mut lab = Lab::new(2);
        echo_server(&mut lab);
        lab.start(0, "client", move |net| async move {
            let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
            stream.set_nodelay(is_without_delay);
            assert_eq!(stream.nodelay(), is_without_delay);
            for _ in 0..5 {
                stream.write_all(b"x").await?;
            }
            stream.read_exact(&mut [0; 5]).await?;
            Ok(())
        });
        lab.run_for(1000);
        let data = lab.wire.iter().filter(|one| one.from == 0 && !one.payload().is_empty());
        data.map(|one| one.payload().len()).collect::<Vec<_>>()
    };
    assert_eq!(segments(true), [1, 1, 1, 1, 1]);
    assert_eq!(segments(false), [1, 4]);
}

#[test]
fn one_connection_asks_whether_its_peer_is_alive_and_its_neighbor_does_not() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let client = |lab: &mut Lab, interval: Option<Duration>| {
        lab.start(0, "client", move |net| async move {
            let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
            pause(&net, 60_000).await;
            stream.set_keep_alive(interval);
            assert_eq!(stream.keep_alive(), interval);
            stream.read(&mut [0; 8]).await.map_err(io_failure)?;
            Ok(())
        })
    };
    let (silent, asking) = (client(&mut lab, None), client(&mut lab, Some(Duration::from_secs(10))));
    lab.run_until(Time::from_secs(125));
    let probes: Vec<u64> = lab.wire.iter().skip(6).filter(|one| one.from == 0).map(|one| one.at.as_nanos()).collect();
    // At once, at 60.020 s, and then ten seconds after each answer.
    let seconds: Vec<u64> = probes.iter().map(|nanos| nanos / 1_000_000_000).collect();
    assert_eq!(seconds, [60, 70, 80, 90, 100, 110, 120]);
    lab.judge = Box::new(|_| Fate::Lost);
    lab.run_until(Time::from_secs(1000));
    assert_eq!((lab.text(0, silent, "state"), lab.text(0, asking, "error")), ("running".into(), "timed out".into()));
}

#[test]
fn the_user_says_how_long_data_is_sent_in_vain() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let app = lab.start(0, "client", |net| async move {
        let mut socket = TcpSocket::new(&net);
        socket.set_user_timeout(Duration::from_secs(20));
        let mut stream = socket.connect(at(1, 80)).await?;
        pause(&net, 980).await;
        stream.write_all(b"anybody?").await?;
        assert_eq!(kind(stream.read(&mut [0; 8]).await), Some(io::ErrorKind::TimedOut));
        assert_eq!(stream.take_error().map(|error| error.kind()), Some(io::ErrorKind::TimedOut));
        assert_eq!(net.now(), Time::from_secs(21));
        Ok(())
    });
    lab.run_for(500);
    lab.judge = Box::new(|_| Fate::Lost);
    lab.run_until(Time::from_secs(100));
    assert_well(&lab, 0, app);
}

#[test]
fn peeking_takes_nothing() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let app = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        assert_eq!(kind(stream.try_read(&mut [0; 4])), Some(io::ErrorKind::WouldBlock));
        stream.writable().await?;
        stream.write_all(b"hello").await?;
        stream.readable().await?;
        let mut seen = [0; 4];
        for _ in 0..2 {
            assert_eq!((stream.peek(&mut seen).await?, &seen), (4, b"hell"));
        }
        assert_eq!((stream.try_read(&mut seen)?, &seen), (4, b"hell"));
        assert_eq!((stream.peek(&mut seen).await?, seen[0]), (1, b'o'));
        assert_eq!(stream.read(&mut seen).await?, 1);
        stream.shutdown().await?;
        // The end can be seen any number of times.
        assert_eq!((stream.peek(&mut seen).await?, stream.peek(&mut seen).await?), (0, 0));
        assert_eq!(stream.read(&mut seen).await?, 0);
        Ok(())
    });
    lab.run_for(2000);
    assert_well(&lab, 0, app);
}

#[test]
fn what_was_not_read_before_time_wait_ended_can_be_peeked_at_and_read() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        stream.write_all(b"good bye").await?;
        Ok(())
    });
    let app = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.shutdown().await?;
        pause(&net, 20_000).await;
        assert_eq!(stream.state(), "CLOSED");
        let mut seen = [0; 4];
        assert_eq!((stream.peek(&mut seen).await?, &seen), (4, b"good"));
        let mut all = String::new();
        stream.read_to_string(&mut all).await?;
        assert_eq!(all, "good bye");
        Ok(())
    });
    lab.run_for(60_000);
    assert_well(&lab, 0, app);
}

#[test]
fn each_half_can_be_shut_down_by_itself() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let app = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(b"hello").await?;
        stream.shut_down(Shutdown::Write)?;
        assert_eq!(kind(stream.write(b"more").await), Some(io::ErrorKind::BrokenPipe));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert_eq!((answer.as_str(), stream.state()), ("hello", "TIME-WAIT"));

        let (mut reader, mut writer) = TcpStream::connect(&net, at(1, 80)).await?.into_split();
        let waiting = net.spawn(async move { reader.read(&mut [0; 8]).await.map(|length| (length, reader)) });
        pause(&net, 100).await;
        // Who waits to read is told at once that it is in vain.
        writer.as_ref().shut_down(Shutdown::Read)?;
        let (length, reader) = waiting.await??;
        assert_eq!((length, net.now()), (0, Time::from_millis(160)));
        writer.write_all(b"you still hear me").await?;
        let stream = writer.reunite(reader).expect("they are of one stream");
        stream.shut_down(Shutdown::Both)?;
        assert_eq!(stream.state(), "FIN-WAIT-1");
        pause(&net, 20_000).await;
        assert_eq!(kind(stream.shut_down(Shutdown::Both)), Some(io::ErrorKind::NotConnected));
        Ok(())
    });
    lab.run_for(60_000);
    assert_well(&lab, 0, app);
}

#[test]
fn halves_work_in_two_tasks_and_dropping_the_writer_sends_a_fin() {
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let app = lab.start(0, "client", |net| async move {
        let stream = TcpStream::connect(&net, at(1, 80)).await?;
        let other = TcpStream::connect(&net, at(1, 80)).await?;
        let ends = (stream.local_addr(), stream.peer_addr());
        let (mut reader, mut writer) = stream.into_split();
        assert_eq!(
            (ends, ends),
            ((reader.local_addr(), reader.peer_addr()), (writer.local_addr(), writer.peer_addr()))
        );
        let writing = net.spawn(async move {
            // More than all windows and buffers hold: it only ends if the other half reads.
            writer.write_all(&vec![7; 500_000]).await
        });
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await?;
        writing.await??;
        assert_eq!((heard.len(), reader.as_ref().state()), (500_000, "TIME-WAIT"));
        let (_, strange) = other.into_split();
        let error = reader.reunite(strange).map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the two halves are of different streams");

        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        let (mut reader, mut writer) = stream.split();
        let mut heard = [0; 5];
        let (written, read) = tokio::join!(writer.write_all(b"hello"), reader.read_exact(&mut heard));
        written.and(read)?;
        writer.shutdown().await?;
        assert_eq!((reader.read(&mut heard).await?, &heard), (0, b"hello"));
        Ok(())
    });
    lab.run_for(60_000);
    assert_well(&lab, 0, app);
}

#[test]
fn connections_come_one_after_the_other() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 4)?;
        let mut incoming = listener.incoming();
        for _ in 0..3 {
            incoming.next().await?.write_all(b"next, please").await?;
        }
        Ok(())
    });
    for _ in 0..3 {
        lab.start(0, "client", |net| async move {
            let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
            stream.read_to_end(&mut Vec::new()).await?;
            Ok(())
        });
    }
    lab.run_for(5000);
    assert_well(&lab, 1, server);
}

#[test]
fn settings_changed_after_a_listener_was_made_count_unless_it_has_its_own() {
    let mut lab = Lab::new(2);
    lab.start(1, "servers", |net| async move {
        let _plain = TcpListener::bind(&net, 80, 4)?;
        let mut socket = TcpSocket::new(&net);
        socket.set_nodelay(true);
        socket.bind(81)?;
        let _own = socket.listen(4)?;
        std::future::pending().await
    });
    lab.stacks[1].set_settings(TcpSettings { receive_buffer: 1234, ..TcpSettings::default() });
    lab.start(0, "client", |net| async move {
        let _one = TcpStream::connect(&net, at(1, 80)).await?;
        let _other = TcpStream::connect(&net, at(1, 81)).await?;
        Ok(())
    });
    lab.run_for(100);
    let answers: Vec<u16> = lab.wire.iter().filter(|one| one.flags == "S.").map(window).collect();
    assert_eq!(answers, [1234, 65_535]);
}
