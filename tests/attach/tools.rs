//! What people know: ping, traceroute, tracepath, curl, nmap, tshark.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::lab::{LINE, Lab, RTT_MS, SERVER, SERVER6, median, numbers_behind};

#[test]
fn the_median_round_trip_of_a_ping_is_that_of_the_scenario_within_two_milliseconds() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    for server in [SERVER, SERVER6] {
        let text = lab.run(&["ping", "-n", "-c", "21", "-i", "0.1", server]);
        let rtt = median(numbers_behind(&text, "time="));
        println!("{server}: median {rtt} ms, the scenario says {RTT_MS} ms");
        assert!((rtt - RTT_MS).abs() < 2.0, "{rtt} ms\n{text}");
        assert!(text.contains(" 0% packet loss"), "{text}");
    }
    session.end().well();
}

#[test]
fn traceroute_lists_the_very_routers_and_stars_for_the_silent_one() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    let hops = |text: &str| -> Vec<String> {
        let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                line.split_whitespace()
                    .skip(1)
                    .filter(|word| !word.ends_with("ms") && word.parse::<f64>().is_err())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    };
    let text = lab.run(&["traceroute", "-n", "-q", "3", "-w", "0.5", SERVER]);
    assert_eq!(hops(&text), ["10.0.0.1", "* * *", "10.0.2.2", SERVER], "{text}");
    let text = lab.run(&["traceroute", "-6", "-n", "-q", "3", "-w", "0.5", SERVER6]);
    assert_eq!(hops(&text), ["2001:db8::1", "* * *", "2001:db8:2::2", SERVER6], "{text}");
    let text = lab.run(&["traceroute", "-n", "-I", "-q", "1", "-w", "0.5", SERVER]);
    assert_eq!(hops(&text), ["10.0.0.1", "*", "10.0.2.2", SERVER], "{text}");
    session.end().well();
}

#[test]
fn tracepath_finds_the_path_mtu() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    for server in [SERVER, SERVER6] {
        let text = lab.run(&["tracepath", "-n", server]);
        assert!(text.contains("Resume: pmtu 1400 hops 4"), "{text}");
    }
    // And so does anybody who sets don't-fragment: the kernel knows it by now.
    let text = lab.run(&["ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1372", SERVER]);
    assert!(text.contains("1 received"), "1372 + 28 bytes fit\n{text}");
    let text = lab.run(&["ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1373", SERVER]);
    assert!(text.contains("mtu=1400") || text.contains("mtu = 1400"), "one byte more does not\n{text}");
    session.end().well();
}

#[test]
fn large_pings_are_cut_and_put_together_on_both_sides() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    for (server, size) in [(SERVER, "8000"), (SERVER6, "8000"), (SERVER, "60000")] {
        // The first one may teach the kernel the path MTU: only a source cuts an IPv6 packet.
        lab.run(&["ping", "-n", "-c", "1", "-W", "1", "-M", "dont", "-s", size, server]);
        let text = lab.run(&["ping", "-n", "-c", "2", "-W", "3", "-M", "dont", "-s", size, server]);
        assert!(text.contains("2 received"), "{size} bytes to {server}\n{text}");
    }
    session.end().well();
}

#[test]
fn curl_and_sockets_talk_to_a_simulated_server_over_tcp() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    let text = lab.run(&["sh", "-c", &format!("(echo hello; sleep 0.5) | curl -s --max-time 5 telnet://{SERVER}:7")]);
    assert!(text.starts_with("hello"), "{text}");
    for server in [format!("{SERVER}:7"), format!("[{SERVER6}]:7")] {
        let echoed = lab.inside(|| {
            let mut stream = TcpStream::connect(server).unwrap();
            let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
            let mut writer = stream.try_clone().unwrap();
            let expected = sent.clone();
            let writing = std::thread::spawn(move || {
                writer.write_all(&sent).unwrap();
                writer.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            writing.join().unwrap();
            back == expected
        });
        assert!(echoed, "every byte comes back");
    }
    let refused = lab.inside(|| TcpStream::connect(format!("{SERVER}:9")).unwrap_err().kind());
    assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
    let unheard = lab.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(format!("{SERVER}:9")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.send(b"anybody?").unwrap();
        socket.recv(&mut [0; 8]).unwrap_err().kind()
    });
    assert_eq!(unheard, std::io::ErrorKind::ConnectionRefused, "ICMP port unreachable reaches the socket");
    session.end().well();
}

#[test]
fn a_simulated_client_talks_to_a_real_server() {
    let scenario = format!(
        "{LINE}talk = {{ on = \"server\", kind = \"tcp-send\", to = \"access:8000\", text = \"hello\", start = \"3500ms\" }}\n"
    );
    let lab = Lab::new();
    let (asked, session) = lab.inside(|| {
        let listener = TcpListener::bind("0.0.0.0:8000").unwrap();
        let session = lab.attach(&scenario, &["--at", "access", "-o", "summary"]);
        let (mut stream, peer) = listener.accept().unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(b"welcome").unwrap();
        ((String::from_utf8_lossy(&bytes).into_owned(), peer.ip().to_string()), session)
    });
    assert_eq!(asked, ("hello".to_owned(), SERVER.to_owned()));
    std::thread::sleep(Duration::from_millis(200));
    let ended = session.end().well();
    assert!(ended.text().contains("reply \"welcome\""), "{}", ended.text());
}

#[test]
fn nmap_sees_exactly_the_ports_that_are_open() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    for scan in ["-sT", "-sS"] {
        let text = lab.run(&["nmap", "-n", "-Pn", scan, "-p", "1-200", SERVER]);
        let open: Vec<&str> = text.lines().filter(|line| line.contains("/tcp")).collect();
        assert!(open.len() == 2 && open[0].starts_with("7/tcp") && open[1].starts_with("80/tcp"), "{text}");
        assert!(open.iter().all(|line| line.contains(" open ")) && text.contains("198 closed"), "{text}");
    }
    session.end().well();
}

#[test]
fn a_capture_can_be_read_while_the_session_goes_on() {
    let lab = Lab::new();
    // Into a pipe, as `| wireshark -k -i -` reads it.
    let path = lab.scenario(LINE);
    let pipe = format!(
        "{} attach {path} --warm-up 3s --until 8s --at access --output pcapng 2>/dev/null | tshark -l -r - -Y icmp.type==0 2>/dev/null",
        lab.path("hopwise")
    );
    let mut watching = lab.command(&["sh", "-c", &pipe]);
    let watching = watching.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let text = lab.run(&["sh", "-c", &format!("for i in $(seq 50); do ip route get {SERVER} >/dev/null 2>&1 && break; sleep 0.1; done; ping -n -c 12 -i 0.2 -W 1 {SERVER}")]);
    assert!(text.contains(" received"), "{text}");
    let output = watching.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.lines().filter(|line| line.contains("Echo (ping) reply")).count() >= 4, "{shown}");
    // Into a file, which is whole whenever somebody looks.
    let file = lab.path("live.pcapng");
    let session = lab.attach(LINE, &["--at", "access", "--output", &format!("pcapng={file}")]);
    lab.run(&["ping", "-n", "-c", "3", "-i", "0.2", SERVER]);
    std::thread::sleep(Duration::from_millis(200));
    let shown = lab.run(&["tshark", "-r", &file, "-Y", "icmp && frame.interface_name == \"access:eth0\""]);
    assert!(shown.matches("Echo (ping) reply").count() == 3, "{shown}");
    session.end().well();
}
