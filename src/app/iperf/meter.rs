//! What was counted of each stream, and the tables that come of it.
//!
//! Sender and receiver keep the same books; an interval is what has been added since the last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::INTERVALS_MAX;
use super::table::{Extra, RULE, head, line, seconds};
use super::wire::{Params, StreamResult};
use crate::app::numbered::{Judge, Stamp};
use crate::net::Net;
use crate::record::Value;
use crate::time::Time;

/// What is known of one stream on this side.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    pub(super) bytes: u64,
    /// Datagrams sent, or those that the receiver knows of.
    pub(super) datagrams: u64,
    pub(super) retransmits: u64,
    /// What is on its way.
    pub(super) flight: u64,
    judge: Judge,
}

impl Stream {
    /// A datagram has come.
    pub(super) fn arrived(&mut self, number: u32, sent_at: Time, length: usize, now: Time) {
        self.bytes += length as u64;
        // Numbers count from 1; 0 and less end a real client's stream.
        if let Some(before) = number.checked_sub(1) {
            self.judge.arrived(Stamp { number: before.into(), sent_at }, now);
            self.datagrams = self.datagrams.max(number.into());
        }
    }
}

/// The books of one side of a test.
#[derive(Debug)]
pub(super) struct Books {
    params: Params,
    /// Whether this side sends.
    pub(super) is_sender: bool,
    pub(super) streams: Vec<Stream>,
    /// As of the last interval.
    before: Vec<Stream>,
    begun: Time,
    /// When the measurement was over; what comes later does not count as its time.
    ended: Option<Time>,
    reported_until: Time,
    /// Bits per second in each interval, and what was on its way at its end.
    bitrates: Vec<Value>,
    flights: Vec<Value>,
}

/// The books, for those who write and those who read them.
pub(super) type Shared = Arc<Mutex<Books>>;

/// Looks into the books.
pub(super) fn lock(books: &Shared) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    pub(super) fn new(params: Params, is_sender: bool, now: Time) -> Shared {
        let streams = vec![Stream::default(); usize::try_from(params.streams).unwrap_or(1)];
        Arc::new(Mutex::new(Self {
            params,
            is_sender,
            before: streams.clone(),
            streams,
            begun: now,
            ended: None,
            reported_until: now,
            bitrates: Vec::new(),
            flights: Vec::new(),
        }))
    }

    /// All bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.streams.iter().map(|stream| stream.bytes).sum()
    }

    /// The head of the table of intervals.
    pub(super) fn interval_head(&self) -> &'static str {
        head(self.extra(&Stream::default(), &Stream::default()))
    }

    /// What an interval's line has behind the bit rate.
    fn extra(&self, now: &Stream, before: &Stream) -> Extra {
        match (self.params.is_udp, self.is_sender) {
            (false, true) => {
                Extra::Sent { retransmits: now.retransmits - before.retransmits, flight: Some(now.flight) }
            }
            (false, false) => Extra::Nothing,
            (true, true) => Extra::Datagrams(now.datagrams - before.datagrams),
            (true, false) => Extra::Judged {
                jitter: seconds(now.judge.jitter()),
                lost: now.judge.lost().saturating_sub(before.judge.lost()),
                total: now.datagrams - before.datagrams,
            },
        }
    }

    /// Ends an interval: its lines. Nothing if no time has passed.
    pub(super) fn interval(&mut self, now: Time) -> Vec<String> {
        let (from, to) = (self.reported_until.since(self.begun), now.since(self.begun));
        if from == to {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let (from_s, to_s) = (seconds(from), seconds(to));
        for (index, (stream, before)) in self.streams.iter().zip(&self.before).enumerate() {
            let bytes = stream.bytes - before.bytes;
            lines.push(line(&id(index), from_s, to_s, bytes, self.extra(stream, before), ""));
        }
        let (all, all_before) = (sum(&self.streams), sum(&self.before));
        let bytes = all.bytes - all_before.bytes;
        if self.streams.len() > 1 {
            let lost = |streams: &[Stream]| streams.iter().map(|stream| stream.judge.lost()).sum::<u64>();
            let extra = match self.extra(&all, &all_before) {
                Extra::Judged { total, .. } => {
                    let jitters = self.streams.iter().map(|stream| seconds(stream.judge.jitter()));
                    let jitter = jitters.sum::<f64>() / self.streams.len() as f64;
                    Extra::Judged { jitter, total, lost: lost(&self.streams).saturating_sub(lost(&self.before)) }
                }
                extra => extra,
            };
            lines.push(line("SUM", from_s, to_s, bytes, extra, ""));
            lines.push(RULE.to_owned());
        }
        if self.bitrates.len() < INTERVALS_MAX {
            self.bitrates.push(Value::from(bits_per_second(bytes, to - from)));
            self.flights.push(Value::from(all.flight));
        }
        self.before.clone_from(&self.streams);
        self.reported_until = now;
        lines
    }

    /// The measurement is over.
    pub(super) fn end(&mut self, now: Time) {
        self.ended.get_or_insert(now);
    }

    /// What this side tells the other in the end.
    pub(super) fn results(&self) -> Vec<StreamResult> {
        let end = self.ended.map_or(0.0, |ended| seconds(ended.since(self.begun)));
        let result = |stream: &Stream| StreamResult {
            bytes: stream.bytes,
            retransmits: stream.retransmits,
            jitter: seconds(stream.judge.jitter()),
            lost: stream.judge.lost(),
            packets: stream.datagrams,
            end,
        };
        self.streams.iter().map(result).collect()
    }

    /// How many datagrams came after one with a greater number, over all streams.
    pub(super) fn out_of_order(&self) -> u64 {
        self.streams.iter().map(|stream| stream.judge.out_of_order() + stream.judge.duplicates()).sum()
    }

    /// Reports what the intervals were like.
    pub(super) fn report_intervals(&self, net: &Net) {
        net.report("bitrates", Value::List(self.bitrates.clone()));
        let tells_flights = self.is_sender && !self.params.is_udp;
        net.report("flights", Value::List(if tells_flights { self.flights.clone() } else { Vec::new() }));
    }
}

/// Bits per second.
pub(super) fn bits_per_second(bytes: u64, span: Duration) -> u64 {
    let bits = u128::from(bytes) * 8_000_000_000;
    u64::try_from(bits.checked_div(span.as_nanos()).unwrap_or(0)).unwrap_or(u64::MAX)
}

/// The number of a stream in the tables: descriptors, in the real program.
pub(super) fn id(index: usize) -> String {
    (5 + 2 * index).to_string()
}

fn sum(streams: &[Stream]) -> Stream {
    let mut all = Stream::default();
    for stream in streams {
        all.bytes += stream.bytes;
        all.datagrams += stream.datagrams;
        all.retransmits += stream.retransmits;
        all.flight += stream.flight;
    }
    all
}

/// One side of a test in the last table: its results, what it is called, and what its lines have behind the bit rate.
type Side<'a> = (&'a [StreamResult], &'a str, &'a dyn Fn(&StreamResult) -> Extra);

/// The last table: what the sender says, and what the receiver says.
pub(super) fn totals(params: Params, sender: &[StreamResult], receiver: &[StreamResult]) -> Vec<String> {
    let of_sender = |result: &StreamResult| match params.is_udp {
        true => Extra::Judged { jitter: 0.0, lost: 0, total: result.packets },
        false => Extra::Sent { retransmits: result.retransmits, flight: None },
    };
    let of_receiver = |result: &StreamResult| match params.is_udp {
        true => Extra::Judged { jitter: result.jitter, lost: result.lost, total: result.packets },
        false => Extra::Nothing,
    };
    let title = head(of_sender(&StreamResult::default()));
    let mut lines = vec![RULE.to_owned(), title.to_owned()];
    let rows = sender.len().max(receiver.len());
    for index in 0..rows {
        let sides: [Side<'_>; 2] = [(sender, "sender", &of_sender), (receiver, "receiver", &of_receiver)];
        for (side, role, extra) in sides {
            if let Some(result) = side.get(index) {
                lines.push(line(&id(index), 0.0, result.end, result.bytes, extra(result), role));
            }
        }
    }
    if rows > 1 {
        let sides: [Side<'_>; 2] = [(sender, "sender", &of_sender), (receiver, "receiver", &of_receiver)];
        for (side, role, extra) in sides.into_iter().filter(|(side, ..)| !side.is_empty()) {
            let all = sum_of(side);
            lines.push(line("SUM", 0.0, all.end, all.bytes, extra(&all), role));
        }
    }
    lines
}

/// All streams of one side as one.
pub(super) fn sum_of(results: &[StreamResult]) -> StreamResult {
    let mut all = StreamResult::default();
    for result in results {
        all.bytes = all.bytes.saturating_add(result.bytes);
        all.retransmits = all.retransmits.saturating_add(result.retransmits);
        all.lost = all.lost.saturating_add(result.lost);
        all.packets = all.packets.saturating_add(result.packets);
        all.jitter += result.jitter / results.len() as f64;
        all.end = all.end.max(result.end);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(is_udp: bool, streams: u64) -> Params {
        Params { is_udp, time: None, bytes: None, streams, is_reverse: false, block: 1460, rate: None }
    }

    #[test]
    fn an_interval_is_what_was_added_since_the_last() {
        let books = Books::new(params(false, 1), true, Time::ZERO);
        let mut books = lock(&books);
        books.streams[0] = Stream { bytes: 1_310_720, flight: 2048, retransmits: 2, ..Stream::default() };
        assert_eq!(
            books.interval(Time::from_secs(1)),
            ["[  5]   0.00-1.00   sec  1.25 MBytes  10.5 Mbits/sec    2   2.00 KBytes"]
        );
        assert!(books.interval(Time::from_secs(1)).is_empty());
        assert_eq!(
            books.interval(Time::from_secs(2)),
            ["[  5]   1.00-2.00   sec  0.00 Bytes  0.00 bits/sec    0   2.00 KBytes"]
        );
    }

    #[test]
    fn a_receiver_of_datagrams_knows_what_is_missing_and_what_is_late() {
        let books = Books::new(params(true, 1), false, Time::ZERO);
        let mut books = lock(&books);
        for number in [1, 2, 5, 4] {
            books.streams[0].arrived(number, Time::ZERO, 1000, Time::from_millis(5));
        }
        let result = books.results()[0];
        assert_eq!((result.lost, result.packets, result.bytes, books.out_of_order()), (1, 5, 4000, 1));
        let lines = books.interval(Time::from_secs(1));
        assert!(lines[0].ends_with("0.000 ms  1/5 (20%)"), "{lines:?}");
    }

    #[test]
    fn several_streams_have_a_sum() {
        let two = [StreamResult { bytes: 1024, end: 1.0, packets: 1, ..StreamResult::default() }; 2];
        let lines = totals(params(true, 2), &two, &two);
        assert_eq!(lines.len(), 2 + 6);
        assert!(
            lines[6].starts_with("[SUM]   0.00-1.00   sec  2.00 KBytes") && lines[7].ends_with("0/2 (0%)  receiver")
        );
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let wild = StreamResult { bytes: u64::MAX, lost: u64::MAX, packets: u64::MAX, ..StreamResult::default() };
        assert_eq!(totals(params(true, 2), &[wild; 2], &[wild; 2]).len(), 8);
    }
}
