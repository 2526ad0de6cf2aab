//! Programs of somebody who tries what the sockets promise, from outside the crate.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hopwise::net::{Net, ProgramError, TcpListener, TcpSocket, TcpStream, UdpSocket};
use hopwise::record::Value;
use hopwise::{Report, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

const STAR: &str = r#"
    topology.star = { kind = "star", hosts = 3 }
"#;

fn star() -> Scenario {
    Scenario::from_toml("strangers", STAR).unwrap()
}

#[track_caller]
fn met(scenario: Scenario) -> Report {
    let report = scenario.judge().unwrap();
    assert!(report.is_met(), "{}", report.objections());
    report
}

async fn server(net: &Net) -> Result<SocketAddr, ProgramError> {
    Ok((net.lookup("h1").await?, 7).into())
}

/// Says everything back once the other side has said all.
async fn parrot(net: Net) -> Result<(), ProgramError> {
    let listener = TcpListener::bind(&net, 7, 16)?;
    let never = listener.serve(|mut stream, _| async move {
        let mut all = Vec::new();
        if stream.read_to_end(&mut all).await.is_ok() {
            let _ = stream.write_all(&all).await;
        }
    });
    match never.await? {}
}

#[test]
fn a_half_closed_stream_still_hears_everything() {
    let report = met(star().program("parrot", "h1", parrot).program("talk", "h2", |net| async move {
        let mut stream = TcpStream::connect(&net, server(&net).await?).await?;
        let said: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        stream.write_all(&said).await?;
        stream.shutdown().await?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await?;
        assert_eq!(stream.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        net.report("same", heard == said);
        Ok(())
    }));
    assert_eq!(report.outcome("talk", "same"), Some(&Value::Boolean(true)));
}

#[test]
fn selects_channels_and_deadlines_of_tokio_run_in_virtual_time() {
    met(star().program("parrot", "h1", parrot).program("talk", "h2", |net| async move {
        let (to, mut from) = mpsc::channel(1);
        let (done, mut is_done) = oneshot::channel::<&str>();
        let at = server(&net).await?;
        let own = net.clone();
        net.spawn(async move {
            for number in 0..3_u8 {
                own.sleep(Duration::from_millis(300)).await;
                let mut stream = TcpStream::connect(&own, at).await.unwrap();
                stream.write_all(&[number]).await.unwrap();
                stream.shutdown().await.unwrap();
                to.send(stream.read_u8().await.unwrap()).await.unwrap();
            }
            done.send("done").unwrap();
        });
        let mut heard = Vec::new();
        let mut is_open = true;
        let said = loop {
            tokio::select! {
                biased;
                number = from.recv(), if is_open => match number {
                    Some(number) => heard.push(number),
                    None => is_open = false,
                },
                said = &mut is_done => break said.unwrap(),
                () = net.sleep(Duration::from_secs(10)) => return Err("nothing for ten seconds".into()),
            }
        };
        assert_eq!((heard, said), (vec![0, 1, 2], "done"));
        let late = net.timeout(Duration::from_millis(5), from.recv()).await;
        assert!(late.is_ok(), "a closed channel is no wait");
        Ok(())
    }));
}

#[test]
fn a_port_is_taken_for_as_long_as_time_wait_lasts() {
    met(star().program("parrot", "h1", parrot).program("talk", "h2", |net| async move {
        let at = server(&net).await?;
        let mut stream = TcpStream::connect_from(&net, 4000, at).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        drop(stream);
        net.sleep(Duration::from_millis(100)).await;
        // The side that closed first waits.
        let mut strict = TcpSocket::new(&net);
        assert_eq!(strict.bind(4000).unwrap_err().kind(), ErrorKind::AddrInUse);
        let mut easy = TcpSocket::new(&net);
        easy.set_reuse_address(true);
        easy.bind(4000)?;
        drop(easy);
        // The very same two ends would be taken for the old connection.
        let again = TcpStream::connect_from(&net, 4000, at).await;
        assert!(again.is_err(), "a second connection of the same two ends while the first is in TIME-WAIT");
        net.sleep(Duration::from_secs(11)).await;
        let mut strict = TcpSocket::new(&net);
        strict.bind(4000)?;
        strict.connect(at).await?;
        Ok(())
    }));
}

#[test]
fn binding_keeps_the_rules_of_a_kernel() {
    met(star().program("parrot", "h1", parrot).program("binds", "h2", |net| async move {
        let own = net.interfaces()?[0].addresses[0].addr();
        let kind = |result: std::io::Result<TcpListener>| result.err().map(|error| error.kind());
        let wild = TcpListener::bind(&net, 5000, 1)?;
        assert_eq!(kind(TcpListener::bind(&net, 5000, 1)), Some(ErrorKind::AddrInUse));
        assert_eq!(kind(TcpListener::bind(&net, (own, 5000), 1)), Some(ErrorKind::AddrInUse));
        drop(wild);
        let one = TcpListener::bind(&net, (own, 5000), 1)?;
        let loopback = TcpListener::bind(&net, (IpAddr::V4(Ipv4Addr::LOCALHOST), 5000), 1)?;
        assert_eq!(kind(TcpListener::bind(&net, 5000, 1)), Some(ErrorKind::AddrInUse));
        drop((one, loopback));
        assert_eq!(
            kind(TcpListener::bind(&net, (IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)), 1), 1)),
            Some(ErrorKind::AddrNotAvailable)
        );
        // UDP and TCP do not share their ports.
        let _udp = UdpSocket::bind(&net, 5000)?;
        let _tcp = TcpListener::bind(&net, 5000, 1)?;
        assert_eq!(UdpSocket::bind(&net, 5000).err().map(|error| error.kind()), Some(ErrorKind::AddrInUse));
        let any = TcpListener::bind(&net, 0, 1)?;
        assert!((49152..=65535).contains(&any.local_addr().port()));
        Ok(())
    }));
}

#[test]
fn a_reset_a_refusal_and_a_silence_are_three_kinds_of_errors() {
    met(star()
        .program("rude", "h1", |net: Net| async move {
            let listener = TcpListener::bind(&net, 7, 4)?;
            let (stream, _) = listener.accept().await?;
            net.sleep(Duration::from_millis(50)).await;
            stream.abort();
            let (mut stream, _) = listener.accept().await?;
            stream.read_u8().await?;
            let linger = stream;
            linger.set_linger(Some(Duration::ZERO));
            drop(linger);
            net.sleep(Duration::from_secs(60)).await;
            Ok(())
        })
        .program("talk", "h2", |net| async move {
            let at = server(&net).await?;
            let mut first = TcpStream::connect(&net, at).await?;
            assert_eq!(first.read(&mut [0; 9]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            let mut second = TcpStream::connect(&net, at).await?;
            second.write_all(b"x").await?;
            assert_eq!(second.read(&mut [0; 9]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            let nobody = SocketAddr::new(at.ip(), 99);
            assert_eq!(TcpStream::connect(&net, nobody).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            let before = net.now();
            let far = SocketAddr::from(([10, 0, 0, 200], 80));
            let silent = TcpStream::connect_timeout(&net, far, Duration::from_secs(30)).await.unwrap_err();
            assert_eq!(silent.kind(), ErrorKind::HostUnreachable, "nobody answers ARP: {silent}");
            assert!(net.now().since(before) <= Duration::from_secs(30));
            let foreign = SocketAddr::from(([203, 0, 113, 1], 80));
            let none = TcpStream::connect(&net, foreign).await.unwrap_err();
            assert_eq!(none.kind(), ErrorKind::NetworkUnreachable, "{none}");
            // A connected UDP socket hears of the closed port.
            let socket = UdpSocket::bind(&net, 0)?;
            socket.connect(nobody)?;
            socket.send(b"?").await?;
            assert_eq!(socket.recv(&mut [0; 9]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            Ok(())
        }));
}

#[test]
fn datagrams_are_cut_off_and_broadcast_has_to_be_asked_for() {
    met(star()
        .program_on_each("hears", ["h1", "h3"], |net: Net| async move {
            let socket = UdpSocket::bind(&net, 6000)?;
            let mut short = [0; 4];
            let (length, from) = socket.recv_from(&mut short).await?;
            assert_eq!((length, &short), (4, b"abcd"));
            assert!((49152..=65535).contains(&from.port()));
            let mut rest = [0; 9];
            let (length, _) = socket.recv_from(&mut rest).await?;
            assert_eq!((length, &rest[..1]), (1, &b"2"[..]), "what was cut off is gone");
            net.report("heard", true);
            Ok(())
        })
        .program("calls", "h2", |net| async move {
            net.sleep(Duration::from_millis(100)).await;
            let socket = UdpSocket::bind(&net, 0)?;
            let all = SocketAddr::from((Ipv4Addr::BROADCAST, 6000));
            assert_eq!(socket.send_to(b"abcdefgh", all).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
            socket.set_broadcast(true);
            socket.send_to(b"abcdefgh", all).await?;
            socket.send_to(b"2", all).await?;
            let huge = socket.send_to(&[0; 65_508], all).await.unwrap_err();
            assert_ne!(huge.kind(), ErrorKind::PermissionDenied, "{huge}");
            Ok(())
        }));
}

#[test]
fn a_peer_that_is_gone_is_found_out_by_keep_alive() {
    let text = format!("{STAR}\n[[at]]\nt = \"2s\"\ndo = \"crash\"\nnode = \"h1\"\n");
    let scenario = Scenario::from_toml("gone", text).unwrap();
    let report = met(scenario.program("parrot", "h1", parrot).program("talk", "h2", |net| async move {
        let mut socket = TcpSocket::new(&net);
        socket.set_keep_alive(Some(Duration::from_secs(5)));
        socket.set_keep_alive_probes(3);
        let mut stream = socket.connect(server(&net).await?).await?;
        let error = stream.read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let seconds = net.now().as_nanos() / 1_000_000_000;
        net.report("after", seconds);
        Ok(())
    }));
    let Some(Value::Integer(after)) = report.outcome("talk", "after") else { panic!("{:?}", report.outcomes) };
    assert!((10..=40).contains(after), "{after} s");
}
