//! `dig`: asks a name server one thing and prints the whole answer, or walks from the root itself (`trace`).
//!
//! Its lines are those of BIND's `dig`, but for empty ones and the time of day. It fails where the real one exits with
//! another code than 0: when no server can be reached. That a name is not there is an answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::base::Name as DomainName;
use domain::base::iana::Rtype;

use super::columns::{flags, is_ns, lines, record_line, short, value};
use super::question::{
    Had, Manner, NAME, REVERSE, SERVER, TIMEOUT, TRIES, TYPE, ask, at, read_question, read_tries, servers,
};
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError};
use crate::read::{Field, Form, Kind, Located, Need, Table};
use crate::record::Value;
use crate::wire::dns::{
    Data, EDNS_BYTES, Edns, Message, Name, PORT, Question, Record, name_text, rcode_word, type_word,
};

/// How many servers a walk asks before it is given up.
const TRACE_MAX: usize = 32;

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dig",
    doc: "Asks a name server and prints the whole answer, with the lines of the real `dig`.",
    example: "ask = { on = \"client\", kind = \"dig\", name = \"www.example.com\", server = \"server\" }",
    fields: &[
        NAME,
        REVERSE,
        TYPE,
        SERVER,
        Field {
            name: "trace",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it walks from the root itself, server by server: `dig +trace`.",
        },
        Field {
            name: "short",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether nothing is printed but the answer: `dig +short`.",
        },
        Field {
            name: "tcp",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it asks by TCP at once: `dig +tcp`.",
        },
        Field {
            name: "ignore",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether it makes do with an answer that was cut off: `dig +ignore`.",
        },
        Field {
            name: "recurse",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether the server is to find it out; `false` is `dig +norecurse`.",
        },
        Field {
            name: "edns",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it asks with EDNS; `false` is `dig +noedns`, which gets 512 bytes at most by UDP.",
        },
        Field {
            name: "bufsize",
            form: Form::Integer { min: 0, max: 65_535 },
            need: Need::Default("1232"),
            doc: "How much it says that it can take by UDP.",
        },
        Field {
            name: "port",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Default("53"),
            doc: "The port that it asks at.",
        },
        TRIES,
        TIMEOUT,
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("status", "Text: what the header says, `NOERROR`, `NXDOMAIN`, `SERVFAIL`; absent without an answer."),
    ("flags", "Text: the flags that are set, `qr aa rd ra`; absent likewise."),
    ("answers", "How many records the answer section has; absent likewise."),
    ("records", "List of texts: those records, `A 10.0.0.80`; absent likewise."),
    ("authorities", "How many records the authority section has; absent likewise."),
    ("ttl", "The TTL of the first record of the answer; absent without one."),
    ("query_time", "How long the answer took; absent without one."),
    ("server", "Text: the address of who has answered last; absent likewise."),
    ("size", "How many bytes the answer had; absent likewise."),
    ("tcp", "Whether it came by TCP; absent likewise."),
    ("path", "List of texts: who was asked one after the other; of a walk."),
];

#[derive(Debug)]
struct Plan {
    name: Name,
    rtype: Rtype,
    reverse: Option<IpAddr>,
    server: Option<String>,
    port: u16,
    trace: bool,
    short: bool,
    recurse: bool,
    edns: Option<Edns>,
    manner: Manner,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let asked = read_question(table);
    let payload = fields::integer(table, "bufsize", 0, 65_535).and_then(|size| u16::try_from(size).ok());
    let payload = payload.unwrap_or(EDNS_BYTES);
    let edns = table.get_or("edns", true).then_some(Edns { payload, ..Edns::default() });
    let timeout = table.get_or("timeout", Duration::from_secs(5));
    if timeout < Duration::from_millis(1) {
        table.report("timeout", "no answer comes at once", "at least \"1ms\"");
    }
    let server: Option<Located<String>> = table.get("server");
    let (name, rtype) = asked?;
    let rtype = rtype.unwrap_or(Rtype::A);
    let manner = Manner {
        tries: read_tries(table),
        timeout,
        by_tcp: table.get_or("tcp", false) || matches!(rtype, Rtype::AXFR),
        retries_by_tcp: !table.get_or("ignore", false),
    };
    let plan = Plan {
        name,
        rtype,
        reverse: table.has("reverse").then(|| table.get("reverse")).flatten(),
        server: server.map(|server| server.value),
        port: fields::port(table, "port").unwrap_or(PORT),
        trace: table.get_or("trace", false),
        short: table.get_or("short", false),
        recurse: table.get_or("recurse", true),
        edns,
        manner,
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    if !plan.short {
        net.log(|| format!("; <<>> dig <<>>{}", plan.arguments()));
    }
    let servers = servers(&net, plan.server.as_deref()).await?;
    if servers.is_empty() {
        return Err(";; no servers could be reached: this machine has no name server".into());
    }
    let servers: Vec<SocketAddr> = servers.into_iter().map(|server| SocketAddr::new(server, plan.port)).collect();
    let dig = Dig { net: &net, plan: &plan };
    if plan.trace { dig.walk(servers).await } else { dig.ask_once(&servers).await }
}

impl Plan {
    /// As they would be typed.
    fn arguments(&self) -> String {
        let mut text = String::new();
        let mut say = |word: String| {
            text.push(' ');
            text.push_str(&word);
        };
        if let Some(server) = &self.server {
            say(format!("@{server}"));
        }
        match self.reverse {
            Some(address) => say(format!("-x {address}")),
            None => {
                say(name_text(&self.name).strip_suffix('.').filter(|text| !text.is_empty()).unwrap_or(".").to_owned())
            }
        }
        if self.rtype != Rtype::A && self.reverse.is_none() {
            say(type_word(self.rtype));
        }
        let options = [
            (self.trace, "+trace"),
            (self.manner.by_tcp && self.rtype != Rtype::AXFR, "+tcp"),
            (!self.manner.retries_by_tcp, "+ignore"),
            (!self.recurse, "+norecurse"),
            (self.edns.is_none(), "+noedns"),
        ];
        options.into_iter().filter(|(is_set, _)| *is_set).for_each(|(_, word)| say(word.to_owned()));
        text
    }
}

struct Dig<'a> {
    net: &'a Net,
    plan: &'a Plan,
}

impl Dig<'_> {
    fn query(&self, question: Question, recurse: bool) -> Message {
        let id = u16::try_from(self.net.random_below(65_536)).unwrap_or_default();
        Message::query(id, question, recurse, self.plan.edns)
    }

    fn say(&self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.net.log(|| line);
        }
    }

    async fn ask_once(&self, servers: &[SocketAddr]) -> Result<(), ProgramError> {
        let plan = self.plan;
        let query = self.query(Question::new(plan.name.clone(), plan.rtype), plan.recurse);
        let Some(had) = ask(self.net, servers, &query, plan.manner).await else {
            self.say([";; no servers could be reached".to_owned()]);
            return Err("no servers could be reached".into());
        };
        self.report(&had);
        let message = &had.reply.message;
        if plan.short {
            self.say(message.answers.iter().map(value));
            return Ok(());
        }
        self.say([";; Got answer:".to_owned()]);
        self.say(lines(message));
        self.say([
            format!(";; Query time: {} msec", had.after.as_millis()),
            format!(
                ";; SERVER: {}({}) ({})",
                at(had.server),
                self.asked_as(had.server),
                if had.by_tcp { "TCP" } else { "UDP" }
            ),
            format!(";; MSG SIZE  rcvd: {}", had.reply.length),
        ]);
        Ok(())
    }

    fn asked_as(&self, server: SocketAddr) -> String {
        self.plan.server.clone().unwrap_or_else(|| server.ip().to_string())
    }

    fn report(&self, had: &Had) {
        let message = &had.reply.message;
        let records = message.answers.iter().map(|record| Value::from(short(record).as_str())).collect();
        self.net.report_all([
            ("status", rcode_word(message.rcode).as_str().into()),
            ("flags", flags(message).as_str().into()),
            ("answers", (message.answers.len() as u64).into()),
            ("records", Value::List(records)),
            ("authorities", (message.authority.len() as u64).into()),
            ("query_time", had.after.into()),
            ("server", had.server.ip().to_string().as_str().into()),
            ("size", (had.reply.length as u64).into()),
            ("tcp", had.by_tcp.into()),
        ]);
        if let Some(first) = message.answers.first() {
            self.net.report("ttl", u64::from(first.ttl().as_secs()));
        }
    }

    /// Asks the machine's own name server for the root servers, then one of them, then one of those that it names, and so
    /// on.
    async fn walk(&self, first: Vec<SocketAddr>) -> Result<(), ProgramError> {
        let root: Name = DomainName::root_bytes();
        let question = Question::new(self.plan.name.clone(), self.plan.rtype);
        let mut query = self.query(Question::new(root.clone(), Rtype::NS), true);
        let (mut servers, mut called): (Vec<SocketAddr>, Vec<String>) =
            (first.clone(), first.iter().map(|server| self.asked_as(*server)).collect());
        let (mut zone, mut path) = (None, Vec::new());
        for _ in 0..TRACE_MAX {
            let Some(had) = ask(self.net, &servers, &query, self.plan.manner).await else {
                self.say([";; no servers could be reached".to_owned()]);
                return Err("no servers could be reached".into());
            };
            self.report(&had);
            let message = &had.reply.message;
            let by = servers.iter().position(|server| *server == had.server);
            let by = by.and_then(|index| called.get(index)).cloned().unwrap_or_default();
            path.push(Value::from(by.as_str()));
            self.net.report("path", Value::List(path.clone()));
            let is_answer = zone.is_some() && (!message.answers.is_empty() || message.is_authoritative);
            let told: Vec<&Record> = if message.answers.is_empty() {
                message.authority.iter().collect()
            } else {
                message.answers.iter().chain(message.authority.iter().filter(|record| is_ns(record))).collect()
            };
            self.say(told.iter().map(|record| record_line(record)));
            self.say([format!(
                ";; Received {} bytes from {}({by}) in {} ms",
                had.reply.length,
                at(had.server),
                had.after.as_millis()
            )]);
            if is_answer {
                return Ok(());
            }
            let Some((cut, names)) = next_servers(message, &question.name, zone.as_ref()) else { return Ok(()) };
            (servers, called) = self.find(message, &names).await;
            if servers.is_empty() {
                return Err(format!("couldn't get address for '{}': not found", name_text(&names[0])).into());
            }
            zone = Some(cut);
            query = self.query(question.clone(), false);
        }
        Err("too many servers on the way".into())
    }

    /// The addresses of name servers: those that came along, or those that a lookup finds.
    async fn find(&self, message: &Message, names: &[Name]) -> (Vec<SocketAddr>, Vec<String>) {
        let (mut servers, mut called) = (Vec::new(), Vec::new());
        for name in names {
            let came_along = message.additional.iter().filter(|record| record.owner() == name);
            let mut addresses: Vec<IpAddr> = came_along
                .filter_map(|record| match record.data() {
                    Data::A(address) => Some(address.addr().into()),
                    Data::Aaaa(address) => Some(address.addr().into()),
                    _ => None,
                })
                .collect();
            if addresses.is_empty() {
                addresses = self.net.lookup_all(&name_text(name)).await.unwrap_or_default();
            }
            for address in addresses.into_iter().filter(|address| self.net.source_for(*address).is_ok()) {
                servers.push(SocketAddr::new(address, PORT));
                called.push(name_text(name).trim_end_matches('.').to_owned());
            }
        }
        (servers, called)
    }
}

/// The servers that a message names of a zone that is nearer to the name than the last one was.
fn next_servers(message: &Message, name: &Name, zone: Option<&Name>) -> Option<(Name, Vec<Name>)> {
    let records = || message.answers.iter().chain(&message.authority).filter(|record| is_ns(record));
    let leads_on = |record: &&Record| {
        let owner = record.owner();
        name.ends_with(owner) && zone.is_none_or(|zone| owner != zone && owner.ends_with(zone))
    };
    let cut = records().find(leads_on)?.owner().clone();
    let names = records().filter(|record| *record.owner() == cut).filter_map(|record| match record.data() {
        Data::Ns(server) => Some(server.nsdname().clone()),
        _ => None,
    });
    let names = names.collect();
    Some((cut, names))
}
