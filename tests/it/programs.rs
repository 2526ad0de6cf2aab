//! Programs as somebody writes them who has only the published crate: hyper, tokio-rustls and domain over its sockets,
//! one program on many hosts, and programs that misbehave.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, Ttl};
use domain::rdata::A;
use hopwise::net::hyper::{HyperIo, HyperTimer};
use hopwise::net::{Net, ProgramError, TcpListener, TcpStream, UdpSocket};
use hopwise::record::Value;
use hopwise::{Scenario, Time};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Two hosts behind routers, and a link between them that loses and delays.
const LOSSY: &str = r#"
    seed = 5
    [nodes]
    client = {}
    server = {}
    [nodes.r1]
    kind = "router"
    [nodes.r2]
    kind = "router"
    [links]
    left  = { ends = ["client", "r1"], delay = "1ms" }
    wan   = { ends = ["r1", "r2"], delay = "20ms", rate = "20Mbit", loss = "3%" }
    right = { ends = ["r2", "server"], delay = "1ms" }
"#;

/// A star of five hosts, of which h1 serves.
const STAR: &str = r#"
    topology.star = { kind = "star", hosts = 5 }
"#;

fn lossy() -> Scenario {
    Scenario::from_toml("lossy", LOSSY).unwrap()
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

async fn page(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.uri().path() {
        "/big" => vec![b'x'; 300_000],
        path => format!("you asked for {path}").into_bytes(),
    };
    Ok(Response::new(Full::new(body.into())))
}

async fn web_server(net: Net) -> Result<(), ProgramError> {
    let listener = TcpListener::bind(&net, 80, 64)?;
    let timer = HyperTimer::new(&net);
    let never = listener.serve(move |stream, _| {
        let mut http = server::conn::http1::Builder::new();
        let connection = http.timer(timer.clone()).auto_date_header(false);
        let connection = connection.serve_connection(HyperIo::new(stream), service_fn(page));
        async move { drop(connection.await) }
    });
    match never.await? {}
}

/// The body at a path of a host.
async fn get(net: &Net, host: &str, path: &str) -> Result<Bytes, ProgramError> {
    let stream = TcpStream::connect(net, (net.lookup(host).await?, 80).into()).await?;
    let (mut sender, connection) = client::conn::http1::handshake(HyperIo::new(stream)).await?;
    net.spawn(connection);
    let request = Request::get(path).header("host", host).body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.into_body().collect().await?.to_bytes())
}

#[test]
fn hyper_runs_at_both_ends_over_a_lossy_network_and_gives_the_same_bytes_twice() {
    let scenario = lossy().program("web", "server", web_server).program("browser", "client", |net| async move {
        net.report("small", String::from_utf8_lossy(&get(&net, "server", "/index").await?).into_owned());
        net.report("big", get(&net, "server", "/big").await?.len());
        Ok(())
    });
    let (first, second) = (scenario.run().unwrap(), scenario.run().unwrap());
    assert_eq!(text(first.outcome("browser", "small")), "you asked for /index");
    assert_eq!(first.outcome("browser", "big"), Some(&Value::Integer(300_000)));
    assert!(first.text().contains("loss"), "nothing was lost on the way");
    assert_eq!((first.text(), first.pcapng()), (second.text(), second.pcapng()));
}

/// A self-signed certificate for `server`, and its key: an Ed25519 key, whose signatures draw no luck.
#[cfg(feature = "tls")]
fn certificate() -> (rustls::pki_types::CertificateDer<'static>, rustls::pki_types::PrivateKeyDer<'static>) {
    // RFC 8410 §7: a private key is 16 fixed octets and 32 of one's own.
    let mut key = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    key.extend([7; 32]);
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.into());
    let pair = rcgen::KeyPair::from_der_and_sign_algo(&key, &rcgen::PKCS_ED25519).unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["server".to_owned()]).unwrap();
    parameters.serial_number = Some(1_u64.into());
    (parameters.self_signed(&pair).unwrap().der().clone(), key)
}

#[cfg(feature = "tls")]
#[test]
fn tls_runs_over_the_streams_of_the_simulation_and_gives_the_same_bytes_twice() {
    use hopwise::app::tls::{Clock, Lucky, provider};
    use rustls::pki_types::ServerName;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    async fn echo(net: Net) -> Result<(), ProgramError> {
        let (certificate, key) = certificate();
        let config = rustls::ServerConfig::builder_with_details(Arc::new(provider()), Arc::new(Clock::new(&net)));
        let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.map_err(|error| error.to_string())?));
        let (stream, _) = TcpListener::bind(&net, 443, 4)?.accept().await?;
        let handshake = Box::pin(async move { acceptor.accept(stream).await });
        let mut stream = Lucky::new(&net, Lucky::new(&net, handshake).await?);
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await?;
        stream.write_all(&heard).await?;
        Ok(stream.shutdown().await?)
    }

    async fn talk(net: Net) -> Result<(), ProgramError> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate().0).map_err(|error| error.to_string())?;
        let config = rustls::ClientConfig::builder_with_details(Arc::new(provider()), Arc::new(Clock::new(&net)));
        let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        let stream = TcpStream::connect(&net, (net.lookup("server").await?, 443).into()).await?;
        let name = ServerName::try_from("server").map_err(|error| error.to_string())?;
        // Inside of the future that has the program's luck, because the first message is made at once.
        let handshake = Box::pin(async move { connector.connect(name, stream).await });
        let mut stream = Lucky::new(&net, Lucky::new(&net, handshake).await?);
        stream.write_all(b"a secret").await?;
        stream.shutdown().await?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await?;
        net.report("heard", heard);
        Ok(())
    }

    let run = |seed| lossy().seed(seed).program("echo", "server", echo).program("talk", "client", talk).run().unwrap();
    let report = run(5);
    assert_eq!(text(report.outcome("talk", "heard")), "a secret", "{:?}", report.outcomes);
    let wire = report.pcapng();
    assert!(!wire.windows(8).any(|bytes| bytes == b"a secret"), "it was seen on the wire");
    assert_eq!(wire, run(5).pcapng());
    assert_ne!(wire, run(6).pcapng());
}

/// Answers every question for an address with 192.0.2.1.
async fn name_server(net: Net) -> Result<(), ProgramError> {
    let socket = UdpSocket::bind(&net, 53)?;
    let mut buffer = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        let question = Message::from_octets(&buffer[..length]).map_err(|error| error.to_string())?;
        let builder = MessageBuilder::new_vec();
        let mut answer = builder.start_answer(&question, Rcode::NOERROR).map_err(|error| error.to_string())?;
        let name = question.sole_question().map_err(|error| error.to_string())?;
        let address = A::new(Ipv4Addr::new(192, 0, 2, 1));
        let record = (name.qname(), Class::IN, Ttl::from_secs(60), address);
        answer.push(record).map_err(|error| error.to_string())?;
        socket.send_to(&answer.finish(), from).await?;
    }
}

async fn ask(net: Net) -> Result<(), ProgramError> {
    let name: Name<Vec<u8>> = "www.example.com".parse().map_err(|_| "this is no name")?;
    let mut question = MessageBuilder::new_vec().question();
    question.header_mut().set_id(net.random_below(1 << 16) as u16);
    question.push((&name, Rtype::A)).map_err(|error| error.to_string())?;
    let question = question.finish();
    let socket = UdpSocket::bind(&net, 0)?;
    socket.connect((net.lookup("server").await?, 53).into())?;
    let mut buffer = [0; 512];
    for _ in 0..5 {
        socket.send(&question).await?;
        // The way there is lossy: ask again after a second.
        let Ok(length) = net.timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await else { continue };
        let answer = Message::from_octets(&buffer[..length?]).map_err(|error| error.to_string())?;
        let records = answer.answer().map_err(|error| error.to_string())?;
        for record in records.limit_to::<A>().flatten() {
            net.report("address", record.data().addr().to_string());
        }
        return Ok(());
    }
    Err("nobody answers".into())
}

#[test]
fn the_dns_crate_runs_over_udp_sockets() {
    let report = lossy().program("names", "server", name_server).program("ask", "client", ask).run().unwrap();
    assert_eq!(text(report.outcome("ask", "address")), "192.0.2.1");
}

#[test]
fn one_program_runs_on_many_hosts() {
    let scenario = |clients: &[&str]| {
        Scenario::from_toml("star", STAR).unwrap().program("web", "h1", web_server).program_on_each(
            "get",
            clients.iter().copied(),
            |net| async move {
                let body = get(&net, "h1", &format!("/{}", net.host_name())).await?;
                net.report("body", String::from_utf8_lossy(&body).into_owned());
                Ok(())
            },
        )
    };
    let report = scenario(&["h2", "h*", "h5"]).judge().unwrap();
    let apps: Vec<&str> = report.outcomes.iter().map(|one| one.app.as_str()).collect();
    assert_eq!(apps, ["web", "get@h2", "get@h1", "get@h3", "get@h4", "get@h5"]);
    assert_eq!(text(report.outcome("get@h4", "body")), "you asked for /h4");
    let wrong = scenario(&["h9*"]).judge().unwrap_err().to_string();
    assert!(wrong.contains("the program `get` is to run on `h9*`, which is no machine"), "{wrong}");
    let twice = scenario(&["h2"]).program_on_each("get", ["h2"], |_| async { Ok(()) }).judge().unwrap_err();
    assert!(twice.to_string().contains("two programs are called `get@h2`"), "{twice}");
}

#[test]
fn expectations_look_at_one_or_at_all_of_many() {
    let with = |on: &str, expectation: &str| {
        let text = format!(
            r#"{STAR}
            [apps]
            echo = {{ on = "h1", kind = "tcp-echo", port = 7 }}
            talk = {{ on = {on}, kind = "tcp-send", to = "h1:7", text = "hello" }}
            [[expect]]
            that = '{expectation}'
            "#
        );
        Scenario::from_toml("many", text).map(|scenario| scenario.judge().unwrap()).map_err(|wrong| wrong.to_string())
    };
    for (on, expectation) in [
        (r#"["h2", "h3"]"#, r#"apps.talk@h3.reply == "hello""#),
        (r#"["h2", "h3"]"#, r#"count(apps.talk@*.reply, "hello") == 2 && len(apps.talk@*.reply) == 2"#),
        (r#"["h2", "h*"]"#, r#"count(apps.talk@h*.state, "finished") == 5"#),
        (
            r#""all hosts""#,
            "sum(apps.talk@*.received) == 5*5 && min(apps.talk@*.received) == max(apps.talk@*.received)",
        ),
        (r#""all hosts""#, "sum(apps.talk@*.elapsed) >= 5*min(apps.talk@*.elapsed)"),
        (r#"["h2"]"#, r#"apps.talk@*.reply == ["hello"] && !has(apps.talk@h2.error)"#),
    ] {
        let report = with(on, expectation).unwrap();
        assert!(report.is_met(), "{expectation}: {}", report.objections());
    }
    let report = with(r#"["h2", "h3"]"#, r#"count(apps.talk@*.reply, "hello") == 3"#).unwrap();
    assert_eq!(
        report.objections(),
        "not met: count(apps.talk@*.reply, \"hello\") == 3\n  count(apps.talk@*.reply, \"hello\") == 3: \
         count(apps.talk@*.reply, \"hello\") is 2\n"
    );
    for (on, expectation, wrong) in [
        (r#"["h2", "h3"]"#, "has(apps.talk.reply)", "`talk@h2` is one of them, `talk@*` means all"),
        (r#"["h2", "h3"]"#, "has(apps.talk@h4.reply)", "no app is called `talk@h4`"),
        (r#"["h2", "h3"]"#, "has(apps.talk@r*.reply)", "no app has a name like `talk@r*`"),
        (r#"["h2", "h3"]"#, "len(apps.talk@*.replies) == 0", "did you mean `apps.talk@*.reply`?"),
        (r#"["h2", "h3"]"#, "count(apps.talk@*.reply) == 2", "a list and a value"),
        (r#""all routers""#, "run.time > 0s", "there is no node among `all routers` that can run it"),
        (r#"["h2", "h2"]"#, "run.time > 0s", "`h2` is named twice"),
        (r#""x*""#, "run.time > 0s", "no host or router has a name like `x*`"),
    ] {
        let told = with(on, expectation).unwrap_err();
        assert!(told.contains(wrong), "{expectation} on {on}:\n{told}");
    }
}

/// A server that panics at its third client.
async fn fragile(net: Net) -> Result<(), ProgramError> {
    let listener = TcpListener::bind(&net, 7, 8)?;
    for served in 0.. {
        let _client = listener.accept().await?;
        assert!(served < 2, "too many clients: {served}");
    }
    Ok(())
}

fn misbehaving(more: &str) -> Scenario {
    let text =
        format!("{more}\n{STAR}\n[apps]\nlast = {{ on = \"h5\", kind = \"tcp-echo\", port = 7, stop = \"60s\" }}");
    Scenario::from_toml("fragile", text).unwrap().program("fragile", "h1", fragile).program_on_each(
        "client",
        ["h2", "h3", "h4"],
        |net| async move {
            let mut stream = TcpStream::connect(&net, (net.lookup("h1").await?, 7).into()).await?;
            stream.read_to_end(&mut Vec::new()).await?;
            Ok(())
        },
    )
}

#[test]
fn a_panic_is_a_finding_that_names_program_and_host_and_the_run_goes_on() {
    let report = misbehaving("").judge().unwrap();
    let finding = report.findings.first().unwrap();
    assert_eq!((finding.name.as_str(), finding.is_met, finding.line), ("`fragile` behaves", false, None));
    assert!(finding.detail.starts_with("program `fragile` on `h1` panicked at "), "{}", finding.detail);
    assert!(finding.detail.ends_with(" s: too many clients: 2"), "{}", finding.detail);
    assert!(!report.is_met() && report.failure.is_none() && report.findings.len() == 1);
    assert_eq!(
        (text(report.outcome("fragile", "state")), text(report.outcome("fragile", "error"))),
        ("failed".to_owned(), finding.detail.clone())
    );
    assert!(report.ended_at >= Time::from_secs(60), "{}", report.ended_at);
}

#[test]
fn a_run_stops_at_misbehavior_if_the_scenario_says_so() {
    let report = misbehaving("on_misbehavior = \"stop\"").judge().unwrap();
    assert!(report.ended_at < Time::from_secs(1), "{}", report.ended_at);
    let failure = report.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(failure, report.findings[0].detail);
    let objections = report.objections();
    assert!(objections.contains("not met: `fragile` behaves") && objections.contains("given up: program `fragile`"));
    // In whatever steps it is run.
    let mut run = misbehaving("on_misbehavior = \"stop\"").build().unwrap();
    while run.events(1) {}
    assert_eq!(run.finish().ended_at, report.ended_at);
    let wrong = Scenario::from_toml("wrong", format!("on_misbehavior = \"explode\"\n{STAR}")).unwrap_err().to_string();
    assert!(wrong.contains("continue") && wrong.contains("stop"), "{wrong}");
}

#[test]
fn sockets_that_are_left_open_are_a_finding_on_every_host() {
    let scenario = Scenario::from_toml("leaky", STAR);
    let scenario = scenario.unwrap().program_on_each("leaky", ["h*"], |net| async move {
        for _ in 0..40 {
            let net = net.clone();
            std::mem::forget(UdpSocket::bind(&net, 0)?);
        }
        Ok(())
    });
    let report = scenario.judge().unwrap();
    assert_eq!(report.findings.len(), 5);
    assert!(report.findings[0].detail.ends_with(", 37 more"), "{}", report.findings[0].detail);
}

#[test]
fn groups_reach_those_who_have_joined_them_on_real_machines() {
    let scenario =
        Scenario::from_toml("groups", STAR).unwrap().program_on_each("member", ["h2", "h3"], |net| async move {
            let group = Ipv4Addr::new(239, 255, 1, 1);
            let socket = UdpSocket::bind(&net, 5000)?;
            let own = net.interfaces()?[0].addresses[0].addr();
            let std::net::IpAddr::V4(own) = own else { return Err("no IPv4 address".into()) };
            let foreign = socket.join_multicast_v4(group, Ipv4Addr::new(192, 0, 2, 9)).unwrap_err();
            assert_eq!(foreign.kind(), std::io::ErrorKind::AddrNotAvailable);
            socket.join_multicast_v4(group, own)?;
            let datagram = socket.recv_datagram().await?;
            net.report("ttl", u64::from(datagram.ttl));
            socket.leave_multicast_v4(group, own)?;
            let after = net.timeout(Duration::from_secs(10), socket.recv(&mut [0; 9])).await;
            net.report("hears_on", after.is_ok());
            Ok(())
        });
    let scenario = scenario.program("sender", "h4", |net| async move {
        let socket = UdpSocket::bind(&net, 0)?;
        for _ in 0..2 {
            net.sleep(Duration::from_secs(1)).await;
            socket.send_to(b"to all", SocketAddr::from(([239, 255, 1, 1], 5000))).await?;
        }
        Ok(())
    });
    let report = scenario.judge().unwrap();
    assert!(report.is_met(), "{}", report.objections());
    for member in ["member@h2", "member@h3"] {
        assert_eq!(report.outcome(member, "ttl"), Some(&Value::Integer(1)), "{:?}", report.outcomes);
        assert_eq!(report.outcome(member, "hears_on"), Some(&Value::Boolean(false)));
    }
}
