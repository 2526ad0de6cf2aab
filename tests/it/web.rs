//! Web servers and clients among people who mean no good, TLS that repeats itself to the byte, and a user's own program
//! over hyper and rustls as they are published.

use std::sync::Arc;
use std::time::Duration;

use hopwise::record::Value;
use hopwise::{Net, Report, Scenario, TcpListener, TcpStream};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server with and without TLS, and room for a client's programs.
const LAB: &str = r#"
stop = "60s"
[nodes]
client = {}
server = {}
[links]
line = { ends = ["client", "server"], delay = "10ms" }
[apps.web]
on = "server"
kind = "http-server"
port = 80
header_timeout = "3s"
keep_alive = "3s"
max_body = "1000B"
[apps.web.pages]
"/" = "hello\n"
"/big" = { bytes = "100kB" }
"/echo" = { does = "echo" }
"/store/*" = { does = "store" }
"/login" = { does = "login" }
[apps.safe]
on = "server"
kind = "http-server"
port = 443
header_timeout = "3s"
keep_alive = "3s"
tls = true
pages = { "/" = "hello\n" }
"#;

fn scenario(text: &str) -> Scenario {
    Scenario::from_toml("web", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn number(report: &Report, app: &str, key: &str) -> i64 {
    match report.outcome(app, key) {
        Some(Value::Integer(number)) => *number,
        other => panic!("{app}.{key} is {other:?}"),
    }
}

/// Says something to a port and waits until the connection is over, however that comes about.
async fn throw(net: Net, port: u16, pieces: Vec<Vec<u8>>) -> Result<(), hopwise::net::ProgramError> {
    let server = net.lookup("server").await?;
    let mut stream = TcpStream::connect(&net, (server, port).into()).await?;
    for piece in pieces {
        if stream.write_all(&piece).await.is_err() {
            break;
        }
        net.sleep(Duration::from_millis(7)).await;
    }
    let mut heard = Vec::new();
    let _ = net.timeout(Duration::from_secs(20), stream.read_to_end(&mut heard)).await;
    net.report("heard", heard.len());
    net.report("begins", String::from_utf8_lossy(&heard).chars().take(20).collect::<String>());
    Ok(())
}

/// What a client may say: anything, or something like a request, or something like a Client Hello.
fn rubbish() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let word = prop_oneof![
        Just("GET / HTTP/1.1\r\n".to_owned()),
        Just("POST /echo HTTP/1.1\r\n".to_owned()),
        Just("PUT /store/x HTTP/1.1\r\n".to_owned()),
        Just("Host: server\r\n".to_owned()),
        Just("Content-Length: 5\r\n".to_owned()),
        Just("Content-Length: 99999999999999999999\r\n".to_owned()),
        Just("Content-Length: -1\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        Just("Expect: 100-continue\r\n".to_owned()),
        Just("Range: bytes=9-1,,-0\r\n".to_owned()),
        Just("ffffffffffffffff\r\n".to_owned()),
        Just("5\r\nhello\r\n0\r\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        Just(format!("X: {}\r\n", "y".repeat(20_000))),
        "[ -~]{0,20}\r\n",
    ];
    let text = proptest::collection::vec(word, 1..8).prop_map(|words| words.concat().into_bytes());
    let record = (20_u8..24, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(|(kind, bytes)| {
        let length = u16::try_from(bytes.len()).unwrap();
        [&[kind, 3, 1][..], &length.to_be_bytes(), &bytes].concat()
    });
    let anything = proptest::collection::vec(any::<u8>(), 0..300);
    proptest::collection::vec(prop_oneof![text, record, anything], 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_client_says_the_server_lets_go_of_it_and_serves_the_next(pieces in rubbish(), encrypted: bool) {
        let port = if encrypted { 443 } else { 80 };
        let lab = format!("{LAB}after = {{ on = \"client\", kind = \"curl\", url = [\"http://server/\"], start = \"50s\" }}\n");
        let lab = lab.replace("\nafter = ", "\n[apps]\nafter = ");
        let report = scenario(&lab)
            .program("fool", "client", move |net| throw(net, port, pieces.clone()))
            .judge()
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        prop_assert!(report.failure.is_none(), "{:?}", report.failure);
        prop_assert_eq!(number(&report, "after", "status"), 200);
        prop_assert_eq!((number(&report, "web", "active"), number(&report, "safe", "active")), (0, 0));
    }

    #[test]
    fn whatever_a_server_says_curl_comes_to_an_end(pieces in rubbish(), head in "(HTTP/1.[01] [0-9]{3} ?[a-z]{0,4}\r\n)?", encrypted: bool) {
        let text = r#"
stop = "60s"
[nodes]
client = {}
server = {}
[links]
line = { ends = ["client", "server"], delay = "10ms" }
[apps]
fetch = { on = "client", kind = "curl", url = ["URL/", "URL/x"], follow = true, timeout = "5s", verbose = true }
"#;
        let url = if encrypted { "https://server" } else { "http://server" };
        let report = scenario(&text.replace("URL", url))
            .program("fool", "server", move |net| {
                let (pieces, head) = (pieces.clone(), head.clone());
                async move {
                    let listener = TcpListener::bind(&net, if encrypted { 443 } else { 80 }, 8)?;
                    loop {
                        let (mut stream, _) = listener.accept().await?;
                        let mut heard = [0; 1000];
                        let _ = stream.read(&mut heard).await;
                        let _ = stream.write_all(head.as_bytes()).await;
                        for piece in &pieces {
                            let _ = stream.write_all(piece).await;
                        }
                        net.sleep(Duration::from_millis(50)).await;
                    }
                }
            })
            .judge()
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        prop_assert!(report.failure.is_none(), "{:?}", report.failure);
        let state = report.outcome("fetch", "state").cloned();
        prop_assert!(state == Some("failed".into()) || state == Some("finished".into()), "{state:?}");
        prop_assert_eq!(number(&report, "fetch", "requests"), 2);
    }
}

#[test]
fn who_sends_a_request_drop_by_drop_is_let_go_of_in_time() {
    for (port, pieces) in [
        (80, (0..100).map(|_| b"X-Drop: 1\r\n".to_vec()).collect::<Vec<_>>()),
        (80, [b"POST /echo HTTP/1.1\r\nHost: s\r\nContent-Length: 900\r\n\r\n".to_vec()].to_vec()),
        (443, vec![vec![22, 3, 1, 0, 200, 1]]),
    ] {
        let report = scenario(LAB)
            .program("sloth", "client", move |net| {
                let pieces = pieces.clone();
                async move {
                    let begun = net.now();
                    throw(net.clone(), port, pieces).await?;
                    net.report("waited", net.now().since(begun));
                    Ok(())
                }
            })
            .judge()
            .unwrap();
        let Some(Value::Duration(waited)) = report.outcome("sloth", "waited") else { panic!("{report:?}") };
        // Three seconds, one more for the last word, and the way.
        assert!(*waited < Duration::from_millis(4500), "port {port}: {waited:?}");
        assert_eq!(number(&report, "web", "active") + number(&report, "safe", "active"), 0);
    }
}

#[test]
fn what_is_too_large_is_refused_with_the_right_number() {
    let long = format!("GET / HTTP/1.1\r\nHost: s\r\nX: {}\r\n\r\n", "y".repeat(17_000));
    let many = format!("GET / HTTP/1.1\r\nHost: s\r\n{}\r\n", "X: y\r\n".repeat(200));
    for (request, status) in [
        ("POST /echo HTTP/1.1\r\nHost: s\r\nContent-Length: 1001\r\n\r\n".to_owned(), "413"),
        (
            format!(
                "POST /echo HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n",
                "x".repeat(1001)
            ),
            "413",
        ),
        (long, "431"),
        (many, "431"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("rubbish\r\n\r\n".to_owned(), "400"),
    ] {
        let bytes = request.clone().into_bytes();
        let report =
            scenario(LAB).program("one", "client", move |net| throw(net, 80, vec![bytes.clone()])).judge().unwrap();
        let Some(Value::Text(begins)) = report.outcome("one", "begins") else { panic!("{request}") };
        assert!(begins.starts_with(&format!("HTTP/1.1 {status} ")), "{begins}: {}", &request[..30]);
    }
}

#[test]
fn a_server_takes_so_many_connections_and_no_more() {
    let text = LAB.replace("port = 80\n", "port = 80\nmax_connections = 3\n");
    let report = scenario(&text)
        .program("many", "client", |net| async move {
            let server = net.lookup("server").await?;
            let mut held = Vec::new();
            for _ in 0..5 {
                held.push(TcpStream::connect(&net, (server, 80).into()).await?);
            }
            net.sleep(Duration::from_millis(100)).await;
            Ok(())
        })
        .judge()
        .unwrap();
    assert_eq!((number(&report, "web", "connections"), number(&report, "web", "refused")), (3, 2));
    assert_eq!(number(&report, "web", "active"), 0);
}

/// Three requests of two clients over two versions of TLS.
#[cfg(feature = "tls")]
const ENCRYPTED: &str = r#"
stop = "20s"
[nodes]
client = {}
server = {}
[links]
line = { ends = ["client", "server"], delay = "10ms", loss = "3%" }
[apps]
safe = { on = "server", kind = "http-server", port = 443, tls = true, pages = { "/" = { bytes = "20kB" } } }
new = { on = "client", kind = "curl", url = "https://server/", repeat = 2, keep_alive = false }
old = { on = "client", kind = "curl", url = "https://server/", tls = { versions = "1.2" } }
"#;

#[cfg(feature = "tls")]
fn bytes(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let report = scenario(ENCRYPTED).seed(seed).run().unwrap();
    (report.output("pcapng").to_vec(), report.output("keylog").to_vec())
}

#[cfg(feature = "tls")]
#[test]
fn the_same_seed_shakes_hands_to_the_same_bytes_on_every_thread_and_another_does_not() {
    let (capture, keys) = bytes(1);
    assert!(String::from_utf8(keys.clone()).unwrap().lines().count() >= 11, "2 handshakes of 1.3, one of 1.2");
    let threads: Vec<_> = (0..4).map(|number| std::thread::spawn(move || bytes(1 + number % 2))).collect();
    for (number, thread) in threads.into_iter().enumerate() {
        let (others, other_keys) = thread.join().unwrap();
        assert_eq!(others == capture, number % 2 == 0, "thread {number}");
        assert_eq!(other_keys == keys, number % 2 == 0, "thread {number}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn another_program_beside_them_does_not_change_what_two_have_agreed_upon() {
    let keys = |text: &str| scenario(text).run().unwrap().output("keylog").to_vec();
    let alone = keys(&ENCRYPTED.replace(", loss = \"3%\"", ""));
    let third = "third = { on = \"client\", kind = \"curl\", url = \"https://server/\", start = \"10s\" }\n";
    let among = keys(&format!("{}{third}", ENCRYPTED.replace(", loss = \"3%\"", "")));
    assert!(among.starts_with(&alone) && among.len() > alone.len());
}

/// A user's own server and client: hyper and tokio-rustls as they are published, certificates of the run's authority.
#[cfg(feature = "tls")]
#[test]
fn hyper_over_rustls_runs_on_simulated_hosts_as_it_is_published() {
    use hopwise::app::tls::{Authority, Clock, Lucky, Secrets, provider};
    use hopwise::net::hyper::{HyperIo, HyperTimer};
    use http_body_util::{BodyExt as _, Empty, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    async fn serve(net: Net) -> Result<(), hopwise::net::ProgramError> {
        let certified = Authority::of(&net).certify(&net, &["server"]).map_err(|error| error.to_string())?;
        let config = ServerConfig::builder_with_details(Arc::new(provider()), Arc::new(Clock::new(&net)));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = config.with_single_cert(vec![certified.0], certified.1).unwrap();
        config.key_log = Arc::new(Secrets::new(&net));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(&net, 443, 16)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let stream = Lucky::new(&net, Lucky::new(&net, acceptor.accept(stream)).await?);
            let answer = service_fn(|request: Request<Incoming>| async move {
                let text = format!("you asked for {}", request.uri().path());
                Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            let http = http.timer(HyperTimer::new(&net)).auto_date_header(false);
            let _ = http.serve_connection(HyperIo::new(stream), answer).await;
        }
    }

    async fn fetch(net: Net) -> Result<(), hopwise::net::ProgramError> {
        let mut roots = RootCertStore::empty();
        roots.add(Authority::of(&net).certificate()).unwrap();
        let config = ClientConfig::builder_with_details(Arc::new(provider()), Arc::new(Clock::new(&net)));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        let server = net.lookup("server").await?;
        let stream = TcpStream::connect(&net, (server, 443).into()).await?;
        let name = ServerName::try_from("server").unwrap();
        // Making a handshake draws luck too: so it is made while it is polled.
        let shaking = Box::pin(async move { connector.connect(name, stream).await });
        let stream = Lucky::new(&net, Lucky::new(&net, shaking).await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(HyperIo::new(stream)).await.unwrap();
        net.spawn(async move { drop(connection.await) });
        let request = Request::get("/here").header("host", "server").body(Empty::<Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        net.report("body", String::from_utf8_lossy(&body).into_owned());
        Ok(())
    }

    let lab = "stop = \"5s\"\nnodes = { client = {}, server = {} }\nlinks = { line = { ends = [\"client\", \"server\"], delay = \"10ms\" } }\n";
    let run = || scenario(lab).program("web", "server", serve).program("fetch", "client", fetch).run().unwrap();
    let (first, second) = (run(), run());
    assert_eq!(first.outcome("fetch", "body"), Some(&"you asked for /here".into()));
    assert_eq!(first.output("pcapng"), second.output("pcapng"));
}
