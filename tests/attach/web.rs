//! `curl` as Debian has it, over simulated links: HTTP, redirects, cookies, TLS with the scenario's own authority.

use std::fs;

use super::lab::{Lab, Session};

/// The world, attached, with its home router as the machine's name server, and whom its clients trust in `ca.pem`.
fn world(lab: &Lab) -> (Session, String) {
    let session = lab.attach(&fs::read_to_string("scenarios/world.toml").unwrap(), &[]);
    let path = lab.path("resolv.conf");
    fs::write(&path, "nameserver 192.168.77.1\noptions timeout:5 attempts:2\n").unwrap();
    // Seen in this namespace alone.
    lab.run(&["mount", "--bind", &path, "/etc/resolv.conf"]);
    let authority = lab.run(&[&lab.path("hopwise"), "ca", "world"]);
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"), "{authority}");
    let ca = lab.path("ca.pem");
    fs::write(&ca, authority).unwrap();
    (session, ca)
}

/// What curl says, on both its outputs, and how it ended.
fn curl(lab: &Lab, arguments: &str) -> String {
    lab.run(&["sh", "-c", &format!("curl -sS --max-time 20 {arguments} 2>&1; echo \"exit $?\"")])
}

#[test]
fn curl_speaks_http_with_a_site_that_it_finds_by_name() {
    let lab = Lab::new();
    let (session, _) = world(&lab);
    let text = curl(&lab, "-v -4 http://www.berlin.example/");
    for line in ["> GET / HTTP/1.1", "< HTTP/1.1 200 OK", "< Server: hopwise", "<h1>Berlin</h1>", "exit 0"] {
        assert!(text.contains(line), "`{line}` is missing\n{text}");
    }
    assert!(text.contains("(192.0.2.80) port 80") && text.contains("< Date: Thu, 01 Jan 2026 00:0"), "{text}");
    // A redirect, two pages over one connection, a form, and a page of which the length is not known beforehand.
    let text = curl(&lab, "-v -L http://www.berlin.example/old http://www.berlin.example/clock");
    assert!(text.contains("< HTTP/1.1 301 Moved Permanently") && text.contains("<h1>Berlin</h1>"), "{text}");
    assert!(text.contains("Transfer-Encoding: chunked") || text.contains("transfer-encoding: chunked"), "{text}");
    assert_eq!(text.matches("* Connected to").count(), 1, "one connection for all of it\n{text}");
    assert!(["tick", "tock"].iter().all(|word| text.matches(word).count() == 2), "{text}");
    let text = curl(&lab, "-d name=Ada http://www.berlin.example/echo");
    assert_eq!(text, "name=Adaexit 0\n");
    let text =
        curl(&lab, "-o /dev/null -w '%{size_download} %{http_code}\\n' -r 1000-1999 http://www.oakland.example/file");
    assert!(text.contains("1000 206\nexit 0"), "{text}");
    let text = curl(&lab, "-o /dev/null -w '%{size_download} %{http_code}\\n' http://www.oakland.example/file");
    assert!(text.contains("1000000 200\nexit 0"), "a megabyte through the small link\n{text}");
    let text = curl(&lab, "-6 http://www.six.example/");
    assert!(text.contains("You have IPv6") && text.contains("exit 0"), "{text}");
    session.end().well();
}

#[test]
fn curl_keeps_a_cookie_and_is_known_the_second_time() {
    let lab = Lab::new();
    let (session, _) = world(&lab);
    let jar = lab.path("jar");
    for visit in 1..=2 {
        let text = curl(&lab, &format!("-b {jar} -c {jar} http://www.berlin.example/visit"));
        assert_eq!(text, format!("visit {visit}\nexit 0\n"));
    }
    assert_eq!(curl(&lab, "http://www.berlin.example/visit"), "visit 1\nexit 0\n");
    let text = curl(
        &lab,
        &format!("-L -b {jar} -c {jar} -d 'user=alice&password=wonderland' http://www.berlin.example/login"),
    );
    assert_eq!(text, "hello alice\nexit 0\n");
    session.end().well();
}

#[test]
fn curl_speaks_tls_with_whom_the_scenarios_authority_vouches_for_and_with_nobody_else() {
    let lab = Lab::new();
    let (session, ca) = world(&lab);
    let text = curl(&lab, &format!("-v --cacert {ca} https://www.kyoto.example/"));
    for line in [
        "SSL connection using TLSv1.3",
        "issuer: CN=hopwise scenario authority",
        "SSL certificate verify ok",
        "<h1>Kyoto</h1>",
        "exit 0",
    ] {
        assert!(text.contains(line), "`{line}` is missing\n{text}");
    }
    let text = curl(&lab, &format!("-v --tls-max 1.2 --cacert {ca} https://www.kyoto.example/"));
    assert!(text.contains("SSL connection using TLSv1.2") && text.contains("<h1>Kyoto</h1>"), "{text}");
    let text = curl(&lab, &format!("-L --cacert {ca} http://www.kyoto.example/"));
    assert!(text.contains("<h1>Kyoto</h1>"), "port 80 leads to TLS\n{text}");
    // Nobody vouches for it; it is somebody else; and the same without looking.
    let text = curl(&lab, "https://www.kyoto.example/");
    assert!(text.contains("curl: (60)") && text.contains("exit 60"), "{text}");
    let text = curl(&lab, &format!("--cacert {ca} --resolve bank.example:443:203.0.113.80 https://bank.example/"));
    assert!(text.contains("curl: (60)") && text.contains("bank.example") && text.contains("exit 60"), "{text}");
    let text = curl(&lab, "-k --resolve bank.example:443:203.0.113.80 https://bank.example/");
    assert!(text.contains("<h1>Kyoto</h1>") && text.contains("exit 0"), "{text}");
    // And what was refused did the server no harm.
    let text = curl(&lab, &format!("--cacert {ca} https://kyoto.example/"));
    assert!(text.contains("<h1>Kyoto</h1>"), "{text}");
    session.end().well();
}
