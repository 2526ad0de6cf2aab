//! Echo requests, and what `ping` and `traceroute` call an ICMP error.
//!
//! The words are those of iputils' `ping` and of the `traceroute` that Debian ships, so that what people find about them
//! elsewhere applies here. Messages come parsed from [`net`](crate::net::icmp); nothing is decided here.

use std::net::IpAddr;

use crate::net::IcmpKind;
use crate::net::icmp::Reason;

/// The length of an echo request's header.
pub(super) const ECHO_HEADER_LEN: usize = 8;

/// An echo request from its type on, for the family of `destination`; its checksum is left for the socket to fill in.
///
/// RFC 792 and RFC 4443 §4.1 draw the same header:
///
/// ```text
///  0       1       2               4               6               8
/// ┌───────┬───────┬───────────────┬───────────────┬───────────────┬─────────
/// │ type  │ code  │ checksum      │ identifier    │ sequence no.  │ payload …
/// └───────┴───────┴───────────────┴───────────────┴───────────────┴─────────
/// ```
pub(super) fn echo_request(destination: IpAddr, ident: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let kind = if destination.is_ipv4() { 8 } else { 128 };
    let mut message = Vec::with_capacity(ECHO_HEADER_LEN + payload.len());
    message.extend_from_slice(&[kind, 0, 0, 0]);
    message.extend_from_slice(&ident.to_be_bytes());
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(payload);
    message
}

/// The length of the IP header in front of it.
pub(super) fn ip_header_len(destination: IpAddr) -> usize {
    if destination.is_ipv4() { 20 } else { 40 }
}

/// What `ping` says of an error; `None` for what is none.
pub(super) fn phrase(kind: &IcmpKind) -> Option<String> {
    match kind {
        IcmpKind::Unreachable { code, quote, mtu, .. } if quote.destination.is_ipv4() => {
            Some(unreachable_v4(*code, *mtu))
        }
        IcmpKind::Unreachable { reason: Reason::TooBig, mtu, .. } => {
            Some(format!("Packet too big: mtu={}", mtu.unwrap_or(0)))
        }
        IcmpKind::Unreachable { code, .. } => Some(unreachable_v6(*code)),
        IcmpKind::ParameterProblem { pointer, quote, .. } if quote.destination.is_ipv4() => {
            Some(format!("Parameter problem: pointer = {pointer}"))
        }
        IcmpKind::ParameterProblem { code, pointer, .. } => Some(match code {
            0 => format!("Parameter problem: Wrong header field at {pointer}"),
            1 => format!("Parameter problem: Unknown header at {pointer}"),
            2 => format!("Parameter problem: Unknown option at {pointer}"),
            code => format!("Parameter problem: Unknown code {code} at {pointer}"),
        }),
        IcmpKind::TimeExceeded { code, quote } if quote.destination.is_ipv4() => Some(match code {
            0 => "Time to live exceeded".to_owned(),
            1 => "Frag reassembly time exceeded".to_owned(),
            code => format!("Time exceeded, Bad Code: {code}"),
        }),
        IcmpKind::TimeExceeded { code, .. } => Some(match code {
            0 => "Time exceeded: Hop limit".to_owned(),
            1 => "Time exceeded: Defragmentation failure".to_owned(),
            code => format!("Time exceeded: code {code}"),
        }),
        IcmpKind::EchoReply { .. }
        | IcmpKind::EchoRequest { .. }
        | IcmpKind::Other { .. }
        | IcmpKind::Redirect { .. } => None,
    }
}

/// What `ping` says of a redirect; `router` is the new one, as it shall be called.
pub(super) fn redirect_phrase(code: u8, router: &str) -> String {
    let what = match code {
        0 => "Network",
        1 => "Host",
        2 => "Type of Service and Network",
        3 => "Type of Service and Host",
        _ => return format!("Redirect, Bad Code: {code}(New nexthop: {router})"),
    };
    format!("Redirect {what}(New nexthop: {router})")
}

fn unreachable_v4(code: u8, mtu: Option<usize>) -> String {
    let what = match code {
        0 => "Net Unreachable",
        1 => "Host Unreachable",
        2 => "Protocol Unreachable",
        3 => "Port Unreachable",
        4 => return format!("Frag needed and DF set (mtu = {})", mtu.unwrap_or(0)),
        5 => return "Source Route Failed".to_owned(),
        6 => "Net Unknown",
        7 => "Host Unknown",
        8 => return "Source Host Isolated".to_owned(),
        9 => "Net Prohibited",
        10 => "Host Prohibited",
        11 => "Net Unreachable for Type of Service",
        12 => "Host Unreachable for Type of Service",
        13 => return "Packet filtered".to_owned(),
        14 => return "Precedence Violation".to_owned(),
        15 => return "Precedence Cutoff".to_owned(),
        code => return format!("Dest Unreachable, Bad Code: {code}"),
    };
    format!("Destination {what}")
}

fn unreachable_v6(code: u8) -> String {
    let what = match code {
        0 => "No route",
        1 => "Administratively prohibited",
        2 => "Beyond scope of source address",
        3 => "Address unreachable",
        4 => "Port unreachable",
        5 => "Source address failed ingress/egress policy",
        6 => "Reject route to destination",
        code => return format!("Destination unreachable: Unknown code {code}"),
    };
    format!("Destination unreachable: {what}")
}

/// How `traceroute` marks an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// A router on the way: the time to live was used up there. Nothing is marked.
    OnTheWay,
    /// The destination itself. Nothing is marked.
    Reached,
    /// Something that ends the trace: `!H`, `!N`, `!X`, `!F-1400`.
    Refused(String),
}

/// What an answer means to `traceroute`; `None` for what is no answer.
pub(super) fn mark(kind: &IcmpKind) -> Option<Mark> {
    let (code, quote) = match kind {
        IcmpKind::EchoReply { .. } => return Some(Mark::Reached),
        IcmpKind::TimeExceeded { code: 0, .. } => return Some(Mark::OnTheWay),
        IcmpKind::TimeExceeded { code, quote } => {
            let kind = if quote.destination.is_ipv4() { 11 } else { 3 };
            return Some(Mark::Refused(format!("!<{kind}-{code}>")));
        }
        IcmpKind::Unreachable { reason: Reason::TooBig, mtu, .. } => {
            return Some(Mark::Refused(format!("!F-{}", mtu.unwrap_or(0))));
        }
        IcmpKind::Unreachable { code, quote, .. } => (*code, quote),
        IcmpKind::EchoRequest { .. }
        | IcmpKind::Other { .. }
        | IcmpKind::ParameterProblem { .. }
        | IcmpKind::Redirect { .. } => return None,
    };
    let sign = match (quote.destination.is_ipv4(), code) {
        (true, 3) | (false, 4) => return Some(Mark::Reached),
        (true, 0 | 6 | 8 | 11) | (false, 0) => "!N",
        (true, 1 | 7 | 12) | (false, 2 | 3) => "!H",
        (true, 9 | 10 | 13) | (false, 1) => "!X",
        (true, 2) => "!P",
        (true, 5) => "!S",
        (true, 14) => "!V",
        (true, 15) => "!C",
        (_, code) => return Some(Mark::Refused(format!("!<{code}>"))),
    };
    Some(Mark::Refused(sign.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Quote;

    fn quote(destination: &str) -> Quote {
        let destination: IpAddr = destination.parse().unwrap();
        Quote { source: destination, destination, protocol: 17, ports: None, echo: None, tcp_sequence: None }
    }

    fn unreachable(destination: &str, code: u8, mtu: Option<usize>) -> IcmpKind {
        let reason = if mtu.is_some() { Reason::TooBig } else { Reason::Other };
        IcmpKind::Unreachable { reason, code, quote: quote(destination), mtu }
    }

    #[test]
    fn a_request_has_the_type_of_its_family() {
        let request = echo_request("10.0.0.2".parse().unwrap(), 0x1234, 7, b"abc");
        assert_eq!(request, [8, 0, 0, 0, 0x12, 0x34, 0, 7, b'a', b'b', b'c']);
        assert_eq!(echo_request("::1".parse().unwrap(), 0, 0, b"")[0], 128);
    }

    #[test]
    fn errors_are_called_what_ping_calls_them() {
        let said = |kind| phrase(&kind).unwrap();
        assert_eq!(said(unreachable("10.0.0.2", 1, None)), "Destination Host Unreachable");
        assert_eq!(said(unreachable("10.0.0.2", 4, Some(1400))), "Frag needed and DF set (mtu = 1400)");
        assert_eq!(said(unreachable("10.0.0.2", 13, None)), "Packet filtered");
        assert_eq!(said(unreachable("10.0.0.2", 99, None)), "Dest Unreachable, Bad Code: 99");
        assert_eq!(said(IcmpKind::TimeExceeded { code: 0, quote: quote("10.0.0.2") }), "Time to live exceeded");
        assert_eq!(said(unreachable("::1", 3, None)), "Destination unreachable: Address unreachable");
        assert_eq!(said(unreachable("::1", 0, Some(1280))), "Packet too big: mtu=1280");
        assert_eq!(said(IcmpKind::TimeExceeded { code: 0, quote: quote("::1") }), "Time exceeded: Hop limit");
        assert_eq!(phrase(&IcmpKind::Other { kind: 5, code: 1 }), None);
    }

    #[test]
    fn answers_are_marked_as_traceroute_marks_them() {
        let marked = |kind| mark(&kind).unwrap();
        let refused = |sign: &str| Mark::Refused(sign.to_owned());
        assert_eq!(marked(IcmpKind::TimeExceeded { code: 0, quote: quote("10.0.0.2") }), Mark::OnTheWay);
        assert_eq!(marked(IcmpKind::EchoReply { ident: 1, sequence: 1, payload_len: 0 }), Mark::Reached);
        for (code, sign) in [(0, "!N"), (1, "!H"), (2, "!P"), (10, "!X"), (13, "!X"), (200, "!<200>")] {
            assert_eq!(marked(unreachable("10.0.0.2", code, None)), refused(sign));
        }
        assert_eq!(marked(unreachable("10.0.0.2", 3, None)), Mark::Reached);
        assert_eq!(marked(unreachable("10.0.0.2", 4, Some(1400))), refused("!F-1400"));
        for (code, sign) in [(0, "!N"), (1, "!X"), (3, "!H")] {
            assert_eq!(marked(unreachable("::1", code, None)), refused(sign));
        }
        assert_eq!(marked(unreachable("::1", 4, None)), Mark::Reached);
        assert_eq!(marked(unreachable("::1", 0, Some(1280))), refused("!F-1280"));
        assert_eq!(mark(&IcmpKind::EchoRequest { ident: 1, sequence: 1, payload_len: 0 }), None);
    }
}
