//! Asking a server, as `dig` and `nslookup` do: several times, by TCP if the answer does not fit.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::base::Name as DomainName;
use domain::base::iana::Rtype;

use super::settings::{read_name, read_type};
use crate::app::fields;
use crate::net::resolve::{Reply, ask_by_tcp, ask_by_udp};
use crate::net::{Local, Net, ProgramError};
use crate::read::{Diagnostic, Field, Form, Located, Need, Table};
use crate::wire::dns::{Message, Name};

pub(super) const NAME: Field = Field {
    name: "name",
    form: Form::Text,
    need: Need::Optional,
    doc: "The name that is asked for: `\"www.example.com\"`; the root if left out.",
};
pub(super) const REVERSE: Field = Field {
    name: "reverse",
    form: Form::Address,
    need: Need::Optional,
    doc: "An address whose name is asked for, in place of `name`: `dig -x`.",
};
pub(super) const TYPE: Field = Field {
    name: "type",
    form: Form::Text,
    need: Need::Optional,
    doc: "The type of record that is asked for: `\"A\"`, `\"AAAA\"`, `\"MX\"`, `\"TYPE65\"`.",
};
pub(super) const SERVER: Field = Field {
    name: "server",
    form: Form::Text,
    need: Need::Optional,
    doc: "Who is asked, by address or name; the machine's own name servers if left out.",
};
pub(super) const TRIES: Field = Field {
    name: "tries",
    form: Form::Integer { min: 1, max: 100 },
    need: Need::Default("3"),
    doc: "How often a server is asked before it is given up.",
};
pub(super) const TIMEOUT: Field = Field {
    name: "timeout",
    form: Form::Duration,
    need: Need::Default("5s"),
    doc: "How long the answer is waited for each time.",
};

/// Reads `name` or `reverse`; with the latter, the type is PTR unless said otherwise.
pub(super) fn read_question(table: &Table<'_>) -> Option<(Name, Option<Rtype>)> {
    let rtype = match table.get::<Located<String>>("type") {
        None => None,
        Some(word) => match read_type(&word.value) {
            Some(rtype) => Some(rtype),
            None => {
                let title = format!("`{}` is no type of record", word.value);
                let known = ["A", "AAAA", "ANY", "AXFR", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
                table.reader.report(Diagnostic::new(word.span, title).not_among(&word.value, known));
                return None;
            }
        },
    };
    if table.has("reverse") {
        if table.has("name") {
            table.report("reverse", "both a name and an address are asked for", "one of them");
            return None;
        }
        let address: IpAddr = table.get("reverse")?;
        let name = DomainName::reverse_from_addr(address).ok()?;
        return Some((name, rtype.or(Some(Rtype::PTR))));
    }
    let Some(text) = table.get::<Located<String>>("name") else {
        return (!table.has("name")).then(|| (DomainName::root_bytes(), rtype.or(Some(Rtype::NS))));
    };
    let name = read_name(&text.value);
    if name.is_none() {
        let title = format!("`{}` is no domain name", text.value);
        table.reader.report(Diagnostic::new(text.span, title).label("such as \"www.example.com\""));
    }
    Some((name?, rtype))
}

/// Reads `tries`.
pub(super) fn read_tries(table: &Table<'_>) -> u64 {
    fields::integer(table, "tries", 1, 100).unwrap_or(3)
}

/// The servers that are asked: the one that is said, or the machine's.
pub(super) async fn servers(net: &Net, said: Option<&str>) -> Result<Vec<IpAddr>, ProgramError> {
    match said {
        Some(host) => {
            let found = net.lookup(host).await;
            Ok(vec![found.map_err(|_| ProgramError::new(format!("couldn't get address for '{host}': not found")))?])
        }
        None => Ok(net.resolv().servers),
    }
}

/// An answer, and how it was had.
#[derive(Debug)]
pub(super) struct Had {
    pub(super) reply: Reply,
    pub(super) server: SocketAddr,
    pub(super) by_tcp: bool,
    pub(super) after: Duration,
}

/// How to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) tries: u64,
    pub(super) timeout: Duration,
    pub(super) by_tcp: bool,
    /// Whether an answer that was cut off is asked for again by TCP.
    pub(super) retries_by_tcp: bool,
}

/// Asks one server after the other, each as often as the manner says, and tells what goes wrong in `dig`'s words.
pub(super) async fn ask(net: &Net, servers: &[SocketAddr], query: &Message, manner: Manner) -> Option<Had> {
    for server in servers {
        for _ in 0..manner.tries {
            let begun = net.now();
            let mut by_tcp = manner.by_tcp;
            let mut reply = if by_tcp {
                ask_by_tcp(net, *server, query, manner.timeout).await
            } else {
                let stray = |from| {
                    net.log(|| format!(";; reply from unexpected source: {}, expected {}", at(from), at(*server)))
                };
                ask_by_udp(net, Local::ANY, *server, query, manner.timeout, stray).await
            };
            if !by_tcp && manner.retries_by_tcp && reply.as_ref().is_ok_and(|reply| reply.message.is_truncated) {
                net.log(|| ";; Truncated, retrying in TCP mode.".to_owned());
                by_tcp = true;
                reply = ask_by_tcp(net, *server, query, manner.timeout).await;
            }
            match reply {
                Ok(reply) => {
                    return Some(Had { reply, server: *server, by_tcp, after: net.now().since(begun) });
                }
                Err(error) => net.log(|| format!(";; communications error to {}: {}", at(*server), words(&error))),
            }
        }
    }
    None
}

/// `10.0.0.53#53`
pub(super) fn at(server: SocketAddr) -> String {
    format!("{}#{}", server.ip(), server.port())
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::UnexpectedEof => "end of file".to_owned(),
        _ => error.to_string(),
    }
}
