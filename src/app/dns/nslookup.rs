//! `nslookup`: asks the machine's name server, or another one, and prints the answer in few words.
//!
//! Its lines are those of BIND's `nslookup`, but for empty ones. Names that are not full are looked up in the search list.
//! It fails where the real one exits with 1: nobody answers, or the name is not there.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::{OptRcode, Rtype};

use super::columns::{short, value};
use super::question::{
    Manner, NAME, REVERSE, SERVER, TIMEOUT, TRIES, TYPE, ask, at, read_question, read_tries, servers,
};
use crate::app::{AppBuilder, Outcome};
use crate::net::{Net, Program, ProgramError};
use crate::read::{Kind, Located, Table};
use crate::record::Value;
use crate::wire::dns::{Data, Message, Name, PORT, Question, Record, name_text, rcode_word, type_word};

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "nslookup",
    doc: "Asks a name server for addresses, or for something else, with the lines of the real `nslookup`.",
    example: "ask = { on = \"client\", kind = \"nslookup\", name = \"www.example.com\", server = \"server\" }",
    fields: &[NAME, REVERSE, TYPE, SERVER, TRIES, TIMEOUT],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("status", "Text: what the last answer's header says, `NOERROR`, `NXDOMAIN`; absent without one."),
    ("addresses", "List of texts: the addresses that were found."),
    ("records", "List of texts: all records of the answers, such as `CNAME web.example.com.` for an alias."),
    ("found", "Text: the full name that was answered for; absent if none was."),
    ("server", "Text: the address of who has answered; absent without an answer."),
];

#[derive(Debug)]
struct Plan {
    name: Name,
    text: Option<String>,
    rtypes: Vec<Rtype>,
    server: Option<String>,
    manner: Manner,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let asked = read_question(table);
    let timeout = table.get_or("timeout", Duration::from_secs(5));
    let server: Option<Located<String>> = table.get("server");
    let text: Option<Located<String>> = table.get("name");
    if !table.has("name") && !table.has("reverse") {
        table.report("name", "nothing is asked for", "`name` or `reverse` is missing");
    }
    let (name, rtype) = asked?;
    let plan = Plan {
        name,
        text: text.map(|text| text.value),
        // As the real one: both versions, one after the other.
        rtypes: rtype.map_or_else(|| vec![Rtype::A, Rtype::AAAA], |rtype| vec![rtype]),
        server: server.map(|server| server.value),
        manner: Manner { tries: read_tries(table), timeout, by_tcp: false, retries_by_tcp: true },
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    for key in ["addresses", "records"] {
        net.report(key, Value::List(Vec::new()));
    }
    let servers = servers(&net, plan.server.as_deref()).await?;
    let servers: Vec<SocketAddr> = servers.into_iter().map(|server| SocketAddr::new(server, PORT)).collect();
    let (mut is_introduced, mut last) = (false, None);
    for name in names(&net, &plan) {
        let mut answers = Vec::new();
        for rtype in &plan.rtypes {
            let id = u16::try_from(net.random_below(65_536)).unwrap_or_default();
            let query = Message::query(id, Question::new(name.clone(), *rtype), true, None);
            let Some(had) = ask(&net, &servers, &query, plan.manner).await else {
                net.log(|| ";; no servers could be reached".to_owned());
                return Err("no servers could be reached".into());
            };
            let message = had.reply.message;
            if !std::mem::replace(&mut is_introduced, true) {
                let called = plan.server.clone().unwrap_or_else(|| had.server.ip().to_string());
                net.log(|| format!("Server:         {called}"));
                net.log(|| format!("Address:        {}", at(had.server)));
                net.report("server", had.server.ip().to_string().as_str());
            }
            net.report("status", rcode_word(message.rcode).as_str());
            let is_error = message.rcode != OptRcode::NOERROR;
            last = Some((name.clone(), message.rcode));
            if is_error {
                break;
            }
            answers.push(message);
        }
        if answers.len() == plan.rtypes.len() {
            return tell(&net, &plan, &name, &answers);
        }
        // Only that the name is not there lets the next one be tried.
        if last.as_ref().is_some_and(|(_, rcode)| *rcode != OptRcode::NXDOMAIN) {
            break;
        }
    }
    let (name, rcode) = last.ok_or("nothing could be asked for")?;
    let line = format!("** server can't find {}: {}", bare(&name), rcode_word(rcode));
    net.log(|| line.clone());
    Err(format!("server can't find {}: {}", bare(&name), rcode_word(rcode)).into())
}

/// The full names that are asked for one after the other.
fn names(net: &Net, plan: &Plan) -> Vec<Name> {
    plan.text.as_deref().map_or_else(|| vec![plan.name.clone()], |text| net.resolv().candidates(text))
}

fn tell(net: &Net, plan: &Plan, name: &Name, answers: &[Message]) -> Result<(), ProgramError> {
    net.report("found", name_text(name).as_str());
    let records: Vec<&Record> = answers.iter().flat_map(|message| &message.answers).collect();
    let mut seen: Vec<&Record> = Vec::new();
    if answers.first().is_some_and(|message| !message.is_authoritative) && !records.is_empty() {
        net.log(|| "Non-authoritative answer:".to_owned());
    }
    for record in records {
        // Both questions find the same aliases.
        if seen.iter().any(|other| other.owner() == record.owner() && other.data() == record.data()) {
            continue;
        }
        seen.push(record);
        lines_of(record).into_iter().for_each(|line| net.log(|| line));
    }
    let addresses = seen.iter().filter(|record| matches!(record.rtype(), Rtype::A | Rtype::AAAA));
    let addresses: Vec<Value> = addresses.map(|record| value(record).as_str().into()).collect();
    net.report("addresses", Value::List(addresses));
    net.report("records", Value::List(seen.iter().map(|record| short(record).as_str().into()).collect()));
    if seen.is_empty() {
        let line = format!("*** Can't find {}: No answer", bare(name));
        net.log(|| line);
        return Err(format!("can't find {}: no answer", plan.text.clone().unwrap_or_else(|| bare(name))).into());
    }
    Ok(())
}

fn lines_of(record: &Record) -> Vec<String> {
    let owner = bare(record.owner());
    match record.data() {
        Data::A(address) => address_lines(&owner, address.addr().into()),
        Data::Aaaa(address) => address_lines(&owner, address.addr().into()),
        Data::Cname(alias) => vec![format!("{owner}        canonical name = {}", name_text(alias.cname()))],
        Data::Mx(mail) => {
            vec![format!("{owner}        mail exchanger = {} {}", mail.preference(), name_text(mail.exchange()))]
        }
        Data::Ns(server) => vec![format!("{owner}        nameserver = {}", name_text(server.nsdname()))],
        Data::Ptr(name) => vec![format!("{owner}        name = {}", name_text(name.ptrdname()))],
        Data::Soa(soa) => vec![
            owner,
            format!("        origin = {}", bare(soa.mname())),
            format!("        mail addr = {}", bare(soa.rname())),
            format!("        serial = {}", soa.serial()),
            format!("        refresh = {}", soa.refresh().as_secs()),
            format!("        retry = {}", soa.retry().as_secs()),
            format!("        expire = {}", soa.expire().as_secs()),
            format!("        minimum = {}", soa.minimum().as_secs()),
        ],
        Data::Srv(_) => vec![format!("{owner}        service = {}", value(record))],
        Data::Txt(_) => vec![format!("{owner}        text = {}", value(record))],
        _ => vec![format!("{owner}        rdata_{} = {}", type_word(record.rtype()), value(record))],
    }
}

fn address_lines(owner: &str, address: IpAddr) -> Vec<String> {
    vec![format!("Name:   {owner}"), format!("Address: {address}")]
}

/// Without the last dot.
fn bare(name: &Name) -> String {
    let text = name_text(name);
    text.strip_suffix('.').filter(|text| !text.is_empty()).unwrap_or(&text).to_owned()
}
