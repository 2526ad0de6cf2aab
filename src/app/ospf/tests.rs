//! Routers whose packets are carried by hand: stories, and whatever comes.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::database::LSAS_MAX;
use super::engine::Settings;
use super::interface::{NEIGHBORS_MAX, Role};
use super::neighbor::State;
use super::*;
use crate::rng::Rng;
use crate::wire::ospf::lsa::{Content, Link, LinkKind, Lsa, LsaKey, MAX_AGE, ROUTER, SEQUENCE_FIRST, SEQUENCE_LAST};
use crate::wire::ospf::{OspfBody, OspfPacket};

const SETTINGS: Settings =
    Settings { hello: 10, dead: 40, retransmit: Duration::from_secs(5), spf_delay: Duration::from_millis(50) };

/// How long every packet is on its way.
const DELAY: Duration = Duration::from_millis(1);

fn id(router: usize) -> Ipv4Addr {
    let last = router as u8 + 1;
    [last, last, last, last].into()
}

/// A packet on its way: when it arrives, at which router's interface, from which address to which.
type Flying = (Time, usize, u16, Ipv4Addr, Ipv4Addr, Vec<u8>);

/// Routers on networks. Network `n` is 10.0.n.0/24, on which router `r` has the address 10.0.n.(r + 1), at interface `n`.
struct World {
    engines: Vec<Engine>,
    /// Who is on each network.
    networks: Vec<Vec<usize>>,
    kind: NetworkKind,
    /// Networks that carry nothing; whether their routers see that.
    cut: BTreeMap<usize, bool>,
    flying: VecDeque<Flying>,
    now: Time,
    said: Vec<String>,
    /// Which of the packets that were sent are lost: one in so many, drawn; 0: none.
    loss: (u64, Rng),
}

impl World {
    fn new(networks: &[&[usize]], kind: NetworkKind) -> Self {
        let count = networks.iter().flat_map(|network| network.iter()).max().unwrap() + 1;
        let engines = (0..count).map(|router| Engine::new(SETTINGS, id(router), Rng::stream(router as u64, "ospf")));
        let mut world = Self {
            engines: engines.collect(),
            networks: networks.iter().map(|network| network.to_vec()).collect(),
            kind,
            cut: BTreeMap::new(),
            flying: VecDeque::new(),
            now: Time::ZERO,
            said: Vec::new(),
            loss: (0, Rng::stream(1, "loss")),
        };
        for router in 0..count {
            world.tell_ports(router);
        }
        world
    }

    fn address(network: usize, router: usize) -> Ipv4Addr {
        [10, 0, network as u8, router as u8 + 1].into()
    }

    /// The interfaces of a router, as far as it sees that they are up, and a subnet of hosts of its own.
    fn tell_ports(&mut self, router: usize) {
        let port = |net: Ipv4Net, is_passive| Port {
            name: format!("eth{}", net.addr().octets()[2]),
            net,
            more_nets: Vec::new(),
            mtu: 1500,
            cost: 1,
            priority: 1,
            kind: self.kind,
            is_passive,
        };
        let here = self.networks.iter().enumerate().filter(|(_, routers)| routers.contains(&router));
        let up = here.filter(|(network, _)| self.cut.get(network) != Some(&true));
        let mut ports: BTreeMap<u16, Port> = up
            .map(|(network, _)| (network as u16, port(Ipv4Net::new_assert(Self::address(network, router), 24), false)))
            .collect();
        let hosts = Ipv4Net::new_assert([10, 1, router as u8, 1].into(), 24);
        ports.insert(1000, port(hosts, true));
        self.engines[router].set_ports(ports, self.now);
        self.carry(router);
    }

    /// Cuts a network, or mends it; whether its routers see that.
    fn cut(&mut self, network: usize, is_seen: bool) {
        self.cut.insert(network, is_seen);
        self.tell_all(network);
    }

    fn mend(&mut self, network: usize) {
        self.cut.remove(&network);
        self.tell_all(network);
    }

    fn tell_all(&mut self, network: usize) {
        for router in self.networks[network].clone() {
            self.tell_ports(router);
        }
    }

    /// Puts what a router wants sent on its way.
    fn carry(&mut self, router: usize) {
        for action in self.engines[router].take_actions() {
            match action {
                Action::Say(text) => self.said.push(format!("{} {text}", id(router))),
                Action::Route(_) | Action::Listen { .. } => {}
                Action::Send { interface, to, payload } => {
                    let network = usize::from(interface);
                    let is_lost = self.loss.0 > 0 && self.loss.1.below(self.loss.0) == 0;
                    if self.cut.contains_key(&network) || is_lost {
                        continue;
                    }
                    let from = Self::address(network, router);
                    for other in self.networks[network].iter().filter(|other| **other != router) {
                        if to.is_multicast() || to == Self::address(network, *other) {
                            self.flying.push_back((self.now + DELAY, *other, interface, from, to, payload.clone()));
                        }
                    }
                }
            }
        }
    }

    fn run_for(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        loop {
            let arrival = self.flying.front().map(|(at, ..)| *at);
            let wake = self.engines.iter().enumerate().filter_map(|(index, one)| Some((one.wake_at()?, index))).min();
            let next = arrival.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            assert!(next >= self.now, "somebody wants to be woken in the past");
            self.now = next;
            if arrival == Some(next) {
                let (_, router, interface, from, to, payload) = self.flying.pop_front().unwrap();
                self.engines[router].receive(interface, from, to, &payload, self.now);
                self.carry(router);
            } else if let Some((_, router)) = wake {
                self.engines[router].wake(self.now);
                assert!(self.engines[router].wake_at() > Some(self.now), "it wants to be woken again at once");
                self.carry(router);
            }
        }
        self.now = until;
    }

    fn state(&self, router: usize, network: usize, other: usize) -> Option<State> {
        Some(self.engines[router].neighbor(network as u16, Self::address(network, other))?.state)
    }

    fn role(&self, router: usize, network: usize) -> Role {
        self.engines[router].interfaces[&(network as u16)].role
    }

    /// What a router's database holds: names and sequence numbers.
    fn database(&self, router: usize) -> Vec<(LsaKey, i32)> {
        let all = self.engines[router].database.iter();
        all.map(|(key, stored)| (*key, stored.header(self.now).sequence)).collect()
    }

    /// What the way to a router's hosts costs from another, and over how many next hops.
    fn way(&self, from: usize, to: usize) -> Option<(u32, usize)> {
        let net = Ipv4Net::new_assert([10, 1, to as u8, 0].into(), 24);
        self.engines[from].routes.get(&net).map(|path| (path.cost, path.next_hops.len()))
    }

    /// Gives a router an update as if a neighbor of it had sent it.
    fn forge(&mut self, router: usize, network: usize, neighbor: usize, lsa: Lsa) {
        let packet = OspfPacket { router: id(neighbor), area: engine::AREA, body: OspfBody::Update(vec![lsa]) };
        let from = Self::address(network, neighbor);
        self.engines[router].receive(network as u16, from, ALL_ROUTERS, &packet.emit(), self.now);
        self.carry(router);
    }
}

/// What a router is said to say: a stub and nothing else.
fn lie(router: Ipv4Addr, sequence: i32) -> Lsa {
    let stub = Link { kind: LinkKind::Stub, id: [10, 66, 0, 0].into(), data: [255, 255, 0, 0].into(), metric: 1 };
    Lsa::new(LsaKey { kind: ROUTER, id: router, router }, 2, sequence, &Content::Router(vec![stub]))
}

#[test]
fn rfc_2328_10_1_two_routers_become_neighbors_step_by_step() {
    let mut world = World::new(&[&[0, 1]], NetworkKind::PointToPoint);
    world.run_for(20);
    let of_first: Vec<&str> =
        world.said.iter().filter_map(|line| line.strip_prefix("1.1.1.1 neighbor 2.2.2.2 on eth0: ")).collect();
    let steps = ["Down", "Init", "2-Way", "ExStart", "Exchange", "Loading", "Full"];
    let expected: Vec<String> = steps.windows(2).map(|pair| format!("{} -> {}", pair[0], pair[1])).collect();
    assert_eq!(of_first, expected);
    assert_eq!((world.way(0, 1), world.way(1, 0)), (Some((2, 1)), Some((2, 1))));
}

#[test]
fn rfc_2328_9_4_on_a_network_of_five_one_speaks_one_waits_and_the_others_keep_to_them() {
    let mut world = World::new(&[&[0, 1, 2, 3, 4]], NetworkKind::Broadcast);
    world.run_for(60);
    let roles: Vec<Role> = (0..5).map(|router| world.role(router, 0)).collect();
    assert_eq!(roles, [Role::Other, Role::Other, Role::Other, Role::Backup, Role::Designated]);
    assert_eq!((world.state(0, 0, 4), world.state(0, 0, 3)), (Some(State::Full), Some(State::Full)));
    assert_eq!(world.state(0, 0, 1), Some(State::TwoWay), "two that speak for nobody");
    for router in 1..5 {
        assert_eq!(world.database(router), world.database(0));
        assert_eq!(world.way(0, router), Some((2, 1)));
    }
    // Five routers and one network.
    assert_eq!(world.database(0).len(), 6);
}

#[test]
fn when_the_speaker_dies_the_backup_takes_over_and_who_comes_later_changes_nothing() {
    let mut world = World::new(&[&[0, 1, 2]], NetworkKind::Broadcast);
    world.run_for(60);
    assert_eq!(world.role(2, 0), Role::Designated);
    // Its cable is pulled; the others do not see that.
    let gone = world.networks[0].pop().unwrap();
    world.engines[gone].set_ports(BTreeMap::new(), world.now);
    world.run_for(60);
    assert_eq!((world.role(1, 0), world.role(0, 0)), (Role::Designated, Role::Backup));
    assert_eq!((world.way(0, 1), world.way(0, 2)), (Some((2, 1)), None));
    world.networks[0].push(gone);
    world.tell_ports(gone);
    world.run_for(60);
    assert_eq!(world.role(2, 0), Role::Other, "it has the greatest ID, and it is too late");
    assert_eq!(world.way(0, 2), Some((2, 1)));
}

/// A circle of four.
const CIRCLE: &[&[usize]] = &[&[0, 1], &[1, 2], &[2, 3], &[3, 0]];

#[test]
fn equally_short_ways_are_all_taken_and_a_cut_leaves_the_other() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    assert_eq!(world.way(0, 2), Some((3, 2)));
    world.cut(0, true);
    world.run_for(2);
    assert_eq!((world.way(0, 2), world.way(0, 1)), (Some((3, 1)), Some((4, 1))));
    world.mend(0);
    world.run_for(60);
    assert_eq!(world.way(0, 2), Some((3, 2)));
}

#[test]
fn a_cut_that_nobody_sees_is_noticed_after_the_dead_interval() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    world.cut(0, false);
    world.run_for(29);
    assert_eq!(world.way(0, 1), Some((2, 1)), "for all that is known it is still there");
    // The last hello came less than ten seconds before the cut.
    world.run_for(20);
    assert_eq!(world.way(0, 1), Some((4, 1)));
    assert!(world.said.iter().any(|line| line.ends_with("Full -> Down, silent for 40 s")));
}

#[test]
fn lost_packets_are_sent_again_until_all_databases_are_equal() {
    for kind in [NetworkKind::PointToPoint, NetworkKind::Broadcast] {
        let mut world = World::new(CIRCLE, kind);
        world.loss.0 = 4;
        world.run_for(300);
        world.loss.0 = 0;
        world.run_for(100);
        for router in 0..4 {
            assert_eq!(world.database(router), world.database(0));
        }
        assert_eq!(world.way(0, 2), Some((3, 2)));
    }
}

#[test]
fn rfc_2328_13_4_a_router_that_begins_anew_takes_its_old_words_back() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    let before = world.database(0).iter().find(|(key, _)| key.id == id(1)).unwrap().1;
    world.engines[1] = Engine::new(SETTINGS, id(1), Rng::stream(9, "ospf"));
    world.tell_ports(1);
    world.run_for(60);
    let after = world.database(0).iter().find(|(key, _)| key.id == id(1)).unwrap().1;
    assert!(after > before, "{after} {before}");
    assert_eq!((world.way(0, 1), world.way(3, 1)), (Some((2, 1)), Some((3, 2))));
}

#[test]
fn rfc_2328_13_4_a_lie_about_a_router_is_taken_back_by_itself() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    world.forge(0, 3, 3, lie(id(2), 1000));
    world.run_for(1);
    let lie_net: Ipv4Net = "10.66.0.0/16".parse().unwrap();
    assert!(world.engines[0].database.get(&LsaKey { kind: ROUTER, id: id(2), router: id(2) }).is_some());
    world.run_for(20);
    assert_eq!(world.way(0, 2), Some((3, 2)));
    assert!(world.engines.iter().all(|engine| !engine.routes.contains_key(&lie_net)));
    // It was told with the next number, and all believe it.
    assert!(world.database(0).contains(&(LsaKey { kind: ROUTER, id: id(2), router: id(2) }, 1001)));
}

#[test]
fn a_lie_to_a_router_about_itself_does_not_lead_it_astray() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    world.forge(0, 3, 3, lie(id(0), 1000));
    world.run_for(1);
    assert_eq!(world.way(0, 2), Some((3, 2)));
    // Somebody is said to speak in its name for a network that it does not speak for.
    let content = Content::Network { mask: [255, 255, 255, 0].into(), routers: vec![id(0), id(2)] };
    let key = LsaKey { kind: crate::wire::ospf::lsa::NETWORK, id: World::address(0, 0), router: id(0) };
    world.forge(0, 3, 3, Lsa::new(key, 2, 5, &content));
    world.run_for(10);
    assert!(world.engines.iter().all(|engine| engine.database.get(&key).is_none()), "flushed and forgotten");
}

#[test]
fn rfc_2328_12_1_6_the_last_sequence_number_is_forgotten_before_the_first_comes_again() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    world.forge(0, 3, 3, lie(id(2), SEQUENCE_LAST));
    world.run_for(60);
    let key = LsaKey { kind: ROUTER, id: id(2), router: id(2) };
    for router in 0..4 {
        assert!(world.database(router).contains(&(key, SEQUENCE_FIRST)), "{:?}", world.database(router));
    }
    assert_eq!(world.way(0, 2), Some((3, 2)));
}

#[test]
fn two_that_both_speak_for_a_network_settle_it_even_if_a_description_comes_before_the_hello() {
    // One begins anew while the network is cut; when it is mended both have elected themselves.
    let mut world = World::new(CIRCLE, NetworkKind::Broadcast);
    world.run_for(54);
    world.cut(2, false);
    world.engines[3] = Engine::new(SETTINGS, id(3), Rng::stream(9, "ospf"));
    world.tell_ports(3);
    world.run_for(36);
    world.mend(2);
    world.run_for(100);
    assert_eq!((world.role(2, 2), world.role(3, 2)), (Role::Backup, Role::Designated));
    assert_eq!(world.way(0, 2), Some((3, 2)));
}

#[test]
fn rfc_2328_14_what_is_not_told_anew_is_forgotten_after_an_hour_and_what_is_stays() {
    let mut world = World::new(&[&[0, 1], &[1, 2]], NetworkKind::PointToPoint);
    world.run_for(60);
    let first = world.database(0)[0].1;
    world.engines[2] = Engine::new(SETTINGS, id(2), Rng::stream(9, "ospf"));
    world.networks[1].pop();
    world.run_for(3500);
    assert_eq!((world.database(0).len(), world.way(0, 2)), (3, None), "not reached, but not forgotten either");
    world.run_for(200);
    assert_eq!(world.database(0).len(), 2);
    assert!(world.database(0)[0].1 > first, "told anew after half an hour");
    assert_eq!(world.way(0, 1), Some((2, 1)));
}

#[test]
fn rfc_2328_10_6_a_neighbor_with_a_larger_mtu_stays_in_exstart() {
    let mut world = World::new(&[&[0, 1]], NetworkKind::PointToPoint);
    let mut ports: BTreeMap<u16, Port> =
        world.engines[0].interfaces.iter().map(|(index, one)| (*index, one.port.clone())).collect();
    ports.get_mut(&0).unwrap().mtu = 1400;
    world.engines[0].set_ports(ports, world.now);
    world.run_for(60);
    assert_eq!(world.state(0, 0, 1), Some(State::ExStart));
    assert!(world.said.iter().any(|line| line.contains("its MTU is 1500, more than 1400")));
}

#[test]
fn rfc_2328_10_5_hellos_that_do_not_agree_make_no_neighbors() {
    let mut world = World::new(&[&[0, 1]], NetworkKind::Broadcast);
    world.engines[1].settings.hello = 5;
    world.run_for(30);
    assert_eq!(world.state(0, 0, 1), None);
    assert!(world.said.iter().any(|line| line.ends_with("it says hello every 5 s, not 10 s")));
}

#[test]
fn a_link_with_too_many_neighbors_hears_others_once_those_are_silent() {
    let mut engine = World::new(&[&[0, 1]], NetworkKind::PointToPoint).engines.remove(0);
    let mut hear = |number: u32, at: u64| {
        let body = OspfBody::Hello(crate::wire::ospf::Hello {
            mask: [255, 255, 255, 0].into(),
            interval: 10,
            options: 2,
            priority: 1,
            dead_interval: 40,
            designated: Ipv4Addr::UNSPECIFIED,
            backup: Ipv4Addr::UNSPECIFIED,
            neighbors: Vec::new(),
        });
        let now = Time::from_secs(at);
        while engine.wake_at().is_some_and(|due| due <= now) {
            engine.wake(now);
        }
        let packet = OspfPacket { router: Ipv4Addr::from(0x5000_0000 + number), area: engine::AREA, body };
        engine.receive(0, Ipv4Addr::from(0x0a09_0000 + number), ALL_ROUTERS, &packet.emit(), now);
        engine.take_actions();
        (engine.interfaces[&0].neighbors.len(), engine.counts.refused)
    };
    for number in 0..NEIGHBORS_MAX as u32 {
        assert_eq!(hear(number, 1), (number as usize + 1, 0));
    }
    assert_eq!(hear(9999, 2), (NEIGHBORS_MAX, 1));
    assert_eq!(hear(9999, 42), (1, 1));
}

#[test]
fn a_full_database_refuses_and_takes_again_once_there_is_room() {
    let mut world = World::new(&[&[0, 1]], NetworkKind::PointToPoint);
    world.run_for(60);
    let liar = |number: u32| Ipv4Addr::from(0x5000_0000 + number);
    let short = |number: u32| {
        let key = LsaKey { kind: ROUTER, id: liar(number), router: liar(number) };
        let mut lsa = Lsa::new(key, 2, 1, &Content::Router(Vec::new()));
        lsa.header.age = 3000;
        lsa
    };
    let packet = |first: u32| OspfPacket {
        router: id(1),
        area: engine::AREA,
        body: OspfBody::Update((first..first + 50).map(short).collect()),
    };
    for first in (0..LSAS_MAX as u32).step_by(50) {
        let (from, now) = (World::address(0, 1), world.now);
        world.engines[0].receive(0, from, ALL_ROUTERS, &packet(first).emit(), now);
        world.engines[0].take_actions();
    }
    // Two routers were there before.
    assert_eq!((world.engines[0].database.len(), world.engines[0].counts.refused), (LSAS_MAX, 2));
    assert_eq!(world.way(0, 1), Some((2, 1)));
    // They are forgotten when they are old, and then there is room.
    let (from, mut later) = (World::address(0, 1), world.now);
    for _ in 0..70 {
        later += Duration::from_secs(10);
        let hello = OspfPacket {
            router: id(1),
            area: engine::AREA,
            body: OspfBody::Hello(crate::wire::ospf::Hello {
                mask: [255, 255, 255, 0].into(),
                interval: 10,
                options: 2,
                priority: 1,
                dead_interval: 40,
                designated: Ipv4Addr::UNSPECIFIED,
                backup: Ipv4Addr::UNSPECIFIED,
                neighbors: vec![id(0)],
            }),
        };
        world.engines[0].receive(0, from, ALL_ROUTERS, &hello.emit(), later);
        world.engines[0].wake(later);
        // The neighbor acknowledges whatever it is told.
        for action in world.engines[0].take_actions() {
            let Action::Send { payload, .. } = action else { continue };
            if let Ok(OspfPacket { body: OspfBody::Update(lsas), .. }) = OspfPacket::parse(&payload) {
                let headers = lsas.iter().map(|lsa| lsa.header).collect();
                let body = OspfBody::Acknowledgment(headers);
                let answer = OspfPacket { router: id(1), area: engine::AREA, body };
                world.engines[0].receive(0, from, ALL_ROUTERS, &answer.emit(), later);
            }
        }
    }
    assert_eq!(world.engines[0].database.len(), 2);
    world.engines[0].receive(0, from, ALL_ROUTERS, &packet(0).emit(), later);
    assert_eq!((world.engines[0].database.len(), world.engines[0].counts.refused), (52, 2));
}

#[test]
fn rfc_8405_the_first_change_is_followed_at_once_and_a_storm_of_them_is_not() {
    let mut world = World::new(CIRCLE, NetworkKind::PointToPoint);
    world.run_for(60);
    let runs = |world: &World| world.engines[2].counts.spf_runs;
    let before = runs(&world);
    world.cut(0, true);
    world.run_for(1);
    assert_eq!(runs(&world), before + 1, "both ends tell of the cut within one delay");
    for _ in 0..60 {
        world.mend(0);
        world.run_for(1);
        world.cut(0, true);
        world.run_for(1);
    }
    // Two minutes of trouble: one search in five seconds, and a few at the beginning.
    assert!(runs(&world) - before < 30, "{}", runs(&world) - before);
}

#[test]
fn a_grid_of_two_hundred_routers_has_its_shortest_paths() {
    const ROWS: u32 = 10;
    const COLUMNS: u32 = 20;
    let router = |row: u32, column: u32| Ipv4Addr::from(0x0100_0000 + row * COLUMNS + column);
    let link = |a: Ipv4Addr, b: Ipv4Addr| Ipv4Addr::from((a.to_bits() & 0xffff) << 16 | b.to_bits() & 0xffff);
    let mut database = database::Database::default();
    let mut ways = BTreeMap::new();
    let mut root_links = Vec::new();
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let own = router(row, column);
            let mut near = Vec::new();
            if row > 0 {
                near.push(router(row - 1, column))
            }
            if column > 0 {
                near.push(router(row, column - 1))
            }
            if row + 1 < ROWS {
                near.push(router(row + 1, column))
            }
            if column + 1 < COLUMNS {
                near.push(router(row, column + 1))
            }
            let mut links: Vec<Link> = near
                .iter()
                .map(|other| Link { kind: LinkKind::PointToPoint, id: *other, data: link(own, *other), metric: 1 })
                .collect();
            let hosts = Ipv4Addr::from(0x0a00_0000 + ((row * COLUMNS + column) << 8));
            links.push(Link { kind: LinkKind::Stub, id: hosts, data: [255, 255, 255, 0].into(), metric: 1 });
            if (row, column) == (0, 0) {
                ways = near.iter().enumerate().map(|(index, other)| (link(own, *other), index as u16)).collect();
                root_links = links.clone();
            }
            let key = LsaKey { kind: ROUTER, id: own, router: own };
            let content = Content::Router(links);
            database.put(Lsa::new(key, 2, 1, &content), content, None, Time::ZERO);
        }
    }
    let neighbor = |_: u16, id: Ipv4Addr| Some(id);
    let root = spf::Root { id: router(0, 0), links: &root_links, ways: &ways, neighbor: &neighbor };
    let paths = spf::find(&database, &root, Time::ZERO);
    assert_eq!(paths.len(), 200);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let hosts = Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + ((row * COLUMNS + column) << 8)), 24);
            let path = &paths[&hosts];
            let ways = usize::from(row > 0) + usize::from(column > 0);
            assert_eq!((path.cost, path.next_hops.len()), (row + column + 1, ways), "{row} {column}");
        }
    }
}

#[test]
fn the_order_in_which_news_come_does_not_matter() {
    // Who is told of the circle's networks in another order ends with the same.
    let ends = |networks: &[&[usize]]| {
        let mut world = World::new(networks, NetworkKind::PointToPoint);
        world.run_for(100);
        let routes: Vec<_> = (0..4).map(|from| (0..4).map(|to| world.way(from, to)).collect::<Vec<_>>()).collect();
        routes
    };
    assert_eq!(ends(CIRCLE), ends(&[&[3, 0], &[2, 1], &[0, 1], &[2, 3]]));
}

#[derive(Debug, Clone)]
enum Trouble {
    Bytes(usize, usize, u8, Vec<u8>),
    Cut(usize, bool),
    Forge(usize, Box<Lsa>),
    Mend(usize),
    Restart(usize),
    Wait(u8),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        (0_usize..4, 0_usize..4, 0_u8..6, prop::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(router, network, from, bytes)| Trouble::Bytes(router, network, from, bytes)),
        (0_usize..4, any::<bool>()).prop_map(|(network, is_seen)| Trouble::Cut(network, is_seen)),
        (0_usize..4, forged()).prop_map(|(network, lsa)| Trouble::Forge(network, Box::new(lsa))),
        (0_usize..4).prop_map(Trouble::Mend),
        (0_usize..4).prop_map(Trouble::Restart),
        (0_u8..60).prop_map(Trouble::Wait),
    ]
}

/// Lies in the names of routers that are there, and of some that are not, with links that lead anywhere.
fn forged() -> impl Strategy<Value = Lsa> {
    let link = (0_usize..6, 0_u8..4, 0_u8..3, any::<u16>()).prop_map(|(to, network, kind, metric)| {
        let kind = [LinkKind::PointToPoint, LinkKind::Stub, LinkKind::Transit][usize::from(kind)];
        Link { kind, id: id(to), data: [10, 0, network, to as u8 + 1].into(), metric }
    });
    let head = (1_u8..7, 0_usize..6, 0_u8..4, prop_oneof![any::<i32>(), Just(SEQUENCE_LAST), Just(SEQUENCE_FIRST)]);
    (head, prop::collection::vec(link, 0..5), prop_oneof![Just(0_u16), 0..2000_u16, Just(MAX_AGE)]).prop_map(
        |((kind, router, network, sequence), links, age)| {
            let key = match kind {
                2 => LsaKey { kind, id: World::address(network.into(), router), router: id(router) },
                _ => LsaKey { kind, id: id(router), router: id(router) },
            };
            let content = match kind {
                2 => Content::Network {
                    mask: [255, 255, 255, 0].into(),
                    routers: links.iter().map(|one| one.id).collect(),
                },
                _ => Content::Router(links),
            };
            let mut lsa = Lsa::new(key, 2, sequence, &content);
            lsa.header.age = age;
            lsa
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happened_in_the_end_all_databases_are_equal_and_all_ways_the_shortest(
        troubles in prop::collection::vec(trouble(), 1..14),
        is_broadcast in any::<bool>(),
    ) {
        let kind = if is_broadcast { NetworkKind::Broadcast } else { NetworkKind::PointToPoint };
        let mut world = World::new(CIRCLE, kind);
        world.run_for(50);
        for trouble in troubles {
            match trouble {
                Trouble::Bytes(router, network, from, mut bytes) => {
                    if bytes.len() >= 24 {
                        let kind = bytes[1] % 6;
                        bytes[..2].copy_from_slice(&[2, kind]);
                        bytes[14..16].copy_from_slice(&[0, 0]);
                    }
                    let (from, now) = (World::address(network, from.into()), world.now);
                    world.engines[router].receive(network as u16, from, ALL_ROUTERS, &bytes, now);
                    world.carry(router);
                }
                Trouble::Cut(network, is_seen) => world.cut(network, is_seen),
                Trouble::Forge(network, lsa) => {
                    let (router, neighbor) = (CIRCLE[network][0], CIRCLE[network][1]);
                    world.forge(router, network, neighbor, *lsa);
                }
                Trouble::Mend(network) => world.mend(network),
                Trouble::Restart(router) => {
                    world.engines[router] = Engine::new(SETTINGS, id(router), Rng::stream(world.now.as_nanos(), "ospf"));
                    world.tell_ports(router);
                }
                Trouble::Wait(seconds) => world.run_for(seconds.into()),
            }
        }
        for network in 0..4 {
            world.mend(network);
        }
        // Long enough for elections, and for the sequence numbers of all four to begin anew.
        world.run_for(200);
        for router in 1..4 {
            prop_assert_eq!(world.database(router), world.database(0));
        }
        for (from, to, expected) in [(0, 1, (2, 1)), (0, 2, (3, 2)), (3, 1, (3, 2)), (2, 3, (2, 1))] {
            prop_assert_eq!(world.way(from, to), Some(expected), "from {} to {}", from, to);
        }
    }

    #[test]
    fn packets_that_are_damaged_on_the_way_harm_nobody(at in 0_usize..120, by in 1_u8..=255, is_broadcast in any::<bool>()) {
        let kind = if is_broadcast { NetworkKind::Broadcast } else { NetworkKind::PointToPoint };
        let mut world = World::new(CIRCLE, kind);
        world.run_for(60);
        let packet = OspfPacket {
            router: id(1),
            area: engine::AREA,
            body: OspfBody::Update(vec![lie(id(1), 77)]),
        };
        let mut bytes = packet.emit();
        let at = at % bytes.len();
        bytes[at] = bytes[at].wrapping_add(by);
        let (from, now) = (World::address(0, 1), world.now);
        world.engines[0].receive(0, from, ALL_ROUTERS, &bytes, now);
        world.carry(0);
        world.run_for(60);
        prop_assert_eq!(world.way(0, 2), Some((3, 2)));
    }
}
