//! Waiting for several things: tasks, races, ticks, channels; and that tokio's macros and channels do it too.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, Notify, broadcast, mpsc, oneshot, watch};

use super::super::testing::{Lab, address};
use super::super::{CHANNEL_VALUES_MAX, First, MissedTicks, TcpListener, TcpStream, UdpSocket};
use super::super::{CHANNELS_MAX, Net, ProgramError, join_all, race, race_all};
use crate::time::Time;

fn millis(net: &Net) -> u64 {
    net.now().as_nanos() / 1_000_000
}

async fn pause(net: &Net, millis: u64) {
    net.sleep(Duration::from_millis(millis)).await;
}

/// Runs one program to its end; its assertions stand inside.
fn run<F, Fut>(main: F)
where
    F: Fn(Net) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
{
    let mut lab = Lab::new(1);
    let app = lab.start(0, "program", main);
    lab.run_for(3_600_000);
    assert_eq!((lab.text(0, app, "state"), lab.text(0, app, "error")), ("finished".into(), "-".into()));
    assert_eq!(lab.stacks[0].wake_at(), None);
}

#[test]
fn a_task_gives_what_it_came_to() {
    run(|net| async move {
        let other = net.clone();
        let task = net.spawn(async move {
            pause(&other, 30).await;
            "done"
        });
        assert!(!task.is_finished());
        assert_eq!((task.await?, millis(&net)), ("done", 30));
        // It does not matter which ends first.
        let early = net.spawn(async { 7 });
        pause(&net, 10).await;
        assert!(early.is_finished());
        assert_eq!(early.await?, 7);
        Ok(())
    });
}

#[test]
fn an_aborted_task_drops_what_it_holds() {
    run(|net| async move {
        let other = net.clone();
        let task = net.spawn(async move {
            let _socket = UdpSocket::bind(&other, 9);
            std::future::pending::<()>().await;
        });
        pause(&net, 5).await;
        assert!(UdpSocket::bind(&net, 9).is_err());
        task.abort();
        let error = task.await.unwrap_err();
        assert_eq!((error.to_string().as_str(), millis(&net)), ("the task was cancelled", 5));
        UdpSocket::bind(&net, 9)?;
        // Too late, and twice: nothing happens.
        let done = net.spawn(async { 1 });
        net.yield_now().await;
        done.abort();
        done.abort();
        assert_eq!(done.await?, 1);
        // Before it ever had its turn.
        let never = net.spawn(async { unreachable!("it is aborted first") });
        never.abort();
        assert!(never.await.is_err());
        Ok(())
    });
}

#[test]
fn a_task_whose_handle_is_dropped_goes_on() {
    run(|net| async move {
        let (sender, receiver) = oneshot::channel();
        let other = net.clone();
        drop(net.spawn(async move {
            pause(&other, 20).await;
            let _ = sender.send(42);
        }));
        assert_eq!((receiver.await.ok(), millis(&net)), (Some(42), 20));
        Ok(())
    });
}

#[test]
fn the_first_of_several_wins_and_all_are_waited_for() {
    run(|net| async move {
        let naps = |net: &Net| [30, 10, 20].map(|length| (net.clone(), length));
        let nap = |(net, length): (Net, u64)| async move {
            pause(&net, length).await;
            length
        };
        assert_eq!((race_all(naps(&net).map(nap)).await, millis(&net)), ((1, 10), 10));
        assert_eq!((join_all(naps(&net).map(nap)).await, millis(&net)), (vec![30, 10, 20], 40));
        assert_eq!(race(nap((net.clone(), 5)), nap((net.clone(), 9))).await, First::One(5));
        let none: [std::future::Ready<()>; 0] = [];
        assert!(net.timeout(Duration::from_secs(1), race_all(none)).await.is_err());
        assert_eq!(join_all([(); 0].map(|()| async {})).await, []);
        let deadline = net.now() + Duration::from_millis(7);
        assert!(net.timeout_at(deadline, std::future::pending::<()>()).await.is_err());
        assert_eq!(net.now(), deadline);
        Ok(())
    });
}

#[test]
fn ticks_come_when_they_are_due() {
    run(|net| async move {
        for (missed, expected) in [
            (MissedTicks::Burst, [0, 10, 35, 35, 40, 50]),
            (MissedTicks::Delay, [0, 10, 35, 45, 55, 65]),
            (MissedTicks::Skip, [0, 10, 35, 40, 50, 60]),
        ] {
            let begin = millis(&net);
            let mut ticks = net.interval(Duration::from_millis(10));
            ticks.set_missed_ticks(missed);
            let mut came = Vec::new();
            for _ in 0..expected.len() {
                ticks.tick().await;
                came.push(millis(&net) - begin);
                // Busy for longer than a period, once.
                if came.len() == 2 {
                    pause(&net, 25).await;
                }
            }
            assert_eq!(came, expected, "{missed:?}");
        }
        let begin = net.now();
        let mut ticks = net.interval_at(begin + Duration::from_secs(5), Duration::from_secs(2));
        assert_eq!((ticks.tick().await.since(begin), ticks.period()), (Duration::from_secs(5), Duration::from_secs(2)));
        pause(&net, 500).await;
        ticks.reset();
        assert_eq!(ticks.tick().await.since(begin), Duration::from_millis(7500));
        // Giving up loses no tick.
        assert!(net.timeout(Duration::from_secs(1), ticks.tick()).await.is_err());
        assert_eq!(ticks.tick().await.since(begin), Duration::from_millis(9500));
        Ok(())
    });
}

#[test]
fn programs_of_one_machine_meet_by_a_name() {
    let mut lab = Lab::new(2);
    // Of two receivers each gets some; who waits longest is served first.
    let receivers = ["first", "second"].map(|name| {
        lab.start(0, name, |net| async move {
            let channel = net.channel::<(u64, String)>("news")?;
            let mut heard = String::new();
            while heard.len() < 4 {
                let (number, text) = channel.recv().await?;
                heard += &format!("{number}{text}");
                pause(&net, 10).await;
            }
            net.report("heard", heard);
            Ok(())
        })
    });
    let elsewhere = lab.start(1, "elsewhere", |net| async move {
        let channel = net.channel::<(u64, String)>("news")?;
        assert!(net.timeout(Duration::from_secs(5), channel.recv()).await.is_err());
        Ok(())
    });
    let sender = lab.start(0, "sender", |net| async move {
        pause(&net, 100).await;
        let channel = net.channel("news")?;
        for number in 1..=4_u64 {
            channel.send((number, "x".to_owned())).await?;
        }
        assert_eq!(channel.len(), 4);
        Ok(())
    });
    lab.run_for(10_000);
    assert_eq!(receivers.map(|app| lab.text(0, app, "heard")), ["1x3x", "2x4x"]);
    assert_eq!((lab.text(0, sender, "state"), lab.text(1, elsewhere, "state")), ("finished".into(), "finished".into()));
}

#[test]
fn a_channel_of_another_type_is_refused_and_one_that_is_left_is_forgotten() {
    run(|net| async move {
        let numbers = net.channel::<u32>("shared")?;
        let error = net.channel::<String>("shared").unwrap_err();
        assert_eq!(error.to_string(), "channel `shared` is one of u32, not of alloc::string::String");
        drop((numbers.clone(), numbers));
        let words = net.channel::<String>("shared")?;
        words.send("stays".to_owned()).await?;
        drop(words);
        assert!(net.channel::<u32>("shared").is_err());
        assert_eq!(net.channel::<String>("shared")?.try_recv().as_deref(), Some("stays"));
        assert!(net.channel::<u32>("shared")?.is_empty());
        let channels: Vec<_> = (0..CHANNELS_MAX).map(|index| net.channel::<()>(&index.to_string())).collect();
        assert!(channels.iter().all(Result::is_ok));
        assert_eq!(net.channel::<()>("one more").unwrap_err().kind(), std::io::ErrorKind::QuotaExceeded);
        drop(channels);
        assert!(net.channel::<()>("one more").is_ok());
        Ok(())
    });
}

#[test]
fn a_full_channel_makes_its_sender_wait() {
    run(|net| async move {
        let channel = net.channel::<usize>("full")?;
        let sender = channel.clone();
        let sending = net.spawn(async move {
            for number in 0..=CHANNEL_VALUES_MAX {
                sender.send(number).await?;
            }
            Ok::<_, std::io::Error>(())
        });
        pause(&net, 50).await;
        assert_eq!((channel.len(), sending.is_finished()), (CHANNEL_VALUES_MAX, false));
        assert_eq!(channel.recv().await?, 0);
        sending.await??;
        assert_eq!((channel.len(), millis(&net)), (CHANNEL_VALUES_MAX, 50));
        while channel.try_recv().is_some() {}
        Ok(())
    });
}

#[test]
fn a_crash_empties_channels_and_the_sockets_in_them_close() {
    let mut lab = Lab::new(1);
    lab.start(0, "giver", |net| async move {
        let channel = net.channel::<UdpSocket>("sockets")?;
        channel.send(UdpSocket::bind(&net, 9)?).await?;
        std::future::pending().await
    });
    assert_eq!(lab.states(0), ["UNCONN"]);
    lab.stacks[0].crash(lab.now);
    assert_eq!(lab.states(0), Vec::<&str>::new());
    let taker = lab.start(0, "taker", |net| async move {
        assert!(net.channel::<u8>("sockets")?.try_recv().is_none());
        Ok(())
    });
    assert_eq!(lab.text(0, taker, "error"), "-");
}

#[test]
fn tokios_macros_wait_in_virtual_time() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let (mut stream, _) = TcpListener::bind(&net, 80, 1)?.accept().await?;
        pause(&net, 1000).await;
        stream.write_all(b"late").await?;
        pause(&net, 1000).await;
        Ok(())
    });
    let app = lab.start(0, "client", |net| async move {
        let mut stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        let mut buffer = [0; 8];
        let mut ticks = net.interval(Duration::from_millis(300));
        let mut ticked = 0;
        let length = loop {
            tokio::select! {
                biased;
                length = stream.read(&mut buffer) => break length?,
                _ = ticks.tick() => ticked += 1,
            }
        };
        // Connected at 20 ms, ticks at 20, 320, 620, 920 ms; accepted there at 30 ms, answered 1000 + 10 ms later.
        assert_eq!((length, ticked, millis(&net)), (4, 4, 1040));
        let (one, other) = tokio::join!(pause(&net, 10), pause(&net, 25));
        assert_eq!(((one, other), millis(&net)), (((), ()), 1065));
        let failed = tokio::try_join!(async { Err::<(), _>("first") }, async {
            pause(&net, 10).await;
            Err::<(), _>("second")
        });
        assert_eq!((failed, millis(&net)), (Err("first"), 1065));
        Ok(())
    });
    lab.run_for(10_000);
    assert_eq!((lab.text(0, app, "state"), lab.text(0, app, "error")), ("finished".into(), "-".into()));
}

#[test]
fn tokios_channels_and_locks_wake_tasks_here() {
    run(|net| async move {
        let (sender, mut receiver) = mpsc::channel(1);
        let (state, mut changes) = watch::channel(0);
        let (news, mut heard) = broadcast::channel(8);
        let (lock, bell) = (Arc::new(Mutex::new(0)), Arc::new(Notify::new()));
        for index in 0..3_u64 {
            let (net, sender, news) = (net.clone(), sender.clone(), news.clone());
            let (lock, bell) = (Arc::clone(&lock), Arc::clone(&bell));
            net.clone().spawn(async move {
                pause(&net, 10 * (3 - index)).await;
                let mut held = lock.lock().await;
                pause(&net, 100).await;
                *held += 1;
                let _ = (sender.send(index).await, news.send(index));
                bell.notify_one();
            });
        }
        drop(sender);
        let mut came = Vec::new();
        while let Some(index) = receiver.recv().await {
            came.push((index, millis(&net)));
            state.send_replace(index);
        }
        // The last begins first, at 10 ms, and the others wait for the lock.
        assert_eq!((came, *lock.lock().await), (vec![(2, 110), (1, 210), (0, 310)], 3));
        assert_eq!([heard.try_recv(), heard.try_recv(), heard.try_recv()], [Ok(2), Ok(1), Ok(0)]);
        bell.notified().await;
        changes.changed().await.map_err(|error| error.to_string())?;
        assert_eq!((*changes.borrow(), net.now()), (0, Time::from_millis(310)));
        Ok(())
    });
}
