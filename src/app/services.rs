//! Well-known ports and what is served there: what `/etc/services` is on a Unix machine, and the ports of a scan.
//!
//! RFC 6335 §6 divides the ports: "the System Ports, also known as the Well Known Ports, from 0-1023 (assigned by IANA)",
//! "the User Ports, also known as the Registered Ports, from 1024-49151", "the Dynamic Ports, also known as the Private or
//! Ephemeral Ports, from 49152-65535 (never assigned)". The names are IANA's.

use crate::read::{Diagnostic, Field, Form, Located, Need, Table};

/// A transport protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// `tcp`, `udp`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

const TCP: u8 = 1;
const UDP: u8 = 2;
const BOTH: u8 = TCP | UDP;

/// Port, protocols, name; in the order of ports.
const SERVICES: &[(u16, u8, &str)] = &[
    (7, BOTH, "echo"),
    (9, BOTH, "discard"),
    (13, BOTH, "daytime"),
    (17, BOTH, "qotd"),
    (19, BOTH, "chargen"),
    (20, TCP, "ftp-data"),
    (21, TCP, "ftp"),
    (22, TCP, "ssh"),
    (23, TCP, "telnet"),
    (25, TCP, "smtp"),
    (37, BOTH, "time"),
    (43, TCP, "whois"),
    (53, BOTH, "domain"),
    (67, UDP, "bootps"),
    (68, UDP, "bootpc"),
    (69, UDP, "tftp"),
    (70, TCP, "gopher"),
    (79, TCP, "finger"),
    (80, TCP, "http"),
    (88, BOTH, "kerberos"),
    (110, TCP, "pop3"),
    (111, BOTH, "sunrpc"),
    (113, TCP, "ident"),
    (119, TCP, "nntp"),
    (123, UDP, "ntp"),
    (135, TCP, "epmap"),
    (137, UDP, "netbios-ns"),
    (138, UDP, "netbios-dgm"),
    (139, TCP, "netbios-ssn"),
    (143, TCP, "imap"),
    (161, UDP, "snmp"),
    (162, UDP, "snmptrap"),
    (179, TCP, "bgp"),
    (194, TCP, "irc"),
    (389, BOTH, "ldap"),
    (443, BOTH, "https"),
    (445, TCP, "microsoft-ds"),
    (465, TCP, "submissions"),
    (500, UDP, "isakmp"),
    (514, TCP, "shell"),
    (514, UDP, "syslog"),
    (515, TCP, "printer"),
    (520, UDP, "router"),
    (521, UDP, "ripng"),
    (546, UDP, "dhcpv6-client"),
    (547, UDP, "dhcpv6-server"),
    (554, TCP, "rtsp"),
    (587, TCP, "submission"),
    (631, BOTH, "ipp"),
    (636, TCP, "ldaps"),
    (853, BOTH, "domain-s"),
    (873, TCP, "rsync"),
    (989, TCP, "ftps-data"),
    (990, TCP, "ftps"),
    (993, TCP, "imaps"),
    (995, TCP, "pop3s"),
    (1080, TCP, "socks"),
    (1194, BOTH, "openvpn"),
    (1433, TCP, "ms-sql-s"),
    (1723, TCP, "pptp"),
    (1812, UDP, "radius"),
    (1883, TCP, "mqtt"),
    (1900, UDP, "ssdp"),
    (3306, TCP, "mysql"),
    (3389, TCP, "ms-wbt-server"),
    (3478, BOTH, "stun"),
    (4500, UDP, "ipsec-nat-t"),
    (4789, UDP, "vxlan"),
    (5060, BOTH, "sip"),
    (5222, TCP, "xmpp-client"),
    (5353, UDP, "mdns"),
    (5432, TCP, "postgresql"),
    (5671, TCP, "amqps"),
    (5900, TCP, "rfb"),
    (6379, TCP, "redis"),
    (6667, TCP, "ircu"),
    (8000, TCP, "irdmi"),
    (8080, TCP, "http-alt"),
    (8443, TCP, "pcsync-https"),
];

/// What is served at a port, by what is usual.
pub(super) fn service(transport: Transport, port: u16) -> Option<&'static str> {
    let bit = if transport == Transport::Tcp { TCP } else { UDP };
    SERVICES.iter().find(|(known, protocols, _)| *known == port && protocols & bit != 0).map(|(.., name)| *name)
}

/// Every port at which something is usually served.
pub(super) fn usual_ports(transport: Transport) -> Vec<u16> {
    let bit = if transport == Transport::Tcp { TCP } else { UDP };
    SERVICES.iter().filter(|(_, protocols, _)| protocols & bit != 0).map(|(port, ..)| *port).collect()
}

/// How many ports one program goes through at most.
pub(super) const PORTS_MAX: usize = 65_535;

pub(super) const PORTS: Field = Field {
    name: "ports",
    form: Form::Text,
    need: Need::Optional,
    doc: "Which ports, with commas and ranges as `nmap -p` has them: `22,80,8000-8010`, or `-` for all.",
};

/// Reads `ports`: in ascending order, each once.
pub(super) fn ports(table: &Table<'_>) -> Option<Vec<u16>> {
    let text: Located<String> = table.get("ports")?;
    match parse_ports(&text.value) {
        Ok(ports) => Some(ports),
        Err(wrong) => {
            let title = format!("`{wrong}` is no port and no range of ports");
            let diagnostic = Diagnostic::new(text.span, title).label("such as \"22,80,8000-8010\"; from 1 to 65535");
            table.reader.report(diagnostic);
            None
        }
    }
}

/// The ports that a text means; the part that makes no sense if one does not.
fn parse_ports(text: &str) -> Result<Vec<u16>, String> {
    let mut ports = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let bound = |bound: &str, open: u16| match bound.trim() {
            "" if part.contains('-') => Ok(open),
            number => number.parse().ok().filter(|port| *port != 0).ok_or_else(|| part.to_owned()),
        };
        let (first, last) = (bound(first, 1)?, bound(last, u16::MAX)?);
        if first > last {
            return Err(part.to_owned());
        }
        ports.extend(first..=last);
        if ports.len() > 2 * PORTS_MAX {
            ports.sort_unstable();
            ports.dedup();
        }
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn services_are_found_by_protocol_and_port() {
        assert_eq!(service(Transport::Tcp, 80), Some("http"));
        assert_eq!(service(Transport::Udp, 80), None);
        assert_eq!((service(Transport::Tcp, 514), service(Transport::Udp, 514)), (Some("shell"), Some("syslog")));
        assert_eq!(service(Transport::Tcp, 49_152), None);
    }

    #[test]
    fn the_table_is_in_order_and_has_nothing_twice() {
        let order = |row: &&[(u16, u8, &str)]| (row[0].0, row[0].1) < (row[1].0, row[1].1);
        assert!(SERVICES.windows(2).all(|row| order(&row)));
        for transport in [Transport::Tcp, Transport::Udp] {
            let ports = usual_ports(transport);
            assert!(ports.windows(2).all(|two| two[0] < two[1]), "{transport:?}");
        }
    }

    #[test]
    fn ports_are_listed_as_nmap_lists_them() {
        assert_eq!(parse_ports("22,80"), Ok(vec![22, 80]));
        assert_eq!(parse_ports("80, 20-23,22"), Ok(vec![20, 21, 22, 23, 80]));
        assert_eq!(parse_ports("65534-"), Ok(vec![65_534, 65_535]));
        assert_eq!(parse_ports("-2"), Ok(vec![1, 2]));
        assert_eq!(parse_ports("-").map(|ports| ports.len()), Ok(PORTS_MAX));
        for wrong in ["", "0", "22,", "http", "9-7", "65536", "1-2-3"] {
            assert!(parse_ports(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn ports_are_in_order_and_never_too_many(text in "[0-9,\\- ]{0,40}") {
            if let Ok(ports) = parse_ports(&text) {
                prop_assert!(ports.len() <= PORTS_MAX && ports.windows(2).all(|two| two[0] < two[1]));
            }
        }
    }
}
