//! Options of UDP sockets: peeking, shared ports, groups, broadcasts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::super::UdpSocket;
use super::super::testing::{Lab, address};
use crate::id::AppId;

fn at(index: usize, port: u16) -> SocketAddr {
    SocketAddr::new(address(index), port)
}

fn assert_well(lab: &Lab, index: usize, app: AppId) {
    assert_eq!((lab.text(index, app, "state"), lab.text(index, app, "error")), ("finished".into(), "-".into()));
}

#[test]
fn a_datagram_that_was_peeked_at_is_still_there_and_is_truncated_as_one() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let socket = UdpSocket::bind(&net, 7)?;
        let would_block = socket.try_recv_from(&mut [0; 9]).unwrap_err();
        assert_eq!(would_block.kind(), io::ErrorKind::WouldBlock);
        socket.readable().await?;
        net.sleep(Duration::from_millis(1)).await;
        let mut buffer = [0; 4];
        for _ in 0..2 {
            assert_eq!((socket.peek_from(&mut buffer).await?, &buffer), ((4, at(0, 9)), b"long"));
        }
        assert_eq!(socket.peek(&mut [0; 100]).await?, 13);
        // What does not fit is lost with it; the next one is the next one.
        assert_eq!((socket.recv_from(&mut buffer).await?, &buffer), ((4, at(0, 9)), b"long"));
        assert_eq!((socket.try_recv_from(&mut buffer)?, &buffer), ((0, at(0, 9)), b"long"));
        assert_eq!((socket.recv(&mut [0; 0]).await?, socket.recv(&mut buffer).await?), (0, 3));
        Ok(())
    });
    lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 9)?;
        for payload in ["long datagram", "", "gone", "end"] {
            socket.send_to(payload.as_bytes(), at(1, 7)).await?;
        }
        Ok(())
    });
    lab.run_for(100);
    assert_well(&lab, 1, server);
}

#[test]
fn a_connection_of_udp_can_be_taken_back() {
    let mut lab = Lab::new(3);
    for index in [1, 2] {
        lab.start(index, "echo", |net| async move {
            let socket = UdpSocket::bind(&net, 7)?;
            let mut buffer = [0; 9];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await?;
                socket.send_to(&buffer[..length], from).await?;
            }
        });
    }
    let app = lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        assert_eq!(socket.peer_addr().unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert!(socket.local_addr().port() >= 49_152);
        socket.connect(at(1, 7))?;
        assert_eq!(socket.peer_addr()?, at(1, 7));
        socket.send(b"one").await?;
        assert_eq!(socket.recv(&mut [0; 9]).await?, 3);
        socket.connect(at(2, 7))?;
        socket.send(b"other").await?;
        assert_eq!(socket.recv_from(&mut [0; 9]).await?, (5, at(2, 7)));
        socket.disconnect();
        assert_eq!(socket.send(b"x").await.unwrap_err().kind(), io::ErrorKind::NotConnected);
        socket.send_to(b"back", at(1, 7)).await?;
        assert_eq!(socket.recv_from(&mut [0; 9]).await?, (4, at(1, 7)));
        Ok(())
    });
    lab.run_for(1000);
    assert_well(&lab, 0, app);
}

#[test]
fn options_say_what_was_set() {
    let mut lab = Lab::new(1);
    let app = lab.start(0, "asker", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        assert_eq!((socket.ttl(), socket.broadcast(), socket.receive_buffer()), (None, false, 212_992));
        assert_eq!((socket.multicast_ttl(), socket.multicast_loop()), (1, true));
        socket.set_ttl(9)?;
        socket.set_broadcast(true);
        socket.set_receive_buffer(99);
        socket.set_multicast_ttl(7)?;
        socket.set_multicast_loop(false);
        assert_eq!((socket.ttl(), socket.broadcast(), socket.receive_buffer()), (Some(9), true, 99));
        assert_eq!((socket.multicast_ttl(), socket.multicast_loop()), (7, false));
        assert_eq!(socket.set_multicast_ttl(0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        Ok(())
    });
    assert_well(&lab, 0, app);
}

#[test]
fn sockets_that_share_a_port_all_hear_what_is_for_all_and_the_latest_the_rest() {
    let mut lab = Lab::new(2);
    let sharers = ["early", "late"].map(|name| {
        lab.start(1, name, |net| async move {
            let socket = UdpSocket::bind_shared(&net, 5353)?;
            let mut heard = String::new();
            loop {
                let datagram = socket.recv_datagram().await?;
                heard.push_str(&String::from_utf8_lossy(&datagram.payload));
                net.report("heard", heard.as_str());
            }
        })
    });
    let selfish = lab.start(1, "selfish", |net| async move {
        let error = UdpSocket::bind(&net, 5353).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        Ok(())
    });
    lab.start(0, "client", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        socket.set_broadcast(true);
        socket.send_to(b"all ", "10.0.0.255:5353".parse().unwrap()).await?;
        socket.send_to(b"one ", at(1, 5353)).await?;
        Ok(())
    });
    lab.run_for(100);
    assert_well(&lab, 1, selfish);
    assert_eq!(sharers.map(|app| lab.text(1, app, "heard")), ["all ", "all one "]);
}

#[test]
fn what_is_sent_to_a_group_crosses_no_router_unless_asked_and_comes_to_members_here_unless_not() {
    let mut lab = Lab::new(1);
    let group = Ipv4Addr::new(239, 1, 2, 3);
    let app = lab.start(0, "member", move |net| async move {
        let socket = UdpSocket::bind(&net, 5000)?;
        let all = SocketAddr::new(group.into(), 5000);
        socket.set_ttl(50)?;
        // Nobody here is a member: nothing comes back.
        socket.send_to(b"zero", all).await?;
        socket.join(0, group.into())?;
        socket.send_to(b"one", all).await?;
        let datagram = socket.recv_datagram().await?;
        assert_eq!((datagram.payload.as_slice(), datagram.from), (b"one".as_slice(), at(0, 5000)));
        assert_eq!((datagram.to, datagram.ttl, datagram.interface), (all, 1, None));
        socket.set_multicast_loop(false);
        socket.set_multicast_ttl(12)?;
        socket.send_to(b"two", all).await?;
        assert!(net.timeout(Duration::from_secs(1), socket.recv(&mut [0; 9])).await.is_err());
        socket.set_multicast_loop(true);
        socket.leave(0, group.into());
        socket.send_to(b"three", all).await?;
        assert!(net.timeout(Duration::from_secs(1), socket.recv(&mut [0; 9])).await.is_err());
        assert_eq!(socket.join(0, address(0)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        Ok(())
    });
    lab.run_for(5000);
    assert_well(&lab, 0, app);
    let ttls: Vec<u8> = lab.wire.iter().map(|one| one.header().ttl).collect();
    assert_eq!(ttls, [1, 1, 12, 12]);
}
