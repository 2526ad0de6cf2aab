//! `ntp-client`: measures how wrong its machine's clock is, and may set it; the lines are those of `ntpdate`.
//!
//! Of the samples of a measurement the one with the shortest round trip counts: what a queue has added to it is least
//! (RFC 5905 §10). What the two ways do not have in common is half of it error, and nothing in the packets tells.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::{DRIFT, OFFSET};
use crate::app::fields::{self, Family};
use crate::app::tally::Tally;
use crate::app::{AppBuilder, Outcome};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Endpoint, Field, Form, Kind, Located, Need, Table};
use crate::time::Time;
use crate::wire::ntp::{NTP_PORT, NtpMessage, NtpMode, NtpTimestamp};

/// From this difference on `ntpdate` would rather step than slew a clock.
const STEP_FROM: i64 = 128_000_000;

/// The longest interval between two samples that a server's kisses can bring about: 2¹⁰ s (RFC 5905's MAXPOLL is 17, but
/// nobody waits for that).
const INTERVAL_MAX: Duration = Duration::from_secs(1024);

const COUNT_MAX: u64 = 1000;

const ADJUSTS: &[&str] = &["no", "step", "slew"];

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "ntp-client",
    doc: "Measures how wrong its machine's clock is by NTP, and sets it if told to: `ntpdate`.",
    example: "sync = { on = \"client\", kind = \"ntp-client\", to = \"server\" }",
    fields: &[
        Field {
            name: "to",
            form: Form::Endpoint,
            need: Need::Required,
            doc: "The server; port 123 unless another is said.",
        },
        fields::FAMILY,
        OFFSET,
        DRIFT,
        Field {
            name: "count",
            form: Form::Integer { min: 1, max: COUNT_MAX as i64 },
            need: Need::Default("4"),
            doc: "How many samples a measurement takes.",
        },
        Field {
            name: "interval",
            form: Form::Duration,
            need: Need::Default("2s"),
            doc: "From one sample to the next; a kiss-o'-death `RATE` doubles it.",
        },
        Field {
            name: "timeout",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long it waits for each answer.",
        },
        Field {
            name: "every",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How often to measure anew, from the end of one measurement; once where this is absent.",
        },
        Field {
            name: "adjust",
            form: Form::OneOf(ADJUSTS),
            need: Need::Default("no"),
            doc: "What becomes of the clock: nothing, it is set at once, or it goes faster or slower (500 ppm) until it is right.",
        },
        Field {
            name: "verbose",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Whether the four timestamps of each sample are printed.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    (
        "offset_ms",
        "How far the server's clock seems to be ahead, in milliseconds, by the last measurement; absent before.",
    ),
    ("delay", "The round trip of the sample that this is from; absent likewise."),
    ("stratum", "How far the server is from a reference clock; absent before it has answered."),
    ("samples", "How many answers were good."),
    ("timeouts", "How many requests were not answered in time."),
    ("rejected", "How many answers were thrown away: not to this request, or of a server that has no time itself."),
    ("kisses", "How many answers were a kiss-o'-death."),
    ("measurements", "How many measurements there were."),
    (
        "drift_ppm",
        "How much too slow the clock seems to go against the server's, if no measurement has set it; absent before the second.",
    ),
    (
        "error_ms",
        "How far its clock is really ahead of true time, in milliseconds, after the last measurement: what only a simulator can know.",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adjust {
    No,
    Slew,
    Step,
}

#[derive(Debug)]
struct Plan {
    host: String,
    port: u16,
    family: Family,
    clock: Clock,
    count: u64,
    interval: Duration,
    timeout: Duration,
    every: Option<Duration>,
    adjust: Adjust,
    is_verbose: bool,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let to: Option<Located<Endpoint>> = table.need("to");
    let (clock, family) = (super::clock(table), Family::read(table));
    let count = fields::integer(table, "count", 1, COUNT_MAX).unwrap_or(4);
    let interval = table.get_or("interval", Duration::from_secs(2));
    let timeout = table.get_or("timeout", Duration::from_secs(1));
    let every: Option<Duration> = table.get("every");
    if every.is_some_and(|every| every.is_zero()) {
        table.report("every", "measuring without a pause would never end", "at least \"1ns\"");
    }
    let adjust = match table.one_of("adjust", ADJUSTS) {
        Some("step") => Adjust::Step,
        Some("slew") => Adjust::Slew,
        _ => Adjust::No,
    };
    let is_verbose = table.get_or("verbose", false);
    let Endpoint { host, port } = to?.value;
    let port = port.unwrap_or(NTP_PORT);
    let clock = clock?;
    let plan = Arc::new(Plan { host, port, family, clock, count, interval, timeout, every, adjust, is_verbose });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

/// One exchange that went well, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    offset: i64,
    delay: i64,
}

impl Sample {
    /// RFC 5905 §8: "theta = T(B) - T(A) = 1/2 * [(T2-T1) + (T3-T4)]", "delta = T(ABA) = (T4-T1) - (T3-T2)".
    fn of(t1: NtpTimestamp, t2: NtpTimestamp, t3: NtpTimestamp, t4: NtpTimestamp) -> Self {
        let offset = i128::midpoint(t2.since(t1).into(), t3.since(t4).into());
        let offset = i64::try_from(offset).expect("the middle of two numbers is between them");
        Self { offset, delay: t4.since(t1).saturating_sub(t3.since(t2)) }
    }
}

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Worth {
    Good,
    Kiss(String),
    Nothing,
}

/// Whether an answer is one to the request that left with `sent`, by the tests of RFC 5905 §8.
fn worth(answer: &NtpMessage, sent: NtpTimestamp) -> Worth {
    // Another origin timestamp than that: the answer is forged, or late.
    let is_ours = answer.mode == NtpMode::Server && answer.origin == sent;
    if !is_ours {
        return Worth::Nothing;
    }
    if let Some(code) = answer.kiss() {
        return Worth::Kiss(code);
    }
    let has_times = !answer.receive.is_zero() && !answer.transmit.is_zero();
    let is_synchronised = answer.leap != 3 && (1..16).contains(&answer.stratum);
    if has_times && is_synchronised { Worth::Good } else { Worth::Nothing }
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let address = plan.family.lookup(&net, &plan.host).await?;
    let socket = UdpSocket::bind(&net, 0)?;
    let tally = |key| Tally::new(&net, key);
    let mut client = Client {
        net: &net,
        plan: &plan,
        server: SocketAddr::new(address, plan.port),
        socket,
        clock: plan.clock.clone(),
        interval: plan.interval,
        samples: tally("samples"),
        timeouts: tally("timeouts"),
        rejected: tally("rejected"),
        kisses: tally("kisses"),
        first: None,
    };
    let measurements = tally("measurements");
    loop {
        let found = client.measure().await?;
        measurements.add(1);
        if let Some((sample, at)) = found {
            client.conclude(sample, at);
        }
        match (plan.every, found) {
            (Some(every), _) => {
                if found.is_none() {
                    net.log(|| NOBODY.to_owned());
                }
                net.sleep(every).await;
            }
            (None, Some(_)) => return Ok(()),
            (None, None) => return Err(NOBODY.into()),
        }
    }
}

const NOBODY: &str = "no server suitable for synchronization found";

struct Client<'a> {
    net: &'a Net,
    plan: &'a Plan,
    server: SocketAddr,
    socket: UdpSocket,
    clock: Clock,
    interval: Duration,
    samples: Tally,
    timeouts: Tally,
    rejected: Tally,
    kisses: Tally,
    /// The first measurement, and when it was.
    first: Option<(i64, Time)>,
}

impl Client<'_> {
    /// Takes samples; the one with the shortest round trip, and when it was taken.
    async fn measure(&mut self) -> Result<Option<(Sample, Time)>, ProgramError> {
        let mut best: Option<(Sample, Time)> = None;
        for number in 0..self.plan.count {
            let begun = self.net.now();
            if let Some(sample) = self.sample().await?
                && best.is_none_or(|(best, _)| sample.delay < best.delay)
            {
                best = Some((sample, self.net.now()));
            }
            if number + 1 < self.plan.count {
                self.net.sleep_until(begun + self.interval).await;
            }
        }
        Ok(best)
    }

    async fn sample(&mut self) -> Result<Option<Sample>, ProgramError> {
        let begun = self.net.now();
        let t1 = self.clock.timestamp(begun);
        let request = request(t1, self.interval);
        if let Err(error) = self.socket.send_to(&request.bytes(), self.server).await {
            self.net.log(|| format!("{}: {error}", self.server.ip()));
            return Ok(None);
        }
        loop {
            let left = (begun + self.plan.timeout).since(self.net.now());
            let Ok(datagram) = self.net.timeout(left, self.socket.recv_datagram()).await else {
                self.timeouts.add(1);
                self.net.log(|| format!("server {}: no answer", self.server.ip()));
                return Ok(None);
            };
            let datagram = datagram?;
            let t4 = self.clock.timestamp(self.net.now());
            let answer = NtpMessage::parse(&datagram.payload).filter(|_| datagram.from == self.server);
            let worth = answer.as_ref().map_or(Worth::Nothing, |answer| worth(answer, t1));
            match (worth, answer) {
                (Worth::Good, Some(answer)) => return Ok(Some(self.take(&answer, t1, t4))),
                (Worth::Kiss(code), _) => {
                    self.kissed(&code)?;
                    return Ok(None);
                }
                _ => drop(self.rejected.add(1)),
            }
        }
    }

    fn take(&self, answer: &NtpMessage, t1: NtpTimestamp, t4: NtpTimestamp) -> Sample {
        let sample = Sample::of(t1, answer.receive, answer.transmit, t4);
        self.samples.add(1);
        self.net.report("stratum", u64::from(answer.stratum));
        if self.plan.is_verbose {
            let [t1, t2, t3, t4] = [t1, answer.receive, answer.transmit, t4].map(clock_time);
            self.net.log(|| format!("T1 {t1}  T2 {t2}  T3 {t3}  T4 {t4}"));
        }
        self.net.log(|| line(self.server.ip(), answer.stratum, sample));
        sample
    }

    /// RFC 5905 §7.4: "For kiss codes DENY and RSTR, the client MUST demobilize any associations to that server and stop
    /// sending packets to that server; For kiss code RATE, the client MUST immediately reduce its polling interval to that
    /// server and continue to reduce it each time it receives a RATE kiss code." To reduce the rate is meant.
    fn kissed(&mut self, code: &str) -> Result<(), ProgramError> {
        self.kisses.add(1);
        match code {
            "DENY" | "RSTR" => Err(format!("server {} refuses service: kiss {code}", self.server.ip()).into()),
            "RATE" => {
                self.interval = (self.interval * 2).min(INTERVAL_MAX.max(self.plan.interval));
                let interval = crate::units::format_duration(self.interval);
                self.net.log(|| format!("server {}: kiss RATE, asking every {interval} from now on", self.server.ip()));
                Ok(())
            }
            // "Other than the above conditions, KoD packets have no protocol significance and are discarded".
            _ => Ok(()),
        }
    }

    /// What follows from a measurement.
    fn conclude(&mut self, sample: Sample, at: Time) {
        let (net, now) = (self.net, self.net.now());
        net.report("offset_ms", milliseconds(sample.offset.into()));
        net.report("delay", Duration::from_nanos(sample.delay.max(0).unsigned_abs()));
        let (first, since) = *self.first.get_or_insert((sample.offset, at));
        if self.plan.adjust == Adjust::No && at > since {
            let passed = at.since(since).as_nanos() as f64;
            net.report("drift_ppm", (sample.offset as f64 - first as f64) / passed * 1e6);
        }
        let far = sample.offset.unsigned_abs() >= STEP_FROM.unsigned_abs();
        let does = match self.plan.adjust {
            Adjust::No => {
                if far {
                    "step"
                } else {
                    "adjust"
                }
            }
            Adjust::Step => "step",
            Adjust::Slew => "adjust",
        };
        match self.plan.adjust {
            Adjust::No => {}
            Adjust::Step => self.clock.step(sample.offset, now),
            Adjust::Slew => self.clock.slew(sample.offset, now),
        }
        net.log(|| format!("{does} time server {} offset {} sec", self.server.ip(), seconds(sample.offset, 6)));
        net.report("error_ms", milliseconds(self.clock.error(now)));
    }
}

/// What is asked with.
fn request(now: NtpTimestamp, interval: Duration) -> NtpMessage {
    // The logarithm, rounded down; RFC 5905 §7.2 knows of none below 4, 16 s.
    let poll = interval.as_secs().max(16).ilog2();
    NtpMessage {
        leap: 3,
        version: 4,
        mode: NtpMode::Client,
        stratum: 0,
        poll: i8::try_from(poll).unwrap_or(i8::MAX),
        precision: -24,
        root_delay: 0,
        root_dispersion: 0,
        reference_id: [0; 4],
        reference: NtpTimestamp::default(),
        origin: NtpTimestamp::default(),
        receive: NtpTimestamp::default(),
        transmit: now,
    }
}

/// `server 10.0.0.2, stratum 1, offset -3.500012, delay 0.04053`
fn line(server: IpAddr, stratum: u8, sample: Sample) -> String {
    let (offset, delay) = (seconds(sample.offset, 6), seconds(sample.delay, 5));
    format!("server {server}, stratum {stratum}, offset {offset}, delay {delay}")
}

/// Nanoseconds as seconds with so many decimals, rounded to the nearest, with a sign where there is something to sign.
fn seconds(nanoseconds: i64, decimals: u32) -> String {
    let unit = 10_u64.pow(9 - decimals);
    let rounded = nanoseconds.unsigned_abs().saturating_add(unit / 2) / unit;
    let (whole, rest) = (rounded / 10_u64.pow(decimals), rounded % 10_u64.pow(decimals));
    let sign = if nanoseconds < 0 && rounded > 0 {
        "-"
    } else if decimals == 6 {
        "+"
    } else {
        ""
    };
    format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
}

fn milliseconds(nanoseconds: i128) -> f64 {
    nanoseconds as f64 / 1e6
}

/// The time of the day that a timestamp says: `00:00:01.003500000`.
fn clock_time(timestamp: NtpTimestamp) -> String {
    let (seconds, nanoseconds) = timestamp.parts();
    let of_day = seconds % 86_400;
    format!("{:02}:{:02}:{:02}.{:06}", of_day / 3600, of_day / 60 % 60, of_day % 60, nanoseconds / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(milliseconds: i128) -> NtpTimestamp {
        NtpTimestamp::after(super::super::clock::EPOCH, milliseconds * 1_000_000)
    }

    #[test]
    fn offset_and_delay_are_those_of_the_rfc() {
        // The server is 100 ms ahead; 20 ms there, 5 ms inside, 20 ms back.
        let sample = Sample::of(stamp(0), stamp(120), stamp(125), stamp(45));
        assert_eq!(sample, Sample { offset: 100_000_000, delay: 40_000_000 });
        // 100 ms there, 20 ms back: half of the difference is taken for an offset.
        let sample = Sample::of(stamp(0), stamp(100), stamp(100), stamp(120));
        assert_eq!(sample, Sample { offset: 40_000_000, delay: 120_000_000 });
    }

    #[test]
    fn an_answer_counts_only_if_it_is_one_to_this_request_of_somebody_who_knows() {
        let good = NtpMessage {
            leap: 0,
            mode: NtpMode::Server,
            stratum: 1,
            origin: stamp(1),
            receive: stamp(2),
            transmit: stamp(3),
            ..request(stamp(0), Duration::from_secs(2))
        };
        assert_eq!(worth(&good, stamp(1)), Worth::Good);
        assert_eq!(worth(&good, stamp(7)), Worth::Nothing);
        for bad in [
            NtpMessage { mode: NtpMode::Client, ..good },
            NtpMessage { leap: 3, ..good },
            NtpMessage { stratum: 16, ..good },
            NtpMessage { stratum: 0, ..good },
            NtpMessage { transmit: NtpTimestamp::default(), ..good },
        ] {
            assert_eq!(worth(&bad, stamp(1)), Worth::Nothing, "{bad:?}");
        }
        let kiss = NtpMessage { stratum: 0, reference_id: *b"RATE", ..good };
        assert_eq!(worth(&kiss, stamp(1)), Worth::Kiss("RATE".into()));
    }

    #[test]
    fn seconds_are_printed_as_ntpdate_prints_them() {
        assert_eq!((seconds(-3_500_012_400, 6), seconds(40_525_600, 5)), ("-3.500012".into(), "0.04053".into()));
        assert_eq!((seconds(1_500, 6), seconds(-400, 6)), ("+0.000002".into(), "+0.000000".into()));
        assert_eq!(clock_time(stamp(3_723_004)), "01:02:03.004000");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// The error of the offset is never more than half of the delay, whatever the two ways are like.
        #[test]
        fn the_delay_bounds_the_error(ahead in -10_000_i128..10_000, there in 0_i128..2_000, inside in 0_i128..50, back in 0_i128..2_000) {
            let sample = Sample::of(
                stamp(0), stamp(there + ahead), stamp(there + inside + ahead), stamp(there + inside + back),
            );
            let error = i128::from(sample.offset) - ahead * 1_000_000;
            prop_assert!(error.abs() * 2 <= i128::from(sample.delay) + 4, "{:?} {}", sample, error);
            prop_assert!((i128::from(sample.delay) - (there + back) * 1_000_000).abs() <= 2);
        }

        #[test]
        fn no_timestamps_are_too_strange(a in any::<u64>(), b in any::<u64>(), c in any::<u64>(), d in any::<u64>()) {
            let [a, b, c, d] = [a, b, c, d].map(NtpTimestamp);
            let sample = Sample::of(a, b, c, d);
            let _ = (line("10.0.0.1".parse().unwrap(), 3, sample), clock_time(a));
        }
    }
}
