//! Extension headers: what stands between the IPv6 header and what it carries (RFC 8200 §4).
//!
//! ```text
//! | IPv6 header | hop-by-hop options | routing | fragment | destination options | TCP, UDP, ICMPv6 |
//! ```
//!
//! They are walked where a packet ends, never on its way: RFC 8200 §4, "Extension headers (except for the Hop-by-Hop
//! Options header) are not processed, inserted, or deleted by any node along a packet's delivery path, until the packet
//! reaches the node (or each of the set of nodes, in the case of multicast) identified in the Destination Address field
//! of the IPv6 header." Nor does a router here look at hop-by-hop options: "it is now expected that nodes along a
//! packet's delivery path only examine and process the Hop-by-Hop Options header if explicitly configured to do so."

use super::header::{HEADER_BYTES, Header};
use super::icmp::Complaint;
use crate::record::Cause;

/// How many extension headers a packet may have; RFC 8504 §5.3 allows a limit. Real ones have two or three.
const EXTENSIONS_MAX: usize = 8;

/// Next-header values (IANA "Protocol Numbers").
pub(super) mod next {
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    pub(in super::super) const TCP: u8 = 6;
    pub(in super::super) const UDP: u8 = 17;
    pub(in super::super) const ROUTING: u8 = 43;
    pub(in super::super) const FRAGMENT: u8 = 44;
    pub(in super::super) const ICMPV6: u8 = 58;
    pub(in super::super) const NONE: u8 = 59;
    pub(in super::super) const DESTINATION: u8 = 60;
}

/// The length of a fragment header.
pub(super) const FRAGMENT_HEADER_BYTES: usize = 8;

/// Where a packet's extension headers lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To a fragment header.
    Fragment(FragmentHeader),
    /// Nowhere: "no next header".
    Nowhere,
    /// Not on: why the packet must go, and what its sender is told.
    Refused(Cause, Option<Complaint>),
    /// To a transport protocol that is spoken here, which begins there.
    Upper { protocol: u8, at: usize },
}

/// A fragment header (RFC 8200 §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentHeader {
    /// Where in the packet it stands: the headers before it are the "per-fragment" ones.
    pub(super) at: usize,
    /// Where the byte stands that says a fragment header follows.
    pub(super) named_at: usize,
    /// What the fragmented part begins with.
    pub(super) next: u8,
    /// Where this part belongs, in bytes.
    pub(super) offset: usize,
    pub(super) more_follow: bool,
    pub(super) ident: u32,
}

impl FragmentHeader {
    /// Whether it is all of a packet (RFC 6946).
    pub(super) fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more_follow
    }

    /// Where the fragmented part begins.
    pub(super) fn payload_at(&self) -> usize {
        self.at + FRAGMENT_HEADER_BYTES
    }
}

/// Walks the extension headers of a packet, which `is_for_many`.
pub(super) fn walk(packet: &[u8], header: &Header, is_for_many: bool) -> Leads {
    walk_from(packet, Place { next: header.next, named_at: 6, at: HEADER_BYTES }, is_for_many)
}

/// Walks on from behind an atomic fragment's header.
pub(super) fn walk_on(packet: &[u8], fragment: &FragmentHeader, is_for_many: bool) -> Leads {
    let place = Place { next: fragment.next, named_at: fragment.at, at: fragment.payload_at() };
    walk_from(packet, place, is_for_many)
}

/// Which header comes next, where the byte stands that says so, and where it begins.
#[derive(Debug, Clone, Copy)]
struct Place {
    next: u8,
    named_at: usize,
    at: usize,
}

fn walk_from(packet: &[u8], mut place: Place, is_for_many: bool) -> Leads {
    for _ in 0..=EXTENSIONS_MAX {
        let Place { next, named_at, at } = place;
        let length = match next {
            next::TCP | next::UDP | next::ICMPV6 => return Leads::Upper { protocol: next, at },
            // RFC 8200 §4.7: "The value 59 in the Next Header field of an IPv6 header or any extension header indicates
            // that there is nothing following that header."
            next::NONE => return Leads::Nowhere,
            next::FRAGMENT => {
                return match fragment_header(packet, place) {
                    Some(fragment) => Leads::Fragment(fragment),
                    None => Leads::Refused(Cause::Malformed, None),
                };
            }
            // RFC 8200 §4.1: each "should occur at most once", hop-by-hop options are "restricted to appear immediately after
            // an IPv6 header only"; §4: a node that meets it elsewhere treats it as an unrecognized next header.
            next::HOP_BY_HOP if named_at != 6 => return unrecognized(named_at),
            next::HOP_BY_HOP | next::DESTINATION | next::ROUTING => match whole_length(packet, at) {
                Some(length) => length,
                None => return Leads::Refused(Cause::Malformed, None),
            },
            _ => return unrecognized(named_at),
        };
        let refusal = if next == next::ROUTING {
            check_routing(packet, at)
        } else {
            check_options(&packet[..at + length], at + 2, is_for_many)
        };
        if let Some((cause, complaint)) = refusal {
            return Leads::Refused(cause, complaint);
        }
        place = Place { next: packet[at], named_at: at, at: at + length };
    }
    Leads::Refused(Cause::Malformed, None)
}

/// How long the extension header at `at` is, if all of it is there.
fn whole_length(packet: &[u8], at: usize) -> Option<usize> {
    let length = (usize::from(*packet.get(at + 1)?) + 1) * 8;
    packet.get(at..at + length).map(<[u8]>::len)
}

fn fragment_header(packet: &[u8], Place { named_at, at, .. }: Place) -> Option<FragmentHeader> {
    let [next, _, high, low, ident @ ..] = packet.get(at..)?.first_chunk::<FRAGMENT_HEADER_BYTES>()?;
    let field = u16::from_be_bytes([*high, *low]);
    Some(FragmentHeader {
        at,
        named_at,
        next: *next,
        offset: usize::from(field & !7),
        more_follow: field & 1 != 0,
        ident: u32::from_be_bytes(*ident),
    })
}

/// RFC 8200 §4: "If, as a result of processing a header, the destination node is required to proceed to the next header
/// but the Next Header value in the current header is unrecognized by the node, it should discard the packet and send an
/// ICMP Parameter Problem message to the source of the packet, with an ICMP Code value of 1".
fn unrecognized(named_at: usize) -> Leads {
    Leads::Refused(Cause::UnknownProtocol, Some(Complaint::UnknownNextHeader { pointer: named_at }))
}

/// RFC 8200 §4.4: with an unrecognized routing type, "If Segments Left is zero, the node must ignore the Routing header
/// and proceed to process the next header in the packet [...]. If Segments Left is non-zero, the node must discard the
/// packet and send an ICMP Parameter Problem, Code 0, message to the packet's Source Address, pointing to the unrecognized
/// Routing Type."
///
/// RFC 5095 §3: type 0 is treated in the same way: "An IPv6 node that receives a packet with a destination address
/// assigned to it and that contains an RH0 extension header MUST NOT execute the algorithm".
fn check_routing(packet: &[u8], at: usize) -> Option<(Cause, Option<Complaint>)> {
    let segments_left = packet[at + 3];
    (segments_left != 0).then_some((Cause::Filtered, Some(Complaint::ErroneousHeader { pointer: at + 2 })))
}

/// Looks at the options that begin at `at` and end with `packet`.
fn check_options(packet: &[u8], mut at: usize, is_for_many: bool) -> Option<(Cause, Option<Complaint>)> {
    const PAD1: u8 = 0;
    const PADN: u8 = 1;
    const ROUTER_ALERT: u8 = 5;
    while let Some(kind) = packet.get(at).copied() {
        if kind == PAD1 {
            at += 1;
            continue;
        }
        let end = at + 2 + packet.get(at + 1).map_or(usize::MAX - at - 2, |length| usize::from(*length));
        if end > packet.len() {
            return Some((Cause::Malformed, None));
        }
        if !matches!(kind, PADN | ROUTER_ALERT) {
            // RFC 8200 §4.2: "The Option Type identifiers are internally encoded such that their highest-order 2 bits
            // specify the action that must be taken if the processing IPv6 node does not recognize the Option Type":
            // skip over it; discard; discard and complain; discard and complain unless it was multicast.
            let complaint = Some(Complaint::UnknownOption { pointer: at });
            match kind >> 6 {
                0 => {}
                1 => return Some((Cause::UnknownOption, None)),
                2 => return Some((Cause::UnknownOption, complaint)),
                _ => return Some((Cause::UnknownOption, complaint.filter(|_| !is_for_many))),
            }
        }
        at = end;
    }
    None
}

/// How long the part of a packet is that every fragment of it must have (RFC 8200 §4.5): "the IPv6 header plus any
/// extension headers that must be processed by nodes en route to the destination, that is, all headers up to and
/// including the Routing header if present, else the Hop-by-Hop Options header if present, else no extension headers."
///
/// With it, where the byte stands that names what follows.
pub(super) fn per_fragment_part(packet: &[u8], header: &Header) -> (usize, usize) {
    let mut place = Place { next: header.next, named_at: 6, at: HEADER_BYTES };
    let mut part = (HEADER_BYTES, 6);
    for _ in 0..EXTENSIONS_MAX {
        let is_passed = matches!(place.next, next::HOP_BY_HOP | next::DESTINATION | next::ROUTING);
        let Some(length) = whole_length(packet, place.at).filter(|_| is_passed) else { break };
        let was = place.next;
        place = Place { next: packet[place.at], named_at: place.at, at: place.at + length };
        if was != next::DESTINATION {
            part = (place.at, place.named_at);
        }
    }
    part
}

/// Where the byte stands that says that a packet, known to be a fragment, has a fragment header.
pub(super) fn named_at_of_fragment(packet: &[u8], header: &Header) -> usize {
    match walk(packet, header, true) {
        Leads::Fragment(fragment) => fragment.named_at,
        _ => 6,
    }
}

/// Whether the first fragment's part of a packet holds every header up to and including the transport's (RFC 7112 §5).
pub(super) fn holds_all_headers(packet: &[u8], fragment: &FragmentHeader) -> bool {
    transport(packet, fragment.next, fragment.payload_at()).is_some_and(|(protocol, at)| {
        let needed = match protocol {
            next::TCP => 20,
            next::UDP => 8,
            next::ICMPV6 => 4,
            _ => 0,
        };
        packet.len() >= at + needed
    })
}

/// What stands behind the extension headers that begin with `next` at `at`, and where, whatever they say: also behind the
/// header of a first fragment. `None` if they are not all there.
pub(super) fn transport(packet: &[u8], mut next: u8, mut at: usize) -> Option<(u8, usize)> {
    for _ in 0..=EXTENSIONS_MAX {
        let length = match next {
            next::HOP_BY_HOP | next::DESTINATION | next::ROUTING => whole_length(packet, at)?,
            next::FRAGMENT => {
                let fragment = fragment_header(packet, Place { next, named_at: at, at })?;
                (fragment.offset == 0).then_some(FRAGMENT_HEADER_BYTES)?
            }
            _ => return Some((next, at)),
        };
        next = packet[at];
        at += length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A packet with these bytes behind its header, which says that `next` follows.
    fn packet(next: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, rest.len() as u8, next, 64];
        bytes.extend([0; 32]);
        bytes.extend(rest);
        bytes
    }

    fn walked(next: u8, rest: &[u8], is_for_many: bool) -> Leads {
        let bytes = packet(next, rest);
        walk(&bytes, &Header::of(&bytes).unwrap(), is_for_many)
    }

    #[test]
    fn known_headers_lead_to_the_transport() {
        // Hop-by-hop with a router alert, destination options with padding, routing that is used up.
        let rest = [60, 0, 5, 2, 0, 0, 1, 0, 43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(walked(0, &rest, false), Leads::Upper { protocol: 17, at: 64 });
        assert_eq!(walked(59, b"whatever", false), Leads::Nowhere);
    }

    #[test]
    fn an_unrecognized_header_is_pointed_at_where_it_is_named() {
        let refused = |pointer| Leads::Refused(Cause::UnknownProtocol, Some(Complaint::UnknownNextHeader { pointer }));
        assert_eq!(walked(99, &[], false), refused(6));
        assert_eq!(walked(60, &[99, 0, 1, 4, 0, 0, 0, 0], false), refused(40));
        // Hop-by-hop options anywhere but first.
        assert_eq!(walked(60, &[0, 0, 1, 4, 0, 0, 0, 0], false), refused(40));
    }

    #[test]
    fn an_unknown_option_says_itself_what_is_to_be_done() {
        let option = |kind, is_for_many| walked(60, &[17, 0, 1, 0, kind, 2, 0, 0], is_for_many);
        let refused = |complaint| Leads::Refused(Cause::UnknownOption, complaint);
        let told = Some(Complaint::UnknownOption { pointer: 44 });
        assert_eq!(option(0x3e, false), Leads::Upper { protocol: 17, at: 48 });
        assert_eq!(option(0x7e, false), refused(None));
        assert_eq!(option(0xbe, true), refused(told));
        assert_eq!(option(0xfe, false), refused(told));
        assert_eq!(option(0xfe, true), refused(None));
        assert_eq!(walked(60, &[17, 0, 1, 0, 0x3e, 3, 0, 0], false), Leads::Refused(Cause::Malformed, None));
    }

    #[test]
    fn a_source_route_is_refused_unless_it_is_used_up() {
        let route = |segments_left| {
            let mut rest = vec![17, 2, 0, segments_left, 0, 0, 0, 0];
            rest.extend([0; 16]);
            walked(43, &rest, false)
        };
        assert_eq!(route(0), Leads::Upper { protocol: 17, at: 64 });
        let told = Some(Complaint::ErroneousHeader { pointer: 42 });
        assert_eq!(route(1), Leads::Refused(Cause::Filtered, told));
    }

    #[test]
    fn only_the_headers_that_matter_on_the_way_are_in_every_fragment() {
        let part = |next, rest: &[u8]| {
            let bytes = packet(next, rest);
            per_fragment_part(&bytes, &Header::of(&bytes).unwrap())
        };
        let (pad, to) = ([1, 4, 0, 0, 0, 0], |next: u8| [next, 0]);
        assert_eq!(part(17, &[0; 8]), (40, 6));
        assert_eq!(part(0, &[&to(60)[..], &pad, &to(17), &pad].concat()), (48, 40));
        // Destination options before a routing header are for the nodes that it lists.
        assert_eq!(part(60, &[&to(43)[..], &pad, &to(17), &[0; 6]].concat()), (56, 48));
    }

    #[test]
    fn headers_and_options_are_processed_in_the_order_in_which_they_stand() {
        let unknown = |kind: u8| [kind, 2, 0, 0];
        // Destination options with two that must be known: the first decides, and so does the first header.
        let options = [&[43, 0][..], &[1, 0], &unknown(0xbe)].concat();
        let route = [17, 0, 0, 1, 0, 0, 0, 0];
        let told = Some(Complaint::UnknownOption { pointer: 44 });
        assert_eq!(walked(60, &[&options[..], &route].concat(), false), Leads::Refused(Cause::UnknownOption, told));
        let two = [&[17, 1][..], &[1, 0], &unknown(0x7e), &unknown(0xbe), &[1, 2, 0, 0]].concat();
        assert_eq!(walked(60, &two, false), Leads::Refused(Cause::UnknownOption, None));
        let told = Some(Complaint::ErroneousHeader { pointer: 42 });
        let route_first = [&[60, 0, 0, 1, 0, 0, 0, 0][..], &options].concat();
        assert_eq!(walked(43, &route_first, false), Leads::Refused(Cause::Filtered, told));
    }

    #[test]
    fn headers_may_stand_in_any_order_and_more_than_once_and_padding_is_known() {
        // Routing, destination options twice, with both kinds of padding.
        let rest = [60, 0, 1, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 17, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(walked(43, &rest, false), Leads::Upper { protocol: 17, at: 64 });
    }

    #[test]
    fn no_more_than_eight_headers_are_walked() {
        let chain = |count: usize| {
            let mut rest = [60, 0, 1, 4, 0, 0, 0, 0].repeat(count);
            rest[(count - 1) * 8] = 17;
            walked(60, &rest, false)
        };
        assert_eq!(chain(8), Leads::Upper { protocol: 17, at: 104 });
        assert_eq!(chain(9), Leads::Refused(Cause::Malformed, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked(
            next in prop::sample::select(vec![0_u8, 43, 44, 60, 17, 58, 59, 99]),
            rest in proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(vec![0_u8, 43, 44, 60, 1])], 0..80),
            is_for_many: bool,
        ) {
            let bytes = packet(next, &rest);
            let header = Header::of(&bytes).unwrap();
            match walk(&bytes, &header, is_for_many) {
                Leads::Upper { at, .. } => prop_assert!(at <= bytes.len()),
                Leads::Fragment(fragment) => {
                    prop_assert!(fragment.payload_at() <= bytes.len());
                    let _ = walk_on(&bytes, &fragment, is_for_many);
                }
                Leads::Nowhere | Leads::Refused(..) => {}
            }
            prop_assert!(per_fragment_part(&bytes, &header).0 <= bytes.len());
            prop_assert!(transport(&bytes, next, HEADER_BYTES).is_none_or(|(_, at)| at <= bytes.len()));
        }
    }
}
