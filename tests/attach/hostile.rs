//! Floods, nonsense, and what must not leak.

use std::net::Ipv4Addr;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with};

use super::lab::{LINE, Lab, SERVER, Session};

/// A generator of nonsense that is the same each time (Marsaglia's xorshift).
struct Nonsense(u64);

impl Nonsense {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn is_alive(lab: &Lab, session: &Session) {
    // What stands in the device's queue comes first.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let text = lab.run(&["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", SERVER]);
    assert!(text.contains("3 received"), "{text}\n{}", session.told());
}

#[test]
fn floods_end_in_counters() {
    let lab = Lab::new();
    let mut session = lab.attach(LINE, &["--at", "access"]);
    let text = lab.run(&["timeout", "3", "ping", "-n", "-f", "-c", "20000", "-q", SERVER]);
    println!("ping -f: {}", text.lines().rev().find(|line| line.contains("transmitted")).unwrap_or("killed"));
    for flood in [&["-S", "-p", "7"][..], &["--udp", "-p", "9"], &["-1"], &["-S", "-p", "++1", "--rand-source"]] {
        let words: Vec<&str> = ["timeout", "2", "hping3", "--flood", "-q"]
            .into_iter()
            .chain(flood.iter().copied())
            .chain([SERVER])
            .collect();
        lab.run(&words);
        is_alive(&lab, &session);
    }
    session.type_line("status");
    session.wait_for(" in, ");
    let ended = session.end().well();
    println!("{}", ended.err);
    ended.tells("backlog-full").tells("nobody-listens").tells("foreign-source");
}

#[test]
fn nonsense_from_a_raw_socket_ends_in_counters() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    let sent = lab.inside(|| {
        let socket =
            socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::RAW)).unwrap();
        let mut nonsense = Nonsense(0x9e37_79b9_7f4a_7c15);
        let mut sent = 0;
        for _ in 0..5000 {
            let payload = (nonsense.next() % 200) as usize;
            let mut bytes = vec![0_u8; 20 + payload];
            bytes.iter_mut().for_each(|byte| *byte = nonsense.next() as u8);
            // The kernel wants a header of the length that it says; everything else is as it comes: fragments, options'
            // place, protocols, times to live.
            bytes[0] = 0x45 + (nonsense.next() % 2) as u8 * (payload >= 4) as u8;
            let destination = match nonsense.next() % 4 {
                0 => Ipv4Addr::new(10, 0, 0, 1),
                1 => Ipv4Addr::new(10, 0, 2, 2),
                _ => SERVER.parse().unwrap(),
            };
            bytes[9] = [1, 6, 17, 2, 41, 47, 50, 255][(nonsense.next() % 8) as usize];
            bytes[12..16].copy_from_slice(&[10, 0, 0, 2]);
            bytes[16..20].copy_from_slice(&destination.octets());
            let address = std::net::SocketAddrV4::new(destination, 0);
            sent += usize::from(sendto(&socket, &bytes, SendFlags::empty(), &address).is_ok());
        }
        sent
    });
    assert!(sent > 4000, "only {sent} were sent");
    is_alive(&lab, &session);
    for options in
        [&["--badcksum", "-S", "-p", "7"][..], &["-f", "-d", "100", "-S", "-p", "7"], &["--rawip", "-H", "200"]]
    {
        let words: Vec<&str> = ["timeout", "2", "hping3", "-i", "u2000", "-c", "50", "-q"]
            .into_iter()
            .chain(options.iter().copied())
            .chain([SERVER])
            .collect();
        lab.run(&words);
    }
    is_alive(&lab, &session);
    let ended = session.end().well();
    println!("{}", ended.err);
    ended.tells("bad-checksum").tells("unknown-protocol");
}

#[test]
fn what_the_real_machine_is_called_elsewhere_does_not_leak_in() {
    let lab = Lab::new();
    for command in
        ["ip tuntap add dev office mode tap", "ip addr add 192.168.77.7/24 dev office", "ip link set office up"]
    {
        assert_eq!(lab.run(&command.split(' ').collect::<Vec<_>>()), "");
    }
    let session = lab.attach(LINE, &["--at", "access"]);
    let text = lab.run(&["ping", "-n", "-c", "2", "-i", "0.2", "-W", "0.5", "-I", "192.168.77.7", SERVER]);
    assert!(text.contains("0 received"), "{text}");
    session.end().well().tells("dropped in access: foreign-source 2");
}

/// A router that sends the office's packets to the gateway, and a server that is told to say things it should not.
const LEAKY: &str = r#"
[nodes]
access = { kind = "gateway", addr = "10.0.0.2/24" }
r1 = { kind = "router", addr = { lan = "10.0.0.1/24", wan = "10.0.1.1/24" }, routes = [{ to = "192.168.77.0/24", via = "10.0.0.2" }] }
server = { addr = "10.0.1.2/24", gateway = "10.0.1.1" }
[links]
lan = { ends = ["access", "r1:lan"] }
wan = { ends = ["r1:wan", "server"] }
[apps]
ping = { on = "server", kind = "ping", to = "192.168.77.1", count = 2, start = "3500ms", interval = "100ms" }
[[at]]
t = "3600ms"
do = "inject"
node = "server"
packet = 'ip(src=8.8.8.8, dst=10.0.0.2) / udp(sport=53, dport=4000) / "answer me"'
"#;

#[test]
fn a_simulated_host_reaches_no_real_network_and_is_not_answered_into_one() {
    let lab = Lab::new();
    for command in
        ["ip tuntap add dev office mode tap", "ip addr add 192.168.77.7/24 dev office", "ip link set office up"]
    {
        assert_eq!(lab.run(&command.split(' ').collect::<Vec<_>>()), "");
    }
    // Even with a kernel that forwards whatever it is given, and has a way to everybody.
    lab.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    lab.run(&["ip", "route", "add", "default", "via", "192.168.77.1"]);
    let session = lab.attach(LEAKY, &["--at", "access"]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    session.end().well().tells("not-forwarding 2").tells("no-way-back 1");
    // Whoever says so himself gets both.
    let open = LEAKY.replace("addr = \"10.0.0.2/24\"", "addr = \"10.0.0.2/24\", behind = [\"192.168.77.0/24\"]");
    let session = lab.attach(&open, &["--at", "access", "--route", "8.8.8.0/24"]);
    assert!(lab.run(&["ip", "route"]).contains("8.8.8.0/24 dev hop0"));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let ended = session.end().well();
    assert!(!ended.err.contains("not-forwarding") && !ended.err.contains("no-way-back"), "{}", ended.err);
}
