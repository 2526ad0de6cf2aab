//! Data on its way: both ways, under loss, cut to the path, over many connections, the same each time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::super::testing::{Fate, Lab, address, address_v6};
use super::super::super::{Congestion, TcpListener, TcpSettings, TcpStream};
use super::{at, echo_server};
use crate::id::AppId;
use crate::rng::Rng;
use crate::time::Time;

/// Sends `length` numbered bytes through the echo server and reports whether they came back.
fn echo_client(lab: &mut Lab, length: usize) -> AppId {
    lab.start(0, "client", move |net| async move {
        let stream = TcpStream::connect(&net, at(1, 80)).await?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let sent: Arc<Vec<u8>> = Arc::new((0..length).map(|index| (index / 7) as u8).collect());
        let bytes = Arc::clone(&sent);
        net.spawn(async move {
            let _ = writer.write_all(&bytes).await;
            let _ = writer.shutdown().await;
        });
        let mut echoed = Vec::new();
        reader.read_to_end(&mut echoed).await?;
        net.report("is_same", echoed == *sent);
        Ok(())
    })
}

#[test]
fn a_lot_of_data_goes_both_ways_at_once() {
    for congestion in [Congestion::Cubic, Congestion::None, Congestion::Reno] {
        let mut lab = Lab::with(2, TcpSettings { congestion, ..TcpSettings::default() });
        echo_server(&mut lab);
        let client = echo_client(&mut lab, 300_000);
        lab.run_for(20_000);
        assert_eq!(lab.text(0, client, "is_same"), "true");
        assert!(lab.wire.iter().all(|sighting| sighting.bytes.len() <= 1500));
        assert_eq!(lab.counter(0, "tcp.retransmissions"), 0);
    }
}

#[test]
fn version_six_and_the_loopback_carry_connections_too() {
    let mut lab = Lab::new(2);
    lab.ip(0).mtu = 1400;
    echo_server(&mut lab);
    let to_itself = lab.start(0, "alone", |net| async move {
        let listener = TcpListener::bind(&net, "127.0.0.1:9".parse::<SocketAddr>().map_err(|_| "no address")?, 1)?;
        let loopback = listener.local_addr();
        let (near, far) = (TcpStream::connect(&net, loopback), listener.accept());
        let mut near = near.await?;
        let (mut far, _) = far.await?;
        near.write_all(b"self").await?;
        far.read_exact(&mut [0; 4]).await?;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, SocketAddr::new(address_v6(1), 80)).await?;
        stream.write_all(&[6; 10_000]).await?;
        stream.read_exact(&mut [0; 10_000]).await?;
        Ok(())
    });
    lab.run_for(3000);
    for app in [to_itself, client] {
        assert_eq!((lab.text(0, app, "state"), lab.text(0, app, "error")), ("finished".into(), "-".into()));
    }
    assert!(lab.wire.iter().all(|one| one.bytes.len() <= 1400));
}

#[test]
fn lost_segments_are_sent_again() {
    let mut lab = Lab::new(2);
    let mut luck = Rng::stream(3, "loss");
    lab.judge = Box::new(move |_| if luck.below(20) == 0 { Fate::Lost } else { Fate::Passes });
    echo_server(&mut lab);
    let client = echo_client(&mut lab, 100_000);
    lab.run_for(300_000);
    assert_eq!(lab.text(0, client, "is_same"), "true");
    assert!(lab.counter(0, "tcp.retransmissions") + lab.counter(1, "tcp.retransmissions") > 3);
}

/// The packet `ack`, a segment without data, with other data at another place of its sender's stream.
fn with_data(ack: &[u8], offset: u32, length: usize, is_last: bool) -> Vec<u8> {
    let mut packet = ack.to_vec();
    packet.resize(40 + length, 7);
    packet[2..4].copy_from_slice(&u16::try_from(40 + length).unwrap().to_be_bytes());
    let sequence = u32::from_be_bytes(packet[24..28].try_into().unwrap()).wrapping_add(offset);
    packet[24..28].copy_from_slice(&sequence.to_be_bytes());
    packet[33] |= u8::from(is_last);
    packet
}

/// Connects stack 0 to port 80 of stack 1; the client's acknowledgment that ends the handshake.
fn connected(lab: &mut Lab) -> Vec<u8> {
    lab.start(0, "client", |net| async move {
        let _stream = TcpStream::connect(&net, at(1, 80)).await?;
        std::future::pending().await
    });
    lab.run_for(100);
    assert_eq!(lab.lines(2), ["20 a . 0"]);
    lab.wire[2].bytes.clone()
}

#[test]
fn a_window_that_is_told_in_steps_loses_no_bytes() {
    // What 64 KiB have left is told in steps of two bytes, so the edge of the window goes back by one now and then. A
    // last segment that had been sent to the older edge lost its last byte, and ended the stream all the same.
    let mut lab = Lab::new(2);
    let server = lab.start(1, "late", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
        net.sleep(Duration::from_secs(2)).await;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        net.report("length", all.len());
        Ok(())
    });
    let ack = connected(&mut lab);
    // 65,536 - 65,277 = 259 bytes are left: 129 steps.
    lab.hand_over(1, &with_data(&ack, 0, 65_277, false));
    lab.run_for(100);
    lab.hand_over(1, &with_data(&ack, 65_277, 259, true));
    lab.run_for(100);
    assert_eq!(lab.states(1), ["ESTABLISHED"]);
    lab.run_for(3000);
    lab.hand_over(1, &with_data(&ack, 65_535, 1, true));
    assert_eq!(lab.text(1, server, "length"), "65536");
}

#[test]
fn bytes_that_were_never_offered_room_are_not_taken() {
    // Until it has sent something after its SYN|ACK, smoltcp reads the window of that, 65,535, in steps of two: it took
    // what its buffer had no room for, and ended the whole run with a panic.
    let mut lab = Lab::new(2);
    echo_server(&mut lab);
    let ack = connected(&mut lab);
    for (offset, length) in [(70_000, 1000), (65_000, 1000), (100_000, 1), (64_000, 40_000), (65_535, 1)] {
        lab.hand_over(1, &with_data(&ack, offset, length, false));
    }
    assert_eq!(lab.counter(1, "tcp.resets_sent"), 0);
    assert_eq!(lab.states(1), ["LISTEN", "ESTABLISHED"]);
}

#[test]
fn acknowledgments_are_understood_while_both_sides_send_again() {
    // smoltcp takes SND.NXT back when it sends again. The acknowledgments of two sides that both did seemed old to each
    // other: neither ever learned what had come.
    for seed in [26, 54, 60, 144] {
        let mut lab = Lab::new(2);
        let mut luck = Rng::stream(seed, "loss");
        lab.judge = Box::new(move |_| if luck.below(4) == 0 { Fate::Lost } else { Fate::Passes });
        echo_server(&mut lab);
        let client = echo_client(&mut lab, 20_000);
        lab.run_for(1_000_000);
        assert_eq!(lab.text(0, client, "is_same"), "true", "{seed}");
    }
}

#[test]
fn segments_are_cut_when_the_path_has_shrunk() {
    let mut lab = Lab::with(2, TcpSettings { congestion: Congestion::None, ..TcpSettings::default() });
    echo_server(&mut lab);
    let client = echo_client(&mut lab, 100_000);
    lab.run_for(25);
    lab.ip(0).mtu = 600;
    let before = lab.wire.len();
    lab.run_for(20_000);
    assert_eq!(lab.text(0, client, "is_same"), "true");
    let later: Vec<_> = lab.wire.iter().skip(before).filter(|one| one.from == 0).collect();
    assert!(later.iter().all(|one| one.bytes.len() <= 600));
    assert!(later.iter().any(|one| one.bytes.len() == 600));
    assert_eq!(lab.drops, []);
}

#[test]
fn a_peer_that_announces_more_than_the_route_carries_is_not_believed() {
    let mut lab = Lab::with(2, TcpSettings { congestion: Congestion::None, ..TcpSettings::default() });
    lab.ip(0).mtu = 1000;
    echo_server(&mut lab);
    let client = echo_client(&mut lab, 50_000);
    lab.run_for(20_000);
    assert_eq!(lab.text(0, client, "is_same"), "true");
    let largest = |from| lab.wire.iter().filter(|one| one.from == from).map(|one| one.bytes.len()).max();
    assert_eq!((largest(0), largest(1)), (Some(1000), Some(1000)));
}

#[test]
fn a_small_write_waits_for_company_unless_told_not_to() {
    let segments = |is_without_delay| {
        let mut lab = Lab::new(2);
        echo_server(&mut lab);
        lab.start(0, "client", move |net| async move {
            let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
            stream.set_nodelay(is_without_delay);
            for _ in 0..5 {
                stream.write_all(b"x").await?;
            }
            assert_eq!(stream.unacknowledged(), 5);
            std::future::pending().await
        });
        lab.run_for(25);
        lab.wire.iter().filter(|one| one.from == 0 && !one.payload().is_empty()).count()
    };
    assert_eq!((segments(false), segments(true)), (1, 5));
}

#[test]
fn a_program_that_does_not_read_closes_its_window() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let (stream, from) = TcpListener::bind(&net, 80, 8)?.accept().await?;
        assert_eq!((from.ip(), stream.local_addr()), (address(0), at(1, 80)));
        net.sleep(Duration::from_secs(20)).await;
        net.report("unread", stream.unread());
        std::future::pending().await
    });
    lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, at(1, 80)).await?;
        stream.write_all(&[1; 200_000]).await?;
        Ok(())
    });
    lab.run_for(25_000);
    assert_eq!(lab.text(1, server, "unread"), "65536");
    let row = lab.stacks[0].sockets().remove(0);
    assert_eq!((row.state, row.send_queue), ("ESTABLISHED", 65_536));
}

#[test]
fn the_cost_of_a_segment_does_not_grow_with_the_number_of_connections() {
    let polls_for_one_echo = |connections: usize| {
        let mut lab = Lab::new(2);
        lab.start(1, "echo", move |net| async move {
            let listener = TcpListener::bind(&net, 80, connections)?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                net.spawn(async move {
                    let mut buffer = [0; 64];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        let _ = stream.write_all(&buffer[..length]).await;
                    }
                });
            }
        });
        lab.start(0, "client", move |net| async move {
            let mut streams = Vec::new();
            for _ in 0..connections {
                streams.push(TcpStream::connect(&net, at(1, 80)).await?);
            }
            net.sleep_until(Time::from_secs(100)).await;
            let middle = connections / 2;
            streams[middle].write_all(b"ping").await?;
            streams[middle].read_exact(&mut [0; 4]).await?;
            std::future::pending().await
        });
        lab.run_until(Time::from_secs(99));
        assert_eq!(lab.counter(1, "tcp.connections"), connections as i64);
        let before = lab.counter(0, "tcp.polls") + lab.counter(1, "tcp.polls");
        lab.run_until(Time::from_secs(200));
        lab.counter(0, "tcp.polls") + lab.counter(1, "tcp.polls") - before
    };
    let few = polls_for_one_echo(2);
    assert!(few > 0);
    assert_eq!(polls_for_one_echo(1000), few);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let run = || {
        let mut lab = Lab::new(2);
        let mut luck = Rng::stream(9, "loss");
        lab.judge = Box::new(move |_| match luck.below(10) {
            0 => Fate::Lost,
            1 => Fate::Late(Duration::from_millis(7)),
            _ => Fate::Passes,
        });
        echo_server(&mut lab);
        for _ in 0..5 {
            echo_client(&mut lab, 20_000);
        }
        lab.run_for(100_000);
        (lab.wire, lab.notes)
    };
    let (first, second) = (run(), run());
    assert!(first.0.len() > 100);
    assert!(first == second);
}

#[test]
fn nothing_wakes_a_stack_before_it_wants_to_be_woken() {
    let mut lab = Lab::new(2);
    lab.delay = Duration::from_nanos(10_000_777);
    echo_server(&mut lab);
    let client = echo_client(&mut lab, 5_000);
    let mut rounds = 0;
    while let Some(at) = lab.stacks.iter().filter_map(super::super::super::Stack::wake_at).min() {
        lab.run_until(at);
        rounds += 1;
        assert!(rounds < 200, "spinning at {at}");
    }
    assert_eq!(lab.text(0, client, "is_same"), "true");
}

/// A segment that is nearly right: from and to the ends of a connection, near its sequence numbers.
fn strange_segment() -> impl Strategy<Value = (u8, i32, i32, u16, Vec<u8>, Vec<u8>)> {
    (
        any::<u8>(),
        -3000..3000_i32,
        -3000..3000_i32,
        any::<u16>(),
        prop::collection::vec(any::<u8>(), 0..12),
        prop::collection::vec(any::<u8>(), 0..200),
    )
}

fn craft(
    from: SocketAddr,
    to: SocketAddr,
    near: (u32, u32),
    strange: &(u8, i32, i32, u16, Vec<u8>, Vec<u8>),
) -> Vec<u8> {
    let (flags, sequence, ack, window, options, payload) = strange;
    let options_len = options.len().next_multiple_of(4);
    let (std::net::IpAddr::V4(source), std::net::IpAddr::V4(destination)) = (from.ip(), to.ip()) else { panic!() };
    let total = u16::try_from(40 + options_len + payload.len()).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend(total.to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(near.0.wrapping_add_signed(*sequence).to_be_bytes());
    bytes.extend(near.1.wrapping_add_signed(*ack).to_be_bytes());
    bytes.extend([((5 + options_len / 4) as u8) << 4, *flags]);
    bytes.extend(window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(options);
    bytes.resize(40 + options_len, 0);
    bytes.extend(payload);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_segment_is_too_strange(strange in prop::collection::vec((0_u8..4, strange_segment()), 1..60)) {
        let mut lab = Lab::new(2);
        echo_server(&mut lab);
        lab.start(0, "client", |net| async move {
            let mut stream = TcpStream::connect_from(&net, 5000, at(1, 80)).await?;
            stream.write_all(&[1; 3000]).await?;
            let _ = stream.read(&mut [0; 1000]).await;
            stream.shutdown().await?;
            std::future::pending().await
        });
        let near = |lab: &Lab, from: usize| lab.wire.iter().rev().find(|one| one.from == from).map_or((0, 0), |one| one.numbers());
        for (step, one) in &strange {
            lab.run_for(u64::from(*step) * 7);
            let numbers = near(&lab, 0);
            lab.hand_over(1, &craft(at(0, 5000), at(1, 80), numbers, one));
            let numbers = near(&lab, 1);
            lab.hand_over(0, &craft(at(1, 80), at(0, 5000), numbers, one));
        }
        lab.run_for(100_000);
    }

    #[test]
    fn no_packet_is_too_strange(mut bytes in prop::collection::vec(any::<u8>(), 0..120), protocol in 0_usize..6, is_v6: bool) {
        let protocol = [1, 6, 17, 58, 0, 44][protocol];
        if bytes.len() >= 40 {
            let length = u16::try_from(bytes.len()).unwrap();
            if is_v6 {
                bytes[0] = 0x60;
                bytes[4..6].copy_from_slice(&(length - 40).to_be_bytes());
                bytes[6] = protocol;
            } else {
                bytes[0] = 0x45;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[6..8].fill(0);
                bytes[9] = protocol;
            }
        }
        let mut lab = Lab::new(1);
        echo_server_at_home(&mut lab);
        lab.hand_over(0, &bytes);
        lab.run_for(100);
    }
}

/// Something of each kind on stack 0.
fn echo_server_at_home(lab: &mut Lab) {
    lab.start(0, "all", |net| async move {
        let _listener = TcpListener::bind(&net, 80, 8)?;
        let _socket = super::super::super::UdpSocket::bind(&net, 80)?;
        let raw = super::super::super::RawSocket::icmp(&net);
        loop {
            raw.recv().await?;
        }
    });
}
