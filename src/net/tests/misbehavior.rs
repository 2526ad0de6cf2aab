//! Programs that do what no program may: they end, by name, and nobody else notices.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::super::testing::{Lab, address};
use super::super::{RawSocket, TcpListener, TcpSocket, TcpStream, UdpSocket};

const NEVER_YIELDS: &str = "never yields: 100000 polls at 1.000 s";

/// Something whose end is as bad as it can be.
struct Explosive(&'static str);

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[test]
fn a_panic_ends_its_program_and_no_other() {
    let mut lab = Lab::new(2);
    let server = lab.start(1, "server", |net| async move {
        let (stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
        let _kept = stream;
        net.sleep(Duration::from_secs(1)).await;
        let empty: Vec<u8> = Vec::new();
        net.report("never", u64::from(empty[3]));
        Ok(())
    });
    let neighbor = lab.start(1, "neighbor", |net| async move {
        net.sleep(Duration::from_secs(5)).await;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        stream.readable().await?;
        net.report("told_at", net.now().since(crate::time::Time::ZERO));
        Ok(())
    });
    lab.run_for(10_000);
    let said = "program `server` on `b` panicked at 1.030 s: index out of bounds: the len is 0 but the index is 3";
    assert_eq!((lab.text(1, server, "state"), lab.text(1, server, "error")), ("failed".into(), said.into()));
    assert_eq!(lab.misdeeds, [said]);
    assert_eq!(lab.text(1, neighbor, "state"), "finished");
    // Its sockets close as those of any program that ends.
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "told_at")), ("finished".into(), "1.04s".into()));
    assert_eq!(lab.states(1), ["TIME-WAIT"]);
}

#[test]
fn a_panic_is_caught_wherever_a_program_may_have_it() {
    let mut lab = Lab::new(1);
    // Before there is a future.
    let early = lab.start(0, "early", |net| {
        assert!(net.host_name().is_empty(), "before anything");
        async { Ok(()) }
    });
    // In a task of its own, which ends the whole program.
    let child = lab.start(0, "child", |net| async move {
        net.spawn(async { panic!("in a task") });
        std::future::pending().await
    });
    // As its variables are dropped: at its end, and when it is stopped.
    let ending = lab.start(0, "ending", |net| async move {
        let _held = Explosive("at the end");
        net.sleep(Duration::from_millis(1)).await;
        Ok(())
    });
    let stopped = lab.start(0, "stopped", |_| async move {
        let _held = Explosive("when stopped");
        std::future::pending().await
    });
    // With something that is no text.
    let silent = lab.start(0, "silent", |_| async { std::panic::panic_any(7) });
    lab.run_for(10);
    assert!(lab.stacks[0].stop_program(stopped, lab.now));
    lab.settle(0);
    let texts = [early, child, ending, stopped, silent].map(|app| lab.text(0, app, "error"));
    let titled = |name: &str, at: &str, said: &str| format!("program `{name}` on `a` panicked at {at} s: {said}");
    assert_eq!(
        texts,
        [
            titled("early", "0.000", "before anything"),
            titled("child", "0.000", "in a task"),
            titled("ending", "0.001", "at the end"),
            titled("stopped", "0.010", "when stopped"),
            titled("silent", "0.000", "something that is no text"),
        ]
    );
    assert_eq!(lab.misdeeds.len(), 5);
    assert_eq!(lab.text(0, stopped, "state"), "stopped");
    // Whoever has panicked may be started again.
    assert!(lab.stacks[0].start_program(child, lab.now));
    lab.settle(0);
    assert_eq!(lab.misdeeds.len(), 6);
}

#[test]
fn what_never_ends_at_one_instant_is_ended() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 1)?;
        let _held = listener.accept().await?;
        std::future::pending().await
    });
    let second = Duration::from_secs(1);
    let mad = [
        lab.start(0, "waker", move |net| async move {
            net.sleep(second).await;
            poll_fn::<(), _>(|context| {
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            Ok(())
        }),
        lab.start(0, "yielder", move |net| async move {
            net.sleep(second).await;
            loop {
                net.yield_now().await;
            }
        }),
        lab.start(0, "breeder", move |net| async move {
            net.sleep(second).await;
            loop {
                net.spawn(async {}).await?;
            }
        }),
        lab.start(0, "talker", move |net| async move {
            net.sleep(second).await;
            let channel = net.channel::<u8>("to myself")?;
            loop {
                channel.send(1).await?;
                channel.recv().await?;
            }
        }),
        lab.start(0, "peeker", move |net| async move {
            let stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
            net.sleep_until(crate::time::Time::from_secs(1)).await;
            stream.shut_down(std::net::Shutdown::Read)?;
            loop {
                stream.readable().await?;
            }
        }),
        lab.start(0, "ticker", move |net| async move {
            net.sleep(second).await;
            // Each tick is due at once: the first was in the year dot.
            let mut ticks = net.interval_at(crate::time::Time::ZERO, Duration::from_nanos(1));
            loop {
                ticks.tick().await;
            }
        }),
    ];
    let calm = lab.start(0, "calm", |net| async move {
        net.sleep(Duration::from_secs(2)).await;
        Ok(())
    });
    lab.run_for(5000);
    for (app, name) in mad.into_iter().zip(["waker", "yielder", "breeder", "talker", "peeker", "ticker"]) {
        assert_eq!(lab.text(0, app, "error"), format!("program `{name}` on `a` {NEVER_YIELDS}"));
    }
    assert_eq!((lab.misdeeds.len(), lab.text(0, calm, "state")), (6, "finished".into()));
}

#[test]
fn what_a_program_forgets_is_closed_for_it_and_told() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 1)?;
        let never = listener.serve(|_, _| async {});
        match never.await? {}
    });
    let one = lab.start(0, "one", |net| async move {
        let stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        net.report("port", u64::from(stream.local_addr().port()));
        std::mem::forget(stream);
        Ok(())
    });
    lab.run_for(100);
    let port = lab.text(0, one, "port");
    let said =
        format!("program `one` on `a` ended at 0.020 s and left open: tcp 10.0.0.1:{port} > 10.0.0.2:80 ESTABLISHED");
    assert_eq!((lab.text(0, one, "state"), lab.text(0, one, "error")), ("failed".into(), said.clone()));
    assert_eq!(lab.misdeeds, [said]);

    // Of every kind; an error of its own comes first.
    let many = lab.start(0, "many", |net| async move {
        std::mem::forget(RawSocket::icmp(&net));
        std::mem::forget(TcpListener::bind(&net, 90, 1)?);
        let mut bound = TcpSocket::new(&net);
        bound.bind(91)?;
        std::mem::forget(bound);
        std::mem::forget(UdpSocket::bind(&net, 92)?);
        std::mem::forget(UdpSocket::bind(&net, 93)?);
        Err("it broke".into())
    });
    assert_eq!(lab.text(0, many, "error"), "it broke");
    let left = "program `many` on `a` ended at 0.100 s and left open: icmp, tcp [::]:90 LISTEN, tcp [::]:91, 2 more";
    assert_eq!(lab.misdeeds[1..], [left]);
    // The client closed first, and waits.
    lab.run_for(100);
    assert_eq!(lab.states(0), ["TIME-WAIT"]);
    let next = lab.start(0, "next", |net| async move {
        for port in [90, 91] {
            drop(TcpListener::bind(&net, port, 1)?);
        }
        for port in [92, 93] {
            drop(UdpSocket::bind(&net, port)?);
        }
        Ok(())
    });
    assert_eq!((lab.text(0, next, "error"), lab.misdeeds.len()), ("-".into(), 2));
}

#[test]
fn what_a_stopped_program_has_forgotten_is_told_too_and_a_crash_tells_nothing() {
    let mut lab = Lab::new(1);
    let start = |lab: &mut Lab| {
        lab.start(0, "forgetful", |net| async move {
            std::mem::forget(UdpSocket::bind(&net, 9)?);
            std::future::pending().await
        })
    };
    let app = start(&mut lab);
    assert!(lab.stacks[0].stop_program(app, lab.now));
    lab.settle(0);
    let said = "program `forgetful` on `a` ended at 0.000 s and left open: udp [::]:9";
    assert_eq!((lab.misdeeds.as_slice(), lab.text(0, app, "state")), ([said.to_owned()].as_slice(), "stopped".into()));
    start(&mut lab);
    lab.stacks[0].crash(lab.now);
    lab.settle(0);
    assert_eq!(lab.misdeeds.len(), 1);
}

#[test]
fn a_socket_can_go_from_one_program_to_another() {
    let mut lab = Lab::new(2);
    let echo = lab.start(1, "echo", |net| async move {
        let listener = TcpListener::bind(&net, 80, 4)?;
        let never = listener.serve(|mut stream, _| async move {
            let (mut reader, mut writer) = stream.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        });
        match never.await? {}
    });
    let giver = lab.start(0, "giver", |net| async move {
        let stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        net.channel("streams")?.send(stream.disown()).await?;
        Ok(())
    });
    let taker = lab.start(0, "taker", |net| async move {
        let stream: TcpStream = net.channel("streams")?.recv().await?;
        net.sleep(Duration::from_secs(1)).await;
        let stream = stream.adopt(&net)?;
        stream.try_write(b"hello")?;
        let mut heard = [0; 5];
        stream.readable().await?;
        assert_eq!((stream.try_read(&mut heard)?, &heard), (5, b"hello"));
        std::mem::forget(stream);
        Ok(())
    });
    lab.run_for(5000);
    assert_eq!((lab.text(0, giver, "state"), lab.text(1, echo, "state")), ("finished".into(), "running".into()));
    // Now it is the taker's.
    assert!(
        lab.text(0, taker, "error").starts_with("program `taker` on `a` ended at 1.040 s and left open: tcp 10.0.0.1:")
    );
    assert_eq!(lab.misdeeds.len(), 1);
}

#[test]
fn a_socket_stays_on_its_machine() {
    let mut lab = Lab::new(2);
    let nets = Arc::new(Mutex::new(Vec::new()));
    let bag = Arc::clone(&nets);
    lab.start(1, "other", move |net| {
        bag.lock().unwrap().push(net);
        std::future::pending()
    });
    let app = lab.start(0, "mover", move |net| {
        let elsewhere = nets.lock().unwrap().remove(0);
        async move {
            let error = UdpSocket::bind(&net, 9)?.adopt(&elsewhere).unwrap_err();
            assert_eq!(error.to_string(), "a socket stays on its machine");
            Ok(())
        }
    });
    assert!(lab.text(0, app, "error") == "-", "{}", lab.text(0, app, "error"));
}

#[test]
fn a_machine_that_goes_takes_its_programs_with_it_whatever_they_do() {
    /// Shared by whatever is to be dropped.
    struct Witness(#[expect(dead_code, reason = "it counts references")] Arc<()>);
    let witness = Arc::new(());
    let mut lab = Lab::new(1);
    let held = Arc::clone(&witness);
    lab.start(0, "everything", move |net| {
        let held = Arc::clone(&held);
        async move {
            let _late = Explosive("when the machine goes");
            let channel = net.channel("own")?;
            // A socket in a channel holds the machine that holds the channel, and so does a view.
            channel.send((Witness(Arc::clone(&held)), UdpSocket::bind(&net, 9)?)).await?;
            let (viewed, shown) = (Witness(Arc::clone(&held)), net.clone());
            net.offer_view("secret", move |_| {
                let _ = (&viewed, &shown);
                panic!("nobody may see this")
            });
            std::future::pending().await
        }
    });
    assert_eq!(lab.stacks[0].show("secret", lab.now), "cannot be shown: nobody may see this\n");
    assert_eq!(Arc::strong_count(&witness), 5);
    drop(lab);
    // All but this one: the program itself held one too.
    assert_eq!(Arc::strong_count(&witness), 1);
}
