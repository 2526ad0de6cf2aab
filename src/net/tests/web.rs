//! hyper over the lab's wire: it runs as published, and its timeouts are virtual.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::rt::{Executor as _, Timer as _};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::hyper::{HyperExecutor, HyperIo, HyperTimer};
use super::super::testing::{Lab, address};
use super::super::{Net, ProgramError, TcpListener, TcpStream};
use crate::time::Time;

fn failed(error: impl std::fmt::Display) -> ProgramError {
    ProgramError::new(error.to_string())
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = format!("{path}: {} bytes", body.len());
    Ok(Response::new(Full::new(text.into())))
}

async fn serve(net: Net) -> Result<(), ProgramError> {
    let listener = TcpListener::bind(&net, 80, 16)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let mut http = server::Builder::new();
        http.timer(HyperTimer::new(&net)).auto_date_header(false).header_read_timeout(Duration::from_secs(5));
        let (net, shown) = (net.clone(), net.clone());
        HyperExecutor::new(&net).execute(async move {
            let ended = http.serve_connection(HyperIo::new(stream), service_fn(answer)).await;
            shown.report("ended", ended.map_or_else(|error| error.to_string(), |()| "well".to_owned()));
            shown.report("ended_at", shown.now().to_string());
        });
    }
}

#[test]
fn hyper_serves_and_asks_over_simulated_segments() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", serve);
    let asking = lab.start(0, "client", |net| async move {
        let stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        let (mut sender, connection) = client::handshake(HyperIo::new(stream)).await.map_err(failed)?;
        net.spawn(async move { drop(connection.await) });
        // 100,000 bytes do not fit into one chunk, nor into a window: backpressure works both ways.
        for (path, length) in [("/first", 0_usize), ("/second", 100_000)] {
            let request = Request::post(path).header("host", "b").body(Full::new(Bytes::from(vec![7; length])));
            let response = sender.send_request(request.map_err(failed)?).await.map_err(failed)?;
            assert_eq!((response.status(), response.headers().contains_key("date")), (StatusCode::OK, false));
            let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
            assert_eq!(body, format!("{path}: {length} bytes"));
        }
        Ok(())
    });
    lab.run_for(60_000);
    assert_eq!((lab.text(0, asking, "state"), lab.text(0, asking, "error")), ("finished".into(), "-".into()));
}

#[test]
fn hypers_timeouts_are_counted_in_virtual_time() {
    let mut lab = Lab::new(2);
    let serving = lab.start(1, "server", serve);
    lab.start(0, "client", |net| async move {
        net.sleep(Duration::from_secs(100)).await;
        let mut stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        // A request that never ends.
        stream.write_all(b"GET / HTTP/1.1\r\n").await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    });
    lab.run_for(200_000);
    // 100 s, a handshake whose second half is the request's way there as well (20 ms + 10 ms), and 5 s of patience:
    // hyper's begin when it first reads, with the connection, at 100.030 s.
    assert_eq!(lab.text(1, serving, "ended_at"), "105.030");
    assert!(lab.text(1, serving, "ended").contains("header"), "{}", lab.text(1, serving, "ended"));
}

#[test]
fn hypers_clock_and_the_programs_are_one() {
    let mut lab = Lab::new(1);
    let app = lab.start(0, "clock", |net| async move {
        let timer = HyperTimer::new(&net);
        let begin = timer.now();
        timer.sleep(Duration::from_secs(3)).await;
        assert_eq!(timer.now() - begin, Duration::from_secs(3));
        let mut sleep = timer.sleep_until(begin + Duration::from_secs(4));
        timer.reset(&mut sleep, begin + Duration::from_secs(7));
        sleep.await;
        assert_eq!(net.now(), Time::from_secs(7));
        // A deadline that has passed.
        timer.sleep_until(begin).await;
        assert_eq!(net.now(), Time::from_secs(7));
        Ok(())
    });
    lab.run_for(60_000);
    assert_eq!((lab.text(0, app, "state"), lab.text(0, app, "error")), ("finished".into(), "-".into()));
}

#[test]
fn an_upgraded_connection_is_a_stream_again() {
    let mut lab = Lab::new(2);
    lab.start(1, "server", |net| async move {
        let listener = TcpListener::bind(&net, 80, 16)?;
        let (stream, _) = listener.accept().await?;
        let spawner = net.clone();
        let switch = service_fn(move |request: Request<Incoming>| {
            let net = spawner.clone();
            async move {
                net.spawn(async move {
                    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
                    let mut stream = HyperIo::new(upgraded);
                    let mut asked = [0; 5];
                    let _ = stream.read_exact(&mut asked).await;
                    let _ = stream.write_all(&asked).await;
                });
                let response =
                    Response::builder().status(101).header("upgrade", "echo").header("connection", "upgrade");
                response.body(Empty::<Bytes>::new())
            }
        });
        let mut http = server::Builder::new();
        http.timer(HyperTimer::new(&net)).auto_date_header(false);
        http.serve_connection(HyperIo::new(stream), switch).with_upgrades().await.map_err(failed)?;
        net.sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let client = lab.start(0, "client", |net| async move {
        let stream = TcpStream::connect(&net, (address(1), 80).into()).await?;
        let (mut sender, connection) = client::handshake(HyperIo::new(stream)).await.map_err(failed)?;
        net.spawn(async move { drop(connection.with_upgrades().await) });
        let request = Request::get("/").header("host", "b").header("upgrade", "echo").header("connection", "upgrade");
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).map_err(failed)?).await;
        let mut stream = HyperIo::new(hyper::upgrade::on(response.map_err(failed)?).await.map_err(failed)?);
        stream.write_all(b"hello").await?;
        let mut reply = [0; 5];
        stream.read_exact(&mut reply).await?;
        assert_eq!(&reply, b"hello");
        Ok(())
    });
    lab.run_for(60_000);
    assert_eq!((lab.text(0, client, "state"), lab.text(0, client, "error")), ("finished".into(), "-".into()));
}
