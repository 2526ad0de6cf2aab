//! What the executor promises programs, and what it does to those that go wrong.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::super::testing::Lab;
use super::super::{Program, UdpSocket};
use crate::id::AppId;
use crate::record::Value;
use crate::time::Time;

#[test]
fn tasks_have_their_turns_first_in_first_out() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut lab = Lab::new(1);
    let diary = Arc::clone(&heard);
    lab.start(0, "many", move |net| {
        let diary = Arc::clone(&diary);
        async move {
            for name in ["x", "y", "z"] {
                let (net, diary) = (net.clone(), Arc::clone(&diary));
                net.clone().spawn(async move {
                    for round in 0..2 {
                        diary.lock().unwrap().push(format!("{name}{round}"));
                        net.sleep(Duration::from_millis(5)).await;
                    }
                });
            }
            net.sleep(Duration::from_secs(1)).await;
            Ok(())
        }
    });
    lab.run_for(2000);
    assert_eq!(*heard.lock().unwrap(), ["x0", "y0", "z0", "x1", "y1", "z1"]);
}

#[test]
fn a_program_that_wakes_itself_for_ever_is_ended_by_name() {
    let mut lab = Lab::new(1);
    let calm = lab.start(0, "calm", |net| async move {
        net.sleep(Duration::from_secs(5)).await;
        Ok(())
    });
    let mad = lab.start(0, "mad", |net| async move {
        net.sleep(Duration::from_millis(3200)).await;
        poll_fn::<(), _>(|context| {
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        Ok(())
    });
    lab.run_for(10_000);
    assert_eq!(lab.text(0, mad, "state"), "failed");
    assert_eq!(lab.text(0, mad, "error"), "program `mad` on `a` never yields: 100000 polls at 3.200 s");
    assert_eq!(lab.text(0, calm, "state"), "finished");
}

#[test]
fn operations_that_are_always_ready_do_not_run_for_ever_either() {
    let mut lab = Lab::new(1);
    let sleepless = lab.start(0, "sleepless", |net| async move {
        loop {
            net.sleep(Duration::ZERO).await;
        }
    });
    let shouting = lab.start(0, "shouting", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        loop {
            socket.send_to(b"!", "10.0.0.9:9".parse().unwrap()).await?;
        }
    });
    lab.run_for(1);
    assert_eq!(lab.text(0, sleepless, "error"), "program `sleepless` on `a` never yields: 100000 polls at 0.000 s");
    assert_eq!(lab.text(0, shouting, "error"), "program `shouting` on `a` never yields: 100000 packets at 0.000 s");
    assert_eq!(lab.states(0), Vec::<&str>::new());
}

#[test]
fn sleeps_end_when_they_say_and_timeouts_cut_short() {
    let mut lab = Lab::new(1);
    let app = lab.start(0, "sleeper", |net| async move {
        net.sleep(Duration::from_nanos(1_234_567)).await;
        assert_eq!(net.now(), Time::from_nanos(1_234_567));
        let never = net.timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
        assert_eq!(never.map_err(|error| error.kind()), Err(std::io::ErrorKind::TimedOut));
        let soon = net.timeout(Duration::from_secs(9), net.sleep(Duration::from_secs(1))).await;
        assert!(soon.is_ok());
        net.sleep_until(Time::ZERO).await;
        net.report("woke", net.now().since(Time::ZERO));
        Ok(())
    });
    lab.run_for(20_000);
    assert_eq!(lab.outcome(0, app, "woke"), Some(Value::Duration(Duration::from_nanos(1_011_234_567))));
    // The nine-second timer is gone with its timeout.
    assert_eq!(lab.stacks[0].wake_at(), None);
}

#[test]
fn outcomes_tell_of_a_programs_life() {
    let mut lab = Lab::new(1);
    lab.stacks[0].add_program(AppId(9), "late", Program::new(|_| async { Ok(()) }));
    assert_eq!(lab.stacks[0].outcomes(AppId(9)), [("state".to_owned(), Value::from("waiting"))]);
    lab.run_for(50);
    let app = lab.start(0, "teller", |net| async move {
        net.report("answer", 41_u64);
        net.report("answer", 42_u64);
        net.report("state", "made up");
        net.log(|| format!("on {}", net.host_name()));
        net.sleep(Duration::from_millis(5)).await;
        Err("it broke".into())
    });
    lab.run_for(50);
    let outcomes: Vec<String> =
        lab.stacks[0].outcomes(app).into_iter().map(|(key, value)| format!("{key} {value}")).collect();
    assert_eq!(outcomes, ["state \"failed\"", "started 50ms", "elapsed 5ms", "error \"it broke\"", "answer 42"]);
    assert_eq!(lab.said(0), ["started", "on a", "failed: it broke"]);
    assert_eq!(lab.stacks[0].outcome(AppId(77), "state"), None);
}

#[test]
fn children_end_with_their_program() {
    let mut lab = Lab::new(1);
    let app = lab.start(0, "parent", |net| async move {
        let child = net.clone();
        net.spawn(async move {
            let _socket = UdpSocket::bind(&child, 9);
            loop {
                child.sleep(Duration::from_millis(10)).await;
                child.report("child_at", child.now().since(Time::ZERO));
            }
        });
        net.sleep(Duration::from_millis(35)).await;
        Ok(())
    });
    lab.run_for(10);
    assert_eq!(lab.states(0), ["UNCONN"]);
    lab.run_for(1000);
    assert_eq!(lab.text(0, app, "child_at"), "30ms");
    assert_eq!(lab.states(0), Vec::<&str>::new());
    assert_eq!(lab.stacks[0].wake_at(), None);
}

#[test]
fn a_crash_ends_everything_in_silence_and_programs_start_anew() {
    let mut lab = Lab::new(1);
    let app = lab.start(0, "server", |net| async move {
        let _socket = UdpSocket::bind(&net, 9)?;
        net.report("luck", net.random_below(1000));
        std::future::pending().await
    });
    lab.run_for(10);
    lab.stacks[0].crash(lab.now);
    assert_eq!((lab.states(0), lab.stacks[0].wake_at()), (vec![], None));
    assert_eq!(lab.text(0, app, "error"), "the machine crashed");
    assert!(lab.outcome(0, app, "luck").is_some());
    lab.run_for(10);
    assert!(lab.stacks[0].start_program(app, lab.now));
    lab.settle(0);
    assert_eq!((lab.text(0, app, "state"), lab.states(0)), ("running".to_owned(), vec!["UNCONN"]));
    assert_eq!(lab.text(0, app, "started"), "20ms");
}

#[test]
fn luck_belongs_to_the_programs_name() {
    let drawn = |others: usize| {
        let mut lab = Lab::new(1);
        for other in 0..others {
            lab.start(0, &format!("other{other}"), |net| async move {
                net.report("luck", net.random());
                Ok(())
            });
        }
        let app = lab.start(0, "lucky", |net| async move {
            net.report("luck", net.random());
            Ok(())
        });
        lab.text(0, app, "luck")
    };
    assert_eq!(drawn(0), drawn(3));
}

#[test]
fn names_are_found() {
    let mut lab = Lab::new(2);
    let app = lab.start(0, "asker", |net| async move {
        assert_eq!(net.lookup("b").await?.to_string(), "10.0.0.2");
        assert_eq!(net.lookup("::1").await?.to_string(), "::1");
        net.lookup("nobody").await?;
        Ok(())
    });
    assert_eq!(lab.text(0, app, "error"), "no host is called `nobody`");
}
