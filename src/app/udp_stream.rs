//! `udp-stream`: sends datagrams at a constant rate, whatever becomes of them, like `iperf -u`.
//!
//! Each is numbered and carries its time (`numbered`), for a `udp-sink` to judge the way. The n-th is sent n times the
//! interval after the first, so that the rate holds over any time. Errors are counted and do not stop it; it fails if
//! nothing at all could be sent.

use std::sync::Arc;
use std::time::Duration;

use super::fields::{self, Target};
use super::numbered::Stamp;
use super::tally::Tally;
use super::udp_send::DATAGRAM_MAX;
use super::{AppBuilder, Outcome};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::time::Time;
use crate::units::{Rate, Size};

const COUNT_MAX: u64 = 1_000_000_000;
const RATE: &str = "1Mbit";
const SIZE: Size = Size::from_bytes(1000);
const DURATION: Duration = Duration::from_secs(5);

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "udp-stream",
    doc: "A UDP client that sends numbered datagrams at a constant rate.",
    example: "voice = { on = \"client\", kind = \"udp-stream\", to = \"server:9\", rate = \"64kbit\", size = \"160B\" }",
    fields: &[
        fields::TO,
        fields::FAMILY,
        Field {
            name: "rate",
            form: Form::Rate,
            need: Need::Default("1Mbit"),
            doc: "How much to send in a second, headers not counted.",
        },
        Field {
            name: "size",
            form: Form::Size,
            need: Need::Default("1000B"),
            doc: "How much each datagram carries; from 20 bytes on they are numbered.",
        },
        Field {
            name: "for",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long to send: 5 s where `count` is absent too.",
        },
        Field {
            name: "count",
            form: Form::Integer { min: 1, max: COUNT_MAX as i64 },
            need: Need::Optional,
            doc: "How many datagrams to send. With `for` too, whichever is reached first ends the sending.",
        },
        fields::LOCAL_PORT,
    ],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("sent", "How many datagrams were sent."),
    ("bytes", "How many bytes they carried."),
    ("failures", "How many could not be sent."),
];

#[derive(Debug)]
struct Plan {
    to: Target,
    rate: Rate,
    size: usize,
    duration: Option<Duration>,
    count: Option<u64>,
    local_port: Option<u16>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let to = Target::read(table);
    let rate = if table.has("rate") { table.get("rate") } else { RATE.parse().ok() };
    let size = table.get_or("size", SIZE).bytes();
    let size = usize::try_from(size).ok().filter(|size| (1..=DATAGRAM_MAX as usize).contains(size));
    if size.is_none() {
        table.report("size", "no datagram carries that", format!("from 1B to {DATAGRAM_MAX}B"));
    }
    let (duration, count) = (table.get("for"), fields::integer(table, "count", 1, COUNT_MAX));
    let local_port = fields::port(table, "local_port");
    let duration = if table.has("count") { duration } else { duration.or(Some(DURATION)) };
    let plan = Arc::new(Plan { to: to?, rate: rate?, size: size?, duration, count, local_port });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

impl Plan {
    /// When the datagram with this number is sent, if the stream began then; `None` if it does not belong to it.
    fn nth_at(&self, begun: Time, number: u64) -> Option<Time> {
        let bit_nanoseconds = u128::from(number) * self.size as u128 * 8 * 1_000_000_000;
        let nanoseconds = bit_nanoseconds / u128::from(self.rate.bits_per_second());
        let after = Duration::from_nanos(u64::try_from(nanoseconds).ok()?);
        let is_over =
            self.count.is_some_and(|count| number >= count) || self.duration.is_some_and(|duration| after >= duration);
        (!is_over).then(|| begun + after)
    }
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let [sent, bytes, failures] = ["sent", "bytes", "failures"].map(|key| Tally::new(&net, key));
    let to = plan.to.resolve(&net).await?;
    let socket = UdpSocket::bind(&net, plan.local_port.unwrap_or(0))?;
    let mut datagram = vec![0; plan.size];
    let begun = net.now();
    let mut last_error = None;
    for number in 0.. {
        let Some(at) = plan.nth_at(begun, number) else { break };
        net.sleep_until(at).await;
        Stamp { number, sent_at: net.now() }.write(&mut datagram);
        match socket.send_to(&datagram, to).await {
            Ok(length) => {
                sent.add(1);
                bytes.add(length as u64);
            }
            Err(error) => {
                failures.add(1);
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if sent.get() == 0 => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rate: &str, size: usize, duration: Option<Duration>, count: Option<u64>) -> Plan {
        let to = Target { host: "server".into(), port: 9, family: fields::Family::ANY };
        Plan { to, rate: rate.parse().unwrap(), size, duration, count, local_port: None }
    }

    fn length(plan: &Plan) -> usize {
        (0..).take_while(|number| plan.nth_at(Time::ZERO, *number).is_some()).count()
    }

    #[test]
    fn the_rate_holds_without_drift() {
        // 1000 B * 8 / 3 Mbit/s = 2.666… ms; the third datagram after the first is due at 8 ms exactly.
        let plan = plan("3Mbit", 1000, None, None);
        assert_eq!(plan.nth_at(Time::ZERO, 1), Some(Time::from_nanos(2_666_666)));
        assert_eq!(plan.nth_at(Time::from_secs(1), 3), Some(Time::from_millis(1_008)));
        assert_eq!(plan.nth_at(Time::ZERO, 3_000_000), Some(Time::from_secs(8_000)));
    }

    #[test]
    fn it_ends_by_time_or_by_count_whichever_is_first() {
        // 1000 B * 8 / 1 Mbit/s = 8 ms: 125 datagrams in a second, the last at 992 ms.
        let second = Some(Duration::from_secs(1));
        assert_eq!(length(&plan("1Mbit", 1000, second, None)), 125);
        assert_eq!(length(&plan("1Mbit", 1000, second, Some(10))), 10);
        assert_eq!(length(&plan("1Mbit", 1000, second, Some(1000))), 125);
        assert_eq!(length(&plan("1Mbit", 1000, None, Some(1000))), 1000);
    }
}
