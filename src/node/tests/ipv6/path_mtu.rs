//! What fits a path is learned from "packet too big" (RFC 8201).

use std::time::Duration;

use super::*;
use crate::id::AppId;
use crate::net::{Net, Program, TcpListener, TcpStream, UdpSocket};
use crate::node::Command;
use crate::record::{Cause, Value};

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:2::b";

/// The far link carries 1400 bytes.
fn narrow() -> Lab {
    let mut lab = routed();
    lab.set_link(1, 1, true, 1400);
    lab.set_link(2, 0, true, 1400);
    lab
}

fn cache(lab: &mut Lab) -> String {
    let now = lab.now;
    lab.machine(0).show("cache", now).unwrap()
}

fn send(lab: &mut Lab, packet: Packet6) -> String {
    lab.log.clear();
    lab.send_ip(0, packet.finish());
    lab.run_for(Duration::from_millis(50));
    lab.told()
}

#[test]
fn a_packet_that_was_too_big_is_cut_the_next_time() {
    let mut lab = narrow();
    let told = send(&mut lab, Packet6::ping(A, B, &[7; 1400]));
    assert!(told.contains("r x packet-too-big"), "{told}");
    assert!(told.contains("a # path mtu to 2001:db8:2::b is 1400"), "{told}");
    assert_eq!(cache(&mut lab), "2001:db8:2::b mtu 1400 expires 599s\n");
    let told = send(&mut lab, Packet6::ping(A, B, &[7; 1400]));
    assert_eq!(told.matches("a.0 >").count(), 2, "{told}");
    assert!(told.contains("b # reassembled 1448 bytes"), "{told}");
    // Other destinations are not concerned.
    let told = send(&mut lab, Packet6::ping(A, "2001:db8:1::1", &[7; 1400]));
    assert_eq!(told.matches("a.0 >").count(), 1, "{told}");
}

#[test]
fn a_lesson_is_forgotten_after_ten_minutes() {
    let mut lab = narrow();
    send(&mut lab, Packet6::ping(A, B, &[7; 1400]));
    let learned_at = lab.now;
    lab.run_until(learned_at + Duration::from_secs(599));
    assert_ne!(cache(&mut lab), "");
    lab.run_until(learned_at + Duration::from_secs(601));
    assert_eq!(cache(&mut lab), "");
}

fn too_big(mtu: u32, about: &[u8]) -> Packet6 {
    let message = [&[2, 0, 0, 0], &mtu.to_be_bytes()[..], about].concat();
    Packet6::icmp("2001:db8:1::1", A, &message)
}

#[test]
fn what_cannot_be_true_is_not_believed() {
    let mut lab = narrow();
    let of = |source, destination| Packet6::udp(source, destination, 9, &[0; 1400]).finish()[..48].to_vec();
    let lies = [
        ("about somebody else's packet", too_big(1300, &of(B, A))),
        ("about a packet to itself", too_big(1300, &of(A, A))),
        ("about a packet that would have fitted", too_big(1448, &of(A, B))),
        ("less than any link has", too_big(1279, &of(A, B))),
        ("without a whole header", too_big(1300, &of(A, B)[..39])),
        ("about no IPv6", too_big(1300, &[0x45; 48])),
    ];
    for (what, lie) in lies {
        lab.arrive(0, 0, &lie.framed(mac(2), mac(1)));
        assert_eq!(cache(&mut lab), "", "{what}");
    }
    // An estimate never rises.
    lab.arrive(0, 0, &too_big(1300, &of(A, B)).framed(mac(2), mac(1)));
    lab.arrive(0, 0, &too_big(1400, &of(A, B)).framed(mac(2), mac(1)));
    assert_eq!(cache(&mut lab), "2001:db8:2::b mtu 1300 expires 600s\n");
    lab.arrive(0, 0, &too_big(1280, &of(A, B)).framed(mac(2), mac(1)));
    assert_eq!(cache(&mut lab), "2001:db8:2::b mtu 1280 expires 600s\n");
}

#[test]
fn the_number_of_lessons_is_bounded() {
    let mut lab = narrow();
    for number in 0..1030_u32 {
        lab.now = Time::from_secs(1 + u64::from(number) / 10);
        let destination = format!("2001:db8:9::{number:x}");
        let about = Packet6::udp(A, &destination, 9, &[0; 1400]).finish();
        lab.arrive(0, 0, &too_big(1300, &about[..48]).framed(mac(2), mac(1)));
    }
    assert_eq!(cache(&mut lab).lines().count(), 1024);
    lab.run_until(Time::from_secs(2000));
    assert_eq!(cache(&mut lab), "");
}

#[test]
fn a_connection_adapts_to_a_narrow_path() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut lab = narrow();
    // The server offers segments that fit its own link, which is the narrow one: make it offer more.
    lab.set_link(2, 0, true, 1500);
    let sink = Program::new(|net: Net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 9, 1)?.accept().await?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        net.report("received", all.len());
        Ok(())
    });
    let source = Program::new(|net: Net| async move {
        let mut stream = TcpStream::connect(&net, "[2001:db8:2::b]:9".parse().unwrap()).await?;
        stream.write_all(&vec![7; 20_000]).await?;
        stream.shutdown().await?;
        Ok(())
    });
    lab.machine(2).add_program(AppId(0), "sink", None, sink);
    lab.machine(0).add_program(AppId(1), "source", None, source);
    lab.command(2, &Command::StartApp(AppId(0))).unwrap();
    lab.command(0, &Command::StartApp(AppId(1))).unwrap();
    lab.run_for(Duration::from_secs(30));
    assert_eq!(lab.machine(2).outcome(AppId(0), "received"), Some(Value::Integer(20_000)));
    assert_eq!(lab.drops_of(1), [Cause::PacketTooBig]);
    assert_eq!(lab.machine(0).counter("ip6.path_mtus_learned"), Some(Value::Integer(1)));
}

#[test]
fn without_the_routers_complaints_the_path_is_a_black_hole() {
    let mut lab = narrow();
    lab.tamper(|frame| !crate::wire::summarize(frame, &crate::wire::Numeric).contains("too big"));
    for _ in 0..3 {
        send(&mut lab, Packet6::ping(A, B, &[7; 1400]));
    }
    assert_eq!(cache(&mut lab), "");
}

#[test]
fn a_datagram_that_must_not_be_cut_is_refused_with_what_would_fit() {
    let mut lab = narrow();
    let program = Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        socket.set_dont_fragment(true);
        let to = "[2001:db8:2::b]:9".parse().unwrap();
        socket.send_to(&[0; 1400], to).await?;
        net.sleep(Duration::from_secs(1)).await;
        let refused = socket.send_to(&[0; 1400], to).await.err().map(|error| error.to_string());
        net.report("refused", refused.unwrap_or_default());
        socket.set_dont_fragment(false);
        socket.send_to(&[0; 1400], to).await?;
        Ok(())
    });
    lab.machine(0).add_program(AppId(0), "send", None, program);
    lab.command(0, &Command::StartApp(AppId(0))).unwrap();
    lab.run_for(Duration::from_secs(3));
    assert_eq!(lab.machine(0).outcome(AppId(0), "refused"), Some(Value::Text("message too long".into())));
    assert_eq!(lab.drops_of(0), [Cause::FragmentationNeeded]);
    assert_eq!(lab.machine(2).counter("ip6.reassembled"), Some(Value::Integer(1)));
}
