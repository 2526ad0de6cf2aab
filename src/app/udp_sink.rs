//! `udp-sink`: receives datagrams and judges what the way did to them, like `iperf`'s UDP server.
//!
//! What `udp-stream` sends, and `udp-send` with `bytes`, is numbered and carries its time (`numbered`); of such
//! datagrams it knows which are missing, late or there twice, and how long they took. Others are counted. It runs until
//! it is stopped, and fails only if its port is taken.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::numbered::{Judge, Stamp};
use super::tally::Tally;
use super::times::Times;
use super::{AppBuilder, Outcome, fields};
use crate::net::{Net, Program, ProgramError, UdpSocket};
use crate::read::{Kind, Table};
use crate::time::Time;

/// How many senders are told apart; the datagrams of further ones are only counted.
const SENDERS_MAX: usize = 1024;

pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "udp-sink",
    doc: "A UDP server that answers nothing and tells what was lost, late or duplicated on the way.",
    example: "sink = { on = \"server\", kind = \"udp-sink\", port = 9 }",
    fields: &[fields::PORT],
    build,
};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("received", "How many datagrams came, duplicates included."),
    ("bytes", "How many bytes they carried."),
    ("lost", "How many numbers are missing below the greatest that came; what is lost after it cannot be known."),
    ("out_of_order", "How many came after one with a greater number."),
    ("duplicates", "How many came again."),
    ("jitter", "RFC 3550's interarrival jitter of the sender heard last."),
    ("delay_min", "The shortest time on the way; absent until a datagram with its time came."),
    ("delay_avg", "The mean time on the way; absent likewise."),
    ("delay_max", "The longest time on the way; absent likewise."),
];

fn build(table: &Table<'_>) -> Option<Program> {
    let port = fields::port_needed(table)?;
    Some(Program::new(move |net| serve(net, port)))
}

async fn serve(net: Net, port: u16) -> Result<(), ProgramError> {
    let [received, bytes] = ["received", "bytes"].map(|key| Tally::new(&net, key));
    let mut verdict = Verdict::default();
    verdict.report(&net, &Counts { lost: u64::MAX, out_of_order: u64::MAX, duplicates: u64::MAX });
    let socket = UdpSocket::bind(&net, port)?;
    loop {
        let datagram = socket.recv_datagram().await?;
        received.add(1);
        bytes.add(datagram.payload.len() as u64);
        if let Some(stamp) = Stamp::read(&datagram.payload) {
            let before = verdict.counts;
            verdict.take(datagram.from, stamp, net.now());
            verdict.report(&net, &before);
        }
    }
}

/// Sums over all senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    lost: u64,
    out_of_order: u64,
    duplicates: u64,
}

/// What is known of all senders together.
#[derive(Debug, Default)]
struct Verdict {
    senders: BTreeMap<SocketAddr, Judge>,
    counts: Counts,
    delays: Times,
    jitter: std::time::Duration,
}

impl Verdict {
    fn take(&mut self, from: SocketAddr, stamp: Stamp, now: Time) {
        self.delays.add(now.since(stamp.sent_at));
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&from) {
            return;
        }
        let judge = self.senders.entry(from).or_default();
        let before = counts_of(judge);
        judge.arrived(stamp, now);
        let after = counts_of(judge);
        self.jitter = judge.jitter();
        // A sum of differences: the number of senders does not count.
        let update = |sum: u64, before: u64, after: u64| sum.saturating_sub(before).saturating_add(after);
        self.counts = Counts {
            lost: update(self.counts.lost, before.lost, after.lost),
            out_of_order: update(self.counts.out_of_order, before.out_of_order, after.out_of_order),
            duplicates: update(self.counts.duplicates, before.duplicates, after.duplicates),
        };
    }

    /// Reports what is not as `before`.
    fn report(&self, net: &Net, before: &Counts) {
        for (key, count, reported) in [
            ("lost", self.counts.lost, before.lost),
            ("out_of_order", self.counts.out_of_order, before.out_of_order),
            ("duplicates", self.counts.duplicates, before.duplicates),
        ] {
            if count != reported {
                net.report(key, count);
            }
        }
        if self.delays.is_empty() {
            return net.report("jitter", self.jitter);
        }
        net.report_all([
            ("jitter", self.jitter.into()),
            ("delay_min", self.delays.min().into()),
            ("delay_avg", self.delays.avg().into()),
            ("delay_max", self.delays.max().into()),
        ]);
    }
}

fn counts_of(judge: &Judge) -> Counts {
    Counts { lost: judge.lost(), out_of_order: judge.out_of_order(), duplicates: judge.duplicates() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(verdict: &mut Verdict, port: u16, number: u64) {
        let from = SocketAddr::from(([10, 0, 0, 1], port));
        verdict.take(from, Stamp { number, sent_at: Time::ZERO }, Time::from_millis(20));
    }

    #[test]
    fn senders_are_judged_apart_and_summed() {
        let mut verdict = Verdict::default();
        for (port, number) in [(1, 0), (2, 0), (1, 2), (2, 1), (2, 1)] {
            take(&mut verdict, port, number);
        }
        assert_eq!(verdict.counts, Counts { lost: 1, out_of_order: 0, duplicates: 1 });
        take(&mut verdict, 1, 1);
        assert_eq!(verdict.counts, Counts { lost: 0, out_of_order: 1, duplicates: 1 });
        assert_eq!(verdict.delays.avg(), std::time::Duration::from_millis(20));
    }

    #[test]
    fn a_sender_too_many_is_not_judged() {
        let mut verdict = Verdict::default();
        for port in 1..=1025 {
            take(&mut verdict, port, 1);
        }
        assert_eq!((verdict.senders.len(), verdict.counts.lost), (SENDERS_MAX, SENDERS_MAX as u64));
    }

    #[test]
    fn absurd_numbers_do_not_overflow_the_sums() {
        let mut verdict = Verdict::default();
        for port in 1..=3 {
            take(&mut verdict, port, u64::MAX);
            take(&mut verdict, port, 0);
        }
    }
}
