//! `ntp-server`: says what its machine's clock shows.
//!
//! Whoever asks too often is told so with a kiss-o'-death (RFC 5905 §7.4) and not answered otherwise. It runs until it is
//! stopped, and fails only if its port is taken.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::{DRIFT, OFFSET};
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;
use crate::wire::ntp::{NTP_PORT, NtpMessage, NtpMode, NtpTimestamp, ntp_short};

/// How many clients are remembered; beyond that whoever has been silent longest is forgotten.
const CLIENTS_MAX: usize = 4096;

/// The logarithm of the clock's precision: 2⁻²⁴ s, some 60 ns.
const PRECISION: i8 = -24;

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "ntp-server",
    doc: "Tells the time by NTP, as its machine's clock shows it.",
    example: "time = { on = \"server\", kind = \"ntp-server\" }",
    fields: &[
        Field {
            name: "port",
            form: Form::Integer { min: 1, max: 65_535 },
            need: Need::Default("123"),
            doc: "The port that it serves.",
        },
        Field {
            name: "stratum",
            form: Form::Integer { min: 1, max: 15 },
            need: Need::Default("1"),
            doc: "How far it is from a reference clock: 1 has one itself.",
        },
        OFFSET,
        DRIFT,
        Field {
            name: "processing",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "How long an answer takes it, from the request's arrival (T2) to the answer's departure (T3).",
        },
        Field {
            name: "limit",
            form: Form::Duration,
            need: Need::Optional,
            doc: "The least time between two requests of one client; who asks earlier gets the kiss-o'-death `RATE`.",
        },
        Field {
            name: "deny",
            form: Form::List(&Form::Address),
            need: Need::Optional,
            doc: "Addresses whose requests get the kiss-o'-death `DENY`.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("requests", "How many requests came that made sense."),
    ("answers", "How many of them were answered with the time."),
    ("kisses", "How many were answered with a kiss-o'-death."),
    ("malformed", "How many datagrams made no sense."),
];

#[derive(Debug)]
struct Plan {
    port: u16,
    stratum: u8,
    clock: Clock,
    processing: Duration,
    limit: Option<Duration>,
    deny: Vec<IpAddr>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let port = fields::port(table, "port").unwrap_or(NTP_PORT);
    let stratum = fields::integer(table, "stratum", 1, 15).and_then(|stratum| u8::try_from(stratum).ok());
    let (clock, processing) = (super::clock(table), table.get_or("processing", Duration::ZERO));
    let (limit, deny) = (table.get("limit"), table.get_or("deny", Vec::new()));
    let plan = Arc::new(Plan { port, stratum: stratum.unwrap_or(1), clock: clock?, processing, limit, deny });
    Some(Program::new(move |net| serve(net, Arc::clone(&plan))))
}

async fn serve(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let [requests, answers, kisses, malformed] =
        ["requests", "answers", "kisses", "malformed"].map(|key| Tally::new(&net, key));
    let socket = Arc::new(UdpSocket::bind(&net, plan.port)?);
    let mut clients = Clients::default();
    loop {
        let datagram = socket.recv_datagram().await?;
        let arrived = plan.clock.timestamp(net.now());
        let Some(request) = NtpMessage::parse(&datagram.payload).filter(|message| message.mode == NtpMode::Client)
        else {
            malformed.add(1);
            continue;
        };
        requests.add(1);
        let kiss = if plan.deny.contains(&datagram.from.ip()) {
            Some(b"DENY")
        } else if plan.limit.is_some_and(|limit| !clients.may_ask(datagram.from.ip(), limit, net.now())) {
            Some(b"RATE")
        } else {
            None
        };
        if let Some(code) = kiss {
            kisses.add(1);
            net.log(|| format!("{}: kiss {}", datagram.from.ip(), String::from_utf8_lossy(code)));
            let answer = kiss_of_death(&request, *code);
            if let Err(error) = socket.send_to(&answer.bytes(), datagram.from).await {
                net.log(|| format!("{}: {error}", datagram.from));
            }
            continue;
        }
        let (there, plan_there, socket, answers) =
            (net.clone(), Arc::clone(&plan), Arc::clone(&socket), answers.clone());
        let reply = async move {
            if !plan_there.processing.is_zero() {
                there.sleep(plan_there.processing).await;
            }
            let answer = answer(&request, &plan_there, arrived, plan_there.clock.timestamp(there.now()));
            match socket.send_to(&answer.bytes(), datagram.from).await {
                Ok(_) => drop(answers.add(1)),
                Err(error) => there.log(|| format!("{}: {error}", datagram.from)),
            }
        };
        if plan.processing.is_zero() {
            reply.await;
        } else {
            net.spawn(reply);
        }
    }
}

/// The answer to a request that arrived and is answered at these times of the server's clock.
fn answer(request: &NtpMessage, plan: &Plan, arrived: NtpTimestamp, leaves: NtpTimestamp) -> NtpMessage {
    // The reference clock sets this one each second.
    let (seconds, _) = arrived.parts();
    NtpMessage {
        leap: 0,
        version: request.version,
        mode: NtpMode::Server,
        stratum: plan.stratum,
        poll: request.poll,
        precision: PRECISION,
        root_delay: 0,
        root_dispersion: ntp_short(Duration::from_nanos(60)),
        reference_id: if plan.stratum == 1 { *b"GPS\0" } else { [0; 4] },
        reference: NtpTimestamp::after(seconds, 0),
        // By this the client knows its own request again (RFC 5905 §8).
        origin: request.transmit,
        receive: arrived,
        transmit: leaves,
    }
}

/// A refusal; the times in it mean nothing but whose request it refuses.
fn kiss_of_death(request: &NtpMessage, code: [u8; 4]) -> NtpMessage {
    NtpMessage {
        // RFC 5905 §7.3: leap indicator 3 is "unknown (clock unsynchronized)".
        leap: 3,
        version: request.version,
        mode: NtpMode::Server,
        stratum: 0,
        poll: request.poll,
        precision: PRECISION,
        root_delay: 0,
        root_dispersion: 0,
        reference_id: code,
        reference: NtpTimestamp::default(),
        origin: request.transmit,
        receive: request.transmit,
        transmit: request.transmit,
    }
}

/// When each client was last answered.
#[derive(Debug, Default)]
struct Clients {
    answered: BTreeMap<IpAddr, Time>,
}

impl Clients {
    /// Whether a client has waited long enough; if so it is to be answered, and remembered.
    fn may_ask(&mut self, client: IpAddr, limit: Duration, now: Time) -> bool {
        if self.answered.get(&client).is_some_and(|last| now.since(*last) < limit) {
            return false;
        }
        if self.answered.len() >= CLIENTS_MAX && !self.answered.contains_key(&client) {
            let oldest =
                self.answered.iter().min_by_key(|(address, last)| (**last, **address)).map(|(address, _)| *address);
            oldest.and_then(|oldest| self.answered.remove(&oldest));
        }
        self.answered.insert(client, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let (mut clients, limit) = (Clients::default(), Duration::from_secs(2));
        let client = |last: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(last));
        let mut ask = |who, at| clients.may_ask(client(who), limit, Time::from_millis(at));
        assert!(ask(1, 0) && ask(2, 1) && !ask(1, 1_999));
        // A refused request does not put the next one off.
        assert!(ask(1, 2_000) && !ask(1, 2_001));
    }

    #[test]
    fn a_crowd_does_not_fill_the_memory_and_the_silent_are_forgotten_first() {
        let mut clients = Clients::default();
        let client = |last: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(last));
        let limit = Duration::from_secs(1_000_000);
        for number in 0..2 * CLIENTS_MAX as u32 {
            assert!(clients.may_ask(client(number), limit, Time::from_millis(number.into())));
        }
        assert_eq!(clients.answered.len(), CLIENTS_MAX);
        let now = Time::from_secs(100);
        assert!(!clients.may_ask(client(2 * CLIENTS_MAX as u32 - 1), limit, now));
        assert!(clients.may_ask(client(0), limit, now));
    }
}
