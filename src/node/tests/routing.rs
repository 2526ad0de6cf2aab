//! What a machine offers to routing programs: groups, packets by a given interface, routes that come and go, carriers.

use std::net::IpAddr;
use std::time::Duration;

use super::lab::*;
use crate::id::AppId;
use crate::net::{Egress, IpSocket, LearnedRoutes, Net, NextHop, Program, RouteChange, RouteProtocol, UdpSocket};
use crate::node::machine::{Machine, MachineSpec};
use crate::node::{Command, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

const APP: AppId = AppId(0);
const GROUP: &str = "224.0.0.9";

/// A router with two links, each to a host that has this program: nodes 0 (r), 1 (a, on its eth1) and 2 (b, on eth2).
fn star(router: Program, host: &Program) -> Lab {
    let mut lab = Lab::new();
    let r = MachineSpec::router("r", 1).interface(interface(1, "10.0.1.1/24")).interface(interface(2, "10.0.2.1/24"));
    let mut r = Machine::new(r);
    r.add_program(APP, "daemon", Some(Time::ZERO), router);
    lab.add("r", r);
    for (name, number, own) in [("a", 3, "10.0.1.10/24"), ("b", 4, "10.0.2.20/24")] {
        // A default route must not lead a group astray.
        let gateway = default_via(if name == "a" { "10.0.1.1" } else { "10.0.2.1" });
        let mut machine = Machine::new(MachineSpec::host(name, 1).interface(interface(number, own)).route(gateway));
        machine.add_program(APP, "listener", Some(Time::ZERO), host.clone());
        lab.add(name, machine);
    }
    lab.wire((0, 0), (1, 0));
    lab.wire((0, 1), (2, 0));
    lab
}

fn group() -> IpAddr {
    GROUP.parse().unwrap()
}

/// Joins the group and says what it hears, and where.
fn listener() -> Program {
    Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 520)?;
        socket.join(0, group())?;
        loop {
            let datagram = socket.recv_datagram().await?;
            let text = String::from_utf8_lossy(&datagram.payload).into_owned();
            net.report(
                "heard",
                format!("{text} from {} at {:?} ttl {}", datagram.from, datagram.interface, datagram.ttl),
            );
        }
    })
}

fn outcome(lab: &mut Lab, node: usize, key: &str) -> String {
    lab.machine(node).outcome(APP, key).map_or_else(String::new, |value| value.to_string().trim_matches('"').to_owned())
}

#[test]
fn what_is_sent_by_an_interface_leaves_by_that_one_alone_whatever_routes_say() {
    let speaker = Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 520)?;
        let by = Egress { interface: 1, source: "10.0.2.1".parse().unwrap(), ttl: 1 };
        socket.send_by(b"hello", (group(), 520).into(), by).await?;
        Ok(())
    });
    let mut lab = star(speaker, &listener());
    lab.start();
    lab.run_until(Time::from_secs(1));
    assert_eq!(outcome(&mut lab, 1, "heard"), "");
    assert_eq!(outcome(&mut lab, 2, "heard"), "hello from 10.0.2.1:520 at Some(0) ttl 1");
    // RFC 1112 §6.4: the group's own hardware address, not the gateway's.
    let sent = lab.sent_by(0);
    assert!(sent.iter().any(|frame| frame.starts_with(&[0x01, 0x00, 0x5e, 0, 0, 9])));
}

#[test]
fn a_group_is_heard_from_joining_to_leaving_and_no_longer() {
    let speaker = Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 520)?;
        let by = Egress { interface: 0, source: "10.0.1.1".parse().unwrap(), ttl: 1 };
        for _ in 0..3 {
            socket.send_by(b"x", (group(), 520).into(), by).await?;
            net.sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    });
    let member = Program::new(|net: Net| async move {
        let socket = UdpSocket::bind(&net, 520)?;
        net.sleep(Duration::from_millis(500)).await;
        socket.join(0, group())?;
        let _ = socket.recv_datagram().await?;
        socket.leave(0, group());
        net.report("heard", net.now().since(Time::ZERO));
        std::future::pending().await
    });
    let mut lab = star(speaker, &member);
    lab.start();
    lab.run_until(Time::from_secs(5));
    assert_eq!(outcome(&mut lab, 1, "heard"), Value::from(Duration::from_millis(1001)).to_string());
    assert_eq!(lab.drops_of(1), [Cause::NotForThisAddress; 2], "before joining and after leaving");
}

#[test]
fn a_raw_socket_hears_its_protocol_and_a_crash_ends_membership() {
    let speaker = Program::new(|net: Net| async move {
        let socket = IpSocket::open(&net, 89);
        let by = Egress { interface: 0, source: "10.0.1.1".parse().unwrap(), ttl: 1 };
        loop {
            socket.send_by(b"ospf", "224.0.0.5".parse().unwrap(), by).await?;
            net.sleep(Duration::from_secs(1)).await;
        }
    });
    let member = Program::new(|net: Net| async move {
        let socket = IpSocket::open(&net, 89);
        socket.join(0, "224.0.0.5".parse().unwrap())?;
        let mut count = 0;
        loop {
            let packet = socket.recv().await?;
            count += 1;
            net.report("heard", format!("{count}: {} > {} ttl {}", packet.source, packet.destination, packet.ttl));
        }
    });
    let mut lab = star(speaker, &member);
    lab.start();
    lab.run_until(Time::from_millis(2500));
    assert_eq!(outcome(&mut lab, 1, "heard"), "3: 10.0.1.1 > 224.0.0.5 ttl 1");
    // RFC 2328 appendix A.1: "Routing protocol packets are sent with IP precedence set to Internetwork Control."
    assert!(lab.sent_by(0).iter().any(|frame| frame[15] == 0xc0 && frame[23] == 89));
    lab.command(1, &Command::StopApp(APP)).unwrap();
    lab.run_until(Time::from_millis(4500));
    assert_eq!(lab.drops_of(1), [Cause::NotForThisAddress; 2]);
    lab.command(1, &Command::Crash).unwrap();
    lab.command(1, &Command::StartApp(APP)).unwrap_err();
    lab.command(1, &Command::Restart).unwrap();
    lab.command(1, &Command::StartApp(APP)).unwrap();
    lab.run_until(Time::from_millis(5500));
    assert_eq!(outcome(&mut lab, 1, "heard"), "1: 10.0.1.1 > 224.0.0.5 ttl 1");
}

/// Puts a route to the neighborhood 10.0.2.0/24 and to 10.9.0.0/16 through two routers, and says when carriers change.
fn router() -> Program {
    Program::new(|net: Net| async move {
        let routes = LearnedRoutes::new(&net, RouteProtocol::Ospf);
        let hop = |via: &str| NextHop { interface: 0, via: Some(via.parse().unwrap()) };
        let put = |prefix: &str, next_hops| RouteChange::Put { prefix: prefix.parse().unwrap(), next_hops, metric: 20 };
        routes.change(&[
            put("10.9.0.0/16", vec![hop("10.0.1.12"), hop("10.0.1.11")]),
            put("10.0.2.0/24", vec![hop("10.0.1.11")]),
        ])?;
        let mut watch = net.watch_interfaces();
        loop {
            watch.changed().await?;
            let is_up: Vec<bool> = net.interfaces()?.iter().map(|interface| interface.is_up).collect();
            net.report("up", format!("{is_up:?}"));
        }
    })
}

#[test]
fn routes_of_a_program_stand_with_its_protocol_and_go_with_the_program() {
    let mut lab = star(router(), &listener());
    lab.start();
    lab.run_until(Time::from_secs(1));
    insta::assert_snapshot!(lab.machine(0).show("route", Time::ZERO).unwrap(), @r"
    10.9.0.0/16 via 10.0.1.11 dev eth1 proto ospf metric 20
    10.9.0.0/16 via 10.0.1.12 dev eth1 proto ospf metric 20
    10.0.1.0/24 dev eth1 proto kernel scope link src 10.0.1.1
    10.0.2.0/24 dev eth2 proto kernel scope link src 10.0.2.1
    10.0.2.0/24 via 10.0.1.11 dev eth1 proto ospf metric 20
    ");
    lab.command(0, &Command::StopApp(APP)).unwrap();
    lab.run_until(Time::from_secs(2));
    insta::assert_snapshot!(lab.machine(0).show("route", Time::ZERO).unwrap(), @r"
    10.0.1.0/24 dev eth1 proto kernel scope link src 10.0.1.1
    10.0.2.0/24 dev eth2 proto kernel scope link src 10.0.2.1
    ");
}

#[test]
fn a_lost_carrier_is_told_and_what_was_learned_takes_the_neighborhoods_place() {
    let mut lab = star(router(), &listener());
    lab.start();
    lab.run_until(Time::from_secs(1));
    let next = |lab: &mut Lab| lab.machine(0).route_to("10.0.2.20".parse().unwrap()).unwrap().via;
    assert_eq!(next(&mut lab), None);
    lab.set_link(0, 1, false, 1500);
    assert_eq!(next(&mut lab), Some("10.0.1.11".parse().unwrap()));
    lab.run_until(Time::from_secs(2));
    assert_eq!(outcome(&mut lab, 0, "up"), "[true, false]");
    lab.set_link(0, 1, true, 1500);
    assert_eq!(next(&mut lab), None);
    assert_eq!(outcome(&mut lab, 0, "up"), "[true, true]");
}
