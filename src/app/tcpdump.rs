//! `tcpdump`: prints the packets that its own machine sees, as the real program does.
//!
//! It sees what crosses the links of one machine, not the whole network: the same packet looks different on both sides
//! of an address translator, and one that was lost on the way is seen by its sender only. At an interface it also sees
//! what is for other machines (a real card does once it is "promiscuous"), which a switch rarely shows it.
//!
//! What to print is said in the language of match expressions, as everywhere in a scenario, rather than in that of the
//! real program. The lines are the ones of this project's traces with what `tcpdump` puts before them; like those they
//! count a connection's bytes from zero. Without `times` they are as `tcpdump -t` prints them, since whoever reads them
//! has the time in front of each line already.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::tally::Tally;
use super::{AppBuilder, Outcome, fields};
use crate::filter::Filter;
use crate::net::{Hosts, Net, PacketSocket, Place, Program, ProgramError, Seen};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::record::Value;
use crate::wire::view::Ip;
use crate::wire::{Conversations, Numeric, Resolve, Summary, View};

/// How many lines are kept as an outcome.
const LINES_MAX: usize = 100;

/// How many packets may be asked for.
const COUNT_MAX: u64 = 1_000_000;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "tcpdump",
    doc: "Prints the packets that its machine sends and receives, as `tcpdump` does.",
    example: "look = { on = \"client\", kind = \"tcpdump\", filter = 'tcp' }",
    fields: &[
        Field {
            name: "interface",
            form: Form::Text,
            need: Need::Default("any"),
            doc: "Where to look: an interface by its name, `lo` for what the machine sends to itself, `any` for all of them.",
        },
        Field {
            name: "filter",
            form: Form::Filter,
            need: Need::Optional,
            doc: "Which packets to print, as a match expression; all where this is absent.",
        },
        Field {
            name: "count",
            form: Form::Integer { min: 1, max: COUNT_MAX as i64 },
            need: Need::Optional,
            doc: "After how many packets it ends, `-c`.",
        },
        Field {
            name: "for",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long it looks; until it is stopped where neither this nor `count` is given.",
        },
        Field {
            name: "numeric",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether addresses are printed rather than the names of hosts, `-n`.",
        },
        Field {
            name: "ethernet",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether the Ethernet header is printed too, `-e`.",
        },
        Field {
            name: "verbose",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether the IP header is printed too: time to live, identification, fragment offset, flags, `-v`.",
        },
        Field {
            name: "times",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether each line begins with the time since the run began; the trace that it stands in has it already.",
        },
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("captured", "How many packets were printed."),
    ("bytes", "How many bytes they had, Ethernet headers included."),
    ("dropped", "How many matched but were lost because they came faster than they were read."),
    ("lines", "List of texts: the first 100 lines that were printed of packets."),
];

#[derive(Debug)]
struct Plan {
    /// `None`: all.
    interface: Option<String>,
    filter: Option<Filter>,
    count: u64,
    duration: Option<Duration>,
    style: Style,
}

/// What a line has beside the packet.
#[derive(Debug, Clone, Copy, Default)]
struct Style {
    is_numeric: bool,
    shows_ethernet: bool,
    is_verbose: bool,
    shows_times: bool,
    /// Several interfaces are looked at.
    names_place: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let interface = table.get_or("interface", "any".to_owned());
    let interface = Some(interface).filter(|name| name != "any");
    let count = fields::integer(table, "count", 1, COUNT_MAX).unwrap_or(u64::MAX);
    let style = Style {
        is_numeric: table.get_or("numeric", false),
        shows_ethernet: table.get_or("ethernet", false),
        is_verbose: table.get_or("verbose", false),
        shows_times: table.get_or("times", false),
        names_place: interface.is_none(),
    };
    let (filter, duration) = (table.get("filter"), table.get("for"));
    let plan = Arc::new(Plan { interface, filter, count, duration, style });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let [captured, bytes, dropped] = ["captured", "bytes", "dropped"].map(|key| Tally::new(&net, key));
    net.report("lines", Value::List(Vec::new()));
    let socket = PacketSocket::open(&net, plan.interface.as_deref(), plan.filter.clone())?;
    let (place, link) = match plan.interface.as_deref() {
        None => ("any", "LINUX_SLL2 (Linux cooked v2)"),
        Some("lo") => ("lo", "RAW (Raw IP)"),
        Some(name) => (name, "EN10MB (Ethernet)"),
    };
    net.log(|| format!("listening on {place}, link-type {link}, snapshot length 262144 bytes"));
    let until = plan.duration.map(|duration| net.now() + duration);
    let mut printer = Printer::new(&net, plan.style)?;
    let mut lines = Vec::new();
    while captured.get() < plan.count {
        let seen = match until {
            None => socket.recv().await?,
            Some(until) => match net.timeout(until.since(net.now()), socket.recv()).await {
                Ok(seen) => seen?,
                Err(_) => break,
            },
        };
        let line = printer.line(&seen);
        captured.add(1);
        bytes.add(seen.frame.len() as u64);
        dropped.add(socket.counts().1.saturating_sub(dropped.get()));
        if lines.len() < LINES_MAX {
            lines.push(Value::Text(line.clone()));
            net.report("lines", Value::List(lines.clone()));
        }
        net.log(|| line);
    }
    let (received, lost) = socket.counts();
    let packets = |count: u64| if count == 1 { "packet" } else { "packets" };
    let total = captured.get();
    net.log(|| format!("{total} {} captured", packets(total)));
    net.log(|| format!("{received} {} received by filter", packets(received)));
    net.log(|| format!("{lost} {} dropped by kernel", packets(lost)));
    Ok(())
}

/// Makes lines of what is seen, one after the other.
struct Printer {
    style: Style,
    names: Arc<Hosts>,
    interfaces: Vec<String>,
    conversations: Conversations,
}

impl Resolve for Hosts {
    fn name(&self, address: IpAddr) -> Option<&str> {
        self.name_of(address)
    }
}

impl Printer {
    fn new(net: &Net, style: Style) -> Result<Self, ProgramError> {
        let interfaces = net.interfaces()?.into_iter().map(|interface| interface.name).collect();
        let names = net.core(|core| Arc::clone(&core.hosts));
        Ok(Self { style, names, interfaces, conversations: Conversations::default() })
    }

    fn line(&mut self, seen: &Seen) -> String {
        let names: &dyn Resolve = if self.style.is_numeric { &Numeric } else { &*self.names };
        let view = View::of(&seen.frame);
        let mut line = String::new();
        if self.style.shows_times {
            let nanoseconds = seen.at.as_nanos();
            let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 / 1_000);
            let _ = write!(line, "{:02}:{:02}:{:02}.{fraction:06} ", seconds / 3600, seconds / 60 % 60, seconds % 60);
        }
        if self.style.names_place {
            let (interface, way) = self.place(seen, &view);
            let _ = write!(line, "{interface:<5} {way:<3} ");
        }
        let body = Summary::observed(&seen.frame, names, &mut self.conversations).to_string();
        if self.style.shows_ethernet {
            line.push_str(&ethernet(&view));
        }
        let (tag, body) = match body.strip_prefix("vlan ").and_then(|rest| rest.split_once(", ")) {
            Some((id, body)) => (format!("vlan {id}, "), body),
            None => (String::new(), body.as_str()),
        };
        line.push_str(&tag);
        match (&view.ip, view.arp) {
            (Some(ip), _) => {
                if !self.style.shows_ethernet {
                    line.push_str(if ip.source.is_ipv4() { "IP " } else { "IP6 " });
                }
                if self.style.is_verbose {
                    line.push_str(&ip_header(ip));
                }
                line.push_str(body);
            }
            (None, Some(arp)) => line.push_str(&arp_line(body, arp.len())),
            (None, None) => line.push_str(body),
        }
        line
    }

    /// The interface, and whether the frame came in, went out, or was for everybody, a group, or somebody else.
    fn place(&self, seen: &Seen, view: &View<'_>) -> (&str, &'static str) {
        let Place::Link { interface, is_outgoing } = seen.place else { return ("lo", "In") };
        let name = self.interfaces.get(usize::from(interface)).map_or("?", String::as_str);
        let way = match view.ethernet.and_then(|ethernet| ethernet.first_chunk::<6>()) {
            _ if is_outgoing => "Out",
            Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => "B",
            Some([first, ..]) if first & 1 == 1 => "M",
            _ => "In",
        };
        (name, way)
    }
}

/// `02:… > 02:…, ethertype IPv4 (0x0800), length 74: `
fn ethernet(view: &View<'_>) -> String {
    let Some(header) = view.ethernet.and_then(|ethernet| ethernet.first_chunk::<14>()) else { return String::new() };
    let mac = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let ethertype = u16::from_be_bytes([header[12], header[13]]);
    let name = match ethertype {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x8100 => "802.1Q",
        0x86dd => "IPv6",
        length if length < 0x0600 => {
            return format!("{} > {}, 802.3, length {}: ", mac(&header[6..12]), mac(&header[..6]), view.bytes.len());
        }
        _ => "Unknown",
    };
    let (source, destination, length) = (mac(&header[6..12]), mac(&header[..6]), view.bytes.len());
    format!("{source} > {destination}, ethertype {name} ({ethertype:#06x}), length {length}: ")
}

/// `(tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 60) `
fn ip_header(ip: &Ip<'_>) -> String {
    let header = ip.header;
    let word = |at: usize| header.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    let protocol = u8::from(ip.protocol);
    let name = match protocol {
        1 => "ICMP",
        2 => "IGMP",
        6 => "TCP",
        17 => "UDP",
        58 => "ICMPv6",
        89 => "OSPF",
        _ => "unknown",
    };
    let byte = |at: usize| header.get(at).copied().unwrap_or(0);
    if ip.source.is_ipv6() {
        let class = (byte(0) & 0x0f) << 4 | byte(1) >> 4;
        let flow = u32::from(byte(1) & 0x0f) << 16 | u32::from(word(2));
        let class = if class == 0 { String::new() } else { format!("class {class:#04x}, ") };
        let flow = if flow == 0 { String::new() } else { format!("flowlabel {flow:#07x}, ") };
        let (hops, length) = (byte(7), word(4));
        return format!("({class}{flow}hlim {hops}, next-header {name} ({protocol}) payload length: {length}) ");
    }
    let fragment = word(6);
    let flags = match fragment >> 13 & 0b11 {
        0b00 => "none",
        0b01 => "+",
        0b10 => "DF",
        _ => "+, DF",
    };
    let (tos, ttl, ident, offset, length) = (byte(1), byte(8), word(4), (fragment & 0x1fff) * 8, word(2));
    format!(
        "(tos {tos:#x}, ttl {ttl}, id {ident}, offset {offset}, flags [{flags}], proto {name} ({protocol}), \
         length {length}) "
    )
}

/// An ARP message's line as the real program has it.
fn arp_line(summary: &str, length: usize) -> String {
    let rest = summary.strip_prefix("arp ").unwrap_or(summary);
    let text = if let Some(rest) = rest.strip_prefix("probe ") {
        format!("Probe {rest}")
    } else if let Some(rest) = rest.strip_prefix("announcement ") {
        format!("Announcement {}", rest.split(" is-at ").next().unwrap_or(rest))
    } else if rest.starts_with("who-has") {
        format!("Request {rest}")
    } else if rest.contains(" is-at ") {
        format!("Reply {rest}")
    } else {
        rest.to_owned()
    };
    format!("ARP, {text}, length {length}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use crate::wire::{Frame, Layer, Pool};
    use proptest::prelude::*;
    use smoltcp::wire::Ipv4Packet;

    fn printer(style: Style) -> Printer {
        let mut hosts = Hosts::default();
        hosts.add("a", "10.0.0.1".parse().unwrap());
        let interfaces = vec!["eth0".to_owned(), "eth1".to_owned()];
        Printer { style, names: Arc::new(hosts), interfaces, conversations: Conversations::default() }
    }

    fn seen(bytes: &[u8], place: Place) -> Seen {
        let frame = Frame::new(Pool::default().copy(bytes), Layer::Ethernet);
        Seen { at: Time::from_millis(3_723_004), place, frame }
    }

    fn udp() -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        bytes.extend([0x45, 0, 0, 30, 0, 7, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend([0x03, 0xe8, 0x07, 0xd0, 0, 10, 0, 0, b'h', b'i']);
        Ipv4Packet::new_unchecked(&mut bytes[14..]).fill_checksum();
        bytes
    }

    const IN: Place = Place::Link { interface: 0, is_outgoing: false };
    const OUT: Place = Place::Link { interface: 1, is_outgoing: true };

    #[test]
    fn lines_are_those_of_the_real_program() {
        let line = |style, place| printer(style).line(&seen(&udp(), place));
        assert_eq!(line(Style::default(), IN), "IP a.1000 > 10.0.0.2.2000: UDP, length 2");
        let numeric = Style { is_numeric: true, names_place: true, ..Style::default() };
        assert_eq!(line(numeric, OUT), "eth1  Out IP 10.0.0.1.1000 > 10.0.0.2.2000: UDP, length 2");
        assert_eq!(line(numeric, Place::Loopback), "lo    In  IP 10.0.0.1.1000 > 10.0.0.2.2000: UDP, length 2");
        let style = Style { shows_times: true, shows_ethernet: true, ..Style::default() };
        assert_eq!(
            line(style, IN),
            "01:02:03.004000 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 44: \
             a.1000 > 10.0.0.2.2000: UDP, length 2"
        );
        let style = Style { is_verbose: true, ..Style::default() };
        assert_eq!(
            line(style, IN),
            "IP (tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto UDP (17), length 30) \
             a.1000 > 10.0.0.2.2000: UDP, length 2"
        );
    }

    #[test]
    fn arp_is_told_as_the_real_program_tells_it() {
        let mut request = vec![0xff; 6];
        request.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        request.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        let style = Style { names_place: true, ..Style::default() };
        let line = printer(style).line(&seen(&request, IN));
        assert_eq!(line, "eth0  B   ARP, Request who-has 10.0.0.2 tell a, length 28");
        request[21] = 2;
        let line = printer(Style::default()).line(&seen(&request, IN));
        assert_eq!(line, "ARP, Reply a is-at 02:00:00:00:00:01, length 28");
        assert_eq!(arp_line("arp probe 10.0.0.9", 28), "ARP, Probe 10.0.0.9, length 28");
        assert_eq!(arp_line("arp announcement b is-at 02:…", 28), "ARP, Announcement b, length 28");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever a link carries has a line, with every ornament.
        #[test]
        fn no_frame_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 0_usize..4) {
            let mut bytes = bytes;
            if let Some(ethertype) = bytes.get_mut(12..14) {
                ethertype.copy_from_slice(&[[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0]][kind]);
            }
            let style = Style { is_verbose: true, shows_ethernet: true, shows_times: true, names_place: true, is_numeric: false };
            let line = printer(style).line(&seen(&bytes, IN));
            prop_assert!(!line.contains('\n') && line.len() > 20, "{}", line);
        }
    }
}
