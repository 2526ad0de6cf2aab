//! Who gets what, and who is told no, told without a network.

use proptest::prelude::*;

use super::super::pool::Who;
use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

fn here() -> Arrival {
    Arrival { interface: 0, own: "10.0.0.1/24".parse().unwrap(), is_direct: false }
}

fn mac(number: u32) -> EthernetAddress {
    let [a, b, c, d] = number.to_be_bytes();
    EthernetAddress([2, 0, a, b, c, d])
}

fn pool(subnet: &str, first: Ipv4Addr, last: Ipv4Addr) -> PoolSpec {
    PoolSpec {
        subnet: subnet.parse().unwrap(),
        ranges: vec![(first, last)],
        excluded: Vec::new(),
        fixed: vec![(Who::Hardware(mac(99)), Ipv4Addr::new(10, 0, 0, 9))],
        lease_for: Duration::from_secs(3600),
        renew_after: Duration::from_secs(1800),
        rebind_after: Duration::from_secs(3150),
        routers: None,
        servers: vec![OTHER],
        domain: Some("home.arpa".into()),
    }
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// A server of 10.0.0.100 to 10.0.0.102, and of 10.1.0.100 to 10.1.0.199 behind a relay.
fn server(patience: u64) -> Server {
    let near = pool("10.0.0.0/24", address(100), address(102));
    let far = pool("10.1.0.0/24", Ipv4Addr::new(10, 1, 0, 100), Ipv4Addr::new(10, 1, 0, 199));
    let mut server = Server::new(vec![near, far], Duration::from_secs(patience));
    server.set_own(vec![SERVER]);
    server
}

fn request(kind: DhcpMessageType, number: u32) -> Message {
    Message::request(kind, number, mac(number))
}

/// The only answer to a message, and where it goes.
fn ask(server: &mut Server, message: Message, arrival: Arrival, now: u64) -> Option<(Message, To)> {
    server.received(message, arrival, at(now));
    answered(server)
}

fn answered(server: &mut Server) -> Option<(Message, To)> {
    let mut answers = std::mem::take(&mut server.acts).into_iter().filter_map(|act| match act {
        Act::Send(message, to, _) => Some((message, to)),
        _ => None,
    });
    let first = answers.next();
    assert_eq!(answers.next(), None);
    first
}

fn discover(server: &mut Server, number: u32, now: u64) -> Option<Message> {
    ask(server, request(DhcpMessageType::Discover, number), here(), now).map(|(message, _)| message)
}

/// Asks for what was offered.
fn select(server: &mut Server, number: u32, offer: &Message, now: u64) -> Option<Message> {
    let mut message = request(DhcpMessageType::Request, number);
    message.options.set_address(code::REQUESTED_ADDRESS, offer.yiaddr);
    message.options.set_address(code::SERVER_IDENTIFIER, offer.options.address(code::SERVER_IDENTIFIER).unwrap());
    ask(server, message, here(), now).map(|(message, _)| message)
}

fn bind(server: &mut Server, number: u32, now: u64) -> Option<Ipv4Addr> {
    let offer = discover(server, number, now)?;
    let ack = select(server, number, &offer, now)?;
    assert_eq!(ack.kind(), Some(DhcpMessageType::Ack));
    Some(ack.yiaddr)
}

fn renewal(number: u32, ciaddr: Ipv4Addr) -> Message {
    Message { ciaddr, ..request(DhcpMessageType::Request, number) }
}

#[test]
fn a_client_is_offered_and_given_an_address_with_all_that_belongs_to_it() {
    let mut server = server(0);
    let (offer, to) = ask(&mut server, request(DhcpMessageType::Discover, 1), here(), 0).unwrap();
    assert_eq!((offer.kind(), offer.yiaddr, offer.xid), (Some(DhcpMessageType::Offer), address(100), 1));
    assert_eq!(to, To::Hardware(here(), mac(1), address(100)), "unicast to chaddr and yiaddr");
    let ack = select(&mut server, 1, &offer, 1).unwrap();
    for message in [&offer, &ack] {
        let options = &message.options;
        assert_eq!(options.address(code::SERVER_IDENTIFIER), Some(SERVER), "MUST");
        assert_eq!(options.seconds(code::LEASE_TIME), Some(3600), "MUST");
        assert_eq!(
            (options.seconds(code::RENEWAL_TIME), options.seconds(code::REBINDING_TIME)),
            (Some(1800), Some(3150))
        );
        assert_eq!(options.address(code::SUBNET_MASK), Some(Ipv4Addr::new(255, 255, 255, 0)));
        assert_eq!(options.addresses(code::DOMAIN_NAME_SERVER), [OTHER]);
        assert_eq!(options.text(code::DOMAIN_NAME).as_deref(), Some("home.arpa"));
        for forbidden in [code::REQUESTED_ADDRESS, code::PARAMETER_REQUEST_LIST, code::MAXIMUM_MESSAGE_SIZE] {
            assert_eq!(options.get(forbidden), None, "MUST NOT");
        }
        assert_eq!(options.get(code::CLIENT_IDENTIFIER), None, "MUST NOT");
        assert!(message.hops == 0 && message.secs == 0);
    }
}

#[test]
fn answers_go_where_the_standard_says() {
    let discover = || request(DhcpMessageType::Discover, 1);
    let to = |message: Message| ask(&mut server(0), message, here(), 0).unwrap().1;
    assert_eq!(to(Message { is_broadcast: true, ..discover() }), To::Everybody(here()));
    assert_eq!(to(Message { giaddr: RELAY, is_broadcast: true, ..discover() }), To::Relay(RELAY));
    let mut server = server(0);
    let own = bind(&mut server, 1, 0).unwrap();
    assert_eq!(ask(&mut server, renewal(1, own), here(), 1).unwrap().1, To::Client(own));
    // A refusal: to everybody, though the client has an address; through a relay, to be broadcast there.
    let _ = bind(&mut server, 2, 0);
    let (nak, to) = ask(&mut server, renewal(2, own), here(), 1).unwrap();
    assert_eq!((nak.kind(), to), (Some(DhcpMessageType::Nak), To::Everybody(here())));
    assert!(nak.yiaddr.is_unspecified() && nak.options.get(code::LEASE_TIME).is_none());
    let mut moved = request(DhcpMessageType::Request, 1);
    moved.options.set_address(code::REQUESTED_ADDRESS, own);
    let (nak, to) = ask(&mut server, Message { giaddr: RELAY, ..moved }, here(), 1).unwrap();
    assert_eq!((nak.kind(), nak.is_broadcast, to), (Some(DhcpMessageType::Nak), true, To::Relay(RELAY)));
}

#[test]
fn the_relay_says_which_pool_and_which_router_and_gets_its_information_back() {
    let mut server = server(0);
    let mut far = Message { giaddr: RELAY, ..request(DhcpMessageType::Discover, 1) };
    far.options.set(code::RELAY_AGENT_INFORMATION, vec![1, 1, 7]);
    let (offer, _) = ask(&mut server, far, here(), 0).unwrap();
    assert_eq!((offer.yiaddr, offer.giaddr), (Ipv4Addr::new(10, 1, 0, 100), RELAY));
    assert_eq!(offer.options.addresses(code::ROUTER), [RELAY]);
    assert_eq!(offer.options.get(code::RELAY_AGENT_INFORMATION), Some(&[1, 1, 7][..]), "echoed");
    // It renews past the relay, and does not lose its router.
    let mut chosen = Message { giaddr: RELAY, ..request(DhcpMessageType::Request, 1) };
    chosen.options.set_address(code::REQUESTED_ADDRESS, offer.yiaddr);
    chosen.options.set_address(code::SERVER_IDENTIFIER, SERVER);
    assert!(ask(&mut server, chosen, here(), 0).is_some());
    let direct = Arrival { is_direct: true, ..here() };
    let (ack, to) = ask(&mut server, renewal(1, offer.yiaddr), direct, 5).unwrap();
    assert_eq!((ack.kind(), to), (Some(DhcpMessageType::Ack), To::Client(offer.yiaddr)));
    assert_eq!(ack.options.addresses(code::ROUTER), [RELAY]);
    let nowhere = Message { giaddr: Ipv4Addr::new(10, 7, 0, 1), ..request(DhcpMessageType::Discover, 1) };
    assert_eq!(ask(&mut server, nowhere, here(), 0), None, "a subnet that it knows nothing of");
}

#[test]
fn who_asks_another_server_leaves_the_offer_to_others() {
    let mut server = server(0);
    let offers: Vec<Message> = (1..=3).map(|number| discover(&mut server, number, 0).unwrap()).collect();
    assert_eq!(discover(&mut server, 4, 0), None, "all three are offered");
    let elsewhere = |offer: &Message| {
        let mut offer = offer.clone();
        offer.options.set_address(code::SERVER_IDENTIFIER, OTHER);
        offer
    };
    assert_eq!(select(&mut server, 2, &elsewhere(&offers[1]), 1), None, "silent");
    assert_eq!(discover(&mut server, 4, 1).unwrap().yiaddr, offers[1].yiaddr);
    // What it is bound to it keeps, whoever else it asks.
    assert!(select(&mut server, 1, &offers[0], 1).is_some());
    assert_eq!(select(&mut server, 1, &elsewhere(&offers[0]), 2), None);
    assert_eq!(server.pools[0].bound_count(at(3)), 1);
}

#[test]
fn an_offer_is_held_for_a_while_and_then_given_to_others() {
    let mut server = server(0);
    let offer = discover(&mut server, 1, 0).unwrap();
    let others: Vec<_> = (2..=4).map(|number| discover(&mut server, number, 29).map(|offer| offer.yiaddr)).collect();
    assert_eq!(others, [Some(address(101)), Some(address(102)), None]);
    assert_eq!(discover(&mut server, 4, 30).unwrap().yiaddr, offer.yiaddr);
    let refused = select(&mut server, 1, &offer, 31).unwrap();
    assert_eq!(refused.kind(), Some(DhcpMessageType::Nak), "too late");
}

#[test]
fn a_pool_that_an_attacker_has_emptied_fills_again_when_the_leases_end() {
    let far = pool("10.0.0.0/24", address(10), address(250));
    let mut server = Server::new(vec![far], Duration::ZERO);
    server.set_own(vec![SERVER]);
    // A new hardware address with each message, and each offer is taken.
    let taken = (1..=1000).filter(|number| bind(&mut server, *number, 0).is_some()).count();
    // 241 of the range, and one that is number 99's for ever.
    assert_eq!((taken, server.counts.exhausted), (242, 758));
    assert_eq!(bind(&mut server, 5000, 3599), None);
    assert!(bind(&mut server, 5000, 3600).is_some());
    assert!(server.pools[0].bindings().count() <= 242, "the table is no larger than the pool");
}

#[test]
fn who_returns_is_confirmed_refused_or_left_to_somebody_else() {
    let mut server = server(0);
    let own = bind(&mut server, 1, 0).unwrap();
    let reboot = |number: u32, wanted: Ipv4Addr| {
        let mut message = request(DhcpMessageType::Request, number);
        message.options.set_address(code::REQUESTED_ADDRESS, wanted);
        message
    };
    let kind = |answer: Option<(Message, To)>| answer.and_then(|(message, _)| message.kind());
    assert_eq!(kind(ask(&mut server, reboot(1, own), here(), 1)), Some(DhcpMessageType::Ack));
    assert_eq!(kind(ask(&mut server, reboot(1, address(102)), here(), 1)), Some(DhcpMessageType::Nak), "not its own");
    let elsewhere = Ipv4Addr::new(192, 168, 1, 5);
    assert_eq!(kind(ask(&mut server, reboot(1, elsewhere), here(), 1)), Some(DhcpMessageType::Nak), "the wrong net");
    // RFC 2131 §4.3.2: "If the DHCP server has no record of this client, then it MUST remain silent".
    assert_eq!(ask(&mut server, reboot(7, address(102)), here(), 1), None);
    assert_eq!(ask(&mut server, renewal(7, address(102)), here(), 1), None);
    // Its time is over, and nobody has had the address since: it may go on.
    assert_eq!(kind(ask(&mut server, renewal(1, own), here(), 9999)), Some(DhcpMessageType::Ack));
}

#[test]
fn an_address_is_pinged_before_it_is_offered_and_not_if_somebody_answers() {
    let mut server = server(1);
    server.received(request(DhcpMessageType::Discover, 1), here(), at(0));
    assert_eq!(std::mem::take(&mut server.acts), [Act::Probe(address(100))]);
    // The client grows impatient; it is not offered another one for that.
    server.received(request(DhcpMessageType::Discover, 1), here(), at(0));
    assert_eq!(server.acts, []);
    server.answered(address(100), at(0));
    assert!(server.acts.contains(&Act::Probe(address(101))));
    server.answered(address(100), at(0));
    server.acts.clear();
    assert_eq!(server.due_at(), Some(at(1)));
    server.wake(at(1));
    assert_eq!(answered(&mut server).unwrap().0.yiaddr, address(101));
    assert_eq!(server.counts.taken, 1);
    // A client's own is not pinged: it would answer itself.
    let offer = Message { yiaddr: address(101), ..request(DhcpMessageType::Discover, 1) };
    let mut chosen = request(DhcpMessageType::Request, 1);
    chosen.options.set_address(code::REQUESTED_ADDRESS, offer.yiaddr);
    chosen.options.set_address(code::SERVER_IDENTIFIER, SERVER);
    assert!(ask(&mut server, chosen, here(), 1).is_some());
    assert_eq!(discover(&mut server, 1, 2).unwrap().yiaddr, address(101));
}

#[test]
fn an_address_that_is_declined_is_left_alone_but_only_its_own_client_can_decline_it() {
    let mut server = server(0);
    let own = bind(&mut server, 1, 0).unwrap();
    let decline = |number: u32, what: Ipv4Addr| {
        let mut message = request(DhcpMessageType::Decline, number);
        message.options.set_address(code::REQUESTED_ADDRESS, what);
        message.options.set_address(code::SERVER_IDENTIFIER, SERVER);
        message
    };
    assert_eq!(ask(&mut server, decline(2, own), here(), 1), None);
    assert_eq!(server.counts.declines, 0);
    assert_eq!(ask(&mut server, decline(1, own), here(), 1), None);
    assert_eq!(server.counts.declines, 1);
    let next = bind(&mut server, 1, 2).unwrap();
    assert_ne!(next, own, "RFC 2131 §4.3.3: \"MUST mark the network address as not available\"");
    // Who declines all that it is given empties the pool for ten minutes, and no longer.
    for _ in 0..2 {
        let own = bind(&mut server, 1, 3);
        if let Some(own) = own {
            let _ = ask(&mut server, decline(1, own), here(), 3);
        }
    }
    assert_eq!(discover(&mut server, 5, 600), None);
    assert!(discover(&mut server, 5, 603).is_some());
}

#[test]
fn an_address_that_is_released_is_free_and_its_client_gets_it_again() {
    let mut server = server(0);
    let own = bind(&mut server, 1, 0).unwrap();
    let release = |number: u32| Message { ciaddr: own, ..request(DhcpMessageType::Release, number) };
    let direct = Arrival { is_direct: true, ..here() };
    assert_eq!(ask(&mut server, release(2), direct, 1), None);
    assert_eq!((server.counts.releases, server.pools[0].bound_count(at(1))), (0, 1), "not another's to give");
    assert_eq!(ask(&mut server, release(1), direct, 1), None);
    assert_eq!((server.counts.releases, server.pools[0].bound_count(at(1))), (1, 0));
    assert_eq!(discover(&mut server, 2, 2).unwrap().yiaddr, address(101), "a fresh one first");
    assert_eq!(discover(&mut server, 1, 2).unwrap().yiaddr, own);
}

#[test]
fn who_only_wants_to_know_is_told_without_an_address_or_a_time() {
    let mut server = server(0);
    let inform = Message { ciaddr: address(50), ..request(DhcpMessageType::Inform, 1) };
    let (ack, to) = ask(&mut server, inform, here(), 0).unwrap();
    assert_eq!((to, ack.yiaddr), (To::Client(address(50)), Ipv4Addr::UNSPECIFIED));
    assert_eq!(ack.options.get(code::LEASE_TIME), None, "MUST NOT");
    assert_eq!(ack.options.addresses(code::DOMAIN_NAME_SERVER), [OTHER]);
}

#[test]
fn a_client_is_known_by_its_identifier_and_gets_what_it_asks_for() {
    let mut server = server(0);
    let named = |number: u32| {
        let mut message = request(DhcpMessageType::Discover, number);
        message.options.set(code::CLIENT_IDENTIFIER, b"\x00laptop".to_vec());
        message.options.set(code::PARAMETER_REQUEST_LIST, vec![code::BROADCAST_ADDRESS]);
        message.options.set_seconds(code::LEASE_TIME, 60);
        message
    };
    let offer = ask(&mut server, named(1), here(), 0).unwrap().0;
    // With another card it is the same client.
    assert_eq!(ask(&mut server, named(2), here(), 0).unwrap().0.yiaddr, offer.yiaddr);
    assert_eq!(offer.options.seconds(code::LEASE_TIME), Some(60), "less than usual is granted");
    assert_eq!(offer.options.seconds(code::RENEWAL_TIME), Some(30));
    assert_eq!(offer.options.address(code::BROADCAST_ADDRESS), Some(address(255)));
    assert_eq!(offer.options.get(code::DOMAIN_NAME_SERVER), None, "not asked for");
    let mut greedy = request(DhcpMessageType::Discover, 3);
    greedy.options.set_seconds(code::LEASE_TIME, u32::MAX);
    assert_eq!(ask(&mut server, greedy, here(), 0).unwrap().0.options.seconds(code::LEASE_TIME), Some(3600));
}

#[test]
fn the_list_of_leases_reads_well() {
    let mut server = server(0);
    let mut named = request(DhcpMessageType::Discover, 1);
    named.options.set(code::HOST_NAME, b"laptop".to_vec());
    let offer = ask(&mut server, named.clone(), here(), 0).unwrap().0;
    let mut chosen = Message { options: named.options, ..request(DhcpMessageType::Request, 1) };
    chosen.options.set(code::MESSAGE_TYPE, vec![3]);
    chosen.options.set_address(code::REQUESTED_ADDRESS, offer.yiaddr);
    chosen.options.set_address(code::SERVER_IDENTIFIER, SERVER);
    let _ = ask(&mut server, chosen, here(), 0);
    let _ = discover(&mut server, 2, 10);
    server.pools[0].abandon(address(102), at(600));
    insta::assert_snapshot!(server.show(at(20)), @r"
    10.0.0.100 bound for 3580s 02:00:00:00:00:01 laptop
    10.0.0.101 offered for 20s 02:00:00:00:00:02
    10.0.0.102 abandoned for 580s
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, mutated or not: no panic, tables within their bounds, no address twice at a time.
    #[test]
    fn no_mutated_requests_confuse_a_server(
        steps in proptest::collection::vec(
            (0_u64..900, 1_u32..12, 1_u8..9, 98_u8..104, proptest::collection::vec((0_usize..330, any::<u8>()), 0..4)),
            1..120,
        ),
        patience in 0_u64..3,
    ) {
        let mut server = server(patience);
        let mut now = 0;
        for (wait, number, kind, wanted, flips) in steps {
            now += wait;
            let mut message = request(DhcpMessageType::from(kind), number);
            if kind != 1 {
                message.options.set_address(code::REQUESTED_ADDRESS, address(wanted));
            }
            if number % 2 == 0 {
                message.options.set_address(code::SERVER_IDENTIFIER, SERVER);
                message.ciaddr = if number % 4 == 0 { address(wanted) } else { Ipv4Addr::UNSPECIFIED };
            }
            let mut bytes = message.write(MESSAGE_BYTES_ALWAYS);
            for (at, value) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            server.wake(at(now));
            if let Some(message) = Message::read(&bytes) {
                server.received(message, here(), at(now));
            }
            let sent = server.acts.iter().filter(|act| matches!(act, Act::Send(..))).count();
            prop_assert!(sent <= 1 + 256, "answers are no more than questions");
            if let Some(Act::Probe(address)) = server.acts.iter().find(|act| matches!(act, Act::Probe(_))) {
                let address = *address;
                if number % 3 == 0 {
                    server.answered(address, at(now));
                }
            }
            server.acts.clear();
            for pool in &server.pools {
                for (address, binding) in pool.bindings() {
                    let may_be = pool.spec.subnet.contains(&address);
                    prop_assert!(may_be && (pool.is_dynamic(address) || address == Ipv4Addr::new(10, 0, 0, 9)));
                    if binding.claim != Claim::Abandoned && binding.until > at(now) {
                        prop_assert_eq!(pool.address_of(&binding.client), Some(address));
                    }
                }
            }
            let _ = server.show(at(now));
        }
    }
}
