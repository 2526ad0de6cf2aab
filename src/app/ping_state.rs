//! What `ping` has sent and seen, and the lines that it prints.
//!
//! The lines, the order of their parts and the odd cases (`pipe`, the digits of a time) are those of iputils' `ping`, with
//! one difference: the empty line before the statistics is left out, because each line here is one note of the trace.

use std::net::IpAddr;
use std::time::Duration;

use super::icmp::{ECHO_HEADER_LEN, ip_header_len};
use super::times::{Times, about_three_digits, percent};
use crate::time::Time;

/// How many bytes of a request the real program needs to note the time in it (`struct timeval`). Smaller ones are not
/// timed.
const TIMEVAL_LEN: usize = 16;

/// What one run of `ping` knows.
#[derive(Debug)]
pub(super) struct PingState {
    host: String,
    address: IpAddr,
    /// Bytes of payload.
    size: usize,
    /// Bytes of IP options.
    options: usize,
    /// When each request was sent, and whether it was answered: number 1 is at index 0.
    requests: Vec<(Time, bool)>,
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) errors: u64,
    pub(super) times: Times,
    /// The most requests that were on their way when one of them was answered.
    pipe: usize,
    begun: Time,
}

impl PingState {
    pub(super) fn new(host: &str, address: IpAddr, size: usize, now: Time) -> Self {
        Self {
            host: host.to_owned(),
            address,
            size,
            options: 0,
            requests: Vec::new(),
            received: 0,
            duplicates: 0,
            errors: 0,
            times: Times::default(),
            pipe: 0,
            begun: now,
        }
    }

    /// The same, with so many bytes of IP options.
    pub(super) fn with_options(self, options: usize) -> Self {
        Self { options, ..self }
    }

    /// How many requests were sent.
    pub(super) fn sent(&self) -> u64 {
        self.requests.len() as u64
    }

    /// The number of the request that is sent now: from 1.
    pub(super) fn next(&mut self, now: Time) -> u16 {
        self.requests.push((now, false));
        u16::try_from(self.requests.len()).unwrap_or(u16::MAX)
    }

    /// A reply came: the line that tells it, and its time if it is timed. `from` is who sent it, as it shall be called.
    pub(super) fn reply(&mut self, number: u16, from: &str, length: usize, ttl: u8, now: Time) -> String {
        self.acknowledge(number);
        let bytes = length + ECHO_HEADER_LEN;
        let mut line = format!("{bytes} bytes from {from}: icmp_seq={number} ttl={ttl}");
        let Some((sent_at, is_answered)) = usize::from(number).checked_sub(1).and_then(|at| self.requests.get_mut(at))
        else {
            return line;
        };
        let rtt = now.since(*sent_at);
        if length < self.size {
            line.push_str(" (truncated)");
        } else if self.size >= TIMEVAL_LEN {
            self.times.add(rtt);
            line.push_str(&format!(" time={} ms", about_three_digits(rtt)));
        }
        if std::mem::replace(is_answered, true) {
            self.duplicates += 1;
            // RFC 1122 §3.2.2.6 lets every member of a group answer, so more than one is no surprise there.
            if !self.address.is_multicast() {
                line.push_str(" (DUP!)");
            }
        } else {
            self.received += 1;
        }
        line
    }

    /// An ICMP error about a request came: the line that tells it.
    pub(super) fn error(&mut self, number: u16, from: &str, what: &str) -> String {
        self.acknowledge(number);
        self.errors += 1;
        format!("From {from} icmp_seq={number} {what}")
    }

    /// How long replies are waited for after the last request: not as long as `patience` once there is one reply.
    pub(super) fn linger(&self, interval: Duration, patience: Duration) -> Duration {
        if self.received == 0 { patience } else { (self.times.max() * 2).max(interval) }
    }

    /// The share of requests that were not answered: 0 to 1.
    pub(super) fn loss(&self) -> f64 {
        let lost = self.sent().saturating_sub(self.received);
        lost as f64 / self.sent().max(1) as f64
    }

    /// The line that begins it.
    pub(super) fn first_line(&self) -> String {
        let (host, address, size) = (&self.host, self.address, self.size);
        if address.is_ipv4() {
            let packet = size + ECHO_HEADER_LEN + ip_header_len(address) + self.options;
            format!("PING {host} ({address}) {size}({packet}) bytes of data.")
        } else {
            format!("PING {host} ({address}) {size} data bytes")
        }
    }

    /// The lines that end it.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let mut lines = vec![format!("--- {} ping statistics ---", self.host), self.counts()];
        let mut parts = Vec::new();
        if !self.times.is_empty() {
            parts.push(self.times.line());
        }
        if self.pipe > 1 {
            parts.push(format!("pipe {}", self.pipe));
        }
        if !parts.is_empty() {
            lines.push(parts.join(", "));
        }
        lines
    }

    /// `4 packets transmitted, 3 received, 25% packet loss, time 3003ms`
    fn counts(&self) -> String {
        let mut line = format!("{} packets transmitted, {} received", self.sent(), self.received);
        for (count, what) in [(self.duplicates, "duplicates"), (self.errors, "errors")] {
            if count > 0 {
                line.push_str(&format!(", +{count} {what}"));
            }
        }
        if let Some((last, _)) = self.requests.last() {
            // From the beginning to the last request, to the nearest millisecond.
            let milliseconds = (last.since(self.begun).as_nanos() + 500_000) / 1_000_000;
            let lost = self.sent().saturating_sub(self.received);
            line.push_str(&format!(", {}% packet loss, time {milliseconds}ms", percent(lost, self.sent())));
        }
        line
    }

    /// Takes note of how many requests are on their way now that `number` is answered, itself included.
    fn acknowledge(&mut self, number: u16) {
        let on_their_way = (self.requests.len() + 1).saturating_sub(usize::from(number));
        self.pipe = self.pipe.max(on_their_way);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> PingState {
        PingState::new("server", "10.0.2.80".parse().unwrap(), 56, Time::ZERO)
    }

    fn ms(milliseconds: u64) -> Time {
        Time::from_millis(milliseconds)
    }

    #[test]
    fn a_run_reads_like_the_real_one() {
        let mut ping = state();
        let mut lines = vec![ping.first_line()];
        for second in 0..4 {
            let number = ping.next(ms(second * 1000));
            let arrived = Time::from_nanos(second * 1_000_000_000 + 20_100_000 + second * 1_000);
            match second {
                1 => {}
                _ => lines.push(ping.reply(number, "server (10.0.2.80)", 56, 63, arrived)),
            }
        }
        lines.extend(ping.last_lines());
        insta::assert_snapshot!(lines.join("\n"), @r"
        PING server (10.0.2.80) 56(84) bytes of data.
        64 bytes from server (10.0.2.80): icmp_seq=1 ttl=63 time=20.1 ms
        64 bytes from server (10.0.2.80): icmp_seq=3 ttl=63 time=20.1 ms
        64 bytes from server (10.0.2.80): icmp_seq=4 ttl=63 time=20.1 ms
        --- server ping statistics ---
        4 packets transmitted, 3 received, 25% packet loss, time 3000ms
        rtt min/avg/max/mdev = 20.100/20.101/20.103/0.001 ms
        ");
    }

    #[test]
    fn errors_count_as_lost_and_a_late_one_shows_the_pipe() {
        let mut ping = state();
        for second in 0..4 {
            ping.next(ms(second * 1000));
        }
        let line = ping.error(1, "10.0.1.10", "Destination Host Unreachable");
        assert_eq!(line, "From 10.0.1.10 icmp_seq=1 Destination Host Unreachable");
        assert_eq!(
            ping.last_lines(),
            [
                "--- server ping statistics ---",
                "4 packets transmitted, 0 received, +1 errors, 100% packet loss, time 3000ms",
                "pipe 4"
            ]
        );
        assert!((ping.loss() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_second_reply_is_a_duplicate_and_not_received_again() {
        let mut ping = state();
        let number = ping.next(ms(0));
        let reply = |ping: &mut PingState| ping.reply(number, "10.0.2.80", 56, 64, ms(1));
        assert_eq!(reply(&mut ping), "64 bytes from 10.0.2.80: icmp_seq=1 ttl=64 time=1.00 ms");
        assert_eq!(reply(&mut ping), "64 bytes from 10.0.2.80: icmp_seq=1 ttl=64 time=1.00 ms (DUP!)");
        assert_eq!((ping.sent(), ping.received, ping.duplicates), (1, 1, 1));
        assert_eq!(ping.last_lines()[1], "1 packets transmitted, 1 received, +1 duplicates, 0% packet loss, time 0ms");
    }

    #[test]
    fn a_small_request_is_not_timed() {
        let mut ping = PingState::new("server", "10.0.2.80".parse().unwrap(), 15, Time::ZERO);
        let number = ping.next(ms(0));
        assert_eq!(ping.reply(number, "10.0.2.80", 15, 64, ms(1)), "23 bytes from 10.0.2.80: icmp_seq=1 ttl=64");
        assert_eq!(ping.last_lines().len(), 2);
    }

    #[test]
    fn a_reply_to_what_was_never_sent_counts_for_nothing() {
        let mut ping = state();
        ping.next(ms(0));
        for number in [0, 2, u16::MAX] {
            let _ = ping.reply(number, "10.0.2.80", 56, 64, ms(1));
        }
        assert_eq!((ping.received, ping.duplicates), (0, 0));
    }

    #[test]
    fn it_lingers_for_two_round_trips_but_at_least_an_interval() {
        let second = Duration::from_secs(1);
        let mut ping = state();
        assert_eq!(ping.linger(second, Duration::from_secs(10)), Duration::from_secs(10));
        let number = ping.next(ms(0));
        let _ = ping.reply(number, "10.0.2.80", 56, 64, ms(20));
        assert_eq!(ping.linger(second, Duration::from_secs(10)), second);
        assert_eq!(ping.linger(Duration::from_millis(5), Duration::ZERO), Duration::from_millis(40));
    }

    #[test]
    fn the_other_family_has_its_own_first_line() {
        let ping = PingState::new("server", "2001:db8::1".parse().unwrap(), 56, Time::ZERO);
        assert_eq!(ping.first_line(), "PING server (2001:db8::1) 56 data bytes");
    }
}
