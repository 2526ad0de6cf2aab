//! RFC 1191: a sender learns what fits the whole path.

use std::time::Duration;

use smoltcp::wire::IpProtocol;

use super::lab::*;
use crate::id::AppId;
use crate::net::{Net, Program};
use crate::node::machine::MachineSpec;
use crate::node::{Command, Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;
use crate::wire::Layer;

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";

/// `routed`, with a second link of 1000 bytes.
fn narrow() -> Lab {
    let mut lab = routed();
    lab.set_link(1, 1, true, 1000);
    lab.set_link(2, 0, true, 1000);
    lab
}

fn send(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.send_ip(0, packet.finish());
    lab.run_for(Duration::from_millis(10));
    lab.told()
}

fn cache(lab: &mut Lab) -> String {
    let now = lab.now;
    lab.machine(0).show("cache", now).unwrap()
}

/// ICMP "fragmentation needed" about a packet, from the router.
fn too_big(mtu: u16, about: &[u8]) -> Packet {
    let [high, low] = mtu.to_be_bytes();
    Packet::new("10.0.1.1", A, IpProtocol::Icmp, &[&[3, 4, 0, 0, 0, 0, high, low], about].concat())
}

#[test]
fn a_packet_that_does_not_fit_teaches_its_sender() {
    let mut lab = narrow();
    let large = || Packet::udp(A, B, 9, &[0; 1200]);
    let told = send(&mut lab, large().dont_fragment());
    assert!(told.contains("a # path mtu to 10.0.2.20 is 1000"), "{told}");
    assert_eq!(cache(&mut lab), "10.0.2.20 mtu 1000 expires 599s\n");
    // The next one is refused at once, or cut at once if it may be: 976 = 1000 - 20, a multiple of 8.
    let told = send(&mut lab, large().dont_fragment());
    assert!(told.contains("a x fragmentation-needed") && !told.contains("a.0 >"), "{told}");
    let told = send(&mut lab, large());
    assert!(told.contains("a.0 > 10.0.1.10 > 10.0.2.20 ttl 64 frag 976@0+"), "{told}");
    // Other destinations are not concerned.
    assert!(send(&mut lab, Packet::udp(A, "10.0.2.1", 9, &[0; 1200])).contains("length 1200"));
}

#[test]
fn a_lesson_is_forgotten_after_ten_minutes() {
    let mut lab = narrow();
    send(&mut lab, Packet::udp(A, B, 9, &[0; 1200]).dont_fragment());
    // Learned 2 ms after it was sent.
    lab.run_until(Time::from_nanos(600_001_999_999));
    assert_ne!(cache(&mut lab), "");
    lab.run_until(Time::from_millis(600_002));
    assert_eq!((cache(&mut lab).as_str(), lab.machine(0).wake_at()), ("", None));
}

#[test]
fn rfc_1191_how_long_a_lesson_is_remembered_can_be_changed_up_to_for_ever() {
    for (age, shown) in [(300, " expires 300s"), (0, "")] {
        let mut lab = Lab::new();
        let mut spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.1.10/24")).route(default_via("10.0.1.1"));
        spec.ipv4.path_mtu_age = Duration::from_secs(age);
        lab.add("a", Machine::new(spec));
        let about = Packet::udp(A, B, 9, &[0; 1200]).finish();
        lab.arrive(0, 0, &too_big(700, &about[..28]).framed(mac(2), mac(1)));
        assert_eq!(cache(&mut lab), format!("10.0.2.20 mtu 700{shown}\n"));
        lab.run_until(Time::from_secs(300));
        assert_eq!((cache(&mut lab).is_empty(), lab.machine(0).wake_at()), (age == 300, None));
    }
}

#[test]
fn a_router_that_does_not_say_what_fits_is_answered_with_the_next_plateau() {
    let mut lab = narrow();
    for (total_length, plateau) in [(1500, 1492), (1493, 1492), (1492, 1006), (297, 296), (296, 68), (69, 68)] {
        lab.command(0, &Command::Restart).unwrap();
        let about = Packet::udp(A, B, 9, &vec![0; total_length - 28]).finish();
        lab.arrive(0, 0, &too_big(0, &about[..28]).framed(mac(2), mac(1)));
        assert_eq!(cache(&mut lab), format!("10.0.2.20 mtu {plateau} expires 600s\n"), "{total_length}");
    }
}

#[test]
fn what_cannot_be_true_is_not_believed() {
    let mut lab = narrow();
    let of = |source, destination| Packet::udp(source, destination, 9, &[0; 1200]).finish()[..28].to_vec();
    let lies = [
        ("about somebody else's packet", too_big(500, &of(B, A))),
        ("about a packet to itself", too_big(500, &of(A, "127.0.0.1"))),
        ("about a packet that would have fitted", too_big(1228, &of(A, B))),
        ("without a whole header", too_big(500, &of(A, B)[..19])),
        ("about no IPv4", too_big(500, &[0x60; 28])),
    ];
    for (what, lie) in lies {
        lab.arrive(0, 0, &lie.framed(mac(2), mac(1)));
        assert_eq!(cache(&mut lab), "", "{what}");
    }
    // Nor does an estimate ever rise, or fall below what every link must carry.
    lab.arrive(0, 0, &too_big(600, &of(A, B)).framed(mac(2), mac(1)));
    lab.arrive(0, 0, &too_big(700, &of(A, B)).framed(mac(2), mac(1)));
    assert_eq!(cache(&mut lab), "10.0.2.20 mtu 600 expires 600s\n");
    lab.arrive(0, 0, &too_big(5, &of(A, B)).framed(mac(2), mac(1)));
    assert_eq!(cache(&mut lab), "10.0.2.20 mtu 68 expires 600s\n");
}

#[test]
fn the_number_of_lessons_is_bounded() {
    let mut lab = narrow();
    for number in 0..1030_u32 {
        lab.now = Time::from_secs(u64::from(number) / 10);
        let destination = std::net::Ipv4Addr::from(0x0b00_0000 + number).to_string();
        let about = Packet::udp(A, &destination, 9, &[0; 1200]).finish();
        lab.arrive(0, 0, &too_big(700, &about[..28]).framed(mac(2), mac(1)));
    }
    assert_eq!(cache(&mut lab).lines().count(), 1024);
    assert!(cache(&mut lab).starts_with("11.0.0.6 "), "the oldest six are gone");
    lab.run_until(Time::from_secs(2000));
    assert_eq!((cache(&mut lab).as_str(), lab.machine(0).wake_at()), ("", None));
}

#[test]
fn a_connection_adapts_to_a_narrow_path() {
    use crate::net::{TcpListener, TcpStream};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut lab = narrow();
    let sink = Program::new(|net: Net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 9, 1)?.accept().await?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        net.report("received", all.len());
        Ok(())
    });
    // The server offers segments that fit its own link, which is the narrow one: make it offer more.
    lab.set_link(2, 0, true, 1500);
    let source = Program::new(|net: Net| async move {
        let mut stream = TcpStream::connect(&net, "10.0.2.20:9".parse().unwrap()).await?;
        stream.write_all(&vec![7; 20_000]).await?;
        stream.shutdown().await?;
        Ok(())
    });
    lab.machine(2).add_program(AppId(0), "sink", Some(Time::ZERO), sink);
    lab.machine(0).add_program(AppId(1), "source", Some(Time::ZERO), source);
    lab.start();
    lab.run_for(Duration::from_secs(30));
    assert_eq!(lab.machine(2).outcome(AppId(0), "received"), Some(Value::Integer(20_000)));
    assert_eq!(lab.drops_of(1), [Cause::FragmentationNeeded]);
    assert_eq!(lab.machine(0).counter("ip.path_mtus_learned"), Some(Value::Integer(1)));
}

#[test]
fn without_the_routers_complaints_the_path_is_a_black_hole() {
    let mut lab = narrow();
    lab.tamper(|frame| !summary(frame.bytes()).contains("icmp 3/4"));
    for _ in 0..3 {
        let bytes = Packet::udp(A, B, 9, &[0; 1200]).dont_fragment().finish();
        lab.command(0, &Command::Inject { port: None, layer: Layer::Ip, bytes }).unwrap();
        lab.run_for(Duration::from_secs(1));
    }
    assert_eq!((lab.drops_of(1), cache(&mut lab)), (vec![Cause::FragmentationNeeded; 3], String::new()));
}
