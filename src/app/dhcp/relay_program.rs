//! `dhcp-relay`: passes DHCP messages on between the links of its machine and servers elsewhere, as dhcrelay does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::relay::{Fate, HOPS_MAX, Habits, Link, relay};
use crate::app::fields::integer;
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome};
use crate::net::control::{InterfaceState, Through};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Diagnostic, Field, Form, Kind, Located, Need, Table};
use crate::wire::dhcp::{CLIENT_PORT, MESSAGE_BYTES_ALWAYS, Message, SERVER_PORT};

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dhcp-relay",
    doc: "A DHCP relay agent: passes what clients on its machine's links ask on to servers elsewhere, and back.",
    example: "relay = { on = \"client\", kind = \"dhcp-relay\", servers = \"server\" }",
    fields: &[
        Field {
            name: "servers",
            form: Form::List(&Form::Text),
            need: Need::Required,
            doc: "The server, by its address or its node's name, or a list; each is asked.",
        },
        Field {
            name: "interfaces",
            form: Form::List(&Form::Text),
            need: Need::Optional,
            doc: "On which interfaces clients are heard; on all of them if left out.",
        },
        Field {
            name: "information",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether servers are told by which interface a request came (option 82, RFC 3046).",
        },
        Field {
            name: "max_hops",
            form: Form::Integer { min: 1, max: HOPS_MAX as i64 },
            need: Need::Default("4"),
            doc: "How many relays a request may pass.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("requests", "How many messages of clients were passed on."),
    ("replies", "How many answers of servers were passed on."),
    ("dropped", "How many messages were not."),
];

fn build(table: &Table<'_>) -> Option<Program> {
    let servers: Vec<Located<String>> = table.need("servers")?;
    for server in &servers {
        let is_known = server.value.parse::<IpAddr>().is_ok() || table.reader.knows_node(&server.value);
        if !is_known {
            let title = format!("no node is called `{}`", server.value);
            let known = table.reader.scope.nodes.iter().map(String::as_str);
            let diagnostic = Diagnostic::new(server.span.clone(), title).not_among(&server.value, known);
            table.reader.report_unknown(diagnostic, &["nodes"]);
        }
    }
    let servers: Vec<String> = servers.into_iter().map(|server| server.value).collect();
    let interfaces: Option<Vec<String>> = table.get("interfaces");
    let habits = Habits {
        hops_max: integer(table, "max_hops", 1, HOPS_MAX.into()).map_or(4, |hops| hops as u8),
        adds_information: table.get_or("information", false),
    };
    Some(Program::new(move |net| serve(net, servers.clone(), interfaces.clone(), habits.clone())).early())
}

async fn serve(net: Net, servers: Vec<String>, named: Option<Vec<String>>, habits: Habits) -> Result<(), ProgramError> {
    let [requests, replies, dropped] = ["requests", "replies", "dropped"].map(|key| Tally::new(&net, key));
    let socket = UdpSocket::bind(&net, SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVER_PORT)))?;
    socket.set_broadcast(true);
    let known = net.interface_states()?;
    if let Some(strange) = named.iter().flatten().find(|name| !known.iter().any(|one| one.name == **name)) {
        return Err(format!("no interface is called `{strange}`").into());
    }
    let mut addresses = Vec::new();
    for server in &servers {
        let found = net.lookup_all(server).await.map_err(|_| crate::app::fields::unknown_host(server))?;
        let v4 = found.into_iter().find(IpAddr::is_ipv4);
        addresses.push(v4.ok_or_else(|| format!("{server} has no IPv4 address"))?);
    }
    loop {
        let datagram = socket.recv_datagram().await?;
        let links: Vec<Link> = net.interface_states()?.iter().filter_map(link_of).collect();
        let arrival = links.iter().find(|link| Some(link.index) == datagram.interface);
        let (Some(arrival), Some(message)) = (arrival, Message::read(&datagram.payload)) else {
            dropped.add(1);
            net.log(|| format!("nonsense from {}", datagram.from));
            continue;
        };
        let is_deaf = !message.is_reply && named.as_ref().is_some_and(|named| !named.contains(&arrival.name));
        let fate = if is_deaf {
            Fate::Dropped("clients there are not served")
        } else {
            relay(message, arrival, &links, &habits)
        };
        match fate {
            Fate::Dropped(why) => {
                dropped.add(1);
                net.log(|| format!("a message from {} on {} ends here: {why}", datagram.from, arrival.name));
            }
            Fate::ToServers(message) => {
                requests.add(1);
                let bytes = message.write(MESSAGE_BYTES_ALWAYS);
                for server in &addresses {
                    tell(&net, socket.send_to(&bytes, SocketAddr::new(*server, SERVER_PORT)).await.map(|_| ()));
                }
            }
            Fate::ToClient(message, link, whom) => {
                replies.add(1);
                let (mac, to) = whom.unzip();
                let through = Through { interface: link.index, source: link.own, mac };
                let to = SocketAddr::from((to.unwrap_or(Ipv4Addr::BROADCAST), CLIENT_PORT));
                // It had room on its way here, so it has room again.
                tell(&net, socket.send_through(&message.write(usize::MAX), to, through).await);
            }
        }
    }
}

fn link_of(interface: &InterfaceState) -> Option<Link> {
    let own = interface.address()?.addr();
    Some(Link { index: interface.index, name: interface.name.clone(), own })
}

fn tell(net: &Net, sent: std::io::Result<()>) {
    if let Err(error) = sent {
        net.log(|| error.to_string());
    }
}
