//! `dns-server`: answers for its zones and for nothing else, as NSD or Knot do.
//!
//! It can be told to fail as servers do: to be silent, to fail, to refuse, to know nothing of EDNS, to be slow.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::{OptRcode, Rtype};

use super::authority::{Outcome as Said, Over, Zones};
use super::serve::{Answerer, Answering, Answers, Asked, serve};
use super::settings::{self, ZONE_FILES, ZONE_TEXTS, ZONES};
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::wire::dns::{Message, TCP_BYTES_MAX, UDP_BYTES};

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "dns-server",
    doc: "An authoritative name server: answers over UDP and TCP for the zones that it is given.",
    example: "names = { on = \"server\", kind = \"dns-server\", zones = { \"example.com\" = \"www A 10.0.0.80\" } }",
    fields: &[
        ZONES,
        ZONE_FILES,
        ZONE_TEXTS,
        settings::PORT,
        Field {
            name: "tcp",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it serves TCP too; without, answers that are too long cannot be had.",
        },
        Field {
            name: "edns",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether it knows EDNS; without, it answers FORMERR to it and never sends more than 512 bytes by UDP, as before 1999.",
        },
        Field {
            name: "udp_size",
            form: Form::Integer { min: 512, max: 65_535 },
            need: Need::Default("1232"),
            doc: "The longest answer that it sends by UDP, however much the client could take.",
        },
        Field {
            name: "latency",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "How long it thinks before it answers.",
        },
        Field {
            name: "fault",
            form: Form::OneOf(FAULTS),
            need: Need::Optional,
            doc: "What is wrong with it: it never answers, fails (SERVFAIL), or refuses everybody (REFUSED: lame for the zones that are said to be its own).",
        },
        Field {
            name: "rotate",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether the records of a set are told in another order each time, so that clients spread over them.",
        },
        Field {
            name: "transfer",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether everybody may ask for a whole zone (AXFR).",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("queries", "How many queries came, over UDP and TCP."),
    ("tcp", "How many of them came over TCP."),
    ("answers", "How many were answered with what was asked for."),
    ("referrals", "How many with the name servers of a zone below."),
    ("nodata", "How many with: the name is there, but no record of that type."),
    ("nxdomain", "How many with: there is no such name."),
    ("refused", "How many were refused: not its zone, or not allowed."),
    ("truncated", "How many answers did not fit a datagram."),
    ("failures", "How many were answered with another error, or not at all because of `fault` or too much work."),
];

const FAULTS: &[&str] = &["refused", "servfail", "silent"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Refused,
    ServFail,
    Silent,
}

#[derive(Debug)]
struct Plan {
    zones: Zones,
    port: u16,
    tcp: bool,
    edns: bool,
    udp_size: usize,
    latency: Duration,
    fault: Option<Fault>,
    rotate: bool,
    transfer: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let zones = settings::zones(table);
    let fault = table.item("fault").and_then(|_| table.one_of("fault", FAULTS)).map(|word| match word {
        "refused" => Fault::Refused,
        "servfail" => Fault::ServFail,
        _ => Fault::Silent,
    });
    let udp_size = fields::integer(table, "udp_size", 512, 65_535).and_then(|size| usize::try_from(size).ok());
    let plan = Plan {
        zones: zones?,
        port: settings::port(table),
        tcp: table.get_or("tcp", true),
        edns: table.get_or("edns", true),
        udp_size: udp_size.unwrap_or(1232),
        latency: table.get_or("latency", Duration::ZERO),
        fault,
        rotate: table.get_or("rotate", false),
        transfer: table.get_or("transfer", false),
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let server = Arc::new(Server { counts: Counts::new(&net), net: net.clone(), plan: Arc::clone(&plan) });
    Ok(serve(&net, plan.port, plan.tcp, server).await?)
}

#[derive(Debug)]
struct Counts {
    queries: Tally,
    tcp: Tally,
    answers: Tally,
    referrals: Tally,
    nodata: Tally,
    nxdomain: Tally,
    refused: Tally,
    truncated: Tally,
    failures: Tally,
}

impl Counts {
    fn new(net: &Net) -> Self {
        let tally = |key| Tally::new(net, key);
        Self {
            queries: tally("queries"),
            tcp: tally("tcp"),
            answers: tally("answers"),
            referrals: tally("referrals"),
            nodata: tally("nodata"),
            nxdomain: tally("nxdomain"),
            refused: tally("refused"),
            truncated: tally("truncated"),
            failures: tally("failures"),
        }
    }
}

#[derive(Debug)]
struct Server {
    net: Net,
    plan: Arc<Plan>,
    counts: Counts,
}

impl Answerer for Server {
    fn answer(&self, asked: Asked) -> Answering {
        let answers = self.answers(&asked);
        if self.plan.latency.is_zero() || answers.is_empty() {
            return Box::pin(ready(answers));
        }
        let waiting = self.net.sleep(self.plan.latency);
        Box::pin(async move {
            waiting.await;
            answers
        })
    }

    fn is_full(&self) {
        self.counts.failures.add(1);
    }
}

impl Server {
    fn answers(&self, asked: &Asked) -> Answers {
        let counts = &self.counts;
        counts.queries.add(1);
        if asked.over == Over::Tcp {
            counts.tcp.add(1);
        }
        let query = match Message::parse(&asked.bytes) {
            Ok(query) => query,
            Err(malformed) => {
                counts.failures.add(1);
                self.net.log(|| format!("{}: not a message", asked.from));
                return settings::format_error(malformed).into_iter().collect();
            }
        };
        if query.is_response {
            counts.failures.add(1);
            return Vec::new();
        }
        if let Some(fault) = self.plan.fault {
            counts.failures.add(1);
            let rcode = match fault {
                Fault::Refused => OptRcode::REFUSED,
                Fault::ServFail => OptRcode::SERVFAIL,
                Fault::Silent => return Vec::new(),
            };
            return vec![self.write(&query, &query.answer(rcode), asked.over)];
        }
        if query.edns.is_some() && !self.plan.edns {
            counts.failures.add(1);
            // RFC 6891 §7: "Responders that choose not to implement the protocol extensions defined in this document
            // MUST respond with a return code (RCODE) of FORMERR to messages containing an OPT record".
            let mut reply = query.answer(OptRcode::FORMERR);
            reply.edns = None;
            return vec![reply.write(UDP_BYTES)];
        }
        let is_transfer = query.question().is_some_and(|question| question.rtype == Rtype::AXFR);
        if is_transfer
            && self.plan.transfer
            && asked.over == Over::Tcp
            && let Some(messages) = self.plan.zones.transfer(&query)
        {
            counts.answers.add(1);
            return messages.iter().map(|message| message.write(TCP_BYTES_MAX)).collect();
        }
        let Some((mut reply, outcome)) = self.plan.zones.answer(&query) else { return Vec::new() };
        match outcome {
            Said::Answer => &counts.answers,
            Said::Error => &counts.failures,
            Said::NoData => &counts.nodata,
            Said::NxDomain => &counts.nxdomain,
            Said::Referral => &counts.referrals,
            Said::Refused => &counts.refused,
        }
        .add(1);
        if self.plan.rotate && reply.answers.len() > 1 {
            let is_one_set = reply.answers.windows(2).all(|pair| pair[0].rtype() == pair[1].rtype());
            let by = usize::try_from(counts.answers.get()).unwrap_or(0) % reply.answers.len();
            if is_one_set {
                reply.answers.rotate_left(by);
            }
        }
        vec![self.write(&query, &reply, asked.over)]
    }

    fn write(&self, query: &Message, reply: &Message, over: Over) -> Vec<u8> {
        let room = match over {
            Over::Tcp => TCP_BYTES_MAX,
            Over::Udp => query.udp_room().min(self.plan.udp_size),
        };
        let bytes = reply.write(room);
        // The TC bit (RFC 1035 §4.1.1).
        if bytes[2] & 0x02 != 0 {
            self.counts.truncated.add(1);
        }
        bytes
    }
}
