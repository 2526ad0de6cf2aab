//! Programs on machines: sockets, routes and links together.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::lab::*;
use crate::id::AppId;
use crate::net::{Net, Program, ProgramError, TcpListener, TcpStream, UdpSocket};
use crate::node::{Command, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

const SERVER: AppId = AppId(0);
const CLIENT: AppId = AppId(1);

fn udp_echo() -> Program {
    Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 7)?;
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], from).await?;
        }
    })
}

fn tcp_echo() -> Program {
    Program::new(|net: Net| async move {
        let listener = TcpListener::bind(&net, 7, 5)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await?;
            stream.write_all(&all).await?;
            stream.shutdown().await?;
        }
    })
}

/// Sends a datagram of `length` bytes to `peer` and reports how many come back, or which error does.
fn udp_ask(peer: &'static str, length: usize) -> Program {
    Program::new(move |net: Net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        socket.connect(peer.parse().unwrap())?;
        socket.send_to(&vec![7; length], peer.parse().unwrap()).await?;
        let mut buffer = vec![0; 65_535];
        match socket.recv_from(&mut buffer).await {
            Ok((length, _)) => net.report("echoed", length),
            Err(error) => net.report("refused", format!("{:?}", error.kind())),
        }
        net.report("took", net.now().since(Time::ZERO));
        Ok(())
    })
}

fn tcp_ask(peer: &'static str, length: usize) -> Program {
    Program::new(move |net: Net| async move {
        let peer: SocketAddr = peer.parse().unwrap();
        let mut stream = match TcpStream::connect(&net, peer).await {
            Ok(stream) => stream,
            Err(error) => {
                net.report("refused", format!("{:?}", error.kind()));
                return Err(ProgramError::from(error));
            }
        };
        stream.write_all(&vec![7; length]).await?;
        stream.shutdown().await?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        net.report("echoed", all.len());
        Ok(())
    })
}

/// `routed`, with programs on a and b that start at once.
fn with(client: Program, server: Option<Program>) -> Lab {
    let mut lab = routed();
    lab.machine(0).add_program(CLIENT, "ask", Some(Time::ZERO), client);
    if let Some(server) = server {
        lab.machine(2).add_program(SERVER, "echo", Some(Time::ZERO), server);
    }
    lab
}

fn outcome(lab: &mut Lab, node: usize, app: AppId, key: &str) -> Option<Value> {
    lab.machine(node).outcome(app, key)
}

#[test]
fn a_datagram_is_echoed_through_a_router() {
    let mut lab = with(udp_ask("10.0.2.20:7", 100), Some(udp_echo()));
    lab.start();
    lab.run_for(Duration::from_secs(1));
    assert_eq!(outcome(&mut lab, 0, CLIENT, "echoed"), Some(Value::Integer(100)));
    // Two wires there and two back.
    assert_eq!(outcome(&mut lab, 0, CLIENT, "took"), Some(Value::Duration(4 * WIRE_DELAY)));
}

#[test]
fn a_large_datagram_is_fragmented_and_put_together_for_the_socket() {
    let mut lab = with(udp_ask("10.0.2.20:7", 5000), Some(udp_echo()));
    lab.start();
    lab.run_for(Duration::from_secs(1));
    assert_eq!(outcome(&mut lab, 0, CLIENT, "echoed"), Some(Value::Integer(5000)));
    assert_eq!(lab.machine(2).counter("ip.reassembled"), Some(Value::Integer(1)));
}

#[test]
fn a_closed_port_comes_back_to_the_socket_as_connection_refused() {
    let mut lab = with(udp_ask("10.0.2.20:9", 10), None);
    lab.start();
    lab.run_for(Duration::from_secs(1));
    let refused = format!("{:?}", ErrorKind::ConnectionRefused);
    assert_eq!(outcome(&mut lab, 0, CLIENT, "refused"), Some(Value::Text(refused.clone())));
    let mut lab = with(tcp_ask("10.0.2.20:9", 10), None);
    lab.start();
    lab.run_for(Duration::from_secs(1));
    assert_eq!(outcome(&mut lab, 0, CLIENT, "refused"), Some(Value::Text(refused)));
}

#[test]
fn a_silent_neighbor_comes_back_to_the_socket_as_host_unreachable() {
    // On the link of b, nobody is 10.0.2.99; on the link of a, nobody is 10.0.1.99.
    for (peer, seconds) in [("10.0.2.99:7", 3), ("10.0.1.99:7", 3)] {
        let mut lab = with(udp_ask(peer, 10), None);
        lab.start();
        lab.run_for(Duration::from_secs(10));
        let unreachable = format!("{:?}", ErrorKind::HostUnreachable);
        assert_eq!(outcome(&mut lab, 0, CLIENT, "refused"), Some(Value::Text(unreachable)), "{peer}");
        let Some(Value::Duration(took)) = outcome(&mut lab, 0, CLIENT, "took") else { panic!("no time for {peer}") };
        assert_eq!(took.as_secs(), seconds, "{peer}");
    }
}

#[test]
fn a_connect_that_a_silent_neighbor_has_ended_asks_for_it_no_more() {
    // The third SYN is due 1 + 2 s after the first, when the third ARP request has gone unanswered for 1 s: it went
    // first and had the neighbor asked for three more times, for a connection that had failed.
    let mut lab = with(tcp_ask("10.0.1.99:7", 10), None);
    lab.start();
    lab.run_for(Duration::from_secs(20));
    assert_eq!(outcome(&mut lab, 0, CLIENT, "refused"), Some("HostUnreachable".into()));
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0).len()), (3, 2));
}

#[test]
fn a_connection_carries_its_data_through_a_router() {
    let mut lab = with(tcp_ask("10.0.2.20:7", 50_000), Some(tcp_echo()));
    lab.start();
    lab.run_for(Duration::from_secs(20));
    assert_eq!(outcome(&mut lab, 0, CLIENT, "echoed"), Some(Value::Integer(50_000)));
    assert_eq!(lab.drops_of(0), []);
    assert_eq!(lab.drops_of(2), []);
}

#[test]
fn a_connection_to_the_machine_itself_never_reaches_a_link() {
    for peer in ["127.0.0.1:7", "10.0.1.10:7"] {
        let mut lab = with(tcp_ask(peer, 50_000), None);
        lab.machine(0).add_program(SERVER, "echo", Some(Time::ZERO), tcp_echo());
        lab.start();
        lab.run_for(Duration::from_secs(20));
        assert_eq!(outcome(&mut lab, 0, CLIENT, "echoed"), Some(Value::Integer(50_000)), "{peer}");
        assert_eq!(lab.sent_by(0).len(), 0, "{peer}");
    }
}

#[test]
fn a_program_starts_at_its_time_and_at_no_other() {
    let mut lab = routed();
    lab.machine(0).add_program(CLIENT, "ask", Some(Time::from_secs(2)), udp_ask("10.0.2.20:7", 1));
    lab.start();
    assert_eq!(lab.machine(0).wake_at(), Some(Time::from_secs(2)));
    lab.run_until(Time::from_nanos(1_999_999_999));
    assert_eq!(lab.sent_by(0).len(), 0);
    lab.run_until(Time::from_secs(2));
    assert_eq!(lab.sent_by(0).len(), 1);
}

#[test]
fn a_crash_ends_programs_and_a_restart_starts_those_that_ran() {
    let mut lab = with(udp_ask("10.0.2.20:7", 1), Some(udp_echo()));
    lab.machine(2).add_program(AppId(5), "never", None, udp_ask("10.0.1.10:1", 1));
    lab.start();
    lab.run_until(Time::from_secs(1));
    lab.command(2, &Command::Crash).unwrap();
    lab.log.clear();
    lab.command(0, &Command::StartApp(CLIENT)).unwrap();
    lab.run_until(Time::from_secs(2));
    assert_eq!(lab.drops_of(2), [Cause::NodeDown]);
    lab.command(2, &Command::Restart).unwrap();
    lab.log.clear();
    lab.command(0, &Command::StartApp(CLIENT)).unwrap();
    lab.run_until(Time::from_secs(3));
    assert_eq!((lab.drops_of(2), lab.sent_by(2).len()), (vec![], 1), "the echo and nothing else");
}

#[test]
fn a_program_that_was_stopped_stays_so_through_a_restart() {
    let mut lab = with(udp_ask("10.0.2.20:7", 1), Some(udp_echo()));
    lab.start();
    lab.run_until(Time::from_secs(1));
    lab.command(2, &Command::StopApp(SERVER)).unwrap();
    lab.command(2, &Command::Restart).unwrap();
    lab.log.clear();
    lab.command(0, &Command::StartApp(CLIENT)).unwrap();
    lab.run_until(Time::from_secs(2));
    assert_eq!(lab.drops_of(2), [Cause::NobodyListens]);
    assert!(lab.command(2, &Command::StartApp(AppId(77))).unwrap_err().contains("no such program"));
}

#[test]
fn that_a_program_was_stopped_is_told_at_once() {
    let mut lab = with(udp_ask("10.0.2.20:7", 1), Some(udp_echo()));
    lab.start();
    lab.run_until(Time::from_secs(1));
    lab.log.clear();
    // Nothing else happens on that machine any more that it could be told with.
    lab.command(2, &Command::StopApp(SERVER)).unwrap();
    assert!(lab.told().contains("# stopped"));
}

#[test]
fn a_program_that_has_ended_or_never_began_can_be_stopped() {
    // It was an error, which ended the whole run.
    let mut lab = with(udp_ask("10.0.2.20:7", 1), Some(udp_echo()));
    lab.machine(0).add_program(AppId(5), "never", None, udp_ask("10.0.1.10:1", 1));
    lab.start();
    lab.run_until(Time::from_secs(1));
    assert_eq!(outcome(&mut lab, 0, CLIENT, "state"), Some("finished".into()));
    lab.command(0, &Command::StopApp(CLIENT)).unwrap();
    lab.command(0, &Command::StopApp(AppId(5))).unwrap();
    assert_eq!(outcome(&mut lab, 0, CLIENT, "state"), Some("finished".into()));
    assert!(lab.command(0, &Command::StopApp(AppId(77))).unwrap_err().contains("no such program"));
    // Nor does one that was stopped while its machine was down begin when that restarts.
    lab.command(2, &Command::Crash).unwrap();
    lab.command(2, &Command::StopApp(SERVER)).unwrap();
    lab.command(2, &Command::Restart).unwrap();
    assert_eq!(outcome(&mut lab, 2, SERVER, "state"), Some("stopped".into()));
}

#[test]
fn two_programs_that_never_stop_talking_over_the_loopback_let_time_go_on() {
    let ping_pong = |own: u16, peer: u16| {
        Program::new(move |net: Net| async move {
            let socket = UdpSocket::bind(&net, own)?;
            let peer: SocketAddr = ([127, 0, 0, 1], peer).into();
            let mut buffer = [0; 10];
            socket.send_to(b"x", peer).await?;
            loop {
                socket.recv_from(&mut buffer).await?;
                socket.send_to(b"x", peer).await?;
            }
        })
    };
    let mut lab = Lab::new();
    let spec = crate::node::MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
    let node = lab.add("a", crate::node::Machine::new(spec));
    lab.machine(node).add_program(AppId(0), "one", Some(Time::ZERO), ping_pong(1, 2));
    lab.machine(node).add_program(AppId(1), "two", Some(Time::from_nanos(1)), ping_pong(2, 1));
    lab.start();
    lab.run_until(Time::from_nanos(3_000));
    assert!(lab.told().contains("no end after 10000 rounds"));
}

#[test]
fn the_sockets_are_shown_as_ss_does() {
    let mut lab = with(tcp_ask("10.0.2.20:7", 10), Some(tcp_echo()));
    lab.start();
    let now = lab.now;
    insta::assert_snapshot!(lab.machine(0).show("sockets", now).unwrap(), @r"
    tcp   SYN-SENT         0      0  10.0.1.10:49784       10.0.2.20:7
    ");
    insta::assert_snapshot!(lab.machine(2).show("sockets", now).unwrap(), @r"
    tcp   LISTEN           0      5  [::]:7                *
    ");
}
