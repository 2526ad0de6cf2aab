//! TCP over a wire that loses what it is told to: what programs see and what the wire carries.

mod closing;
mod opening;
mod options;
mod traffic;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::testing::{Lab, address};
use super::super::{Net, ProgramError, TcpListener, TcpStream};
use crate::id::AppId;

/// Where stack `index` is reached.
fn at(index: usize, port: u16) -> SocketAddr {
    SocketAddr::new(address(index), port)
}

/// A server on stack 1, port 80, that echoes each connection until its end.
fn echo_server(lab: &mut Lab) -> AppId {
    lab.start(1, "echo", |net| async move {
        let listener = TcpListener::bind(&net, 80, 8)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            net.spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    })
}

/// Connects stack 0 to port 80 of stack 1 and reports how that went.
fn connecting_client(lab: &mut Lab) -> AppId {
    lab.start(0, "client", |net| async move {
        let stream = TcpStream::connect(&net, at(1, 80)).await?;
        net.report("state_then", stream.state());
        Ok(())
    })
}

async fn pause(net: &Net, millis: u64) {
    net.sleep(Duration::from_millis(millis)).await;
}

fn io_failure(error: std::io::Error) -> ProgramError {
    error.kind().to_string().into()
}
