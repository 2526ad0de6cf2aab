//! The chapters of the reference page about what stands inside quotes: match expressions, packet expressions, packet
//! lines, facts; and the causes that all of them can name.

use std::fmt::Write as _;

use super::Scenario;
use crate::expect;
use crate::filter::{self, KeyForm};
use crate::link::PipeCounters;
use crate::record::Cause;

/// Every chapter, from one heading of the second level to the next.
pub(super) fn chapters() -> String {
    [match_expressions(), packet_expressions(), packet_lines(), facts(), causes(), SETTINGS.to_owned()].join("\n")
}

const MATCH: &str = "## Match expressions\n\n\
    In faults, expectations and outputs, and behind `--trace`. The names are those of Wireshark's display filters; a bare \
    name is true if the field is there, a bare flag if it is set.\n\n\
    | written | means |\n|---|---|\n\
    | `tcp.syn && !tcp.ack`, `arp \\|\\| icmp` | and, or, not; also `and`, `or`, `not`; `( )` |\n\
    | `ip.ttl < 2` | `==` `!=` `<` `<=` `>` `>=` |\n\
    | `ip.src == 10.0.0.0/8` | an address in a subnet |\n\
    | `udp.port in {53, 1000..2000}` | one of these values, from one to another |\n\
    | `tcp.payload contains \"GET /\"` | bytes that hold others, as text or as `01:02:ff` |\n\n\
    Where a packet has a field twice (`tcp.port`, `ip.addr`), a comparison is true if it is true of one of them. What a \
    frame alone cannot say is not a field: `tcp.stream`, relative `tcp.seq`.\n";

fn match_expressions() -> String {
    let mut text = format!("{MATCH}\n| field | value | |\n|---|---|---|\n");
    for row in filter::fields() {
        let _ = writeln!(text, "| `{}` | {} | {} |", row.name, row.field_type.word(), escaped(row.doc));
    }
    text
}

const PACKET: &str = "## Packet expressions\n\n\
    What `inject` sends: headers from the outside in, with `/` between them. What is not said is filled in, lengths and \
    checksums included; what is said is obeyed even where it is wrong.\n\n\
    ```text\n\
    ip(dst=10.0.2.80, ttl=1) / udp(sport=4000, dport=33434) / \"probe\"\n\
    eth(dst=02:00:00:00:00:07) / ip(dst=server) / tcp(dport=80, flags=S, mss=1460)\n\
    arp(op=reply, psrc=10.0.0.1, pdst=10.0.0.2, hwdst=02:00:00:00:00:02)\n\
    ip(dst=client) / icmp(type=time-exceeded) / ip(src=client, dst=server) / udp(dport=9)\n\
    ip(dst=server) / udp(dport=9, checksum=0) / hex\"00ff\" / bytes(count=1000)\n\
    ```\n\n\
    One that begins with `ip` or `ipv6` is an IP packet, which the node routes; any other is an Ethernet frame.\n";

fn packet_expressions() -> String {
    let mut text = format!("{PACKET}\n| header | key | value | if left out |\n|---|---|---|---|\n");
    for layer in filter::layers() {
        for (index, key) in layer.keys.iter().enumerate() {
            let name = if index == 0 { format!("`{}`", layer.name) } else { String::new() };
            let default = if key.default.is_empty() { "required" } else { key.default };
            let _ = writeln!(text, "| {name} | `{}` | {} | {} |", key.name, spell(key.form), escaped(default));
        }
    }
    text
}

fn spell(form: KeyForm) -> String {
    match form {
        KeyForm::Flags => "letters of flags (`SA`, `S.`) or a number".into(),
        KeyForm::Integer { max, words: [] } => format!("0 to {max}"),
        KeyForm::Integer { max, words } => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            format!("0 to {max}, or {}", words.join(", "))
        }
        KeyForm::Ipv4 => "IPv4 address or node".into(),
        KeyForm::Ipv6 => "IPv6 address or node".into(),
        KeyForm::Mac => "Ethernet address".into(),
    }
}

const LINES: &str = "## Packet lines\n\n\
    What `packets` expects: a line for each packet, in the shape of packetdrill's. A line is a time, a direction, a \
    packet, and perhaps a claim behind `#`. Without `loose`, the lines are the conversation's first packets, all of them.\n\n\
    ```text\n\
    \u{20}@syn      > S  0:0(0)        <...>    # dropped: lose-first-syn\n\
    \u{20}@syn+1.0  > S  0:0(0)        <...>\n\
    \u{20}+0.04~    < S. 0:0(0) ack 1  <...>\n\
    \u{20}+0        > .  1:1(0) ack 1\n\
    \u{20}*         < icmp time-exceeded\n\
    ```\n\n\
    | time | |\n|---|---|\n\
    | `0.1004` | so many seconds after the start of the run; a unit may stand behind it: `100ms` |\n\
    | `+0.04` | after the line before |\n\
    | `@syn` | any time, called `syn` from here on; later, the same time again |\n\
    | `@syn+1.0` | after the line called `syn` |\n\
    | `*` | any time |\n\
    | `+0.04~`, `+0.04~5ms`, `+0.04~10%` | give or take: a tenth but at least 1 ms, so much, such a share; without `~` a time is exact to the nanosecond |\n\n\
    `>` goes the way that `flow` says (without `flow`: a link's first direction, or out of the node), `<` the other way.\n\n\
    | packet | |\n|---|---|\n\
    | `S. 0:0(0) ack 1 win 65535 <mss 1460,...>` | TCP: flags of `SFRPUEW` and `.` for ACK, then `first:last(length)` relative to the SYN, `ack`, `win`, options; what is left out is not looked at |\n\
    | `<mss 1460,sackOK,wscale 7,TS val 1 ecr 2,sack 1:11,...>` | options; `...` allows others, `<...>` any |\n\
    | `udp (11)` | UDP with so many bytes of data |\n\
    | `icmp echo-request seq 1 (56)` | ICMP by name (below) or `type/code` |\n\
    | `arp who-has 10.0.0.2 tell 10.0.0.1`, `arp 10.0.0.2 is-at 02:00:00:00:00:02` | ARP |\n\
    | `frag 1480:2008(528)+` | a fragment; `+` if more follow |\n\
    | `ip 47 (20)`, `ether 0x88cc (46)` | anything else, by protocol or Ethernet type |\n\
    | `{ tcp.len > 0 }` | whatever matches an expression |\n\n\
    | claim | |\n|---|---|\n\
    | `# delivered` | it reaches the far end, and is not dropped there |\n\
    | `# dropped` | it is dropped |\n\
    | `# dropped: NAME` | by the fault or impairment of this name, or for this cause |\n\n\
    Any other comment is for people.\n";

fn packet_lines() -> String {
    let names: Vec<String> = expect::icmp_names().map(|name| format!("`{name}`")).collect();
    format!("{LINES}\nICMP messages: {}.\n", names.join(", "))
}

const FACTS: &str = "## Facts\n\n\
    What `that` can name, beside what programs report: `apps.talk.reply`.\n\n\
    - `run.time`, `run.events`: where the run is.\n\
    - `links.NAME.COUNTER` counts both directions, `links.NAME.ab.COUNTER` the way from the first end of `ends` to the \
    second, `links.NAME.ba.COUNTER` the way back.\n\
    - `nodes.NAME.COUNTER`; `nodes.NAME.dropped` is all that was dropped inside the node, `nodes.NAME.dropped.CAUSE` what \
    was dropped for this cause.\n\n\
    Times have units (`2s`), shares too (`1%` is 0.01), sizes (`10kB`, `64KiB`) and rates (`10Mbit`) are numbers. `+ - * /` \
    calculate, with blanks around `-`, which may be part of a name; `has(apps.a.error)` asks whether there is such a fact; \
    `hops[0]` is the first of a list, `len`, `min`, `max`, `abs` and `in` (of a list, or of a text) do what they say.\n";

/// One node of each kind, to see what each counts; only a machine that runs a program has sockets.
const ZOO: &str = r#"
    nodes = { host = {}, router = { kind = "router" }, switch = { kind = "switch" }, port = { kind = "port" } }
    apps = { echo = { on = "host", kind = "udp-echo", port = 7 } }
    [links]
    a = { ends = ["host", "switch"] }
    b = { ends = ["router", "switch"] }
    c = { ends = ["port", "switch"] }
"#;

fn facts() -> String {
    let mut text = format!("{FACTS}\n| links count | |\n|---|---|\n");
    for (name, doc) in PipeCounters::NAMES {
        let _ = writeln!(text, "| `{name}` | {doc} |");
    }
    let run = Scenario::from_toml("zoo", ZOO).and_then(|zoo| zoo.build()).expect("the zoo is right");
    let names = run.network.fact_names();
    text.push_str("\n| nodes count | |\n|---|---|\n");
    for (kind, who) in [("host", "a host or a router"), ("switch", "a switch"), ("port", "a port")] {
        let prefix = format!("nodes.{kind}.");
        let counters = names.iter().filter_map(|name| name.strip_prefix(&prefix));
        let counters = counters.filter(|name| !name.starts_with("dropped")).map(|name| format!("`{name}`"));
        let _ = writeln!(text, "| {who} | {} |", counters.collect::<Vec<_>>().join(", "));
    }
    text
}

fn causes() -> String {
    let mut text = "## Causes\n\nWhy a frame is dropped: in the trace, in `nodes.NAME.dropped.CAUSE`, in `cause = \
                    \"CAUSE\"` and in `# dropped: CAUSE`.\n\n| cause | | behind it |\n|---|---|---|\n"
        .to_owned();
    for cause in Cause::ALL {
        let _ = writeln!(text, "| `{cause}` | {} | {} |", escaped(cause.explanation()), cause.reference());
    }
    text
}

const SETTINGS: &str = "## Settings\n\n\
    `--set PATH=VALUE` changes one value without an edit, any number of times. The path is the keys with dots between \
    them; the value is TOML where it can be read as such, and text otherwise.\n\n\
    ```sh\n\
    hopwise run lossy-handshake --set links.wan.delay=200ms --set links.wan.ab.loss=5%\n\
    hopwise run lossy-handshake --set at.lose-first-syn.nth=2       # an entry of a list by its name, or its number from 0\n\
    hopwise run lossy-handshake --set 'record.ladder.elide=[\"sw1\"]' # [record] need not be there\n\
    hopwise run lossy-handshake --set 'nodes.extra={ kind = \"host\" }' # a new node, link or program is set whole\n\
    ```\n";

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Filter, PacketExpression};

    /// What stands between backquotes in the first cells of a table.
    fn written(table: &str) -> Vec<String> {
        let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let quoted = cells.flat_map(|cell| cell.trim_end_matches('`').split("`, `"));
        quoted.map(|text| text.replace("\\|", "|")).collect()
    }

    #[test]
    fn every_match_expression_on_the_page_can_be_read() {
        let expressions = written(MATCH);
        assert_eq!(expressions.len(), 6, "{expressions:?}");
        for text in expressions {
            Filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
    }

    #[test]
    fn every_packet_expression_on_the_page_can_be_read() {
        let lines = PACKET.split("```").nth(1).unwrap().lines().skip(1);
        for line in lines.filter(|line| !line.trim().is_empty()) {
            line.parse::<PacketExpression>().unwrap_or_else(|error| panic!("{line}: {error:?}"));
        }
    }

    #[test]
    fn every_packet_line_on_the_page_can_be_read() {
        let example = LINES.split("```").nth(1).unwrap().trim_start_matches("text\n").to_owned();
        let tables: Vec<String> = written(LINES);
        let is_time = |text: &&String| text.starts_with(|c: char| "0+*".contains(c));
        let times = tables.iter().filter(is_time).map(|time| format!("{time} > udp\n"));
        let options = |text: &str| if text.starts_with('<') { format!("S 0:0(0) {text}") } else { text.to_owned() };
        let packets = tables.iter().filter(|text| !is_time(text) && !text.starts_with(['@', '#']));
        let packets = packets.map(|text| format!("* > {}\n", options(text)));
        let lines: String = times.chain(packets).collect();
        assert!(lines.lines().count() > 12, "{lines}");
        let text = format!(
            "nodes = {{ a = {{}}, b = {{}} }}\nlinks = {{ wire = {{ ends = [\"a\", \"b\"] }} }}\n\
             [[at]]\nt = \"0s\"\ndo = \"drop\"\nname = \"lose-first-syn\"\nlink = \"wire\"\nmatch = \"tcp\"\n\
             [[expect]]\nsee = \"wire\"\npackets = '''\n{example}{lines}'''\n"
        );
        Scenario::from_toml("page", text).unwrap();
    }

    #[test]
    fn every_fact_has_a_name_of_its_own() {
        let run = Scenario::from_toml("zoo", ZOO).unwrap().build().unwrap();
        let mut names = run.network.fact_names();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_setting_on_the_page_can_be_made() {
        let example = crate::scenario::examples().iter().find(|example| example.name == "lossy-handshake").unwrap();
        for line in SETTINGS.lines().filter_map(|line| line.strip_prefix("hopwise run lossy-handshake ")) {
            let line = line.split(" # ").next().unwrap();
            let settings = line.split("--set ").map(|setting| setting.trim().trim_matches('\'')).skip(1);
            let mut scenario = Scenario::from_toml("lossy-handshake", example.text).unwrap();
            scenario.set_all(&settings.collect::<Vec<_>>()).unwrap_or_else(|mistakes| panic!("{line}\n{mistakes}"));
        }
    }
}
