//! The life of a device: made, changed, deleted, left as it was; who may, and who may not.

use std::process::Command;
use std::time::Duration;

use super::lab::{LINE, Lab, SERVER, SERVER6, Session, is_root, median, numbers_behind};

#[test]
fn however_a_session_ends_no_device_address_or_route_is_left() {
    let lab = Lab::new();
    let before = lab.traces();
    for signal in ["-INT", "-TERM", "-HUP", "-KILL"] {
        let session = lab.attach(LINE, &["--at", "access"]);
        assert!(lab.traces().contains("hop0"));
        session.signal(signal);
        let ended = session.wait();
        if signal != "-KILL" {
            ended.well();
        }
        assert_eq!(lab.traces(), before, "after {signal}");
    }
    let mut session = lab.attach(LINE, &["--at", "access"]);
    session.type_line("quit");
    session.wait().well();
    lab.attach(LINE, &["--at", "access", "--until", "3300ms"]).wait().well();
    assert_eq!(lab.traces(), before);
}

#[test]
fn a_device_that_was_there_is_left_as_it_was() {
    let lab = Lab::new();
    for (mode, place) in [("tun", "access=keep0"), ("tap", "access=tap:keep1")] {
        let name = place.rsplit(['=', ':']).next().unwrap();
        lab.run(&["ip", "tuntap", "add", "dev", name, "mode", mode]);
        let before = lab.traces();
        let session = lab.attach(LINE, &["--at", place]);
        let text = lab.run(&["ping", "-n", "-c", "2", "-W", "2", SERVER]);
        assert!(text.contains("2 received"), "{text}");
        session.end().well();
        // A link's own address, which a TAP makes when it comes up, and its flags may differ: nothing of ours is left.
        let after = lab.traces();
        assert!(!after.contains("10.0.") && !after.contains("2001:db8") && after.contains(name), "{before}\n{after}");
        assert!(lab.run(&["ip", "-br", "link", "show", "dev", name]).contains("DOWN"));
        lab.run(&["ip", "link", "del", name]);
    }
}

#[test]
fn who_may_not_make_a_device_is_told_what_to_do_and_what_that_makes_is_used_without_root() {
    if !is_root() {
        // There is nobody else to become in a user namespace of one.
        println!("not root: the part with another user is left out");
        return;
    }
    let lab = Lab::new();
    let path = lab.scenario(LINE);
    let nobody = |words: &[&str]| {
        let become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
        let program = lab.path("hopwise");
        let words: Vec<&str> =
            become_nobody.into_iter().chain([program.as_str()]).chain(words.iter().copied()).collect();
        lab.command(&words)
    };
    let ended = Session::start(nobody(&["attach", &path, "--at", "access=mine0"])).wait();
    assert_eq!(ended.code, Some(2));
    let told = ended.err;
    let mut advised: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("sudo ")).collect();
    assert!(advised.first().is_some_and(|line| line.starts_with("setcap cap_net_admin+ep ")), "{told}");
    advised.remove(0);
    // Exactly what it says, with the user's name filled in.
    for line in &advised {
        let text = lab.run(&["sh", "-c", &line.replace("$USER", "nobody")]);
        assert_eq!(text, "", "{line}");
    }
    let before = lab.traces();
    let session = Session::begin(nobody(&["attach", &path, "--at", "access=mine0"]));
    session.wait_for("left as it is");
    for server in [SERVER, SERVER6] {
        let text = lab.run(&["ping", "-n", "-c", "2", "-W", "2", server]);
        assert!(text.contains("2 received"), "{text}");
    }
    session.end().well();
    // The kernel itself has made a link-local address when the device had a reader for the first time.
    let ours = |text: &str| {
        text.lines()
            .filter(|line| !line.contains("fe80"))
            .map(|line| {
                line.replace(" linkdown", "")
                    .replace("NO-CARRIER,", "")
                    .replace("state UP", "state DOWN")
                    .trim()
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(ours(&lab.traces()), ours(&before));
}

#[test]
fn a_kernel_that_deletes_the_device_ends_the_session_with_a_clear_message() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    lab.run(&["ip", "link", "del", "hop0"]);
    let ended = session.wait();
    assert_eq!(ended.code, Some(2));
    ended.tells("hop0 is gone: somebody has deleted it");
}

#[test]
fn a_device_that_goes_down_and_up_and_changes_its_mtu_is_told_of_and_survived() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    let mut ping = lab.command(&["ping", "-n", "-i", "0.05", "-c", "20", SERVER]).spawn().unwrap();
    lab.run(&["ip", "link", "set", "hop0", "down"]);
    session.wait_for("hop0 is down");
    std::thread::sleep(Duration::from_millis(300));
    lab.run(&["ip", "link", "set", "hop0", "up"]);
    session.wait_for("hop0 is up again");
    ping.wait().unwrap();
    // What the kernel threw away with the device's state, its owner has to bring back; the session only tells.
    for route in ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"] {
        lab.run(&["ip", "route", "replace", route, "dev", "hop0"]);
    }
    lab.run(&["ip", "link", "set", "hop0", "mtu", "9000"]);
    session.wait_for("the MTU of hop0 is now 9000; it was 1500; the link behind it carries 1500");
    // Larger than the link: cut if it may be, refused with ICMP if not.
    let text = lab.run(&["ping", "-n", "-c", "2", "-W", "2", "-M", "dont", "-s", "5000", SERVER]);
    assert!(text.contains("2 received"), "{text}");
    let text = lab.run(&["ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "5000", "10.0.0.1"]);
    assert!(text.contains("mtu = 1500") || text.contains("mtu=1500"), "{text}");
    lab.run(&["ip", "link", "set", "hop0", "mtu", "600"]);
    session.wait_for("is now 600");
    let text = lab.run(&["ping", "-n", "-c", "2", "-W", "2", SERVER]);
    assert!(text.contains("2 received"), "{text}");
    session.end().well().tells("fragmentation-needed");
}

#[test]
fn a_tap_device_has_a_card_of_its_own() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access=tap:card0"]);
    session.wait_for("card0 (tap) is access");
    assert!(lab.run(&["ip", "link", "show", "card0"]).contains("02:00:0a:00:00:02"), "the node's hardware address");
    // An address is checked for duplicates for a second before it is used.
    std::thread::sleep(Duration::from_millis(2500));
    for server in [SERVER, SERVER6] {
        let text = lab.run(&["ping", "-n", "-c", "11", "-i", "0.1", "-W", "2", server]);
        let rtt = median(numbers_behind(&text, "time="));
        assert!((rtt - 36.0).abs() < 2.0, "{text}");
    }
    assert!(lab.run(&["ip", "neigh"]).contains("10.0.0.1 dev card0 lladdr 02:00:0a:00:00:01"));
    let text = lab.run(&["tracepath", "-n", SERVER]);
    assert!(text.contains("pmtu 1400 hops 4"), "{text}");
    session.end().well();
}

#[test]
fn a_route_that_the_kernel_has_already_is_not_hidden() {
    let lab = Lab::new();
    for command in ["ip tuntap add dev office mode tap", "ip addr add 10.0.3.77/24 dev office", "ip link set office up"]
    {
        assert_eq!(lab.run(&command.split(' ').collect::<Vec<_>>()), "");
    }
    let before = lab.traces();
    let path = lab.scenario(LINE);
    // The office has a connected route of another metric; a static one of the same prefix is what collides.
    lab.run(&["ip", "route", "add", "10.0.2.0/24", "dev", "office"]);
    let ended = Session::start(lab.hopwise(&["attach", &path, "--at", "access"])).wait();
    assert_eq!(ended.code, Some(2));
    let ended = ended.tells("the kernel already has a route to 10.0.");
    assert!(ended.err.contains("network namespace"), "{}", ended.err);
    lab.run(&["ip", "route", "del", "10.0.2.0/24", "dev", "office"]);
    assert_eq!(lab.traces(), before);
}

#[test]
fn what_cannot_be_attached_is_told_before_anything_is_done() {
    let lab = Lab::new();
    let before = lab.traces();
    let path = lab.scenario(LINE);
    for (words, told) in [
        (&["--at", "acess"][..], "did you mean `access`?"),
        (&["--at", "access=lo"], "is not a tun device"),
        (&["--at", "access=tap:x/y"], "no device can have that name"),
        (&["--at", "access@blue"], "no node and no link is called `access@blue`"),
        (&["--at", "access=hop0@no-such"], "/run/netns/no-such"),
        (&["--at", "access", "--speed", "0"], "is not a speed"),
        (&["--at", "access", "--route", "everything"], "is not a range of addresses"),
        (&["--at", "access", "--at", "access"], "has a device already"),
        (&["--at", "access", "--record", "/no/such/folder/x"], "cannot write /no/such/folder/x"),
    ] {
        let all: Vec<&str> = ["attach", &path].into_iter().chain(words.iter().copied()).collect();
        let ended = Session::start(lab.hopwise(&all)).wait();
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.err);
        ended.tells(told);
        assert_eq!(lab.traces(), before, "{words:?}");
    }
    let nameless =
        lab.scenario(&LINE.replace("ipv6 = true", "").replace("server = {}", "server = { addr = \"dhcp\" }"));
    let ended = Session::start(lab.hopwise(&["attach", &nameless, "--at", "server"])).wait();
    ended.tells("`server` has no address before the session begins");
    let path = lab.scenario(LINE);
    let session = lab.attach(LINE, &["--at", "access=busy0"]);
    let ended = Session::start(lab.hopwise(&["attach", &path, "--at", "access=busy0"])).wait();
    ended.tells("in use by another process");
    session.end().well();
}

#[test]
fn an_idle_session_uses_less_than_one_percent_of_a_processor() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access"]);
    std::thread::sleep(Duration::from_secs(3));
    let before = session.processor_ticks();
    std::thread::sleep(Duration::from_secs(4));
    let ticks = session.processor_ticks() - before;
    // A tick is 10 ms: one percent of four seconds are four.
    println!("idle for 4 s: {ticks} ticks of 10 ms");
    assert!(ticks <= 4, "{ticks} ticks of 10 ms in 4 s");
    session.end().well();
}

#[test]
fn a_session_can_be_slowed_down_as_a_whole() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access", "--speed", "0.1"]);
    let text = lab.run(&["ping", "-n", "-c", "4", "-i", "0.5", "-W", "3", SERVER]);
    let rtt = median(numbers_behind(&text, "time="));
    assert!((rtt - 360.0).abs() < 20.0, "{text}");
    session.end().well();
}

#[test]
fn several_gateways_are_attached_at_once_and_a_switch_or_router_gets_a_new_one() {
    let lab = Lab::new();
    let session = lab.attach(LINE, &["--at", "access=one0", "--at", "r2=two0"]);
    session.wait_for("two0 (tun) is outside");
    let text = lab.run(&["ip", "-br", "addr"]);
    assert!(text.contains("one0") && text.contains("two0"), "{text}");
    session.end().well();
    assert!(
        !Command::new("ip").args(["link", "show", "one0"]).output().unwrap().status.success(),
        "never in the machine itself"
    );
}
