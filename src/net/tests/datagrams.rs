//! UDP and raw ICMP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::ip::SendError;
use super::super::testing::{Fate, Lab, address, address_v6, icmp_error_bytes};
use super::super::{IcmpKind, RawSocket, Reason, UdpSocket};
use crate::record::Cause;

fn at(index: usize, port: u16) -> SocketAddr {
    SocketAddr::new(address(index), port)
}

/// Binds port 7 of a stack, reports each datagram's length under its number and echoes it.
fn udp_echo(lab: &mut Lab, index: usize) -> crate::id::AppId {
    lab.start(index, "echo", |net| async move {
        let socket = UdpSocket::bind(&net, 7)?;
        for number in 0.. {
            let datagram = socket.recv_datagram().await?;
            net.report(&number.to_string(), format!("{} to {}", datagram.payload.len(), datagram.to));
            socket.send_to(&datagram.payload, datagram.from).await?;
        }
        Ok(())
    })
}

#[test]
fn a_datagram_goes_and_comes_back() {
    let mut lab = Lab::new(2);
    udp_echo(&mut lab, 1);
    let client = lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        socket.set_ttl(3)?;
        assert!(socket.set_ttl(0).is_err());
        socket.set_ttl(3)?;
        for length in [0, 1, 1000, 30_000] {
            socket.send_to(&vec![7; length], at(1, 7)).await?;
            let mut buffer = [0; 2000];
            let (received, from) = socket.recv_from(&mut buffer).await?;
            assert_eq!((received, from), (length.min(2000), at(1, 7)));
        }
        let too_long = socket.send_to(&[0; 65_508], at(1, 7)).await.unwrap_err();
        assert_eq!(too_long.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(too_long.to_string(), "message too long");
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
    assert_eq!((lab.wire[0].header().ttl, lab.wire[1].header().ttl), (3, 64));
}

#[test]
fn a_port_without_socket_refuses_whom_it_is_connected_to() {
    let mut lab = Lab::new(2);
    let client = lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        socket.connect(at(1, 9))?;
        socket.send(b"anybody?").await?;
        let error = socket.recv(&mut [0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        // Told once; the queue of errors has the details.
        let error = socket.recv_error().await?;
        assert_eq!((error.from, error.ttl), (address(1), 64));
        let IcmpKind::Unreachable { reason, code, quote, mtu } = error.kind else { panic!() };
        assert_eq!((reason, code, mtu), (Reason::Port, 3, None));
        assert_eq!(quote.ports, Some((socket.local_addr().port(), 9)));
        assert!(socket.take_error().is_none());
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
}

#[test]
fn an_unconnected_socket_hears_of_errors_only_when_it_asks() {
    let mut lab = Lab::new(2);
    let client = lab.start(0, "traceroute", |net| async move {
        let socket = UdpSocket::bind(&net, 4000)?;
        socket.set_ttl(1)?;
        socket.send_to(b"probe", at(1, 33_434)).await?;
        let error = socket.recv_error().await?;
        net.report("hop", error.from.to_string());
        assert!(matches!(error.kind, IcmpKind::TimeExceeded { code: 0, .. }));
        socket.send_to(b"probe", at(1, 33_435)).await?;
        net.sleep(Duration::from_millis(100)).await;
        assert_eq!(socket.take_error().map(|error| error.kind()), Some(io::ErrorKind::ConnectionRefused));
        Ok(())
    });
    // A router drops the first probe and says so.
    let mut seen = 0;
    lab.judge = Box::new(move |_| {
        seen += 1;
        if seen == 1 { Fate::Lost } else { Fate::Passes }
    });
    let probe = lab.wire[0].bytes.clone();
    lab.hand_over(0, &icmp_error_bytes("10.0.0.254".parse().unwrap(), 11, 0, &probe));
    lab.run_for(1000);
    assert_eq!(lab.text(0, client, "hop"), "10.0.0.254");
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
}

#[test]
fn a_broadcast_reaches_every_socket_that_takes_it_and_must_be_allowed() {
    let mut lab = Lab::new(3);
    let echoes = [udp_echo(&mut lab, 1), udp_echo(&mut lab, 2)];
    let narrow = lab.start(1, "narrow", |net| async move {
        let socket = UdpSocket::bind(&net, at(1, 8))?;
        socket.recv(&mut [0; 9]).await?;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        let everybody = "10.0.0.255:7".parse().unwrap();
        let forbidden = socket.send_to(b"all", everybody).await.unwrap_err();
        assert_eq!(forbidden.kind(), io::ErrorKind::PermissionDenied);
        socket.set_broadcast(true);
        socket.send_to(b"all", everybody).await?;
        socket.send_to(b"all", "10.0.0.255:8".parse().unwrap()).await?;
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.push(socket.recv_from(&mut [0; 9]).await?.1);
        }
        assert_eq!(answers, [at(1, 7), at(2, 7)]);
        Ok(())
    });
    lab.run_for(1000);
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
    assert_eq!(lab.text(1, echoes[0], "0"), "3 to 10.0.0.255:7");
    // Bound to one address: broadcasts are not for it.
    assert_eq!(lab.text(1, narrow, "state"), "running");
}

#[test]
fn a_full_queue_drops_the_newcomer() {
    let mut lab = Lab::new(2);
    lab.start(1, "busy", |net| async move {
        let socket = UdpSocket::bind(&net, 7)?;
        // Room for two of 100 + 64 bytes.
        socket.set_receive_buffer(350);
        net.sleep(Duration::from_secs(1)).await;
        let mut count = 0_u64;
        loop {
            socket.recv(&mut [0; 100]).await?;
            count += 1;
            net.report("count", count);
        }
    });
    lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        for _ in 0..4 {
            socket.send_to(&[0; 100], at(1, 7)).await?;
        }
        Ok(())
    });
    lab.run_for(2000);
    assert_eq!(lab.drops, [Cause::ReceiveBufferFull; 2]);
    assert_eq!(lab.text(1, crate::id::AppId(0), "count"), "2");
    assert_eq!(lab.counter(1, "udp.receive_buffer_full"), 2);
}

#[test]
fn what_cannot_be_sent_is_said_at_once() {
    let mut lab = Lab::new(1);
    let client = lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, SocketAddr::new(address_v6(0), 5))?;
        let error = socket.send_to(b"x", "10.0.0.2:9".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let socket = UdpSocket::bind(&net, 0)?;
        assert!(socket.send_to(b"x", "10.0.0.2:0".parse().unwrap()).await.is_err());
        assert!(socket.send(b"x").await.is_err());
        socket.set_dont_fragment(true);
        let error = socket.send_to(&[0; 1473], at(1, 9)).await.unwrap_err();
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<SendError>());
        assert_eq!(inside, Some(&SendError::MessageTooLong { mtu: 1500 }));
        socket.send_to(&[0; 1472], at(1, 9)).await?;
        socket.set_dont_fragment(false);
        socket.send_to(&[0; 1473], at(1, 9)).await?;
        Ok(())
    });
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
    let dont_fragment = |index: usize| lab.wire[index].bytes[6] & 0x40 != 0;
    assert_eq!((dont_fragment(0), dont_fragment(1)), (true, false));
}

#[test]
fn datagrams_and_errors_speak_version_six_too() {
    let mut lab = Lab::new(2);
    udp_echo(&mut lab, 1);
    let peer = SocketAddr::new(address_v6(1), 7);
    let client = lab.start(0, "client", move |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        socket.connect(peer)?;
        socket.send(b"six").await?;
        let mut buffer = [0; 9];
        assert_eq!(socket.recv(&mut buffer).await?, 3);
        let raw = RawSocket::icmp(&net);
        raw.send_to(&[128, 0, 0, 0, 0, 1, 0, 2], address_v6(1), 64, true).await?;
        Ok(())
    });
    lab.run_for(100);
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
    let ping = lab.wire.last().unwrap();
    assert_eq!(ping.bytes[6], 58);
    // The checksum, which covers a pseudo header, was filled in: bytes 2 and 3 of the message.
    assert_ne!(ping.bytes[42..44], [0, 0]);
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    let mut lab = Lab::new(3);
    let server = lab.start(1, "server", |net| async move {
        let socket = UdpSocket::bind(&net, 7)?;
        socket.connect(at(0, 1000))?;
        let (_, from) = socket.recv_from(&mut [0; 9]).await?;
        net.report("from", from.to_string());
        Ok(())
    });
    for index in [2, 0] {
        lab.start(index, "client", |net| async move {
            let socket = UdpSocket::bind(&net, 1000)?;
            socket.send_to(b"x", at(1, 7)).await?;
            net.sleep(Duration::from_secs(1)).await;
            Ok(())
        });
    }
    lab.run_for(100);
    assert_eq!(lab.text(1, server, "from"), "10.0.0.1:1000");
    assert_eq!(lab.counter(1, "udp.nobody_listens"), 1);
}

#[test]
fn a_ping_is_answered_and_every_raw_socket_sees_it() {
    let mut lab = Lab::new(2);
    let mut apps = Vec::new();
    for name in ["first", "second"] {
        apps.push(lab.start(0, name, |net| async move {
            let socket = RawSocket::icmp(&net);
            let ident = socket.ident();
            net.report("ident", u64::from(ident));
            let [high, low] = ident.to_be_bytes();
            socket.send_to(&[8, 0, 0, 0, high, low, 0, 1, 1, 2, 3], address(1), 9, true).await?;
            assert!(socket.send_to(&[8, 0, 0], address(1), 9, true).await.is_err());
            assert!(socket.send_to(&[8; 8], address(1), 0, true).await.is_err());
            let mut seen = Vec::new();
            for _ in 0..2 {
                let message = socket.recv().await?;
                assert_eq!((message.source, message.ttl), (address(1), 64));
                let IcmpKind::EchoReply { ident, sequence: 1, payload_len: 3 } = message.kind else { panic!() };
                seen.push(ident);
            }
            assert!(seen.contains(&ident));
            Ok(())
        }));
    }
    lab.run_for(100);
    for app in apps {
        assert_eq!((lab.text(0, app, "state"), lab.text(0, app, "error")), ("finished".into(), "-".into()));
    }
    assert_eq!((lab.wire[0].header().ttl, lab.counter(0, "raw.received")), (9, 4));
}

#[test]
fn errors_about_pings_carry_the_pings_identifier() {
    let mut lab = Lab::new(2);
    lab.judge = Box::new(|_| Fate::Lost);
    let app = lab.start(0, "ping", |net| async move {
        let socket = RawSocket::icmp(&net);
        let [high, low] = socket.ident().to_be_bytes();
        socket.send_to(&[8, 0, 0, 0, high, low, 0, 5], address(1), 1, true).await?;
        let message = socket.recv().await?;
        let quote = message.kind.quote().unwrap();
        assert_eq!((quote.echo, quote.destination), (Some((socket.ident(), 5)), address(1)));
        net.report("from", message.source.to_string());
        Ok(())
    });
    let probe = lab.wire[0].bytes.clone();
    lab.hand_over(0, &icmp_error_bytes(address(3), 11, 0, &probe));
    assert_eq!(lab.text(0, app, "from"), "10.0.0.4");
}

#[test]
fn an_echo_reply_that_nobody_waits_for_leaves_a_cause() {
    let mut lab = Lab::new(2);
    let app = lab.start(0, "impatient", |net| async move {
        RawSocket::icmp(&net).send_to(&[8, 0, 0, 0, 0, 1, 0, 1], address(1), 9, true).await?;
        Ok(())
    });
    lab.run_for(100);
    assert_eq!(lab.text(0, app, "state"), "finished");
    assert_eq!(lab.drops, [Cause::NobodyListens]);
}
