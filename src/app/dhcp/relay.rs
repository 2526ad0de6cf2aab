//! A relay agent's decisions: which messages go on, and where (RFC 1542 §4.1, RFC 2131 §4.1, RFC 3046).
//!
//! A client cannot send beyond its link, and a server cannot answer onto a link that is not its own. A router in between
//! passes their messages on and writes the address that it has on the client's link into them: by that the server knows
//! where the client is, and where to answer.

use std::net::Ipv4Addr;

use smoltcp::wire::EthernetAddress;

use crate::wire::dhcp::{Message, code};

/// RFC 1542 §4.1.1: "The relay agent MUST silently discard BOOTREQUEST messages whose 'hops' field exceeds the value 16. A
/// configuration option SHOULD be provided to set this threshold to a smaller value if desired by the network manager. The
/// default setting for a configurable threshold SHOULD be 4."
pub(super) const HOPS_MAX: u8 = 16;

/// A link of the relay's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u16,
    pub(super) name: String,
    /// The relay's address there.
    pub(super) own: Ipv4Addr,
}

/// How a relay behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Habits {
    pub(super) hops_max: u8,
    /// Whether it tells the server by which of its interfaces a request came (RFC 3046).
    pub(super) adds_information: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ends here; why.
    Dropped(&'static str),
    /// To a client on a link: to everybody, or to this address at this hardware address.
    ToClient(Message, Link, Option<(EthernetAddress, Ipv4Addr)>),
    /// To every server.
    ToServers(Message),
}

/// What becomes of a message that came by one of the relay's links.
pub(super) fn relay(mut message: Message, arrival: &Link, links: &[Link], habits: &Habits) -> Fate {
    if message.is_reply {
        return relay_reply(message, links, habits);
    }
    // A threshold of 4 lets the fourth relay pass it on.
    if message.hops >= habits.hops_max.min(HOPS_MAX) {
        return Fate::Dropped("it has passed too many relays");
    }
    // RFC 1542 §4.1.1: "If the relay agent does decide to relay the request, it MUST examine the 'giaddr' ('gateway' IP
    // address) field. If this field is zero, the relay agent MUST fill this field with the IP address of the interface on
    // which the request was received. [...] If the 'giaddr' field contains some non-zero value, the 'giaddr' field MUST NOT
    // be modified." "The value of the 'hops' field MUST be incremented."
    message.hops += 1;
    let has_information = message.options.get(code::RELAY_AGENT_INFORMATION).is_some();
    if message.giaddr.is_unspecified() {
        if has_information {
            // RFC 3046 §2.1.1: "A relay agent [...] MUST discard [...] a packet from an untrusted circuit which contains a
            // Relay Agent Information option and a giaddr set to zero".
            return Fate::Dropped("a client does not speak for relays");
        }
        message.giaddr = arrival.own;
        if habits.adds_information {
            message.options.set(code::RELAY_AGENT_INFORMATION, circuit(&arrival.name));
        }
    } else if links.iter().any(|link| link.own == message.giaddr) {
        // RFC 3046 §2.1.1 warns of clients that pretend to be the relay itself.
        return Fate::Dropped("it pretends to have come through this relay");
    }
    Fate::ToServers(message)
}

/// RFC 1542 §4.1.2: "When the relay agent receives a BOOTREPLY message, it should examine the BOOTP 'giaddr', 'yiaddr',
/// 'chaddr', 'htype', and 'hlen' fields. [...] The 'giaddr' field can be used to identify the logical interface to which
/// the reply must be sent".
fn relay_reply(mut message: Message, links: &[Link], habits: &Habits) -> Fate {
    let Some(link) = links.iter().find(|link| link.own == message.giaddr) else {
        return Fate::Dropped("it is for another relay");
    };
    if habits.adds_information {
        // RFC 3046 §2.1: "the Relay Agent Information option [...] MUST be removed by [...] the relay agent [...] before
        // forwarding of the server-to-client response."
        message.options.remove(code::RELAY_AGENT_INFORMATION);
    }
    let whom = (message.chaddr, message.yiaddr);
    let is_for_all = message.is_broadcast || message.yiaddr.is_unspecified();
    Fate::ToClient(message, link.clone(), (!is_for_all).then_some(whom))
}

/// The agent circuit identifier (RFC 3046 §3.1): the interface's name.
fn circuit(name: &str) -> Vec<u8> {
    let name: Vec<u8> = name.bytes().take(253).collect();
    [&[1, name.len() as u8], &name[..]].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smoltcp::wire::DhcpMessageType;

    use super::*;

    fn link(index: u16) -> Link {
        Link { index, name: format!("eth{index}"), own: Ipv4Addr::new(10, 0, index as u8, 1) }
    }

    fn habits(adds_information: bool) -> Habits {
        Habits { hops_max: 4, adds_information }
    }

    fn discover() -> Message {
        Message::request(DhcpMessageType::Discover, 7, EthernetAddress([2, 0, 0, 0, 0, 1]))
    }

    fn go(message: Message, adds_information: bool) -> Fate {
        relay(message, &link(1), &[link(1), link(2)], &habits(adds_information))
    }

    #[test]
    fn a_request_gets_the_relays_address_if_it_has_none_and_counts_one_hop_more() {
        let Fate::ToServers(relayed) = go(discover(), false) else { panic!() };
        assert_eq!(relayed, Message { giaddr: link(1).own, hops: 1, ..discover() });
        let other = Message { giaddr: Ipv4Addr::new(9, 9, 9, 9), hops: 1, ..discover() };
        assert_eq!(go(other.clone(), false), Fate::ToServers(Message { hops: 2, ..other }), "not modified");
    }

    #[test]
    fn a_request_that_has_passed_too_many_relays_ends() {
        assert!(matches!(go(Message { hops: 3, ..discover() }, false), Fate::ToServers(_)));
        assert!(matches!(go(Message { hops: 4, ..discover() }, false), Fate::Dropped(_)));
        let patient = Habits { hops_max: 255, adds_information: false };
        let with = |hops| relay(Message { hops, ..discover() }, &link(1), &[link(1)], &patient);
        assert!(matches!(with(15), Fate::ToServers(_)) && matches!(with(16), Fate::Dropped(_)));
        assert!(matches!(with(255), Fate::Dropped(_)));
    }

    #[test]
    fn an_answer_goes_to_the_link_of_the_relays_address_by_broadcast_or_to_the_client() {
        let reply = Message { yiaddr: Ipv4Addr::new(10, 0, 2, 77), giaddr: link(2).own, ..discover() };
        let reply = Message::reply(DhcpMessageType::Offer, &reply);
        let reply = Message { yiaddr: Ipv4Addr::new(10, 0, 2, 77), ..reply };
        let whom = Some((reply.chaddr, reply.yiaddr));
        assert_eq!(go(reply.clone(), false), Fate::ToClient(reply.clone(), link(2), whom));
        let all = Message { is_broadcast: true, ..reply.clone() };
        assert_eq!(go(all.clone(), false), Fate::ToClient(all, link(2), None));
        let refusal = Message { yiaddr: Ipv4Addr::UNSPECIFIED, ..reply.clone() };
        assert!(matches!(go(refusal, false), Fate::ToClient(_, _, None)));
        let strange = Message { giaddr: Ipv4Addr::new(9, 9, 9, 9), ..reply };
        assert!(matches!(go(strange, false), Fate::Dropped(_)));
    }

    #[test]
    fn the_information_of_the_relay_comes_and_goes_and_a_clients_own_is_not_believed() {
        let Fate::ToServers(relayed) = go(discover(), true) else { panic!() };
        assert_eq!(relayed.options.get(82), Some(&b"\x01\x04eth1"[..]));
        let mut reply = Message::reply(DhcpMessageType::Offer, &relayed);
        reply.options.set(82, b"\x01\x04eth1".to_vec());
        let Fate::ToClient(told, ..) = go(reply, true) else { panic!() };
        assert_eq!(told.options.get(82), None);
        let mut liar = discover();
        liar.options.set(82, vec![1, 1, 7]);
        assert!(matches!(go(liar, true), Fate::Dropped(_)));
        assert!(matches!(go(Message { giaddr: link(2).own, ..discover() }, true), Fate::Dropped(_)));
    }

    proptest! {
        #[test]
        fn no_message_goes_round_for_ever(
            hops in any::<u8>(), giaddr in any::<u32>(), hops_max in any::<u8>(), is_reply in any::<bool>(),
        ) {
            let habits = Habits { hops_max, adds_information: true };
            let mut message = Message { hops, giaddr: giaddr.into(), is_reply, ..discover() };
            let mut rounds = 0;
            while let Fate::ToServers(next) = relay(message.clone(), &link(1), &[link(1)], &habits) {
                // As if the next one were a relay too.
                message = Message { giaddr: Ipv4Addr::new(9, 9, 9, 9), ..next };
                rounds += 1;
                prop_assert!(rounds <= 16);
            }
        }
    }
}
