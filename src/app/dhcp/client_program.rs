//! `dhcp-client`: gets its machine an address, as dhclient or dhcpcd do.
//!
//! It is there by itself on every machine with `addr = "dhcp"`, called `dhcp@` and the machine's name; a scenario that
//! writes it may say how it behaves. It serves all such interfaces of its machine. A machine that crashes does not
//! release its address, and asks for the same one when it is back; a program that is stopped does not either, and the
//! address stays until its time is over. Only `release` gives it back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::client::{Act, Client, Counts, Identity};
use super::lease::Lease;
use super::{Happened, wait};
use crate::app::{AppBuilder, Outcome};
use crate::net::control::{AddedAddress, InterfaceState, Resolver, Through};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::dhcp::{CLIENT_PORT, Message, SERVER_PORT};

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dhcp-client",
    doc: "A DHCP client for the interfaces of its machine with `addr = \"dhcp\"`; there by itself where none is written.",
    example: "ask = { on = \"client\", kind = \"dhcp-client\", release = \"60s\" }",
    fields: &[
        Field {
            name: "broadcast",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether answers are to come by broadcast, as some old systems need it.",
        },
        Field {
            name: "release",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long after its start it gives the address back and ends; never where this is absent.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    (
        "phase",
        "Text: `INIT`, `SELECTING`, `REQUESTING`, `CHECKING`, `BOUND`, `RENEWING`, `REBINDING`, `REBOOTING`; of several interfaces, the first.",
    ),
    ("address", "Text: the addresses that it holds, with their prefix lengths; `none`."),
    ("server", "Text: who gave them."),
    ("bound", "How often an address became usable."),
    ("bound_after", "How long the first time took."),
    ("renewed", "How often the server that gave an address has given more time."),
    ("rebound", "How often any server has, when that one was silent."),
    ("refused", "How often a server said no."),
    ("declined", "How often an address turned out to be somebody else's."),
    ("expired", "How often the time was over."),
];

/// How a client behaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Habits {
    wants_broadcast: bool,
    release_after: Option<Duration>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    Some(program(Habits { wants_broadcast: table.get_or("broadcast", false), release_after: table.get("release") }))
}

/// A client for all interfaces of its machine that wait for an address.
pub(crate) fn program(habits: Habits) -> Program {
    Program::new(move |net| serve(net, habits)).early()
}

/// A client and the interface that it is for.
struct Served {
    index: u16,
    name: String,
    client: Client,
}

type Shared = Arc<Mutex<Vec<Served>>>;

async fn serve(net: Net, habits: Habits) -> Result<(), ProgramError> {
    let (began_at, mut is_first) = (net.now(), true);
    let release_at = habits.release_after.map(|after| began_at + after);
    let socket = UdpSocket::bind(&net, SocketAddr::from((Ipv4Addr::UNSPECIFIED, CLIENT_PORT)))?;
    socket.set_broadcast(true);
    let interfaces = net.interface_states()?;
    let mut luck = Rng::stream(net.random(), "dhcp client");
    let dynamic = interfaces.into_iter().filter(|interface| interface.is_dynamic);
    let served = dynamic.map(|interface| serve_one(&net, interface, habits, &mut luck)).collect::<Vec<Served>>();
    if served.is_empty() {
        return Err("no interface of this machine has `addr = \"dhcp\"`".into());
    }
    let served: Shared = Arc::new(Mutex::new(served));
    let shown = Arc::clone(&served);
    net.offer_view("leases", move |now| lock(&shown).iter().map(|one| one.client.show(&one.name, now)).collect());
    loop {
        let due_at = look_and_act(&net, &socket, &served).await?;
        report(&net, &served, began_at, &mut is_first);
        match wait(&net, &socket, due_at.into_iter().chain(release_at).min()).await? {
            Happened::Datagram(datagram) => {
                let message = Message::read(&datagram.payload);
                let now = net.now();
                for one in lock(&served).iter_mut().filter(|one| datagram.interface == Some(one.index)) {
                    match &message {
                        Some(message) => one.client.received(message, now),
                        None => net.log(|| format!("{}: nonsense from {}", one.name, datagram.from)),
                    }
                }
            }
            Happened::Changed | Happened::Ping(_) => {}
            Happened::Time => lock(&served).iter_mut().for_each(|one| one.client.wake(net.now())),
        }
        if release_at.is_some_and(|at| at <= net.now()) {
            lock(&served).iter_mut().for_each(|one| one.client.release(net.now()));
            look_and_act(&net, &socket, &served).await?;
            report(&net, &served, began_at, &mut is_first);
            return Ok(());
        }
    }
}

fn lock(served: &Shared) -> std::sync::MutexGuard<'_, Vec<Served>> {
    served.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve_one(net: &Net, interface: InterfaceState, habits: Habits, luck: &mut Rng) -> Served {
    let InterfaceState { index, name, mac, .. } = interface;
    let who = Identity { mac, host_name: net.host_name(), wants_broadcast: habits.wants_broadcast };
    let remembered = net.saved().into_iter().find(|(saved, _)| *saved == name);
    let remembered = remembered.and_then(|(_, bytes)| Lease::from_bytes(&bytes));
    let luck = Rng::stream(luck.next_u64(), &name);
    Served { index, name, client: Client::new(who, remembered, luck) }
}

/// Tells the clients how their interfaces are, and does what they want until they want nothing; when one is next due.
async fn look_and_act(net: &Net, socket: &UdpSocket, served: &Shared) -> Result<Option<Time>, ProgramError> {
    loop {
        let interfaces = net.interface_states()?;
        let now = net.now();
        let mut acts = Vec::new();
        for one in lock(served).iter_mut() {
            let Some(interface) = interfaces.iter().find(|interface| interface.index == one.index) else { continue };
            one.client.link_is(interface.is_up, now);
            // Its acts come first: they may change what is there.
            if one.client.acts.is_empty() {
                for own in &interface.addresses {
                    one.client.address_is(own.net.addr(), own.standing, now);
                }
            }
            acts.extend(one.client.acts.drain(..).map(|act| (one.index, one.name.clone(), act)));
        }
        if acts.is_empty() {
            return Ok(lock(served).iter().filter_map(|one| one.client.due_at()).min());
        }
        for (index, name, act) in acts {
            carry_out(net, socket, index, &name, act).await?;
        }
    }
}

async fn carry_out(net: &Net, socket: &UdpSocket, index: u16, name: &str, act: Act) -> Result<(), ProgramError> {
    match act {
        Act::Say(text) => net.log(|| format!("{name}: {text}")),
        Act::Forget => net.save(name, None),
        Act::Drop(address) => {
            net.remove_address(index, address)?;
            net.set_routers(index, Vec::new())?;
            net.set_resolver(index, Resolver::default());
        }
        Act::Use(lease) => {
            net.save(name, Some(lease.to_bytes()));
            net.set_routers(index, lease.routers.clone())?;
            net.set_resolver(index, lease.resolver.clone());
            net.add_address(index, AddedAddress { net: lease.net, valid_until: lease.expires_at })?;
        }
        Act::Broadcast(message) => {
            // RFC 2131 §4.1: "DHCP messages broadcast by a client prior to that client obtaining its IP address must have the
            // source address field in the IP header set to 0."
            let source = if message.ciaddr.is_unspecified() { Ipv4Addr::UNSPECIFIED } else { message.ciaddr };
            let to = SocketAddr::from((Ipv4Addr::BROADCAST, SERVER_PORT));
            let through = Through { interface: index, source, mac: None };
            let sent = socket.send_through(&message.write(usize::MAX), to, through).await;
            tell_failure(net, name, sent);
        }
        Act::Unicast(message, server) => {
            let sent = socket.send_to(&message.write(usize::MAX), SocketAddr::from((server, SERVER_PORT))).await;
            tell_failure(net, name, sent.map(|_| ()));
        }
    }
    Ok(())
}

/// A message that could not be sent is sent again like one that was lost.
fn tell_failure(net: &Net, name: &str, sent: std::io::Result<()>) {
    if let Err(error) = sent {
        net.log(|| format!("{name}: {error}"));
    }
}

fn report(net: &Net, served: &Shared, began_at: Time, is_first: &mut bool) {
    let served = lock(served);
    let list = |text: fn(&Lease) -> String| {
        let each: Vec<String> = served.iter().filter_map(|one| one.client.lease().map(text)).collect();
        if each.is_empty() { "none".to_owned() } else { each.join(" ") }
    };
    net.report("phase", served.first().map_or("INIT", |one| one.client.state().name()));
    net.report("address", list(|lease| lease.net.to_string()));
    net.report("server", list(|lease| lease.server.to_string()));
    let sum = |count: fn(&Counts) -> u64| served.iter().map(|one| count(&one.client.counts)).sum::<u64>();
    let bound = sum(|counts| counts.bound);
    if bound > 0 && std::mem::replace(is_first, false) {
        net.report("bound_after", net.now().since(began_at));
    }
    net.report("bound", bound);
    net.report("renewed", sum(|counts| counts.renewed));
    net.report("rebound", sum(|counts| counts.rebound));
    net.report("refused", sum(|counts| counts.refused));
    net.report("declined", sum(|counts| counts.declined));
    net.report("expired", sum(|counts| counts.expired));
}
