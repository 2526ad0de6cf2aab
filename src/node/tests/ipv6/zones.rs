//! Which link is meant by an address that means something on each (RFC 4007): the one that the program names.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::id::AppId;
use crate::net::{Net, Program, ProgramError, TcpListener, TcpStream, UdpSocket};
use crate::node::Command;
use crate::record::Value;

/// A host with two links; at the other end of each is a machine called fe80::1.
fn twins() -> Lab {
    let twin = |name: &'static str, number: u8| {
        let mut interface = interface(number, "fe80::1/64");
        interface.name = "eth0".into();
        Machine::new(unchecked(MachineSpec::host(name, 1).interface(interface)))
    };
    let between = MachineSpec::host("between", 1)
        .interface(interface(1, "2001:db8:1::1/64"))
        .interface(interface(2, "2001:db8:2::1/64"));
    let mut lab = Lab::new();
    lab.add("between", Machine::new(unchecked(between)));
    lab.add("left", twin("left", 8));
    lab.add("right", twin("right", 9));
    lab.wire((0, 0), (1, 0));
    lab.wire((0, 1), (2, 0));
    lab.start();
    lab.run_for(Duration::from_millis(10));
    lab.log.clear();
    lab
}

fn start(lab: &mut Lab, node: usize, app: u32, program: Program) {
    lab.machine(node).add_program(AppId(app), format!("app{app}"), None, program);
    lab.command(node, &Command::StartApp(AppId(app))).unwrap();
}

/// Greets `to` and reports what comes back.
fn greet(to: &'static str) -> Program {
    Program::new(move |net: Net| async move {
        let address = net.lookup(to).await?;
        let mut stream = TcpStream::connect(&net, (address, 7).into()).await?;
        stream.write_all(b"hello").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        net.report("text", text);
        Ok::<(), ProgramError>(())
    })
}

/// Tells its own name to whoever connects.
fn tell_name() -> Program {
    Program::new(|net: Net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 7, 5)?.accept().await?;
        stream.write_all(net.host_name().as_bytes()).await?;
        stream.shutdown().await?;
        Ok(())
    })
}

#[test]
fn two_neighbors_of_one_address_are_told_apart_by_the_interface() {
    let mut lab = twins();
    start(&mut lab, 1, 0, tell_name());
    start(&mut lab, 2, 0, tell_name());
    // At the same time, so that neither can be found by what the other has taught.
    start(&mut lab, 0, 1, greet("fe80::1%eth2"));
    start(&mut lab, 0, 2, greet("fe80::1%eth1"));
    lab.run_for(Duration::from_secs(5));
    assert_eq!(lab.machine(0).outcome(AppId(1), "text"), Some(Value::Text("right".into())));
    assert_eq!(lab.machine(0).outcome(AppId(2), "text"), Some(Value::Text("left".into())));
}

#[test]
fn a_group_of_the_link_is_reached_on_the_named_link_alone() {
    let mut lab = twins();
    let send = Program::new(|net: Net| async move {
        let to = net.lookup("ff02::1%eth2").await?;
        UdpSocket::bind(&net, 5000)?.send_to(b"hello", (to, 9).into()).await?;
        Ok::<(), ProgramError>(())
    });
    start(&mut lab, 0, 1, send);
    let told = lab.told();
    let sent: Vec<&str> = told.lines().filter(|line| line.contains(" > ")).collect();
    assert_eq!(sent, ["0.010 between.1 > fe80::ff:fe00:2.5000 > ff02::1.9: UDP, length 5"]);
}

#[test]
fn an_interface_that_is_not_there_or_an_address_without_zones_is_nobody() {
    for to in ["fe80::1%eth9", "2001:db8:2::9%eth2", "nonsense%eth1", "10.0.0.1%eth1"] {
        let mut lab = twins();
        start(&mut lab, 0, 1, greet(Box::leak(to.to_owned().into_boxed_str())));
        let error = lab.machine(0).outcome(AppId(1), "error");
        assert_eq!(error, Some(Value::Text(format!("no host is called `{to}`"))));
    }
}
