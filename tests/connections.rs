//! Ten thousand connections to one server, and what each costs in memory.
//!
//! A test of its own, because memory belongs to the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::time::Duration;

use hopwise::net::{Net, ProgramError, TcpListener, TcpStream};
use hopwise::record::Value;
use hopwise::{Scenario, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HOSTS: usize = 10;
const CONNECTIONS: usize = 1000;

/// When every connection of a wave is open and none has said anything.
const IDLE_AT: [Time; 2] = [Time::from_secs(5), Time::from_secs(35)];

async fn echo_server(net: Net) -> Result<(), ProgramError> {
    let listener = TcpListener::bind(&net, 7, HOSTS * CONNECTIONS)?;
    let never = listener.serve(|mut stream, _| async move {
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    });
    match never.await? {}
}

/// Opens all its connections at once, lets them be idle, says something on each, and does it all again when none of them
/// is left, not even in TIME-WAIT.
async fn crowd(net: Net) -> Result<(), ProgramError> {
    let peer = (net.lookup("server").await?, 7).into();
    let mut echoed = 0;
    for wave in 0..2 {
        let begin = Time::from_secs(30 * wave);
        net.sleep_until(begin).await;
        let mut tasks = Vec::new();
        for number in 0..CONNECTIONS {
            let net = net.clone();
            tasks.push(net.clone().spawn(async move {
                let mut stream = TcpStream::connect(&net, peer).await?;
                net.sleep_until(begin + Duration::from_secs(10)).await;
                let said = format!("{} {number}", net.host_name());
                stream.write_all(said.as_bytes()).await?;
                let mut heard = vec![0; said.len()];
                stream.read_exact(&mut heard).await?;
                Ok::<_, std::io::Error>(u64::from(heard == said.as_bytes()))
            }));
        }
        for task in tasks {
            echoed += task.await??;
        }
    }
    net.report("echoed", echoed);
    Ok(())
}

fn scenario() -> Scenario {
    let links = (1..=HOSTS).map(|host| format!("l{host} = {{ ends = [\"h{host}\", \"sw\"], delay = \"1ms\" }}\n"));
    let hosts = (1..=HOSTS).map(|host| format!("h{host} = {{}}\n"));
    let text = format!(
        "[nodes]\nserver = {{}}\nsw = {{ kind = \"switch\" }}\n{}[links]\nls = {{ ends = [\"server\", \"sw\"] }}\n{}",
        hosts.collect::<String>(),
        links.collect::<String>()
    );
    let scenario = Scenario::from_toml("crowd", text).unwrap();
    scenario.program("echo", "server", echo_server).program_on_each("crowd", ["h*"], crowd)
}

/// How much memory the process has, as far as it is in use: in bytes.
#[cfg(target_os = "linux")]
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<usize>().ok()?;
    Some(pages * 4096)
}

#[cfg(not(target_os = "linux"))]
fn resident() -> Option<usize> {
    None
}

#[test]
fn ten_thousand_connections_to_one_server_are_open_at_once_and_all_are_served() {
    let mut run = scenario().build().unwrap();
    run.until(Time::ZERO);
    let before = resident();
    let all = (HOSTS * CONNECTIONS) as i64;
    for idle_at in IDLE_AT {
        assert!(run.until(idle_at));
        assert_eq!(run.network.fact("nodes.server.tcp.connections"), Some(Value::Integer(all)));
        if let (Some(before), Some(after)) = (before, resident()) {
            // Both ends are in this process, each with its task. The buffers are 64 KiB each way and end, of which a
            // connection that says little uses a page each; the second wave is made of what the first has left.
            let each = after.saturating_sub(before) / (2 * HOSTS * CONNECTIONS);
            println!("{each} bytes for each end of an idle connection");
            assert!(each < 13 * 1024, "{each} bytes for each end of an idle connection");
        }
    }
    run.set_stop(Time::from_secs(90));
    let report = run.finish();
    assert!(report.is_met(), "{}", report.objections());
    for host in 1..=HOSTS {
        let echoed = report.outcome(&format!("crowd@h{host}"), "echoed");
        assert_eq!(echoed, Some(&Value::Integer(2 * CONNECTIONS as i64)));
    }
}
