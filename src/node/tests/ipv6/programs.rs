//! Programs talk over IPv6 as they do over IPv4.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::id::AppId;
use crate::net::{Net, Program, ProgramError, TcpListener, TcpStream, UdpSocket};
use crate::node::Command;
use crate::record::Value;

fn start(lab: &mut Lab, node: usize, app: u32, program: Program) {
    lab.machine(node).add_program(AppId(app), format!("app{app}"), None, program);
    lab.command(node, &Command::StartApp(AppId(app))).unwrap();
}

fn error(lab: &mut Lab, node: usize, app: u32) -> String {
    match lab.machine(node).outcome(AppId(app), "error") {
        Some(Value::Text(text)) => text,
        other => format!("{other:?}"),
    }
}

fn echo_server() -> Program {
    Program::new(|net: Net| async move {
        let (mut stream, peer) = TcpListener::bind(&net, 7, 5)?.accept().await?;
        net.report("peer", peer.to_string());
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        stream.write_all(text.as_bytes()).await?;
        Ok(())
    })
}

fn talk(to: &'static str) -> Program {
    Program::new(move |net: Net| async move {
        let mut stream = TcpStream::connect(&net, to.parse().unwrap()).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        net.report("text", text);
        Ok(())
    })
}

#[test]
fn a_connection_carries_its_data_through_a_router() {
    let mut lab = routed();
    start(&mut lab, 2, 0, echo_server());
    start(&mut lab, 0, 1, talk("[2001:db8:2::b]:7"));
    lab.run_for(Duration::from_secs(5));
    assert_eq!(lab.machine(0).outcome(AppId(1), "text"), Some(Value::Text("hello".into())));
    let Some(Value::Text(peer)) = lab.machine(2).outcome(AppId(0), "peer") else { panic!() };
    assert!(peer.starts_with("[2001:db8:1::a]:"), "{peer}");
}

#[test]
fn a_listener_at_all_addresses_takes_both_families() {
    let mut lab = Lab::new();
    let spec = |name, number, v4: &str, v6: &str| {
        let mut interface = interface(number, v4);
        interface.addresses.push(v6.parse().unwrap());
        unchecked(MachineSpec::host(name, 1).interface(interface))
    };
    lab.add("a", Machine::new(spec("a", 1, "10.0.0.1/24", "2001:db8::1/64")));
    lab.add("b", Machine::new(spec("b", 2, "10.0.0.2/24", "2001:db8::2/64")));
    lab.wire((0, 0), (1, 0));
    lab.start();
    for to in ["[2001:db8::2]:7", "10.0.0.2:7"] {
        lab.machine(1).add_program(AppId(0), "echo", None, echo_server());
        lab.command(1, &Command::StartApp(AppId(0))).unwrap();
        start(&mut lab, 0, 1, talk(to));
        lab.run_for(Duration::from_secs(30));
        assert_eq!(lab.machine(0).outcome(AppId(1), "text"), Some(Value::Text("hello".into())), "{to}");
    }
}

#[test]
fn refusals_come_back_to_the_socket() {
    let mut lab = routed();
    start(&mut lab, 0, 0, talk("[2001:db8:2::b]:7"));
    start(&mut lab, 0, 1, talk("[2001:db8:2::99]:7"));
    start(&mut lab, 0, 2, talk("[2001:db8:9::1]:7"));
    start(&mut lab, 0, 3, talk("10.0.0.1:7"));
    start(&mut lab, 0, 4, talk("[fe80::99]:7"));
    lab.run_for(Duration::from_secs(10));
    assert_eq!(error(&mut lab, 0, 0), "connection refused");
    assert_eq!(error(&mut lab, 0, 1), "host unreachable");
    assert_eq!(error(&mut lab, 0, 2), "network unreachable");
    assert_eq!(error(&mut lab, 0, 3), "network is unreachable");
    assert_eq!(error(&mut lab, 0, 4), "host unreachable");
}

#[test]
fn neighbors_talk_from_link_local_to_link_local() {
    let mut lab = pair();
    start(&mut lab, 1, 0, echo_server());
    start(&mut lab, 0, 1, talk("[fe80::ff:fe00:2]:7"));
    lab.run_for(Duration::from_secs(5));
    let Some(Value::Text(peer)) = lab.machine(1).outcome(AppId(0), "peer") else { panic!() };
    assert!(peer.starts_with("[fe80::ff:fe00:1]:"), "{peer}");
}

#[test]
fn a_datagram_to_everybody_reaches_every_socket_of_the_port() {
    let mut lab = pair();
    let listen = || {
        Program::new(|net: Net| async move {
            let socket = UdpSocket::bind(&net, 9)?;
            let (length, from) = {
                let datagram = socket.recv_datagram().await?;
                (datagram.payload.len(), datagram.from)
            };
            net.report("got", format!("{length} from {from}"));
            Ok(())
        })
    };
    start(&mut lab, 1, 0, listen());
    let send = Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 5000)?;
        socket.send_to(b"hello", "[ff02::1]:9".parse().unwrap()).await?;
        Ok::<(), ProgramError>(())
    });
    start(&mut lab, 0, 1, send);
    lab.run_for(Duration::from_secs(1));
    let got = lab.machine(1).outcome(AppId(0), "got");
    assert_eq!(got, Some(Value::Text("5 from [fe80::ff:fe00:1]:5000".into())));
}

/// a and b with addresses of both families, b listening at port 7; a's program connects to `b` by name.
fn dual(listens_at: &'static str) -> Lab {
    let mut hosts = crate::net::Hosts::default();
    hosts.add("b", "10.0.0.2".parse().unwrap());
    hosts.add("b", "2001:db8::2".parse().unwrap());
    let hosts = std::sync::Arc::new(hosts);
    let spec = |name, number, v4: &str, v6: &str| {
        let mut interface = interface(number, v4);
        interface.addresses.push(v6.parse().unwrap());
        let spec = MachineSpec { hosts: std::sync::Arc::clone(&hosts), ..MachineSpec::host(name, 1) };
        unchecked(spec.interface(interface))
    };
    let mut lab = Lab::new();
    lab.add("a", Machine::new(spec("a", 1, "10.0.0.1/24", "2001:db8::1/64")));
    lab.add("b", Machine::new(spec("b", 2, "10.0.0.2/24", "2001:db8::2/64")));
    lab.wire((0, 0), (1, 0));
    lab.start();
    let serve = Program::new(move |net: Net| async move {
        let at: std::net::SocketAddr = listens_at.parse().unwrap();
        let (_stream, peer) = TcpListener::bind(&net, at, 5)?.accept().await?;
        net.report("peer", peer.ip().to_string());
        Ok(())
    });
    start(&mut lab, 1, 0, serve);
    let connect = Program::new(|net: Net| async move {
        let all = net.lookup_all("b").await?;
        assert_eq!(all[0], net.lookup("b").await?);
        let peers: Vec<_> = all.into_iter().map(|address| std::net::SocketAddr::new(address, 7)).collect();
        let stream = TcpStream::connect_first(&net, 0, &peers).await?;
        net.report("peer", stream.peer_addr().ip().to_string());
        net.report("took", net.now().as_nanos() / 1_000_000);
        Ok(())
    });
    lab.machine(0).add_program(AppId(1), "connect", None, connect);
    lab
}

fn connected(lab: &mut Lab) -> (Option<Value>, Option<Value>) {
    lab.command(0, &Command::StartApp(AppId(1))).unwrap();
    lab.run_for(Duration::from_secs(300));
    (lab.machine(0).outcome(AppId(1), "peer"), lab.machine(0).outcome(AppId(1), "took"))
}

#[test]
fn of_two_families_ipv6_is_tried_first() {
    let mut lab = dual("[::]:7");
    // Two round trips of 2 ms: who has it, and the handshake.
    assert_eq!(connected(&mut lab), (Some(Value::Text("2001:db8::2".into())), Some(Value::Integer(4))));
    assert!(!lab.told().contains("arp"), "IPv4 was not even tried");
}

#[test]
fn a_refusal_over_ipv6_is_followed_by_ipv4_at_once() {
    let mut lab = dual("10.0.0.2:7");
    assert_eq!(connected(&mut lab), (Some(Value::Text("10.0.0.2".into())), Some(Value::Integer(8))));
}

#[test]
fn silence_over_ipv6_is_followed_by_ipv4_after_a_quarter_of_a_second() {
    let mut lab = dual("[::]:7");
    lab.tamper(|frame| !crate::wire::summarize(frame, &crate::wire::Numeric).contains("2001:db8::1"));
    // 250 ms, then ARP and the handshake.
    assert_eq!(connected(&mut lab), (Some(Value::Text("10.0.0.2".into())), Some(Value::Integer(254))));
    // The attempt over IPv6 is forgotten.
    assert!(!lab.machine(0).show("sockets", Time::ZERO).unwrap().contains("SYN-SENT"));
}

#[test]
fn without_a_route_for_ipv6_only_ipv4_is_tried() {
    let mut lab = dual("[::]:7");
    let refuse = RouteSpec::refusing("2001:db8::2/128".parse().unwrap(), crate::node::machine::RouteKind::Unreachable);
    lab.machine(0).set_routes(&[refuse]);
    assert_eq!(connected(&mut lab), (Some(Value::Text("10.0.0.2".into())), Some(Value::Integer(4))));
}

#[test]
fn whoever_fails_everywhere_is_told_so() {
    let mut lab = dual("127.0.0.1:7");
    connected(&mut lab);
    assert_eq!(error(&mut lab, 0, 1), "connection refused");
}

#[test]
fn a_connection_that_makes_progress_keeps_its_neighbors_without_questions() {
    let mut lab = routed();
    let sink = Program::new(|net: Net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 7, 5)?.accept().await?;
        let mut buffer = [0; 64];
        while stream.read(&mut buffer).await? > 0 {
            stream.write_all(b"yes").await?;
        }
        Ok(())
    });
    let source = Program::new(|net: Net| async move {
        let mut stream = TcpStream::connect(&net, "[2001:db8:2::b]:7".parse().unwrap()).await?;
        let mut buffer = [0; 64];
        for _ in 0..100 {
            stream.write_all(b"still there?").await?;
            let _ = stream.read(&mut buffer).await?;
            net.sleep(Duration::from_secs(2)).await;
        }
        Ok(())
    });
    start(&mut lab, 2, 0, sink);
    start(&mut lab, 0, 1, source);
    lab.run_for(Duration::from_secs(190));
    let asked = |lab: &mut Lab, node: usize| lab.machine(node).counter("nd.sent.neighbor_solicitation");
    // The ends have asked when they began, the router, which sees no acknowledgments of its own, now and then.
    assert_eq!((asked(&mut lab, 0), asked(&mut lab, 2)), (Some(Value::Integer(1)), Some(Value::Integer(0))));
    assert!(matches!(asked(&mut lab, 1), Some(Value::Integer(5..))));
}
