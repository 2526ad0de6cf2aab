//! `dhcp-server`: gives addresses to the machines on its links, and behind relays, as dnsmasq or Kea do.
//!
//! What it has promised it remembers over a crash. Every decision that the packets do not show is a line of its log.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::pool::{Binding, Claim, ClientId};
use super::server::{Act, Arrival, Server, To};
use super::settings::{POOL_FIELDS, WrittenPool};
use super::{Happened, wait_or_ping};
use crate::app::icmp::echo_request;
use crate::app::{AppBuilder, Outcome};
use crate::net::control::{InterfaceState, Through};
use crate::net::{Datagram, Net, Program, ProgramError, RawSocket, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;
use crate::wire::dhcp::{CLIENT_PORT, Message, SERVER_PORT};

/// What the server's own keys are, with those of a pool behind them.
static FIELDS: [Field; OWN.len() + POOL_FIELDS.len()] = {
    let mut all = [OWN[0]; OWN.len() + POOL_FIELDS.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OWN.len() { OWN[at] } else { POOL_FIELDS[at - OWN.len()] };
        at += 1;
    }
    all
};

const OWN: &[Field] = &[
    Field {
        name: "ping",
        form: Form::Duration,
        need: Need::Default("1s"),
        doc: "How long the answer to a ping is waited for before an address is offered that was not the client's; `\"0s\"`: nobody is pinged.",
    },
    Field {
        name: "pools",
        form: Form::List(&Form::Table(POOL_FIELDS)),
        need: Need::Optional,
        doc: "Several pools, each with its own `subnet`: for links behind relays. In place of the keys below.",
    },
];

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dhcp-server",
    doc: "A DHCP server: gives addresses of a pool to clients on its links and behind relays, for a while.",
    example: "dhcp = { on = \"server\", kind = \"dhcp-server\", range = \"10.0.0.100-10.0.0.199\" }",
    fields: &FIELDS,
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("leases", "How many addresses are somebody's now."),
    ("discovers", "How many clients looked for a server, each time counted."),
    ("offers", "How many addresses were offered."),
    ("acks", "How many requests were granted."),
    ("naks", "How many were refused."),
    ("declines", "How many addresses turned out to be somebody else's, by what clients say."),
    ("taken", "How many did, by a ping that was answered."),
    ("releases", "How many addresses were given back."),
    ("exhausted", "How often no address was left."),
];

fn build(table: &Table<'_>) -> Option<Program> {
    let patience = table.get_or("ping", Duration::from_secs(1));
    let tables: Vec<Table<'_>> = table.get_or("pools", Vec::new());
    let pools: Vec<WrittenPool> = if table.has("pools") {
        if let Some(field) = POOL_FIELDS.iter().find(|field| table.has(field.name)) {
            table.report(
                field.name,
                format!("`{}` is said beside `pools`", field.name),
                "it belongs into one of `pools`",
            );
        }
        tables.iter().inspect(|pool| pool.check(&[POOL_FIELDS], &[])).map(WrittenPool::read).collect()
    } else {
        vec![WrittenPool::read(table)]
    };
    // It serves one link while another one still waits for its address.
    Some(Program::new(move |net| serve(net, pools.clone(), patience)).early())
}

type Shared = Arc<Mutex<Server>>;

fn lock(server: &Shared) -> MutexGuard<'_, Server> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(net: Net, written: Vec<WrittenPool>, patience: Duration) -> Result<(), ProgramError> {
    let socket = UdpSocket::bind(&net, SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVER_PORT)))?;
    socket.set_broadcast(true);
    let pings = RawSocket::icmp(&net);
    let interfaces = net.interface_states()?;
    let mut pools = Vec::new();
    for pool in &written {
        for spec in pool.pools(&interfaces, net.forwards()?)? {
            if pools.iter().any(|other: &super::pool::PoolSpec| other.subnet == spec.subnet) {
                return Err(format!("two pools are of {}", spec.subnet).into());
            }
            pools.push(spec);
        }
    }
    let mut server = Server::new(pools, patience);
    for (name, bytes) in net.saved() {
        if let (Ok(address), Some(binding)) = (name.parse(), binding_of(&bytes)) {
            server.restore(address, binding);
        }
    }
    let server: Shared = Arc::new(Mutex::new(server));
    let shown = Arc::clone(&server);
    net.offer_view("leases", move |now| lock(&shown).show(now));
    let mut sequence = 0;
    loop {
        report(&net, &server);
        let due_at = lock(&server).due_at();
        match wait_or_ping(&net, &socket, &pings, due_at).await? {
            Happened::Datagram(datagram) => {
                let interfaces = net.interface_states()?;
                let own = interfaces.iter().flat_map(|one| &one.addresses).map(|own| own.net.addr()).collect();
                lock(&server).set_own(own);
                take(&net, &server, &interfaces, &datagram);
            }
            Happened::Ping(address) => lock(&server).answered(address, net.now()),
            Happened::Time => lock(&server).wake(net.now()),
            Happened::Changed => {}
        }
        let acts = std::mem::take(&mut lock(&server).acts);
        for act in acts {
            carry_out(&net, &socket, &pings, &server, act, &mut sequence).await;
        }
    }
}

fn take(net: &Net, server: &Shared, interfaces: &[InterfaceState], datagram: &Datagram) {
    let interface = interfaces.iter().find(|one| Some(one.index) == datagram.interface);
    let Some((interface, own)) = interface.and_then(|one| Some((one, one.address()?))) else { return };
    let Some(message) = Message::read(&datagram.payload) else {
        return net.log(|| format!("nonsense from {} on {}", datagram.from, interface.name));
    };
    let is_direct = datagram.to.ip() != IpAddr::V4(Ipv4Addr::BROADCAST) && datagram.to.ip() != own.broadcast();
    lock(server).received(message, Arrival { interface: interface.index, own, is_direct }, net.now());
}

async fn carry_out(net: &Net, socket: &UdpSocket, pings: &RawSocket, server: &Shared, act: Act, sequence: &mut u16) {
    match act {
        Act::Say(text) => net.log(|| text),
        Act::Store(address) => net.save(address.to_string(), lock(server).binding(address).map(bytes_of)),
        Act::Probe(address) => {
            *sequence = sequence.wrapping_add(1);
            let request = echo_request(IpAddr::V4(address), pings.ident(), *sequence, &[0; 20]);
            if let Err(error) = pings.send_to(&request, IpAddr::V4(address), 64, false).await {
                net.log(|| format!("ping {address}: {error}"));
            }
        }
        Act::Send(message, to, size) => {
            let bytes = message.write(size);
            let at = |address: Ipv4Addr, port| SocketAddr::from((address, port));
            let through =
                |arrival: Arrival, mac| Through { interface: arrival.interface, source: arrival.own.addr(), mac };
            let sent = match to {
                To::Relay(relay) => socket.send_to(&bytes, at(relay, SERVER_PORT)).await.map(|_| ()),
                To::Client(address) => socket.send_to(&bytes, at(address, CLIENT_PORT)).await.map(|_| ()),
                To::Everybody(arrival) => {
                    socket.send_through(&bytes, at(Ipv4Addr::BROADCAST, CLIENT_PORT), through(arrival, None)).await
                }
                To::Hardware(arrival, mac, address) => {
                    socket.send_through(&bytes, at(address, CLIENT_PORT), through(arrival, Some(mac))).await
                }
            };
            if let Err(error) = sent {
                net.log(|| format!("{error}"));
            }
        }
    }
}

fn report(net: &Net, server: &Shared) {
    let server = lock(server);
    let leases: usize = server.pools.iter().map(|pool| pool.bound_count(net.now())).sum();
    let counts = server.counts;
    for (key, count) in [
        ("leases", leases as u64),
        ("discovers", counts.discovers),
        ("offers", counts.offers),
        ("acks", counts.acks),
        ("naks", counts.naks),
        ("declines", counts.declines),
        ("taken", counts.taken),
        ("releases", counts.releases),
        ("exhausted", counts.exhausted),
    ] {
        net.report(key, count);
    }
}

/// A binding as it is remembered: its end, its claim, its client.
fn bytes_of(binding: &Binding) -> Vec<u8> {
    let (is_identifier, id) = match &binding.client {
        ClientId::Hardware(mac) => (0, mac.0.to_vec()),
        ClientId::Identifier(id) => (1, id.clone()),
    };
    let claim = match binding.claim {
        Claim::Abandoned => 0,
        Claim::Bound => 1,
        Claim::Offered => 2,
    };
    let head =
        [&binding.until.as_nanos().to_be_bytes()[..], &[claim], &binding.mac.0, &[is_identifier, id.len() as u8]];
    [&head.concat()[..], &id, binding.name.as_deref().unwrap_or_default().as_bytes()].concat()
}

/// What [`bytes_of`] has written.
fn binding_of(bytes: &[u8]) -> Option<Binding> {
    let (until, rest) = bytes.split_first_chunk::<8>()?;
    let (claim, rest) = rest.split_first()?;
    let (mac, rest) = rest.split_first_chunk::<6>()?;
    let ([is_identifier, length], rest) = rest.split_first_chunk::<2>()?;
    let (id, name) = rest.split_at_checked((*length).into())?;
    let client = match is_identifier {
        0 => ClientId::Hardware(EthernetAddress(id.try_into().ok()?)),
        _ => ClientId::Identifier(id.to_vec()),
    };
    let claim = [Claim::Abandoned, Claim::Bound, Claim::Offered].get(usize::from(*claim)).copied()?;
    let name = Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty());
    let until = Time::from_nanos(u64::from_be_bytes(*until));
    Some(Binding { client, mac: EthernetAddress(*mac), name, claim, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_survives_as_bytes() {
        for (client, name) in [
            (ClientId::Hardware(EthernetAddress([2, 0, 0, 0, 0, 1])), None),
            (ClientId::Identifier(vec![7; 255]), Some("printer".to_owned())),
        ] {
            let mac = EthernetAddress([2, 0, 0, 0, 0, 9]);
            let binding = Binding { client, mac, name, claim: Claim::Bound, until: Time::from_secs(77) };
            assert_eq!(binding_of(&bytes_of(&binding)), Some(binding.clone()));
            assert_eq!(binding_of(&bytes_of(&binding)[..17]), None);
        }
    }
}
