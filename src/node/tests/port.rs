//! A plain smoltcp `Interface` behind a port talks to our machines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::{icmp, tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, Icmpv4Packet, Icmpv4Repr, IpAddress, IpCidr};

use super::lab::*;
use crate::id::PortId;
use crate::node::machine::MachineSpec;
use crate::node::port::INBOX_FRAMES_MAX;
use crate::node::{Command, ForeignStack, Machine, Port, PortHandle};
use crate::record::Cause;
use crate::time::Time;
use crate::wire::Layer;

/// Somebody's firmware: smoltcp on Ethernet, with its own ARP, as 10.0.0.9.
struct Firmware {
    interface: Option<Interface>,
    sockets: SocketSet<'static>,
    /// Has its turn before and after each poll.
    program: FirmwareProgram,
}

type FirmwareProgram = Box<dyn FnMut(&mut Interface, &mut SocketSet<'static>, Time) + Send>;

impl ForeignStack for Firmware {
    fn poll(&mut self, now: Time, device: &mut PortHandle) -> Option<Time> {
        let instant = Instant::from_micros(now.as_micros() as i64);
        let interface = self.interface.get_or_insert_with(|| {
            let mut interface = Interface::new(Config::new(HardwareAddress::Ethernet(mac(9))), device, instant);
            interface.update_ip_addrs(|own| own.push(IpCidr::new(IpAddress::v4(10, 0, 0, 9), 24)).unwrap());
            interface
        });
        for _ in 0..2 {
            (self.program)(interface, &mut self.sockets, now);
            interface.poll(instant, device, &mut self.sockets);
        }
        interface.poll_at(instant, &self.sockets).map(|at| Time::from_nanos(at.total_micros() as u64 * 1000))
    }
}

/// A machine 10.0.0.1 and, at the other end of its link, a firmware 10.0.0.9.
fn lab(
    sockets: SocketSet<'static>,
    program: impl FnMut(&mut Interface, &mut SocketSet<'static>, Time) + Send + 'static,
) -> Lab {
    let mut lab = Lab::new();
    lab.add("machine", Machine::new(MachineSpec::host("machine", 1).interface(interface(1, "10.0.0.1/24"))));
    lab.add("firmware", Port::with_stack(Firmware { interface: None, sockets, program: Box::new(program) }));
    lab.wire((0, 0), (1, 0));
    lab
}

/// What a program wants the test to know.
type Told<T> = Arc<Mutex<Vec<T>>>;

#[test]
fn a_foreign_stack_pings_a_machine() {
    let mut sockets = SocketSet::new(Vec::new());
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 256]);
    let handle = sockets.add(icmp::Socket::new(buffer(), buffer()));
    let replies = Told::<(Time, Vec<u8>)>::default();
    let told = Arc::clone(&replies);
    let mut has_sent = false;
    let mut lab = lab(sockets, move |_, sockets, now| {
        let socket = sockets.get_mut::<icmp::Socket<'_>>(handle);
        if !has_sent {
            has_sent = true;
            socket.bind(icmp::Endpoint::Ident(7)).unwrap();
            let request = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 1, data: b"anybody there?" };
            let bytes = socket.send(request.buffer_len(), IpAddress::v4(10, 0, 0, 1)).unwrap();
            request.emit(&mut Icmpv4Packet::new_unchecked(bytes), &ChecksumCapabilities::default());
        }
        while let Ok((bytes, _)) = socket.recv() {
            told.lock().unwrap().push((now, bytes[8..].to_vec()));
        }
    });
    lab.start();
    lab.run_for(Duration::from_secs(1));
    insta::assert_snapshot!(lab.told(), @r"
    0.000 firmware.0 > arp to everybody: who has 10.0.0.1, tell 10.0.0.9
    0.001 machine # arp: 10.0.0.9 is at 02:00:00:00:00:09
    0.001 machine.0 > arp to 02:00:00:00:00:09: 10.0.0.1 is at 02:00:00:00:00:01
    0.002 firmware.0 > 10.0.0.9 > 10.0.0.1 ttl 64 echo request, length 22
    0.003 machine.0 > 10.0.0.1 > 10.0.0.9 ttl 64 echo reply, length 22
    ");
    let replies = replies.lock().unwrap();
    // ARP there and back, echo there and back: 4 × 1 ms.
    assert_eq!(*replies, [(Time::from_millis(4), b"anybody there?".to_vec())]);
}

#[test]
fn a_machine_pings_a_foreign_stack() {
    let mut lab = lab(SocketSet::new(Vec::new()), |_, _, _| {});
    lab.start();
    // Without a feature that answers pings, smoltcp stays silent; that it takes the ping in shows in its ARP.
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.9", b"").finish());
    lab.run_for(Duration::from_secs(1));
    assert!(lab.told().contains("firmware.0 > arp to 02:00:00:00:00:01: 10.0.0.9 is at 02:00:00:00:00:09"));
}

#[test]
fn a_datagram_to_a_foreign_socket_arrives() {
    let mut sockets = SocketSet::new(Vec::new());
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 256]);
    let handle = sockets.add(udp::Socket::new(buffer(), buffer()));
    let heard = Told::<Vec<u8>>::default();
    let told = Arc::clone(&heard);
    let mut lab = lab(sockets, move |_, sockets, _| {
        let socket = sockets.get_mut::<udp::Socket<'_>>(handle);
        if !socket.is_open() {
            socket.bind(9).unwrap();
        }
        while let Ok((bytes, from)) = socket.recv() {
            told.lock().unwrap().push(bytes.to_vec());
            // Echoed to a port where nobody listens.
            socket.send_slice(b"back", from.endpoint).unwrap();
        }
    });
    lab.start();
    lab.send_ip(0, Packet::udp("10.0.0.1", "10.0.0.9", 9, b"hello").finish());
    lab.run_for(Duration::from_secs(2));
    assert_eq!(*heard.lock().unwrap(), [b"hello"]);
    assert!(lab.told().contains("machine.0 > 10.0.0.1 > 10.0.0.9 ttl 64 icmp 3/3"));
}

#[test]
fn a_foreign_connection_to_a_closed_port_is_refused() {
    let mut sockets = SocketSet::new(Vec::new());
    let buffer = || tcp::SocketBuffer::new(vec![0; 1024]);
    let handle: SocketHandle = sockets.add(tcp::Socket::new(buffer(), buffer()));
    let states = Told::<tcp::State>::default();
    let told = Arc::clone(&states);
    let mut has_connected = false;
    let mut lab = lab(sockets, move |interface, sockets, _| {
        let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
        if !has_connected {
            has_connected = true;
            socket.connect(interface.context(), (IpAddress::v4(10, 0, 0, 1), 80), 50_000).unwrap();
        }
        told.lock().unwrap().push(socket.state());
    });
    lab.start();
    lab.run_for(Duration::from_millis(900));
    assert!(lab.told().contains("tcp 80 > 50000 [R.] seq 0"));
    assert_eq!(states.lock().unwrap().last(), Some(&tcp::State::Closed));
}

#[test]
fn what_is_written_to_a_handle_leaves_when_the_node_is_next_called() {
    let mut lab = pair();
    let port = Port::new();
    let handle = port.handle();
    let bare = lab.add("bare", port);
    lab.wire((bare, 0), (0, 0));
    handle.write(Packet::ping("10.0.0.9", "10.0.0.1", b"").framed(mac(9), mac(1)));
    lab.run_for(Duration::from_millis(10));
    assert!(lab.told().contains("bare.0 > 10.0.0.9 > 10.0.0.1 ttl 64 echo request"));
    // What comes back waits to be read: the question who 10.0.0.9 is.
    assert_eq!(
        handle.read().map(|frame| summary(&frame)),
        Some("arp to everybody: who has 10.0.0.9, tell 10.0.0.1".into())
    );
    assert_eq!(handle.read(), None);
}

#[test]
fn what_comes_out_of_a_port_is_verified() {
    let mut lab = pair();
    let port = Port::new();
    let handle = port.handle();
    let bare = lab.add("bare", port);
    lab.wire((bare, 0), (0, 0));
    let mut frame = Packet::udp("10.0.0.9", "10.0.0.1", 9, b"hi").framed(mac(9), mac(1));
    *frame.last_mut().unwrap() ^= 1;
    handle.write(frame);
    lab.run_for(Duration::from_millis(10));
    assert_eq!(lab.drops_of(0), [Cause::BadChecksum]);
}

#[test]
fn an_inbox_that_nobody_reads_is_bounded() {
    let mut lab = Lab::new();
    let port = Port::new();
    let handle = port.handle();
    lab.add("bare", port);
    let frame = Packet::udp("10.0.0.1", "10.0.0.9", 9, b"").framed(mac(1), mac(9));
    for _ in 0..=INBOX_FRAMES_MAX {
        lab.arrive(0, 0, &frame);
    }
    assert_eq!(lab.drops_of(0), [Cause::ReceiveBufferFull]);
    assert_eq!(std::iter::from_fn(|| handle.read()).count(), INBOX_FRAMES_MAX);
}

#[test]
fn a_port_that_is_down_neither_takes_nor_gives() {
    let mut lab = Lab::new();
    let port = Port::new();
    let handle = port.handle();
    lab.add("bare", port);
    lab.command(0, &Command::Crash).unwrap();
    handle.write(vec![0; 60]);
    lab.arrive(0, 0, &[0; 60]);
    lab.run_for(Duration::from_secs(1));
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len(), handle.read()), (vec![Cause::NodeDown], 0, None));
}

#[test]
fn frames_are_injected_whole_or_not_at_all() {
    let mut lab = Lab::new();
    lab.add("bare", Port::new());
    let inject = |layer| Command::Inject { port: Some(PortId(0)), layer, bytes: vec![7; 60] };
    lab.command(0, &inject(Layer::Ethernet)).unwrap();
    assert_eq!(lab.sent_by(0), [vec![7; 60]]);
    assert!(lab.command(0, &inject(Layer::Ip)).is_err());
}

#[test]
fn a_stack_that_always_wants_to_be_polled_does_not_stop_time() {
    let polls = Told::<Time>::default();
    let told = Arc::clone(&polls);
    let mut lab = Lab::new();
    let greedy = move |now: Time, _: &mut PortHandle| {
        told.lock().unwrap().push(now);
        Some(Time::ZERO)
    };
    lab.add("greedy", Port::with_stack(greedy));
    lab.start();
    lab.run_until(Time::from_nanos(10_000));
    // 64 polls at each of the microseconds 0 to 10.
    assert_eq!(polls.lock().unwrap().len(), 11 * 64);
}
