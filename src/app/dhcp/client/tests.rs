//! What the client does with what it is told, and when, told without a network.

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;
use crate::wire::dhcp::MESSAGE_BYTES_ALWAYS;

const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

fn remembering(lease: Option<Lease>) -> Client {
    let who = Identity { mac: MAC, host_name: "client".into(), wants_broadcast: false };
    let mut client = Client::new(who, lease, Rng::stream(1, "test"));
    client.link_is(true, at(0));
    client
}

/// A client that has just sent its first message.
fn client() -> Client {
    remembering(None)
}

/// The only message that the client wants sent, and whether to everybody.
fn sent(client: &mut Client) -> Option<(Message, bool)> {
    let acts = std::mem::take(&mut client.acts).into_iter();
    let mut messages = acts.filter_map(|act| match act {
        Act::Broadcast(message) => Some((message, true)),
        Act::Unicast(message, server) => {
            assert_eq!(server, SERVER);
            Some((message, false))
        }
        _ => None,
    });
    let first = messages.next();
    assert_eq!(messages.next(), None, "one message at a time");
    first
}

/// A server's answer to a message: an hour, or what `change` makes of it.
fn answer(kind: DhcpMessageType, to: &Message, change: impl FnOnce(&mut Message)) -> Message {
    let mut reply = Message::reply(kind, to);
    reply.yiaddr = ADDRESS;
    reply.options.set_address(code::SERVER_IDENTIFIER, SERVER);
    if kind != DhcpMessageType::Nak {
        reply.options.set_address(code::SUBNET_MASK, Ipv4Addr::new(255, 255, 255, 0));
        reply.options.set_seconds(code::LEASE_TIME, 3600);
    } else {
        reply.yiaddr = Ipv4Addr::UNSPECIFIED;
    }
    change(&mut reply);
    reply
}

fn ok(_: &mut Message) {}

/// A client that has an address, asked for at 0 s and free at 5 s.
fn bound() -> Client {
    let mut client = client();
    let discover = sent(&mut client).unwrap().0;
    client.received(&answer(DhcpMessageType::Offer, &discover, ok), at(0));
    let request = sent(&mut client).unwrap().0;
    client.received(&answer(DhcpMessageType::Ack, &request, ok), at(0));
    client.address_is(ADDRESS, Standing::InUse, at(5));
    client.acts.clear();
    assert_eq!(client.state(), State::Bound);
    client
}

/// Wakes the client at each of its times up to one, and gives what it sent and when.
fn wake_until(client: &mut Client, until: u64) -> Vec<(u64, Message, bool)> {
    let mut all = Vec::new();
    while let Some(due) = client.due_at().filter(|due| *due <= at(until)) {
        client.wake(due);
        all.extend(sent(client).map(|(message, is_broadcast)| (due.as_nanos() / 1_000_000, message, is_broadcast)));
    }
    all
}

#[test]
fn discover_offer_request_ack() {
    let mut client = client();
    let (discover, is_broadcast) = sent(&mut client).unwrap();
    assert!(is_broadcast && discover.ciaddr.is_unspecified() && !discover.is_broadcast && discover.secs == 0);
    assert_eq!(discover.kind(), Some(DhcpMessageType::Discover));
    assert_eq!(discover.options.get(code::SERVER_IDENTIFIER), None, "MUST NOT");
    assert_eq!(discover.options.get(code::CLIENT_IDENTIFIER), Some(&[1, 2, 0, 0, 0, 0, 1][..]));
    client.received(&answer(DhcpMessageType::Offer, &discover, ok), at(3));
    let (request, is_broadcast) = sent(&mut client).unwrap();
    assert!(is_broadcast && request.ciaddr.is_unspecified());
    assert_eq!((request.xid, request.secs), (discover.xid, discover.secs), "the same xid and secs");
    assert_eq!(request.options.address(code::REQUESTED_ADDRESS), Some(ADDRESS));
    assert_eq!(request.options.address(code::SERVER_IDENTIFIER), Some(SERVER));
    let list = code::PARAMETER_REQUEST_LIST;
    assert_eq!(request.options.get(list), discover.options.get(list), "the same list");
    client.received(&answer(DhcpMessageType::Ack, &request, ok), at(4));
    assert_eq!(client.state(), State::Checking);
    assert!(client.lease().is_none(), "not before it is known to be free");
    client.address_is(ADDRESS, Standing::Tentative, at(5));
    client.address_is(OTHER, Standing::InUse, at(5));
    assert_eq!(client.state(), State::Checking);
    client.address_is(ADDRESS, Standing::InUse, at(9));
    assert_eq!((client.state(), client.counts.bound), (State::Bound, 1));
    // "the sum of the time at which the original request was sent and the duration of the lease": 3 s and an hour.
    assert_eq!(client.lease().unwrap().expires_at, at(3603));
}

#[test]
fn a_discover_is_repeated_after_4_8_16_32_64_and_64_seconds_give_or_take_one() {
    let mut client = client();
    let first = sent(&mut client).unwrap().0;
    let again = wake_until(&mut client, 400);
    let mut before = 0;
    for ((when, message, is_broadcast), expected) in again.iter().zip([4, 8, 16, 32, 64, 64]) {
        let gap = when - before;
        assert!((expected * 1000 - 1000..=expected * 1000 + 1000).contains(&gap), "{gap} ms for {expected} s");
        assert!(*is_broadcast && message.xid == first.xid && u64::from(message.secs) == when / 1000);
        before = *when;
    }
    assert!(again.len() >= 6);
}

#[test]
fn a_request_that_nobody_answers_is_repeated_for_a_minute_and_then_all_begins_anew() {
    let mut client = client();
    let discover = sent(&mut client).unwrap().0;
    client.received(&answer(DhcpMessageType::Offer, &discover, ok), at(0));
    let first = sent(&mut client).unwrap().0;
    let later = wake_until(&mut client, 64);
    let kinds: Vec<_> = later.iter().map(|(_, message, _)| message.kind().unwrap()).collect();
    use DhcpMessageType::{Discover, Request};
    assert_eq!(kinds[..4], [Request, Request, Request, Discover]);
    assert!(later[..3].iter().all(|(_, message, _)| message.options == first.options && message.secs == first.secs));
    assert!((56_000..=64_000).contains(&later[3].0), "4 + 8 + 16 + 32 s: {}", later[3].0);
    assert_ne!(later[3].1.xid, first.xid);
}

#[test]
fn what_is_of_another_transaction_client_or_state_is_discarded() {
    let strange: [fn(&mut Message); 6] = [
        |reply| reply.xid ^= 1,
        |reply| reply.chaddr = EthernetAddress([2, 0, 0, 0, 0, 2]),
        |reply| reply.options.remove(code::SERVER_IDENTIFIER),
        |reply| reply.options.remove(code::LEASE_TIME),
        |reply| reply.yiaddr = Ipv4Addr::UNSPECIFIED,
        |reply| reply.is_reply = false,
    ];
    for (number, change) in strange.into_iter().enumerate() {
        let mut client = client();
        let discover = sent(&mut client).unwrap().0;
        client.received(&answer(DhcpMessageType::Offer, &discover, change), at(1));
        assert_eq!((client.state(), sent(&mut client)), (State::Selecting, None), "{number}");
    }
    for kind in [DhcpMessageType::Ack, DhcpMessageType::Nak] {
        let mut client = client();
        let discover = sent(&mut client).unwrap().0;
        client.received(&answer(kind, &discover, ok), at(1));
        assert_eq!(client.state(), State::Selecting, "\"any arriving DHCPACK messages must be silently discarded\"");
    }
}

#[test]
fn while_one_server_is_asked_the_word_of_another_does_not_count() {
    for kind in [DhcpMessageType::Ack, DhcpMessageType::Nak] {
        let mut client = client();
        let discover = sent(&mut client).unwrap().0;
        client.received(&answer(DhcpMessageType::Offer, &discover, ok), at(0));
        let request = sent(&mut client).unwrap().0;
        client.received(&answer(kind, &request, |m| m.options.set_address(code::SERVER_IDENTIFIER, OTHER)), at(1));
        client.received(&answer(DhcpMessageType::Ack, &request, |m| m.yiaddr = OTHER), at(1));
        assert_eq!(client.state(), State::Requesting);
    }
}

#[test]
fn half_way_the_server_is_asked_and_at_seven_eighths_anybody() {
    let mut client = bound();
    let asked = wake_until(&mut client, 3599);
    // T1 at 1800 s; again after half of what is left until T2 at 3150 s, at least a minute; then half of what is left.
    let times: Vec<u64> = asked.iter().map(|(when, ..)| when / 1000).collect();
    let expected = [1800, 2475, 2812, 2981, 3065, 3125, 3150, 3375, 3487, 3547];
    assert_eq!(times, expected);
    for (when, message, is_broadcast) in &asked {
        assert_eq!(*is_broadcast, *when >= 3_150_000, "unicast while RENEWING, broadcast while REBINDING");
        assert_eq!(message.ciaddr, ADDRESS);
        assert_eq!(message.options.get(code::SERVER_IDENTIFIER), None, "MUST NOT");
        assert_eq!(message.options.get(code::REQUESTED_ADDRESS), None, "MUST NOT");
    }
    assert_eq!(client.state(), State::Rebinding);
}

#[test]
fn an_acknowledgment_gives_more_time_from_when_it_was_asked_for() {
    for (until, is_renewal) in [(1800, true), (3150, false)] {
        let mut client = bound();
        let request = wake_until(&mut client, until).pop().unwrap().1;
        client.received(&answer(DhcpMessageType::Ack, &request, ok), at(until + 1));
        assert_eq!((client.state(), client.lease().unwrap().expires_at), (State::Bound, at(until + 3600)));
        assert_eq!((client.counts.renewed, client.counts.rebound), if is_renewal { (1, 0) } else { (0, 1) });
        assert!(client.acts.iter().any(|act| matches!(act, Act::Use(_))));
    }
}

#[test]
fn an_acknowledgment_of_another_address_renews_nothing() {
    let mut client = bound();
    let request = wake_until(&mut client, 1800).pop().unwrap().1;
    client.received(&answer(DhcpMessageType::Ack, &request, |m| m.yiaddr = OTHER), at(1801));
    assert_eq!((client.state(), client.lease().unwrap().net.addr()), (State::Renewing, ADDRESS));
}

#[test]
fn at_the_end_of_its_time_the_address_is_dropped_and_all_begins_anew() {
    let mut client = bound();
    let _ = wake_until(&mut client, 3599);
    client.wake(at(3600));
    assert!(client.acts.contains(&Act::Drop(ADDRESS)) && client.acts.contains(&Act::Forget));
    let (discover, _) = sent(&mut client).unwrap();
    assert_eq!(discover.kind(), Some(DhcpMessageType::Discover));
    assert_eq!((client.state(), client.counts.expired), (State::Selecting, 1));
}

#[test]
fn a_refusal_takes_the_address_away_and_refusals_make_no_storm() {
    let mut client = bound();
    let request = wake_until(&mut client, 1800).pop().unwrap().1;
    client.received(&answer(DhcpMessageType::Nak, &request, ok), at(1801));
    assert!(client.acts.contains(&Act::Drop(ADDRESS)));
    // A server that offers and then refuses, over and over, without losing a moment.
    let mut now = at(1801);
    for _ in 0..200 {
        while let Some((message, _)) = sent(&mut client) {
            let kind = match message.kind() {
                Some(DhcpMessageType::Discover) => DhcpMessageType::Offer,
                _ => DhcpMessageType::Nak,
            };
            client.received(&answer(kind, &message, ok), now);
        }
        now = client.due_at().unwrap();
        client.wake(now);
    }
    assert!(now.since(at(1801)) > Duration::from_secs(190 * 64), "at most one round in 64 s: {now}");
}

#[test]
fn an_address_that_somebody_has_is_declined_by_broadcast_and_all_begins_anew_after_ten_seconds() {
    for is_bound in [false, true] {
        let mut client = bound();
        if !is_bound {
            client.state = State::Checking;
        }
        client.address_is(ADDRESS, Standing::Conflict, at(20));
        assert!(client.acts.contains(&Act::Drop(ADDRESS)) && client.acts.contains(&Act::Forget));
        let (decline, is_broadcast) = sent(&mut client).unwrap();
        assert_eq!((decline.kind(), is_broadcast), (Some(DhcpMessageType::Decline), true));
        assert_eq!(decline.options.address(code::REQUESTED_ADDRESS), Some(ADDRESS), "MUST");
        assert_eq!(decline.options.address(code::SERVER_IDENTIFIER), Some(SERVER), "MUST");
        assert!(decline.ciaddr.is_unspecified() && decline.options.get(code::PARAMETER_REQUEST_LIST).is_none());
        assert_eq!(client.due_at(), Some(at(30)));
        client.wake(at(30));
        let (discover, _) = sent(&mut client).unwrap();
        assert_eq!(discover.options.get(code::REQUESTED_ADDRESS), None, "not the same again");
    }
}

#[test]
fn after_ten_conflicts_a_new_address_is_tried_once_a_minute() {
    let mut client = bound();
    for number in 1..=12 {
        client.state = State::Bound;
        client.lease.get_or_insert_with(|| bound().lease.unwrap());
        client.address_is(ADDRESS, Standing::Conflict, at(20));
        assert_eq!(client.due_at(), Some(at(if number < 10 { 30 } else { 80 })), "{number}");
    }
}

#[test]
fn what_is_remembered_is_asked_for_again_without_a_discover() {
    let lease = bound().lease().cloned();
    let mut client = remembering(lease.clone());
    let (request, is_broadcast) = sent(&mut client).unwrap();
    assert_eq!(
        (request.kind(), is_broadcast, client.state()),
        (Some(DhcpMessageType::Request), true, State::Rebooting)
    );
    assert_eq!(request.options.address(code::REQUESTED_ADDRESS), Some(ADDRESS), "MUST");
    assert_eq!(request.options.get(code::SERVER_IDENTIFIER), None, "MUST NOT");
    assert!(request.ciaddr.is_unspecified(), "MUST be zero");
    client.received(&answer(DhcpMessageType::Ack, &request, ok), at(1));
    client.address_is(ADDRESS, Standing::InUse, at(6));
    assert_eq!(client.state(), State::Bound);
    // Refused: from the beginning. Unanswered for a minute: the rest of the time is used.
    let mut refused = remembering(lease.clone());
    let request = sent(&mut refused).unwrap().0;
    refused.received(&answer(DhcpMessageType::Nak, &request, ok), at(1));
    assert_eq!(refused.state(), State::Selecting);
    let mut alone = remembering(lease.clone());
    let _ = sent(&mut alone);
    assert_eq!(wake_until(&mut alone, 70).len(), 3);
    assert_eq!(alone.state(), State::Checking);
    assert!(lease.is_some_and(|lease| alone.lease == Some(lease)));
}

#[test]
fn what_is_remembered_but_over_is_only_wished_for() {
    let lease = bound().lease().cloned();
    let who = Identity { mac: MAC, host_name: "client".into(), wants_broadcast: true };
    let mut client = Client::new(who, lease, Rng::stream(1, "test"));
    client.link_is(true, at(4000));
    let (discover, _) = sent(&mut client).unwrap();
    assert_eq!(discover.kind(), Some(DhcpMessageType::Discover));
    assert_eq!(discover.options.address(code::REQUESTED_ADDRESS), Some(ADDRESS));
    assert!(discover.is_broadcast, "who wants it gets it");
}

#[test]
fn a_link_that_returns_makes_it_ask_again_and_time_goes_on_meanwhile() {
    let mut client = bound();
    client.link_is(false, at(100));
    assert_eq!((client.state(), client.due_at()), (State::Offline, Some(at(3600))));
    client.link_is(true, at(200));
    assert_eq!(sent(&mut client).unwrap().0.options.address(code::REQUESTED_ADDRESS), Some(ADDRESS));
    client.link_is(false, at(300));
    client.wake(at(3600));
    assert!(client.acts.contains(&Act::Drop(ADDRESS)));
    client.acts.clear();
    client.link_is(true, at(4000));
    assert_eq!(sent(&mut client).unwrap().0.kind(), Some(DhcpMessageType::Discover));
}

#[test]
fn a_release_is_sent_to_the_server_and_is_the_end() {
    let mut client = bound();
    client.release(at(50));
    assert!(client.acts.contains(&Act::Drop(ADDRESS)) && client.acts.contains(&Act::Forget));
    let sends = client.acts.iter().position(|act| matches!(act, Act::Unicast(..)));
    let drops = client.acts.iter().position(|act| matches!(act, Act::Drop(_)));
    assert!(sends < drops, "it is sent from the address");
    let (release, is_broadcast) = sent(&mut client).unwrap();
    assert_eq!((release.kind(), is_broadcast, release.ciaddr), (Some(DhcpMessageType::Release), false, ADDRESS));
    assert_eq!(release.options.address(code::SERVER_IDENTIFIER), Some(SERVER), "MUST");
    assert_eq!(release.options.get(code::REQUESTED_ADDRESS), None, "MUST NOT");
    assert_eq!(release.options.get(code::CLIENT_IDENTIFIER), Some(&[1, 2, 0, 0, 0, 0, 1][..]), "the same");
    client.link_is(false, at(60));
    client.link_is(true, at(61));
    assert_eq!((client.due_at(), client.acts.len()), (None, 0));
}

#[test]
fn an_address_for_ever_is_never_renewed() {
    let mut client = client();
    let discover = sent(&mut client).unwrap().0;
    let for_ever = |message: &mut Message| message.options.set_seconds(code::LEASE_TIME, u32::MAX);
    client.received(&answer(DhcpMessageType::Offer, &discover, for_ever), at(0));
    let request = sent(&mut client).unwrap().0;
    client.received(&answer(DhcpMessageType::Ack, &request, for_ever), at(0));
    client.address_is(ADDRESS, Standing::InUse, at(5));
    assert_eq!((client.state(), client.due_at()), (State::Bound, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever comes, from whoever, mutated or not: no panic, never two waits for one thing, never an address that was
    /// not acknowledged, no more than a few messages in a second.
    #[test]
    fn no_mutated_answers_confuse_a_client(
        steps in proptest::collection::vec(
            (0_u64..40, 0_u8..8, proptest::collection::vec((0_usize..330, any::<u8>()), 0..4), any::<bool>()), 1..80,
        ),
    ) {
        let mut client = client();
        let mut last = sent(&mut client).unwrap().0;
        let mut now = at(0);
        for (wait, what, flips, is_up) in steps {
            now += Duration::from_secs(wait);
            let kind = match what {
                0 | 1 => DhcpMessageType::Offer,
                2 | 3 => DhcpMessageType::Ack,
                4 => DhcpMessageType::Nak,
                _ => DhcpMessageType::Discover,
            };
            match what {
                0..=4 => {
                    let mut bytes = answer(kind, &last, ok).write(MESSAGE_BYTES_ALWAYS);
                    for (at, value) in flips {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = value;
                        }
                    }
                    if let Some(message) = Message::read(&bytes) {
                        client.received(&message, now);
                    }
                }
                5 => client.link_is(is_up, now),
                6 => client.address_is(ADDRESS, if is_up { Standing::InUse } else { Standing::Conflict }, now),
                _ => client.wake(now),
            }
            let mut messages = 0;
            for act in std::mem::take(&mut client.acts) {
                if let Act::Broadcast(message) | Act::Unicast(message, _) = act {
                    messages += 1;
                    prop_assert!(!message.is_reply && message.chaddr == MAC && message.giaddr.is_unspecified());
                    last = message;
                }
            }
            prop_assert!(messages <= 2);
            // A client that has something to wait for says until when.
            let waits = !matches!(client.state(), State::Checking | State::Offline | State::Bound);
            prop_assert!(!waits || client.due_at().is_some(), "{:?}", client.state());
            let _ = client.show("eth0", now);
        }
    }
}
