//! Names of numbers, and bytes that are text.

/// How many characters of a text are shown.
const TEXT_MAX: usize = 60;

/// Bytes as quoted text, if that is what they are: printable ASCII or UTF-8, with line ends and tabs.
pub(super) fn text_of(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_text = |c: char| !c.is_control() || matches!(c, '\r' | '\n' | '\t');
    if text.is_empty() || !text.chars().all(is_text) {
        return None;
    }
    let shown: String = text.chars().take(TEXT_MAX).flat_map(escaped).collect();
    let more = if text.chars().count() > TEXT_MAX { "…" } else { "" };
    Some(format!("\"{shown}{more}\""))
}

/// Characters that would move a cursor are written as their escapes; others stay as they are.
fn escaped(c: char) -> impl Iterator<Item = char> {
    let (one, many) = match c {
        '\r' | '\n' | '\t' | '"' | '\\' => (None, Some(c.escape_default())),
        _ => (Some(c), None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}

/// What stands above IP under a number (IANA, "Assigned Internet Protocol Numbers").
pub(super) fn protocol(number: u8) -> &'static str {
    match number {
        0 => "hop-by-hop options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4 in IP",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6 in IP",
        43 => "routing header",
        44 => "fragment header",
        47 => "GRE",
        50 => "ESP",
        51 => "authentication header",
        58 => "ICMPv6",
        59 => "nothing",
        60 => "destination options",
        89 => "OSPF",
        _ => "",
    }
}

/// What a port is for: its service, or the range that it lies in (RFC 6335 §6).
pub(super) fn port(number: u16) -> String {
    let service = match number {
        7 => "echo",
        9 => "discard",
        19 => "chargen",
        20 => "ftp-data",
        21 => "ftp",
        22 => "ssh",
        23 => "telnet",
        25 => "smtp",
        53 => "dns",
        67 => "dhcp server",
        68 => "dhcp client",
        80 => "http",
        110 => "pop3",
        123 => "ntp",
        143 => "imap",
        161 => "snmp",
        179 => "bgp",
        443 => "https",
        520 => "rip",
        521 => "ripng",
        853 => "dns over tls",
        8080 => "http, a common second port",
        33434..=33534 => "the first ports of traceroute",
        _ => "",
    };
    let range = match number {
        0 => "reserved",
        1..=1023 => "well known",
        1024..=49151 => "registered",
        _ => "ephemeral",
    };
    if service.is_empty() { range.to_owned() } else { format!("{service} ({range})") }
}

/// What a differentiated services code point asks for (RFC 2474 §4, RFC 2597, RFC 3246).
pub(super) fn code_point(number: u64) -> &'static str {
    match number {
        0 => "default: no special treatment",
        8 => "class selector 1",
        16 => "class selector 2",
        24 => "class selector 3",
        32 => "class selector 4",
        40 => "class selector 5",
        46 => "expedited forwarding",
        48 => "class selector 6: what routers tell each other",
        56 => "class selector 7",
        10 | 12 | 14 | 18 | 20 | 22 | 26 | 28 | 30 | 34 | 36 | 38 => "assured forwarding",
        _ => "",
    }
}

/// Explicit congestion notification (RFC 3168 §5).
pub(super) fn congestion(number: u64) -> &'static str {
    match number {
        0 => "the sender does not speak ECN",
        3 => "congestion was experienced on the way",
        _ => "the sender understands ECN",
    }
}

/// Plural, where there is more than one: `3 bytes`.
pub(super) fn bytes(count: usize) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}
